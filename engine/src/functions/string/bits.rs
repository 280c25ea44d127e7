//! Bit strings (PostgreSQL manual 9.6). A value is text of zeros and ones.

use aegis_catalog::types::{bit, oid};
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::slice::{bounds, substring};
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    [logic(), parts(), conversions()].into_iter().flatten().collect()
}

fn logic() -> Vec<Row> {
    vec![
        f("&(bit, bit)", kernel!(|a: &str, b: &str| paired(a, b, "AND", |a, b| a & b))),
        f("|(bit, bit)", kernel!(|a: &str, b: &str| paired(a, b, "OR", |a, b| a | b))),
        f("#(bit, bit)", kernel!(|a: &str, b: &str| paired(a, b, "XOR", |a, b| a ^ b))),
        f("~(bit)", kernel!(|a: &str| a.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect::<String>())),
        f("<<(bit, int4)", kernel!(|a: &str, by: i32| shifted(a, i64::from(by)))),
        f(">>(bit, int4)", kernel!(|a: &str, by: i32| shifted(a, -i64::from(by)))),
        f("||(varbit, varbit)", kernel!(|a: &str, b: &str| [a, b].concat())),
    ]
}

fn paired(a: &str, b: &str, verb: &str, operation: fn(bool, bool) -> bool) -> Result<String> {
    if a.len() != b.len() {
        let message = format!("cannot {verb} bit strings of different sizes");
        return Err(Error::new(sqlstate::STRING_DATA_LENGTH_MISMATCH, message));
    }
    let digit = |(a, b): (u8, u8)| if operation(a == b'1', b == b'1') { '1' } else { '0' };
    Ok(a.bytes().zip(b.bytes()).map(digit).collect())
}

/// To the left, or to the right by a negative number; the length stays.
fn shifted(bits: &str, by: i64) -> String {
    let count = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX).min(bits.len());
    let zeros = "0".repeat(count);
    if by >= 0 { bits[count..].to_owned() + &zeros } else { zeros + &bits[..bits.len() - count] }
}

fn parts() -> Vec<Row> {
    vec![
        f("length(bit)", kernel!(|a: &str| a.len() as i32)),
        f("bit_length(bit)", kernel!(|a: &str| a.len() as i32)),
        f("octet_length(bit)", kernel!(|a: &str| a.len().div_ceil(8) as i32)),
        f("bit_count(bit)", kernel!(|a: &str| a.bytes().filter(|&digit| digit == b'1').count() as i64)),
        f("position(bit, bit)", kernel!(|a: &str, b: &str| position(a, b))),
        f("substring(bit, int4)", kernel!(|a: &str, start: i32| Ok::<_, Error>(substring(a, start, None)?.to_owned()))),
        f(
            "substring(bit, int4, int4)",
            kernel!(|a: &str, start: i32, count: i32| Ok::<_, Error>(substring(a, start, Some(count))?.to_owned())),
        ),
        f("overlay(bit, bit, int4)", kernel!(|a: &str, b: &str, start: i32| overlay(a, b, start, b.len() as i32))),
        f(
            "overlay(bit, bit, int4, int4)",
            kernel!(|a: &str, b: &str, start: i32, count: i32| overlay(a, b, start, count)),
        ),
        f(
            "get_bit(bit, int4)",
            kernel!(|a: &str, index: i32| checked(a, index).map(|at| i32::from(a.as_bytes()[at] == b'1'))),
        ),
        f(
            "set_bit(bit, int4, int4)",
            kernel!(|a: &str, index: i32, value: i32| {
                let at = checked(a, index)?;
                if !matches!(value, 0 | 1) {
                    return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
                }
                Ok(format!("{}{value}{}", &a[..at], &a[at + 1..]))
            }),
        ),
    ]
}

fn position(bits: &str, part: &str) -> i32 {
    if bits.is_empty() {
        return 0;
    }
    bits.find(part).map_or(0, |at| at as i32 + 1)
}

fn overlay(bits: &str, new: &str, start: i32, count: i32) -> Result<String> {
    if start <= 0 {
        return Err(Error::new(sqlstate::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start.checked_add(count).ok_or_else(|| out_of_range("integer"))?;
    let (first, _) = bounds(after, None)?;
    let rest = bits.get(first..).unwrap_or("");
    Ok([substring(bits, 1, Some(start - 1))?, new, rest].concat())
}

fn checked(bits: &str, index: i32) -> Result<usize> {
    usize::try_from(index).ok().filter(|&at| at < bits.len()).ok_or_else(|| {
        let last = bits.len() as i64 - 1;
        let message = format!("bit index {index} out of valid range (0..{last})");
        Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, message)
    })
}

fn out_of_range(what: &str) -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{what} out of range"))
}

fn conversions() -> Vec<Row> {
    vec![
        f("bit(int4, int4)", kernel!(|a: i32, length: i32| of_integer(i64::from(a), length))),
        f("bit(int8, int4)", kernel!(|a: i64, length: i32| of_integer(a, length))),
        f(
            "int4(bit)",
            kernel!(|a: &str| integer(a, 32).map(|value| value as u32 as i32).ok_or_else(|| out_of_range("integer"))),
        ),
        f(
            "int8(bit)",
            kernel!(|a: &str| integer(a, 64).map(|value| value as i64).ok_or_else(|| out_of_range("bigint"))),
        ),
        f(
            "bit(bit, int4, bool)",
            kernel!(|a: &str, length: i32, explicit: bool| {
                let Some(wanted) = usize::try_from(length).ok().filter(|&wanted| wanted > 0) else {
                    return Ok(a.to_owned());
                };
                if !explicit {
                    return bit::parse(a, Type::new(oid::BIT, length));
                }
                Ok(format!("{:0<wanted$}", &a[..a.len().min(wanted)]))
            }),
        ),
        f(
            "varbit(varbit, int4, bool)",
            kernel!(|a: &str, length: i32, explicit: bool| {
                let limit = usize::try_from(length).ok().filter(|&limit| limit > 0).unwrap_or(usize::MAX);
                if !explicit {
                    return bit::parse(a, Type::new(oid::VARBIT, length));
                }
                Ok(a[..a.len().min(limit)].to_owned())
            }),
        ),
    ]
}

/// The lowest bits of a number; a longer string repeats its sign.
fn of_integer(value: i64, length: i32) -> String {
    let length = usize::try_from(length).ok().filter(|&length| length > 0).unwrap_or(1);
    let sign = if value < 0 { '1' } else { '0' };
    let digits = format!("{value:064b}");
    match length.checked_sub(digits.len()) {
        Some(more) => sign.to_string().repeat(more) + &digits,
        None => digits[digits.len() - length..].to_owned(),
    }
}

fn integer(bits: &str, width: usize) -> Option<u64> {
    if bits.len() > width {
        return None;
    }
    Some(bits.bytes().fold(0, |value, digit| (value << 1) | u64::from(digit == b'1')))
}
