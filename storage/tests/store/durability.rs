//! What was committed is there after a start, in whatever form it is on disk.

use std::path::Path;
use std::sync::Arc;

use aegis_storage::{ColumnRange, ColumnSchema, Config, Error, IndexSchema, Store, TableSchema};
use arrow::array::*;
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::*;

use crate::fixture::*;

fn config(dir: &Path) -> Config {
    Config { wal_segment_bytes: 64 << 10, compaction_background: false, ..Config::new(dir) }
}

fn open(dir: &Path) -> Arc<Store> {
    Store::open(config(dir)).unwrap()
}

fn segment_files(dir: &Path, suffix: &str) -> usize {
    let names = std::fs::read_dir(dir.join("segments")).unwrap();
    names.filter(|n| n.as_ref().unwrap().file_name().to_string_lossy().ends_with(suffix)).count()
}

#[tokio::test]
async fn commits_survive_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let node = store.node();
    create(&store).await;
    insert(&store, &[(1, "one"), (2, "two"), (3, "three")]).await.unwrap();
    let mut tx = begin(&store);
    update(&mut tx, 1, (1, "uno")).unwrap();
    delete(&mut tx, &[2]).unwrap();
    let ts = tx.commit(false).await.unwrap();
    store.counter_reserve(7, 320).await.unwrap();
    let mut big = begin(&store);
    big.insert(TABLE, &many(100..9000)).unwrap();
    big.commit(true).await.unwrap();
    let expected = read(&store);
    assert_eq!(expected.len(), 8902);
    drop(store);
    let store = open(dir.path());
    assert_eq!(read(&store), expected);
    assert_eq!((store.counter(7), store.node()), (Some(320), node));
    assert!(begin(&store).snapshot() > ts);
    assert!(matches!(insert(&store, &[(1, "again")]).await, Err(Error::DuplicateKey { .. })));
    insert(&store, &[(2, "zwei")]).await.unwrap();
}

#[tokio::test]
async fn a_second_process_is_kept_out() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = Store::open(config(dir.path())).unwrap_err();
    assert!(matches!(error, Error::Locked { holder: Some(pid), .. } if pid == std::process::id()), "{error}");
    drop(store);
    open(dir.path());
}

#[tokio::test]
async fn flushed_rows_are_read_changed_and_recovered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    let mut tx = begin(&store);
    tx.insert(TABLE, &many((0..10_000).rev())).unwrap();
    tx.commit(true).await.unwrap();
    insert(&store, &[(20_000, "late"), (20_001, "later")]).await.unwrap();
    let before_flush = begin(&store);
    store.flush().await.unwrap();
    assert_eq!(store.memtable_bytes(), 0);
    assert_eq!((segment_files(dir.path(), ".parquet"), segment_files(dir.path(), ".keys")), (1, 1));
    assert_eq!(read(&store).len(), 10_002);
    assert_eq!(contents(&before_flush), read(&store));
    drop(before_flush);
    for round in 0..3 {
        let mut tx = begin(&store);
        delete(&mut tx, &[round * 10, round * 10 + 1]).unwrap();
        update(&mut tx, 20_000, (20_000, &format!("round {round}"))).unwrap();
        update(&mut tx, 5000 + round, (30_000 + round, "moved")).unwrap();
        assert!(matches!(tx.insert(TABLE, &rows(&[(7000, "")])), Err(Error::DuplicateKey { .. })));
        tx.commit(true).await.unwrap();
        let expected = read(&store);
        assert_eq!(expected.len(), 10_000 - 2 * round as usize);
        if round == 1 {
            store.flush().await.unwrap();
            assert_eq!(read(&store), expected);
        }
    }
    let expected = read(&store);
    drop(store);
    let store = open(dir.path());
    assert_eq!(read(&store), expected);
    let mut tx = begin(&store);
    update(&mut tx, 30_002, (2, "back")).unwrap_err();
    update(&mut tx, 30_002, (20, "back")).unwrap();
    tx.commit(true).await.unwrap();
    let expected = read(&store);
    store.close().await.unwrap();
    assert!(matches!(insert(&store, &[(1, "")]).await, Err(Error::Stopped(_))));
    assert_eq!(read(&store), expected);
    drop(store);
    assert_eq!(read(&open(dir.path())), expected);
}

#[tokio::test]
async fn open_transactions_follow_rows_through_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    insert(&store, &[(3, "c"), (1, "a"), (2, "b"), (4, "d")]).await.unwrap();
    let mut deleting = begin(&store);
    delete(&mut deleting, &[2]).unwrap();
    let mut late = begin(&store);
    delete(&mut late, &[4]).unwrap();
    let mut refreshed = store.begin(aegis_storage::Isolation::ReadCommitted);
    delete(&mut refreshed, &[1]).unwrap();
    let savepoint = refreshed.savepoint();
    delete(&mut refreshed, &[3]).unwrap();
    store.flush().await.unwrap();
    deleting.commit(true).await.unwrap();
    assert_eq!(read(&store), owned(&[(1, "a"), (3, "c"), (4, "d")]));
    let mut winner = begin(&store);
    update(&mut winner, 4, (4, "D")).unwrap();
    winner.commit(true).await.unwrap();
    store.flush().await.unwrap();
    assert!(matches!(late.commit(true).await, Err(Error::Conflict { .. })));
    refreshed.refresh().unwrap();
    assert_eq!(contents(&refreshed), owned(&[(4, "D")]));
    refreshed.rollback_to(savepoint).unwrap();
    assert_eq!(contents(&refreshed), owned(&[(3, "c"), (4, "D")]));
    refreshed.commit(true).await.unwrap();
    assert_eq!(read(&store), owned(&[(3, "c"), (4, "D")]));
}

#[tokio::test]
async fn small_segments_are_merged_and_files_follow_the_manifest() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    for i in 0..40 {
        insert(&store, &[(i, "x")]).await.unwrap();
        store.flush().await.unwrap();
    }
    let files = segment_files(dir.path(), ".parquet");
    assert!(files <= 8, "{files} segments");
    let mut tx = begin(&store);
    delete(&mut tx, &(0..39).collect::<Vec<_>>()).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(read(&store), owned(&[(39, "x")]));
    let reader = begin(&store);
    let mut tx = begin(&store);
    tx.drop_table(TABLE).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    assert_eq!(contents(&reader), owned(&[(39, "x")]));
    drop(reader);
    assert_eq!(segment_files(dir.path(), ""), 0);
    std::fs::write(dir.path().join("segments/5-7.parquet"), "left over").unwrap();
    drop(store);
    let store = open(dir.path());
    assert_eq!(segment_files(dir.path(), ""), 0);
    assert!(matches!(begin(&store).scan(TABLE), Err(Error::NoTable(_))));
}

#[tokio::test]
async fn a_few_rows_that_change_all_the_time_are_not_flushed_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { wal_segment_bytes: 4 << 20, ..config(dir.path()) };
    let store = Store::open(config).unwrap();
    create(&store).await;
    insert(&store, &[(1, "one"), (2, "two")]).await.unwrap();
    store.flush().await.unwrap();
    for turn in 0..50 {
        let mut tx = begin(&store);
        update(&mut tx, 1, (1, &format!("one {turn}"))).unwrap();
        update(&mut tx, 2, (2, &format!("two {turn}"))).unwrap();
        tx.commit(true).await.unwrap();
    }
    // A flush would have emptied it.
    let bytes = store.memtable_bytes();
    assert!(bytes > 0);
    assert_eq!(segment_files(dir.path(), ".parquet"), 1, "{bytes} bytes in memory");
    assert_eq!(read(&store), [(1, "one 49".to_owned()), (2, "two 49".to_owned())]);
}

#[tokio::test]
async fn columns_and_keys_added_later_cover_old_segments() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    insert(&store, &[(1, "one"), (2, "two")]).await.unwrap();
    store.flush().await.unwrap();
    let seven: ArrayRef = Arc::new(Int64Array::from(vec![7]));
    let mut wider = TableSchema { indexes: vec![unique(PK, &[1], true), unique(90, &[2], false)], ..schema() };
    let missing = Some(ColumnSchema::encode_missing(&seven).unwrap());
    wider.columns.push(ColumnSchema { missing, ..column(3, "n", DataType::Int64) });
    let mut tx = begin(&store);
    tx.alter_table(TABLE, wider.clone()).unwrap();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![8]));
    let mut columns = rows(&[(3, "three")]).columns().to_vec();
    columns.push(numbers);
    tx.insert(TABLE, &RecordBatch::try_new(wider.to_arrow(), columns).unwrap()).unwrap();
    tx.commit(true).await.unwrap();
    for _ in 0..2 {
        let tx = begin(&store);
        let batches = tx.scan(TABLE).unwrap().read(Some(&[0, 2]), false).unwrap();
        let mut pairs = Vec::new();
        for batch in &batches {
            let (a, b) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_primitive::<Int64Type>());
            pairs.extend(a.values().iter().zip(b.values()).map(|(a, b)| (*a, *b)));
        }
        pairs.sort();
        assert_eq!(pairs, [(1, 7), (2, 7), (3, 8)]);
        let names: ArrayRef = Arc::new(StringViewArray::from(vec!["two", "three", "four"]));
        let keys = RecordBatch::try_from_iter([("name", names)]).unwrap();
        let found = tx.lookup(TABLE, 90, &keys).unwrap();
        assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [true, true, false]);
        drop(tx);
        store.flush().await.unwrap();
    }
    drop(store);
    assert_eq!(begin(&open(dir.path())).scan(TABLE).unwrap().row_count, Some(3));
}

#[tokio::test]
async fn an_index_finds_every_row_with_a_key() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    let named =
        |ids: std::ops::Range<i32>| -> Vec<(i32, String)> { ids.map(|i| (i, format!("name {}", i % 7))).collect() };
    let insert_named = |tx: &mut aegis_storage::Transaction, ids| {
        let values: Vec<(i32, String)> = named(ids);
        tx.insert(TABLE, &rows(&values.iter().map(|(i, s)| (*i, s.as_str())).collect::<Vec<_>>())).unwrap();
    };
    let mut tx = begin(&store);
    insert_named(&mut tx, 0..5000);
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    let mut tx = begin(&store);
    insert_named(&mut tx, 5000..6000);
    tx.commit(true).await.unwrap();
    let keys: ArrayRef = Arc::new(StringViewArray::from(vec![Some("name 3"), Some("nobody"), None, Some("name 6")]));
    let keys = RecordBatch::try_from_iter_with_nullable([("name", keys, true)]).unwrap();
    let ids = |tx: &aegis_storage::Transaction| -> Vec<Vec<i32>> {
        let found = tx.lookup_all(TABLE, BY_NAME, &keys).unwrap().unwrap();
        let fetch = |rows: Vec<u64>| {
            let mut ids = tx.fetch(TABLE, &rows, &[0]).unwrap().column(0).as_primitive::<Int32Type>().values().to_vec();
            ids.sort();
            ids
        };
        found.into_iter().map(fetch).collect()
    };
    let expected = |until: i32, dead: &[i32]| -> Vec<Vec<i32>> {
        let of = |rest: i32| (0..until).filter(|i| i % 7 == rest && !dead.contains(i)).collect();
        vec![of(3), vec![], vec![], of(6)]
    };
    let mut creating = begin(&store);
    let mut with_index = schema();
    with_index.indexes.push(IndexSchema { unique: false, ..unique(BY_NAME, &[2], false) });
    creating.alter_table(TABLE, with_index).unwrap();
    assert!(creating.lookup_all(TABLE, BY_NAME, &keys).unwrap().is_none());
    creating.commit(true).await.unwrap();
    assert_eq!(ids(&begin(&store)), expected(6000, &[]));
    let mut tx = begin(&store);
    insert_named(&mut tx, 6000..6100);
    delete(&mut tx, &[3, 5009 - 5009 % 7 + 6, 6005]).unwrap();
    let dead = [3, 5009 - 5009 % 7 + 6, 6005];
    assert_eq!(ids(&tx), expected(6100, &dead));
    assert_eq!(ids(&begin(&store)), expected(6000, &[]));
    tx.commit(true).await.unwrap();
    let before = begin(&store);
    store.flush().await.unwrap();
    assert_eq!(ids(&before), expected(6100, &dead));
    assert_eq!(ids(&begin(&store)), expected(6100, &dead));
    drop(before);
    drop(store);
    let store = open(dir.path());
    assert_eq!(ids(&begin(&store)), expected(6100, &dead));
}

/// One column of each Arrow type that the catalog stores.
fn every_type() -> Vec<ArrayRef> {
    let list = |values: ArrayRef| -> ArrayRef {
        let item = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Arc::new(ListArray::new(
            item,
            OffsetBuffer::from_lengths([2, 0, 1]),
            values,
            Some(vec![true, false, true].into()),
        ))
    };
    let interval = IntervalMonthDayNanoType::make_value;
    let intervals = IntervalMonthDayNanoArray::from(vec![Some(interval(1, -2, 3000)), None, Some(interval(0, 0, -1))]);
    let intervals: ArrayRef = Arc::new(intervals);
    let shape = list(Arc::new(Int32Array::from(vec![Some(1), Some(2), None])));
    let elements = list(intervals.clone());
    let array = StructArray::new(
        Fields::from(vec![
            Field::new("elements", elements.data_type().clone(), true),
            Field::new("shape", shape.data_type().clone(), true),
        ]),
        vec![elements, shape],
        Some(vec![true, true, false].into()),
    );
    let fixed =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([7u8; 12]), None, Some([0; 12])].into_iter(), 12);
    vec![
        Arc::new(Int32Array::from(vec![2, 3, 1])),
        Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])),
        Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)])),
        Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)])),
        Arc::new(UInt32Array::from(vec![Some(u32::MAX), None, Some(0)])),
        Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)])),
        Arc::new(Float32Array::from(vec![Some(-0.0), None, Some(f32::INFINITY)])),
        Arc::new(Float64Array::from(vec![Some(f64::MIN_POSITIVE), None, Some(1e300)])),
        Arc::new(
            Decimal128Array::from(vec![Some(10i128.pow(37)), None, Some(-1)]).with_precision_and_scale(38, 9).unwrap(),
        ),
        Arc::new(StringViewArray::from(vec![Some(""), None, Some("a text longer than twelve bytes — ünïcode")])),
        Arc::new(BinaryViewArray::from(vec![Some(&b"\0\xff"[..]), None, Some(&[1; 40][..])])),
        Arc::new(Date32Array::from(vec![Some(i32::MAX), None, Some(i32::MIN)])),
        Arc::new(Time64MicrosecondArray::from(vec![Some(0), None, Some(86_400_000_000)])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(i64::MAX), None, Some(i64::MIN)])),
        Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None, Some(-1)]).with_timezone("UTC")),
        intervals,
        Arc::new(fixed.unwrap()),
        Arc::new(array),
        Arc::new(NullArray::new(3)),
    ]
}

#[tokio::test]
async fn every_type_survives_log_and_segment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let arrays = every_type();
    let columns: Vec<ColumnSchema> =
        (1..).zip(&arrays).map(|(id, a)| column(id, &format!("column {id}"), a.data_type().clone())).collect();
    let keys: Vec<IndexSchema> =
        columns.iter().filter(|c| !c.data_type.is_null()).map(|c| unique(100 + c.id, &[c.id], c.id == 1)).collect();
    let schema = TableSchema { columns, indexes: keys, windows: None };
    let batch = RecordBatch::try_new(schema.to_arrow(), arrays).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, schema.clone()).unwrap();
    tx.insert(TABLE, &batch).unwrap();
    tx.commit(true).await.unwrap();
    drop(store);
    let sorted = arrow::compute::take_record_batch(&batch, &UInt32Array::from(vec![2, 0, 1])).unwrap();
    let check = |store: &Arc<Store>, expected: &RecordBatch| {
        let tx = begin(store);
        let read = tx.scan(TABLE).unwrap().read(None, true).unwrap();
        let read = read[0].project(&(0..batch.num_columns()).collect::<Vec<_>>()).unwrap();
        assert_eq!(&read, expected);
        for index in &schema.indexes {
            let key = batch.column(schema.position(index.columns[0]).unwrap());
            let keys = RecordBatch::try_from_iter_with_nullable([("key", key.clone(), true)]).unwrap();
            let found = tx.lookup(TABLE, index.id, &keys).unwrap();
            for (row, address) in found.iter().enumerate() {
                assert_eq!(address.is_some(), key.is_valid(row), "{} row {row}", key.data_type());
            }
        }
    };
    let store = open(dir.path());
    check(&store, &batch);
    store.flush().await.unwrap();
    check(&store, &sorted);
    drop(store);
    check(&open(dir.path()), &sorted);
}

#[tokio::test]
async fn large_transactions_span_log_segments() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    for i in 0..3 {
        let mut tx = begin(&store);
        tx.insert(TABLE, &many(i * 100_000..i * 100_000 + 5000)).unwrap();
        tx.commit(i % 2 == 0).await.unwrap();
        insert(&store, &[(-1 - i, "small")]).await.unwrap();
    }
    assert!(store.log_bytes() > 5 * 64 * 1024);
    let expected = read(&store);
    drop(store);
    let store = open(dir.path());
    assert_eq!(read(&store), expected);
    store.flush().await.unwrap();
    assert!(store.log_bytes() <= 2 * 64 * 1024, "{}", store.log_bytes());
    drop(store);
    assert_eq!(read(&open(dir.path())), expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_commits_and_flushes_keep_every_row_once() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        Store::open(Config { memtable_bytes: 20_000, memtable_stall_bytes: 40_000, ..config(dir.path()) }).unwrap();
    create(&store).await;
    insert(&store, &[(-1, "0")]).await.unwrap();
    let work = |worker: i32| {
        let store = store.clone();
        async move {
            for i in 0..40 {
                insert(&store, &[(worker * 1000 + i, "row")]).await.unwrap();
                loop {
                    let mut tx = begin(&store);
                    let count: i32 = contents(&tx).iter().find(|r| r.0 == -1).unwrap().1.parse().unwrap();
                    update(&mut tx, -1, (-1, &(count + 1).to_string())).unwrap();
                    match tx.commit(i % 3 > 0).await {
                        Ok(_) => break,
                        Err(Error::Conflict { .. }) => tokio::task::yield_now().await,
                        Err(error) => panic!("{error}"),
                    }
                }
            }
        }
    };
    let workers: Vec<_> = (0..4).map(|w| tokio::spawn(work(w))).collect();
    for worker in workers {
        worker.await.unwrap();
    }
    let check = |store: &Arc<Store>| {
        let rows = read(store);
        assert_eq!((rows.len(), rows[0].1.as_str()), (161, "160"));
    };
    check(&store);
    store.close().await.unwrap();
    drop(store);
    check(&open(dir.path()));
}

#[tokio::test]
async fn changes_written_down_are_made_later_wherever_their_rows_have_gone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    insert(&store, &[(1, "one"), (2, "two")]).await.unwrap();
    store.flush().await.unwrap();
    insert(&store, &[(3, "three"), (4, "four"), (6, "six"), (7, "seven"), (8, "eight")]).await.unwrap();
    let mut tx = begin(&store);
    update(&mut tx, 1, (1, "uno")).unwrap();
    delete(&mut tx, &[4, 7]).unwrap();
    assert_eq!(tx.delete_range(TABLE, ColumnRange { column: 1, from: 6, until: 9 }).unwrap(), 2);
    tx.insert(TABLE, &rows(&[(5, "five")])).unwrap();
    let expected = contents(&tx);
    let changes = tx.encode_changes().unwrap();
    drop(tx);
    store.flush().await.unwrap();
    store.close().await.unwrap();
    drop(store);
    let store = open(dir.path());
    let mut tx = begin(&store);
    tx.apply_changes(&changes).unwrap();
    assert_eq!(contents(&tx), expected);
    assert_eq!(tx.encode_changes().unwrap().len(), changes.len(), "a range is written down as one again");
    tx.commit(true).await.unwrap();
    assert_eq!(read(&store), expected);
    // A row that is gone meanwhile is a conflict.
    assert!(matches!(begin(&store).apply_changes(&changes), Err(Error::Conflict { table: TABLE })));
    store.close().await.unwrap();
}
