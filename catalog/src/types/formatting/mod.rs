//! `to_char`, `to_timestamp`, `to_date` and `to_number` (manual 9.8).
//!
//! | file | concern |
//! |---|---|
//! | `template.rs` | splitting a template into patterns and text |
//! | `date_output.rs` | `to_char` of timestamps and intervals |
//! | `date_input.rs` | `to_timestamp`, `to_date` |
//! | `number.rs` | `to_char` of numbers, `to_number` |

mod date_input;
mod date_output;
mod number;
mod template;

pub use date_input::{to_date, to_timestamp};
pub use date_output::{interval_to_char, timestamp_to_char, timestamptz_to_char};
pub use number::{float4_to_char, float8_to_char, integer_to_char, numeric_to_char, to_number};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
pub(super) const ROMAN_MONTHS: [&str; 12] = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"];

/// `st`, `nd`, `rd` or `th` for a number's digits.
pub(super) fn ordinal(digits: &str, upper: bool) -> &'static str {
    let bytes = digits.as_bytes();
    let last = bytes.last().copied().unwrap_or(b'0');
    let teen = bytes.len() > 1 && bytes[bytes.len() - 2] == b'1';
    match (last, teen, upper) {
        (b'1', false, false) => "st",
        (b'2', false, false) => "nd",
        (b'3', false, false) => "rd",
        (_, _, false) => "th",
        (b'1', false, true) => "ST",
        (b'2', false, true) => "ND",
        (b'3', false, true) => "RD",
        (_, _, true) => "TH",
    }
}

#[cfg(test)]
mod tests;
