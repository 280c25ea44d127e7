//! The database server behind the protocols: opens the store and the catalog, makes sessions, stops.

use std::path::PathBuf;
use std::sync::Arc;

use aegis_catalog::Result;

use crate::session::Session;
use crate::session::protocol::{ConnectRequest, Credentials};

/// Limits of the engine; each field's default is what the configuration reference shows.
#[derive(Debug, Clone)]
pub struct Config {
    pub data_dir: PathBuf,
    /// Most bytes that queries may hold; beyond it they spill, then fail with 53200.
    pub memory_limit: usize,
    pub max_connections: usize,
    /// Threads that run queries.
    pub query_threads: usize,
    /// Password for the superuser `postgres`, set at start if given.
    pub superuser_password: Option<String>,
    /// `trust` for everybody, else SCRAM-SHA-256.
    pub trust: bool,
}

pub struct Engine {}

impl Engine {
    /// Opens the data directory and recovers. Blocking.
    pub fn open(_config: Config) -> Result<Arc<Engine>> {
        todo!("engine")
    }

    /// How a role must prove itself, before `connect`.
    pub fn credentials(&self, _user: &str) -> Credentials {
        todo!("engine")
    }

    /// A session for an authenticated client. 3D000 no such database, 28000 no such role, 53300 too many connections,
    /// 22023/42704 for bad startup settings.
    pub fn connect(self: &Arc<Self>, _request: ConnectRequest) -> Result<Session> {
        todo!("engine")
    }

    /// CancelRequest: false if no such backend or a wrong secret.
    pub fn cancel(&self, _pid: i32, _secret: i32) -> bool {
        todo!("engine")
    }

    /// Ends sessions, flushes, closes the store.
    pub async fn shutdown(&self) -> Result<()> {
        todo!("engine")
    }
}
