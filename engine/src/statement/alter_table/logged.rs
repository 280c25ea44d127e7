//! `SET LOGGED` and `SET UNLOGGED` of tables and sequences (PostgreSQL manual, "ALTER TABLE"). It is a fact that tools are shown:
//! unlogged tables are as durable as others.

use std::sync::Arc;

use aegis_catalog::object::{Constraint, ConstraintKind, Persistence, Relation};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::alter_object::with_belongings;

pub fn set(session: &mut Session, relation: &Arc<Relation>, logged: bool, context: &StatementContext) -> Result<()> {
    if relation.persistence == Persistence::Temporary {
        let message = format!("cannot change logged status of table \"{}\" because it is temporary", relation.name);
        return Err(invalid(message));
    }
    let persistence = if logged { Persistence::Permanent } else { Persistence::Unlogged };
    if relation.persistence == persistence {
        return Ok(());
    }
    check_references(relation, logged, context)?;
    for changed in with_belongings(relation, context) {
        super::replace(session, Relation { persistence, ..Relation::clone(&changed) })?;
    }
    Ok(())
}

/// A table whose rows stay never refers to one whose rows may go.
fn check_references(table: &Relation, logged: bool, context: &StatementContext) -> Result<()> {
    let persistence_of = |oid: Oid| context.catalog.relation(oid).map(|other| (other.name.clone(), other.persistence));
    if logged {
        for other in table.constraints().iter().filter_map(refers_to).filter(|other| *other != table.oid) {
            if let Some((other, Persistence::Unlogged)) = persistence_of(other) {
                let message = format!(
                    "could not change table \"{}\" to logged because it references unlogged table \"{other}\"",
                    table.name
                );
                return Err(invalid(message));
            }
        }
        return Ok(());
    }
    let refers = |other: &&Arc<Relation>| {
        other.oid != table.oid && other.constraints().iter().any(|constraint| refers_to(constraint) == Some(table.oid))
    };
    match context.catalog.user_relations().find(|other| refers(other) && other.persistence == Persistence::Permanent) {
        Some(other) => Err(invalid(format!(
            "could not change table \"{}\" to unlogged because it references logged table \"{}\"",
            table.name, other.name
        ))),
        None => Ok(()),
    }
}

fn refers_to(constraint: &Constraint) -> Option<Oid> {
    match constraint.kind {
        ConstraintKind::ForeignKey { referenced, .. } => Some(referenced),
        _ => None,
    }
}

fn invalid(message: String) -> Error {
    Error::new(sqlstate::INVALID_TABLE_DEFINITION, message)
}
