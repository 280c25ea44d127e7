//! What outlives a server that is killed: prepared transactions with their locks, aggregates of time series with what is out of date of them, jobs.

mod support;

use std::time::Duration;

use support::{Aegis, Server};
use tokio_postgres::{Client, NoTls};

async fn connect(server: &Aegis) -> Client {
    let (client, connection) = server.config("postgres").connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

async fn values(client: &Client) -> Vec<(i32, i32)> {
    let rows = client.query("SELECT id, v FROM t ORDER BY id", &[]).await.expect("rows");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn prepared_transactions_survive_kill_with_their_locks() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Aegis::start_on(folder.path(), &[]);
    let client = connect(&server).await;
    let setup = "CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t SELECT x, x FROM generate_series(1, 3) x; CHECKPOINT";
    client.batch_execute(setup).await.expect("a table, its rows in a segment");
    for (gid, change) in [
        ("keep", "UPDATE t SET v = 10 WHERE id = 1; DELETE FROM t WHERE id = 3; INSERT INTO t VALUES (4, 4)"),
        ("drop", "UPDATE t SET v = 20 WHERE id = 2"),
    ] {
        let sql = format!("BEGIN; {change}; PREPARE TRANSACTION '{gid}'");
        client.batch_execute(&sql).await.expect("it is prepared");
    }
    server.kill();

    let server = Aegis::start_on(folder.path(), &[]);
    let client = connect(&server).await;
    assert_eq!(values(&client).await, [(1, 1), (2, 2), (3, 3)]);
    client.batch_execute("SET lock_timeout = '100ms'").await.expect("a setting");
    for blocked in ["UPDATE t SET v = 0 WHERE id = 2", "DELETE FROM t WHERE id = 3", "INSERT INTO t VALUES (4, 0)"] {
        let error = client.batch_execute(blocked).await.expect_err("it is locked");
        assert_eq!(error.code().map(|code| code.code()), Some("55P03"), "{blocked}");
    }
    client.batch_execute("COMMIT PREPARED 'keep'").await.expect("it commits");
    client.batch_execute("ROLLBACK PREPARED 'drop'").await.expect("it rolls back");
    client.batch_execute("UPDATE t SET v = v + 1 WHERE id = 2").await.expect("nothing is locked any more");
    server.kill();

    let server = Aegis::start_on(folder.path(), &[]);
    let client = connect(&server).await;
    assert_eq!(values(&client).await, [(1, 10), (2, 3), (4, 4)]);
    let left = client.query("SELECT gid FROM pg_prepared_xacts", &[]).await.expect("rows");
    assert!(left.is_empty());
    tokio::time::timeout(Duration::from_secs(30), async { server.stop() }).await.expect("it stops");
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

async fn one_number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error}")).get(0)
}

#[tokio::test]
async fn aggregates_equal_their_query_after_late_changes_and_kills() {
    const DIFFERENT: &str =
        "SELECT count(*) FROM ((TABLE hourly EXCEPT TABLE computed) UNION ALL (TABLE computed EXCEPT TABLE hourly)) x";
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Aegis::start_on(folder.path(), &[]);
    let mut client = connect(&server).await;
    let setup = "CREATE EXTENSION timescaledb;
        CREATE TABLE readings (at timestamptz NOT NULL, device int, value bigint);
        SELECT create_hypertable('readings', 'at', chunk_time_interval => interval '1 day');
        CREATE MATERIALIZED VIEW hourly WITH (timescaledb.continuous) AS
            SELECT time_bucket('1 hour', at) AS bucket, device, count(*) AS n, sum(value) AS total FROM readings GROUP BY 1, 2 WITH NO DATA;
        CREATE VIEW computed AS SELECT time_bucket('1 hour', at) AS bucket, device, count(*) AS n, sum(value) AS total FROM readings GROUP BY 1, 2";
    client.batch_execute(setup).await.expect("a hypertable and its aggregate");
    let mut dice = Dice(7);
    for round in 0..24 {
        let (day, hour) = (dice.below(4), dice.below(24));
        let from = format!("timestamptz '2024-05-01 00:00+00' + interval '{day} days {hour} hours'");
        let sql = match dice.below(5) {
            0 | 1 => format!(
                "INSERT INTO readings SELECT {from} + i * interval '7 minutes', i % 3, i FROM generate_series(1, 40) i"
            ),
            2 => format!(
                "UPDATE readings SET value = value + 1, at = at + interval '50 minutes' WHERE at BETWEEN {from} AND {from} + interval '2 hours'"
            ),
            3 => format!("DELETE FROM readings WHERE device = 1 AND at BETWEEN {from} AND {from} + interval '5 hours'"),
            _ => format!("CALL refresh_continuous_aggregate('hourly', {from}, {from} + interval '30 hours')"),
        };
        client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        if round % 8 == 7 {
            server.kill();
            server = Aegis::start_on(folder.path(), &[]);
            client = connect(&server).await;
            client.batch_execute("CALL refresh_continuous_aggregate('hourly', NULL, NULL)").await.expect("a refresh");
            assert_eq!(one_number(&client, DIFFERENT).await, 0, "after round {round}");
        }
    }
    assert!(one_number(&client, "SELECT count(*) FROM hourly").await > 0);

    let job = "CREATE TABLE runs (at timestamptz);
        CREATE PROCEDURE run(job_id int, config jsonb) LANGUAGE sql AS 'INSERT INTO runs VALUES (clock_timestamp())';
        SELECT add_job('run', interval '1 second')";
    client.batch_execute(job).await.expect("a job");
    server.kill();
    let server = Aegis::start_on(folder.path(), &[]);
    let client = connect(&server).await;
    let ran = async {
        while one_number(&client, "SELECT total_successes FROM timescaledb_information.job_stats").await < 2 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), ran).await.expect("the job runs again and again");
    assert!(one_number(&client, "SELECT count(*) FROM runs").await >= 2);
    server.stop();
}
