//! What the rest of the server may see and do of a session: identity, activity, cancellation, settings.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use aegis_catalog::{Error, Oid, sqlstate};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::notify::Inbox;
use super::protocol::{ConnectRequest, Notice, TlsSession};
use crate::settings::Settings;

/// The shared side of one session. The session owns its statements and transaction; this part others may touch.
pub struct Backend {
    pub pid: i32,
    pub secret: i32,
    pub user: String,
    pub user_oid: Oid,
    pub database: String,
    pub database_oid: Oid,
    pub addresses: Option<(String, u16, String, u16)>,
    pub tls: Option<TlsSession>,
    /// µs since 1970-01-01 UTC.
    pub started: i64,
    pub settings: Mutex<Settings>,
    pub activity: Mutex<Activity>,
    /// Notifications for its client.
    pub inbox: Arc<Inbox>,
    notices: Mutex<Vec<Notice>>,
    statement: Mutex<Running>,
    /// The session must end.
    ended: CancellationToken,
}

/// The changing columns of `pg_stat_activity`.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    /// `active`, `idle`, `idle in transaction`, `idle in transaction (aborted)`.
    pub state: &'static str,
    /// The whole query string.
    pub query: Arc<str>,
    pub query_start: Option<i64>,
    pub transaction_start: Option<i64>,
    pub state_change: i64,
}

/// `track_activity_query_size`: characters of a query that `pg_stat_activity` shows.
const MAX_ACTIVITY_QUERY: usize = 1024;

impl Activity {
    /// The query as it is shown.
    pub fn query_text(&self) -> &str {
        let end = self.query.char_indices().nth(MAX_ACTIVITY_QUERY).map_or(self.query.len(), |(end, _)| end);
        self.query.get(..end).unwrap_or_default()
    }
}

#[derive(Default)]
struct Running {
    cancel: CancellationToken,
    /// Why `cancel` fired.
    reason: Option<Error>,
    active: bool,
    /// The session must end after this statement.
    terminated: bool,
}

impl Backend {
    pub fn notice(&self, severity: &'static str, fields: Error) {
        self.notices.lock().push(Notice { severity, fields });
    }

    pub fn take_notices(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.notices.lock())
    }

    /// Marks a statement as running and returns what cancels it.
    pub fn begin_statement(&self) -> CancellationToken {
        let mut running = self.statement.lock();
        running.active = true;
        if !running.terminated {
            running.cancel = CancellationToken::new();
            running.reason = None;
        }
        running.cancel.clone()
    }

    /// What cancels the running statement.
    pub fn running_token(&self) -> CancellationToken {
        self.statement.lock().cancel.clone()
    }

    pub fn end_statement(&self) {
        self.statement.lock().active = false;
    }

    /// The running statement ends with `reason`; without one this does nothing, as in PostgreSQL.
    pub fn cancel(&self, reason: Error) {
        let mut running = self.statement.lock();
        if running.active && running.reason.is_none() {
            running.reason = Some(reason);
            running.cancel.cancel();
        }
    }

    pub fn cancel_by_user(&self) {
        self.cancel(Error::new(sqlstate::QUERY_CANCELED, "canceling statement due to user request"));
    }

    /// Ends the session: now if it is idle, else with its statement.
    pub fn terminate(&self) {
        let mut running = self.statement.lock();
        running.terminated = true;
        running.reason =
            Some(Error::new(sqlstate::ADMIN_SHUTDOWN, "terminating connection due to administrator command"));
        running.cancel.cancel();
        self.ended.cancel();
    }

    /// Resolves when the session is told to end.
    pub async fn terminated(&self) {
        self.ended.cancelled().await;
    }

    /// The error a client should see for `error`: why the statement was cancelled, if it was.
    pub fn explain(&self, error: Error) -> Error {
        let running = self.statement.lock();
        match &running.reason {
            Some(reason) if running.cancel.is_cancelled() => reason.clone(),
            _ => error,
        }
    }

    /// Starts the clock of `statement_timeout` for the running statement. Dropping the guard stops it.
    pub fn start_timeout(self: &Arc<Self>, limit: Duration) -> Option<TimeoutGuard> {
        if limit.is_zero() {
            return None;
        }
        let (backend, token) = (Arc::downgrade(self), self.statement.lock().cancel.clone());
        let task = tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            if let Some(backend) = Weak::upgrade(&backend)
                && !token.is_cancelled()
                && backend.statement.lock().active
            {
                backend.cancel(Error::new(sqlstate::QUERY_CANCELED, "canceling statement due to statement timeout"));
            }
        });
        Some(TimeoutGuard(task))
    }
}

/// Stops a statement's timeout when dropped.
pub struct TimeoutGuard(tokio::task::JoinHandle<()>);

impl Drop for TimeoutGuard {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// All sessions of the server, by process id.
#[derive(Default)]
pub struct Backends {
    sessions: Mutex<HashMap<i32, Arc<Backend>>>,
    next_pid: AtomicI32,
}

/// First process id given out; ids wrap before they turn negative.
const FIRST_PID: i32 = 1000;

impl Backends {
    /// Registers a session. 53300 if there are `limit` already.
    pub fn register(
        &self,
        request: &ConnectRequest,
        (user_oid, database, database_oid): (Oid, String, Oid),
        settings: Settings,
        limit: usize,
    ) -> Result<Arc<Backend>, Error> {
        let mut sessions = self.sessions.lock();
        if sessions.len() >= limit {
            return Err(Error::new(sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already"));
        }
        let pid = loop {
            let candidate = FIRST_PID + (self.next_pid.fetch_add(1, Ordering::Relaxed) & 0x3fff_ffff);
            if !sessions.contains_key(&candidate) {
                break candidate;
            }
        };
        let backend = Arc::new(Backend {
            pid,
            secret: rand::random(),
            user: request.user.clone(),
            user_oid,
            database,
            database_oid,
            addresses: request.addresses.clone(),
            tls: request.tls.clone(),
            started: super::clock::now(),
            settings: Mutex::new(settings),
            activity: Mutex::new(Activity { state: "idle", ..Activity::default() }),
            inbox: Arc::default(),
            notices: Mutex::default(),
            statement: Mutex::default(),
            ended: CancellationToken::new(),
        });
        sessions.insert(pid, Arc::clone(&backend));
        Ok(backend)
    }

    pub fn remove(&self, pid: i32) {
        self.sessions.lock().remove(&pid);
    }

    pub fn get(&self, pid: i32) -> Option<Arc<Backend>> {
        self.sessions.lock().get(&pid).cloned()
    }

    /// Sorted by process id.
    pub fn all(&self) -> Vec<Arc<Backend>> {
        let mut all: Vec<_> = self.sessions.lock().values().cloned().collect();
        all.sort_by_key(|backend| backend.pid);
        all
    }
}
