//! Limits and places of one store.

use std::path::PathBuf;
use std::sync::Arc;

use crate::backup::Repository;
use crate::file::{Disk, RealDisk};

/// Every field has the default that the configuration reference shows.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Bytes of rows in memory that start a flush. Default 64 MiB.
    pub memtable_bytes: usize,
    /// Bytes of rows in memory at which commits wait for the flush. Default 512 MiB.
    pub memtable_stall_bytes: usize,
    /// Milliseconds that a commit waits then before it fails for want of memory. Default 30,000.
    pub memtable_stall_ms: u64,
    /// Bytes of new rows that one transaction may hold in memory. Default 2 GiB.
    pub transaction_bytes: usize,
    /// Bytes of new rows at which a transaction begins to write them to segments of its own, which become visible with its commit. Default 64 MiB.
    pub stage_bytes: usize,
    /// Size of one file of the log, reserved when it is created. Default 64 MiB.
    pub wal_segment_bytes: u64,
    /// Bytes of log that one write and sync take at most. Default 16 MiB. What waits behind it is bounded by the number
    /// of committing transactions, since each waits for its own entry.
    pub wal_batch_bytes: usize,
    /// Bytes of log on disk that start a flush, however little is in memory; at least three segments. Default 512 MiB.
    pub wal_flush_bytes: u64,
    /// Milliseconds that an asynchronous commit may stay unsynced. Default 200.
    pub wal_sync_delay_ms: u64,
    /// Where complete files of the log are copied to, in a folder named after the node, before they may be deleted.
    /// Default none.
    pub wal_archive: Option<Arc<dyn Repository>>,
    /// Rows of a Parquet row group. Default 131,072.
    pub row_group_rows: usize,
    /// Rows up to which a flush merges small segments into one. Default 2,097,152.
    pub merge_rows: u64,
    /// Bytes of segment files up to which a flush merges them. Default 64 MiB.
    pub merge_bytes: u64,
    /// Merge segments in the background. Default true.
    pub compaction_background: bool,
    /// Bytes of segment files per second that merging reads at most; 0 for no limit. Default 64 MiB.
    pub compaction_bytes_per_second: u64,
    /// Neighbouring segments of about one size that are merged. Default 4.
    pub compaction_fan_in: usize,
    /// Segments over one key beyond which some are merged. Default 8.
    pub compaction_overlap: usize,
    /// Percentage of dead rows from which a segment is written anew. Default 20.
    pub compaction_dead_percent: u64,
    /// Bytes and rows that a merged segment may have. Default 512 MiB and 4,194,304.
    pub compaction_max_bytes: u64,
    pub compaction_max_rows: u64,
    /// Bytes of decoded segment footers that are kept. Default 64 MiB.
    pub footer_cache_bytes: usize,
    /// Bytes of decoded pieces of columns that are kept for look-ups of single rows. Default 256 MiB.
    pub piece_cache_bytes: usize,
    /// Bytes of the last rows of series that are kept of segments. Default 64 MiB.
    pub last_rows_cache_bytes: usize,
    /// Milliseconds since 1970, for commit timestamps. Correctness does not depend on it.
    pub now_millis: fn() -> u64,
    /// Called by a thread of the background when it has nothing to do, so that its memory can go back to the system.
    pub on_idle: fn(),
    pub disk: Arc<dyn Disk>,
}

impl Config {
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self { data_dir: data_dir.into(), ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("aegis-data"),
            memtable_bytes: 64 << 20,
            memtable_stall_bytes: 512 << 20,
            memtable_stall_ms: 30_000,
            transaction_bytes: 2 << 30,
            stage_bytes: 64 << 20,
            wal_segment_bytes: 64 << 20,
            wal_batch_bytes: 16 << 20,
            wal_flush_bytes: 512 << 20,
            wal_sync_delay_ms: 200,
            wal_archive: None,
            row_group_rows: 131_072,
            merge_rows: 2 << 20,
            merge_bytes: 64 << 20,
            compaction_background: true,
            compaction_bytes_per_second: 64 << 20,
            compaction_fan_in: 4,
            compaction_overlap: 8,
            compaction_dead_percent: 20,
            compaction_max_bytes: 512 << 20,
            compaction_max_rows: 4 << 20,
            footer_cache_bytes: 64 << 20,
            piece_cache_bytes: 256 << 20,
            last_rows_cache_bytes: 64 << 20,
            now_millis: system_millis,
            on_idle: || {},
            disk: Arc::new(RealDisk),
        }
    }
}

fn system_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
