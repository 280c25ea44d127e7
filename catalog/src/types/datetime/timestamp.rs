//! `timestamp` and `timestamptz`: microseconds since 1970-01-01.

use super::calendar::{
    MICROS_PER_DAY, MICROS_PER_SECOND, POSTGRES_EPOCH_MICROS, TIMESTAMP_INFINITY, TIMESTAMP_NEG_INFINITY, in_range,
    is_infinite,
};
use super::parse::{Moment, date_time};
use super::{date, round_micros, timestamp_out_of_range};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::FormatSettings;

/// Text input of `timestamp`; a zone in it is ignored.
pub fn parse(input: &str, typmod: i32, settings: &FormatSettings) -> Result<i64> {
    if let Some((micros, _)) = parse_iso(input.as_bytes()) {
        return apply_typmod(micros, typmod);
    }
    parse_any(input, "timestamp", typmod, settings, false)
}

/// Text input of `timestamptz`; without a zone the session's holds.
pub fn parse_tz(input: &str, typmod: i32, settings: &FormatSettings) -> Result<i64> {
    let utc = parse_iso(input.as_bytes()).and_then(|(local, east)| match east {
        Some(east) => Some(local - east * MICROS_PER_SECOND),
        None => settings.time_zone.local_to_utc(local),
    });
    if let Some(utc) = utc {
        return apply_typmod(utc, typmod);
    }
    parse_any(input, "timestamp with time zone", typmod, settings, true)
}

/// `YYYY-MM-DD HH:MM:SS[.ffffff]`, the form that nearly all input has, with the seconds east of UTC that may follow as `Z`, `±HH` or
/// `±HH:MM`.
fn parse_iso(bytes: &[u8]) -> Option<(i64, Option<i64>)> {
    let (bytes, east) = split_zone(bytes);
    let (date, rest) = bytes.split_at_checked(10)?;
    let [b' ' | b'T', h1, h2, b':', m1, m2, b':', s1, s2, ref fraction @ ..] = *rest else { return None };
    let pair = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (hour, minute, second) = (pair(h1, h2)?, pair(m1, m2)?, pair(s1, s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=6).contains(&digits.len()) => {
            let value = digits
                .iter()
                .try_fold(0i64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))?;
            value * 10i64.pow(6 - digits.len() as u32)
        }
        _ => return None,
    };
    let days = i64::from(date::parse_iso(date)?);
    Some((days * MICROS_PER_DAY + ((hour * 60 + minute) * 60 + second) * MICROS_PER_SECOND + micros, east))
}

fn split_zone(bytes: &[u8]) -> (&[u8], Option<i64>) {
    let two = |tens: u8, ones: u8| {
        (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let east = |sign: u8, hours: Option<i64>, minutes: Option<i64>| {
        let seconds = hours.filter(|hours| *hours < 15)? * 3600 + minutes.filter(|minutes| *minutes < 60)? * 60;
        Some(if sign == b'-' { -seconds } else { seconds })
    };
    // What is before a zone has 19 bytes at least; `-31` ends a date.
    let (rest, zone) = match *bytes {
        [ref rest @ .., b'Z' | b'z'] => (rest, Some(0)),
        [ref rest @ .., sign @ (b'+' | b'-'), h1, h2] => (rest, east(sign, two(h1, h2), Some(0))),
        [ref rest @ .., sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => (rest, east(sign, two(h1, h2), two(m1, m2))),
        _ => return (bytes, None),
    };
    if rest.len() < 19 || zone.is_none() { (bytes, None) } else { (rest, zone) }
}

fn parse_any(input: &str, type_name: &str, typmod: i32, settings: &FormatSettings, zoned: bool) -> Result<i64> {
    let out_of_range =
        || Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, format!("timestamp out of range: \"{input}\""));
    match date_time(input, settings).map_err(|refusal| refusal.error(type_name, input))? {
        Moment::Epoch => Ok(0),
        Moment::Infinity => Ok(TIMESTAMP_INFINITY),
        Moment::NegInfinity => Ok(TIMESTAMP_NEG_INFINITY),
        Moment::Civil { civil, east_seconds } => {
            let shift = if zoned { i64::from(east_seconds) * MICROS_PER_SECOND } else { 0 };
            let micros = i128::from(civil.days()) * i128::from(MICROS_PER_DAY) + i128::from(civil.time());
            let micros = in_range(micros - i128::from(shift)).ok_or_else(out_of_range)?;
            apply_typmod(micros, typmod)
        }
    }
}

/// Rounds to the type modifier's precision.
pub fn apply_typmod(micros: i64, typmod: i32) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    // PostgreSQL rounds counting from 2000, which matters only for values half way between before and after.
    let since = micros.checked_sub(POSTGRES_EPOCH_MICROS);
    let rounded =
        since.and_then(|since| round_micros(since, typmod)).and_then(|r| r.checked_add(POSTGRES_EPOCH_MICROS));
    rounded.ok_or_else(timestamp_out_of_range)
}

/// Binary input: microseconds since 2000-01-01.
pub fn from_binary(micros: i64, typmod: i32) -> Result<i64> {
    if is_infinite(micros) {
        return Ok(micros);
    }
    let micros = in_range(i128::from(micros) + i128::from(POSTGRES_EPOCH_MICROS)).ok_or_else(timestamp_out_of_range)?;
    apply_typmod(micros, typmod)
}

/// Binary output.
pub fn to_binary(micros: i64) -> i64 {
    if is_infinite(micros) { micros } else { micros.wrapping_sub(POSTGRES_EPOCH_MICROS) }
}
