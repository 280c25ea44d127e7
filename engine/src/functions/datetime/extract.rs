//! `extract` (numeric) and `date_part` (double precision).

use std::borrow::Cow;
use std::sync::Arc;

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, sqlstate};

use super::calendar::{DAY, Fields, HOUR, MINUTE, SECOND, day_of_week, day_of_year, iso_week, julian};
use super::zone;
use crate::functions::kernel::Inputs;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Date, Interval, Read, Time, TimeTz, Timestamp, TimestampTz, Write};
use crate::functions::{Body, Call};

pub fn functions() -> Vec<Row> {
    vec![
        f("extract(text, timestamp)", of_column(|unit, a: Timestamp, _| of_timestamp(unit, a, None, TIMESTAMP))),
        f("extract(text, timestamptz)", of_column(of_instant)),
        f("extract(text, date)", of_column(|unit, a: Date, _| of_date(unit, a))),
        f("extract(text, time)", of_column(|unit, a: Time, _| of_time(unit, a.0, None, TIME))),
        f("extract(text, timetz)", of_column(|unit, a: TimeTz, _| of_time(unit, a.micros, Some(a.west), TIME_TZ))),
        f("extract(text, interval)", of_column(|unit, a: Interval, _| of_interval(unit, a))),
        f(
            "date_part(text, timestamp)",
            of_column(|unit, a: Timestamp, _| float(of_timestamp(unit, a, None, TIMESTAMP))),
        ),
        f("date_part(text, timestamptz)", of_column(|unit, a, call| float(of_instant(unit, a, call)))),
        f(
            "date_part(text, date)",
            of_column(|unit, a: Date, _| float(of_timestamp(unit, a.midnight()?, None, TIMESTAMP))),
        ),
        f("date_part(text, time)", of_column(|unit, a: Time, _| float(of_time(unit, a.0, None, TIME)))),
        f(
            "date_part(text, timetz)",
            of_column(|unit, a: TimeTz, _| float(of_time(unit, a.micros, Some(a.west), TIME_TZ))),
        ),
        f("date_part(text, interval)", of_column(|unit, a: Interval, _| float(of_interval(unit, a)))),
    ]
}

const TIMESTAMP: &str = "timestamp without time zone";
const TIME: &str = "time without time zone";
const TIME_TZ: &str = "time with time zone";

/// A function of a unit and of values in it. Nearly always the unit is a constant, which is looked up once.
fn of_column<T, V, F>(of: F) -> Body
where
    T: for<'a> Read<'a>,
    V: Write,
    F: Fn(Asked<'_>, T, &Call<'_>) -> Result<Option<V>> + Send + Sync + 'static,
{
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let (names, values) = (inputs.reader::<&str>(0)?, inputs.reader::<T>(1)?);
        let always = (inputs.is_constant(0) && !names.skips(0)).then(|| Asked::new(names.get(0)));
        let skips = |row| names.skips(row) || values.skips(row);
        inputs.run(call.rows, false, skips, |row| {
            let unit = always.unwrap_or_else(|| Asked::new(names.get(row)));
            of(unit, values.get(row), call)
        })
    }))
}

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

/// What times are measured in and made of (`DecodeUnits`, `DecodeSpecial`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    IsoYear,
    Decade,
    Century,
    Millennium,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    Julian,
    Epoch,
    Timezone,
    TimezoneHour,
    TimezoneMinute,
}

impl Unit {
    fn parse(name: &str) -> Option<Self> {
        let lower = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(name.to_ascii_lowercase()),
            false => Cow::Borrowed(name),
        };
        Some(match lower.as_ref() {
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => Self::Microsecond,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => Self::Millisecond,
            "second" | "seconds" | "s" | "sec" | "secs" => Self::Second,
            "minute" | "minutes" | "m" | "min" | "mins" => Self::Minute,
            "hour" | "hours" | "h" | "hr" | "hrs" => Self::Hour,
            "day" | "days" | "d" => Self::Day,
            "week" | "weeks" | "w" => Self::Week,
            "month" | "months" | "mon" | "mons" => Self::Month,
            "quarter" | "qtr" => Self::Quarter,
            "year" | "years" | "y" | "yr" | "yrs" => Self::Year,
            "isoyear" => Self::IsoYear,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "century" | "centuries" | "c" | "cent" => Self::Century,
            "millennium" | "millennia" | "mil" | "mils" => Self::Millennium,
            "dow" => Self::DayOfWeek,
            "isodow" => Self::IsoDayOfWeek,
            "doy" => Self::DayOfYear,
            "julian" => Self::Julian,
            "epoch" => Self::Epoch,
            "timezone" => Self::Timezone,
            "timezone_hour" => Self::TimezoneHour,
            "timezone_minute" => Self::TimezoneMinute,
            _ => return None,
        })
    }
}

/// A unit as a statement names it.
#[derive(Debug, Clone, Copy)]
struct Asked<'a> {
    name: &'a str,
    unit: Option<Unit>,
}

impl<'a> Asked<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, unit: Unit::parse(name) }
    }

    /// The unit, or an error that there is none of that name.
    fn unit(self, ty: &str) -> Result<Unit> {
        self.unit.ok_or_else(|| {
            let name = self.name.to_lowercase();
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unit \"{name}\" not recognized for type {ty}"))
        })
    }

    fn unsupported(self, ty: &str) -> Error {
        let name = self.name.to_lowercase();
        Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("unit \"{name}\" not supported for type {ty}"))
    }
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
fn of_infinity(unit: Unit, negative: bool) -> Option<Numeric> {
    use Unit::{Century, Decade, Epoch, IsoYear, Julian, Millennium, Year};
    let grows = matches!(unit, Year | Decade | Century | Millennium | Julian | IsoYear | Epoch);
    grows.then_some(if negative { Numeric::NegInfinity } else { Numeric::Infinity })
}

fn date_field(unit: Unit, days: i64) -> Option<i64> {
    let civil = || super::calendar::civil_from_days(days);
    Some(match unit {
        Unit::Day => civil().2,
        Unit::Month => civil().1,
        Unit::Quarter => (civil().1 - 1) / 3 + 1,
        Unit::Week => iso_week(days).1,
        Unit::Year => shown_year(civil().0),
        Unit::IsoYear => shown_year(iso_week(days).0),
        Unit::Decade => decade(civil().0),
        Unit::Century => century(civil().0),
        Unit::Millennium => millennium(civil().0),
        Unit::DayOfWeek => day_of_week(days),
        Unit::IsoDayOfWeek => (day_of_week(days) + 6) % 7 + 1,
        Unit::DayOfYear => day_of_year(days),
        _ => return None,
    })
}

fn time_field(unit: Unit, micros: i64) -> Option<Option<Numeric>> {
    Some(match unit {
        Unit::Microsecond => whole(micros % MINUTE),
        Unit::Millisecond => scaled((micros % MINUTE).into(), 3),
        Unit::Second => scaled((micros % MINUTE).into(), 6),
        Unit::Minute => whole(micros / MINUTE % 60),
        Unit::Hour => whole(micros / HOUR),
        _ => return None,
    })
}

fn of_timestamp(asked: Asked<'_>, value: Timestamp, east: Option<i64>, ty: &str) -> Result<Option<Numeric>> {
    let unit = asked.unit(ty)?;
    if !value.is_finite() {
        return Ok(of_infinity(unit, value == Timestamp::NEG_INFINITY));
    }
    if let Some(number) = time_field(unit, value.time_of_day()) {
        return Ok(number);
    }
    if let Some(number) = date_field(unit, value.days()) {
        return Ok(whole(number));
    }
    match (unit, east) {
        (Unit::Epoch, _) => Ok(scaled(i128::from(value.0) - i128::from(east.unwrap_or(0) * SECOND), 6)),
        (Unit::Julian, _) => {
            let julian = Numeric::from(julian(value.days()));
            let part = Numeric::from(value.time_of_day()).div(&Numeric::from(DAY))?;
            Ok(Some(julian.add(&part)?))
        }
        (Unit::Timezone, Some(east)) => Ok(whole(east)),
        (Unit::TimezoneHour, Some(east)) => Ok(whole(east / 3600)),
        (Unit::TimezoneMinute, Some(east)) => Ok(whole(east / 60 % 60)),
        _ => Err(asked.unsupported(ty)),
    }
}

fn of_instant(asked: Asked<'_>, value: TimestampTz, call: &Call<'_>) -> Result<Option<Numeric>> {
    let zone = &call.context.format.time_zone;
    let local = zone::to_local(zone, value)?;
    let east = if local.is_finite() { i64::from(zone.offset_at(value.0)) } else { 0 };
    of_timestamp(asked, local, Some(east), "timestamp with time zone")
}

fn of_date(asked: Asked<'_>, value: Date) -> Result<Option<Numeric>> {
    use Unit::{Hour, Microsecond, Millisecond, Minute, Second, Timezone, TimezoneHour, TimezoneMinute};
    const TYPE: &str = "date";
    let (unit, days) = (asked.unit(TYPE)?, i64::from(value.0));
    match unit {
        Microsecond | Millisecond | Second | Minute | Hour | Timezone | TimezoneHour | TimezoneMinute => {
            Err(asked.unsupported(TYPE))
        }
        _ if !value.is_finite() => Ok(of_infinity(unit, value == Date::NEG_INFINITY)),
        Unit::Epoch => Ok(whole(days * (DAY / SECOND))),
        Unit::Julian => Ok(whole(julian(days))),
        _ => Ok(date_field(unit, days).and_then(whole)),
    }
}

fn of_time(asked: Asked<'_>, micros: i64, west: Option<i32>, ty: &str) -> Result<Option<Numeric>> {
    let unit = asked.unit(ty)?;
    if let Some(number) = time_field(unit, micros) {
        return Ok(number);
    }
    let west_seconds = i64::from(west.unwrap_or(0));
    match (unit, west) {
        (Unit::Epoch, _) => Ok(scaled((micros + west_seconds * SECOND).into(), 6)),
        (Unit::Timezone, Some(_)) => Ok(whole(-west_seconds)),
        (Unit::TimezoneHour, Some(_)) => Ok(whole(-west_seconds / 3600)),
        (Unit::TimezoneMinute, Some(_)) => Ok(whole(-west_seconds / 60 % 60)),
        _ => Err(asked.unsupported(ty)),
    }
}

fn of_interval(asked: Asked<'_>, value: Interval) -> Result<Option<Numeric>> {
    const TYPE: &str = "interval";
    let unit = asked.unit(TYPE)?;
    let years = i64::from(value.months / 12);
    if let Some(number) = time_field(unit, value.micros) {
        return Ok(number);
    }
    Ok(match unit {
        Unit::Day => whole(value.days.into()),
        Unit::Month => whole((value.months % 12).into()),
        Unit::Quarter => whole(i64::from(value.months % 12) / 3 + 1),
        Unit::Year => whole(years),
        Unit::Decade => whole(years / 10),
        Unit::Century => whole(years / 100),
        Unit::Millennium => whole(years / 1000),
        // A year is 365.25 days here.
        Unit::Epoch => {
            let days = i128::from(value.months / 12) * 1461 * 6 * 3600
                + i128::from(value.months % 12) * 30 * 86_400
                + i128::from(value.days) * 86_400;
            scaled(days * 1_000_000 + i128::from(value.micros), 6)
        }
        _ => return Err(asked.unsupported(TYPE)),
    })
}

/// The start of the unit that a time is in: `date_trunc`.
pub fn truncate(name: &str, value: Timestamp, ty: &str) -> Result<Timestamp> {
    let asked = Asked::new(name);
    let unit = asked.unit(ty)?;
    if !value.is_finite() {
        return Ok(value);
    }
    let micros = value.time_of_day();
    let cut = |unit: i64| Timestamp::from_micros(value.0.div_euclid(unit) * unit);
    let day = |days: i64| Timestamp::from_parts(days, 0);
    let fields = || -> Fields { value.fields() };
    let start_of_year = |year: i64| day(super::calendar::days_from_civil(year, 1, 1));
    match unit {
        Unit::Microsecond => Ok(value),
        Unit::Millisecond => cut(1000),
        Unit::Second => cut(SECOND),
        Unit::Minute => cut(MINUTE),
        Unit::Hour => Timestamp::from_micros(value.0 - micros % HOUR),
        Unit::Day => day(value.days()),
        Unit::Week => day(value.days() - (day_of_week(value.days()) + 6) % 7),
        Unit::Month => day(super::calendar::days_from_civil(fields().year, fields().month, 1)),
        Unit::Quarter => day(super::calendar::days_from_civil(fields().year, (fields().month - 1) / 3 * 3 + 1, 1)),
        Unit::Year => start_of_year(fields().year),
        Unit::Decade => start_of_year(fields().year.div_euclid(10) * 10),
        // The first century began in the year 1.
        Unit::Century => start_of_year((fields().year - 1).div_euclid(100) * 100 + 1),
        Unit::Millennium => start_of_year((fields().year - 1).div_euclid(1000) * 1000 + 1),
        _ => Err(asked.unsupported(ty)),
    }
}

/// What a unit of which all are of one length takes.
pub fn length_of_unit(name: &str) -> Option<i64> {
    Some(match Unit::parse(name)? {
        Unit::Microsecond => 1,
        Unit::Millisecond => 1000,
        Unit::Second => SECOND,
        Unit::Minute => MINUTE,
        Unit::Hour => HOUR,
        Unit::Day => DAY,
        Unit::Week => 7 * DAY,
        _ => return None,
    })
}

pub fn truncate_interval(name: &str, value: Interval) -> Result<Interval> {
    const TYPE: &str = "interval";
    let asked = Asked::new(name);
    let months = |unit: i32| Interval::new(value.months / unit * unit, 0, 0);
    let micros = |unit: i64| Interval::new(value.months, value.days, value.micros / unit * unit);
    Ok(match asked.unit(TYPE)? {
        Unit::Microsecond => value,
        Unit::Millisecond => micros(1000),
        Unit::Second => micros(SECOND),
        Unit::Minute => micros(MINUTE),
        Unit::Hour => micros(HOUR),
        Unit::Day => Interval::new(value.months, value.days, 0),
        Unit::Month => months(1),
        Unit::Quarter => months(3),
        Unit::Year => months(12),
        Unit::Decade => months(120),
        Unit::Century => months(1200),
        Unit::Millennium => months(12_000),
        Unit::Week => {
            return Err(asked.unsupported(TYPE).with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(asked.unsupported(TYPE)),
    })
}
