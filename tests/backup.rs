//! Backups of a running server to an object store and back, with the commands that people give.

mod support;

#[path = "../storage/tests/store/s3.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod s3;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use s3::{BUCKET, S3};
use support::{Aegis, Server};
use tokio_postgres::{Client, NoTls};

type Environment = BTreeMap<String, String>;

async fn connect(server: &Aegis) -> Client {
    let (client, connection) = server.config("postgres").connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// `aegis …` with no more of an object store in its environment than is given.
async fn aegis(arguments: &[&str], environment: &Environment) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aegis"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.args(arguments).envs(environment);
    tokio::task::spawn_blocking(move || command.output()).await.expect("it runs").expect("it starts")
}

/// What a command that must succeed prints.
async fn done(arguments: &[&str], environment: &Environment) -> String {
    let output = aegis(arguments, environment).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command that must fail says.
async fn refused(arguments: &[&str], environment: &Environment) -> String {
    let output = aegis(arguments, environment).await;
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Numbers of a line such as `backup 06a…: 3 segments copied (4711 bytes), 2 kept from before`.
fn copied_and_kept(line: &str) -> (u64, u64) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let before = |word: &str| words.iter().position(|w| *w == word).and_then(|at| words[at - 1].parse().ok());
    (before("segments").expect("segments"), before("kept").expect("kept"))
}

/// Writes pairs of rows that sum to 0 until it is told to stop.
async fn write_pairs(client: Client, pairs: Arc<AtomicI64>, stop: Arc<AtomicBool>) {
    while !stop.load(Ordering::Acquire) {
        let n = pairs.load(Ordering::Acquire);
        let sql =
            format!("BEGIN; INSERT INTO t VALUES ({}, {n}); INSERT INTO t VALUES ({}, -{n}); COMMIT", 2 * n, 2 * n + 1);
        client.batch_execute(&sql).await.expect("a pair is written");
        pairs.store(n + 1, Ordering::Release);
    }
}

/// Rows of a restored directory, each with its other half.
async fn rows_of(data_dir: &Path) -> i64 {
    let server = Aegis::start_on(data_dir, &[]);
    let client = connect(&server).await;
    let row = client.query_one("SELECT count(*), coalesce(sum(v), 0)::bigint FROM t", &[]).await.expect("rows");
    assert_eq!((row.get::<_, i64>(0) % 2, row.get::<_, i64>(1)), (0, 0), "a transaction is whole or not there");
    row.get(0)
}

fn path(folder: &Path) -> &str {
    folder.to_str().expect("UTF-8")
}

#[tokio::test]
async fn a_running_server_is_backed_up_to_a_bucket_under_load() {
    let (folder, store) = (tempfile::tempdir().expect("a folder"), S3::start());
    let data = folder.path().join("data");
    let server = Aegis::start_on(&data, &[]);
    let client = connect(&server).await;
    client.batch_execute("CREATE TABLE t (id bigint PRIMARY KEY, v bigint)").await.expect("a table");
    let (pairs, stop) = (Arc::new(AtomicI64::new(1)), Arc::new(AtomicBool::new(false)));
    let load = tokio::spawn(write_pairs(connect(&server).await, pairs.clone(), stop.clone()));

    // The command's credentials serve: the server has none.
    let (environment, dest) = (store.variables(), format!("s3://{BUCKET}/nightly"));
    let backup = ["backup", &dest, "--data-dir", path(&data)];
    tokio::time::sleep(Duration::from_millis(300)).await;
    client.batch_execute("CHECKPOINT").await.expect("rows are in a segment");
    let written = pairs.load(Ordering::Acquire);
    let first = done(&backup, &environment).await;
    let (copied, kept) = copied_and_kept(&first);
    assert!(copied > 0 && kept == 0, "{first}");
    let again = copied_and_kept(&done(&backup, &environment).await);
    assert_eq!(again, (0, copied), "nothing was flushed in between");

    let restored = folder.path().join("restored");
    let restore = ["restore", &dest, "--data-dir", path(&restored)];
    done(&restore, &environment).await;
    assert!(rows_of(&restored).await >= 2 * (written - 1));
    stop.store(true, Ordering::Release);
    load.await.expect("the load ends");

    // Quiet: the backup is all there is.
    done(&backup, &environment).await;
    let quiet = folder.path().join("quiet");
    done(&["restore", &dest, "--data-dir", path(&quiet)], &environment).await;
    assert_eq!(rows_of(&quiet).await, 2 * (pairs.load(Ordering::Acquire) - 1));

    let nowhere = ["backup", "s3://elsewhere/nightly", "--data-dir", path(&data)];
    let why = refused(&nowhere, &environment).await;
    assert!(why.contains("NoSuchBucket") && why.contains("create the bucket \"elsewhere\" first"), "{why}");
    let mut wrong = environment.clone();
    wrong.insert("AWS_ACCESS_KEY_ID".into(), "OTHER".into());
    let why = refused(&backup, &wrong).await;
    assert!(why.contains("set AWS_ACCESS_KEY_ID"), "{why}");

    let segment = store.objects.names().into_iter().find(|name| name.contains("/segments/")).expect("a segment");
    store.objects.flip_bit(&segment);
    let why = refused(&["restore", &dest, "--data-dir", path(&folder.path().join("damaged"))], &environment).await;
    assert!(why.contains(&segment) && why.contains("its checksum is wrong"), "{why}");
}

#[tokio::test]
async fn a_store_that_goes_away_leaves_no_backup_and_a_retry_works() {
    let (folder, store) = (tempfile::tempdir().expect("a folder"), S3::start());
    let data = folder.path().join("data");
    // The server's credentials serve a command that has none; and its log is archived.
    let (environment, none) = (store.variables(), Environment::new());
    let archive = format!("s3://{BUCKET}/log");
    let server = Aegis::start_in(&data, &["--wal-archive-dir", &archive], &environment);
    let client = connect(&server).await;
    let setup = "CREATE TABLE t (id bigint PRIMARY KEY, v bigint); INSERT INTO t SELECT i, 0 FROM generate_series(1, 1000) i; CHECKPOINT";
    client.batch_execute(setup).await.expect("rows in a segment");

    let dest = format!("s3://{BUCKET}/nightly");
    let backup = ["backup", &dest, "--data-dir", path(&data), "--object-store-retry-seconds", "1"];
    let restored = folder.path().join("restored");
    let restore = [
        "restore",
        &dest,
        "--data-dir",
        path(&restored),
        "--wal-archive-dir",
        &archive,
        "--object-store-retry-seconds",
        "1",
    ];
    // Failures first, then nobody answers.
    store.objects.fail_after(Some(3));
    let failing = aegis(&backup, &none);
    let (output, _store) = tokio::join!(failing, async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let gone = store.vanish();
        tokio::time::sleep(Duration::from_secs(3)).await;
        gone.0.fail_after(None);
        S3::return_as(gone)
    });
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{why}");
    assert!(why.contains("then give the command again; what has arrived is not sent again"), "{why}");
    let why = refused(&restore, &environment).await;
    assert!(why.contains("holds no backup"), "{why}");

    done(&backup, &none).await;
    client.batch_execute("INSERT INTO t VALUES (2000, 0), (2001, 0)").await.expect("rows after the backup");
    assert_eq!(server.stop(), Some(0));
    done(&restore, &environment).await;
    assert_eq!(rows_of(&restored).await, 1002, "the archived log goes on after the backup");
}
