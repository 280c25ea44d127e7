//! Accumulators of `sum`, `avg`, `variance` and `stddev` over numeric.

use std::collections::BTreeMap;

use num_bigint::BigInt;

use super::encoding::{Encoded, decode};
use super::{Numeric, small_power_of_ten};
use crate::error::Result;

/// Sum and count of numeric values. The sum is exact, its display scale the largest of the inputs.
#[derive(Debug, Clone)]
pub struct NumericSum {
    count: i64,
    nan: i64,
    infinity: i64,
    neg_infinity: i64,
    /// Finite part while it fits; moved into `large` when it does not.
    mantissa: i128,
    scale: u32,
    large: Numeric,
    /// How many values of each display scale there are, where values are taken out again.
    #[expect(clippy::box_collection, reason = "there is a state for each group, and few have it")]
    scales: Option<Box<BTreeMap<u32, i64>>>,
}

impl Default for NumericSum {
    fn default() -> Self {
        Self {
            count: 0,
            nan: 0,
            infinity: 0,
            neg_infinity: 0,
            mantissa: 0,
            scale: 0,
            large: Numeric::ZERO,
            scales: None,
        }
    }
}

impl NumericSum {
    pub fn new() -> Self {
        Self::default()
    }

    /// For moving window frames: the display scale is that of the values that are left.
    pub fn moving() -> Self {
        Self { scales: Some(Box::default()), ..Self::default() }
    }

    fn count_scale(&mut self, scale: u32, by: i64) {
        if let Some(scales) = &mut self.scales {
            let count = scales.entry(scale).or_insert(0);
            *count += by;
            if *count == 0 {
                scales.remove(&scale);
            }
        }
    }

    /// How many values were added.
    pub fn count(&self) -> i64 {
        self.count
    }

    /// Adds a value in the dynamic representation.
    pub fn add_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        if let Encoded::Finite(digits) = decode(bytes)?
            && let Some(mantissa) = digits.small_mantissa()
        {
            return self.add_decimal(mantissa, digits.scale);
        }
        self.add(&Numeric::from_bytes(bytes)?)
    }

    /// Adds `mantissa / 10^scale`.
    #[inline]
    pub fn add_decimal(&mut self, mantissa: i128, scale: u32) -> Result<()> {
        if !self.add_small(mantissa, scale) {
            self.add_large(&Numeric::Small { mantissa, scale })?;
        }
        self.count_scale(scale, 1);
        self.count += 1;
        Ok(())
    }

    /// Adds `count` values whose sum is `mantissa / 10^scale`.
    pub fn add_several(&mut self, mantissa: i128, scale: u32, count: i64) -> Result<()> {
        self.add_decimal(mantissa, scale)?;
        self.count += count - 1;
        Ok(())
    }

    pub fn add_integer(&mut self, value: i64) -> Result<()> {
        self.add_decimal(i128::from(value), 0)
    }

    pub fn add(&mut self, value: &Numeric) -> Result<()> {
        match value {
            Numeric::Small { mantissa, scale } => return self.add_decimal(*mantissa, *scale),
            Numeric::Big { scale, .. } => {
                self.add_large(value)?;
                self.count_scale(*scale, 1);
            }
            Numeric::NaN => self.nan += 1,
            Numeric::Infinity => self.infinity += 1,
            Numeric::NegInfinity => self.neg_infinity += 1,
        }
        self.count += 1;
        Ok(())
    }

    #[inline]
    fn add_small(&mut self, mantissa: i128, scale: u32) -> bool {
        if scale == self.scale
            && let Some(sum) = self.mantissa.checked_add(mantissa)
        {
            self.mantissa = sum;
            return true;
        }
        let aligned = if scale == self.scale {
            Some((self.mantissa, mantissa))
        } else if scale < self.scale {
            scaled(mantissa, self.scale - scale).map(|mantissa| (self.mantissa, mantissa))
        } else {
            scaled(self.mantissa, scale - self.scale).map(|sum| (sum, mantissa))
        };
        match aligned.and_then(|(sum, mantissa)| sum.checked_add(mantissa)) {
            Some(sum) => {
                self.mantissa = sum;
                self.scale = self.scale.max(scale);
                true
            }
            None => false,
        }
    }

    fn add_large(&mut self, value: &Numeric) -> Result<()> {
        let small = Numeric::Small { mantissa: self.mantissa, scale: self.scale };
        self.large = self.large.add(&small)?.add(value)?;
        self.mantissa = 0;
        Ok(())
    }

    /// Takes a value out again that was added before.
    pub fn remove(&mut self, value: &Numeric) -> Result<()> {
        match value {
            Numeric::NaN => self.nan -= 1,
            Numeric::Infinity => self.infinity -= 1,
            Numeric::NegInfinity => self.neg_infinity -= 1,
            finite => {
                self.add(&finite.neg())?;
                self.count_scale(finite.scale().unwrap_or(0), -2);
                self.count -= 1;
            }
        }
        self.count -= 1;
        Ok(())
    }

    /// Adds another accumulator's sum and count.
    pub fn merge(&mut self, sum: &Numeric, count: i64) -> Result<()> {
        self.add(sum)?;
        self.count += count - 1;
        Ok(())
    }

    /// The sum of all values; zero without any.
    pub fn sum(&self) -> Result<Numeric> {
        if self.nan > 0 || (self.infinity > 0 && self.neg_infinity > 0) {
            return Ok(Numeric::NaN);
        }
        if self.infinity > 0 {
            return Ok(Numeric::Infinity);
        }
        if self.neg_infinity > 0 {
            return Ok(Numeric::NegInfinity);
        }
        let small = Numeric::Small { mantissa: self.mantissa, scale: self.scale };
        let simple = self.large.is_zero() && self.large.scale() <= Some(self.scale);
        let sum = if simple { small } else { self.large.add(&small)? };
        Ok(match &self.scales {
            Some(scales) => sum.rescale(scales.keys().next_back().copied().unwrap_or(0)),
            None => sum,
        })
    }

    /// `avg`; `None` without values.
    pub fn average(&self) -> Result<Option<Numeric>> {
        if self.count == 0 {
            return Ok(None);
        }
        self.sum()?.div(&Numeric::from(self.count)).map(Some)
    }

    /// Bytes that this accumulator takes beyond itself.
    pub fn heap_size(&self) -> usize {
        match &self.large {
            Numeric::Big { mantissa, .. } => (mantissa.bits() / 8) as usize,
            _ => 0,
        }
    }
}

fn scaled(mantissa: i128, digits: u32) -> Option<i128> {
    if mantissa == 0 { Some(0) } else { mantissa.checked_mul(small_power_of_ten(digits)?) }
}

/// Sum and sum of squares: what variance and standard deviation need.
#[derive(Debug, Clone, Default)]
pub struct NumericMoments {
    pub sum: NumericSum,
    pub squares: NumericSum,
}

impl NumericMoments {
    pub fn add(&mut self, value: &Numeric) -> Result<()> {
        self.sum.add(value)?;
        self.squares.add(&value.mul(value)?)
    }

    pub fn remove(&mut self, value: &Numeric) -> Result<()> {
        self.sum.remove(value)?;
        self.squares.remove(&value.mul(value)?)
    }

    /// `var_pop`/`var_samp`, or their square roots (`stddev_pop`/`stddev_samp`).
    pub fn variance(&self, sample: bool, root: bool) -> Result<Option<Numeric>> {
        sum_of_squares_variance(self.sum.count(), &self.sum.sum()?, &self.squares.sum()?, sample, root)
    }
}

/// Variance from count, sum and sum of squares (PostgreSQL's `numeric_stddev_internal`); `None` if there are
/// too few values.
pub fn sum_of_squares_variance(
    count: i64,
    sum: &Numeric,
    squares: &Numeric,
    sample: bool,
    root: bool,
) -> Result<Option<Numeric>> {
    if count <= i64::from(sample) {
        return Ok(None);
    }
    if !sum.is_finite() || !squares.is_finite() {
        return Ok(Some(Numeric::NaN));
    }
    let n = Numeric::from(count);
    let numerator = n.mul(squares)?.sub(&sum.mul(sum)?)?;
    if numerator.signum() <= 0 {
        return Ok(Some(Numeric::ZERO));
    }
    let divisor = Numeric::from_big(BigInt::from(count) * (BigInt::from(count) - i64::from(sample)), 0)?;
    let scale = numerator.quotient_scale(&divisor);
    let variance = numerator.div_to_scale(&divisor, scale)?;
    Ok(Some(if root { variance.sqrt_to_scale(scale) } else { variance }))
}
