//! The store: opens a data directory, begins transactions, flushes, closes.

use std::path::PathBuf;
use std::sync::Arc;

use crate::{Result, Transaction, transaction::Isolation};

/// Limits and places of one store. Every field has the default that the configuration reference shows.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Bytes of rows in memory that start a flush.
    pub memtable_bytes: usize,
    pub wal_segment_bytes: u64,
}

#[derive(Debug)]
pub struct Store {
    _config: Config,
}

impl Store {
    /// Opens or creates the data directory, takes its lock, recovers. Blocking.
    pub fn open(_config: Config) -> Result<Arc<Store>> {
        todo!("storage")
    }

    /// A transaction that reads the newest committed version.
    pub fn begin(self: &Arc<Self>, _isolation: Isolation) -> Transaction {
        todo!("storage")
    }

    /// Writes everything in memory to segments; afterwards recovery has nothing to replay.
    pub async fn flush(&self) -> Result<()> {
        todo!("storage")
    }

    /// Stops background work after a last flush and waits for it.
    pub async fn close(&self) -> Result<()> {
        todo!("storage")
    }

    /// Bytes on disk of a table's segments plus its rows in memory.
    pub fn table_bytes(&self, _table: crate::TableId) -> u64 {
        todo!("storage")
    }
}
