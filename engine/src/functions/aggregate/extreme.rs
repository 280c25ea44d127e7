//! `min` and `max`.

use std::cmp::Ordering;

use aegis_catalog::types::interval::Interval;
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, BinaryViewArray, new_null_array};
use arrow::datatypes::DataType;

use super::fold::Fold;
use super::persist::Persist;
use super::step::write_all;
use super::udaf::{fold, whole};
use crate::functions::comparison::key::key_array;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Read, TimeTz, Write, downcast};
use crate::functions::{AggregateTypes, Body};

/// Types for which Arrow's order is PostgreSQL's. The encoding of numeric is one of them.
const NATIVE: &[&str] = &[
    "int2",
    "int4",
    "int8",
    "anyenum",
    "numeric",
    "text",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "oid",
    "pg_lsn",
    "inet",
    "money",
    "xid8",
    "tid",
];

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for ty in NATIVE {
        rows.push(f(
            format!("min({ty})"),
            Body::Aggregate(|_| Ok(datafusion::functions_aggregate::min_max::min_udaf())),
        ));
        rows.push(f(
            format!("max({ty})"),
            Body::Aggregate(|_| Ok(datafusion::functions_aggregate::min_max::max_udaf())),
        ));
    }
    macro_rules! ordered {
        ($name:literal, $ty:ty, $compare:expr) => {
            rows.push(f(
                concat!("min(", $name, ")"),
                Body::Aggregate(|types| {
                    fold("min", types, Extreme::<$ty> { compare: $compare, wanted: Ordering::Less })
                }),
            ));
            rows.push(f(
                concat!("max(", $name, ")"),
                Body::Aggregate(|types| {
                    fold("max", types, Extreme::<$ty> { compare: $compare, wanted: Ordering::Greater })
                }),
            ));
        };
    }
    ordered!("float4", f32, |a, b| compare_floats((*a).into(), (*b).into()));
    ordered!("float8", f64, |a, b| compare_floats(*a, *b));
    ordered!("interval", Interval, |a, b| a.comparison_key().cmp(&b.comparison_key()));
    ordered!("timetz", TimeTz, |a, b| a.sort_key().cmp(&b.sort_key()));
    rows.push(f("min(bpchar)", Body::Aggregate(|types| by_key("min", types, Ordering::Less))));
    rows.push(f("max(bpchar)", Body::Aggregate(|types| by_key("max", types, Ordering::Greater))));
    rows.push(f("min(anyarray)", Body::Aggregate(|types| by_key("min", types, Ordering::Less))));
    rows.push(f("max(anyarray)", Body::Aggregate(|types| by_key("max", types, Ordering::Greater))));
    rows
}

/// NaN is the greatest.
pub fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The first value that all others compare to as `wanted` says, by the type's order.
struct Extreme<T> {
    compare: fn(&T, &T) -> Ordering,
    wanted: Ordering,
}

impl<T: for<'a> Read<'a> + Write + Persist + Copy + Send + Sync + 'static> Fold for Extreme<T> {
    type State = Option<T>;
    type Columns<'a> = <T as Read<'a>>::Column;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        <T as Read<'a>>::open(args.first().ok_or_else(|| Error::internal("an aggregate has an argument"))?)
    }

    fn add(&self, state: &mut Option<T>, columns: &Self::Columns<'_>, row: usize) -> Result<()> {
        self.merge(state, Some(T::get(columns, row)))
    }

    fn merge(&self, state: &mut Option<T>, other: Option<T>) -> Result<()> {
        match (&state, other) {
            (_, None) => {}
            (Some(best), Some(value)) if (self.compare)(&value, best) != self.wanted => {}
            (_, value) => *state = value,
        }
        Ok(())
    }

    fn finish(&self, states: &[Option<T>]) -> Result<ArrayRef> {
        write_all(states.iter().map(|state| Ok(*state)))
    }
}

impl Persist for TimeTz {
    fn save(&self, out: &mut Vec<u8>) {
        self.micros.save(out);
        self.west.save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Ok(Self { micros: i64::load(bytes)?, west: i32::load(bytes)? })
    }
}

impl TimeTz {
    fn sort_key(&self) -> (i64, i32) {
        (self.micros + i64::from(self.west) * 1_000_000, self.west)
    }
}

fn by_key(
    name: &'static str,
    types: &AggregateTypes<'_>,
    wanted: Ordering,
) -> Result<std::sync::Arc<datafusion::logical_expr::AggregateUDF>> {
    let ty = types.result;
    whole(name, types, Some(same_type), move |args| {
        let [values] = args else { return Err(Error::internal("an aggregate has an argument")) };
        let keys = key_array(ty, values)?;
        Ok(match best_row(&keys, wanted)? {
            Some(row) => values.slice(row, 1),
            None => new_null_array(values.data_type(), 1),
        })
    })
}

pub fn same_type(args: &[DataType]) -> DataType {
    args.first().cloned().unwrap_or(DataType::Null)
}

fn best_row(keys: &ArrayRef, wanted: Ordering) -> Result<Option<usize>> {
    let bytes: Vec<Option<&[u8]>> = match keys.data_type() {
        DataType::Utf8View => {
            downcast::<arrow::array::StringViewArray>(keys)?.iter().map(|key| key.map(str::as_bytes)).collect()
        }
        _ => downcast::<BinaryViewArray>(keys)?.iter().collect(),
    };
    let mut best: Option<(usize, &[u8])> = None;
    for (row, key) in bytes.into_iter().enumerate() {
        if let Some(key) = key
            && best.is_none_or(|(_, other)| key.cmp(other) == wanted)
        {
            best = Some((row, key));
        }
    }
    Ok(best.map(|(row, _)| row))
}
