//! What a transaction has changed in one table, and the log of its changes, by which a savepoint undoes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use imbl::OrdMap;
use roaring::RoaringBitmap;

use crate::Result;
use crate::compaction::range::ColumnRange;
use crate::index::KeyIndex;
use crate::memtable::{Chunk, RowId};
use crate::schema::{IndexId, TableId};
use crate::staged::Staged;
use crate::version::{IndexedRows, KEY_BYTES, OWN_UNITS, Shape, Table, address, row_of, unit_of};

/// Rows by unit.
pub type RowSet = BTreeMap<u32, RoaringBitmap>;

pub fn count(rows: &RowSet) -> u64 {
    rows.values().map(RoaringBitmap::len).sum()
}

#[derive(Debug, Clone, Default)]
pub struct Overlay {
    /// The schema that this transaction gave the table.
    pub shape: Option<Shape>,
    pub created: bool,
    pub dropped: bool,
    /// Own rows; their units start at [`OWN_UNITS`].
    pub chunks: Vec<Arc<Chunk>>,
    pub next_unit: u32,
    /// Those of the chunks whose rows are in files.
    pub staged: BTreeMap<u32, Staged>,
    /// How many rows of the commit have their place: those in files.
    pub next_ordinal: u32,
    /// Rows deleted, base and own.
    pub deleted: RowSet,
    /// Ranges whose base rows are among them, for the log: see [`crate::command::RangeDelete`].
    pub ranges: Vec<DeletedRange>,
    /// Base rows that nobody else may delete before this transaction commits.
    pub locked: RowSet,
    pub keys: BTreeMap<IndexId, OwnKeys>,
    /// Unique keys were checked against all commits up to here.
    pub checked_ts: Option<u64>,
}

/// What deleting a range has deleted.
#[derive(Debug, Clone)]
pub struct DeletedRange {
    pub range: ColumnRange,
    /// The newest commit that was seen.
    pub ts: u64,
    pub rows: RowSet,
}

#[derive(Debug, Clone, Default)]
pub struct OwnKeys {
    /// By chunk. Files have key files.
    pub chunks: BTreeMap<u32, Arc<KeyIndex>>,
    /// What was there when this transaction created the index, base rows too, and the first unit that was not.
    pub whole: Option<(Arc<KeyIndex>, u32)>,
}

impl OwnKeys {
    /// Appends the addresses whose keys have this hash, newest first.
    pub fn candidates(&self, hash: u64, out: &mut Vec<u64>) {
        self.chunks
            .values()
            .rev()
            .chain(self.whole.iter().map(|(index, _)| index))
            .for_each(|index| index.candidates(hash, out));
    }
}

/// One change, with what undoing it takes.
#[derive(Debug)]
pub enum Op {
    Insert {
        table: TableId,
        unit: u32,
        start: u32,
    },
    Delete {
        table: TableId,
        rows: RowSet,
    },
    Lock {
        table: TableId,
        rows: RowSet,
    },
    /// What the deletion before it deleted is a range.
    Range {
        table: TableId,
    },
    Ddl {
        table: TableId,
        before: Option<Box<Overlay>>,
    },
}

impl Overlay {
    pub fn chunk(&self, unit: u32) -> Option<&Arc<Chunk>> {
        self.chunks.binary_search_by_key(&unit, |c| c.unit).ok().map(|i| &self.chunks[i])
    }

    pub fn has_deleted(&self, address: u64) -> bool {
        self.deleted.get(&unit_of(address)).is_some_and(|rows| rows.contains(row_of(address)))
    }

    /// Appends own rows; returns where.
    pub fn append(&mut self, new: &IndexedRows, shape: &Shape) -> Result<(u32, u32)> {
        let fits = self.chunks.last().is_some_and(|c| c.takes(new.rows.num_rows(), &shape.columns));
        if !fits {
            let unit = OWN_UNITS + self.next_unit;
            self.next_unit += 1;
            self.chunks.push(Arc::new(Chunk::new(unit, shape.columns.clone())));
        }
        let Some(last) = self.chunks.last_mut() else {
            return Err(crate::Error::Internal("no chunk to append to".into()));
        };
        let chunk = Arc::make_mut(last);
        let first = RowId { ts: u64::MAX, ordinal: chunk.rows };
        let (unit, start) = (chunk.unit, chunk.append(new.rows.clone(), first)?);
        chunk.bytes += new.rows.num_rows() * new.keys.len() * KEY_BYTES;
        for keys in &new.keys {
            let index = self.keys.entry(keys.index).or_default().chunks.entry(unit).or_default();
            for (row, hash) in (start..).zip(&keys.hashes) {
                if let Some(hash) = hash {
                    index.insert(*hash, address(unit, row), &|_| false);
                }
            }
        }
        Ok((unit, start))
    }

    /// Rows deleted that are not own.
    pub fn base_deletes(&self) -> impl Iterator<Item = (u32, &RoaringBitmap)> {
        self.deleted.range(..OWN_UNITS).map(|(unit, rows)| (*unit, rows))
    }

    pub fn live_own_rows(&self) -> u64 {
        let all: u64 = self.chunks.iter().map(|c| u64::from(c.rows)).sum();
        let dead: u64 = self.deleted.range(OWN_UNITS..).map(|(_, rows)| rows.len()).sum();
        all.saturating_sub(dead)
    }

    /// Follows rows that a flush has moved between the version they were addressed in and `table`.
    pub fn follow(&mut self, table: &Table) {
        self.deleted = follow(&self.deleted, table);
        self.locked = follow(&self.locked, table);
        self.ranges.iter_mut().for_each(|range| range.rows = follow(&range.rows, table));
    }

    /// Undoes one change of rows.
    pub fn undo(&mut self, op: &Op) {
        match op {
            Op::Insert { unit, start, .. } => {
                if let Ok(at) = self.chunks.binary_search_by_key(unit, |c| c.unit) {
                    if *start == 0 {
                        self.chunks.remove(at);
                        self.staged.remove(unit);
                        self.keys.values_mut().for_each(|keys| drop(keys.chunks.remove(unit)));
                    } else {
                        Arc::make_mut(&mut self.chunks[at]).truncate(*start);
                    }
                }
            }
            Op::Delete { rows, .. } => subtract(&mut self.deleted, rows),
            Op::Lock { rows, .. } => subtract(&mut self.locked, rows),
            Op::Range { .. } => drop(self.ranges.pop()),
            Op::Ddl { .. } => {}
        }
    }
}

impl Op {
    /// As [`Overlay::follow`], for undoing.
    pub fn follow(&mut self, tables: &OrdMap<TableId, Arc<Table>>) {
        match self {
            Op::Delete { table, rows } | Op::Lock { table, rows } => {
                if let Some(table) = tables.get(table) {
                    *rows = follow(rows, table);
                }
            }
            Op::Ddl { table, before: Some(before) } => {
                if let Some(table) = tables.get(table) {
                    before.follow(table);
                }
            }
            Op::Ddl { before: None, .. } | Op::Insert { .. } | Op::Range { .. } => {}
        }
    }
}

/// The rows under their addresses in `table`. Those that are gone there keep their old ones, which name nothing any
/// more (units are not used twice), and so make the commit fail unless they are undone.
fn follow(rows: &RowSet, table: &Table) -> RowSet {
    let mut out = RowSet::new();
    for (unit, set) in rows {
        if *unit >= OWN_UNITS || table.has_unit(*unit) {
            *out.entry(*unit).or_default() |= set;
            continue;
        }
        for row in set {
            let old = address(*unit, row);
            let new = table.translate(old).unwrap_or(old);
            out.entry(unit_of(new)).or_default().insert(row_of(new));
        }
    }
    out
}

pub fn subtract(from: &mut RowSet, rows: &RowSet) {
    for (unit, gone) in rows {
        if let Some(set) = from.get_mut(unit) {
            *set -= gone;
            if set.is_empty() {
                from.remove(unit);
            }
        }
    }
}
