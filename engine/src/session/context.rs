//! What one statement may know of its session: an immutable value made when the statement starts.

use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::name::SearchPath;
use aegis_catalog::types::FormatSettings;
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::lock::LockStatus;
use tokio_util::sync::CancellationToken;

use super::backend::Activity;
use super::portal::PortalName;
use super::protocol::TlsSession;
use crate::counters::{DatabaseCounters, RelationCounters};
use crate::extension::Extensions;

/// The world as one statement sees it. Handed to binder, lowering and function kernels.
#[derive(Clone)]
pub struct StatementContext {
    /// With the transaction's own changes.
    pub catalog: Arc<Catalog>,
    pub format: FormatSettings,
    pub database: String,
    pub database_oid: Oid,
    pub user: String,
    pub user_oid: Oid,
    pub session_user: String,
    pub search_path: SearchPath,
    /// Those that the server has.
    pub extensions: Arc<Extensions>,
    /// µs since 1970-01-01 UTC.
    pub transaction_start: i64,
    pub statement_start: i64,
    pub services: Arc<dyn SessionServices>,
    /// Fires when the statement must end (cancel request, timeout, client gone); anything that waits or loops looks at it.
    pub cancel: CancellationToken,
}

impl StatementContext {
    /// 57014 if the statement was cancelled. For loops inside kernels; the session replaces the error by the one that tells why.
    pub fn check_cancelled(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request"));
        }
        Ok(())
    }
}

/// Effects that functions may have on their session or server (`nextval`, `set_config`, `pg_cancel_backend` …).
pub trait SessionServices: Send + Sync {
    fn backend_pid(&self) -> i32;
    /// Value of a setting as SHOW prints it; None if there is no such setting.
    fn setting(&self, name: &str) -> Option<String>;
    /// `set_config(name, value, is_local)`; returns the new value.
    fn set_setting(&self, name: &str, value: Option<&str>, local: bool) -> Result<String>;
    fn sequence_next(&self, sequence: Oid) -> Result<i64>;
    /// `currval`: 55000 before the first `nextval` of this session.
    fn sequence_current(&self, sequence: Oid) -> Result<i64>;
    fn sequence_last(&self) -> Result<i64>;
    fn sequence_set(&self, sequence: Oid, value: i64, is_called: bool) -> Result<()>;
    /// (last_value, is_called), what `SELECT * FROM sequence` shows.
    fn sequence_state(&self, sequence: Oid) -> Result<(i64, bool)>;
    /// True if a backend with that pid was there.
    fn cancel_backend(&self, pid: i32, terminate: bool) -> Result<bool>;
    /// Advisory locks: key, exclusive or shared, of the session or the transaction, wait or try.
    fn advisory_lock(
        &self,
        key: AdvisoryKey,
        shared: bool,
        transaction: bool,
        wait: bool,
        context: &StatementContext,
    ) -> Result<bool>;
    fn advisory_unlock(&self, key: AdvisoryKey, shared: bool) -> Result<bool>;
    fn advisory_unlock_all(&self) -> Result<()>;
    /// What sessions hold and wait for, as `pg_locks` shows it.
    fn locks(&self) -> Vec<LockStatus> {
        Vec::new()
    }
    /// `pg_export_snapshot`: an identifier by which other transactions may read what this one reads, as long as it lasts.
    fn export_snapshot(&self) -> Result<String> {
        Err(Error::unsupported("pg_export_snapshot"))
    }
    /// `pg_switch_wal`: ends the log's newest file; the newest commit, as a position in the log.
    fn switch_log(&self) -> Result<i64> {
        Err(Error::unsupported("pg_switch_wal"))
    }
    fn prepared_transactions(&self) -> Vec<super::two_phase::Shown> {
        Vec::new()
    }
    /// Process ids of those for whom a session waits; 0 for a prepared transaction.
    fn blocking_pids(&self, _pid: i32) -> Vec<i32> {
        Vec::new()
    }
    /// Where is counted what happens to a table or index of this database.
    fn counters(&self, _relation: Oid) -> Arc<RelationCounters> {
        Arc::default()
    }
    /// What has happened to it, if anything has.
    fn known_counters(&self, _relation: Oid) -> Arc<RelationCounters> {
        Arc::default()
    }
    fn database_counters(&self, _database: Oid) -> Arc<DatabaseCounters> {
        Arc::default()
    }
    /// Counts from 0: one relation, or the database with all of its relations.
    fn reset_counters(&self, _relation: Option<Oid>) {}
    /// Live rows of a table, and dead ones that still take room.
    fn row_counts(&self, _relation: Oid) -> (u64, u64) {
        (0, 0)
    }
    fn notice(&self, severity: &str, message: &str);
    /// Bytes of a table on disk and in memory.
    fn table_bytes(&self, relation: Oid) -> u64;
    /// Transaction id for `txid_current()`.
    fn transaction_id(&self) -> u64;
    /// The same if it has one.
    fn assigned_transaction_id(&self) -> Option<u64> {
        None
    }
    /// The newest commit, as a position in the log.
    fn log_position(&self) -> i64 {
        0
    }
    /// µs since 1970-01-01 UTC when the server started.
    fn server_start(&self) -> i64;
    /// (client address, client port, server address, server port) for TCP connections.
    fn addresses(&self) -> Option<(String, u16, String, u16)>;
    /// `pg_notify`: sent when the transaction commits.
    fn notify(&self, _channel: &str, _payload: &str) -> Result<()> {
        Err(Error::unsupported("NOTIFY"))
    }
    fn listening_channels(&self) -> Vec<String> {
        Vec::new()
    }
    /// How full the fullest queue of notifications is, 0 to 1.
    fn notification_queue_usage(&self) -> f64 {
        0.0
    }
    /// Every session of the server, as far as this one may know.
    fn sessions(&self) -> Vec<SessionActivity> {
        Vec::new()
    }
    fn prepared_statements(&self) -> Vec<PreparedListing> {
        Vec::new()
    }
    fn cursors(&self) -> Vec<Arc<PortalName>> {
        Vec::new()
    }
    /// The statement's query string.
    fn query(&self) -> String {
        String::new()
    }
}

/// What `pg_stat_activity` shows of a session. Times are µs since 1970-01-01 UTC.
#[derive(Debug, Clone)]
pub struct SessionActivity {
    pub pid: i32,
    pub database: Oid,
    pub user: Oid,
    pub application: String,
    pub client: Option<(String, u16)>,
    pub tls: Option<TlsSession>,
    pub backend_start: i64,
    /// None for a session of another role, unless a superuser asks.
    pub activity: Option<Activity>,
}

/// What `pg_prepared_statements` shows of a statement.
#[derive(Debug, Clone)]
pub struct PreparedListing {
    pub name: String,
    pub statement: String,
    /// µs since 1970-01-01 UTC.
    pub prepared_at: i64,
    pub parameters: Vec<Oid>,
    pub from_sql: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AdvisoryKey {
    Big(i64),
    Pair(i32, i32),
}

impl std::fmt::Debug for StatementContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StatementContext").field("database", &self.database).field("user", &self.user).finish()
    }
}
