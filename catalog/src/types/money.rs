//! `money` (manual 8.2) in the C locale: cents, `$1,234.56`.

use super::int::out_of_range;
use super::text::{invalid_input, is_space};
use crate::error::Result;

const FRACTION_DIGITS: u32 = 2;

fn skip_spaces(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    bytes
}

fn skip_symbol(bytes: &[u8]) -> &[u8] {
    let bytes = skip_spaces(bytes);
    skip_spaces(bytes.strip_prefix(b"$").unwrap_or(bytes))
}

/// Text input. Digits accumulate as a negative number, since that side has the larger range.
pub fn parse(text: &str) -> Result<i64> {
    let mut rest = skip_symbol(text.as_bytes());
    let mut negative = matches!(rest.first(), Some(b'-' | b'('));
    if let [b'-' | b'(' | b'+', tail @ ..] = rest {
        rest = tail;
    }
    rest = skip_symbol(rest);
    let overflow = || out_of_range("money", text);
    let mut value: i64 = 0;
    let mut decimals = None;
    while let [byte, tail @ ..] = rest {
        match (*byte, decimals) {
            (b'0'..=b'9', Some(FRACTION_DIGITS)) => break,
            (digit @ b'0'..=b'9', _) => {
                value = value
                    .checked_mul(10)
                    .and_then(|value| value.checked_sub(i64::from(digit - b'0')))
                    .ok_or_else(overflow)?;
                decimals = decimals.map(|count| count + 1);
            }
            (b'.', None) => decimals = Some(0),
            (b',', _) => {}
            _ => break,
        }
        rest = tail;
    }
    if matches!(rest.first(), Some(b'5'..=b'9')) {
        value = value.checked_sub(1).ok_or_else(overflow)?;
    }
    let missing = FRACTION_DIGITS - decimals.unwrap_or(0);
    value = value.checked_mul(10i64.pow(missing)).ok_or_else(overflow)?;
    let tail = rest.iter().skip_while(|byte| byte.is_ascii_digit());
    for &byte in tail {
        match byte {
            b'-' => negative = true,
            b')' | b'+' | b'$' => {}
            byte if is_space(byte) => {}
            _ => return Err(invalid_input("money", text)),
        }
    }
    if negative { Ok(value) } else { value.checked_neg().ok_or_else(overflow) }
}

/// Text output.
pub fn write(cents: i64, out: &mut Vec<u8>) {
    if cents < 0 {
        out.push(b'-');
    }
    out.push(b'$');
    let magnitude = cents.unsigned_abs();
    let mut buffer = itoa::Buffer::new();
    let whole = buffer.format(magnitude / 100).as_bytes();
    for (index, digit) in whole.iter().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(b',');
        }
        out.push(*digit);
    }
    out.push(b'.');
    out.push(b'0' + (magnitude % 100 / 10) as u8);
    out.push(b'0' + (magnitude % 10) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, shown) in [
            ("$1,234.567", "$1,234.57"),
            ("(1)", "-$1.00"),
            ("-$5", "-$5.00"),
            ("  12.5  ", "$12.50"),
            ("5-", "-$5.00"),
            ("92233720368547758.07", "$92,233,720,368,547,758.07"),
            ("-92233720368547758.08", "-$92,233,720,368,547,758.08"),
            ("", "$0.00"),
        ] {
            let mut out = Vec::new();
            write(parse(text).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), shown);
        }
        assert_eq!(parse("1.2.3").unwrap_err().message(), "invalid input syntax for type money: \"1.2.3\"");
        let message = "value \"92233720368547758.08\" is out of range for type money";
        assert_eq!(parse("92233720368547758.08").unwrap_err().message(), message);
    }
}
