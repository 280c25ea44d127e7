//! The whole store at one moment: an immutable value, replaced at each commit. Who holds one reads it without locks
//! for as long as it likes.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use imbl::OrdMap;
use roaring::RoaringBitmap;

use crate::dead_rows::DeadRows;
use crate::index::{KeyColumns, KeyIndex};
use crate::memtable::{Chunk, RowId, adapt};
use crate::overlay::RowSet;
use crate::schema::{ColumnId, IndexId, TableId, TableSchema};
use crate::segment::Segment;
use crate::transaction::RowAddress;
use crate::{Error, Result};

/// Units (chunks and segments) from here on are a transaction's own chunks.
pub const OWN_UNITS: u32 = 1 << 31;

/// Units from here on are segments that their transaction wrote before it committed. The store numbers them, not the table, whose other
/// units are given out anew when the log is replayed.
pub const STAGED_UNITS: u32 = 1 << 30;

/// What a row takes in one key index, about.
pub const KEY_BYTES: usize = 32;

/// The address of a row: its chunk or segment, and its place there.
pub fn address(unit: u32, row: u32) -> RowAddress {
    (u64::from(unit) << 32) | u64::from(row)
}

pub fn unit_of(address: RowAddress) -> u32 {
    (address >> 32) as u32
}

pub fn row_of(address: RowAddress) -> u32 {
    address as u32
}

#[derive(Debug, Clone, Default)]
pub struct Version {
    /// Number of this version; also grows where `ts` does not (flush).
    pub seq: u64,
    /// The newest commit in it.
    pub ts: u64,
    /// Bytes of rows in memory.
    pub memtable_bytes: usize,
    pub tables: OrdMap<TableId, Arc<Table>>,
}

/// A table's schema in the three forms that readers want.
#[derive(Debug, Clone)]
pub struct Shape {
    pub schema: Arc<TableSchema>,
    pub arrow: SchemaRef,
    pub columns: Arc<[ColumnId]>,
}

impl Shape {
    pub fn new(schema: TableSchema) -> Self {
        let columns = schema.columns.iter().map(|c| c.id).collect();
        Self { arrow: schema.to_arrow(), columns, schema: Arc::new(schema) }
    }
}

/// Rows about to enter a table, with the hashes of their keys: what can be computed before the commit's turn.
#[derive(Debug)]
pub struct IndexedRows {
    pub rows: RecordBatch,
    pub keys: Vec<RowKeys>,
}

/// The keys of a batch's rows in one index; the hash is None for keys that equal no other.
#[derive(Debug)]
pub struct RowKeys {
    pub index: IndexId,
    /// Two rows never have one key, not even for a moment.
    pub unique: bool,
    pub columns: KeyColumns,
    pub hashes: Vec<Option<u64>>,
}

impl IndexedRows {
    pub fn new(schema: &TableSchema, rows: RecordBatch) -> Result<Self> {
        let keys = schema.indexes.iter().map(|index| {
            let columns = KeyColumns::of_table(schema, index, &rows)?;
            let hashes = columns.hashes(rows.num_rows());
            Ok(RowKeys { index: index.id, unique: index.is_immediate(), columns, hashes })
        });
        Ok(Self { keys: keys.collect::<Result<_>>()?, rows })
    }
}

#[derive(Debug, Clone)]
pub struct Table {
    pub id: TableId,
    pub shape: Shape,
    /// The commit that gave the table this schema.
    pub schema_ts: u64,
    /// The commit that last changed rows.
    pub rows_ts: u64,
    pub next_unit: u32,
    /// By unit.
    pub chunks: Vec<Arc<Chunk>>,
    /// By unit.
    pub segments: Arc<Vec<SegmentView>>,
    /// Key indexes over the chunks, oldest first; a new generation begins when a flush freezes the chunks.
    pub generations: Vec<Arc<Generation>>,
    /// Where the rows of flushed chunks and merged segments went, while transactions may still name them.
    pub moved: OrdMap<u32, Arc<RowMap>>,
    pub live_rows: u64,
}

/// A segment with the rows deleted from it in this version.
#[derive(Debug, Clone)]
pub struct SegmentView {
    pub segment: Arc<Segment>,
    pub deleted: DeadRows,
}

#[derive(Debug)]
pub struct Generation {
    pub first_unit: u32,
    pub keys: BTreeMap<IndexId, KeyIndex>,
}

/// Row i of a retired unit is now row `rows[i]` of `segment`, or gone ([`RowMap::GONE`]).
#[derive(Debug)]
pub struct RowMap {
    /// Versions before this one still contain the retired unit.
    pub until_seq: u64,
    pub segment: u32,
    pub rows: Vec<u32>,
}

impl RowMap {
    pub const GONE: u32 = u32::MAX;
}

impl Version {
    pub fn table(&self, id: TableId) -> Result<&Arc<Table>> {
        self.tables.get(&id).ok_or(Error::NoTable(id))
    }
}

impl Table {
    pub fn new(id: TableId, schema: TableSchema, ts: u64) -> Self {
        let generation = Arc::new(Generation::new(0, &schema));
        Self {
            id,
            shape: Shape::new(schema),
            schema_ts: ts,
            rows_ts: 0,
            next_unit: 0,
            chunks: Vec::new(),
            segments: Arc::default(),
            generations: vec![generation],
            moved: OrdMap::new(),
            live_rows: 0,
        }
    }

    pub fn memtable_bytes(&self) -> usize {
        self.chunks.iter().map(|c| c.bytes).sum()
    }

    pub fn chunk(&self, unit: u32) -> Option<&Arc<Chunk>> {
        self.chunks.binary_search_by_key(&unit, |c| c.unit).ok().map(|i| &self.chunks[i])
    }

    pub fn segment(&self, unit: u32) -> Option<&SegmentView> {
        self.segments.binary_search_by_key(&unit, |s| s.segment.unit).ok().map(|i| &self.segments[i])
    }

    pub fn has_unit(&self, unit: u32) -> bool {
        self.chunk(unit).is_some() || self.segment(unit).is_some()
    }

    pub fn is_live(&self, address: RowAddress) -> bool {
        let (unit, row) = (unit_of(address), row_of(address));
        match (self.chunk(unit), self.segment(unit)) {
            (Some(chunk), _) => chunk.is_live(row),
            (_, Some(view)) => view.is_live(row),
            _ => false,
        }
    }

    /// Are all these rows of a unit live?
    pub fn all_live(&self, unit: u32, rows: &RoaringBitmap) -> bool {
        match (self.chunk(unit), self.segment(unit)) {
            (Some(chunk), _) => rows.iter().all(|row| chunk.is_live(row)),
            (_, Some(view)) => {
                rows.max().is_none_or(|last| last < view.segment.meta.rows) && view.deleted.has_none_of(rows)
            }
            _ => rows.is_empty(),
        }
    }

    /// The address in this version of a row that an older version had at `address`; None if it is gone.
    pub fn translate(&self, address: RowAddress) -> Option<RowAddress> {
        let (mut unit, mut row) = (unit_of(address), row_of(address));
        while !self.has_unit(unit) {
            let map = self.moved.get(&unit)?;
            row = *map.rows.get(row as usize)?;
            if row == RowMap::GONE {
                return None;
            }
            unit = map.segment;
        }
        Some(self::address(unit, row))
    }

    /// Drops the maps that no version since `oldest` needs.
    pub fn forget_moved(&mut self, oldest: u64) {
        let expired: Vec<u32> =
            self.moved.iter().filter(|(_, map)| map.until_seq <= oldest).map(|(unit, _)| *unit).collect();
        for unit in expired {
            self.moved.remove(&unit);
        }
    }

    /// The address of a row in memory by its identity.
    pub fn find_in_memory(&self, id: RowId) -> Option<RowAddress> {
        let at = self.chunks.partition_point(|c| c.first_row_id().is_some_and(|first| first <= id)).checked_sub(1)?;
        let chunk = &self.chunks[at];
        chunk.find(id).map(|row| address(chunk.unit, row))
    }

    /// Appends rows of one commit, the first of which is `first`. `gone` tells rows that no reader can see any more.
    pub fn append(&mut self, new: &IndexedRows, first: RowId, gone: &dyn Fn(RowAddress) -> bool) -> Result<()> {
        let fits = self.chunks.last().is_some_and(|c| c.accepts(new.rows.num_rows(), &self.shape.columns));
        if !fits {
            self.seal_last()?;
            let unit = self.take_unit()?;
            self.chunks.push(Arc::new(Chunk::new(unit, self.shape.columns.clone())));
        }
        let Some(last) = self.chunks.last_mut() else { return Err(Error::Internal("no chunk to append to".into())) };
        let chunk = Arc::make_mut(last);
        let (unit, start) = (chunk.unit, chunk.append(new.rows.clone(), first)?);
        chunk.bytes += new.rows.num_rows() * new.keys.len() * KEY_BYTES;
        self.index_rows(new, unit, start, gone);
        self.live_rows += new.rows.num_rows() as u64;
        self.rows_ts = first.ts;
        Ok(())
    }

    /// Puts a segment that commit `ts` wrote into the table.
    pub fn attach(&mut self, view: SegmentView, ts: u64) {
        self.live_rows += view.live_rows();
        self.rows_ts = ts;
        let mut segments = self.segments.as_ref().clone();
        let at = segments.partition_point(|other| other.segment.unit < view.segment.unit);
        segments.insert(at, view);
        self.segments = Arc::new(segments);
    }

    /// Closes the chunk that small commits go to.
    pub fn seal_last(&mut self) -> Result<()> {
        match self.chunks.last_mut().filter(|c| !c.sealed) {
            Some(last) => Arc::make_mut(last).seal(),
            None => Ok(()),
        }
    }

    fn index_rows(&self, new: &IndexedRows, unit: u32, start: u32, gone: &dyn Fn(RowAddress) -> bool) {
        let Some(generation) = self.generations.last() else { return };
        for keys in &new.keys {
            let Some(index) = generation.keys.get(&keys.index) else { continue };
            for (row, hash) in (start..).zip(&keys.hashes) {
                if let Some(hash) = hash {
                    index.insert(*hash, address(unit, row), gone);
                }
            }
        }
    }

    pub fn take_unit(&mut self) -> Result<u32> {
        let unit = self.next_unit;
        if unit >= STAGED_UNITS {
            return Err(Error::Internal(format!("table {} has used up its chunk numbers", self.id)));
        }
        self.next_unit += 1;
        Ok(unit)
    }

    /// Kills rows that are live in this version.
    pub fn kill(&mut self, rows: &RowSet, ts: u64) -> Result<()> {
        for (unit, rows) in rows.iter().filter(|(_, rows)| !rows.is_empty()) {
            if let Ok(at) = self.chunks.binary_search_by_key(unit, |c| c.unit) {
                Arc::make_mut(&mut self.chunks[at]).kill(rows);
            } else if let Ok(at) = self.segments.binary_search_by_key(unit, |s| s.segment.unit) {
                Arc::make_mut(&mut self.segments)[at].deleted.add(rows);
            } else {
                return Err(Error::Internal(format!("table {} has no unit {unit}", self.id)));
            }
            self.live_rows = self.live_rows.saturating_sub(rows.len());
            self.rows_ts = ts;
        }
        Ok(())
    }

    /// Gives the table another schema. Rows in memory are indexed anew where an index was added.
    pub fn alter(&mut self, schema: TableSchema, ts: u64) -> Result<()> {
        let rebuild = schema.indexes.iter().any(|i| !self.shape.schema.indexes.contains(i));
        self.seal_last()?;
        self.shape = Shape::new(schema);
        self.schema_ts = ts;
        if rebuild {
            self.generations = vec![Arc::new(Generation::new(0, &self.shape.schema))];
            for chunk in &self.chunks {
                for piece in &chunk.pieces {
                    let rows = adapt(&piece.batch, &chunk.columns, &self.shape)?;
                    let rows = IndexedRows::new(&self.shape.schema, rows)?;
                    self.index_rows(&rows, chunk.unit, piece.start, &|_| false);
                }
            }
        }
        Ok(())
    }
}

impl SegmentView {
    pub fn is_live(&self, row: u32) -> bool {
        row < self.segment.meta.rows && !self.deleted.contains(row)
    }

    pub fn live_rows(&self) -> u64 {
        u64::from(self.segment.meta.rows) - self.deleted.len()
    }
}

impl Generation {
    pub fn new(first_unit: u32, schema: &TableSchema) -> Self {
        Self { first_unit, keys: schema.indexes.iter().map(|i| (i.id, KeyIndex::default())).collect() }
    }
}
