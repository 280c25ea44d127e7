//! What a range is made of.

use std::sync::Arc;

use aegis_catalog::types::range::{Bound, Range, encode_range};
use arrow::array::{ArrayRef, BinaryViewBuilder, BooleanArray};
use datafusion::logical_expr::ColumnarValue;

use super::sets::{argument_type, one};
use crate::functions::kernel::{columns, scalar_to_array};
use crate::functions::set_returning::{body, list};
use crate::functions::signature::{Row, f};
use crate::functions::{Body, Call};

type Test = fn(&[Range<'_>]) -> bool;

const TESTS: [(&str, Test); 5] = [
    ("isempty", |set| set.is_empty()),
    ("lower_inc", |set| set.first().is_some_and(|range| range.lower.inclusive)),
    ("upper_inc", |set| set.last().is_some_and(|range| range.upper.inclusive)),
    ("lower_inf", |set| set.first().is_some_and(|range| range.lower.value.is_none())),
    ("upper_inf", |set| set.last().is_some_and(|range| range.upper.value.is_none())),
];

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for set in ["anyrange", "anymultirange"] {
        for (name, test) in TESTS {
            rows.push(f(format!("{name}({set})"), tested(test)));
        }
        rows.push(f(format!("lower({set})"), bound(|set| set.first().map(|range| range.lower))));
        rows.push(f(format!("upper({set})"), bound(|set| set.last().map(|range| range.upper))));
    }
    rows.push(f("unnest(anymultirange)", unnest()));
    rows
}

fn tested(test: Test) -> Body {
    columns(move |call, args| {
        let sets = one(call, args)?;
        let mut value = Vec::new();
        let results = (0..call.rows).map(|row| (!sets.is_null(row)).then(|| test(&sets.row(row, &mut value))));
        Ok(Arc::new(results.collect::<BooleanArray>()))
    })
}

fn bound(choose: for<'a> fn(&[Range<'a>]) -> Option<Bound<'a>>) -> Body {
    columns(move |call, args| {
        let sets = one(call, args)?;
        let values: Vec<Option<Vec<u8>>> = (0..call.rows)
            .map(|row| {
                if sets.is_null(row) {
                    return None;
                }
                let mut value = Vec::new();
                let bound = choose(&sets.row(row, &mut value));
                bound.and_then(|bound| bound.value.map(<[u8]>::to_vec))
            })
            .collect();
        Ok(argument_type(call)?.subtype.column(values.iter().map(Option::as_deref)))
    })
}

/// The ranges of a multirange as rows.
fn unnest() -> Body {
    body(Arc::new(|call: &Call<'_>, args: &[ColumnarValue]| {
        let arrays: Vec<ArrayRef> = args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Array(array) => Ok(array.clone()),
                ColumnarValue::Scalar(value) => scalar_to_array(value, call.rows),
            })
            .collect::<aegis_catalog::Result<_>>()?;
        let sets = one(call, &arrays)?;
        let mut ranges = BinaryViewBuilder::new();
        let mut lengths = Vec::with_capacity(call.rows);
        let mut value = Vec::new();
        for row in 0..call.rows {
            let set = if sets.is_null(row) { Vec::new() } else { sets.row(row, &mut value) };
            lengths.push(set.len());
            set.iter().for_each(|range| ranges.append_value(encode_range(Some(range))));
        }
        list(lengths, Arc::new(ranges.finish())).map(ColumnarValue::Array)
    }))
}
