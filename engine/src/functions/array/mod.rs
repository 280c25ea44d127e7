//! Array functions and operators (PostgreSQL manual 9.19).

mod column;

pub use column::{ArrayColumn, ArrayWriter, Dimension, Frame, List, check_size};
