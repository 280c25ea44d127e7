//! What the store must know of a table: its columns' Arrow types and the keys it enforces.

use aegis_catalog::object::{Column, Relation};
use aegis_catalog::types::{FormatSettings, oid};
use aegis_catalog::{Catalog, Error, Result, sqlstate};
use aegis_storage::{ColumnSchema, IndexSchema, TableSchema, Windows};
use arrow::datatypes::DataType;

use crate::execute::index_key;
use crate::execute::row_rules::key_text;
use crate::session::transaction::OpenTransaction;

/// The value of a new column in the rows that are there already, as [`ColumnSchema::encode_missing`] writes it.
pub struct Missing {
    pub attnum: i16,
    pub value: Vec<u8>,
}

/// Brings the store's schema of a table in line with the catalog: columns and keys that came or went. 23505 if rows break a new key.
pub fn update(
    open: &mut OpenTransaction,
    table: &Relation,
    missing: Option<Missing>,
    format: &FormatSettings,
) -> Result<()> {
    let Some(storage) = table.table().and_then(|table| table.rows()) else { return Ok(()) };
    let catalog = open.catalog.catalog();
    let mut schema = schema_of(table, &catalog)?;
    let before = open.tables.table_schema(storage)?;
    for column in &mut schema.columns {
        let known = before.columns.iter().find(|known| known.id == column.id && known.data_type == column.data_type);
        column.missing = known.and_then(|known| known.missing.clone());
        if let Some(missing) = missing.as_ref().filter(|missing| i64::from(missing.attnum) == i64::from(column.id)) {
            column.missing = Some(missing.value.clone());
        }
    }
    let altered = open.tables.of_mut(table).alter_table(storage, schema);
    altered.map_err(|error| not_unique(error, table, &catalog, format))
}

/// The store's error about rows that break a new key, as PostgreSQL words it.
fn not_unique(error: aegis_storage::Error, table: &Relation, catalog: &Catalog, format: &FormatSettings) -> Error {
    let aegis_storage::Error::DuplicateKey { index, key, .. } = &error else { return Error::from(error) };
    let Some(relation) = catalog.relation(*index) else { return Error::from(error) };
    let message = format!("could not create unique index \"{}\"", relation.name);
    let attnums: Vec<i16> =
        relation.index().map(|index| index.keys.iter().map(|key| key.attnum).collect()).unwrap_or_default();
    let schema = catalog.schema(table.schema).map(|schema| schema.name.clone()).unwrap_or_default();
    let text = key.as_ref().and_then(|key| key_text(table, &attnums, key, 0, format).ok());
    let error = Error::new(sqlstate::UNIQUE_VIOLATION, message)
        .with_table(schema, table.name.clone())
        .with_constraint(relation.name.clone());
    match text {
        Some(text) => error.with_detail(format!("Key {text} is duplicated.")),
        None => error,
    }
}

/// The schema of a table with its indexes, from the catalog.
pub fn schema_of(table: &Relation, catalog: &Catalog) -> Result<TableSchema> {
    let indexes: Vec<_> = catalog.indexes_of(table.oid).cloned().collect();
    schema(table, indexes.iter().map(AsRef::as_ref), catalog)
}

/// The same with the indexes given.
pub fn schema<'a>(
    table: &Relation,
    indexes: impl Iterator<Item = &'a Relation>,
    catalog: &Catalog,
) -> Result<TableSchema> {
    let mut columns = table.live_columns().map(|part| column(part, catalog)).collect::<Result<Vec<_>>>()?;
    let mut kept = Vec::new();
    for index in indexes {
        if index.index().is_some_and(index_key::is_computed) {
            columns.push(index_key::column(index));
        }
        kept.extend(index_schema(table, index, catalog));
    }
    let windows = table.windows().map(|windows| Windows {
        owner: table.oid,
        column: u32::try_from(windows.column).unwrap_or_default(),
        grain: windows.grain,
        order: windows.order.iter().filter_map(|column| u32::try_from(*column).ok()).collect(),
    });
    Ok(TableSchema { columns, indexes: kept, windows })
}

fn column(column: &Column, catalog: &Catalog) -> Result<ColumnSchema> {
    let id = u32::try_from(column.attnum).map_err(|_| Error::internal("a table column has a negative number"))?;
    Ok(ColumnSchema { id, name: column.name.clone(), data_type: catalog.stored_arrow_type(column.ty), missing: None })
}

/// None for indexes that the store does not keep: those over expressions and partial ones, unless they are unique.
fn index_schema(table: &Relation, relation: &Relation, catalog: &Catalog) -> Option<IndexSchema> {
    let index = relation.index()?;
    let constraint = table.constraints().iter().find(|constraint| constraint.key_index() == Some(relation.oid));
    if index_key::is_computed(index) {
        return Some(IndexSchema {
            id: relation.oid,
            name: relation.name.clone(),
            columns: vec![relation.oid],
            ignored_suffix: Vec::new(),
            unique: true,
            primary: false,
            nulls_not_distinct: false,
            deferrable: false,
        });
    }
    // Those of other methods are facts.
    if !matches!(index.method.as_str(), "btree" | "hash") {
        return None;
    }
    if index.predicate.is_some() || index.keys.iter().any(|key| key.expression.is_some()) {
        return None;
    }
    // Rows are kept by the time: nobody looks a single one up by it.
    let by_time =
        table.windows().is_some_and(|windows| index.keys.first().is_some_and(|key| key.attnum == windows.column));
    if by_time && !index.unique {
        return None;
    }
    let columns = index.keys.iter().map(|key| u32::try_from(key.attnum).ok()).collect::<Option<Vec<_>>>()?;
    let ignored_suffix = index.keys.iter().map(|key| ignored_suffix(table, key.attnum, catalog)).collect();
    Some(IndexSchema {
        id: relation.oid,
        name: relation.name.clone(),
        columns,
        ignored_suffix,
        unique: index.unique,
        primary: index.primary,
        nulls_not_distinct: index.nulls_not_distinct,
        deferrable: constraint.is_some_and(|constraint| constraint.deferrable),
    })
}

/// Bytes at the end of a key that do not count: the display scale of a numeric.
fn ignored_suffix(table: &Relation, attnum: i16, catalog: &Catalog) -> u8 {
    match table.column(attnum).map(|column| catalog.erased(column.ty)) {
        Some(ty) if ty.oid == oid::NUMERIC && catalog.stored_arrow_type(ty) == DataType::BinaryView => 2,
        _ => 0,
    }
}
