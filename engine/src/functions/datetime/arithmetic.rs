//! Operators of the date/time types.

use aegis_catalog::Result;
use aegis_catalog::types::TimeZone;
use aegis_catalog::types::datetime::time_out_of_range;

use super::calendar::{
    DAY, Fields, SECOND, date_out_of_range, days_in_month, interval_out_of_range, timestamp_out_of_range,
};
use super::zone;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Date, Interval, Time, TimeTz, Timestamp, TimestampTz};

pub fn functions() -> Vec<Row> {
    [dates(), timestamps(), instants(), times(), intervals()].into_iter().flatten().collect()
}

fn add_days(date: Date, days: i64) -> Result<Date> {
    if !date.is_finite() {
        return Ok(date);
    }
    Date::from_days(i64::from(date.0) + days)
}

fn subtract_dates(a: Date, b: Date) -> Result<i32> {
    if !a.is_finite() || !b.is_finite() {
        return Err(aegis_catalog::Error::new(
            aegis_catalog::sqlstate::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite dates",
        ));
    }
    a.0.checked_sub(b.0).ok_or_else(date_out_of_range)
}

/// Months keep the day of month where there is one, else the month's last day.
pub fn add_interval(timestamp: Timestamp, interval: Interval) -> Result<Timestamp> {
    if !timestamp.is_finite() {
        return Ok(timestamp);
    }
    let mut days = timestamp.days();
    if interval.months != 0 {
        let mut fields = timestamp.fields();
        let months = fields.year * 12 + fields.month - 1 + i64::from(interval.months);
        fields.year = months.div_euclid(12);
        fields.month = months.rem_euclid(12) + 1;
        fields.day = fields.day.min(days_in_month(fields.year, fields.month));
        days = fields.days();
    }
    let micros = timestamp.time_of_day().checked_add(interval.micros).ok_or_else(timestamp_out_of_range)?;
    Timestamp::from_parts(days + i64::from(interval.days), micros)
}

/// Months and days are counted in local time, the rest in real time.
pub fn add_interval_in(zone: &TimeZone, instant: TimestampTz, interval: Interval) -> Result<TimestampTz> {
    if !Timestamp(instant.0).is_finite() {
        return Ok(instant);
    }
    let mut instant = instant;
    if interval.months != 0 || interval.days != 0 {
        let local = zone::to_local(zone, instant)?;
        let moved = add_interval(local, Interval::new(interval.months, interval.days, 0))?;
        instant = zone::to_instant(zone, moved)?;
    }
    let micros = instant.0.checked_add(interval.micros).ok_or_else(timestamp_out_of_range)?;
    Ok(TimestampTz(Timestamp::from_micros(micros)?.0))
}

/// Days and time, no months.
fn subtract_timestamps(a: Timestamp, b: Timestamp) -> Result<Interval> {
    if !a.is_finite() || !b.is_finite() {
        return Err(aegis_catalog::Error::new(
            aegis_catalog::sqlstate::DATETIME_FIELD_OVERFLOW,
            "cannot subtract infinite timestamps",
        ));
    }
    let micros = a.0.checked_sub(b.0).ok_or_else(interval_out_of_range)?;
    Ok(Interval::new(0, (micros / DAY) as i32, micros % DAY))
}

fn dates() -> Vec<Row> {
    vec![
        f("+(date, int4)", kernel!(|a: Date, days: i32| add_days(a, days.into()))),
        f("+(int4, date)", kernel!(|days: i32, a: Date| add_days(a, days.into()))),
        f("-(date, int4)", kernel!(|a: Date, days: i32| add_days(a, -i64::from(days)))),
        f("-(date, date)", kernel!(|a: Date, b: Date| subtract_dates(a, b))),
        f("+(date, interval)", kernel!(|a: Date, b: Interval| add_interval(a.midnight()?, b))),
        f("+(interval, date)", kernel!(|b: Interval, a: Date| add_interval(a.midnight()?, b))),
        f("-(date, interval)", kernel!(|a: Date, b: Interval| add_interval(a.midnight()?, b.negate()?))),
    ]
}

fn timestamps() -> Vec<Row> {
    vec![
        f("+(timestamp, interval)", kernel!(|a: Timestamp, b: Interval| add_interval(a, b))),
        f("+(interval, timestamp)", kernel!(|b: Interval, a: Timestamp| add_interval(a, b))),
        f("-(timestamp, interval)", kernel!(|a: Timestamp, b: Interval| add_interval(a, b.negate()?))),
        f("-(timestamp, timestamp)", kernel!(|a: Timestamp, b: Timestamp| subtract_timestamps(a, b))),
    ]
}

fn instants() -> Vec<Row> {
    vec![
        f(
            "+(timestamptz, interval)",
            kernel!(|call; a: TimestampTz, b: Interval| add_interval_in(&call.context.format.time_zone, a, b)),
        ),
        f(
            "+(interval, timestamptz)",
            kernel!(|call; b: Interval, a: TimestampTz| add_interval_in(&call.context.format.time_zone, a, b)),
        ),
        f(
            "-(timestamptz, interval)",
            kernel!(|call; a: TimestampTz, b: Interval| add_interval_in(&call.context.format.time_zone, a, b.negate()?)),
        ),
        f(
            "-(timestamptz, timestamptz)",
            kernel!(|a: TimestampTz, b: TimestampTz| subtract_timestamps(Timestamp(a.0), Timestamp(b.0))),
        ),
    ]
}

pub fn turned(time: i64, by: i64) -> i64 {
    (i128::from(time) + i128::from(by)).rem_euclid(i128::from(DAY)) as i64
}

fn times() -> Vec<Row> {
    vec![
        f("+(time, interval)", kernel!(|a: Time, b: Interval| Time(turned(a.0, b.micros)))),
        f("+(interval, time)", kernel!(|b: Interval, a: Time| Time(turned(a.0, b.micros)))),
        f("-(time, interval)", kernel!(|a: Time, b: Interval| Time(turned(a.0, b.micros.checked_neg().unwrap_or(0))))),
        f("-(time, time)", kernel!(|a: Time, b: Time| Interval::new(0, 0, a.0 - b.0))),
        f("+(timetz, interval)", kernel!(|a: TimeTz, b: Interval| TimeTz { micros: turned(a.micros, b.micros), ..a })),
        f("+(interval, timetz)", kernel!(|b: Interval, a: TimeTz| TimeTz { micros: turned(a.micros, b.micros), ..a })),
        f(
            "-(timetz, interval)",
            kernel!(|a: TimeTz, b: Interval| TimeTz {
                micros: turned(a.micros, b.micros.checked_neg().unwrap_or(0)),
                ..a
            }),
        ),
        f(
            "timezone(text, timetz)",
            kernel!(|call; name: &str, a: TimeTz| {
                let local = zone::find(name)?.utc_to_local(call.context.transaction_start).ok_or_else(time_out_of_range)?;
                let east = (local - call.context.transaction_start) / SECOND;
                Ok::<_, aegis_catalog::Error>(TimeTz { micros: turned(a.micros, (i64::from(a.west) + east) * SECOND), west: -east as i32 })
            }),
        ),
        f(
            "timezone(interval, timetz)",
            kernel!(|by: Interval, a: TimeTz| {
                let east = zone::of_interval(by)?;
                Ok::<_, aegis_catalog::Error>(TimeTz {
                    micros: turned(a.micros, (i64::from(a.west) + east) * SECOND),
                    west: -east as i32,
                })
            }),
        ),
    ]
}

fn intervals() -> Vec<Row> {
    vec![
        f("+(interval, interval)", kernel!(|a: Interval, b: Interval| a.add(b))),
        f("-(interval, interval)", kernel!(|a: Interval, b: Interval| a.sub(b))),
        f("-(interval)", kernel!(|a: Interval| a.negate())),
        f("*(interval, float8)", kernel!(|a: Interval, by: f64| a.mul(by))),
        f("*(float8, interval)", kernel!(|by: f64, a: Interval| a.mul(by))),
        f("/(interval, float8)", kernel!(|a: Interval, by: f64| a.div(by))),
    ]
}

/// The difference in years, months, days and time, as a person counts.
pub fn age(later: Timestamp, earlier: Timestamp) -> Result<Interval> {
    if !later.is_finite() || !earlier.is_finite() {
        return Err(timestamp_out_of_range());
    }
    let negative = later < earlier;
    let (high, low) = if negative { (earlier, later) } else { (later, earlier) };
    let (a, b): (Fields, Fields) = (high.fields(), low.fields());
    let mut micros = high.time_of_day() - low.time_of_day();
    let mut days = a.day - b.day;
    let mut months = (a.year - b.year) * 12 + a.month - b.month;
    if micros < 0 {
        micros += DAY;
        days -= 1;
    }
    if days < 0 {
        // The length of the earlier value's month.
        days += days_in_month(b.year, b.month);
        months -= 1;
    }
    let interval = Interval::new(months as i32, days as i32, micros);
    if negative { interval.negate() } else { Ok(interval) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::datetime::calendar::days_from_civil;

    fn at(year: i64, month: i64, day: i64) -> Timestamp {
        Timestamp::from_parts(days_from_civil(year, month, day), 0).unwrap()
    }

    #[test]
    fn months_end_where_the_month_does() {
        let month = Interval::new(1, 0, 0);
        assert_eq!(add_interval(at(2024, 1, 31), month).unwrap(), at(2024, 2, 29));
        assert_eq!(add_interval(at(2024, 3, 31), month.negate().unwrap()).unwrap(), at(2024, 2, 29));
        assert_eq!(add_interval(Timestamp::INFINITY, month).unwrap(), Timestamp::INFINITY);
    }

    #[test]
    fn age_counts_as_postgresql_does() {
        assert_eq!(age(at(2001, 4, 10), at(1957, 6, 13)).unwrap(), Interval::new(43 * 12 + 9, 27, 0));
        assert_eq!(age(at(2023, 1, 15), at(2024, 3, 1)).unwrap(), Interval::new(-13, -17, 0));
    }
}
