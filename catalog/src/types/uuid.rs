//! `uuid` (manual 8.12).

use super::bytea::hex_digit;
use super::text::invalid_input;
use crate::error::Result;

/// Text input: 32 hex digits, optionally in braces, a hyphen allowed after each group of four.
pub fn parse(text: &str) -> Result<[u8; 16]> {
    scan(text.as_bytes()).ok_or_else(|| invalid_input("uuid", text))
}

fn scan(mut bytes: &[u8]) -> Option<[u8; 16]> {
    let braces = bytes.first() == Some(&b'{');
    if braces {
        bytes = &bytes[1..];
    }
    let mut uuid = [0u8; 16];
    for (index, slot) in uuid.iter_mut().enumerate() {
        let [high, low, rest @ ..] = bytes else { return None };
        *slot = (hex_digit(*high)? << 4) | hex_digit(*low)?;
        bytes = rest;
        if index % 2 == 1
            && index < 15
            && let [b'-', rest @ ..] = bytes
        {
            bytes = rest;
        }
    }
    if braces {
        bytes = bytes.strip_prefix(b"}")?;
    }
    bytes.is_empty().then_some(uuid)
}

/// Text output: lower case, 8-4-4-4-12.
pub fn write(uuid: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (index, byte) in uuid.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 0xF)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        let expected = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
        for text in [
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11}",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            let mut out = Vec::new();
            write(&parse(text).unwrap(), &mut out);
            assert_eq!(out, expected.as_bytes());
        }
        for text in [
            "",
            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1",
            "{a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a-0eebc999c0b4ef8bb6d6bb9bd380a11",
        ] {
            assert_eq!(parse(text).unwrap_err().message(), format!("invalid input syntax for type uuid: \"{text}\""));
        }
    }
}
