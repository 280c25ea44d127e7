//! The protocol by scripted messages (`scripts/*.wire`; the language is described in `script.rs`).
//!
//! The scripts run against a server of their own, or against the one that `AEGIS_WIRE_TEST` names: `aegis://HOST:PORT/DATABASE` or
//! `postgres://HOST:PORT/DATABASE`. Running them on PostgreSQL 15 guards the oracle:
//!
//! ```text
//! AEGIS_WIRE_TEST=postgres://127.0.0.1:5432/postgres cargo test --test protocol
//! ```
//!
//! `AEGIS_WIRE_CASE` restricts the run to cases whose name contains it.

#![allow(clippy::unwrap_used)]

mod client;
mod script;
mod server;
mod token;

use std::path::Path;

use script::{Target, run_file};

#[test]
fn scripts() {
    let filter = std::env::var("AEGIS_WIRE_CASE").unwrap_or_default();
    match std::env::var("AEGIS_WIRE_TEST") {
        Ok(url) => {
            let (server, rest) = url.split_once("://").expect("SERVER://HOST:PORT/DATABASE");
            let (address, database) = rest.split_once('/').expect("SERVER://HOST:PORT/DATABASE");
            run(&Target { address, user: "postgres", database, server }, &filter);
        }
        Err(_) => {
            let running = server::start();
            let address = running.address();
            run(&Target { address: &address, user: "postgres", database: "postgres", server: "aegis" }, &filter);
            running.stop();
        }
    }
}

fn run(target: &Target<'_>, filter: &str) {
    let folder = Path::new("tests/protocol/scripts");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let (mut ran, mut failures) = (0, Vec::new());
    for file in files {
        let (count, failed) = run_file(target, &file, filter);
        ran += count;
        failures.extend(failed);
    }
    for failure in &failures {
        eprintln!("{}\n    {}", failure.case, failure.reason);
    }
    assert!(failures.is_empty(), "{} of {ran} cases failed", failures.len());
}
