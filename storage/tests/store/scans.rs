//! Scans with conditions read every wanted row, and little besides.

use std::path::Path;
use std::sync::Arc;

use aegis_storage::check::check;
use aegis_storage::file::RealDisk;
use aegis_storage::transaction::{Bound, Part, Predicate, Test};
use aegis_storage::{Config, IndexSchema, Store, TableSchema, Transaction};
use arrow::array::*;
use arrow::datatypes::{DataType, Int32Type};

use crate::fixture::*;

fn open(dir: &Path) -> Arc<Store> {
    Store::open(Config { row_group_rows: 10_000, merge_rows: 50_000, compaction_background: false, ..Config::new(dir) })
        .unwrap()
}

fn int(value: i32) -> ArrayRef {
    Arc::new(Int32Array::from(vec![value]))
}

fn between(column: u32, low: i32, high: i32) -> Predicate {
    let bound = |value| Some(Bound { value: int(value), inclusive: true });
    Predicate::new(column, Test::Range { low: bound(low), high: bound(high) }).unwrap()
}

/// Rows decoded, and the ids of rows that come with a check of their addresses.
fn scan(tx: &Transaction, predicates: &[Predicate]) -> (usize, Vec<i32>) {
    let scan = tx.scan(TABLE).unwrap();
    let (mut decoded, mut ids) = (0, Vec::new());
    for part in scan.parts(predicates).unwrap() {
        assert!(matches!(part, Part::Rows(_)), "rows in memory");
        decoded += part.rows();
        let (first, second) = part.clone().split(part.rows() / 3);
        for part in [Some(first), second].into_iter().flatten() {
            for batch in part.read(&scan.table_schema, &[0]) {
                let batch = batch.unwrap();
                assert_eq!(tx.fetch(TABLE, &batch.addresses, &[0]).unwrap(), batch.rows);
                ids.extend(batch.rows.column(0).as_primitive::<Int32Type>().values());
            }
        }
    }
    (decoded, ids)
}

#[tokio::test]
async fn conditions_leave_out_segments_row_groups_and_pages() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    for start in [0, 1_000_000] {
        let mut tx = begin(&store);
        tx.insert(TABLE, &many((start..start + 90_000).filter(|i| i % 2 == 0))).unwrap();
        tx.commit(true).await.unwrap();
        store.flush().await.unwrap();
    }
    let mut tx = begin(&store);
    delete(&mut tx, &[50_002, 50_004, 1_000_000]).unwrap();
    tx.commit(true).await.unwrap();
    let tx = begin(&store);
    let check = |predicates: &[Predicate], most: usize, wanted: &dyn Fn(i32) -> bool| {
        let (decoded, ids) = scan(&tx, predicates);
        assert!(decoded <= most, "{decoded} rows were decoded for {predicates:?}");
        let all = scan(&tx, &[]).1;
        let left_out = |id: &i32| wanted(*id) && ids.binary_search(id).is_err();
        assert!(!all.iter().any(left_out), "{predicates:?}");
        assert!(ids.iter().all(|id| all.binary_search(id).is_ok()), "{predicates:?}");
    };
    check(&[], 90_000, &|_| true);
    check(&[between(1, 50_000, 50_010)], 8192, &|id| (50_000..=50_010).contains(&id));
    check(&[between(1, 89_000, 1_001_000)], 16_384, &|id| (89_000..=1_001_000).contains(&id));
    check(&[between(1, 200_000, 300_000)], 0, &|_| false);
    check(&[between(1, 0, 40_000), between(1, 39_000, 90_000)], 10_000, &|id| (39_000..=40_000).contains(&id));
    let one_of = |ids: &[i32]| Predicate::new(1, Test::OneOf(Arc::new(Int32Array::from(ids.to_vec())))).unwrap();
    check(&[one_of(&[8, 1_000_008])], 16_384, &|id| id == 8 || id == 1_000_008);
    // Odd numbers lie within every range; Bloom filters know better.
    check(&[one_of(&[40_001])], 8192, &|_| false);
    assert!((1..40).filter(|i| scan(&tx, &[one_of(&[40_001 + i * 2])]).0 == 0).count() > 30);
    check(&[Predicate::new(1, Test::Null).unwrap()], 0, &|_| false);
    check(&[Predicate::new(2, Test::NotNull).unwrap()], 90_000, &|_| true);
    let name: ArrayRef = Arc::new(StringViewArray::from(vec!["row number 12 of many"]));
    check(&[Predicate::new(2, Test::OneOf(name)).unwrap()], 90_000, &|id| id == 12);
    let none: ArrayRef = Arc::new(StringViewArray::from(vec!["zzz"]));
    check(&[Predicate::new(2, Test::OneOf(none)).unwrap()], 0, &|_| false);
}

#[tokio::test]
async fn columns_added_later_are_left_out_by_their_one_value() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    insert(&store, &[(1, "one"), (2, "two")]).await.unwrap();
    store.flush().await.unwrap();
    let mut wider: TableSchema = schema();
    let missing = Some(aegis_storage::ColumnSchema::encode_missing(&int(7)).unwrap());
    wider.columns.push(aegis_storage::ColumnSchema { missing, ..column(3, "n", DataType::Int32) });
    wider.columns.push(column(4, "m", DataType::Int32));
    let mut tx = begin(&store);
    tx.alter_table(TABLE, wider).unwrap();
    tx.commit(true).await.unwrap();
    let tx = begin(&store);
    assert_eq!(scan(&tx, &[between(3, 7, 8)]).1, [1, 2]);
    assert!(scan(&tx, &[between(3, 8, 9)]).1.is_empty());
    assert!(scan(&tx, &[between(4, 8, 9)]).1.is_empty());
    assert_eq!(scan(&tx, &[Predicate::new(4, Test::Null).unwrap()]).1, [1, 2]);
    let scan = tx.scan(TABLE).unwrap();
    let parts = scan.parts(&[]).unwrap();
    let [part @ Part::Rows(_)] = parts.as_slice() else { panic!("{parts:?}") };
    let batch = part.read(&scan.table_schema, &[2]).next().unwrap().unwrap();
    assert_eq!(batch.rows.column(0).as_primitive::<Int32Type>().values(), &[7, 7]);
}

#[tokio::test]
async fn statistics_and_order_are_known_without_reading() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    for start in [0, 500_000] {
        let mut tx = begin(&store);
        tx.insert(TABLE, &many(start..start + 49_000)).unwrap();
        tx.commit(true).await.unwrap();
        store.flush().await.unwrap();
    }
    let scan = begin(&store).scan(TABLE).unwrap();
    assert_eq!(scan.sorted_by().unwrap(), [0]);
    let known = scan.column_statistics(0).unwrap();
    let range = known.range.unwrap();
    assert_eq!((range.0.as_ref(), range.1.as_ref()), (int(0).as_ref(), int(548_999).as_ref()));
    assert_eq!((known.nulls, known.distinct), (Some(0), Some(98_000)));
    assert_eq!(scan.column_statistics(1).unwrap().distinct, None);
    insert(&store, &[(-7, "in memory")]).await.unwrap();
    let scan = begin(&store).scan(TABLE).unwrap();
    assert!(scan.sorted_by().unwrap().is_empty());
    assert_eq!(scan.column_statistics(0).unwrap().range.unwrap().0.as_ref(), int(-7).as_ref());
    store.flush().await.unwrap();
    let scan = begin(&store).scan(TABLE).unwrap();
    assert_eq!(scan.segments.len(), 3);
    assert!(scan.sorted_by().unwrap().is_empty(), "the newest segment has the least key");
}

/// The ids of the rows with one of the names, as a scan with that condition finds them, and whether an index was used.
fn named(tx: &Transaction, names: &[&str]) -> (Vec<i32>, bool) {
    let scan = tx.scan(TABLE).unwrap();
    let values: ArrayRef = Arc::new(StringViewArray::from(names.to_vec()));
    let condition = Predicate::new(2, Test::OneOf(values)).unwrap();
    let (mut ids, mut used) = (Vec::new(), false);
    for part in scan.parts(&[condition]).unwrap() {
        used |= matches!(&part, Part::Rows(part) if part.index == Some(BY_NAME));
        for batch in part.read(&scan.table_schema, &[0, 1]) {
            let batch = batch.unwrap().rows;
            let (id, name) = (batch.column(0).as_primitive::<Int32Type>(), batch.column(1).as_string_view());
            ids.extend((0..id.len()).filter(|i| names.contains(&name.value(*i))).map(|i| id.value(i)));
        }
    }
    ids.sort_unstable();
    (ids, used)
}

fn name_of(i: i32) -> String {
    format!("one of many names, number {}", i.wrapping_mul(7919).rem_euclid(3000))
}

fn named_rows(ids: impl Iterator<Item = i32>) -> RecordBatch {
    let values: Vec<(i32, String)> = ids.map(|i| (i, name_of(i))).collect();
    rows(&values.iter().map(|(i, s)| (*i, s.as_str())).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_scan_by_an_index_finds_what_a_whole_scan_finds() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(Config {
        row_group_rows: 4000,
        stage_bytes: 200_000,
        compaction_background: false,
        ..Config::new(dir.path())
    });
    let store = store.unwrap();
    create(&store).await;
    let mut tx = begin(&store);
    tx.insert(TABLE, &named_rows(0..12_000)).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    index_names(&store).await;
    let old = begin(&store);
    let before = contents(&old);
    // Committed since: deleted, moved to other names, and rows in memory.
    let mut tx = begin(&store);
    delete(&mut tx, &(0..400).map(|i| i * 29).collect::<Vec<_>>()).unwrap();
    for i in 0..20 {
        update(&mut tx, i * 29 + 1, (i * 29 + 1, &name_of(i * 5))).unwrap();
    }
    tx.insert(TABLE, &named_rows(40_000..45_000)).unwrap();
    tx.commit(true).await.unwrap();
    // Own changes, in memory and in files, some undone.
    let mut tx = begin(&store);
    delete(&mut tx, &[2, 3, 40_001]).unwrap();
    for start in (50_000..58_000).step_by(1000) {
        tx.insert(TABLE, &named_rows(start..start + 1000)).unwrap();
        tx.make_room().await.unwrap();
    }
    let point = tx.savepoint();
    delete(&mut tx, &(57_000..57_100).collect::<Vec<_>>()).unwrap();
    tx.insert(TABLE, &named_rows(80_000..83_000)).unwrap();
    tx.make_room().await.unwrap();
    tx.rollback_to(point).unwrap();
    delete(&mut tx, &(50_100..50_200).collect::<Vec<_>>()).unwrap();
    let now = contents(&tx);
    let mut uses = 0;
    for i in 0..60 {
        let names = [name_of(i * 26), name_of(i * 5 + 50_000), "nobody".to_owned()];
        let names = &names.iter().map(String::as_str).collect::<Vec<_>>()[i as usize % 2..];
        for (tx, all) in [(&old, &before), (&tx, &now)] {
            let expected: Vec<i32> =
                all.iter().filter(|row| names.contains(&row.1.as_str())).map(|row| row.0).collect();
            let (found, used) = named(tx, names);
            assert_eq!(found, expected, "{names:?}");
            uses += i32::from(used);
        }
    }
    assert!(uses > 90, "{uses}");
}

/// An index that is younger than a segment: whoever looks first writes its key file, and that may be many.
#[tokio::test]
async fn several_build_one_key_file() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    create(&store).await;
    let mut tx = begin(&store);
    tx.insert(TABLE, &many(0..30_000)).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    index_names(&store).await;
    let start = std::sync::Barrier::new(8);
    std::thread::scope(|scope| {
        let look = || {
            let tx = begin(&store);
            let name: ArrayRef = Arc::new(StringViewArray::from(vec!["row number 7 of many"]));
            let key = RecordBatch::try_from_iter([("name", name)]).unwrap();
            start.wait();
            assert_eq!(tx.lookup_all(TABLE, BY_NAME, &key).unwrap().unwrap()[0].len(), 1);
        };
        (0..8).for_each(|_| drop(scope.spawn(look)));
    });
}

/// Rows that lie in the order of an index need no key file, those that are strewn about do.
#[tokio::test]
async fn key_files_are_kept_where_they_spare_reading() {
    const BY_ID: u32 = 20_003;
    const ROWS: i32 = 140_000;
    let name = |id: i32| format!("{:06}", i64::from(id) * 7919 % i64::from(ROWS));
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut with_indexes = schema();
    with_indexes.indexes.extend([
        IndexSchema { unique: false, ..unique(BY_NAME, &[2], false) },
        IndexSchema { unique: false, ..unique(BY_ID, &[1, 2], false) },
    ]);
    let mut tx = begin(&store);
    tx.create_table(TABLE, with_indexes).unwrap();
    tx.commit(true).await.unwrap();
    let mut tx = begin(&store);
    let values: Vec<(i32, String)> = (0..ROWS).map(|id| (id, name(id))).collect();
    tx.insert(TABLE, &rows(&values.iter().map(|(id, name)| (*id, name.as_str())).collect::<Vec<_>>())).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    assert!(store.index_bytes(TABLE, BY_NAME) > 12 * ROWS as u64);
    assert!(store.index_bytes(TABLE, BY_ID) < 100);
    let mut tx = begin(&store);
    delete(&mut tx, &[77_777]).unwrap();
    let ids = [0, 1, 8191, 8192, 77_777, 99_999, ROWS - 1];
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(ids.into_iter().chain(ids.map(|id| id + ROWS))));
    let names = StringViewArray::from_iter_values(ids.as_primitive::<Int32Type>().values().iter().map(|id| name(*id)));
    let keys = RecordBatch::try_from_iter([("id", ids), ("name", Arc::new(names) as ArrayRef)]).unwrap();
    let found = tx.lookup_all(TABLE, BY_ID, &keys).unwrap().unwrap();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0]);
    let by_name = tx.lookup_all(TABLE, BY_NAME, &keys.project(&[1]).unwrap()).unwrap().unwrap();
    assert_eq!(found[..7], by_name[..7]);
    drop(tx);
    drop(store);
    let report = check(Arc::new(RealDisk), dir.path()).unwrap();
    assert!(report.damage.is_empty() && report.key_files == 3, "{report}");
}
