//! Makes one segment of chunks and segments: a merge of rows in key order that holds few of them in memory at a time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter_record_batch, interleave_record_batch};
use arrow::row::Rows;
use roaring::RoaringBitmap;

use crate::index::KeyColumns;
use crate::memtable::{Chunk, RowId, adapt, options};
use crate::order::Sorter;
use crate::schema::{ColumnSchema, IndexId, TableId};
use crate::segment::encoding::{WORTHWHILE_FLUSHED_ROWS, WORTHWHILE_ROWS};
use crate::segment::reader::SegmentRows;
use crate::segment::writer::{PAGE_ROWS, SegmentWriter};
use crate::segment::{Segment, SegmentFolder, stem};
use crate::version::{RowMap, SegmentView, Shape, Table};
use crate::{Error, Result};

/// Steps in which the rows of a row group are put in order and written: groups are small where memory is short.
const STEPS_OF_GROUP: usize = 4;

/// Rows of segments out of order that a merge puts in order: they are in memory then.
pub fn most_unsorted(row_group_rows: usize) -> u64 {
    row_group_rows as u64 * 4
}

/// These chunks and segments of a table become one segment.
#[derive(Debug)]
pub struct Rewrite {
    pub table: TableId,
    pub shape: Shape,
    /// The new segment's unit.
    pub unit: u32,
    pub chunks: Vec<Arc<Chunk>>,
    pub segments: Vec<SegmentView>,
    pub row_group_rows: usize,
}

#[derive(Debug)]
pub struct Rewritten {
    pub table: TableId,
    /// None if no row was left.
    pub segment: Option<Arc<Segment>>,
    /// Where the rows of each input went.
    pub maps: BTreeMap<u32, Vec<u32>>,
    /// Rows of each input that were left out as dead.
    pub dead: HashMap<u32, RoaringBitmap>,
}

/// Rows of an input, with where they come from.
struct Rowset {
    batch: RecordBatch,
    origins: Vec<(u32, u32)>,
    ids: Vec<RowId>,
    /// If the table has a primary key.
    keys: Option<Rows>,
}

/// Yields one input's live rows, in key order if there is a key.
enum Input<'a> {
    Memory(std::vec::IntoIter<Rowset>),
    Segment { rows: SegmentRows, view: &'a SegmentView, next: u32 },
}

/// An input's rows at hand.
struct Cursor<'a> {
    input: Input<'a>,
    current: Option<Rowset>,
    at: usize,
}

/// What turns batches into rowsets; None if the rows have no order.
struct Keys(Option<Sorter>);

impl Keys {
    fn rows(&self, batch: &RecordBatch) -> Result<Option<Rows>> {
        self.0.as_ref().map(|sorter| sorter.rows(batch)).transpose()
    }
}

impl Rewrite {
    /// The table and unit of the segment to be written.
    pub fn output(&self) -> (TableId, u32) {
        (self.table, self.unit)
    }

    /// Whole pages, so that those of all columns end together.
    fn write_rows(&self) -> usize {
        (self.row_group_rows / STEPS_OF_GROUP).max(1).next_multiple_of(PAGE_ROWS)
    }

    /// Writes the segment and its key files. `pace` is told of the rows after each step; its error ends the work.
    pub fn run(&self, folder: &SegmentFolder, mut pace: impl FnMut(usize) -> Result<()>) -> Result<Rewritten> {
        let mut done = Rewritten { table: self.table, segment: None, maps: BTreeMap::new(), dead: HashMap::new() };
        for chunk in &self.chunks {
            done.maps.insert(chunk.unit, vec![RowMap::GONE; chunk.rows as usize]);
            done.dead.insert(chunk.unit, (0..chunk.rows).filter(|row| !chunk.is_live(*row)).collect());
        }
        for view in &self.segments {
            done.maps.insert(view.segment.unit, vec![RowMap::GONE; view.segment.meta.rows as usize]);
            done.dead.insert(view.segment.unit, view.deleted.all().as_ref().clone());
        }
        let mut rows: u64 = self.chunks.iter().map(|c| u64::from(c.rows - c.dead)).sum();
        rows += self.segments.iter().map(SegmentView::live_rows).sum::<u64>();
        if rows == 0 {
            return Ok(done);
        }
        let sorts = self.sorts();
        let keys = Keys(if sorts { Sorter::of(&self.shape.schema)? } else { None });
        let mut output = Output::new(self, folder, rows)?;
        if !sorts {
            output.writer.not_sorted();
        }
        let mut merge =
            Merge { cursors: self.inputs(&keys)?, keys: &keys, view: &self.shape, write_rows: self.write_rows() };
        while let Some(step) = merge.next()? {
            output.write(&step, &mut done.maps)?;
            pace(step.ids.len())?;
        }
        if u64::from(output.rows) != rows {
            return Err(Error::Internal(format!("{} of {rows} rows of table {} came", output.rows, self.table)));
        }
        done.segment = Some(Arc::new(output.finish(folder)?));
        Ok(done)
    }

    /// Will the rows be in order? Segments that are not are sorted in memory, which is for few rows of a table of windows only.
    fn sorts(&self) -> bool {
        let order = self.shape.schema.sort_order();
        if self.shape.schema.windows.is_none()
            || self.segments.iter().all(|view| view.segment.is_staged()) && self.segments.len() == 1
        {
            return true;
        }
        let unsorted = self.segments.iter().filter(|view| view.segment.meta.order() != order);
        unsorted.map(SegmentView::live_rows).sum::<u64>() <= most_unsorted(self.row_group_rows)
    }

    /// Segments in the order are read as they are; everything else is sorted first.
    fn inputs(&self, keys: &Keys) -> Result<Vec<Cursor<'_>>> {
        let order = self.shape.schema.sort_order();
        let columns: Vec<&ColumnSchema> = self.shape.schema.columns.iter().collect();
        let mut unsorted = Vec::new();
        let mut cursors = Vec::new();
        for view in &self.segments {
            let mut input = Input::Segment { rows: view.segment.rows(&columns)?, view, next: 0 };
            if keys.0.is_none() || view.segment.meta.order() == order {
                cursors.push(Cursor { input, current: None, at: 0 });
                continue;
            }
            while let Some(rows) = input.next(&Keys(None), &self.shape)? {
                unsorted.push(rows);
            }
        }
        for chunk in &self.chunks {
            for piece in &chunk.pieces {
                unsorted.push(self.piece(chunk, piece)?);
            }
        }
        let memory = match keys.0 {
            Some(_) => sorted(unsorted, keys, self.write_rows())?,
            None => unsorted,
        };
        cursors.push(Cursor { input: Input::Memory(memory.into_iter()), current: None, at: 0 });
        Ok(cursors)
    }

    fn piece(&self, chunk: &Chunk, piece: &crate::memtable::Piece) -> Result<Rowset> {
        let batch = adapt(&piece.batch, &chunk.columns, &self.shape)?;
        let rows: Vec<u32> = (piece.start..).take(batch.num_rows()).filter(|row| chunk.is_live(*row)).collect();
        let batch = match chunk.piece_live(piece) {
            None => batch,
            Some(live) => filter_record_batch(&batch, &BooleanArray::new(live, None))?,
        };
        let missing = || Error::Internal(format!("rows of table {} lack identities", self.table));
        let ids = rows.iter().map(|row| chunk.row_id(*row).ok_or_else(missing)).collect::<Result<_>>()?;
        Ok(Rowset { batch, origins: rows.iter().map(|row| (chunk.unit, *row)).collect(), ids, keys: None })
    }
}

/// All rows in key order, in pieces.
fn sorted(rowsets: Vec<Rowset>, keys: &Keys, write_rows: usize) -> Result<Vec<Rowset>> {
    let encoded = rowsets.iter().map(|r| keys.rows(&r.batch)).collect::<Result<Vec<_>>>()?;
    let mut order: Vec<(usize, usize)> =
        rowsets.iter().enumerate().flat_map(|(i, r)| (0..r.ids.len()).map(move |row| (i, row))).collect();
    let key = |(i, row): &(usize, usize)| encoded[*i].as_ref().map(|rows| rows.row(*row));
    order.sort_by(|a, b| key(a).cmp(&key(b)));
    let batches: Vec<&RecordBatch> = rowsets.iter().map(|r| &r.batch).collect();
    let pieces = order.chunks(write_rows).map(|places| {
        let batch = interleave(&batches, places)?;
        Ok(Rowset {
            keys: keys.rows(&batch)?,
            batch,
            origins: places.iter().map(|(i, row)| rowsets[*i].origins[*row]).collect(),
            ids: places.iter().map(|(i, row)| rowsets[*i].ids[*row]).collect(),
        })
    });
    pieces.collect()
}

/// As `interleave_record_batch`, also of batches without columns.
fn interleave(batches: &[&RecordBatch], places: &[(usize, usize)]) -> Result<RecordBatch> {
    match batches.first().filter(|b| b.num_columns() == 0) {
        Some(first) => Ok(RecordBatch::try_new_with_options(first.schema(), vec![], &options(places.len()))?),
        None => Ok(interleave_record_batch(batches, places)?),
    }
}

impl Input<'_> {
    fn next(&mut self, keys: &Keys, shape: &Shape) -> Result<Option<Rowset>> {
        match self {
            Input::Memory(rows) => match rows.next() {
                Some(rows) if rows.keys.is_none() => Ok(Some(Rowset { keys: keys.rows(&rows.batch)?, ..rows })),
                other => Ok(other),
            },
            Input::Segment { rows, view, next } => {
                let Some((batch, ids)) = rows.next_batch()? else { return Ok(None) };
                let start = *next;
                *next += ids.len() as u32;
                let batch = batch.with_schema(shape.arrow.clone())?;
                let all = start..*next;
                let dead = Some(&view.deleted).filter(|dead| dead.touch(all.clone()));
                let (batch, ids, rows) = match dead {
                    None => (batch, ids, all.collect::<Vec<u32>>()),
                    Some(dead) => {
                        let live: BooleanBuffer = all.clone().map(|row| !dead.contains(row)).collect();
                        let ids = ids.into_iter().zip(&live).filter(|(_, live)| *live).map(|(id, _)| id).collect();
                        let rows = all.filter(|row| !dead.contains(*row)).collect();
                        (filter_record_batch(&batch, &BooleanArray::new(live, None))?, ids, rows)
                    }
                };
                let origins = rows.into_iter().map(|row| (view.segment.unit, row)).collect();
                Ok(Some(Rowset { keys: keys.rows(&batch)?, batch, origins, ids }))
            }
        }
    }
}

/// Several inputs as one.
struct Merge<'a> {
    cursors: Vec<Cursor<'a>>,
    keys: &'a Keys,
    view: &'a Shape,
    write_rows: usize,
}

impl Merge<'_> {
    /// The next rows, about as many as are written at a time.
    fn next(&mut self) -> Result<Option<Rowset>> {
        // Batches that rows were taken from; the cursors' own are the last ones of each.
        let mut batches: Vec<RecordBatch> = Vec::new();
        let mut batch_of: HashMap<usize, usize> = HashMap::new();
        let (mut places, mut origins, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        while places.len() < self.write_rows {
            for (number, cursor) in self.cursors.iter_mut().enumerate() {
                while cursor.current.as_ref().is_none_or(|rows| cursor.at == rows.ids.len()) {
                    cursor.current = cursor.input.next(self.keys, self.view)?;
                    cursor.at = 0;
                    batch_of.remove(&number);
                    if cursor.current.is_none() {
                        break;
                    }
                }
                // Without a key one input follows the other, and none is opened before its turn.
                if self.keys.0.is_none() && cursor.current.is_some() {
                    break;
                }
            }
            let Some((least, run)) = self.least(self.write_rows - places.len()) else { break };
            let cursor = &mut self.cursors[least];
            let Some(rows) = &cursor.current else { break };
            let batch = *batch_of.entry(least).or_insert_with(|| {
                batches.push(rows.batch.clone());
                batches.len() - 1
            });
            let range = cursor.at..cursor.at + run;
            places.extend(range.clone().map(|row| (batch, row)));
            origins.extend_from_slice(&rows.origins[range.clone()]);
            ids.extend_from_slice(&rows.ids[range]);
            cursor.at += run;
        }
        if places.is_empty() {
            return Ok(None);
        }
        let batch = interleave(&batches.iter().collect::<Vec<_>>(), &places)?;
        Ok(Some(Rowset { batch, origins, ids, keys: None }))
    }

    /// The cursor with the least key, and how many of its rows (at most `most`) come before those of every other.
    fn least(&self, most: usize) -> Option<(usize, usize)> {
        let key = |cursor: usize| {
            let cursor = &self.cursors[cursor];
            cursor.current.as_ref().and_then(|rows| rows.keys.as_ref()).map(|keys| keys.row(cursor.at))
        };
        let mut open = (0..self.cursors.len()).filter(|c| self.cursors[*c].current.is_some());
        let (mut least, mut second) = (open.next()?, None);
        if self.keys.0.is_some() {
            for cursor in open {
                if key(cursor) < key(least) {
                    (least, second) = (cursor, Some(least));
                } else if second.is_none_or(|second| key(cursor) < key(second)) {
                    second = Some(cursor);
                }
            }
        }
        let cursor = &self.cursors[least];
        let rows = cursor.current.as_ref()?;
        let left = (rows.ids.len() - cursor.at).min(most);
        let (Some(second), Some(keys)) = (second.and_then(key), &rows.keys) else { return Some((least, left)) };
        let run = (1..left).find(|i| keys.row(cursor.at + i).cmp(&second) == Ordering::Greater);
        Some((least, run.unwrap_or(left)))
    }
}

/// The segment being written.
struct Output<'a> {
    rewrite: &'a Rewrite,
    writer: SegmentWriter<'a>,
    hashes: BTreeMap<IndexId, Vec<Option<u64>>>,
    rows: u32,
}

impl<'a> Output<'a> {
    fn new(rewrite: &'a Rewrite, folder: &SegmentFolder, rows: u64) -> Result<Self> {
        let path = folder.dir.join(stem(rewrite.table, rewrite.unit)).with_extension("parquet");
        let mut writer = SegmentWriter::new(folder.disk.as_ref(), path, &rewrite.shape, rows, rewrite.row_group_rows)?;
        let enough = if rewrite.chunks.is_empty() { WORTHWHILE_ROWS } else { WORTHWHILE_FLUSHED_ROWS };
        if rows >= enough {
            writer.measure_encodings();
        }
        Ok(Self { rewrite, writer, hashes: BTreeMap::new(), rows: 0 })
    }

    fn write(&mut self, rows: &Rowset, maps: &mut BTreeMap<u32, Vec<u32>>) -> Result<()> {
        let schema = &self.rewrite.shape.schema;
        for ((unit, from), to) in rows.origins.iter().zip(self.rows..) {
            if let Some(place) = maps.get_mut(unit).and_then(|map| map.get_mut(*from as usize)) {
                *place = to;
            }
        }
        for index in &schema.indexes {
            let keys = KeyColumns::of_table(schema, index, &rows.batch)?;
            self.hashes.entry(index.id).or_default().extend(keys.hashes(rows.batch.num_rows()));
        }
        self.rows += rows.ids.len() as u32;
        self.writer.write(&rows.batch, &rows.ids)
    }

    fn finish(self, folder: &SegmentFolder) -> Result<Segment> {
        let meta = Arc::new(self.writer.finish()?);
        let segment = Segment::open(folder, self.rewrite.table, self.rewrite.unit, meta)?;
        let schema = &self.rewrite.shape.schema;
        for index in &schema.indexes {
            segment.write_keys(schema, index, self.hashes.get(&index.id).map_or(&[], Vec::as_slice))?;
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
                (_, Some(view)) => view.deleted.all().as_ref().clone(),
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
            let deleted = deleted.into();
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
