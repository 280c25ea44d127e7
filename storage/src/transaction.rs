//! One transaction: a snapshot to read from, a write set, and its commit.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;

use crate::schema::{IndexId, TableId, TableSchema};
use crate::{Error, Result};

/// Where a row version lives in the version a transaction has pinned; opaque outside the store. Travels through
/// plans as a UInt64 column named [`ADDRESS_COLUMN`].
pub type RowAddress = u64;

/// Name of the hidden column of row addresses in a scan that asks for it.
pub const ADDRESS_COLUMN: &str = "__address";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// [`Transaction::refresh`] moves the snapshot forward before each statement.
    ReadCommitted,
    /// Snapshot isolation, first committer wins.
    RepeatableRead,
}

/// What a table's scan consists of, at one snapshot with the transaction's own changes applied. Each live row is in
/// exactly one part.
#[derive(Debug, Clone)]
pub struct TableScan {
    /// All columns of the table in schema order (no address column).
    pub schema: SchemaRef,
    /// Rows in memory.
    pub chunks: Vec<ChunkScan>,
    /// Parquet files.
    pub segments: Vec<SegmentScan>,
    /// Live rows, if known without reading.
    pub row_count: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct ChunkScan {
    pub batch: RecordBatch,
    /// Rows of `batch` that are visible; None means all.
    pub visible: Option<arrow::buffer::BooleanBuffer>,
    /// Address of row i is `first_address + i`.
    pub first_address: RowAddress,
}

#[derive(Debug, Clone)]
pub struct SegmentScan {
    pub path: std::path::PathBuf,
    pub bytes: u64,
    pub rows: u64,
    /// Rows that must not be seen; None means none. Row i of the file has address `first_address + i`.
    pub deleted: Option<Arc<roaring::RoaringBitmap>>,
    pub first_address: RowAddress,
    /// Columns of the table that this file lacks (added later) are filled from `ColumnSchema::missing`.
    /// Column `c` is stored in the file under the name `c<id>`.
    pub column_ids: Vec<crate::ColumnId>,
}

/// A point in a transaction's write set to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint(pub usize);

#[derive(Debug)]
pub struct Transaction {
    _store: Arc<crate::Store>,
}

impl Transaction {
    /// Commit timestamp of the newest transaction that this one sees.
    pub fn snapshot(&self) -> u64 {
        todo!("storage")
    }

    /// READ COMMITTED: sees what was committed until now. Own changes stay. No-op at REPEATABLE READ.
    pub fn refresh(&mut self) -> Result<()> {
        todo!("storage")
    }

    /// True if something was written.
    pub fn has_writes(&self) -> bool {
        todo!("storage")
    }

    pub fn create_table(&mut self, _table: TableId, _schema: TableSchema) -> Result<()> {
        todo!("storage")
    }

    /// Columns added or dropped, indexes added or dropped. A new unique index is checked against the existing rows.
    pub fn alter_table(&mut self, _table: TableId, _schema: TableSchema) -> Result<()> {
        todo!("storage")
    }

    pub fn drop_table(&mut self, _table: TableId) -> Result<()> {
        todo!("storage")
    }

    pub fn table_schema(&self, _table: TableId) -> Result<Arc<TableSchema>> {
        todo!("storage")
    }

    /// Buffers new rows; columns in schema order. Unique keys are checked against the snapshot and the transaction's own
    /// rows at once, and against later commits at commit.
    pub fn insert(&mut self, _table: TableId, _rows: &RecordBatch) -> Result<()> {
        todo!("storage")
    }

    /// Marks rows dead. Addresses come from a scan of this transaction; a row that is dead already is skipped.
    /// Returns how many died.
    pub fn delete(&mut self, _table: TableId, _addresses: &UInt64Array) -> Result<usize> {
        todo!("storage")
    }

    /// Deletes and inserts as one change: unique keys are checked only after both, as UPDATE needs it.
    pub fn update(&mut self, _table: TableId, _addresses: &UInt64Array, _rows: &RecordBatch) -> Result<()> {
        todo!("storage")
    }

    pub fn scan(&self, _table: TableId) -> Result<TableScan> {
        todo!("storage")
    }

    /// For each key row (columns of the index, in index order) the address of the visible row with that key.
    pub fn lookup(&self, _table: TableId, _index: IndexId, _keys: &RecordBatch) -> Result<Vec<Option<RowAddress>>> {
        todo!("storage")
    }

    /// Rows by address, in the order asked for, projected to `columns` (positions in the schema).
    pub fn fetch(&self, _table: TableId, _addresses: &[RowAddress], _columns: &[usize]) -> Result<RecordBatch> {
        todo!("storage")
    }

    pub fn savepoint(&self) -> Savepoint {
        todo!("storage")
    }

    /// Undoes every change since the savepoint, exactly.
    pub fn rollback_to(&mut self, _savepoint: Savepoint) -> Result<()> {
        todo!("storage")
    }

    /// Durable when it returns Ok (if `synchronous`). Returns the commit timestamp.
    pub async fn commit(self, _synchronous: bool) -> Result<u64, Error> {
        todo!("storage")
    }
}
