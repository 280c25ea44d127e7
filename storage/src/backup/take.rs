//! Copies what a store is made of while it goes on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::repository::Repository;
use super::{
    DELETES, DESCRIPTION, Description, FORMAT, FileSum, LOG, MANIFEST, Progress, Report, SEGMENTS, describe,
    folder_name, put_segment, segment_name,
};
use crate::file::read_all;
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
    pub wal: PathBuf,
    /// A folder for what is made only to be copied.
    pub scratch: PathBuf,
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

    /// The bytes of a manifest that says what this one said.
    fn manifest(&self) -> Result<Vec<u8>> {
        let disk = &self.folder.disk;
        let path = self.scratch.join(MANIFEST);
        disk.create_dir_all(&self.scratch).map_err(Error::at(&self.scratch))?;
        let made = Manifest::create(disk, &path, &path.with_extension("tmp"), &self.state);
        let bytes =
            made.and_then(|()| disk.open(&path).and_then(|file| read_all(file.as_ref())).map_err(Error::at(&path)));
        let _ = disk.remove(&self.scratch);
        bytes
    }

    /// The log's files with the records up to `ts`, without the empty rest of each.
    fn log(&self, ts: u64) -> Result<impl Iterator<Item = Result<(String, Vec<u8>)>>> {
        let disk = self.folder.disk.as_ref();
        let names = disk.list(&self.wal).map_err(Error::at(&self.wal))?;
        Ok(names.into_iter().filter_map(move |name| {
            let number = wal::segment_number(&name)?;
            let path = self.wal.join(&name);
            let mut bytes = match disk.open(&path).and_then(|file| read_all(file.as_ref())) {
                Ok(bytes) => bytes,
                // It held nothing any more that is needed.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
                Err(error) => return Some(Err(Error::at(&path)(error))),
            };
            let (end, _) = wal::prefix(&bytes, number, ts);
            bytes.truncate(end);
            Some(Ok((name, bytes)))
        }))
    }
}

/// Segments that are being copied.
struct Copying<'a> {
    to: &'a dyn Repository,
    /// What earlier backups have copied, with lengths.
    there: BTreeMap<String, u64>,
    progress: Progress,
    report: &'a mut Report<'a>,
    segments: usize,
    kept: usize,
}

impl Copying<'_> {
    fn copy(&mut self, segments: Vec<Arc<Segment>>) -> Result<()> {
        let is_there = |segment: &Arc<Segment>| {
            let name = segment_name(segment.table, segment.unit, segment.meta.crc);
            let file = name.rsplit('/').next().unwrap_or_default();
            self.there.get(file) == Some(&segment.meta.bytes)
        };
        let (kept, new): (Vec<_>, Vec<_>) = segments.into_iter().partition(is_there);
        self.kept += kept.len();
        self.progress.total += new.iter().map(|segment| segment.meta.bytes).sum::<u64>();
        self.progress.moved(0, self.report)?;
        for segment in new {
            put_segment(&segment, self.to, &mut |bytes| self.progress.moved(bytes, self.report))?;
            self.segments += 1;
        }
        Ok(())
    }
}

/// Takes a backup. `durable` returns a timestamp up to which the log is on disk, with the segments that the log up to there names besides those
/// of the manifest, and is asked when all else was copied.
pub fn take<'a>(
    source: &Source,
    to: &'a dyn Repository,
    report: &'a mut Report<'a>,
    durable: impl FnOnce() -> Result<(u64, Vec<Arc<Segment>>)>,
) -> Result<Taken> {
    let there = to.list(SEGMENTS)?;
    let mut copying = Copying { to, there, progress: Progress::default(), report, segments: 0, kept: 0 };
    copying.copy(source.segments.values().cloned().collect())?;
    let (ts, attached) = durable()?;
    copying.copy(attached)?;
    let taken = |description| Taken {
        description,
        copied_segments: copying.segments,
        copied_bytes: copying.progress.done,
        kept_segments: copying.kept,
    };
    let backup = to.within(&folder_name(ts));
    let node = source.node.to_string();
    match describe(backup.as_ref()) {
        // Nothing was committed since. Writing it again would leave none if it failed halfway.
        Ok(Some(same)) if same.node == node => return Ok(taken(same)),
        Ok(Some(_)) => {
            let what =
                format!("\"{}\" is a backup of another data directory; choose another destination", backup.locate(""));
            return Err(Error::Io(std::io::Error::other(what)));
        }
        Ok(None) | Err(Error::Corrupt(_)) => {}
        Err(error) => return Err(error),
    }
    let mut files = BTreeMap::new();
    let mut put = |name: String, bytes: Vec<u8>| {
        files.insert(name.clone(), FileSum { bytes: bytes.len() as u64, crc32: crc32fast::hash(&bytes) });
        backup.put(&name, bytes.into())
    };
    put(MANIFEST.to_owned(), source.manifest()?)?;
    for (name, bytes) in &source.deletes {
        put(format!("{DELETES}/{name}"), bytes.clone())?;
    }
    for file in source.log(ts)? {
        let (name, bytes) = file?;
        put(format!("{LOG}/{name}"), bytes)?;
    }
    let flushed_ts = source.state.flushed_ts;
    let mut description = Description { format: FORMAT, node, ts, flushed_ts, files, crc32: None };
    description.crc32 = Some(description.sum()?);
    let json = serde_json::to_vec_pretty(&description).map_err(|e| Error::Internal(e.to_string()))?;
    backup.put(DESCRIPTION, json.into())?;
    Ok(taken(description))
}
