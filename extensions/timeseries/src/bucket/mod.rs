//! Buckets of time: intervals of one width that follow each other without gaps.
//!
//! Of a width without months all buckets have the same length and are counted from an origin, by default Monday, 2000-01-03. Of a width of months each
//! begins at midnight of the first day of a month, counted from January 2000. With a zone, local time is cut; with an offset, all of them
//! begin that much later.

mod integer;
mod zoned;

use aegis_engine::extension::calendar::{DAY, civil_from_days, days_from_civil, timestamp_out_of_range};
use aegis_engine::extension::{Error, Interval, Result, Timestamp, sqlstate};

pub use integer::{Integer, start_of_integer};
pub use zoned::Zone;

/// 2000-01-03 00:00, in µs since 1970.
const MONDAY: i64 = 10_959 * DAY;
/// 2000-01-01, counted in months since year 0.
const YEAR_2000: i64 = 24_000;
/// 2000-01-01 00:00, in µs since 1970: the number of an infinite time is counted from there.
const EPOCH_2000: i64 = 10_957 * DAY;

/// The length of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// µs.
    Fixed(i64),
    Months(i64),
}

/// Where buckets begin. All times are in µs since 1970.
#[derive(Debug, Clone)]
pub struct Buckets {
    width: Width,
    /// A multiple of the width away from where they begin: µs, or months.
    origin: i64,
    zone: Option<Zone>,
    offset: Option<Interval>,
}

/// A bucket: its start, and where the next one starts. The end is only known if all times between them are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    pub start: i64,
    pub end: Option<i64>,
}

pub fn invalid(message: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

pub fn not_positive() -> Error {
    invalid("period must be greater than 0")
}

fn unsupported(message: &str) -> Error {
    Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
}

impl Width {
    /// 0A000 for months with days, 22023 for what is no width.
    pub fn new(interval: Interval) -> Result<Self> {
        let days = i64::from(interval.days).checked_mul(DAY).and_then(|days| days.checked_add(interval.micros));
        match interval.months {
            0 => match days {
                Some(width @ 1..) => Ok(Self::Fixed(width)),
                _ => Err(not_positive()),
            },
            _ if interval.days != 0 || interval.micros != 0 => {
                Err(unsupported("month intervals cannot have day or time component"))
            }
            months @ 1.. => Ok(Self::Months(months.into())),
            _ => Err(not_positive()),
        }
    }

    /// As [`new`](Self::new), for dates: 0A000 for parts of days.
    pub fn of_days(interval: Interval) -> Result<Self> {
        if interval.months != 0 {
            return Self::new(interval);
        }
        let width = i64::from(interval.days).saturating_mul(DAY).saturating_add(interval.micros);
        match width {
            ..DAY => Err(unsupported("interval must not have sub-day precision")),
            width if width % DAY != 0 => Err(unsupported("interval must be a multiple of a day")),
            width => Ok(Self::Fixed(width)),
        }
    }

    /// Where the bucket of a time starts and the next one does.
    fn bucket(self, time: i64, origin: i64) -> Result<(i64, i64)> {
        match self {
            Self::Fixed(width) => {
                let shift = origin % width;
                let start = time.checked_sub(shift).map(|time| time.div_euclid(width));
                let start = start.and_then(|number| number.checked_mul(width)?.checked_add(shift));
                let start = start.ok_or_else(timestamp_out_of_range)?;
                Ok((start, start.saturating_add(width)))
            }
            Self::Months(width) => {
                let (year, month, _) = civil_from_days(time.div_euclid(DAY));
                let shift = origin % width;
                let start = (year * 12 + month - 1 - shift).div_euclid(width) * width + shift;
                let micros = |month| days_from_civil(0, month + 1, 1).checked_mul(DAY);
                let end = micros(start + width).unwrap_or(i64::MAX);
                Ok((micros(start).ok_or_else(timestamp_out_of_range)?, end))
            }
        }
    }
}

impl Buckets {
    pub fn new(width: Width) -> Self {
        let origin = match width {
            Width::Fixed(_) => MONDAY,
            Width::Months(_) => YEAR_2000,
        };
        Self { width, origin, zone: None, offset: None }
    }

    /// Of a width of months, only year and month of the origin count.
    pub fn with_origin(self, origin: i64) -> Self {
        let finite = Timestamp(origin).is_finite();
        let origin = match self.width {
            Width::Fixed(width) if !finite => EPOCH_2000 % width + origin % width,
            Width::Fixed(_) => origin,
            Width::Months(_) if !finite => YEAR_2000,
            Width::Months(_) => {
                let (year, month, _) = civil_from_days(origin.div_euclid(DAY));
                year * 12 + month - 1
            }
        };
        Self { origin, ..self }
    }

    pub fn with_offset(self, offset: Interval) -> Self {
        Self { offset: Some(offset), ..self }
    }

    pub fn width(&self) -> Width {
        self.width
    }

    /// An origin that was given before is one of local time.
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { zone: Some(zone), ..self }
    }

    /// The bucket of a time that is finite.
    pub fn of(&self, time: i64) -> Result<Bucket> {
        let (start, end) = match &self.zone {
            None => {
                let (start, end) = self.of_local(time)?;
                (start, Some(end))
            }
            Some(zone) => zone.bucket(time, |local| self.of_local(local))?,
        };
        Ok(Bucket { start: Timestamp::from_micros(start)?.0, end })
    }

    fn of_local(&self, time: i64) -> Result<(i64, i64)> {
        let Some(offset) = self.offset else { return self.width.bucket(time, self.origin) };
        let (start, end) = self.width.bucket(minus(time, offset)?, self.origin)?;
        Ok((plus(start, offset)?, plus(end, offset).unwrap_or(i64::MAX)))
    }

    /// Where the bucket after the one that starts at `start` does.
    pub fn next(&self, start: i64) -> Result<i64> {
        let step = match self.width {
            Width::Fixed(width) => Interval { months: 0, days: 0, micros: width },
            Width::Months(months) => Interval { months: i32::try_from(months).unwrap_or(i32::MAX), days: 0, micros: 0 },
        };
        match &self.zone {
            None => plus(start, step),
            Some(zone) => {
                // Where clocks are set back, buckets of one width begin twice.
                if let Width::Fixed(width) = self.width
                    && let Some(later) = self.of(start.saturating_add(width)).ok().filter(|later| later.start > start)
                {
                    return Ok(later.start);
                }
                zone.next(start, |local| plus(local, step))
            }
        }
    }
}

/// A time moved by an interval, in a zone without changes.
fn plus(time: i64, interval: Interval) -> Result<i64> {
    aegis_engine::extension::arithmetic::add_interval(Timestamp(time), interval).map(|time| time.0)
}

fn minus(time: i64, interval: Interval) -> Result<i64> {
    plus(time, interval.negate()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn start(width: Interval, time: i64) -> i64 {
        Buckets::new(Width::new(width).unwrap()).of(time).unwrap().start
    }

    #[test]
    fn weeks_begin_on_monday() {
        let week = Interval { months: 0, days: 7, micros: 0 };
        // 1970-01-01 was a Thursday.
        assert_eq!(start(week, 0), -3 * DAY);
        assert_eq!(start(week, 4 * DAY), 4 * DAY);
        assert_eq!(start(week, 4 * DAY - 1), -3 * DAY);
    }

    #[test]
    fn months_of_all_years() {
        let month = Interval { months: 1, days: 0, micros: 0 };
        assert_eq!(start(month, -1), -31 * DAY);
        assert_eq!(start(month, 40 * DAY + HOUR), 31 * DAY);
        let year = Interval { months: 12, days: 0, micros: 0 };
        assert_eq!(start(year, 364 * DAY), 0);
    }

    #[test]
    fn every_time_of_a_bucket_has_its_start() {
        for (width, origin) in [(7 * HOUR, 3), (HOUR, -5), (13 * DAY, HOUR)] {
            let buckets = Buckets::new(Width::Fixed(width)).with_origin(origin);
            for time in (-40 * DAY..40 * DAY).step_by(HOUR as usize * 5 + 17) {
                let bucket = buckets.of(time).unwrap();
                assert!(bucket.start <= time && time < bucket.end.unwrap());
                assert_eq!(buckets.of(bucket.end.unwrap() - 1).unwrap(), bucket);
                assert_eq!(buckets.next(bucket.start).unwrap(), bucket.end.unwrap());
            }
        }
    }

    #[test]
    fn widths_that_are_none() {
        let refused = |months, days, micros| Width::new(Interval { months, days, micros }).unwrap_err().code();
        assert_eq!(refused(0, 0, 0), sqlstate::INVALID_PARAMETER_VALUE);
        assert_eq!(refused(-1, 0, 0), sqlstate::INVALID_PARAMETER_VALUE);
        assert_eq!(refused(1, 1, 0), sqlstate::FEATURE_NOT_SUPPORTED);
    }
}
