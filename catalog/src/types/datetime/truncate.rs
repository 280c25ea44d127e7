//! `date_trunc` and `date_bin` (manual 9.9.2, 9.9.3).

use super::calendar::{
    Civil, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, in_range, is_infinite, weekday,
};
use super::extract::{unrecognized, unsupported};
use super::timestamp_out_of_range;
use super::token::{Unit, unit};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::interval::out_of_range;
use crate::types::{Interval, Oid, TimeZone, oid};

fn parse_unit(name: &str, type_oid: Oid) -> Result<Unit> {
    unit(&name.to_ascii_lowercase()).ok_or_else(|| unrecognized(name, type_oid))
}

/// First year of the decade, century or millennium that a year is in.
fn first_year(year: i32, span: i32) -> i32 {
    if year > 0 { (year + span - 1) / span * span - span + 1 } else { -((span - 1 - (year - 1)) / span) * span + 1 }
}

/// Cuts a local time; `None` for units that cannot be cut to.
fn truncate_local(unit: Unit, local: i64) -> Option<Option<i64>> {
    let to_multiple = |unit: i64| Some(in_range(i128::from(local.div_euclid(unit)) * i128::from(unit)));
    let mut civil = match unit {
        Unit::Microsecond => return Some(Some(local)),
        Unit::Millisecond => return to_multiple(1000),
        Unit::Second => return to_multiple(MICROS_PER_SECOND),
        Unit::Minute => return to_multiple(MICROS_PER_MINUTE),
        Unit::Hour => return to_multiple(MICROS_PER_HOUR),
        Unit::Day => return to_multiple(MICROS_PER_DAY),
        Unit::Week => {
            let days = local.div_euclid(MICROS_PER_DAY);
            let monday = days - (i64::from(weekday(days)) + 6) % 7;
            return Some(in_range(i128::from(monday) * i128::from(MICROS_PER_DAY)));
        }
        _ => Civil::from_micros(local),
    };
    civil.set_time(0);
    civil.day = 1;
    match unit {
        Unit::Month => return Some(civil.to_micros()),
        Unit::Quarter => {
            civil.month = (civil.month - 1) / 3 * 3 + 1;
            return Some(civil.to_micros());
        }
        Unit::Year => {}
        Unit::Decade => {
            civil.year = if civil.year > 0 { civil.year / 10 * 10 } else { -((8 - (civil.year - 1)) / 10) * 10 };
        }
        Unit::Century => civil.year = first_year(civil.year, 100),
        Unit::Millennium => civil.year = first_year(civil.year, 1000),
        _ => return None,
    }
    civil.month = 1;
    Some(civil.to_micros())
}

/// `date_trunc(field, timestamp)`.
pub fn date_trunc(name: &str, timestamp: i64) -> Result<i64> {
    let unit = parse_unit(name, oid::TIMESTAMP)?;
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    truncate_local(unit, timestamp).ok_or_else(|| unsupported(name, oid::TIMESTAMP))?.ok_or_else(timestamp_out_of_range)
}

/// `date_trunc(field, timestamptz)` in a zone.
pub fn date_trunc_tz(name: &str, timestamp: i64, zone: &TimeZone) -> Result<i64> {
    let unit = parse_unit(name, oid::TIMESTAMPTZ)?;
    if is_infinite(timestamp) {
        return Ok(timestamp);
    }
    let offset = i64::from(zone.offset_at(timestamp)) * MICROS_PER_SECOND;
    let local = in_range(i128::from(timestamp) + i128::from(offset)).ok_or_else(timestamp_out_of_range)?;
    let cut = truncate_local(unit, local)
        .ok_or_else(|| unsupported(name, oid::TIMESTAMPTZ))?
        .ok_or_else(timestamp_out_of_range)?;
    // Below a day the offset stays, so that the hours of a fold stay apart.
    let utc = match unit {
        Unit::Microsecond | Unit::Millisecond | Unit::Second | Unit::Minute | Unit::Hour => {
            in_range(i128::from(cut) - i128::from(offset))
        }
        _ => zone.local_to_utc(cut),
    };
    utc.ok_or_else(timestamp_out_of_range)
}

/// `date_trunc(field, interval)`.
pub fn date_trunc_interval(name: &str, interval: Interval) -> Result<Interval> {
    let unit = parse_unit(name, oid::INTERVAL)?;
    let Interval { months, days, micros } = interval;
    let time = |unit: i64| Interval::new(months, days, micros / unit * unit);
    let years = |span: i32| Interval::new(months / (12 * span) * (12 * span), 0, 0);
    Ok(match unit {
        Unit::Microsecond => interval,
        Unit::Millisecond => time(1000),
        Unit::Second => time(MICROS_PER_SECOND),
        Unit::Minute => time(MICROS_PER_MINUTE),
        Unit::Hour => time(MICROS_PER_HOUR),
        Unit::Day => Interval::new(months, days, 0),
        Unit::Month => Interval::new(months, 0, 0),
        Unit::Quarter => Interval::new(months / 3 * 3, 0, 0),
        Unit::Year => years(1),
        Unit::Decade => years(10),
        Unit::Century => years(100),
        Unit::Millennium => years(1000),
        Unit::Week => {
            return Err(unsupported(name, oid::INTERVAL).with_detail("Months usually have fractional weeks."));
        }
        _ => return Err(unsupported(name, oid::INTERVAL)),
    })
}

/// `date_bin(stride, source, origin)`.
pub fn date_bin(stride: Interval, source: i64, origin: i64) -> Result<i64> {
    let invalid = |message: &str| Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, message);
    if is_infinite(source) {
        return Ok(source);
    }
    if is_infinite(origin) {
        return Err(invalid("origin out of range"));
    }
    if stride.months != 0 {
        return Err(Error::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            "timestamps cannot be binned into intervals containing months or years",
        ));
    }
    let width = i64::try_from(stride.comparison_key()).map_err(|_| out_of_range())?;
    if width <= 0 {
        return Err(invalid("stride must be greater than zero"));
    }
    let distance = i128::from(source) - i128::from(origin);
    if i64::try_from(distance).is_err() {
        return Err(out_of_range());
    }
    let bin = i128::from(origin) + distance.div_euclid(width.into()) * i128::from(width);
    in_range(bin).ok_or_else(timestamp_out_of_range)
}
