//! `tsvector` and `tsquery` (manual 8.11).
//!
//! Both are represented as bytes that sort as PostgreSQL sorts the values, so that scans, sorts and zone maps need to know nothing of them. The
//! order begins with the number of bytes that the value takes in PostgreSQL: it is part of the bytes.

pub mod query;
mod query_text;
pub mod vector;
mod word;

pub use query::{Node, Operand, TsQuery};
pub use query_text::{Operator, Postfix};
pub use vector::{Entries, Entry, Position, TsVector, Weight};
pub use word::{Word, WordReader, is_space};

use crate::error::Error;
use crate::sqlstate;

/// The longest lexeme, in bytes.
pub const MAX_WORD: usize = (1 << 11) - 1;
/// Bytes of all lexemes of one vector.
pub const MAX_WORDS: usize = (1 << 20) - 1;
/// Positions that one lexeme keeps.
pub const MAX_POSITIONS: usize = 256;
/// Positions and distances beyond are this one.
pub const MAX_POSITION: u16 = (1 << 14) - 1;

fn too_large(message: String) -> Error {
    Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message)
}

#[cfg(test)]
mod tests;
