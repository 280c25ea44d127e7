//! `oid`, `xid`, `cid`, `xid8`, `tid`, `pg_lsn` and the `reg*` types (manual 8.19, 8.20).

use super::int::out_of_range;
use super::names::Names;
use super::oid::{self, Oid};
use super::text::{invalid_input, is_space};
use crate::error::Result;

/// What C's `strtoul` makes of a text: the magnitude (`None` if it does not fit 64 bits), the sign, and what
/// follows the digits. `None` altogether if there are no digits.
struct Unsigned<'a> {
    magnitude: Option<u64>,
    negative: bool,
    rest: &'a [u8],
}

fn scan_unsigned(text: &[u8], detect_base: bool) -> Option<Unsigned<'_>> {
    let mut rest = text;
    while let [first, tail @ ..] = rest
        && is_space(*first)
    {
        rest = tail;
    }
    let negative = rest.first() == Some(&b'-');
    if let [b'-' | b'+', tail @ ..] = rest {
        rest = tail;
    }
    let base = match rest {
        [b'0', b'x' | b'X', digit, ..] if detect_base && digit.is_ascii_hexdigit() => {
            rest = &rest[2..];
            16
        }
        [b'0', ..] if detect_base => 8,
        _ => 10,
    };
    let mut magnitude = Some(0u64);
    let mut digits = 0;
    while let [first, tail @ ..] = rest
        && let Some(digit) = char::from(*first).to_digit(base)
    {
        magnitude = magnitude.and_then(|value| value.checked_mul(base.into())?.checked_add(digit.into()));
        digits += 1;
        rest = tail;
    }
    (digits > 0).then_some(Unsigned { magnitude, negative, rest })
}

/// Text input of `oid`. As in PostgreSQL a negative number that fits 32 bits is its two's complement.
pub fn parse_oid(text: &str) -> Result<Oid> {
    let scanned = scan_unsigned(text.as_bytes(), false).ok_or_else(|| invalid_input("oid", text))?;
    if !scanned.rest.iter().copied().all(is_space) {
        return Err(invalid_input("oid", text));
    }
    let magnitude = scanned.magnitude.and_then(|value| i64::try_from(value).ok());
    let value = match magnitude {
        Some(value) if scanned.negative => i32::try_from(-value).ok().map(|value| value as u32),
        Some(value) => u32::try_from(value).ok(),
        None => None,
    };
    value.ok_or_else(|| out_of_range("oid", text))
}

/// Text input of `xid` and `cid`, which take whatever C's `strtoul` takes and ignore the rest.
pub fn parse_xid(text: &str) -> u32 {
    parse_xid8(text) as u32
}

/// Text input of `xid8`: likewise, 64 bits wide.
pub fn parse_xid8(text: &str) -> u64 {
    match scan_unsigned(text.as_bytes(), true) {
        None => 0,
        Some(Unsigned { magnitude: None, .. }) => u64::MAX,
        Some(Unsigned { magnitude: Some(value), negative: true, .. }) => value.wrapping_neg(),
        Some(Unsigned { magnitude: Some(value), .. }) => value,
    }
}

/// Text input of `tid`: `(block,offset)`, represented as `block << 16 | offset`.
pub fn parse_tid(text: &str) -> Result<u64> {
    scan_tid(text.as_bytes()).ok_or_else(|| invalid_input("tid", text))
}

fn scan_tid(text: &[u8]) -> Option<u64> {
    let open = text.iter().position(|&byte| byte == b'(')?;
    let block = scan_unsigned(&text[open + 1..], false)?;
    let (b',', rest) = block.rest.split_first()? else { return None };
    let offset = scan_unsigned(rest, false)?;
    let (b')', _) = offset.rest.split_first()? else { return None };
    let number = |scanned: &Unsigned<'_>| {
        let value = scanned.magnitude?;
        Some(if scanned.negative { value.wrapping_neg() } else { value })
    };
    // Blocks are 32 bits, also as the two's complement of a negative number.
    let block = number(&block)?;
    let block = u32::try_from(block).ok().or_else(|| i32::try_from(block as i64).ok().map(|block| block as u32))?;
    let offset = u16::try_from(number(&offset)?).ok()?;
    Some((u64::from(block) << 16) | u64::from(offset))
}

/// Text output of `tid`.
pub fn write_tid(tid: u64, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    out.push(b'(');
    out.extend_from_slice(digits.format((tid >> 16) as u32).as_bytes());
    out.push(b',');
    out.extend_from_slice(digits.format(tid as u16).as_bytes());
    out.push(b')');
}

/// Text input of `pg_lsn`: `XXXXXXXX/XXXXXXXX` in hex.
pub fn parse_lsn(text: &str) -> Result<i64> {
    let half = |digits: &str| {
        let valid = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if valid { u64::from_str_radix(digits, 16).ok() } else { None }
    };
    let lsn = text.split_once('/').and_then(|(high, low)| Some((half(high)? << 32) | half(low)?));
    lsn.map(|lsn| lsn as i64).ok_or_else(|| invalid_input("pg_lsn", text))
}

/// Text output of `pg_lsn`.
pub fn write_lsn(lsn: i64, out: &mut Vec<u8>) {
    write_hex((lsn as u64 >> 32) as u32, out);
    out.push(b'/');
    write_hex(lsn as u32, out);
}

fn write_hex(value: u32, out: &mut Vec<u8>) {
    let digits = (8 - value.leading_zeros() / 4).max(1);
    for position in (0..digits).rev() {
        out.push(b"0123456789ABCDEF"[(value >> (position * 4)) as usize & 0xF]);
    }
}

/// Text input of a `reg*` type: a number, `-` for none, or a name that the catalog resolves.
pub fn parse_reg(reg_type: Oid, text: &str, names: &Names) -> Result<Oid> {
    if text == "-" {
        return Ok(0);
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return parse_oid(text);
    }
    match &names.0 {
        Some(names) => names.oid_of(reg_type, text),
        None => Err(invalid_input("oid", text)),
    }
}

/// Text output of a `reg*` type. Operators have no `-`: their zero is `0`.
pub fn write_reg(reg_type: Oid, object: Oid, names: &Names, out: &mut Vec<u8>) {
    if object == 0 {
        let zero = if matches!(reg_type, oid::REGOPER | oid::REGOPERATOR) { b'0' } else { b'-' };
        out.push(zero);
        return;
    }
    match names.0.as_ref().and_then(|names| names.name_of(reg_type, object)) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => out.extend_from_slice(itoa::Buffer::new().format(object).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oids() {
        assert_eq!(parse_oid("-1").unwrap(), u32::MAX);
        assert_eq!(parse_oid(" 12 ").unwrap(), 12);
        assert_eq!(parse_oid("").unwrap_err().message(), "invalid input syntax for type oid: \"\"");
        assert_eq!(parse_oid("0x10").unwrap_err().message(), "invalid input syntax for type oid: \"0x10\"");
        for text in ["4294967296", "-2147483649", "-4294967295", "99999999999999999999"] {
            let message = format!("value \"{text}\" is out of range for type oid");
            assert_eq!(parse_oid(text).unwrap_err().message(), message);
        }
    }

    #[test]
    fn transaction_ids() {
        let parsed = ["abc", "0x10", "010", "-1", "12x", "99999999999"].map(parse_xid);
        assert_eq!(parsed, [0, 16, 8, u32::MAX, 12, 1_215_752_191]);
        assert_eq!(parse_xid8("-1"), u64::MAX);
    }

    #[test]
    fn tids() {
        for (text, shown) in
            [("(1,2)", "(1,2)"), ("( 1,2)", "(1,2)"), ("(-1,2)", "(4294967295,2)"), ("(1,2)x", "(1,2)")]
        {
            let mut out = Vec::new();
            write_tid(parse_tid(text).unwrap(), &mut out);
            assert_eq!(out, shown.as_bytes());
        }
        for text in [" ( 1 , 2 ) ", "(1,70000)", "1,2", "(1"] {
            assert_eq!(
                parse_tid(text).unwrap_err().message(),
                format!("invalid input syntax for type tid: \"{text}\"")
            );
        }
    }

    #[test]
    fn lsns() {
        for text in ["16/B374D848", "FFFFFFFF/FFFFFFFF", "0/0"] {
            let mut out = Vec::new();
            write_lsn(parse_lsn(text).unwrap(), &mut out);
            assert_eq!(out, text.as_bytes());
        }
        for text in ["1/", "123456789/1", " 1/1", "+1/1"] {
            assert!(parse_lsn(text).is_err());
        }
    }
}
