//! The proleptic Gregorian calendar on integers: days and microseconds since 1970-01-01, year 0 is 1 BC.

pub const MICROS_PER_SECOND: i64 = 1_000_000;
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
pub const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
pub const MICROS_PER_DAY: i64 = 24 * MICROS_PER_HOUR;
pub const SECONDS_PER_DAY: i64 = 86_400;
pub const MONTHS_PER_YEAR: i32 = 12;
/// Days of a month where PostgreSQL needs a constant.
pub const DAYS_PER_MONTH: i32 = 30;

/// 2000-01-01, day zero of PostgreSQL's binary formats.
pub const POSTGRES_EPOCH_DAYS: i32 = 10_957;
pub const POSTGRES_EPOCH_MICROS: i64 = POSTGRES_EPOCH_DAYS as i64 * MICROS_PER_DAY;

/// Julian day number of 1970-01-01.
pub const UNIX_EPOCH_JULIAN: i32 = 2_440_588;

/// First and last day that `date` can hold: 4714-11-24 BC and 5874897-12-31.
pub const MIN_DATE: i32 = -UNIX_EPOCH_JULIAN;
pub const MAX_DATE: i32 = 2_147_483_493 - UNIX_EPOCH_JULIAN;
/// First microsecond that `timestamp` can hold. The last one is where 64 bits end (January 294247; PostgreSQL
/// counts from 2000 and so reaches 294276).
pub const MIN_TIMESTAMP: i64 = MIN_DATE as i64 * MICROS_PER_DAY;

/// The infinities.
pub const DATE_INFINITY: i32 = i32::MAX;
pub const DATE_NEG_INFINITY: i32 = i32::MIN;
pub const TIMESTAMP_INFINITY: i64 = i64::MAX;
pub const TIMESTAMP_NEG_INFINITY: i64 = i64::MIN;

/// A moment in calendar terms. Values outside their usual ranges are allowed while parsing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Civil {
    /// 0 is 1 BC, -1 is 2 BC.
    pub year: i32,
    pub month: i32,
    pub day: i32,
    pub hour: i32,
    pub minute: i32,
    pub second: i32,
    pub micros: i32,
}

pub const fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month (1 to 12).
pub const fn days_in_month(year: i32, month: i32) -> i32 {
    match month {
        2 if is_leap_year(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. The month is 1 to 12; the day may be any number.
pub const fn days_from_civil(year: i32, month: i32, day: i32) -> i64 {
    // Years start in March, so that the leap day is the last; an era is 400 years.
    let year = year as i64 - (month <= 2) as i64;
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day of a day since 1970-01-01.
pub const fn civil_from_days(days: i64) -> (i32, i32, i32) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as i64;
    (year as i32, month as i32, day as i32)
}

/// Day of the week, 0 is Sunday.
pub const fn weekday(days: i64) -> i32 {
    (days + 4).rem_euclid(7) as i32
}

/// Day of the year, 1 to 366.
pub const fn day_of_year(year: i32, month: i32, day: i32) -> i32 {
    (days_from_civil(year, month, day) - days_from_civil(year, 1, 1) + 1) as i32
}

/// First day (a Monday) of the ISO 8601 week-numbering year.
pub const fn iso_year_start(year: i32) -> i64 {
    let fourth = days_from_civil(year, 1, 4);
    fourth - (weekday(fourth) as i64 + 6) % 7
}

/// ISO 8601 year and week of a day.
pub const fn iso_year_week(days: i64) -> (i32, i32) {
    let (year, _, _) = civil_from_days(days);
    let mut iso_year = year + 1;
    while days < iso_year_start(iso_year) {
        iso_year -= 1;
    }
    (iso_year, ((days - iso_year_start(iso_year)) / 7 + 1) as i32)
}

impl Civil {
    /// The calendar fields of microseconds since 1970-01-01.
    pub fn from_micros(micros: i64) -> Self {
        let days = micros.div_euclid(MICROS_PER_DAY);
        let (year, month, day) = civil_from_days(days);
        let mut civil = Self { year, month, day, ..Self::default() };
        civil.set_time(micros.rem_euclid(MICROS_PER_DAY));
        civil
    }

    /// The calendar fields of a day.
    pub fn from_days(days: i32) -> Self {
        let (year, month, day) = civil_from_days(days.into());
        Self { year, month, day, ..Self::default() }
    }

    /// Sets hour, minute, second and microsecond from microseconds since midnight.
    pub fn set_time(&mut self, time: i64) {
        self.hour = (time / MICROS_PER_HOUR) as i32;
        self.minute = (time % MICROS_PER_HOUR / MICROS_PER_MINUTE) as i32;
        self.second = (time % MICROS_PER_MINUTE / MICROS_PER_SECOND) as i32;
        self.micros = (time % MICROS_PER_SECOND) as i32;
    }

    pub fn set_date(&mut self, days: i64) {
        (self.year, self.month, self.day) = civil_from_days(days);
    }

    pub fn days(&self) -> i64 {
        days_from_civil(self.year, self.month, self.day)
    }

    /// Microseconds since midnight.
    pub fn time(&self) -> i64 {
        i64::from(self.hour) * MICROS_PER_HOUR
            + i64::from(self.minute) * MICROS_PER_MINUTE
            + i64::from(self.second) * MICROS_PER_SECOND
            + i64::from(self.micros)
    }

    /// Microseconds since 1970-01-01, if `timestamp` can hold them.
    pub fn to_micros(&self) -> Option<i64> {
        timestamp_from_parts(self.days(), self.time())
    }
}

/// A day and a time of day as a timestamp, if in range.
pub fn timestamp_from_parts(days: i64, time: i64) -> Option<i64> {
    in_range(i128::from(days) * i128::from(MICROS_PER_DAY) + i128::from(time))
}

/// Microseconds as a timestamp, if in range.
pub fn in_range(micros: i128) -> Option<i64> {
    let micros = i64::try_from(micros).ok()?;
    (MIN_TIMESTAMP..TIMESTAMP_INFINITY).contains(&micros).then_some(micros)
}

/// Whether a timestamp is one of the infinities.
pub const fn is_infinite(timestamp: i64) -> bool {
    timestamp == TIMESTAMP_INFINITY || timestamp == TIMESTAMP_NEG_INFINITY
}

/// Whether a date is one of the infinities.
pub const fn is_infinite_date(date: i32) -> bool {
    date == DATE_INFINITY || date == DATE_NEG_INFINITY
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_back() {
        assert_eq!(days_from_civil(1970, 1, 1), 0);
        assert_eq!(days_from_civil(2000, 1, 1), i64::from(POSTGRES_EPOCH_DAYS));
        assert_eq!(days_from_civil(-4713, 11, 24), i64::from(MIN_DATE));
        assert_eq!(days_from_civil(5_874_897, 12, 31), i64::from(MAX_DATE));
        for days in (-3_000_000..3_000_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(weekday(0), 4);
        assert_eq!(iso_year_week(days_from_civil(2021, 1, 3)), (2020, 53));
        assert_eq!(iso_year_week(days_from_civil(2018, 12, 31)), (2019, 1));
        assert_eq!(day_of_year(2020, 12, 31), 366);
    }
}
