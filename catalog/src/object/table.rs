//! Tables.

use serde::{Deserialize, Serialize};

use super::{Constraint, PartitionBound, Partitioning, Windows};
use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Table of the store that holds the rows; changes on TRUNCATE and rewrite (`relfilenode`). 0 for a partitioned table, which has none.
    pub storage: u64,
    pub constraints: Vec<Constraint>,
    pub options: Vec<(String, String)>,
    /// The composite type of `CREATE TABLE … OF`; 0 for none.
    #[serde(default)]
    pub of_type: Oid,
    /// Of a materialized view.
    #[serde(default)]
    pub materialized: Option<Materialized>,
    /// Of a partitioned table.
    #[serde(default)]
    pub partitioning: Option<Partitioning>,
    /// Tables that it inherits from, or whose partition it is, in order (`pg_inherits`).
    #[serde(default)]
    pub parents: Vec<Oid>,
    /// Of a partition.
    #[serde(default)]
    pub bound: Option<PartitionBound>,
    /// Of a table whose rows are kept by windows.
    #[serde(default)]
    pub windows: Option<Windows>,
}

impl Table {
    /// The table of the store that holds its rows; None if it has none of its own.
    pub fn rows(&self) -> Option<u64> {
        (self.storage != 0).then_some(self.storage)
    }

    /// A table with these rows and nothing else.
    pub fn new(storage: u64) -> Self {
        Self {
            storage,
            constraints: Vec::new(),
            options: Vec::new(),
            of_type: 0,
            materialized: None,
            partitioning: None,
            parents: Vec::new(),
            bound: None,
            windows: None,
        }
    }
}

/// What makes a table a materialized view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Materialized {
    pub view: super::View,
    /// It holds the rows of its query, as they were when it was last refreshed.
    pub populated: bool,
}
