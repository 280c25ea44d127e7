//! Array functions and operators (PostgreSQL manual 9.19).

mod column;

pub use column::{ArrayColumn, Dimension, List};
