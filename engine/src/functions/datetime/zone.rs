//! Time zones: between local time and UTC.

use std::sync::Arc;

use aegis_catalog::types::{TimeZone, oid};
use aegis_catalog::{Result, Type};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};

use super::calendar::timestamp_out_of_range;
use crate::functions::Call;
use crate::functions::value::{Date, Timestamp, TimestampTz, downcast};
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
