//! `json` and `jsonb` (manual 8.14).
//!
//! `json` is kept as it was written, `jsonb` in PostgreSQL's canonical text. Both are parsed without recursion,
//! and not deeper than [`MAX_DEPTH`].

mod jsonb;
mod lexer;
mod validate;

pub use jsonb::{JsonValue, canonical, comparison_key, parse, write_json_string};
pub use validate::validate;

/// Deepest nesting; PostgreSQL's limit is the size of its stack, a little above.
pub const MAX_DEPTH: usize = 6_000;
