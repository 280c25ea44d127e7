//! The database server behind the protocols: opens the store and the catalog, makes sessions, stops.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aegis_catalog::store::CatalogStore;
use aegis_catalog::{Builtins, Error, Result, sqlstate};
use aegis_storage::Store;

use crate::counters::Counters;
use crate::execute::QueryRuntime;
use crate::extension::{Extension, Extensions};
use crate::memory::Budget;
use crate::session::Session;
use crate::session::backend::Backends;
use crate::session::clock;
use crate::session::notify::Channels;
use crate::session::protocol::{ConnectRequest, Credentials};
use crate::session::sequence::Sequences;
use crate::session::snapshot::ExportedSnapshots;
use crate::session::two_phase::PreparedTransactions;
use crate::settings::{Settings, values_of};
use crate::statement_statistics::StatementStatistics;

/// Limits of the engine; each field's default is what the configuration reference shows.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Where complete files of the log are copied to.
    pub wal_archive: Option<Arc<dyn aegis_storage::backup::Repository>>,
    /// Most bytes that queries may hold; beyond it they spill, then fail with 53200.
    pub memory_limit: usize,
    pub compaction: Compaction,
    pub max_connections: usize,
    /// Threads that run queries.
    pub query_threads: usize,
    /// Password for the superuser `postgres`, set at start if given.
    pub superuser_password: Option<String>,
    /// `trust` for everybody, else SCRAM-SHA-256.
    pub trust: bool,
    /// TCP port that clients reach, for `SHOW port`.
    pub port: u16,
    /// What CREATE EXTENSION can make beside the built-in ones.
    pub extensions: &'static [&'static [Extension]],
    /// Called by threads that have nothing to do, so that their memory can go back to the system.
    pub on_idle: fn(),
}

/// How eagerly segments are merged in the background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compaction {
    /// Bytes of segments read per second at most; 0 for no limit.
    pub bytes_per_second: u64,
    /// Neighbouring segments of about one size that are merged.
    pub fan_in: usize,
    /// Percentage of dead rows from which a segment is written anew.
    pub dead_percent: u64,
}

impl Default for Compaction {
    fn default() -> Self {
        let store = aegis_storage::Config::default();
        Self {
            bytes_per_second: store.compaction_bytes_per_second,
            fan_in: store.compaction_fan_in,
            dead_percent: store.compaction_dead_percent,
        }
    }
}

/// What all sessions share.
pub struct Shared {
    pub config: Config,
    pub store: Arc<Store>,
    pub catalog: Arc<CatalogStore>,
    pub executor: Arc<QueryRuntime>,
    pub extensions: Arc<Extensions>,
    pub backends: Backends,
    pub channels: Channels,
    pub sequences: Sequences,
    pub prepared: PreparedTransactions,
    pub snapshots: Arc<ExportedSnapshots>,
    pub statements: StatementStatistics,
    pub counters: Counters,
    /// µs since 1970-01-01 UTC.
    pub started: i64,
}

pub struct Engine {
    pub(crate) shared: Arc<Shared>,
}

/// How long `shutdown` waits for sessions to end before it closes the store under them.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);

impl Engine {
    /// Opens the data directory and recovers.
    pub async fn open(config: Config) -> Result<Arc<Engine>> {
        let budget = Budget::of(config.memory_limit);
        let store_config = aegis_storage::Config {
            memtable_bytes: budget.memtable,
            memtable_stall_bytes: budget.memtable_stall,
            transaction_bytes: budget.transaction,
            stage_bytes: budget.stage,
            row_group_rows: budget.row_group_rows,
            merge_rows: budget.merge_rows / 2,
            compaction_max_rows: budget.merge_rows,
            footer_cache_bytes: budget.footers,
            piece_cache_bytes: budget.pieces,
            last_rows_cache_bytes: budget.footers,
            wal_archive: config.wal_archive.clone(),
            compaction_bytes_per_second: config.compaction.bytes_per_second,
            compaction_fan_in: config.compaction.fan_in,
            compaction_dead_percent: config.compaction.dead_percent,
            on_idle: config.on_idle,
            ..aegis_storage::Config::new(&config.data_dir)
        };
        let store = tokio::task::spawn_blocking(move || Store::open(store_config))
            .await
            .map_err(|e| Error::internal(e.to_string()))??;
        let catalog = CatalogStore::open(Arc::clone(&store), builtins()).await?;
        let spill_dir = config.data_dir.join("tmp");
        let executor = QueryRuntime::new(config.query_threads, budget.queries, &spill_dir, config.on_idle)?;
        let started = clock::now();
        let engine = Arc::new(Engine {
            shared: Arc::new(Shared {
                counters: Counters::new(started),
                prepared: PreparedTransactions::open(&store).await?,
                snapshots: Arc::default(),
                statements: StatementStatistics::default(),
                sequences: Sequences::new(Arc::clone(&store)),
                executor: Arc::new(executor),
                extensions: Arc::new(Extensions::new(config.extensions)),
                backends: Backends::default(),
                channels: Channels::default(),
                started,
                config,
                store,
                catalog,
            }),
        });
        if let Some(password) = &engine.shared.config.superuser_password {
            crate::statement::role::set_password(&engine.shared, SUPERUSER, password).await?;
        }
        Ok(engine)
    }

    /// How a role must prove itself, before `connect`.
    pub fn credentials(&self, user: &str) -> Credentials {
        if self.shared.config.trust {
            return Credentials::Trust;
        }
        let catalog = self.shared.catalog.database(MAINTENANCE_DATABASE).ok();
        let role = catalog.and_then(|catalog| catalog.role_by_name(user).cloned());
        let now = crate::session::clock::now();
        let expired = |role: &aegis_catalog::object::Role| role.valid_until.is_some_and(|until| until < now);
        Credentials::Scram(role.filter(|role| role.login && !expired(role)).and_then(|role| role.password.clone()))
    }

    /// True if the superuser can log in with a password: what listening beyond loopback requires.
    pub fn has_superuser_password(&self) -> bool {
        let catalog = self.shared.catalog.database(MAINTENANCE_DATABASE).ok();
        catalog.and_then(|catalog| catalog.role_by_name(SUPERUSER)?.password.clone()).is_some()
    }

    /// A session for an authenticated client. 3D000 no such database, 28000 no such role, 53300 too many connections,
    /// 22023/42704 for bad startup settings.
    pub fn connect(self: &Arc<Self>, request: ConnectRequest) -> Result<Session> {
        let database = request.database.clone().unwrap_or_else(|| request.user.clone());
        let role = self.role(&request.user)?;
        let catalog = self.shared.catalog.database(&database)?;
        let mut settings = Settings::default();
        settings.set_fact("port", &self.shared.config.port.to_string());
        settings.set_fact("max_connections", &self.shared.config.max_connections.to_string());
        settings.set_fact("data_directory", &self.shared.config.data_dir.display().to_string());
        settings.set_fact("archive_mode", if self.shared.config.wal_archive.is_some() { "on" } else { "off" });
        settings.set_fact("is_superuser", if role.superuser { "on" } else { "off" });
        settings.set_fact("session_authorization", &request.user);
        let stored = catalog.database().into_iter().flat_map(|database| &database.settings).chain(&role.settings);
        for (name, value) in stored {
            settings.set_default(name, value)?;
        }
        let of_database = role.database_settings.iter().filter(|(of, ..)| *of == catalog.database_oid());
        for (_, name, value) in of_database {
            settings.set_default(name, value)?;
        }
        for (name, value) in &request.settings {
            apply_startup_setting(&mut settings, name, value)?;
        }
        let place = (role.oid, database, catalog.database_oid());
        let limit = self.shared.config.max_connections;
        let backend = self.shared.backends.register(&request, place, settings, limit)?;
        self.shared.counters.database(backend.database_oid).sessions.add(1);
        Ok(Session::new(Arc::clone(&self.shared), backend, role.superuser))
    }

    fn role(&self, name: &str) -> Result<Arc<aegis_catalog::object::Role>> {
        let catalog = self.shared.catalog.database(MAINTENANCE_DATABASE)?;
        let role = catalog.role_by_name(name).cloned().ok_or_else(|| {
            Error::new(sqlstate::INVALID_AUTHORIZATION_SPECIFICATION, format!("role \"{name}\" does not exist"))
        })?;
        if !role.login {
            return Err(Error::new(
                sqlstate::INVALID_AUTHORIZATION_SPECIFICATION,
                format!("role \"{name}\" is not permitted to log in"),
            ));
        }
        Ok(role)
    }

    /// CancelRequest: false if no such backend or a wrong secret.
    pub fn cancel(&self, pid: i32, secret: i32) -> bool {
        match self.shared.backends.get(pid) {
            Some(backend) if backend.secret == secret => {
                backend.cancel_by_user();
                true
            }
            _ => false,
        }
    }

    /// Sessions connected now.
    pub fn connections(&self) -> usize {
        self.shared.backends.all().len()
    }

    /// False once the log has failed: writes are refused until a restart.
    pub fn is_healthy(&self) -> bool {
        self.shared.store.stopped().is_none()
    }

    /// Figures for monitoring: name, meaning, value now.
    pub fn figures(&self) -> Vec<(&'static str, &'static str, i64)> {
        let connections = i64::try_from(self.connections()).unwrap_or(i64::MAX);
        let uptime = (clock::now() - self.shared.started) / 1_000_000;
        let memory = i64::try_from(self.shared.executor.memory_in_use()).unwrap_or(i64::MAX);
        vec![
            ("connections", "Client sessions open now", connections),
            ("uptime_seconds", "Seconds since the server started", uptime),
            ("query_memory_bytes", "Bytes that running queries hold", memory),
            ("healthy", "1 while the log takes writes", i64::from(self.is_healthy())),
        ]
    }

    pub fn store(&self) -> &Arc<Store> {
        &self.shared.store
    }

    /// Ends sessions, flushes, closes the store.
    pub async fn shutdown(&self) -> Result<()> {
        self.shared.backends.all().iter().for_each(|backend| backend.terminate());
        let deadline = tokio::time::Instant::now() + SHUTDOWN_GRACE;
        while self.connections() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.shared.sequences.settle()?;
        self.shared.store.close().await?;
        Ok(())
    }
}

pub(crate) const SUPERUSER: &str = "postgres";
/// The database that is always there: shared objects are read through it.
const MAINTENANCE_DATABASE: &str = "postgres";

/// A startup parameter: a setting, or `options` with `-c name=value` words.
fn apply_startup_setting(settings: &mut Settings, name: &str, value: &str) -> Result<()> {
    if name != "options" {
        return settings.set_default(name, value);
    }
    for (name, value) in parse_options(value)? {
        values_of(&name, &value)?;
        settings.set_default(&name, &value)?;
    }
    Ok(())
}

/// `-c name=value`, `-cname=value` and `--name=value`, with backslash escapes for blanks (manual, "PGOPTIONS").
fn parse_options(text: &str) -> Result<Vec<(String, String)>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => word.get_or_insert_default().extend(chars.next()),
            c if c.is_ascii_whitespace() => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    let mut options = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let assignment = match word.as_str() {
            "-c" => words.next().unwrap_or_default(),
            w if w.starts_with("-c") => w[2..].to_owned(),
            w if w.starts_with("--") => w[2..].to_owned(),
            w => {
                return Err(Error::new(
                    sqlstate::SYNTAX_ERROR,
                    format!("invalid command-line argument for server process: {w}"),
                ));
            }
        };
        let Some((name, value)) = assignment.split_once('=') else {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, format!("-c {assignment} requires a value")));
        };
        options.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(options)
}

/// What `pg_proc` lists: the functions that are really there.
fn builtins() -> Builtins {
    Builtins::from_oids(crate::functions::registry().all().map(|function| function.oid), Vec::new())
}
