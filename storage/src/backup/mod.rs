//! Backups of a running store, and restoring one, up to any moment that its log reaches.
//!
//! ```text
//! segments/<table>-<unit>-<crc32>.parquet    shared by all backups: sent once, since segments never change
//! <commit timestamp, 16 hex>/backup.json     put last: without it the backup is not one
//!                            catalog.redb    the manifest
//!                            deletes/        deletion vectors
//!                            wal/            the log after the manifest, up to the backup's timestamp
//! ```
//!
//! That is below a [`Repository`]: a folder, or a bucket. Key files are left out: they are built anew when they are first needed. With an archive
//! of the log, closed segments of the log are copied to `<node>/` in it too, with the segments that they name in `segments/` below, and a
//! restore can go on with them.

pub mod repository;
mod restore;
pub(crate) mod take;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use repository::{Access, Repository, open};
pub use restore::{Restored, restore};
pub use take::{Taken, take};

use crate::schema::TableId;
use crate::segment::Segment;
use crate::{Error, Result};

const FORMAT: u32 = 1;

/// The names within a repository.
const SEGMENTS: &str = "segments";
const DESCRIPTION: &str = "backup.json";
const MANIFEST: &str = "catalog.redb";
const DELETES: &str = "deletes";
const LOG: &str = "wal";

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
    /// Checksums of the files beside it; backups of earlier programs have none.
    #[serde(default)]
    pub files: BTreeMap<String, FileSum>,
    /// crc32 of all of this without it.
    #[serde(default)]
    pub crc32: Option<u32>,
}

impl Description {
    fn sum(&self) -> Result<u32> {
        let json =
            serde_json::to_vec(&Self { crc32: None, ..self.clone() }).map_err(|e| Error::Internal(e.to_string()))?;
        Ok(crc32fast::hash(&json))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FileSum {
    pub bytes: u64,
    pub crc32: u32,
}

/// How far a backup or a restore is, in bytes of segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// Hears of progress; its error ends the work.
pub type Report<'a> = dyn FnMut(Progress) -> Result<()> + 'a;

impl Progress {
    /// Bytes that were moved.
    fn moved(&mut self, bytes: u64, report: &mut Report) -> Result<()> {
        self.done += bytes;
        report(*self)
    }
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
    format!("{SEGMENTS}/{table}-{unit}-{crc:08x}.parquet")
}

/// The folder of a backup, from which its name is read too.
fn folder_name(ts: u64) -> String {
    format!("{ts:016x}")
}

/// Of the backup in a folder; None if it is not a complete one.
fn describe(backup: &dyn Repository) -> Result<Option<Description>> {
    let Some(json) = backup.get(DESCRIPTION)? else { return Ok(None) };
    let damaged = |what: String| Error::Corrupt(format!("\"{}\" {what}", backup.locate(DESCRIPTION)));
    let found: Description = serde_json::from_slice(&json).map_err(|e| damaged(format!("is damaged: {e}")))?;
    if found.format != FORMAT {
        return Err(damaged(format!("has format {}, this program reads {FORMAT}", found.format)));
    }
    if found.crc32.is_some() && found.crc32 != Some(found.sum()?) {
        return Err(damaged("is damaged: its checksum is wrong".into()));
    }
    Ok(Some(found))
}

/// Copies a segment.
fn put_segment(segment: &Segment, to: &dyn Repository, sent: &mut dyn FnMut(u64) -> Result<()>) -> Result<()> {
    let name = segment_name(segment.table, segment.unit, segment.meta.crc);
    match to.put_file(&name, segment.file(), segment.meta.crc, sent)? {
        true => Ok(()),
        false => Err(segment.damaged("its checksum is wrong")),
    }
}

/// Copies a segment that the log is going to name to where the log is archived.
pub(crate) fn archive_segment(segment: &Segment, archive: &dyn Repository) -> Result<()> {
    let name = segment_name(segment.table, segment.unit, segment.meta.crc);
    match archive.len(&name)? {
        Some(len) if len == segment.meta.bytes => Ok(()),
        _ => put_segment(segment, archive, &mut |_| Ok(())),
    }
}
