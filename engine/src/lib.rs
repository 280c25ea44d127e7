//! Sessions, planning and execution of SQL; the only crate that knows DataFusion.

pub mod parse;
