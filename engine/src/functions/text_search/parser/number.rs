//! Numbers: integers, decimals, scientific notation, versions.

use super::class::{is_alnum, is_alpha, is_special};
use super::network::Label;
use super::{Found, T, Tokens};

impl Tokens<'_> {
    /// At a digit.
    pub(super) fn unsigned(&mut self, at: usize) -> Found {
        let end = self.digits(at);
        let found = match self.byte(end) {
            Some(b'.') => self.host(end + 1, Label::First).or_else(|| self.decimal(end)),
            Some(b'e' | b'E') => self.exponent(end).or_else(|| self.host(end, Label::Plain)),
            Some(b'-' | b'_') => self.host(end + 1, Label::FirstOfPart),
            Some(b'@') => self.email(end + 1),
            Some(b'/') => self.file(end),
            Some(byte) if byte.is_ascii_alphabetic() => self.host(end, Label::Plain),
            _ => None,
        };
        match (found, self.char_at(end)) {
            (Some(found), _) => found,
            (None, Some(next)) if is_alpha(next) || is_special(next) => self.number_word(end),
            _ => (T::UInt, end),
        }
    }

    /// At a sign.
    pub(super) fn signed(&self, at: usize) -> Option<Found> {
        if !self.is_digit(at + 1) {
            return None;
        }
        let end = self.digits(at + 1);
        let grown = match self.byte(end) {
            Some(b'.') if self.is_digit(end + 1) => {
                let end = self.digits(end + 1);
                // A version has no sign.
                if self.byte(end) == Some(b'.') && self.is_digit(end + 1) {
                    return None;
                }
                Some(self.exponent(end).unwrap_or((T::Float, end)))
            }
            _ => self.exponent(end),
        };
        Some(grown.unwrap_or((T::Int, end)))
    }

    /// At the dot of `1.2`, perhaps `1.2.3` or `1.2e3`.
    fn decimal(&self, dot: usize) -> Option<Found> {
        if !self.is_digit(dot + 1) {
            return None;
        }
        let end = self.digits(dot + 1);
        if let Some(found) = self.exponent(end) {
            return Some(found);
        }
        let mut last = end;
        while self.byte(last) == Some(b'.') && self.is_digit(last + 1) {
            last = self.digits(last + 1);
        }
        Some(if last > end { (T::Version, last) } else { (T::Float, end) })
    }

    /// At the letter of `e5`, `e-5`.
    fn exponent(&self, at: usize) -> Option<Found> {
        if !matches!(self.byte(at), Some(b'e' | b'E')) {
            return None;
        }
        let digits = if matches!(self.byte(at + 1), Some(b'-' | b'+')) { at + 2 } else { at + 1 };
        self.is_digit(digits).then(|| (T::Scientific, self.digits(digits)))
    }

    /// The rest of a word that has a digit.
    pub(super) fn number_word(&mut self, at: usize) -> Found {
        let end = self.run(at, |c| is_alnum(c) || is_special(c));
        let found = match self.byte(end) {
            Some(b'@') => self.email(end + 1),
            Some(b'/') => self.file(end),
            Some(b'.') => self.file(end),
            Some(b'-') => self.compound(end, super::word::Letters::Digits),
            _ => None,
        };
        found.unwrap_or((T::NumWord, end))
    }
}
