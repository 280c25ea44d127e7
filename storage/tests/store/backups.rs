//! Backups under load, restores to any moment, and what they refuse.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aegis_storage::backup::{Restored, Taken, restore};
use aegis_storage::check::check;
use aegis_storage::file::RealDisk;
use aegis_storage::{Config, Store};

use crate::fixture::*;

type Rows = Vec<(i32, String)>;

fn open(dir: &Path, archive: Option<&Path>) -> Arc<Store> {
    let config = Config {
        wal_segment_bytes: 16 << 10,
        stage_bytes: 1,
        merge_rows: 500,
        compaction_fan_in: 2,
        compaction_background: false,
        wal_archive_dir: archive.map(Path::to_path_buf),
        ..Config::new(dir)
    };
    open_when_free(config)
}

async fn backup(store: &Arc<Store>, dest: &Path) -> Taken {
    let (store, dest) = (store.clone(), dest.to_path_buf());
    tokio::task::spawn_blocking(move || store.backup(&dest)).await.unwrap().unwrap()
}

async fn restored(src: &Path, to: &Path, until: Option<u64>, archive: Option<&Path>) -> (Restored, Rows) {
    let (src, dir, archive) = (src.to_path_buf(), to.to_path_buf(), archive.map(Path::to_path_buf));
    let done = tokio::task::spawn_blocking(move || restore(&src, &dir, until, archive.as_deref())).await.unwrap();
    let done = done.unwrap();
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
    let (data, dest) = (dir.path().join("data"), dir.path().join("backups"));
    let store = open(&data, None);
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
        taken.push(backup(&store, &dest).await);
    }
    stop.store(true, Ordering::Release);
    let history = load.await.unwrap();
    for (number, backup) in taken.iter().enumerate() {
        let ts = backup.description.ts;
        let to = dir.path().join(format!("restored-{number}"));
        let (done, rows) = restored(&dest, &to, Some(ts), None).await;
        let expected = history.iter().rfind(|(t, _)| *t <= ts).map(|(_, rows)| rows.clone()).unwrap_or_default();
        assert_eq!(rows, expected, "backup {number}");
        assert!(done.ts <= ts);
    }
    let quiet = backup(&store, &dest).await;
    let again = backup(&store, &dest).await;
    assert_eq!((again.copied_segments, again.kept_segments), (0, quiet.copied_segments + quiet.kept_segments));
    let (_, rows) = restored(&dest, &dir.path().join("newest"), None, None).await;
    assert_eq!(rows, read(&store));
}

#[tokio::test]
async fn any_moment_that_the_archive_reaches_can_be_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (data, dest, archive) = (dir.path().join("data"), dir.path().join("backups"), dir.path().join("archive"));
    let mut history: Vec<(u64, Rows)> = Vec::new();
    let mut i = 0;
    for round in 0..3 {
        let store = open(&data, Some(&archive));
        if round == 0 {
            create(&store).await;
        }
        for _ in 0..25 {
            let ts = change(&store, i).await;
            history.push((ts, read(&store)));
            if i == 8 {
                flush_and_compact(&store).await;
                backup(&store, &dest).await;
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
    let store = open(&data, Some(&archive));
    let switching = store.clone();
    let switched = tokio::task::spawn_blocking(move || switching.switch_log(Duration::from_secs(20))).await.unwrap();
    assert!(switched.unwrap());
    assert_eq!(read(&store), history.last().unwrap().1);
    for at in [9, 20, 33, 49, 60, history.len() - 1] {
        let to = dir.path().join(format!("restored-{at}"));
        let (done, rows) = restored(&dest, &to, Some(history[at].0), Some(&archive)).await;
        assert_eq!((done.ts, rows), history[at].clone(), "after {at} commits");
    }
    // Between two commits: the first of them.
    let to = dir.path().join("between");
    let (done, rows) = restored(&dest, &to, Some(history[41].0 - 1), Some(&archive)).await;
    assert_eq!((done.ts, rows), history[40].clone());
    let (done, rows) = restored(&dest, &dir.path().join("all"), None, Some(&archive)).await;
    assert_eq!((done.ts, rows), history.last().unwrap().clone());
    // What is restored goes on with a log and an archive of its own.
    let store = open(&dir.path().join("all"), Some(&archive));
    change(&store, i).await;
    store.close().await.unwrap();
    assert_eq!(std::fs::read_dir(&archive).unwrap().count(), 2);
}

#[tokio::test]
async fn refusals_name_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let (data, dest) = (dir.path().join("data"), dir.path().join("backups"));
    let store = open(&data, None);
    create(&store).await;
    std::fs::create_dir(&dest).unwrap();
    let refused = |until, to: &Path| {
        let (src, to) = (dest.clone(), to.to_path_buf());
        async move {
            let done = tokio::task::spawn_blocking(move || restore(&src, &to, until, None)).await.unwrap();
            done.unwrap_err().to_string()
        }
    };
    assert!(refused(None, &dir.path().join("a")).await.contains("holds no backup"));
    insert(&store, &[(1, "one")]).await.unwrap();
    store.flush().await.unwrap();
    backup(&store, &dest).await;
    assert!(refused(Some(5), &dir.path().join("a")).await.contains("old enough"));
    assert!(refused(None, &data).await.contains("not empty"));
    let segment = std::fs::read_dir(dest.join("segments")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 4;
    std::fs::write(&segment, bytes).unwrap();
    assert!(refused(None, &dir.path().join("b")).await.contains("checksum"));
}
