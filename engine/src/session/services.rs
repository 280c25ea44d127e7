//! What SQL functions may do to their session and server.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use aegis_catalog::object::Relation;
use aegis_catalog::{Catalog, Error, Oid, Result, sqlstate};
use aegis_storage::lock::{LockSet, LockStatus, Owner};
use parking_lot::Mutex;

use super::advisory::{self, Request};
use super::backend::Backend;
use super::clock;
use super::context::{AdvisoryKey, PreparedListing, SessionActivity, SessionServices, StatementContext};
use super::derived::patience;
use super::notify::Pending;
use super::portal::PortalName;
use super::prepared::Prepared;
use super::snapshot::Exportable;
use crate::counters::{DatabaseCounters, RelationCounters};
use crate::engine::Shared;

/// [`SessionServices`] of one statement.
pub(super) struct Services {
    pub shared: Arc<Shared>,
    pub backend: Arc<Backend>,
    pub catalog: Arc<Catalog>,
    pub sequences: Arc<Mutex<UsedSequences>>,
    /// Weak, since plans that statements keep may have seen a context.
    pub prepared: Weak<Mutex<HashMap<String, Arc<Prepared>>>>,
    pub portals: Arc<Mutex<Vec<Weak<PortalName>>>>,
    pub pending_notifications: Arc<Mutex<Pending>>,
    pub superuser: bool,
    pub owner: Arc<Owner>,
    pub session_locks: Arc<LockSet>,
    pub transaction_locks: Option<Arc<LockSet>>,
    /// What the transaction may export.
    pub exportable: Option<Exportable>,
}

/// How many bits of `txid_current()` count transactions since the start of the server.
const TRANSACTION_BITS: u32 = 28;

/// What `currval` and `lastval` remember, per session.
#[derive(Debug, Default)]
pub struct UsedSequences {
    values: HashMap<Oid, i64>,
    last: Option<Oid>,
}

impl UsedSequences {
    /// DISCARD SEQUENCES.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Services {
    fn sequence(&self, oid: Oid) -> Result<&Arc<Relation>> {
        self.catalog
            .relation(oid)
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_TABLE, format!("relation with OID {oid} does not exist")))
    }

    /// Numbers start anew with the server; its start comes first, so that later ones are greater.
    fn shown_transaction(&self, number: u64) -> u64 {
        let started = self.shared.started.max(0).cast_unsigned() / 1_000_000;
        (started << TRANSACTION_BITS) | (number & ((1 << TRANSACTION_BITS) - 1))
    }

    fn not_yet(&self, what: String) -> Error {
        Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, what)
    }
}

impl SessionServices for Services {
    fn backend_pid(&self) -> i32 {
        self.backend.pid
    }

    fn setting(&self, name: &str) -> Option<String> {
        self.backend.settings.lock().get(name)
    }

    fn set_setting(&self, name: &str, value: Option<&str>, local: bool) -> Result<String> {
        let mut settings = self.backend.settings.lock();
        let values = match value {
            Some(text) => Some(crate::settings::values_of(name, text)?),
            None => None,
        };
        settings.set(name, values.as_deref(), local, self.superuser)?;
        settings.show(name)
    }

    fn sequence_next(&self, sequence: Oid) -> Result<i64> {
        let value = self.shared.sequences.next(self.sequence(sequence)?)?;
        let mut used = self.sequences.lock();
        used.values.insert(sequence, value);
        used.last = Some(sequence);
        Ok(value)
    }

    fn sequence_current(&self, sequence: Oid) -> Result<i64> {
        let name = &self.sequence(sequence)?.name;
        let used = self.sequences.lock().values.get(&sequence).copied();
        used.ok_or_else(|| self.not_yet(format!("currval of sequence \"{name}\" is not yet defined in this session")))
    }

    fn sequence_last(&self) -> Result<i64> {
        let used = self.sequences.lock();
        let last = used.last.and_then(|oid| used.values.get(&oid).copied());
        last.ok_or_else(|| self.not_yet("lastval is not yet defined in this session".to_owned()))
    }

    fn sequence_set(&self, sequence: Oid, value: i64, is_called: bool) -> Result<()> {
        self.shared.sequences.set(self.sequence(sequence)?, value, is_called)?;
        if is_called {
            self.sequences.lock().values.insert(sequence, value);
        }
        Ok(())
    }

    fn sequence_state(&self, sequence: Oid) -> Result<(i64, bool)> {
        self.shared.sequences.state(self.sequence(sequence)?)
    }

    fn cancel_backend(&self, pid: i32, terminate: bool) -> Result<bool> {
        let Some(target) = self.shared.backends.get(pid) else {
            self.notice("WARNING", &format!("PID {pid} is not a PostgreSQL backend process"));
            return Ok(false);
        };
        if !self.superuser && target.user_oid != self.backend.user_oid {
            let verb = if terminate { "terminate" } else { "cancel" };
            return Err(Error::new(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                format!("must be a member of the role whose query is being {verb}ed"),
            ));
        }
        if terminate {
            target.terminate();
        } else {
            target.cancel_by_user();
        }
        Ok(true)
    }

    fn advisory_lock(
        &self,
        key: AdvisoryKey,
        shared: bool,
        transaction: bool,
        wait: bool,
        context: &StatementContext,
    ) -> Result<bool> {
        let locks = match (transaction, &self.transaction_locks) {
            (false, _) => &self.session_locks,
            (true, Some(locks)) => locks,
            (true, None) => return Err(Error::internal("an advisory lock of no transaction")),
        };
        let request = Request { database: self.backend.database_oid, key, shared };
        let patience = wait.then(|| patience(&self.backend.settings.lock()));
        advisory::acquire(locks, request, patience, &context.cancel)
    }

    fn advisory_unlock(&self, key: AdvisoryKey, shared: bool) -> Result<bool> {
        let request = Request { database: self.backend.database_oid, key, shared };
        let released = self.session_locks.release(request.want());
        if !released {
            let mode = if shared { "ShareLock" } else { "ExclusiveLock" };
            self.notice("WARNING", &format!("you don't own a lock of type {mode}"));
        }
        Ok(released)
    }

    fn advisory_unlock_all(&self) -> Result<()> {
        self.session_locks.release_all();
        Ok(())
    }

    fn locks(&self) -> Vec<LockStatus> {
        self.shared.store.locks().status()
    }

    fn export_snapshot(&self) -> Result<String> {
        let exportable = self.exportable.as_ref();
        let exportable = exportable.ok_or_else(|| Error::internal("a snapshot of no transaction"))?;
        exportable.export(&self.shared.store, self.backend.pid, self.backend.database_oid)
    }

    fn switch_log(&self) -> Result<i64> {
        if !self.superuser {
            let message = "permission denied for function pg_switch_wal";
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
        }
        // The archive follows in its own time.
        self.shared.store.switch_log(std::time::Duration::ZERO).map_err(Error::from)?;
        Ok(self.log_position())
    }

    fn prepared_transactions(&self) -> Vec<super::two_phase::Shown> {
        self.shared.prepared.list()
    }

    fn blocking_pids(&self, pid: i32) -> Vec<i32> {
        self.shared.store.locks().blocking(pid)
    }

    fn counters(&self, relation: Oid) -> Arc<RelationCounters> {
        self.shared.counters.relation(self.backend.database_oid, relation, &self.catalog)
    }

    fn known_counters(&self, relation: Oid) -> Arc<RelationCounters> {
        self.shared.counters.known(self.backend.database_oid, relation).unwrap_or_default()
    }

    fn database_counters(&self, database: Oid) -> Arc<DatabaseCounters> {
        self.shared.counters.database(database)
    }

    fn reset_counters(&self, relation: Option<Oid>) {
        let database = self.backend.database_oid;
        match relation {
            Some(relation) => self.shared.counters.reset_relation(database, relation),
            None => self.shared.counters.reset_database(database, clock::now()),
        }
    }

    fn row_counts(&self, relation: Oid) -> (u64, u64) {
        let rows = self.catalog.relation(relation).and_then(|relation| relation.table()?.rows());
        rows.map_or((0, 0), |table| self.shared.store.row_counts(table))
    }

    fn notice(&self, severity: &str, message: &str) {
        let (severity, code) = match severity {
            "WARNING" => ("WARNING", sqlstate::WARNING),
            "INFO" => ("INFO", sqlstate::SUCCESSFUL_COMPLETION),
            _ => ("NOTICE", sqlstate::SUCCESSFUL_COMPLETION),
        };
        self.backend.notice(severity, Error::new(code, message));
    }

    fn table_bytes(&self, relation: Oid) -> u64 {
        use aegis_catalog::object::RelationKind;
        let Some(found) = self.catalog.relation(relation) else { return 0 };
        match &found.kind {
            RelationKind::Table(table) => self.shared.store.table_bytes(table.storage),
            RelationKind::Index(index) => {
                let table = self.catalog.relation(index.table).and_then(|table| table.table()?.rows());
                table.map_or(0, |table| self.shared.store.index_bytes(table, relation))
            }
            _ => 0,
        }
    }

    fn transaction_id(&self) -> u64 {
        self.shown_transaction(self.owner.assign_transaction())
    }

    fn assigned_transaction_id(&self) -> Option<u64> {
        Some(self.owner.transaction()).filter(|number| *number != 0).map(|number| self.shown_transaction(number))
    }

    fn log_position(&self) -> i64 {
        self.shared.store.begin(aegis_storage::Isolation::ReadCommitted).snapshot().cast_signed()
    }

    fn server_start(&self) -> i64 {
        self.shared.started
    }

    fn addresses(&self) -> Option<(String, u16, String, u16)> {
        self.backend.addresses.clone()
    }

    fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        self.pending_notifications.lock().notify(self.backend.pid, channel, payload)
    }

    fn listening_channels(&self) -> Vec<String> {
        self.shared.channels.of(&self.backend.inbox)
    }

    fn notification_queue_usage(&self) -> f64 {
        self.shared.channels.usage()
    }

    fn sessions(&self) -> Vec<SessionActivity> {
        let shown = |backend: &Arc<Backend>| SessionActivity {
            pid: backend.pid,
            database: backend.database_oid,
            user: backend.user_oid,
            application: backend.settings.lock().text("application_name").to_owned(),
            client: backend.addresses.as_ref().map(|(client, port, ..)| (client.clone(), *port)),
            tls: backend.tls.clone(),
            backend_start: backend.started,
            activity: (self.superuser || backend.user_oid == self.backend.user_oid)
                .then(|| backend.activity.lock().clone()),
        };
        self.shared.backends.all().iter().map(shown).collect()
    }

    fn prepared_statements(&self) -> Vec<PreparedListing> {
        let Some(prepared) = self.prepared.upgrade() else { return Vec::new() };
        let prepared = prepared.lock();
        let named = prepared.iter().filter(|(name, _)| !name.is_empty());
        let mut listed: Vec<_> = named
            .map(|(name, prepared)| PreparedListing {
                name: name.clone(),
                statement: prepared.sql.to_string(),
                prepared_at: prepared.prepared_at,
                parameters: prepared.parameters.clone(),
                from_sql: prepared.from_sql,
            })
            .collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        listed
    }

    fn cursors(&self) -> Vec<Arc<PortalName>> {
        self.portals.lock().iter().filter_map(Weak::upgrade).collect()
    }

    fn query(&self) -> String {
        self.backend.activity.lock().query_text().to_owned()
    }
}
