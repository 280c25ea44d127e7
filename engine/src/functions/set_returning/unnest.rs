//! Arrays as rows.

use std::sync::Arc;

use aegis_catalog::types::{field_with_type, oid};
use aegis_catalog::{Error, Result, Type, fixed_oid};
use arrow::array::{Array, ArrayRef, Int32Array, StructArray, UInt64Array};
use arrow::compute::take;
use datafusion::logical_expr::ColumnarValue;

use super::lists::{body, list};
use crate::execute::error::from_arrow;
use crate::functions::array::ArrayColumn;
use crate::functions::kernel::scalar_to_array;
use crate::functions::signature::{Row, f, own};
use crate::functions::{Body, Call, Volatility};

pub fn functions() -> Vec<Row> {
    vec![
        f("unnest(anyarray)", unnest()),
        own(
            EXPANDARRAY,
            fixed_oid::INFORMATION_SCHEMA,
            "_pg_expandarray(anyarray) -> setof (x anyelement, n int4)",
            Volatility::Immutable,
            true,
            expand_array(),
        ),
    ]
}

/// PostgreSQL numbers what initdb's scripts create anew in each release; this is 15's.
const EXPANDARRAY: u32 = 13_208;

fn first(call: &Call<'_>, args: &[ColumnarValue]) -> Result<ArrayRef> {
    match args.first() {
        Some(ColumnarValue::Array(array)) => Ok(array.clone()),
        Some(ColumnarValue::Scalar(value)) => scalar_to_array(value, call.rows),
        None => Err(Error::internal("one argument")),
    }
}

/// Lengths of the arrays of a column (0 for a null), and the elements of all in order.
fn elements(column: &ArrayColumn<'_>) -> Result<(Vec<usize>, ArrayRef)> {
    let mut lengths = Vec::with_capacity(column.len());
    let mut positions = Vec::new();
    for row in 0..column.len() {
        let range = if column.is_null(row) { 0..0 } else { column.range(row) };
        lengths.push(range.len());
        positions.extend(range.map(|position| position as u64));
    }
    let items = take(column.elements(), &UInt64Array::from(positions), None).map_err(from_arrow)?;
    Ok((lengths, items))
}

fn unnest() -> Body {
    body(Arc::new(|call, args| {
        let array = first(call, args)?;
        let (lengths, items) = elements(&ArrayColumn::open(&array)?)?;
        list(lengths, items).map(ColumnarValue::Array)
    }))
}

/// Elements with their positions from 1.
fn expand_array() -> Body {
    body(Arc::new(|call, args| {
        let array = first(call, args)?;
        let (lengths, items) = elements(&ArrayColumn::open(&array)?)?;
        let numbers: Int32Array = lengths.iter().flat_map(|&length| (1..=length as i32).map(Some)).collect();
        let element =
            call.arg_types.first().and_then(|ty| call.context.catalog.element_of(ty.oid)).unwrap_or(oid::TEXT);
        let x = field_with_type("x", Type::of(element), true).with_data_type(items.data_type().clone());
        let n = field_with_type("n", Type::of(oid::INT4), true);
        let rows = StructArray::try_new(vec![x, n].into(), vec![items, Arc::new(numbers)], None).map_err(from_arrow)?;
        list(lengths, Arc::new(rows)).map(ColumnarValue::Array)
    }))
}
