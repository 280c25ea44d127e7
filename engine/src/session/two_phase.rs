//! Prepared transactions of the server (PostgreSQL manual, "PREPARE TRANSACTION"): who may finish them, and their locks, which are
//! taken again after a restart.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::two_phase::{self, PreparedRow};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::lock::LockSet;
use aegis_storage::{HeldReads, Isolation, Store};
use parking_lot::Mutex;

use super::Session;
use super::clock;
use super::transaction::OpenTransaction;
use crate::settings;

/// All prepared transactions, by identifier.
#[derive(Default)]
pub struct PreparedTransactions {
    all: Mutex<HashMap<String, Entry>>,
}

struct Entry {
    shown: Shown,
    /// Held until the entry goes.
    _locks: Arc<LockSet>,
    _reads: Option<HeldReads>,
    /// A session is about to finish it.
    busy: bool,
}

/// A line of `pg_prepared_xacts`.
#[derive(Debug, Clone)]
pub struct Shown {
    pub gid: String,
    pub number: u64,
    /// µs since 1970-01-01 UTC.
    pub prepared: i64,
    pub owner: Oid,
    pub database: Oid,
}

impl Shown {
    fn of(row: &PreparedRow) -> Self {
        let PreparedRow { gid, number, prepared, owner, database, .. } = row.clone();
        Self { gid, number, prepared, owner, database }
    }
}

/// Longest identifier, with its terminating zero (`GIDSIZE`).
const GID_SIZE: usize = 200;

impl PreparedTransactions {
    /// Those that a restart has found.
    pub async fn open(store: &Arc<Store>) -> Result<Self> {
        let prepared = Self::default();
        for row in two_phase::open(store).await? {
            let locks = LockSet::restore(&store.locks().owner(0), &row.locks)?;
            let reads = (!row.reads.is_empty()).then(|| store.hold_reads(row.reads.clone()));
            let entry = Entry { shown: Shown::of(&row), _locks: locks, _reads: reads, busy: false };
            prepared.all.lock().insert(row.gid, entry);
        }
        Ok(prepared)
    }

    pub fn list(&self) -> Vec<Shown> {
        let mut all: Vec<Shown> = self.all.lock().values().map(|entry| entry.shown.clone()).collect();
        all.sort_by_key(|shown| shown.number);
        all
    }

    /// Nobody else finishes it meanwhile.
    fn claim(&self, gid: &str, session: &Session) -> Result<()> {
        let mut all = self.all.lock();
        let Some(entry) = all.get_mut(gid) else {
            let message = format!("prepared transaction with identifier \"{gid}\" does not exist");
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
        };
        if entry.busy {
            let message = format!("prepared transaction with identifier \"{gid}\" is busy");
            return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
        }
        if entry.shown.owner != session.backend.user_oid && !session.superuser {
            let message = "permission denied to finish prepared transaction";
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message)
                .with_hint("Must be superuser or the user that prepared the transaction."));
        }
        if entry.shown.database != session.backend.database_oid {
            return Err(Error::new(
                sqlstate::FEATURE_NOT_SUPPORTED,
                "prepared transaction belongs to another database",
            )
            .with_hint("Connect to the database where the transaction was prepared to finish it."));
        }
        entry.busy = true;
        Ok(())
    }

    fn end(&self, gid: &str, finished: bool) {
        let mut all = self.all.lock();
        match finished {
            // The locks go with the entry.
            true => drop(all.remove(gid)),
            false => all.get_mut(gid).into_iter().for_each(|entry| entry.busy = false),
        }
    }
}

impl Session {
    /// Ends the transaction, leaving it prepared: durable, locked, and invisible.
    pub(crate) async fn prepare_transaction(&mut self, gid: &str) -> Result<()> {
        if gid.len() >= GID_SIZE {
            let message = format!("transaction identifier \"{gid}\" is too long");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
        let limit = settings::Settings::default().integer("max_prepared_transactions");
        if self.shared.prepared.all.lock().len() >= usize::try_from(limit).unwrap_or(0) {
            return Err(Error::new(sqlstate::OUT_OF_MEMORY, "maximum number of prepared transactions reached")
                .with_hint(format!("Increase max_prepared_transactions (currently {limit}).")));
        }
        if self.shared.prepared.all.lock().contains_key(gid) {
            return Err(two_phase::in_use(gid));
        }
        self.run_deferred(true).await?;
        self.settle_windows().await?;
        self.refuse_what_cannot_be_prepared()?;
        let Some(open) = self.transaction.take() else { return Ok(()) };
        self.portals.retain(|_, portal| portal.is_held());
        let row = self.leave_prepared(gid, open).await;
        self.backend.settings.lock().rollback();
        row
    }

    fn refuse_what_cannot_be_prepared(&self) -> Result<()> {
        let refuse = |what: &str| Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, what));
        let Some(open) = &self.transaction else { return Ok(()) };
        if open.tables.uses_temporary() || open.catalog.has_temporary_changes() {
            return refuse("cannot PREPARE a transaction that has operated on temporary objects");
        }
        let (held, session) = (open.tables.locks().objects(), self.session_locks.objects());
        if held.iter().any(|(object, _)| session.iter().any(|(other, _)| other == object)) {
            return refuse(
                "cannot PREPARE while holding both session-level and transaction-level locks on the same object",
            );
        }
        if !open.tables.exports().is_empty() {
            return refuse("cannot PREPARE a transaction that has exported snapshots");
        }
        if !self.pending_notifications.lock().is_empty() {
            return refuse("cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY");
        }
        let holds =
            |portal: &super::portal::Portal| portal.cursor.as_ref().is_some_and(|c| c.hold) && !portal.is_held();
        if self.portals.values().any(holds) {
            return refuse("cannot PREPARE a transaction that has created a cursor WITH HOLD");
        }
        Ok(())
    }

    async fn leave_prepared(&mut self, gid: &str, open: OpenTransaction) -> Result<()> {
        let store = Arc::clone(&self.shared.store);
        let number = self.owner.assign_transaction();
        let reads = open.tables.permanent_ref().hold_reads()?;
        let row = PreparedRow {
            gid: gid.to_owned(),
            database: self.backend.database_oid,
            owner: self.backend.user_oid,
            prepared: clock::now(),
            number,
            changes: open.tables.permanent_ref().encode_changes()?,
            locks: open.tables.locks().encode()?,
            reads: reads.as_ref().map(|reads| reads.tables().to_vec()).unwrap_or_default(),
        };
        let mut transaction = store.begin(Isolation::ReadCommitted);
        two_phase::insert(&mut transaction, &row)?;
        transaction.commit(true).await.map_err(|error| match error {
            aegis_storage::Error::DuplicateKey { .. } => two_phase::in_use(gid),
            error => error.into(),
        })?;
        let locks = open.tables.locks().transfer(&store.locks().owner(0));
        let entry = Entry { shown: Shown::of(&row), _locks: locks, _reads: reads, busy: false };
        self.shared.prepared.all.lock().insert(row.gid, entry);
        Ok(())
    }

    /// COMMIT PREPARED and ROLLBACK PREPARED.
    pub(crate) async fn finish_prepared(&mut self, gid: &str, commit: bool) -> Result<()> {
        self.shared.prepared.claim(gid, self)?;
        let finished = self.finish(gid, commit).await;
        self.shared.prepared.end(gid, finished.is_ok());
        finished
    }

    async fn finish(&mut self, gid: &str, commit: bool) -> Result<()> {
        let mut transaction = self.shared.store.begin(Isolation::ReadCommitted);
        let row = two_phase::remove(&mut transaction, gid)?;
        let row = row.ok_or_else(|| Error::internal(format!("prepared transaction \"{gid}\" is not stored")))?;
        if commit {
            transaction.apply_changes(&row.changes)?;
        }
        let changes_catalog = commit && aegis_catalog::CatalogStore::is_changed_by(&transaction);
        transaction.commit(true).await?;
        if changes_catalog {
            self.shared.catalog.reload(&self.shared.store)?;
        }
        Ok(())
    }
}
