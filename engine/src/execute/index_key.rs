//! Keys of unique indexes that a table's columns do not tell: of indexes over expressions, and of those with a predicate.
//!
//! They are computed when a row is written and stored with it, in a hidden column that only the index reads. Its value is null where the
//! row has no entry in the index, or one that equals no other; else bytes that are equal if the keys are.

use std::sync::Arc;

use aegis_catalog::definition::{Printer, is_call};
use aegis_catalog::extension_facts::CITEXT_OPS;
use aegis_catalog::object::{Index, Relation};
use aegis_catalog::types::{oid, text_of};
use aegis_catalog::{Catalog, Error, Oid, Result, Type};
use aegis_storage::{ColumnId, ColumnSchema, TableSchema};
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewBuilder, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField};

use super::error::from_arrow;
use super::key::keys;
use super::over_row::{self, ROW};
use crate::bind;
use crate::bind::tree::{Expr, ExprKind};
use crate::deparse::{self, Layout};
use crate::lower::Form;
use crate::session::context::StatementContext;

/// Does the store keep the keys of this index in a column of their own?
pub fn is_computed(index: &Index) -> bool {
    index.unique && (!is_over_columns(index) || index.keys.iter().any(|key| key.operator_class == CITEXT_OPS))
}

/// Are its keys those of columns, in all rows?
pub fn is_over_columns(index: &Index) -> bool {
    index.predicate.is_none() && index.keys.iter().all(|key| key.expression.is_none())
}

/// The operator class that a unique index over a column of this type has unless told otherwise: 0 if that need not be said.
pub fn unique_class(ty: Type, catalog: &Catalog) -> Oid {
    if catalog.base_type(ty).oid == oid::CITEXT { CITEXT_OPS } else { 0 }
}

/// Keys to look up in an index over columns that has a hidden column: their values by `attnum`.
pub fn of_values(
    table: &Relation,
    index: &Index,
    value: impl Fn(i16) -> Option<ArrayRef>,
    catalog: &Catalog,
) -> Result<RecordBatch> {
    let mut columns = Vec::with_capacity(index.keys.len());
    for key in &index.keys {
        let (Some(column), Some(value)) = (table.column(key.attnum), value(key.attnum)) else {
            return Err(Error::internal("a foreign key does not match its index"));
        };
        columns.push(keys(catalog.erased(column.ty), &value)?);
    }
    let rows = columns.first().map_or(0, |column| column.len());
    let key = encoded(&columns, None, index.nulls_not_distinct, rows)?;
    let schema = Schema::new(vec![Field::new("key", key.data_type().clone(), true)]);
    RecordBatch::try_new(Arc::new(schema), vec![key]).map_err(from_arrow)
}

/// The hidden column of an index. Its id is the index's OID, which is above all numbers of columns.
pub fn column(index: &Relation) -> ColumnSchema {
    ColumnSchema { id: index.oid, name: format!("key {}", index.oid), data_type: DataType::BinaryView, missing: None }
}

/// Has the index keys in a column of their own?
pub fn has_column(index: &aegis_storage::IndexSchema) -> bool {
    index.columns == [index.id]
}

/// The value of a hidden column for rows (live columns in order of `attnum`). None if the column belongs to no index.
pub fn stored_keys(
    table: &Arc<Relation>,
    column: ColumnId,
    rows: &RecordBatch,
    context: &Arc<StatementContext>,
) -> Result<Option<ArrayRef>> {
    let Some(index) = context.catalog.relation(column).and_then(|relation| relation.index()) else { return Ok(None) };
    if index.table != table.oid || !is_computed(index) {
        return Ok(None);
    }
    let parts = Parts::bind(table, index, context)?;
    let values = parts.evaluate(table, rows, context)?;
    parts.bytes(&values, index.nulls_not_distinct, rows.num_rows(), &context.catalog).map(Some)
}

/// A key to look up in an index with a hidden column, by rows that would have it.
pub fn key_of(
    table: &Arc<Relation>,
    schema: &TableSchema,
    index: Oid,
    rows: &RecordBatch,
    context: &Arc<StatementContext>,
) -> Result<Option<RecordBatch>> {
    if !schema.index(index).is_some_and(has_column) {
        return Ok(None);
    }
    let Some(key) = stored_keys(table, index, rows, context)? else { return Ok(None) };
    let schema = Schema::new(vec![Field::new("key", key.data_type().clone(), true)]);
    RecordBatch::try_new(Arc::new(schema), vec![key]).map(Some).map_err(from_arrow)
}

/// `(lower(name), id)=(a, 1)`: the key of one of the rows as errors show it. None if its index has no hidden column.
pub fn shown(
    table: &Arc<Relation>,
    index: Oid,
    rows: &RecordBatch,
    row: usize,
    context: &Arc<StatementContext>,
) -> Result<Option<String>> {
    let Some(index) = context.catalog.relation(index).and_then(|relation| relation.index()) else { return Ok(None) };
    if !is_computed(index) || row >= rows.num_rows() {
        return Ok(None);
    }
    let parts = Parts::bind(table, index, context)?;
    let values = parts.evaluate(table, &rows.slice(row, 1), context)?;
    let printer = Printer { catalog: &context.catalog, search_path: &context.search_path };
    let target = deparse::Target { printer, format: &context.format, layout: Layout::PRETTY };
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    for (key, value) in parts.keys.iter().zip(&values) {
        let name = deparse::expression(key, ROW, table, target)?;
        let alone = matches!(key.kind, ExprKind::Column { .. }) || is_call(&name);
        names.push(if alone { name } else { format!("({name})") });
        texts.push(match value.is_null(0) {
            true => "null".to_owned(),
            false => text_of(key.ty, value, 0, &context.format)?,
        });
    }
    Ok(Some(format!("({})=({})", names.join(", "), texts.join(", "))))
}

/// The expressions of an index.
struct Parts {
    keys: Vec<Expr>,
    predicate: Option<Expr>,
}

impl Parts {
    fn bind(table: &Arc<Relation>, index: &Index, context: &StatementContext) -> Result<Self> {
        let stored = |text: &str| bind::bind_stored(table, ROW, text, context);
        let keys = index.keys.iter().map(|key| match &key.expression {
            Some(text) => stored(text),
            None => bind::column_of(table, ROW, key.attnum)
                .ok_or_else(|| Error::internal("an index over a column that is not there")),
        });
        let keys = keys.collect::<Result<_>>()?;
        Ok(Self { keys, predicate: index.predicate.as_deref().map(stored).transpose()? })
    }

    /// The values of the keys, then of the predicate.
    fn evaluate(
        &self,
        table: &Arc<Relation>,
        rows: &RecordBatch,
        context: &Arc<StatementContext>,
    ) -> Result<Vec<ArrayRef>> {
        let exprs: Vec<Expr> = self.keys.iter().chain(&self.predicate).cloned().collect();
        over_row::values(table, &exprs, rows, Form::Computed, context)
    }

    fn bytes(&self, values: &[ArrayRef], nulls_not_distinct: bool, rows: usize, catalog: &Catalog) -> Result<ArrayRef> {
        let mut columns = Vec::with_capacity(self.keys.len());
        for (key, value) in self.keys.iter().zip(values) {
            columns.push(keys(catalog.erased(key.ty), value)?);
        }
        let predicate = self.predicate.as_ref().and_then(|_| values.last());
        encoded(&columns, predicate, nulls_not_distinct, rows)
    }
}

/// Bytes that are equal if the keys are; null where the predicate is not true, and for keys that equal none.
fn encoded(
    columns: &[ArrayRef],
    predicate: Option<&ArrayRef>,
    nulls_not_distinct: bool,
    rows: usize,
) -> Result<ArrayRef> {
    let included = predicate.and_then(|value| value.as_boolean_opt());
    let fields = columns.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(from_arrow)?;
    let encoded = converter.convert_columns(columns).map_err(from_arrow)?;
    let nulls: Vec<_> = columns.iter().filter_map(|column| column.logical_nulls()).collect();
    let mut builder = BinaryViewBuilder::with_capacity(rows);
    for row in 0..rows {
        let left_out =
            predicate.is_some() && !included.is_some_and(|included| included.is_valid(row) && included.value(row));
        let null = !nulls_not_distinct && nulls.iter().any(|nulls| nulls.is_null(row));
        match left_out || null {
            true => builder.append_null(),
            false => builder.append_value(encoded.row(row).data()),
        }
    }
    Ok(Arc::new(builder.finish()))
}
