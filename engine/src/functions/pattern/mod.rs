//! Pattern matching (PostgreSQL manual 9.7): LIKE, SIMILAR TO, regular expressions.

mod functions;
mod like;
mod matcher;
pub mod regex;
mod similar;

use super::signature::Row;

pub use functions::{matches, split};

pub fn functions() -> Vec<Row> {
    [like::functions(), similar::functions(), functions::functions()].into_iter().flatten().collect()
}
