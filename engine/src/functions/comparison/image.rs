//! Comparison of rows by their binary images: `*=`, `*<` and so on (PostgreSQL manual 9.24.6).

use std::cmp::Ordering;
use std::sync::Arc;

use aegis_catalog::types::{BinaryEncoder, type_of_field};
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};

use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};
use crate::functions::{Body, Call};
use crate::lower::comparable_rows;

pub fn functions() -> Vec<Row> {
    vec![
        f("record_image_eq(record, record)", compare(Ordering::is_eq)),
        f("record_image_ne(record, record)", compare(Ordering::is_ne)),
        f("record_image_lt(record, record)", compare(Ordering::is_lt)),
        f("record_image_le(record, record)", compare(Ordering::is_le)),
        f("record_image_gt(record, record)", compare(Ordering::is_gt)),
        f("record_image_ge(record, record)", compare(Ordering::is_ge)),
    ]
}

fn compare(holds: fn(Ordering) -> bool) -> Body {
    columns(move |call, args| {
        let [left, right] = args else { return Err(Error::internal("a comparison has two arguments")) };
        comparable_rows(left.data_type(), right.data_type())?;
        let (lefts, rights) = (images(call, left)?, images(call, right)?);
        let compared = lefts.iter().zip(&rights).map(|(left, right)| Some(holds(left.as_ref()?.cmp(right.as_ref()?))));
        Ok(Arc::new(compared.collect::<BooleanArray>()))
    })
}

/// The fields of each row as bytes; null comes last.
type Image = Vec<(bool, Vec<u8>)>;

fn images(call: &Call<'_>, rows: &ArrayRef) -> Result<Vec<Option<Image>>> {
    let record = rows.as_struct_opt().ok_or_else(|| Error::internal("a row that is no Struct"))?;
    let names = &call.context.format.names;
    let fields = record.fields().iter().zip(record.columns());
    let encoders = fields
        .map(|(field, column)| BinaryEncoder::new(type_of_field(field), column, names))
        .collect::<Result<Vec<_>>>()?;
    let image = |row: usize| {
        let field = |encoder: &BinaryEncoder| {
            let mut bytes = Vec::new();
            let is_null = encoder.is_null(row);
            if !is_null {
                encoder.encode(row, &mut bytes);
            }
            (is_null, bytes)
        };
        (!record.is_null(row)).then(|| encoders.iter().map(field).collect())
    };
    Ok((0..record.len()).map(image).collect())
}
