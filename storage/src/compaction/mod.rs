//! Merges segments in the background.
//!
//! A compaction reads segments with exactly the deletes that the manifest notes, so that its output is what the manifest
//! may name in their place: rows that died later die again when the log is replayed. It runs beside commits and flushes
//! (which leave its inputs alone), and takes its turn only to begin and to be noted. Deletes that hit its inputs meanwhile
//! follow their rows: those noted by then into the output's own deletion vector, the others into the head's.

pub mod policy;
pub mod range;
mod worker;

use arrow::row::{RowConverter, SortField};
use roaring::RoaringBitmap;

use crate::flush::Files;
use crate::manifest::{SegmentRecord, TableRecord};
use crate::rewrite::{Rewrite, Rewritten, most_unsorted};
use crate::schema::TableId;
use crate::segment::{Segment, deletes};
use crate::version::{RowMap, STAGED_UNITS, SegmentView, Shape};
use crate::{Config, Error, Result};
use policy::{Merge, Reason, SegmentFacts, Settings};

pub use worker::{Compactor, Pace};

/// A merge that has begun.
#[derive(Debug)]
pub struct Compaction {
    pub rewrite: Rewrite,
    /// Bytes of the inputs' files per row.
    pub bytes_per_row: u64,
}

pub fn settings(config: &Config) -> Settings {
    Settings {
        fan_in: config.compaction_fan_in.max(2),
        overlap: config.compaction_overlap.max(2),
        dead_percent: config.compaction_dead_percent.clamp(1, 100),
        max_bytes: config.compaction_max_bytes,
        max_rows: config.compaction_max_rows,
        max_unsorted: most_unsorted(config.row_group_rows),
    }
}

/// The most useful merge of one of these tables (None: any), if one is.
pub fn choose(files: &Files, settings: &Settings, tables: Option<&[TableId]>) -> Result<Option<(TableId, Merge)>> {
    for (id, record) in files.state.tables.iter().filter(|(id, _)| tables.is_none_or(|tables| tables.contains(id))) {
        let idle = record.segments.keys().filter(|unit| !files.busy.contains(&(*id, **unit)));
        let facts = idle.map(|unit| facts(files, *id, record, *unit)).collect::<Result<Vec<_>>>()?;
        if let Some(merge) = policy::choose(&facts, settings) {
            let merge = put_in_order(record, &merge, settings).unwrap_or(merge);
            return Ok(Some((*id, merge)));
        }
    }
    Ok(None)
}

/// The rewrite of a segment whose rows are to be put in order before the merge, which can read it as it is then, and need not have all of it in
/// memory.
fn put_in_order(record: &TableRecord, merge: &Merge, settings: &Settings) -> Option<Merge> {
    let order = record.schema.sort_order();
    record.schema.windows.as_ref().filter(|_| merge.units.len() > 1 && !order.columns.is_empty())?;
    let segments = merge.units.iter().filter_map(|unit| Some((*unit, record.segments.get(unit)?)));
    let unsorted: Vec<_> = segments.filter(|(_, segment)| segment.meta.order() != order).collect();
    let rows = |segment: &SegmentRecord| u64::from(segment.meta.rows);
    if unsorted.iter().map(|(_, segment)| rows(segment)).sum::<u64>() <= settings.max_unsorted {
        return None;
    }
    let (unit, _) = unsorted.iter().find(|(unit, _)| is_unordered(record, *unit, settings))?;
    Some(Merge { units: vec![*unit], reason: Reason::Order })
}

/// Is a segment of a table of windows out of order, and small enough to be put in order alone?
fn is_unordered(record: &TableRecord, unit: u32, settings: &Settings) -> bool {
    let Some(segment) = record.segments.get(&unit).filter(|_| record.schema.windows.is_some()) else { return false };
    let small = unit >= STAGED_UNITS || u64::from(segment.meta.rows) <= settings.max_unsorted;
    small && segment.meta.order() != record.schema.sort_order()
}

fn facts(files: &Files, id: TableId, record: &TableRecord, unit: u32) -> Result<SegmentFacts> {
    let missing = || Error::Internal(format!("segment {id}-{unit} is not open"));
    let noted = record.segments.get(&unit).ok_or_else(missing)?;
    let segment = files.segments.get(&(id, unit)).ok_or_else(missing)?;
    let primary = record.schema.primary().and_then(|key| key.columns.first());
    let primary = primary.filter(|key| noted.meta.sorted_by.first() == Some(key));
    // Those of a table of windows are neighbours by their times, whatever order their rows have.
    let keys = match record.schema.windows.as_ref().map(|windows| &windows.column).or(primary) {
        Some(key) => key_range(segment, *key)?,
        None => None,
    };
    Ok(SegmentFacts {
        unit,
        rows: u64::from(noted.meta.rows),
        dead: noted.deletes.map_or(0, |d| d.rows),
        bytes: noted.meta.bytes,
        keys,
    })
}

/// The range of a column in bytes that compare as its values do.
fn key_range(segment: &Segment, column: u32) -> Result<Option<(Vec<u8>, Vec<u8>)>> {
    let Some((least, greatest)) = segment.range(column)? else { return Ok(None) };
    let converter = RowConverter::new(vec![SortField::new(least.data_type().clone())])?;
    let bytes = |value| -> Result<Vec<u8>> { Ok(converter.convert_columns(&[value])?.row(0).as_ref().to_vec()) };
    Ok(Some((bytes(least)?, bytes(greatest)?)))
}

impl Compaction {
    /// The rewrite of the chosen segments into `unit`, with the deletes that the manifest notes.
    pub fn begin(files: &mut Files, table: TableId, merge: &Merge, unit: u32, row_group_rows: usize) -> Result<Self> {
        let record = files.state.tables.get(&table).ok_or(Error::NoTable(table))?;
        let mut segments = Vec::new();
        let (mut bytes, mut rows) = (0, 0);
        for unit in &merge.units {
            let missing = || Error::Internal(format!("segment {table}-{unit} is not open"));
            let segment = files.segments.get(&(table, *unit)).ok_or_else(missing)?;
            let deleted = noted_deletes(files, table, *unit)?.unwrap_or_default().into();
            bytes += segment.meta.bytes;
            rows += u64::from(segment.meta.rows);
            segments.push(SegmentView { segment: segment.clone(), deleted });
        }
        let shape = Shape::new(record.schema.as_ref().clone());
        files.busy.extend(merge.units.iter().map(|unit| (table, *unit)));
        let rewrite = Rewrite { table, shape, unit, chunks: Vec::new(), segments, row_group_rows };
        Ok(Self { rewrite, bytes_per_row: bytes / rows.max(1) })
    }

    fn inputs(&self) -> impl Iterator<Item = u32> {
        self.rewrite.segments.iter().map(|view| view.segment.unit)
    }

    /// Lets flushes have the inputs again.
    pub fn release(&self, files: &mut Files) {
        for unit in self.inputs() {
            files.busy.remove(&(self.rewrite.table, unit));
        }
    }

    /// Names the output in the manifest instead of the inputs. False if the table is gone.
    pub fn note(&self, files: &mut Files, rewritten: &Rewritten) -> Result<bool> {
        let id = self.rewrite.table;
        let mut state = files.state.clone();
        let ts = state.flushed_ts;
        let Some(record) = state.tables.get_mut(&id) else { return Ok(false) };
        let mut deleted = RoaringBitmap::new();
        for unit in self.inputs() {
            if record.segments.remove(&unit).is_none() {
                return Err(Error::Internal(format!("segment {id}-{unit} vanished during its compaction")));
            }
            let now = noted_deletes(files, id, unit)?.unwrap_or_default();
            deleted |= moved(rewritten, unit, now)?;
        }
        record.next_unit = record.next_unit.max(self.rewrite.unit + 1);
        if let Some(segment) = &rewritten.segment {
            let folder = &files.folder;
            let deletes = match deleted.is_empty() {
                true => None,
                false => {
                    let path = deletes::path(&folder.dir, id, segment.unit, ts);
                    Some(deletes::write(folder.disk.as_ref(), &path, ts, &deleted)?)
                }
            };
            record.segments.insert(segment.unit, SegmentRecord { meta: segment.meta.clone(), deletes });
        }
        let dir = &files.folder.dir;
        files.folder.disk.sync_dir(dir).map_err(Error::at(dir))?;
        files.manifest.commit(&files.state, &state)?;
        files.state = state;
        for unit in self.inputs() {
            if let Some(segment) = files.segments.remove(&(id, unit)) {
                segment.retire();
            }
        }
        if let Some(segment) = &rewritten.segment {
            files.segments.insert((id, segment.unit), segment.clone());
        }
        Ok(true)
    }
}

/// Rows of an input that died since the compaction began, in the output.
fn moved(rewritten: &Rewritten, unit: u32, now: RoaringBitmap) -> Result<RoaringBitmap> {
    let empty = RoaringBitmap::new();
    let (before, map) = (rewritten.dead.get(&unit).unwrap_or(&empty), rewritten.maps.get(&unit));
    let place = |row: u32| {
        let to = map.and_then(|map| map.get(row as usize)).copied().filter(|to| *to != RowMap::GONE);
        to.ok_or_else(|| Error::Internal(format!("row {row} of unit {unit} died twice")))
    };
    (now - before).into_iter().map(place).collect()
}

fn noted_deletes(files: &Files, table: TableId, unit: u32) -> Result<Option<RoaringBitmap>> {
    let record = files.state.tables.get(&table).and_then(|t| t.segments.get(&unit));
    let Some(meta) = record.and_then(|s| s.deletes) else { return Ok(None) };
    let path = deletes::path(&files.folder.dir, table, unit, meta.ts);
    deletes::read(files.folder.disk.as_ref(), &path, &meta).map(Some)
}

/// What tests of compaction take apart: a merge that was written and is not noted yet.
#[derive(Debug)]
pub struct Written(pub(crate) Compaction, pub(crate) Rewritten);
