//! Segments: immutable Parquet files of older rows.
//!
//! Column `c` of a table is stored as `c<id>`, so that added, dropped and renamed columns need no rewrite. Two hidden
//! columns hold each row's identity: `__ts` (commit timestamp) and `__row` (ordinal within that commit).

mod by_statistics;
pub mod deletes;
pub mod encoding;
pub mod footers;
pub mod hot;
pub mod keys;
pub mod prune;
pub mod reader;
pub mod stored;
pub mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef};
use arrow::ipc::reader::StreamReader;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::file::blocks::{self, CheckedFile};
use crate::file::{Disk, File};
use crate::last_rows::LastRowsCache;
use crate::order::SortOrder;
use crate::schema::{ColumnId, IndexId, TableId};
use crate::version::STAGED_UNITS;
use crate::{Error, Result};
use footers::FooterCache;
use hot::PieceCache;

pub const TS_COLUMN: &str = "__ts";
pub const ROW_COLUMN: &str = "__row";

/// The name in the file of a table's column.
pub fn column_name(id: ColumnId) -> String {
    format!("c{id}")
}

/// Where the segments are, and what their readers share.
#[derive(Debug, Clone)]
pub struct SegmentFolder {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    pub footers: Arc<FooterCache>,
    pub pieces: Arc<PieceCache>,
    pub last_rows: Arc<LastRowsCache>,
}

impl SegmentFolder {
    /// Removes the files of a segment that came to nothing.
    pub fn discard(&self, table: TableId, unit: u32) {
        let prefix = format!("{}.", stem(table, unit));
        for name in self.disk.list(&self.dir).unwrap_or_default().iter().filter(|name| name.starts_with(&prefix)) {
            // Left behind it is only litter, which the next start sweeps up.
            let _ = self.disk.remove(&self.dir.join(name));
        }
    }
}

/// What the manifest says of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentMeta {
    pub rows: u32,
    pub bytes: u64,
    /// crc32 of the whole file.
    pub crc: u32,
    /// And of its blocks; empty if it is from before there were any.
    #[serde(default, with = "blocks::hex")]
    pub blocks: Vec<u32>,
    /// The columns that its rows are in the order of; empty if there are none.
    pub sorted_by: Vec<ColumnId>,
    /// See [`SortOrder::within`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sorted_within: Option<(ColumnId, i64)>,
    pub columns: Vec<ColumnId>,
    /// Nulls in each of them.
    pub nulls: Vec<u64>,
    /// Oldest and newest commit of its rows.
    pub min_ts: u64,
    pub max_ts: u64,
    /// Smallest and largest values as two rows of Arrow IPC, columns named as in the file; null where unknown. Stored
    /// beside the JSON of the rest.
    #[serde(skip)]
    pub ranges: Option<Vec<u8>>,
}

impl SegmentMeta {
    pub fn order(&self) -> SortOrder {
        SortOrder { columns: self.sorted_by.clone(), within: self.sorted_within }
    }
}

/// Smallest and largest value of columns, each an array of one row.
type Ranges = HashMap<ColumnId, (ArrayRef, ArrayRef)>;

#[derive(Debug)]
pub struct Segment {
    pub table: TableId,
    pub unit: u32,
    pub path: PathBuf,
    pub meta: Arc<SegmentMeta>,
    disk: Arc<dyn Disk>,
    file: CheckedFile,
    footers: Arc<FooterCache>,
    pieces: Arc<PieceCache>,
    pub(crate) last_rows: Arc<LastRowsCache>,
    ranges: OnceLock<Ranges>,
    keys: Mutex<HashMap<IndexId, Arc<keys::KeyLookup>>>,
    /// No manifest names it any more: the files go when the last reader does.
    retired: AtomicBool,
}

/// The file name of a segment without extension.
pub fn stem(table: TableId, unit: u32) -> String {
    format!("{table}-{unit}")
}

impl Segment {
    pub fn open(folder: &SegmentFolder, table: TableId, unit: u32, meta: Arc<SegmentMeta>) -> Result<Self> {
        let SegmentFolder { disk, dir, footers, pieces, last_rows } = folder.clone();
        let path = dir.join(stem(table, unit)).with_extension("parquet");
        let damaged = |what: String| {
            Error::Corrupt(format!(
                "segment \"{}\" {what}; restore it from a backup, or re-seed this node from a replica",
                path.display()
            ))
        };
        let file = disk.open(&path).map_err(|e| damaged(format!("cannot be opened: {e}")))?;
        let len = file.len().map_err(Error::at(&path))?;
        if len != meta.bytes {
            return Err(damaged(format!("has {len} bytes instead of {}", meta.bytes)));
        }
        let (ranges, keys, retired) = (OnceLock::new(), Mutex::default(), AtomicBool::new(false));
        let file = CheckedFile::new(file, meta.bytes, &meta.blocks);
        Ok(Self { table, unit, path, meta, disk, file, footers, pieces, last_rows, ranges, keys, retired })
    }

    pub fn file(&self) -> &dyn File {
        self.file.unchecked()
    }

    /// Was it written before its commit had a timestamp? Then all its rows are of `meta.max_ts`, whatever its column says.
    pub fn is_staged(&self) -> bool {
        self.unit >= STAGED_UNITS
    }

    /// A staged segment as a part of its table since commit `ts`; its files stay from now on.
    pub fn committed(&self, ts: u64) -> Self {
        self.retired.store(false, Ordering::Release);
        let meta = SegmentMeta { min_ts: ts, max_ts: ts, ..self.meta.as_ref().clone() };
        Self {
            table: self.table,
            unit: self.unit,
            path: self.path.clone(),
            meta: Arc::new(meta),
            disk: self.disk.clone(),
            file: self.file.clone(),
            footers: self.footers.clone(),
            pieces: self.pieces.clone(),
            last_rows: self.last_rows.clone(),
            ranges: OnceLock::new(),
            keys: Mutex::new(self.keys.lock().clone()),
            retired: AtomicBool::new(false),
        }
    }

    /// Its files are to be deleted when the last reader is gone.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Smallest and largest value of a column, if known.
    pub fn range(&self, column: ColumnId) -> Result<Option<(ArrayRef, ArrayRef)>> {
        let ranges = match self.ranges.get() {
            Some(known) => known,
            None => {
                let known = self.decode_ranges()?;
                self.ranges.get_or_init(|| known)
            }
        };
        Ok(ranges.get(&column).cloned())
    }

    fn decode_ranges(&self) -> Result<Ranges> {
        let Some(bytes) = &self.meta.ranges else { return Ok(Ranges::new()) };
        let Some(batch) = StreamReader::try_new(bytes.as_slice(), None)?.next().transpose()? else {
            return Ok(Ranges::new());
        };
        let known = self.meta.columns.iter().filter_map(|id| {
            let values = batch.column_by_name(&column_name(*id))?;
            (values.len() == 2 && values.null_count() == 0).then(|| (*id, (values.slice(0, 1), values.slice(1, 1))))
        });
        Ok(known.collect())
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.footers.remove((self.table, self.unit));
        if !self.retired.load(Ordering::Acquire) {
            return;
        }
        self.pieces.forget(self.table, self.unit);
        self.last_rows.forget(self.table, self.unit);
        let prefix = format!("{}.", stem(self.table, self.unit));
        let dir = self.path.parent().unwrap_or(Path::new("."));
        let names = self.disk.list(dir).unwrap_or_default();
        for name in names.iter().filter(|name| name.starts_with(&prefix)) {
            if let Err(error) = self.disk.remove(&dir.join(name)) {
                tracing::warn!(name, %error, "could not delete a file that is no longer used; the next start will");
            }
        }
    }
}
