//! A table of `(id int primary key, name text)` and short ways to use it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_storage::transaction::{ADDRESS_COLUMN, Bound, Predicate, TableScan, Test};
use aegis_storage::{ColumnSchema, Config, Error, IndexSchema, Isolation, Store, TableSchema, Transaction};
use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringViewArray, UInt64Array};
use arrow::datatypes::{DataType, Int32Type, UInt64Type};

pub const TABLE: u64 = 20_000;
pub const PK: u32 = 20_001;
/// An index on the name, which some tests create.
pub const BY_NAME: u32 = 20_002;

pub fn column(id: u32, name: &str, data_type: DataType) -> ColumnSchema {
    ColumnSchema { id, name: name.into(), data_type, missing: None }
}

pub fn unique(id: u32, columns: &[u32], primary: bool) -> IndexSchema {
    IndexSchema {
        id,
        name: format!("index_{id}"),
        columns: columns.to_vec(),
        unique: true,
        primary,
        nulls_not_distinct: false,
        ignored_suffix: vec![],
        deferrable: false,
    }
}

pub fn schema() -> TableSchema {
    TableSchema {
        columns: vec![column(1, "id", DataType::Int32), column(2, "name", DataType::Utf8View)],
        indexes: vec![unique(PK, &[1], true)],
        windows: None,
    }
}

pub fn rows(values: &[(i32, &str)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int32Array::from(values.iter().map(|v| v.0).collect::<Vec<_>>()));
    let names: ArrayRef = Arc::new(StringViewArray::from(values.iter().map(|v| v.1).collect::<Vec<_>>()));
    RecordBatch::try_new(schema().to_arrow(), vec![ids, names]).unwrap()
}

pub fn many(ids: impl IntoIterator<Item = i32>) -> RecordBatch {
    let values: Vec<(i32, String)> = ids.into_iter().map(|i| (i, format!("row number {i} of many"))).collect();
    rows(&values.iter().map(|(i, s)| (*i, s.as_str())).collect::<Vec<_>>())
}

/// Opens a directory that a store which was dropped may still be using: its threads end in their own time.
pub fn open_when_free(config: Config) -> Arc<Store> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match Store::open(config.clone()) {
            Err(Error::Locked { .. }) if Instant::now() < end => std::thread::sleep(Duration::from_millis(5)),
            opened => return opened.unwrap(),
        }
    }
}

pub fn begin(store: &Arc<Store>) -> Transaction {
    store.begin(Isolation::RepeatableRead)
}

pub async fn create(store: &Arc<Store>) {
    let mut tx = begin(store);
    tx.create_table(TABLE, schema()).unwrap();
    tx.commit(true).await.unwrap();
}

/// Adds [`BY_NAME`] to the table.
pub async fn index_names(store: &Arc<Store>) {
    let mut with_index = schema();
    with_index.indexes.push(IndexSchema { unique: false, ..unique(BY_NAME, &[2], false) });
    let mut tx = begin(store);
    tx.alter_table(TABLE, with_index).unwrap();
    tx.commit(true).await.unwrap();
}

pub async fn insert(store: &Arc<Store>, values: &[(i32, &str)]) -> Result<u64, Error> {
    let mut tx = begin(store);
    tx.insert(TABLE, &rows(values))?;
    tx.commit(true).await
}

pub fn address(tx: &Transaction, id: i32) -> Option<u64> {
    let keys = RecordBatch::try_from_iter([("id", Arc::new(Int32Array::from(vec![id])) as ArrayRef)]).unwrap();
    tx.lookup(TABLE, PK, &keys).unwrap()[0]
}

pub fn addresses(tx: &Transaction, ids: &[i32]) -> UInt64Array {
    ids.iter().map(|id| Some(address(tx, *id).unwrap_or_else(|| panic!("no row {id}")))).collect()
}

pub fn delete(tx: &mut Transaction, ids: &[i32]) -> Result<usize, Error> {
    let rows = addresses(tx, ids);
    tx.delete(TABLE, &rows)
}

pub fn update(tx: &mut Transaction, id: i32, to: (i32, &str)) -> Result<(), Error> {
    let row = addresses(tx, &[id]);
    tx.update(TABLE, &row, &rows(&[to]))
}

/// All rows by id, each checked to be found by its address and its key too.
pub fn contents(tx: &Transaction) -> Vec<(i32, String)> {
    let scan = tx.scan(TABLE).unwrap();
    let mut out = Vec::new();
    for batch in scan.read(None, true).unwrap() {
        let ids = batch.column(0).as_primitive::<Int32Type>();
        let names = batch.column(1).as_string_view();
        let addresses = batch.column_by_name(ADDRESS_COLUMN).unwrap().as_primitive::<UInt64Type>();
        let fetched = tx.fetch(TABLE, addresses.values(), &[1, 0]).unwrap();
        assert_eq!(fetched.column(1).as_ref(), batch.column(0).as_ref());
        assert_eq!(fetched.column(0).as_string_view(), names);
        if tx.table_schema(TABLE).unwrap().index(PK).is_some() {
            let keys = batch.project(&[0]).unwrap();
            let found: Vec<u64> = tx.lookup(TABLE, PK, &keys).unwrap().into_iter().map(Option::unwrap).collect();
            assert_eq!(found, addresses.values().to_vec());
        }
        if tx.table_schema(TABLE).unwrap().index(BY_NAME).is_some() {
            let found = tx.lookup_all(TABLE, BY_NAME, &batch.project(&[1]).unwrap()).unwrap().unwrap();
            assert!(found.iter().zip(addresses.values()).all(|(found, address)| found.contains(address)));
        }
        out.extend((0..batch.num_rows()).map(|i| (ids.value(i), names.value(i).to_owned())));
    }
    assert_eq!(scan.row_count, Some(out.len()));
    out.sort();
    let middle = out.get(out.len() / 2).map_or(0, |row| row.0);
    let wanted: Vec<i32> = out.iter().map(|row| row.0).filter(|id| *id >= middle).collect();
    assert_eq!(ids_from(&scan, middle), wanted);
    out
}

/// The ids from `least` on, read with a condition that says so.
fn ids_from(scan: &TableScan, least: i32) -> Vec<i32> {
    let bound = Bound { value: Arc::new(Int32Array::from(vec![least])), inclusive: true };
    let id = scan.table_schema.columns[0].id;
    let condition = Predicate::new(id, Test::Range { low: Some(bound), high: None }).unwrap();
    let mut ids: Vec<i32> = Vec::new();
    for part in scan.parts(&[condition]).unwrap() {
        for batch in part.read(&scan.table_schema, &[0]) {
            ids.extend(batch.unwrap().rows.column(0).as_primitive::<Int32Type>().values());
        }
    }
    ids.retain(|id| *id >= least);
    ids.sort();
    ids
}

pub fn read(store: &Arc<Store>) -> Vec<(i32, String)> {
    contents(&begin(store))
}

pub fn owned(values: &[(i32, &str)]) -> Vec<(i32, String)> {
    values.iter().map(|(i, s)| (*i, (*s).to_owned())).collect()
}
