//! The deletion vector of a segment on disk: a roaring bitmap of dead rows exactly as of a flush.
//!
//! `<segment>.<ts>.deletes`: "AEGISDEL", u32 version, u32 crc32 of the rest, then the bitmap in Roaring's portable format.

use std::path::{Path, PathBuf};

use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use super::stem;
use crate::file::{Disk, read_all};
use crate::schema::TableId;
use crate::{Error, Result};

const MAGIC: [u8; 8] = *b"AEGISDEL";
const VERSION: u32 = 1;
const HEADER: usize = 16;

/// What the manifest says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeletesMeta {
    /// The flush that wrote it, part of its name.
    pub ts: u64,
    pub rows: u64,
    pub crc: u32,
}

pub fn path(dir: &Path, table: TableId, unit: u32, ts: u64) -> PathBuf {
    dir.join(stem(table, unit)).with_extension(format!("{ts}.deletes"))
}

/// Writes and syncs the file; the caller syncs the directory.
pub fn write(disk: &dyn Disk, path: &Path, ts: u64, deleted: &RoaringBitmap) -> Result<DeletesMeta> {
    let mut bytes = vec![0; HEADER];
    deleted.serialize_into(&mut bytes)?;
    let crc = crc32fast::hash(&bytes[HEADER..]);
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    let write = || {
        let file = disk.create(path)?;
        file.write_all_at(&bytes, 0)?;
        file.sync_data()
    };
    write().map_err(Error::at(path))?;
    Ok(DeletesMeta { ts, rows: deleted.len(), crc })
}

pub fn read(disk: &dyn Disk, path: &Path, meta: &DeletesMeta) -> Result<RoaringBitmap> {
    let damaged = |what: String| {
        Error::Corrupt(format!(
            "the deleted rows in \"{}\" {what}; restore the file from a backup, or re-seed this node from a replica",
            path.display()
        ))
    };
    let bytes = disk.open(path).and_then(|file| read_all(file.as_ref()));
    let bytes = bytes.map_err(|e| damaged(format!("cannot be read: {e}")))?;
    let (Some(header), Some(body)) = (bytes.get(..HEADER), bytes.get(HEADER..)) else {
        return Err(damaged("end too early".into()));
    };
    let crc = meta.crc.to_le_bytes();
    if header[..8] != MAGIC
        || header[8..12] != VERSION.to_le_bytes()
        || header[12..] != crc
        || crc32fast::hash(body) != meta.crc
    {
        return Err(damaged("are damaged".into()));
    }
    let deleted = RoaringBitmap::deserialize_from(body).map_err(|e| damaged(format!("are damaged: {e}")))?;
    if deleted.len() != meta.rows {
        return Err(damaged(format!("number {} instead of {}", deleted.len(), meta.rows)));
    }
    Ok(deleted)
}
