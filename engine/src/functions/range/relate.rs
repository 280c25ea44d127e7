//! Operators that tell how two sets lie to each other.

use aegis_catalog::types::range::{Range, adjacent, contains, overlaps};
use arrow::array::BooleanArray;
use std::sync::Arc;

use super::sets::two;
use crate::functions::Body;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};

type Test = fn(&[Range<'_>], &[Range<'_>]) -> bool;

const OPERATORS: [(&str, Test); 8] = [
    ("&&", |a, b| overlaps(a, b)),
    ("@>", |a, b| contains(a, b)),
    ("<@", |a, b| contains(b, a)),
    ("<<", |a, b| before(a, b)),
    (">>", |a, b| before(b, a)),
    ("&<", |a, b| a.last().zip(b.last()).is_some_and(|(a, b)| a.upper.compare(b.upper).is_le())),
    ("&>", |a, b| a.first().zip(b.first()).is_some_and(|(a, b)| a.lower.compare(b.lower).is_ge())),
    ("-|-", |a, b| adjacent(a, b)),
];

fn before(left: &[Range<'_>], right: &[Range<'_>]) -> bool {
    left.last().zip(right.first()).is_some_and(|(left, right)| left.upper.compare(right.lower).is_lt())
}

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for (operator, test) in OPERATORS {
        for left in ["anyrange", "anymultirange"] {
            for right in ["anyrange", "anymultirange"] {
                rows.push(f(format!("{operator}({left}, {right})"), relation(test)));
            }
        }
    }
    for set in ["anyrange", "anymultirange"] {
        rows.push(f(format!("@>({set}, anyelement)"), relation(contains)));
        rows.push(f(format!("<@(anyelement, {set})"), relation(|a, b| contains(b, a))));
    }
    rows
}

fn relation(test: Test) -> Body {
    columns(move |call, args| {
        let (left, right) = two(call, args)?;
        let (mut left_value, mut right_value) = (Vec::new(), Vec::new());
        let results: BooleanArray = (0..call.rows)
            .map(|row| {
                let null = left.is_null(row) || right.is_null(row);
                (!null).then(|| test(&left.row(row, &mut left_value), &right.row(row, &mut right_value)))
            })
            .collect();
        Ok(Arc::new(results))
    })
}
