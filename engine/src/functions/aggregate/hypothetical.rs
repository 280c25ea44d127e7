//! Hypothetical-set aggregates: which rank a row of the direct arguments would have among those of the group (manual 9.21, table
//! "Hypothetical-Set Aggregate Functions"). The direct arguments come first, then the columns of WITHIN GROUP.

use std::cmp::Ordering;
use std::sync::Arc;

use aegis_catalog::{Error, Result, Type};
use arrow::array::{Array, ArrayRef};
use arrow::compute::{SortOptions, concat};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::logical_expr::AggregateUDF;

use super::collection::one;
use super::udaf::whole;
use crate::execute::error::from_arrow;
use crate::functions::comparison::key::key_array;
use crate::functions::signature::{Row, f};
use crate::functions::{AggregateTypes, Body};

pub fn functions() -> Vec<Row> {
    vec![
        f("rank(any)", Body::Aggregate(|types| hypothetical("rank", types, |rows| one(Some(1 + rows.before))))),
        f(
            "dense_rank(any)",
            Body::Aggregate(|types| hypothetical("dense_rank", types, |rows| one(Some(1 + rows.distinct_before)))),
        ),
        f(
            "percent_rank(any)",
            Body::Aggregate(|types| {
                hypothetical("percent_rank", types, |rows| {
                    one(Some(if rows.all == 0 { 0.0 } else { rows.before as f64 / rows.all as f64 }))
                })
            }),
        ),
        f(
            "cume_dist(any)",
            Body::Aggregate(|types| {
                hypothetical("cume_dist", types, |rows| {
                    one(Some((rows.before + rows.equal + 1) as f64 / (rows.all + 1) as f64))
                })
            }),
        ),
    ]
}

/// How the rows of a group lie to the hypothetical one.
#[derive(Default)]
struct Counts {
    all: i64,
    before: i64,
    distinct_before: i64,
    equal: i64,
}

fn hypothetical(
    name: &'static str,
    types: &AggregateTypes<'_>,
    result: fn(Counts) -> Result<ArrayRef>,
) -> Result<Arc<AggregateUDF>> {
    let keys: Vec<(Type, SortOptions)> = types.args.iter().copied().zip(types.order.iter().copied()).collect();
    whole(name, types, None, move |args| result(counts(&keys, args)?))
}

fn counts(keys: &[(Type, SortOptions)], args: &[ArrayRef]) -> Result<Counts> {
    let (direct, columns) =
        args.split_at_checked(keys.len()).ok_or_else(|| Error::internal("a hypothetical row without its values"))?;
    let all = columns.first().map_or(0, |column| column.len());
    if all == 0 {
        return Ok(Counts::default());
    }
    let rows = in_order(keys, direct, columns)?;
    let hypothetical = rows.row(0);
    let mut counts = Counts { all: all as i64, ..Counts::default() };
    let mut before = Vec::new();
    for row in (1..=all).map(|row| rows.row(row)) {
        match row.cmp(&hypothetical) {
            Ordering::Less => before.push(row),
            Ordering::Equal => counts.equal += 1,
            Ordering::Greater => {}
        }
    }
    counts.before = before.len() as i64;
    before.sort_unstable();
    before.dedup();
    counts.distinct_before = before.len() as i64;
    Ok(counts)
}

/// The hypothetical row and then the others, comparable in the order of WITHIN GROUP.
fn in_order(keys: &[(Type, SortOptions)], direct: &[ArrayRef], columns: &[ArrayRef]) -> Result<Rows> {
    let mut sorted = Vec::with_capacity(keys.len());
    for ((ty, _), (direct, column)) in keys.iter().zip(direct.iter().zip(columns)) {
        let direct = key_array(*ty, &direct.slice(0, 1))?;
        sorted.push(concat(&[direct.as_ref(), key_array(*ty, column)?.as_ref()]).map_err(from_arrow)?);
    }
    let fields = keys.iter().zip(&sorted);
    let fields = fields.map(|((_, options), key)| SortField::new_with_options(key.data_type().clone(), *options));
    let converter = RowConverter::new(fields.collect()).map_err(from_arrow)?;
    converter.convert_columns(&sorted).map_err(from_arrow)
}
