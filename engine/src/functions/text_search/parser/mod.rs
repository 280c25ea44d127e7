//! The default parser of PostgreSQL (manual 12.5): takes a text apart into tokens of 23 types.
//!
//! At each place the longest reading wins that the kinds allow, in this order: tags, entities, files, numbers with a sign; for a word or a
//! number what it may grow into (hosts, mail addresses, URLs, files, words with hyphens), then the word or number alone; else it is blank.
//! Tokens with parts are followed by their parts: a URL by its host and its path, a word with hyphens by its words.

mod class;
mod network;
mod number;
mod tag;
mod word;

use std::collections::VecDeque;

use class::{is_alnum, is_alpha};

/// Token types with the numbers that PostgreSQL gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TokenType {
    AsciiWord = 1,
    Word,
    NumWord,
    Email,
    Url,
    Host,
    Scientific,
    Version,
    HyphenNumPart,
    HyphenPart,
    HyphenAsciiPart,
    Blank,
    Tag,
    Protocol,
    NumHyphenWord,
    AsciiHyphenWord,
    HyphenWord,
    UrlPath,
    File,
    Float,
    Int,
    UInt,
    Entity,
}

use TokenType as T;

/// Every type with its alias and its description, by number.
pub const TOKEN_TYPES: [(TokenType, &str, &str); 23] = [
    (T::AsciiWord, "asciiword", "Word, all ASCII"),
    (T::Word, "word", "Word, all letters"),
    (T::NumWord, "numword", "Word, letters and digits"),
    (T::Email, "email", "Email address"),
    (T::Url, "url", "URL"),
    (T::Host, "host", "Host"),
    (T::Scientific, "sfloat", "Scientific notation"),
    (T::Version, "version", "Version number"),
    (T::HyphenNumPart, "hword_numpart", "Hyphenated word part, letters and digits"),
    (T::HyphenPart, "hword_part", "Hyphenated word part, all letters"),
    (T::HyphenAsciiPart, "hword_asciipart", "Hyphenated word part, all ASCII"),
    (T::Blank, "blank", "Space symbols"),
    (T::Tag, "tag", "XML tag"),
    (T::Protocol, "protocol", "Protocol head"),
    (T::NumHyphenWord, "numhword", "Hyphenated word, letters and digits"),
    (T::AsciiHyphenWord, "asciihword", "Hyphenated word, all ASCII"),
    (T::HyphenWord, "hword", "Hyphenated word, all letters"),
    (T::UrlPath, "url_path", "URL path"),
    (T::File, "file", "File or path name"),
    (T::Float, "float", "Decimal notation"),
    (T::Int, "int", "Signed integer"),
    (T::UInt, "uint", "Unsigned integer"),
    (T::Entity, "entity", "XML entity"),
];

/// One token of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenType,
    pub text: &'a str,
}

/// A kind of token and the byte where it ends.
type Found = (TokenType, usize);

/// The tokens of a text.
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Parts of the last token.
    parts: VecDeque<Token<'a>>,
    /// Within a script or style element, whose text is blank.
    ignoring: bool,
}

pub fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0, parts: VecDeque::new(), ignoring: false }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(part) = self.parts.pop_front() {
            return Some(part);
        }
        self.char_at(self.at)?;
        let (kind, end) = self.token(self.at);
        let start = std::mem::replace(&mut self.at, end);
        match kind {
            T::Url => self.split_url(start, end),
            T::AsciiHyphenWord | T::HyphenWord | T::NumHyphenWord => self.split_hyphens(start),
            _ => {}
        }
        Some(Token { kind, text: self.slice(start, end) })
    }
}

impl<'a> Tokens<'a> {
    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.text.get(at..)?.chars().next()
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    fn is_digit(&self, at: usize) -> bool {
        self.byte(at).is_some_and(|byte| byte.is_ascii_digit())
    }

    /// The end of the characters from `at` on for which `holds`.
    fn run(&self, at: usize, holds: impl Fn(char) -> bool) -> usize {
        let rest = self.text.get(at..).unwrap_or_default();
        at + rest.find(|c| !holds(c)).unwrap_or(rest.len())
    }

    fn digits(&self, at: usize) -> usize {
        self.run(at, |c| c.is_ascii_digit())
    }

    /// The token at a place where there is a character.
    fn token(&mut self, at: usize) -> Found {
        let Some(first) = self.char_at(at) else { return (T::Blank, at) };
        if first == '<'
            && let Some(end) = self.tag(at)
        {
            return (T::Tag, end);
        }
        if self.ignoring {
            return self.blank(at);
        }
        let found = match first {
            'a'..='z' | 'A'..='Z' => Some(self.ascii_word(at)),
            '0'..='9' => Some(self.unsigned(at)),
            '-' | '+' => self.signed(at),
            '&' => self.entity(at).map(|end| (T::Entity, end)),
            '~' | '/' => self.file_start(at),
            '.' => self.path_start(at),
            other if is_alpha(other) => Some(self.word(at)),
            _ => None,
        };
        found.unwrap_or_else(|| self.blank(at))
    }

    /// Up to what may begin another token. The first character is blank whatever it is.
    fn blank(&self, at: usize) -> Found {
        let first = self.char_at(at).map_or(0, char::len_utf8);
        let stops = |c: char| match c {
            '<' => true,
            _ if self.ignoring => false,
            '-' | '+' | '&' | '/' => true,
            other => is_alnum(other),
        };
        (T::Blank, self.run(at + first, |c| !stops(c)))
    }
}

#[cfg(test)]
mod tests;
