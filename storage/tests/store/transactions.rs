//! Isolation, conflicts, keys, savepoints and schema changes, without a disk.

use std::sync::Arc;

use aegis_storage::{ColumnSchema, Error, IndexSchema, Isolation, Store, TableSchema};
use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch};
use arrow::datatypes::{DataType, Int32Type};

use crate::fixture::*;

async fn store() -> Arc<Store> {
    let store = Store::open_in_memory();
    create(&store).await;
    store
}

#[tokio::test]
async fn commits_are_seen_by_later_snapshots_only() {
    let store = store().await;
    let before = begin(&store);
    insert(&store, &[(2, "two"), (1, "one")]).await.unwrap();
    assert_eq!(contents(&before), []);
    let mut tx = begin(&store);
    update(&mut tx, 1, (1, "uno")).unwrap();
    delete(&mut tx, &[2]).unwrap();
    tx.insert(TABLE, &rows(&[(3, "three")])).unwrap();
    assert_eq!(contents(&tx), owned(&[(1, "uno"), (3, "three")]));
    assert_eq!(read(&store), owned(&[(1, "one"), (2, "two")]));
    tx.commit(true).await.unwrap();
    assert_eq!(read(&store), owned(&[(1, "uno"), (3, "three")]));
    assert_eq!(contents(&before), []);
}

#[tokio::test]
async fn first_committer_wins() {
    let store = store().await;
    insert(&store, &[(1, "one"), (2, "two")]).await.unwrap();
    let (mut a, mut b, mut c) = (begin(&store), begin(&store), begin(&store));
    update(&mut a, 1, (1, "a")).unwrap();
    update(&mut b, 1, (1, "b")).unwrap();
    let row = addresses(&c, &[1]);
    c.lock(TABLE, &row).unwrap();
    let mut d = begin(&store);
    update(&mut d, 2, (2, "d")).unwrap();
    a.commit(true).await.unwrap();
    assert!(matches!(b.commit(true).await, Err(Error::Conflict { table: TABLE })));
    assert!(matches!(c.commit(true).await, Err(Error::Conflict { table: TABLE })));
    d.commit(true).await.unwrap();
    assert_eq!(read(&store), owned(&[(1, "a"), (2, "d")]));
}

#[tokio::test]
async fn unique_keys_hold_within_a_batch_a_transaction_and_between_transactions() {
    let store = store().await;
    insert(&store, &[(1, "one")]).await.unwrap();
    let mut tx = begin(&store);
    let error = tx.insert(TABLE, &rows(&[(5, "five"), (1, "again")])).unwrap_err();
    let Error::DuplicateKey { table: TABLE, index: PK, row: Some(1), key: Some(key) } = error else {
        panic!("{error:?}")
    };
    assert_eq!(key.column(0).as_primitive::<Int32Type>().value(0), 1);
    assert!(matches!(tx.insert(TABLE, &rows(&[(7, ""), (7, "")])), Err(Error::DuplicateKey { row: Some(1), .. })));
    tx.insert(TABLE, &rows(&[(5, "five")])).unwrap();
    assert!(matches!(tx.insert(TABLE, &rows(&[(5, "")])), Err(Error::DuplicateKey { .. })));
    delete(&mut tx, &[5, 1]).unwrap();
    tx.insert(TABLE, &rows(&[(5, "five"), (1, "uno")])).unwrap();
    let mut other = begin(&store);
    other.insert(TABLE, &rows(&[(5, "other")])).unwrap();
    tx.commit(true).await.unwrap();
    assert!(matches!(other.commit(true).await, Err(Error::DuplicateKey { index: PK, .. })));
    assert_eq!(read(&store), owned(&[(1, "uno"), (5, "five")]));
}

#[tokio::test]
async fn an_update_may_swap_keys() {
    let store = store().await;
    insert(&store, &[(1, "a"), (2, "b")]).await.unwrap();
    let mut tx = begin(&store);
    let both = addresses(&tx, &[1, 2]);
    tx.update(TABLE, &both, &rows(&[(2, "a"), (1, "b")])).unwrap();
    let both = addresses(&tx, &[1, 2]);
    assert!(matches!(tx.update(TABLE, &both, &rows(&[(3, "x"), (3, "y")])), Err(Error::DuplicateKey { .. })));
    assert_eq!(contents(&tx), owned(&[(1, "b"), (2, "a")]));
    tx.commit(true).await.unwrap();
    assert_eq!(read(&store), owned(&[(1, "b"), (2, "a")]));
}

#[tokio::test]
async fn savepoints_undo_exactly() {
    let store = store().await;
    insert(&store, &[(1, "one"), (2, "two")]).await.unwrap();
    let mut tx = begin(&store);
    tx.insert(TABLE, &rows(&[(3, "three")])).unwrap();
    let outer = tx.savepoint();
    delete(&mut tx, &[1, 3]).unwrap();
    let inner = tx.savepoint();
    tx.insert(TABLE, &many(10..5000)).unwrap();
    update(&mut tx, 2, (1, "two as one")).unwrap();
    tx.drop_table(TABLE).unwrap();
    assert!(matches!(tx.scan(TABLE), Err(Error::NoTable(TABLE))));
    tx.rollback_to(inner).unwrap();
    assert_eq!(contents(&tx), owned(&[(2, "two")]));
    tx.insert(TABLE, &rows(&[(3, "drei"), (10, "ten")])).unwrap();
    assert_eq!(contents(&tx), owned(&[(2, "two"), (3, "drei"), (10, "ten")]));
    tx.rollback_to(outer).unwrap();
    assert_eq!(contents(&tx), owned(&[(1, "one"), (2, "two"), (3, "three")]));
    tx.commit(true).await.unwrap();
    assert_eq!(read(&store), owned(&[(1, "one"), (2, "two"), (3, "three")]));
}

#[tokio::test]
async fn read_committed_moves_on_and_keeps_its_own() {
    let store = store().await;
    insert(&store, &[(1, "one")]).await.unwrap();
    let mut tx = store.begin(Isolation::ReadCommitted);
    delete(&mut tx, &[1]).unwrap();
    tx.insert(TABLE, &rows(&[(9, "mine")])).unwrap();
    insert(&store, &[(2, "two")]).await.unwrap();
    assert_eq!(contents(&tx), owned(&[(9, "mine")]));
    tx.refresh().unwrap();
    assert_eq!(contents(&tx), owned(&[(2, "two"), (9, "mine")]));
    assert!(matches!(tx.insert(TABLE, &rows(&[(2, "")])), Err(Error::DuplicateKey { .. })));
    insert(&store, &[(9, "theirs")]).await.unwrap();
    assert!(matches!(tx.commit(true).await, Err(Error::DuplicateKey { .. })));
}

#[tokio::test]
async fn schema_changes_are_transactional() {
    let store = store().await;
    insert(&store, &[(1, "one")]).await.unwrap();
    let mut tx = begin(&store);
    let five: ArrayRef = Arc::new(Int32Array::from(vec![5]));
    let mut wider = schema();
    wider.columns.insert(
        0,
        ColumnSchema { missing: Some(ColumnSchema::encode_missing(&five).unwrap()), ..column(3, "n", DataType::Int32) },
    );
    wider.columns.remove(2);
    tx.alter_table(TABLE, wider.clone()).unwrap();
    let batch = RecordBatch::try_new(
        wider.to_arrow(),
        vec![Arc::new(Int32Array::from(vec![6])), Arc::new(Int32Array::from(vec![2]))],
    );
    tx.insert(TABLE, &batch.unwrap()).unwrap();
    assert_eq!(read(&store), owned(&[(1, "one")]));
    let mut late = begin(&store);
    late.insert(TABLE, &rows(&[(3, "three")])).unwrap();
    tx.commit(true).await.unwrap();
    assert!(matches!(late.commit(true).await, Err(Error::Conflict { .. })));
    let tx = begin(&store);
    let batches = tx.scan(TABLE).unwrap().read(None, false).unwrap();
    let pairs: Vec<(i32, i32)> = batches
        .iter()
        .flat_map(|b| {
            let (n, id) = (b.column(0).as_primitive::<Int32Type>(), b.column(1).as_primitive::<Int32Type>());
            n.values().iter().copied().zip(id.values().iter().copied()).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(pairs, [(5, 1), (6, 2)]);
    drop(tx);
    let mut tx = begin(&store);
    tx.drop_table(TABLE).unwrap();
    tx.commit(true).await.unwrap();
    assert!(matches!(begin(&store).scan(TABLE), Err(Error::NoTable(TABLE))));
}

#[tokio::test]
async fn a_new_unique_index_is_checked_and_then_enforced() {
    let store = store().await;
    insert(&store, &[(1, "same"), (2, "same")]).await.unwrap();
    let with_name = TableSchema { indexes: vec![unique(PK, &[1], true), unique(77, &[2], false)], ..schema() };
    let mut tx = begin(&store);
    assert!(matches!(tx.alter_table(TABLE, with_name.clone()), Err(Error::DuplicateKey { index: 77, .. })));
    update(&mut tx, 2, (2, "other")).unwrap();
    tx.alter_table(TABLE, with_name).unwrap();
    assert!(matches!(tx.insert(TABLE, &rows(&[(3, "same")])), Err(Error::DuplicateKey { index: 77, .. })));
    tx.insert(TABLE, &rows(&[(3, "third")])).unwrap();
    tx.commit(true).await.unwrap();
    for name in ["same", "other", "third"] {
        assert!(matches!(insert(&store, &[(4, name)]).await, Err(Error::DuplicateKey { index: 77, .. })), "{name}");
    }
    insert(&store, &[(4, "fourth")]).await.unwrap();
}

#[tokio::test]
async fn counters_and_empty_commits() {
    let store = store().await;
    assert_eq!(store.counter(5), None);
    store.counter_reserve(5, 32).await.unwrap();
    assert_eq!(store.counter(5), Some(32));
    store.counter_remove(5).await.unwrap();
    assert_eq!(store.counter(5), None);
    let tx = begin(&store);
    let snapshot = tx.snapshot();
    assert!(!tx.has_writes());
    assert_eq!(tx.commit(true).await.unwrap(), snapshot);
}

#[tokio::test]
async fn a_hot_row_stays_cheap() {
    let store = store().await;
    insert(&store, &[(1, "0")]).await.unwrap();
    for i in 0..3000 {
        let mut tx = begin(&store);
        update(&mut tx, 1, (1, &i.to_string())).unwrap();
        tx.commit(true).await.unwrap();
    }
    assert_eq!(read(&store), owned(&[(1, "2999")]));
}

/// A deferrable key may be broken within a transaction, which can see all rows with it; what others commit is looked at all the same.
#[tokio::test]
async fn a_deferrable_key_waits_for_who_asks() {
    let store = Store::open_in_memory();
    let key = IndexSchema { deferrable: true, ..unique(PK, &[1], false) };
    let mut tx = begin(&store);
    tx.create_table(TABLE, TableSchema { indexes: vec![key], ..schema() }).unwrap();
    tx.commit(true).await.unwrap();
    let mut tx = begin(&store);
    tx.insert(TABLE, &rows(&[(1, "a"), (1, "b")])).unwrap();
    tx.insert(TABLE, &rows(&[(1, "c"), (2, "d")])).unwrap();
    let keys = rows(&[(1, ""), (2, ""), (3, "")]).project(&[0]).unwrap();
    let found = tx.lookup_all(TABLE, PK, &keys).unwrap().unwrap();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [3, 1, 0]);
    let mut other = begin(&store);
    other.insert(TABLE, &rows(&[(2, "e")])).unwrap();
    tx.commit(true).await.unwrap();
    assert!(matches!(other.commit(true).await, Err(Error::DuplicateKey { .. })));
}
