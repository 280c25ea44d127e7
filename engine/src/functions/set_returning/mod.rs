//! Set-returning functions (PostgreSQL manual 9.25 and others that return rows).

mod lists;
mod partition;
mod record;
mod series;
mod system;
mod text;
mod unnest;

use super::signature::Row;

pub use lists::{body, given, list, set, set_of};
pub use record::{Record, one_record, one_record_of, record, records};

pub fn functions() -> Vec<Row> {
    [series::functions(), unnest::functions(), text::functions(), system::functions(), partition::functions()]
        .into_iter()
        .flatten()
        .collect()
}
