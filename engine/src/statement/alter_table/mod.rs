//! ALTER TABLE (PostgreSQL manual, "ALTER TABLE"): the actions of one statement, in the order of PostgreSQL's passes.

mod column;
pub mod column_hint;
mod constraint;
mod identity;
mod inherit;
mod logged;
mod set_type;
mod typed;
mod using_index;
pub mod validate;

use std::sync::Arc;

use aegis_catalog::object::{Column, Relation, RelationKind};
use aegis_catalog::{Error, Result, sqlstate};

use super::storage_options::{self, Holder};
use super::{Outcome, alter_object, cluster, namespace, partition, storage_parameter, view};
use crate::parse::ast::Ident;
use crate::parse::utility::{AlterTable, AlterTableAction};
use crate::session::Session;
use crate::session::context::StatementContext;

pub async fn run(session: &mut Session, alter: &AlterTable, context: &StatementContext) -> Result<Outcome> {
    let tag = match alter {
        AlterTable { view: true, .. } => "ALTER VIEW",
        AlterTable { materialized_view: true, .. } => "ALTER MATERIALIZED VIEW",
        _ => "ALTER TABLE",
    };
    let Some(table) = namespace::find(&alter.name, context)? else {
        let missing = namespace::existing_anywhere(&alter.name, context).err();
        let missing = missing.unwrap_or_else(|| Error::internal("name resolution changed"));
        if alter.if_exists {
            session.skip_notice(&format!("{}, skipping", missing.message()));
            return Outcome::tag(tag);
        }
        return Err(missing);
    };
    if alter.view && table.view().is_none() {
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not a view", table.name)));
    }
    namespace::reject_system(&table)?;
    crate::privilege::require_owner(&table, context)?;
    session.writable("ALTER TABLE")?.tables.deferred.refuse(&table, "ALTER TABLE")?;
    let mut actions: Vec<&AlterTableAction> = alter.actions.iter().collect();
    actions.sort_by_key(|action| pass(action));
    for action in actions {
        // Each action sees what those before it did.
        let context = session.context()?;
        let table = context.catalog.relation(table.oid).cloned();
        let table = table.ok_or_else(|| Error::internal("the table went while it was altered"))?;
        run_action(session, &table, action, alter.only, &context).await?;
    }
    session.refresh_windows(table.oid)?;
    Outcome::tag(tag)
}

/// PostgreSQL's passes (AlterTablePass): what goes, types, new columns, then all that refers to columns.
fn pass(action: &AlterTableAction) -> u8 {
    match action {
        AlterTableAction::DropColumn { .. }
        | AlterTableAction::DropConstraint { .. }
        | AlterTableAction::DropNotNull { .. }
        | AlterTableAction::DropIdentity { .. }
        | AlterTableAction::DropExpression { .. }
        | AlterTableAction::DropDefault { .. } => 0,
        AlterTableAction::SetType { .. } => 1,
        AlterTableAction::AddColumn { .. } => 2,
        AlterTableAction::SetNotNull { .. } | AlterTableAction::AddIdentity { .. } => 3,
        AlterTableAction::AddConstraint(_) | AlterTableAction::SetDefault { .. } => 4,
        _ => 5,
    }
}

async fn run_action(
    session: &mut Session,
    table: &Arc<Relation>,
    action: &AlterTableAction,
    only: bool,
    context: &StatementContext,
) -> Result<()> {
    match action {
        AlterTableAction::OwnerTo(owner) => return alter_object::set_relation_owner(session, table, owner, context),
        // ALTER TABLE takes views for these too.
        AlterTableAction::SetDefault { .. } | AlterTableAction::DropDefault { .. } if table.view().is_some() => {}
        AlterTableAction::SetOptions(options) => {
            let (own, foreign) = storage_parameter::split(options, context)?;
            match (own.is_empty() && foreign.is_some(), table.view().is_some()) {
                (true, _) => {}
                (false, true) => view::set_options(session, table, &own, &[])?,
                (false, false) => {
                    require_table(table)?;
                    set_options(session, table, &own, &[])?;
                }
            }
            return match foreign {
                Some(foreign) => foreign.apply(session, table.oid, false).await,
                None => Ok(()),
            };
        }
        AlterTableAction::ResetOptions(names) if table.view().is_some() => {
            return view::set_options(session, table, &[], names);
        }
        _ => require_table(table)?,
    }
    match action {
        AlterTableAction::AddColumn { column, if_not_exists } => {
            column::add(session, table, column, *if_not_exists, only, context).await
        }
        AlterTableAction::DropColumn { column, if_exists, cascade } => {
            column::drop(session, table, column, (*if_exists, *cascade, only), context).await
        }
        AlterTableAction::SetDefault { column, expr, .. } => family(table, only, context)
            .iter()
            .try_for_each(|table| column::set_default(session, table, column, expr, context)),
        AlterTableAction::DropDefault { column } => {
            family(table, only, context).iter().try_for_each(|table| column::drop_default(session, table, column))
        }
        AlterTableAction::SetNotNull { column } => column::set_not_null(session, table, column, only).await,
        AlterTableAction::DropNotNull { column } => column::drop_not_null(session, table, column, only),
        AlterTableAction::SetType { column, ty, collation, using } => {
            let using = using.as_ref().map(|(expr, _)| expr);
            set_type::run(session, table, column, (ty, collation.as_ref()), using, only).await
        }
        AlterTableAction::AddIdentity { column, always, options } => {
            identity::add(session, table, column, *always, options, context)
        }
        AlterTableAction::SetIdentity { column, always, options } => {
            identity::set(session, table, column, *always, options, context)
        }
        AlterTableAction::DropIdentity { column, if_exists } => {
            identity::drop(session, table, column, *if_exists, context)
        }
        AlterTableAction::DropExpression { column, if_exists } => {
            column::drop_expression(session, table, column, *if_exists)
        }
        AlterTableAction::ColumnHint { column, hint } => column_hint::set(session, table, column, hint, context),
        AlterTableAction::AddConstraint(definition) => constraint::add(session, table, definition, only, context).await,
        AlterTableAction::DropConstraint { name, if_exists, cascade } => {
            constraint::drop(session, table, name, (*if_exists, *cascade, only))
        }
        AlterTableAction::ValidateConstraint(name) => constraint::validate(session, table, name, only).await,
        AlterTableAction::AlterConstraint { name, timing } => constraint::alter(session, table, name, timing),
        AlterTableAction::ResetOptions(names) => set_options(session, table, &[], names),
        AlterTableAction::AttachPartition { partition, bound } => {
            partition::attach::attach(session, table, partition, bound, context).await
        }
        AlterTableAction::DetachPartition { partition, mode } => {
            partition::attach::detach(session, table, partition, *mode, context).await
        }
        AlterTableAction::Inherit(parent, true) => inherit::add(session, table, parent, context).await,
        AlterTableAction::Inherit(parent, false) => inherit::remove(session, table, parent, context),
        // No table has OIDs since PostgreSQL 12.
        AlterTableAction::SetWithoutOids => Ok(()),
        AlterTableAction::SetLogged(logged) => logged::set(session, table, *logged, context),
        AlterTableAction::OfType(name) => typed::of(session, table, name, context),
        AlterTableAction::NotOfType => typed::not_of(session, table),
        AlterTableAction::ClusterOn(index) => cluster::mark(session, table, index.as_ref(), context),
        AlterTableAction::OwnerTo(_) | AlterTableAction::SetOptions(_) => Ok(()),
        AlterTableAction::Unsupported(feature) => Err(Error::unsupported(feature)),
    }
}

/// The table with all that inherits from it, unless it alone is meant.
fn family(table: &Arc<Relation>, only: bool, context: &StatementContext) -> Vec<Arc<Relation>> {
    if only { vec![table.clone()] } else { context.catalog.inheritors(table) }
}

fn require_table(relation: &Relation) -> Result<()> {
    if relation.table().is_some() {
        return Ok(());
    }
    let message = format!("ALTER action cannot be performed on relation \"{}\"", relation.name);
    Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
        .with_detail(format!("This operation is not supported for {}s.", relation.kind_name())))
}

/// Storage parameters are kept as facts; none of them has an effect.
fn set_options(session: &mut Session, table: &Relation, set: &[(String, String)], reset: &[String]) -> Result<()> {
    let holder = if table.partitioning().is_some() { Holder::Partitioned } else { Holder::Table };
    storage_options::check(holder, set)?;
    let mut changed = table.clone();
    if let RelationKind::Table(table) = &mut changed.kind {
        table.options.retain(|(name, _)| !reset.contains(name) && !set.iter().any(|(new, _)| new == name));
        table.options.extend(set.iter().filter(|(name, _)| storage_options::is_kept(name)).cloned());
    }
    replace(session, changed).map(drop)
}

/// The column of that name. 42703 if there is none.
fn existing_column<'t>(table: &'t Relation, name: &Ident) -> Result<&'t Column> {
    if crate::bind::tree::SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name.name) {
        let message = format!("cannot alter system column \"{}\"", name.name);
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    table.column_by_name(&name.name).ok_or_else(|| {
        let message = format!("column \"{}\" of relation \"{}\" does not exist", name.name, table.name);
        Error::new(sqlstate::UNDEFINED_COLUMN, message)
    })
}

/// The table with one column changed.
fn with_column(table: &Relation, attnum: i16, change: impl FnOnce(&mut Column)) -> Relation {
    let mut changed = table.clone();
    if let Some(column) = changed.columns.iter_mut().find(|column| column.attnum == attnum) {
        change(column);
    }
    changed
}

fn replace(session: &mut Session, changed: Relation) -> Result<Arc<Relation>> {
    let open = session.writable("ALTER TABLE")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)
}
