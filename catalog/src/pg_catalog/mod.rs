//! The views of `pg_catalog`: SQL text over its base relations and the server's functions, one file each.

/// Name and query of each view.
pub const VIEWS: &[(&str, &str)] = &[];
