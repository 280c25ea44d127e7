//! Words as the text forms of vectors and queries spell them: bare or in quotes, with `\` before any character, and in vectors with
//! positions behind a colon.

use super::vector::{Position, Weight};
use crate::error::{Error, Result};
use crate::sqlstate;

/// One word, and its positions if it is of a vector.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Word {
    pub text: String,
    pub positions: Vec<Position>,
}

/// Reads words one after the other.
pub struct WordReader<'a> {
    input: &'a str,
    at: usize,
    style: Style,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Vector,
    Query,
    /// As people write for search engines: no escapes, and `"` ends a word.
    Web,
}

impl<'a> WordReader<'a> {
    pub fn of_vector(input: &'a str) -> Self {
        Self { input, at: 0, style: Style::Vector }
    }

    /// A word of a query, from a byte offset on.
    pub fn of_query(input: &'a str, at: usize, web: bool) -> Self {
        Self { input, at, style: if web { Style::Web } else { Style::Query } }
    }

    /// Where it stands, in bytes.
    pub fn position(&self) -> usize {
        self.at
    }

    fn peek(&self) -> Option<char> {
        self.input.get(self.at..)?.chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// The next word; None at the end.
    pub fn word(&mut self) -> Result<Option<Word>> {
        while self.peek().is_some_and(is_space) {
            self.advance();
        }
        let Some(first) = self.peek() else { return Ok(None) };
        if self.style != Style::Web && first == '\'' {
            self.advance();
            return self.quoted().map(Some);
        }
        if self.ends_word(first) && first != '"' {
            return Err(self.syntax_error());
        }
        self.bare().map(Some)
    }

    fn bare(&mut self) -> Result<Word> {
        let mut text = String::new();
        loop {
            match self.peek() {
                // A word that begins with a colon has it as its first character.
                Some(':') if !text.is_empty() => break,
                Some('\\') if self.style != Style::Web => text.push(self.escaped()?),
                Some(other) if !is_space(other) && (!self.ends_word(other) || text.is_empty()) => {
                    text.push(other);
                    self.advance();
                }
                _ => break,
            }
        }
        self.with_positions(text)
    }

    fn quoted(&mut self) -> Result<Word> {
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(self.syntax_error()),
                Some('\\') => text.push(self.escaped()?),
                Some('\'') => {
                    self.advance();
                    if self.peek() != Some('\'') {
                        break;
                    }
                    self.advance();
                    text.push('\'');
                }
                Some(other) => {
                    self.advance();
                    text.push(other);
                }
            }
        }
        if text.is_empty() {
            return Err(self.syntax_error());
        }
        self.with_positions(text)
    }

    fn escaped(&mut self) -> Result<char> {
        self.advance();
        self.advance().ok_or_else(|| {
            let message = format!("there is no escaped character: \"{}\"", self.input);
            Error::new(sqlstate::SYNTAX_ERROR, message)
        })
    }

    fn with_positions(&mut self, text: String) -> Result<Word> {
        let mut positions = Vec::new();
        if self.style == Style::Vector && self.peek() == Some(':') {
            loop {
                self.advance();
                positions.push(self.word_position()?);
                if self.peek() != Some(',') {
                    break;
                }
            }
        }
        Ok(Word { text, positions })
    }

    /// A number, then a weight; `*` is another A.
    fn word_position(&mut self) -> Result<Position> {
        let mut place: Option<u64> = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            place = Some(place.unwrap_or(0).saturating_mul(10).saturating_add(digit.into()));
            self.advance();
        }
        let place = place.ok_or_else(|| self.syntax_error())?;
        if place == 0 {
            let message = format!("wrong position info in tsvector: \"{}\"", self.input);
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
        }
        let mut weight = Weight::D;
        loop {
            let found = match self.peek() {
                Some('*') => Some(Weight::A),
                Some(other) => Weight::from_letter(other),
                None => None,
            };
            match (found, self.peek()) {
                (Some(found), _) if weight == Weight::D => weight = found,
                // Digits that follow a weight mean nothing.
                (None, Some('0'..='9')) => {}
                (None, None | Some(',')) => break,
                (None, Some(other)) if is_space(other) => break,
                _ => return Err(self.syntax_error()),
            }
            self.advance();
        }
        Ok(Position::new(place.min(super::MAX_POSITION.into()) as u16, weight))
    }

    fn ends_word(&self, c: char) -> bool {
        match self.style {
            Style::Vector => false,
            Style::Query => is_operator(c),
            Style::Web => is_operator(c) || c == '"',
        }
    }

    fn syntax_error(&self) -> Error {
        let kind = if self.style == Style::Vector { "tsvector" } else { "tsquery" };
        Error::new(sqlstate::SYNTAX_ERROR, format!("syntax error in {kind}: \"{}\"", self.input))
    }
}

/// Characters that end a word of a query.
pub fn is_operator(c: char) -> bool {
    matches!(c, '!' | '&' | '|' | '(' | ')' | '<')
}

pub fn is_space(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{85}' | '\u{a0}' | '\u{2007}' | '\u{202f}')
}

/// Writes a word in quotes.
pub fn write_word(word: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for &byte in word {
        if matches!(byte, b'\'' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'\'');
}
