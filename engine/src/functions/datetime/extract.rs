//! `extract` (numeric) and `date_part` (double precision).

use std::borrow::Cow;

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, sqlstate};

use super::calendar::{DAY, Fields, HOUR, MINUTE, SECOND, day_of_week, day_of_year, iso_week, julian};
use super::zone;
use crate::functions::Call;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz};

pub fn functions() -> Vec<Row> {
    vec![
        f("extract(text, timestamp)", kernel!(|field: &str, a: Timestamp| of_timestamp(field, a, None, TIMESTAMP))),
        f("extract(text, timestamptz)", kernel!(|call; field: &str, a: TimestampTz| of_instant(field, a, call))),
        f("extract(text, date)", kernel!(|field: &str, a: Date| of_date(field, a))),
        f("extract(text, time)", kernel!(|field: &str, a: Time| of_time(field, a.0, None, "time without time zone"))),
        f(
            "extract(text, timetz)",
            kernel!(|field: &str, a: TimeTz| of_time(field, a.micros, Some(a.west), "time with time zone")),
        ),
        f("extract(text, interval)", kernel!(|field: &str, a: Interval| of_interval(field, a))),
        f(
            "date_part(text, timestamp)",
            kernel!(|field: &str, a: Timestamp| float(of_timestamp(field, a, None, TIMESTAMP))),
        ),
        f(
            "date_part(text, timestamptz)",
            kernel!(|call; field: &str, a: TimestampTz| float(of_instant(field, a, call))),
        ),
        f(
            "date_part(text, date)",
            kernel!(|field: &str, a: Date| float(of_timestamp(field, a.midnight()?, None, TIMESTAMP))),
        ),
        f(
            "date_part(text, time)",
            kernel!(|field: &str, a: Time| float(of_time(field, a.0, None, "time without time zone"))),
        ),
        f(
            "date_part(text, timetz)",
            kernel!(|field: &str, a: TimeTz| float(of_time(field, a.micros, Some(a.west), "time with time zone"))),
        ),
        f("date_part(text, interval)", kernel!(|field: &str, a: Interval| float(of_interval(field, a)))),
    ]
}

const TIMESTAMP: &str = "timestamp without time zone";

fn float(value: Result<Option<Numeric>>) -> Result<Option<f64>> {
    Ok(value?.map(|value| value.to_f64()))
}

fn whole(value: i64) -> Option<Numeric> {
    Some(Numeric::from(value))
}

/// A number of microseconds with so many decimal places.
fn scaled(micros: i128, scale: u32) -> Option<Numeric> {
    Some(Numeric::Small { mantissa: micros, scale })
}

/// Field names with their other spellings (`DecodeUnits`, `DecodeSpecial`).
fn canonical(field: &str) -> Cow<'_, str> {
    let lower = match field.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(field.to_ascii_lowercase()),
        false => Cow::Borrowed(field),
    };
    Cow::Borrowed(match lower.as_ref() {
        "years" | "y" | "yr" | "yrs" => "year",
        "months" | "mon" | "mons" => "month",
        "days" | "d" => "day",
        "hours" | "h" | "hr" | "hrs" => "hour",
        "minutes" | "m" | "min" | "mins" => "minute",
        "seconds" | "s" | "sec" | "secs" => "second",
        "milliseconds" | "ms" | "msec" | "msecs" => "millisecond",
        "microseconds" | "us" | "usec" | "usecs" => "microsecond",
        "weeks" | "w" => "week",
        "decades" | "dec" | "decs" => "decade",
        "centuries" | "c" | "cent" => "century",
        "millennia" | "mil" | "mils" => "millennium",
        "qtr" => "quarter",
        _ => return lower,
    })
}

fn unknown(field: &str, ty: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unit \"{field}\" not recognized for type {ty}"))
}

fn unsupported(field: &str, ty: &str) -> Error {
    Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("unit \"{field}\" not supported for type {ty}"))
}

/// Years are counted without a year 0 outside the program.
fn shown_year(year: i64) -> i64 {
    if year > 0 { year } else { year - 1 }
}

fn century(year: i64) -> i64 {
    if year > 0 { (year + 99) / 100 } else { -((99 - (year - 1)) / 100) }
}

fn millennium(year: i64) -> i64 {
    if year > 0 { (year + 999) / 1000 } else { -((999 - (year - 1)) / 1000) }
}

fn decade(year: i64) -> i64 {
    year.div_euclid(10)
}

/// Fields that grow with time: infinite for infinite input. The others are null then.
fn of_infinity(field: &str, negative: bool, ty: &str) -> Result<Option<Numeric>> {
    match field {
        "year" | "decade" | "century" | "millennium" | "julian" | "isoyear" | "epoch" => {
            Ok(Some(if negative { Numeric::NegInfinity } else { Numeric::Infinity }))
        }
        "microsecond" | "millisecond" | "second" | "minute" | "hour" | "day" | "month" | "quarter" | "week" | "dow"
        | "isodow" | "doy" | "timezone" | "timezone_hour" | "timezone_minute" => Ok(None),
        _ => Err(unknown(field, ty)),
    }
}

fn date_field(field: &str, days: i64) -> Option<i64> {
    let (year, month, day) = super::calendar::civil_from_days(days);
    Some(match field {
        "day" => day,
        "month" => month,
        "quarter" => (month - 1) / 3 + 1,
        "week" => iso_week(days).1,
        "year" => shown_year(year),
        "isoyear" => shown_year(iso_week(days).0),
        "decade" => decade(year),
        "century" => century(year),
        "millennium" => millennium(year),
        "dow" => day_of_week(days),
        "isodow" => (day_of_week(days) + 6) % 7 + 1,
        "doy" => day_of_year(days),
        _ => return None,
    })
}

fn time_field(field: &str, micros: i64) -> Option<Option<Numeric>> {
    Some(match field {
        "microsecond" => whole(micros % MINUTE),
        "millisecond" => scaled((micros % MINUTE).into(), 3),
        "second" => scaled((micros % MINUTE).into(), 6),
        "minute" => whole(micros / MINUTE % 60),
        "hour" => whole(micros / HOUR),
        _ => return None,
    })
}

fn of_timestamp(field: &str, value: Timestamp, east: Option<i64>, ty: &str) -> Result<Option<Numeric>> {
    let name = canonical(field);
    if !value.is_finite() {
        return of_infinity(&name, value == Timestamp::NEG_INFINITY, ty);
    }
    if let Some(number) = date_field(&name, value.days()) {
        return Ok(whole(number));
    }
    if let Some(number) = time_field(&name, value.time_of_day()) {
        return Ok(number);
    }
    match (name.as_ref(), east) {
        ("epoch", _) => Ok(scaled(i128::from(value.0) - i128::from(east.unwrap_or(0) * SECOND), 6)),
        ("julian", _) => {
            let julian = Numeric::from(julian(value.days()));
            let part = Numeric::from(value.time_of_day()).div(&Numeric::from(DAY))?;
            Ok(Some(julian.add(&part)?))
        }
        ("timezone", Some(east)) => Ok(whole(east)),
        ("timezone_hour", Some(east)) => Ok(whole(east / 3600)),
        ("timezone_minute", Some(east)) => Ok(whole(east / 60 % 60)),
        ("timezone" | "timezone_hour" | "timezone_minute", None) => Err(unsupported(field, ty)),
        _ => Err(unknown(field, ty)),
    }
}

fn of_instant(field: &str, value: TimestampTz, call: &Call<'_>) -> Result<Option<Numeric>> {
    let zone = &call.context.format.time_zone;
    let local = zone::to_local(zone, value)?;
    let east = if local.is_finite() { i64::from(zone.offset_at(value.0)) } else { 0 };
    of_timestamp(field, local, Some(east), "timestamp with time zone")
}

fn of_date(field: &str, value: Date) -> Result<Option<Numeric>> {
    let name = canonical(field);
    if !value.is_finite() {
        return match name.as_ref() {
            "day" | "month" | "quarter" | "week" | "dow" | "isodow" | "doy" => Ok(None),
            "year" | "decade" | "century" | "millennium" | "julian" | "isoyear" | "epoch" => {
                of_infinity(&name, value == Date::NEG_INFINITY, "date")
            }
            _ => Err(unsupported(field, "date")),
        };
    }
    let days = i64::from(value.0);
    match name.as_ref() {
        "epoch" => Ok(whole(days * (DAY / SECOND))),
        "julian" => Ok(whole(julian(days))),
        "microsecond" | "millisecond" | "second" | "minute" | "hour" | "timezone" | "timezone_hour"
        | "timezone_minute" => Err(unsupported(field, "date")),
        name => date_field(name, days).map(whole).ok_or_else(|| unknown(field, "date")),
    }
}

fn of_time(field: &str, micros: i64, west: Option<i32>, ty: &str) -> Result<Option<Numeric>> {
    let name = canonical(field);
    if let Some(number) = time_field(&name, micros) {
        return Ok(number);
    }
    let west_seconds = i64::from(west.unwrap_or(0));
    match (name.as_ref(), west) {
        ("epoch", _) => Ok(scaled((micros + west_seconds * SECOND).into(), 6)),
        ("timezone", Some(_)) => Ok(whole(-west_seconds)),
        ("timezone_hour", Some(_)) => Ok(whole(-west_seconds / 3600)),
        ("timezone_minute", Some(_)) => Ok(whole(-west_seconds / 60 % 60)),
        (
            "day" | "month" | "year" | "quarter" | "week" | "decade" | "century" | "millennium" | "dow" | "doy"
            | "isodow" | "isoyear" | "julian" | "timezone" | "timezone_hour" | "timezone_minute",
            _,
        ) => Err(unsupported(field, ty)),
        _ => Err(unknown(field, ty)),
    }
}

fn of_interval(field: &str, value: Interval) -> Result<Option<Numeric>> {
    let name = canonical(field);
    let years = i64::from(value.months / 12);
    if let Some(number) = time_field(&name, value.micros) {
        return Ok(number);
    }
    Ok(match name.as_ref() {
        "day" => whole(value.days.into()),
        "month" => whole((value.months % 12).into()),
        "quarter" => whole(i64::from(value.months % 12) / 3 + 1),
        "year" => whole(years),
        "decade" => whole(years / 10),
        "century" => whole(years / 100),
        "millennium" => whole(years / 1000),
        // A year is 365.25 days here.
        "epoch" => {
            let days = i128::from(value.months / 12) * 1461 * 6 * 3600
                + i128::from(value.months % 12) * 30 * 86_400
                + i128::from(value.days) * 86_400;
            scaled(days * 1_000_000 + i128::from(value.micros), 6)
        }
        "week" | "dow" | "doy" | "isodow" | "isoyear" | "julian" | "timezone" | "timezone_hour" | "timezone_minute" => {
            return Err(unsupported(field, "interval"));
        }
        _ => return Err(unknown(field, "interval")),
    })
}

/// Which unit `date_trunc` cuts at.
pub fn truncate(field: &str, value: Timestamp, ty: &str) -> Result<Timestamp> {
    let name = canonical(field);
    if !value.is_finite() {
        return of_infinity(&name, false, ty).map(|_| value);
    }
    let micros = value.time_of_day();
    let cut = |unit: i64| Timestamp::from_micros(value.0.div_euclid(unit) * unit);
    let day = |days: i64| Timestamp::from_parts(days, 0);
    let fields = || -> Fields { value.fields() };
    let start_of_year = |year: i64| day(super::calendar::days_from_civil(year, 1, 1));
    match name.as_ref() {
        "microsecond" => Ok(value),
        "millisecond" => cut(1000),
        "second" => cut(SECOND),
        "minute" => cut(MINUTE),
        "hour" => Timestamp::from_micros(value.0 - micros % HOUR),
        "day" => day(value.days()),
        "week" => day(value.days() - (day_of_week(value.days()) + 6) % 7),
        "month" => day(super::calendar::days_from_civil(fields().year, fields().month, 1)),
        "quarter" => day(super::calendar::days_from_civil(fields().year, (fields().month - 1) / 3 * 3 + 1, 1)),
        "year" => start_of_year(fields().year),
        "decade" => start_of_year(fields().year.div_euclid(10) * 10),
        // The first century began in the year 1.
        "century" => start_of_year((fields().year - 1).div_euclid(100) * 100 + 1),
        "millennium" => start_of_year((fields().year - 1).div_euclid(1000) * 1000 + 1),
        "dow" | "doy" | "isodow" | "isoyear" | "epoch" | "julian" | "timezone" | "timezone_hour"
        | "timezone_minute" => Err(unsupported(field, ty)),
        _ => Err(unknown(field, ty)),
    }
}

/// What a unit of which all are of one length takes.
pub fn length_of_unit(field: &str) -> Option<i64> {
    Some(match canonical(field).as_ref() {
        "microsecond" => 1,
        "millisecond" => 1000,
        "second" => SECOND,
        "minute" => MINUTE,
        "hour" => HOUR,
        "day" => DAY,
        "week" => 7 * DAY,
        _ => return None,
    })
}

pub fn truncate_interval(field: &str, value: Interval) -> Result<Interval> {
    let name = canonical(field);
    let months = |unit: i32| Interval::new(value.months / unit * unit, 0, 0);
    let micros = |unit: i64| Interval::new(value.months, value.days, value.micros / unit * unit);
    Ok(match name.as_ref() {
        "microsecond" => value,
        "millisecond" => micros(1000),
        "second" => micros(SECOND),
        "minute" => micros(MINUTE),
        "hour" => micros(HOUR),
        "day" => Interval::new(value.months, value.days, 0),
        "month" => months(1),
        "quarter" => months(3),
        "year" => months(12),
        "decade" => months(120),
        "century" => months(1200),
        "millennium" => months(12_000),
        "week" => {
            return Err(unsupported(field, "interval").with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(unknown(field, "interval")),
    })
}
