//! `RANGE` with an offset: whether a sort key lies within an offset of another (PostgreSQL's `in_range` support functions).

use aegis_catalog::types::datetime::{arithmetic, date};
use aegis_catalog::types::interval::Interval;
use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::types::{TimeZone, oid};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use arrow::array::{Array, ArrayRef};

use crate::functions::value::{Date, Read, Time, TimeTz, Timestamp, TimestampTz};

/// A sort key or an offset.
#[derive(Debug, Clone)]
pub enum Point {
    Integer(i128),
    Float(f64),
    Numeric(Numeric),
    /// Microseconds; a date is its midnight.
    Timestamp(i64),
    TimestampTz(i64),
    Time(i64),
    /// Microseconds and seconds west.
    TimeTz(i64, i32),
    Interval(Interval),
}

/// The values of a column of that type.
pub fn points(ty: Oid, array: &ArrayRef) -> Result<Vec<Option<Point>>> {
    fn read<'a, T: Read<'a>>(array: &'a ArrayRef, point: impl Fn(T) -> Result<Point>) -> Result<Vec<Option<Point>>> {
        let column = T::open(array)?;
        (0..array.len()).map(|row| array.is_valid(row).then(|| point(T::get(&column, row))).transpose()).collect()
    }
    match ty {
        oid::INT2 => read(array, |value: i16| Ok(Point::Integer(value.into()))),
        oid::INT4 => read(array, |value: i32| Ok(Point::Integer(value.into()))),
        oid::INT8 => read(array, |value: i64| Ok(Point::Integer(value.into()))),
        oid::FLOAT4 => read(array, |value: f32| Ok(Point::Float(value.into()))),
        oid::FLOAT8 => read(array, |value: f64| Ok(Point::Float(value))),
        oid::NUMERIC => read(array, |value: Numeric| Ok(Point::Numeric(value))),
        oid::DATE => read(array, |value: Date| Ok(Point::Timestamp(date::to_timestamp(value.0)?))),
        oid::TIMESTAMP => read(array, |value: Timestamp| Ok(Point::Timestamp(value.0))),
        oid::TIMESTAMPTZ => read(array, |value: TimestampTz| Ok(Point::TimestampTz(value.0))),
        oid::TIME => read(array, |value: Time| Ok(Point::Time(value.0))),
        oid::TIMETZ => read(array, |value: TimeTz| Ok(Point::TimeTz(value.micros, value.west))),
        oid::INTERVAL => read(array, |value: Interval| Ok(Point::Interval(value))),
        _ => Err(Error::internal(format!("RANGE with an offset over type {ty}"))),
    }
}

/// 22013 if it is negative or no number. Of an interval that is added to a time of day, only the time counts.
pub fn check_offset(offset: &Point, key: &Point) -> Result<()> {
    let valid = match (offset, key) {
        (Point::Integer(offset), _) => *offset >= 0,
        (Point::Float(offset), _) => *offset >= 0.0,
        (Point::Numeric(offset), _) => !offset.is_nan() && !offset.is_negative(),
        (Point::Interval(offset), Point::Time(_) | Point::TimeTz(..)) => offset.micros >= 0,
        (Point::Interval(offset), _) => offset.comparison_key() >= 0,
        _ => false,
    };
    match valid {
        true => Ok(()),
        false => Err(Error::new(
            sqlstate::INVALID_PRECEDING_OR_FOLLOWING_SIZE,
            "invalid preceding or following size in window function",
        )),
    }
}

/// `value <= base ± offset` if `less`, else `value >= base ± offset`. The offset is not negative.
pub fn in_range(value: &Point, base: &Point, offset: &Point, minus: bool, less: bool, zone: &TimeZone) -> Result<bool> {
    let side = |order: std::cmp::Ordering| if less { order.is_le() } else { order.is_ge() };
    let mismatch = || Err(Error::internal("frame values of different types"));
    match (value, base, offset) {
        (Point::Integer(value), Point::Integer(base), Point::Integer(offset)) => {
            Ok(side(value.cmp(&if minus { base - offset } else { base + offset })))
        }
        (Point::Float(value), Point::Float(base), Point::Float(offset)) => {
            Ok(float_in_range(*value, *base, *offset, minus, less))
        }
        (Point::Numeric(value), Point::Numeric(base), Point::Numeric(offset)) => {
            if value.is_nan() || base.is_nan() {
                return Ok(nan_in_range(value.is_nan(), base.is_nan(), less));
            }
            let away = base.is_infinite() && base.is_negative() != minus;
            if offset.is_infinite() && away {
                return Ok(true);
            }
            let sum = if minus { base.sub(offset)? } else { base.add(offset)? };
            Ok(side(value.compare(&sum)))
        }
        (Point::Timestamp(value), Point::Timestamp(base), Point::Interval(offset)) => Ok(side(value.cmp(&if minus {
            arithmetic::timestamp_minus_interval(*base, *offset)?
        } else {
            arithmetic::timestamp_plus_interval(*base, *offset)?
        }))),
        (Point::TimestampTz(value), Point::TimestampTz(base), Point::Interval(offset)) => {
            Ok(side(value.cmp(&if minus {
                arithmetic::timestamptz_minus_interval(*base, *offset, zone)?
            } else {
                arithmetic::timestamptz_plus_interval(*base, *offset, zone)?
            })))
        }
        (Point::Time(value), Point::Time(base), Point::Interval(offset)) => {
            Ok(side(i128::from(*value).cmp(&moved(*base, offset.micros, minus))))
        }
        (Point::TimeTz(value, value_west), Point::TimeTz(base, base_west), Point::Interval(offset)) => {
            let utc = |micros: i128, west: i32| (micros + i128::from(west) * 1_000_000, west);
            let sum = utc(moved(*base, offset.micros, minus), *base_west);
            Ok(side(utc(i128::from(*value), *value_west).cmp(&sum)))
        }
        (Point::Interval(value), Point::Interval(base), Point::Interval(offset)) => {
            let sum = if minus { base.sub(*offset)? } else { base.add(*offset)? };
            Ok(side(value.comparison_key().cmp(&sum.comparison_key())))
        }
        _ => mismatch(),
    }
}

/// A time of day does not wrap around here.
fn moved(base: i64, by: i64, minus: bool) -> i128 {
    let by = i128::from(by);
    i128::from(base) + if minus { -by } else { by }
}

/// NaN comes after all numbers.
fn nan_in_range(value: bool, base: bool, less: bool) -> bool {
    match (value, base) {
        (true, true) => true,
        (true, false) => !less,
        _ => less,
    }
}

fn float_in_range(value: f64, base: f64, offset: f64, minus: bool, less: bool) -> bool {
    if value.is_nan() || base.is_nan() {
        return nan_in_range(value.is_nan(), base.is_nan(), less);
    }
    // What precedes or follows an infinity infinitely is everything.
    if offset.is_infinite() && base.is_infinite() && (base > 0.0) == minus {
        return true;
    }
    let sum = if minus { base - offset } else { base + offset };
    if less { value <= sum } else { value >= sum }
}
