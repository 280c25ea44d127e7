//! Operators and rounding, with PostgreSQL's result scales.

use num_bigint::{BigInt, Sign};
use num_traits::{Signed, Zero};

use super::{MAX_SCALE, Numeric, count_digits, divide_rounded, overflow, power_of_ten, scaled_up, small_power_of_ten};
use crate::error::{Error, Result};
use crate::sqlstate;

/// Significant digits that a division yields at least (`NUMERIC_MIN_SIG_DIGITS`).
pub(super) const MIN_SIGNIFICANT_DIGITS: i64 = 16;
/// Largest scale that a division or function chooses (`NUMERIC_MAX_DISPLAY_SCALE`).
pub(super) const MAX_DISPLAY_SCALE: i64 = 1000;
/// Digits that `round` and `trunc` look at: beyond these nothing changes, or nothing is left.
const MAX_ROUNDED: i32 = 16_383;
const MIN_ROUNDED: i32 = -131_073;

pub(super) fn division_by_zero() -> Error {
    Error::new(sqlstate::DIVISION_BY_ZERO, "division by zero")
}

impl Numeric {
    pub fn add(&self, other: &Self) -> Result<Self> {
        if let (Self::Small { mantissa: a, scale: s }, Self::Small { mantissa: b, scale: t }) = (self, other)
            && let Some((a, b, scale)) = align(*a, *s, *b, *t)
            && let Some(mantissa) = a.checked_add(b)
        {
            return Ok(Self::Small { mantissa, scale });
        }
        match (self.parts(), other.parts()) {
            (Some((a, s)), Some((b, t))) => {
                let scale = s.max(t);
                Self::from_big(&*scaled_up(&a, scale - s) + &*scaled_up(&b, scale - t), scale)
            }
            _ => Ok(match (self, other) {
                (Self::NaN, _) | (_, Self::NaN) => Self::NaN,
                (Self::Infinity, Self::NegInfinity) | (Self::NegInfinity, Self::Infinity) => Self::NaN,
                (Self::Infinity | Self::NegInfinity, _) => self.clone(),
                _ => other.clone(),
            }),
        }
    }

    pub fn sub(&self, other: &Self) -> Result<Self> {
        self.add(&other.neg())
    }

    pub fn mul(&self, other: &Self) -> Result<Self> {
        if let (Self::Small { mantissa: a, scale: s }, Self::Small { mantissa: b, scale: t }) = (self, other)
            && s + t <= MAX_SCALE
            && let Some(mantissa) = a.checked_mul(*b)
        {
            return Ok(Self::Small { mantissa, scale: s + t });
        }
        match (self.parts(), other.parts()) {
            (Some((a, s)), Some((b, t))) => {
                let product = &*a * &*b;
                let excess = (s + t).saturating_sub(MAX_SCALE);
                if excess == 0 {
                    return Self::from_big(product, s + t);
                }
                Self::from_big(divide_rounded(&product, &BigInt::from(power_of_ten(excess))), MAX_SCALE)
            }
            _ => Ok(self.signed_infinity(other)),
        }
    }

    /// The product where at least one side is not finite.
    fn signed_infinity(&self, other: &Self) -> Self {
        if self.is_nan() || other.is_nan() {
            return Self::NaN;
        }
        match self.signum() * other.signum() {
            0 => Self::NaN,
            sign if sign > 0 => Self::Infinity,
            _ => Self::NegInfinity,
        }
    }

    pub fn div(&self, other: &Self) -> Result<Self> {
        match self.special_quotient(other)? {
            Some(special) => Ok(special),
            None => self.div_to_scale(other, self.quotient_scale(other)),
        }
    }

    /// The integral quotient, cut towards zero: SQL's `div(a, b)`.
    pub fn div_trunc(&self, other: &Self) -> Result<Self> {
        if let Some(special) = self.special_quotient(other)? {
            return Ok(special);
        }
        let (Some((a, s)), Some((b, t))) = (self.parts(), other.parts()) else { return Ok(Self::NaN) };
        let scale = s.max(t);
        Self::from_big(&*scaled_up(&a, scale - s) / &*scaled_up(&b, scale - t), 0)
    }

    pub fn rem(&self, other: &Self) -> Result<Self> {
        if self.is_nan() || other.is_nan() {
            return Ok(Self::NaN);
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        if let (Self::Small { mantissa: a, scale: s }, Self::Small { mantissa: b, scale: t }) = (self, other)
            && let Some((a, b, scale)) = align(*a, *s, *b, *t)
        {
            return Ok(Self::Small { mantissa: a.wrapping_rem(b), scale });
        }
        match (self.parts(), other.parts()) {
            (Some((a, s)), Some((b, t))) => {
                let scale = s.max(t);
                Self::from_big(&*scaled_up(&a, scale - s) % &*scaled_up(&b, scale - t), scale)
            }
            (None, _) => Ok(Self::NaN),
            (Some(_), None) => Ok(self.clone()),
        }
    }

    /// Quotients that need no division; fails for a zero divisor.
    fn special_quotient(&self, other: &Self) -> Result<Option<Self>> {
        if self.is_nan() || other.is_nan() {
            return Ok(Some(Self::NaN));
        }
        if other.is_zero() {
            return Err(division_by_zero());
        }
        Ok(match (self.is_infinite(), other.is_infinite()) {
            (true, true) => Some(Self::NaN),
            (true, false) => Some(self.signed_infinity(other)),
            (false, true) => Some(Self::ZERO),
            (false, false) => None,
        })
    }

    /// PostgreSQL's `select_div_scale`.
    pub(super) fn quotient_scale(&self, other: &Self) -> u32 {
        let (weight, digit) = self.first_digit();
        let (other_weight, other_digit) = other.first_digit();
        let mut quotient_weight = weight - other_weight;
        if digit <= other_digit {
            quotient_weight -= 1;
        }
        let scale = MIN_SIGNIFICANT_DIGITS - quotient_weight * 4;
        let shown = i64::from(self.scale().unwrap_or(0).max(other.scale().unwrap_or(0)));
        scale.max(shown).clamp(0, MAX_DISPLAY_SCALE) as u32
    }

    /// The quotient rounded to a scale. The divisor is not zero.
    pub(super) fn div_to_scale(&self, other: &Self, scale: u32) -> Result<Self> {
        if let (Self::Small { mantissa: a, scale: s }, Self::Small { mantissa: b, scale: t }) = (self, other)
            && let Some(quotient) = small_quotient(*a, *s, *b, *t, scale)
        {
            return Ok(Self::Small { mantissa: quotient, scale });
        }
        let (Some((a, s)), Some((b, t))) = (self.parts(), other.parts()) else { return Ok(Self::NaN) };
        // a/10^s / (b/10^t) * 10^scale = a * 10^(scale + t - s) / b
        let shift = i64::from(scale) + i64::from(t) - i64::from(s);
        let (dividend, divisor) = if shift >= 0 {
            (scaled_up(&a, shift as u32), b)
        } else {
            (a, std::borrow::Cow::Owned(&*b * BigInt::from(power_of_ten(shift.unsigned_abs() as u32))))
        };
        let quotient = if divisor.is_negative() {
            divide_rounded(&-&*dividend, &-&*divisor)
        } else {
            divide_rounded(&dividend, &divisor)
        };
        Self::from_big(quotient, scale)
    }

    pub fn neg(&self) -> Self {
        match self {
            Self::NegInfinity => Self::Infinity,
            Self::Infinity => Self::NegInfinity,
            Self::NaN => Self::NaN,
            Self::Small { mantissa, scale } => match mantissa.checked_neg() {
                Some(mantissa) => Self::Small { mantissa, scale: *scale },
                None => Self::Big { mantissa: -BigInt::from(*mantissa), scale: *scale },
            },
            Self::Big { mantissa, scale } => Self::normalized(-mantissa, *scale),
        }
    }

    pub fn abs(&self) -> Self {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// `sign(numeric)`: -1, 0, 1, or NaN.
    pub fn sign(&self) -> Self {
        if self.is_nan() { Self::NaN } else { Self::from(self.signum()) }
    }

    /// The value with another display scale: rounded half away from zero, or padded with zeros.
    pub fn rescale(&self, scale: u32) -> Self {
        let Some(own) = self.scale() else { return self.clone() };
        if own == scale {
            return self.clone();
        }
        if let Self::Small { mantissa, .. } = self {
            if own < scale {
                if let Some(mantissa) = small_power_of_ten(scale - own).and_then(|factor| mantissa.checked_mul(factor))
                {
                    return Self::Small { mantissa, scale };
                }
            } else if let Some(divisor) = small_power_of_ten(own - scale) {
                return Self::Small { mantissa: divide_small(*mantissa, divisor), scale };
            }
        }
        let Some((mantissa, _)) = self.parts() else { return self.clone() };
        if own < scale {
            return Self::normalized(scaled_up(&mantissa, scale - own).into_owned(), scale);
        }
        Self::normalized(divide_rounded(&mantissa, &BigInt::from(power_of_ten(own - scale))), scale)
    }

    /// `round(numeric, digits)`; negative digits round before the decimal point.
    pub fn round(&self, digits: i32) -> Result<Self> {
        let digits = digits.clamp(MIN_ROUNDED, MAX_ROUNDED);
        match u32::try_from(digits) {
            Ok(scale) => Ok(self.rescale(scale)),
            Err(_) => self.round_whole(digits.unsigned_abs(), true),
        }
    }

    /// `trunc(numeric, digits)`.
    pub fn trunc(&self, digits: i32) -> Result<Self> {
        let digits = digits.clamp(MIN_ROUNDED, MAX_ROUNDED);
        let Some(own) = self.scale() else { return Ok(self.clone()) };
        match u32::try_from(digits) {
            Err(_) => self.round_whole(digits.unsigned_abs(), false),
            Ok(scale) if scale >= own => Ok(self.rescale(scale)),
            Ok(scale) => {
                let Some((mantissa, _)) = self.parts() else { return Ok(self.clone()) };
                Ok(Self::normalized(&*mantissa / BigInt::from(power_of_ten(own - scale)), scale))
            }
        }
    }

    /// Rounds or cuts to a multiple of `10^zeros`.
    fn round_whole(&self, zeros: u32, nearest: bool) -> Result<Self> {
        let Some((mantissa, scale)) = self.parts() else { return Ok(self.clone()) };
        let unit = BigInt::from(power_of_ten(zeros));
        let divisor = BigInt::from(power_of_ten(zeros + scale));
        let quotient = if nearest { divide_rounded(&mantissa, &divisor) } else { &*mantissa / divisor };
        Self::from_big(quotient * unit, 0)
    }

    pub fn ceil(&self) -> Result<Self> {
        self.toward(1)
    }

    pub fn floor(&self) -> Result<Self> {
        self.toward(-1)
    }

    /// The integer next to the value on the side of the given sign.
    fn toward(&self, side: i32) -> Result<Self> {
        let whole = self.trunc(0)?;
        if !self.is_finite() || self.signum() != side || whole.compare(self).is_eq() {
            return Ok(whole);
        }
        whole.add(&Self::from(side))
    }

    /// The smallest scale that shows the value exactly.
    pub fn min_scale(&self) -> Option<u32> {
        match self.trim_scale() {
            Self::Small { scale, .. } | Self::Big { scale, .. } => Some(scale),
            _ => None,
        }
    }

    /// The value without trailing zeros of its fraction.
    pub fn trim_scale(&self) -> Self {
        match self {
            Self::Small { mantissa, scale } => {
                let (mut mantissa, mut scale) = (*mantissa, *scale);
                while scale > 0 && mantissa % 10 == 0 {
                    mantissa /= 10;
                    scale -= 1;
                }
                Self::Small { mantissa, scale }
            }
            Self::Big { mantissa, scale } => {
                let digits = mantissa.magnitude().to_radix_le(10);
                let zeros = digits.iter().take_while(|&&digit| digit == 0).count() as u32;
                let zeros = zeros.min(*scale);
                Self::normalized(mantissa / BigInt::from(power_of_ten(zeros)), scale - zeros)
            }
            _ => self.clone(),
        }
    }

    /// Rounds to `numeric(precision, scale)` or fails with `22003`.
    pub fn apply_typmod(&self, precision: i32, scale: i32) -> Result<Self> {
        let rounded = match self {
            Self::NaN => return Ok(Self::NaN),
            Self::Infinity | Self::NegInfinity => {
                return Err(field_overflow(format!(
                    "A field with precision {precision}, scale {scale} cannot hold an infinite value."
                )));
            }
            _ => match u32::try_from(scale) {
                Ok(scale) => self.rescale(scale),
                Err(_) => self.round_whole(scale.unsigned_abs(), true)?,
            },
        };
        let whole_digits = precision - scale;
        let fits = match &rounded {
            Self::Small { mantissa, scale: own } => match u32::try_from(whole_digits + *own as i32) {
                Ok(digits) => {
                    small_power_of_ten(digits).is_none_or(|limit| mantissa.unsigned_abs() < limit.unsigned_abs())
                }
                Err(_) => *mantissa == 0,
            },
            Self::Big { mantissa, scale: own } => {
                count_digits(mantissa) as i64 - i64::from(*own) <= i64::from(whole_digits)
            }
            _ => false,
        };
        if fits {
            return Ok(rounded);
        }
        let limit = if whole_digits == 0 { "1".to_owned() } else { format!("10^{whole_digits}") };
        Err(field_overflow(format!(
            "A field with precision {precision}, scale {scale} must round to an absolute value less than {limit}."
        )))
    }

    /// `gcd(numeric, numeric)`.
    pub fn gcd(&self, other: &Self) -> Result<Self> {
        let (Some((a, s)), Some((b, t))) = (self.parts(), other.parts()) else { return Ok(Self::NaN) };
        let scale = s.max(t);
        Self::from_big(euclid(scaled_up(&a, scale - s).abs(), scaled_up(&b, scale - t).abs()), scale)
    }

    /// `lcm(numeric, numeric)`.
    pub fn lcm(&self, other: &Self) -> Result<Self> {
        let (Some((a, s)), Some((b, t))) = (self.parts(), other.parts()) else { return Ok(Self::NaN) };
        let scale = s.max(t);
        if a.is_zero() || b.is_zero() {
            return Ok(Self::Small { mantissa: 0, scale });
        }
        let (a, b) = (scaled_up(&a, scale - s).abs(), scaled_up(&b, scale - t).abs());
        Self::from_big(&a / euclid(a.clone(), b.clone()) * b, scale)
    }

    /// `factorial(bigint)`.
    pub fn factorial(n: i64) -> Result<Self> {
        if n < 0 {
            return Err(Error::new(
                sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
                "factorial of a negative number is undefined",
            ));
        }
        // 32177! has 131,072 digits less one; beyond it the result cannot be represented.
        if n > 32_177 {
            return Err(overflow());
        }
        let mut product = BigInt::from(1);
        for factor in 2..=n {
            product *= factor;
        }
        Self::from_big(product, 0)
    }
}

fn field_overflow(detail: String) -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow").with_detail(detail)
}

fn euclid(mut a: BigInt, mut b: BigInt) -> BigInt {
    while b.sign() != Sign::NoSign {
        (a, b) = (b.clone(), a % b);
    }
    a
}

/// Both mantissas at the larger scale, if they fit.
fn align(a: i128, s: u32, b: i128, t: u32) -> Option<(i128, i128, u32)> {
    if s == t {
        return Some((a, b, s));
    }
    if s < t {
        Some((a.checked_mul(small_power_of_ten(t - s)?)?, b, t))
    } else {
        Some((a, b.checked_mul(small_power_of_ten(s - t)?)?, s))
    }
}

fn small_quotient(a: i128, s: u32, b: i128, t: u32, scale: u32) -> Option<i128> {
    let shift = i64::from(scale) + i64::from(t) - i64::from(s);
    let factor = small_power_of_ten(u32::try_from(shift.unsigned_abs()).ok()?)?;
    let (dividend, divisor) = if shift >= 0 { (a.checked_mul(factor)?, b) } else { (a, b.checked_mul(factor)?) };
    let quotient = dividend.checked_div(divisor)?;
    let remainder = dividend.checked_rem(divisor)?;
    let away = remainder.unsigned_abs() >= divisor.unsigned_abs() - remainder.unsigned_abs();
    if !away {
        return Some(quotient);
    }
    Some(if (dividend < 0) == (divisor < 0) { quotient + 1 } else { quotient - 1 })
}

/// Rounded half away from zero; the divisor is positive.
fn divide_small(dividend: i128, divisor: i128) -> i128 {
    let quotient = dividend / divisor;
    let remainder = (dividend % divisor).unsigned_abs();
    if remainder >= divisor.unsigned_abs() - remainder { quotient + dividend.signum() } else { quotient }
}
