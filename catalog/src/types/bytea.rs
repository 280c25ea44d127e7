//! `bytea` (manual 8.4): hex and escape formats.

use crate::error::{Error, Result};
use crate::sqlstate;

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Text input: `\x…` is hex, anything else the escape format.
pub fn parse(text: &str, out: &mut Vec<u8>) -> Result<()> {
    match text.as_bytes() {
        [b'\\', b'x', hex @ ..] => decode_hex(text, hex, out),
        escaped => decode_escape(escaped, out),
    }
}

/// White space may stand between pairs of digits.
fn decode_hex(text: &str, hex: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.reserve(hex.len() / 2);
    let mut position = 0;
    while let Some(&byte) = hex.get(position) {
        if matches!(byte, b' ' | b'\n' | b'\t' | b'\r') {
            position += 1;
            continue;
        }
        let high = hex_digit(byte).ok_or_else(|| invalid_digit(text, position + 2))?;
        let Some(&next) = hex.get(position + 1) else {
            return Err(Error::new(
                sqlstate::INVALID_PARAMETER_VALUE,
                "invalid hexadecimal data: odd number of digits",
            ));
        };
        let low = hex_digit(next).ok_or_else(|| invalid_digit(text, position + 3))?;
        out.push((high << 4) | low);
        position += 2;
    }
    Ok(())
}

fn invalid_digit(text: &str, offset: usize) -> Error {
    let start = text.floor_char_boundary(offset);
    let shown: String = text[start..].chars().take(1).collect();
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid hexadecimal digit: \"{shown}\""))
}

pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn decode_escape(mut escaped: &[u8], out: &mut Vec<u8>) -> Result<()> {
    out.reserve(escaped.len());
    loop {
        match escaped {
            [] => return Ok(()),
            [b'\\', b'\\', rest @ ..] => {
                out.push(b'\\');
                escaped = rest;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                out.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
                escaped = rest;
            }
            [b'\\', ..] => {
                return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"));
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                escaped = rest;
            }
        }
    }
}

/// Text output under `bytea_output = hex`.
pub fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(2 + bytes.len() * 2);
    out.extend_from_slice(b"\\x");
    for byte in bytes {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 0xF)]);
    }
}

/// Text output under `bytea_output = escape`.
pub fn write_escape(bytes: &[u8], out: &mut Vec<u8>) {
    for &byte in bytes {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x20..=0x7E => out.push(byte),
            _ => out.extend_from_slice(&[b'\\', b'0' + (byte >> 6), b'0' + ((byte >> 3) & 7), b'0' + (byte & 7)]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        parse(text, &mut out).map(|()| out)
    }

    #[test]
    fn formats() {
        assert_eq!(parsed("\\xDEad be").unwrap(), [0xDE, 0xAD, 0xBE]);
        assert_eq!(parsed("a\\\\\\001").unwrap(), [b'a', b'\\', 1]);
        assert_eq!(parsed("\\x1").unwrap_err().message(), "invalid hexadecimal data: odd number of digits");
        assert_eq!(parsed("\\x1ö").unwrap_err().message(), "invalid hexadecimal digit: \"ö\"");
        assert_eq!(parsed("\\9").unwrap_err().message(), "invalid input syntax for type bytea");
        let mut out = Vec::new();
        write_escape(&[0, b'a', b'\\', 0xFF], &mut out);
        assert_eq!(out, b"\\000a\\\\\\377");
    }
}
