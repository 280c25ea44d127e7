//! `hstore` (PostgreSQL manual F.18, hstore_io.c): pairs of a key and a value, which may be null. A value is kept as its canonical text: keys in
//! PostgreSQL's order, by length and then by bytes, each once.

use std::fmt::Write;

use super::binary::{Reader, invalid_binary};
use super::text;
use crate::{Error, Result, sqlstate};

/// Longest key or value in bytes.
const MAX_LENGTH: usize = 0x3fff_ffff;

/// In order of keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hstore {
    pairs: Vec<(String, Option<String>)>,
}

impl Hstore {
    /// Of several values of a key the first stays.
    pub fn new(mut pairs: Vec<(String, Option<String>)>) -> Result<Self> {
        for (key, value) in &pairs {
            check_length(key, "key")?;
            value.as_deref().map_or(Ok(()), |value| check_length(value, "value"))?;
        }
        pairs.sort_by(|(a, _), (b, _)| order(a, b));
        pairs.dedup_by(|later, first| later.0 == first.0);
        Ok(Self { pairs })
    }

    /// As users write it.
    pub fn parse(input: &str) -> Result<Self> {
        let mut parser = Parser { input, position: 0 };
        let mut pairs = Vec::new();
        while let Some((key, _)) = parser.word(b'=', b'=')? {
            parser.arrow()?;
            let Some((value, quoted)) = parser.word(b',', 0)? else { return Err(unexpected_end()) };
            let is_null = !quoted && value.eq_ignore_ascii_case("null");
            pairs.push((key, (!is_null).then_some(value)));
            if !parser.comma()? {
                break;
            }
        }
        Self::new(pairs)
    }

    /// Canonical text, which needs no checks.
    pub fn of_text(canonical: &str) -> Self {
        Self::parse(canonical).unwrap_or_default()
    }

    pub fn from_binary(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.i32()?;
        if count < 0 {
            return Err(invalid_binary("number of pairs must not be negative"));
        }
        let mut pairs = Vec::new();
        for _ in 0..count {
            let Some(key) = string(&mut reader)? else {
                return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "null value not allowed for hstore key"));
            };
            pairs.push((key, string(&mut reader)?));
        }
        reader.finish()?;
        Self::new(pairs)
    }

    pub fn write_binary(&self, out: &mut Vec<u8>) {
        let length = |length: usize| i32::try_from(length).unwrap_or(i32::MAX).to_be_bytes();
        out.extend_from_slice(&length(self.pairs.len()));
        for (key, value) in &self.pairs {
            out.extend_from_slice(&length(key.len()));
            out.extend_from_slice(key.as_bytes());
            match value {
                Some(value) => {
                    out.extend_from_slice(&length(value.len()));
                    out.extend_from_slice(value.as_bytes());
                }
                None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            }
        }
    }

    pub fn pairs(&self) -> &[(String, Option<String>)] {
        &self.pairs
    }

    pub fn into_pairs(self) -> Vec<(String, Option<String>)> {
        self.pairs
    }

    /// The value of a key that is there.
    pub fn get(&self, key: &str) -> Option<&Option<String>> {
        let found = self.pairs.binary_search_by(|(known, _)| order(known, key)).ok()?;
        self.pairs.get(found).map(|(_, value)| value)
    }
}

impl std::fmt::Display for Hstore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, (key, value)) in self.pairs.iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            quote(key, f)?;
            f.write_str("=>")?;
            match value {
                Some(value) => quote(value, f)?,
                None => f.write_str("NULL")?,
            }
        }
        Ok(())
    }
}

fn quote(text: &str, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.write_char('\\')?;
        }
        out.write_char(character)?;
    }
    out.write_char('"')
}

fn order(a: &str, b: &str) -> std::cmp::Ordering {
    (a.len(), a).cmp(&(b.len(), b))
}

fn check_length(text: &str, what: &str) -> Result<()> {
    if text.len() <= MAX_LENGTH {
        return Ok(());
    }
    Err(Error::new(sqlstate::STRING_DATA_RIGHT_TRUNCATION, format!("string too long for hstore {what}")))
}

fn string(reader: &mut Reader<'_>) -> Result<Option<String>> {
    match usize::try_from(reader.i32()?) {
        Ok(length) => text::from_bytes(reader.take(length)?).map(|text| Some(text.to_owned())),
        Err(_) => Ok(None),
    }
}

fn unexpected_end() -> Error {
    Error::new(sqlstate::SYNTAX_ERROR, "syntax error in hstore: unexpected end of string")
}

struct Parser<'a> {
    input: &'a str,
    position: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        let next = self.input.get(self.position..)?.chars().next()?;
        self.position += next.len_utf8();
        Some(next)
    }

    fn peek(&self) -> Option<char> {
        self.input.get(self.position..)?.chars().next()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.next();
        }
    }

    fn unexpected(&self) -> Error {
        let near = self.peek().map(String::from).unwrap_or_default();
        let message = format!("syntax error in hstore, near \"{near}\" at position {}", self.position);
        Error::new(sqlstate::SYNTAX_ERROR, message)
    }

    /// A key or value, and whether it is quoted. It ends before `end`; `refused` must not begin it. None if nothing is left.
    fn word(&mut self, end: u8, refused: u8) -> Result<Option<(String, bool)>> {
        self.skip_space();
        match self.peek() {
            None => Ok(None),
            Some('"') => {
                self.next();
                self.quoted().map(|word| Some((word, true)))
            }
            Some(first) if first == char::from(refused) => Err(self.unexpected()),
            Some(first) => {
                let mut word = String::new();
                // What begins a word belongs to it, even what would end it later.
                if first != '\\' {
                    self.next();
                    word.push(first);
                }
                while let Some(character) = self.peek().filter(|c| !is_space(*c) && *c != char::from(end)) {
                    self.next();
                    match character {
                        '\\' => word.push(self.next().ok_or_else(unexpected_end)?),
                        other => word.push(other),
                    }
                }
                Ok(Some((word, false)))
            }
        }
    }

    fn quoted(&mut self) -> Result<String> {
        let mut word = String::new();
        loop {
            match self.next().ok_or_else(unexpected_end)? {
                '"' => return Ok(word),
                '\\' => word.push(self.next().ok_or_else(unexpected_end)?),
                other => word.push(other),
            }
        }
    }

    /// `=>`
    fn arrow(&mut self) -> Result<()> {
        self.skip_space();
        for expected in ['=', '>'] {
            match self.peek() {
                None => return Err(unexpected_end()),
                Some(found) if found == expected => self.next(),
                Some(_) => return Err(self.unexpected()),
            };
        }
        Ok(())
    }

    /// True if another pair may follow.
    fn comma(&mut self) -> Result<bool> {
        self.skip_space();
        match self.peek() {
            None => Ok(false),
            Some(',') => {
                self.next();
                Ok(true)
            }
            Some(_) => Err(self.unexpected()),
        }
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(input: &str) -> Result<String> {
        Hstore::parse(input).map(|value| value.to_string())
    }

    #[test]
    fn text_is_read_as_postgresql_reads_it() {
        for (input, expected) in [
            ("", ""),
            ("bb=>2, a=>1", r#""a"=>"1", "bb"=>"2""#),
            (r#" "a b" => NULL , c=>"null" "#, r#""c"=>"null", "a b"=>NULL"#),
            (r#"a\=b=>c\,d"#, r#""a=b"=>"c,d""#),
            (r#""q\"\\"=>x,"#, r#""q\"\\"=>"x""#),
            ("a=>1,a=>2", r#""a"=>"1""#),
            ("a=>b=c", r#""a"=>"b=c""#),
        ] {
            assert_eq!(canonical(input).unwrap(), expected, "{input}");
        }
        for (input, message) in [
            ("a", "syntax error in hstore: unexpected end of string"),
            ("a=>", "syntax error in hstore: unexpected end of string"),
            ("=>b", "syntax error in hstore, near \"=\" at position 0"),
            ("a=b", "syntax error in hstore, near \"b\" at position 2"),
            ("a=>\"b\"c", "syntax error in hstore, near \"c\" at position 6"),
        ] {
            assert_eq!(canonical(input).unwrap_err().message(), message, "{input}");
        }
    }

    #[test]
    fn binary_form() {
        let value = Hstore::parse("a=>1,b=>NULL").unwrap();
        let mut bytes = Vec::new();
        value.write_binary(&mut bytes);
        assert_eq!(bytes, b"\0\0\0\x02\0\0\0\x01a\0\0\0\x011\0\0\0\x01b\xff\xff\xff\xff");
        assert_eq!(Hstore::from_binary(&bytes).unwrap(), value);
        assert!(Hstore::from_binary(&bytes[..9]).is_err());
    }
}
