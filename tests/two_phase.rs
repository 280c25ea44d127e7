//! A prepared transaction outlives the server that it was prepared on.

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
