//! The wall clock, in PostgreSQL's resolution.

use std::time::{SystemTime, UNIX_EPOCH};

/// µs since 1970-01-01 UTC.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
