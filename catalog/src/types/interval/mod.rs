//! `interval` (manual 8.5.4): months, days and microseconds that count separately.
//!
//! | file | concern |
//! |---|---|
//! | `parse.rs` | text input in all styles |
//! | `format.rs` | text output in the four styles |
//! | `arithmetic.rs` | operators and functions as plain functions |

mod arithmetic;
mod format;
mod parse;

use arrow::datatypes::IntervalMonthDayNano;

pub use arithmetic::{justify_days, justify_hours, justify_interval};
pub use format::write;
pub use parse::parse;

use super::binary::Reader;
use super::datetime::calendar::{DAYS_PER_MONTH, MICROS_PER_DAY, MICROS_PER_HOUR, MICROS_PER_MINUTE};
use super::datetime::round_micros;
use super::type_name::{interval_field, interval_precision, interval_range};
use crate::error::{Error, Result};
use crate::sqlstate;

/// An interval in PostgreSQL's terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Interval {
    pub months: i32,
    pub days: i32,
    pub micros: i64,
}

/// `22008 interval out of range`.
pub fn out_of_range() -> Error {
    Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "interval out of range")
}

#[expect(clippy::should_implement_trait, reason = "fallible, unlike the operators")]
impl Interval {
    pub const ZERO: Self = Self { months: 0, days: 0, micros: 0 };

    pub const fn new(months: i32, days: i32, micros: i64) -> Self {
        Self { months, days, micros }
    }

    /// The Arrow representation. Its nanoseconds reach 292 years, less than PostgreSQL's microseconds.
    pub fn to_arrow(self) -> Result<IntervalMonthDayNano> {
        let nanoseconds = self.micros.checked_mul(1000).ok_or_else(out_of_range)?;
        Ok(IntervalMonthDayNano { months: self.months, days: self.days, nanoseconds })
    }

    pub const fn from_arrow(value: IntervalMonthDayNano) -> Self {
        Self { months: value.months, days: value.days, micros: value.nanoseconds / 1000 }
    }

    /// Microseconds with 30-day months and 24-hour days: what intervals are compared, grouped and hashed by.
    pub const fn comparison_key(self) -> i128 {
        let days = self.months as i128 * DAYS_PER_MONTH as i128 + self.days as i128;
        days * MICROS_PER_DAY as i128 + self.micros as i128
    }

    /// Applies field restriction and precision.
    pub fn apply_typmod(mut self, typmod: i32) -> Result<Self> {
        use interval_field::{DAY, FULL_PRECISION, FULL_RANGE, HOUR, MINUTE, MONTH, SECOND};
        if typmod < 0 {
            return Ok(self);
        }
        let range = interval_range(typmod);
        if range != FULL_RANGE {
            if range & (DAY | HOUR | MINUTE | SECOND) == 0 {
                self.days = 0;
                self.micros = 0;
                if range & MONTH == 0 {
                    self.months = self.months / 12 * 12;
                }
            } else if range & SECOND == 0 {
                let unit = match range {
                    range if range & MINUTE != 0 => MICROS_PER_MINUTE,
                    range if range & HOUR != 0 => MICROS_PER_HOUR,
                    _ => i64::MAX,
                };
                self.micros = self.micros / unit * unit;
            }
        }
        let precision = interval_precision(typmod);
        if precision != FULL_PRECISION {
            self.micros = round_micros(self.micros, precision).ok_or_else(out_of_range)?;
        }
        Ok(self)
    }

    /// Binary input.
    pub fn from_binary(reader: &mut Reader<'_>, typmod: i32) -> Result<Self> {
        let micros = reader.i64()?;
        let days = reader.i32()?;
        let months = reader.i32()?;
        Self { months, days, micros }.apply_typmod(typmod)
    }

    /// Appends the binary output.
    pub fn write_binary(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.micros.to_be_bytes());
        out.extend_from_slice(&self.days.to_be_bytes());
        out.extend_from_slice(&self.months.to_be_bytes());
    }

    pub fn negate(self) -> Result<Self> {
        let negated = || {
            Some(Self {
                months: self.months.checked_neg()?,
                days: self.days.checked_neg()?,
                micros: self.micros.checked_neg()?,
            })
        };
        negated().ok_or_else(out_of_range)
    }

    pub fn add(self, other: Self) -> Result<Self> {
        let sum = || {
            Some(Self {
                months: self.months.checked_add(other.months)?,
                days: self.days.checked_add(other.days)?,
                micros: self.micros.checked_add(other.micros)?,
            })
        };
        sum().ok_or_else(out_of_range)
    }

    pub fn sub(self, other: Self) -> Result<Self> {
        let difference = || {
            Some(Self {
                months: self.months.checked_sub(other.months)?,
                days: self.days.checked_sub(other.days)?,
                micros: self.micros.checked_sub(other.micros)?,
            })
        };
        difference().ok_or_else(out_of_range)
    }
}

#[cfg(test)]
mod tests;
