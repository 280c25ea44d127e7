//! The views of `information_schema`, as the SQL standard defines them, over `pg_catalog`. PostgreSQL's domains are shown as
//! their base types: sql_identifier as name, cardinal_number as int4, character_data and yes_or_no as varchar, time_stamp as
//! timestamptz.

/// Name and query of each view.
pub const VIEWS: &[(&str, &str)] = &[];
