//! Backups under load, restores to any moment, and what they refuse.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aegis_storage::backup::repository::{Folder, PART_BYTES};
use aegis_storage::backup::{Access, Repository, Restored, Taken, restore};
use aegis_storage::check::check;
use aegis_storage::file::RealDisk;
use aegis_storage::{ColumnRange, Config, Error, Store};
use arrow::array::RecordBatch;

use crate::fixture::*;
use crate::s3::{BUCKET, S3};

type Rows = Vec<(i32, String)>;

fn folder(path: &Path) -> Arc<dyn Repository> {
    Arc::new(Folder::new(path))
}

fn bucket(server: &S3, prefix: &str) -> Arc<dyn Repository> {
    let access = Access { variables: server.variables(), ..Access::default() };
    aegis_storage::backup::open(&format!("s3://{BUCKET}/{prefix}"), &access).unwrap()
}

fn open(dir: &Path, archive: Option<&Arc<dyn Repository>>) -> Arc<Store> {
    let config = Config {
        wal_segment_bytes: 16 << 10,
        stage_bytes: 1,
        merge_rows: 500,
        compaction_fan_in: 2,
        compaction_background: false,
        wal_archive: archive.cloned(),
        ..Config::new(dir)
    };
    open_when_free(config)
}

async fn backup(store: &Arc<Store>, dest: &Arc<dyn Repository>) -> Taken {
    let (store, dest) = (store.clone(), dest.clone());
    tokio::task::spawn_blocking(move || store.backup(dest.as_ref(), &mut |_| Ok(()))).await.unwrap().unwrap()
}

async fn try_restore(
    src: &Arc<dyn Repository>,
    to: &Path,
    until: Option<u64>,
    archive: Option<&Arc<dyn Repository>>,
) -> Result<Restored, Error> {
    let (src, dir, archive) = (src.clone(), to.to_path_buf(), archive.cloned());
    let work = move || restore(src.as_ref(), &dir, until, archive.as_deref(), &mut |_| Ok(()));
    tokio::task::spawn_blocking(work).await.unwrap()
}

async fn restored(
    src: &Arc<dyn Repository>,
    to: &Path,
    until: Option<u64>,
    archive: Option<&Arc<dyn Repository>>,
) -> (Restored, Rows) {
    let done = try_restore(src, to, until, archive).await.unwrap();
    let report = check(Arc::new(RealDisk), to).unwrap();
    assert!(report.damage.is_empty(), "{report}");
    let rows = read(&open(to, None));
    (done, rows)
}

/// One commit of some kind.
async fn change(store: &Arc<Store>, i: i32) -> u64 {
    let mut tx = begin(store);
    tx.insert(TABLE, &many(i * 10..i * 10 + 10)).unwrap();
    if i % 5 == 1 {
        tx.make_room().await.unwrap();
    }
    if i > 2 {
        delete(&mut tx, &[(i - 2) * 10 + 3]).unwrap();
        update(&mut tx, (i - 3) * 10 + 4, ((i - 3) * 10 + 4, "updated")).unwrap();
    }
    if i > 3 && i % 6 == 5 {
        let from = i64::from(i - 4) * 10;
        assert!(tx.delete_range(TABLE, ColumnRange { column: 1, from, until: from + 6 }).unwrap() > 0);
    }
    tx.commit(i % 3 != 0).await.unwrap()
}

async fn flush_and_compact(store: &Arc<Store>) {
    store.flush().await.unwrap();
    let compacting = store.clone();
    tokio::task::spawn_blocking(move || compacting.compact()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_backup_under_load_is_the_store_at_its_timestamp() {
    let dir = tempfile::tempdir().unwrap();
    backups_under_load(dir.path(), &folder(&dir.path().join("backups"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_backup_under_load_may_go_to_a_bucket() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    backups_under_load(dir.path(), &bucket(&server, "of/this")).await;
    assert!(server.objects.names().iter().all(|name| name.starts_with("of/this/")));
}

async fn backups_under_load(dir: &Path, dest: &Arc<dyn Repository>) {
    let store = open(&dir.join("data"), None);
    create(&store).await;
    let stop = Arc::new(AtomicBool::new(false));
    let load = {
        let (store, stop) = (store.clone(), stop.clone());
        tokio::spawn(async move {
            // What the store held after each commit.
            let mut history: Vec<(u64, Rows)> = Vec::new();
            for i in 0.. {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                let ts = change(&store, i).await;
                history.push((ts, read(&store)));
                if i % 7 == 6 {
                    flush_and_compact(&store).await;
                }
            }
            history
        })
    };
    let mut taken = Vec::new();
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        taken.push(backup(&store, dest).await);
    }
    stop.store(true, Ordering::Release);
    let history = load.await.unwrap();
    for (number, backup) in taken.iter().enumerate() {
        let ts = backup.description.ts;
        let to = dir.join(format!("restored-{number}"));
        let (done, rows) = restored(dest, &to, Some(ts), None).await;
        let expected = history.iter().rfind(|(t, _)| *t <= ts).map(|(_, rows)| rows.clone()).unwrap_or_default();
        assert_eq!(rows, expected, "backup {number}");
        assert!(done.ts <= ts);
    }
    let quiet = backup(&store, dest).await;
    let again = backup(&store, dest).await;
    assert_eq!((again.copied_segments, again.kept_segments), (0, quiet.copied_segments + quiet.kept_segments));
    let (_, rows) = restored(dest, &dir.join("newest"), None, None).await;
    assert_eq!(rows, read(&store));
}

#[tokio::test]
async fn any_moment_that_the_archive_reaches_can_be_restored() {
    let dir = tempfile::tempdir().unwrap();
    let archive = dir.path().join("archive");
    moments(dir.path(), &folder(&dir.path().join("backups")), &folder(&archive)).await;
    assert_eq!(std::fs::read_dir(&archive).unwrap().count(), 2);
}

#[tokio::test]
async fn backups_and_the_archive_may_both_be_in_buckets() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    moments(dir.path(), &bucket(&server, "backups"), &bucket(&server, "")).await;
}

async fn moments(dir: &Path, dest: &Arc<dyn Repository>, archive: &Arc<dyn Repository>) {
    let data = dir.join("data");
    let mut history: Vec<(u64, Rows)> = Vec::new();
    let mut i = 0;
    for round in 0..3 {
        let store = open(&data, Some(archive));
        if round == 0 {
            create(&store).await;
        }
        for _ in 0..25 {
            let ts = change(&store, i).await;
            history.push((ts, read(&store)));
            if i == 8 {
                flush_and_compact(&store).await;
                backup(&store, dest).await;
            }
            if i % 10 == 9 {
                flush_and_compact(&store).await;
            }
            i += 1;
        }
        match round {
            // A clean end archives the rest, a switch does so at any time; and without either a start does.
            0 => store.close().await.unwrap(),
            1 => {
                let store = store.clone();
                let switched = tokio::task::spawn_blocking(move || store.switch_log(Duration::from_secs(20)));
                assert!(switched.await.unwrap().unwrap());
            }
            _ => {}
        }
    }
    let store = open(&data, Some(archive));
    let switching = store.clone();
    let switched = tokio::task::spawn_blocking(move || switching.switch_log(Duration::from_secs(20))).await.unwrap();
    assert!(switched.unwrap());
    assert_eq!(read(&store), history.last().unwrap().1);
    for at in [9, 20, 33, 49, 60, history.len() - 1] {
        let to = dir.join(format!("restored-{at}"));
        let (done, rows) = restored(dest, &to, Some(history[at].0), Some(archive)).await;
        assert_eq!((done.ts, rows), history[at].clone(), "after {at} commits");
    }
    // Between two commits: the first of them.
    let to = dir.join("between");
    let (done, rows) = restored(dest, &to, Some(history[41].0 - 1), Some(archive)).await;
    assert_eq!((done.ts, rows), history[40].clone());
    let (done, rows) = restored(dest, &dir.join("all"), None, Some(archive)).await;
    assert_eq!((done.ts, rows), history.last().unwrap().clone());
    // What is restored goes on with a log and an archive of its own.
    let store = open(&dir.join("all"), Some(archive));
    change(&store, i).await;
    store.close().await.unwrap();
}

#[tokio::test]
async fn refusals_name_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (data, dest) = (dir.path().join("data"), dir.path().join("backups"));
    let store = open(&data, None);
    create(&store).await;
    std::fs::create_dir(&dest).unwrap();
    let to = folder(&dest);
    let refused = async |until, dir: &Path| try_restore(&to, dir, until, None).await.unwrap_err().to_string();
    assert!(refused(None, &dir.path().join("a")).await.contains("holds no backup"));
    insert(&store, &[(1, "one")]).await.unwrap();
    store.flush().await.unwrap();
    backup(&store, &to).await;
    assert!(refused(Some(5), &dir.path().join("a")).await.contains("old enough"));
    assert!(refused(None, &data).await.contains("not empty"));
    let segment = std::fs::read_dir(dest.join("segments")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 4;
    std::fs::write(&segment, bytes).unwrap();
    assert!(refused(None, &dir.path().join("b")).await.contains("checksum"));
}

#[tokio::test]
async fn a_backup_without_checksums_is_restored_too() {
    let dir = tempfile::tempdir().unwrap();
    let (store, dest) = (open(&dir.path().join("data"), None), folder(&dir.path().join("backups")));
    create(&store).await;
    for i in 0..5 {
        change(&store, i).await;
        store.flush().await.unwrap();
    }
    change(&store, 5).await;
    let taken = backup(&store, &dest).await;
    let name = format!("{:016x}/backup.json", taken.description.ts);
    let mut json: serde_json::Value = serde_json::from_slice(&dest.get(&name).unwrap().unwrap()).unwrap();
    // As programs wrote it before there were any.
    json.as_object_mut().unwrap().retain(|key, _| key != "files" && key != "crc32");
    dest.put(&name, json.to_string().into()).unwrap();
    let (_, rows) = restored(&dest, &dir.path().join("restored"), None, None).await;
    assert_eq!(rows, read(&store));
}

/// A bucket whose requests are not tried again.
fn impatient(server: &S3, prefix: &str) -> Arc<dyn Repository> {
    let access = Access { variables: server.variables(), retry: Duration::ZERO };
    aegis_storage::backup::open(&format!("s3://{BUCKET}/{prefix}"), &access).unwrap()
}

async fn try_backup(store: &Arc<Store>, dest: &Arc<dyn Repository>) -> Result<Taken, Error> {
    let (store, dest) = (store.clone(), dest.clone());
    tokio::task::spawn_blocking(move || store.backup(dest.as_ref(), &mut |_| Ok(()))).await.unwrap()
}

#[tokio::test]
async fn a_second_backup_sends_only_what_is_new() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    let (store, dest) = (open(&dir.path().join("data"), None), bucket(&server, "b"));
    create(&store).await;
    // As many segments as do not fit on one page of a list.
    for i in 0..5 {
        let mut tx = begin(&store);
        tx.insert(TABLE, &many(i * 1000..i * 1000 + 1000)).unwrap();
        tx.commit(true).await.unwrap();
        store.flush().await.unwrap();
    }
    let first = backup(&store, &dest).await;
    assert!(first.copied_segments >= 5, "{first:?}");
    let sent = |server: &S3| {
        let requests = server.objects.take_requests().into_iter();
        requests.filter(|(method, name)| method == "PUT" && name.contains("/segments/")).count()
    };
    assert_eq!(sent(&server), first.copied_segments);
    insert(&store, &[(-1, "new")]).await.unwrap();
    let second = backup(&store, &dest).await;
    assert_eq!((second.copied_segments, second.kept_segments), (0, first.copied_segments));
    assert_eq!(sent(&server), 0);
    // Nothing has changed: the backup is there already, and stays as it is.
    let third = backup(&store, &dest).await;
    assert_eq!(third.description, second.description);
    assert!(server.objects.take_requests().iter().all(|(method, _)| method != "PUT"));
    let (_, rows) = restored(&dest, &dir.path().join("first"), Some(first.description.ts), None).await;
    assert_eq!(rows.len(), 5000);
    let (_, rows) = restored(&dest, &dir.path().join("second"), None, None).await;
    assert_eq!(rows, read(&store));
}

/// Text that does not compress.
fn noise(rows: i32, bytes: usize) -> RecordBatch {
    let mut state = 1u64;
    let mut text = |_| {
        let next = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            char::from(b'!' + (state >> 33) as u8 % 90)
        };
        (0..bytes).map(next).collect::<String>()
    };
    let values: Vec<(i32, String)> = (0..rows).map(|i| (i, text(i))).collect();
    crate::fixture::rows(&values.iter().map(|(i, s)| (*i, s.as_str())).collect::<Vec<_>>())
}

#[tokio::test]
async fn large_segments_go_in_parts_and_are_given_up_whole() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    let store = open_when_free(Config::new(dir.path().join("data")));
    create(&store).await;
    let mut tx = begin(&store);
    tx.insert(TABLE, &noise(2_000, 12_000)).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    let dest = bucket(&server, "");
    // Whoever asked goes away in the middle.
    let (asking, to) = (store.clone(), bucket(&server, "given-up"));
    let given_up = move || {
        asking.backup(to.as_ref(), &mut |progress| match progress.done {
            0 => Ok(()),
            _ => Err(Error::Interrupted),
        })
    };
    let given_up = tokio::task::spawn_blocking(given_up).await.unwrap();
    assert!(matches!(given_up, Err(Error::Interrupted)), "{given_up:?}");
    assert_eq!((server.objects.names().len(), server.objects.open_uploads()), (0, 0));
    server.objects.take_requests();
    let taken = backup(&store, &dest).await;
    assert!(taken.copied_bytes > 2 * PART_BYTES, "{taken:?}");
    let of_segments = server.objects.take_requests().into_iter().filter(|(_, name)| name.starts_with("segments/"));
    let parts = usize::try_from(taken.copied_bytes.div_ceil(PART_BYTES)).unwrap();
    // Each part, and what begins and ends them.
    assert_eq!(of_segments.count(), parts + 2);
    let (_, rows) = restored(&dest, &dir.path().join("restored"), None, None).await;
    assert!(rows == read(&store));
    let segment = server.objects.names().into_iter().find(|name| name.starts_with("segments/")).unwrap();
    server.objects.flip_bit(&segment);
    let damaged = try_restore(&dest, &dir.path().join("damaged"), None, None).await.unwrap_err().to_string();
    assert!(damaged.contains(&format!("\"s3://{BUCKET}/{segment}\" is damaged: its checksum is wrong")), "{damaged}");
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    let (store, dest) = (open(&dir.path().join("data"), None), bucket(&server, ""));
    create(&store).await;
    for i in 0..4 {
        change(&store, i).await;
        store.flush().await.unwrap();
    }
    change(&store, 4).await;
    let taken = backup(&store, &dest).await;
    let names = server.objects.names();
    for kind in ["segments/", "/deletes/", "/wal/", "/catalog.redb", "/backup.json"] {
        assert!(names.iter().any(|name| name.contains(kind)), "{kind} in {names:?}");
    }
    for name in names.iter().filter(|name| server.objects.len(name) > 0) {
        server.objects.flip_bit(name);
        let to = dir.path().join("restored");
        match try_restore(&dest, &to, None, None).await {
            Err(Error::Corrupt(what)) => assert!(what.contains(name) && what.contains("damaged"), "{name}: {what}"),
            other => panic!("{name}: {other:?}"),
        }
        server.objects.flip_bit(name);
    }
    // Nothing was left: the same directory will do.
    let (done, rows) = restored(&dest, &dir.path().join("restored"), None, None).await;
    assert_eq!((done.from, rows), (taken.description, read(&store)));
}

#[tokio::test]
async fn a_store_that_fails_at_any_request_leaves_no_backup() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    let store = open(&dir.path().join("data"), None);
    create(&store).await;
    for i in 0..4 {
        change(&store, i).await;
        store.flush().await.unwrap();
    }
    change(&store, 4).await;
    backup(&store, &bucket(&server, "whole")).await;
    let requests = server.objects.take_requests().len();
    for n in 0..requests {
        let dest = impatient(&server, &format!("fails-{n}"));
        server.objects.fail_after(Some(n));
        let why = try_backup(&store, &dest).await.unwrap_err().to_string();
        assert!(why.contains("nternal") && why.contains("give the command again"), "{why}");
        server.objects.fail_after(None);
        let to = dir.path().join("restored");
        let none = try_restore(&dest, &to, None, None).await.unwrap_err().to_string();
        assert!(none.contains("holds no backup"), "{n}: {none}");
        backup(&store, &dest).await;
        if n % 8 == 0 || n + 1 == requests {
            let (_, rows) = restored(&dest, &to, None, None).await;
            assert_eq!(rows, read(&store), "{n}");
            std::fs::remove_dir_all(&to).unwrap();
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_store_is_said_with_what_to_do() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    let store = open(&dir.path().join("data"), None);
    create(&store).await;
    let fails = async |place: &str, change: &dyn Fn(&mut BTreeMap<String, String>)| {
        let mut variables = server.variables();
        change(&mut variables);
        let access = Access { variables, retry: Duration::ZERO };
        let dest = match aegis_storage::backup::open(place, &access) {
            Ok(dest) => dest,
            Err(error) => return error.to_string(),
        };
        let secrets = format!("{dest:?} {access:?}");
        assert!(!secrets.contains("secret") && !secrets.contains("AKIA"), "{secrets}");
        let why = try_backup(&store, &dest).await.unwrap_err().to_string();
        let restoring = try_restore(&dest, &dir.path().join("restored"), None, None).await.unwrap_err().to_string();
        assert_eq!(restoring.rsplit("; ").next(), why.rsplit("; ").next());
        why
    };
    let set = |name: &'static str, value: &'static str| {
        move |variables: &mut BTreeMap<String, String>| drop(variables.insert(name.into(), value.into()))
    };
    // Never a role of the machine that runs the tests.
    let no_credentials = |variables: &mut BTreeMap<String, String>| {
        variables.retain(|name, _| name == "AWS_REGION");
        variables.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
    };
    for (place, change, wanted) in [
        (
            "s3://elsewhere/x",
            &set("AWS_REGION", "eu-test-1") as &dyn Fn(&mut _),
            "create the bucket \"elsewhere\" first",
        ),
        ("s3://backups/x", &set("AWS_ACCESS_KEY_ID", "OTHER"), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://backups/x", &set("AWS_SKIP_SIGNATURE", "true"), "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("s3://backups/x", &set("AWS_ALLOW_HTTP", "false"), "set AWS_ALLOW_HTTP=true"),
        ("s3://backups/x", &set("AWS_ENDPOINT_URL", "http://127.0.0.1:1"), "check the network and AWS_ENDPOINT_URL"),
        ("s3://backups/x", &no_credentials, "there are no credentials: set AWS_ACCESS_KEY_ID"),
        ("s3://", &set("AWS_REGION", "eu-test-1"), "a bucket is missing"),
        ("gs://backups/x", &set("AWS_REGION", "eu-test-1"), "is neither a folder nor s3://BUCKET/PREFIX"),
    ] {
        let why = fails(place, change).await;
        assert!(why.contains(wanted), "{place}: {why}");
    }
}

#[tokio::test]
async fn a_store_that_comes_back_in_time_is_waited_for() {
    let (dir, server) = (tempfile::tempdir().unwrap(), S3::start());
    let (store, dest) = (open(&dir.path().join("data"), None), bucket(&server, "b"));
    create(&store).await;
    change(&store, 1).await;
    store.flush().await.unwrap();
    server.objects.fail_after(Some(1));
    let taking = tokio::spawn({
        let (store, dest) = (store.clone(), dest.clone());
        async move { try_backup(&store, &dest).await }
    });
    tokio::time::sleep(Duration::from_millis(150)).await;
    server.objects.fail_after(None);
    let gone = server.vanish();
    tokio::time::sleep(Duration::from_millis(150)).await;
    let _server = S3::return_as(gone);
    taking.await.unwrap().unwrap();
    let (_, rows) = restored(&dest, &dir.path().join("restored"), None, None).await;
    assert_eq!(rows, read(&store));
}
