//! The hyperfunctions of TimescaleDB Toolkit: aggregates whose results are summaries, functions that read them, and `rollup`, which makes one
//! summary of several.

mod candlestick;
mod composite;
mod counter;
mod hyperloglog;
mod moments;
mod points;
mod rollup;
mod smooth;
mod stats;
mod tdigest;
mod time_weight;

use aegis_engine::extension::{Extension, Symbols, Update};

pub const EXTENSION: Extension = Extension {
    name: "timescaledb_toolkit",
    version: "1.22.0",
    updates: &[Update { to: "1.22.0.1", script: include_str!("../updates/toolkit-1.22.0.1.sql") }],
    comment: "Library of analytical hyperfunctions, time-series pipelining, and other SQL utilities",
    script: include_str!("toolkit.sql"),
    symbols,
    ..Extension::EMPTY
};

fn symbols() -> Symbols {
    [
        candlestick::symbols(),
        counter::symbols(),
        time_weight::symbols(),
        stats::symbols(),
        tdigest::symbols(),
        hyperloglog::symbols(),
        smooth::symbols(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
