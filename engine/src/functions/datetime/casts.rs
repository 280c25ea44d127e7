//! Casts between the date/time types, and to a precision.

use aegis_catalog::{Error, Result, sqlstate};

use super::calendar::{DAY, SECOND, timestamp_out_of_range};
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
        f("interval(time)", kernel!(|a: Time| Interval::new(0, 0, a.0))),
        f(
            "timetz(timestamptz)",
            kernel!(|call; a: TimestampTz| {
                let zone = &call.context.format.time_zone;
                let local = zone::to_local(zone, a)?;
                let west = -zone.offset_at(a.0);
                Ok::<_, Error>(local.is_finite().then(|| TimeTz { micros: local.time_of_day(), west }))
            }),
        ),
        f(
            "timetz(time)",
            kernel!(|call; a: Time| {
                let zone = &call.context.format.time_zone;
                TimeTz { micros: a.0, west: -zone.offset_at(call.context.transaction_start) }
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
        f("interval(interval, int4)", kernel!(|a: Interval, typmod: i32| a.apply_typmod(typmod))),
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
