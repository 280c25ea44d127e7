//! Tables.

use serde::{Deserialize, Serialize};

use super::Constraint;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Table of the store that holds the rows; changes on TRUNCATE and rewrite (`relfilenode`).
    pub storage: u64,
    pub constraints: Vec<Constraint>,
    pub options: Vec<(String, String)>,
}
