//! `aegis sql`: a small client, so that no psql is needed for a first query.

use std::io::{BufRead, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;
use tokio_postgres::{NoTls, SimpleQueryMessage};

#[derive(Debug, Args)]
pub struct Options {
    /// How to connect, as libpq takes it: `host=… port=… user=… dbname=…` or a postgresql:// URL
    #[arg(default_value = "host=127.0.0.1 port=5432 user=postgres dbname=postgres")]
    conninfo: String,
    /// Run this and exit
    #[arg(short, long, value_name = "SQL")]
    command: Option<String>,
}

pub fn run(options: Options) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("aegis sql: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(session(options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("aegis sql: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True if every statement succeeded.
async fn session(options: Options) -> Result<bool> {
    let (client, connection) = tokio_postgres::connect(&options.conninfo, NoTls)
        .await
        .context("can't connect; is the server running? (`aegis start`)")?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("aegis sql: connection lost: {error}");
        }
    });
    if let Some(sql) = options.command {
        return Ok(execute(&client, &sql).await);
    }
    let interactive = std::io::stdin().is_terminal();
    if interactive {
        println(&format!("aegis {}; end a statement with ;  quit with \\q", env!("CARGO_PKG_VERSION")));
    }
    let (mut statement, mut all_well) = (String::new(), true);
    loop {
        if interactive {
            print(if statement.is_empty() { "aegis=> " } else { "aegis-> " });
        }
        let mut line = String::new();
        if std::io::stdin().lock().read_line(&mut line)? == 0 {
            break;
        }
        if statement.is_empty() && matches!(line.trim(), "\\q" | "quit" | "exit") {
            return Ok(all_well);
        }
        statement.push_str(&line);
        if line.trim_end().ends_with(';') {
            all_well &= execute(&client, &std::mem::take(&mut statement)).await;
        }
    }
    if !statement.trim().is_empty() {
        all_well &= execute(&client, &statement).await;
    }
    Ok(all_well)
}

async fn execute(client: &tokio_postgres::Client, sql: &str) -> bool {
    match client.simple_query(sql).await {
        Ok(messages) => {
            print(&render(&messages));
            true
        }
        Err(error) => {
            match error.as_db_error() {
                Some(db) => {
                    eprintln!("{}:  {} ({})", db.severity(), db.message(), db.code().code());
                    db.detail().into_iter().for_each(|detail| eprintln!("DETAIL:  {detail}"));
                    db.hint().into_iter().for_each(|hint| eprintln!("HINT:  {hint}"));
                }
                None => eprintln!("aegis sql: {error}"),
            }
            false
        }
    }
}

/// Results as aligned tables, one after another.
fn render(messages: &[SimpleQueryMessage]) -> String {
    let (mut text, mut header, mut rows) = (String::new(), None::<Vec<String>>, Vec::new());
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(columns) => {
                header = Some(columns.iter().map(|c| c.name().to_owned()).collect());
            }
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|i| row.get(i).unwrap_or("").to_owned()).collect::<Vec<_>>());
            }
            SimpleQueryMessage::CommandComplete(count) => match header.take() {
                Some(names) => table(&mut text, &names, &std::mem::take(&mut rows)),
                None => text.push_str(&format!("ok, {count} rows\n")),
            },
            _ => {}
        }
    }
    text
}

fn table(text: &mut String, names: &[String], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(names.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..names.len()).map(width).collect();
    let line = |cells: &[String]| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, &width)| format!(" {cell:<width$} ")).collect();
        padded.join("|").trim_end().to_owned()
    };
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
    text.push_str(&format!("{}\n{}\n", line(names), rule.join("+")));
    rows.iter().for_each(|row| text.push_str(&format!("{}\n", line(row))));
    text.push_str(&format!("({} row{})\n", rows.len(), if rows.len() == 1 { "" } else { "s" }));
}

/// Standard output that closes early (`| head`) is no error.
pub fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn println(text: &str) {
    print(&format!("{text}\n"));
}
