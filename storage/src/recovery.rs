//! From files to the newest version: the manifest's segments, then the log's entries after them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::command::{Change, ChangeKind, Command, RangeDelete};
use crate::commit::{self, Ddl, TableChange};
use crate::config::Config;
use crate::dead_rows::DeadRows;
use crate::file::{Disk, read_all, write_atomic};
use crate::flush::Files;
use crate::last_rows::LastRowsCache;
use crate::manifest::{Manifest, ManifestState};
use crate::memtable::{RowId, adapt};
use crate::overlay::{RowSet, count, subtract};
use crate::schema::TableId;
use crate::segment::footers::FooterCache;
use crate::segment::hot::PieceCache;
use crate::segment::{Segment, SegmentFolder, deletes};
use crate::staged::Attached;
use crate::transaction::RowAddress;
use crate::version::{IndexedRows, STAGED_UNITS, SegmentView, Table, Version, address, row_of, unit_of};
use crate::wal::{self, Recovered};
use crate::{Error, Result};

/// Version of the data directory's layout.
const FORMAT: u32 = 2;

/// The places in a data directory.
#[derive(Debug, Clone)]
pub struct Layout {
    pub wal: PathBuf,
    pub segments: PathBuf,
    pub manifest: PathBuf,
    pub identity: PathBuf,
    pub tmp: PathBuf,
}

impl Layout {
    pub fn new(data_dir: &Path) -> Self {
        Self {
            wal: data_dir.join("wal"),
            segments: data_dir.join("segments"),
            manifest: data_dir.join("catalog.redb"),
            identity: data_dir.join("identity"),
            tmp: data_dir.join("tmp"),
        }
    }
}

/// Everything that a start finds.
#[derive(Debug)]
pub struct Opened {
    pub files: Files,
    pub version: Version,
    pub counters: HashMap<u64, i64>,
    pub log: Recovered,
    /// See [`crate::staged`].
    pub next_staged: u32,
    pub node: uuid::Uuid,
}

pub fn open(config: &Config) -> Result<Opened> {
    let (disk, data_dir) = (Arc::clone(&config.disk), config.data_dir.as_path());
    let layout = Layout::new(data_dir);
    for dir in [&layout.wal, &layout.segments, &layout.tmp] {
        disk.create_dir_all(dir).map_err(Error::at(dir))?;
    }
    let node = identity(disk.as_ref(), data_dir, &layout)?;
    ensure_manifest(&disk, &layout)?;
    let (manifest, state) = Manifest::open(disk.clone(), &layout.manifest)?;
    let folder = SegmentFolder {
        disk: disk.clone(),
        dir: layout.segments.clone(),
        footers: Arc::new(FooterCache::new(config.footer_cache_bytes)),
        pieces: Arc::new(PieceCache::new(config.piece_cache_bytes)),
        last_rows: Arc::new(LastRowsCache::new(config.last_rows_cache_bytes)),
    };
    let Replayed { version, counters, segments, log, next_staged } = replay(&folder, &layout, &state)?;
    sweep(disk.as_ref(), &layout, &state, &version)?;
    let files = Files { folder, manifest, state, segments, busy: Default::default() };
    Ok(Opened { files, version, counters, log, next_staged, node })
}

/// What segments and log make together.
pub struct Replayed {
    pub version: Version,
    pub counters: HashMap<u64, i64>,
    pub segments: Segments,
    pub log: Recovered,
    pub next_staged: u32,
}

/// The manifest's segments, then the log's entries after them; cuts a torn tail of the log.
pub fn replay(folder: &SegmentFolder, layout: &Layout, state: &ManifestState) -> Result<Replayed> {
    let (version, segments) = load(folder, state)?;
    let counters = state.counters.iter().map(|(id, value)| (*id, *value)).collect();
    let dropped = state.dropped.clone();
    let next_staged = state.next_staged.max(STAGED_UNITS);
    let mut replay = Replay { folder, version, counters, dropped, row_ids: HashMap::new(), entries: 0, next_staged };
    let disk = folder.disk.as_ref();
    let log =
        wal::recover(disk, &layout.wal, state.flushed_ts, state.log_position, |ts, payload| replay.entry(ts, payload))?;
    let Replay { version, counters, entries, next_staged, .. } = replay;
    tracing::info!(flushed_ts = state.flushed_ts, entries, tables = version.tables.len(), "recovered");
    Ok(Replayed { version, counters, segments, log, next_staged })
}

/// Reads or makes the file that says which node this directory belongs to.
fn identity(disk: &dyn Disk, data_dir: &Path, layout: &Layout) -> Result<uuid::Uuid> {
    let path = &layout.identity;
    match disk.open(path) {
        Ok(file) => parse_identity(&read_all(file.as_ref()).map_err(Error::at(path))?, data_dir, path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !disk.list(&layout.wal).map_err(Error::at(&layout.wal))?.is_empty() {
                return Err(Error::Corrupt(format!(
                    "\"{}\" is missing beside a log that is not empty; restore it",
                    path.display()
                )));
            }
            let node = uuid::Uuid::new_v4();
            write_atomic(disk, path, &layout.tmp.join("identity"), &identity_bytes(node)).map_err(Error::at(path))?;
            if let Some(parent) = data_dir.parent().filter(|p| !p.as_os_str().is_empty()) {
                disk.sync_dir(parent).map_err(Error::at(parent))?;
            }
            Ok(node)
        }
        Err(error) => Err(Error::at(path)(error)),
    }
}

pub fn identity_bytes(node: uuid::Uuid) -> Vec<u8> {
    let text = format!("format {FORMAT}\nnode {node}\n");
    let crc = crc32fast::hash(text.as_bytes());
    format!("{text}crc32 {crc:08x}\n").into_bytes()
}

/// The node of a data directory from its identity file.
pub fn parse_identity(bytes: &[u8], data_dir: &Path, path: &Path) -> Result<uuid::Uuid> {
    let text = String::from_utf8_lossy(bytes);
    let field = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    let node = field("node").and_then(|n| uuid::Uuid::parse_str(n).ok());
    if let Some(node) = node.filter(|node| identity_bytes(*node) == bytes) {
        return Ok(node);
    }
    match field("format").and_then(|f| f.parse::<u32>().ok()).filter(|f| *f != FORMAT && node.is_some()) {
        Some(format) => Err(Error::Corrupt(format!(
            "data directory \"{}\" has format {format}, this program reads {FORMAT}; use the program that wrote it",
            data_dir.display(),
        ))),
        None => {
            let what = format!("\"{}\" is not an Aegis identity file, or is damaged; restore it", path.display());
            Err(Error::Corrupt(what))
        }
    }
}

/// A new data directory gets its manifest before the first byte of log.
fn ensure_manifest(disk: &Arc<dyn Disk>, layout: &Layout) -> Result<()> {
    let path = &layout.manifest;
    match disk.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if !disk.list(&layout.wal).map_err(Error::at(&layout.wal))?.is_empty() {
                return Err(Error::Corrupt(format!(
                    "\"{}\" is missing beside a log that is not empty; restore it from a backup, or re-seed this node",
                    path.display()
                )));
            }
            Manifest::create(disk, path, &layout.tmp.join("catalog.redb"), &ManifestState::default())
        }
        Err(error) => Err(Error::at(path)(error)),
    }
}

type Segments = BTreeMap<(TableId, u32), Arc<Segment>>;

/// The version that the manifest describes.
fn load(folder: &SegmentFolder, state: &ManifestState) -> Result<(Version, Segments)> {
    let mut version = Version { seq: 1, ts: state.flushed_ts, ..Version::default() };
    let mut segments = Segments::new();
    for (id, record) in &state.tables {
        let mut table = Table::new(*id, record.schema.as_ref().clone(), record.schema_ts);
        table.rows_ts = record.rows_ts;
        table.next_unit = record.next_unit;
        let mut views = Vec::new();
        for (unit, segment) in &record.segments {
            let opened = Arc::new(Segment::open(folder, *id, *unit, segment.meta.clone())?);
            let deleted = match &segment.deletes {
                None => DeadRows::default(),
                Some(meta) => {
                    let path = deletes::path(&folder.dir, *id, *unit, meta.ts);
                    deletes::read(folder.disk.as_ref(), &path, meta)?.into()
                }
            };
            segments.insert((*id, *unit), opened.clone());
            let view = SegmentView { segment: opened, deleted };
            table.live_rows += view.live_rows();
            views.push(view);
        }
        table.segments = Arc::new(views);
        version.tables.insert(*id, Arc::new(table));
    }
    Ok((version, segments))
}

/// Does a file in the segments' folder belong to what the manifest names?
pub fn is_named(state: &ManifestState, name: &str) -> bool {
    let (stem, rest) = name.split_once('.').unwrap_or((name, ""));
    let ids = stem.split_once('-').and_then(|(table, unit)| Some((table.parse().ok()?, unit.parse().ok()?)));
    let table = ids.and_then(|(table, unit): (TableId, u32)| Some((state.tables.get(&table)?, unit)));
    let Some((table, segment)) = table.and_then(|(t, unit)| Some((t, t.segments.get(&unit)?))) else { return false };
    match (rest.strip_suffix(".deletes"), rest.strip_suffix(".keys")) {
        (Some(ts), _) => segment.deletes.is_some_and(|d| d.ts.to_string() == ts),
        (_, Some(index)) => index.parse().is_ok_and(|index| table.schema.index(index).is_some()),
        _ => rest == "parquet",
    }
}

/// Does a file in the segments' folder belong to a segment that the log has attached since the manifest was written?
pub fn is_attached(version: &Version, name: &str) -> bool {
    let (stem, rest) = name.split_once('.').unwrap_or((name, ""));
    let ids = stem.split_once('-').and_then(|(table, unit)| Some((table.parse().ok()?, unit.parse().ok()?)));
    let Some((table, unit)) = ids.filter(|(_, unit): &(TableId, u32)| *unit >= STAGED_UNITS) else { return false };
    let table = version.tables.get(&table).filter(|table| table.segment(unit).is_some());
    let Some(table) = table else { return false };
    let index = rest.strip_suffix(".keys").and_then(|index| index.parse().ok());
    rest == "parquet" || index.is_some_and(|index| table.shape.schema.index(index).is_some())
}

/// Deletes what nobody names: leftovers of flushes that did not finish and of large transactions that did not commit.
fn sweep(disk: &dyn Disk, layout: &Layout, state: &ManifestState, version: &Version) -> Result<()> {
    for name in disk.list(&layout.segments).map_err(Error::at(&layout.segments))? {
        if !is_named(state, &name) && !is_attached(version, &name) {
            let path = layout.segments.join(&name);
            disk.remove(&path).map_err(Error::at(&path))?;
        }
    }
    for name in disk.list(&layout.tmp).map_err(Error::at(&layout.tmp))? {
        let path = layout.tmp.join(&name);
        disk.remove(&path).map_err(Error::at(&path))?;
    }
    Ok(())
}

/// Applies log entries in order.
struct Replay<'a> {
    folder: &'a SegmentFolder,
    version: Version,
    counters: HashMap<u64, i64>,
    /// See [`ManifestState::dropped`].
    dropped: BTreeSet<TableId>,
    /// Identities of a segment's rows, sorted; read when a delete first needs them.
    row_ids: HashMap<(TableId, u32), Vec<(RowId, u32)>>,
    entries: u64,
    next_staged: u32,
}

impl Replay<'_> {
    fn entry(&mut self, ts: u64, payload: Bytes) -> Result<()> {
        self.entries += 1;
        match Command::decode(&payload)? {
            Command::Counter { id, value } => {
                match value {
                    Some(value) => self.counters.insert(id, value),
                    None => self.counters.remove(&id),
                };
                self.version.seq += 1;
                self.version.ts = ts;
            }
            Command::Transaction(changes) => {
                let mut by_table: BTreeMap<TableId, Vec<Change>> = BTreeMap::new();
                for change in changes.into_iter().filter(|change| !self.dropped.contains(&change.table)) {
                    by_table.entry(change.table).or_default().push(change);
                }
                let changes = by_table.into_iter().map(|(id, changes)| self.table_change(id, changes));
                let changes = changes.collect::<Result<Vec<_>>>()?;
                let nobody_reads = self.version.clone();
                self.version = commit::apply(&self.version, ts, changes, &nobody_reads)?;
            }
        }
        Ok(())
    }

    fn table_change(&mut self, id: TableId, changes: Vec<Change>) -> Result<TableChange> {
        let (attached, rows, kills) = (Vec::new(), Vec::new(), RowSet::new());
        let mut out = TableChange { table: id, ddl: None, attached, rows, kills };
        let mut shape = self.version.tables.get(&id).map(|t| t.shape.clone());
        for change in changes {
            match change.kind {
                ChangeKind::Create(schema) => {
                    shape = Some(crate::version::Shape::new(schema.clone()));
                    out.ddl = Some(Ddl::Create(schema));
                }
                ChangeKind::Alter(schema) => {
                    shape = Some(crate::version::Shape::new(schema.clone()));
                    out.ddl = Some(Ddl::Alter(schema));
                }
                ChangeKind::Drop => out.ddl = Some(Ddl::Drop),
                ChangeKind::Delete(rows) => {
                    for row in rows {
                        let address = self.find(id, row)?;
                        out.kills.entry(unit_of(address)).or_default().insert(row_of(address));
                    }
                }
                ChangeKind::DeleteRange(delete) => {
                    for (unit, rows) in self.find_range(id, &delete, &out.kills)? {
                        *out.kills.entry(unit).or_default() |= rows;
                    }
                }
                ChangeKind::Attach(attach) => {
                    self.next_staged = self.next_staged.max(attach.unit + 1);
                    let segment = Arc::new(Segment::open(self.folder, id, attach.unit, attach.meta)?);
                    out.attached.push(Attached { segment, first: attach.first, deleted: attach.deleted });
                }
                ChangeKind::Insert { columns, rows } => {
                    let shape = shape.as_ref().ok_or_else(|| unknown(id))?;
                    for batch in rows {
                        let rows = adapt(&batch, &columns, shape)?;
                        out.rows.push(IndexedRows::new(&shape.schema, rows)?);
                    }
                }
            }
        }
        Ok(out)
    }

    /// What deleting a range deletes besides `dead`.
    fn find_range(&self, id: TableId, delete: &RangeDelete, dead: &RowSet) -> Result<RowSet> {
        let version = Arc::new(self.version.clone());
        let table = version.tables.get(&id).ok_or_else(|| unknown(id))?;
        let mut rows = delete.range.live_rows_until(&version, table, delete.ts)?;
        subtract(&mut rows, dead);
        match count(&rows) {
            found if found == delete.rows => Ok(rows),
            found => Err(Error::Corrupt(format!(
                "the log deletes {} rows of table {id} where there are {found}; restore a backup or re-seed this node",
                delete.rows
            ))),
        }
    }

    /// Where a row is now.
    fn find(&mut self, id: TableId, row: RowId) -> Result<RowAddress> {
        let table = self.version.tables.get(&id).ok_or_else(|| unknown(id))?;
        if let Some(address) = table.find_in_memory(row) {
            return Ok(address);
        }
        for view in table.segments.iter().filter(|v| (v.segment.meta.min_ts..=v.segment.meta.max_ts).contains(&row.ts))
        {
            let unit = view.segment.unit;
            let ids = match self.row_ids.entry((id, unit)) {
                std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let mut ids: Vec<(RowId, u32)> = view.segment.row_ids(None)?.into_iter().zip(0u32..).collect();
                    ids.sort_unstable();
                    place.insert(ids)
                }
            };
            if let Ok(at) = ids.binary_search_by_key(&row, |(id, _)| *id) {
                return Ok(address(unit, ids[at].1));
            }
        }
        Err(Error::Corrupt(format!(
            "the log deletes row {}/{} of table {id}, which is not there; restore a backup or re-seed this node",
            row.ts, row.ordinal
        )))
    }
}

fn unknown(id: TableId) -> Error {
    Error::Corrupt(format!("the log changes table {id}, which is not there; restore a backup or re-seed this node"))
}
