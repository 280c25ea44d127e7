//! Sets of records: rows of texts, read as the columns' types.

use std::sync::Arc;

use aegis_catalog::types::{ColumnBuilder, field_with_type};
use aegis_catalog::{Oid, Result, Type};
use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::Fields;
use datafusion::logical_expr::ColumnarValue;

use super::lists::{body, list};
use crate::execute::error::from_arrow;
use crate::functions::kernel::Inputs;
use crate::functions::signature::{Row, f, record_columns};
use crate::functions::{Body, Call};

/// One row; None is null.
pub type Record = Vec<Option<String>>;

/// A function that yields the rows of one call from its arguments. A null argument yields none.
pub fn record(
    columns: &'static [(&'static str, Oid)],
    rows: impl Fn(&Call<'_>, &Inputs, usize) -> Result<Vec<Record>> + Send + Sync + 'static,
) -> Body {
    let columns = columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect();
    records_of(columns, true, rows)
}

/// A set-returning function with the columns that PostgreSQL's catalog lists for it.
pub fn records(
    signature: &'static str,
    rows: impl Fn(&Call<'_>, &Inputs, usize) -> Result<Vec<Record>> + Send + Sync + 'static,
) -> Row {
    // A signature that is not there is reported when the row is resolved.
    let (columns, strict) = record_columns(signature).unwrap_or_default();
    f(signature, records_of(columns, strict, rows))
}

/// As [`records`], for a function that returns one row.
pub fn one_record(signature: &'static str, row: impl Fn(&Call<'_>) -> Result<Record> + Send + Sync + 'static) -> Row {
    let (columns, _) = record_columns(signature).unwrap_or_default();
    let body = Body::Scalar(Arc::new(move |call, _| {
        let record = row(call)?;
        let row = rows_of(call, &columns, std::iter::repeat_n(record, call.rows))?;
        Ok(ColumnarValue::Array(Arc::new(row)))
    }));
    f(signature, body)
}

/// As [`one_record`], of the function's arguments; of nulls if it is strict and one of them is null.
pub fn one_record_of(
    signature: &'static str,
    row: impl Fn(&Call<'_>, &Inputs, usize) -> Result<Record> + Send + Sync + 'static,
) -> Row {
    let (columns, strict) = record_columns(signature).unwrap_or_default();
    let body = Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let one = |at| if strict && inputs.any_null(at) { Ok(Vec::new()) } else { row(call, &inputs, at) };
        let records = (0..call.rows).map(one).collect::<Result<Vec<_>>>()?;
        Ok(ColumnarValue::Array(Arc::new(rows_of(call, &columns, records.into_iter())?)))
    }));
    f(signature, body)
}

fn records_of(
    columns: Vec<(String, Oid)>,
    strict: bool,
    rows: impl Fn(&Call<'_>, &Inputs, usize) -> Result<Vec<Record>> + Send + Sync + 'static,
) -> Body {
    body(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let mut lengths = Vec::with_capacity(call.rows);
        let mut all = Vec::new();
        for row in 0..call.rows {
            let records = if strict && inputs.any_null(row) { Vec::new() } else { rows(call, &inputs, row)? };
            lengths.push(records.len());
            all.extend(records);
        }
        list(lengths, Arc::new(rows_of(call, &columns, all.into_iter())?)).map(ColumnarValue::Array)
    }))
}

fn rows_of(
    call: &Call<'_>,
    columns: &[(String, Oid)],
    records: impl ExactSizeIterator<Item = Record>,
) -> Result<StructArray> {
    let total = records.len();
    let mut builders = columns
        .iter()
        .map(|(_, ty)| ColumnBuilder::new(Type::of(*ty), total, &call.context.format.names))
        .collect::<Result<Vec<_>>>()?;
    for record in records {
        let mut values = record.into_iter();
        for builder in &mut builders {
            match values.next().flatten() {
                Some(value) => builder.append_text(&value, &call.context.format)?,
                None => builder.append_null(),
            }
        }
    }
    let fields: Fields = columns.iter().map(|(name, ty)| field_with_type(name, Type::of(*ty), true)).collect();
    let arrays: Vec<ArrayRef> = builders.iter_mut().map(ColumnBuilder::finish).collect();
    StructArray::try_new_with_length(fields, arrays, None, total).map_err(from_arrow)
}
