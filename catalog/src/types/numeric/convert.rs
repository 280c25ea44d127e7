//! Conversions from and to integers and floats.

use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::{Numeric, divide_rounded, power_of_ten};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::float::parse_float8;
use crate::types::int::type_out_of_range;

impl From<i64> for Numeric {
    fn from(value: i64) -> Self {
        Self::Small { mantissa: value.into(), scale: 0 }
    }
}

impl From<i32> for Numeric {
    fn from(value: i32) -> Self {
        Self::Small { mantissa: value.into(), scale: 0 }
    }
}

impl From<i128> for Numeric {
    fn from(mantissa: i128) -> Self {
        Self::Small { mantissa, scale: 0 }
    }
}

impl Numeric {
    /// A Decimal128 value; its scale becomes the display scale.
    pub fn from_decimal128(mantissa: i128, scale: i8) -> Self {
        match u32::try_from(scale) {
            Ok(scale) => Self::Small { mantissa, scale },
            Err(_) => {
                let factor = power_of_ten(u32::from(scale.unsigned_abs()));
                Self::normalized(BigInt::from(mantissa) * BigInt::from(factor), 0)
            }
        }
    }

    /// The mantissa at a Decimal128's scale, rounded; `None` if it does not fit `precision` digits.
    pub fn to_decimal128(&self, precision: u8, scale: i8) -> Option<i128> {
        let wanted = u32::try_from(scale).ok()?;
        let limit = 10i128.checked_pow(u32::from(precision.min(38)))?;
        let mantissa = match self {
            Self::Small { mantissa, scale } if *scale == wanted => *mantissa,
            Self::Small { .. } | Self::Big { .. } => match self.rescale(wanted) {
                Self::Small { mantissa, .. } => mantissa,
                _ => return None,
            },
            _ => return None,
        };
        (mantissa.unsigned_abs() < limit.unsigned_abs()).then_some(mantissa)
    }

    /// Cast from `double precision`: 15 significant digits.
    pub fn from_f64(value: f64) -> Self {
        Self::from_significant_digits(value, 15)
    }

    /// Cast from `real`: 6 significant digits.
    pub fn from_f32(value: f32) -> Self {
        Self::from_significant_digits(f64::from(value), 6)
    }

    fn from_significant_digits(value: f64, digits: usize) -> Self {
        if value.is_nan() {
            return Self::NaN;
        }
        if value.is_infinite() {
            return if value > 0.0 { Self::Infinity } else { Self::NegInfinity };
        }
        // C's %g: trailing zeros of the fraction are not written.
        let formatted = format!("{value:.*e}", digits - 1);
        let (mantissa, exponent) = formatted.split_once('e').unwrap_or((&formatted, "0"));
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
        Self::parse(&format!("{mantissa}e{exponent}")).unwrap_or(Self::NaN)
    }

    /// The nearest `double precision`; infinite beyond its range.
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::NaN => f64::NAN,
            Self::Infinity => f64::INFINITY,
            Self::NegInfinity => f64::NEG_INFINITY,
            Self::Small { mantissa, scale: 0 } => *mantissa as f64,
            // Both are exact, so their quotient is rounded once.
            Self::Small { mantissa, scale } if mantissa.unsigned_abs() < 1 << 53 && *scale <= 22 => {
                *mantissa as f64 / 10f64.powi(*scale as i32)
            }
            _ => self.to_string().parse().unwrap_or(f64::NAN),
        }
    }

    /// Cast to `double precision`.
    pub fn to_float8(&self) -> Result<f64> {
        match self.to_f64() {
            value if value.is_infinite() && self.is_finite() => parse_float8(&self.to_string()),
            0.0 if !self.is_zero() => parse_float8(&self.to_string()),
            value => Ok(value),
        }
    }

    /// Cast to `real`.
    pub fn to_float4(&self) -> Result<f32> {
        match self {
            Self::NaN => Ok(f32::NAN),
            Self::Infinity => Ok(f32::INFINITY),
            Self::NegInfinity => Ok(f32::NEG_INFINITY),
            _ => crate::types::float::parse_float4(&self.to_string()),
        }
    }

    /// Cast to `smallint`, rounding half away from zero.
    pub fn to_i16(&self) -> Result<i16> {
        self.to_integer("smallint")
    }

    /// Cast to `integer`.
    pub fn to_i32(&self) -> Result<i32> {
        self.to_integer("integer")
    }

    /// Cast to `bigint`.
    pub fn to_i64(&self) -> Result<i64> {
        self.to_integer("bigint")
    }

    fn to_integer<T: TryFrom<i128>>(&self, type_name: &str) -> Result<T> {
        let special =
            |name: &str| Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("cannot convert {name} to {type_name}"));
        match self {
            Self::NaN => Err(special("NaN")),
            Self::Infinity | Self::NegInfinity => Err(special("infinity")),
            _ => self
                .rounded_i128()
                .and_then(|value| T::try_from(value).ok())
                .ok_or_else(|| type_out_of_range(type_name)),
        }
    }

    /// The nearest integer of a finite value, if it fits.
    pub fn rounded_i128(&self) -> Option<i128> {
        match self {
            Self::Small { mantissa, scale: 0 } => Some(*mantissa),
            _ => {
                let (mantissa, scale) = self.parts()?;
                divide_rounded(&mantissa, &BigInt::from(power_of_ten(scale))).to_i128()
            }
        }
    }
}
