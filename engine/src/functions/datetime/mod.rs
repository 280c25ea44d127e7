//! Date/time functions and operators (PostgreSQL manual 9.9).

pub mod calendar;
mod casts;
pub mod zone;

use super::signature::Row;

pub fn functions() -> Vec<Row> {
    [casts::functions()].into_iter().flatten().collect()
}
