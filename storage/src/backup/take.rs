//! Copies what a store is made of while it goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::{Description, FORMAT, copy, log_numbers, segment_name, write_file};
use crate::file::{Disk, RealDisk, read_all};
use crate::manifest::{Manifest, ManifestState};
use crate::schema::TableId;
use crate::segment::{Segment, SegmentFolder, deletes};
use crate::wal;
use crate::{Error, Result};

/// What a backup is and what it cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    pub description: Description,
    pub copied_segments: usize,
    pub copied_bytes: u64,
    /// Segments that an earlier backup had copied.
    pub kept_segments: usize,
}

/// What the store hands over: fixed while the backup is made.
#[derive(Debug)]
pub struct Source {
    pub node: uuid::Uuid,
    pub folder: SegmentFolder,
    pub wal: std::path::PathBuf,
    pub state: ManifestState,
    pub segments: BTreeMap<(TableId, u32), Arc<Segment>>,
    /// Deletion vectors by file name.
    pub deletes: Vec<(String, Vec<u8>)>,
}

impl Source {
    /// The bytes of the deletion vectors that the manifest names: flushes replace them.
    pub fn read_deletes(folder: &SegmentFolder, state: &ManifestState) -> Result<Vec<(String, Vec<u8>)>> {
        let mut out = Vec::new();
        for (id, table) in &state.tables {
            for (unit, meta) in table.segments.iter().filter_map(|(unit, s)| Some((unit, s.deletes?))) {
                let path = deletes::path(&folder.dir, *id, *unit, meta.ts);
                let bytes =
                    folder.disk.open(&path).and_then(|file| read_all(file.as_ref())).map_err(Error::at(&path))?;
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                out.push((name, bytes));
            }
        }
        Ok(out)
    }
}

/// Writes a backup below `dest`. `durable` returns a timestamp up to which the log is on disk, with the segments that the log up to there
/// names besides those of the manifest, and is asked when all else was copied.
pub fn take(source: &Source, dest: &Path, durable: impl FnOnce() -> Result<(u64, Vec<Arc<Segment>>)>) -> Result<Taken> {
    let segments = dest.join("segments");
    RealDisk.create_dir_all(&segments).map_err(Error::at(&segments))?;
    let (mut copied_segments, mut copied_bytes, mut kept_segments) = (0, 0, 0);
    let mut copy_all = |all: &mut dyn Iterator<Item = &Arc<Segment>>| -> Result<()> {
        for segment in all {
            match copy_segment(segment, &segments)? {
                true => (copied_segments, copied_bytes) = (copied_segments + 1, copied_bytes + segment.meta.bytes),
                false => kept_segments += 1,
            }
        }
        RealDisk.sync_dir(&segments).map_err(Error::at(&segments))
    };
    copy_all(&mut source.segments.values())?;
    let (ts, attached) = durable()?;
    copy_all(&mut attached.iter())?;
    let flushed_ts = source.state.flushed_ts;
    let description = Description { format: FORMAT, node: source.node.to_string(), ts, flushed_ts };
    let dir = dest.join(format!("{ts:016x}"));
    for dir in [dir.join("deletes"), dir.join("wal")] {
        RealDisk.create_dir_all(&dir).map_err(Error::at(&dir))?;
    }
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    Manifest::create(&disk, &dir.join("catalog.redb"), &dir.join("catalog.tmp"), &source.state)?;
    for (name, bytes) in &source.deletes {
        write_file(&dir.join("deletes").join(name), bytes)?;
    }
    copy_log(source, &dir.join("wal"), ts)?;
    let json = serde_json::to_vec_pretty(&description).map_err(|e| Error::Internal(e.to_string()))?;
    write_file(&dir.join("backup.json"), &json)?;
    RealDisk.sync_dir(dest).map_err(Error::at(dest))?;
    Ok(Taken { description, copied_segments, copied_bytes, kept_segments })
}

/// Copies a segment's file into a folder of backups; false if it is there already.
pub fn copy_segment(segment: &Segment, to: &Path) -> Result<bool> {
    let to = to.join(segment_name(segment.table, segment.unit, segment.meta.crc));
    if RealDisk.open(&to).and_then(|file| file.len()).is_ok_and(|len| len == segment.meta.bytes) {
        return Ok(false);
    }
    if copy(segment.file(), &to)? != segment.meta.crc {
        let _ = RealDisk.remove(&to);
        return Err(segment.damaged("its checksum is wrong"));
    }
    Ok(true)
}

/// The records up to `ts`, without the empty rest of each file.
fn copy_log(source: &Source, to: &Path, ts: u64) -> Result<()> {
    let disk = source.folder.disk.as_ref();
    for number in log_numbers(disk, &source.wal)? {
        let path = wal::segment_path(&source.wal, number);
        // Files that no longer held what is needed may have gone since.
        let Some(bytes) = super::read_if_there(disk, &path)? else { continue };
        let (end, _) = wal::prefix(&bytes, number, ts);
        write_file(&wal::segment_path(to, number), &bytes[..end])?;
    }
    Ok(())
}
