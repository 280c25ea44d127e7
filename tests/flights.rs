//! Real data and real questions: the flights out of New York in 2013 go into Aegis and into PostgreSQL 15 by COPY from CSV, and 25
//! analytic questions get the same answers from both.

mod support;

use std::path::Path;

use futures::SinkExt;
use support::{Aegis, Postgres, Server};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// One `CREATE TABLE name (…);` a line, in the order in which they are loaded.
const TABLES: &str = include_str!("flights/tables.sql");

/// One question a line. Each has an order that leaves no ties, so that the answers can be compared line by line.
const QUESTIONS: &str = include_str!("flights/questions.sql");

async fn load(client: &Client) -> u64 {
    let data = Path::new("src/demo");
    let mut loaded = 0;
    for definition in TABLES.lines() {
        let table = definition.split_whitespace().nth(2).expect("CREATE TABLE name");
        client.batch_execute(definition).await.expect("the table is created");
        let packed = std::fs::File::open(data.join(format!("{table}.csv.zst"))).expect("the data is there");
        let csv = zstd::decode_all(packed).expect("the data is whole");
        let sink = client.copy_in(&format!("COPY {table} FROM STDIN (FORMAT csv, HEADER)")).await.expect("COPY starts");
        let mut sink = std::pin::pin!(sink);
        for chunk in csv.chunks(1 << 16) {
            sink.send(bytes::Bytes::copy_from_slice(chunk)).await.expect("COPY goes on");
        }
        loaded += sink.finish().await.expect("COPY ends");
    }
    // COPY in the extended protocol commits at Sync; only the answer to it acknowledges the rows.
    client.simple_query("SELECT 1").await.expect("the server answers");
    // Without statistics PostgreSQL may choose a plan that takes minutes, if it does not gather them by itself in time.
    client.batch_execute("ANALYZE").await.expect("statistics are gathered");
    loaded
}

async fn connect(server: &impl Server) -> Client {
    let (client, connection) = server.config("postgres").connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

async fn answer(client: &Client, question: &str) -> Vec<String> {
    let messages = client.simple_query(question).await.unwrap_or_else(|e| panic!("{question}: {e:?}"));
    let line = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|i| row.get(i).unwrap_or("NULL")).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    };
    messages.iter().filter_map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_questions_have_postgresqls_answers_also_after_a_crash() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("data");
    let aegis = Aegis::start_on(&data_dir, &[]);
    let client = connect(&aegis).await;
    let rows = load(&client).await;
    assert_eq!(rows, 336_776 + 16 + 1458 + 3322 + 26_115);
    // The plug is pulled as soon as the last COPY is acknowledged.
    aegis.kill();
    let aegis = Aegis::start_on(&data_dir, &[]);
    let ours = connect(&aegis).await;
    let Some(postgres) = Postgres::start() else {
        panic!("PostgreSQL 15 is not installed; run `cargo xtask test`, which installs it");
    };
    let theirs = connect(&postgres).await;
    assert_eq!(load(&theirs).await, rows);
    for question in QUESTIONS.lines() {
        let (expected, got) = (answer(&theirs, question).await, answer(&ours, question).await);
        assert_eq!(got, expected, "{question}");
    }
}
