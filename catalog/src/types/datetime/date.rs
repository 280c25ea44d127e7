//! `date`: days since 1970-01-01.

use super::calendar::{
    DATE_INFINITY, DATE_NEG_INFINITY, MAX_DATE, MICROS_PER_DAY, MIN_DATE, POSTGRES_EPOCH_DAYS, TIMESTAMP_INFINITY,
    TIMESTAMP_NEG_INFINITY, in_range, is_infinite,
};
use super::parse::{Moment, date_time};
use super::{date_out_of_range, timestamp_out_of_range};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::FormatSettings;

/// Text input.
pub fn parse(input: &str, settings: &FormatSettings) -> Result<i32> {
    if let Some(days) = parse_iso(input.as_bytes()) {
        return Ok(days);
    }
    match date_time(input, settings).map_err(|refusal| refusal.error("date", input))? {
        Moment::Epoch => Ok(0),
        Moment::Infinity => Ok(DATE_INFINITY),
        Moment::NegInfinity => Ok(DATE_NEG_INFINITY),
        Moment::Civil { civil, .. } => checked(civil.days()).ok_or_else(|| {
            Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, format!("date out of range: \"{input}\""))
        }),
    }
}

/// `YYYY-MM-DD`, the form that nearly all input has.
pub(super) fn parse_iso(bytes: &[u8]) -> Option<i32> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *bytes else { return None };
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i32::from(byte - b'0'));
    let year = digit(y1)? * 1000 + digit(y2)? * 100 + digit(y3)? * 10 + digit(y4)?;
    let month = digit(m1)? * 10 + digit(m2)?;
    let day = digit(d1)? * 10 + digit(d2)?;
    let valid = year > 0 && (1..=12).contains(&month) && day >= 1 && day <= super::calendar::days_in_month(year, month);
    valid.then(|| super::calendar::days_from_civil(year, month, day) as i32)
}

/// A day that `date` can hold.
pub fn checked(days: i64) -> Option<i32> {
    i32::try_from(days).ok().filter(|days| (MIN_DATE..=MAX_DATE).contains(days))
}

/// Binary input: days since 2000-01-01.
pub fn from_binary(days: i32) -> Result<i32> {
    match days {
        i32::MAX | i32::MIN => Ok(days),
        _ => checked(i64::from(days) + i64::from(POSTGRES_EPOCH_DAYS)).ok_or_else(date_out_of_range),
    }
}

/// Binary output.
pub fn to_binary(days: i32) -> i32 {
    match days {
        i32::MAX | i32::MIN => days,
        _ => days.wrapping_sub(POSTGRES_EPOCH_DAYS),
    }
}

/// Cast to `timestamp`: midnight.
pub fn to_timestamp(days: i32) -> Result<i64> {
    match days {
        DATE_INFINITY => Ok(TIMESTAMP_INFINITY),
        DATE_NEG_INFINITY => Ok(TIMESTAMP_NEG_INFINITY),
        _ => in_range(i128::from(days) * i128::from(MICROS_PER_DAY))
            .ok_or_else(|| Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "date out of range for timestamp")),
    }
}

/// Cast to `timestamptz`: midnight in a zone.
pub fn to_timestamptz(days: i32, zone: &crate::types::TimeZone) -> Result<i64> {
    let local = to_timestamp(days)?;
    if is_infinite(local) {
        return Ok(local);
    }
    zone.local_to_utc(local)
        .ok_or_else(|| Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "date out of range for timestamp"))
}

/// Cast from `timestamp`.
pub fn from_timestamp(micros: i64) -> Result<i32> {
    match micros {
        TIMESTAMP_INFINITY => Ok(DATE_INFINITY),
        TIMESTAMP_NEG_INFINITY => Ok(DATE_NEG_INFINITY),
        _ => checked(micros.div_euclid(MICROS_PER_DAY)).ok_or_else(timestamp_out_of_range),
    }
}
