//! Ranges of a column as one: compaction that is asked for, sizes, and how columns are encoded.

use std::sync::Arc;

use aegis_storage::{ColumnRange, Config, Store, TableSchema, Windows};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::DataType;

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
        windows: Some(Windows { owner: 1, column: 1, grain: DAY }),
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
