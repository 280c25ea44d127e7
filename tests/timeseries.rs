//! `aegis demo timeseries` streams, and the dashboards in `deploy/grafana` ask it: each query of theirs, with its macros expanded as Grafana
//! does, runs without an error. So does every statement of `docs/how-to/time-series.md`.

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Aegis, Server};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// How long the demo may take to write its history, and a row or a job to come.
const PATIENCE: Duration = Duration::from_secs(120);

const DASHBOARDS: &[&str] = &["devices", "health"];

const HOW_TO: &str = include_str!("../docs/how-to/time-series.md");

/// What is rightly empty when nothing went wrong.
const MAY_BE_EMPTY: &[&str] = &["Errors of jobs", "Statements that run", "Outages"];

async fn connect(server: &Aegis) -> Client {
    let (client, connection) = server.config("postgres").connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// Rows in the simple protocol's text form, as Grafana reads them.
async fn rows(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let row = |message: SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect()),
        _ => None,
    };
    messages.into_iter().filter_map(row).collect()
}

async fn number(client: &Client, sql: &str) -> i64 {
    rows(client, sql).await[0][0].as_ref().expect("a number").parse().expect("a number")
}

/// Waits until the query's number passes the limit.
async fn passes(client: &Client, sql: &str, limit: i64) {
    let deadline = Instant::now() + PATIENCE;
    while number(client, sql).await <= limit {
        assert!(Instant::now() < deadline, "still at most {limit}: {sql}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_streams_and_the_dashboards_show_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let data_dir = folder.path().join("data");
    let server = Aegis::run(&["demo", "timeseries"], &data_dir, &[]);
    let client = connect(&server).await;
    passes(&client, "SELECT count(*) FROM pg_tables WHERE schemaname = 'fleet'", 2).await;
    // History has a row every ten seconds, the stream one every second.
    let live = "SELECT count(DISTINCT time) FROM fleet.metrics WHERE extract(second FROM time)::integer % 10 <> 0";
    passes(&client, live, 2).await;
    let so_far = number(&client, "SELECT count(*) FROM fleet.metrics").await;
    assert!(so_far > 30_000, "six hours of twenty devices, not {so_far} rows");
    passes(&client, "SELECT count(*) FROM fleet.metrics", so_far).await;
    the_aggregate_equals_its_query(&client).await;
    passes(&client, "SELECT sum(total_successes)::bigint FROM timescaledb_information.job_stats", 0).await;
    the_aggregate_equals_its_query(&client).await;
    for dashboard in DASHBOARDS {
        dashboard_answers(&client, dashboard).await;
    }
    assert_eq!(server.stop(), Some(0));

    // Again on the same data: the stream goes on.
    let server = Aegis::run(&["demo", "timeseries"], &data_dir, &[]);
    let client = connect(&server).await;
    let kept = number(&client, "SELECT count(*) FROM fleet.metrics").await;
    assert!(kept > so_far);
    passes(&client, "SELECT count(*) FROM fleet.metrics", kept).await;
    the_aggregate_equals_its_query(&client).await;
    assert_eq!(server.stop(), Some(0));
}

/// Both in one statement, so that the stream does not come between.
async fn the_aggregate_equals_its_query(client: &Client) {
    let direct = "SELECT time_bucket(INTERVAL '1 minute', time), device, min(temperature), max(temperature), last(battery, time), count(*) \
                  FROM fleet.metrics GROUP BY 1, 2";
    let view = "SELECT bucket, device, low, high, battery, samples FROM fleet.metrics_1m";
    let differing = format!("({direct} EXCEPT {view}) UNION ALL ({view} EXCEPT {direct})");
    assert_eq!(rows(client, &differing).await, Vec::<Vec<Option<String>>>::new());
    assert!(number(client, "SELECT count(*) FROM fleet.metrics_1m").await > 6 * 50 * 20);
}

async fn dashboard_answers(client: &Client, name: &str) {
    let path = format!("deploy/grafana/dashboards/{name}.json");
    let text = std::fs::read_to_string(&path).expect("the dashboard is there");
    let dashboard: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let clock = "SELECT to_char(now() - interval '3 hours', f), to_char(now(), f), extract(epoch FROM now())::bigint \
                 FROM (VALUES ('YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')) v(f)";
    let [from, to, now]: [String; 3] =
        rows(client, clock).await[0].iter().flatten().cloned().collect::<Vec<_>>().try_into().expect("3");
    let mut range = Range { from, to, now: now.parse().expect("a number"), variables: Vec::new() };
    for variable in items(&dashboard["templating"]["list"]) {
        let values = rows(client, &range.expand(string(&variable["query"]))).await;
        assert!(!values.is_empty(), "{path}: {variable}");
        let quoted = values.iter().map(|row| format!("'{}'", row[0].as_deref().expect("a value"))).collect::<Vec<_>>();
        range.variables.push((string(&variable["name"]).to_owned(), quoted.join(",")));
    }
    let mut titles = BTreeSet::new();
    for panel in items(&dashboard["panels"]) {
        let title = string(&panel["title"]);
        assert!(titles.insert(title), "{path}: two panels are called {title}");
        for target in items(&panel["targets"]) {
            let sql = range.expand(string(&target["rawSql"]));
            let found = rows(client, &sql).await;
            assert!(!found.is_empty() || MAY_BE_EMPTY.contains(&title), "{path}: {title} shows nothing: {sql}");
            if target["format"] == "time_series" {
                let columns = client.prepare(&sql).await.expect("the query can be described");
                assert!(columns.columns().iter().any(|c| c.name() == "time"), "{path}: {title} has no time");
            }
        }
    }
    for annotation in items(&dashboard["annotations"]["list"]) {
        rows(client, &range.expand(string(&annotation["target"]["rawSql"]))).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_how_to_is_true() {
    let server = Aegis::start();
    let client = connect(&server).await;
    let blocks = HOW_TO.split("```sql\n").skip(1).map(|rest| rest.split("```").next().expect("a block ends"));
    for statement in blocks.flat_map(|block| block.split(";\n")).filter(|statement| !statement.trim().is_empty()) {
        let found = rows(&client, statement).await;
        let may_be_empty = !statement.trim().starts_with("SELECT") || statement.contains("job_errors");
        assert!(!found.is_empty() || may_be_empty, "no rows: {statement}");
    }
    let highest = "SELECT max(high)::integer FROM metrics_1h WHERE device = 'dev-3'";
    assert_eq!(number(&client, highest).await, 99, "the late row is in the rollup of the rollup");
}

fn items(list: &Value) -> &[Value] {
    list.as_array().expect("a list")
}

fn string(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// What a dashboard is set to: its time range, seconds since 1970 of its end, and the values of its variables as SQL.
struct Range {
    from: String,
    to: String,
    now: i64,
    variables: Vec<(String, String)>,
}

impl Range {
    /// Variables first, as Grafana's front end does; then the macros, as its back end does for a data source with TimescaleDB
    /// (pkg/tsdb/grafana-postgresql-datasource/macros.go).
    fn expand(&self, sql: &str) -> String {
        let mut sql = sql.replace("$__interval_ms", "30000").replace("$__interval", "30s");
        for (name, values) in &self.variables {
            sql = sql.replace(&format!("${name}"), values);
        }
        while let Some(begin) = sql.find("$__") {
            let call = &sql[begin + 1..];
            let open = call.find('(').expect("a macro has arguments");
            let close = call.find(')').expect("a macro's arguments end");
            let arguments: Vec<&str> = call[open + 1..close].split(',').map(str::trim).collect();
            let expanded = self.macro_of(&call[..open], &arguments);
            sql.replace_range(begin..begin + 1 + close + 1, &expanded);
        }
        assert!(!sql.contains('$'), "a variable is left: {sql}");
        sql
    }

    fn macro_of(&self, name: &str, arguments: &[&str]) -> String {
        let (from, to, column) = (&self.from, &self.to, arguments[0]);
        let seconds = || seconds(arguments.get(1).expect("a width").trim_matches('\''));
        match name {
            "__time" => format!("{column} AS \"time\""),
            "__timeEpoch" => format!("extract(epoch from {column}) as \"time\""),
            "__timeFilter" => format!("{column} BETWEEN '{from}' AND '{to}'"),
            "__timeFrom" => format!("'{from}'"),
            "__timeTo" => format!("'{to}'"),
            "__timeGroup" => format!("time_bucket('{:.3}s',{column})", seconds()),
            "__timeGroupAlias" => format!("time_bucket('{:.3}s',{column}) AS \"time\"", seconds()),
            "__unixEpochFilter" => format!("{column} >= {} AND {column} <= {}", self.now - 3 * 3600, self.now),
            "__unixEpochGroup" => format!("floor(({column})/{0})*{0}", seconds()),
            _ => panic!("macro ${name} is not known here"),
        }
    }
}

/// Of a width such as `5m`.
fn seconds(width: &str) -> f64 {
    let (number, unit) = width.split_at(width.len() - 1);
    let unit = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => panic!("a width of {width}"),
    };
    number.parse::<f64>().expect("a number") * unit
}

#[test]
fn macros_are_grafanas() {
    let (from, to) = ("2024-01-01T00:00:00Z".to_owned(), "2024-01-02T00:00:00Z".to_owned());
    let range = Range { from, to, now: 1_704_153_600, variables: vec![("host".into(), "'a','b'".into())] };
    let expanded = range.expand("SELECT $__timeGroupAlias(c, '5m', NULL), a FROM t WHERE $__timeFilter(c) AND h IN ($host) AND $__unixEpochFilter(a)");
    assert_eq!(
        expanded,
        "SELECT time_bucket('300.000s',c) AS \"time\", a FROM t WHERE c BETWEEN '2024-01-01T00:00:00Z' AND '2024-01-02T00:00:00Z' \
         AND h IN ('a','b') AND a >= 1704142800 AND a <= 1704153600"
    );
}

/// Queries that need nothing but the last row of each series say so, and others do not.
#[tokio::test(flavor = "multi_thread")]
async fn last_rows_are_found_without_a_look_at_all() {
    let server = Aegis::start();
    let client = connect(&server).await;
    rows(&client, "CREATE EXTENSION timescaledb").await;
    rows(&client, "CREATE TABLE m (time timestamptz NOT NULL, device text, site text, v float8)").await;
    let explain = async |sql: &str| -> String {
        let lines = rows(&client, &format!("EXPLAIN {sql}")).await;
        lines.into_iter().filter_map(|line| line.into_iter().next().flatten()).collect::<Vec<_>>().join("\n")
    };
    let by_device = "LastRowsExec: m, series=[device], time=time";
    for (sql, expected) in [
        ("SELECT DISTINCT ON (device) * FROM m ORDER BY device, time DESC", Some(by_device)),
        ("SELECT device, last(v, time), max(time) FROM m WHERE device > 'd' GROUP BY device", Some(by_device)),
        (
            "SELECT DISTINCT ON (device) v FROM m WHERE site = 's' AND time < now() ORDER BY device, time DESC",
            Some("LastRowsExec: m, series=[device, site], time=time"),
        ),
        (
            "SELECT * FROM (VALUES ('d')) d(d), LATERAL (SELECT v FROM m WHERE device = d.d ORDER BY time DESC LIMIT 1) l",
            Some(by_device),
        ),
        ("SELECT DISTINCT ON (device) * FROM m ORDER BY device, time", None),
        ("SELECT DISTINCT ON (device) * FROM m WHERE v > 1 ORDER BY device, time DESC", None),
        ("SELECT device, last(v, time), min(time) FROM m GROUP BY device", None),
    ] {
        let plan = explain(sql).await;
        assert_eq!(plan.contains("LastRowsExec"), expected.is_some(), "{sql}\n{plan}");
        assert!(plan.contains(expected.unwrap_or("TableScanExec")), "{sql}\n{plan}");
    }
    assert_eq!(server.stop(), Some(0));
}
