//! A transaction's way into the head version: prepared by its own thread, then validated and applied in its turn.

use std::sync::Arc;

use crate::command::{Attach, Change, ChangeKind, Command, RangeDelete};
use crate::memtable::{BULK_ROWS, RowId, adapt, compact};
use crate::overlay::{Overlay, RowSet, count};
use crate::schema::{TableId, TableSchema};
use crate::segment::Segment;
use crate::staged::Attached;
use crate::transaction::RowAddress;
use crate::version::{IndexedRows, OWN_UNITS, SegmentView, Shape, Table, Version, row_of, unit_of};
use crate::view::{TableView, row_keys};
use crate::{Error, Result};

/// One table's part of a transaction, with everything computed that does not depend on its turn.
#[derive(Debug)]
pub struct Prepared {
    table: TableId,
    ddl: Option<Ddl>,
    shape: Option<Shape>,
    rows: Vec<IndexedRows>,
    /// New rows that are in files already.
    attached: Vec<Attached>,
    /// Deletes, locks and what they were checked against.
    overlay: Overlay,
    base_schema_ts: u64,
    base_rows_ts: u64,
    /// Deletes by identity, for the log.
    row_ids: Vec<RowId>,
    /// And those that a range names.
    ranges: Vec<RangeDelete>,
}

#[derive(Debug, Clone)]
pub enum Ddl {
    Create(TableSchema),
    Alter(TableSchema),
    Drop,
}

/// What applying takes: no checks, no choices.
#[derive(Debug)]
pub struct TableChange {
    pub table: TableId,
    pub ddl: Option<Ddl>,
    pub attached: Vec<Attached>,
    pub rows: Vec<IndexedRows>,
    /// In the head version.
    pub kills: RowSet,
}

impl Prepared {
    /// None if the overlay amounts to nothing.
    pub fn new(id: TableId, base: &Version, mut overlay: Overlay) -> Result<Option<Self>> {
        let table = base.tables.get(&id);
        let (base_schema_ts, base_rows_ts) = table.map_or((0, 0), |t| (t.schema_ts, t.rows_ts));
        let ddl = match (&overlay.shape, overlay.created, overlay.dropped) {
            (_, true, true) => return Ok(None),
            (_, false, true) => Some(Ddl::Drop),
            (Some(shape), true, false) => Some(Ddl::Create(shape.schema.as_ref().clone())),
            (Some(shape), false, false) => Some(Ddl::Alter(shape.schema.as_ref().clone())),
            (None, _, false) => None,
        };
        let shape = overlay.shape.take().or_else(|| table.map(|t| t.shape.clone()));
        let (rows, attached, row_ids, ranges) = (vec![], vec![], vec![], vec![]);
        let mut prepared =
            Self { table: id, ddl, shape, rows, attached, overlay, base_schema_ts, base_rows_ts, row_ids, ranges };
        if !matches!(prepared.ddl, Some(Ddl::Drop)) {
            prepared.attached = prepared.overlay.attached();
            prepared.gather_rows()?;
            prepared.gather_deletes(table.map(|t| t.as_ref()))?;
        }
        let empty = prepared.ddl.is_none() && prepared.rows.is_empty() && prepared.row_ids.is_empty();
        let empty = empty && prepared.attached.is_empty() && prepared.ranges.is_empty();
        Ok((!empty || !prepared.overlay.locked.is_empty()).then_some(prepared))
    }

    pub fn table(&self) -> TableId {
        self.table
    }

    /// Does it drop the table?
    pub fn is_drop(&self) -> bool {
        matches!(self.ddl, Some(Ddl::Drop))
    }

    /// The segments that come with it.
    pub fn attached(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.attached.iter().map(|attached| &attached.segment)
    }

    /// Own rows that still live, as few batches, in the table's final shape.
    fn gather_rows(&mut self) -> Result<()> {
        let Some(shape) = &self.shape else { return Ok(()) };
        let mut small = Vec::new();
        let mut batches = Vec::new();
        for chunk in std::mem::take(&mut self.overlay.chunks) {
            let dead = self.overlay.deleted.get(&chunk.unit);
            for piece in &chunk.pieces {
                let mut rows = adapt(&piece.batch, &chunk.columns, shape)?;
                if let Some(dead) = dead {
                    let live = |i: usize| Some(!dead.contains(piece.start + i as u32));
                    let mask: arrow::array::BooleanArray = (0..rows.num_rows()).map(live).collect();
                    rows = arrow::compute::filter_record_batch(&rows, &mask)?;
                }
                if rows.num_rows() >= BULK_ROWS {
                    flush_small(&mut small, &mut batches, shape)?;
                    batches.push(rows);
                } else if rows.num_rows() > 0 {
                    small.push(rows);
                }
            }
        }
        flush_small(&mut small, &mut batches, shape)?;
        for rows in batches {
            self.rows.push(IndexedRows::new(&shape.schema, compact(&rows)?)?);
        }
        Ok(())
    }

    fn gather_deletes(&mut self, base: Option<&Table>) -> Result<()> {
        let Some(shape) = &self.shape else { return Ok(()) };
        let view = TableView { shape, base, own: None };
        for (unit, rows) in self.overlay.base_deletes() {
            if !base.is_some_and(|base| base.all_live(unit, rows)) {
                return Err(Error::Conflict { table: self.table });
            }
            let mut named = rows.clone();
            self.overlay.ranges.iter().filter_map(|range| range.rows.get(&unit)).for_each(|rows| named -= rows);
            if !named.is_empty() {
                view.row_ids(unit, &named, &mut self.row_ids)?;
            }
        }
        let ranges = self.overlay.ranges.iter();
        self.ranges.extend(ranges.map(|r| RangeDelete { range: r.range, ts: r.ts, rows: count(&r.rows) }));
        Ok(())
    }

    fn changes(&self) -> Vec<Change> {
        let mut out = Vec::new();
        let mut push = |kind| out.push(Change { table: self.table, kind });
        match &self.ddl {
            Some(Ddl::Create(schema)) => push(ChangeKind::Create(schema.clone())),
            Some(Ddl::Alter(schema)) => push(ChangeKind::Alter(schema.clone())),
            Some(Ddl::Drop) => push(ChangeKind::Drop),
            None => {}
        }
        if !self.row_ids.is_empty() {
            push(ChangeKind::Delete(self.row_ids.clone()));
        }
        self.ranges.iter().for_each(|range| push(ChangeKind::DeleteRange(*range)));
        for Attached { segment, first, deleted } in &self.attached {
            let (meta, deleted) = (segment.meta.clone(), deleted.clone());
            push(ChangeKind::Attach(Attach { unit: segment.unit, first: *first, meta, deleted }));
        }
        if let (Some(shape), false) = (&self.shape, self.rows.is_empty()) {
            let rows = self.rows.iter().map(|r| r.rows.clone()).collect();
            push(ChangeKind::Insert { columns: shape.columns.to_vec(), rows });
        }
        out
    }

    /// Checks against the head version, which may be newer than the one the transaction read, and turns into what is
    /// to be applied. First committer wins.
    pub fn validate(mut self, head: &Version) -> Result<TableChange> {
        let conflict = || Error::Conflict { table: self.table };
        let table = head.tables.get(&self.table);
        if matches!(self.ddl, Some(Ddl::Create(_))) {
            if table.is_some() {
                return Err(conflict());
            }
            let Self { table, ddl, attached, rows, .. } = self;
            return Ok(TableChange { table, ddl, attached, rows, kills: RowSet::new() });
        }
        let table = table.filter(|t| t.schema_ts == self.base_schema_ts).ok_or_else(conflict)?;
        if matches!(self.ddl, Some(Ddl::Alter(_))) && table.rows_ts > self.base_rows_ts && self.adds_keys(table) {
            return Err(conflict());
        }
        self.overlay.follow(table);
        let locked = self.overlay.locked.range(..OWN_UNITS).map(|(unit, rows)| (*unit, rows));
        if !self.overlay.base_deletes().chain(locked).all(|(unit, rows)| table.all_live(unit, rows)) {
            return Err(conflict());
        }
        self.check_keys(table)?;
        let Self { table, ddl, attached, rows, overlay, .. } = self;
        let mut kills = overlay.deleted;
        kills.split_off(&OWN_UNITS);
        Ok(TableChange { table, ddl, attached, rows, kills })
    }

    /// Before its turn: checks the keys in files against a version, so that little is left to be checked then.
    pub fn check_ahead(&mut self, version: &Version) -> Result<()> {
        let Some(table) = version.tables.get(&self.table).filter(|t| t.schema_ts == self.base_schema_ts) else {
            return Ok(());
        };
        if self.attached.is_empty() || self.overlay.checked_ts.is_none_or(|checked| checked >= table.rows_ts) {
            return Ok(());
        }
        self.overlay.follow(table);
        self.check_keys(table)?;
        self.overlay.checked_ts = Some(version.ts);
        Ok(())
    }

    fn adds_keys(&self, table: &Table) -> bool {
        let Some(shape) = &self.shape else { return false };
        shape.schema.unique_indexes().any(|i| !table.shape.schema.indexes.contains(i))
    }

    /// Own rows against rows that others have committed since the keys were checked.
    fn check_keys(&self, table: &Table) -> Result<()> {
        let (Some(shape), Some(checked_ts)) = (&self.shape, self.overlay.checked_ts) else { return Ok(()) };
        if table.rows_ts <= checked_ts {
            return Ok(());
        }
        let own = Overlay { deleted: self.overlay.deleted.clone(), ..Overlay::default() };
        let view = TableView { shape, base: Some(table), own: Some(&own) };
        for rows in &self.rows {
            for keys in &rows.keys {
                let Some(index) = table.shape.schema.index(keys.index).filter(|index| index.unique) else { continue };
                let found = view.lookup(index, keys, Some(checked_ts))?;
                if let Some(row) = found.iter().position(Option::is_some) {
                    return Err(duplicate(self.table, shape, keys.index, &rows.rows, row));
                }
            }
        }
        self.attached.iter().try_for_each(|attached| self.check_attached_keys(attached, table, &view, checked_ts))
    }

    fn check_attached_keys(
        &self,
        attached: &Attached,
        table: &Table,
        view: &TableView<'_>,
        checked_ts: u64,
    ) -> Result<()> {
        let schema = &view.shape.schema;
        for index in schema.unique_indexes().filter(|index| table.shape.schema.index(index.id).is_some()) {
            let columns = schema.key_columns(index)?;
            let mut start = 0;
            for batch in attached.segment.read(None, &columns)? {
                let keys = row_keys(index, batch.columns().to_vec(), batch.num_rows())?;
                let found = view.lookup(index, &keys, Some(checked_ts))?;
                let lives = |row: usize| !attached.deleted.contains(start + row as u32);
                if let Some(row) = (0..found.len()).find(|row| found[*row].is_some() && lives(*row)) {
                    let key = Some(batch.slice(row, 1));
                    return Err(Error::DuplicateKey { table: self.table, index: index.id, row: None, key });
                }
                start += batch.num_rows() as u32;
            }
        }
        Ok(())
    }
}

fn flush_small(
    small: &mut Vec<arrow::array::RecordBatch>,
    out: &mut Vec<arrow::array::RecordBatch>,
    shape: &Shape,
) -> Result<()> {
    match small.as_slice() {
        [] => {}
        [one] => out.push(one.clone()),
        many => out.push(arrow::compute::concat_batches(&shape.arrow, many)?),
    }
    small.clear();
    Ok(())
}

pub fn duplicate(table: TableId, shape: &Shape, index: u32, rows: &arrow::array::RecordBatch, row: usize) -> Error {
    let positions = shape.schema.index(index).and_then(|i| shape.schema.key_positions(i).ok());
    let key = positions.and_then(|p| rows.slice(row, 1).project(&p).ok());
    Error::DuplicateKey { table, index, row: Some(row), key }
}

/// The log entry of a transaction.
pub fn encode(prepared: &[Prepared]) -> Result<Vec<u8>> {
    Command::Transaction(prepared.iter().flat_map(Prepared::changes).collect()).encode()
}

/// The version after a commit. `oldest` is the oldest version that anybody still reads.
pub fn apply(head: &Version, ts: u64, changes: Vec<TableChange>, oldest: &Version) -> Result<Version> {
    let mut next = Version { seq: head.seq + 1, ts, ..head.clone() };
    for change in changes {
        let id = change.table;
        match change.ddl {
            Some(Ddl::Drop) => {
                if let Some(table) = next.tables.remove(&id) {
                    next.memtable_bytes -= table.memtable_bytes().min(next.memtable_bytes);
                }
                continue;
            }
            Some(Ddl::Create(schema)) => {
                next.tables.insert(id, Arc::new(Table::new(id, schema, ts)));
            }
            Some(Ddl::Alter(schema)) => table_mut(&mut next, id)?.alter(schema, ts)?,
            None => {}
        }
        let old = oldest.tables.get(&id);
        let gone = |row: RowAddress| {
            let Some(old) = old else { return false };
            match old.chunk(unit_of(row)) {
                Some(chunk) => row_of(row) < chunk.rows && !chunk.is_live(row_of(row)),
                None => unit_of(row) < old.next_unit,
            }
        };
        let table = table_mut(&mut next, id)?;
        let before = table.memtable_bytes();
        table.kill(&change.kills, ts)?;
        let mut ordinal = change.attached.iter().map(Attached::end).max().unwrap_or(0);
        for Attached { segment, deleted, .. } in change.attached {
            table.attach(SegmentView { segment: Arc::new(segment.committed(ts)), deleted: deleted.into() }, ts);
        }
        for rows in &change.rows {
            table.append(rows, RowId { ts, ordinal }, &gone)?;
            let too_many = || Error::OutOfMemory("a transaction writes too many rows to one table".into());
            let rows = u32::try_from(rows.rows.num_rows()).map_err(|_| too_many())?;
            ordinal = ordinal.checked_add(rows).ok_or_else(too_many)?;
        }
        let after = table.memtable_bytes();
        next.memtable_bytes = (next.memtable_bytes + after).saturating_sub(before);
    }
    Ok(next)
}

fn table_mut(version: &mut Version, id: TableId) -> Result<&mut Table> {
    version.tables.get_mut(&id).map(Arc::make_mut).ok_or(Error::NoTable(id))
}
