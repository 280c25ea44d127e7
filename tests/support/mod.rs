//! Servers for tests: Aegis from this build, and a PostgreSQL 15 of the machine's. Each has a free port and a temporary folder, and ends
//! with the value that holds it.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a server may take to start or stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server that speaks PostgreSQL, superuser `postgres`.
pub trait Server {
    fn address(&self) -> SocketAddr;

    fn config(&self, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(self.address().ip().to_string()).port(self.address().port()).user("postgres").dbname(database);
        config
    }
}

pub struct Aegis {
    child: Child,
    pub data_dir: PathBuf,
    pub address: SocketAddr,
    pub http_address: SocketAddr,
    /// Removed with the server unless the folder was given.
    folder: Option<TempDir>,
}

impl Aegis {
    /// A server on a new data directory.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data_dir = folder.path().join("data");
        let mut server = Self::start_on(&data_dir, &[]);
        server.folder = Some(folder);
        server
    }

    /// A server on a data directory that stays, with further options.
    pub fn start_on(data_dir: &Path, options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aegis"))
            .args(["start", "--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(options)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let (address, http_address) = wait_until_ready(&mut child);
        Self { child, data_dir: data_dir.to_owned(), address, http_address, folder: None }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends the process at once, as a power cut would end it.
    pub fn kill(mut self) {
        self.child.kill().expect("the process can be killed");
        self.child.wait().expect("the process ends");
    }

    /// SIGTERM; returns the exit code.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("the process can be asked") {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the server did not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Server for Aegis {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Aegis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        drop(self.folder.take());
    }
}

/// Reads the log until the line `ready: PostgreSQL on A, HTTP on B`; then keeps draining it, so that the server never blocks on it.
fn wait_until_ready(child: &mut Child) -> (SocketAddr, SocketAddr) {
    let mut log = BufReader::new(child.stderr.take().expect("stderr is piped"));
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        assert!(log.read_line(&mut line).expect("the log is text") > 0, "the server ended:\n{seen}");
        if let Some(ready) = line.split("ready: PostgreSQL on ").nth(1) {
            let (address, http) = ready.trim().split_once(", HTTP on ").expect("two addresses");
            let addresses = (address.parse().expect("an address"), http.parse().expect("an address"));
            std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::stderr()));
            return addresses;
        }
        seen.push_str(&line);
    }
}

/// A PostgreSQL 15 made for this test run.
pub struct Postgres {
    folder: TempDir,
    address: SocketAddr,
}

const POSTGRES_BIN: &str = "/usr/lib/postgresql/15/bin";

impl Postgres {
    /// None if PostgreSQL 15 is not installed.
    pub fn start() -> Option<Self> {
        if !Path::new(POSTGRES_BIN).join("initdb").exists() {
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let data = folder.path().join("pg");
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(folder.path()));
        }
        run(postgres_command("initdb")
            .args(["-U", "postgres", "-A", "trust", "--locale=C", "-E", "UTF8", "-D"])
            .arg(&data));
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off -c timezone=Etc/UTC -c max_connections=100 -c max_prepared_transactions=100",
            address.port()
        );
        run(postgres_command("pg_ctl")
            .args(["-w", "-o", &options, "-l"])
            .arg(folder.path().join("log"))
            .arg("-D")
            .arg(&data)
            .arg("start"));
        Some(Self { folder, address })
    }
}

impl Server for Postgres {
    fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.path().join("pg");
        let _ = postgres_command("pg_ctl")
            .args(["-m", "immediate", "-D"])
            .arg(&data)
            .arg("stop")
            .stdout(Stdio::null())
            .status();
    }
}

/// PostgreSQL refuses to run as root.
fn postgres_command(program: &str) -> Command {
    let program = Path::new(POSTGRES_BIN).join(program);
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    id.stdout.trim_ascii() == b"0"
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().expect("the program runs");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
