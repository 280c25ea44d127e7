//! ADD, DROP and VALIDATE CONSTRAINT.

use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::plan_drop;
use aegis_catalog::fixed_oid::PG_CONSTRAINT;
use aegis_catalog::object::{ConstraintKind, ObjectAddress, Relation};
use aegis_catalog::{Error, Result, sqlstate};

use super::validate;
use crate::parse::ast::Ident;
use crate::parse::utility::TableConstraint;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::constraint::{self, Declared};

pub async fn add(session: &mut Session, table: &Arc<Relation>, definition: &TableConstraint) -> Result<()> {
    add_declared(session, table, vec![Declared::of_table(definition)?]).await.map(|_| ())
}

/// Adds constraints; the rows that are there must hold them.
pub async fn add_declared(
    session: &mut Session,
    table: &Arc<Relation>,
    declared: Vec<Declared>,
) -> Result<Arc<Relation>> {
    let mut changed = Relation::clone(table);
    constraint::mark_not_null(&mut changed.columns, &declared)?;
    let before = if changed.columns == table.columns { Arc::clone(table) } else { super::replace(session, changed)? };
    let known: Vec<_> = before.constraints().iter().map(|constraint| constraint.oid).collect();
    let after = constraint::add_all(session, before, declared, true)?;
    for constraint in after.constraints().iter().filter(|constraint| !known.contains(&constraint.oid)) {
        validate::constraint(session, &after, constraint).await?;
    }
    Ok(after)
}

pub fn drop(
    session: &mut Session,
    table: &Relation,
    name: &Ident,
    if_exists: bool,
    cascade: bool,
    context: &StatementContext,
) -> Result<()> {
    let Some(found) = table.constraints().iter().find(|constraint| constraint.name == name.name) else {
        let message = format!("constraint \"{}\" of relation \"{}\" does not exist", name.name, table.name);
        if if_exists {
            session.skip_notice(&format!("{message}, skipping"));
            return Ok(());
        }
        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
    };
    let root = ObjectAddress::new(PG_CONSTRAINT, found.oid);
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    let plan = plan_drop(printer, &[root], cascade)?;
    super::super::drop::announce(session, &plan);
    super::super::drop::apply(session, &plan)
}

/// There are no constraints that were not validated when they were added.
pub fn validate(table: &Relation, name: &Ident) -> Result<()> {
    let Some(found) = table.constraints().iter().find(|constraint| constraint.name == name.name) else {
        let message = format!("constraint \"{}\" of relation \"{}\" does not exist", name.name, table.name);
        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
    };
    if !matches!(found.kind, ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. }) {
        let message = format!(
            "constraint \"{}\" of relation \"{}\" is not a foreign key or check constraint",
            found.name, table.name
        );
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    Ok(())
}
