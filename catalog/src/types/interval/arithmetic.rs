//! Multiplication, division and justification.

use super::{Interval, out_of_range};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::datetime::calendar::{DAYS_PER_MONTH, MICROS_PER_DAY};

const SECONDS_PER_DAY: f64 = 86_400.0;

/// Rounds to microseconds what is counted in seconds (PostgreSQL's `TSROUND`).
fn round_seconds(seconds: f64) -> f64 {
    (seconds * 1e6).round_ties_even() / 1e6
}

#[expect(clippy::should_implement_trait, reason = "fallible, unlike the operators")]
impl Interval {
    /// `interval * float8`. Fractions of months become days, fractions of days become time.
    pub fn mul(self, factor: f64) -> Result<Self> {
        let months = f64::from(self.months) * factor;
        let days = f64::from(self.days) * factor;
        self.scaled(months, days, |time| time * factor, |value| value * factor)
    }

    /// `interval / float8`.
    pub fn div(self, divisor: f64) -> Result<Self> {
        if divisor == 0.0 {
            return Err(Error::new(sqlstate::DIVISION_BY_ZERO, "division by zero"));
        }
        let months = f64::from(self.months) / divisor;
        let days = f64::from(self.days) / divisor;
        self.scaled(months, days, |time| time / divisor, |value| value / divisor)
    }

    fn scaled(self, months: f64, days: f64, time: impl Fn(f64) -> f64, scale: impl Fn(f64) -> f64) -> Result<Self> {
        let whole = |value: f64| {
            let fits = !value.is_nan() && value >= f64::from(i32::MIN) && value < -f64::from(i32::MIN);
            if fits { Ok(value as i32) } else { Err(out_of_range()) }
        };
        let mut result = Self { months: whole(months)?, days: whole(days)?, micros: 0 };
        // Cascade the fractions down, rounded to what they are worth in microseconds.
        let month_days = (scale(f64::from(self.months)) - f64::from(result.months)) * f64::from(DAYS_PER_MONTH);
        let month_days = round_seconds(month_days);
        let mut seconds =
            (scale(f64::from(self.days)) - f64::from(result.days) + month_days - month_days.trunc()) * SECONDS_PER_DAY;
        seconds = round_seconds(seconds);
        // Either may still amount to whole days.
        if seconds.abs() >= SECONDS_PER_DAY {
            let extra = (seconds / SECONDS_PER_DAY) as i32;
            result.days = result.days.checked_add(extra).ok_or_else(out_of_range)?;
            seconds -= f64::from(extra) * SECONDS_PER_DAY;
        }
        result.days = result.days.checked_add(month_days as i32).ok_or_else(out_of_range)?;
        let micros = (time(self.micros as f64) + seconds * 1e6).round_ties_even();
        if micros.is_nan() || micros < -(2f64.powi(63)) || micros >= 2f64.powi(63) {
            return Err(out_of_range());
        }
        result.micros = micros as i64;
        Ok(result)
    }
}

/// `justify_hours`: 24-hour spans become days.
pub fn justify_hours(mut interval: Interval) -> Result<Interval> {
    let extra = interval.micros / MICROS_PER_DAY;
    interval.micros -= extra * MICROS_PER_DAY;
    interval.days = add(interval.days, extra)?;
    if interval.days > 0 && interval.micros < 0 {
        interval.micros += MICROS_PER_DAY;
        interval.days -= 1;
    } else if interval.days < 0 && interval.micros > 0 {
        interval.micros -= MICROS_PER_DAY;
        interval.days += 1;
    }
    Ok(interval)
}

/// `justify_days`: 30-day spans become months.
pub fn justify_days(mut interval: Interval) -> Result<Interval> {
    let extra = interval.days / DAYS_PER_MONTH;
    interval.days -= extra * DAYS_PER_MONTH;
    interval.months = add(interval.months, extra.into())?;
    if interval.months > 0 && interval.days < 0 {
        interval.days += DAYS_PER_MONTH;
        interval.months -= 1;
    } else if interval.months < 0 && interval.days > 0 {
        interval.days -= DAYS_PER_MONTH;
        interval.months += 1;
    }
    Ok(interval)
}

/// `justify_interval`: both, and every field of one sign.
pub fn justify_interval(mut interval: Interval) -> Result<Interval> {
    // Months first where days and time agree in sign, so that the days do not overflow.
    if (interval.days > 0 && interval.micros > 0) || (interval.days < 0 && interval.micros < 0) {
        let extra = interval.days / DAYS_PER_MONTH;
        interval.days -= extra * DAYS_PER_MONTH;
        interval.months = add(interval.months, extra.into())?;
    }
    let extra = interval.micros / MICROS_PER_DAY;
    interval.micros -= extra * MICROS_PER_DAY;
    interval.days = add(interval.days, extra)?;
    let extra = interval.days / DAYS_PER_MONTH;
    interval.days -= extra * DAYS_PER_MONTH;
    interval.months = add(interval.months, extra.into())?;
    if interval.months > 0 && (interval.days < 0 || (interval.days == 0 && interval.micros < 0)) {
        interval.days += DAYS_PER_MONTH;
        interval.months -= 1;
    } else if interval.months < 0 && (interval.days > 0 || (interval.days == 0 && interval.micros > 0)) {
        interval.days -= DAYS_PER_MONTH;
        interval.months += 1;
    }
    if interval.days > 0 && interval.micros < 0 {
        interval.micros += MICROS_PER_DAY;
        interval.days -= 1;
    } else if interval.days < 0 && interval.micros > 0 {
        interval.micros -= MICROS_PER_DAY;
        interval.days += 1;
    }
    Ok(interval)
}

fn add(sum: i32, extra: i64) -> Result<i32> {
    i32::try_from(i64::from(sum) + extra).map_err(|_| out_of_range())
}
