//! Units of timestamps, and what they are in PostgreSQL.

use std::time::{SystemTime, UNIX_EPOCH};

use aegis_engine::catalog::Error;

use crate::line_protocol::timestamp_out_of_range;

/// A timestamp's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// By its size, as InfluxDB 3 does.
    Auto,
    Nanosecond,
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
}

/// From 1970-01-01 to 2000-01-01, PostgreSQL's epoch.
const EPOCH_MICROSECONDS: i128 = 946_684_800_000_000;

/// From PostgreSQL's first day, 4714-11-24 BC, to where 64 bits of microseconds since 1970 end, which is infinity; counted from 2000.
const TIMESTAMPS: std::ops::Range<i64> = -211_813_488_000_000_000..i64::MAX - 946_684_800_000_000;

impl Precision {
    fn nanoseconds(self, timestamp: i64) -> i128 {
        match self {
            Self::Auto => Self::guess(timestamp).nanoseconds(timestamp),
            Self::Nanosecond => 1,
            Self::Microsecond => 1_000,
            Self::Millisecond => 1_000_000,
            Self::Second => 1_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Hour => 3_600_000_000_000,
        }
    }

    /// As InfluxDB 3 guesses: right for times from 1970 to 2128.
    fn guess(timestamp: i64) -> Self {
        match timestamp.unsigned_abs() / 1_000_000_000 {
            0..5 => Self::Second,
            5..5_000 => Self::Millisecond,
            5_000..5_000_000 => Self::Microsecond,
            _ => Self::Nanosecond,
        }
    }

    /// Microseconds since 2000; what is finer is cut off towards the past.
    fn microseconds(self, timestamp: i64) -> Result<i64, Error> {
        let nanoseconds = i128::from(timestamp) * self.nanoseconds(timestamp);
        let microseconds = nanoseconds.div_euclid(1_000) - EPOCH_MICROSECONDS;
        i64::try_from(microseconds)
            .ok()
            .filter(|time| TIMESTAMPS.contains(time))
            .ok_or_else(|| timestamp_out_of_range(timestamp))
    }
}

/// A request's unit, and the time of its points without one.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    precision: Precision,
    now: i64,
}

impl Clock {
    pub fn new(precision: Precision) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let now = i128::try_from(since).unwrap_or_default() - EPOCH_MICROSECONDS;
        Self { precision, now: i64::try_from(now).unwrap_or_default() }
    }

    /// Microseconds since 2000.
    pub fn time(self, timestamp: Option<i64>) -> Result<i64, Error> {
        timestamp.map_or(Ok(self.now), |timestamp| self.precision.microseconds(timestamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_lead_to_the_same_time() {
        let expected = 1_700_000_000_000_000 - 946_684_800_000_000;
        assert_eq!(Precision::Second.microseconds(1_700_000_000).unwrap(), expected);
        assert_eq!(Precision::Millisecond.microseconds(1_700_000_000_000).unwrap(), expected);
        assert_eq!(Precision::Microsecond.microseconds(1_700_000_000_000_000).unwrap(), expected);
        assert_eq!(Precision::Nanosecond.microseconds(1_700_000_000_000_000_999).unwrap(), expected);
        for timestamp in [1_700_000_000, 1_700_000_000_000, 1_700_000_000_000_000, 1_700_000_000_000_000_000] {
            assert_eq!(Precision::Auto.microseconds(timestamp).unwrap(), expected);
        }
        assert_eq!(Precision::Hour.microseconds(262_968).unwrap(), 0);
        assert_eq!(Precision::Nanosecond.microseconds(-1).unwrap(), -946_684_800_000_001);
    }

    #[test]
    fn only_times_of_postgresql_are_taken() {
        let code =
            |precision: Precision, timestamp| precision.microseconds(timestamp).unwrap_err().code().as_str().to_owned();
        assert_eq!(code(Precision::Second, i64::MAX), "22008");
        assert_eq!(code(Precision::Hour, i64::MIN), "22008");
        assert_eq!(code(Precision::Second, -210_866_803_201), "22008");
        assert!(Precision::Second.microseconds(-210_866_803_200).is_ok());
        assert_eq!(code(Precision::Microsecond, i64::MAX), "22008");
        assert!(Precision::Microsecond.microseconds(i64::MAX - 1).is_ok());
        assert!(Precision::Nanosecond.microseconds(i64::MIN).is_ok());
    }
}
