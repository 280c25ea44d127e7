//! `aegis demo flights`: all flights that left New York City in 2013, with weather, planes and airports (nycflights13, CC0).

use std::io::Read;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use futures::SinkExt;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_postgres::Client;

use super::farewell;

/// One table of the data set: name, definition, and its rows as zstd-compressed CSV with a header.
struct Table {
    name: &'static str,
    definition: &'static str,
    rows: &'static [u8],
}

const TABLES: &[Table] = &[
    Table {
        name: "airlines",
        definition: "carrier text PRIMARY KEY, name text NOT NULL",
        rows: include_bytes!("airlines.csv.zst"),
    },
    Table {
        name: "airports",
        definition: "faa text PRIMARY KEY, name text NOT NULL, lat double precision, lon double precision, \
                     alt integer, tz integer, dst text, tzone text",
        rows: include_bytes!("airports.csv.zst"),
    },
    Table {
        name: "planes",
        definition: "tailnum text PRIMARY KEY, year integer, type text, manufacturer text, model text, \
                     engines integer, seats integer, speed integer, engine text",
        rows: include_bytes!("planes.csv.zst"),
    },
    Table {
        name: "weather",
        definition: "origin text, year integer, month integer, day integer, hour integer, temp double precision, \
                     dewp double precision, humid double precision, wind_dir integer, wind_speed double precision, \
                     wind_gust double precision, precip double precision, pressure double precision, \
                     visib double precision, time_hour timestamptz",
        rows: include_bytes!("weather.csv.zst"),
    },
    Table {
        name: "flights",
        definition: "year integer, month integer, day integer, dep_time integer, sched_dep_time integer, \
                     dep_delay integer, arr_time integer, sched_arr_time integer, arr_delay integer, \
                     carrier text, flight integer, tailnum text, origin text, dest text, air_time integer, \
                     distance integer, hour integer, minute integer, time_hour timestamptz",
        rows: include_bytes!("flights.csv.zst"),
    },
];

/// Statements to begin with, and what they answer.
const QUERIES: &[(&str, &str)] = &[
    (
        "The busiest routes",
        "SELECT origin, dest, count(*) AS flights FROM flights GROUP BY origin, dest ORDER BY flights DESC LIMIT 5;",
    ),
    (
        "Who is late",
        "SELECT name, round(avg(arr_delay), 1) AS minutes FROM flights JOIN airlines USING (carrier) \
         GROUP BY name ORDER BY minutes DESC LIMIT 5;",
    ),
    (
        "Delays by month, each beside the month before",
        "SELECT month, round(avg(dep_delay), 2) AS delay, round(avg(dep_delay) - lag(avg(dep_delay)) OVER (ORDER BY month), 2) \
         AS change FROM flights GROUP BY month ORDER BY month;",
    ),
    (
        "Does wind matter?",
        "SELECT width_bucket(wind_speed, 0, 40, 4) AS wind, count(*) AS flights, \
         percentile_cont(0.9) WITHIN GROUP (ORDER BY dep_delay) AS p90_delay \
         FROM flights JOIN weather USING (origin, time_hour) WHERE wind_speed IS NOT NULL GROUP BY 1 ORDER BY 1;",
    ),
];

const SCHEMA: &str = "nycflights";
/// Bytes of CSV handed to COPY at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Loads what is missing and prints how to go on.
pub async fn load(client: &Client, address: SocketAddr) -> Result<()> {
    client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}; SET search_path TO {SCHEMA}")).await?;
    for table in TABLES {
        load_table(client, table).await.with_context(|| format!("loading {}", table.name))?;
    }
    eprintln!("{}", farewell("The flights are", SCHEMA, address, QUERIES));
    Ok(())
}

/// Creates and fills one table in one transaction, so that a table that exists is complete.
async fn load_table(client: &Client, table: &Table) -> Result<()> {
    let exists = client
        .query_opt("SELECT 1 FROM pg_tables WHERE schemaname = $1 AND tablename = $2", &[&SCHEMA, &table.name])
        .await?;
    if exists.is_some() {
        return Ok(());
    }
    let mut csv = Vec::new();
    zstd::Decoder::new(table.rows)?.read_to_end(&mut csv)?;
    let bar = ProgressBar::new(csv.len() as u64)
        .with_style(ProgressStyle::with_template("{msg:>10} {wide_bar} {bytes:>10} {bytes_per_sec:>12}")?);
    bar.set_message(table.name);
    client.batch_execute(&format!("BEGIN; CREATE TABLE {} ({})", table.name, table.definition)).await?;
    let sink = client.copy_in(&format!("COPY {} FROM STDIN (FORMAT csv, HEADER)", table.name)).await?;
    let mut sink = std::pin::pin!(sink);
    for chunk in csv.chunks(CHUNK_BYTES) {
        sink.send(bytes::Bytes::copy_from_slice(chunk)).await?;
        bar.inc(chunk.len() as u64);
    }
    let rows = sink.finish().await?;
    client.batch_execute("COMMIT").await?;
    bar.finish_with_message(format!("{} {rows}", table.name));
    Ok(())
}
