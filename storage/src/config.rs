//! Limits and places of one store.

use std::path::PathBuf;
use std::sync::Arc;

use crate::file::{Disk, RealDisk};

/// Every field has the default that the configuration reference shows.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Bytes of rows in memory that start a flush. Default 64 MiB.
    pub memtable_bytes: usize,
    /// Bytes of rows in memory at which commits wait for the flush. Default 512 MiB.
    pub memtable_stall_bytes: usize,
    /// Bytes of new rows that one transaction may hold. Default 2 GiB.
    pub transaction_bytes: usize,
    /// Size of one file of the log, reserved when it is created. Default 64 MiB.
    pub wal_segment_bytes: u64,
    /// Bytes of log that one write and sync take at most. Default 16 MiB. What waits behind it is bounded by the number
    /// of committing transactions, since each waits for its own entry.
    pub wal_batch_bytes: usize,
    /// Bytes of log on disk that start a flush, however little is in memory; at least three segments. Default 512 MiB.
    pub wal_flush_bytes: u64,
    /// Milliseconds that an asynchronous commit may stay unsynced. Default 200.
    pub wal_sync_delay_ms: u64,
    /// Rows of a Parquet row group. Default 131,072.
    pub row_group_rows: usize,
    /// Rows up to which a flush merges small segments into one. Default 2,097,152.
    pub merge_rows: u64,
    /// Bytes of segment files up to which a flush merges them. Default 64 MiB.
    pub merge_bytes: u64,
    /// Milliseconds since 1970, for commit timestamps. Correctness does not depend on it.
    pub now_millis: fn() -> u64,
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
            transaction_bytes: 2 << 30,
            wal_segment_bytes: 64 << 20,
            wal_batch_bytes: 16 << 20,
            wal_flush_bytes: 512 << 20,
            wal_sync_delay_ms: 200,
            row_group_rows: 131_072,
            merge_rows: 2 << 20,
            merge_bytes: 64 << 20,
            now_millis: system_millis,
            disk: Arc::new(RealDisk),
        }
    }
}

fn system_millis() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}
