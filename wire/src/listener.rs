//! Listening sockets, the connections accepted on them, and their end.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aegis_engine::Engine;
use aegis_engine::catalog::{Error, sqlstate};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::connection::Connection;
use crate::interrupt::{Phase, Shutdown};
use crate::startup;
use crate::stream::Stream;
use crate::threads::Threads;
use crate::tls::{ServeError, Tls, TlsFiles};

/// How long cancelled statements may take to end before their connections are dropped.
const ABORT_AFTER: Duration = Duration::from_secs(5);

/// Where the server listens and what it allows; each field's default is [`Config::default`]'s.
#[derive(Debug, Clone)]
pub struct Config {
    pub listen: Vec<Listen>,
    /// Certificate and key; without them TLS is refused with `N`.
    pub tls: Option<TlsFiles>,
    /// Refuses TCP clients that do not use TLS.
    pub tls_required: bool,
    /// Most sessions; one more gets 53300.
    pub max_connections: usize,
    /// Most sockets that have not sent their startup packet or are authenticating; one more is closed.
    pub max_pending_connections: usize,
    /// Time from connecting to the end of authentication.
    pub startup_timeout: Duration,
    /// Longest message of an authenticated client.
    pub max_message_bytes: usize,
    /// Output is sent when it has grown to this size, or earlier if the protocol asks.
    pub send_buffer_bytes: usize,
    /// A client that takes nothing for so long is dropped. None waits for ever, as PostgreSQL does.
    pub write_timeout: Option<Duration>,
    /// Idle time on a socket after which the kernel asks whether the client's machine still lives.
    pub keepalive: Duration,
    /// Threads that serve connections.
    pub threads: usize,
    /// Called by such a thread when it has nothing to do.
    pub on_idle: fn(),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], 5432)))],
            tls: None,
            tls_required: false,
            max_connections: 100,
            max_pending_connections: 2048,
            startup_timeout: Duration::from_secs(60),
            max_message_bytes: 256 << 20,
            send_buffer_bytes: 128 << 10,
            write_timeout: None,
            keepalive: Duration::from_secs(60),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            on_idle: || {},
        }
    }
}

#[derive(Debug, Clone)]
pub enum Listen {
    Tcp(SocketAddr),
    /// Path of the socket, e.g. `/tmp/.s.PGSQL.5432`. An old one is replaced.
    Unix(PathBuf),
}

/// What all connections share.
pub struct Shared {
    pub engine: Arc<Engine>,
    pub config: Config,
    pub tls: Option<Tls>,
    threads: Threads,
    phase: watch::Sender<Phase>,
    sessions: AtomicUsize,
    pending: AtomicUsize,
}

impl Shared {
    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.phase.subscribe())
    }

    /// A place among `max_connections`, or 53300.
    pub fn take_slot(self: &Arc<Self>) -> Result<Slot, Error> {
        if self.sessions.fetch_add(1, Ordering::Relaxed) >= self.config.max_connections {
            self.sessions.fetch_sub(1, Ordering::Relaxed);
            return Err(Error::new(sqlstate::TOO_MANY_CONNECTIONS, "sorry, too many clients already"));
        }
        Ok(Slot(self.clone()))
    }
}

/// Held by a session; gives its place back when dropped.
pub struct Slot(Arc<Shared>);

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A running server. Dropping it leaves its connections alone; `shutdown` ends them.
pub struct Server {
    shared: Arc<Shared>,
    local_addresses: Vec<SocketAddr>,
    acceptors: Vec<JoinHandle<()>>,
}

/// Starts listening and returns at once: the current tokio runtime accepts, threads of the server's own serve.
pub async fn serve(engine: Arc<Engine>, config: Config) -> Result<Server, ServeError> {
    let tls = config.tls.as_ref().map(Tls::load).transpose()?;
    let mut acceptors = Vec::new();
    for listen in &config.listen {
        acceptors.push(Acceptor::bind(listen).await?);
    }
    let local_addresses = acceptors.iter().filter_map(Acceptor::local_address).collect();
    let threads = Threads::start(config.threads, config.on_idle).map_err(ServeError::Threads)?;
    let shared = Arc::new(Shared {
        engine,
        config,
        tls,
        threads,
        phase: watch::Sender::new(Phase::Serving),
        sessions: AtomicUsize::new(0),
        pending: AtomicUsize::new(0),
    });
    let acceptors = acceptors.into_iter().map(|acceptor| tokio::spawn(accept(acceptor, shared.clone()))).collect();
    Ok(Server { shared, local_addresses, acceptors })
}

impl Server {
    /// The first TCP address, with the port that the system chose if 0 was asked for.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.local_addresses.first().copied()
    }

    /// Sessions now open.
    pub fn sessions(&self) -> usize {
        self.shared.sessions.load(Ordering::Relaxed)
    }

    /// Accepts nobody any more, ends idle sessions with 57P01, gives running statements `grace`, then cancels them.
    pub async fn shutdown(self, grace: Duration) {
        let mut acceptors = self.acceptors;
        self.shared.phase.send_replace(Phase::Draining);
        if wait_all(&mut acceptors, grace).await {
            return;
        }
        self.shared.phase.send_replace(Phase::Terminating);
        if !wait_all(&mut acceptors, ABORT_AFTER).await {
            tracing::warn!("some connections did not end in time");
            for acceptor in &acceptors {
                acceptor.abort();
            }
        }
    }
}

async fn wait_all(acceptors: &mut [JoinHandle<()>], limit: Duration) -> bool {
    let all = async {
        for acceptor in acceptors.iter_mut().filter(|acceptor| !acceptor.is_finished()) {
            let _ = acceptor.await;
        }
    };
    tokio::time::timeout(limit, all).await.is_ok()
}

/// 57P01.
pub fn shutting_down() -> Error {
    Error::new(sqlstate::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
}

enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    async fn bind(listen: &Listen) -> Result<Acceptor, ServeError> {
        match listen {
            Listen::Tcp(address) => TcpListener::bind(address)
                .await
                .map(Acceptor::Tcp)
                .map_err(|source| ServeError::Listen { address: address.to_string(), source }),
            Listen::Unix(path) => {
                let _ = std::fs::remove_file(path);
                UnixListener::bind(path)
                    .map(Acceptor::Unix)
                    .map_err(|source| ServeError::Listen { address: path.display().to_string(), source })
            }
        }
    }

    fn local_address(&self) -> Option<SocketAddr> {
        match self {
            Acceptor::Tcp(listener) => listener.local_addr().ok(),
            Acceptor::Unix(_) => None,
        }
    }

    async fn accept(&self, keepalive: Duration) -> io::Result<Accepted> {
        match self {
            Acceptor::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                if let Err(error) = tune(&stream, keepalive) {
                    tracing::debug!(%error, "socket options refused");
                }
                stream.into_std().map(Accepted::Tcp)
            }
            Acceptor::Unix(listener) => listener.accept().await?.0.into_std().map(Accepted::Unix),
        }
    }
}

/// A socket that no thread polls yet.
enum Accepted {
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Accepted {
    /// To be polled by the thread that calls this.
    fn stream(self) -> io::Result<Stream> {
        match self {
            Accepted::Tcp(socket) => TcpStream::from_std(socket).map(Stream::Tcp),
            Accepted::Unix(socket) => UnixStream::from_std(socket).map(Stream::Unix),
        }
    }
}

fn tune(stream: &TcpStream, keepalive: Duration) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let interval = (keepalive / 6).max(Duration::from_secs(1));
    SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(keepalive).with_interval(interval))
}

/// Accepts until the server drains, then waits for the connections it accepted.
async fn accept(acceptor: Acceptor, shared: Arc<Shared>) {
    let mut shutdown = shared.shutdown();
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.draining() => break,
            Some(ended) = connections.join_next(), if !connections.is_empty() => log_panic(ended),
            accepted = acceptor.accept(shared.config.keepalive) => match accepted {
                Ok(accepted) => admit(accepted, &shared, &mut connections),
                Err(error) => {
                    // Out of file descriptors, most likely: more will not come at once.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    drop(acceptor);
    while let Some(ended) = connections.join_next().await {
        log_panic(ended);
    }
}

fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a connection panicked");
    }
}

fn admit(accepted: Accepted, shared: &Arc<Shared>, connections: &mut JoinSet<()>) {
    if shared.pending.fetch_add(1, Ordering::Relaxed) >= shared.config.max_pending_connections {
        shared.pending.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!("too many connections that do not authenticate");
        return;
    }
    let pending = Pending(shared.clone());
    let Some((thread, seat)) = shared.threads.seat() else { return };
    let serve = async move {
        match accepted.stream() {
            Ok(stream) => handle(stream, pending).await,
            Err(error) => tracing::warn!(%error, "cannot serve a connection"),
        }
        drop(seat);
    };
    connections.spawn_on(serve, &thread);
}

/// Held from accepting to the end of authentication.
struct Pending(Arc<Shared>);

impl Drop for Pending {
    fn drop(&mut self) {
        self.0.pending.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn handle(stream: Stream, pending: Pending) {
    let shared = pending.0.clone();
    let mut shutdown = shared.shutdown();
    let opened = tokio::select! {
        opened = tokio::time::timeout(shared.config.startup_timeout, startup::open(stream, &shared)) => opened,
        () = shutdown.terminating() => return,
    };
    drop(pending);
    match opened {
        Ok(Some(client)) => Connection::new(client, shared.shutdown()).serve().await,
        Ok(None) => {}
        Err(_) => tracing::debug!("startup took too long"),
    }
}
