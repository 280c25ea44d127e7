//! Servers for tests: Aegis from this build, and a PostgreSQL 15 of the machine's. Each has a free port and a temporary folder, and ends
//! with the value that holds it.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Trial};
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
        Self::run(&["start"], data_dir, options)
    }

    /// The same with further variables.
    pub fn start_in(data_dir: &Path, options: &[&str], environment: &BTreeMap<String, String>) -> Self {
        Self::run_in(&["start"], data_dir, options, environment)
    }

    /// `aegis COMMAND` that serves.
    pub fn run(command: &[&str], data_dir: &Path, options: &[&str]) -> Self {
        Self::run_in(command, data_dir, options, &BTreeMap::new())
    }

    fn run_in(command: &[&str], data_dir: &Path, options: &[&str], environment: &BTreeMap<String, String>) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_aegis"))
            .args(command)
            .args(["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0", "--data-dir"])
            .arg(data_dir)
            .args(options)
            .envs(environment)
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

/// Runs one file on a server, whose name is given for messages, in a database of that name.
pub type RunFile =
    for<'a> fn(&'a dyn Server, &'static str, &'a Path, &'a str) -> LocalBoxFuture<'a, Result<(), String>>;

/// Both servers, started once for all files.
struct Servers {
    aegis: Aegis,
    postgres: Option<Postgres>,
}

/// A test program: each file below `tests/FOLDER` with that extension is a test, on PostgreSQL 15 and then on Aegis; those below
/// `aegis/` on Aegis alone. Never returns.
pub fn run_files(folder: &str, extension: &str, run: RunFile) -> ! {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(tokio::runtime::Runtime::new().expect("a runtime"));
    let root = Path::new("tests").join(folder);
    let servers: Arc<OnceLock<Servers>> = Arc::default();
    let tests = files_below(&root, extension).into_iter().enumerate().map(|(number, file)| {
        let name = file.strip_prefix(&root).expect("below the root").with_extension("").display().to_string();
        let (runtime, servers) = (Arc::clone(&runtime), Arc::clone(&servers));
        let ours_alone = name.starts_with("aegis/");
        let database = format!("{folder}_{number}");
        Trial::test(name, move || {
            let servers = servers.get_or_init(|| Servers { aegis: Aegis::start(), postgres: Postgres::start() });
            runtime.block_on(async {
                if let Some(postgres) = servers.postgres.as_ref().filter(|_| !ours_alone) {
                    run(postgres, "postgres", &file, &database).await?;
                }
                run(&servers.aegis, "aegis", &file, &database).await?;
                Ok(())
            })
        })
    });
    let conclusion = libtest_mimic::run(&arguments, tests.collect());
    // The servers end here: `exit` below runs no destructors.
    let code = if conclusion.has_failed() { 101 } else { 0 };
    drop(runtime);
    if let Some(servers) = Arc::into_inner(servers) {
        drop(servers);
    }
    std::process::exit(code);
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder can be read").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|of| of == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}
