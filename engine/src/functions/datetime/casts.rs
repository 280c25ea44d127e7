//! Casts between the date/time types, and to a precision.

use aegis_catalog::types::type_name;
use aegis_catalog::{Error, Result, sqlstate};

use super::calendar::{DAY, HOUR, MINUTE, SECOND, interval_out_of_range, timestamp_out_of_range};
use super::zone;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz};

pub fn functions() -> Vec<Row> {
    [between_types(), of_times(), to_precision()].into_iter().flatten().collect()
}

fn between_types() -> Vec<Row> {
    vec![
        f("date(timestamp)", kernel!(|a: Timestamp| a.date())),
        f(
            "date(timestamptz)",
            kernel!(|call; a: TimestampTz| zone::to_local(&call.context.format.time_zone, a)?.date()),
        ),
        f("timestamp(date)", kernel!(|a: Date| a.midnight())),
        f("timestamp(timestamptz)", kernel!(|call; a: TimestampTz| zone::to_local(&call.context.format.time_zone, a))),
        f(
            "timestamptz(date)",
            kernel!(|call; a: Date| zone::to_instant(&call.context.format.time_zone, a.midnight()?)),
        ),
        f("timestamptz(timestamp)", kernel!(|call; a: Timestamp| zone::to_instant(&call.context.format.time_zone, a))),
        f("timestamp(date, time)", kernel!(|a: Date, b: Time| date_time(a, b))),
        f(
            "timestamptz(date, time)",
            kernel!(|call; a: Date, b: Time| zone::to_instant(&call.context.format.time_zone, date_time(a, b)?)),
        ),
        f("timestamptz(date, timetz)", kernel!(|a: Date, b: TimeTz| date_timetz(a, b))),
        f("+(date, time)", kernel!(|a: Date, b: Time| date_time(a, b))),
        f("+(time, date)", kernel!(|b: Time, a: Date| date_time(a, b))),
        f("+(date, timetz)", kernel!(|a: Date, b: TimeTz| date_timetz(a, b))),
        f("+(timetz, date)", kernel!(|b: TimeTz, a: Date| date_timetz(a, b))),
    ]
}

fn date_time(date: Date, time: Time) -> Result<Timestamp> {
    let midnight = date.midnight()?;
    if !midnight.is_finite() {
        return Ok(midnight);
    }
    Timestamp::from_micros(midnight.0.saturating_add(time.0))
}

fn date_timetz(date: Date, time: TimeTz) -> Result<TimestampTz> {
    let midnight = date.midnight()?;
    if !midnight.is_finite() {
        return Ok(TimestampTz(midnight.0));
    }
    let instant = Timestamp::from_micros(midnight.0.saturating_add(time.micros + i64::from(time.west) * SECOND))?;
    Ok(TimestampTz(instant.0))
}

fn of_times() -> Vec<Row> {
    vec![
        f("time(timestamp)", kernel!(|a: Timestamp| a.is_finite().then(|| Time(a.time_of_day())))),
        f(
            "time(timestamptz)",
            kernel!(|call; a: TimestampTz| {
                let local = zone::to_local(&call.context.format.time_zone, a)?;
                Ok::<_, Error>(local.is_finite().then(|| Time(local.time_of_day())))
            }),
        ),
        f("time(timetz)", kernel!(|a: TimeTz| Time(a.micros))),
        f("time(interval)", kernel!(|a: Interval| Time(a.micros.rem_euclid(DAY)))),
        f("interval(time)", kernel!(|a: Time| Interval { micros: a.0, ..Interval::default() })),
        f(
            "timetz(timestamptz)",
            kernel!(|call; a: TimestampTz| {
                let zone = &call.context.format.time_zone;
                let local = zone::to_local(zone, a)?;
                let west = -zone::offset_at(zone, a.0) as i32;
                Ok::<_, Error>(local.is_finite().then(|| TimeTz { micros: local.time_of_day(), west }))
            }),
        ),
        f(
            "timetz(time)",
            kernel!(|call; a: Time| {
                let zone = &call.context.format.time_zone;
                TimeTz { micros: a.0, west: -zone::offset_at(zone, call.context.transaction_start) as i32 }
            }),
        ),
    ]
}

fn to_precision() -> Vec<Row> {
    vec![
        f("timestamp(timestamp, int4)", kernel!(|a: Timestamp, typmod: i32| timestamp(a, typmod))),
        f(
            "timestamptz(timestamptz, int4)",
            kernel!(
                |a: TimestampTz, typmod: i32| timestamp(Timestamp(a.0), typmod).map(|rounded| TimestampTz(rounded.0))
            ),
        ),
        f("time(time, int4)", kernel!(|a: Time, typmod: i32| Time(rounded(a.0, typmod)))),
        f("timetz(timetz, int4)", kernel!(|a: TimeTz, typmod: i32| TimeTz { micros: rounded(a.micros, typmod), ..a })),
        f("interval(interval, int4)", kernel!(|a: Interval, typmod: i32| interval(a, typmod))),
    ]
}

/// Rounded half away from zero to so many digits of seconds; negative is no change.
pub fn rounded(micros: i64, digits: i32) -> i64 {
    let Ok(digits @ 0..=5) = u32::try_from(digits) else { return micros };
    let unit = 10i64.pow(6 - digits);
    let half = if micros < 0 { -unit / 2 } else { unit / 2 };
    micros.saturating_add(half) / unit * unit
}

fn timestamp(value: Timestamp, typmod: i32) -> Result<Timestamp> {
    if typmod > 6 {
        return Err(Error::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("timestamp({typmod}) precision must be between 0 and 6"),
        ));
    }
    if !value.is_finite() || typmod < 0 {
        return Ok(value);
    }
    Timestamp::from_micros(rounded(value.0, typmod)).map_err(|_| timestamp_out_of_range())
}

// Bits of an interval's range, by field (`INTERVAL_MASK`).
const MONTH: i32 = 1 << 1;
const YEAR: i32 = 1 << 2;
const DAYS: i32 = 1 << 3;
const HOURS: i32 = 1 << 10;
const MINUTES: i32 = 1 << 11;
const SECONDS: i32 = 1 << 12;

/// Cuts an interval to the fields of its type and rounds its seconds.
fn interval(value: Interval, typmod: i32) -> Result<Interval> {
    if typmod < 0 {
        return Ok(value);
    }
    let mut value = value;
    let range = type_name::interval_range(typmod);
    if range != 0x7FFF {
        if range & (MONTH | DAYS | HOURS | MINUTES | SECONDS) == 0 && range & YEAR != 0 {
            value.months = value.months / 12 * 12;
        }
        if range & (DAYS | HOURS | MINUTES | SECONDS) == 0 {
            value.days = 0;
        }
        value.micros = match range & (HOURS | MINUTES | SECONDS) {
            0 => 0,
            HOURS => value.micros / HOUR * HOUR,
            fields if fields & SECONDS == 0 => value.micros / MINUTE * MINUTE,
            _ => value.micros,
        };
    }
    let precision = type_name::interval_precision(typmod);
    if (0..6).contains(&precision) {
        value.micros = rounded(value.micros, precision);
    }
    if value.micros == i64::MIN {
        return Err(interval_out_of_range());
    }
    Ok(value)
}
