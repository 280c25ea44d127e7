//! Moves rows from memory into segments, merging small segments on the way.
//!
//! A flush freezes the head (the only moment that commits wait), waits until that version is durable, writes segments
//! and deletion vectors exactly as of it, notes them in the manifest, and then swaps them into the head. Deletes that
//! hit a frozen row meanwhile follow it to its new place.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::interleave_record_batch;
use arrow::row::{RowConverter, Rows, SortField};
use roaring::RoaringBitmap;

use crate::file::Disk;
use crate::index::KeyColumns;
use crate::manifest::{Manifest, ManifestState, SegmentRecord, TableRecord};
use crate::memtable::{Chunk, RowId, adapt};
use crate::schema::{ColumnSchema, IndexId, TableId};
use crate::segment::writer::SegmentWriter;
use crate::segment::{Segment, deletes, stem};
use crate::version::{Generation, RowMap, SegmentView, Shape, Table, Version};
use crate::{Error, Result};

/// Rows that are put in order and written at a time.
const WRITE_ROWS: usize = 65_536;

/// Where segments and the manifest are, and what the manifest says.
#[derive(Debug)]
pub struct Files {
    pub disk: Arc<dyn Disk>,
    pub dir: PathBuf,
    pub manifest: Manifest,
    pub state: ManifestState,
    /// The segments that the manifest names.
    pub segments: BTreeMap<(TableId, u32), Arc<Segment>>,
}

/// Limits of one flush.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub row_group_rows: usize,
    /// Rows and bytes of file up to which segments are merged into one.
    pub merge_rows: u64,
    pub merge_bytes: u64,
}

/// One table's part of a flush: these chunks and segments become one segment.
#[derive(Debug)]
pub struct Rewrite {
    pub table: TableId,
    shape: Shape,
    /// The new segment's unit.
    unit: u32,
    chunks: Vec<Arc<Chunk>>,
    segments: Vec<SegmentView>,
}

#[derive(Debug)]
pub struct Rewritten {
    pub table: TableId,
    /// None if no row was left.
    pub segment: Option<Arc<Segment>>,
    /// Where the rows of each input went.
    maps: BTreeMap<u32, Vec<u32>>,
    /// Rows of each input that were dead when it was frozen.
    dead: HashMap<u32, RoaringBitmap>,
}

/// Freezes the head: closes chunks, begins new key indexes, and says what is to be rewritten.
pub fn freeze(head: &Version, limits: Limits) -> Result<(Version, Vec<Rewrite>)> {
    let mut frozen = Version { seq: head.seq + 1, ..head.clone() };
    let mut rewrites = Vec::new();
    for (id, table) in &head.tables {
        let merged = segments_to_merge(table, limits);
        if table.chunks.is_empty() && merged == 0 {
            continue;
        }
        let mut table = table.as_ref().clone();
        table.seal_last()?;
        let unit = table.take_unit()?;
        table.generations.push(Arc::new(Generation::new(table.next_unit, &table.shape.schema)));
        rewrites.push(Rewrite {
            table: *id,
            shape: table.shape.clone(),
            unit,
            chunks: table.chunks.clone(),
            segments: table.segments[table.segments.len() - merged..].to_vec(),
        });
        frozen.tables.insert(*id, Arc::new(table));
    }
    Ok((frozen, rewrites))
}

/// How many of the newest segments to merge with what is in memory: those not much larger than what is being written
/// anyway, which bounds both the number of segments (logarithmic) and how often a row is rewritten; and, if nothing is
/// in memory, a newest segment that is mostly dead.
fn segments_to_merge(table: &Table, limits: Limits) -> usize {
    let mut rows: u64 = table.chunks.iter().map(|c| u64::from(c.rows - c.dead)).sum();
    let (mut bytes, mut count) = (0, 0);
    for view in table.segments.iter().rev() {
        let live = view.live_rows();
        let mostly_dead = live * 2 < u64::from(view.segment.meta.rows);
        bytes += view.segment.meta.bytes;
        let worthwhile = live <= rows * 2 || mostly_dead;
        if !worthwhile || rows + live > limits.merge_rows || bytes > limits.merge_bytes {
            break;
        }
        rows += live;
        count += 1;
    }
    count
}

/// The rows of a rewrite's inputs that were live when frozen.
#[derive(Default)]
struct Source {
    batches: Vec<RecordBatch>,
    /// For each row: its batch and place there.
    places: Vec<(usize, usize)>,
    /// For each row: the unit it comes from and its row there.
    origins: Vec<(u32, u32)>,
    ids: Vec<RowId>,
}

impl Source {
    fn add(&mut self, batch: RecordBatch, unit: u32, first: u32, is_live: impl Fn(u32) -> bool) {
        let at = self.batches.len();
        for (offset, row) in (first..).take(batch.num_rows()).enumerate() {
            if is_live(row) {
                self.places.push((at, offset));
                self.origins.push((unit, row));
            }
        }
        self.batches.push(batch);
    }
}

impl Rewrite {
    /// The table and unit of the segment to be written.
    pub fn output(&self) -> (TableId, u32) {
        (self.table, self.unit)
    }

    pub fn run(self, disk: &Arc<dyn Disk>, dir: &Path, limits: Limits) -> Result<Rewritten> {
        let source = self.read()?;
        let mut maps = BTreeMap::new();
        let mut dead = HashMap::new();
        for chunk in &self.chunks {
            maps.insert(chunk.unit, vec![RowMap::GONE; chunk.rows as usize]);
            dead.insert(chunk.unit, (0..chunk.rows).filter(|row| !chunk.is_live(*row)).collect());
        }
        for view in &self.segments {
            maps.insert(view.segment.unit, vec![RowMap::GONE; view.segment.meta.rows as usize]);
            dead.insert(view.segment.unit, view.deleted.as_deref().cloned().unwrap_or_default());
        }
        let segment = if source.places.is_empty() {
            None
        } else {
            let order = self.order(&source)?;
            for (position, row) in (0u32..).zip(&order) {
                let (unit, from) = source.origins[*row];
                if let Some(map) = maps.get_mut(&unit) {
                    map[from as usize] = position;
                }
            }
            Some(Arc::new(self.write(&source, &order, disk, dir, limits)?))
        };
        Ok(Rewritten { table: self.table, segment, maps, dead })
    }

    fn read(&self) -> Result<Source> {
        let mut source = Source::default();
        let columns: Vec<&ColumnSchema> = self.shape.schema.columns.iter().collect();
        for view in &self.segments {
            let mut start = 0;
            for batch in view.segment.read(None, &columns)? {
                let rows = batch.num_rows() as u32;
                source.add(batch, view.segment.unit, start, |row| view.is_live(row));
                start += rows;
            }
            let ids = view.segment.row_ids(None)?;
            source.ids.extend((0u32..).zip(ids).filter(|(row, _)| view.is_live(*row)).map(|(_, id)| id));
        }
        for chunk in &self.chunks {
            for piece in &chunk.pieces {
                let batch = adapt(&piece.batch, &chunk.columns, &self.shape)?;
                source.add(batch, chunk.unit, piece.start, |row| chunk.is_live(row));
            }
            let live = (0..chunk.rows).filter(|row| chunk.is_live(*row));
            source.ids.extend(live.filter_map(|row| chunk.row_id(row)));
        }
        if source.ids.len() != source.places.len() {
            return Err(Error::Internal(format!("rows of table {} lack identities", self.table)));
        }
        Ok(source)
    }

    /// Rows by primary key; without one as they came.
    fn order(&self, source: &Source) -> Result<Vec<usize>> {
        let mut order: Vec<usize> = (0..source.places.len()).collect();
        let Some(key) = self.shape.schema.primary() else { return Ok(order) };
        let positions = self.shape.schema.key_positions(key)?;
        let types = positions.iter().map(|p| SortField::new(self.shape.schema.columns[*p].data_type.clone()));
        let converter = RowConverter::new(types.collect())?;
        let convert = |batch: &RecordBatch| {
            let columns: Vec<_> = positions.iter().map(|p| batch.column(*p).clone()).collect();
            converter.convert_columns(&columns)
        };
        let keys = source.batches.iter().map(convert).collect::<Result<Vec<Rows>, _>>()?;
        let key = |row: &usize| {
            let (batch, at) = source.places[*row];
            keys[batch].row(at)
        };
        order.sort_by(|a, b| key(a).cmp(&key(b)));
        Ok(order)
    }

    fn write(
        &self,
        source: &Source,
        order: &[usize],
        disk: &Arc<dyn Disk>,
        dir: &Path,
        limits: Limits,
    ) -> Result<Segment> {
        let path = dir.join(stem(self.table, self.unit)).with_extension("parquet");
        let rows = order.len() as u64;
        let mut writer = SegmentWriter::new(disk.as_ref(), &path, &self.shape, rows, limits.row_group_rows)?;
        let mut hashes: BTreeMap<IndexId, Vec<Option<u64>>> = BTreeMap::new();
        let batches: Vec<&RecordBatch> = source.batches.iter().collect();
        for rows in order.chunks(WRITE_ROWS) {
            let places: Vec<(usize, usize)> = rows.iter().map(|row| source.places[*row]).collect();
            let batch = match self.shape.schema.columns.is_empty() {
                false => interleave_record_batch(&batches, &places)?,
                true => {
                    let options = crate::memtable::options(rows.len());
                    RecordBatch::try_new_with_options(self.shape.arrow.clone(), vec![], &options)?
                }
            };
            let ids: Vec<RowId> = rows.iter().map(|row| source.ids[*row]).collect();
            for index in self.shape.schema.unique_indexes() {
                let keys = KeyColumns::of_table(&self.shape.schema, index, &batch)?;
                hashes.entry(index.id).or_default().extend(keys.hashes(batch.num_rows()));
            }
            writer.write(&batch, &ids)?;
        }
        let meta = Arc::new(writer.finish()?);
        let segment = Segment::open(disk.clone(), dir, self.table, self.unit, meta)?;
        for (index, hashes) in hashes {
            segment.write_key_file(index, &hashes)?;
        }
        Ok(segment)
    }
}

impl Rewritten {
    /// Puts the new segment in the place of its inputs in a version that may be newer than the frozen one.
    pub fn swap_into(&self, table: &mut Table, until_seq: u64) -> Result<()> {
        let mut deleted = RoaringBitmap::new();
        let mut segments = table.segments.as_ref().clone();
        for (unit, map) in &self.maps {
            let dead_now: RoaringBitmap = match (table.chunk(*unit), table.segment(*unit)) {
                (Some(chunk), _) if chunk.live.is_none() => RoaringBitmap::new(),
                (Some(chunk), _) => (0..chunk.rows).filter(|row| !chunk.is_live(*row)).collect(),
                (_, Some(view)) => view.deleted.as_deref().cloned().unwrap_or_default(),
                _ => return Err(Error::Internal(format!("unit {unit} vanished during its flush"))),
            };
            let before = self.dead.get(unit).cloned().unwrap_or_default();
            for row in dead_now - before {
                match map.get(row as usize) {
                    Some(to) if *to != RowMap::GONE => deleted.insert(*to),
                    _ => return Err(Error::Internal(format!("row {row} of unit {unit} died twice"))),
                };
            }
        }
        segments.retain(|view| !self.maps.contains_key(&view.segment.unit));
        table.chunks.retain(|chunk| !self.maps.contains_key(&chunk.unit));
        let unit = self.segment.as_ref().map_or(0, |s| s.unit);
        if let Some(segment) = &self.segment {
            let deleted = (!deleted.is_empty()).then(|| Arc::new(deleted));
            let at = segments.partition_point(|view| view.segment.unit < unit);
            segments.insert(at, SegmentView { segment: segment.clone(), deleted });
        }
        table.segments = Arc::new(segments);
        for (old, rows) in &self.maps {
            table.moved.insert(*old, Arc::new(RowMap { until_seq, segment: unit, rows: rows.clone() }));
        }
        let oldest_chunk = table.chunks.first().map_or(table.next_unit, |c| c.unit);
        while table.generations.get(1).is_some_and(|g| g.first_unit <= oldest_chunk) {
            table.generations.remove(0);
        }
        Ok(())
    }
}

impl Files {
    /// Writes deletion vectors that changed and the manifest as of `frozen` with the rewrites done. Returns the
    /// segments that are no longer named.
    pub fn note(
        &mut self,
        frozen: &Version,
        counters: BTreeMap<u64, i64>,
        log_position: u64,
        rewritten: &[Rewritten],
    ) -> Result<Vec<Arc<Segment>>> {
        let done: HashMap<TableId, &Rewritten> = rewritten.iter().map(|r| (r.table, r)).collect();
        let mut state = ManifestState { flushed_ts: frozen.ts, log_position, counters, tables: BTreeMap::new() };
        let mut segments = BTreeMap::new();
        for (id, table) in &frozen.tables {
            let mut record = TableRecord {
                schema: table.shape.schema.clone(),
                schema_ts: table.schema_ts,
                rows_ts: table.rows_ts,
                next_unit: table.next_unit,
                segments: BTreeMap::new(),
            };
            let rewrite = done.get(id);
            for view in table.segments.iter() {
                let unit = view.segment.unit;
                if rewrite.is_some_and(|r| r.maps.contains_key(&unit)) {
                    continue;
                }
                let deletes = self.note_deletes(*id, view, frozen.ts)?;
                record.segments.insert(unit, SegmentRecord { meta: view.segment.meta.clone(), deletes });
                segments.insert((*id, unit), view.segment.clone());
            }
            if let Some(segment) = rewrite.and_then(|r| r.segment.as_ref()) {
                let noted = SegmentRecord { meta: segment.meta.clone(), deletes: None };
                record.segments.insert(segment.unit, noted);
                segments.insert((*id, segment.unit), segment.clone());
            }
            state.tables.insert(*id, record);
        }
        self.disk.sync_dir(&self.dir).map_err(Error::at(&self.dir))?;
        self.manifest.commit(&self.state, &state)?;
        self.remove_old_deletes(&state);
        self.state = state;
        let mut old = std::mem::replace(&mut self.segments, segments);
        old.retain(|key, _| !self.segments.contains_key(key));
        Ok(old.into_values().collect())
    }

    /// The deletion vector of a segment as of `ts`, written unless the manifest has it already. Rows only ever die, so
    /// that equal counts mean equal sets.
    fn note_deletes(&self, table: TableId, view: &SegmentView, ts: u64) -> Result<Option<deletes::DeletesMeta>> {
        let unit = view.segment.unit;
        let noted = self.state.tables.get(&table).and_then(|t| t.segments.get(&unit)).and_then(|s| s.deletes);
        let Some(deleted) = view.deleted.as_ref().filter(|d| !d.is_empty()) else { return Ok(None) };
        if noted.is_some_and(|n| n.rows == deleted.len()) {
            return Ok(noted);
        }
        let path = deletes::path(&self.dir, table, unit, ts);
        deletes::write(self.disk.as_ref(), &path, ts, deleted).map(Some)
    }

    /// Removes what a flush that failed has written.
    pub fn discard(&self, units: &[(TableId, u32)]) {
        let names = self.disk.list(&self.dir).unwrap_or_default();
        for (table, unit) in units {
            let prefix = format!("{}.", stem(*table, *unit));
            for name in names.iter().filter(|name| name.starts_with(&prefix)) {
                // Left behind it is only litter, which the next start sweeps up.
                let _ = self.disk.remove(&self.dir.join(name));
            }
        }
    }

    fn remove_old_deletes(&self, new: &ManifestState) {
        for (id, table) in &self.state.tables {
            for (unit, segment) in &table.segments {
                let now = new.tables.get(id).and_then(|t| t.segments.get(unit)).and_then(|s| s.deletes);
                if let Some(old) = segment.deletes.filter(|old| now != Some(*old)) {
                    let path = deletes::path(&self.dir, *id, *unit, old.ts);
                    // Left behind it is only litter, which the next start sweeps up.
                    let _ = self.disk.remove(&path);
                }
            }
        }
    }
}
