//! Puts the parts together: engine, then protocols; stops them in reverse.

use std::time::Duration;

use aegis_engine::Engine;
use anyhow::{Context, Result};
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info};

use crate::config::{Auth, Config};
use crate::demo::{self, DataSet};
use crate::{control, memory};

/// An error of usage or configuration that only the data directory could tell.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(String);

/// Stack of a thread that may run statements: passes over the tree of a deeply nested one run there.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Runs until SIGTERM or SIGINT.
pub fn run(config: Config, demo: Option<DataSet>) -> Result<()> {
    raise_open_files();
    memory::obey(config.memory_limit);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("aegis-main")
        .thread_stack_size(STACK_BYTES)
        .on_thread_park(memory::give_back)
        .build()?;
    runtime.block_on(serve(config, demo))
}

/// Asks for as many open files as the system lets us have: each connection, segment and log piece is one, and the soft limit of many
/// shells is 1,024.
fn raise_open_files() {
    const WANTED: u64 = 1 << 20;
    if let Err(error) = rlimit::increase_nofile_limit(WANTED) {
        tracing::warn!("can't raise the limit of open files: {error}");
    }
}

async fn serve(config: Config, demo: Option<DataSet>) -> Result<()> {
    let engine = Engine::open(aegis_engine::Config {
        data_dir: config.data_dir.clone(),
        wal_archive: config.wal_archive.clone(),
        memory_limit: config.memory_limit,
        compaction: config.compaction,
        max_connections: config.max_connections,
        query_threads: std::thread::available_parallelism().map_or(1, usize::from),
        superuser_password: config.superuser_password.clone(),
        trust: config.auth == Auth::Trust,
        port: config.listen.port(),
        extensions: crate::extensions::EXTENSIONS,
        on_idle: memory::give_back,
    })
    .await
    .with_context(|| format!("can't open {}", config.data_dir.display()))?;
    if config.auth == Auth::ScramSha256 && !engine.has_superuser_password() {
        return Err(Usage(format!(
            "listen: {} is refused until the superuser has a password; set AEGIS_SUPERUSER_PASSWORD or --superuser-password-file",
            config.listen
        ))
        .into());
    }
    let mut stop = Stop::listen()?;
    control::listen(&config.data_dir, engine.store());
    let background = engine.start_background();
    let wire = aegis_wire::serve(engine.clone(), wire_config(&config)).await.context("listen")?;
    let http =
        aegis_http::serve(engine.clone(), aegis_http::Config { listen: config.http_listen, node_id: config.node_id })
            .await
            .with_context(|| format!("http_listen: can't listen on {}", config.http_listen))?;
    let address = wire.local_addr().unwrap_or(config.listen);
    info!("ready: PostgreSQL on {address}, HTTP on {}", http.local_addr());
    let demo = demo.map(|data_set| {
        let filled = demo::run(data_set, address, config.superuser_password.clone());
        tokio::spawn(async move {
            if let Err(error) = filled.await {
                error!("{error:#}");
            }
        })
    });
    tokio::select! {
        () = stop.wait() => {}
        reason = engine.store().wait_stopped() => {
            // Nothing more can be promised: what is on disk is what a restart will read.
            return Err(anyhow::anyhow!("the store has stopped: {reason}"));
        }
    }
    info!("stopping: no new connections; running statements get {} s", GRACE.as_secs());
    if let Some(demo) = demo {
        demo.abort();
    }
    drop(background);
    wire.shutdown(GRACE).await;
    http.shutdown().await;
    engine.shutdown().await.context("stopping")?;
    info!("stopped");
    Ok(())
}

/// How long running statements may go on after a signal to stop.
const GRACE: Duration = Duration::from_secs(5);

fn wire_config(config: &Config) -> aegis_wire::Config {
    aegis_wire::Config {
        listen: vec![aegis_wire::Listen::Tcp(config.listen)],
        tls: config.tls.clone().map(|(certificate, key)| aegis_wire::TlsFiles { certificate, key }),
        tls_required: config.tls_required,
        max_connections: config.max_connections,
        on_idle: memory::give_back,
        ..aegis_wire::Config::default()
    }
}

/// SIGTERM and SIGINT, listened for from the start so that none is missed.
struct Stop {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
