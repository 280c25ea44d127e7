//! Transactions with more rows than memory should hold: they go to disk before the commit, and nobody else sees them.

use std::path::Path;
use std::sync::Arc;

use aegis_storage::check::check;
use aegis_storage::file::RealDisk;
use aegis_storage::{Config, Error, IndexSchema, Store};

use crate::fixture::*;

fn open(dir: &Path) -> Arc<Store> {
    open_when_free(Config { stage_bytes: 20_000, compaction_background: false, ..Config::new(dir) })
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir.join("segments"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".parquet"))
        .collect();
    names.sort();
    names
}

/// Inserts rows as COPY does.
async fn load(tx: &mut aegis_storage::Transaction, ids: std::ops::Range<i32>) -> Result<(), Error> {
    for start in ids.clone().step_by(100) {
        tx.insert(TABLE, &many(start..ids.end.min(start + 100)))?;
        tx.make_room().await?;
    }
    Ok(())
}

fn ids(contents: &[(i32, String)]) -> Vec<i32> {
    contents.iter().map(|row| row.0).collect()
}

#[tokio::test]
async fn a_large_transaction_is_atomic_and_survives() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    index_names(&store).await;
    insert(&store, &[(-1, "before")]).await.unwrap();
    let mut tx = begin(&store);
    load(&mut tx, 0..5000).await.unwrap();
    assert!(files(dir.path()).len() > 5, "{:?}", files(dir.path()));
    assert_eq!(ids(&contents(&tx)), (-1..5000).collect::<Vec<_>>());
    assert_eq!(read(&store), owned(&[(-1, "before")]));
    // Keys are unique across what is in files and what is not.
    assert!(matches!(tx.insert(TABLE, &many([7])), Err(Error::DuplicateKey { row: Some(0), .. })));
    assert!(matches!(tx.insert(TABLE, &many([4999])), Err(Error::DuplicateKey { .. })));
    delete(&mut tx, &[3, 4998, -1]).unwrap();
    update(&mut tx, 10, (10_000, "moved")).unwrap();
    let point = tx.savepoint();
    load(&mut tx, 5000..8000).await.unwrap();
    delete(&mut tx, &[11, 6000]).unwrap();
    tx.rollback_to(point).unwrap();
    load(&mut tx, 5000..5050).await.unwrap();
    let expected = contents(&tx);
    assert_eq!(expected.len(), 5000 + 50 - 2);
    tx.commit(true).await.unwrap();
    assert_eq!(read(&store), expected);
    // From the log alone, after what looks like a crash.
    drop(store);
    let store = open(dir.path());
    assert_eq!(read(&store), expected);
    let mut tx = begin(&store);
    delete(&mut tx, &[12, 13]).unwrap();
    update(&mut tx, 14, (14, "changed later")).unwrap();
    let expected = contents(&tx);
    tx.commit(true).await.unwrap();
    drop(store);
    let report = check(Arc::new(RealDisk), dir.path()).unwrap();
    assert!(report.damage.is_empty() && report.notes.iter().all(|n| n.contains("catalog.redb")), "{report}");
    let store = open(dir.path());
    assert_eq!(read(&store), expected);
    store.flush().await.unwrap();
    let compacting = store.clone();
    tokio::task::spawn_blocking(move || compacting.compact()).await.unwrap().unwrap();
    assert_eq!(read(&store), expected);
    drop(store);
    let store = open(dir.path());
    assert_eq!(read(&store), expected);
    store.close().await.unwrap();
    drop(store);
    let report = check(Arc::new(RealDisk), dir.path()).unwrap();
    assert!(report.damage.is_empty() && report.notes.is_empty(), "{report}");
}

#[tokio::test]
async fn nothing_stays_of_a_transaction_that_ends_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    let mut tx = begin(&store);
    load(&mut tx, 0..3000).await.unwrap();
    assert!(files(dir.path()).len() > 2);
    tx.commit(true).await.unwrap();
    let kept = read(&store);
    store.flush().await.unwrap();
    let before = files(dir.path());
    for _ in 0..2 {
        let mut tx = begin(&store);
        load(&mut tx, 5000..8000).await.unwrap();
        assert!(files(dir.path()).len() > before.len());
        // Its last chunk may still be written when it ends.
        drop(tx);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        assert_eq!(files(dir.path()), before);
    }
    // A conflict at the end.
    let mut tx = begin(&store);
    load(&mut tx, 5000..8000).await.unwrap();
    insert(&store, &[(7999, "first")]).await.unwrap();
    assert!(matches!(tx.commit(true).await, Err(Error::DuplicateKey { table: TABLE, index: PK, .. })));
    let mut tx = begin(&store);
    load(&mut tx, 5000..7000).await.unwrap();
    delete(&mut tx, &[7999, 5]).unwrap();
    let mut other = begin(&store);
    delete(&mut other, &[5]).unwrap();
    other.commit(true).await.unwrap();
    assert!(matches!(tx.commit(true).await, Err(Error::Conflict { .. })));
    assert_eq!(files(dir.path()), before);
    // A process that dies in the middle.
    let mut tx = begin(&store);
    load(&mut tx, 8000..11_000).await.unwrap();
    std::mem::forget(tx);
    drop(store);
    let copy = tempfile::tempdir().unwrap();
    assert!(
        std::process::Command::new("cp")
            .args(["-r", "--", dir.path().to_str().unwrap()])
            .arg(copy.path().join("data"))
            .status()
            .unwrap()
            .success()
    );
    let copied = copy.path().join("data");
    assert!(files(&copied).len() > before.len());
    let store = open(&copied);
    assert_eq!(files(&copied), before);
    let mut expected = kept;
    expected.retain(|row| row.0 != 5);
    expected.push((7999, "first".into()));
    assert_eq!(read(&store), expected);
}

#[tokio::test]
async fn a_table_is_made_filled_indexed_and_dropped_in_one_transaction_or_two() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut tx = begin(&store);
    tx.create_table(TABLE, aegis_storage::TableSchema { indexes: vec![], ..schema() }).unwrap();
    load(&mut tx, 0..2000).await.unwrap();
    let mut with_index = schema();
    with_index.indexes.push(IndexSchema { unique: false, ..unique(BY_NAME, &[2], false) });
    tx.alter_table(TABLE, schema()).unwrap();
    assert!(matches!(tx.insert(TABLE, &many([1500])), Err(Error::DuplicateKey { .. })));
    load(&mut tx, 2000..4000).await.unwrap();
    assert!(matches!(tx.insert(TABLE, &many([2100])), Err(Error::DuplicateKey { .. })));
    assert!(matches!(tx.insert(TABLE, &many([3999])), Err(Error::DuplicateKey { .. })));
    assert_eq!(ids(&contents(&tx)), (0..4000).collect::<Vec<_>>());
    tx.commit(true).await.unwrap();
    assert_eq!(ids(&read(&store)), (0..4000).collect::<Vec<_>>());
    let mut tx = begin(&store);
    tx.alter_table(TABLE, with_index).unwrap();
    tx.commit(true).await.unwrap();
    assert_eq!(ids(&read(&store)), (0..4000).collect::<Vec<_>>());
    let mut tx = begin(&store);
    tx.drop_table(TABLE).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(files(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn changes_in_files_are_prepared_for_two_phases() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    let mut tx = begin(&store);
    load(&mut tx, 0..3000).await.unwrap();
    delete(&mut tx, &[5]).unwrap();
    let expected = contents(&tx);
    let bytes = tx.encode_changes().unwrap();
    drop(tx);
    drop(store);
    let store = open(dir.path());
    let mut tx = begin(&store);
    tx.apply_changes(&bytes).unwrap();
    tx.commit(true).await.unwrap();
    assert_eq!(read(&store), expected);
}
