//! Tokens of JSON text, and the errors that PostgreSQL reports for it.

use crate::error::{Error, Result};
use crate::sqlstate;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    Comma,
    Colon,
    String,
    Number,
    True,
    False,
    Null,
    End,
}

/// What the grammar expected where it found something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Value,
    String,
    StringOrObjectEnd,
    Colon,
    CommaOrObjectEnd,
    CommaOrArrayEnd,
    End,
}

pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    token_start: usize,
    line: usize,
    line_start: usize,
    /// Whether strings are decoded (`jsonb`) or only checked (`json`).
    decode: bool,
    /// The last string, decoded.
    pub string: String,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Bytes of excerpt that an error's context shows.
const CONTEXT_LENGTH: usize = 50;

impl<'a> Lexer<'a> {
    pub fn new(text: &'a str, decode: bool) -> Self {
        Self { text, position: 0, token_start: 0, line: 1, line_start: 0, decode, string: String::new() }
    }

    /// The text of the current token.
    pub fn token_text(&self) -> &'a str {
        self.text.get(self.token_start..self.position).unwrap_or_default()
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.position).copied()
    }

    pub fn next(&mut self) -> Result<Token> {
        while let Some(byte @ (b' ' | b'\t' | b'\n' | b'\r')) = self.byte() {
            self.position += 1;
            if byte == b'\n' {
                self.line += 1;
                self.line_start = self.position;
            }
        }
        self.token_start = self.position;
        let Some(byte) = self.byte() else { return Ok(Token::End) };
        self.position += 1;
        Ok(match byte {
            b'{' => Token::ObjectStart,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayStart,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => {
                self.lex_string()?;
                Token::String
            }
            b'-' | b'0'..=b'9' => {
                self.position = self.token_start + usize::from(byte == b'-');
                self.lex_number()?;
                Token::Number
            }
            byte if is_word(byte) => {
                self.skip_word();
                match self.token_text() {
                    "true" => Token::True,
                    "false" => Token::False,
                    "null" => Token::Null,
                    _ => return Err(self.invalid_token()),
                }
            }
            _ => return Err(self.invalid_token()),
        })
    }

    fn skip_word(&mut self) {
        while self.byte().is_some_and(is_word) {
            self.position += 1;
        }
    }

    fn skip_digits(&mut self) -> bool {
        let start = self.position;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
        self.position > start
    }

    fn lex_number(&mut self) -> Result<()> {
        let mut valid = match self.byte() {
            Some(b'0') => {
                self.position += 1;
                true
            }
            Some(b'1'..=b'9') => self.skip_digits(),
            _ => false,
        };
        if self.byte() == Some(b'.') {
            self.position += 1;
            valid &= self.skip_digits();
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.position += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.position += 1;
            }
            valid &= self.skip_digits();
        }
        let end = self.position;
        self.skip_word();
        if valid && self.position == end { Ok(()) } else { Err(self.invalid_token()) }
    }

    fn lex_string(&mut self) -> Result<()> {
        self.string.clear();
        let mut plain = self.position;
        let mut high_surrogate: Option<u32> = None;
        loop {
            let Some(byte) = self.byte() else { return Err(self.invalid_token()) };
            if byte != b'\\' {
                if high_surrogate.is_some() {
                    return Err(self.unicode_error("Unicode low surrogate must follow a high surrogate."));
                }
                match byte {
                    b'"' => break,
                    0x00..=0x1F => {
                        let detail = format!("Character with value 0x{byte:02x} must be escaped.");
                        return Err(self.error(detail));
                    }
                    _ => self.position += 1,
                }
                continue;
            }
            if self.decode {
                self.string.push_str(&self.text[plain..self.position]);
            }
            self.position += 1;
            self.lex_escape(&mut high_surrogate)?;
            plain = self.position;
        }
        if self.decode {
            self.string.push_str(&self.text[plain..self.position]);
        }
        self.position += 1;
        Ok(())
    }

    fn lex_escape(&mut self, high_surrogate: &mut Option<u32>) -> Result<()> {
        let Some(byte) = self.byte() else { return Err(self.invalid_token()) };
        if byte == b'u' {
            self.position += 1;
            let unit = self.hex_digits()?;
            return if self.decode { self.push_unit(unit, high_surrogate) } else { Ok(()) };
        }
        if high_surrogate.is_some() {
            return Err(self.unicode_error("Unicode low surrogate must follow a high surrogate."));
        }
        let decoded = match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            _ => {
                let character = self.text[self.position..].chars().next().unwrap_or_default();
                self.token_start = self.position;
                self.position += character.len_utf8();
                return Err(self.error(format!("Escape sequence \"\\{character}\" is invalid.")));
            }
        };
        self.position += 1;
        if self.decode {
            self.string.push(decoded);
        }
        Ok(())
    }

    fn hex_digits(&mut self) -> Result<u32> {
        let mut unit = 0;
        for _ in 0..4 {
            let Some(digit) = self.text[self.position..].chars().next() else { return Err(self.invalid_token()) };
            self.position += digit.len_utf8();
            let Some(value) = digit.to_digit(16) else {
                return Err(self.error("\"\\u\" must be followed by four hexadecimal digits.".into()));
            };
            unit = unit * 16 + value;
        }
        Ok(unit)
    }

    /// One UTF-16 unit; a high surrogate waits for its low one.
    fn push_unit(&mut self, unit: u32, high_surrogate: &mut Option<u32>) -> Result<()> {
        let code = match (unit, high_surrogate.take()) {
            (0xD800..=0xDBFF, Some(_)) => {
                return Err(self.unicode_error("Unicode high surrogate must not follow a high surrogate."));
            }
            (0xD800..=0xDBFF, None) => {
                *high_surrogate = Some(unit);
                return Ok(());
            }
            (0xDC00..=0xDFFF, Some(high)) => 0x10000 + ((high & 0x3FF) << 10) + (unit & 0x3FF),
            (0xDC00..=0xDFFF, None) | (_, Some(_)) => {
                return Err(self.unicode_error("Unicode low surrogate must follow a high surrogate."));
            }
            (0, None) => {
                return Err(Error::new(sqlstate::UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
                    .with_detail("\\u0000 cannot be converted to text.")
                    .with_context(self.context()));
            }
            (unit, None) => unit,
        };
        self.string.extend(char::from_u32(code));
        Ok(())
    }

    fn unicode_error(&self, detail: &str) -> Error {
        self.error(detail.into())
    }

    fn invalid_token(&self) -> Error {
        // The offending character is shown whole.
        let mut end = self.position;
        while !self.text.is_char_boundary(end) {
            end += 1;
        }
        let token = self.text.get(self.token_start..end).unwrap_or_default();
        self.error(format!("Token \"{token}\" is invalid."))
    }

    fn error(&self, detail: String) -> Error {
        Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .with_detail(detail)
            .with_context(self.context())
    }

    /// The current token is not what the grammar expects.
    pub fn unexpected(&self, token: Token, expected: Expected) -> Error {
        if token == Token::End {
            return self.error("The input string ended unexpectedly.".into());
        }
        let found = self.token_text();
        let what = match expected {
            Expected::Value => "JSON value",
            Expected::String => "string",
            Expected::StringOrObjectEnd => "string or \"}\"",
            Expected::Colon => "\":\"",
            Expected::CommaOrObjectEnd => "\",\" or \"}\"",
            Expected::CommaOrArrayEnd => "\",\" or \"]\"",
            Expected::End => "end of input",
        };
        self.error(format!("Expected {what}, but found \"{found}\"."))
    }

    /// `54001`: nested deeper than can be handled.
    pub fn too_deep(&self) -> Error {
        Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
            .with_detail(format!("JSON is nested more than {} levels deep.", super::MAX_DEPTH))
    }

    /// `JSON data, line 1: …` up to the end of the current token.
    fn context(&self) -> String {
        let end = self.text.ceil_char_boundary(self.position.min(self.text.len()));
        let mut start = self.line_start;
        while end.saturating_sub(start) >= CONTEXT_LENGTH {
            start = self.text.ceil_char_boundary(start + 1);
        }
        if start - self.line_start <= 3 {
            start = self.line_start;
        }
        let prefix = if start > self.line_start { "..." } else { "" };
        let at_end = self.text.as_bytes().get(end).is_none_or(|byte| matches!(byte, b'\n' | b'\r'));
        let suffix = if at_end || self.token_start == self.text.len() { "" } else { "..." };
        let excerpt = self.text.get(start..end).unwrap_or_default();
        format!("JSON data, line {}: {prefix}{excerpt}{suffix}", self.line)
    }
}
