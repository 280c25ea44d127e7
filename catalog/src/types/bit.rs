//! `bit(n)` and `bit varying(n)` (manual 8.10), represented as text of zeros and ones.

use super::Type;
use super::binary::{Reader, invalid_binary};
use super::oid;
use crate::error::{Error, Result};
use crate::sqlstate;

/// Text input: binary digits, with `b` before them or not, or hex digits after `x`.
pub fn parse(text: &str, ty: Type) -> Result<String> {
    let invalid = |digit: char, base: &str| {
        Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("\"{digit}\" is not a valid {base} digit"))
    };
    let bits = match text.as_bytes().first() {
        Some(b'x' | b'X') => {
            let mut bits = String::with_capacity(text.len() * 4);
            for digit in text[1..].chars() {
                let value = digit.to_digit(16).ok_or_else(|| invalid(digit, "hexadecimal"))?;
                bits.push_str(&format!("{value:04b}"));
            }
            bits
        }
        first => {
            let digits = if matches!(first, Some(b'b' | b'B')) { &text[1..] } else { text };
            if let Some(digit) = digits.chars().find(|digit| !matches!(digit, '0' | '1')) {
                return Err(invalid(digit, "binary"));
            }
            digits.to_owned()
        }
    };
    check_length(&bits, ty)?;
    Ok(bits)
}

fn check_length(bits: &str, ty: Type) -> Result<()> {
    let Ok(limit) = usize::try_from(ty.typmod) else { return Ok(()) };
    if ty.oid == oid::BIT && limit > 0 && bits.len() != limit {
        return Err(Error::new(
            sqlstate::STRING_DATA_LENGTH_MISMATCH,
            format!("bit string length {} does not match type bit({limit})", bits.len()),
        ));
    }
    if ty.oid == oid::VARBIT && limit > 0 && bits.len() > limit {
        return Err(Error::new(
            sqlstate::STRING_DATA_RIGHT_TRUNCATION,
            format!("bit string too long for type bit varying({limit})"),
        ));
    }
    Ok(())
}

/// Binary input: number of bits, then the bits padded to bytes.
pub fn from_binary(bytes: &[u8], ty: Type) -> Result<String> {
    let mut reader = Reader::new(bytes);
    let length = usize::try_from(reader.i32()?).map_err(|_| invalid_binary("invalid length in external bit string"))?;
    let packed = reader.take(length.div_ceil(8))?;
    reader.finish()?;
    let mut bits: String = packed.iter().map(|byte| format!("{byte:08b}")).collect();
    bits.truncate(length);
    check_length(&bits, ty)?;
    Ok(bits)
}

/// Binary output.
pub fn write_binary(bits: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(bits.len() as i32).to_be_bytes());
    for chunk in bits.as_bytes().chunks(8) {
        let byte = chunk.iter().fold(0u8, |byte, digit| (byte << 1) | (digit & 1));
        out.push(byte << (8 - chunk.len()));
    }
}
