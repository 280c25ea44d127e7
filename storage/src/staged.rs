//! Rows of a transaction that has more of them than belong in memory: segments written before the commit.
//!
//! Each chunk of own rows becomes one segment, row for row, so that addresses, savepoints and undo are not concerned. The files are
//! named by nobody and go with the transaction; a start sweeps up those of a process that was killed. A commit syncs the folder and then
//! names them in its entry of the log, which makes them part of their tables at once ([`crate::command::ChangeKind::Attach`]). DuckDB's
//! optimistic writer does the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::row::OwnedRow;
use roaring::RoaringBitmap;
use tokio::task::JoinHandle;

use crate::index::KeyColumns;
use crate::memtable::{Chunk, RowId, adapt};
use crate::order::Sorter;
use crate::overlay::Overlay;
use crate::schema::{ColumnSchema, IndexId, TableId};
use crate::segment::writer::SegmentWriter;
use crate::segment::{Segment, SegmentFolder, stem};
use crate::transaction::Transaction;
use crate::version::Shape;
use crate::{Error, Result};

/// A chunk whose rows are in a file.
#[derive(Debug, Clone)]
pub struct Staged {
    pub segment: Arc<Segment>,
    /// The place of its first row among those that the commit writes to the table.
    pub first: u32,
}

/// A segment that enters its table with a commit.
#[derive(Debug, Clone)]
pub struct Attached {
    pub segment: Arc<Segment>,
    /// As in [`Staged`].
    pub first: u32,
    /// Rows that were undone or deleted before.
    pub deleted: RoaringBitmap,
}

impl Attached {
    /// The place of the row behind its last one.
    pub fn end(&self) -> u32 {
        self.first.saturating_add(self.segment.meta.rows)
    }
}

/// A chunk that is being written.
#[derive(Debug)]
pub struct Staging {
    table: TableId,
    chunk: Arc<Chunk>,
    first: u32,
    task: JoinHandle<Result<Arc<Segment>>>,
}

/// What a store offers to large transactions.
#[derive(Debug, Clone)]
pub struct StagingArea {
    pub folder: SegmentFolder,
    pub row_group_rows: usize,
}

impl Transaction {
    /// Writes own rows to disk if there are many: to be called after each part of a large change. One chunk is being written while the
    /// next one fills, which bounds what is in memory.
    pub async fn make_room(&mut self) -> Result<()> {
        let Some(limit) = self.store().staging_limit() else { return Ok(()) };
        if self.staging.as_ref().is_some_and(|staging| staging.task.is_finished()) {
            self.settle().await?;
        }
        while self.bytes_in_chunks() >= limit {
            self.settle().await?;
            if !self.stage_largest()? {
                break;
            }
        }
        Ok(())
    }

    /// Has it so many new rows in the table that some have been written to disk?
    pub fn is_staged(&self, table: TableId) -> bool {
        self.overlays().any(|(id, overlay)| *id == table && overlay.next_ordinal > 0)
    }

    /// Waits for the chunk that is being written.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        let Some(Staging { table, chunk, first, task }) = self.staging.take() else { return Ok(()) };
        let segment = task.await.map_err(|e| Error::Internal(format!("writing a segment broke off: {e}")))??;
        if let Some(overlay) = self.overlay_mut(table) {
            // If the chunk is not what it was, its rows were undone, and the file goes.
            overlay.adopt(&chunk, Staged { segment, first });
        }
        Ok(())
    }

    /// Bytes of own rows in memory that are not being written.
    fn bytes_in_chunks(&self) -> usize {
        let busy = self.staging.as_ref().map(|staging| &staging.chunk);
        let chunks = self.overlays().flat_map(|(_, overlay)| &overlay.chunks);
        chunks.filter(|chunk| busy.is_none_or(|busy| !Arc::ptr_eq(busy, chunk))).map(|chunk| chunk.bytes).sum()
    }

    /// False if there is nothing to write.
    fn stage_largest(&mut self) -> Result<bool> {
        let candidates = self.overlays().filter(|(_, overlay)| !overlay.dropped);
        let candidates = candidates.flat_map(|(id, overlay)| overlay.chunks.iter().map(|chunk| (*id, chunk)));
        let largest = candidates.filter(|(_, chunk)| chunk.bytes > 0).max_by_key(|(_, chunk)| chunk.bytes);
        let Some((table, unit)) = largest.map(|(id, chunk)| (id, chunk.unit)) else { return Ok(false) };
        let (shape, store) = (self.shape(table)?.clone(), self.store().clone());
        let Some(area) = store.staging_area() else { return Ok(false) };
        let Some(overlay) = self.overlay_mut(table) else { return Ok(false) };
        let Some((chunk, first)) = overlay.seal_for_staging(unit)? else { return Ok(false) };
        let (source, number) = (chunk.clone(), store.next_staged_unit()?);
        let write = move || {
            // As long as this writes, the directory is in use.
            let _store = store;
            let written = write(&area, table, number, &shape, &source, first);
            written.inspect_err(|_| area.folder.discard(table, number))
        };
        self.staging = Some(Staging { table, chunk, first, task: tokio::task::spawn_blocking(write) });
        Ok(true)
    }
}

/// Writes a chunk with its key files.
fn write(
    area: &StagingArea,
    table: TableId,
    unit: u32,
    shape: &Shape,
    chunk: &Chunk,
    first: u32,
) -> Result<Arc<Segment>> {
    let folder = &area.folder;
    let path = folder.dir.join(stem(table, unit)).with_extension("parquet");
    let mut writer = SegmentWriter::new(folder.disk.as_ref(), path, shape, u64::from(chunk.rows), area.row_group_rows)?;
    let mut order = Order::of(shape)?;
    let mut hashes: BTreeMap<IndexId, Vec<Option<u64>>> = BTreeMap::new();
    for piece in &chunk.pieces {
        let rows = adapt(&piece.batch, &chunk.columns, shape)?;
        if !order.goes_on(&rows)? {
            writer.not_sorted();
        }
        for index in &shape.schema.indexes {
            let keys = KeyColumns::of_table(&shape.schema, index, &rows)?;
            hashes.entry(index.id).or_default().extend(keys.hashes(rows.num_rows()));
        }
        // The commit has no timestamp yet: the segment's meta will know it.
        let ids = (first + piece.start..).take(rows.num_rows()).map(|ordinal| RowId { ts: 0, ordinal });
        writer.write(&rows, &ids.collect::<Vec<_>>())?;
    }
    let segment = Segment::open(folder, table, unit, Arc::new(writer.finish()?))?;
    segment.retire();
    for index in &shape.schema.indexes {
        segment.write_keys(&shape.schema, index, hashes.get(&index.id).map_or(&[], Vec::as_slice))?;
    }
    Ok(Arc::new(segment))
}

/// Do rows come in the order of the table?
struct Order {
    /// None without an order, and once they do not.
    sorter: Option<Sorter>,
    last: Option<OwnedRow>,
}

impl Order {
    fn of(shape: &Shape) -> Result<Self> {
        Ok(Self { sorter: Sorter::of(&shape.schema)?, last: None })
    }

    fn goes_on(&mut self, rows: &RecordBatch) -> Result<bool> {
        let Some(sorter) = &self.sorter else { return Ok(false) };
        let keys = sorter.rows(rows)?;
        let Some(last) = keys.num_rows().checked_sub(1) else { return Ok(true) };
        let follows = self.last.as_ref().is_none_or(|last| last.row() <= keys.row(0));
        if !follows || (0..last).any(|i| keys.row(i) > keys.row(i + 1)) {
            self.sorter = None;
            return Ok(false);
        }
        self.last = Some(keys.row(last).owned());
        Ok(true)
    }
}

impl Overlay {
    /// Closes a chunk, and says where its rows will be among those of the commit. None if there is no such chunk.
    fn seal_for_staging(&mut self, unit: u32) -> Result<Option<(Arc<Chunk>, u32)>> {
        let Ok(at) = self.chunks.binary_search_by_key(&unit, |chunk| chunk.unit) else { return Ok(None) };
        let (chunk, first) = (&mut self.chunks[at], self.next_ordinal);
        let too_many = || Error::OutOfMemory("a transaction writes too many rows to one table".into());
        self.next_ordinal = first.checked_add(chunk.rows).ok_or_else(too_many)?;
        Arc::make_mut(chunk).sealed = true;
        Ok(Some((chunk.clone(), first)))
    }

    /// The rows of a chunk are in a file now, unless the chunk has changed since.
    fn adopt(&mut self, chunk: &Arc<Chunk>, staged: Staged) {
        let unit = chunk.unit;
        let Ok(at) = self.chunks.binary_search_by_key(&unit, |chunk| chunk.unit) else { return };
        if !Arc::ptr_eq(&self.chunks[at], chunk) {
            return;
        }
        let own = Arc::make_mut(&mut self.chunks[at]);
        own.pieces.clear();
        own.bytes = 0;
        self.staged.insert(unit, staged);
        self.keys.values_mut().for_each(|keys| drop(keys.chunks.remove(&unit)));
    }

    /// Rows of a staged chunk's file that are not there any more.
    pub fn dead_in_file(&self, unit: u32, staged: &Staged) -> RoaringBitmap {
        let mut dead = self.deleted.get(&unit).cloned().unwrap_or_default();
        dead.insert_range(self.chunk(unit).map_or(0, |chunk| chunk.rows)..staged.segment.meta.rows);
        dead
    }

    /// The segments that a commit attaches: those with a row that still lives.
    pub fn attached(&self) -> Vec<Attached> {
        let all = self.staged.iter().map(|(unit, staged)| Attached {
            segment: staged.segment.clone(),
            first: staged.first,
            deleted: self.dead_in_file(*unit, staged),
        });
        all.filter(|attached| attached.deleted.len() < u64::from(attached.segment.meta.rows)).collect()
    }

    /// Brings the rows in files back into memory, of which they may take `limit` bytes.
    pub fn unstage(&mut self, shape: &Shape, limit: usize) -> Result<()> {
        let columns: Vec<&ColumnSchema> = shape.schema.columns.iter().collect();
        let mut bytes = 0;
        for (unit, staged) in std::mem::take(&mut self.staged) {
            let Ok(at) = self.chunks.binary_search_by_key(&unit, |chunk| chunk.unit) else { continue };
            let keep: Vec<u32> = (0..self.chunks[at].rows).collect();
            let chunk = Arc::make_mut(&mut self.chunks[at]);
            chunk.columns = shape.columns.clone();
            let mut start = 0;
            for batch in staged.segment.read(Some(&keep), &columns)? {
                bytes += crate::memtable::batch_bytes(&batch);
                if bytes > limit {
                    let what = format!("a prepared transaction holds more than {limit} bytes of new rows");
                    return Err(Error::OutOfMemory(what));
                }
                let rows = batch.num_rows() as u32;
                let batch = batch.with_schema(shape.arrow.clone())?;
                chunk.pieces.push(Arc::new(crate::memtable::Piece::new(start, batch)));
                start += rows;
            }
        }
        Ok(())
    }
}
