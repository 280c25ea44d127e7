//! ADD, ALTER, DROP and VALIDATE CONSTRAINT.

use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::plan_drop;
use aegis_catalog::fixed_oid::PG_CONSTRAINT;
use aegis_catalog::object::{Constraint, ConstraintKind, ObjectAddress, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::validate;
use crate::parse::ast::Ident;
use crate::parse::utility::{ConstraintTiming, TableConstraint};
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
    let added = after.constraints().iter().filter(|constraint| !known.contains(&constraint.oid));
    for constraint in added.filter(|constraint| constraint.validated) {
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
    let found = match existing(table, name) {
        Err(missing) if if_exists => {
            session.skip_notice(&format!("{}, skipping", missing.message()));
            return Ok(());
        }
        found => found?,
    };
    let root = ObjectAddress::new(PG_CONSTRAINT, found.oid);
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    let plan = plan_drop(printer, &[root], cascade)?;
    super::super::drop::announce(session, &plan);
    super::super::drop::apply(session, &plan)
}

fn existing<'t>(table: &'t Relation, name: &Ident) -> Result<&'t Constraint> {
    table.constraints().iter().find(|constraint| constraint.name == name.name).ok_or_else(|| {
        let message = format!("constraint \"{}\" of relation \"{}\" does not exist", name.name, table.name);
        Error::new(sqlstate::UNDEFINED_OBJECT, message)
    })
}

/// VALIDATE CONSTRAINT: the rows that were there when it was added are looked at.
pub async fn validate(session: &mut Session, table: &Arc<Relation>, name: &Ident) -> Result<()> {
    let found = existing(table, name)?;
    if !matches!(found.kind, ConstraintKind::Check { .. } | ConstraintKind::ForeignKey { .. }) {
        let message = format!(
            "constraint \"{}\" of relation \"{}\" is not a foreign key or check constraint",
            found.name, table.name
        );
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    if found.validated {
        return Ok(());
    }
    validate::constraint(session, table, found).await?;
    change(session, table, found.oid, |constraint| constraint.validated = true)
}

/// ALTER CONSTRAINT: when a foreign key is checked.
pub fn alter(session: &mut Session, table: &Relation, name: &Ident, timing: &ConstraintTiming) -> Result<()> {
    let found = existing(table, name)?;
    if !matches!(found.kind, ConstraintKind::ForeignKey { .. }) {
        let message =
            format!("constraint \"{}\" of relation \"{}\" is not a foreign key constraint", found.name, table.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    let initially_deferred = timing.initially_deferred == Some(true);
    change(session, table, found.oid, |constraint| {
        constraint.deferrable = timing.deferrable.unwrap_or(initially_deferred);
        constraint.initially_deferred = initially_deferred;
    })
}

fn change(session: &mut Session, table: &Relation, oid: Oid, change: impl FnOnce(&mut Constraint)) -> Result<()> {
    let mut changed = table.clone();
    if let RelationKind::Table(table) = &mut changed.kind {
        if let Some(constraint) = table.constraints.iter_mut().find(|constraint| constraint.oid == oid) {
            change(constraint);
        }
    }
    super::replace(session, changed).map(|_| ())
}
