//! `tsvector`: lexemes in the order of their bytes, each with the places where it stands.
//!
//! Bytes: PostgreSQL's size, number of lexemes (u32, big endian), then for each lexeme: 0 if it has positions, else 1; its text; a zero byte;
//! if it has positions, their number and each `place << 2 | weight` (u16, big endian, all bits inverted since more and later come first).

use super::word::{WordReader, write_word};
use super::{MAX_POSITION, MAX_POSITIONS, MAX_WORD, MAX_WORDS, too_large};
use crate::error::{Error, Result};
use crate::types::binary::Reader;

/// How much a position counts: `D`, the default, to `A`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(u8);

impl Weight {
    pub const D: Self = Self(0);
    pub const A: Self = Self(3);

    /// 0 for D to 3 for A.
    pub fn from_number(number: u8) -> Self {
        Self(number & 3)
    }

    pub fn number(self) -> u8 {
        self.0
    }

    pub fn from_letter(letter: char) -> Option<Self> {
        "DCBA".find(letter.to_ascii_uppercase()).map(|number| Self(number as u8))
    }

    pub fn letter(self) -> char {
        char::from(b"DCBA"[usize::from(self.0)])
    }
}

/// Where a lexeme stands in its document, from 1 on, and how much it counts there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(u16);

impl Position {
    pub fn new(place: u16, weight: Weight) -> Self {
        Self(place.min(MAX_POSITION) << 2 | u16::from(weight.0))
    }

    pub fn place(self) -> u16 {
        self.0 >> 2
    }

    pub fn weight(self) -> Weight {
        Weight((self.0 & 3) as u8)
    }
}

/// A vector to be built or changed. Its lexemes are in order, and so are their positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TsVector {
    entries: Vec<(String, Vec<Position>)>,
}

impl TsVector {
    /// From words in any order; the same word may come several times.
    pub fn new(mut words: Vec<(String, Vec<Position>)>) -> Result<Self> {
        words.sort_by(|a, b| a.0.cmp(&b.0));
        let mut entries: Vec<(String, Vec<Position>)> = Vec::with_capacity(words.len());
        for (word, positions) in words {
            match entries.last_mut() {
                Some(last) if last.0 == word => last.1.extend(positions),
                _ => entries.push((word, positions)),
            }
        }
        entries.iter_mut().for_each(|(_, positions)| settle(positions));
        let vector = Self { entries };
        let bytes = vector.text_bytes();
        if bytes > MAX_WORDS {
            return Err(too_large(format!("string is too long for tsvector ({bytes} bytes, max {MAX_WORDS} bytes)")));
        }
        Ok(vector)
    }

    pub fn entries(&self) -> &[(String, Vec<Position>)] {
        &self.entries
    }

    /// Text input.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = WordReader::of_vector(text);
        let (mut words, mut bytes) = (Vec::new(), 0);
        while let Some(word) = reader.word()? {
            let length = word.text.len();
            if length >= MAX_WORD {
                return Err(too_large(format!("word is too long ({length} bytes, max {} bytes)", MAX_WORD - 1)));
            }
            if bytes > MAX_WORDS {
                let message = format!("string is too long for tsvector ({bytes} bytes, max {MAX_WORDS} bytes)");
                return Err(too_large(message));
            }
            bytes += length;
            words.push((word.text, word.positions));
        }
        Self::new(words)
    }

    /// Binary input.
    pub fn from_binary(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.i32()?;
        if count < 0 {
            return Err(Error::internal("invalid size of tsvector"));
        }
        let mut words: Vec<(String, Vec<Position>)> = Vec::new();
        for _ in 0..count {
            let text = reader.zero_terminated()?.to_owned();
            if text.len() > MAX_WORD {
                return Err(Error::internal("invalid tsvector: lexeme too long"));
            }
            let positions = usize::from(reader.u16()?);
            if positions > MAX_POSITIONS {
                return Err(Error::internal("unexpected number of tsvector positions"));
            }
            let mut places: Vec<Position> = Vec::with_capacity(positions);
            for _ in 0..positions {
                let packed = reader.u16()?;
                let position = Position::new(packed & MAX_POSITION, Weight((packed >> 14) as u8));
                if places.last().is_some_and(|last| last.place() >= position.place()) {
                    return Err(Error::internal("position information is misordered"));
                }
                places.push(position);
            }
            words.push((text, places));
        }
        reader.finish()?;
        Self::new(words)
    }

    /// Bytes that lexemes and positions take in PostgreSQL.
    fn text_bytes(&self) -> usize {
        self.entries.iter().fold(0, |sum: usize, (word, positions)| match positions.len() {
            0 => sum + word.len(),
            count => (sum + word.len()).next_multiple_of(2) + 2 + 2 * count,
        })
    }

    /// The representation.
    pub fn to_bytes(&self) -> Vec<u8> {
        let size = 8 + 4 * self.entries.len() + self.text_bytes();
        let mut bytes = Vec::with_capacity(size + self.entries.len());
        bytes.extend_from_slice(&(size as u32).to_be_bytes());
        bytes.extend_from_slice(&(self.entries.len() as u32).to_be_bytes());
        for (word, positions) in &self.entries {
            bytes.push(u8::from(positions.is_empty()));
            bytes.extend_from_slice(word.as_bytes());
            bytes.push(0);
            if !positions.is_empty() {
                bytes.extend_from_slice(&(!(positions.len() as u16)).to_be_bytes());
                positions.iter().for_each(|position| bytes.extend_from_slice(&(!position.0).to_be_bytes()));
            }
        }
        bytes
    }

    pub fn from_bytes(bytes: &[u8]) -> Self {
        let owned = |entry: Entry<'_>| (entry.text().to_owned(), entry.positions().collect());
        Self { entries: Entries::new(bytes).map(owned).collect() }
    }
}

/// Positions in order and each place once, with the greatest of its weights; as many as a lexeme keeps.
fn settle(positions: &mut Vec<Position>) {
    // Of one place the greatest weight is kept: it comes first.
    positions.sort_unstable_by_key(|position| (position.place(), std::cmp::Reverse(position.weight())));
    positions.dedup_by_key(|position| position.place());
    positions.truncate(MAX_POSITIONS);
}

/// The lexemes of a represented vector, without copies.
#[derive(Debug, Clone, Copy)]
pub struct Entries<'a> {
    count: usize,
    rest: &'a [u8],
}

/// One lexeme of a represented vector.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub word: &'a [u8],
    positions: &'a [u8],
}

impl<'a> Entries<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        match bytes.split_first_chunk::<8>() {
            Some(([_, _, _, _, count @ ..], rest)) => Self { count: u32::from_be_bytes(*count) as usize, rest },
            None => Self { count: 0, rest: &[] },
        }
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.count
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn read(&mut self) -> Option<Entry<'a>> {
        let (bare, rest) = self.rest.split_first()?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        let (word, rest) = rest.split_at_checked(end)?;
        let rest = rest.get(1..)?;
        if *bare != 0 {
            self.rest = rest;
            return Some(Entry { word, positions: &[] });
        }
        let (count, rest) = rest.split_first_chunk::<2>()?;
        let (positions, rest) = rest.split_at_checked(2 * usize::from(!u16::from_be_bytes(*count)))?;
        self.rest = rest;
        Some(Entry { word, positions })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        self.count = self.count.checked_sub(1)?;
        self.read()
    }
}

impl<'a> Entry<'a> {
    pub fn text(&self) -> &'a str {
        // The representation is only ever made of text.
        std::str::from_utf8(self.word).unwrap_or_default()
    }

    pub fn positions(&self) -> impl DoubleEndedIterator<Item = Position> + ExactSizeIterator + Clone + use<'a> {
        self.positions.as_chunks::<2>().0.iter().map(|packed| Position(!u16::from_be_bytes(*packed)))
    }

    pub fn has_positions(&self) -> bool {
        !self.positions.is_empty()
    }
}

/// Text output.
pub fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    for (number, entry) in Entries::new(bytes).enumerate() {
        if number > 0 {
            out.push(b' ');
        }
        write_word(entry.word, out);
        for (number, position) in entry.positions().enumerate() {
            out.push(if number == 0 { b':' } else { b',' });
            out.extend_from_slice(itoa::Buffer::new().format(position.place()).as_bytes());
            if position.weight() != Weight::D {
                out.push(position.weight().letter() as u8);
            }
        }
    }
}

/// Binary output.
pub fn write_binary(bytes: &[u8], out: &mut Vec<u8>) {
    let entries = Entries::new(bytes);
    out.extend_from_slice(&(entries.len() as u32).to_be_bytes());
    for entry in entries {
        out.extend_from_slice(entry.word);
        out.push(0);
        out.extend_from_slice(&(entry.positions().len() as u16).to_be_bytes());
        for position in entry.positions() {
            let packed = u16::from(position.weight().number()) << 14 | position.place();
            out.extend_from_slice(&packed.to_be_bytes());
        }
    }
}
