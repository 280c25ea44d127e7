//! Time series with TimescaleDB's words (docs.timescale.com): two extensions of the engine, each a script and the code of its symbols.

mod bookend;
mod bucket;
mod columnstore;
mod continuous;
mod gapfill;
mod histogram;
mod hypertable;
mod jobs;
mod labels;
mod latest;
mod size;
mod time_bucket;
mod toolkit;
mod uuid;

use aegis_engine::extension::{Error, Extension, Result, Row, Symbols, Update};

/// `timescaledb` and `timescaledb_toolkit`.
pub const EXTENSIONS: [Extension; 2] = [TIMESCALEDB, toolkit::EXTENSION];

const TIMESCALEDB: Extension = Extension {
    name: "timescaledb",
    version: "2.28.3",
    updates: &[Update { to: "2.28.3.1", script: include_str!("updates/2.28.3.1.sql") }],
    comment: "Enables scalable inserts and complex queries for time-series data",
    script: concat!(
        include_str!("timescaledb.sql"),
        include_str!("hypertable/hypertable.sql"),
        include_str!("continuous/continuous.sql"),
        include_str!("jobs/jobs.sql"),
        include_str!("columnstore/columnstore.sql")
    ),
    symbols,
    parameters: Some(continuous::PARAMETERS),
    committing: Some(continuous::COMMITTING),
    background: Some(jobs::BACKGROUND),
    labels: Some(labels::LABELS),
    ..Extension::EMPTY
};

fn symbols() -> Symbols {
    [
        hypertable::symbols(),
        columnstore::symbols(),
        continuous::symbols(),
        jobs::symbols(),
        time_bucket::symbols(),
        gapfill::symbols(),
        bookend::symbols(),
        labels::symbols(),
        latest::symbols(),
        histogram::symbols(),
        size::symbols(),
        uuid::symbols(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// 0A000 for arguments that mean something in TimescaleDB and nothing here, by position and name, unless they are null.
fn refuse(arguments: &Row, unknown: &[(usize, &str)]) -> Result<()> {
    for (position, name) in unknown {
        if !arguments.value(*position)?.is_null() {
            return Err(Error::unsupported(format!("argument {name}")));
        }
    }
    Ok(())
}
