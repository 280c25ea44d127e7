//! `date`, `time`, `timetz`, `timestamp`, `timestamptz` (manual 8.5).
//!
//! | file | concern |
//! |---|---|
//! | `calendar.rs` | days and microseconds ↔ year, month, day |
//! | `zone.rs`, `abbreviation.rs` | time zones |
//! | `field.rs`, `token.rs`, `parse.rs` | the free-form text input that all of them share |
//! | `date.rs`, `time.rs`, `timestamp.rs` | input of each type, precision, binary format |
//! | `format.rs` | text output in the four styles |
//! | `truncate.rs`, `extract.rs`, `arithmetic.rs` | what SQL functions need, as plain functions |

pub mod abbreviation;
pub mod arithmetic;
pub mod calendar;
pub mod date;
pub mod extract;
pub(crate) mod field;
pub mod format;
pub(crate) mod parse;
pub mod time;
pub mod timestamp;
pub mod token;
pub mod truncate;
pub mod zone;

use crate::error::Error;
use crate::sqlstate;

pub use calendar::Civil;
pub use zone::ZoneSpecification;

/// Why input was refused; becomes an error once the type and the whole input are known.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    Syntax,
    Range,
    /// A month or day out of range: maybe the order of the fields was meant otherwise.
    MonthOrDayRange,
    Displacement,
    UnknownZone(String),
}

impl Refusal {
    /// The error that PostgreSQL reports for input of this type.
    pub(crate) fn error(self, type_name: &str, input: &str) -> Error {
        match self {
            Self::Syntax => Error::new(
                sqlstate::INVALID_DATETIME_FORMAT,
                format!("invalid input syntax for type {type_name}: \"{input}\""),
            ),
            Self::Range => field_out_of_range(input),
            Self::MonthOrDayRange => {
                field_out_of_range(input).with_hint("Perhaps you need a different \"datestyle\" setting.")
            }
            Self::Displacement => Error::new(
                sqlstate::INVALID_TIME_ZONE_DISPLACEMENT_VALUE,
                format!("time zone displacement out of range: \"{input}\""),
            ),
            Self::UnknownZone(name) => zone::unknown_zone(&name),
        }
    }
}

fn field_out_of_range(input: &str) -> Error {
    Error::new(sqlstate::DATETIME_FIELD_OVERFLOW, format!("date/time field value out of range: \"{input}\""))
}

/// `22008 timestamp out of range`.
pub fn timestamp_out_of_range() -> Error {
    Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "timestamp out of range")
}

/// `22008 date out of range`.
pub fn date_out_of_range() -> Error {
    Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "date out of range")
}

/// `22008 time out of range`.
pub fn time_out_of_range() -> Error {
    Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "time out of range")
}

/// Rounds microseconds half away from zero to a number of fractional digits; -1 and 6 keep all.
pub(crate) fn round_micros(micros: i64, precision: i32) -> Option<i64> {
    if !(0..6).contains(&precision) {
        return Some(micros);
    }
    let unit = 10i64.pow(6 - precision as u32);
    let half = unit / 2;
    let rounded = if micros >= 0 { micros.checked_add(half)? } else { micros.checked_sub(half)? };
    Some(rounded / unit * unit)
}

#[cfg(test)]
mod tests;
