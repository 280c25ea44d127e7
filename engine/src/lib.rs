//! Sessions, planning and execution of SQL; the only crate that knows DataFusion.

pub mod bind;
pub mod functions;
pub mod parse;
pub mod session;

pub use aegis_catalog as catalog;
