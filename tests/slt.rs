//! SQL in, results out: every `tests/slt/**/*.slt` is a test. Files run on Aegis and on PostgreSQL 15 and must hold on both; those under
//! `tests/slt/aegis/` speak of what is Aegis's own and run on Aegis alone.
//!
//! `SLT_OVERRIDE=postgres cargo test --test slt NAME` rewrites the expectations with PostgreSQL's answers (`=aegis`: with ours).

mod support;

use std::path::Path;

use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use support::Server;
use tokio_postgres::{Client, SimpleQueryMessage};

/// One connection to a server under test.
struct Connection {
    client: Client,
    engine: &'static str,
}

impl Connection {
    async fn open(server: &dyn Server, database: &str, engine: &'static str) -> Result<Self, tokio_postgres::Error> {
        let (client, connection) = server.config(database).connect(tokio_postgres::NoTls).await?;
        tokio::spawn(connection);
        Ok(Self { client, engine })
    }
}

/// An error of a statement: `SQLSTATE: message`, which is what `statement error` matches.
#[derive(Debug, Clone)]
struct SqlError(String);

impl std::fmt::Display for SqlError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SqlError {}

impl From<tokio_postgres::Error> for SqlError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self(match error.as_db_error() {
            Some(db) => format!("{}: {}", db.code().code(), db.message()),
            None => error.to_string(),
        })
    }
}

#[async_trait::async_trait]
impl AsyncDB for Connection {
    type Error = SqlError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, SqlError> {
        let messages = self.client.simple_query(sql).await?;
        let (mut width, mut rows, mut count) = (None, Vec::new(), 0);
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(columns) => width = Some(columns.len()),
                SimpleQueryMessage::Row(row) => rows.push((0..row.len()).map(|i| cell(row.get(i))).collect()),
                SimpleQueryMessage::CommandComplete(rows) => count = rows,
                _ => {}
            }
        }
        Ok(match width {
            Some(width) => DBOutput::Rows { types: vec![DefaultColumnType::Any; width], rows },
            None => DBOutput::StatementComplete(count),
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        self.engine
    }
}

/// NULL and the empty string are visible.
fn cell(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => text.to_owned(),
    }
}

/// Runs a file in a database of its own.
async fn run_file(server: &dyn Server, engine: &'static str, file: &Path, database: &str) -> Result<(), String> {
    let admin = Connection::open(server, "postgres", engine).await.map_err(|e| e.to_string())?;
    let made = admin.client.batch_execute(&format!("CREATE DATABASE {database}")).await;
    made.map_err(|e| format!("{engine}: {}", SqlError::from(e)))?;
    let mut runner = Runner::new(|| async { Connection::open(server, database, engine).await.map_err(SqlError::from) });
    runner.add_label(engine);
    let result = match std::env::var("SLT_OVERRIDE") {
        Ok(wanted) if wanted == engine => runner
            .update_test_file(
                file,
                " ",
                sqllogictest::default_validator,
                sqllogictest::default_normalizer,
                sqllogictest::default_column_validator,
            )
            .await
            .map_err(|e| e.to_string()),
        Ok(_) => Ok(()),
        Err(_) => runner.run_file_async(file).await.map_err(|e| format!("{engine}: {}", e.display(false))),
    };
    drop(runner);
    let _ = admin.client.batch_execute(&format!("DROP DATABASE {database}")).await;
    result
}

fn main() {
    support::run_files("slt", "slt", |server, engine, file, database| {
        Box::pin(run_file(server, engine, file, database))
    });
}
