//! `to_timestamp(text, text)` and `to_date`.

use super::template::{Node, Pattern, dates};
use super::{DAYS, MONTHS, ROMAN_MONTHS};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::TimeZone;
use crate::types::datetime::calendar::{
    Civil, MICROS_PER_SECOND, MIN_DATE, civil_from_days, days_from_civil, days_in_month, in_range, is_leap_year,
    iso_year_start, timestamp_from_parts,
};
use crate::types::datetime::{date, timestamp_out_of_range};

/// `to_timestamp(text, text)`: a `timestamptz`; without a zone in the text the given one holds.
pub fn to_timestamp(text: &str, template: &str, zone: &TimeZone) -> Result<i64> {
    let (civil, offset) = decode(text, template)?;
    let local = timestamp_from_parts(civil.days(), civil.time()).ok_or_else(timestamp_out_of_range)?;
    let utc = match offset {
        Some(east) => in_range(i128::from(local) - i128::from(east) * i128::from(MICROS_PER_SECOND)),
        None => zone.local_to_utc(local),
    };
    utc.ok_or_else(timestamp_out_of_range)
}

/// `to_date(text, text)`.
pub fn to_date(text: &str, template: &str) -> Result<i32> {
    let (civil, _) = decode(text, template)?;
    date::checked(civil.days())
        .ok_or_else(|| Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, format!("date out of range: \"{text}\"")))
}

fn invalid(message: String, detail: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_DATETIME_FORMAT, message).with_detail(detail)
}

fn field_out_of_range(text: &str) -> Error {
    Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{text}\""))
}

/// What the patterns have read; zero is "not given", as in PostgreSQL.
#[derive(Default)]
struct Given {
    iso: Option<bool>,
    hour: i32,
    twelve_hours: bool,
    pm: bool,
    minute: i32,
    second: i32,
    seconds_of_day: i32,
    weekday: i32,
    day: i32,
    day_of_year: i32,
    month: i32,
    millis: i32,
    year: i32,
    year_digits: usize,
    bc: bool,
    week: i32,
    week_of_month: i32,
    century: i32,
    julian: i32,
    micros: i32,
    zone_sign: i32,
    zone_hours: i32,
    zone_minutes: i32,
}

struct Reader<'a> {
    rest: &'a str,
    /// Characters skipped beyond what the template gave.
    extra: i32,
    previous: Option<char>,
    exact: bool,
}

fn is_separator(c: char) -> bool {
    c.is_ascii_punctuation()
}

impl Reader<'_> {
    fn skip(&mut self) {
        let mut characters = self.rest.chars();
        self.previous = characters.next();
        self.rest = characters.as_str();
    }

    fn skip_spaces(&mut self) {
        while self.rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.skip();
            self.extra += 1;
        }
    }

    /// An integer of at most `length` characters; exactly that many if more digits follow in the template.
    fn integer(&mut self, length: usize, pattern: &Pattern, delimited: bool) -> Result<(i32, usize)> {
        self.rest = self.rest.trim_start_matches(|c: char| c.is_ascii_whitespace());
        let name = pattern.name;
        let shown: String = self.rest.chars().take(length).collect();
        let hint = "If your source string is not fixed-width, try using the \"FM\" modifier.";
        let available = if pattern.fill || delimited { self.rest } else { shown.as_str() };
        if !(pattern.fill || delimited) && shown.chars().count() < length {
            return Err(invalid(
                format!("source string too short for \"{name}\" formatting field"),
                format!("Field requires {length} characters, but only {} remain.", shown.chars().count()),
            )
            .with_hint(hint));
        }
        let bytes = available.as_bytes();
        let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
        let digits = bytes[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Err(invalid(format!("invalid value \"{shown}\" for \"{name}\""), "Value must be an integer."));
        }
        let used = sign + digits;
        if !(pattern.fill || delimited) && used < length {
            return Err(invalid(
                format!("invalid value \"{shown}\" for \"{name}\""),
                format!("Field requires {length} characters, but only {used} could be parsed."),
            )
            .with_hint(hint));
        }
        let value = available[..used].trim_start_matches('+').parse::<i32>().map_err(|_| {
            Error::new(
                sqlstate::DATETIME_VALUE_OUT_OF_RANGE,
                format!("value for \"{name}\" in source string is out of range"),
            )
            .with_detail(format!("Value must be in the range {} to {}.", i32::MIN, i32::MAX))
        })?;
        self.rest = &self.rest[used..];
        Ok((value, used))
    }

    /// The index of the name that comes next.
    fn name(&mut self, names: &[&str], pattern: &Pattern) -> Result<usize> {
        let found = names
            .iter()
            .enumerate()
            .filter(|(_, name)| self.rest.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)));
        match found.max_by_key(|(_, name)| name.len()) {
            Some((index, name)) => {
                self.rest = &self.rest[name.len()..];
                Ok(index)
            }
            None => {
                let shown = self.rest.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
                Err(invalid(
                    format!("invalid value \"{shown}\" for \"{}\"", pattern.name),
                    "The given value did not match any of the allowed values for this field.",
                ))
            }
        }
    }
}

fn set(slot: &mut i32, value: i32, pattern: &Pattern) -> Result<()> {
    if *slot != 0 && *slot != value {
        return Err(invalid(
            format!("conflicting values for \"{}\" field in formatting string", pattern.name),
            "This value contradicts a previous setting for the same field type.",
        ));
    }
    *slot = value;
    Ok(())
}

/// Whether what follows a pattern in the template is no digit, so that its number may have any length.
fn is_delimited(nodes: &[Node], index: usize, pattern: &Pattern) -> bool {
    if pattern.ordinal.is_some() {
        return true;
    }
    match nodes.get(index + 1) {
        None => true,
        Some(Node::Pattern(next)) => !next.reads_digits(),
        Some(Node::Text(c)) => !c.is_ascii_digit(),
        Some(Node::Space | Node::Separator(_)) => true,
    }
}

fn read(text: &str, template: &str) -> Result<Given> {
    let nodes = dates(template);
    let mut given = Given::default();
    let mut reader = Reader { rest: text, extra: 0, previous: None, exact: false };
    for (index, node) in nodes.iter().enumerate() {
        if reader.rest.is_empty() {
            break;
        }
        let is_fx = matches!(node, Node::Pattern(pattern) if pattern.kind() == "FX");
        if !reader.exact && !is_fx && (index == 0 || matches!(node, Node::Pattern(_))) {
            reader.skip_spaces();
        }
        match node {
            Node::Space | Node::Separator(_) if reader.exact => reader.skip(),
            Node::Space | Node::Separator(_) => {
                reader.extra -= 1;
                if reader.rest.starts_with(|c: char| c.is_ascii_whitespace() || is_separator(c)) {
                    reader.skip();
                    reader.extra += 1;
                }
            }
            Node::Text(_) if !reader.exact && reader.extra > 0 => reader.extra -= 1,
            Node::Text(_) => reader.skip(),
            Node::Pattern(_) if is_fx => reader.exact = true,
            Node::Pattern(_) if reader.rest.is_empty() => break,
            Node::Pattern(pattern) => {
                read_pattern(&mut given, &mut reader, pattern, is_delimited(&nodes, index, pattern))?;
                if pattern.ordinal.is_some() {
                    reader.skip();
                    reader.skip();
                }
                if !reader.exact {
                    reader.extra = 0;
                    reader.skip_spaces();
                }
            }
        }
    }
    Ok(given)
}

fn set_convention(given: &mut Given, iso: bool) -> Result<()> {
    if given.iso.replace(iso).is_some_and(|before| before != iso) {
        return Err(Error::new(sqlstate::INVALID_DATETIME_FORMAT, "invalid combination of date conventions")
            .with_hint("Do not mix Gregorian and ISO week date conventions in a formatting template."));
    }
    Ok(())
}

fn read_pattern(given: &mut Given, reader: &mut Reader<'_>, pattern: &Pattern, delimited: bool) -> Result<()> {
    let kind = pattern.kind();
    match kind.as_str() {
        "IYYY" | "IYY" | "IY" | "I" | "ID" | "IW" | "IDDD" => set_convention(given, true)?,
        "YYYY" | "YYY" | "YY" | "Y" | "Y,YYY" | "MM" | "MON" | "MONTH" | "DD" | "DDD" | "D" | "DAY" | "DY" | "WW"
        | "W" | "RM" | "CC" => set_convention(given, false)?,
        _ => {}
    }
    let mut integer = |length: usize| reader.integer(length, pattern, delimited);
    match kind.as_str() {
        "HH" | "HH12" => {
            given.twelve_hours = true;
            set(&mut given.hour, integer(2)?.0, pattern)
        }
        "HH24" => set(&mut given.hour, integer(2)?.0, pattern),
        "MI" => set(&mut given.minute, integer(2)?.0, pattern),
        "SS" => set(&mut given.second, integer(2)?.0, pattern),
        "MS" => {
            let (value, length) = integer(3)?;
            set(&mut given.millis, value.saturating_mul([100, 100, 10, 1][length.min(3)]), pattern)
        }
        "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
            let width = kind.strip_prefix("FF").and_then(|digits| digits.parse().ok()).unwrap_or(6);
            let (value, length) = integer(width)?;
            let factor = 10i32.pow(6u32.saturating_sub(length as u32));
            set(&mut given.micros, value.saturating_mul(factor), pattern)
        }
        "SSSS" | "SSSSS" => set(&mut given.seconds_of_day, integer(kind.len())?.0, pattern),
        "MM" => set(&mut given.month, integer(2)?.0, pattern),
        "DD" => set(&mut given.day, integer(2)?.0, pattern),
        "DDD" | "IDDD" => set(&mut given.day_of_year, integer(3)?.0, pattern),
        "D" => set(&mut given.weekday, integer(1)?.0, pattern),
        "ID" => set(&mut given.weekday, integer(1)?.0 % 7 + 1, pattern),
        "WW" | "IW" => set(&mut given.week, integer(2)?.0, pattern),
        "W" => set(&mut given.week_of_month, integer(1)?.0, pattern),
        "Q" => integer(1).map(|_| ()),
        "CC" => set(&mut given.century, integer(2)?.0, pattern),
        "J" => set(&mut given.julian, integer(1)?.0, pattern),
        "TZH" | "TZM" => read_displacement(given, reader, pattern, delimited),
        "YYYY" | "IYYY" | "YYY" | "IYY" | "YY" | "IY" | "Y" | "I" => {
            let width = kind.len();
            let (value, length) = integer(width)?;
            given.year_digits = width;
            let value = if width < 4 && length < 4 { towards_2020(value) } else { value };
            set(&mut given.year, value, pattern)
        }
        _ => read_name(given, reader, pattern, &kind),
    }
}

/// The year near 2020 that partial digits mean.
fn towards_2020(year: i32) -> i32 {
    match year {
        ..70 => year + 2000,
        70..100 => year + 1900,
        100..520 => year + 2000,
        520..1000 => year + 1000,
        _ => year,
    }
}

fn read_displacement(given: &mut Given, reader: &mut Reader<'_>, pattern: &Pattern, delimited: bool) -> Result<()> {
    if pattern.kind() == "TZM" {
        if given.zone_sign == 0 {
            given.zone_sign = 1;
        }
        let (minutes, _) = reader.integer(2, pattern, delimited)?;
        return set(&mut given.zone_minutes, minutes, pattern);
    }
    // A minus may have been taken for a separator.
    let swallowed = reader.extra > 0 && reader.previous == Some('-');
    given.zone_sign = if swallowed { -1 } else { 1 };
    if let Some(sign @ ('+' | '-' | ' ')) = reader.rest.chars().next() {
        given.zone_sign = if sign == '-' { -1 } else { 1 };
        reader.skip();
    }
    let (hours, _) = reader.integer(2, pattern, delimited)?;
    set(&mut given.zone_hours, hours, pattern)
}

fn read_name(given: &mut Given, reader: &mut Reader<'_>, pattern: &Pattern, kind: &str) -> Result<()> {
    match kind {
        "A.M." | "P.M." => {
            given.pm = reader.name(&["a.m.", "p.m."], pattern)? == 1;
            given.twelve_hours = true;
        }
        "AM" | "PM" => {
            given.pm = reader.name(&["am", "pm"], pattern)? == 1;
            given.twelve_hours = true;
        }
        "A.D." | "B.C." => given.bc = reader.name(&["a.d.", "b.c."], pattern)? == 1,
        "AD" | "BC" => given.bc = reader.name(&["ad", "bc"], pattern)? == 1,
        "MONTH" => set(&mut given.month, reader.name(&MONTHS, pattern)? as i32 + 1, pattern)?,
        "MON" => {
            let names = MONTHS.map(|name| &name[..3]);
            set(&mut given.month, reader.name(&names, pattern)? as i32 + 1, pattern)?;
        }
        "DAY" => set(&mut given.weekday, reader.name(&DAYS, pattern)? as i32 + 1, pattern)?,
        "DY" => {
            let names = DAYS.map(|name| &name[..3]);
            set(&mut given.weekday, reader.name(&names, pattern)? as i32 + 1, pattern)?;
        }
        "RM" => set(&mut given.month, reader.name(&ROMAN_MONTHS, pattern)? as i32 + 1, pattern)?,
        "Y,YYY" => {
            let (thousands, rest) = reader.rest.split_once(',').unwrap_or((reader.rest, ""));
            let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
            let year = thousands.trim().parse::<i32>().ok().zip(rest[..digits].parse::<i32>().ok());
            let year = year.and_then(|(thousands, rest)| thousands.checked_mul(1000)?.checked_add(rest));
            reader.rest = &rest[digits..];
            let year = year
                .ok_or_else(|| Error::new(sqlstate::INVALID_DATETIME_FORMAT, "invalid input string for \"Y,YYY\""))?;
            given.year_digits = 4;
            set(&mut given.year, year, pattern)?;
        }
        _ => {
            return Err(Error::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("formatting field \"{}\" is only supported in to_char", pattern.name),
            ));
        }
    }
    Ok(())
}

/// Puts together what was read: local calendar fields, and seconds east if a zone was given.
fn decode(text: &str, template: &str) -> Result<(Civil, Option<i32>)> {
    let given = read(text, template)?;
    let mut civil = Civil { month: 1, day: 1, ..Civil::default() };
    if given.seconds_of_day != 0 {
        civil.hour = given.seconds_of_day / 3600;
        civil.minute = given.seconds_of_day / 60 % 60;
        civil.second = given.seconds_of_day % 60;
    }
    for (slot, value) in
        [(&mut civil.second, given.second), (&mut civil.minute, given.minute), (&mut civil.hour, given.hour)]
    {
        if value != 0 {
            *slot = value;
        }
    }
    if given.twelve_hours {
        if !(1..=12).contains(&civil.hour) {
            return Err(Error::new(
                sqlstate::INVALID_DATETIME_FORMAT,
                format!("hour \"{}\" is invalid for the 12-hour clock", civil.hour),
            )
            .with_hint("Use the 24-hour clock, or give an hour between 1 and 12."));
        }
        match (given.pm, civil.hour) {
            (true, 1..12) => civil.hour += 12,
            (false, 12) => civil.hour = 0,
            _ => {}
        }
    }
    resolve_date(&given, &mut civil, text)?;
    let fraction = i64::from(given.millis) * 1000 + i64::from(given.micros);
    let time_is_valid = (0..24).contains(&civil.hour)
        && (0..60).contains(&civil.minute)
        && (0..60).contains(&civil.second)
        && (0..MICROS_PER_SECOND).contains(&fraction);
    if !time_is_valid {
        return Err(field_out_of_range(text));
    }
    civil.micros = fraction as i32;
    let offset = match given.zone_sign {
        0 => None,
        _ if !(0..=15).contains(&given.zone_hours) || !(0..60).contains(&given.zone_minutes) => {
            return Err(field_out_of_range(text));
        }
        sign => Some(sign * (given.zone_hours * 3600 + given.zone_minutes * 60)),
    };
    Ok((civil, offset))
}

fn resolve_year(given: &Given) -> Option<i32> {
    let century = if given.bc { -given.century } else { given.century };
    if given.year != 0 {
        if given.century != 0 && given.year_digits <= 2 {
            // The last two digits within the century.
            let year = given.year % 100;
            return Some(match (year, century) {
                (0, 0..) => century * 100,
                (0, _) => century * 100 + 1,
                (_, 0..) => year + (century - 1) * 100,
                _ => -year + (century + 1) * 100 + 1,
            });
        }
        let year = if given.bc { -given.year } else { given.year };
        return Some(if year < 0 { year + 1 } else { year });
    }
    (given.century != 0).then(|| if century >= 0 { (century - 1) * 100 + 1 } else { century * 100 + 1 })
}

fn resolve_date(given: &Given, civil: &mut Civil, text: &str) -> Result<()> {
    let year = resolve_year(given);
    civil.year = year.unwrap_or(0);
    let iso = given.iso == Some(true);
    if given.julian != 0 {
        civil.set_date(i64::from(MIN_DATE) + i64::from(given.julian));
    }
    let mut day_of_year = given.day_of_year;
    let mut day = given.day;
    if given.week != 0 {
        if iso {
            // Weekdays count from Sunday, ISO's from Monday.
            let weekday = if given.weekday == 0 { 0 } else { (given.weekday + 5) % 7 };
            civil.set_date(iso_year_start(civil.year) + i64::from(given.week - 1) * 7 + i64::from(weekday));
        } else {
            day_of_year = (given.week - 1).saturating_mul(7).saturating_add(1);
        }
    }
    if given.week_of_month != 0 {
        day = (given.week_of_month - 1).saturating_mul(7).saturating_add(1);
    }
    if day != 0 {
        civil.day = day;
    }
    if given.month != 0 {
        civil.month = given.month;
    }
    if day_of_year != 0 && (civil.month <= 1 || civil.day <= 1) {
        if civil.year == 0 && !given.bc {
            return Err(Error::new(
                sqlstate::INVALID_DATETIME_FORMAT,
                "cannot calculate day of year without year information",
            ));
        }
        if iso {
            civil.set_date(iso_year_start(civil.year) + i64::from(day_of_year) - 1);
        } else {
            let (_, month, day) = civil_from_days(days_from_civil(civil.year, 1, 1) + i64::from(day_of_year) - 1);
            if given.month == 0 {
                civil.month = month;
            }
            if given.day == 0 {
                civil.day = day;
            }
            if day_of_year < 1 || day_of_year > 365 + i32::from(is_leap_year(civil.year)) {
                return Err(field_out_of_range(text));
            }
        }
    }
    if !(1..=12).contains(&civil.month) || civil.day < 1 || civil.day > days_in_month(civil.year, civil.month) {
        return Err(field_out_of_range(text));
    }
    Ok(())
}
