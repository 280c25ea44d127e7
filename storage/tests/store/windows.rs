//! Ranges of a column as one: compaction that is asked for, sizes, and how columns are encoded.

use std::sync::Arc;

use aegis_storage::{ColumnRange, Config, Store, TableSchema, Windows};
use arrow::array::{ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::{DataType, Int64Type};

use super::fixture::*;

const DAY: i64 = 86_400;

fn measured() -> TableSchema {
    TableSchema {
        columns: vec![
            column(1, "at", DataType::Int64),
            column(2, "host", DataType::Utf8View),
            column(3, "value", DataType::Float64),
        ],
        indexes: Vec::new(),
        windows: Some(Windows { owner: 1, column: 1, grain: DAY, order: vec![] }),
    }
}

/// `rows` rows of one day, from its `first` second.
fn day(day: i64, first: i64, rows: i64) -> RecordBatch {
    let numbers = || first..first + rows;
    let at: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers().map(|i| day * DAY + i)));
    let host: ArrayRef = Arc::new(StringViewArray::from_iter_values(numbers().map(|i| format!("host_{}", i % 7))));
    let value: ArrayRef = Arc::new(Float64Array::from_iter_values(numbers().map(|i| (i as f64 / 5000.0).sin())));
    RecordBatch::try_new(measured().to_arrow(), vec![at, host, value]).unwrap()
}

async fn write(store: &Arc<Store>, rows: &RecordBatch) {
    let mut tx = begin(store);
    tx.insert(TABLE, rows).unwrap();
    tx.commit(true).await.unwrap();
}

fn range(day: i64) -> ColumnRange {
    ColumnRange { column: 1, from: day * DAY, until: (day + 1) * DAY }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_becomes_one_segment_and_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.compaction_background = false;
    config.merge_rows = 0;
    let store = Store::open(config).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, measured()).unwrap();
    tx.commit(true).await.unwrap();
    for (number, first) in [(1, 0), (2, 0), (1, 40_000), (2, 40_000)] {
        write(&store, &day(number, first, 20_000)).await;
        store.flush().await.unwrap();
    }
    write(&store, &day(1, 80_000, 10)).await;
    let size = store.range_size(TABLE, range(1)).unwrap();
    assert_eq!(size.segments, 2);
    assert!(size.memory_bytes > 0, "{size:?}");
    assert_eq!(store.range_size(TABLE, range(3)).unwrap().bytes(), 0);

    let compacted = store.clone();
    tokio::task::spawn_blocking(move || compacted.compact_range(TABLE, range(1), &|| false)).await.unwrap().unwrap();
    let (first, second) = (store.range_size(TABLE, range(1)).unwrap(), store.range_size(TABLE, range(2)).unwrap());
    assert_eq!((first.segments, first.memory_bytes, second.segments), (1, 0, 2));
    assert_eq!(first.bytes() + second.bytes(), store.table_bytes(TABLE));
    assert_eq!(begin(&store).scan(TABLE).unwrap().row_count, Some(80_010));

    let encodings = store.column_encodings(TABLE).unwrap();
    let newest = encodings.iter().map(|e| e.unit).max().unwrap();
    let of = |column| encodings.iter().find(|e| e.unit == newest && e.column == column).unwrap();
    assert_eq!(of(1).encodings, ["DELTA_BINARY_PACKED"]);
    assert_eq!(of(2).encodings, ["RLE_DICTIONARY"]);
    assert_eq!(of(3).encodings, ["BYTE_STREAM_SPLIT"]);
    assert_eq!(of(3).window, Some((DAY, DAY + 80_009)));
    assert!(of(3).bytes > 0 && of(3).encoded_bytes >= of(3).bytes && of(3).compression == "zstd(1)");

    // Again there is nothing to do, until rows die.
    let again = |day| {
        let store = store.clone();
        tokio::task::spawn_blocking(move || store.compact_range(TABLE, range(day), &|| false))
    };
    again(1).await.unwrap().unwrap();
    assert_eq!(store.column_encodings(TABLE).unwrap().iter().map(|e| e.unit).max(), Some(newest));
    let mut tx = begin(&store);
    let rows = tx.scan(TABLE).unwrap().read(Some(&[0]), true).unwrap();
    let last = rows.last().unwrap().column(1).slice(0, 10);
    tx.delete(TABLE, last.as_any().downcast_ref().unwrap()).unwrap();
    tx.commit(true).await.unwrap();
    again(1).await.unwrap().unwrap();
    again(2).await.unwrap().unwrap();
    assert_eq!(begin(&store).scan(TABLE).unwrap().row_count, Some(80_000));
    assert_eq!(store.range_size(TABLE, range(2)).unwrap().segments, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_whose_rows_are_all_dead_is_freed_when_nobody_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path());
    config.merge_rows = 0;
    let store = Store::open(config).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, measured()).unwrap();
    tx.commit(true).await.unwrap();
    for number in [1, 2] {
        write(&store, &day(number, 0, 5_000)).await;
        store.flush().await.unwrap();
    }
    let reader = begin(&store);
    let mut tx = begin(&store);
    assert_eq!(tx.delete_range(TABLE, range(1)).unwrap(), 5_000);
    assert_eq!(tx.delete_range(TABLE, range(1)).unwrap(), 0);
    tx.commit(true).await.unwrap();
    let files = || {
        let names = std::fs::read_dir(dir.path().join("segments")).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().ends_with(".parquet")).count()
    };
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while store.range_size(TABLE, range(1)).unwrap().segments > 0 {
        assert!(std::time::Instant::now() < end, "no flush noted it");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(files(), 2, "somebody reads it");
    assert_eq!(
        reader.scan(TABLE).unwrap().read(Some(&[0]), false).unwrap().iter().map(|b| b.num_rows()).sum::<usize>(),
        10_000
    );
    drop(reader);
    while files() > 1 {
        assert!(std::time::Instant::now() < end, "the file stays");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(begin(&store).scan(TABLE).unwrap().row_count, Some(5_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_goes_from_wherever_its_rows_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Config::new(dir.path())).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, measured()).unwrap();
    tx.commit(true).await.unwrap();
    // One segment over two days, rows in memory, rows of the transaction's own, and some that are dead already.
    let mut tx = begin(&store);
    tx.insert(TABLE, &day(1, 0, 1_000)).unwrap();
    tx.insert(TABLE, &day(2, 0, 1_000)).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    write(&store, &day(1, 1_000, 100)).await;
    let mut tx = begin(&store);
    tx.insert(TABLE, &day(1, 2_000, 10)).unwrap();
    tx.insert(TABLE, &day(2, 2_000, 10)).unwrap();
    let half = ColumnRange { column: 1, from: DAY, until: DAY + 500 };
    assert_eq!(tx.delete_range(TABLE, half).unwrap(), 500);
    let before = tx.savepoint();
    assert_eq!(tx.delete_range(TABLE, range(1)).unwrap(), 610);
    tx.rollback_to(before).unwrap();
    assert_eq!(tx.delete_range(TABLE, range(1)).unwrap(), 610);
    tx.commit(true).await.unwrap();
    let left = |store: &Arc<Store>| {
        let rows = begin(store).scan(TABLE).unwrap().read(Some(&[0]), false).unwrap();
        let days = rows.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec());
        days.map(|at| at / DAY).fold((0, 0), |(n, other), day| (n + 1, other + i32::from(day != 2)))
    };
    assert_eq!(left(&store), (1_010, 0));
    drop(store);
    assert_eq!(left(&open_when_free(Config::new(dir.path()))), (1_010, 0), "the log says the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_takes_a_few_bytes_of_log_and_dies_again_at_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config { compaction_background: false, ..Config::new(dir.path()) };
    let store = Store::open(config.clone()).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, measured()).unwrap();
    tx.commit(true).await.unwrap();
    for first in 0..10 {
        write(&store, &day(1, first * 1_000, 1_000)).await;
    }
    write(&store, &day(2, 0, 1_000)).await;
    store.flush().await.unwrap();
    write(&store, &day(1, 20_000, 1_000)).await;
    // Rows of the range that others add after the snapshot stay, in memory and in a segment.
    let reader = begin(&store);
    let mut tx = begin(&store);
    write(&store, &day(1, 30_000, 7)).await;
    let half = ColumnRange { column: 1, from: DAY, until: DAY + 500 };
    assert_eq!(tx.delete_range(TABLE, half).unwrap(), 500);
    let one = tx.scan(TABLE).unwrap().read(Some(&[0]), true).unwrap()[0].column(1).slice(0, 1);
    assert_eq!(tx.delete(TABLE, one.as_any().downcast_ref().unwrap()).unwrap(), 1);
    let undone = tx.savepoint();
    assert_eq!(tx.delete_range(TABLE, ColumnRange { column: 1, from: 0, until: i64::MAX }).unwrap(), 11_499);
    tx.rollback_to(undone).unwrap();
    let day_one = tx.delete_range(TABLE, range(1)).unwrap();
    assert!((10_499..=10_500).contains(&day_one), "{day_one}");
    let bytes = tx.encode_changes().unwrap().len();
    assert!(bytes < 200, "{bytes}");
    store.flush().await.unwrap();
    tx.commit(true).await.unwrap();
    let count = |tx: &aegis_storage::Transaction| {
        tx.scan(TABLE).unwrap().read(Some(&[0]), false).unwrap().iter().map(RecordBatch::num_rows).sum::<usize>()
    };
    assert_eq!(count(&reader), 12_000, "an older snapshot has them all");
    let left = 1_007 - usize::from(day_one == 10_500);
    assert_eq!(count(&begin(&store)), left);
    drop((reader, store));
    let store = open_when_free(config);
    assert_eq!(count(&begin(&store)), left);
    assert_eq!(begin(&store).delete_range(TABLE, range(1)).unwrap(), 7);
}

/// What dropping a window of a million rows takes: `cargo test -p aegis-storage -- --ignored --nocapture a_window_is_dropped`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn a_window_is_dropped() {
    const COMMITS: i64 = 100;
    const ROWS: i64 = 10_000;
    for (what, days) in [("segments of the window alone", false), ("one segment over it and more", true)] {
        let dir = tempfile::tempdir_in(".").unwrap();
        let store = Store::open(Config { compaction_background: false, ..Config::new(dir.path()) }).unwrap();
        let schema = TableSchema { windows: None, ..measured() };
        let mut tx = begin(&store);
        tx.create_table(TABLE, schema).unwrap();
        tx.commit(true).await.unwrap();
        let window = ColumnRange { column: 1, from: 0, until: COMMITS * ROWS };
        for commit in 0..COMMITS {
            write(&store, &day(0, commit * ROWS, ROWS)).await;
        }
        if !days {
            store.flush().await.unwrap();
        }
        write(&store, &day(1000, 0, 1000)).await;
        store.flush().await.unwrap();
        let start = std::time::Instant::now();
        let mut tx = begin(&store);
        assert_eq!(tx.delete_range(TABLE, window).unwrap(), (COMMITS * ROWS) as u64);
        let deleted = start.elapsed();
        let bytes = tx.encode_changes().unwrap().len();
        let start = std::time::Instant::now();
        tx.commit(true).await.unwrap();
        eprintln!("{what}: deleted in {deleted:.1?}, committed in {:.1?}, {bytes} bytes of log", start.elapsed());
        drop(store);
        let start = std::time::Instant::now();
        let store = open_when_free(Config { compaction_background: false, ..Config::new(dir.path()) });
        eprintln!("{what}: opened again in {:.1?}", start.elapsed());
        assert_eq!(begin(&store).scan(TABLE).unwrap().row_count, Some(1000));
    }
}
