//! Array functions and operators (PostgreSQL manual 9.19).

mod column;
mod construct;
mod contain;
mod inspect;
mod search;
mod text;

pub use column::{ArrayColumn, ArrayWriter, Dimension, Frame, List, check_size};

use super::signature::Row;

pub fn functions() -> Vec<Row> {
    [inspect::functions(), construct::functions(), contain::functions(), search::functions(), text::functions()]
        .into_iter()
        .flatten()
        .collect()
}
