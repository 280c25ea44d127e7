//! Union, intersection, difference and hull.

use aegis_catalog::Result;
use aegis_catalog::types::range::{
    Range, encode_multirange, encode_range, intersect, merge, minus, range_minus, range_union, union,
};
use arrow::array::BinaryViewBuilder;
use std::sync::Arc;

use super::sets::{each, two};
use crate::functions::Body;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};

type Combine = fn(&[Range<'_>], &[Range<'_>]) -> Result<Vec<u8>>;

pub fn functions() -> Vec<Row> {
    vec![
        f("+(anyrange, anyrange)", combination(|a, b| Ok(encode_range(range_union(a, b)?.as_ref())))),
        f("-(anyrange, anyrange)", combination(|a, b| Ok(encode_range(range_minus(a, b)?.as_ref())))),
        f("*(anyrange, anyrange)", combination(|a, b| Ok(encode_range(intersect(a, b).first())))),
        f("range_merge(anyrange, anyrange)", combination(|a, b| Ok(encode_range(merge(a, b).as_ref())))),
        f("+(anymultirange, anymultirange)", combination(|a, b| Ok(encode_multirange(&union(a, b))))),
        f("-(anymultirange, anymultirange)", combination(|a, b| Ok(encode_multirange(&minus(a, b))))),
        f("*(anymultirange, anymultirange)", combination(|a, b| Ok(encode_multirange(&intersect(a, b))))),
        f("range_merge(anymultirange)", each(|set| encode_range(merge(set, &[]).as_ref()))),
    ]
}

fn combination(combine: Combine) -> Body {
    columns(move |call, args| {
        let (left, right) = two(call, args)?;
        let mut results = BinaryViewBuilder::with_capacity(call.rows);
        let (mut left_value, mut right_value) = (Vec::new(), Vec::new());
        for row in 0..call.rows {
            if left.is_null(row) || right.is_null(row) {
                results.append_null();
            } else {
                results.append_value(combine(&left.row(row, &mut left_value), &right.row(row, &mut right_value))?);
            }
        }
        Ok(Arc::new(results.finish()))
    })
}
