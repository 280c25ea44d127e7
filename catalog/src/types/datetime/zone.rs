//! Time zones: UTC offsets, local times in gaps and folds, names, abbreviations, POSIX forms.

use chrono::{DateTime, Offset, TimeZone as _};
use chrono_tz::{OffsetComponents, OffsetName, Tz};

use super::abbreviation::{Meaning, abbreviation};
use super::calendar::{SECONDS_PER_DAY, civil_from_days, days_from_civil, in_range, is_leap_year, weekday};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::TimeZone;

/// Largest displacement from UTC that input may give, in hours.
const MAX_DISPLACEMENT_HOURS: i32 = 15;
/// The zone data end here; later years repeat the last rules.
const LAST_YEAR: i32 = 2099;
/// First of 28 years that contain each kind of year (first weekday, leap or not) of the last rules.
const REPEATED_YEARS: i32 = 2060;

const MICROS: i64 = 1_000_000;

fn is_utc(zone: Tz) -> bool {
    matches!(zone, Tz::UTC | Tz::Etc__UTC | Tz::GMT | Tz::Etc__GMT)
}

impl TimeZone {
    pub const UTC: Self = Self::Named(Tz::UTC);

    /// A zone by what follows `SET TIME ZONE` or `AT TIME ZONE`, or stands in a date: an IANA name in any
    /// case, or a POSIX specification (`UTC+3`, `<+03>-03`).
    pub fn by_name(name: &str) -> Option<Self> {
        if let Some(zone) = iana(name) {
            return Some(Self::Named(zone));
        }
        posix(name)
    }

    /// The zone with a fixed offset in hours east, as `SET TIME ZONE 5.5` makes it.
    pub fn from_hours(hours: f64) -> Option<Self> {
        let seconds = hours * 3600.0;
        (seconds.abs() <= 167.0 * 3600.0).then(|| Self::fixed(seconds as i32))
    }

    /// A zone by its offset, with the name that `SHOW timezone` prints.
    pub fn fixed(east_seconds: i32) -> Self {
        let east = displacement_text(east_seconds, true);
        let west = displacement_text(-east_seconds, true);
        Self::Fixed { east_seconds, name: format!("<{east}>{west}") }
    }

    /// Is it always as far from UTC?
    pub fn is_fixed(&self) -> bool {
        match self {
            Self::Fixed { .. } => true,
            Self::Named(zone) => is_utc(*zone),
        }
    }

    /// What `SHOW timezone` prints.
    pub fn name(&self) -> &str {
        match self {
            Self::Named(zone) => zone.name(),
            Self::Fixed { name, .. } => name,
        }
    }

    /// Seconds east of UTC at a moment (µs since 1970-01-01 UTC).
    pub fn offset_at(&self, utc_micros: i64) -> i32 {
        match self {
            Self::Fixed { east_seconds, .. } => *east_seconds,
            Self::Named(zone) if is_utc(*zone) => 0,
            Self::Named(zone) => named_offset(*zone, utc_micros.div_euclid(MICROS)),
        }
    }

    /// Whether daylight-saving time is in force at a moment.
    pub fn is_dst_at(&self, utc_micros: i64) -> bool {
        match self {
            Self::Fixed { .. } => false,
            Self::Named(zone) => {
                let utc = representative(utc_micros.div_euclid(MICROS));
                DateTime::from_timestamp(utc, 0)
                    .is_some_and(|utc| !zone.offset_from_utc_datetime(&utc.naive_utc()).dst_offset().is_zero())
            }
        }
    }

    /// The abbreviation in force at a moment (`CET`, `EDT`, `+03`).
    pub fn abbreviation_at(&self, utc_micros: i64) -> String {
        match self {
            Self::Named(zone) => named_abbreviation(*zone, utc_micros.div_euclid(MICROS)),
            Self::Fixed { name, .. } => match name.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((abbreviation, _)) => abbreviation.to_owned(),
                None => name.chars().take_while(|c| c.is_ascii_alphabetic()).collect(),
            },
        }
    }

    /// Local time (µs) of a moment; infinities stay.
    pub fn utc_to_local(&self, utc_micros: i64) -> Option<i64> {
        in_range(i128::from(utc_micros) + i128::from(self.offset_at(utc_micros)) * i128::from(MICROS))
    }

    /// The moment of a local time, if in range.
    pub fn local_to_utc(&self, local_micros: i64) -> Option<i64> {
        in_range(i128::from(local_micros) - i128::from(self.offset_of_local(local_micros)) * i128::from(MICROS))
    }

    /// Seconds east of UTC that apply to a local time. In a gap the offset before it, so that the time moves
    /// forward; in a fold the offset after it (standard time), as PostgreSQL's `DetermineTimeZoneOffset`.
    pub fn offset_of_local(&self, local_micros: i64) -> i32 {
        let zone = match self {
            Self::Fixed { east_seconds, .. } => return *east_seconds,
            Self::Named(zone) if is_utc(*zone) => return 0,
            Self::Named(zone) => *zone,
        };
        let local = local_micros.div_euclid(MICROS);
        let before = named_offset(zone, local - SECONDS_PER_DAY);
        let after = named_offset(zone, local + SECONDS_PER_DAY);
        if before == after {
            return before;
        }
        let holds = |offset: i32| named_offset(zone, local - i64::from(offset)) == offset;
        match (holds(before), holds(after)) {
            (true, false) => before,
            (false, true) => after,
            _ if before < after => before,
            _ => after,
        }
    }

    /// The only offset that the zone ever has, if so.
    pub(super) fn constant_offset(&self) -> Option<i32> {
        match self {
            Self::Fixed { east_seconds, .. } => Some(*east_seconds),
            Self::Named(zone) => {
                let offset = named_offset(*zone, 0);
                let months = (-120 * 12..130 * 12).map(|month| i64::from(month) * 30 * SECONDS_PER_DAY);
                months.into_iter().all(|utc| named_offset(*zone, utc) == offset).then_some(offset)
            }
        }
    }

    /// Seconds east that an abbreviation stands for in this zone at or nearest before a moment, else after it.
    pub(super) fn offset_of_abbreviation(&self, abbreviation: &str, utc_micros: i64) -> Option<i32> {
        let Self::Named(zone) = self else { return Some(self.offset_at(utc_micros)) };
        // Abbreviations begin with standard time in the 19th century.
        const FIRST: i64 = days_from_civil(1850, 1, 1) * SECONDS_PER_DAY;
        const LAST: i64 = days_from_civil(LAST_YEAR, 1, 1) * SECONDS_PER_DAY;
        const MONTH: i64 = 30 * SECONDS_PER_DAY;
        let now = utc_micros.div_euclid(MICROS).clamp(FIRST, LAST);
        let means = |utc: &i64| named_abbreviation(*zone, *utc).eq_ignore_ascii_case(abbreviation);
        let mut earlier = (0..).map(|months| now - months * MONTH).take_while(|&utc| utc >= FIRST);
        let mut later = (1..).map(|months| now + months * MONTH).take_while(|&utc| utc <= LAST);
        let found = earlier.find(means).or_else(|| later.find(means));
        found.map(|utc| named_offset(*zone, utc))
    }
}

/// Years that the zone data do not cover behave like a covered one of the same shape.
fn representative(utc: i64) -> i64 {
    // 2100-01-01 and 1600-01-01: nothing changes before the first zones were kept.
    const END: i64 = days_from_civil(LAST_YEAR + 1, 1, 1) * SECONDS_PER_DAY;
    const START: i64 = days_from_civil(1600, 1, 1) * SECONDS_PER_DAY;
    if utc < END {
        return utc.max(START);
    }
    let days = utc.div_euclid(SECONDS_PER_DAY);
    let (year, _, _) = civil_from_days(days);
    let first = days_from_civil(year, 1, 1);
    let alike = (REPEATED_YEARS..REPEATED_YEARS + 28).find(|&other| {
        is_leap_year(other) == is_leap_year(year) && weekday(days_from_civil(other, 1, 1)) == weekday(first)
    });
    let start = days_from_civil(alike.unwrap_or(REPEATED_YEARS), 1, 1);
    utc - (first - start) * SECONDS_PER_DAY
}

fn named_offset(zone: Tz, utc: i64) -> i32 {
    match DateTime::from_timestamp(representative(utc), 0) {
        Some(utc) => zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc(),
        None => 0,
    }
}

/// Zones without letters of their own are named by their offset, `+03` or `+0545`.
fn named_abbreviation(zone: Tz, utc: i64) -> String {
    let Some(utc) = DateTime::from_timestamp(representative(utc), 0) else { return String::new() };
    let offset = zone.offset_from_utc_datetime(&utc.naive_utc());
    match offset.abbreviation() {
        Some(abbreviation) => abbreviation.to_owned(),
        None => displacement_text(offset.fix().local_minus_utc(), true).replace(':', ""),
    }
}

fn iana(name: &str) -> Option<Tz> {
    name.parse().ok().or_else(|| Tz::from_str_insensitive(name).ok())
}

/// POSIX zones without daylight-saving rules: `NAME[+-]hh[:mm[:ss]]`, counted west.
fn posix(name: &str) -> Option<TimeZone> {
    let abbreviation_length = match name.strip_prefix('<') {
        Some(rest) => rest.find('>')? + 2,
        None => name.bytes().take_while(u8::is_ascii_alphabetic).count(),
    };
    if abbreviation_length < 3 && !name.starts_with("<>") {
        return None;
    }
    let displacement = name.get(abbreviation_length..)?;
    let (sign, digits) = match displacement.strip_prefix('-') {
        Some(rest) => (1, rest),
        None => (-1, displacement.strip_prefix('+').unwrap_or(displacement)),
    };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in digits.split(':') {
        if unit == 0 || part.is_empty() || part.len() > 3 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        seconds += part.parse::<i32>().ok()? * unit;
        unit /= 60;
    }
    (seconds <= 168 * 3600).then(|| TimeZone::Fixed { east_seconds: sign * seconds, name: name.to_ascii_uppercase() })
}

/// `+hh[:mm[:ss]]`; `two_digits` is PostgreSQL's usual form.
fn displacement_text(east_seconds: i32, two_digits: bool) -> String {
    let sign = if east_seconds < 0 { '-' } else { '+' };
    let (hours, minutes, seconds) = split_displacement(east_seconds);
    let hours = if two_digits { format!("{hours:02}") } else { hours.to_string() };
    match (minutes, seconds) {
        (0, 0) => format!("{sign}{hours}"),
        (_, 0) => format!("{sign}{hours}:{minutes:02}"),
        _ => format!("{sign}{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Hours, minutes and seconds of a displacement without its sign.
pub(super) fn split_displacement(seconds: i32) -> (i32, i32, i32) {
    let seconds = seconds.abs();
    (seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Why a numeric displacement was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadDisplacement {
    Syntax,
    Range,
}

/// Reads `+hh`, `+hhmm`, `+hh:mm`, `+hh:mm:ss`: seconds east.
pub(super) fn parse_displacement(text: &str) -> Result<i32, BadDisplacement> {
    let (sign, digits) = match text.as_bytes().first() {
        Some(b'+') => (1, &text[1..]),
        Some(b'-') => (-1, &text[1..]),
        _ => return Err(BadDisplacement::Syntax),
    };
    let mut parts = digits.split(':');
    let number = |part: &str| -> Result<i32, BadDisplacement> {
        if part.is_empty() {
            return Ok(0);
        }
        if !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadDisplacement::Syntax);
        }
        part.parse().map_err(|_| BadDisplacement::Range)
    };
    let first = parts.next().unwrap_or("");
    let hours_digits = first.bytes().take_while(u8::is_ascii_digit).count();
    let junk = hours_digits < first.len();
    let mut hours = number(&first[..hours_digits])?;
    let (mut minutes, mut seconds) = (0, 0);
    if let Some(part) = parts.next() {
        minutes = number(part)?;
        if let Some(part) = parts.next() {
            seconds = number(part)?;
        }
    } else if !junk && text.len() > 3 {
        minutes = hours % 100;
        hours /= 100;
    }
    if hours > MAX_DISPLACEMENT_HOURS || minutes >= 60 || seconds >= 60 {
        return Err(BadDisplacement::Range);
    }
    if junk || parts.next().is_some() {
        return Err(BadDisplacement::Syntax);
    }
    Ok(sign * (hours * 3600 + minutes * 60 + seconds))
}

/// A zone as `AT TIME ZONE` and `timezone()` understand it: an abbreviation first, then a zone name.
#[derive(Debug, Clone, PartialEq)]
pub enum ZoneSpecification {
    Zone(TimeZone),
    /// An abbreviation with one meaning, in seconds east.
    Offset(i32),
    /// An abbreviation whose meaning depends on the time.
    Dynamic(TimeZone, String),
}

impl ZoneSpecification {
    pub fn parse(name: &str) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        match abbreviation(&lower) {
            Some(Meaning::Offset(east_seconds, _)) => return Ok(Self::Offset(east_seconds)),
            Some(Meaning::Zone(zone)) => {
                if let Some(zone) = TimeZone::by_name(zone) {
                    return Ok(Self::Dynamic(zone, lower));
                }
            }
            None => {}
        }
        // A POSIX specification may lack the abbreviation here.
        let displacement = name.starts_with(|first: char| matches!(first, '+' | '-' | '0'..='9'));
        let zone = if displacement { posix(&format!("<>{name}")) } else { TimeZone::by_name(name) };
        zone.map(Self::Zone).ok_or_else(|| unknown_zone(name))
    }

    /// `timestamptz AT TIME ZONE zone`.
    pub fn utc_to_local(&self, utc_micros: i64) -> Option<i64> {
        let offset = match self {
            Self::Zone(zone) => zone.offset_at(utc_micros),
            Self::Offset(offset) => *offset,
            Self::Dynamic(zone, name) => zone.offset_of_abbreviation(name, utc_micros)?,
        };
        in_range(i128::from(utc_micros) + i128::from(offset) * i128::from(MICROS))
    }

    /// `timestamp AT TIME ZONE zone`.
    pub fn local_to_utc(&self, local_micros: i64) -> Option<i64> {
        let offset = match self {
            Self::Zone(zone) => zone.offset_of_local(local_micros),
            Self::Offset(offset) => *offset,
            Self::Dynamic(zone, name) => {
                let near = zone.local_to_utc(local_micros)?;
                zone.offset_of_abbreviation(name, near)?
            }
        };
        in_range(i128::from(local_micros) - i128::from(offset) * i128::from(MICROS))
    }
}

/// `22023 time zone "…" not recognized`.
pub fn unknown_zone(name: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("time zone \"{name}\" not recognized"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::datetime::calendar::Civil;

    fn micros(year: i32, month: i32, day: i32, hour: i32, minute: i32) -> i64 {
        Civil { year, month, day, hour, minute, ..Civil::default() }.to_micros().unwrap()
    }

    #[test]
    fn gaps_and_folds() {
        let zone = TimeZone::by_name("america/new_york").unwrap();
        assert_eq!(zone.name(), "America/New_York");
        // 02:30 does not exist on 2024-03-10 and exists twice at 01:30 on 2024-11-03.
        assert_eq!(zone.local_to_utc(micros(2024, 3, 10, 2, 30)), Some(micros(2024, 3, 10, 7, 30)));
        assert_eq!(zone.local_to_utc(micros(2024, 11, 3, 1, 30)), Some(micros(2024, 11, 3, 6, 30)));
        assert_eq!(zone.abbreviation_at(micros(2024, 7, 1, 0, 0)), "EDT");
        assert_eq!(zone.offset_at(micros(2150, 7, 1, 0, 0)), -4 * 3600);
        assert_eq!(zone.offset_at(micros(250_000, 1, 1, 0, 0)), -5 * 3600);
        assert_eq!(zone.offset_at(micros(1800, 1, 1, 0, 0)), -(4 * 3600 + 56 * 60 + 2));
    }

    #[test]
    fn fixed_zones() {
        let zone = TimeZone::from_hours(-7.5).unwrap();
        assert_eq!(zone.name(), "<-07:30>+07:30");
        assert_eq!(zone.abbreviation_at(0), "-07:30");
        assert_eq!(TimeZone::by_name("utc+3").unwrap().offset_at(0), -3 * 3600);
        assert_eq!(TimeZone::by_name("<+02>-02").unwrap().offset_at(0), 2 * 3600);
        assert!(TimeZone::by_name("nonsense").is_none());
        assert!(TimeZone::from_hours(169.0).is_none());
    }

    #[test]
    fn displacements() {
        assert_eq!(parse_displacement("+05:30"), Ok(19_800));
        assert_eq!(parse_displacement("-0800"), Ok(-28_800));
        assert_eq!(parse_displacement("+15:59:59"), Ok(57_599));
        assert_eq!(parse_displacement("+16"), Err(BadDisplacement::Range));
        assert_eq!(parse_displacement("+1:60"), Err(BadDisplacement::Range));
        assert_eq!(parse_displacement("+1x"), Err(BadDisplacement::Syntax));
    }
}
