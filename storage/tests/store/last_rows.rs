//! The last row of each series is the one that a look at all rows finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_storage::last_rows::{Progress, Series};
use aegis_storage::{Config, Store, TableSchema, Transaction};
use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, UInt64Array};
use arrow::datatypes::{DataType, Int64Type, TimeUnit, TimestampMicrosecondType};
use proptest::prelude::*;

use crate::fixture::{TABLE, begin, column};

fn schema() -> TableSchema {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()));
    let columns =
        vec![column(1, "time", time), column(2, "device", DataType::Utf8View), column(3, "value", DataType::Int64)];
    TableSchema { columns, indexes: vec![], windows: None }
}

/// A time, a device (0 is null) and a value that no other row has.
type Row = (i64, u8, i64);

fn batch(rows: &[Row]) -> RecordBatch {
    let schema = schema().to_arrow();
    let times: Int64Array = rows.iter().map(|row| row.0).collect();
    let times = arrow::compute::cast(&times, schema.field(0).data_type()).unwrap();
    let devices: StringViewArray = rows.iter().map(|row| (row.1 > 0).then(|| format!("device {}", row.1))).collect();
    let values: Int64Array = rows.iter().map(|row| row.2).collect();
    RecordBatch::try_new(schema, vec![times, Arc::new(devices), Arc::new(values)]).unwrap()
}

fn rows_of(columns: &[ArrayRef]) -> Vec<(Option<String>, i64, i64)> {
    let times = columns[0].as_primitive::<TimestampMicrosecondType>();
    let (devices, values) = (columns[1].as_string_view(), columns[2].as_primitive::<Int64Type>());
    let device = |at: usize| devices.is_valid(at).then(|| devices.value(at).to_owned());
    (0..times.len()).map(|at| (device(at), times.value(at), values.value(at))).collect()
}

/// Searches, and compares with all rows; also what addresses and columns say.
fn check(tx: &Transaction, (from, until): (Option<i64>, Option<i64>)) {
    let scan = tx.scan(TABLE).unwrap();
    let mut expected: BTreeMap<Option<String>, (i64, Vec<i64>)> = BTreeMap::new();
    for rows in scan.read(None, false).unwrap() {
        for (device, time, value) in rows_of(rows.columns()) {
            if until.is_some_and(|until| time >= until) {
                continue;
            }
            let best = expected.entry(device).or_insert((time, Vec::new()));
            if time > best.0 {
                *best = (time, Vec::new());
            }
            if time == best.0 {
                best.1.push(value);
            }
        }
    }
    let after = |time: i64| from.is_none_or(|from| time >= from);
    expected.retain(|_, (time, _)| after(*time));
    let mut search = scan.last_rows(Series { keys: vec![2], time: 1 }, (from, until), 1000).unwrap().unwrap();
    let progress = loop {
        let progress = search.step().unwrap();
        if progress != Progress::Searching {
            break progress;
        }
    };
    assert_eq!(progress, Progress::Found);
    let found = search.finish().unwrap();
    let columns = found.columns(&[0, 1, 2]).unwrap();
    let fetched = tx.fetch(TABLE, &found.addresses().unwrap(), &[0, 1, 2]).unwrap();
    assert_eq!(fetched.columns(), columns);
    let mut seen = 0;
    for (device, time, value) in rows_of(&columns).into_iter().filter(|row| after(row.1)) {
        let (last, values) = expected.get(&device).unwrap_or_else(|| panic!("{device:?} has no row"));
        assert_eq!(time, *last, "{device:?}");
        assert!(values.contains(&value));
        seen += 1;
    }
    assert_eq!(seen, expected.len());
}

#[derive(Debug, Clone)]
enum Step {
    Insert(Vec<(i64, u8)>),
    /// Of the rows whose value is a multiple, those newer than a time.
    Delete(i64, i64),
    Flush,
    Compact,
    Check(Option<i64>, Option<i64>),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0..100i64, 0..6u8);
    let bound = || prop::option::of(0..100i64);
    prop_oneof![
        4 => prop::collection::vec(row, 1..40).prop_map(Step::Insert),
        2 => (1..4i64, 0..100i64).prop_map(|(of, from)| Step::Delete(of, from)),
        2 => Just(Step::Flush),
        1 => Just(Step::Compact),
        4 => (bound(), bound()).prop_map(|(from, until)| Step::Check(from, until)),
    ]
}

fn delete(tx: &mut Transaction, of: i64, from: i64) {
    let mut gone = Vec::new();
    for rows in tx.scan(TABLE).unwrap().read(None, true).unwrap() {
        let addresses = rows.column(3).as_primitive::<arrow::datatypes::UInt64Type>();
        for (at, (_, time, value)) in rows_of(&rows.columns()[..3]).into_iter().enumerate() {
            if value % of == 0 && time >= from {
                gone.push(addresses.value(at));
            }
        }
    }
    tx.delete(TABLE, &UInt64Array::from(gone)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn they_are_those_of_a_look_at_all_rows(steps in prop::collection::vec(step(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let config = Config { row_group_rows: 16, compaction_background: false, ..Config::new(dir.path()) };
            let store = Store::open(Config { merge_rows: 40, compaction_fan_in: 2, ..config }).unwrap();
            let mut tx = begin(&store);
            tx.create_table(TABLE, schema()).unwrap();
            tx.commit(true).await.unwrap();
            let mut next = 0;
            // Somebody who still sees what was there before the last change.
            let mut old = begin(&store);
            for step in steps {
                match step {
                    Step::Insert(rows) => {
                        let rows: Vec<Row> = (next..).zip(rows).map(|(value, row)| (row.0, row.1, value)).collect();
                        next += rows.len() as i64;
                        old = begin(&store);
                        let mut tx = begin(&store);
                        tx.insert(TABLE, &batch(&rows)).unwrap();
                        check(&tx, (None, None));
                        tx.commit(true).await.unwrap();
                    }
                    Step::Delete(of, from) => {
                        old = begin(&store);
                        let mut tx = begin(&store);
                        delete(&mut tx, of, from);
                        check(&tx, (None, None));
                        tx.commit(true).await.unwrap();
                    }
                    Step::Flush => store.flush().await.unwrap(),
                    Step::Compact => {
                        let store = store.clone();
                        tokio::task::spawn_blocking(move || store.compact()).await.unwrap().unwrap();
                    }
                    Step::Check(from, until) => {
                        check(&begin(&store), (from, until));
                        check(&old, (from, until));
                        check(&old, (None, None));
                    }
                }
            }
            check(&begin(&store), (None, None));
            check(&begin(&store), (None, None));
        });
    }
}

#[tokio::test]
async fn too_many_series_are_not_searched_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Config { compaction_background: false, ..Config::new(dir.path()) }).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, schema()).unwrap();
    let rows: Vec<Row> = (0..40_000).map(|value| (value, 1 + (value % 100) as u8, value)).collect();
    tx.insert(TABLE, &batch(&rows)).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    let scan = begin(&store).scan(TABLE).unwrap();
    let by = |key: u32| scan.last_rows(Series { keys: vec![key], time: 1 }, (None, None), 50).unwrap();
    assert!(by(3).is_none(), "every row has another value");
    let mut search = by(2).unwrap();
    while search.step().unwrap() == Progress::Searching {}
    assert_eq!(search.step().unwrap(), Progress::TooMany);
}

#[tokio::test]
async fn a_small_segment_with_a_row_of_each_series_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Config { compaction_background: false, ..Config::new(dir.path()) }).unwrap();
    let mut tx = begin(&store);
    tx.create_table(TABLE, schema()).unwrap();
    tx.commit(true).await.unwrap();
    // Every series has 50 rows in the first segment and one in the second.
    for rows in [5_000, 100] {
        let mut tx = begin(&store);
        let rows: Vec<Row> = (0..rows).map(|n| (n, (n % 100) as u8, n)).collect();
        tx.insert(TABLE, &batch(&rows)).unwrap();
        tx.commit(true).await.unwrap();
        store.flush().await.unwrap();
    }
    for _ in 0..3 {
        check(&begin(&store), (None, None));
    }
}
