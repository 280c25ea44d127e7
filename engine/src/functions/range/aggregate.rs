//! `range_agg` and `range_intersect_agg` (manual 9.21).

use std::sync::Arc;

use aegis_catalog::types::range::{Range, decode, encode_multirange, encode_range, intersect, normalize};
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, BinaryViewArray, BinaryViewBuilder};
use datafusion::logical_expr::AggregateUDF;

use super::sets::range_type_of;
use crate::functions::aggregate::whole;
use crate::functions::signature::{Row, f};
use crate::functions::value::downcast;
use crate::functions::{AggregateTypes, Body};

pub fn functions() -> Vec<Row> {
    vec![
        f("range_agg(anyrange)", Body::Aggregate(range_agg)),
        f("range_agg(anymultirange)", Body::Aggregate(range_agg)),
        f("range_intersect_agg(anyrange)", Body::Aggregate(range_intersect_agg)),
        f("range_intersect_agg(anymultirange)", Body::Aggregate(range_intersect_agg)),
    ]
}

fn sets(args: &[ArrayRef]) -> Result<&BinaryViewArray> {
    downcast(args.first().ok_or_else(|| Error::internal("an aggregate has an argument"))?)
}

fn result(value: Option<Vec<u8>>) -> ArrayRef {
    let mut column = BinaryViewBuilder::with_capacity(1);
    column.append_option(value);
    Arc::new(column.finish())
}

/// The union of all; null of no rows.
fn range_agg(types: &AggregateTypes<'_>) -> Result<Arc<AggregateUDF>> {
    let subtype = range_type_of(types.result.oid, types.context)?.subtype;
    whole("range_agg", types, None, move |args| {
        let sets = sets(args)?;
        let ranges = sets.iter().flatten().flat_map(|set| decode(subtype, set)).collect();
        Ok(result((sets.null_count() < sets.len()).then(|| encode_multirange(&normalize(ranges)))))
    })
}

/// What is in all; null of no rows.
fn range_intersect_agg(types: &AggregateTypes<'_>) -> Result<Arc<AggregateUDF>> {
    let ty = range_type_of(types.result.oid, types.context)?;
    let multirange = types.result.oid == ty.multirange;
    whole("range_intersect_agg", types, None, move |args| {
        let sets = sets(args)?;
        let mut sets = sets.iter().flatten().map(|set| decode(ty.subtype, set));
        let first = sets.next();
        let common: Option<Vec<Range<'_>>> =
            first.map(|first| sets.fold(first, |common, set| intersect(&common, &set)));
        Ok(result(common.map(|common| match multirange {
            true => encode_multirange(&common),
            false => encode_range(common.first()),
        })))
    })
}
