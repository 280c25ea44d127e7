//! `to_char` of timestamps and intervals.

use super::template::{Node, Pattern, dates};
use super::{DAYS, MONTHS, ROMAN_MONTHS, ordinal};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::datetime::calendar::{
    Civil, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, UNIX_EPOCH_JULIAN, day_of_year,
    days_from_civil, is_infinite, iso_year_start, iso_year_week, weekday,
};
use crate::types::{Interval, TimeZone};

/// What patterns read from, of a timestamp or an interval.
struct Source {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    /// Days since 1970-01-01; `None` for an interval.
    days: Option<i64>,
    day_of_year: i64,
    zone: Option<(String, i32)>,
}

/// `to_char(timestamp, text)`; `None` (null) for infinities and an empty template.
pub fn timestamp_to_char(timestamp: i64, template: &str) -> Result<Option<String>> {
    if is_infinite(timestamp) || template.is_empty() {
        return Ok(None);
    }
    render(&Source::of_local(timestamp, None), template).map(Some)
}

/// `to_char(timestamptz, text)` in a zone.
pub fn timestamptz_to_char(timestamp: i64, template: &str, zone: &TimeZone) -> Result<Option<String>> {
    if is_infinite(timestamp) || template.is_empty() {
        return Ok(None);
    }
    let offset = zone.offset_at(timestamp);
    let local = timestamp.saturating_add(i64::from(offset) * MICROS_PER_SECOND);
    render(&Source::of_local(local, Some((zone.abbreviation_at(timestamp), offset))), template).map(Some)
}

/// `to_char(interval, text)`.
pub fn interval_to_char(interval: Interval, template: &str) -> Result<Option<String>> {
    if template.is_empty() {
        return Ok(None);
    }
    let time = interval.micros;
    let source = Source {
        year: (interval.months / 12).into(),
        month: (interval.months % 12).into(),
        day: interval.days.into(),
        hour: time / MICROS_PER_HOUR,
        minute: time % MICROS_PER_HOUR / MICROS_PER_MINUTE,
        second: time % MICROS_PER_MINUTE / MICROS_PER_SECOND,
        micros: time % MICROS_PER_SECOND,
        days: None,
        day_of_year: i64::from(interval.months) * 30 + i64::from(interval.days),
        zone: None,
    };
    render(&source, template).map(Some)
}

impl Source {
    fn of_local(local: i64, zone: Option<(String, i32)>) -> Self {
        let civil = Civil::from_micros(local);
        Self {
            year: civil.year.into(),
            month: civil.month.into(),
            day: civil.day.into(),
            hour: civil.hour.into(),
            minute: civil.minute.into(),
            second: civil.second.into(),
            micros: civil.micros.into(),
            days: Some(local.div_euclid(MICROS_PER_DAY)),
            day_of_year: day_of_year(civil.year, civil.month, civil.day).into(),
            zone,
        }
    }

    /// Days since 1970-01-01, which an interval does not have.
    fn calendar_days(&self) -> Result<i64> {
        self.days.ok_or_else(|| {
            Error::new(sqlstate::INVALID_DATETIME_FORMAT, "invalid format specification for an interval value")
                .with_hint("Intervals are not tied to specific calendar dates.")
        })
    }

    /// The year as people count, or an interval's.
    fn shown_year(&self) -> i64 {
        if self.days.is_some() && self.year <= 0 { 1 - self.year } else { self.year }
    }

    fn iso(&self) -> Result<(i32, i32)> {
        self.calendar_days().map(iso_year_week)
    }
}

fn render(source: &Source, template: &str) -> Result<String> {
    let mut out = String::with_capacity(template.len() * 2);
    for node in dates(template) {
        match node {
            Node::Pattern(pattern) => write_pattern(source, &pattern, &mut out)?,
            Node::Text(c) | Node::Separator(c) => out.push(c),
            Node::Space => out.push(' '),
        }
    }
    Ok(out)
}

/// A number padded with zeros (unless `FM`), with its ordinal suffix. A minus takes one more place.
fn number(value: i64, width: usize, pattern: &Pattern, out: &mut String) {
    let width = if pattern.fill { 0 } else { width + usize::from(value < 0) };
    let digits = format!("{value:0width$}");
    out.push_str(&digits);
    if let Some(upper) = pattern.ordinal {
        out.push_str(ordinal(&digits, upper));
    }
}

/// A name in the case of the pattern's letters, padded to a width unless `FM` or `TM`.
fn name(name: &str, width: usize, pattern: &Pattern, out: &mut String) {
    let mut letters = pattern.name.chars();
    let (first, second) = (letters.next(), letters.next());
    let cased = if first.is_some_and(char::is_lowercase) {
        name.to_ascii_lowercase()
    } else if second.is_some_and(char::is_uppercase) {
        name.to_ascii_uppercase()
    } else {
        name.to_owned()
    };
    out.push_str(&cased);
    if !pattern.fill && !pattern.translate {
        out.extend(std::iter::repeat_n(' ', width.saturating_sub(cased.len())));
    }
}

/// A word like `AM` in the pattern's case and with its dots.
fn word(plain: &str, pattern: &Pattern, out: &mut String) {
    let mut text = plain.to_owned();
    if pattern.name.contains('.') {
        text = plain.chars().flat_map(|c| [c, '.']).collect();
    }
    if pattern.name.starts_with(|c: char| c.is_ascii_lowercase()) {
        text.make_ascii_lowercase();
    }
    out.push_str(&text);
}

fn write_pattern(source: &Source, pattern: &Pattern, out: &mut String) -> Result<()> {
    let kind = pattern.kind();
    match kind.as_str() {
        "A.M." | "P.M." | "AM" | "PM" => {
            word(if source.hour % 24 >= 12 { "PM" } else { "AM" }, pattern, out);
        }
        "HH" | "HH12" => {
            let hour = source.hour % 12;
            number(if hour == 0 { 12 } else { hour }, 2, pattern, out);
        }
        "HH24" => number(source.hour, 2, pattern, out),
        "MI" => number(source.minute, 2, pattern, out),
        "SS" => number(source.second, 2, pattern, out),
        "MS" | "FF3" => fraction(source, 3, pattern, out),
        "US" | "FF6" => fraction(source, 6, pattern, out),
        "FF1" => fraction(source, 1, pattern, out),
        "FF2" => fraction(source, 2, pattern, out),
        "FF4" => fraction(source, 4, pattern, out),
        "FF5" => fraction(source, 5, pattern, out),
        "SSSS" | "SSSSS" => number(source.hour * 3600 + source.minute * 60 + source.second, 0, pattern, out),
        "TZ" | "OF" | "TZH" | "TZM" => write_zone(source, pattern, &kind, out)?,
        "FX" => {}
        _ => write_date_pattern(source, pattern, &kind, out)?,
    }
    Ok(())
}

fn fraction(source: &Source, digits: u32, pattern: &Pattern, out: &mut String) {
    let padded = Pattern { fill: false, ..pattern.clone() };
    number(source.micros / 10i64.pow(6 - digits), digits as usize, &padded, out);
}

fn write_zone(source: &Source, pattern: &Pattern, kind: &str, out: &mut String) -> Result<()> {
    source.calendar_days()?;
    let (abbreviation, offset) = source.zone.clone().unwrap_or_default();
    let (hours, minutes) = (offset.abs() / 3600, offset.abs() / 60 % 60);
    let sign = if offset < 0 { '-' } else { '+' };
    match kind {
        "TZ" if pattern.name == "tz" => out.push_str(&abbreviation.to_ascii_lowercase()),
        "TZ" => out.push_str(&abbreviation.to_ascii_uppercase()),
        "TZH" => out.push_str(&format!("{sign}{hours:02}")),
        "TZM" => out.push_str(&format!("{minutes:02}")),
        _ => {
            out.push(sign);
            let width = if pattern.fill { 0 } else { 2 };
            out.push_str(&format!("{hours:0width$}"));
            if minutes != 0 {
                out.push_str(&format!(":{minutes:02}"));
            }
        }
    }
    Ok(())
}

fn write_date_pattern(source: &Source, pattern: &Pattern, kind: &str, out: &mut String) -> Result<()> {
    let month_index = (source.month - 1).rem_euclid(12) as usize;
    match kind {
        "A.D." | "B.C." | "AD" | "BC" => {
            source.calendar_days()?;
            word(if source.year <= 0 { "BC" } else { "AD" }, pattern, out);
        }
        "MONTH" | "MON" => {
            source.calendar_days()?;
            let full = MONTHS[month_index];
            if kind == "MONTH" { name(full, 9, pattern, out) } else { name(&full[..3], 0, pattern, out) }
        }
        "DAY" | "DY" => {
            let full = DAYS[weekday(source.calendar_days()?) as usize];
            if kind == "DAY" { name(full, 9, pattern, out) } else { name(&full[..3], 0, pattern, out) }
        }
        "RM" if source.month != 0 => {
            // Numerals are the same in every language.
            let padded = Pattern { translate: false, ..pattern.clone() };
            name(ROMAN_MONTHS[month_index], 4, &padded, out);
        }
        "RM" => {}
        "MM" => number(source.month, 2, pattern, out),
        "DD" => number(source.day, 2, pattern, out),
        "DDD" => number(source.day_of_year, 3, pattern, out),
        "IDDD" => {
            let days = source.calendar_days()?;
            number(days - iso_year_start(iso_year_week(days).0) + 1, 3, pattern, out);
        }
        "D" => number(i64::from(weekday(source.calendar_days()?)) + 1, 0, pattern, out),
        "ID" => number((i64::from(weekday(source.calendar_days()?)) + 6) % 7 + 1, 0, pattern, out),
        "WW" => number((source.day_of_year - 1) / 7 + 1, 2, pattern, out),
        "W" => number((source.day - 1) / 7 + 1, 0, pattern, out),
        "IW" => number(source.iso()?.1.into(), 2, pattern, out),
        "Q" if source.month != 0 => number((source.month - 1) / 3 + 1, 0, pattern, out),
        "Q" => {}
        "J" => {
            let days = match source.days {
                Some(days) => days,
                None => days_from_civil(source.year as i32, 1, source.day as i32) + (source.month - 1) * 30,
            };
            number(days + i64::from(UNIX_EPOCH_JULIAN), 0, pattern, out);
        }
        "CC" => number(century(source), 2, pattern, out),
        _ => write_year(source, pattern, kind, out)?,
    }
    Ok(())
}

fn century(source: &Source) -> i64 {
    if source.days.is_none() {
        source.year / 100
    } else if source.year > 0 {
        (source.year - 1) / 100 + 1
    } else {
        source.year / 100 - 1
    }
}

fn write_year(source: &Source, pattern: &Pattern, kind: &str, out: &mut String) -> Result<()> {
    let year = if kind.starts_with('I') {
        let year = i64::from(source.iso()?.0);
        if year <= 0 { 1 - year } else { year }
    } else {
        source.shown_year()
    };
    match kind {
        "Y,YYY" => {
            let text = format!("{},{:03}", year / 1000, year.abs() % 1000);
            out.push_str(&text);
            if let Some(upper) = pattern.ordinal {
                out.push_str(ordinal(&text, upper));
            }
        }
        "YYYY" | "IYYY" => number(year, 4, pattern, out),
        "YYY" | "IYY" => number(year % 1000, 3, pattern, out),
        "YY" | "IY" => number(year % 100, 2, pattern, out),
        _ => number(year % 10, 1, pattern, out),
    }
    Ok(())
}
