//! `numeric` (manual 8.1.2): the value type and its dynamic representation.
//!
//! | file | concern |
//! |---|---|
//! | `encoding.rs` | order-preserving bytes; text and binary output straight from them |
//! | `text.rs` | text and binary input, text output |
//! | `convert.rs` | from and to integers and floats |
//! | `arithmetic.rs` | + - * / %, rounding, type modifier, gcd, factorial |
//! | `transcendental.rs` | sqrt, exp, ln, log, power |
//! | `sum.rs` | accumulators of sum, avg, variance |
//!
//! A finite value is an integer mantissa and a decimal scale, and the scale is also PostgreSQL's display scale
//! (`dscale`): `1.50` is `(150, 2)`. Mantissas that fit an `i128` stay there; all others are a [`BigInt`].

mod arithmetic;
mod convert;
pub mod encoding;
mod sum;
mod text;
mod transcendental;

use std::borrow::Cow;
use std::cmp::Ordering;

use num_bigint::{BigInt, Sign};

pub use encoding::key;
pub use sum::{NumericMoments, NumericSum, sum_of_squares_variance};
pub use text::write_decimal;

use crate::error::{Error, Result};
use crate::sqlstate;

/// Largest display scale that a value can have.
pub const MAX_SCALE: u32 = 16383;

/// Largest number of digits before the decimal point.
pub const MAX_WHOLE_DIGITS: u64 = 131_072;

/// A numeric value. Equality of the enum is identity (`1.0` is not `1.00`); [`Numeric::compare`] is SQL's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Numeric {
    NegInfinity,
    /// A mantissa that fits an `i128`.
    Small {
        mantissa: i128,
        scale: u32,
    },
    /// A mantissa that does not.
    Big {
        mantissa: BigInt,
        scale: u32,
    },
    Infinity,
    NaN,
}

impl Numeric {
    pub const ZERO: Self = Self::Small { mantissa: 0, scale: 0 };
    pub const ONE: Self = Self::Small { mantissa: 1, scale: 0 };

    /// `mantissa / 10^scale`. Fails if that is beyond PostgreSQL's limits.
    pub fn from_big(mantissa: BigInt, scale: u32) -> Result<Self> {
        if let Ok(mantissa) = i128::try_from(&mantissa) {
            return Self::checked(mantissa, scale);
        }
        let digits = decimal_digits_at_least(&mantissa);
        let too_large = digits.saturating_sub(u64::from(scale)) > MAX_WHOLE_DIGITS && {
            count_digits(&mantissa).saturating_sub(u64::from(scale)) > MAX_WHOLE_DIGITS
        };
        if scale > MAX_SCALE || too_large {
            return Err(overflow());
        }
        Ok(Self::Big { mantissa, scale })
    }

    fn checked(mantissa: i128, scale: u32) -> Result<Self> {
        if scale > MAX_SCALE {
            return Err(overflow());
        }
        Ok(Self::Small { mantissa, scale })
    }

    /// As [`from_big`](Self::from_big) for what is known to be within the limits.
    fn normalized(mantissa: BigInt, scale: u32) -> Self {
        match i128::try_from(&mantissa) {
            Ok(mantissa) => Self::Small { mantissa, scale },
            Err(_) => Self::Big { mantissa, scale },
        }
    }

    /// Mantissa and scale of a finite value.
    pub fn parts(&self) -> Option<(Cow<'_, BigInt>, u32)> {
        match self {
            Self::Small { mantissa, scale } => Some((Cow::Owned(BigInt::from(*mantissa)), *scale)),
            Self::Big { mantissa, scale } => Some((Cow::Borrowed(mantissa), *scale)),
            _ => None,
        }
    }

    pub fn is_nan(&self) -> bool {
        matches!(self, Self::NaN)
    }

    pub fn is_infinite(&self) -> bool {
        matches!(self, Self::Infinity | Self::NegInfinity)
    }

    pub fn is_finite(&self) -> bool {
        matches!(self, Self::Small { .. } | Self::Big { .. })
    }

    pub fn is_zero(&self) -> bool {
        matches!(self, Self::Small { mantissa: 0, .. })
    }

    /// -1, 0 or 1; 0 for NaN.
    pub fn signum(&self) -> i32 {
        match self {
            Self::NegInfinity => -1,
            Self::Infinity => 1,
            Self::NaN => 0,
            Self::Small { mantissa, .. } => mantissa.signum() as i32,
            Self::Big { mantissa, .. } => {
                if mantissa.sign() == Sign::Minus {
                    -1
                } else {
                    1
                }
            }
        }
    }

    pub fn is_negative(&self) -> bool {
        self.signum() < 0
    }

    /// SQL's order: -Infinity < finite < Infinity < NaN, and NaN equals itself.
    pub fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Small { mantissa: a, scale: s }, Self::Small { mantissa: b, scale: t }) if s == t => a.cmp(b),
            _ => match (self.parts(), other.parts()) {
                (Some((a, s)), Some((b, t))) => compare_finite(&a, s, &b, t),
                _ => self.rank().cmp(&other.rank()),
            },
        }
    }

    fn rank(&self) -> i32 {
        match self {
            Self::NegInfinity => -1,
            Self::Small { .. } | Self::Big { .. } => 0,
            Self::Infinity => 1,
            Self::NaN => 2,
        }
    }

    /// The display scale: `scale(numeric)`. `None` for NaN and infinities.
    pub fn scale(&self) -> Option<u32> {
        match self {
            Self::Small { scale, .. } | Self::Big { scale, .. } => Some(*scale),
            _ => None,
        }
    }

    /// Position of the first digit in base 10000 and that digit, as PostgreSQL's stored form has them: its
    /// result scales depend on them. `(0, 0)` for zero.
    fn first_digit(&self) -> (i64, i64) {
        if let Self::Small { mantissa, scale } = self {
            return first_digit_of(mantissa.unsigned_abs(), *scale);
        }
        let Some((mantissa, scale)) = self.parts() else { return (0, 0) };
        if mantissa.sign() == Sign::NoSign {
            return (0, 0);
        }
        let exponent = count_digits(&mantissa) as i64 - 1 - i64::from(scale);
        let weight = exponent.div_euclid(4);
        let shift = 4 * weight + i64::from(scale);
        let digit = if shift >= 0 {
            mantissa.magnitude() / power_of_ten(shift as u32)
        } else {
            mantissa.magnitude() * power_of_ten((-shift) as u32)
        };
        (weight, i64::try_from(&digit).unwrap_or(i64::MAX))
    }
}

/// As [`Numeric::first_digit`], of `mantissa / 10^scale`.
fn first_digit_of(mantissa: u128, scale: u32) -> (i64, i64) {
    let Some(exponent) = mantissa.checked_ilog10() else { return (0, 0) };
    let weight = (i64::from(exponent) - i64::from(scale)).div_euclid(4);
    // How many of the mantissa's digits lie below the digit of base 10,000; fewer than none are made up for by zeros, three at most.
    let below = 4 * weight + i64::from(scale);
    let power = |digits: i64| 10u128.pow(digits.unsigned_abs() as u32);
    let digit = if below >= 0 { mantissa / power(below) } else { mantissa * power(below) };
    (weight, i64::try_from(digit).unwrap_or(i64::MAX))
}

/// Compares by sign, by the position of the first digit, and only then digit by digit.
fn compare_finite(a: &BigInt, s: u32, b: &BigInt, t: u32) -> Ordering {
    let by_sign = a.sign().cmp(&b.sign());
    if by_sign.is_ne() || a.sign() == Sign::NoSign {
        return by_sign;
    }
    let exponent = |mantissa: &BigInt, scale: u32| count_digits(mantissa) as i64 - i64::from(scale);
    let by_exponent = exponent(a, s).cmp(&exponent(b, t));
    if by_exponent.is_ne() {
        return if a.sign() == Sign::Minus { by_exponent.reverse() } else { by_exponent };
    }
    let common = s.max(t);
    scaled_up(a, common - s).cmp(&scaled_up(b, common - t))
}

/// `22003 value overflows numeric format`.
pub fn overflow() -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format")
}

/// `10^exponent` as a BigUint.
fn power_of_ten(exponent: u32) -> num_bigint::BigUint {
    num_bigint::BigUint::from(10u32).pow(exponent)
}

fn scaled_up(mantissa: &BigInt, digits: u32) -> Cow<'_, BigInt> {
    if digits == 0 { Cow::Borrowed(mantissa) } else { Cow::Owned(mantissa * BigInt::from(power_of_ten(digits))) }
}

/// `10^exponent` if it fits an `i128` (exponents up to 38).
pub fn small_power_of_ten(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// A lower bound of the number of decimal digits, from the number of bits.
fn decimal_digits_at_least(mantissa: &BigInt) -> u64 {
    (mantissa.bits().saturating_sub(1)) * 30_103 / 100_000
}

/// The number of decimal digits; 1 for zero.
fn count_digits(mantissa: &BigInt) -> u64 {
    if let Ok(small) = u128::try_from(mantissa.magnitude()) {
        return u64::from(small.checked_ilog10().unwrap_or(0)) + 1;
    }
    let estimate = decimal_digits_at_least(mantissa);
    let mut digits = estimate.max(1);
    let mut bound = power_of_ten(digits as u32);
    while *mantissa.magnitude() >= bound {
        bound *= 10u32;
        digits += 1;
    }
    digits
}

/// Quotient rounded half away from zero. The divisor is positive.
fn divide_rounded(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let quotient = dividend / divisor;
    let remainder = dividend - &quotient * divisor;
    if remainder.magnitude() * 2u32 >= *divisor.magnitude() {
        quotient + if dividend.sign() == Sign::Minus { -1 } else { 1 }
    } else {
        quotient
    }
}

#[cfg(test)]
mod tests;
