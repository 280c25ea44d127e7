//! Points into tables, through a session: missing tables and columns in a transaction, then all rows in another.

use std::collections::{BTreeMap, HashSet};

use aegis_engine::catalog::definition::quote_identifier;
use aegis_engine::catalog::{Error, Oid, sqlstate};
use aegis_engine::session::Session;
use aegis_engine::session::protocol::Response;
use axum::body::Bytes;
use serde_json::Value;

use super::points::Points;
use super::precision::Clock;
use super::schema::{Column, Plan, Rejected, TIME, Table, measurements};
use super::value;
use crate::query::statement;

type Result<T> = std::result::Result<T, Error>;

/// Rows are handed over when they have grown to this size.
const BATCH_BYTES: usize = 4 << 20;

/// Lines that are read before other connections of the thread get their turn.
const LINES_PER_TURN: usize = 4_096;

/// Writers that change tables wait for each other; the key's bytes are `lineprot`.
const SCHEMA_LOCK: i64 = i64::from_be_bytes(*b"lineprot");

/// Columns of the tables whose names are `$1`.
const TABLES: &str = "SELECT c.relname::text, c.relkind::text, a.attname::text, a.atttypid \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     WHERE n.nspname = 'public' AND c.relname::text = ANY ($1::text[]) ORDER BY c.oid, a.attnum";

/// The schema of timescaledb's functions, if it is installed.
const TIMESCALEDB: &str = "SELECT n.nspname::text FROM pg_catalog.pg_extension e \
     JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'timescaledb'";

/// What became of a request's lines.
#[derive(Debug)]
pub struct Outcome {
    pub stored: usize,
    pub rejected: Rejected,
}

/// Stores the lines that fit, all of them or, after an error, none; without `partial` none either if one does not fit.
pub async fn store(session: &mut Session, points: Points, clock: Clock, partial: bool) -> Result<Outcome> {
    let names = compute(&points, measurements).await?;
    let mut plan = planned(session, &points, &names, clock).await?;
    if !partial && !plan.rejected.numbers.is_empty() {
        return Ok(Outcome { stored: 0, rejected: plan.rejected });
    }
    if plan.changes_schema() {
        run(session, "BEGIN", &[]).await?;
        run(session, "SELECT pg_catalog.pg_advisory_xact_lock($1)", &[SCHEMA_LOCK.into()]).await?;
        // Another writer may have made what was missing, perhaps with other types.
        plan = planned(session, &points, &names, clock).await?;
        if !partial && !plan.rejected.numbers.is_empty() {
            return Ok(Outcome { stored: 0, rejected: plan.rejected });
        }
        change_schema(session, &plan).await?;
        run(session, "COMMIT", &[]).await?;
    }
    if plan.lines > 0 {
        run(session, "BEGIN", &[]).await?;
        insert(session, &points, &plan, clock).await?;
        run(session, "COMMIT", &[]).await?;
    }
    Ok(Outcome { stored: plan.lines, rejected: plan.rejected })
}

/// Runs what takes a while on long texts, away from the threads that serve connections.
async fn compute<T: Send + 'static>(points: &Points, work: impl FnOnce(&Points) -> T + Send + 'static) -> Result<T> {
    let points = points.clone();
    tokio::task::spawn_blocking(move || work(&points)).await.map_err(|error| Error::internal(error.to_string()))
}

async fn planned(session: &mut Session, points: &Points, names: &HashSet<String>, clock: Clock) -> Result<Plan> {
    let tables = existing(session, names).await?;
    compute(points, move |points| Plan::new(points, tables, clock)).await
}

async fn existing(session: &mut Session, names: &HashSet<String>) -> Result<BTreeMap<String, Table>> {
    let list: Vec<String> = names.iter().map(|name| element(name)).collect();
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in run(session, TABLES, &[format!("{{{}}}", list.join(",")).into()]).await? {
        let text = |at: usize| row.get(at).and_then(Value::as_str);
        let (Some(name), Some(kind)) = (text(0), text(1)) else { continue };
        let table = tables.entry(name.to_owned()).or_insert_with(|| Table::existing(name, kind));
        let ty = row.get(3).and_then(Value::as_u64).and_then(|ty| Oid::try_from(ty).ok());
        if let (Some(column), Some(ty)) = (text(2), ty) {
            table.add_existing(column.to_owned(), ty);
        }
    }
    Ok(tables)
}

async fn change_schema(session: &mut Session, plan: &Plan) -> Result<()> {
    let timescaledb = run(session, TIMESCALEDB, &[]).await?;
    let timescaledb = timescaledb.first().and_then(|row| row.get(0)?.as_str()).map(quote_identifier);
    for table in plan.tables.values().filter(|table| table.is_used()) {
        let name = qualified(table);
        let columns = table.new_columns();
        if table.exists && !columns.is_empty() {
            let added: Vec<String> =
                columns.iter().map(|column| format!("ADD COLUMN {}", definition(column))).collect();
            run(session, &format!("ALTER TABLE {name} {}", added.join(", ")), &[]).await?;
        } else if !table.exists {
            let columns: Vec<String> = columns.iter().map(definition).collect();
            run(session, &format!("CREATE TABLE {name} ({})", columns.join(", ")), &[]).await?;
            if let Some(schema) = &timescaledb {
                let make = format!("SELECT {schema}.create_hypertable($1::pg_catalog.regclass, '{TIME}')");
                run(session, &make, &[name.into()]).await?;
            }
        }
    }
    Ok(())
}

fn definition(column: &Column) -> String {
    let not_null = if column.name == TIME { " NOT NULL" } else { "" };
    format!("{} {}{not_null}", quote_identifier(&column.name), column.ty.name())
}

/// Rows of a table that wait to be handed over. Tables are taken in the order of their names, so that writers do not meet in a deadlock.
#[derive(Default)]
struct Waiting {
    rows: Vec<u8>,
}

async fn insert(session: &mut Session, points: &Points, plan: &Plan, clock: Clock) -> Result<()> {
    let mut rejected = plan.rejected.numbers.iter().peekable();
    let mut waiting: BTreeMap<&str, Waiting> = BTreeMap::new();
    let mut bytes = 0;
    for (count, entry) in points.entries().enumerate() {
        if count % LINES_PER_TURN == LINES_PER_TURN - 1 {
            tokio::task::yield_now().await;
        }
        if rejected.next_if_eq(&&entry.number).is_some() {
            continue;
        }
        let line = entry.line?;
        let Some(table) = plan.tables.get(&*line.measurement) else { continue };
        let rows = &mut waiting.entry(&table.name).or_default().rows;
        let before = rows.len();
        value::encode(&table.cells(&line, clock.time(line.timestamp)?)?, rows)?;
        bytes += rows.len() - before;
        if bytes >= BATCH_BYTES {
            hand_over(session, plan, &mut waiting).await?;
            bytes = 0;
        }
    }
    hand_over(session, plan, &mut waiting).await
}

async fn hand_over(session: &mut Session, plan: &Plan, waiting: &mut BTreeMap<&str, Waiting>) -> Result<()> {
    for (name, Waiting { rows }) in std::mem::take(waiting) {
        let Some(table) = plan.tables.get(name) else { continue };
        let columns = table.slots.iter().filter_map(|slot| table.columns.get(*slot));
        let columns: Vec<_> = columns.map(|column| quote_identifier(&column.name)).collect();
        let copy = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", qualified(table), columns.join(", "));
        session.prepare("", &copy, &[]).await?;
        session.bind("", "", &[], &[], &[]).await?;
        let Response::CopyIn { .. } = session.execute("").await? else {
            return Err(Error::new(sqlstate::INTERNAL_ERROR, "COPY takes no rows"));
        };
        session.copy_data(Bytes::from_static(value::HEADER)).await?;
        session.copy_data(rows.into()).await?;
        session.copy_data(Bytes::from_static(value::TRAILER)).await?;
        session.copy_done().await?;
        session.sync().await?;
    }
    Ok(())
}

/// A statement's rows.
async fn run(session: &mut Session, sql: &str, parameters: &[Value]) -> Result<Vec<Value>> {
    let mut answer = statement(session, sql, parameters).await?;
    Ok(match answer.get_mut("rows").map(Value::take) {
        Some(Value::Array(rows)) => rows,
        _ => Vec::new(),
    })
}

fn qualified(table: &Table) -> String {
    format!("public.{}", quote_identifier(&table.name))
}

/// An element of an array as `text[]` reads it.
fn element(text: &str) -> String {
    let mut element = String::with_capacity(text.len() + 2);
    element.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            element.push('\\');
        }
        element.push(character);
    }
    element.push('"');
    element
}
