//! The store alone: commits, look-ups, scans and flushes of a table of `(id int primary key, amount double precision, name text)`.

use std::path::Path;
use std::sync::Arc;

use aegis_storage::{ColumnSchema, Config, IndexSchema, Isolation, Store, TableSchema, Transaction};
use arrow::array::{ArrayRef, Float64Array, Int32Array, RecordBatch, StringViewArray, UInt64Array};
use arrow::datatypes::DataType;
use criterion::{BatchSize, Criterion, Throughput};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const TABLE: u64 = 20_000;
const KEY: u32 = 20_001;
const ROWS: i32 = 1 << 20;

fn schema() -> TableSchema {
    let types = [("id", DataType::Int32), ("amount", DataType::Float64), ("name", DataType::Utf8View)];
    let columns = (1..).zip(types);
    let columns =
        columns.map(|(id, (name, data_type))| ColumnSchema { id, name: name.into(), data_type, missing: None });
    let key = IndexSchema {
        id: KEY,
        name: "key".into(),
        columns: vec![1],
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        ignored_suffix: vec![],
        deferrable: false,
    };
    TableSchema { columns: columns.collect(), indexes: vec![key], windows: None }
}

fn rows(ids: impl Iterator<Item = i32> + Clone) -> RecordBatch {
    let arrays: [ArrayRef; 3] = [
        Arc::new(Int32Array::from_iter_values(ids.clone())),
        Arc::new(Float64Array::from_iter_values(ids.clone().map(|id| f64::from(id) * 0.5))),
        Arc::new(StringViewArray::from_iter_values(ids.map(|id| format!("the name of row {}", id % 10_000)))),
    ];
    RecordBatch::try_new(schema().to_arrow(), arrays.into()).unwrap()
}

fn begin(store: &Arc<Store>) -> Transaction {
    store.begin(Isolation::RepeatableRead)
}

fn address(tx: &Transaction, id: i32) -> Option<u64> {
    let key = RecordBatch::try_from_iter([("id", Arc::new(Int32Array::from(vec![id])) as ArrayRef)]).unwrap();
    tx.lookup(TABLE, KEY, &key).unwrap()[0]
}

/// On a real disk: a temporary folder may be in memory, where a sync costs nothing.
fn folder() -> TempDir {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    tempfile::tempdir_in(target).unwrap()
}

/// A store with that table, which flushes only when asked.
fn store(folder: &TempDir, runtime: &Runtime) -> Arc<Store> {
    let config = Config { memtable_bytes: usize::MAX, compaction_background: false, ..Config::new(folder.path()) };
    let store = Store::open(config).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, schema()).unwrap();
    runtime.block_on(tx.commit(true)).unwrap();
    store
}

fn insert(store: &Arc<Store>, runtime: &Runtime, rows: &RecordBatch, synchronous: bool) {
    let mut tx = begin(store);
    tx.insert(TABLE, rows).unwrap();
    runtime.block_on(tx.commit(synchronous)).unwrap();
}

pub fn commits(c: &mut Criterion) {
    let (folder, runtime) = (folder(), Runtime::new().unwrap());
    let store = store(&folder, &runtime);
    let mut group = c.benchmark_group("commit");
    let mut next = 0;
    let mut take = |count: i32| {
        next += count;
        rows(next - count..next)
    };
    group.bench_function("of a row, synced", |b| {
        b.iter_batched(|| take(1), |rows| insert(&store, &runtime, &rows, true), BatchSize::SmallInput);
    });
    group.bench_function("of a row, not waited for", |b| {
        b.iter_batched(|| take(1), |rows| insert(&store, &runtime, &rows, false), BatchSize::SmallInput);
    });
    group.throughput(Throughput::Elements(1000));
    group.bench_function("of 1,000 rows, synced", |b| {
        b.iter_batched(|| take(1000), |rows| insert(&store, &runtime, &rows, true), BatchSize::SmallInput);
    });
    group.finish();
    runtime.block_on(store.close()).unwrap();
}

/// With half of the rows in a segment and half in memory.
pub fn look_ups(c: &mut Criterion) {
    let (folder, runtime) = (folder(), Runtime::new().unwrap());
    let store = store(&folder, &runtime);
    insert(&store, &runtime, &rows(0..ROWS), true);
    runtime.block_on(store.flush()).unwrap();
    insert(&store, &runtime, &rows(ROWS..2 * ROWS), true);
    let tx = begin(&store);
    let mut group = c.benchmark_group("look-up and fetch of a row");
    let mut at = 0_i32;
    for (name, first) in [("in a segment", 0), ("in memory", ROWS)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 7919) % ROWS;
                let address = address(&tx, first + at).unwrap();
                tx.fetch(TABLE, &[address], &[0, 1, 2]).unwrap()
            });
        });
    }
    group.bench_function("that is not there", |b| b.iter(|| assert_eq!(address(&tx, -1), None)));
    let addresses = |ids: std::ops::Range<i32>| ids.map(|id| address(&tx, id)).collect::<UInt64Array>();
    group.throughput(Throughput::Elements(1000));
    let thousand = addresses(0..1000);
    group.bench_function("1,000 neighbours", |b| b.iter(|| tx.fetch(TABLE, thousand.values(), &[0, 1, 2]).unwrap()));
    group.finish();
    drop(tx);
    runtime.block_on(store.close()).unwrap();
}

pub fn scans(c: &mut Criterion) {
    let (folder, runtime) = (folder(), Runtime::new().unwrap());
    let store = store(&folder, &runtime);
    insert(&store, &runtime, &rows(0..ROWS), true);
    let mut group = c.benchmark_group("scan");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.sample_size(20);
    let scan = |columns: &[usize]| {
        let batches = begin(&store).scan(TABLE).unwrap().read(Some(columns), false).unwrap();
        assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), ROWS as usize);
    };
    group.bench_function("of a number in memory", |b| b.iter(|| scan(&[1])));
    runtime.block_on(store.flush()).unwrap();
    group.bench_function("of a number in a segment", |b| b.iter(|| scan(&[1])));
    group.bench_function("of text in a segment", |b| b.iter(|| scan(&[2])));
    group.finish();
    runtime.block_on(store.close()).unwrap();
}

pub fn flush(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let batch = rows(0..ROWS / 8);
    let mut group = c.benchmark_group("flush");
    group.throughput(Throughput::Elements(batch.num_rows() as u64));
    group.sample_size(10);
    group.bench_function("to a new segment", |b| {
        let filled = || {
            let folder = folder();
            let store = store(&folder, &runtime);
            insert(&store, &runtime, &batch, true);
            (folder, store)
        };
        b.iter_batched(filled, |(_folder, store)| runtime.block_on(store.flush()).unwrap(), BatchSize::PerIteration);
    });
}
