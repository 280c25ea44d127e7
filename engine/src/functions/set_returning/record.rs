//! Sets of records: rows of texts, read as the columns' types.

use std::sync::Arc;

use aegis_catalog::types::{ColumnBuilder, field_with_type};
use aegis_catalog::{Oid, Result, Type};
use arrow::array::{ArrayRef, StructArray};
use arrow::datatypes::Fields;
use datafusion::logical_expr::ColumnarValue;

use super::lists::{body, list};
use crate::functions::kernel::{Inputs, arrow};
use crate::functions::{Body, Call};

/// One row; None is null.
pub type Record = Vec<Option<String>>;

/// A function that yields the rows of one call from its arguments. A null argument yields none.
pub fn record(
    columns: &'static [(&'static str, Oid)],
    rows: impl Fn(&Call<'_>, &Inputs, usize) -> Result<Vec<Record>> + Send + Sync + 'static,
) -> Body {
    body(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let mut builders =
            columns.iter().map(|(_, ty)| ColumnBuilder::new(Type::of(*ty), call.rows)).collect::<Result<Vec<_>>>()?;
        let mut lengths = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            let records = if inputs.any_null(row) { Vec::new() } else { rows(call, &inputs, row)? };
            lengths.push(records.len());
            for record in records {
                for (builder, value) in builders.iter_mut().zip(record) {
                    match value {
                        Some(value) => builder.append_text(&value, &call.context.format)?,
                        None => builder.append_null(),
                    }
                }
            }
        }
        let fields: Fields = columns.iter().map(|(name, ty)| field_with_type(name, Type::of(*ty), true)).collect();
        let arrays: Vec<ArrayRef> = builders.iter_mut().map(ColumnBuilder::finish).collect();
        let total = lengths.iter().sum();
        let items = StructArray::try_new_with_length(fields, arrays, None, total).map_err(arrow)?;
        list(lengths, Arc::new(items)).map(ColumnarValue::Array)
    }))
}
