//! Partitioned tables and partitions: keys, bounds, and what partitions have from their parents (PostgreSQL manual, "Table Partitioning").

pub mod attach;
pub mod bound;
pub mod index;
pub mod key;
pub mod validate;

use std::sync::Arc;

use aegis_catalog::object::{Persistence, Relation};
use aegis_catalog::{Error, Result, sqlstate};

use super::namespace;
use crate::parse::ast::Name;
use crate::session::context::StatementContext;

/// The partitioned table that a new partition is of.
pub fn parent(name: &Name, temporary: bool, context: &StatementContext) -> Result<Arc<Relation>> {
    let parent = namespace::existing(name, context)?;
    if parent.table().is_none() {
        let message = format!("\"{}\" is not a table or foreign table", parent.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    if parent.partitioning().is_none() {
        let message = format!("\"{}\" is not partitioned", parent.name);
        return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
    }
    crate::privilege::require_owner(&parent, context)?;
    check_persistence(&parent, temporary)?;
    Ok(parent)
}

/// 42809 if one is temporary and the other is not.
fn check_persistence(parent: &Relation, temporary: bool) -> Result<()> {
    let message = match (parent.persistence == Persistence::Temporary, temporary) {
        (true, false) => {
            format!("cannot create a permanent relation as partition of temporary relation \"{}\"", parent.name)
        }
        (false, true) => {
            format!("cannot create a temporary relation as partition of permanent relation \"{}\"", parent.name)
        }
        _ => return Ok(()),
    };
    Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message))
}
