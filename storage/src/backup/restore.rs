//! Makes a data directory of a backup and, to go on from it, archived log segments.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::repository::Repository;
use super::{DELETES, Description, FileSum, LOG, MANIFEST, Progress, Report, describe, folder_name, segment_name};
use crate::command::{Change, ChangeKind, Command};
use crate::file::{Disk, RealDisk, write_atomic};
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

/// Restores into `data_dir`, which must be empty or not there: the newest backup of `src`, or with `until_ts` the newest that is not beyond
/// it, and then the log up to `until_ts` (by default as far as the backup or the archive goes). The directory becomes a node of its own.
/// Nothing is left in it if that fails.
pub fn restore(
    src: &dyn Repository,
    data_dir: &Path,
    until_ts: Option<u64>,
    archive: Option<&dyn Repository>,
    report: &mut Report,
) -> Result<Restored> {
    if std::fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(refused(format!("\"{}\" is not empty; restore into a new directory", data_dir.display())));
    }
    let from = choose(src, until_ts)?;
    let layout = Layout::new(data_dir);
    let restoring = Restoring {
        src,
        backup: src.within(&folder_name(from.ts)),
        archive: archive.map(|archive| archive.within(&from.node)),
        layout: &layout,
    };
    let until = until_ts.unwrap_or(if archive.is_some() { u64::MAX } else { from.ts });
    let opened = restoring
        .run(&from, until, report)
        .and_then(|()| Store::open(Config { compaction_background: false, ..Config::new(data_dir) }));
    match opened {
        Ok(store) => Ok(Restored { from, ts: store.begin(Isolation::RepeatableRead).snapshot() }),
        Err(error) => {
            for name in RealDisk.list(data_dir).unwrap_or_default() {
                let _ = RealDisk.remove(&data_dir.join(name));
            }
            Err(error)
        }
    }
}

/// The newest complete backup whose segments are not beyond a timestamp.
fn choose(src: &dyn Repository, until_ts: Option<u64>) -> Result<Description> {
    let is_name = |name: &&String| name.len() == 16 && u64::from_str_radix(name, 16).is_ok();
    let names: BTreeSet<String> = src.folders()?.iter().filter(is_name).cloned().collect();
    let mut seen = false;
    for name in names.iter().rev() {
        let backup = src.within(name);
        let Some(found) = describe(backup.as_ref())? else { continue };
        if folder_name(found.ts) != *name {
            return Err(Error::Corrupt(format!(
                "\"{}\" is damaged: it is of another backup",
                backup.locate("backup.json")
            )));
        }
        if until_ts.is_none_or(|until| found.flushed_ts <= until) {
            return Ok(found);
        }
        seen = true;
    }
    let why = if seen { "holds no backup that is old enough" } else { "holds no backup" };
    Err(refused(format!("\"{}\" {why}", src.locate(""))))
}

fn refused(what: String) -> Error {
    Error::Io(std::io::Error::other(what))
}

fn damaged(from: &dyn Repository, name: &str) -> Error {
    Error::Corrupt(format!("\"{}\" is damaged: its checksum is wrong", from.locate(name)))
}

struct Restoring<'a> {
    src: &'a dyn Repository,
    backup: Arc<dyn Repository>,
    /// Of the node that was backed up.
    archive: Option<Arc<dyn Repository>>,
    layout: &'a Layout,
}

impl Restoring<'_> {
    fn run(&self, from: &Description, until: u64, report: &mut Report) -> Result<()> {
        let layout = self.layout;
        for dir in [&layout.wal, &layout.segments, &layout.tmp] {
            RealDisk.create_dir_all(dir).map_err(Error::at(dir))?;
        }
        let files = self.files(from)?;
        let state = self.manifest(from, &files)?;
        self.segments(&files, &state, report)?;
        self.log(&files, &state, until)?;
        self.attached(&state)?;
        // Last: a directory without it is refused.
        let tmp = layout.tmp.join("identity");
        write_atomic(&RealDisk, &layout.identity, &tmp, &recovery::identity_bytes(uuid::Uuid::new_v4()))
            .map_err(Error::at(&layout.identity))
    }

    /// The files of the backup, with what is known of each.
    fn files(&self, from: &Description) -> Result<BTreeMap<String, Option<FileSum>>> {
        if !from.files.is_empty() {
            return Ok(from.files.iter().map(|(name, sum)| (name.clone(), Some(*sum))).collect());
        }
        let mut files = BTreeMap::from([(MANIFEST.to_owned(), None)]);
        for folder in [DELETES, LOG] {
            files.extend(self.backup.list(folder)?.into_keys().map(|name| (format!("{folder}/{name}"), None)));
        }
        Ok(files)
    }

    /// A file of the backup as it was put.
    fn get(&self, name: &str, sum: Option<FileSum>) -> Result<Vec<u8>> {
        let missing = || Error::Corrupt(format!("\"{}\" is missing", self.backup.locate(name)));
        let bytes = self.backup.get(name)?.ok_or_else(missing)?;
        match sum {
            Some(sum) if sum.crc32 != crc32fast::hash(&bytes) || sum.bytes != bytes.len() as u64 => {
                Err(damaged(self.backup.as_ref(), name))
            }
            _ => Ok(bytes),
        }
    }

    fn manifest(&self, from: &Description, files: &BTreeMap<String, Option<FileSum>>) -> Result<ManifestState> {
        write(&self.layout.manifest, &self.get(MANIFEST, files.get(MANIFEST).copied().flatten())?)?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (_, state) = Manifest::open(disk, &self.layout.manifest)?;
        if state.flushed_ts != from.flushed_ts {
            return Err(Error::Corrupt(format!("\"{}\" is not of this backup", self.backup.locate(MANIFEST))));
        }
        Ok(state)
    }

    fn segments(
        &self,
        files: &BTreeMap<String, Option<FileSum>>,
        state: &ManifestState,
        report: &mut Report,
    ) -> Result<()> {
        let all = || {
            state
                .tables
                .iter()
                .flat_map(|(id, table)| table.segments.iter().map(|(unit, s)| (*id, *unit, s.meta.clone())))
        };
        let mut progress = Progress { done: 0, total: all().map(|(_, _, meta)| meta.bytes).sum() };
        let folder = &self.layout.segments;
        for (id, unit, meta) in all() {
            let name = segment_name(id, unit, meta.crc);
            let to = folder.join(stem(id, unit)).with_extension("parquet");
            if !fetch(self.src, &name, meta.crc, &to, &mut |bytes| progress.moved(bytes, report))? {
                return Err(Error::Corrupt(format!("\"{}\" is missing", self.src.locate(&name))));
            }
        }
        for (name, sum) in files {
            if let Some(file) = name.strip_prefix(DELETES).and_then(|rest| rest.strip_prefix('/')) {
                write(&folder.join(file), &self.get(name, *sum)?)?;
            }
        }
        RealDisk.sync_dir(folder).map_err(Error::at(folder))
    }

    /// The segments that the log names, from the backups or from where the log is archived.
    fn attached(&self, state: &ManifestState) -> Result<()> {
        let folder = &self.layout.segments;
        wal::recover(&RealDisk, &self.layout.wal, state.flushed_ts, 0, |_, payload| {
            let Command::Transaction(changes) = Command::decode(&payload)? else { return Ok(()) };
            for Change { table, kind } in changes {
                let ChangeKind::Attach(attach) = kind else { continue };
                let name = segment_name(table, attach.unit, attach.meta.crc);
                let to = folder.join(stem(table, attach.unit)).with_extension("parquet");
                let fetched = |from: &dyn Repository| fetch(from, &name, attach.meta.crc, &to, &mut |_| Ok(()));
                let archived = || self.archive.as_deref().map_or(Ok(false), fetched);
                if !fetched(self.src)? && !archived()? {
                    let what = "is missing, and so it is in the archive of the log";
                    return Err(Error::Corrupt(format!("\"{}\" {what}", self.src.locate(&name))));
                }
            }
            Ok(())
        })?;
        RealDisk.sync_dir(folder).map_err(Error::at(folder))
    }

    /// The log up to a timestamp, each file from where more of it is.
    fn log(&self, files: &BTreeMap<String, Option<FileSum>>, state: &ManifestState, until_ts: u64) -> Result<()> {
        let number = |name: &str| wal::segment_number(name.strip_prefix(LOG)?.strip_prefix('/')?);
        let backed_up: BTreeMap<u64, (&String, Option<FileSum>)> =
            files.iter().filter_map(|(name, sum)| Some((number(name)?, (name, *sum)))).collect();
        let archived = self.archive.as_ref().map(|archive| archive.list("")).transpose()?.unwrap_or_default();
        let archived: BTreeMap<u64, &String> =
            archived.keys().filter_map(|name| Some((wal::segment_number(name)?, name))).collect();
        // Archived files may be older than what the segments hold already.
        let first = backed_up.keys().next().copied().unwrap_or(0);
        let numbers: BTreeSet<u64> = backed_up.keys().chain(archived.keys()).copied().collect();
        let mut open = true;
        for number in numbers.range(first..) {
            if !open && *number > state.log_position {
                break;
            }
            let mut bytes = match backed_up.get(number) {
                Some((name, sum)) => self.get(name, *sum)?,
                None => Vec::new(),
            };
            if let (Some(archive), Some(name)) = (&self.archive, archived.get(number)) {
                let more = archive.get(name)?.unwrap_or_default();
                // It was cut behind its last record: what is no record now was one.
                if wal::prefix(&more, *number, u64::MAX).0 != more.len() {
                    return Err(damaged(archive.as_ref(), name));
                }
                if more.len() > bytes.len() {
                    bytes = more;
                }
            }
            let (end, whole) = wal::prefix(&bytes, *number, if open { until_ts } else { 0 });
            open &= whole;
            write(&wal::segment_path(&self.layout.wal, *number), bytes.get(..end).unwrap_or_default())?;
        }
        RealDisk.sync_dir(&self.layout.wal).map_err(Error::at(&self.layout.wal))
    }
}

/// Fetches a file with that checksum; false if it is not there.
fn fetch(
    from: &dyn Repository,
    name: &str,
    crc: u32,
    to: &Path,
    got: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<bool> {
    let at = Error::at(to);
    let (out, mut offset, mut hasher) = (RealDisk.create(to).map_err(&at)?, 0, crc32fast::Hasher::new());
    let found = from.read(name, &mut |piece| {
        hasher.update(piece);
        out.write_all_at(piece, offset).map_err(&at)?;
        offset += piece.len() as u64;
        got(piece.len() as u64)
    })?;
    if !found {
        RealDisk.remove(to).map_err(&at)?;
        return Ok(false);
    }
    if hasher.finalize() != crc {
        let next = "delete it: if the server still has it, the next backup will copy it anew";
        return Err(Error::Corrupt(format!("\"{}\" is damaged: its checksum is wrong; {next}", from.locate(name))));
    }
    out.sync_data().map_err(&at)?;
    Ok(true)
}

/// Writes and syncs a file of a directory that is not one yet.
fn write(to: &Path, bytes: &[u8]) -> Result<()> {
    let at = Error::at(to);
    let file = RealDisk.create(to).map_err(&at)?;
    file.write_all_at(bytes, 0).and_then(|()| file.sync_data()).map_err(&at)
}
