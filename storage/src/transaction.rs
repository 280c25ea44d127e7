//! One transaction: a snapshot to read from, a write set, and its commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;

pub use crate::memtable::RowId;
pub use crate::scan::{
    Bound, ChunkScan, ColumnStatistics, Columns, Part, Piece, Predicate, SegmentScan, Summary, TableScan, Test,
};

use crate::commit::{self, Prepared};
use crate::compaction::range::ColumnRange;
use crate::index::KeyIndex;
use crate::memtable::{batch_bytes, compact};
use crate::overlay::{self, DeletedRange, Op, Overlay, OwnKeys, RowSet};
use crate::pins::Pinned;
use crate::read_set::{HeldReads, ReadSet};
use crate::schema::{IndexId, IndexSchema, TableId, TableSchema};
use crate::staged::Staging;
use crate::store::Store;
use crate::version::{IndexedRows, OWN_UNITS, RowKeys, Shape, Table, Version, row_of, unit_of};
use crate::view::{TableView, lookup_keys, row_keys};
use crate::{Error, Result};

/// Where a row version lives in the version a transaction has pinned; opaque outside the store. Travels through
/// plans as a UInt64 column named [`ADDRESS_COLUMN`]. Holds until the transaction is refreshed or ends.
pub type RowAddress = u64;

/// Name of the hidden column of row addresses in a scan that asks for it.
pub const ADDRESS_COLUMN: &str = "__address";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// [`Transaction::refresh`] moves the snapshot forward before each statement.
    ReadCommitted,
    /// Snapshot isolation, first committer wins.
    RepeatableRead,
    /// Snapshot isolation, and the commit fails if others have changed what the transaction has read.
    Serializable,
}

impl Isolation {
    /// Does the transaction keep the snapshot of its first statement?
    pub fn keeps_snapshot(self) -> bool {
        self != Self::ReadCommitted
    }
}

/// A point in a transaction's write set to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Savepoint(pub usize);

/// Rows that are to be inserted, with their keys.
#[derive(Debug)]
pub struct NewRows {
    table: TableId,
    rows: IndexedRows,
}

impl NewRows {
    /// Of each unique index the hashes of the keys, without those that equal no other.
    pub fn key_hashes(&self) -> impl Iterator<Item = (IndexId, Vec<u64>)> + '_ {
        self.rows
            .keys
            .iter()
            .filter(|keys| keys.unique)
            .map(|keys| (keys.index, keys.hashes.iter().flatten().copied().collect()))
    }

    pub fn table(&self) -> TableId {
        self.table
    }

    pub fn rows(&self) -> &RecordBatch {
        &self.rows.rows
    }
}

/// A key that is in the table already.
#[derive(Debug, Clone, Copy)]
pub struct Taken {
    pub index: IndexId,
    /// Which of the new rows.
    pub row: usize,
    /// Where the row is that has the key.
    pub address: RowAddress,
}

/// Is it the address of a row that the transaction itself has inserted?
pub fn is_own(address: RowAddress) -> bool {
    unit_of(address) >= OWN_UNITS
}

impl Taken {
    /// Did the transaction insert the row with the key itself?
    pub fn is_own(&self) -> bool {
        unit_of(self.address) >= OWN_UNITS
    }
}

/// What a transaction reads, while it is open.
#[derive(Debug, Clone)]
pub struct Snapshot(pub(crate) Arc<Version>);

/// A snapshot that other transactions may come to read.
#[derive(Debug)]
pub struct KeptSnapshot(pub(crate) Pinned);

/// Dropping it rolls it back.
#[derive(Debug)]
pub struct Transaction {
    store: Arc<Store>,
    isolation: Isolation,
    base: Pinned,
    overlays: BTreeMap<TableId, Overlay>,
    ops: Vec<Op>,
    /// What a serializable transaction has read.
    read_set: Option<ReadSet>,
    /// Own rows that are being written to disk.
    pub(crate) staging: Option<Staging>,
}

impl Transaction {
    pub(crate) fn new(store: Arc<Store>, isolation: Isolation) -> Self {
        let base = store.pin();
        let read_set = (isolation == Isolation::Serializable).then(ReadSet::default);
        Self { store, isolation, base, overlays: BTreeMap::new(), ops: Vec::new(), read_set, staging: None }
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    pub(crate) fn base_version(&self) -> &Arc<Version> {
        self.base.version()
    }

    pub(crate) fn overlays(&self) -> impl Iterator<Item = (&TableId, &Overlay)> {
        self.overlays.iter()
    }

    pub(crate) fn overlay_mut(&mut self, table: TableId) -> Option<&mut Overlay> {
        self.overlays.get_mut(&table)
    }

    pub fn isolation(&self) -> Isolation {
        self.isolation
    }

    /// Commit timestamp of the newest transaction that this one sees.
    pub fn snapshot(&self) -> u64 {
        self.base.version().ts
    }

    /// READ COMMITTED: sees what was committed until now. Own changes stay. No-op at REPEATABLE READ. Row addresses
    /// from before are void. [`Error::Conflict`] if another transaction changed the schema of a table that this one
    /// has written to.
    pub fn refresh(&mut self) -> Result<()> {
        if self.isolation.keeps_snapshot() {
            return Ok(());
        }
        let next = self.store.pin();
        if next.version().seq == self.base.version().seq {
            return Ok(());
        }
        for (id, overlay) in &self.overlays {
            let schema_of = |pinned: &Pinned| pinned.version().tables.get(id).map(|t| t.schema_ts);
            let rows_of = |pinned: &Pinned| pinned.version().tables.get(id).map(|t| t.rows_ts);
            let altered = !overlay.created && schema_of(&self.base) != schema_of(&next);
            // A key index that this transaction has built would lack rows that others have added since.
            let outdated = overlay.keys.values().any(|k| k.whole.is_some()) && rows_of(&self.base) != rows_of(&next);
            if altered || outdated {
                return Err(Error::Conflict { table: *id });
            }
        }
        for (id, overlay) in &mut self.overlays {
            if let Some(table) = next.version().tables.get(id) {
                overlay.follow(table);
            }
        }
        for op in &mut self.ops {
            op.follow(&next.version().tables);
        }
        self.base = next;
        Ok(())
    }

    /// True if rows or the schema of the table were changed.
    pub fn has_changed(&self, table: TableId) -> bool {
        self.overlays.contains_key(&table)
    }

    /// For a transaction that is prepared now and committed later: checks what it has read as its commit would, and keeps other
    /// serializable transactions from changing it meanwhile. None if there is nothing to keep.
    pub fn hold_reads(&self) -> Result<Option<HeldReads>> {
        let Some(reads) = self.read_set.as_ref().filter(|_| self.has_writes()) else { return Ok(None) };
        let written: Vec<TableId> = self.overlays.keys().copied().collect();
        self.store.check_and_hold_reads(reads, self.base.version(), &written).map(Some)
    }

    /// True if something was written.
    pub fn has_writes(&self) -> bool {
        !self.ops.is_empty()
    }

    pub fn create_table(&mut self, table: TableId, schema: TableSchema) -> Result<()> {
        schema.validate()?;
        if self.overlays.contains_key(&table) || self.base.version().tables.contains_key(&table) {
            return Err(Error::Internal(format!("table {table} exists already; ids are not used twice")));
        }
        let shape = Some(Shape::new(schema));
        self.overlays.insert(table, Overlay { shape, created: true, ..Overlay::default() });
        self.ops.push(Op::Ddl { table, before: None });
        Ok(())
    }

    /// Columns added or dropped, indexes added or dropped. A column keeps its type as long as it keeps its id. A new
    /// unique index is checked against the existing rows.
    pub fn alter_table(&mut self, table: TableId, schema: TableSchema) -> Result<()> {
        schema.validate()?;
        let old = self.shape(table)?;
        for column in &schema.columns {
            let before = old.schema.position(column.id).and_then(|p| old.schema.columns.get(p));
            if before.is_some_and(|b| b.data_type != column.data_type) {
                let why = format!("column {} of table {table} changes its type under the same id", column.id);
                return Err(Error::Internal(why));
            }
        }
        let shape = Shape::new(schema);
        let before = self.overlays.get(&table).cloned();
        let mut after = before.clone().unwrap_or_default();
        // What an index is built over must not grow.
        after.chunks.last_mut().into_iter().for_each(|chunk| Arc::make_mut(chunk).sealed = true);
        after.shape = Some(shape.clone());
        let is_known = |i: &IndexSchema| shape.schema.index(i.id) == Some(i);
        for gone in old.schema.indexes.iter().filter(|i| !is_known(i)) {
            after.keys.remove(&gone.id);
        }
        for index in shape.schema.unique_indexes().filter(|i| !old.schema.indexes.contains(i)) {
            let keys = self.build_keys(table, &shape, index, &after)?;
            after.keys.insert(index.id, keys);
            after.checked_ts.get_or_insert(self.base.version().ts);
        }
        self.overlays.insert(table, after);
        self.ops.push(Op::Ddl { table, before: before.map(Box::new) });
        Ok(())
    }

    /// A key index over all rows that this transaction sees.
    fn build_keys(&self, id: TableId, shape: &Shape, index: &IndexSchema, overlay: &Overlay) -> Result<OwnKeys> {
        let base = self.base.version().tables.get(&id).map(|t| t.as_ref());
        let mut building = overlay.clone();
        let whole: Arc<KeyIndex> = Arc::default();
        let keys = OwnKeys { whole: Some((whole.clone(), OWN_UNITS + overlay.next_unit)), ..OwnKeys::default() };
        building.keys.insert(index.id, keys.clone());
        let view = TableView { shape, base, own: Some(&building) };
        let positions = shape.schema.key_positions(index)?;
        for batch in view.scan(self.base.version().clone())?.read(Some(&positions), true)? {
            let addresses = addresses_of(&batch)?;
            let columns = batch.columns()[..positions.len()].to_vec();
            let batch_keys = row_keys(index, columns, batch.num_rows())?;
            let twice = view.lookup(index, &batch_keys, None)?.iter().position(Option::is_some);
            if let Some(row) = twice.or_else(|| repeated(&batch_keys)) {
                let positions: Vec<usize> = (0..positions.len()).collect();
                let key = batch.slice(row, 1).project(&positions).ok();
                return Err(Error::DuplicateKey { table: id, index: index.id, row: None, key });
            }
            for (hash, address) in batch_keys.hashes.iter().zip(addresses.values()) {
                if let Some(hash) = hash {
                    whole.insert(*hash, *address, &|_| false);
                }
            }
        }
        Ok(keys)
    }

    pub fn drop_table(&mut self, table: TableId) -> Result<()> {
        self.shape(table)?;
        let before = self.overlays.get(&table).cloned();
        let created = before.as_ref().is_some_and(|o| o.created);
        self.overlays.insert(table, Overlay { created, dropped: true, ..Overlay::default() });
        self.ops.push(Op::Ddl { table, before: before.map(Box::new) });
        Ok(())
    }

    pub fn table_schema(&self, table: TableId) -> Result<Arc<TableSchema>> {
        Ok(self.shape(table)?.schema.clone())
    }

    /// The schema of the batches that hold the table's rows.
    pub fn arrow_schema(&self, table: TableId) -> Result<SchemaRef> {
        Ok(self.shape(table)?.arrow.clone())
    }

    /// Tables that this transaction sees.
    pub fn tables(&self) -> Vec<TableId> {
        let mut ids: Vec<TableId> = self.base.version().tables.keys().copied().collect();
        ids.extend(self.overlays.iter().filter(|(_, o)| o.created).map(|(id, _)| *id));
        ids.retain(|id| !self.overlays.get(id).is_some_and(|o| o.dropped));
        ids
    }

    pub(crate) fn shape(&self, table: TableId) -> Result<&Shape> {
        match self.overlays.get(&table) {
            Some(overlay) if overlay.dropped => return Err(Error::NoTable(table)),
            Some(Overlay { shape: Some(shape), .. }) => return Ok(shape),
            _ => {}
        }
        Ok(&self.base.version().table(table)?.shape)
    }

    fn base_table(&self, table: TableId) -> Option<&Table> {
        self.base.version().tables.get(&table).map(|t| t.as_ref())
    }

    fn view(&self, table: TableId) -> Result<TableView<'_>> {
        let shape = self.shape(table)?;
        Ok(TableView { shape, base: self.base_table(table), own: self.overlays.get(&table) })
    }

    /// Buffers new rows; columns in schema order. Unique keys are checked against the snapshot and the transaction's own
    /// rows at once, and against later commits at commit.
    pub fn insert(&mut self, table: TableId, rows: &RecordBatch) -> Result<()> {
        let new = self.prepare_insert(table, rows)?;
        if let Some(taken) = self.taken(&new, None)? {
            return Err(self.duplicate(&new, &taken));
        }
        self.insert_new(new)
    }

    /// The first half of `insert`, for who locks the keys and looks whether they are free before the second. Two rows with
    /// one key are a [`Error::DuplicateKey`].
    pub fn prepare_insert(&self, table: TableId, rows: &RecordBatch) -> Result<NewRows> {
        let shape = self.shape(table)?;
        check_columns(shape, rows)?;
        let rows = compact(&rows.clone().with_schema(shape.arrow.clone())?)?;
        let rows = IndexedRows::new(&shape.schema, rows)?;
        for keys in rows.keys.iter().filter(|keys| keys.unique) {
            if let Some(row) = repeated(keys) {
                return Err(commit::duplicate(table, shape, keys.index, &rows.rows, row));
            }
        }
        Ok(NewRows { table, rows })
    }

    /// The first row whose key exists, as this transaction sees it, in one of the indexes (None: in any).
    pub fn taken(&self, new: &NewRows, indexes: Option<&[IndexId]>) -> Result<Option<Taken>> {
        let view = self.view(new.table)?;
        for keys in new.rows.keys.iter().filter(|keys| keys.unique) {
            let wanted = indexes.is_none_or(|indexes| indexes.contains(&keys.index));
            let Some(index) = view.shape.schema.index(keys.index).filter(|_| wanted) else { continue };
            let found = view.lookup(index, keys, None)?;
            if let Some((row, Some(address))) = found.into_iter().enumerate().find(|(_, found)| found.is_some()) {
                return Ok(Some(Taken { index: index.id, row, address }));
            }
        }
        Ok(None)
    }

    /// The error for a key that is taken.
    pub fn duplicate(&self, new: &NewRows, taken: &Taken) -> Error {
        match self.shape(new.table) {
            Ok(shape) => commit::duplicate(new.table, shape, taken.index, &new.rows.rows, taken.row),
            Err(error) => error,
        }
    }

    /// The second half of `insert`. The commit checks the keys against what others have committed since the snapshot.
    pub fn insert_new(&mut self, new: NewRows) -> Result<()> {
        let NewRows { table, rows: new } = new;
        if new.rows.num_rows() == 0 {
            return Ok(());
        }
        let shape = self.shape(table)?.clone();
        self.check_size(&new.rows)?;
        let snapshot = self.base.version().ts;
        let overlay = self.overlays.entry(table).or_default();
        overlay.checked_ts.get_or_insert(snapshot);
        let (unit, start) = overlay.append(&new, &shape)?;
        self.ops.push(Op::Insert { table, unit, start });
        Ok(())
    }

    /// The identities of rows, in their order, for locks; own rows are left out. None if one has been changed or deleted
    /// by a transaction that this one sees: its address is from before a refresh.
    pub fn row_ids(&self, table: TableId, addresses: &UInt64Array) -> Result<Option<Vec<RowId>>> {
        let Some(base) = self.base_table(table) else { return Ok(Some(Vec::new())) };
        let mut rows = RowSet::new();
        for address in addresses.iter().flatten().filter(|address| unit_of(*address) < OWN_UNITS) {
            let Some(address) = base.translate(address).filter(|address| base.is_live(*address)) else {
                return Ok(None);
            };
            rows.entry(unit_of(address)).or_default().insert(row_of(address));
        }
        let (view, mut ids) = (self.view(table)?, Vec::new());
        for (unit, rows) in &rows {
            view.row_ids(*unit, rows, &mut ids)?;
        }
        ids.sort_unstable();
        Ok(Some(ids))
    }

    /// Has a transaction that committed after this one's snapshot changed or deleted one of the rows?
    pub fn is_outdated(&self, table: TableId, addresses: &UInt64Array) -> bool {
        let latest = self.store.visible();
        let Some(now) = latest.tables.get(&table) else { return true };
        if self.base_table(table).is_some_and(|base| base.rows_ts == now.rows_ts) {
            return false;
        }
        let is_live = |address| now.translate(address).is_some_and(|address| now.is_live(address));
        !addresses.iter().flatten().all(|address| unit_of(address) >= OWN_UNITS || is_live(address))
    }

    /// This transaction's own changes over what everybody has committed until now, to look at; None if that is what it
    /// sees anyway.
    pub fn at_latest(&self) -> Option<Transaction> {
        let base = self.store.pin();
        if base.version().seq == self.base.version().seq {
            return None;
        }
        let mut overlays = self.overlays.clone();
        for (id, overlay) in &mut overlays {
            if let Some(table) = base.version().tables.get(id) {
                overlay.follow(table);
            }
        }
        let (store, isolation) = (self.store.clone(), self.isolation);
        Some(Self { store, isolation, base, overlays, ops: Vec::new(), read_set: None, staging: None })
    }

    /// What it reads, apart from its own changes.
    pub fn reads(&self) -> Snapshot {
        Snapshot(self.base.version().clone())
    }

    /// Reads what another transaction reads. Only before anything was changed.
    pub fn adopt(&mut self, snapshot: &KeptSnapshot) {
        if self.overlays.is_empty() {
            let KeptSnapshot(pinned) = snapshot;
            self.base = self.store.keep(&Snapshot(pinned.version().clone())).0;
        }
    }

    /// Takes a new snapshot at either isolation level, if nothing was changed yet.
    pub fn renew(&mut self) {
        if self.overlays.is_empty() {
            self.base = self.store.pin();
        }
    }

    fn check_size(&self, more: &RecordBatch) -> Result<()> {
        let limit = self.store.config().transaction_bytes;
        let own: usize = self.overlays.values().flat_map(|o| &o.chunks).map(|c| c.bytes).sum();
        // What is in memory; [`Transaction::make_room`] sees to it that this is not much.
        if own + batch_bytes(more) > limit {
            return Err(Error::OutOfMemory(format!("a transaction holds more than {limit} bytes of new rows")));
        }
        Ok(())
    }

    /// Marks rows dead. Addresses come from a scan of this transaction; a row that is dead already is skipped.
    /// Returns how many died.
    pub fn delete(&mut self, table: TableId, addresses: &UInt64Array) -> Result<usize> {
        let rows = self.live_rows(table, addresses)?;
        Ok(usize::try_from(self.delete_rows(table, rows)).unwrap_or(usize::MAX))
    }

    /// Marks all rows of a range dead: of segments that lie in it without reading them, and without naming them in the log.
    pub fn delete_range(&mut self, table: TableId, range: ColumnRange) -> Result<u64> {
        let rows = range.live_rows(&self.scan(table)?)?;
        Ok(self.delete_rows_of(table, range, self.snapshot(), rows))
    }

    /// `rows` are the live ones of the range that commits up to `ts` have written, and own ones.
    pub(crate) fn delete_rows_of(&mut self, table: TableId, range: ColumnRange, ts: u64, rows: RowSet) -> u64 {
        let base: RowSet = rows.range(..OWN_UNITS).map(|(unit, rows)| (*unit, rows.clone())).collect();
        let count = self.delete_rows(table, rows);
        // A replay applies the range to the table as others see it now, which may not have a column that this transaction has added.
        let overlay = self.overlays.get_mut(&table).filter(|overlay| overlay.shape.is_none() && !base.is_empty());
        if let Some(overlay) = overlay {
            overlay.ranges.push(DeletedRange { range, ts, rows: base });
            self.ops.push(Op::Range { table });
        }
        count
    }

    /// `rows` are live.
    fn delete_rows(&mut self, table: TableId, rows: RowSet) -> u64 {
        let count = overlay::count(&rows);
        if count > 0 {
            let overlay = self.overlays.entry(table).or_default();
            for (unit, set) in &rows {
                *overlay.deleted.entry(*unit).or_default() |= set;
            }
            self.ops.push(Op::Delete { table, rows });
        }
        count
    }

    /// Makes the commit fail with [`Error::Conflict`] if another transaction deletes or updates one of these rows
    /// meanwhile (SELECT … FOR UPDATE, and referenced rows of foreign keys).
    pub fn lock(&mut self, table: TableId, addresses: &UInt64Array) -> Result<()> {
        let mut rows = self.live_rows(table, addresses)?;
        rows.retain(|unit, _| *unit < OWN_UNITS);
        if rows.is_empty() {
            return Ok(());
        }
        let overlay = self.overlays.entry(table).or_default();
        for (unit, set) in &mut rows {
            let locked = overlay.locked.entry(*unit).or_default();
            *set -= &*locked;
            *locked |= &*set;
        }
        self.ops.push(Op::Lock { table, rows });
        Ok(())
    }

    /// The addressed rows that are live.
    fn live_rows(&self, table: TableId, addresses: &UInt64Array) -> Result<RowSet> {
        let view = self.view(table)?;
        let mut rows = RowSet::new();
        // An address may be from before a refresh.
        let now = |address| match (unit_of(address), view.base) {
            (..OWN_UNITS, Some(base)) => base.translate(address),
            _ => Some(address),
        };
        for address in addresses.iter().flatten().filter_map(now).filter(|a| view.is_live(*a)) {
            rows.entry(unit_of(address)).or_default().insert(row_of(address));
        }
        Ok(rows)
    }

    /// Deletes and inserts as one change: unique keys are checked only after both, as UPDATE needs it.
    pub fn update(&mut self, table: TableId, addresses: &UInt64Array, rows: &RecordBatch) -> Result<()> {
        let before = self.savepoint();
        let done = self.delete(table, addresses).and_then(|_| self.insert(table, rows));
        if done.is_err() {
            self.rollback_to(before)?;
        }
        done
    }

    pub fn scan(&self, table: TableId) -> Result<TableScan> {
        self.read_set.iter().for_each(|reads| reads.whole(table));
        self.view(table)?.scan(self.base.version().clone())
    }

    /// For each key row (columns of the index, in index order) the address of the visible row with that key.
    pub fn lookup(&self, table: TableId, index: IndexId, keys: &RecordBatch) -> Result<Vec<Option<RowAddress>>> {
        let view = self.view(table)?;
        let index = view.shape.schema.index(index).filter(|i| i.unique);
        let index = index.ok_or_else(|| Error::Internal(format!("table {table} has no such unique index")))?;
        let found = view.lookup(index, &lookup_keys(&view, index, keys)?, None)?;
        self.read_set.iter().for_each(|reads| reads.keys(table, index.id, keys, &found));
        Ok(found)
    }

    /// As [`Transaction::lookup`], for any index: all rows with each key. None if the index cannot tell, because this
    /// transaction has created it.
    pub fn lookup_all(
        &self,
        table: TableId,
        index: IndexId,
        keys: &RecordBatch,
    ) -> Result<Option<Vec<Vec<RowAddress>>>> {
        self.read_set.iter().for_each(|reads| reads.whole(table));
        let view = self.view(table)?;
        let index = view.shape.schema.index(index);
        let index = index.ok_or_else(|| Error::Internal(format!("table {table} has no such index")))?;
        view.lookup_all(index, &lookup_keys(&view, index, keys)?)
    }

    /// Hashes of keys (as in `lookup`), by which they are locked; None for a key that equals no other.
    pub fn key_hashes(&self, table: TableId, index: IndexId, keys: &RecordBatch) -> Result<Vec<Option<u64>>> {
        let index = self.shape(table)?.schema.index(index);
        let index = index.ok_or_else(|| Error::Internal(format!("table {table} has no such unique index")))?;
        Ok(row_keys(index, keys.columns().to_vec(), keys.num_rows())?.hashes)
    }

    /// Rows by address, in the order asked for, projected to `columns` (positions in the schema).
    pub fn fetch(&self, table: TableId, addresses: &[RowAddress], columns: &[usize]) -> Result<RecordBatch> {
        let view = self.view(table)?;
        let base = view.base.filter(|base| {
            addresses.iter().any(|address| unit_of(*address) < OWN_UNITS && !base.has_unit(unit_of(*address)))
        });
        // Some addresses are from before a refresh.
        let Some(base) = base else { return view.fetch(addresses, columns) };
        let now = |address: &RowAddress| match unit_of(*address) {
            OWN_UNITS.. => *address,
            _ => base.translate(*address).unwrap_or(*address),
        };
        view.fetch(&addresses.iter().map(now).collect::<Vec<_>>(), columns)
    }

    pub fn savepoint(&self) -> Savepoint {
        Savepoint(self.ops.len())
    }

    /// Undoes every change since the savepoint, exactly.
    pub fn rollback_to(&mut self, savepoint: Savepoint) -> Result<()> {
        if savepoint.0 > self.ops.len() {
            return Err(Error::Internal("the savepoint lies in the future".into()));
        }
        for op in self.ops.drain(savepoint.0..).rev() {
            match op {
                Op::Ddl { table, before: Some(before) } => {
                    self.overlays.insert(table, *before);
                }
                Op::Ddl { table, before: None } => {
                    self.overlays.remove(&table);
                }
                Op::Insert { table, .. } | Op::Delete { table, .. } | Op::Lock { table, .. } | Op::Range { table } => {
                    if let Some(overlay) = self.overlays.get_mut(&table) {
                        overlay.undo(&op);
                    }
                }
            }
        }
        Ok(())
    }

    /// Durable when it returns Ok (if `synchronous`). Returns the commit timestamp; the snapshot's if nothing was
    /// written.
    pub async fn commit(mut self, synchronous: bool) -> Result<u64, Error> {
        self.settle().await?;
        let Self { store, base, overlays, ops, read_set, .. } = self;
        let mut prepared = Vec::new();
        if !ops.is_empty() {
            for (id, overlay) in overlays {
                prepared.extend(Prepared::new(id, base.version(), overlay)?);
            }
        }
        if prepared.is_empty() {
            return Ok(base.version().ts);
        }
        store.commit(prepared, base, read_set, synchronous).await
    }
}

fn addresses_of(batch: &RecordBatch) -> Result<UInt64Array> {
    use arrow::array::AsArray;
    let column = batch.column_by_name(ADDRESS_COLUMN);
    let column = column.and_then(|c| c.as_primitive_opt::<arrow::datatypes::UInt64Type>());
    column.cloned().ok_or_else(|| Error::Internal("a scan lacks its address column".into()))
}

fn check_columns(shape: &Shape, rows: &RecordBatch) -> Result<()> {
    let want = shape.arrow.fields().iter().map(|f| f.data_type());
    if want.eq(rows.columns().iter().map(|c| c.data_type())) {
        return Ok(());
    }
    Err(Error::Internal(format!("rows with columns {} do not fit the table's {}", rows.schema_ref(), shape.arrow)))
}

/// The first row whose key occurs before in the same batch.
fn repeated(keys: &RowKeys) -> Option<usize> {
    let mut first: HashMap<u64, usize> = HashMap::with_capacity(keys.hashes.len());
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (row, hash) in keys.hashes.iter().enumerate() {
        let Some(hash) = hash else { continue };
        if let Some(other) = first.insert(*hash, row) {
            left.clear();
            right.clear();
            keys.columns.write(row, &mut left);
            keys.columns.write(other, &mut right);
            if left == right {
                return Some(row);
            }
        }
    }
    None
}
