//! Tables.

use serde::{Deserialize, Serialize};

use super::Constraint;
use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Table of the store that holds the rows; changes on TRUNCATE and rewrite (`relfilenode`).
    pub storage: u64,
    pub constraints: Vec<Constraint>,
    pub options: Vec<(String, String)>,
    /// The composite type of `CREATE TABLE … OF`; 0 for none.
    #[serde(default)]
    pub of_type: Oid,
    /// Of a materialized view.
    #[serde(default)]
    pub materialized: Option<Materialized>,
}

/// What makes a table a materialized view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Materialized {
    pub view: super::View,
    /// It holds the rows of its query, as they were when it was last refreshed.
    pub populated: bool,
}
