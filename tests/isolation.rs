//! Several sessions at once, as transcripts: every `tests/isolation/*.txt` says which session sends what, in order, and what comes of it.
//! Each runs on Aegis and on PostgreSQL 15 and must read the same on both.
//!
//! ```text
//! # a comment
//! a: UPDATE t SET v = 1        session `a` sends a statement
//!   UPDATE 1                   its answer: rows, else the number of rows that it touched; or the error
//! b: DELETE FROM t
//!   waits                      somebody's lock is in its way
//! a: COMMIT
//!   OK 0
//! b: ...                       now its answer comes
//!   OK 1
//! a: id = SELECT 1             remembers the answer, which differs between servers
//! b: SELECT $id                and inserts it
//! ```
//!
//! `ISOLATION_OVERRIDE=postgres cargo test --test isolation NAME` writes PostgreSQL's answers (`=aegis`: ours) below the statements.

mod support;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use support::Server;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, SimpleQueryMessage};

/// How often it is asked whether a statement waits, and how long anything may take.
const POLL: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

type Answer = Result<Vec<SimpleQueryMessage>, tokio_postgres::Error>;

struct Session {
    client: Arc<Client>,
    pid: String,
    running: Option<JoinHandle<Answer>>,
}

/// A file's sessions on one server.
struct Stage {
    config: tokio_postgres::Config,
    control: Client,
    sessions: HashMap<String, Session>,
    remembered: HashMap<String, String>,
}

async fn connect(config: &tokio_postgres::Config) -> Result<Client, String> {
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(|e| e.to_string())?;
    tokio::spawn(connection);
    Ok(client)
}

impl Stage {
    async fn new(server: &dyn Server, database: &str) -> Result<Self, String> {
        let config = server.config(database);
        Ok(Self { control: connect(&config).await?, config, sessions: HashMap::new(), remembered: HashMap::new() })
    }

    async fn session(&mut self, name: &str) -> Result<&mut Session, String> {
        if !self.sessions.contains_key(name) {
            let client = connect(&self.config).await?;
            let pid = single(&client, "SELECT pg_backend_pid()").await?;
            self.sessions.insert(name.to_owned(), Session { client: Arc::new(client), pid, running: None });
        }
        self.sessions.get_mut(name).ok_or_else(|| "the session is gone".to_owned())
    }

    /// Sends a statement (`...`: waits for the last one) and tells what comes of it.
    async fn step(&mut self, name: &str, sql: &str) -> Result<Vec<String>, String> {
        if let Some((variable, sql)) = sql.split_once(" = ").filter(|(name, _)| name.chars().all(char::is_alphanumeric))
        {
            let value = single(&self.session(name).await?.client, sql).await?;
            self.remembered.insert(variable.to_owned(), value);
            return Ok(vec!["remembered".to_owned()]);
        }
        let sql =
            self.remembered.iter().fold(sql.to_owned(), |sql, (name, value)| sql.replace(&format!("${name}"), value));
        let session = self.session(name).await?;
        if sql == "..." {
            let running = session.running.take().ok_or_else(|| format!("session {name} runs nothing"))?;
            let answer = tokio::time::timeout(PATIENCE, running).await.map_err(|_| format!("{name} still waits"))?;
            return Ok(lines(answer.map_err(|e| e.to_string())?));
        }
        let client = session.client.clone();
        let mut running = tokio::spawn(async move { client.simple_query(&sql).await });
        let blocked = format!("SELECT cardinality(pg_blocking_pids({})) > 0", session.pid);
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Ok(answer) = tokio::time::timeout(POLL, &mut running).await {
                return Ok(lines(answer.map_err(|e| e.to_string())?));
            }
            if single(&self.control, &blocked).await? == "t" {
                self.session(name).await?.running = Some(running);
                return Ok(vec!["waits".to_owned()]);
            }
            if tokio::time::Instant::now() > end {
                return Err(format!("{name} neither ends nor waits for a lock"));
            }
        }
    }
}

async fn single(client: &Client, sql: &str) -> Result<String, String> {
    let messages = client.simple_query(sql).await.map_err(|e| e.to_string())?;
    let row = messages.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    });
    row.ok_or_else(|| format!("{sql}: no value"))
}

fn lines(answer: Answer) -> Vec<String> {
    let messages = match answer {
        Ok(messages) => messages,
        Err(error) => {
            let shown = error.as_db_error().map(|db| format!("{}: {}", db.code().code(), db.message()));
            return vec![shown.unwrap_or_else(|| error.to_string())];
        }
    };
    let mut out = Vec::new();
    let mut width = None;
    for message in &messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => width = Some(columns.len()),
            SimpleQueryMessage::Row(row) => {
                let cells = (0..row.len()).map(|i| row.get(i).unwrap_or("NULL").to_owned());
                out.push(cells.collect::<Vec<_>>().join("|"));
            }
            SimpleQueryMessage::CommandComplete(rows) if width.is_none() => out.push(format!("OK {rows}")),
            _ => {}
        }
    }
    if out.is_empty() {
        out.push("no rows".to_owned());
    }
    out
}

/// The file as this server plays it.
async fn play(text: &str, stage: &mut Stage) -> Result<String, String> {
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(": ") {
            _ if line.starts_with("  ") => continue,
            Some((name, sql)) if !line.starts_with('#') => {
                out.push_str(&format!("{line}\n"));
                let answer = stage.step(name, sql).await.map_err(|e| format!("{line}\n{e}"))?;
                for line in answer {
                    let named = stage.remembered.iter().fold(line, |line, (name, value)| match value.len() {
                        ..8 => line,
                        _ => line.replace(value, &format!("${name}")),
                    });
                    out.push_str(&format!("  {named}\n"));
                }
            }
            _ => out.push_str(&format!("{line}\n")),
        }
    }
    Ok(out)
}

async fn run_file(server: &dyn Server, engine: &'static str, file: &Path, database: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string())?;
    let admin = connect(&server.config("postgres")).await?;
    admin.batch_execute(&format!("CREATE DATABASE {database}")).await.map_err(|e| e.to_string())?;
    let mut stage = Stage::new(server, database).await?;
    let played = play(&text, &mut stage).await.map_err(|e| format!("{engine}: {e}"))?;
    drop(stage);
    let _ = admin.batch_execute(&format!("DROP DATABASE {database} WITH (FORCE)")).await;
    match std::env::var("ISOLATION_OVERRIDE") {
        Ok(wanted) if wanted == engine => std::fs::write(file, played).map_err(|e| e.to_string()),
        Ok(_) => Ok(()),
        Err(_) if played == text => Ok(()),
        Err(_) => Err(format!("{engine} differs:\n{}", difference(&text, &played))),
    }
}

/// The first place where the two are not the same, with what stands before it.
fn difference(want: &str, got: &str) -> String {
    let at = want.lines().zip(got.lines()).take_while(|(a, b)| a == b).count();
    let part = |text: &str, count| text.lines().skip(at.saturating_sub(4)).take(count).collect::<Vec<_>>().join("\n");
    format!("--- want\n{}\n--- got\n{}", part(want, 8), part(got, 8))
}

fn main() {
    support::run_files("isolation", "txt", |server, engine, file, database| {
        Box::pin(run_file(server, engine, file, database))
    });
}
