//! What the store knows of a table: columns by stable id, Arrow types, and the keys it enforces.

use arrow::datatypes::DataType;
use serde::{Deserialize, Serialize};

/// A table of the store. Assigned by the caller (the catalog's OID allocator), never reused. Ids below
/// [`FIRST_USER_TABLE`] are the system tables.
pub type TableId = u64;
/// A column of one table, never reused within it (PostgreSQL's attnum).
pub type ColumnId = u32;
/// An index of one table, unique within the store (the index's OID).
pub type IndexId = u32;

pub const FIRST_USER_TABLE: TableId = 16_384;

/// Written to disk as an Arrow IPC schema (column ids in field metadata) and the indexes as JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSchema {
    /// In the order that scans return them.
    pub columns: Vec<ColumnSchema>,
    pub indexes: Vec<IndexSchema>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSchema {
    pub id: ColumnId,
    pub name: String,
    pub data_type: DataType,
    /// Value of this column in rows written before it was added (ALTER TABLE ADD COLUMN … DEFAULT without a rewrite):
    /// one-row Arrow IPC, or None for null.
    pub missing: Option<Vec<u8>>,
}

/// A key over plain columns that the store enforces or serves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexSchema {
    pub id: IndexId,
    pub name: String,
    pub columns: Vec<ColumnId>,
    pub unique: bool,
    /// At most one; decides the sort order of segments.
    pub primary: bool,
    pub nulls_not_distinct: bool,
}
