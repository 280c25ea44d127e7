//! What the database consists of: PostgreSQL's types and how they ride on Arrow, names and OIDs, catalog objects
//! stored as rows, and the system catalogs that show them.

pub mod acl;
mod bootstrap;
pub mod built_in_extension;
pub mod builtins;
mod change;
pub mod definition;
pub mod dependency;
pub mod error;
pub mod extension_facts;
pub mod facts;
pub mod fixed_oid;
pub mod image;
pub mod information_schema;
pub mod large_object;
pub mod name;
pub mod object;
mod oid_allocator;
pub mod pg_catalog;
pub mod reg_names;
pub mod sqlstate;
mod storage_error;
pub mod store;
pub mod system;
mod system_tables;
pub mod text_search;
pub mod transaction;
pub mod two_phase;
mod type_entry;
pub mod types;

pub use builtins::Builtins;
pub use change::TemporaryObjects;
pub use error::{Error, Result};
pub use image::{Catalog, TypeEntry};
pub use name::SearchPath;
pub use reg_names::CatalogNames;
pub use store::CatalogStore;
pub use transaction::{CatalogSavepoint, CatalogTransaction};
pub use types::{Type, oid::Oid};
