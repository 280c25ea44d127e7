//! Functions and procedures: CREATE, ALTER, DROP and CALL (PostgreSQL manual, "CREATE FUNCTION" and following).

mod aggregate;
mod alter;
mod call;
mod create;
mod drop;
mod find;
mod inline;
mod options;
mod parameters;

pub use aggregate::create as create_aggregate;
pub use alter::alter;
pub use call::{call, call_within, describe, refuse_in_body};
pub use create::create;
pub use drop::drop;
pub use find::{existing, row, signature};
pub use inline::run as run_inline;
