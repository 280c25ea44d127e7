//! Syntax tree to bound tree: PostgreSQL's name, type, operator, function, cast and parameter resolution (manual chapter 10).

pub mod tree;
