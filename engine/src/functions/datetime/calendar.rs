//! The proleptic Gregorian calendar, and the limits of the date/time types.

use aegis_catalog::{Error, Result, sqlstate};

use crate::functions::value::{Date, Timestamp};

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// Days from 1970-01-01 of 4714-11-24 BC, the first date, and of 5874898-01-01, the one after the last.
const FIRST_DATE: i64 = -2_440_588;
const END_DATE: i64 = 2_145_042_906;
/// First timestamp. The last is 30 years earlier than PostgreSQL's, since our epoch is 1970.
const FIRST_TIMESTAMP: i64 = FIRST_DATE * DAY;
const END_TIMESTAMP: i64 = i64::MAX;

impl Date {
    pub const INFINITY: Self = Self(i32::MAX);
    pub const NEG_INFINITY: Self = Self(i32::MIN);

    pub fn is_finite(self) -> bool {
        self != Self::INFINITY && self != Self::NEG_INFINITY
    }

    /// 22008 beyond the type's range.
    pub fn from_days(days: i64) -> Result<Self> {
        if !(FIRST_DATE..END_DATE).contains(&days) {
            return Err(date_out_of_range());
        }
        Ok(Self(days as i32))
    }

    pub fn midnight(self) -> Result<Timestamp> {
        match self {
            Self::INFINITY => Ok(Timestamp::INFINITY),
            Self::NEG_INFINITY => Ok(Timestamp::NEG_INFINITY),
            Self(days) => match i64::from(days).checked_mul(DAY) {
                Some(micros) => Timestamp::from_micros(micros).map_err(|_| timestamp_date_out_of_range()),
                None => Err(timestamp_date_out_of_range()),
            },
        }
    }
}

impl Timestamp {
    pub const INFINITY: Self = Self(i64::MAX);
    pub const NEG_INFINITY: Self = Self(i64::MIN);

    pub fn is_finite(self) -> bool {
        self != Self::INFINITY && self != Self::NEG_INFINITY
    }

    pub fn from_micros(micros: i64) -> Result<Self> {
        if !(FIRST_TIMESTAMP..END_TIMESTAMP).contains(&micros) {
            return Err(timestamp_out_of_range());
        }
        Ok(Self(micros))
    }

    /// Of a date and a time of day that may be outside that day.
    pub fn from_parts(days: i64, micros: i64) -> Result<Self> {
        let total = days.checked_mul(DAY).and_then(|start| start.checked_add(micros));
        total.ok_or_else(timestamp_out_of_range).and_then(Self::from_micros)
    }

    pub fn days(self) -> i64 {
        self.0.div_euclid(DAY)
    }

    pub fn time_of_day(self) -> i64 {
        self.0.rem_euclid(DAY)
    }

    pub fn date(self) -> Result<Date> {
        match self {
            Self::INFINITY => Ok(Date::INFINITY),
            Self::NEG_INFINITY => Ok(Date::NEG_INFINITY),
            other => Date::from_days(other.days()),
        }
    }

    pub fn fields(self) -> Fields {
        Fields::new(self.days(), self.time_of_day())
    }
}

/// A finite timestamp, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fields {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    /// Seconds and their fraction.
    pub micros: i64,
}

impl Fields {
    pub fn new(days: i64, micros: i64) -> Self {
        let (year, month, day) = civil_from_days(days);
        Self { year, month, day, hour: micros / HOUR, minute: micros / MINUTE % 60, micros: micros % MINUTE }
    }

    pub fn days(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }
}

/// Days from 1970-01-01; year 0 is 1 BC. Month and day may be outside their ranges by whole years and months' lengths.
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year + (month - 1).div_euclid(12);
    let month = (month - 1).rem_euclid(12) + 1;
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

pub fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

pub fn days_in_month(year: i64, month: i64) -> i64 {
    days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1)
}

/// 0 is Sunday.
pub fn day_of_week(days: i64) -> i64 {
    (days + 4).rem_euclid(7)
}

pub fn day_of_year(days: i64) -> i64 {
    days - days_from_civil(civil_from_days(days).0, 1, 1) + 1
}

/// Year and week by ISO 8601.
pub fn iso_week(days: i64) -> (i64, i64) {
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let year = civil_from_days(thursday).0;
    (year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1)
}

/// Julian day number.
pub fn julian(days: i64) -> i64 {
    days + 2_440_588
}

pub fn date_out_of_range() -> Error {
    Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, "date out of range")
}

fn timestamp_date_out_of_range() -> Error {
    Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, "date out of range for timestamp")
}

pub fn timestamp_out_of_range() -> Error {
    Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

pub fn interval_out_of_range() -> Error {
    aegis_catalog::types::interval::out_of_range()
}
