//! The write-ahead log of one node: segment files of checksummed records, written and synced in groups.

mod archive;
mod check;
mod format;
mod reader;
mod writer;

#[cfg(test)]
mod tests;

pub use check::{check, prefix};
pub use reader::{Recovered, recover};
pub use writer::{LocalLog, Options};

use std::path::{Path, PathBuf};

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(segment_name(number))
}

fn segment_name(number: u64) -> String {
    format!("{number:016x}.wal")
}

pub(crate) fn segment_number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".wal").filter(|n| n.len() == 16)?, 16).ok()
}
