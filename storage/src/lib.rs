//! Versioned columnar tables on disk: a write-ahead log, recent rows in Arrow memory, older rows in Parquet, and one
//! manifest. Knows Arrow and Parquet, nothing of SQL.

pub mod command;
mod commit;
pub mod error;
pub mod file;
mod index;
pub mod log;
mod memtable;
mod overlay;
mod scan;
pub mod schema;
pub mod segment;
pub mod store;
pub mod transaction;
mod version;
mod view;

pub use error::{Error, Result};
pub use schema::{ColumnId, ColumnSchema, IndexId, IndexSchema, TableId, TableSchema};
pub use store::{Config, Store};
pub use transaction::{Isolation, RowAddress, Transaction};
