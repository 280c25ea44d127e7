//! Geometric functions and operators (PostgreSQL manual 9.11, geo_ops.c).

mod construct;
mod measure;
mod relate;
mod shape;

use super::signature::Row;

pub fn functions() -> Vec<Row> {
    [construct::functions(), relate::functions()].into_iter().flatten().collect()
}
