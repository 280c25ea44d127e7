//! Range and multirange functions and operators (PostgreSQL manual 9.20, and the constructors of 8.17).

mod aggregate;
mod combine;
mod construct;
mod inspect;
mod relate;
mod sets;

pub use construct::constructor;

use super::signature::Row;

pub fn functions() -> Vec<Row> {
    [construct::functions(), inspect::functions(), relate::functions(), combine::functions(), aggregate::functions()]
        .into_iter()
        .flatten()
        .collect()
}
