//! What is in segments, as of which commit: one redb file, changed in one transaction per flush.
//!
//! | table | key | value |
//! |---|---|---|
//! | `state` | `format`, `flushed_ts`, `log_position`, `next_staged` | u64 |
//! | `counters` | counter id | i64 |
//! | `tables` | table id | u64 schema_ts, u64 rows_ts, u32 next unit, encoded schema |
//! | `dropped` | table id | nothing |
//! | `segments` | (table id, unit) | u32 length, JSON of SegmentMeta and DeletesMeta, Arrow IPC of the columns' ranges |

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};

use crate::command::{decode_schema, encode_schema};
use crate::file::{Disk, File, read_all, write_atomic};
use crate::schema::{TableId, TableSchema};
use crate::segment::SegmentMeta;
use crate::segment::deletes::DeletesMeta;
use crate::{Error, Result};

const STATE: TableDefinition<&str, u64> = TableDefinition::new("state");
const COUNTERS: TableDefinition<u64, i64> = TableDefinition::new("counters");
const TABLES: TableDefinition<u64, &[u8]> = TableDefinition::new("tables");
const SEGMENTS: TableDefinition<(u64, u32), &[u8]> = TableDefinition::new("segments");

const DROPPED: TableDefinition<u64, ()> = TableDefinition::new("dropped");

const FORMAT: u64 = 2;
/// Bytes that redb may keep of the file in memory.
const CACHE_BYTES: usize = 8 << 20;

#[derive(Debug)]
pub struct Manifest {
    /// None only while it is being opened again.
    database: Option<Database>,
    file: Arc<dyn File>,
    path: PathBuf,
    seal: Arc<Seal>,
}

/// The checksum of the whole file, in a file beside it, which is there only while nobody changes the manifest: parts of
/// it that redb does not use have no checksum else.
#[derive(Debug)]
struct Seal {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    intact: AtomicBool,
}

/// Where the checksum of a manifest is.
pub fn sum_path(manifest: &Path) -> PathBuf {
    manifest.with_extension("sum")
}

impl Seal {
    /// Before the file changes.
    fn break_it(&self) -> std::io::Result<()> {
        if !self.intact.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        match self.disk.remove(&self.path) {
            Ok(()) => self.disk.sync_dir(self.path.parent().unwrap_or(Path::new("."))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The file will not change for a while. Without a seal nothing is lost but a check of bytes that nobody reads.
    fn put(&self, file: &dyn File) {
        let write = || {
            let bytes = read_all(file)?;
            let tmp = self.path.with_extension("sum.tmp");
            write_atomic(self.disk.as_ref(), &self.path, &tmp, &Manifest::sum(&bytes))
        };
        self.intact.store(true, Ordering::Release);
        if let Err(error) = write() {
            tracing::warn!(path = %self.path.display(), %error, "could not write the manifest's checksum");
        }
    }
}

/// The manifest's contents.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ManifestState {
    /// Segments hold every commit up to here and none after.
    pub flushed_ts: u64,
    /// See [`crate::log::Log::position`].
    pub log_position: u64,
    /// Staged segments had numbers below, so that a log that was archived never names two by one (0: none had any).
    pub next_staged: u32,
    pub counters: BTreeMap<u64, i64>,
    pub tables: BTreeMap<TableId, TableRecord>,
    /// Tables whose drop is in the log after `flushed_ts` and whose files have gone already: their part of the log means
    /// nothing any more.
    pub dropped: BTreeSet<TableId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TableRecord {
    pub schema: Arc<TableSchema>,
    pub schema_ts: u64,
    pub rows_ts: u64,
    pub next_unit: u32,
    pub segments: BTreeMap<u32, SegmentRecord>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct SegmentRecord {
    pub meta: Arc<SegmentMeta>,
    pub deletes: Option<DeletesMeta>,
}

/// redb on a [`File`]. After one error every call fails: redb would otherwise go on to mark the file as cleanly closed.
#[derive(Debug)]
struct Backend {
    file: Arc<dyn File>,
    failed: AtomicBool,
    seal: Arc<Seal>,
}

impl Backend {
    fn attempt<T>(&self, call: impl FnOnce(&dyn File) -> std::io::Result<T>) -> std::io::Result<T> {
        if self.failed.load(Ordering::Acquire) {
            return Err(std::io::Error::other("an earlier operation on this file failed"));
        }
        call(self.file.as_ref()).inspect_err(|_| self.failed.store(true, Ordering::Release))
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> std::io::Result<u64> {
        self.attempt(|file| file.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.attempt(|file| file.read_exact_at(out, offset))
    }

    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.attempt(|file| self.seal.break_it().and_then(|()| file.set_len(len)))
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.attempt(|file| file.sync_data())
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.attempt(|file| self.seal.break_it().and_then(|()| file.write_all_at(data, offset)))
    }
}

impl Manifest {
    pub fn open(disk: Arc<dyn Disk>, path: &Path) -> Result<(Self, ManifestState)> {
        let file = disk.open(path).map_err(Error::at(path))?;
        let mut manifest = Self::closed(disk, path, file);
        manifest.reopen()?;
        let state = manifest.read()?;
        manifest.seal.put(manifest.file.as_ref());
        Ok((manifest, state))
    }

    fn closed(disk: Arc<dyn Disk>, path: &Path, file: Arc<dyn File>) -> Self {
        let seal = Seal { disk, path: sum_path(path), intact: AtomicBool::new(true) };
        Self { database: None, file, path: path.to_path_buf(), seal: Arc::new(seal) }
    }

    /// What the file beside the manifest holds while the manifest has these bytes.
    pub fn sum(bytes: &[u8]) -> Vec<u8> {
        format!("crc32 {:08x} of {} bytes\n", crc32fast::hash(bytes), bytes.len()).into_bytes()
    }

    /// Verifies the checksums of all that is in use.
    pub fn check_integrity(&mut self) -> Result<()> {
        let path = self.path.clone();
        let database = self.database.as_mut().ok_or_else(|| Error::Internal("the manifest is closed".into()))?;
        match database.check_integrity() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::Corrupt("redb finds it damaged".into())),
            Err(error) => Err(failed(&path, error)),
        }
    }

    /// Makes a manifest, in `tmp` first: redb does not survive a power cut while it lays out a new file.
    pub fn create(disk: &Arc<dyn Disk>, path: &Path, tmp: &Path, state: &ManifestState) -> Result<()> {
        let mut manifest = Self::closed(disk.clone(), tmp, disk.create(tmp).map_err(Error::at(tmp))?);
        manifest.reopen()?;
        manifest.commit(&ManifestState::default(), state)?;
        drop(manifest);
        disk.rename(tmp, path).map_err(Error::at(path))?;
        let dir = path.parent().unwrap_or(Path::new("."));
        disk.sync_dir(dir).map_err(Error::at(dir))
    }

    fn reopen(&mut self) -> Result<()> {
        self.database = None;
        let backend = Backend { file: self.file.clone(), failed: AtomicBool::new(false), seal: self.seal.clone() };
        let database = Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(backend);
        self.database = Some(database.map_err(|e| failed(&self.path, e))?);
        Ok(())
    }

    fn database(&self) -> Result<&Database> {
        self.database.as_ref().ok_or_else(|| Error::Stopped(format!("\"{}\" is closed", self.path.display())))
    }

    fn read(&self) -> Result<ManifestState> {
        let fail = |e: redb::Error| failed(&self.path, e);
        let read = self.database()?.begin_read().map_err(|e| fail(e.into()))?;
        let mut state = ManifestState::default();
        let stored = match read.open_table(STATE) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(state),
            Err(error) => return Err(fail(error.into())),
        };
        let number = |key| -> Result<u64> {
            let value = stored.get(key).map_err(|e| fail(e.into()))?;
            Ok(value.map_or(0, |v| v.value()))
        };
        match number("format")? {
            FORMAT => {}
            other => {
                return Err(Error::Corrupt(format!(
                    "\"{}\" has format {other}, this program reads {FORMAT}; use the program that wrote it",
                    self.path.display()
                )));
            }
        }
        (state.flushed_ts, state.log_position) = (number("flushed_ts")?, number("log_position")?);
        state.next_staged = u32::try_from(number("next_staged")?).map_err(|_| self.damaged())?;
        let counters = read.open_table(COUNTERS).map_err(|e| fail(e.into()))?;
        for entry in counters.iter().map_err(|e| fail(e.into()))? {
            let (id, value) = entry.map_err(|e| fail(e.into()))?;
            state.counters.insert(id.value(), value.value());
        }
        let tables = read.open_table(TABLES).map_err(|e| fail(e.into()))?;
        for entry in tables.iter().map_err(|e| fail(e.into()))? {
            let (id, bytes) = entry.map_err(|e| fail(e.into()))?;
            state.tables.insert(id.value(), decode_table(bytes.value()).ok_or_else(|| self.damaged())??);
        }
        let segments = read.open_table(SEGMENTS).map_err(|e| fail(e.into()))?;
        for entry in segments.iter().map_err(|e| fail(e.into()))? {
            let (key, bytes) = entry.map_err(|e| fail(e.into()))?;
            let (table, unit) = key.value();
            let record = decode_segment(bytes.value()).ok_or_else(|| self.damaged())?;
            let table = state.tables.get_mut(&table).ok_or_else(|| self.damaged())?;
            table.segments.insert(unit, record);
        }
        let dropped = read.open_table(DROPPED).map_err(|e| fail(e.into()))?;
        for entry in dropped.iter().map_err(|e| fail(e.into()))? {
            state.dropped.insert(entry.map_err(|e| fail(e.into()))?.0.value());
        }
        Ok(state)
    }

    fn damaged(&self) -> Error {
        Error::Corrupt(format!(
            "\"{}\" holds a damaged record; restore it from a backup, or re-seed this node from a replica",
            self.path.display()
        ))
    }

    /// Replaces `old` by `new` durably, writing what differs. Two-phase, so that a power cut leaves one of them. After
    /// [`Error::DiskFull`] the file holds `old` and can be written again; after any other error it may hold either.
    pub fn commit(&mut self, old: &ManifestState, new: &ManifestState) -> Result<()> {
        let error = match self.write(old, new) {
            Ok(()) => {
                self.seal.put(self.file.as_ref());
                return Ok(());
            }
            Err(WriteError::Own(error)) => error,
            Err(WriteError::Redb(error)) => failed(&self.path, error),
        };
        if !matches!(error, Error::DiskFull(_)) {
            return Err(error);
        }
        // redb takes nothing more after a failure, so it is opened again, which also tells what it holds.
        let uncertain = |e: Error| Error::Io(std::io::Error::other(format!("after a full disk: {e}")));
        self.reopen().map_err(uncertain)?;
        let held = self.read().map_err(uncertain)?;
        self.seal.put(self.file.as_ref());
        if held == *new {
            Ok(())
        } else if held == *old {
            Err(error)
        } else {
            Err(self.damaged())
        }
    }

    fn write(&self, old: &ManifestState, new: &ManifestState) -> Result<(), WriteError> {
        let mut transaction = self.database()?.begin_write()?;
        transaction.set_two_phase_commit(true);
        transaction.set_quick_repair(true);
        {
            let mut state = transaction.open_table(STATE)?;
            state.insert("format", FORMAT)?;
            state.insert("flushed_ts", new.flushed_ts)?;
            state.insert("log_position", new.log_position)?;
            state.insert("next_staged", u64::from(new.next_staged))?;
            let mut counters = transaction.open_table(COUNTERS)?;
            for id in old.counters.keys().filter(|id| !new.counters.contains_key(id)) {
                counters.remove(id)?;
            }
            for (id, value) in new.counters.iter().filter(|(id, value)| old.counters.get(id) != Some(value)) {
                counters.insert(id, value)?;
            }
            let mut dropped = transaction.open_table(DROPPED)?;
            for id in old.dropped.difference(&new.dropped) {
                dropped.remove(id)?;
            }
            for id in new.dropped.difference(&old.dropped) {
                dropped.insert(id, ())?;
            }
            let mut tables = transaction.open_table(TABLES)?;
            let mut segments = transaction.open_table(SEGMENTS)?;
            for (id, table) in &old.tables {
                let kept = new.tables.get(id);
                if kept.is_none() {
                    tables.remove(id)?;
                }
                for unit in table.segments.keys().filter(|u| !kept.is_some_and(|t| t.segments.contains_key(u))) {
                    segments.remove((*id, *unit))?;
                }
            }
            for (id, table) in new.tables.iter().filter(|(id, table)| old.tables.get(id) != Some(table)) {
                tables.insert(id, encode_table(table)?.as_slice())?;
                let before = old.tables.get(id);
                for (unit, segment) in &table.segments {
                    if before.and_then(|t| t.segments.get(unit)) != Some(segment) {
                        segments.insert((*id, *unit), encode_segment(segment)?.as_slice())?;
                    }
                }
            }
        }
        Ok(transaction.commit()?)
    }
}

impl Drop for Manifest {
    fn drop(&mut self) {
        // Closing writes too.
        self.database = None;
        if !self.seal.intact.load(Ordering::Acquire) {
            self.seal.put(self.file.as_ref());
        }
    }
}

enum WriteError {
    Own(Error),
    Redb(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for WriteError {
    fn from(error: E) -> Self {
        WriteError::Redb(error.into())
    }
}

impl From<Error> for WriteError {
    fn from(error: Error) -> Self {
        WriteError::Own(error)
    }
}

fn failed(path: &Path, error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Io(error) => Error::at(path)(error),
        redb::Error::Corrupted(what) => Error::Corrupt(format!(
            "\"{}\" is damaged ({what}); restore it from a backup, or re-seed this node from a replica",
            path.display()
        )),
        other => Error::Io(std::io::Error::other(format!("{}: {other}", path.display()))),
    }
}

fn encode_table(table: &TableRecord) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    out.extend(table.schema_ts.to_le_bytes());
    out.extend(table.rows_ts.to_le_bytes());
    out.extend(table.next_unit.to_le_bytes());
    out.extend(encode_schema(&table.schema)?);
    Ok(out)
}

fn decode_table(bytes: &[u8]) -> Option<Result<TableRecord>> {
    let (schema_ts, rest) = bytes.split_first_chunk()?;
    let (rows_ts, rest) = rest.split_first_chunk()?;
    let (next_unit, schema) = rest.split_first_chunk()?;
    Some(decode_schema(schema).map(|schema| TableRecord {
        schema: Arc::new(schema),
        schema_ts: u64::from_le_bytes(*schema_ts),
        rows_ts: u64::from_le_bytes(*rows_ts),
        next_unit: u32::from_le_bytes(*next_unit),
        segments: BTreeMap::new(),
    }))
}

pub fn encode_segment(segment: &SegmentRecord) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(&(segment.meta.as_ref(), segment.deletes));
    let json = json.map_err(|e| Error::Internal(format!("a segment cannot be noted: {e}")))?;
    let mut out = (json.len() as u32).to_le_bytes().to_vec();
    out.extend(json);
    out.extend(segment.meta.ranges.as_deref().unwrap_or_default());
    Ok(out)
}

pub fn decode_segment(bytes: &[u8]) -> Option<SegmentRecord> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (json, ranges) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let (mut meta, deletes): (SegmentMeta, Option<DeletesMeta>) = serde_json::from_slice(json).ok()?;
    meta.ranges = (!ranges.is_empty()).then(|| ranges.to_vec());
    Some(SegmentRecord { meta: Arc::new(meta), deletes })
}
