//! `extract` and `date_part` (manual 9.9.1): fields of dates, times and intervals as numeric values.
//!
//! `date_part` is the same value as `double precision` ([`Numeric::to_f64`]). `None` is SQL's null: a field
//! that an infinite value does not have.

use super::calendar::{
    Civil, DATE_INFINITY, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    UNIX_EPOCH_JULIAN, day_of_year, is_infinite, is_infinite_date, iso_year_week, weekday,
};
use super::time::TimeTz;
use super::token::{Token, Unit, token, unit};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::type_name::format_type;
use crate::types::{Interval, Numeric, Oid, TimeZone, Type, oid};

/// A field that `extract` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Unit(Unit),
    Epoch,
    Julian,
    IsoYear,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
}

impl Field {
    /// The field of a name in any case; fails for values of this type if there is no such field.
    pub fn parse(name: &str, type_oid: Oid) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        if let Some(unit) = unit(&lower) {
            return Ok(Self::Unit(unit));
        }
        match lower.as_str() {
            "epoch" => Ok(Self::Epoch),
            "julian" | "jd" | "j" => Ok(Self::Julian),
            "isoyear" => Ok(Self::IsoYear),
            "dow" => Ok(Self::DayOfWeek),
            "isodow" => Ok(Self::IsoDayOfWeek),
            "doy" => Ok(Self::DayOfYear),
            word => match token(word) {
                // Words that mean something, but no field.
                Some(Token::Prefix(_) | Token::Special(_)) => Err(unsupported(name, type_oid)),
                _ => Err(unrecognized(name, type_oid)),
            },
        }
    }

    /// Fields that grow with time: those that infinities have too.
    fn is_monotonic(self) -> bool {
        matches!(
            self,
            Self::Epoch
                | Self::Julian
                | Self::IsoYear
                | Self::Unit(Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium)
        )
    }
}

/// `22023 unit "…" not recognized for type …`.
pub(crate) fn unrecognized(name: &str, type_oid: Oid) -> Error {
    let type_name = format_type(Type::of(type_oid));
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unit \"{name}\" not recognized for type {type_name}"))
}

/// `0A000 unit "…" not supported for type …`.
pub(crate) fn unsupported(name: &str, type_oid: Oid) -> Error {
    let type_name = format_type(Type::of(type_oid));
    Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("unit \"{name}\" not supported for type {type_name}"))
}

fn whole(value: impl Into<i128>) -> Numeric {
    Numeric::Small { mantissa: value.into(), scale: 0 }
}

fn scaled(value: impl Into<i128>, scale: u32) -> Numeric {
    Numeric::Small { mantissa: value.into(), scale }
}

fn infinity(positive: bool) -> Numeric {
    if positive { Numeric::Infinity } else { Numeric::NegInfinity }
}

/// Years without a year 0, as people count them.
fn era_year(year: i32) -> i32 {
    if year > 0 { year } else { year - 1 }
}

/// Decade, century or millennium of a year (0 is 1 BC).
fn decade(year: i32) -> i32 {
    if year >= 0 { year / 10 } else { -((8 - (year - 1)) / 10) }
}

fn span_of_years(year: i32, span: i32) -> i32 {
    if year > 0 { (year + span - 1) / span } else { -((span - 1 - (year - 1)) / span) }
}

/// Fields of the calendar date.
fn date_field(field: Field, civil: &Civil) -> Option<Numeric> {
    let days = civil.days();
    Some(whole(match field {
        Field::Unit(Unit::Day) => civil.day,
        Field::Unit(Unit::Month) => civil.month,
        Field::Unit(Unit::Quarter) => (civil.month - 1) / 3 + 1,
        Field::Unit(Unit::Week) => iso_year_week(days).1,
        Field::Unit(Unit::Year) => era_year(civil.year),
        Field::Unit(Unit::Decade) => decade(civil.year),
        Field::Unit(Unit::Century) => span_of_years(civil.year, 100),
        Field::Unit(Unit::Millennium) => span_of_years(civil.year, 1000),
        Field::IsoYear => {
            let year = iso_year_week(days).0;
            if year <= 0 { year - 1 } else { year }
        }
        Field::DayOfWeek => weekday(days),
        Field::IsoDayOfWeek => (weekday(days) + 6) % 7 + 1,
        Field::DayOfYear => day_of_year(civil.year, civil.month, civil.day),
        _ => return None,
    }))
}

/// Fields of the time of day.
fn time_field(field: Field, time: i64) -> Option<Numeric> {
    let second = time % MICROS_PER_MINUTE;
    Some(match field {
        Field::Unit(Unit::Microsecond) => whole(second),
        Field::Unit(Unit::Millisecond) => scaled(second, 3),
        Field::Unit(Unit::Second) => scaled(second, 6),
        Field::Unit(Unit::Minute) => whole(time % MICROS_PER_HOUR / MICROS_PER_MINUTE),
        Field::Unit(Unit::Hour) => whole(time / MICROS_PER_HOUR),
        _ => return None,
    })
}

fn zone_field(field: Field, east_seconds: i32) -> Option<Numeric> {
    Some(whole(match field {
        Field::Unit(Unit::Timezone) => east_seconds,
        Field::Unit(Unit::TimezoneMinute) => east_seconds / 60 % 60,
        Field::Unit(Unit::TimezoneHour) => east_seconds / 3600,
        _ => return None,
    }))
}

/// A timestamp's Julian day with its fraction.
fn julian(local: i64) -> Result<Numeric> {
    let day = local.div_euclid(MICROS_PER_DAY) + i64::from(UNIX_EPOCH_JULIAN);
    let time = local.rem_euclid(MICROS_PER_DAY);
    whole(day).add(&whole(time).div(&whole(MICROS_PER_DAY))?)
}

/// `extract(field FROM timestamp)`.
pub fn extract_timestamp(name: &str, micros: i64) -> Result<Option<Numeric>> {
    extract_local(name, micros, oid::TIMESTAMP, micros, None)
}

/// `extract(field FROM timestamptz)` in a zone.
pub fn extract_timestamptz(name: &str, micros: i64, zone: &TimeZone) -> Result<Option<Numeric>> {
    if is_infinite(micros) {
        return extract_local(name, micros, oid::TIMESTAMPTZ, micros, Some(0));
    }
    let offset = zone.offset_at(micros);
    let local = micros.saturating_add(i64::from(offset) * MICROS_PER_SECOND);
    extract_local(name, local, oid::TIMESTAMPTZ, micros, Some(offset))
}

fn extract_local(
    name: &str,
    local: i64,
    type_oid: Oid,
    epoch_micros: i64,
    offset: Option<i32>,
) -> Result<Option<Numeric>> {
    let field = Field::parse(name, type_oid)?;
    let is_zone = matches!(field, Field::Unit(Unit::Timezone | Unit::TimezoneHour | Unit::TimezoneMinute));
    if is_infinite(local) {
        return Ok(field.is_monotonic().then(|| infinity(local == TIMESTAMP_INFINITY)));
    }
    let value = match field {
        Field::Epoch => Some(scaled(epoch_micros, 6)),
        Field::Julian => Some(julian(local)?),
        _ if is_zone => offset.and_then(|offset| zone_field(field, offset)),
        _ => time_field(field, local.rem_euclid(MICROS_PER_DAY))
            .or_else(|| date_field(field, &Civil::from_micros(local))),
    };
    value.map(Some).ok_or_else(|| unsupported(name, type_oid))
}

/// `extract(field FROM date)`.
pub fn extract_date(name: &str, days: i32) -> Result<Option<Numeric>> {
    let field = Field::parse(name, oid::DATE)?;
    let supported = matches!(field, Field::Epoch | Field::Julian)
        || date_field(field, &Civil { year: 1, month: 1, day: 1, ..Civil::default() }).is_some();
    if !supported {
        return Err(unsupported(name, oid::DATE));
    }
    if is_infinite_date(days) {
        return Ok(field.is_monotonic().then(|| infinity(days == DATE_INFINITY)));
    }
    Ok(match field {
        Field::Epoch => Some(whole(i64::from(days) * (MICROS_PER_DAY / MICROS_PER_SECOND))),
        Field::Julian => Some(whole(i64::from(days) + i64::from(UNIX_EPOCH_JULIAN))),
        _ => date_field(field, &Civil::from_days(days)),
    })
}

/// `extract(field FROM time)`.
pub fn extract_time(name: &str, time: i64) -> Result<Numeric> {
    let field = Field::parse(name, oid::TIME)?;
    let value = if field == Field::Epoch { Some(scaled(time, 6)) } else { time_field(field, time) };
    value.ok_or_else(|| unsupported(name, oid::TIME))
}

/// `extract(field FROM timetz)`.
pub fn extract_timetz(name: &str, value: TimeTz) -> Result<Numeric> {
    let field = Field::parse(name, oid::TIMETZ)?;
    let found = match field {
        Field::Epoch => Some(scaled(value.time + i64::from(value.west_seconds) * MICROS_PER_SECOND, 6)),
        _ => time_field(field, value.time).or_else(|| zone_field(field, -value.west_seconds)),
    };
    found.ok_or_else(|| unsupported(name, oid::TIMETZ))
}

/// `extract(field FROM interval)`.
pub fn extract_interval(name: &str, interval: Interval) -> Result<Numeric> {
    let field = Field::parse(name, oid::INTERVAL)?;
    let (years, months) = (interval.months / 12, interval.months % 12);
    let value = match field {
        Field::Epoch => {
            // Years of 365.25 days, months of 30: in quarter days, to stay whole.
            let quarter_days = 1461 * i128::from(years) + 120 * i128::from(months) + 4 * i128::from(interval.days);
            Some(scaled(quarter_days * i128::from(MICROS_PER_DAY / 4) + i128::from(interval.micros), 6))
        }
        Field::Unit(Unit::Day) => Some(whole(interval.days)),
        Field::Unit(Unit::Month) => Some(whole(months)),
        Field::Unit(Unit::Quarter) => Some(whole(months / 3 + 1)),
        Field::Unit(Unit::Year) => Some(whole(years)),
        Field::Unit(Unit::Decade) => Some(whole(years / 10)),
        Field::Unit(Unit::Century) => Some(whole(years / 100)),
        Field::Unit(Unit::Millennium) => Some(whole(years / 1000)),
        _ => time_field(field, interval.micros),
    };
    value.ok_or_else(|| unsupported(name, oid::INTERVAL))
}
