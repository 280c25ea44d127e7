//! Sums and differences of dates, times and intervals, `age`, and the `make_…` functions.

use super::calendar::{
    Civil, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS_PER_YEAR, days_in_month,
    in_range, is_infinite, timestamp_from_parts,
};
use super::date::checked;
use super::timestamp_out_of_range;
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::interval::{justify_hours, out_of_range};
use crate::types::{Interval, TimeZone};

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, message)
}

/// Moves by months; a day that the month lacks becomes its last.
fn add_months(local: i64, months: i32) -> Option<i64> {
    let mut civil = Civil::from_micros(local);
    let month = i64::from(civil.year) * i64::from(MONTHS_PER_YEAR) + i64::from(civil.month) - 1 + i64::from(months);
    civil.year = i32::try_from(month.div_euclid(MONTHS_PER_YEAR.into())).ok()?;
    civil.month = month.rem_euclid(MONTHS_PER_YEAR.into()) as i32 + 1;
    civil.day = civil.day.min(days_in_month(civil.year, civil.month));
    civil.to_micros()
}

fn add_days(local: i64, days: i32) -> Option<i64> {
    in_range(i128::from(local) + i128::from(days) * i128::from(MICROS_PER_DAY))
}

/// `timestamp + interval`.
pub fn timestamp_plus_interval(timestamp: i64, interval: Interval) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let sum = || {
        let mut sum = timestamp;
        if interval.months != 0 {
            sum = add_months(sum, interval.months)?;
        }
        if interval.days != 0 {
            sum = add_days(sum, interval.days)?;
        }
        in_range(i128::from(sum) + i128::from(interval.micros))
    };
    sum().ok_or_else(timestamp_out_of_range)
}

/// `timestamptz + interval`: months and days keep the local time in the zone, the rest is exact.
pub fn timestamptz_plus_interval(timestamp: i64, interval: Interval, zone: &TimeZone) -> Result<i64> {
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let sum = || {
        let mut sum = timestamp;
        if interval.months != 0 {
            sum = zone.local_to_utc(add_months(zone.utc_to_local(sum)?, interval.months)?)?;
        }
        if interval.days != 0 {
            sum = zone.local_to_utc(add_days(zone.utc_to_local(sum)?, interval.days)?)?;
        }
        in_range(i128::from(sum) + i128::from(interval.micros))
    };
    sum().ok_or_else(timestamp_out_of_range)
}

/// `timestamp - interval`.
pub fn timestamp_minus_interval(timestamp: i64, interval: Interval) -> Result<i64> {
    timestamp_plus_interval(timestamp, interval.negate()?)
}

/// `timestamptz - interval`.
pub fn timestamptz_minus_interval(timestamp: i64, interval: Interval, zone: &TimeZone) -> Result<i64> {
    timestamptz_plus_interval(timestamp, interval.negate()?, zone)
}

/// `timestamp - timestamp`: days and time, no months.
pub fn timestamp_difference(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(invalid("cannot subtract infinite timestamps"));
    }
    let micros = a.checked_sub(b).ok_or_else(out_of_range)?;
    justify_hours(Interval::new(0, 0, micros))
}

/// `age(timestamp, timestamp)`: years, months, days and time.
pub fn timestamp_age(a: i64, b: i64) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return Err(invalid("cannot subtract infinite timestamps"));
    }
    let negative = a < b;
    let (later, earlier) = if negative { (b, a) } else { (a, b) };
    let (from, to) = (Civil::from_micros(earlier), Civil::from_micros(later));
    let mut time = to.time() - from.time();
    let mut days = to.day - from.day;
    let mut months = to.month - from.month;
    let mut years = to.year - from.year;
    while time < 0 {
        time += MICROS_PER_DAY;
        days -= 1;
    }
    // Days are borrowed from the month that the earlier moment is in.
    while days < 0 {
        days += days_in_month(from.year, from.month);
        months -= 1;
    }
    while months < 0 {
        months += MONTHS_PER_YEAR;
        years -= 1;
    }
    let months = years.checked_mul(MONTHS_PER_YEAR).and_then(|years| years.checked_add(months));
    let age = Interval::new(months.ok_or_else(out_of_range)?, days, time);
    if negative { age.negate() } else { Ok(age) }
}

/// `age(timestamptz, timestamptz)`: by the local times in a zone.
pub fn timestamptz_age(a: i64, b: i64, zone: &TimeZone) -> Result<Interval> {
    if is_infinite(a) || is_infinite(b) {
        return timestamp_age(a, b);
    }
    let local = |utc: i64| zone.utc_to_local(utc).ok_or_else(timestamp_out_of_range);
    timestamp_age(local(a)?, local(b)?)
}

/// `time + interval`: round the clock.
pub fn time_plus_interval(time: i64, interval: Interval) -> i64 {
    (time + interval.micros.rem_euclid(MICROS_PER_DAY)).rem_euclid(MICROS_PER_DAY)
}

/// `time - interval`.
pub fn time_minus_interval(time: i64, interval: Interval) -> i64 {
    (time - interval.micros.rem_euclid(MICROS_PER_DAY)).rem_euclid(MICROS_PER_DAY)
}

/// `make_date`; negative years are BC.
pub fn make_date(year: i32, month: i32, day: i32) -> Result<i32> {
    let out_of_range = || invalid(format!("date field value out of range: {year}-{month:02}-{day:02}"));
    let astronomical = match year {
        0 => return Err(out_of_range()),
        1.. => year,
        _ => year.checked_add(1).ok_or_else(out_of_range)?,
    };
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(astronomical, month) {
        return Err(out_of_range());
    }
    let days = super::calendar::days_from_civil(astronomical, month, day);
    checked(days).ok_or_else(|| invalid(format!("date out of range: {year}-{month:02}-{day:02}")))
}

/// `make_time`.
pub fn make_time(hour: i32, minute: i32, second: f64) -> Result<i64> {
    let micros = (second * 1e6).round_ties_even();
    let valid = (0..=24).contains(&hour) && (0..60).contains(&minute) && (0.0..=60e6).contains(&micros);
    let time = i64::from(hour) * MICROS_PER_HOUR
        + i64::from(minute) * MICROS_PER_MINUTE
        + if valid { micros as i64 } else { 0 };
    if !valid || time > MICROS_PER_DAY {
        let mut shown = Vec::new();
        crate::types::float::write_float8(second, -9, &mut shown);
        let second = String::from_utf8_lossy(&shown);
        return Err(invalid(format!("time field value out of range: {hour}:{minute:02}:{second:0>2}")));
    }
    Ok(time)
}

/// `make_timestamp`.
pub fn make_timestamp(year: i32, month: i32, day: i32, hour: i32, minute: i32, second: f64) -> Result<i64> {
    let date = make_date(year, month, day)?;
    let time = make_time(hour, minute, second)?;
    timestamp_from_parts(date.into(), time).ok_or_else(|| {
        invalid(format!("timestamp out of range: {year}-{month:02}-{day:02} {hour}:{minute:02}:{second:02}"))
    })
}

/// `make_interval`.
pub fn make_interval(
    years: i32,
    months: i32,
    weeks: i32,
    days: i32,
    hours: i32,
    minutes: i32,
    seconds: f64,
) -> Result<Interval> {
    // Beyond 64 bits of microseconds anyway.
    if !seconds.is_finite() || seconds.abs() > 1e13 {
        return Err(out_of_range());
    }
    let months = years.checked_mul(MONTHS_PER_YEAR).and_then(|years| years.checked_add(months));
    let days = weeks.checked_mul(7).and_then(|weeks| weeks.checked_add(days));
    let seconds = (seconds * MICROS_PER_SECOND as f64).round_ties_even();
    let micros = i128::from(hours) * i128::from(MICROS_PER_HOUR)
        + i128::from(minutes) * i128::from(MICROS_PER_MINUTE)
        + seconds as i128;
    match (months, days, i64::try_from(micros)) {
        (Some(months), Some(days), Ok(micros)) => Ok(Interval { months, days, micros }),
        _ => Err(out_of_range()),
    }
}
