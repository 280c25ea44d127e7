//! Verifies a data directory that no server uses: every checksum, and that what the files say of each other is true.
//! Changes nothing.

use std::collections::HashSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::read_only::ReadOnlyDisk;
use crate::file::simulated::SimulatedDisk;
use crate::file::{Disk, read_all};
use crate::last_rows::LastRowsCache;
use crate::manifest::{Manifest, ManifestState, TableRecord, sum_path};
use crate::recovery::{self, Layout};
use crate::schema::{TableId, TableSchema};
use crate::segment::footers::FooterCache;
use crate::segment::hot::PieceCache;
use crate::segment::{Segment, SegmentFolder, SegmentMeta, deletes, keys, stem};
use crate::version::{STAGED_UNITS, Version};
use crate::{Error, Result, wal};

/// What was looked at and what is wrong.
#[derive(Debug, Default)]
pub struct Report {
    pub segments: usize,
    pub rows: u64,
    pub key_files: usize,
    pub deletion_vectors: usize,
    pub log_files: usize,
    pub log_entries: u64,
    pub damage: Vec<Damage>,
    /// What is odd but harmless.
    pub notes: Vec<String>,
}

#[derive(Debug)]
pub struct Damage {
    pub path: PathBuf,
    pub what: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        for Damage { path, what } in &self.damage {
            writeln!(f, "damaged: {}: {what}", path.display())?;
        }
        let Self { segments, rows, key_files, deletion_vectors, log_files, log_entries, damage, .. } = self;
        writeln!(
            f,
            "checked {segments} segments with {rows} rows, {key_files} key files, {deletion_vectors} deletion vectors, \
             {log_files} log files with {log_entries} entries: {}",
            match damage.len() {
                0 => "no damage".to_owned(),
                1 => "1 damage".to_owned(),
                n => format!("{n} damages"),
            }
        )
    }
}

/// Bytes of footers held while checking.
const FOOTER_BYTES: usize = 16 << 20;

/// Checks a data directory. Errors mean that it could not be checked at all; damage is in the report.
pub fn check(disk: Arc<dyn Disk>, data_dir: &Path) -> Result<Report> {
    let layout = Layout::new(data_dir);
    disk.open(&layout.identity).map_err(Error::at(&layout.identity))?;
    let _lock = disk.lock(data_dir)?;
    let read_only: Arc<dyn Disk> = Arc::new(ReadOnlyDisk(disk));
    let footers = Arc::new(FooterCache::new(FOOTER_BYTES));
    let pieces = Arc::new(PieceCache::new(FOOTER_BYTES));
    let last_rows = Arc::new(LastRowsCache::new(0));
    let dir = layout.segments.clone();
    let folder = SegmentFolder { disk: read_only.clone(), dir, footers, pieces, last_rows };
    let mut check = Check { disk: read_only, layout, folder, report: Report::default() };
    check.identity(data_dir);
    let state = check.manifest();
    check.log(state.as_ref());
    if let Some(state) = &state {
        for (id, table) in &state.tables {
            check.table(*id, table);
        }
        let version = if check.report.damage.is_empty() { check.replay(state) } else { None };
        check.leftovers(state, version.as_ref());
    }
    Ok(check.report)
}

struct Check {
    disk: Arc<dyn Disk>,
    layout: Layout,
    folder: SegmentFolder,
    report: Report,
}

impl Check {
    fn damaged(&mut self, path: &Path, what: impl fmt::Display) {
        self.report.damage.push(Damage { path: path.to_path_buf(), what: what.to_string() });
    }

    fn read(&mut self, path: &Path) -> Option<Vec<u8>> {
        match self.disk.open(path).and_then(|file| read_all(file.as_ref())) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                self.damaged(path, format!("cannot be read: {error}"));
                None
            }
        }
    }

    fn identity(&mut self, data_dir: &Path) {
        let path = self.layout.identity.clone();
        if let Some(bytes) = self.read(&path)
            && let Err(error) = recovery::parse_identity(&bytes, data_dir, &path)
        {
            self.damaged(&path, error);
        }
    }

    /// The file as a whole against the sum beside it, if it was left at rest; then by its own checksums, in a copy, since
    /// opening it writes to it.
    fn manifest(&mut self) -> Option<ManifestState> {
        let (path, sum) = (self.layout.manifest.clone(), sum_path(&self.layout.manifest));
        let bytes = self.read(&path)?;
        match self.disk.open(&sum).and_then(|file| read_all(file.as_ref())) {
            Ok(noted) if noted == Manifest::sum(&bytes) => {}
            Ok(_) => self.damaged(&path, format!("its checksum is not the one in \"{}\"", sum.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => self.report.notes.push(format!(
                "\"{}\" was being written when the server ended; only what it holds in use is checked",
                path.display()
            )),
            Err(error) => self.damaged(&sum, format!("cannot be read: {error}")),
        }
        let copy = SimulatedDisk::default();
        let opened = catch_unwind(AssertUnwindSafe(|| -> Result<ManifestState> {
            copy.create(&path)?.write_all_at(&bytes, 0)?;
            let (mut manifest, state) = Manifest::open(Arc::new(copy.clone()), &path)?;
            manifest.check_integrity().map(|()| state)
        }));
        match opened {
            Ok(Ok(state)) => Some(state),
            Ok(Err(error)) => {
                self.damaged(&path, error);
                None
            }
            Err(_) => {
                self.damaged(&path, "it is too damaged to be read");
                None
            }
        }
    }

    fn log(&mut self, state: Option<&ManifestState>) {
        let after_ts = state.map_or(u64::MAX, |s| s.flushed_ts);
        let dir = self.layout.wal.clone();
        let mut found = Vec::new();
        match wal::check(self.disk.as_ref(), &dir, after_ts, &mut |path, what| found.push((path.to_path_buf(), what))) {
            Ok(seen) => (self.report.log_files, self.report.log_entries) = (seen.files, seen.entries),
            Err(error) => self.damaged(&dir, error),
        }
        for (path, what) in found {
            self.damaged(&path, what);
        }
        let known = state.map_or(0, |s| s.log_position);
        let newest = self.disk.list(&dir).unwrap_or_default().iter().filter_map(|n| wal::segment_number(n)).max();
        if newest.unwrap_or(0) < known {
            self.damaged(&wal::segment_path(&dir, known), "it is missing");
        }
    }

    fn table(&mut self, id: TableId, table: &TableRecord) {
        for (unit, record) in &table.segments {
            self.report.segments += 1;
            self.report.rows += u64::from(record.meta.rows);
            self.deletes(id, *unit, &record.meta, record.deletes.as_ref());
            if *unit >= table.next_unit && *unit < STAGED_UNITS {
                self.damaged(&self.layout.manifest.clone(), format!("unit {unit} of table {id} is not taken"));
            }
            let path = self.folder.dir.join(stem(id, *unit)).with_extension("parquet");
            let Some(bytes) = self.read(&path) else { continue };
            if bytes.len() as u64 != record.meta.bytes {
                self.damaged(&path, format!("it has {} bytes instead of {}", bytes.len(), record.meta.bytes));
            } else if crc32fast::hash(&bytes) != record.meta.crc {
                self.damaged(&path, "its checksum is wrong");
            } else if let Err(error) = self.segment(id, *unit, &table.schema, record.meta.clone()) {
                self.damaged(&path, error);
            }
        }
    }

    fn deletes(&mut self, id: TableId, unit: u32, meta: &SegmentMeta, noted: Option<&deletes::DeletesMeta>) {
        let Some(noted) = noted else { return };
        self.report.deletion_vectors += 1;
        let path = deletes::path(&self.folder.dir, id, unit, noted.ts);
        match deletes::read(self.disk.as_ref(), &path, noted) {
            Ok(rows) if rows.max().is_some_and(|row| row >= meta.rows) => {
                self.damaged(&path, format!("it names row {} of {}", rows.max().unwrap_or(0), meta.rows));
            }
            Ok(_) => {}
            Err(error) => self.damaged(&path, error),
        }
    }

    /// Decodes every row and compares the key files with them.
    fn segment(&mut self, id: TableId, unit: u32, schema: &TableSchema, meta: Arc<SegmentMeta>) -> Result<()> {
        let segment = Segment::open(&self.folder, id, unit, meta)?;
        let ids = segment.row_ids(None)?;
        let (rows, distinct) = (ids.len() as u64, ids.iter().collect::<HashSet<_>>().len() as u64);
        if rows != u64::from(segment.meta.rows) || distinct != rows {
            return Err(segment.damaged(format!("it has {rows} rows with {distinct} identities")));
        }
        let range = segment.meta.min_ts..=segment.meta.max_ts;
        if let Some(row) = ids.iter().find(|row| !range.contains(&row.ts)) {
            return Err(segment.damaged(format!("it has a row of commit {} outside {range:?}", row.ts)));
        }
        segment.decode_all()?;
        for index in &schema.indexes {
            let path = segment.key_path(index.id);
            let stored = match self.disk.open(&path).and_then(|file| read_all(file.as_ref())) {
                Ok(stored) => stored,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => {
                    self.damaged(&path, error);
                    continue;
                }
            };
            self.report.key_files += 1;
            if !keys::fits(&stored, index, &segment.key_hashes(schema, index)?) {
                self.damaged(&path, "it does not fit the segment's rows; delete it, and it is built anew");
            }
        }
        Ok(())
    }

    fn leftovers(&mut self, state: &ManifestState, version: Option<&Version>) {
        for name in self.disk.list(&self.folder.dir).unwrap_or_default() {
            let is_attached = version.is_none_or(|version| recovery::is_attached(version, &name));
            if !recovery::is_named(state, &name) && !is_attached {
                self.report.notes.push(format!("segments/{name} is not in use; the next start deletes it"));
            }
        }
    }

    /// Does the log fit the segments? What a start would do, without keeping it.
    fn replay(&mut self, state: &ManifestState) -> Option<Version> {
        match recovery::replay(&self.folder, &self.layout, state) {
            Ok(replayed) => {
                self.attached(state, &replayed.version);
                Some(replayed.version)
            }
            Err(error) => {
                self.damaged(&self.layout.wal.clone(), error);
                None
            }
        }
    }

    /// Segments that the log names and the manifest does not yet.
    fn attached(&mut self, state: &ManifestState, version: &Version) {
        for (id, table) in &version.tables {
            let noted = state.tables.get(id);
            for view in table.segments.iter() {
                let segment = &view.segment;
                if noted.is_some_and(|noted| noted.segments.contains_key(&segment.unit)) {
                    continue;
                }
                self.report.segments += 1;
                self.report.rows += u64::from(segment.meta.rows);
                let Some(bytes) = self.read(&segment.path) else { continue };
                if crc32fast::hash(&bytes) != segment.meta.crc {
                    self.damaged(&segment.path, "its checksum is wrong");
                } else if let Err(error) = self.segment(*id, segment.unit, &table.shape.schema, segment.meta.clone()) {
                    self.damaged(&segment.path, error);
                }
            }
        }
    }
}
