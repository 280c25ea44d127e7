//! What the store must know of a table: its columns' Arrow types and the keys it enforces.

use aegis_catalog::object::{Column, Relation};
use aegis_catalog::types::{oid, stored_arrow_type};
use aegis_catalog::{Catalog, Error, Result};
use aegis_storage::{ColumnSchema, IndexSchema, TableSchema};
use arrow::datatypes::DataType;

/// The schema of a table with its indexes, from the catalog.
pub fn schema_of(table: &Relation, catalog: &Catalog) -> Result<TableSchema> {
    let indexes: Vec<_> = catalog.indexes_of(table.oid).cloned().collect();
    schema(table, indexes.iter().map(AsRef::as_ref))
}

/// The same with the indexes given.
pub fn schema<'a>(table: &Relation, indexes: impl Iterator<Item = &'a Relation>) -> Result<TableSchema> {
    let columns = table.live_columns().map(column).collect::<Result<_>>()?;
    let indexes = indexes.filter_map(|index| index_schema(table, index)).collect();
    Ok(TableSchema { columns, indexes })
}

fn column(column: &Column) -> Result<ColumnSchema> {
    let id = u32::try_from(column.attnum).map_err(|_| Error::internal("a table column has a negative number"))?;
    Ok(ColumnSchema { id, name: column.name.clone(), data_type: stored_arrow_type(column.ty), missing: None })
}

/// None for indexes that the store does not keep: those over expressions, and partial ones.
fn index_schema(table: &Relation, relation: &Relation) -> Option<IndexSchema> {
    let index = relation.index()?;
    if index.predicate.is_some() || index.keys.iter().any(|key| key.expression.is_some()) {
        return None;
    }
    let columns = index.keys.iter().map(|key| u32::try_from(key.attnum).ok()).collect::<Option<Vec<_>>>()?;
    let ignored_suffix = index.keys.iter().map(|key| ignored_suffix(table, key.attnum)).collect();
    Some(IndexSchema {
        id: relation.oid,
        name: relation.name.clone(),
        columns,
        ignored_suffix,
        unique: index.unique,
        primary: index.primary,
        nulls_not_distinct: index.nulls_not_distinct,
    })
}

/// Bytes at the end of a key that do not count: the display scale of a numeric.
fn ignored_suffix(table: &Relation, attnum: i16) -> u8 {
    match table.column(attnum) {
        Some(column) if column.ty.oid == oid::NUMERIC && stored_arrow_type(column.ty) == DataType::BinaryView => 2,
        _ => 0,
    }
}
