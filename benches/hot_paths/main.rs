//! How long the paths take that every statement runs through: `cargo bench --bench hot_paths`, with `-- NAME` some of them. What a change
//! does to them is shown beside the run before it. Figures are only worth something on a quiet machine; what clients see of them is
//! measured beside PostgreSQL by `cargo xtask bench`.

#![allow(clippy::unwrap_used)]

mod codecs;
mod statements;
mod storage;

use criterion::{criterion_group, criterion_main};

criterion_group!(codec_paths, codecs::copy_from, codecs::copy_to, codecs::result_rows);
criterion_group!(storage_paths, storage::commits, storage::look_ups, storage::scans, storage::flush);
criterion_group!(statement_paths, statements::short, statements::planning);
criterion_main!(codec_paths, storage_paths, statement_paths);
