//! What can go wrong in the store, as callers need to tell it apart.

use crate::schema::{IndexId, TableId};

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique key exists already (23505). `key` is the row of the offending batch handed to `insert`, if known.
    #[error("duplicate key in index {index}")]
    DuplicateKey { table: TableId, index: IndexId, row: Option<usize>, key: Option<arrow::array::RecordBatch> },
    /// Another transaction changed a row that this one changes too (40001).
    #[error("could not serialize access due to concurrent update")]
    Conflict { table: TableId },
    /// Another transaction changed what this serializable one has read (40001).
    #[error("could not serialize access due to read/write dependencies among transactions")]
    ReadConflict { table: TableId },
    #[error("table {0} does not exist in this snapshot")]
    NoTable(TableId),
    /// The disk is full (53100).
    #[error("no space left on device: {0}")]
    DiskFull(String),
    /// A memory or queue limit was reached (53200).
    #[error("out of memory: {0}")]
    OutOfMemory(String),
    /// Stored bytes are damaged (XX001); the message says which file and what to do.
    #[error("{0}")]
    Corrupt(String),
    /// The store stopped after an I/O failure and takes no more writes (57P01 to clients).
    #[error("the store has stopped: {0}")]
    Stopped(String),
    /// Whoever asked for it does not want it any more (57014).
    #[error("the work was interrupted")]
    Interrupted,
    /// Another process uses the data directory.
    #[error("data directory {} is in use by another process{}", data_dir.display(), holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Locked { data_dir: std::path::PathBuf, holder: Option<u32> },
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Arrow(#[from] arrow::error::ArrowError),
    #[error(transparent)]
    Parquet(#[from] parquet::errors::ParquetError),
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// An I/O error with the file it happened on; a full disk becomes [`Error::DiskFull`].
    pub(crate) fn at(path: &std::path::Path) -> impl Fn(std::io::Error) -> Error {
        move |e| match e.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                Error::DiskFull(format!("could not write \"{}\"", path.display()))
            }
            _ => Error::Io(std::io::Error::new(e.kind(), format!("{}: {e}", path.display()))),
        }
    }
}
