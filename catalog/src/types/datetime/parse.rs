//! What the fields of date and time input mean: PostgreSQL's `DecodeDateTime` and `DecodeTimeOnly`, whose
//! rules manual appendix B.1 describes. Fields are taken in order; what is known so far decides what an
//! ambiguous one is.

use super::Refusal;
use super::abbreviation::{Meaning, abbreviation};
use super::calendar::{Civil, MICROS_PER_DAY, MIN_DATE, civil_from_days, days_from_civil, days_in_month};
use super::field::{Field, Kind, split};
use super::token::{Meridiem, Prefix, Special, Token, token};
use super::zone::{BadDisplacement, parse_displacement};
use crate::types::{DateOrder, FormatSettings, TimeZone};

type Outcome<T> = Result<T, Refusal>;

/// Parts that input has given so far, one bit each.
mod part {
    pub const YEAR: u32 = 1;
    pub const MONTH: u32 = 1 << 1;
    pub const DAY: u32 = 1 << 2;
    pub const DAY_OF_YEAR: u32 = 1 << 3;
    pub const HOUR: u32 = 1 << 4;
    pub const MINUTE: u32 = 1 << 5;
    pub const SECOND: u32 = 1 << 6;
    pub const ZONE: u32 = 1 << 7;
    pub const DAYLIGHT_ZONE: u32 = 1 << 8;
    pub const DAYLIGHT_MODIFIER: u32 = 1 << 9;
    pub const MERIDIEM: u32 = 1 << 10;
    pub const ERA: u32 = 1 << 11;
    pub const DAY_OF_WEEK: u32 = 1 << 12;
    pub const MOMENT: u32 = 1 << 13;
    pub const DATE: u32 = YEAR | MONTH | DAY;
    pub const TIME: u32 = HOUR | MINUTE | SECOND;
}

/// A parsed moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// Local calendar fields and the seconds east of UTC that belong to them.
    Civil {
        civil: Civil,
        east_seconds: i32,
    },
    Epoch,
    Infinity,
    NegInfinity,
}

/// Decodes input of `date`, `timestamp` and `timestamptz`.
pub(super) fn date_time(input: &str, settings: &FormatSettings) -> Outcome<Moment> {
    let fields = split(input).ok_or(Refusal::Syntax)?;
    let mut decoder = Decoder::new(settings, false);
    for (index, field) in fields.iter().enumerate() {
        decoder.field(index, field, &fields)?;
    }
    decoder.finish_date_time()
}

/// Decodes input of `time` and `timetz`: microseconds since midnight and seconds east.
pub(super) fn time_of_day(input: &str, settings: &FormatSettings) -> Outcome<(i64, i32)> {
    let fields = split(input).ok_or(Refusal::Syntax)?;
    let mut decoder = Decoder::new(settings, true);
    for (index, field) in fields.iter().enumerate() {
        decoder.field(index, field, &fields)?;
    }
    decoder.finish_time()
}

struct Decoder<'a> {
    settings: &'a FormatSettings,
    /// Only a time of day is wanted; a date may help to find its zone's offset.
    time_only: bool,
    known: u32,
    civil: Civil,
    day_of_year: i32,
    text_month: bool,
    two_digit_year: bool,
    julian: bool,
    bc: bool,
    meridiem: Option<Meridiem>,
    prefix: Option<Prefix>,
    east_seconds: i32,
    zone: Option<TimeZone>,
    dynamic_abbreviation: Option<(TimeZone, String)>,
    special: Option<Special>,
}

impl<'a> Decoder<'a> {
    fn new(settings: &'a FormatSettings, time_only: bool) -> Self {
        Self {
            settings,
            time_only,
            known: 0,
            civil: Civil::default(),
            day_of_year: 0,
            text_month: false,
            two_digit_year: false,
            julian: false,
            bc: false,
            meridiem: None,
            prefix: None,
            east_seconds: 0,
            zone: None,
            dynamic_abbreviation: None,
            special: None,
        }
    }

    fn field(&mut self, index: usize, field: &Field, fields: &[Field]) -> Outcome<()> {
        let parts = match field.kind {
            Kind::Date if self.time_only => self.date_field_of_time(index, field, fields)?,
            Kind::Date => self.date_field(field)?,
            Kind::Time => self.time_field(field)?,
            Kind::Displacement => {
                self.east_seconds = displacement(&field.text)?;
                part::ZONE
            }
            Kind::Number if self.prefix.is_some() => self.prefixed_number(&field.text)?,
            Kind::Number if self.time_only => self.number_of_time(index, field, fields)?,
            Kind::Number => self.number(&field.text)?,
            Kind::Word | Kind::SignedWord => self.word(&field.text)?,
        };
        if parts & self.known != 0 {
            return Err(Refusal::Syntax);
        }
        self.known |= parts;
        Ok(())
    }

    fn has(&self, parts: u32) -> bool {
        self.known & parts == parts
    }

    fn date_field(&mut self, field: &Field) -> Outcome<u32> {
        if self.prefix == Some(Prefix::Julian) {
            // A Julian day with a zone attached.
            let digits = digits_of(&field.text);
            self.set_julian(number(digits)?)?;
            self.east_seconds = displacement(&field.text[digits.len()..])?;
            self.prefix = None;
            return Ok(part::DATE | part::TIME | part::ZONE);
        }
        if self.prefix.is_none() && !self.has(part::MONTH | part::DAY) {
            return self.date(&field.text, self.known);
        }
        if field.text.starts_with(|c: char| c.is_ascii_digit()) || self.prefix.is_some() {
            if self.prefix.take().is_some_and(|prefix| prefix != Prefix::Time) {
                return Err(Refusal::Syntax);
            }
            return self.time_with_displacement(&field.text, self.known);
        }
        self.named_zone(&field.text)
    }

    fn date_field_of_time(&mut self, index: usize, field: &Field, fields: &[Field]) -> Outcome<u32> {
        let followed = fields.len() >= 2
            && (fields.last().is_some_and(|last| last.kind == Kind::Date)
                || fields.get(1).is_some_and(|next| next.kind == Kind::Time));
        if index == 0 && followed {
            return self.date(&field.text, self.known);
        }
        if field.text.starts_with(|c: char| c.is_ascii_digit()) {
            return self.time_with_displacement(&field.text, self.known | part::DATE);
        }
        self.named_zone(&field.text)
    }

    /// `040506-08`: a run-together time and a displacement.
    fn time_with_displacement(&mut self, text: &str, known: u32) -> Outcome<u32> {
        if self.has(part::TIME) {
            return Err(Refusal::Syntax);
        }
        let minus = text.find('-').ok_or(Refusal::Syntax)?;
        self.east_seconds = displacement(&text[minus..])?;
        Ok(self.run_together(&text[..minus], known)? | part::ZONE)
    }

    fn named_zone(&mut self, name: &str) -> Outcome<u32> {
        self.zone = Some(TimeZone::by_name(name).ok_or_else(|| Refusal::UnknownZone(name.to_owned()))?);
        Ok(part::ZONE)
    }

    fn time_field(&mut self, field: &Field) -> Outcome<u32> {
        if self.prefix.take().is_some_and(|prefix| prefix != Prefix::Time) {
            return Err(Refusal::Syntax);
        }
        let clock = clock(&field.text, false)?;
        self.civil.hour = i32::try_from(clock.hour).map_err(|_| Refusal::Range)?;
        self.civil.minute = clock.minute;
        self.civil.second = clock.second;
        self.civil.micros = clock.micros;
        if !self.time_only && time_overflows(&self.civil) {
            return Err(Refusal::Range);
        }
        Ok(part::TIME)
    }

    /// A number after a word that says what it is.
    fn prefixed_number(&mut self, text: &str) -> Outcome<u32> {
        let digits = digits_of(text);
        let value = number(digits)?;
        let rest = &text[digits.len()..];
        if !(rest.is_empty() || rest.starts_with('.')) {
            return Err(Refusal::Syntax);
        }
        match self.prefix.take() {
            Some(Prefix::Julian) => {
                self.set_julian(value)?;
                if rest.is_empty() {
                    return Ok(part::DATE);
                }
                let time = fraction(rest)? * MICROS_PER_DAY as f64;
                self.civil.set_time(time as i64);
                Ok(part::DATE | part::TIME)
            }
            Some(Prefix::Time) => match self.run_together(text, self.known | part::DATE)? {
                part::TIME => Ok(part::TIME),
                _ => Err(Refusal::Syntax),
            },
            Some(prefix) if rest.is_empty() || prefix == Prefix::Second => self.set_unit(prefix, value, rest),
            _ => Err(Refusal::Syntax),
        }
    }

    /// `y2001`, `m02`, `d04`, `h10`, `mm20`, `s30.5`.
    fn set_unit(&mut self, prefix: Prefix, value: i32, fraction: &str) -> Outcome<u32> {
        let (slot, found) = match prefix {
            Prefix::Year => (&mut self.civil.year, part::YEAR),
            Prefix::Month if self.known & part::MONTH != 0 && self.known & part::HOUR != 0 => {
                (&mut self.civil.minute, part::MINUTE)
            }
            Prefix::Month => (&mut self.civil.month, part::MONTH),
            Prefix::Day => (&mut self.civil.day, part::DAY),
            Prefix::Hour => (&mut self.civil.hour, part::HOUR),
            Prefix::Minute => (&mut self.civil.minute, part::MINUTE),
            Prefix::Second => (&mut self.civil.second, part::SECOND),
            Prefix::Julian | Prefix::Time | Prefix::Other => return Err(Refusal::Syntax),
        };
        *slot = value;
        if !fraction.is_empty() {
            self.civil.micros = fractional_micros(fraction)?;
        }
        Ok(found)
    }

    fn set_julian(&mut self, day: i32) -> Outcome<()> {
        self.civil.set_date(i64::from(MIN_DATE) + i64::from(day));
        self.julian = true;
        Ok(())
    }

    fn number(&mut self, text: &str) -> Outcome<u32> {
        match text.find('.') {
            Some(_) if self.known & part::DATE == 0 => self.date(text, self.known),
            Some(point) if point > 2 => self.run_together(text, self.known),
            _ if text.len() >= 6 && !(self.has(part::DATE) && self.has(part::TIME)) => {
                self.run_together(text, self.known)
            }
            _ => self.single_number(text, self.known),
        }
    }

    fn number_of_time(&mut self, index: usize, field: &Field, fields: &[Field]) -> Outcome<u32> {
        let text = &field.text;
        match text.find('.') {
            Some(_) if index == 0 && fields.len() >= 2 && fields.last().is_some_and(|last| last.kind == Kind::Date) => {
                self.date(text, self.known)
            }
            Some(point) if point > 2 => self.run_together(text, self.known | part::DATE),
            Some(_) => Err(Refusal::Syntax),
            None if text.len() > 4 => self.run_together(text, self.known | part::DATE),
            None => self.single_number(text, self.known | part::DATE),
        }
    }

    fn word(&mut self, word: &str) -> Outcome<u32> {
        match abbreviation(word) {
            Some(Meaning::Offset(east_seconds, daylight)) => {
                self.east_seconds = east_seconds;
                return Ok(part::ZONE | if daylight { part::DAYLIGHT_ZONE } else { 0 });
            }
            Some(Meaning::Zone(zone)) => {
                let zone = TimeZone::by_name(zone).ok_or(Refusal::Syntax)?;
                self.dynamic_abbreviation = Some((zone, word.to_owned()));
                return Ok(part::ZONE);
            }
            None => {}
        }
        match token(word) {
            None => match TimeZone::by_name(word) {
                Some(zone) => {
                    self.zone = Some(zone);
                    Ok(part::ZONE)
                }
                None => Err(Refusal::Syntax),
            },
            Some(Token::Ignored) => Ok(0),
            Some(Token::Special(special)) if self.time_only => self.special_time(special),
            Some(Token::Special(special)) => self.special_moment(special),
            Some(Token::DaylightModifier) => {
                self.east_seconds += 3600;
                Ok(part::DAYLIGHT_MODIFIER | part::DAYLIGHT_ZONE)
            }
            Some(Token::Meridiem(meridiem)) => {
                self.meridiem = Some(meridiem);
                Ok(part::MERIDIEM)
            }
            Some(Token::Era { bc }) => {
                self.bc = bc;
                Ok(part::ERA)
            }
            Some(Token::Prefix(prefix)) => self.set_prefix(prefix),
            Some(Token::TimeMarker) if self.time_only || self.has(part::DATE) => self.set_prefix(Prefix::Time),
            Some(Token::Month(month)) if !self.time_only => Ok(self.month_name(month)),
            Some(Token::DayOfWeek) if !self.time_only => Ok(part::DAY_OF_WEEK),
            Some(Token::TimeMarker | Token::Month(_) | Token::DayOfWeek) => Err(Refusal::Syntax),
        }
    }

    fn set_prefix(&mut self, prefix: Prefix) -> Outcome<u32> {
        match self.prefix.replace(prefix) {
            None => Ok(0),
            Some(_) => Err(Refusal::Syntax),
        }
    }

    /// A month's name may show that an earlier number was the day.
    fn month_name(&mut self, month: i32) -> u32 {
        let number_was_day = self.has(part::MONTH) && !self.text_month && !self.has(part::DAY);
        let mut parts = part::MONTH;
        if number_was_day && (1..=31).contains(&self.civil.month) {
            self.civil.day = self.civil.month;
            parts = part::DAY;
        }
        self.text_month = true;
        self.civil.month = month;
        parts
    }

    fn local_now(&self) -> Civil {
        let offset = self.settings.time_zone.offset_at(self.settings.now);
        Civil::from_micros(self.settings.now.saturating_add(i64::from(offset) * 1_000_000))
    }

    fn special_moment(&mut self, special: Special) -> Outcome<u32> {
        let relative_day = match special {
            Special::Today => 0,
            Special::Tomorrow => 1,
            Special::Yesterday => -1,
            Special::Now => {
                self.civil = self.local_now();
                self.east_seconds = self.settings.time_zone.offset_at(self.settings.now);
                return Ok(part::DATE | part::TIME | part::ZONE);
            }
            Special::Midnight => {
                self.civil.set_time(0);
                self.east_seconds = 0;
                return Ok(part::TIME | part::ZONE);
            }
            Special::Epoch | Special::Infinity | Special::NegInfinity => {
                self.special = Some(special);
                return Ok(part::MOMENT);
            }
        };
        self.civil.set_date(self.local_now().days() + relative_day);
        Ok(part::DATE)
    }

    fn special_time(&mut self, special: Special) -> Outcome<u32> {
        match special {
            Special::Now => {
                self.civil.set_time(self.local_now().time());
                Ok(part::TIME)
            }
            Special::Midnight => {
                self.civil.set_time(0);
                Ok(part::TIME | part::ZONE)
            }
            _ => Err(Refusal::Syntax),
        }
    }

    /// A date in one field: `1999-01-08`, `08-Jan-99`, `1.8.1999`.
    fn date(&mut self, text: &str, known: u32) -> Outcome<u32> {
        let mut known = known;
        let mut parts = 0;
        let mut text_month = false;
        let pieces = date_pieces(text)?;
        for piece in pieces.iter().filter(|piece| piece.starts_with(|c: char| c.is_ascii_alphabetic())) {
            match token(piece) {
                Some(Token::Ignored) => {}
                Some(Token::Month(month)) => {
                    self.civil.month = month;
                    text_month = true;
                    if known & part::MONTH != 0 {
                        return Err(Refusal::Syntax);
                    }
                    known |= part::MONTH;
                    parts |= part::MONTH;
                }
                _ => return Err(Refusal::Syntax),
            }
        }
        let whole = std::mem::replace(&mut self.text_month, text_month);
        for piece in pieces.iter().filter(|piece| piece.starts_with(|c: char| c.is_ascii_digit())) {
            let found = self.single_number(piece, known)?;
            if known & found != 0 {
                return Err(Refusal::Syntax);
            }
            known |= found;
            parts |= found;
        }
        self.text_month = whole;
        if known & !(part::DAY_OF_YEAR | part::ZONE) != part::DATE {
            return Err(Refusal::Syntax);
        }
        Ok(parts)
    }

    /// One number: the part of a date that is still missing, or else a time.
    fn single_number(&mut self, text: &str, known: u32) -> Outcome<u32> {
        let digits = digits_of(text);
        if digits.is_empty() {
            return Err(Refusal::Syntax);
        }
        let value = number(digits)?;
        if digits.len() < text.len() {
            if !text[digits.len()..].starts_with('.') {
                return Err(Refusal::Syntax);
            }
            if digits.len() > 2 {
                return self.run_together(text, known | part::DATE);
            }
            self.civil.micros = fractional_micros(&text[digits.len()..])?;
        }
        let length = text.len();
        if length == 3 && known & part::DATE == part::YEAR && (1..=366).contains(&value) {
            self.day_of_year = value;
            return Ok(part::DAY_OF_YEAR | part::MONTH | part::DAY);
        }
        let order = self.settings.date_order;
        let found = match known & part::DATE {
            0 if length >= 3 || order == DateOrder::Ymd => part::YEAR,
            0 if order == DateOrder::Dmy => part::DAY,
            0 => part::MONTH,
            part::YEAR | part::DAY => part::MONTH,
            part::MONTH if self.text_month && (length >= 3 || order == DateOrder::Ymd) => part::YEAR,
            part::MONTH => part::DAY,
            known if known == part::YEAR | part::MONTH => {
                if self.text_month && length >= 3 && self.two_digit_year {
                    // What was taken for the year was the day.
                    self.civil.day = self.civil.year;
                    self.civil.year = value;
                    self.two_digit_year = false;
                    return Ok(part::DAY);
                }
                part::DAY
            }
            known if known == part::MONTH | part::DAY => part::YEAR,
            part::DATE => return self.run_together(text, known),
            _ => return Err(Refusal::Syntax),
        };
        match found {
            part::YEAR => {
                self.civil.year = value;
                self.two_digit_year = length <= 2;
            }
            part::MONTH => self.civil.month = value,
            _ => self.civil.day = value,
        }
        Ok(found)
    }

    /// Digits without separators: `19990108`, `990108`, `040506.789`, `0405`.
    fn run_together(&mut self, text: &str, known: u32) -> Outcome<u32> {
        let mut digits = text;
        if let Some(point) = text.find('.') {
            self.civil.micros = if point + 1 == text.len() { 0 } else { fractional_micros(&text[point..])? };
            digits = &text[..point];
        } else if known & part::DATE != part::DATE && text.len() >= 6 {
            let year_length = text.len() - 4;
            self.civil.year = leading_number(&text[..year_length])?;
            self.civil.month = leading_number(&text[year_length..year_length + 2])?;
            self.civil.day = leading_number(&text[year_length + 2..])?;
            if year_length == 2 {
                self.two_digit_year = true;
            }
            return Ok(part::DATE);
        }
        if known & part::TIME != part::TIME && matches!(digits.len(), 4 | 6) {
            self.civil.hour = leading_number(&digits[..2])?;
            self.civil.minute = leading_number(&digits[2..4])?;
            self.civil.second = if digits.len() == 6 { leading_number(&digits[4..])? } else { 0 };
            return Ok(part::TIME);
        }
        Err(Refusal::Syntax)
    }

    /// Resolves the year, and checks month and day.
    fn validate_date(&mut self) -> Outcome<()> {
        if self.has(part::YEAR) && !self.julian {
            let year = self.civil.year;
            self.civil.year = if self.bc {
                if year <= 0 {
                    return Err(Refusal::Range);
                }
                1 - year
            } else if self.two_digit_year {
                match year {
                    0..70 => year + 2000,
                    70..100 => year + 1900,
                    _ => year,
                }
            } else if year <= 0 {
                return Err(Refusal::Range);
            } else {
                year
            };
        }
        if self.has(part::DAY_OF_YEAR) {
            let first = days_from_civil(self.civil.year, 1, 1);
            (self.civil.year, self.civil.month, self.civil.day) =
                civil_from_days(first + i64::from(self.day_of_year) - 1);
        }
        if self.has(part::MONTH) && !(1..=12).contains(&self.civil.month) {
            return Err(Refusal::MonthOrDayRange);
        }
        if self.has(part::DAY) && !(1..=31).contains(&self.civil.day) {
            return Err(Refusal::MonthOrDayRange);
        }
        if self.has(part::DATE) && self.civil.day > days_in_month(self.civil.year, self.civil.month) {
            return Err(Refusal::Range);
        }
        Ok(())
    }

    fn apply_meridiem(&mut self) -> Outcome<()> {
        match self.meridiem {
            Some(_) if self.civil.hour > 12 => return Err(Refusal::Range),
            Some(Meridiem::Am) if self.civil.hour == 12 => self.civil.hour = 0,
            Some(Meridiem::Pm) if self.civil.hour != 12 => self.civil.hour += 12,
            _ => {}
        }
        Ok(())
    }

    fn finish_date_time(mut self) -> Outcome<Moment> {
        if self.prefix.is_some() {
            return Err(Refusal::Syntax);
        }
        match self.special {
            Some(Special::Epoch) => return Ok(Moment::Epoch),
            Some(Special::Infinity) => return Ok(Moment::Infinity),
            Some(Special::NegInfinity) => return Ok(Moment::NegInfinity),
            _ => {}
        }
        self.validate_date()?;
        self.apply_meridiem()?;
        if !self.has(part::DATE) {
            return Err(Refusal::Syntax);
        }
        let local = self.civil;
        self.resolve_zone(&local)?;
        Ok(Moment::Civil { civil: self.civil, east_seconds: self.east_seconds })
    }

    /// The offset of a named zone, a dynamic abbreviation, or the session's zone at a local time.
    fn resolve_zone(&mut self, local: &Civil) -> Outcome<()> {
        let deferred = self.zone.is_some() || self.dynamic_abbreviation.is_some() || !self.has(part::ZONE);
        if !deferred {
            return Ok(());
        }
        if self.has(part::DAYLIGHT_MODIFIER) {
            return Err(Refusal::Syntax);
        }
        // Out of range is for the type's own check to say.
        let Some(micros) = local.to_micros() else { return Ok(()) };
        if let Some((zone, name)) = &self.dynamic_abbreviation {
            let near = zone.local_to_utc(micros).unwrap_or(micros);
            self.east_seconds = zone.offset_of_abbreviation(name, near).ok_or(Refusal::Syntax)?;
        } else {
            self.east_seconds = self.zone.as_ref().unwrap_or(&self.settings.time_zone).offset_of_local(micros);
        }
        Ok(())
    }

    fn finish_time(mut self) -> Outcome<(i64, i32)> {
        if self.prefix.is_some() {
            return Err(Refusal::Syntax);
        }
        self.validate_date()?;
        self.apply_meridiem()?;
        if time_overflows(&self.civil) {
            return Err(Refusal::Range);
        }
        if !self.has(part::TIME) {
            return Err(Refusal::Syntax);
        }
        let time = self.civil.time();
        let mut local = self.civil;
        if self.known & part::DATE == 0 {
            match self.zone.as_ref() {
                Some(zone) => match zone.constant_offset() {
                    Some(offset) if !self.has(part::DAYLIGHT_MODIFIER) => return Ok((time, offset)),
                    _ => return Err(Refusal::Syntax),
                },
                None => local.set_date(self.local_now().days()),
            }
        } else if !self.has(part::DATE) {
            return Err(Refusal::Syntax);
        }
        self.resolve_zone(&local)?;
        Ok((time, self.east_seconds))
    }
}

fn displacement(text: &str) -> Outcome<i32> {
    parse_displacement(text).map_err(|bad| match bad {
        BadDisplacement::Syntax => Refusal::Syntax,
        BadDisplacement::Range => Refusal::Displacement,
    })
}

/// Whether a time of day is beyond 24:00:00.
fn time_overflows(civil: &Civil) -> bool {
    !(0..=24).contains(&civil.hour)
        || !(0..60).contains(&civil.minute)
        || !(0..=60).contains(&civil.second)
        || !(0..=1_000_000).contains(&civil.micros)
        || civil.time() > MICROS_PER_DAY
}

/// The pieces of a date field: runs of digits or of letters.
fn date_pieces(text: &str) -> Outcome<Vec<&str>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        rest = rest.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let Some(first) = rest.chars().next() else { return Err(Refusal::Syntax) };
        let same = |c: char| if first.is_ascii_digit() { c.is_ascii_digit() } else { c.is_ascii_alphabetic() };
        let length = rest.find(|c: char| !same(c)).unwrap_or(rest.len());
        pieces.push(&rest[..length]);
        // One more character separates, whatever it is.
        rest = rest.get(length + 1..).unwrap_or("");
    }
    Ok(pieces)
}

fn digits_of(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

fn number(digits: &str) -> Outcome<i32> {
    digits.parse().map_err(|_| if digits.is_empty() { Refusal::Syntax } else { Refusal::Range })
}

/// C's `atoi` on what is digits already.
fn leading_number(text: &str) -> Outcome<i32> {
    number(digits_of(text)).or_else(|refusal| if digits_of(text).is_empty() { Ok(0) } else { Err(refusal) })
}

/// Value of `.ddd`.
pub(crate) fn fraction(text: &str) -> Outcome<f64> {
    if text == "." {
        return Ok(0.0);
    }
    let valid = text.starts_with('.') && text[1..].bytes().all(|byte| byte.is_ascii_digit());
    if valid { text.parse().map_err(|_| Refusal::Syntax) } else { Err(Refusal::Syntax) }
}

/// `.ddd` in microseconds, rounded to the nearest.
pub(crate) fn fractional_micros(text: &str) -> Outcome<i32> {
    Ok((fraction(text)? * 1e6).round_ties_even() as i32)
}

/// A clock reading whose hour is not limited yet.
pub(crate) struct Clock {
    pub hour: i64,
    pub minute: i32,
    pub second: i32,
    pub micros: i32,
}

/// `h:mm`, `h:mm:ss`, `h:mm:ss.fff`; two numbers with a fraction are minutes and seconds, and so are any two
/// with `minutes_first`.
pub(crate) fn clock(text: &str, minutes_first: bool) -> Outcome<Clock> {
    let (hour, rest) = text.split_once(':').ok_or(Refusal::Syntax)?;
    let hour: i64 = hour.parse().map_err(|_| if hour.is_empty() { Refusal::Syntax } else { Refusal::Range })?;
    let minute_digits = digits_of(rest);
    let minute = leading_number(minute_digits)?;
    let rest = &rest[minute_digits.len()..];
    let clock = if rest.is_empty() && minutes_first {
        let minutes = i32::try_from(hour).map_err(|_| Refusal::Range)?;
        Clock { hour: 0, minute: minutes, second: minute, micros: 0 }
    } else if rest.is_empty() {
        Clock { hour, minute, second: 0, micros: 0 }
    } else if rest.starts_with('.') {
        let minutes = i32::try_from(hour).map_err(|_| Refusal::Range)?;
        Clock { hour: 0, minute: minutes, second: minute, micros: fractional_micros(rest)? }
    } else if let Some(rest) = rest.strip_prefix(':') {
        let second_digits = digits_of(rest);
        let second = leading_number(second_digits)?;
        let fraction = &rest[second_digits.len()..];
        let micros = if fraction.is_empty() { 0 } else { fractional_micros(fraction)? };
        Clock { hour, minute, second, micros }
    } else {
        return Err(Refusal::Syntax);
    };
    let valid = clock.hour >= 0
        && (0..60).contains(&clock.minute)
        && (0..=60).contains(&clock.second)
        && (0..=1_000_000).contains(&clock.micros);
    if valid { Ok(clock) } else { Err(Refusal::Range) }
}
