//! Locks that statements take on rows and keys, and what becomes of a statement when somebody else was quicker.
//!
//! At READ COMMITTED such a statement is undone, keeps its locks and runs again with a new snapshot; what it has locked
//! cannot change any more, so that it comes to an end. At REPEATABLE READ it fails with 40001 (PostgreSQL manual,
//! "Transaction Isolation").

use std::time::Duration;

use aegis_catalog::object::{Persistence, Relation};
use aegis_catalog::{Error, Result, sqlstate};
use aegis_storage::lock::{Deadlock, LockSet, Object, RowClaim, Waiting, Want};
use aegis_storage::transaction::{NewRows, RowAddress, Transaction, is_own};
use aegis_storage::{IndexSchema, Isolation, TableId, TableSchema};
use arrow::array::{RecordBatch, UInt64Array};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

use super::change::{explain, storage_of};
use super::foreign_key::{at_latest, reference};
use super::statement::Execution;

/// How long a statement waits for locks.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// `lock_timeout`; zero is for ever.
    pub lock: Duration,
    /// `deadlock_timeout`: how long before it is asked whether the wait can end at all.
    pub deadlock: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { lock: Duration::ZERO, deadlock: Duration::from_secs(1) }
    }
}

/// Waits until the lock is held. 55P03 after `lock_timeout`, 40P01 in a deadlock, 57014 when the statement is cancelled.
pub async fn wait(mut waiting: Waiting, patience: Patience, cancel: &CancellationToken) -> Result<()> {
    let limit = async {
        match patience.lock.is_zero() {
            true => std::future::pending().await,
            false => tokio::time::sleep(patience.lock).await,
        }
    };
    let look = tokio::time::sleep(if waiting.is_urgent() { Duration::ZERO } else { patience.deadlock });
    tokio::pin!(limit, look);
    let mut looked = false;
    loop {
        tokio::select! {
            biased;
            () = waiting.granted() => return Ok(()),
            () = cancel.cancelled() => {
                return Err(Error::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request"));
            }
            () = &mut limit => {
                let message = "canceling statement due to lock timeout";
                return Err(Error::new(sqlstate::LOCK_NOT_AVAILABLE, message));
            }
            () = &mut look, if !looked => {
                looked = true;
                if let Some(found) = waiting.deadlock() {
                    return Err(deadlock(&found));
                }
            }
        }
    }
}

/// Waits on a thread that runs kernels.
pub fn wait_blocking(waiting: Waiting, patience: Patience, cancel: &CancellationToken) -> Result<()> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|e| Error::internal(e.to_string()))?;
    // The other queries of this thread move to another one.
    tokio::task::block_in_place(|| runtime.block_on(wait(waiting, patience, cancel)))
}

fn deadlock(found: &Deadlock) -> Error {
    let steps = found.steps.iter().map(|step| {
        let (mode, what) = match step.want {
            Want::Object(Object::Table { database, relation }, mode) => {
                (mode.name(), format!("relation {relation} of database {database}"))
            }
            Want::Object(Object::Advisory { database, key, parts }, mode) => {
                let (high, low) = (key >> 32, key & 0xffff_ffff);
                (mode.name(), format!("advisory lock [{database},{high},{low},{parts}]"))
            }
            Want::Object(Object::Reference { .. }, _) | Want::Row(..) | Want::Key(..) => {
                ("ShareLock", format!("transaction {}", step.transaction))
            }
        };
        format!("Process {} waits for {mode} on {what}; blocked by process {}.", step.pid, step.blocked_by)
    });
    Error::new(sqlstate::T_R_DEADLOCK_DETECTED, "deadlock detected")
        .with_detail(steps.collect::<Vec<_>>().join("\n"))
        .with_hint("See server log for query details.")
}

/// Rows of temporary tables have no other users.
fn is_private(table: &Relation) -> bool {
    table.persistence == Persistence::Temporary
}

impl Execution<'_> {
    pub fn locks(&self) -> Arc<LockSet> {
        self.transaction.locks().clone()
    }

    pub fn is_temporary(&self, table: &Relation) -> bool {
        is_private(table)
    }

    pub async fn wait(&self, waiting: Waiting) -> Result<()> {
        wait(waiting, self.transaction.patience, &self.context.cancel).await
    }

    /// Locks rows, and makes sure that they still are what the snapshot shows.
    pub async fn lock_rows(&mut self, table: &Relation, addresses: &UInt64Array, claim: RowClaim) -> Result<()> {
        if is_private(table) {
            return Ok(());
        }
        let (storage, locks) = (storage_of(table)?, self.locks());
        let Some(rows) = self.transaction.permanent_ref().row_ids(storage, addresses)? else {
            return Err(self.overtaken(table, addresses));
        };
        if !rows.is_empty() {
            while let Some(waiting) = locks.rows(storage, &rows, claim)? {
                self.wait(waiting).await?;
            }
            if self.transaction.permanent_ref().is_outdated(storage, addresses) {
                return Err(self.overtaken(table, addresses));
            }
        }
        match claim {
            RowClaim::REPLACE | RowClaim::UPDATE => self.exclude_key_shares(table, addresses, claim).await,
            _ => Ok(()),
        }
    }

    /// FOR KEY SHARE: the rows may change meanwhile, as long as their keys stay, and are locked through such changes.
    pub async fn lock_keys_of_rows(&mut self, table: &Relation, addresses: &UInt64Array) -> Result<()> {
        let storage = storage_of(table)?;
        let schema = self.transaction.table_schema(storage).map_err(Error::from)?;
        let Some(index) = identity(&schema, table).filter(|_| !is_private(table)) else {
            return self.lock_rows(table, addresses, RowClaim::KEY_SHARE).await;
        };
        let locks = self.locks();
        locks.follow(storage);
        let Some(rows) = self.transaction.permanent_ref().row_ids(storage, addresses)? else {
            return Err(self.overtaken(table, addresses));
        };
        while let Some(waiting) = locks.rows(storage, &rows, RowClaim::KEY_SHARE)? {
            self.wait(waiting).await?;
        }
        let keys = self.keys_of(storage, &schema, index, addresses)?;
        let hashes = self.transaction.permanent_ref().key_hashes(storage, index.id, &keys)?;
        loop {
            let (found, latest) = at_latest(storage, index.id, &keys, self)?;
            if found.contains(&false) {
                return Err(self.overtaken(table, addresses));
            }
            // The row before its key, as everybody does.
            while let Some(waiting) = locks.rows(storage, &latest, RowClaim::KEY_SHARE)? {
                self.wait(waiting).await?;
            }
            for hash in hashes.iter().flatten() {
                if let Some(waiting) = locks.request(reference(storage, index.id, *hash, false))? {
                    self.wait(waiting).await?;
                }
            }
            if at_latest(storage, index.id, &keys, self)? == (found, latest) {
                return Ok(());
            }
        }
    }

    fn keys_of(
        &self,
        storage: TableId,
        schema: &TableSchema,
        index: &IndexSchema,
        addresses: &UInt64Array,
    ) -> Result<RecordBatch> {
        let addresses: Vec<RowAddress> = addresses.iter().flatten().collect();
        let positions = schema.key_positions(index)?;
        self.transaction.permanent_ref().fetch(storage, &addresses, &positions).map_err(Error::from)
    }

    /// Waits for those who count on the keys of rows that are about to go: through changes that others have made to them, and
    /// through our own.
    async fn exclude_key_shares(&mut self, table: &Relation, addresses: &UInt64Array, claim: RowClaim) -> Result<()> {
        let (storage, locks) = (storage_of(table)?, self.locks());
        let schema = self.transaction.table_schema(storage).map_err(Error::from)?;
        let Some(index) = identity(&schema, table) else { return Ok(()) };
        let own: Vec<RowAddress> = addresses.iter().flatten().filter(|address| is_own(*address)).collect();
        if !own.is_empty() {
            // The rows that they have taken the place of.
            let keys = self.keys_of(storage, &schema, index, &UInt64Array::from(own))?;
            let committed = self.transaction.permanent_ref().store().begin(Isolation::ReadCommitted);
            // A table of our own has none.
            if let Ok(found) = committed.lookup(storage, index.id, &keys) {
                let found = UInt64Array::from_iter_values(found.into_iter().flatten());
                let rows = committed.row_ids(storage, &found)?.unwrap_or_default();
                while let Some(waiting) = locks.rows(storage, &rows, claim)? {
                    self.wait(waiting).await?;
                }
            }
        }
        if locks.is_followed(storage) {
            let keys = self.keys_of(storage, &schema, index, addresses)?;
            let hashes = self.transaction.permanent_ref().key_hashes(storage, index.id, &keys)?;
            for hash in hashes.into_iter().flatten() {
                if let Some(waiting) = locks.request(reference(storage, index.id, hash, true))? {
                    self.wait(waiting).await?;
                }
            }
        }
        Ok(())
    }

    /// A row of the snapshot is not the newest any more: the statement runs again, or fails if its snapshot must stay.
    pub fn overtaken(&mut self, table: &Relation, addresses: &UInt64Array) -> Error {
        self.again = self.transaction.isolation() == Isolation::ReadCommitted;
        let what = match !self.again && self.is_deleted(table, addresses).unwrap_or(false) {
            true => "delete",
            false => "update",
        };
        let message = format!("could not serialize access due to concurrent {what}");
        Error::new(sqlstate::T_R_SERIALIZATION_FAILURE, message)
    }

    /// Is the key of an outdated row gone? Without a key every change counts as an update.
    fn is_deleted(&self, table: &Relation, addresses: &UInt64Array) -> Result<bool> {
        let (storage, transaction) = (storage_of(table)?, self.transaction.permanent_ref());
        let schema = transaction.table_schema(storage)?;
        let Some(index) = schema.unique_indexes().next() else { return Ok(false) };
        let Some(latest) = transaction.at_latest() else { return Ok(false) };
        for address in addresses.iter().flatten() {
            if transaction.is_outdated(storage, &UInt64Array::from(vec![address])) {
                let key = transaction.fetch(storage, &[address], &schema.key_positions(index)?)?;
                return Ok(latest.lookup(storage, index.id, &key)?.iter().all(Option::is_none));
            }
        }
        Ok(false)
    }

    /// READ COMMITTED: is the statement to run again? Then it has its new snapshot.
    pub fn runs_again(&mut self) -> Result<bool> {
        if !std::mem::take(&mut self.again) {
            return Ok(false);
        }
        self.context.check_cancelled()?;
        self.transaction.refresh()?;
        Ok(true)
    }

    /// The right to insert the keys of new rows: waits for others who insert the same keys, or delete them. 23505 if one
    /// is taken. `indexes` are those that count (None: all); `rows` are as the statement made them.
    pub async fn claim_keys(
        &mut self,
        table: &Arc<Relation>,
        new: &NewRows,
        indexes: Option<&[u32]>,
        rows: &RecordBatch,
    ) -> Result<()> {
        let counts = |index: &u32| indexes.is_none_or(|indexes| indexes.contains(index));
        let keys: Vec<(u32, Vec<u64>)> = new.key_hashes().filter(|(index, _)| counts(index)).collect();
        if keys.is_empty() {
            return Ok(());
        }
        let (storage, locks) = (new.table(), self.locks());
        loop {
            let mark = locks.mark();
            // Of a transaction so large the keys are not locked one by one: who inserts one of them meanwhile does not wait, and the later
            // commit of the two fails.
            if !is_private(table) && !self.transaction.permanent_ref().is_staged(storage) {
                self.lock_keys(storage, &keys).await?;
            }
            let (taken, rows_there) = {
                let holder = self.transaction.of(table);
                let latest = holder.at_latest();
                let view = latest.as_ref().unwrap_or(holder);
                let Some(taken) = view.taken(new, indexes)? else { return Ok(()) };
                (taken, row_of(view, storage, taken.address, taken.is_own() || is_private(table))?)
            };
            match locks.rows(storage, &rows_there, RowClaim::LOOK)? {
                Some(waiting) => {
                    // Who deletes the row may want to insert its key again.
                    locks.release_to(mark);
                    self.wait(waiting).await?;
                    locks.release_to(mark);
                }
                None => {
                    locks.release_to(mark);
                    let duplicate = self.transaction.of(table).duplicate(new, &taken);
                    return Err(explain(duplicate, table, rows, self));
                }
            }
        }
    }

    pub async fn lock_keys(&self, table: TableId, keys: &[(u32, Vec<u64>)]) -> Result<()> {
        let locks = self.locks();
        for (index, hashes) in keys {
            while let Some(waiting) = locks.keys(table, *index, hashes)? {
                self.wait(waiting).await?;
            }
        }
        Ok(())
    }

    /// Waits until nobody else is about to change or delete the row.
    pub async fn wait_for_change(&self, table: &Relation, address: RowAddress) -> Result<bool> {
        if is_private(table) {
            return Ok(false);
        }
        let (storage, locks) = (storage_of(table)?, self.locks());
        let rows = row_of(self.transaction.permanent_ref(), storage, address, false)?;
        let mark = locks.mark();
        let waiting = locks.rows(storage, &rows, RowClaim::LOOK)?;
        let waits = waiting.is_some();
        if let Some(waiting) = waiting {
            self.wait(waiting).await?;
        }
        locks.release_to(mark);
        Ok(waits)
    }
}

/// The index whose keys tell the rows of a table apart, all of them.
fn identity<'s>(schema: &'s TableSchema, table: &Relation) -> Option<&'s IndexSchema> {
    let not_null = |id: &u32| {
        let attnum = i16::try_from(*id).ok();
        attnum.and_then(|attnum| table.column(attnum)).is_some_and(|column| column.not_null)
    };
    let immediate = schema.indexes.iter().filter(|index| index.is_immediate());
    immediate.into_iter().find(|index| index.columns.iter().all(not_null))
}

fn row_of(
    view: &Transaction,
    table: TableId,
    address: RowAddress,
    is_own: bool,
) -> Result<Vec<aegis_storage::transaction::RowId>> {
    if is_own {
        return Ok(Vec::new());
    }
    Ok(view.row_ids(table, &UInt64Array::from(vec![address]))?.unwrap_or_default())
}

/// 55P03 of NOWAIT.
pub fn not_available(table: &Relation) -> Error {
    let message = format!("could not obtain lock on row in relation \"{}\"", table.name);
    Error::new(sqlstate::LOCK_NOT_AVAILABLE, message)
}
