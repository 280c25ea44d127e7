//! Serializable transactions: what they have read may not have changed when they commit.

use std::sync::Arc;

use aegis_storage::{Error, Isolation, Store, Transaction};

use crate::fixture::*;

fn serializable(store: &Arc<Store>) -> Transaction {
    store.begin(Isolation::Serializable)
}

async fn store() -> Arc<Store> {
    let store = Store::open_in_memory();
    create(&store).await;
    insert(&store, &[(1, "one"), (2, "two"), (3, "three")]).await.unwrap();
    store
}

fn conflicts(result: Result<u64, Error>) -> bool {
    matches!(result, Err(Error::ReadConflict { table: TABLE }))
}

#[tokio::test]
async fn of_two_that_read_all_rows_one_may_write() {
    let store = store().await;
    let (mut a, mut b, c) = (serializable(&store), serializable(&store), serializable(&store));
    for tx in [&a, &b, &c] {
        assert_eq!(contents(tx).len(), 3);
    }
    update(&mut a, 1, (1, "a")).unwrap();
    update(&mut b, 2, (2, "b")).unwrap();
    a.commit(true).await.unwrap();
    assert!(conflicts(b.commit(true).await));
    // Who has written nothing has run at the moment of its snapshot.
    c.commit(true).await.unwrap();
}

#[tokio::test]
async fn other_keys_may_change() {
    let store = store().await;
    let (mut a, mut b) = (serializable(&store), serializable(&store));
    update(&mut a, 1, (1, "a")).unwrap();
    update(&mut b, 2, (2, "b")).unwrap();
    a.commit(true).await.unwrap();
    b.commit(true).await.unwrap();
}

#[tokio::test]
async fn a_key_that_was_read_stays_and_one_that_was_missing_stays_away() {
    for wanted in [1, 9] {
        let store = store().await;
        let mut tx = serializable(&store);
        address(&tx, wanted);
        tx.insert(TABLE, &rows(&[(7, "seven")])).unwrap();
        let mut other = begin(&store);
        match wanted {
            1 => drop(delete(&mut other, &[1]).unwrap()),
            _ => other.insert(TABLE, &rows(&[(9, "nine")])).unwrap(),
        }
        other.commit(true).await.unwrap();
        assert!(conflicts(tx.commit(true).await), "key {wanted}");
    }
}

#[tokio::test]
async fn what_a_prepared_transaction_has_read_is_held() {
    let store = store().await;
    let mut prepared = serializable(&store);
    assert_eq!(contents(&prepared).len(), 3);
    prepared.insert(TABLE, &rows(&[(4, "four")])).unwrap();
    let held = prepared.hold_reads().unwrap().unwrap();
    let mut other = serializable(&store);
    other.insert(TABLE, &rows(&[(5, "five")])).unwrap();
    assert!(conflicts(other.commit(true).await));
    insert(&store, &[(6, "six")]).await.unwrap();
    drop(held);
    let mut later = serializable(&store);
    later.insert(TABLE, &rows(&[(8, "eight")])).unwrap();
    later.commit(true).await.unwrap();
}
