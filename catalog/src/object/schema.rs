//! Schemas of one database.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

/// A schema of one database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    pub oid: Oid,
    pub name: String,
    pub owner: Oid,
}
