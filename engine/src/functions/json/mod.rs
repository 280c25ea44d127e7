//! JSON functions and operators (PostgreSQL manual 9.16). `jsonb` is canonical JSON text, so reading it and reading `json` is the same work.

mod access;
mod aggregate;
mod build;
mod modify;
mod populate;
pub mod raw;
pub mod scalars;
mod sets;
pub mod store;
mod writer;

use super::signature::Row;

pub fn functions() -> Vec<Row> {
    [
        access::functions(),
        build::functions(),
        modify::functions(),
        sets::functions(),
        populate::functions(),
        aggregate::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
