//! Text output in the four date styles (manual table 8.14).

use super::calendar::{
    Civil, DATE_INFINITY, DATE_NEG_INFINITY, MICROS_PER_DAY, MICROS_PER_SECOND, TIMESTAMP_INFINITY,
    TIMESTAMP_NEG_INFINITY, weekday,
};
use super::time::TimeTz;
use super::zone::split_displacement;
use crate::types::{DateOrder, DateStyle, FormatSettings};

/// Longest zone abbreviation that output shows.
const MAX_ABBREVIATION: usize = 10;

pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/// Text output of `date`.
pub fn write_date(days: i32, settings: &FormatSettings, out: &mut Vec<u8>) {
    match days {
        DATE_INFINITY => out.extend_from_slice(b"infinity"),
        DATE_NEG_INFINITY => out.extend_from_slice(b"-infinity"),
        _ => {
            let civil = Civil::from_days(days);
            let separator = match settings.date_style {
                DateStyle::Iso | DateStyle::Postgres => b'-',
                DateStyle::Sql => b'/',
                DateStyle::German => b'.',
            };
            write_numeric_date(&civil, separator, settings, out);
            write_era(&civil, out);
        }
    }
}

/// Year, month and day in the style's order.
fn write_numeric_date(civil: &Civil, separator: u8, settings: &FormatSettings, out: &mut Vec<u8>) {
    match settings.date_style {
        DateStyle::Iso => {
            write_year(civil, out);
            out.push(separator);
            two_digits(civil.month, out);
            out.push(separator);
            two_digits(civil.day, out);
            return;
        }
        DateStyle::Sql | DateStyle::Postgres if settings.date_order != DateOrder::Dmy => {
            two_digits(civil.month, out);
            out.push(separator);
            two_digits(civil.day, out);
        }
        _ => {
            two_digits(civil.day, out);
            out.push(separator);
            two_digits(civil.month, out);
        }
    }
    out.push(separator);
    write_year(civil, out);
}

/// Text output of `time`.
pub fn write_time(time: i64, out: &mut Vec<u8>) {
    let mut civil = Civil::default();
    civil.set_time(time);
    write_clock(&civil, out);
}

/// Text output of `timetz`.
pub fn write_timetz(value: TimeTz, out: &mut Vec<u8>) {
    write_time(value.time, out);
    write_displacement(-value.west_seconds, out);
}

/// Text output of `timestamp`.
pub fn write_timestamp(micros: i64, settings: &FormatSettings, out: &mut Vec<u8>) {
    if !write_infinity(micros, out) {
        write_moment(micros, None, settings, out);
    }
}

/// Text output of `timestamptz` in the session's zone.
pub fn write_timestamptz(micros: i64, settings: &FormatSettings, out: &mut Vec<u8>) {
    if write_infinity(micros, out) {
        return;
    }
    let offset = settings.time_zone.offset_at(micros);
    let local = micros.saturating_add(i64::from(offset) * MICROS_PER_SECOND);
    write_moment(local, Some((micros, offset)), settings, out);
}

fn write_infinity(micros: i64, out: &mut Vec<u8>) -> bool {
    match micros {
        TIMESTAMP_INFINITY => out.extend_from_slice(b"infinity"),
        TIMESTAMP_NEG_INFINITY => out.extend_from_slice(b"-infinity"),
        _ => return false,
    }
    true
}

/// A local time, and the moment and offset that it shows the zone of.
fn write_moment(local: i64, zone: Option<(i64, i32)>, settings: &FormatSettings, out: &mut Vec<u8>) {
    let civil = Civil::from_micros(local);
    match settings.date_style {
        DateStyle::Iso => {
            if !write_iso(&civil, out) {
                write_numeric_date(&civil, b'-', settings, out);
                out.push(b' ');
                write_clock(&civil, out);
            }
            if let Some((_, offset)) = zone {
                write_displacement(offset, out);
            }
        }
        DateStyle::Sql | DateStyle::German => {
            let separator = if settings.date_style == DateStyle::Sql { b'/' } else { b'.' };
            write_numeric_date(&civil, separator, settings, out);
            out.push(b' ');
            write_clock(&civil, out);
            write_abbreviation(zone, settings, out);
        }
        DateStyle::Postgres => {
            let days = local.div_euclid(MICROS_PER_DAY);
            out.extend_from_slice(WEEKDAYS[weekday(days) as usize].as_bytes());
            out.push(b' ');
            let month = MONTHS.get(civil.month as usize - 1).copied().unwrap_or_default();
            if settings.date_order == DateOrder::Dmy {
                two_digits(civil.day, out);
                out.push(b' ');
                out.extend_from_slice(month.as_bytes());
            } else {
                out.extend_from_slice(month.as_bytes());
                out.push(b' ');
                two_digits(civil.day, out);
            }
            out.push(b' ');
            write_clock(&civil, out);
            out.push(b' ');
            write_year(&civil, out);
            write_abbreviation(zone, settings, out);
        }
    }
    write_era(&civil, out);
}

/// `yyyy-mm-dd hh:mm:ss` with its fraction, of years of four digits, all at once.
fn write_iso(civil: &Civil, out: &mut Vec<u8>) -> bool {
    if !(1..10_000).contains(&civil.year) {
        return false;
    }
    let digits = |value: i32| [b'0' + (value / 10 % 10) as u8, b'0' + (value % 10) as u8];
    let ([a, b], [c, d]) = (digits(civil.year / 100), digits(civil.year % 100));
    let ([e, f], [g, h]) = (digits(civil.month), digits(civil.day));
    let ([i, j], [k, l], [m, n]) = (digits(civil.hour), digits(civil.minute), digits(civil.second));
    out.extend_from_slice(&[a, b, c, d, b'-', e, f, b'-', g, h, b' ', i, j, b':', k, l, b':', m, n]);
    write_fraction(civil.micros, out);
    true
}

fn write_abbreviation(zone: Option<(i64, i32)>, settings: &FormatSettings, out: &mut Vec<u8>) {
    let Some((utc, offset)) = zone else { return };
    let abbreviation = settings.time_zone.abbreviation_at(utc);
    if abbreviation.is_empty() {
        return write_displacement(offset, out);
    }
    out.push(b' ');
    out.extend_from_slice(abbreviation.as_bytes().get(..MAX_ABBREVIATION).unwrap_or(abbreviation.as_bytes()));
}

fn write_era(civil: &Civil, out: &mut Vec<u8>) {
    if civil.year <= 0 {
        out.extend_from_slice(b" BC");
    }
}

/// At least four digits; year 0 is 1 BC.
fn write_year(civil: &Civil, out: &mut Vec<u8>) {
    let year = if civil.year > 0 { civil.year } else { 1 - civil.year };
    if year < 10_000 {
        two_digits(year / 100, out);
        two_digits(year % 100, out);
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(year).as_bytes());
    }
}

fn write_clock(civil: &Civil, out: &mut Vec<u8>) {
    two_digits(civil.hour, out);
    out.push(b':');
    two_digits(civil.minute, out);
    out.push(b':');
    two_digits(civil.second, out);
    write_fraction(civil.micros, out);
}

/// `.ffffff` without trailing zeros; nothing for zero.
pub(crate) fn write_fraction(micros: i32, out: &mut Vec<u8>) {
    if micros == 0 {
        return;
    }
    out.push(b'.');
    let mut rest = micros.unsigned_abs();
    let mut unit = 100_000;
    while rest > 0 {
        out.push(b'0' + (rest / unit % 10) as u8);
        rest %= unit;
        unit /= 10;
    }
}

/// `+hh[:mm[:ss]]`.
pub(crate) fn write_displacement(east_seconds: i32, out: &mut Vec<u8>) {
    let (hours, minutes, seconds) = split_displacement(east_seconds);
    out.push(if east_seconds < 0 { b'-' } else { b'+' });
    two_digits(hours, out);
    if minutes != 0 || seconds != 0 {
        out.push(b':');
        two_digits(minutes, out);
    }
    if seconds != 0 {
        out.push(b':');
        two_digits(seconds, out);
    }
}

/// Two digits, more if the number has more.
pub(crate) fn two_digits(value: i32, out: &mut Vec<u8>) {
    if value < 100 {
        out.push(b'0' + (value / 10) as u8);
        out.push(b'0' + (value % 10) as u8);
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    }
}
