//! Composite types: relations without rows (PostgreSQL manual, "Composite Types").

use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::plan_drop;
use aegis_catalog::image::TypeEntry;
use aegis_catalog::object::{Column, ObjectAddress, Relation, RelationKind};
use aegis_catalog::types::{Structure, TypeLookup};
use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};

use super::namespace::{self, Place};
use super::{create_table, rewrite, stored_text};
use crate::bind;
use crate::parse::ast::{Ident, Name};
use crate::parse::utility::{AlterTypeAction, AttributeDefinition};
use crate::session::Session;
use crate::session::context::StatementContext;

/// How deep composite types may hold one another.
const MAX_NESTING: usize = 64;

pub fn is_composite(relation: &Relation) -> bool {
    matches!(relation.kind, RelationKind::Composite)
}

/// The composite type of that name.
fn named(name: &Name, context: &StatementContext) -> Result<Arc<Relation>> {
    let relation = namespace::existing_anywhere(name, context)?;
    if !is_composite(&relation) {
        let message = format!("\"{}\" is not a composite type", relation.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    Ok(relation)
}

/// What a composite type has for its attributes, for tables that are of the type.
pub fn of_entry<'c>(entry: &TypeEntry, context: &'c StatementContext) -> Result<&'c Arc<Relation>> {
    let relation = context.catalog.relation(entry.relation).filter(|relation| is_composite(relation));
    relation.ok_or_else(|| {
        let message = format!("type {} is not a composite type", context.format.names.type_name(entry.oid));
        Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
    })
}

pub fn create(
    session: &mut Session,
    place: Place,
    attributes: &[AttributeDefinition],
    context: &StatementContext,
) -> Result<()> {
    let mut columns: Vec<Column> = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        if columns.iter().any(|column| column.name == attribute.name.name) {
            let message = format!("column \"{}\" specified more than once", attribute.name.name);
            return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
        }
        let attnum = columns.last().map_or(0, |column| column.attnum) + 1;
        columns.push(column(attribute, attnum, context)?);
    }
    let owner = session.context()?.user_oid;
    let open = session.writable("CREATE TYPE")?;
    open.catalog.reject_type_name(place.schema, &place.name)?;
    let relation = place.relation(owner, columns, RelationKind::Composite);
    open.catalog.create_relation(open.tables.permanent(), relation).map(drop)
}

fn column(attribute: &AttributeDefinition, attnum: i16, context: &StatementContext) -> Result<Column> {
    let ty =
        create_table::column_type(&attribute.ty, context).map_err(|error| named_pseudo_type(error, &attribute.name))?;
    let mut column = Column::new(&attribute.name.name, attnum, ty);
    column.collation = match &attribute.collation {
        Some(collation) => bind::resolve_collation(collation, ty, context)?,
        None => context.catalog.type_entry(ty.oid).map_or(0, |entry| entry.collation),
    };
    Ok(column)
}

fn named_pseudo_type(error: Error, name: &Ident) -> Error {
    match error.message().strip_prefix("column has pseudo-type") {
        Some(rest) => {
            let message = format!("column \"{}\" has pseudo-type{rest}", name.name);
            Error::new(sqlstate::INVALID_TABLE_DEFINITION, message)
        }
        None => error,
    }
}

/// 54001 for a type that holds types that hold types beyond the limit: values are walked recursively.
pub fn check_nesting(ty: Type, context: &StatementContext) -> Result<()> {
    if nesting(ty, &context.catalog, 0).is_some() {
        return Ok(());
    }
    let message = format!("composite types nest more than {MAX_NESTING} deep");
    Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, message))
}

/// How deep the type nests; None beyond the limit.
fn nesting(ty: Type, catalog: &Catalog, depth: usize) -> Option<usize> {
    if depth > MAX_NESTING {
        return None;
    }
    match catalog.structure(ty.oid) {
        Some(Structure::Array(element)) => nesting(Type::of(element), catalog, depth + 1),
        Some(Structure::Domain(base)) => nesting(base, catalog, depth + 1),
        Some(Structure::Composite(fields)) => fields
            .iter()
            .map(|(_, field)| nesting(*field, catalog, depth + 1))
            .try_fold(depth, |deepest, field| Some(deepest.max(field?))),
        Some(Structure::Enum(_) | Structure::Range(_)) | None => Some(depth),
    }
}

/// Does a value of the type hold one of `wanted`?
fn contains(ty: Oid, wanted: Oid, catalog: &Catalog) -> bool {
    if ty == wanted {
        return true;
    }
    match catalog.structure(ty) {
        Some(Structure::Array(element)) => contains(element, wanted, catalog),
        Some(Structure::Domain(base)) => contains(base.oid, wanted, catalog),
        Some(Structure::Composite(fields)) => fields.iter().any(|(_, field)| contains(field.oid, wanted, catalog)),
        Some(Structure::Enum(_) | Structure::Range(_)) | None => false,
    }
}

/// 0A000 if a table has a column that holds values of the relation's row type: they would need to be written anew.
pub fn refuse_if_stored(relation: &Relation, context: &StatementContext) -> Result<()> {
    let catalog = &context.catalog;
    for table in catalog.user_relations().filter(|table| table.table().is_some() && table.oid != relation.oid) {
        let holds = |column: &&Column| contains(column.ty.oid, relation.row_type, catalog);
        if let Some(column) = table.live_columns().find(holds) {
            let (kind, what) = if is_composite(relation) { ("type", "it") } else { ("table", "its row type") };
            let message = format!(
                "cannot alter {kind} \"{}\" because column \"{}.{}\" uses {what}",
                relation.name, table.name, column.name
            );
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
    }
    Ok(())
}

/// One action on an attribute.
pub async fn alter(session: &mut Session, name: &Name, action: &AlterTypeAction) -> Result<()> {
    let context = session.context()?;
    let relation = named(name, &context)?;
    let typed: Vec<Arc<Relation>> = typed_tables(&relation, &context);
    let cascade = match action {
        AlterTypeAction::AddAttribute { cascade, .. }
        | AlterTypeAction::DropAttribute { cascade, .. }
        | AlterTypeAction::SetAttributeType { cascade, .. } => *cascade,
        _ => return Err(Error::internal("not an action on an attribute")),
    };
    let Some(changed) = altered(session, &relation, action, &context)? else { return Ok(()) };
    if matches!(action, AlterTypeAction::SetAttributeType { .. }) {
        refuse_if_stored(&relation, &context)?;
    }
    refuse_typed(&relation, &typed, cascade)?;
    if !typed.is_empty() {
        return Err(Error::unsupported("ALTER TYPE … CASCADE to typed tables"));
    }
    let open = session.writable("ALTER TYPE")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)?;
    rewrite_holders(session, &relation).await
}

/// The tables that hold values of a type.
pub fn holders(ty: Oid, catalog: &Catalog) -> impl Iterator<Item = &Arc<Relation>> {
    let holds = move |column: &Column| contains(column.ty.oid, ty, catalog);
    let tables = catalog.user_relations().filter(|table| table.table().is_some());
    tables.filter(move |table| table.live_columns().any(holds))
}

/// Values of the row type are stored with its attributes: tables that hold some are written anew after these have changed.
pub async fn rewrite_holders(session: &mut Session, relation: &Relation) -> Result<()> {
    let context = session.context()?;
    for table in holders(relation.row_type, &context.catalog).filter(|table| table.oid != relation.oid) {
        rewrite::run(session, table, table, Vec::new()).await?;
    }
    Ok(())
}

/// Tables that are OF the type.
pub fn typed_tables(relation: &Relation, context: &StatementContext) -> Vec<Arc<Relation>> {
    let is_typed = |table: &&Arc<Relation>| {
        table.table().is_some_and(|table| table.of_type != 0 && table.of_type == relation.row_type)
    };
    context.catalog.user_relations().filter(is_typed).cloned().collect()
}

/// 42809 if the table's columns are those of a type.
pub fn refuse_typed_table(table: &Relation, message: &str) -> Result<()> {
    match table.table() {
        Some(table) if table.of_type != 0 => Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)),
        _ => Ok(()),
    }
}

pub fn refuse_typed(relation: &Relation, typed: &[Arc<Relation>], cascade: bool) -> Result<()> {
    if typed.is_empty() || cascade {
        return Ok(());
    }
    let message = format!("cannot alter type \"{}\" because it is the type of a typed table", relation.name);
    Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message)
        .with_hint("Use ALTER ... CASCADE to alter the typed tables too."))
}

/// The relation as the action makes it; None if there is nothing to do.
fn altered(
    session: &Session,
    relation: &Relation,
    action: &AlterTypeAction,
    context: &StatementContext,
) -> Result<Option<Relation>> {
    let mut changed = relation.clone();
    let missing = |name: &str| {
        let message = format!("column \"{name}\" of relation \"{}\" does not exist", relation.name);
        Error::new(sqlstate::UNDEFINED_COLUMN, message)
    };
    match action {
        AlterTypeAction::AddAttribute { attribute, .. } => {
            let name = &attribute.name.name;
            if relation.column_by_name(name).is_some() {
                let message = format!("column \"{name}\" of relation \"{}\" already exists", relation.name);
                return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
            }
            let attnum = relation.columns.last().map_or(0, |column| column.attnum) + 1;
            changed.columns.push(member(relation, column(attribute, attnum, context)?, context)?);
        }
        AlterTypeAction::DropAttribute { name, if_exists, cascade } => {
            let found = changed.columns.iter_mut().find(|column| !column.dropped && column.name == name.name);
            match found {
                Some(column) => {
                    let attribute = [ObjectAddress::column(relation.oid, column.attnum)];
                    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
                    let plan = plan_drop(printer, &attribute, *cascade)?;
                    if plan.parts.len() + plan.objects.len() > 1 {
                        return Err(Error::unsupported("DROP ATTRIBUTE … CASCADE"));
                    }
                    column.dropped = true;
                }
                None if *if_exists => {
                    session.skip_notice(&format!("{}, skipping", missing(&name.name).message()));
                    return Ok(None);
                }
                None => return Err(missing(&name.name)),
            }
        }
        AlterTypeAction::SetAttributeType { attribute, .. } => {
            let found = changed.columns.iter_mut().find(|column| !column.dropped && column.name == attribute.name.name);
            let old = found.ok_or_else(|| missing(&attribute.name.name))?;
            *old = member(relation, column(attribute, old.attnum, context)?, context)?;
        }
        _ => {}
    }
    Ok(Some(changed))
}

fn member(relation: &Relation, column: Column, context: &StatementContext) -> Result<Column> {
    refuse_itself(relation, column.ty.oid, context)?;
    Ok(column)
}

/// 42P16 if a column of that type would make the relation's row type hold itself.
pub fn refuse_itself(relation: &Relation, ty: Oid, context: &StatementContext) -> Result<()> {
    if contains(ty, relation.row_type, &context.catalog) {
        let message = format!("composite type {} cannot be made a member of itself", relation.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    Ok(())
}

/// RENAME ATTRIBUTE.
pub fn rename_attribute(
    session: &mut Session,
    name: &Name,
    attribute: &Ident,
    to: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let relation = named(name, context)?;
    refuse_typed(&relation, &typed_tables(&relation, context), false)?;
    if relation.column_by_name(&attribute.name).is_none() {
        let message = format!("column \"{}\" does not exist", attribute.name);
        return Err(Error::new(sqlstate::UNDEFINED_COLUMN, message));
    }
    if relation.column_by_name(&to.name).is_some() {
        let message = format!("column \"{}\" of relation \"{}\" already exists", to.name, relation.name);
        return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
    }
    let mut changed = Relation::clone(&relation);
    let columns = changed.columns.iter_mut().filter(|column| !column.dropped && column.name == attribute.name);
    columns.for_each(|column| to.name.clone_into(&mut column.name));
    let open = session.writable("ALTER TYPE")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)?;
    stored_text::follow_names(session, context)
}
