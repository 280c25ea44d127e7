//! Date/time functions and operators (PostgreSQL manual 9.9).

pub mod arithmetic;
pub mod calendar;
mod casts;
pub mod extract;
mod functions;
pub mod zone;

use super::signature::Row;

pub use functions::clock;

pub fn functions() -> Vec<Row> {
    [casts::functions(), arithmetic::functions(), extract::functions(), functions::functions()]
        .into_iter()
        .flatten()
        .collect()
}
