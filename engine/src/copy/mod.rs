//! COPY's file formats: bytes to columns and back. Pure but for `parsing`, which has a thread parse; PostgreSQL manual, "COPY", section "File Formats".

mod binary;
mod csv;
mod encoding;
mod line;
mod options;
mod parsing;
mod reader;
mod text;
mod writer;

use aegis_catalog::types::Type;

pub use encoding::Encoding;
pub use options::{CopyFormat, CopyOptions, Header};
pub use parsing::{Parsed, Parsing};
pub use reader::{CopiedRows, CopyReader};
pub use writer::CopyWriter;

/// A column that COPY reads or writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyColumn {
    pub name: String,
    pub ty: Type,
}

/// Which columns an option like FORCE_NULL is about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ColumnSet {
    #[default]
    None,
    All,
    Named(Vec<String>),
}
