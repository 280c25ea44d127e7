//! Partitioned tables and what tells their partitions apart (PostgreSQL manual, "Table Partitioning").

use serde::{Deserialize, Serialize};

use crate::types::Type;
use crate::types::oid::Oid;

/// How a partitioned table deals its rows out: `pg_partitioned_table`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Partitioning {
    pub strategy: Strategy,
    pub keys: Vec<PartitionKey>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    List,
    Range,
    Hash,
}

/// A column or an expression of a partition key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionKey {
    /// 0 for an expression.
    pub attnum: i16,
    pub expression: Option<String>,
    pub ty: Type,
    pub collation: Oid,
    /// 0 for the type's default.
    pub operator_class: Oid,
}

/// Which rows of its parent a partition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum PartitionBound {
    /// Those that no other one holds.
    Default,
    /// Values as SQL literals; None is null.
    List(Vec<Option<String>>),
    /// From the first, included, to the second, excluded.
    Range {
        from: Vec<Limit>,
        to: Vec<Limit>,
    },
    Hash {
        modulus: i32,
        remainder: i32,
    },
}

/// One column's part of an end of a range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Limit {
    Minimum,
    /// An SQL literal.
    Value(String),
    Maximum,
}

impl Strategy {
    /// `pg_partitioned_table.partstrat`.
    pub fn code(self) -> char {
        match self {
            Self::List => 'l',
            Self::Range => 'r',
            Self::Hash => 'h',
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Range => "range",
            Self::Hash => "hash",
        }
    }

    /// The access method whose operator classes its keys have.
    pub fn access_method(self) -> &'static str {
        if self == Self::Hash { "hash" } else { "btree" }
    }
}
