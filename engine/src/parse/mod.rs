//! SQL text to syntax tree. The only module that knows the parser library.

pub mod ast;
pub mod utility;
