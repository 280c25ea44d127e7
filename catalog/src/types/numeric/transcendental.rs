//! Roots, exponentials, logarithms and powers. Result scales are PostgreSQL's; digits are rounded correctly,
//! which PostgreSQL's own series come to within their last digit.
//!
//! Computation is in fixed point: a [`BigInt`] that stands for `value * 10^digits`.

use std::f64::consts::{LN_10, LOG10_E};

use num_bigint::BigInt;
use num_traits::{One, Signed, ToPrimitive, Zero};

use super::arithmetic::{MAX_DISPLAY_SCALE, MIN_SIGNIFICANT_DIGITS, division_by_zero};
use super::{Numeric, count_digits, divide_rounded, overflow, power_of_ten};
use crate::error::{Error, Result};
use crate::sqlstate;

/// `exp` fails beyond this (three times PostgreSQL's `NUMERIC_MAX_RESULT_SCALE`).
const MAX_EXPONENT: f64 = 6000.0;
/// Digits computed beyond those shown.
const GUARD_DIGITS: i64 = 16;

fn power_error(message: &str) -> Error {
    Error::new(sqlstate::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

/// A chosen result scale, between what the operands show and the maximum.
fn display_scale(wanted: i64, operands: &[&Numeric]) -> u32 {
    let shown = operands.iter().filter_map(|operand| operand.scale()).max().unwrap_or(0);
    wanted.max(i64::from(shown)).clamp(0, MAX_DISPLAY_SCALE) as u32
}

impl Numeric {
    pub fn sqrt(&self) -> Result<Self> {
        match self {
            Self::NaN | Self::Infinity => return Ok(self.clone()),
            _ if self.is_negative() => {
                return Err(power_error("cannot take square root of a negative number"));
            }
            _ => {}
        }
        let (weight, _) = self.first_digit();
        let whole_digits = weight * 2 + 1;
        Ok(self.sqrt_to_scale(display_scale(MIN_SIGNIFICANT_DIGITS - whole_digits, &[self])))
    }

    /// The root of a finite value that is not negative.
    pub(super) fn sqrt_to_scale(&self, scale: u32) -> Self {
        let Some((mantissa, own)) = self.parts() else { return self.clone() };
        // sqrt(m / 10^s) * 10^scale = sqrt(m * 10^(2 scale - s)), with one more digit to round by.
        let shift = 2 * (i64::from(scale) + 1) - i64::from(own);
        let radicand = if shift >= 0 {
            mantissa.magnitude() * power_of_ten(shift as u32)
        } else {
            mantissa.magnitude() / power_of_ten(shift.unsigned_abs() as u32)
        };
        let root = BigInt::from(radicand.sqrt());
        Self::normalized(divide_rounded(&root, &BigInt::from(10)), scale)
    }

    pub fn exp(&self) -> Result<Self> {
        match self {
            Self::NaN | Self::Infinity => return Ok(self.clone()),
            Self::NegInfinity => return Ok(Self::ZERO),
            _ => {}
        }
        let digits = (self.to_f64() * LOG10_E).clamp(-2000.0, 2000.0) as i64;
        self.exp_to_scale(display_scale(MIN_SIGNIFICANT_DIGITS - digits, &[self]))
    }

    fn exp_to_scale(&self, scale: u32) -> Result<Self> {
        let estimate = self.to_f64();
        if estimate.abs() >= MAX_EXPONENT {
            return if estimate > 0.0 { Err(overflow()) } else { Ok(Self::Small { mantissa: 0, scale }) };
        }
        let whole_digits = ((estimate * LOG10_E) as i64).max(0);
        let digits = (i64::from(scale) + whole_digits + GUARD_DIGITS) as u32;
        let power = fixed_exp(&self.fixed(digits), digits);
        Self::from_big(shown(&power, digits, scale), scale)
    }

    pub fn ln(&self) -> Result<Self> {
        if let Some(special) = self.special_logarithm()? {
            return Ok(special);
        }
        let scale = display_scale(MIN_SIGNIFICANT_DIGITS - self.ln_weight(), &[self]);
        Ok(self.ln_to_scale(scale))
    }

    /// `log(numeric)`, base 10.
    pub fn log10(&self) -> Result<Self> {
        Self::from(10).log(self)
    }

    /// `log(base, value)` with `self` as the base.
    pub fn log(&self, value: &Self) -> Result<Self> {
        if self.is_nan() || value.is_nan() {
            return Ok(Self::NaN);
        }
        let base_special = self.special_logarithm()?;
        let value_special = value.special_logarithm()?;
        match (base_special, value_special) {
            (Some(_), Some(_)) => return Ok(Self::NaN),
            (Some(_), None) => return Ok(Self::ZERO),
            (None, Some(infinity)) => return Ok(infinity),
            (None, None) => {}
        }
        let base_weight = self.ln_weight();
        let value_weight = value.ln_weight();
        let weight = value_weight - base_weight;
        let scale = display_scale(MIN_SIGNIFICANT_DIGITS - weight, &[self, value]);
        let digits = |ln_weight: i64| (i64::from(scale) + weight - ln_weight + GUARD_DIGITS).max(0) as u32;
        let base_ln = self.ln_to_scale(digits(base_weight));
        if base_ln.is_zero() {
            return Err(division_by_zero());
        }
        value.ln_to_scale(digits(value_weight)).div_to_scale(&base_ln, scale)
    }

    /// NaN and infinity, which are their own logarithms; fails for zero and below.
    fn special_logarithm(&self) -> Result<Option<Self>> {
        let invalid = |message: &str| Err(Error::new(sqlstate::INVALID_ARGUMENT_FOR_LOG, message));
        match self {
            Self::NaN | Self::Infinity => Ok(Some(self.clone())),
            _ if self.is_negative() => invalid("cannot take logarithm of a negative number"),
            _ if self.is_zero() => invalid("cannot take logarithm of zero"),
            _ => Ok(None),
        }
    }

    /// PostgreSQL's `estimate_ln_dweight`: the decimal weight of the natural logarithm.
    fn ln_weight(&self) -> i64 {
        let near_one = |tenths: i128| self.compare(&Self::Small { mantissa: tenths, scale: 1 });
        if self.signum() <= 0 {
            return 0;
        }
        if near_one(9).is_ge() && near_one(11).is_le() {
            let Ok(difference) = self.sub(&Self::ONE) else { return 0 };
            let (weight, digit) = difference.abs().first_digit();
            return if digit == 0 { 0 } else { weight * 4 + (digit as f64).log10() as i64 };
        }
        let Some((mantissa, scale)) = self.parts() else { return 0 };
        let (weight, first) = self.first_digit();
        // Two base 10000 digits if there are as many.
        let trimmed = self.trim_scale();
        let lowest = if trimmed.scale().unwrap_or(0) > 0 {
            -(i64::from(trimmed.scale().unwrap_or(0)) + 3) / 4
        } else {
            let zeros = mantissa.magnitude().to_radix_le(10).iter().take_while(|&&digit| digit == 0).count() as i64;
            (zeros - i64::from(scale)).max(0) / 4
        };
        let (digits, exponent) = if lowest < weight {
            let shift = 4 * (weight - 1) + i64::from(scale);
            let two = if shift >= 0 {
                mantissa.magnitude() / power_of_ten(shift as u32)
            } else {
                mantissa.magnitude() * power_of_ten(shift.unsigned_abs() as u32)
            };
            (two.to_f64().unwrap_or(1.0), (weight - 1) * 4)
        } else {
            (first as f64, weight * 4)
        };
        let ln = digits.ln() + exponent as f64 * LN_10;
        ln.abs().log10() as i64
    }

    /// The natural logarithm of a positive finite value.
    fn ln_to_scale(&self, scale: u32) -> Self {
        let digits = scale + GUARD_DIGITS as u32;
        let Some((mantissa, own)) = self.parts() else { return self.clone() };
        Self::normalized(shown(&fixed_ln(&mantissa, own, digits), digits, scale), scale)
    }

    /// The value in fixed point.
    fn fixed(&self, digits: u32) -> BigInt {
        let Some((mantissa, scale)) = self.parts() else { return BigInt::zero() };
        if digits >= scale {
            &*mantissa * BigInt::from(power_of_ten(digits - scale))
        } else {
            divide_rounded(&mantissa, &BigInt::from(power_of_ten(scale - digits)))
        }
    }

    pub fn power(&self, exponent: &Self) -> Result<Self> {
        if let Some(special) = self.special_power(exponent)? {
            return Ok(special);
        }
        let integral = exponent.is_integral();
        if integral && let Some(exponent) = exponent.rounded_i128().and_then(|exponent| i32::try_from(exponent).ok()) {
            return self.power_integer(exponent);
        }
        if self.is_zero() {
            return Ok(Self::Small { mantissa: 0, scale: MIN_SIGNIFICANT_DIGITS as u32 });
        }
        let base = self.abs();
        let ln_weight = base.ln_weight();
        let low_scale = (8 - ln_weight).max(0) as u32;
        let estimate = base.ln_to_scale(low_scale).mul(exponent)?.to_f64();
        if estimate.abs() > MAX_EXPONENT / 3.0 * 3.01 {
            return if estimate > 0.0 {
                Err(overflow())
            } else {
                Ok(Self::Small { mantissa: 0, scale: MAX_DISPLAY_SCALE as u32 })
            };
        }
        let weight = (estimate * LOG10_E) as i64;
        let scale = display_scale(MIN_SIGNIFICANT_DIGITS - weight, &[self, exponent]);
        let digits =
            (i64::from(scale) + weight).max(0) - ln_weight + GUARD_DIGITS + exponent.first_digit().0.max(0) * 4;
        let ln = base.ln_to_scale(digits.max(0) as u32);
        let power = ln.mul(exponent)?.exp_to_scale(scale)?;
        let odd = integral && exponent.rem(&Self::from(2))?.signum() != 0;
        Ok(if self.is_negative() && odd { power.neg() } else { power })
    }

    fn is_integral(&self) -> bool {
        self.is_finite() && self.min_scale() == Some(0)
    }

    /// Powers of and to what is not finite, and the cases that SQL and POSIX settle.
    fn special_power(&self, exponent: &Self) -> Result<Option<Self>> {
        let one = |value: &Self| value.compare(&Self::ONE).is_eq();
        if self.is_nan() || exponent.is_nan() {
            let settled = (self.is_nan() && exponent.is_zero()) || (exponent.is_nan() && one(self));
            return Ok(Some(if settled { Self::ONE } else { Self::NaN }));
        }
        if self.is_zero() && exponent.is_negative() {
            return Err(power_error("zero raised to a negative power is undefined"));
        }
        if self.is_negative() && exponent.is_finite() && !exponent.is_integral() {
            return Err(power_error("a negative number raised to a non-integer power yields a complex result"));
        }
        if self.is_finite() && exponent.is_finite() {
            return Ok(None);
        }
        if exponent.is_zero() || one(self) {
            return Ok(Some(Self::ONE));
        }
        if exponent.is_infinite() {
            let magnitude = self.abs().compare(&Self::ONE);
            return Ok(Some(if magnitude.is_eq() {
                Self::ONE
            } else if magnitude.is_gt() == (exponent.signum() > 0) {
                Self::Infinity
            } else {
                Self::ZERO
            }));
        }
        if exponent.is_negative() {
            return Ok(Some(Self::ZERO));
        }
        let odd = exponent.rem(&Self::from(2))?.signum() != 0;
        Ok(Some(if self.is_negative() && odd { Self::NegInfinity } else { Self::Infinity }))
    }

    /// PostgreSQL's `power_var_int`.
    fn power_integer(&self, exponent: i32) -> Result<Self> {
        let scale = display_scale(MIN_SIGNIFICANT_DIGITS, &[self]);
        match exponent {
            0 => return Ok(Self::ONE.rescale(scale)),
            1 => return Ok(self.rescale(scale)),
            -1 => return Self::ONE.div_to_scale(self, scale),
            2 => return Ok(self.mul(self)?.rescale(scale)),
            _ => {}
        }
        let zero = Self::Small { mantissa: 0, scale };
        let Some((mantissa, own)) = self.parts() else { return Ok(Self::NaN) };
        if mantissa.is_zero() {
            return Ok(zero);
        }
        let leading = count_digits(&mantissa) as i64 - 17;
        let head = if leading > 0 {
            (mantissa.magnitude() / power_of_ten(leading as u32)).to_f64()
        } else {
            mantissa.magnitude().to_f64()
        };
        let log = head.unwrap_or(1.0).log10() + leading.max(0) as f64 - f64::from(own);
        let weight = f64::from(exponent) * log;
        if weight > 3.0 * f64::from(i16::MAX) * 4.0 {
            return Err(overflow());
        }
        if weight + 1.0 < -f64::from(scale) || weight + 1.0 < -(MAX_DISPLAY_SCALE as f64) {
            return Ok(zero);
        }
        let digits = 1 + i64::from(scale) + weight as i64 + (f64::from(exponent).abs().ln() as i64) + GUARD_DIGITS;
        let power = Floating::new(mantissa.into_owned(), -i64::from(own)).power(exponent.unsigned_abs(), digits.max(1));
        power.value(exponent < 0, scale)
    }
}

/// `mantissa * 10^exponent` with a bounded number of digits.
#[derive(Clone)]
struct Floating {
    mantissa: BigInt,
    exponent: i64,
}

impl Floating {
    fn new(mantissa: BigInt, exponent: i64) -> Self {
        Self { mantissa, exponent }
    }

    fn times(&self, other: &Self, digits: i64) -> Self {
        let mantissa = &self.mantissa * &other.mantissa;
        let exponent = self.exponent + other.exponent;
        let excess = count_digits(&mantissa) as i64 - digits;
        if excess <= 0 {
            return Self { mantissa, exponent };
        }
        let mantissa = divide_rounded(&mantissa, &BigInt::from(power_of_ten(excess as u32)));
        Self { mantissa, exponent: exponent + excess }
    }

    fn power(&self, mut exponent: u32, digits: i64) -> Self {
        let mut square = self.clone();
        let mut power = Self::new(BigInt::one(), 0);
        loop {
            if exponent & 1 == 1 {
                power = power.times(&square, digits);
            }
            exponent >>= 1;
            if exponent == 0 {
                return power;
            }
            square = square.times(&square, digits);
        }
    }

    /// The value or its inverse, rounded to a scale.
    fn value(&self, inverse: bool, scale: u32) -> Result<Numeric> {
        let exponent = if inverse { -self.exponent } else { self.exponent };
        let shift = exponent + i64::from(scale);
        let factor = BigInt::from(power_of_ten(u32::try_from(shift.unsigned_abs()).map_err(|_| overflow())?));
        let one = BigInt::one();
        let (dividend, divisor) = match (inverse, shift >= 0) {
            (false, true) => (&self.mantissa * factor, one),
            (false, false) => (self.mantissa.clone(), factor),
            (true, true) => (factor, self.mantissa.clone()),
            (true, false) => (one, &self.mantissa * factor),
        };
        let rounded = divide_rounded(&dividend, &divisor.abs());
        Numeric::from_big(if divisor.is_negative() { -rounded } else { rounded }, scale)
    }
}

/// A fixed-point value rounded to the digits that are shown.
fn shown(fixed: &BigInt, digits: u32, scale: u32) -> BigInt {
    divide_rounded(fixed, &BigInt::from(power_of_ten(digits - scale)))
}

/// Natural logarithm of `mantissa / 10^scale`: the power of two is taken out, the rest (between 2/3 and 4/3)
/// goes through the series of the inverse hyperbolic tangent.
fn fixed_ln(mantissa: &BigInt, scale: u32, digits: u32) -> BigInt {
    let unit = BigInt::from(power_of_ten(digits));
    let divisor = BigInt::from(power_of_ten(scale));
    let mut twos = mantissa.bits() as i64 - divisor.bits() as i64;
    let reduced = |twos: i64| {
        if twos >= 0 {
            mantissa * &unit / (&divisor << twos as u64)
        } else {
            ((mantissa << twos.unsigned_abs()) * &unit) / &divisor
        }
    };
    let mut value = reduced(twos);
    if &value * 3 > &unit * 4 {
        twos += 1;
        value = reduced(twos);
    } else if &value * 3 < &unit * 2 {
        twos -= 1;
        value = reduced(twos);
    }
    let y = (&value - &unit) * &unit / (&value + &unit);
    let square = &y * &y / &unit;
    let mut term = y.clone();
    let mut sum = y;
    let mut index = 1u32;
    loop {
        term = &term * &square / &unit;
        if term.is_zero() {
            break;
        }
        index += 2;
        sum += &term / index;
    }
    sum * 2 + ln_two(&unit) * twos
}

/// ln 2 = 18 atanh(1/26) - 2 atanh(1/4801) + 8 atanh(1/8749).
fn ln_two(unit: &BigInt) -> BigInt {
    // The factor of the power of two may have six digits: carry as many more.
    let wide = unit * 100_000_000u64;
    let atanh_inverse = |n: u64| {
        let square = BigInt::from(n * n);
        let mut term = &wide / n;
        let mut sum = term.clone();
        let mut index = 1u32;
        loop {
            term /= &square;
            if term.is_zero() {
                return sum;
            }
            index += 2;
            sum += &term / index;
        }
    };
    (atanh_inverse(26) * 18 - atanh_inverse(4801) * 2 + atanh_inverse(8749) * 8) / 100_000_000u64
}

/// `e^x` in fixed point: `x = k ln 2 + r`, `e^r` by Taylor's series of `r / 2^8`, squared eight times.
fn fixed_exp(x: &BigInt, digits: u32) -> BigInt {
    const HALVINGS: u64 = 8;
    let unit = BigInt::from(power_of_ten(digits));
    let ln_two = ln_two(&unit);
    let twos = divide_rounded(x, &ln_two);
    let r = (x - &twos * &ln_two) >> HALVINGS;
    let mut term = unit.clone();
    let mut sum = unit.clone();
    let mut index = 0u32;
    loop {
        index += 1;
        term = &term * &r / &unit / index;
        if term.is_zero() {
            break;
        }
        sum += &term;
    }
    for _ in 0..HALVINGS {
        sum = &sum * &sum / &unit;
    }
    let twos = twos.to_i64().unwrap_or(0);
    if twos < 0 { sum >> twos.unsigned_abs() } else { sum << twos as u64 }
}
