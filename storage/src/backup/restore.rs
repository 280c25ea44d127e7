//! Makes a data directory of a backup and, to go on from it, archived log segments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Description, FORMAT, copy, log_numbers, read_if_there, segment_name, write_file};
use crate::command::{Change, ChangeKind, Command};
use crate::file::{Disk, RealDisk};
use crate::manifest::{Manifest, ManifestState};
use crate::recovery::{self, Layout};
use crate::segment::stem;
use crate::{Config, Error, Isolation, Result, Store, wal};

#[derive(Debug, Clone, PartialEq)]
pub struct Restored {
    pub from: Description,
    /// The newest commit that was restored.
    pub ts: u64,
}

/// Restores into `data_dir`, which must be empty or not there: the newest backup below `src`, or with `until_ts` the
/// newest that is not beyond it, and then the log up to `until_ts` (by default as far as the backup or the archive goes).
/// The directory becomes a node of its own.
pub fn restore(src: &Path, data_dir: &Path, until_ts: Option<u64>, archive: Option<&Path>) -> Result<Restored> {
    let refused = |what: String| Error::Io(std::io::Error::other(what));
    if std::fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(refused(format!("\"{}\" is not empty; restore into a new directory", data_dir.display())));
    }
    let backups = backups(src)?;
    let fits = |b: &&(PathBuf, Description)| until_ts.is_none_or(|until| b.1.flushed_ts <= until);
    let Some((dir, from)) = backups.iter().rev().find(fits) else {
        let why = if backups.is_empty() { "holds no backup" } else { "holds no backup that is old enough" };
        return Err(refused(format!("\"{}\" {why}", src.display())));
    };
    let layout = Layout::new(data_dir);
    for dir in [&layout.wal, &layout.segments, &layout.tmp] {
        RealDisk.create_dir_all(dir).map_err(Error::at(dir))?;
    }
    let state = restore_manifest(dir, &layout)?;
    restore_segments(src, dir, &state, &layout)?;
    let archive = archive.map(|archive| archive.join(&from.node));
    let until = until_ts.unwrap_or(if archive.is_some() { u64::MAX } else { from.ts });
    restore_log(&dir.join("wal"), archive.as_deref(), &state, until, &layout)?;
    restore_attached(src, archive.as_deref(), &state, &layout)?;
    // Last: a directory without it is refused.
    write_file(&layout.identity, &recovery::identity_bytes(uuid::Uuid::new_v4()))?;
    let store = Store::open(Config { compaction_background: false, ..Config::new(data_dir) })?;
    let ts = store.begin(Isolation::RepeatableRead).snapshot();
    Ok(Restored { from: from.clone(), ts })
}

/// Complete backups, oldest first.
fn backups(src: &Path) -> Result<Vec<(PathBuf, Description)>> {
    let mut out = Vec::new();
    for name in RealDisk.list(src).map_err(Error::at(src))? {
        let dir = src.join(&name);
        let Some(json) = read_if_there(&RealDisk, &dir.join("backup.json")).unwrap_or(None) else { continue };
        let path = dir.join("backup.json");
        let damaged = |what: String| Error::Corrupt(format!("\"{}\" {what}", path.display()));
        let found: Description = serde_json::from_slice(&json).map_err(|e| damaged(format!("is damaged: {e}")))?;
        if found.format != FORMAT {
            return Err(damaged(format!("has format {}, this program reads {FORMAT}", found.format)));
        }
        out.push((dir, found));
    }
    out.sort_by_key(|(_, b)| b.ts);
    Ok(out)
}

fn restore_manifest(dir: &Path, layout: &Layout) -> Result<ManifestState> {
    let from = dir.join("catalog.redb");
    let file = RealDisk.open(&from).map_err(Error::at(&from))?;
    copy(file.as_ref(), &layout.manifest)?;
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let (_, state) = Manifest::open(disk, &layout.manifest)?;
    Ok(state)
}

fn restore_segments(src: &Path, dir: &Path, state: &ManifestState, layout: &Layout) -> Result<()> {
    for (id, table) in &state.tables {
        for (unit, record) in &table.segments {
            let from = src.join("segments").join(segment_name(*id, *unit, record.meta.crc));
            let file = RealDisk.open(&from).map_err(Error::at(&from))?;
            if copy(file.as_ref(), &layout.segments.join(stem(*id, *unit)).with_extension("parquet"))?
                != record.meta.crc
            {
                return Err(Error::Corrupt(format!("\"{}\" is damaged: its checksum is wrong", from.display())));
            }
        }
    }
    let deletes = dir.join("deletes");
    for name in RealDisk.list(&deletes).map_err(Error::at(&deletes))? {
        let from = deletes.join(&name);
        let file = RealDisk.open(&from).map_err(Error::at(&from))?;
        copy(file.as_ref(), &layout.segments.join(&name))?;
    }
    RealDisk.sync_dir(&layout.segments).map_err(Error::at(&layout.segments))
}

/// The segments that the log names, from the backups or from where the log is archived.
fn restore_attached(src: &Path, archive: Option<&Path>, state: &ManifestState, layout: &Layout) -> Result<()> {
    let folders: Vec<PathBuf> = [Some(src), archive].into_iter().flatten().map(|dir| dir.join("segments")).collect();
    wal::recover(&RealDisk, &layout.wal, state.flushed_ts, 0, |_, payload| {
        let Command::Transaction(changes) = Command::decode(&payload)? else { return Ok(()) };
        for Change { table, kind } in changes {
            let ChangeKind::Attach(attach) = kind else { continue };
            let (name, crc) = (segment_name(table, attach.unit, attach.meta.crc), attach.meta.crc);
            let from = folders.iter().map(|dir| dir.join(&name)).find(|path| RealDisk.open(path).is_ok());
            let missing = || Error::Corrupt(format!("\"{name}\" is in none of the folders {folders:?}"));
            let from = from.ok_or_else(missing)?;
            let file = RealDisk.open(&from).map_err(Error::at(&from))?;
            let to = layout.segments.join(stem(table, attach.unit)).with_extension("parquet");
            if copy(file.as_ref(), &to)? != crc {
                return Err(Error::Corrupt(format!("\"{}\" is damaged: its checksum is wrong", from.display())));
            }
        }
        Ok(())
    })?;
    RealDisk.sync_dir(&layout.segments).map_err(Error::at(&layout.segments))
}

/// The log up to a timestamp, each segment from where more of it is.
fn restore_log(
    backup: &Path,
    archive: Option<&Path>,
    state: &ManifestState,
    until_ts: u64,
    layout: &Layout,
) -> Result<()> {
    let mut files: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    for dir in [Some(backup), archive].into_iter().flatten() {
        for number in log_numbers(&RealDisk, dir)? {
            let Some(bytes) = read_if_there(&RealDisk, &wal::segment_path(dir, number))? else { continue };
            let (end, _) = wal::prefix(&bytes, number, u64::MAX);
            if files.get(&number).is_none_or(|known| known.len() < end) {
                files.insert(number, bytes[..end].to_vec());
            }
        }
    }
    // Archived files may be older than what the segments hold already.
    let first = log_numbers(&RealDisk, backup)?.first().copied().unwrap_or(0);
    let mut open = true;
    for (number, bytes) in files.range(first..) {
        if !open && *number > state.log_position {
            break;
        }
        let (end, whole) = wal::prefix(bytes, *number, if open { until_ts } else { 0 });
        open &= whole;
        write_file(&wal::segment_path(&layout.wal, *number), &bytes[..end])?;
    }
    Ok(())
}
