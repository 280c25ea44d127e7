//! Finding the lines of COPY text and CSV data that arrives in pieces.
//!
//! A line ends at the first newline that is not escaped (text) or quoted (CSV). The first line's ending sets the style for all; `\.` alone
//! ends the data. The scanner keeps its place, so that no byte is looked at twice however the data is cut.

use aegis_catalog::{Error, Result, sqlstate};
use memchr::memchr3;

use super::options::{CopyFormat, CopyOptions};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineEnding {
    Unknown,
    Newline,
    Return,
    ReturnNewline,
}

/// What the scanner found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A line of `length` bytes; the next one starts at `next`. Both count from the start of the line.
    Line { length: usize, next: usize },
    /// The end-of-data mark, after `length` bytes of a last line.
    End { length: usize },
    /// The line goes on in data that has not come yet.
    Incomplete,
}

pub struct LineScanner {
    csv: bool,
    quote: u8,
    /// CSV escape character if it is not the quote itself.
    escape: Option<u8>,
    ending: LineEnding,
    /// How far the current line has been scanned.
    position: usize,
    in_quote: bool,
    after_escape: bool,
    /// Line ends inside quotes, which count as lines of the file.
    quoted_line_ends: u64,
}

impl LineScanner {
    pub fn new(options: &CopyOptions) -> Self {
        Self {
            csv: options.format == CopyFormat::Csv,
            quote: options.quote,
            escape: Some(options.escape).filter(|&escape| escape != options.quote),
            ending: LineEnding::Unknown,
            position: 0,
            in_quote: false,
            after_escape: false,
            quoted_line_ends: 0,
        }
    }

    /// Scans on in the line that `data` starts with. `last`: no more data will come.
    pub fn scan(&mut self, data: &[u8], last: bool) -> Result<Found> {
        let found = if self.csv { self.scan_csv(data, last)? } else { self.scan_text(data, last)? };
        if found != Found::Incomplete {
            self.position = 0;
            self.in_quote = false;
            self.after_escape = false;
        }
        Ok(found)
    }

    /// Line ends met inside quotes since the last call.
    pub fn take_quoted_line_ends(&mut self) -> u64 {
        std::mem::take(&mut self.quoted_line_ends)
    }

    fn scan_text(&mut self, data: &[u8], last: bool) -> Result<Found> {
        loop {
            let rest = data.get(self.position..).unwrap_or_default();
            let Some(offset) = memchr3(b'\n', b'\r', b'\\', rest) else {
                self.position = data.len();
                return Ok(self.end_of_data(data, last));
            };
            self.position += offset;
            let found = match data.get(self.position) {
                Some(b'\\') => self.backslash(data, last)?,
                _ => self.line_end(data, last)?,
            };
            match found {
                Step::Found(found) => return Ok(found),
                Step::Wait if last => return Ok(self.end_of_data(data, last)),
                Step::Wait => return Ok(Found::Incomplete),
                Step::Skip(count) => self.position += count,
            }
        }
    }

    fn scan_csv(&mut self, data: &[u8], last: bool) -> Result<Found> {
        loop {
            let rest = data.get(self.position..).unwrap_or_default();
            if self.in_quote {
                let line_end = if self.ending == LineEnding::Newline { b'\n' } else { b'\r' };
                let Some(offset) = memchr3(self.quote, self.escape.unwrap_or(self.quote), line_end, rest) else {
                    self.after_escape &= rest.is_empty();
                    break;
                };
                self.after_escape &= offset == 0;
                self.quoted(rest.get(offset).copied().unwrap_or_default(), line_end);
                self.position += offset + 1;
                continue;
            }
            let step = if self.position == 0 && rest.first() == Some(&b'\\') {
                self.backslash(data, last)?
            } else {
                let Some(offset) = memchr3(b'\n', b'\r', self.quote, rest) else { break };
                self.position += offset;
                if rest.get(offset) == Some(&self.quote) {
                    self.in_quote = true;
                    Step::Skip(1)
                } else {
                    self.line_end(data, last)?
                }
            };
            match step {
                Step::Found(found) => return Ok(found),
                Step::Wait if last => break,
                Step::Wait => return Ok(Found::Incomplete),
                Step::Skip(count) => self.position += count,
            }
        }
        self.position = data.len();
        Ok(self.end_of_data(data, last))
    }

    /// At a quote, an escape or a line end inside quotes.
    fn quoted(&mut self, byte: u8, line_end: u8) {
        let is_escape = Some(byte) == self.escape;
        if is_escape {
            self.after_escape = !self.after_escape;
        }
        if byte == self.quote && !self.after_escape {
            self.in_quote = false;
        }
        if !is_escape {
            self.after_escape = false;
        }
        if byte == line_end {
            self.quoted_line_ends += 1;
        }
    }

    fn end_of_data(&self, data: &[u8], last: bool) -> Found {
        if last && !data.is_empty() { Found::Line { length: data.len(), next: data.len() } } else { Found::Incomplete }
    }

    /// At a `\r` or `\n` outside quotes.
    fn line_end(&mut self, data: &[u8], last: bool) -> Result<Step> {
        let length = self.position;
        let line = |size| Ok(Step::Found(Found::Line { length, next: length + size }));
        if data.get(length) == Some(&b'\n') {
            if matches!(self.ending, LineEnding::Return | LineEnding::ReturnNewline) {
                return Err(self.literal("newline", "\\n"));
            }
            self.ending = LineEnding::Newline;
            return line(1);
        }
        match (self.ending, data.get(length + 1)) {
            (LineEnding::Newline, _) => Err(self.literal("carriage return", "\\r")),
            (LineEnding::Return, _) => line(1),
            (_, None) if !last => Ok(Step::Wait),
            (_, Some(b'\n')) => {
                self.ending = LineEnding::ReturnNewline;
                line(2)
            }
            (LineEnding::ReturnNewline, _) => Err(self.literal("carriage return", "\\r")),
            (LineEnding::Unknown, _) => {
                self.ending = LineEnding::Return;
                line(1)
            }
        }
    }

    fn literal(&self, what: &str, escape: &str) -> Error {
        if self.csv {
            bad(format!("unquoted {what} found in data"))
                .with_hint(format!("Use quoted CSV field to represent {what}."))
        } else {
            bad(format!("literal {what} found in data")).with_hint(format!("Use \"{escape}\" to represent {what}."))
        }
    }

    /// At a backslash: an escaped character, or the mark `\.`, which must end its line.
    fn backslash(&mut self, data: &[u8], last: bool) -> Result<Step> {
        let length = self.position;
        let ordinary = Step::Skip(if self.csv { 1 } else { 2 });
        match data.get(length + 1) {
            None => return Ok(if last { Step::Skip(1) } else { Step::Wait }),
            Some(b'.') => {}
            Some(_) => return Ok(ordinary),
        }
        let rest = data.get(length + 2..).unwrap_or_default();
        let corrupt = |message: &str| if self.csv { Ok(Step::Skip(1)) } else { Err(bad(message)) };
        const CORRUPT: &str = "end-of-copy marker corrupt";
        const STYLE: &str = "end-of-copy marker does not match previous newline style";
        let end = match (self.ending, rest) {
            (_, []) if !last => return Ok(Step::Wait),
            (LineEnding::ReturnNewline, [b'\n', ..]) => return corrupt(STYLE),
            (LineEnding::ReturnNewline, [b'\r']) if !last => return Ok(Step::Wait),
            (LineEnding::ReturnNewline, [b'\r', b'\n', ..]) | (_, []) => true,
            (LineEnding::ReturnNewline, _) => return corrupt(CORRUPT),
            (ending, [b'\n', ..]) => ending != LineEnding::Return,
            (ending, [b'\r', ..]) => ending != LineEnding::Newline,
            _ => return corrupt(CORRUPT),
        };
        if end { Ok(Step::Found(Found::End { length })) } else { Err(bad(STYLE)) }
    }
}

enum Step {
    Found(Found),
    /// More data decides.
    Wait,
    Skip(usize),
}

/// 22P04.
pub fn bad(message: impl Into<String>) -> Error {
    Error::new(sqlstate::BAD_COPY_FILE_FORMAT, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::utility::CopyOptionValue;

    fn scanner(csv: bool) -> LineScanner {
        let format = CopyOptionValue::Text(if csv { "csv" } else { "text" }.to_owned());
        LineScanner::new(&CopyOptions::new(&[("format".to_owned(), format)], true).unwrap())
    }

    /// All lines, fed in pieces of `size`; the end mark shows as `<end>`.
    fn lines(csv: bool, data: &[u8], size: usize) -> Result<Vec<String>> {
        let mut scanner = scanner(csv);
        let (mut buffer, mut lines) = (Vec::new(), Vec::new());
        let mut pieces = data.chunks(size).map(|piece| (piece, false)).collect::<Vec<_>>();
        pieces.push((&[], true));
        for (piece, last) in pieces {
            buffer.extend_from_slice(piece);
            loop {
                match scanner.scan(&buffer, last)? {
                    Found::Line { length, next } => {
                        lines.push(String::from_utf8(buffer[..length].to_vec()).unwrap());
                        buffer.drain(..next);
                    }
                    Found::End { length } => {
                        lines.push(String::from_utf8(buffer[..length].to_vec()).unwrap() + "<end>");
                        return Ok(lines);
                    }
                    Found::Incomplete => break,
                }
            }
        }
        Ok(lines)
    }

    #[test]
    fn any_split_gives_the_same_lines() {
        for size in 1..9 {
            assert_eq!(lines(false, b"a\n\\\\b\\\nc\n\n\\.\nd\n", size).unwrap(), ["a", "\\\\b\\\nc", "", "<end>"]);
            assert_eq!(lines(false, b"a\r\nb\r\n\\.\r\n", size).unwrap(), ["a", "b", "<end>"]);
            assert_eq!(lines(false, b"a\rb\r", size).unwrap(), ["a", "b"]);
            assert_eq!(lines(false, b"a\nb", size).unwrap(), ["a", "b"]);
            assert_eq!(lines(false, b"a\nb\\.\n", size).unwrap(), ["a", "b<end>"]);
            assert_eq!(
                lines(true, b"a,\"b\n\"\"\r\"\n\\,x\n\\.\n", size).unwrap(),
                ["a,\"b\n\"\"\r\"", "\\,x", "<end>"]
            );
            assert_eq!(lines(true, b"a\n\\.b\nc", size).unwrap(), ["a", "\\.b", "c"]);
        }
    }

    #[test]
    fn mixed_line_endings() {
        let message = |csv, data| lines(csv, data, 3).unwrap_err().message().to_owned();
        assert_eq!(message(false, b"a\nb\rc\n"), "literal carriage return found in data");
        assert_eq!(message(false, b"a\r\nb\n"), "literal newline found in data");
        assert_eq!(message(true, b"a\nb\rc\n"), "unquoted carriage return found in data");
        assert_eq!(message(true, b"a\rb\nc\r"), "unquoted newline found in data");
        assert_eq!(message(false, b"a\n\\.b\n"), "end-of-copy marker corrupt");
        assert_eq!(message(false, b"a\n\\.\r\n"), "end-of-copy marker does not match previous newline style");
    }
}
