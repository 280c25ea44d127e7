//! InfluxDB's line protocol: `measurement[,tag=value…] field=value[,field=value…] [timestamp]`, one point a line.
//!
//! Source: InfluxDB documentation, "Line protocol reference". Pure: text in, points and errors out. A line that is wrong costs itself
//! alone; reading goes on with the next.

mod cursor;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use aegis_engine::catalog::Error;

use cursor::Cursor;
pub use cursor::timestamp_out_of_range;

/// One point.
#[derive(Debug, Clone, PartialEq)]
pub struct Line<'a> {
    pub measurement: Cow<'a, str>,
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Never empty.
    pub fields: Vec<(Cow<'a, str>, Value<'a>)>,
    /// In the unit that the request names.
    pub timestamp: Option<i64>,
}

/// A field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Always finite.
    Float(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    Text(Cow<'a, str>),
}

/// A line of the text, and what it says.
#[derive(Debug)]
pub struct Entry<'a> {
    /// From 1; of its first line, if a string holds line ends.
    pub number: u32,
    pub text: &'a [u8],
    pub line: Result<Line<'a>, Error>,
}

/// The points of a text; empty lines and comments are skipped.
pub struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    number: u32,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, number: 1 }
    }

    /// Goes on behind `end`, the place of a line end or the end of the text.
    fn pass(&mut self, end: usize) {
        let passed = self.text.get(self.at..=end).or_else(|| self.text.get(self.at..)).unwrap_or_default();
        let ends = passed.iter().filter(|byte| **byte == b'\n').count();
        self.number = self.number.saturating_add(u32::try_from(ends).unwrap_or(u32::MAX));
        self.at = end.saturating_add(1);
    }

    fn line_end(&self, from: usize) -> usize {
        let rest = self.text.get(from..).unwrap_or_default();
        rest.iter().position(|byte| *byte == b'\n').map_or(self.text.len(), |length| from + length)
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
            let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r')).count();
            let start = self.at + blanks;
            match self.text.get(start)? {
                b'\n' => self.pass(start),
                b'#' => self.pass(self.line_end(start)),
                _ => {
                    let number = self.number;
                    let mut cursor = Cursor::new(self.text, start);
                    let line = cursor.line();
                    let end = self.line_end(cursor.resume());
                    self.pass(end);
                    let text = self.text.get(start..end).unwrap_or_default();
                    return Some(Entry { number, text: text.strip_suffix(b"\r").unwrap_or(text), line });
                }
            }
        }
    }
}
