//! Words, and words with hyphens.

use super::class::{is_alnum, is_alpha, is_special};
use super::network::Label;
use super::{Found, T, Token, Tokens};

/// What the characters of a word are, so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Letters {
    Ascii,
    Any,
    Digits,
}

impl Tokens<'_> {
    /// At an ASCII letter.
    pub(super) fn ascii_word(&mut self, at: usize) -> Found {
        let end = self.run(at, |c| c.is_ascii_alphabetic());
        let Some(next) = self.char_at(end) else { return (T::AsciiWord, end) };
        let found = match next {
            '.' => self.host(end + 1, Label::First).or_else(|| self.file(end)),
            '-' => self.host(end + 1, Label::FirstOfPart).or_else(|| self.compound(end, Letters::Ascii)),
            '_' => self.host(end + 1, Label::FirstOfPart),
            '@' => self.email(end + 1),
            ':' => self.protocol(end),
            '/' => self.file(end),
            '0'..='9' => self.host(end, Label::FirstOfPart).or_else(|| Some(self.number_word(end))),
            other if is_alpha(other) || is_special(other) => Some(self.word(end)),
            _ => None,
        };
        found.unwrap_or((T::AsciiWord, end))
    }

    /// At, or within, a word of any letters.
    pub(super) fn word(&mut self, at: usize) -> Found {
        let end = self.run(at, |c| is_alpha(c) || is_special(c));
        match self.char_at(end) {
            Some('0'..='9') => self.number_word(end),
            Some('-') => self.compound(end, Letters::Any).unwrap_or((T::Word, end)),
            _ => (T::Word, end),
        }
    }

    /// At the hyphen after the first word.
    pub(super) fn compound(&self, hyphen: usize, first: Letters) -> Option<Found> {
        let (mut at, mut letters, mut found) = (hyphen, first, None);
        while self.byte(at) == Some(b'-') {
            at += 1;
            let Some(part) = self.char_at(at) else { break };
            if part.is_ascii_digit() {
                at = self.digits(at);
                if !self.char_at(at).is_some_and(is_alpha) {
                    break;
                }
                letters = Letters::Digits;
            } else if !is_alpha(part) {
                break;
            }
            (at, letters) = self.letters(at, letters);
            let kind = match letters {
                Letters::Ascii => T::AsciiHyphenWord,
                Letters::Any => T::HyphenWord,
                Letters::Digits => T::NumHyphenWord,
            };
            found = Some((kind, at));
        }
        found
    }

    /// The end of a word, and what it is of.
    fn letters(&self, mut at: usize, mut letters: Letters) -> (usize, Letters) {
        while let Some(next) = self.char_at(at) {
            letters = match next {
                next if next.is_ascii_alphabetic() => letters,
                next if next.is_ascii_digit() => Letters::Digits,
                next if is_alpha(next) || is_special(next) => letters.max(Letters::Any),
                _ => break,
            };
            at += next.len_utf8();
        }
        (at, letters)
    }

    /// The words of a compound and the hyphens between, as tokens after it.
    pub(super) fn split_hyphens(&mut self, mut at: usize) {
        loop {
            let (end, kind) = match self.char_at(at) {
                Some('-') if self.char_at(at + 1).is_some_and(|c| is_alnum(c) || is_special(c)) => (at + 1, T::Blank),
                // A number at the end is none of the words.
                Some('0'..='9') if !self.char_at(self.digits(at)).is_some_and(is_alpha) => break,
                Some(c) if is_alnum(c) => {
                    let (end, letters) = self.letters(at, Letters::Ascii);
                    (
                        end,
                        match letters {
                            Letters::Ascii => T::HyphenAsciiPart,
                            Letters::Any => T::HyphenPart,
                            Letters::Digits => T::HyphenNumPart,
                        },
                    )
                }
                _ => break,
            };
            self.parts.push_back(Token { kind, text: self.slice(at, end) });
            at = end;
        }
        self.at = at;
    }
}
