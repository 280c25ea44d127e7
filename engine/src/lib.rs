//! Sessions, planning and execution of SQL; the only crate that knows DataFusion.

pub mod bind;
mod collation;
pub mod copy;
pub mod counters;
pub mod deparse;
pub mod engine;
pub mod execute;
pub mod extension;
pub mod functions;
pub mod large_object;
pub mod lower;
mod memory;
pub mod parse;
pub mod partition;
pub mod privilege;
pub mod session;
pub mod settings;
mod stack;
pub mod statement;
pub mod statement_statistics;
pub mod time_window;

pub use aegis_catalog as catalog;
pub use engine::{Compaction, Config, Engine};
pub use session::Session;
pub use statement::role::password_matches;
