//! Time zones: between local time and UTC.

use std::sync::Arc;

use aegis_catalog::types::{TimeZone, oid};
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{Date32Type, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDateTime, Offset, TimeZone as _};

use super::calendar::{SECOND, timestamp_out_of_range};
use crate::functions::Call;
use crate::functions::value::{Date, Timestamp, TimestampTz, downcast};
use arrow::array::PrimitiveArray;

/// Seconds east of UTC at an instant.
pub fn offset_at(zone: &TimeZone, instant: i64) -> i64 {
    match zone {
        TimeZone::Fixed { east_seconds, .. } => i64::from(*east_seconds),
        TimeZone::Named(zone) => match DateTime::from_timestamp(clamp(instant).div_euclid(SECOND), 0) {
            Some(utc) => i64::from(zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc()),
            None => 0,
        },
    }
}

/// Seconds east of UTC at a local time. In the gap of a change to summer time, and in the doubled hour after it, standard time holds.
pub fn offset_of_local(zone: &TimeZone, local: i64) -> i64 {
    let TimeZone::Named(named) = zone else { return offset_at(zone, local) };
    let Some(naive) = DateTime::from_timestamp(clamp(local).div_euclid(SECOND), 0).map(|utc| utc.naive_utc()) else {
        return 0;
    };
    match named.offset_from_local_datetime(&naive) {
        chrono::MappedLocalTime::Single(offset) => i64::from(offset.fix().local_minus_utc()),
        chrono::MappedLocalTime::Ambiguous(earlier, later) => {
            i64::from(earlier.fix().local_minus_utc().min(later.fix().local_minus_utc()))
        }
        chrono::MappedLocalTime::None => offset_before_gap(named, naive),
    }
}

/// The offset that held before the gap.
fn offset_before_gap(zone: &chrono_tz::Tz, local: NaiveDateTime) -> i64 {
    let earlier = local - chrono::TimeDelta::hours(24);
    i64::from(zone.offset_from_utc_datetime(&earlier).fix().local_minus_utc())
}

/// chrono knows years up to 262,143; beyond them the rules of the last known year's end hold.
fn clamp(micros: i64) -> i64 {
    const LIMIT: i64 = 8_000_000_000_000 * SECOND;
    micros.clamp(-LIMIT, LIMIT)
}

/// `timestamptz` of a local time.
pub fn to_instant(zone: &TimeZone, local: Timestamp) -> Result<TimestampTz> {
    if !local.is_finite() {
        return Ok(TimestampTz(local.0));
    }
    let instant = local.0.checked_sub(offset_of_local(zone, local.0) * SECOND).ok_or_else(timestamp_out_of_range)?;
    Ok(TimestampTz(Timestamp::from_micros(instant)?.0))
}

/// Local time of an instant.
pub fn to_local(zone: &TimeZone, instant: TimestampTz) -> Result<Timestamp> {
    let timestamp = Timestamp(instant.0);
    if !timestamp.is_finite() {
        return Ok(timestamp);
    }
    let local = instant.0.checked_add(offset_at(zone, instant.0) * SECOND).ok_or_else(timestamp_out_of_range)?;
    Timestamp::from_micros(local)
}

/// A zone by name, abbreviation or POSIX-like offset, as `AT TIME ZONE` takes it.
pub fn find(name: &str) -> Result<TimeZone> {
    let unknown = || Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"));
    if let Some((_, hours)) = ABBREVIATIONS.iter().find(|(short, _)| short.eq_ignore_ascii_case(name)) {
        return Ok(fixed((hours * 3600.0) as i32, name));
    }
    if let Ok(zone) = chrono_tz::Tz::from_str_insensitive(name) {
        return Ok(TimeZone::Named(zone));
    }
    // An offset without a zone name has the sign of POSIX: west of Greenwich is positive.
    let (sign, digits) = match name.trim_start_matches(|c: char| c.is_ascii_alphabetic()).split_at_checked(1) {
        Some(("+", digits)) => (-1, digits),
        Some(("-", digits)) => (1, digits),
        _ => return Err(unknown()),
    };
    let mut parts = digits.split(':').map(|part| part.parse::<i32>().map_err(|_| unknown()));
    let hours = parts.next().ok_or_else(unknown)??;
    let minutes = parts.next().transpose()?.unwrap_or(0);
    let seconds = parts.next().transpose()?.unwrap_or(0);
    if !(0..=167).contains(&hours) || !(0..60).contains(&minutes) || !(0..60).contains(&seconds) {
        return Err(unknown());
    }
    Ok(fixed(sign * (hours * 3600 + minutes * 60 + seconds), name))
}

pub fn fixed(east_seconds: i32, name: &str) -> TimeZone {
    TimeZone::Fixed { east_seconds, name: name.to_owned() }
}

/// Abbreviations of PostgreSQL's default set that people use, with hours east of UTC. Those that are also zone names are not here.
const ABBREVIATIONS: &[(&str, f64)] = &[
    ("UTC", 0.0),
    ("GMT", 0.0),
    ("Z", 0.0),
    ("ZULU", 0.0),
    ("UT", 0.0),
    ("WET", 0.0),
    ("WEST", 1.0),
    ("BST", 1.0),
    ("CET", 1.0),
    ("CEST", 2.0),
    ("MET", 1.0),
    ("MEST", 2.0),
    ("EET", 2.0),
    ("EEST", 3.0),
    ("MSK", 3.0),
    ("MSD", 4.0),
    ("EST", -5.0),
    ("EDT", -4.0),
    ("CST", -6.0),
    ("CDT", -5.0),
    ("MST", -7.0),
    ("MDT", -6.0),
    ("PST", -8.0),
    ("PDT", -7.0),
    ("AKST", -9.0),
    ("AKDT", -8.0),
    ("HST", -10.0),
    ("AST", -4.0),
    ("ADT", -3.0),
    ("NST", -3.5),
    ("NDT", -2.5),
    ("JST", 9.0),
    ("KST", 9.0),
    ("HKT", 8.0),
    ("SGT", 8.0),
    ("PHT", 8.0),
    ("IST", 2.0),
    ("PKT", 5.0),
    ("NZST", 12.0),
    ("NZDT", 13.0),
    ("AEST", 10.0),
    ("AEDT", 11.0),
    ("ACST", 9.5),
    ("ACDT", 10.5),
    ("AWST", 8.0),
    ("BRT", -3.0),
    ("ART", -3.0),
    ("CLT", -4.0),
    ("SAST", 2.0),
];

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
