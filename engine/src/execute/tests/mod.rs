//! Statements from text to rows, over a store in memory. Expectations come from PostgreSQL 15.

mod change;
mod generic_plan;
mod query;
mod server;
mod subquery;
