//! `text`, `varchar(n)`, `char(n)`, `name`, `"char"` (manual 8.3), and what every text input shares.

use std::borrow::Cow;

use super::type_name::character_length;
use crate::error::{Error, Result};
use crate::sqlstate;

/// Longest `name` in bytes (`NAMEDATALEN - 1`).
pub const NAME_LENGTH: usize = 63;

/// White space of C's `isspace`, which PostgreSQL's input functions skip.
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0B | 0x0C | b'\r')
}

/// The text without such white space around it.
pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_ascii() && is_space(c as u8))
}

/// `22P02`, the error of nearly every input function.
pub(super) fn invalid_input(type_name: &str, text: &str) -> Error {
    Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("invalid input syntax for type {type_name}: \"{text}\""))
}

/// A binary value as text: must be UTF-8 without zero bytes.
pub fn from_bytes(bytes: &[u8]) -> Result<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0) => Ok(text),
        Ok(_) => Err(invalid_encoding(&[0])),
        Err(error) => {
            let start = error.valid_up_to();
            let length = error.error_len().unwrap_or(bytes.len() - start);
            // PostgreSQL shows the whole character that the first byte announces, as far as it is there.
            let announced = match bytes.get(start) {
                Some(0xC0..=0xDF) => 2,
                Some(0xE0..=0xEF) => 3,
                Some(0xF0..=0xF7) => 4,
                _ => length,
            };
            Err(invalid_encoding(bytes.get(start..bytes.len().min(start + announced)).unwrap_or_default()))
        }
    }
}

fn invalid_encoding(bytes: &[u8]) -> Error {
    let shown: Vec<String> = bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    Error::new(
        sqlstate::CHARACTER_NOT_IN_REPERTOIRE,
        format!("invalid byte sequence for encoding \"UTF8\": {}", shown.join(" ")),
    )
}

/// Byte offset after the first `count` characters, or `None` if there are no more than that.
fn offset_after(text: &str, count: usize) -> Option<usize> {
    if text.len() <= count {
        return None;
    }
    text.char_indices().nth(count).map(|(offset, _)| offset)
}

/// Input of `varchar(n)`: excess spaces are cut off, anything else that is too long is an error.
pub fn varchar(text: &str, typmod: i32) -> Result<&str> {
    let Some(length) = character_length(typmod) else { return Ok(text) };
    match offset_after(text, length as usize) {
        None => Ok(text),
        Some(end) if text[end..].bytes().all(|byte| byte == b' ') => Ok(&text[..end]),
        Some(_) => Err(too_long(&format!("character varying({length})"))),
    }
}

/// Explicit cast to `varchar(n)`: cuts silently.
pub fn truncate_varchar(text: &str, typmod: i32) -> &str {
    let end = character_length(typmod).and_then(|length| offset_after(text, length as usize));
    end.map_or(text, |end| &text[..end])
}

/// Input of `char(n)`: as `varchar(n)`, then padded with spaces.
pub fn bpchar(text: &str, typmod: i32) -> Result<Cow<'_, str>> {
    let Some(length) = character_length(typmod) else { return Ok(Cow::Borrowed(text)) };
    match offset_after(text, length as usize) {
        None => Ok(pad(text, length as usize)),
        Some(end) if text[end..].bytes().all(|byte| byte == b' ') => Ok(Cow::Borrowed(&text[..end])),
        Some(_) => Err(too_long(&format!("character({length})"))),
    }
}

/// Explicit cast to `char(n)`: cuts silently, pads.
pub fn truncate_bpchar(text: &str, typmod: i32) -> Cow<'_, str> {
    let Some(length) = character_length(typmod) else { return Cow::Borrowed(text) };
    match offset_after(text, length as usize) {
        None => pad(text, length as usize),
        Some(end) => Cow::Borrowed(&text[..end]),
    }
}

fn pad(text: &str, length: usize) -> Cow<'_, str> {
    let missing = length - text.chars().count().min(length);
    if missing == 0 {
        return Cow::Borrowed(text);
    }
    let mut padded = String::with_capacity(text.len() + missing);
    padded.push_str(text);
    padded.extend(std::iter::repeat_n(' ', missing));
    Cow::Owned(padded)
}

fn too_long(type_name: &str) -> Error {
    Error::new(sqlstate::STRING_DATA_RIGHT_TRUNCATION, format!("value too long for type {type_name}"))
}

/// `name`: cut to 63 bytes at a character boundary.
pub fn name(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_LENGTH)]
}

/// Text input of `"char"`: one byte. Its representation is its text output: nothing for the zero byte, the
/// character itself for ASCII, `\ooo` for the rest.
pub fn char(text: &str) -> Cow<'_, str> {
    if let [b'\\', a @ b'0'..=b'7', b @ b'0'..=b'7', c @ b'0'..=b'7'] = text.as_bytes() {
        let byte = ((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0');
        return Cow::Owned(char_from_byte(byte));
    }
    match text.as_bytes().first() {
        None => Cow::Borrowed(""),
        Some(byte) if byte.is_ascii() => Cow::Borrowed(&text[..1]),
        Some(&byte) => Cow::Owned(char_from_byte(byte)),
    }
}

/// The representation of a `"char"` byte.
pub fn char_from_byte(byte: u8) -> String {
    match byte {
        0 => String::new(),
        1..=0x7F => char::from(byte).to_string(),
        _ => format!("\\{byte:03o}"),
    }
}

/// The byte of a represented `"char"`.
pub fn char_to_byte(text: &str) -> u8 {
    match text.as_bytes() {
        [b'\\', digits @ ..] if digits.len() == 3 => {
            digits.iter().fold(0u8, |byte, digit| (byte << 3) | (digit.wrapping_sub(b'0') & 7))
        }
        bytes => bytes.first().copied().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(varchar("abc  ", 3 + 4).unwrap(), "abc");
        assert_eq!(varchar("äöü", 3 + 4).unwrap(), "äöü");
        assert_eq!(varchar("abcd", 3 + 4).unwrap_err().message(), "value too long for type character varying(3)");
        assert_eq!(bpchar("ä", 3 + 4).unwrap(), "ä  ");
        assert_eq!(bpchar("abcd", 3 + 4).unwrap_err().message(), "value too long for type character(3)");
        assert_eq!(truncate_bpchar("abcd", 3 + 4), "abc");
        assert_eq!(truncate_varchar("abcd", 3 + 4), "abc");
        assert_eq!(name(&"é".repeat(40)).len(), 62);
    }

    #[test]
    fn single_byte_char() {
        assert_eq!(char("abc"), "a");
        assert_eq!(char(""), "");
        assert_eq!(char("é"), "\\303");
        assert_eq!(char("\\303"), "\\303");
        assert_eq!(char("\\101"), "A");
        assert_eq!(char_to_byte("\\303"), 0xC3);
        assert_eq!(char_to_byte("\\"), b'\\');
    }

    #[test]
    fn encoding_errors() {
        assert_eq!(
            from_bytes(b"a\xE2\x28\xA1").unwrap_err().message(),
            "invalid byte sequence for encoding \"UTF8\": 0xe2 0x28 0xa1"
        );
        assert_eq!(from_bytes(b"a\0").unwrap_err().message(), "invalid byte sequence for encoding \"UTF8\": 0x00");
    }
}
