//! Sequences.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sequence {
    pub ty: Oid,
    pub start: i64,
    pub increment: i64,
    pub min: i64,
    pub max: i64,
    pub cache: i64,
    pub cycle: bool,
    /// Owning table and attnum (`OWNED BY`, serial, identity).
    pub owned_by: Option<(Oid, i16)>,
    /// Made by an identity column, which can't live without it.
    #[serde(default)]
    pub identity: bool,
}
