//! Real data and real questions: the flights out of New York in 2013 go into Aegis and into PostgreSQL 15 by COPY from CSV, and 25
//! analytic questions get the same answers from both.

mod support;

use std::path::Path;

use futures::SinkExt;
use support::{Aegis, Postgres, Server};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

const TABLES: &[(&str, &str)] = &[
    ("airlines", "carrier text PRIMARY KEY, name text NOT NULL"),
    (
        "airports",
        "faa text PRIMARY KEY, name text NOT NULL, lat double precision, lon double precision, alt integer, tz integer, dst text, tzone text",
    ),
    (
        "planes",
        "tailnum text PRIMARY KEY, year integer, type text, manufacturer text, model text, engines integer, seats integer, speed integer, engine text",
    ),
    (
        "weather",
        "origin text, year integer, month integer, day integer, hour integer, temp numeric(5,2), dewp numeric(5,2), humid numeric(5,2), \
         wind_dir integer, wind_speed double precision, wind_gust double precision, precip numeric(5,2), pressure numeric(6,1), \
         visib numeric(5,2), time_hour timestamptz",
    ),
    (
        "flights",
        "year integer, month integer, day integer, dep_time integer, sched_dep_time integer, dep_delay integer, arr_time integer, \
         sched_arr_time integer, arr_delay integer, carrier text, flight integer, tailnum text, origin text, dest text, air_time integer, \
         distance integer, hour integer, minute integer, time_hour timestamptz",
    ),
];

/// Each has an order that leaves no ties, so that the answers can be compared line by line.
const QUESTIONS: &[&str] = &[
    "SELECT count(*), count(dep_time), count(DISTINCT tailnum), min(time_hour), max(time_hour) FROM flights",
    "SELECT origin, dest, count(*) AS n FROM flights GROUP BY origin, dest ORDER BY n DESC, origin, dest LIMIT 10",
    "SELECT name, count(*), round(avg(arr_delay), 3) FROM flights JOIN airlines USING (carrier) GROUP BY name ORDER BY name",
    "SELECT month, sum(distance), avg(distance), min(air_time), max(air_time) FROM flights GROUP BY month ORDER BY month",
    "SELECT carrier, percentile_cont(array[0.5, 0.9]) WITHIN GROUP (ORDER BY dep_delay) IS NOT NULL FROM flights GROUP BY carrier ORDER BY carrier",
    "SELECT origin, percentile_cont(0.5) WITHIN GROUP (ORDER BY arr_delay), percentile_disc(0.95) WITHIN GROUP (ORDER BY arr_delay) FROM flights GROUP BY origin ORDER BY origin",
    "SELECT origin, month, count(*), grouping(origin, month) FROM flights GROUP BY GROUPING SETS ((origin), (month), ()) ORDER BY 4, 1, 2",
    "SELECT origin, carrier, count(*) FROM flights GROUP BY ROLLUP (origin, carrier) ORDER BY origin NULLS LAST, carrier NULLS LAST",
    "SELECT month, avg(dep_delay) AS delay, avg(dep_delay) - lag(avg(dep_delay)) OVER (ORDER BY month) FROM flights GROUP BY month ORDER BY month",
    "SELECT * FROM (SELECT origin, dest, n, rank() OVER (PARTITION BY origin ORDER BY n DESC, dest) AS r FROM (SELECT origin, dest, count(*) AS n FROM flights GROUP BY origin, dest) g) q WHERE r <= 3 ORDER BY origin, r",
    "SELECT date_trunc('month', time_hour) AS m, count(*) FROM flights GROUP BY m ORDER BY m",
    "SELECT extract(hour FROM time_hour AT TIME ZONE 'America/New_York') AS h, count(*), round(avg(dep_delay), 2) FROM flights GROUP BY h ORDER BY h",
    "SELECT extract(dow FROM time_hour AT TIME ZONE 'America/Los_Angeles') AS d, count(*) FILTER (WHERE arr_delay > 60) FROM flights GROUP BY d ORDER BY d",
    "SELECT manufacturer, count(*) AS flights, count(DISTINCT f.tailnum) AS planes FROM flights f JOIN planes p ON p.tailnum = f.tailnum GROUP BY manufacturer ORDER BY flights DESC, manufacturer LIMIT 8",
    "SELECT count(*) FROM flights f WHERE NOT EXISTS (SELECT 1 FROM planes p WHERE p.tailnum = f.tailnum)",
    "SELECT name FROM airports a WHERE faa IN (SELECT dest FROM flights GROUP BY dest HAVING count(*) < 20) ORDER BY name",
    "SELECT carrier, tailnum, n FROM (SELECT carrier, tailnum, count(*) AS n, row_number() OVER (PARTITION BY carrier ORDER BY count(*) DESC, tailnum) AS r FROM flights WHERE tailnum IS NOT NULL GROUP BY carrier, tailnum) q WHERE r = 1 ORDER BY carrier",
    "SELECT a.name, (SELECT max(dep_delay) FROM flights f WHERE f.carrier = a.carrier) AS worst FROM airlines a ORDER BY a.name",
    "WITH daily AS (SELECT month, day, count(*) AS n, avg(dep_delay) AS d FROM flights GROUP BY month, day) SELECT month, day, n, round(d, 2), round(avg(d) OVER (ORDER BY month, day ROWS BETWEEN 6 PRECEDING AND CURRENT ROW), 2) FROM daily ORDER BY month, day LIMIT 40",
    "SELECT width_bucket(distance, 0, 5000, 10) AS b, count(*), min(distance), max(distance) FROM flights GROUP BY b ORDER BY b",
    "SELECT origin, corr(dep_delay, arr_delay)::numeric(6, 4), regr_slope(arr_delay, dep_delay)::numeric(6, 4), stddev(dep_delay)::numeric(10, 4) FROM flights GROUP BY origin ORDER BY origin",
    "SELECT w.origin, round(avg(w.temp), 2), round(avg(f.dep_delay), 2), count(*) FROM flights f JOIN weather w ON w.origin = f.origin AND w.time_hour = f.time_hour WHERE w.precip > 0.1 GROUP BY w.origin ORDER BY w.origin",
    "SELECT dest, string_agg(DISTINCT carrier, ',' ORDER BY carrier) FROM flights WHERE origin = 'LGA' GROUP BY dest ORDER BY dest LIMIT 15",
    "SELECT CASE WHEN dep_delay IS NULL THEN 'cancelled' WHEN dep_delay <= 0 THEN 'on time' WHEN dep_delay <= 30 THEN 'late' ELSE 'very late' END AS kind, count(*), round(100.0 * count(*) / sum(count(*)) OVER (), 2) FROM flights GROUP BY kind ORDER BY kind",
    "SELECT f.month, f.day, f.carrier, f.flight, f.dep_delay FROM flights f, LATERAL (SELECT max(dep_delay) AS worst FROM flights g WHERE g.month = f.month AND g.day = f.day) m WHERE f.dep_delay = m.worst AND f.day = 15 ORDER BY f.month, f.carrier, f.flight",
];

async fn load(client: &Client) -> u64 {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/demo");
    let mut loaded = 0;
    for (table, columns) in TABLES {
        client.batch_execute(&format!("CREATE TABLE {table} ({columns})")).await.expect("the table is created");
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
    for question in QUESTIONS {
        let (expected, got) = (answer(&theirs, question).await, answer(&ours, question).await);
        assert_eq!(got, expected, "{question}");
    }
}
