//! `smallint`, `integer`, `bigint` (manual 8.1.1).

use super::text::{invalid_input, is_space};
use crate::error::{Error, Result};
use crate::sqlstate;

/// Text input of `smallint`.
pub fn parse_int2(text: &str) -> Result<i16> {
    parse(text, "smallint", i64::from(i16::MIN), i64::from(i16::MAX)).map(|value| value as i16)
}

/// Text input of `integer`.
pub fn parse_int4(text: &str) -> Result<i32> {
    parse(text, "integer", i64::from(i32::MIN), i64::from(i32::MAX)).map(|value| value as i32)
}

/// Text input of `bigint`.
pub fn parse_int8(text: &str) -> Result<i64> {
    parse(text, "bigint", i64::MIN, i64::MAX)
}

/// Digits accumulate as a negative number, since that side has the larger range.
fn parse(text: &str, type_name: &str, min: i64, max: i64) -> Result<i64> {
    let mut bytes = text.as_bytes();
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    let negative = bytes.first() == Some(&b'-');
    if let [b'-' | b'+', rest @ ..] = bytes {
        bytes = rest;
    }
    let mut value: i64 = 0;
    let mut digits = 0usize;
    while let [digit @ b'0'..=b'9', rest @ ..] = bytes {
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_sub(i64::from(digit - b'0')))
            .filter(|&value| value >= min)
            .ok_or_else(|| out_of_range(type_name, text))?;
        digits += 1;
        bytes = rest;
    }
    if digits == 0 || !bytes.iter().copied().all(is_space) {
        return Err(invalid_input(type_name, text));
    }
    if negative {
        return Ok(value);
    }
    value.checked_neg().filter(|&value| value <= max).ok_or_else(|| out_of_range(type_name, text))
}

/// `22003` of an input function.
pub(super) fn out_of_range(type_name: &str, text: &str) -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("value \"{text}\" is out of range for type {type_name}"))
}

/// `22003` of a computation or a cast: `integer out of range`.
pub fn type_out_of_range(type_name: &str) -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits() {
        assert_eq!(parse_int4("-2147483648").unwrap(), i32::MIN);
        assert_eq!(parse_int8("-9223372036854775808").unwrap(), i64::MIN);
        assert_eq!(parse_int2(" +32767\n").unwrap(), i16::MAX);
        let error = parse_int4("2147483648").unwrap_err();
        assert_eq!(error.message(), "value \"2147483648\" is out of range for type integer");
        assert_eq!(error.code(), sqlstate::NUMERIC_VALUE_OUT_OF_RANGE);
        for bad in ["", " ", "x", "1 2", "- 1", "1.0", "+-1"] {
            assert_eq!(
                parse_int2(bad).unwrap_err().message(),
                format!("invalid input syntax for type smallint: \"{bad}\"")
            );
        }
    }
}
