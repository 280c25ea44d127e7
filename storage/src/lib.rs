//! Versioned columnar tables on disk: a write-ahead log, recent rows in Arrow memory, older rows in Parquet, and one
//! manifest. Knows Arrow and Parquet, nothing of SQL.

pub mod error;
pub mod schema;
pub mod store;
pub mod transaction;

pub use error::{Error, Result};
pub use schema::{ColumnId, ColumnSchema, IndexId, IndexSchema, TableId, TableSchema};
pub use store::{Config, Store};
pub use transaction::{Isolation, RowAddress, Transaction};
