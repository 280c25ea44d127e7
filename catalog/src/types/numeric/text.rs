//! Text input and output, binary input.

use num_bigint::{BigInt, BigUint, Sign};

use super::encoding::{DIGIT_WIDTH, wire_sign};
use super::{MAX_SCALE, MAX_WHOLE_DIGITS, Numeric, overflow, power_of_ten};
use crate::error::Result;
use crate::types::binary::{Reader, invalid_binary};
use crate::types::text::{invalid_input, is_space, trim};

/// Exponents beyond this are no number to PostgreSQL (`INT_MAX / 2`).
const MAX_EXPONENT: i64 = 1_073_741_823;

impl Numeric {
    /// Text input, without a type modifier.
    pub fn parse(text: &str) -> Result<Self> {
        let number = trim(text);
        let (negative, unsigned) = match number.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        match unsigned.first() {
            Some(b'0'..=b'9' | b'.') => {
                let decimal = scan(unsigned).ok_or_else(|| invalid_input("numeric", text))?;
                decimal.value(negative)
            }
            _ if unsigned.eq_ignore_ascii_case(b"nan") && unsigned.len() == number.len() => Ok(Self::NaN),
            _ if unsigned.eq_ignore_ascii_case(b"infinity") || unsigned.eq_ignore_ascii_case(b"inf") => {
                Ok(if negative { Self::NegInfinity } else { Self::Infinity })
            }
            _ => Err(invalid_input("numeric", text)),
        }
    }

    /// Binary input, without a type modifier.
    pub fn from_binary(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let count = reader.u16()?;
        let weight = i64::from(reader.i16()?);
        let sign = reader.u16()?;
        let scale = u32::from(reader.u16()?);
        let negative = match sign {
            wire_sign::POSITIVE => false,
            wire_sign::NEGATIVE => true,
            wire_sign::NAN => return Ok(Self::NaN),
            wire_sign::INFINITY => return Ok(Self::Infinity),
            wire_sign::NEG_INFINITY => return Ok(Self::NegInfinity),
            _ => return Err(invalid_binary("invalid sign in external \"numeric\" value")),
        };
        if scale > MAX_SCALE {
            return Err(invalid_binary("invalid scale in external \"numeric\" value"));
        }
        let mut pairs = Vec::with_capacity(usize::from(count).min(bytes.len()) * 2);
        for _ in 0..count {
            let digit = reader.u16()?;
            if digit >= 10_000 {
                return Err(invalid_binary("invalid digit in external \"numeric\" value"));
            }
            pairs.extend_from_slice(&[(digit / 100) as u8, (digit % 100) as u8]);
        }
        reader.finish()?;
        let magnitude = BigUint::from_radix_be(&pairs, 100).unwrap_or_default();
        // Digits beyond the display scale are cut off, as PostgreSQL does.
        let shift = i64::from(DIGIT_WIDTH) * (weight + 1 - i64::from(count)) + i64::from(scale);
        let mantissa = if shift >= 0 {
            magnitude * power_of_ten(shift as u32)
        } else {
            magnitude / power_of_ten(shift.unsigned_abs() as u32)
        };
        Self::from_big(BigInt::from_biguint(if negative { Sign::Minus } else { Sign::Plus }, mantissa), scale)
    }

    /// Appends the text output.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Self::NegInfinity => out.extend_from_slice(b"-Infinity"),
            Self::Infinity => out.extend_from_slice(b"Infinity"),
            Self::NaN => out.extend_from_slice(b"NaN"),
            Self::Small { mantissa, scale } => write_decimal(*mantissa, *scale, out),
            Self::Big { mantissa, scale } => {
                let digits = mantissa.magnitude().to_string();
                write_mantissa(mantissa.sign() == Sign::Minus, digits.as_bytes(), *scale, out);
            }
        }
    }
}

impl std::fmt::Display for Numeric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = Vec::new();
        self.write_text(&mut out);
        f.write_str(&String::from_utf8_lossy(&out))
    }
}

/// Text of `mantissa / 10^scale`.
pub fn write_decimal(mantissa: i128, scale: u32, out: &mut Vec<u8>) {
    let mut buffer = itoa::Buffer::new();
    let magnitude = mantissa.unsigned_abs();
    let digits = match u64::try_from(magnitude) {
        Ok(small) => buffer.format(small),
        Err(_) => buffer.format(magnitude),
    };
    write_mantissa(mantissa < 0, digits.as_bytes(), scale, out);
}

fn write_mantissa(negative: bool, digits: &[u8], scale: u32, out: &mut Vec<u8>) {
    let scale = scale as usize;
    if negative {
        out.push(b'-');
    }
    if scale == 0 {
        out.extend_from_slice(digits);
        return;
    }
    match digits.len().checked_sub(scale) {
        Some(whole) if whole > 0 => {
            out.extend_from_slice(&digits[..whole]);
            out.push(b'.');
            out.extend_from_slice(&digits[whole..]);
        }
        _ => {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', scale - digits.len()));
            out.extend_from_slice(digits);
        }
    }
}

/// An unsigned decimal literal.
struct Decimal<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

fn split_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().take_while(|byte| byte.is_ascii_digit()).count())
}

fn scan(bytes: &[u8]) -> Option<Decimal<'_>> {
    let (whole, rest) = split_digits(bytes);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => split_digits(rest),
        _ => (&[][..], rest),
    };
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let (exponent, rest) = match rest {
        [b'e' | b'E', rest @ ..] => {
            let (negative, rest) = match rest {
                [b'-', rest @ ..] => (true, rest),
                [b'+', rest @ ..] => (false, rest),
                _ => (false, rest),
            };
            let (digits, rest) = split_digits(rest);
            if digits.is_empty() {
                return None;
            }
            let exponent = digits.iter().try_fold(0i64, |value, digit| {
                Some(value * 10 + i64::from(digit - b'0')).filter(|&value| value < MAX_EXPONENT)
            })?;
            (if negative { -exponent } else { exponent }, rest)
        }
        _ => (0, rest),
    };
    rest.iter().copied().all(is_space).then_some(Decimal { whole, fraction, exponent })
}

impl Decimal<'_> {
    fn value(&self, negative: bool) -> Result<Numeric> {
        let scale = (self.fraction.len() as i64 - self.exponent).max(0);
        let scale = u32::try_from(scale).ok().filter(|&scale| scale <= MAX_SCALE).ok_or_else(overflow)?;
        // The mantissa at the display scale has this many zeros after the digits written.
        let zeros = i64::from(scale) - self.fraction.len() as i64 + self.exponent;
        let zeros = u32::try_from(zeros).map_err(|_| overflow())?;
        let digits = || self.whole.iter().chain(self.fraction).skip_while(|&&digit| digit == b'0');
        let count = digits().count() as u64;
        if count == 0 {
            return Ok(Numeric::Small { mantissa: 0, scale });
        }
        if (count + u64::from(zeros)).saturating_sub(u64::from(scale)) > MAX_WHOLE_DIGITS {
            return Err(overflow());
        }
        if count + u64::from(zeros) <= 38 {
            let magnitude = digits().fold(0i128, |value, digit| value * 10 + i128::from(digit - b'0'));
            let mantissa = magnitude * 10i128.pow(zeros);
            return Ok(Numeric::Small { mantissa: if negative { -mantissa } else { mantissa }, scale });
        }
        let decimal: Vec<u8> = digits().map(|digit| digit - b'0').collect();
        let magnitude = BigUint::from_radix_be(&decimal, 10).unwrap_or_default() * power_of_ten(zeros);
        Numeric::from_big(BigInt::from_biguint(if negative { Sign::Minus } else { Sign::Plus }, magnitude), scale)
    }
}
