//! Mathematical functions and operators (PostgreSQL manual 9.3).

pub mod float;
mod integer;
mod larger;
mod money;
mod numeric;
mod random;

use super::signature::Row;

pub use integer::out_of_range;

pub fn functions() -> Vec<Row> {
    [
        integer::functions(),
        float::functions(),
        numeric::functions(),
        random::functions(),
        larger::functions(),
        money::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
