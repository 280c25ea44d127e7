//! Text input: PostgreSQL's and SQL's styles (`DecodeInterval`) and ISO 8601's (`DecodeISO8601Interval`).

use super::{Interval, out_of_range};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::datetime::Refusal;
use crate::types::datetime::calendar::{
    DAYS_PER_MONTH, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE, MICROS_PER_SECOND, MONTHS_PER_YEAR,
};
use crate::types::datetime::field::{Field, Kind, split};
use crate::types::datetime::parse::{clock, fraction};
use crate::types::datetime::token::{Unit, unit};
use crate::types::type_name::{interval_field, interval_range};
use crate::types::{FormatSettings, IntervalStyle};

type Outcome<T> = Result<T, Refusal>;

/// Text input, restricted by the type modifier.
pub fn parse(input: &str, typmod: i32, settings: &FormatSettings) -> Result<Interval> {
    let fields = split(input).ok_or(Refusal::Syntax);
    let parts = match fields.and_then(|fields| decode(&fields, interval_range(typmod), settings)) {
        Err(Refusal::Syntax) => iso_8601(input),
        other => other,
    };
    let parts = parts.map_err(|refusal| match refusal {
        Refusal::Range | Refusal::MonthOrDayRange => {
            Error::new(sqlstate::INTERVAL_FIELD_OVERFLOW, format!("interval field value out of range: \"{input}\""))
        }
        other => other.error("interval", input),
    })?;
    let months = i64::from(parts.years) * i64::from(MONTHS_PER_YEAR) + i64::from(parts.months);
    let months = i32::try_from(months).map_err(|_| out_of_range())?;
    Interval { months, days: parts.days, micros: parts.micros }.apply_typmod(typmod)
}

/// What has been added up so far; months and years apart, as they overflow apart.
#[derive(Default)]
struct Parts {
    years: i32,
    months: i32,
    days: i32,
    micros: i64,
}

fn add(sum: &mut i32, value: i64, scale: i64) -> Outcome<()> {
    let value = value.checked_mul(scale).and_then(|value| i32::try_from(value).ok());
    *sum = value.and_then(|value| sum.checked_add(value)).ok_or(Refusal::Range)?;
    Ok(())
}

impl Parts {
    fn add_micros(&mut self, value: i64, fraction: f64, scale: i64) -> Outcome<()> {
        let whole = value.checked_mul(scale).ok_or(Refusal::Range)?;
        self.micros = self.micros.checked_add(whole).ok_or(Refusal::Range)?;
        self.add_fractional_micros(fraction, scale)
    }

    fn add_fractional_micros(&mut self, fraction: f64, scale: i64) -> Outcome<()> {
        let scaled = fraction * scale as f64;
        let mut micros = scaled as i64;
        let rest = scaled - micros as f64;
        if rest > 0.5 {
            micros += 1;
        } else if rest < -0.5 {
            micros -= 1;
        }
        self.micros = self.micros.checked_add(micros).ok_or(Refusal::Range)?;
        Ok(())
    }

    /// A fraction of a unit of so many days: whole days, then time.
    fn add_fractional_days(&mut self, fraction: f64, days: i32) -> Outcome<()> {
        let scaled = fraction * f64::from(days);
        let whole = scaled as i32;
        add(&mut self.days, whole.into(), 1)?;
        self.add_fractional_micros(scaled - f64::from(whole), MICROS_PER_DAY)
    }

    fn add_days(&mut self, value: i64, fraction: f64) -> Outcome<()> {
        add(&mut self.days, value, 1)?;
        self.add_fractional_micros(fraction, MICROS_PER_DAY)
    }

    fn add_weeks(&mut self, value: i64, fraction: f64) -> Outcome<()> {
        add(&mut self.days, value, 7)?;
        self.add_fractional_days(fraction, 7)
    }

    fn add_months(&mut self, value: i64, fraction: f64) -> Outcome<()> {
        add(&mut self.months, value, 1)?;
        self.add_fractional_days(fraction, DAYS_PER_MONTH)
    }

    fn add_years(&mut self, value: i64, fraction: f64, scale: i32) -> Outcome<()> {
        add(&mut self.years, value, scale.into())?;
        let months = (fraction * f64::from(scale) * f64::from(MONTHS_PER_YEAR)).round_ties_even();
        add(&mut self.months, months as i64, 1)
    }

    fn add_unit(&mut self, unit: Unit, value: i64, fraction: f64) -> Outcome<()> {
        match unit {
            Unit::Microsecond => self.add_micros(value, fraction, 1),
            Unit::Millisecond => self.add_micros(value, fraction, 1000),
            Unit::Second => self.add_micros(value, fraction, MICROS_PER_SECOND),
            Unit::Minute => self.add_micros(value, fraction, MICROS_PER_MINUTE),
            Unit::Hour => self.add_micros(value, fraction, MICROS_PER_HOUR),
            Unit::Day => self.add_days(value, fraction),
            Unit::Week => self.add_weeks(value, fraction),
            Unit::Month => self.add_months(value, fraction),
            Unit::Year => self.add_years(value, fraction, 1),
            Unit::Decade => self.add_years(value, fraction, 10),
            Unit::Century => self.add_years(value, fraction, 100),
            Unit::Millennium => self.add_years(value, fraction, 1000),
            _ => Err(Refusal::Syntax),
        }
    }

    /// Sets the time of day from `h:mm[:ss]`.
    fn set_clock(&mut self, text: &str, range: i32) -> Outcome<()> {
        let clock = clock(text, range == interval_field::MINUTE | interval_field::SECOND)?;
        self.micros = 0;
        self.add_micros(clock.hour, 0.0, MICROS_PER_HOUR)?;
        self.add_micros(clock.minute.into(), 0.0, MICROS_PER_MINUTE)?;
        self.add_micros(clock.second.into(), 0.0, MICROS_PER_SECOND)?;
        self.add_micros(clock.micros.into(), 0.0, 1)
    }

    fn negate(&mut self) -> Outcome<()> {
        self.years = self.years.checked_neg().ok_or(Refusal::Range)?;
        self.months = self.months.checked_neg().ok_or(Refusal::Range)?;
        self.days = self.days.checked_neg().ok_or(Refusal::Range)?;
        self.micros = self.micros.checked_neg().ok_or(Refusal::Range)?;
        Ok(())
    }

    /// A leading minus of SQL's style holds for every field.
    fn force_negative(&mut self) {
        self.years = -self.years.abs();
        self.months = -self.months.abs();
        self.days = -self.days.abs();
        self.micros = -self.micros.abs();
    }
}

/// Bits for units that may be given once each.
fn unit_bit(unit: Unit) -> u32 {
    1 << unit as u32
}

const TIME_BITS: u32 = 1 << Unit::Hour as u32 | 1 << Unit::Minute as u32 | 1 << Unit::Second as u32;
const SECOND_BITS: u32 = 1 << Unit::Second as u32 | 1 << Unit::Millisecond as u32 | 1 << Unit::Microsecond as u32;

/// Fields are read backwards, so that a unit is known before its number.
fn decode(fields: &[Field], range: i32, settings: &FormatSettings) -> Outcome<Parts> {
    let mut parts = Parts::default();
    let mut known = 0u32;
    let mut pending: Option<Unit> = None;
    let mut ago = false;
    for field in fields.iter().rev() {
        let text = field.text.as_str();
        let given = match field.kind {
            Kind::Time => {
                parts.set_clock(text, range)?;
                pending = Some(Unit::Day);
                TIME_BITS
            }
            Kind::Displacement if text.contains(':') && parts.set_clock(&text[1..], range).is_ok() => {
                if text.starts_with('-') {
                    parts.micros = parts.micros.checked_neg().ok_or(Refusal::Range)?;
                }
                pending = Some(Unit::Day);
                TIME_BITS
            }
            Kind::Number | Kind::Date | Kind::Displacement => {
                let unit = pending.unwrap_or_else(|| rightmost_unit(range));
                let (unit, bits) = add_number(&mut parts, text, unit)?;
                pending = Some(if unit == Unit::Hour { Unit::Day } else { unit });
                bits
            }
            Kind::Word | Kind::SignedWord if text == "ago" => {
                ago = true;
                pending = None;
                0
            }
            Kind::Word | Kind::SignedWord => {
                pending = Some(unit(text).ok_or(Refusal::Syntax)?);
                0
            }
        };
        if given & known != 0 {
            return Err(Refusal::Syntax);
        }
        known |= given;
    }
    if known == 0 {
        return Err(Refusal::Syntax);
    }
    let signed = |field: &Field| field.text.starts_with(['+', '-']);
    if settings.interval_style == IntervalStyle::SqlStandard
        && fields.first().is_some_and(|field| field.text.starts_with('-'))
        && !fields.iter().skip(1).any(signed)
    {
        parts.force_negative();
    }
    if ago {
        parts.negate()?;
    }
    Ok(parts)
}

/// The unit of a last number that names none.
fn rightmost_unit(range: i32) -> Unit {
    use interval_field::{DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
    match range {
        YEAR => Unit::Year,
        range if range & SECOND != 0 => Unit::Second,
        range if range & MINUTE != 0 => Unit::Minute,
        range if range & HOUR != 0 => Unit::Hour,
        DAY => Unit::Day,
        range if range & MONTH != 0 => Unit::Month,
        _ => Unit::Second,
    }
}

/// Adds one signed number, `1.5`, or SQL's `years-months`; the unit it had in the end and the bits to mark.
fn add_number(parts: &mut Parts, text: &str, unit: Unit) -> Outcome<(Unit, u32)> {
    let negative = text.starts_with('-');
    let unsigned = text.trim_start_matches(['+', '-']);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let signed_digits = &text[..text.len() - unsigned.len() + digits];
    let value: i64 = match signed_digits.trim_start_matches('+') {
        "" | "-" => 0,
        digits => digits.parse().map_err(|_| Refusal::Range)?,
    };
    let rest = &unsigned[digits..];
    if let Some(months) = rest.strip_prefix('-') {
        if !months.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Refusal::Syntax);
        }
        let months: i64 = if months.is_empty() { 0 } else { months.parse().map_err(|_| Refusal::Range)? };
        if months >= i64::from(MONTHS_PER_YEAR) {
            return Err(Refusal::Range);
        }
        let months = if negative { -months } else { months };
        let total = value.checked_mul(MONTHS_PER_YEAR.into()).and_then(|years| years.checked_add(months));
        parts.add_months(total.ok_or(Refusal::Range)?, 0.0)?;
        return Ok((Unit::Month, unit_bit(Unit::Month)));
    }
    let fractional = if rest.is_empty() { 0.0 } else { fraction(rest)? };
    let fractional = if negative { -fractional } else { fractional };
    parts.add_unit(unit, value, fractional)?;
    let bits = if unit == Unit::Second && fractional != 0.0 { SECOND_BITS } else { unit_bit(unit) };
    Ok((unit, bits))
}

/// A cursor over ISO 8601 input.
struct IsoReader<'a> {
    rest: &'a str,
}

impl IsoReader<'_> {
    /// A number with sign and fraction, and the width of its digits before the point.
    fn number(&mut self) -> Outcome<(i64, f64, usize)> {
        let bytes = self.rest.as_bytes();
        if !matches!(bytes.first(), Some(b'0'..=b'9' | b'-' | b'.')) {
            return Err(Refusal::Syntax);
        }
        let sign = usize::from(bytes.first() == Some(&b'-'));
        let width = bytes[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = sign + width;
        if bytes.get(end) == Some(&b'.') {
            end += 1 + bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        }
        // C's strtod also takes an exponent.
        if let [b'e' | b'E', tail @ ..] = &bytes[end..] {
            let signed = usize::from(matches!(tail.first(), Some(b'+' | b'-')));
            let digits = tail[signed..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits > 0 {
                end += 1 + signed + digits;
            }
        }
        let value: f64 = self.rest[..end].parse().map_err(|_| Refusal::Syntax)?;
        self.rest = &self.rest[end..];
        if value.is_nan() || value.abs() > 1e15 {
            return Err(Refusal::Range);
        }
        Ok((value as i64, value - value.trunc(), width))
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, _) = self.rest.as_bytes().split_first()?;
        self.rest = self.rest.get(1..).unwrap_or("");
        Some(byte)
    }
}

/// `P1Y2M3DT4H5M6S`, and the alternative `P0001-02-03T04:05:06`.
fn iso_8601(input: &str) -> Outcome<Parts> {
    let rest = input.strip_prefix('P').filter(|rest| !rest.is_empty()).ok_or(Refusal::Syntax)?;
    let mut parts = Parts::default();
    let mut reader = IsoReader { rest };
    let mut in_time = false;
    let mut have_field = false;
    while !reader.rest.is_empty() {
        if let Some(rest) = reader.rest.strip_prefix('T') {
            reader.rest = rest;
            in_time = true;
            have_field = false;
            continue;
        }
        let (value, fraction, width) = reader.number()?;
        let designator = reader.next();
        if in_time {
            match designator {
                Some(b'H') => parts.add_unit(Unit::Hour, value, fraction)?,
                Some(b'M') => parts.add_unit(Unit::Minute, value, fraction)?,
                Some(b'S') => parts.add_unit(Unit::Second, value, fraction)?,
                None if width == 6 && !have_field => {
                    parts.add_unit(Unit::Hour, value / 10_000, 0.0)?;
                    parts.add_unit(Unit::Minute, value / 100 % 100, 0.0)?;
                    parts.add_unit(Unit::Second, value % 100, fraction)?;
                }
                None | Some(b':') if !have_field => {
                    parts.add_unit(Unit::Hour, value, fraction)?;
                    if designator.is_some() {
                        iso_clock(&mut reader, &mut parts)?;
                    }
                }
                _ => return Err(Refusal::Syntax),
            }
        } else {
            match designator {
                Some(b'Y') => parts.add_unit(Unit::Year, value, fraction)?,
                Some(b'M') => parts.add_unit(Unit::Month, value, fraction)?,
                Some(b'W') => parts.add_unit(Unit::Week, value, fraction)?,
                Some(b'D') => parts.add_unit(Unit::Day, value, fraction)?,
                None | Some(b'T') if width == 8 && !have_field => {
                    parts.add_unit(Unit::Year, value / 10_000, 0.0)?;
                    parts.add_unit(Unit::Month, value / 100 % 100, 0.0)?;
                    parts.add_unit(Unit::Day, value % 100, fraction)?;
                    in_time = true;
                    continue;
                }
                None | Some(b'T' | b'-') if !have_field => {
                    parts.add_unit(Unit::Year, value, fraction)?;
                    if designator == Some(b'-') {
                        iso_date(&mut reader, &mut parts)?;
                    }
                    in_time = true;
                    continue;
                }
                _ => return Err(Refusal::Syntax),
            }
        }
        have_field = true;
    }
    Ok(parts)
}

/// `mm[-dd]` of the alternative format, up to its `T`.
fn iso_date(reader: &mut IsoReader<'_>, parts: &mut Parts) -> Outcome<()> {
    let (months, fraction, _) = reader.number()?;
    parts.add_unit(Unit::Month, months, fraction)?;
    match reader.next() {
        None | Some(b'T') => return Ok(()),
        Some(b'-') => {}
        Some(_) => return Err(Refusal::Syntax),
    }
    let (days, fraction, _) = reader.number()?;
    parts.add_unit(Unit::Day, days, fraction)?;
    match reader.next() {
        None | Some(b'T') => Ok(()),
        Some(_) => Err(Refusal::Syntax),
    }
}

/// `mm[:ss]` of the alternative format, up to the end.
fn iso_clock(reader: &mut IsoReader<'_>, parts: &mut Parts) -> Outcome<()> {
    let (minutes, fraction, _) = reader.number()?;
    parts.add_unit(Unit::Minute, minutes, fraction)?;
    match reader.next() {
        None => return Ok(()),
        Some(b':') => {}
        Some(_) => return Err(Refusal::Syntax),
    }
    let (seconds, fraction, _) = reader.number()?;
    parts.add_unit(Unit::Second, seconds, fraction)?;
    if reader.rest.is_empty() { Ok(()) } else { Err(Refusal::Syntax) }
}
