//! What the store knows of a table: columns by stable id, Arrow types, and the keys it enforces.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

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
    /// Of a table whose rows are kept by windows of time.
    pub windows: Option<Windows>,
}

/// Windows of one column, as time series have them: the values from a multiple of `grain` up to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Windows {
    /// What the caller calls the table.
    pub owner: u32,
    /// A timestamp, date or integer.
    pub column: ColumnId,
    pub grain: i64,
    /// Columns that the rows of a window are in the order of, before that column.
    #[serde(default)]
    pub order: Vec<ColumnId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ColumnSchema {
    pub id: ColumnId,
    pub name: String,
    pub data_type: DataType,
    /// Value of this column in rows written before it was added (ALTER TABLE ADD COLUMN … DEFAULT without a rewrite):
    /// one-row Arrow IPC as [`ColumnSchema::encode_missing`] writes it, or None for null.
    pub missing: Option<Vec<u8>>,
}

/// An index over plain columns: by equality it finds the rows with a key, and enforces the key if it is `unique`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexSchema {
    pub id: IndexId,
    pub name: String,
    pub columns: Vec<ColumnId>,
    pub unique: bool,
    /// At most one; decides the sort order of segments.
    pub primary: bool,
    pub nulls_not_distinct: bool,
    /// For each key column, how many trailing bytes of its (binary) value do not take part in equality; empty means
    /// none for all. The store knows no SQL types, so the display scale behind an encoded numeric is named this way.
    #[serde(default)]
    pub ignored_suffix: Vec<u8>,
    /// A unique key that may be broken until somebody asks: a change does not look at it, and several rows may have one key
    /// until the transaction commits. Who changes rows asks ([`crate::Transaction::lookup_all`]) before that; the commit
    /// itself only looks for rows that others have committed.
    #[serde(default)]
    pub deferrable: bool,
}

impl IndexSchema {
    /// Does every change keep it?
    pub fn is_immediate(&self) -> bool {
        self.unique && !self.deferrable
    }
}

impl TableSchema {
    /// The schema of scans: every column nullable, since the store does not enforce NOT NULL.
    pub fn to_arrow(&self) -> SchemaRef {
        let field = |c: &ColumnSchema| Field::new(&c.name, c.data_type.clone(), true);
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }

    pub fn position(&self, column: ColumnId) -> Option<usize> {
        self.columns.iter().position(|c| c.id == column)
    }

    pub fn index(&self, index: IndexId) -> Option<&IndexSchema> {
        self.indexes.iter().find(|i| i.id == index)
    }

    pub fn unique_indexes(&self) -> impl Iterator<Item = &IndexSchema> {
        self.indexes.iter().filter(|i| i.unique)
    }

    pub fn primary(&self) -> Option<&IndexSchema> {
        self.indexes.iter().find(|i| i.primary)
    }

    /// Refuses what later code relies on never seeing: repeated ids, keys over absent columns, two primary keys.
    pub(crate) fn validate(&self) -> Result<()> {
        let repeated = |ids: Vec<u32>| {
            let mut seen = std::collections::HashSet::new();
            ids.into_iter().find(|id| !seen.insert(*id))
        };
        if let Some(id) = repeated(self.columns.iter().map(|c| c.id).collect()) {
            return Err(Error::Internal(format!("column id {id} appears twice in a table schema")));
        }
        if let Some(id) = repeated(self.indexes.iter().map(|i| i.id).collect()) {
            return Err(Error::Internal(format!("index id {id} appears twice in a table schema")));
        }
        if self.indexes.iter().filter(|i| i.primary).count() > 1 {
            return Err(Error::Internal("a table schema has two primary keys".into()));
        }
        for index in &self.indexes {
            if index.columns.is_empty() || index.columns.iter().any(|c| self.position(*c).is_none()) {
                return Err(Error::Internal(format!("index {} has no columns or names an absent one", index.id)));
            }
        }
        Ok(())
    }

    /// Positions of an index's columns.
    pub fn key_positions(&self, index: &IndexSchema) -> Result<Vec<usize>> {
        let find = |c: &ColumnId| {
            self.position(*c).ok_or_else(|| Error::Internal(format!("index {} names absent column {c}", index.id)))
        };
        index.columns.iter().map(find).collect()
    }

    /// An index's columns.
    pub fn key_columns(&self, index: &IndexSchema) -> Result<Vec<&ColumnSchema>> {
        let positions = self.key_positions(index)?;
        Ok(positions.iter().filter_map(|at| self.columns.get(*at)).collect())
    }
}

impl ColumnSchema {
    /// Encodes a one-row array for [`ColumnSchema::missing`].
    pub fn encode_missing(value: &ArrayRef) -> Result<Vec<u8>> {
        let schema = Arc::new(Schema::new(vec![Field::new("missing", value.data_type().clone(), true)]));
        let batch = RecordBatch::try_new(schema.clone(), vec![value.slice(0, 1)])?;
        let mut writer = StreamWriter::try_new(Vec::new(), &schema)?;
        writer.write(&batch)?;
        Ok(writer.into_inner()?)
    }

    /// The value for rows that lack this column, as a one-row array.
    pub fn missing_value(&self) -> Result<ArrayRef> {
        let Some(bytes) = &self.missing else { return Ok(arrow::array::new_null_array(&self.data_type, 1)) };
        let damaged = || Error::Corrupt(format!("the default of column {} is not one row of Arrow IPC", self.name));
        let batch = StreamReader::try_new(bytes.as_slice(), None)?.next().ok_or_else(damaged)??;
        if batch.num_rows() != 1 || batch.num_columns() != 1 || batch.column(0).data_type() != &self.data_type {
            return Err(damaged());
        }
        Ok(batch.column(0).clone())
    }

    /// `missing_value` repeated for `rows` rows.
    pub fn missing_array(&self, rows: usize) -> Result<ArrayRef> {
        if self.missing.is_none() {
            return Ok(arrow::array::new_null_array(&self.data_type, rows));
        }
        let indices = arrow::array::UInt32Array::from_value(0, rows);
        Ok(arrow::compute::take(&self.missing_value()?, &indices, None)?)
    }
}
