//! Time zones: between local time and UTC.

use std::sync::Arc;

use aegis_catalog::types::datetime::ZoneSpecification;
use aegis_catalog::types::{TimeZone, oid};
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};

use super::calendar::{SECOND, timestamp_out_of_range};
use crate::functions::Call;
use crate::functions::value::{Date, Interval, Timestamp, TimestampTz, downcast};
use arrow::array::PrimitiveArray;

/// `timestamptz` of a local time.
pub fn to_instant(zone: &TimeZone, local: Timestamp) -> Result<TimestampTz> {
    if !local.is_finite() {
        return Ok(TimestampTz(local.0));
    }
    zone.local_to_utc(local.0).map(TimestampTz).ok_or_else(timestamp_out_of_range)
}

/// Local time of an instant.
pub fn to_local(zone: &TimeZone, instant: TimestampTz) -> Result<Timestamp> {
    let timestamp = Timestamp(instant.0);
    if !timestamp.is_finite() {
        return Ok(timestamp);
    }
    zone.utc_to_local(instant.0).map(Timestamp).ok_or_else(timestamp_out_of_range)
}

/// A column of dates, local times or instants as instants (µs UTC).
pub fn instants(call: &Call<'_>, ty: Option<&Type>, array: &ArrayRef) -> Result<ArrayRef> {
    let zone = &call.context.format.time_zone;
    let local: PrimitiveArray<TimestampMicrosecondType> = match ty.map(|ty| ty.oid) {
        Some(oid::DATE) => {
            downcast::<PrimitiveArray<Date32Type>>(array)?.try_unary(|days| Date(days).midnight().map(|at| at.0))?
        }
        Some(oid::TIMESTAMP) => array.as_primitive::<TimestampMicrosecondType>().clone(),
        _ => {
            let utc = downcast::<PrimitiveArray<TimestampMicrosecondType>>(array)?;
            return Ok(Arc::new(utc.clone().with_timezone_opt(None::<Arc<str>>)));
        }
    };
    let utc: PrimitiveArray<TimestampMicrosecondType> =
        local.try_unary(|local| to_instant(zone, Timestamp(local)).map(|at| at.0))?;
    Ok(Arc::new(utc))
}

/// A zone by name or abbreviation, as `AT TIME ZONE` takes it.
pub fn find(name: &str) -> Result<ZoneSpecification> {
    ZoneSpecification::parse(name)
}

/// Seconds east of UTC that an interval stands for.
pub fn of_interval(interval: Interval) -> Result<i64> {
    if interval.months != 0 || interval.days != 0 {
        return Err(Error::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            "interval time zone must not include months or days",
        ));
    }
    Ok(interval.micros / SECOND)
}
