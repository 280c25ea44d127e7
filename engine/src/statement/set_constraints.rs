//! SET CONSTRAINTS (PostgreSQL manual).

use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, namespace};
use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::transaction::Block;

pub async fn run(session: &mut Session, names: &[Name], deferred: bool, context: &StatementContext) -> Result<Outcome> {
    if session.transaction.as_ref().is_none_or(|open| open.block != Block::Explicit) {
        let message = "SET CONSTRAINTS can only be used in transaction blocks";
        session.warn(sqlstate::NO_ACTIVE_SQL_TRANSACTION, message);
    }
    let mut constraints = Vec::new();
    for name in names {
        constraints.extend(named(name, deferred, context)?);
    }
    if let Some(open) = &mut session.transaction {
        open.tables.deferred.set((!names.is_empty()).then_some(constraints.as_slice()), deferred);
    }
    session.run_deferred(false).await?;
    Outcome::tag("SET CONSTRAINTS")
}

/// The constraints of that name in the first schema of the path that has one; those that are not deferrable stay as they are.
fn named(name: &Name, deferred: bool, context: &StatementContext) -> Result<Vec<Oid>> {
    let (schema, bare) = namespace::split(name, context)?;
    let schemas = match schema {
        Some(schema) => vec![namespace::schema_oid(schema, context)?],
        None => context.search_path.schemas().to_vec(),
    };
    for schema in schemas {
        let relations = context.catalog.user_relations().filter(|relation| relation.schema == schema);
        let found = relations.flat_map(|relation| relation.constraints()).filter(|constraint| constraint.name == bare);
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            continue;
        }
        if deferred && !found.iter().any(|constraint| constraint.deferrable) {
            let message = format!("constraint \"{bare}\" is not deferrable");
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
        }
        return Ok(found.iter().filter(|constraint| constraint.deferrable).map(|constraint| constraint.oid).collect());
    }
    Err(Error::new(sqlstate::UNDEFINED_OBJECT, format!("constraint \"{bare}\" does not exist")))
}
