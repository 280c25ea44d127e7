//! Comments on objects.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

/// `pg_description`: one comment. `sub` is the column number or 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comment {
    pub class: Oid,
    pub object: Oid,
    pub sub: i32,
    pub text: String,
}
