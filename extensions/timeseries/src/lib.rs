//! Time series with TimescaleDB's words (docs.timescale.com): an extension of the engine, made of `timescaledb.sql` and the code of its symbols.

mod bookend;
mod bucket;
mod gapfill;
mod histogram;
mod hypertable;
mod size;
mod time_bucket;
mod uuid;

use aegis_engine::extension::{Extension, Symbols};

pub const EXTENSION: Extension = Extension {
    name: "timescaledb",
    version: "2.28.3",
    comment: "Enables scalable inserts and complex queries for time-series data",
    relocatable: false,
    script: concat!(include_str!("timescaledb.sql"), include_str!("hypertable/hypertable.sql")),
    symbols,
};

fn symbols() -> Symbols {
    [
        hypertable::symbols(),
        time_bucket::symbols(),
        gapfill::symbols(),
        bookend::symbols(),
        histogram::symbols(),
        size::symbols(),
        uuid::symbols(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
