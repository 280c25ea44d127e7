//! Indexes.

use serde::{Deserialize, Serialize};

use crate::types::oid::Oid;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Index {
    pub table: Oid,
    pub method: String,
    pub keys: Vec<IndexKey>,
    /// Attnums of INCLUDE columns.
    pub include: Vec<i16>,
    pub unique: bool,
    pub primary: bool,
    pub nulls_not_distinct: bool,
    pub predicate: Option<String>,
    /// Index of the store that enforces or serves it, if there is one.
    pub storage: Option<u32>,
    /// Storage parameters.
    #[serde(default)]
    pub options: Vec<(String, String)>,
    /// The index of the partitioned table that this one of a partition belongs to; 0 for none.
    #[serde(default)]
    pub parent: Oid,
    /// It is of a partitioned table, and has no entries of its own.
    #[serde(default)]
    pub partitioned: bool,
    /// Not (yet) there for all partitions.
    #[serde(default)]
    pub invalid: bool,
    /// CLUSTER sorts the table by it.
    #[serde(default)]
    pub clustered: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexKey {
    /// 0 for an expression.
    pub attnum: i16,
    pub expression: Option<String>,
    pub descending: bool,
    pub nulls_first: bool,
    /// 0 for the type's default.
    #[serde(default)]
    pub operator_class: Oid,
}
