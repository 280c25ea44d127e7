//! A disk that loses power, fails or fills up at any step: what was acknowledged stays, nothing half-done appears.

use std::path::Path;
use std::sync::Arc;

use aegis_storage::file::simulated::{Faults, SimulatedDisk};
use aegis_storage::{ColumnRange, Config, Error, Store, TableSchema};

use crate::fixture::*;

type Rows = Vec<(i32, String)>;

/// Of the hundreds of steps that can fail, the quick tests try each of these; the ignored ones try all.
const STRIDE: usize = 7;

fn config(disk: &SimulatedDisk) -> Config {
    Config {
        wal_segment_bytes: 4096,
        stage_bytes: 1,
        compaction_background: false,
        disk: Arc::new(disk.clone()),
        ..Config::new("/data")
    }
}

/// What may be there afterwards: the rows (None: no table) and the counter, as acknowledged and as last attempted.
#[derive(Debug, Clone, Default, PartialEq)]
struct Contents {
    rows: Option<Rows>,
    counter: Option<i64>,
}

fn contents_of(store: &Arc<Store>) -> Contents {
    let tx = begin(store);
    let rows = tx.table_schema(TABLE).is_ok().then(|| contents(&tx));
    Contents { rows, counter: store.counter(1) }
}

#[derive(Debug, Default)]
struct Outcome {
    acknowledged: Contents,
    attempted: Contents,
    error: Option<Error>,
}

/// Commits of all kinds with flushes in between, until something fails.
async fn work(disk: &SimulatedDisk) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(error) = try_work(disk, &mut outcome).await {
        outcome.error = Some(error);
    }
    outcome
}

async fn try_work(disk: &SimulatedDisk, outcome: &mut Outcome) -> Result<(), Error> {
    let store = Store::open(config(disk))?;
    let mut tx = begin(&store);
    tx.create_table(TABLE, schema())?;
    outcome.attempted.rows = Some(vec![]);
    tx.commit(true).await?;
    outcome.acknowledged = outcome.attempted.clone();
    for step in 0..9 {
        let mut tx = begin(&store);
        let base = step * 10;
        tx.insert(TABLE, &many(base..base + 10))?;
        if step > 0 {
            update(&mut tx, base - 9, (base - 9, "updated"))?;
            delete(&mut tx, &[base - 8])?;
        }
        if step > 1 {
            let from = i64::from(base) - 15;
            tx.delete_range(TABLE, ColumnRange { column: 1, from, until: from + 3 })?;
        }
        if step == 4 {
            tx.insert(TABLE, &many(1000..1300))?;
        }
        if step % 4 == 2 {
            tx.make_room().await?;
            tx.insert(TABLE, &many(2000 + base..2003 + base))?;
        }
        outcome.attempted.rows = Some(contents(&tx));
        tx.commit(true).await?;
        outcome.acknowledged = outcome.attempted.clone();
        if step % 3 == 1 {
            outcome.attempted.counter = Some(i64::from(step));
            store.counter_reserve(1, i64::from(step)).await?;
            outcome.acknowledged = outcome.attempted.clone();
        }
        if step % 3 == 2 {
            store.flush().await?;
            let compacting = store.clone();
            tokio::task::spawn_blocking(move || compacting.compact()).await.unwrap()?;
        }
    }
    store.close().await
}

/// Opens what is left and checks it; then the store must be good for more.
async fn check(disk: &SimulatedDisk, outcome: &Outcome, what: &str) {
    let store = Store::open(config(disk)).unwrap_or_else(|e| panic!("{what}: {e} after {outcome:?}"));
    let found = contents_of(&store);
    let parts = found == outcome.acknowledged || found == outcome.attempted;
    assert!(parts, "{what}: found {found:?}, {:?} was acknowledged", outcome.acknowledged);
    if found.rows.is_none() {
        create(&store).await;
    }
    insert(&store, &[(-5, "after")]).await.unwrap();
    store.flush().await.unwrap();
    let expected = contents_of(&store);
    drop(store);
    let store = Store::open(config(disk)).unwrap();
    assert_eq!(contents_of(&store), expected, "{what}");
}

async fn cut_power(steps: impl Fn(u64) -> Vec<u64>) {
    let whole = SimulatedDisk::default();
    let outcome = work(&whole).await;
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let operations = whole.operations();
    assert!(operations > 100, "{operations}");
    for cut in steps(operations) {
        let disk = SimulatedDisk::default();
        disk.set_faults(Faults { cut_at: Some(cut), ..Faults::default() });
        let outcome = work(&disk).await;
        check(&disk.after_power_cut(cut), &outcome, &format!("cut at {cut} of {operations}")).await;
    }
}

async fn fail_once(steps: impl Fn(u64) -> Vec<u64>) {
    let whole = SimulatedDisk::default();
    work(&whole).await;
    for fail in steps(whole.operations()) {
        let disk = SimulatedDisk::default();
        disk.set_faults(Faults { fail_at: Some(fail), ..Faults::default() });
        let outcome = work(&disk).await;
        check(&disk.after_power_cut(!fail), &outcome, &format!("failure at {fail}")).await;
    }
}

#[tokio::test]
async fn a_power_cut_loses_nothing_acknowledged() {
    cut_power(|n| (0..n).step_by(STRIDE).collect()).await;
}

#[tokio::test]
async fn an_error_stops_the_store_or_is_reported_and_loses_nothing() {
    fail_once(|n| (0..n).step_by(STRIDE).collect()).await;
}

#[tokio::test]
#[ignore = "a minute long"]
async fn a_power_cut_at_any_step_loses_nothing_acknowledged() {
    cut_power(|n| (0..n).collect()).await;
}

#[tokio::test]
#[ignore = "a minute long"]
async fn an_error_at_any_step_stops_the_store_or_is_reported_and_loses_nothing() {
    fail_once(|n| (0..n).collect()).await;
}

#[tokio::test]
async fn a_failed_sync_is_never_tried_again() {
    let disk = SimulatedDisk::default();
    let store = Store::open(config(&disk)).unwrap();
    create(&store).await;
    // The next commit is one write, then one sync.
    disk.set_faults(Faults { fail_at: Some(disk.operations() + 1), ..Faults::default() });
    let error = insert(&store, &[(1, "lost")]).await.unwrap_err();
    assert!(matches!(&error, Error::Stopped(_)), "{error}");
    assert!(store.wait_stopped().await.contains("simulated"));
    assert_eq!(read(&store), []);
    assert!(matches!(insert(&store, &[(2, "refused")]).await, Err(Error::Stopped(_))));
    assert!(matches!(store.counter_reserve(1, 1).await, Err(Error::Stopped(_))));
    assert!(matches!(store.flush().await, Err(Error::Stopped(_))));
}

#[tokio::test]
async fn a_full_disk_fails_statements_and_work_goes_on_when_space_returns() {
    for capacity in (20_000..160_000).step_by(7919) {
        let disk = SimulatedDisk::default();
        let store = Store::open(config(&disk)).unwrap();
        create(&store).await;
        disk.set_faults(Faults { capacity: Some(capacity), ..Faults::default() });
        let mut expected = Vec::new();
        for i in 0..60 {
            let mut tx = begin(&store);
            tx.insert(TABLE, &many(i * 100..i * 100 + 20)).unwrap();
            let after = contents(&tx);
            match tx.commit(true).await {
                Ok(_) => expected = after,
                Err(Error::DiskFull(_)) => break,
                Err(error) => panic!("{error} at capacity {capacity}"),
            }
            if i % 10 == 9 {
                let compacting = store.clone();
                let compact = || async { tokio::task::spawn_blocking(move || compacting.compact()).await.unwrap() };
                match store.flush().await.and(compact().await) {
                    Ok(()) | Err(Error::DiskFull(_)) => {}
                    Err(error) => panic!("{error} at capacity {capacity}"),
                }
            }
        }
        assert_eq!(read(&store), expected);
        assert_eq!(store.stopped(), None);
        disk.set_faults(Faults::default());
        insert(&store, &[(-1, "space again")]).await.unwrap();
        store.flush().await.unwrap();
        expected.insert(0, (-1, "space again".into()));
        assert_eq!(read(&store), expected);
        drop(store);
        let store = Store::open(config(&disk.after_power_cut(capacity))).unwrap();
        assert_eq!(read(&store), expected);
    }
}

#[tokio::test]
async fn a_dropped_table_frees_a_full_disk_at_once() {
    const OTHER: u64 = TABLE + 100;
    let disk = SimulatedDisk::default();
    let store = Store::open(config(&disk)).unwrap();
    create(&store).await;
    let mut tx = begin(&store);
    let other = TableSchema { indexes: vec![unique(PK + 100, &[1], true)], ..schema() };
    tx.create_table(OTHER, other).unwrap();
    tx.insert(OTHER, &many(0..3000)).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    let full = disk.used() + 3000;
    disk.set_faults(Faults { capacity: Some(full), ..Faults::default() });
    let mut expected = Vec::new();
    for i in 0.. {
        let mut tx = begin(&store);
        tx.insert(TABLE, &many(i * 10..i * 10 + 10)).unwrap();
        let mut old = begin(&store);
        let row = old.scan(OTHER).unwrap().segments[0].first_address + i as u64;
        old.delete(OTHER, &vec![row].into()).unwrap();
        let (after, kept) = (contents(&tx), tx.commit(true).await.is_ok());
        if kept {
            expected = after;
        }
        if !kept || old.commit(true).await.is_err() || store.flush().await.is_err() {
            break;
        }
    }
    // What it takes to say so fits into the log's file.
    let mut tx = begin(&store);
    tx.drop_table(OTHER).unwrap();
    disk.set_faults(Faults { capacity: Some(full + 10_000), ..Faults::default() });
    tx.commit(true).await.unwrap();
    let left = |disk: &SimulatedDisk| {
        let names = aegis_storage::file::Disk::list(disk, Path::new("/data/segments")).unwrap();
        names.iter().filter(|n| n.starts_with(&format!("{OTHER}-"))).count()
    };
    for _ in 0..500 {
        if left(&disk) == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(left(&disk), 0);
    insert(&store, &[(-1, "space again")]).await.unwrap();
    expected.insert(0, (-1, "space again".into()));
    for seed in 0..5 {
        let store = Store::open(config(&disk.after_power_cut(seed))).unwrap();
        assert_eq!(read(&store), expected);
        assert!(matches!(begin(&store).scan(OTHER), Err(Error::NoTable(OTHER))));
    }
    store.flush().await.unwrap();
    assert_eq!(read(&Store::open(config(&disk.after_power_cut(9))).unwrap()), expected);
}

#[tokio::test]
async fn damage_is_named_and_refused() {
    let prepared = || async {
        let disk = SimulatedDisk::default();
        let store = Store::open(config(&disk)).unwrap();
        create(&store).await;
        let mut tx = begin(&store);
        tx.insert(TABLE, &many(0..2000)).unwrap();
        tx.commit(true).await.unwrap();
        store.flush().await.unwrap();
        let mut tx = begin(&store);
        delete(&mut tx, &[5]).unwrap();
        tx.commit(true).await.unwrap();
        store.flush().await.unwrap();
        insert(&store, &[(-1, "in the log"), (-2, "too")]).await.unwrap();
        insert(&store, &[(-3, "in the log")]).await.unwrap();
        drop(store);
        disk
    };
    let files = |disk: &SimulatedDisk, dir: &str, suffix: &str| -> Vec<std::path::PathBuf> {
        use aegis_storage::file::Disk;
        let names = disk.list(Path::new(dir)).unwrap();
        names.iter().filter(|n| n.ends_with(suffix)).map(|n| Path::new(dir).join(n)).collect()
    };
    for (dir, suffix) in [("/data/wal", ".wal"), ("/data/segments", ".deletes"), ("/data/segments", ".parquet")] {
        let disk = prepared().await;
        let path = files(&disk, dir, suffix)[0].clone();
        disk.damage(&path, |bytes| {
            let at = if suffix == ".wal" { 64 + 80 } else { bytes.len() / 2 };
            bytes[at] ^= 0x40;
            if suffix == ".parquet" {
                bytes.truncate(at);
            }
        });
        let error = Store::open(config(&disk)).map(|_| ()).unwrap_err();
        assert!(matches!(&error, Error::Corrupt(_)), "{suffix}: {error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert!(error.to_string().contains("backup"), "{error}");
    }
    let disk = prepared().await;
    let path = files(&disk, "/data/segments", ".keys")[0].clone();
    disk.damage(&path, |bytes| {
        let at = bytes.len() - 3;
        bytes[at] ^= 1;
    });
    let store = Store::open(config(&disk)).unwrap();
    assert_eq!(read(&store).len(), 2002, "a key file is derived and built anew");
}
