//! What the database consists of: PostgreSQL's types and how they ride on Arrow, names and OIDs, catalog objects
//! stored as rows, and the system catalogs that show them.

pub mod builtins;
pub mod error;
pub mod facts;
pub mod fixed_oid;
pub mod image;
pub mod name;
pub mod object;
pub mod sqlstate;
pub mod system;
mod type_entry;
pub mod types;

pub use builtins::Builtins;
pub use error::{Error, Result};
pub use image::{Catalog, TypeEntry};
pub use name::SearchPath;
pub use types::{Type, oid::Oid};
