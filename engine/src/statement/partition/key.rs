//! PARTITION BY: the key of a partitioned table (PostgreSQL's ComputePartitionAttrs).

use std::sync::Arc;

use aegis_catalog::definition::{default_operator_class, operator_class_named};
use aegis_catalog::object::{Dependency, DependencyKind, PartitionKey, Partitioning, Relation, Strategy};
use aegis_catalog::types::format_type;
use aegis_catalog::{Error, Result, sqlstate};

use crate::bind::tree::SYSTEM_COLUMNS;
use crate::bind::{self, Purpose};
use crate::collation::Collation;
use crate::lower::free;
use crate::parse::ast::ExprKind;
use crate::parse::utility::{PartitionBy, PartitionItem};
use crate::partition::hash;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{constraint, stored_text};

/// PostgreSQL's PARTITION_MAX_KEYS.
const MAX_KEYS: usize = 32;

/// The key over the columns of `table`, which need not exist yet.
pub fn partitioning(by: &PartitionBy, table: &Arc<Relation>, context: &StatementContext) -> Result<Partitioning> {
    let strategy = match by.strategy.name.as_str() {
        "list" => Strategy::List,
        "range" => Strategy::Range,
        "hash" => Strategy::Hash,
        other => {
            let message = format!("unrecognized partitioning strategy \"{other}\"");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
    };
    if strategy == Strategy::List && by.keys.len() > 1 {
        let message = "cannot use \"list\" partition strategy with more than one column";
        return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
    }
    if by.keys.len() > MAX_KEYS {
        let message = format!("cannot partition using more than {MAX_KEYS} columns");
        return Err(Error::new(sqlstate::TOO_MANY_COLUMNS, message));
    }
    let keys = by.keys.iter().map(|item| key(item, strategy, table, context)).collect::<Result<_>>()?;
    Ok(Partitioning { strategy, keys })
}

/// Records the functions and types that the expressions of a table's key rest on.
pub fn record_dependencies(session: &mut Session, table: &Arc<Relation>) -> Result<()> {
    let context = session.context()?;
    let keys = table.partitioning().into_iter().flat_map(|partitioning| &partitioning.keys);
    for text in keys.filter_map(|key| key.expression.as_ref()) {
        let bound = bind::bind_stored(table, stored_text::ROW, text, &context)?;
        let open = session.writable("CREATE TABLE")?;
        for referenced in bind::objects_of(&bound, &context.catalog) {
            let edge = Dependency { dependent: table.address(), referenced, kind: DependencyKind::Normal };
            open.catalog.add_dependency(open.tables.permanent(), edge)?;
        }
    }
    Ok(())
}

fn key(
    item: &PartitionItem,
    strategy: Strategy,
    table: &Arc<Relation>,
    context: &StatementContext,
) -> Result<PartitionKey> {
    let plain = match &item.expr.kind {
        ExprKind::Column(name) if name.parts.len() == 1 => name.parts.first(),
        _ => None,
    };
    let mut key = match plain {
        Some(name) => column_key(&name.name, item, table)?,
        None => expression_key(item, table, context)?,
    };
    if let Some(collation) = &item.collation {
        key.collation = bind::resolve_collation(collation, key.ty, context)?;
    }
    // Rows find their partitions by bytes.
    if let Some(collation) = Collation::of(key.collation, &context.catalog)?
        && (strategy == Strategy::Range || !collation.deterministic)
    {
        return Err(Error::unsupported("a partition key under this ICU collation"));
    }
    let method = strategy.access_method();
    let base = context.catalog.erased(key.ty);
    match item.operator_class.as_ref().and_then(|name| name.parts.last()) {
        Some(name) => {
            key.operator_class = match operator_class_named(method, &name.name) {
                Some((_, true)) => 0,
                Some((class, false)) => class,
                None => {
                    let message =
                        format!("operator class \"{}\" does not exist for access method \"{method}\"", name.name);
                    return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
                }
            };
        }
        None if default_operator_class(method, base.oid).is_none() => {
            let message =
                format!("data type {} has no default operator class for access method \"{method}\"", format_type(base));
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).with_hint(format!(
                "You must specify a {method} operator class or define a default {method} operator class for the data type."
            )));
        }
        None => {}
    }
    if strategy == Strategy::Hash && !hash::is_hashable(base.oid) {
        return Err(Error::unsupported(format!("hash partition key of type {}", format_type(base))));
    }
    key.ty = base;
    Ok(key)
}

fn column_key(name: &str, item: &PartitionItem, table: &Relation) -> Result<PartitionKey> {
    let at = |error: Error| error.at(item.span.start);
    if SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name) {
        let message = format!("cannot use system column \"{name}\" in partition key");
        return Err(at(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message)));
    }
    let Some(column) = table.column_by_name(name) else {
        let message = format!("column \"{name}\" named in partition key does not exist");
        return Err(at(Error::new(sqlstate::UNDEFINED_COLUMN, message)));
    };
    if column.generated {
        return Err(at(generated(name)));
    }
    let (attnum, collation) = (column.attnum, column.collation);
    Ok(PartitionKey { attnum, expression: None, ty: column.ty, collation, operator_class: 0 })
}

fn generated(column: &str) -> Error {
    Error::new(sqlstate::INVALID_OBJECT_DEFINITION, "cannot use generated column in partition key")
        .with_detail(format!("Column \"{column}\" is a generated column."))
}

fn expression_key(item: &PartitionItem, table: &Arc<Relation>, context: &StatementContext) -> Result<PartitionKey> {
    let refuse = |message: &str| Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
    let (bound, text) = constraint::stored_expression(table, &item.expr, Purpose::PartitionKey, None, context)?;
    let read = bind::columns_of(&bound, stored_text::ROW);
    let read: Vec<_> = read.iter().filter_map(|position| table.columns.get(*position)).collect();
    if let Some(column) = read.iter().find(|column| column.generated) {
        return Err(generated(&column.name));
    }
    // A column in parentheses is that column.
    if let (bind::tree::ExprKind::Column { .. }, [column]) = (&bound.kind, read.as_slice()) {
        return column_key(&column.name, item, table);
    }
    // A function in SQL is as its body is.
    let mut inlined = bound.clone();
    bind::inline::expression(&mut inlined, &Arc::new(context.clone()))?;
    if !free::is_immutable(&inlined) {
        return refuse("functions in partition key expression must be marked IMMUTABLE");
    }
    if !bind::has_columns(&bound) {
        return refuse("cannot use constant expression as partition key");
    }
    let pseudo = aegis_catalog::types::type_info(bound.ty.oid).is_some_and(|info| info.kind == 'p');
    if pseudo {
        let message = format!("partition key column 1 has pseudo-type {}", format_type(bound.ty));
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    let collation = aegis_catalog::object::Column::new("", 0, bound.ty).collation;
    Ok(PartitionKey { attnum: 0, expression: Some(text), ty: bound.ty, collation, operator_class: 0 })
}
