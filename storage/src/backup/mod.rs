//! Backups of a running store, and restoring one, up to any moment that its log reaches.
//!
//! ```text
//! DEST/segments/<table>-<unit>-<crc32>.parquet    shared by all backups: written once, since segments never change
//! DEST/<commit timestamp, 16 hex>/backup.json     written last: without it the backup is not one
//!                                 catalog.redb    the manifest
//!                                 deletes/        deletion vectors
//!                                 wal/            the log after the manifest, up to the backup's timestamp
//! ```
//!
//! Key files are left out: they are built anew when they are first needed. With `wal_archive_dir`, closed segments of the
//! log are copied to `<archive>/<node>/` too, with the segments that they name in `segments/` below, and a restore can go on with them.

mod restore;
pub(crate) mod take;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use restore::{Restored, restore};
pub use take::{Taken, take};

use crate::segment::Segment;

use crate::file::{Disk, File, RealDisk, read_all};
use crate::schema::TableId;
use crate::wal;
use crate::{Error, Result};

const FORMAT: u32 = 1;

/// What `backup.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Description {
    pub format: u32,
    /// Where it was taken.
    pub node: String,
    /// Holds every commit up to here and none after.
    pub ts: u64,
    /// Its segments do up to here.
    pub flushed_ts: u64,
}

/// The last timestamp of a millisecond since 1970: what a restore to that moment takes.
pub fn end_of_millisecond(millis: u64) -> u64 {
    (millis << 16) | 0xFFFF
}

/// Milliseconds since 1970 of a commit timestamp.
pub fn milliseconds(ts: u64) -> u64 {
    ts >> 16
}

fn segment_name(table: TableId, unit: u32, crc: u32) -> String {
    format!("{table}-{unit}-{crc:08x}.parquet")
}

/// Writes a file so that it is there whole and synced, or not at all.
fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let tmp = with_suffix(path, ".tmp");
    crate::file::write_atomic(&RealDisk, path, &tmp, bytes).map_err(Error::at(path))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Bytes read at a time.
const COPY_BYTES: usize = 4 << 20;

/// Copies a file durably and returns the crc32 of what was copied.
fn copy(from: &dyn File, to: &Path) -> Result<u32> {
    let tmp = with_suffix(to, ".tmp");
    let copied = || -> std::io::Result<u32> {
        let (out, len) = (RealDisk.create(&tmp)?, from.len()?);
        let (mut offset, mut hasher) = (0, crc32fast::Hasher::new());
        while offset < len {
            let mut bytes = vec![0; usize::try_from(len - offset).unwrap_or(COPY_BYTES).min(COPY_BYTES)];
            from.read_exact_at(&mut bytes, offset)?;
            hasher.update(&bytes);
            out.write_all_at(&bytes, offset)?;
            offset += bytes.len() as u64;
        }
        out.sync_data()?;
        RealDisk.rename(&tmp, to)?;
        Ok(hasher.finalize())
    };
    copied().map_err(Error::at(to))
}

/// Copies a segment that the log is going to name to where the log is archived.
pub(crate) fn archive_segment(segment: &Segment, archive: &Path) -> Result<()> {
    let dir = archive.join("segments");
    RealDisk.create_dir_all(&dir).map_err(Error::at(&dir))?;
    take::copy_segment(segment, &dir)?;
    RealDisk.sync_dir(&dir).map_err(Error::at(&dir))
}

/// The numbers of the log segments in a folder.
fn log_numbers(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
    let names = match disk.list(dir) {
        Ok(names) => names,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(Error::at(dir)(error)),
    };
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| wal::segment_number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// A whole file; None if there is none.
fn read_if_there(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>> {
    match disk.open(path).and_then(|file| read_all(file.as_ref())) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::at(path)(error)),
    }
}
