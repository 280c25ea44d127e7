//! The rows a transaction works on: the server's store, and the session's own for temporary tables.

use std::sync::Arc;

use aegis_catalog::object::{Persistence, Relation};
use aegis_catalog::{Error, Result};
use aegis_storage::lock::{LockSet, Owner};
use aegis_storage::transaction::{KeptSnapshot, NewRows, RowAddress, Savepoint, TableScan};
use aegis_storage::{IndexId, Isolation, Result as StorageResult, Store, TableId, TableSchema, Transaction, Windows};
use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::SchemaRef;

use super::snapshot::{ExportedSnapshots, Exports};
use crate::execute::deferred::Deferred;
use crate::execute::lock::Patience;
use crate::time_window::Touched;

/// One transaction over both stores. Temporary rows live in memory alone, so they have a store without a log; it commits after
/// the durable one and has no other writers, so it cannot fail then.
pub struct Tables {
    permanent: Transaction,
    temporary: Option<Transaction>,
    locks: Held,
    exports: OwnExports,
    /// How long the present statement waits for locks.
    pub patience: Patience,
    /// Checks that wait for the end of the transaction.
    pub deferred: Deferred,
    /// Windows of tables that have them with changed rows.
    pub touched: Touched,
}

/// The windows of a table that has them, and where their column is.
fn windows_of(schema: &TableSchema) -> Option<(&Windows, usize)> {
    let windows = schema.windows.as_ref()?;
    Some((windows, schema.position(windows.column)?))
}

/// The locks of the transaction, which go with it whoever else has a hand on them.
pub struct Held(Arc<LockSet>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.release_all();
    }
}

/// The snapshots that the transaction has exported, which end with it.
struct OwnExports(Arc<Exports>);

impl Drop for OwnExports {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// A point to go back to in both.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    permanent: Savepoint,
    temporary: Option<Savepoint>,
}

impl Tables {
    pub fn begin(
        store: &Arc<Store>,
        temporary: Option<&Arc<Store>>,
        isolation: Isolation,
        owner: &Arc<Owner>,
        snapshots: &Arc<ExportedSnapshots>,
    ) -> Self {
        Self {
            permanent: store.begin(isolation),
            temporary: temporary.map(|store| store.begin(isolation)),
            locks: Held(LockSet::of_transaction(owner)),
            exports: OwnExports(Exports::new(snapshots)),
            patience: Patience::default(),
            deferred: Deferred::default(),
            touched: Touched::default(),
        }
    }

    /// The same transaction, which has done nothing yet, at another isolation level.
    pub fn at_isolation(self, temporary: Option<&Arc<Store>>, isolation: Isolation) -> Self {
        Self {
            permanent: self.permanent.store().begin(isolation),
            temporary: temporary.map(|store| store.begin(isolation)),
            ..self
        }
    }

    /// What the transaction has locked. It lives until the commit is visible to all.
    pub fn locks(&self) -> &Arc<LockSet> {
        &self.locks.0
    }

    pub fn exports(&self) -> &Arc<Exports> {
        &self.exports.0
    }

    /// Reads what another transaction has exported.
    pub fn adopt(&mut self, snapshot: &KeptSnapshot) {
        self.permanent.adopt(snapshot);
    }

    pub fn isolation(&self) -> Isolation {
        self.permanent.isolation()
    }

    /// The transaction that holds a relation's rows.
    pub fn of(&self, relation: &Relation) -> &Transaction {
        match &self.temporary {
            Some(temporary) if relation.persistence == Persistence::Temporary => temporary,
            _ => &self.permanent,
        }
    }

    pub fn of_mut(&mut self, relation: &Relation) -> &mut Transaction {
        match &mut self.temporary {
            Some(temporary) if relation.persistence == Persistence::Temporary => temporary,
            _ => &mut self.permanent,
        }
    }

    /// The transaction that holds a table of the store.
    fn holder(&self, table: TableId) -> &Transaction {
        match &self.temporary {
            Some(temporary) if temporary.table_schema(table).is_ok() => temporary,
            _ => &self.permanent,
        }
    }

    fn holder_mut(&mut self, table: TableId) -> &mut Transaction {
        match &mut self.temporary {
            Some(temporary) if temporary.table_schema(table).is_ok() => temporary,
            _ => &mut self.permanent,
        }
    }

    pub fn table_schema(&self, table: TableId) -> StorageResult<Arc<TableSchema>> {
        self.holder(table).table_schema(table)
    }

    pub fn arrow_schema(&self, table: TableId) -> StorageResult<SchemaRef> {
        self.holder(table).arrow_schema(table)
    }

    pub fn scan(&self, table: TableId) -> StorageResult<TableScan> {
        self.holder(table).scan(table)
    }

    pub fn lookup(&self, table: TableId, index: IndexId, keys: &RecordBatch) -> StorageResult<Vec<Option<RowAddress>>> {
        self.holder(table).lookup(table, index, keys)
    }

    /// See [`Transaction::lookup_all`].
    pub fn lookup_all(
        &self,
        table: TableId,
        index: IndexId,
        keys: &RecordBatch,
    ) -> StorageResult<Option<Vec<Vec<RowAddress>>>> {
        self.holder(table).lookup_all(table, index, keys)
    }

    pub fn fetch(&self, table: TableId, addresses: &[RowAddress], columns: &[usize]) -> StorageResult<RecordBatch> {
        self.holder(table).fetch(table, addresses, columns)
    }

    pub fn prepare_insert(&self, table: TableId, rows: &RecordBatch) -> StorageResult<NewRows> {
        self.holder(table).prepare_insert(table, rows)
    }

    /// After each part of a large change: writes new rows to disk if there are many. Temporary rows stay in memory.
    pub async fn make_room(&mut self) -> Result<()> {
        self.permanent.make_room().await.map_err(Error::from)
    }

    pub fn insert_new(&mut self, new: NewRows) -> Result<()> {
        self.note_new(new.table(), new.rows())?;
        self.holder_mut(new.table()).insert_new(new).map_err(Error::from)
    }

    pub fn insert(&mut self, table: TableId, rows: &RecordBatch) -> Result<()> {
        self.note_new(table, rows)?;
        self.holder_mut(table).insert(table, rows).map_err(Error::from)
    }

    pub fn delete(&mut self, table: TableId, addresses: &UInt64Array) -> Result<usize> {
        let schema = self.table_schema(table)?;
        if let Some((windows, position)) = windows_of(&schema) {
            let addresses: Vec<RowAddress> = addresses.values().to_vec();
            let times = self.fetch(table, &addresses, &[position])?;
            self.touched.note(windows, times.column(0), false)?;
        }
        self.holder_mut(table).delete(table, addresses).map_err(Error::from)
    }

    /// Deletes the rows of a range, without a note of it in the windows.
    pub fn delete_range(&mut self, table: TableId, range: aegis_storage::ColumnRange) -> Result<u64> {
        self.holder_mut(table).delete_range(table, range).map_err(Error::from)
    }

    /// Notes the windows of all rows of a table as new.
    pub fn note_all(&mut self, table: TableId) -> Result<()> {
        let schema = self.table_schema(table)?;
        let Some((windows, position)) = windows_of(&schema) else { return Ok(()) };
        for batch in self.scan(table)?.read(Some(&[position]), true)? {
            self.touched.note(windows, batch.column(0), true)?;
        }
        Ok(())
    }

    fn note_new(&mut self, table: TableId, rows: &RecordBatch) -> Result<()> {
        let schema = self.table_schema(table)?;
        let Some((windows, position)) = windows_of(&schema) else { return Ok(()) };
        self.touched.note(windows, rows.column(position), true)
    }

    /// The server's store: what catalog objects are written through.
    pub fn permanent(&mut self) -> &mut Transaction {
        &mut self.permanent
    }

    pub fn permanent_ref(&self) -> &Transaction {
        &self.permanent
    }

    /// Joins the session's temporary store, which it just made.
    pub fn join_temporary(&mut self, store: &Arc<Store>, isolation: Isolation) {
        self.temporary.get_or_insert_with(|| store.begin(isolation));
    }

    /// A new snapshot for a transaction that has changed nothing.
    pub fn renew(&mut self) {
        self.permanent.renew();
    }

    pub fn refresh(&mut self) -> Result<()> {
        self.permanent.refresh().map_err(Error::from)
    }

    /// Has it changed rows of temporary tables?
    pub fn uses_temporary(&self) -> bool {
        self.temporary.as_ref().is_some_and(Transaction::has_writes)
    }

    pub fn has_writes(&self) -> bool {
        self.permanent.has_writes()
    }

    pub fn mark(&self) -> Mark {
        Mark { permanent: self.permanent.savepoint(), temporary: self.temporary.as_ref().map(Transaction::savepoint) }
    }

    pub fn rollback_to(&mut self, mark: Mark) -> Result<()> {
        self.permanent.rollback_to(mark.permanent)?;
        if let Some(temporary) = &mut self.temporary {
            // Joined after the mark: everything in it goes.
            temporary.rollback_to(mark.temporary.unwrap_or(Savepoint(0)))?;
        }
        Ok(())
    }

    /// Durable when it returns, if `synchronous`. Until the locks are dropped, others wait for what has changed.
    pub async fn commit(self, synchronous: bool) -> Result<Held> {
        let Self { permanent, temporary, locks, .. } = self;
        permanent.commit(synchronous).await?;
        if let Some(temporary) = temporary {
            temporary.commit(false).await?;
        }
        Ok(locks)
    }
}
