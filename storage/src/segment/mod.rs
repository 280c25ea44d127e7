//! Segments: immutable Parquet files of older rows.
//!
//! Column `c` of a table is stored as `c<id>`, so that added, dropped and renamed columns need no rewrite. Two hidden
//! columns hold each row's identity: `__ts` (commit timestamp) and `__row` (ordinal within that commit).

pub mod keys;
pub mod reader;
pub mod stored;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use serde::{Deserialize, Serialize};

use crate::file::{Disk, File};
use crate::schema::{ColumnId, TableId};

pub const TS_COLUMN: &str = "__ts";
pub const ROW_COLUMN: &str = "__row";

/// The name in the file of a table's column.
pub fn column_name(id: ColumnId) -> String {
    format!("c{id}")
}

/// What the manifest says of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentMeta {
    pub rows: u32,
    pub bytes: u64,
    pub columns: Vec<ColumnId>,
    /// Oldest and newest commit of its rows.
    pub min_ts: u64,
    pub max_ts: u64,
    pub statistics: Vec<ColumnStatistics>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnStatistics {
    pub column: ColumnId,
    pub nulls: u64,
    /// Two rows, smallest and largest value, as Arrow IPC; None if unknown or all null.
    pub range: Option<Vec<u8>>,
}

#[derive(Debug)]
pub struct Segment {
    pub table: TableId,
    pub unit: u32,
    pub path: PathBuf,
    pub meta: SegmentMeta,
    disk: Arc<dyn Disk>,
    file: Arc<dyn File>,
    footer: OnceLock<ArrowReaderMetadata>,
    /// No manifest names it any more: the file goes when the last reader does.
    retired: AtomicBool,
}

impl Segment {
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        if self.retired.load(Ordering::Acquire) {
            if let Err(error) = self.disk.remove(&self.path) {
                tracing::warn!(path = %self.path.display(), %error, "could not delete a segment that is no longer used");
            }
        }
    }
}
