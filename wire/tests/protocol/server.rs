//! A server of the tests' own: a fresh data directory, any free port.

use std::net::SocketAddr;
use std::time::Duration;

use aegis_engine::{Config, Engine};
use aegis_wire::{Listen, Server, serve};
use tokio::runtime::Runtime;

pub struct Running {
    runtime: Runtime,
    server: Server,
    _data: tempfile::TempDir,
}

pub fn start() -> Running {
    let data = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let engine = runtime.block_on(Engine::open(Config {
        data_dir: data.path().to_owned(),
        wal_archive: None,
        memory_limit: 256 << 20,
        max_connections: 100,
        compaction: Default::default(),
        query_threads: 2,
        superuser_password: None,
        trust: true,
        port: 0,
        on_idle: || {},
        extensions: &[],
    }));
    let listen = vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))];
    let config = aegis_wire::Config { listen, ..aegis_wire::Config::default() };
    let server = runtime.block_on(serve(engine.unwrap(), config)).unwrap();
    Running { runtime, server, _data: data }
}

impl Running {
    pub fn address(&self) -> String {
        self.server.local_addr().unwrap().to_string()
    }

    pub fn stop(self) {
        self.runtime.block_on(self.server.shutdown(Duration::from_secs(1)));
    }
}
