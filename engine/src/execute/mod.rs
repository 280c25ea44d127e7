//! Running plans: sources of rows, the query runtime, streams of results, and the statements that change rows.

pub mod aggregate;
pub mod array;
pub mod array_store;
pub mod change;
pub mod choose;
mod conflict;
pub mod conform;
mod cross_type;
pub mod deferred;
mod direct;
pub mod domain;
pub mod error;
pub mod foreign_key;
pub mod generic_plan;
pub mod given;
pub mod in_order;
pub mod index_key;
pub mod interrupt;
pub mod key;
pub mod lambda;
pub mod lock;
mod memory_pool;
mod merge;
pub mod operator;
pub mod over_row;
mod point;
mod program;
pub mod provider;
mod referential_action;
pub mod row_rules;
pub mod runtime;
pub mod scan;
pub mod select_locked;
pub mod series;
pub mod shared;
mod sort_copies;
pub mod statement;
pub mod stream;
pub mod system;
#[cfg(test)]
mod tests;

pub use generic_plan::GenericPlan;
pub use given::{evaluate, explain, insert_given};
pub use runtime::{QueryRuntime, RunOptions};
pub use statement::{Change, ChangeResult, Execution, run_change, run_query};
pub use stream::RowStream;
