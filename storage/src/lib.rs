//! Versioned columnar tables on disk: a write-ahead log, recent rows in Arrow memory, older rows in Parquet, and one
//! manifest. Knows Arrow and Parquet, nothing of SQL.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod backup;
mod blocking;
pub mod check;
pub mod command;
mod commit;
mod compaction;
mod config;
mod dead_rows;
pub mod error;
mod few_rows;
pub mod file;
mod flush;
mod flusher;
mod index;
pub mod last_rows;
pub mod lock;
pub mod log;
mod manifest;
mod measure;
mod memtable;
mod order;
mod overlay;
mod pins;
mod predicate;
mod read_set;
mod recovery;
mod rewrite;
mod scan;
pub mod schema;
pub mod segment;
mod staged;
pub mod store;
pub mod transaction;
mod two_phase;
mod version;
mod view;
pub mod wal;

pub use blocking::block_on;
pub use compaction::range::ColumnRange;
pub use error::{Error, Result};
pub use measure::{ColumnEncoding, RangeSize};
pub use order::SortOrder;
pub use read_set::HeldReads;
pub use schema::{ColumnId, ColumnSchema, IndexId, IndexSchema, TableId, TableSchema, Windows};
pub use store::{Config, Store};
pub use transaction::{Isolation, RowAddress, Transaction};
