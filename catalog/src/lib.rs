//! What the database consists of: PostgreSQL's types and how they ride on Arrow, names and OIDs, catalog objects
//! stored as rows, and the system catalogs that show them.

pub mod error;
pub mod object;
pub mod sqlstate;
pub mod types;

pub use error::{Error, Result};
pub use types::{Type, oid::Oid};
