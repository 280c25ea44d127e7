//! ADD, ALTER, DROP and VALIDATE CONSTRAINT.

use std::pin::Pin;
use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::plan_drop;
use aegis_catalog::fixed_oid::PG_CONSTRAINT;
use aegis_catalog::object::{Constraint, ConstraintKind, Inheritance, ObjectAddress, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::column::children;
use super::{using_index, validate};
use crate::execute::index_key;
use crate::parse::ast::Ident;
use crate::parse::utility::{ConstraintTiming, TableConstraint};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::constraint::{self, Declared};
use crate::statement::inherit;

pub async fn add(
    session: &mut Session,
    table: &Arc<Relation>,
    definition: &TableConstraint,
    only: bool,
    context: &StatementContext,
) -> Result<()> {
    let declared = match using_index::declared(session, table, definition, context)? {
        Some(declared) => declared,
        None => Declared::of_table(definition)?,
    };
    add_declared(session, table, vec![declared], only).await.map(|_| ())
}

/// Adds constraints; the rows that are there must hold them.
pub async fn add_declared(
    session: &mut Session,
    table: &Arc<Relation>,
    declared: Vec<Declared>,
    only: bool,
) -> Result<Arc<Relation>> {
    let mut changed = Relation::clone(table);
    constraint::mark_not_null(&table.name, &mut changed.columns, &declared)?;
    let newly = changed.columns.iter().zip(&table.columns).filter(|(now, before)| now.not_null && !before.not_null);
    let newly: Vec<Ident> = newly.map(|(now, _)| Ident { name: now.name.clone(), span: Default::default() }).collect();
    let before = match newly.is_empty() {
        true => Arc::clone(table),
        // Partitions have the key too.
        false if table.partitioning().is_some() => {
            for column in &newly {
                super::column::set_not_null(session, table, column, only).await?;
            }
            let context = session.context()?;
            let now = context.catalog.relation(table.oid).cloned();
            now.ok_or_else(|| Error::internal("the table went while it was altered"))?
        }
        false => super::replace(session, changed)?,
    };
    let known: Vec<_> = before.constraints().iter().map(|constraint| constraint.oid).collect();
    let declared = declared.into_iter().map(|constraint| constraint.only(only)).collect();
    let after = constraint::add_all(session, before, declared, true)?;
    let after = compute_keys(session, after, &known).await?;
    let added = after.constraints().iter().filter(|constraint| !known.contains(&constraint.oid));
    for constraint in added {
        if constraint.validated {
            validate::constraint(session, &after, constraint).await?;
        }
        if matches!(constraint.kind, ConstraintKind::Check { .. }) && !constraint.no_inherit {
            let children = children(session, after.oid)?;
            if only && !children.is_empty() {
                let message = "constraint must be added to child tables too";
                return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
            }
            for child in children {
                add_inherited(session, child, &after, constraint).await?;
            }
        }
    }
    Ok(after)
}

/// Gives the rows that are there the keys of indexes that the store keeps in columns of their own.
async fn compute_keys(session: &mut Session, table: Arc<Relation>, known: &[Oid]) -> Result<Arc<Relation>> {
    let catalog = session.catalog()?;
    let added = table.constraints().iter().filter(|constraint| !known.contains(&constraint.oid));
    let mut indexes = added.filter_map(|constraint| catalog.relation(constraint.key_index()?));
    let Some(index) = indexes.find(|of| of.index().is_some_and(index_key::is_computed)) else { return Ok(table) };
    crate::statement::index::compute_keys(session, &table, index).await?;
    let now = session.catalog()?.relation(table.oid).cloned();
    now.ok_or_else(|| Error::internal("the table went while it was altered"))
}

/// A check that a parent has got: for a child, and what inherits from it.
fn add_inherited<'f>(
    session: &'f mut Session,
    child: Arc<Relation>,
    parent: &'f Relation,
    check: &'f Constraint,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send + 'f>> {
    Box::pin(async move {
        let known = child.constraints().iter().find(|own| own.name == check.name);
        if let Some(known) = known {
            if !inherit::same_check(known, check) {
                let message = format!("constraint \"{}\" for relation \"{}\" already exists", check.name, child.name);
                return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
            }
            session.skip_notice(&format!("merging constraint \"{}\" with inherited definition", check.name));
            let is_partition = child.partition_bound().is_some();
            return change(session, &child, known.oid, |own| match is_partition {
                true => own.inheritance = Inheritance::INHERITED,
                false => own.inheritance.parents += 1,
            });
        }
        let own = inherit::inherited_check(check, parent, &child.columns);
        let child = constraint::push(session, &child, own)?;
        let own = child.constraints().iter().find(|own| own.name == check.name).cloned();
        if let Some(own) = own.filter(|own| own.validated) {
            validate::constraint(session, &child, &own).await?;
        }
        for below in children(session, child.oid)? {
            add_inherited(session, below, &child, check).await?;
        }
        Ok(())
    })
}

/// A check that a parent has no more: goes from a child that has it from nobody else.
fn drop_inherited(session: &mut Session, child: &Arc<Relation>, name: &str, only: bool) -> Result<()> {
    let is_check = |own: &&Constraint| own.name == name && own.inheritance.parents > 0;
    let Some(own) = child.constraints().iter().find(is_check) else { return Ok(()) };
    if only || own.inheritance.local || own.inheritance.parents > 1 {
        return change(session, child, own.oid, |own| inherit::one_less(&mut own.inheritance));
    }
    for below in children(session, child.oid)? {
        drop_inherited(session, &below, name, false)?;
    }
    let context = session.context()?;
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    let plan = plan_drop(printer, &[ObjectAddress::new(PG_CONSTRAINT, own.oid)], false)?;
    super::super::drop::apply(session, &plan)
}

pub fn drop(
    session: &mut Session,
    table: &Relation,
    name: &Ident,
    (if_exists, cascade, only): (bool, bool, bool),
) -> Result<()> {
    let found = match existing(table, name) {
        Err(missing) if if_exists => {
            session.skip_notice(&format!("{}, skipping", missing.message()));
            return Ok(());
        }
        found => found?,
    };
    if found.inheritance.parents > 0 {
        let message = format!("cannot drop inherited constraint \"{}\" of relation \"{}\"", found.name, table.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    if only && table.partitioning().is_some() && !children(session, table.oid)?.is_empty() {
        let message = "cannot remove constraint from only the partitioned table when partitions exist";
        return Err(
            Error::new(sqlstate::INVALID_TABLE_DEFINITION, message).with_hint("Do not specify the ONLY keyword.")
        );
    }
    if matches!(found.kind, ConstraintKind::Check { .. }) && !found.no_inherit {
        for child in children(session, table.oid)? {
            drop_inherited(session, &child, &found.name, only)?;
        }
    }
    let root = ObjectAddress::new(PG_CONSTRAINT, found.oid);
    let context = session.context()?;
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
pub async fn validate(session: &mut Session, table: &Arc<Relation>, name: &Ident, only: bool) -> Result<()> {
    let context = session.context()?;
    let found = existing(table, name)?;
    let is_check = matches!(found.kind, ConstraintKind::Check { .. }) && !found.no_inherit;
    if is_check && only && !found.validated && context.catalog.has_children(table.oid) {
        let message = "constraint must be validated on child tables too";
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    validate_one(session, table, name).await?;
    if is_check {
        for child in context.catalog.inheritors(table).into_iter().skip(1) {
            if existing(&child, name).is_ok_and(|own| !own.validated) {
                validate_one(session, &child, name).await?;
            }
        }
    }
    Ok(())
}

async fn validate_one(session: &mut Session, table: &Arc<Relation>, name: &Ident) -> Result<()> {
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
    let context = session.context()?;
    if let Some((parent, above)) = context.catalog.constraint(found.parent) {
        let message = format!("cannot alter constraint \"{}\" on relation \"{}\"", found.name, table.name);
        return Err(Error::new(sqlstate::INTERNAL_ERROR, message)
            .with_detail(format!(
                "Constraint \"{}\" is derived from constraint \"{}\" of relation \"{}\".",
                found.name, above.name, parent.name
            ))
            .with_hint("You may alter the constraint it derives from, instead."));
    }
    set_timing(session, table, found, timing)
}

/// For the constraint, and for those of partitions that belong to it.
fn set_timing(session: &mut Session, table: &Relation, found: &Constraint, timing: &ConstraintTiming) -> Result<()> {
    let initially_deferred = timing.initially_deferred == Some(true);
    change(session, table, found.oid, |constraint| {
        constraint.deferrable = timing.deferrable.unwrap_or(initially_deferred);
        constraint.initially_deferred = initially_deferred;
    })?;
    for child in children(session, table.oid)? {
        for own in child.constraints().iter().filter(|own| own.parent == found.oid) {
            set_timing(session, &child, own, timing)?;
        }
    }
    Ok(())
}

fn change(session: &mut Session, table: &Relation, oid: Oid, change: impl FnOnce(&mut Constraint)) -> Result<()> {
    let mut changed = table.clone();
    if let RelationKind::Table(table) = &mut changed.kind
        && let Some(constraint) = table.constraints.iter_mut().find(|constraint| constraint.oid == oid)
    {
        change(constraint);
    }
    super::replace(session, changed).map(|_| ())
}
