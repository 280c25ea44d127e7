//! The dynamic representation: bytes whose `memcmp` order is numeric order, then the display scale.
//!
//! ```text
//! tag | weight (only if the tag says so) | digits, 2 bytes each | terminator (negative only) | dscale, 2 bytes
//! ```
//!
//! Digits are base 10000, first one not zero, last one not zero, aligned at the decimal point: `weight` is the
//! position of the first (0 = units). Each is stored plus 0x4000, so that the bytes of a digit sort after
//! those of a display scale (at most 0x3FFF): even whole values, display scale included, sort numerically.
//! A negative value is the complement of its absolute value, and ends in 0xFF for the same reason.
//!
//! | tag | value |
//! |---|---|
//! | 0x00 | -Infinity |
//! | 0x02..=0x78 | negative: complement of the positive tag |
//! | 0x80 | zero |
//! | 0x87 | positive, two-byte weight (biased by 0x8000) below -56 |
//! | 0x88..=0xFC | positive, weight = tag - 0xC0 |
//! | 0xFD | positive, two-byte weight above 60 |
//! | 0xFE | Infinity |
//! | 0xFF | NaN |

use num_bigint::{BigInt, BigUint, Sign};

use super::{Numeric, power_of_ten};
use crate::error::{Error, Result};

const NEG_INFINITY: u8 = 0x00;
const ZERO: u8 = 0x80;
const SMALL_WEIGHT: u8 = 0x87;
const WEIGHT_ZERO: u8 = 0xC0;
const LARGE_WEIGHT: u8 = 0xFD;
const INFINITY: u8 = 0xFE;
const NAN: u8 = 0xFF;
const NEGATIVE_END: u8 = 0xFF;

/// Weights that the tag alone can say.
const TAG_WEIGHTS: std::ops::RangeInclusive<i32> = -56..=60;
const WEIGHT_BIAS: i32 = 0x8000;
const DIGIT_BIAS: u16 = 0x4000;
const SCALE_BYTES: usize = 2;

/// Base of a digit, and how many decimal digits it holds.
const BASE: u64 = 10_000;
pub const DIGIT_WIDTH: i32 = 4;

/// The bytes that equality, grouping and order use: all but the display scale.
pub fn key(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().saturating_sub(SCALE_BYTES)]
}

/// The length of the encoded value that these bytes begin with.
pub fn encoded_length(bytes: &[u8]) -> Option<usize> {
    let &tag = bytes.first()?;
    let negative = tag < ZERO && tag != NEG_INFINITY;
    let mut at = match if negative { !tag } else { tag } {
        SMALL_WEIGHT | LARGE_WEIGHT => 3,
        _ => 1,
    };
    if matches!(tag, NEG_INFINITY | ZERO | INFINITY | NAN) {
        return Some(1 + SCALE_BYTES);
    }
    if negative {
        // A complemented digit never begins with 0xFF.
        while *bytes.get(at)? != NEGATIVE_END {
            at += 2;
        }
        return Some(at + 1 + SCALE_BYTES);
    }
    while u16::from(*bytes.get(at)?) >= DIGIT_BIAS >> 8 {
        at += 2;
    }
    Some(at + SCALE_BYTES)
}

/// An encoded value taken apart without arithmetic.
#[derive(Debug, Clone, Copy)]
pub enum Encoded<'a> {
    NegInfinity,
    Finite(Digits<'a>),
    Infinity,
    NaN,
}

/// Base 10000 digits of a finite value, and where they stand.
#[derive(Debug, Clone, Copy)]
pub struct Digits<'a> {
    pub negative: bool,
    pub weight: i32,
    pub scale: u32,
    bytes: &'a [u8],
}

impl Digits<'_> {
    pub fn len(&self) -> usize {
        self.bytes.len() / 2
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The digit at an index; zero beyond the last.
    pub fn digit(&self, index: usize) -> u16 {
        let Some(&[high, low]) = self.bytes.get(2 * index..2 * index + 2).and_then(|pair| pair.first_chunk::<2>())
        else {
            return 0;
        };
        let stored = u16::from_be_bytes([high, low]);
        (if self.negative { !stored } else { stored }).wrapping_sub(DIGIT_BIAS)
    }

    /// The digit at a weight, counted from the decimal point.
    fn at_weight(&self, weight: i32) -> u16 {
        if weight > self.weight { 0 } else { self.digit((self.weight - weight) as usize) }
    }
}

/// Takes an encoded value apart. Fails on bytes that [`Numeric::to_bytes`] cannot have made.
pub fn decode(bytes: &[u8]) -> Result<Encoded<'_>> {
    decode_parts(bytes).ok_or_else(|| Error::internal("malformed numeric value"))
}

fn decode_parts(bytes: &[u8]) -> Option<Encoded<'_>> {
    let (body, scale) = bytes.split_last_chunk::<SCALE_BYTES>()?;
    let scale = u32::from(u16::from_be_bytes(*scale));
    let (&tag, rest) = body.split_first()?;
    let negative = tag < ZERO;
    let (tag, mut rest) = match tag {
        NEG_INFINITY => return Some(Encoded::NegInfinity),
        INFINITY => return Some(Encoded::Infinity),
        NAN => return Some(Encoded::NaN),
        ZERO => return Some(Encoded::Finite(Digits { negative: false, weight: 0, scale, bytes: &[] })),
        tag if negative => (!tag, rest.strip_suffix(&[NEGATIVE_END])?),
        tag => (tag, rest),
    };
    let weight = if tag == SMALL_WEIGHT || tag == LARGE_WEIGHT {
        let (stored, tail) = rest.split_first_chunk::<2>()?;
        rest = tail;
        let stored = u16::from_be_bytes(*stored);
        i32::from(if negative { !stored } else { stored }) - WEIGHT_BIAS
    } else {
        i32::from(tag) - i32::from(WEIGHT_ZERO)
    };
    let valid = !rest.is_empty() && rest.len().is_multiple_of(2);
    valid.then_some(Encoded::Finite(Digits { negative, weight, scale, bytes: rest }))
}

/// Appends the encoding of base 10000 digits (most significant first, no zeros at either end).
fn write_digits(negative: bool, weight: i32, digits: impl Iterator<Item = u16>, scale: u32, out: &mut Vec<u8>) {
    let flip = if negative { 0xFFFF } else { 0 };
    let tag_flip = flip as u8;
    if TAG_WEIGHTS.contains(&weight) {
        out.push((i32::from(WEIGHT_ZERO) + weight) as u8 ^ tag_flip);
    } else {
        let tag = if weight < 0 { SMALL_WEIGHT } else { LARGE_WEIGHT };
        out.push(tag ^ tag_flip);
        out.extend_from_slice(&((weight + WEIGHT_BIAS) as u16 ^ flip).to_be_bytes());
    }
    for digit in digits {
        out.extend_from_slice(&((digit + DIGIT_BIAS) ^ flip).to_be_bytes());
    }
    if negative {
        out.push(NEGATIVE_END);
    }
    out.extend_from_slice(&(scale as u16).to_be_bytes());
}

/// Digits of a mantissa that fits 128 bits once aligned: at most ten.
const SMALL_DIGITS: usize = 12;

/// Appends the encoding of `mantissa / 10^scale`; the path of nearly all values.
pub fn encode_small(mantissa: i128, scale: u32, out: &mut Vec<u8>) {
    if mantissa == 0 {
        out.push(ZERO);
        out.extend_from_slice(&(scale as u16).to_be_bytes());
        return;
    }
    let padding = scale.wrapping_neg() % DIGIT_WIDTH as u32;
    let Some(mut aligned) = mantissa.unsigned_abs().checked_mul(10u128.pow(padding)) else {
        return encode_big(&BigInt::from(mantissa), scale, out);
    };
    // Least significant digit first.
    let mut digits = [0u16; SMALL_DIGITS];
    let mut count = 0;
    const CHUNK: u128 = (BASE as u128).pow(4);
    while aligned > u128::from(u64::MAX) {
        let mut chunk = (aligned % CHUNK) as u64;
        aligned /= CHUNK;
        for digit in &mut digits[count..count + 4] {
            *digit = (chunk % BASE) as u16;
            chunk /= BASE;
        }
        count += 4;
    }
    let mut rest = aligned as u64;
    while rest > 0 {
        digits[count] = (rest % BASE) as u16;
        rest /= BASE;
        count += 1;
    }
    let fraction_digits = scale.div_ceil(DIGIT_WIDTH as u32) as i32;
    let zeros = digits[..count].iter().take_while(|&&digit| digit == 0).count();
    let significant = digits[zeros..count].iter().rev().copied();
    write_digits(mantissa < 0, count as i32 - 1 - fraction_digits, significant, scale, out);
}

fn encode_big(mantissa: &BigInt, scale: u32, out: &mut Vec<u8>) {
    let padding = scale.wrapping_neg() % DIGIT_WIDTH as u32;
    let aligned = mantissa.magnitude() * power_of_ten(padding);
    // Pairs of base 100 digits, least significant first.
    let pairs = aligned.to_radix_le(100);
    let digit = |pair: &[u8]| u16::from(pair[0]) + 100 * u16::from(pair.get(1).copied().unwrap_or(0));
    let count = pairs.len().div_ceil(2);
    let zeros = pairs.chunks(2).take_while(|pair| digit(pair) == 0).count();
    let fraction_digits = scale.div_ceil(DIGIT_WIDTH as u32) as i32;
    let significant = pairs.chunks(2).skip(zeros).rev().map(digit);
    write_digits(mantissa.sign() == Sign::Minus, count as i32 - 1 - fraction_digits, significant, scale, out);
}

impl Digits<'_> {
    /// Mantissa at the display scale if it is certain to fit an `i128`.
    pub fn small_mantissa(&self) -> Option<i128> {
        let count = self.len() as i32;
        let decimal_digits = DIGIT_WIDTH * (self.weight + 1) + self.scale as i32;
        if count > 9 || decimal_digits > 38 {
            return None;
        }
        let mut value = 0u128;
        for index in 0..self.len() {
            value = value * u128::from(BASE) + u128::from(self.digit(index));
        }
        let shift = DIGIT_WIDTH * (self.weight + 1 - count) + self.scale as i32;
        let magnitude = if shift >= 0 {
            // 10^38 at most: the first digit stands `decimal_digits` before the end.
            value.checked_mul(10u128.checked_pow(shift as u32)?)?
        } else {
            value / 10u128.checked_pow(shift.unsigned_abs())?
        };
        let mantissa = i128::try_from(magnitude).ok()?;
        Some(if self.negative { -mantissa } else { mantissa })
    }

    fn mantissa(&self) -> BigInt {
        let mut pairs = Vec::with_capacity(self.len() * 2);
        for index in 0..self.len() {
            let digit = self.digit(index);
            pairs.push((digit / 100).min(99) as u8);
            pairs.push((digit % 100) as u8);
        }
        let value = BigUint::from_radix_be(&pairs, 100).unwrap_or_default();
        let shift = DIGIT_WIDTH * (self.weight + 1 - self.len() as i32) + self.scale as i32;
        let magnitude =
            if shift >= 0 { value * power_of_ten(shift as u32) } else { value / power_of_ten(shift.unsigned_abs()) };
        BigInt::from_biguint(if self.negative { Sign::Minus } else { Sign::Plus }, magnitude)
    }
}

impl Numeric {
    /// Appends the dynamic representation.
    pub fn write_bytes(&self, out: &mut Vec<u8>) {
        match self {
            Self::NegInfinity => out.extend_from_slice(&[NEG_INFINITY, 0, 0]),
            Self::Infinity => out.extend_from_slice(&[INFINITY, 0, 0]),
            Self::NaN => out.extend_from_slice(&[NAN, 0, 0]),
            Self::Small { mantissa, scale } => encode_small(*mantissa, *scale, out),
            Self::Big { mantissa, scale } => encode_big(mantissa, *scale, out),
        }
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        self.write_bytes(&mut out);
        out
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        Ok(match decode(bytes)? {
            Encoded::NegInfinity => Self::NegInfinity,
            Encoded::Infinity => Self::Infinity,
            Encoded::NaN => Self::NaN,
            Encoded::Finite(digits) => match digits.small_mantissa() {
                Some(mantissa) => Self::Small { mantissa, scale: digits.scale },
                None => Self::normalized(digits.mantissa(), digits.scale),
            },
        })
    }
}

/// Text output straight from the encoded digits.
pub fn write_text(bytes: &[u8], out: &mut Vec<u8>) {
    match decode(bytes) {
        Ok(Encoded::NegInfinity) => out.extend_from_slice(b"-Infinity"),
        Ok(Encoded::Infinity) => out.extend_from_slice(b"Infinity"),
        Ok(Encoded::NaN) | Err(_) => out.extend_from_slice(b"NaN"),
        Ok(Encoded::Finite(digits)) => write_finite(&digits, out),
    }
}

fn write_finite(digits: &Digits<'_>, out: &mut Vec<u8>) {
    if digits.negative {
        out.push(b'-');
    }
    let whole_weight = digits.weight.max(0);
    out.extend_from_slice(itoa::Buffer::new().format(digits.at_weight(whole_weight)).as_bytes());
    for weight in (0..whole_weight).rev() {
        out.extend_from_slice(&decimal4(digits.at_weight(weight)));
    }
    if digits.scale == 0 {
        return;
    }
    out.push(b'.');
    let mut missing = digits.scale as usize;
    let mut weight = -1;
    while missing > 0 {
        let width = missing.min(DIGIT_WIDTH as usize);
        out.extend_from_slice(&decimal4(digits.at_weight(weight))[..width]);
        missing -= width;
        weight -= 1;
    }
}

fn decimal4(digit: u16) -> [u8; 4] {
    [digit / 1000, digit / 100 % 10, digit / 10 % 10, digit % 10].map(|decimal| b'0' + decimal as u8)
}

/// Sign words of the binary format.
pub(super) mod wire_sign {
    pub const POSITIVE: u16 = 0x0000;
    pub const NEGATIVE: u16 = 0x4000;
    pub const NAN: u16 = 0xC000;
    pub const INFINITY: u16 = 0xD000;
    pub const NEG_INFINITY: u16 = 0xF000;
}

/// Binary output: count, weight, sign, display scale, base 10000 digits.
pub fn write_binary(bytes: &[u8], out: &mut Vec<u8>) {
    let special = |sign: u16, out: &mut Vec<u8>| {
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&sign.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
    };
    match decode(bytes) {
        Ok(Encoded::NegInfinity) => special(wire_sign::NEG_INFINITY, out),
        Ok(Encoded::Infinity) => special(wire_sign::INFINITY, out),
        Ok(Encoded::NaN) | Err(_) => special(wire_sign::NAN, out),
        Ok(Encoded::Finite(digits)) => {
            let sign = if digits.negative { wire_sign::NEGATIVE } else { wire_sign::POSITIVE };
            out.extend_from_slice(&(digits.len() as u16).to_be_bytes());
            out.extend_from_slice(&(digits.weight as i16).to_be_bytes());
            out.extend_from_slice(&sign.to_be_bytes());
            out.extend_from_slice(&(digits.scale as u16).to_be_bytes());
            for index in 0..digits.len() {
                out.extend_from_slice(&digits.digit(index).to_be_bytes());
            }
        }
    }
}

/// Binary output of `mantissa / 10^scale`.
pub fn write_binary_decimal(mantissa: i128, scale: u32, out: &mut Vec<u8>) {
    // The longest small value: tag, two-byte weight, digits, terminator, scale.
    let mut encoded = Vec::with_capacity(4 + 2 * SMALL_DIGITS + SCALE_BYTES);
    encode_small(mantissa, scale, &mut encoded);
    write_binary(&encoded, out);
}
