//! Aggregate functions (PostgreSQL manual 9.21).
//!
//! An aggregate without arguments (`count(*)`) is called with one constant that is not null, since DataFusion tells an accumulator how many
//! rows there are only through a column.

mod collect;
mod collection;
mod extreme;
mod fold;
mod hypothetical;
mod logic;
mod ordered_set;
pub mod owned;
mod persist;
mod statistics;
mod step;
mod sum;
mod transition;
mod udaf;

use super::signature::Row;

pub use collection::one;
pub use extreme::compare_floats;
pub use fold::Fold;
pub use persist::Persist;
pub use step::{Step, write_all};
pub use udaf::{Aggregate, fold, whole};

pub fn functions() -> Vec<Row> {
    [
        sum::functions(),
        extreme::functions(),
        logic::functions(),
        statistics::functions(),
        collection::functions(),
        ordered_set::functions(),
        hypothetical::functions(),
        transition::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
