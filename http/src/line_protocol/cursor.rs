//! Reads one line.

use std::borrow::Cow;

use aegis_engine::catalog::{Error, sqlstate};

use super::{Line, Value};

type Result<T> = std::result::Result<T, Error>;

pub struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    /// Where the next line is looked for, if not from `at`.
    resume: Option<usize>,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, resume: None }
    }

    /// The next line begins behind the first line end from here.
    pub fn resume(&self) -> usize {
        self.resume.unwrap_or(self.at)
    }

    pub fn line(&mut self) -> Result<Line<'a>> {
        let measurement = self.name(b", ")?;
        if measurement.is_empty() {
            return Err(malformed("missing measurement"));
        }
        let mut tags = Vec::new();
        while self.eat(b',') {
            tags.push(self.tag()?);
        }
        self.blanks();
        if self.at_end() {
            return Err(malformed("missing fields"));
        }
        let mut fields = vec![self.field()?];
        while self.eat(b',') {
            fields.push(self.field()?);
        }
        self.blanks();
        let timestamp = if self.at_end() { None } else { Some(self.timestamp()?) };
        self.blanks();
        if !self.at_end() {
            return Err(malformed("unexpected text after the timestamp"));
        }
        Ok(Line { measurement, tags, fields, timestamp })
    }

    fn tag(&mut self) -> Result<(Cow<'a, str>, Cow<'a, str>)> {
        let key = self.name(b",= ")?;
        if key.is_empty() {
            return Err(malformed("missing tag key"));
        }
        let value = if self.eat(b'=') { self.name(b",= ")? } else { Cow::Borrowed("") };
        if self.peek() == Some(b'=') {
            return Err(malformed("invalid tag format"));
        }
        if value.is_empty() {
            return Err(malformed("missing tag value"));
        }
        Ok((key, value))
    }

    fn field(&mut self) -> Result<(Cow<'a, str>, Value<'a>)> {
        let key = self.name(b",= ")?;
        if key.is_empty() {
            return Err(malformed("missing field key"));
        }
        if !self.eat(b'=') {
            return Err(malformed("missing field value"));
        }
        let value = if self.peek() == Some(b'"') { Value::Text(self.string()?) } else { self.bare()? };
        Ok((key, value))
    }

    /// A text in quotes, which may hold line ends.
    fn string(&mut self) -> Result<Cow<'a, str>> {
        self.at += 1;
        let start = self.at;
        let mut escaped = false;
        loop {
            match (self.peek(), self.text.get(self.at + 1)) {
                (Some(b'\\'), Some(b'"' | b'\\')) => (self.at, escaped) = (self.at + 2, true),
                (Some(b'"'), _) => break,
                (Some(_), _) => self.at += 1,
                (None, _) => {
                    // The quote that was meant to end it is missing: what follows this line is not its text.
                    self.resume = Some(start);
                    return Err(malformed("unbalanced quotes"));
                }
            }
        }
        let value = self.decode(start, escaped.then_some(b"\"\\"));
        self.at += 1;
        if !self.at_end() && !matches!(self.peek(), Some(b',' | b' ')) {
            // Most likely the quote that opens another line's string.
            self.resume = Some(start);
            return Err(malformed("unbalanced quotes"));
        }
        value
    }

    /// A number or a boolean.
    fn bare(&mut self) -> Result<Value<'a>> {
        let start = self.at;
        while !self.at_end() && !matches!(self.peek(), Some(b',' | b' ')) {
            self.at += 1;
        }
        let text = self.decode(start, None)?;
        match &*text {
            "" => return Err(malformed("missing field value")),
            "t" | "T" | "true" | "True" | "TRUE" => return Ok(Value::Boolean(true)),
            "f" | "F" | "false" | "False" | "FALSE" => return Ok(Value::Boolean(false)),
            _ => {}
        }
        if let Some(digits) = text.strip_suffix('i') {
            whole(digits, true)?;
            return digits.parse().map(Value::Integer).map_err(|_| out_of_range(digits, "bigint"));
        }
        if let Some(digits) = text.strip_suffix('u') {
            whole(digits, false)?;
            return digits.parse().map(Value::Unsigned).map_err(|_| out_of_range(digits, "unsigned bigint"));
        }
        float(&text).map(Value::Float)
    }

    fn timestamp(&mut self) -> Result<i64> {
        let start = self.at;
        while !self.at_end() && self.peek() != Some(b' ') {
            self.at += 1;
        }
        let text = self.decode(start, None)?;
        whole(&text, true).map_err(|_| malformed("bad timestamp"))?;
        text.parse().map_err(|_| timestamp_out_of_range(&text))
    }

    /// Text up to one of `stops`, each of which a backslash makes part of the text. A backslash before anything else is itself.
    fn name(&mut self, stops: &'static [u8]) -> Result<Cow<'a, str>> {
        let start = self.at;
        let mut escaped = false;
        while !self.at_end() {
            match (self.peek(), self.text.get(self.at + 1)) {
                (Some(b'\\'), Some(next)) if stops.contains(next) => (self.at, escaped) = (self.at + 2, true),
                (Some(byte), _) if stops.contains(&byte) => break,
                _ => self.at += 1,
            }
        }
        self.decode(start, escaped.then_some(stops))
    }

    /// From `start` to here as text, without the backslashes before `escapable`.
    fn decode(&self, start: usize, escapable: Option<&[u8]>) -> Result<Cow<'a, str>> {
        let bytes = self.text.get(start..self.at).unwrap_or_default();
        let text = std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or_else(|| {
            Error::new(sqlstate::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
        })?;
        Ok(escapable.map_or(Cow::Borrowed(text), |escapable| Cow::Owned(unescape(text, escapable))))
    }

    fn blanks(&mut self) {
        while self.eat(b' ') {}
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn at_end(&self) -> bool {
        match self.peek() {
            None | Some(b'\n') => true,
            Some(b'\r') => matches!(self.text.get(self.at + 1), None | Some(b'\n')),
            Some(_) => false,
        }
    }
}

fn unescape(text: &str, escapable: &[u8]) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        let escaped = rest.next_if(|next| {
            character == '\\' && u8::try_from(*next).is_ok_and(|next| next.is_ascii() && escapable.contains(&next))
        });
        plain.push(escaped.unwrap_or(character));
    }
    plain
}

/// Digits, with a sign if that is `signed`.
fn whole(text: &str, signed: bool) -> Result<()> {
    let digits = if signed { text.strip_prefix(['-', '+']).unwrap_or(text) } else { text };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(malformed("invalid number"));
    }
    Ok(())
}

fn float(text: &str) -> Result<f64> {
    let unsigned = text.trim_start_matches(['-', '+']);
    if ["nan", "inf", "infinity"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return Err(malformed("NaN and infinities are no values of a field"));
    }
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return Err(malformed("invalid number"));
    }
    let value: f64 = text.parse().map_err(|_| malformed("invalid number"))?;
    if value.is_finite() { Ok(value) } else { Err(out_of_range(text, "double precision")) }
}

fn malformed(message: &str) -> Error {
    Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message)
}

fn out_of_range(text: &str, ty: &str) -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("\"{text}\" is out of range for type {ty}"))
}

pub fn timestamp_out_of_range(timestamp: impl std::fmt::Display) -> Error {
    Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, format!("timestamp out of range: {timestamp}"))
}
