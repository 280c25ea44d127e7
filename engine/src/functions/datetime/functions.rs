//! Date/time functions: the current time, truncation, construction, zones.

use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::types::interval::{justify_days, justify_hours, justify_interval};
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, TimestampMicrosecondArray};
use arrow::datatypes::TimestampMicrosecondType;

use super::arithmetic::{add_interval, add_interval_in, age, turned};
use super::calendar::{
    DAY, HOUR, MINUTE, SECOND, days_from_civil, days_in_month, interval_out_of_range, timestamp_out_of_range,
};
use super::extract::{length_of_unit, truncate, truncate_interval};
use super::zone;
use crate::functions::Call;
use crate::functions::kernel::{Inputs, batch, kernel, volatile};
use crate::functions::signature::{Row, f};
use crate::functions::value::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz};

pub fn functions() -> Vec<Row> {
    [current(), truncation(), construction(), ages(), zones(), finiteness(), overlaps()].into_iter().flatten().collect()
}

/// µs since 1970-01-01 UTC.
pub fn clock() -> i64 {
    match std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH) {
        Ok(since) => since.as_micros() as i64,
        Err(before) => -(before.duration().as_micros() as i64),
    }
}

fn current() -> Vec<Row> {
    vec![
        f("now()", kernel!(|call;| TimestampTz(call.context.transaction_start))),
        f("transaction_timestamp()", kernel!(|call;| TimestampTz(call.context.transaction_start))),
        f("statement_timestamp()", kernel!(|call;| TimestampTz(call.context.statement_start))),
        f("clock_timestamp()", volatile!(|| TimestampTz(clock()))),
        f(
            "timeofday()",
            volatile!(|call;| {
                let now = clock();
                let zone = &call.context.format.time_zone;
                let local = zone::to_local(zone, TimestampTz(now))?;
                let fields = local.fields();
                const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
                const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
                Ok::<_, Error>(format!(
                    "{} {} {:02} {:02}:{:02}:{:02}.{:06} {} {}",
                    DAYS[super::calendar::day_of_week(local.days()) as usize],
                    MONTHS[(fields.month - 1) as usize],
                    fields.day,
                    fields.hour,
                    fields.minute,
                    fields.micros / SECOND,
                    fields.micros % SECOND,
                    fields.year,
                    zone.abbreviation_at(now)
                ))
            }),
        ),
    ]
}

fn truncation() -> Vec<Row> {
    const INSTANT: &str = "timestamp with time zone";
    vec![
        f(
            "date_trunc(text, timestamp)",
            batch(|call, inputs| {
                let cut = |field: &str, time| Ok(truncate(field, Timestamp(time), "timestamp without time zone")?.0);
                truncate_all(call, inputs, true, cut)
            }),
        ),
        f(
            "date_trunc(text, timestamptz)",
            batch(|call, inputs| {
                let zone = &call.context.format.time_zone;
                let cut = |field: &str, time| {
                    let local = zone::to_local(zone, TimestampTz(time))?;
                    Ok(zone::to_instant(zone, truncate(field, local, INSTANT)?)?.0)
                };
                truncate_all(call, inputs, zone.is_fixed(), cut)
            }),
        ),
        f(
            "date_trunc(text, timestamptz, text)",
            kernel!(|field: &str, a: TimestampTz, name: &str| {
                if !Timestamp(a.0).is_finite() {
                    return Ok(a);
                }
                let zone = zone::find(name)?;
                let local = zone.utc_to_local(a.0).ok_or_else(timestamp_out_of_range)?;
                let cut = truncate(field, Timestamp(local), INSTANT)?;
                zone.local_to_utc(cut.0).map(TimestampTz).ok_or_else(timestamp_out_of_range)
            }),
        ),
        f("date_trunc(text, interval)", kernel!(|field: &str, a: Interval| truncate_interval(field, a))),
        f(
            "date_bin(interval, timestamp, timestamp)",
            kernel!(|stride: Interval, a: Timestamp, origin: Timestamp| bin(stride, a.0, origin.0).map(Timestamp)),
        ),
        f(
            "date_bin(interval, timestamptz, timestamptz)",
            kernel!(|stride: Interval, a: TimestampTz, origin: TimestampTz| bin(stride, a.0, origin.0).map(TimestampTz)),
        ),
        f("justify_days(interval)", kernel!(|a: Interval| justify_days(a))),
        f("justify_hours(interval)", kernel!(|a: Interval| justify_hours(a))),
        f("justify_interval(interval)", kernel!(|a: Interval| justify_interval(a))),
    ]
}

/// `date_trunc` of a column. Times often share their unit with the one before: where clocks are never set (`steady`), all from the unit's start to
/// its end, else those that are equal.
fn truncate_all(
    call: &Call<'_>,
    inputs: &Inputs,
    steady: bool,
    cut: impl Fn(&str, i64) -> Result<i64>,
) -> Result<ArrayRef> {
    let fields = inputs.reader::<&str>(0)?;
    let times = inputs.array(1).and_then(|array| array.as_primitive_opt::<TimestampMicrosecondType>());
    let times = times.ok_or_else(|| Error::internal("date_trunc needs a timestamp"))?;
    let (constant, one) = (inputs.is_constant(0), inputs.is_constant(1));
    let length = if constant && !fields.skips(0) { length_of_unit(fields.get(0)).unwrap_or(0) } else { 0 };
    // The times of this range have this start.
    let mut unit: Option<(Range<i64>, i64)> = None;
    let mut starts = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        let at = if one { 0 } else { row };
        if fields.skips(row) || times.is_null(at) {
            starts.push(None);
            continue;
        }
        let time = times.value(at);
        let known = unit.as_ref().filter(|(range, _)| range.contains(&time)).map(|(_, start)| *start);
        let start = match known {
            Some(start) => start,
            None => {
                let start = cut(fields.get(row), time)?;
                let range = match steady {
                    true => start..time.saturating_add(1).max(start.saturating_add(length)),
                    false => time..time.saturating_add(1),
                };
                unit = constant.then_some((range, start)).filter(|_| Timestamp(time).is_finite());
                start
            }
        };
        starts.push(Some(start));
    }
    let starts = TimestampMicrosecondArray::from(starts);
    Ok(Arc::new(starts.with_data_type(times.data_type().clone())))
}

fn bin(stride: Interval, value: i64, origin: i64) -> Result<i64> {
    if !Timestamp(value).is_finite() {
        return Ok(value);
    }
    if !Timestamp(origin).is_finite() {
        return Err(Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, "origin out of range"));
    }
    if stride.months != 0 {
        return Err(Error::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let width = i64::from(stride.days)
        .checked_mul(DAY)
        .and_then(|days| days.checked_add(stride.micros))
        .ok_or_else(interval_out_of_range)?;
    if width <= 0 {
        return Err(Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, "stride must be greater than zero"));
    }
    let distance = value.checked_sub(origin).ok_or_else(interval_out_of_range)?;
    Ok(Timestamp::from_micros(origin + distance.div_euclid(width) * width)?.0)
}

fn field_error(kind: &str, text: String) -> Error {
    Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, format!("{kind} field value out of range: {text}"))
}

/// A negative year is BC.
fn make_date(year: i32, month: i32, day: i32) -> Result<Date> {
    let refuse = || field_error("date", format!("{year}-{month:02}-{day:02}"));
    let civil = if year < 0 { i64::from(year) + 1 } else { i64::from(year) };
    let valid =
        year != 0 && (1..=12).contains(&month) && day >= 1 && i64::from(day) <= days_in_month(civil, month.into());
    if !valid {
        return Err(refuse());
    }
    Date::from_days(days_from_civil(civil, month.into(), day.into())).map_err(|_| {
        Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, format!("date out of range: {year}-{month:02}-{day:02}"))
    })
}

fn make_time(hour: i32, minute: i32, second: f64) -> Result<Time> {
    let valid = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60.0).contains(&second);
    let micros = i64::from(hour) * HOUR + i64::from(minute) * MINUTE + (second * 1e6).round_ties_even() as i64;
    if !valid || micros > DAY {
        return Err(field_error("time", format!("{hour}:{minute:02}:{second:02}")));
    }
    Ok(Time(micros))
}

fn make_timestamp(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64) -> Result<Timestamp> {
    let date = make_date(year, month, day)?;
    Timestamp::from_parts(date.0.into(), make_time(hour, minute, second)?.0)
}

fn make_interval(months: [i32; 2], days: [i32; 2], hours: i32, minutes: i32, seconds: f64) -> Result<Interval> {
    let seconds = (seconds * 1e6).round_ties_even();
    if !seconds.is_finite() || seconds.abs() > 9e18 {
        return Err(interval_out_of_range());
    }
    let months = months[0].checked_mul(12).and_then(|years| years.checked_add(months[1]));
    let days = days[0].checked_mul(7).and_then(|weeks| weeks.checked_add(days[1]));
    let micros = (i64::from(hours) * HOUR + i64::from(minutes) * MINUTE).checked_add(seconds as i64);
    match (months, days, micros) {
        (Some(months), Some(days), Some(micros)) => Ok(Interval::new(months, days, micros)),
        _ => Err(interval_out_of_range()),
    }
}

fn construction() -> Vec<Row> {
    vec![
        f("make_date(int4, int4, int4)", kernel!(|y: i32, m: i32, d: i32| make_date(y, m, d))),
        f("make_time(int4, int4, float8)", kernel!(|h: i32, m: i32, s: f64| make_time(h, m, s))),
        f(
            "make_timestamp(int4, int4, int4, int4, int4, float8)",
            kernel!(|y: i32, mo: i32, d: i32, h: i32, mi: i32, s: f64| make_timestamp(y, mo, d, h, mi, s)),
        ),
        f(
            "make_timestamptz(int4, int4, int4, int4, int4, float8)",
            kernel!(|call; y: i32, mo: i32, d: i32, h: i32, mi: i32, s: f64| {
                zone::to_instant(&call.context.format.time_zone, make_timestamp(y, mo, d, h, mi, s)?)
            }),
        ),
        f(
            "make_timestamptz(int4, int4, int4, int4, int4, float8, text)",
            kernel!(|y: i32, mo: i32, d: i32, h: i32, mi: i32, s: f64, name: &str| {
                let local = make_timestamp(y, mo, d, h, mi, s)?;
                zone::find(name)?.local_to_utc(local.0).map(TimestampTz).ok_or_else(timestamp_out_of_range)
            }),
        ),
        f(
            "make_interval(int4, int4, int4, int4, int4, int4, float8)",
            kernel!(|y: i32, mo: i32, w: i32, d: i32, h: i32, mi: i32, s: f64| make_interval(
                [y, mo],
                [w, d],
                h,
                mi,
                s
            )),
        ),
        f("to_timestamp(float8)", kernel!(|seconds: f64| to_timestamp(seconds))),
    ]
}

fn to_timestamp(seconds: f64) -> Result<TimestampTz> {
    if seconds.is_nan() {
        return Err(Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(TimestampTz(if seconds > 0.0 { i64::MAX } else { i64::MIN }));
    }
    let refuse = || Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, format!("timestamp out of range: \"{seconds}\""));
    let micros = (seconds * 1e6).round_ties_even();
    if micros.abs() > 9.2e18 {
        return Err(refuse());
    }
    Timestamp::from_micros(micros as i64).map(|at| TimestampTz(at.0)).map_err(|_| refuse())
}

fn ages() -> Vec<Row> {
    vec![
        f("age(timestamp, timestamp)", kernel!(|a: Timestamp, b: Timestamp| age(a, b))),
        f(
            "age(timestamptz, timestamptz)",
            kernel!(|call; a: TimestampTz, b: TimestampTz| {
                let zone = &call.context.format.time_zone;
                age(zone::to_local(zone, a)?, zone::to_local(zone, b)?)
            }),
        ),
        f(
            "age(timestamp)",
            kernel!(|call; a: Timestamp| {
                let today = zone::to_local(&call.context.format.time_zone, TimestampTz(call.context.transaction_start))?;
                age(today.date()?.midnight()?, a)
            }),
        ),
        f(
            "age(timestamptz)",
            kernel!(|call; a: TimestampTz| {
                let zone = &call.context.format.time_zone;
                let today = zone::to_local(zone, TimestampTz(call.context.transaction_start))?;
                age(today.date()?.midnight()?, zone::to_local(zone, a)?)
            }),
        ),
    ]
}

fn zones() -> Vec<Row> {
    vec![
        f(
            "timezone(text, timestamptz)",
            kernel!(|name: &str, a: TimestampTz| {
                if !Timestamp(a.0).is_finite() {
                    return Ok(Timestamp(a.0));
                }
                zone::find(name)?.utc_to_local(a.0).map(Timestamp).ok_or_else(timestamp_out_of_range)
            }),
        ),
        f(
            "timezone(text, timestamp)",
            kernel!(|name: &str, a: Timestamp| {
                if !a.is_finite() {
                    return Ok(TimestampTz(a.0));
                }
                zone::find(name)?.local_to_utc(a.0).map(TimestampTz).ok_or_else(timestamp_out_of_range)
            }),
        ),
        f(
            "timezone(interval, timestamptz)",
            kernel!(|by: Interval, a: TimestampTz| {
                let east = zone::of_interval(by)?;
                if Timestamp(a.0).is_finite() {
                    Timestamp::from_micros(a.0 + east * SECOND)
                } else {
                    Ok(Timestamp(a.0))
                }
            }),
        ),
        f(
            "timezone(interval, timestamp)",
            kernel!(|by: Interval, a: Timestamp| {
                let east = zone::of_interval(by)?;
                let instant = if a.is_finite() { Timestamp::from_micros(a.0 - east * SECOND)? } else { a };
                Ok::<_, Error>(TimestampTz(instant.0))
            }),
        ),
    ]
}

fn finiteness() -> Vec<Row> {
    vec![
        f("isfinite(date)", kernel!(|a: Date| a.is_finite())),
        f("isfinite(timestamp)", kernel!(|a: Timestamp| a.is_finite())),
        f("isfinite(timestamptz)", kernel!(|a: TimestampTz| Timestamp(a.0).is_finite())),
        f("isfinite(interval)", kernel!(|_a: Interval| true)),
    ]
}

/// Two periods given by their ends, in any order; a null end makes an open question of it (`overlaps_timestamp`).
fn overlap<T: Ord + Copy>(a: [Option<T>; 2], b: [Option<T>; 2]) -> Option<bool> {
    let period = |ends: [Option<T>; 2]| match ends {
        [None, None] => None,
        [Some(start), Some(end)] if start > end => Some((end, Some(start))),
        [Some(start), end] => Some((start, end)),
        [None, Some(end)] => Some((end, None)),
    };
    let ((start_a, end_a), (start_b, end_b)) = (period(a)?, period(b)?);
    let (first_end, later_start, later_end) = match start_a.cmp(&start_b) {
        std::cmp::Ordering::Less => (end_a, start_b, end_b),
        std::cmp::Ordering::Greater => (end_b, start_a, end_a),
        std::cmp::Ordering::Equal => return if end_a.is_some() && end_b.is_some() { Some(true) } else { None },
    };
    match first_end {
        None => None,
        Some(end) if later_start < end => Some(true),
        // Whatever the later period's end is, it starts too late.
        Some(_) if later_end.is_none() => None,
        Some(_) => Some(false),
    }
}

fn overlaps() -> Vec<Row> {
    macro_rules! periods {
        ($name:literal, $ty:ty) => {
            f(
                concat!("overlaps(", $name, ", ", $name, ", ", $name, ", ", $name, ")"),
                kernel!(|a: Option<$ty>, b: Option<$ty>, c: Option<$ty>, d: Option<$ty>| overlap([a, b], [c, d])),
            )
        };
    }
    macro_rules! lengths {
        ($name:literal, $ty:ty, $end:expr) => {
            [
                f(
                    concat!("overlaps(", $name, ", interval, ", $name, ", interval)"),
                    kernel!(|call; a: Option<$ty>, b: Option<Interval>, c: Option<$ty>, d: Option<Interval>| {
                        Ok::<_, Error>(overlap([a, end_of(call, a, b, $end)?], [c, end_of(call, c, d, $end)?]))
                    }),
                ),
                f(
                    concat!("overlaps(", $name, ", ", $name, ", ", $name, ", interval)"),
                    kernel!(|call; a: Option<$ty>, b: Option<$ty>, c: Option<$ty>, d: Option<Interval>| {
                        Ok::<_, Error>(overlap([a, b], [c, end_of(call, c, d, $end)?]))
                    }),
                ),
                f(
                    concat!("overlaps(", $name, ", interval, ", $name, ", ", $name, ")"),
                    kernel!(|call; a: Option<$ty>, b: Option<Interval>, c: Option<$ty>, d: Option<$ty>| {
                        Ok::<_, Error>(overlap([a, end_of(call, a, b, $end)?], [c, d]))
                    }),
                ),
            ]
        };
    }
    let mut rows = vec![
        periods!("timestamp", Timestamp),
        periods!("timestamptz", TimestampTz),
        periods!("time", Time),
        f(
            "overlaps(timetz, timetz, timetz, timetz)",
            kernel!(|a: Option<TimeTz>, b: Option<TimeTz>, c: Option<TimeTz>, d: Option<TimeTz>| {
                // UTC first, then the zone.
                let key = |time: TimeTz| (time.micros + i64::from(time.west) * 1_000_000, time.west);
                overlap([a.map(key), b.map(key)], [c.map(key), d.map(key)])
            }),
        ),
    ];
    rows.extend(lengths!("timestamp", Timestamp, |_, start, by| add_interval(start, by)));
    rows.extend(lengths!("timestamptz", TimestampTz, |call: &Call<'_>, start, by| {
        add_interval_in(&call.context.format.time_zone, start, by)
    }));
    rows.extend(lengths!("time", Time, |_, start: Time, by: Interval| Ok(Time(turned(start.0, by.micros)))));
    rows
}

fn end_of<T>(
    call: &Call<'_>,
    start: Option<T>,
    by: Option<Interval>,
    end: impl Fn(&Call<'_>, T, Interval) -> Result<T>,
) -> Result<Option<T>> {
    start.zip(by).map(|(start, by)| end(call, start, by)).transpose()
}
