//! INHERIT and NO INHERIT: a table becomes a child of another, or is one no more.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Result, sqlstate};

use super::replace;
use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{inherit, namespace};

pub async fn add(
    session: &mut Session,
    child: &Arc<Relation>,
    parent: &Name,
    context: &StatementContext,
) -> Result<()> {
    let wrong = |message: String| Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    if child.table().is_some_and(|table| table.of_type != 0) {
        return wrong("cannot change inheritance of typed table".to_owned());
    }
    if child.partition_bound().is_some() {
        return wrong("cannot change inheritance of a partition".to_owned());
    }
    if child.partitioning().is_some() {
        return wrong("cannot change inheritance of partitioned table".to_owned());
    }
    let parent = namespace::existing(parent, context)?;
    inherit::check_parent(&parent, child.is_temporary(), context)?;
    if context.catalog.inheritors(child).iter().any(|below| below.oid == parent.oid) {
        return Err(Error::new(sqlstate::DUPLICATE_TABLE, "circular inheritance not allowed")
            .with_detail(format!("\"{}\" is already a child of \"{}\".", parent.name, child.name)));
    }
    if child.parents().contains(&parent.oid) {
        let message = format!("relation \"{}\" would be inherited from more than once", parent.name);
        return Err(Error::new(sqlstate::DUPLICATE_TABLE, message));
    }
    inherit::check_columns(&parent, child, false)?;
    replace(session, inherit::joined(&parent, child)).map(drop)
}

pub fn remove(session: &mut Session, child: &Arc<Relation>, parent: &Name, context: &StatementContext) -> Result<()> {
    if child.partition_bound().is_some() {
        let message = "cannot change inheritance of a partition";
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    let parent = namespace::existing(parent, context)?;
    if !child.parents().contains(&parent.oid) {
        let message = format!("relation \"{}\" is not a parent of relation \"{}\"", parent.name, child.name);
        return Err(Error::new(sqlstate::UNDEFINED_TABLE, message));
    }
    replace(session, inherit::left(&parent, child)).map(drop)
}
