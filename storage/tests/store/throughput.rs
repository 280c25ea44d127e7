//! How long the main paths take; run by hand: `cargo test --release -p aegis-storage -- --ignored --nocapture throughput`.

use std::sync::Arc;
use std::time::Instant;

use aegis_storage::{Config, Store, TableSchema};
use arrow::array::*;
use arrow::datatypes::DataType;

use crate::fixture::*;

const ROWS: usize = 336_776;
const BATCH: usize = 65_536;

/// Nineteen columns like those of the flights data set.
fn flights() -> (TableSchema, Vec<RecordBatch>) {
    let mut columns = vec![column(1, "id", DataType::Int32)];
    columns.extend((2..=14).map(|i| column(i, &format!("n{i}"), DataType::Int32)));
    columns.extend((15..=18).map(|i| column(i, &format!("t{i}"), DataType::Utf8View)));
    columns.push(column(19, "distance", DataType::Float64));
    let schema = TableSchema { columns, indexes: vec![unique(PK, &[1], true)], windows: None };
    let batches = (0..ROWS).step_by(BATCH).map(|start| {
        let rows = start..(start + BATCH).min(ROWS);
        let arrays = schema.columns.iter().map(|c| -> ArrayRef {
            match c.data_type {
                DataType::Int32 if c.id == 1 => Arc::new(Int32Array::from_iter_values(rows.clone().map(|r| r as i32))),
                DataType::Int32 => {
                    Arc::new(Int32Array::from_iter_values(rows.clone().map(|r| (r * 7919 % 2400) as i32 * c.id as i32)))
                }
                DataType::Utf8View => {
                    Arc::new(StringViewArray::from_iter_values(rows.clone().map(|r| format!("N{}", r % 4043))))
                }
                _ => Arc::new(Float64Array::from_iter_values(rows.clone().map(|r| r as f64 * 0.5))),
            }
        });
        RecordBatch::try_new(schema.to_arrow(), arrays.collect()).unwrap()
    });
    let batches = batches.collect();
    (schema, batches)
}

#[tokio::test]
#[ignore = "a measurement"]
async fn throughput() {
    let dir = tempfile::tempdir_in(".").unwrap();
    let store = Store::open(Config { memtable_bytes: usize::MAX, ..Config::new(dir.path()) }).unwrap();
    let (schema, batches) = flights();
    let mut tx = begin(&store);
    tx.create_table(TABLE, schema).unwrap();
    tx.commit(true).await.unwrap();
    let lap = |what: &str, count: usize, since: Instant| {
        let time = since.elapsed();
        eprintln!("{what}: {time:.2?}, {:.0}/s", count as f64 / time.as_secs_f64());
    };

    let start = Instant::now();
    let mut tx = begin(&store);
    for batch in &batches {
        tx.insert(TABLE, batch).unwrap();
    }
    lap("insert, rows", ROWS, start);
    tx.commit(true).await.unwrap();
    lap("insert and commit, rows", ROWS, start);

    let start = Instant::now();
    for i in 0..500 {
        let mut tx = begin(&store);
        let row = batches[0].slice(i, 1);
        let at = UInt64Array::from(vec![address(&tx, i as i32).unwrap()]);
        tx.update(TABLE, &at, &row).unwrap();
        tx.commit(true).await.unwrap();
    }
    lap("update of one row in memory, commits", 500, start);

    let start = Instant::now();
    store.flush().await.unwrap();
    lap("flush, rows", ROWS, start);
    eprintln!("table: {} bytes on disk", store.table_bytes(TABLE));

    let start = Instant::now();
    let tx = begin(&store);
    let read: usize = tx.scan(TABLE).unwrap().read(Some(&[0, 18]), false).unwrap().iter().map(|b| b.num_rows()).sum();
    assert_eq!(read, ROWS);
    lap("scan of two columns, rows", ROWS, start);

    let start = Instant::now();
    for i in 0..200 {
        let at = address(&tx, i * 1000).unwrap();
        tx.fetch(TABLE, &[at], &[0, 1, 18]).unwrap();
    }
    lap("look-up and fetch of one row in a segment", 200, start);

    let start = Instant::now();
    for i in 0..200 {
        let mut tx = begin(&store);
        let at = UInt64Array::from(vec![address(&tx, i * 1000).unwrap()]);
        tx.delete(TABLE, &at).unwrap();
        tx.commit(true).await.unwrap();
    }
    lap("delete of one row in a segment, commits", 200, start);

    let start = Instant::now();
    drop(tx);
    drop(store);
    let store = Store::open(Config::new(dir.path())).unwrap();
    lap("recovery, entries", 200, start);
    assert_eq!(begin(&store).scan(TABLE).unwrap().row_count, Some(ROWS - 200));
}
