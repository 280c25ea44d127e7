//! The values of the key: times, dates or integers, as integers in order.

use std::sync::Arc;

use aegis_engine::extension::calendar::DAY;
use aegis_engine::extension::transform::Definition;
use aegis_engine::extension::{
    Date, Error, Interval, Result, StatementContext, Timestamp, TimestampTz, Value, downcast, oid, to_instant, to_local,
};
use arrow::array::{ArrayRef, Date32Array, Int16Array, Int32Array, Int64Array, TimestampMicrosecondArray};
use arrow::datatypes::DataType;

use super::invalid;
use crate::bucket::{Buckets, Width, Zone};

/// What a key is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int2,
    Int4,
    Int8,
    Date,
    Timestamp,
    TimestampTz,
}

pub struct Axis {
    kind: Kind,
    step: Step,
}

enum Step {
    Integers(i64),
    /// In µs.
    Times(Buckets),
}

impl Axis {
    pub fn new(definition: &Definition, width: &Value, zone: Option<&Value>) -> Result<Self> {
        let kind = match definition.key.oid {
            oid::INT2 => Kind::Int2,
            oid::INT4 => Kind::Int4,
            oid::INT8 => Kind::Int8,
            oid::DATE => Kind::Date,
            oid::TIMESTAMP => Kind::Timestamp,
            oid::TIMESTAMPTZ => Kind::TimestampTz,
            _ => return Err(Error::internal("gaps of another type")),
        };
        let positive = || invalid("invalid time_bucket_gapfill argument: bucket_width must be greater than 0");
        let step = match kind {
            Kind::Int2 | Kind::Int4 | Kind::Int8 => {
                Step::Integers(Some(integer(width)?).filter(|width| *width > 0).ok_or_else(positive)?)
            }
            _ => {
                let width = width.get::<Interval>()?;
                let width = if kind == Kind::Date { Width::of_days(width)? } else { Width::new(width)? };
                let buckets = Buckets::new(width);
                Step::Times(match zone {
                    None => buckets,
                    Some(zone) if zone.is_null() => {
                        return Err(invalid("invalid time_bucket_gapfill argument: timezone cannot be NULL"));
                    }
                    Some(zone) => buckets.in_zone(Zone::named(zone.get::<&str>()?)?),
                })
            }
        };
        Ok(Self { kind, step })
    }

    pub fn data_type(&self) -> DataType {
        match self.kind {
            Kind::Int2 => DataType::Int16,
            Kind::Int4 => DataType::Int32,
            Kind::Int8 => DataType::Int64,
            Kind::Date => DataType::Date32,
            Kind::Timestamp => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
            Kind::TimestampTz => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, Some("UTC".into())),
        }
    }

    /// From one value to the next possible one.
    pub fn unit(&self) -> i64 {
        if self.kind == Kind::Date { DAY } else { 1 }
    }

    /// A value of a type that keys are compared with.
    pub fn value(&self, value: &Value, context: &StatementContext) -> Result<i64> {
        let zone = &context.format.time_zone;
        let local = match value.ty().oid {
            oid::INT2 | oid::INT4 | oid::INT8 => return integer(value),
            oid::DATE => value.get::<Date>()?.midnight()?,
            oid::TIMESTAMP => value.get::<Timestamp>()?,
            oid::TIMESTAMPTZ if self.kind == Kind::TimestampTz => return Ok(value.get::<TimestampTz>()?.0),
            oid::TIMESTAMPTZ => to_local(zone, value.get::<TimestampTz>()?)?,
            _ => return Err(invalid("invalid time_bucket_gapfill argument: a bound of another type")),
        };
        match self.kind {
            Kind::TimestampTz => to_instant(zone, local).map(|instant| instant.0),
            _ => Ok(local.0),
        }
    }

    /// The start of a value's bucket.
    pub fn floor(&self, value: i64) -> Result<i64> {
        match &self.step {
            Step::Integers(width) => Ok(value.div_euclid(*width).saturating_mul(*width)),
            Step::Times(buckets) => buckets.of(value).map(|bucket| bucket.start),
        }
    }

    /// The start of the bucket after the one that starts there; the greatest value if there is none.
    pub fn next(&self, start: i64) -> i64 {
        match &self.step {
            Step::Integers(width) => start.saturating_add(*width),
            Step::Times(buckets) => buckets.next(start).unwrap_or(i64::MAX),
        }
    }

    /// About how many buckets begin in a range.
    pub fn count(&self, start: i64, finish: i64) -> i64 {
        const MONTH: i64 = 28 * DAY;
        let width = match &self.step {
            Step::Integers(width) => *width,
            Step::Times(buckets) => match buckets.width() {
                Width::Fixed(width) => width,
                Width::Months(months) => months.saturating_mul(MONTH),
            },
        };
        finish.saturating_sub(start) / width.max(1)
    }

    pub fn is_finite(&self, value: i64) -> bool {
        matches!(self.step, Step::Integers(_)) || Timestamp(value).is_finite()
    }

    /// The keys of groups.
    pub fn read(&self, keys: &ArrayRef) -> Result<Vec<Option<i64>>> {
        Ok(match self.kind {
            Kind::Int2 => downcast::<Int16Array>(keys)?.iter().map(|key| key.map(i64::from)).collect(),
            Kind::Int4 => downcast::<Int32Array>(keys)?.iter().map(|key| key.map(i64::from)).collect(),
            Kind::Int8 => downcast::<Int64Array>(keys)?.iter().collect(),
            Kind::Date => {
                let keys = downcast::<Date32Array>(keys)?.iter();
                keys.map(|key| key.map(|key| Date(key).midnight().map(|midnight| midnight.0)).transpose())
                    .collect::<Result<_>>()?
            }
            Kind::Timestamp | Kind::TimestampTz => downcast::<TimestampMicrosecondArray>(keys)?.iter().collect(),
        })
    }

    pub fn write(&self, keys: Vec<Option<i64>>) -> Result<ArrayRef> {
        let narrow = || Error::internal("a bucket out of its type's range");
        Ok(match self.kind {
            Kind::Int2 => Arc::new(convert::<i16>(keys).collect::<Option<Int16Array>>().ok_or_else(narrow)?),
            Kind::Int4 => Arc::new(convert::<i32>(keys).collect::<Option<Int32Array>>().ok_or_else(narrow)?),
            Kind::Int8 => Arc::new(Int64Array::from(keys)),
            Kind::Date => {
                let date = |key: Option<i64>| key.map(|key| Timestamp(key).date().map(|date| date.0)).transpose();
                Arc::new(Date32Array::from(keys.into_iter().map(date).collect::<Result<Vec<_>>>()?))
            }
            Kind::Timestamp => Arc::new(TimestampMicrosecondArray::from(keys)),
            Kind::TimestampTz => Arc::new(TimestampMicrosecondArray::from(keys).with_timezone("UTC")),
        })
    }
}

/// In a narrower type; `None` outside of it.
fn convert<T: TryFrom<i64>>(keys: Vec<Option<i64>>) -> impl Iterator<Item = Option<Option<T>>> {
    keys.into_iter().map(|key| match key {
        None => Some(None),
        Some(key) => T::try_from(key).ok().map(Some),
    })
}

fn integer(value: &Value) -> Result<i64> {
    match value.ty().oid {
        oid::INT2 => value.get::<i16>().map(i64::from),
        oid::INT4 => value.get::<i32>().map(i64::from),
        oid::INT8 => value.get::<i64>(),
        _ => Err(invalid("invalid time_bucket_gapfill argument: a bound of another type")),
    }
}
