//! Ordered-set and hypothetical-set aggregates. Direct arguments come first and are the same in every row; rows arrive in the order of
//! WITHIN GROUP.

use aegis_catalog::types::interval::Interval;
use aegis_catalog::types::representation::array_type;
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{Array, ArrayRef, UInt64Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};

use super::collection::one;
use super::udaf::whole;
use crate::execute::error::from_arrow;
use crate::functions::array::{ArrayColumn, Frame, List};
use crate::functions::comparison::key::key_array;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Read, Write};
use crate::functions::{AggregateTypes, Body};

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "percentile_disc(float8, anyelement)",
            Body::Aggregate(|types| whole("percentile_disc", types, Some(second), discrete)),
        ),
        f(
            "percentile_disc(float8[], anyelement)",
            Body::Aggregate(|types| whole("percentile_disc", types, Some(array_of_second), discrete_many)),
        ),
        f(
            "percentile_cont(float8, float8)",
            Body::Aggregate(|types| whole("percentile_cont", types, None, continuous::<f64>)),
        ),
        f(
            "percentile_cont(float8, interval)",
            Body::Aggregate(|types| whole("percentile_cont", types, None, continuous::<Interval>)),
        ),
        f(
            "percentile_cont(float8[], float8)",
            Body::Aggregate(|types| whole("percentile_cont", types, None, continuous_many::<f64>)),
        ),
        f(
            "percentile_cont(float8[], interval)",
            Body::Aggregate(|types| whole("percentile_cont", types, None, continuous_many::<Interval>)),
        ),
        f("mode(anyelement)", Body::Aggregate(mode_body)),
    ]
}

fn second(args: &[DataType]) -> DataType {
    args.get(1).cloned().unwrap_or(DataType::Null)
}

fn array_of_second(args: &[DataType]) -> DataType {
    array_type(second(args))
}

fn two(args: &[ArrayRef]) -> Result<(&ArrayRef, ArrayRef)> {
    let [fractions, values] = args else { return Err(Error::internal("the aggregate has two arguments")) };
    // Nulls do not count.
    let valid: UInt64Array =
        (0..values.len()).filter(|&row| values.is_valid(row)).map(|row| row as u64).collect::<Vec<_>>().into();
    Ok((fractions, take(values, &valid, None).map_err(from_arrow)?))
}

fn checked(fraction: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&fraction) {
        return Ok(fraction);
    }
    Err(Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("percentile value {fraction} is not between 0 and 1")))
}

/// The direct argument, if there is a row to take it from and it is not null.
fn direct<'a, T: Read<'a>>(fractions: &'a ArrayRef) -> Result<Option<T>> {
    if fractions.is_empty() || fractions.is_null(0) {
        return Ok(None);
    }
    Ok(Some(T::get(&T::open(fractions)?, 0)))
}

fn discrete_row(fraction: f64, rows: usize) -> Result<usize> {
    Ok(((checked(fraction)? * rows as f64).ceil() as usize).max(1) - 1)
}

fn discrete(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (fractions, values) = two(args)?;
    match direct::<f64>(fractions)? {
        Some(fraction) if !values.is_empty() => Ok(values.slice(discrete_row(fraction, values.len())?, 1)),
        _ => Ok(new_null_array(values.data_type(), 1)),
    }
}

fn discrete_many(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (fractions, values) = two(args)?;
    let Some(List(wanted)) = direct::<List<f64>>(fractions)?.filter(|_| !values.is_empty()) else {
        return Ok(new_null_array(&array_type(values.data_type().clone()), 1));
    };
    let rows = wanted
        .into_iter()
        .map(|fraction| fraction.map(|fraction| Ok(discrete_row(fraction, values.len())? as u64)).transpose())
        .collect::<Result<UInt64Array>>()?;
    let mut frame = Frame::default();
    frame.end(rows.len(), Some(&ArrayColumn::open(fractions)?.dimensions(0)));
    frame.finish(take(&values, &rows, None).map_err(from_arrow)?)
}

/// A type between whose values there are others.
trait Interpolate: for<'a> Read<'a> + Write + Copy {
    fn interpolate(self, other: Self, fraction: f64) -> Result<Self>;
}

impl Interpolate for f64 {
    fn interpolate(self, other: Self, fraction: f64) -> Result<Self> {
        Ok(self + (other - self) * fraction)
    }
}

impl Interpolate for Interval {
    fn interpolate(self, other: Self, fraction: f64) -> Result<Self> {
        self.add(other.sub(self)?.mul(fraction)?)
    }
}

fn between<T: Interpolate>(values: &ArrayRef, fraction: f64) -> Result<T> {
    let column = <T as Read>::open(values)?;
    let position = checked(fraction)? * (values.len() - 1) as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    let first = <T as Read>::get(&column, low);
    if low == high {
        return Ok(first);
    }
    first.interpolate(<T as Read>::get(&column, high), position - low as f64)
}

fn continuous<T: Interpolate>(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (fractions, values) = two(args)?;
    match direct::<f64>(fractions)? {
        Some(fraction) if !values.is_empty() => one(Some(between::<T>(&values, fraction)?)),
        _ => one::<T>(None),
    }
}

fn continuous_many<T: Interpolate>(args: &[ArrayRef]) -> Result<ArrayRef> {
    let (fractions, values) = two(args)?;
    let Some(List(wanted)) = direct::<List<f64>>(fractions)?.filter(|_| !values.is_empty()) else {
        return one::<List<T>>(None);
    };
    let results =
        wanted.into_iter().map(|fraction| fraction.map(|fraction| between::<T>(&values, fraction)).transpose());
    one(Some(List(results.collect::<Result<Vec<_>>>()?)))
}

fn mode_body(types: &AggregateTypes<'_>) -> Result<std::sync::Arc<datafusion::logical_expr::AggregateUDF>> {
    let ty = types.args.last().copied().unwrap_or(Type::of(aegis_catalog::types::oid::TEXT));
    whole("mode", types, Some(super::extreme::same_type), move |args| {
        let [values] = args else { return Err(Error::internal("mode has one argument")) };
        let keys = key_array(ty, values)?;
        let converter = RowConverter::new(vec![SortField::new(keys.data_type().clone())]);
        let rows = converter.and_then(|converter| converter.convert_columns(&[keys])).map_err(from_arrow)?;
        // Equal values are neighbours, since the rows are sorted by them.
        let (mut best, mut best_count, mut start) = (None, 0, 0);
        for row in (0..values.len()).filter(|&row| values.is_valid(row)) {
            if row == 0 || rows.row(row) != rows.row(row - 1) {
                start = row;
            }
            if row - start + 1 > best_count {
                (best, best_count) = (Some(start), row - start + 1);
            }
        }
        Ok(match best {
            Some(row) => values.slice(row, 1),
            None => new_null_array(values.data_type(), 1),
        })
    })
}
