//! `real` and `double precision` (manual 8.1.3).

use super::text::{invalid_input, trim};
use crate::error::{Error, Result};
use crate::sqlstate;

/// Significant decimal digits that every `double precision` (`real`) keeps: C's `DBL_DIG` and `FLT_DIG`.
const DOUBLE_DIGITS: i32 = 15;
const SINGLE_DIGITS: i32 = 6;

/// Text input of `double precision`.
pub fn parse_float8(text: &str) -> Result<f64> {
    if let Some(whole) = plain_whole(text.as_bytes()) {
        return Ok(whole);
    }
    let (number, special) = scan(text).ok_or_else(|| invalid_input("double precision", text))?;
    if let Some(special) = special {
        return Ok(special);
    }
    let value: f64 = number.parse().map_err(|_| invalid_input("double precision", text))?;
    if value.is_infinite() || (value == 0.0 && has_nonzero_digit(number)) {
        return Err(out_of_range(number, "double precision"));
    }
    Ok(value)
}

/// Text input of `real`.
pub fn parse_float4(text: &str) -> Result<f32> {
    let (number, special) = scan(text).ok_or_else(|| invalid_input("real", text))?;
    if let Some(special) = special {
        return Ok(special as f32);
    }
    let value: f32 = number.parse().map_err(|_| invalid_input("real", text))?;
    if value.is_infinite() || (value == 0.0 && has_nonzero_digit(number)) {
        return Err(out_of_range(number, "real"));
    }
    Ok(value)
}

/// The value of a few digits without anything else, which a double holds exactly.
fn plain_whole(digits: &[u8]) -> Option<f64> {
    if digits.is_empty() || digits.len() > DOUBLE_DIGITS as usize {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then(|| value * 10 + u64::from(digit))
    })?;
    Some(value as f64)
}

/// The trimmed text if it is a decimal number, and its value if it is a special one.
fn scan(text: &str) -> Option<(&str, Option<f64>)> {
    let number = trim(text);
    let unsigned = number.strip_prefix(['+', '-']).unwrap_or(number);
    if unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Some((number, None));
    }
    if unsigned.eq_ignore_ascii_case("infinity") || unsigned.eq_ignore_ascii_case("inf") {
        let value = if number.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY };
        return Some((number, Some(value)));
    }
    if unsigned.eq_ignore_ascii_case("nan") {
        return Some((number, Some(f64::NAN)));
    }
    None
}

fn has_nonzero_digit(number: &str) -> bool {
    number.bytes().take_while(|byte| !matches!(byte, b'e' | b'E')).any(|byte| matches!(byte, b'1'..=b'9'))
}

fn out_of_range(number: &str, type_name: &str) -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("\"{number}\" is out of range for type {type_name}"))
}

/// Whole numbers below are written as they are, whatever the precision.
const PLAIN_WHOLE: f64 = 1e15;

/// Text output of `double precision` under `extra_float_digits`.
pub fn write_float8(value: f64, extra_float_digits: i32, out: &mut Vec<u8>) {
    if write_special(value, out) {
        return;
    }
    if extra_float_digits >= 0 && value.abs() < PLAIN_WHOLE && value.trunc() == value {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
        return;
    }
    if extra_float_digits > 0 {
        let next = f64::from_bits(value.abs().to_bits() + 1);
        let previous = f64::from_bits(value.abs().to_bits() - 1);
        match strict_shortest(value, previous, next, 17, ryu::Buffer::new().format_finite(value)) {
            Some(text) => write_shortest(&text, DOUBLE_DIGITS, out),
            None => write_shortest(ryu::Buffer::new().format_finite(value), DOUBLE_DIGITS, out),
        }
    } else {
        write_general(value, (DOUBLE_DIGITS + extra_float_digits).max(1), out);
    }
}

/// Text output of `real` under `extra_float_digits`.
pub fn write_float4(value: f32, extra_float_digits: i32, out: &mut Vec<u8>) {
    if write_special(f64::from(value), out) {
        return;
    }
    if extra_float_digits > 0 {
        let next = f64::from(f32::from_bits(value.abs().to_bits() + 1));
        let previous = f64::from(f32::from_bits(value.abs().to_bits() - 1));
        match strict_shortest(f64::from(value), previous, next, 9, ryu::Buffer::new().format_finite(value)) {
            Some(text) => write_shortest(&text, SINGLE_DIGITS, out),
            None => write_shortest(ryu::Buffer::new().format_finite(value), SINGLE_DIGITS, out),
        }
    } else {
        write_general(f64::from(value), (SINGLE_DIGITS + extra_float_digits).max(1), out);
    }
}

fn write_special(value: f64, out: &mut Vec<u8>) -> bool {
    let text: &[u8] = if value.is_nan() {
        b"NaN"
    } else if value.is_infinite() {
        if value > 0.0 { b"Infinity" } else { b"-Infinity" }
    } else if value == 0.0 {
        if value.is_sign_negative() { b"-0" } else { b"0" }
    } else {
        return false;
    };
    out.extend_from_slice(text);
    true
}

/// Ryu may yield digits that lie exactly half way to a neighbour, which read back only because ties go to
/// even; PostgreSQL does not use those. Yields the shortest digits strictly within half way, where that is so.
/// Only whole numbers beyond the mantissa's range can be affected, and none beyond 2^127.
fn strict_shortest(value: f64, previous: f64, next: f64, max_digits: usize, shortest: &str) -> Option<String> {
    let magnitude = value.abs();
    if next - magnitude < 2.0 || magnitude >= 2f64.powi(126) {
        return None;
    }
    let exact = magnitude as u128;
    let (above, below) = ((next as u128) - exact, exact - (previous as u128));
    // Twice the distance against the whole gap: less means within half way.
    let is_within = |digits: &str| -> Option<bool> {
        let decimal = whole_number(digits.trim_start_matches('-'))?;
        let (distance, gap) = if decimal >= exact { (decimal - exact, above) } else { (exact - decimal, below) };
        Some(distance * 2 < gap)
    };
    if is_within(shortest)? {
        return None;
    }
    (1..=max_digits).map(|digits| format!("{value:.*e}", digits - 1)).find(|text| is_within(text) == Some(true))
}

/// `d.ddde±x` as a whole number, if it is one that fits.
fn whole_number(text: &str) -> Option<u128> {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let shift = exponent.parse::<i32>().ok()? - fraction.len() as i32;
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    digits.checked_mul(10u128.checked_pow(u32::try_from(shift).ok()?)?)
}

/// Lays out ryu's digits as PostgreSQL does: plain if the first digit's exponent is in `-4..fixed_limit`,
/// else `d.ddde±XX`.
fn write_shortest(ryu: &str, fixed_limit: i32, out: &mut Vec<u8>) {
    let (mantissa, exponent) = match ryu.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().unwrap_or(0)),
        None => (ryu, 0),
    };
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = [0u8; 32];
    let mut length = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        digits[length] = byte;
        length += 1;
    }
    let leading_zeros = digits[..length].iter().take_while(|&&digit| digit == b'0').count();
    let mut significant = &digits[leading_zeros..length];
    while let [head @ .., b'0'] = significant {
        significant = head;
    }
    out.extend_from_slice(sign.as_bytes());
    let first_digit_exponent = exponent + whole.len() as i32 - 1 - leading_zeros as i32;
    write_digits(significant, first_digit_exponent, fixed_limit, out);
}

/// C's `%.{precision}g`.
fn write_general(value: f64, precision: i32, out: &mut Vec<u8>) {
    let formatted = format!("{:.*e}", (precision - 1) as usize, value);
    let (mantissa, exponent) = formatted.split_once('e').unwrap_or((&formatted, "0"));
    let mut digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    while digits.len() > 1 && digits.last() == Some(&b'0') {
        digits.pop();
    }
    if mantissa.starts_with('-') {
        out.push(b'-');
    }
    write_digits(&digits, exponent.parse().unwrap_or(0), precision, out);
}

fn write_digits(digits: &[u8], exponent: i32, fixed_limit: i32, out: &mut Vec<u8>) {
    if !(-4..fixed_limit).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        out.push(b'e');
        out.push(if exponent < 0 { b'-' } else { b'+' });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(exponent.unsigned_abs()).as_bytes());
    } else if exponent < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-exponent - 1) as usize));
        out.extend_from_slice(digits);
    } else {
        let whole = exponent as usize + 1;
        if digits.len() <= whole {
            out.extend_from_slice(digits);
            out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
        } else {
            out.extend_from_slice(&digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: f64, extra: i32) -> String {
        let mut out = Vec::new();
        write_float8(value, extra, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn output() {
        for (value, expected) in [
            (1.0, "1"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (1e15, "1e+15"),
            (123456789012345.0, "123456789012345"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e300, "1.5e+300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
            (100.0, "100"),
            (-12.25, "-12.25"),
            (1e23, "9.999999999999999e+22"),
            (890_167_867_563e6, "8.901678675630001e+17"),
        ] {
            assert_eq!(shown(value, 1), expected);
        }
        assert_eq!(shown(1.0 / 3.0, 0), "0.333333333333333");
        assert_eq!(shown(2.0 / 3.0, -10), "0.66667");
        assert_eq!(shown(123456.0, -14), "1e+05");
        let mut out = Vec::new();
        write_float4(1_000_000.0, 1, &mut out);
        write_float4(-38_308_032.0, 1, &mut out);
        assert_eq!(out, b"1e+06-3.8308032e+07");
    }

    #[test]
    fn input() {
        assert_eq!(parse_float8(" 1e2 ").unwrap(), 100.0);
        assert_eq!(parse_float8("-inf").unwrap(), f64::NEG_INFINITY);
        assert!(parse_float8("nan").unwrap().is_nan());
        assert_eq!(parse_float8("1e400").unwrap_err().message(), "\"1e400\" is out of range for type double precision");
        assert_eq!(parse_float4("1e-50").unwrap_err().message(), "\"1e-50\" is out of range for type real");
        for text in ["", "x", "1e", "1 2", ".", "infinit", "1_0"] {
            let message = format!("invalid input syntax for type double precision: \"{text}\"");
            assert_eq!(parse_float8(text).unwrap_err().message(), message);
        }
    }
}
