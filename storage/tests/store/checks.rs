//! `check` finds every change of a bit, and nothing where nothing is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aegis_storage::check::{Report, check};
use aegis_storage::file::RealDisk;
use aegis_storage::{Config, Error, Store};

use crate::fixture::*;

const FLIPS: u64 = 100;

fn open(dir: &Path) -> Arc<Store> {
    let config =
        Config { wal_segment_bytes: 16 << 10, merge_rows: 1000, compaction_background: false, ..Config::new(dir) };
    Store::open(config).unwrap()
}

fn report(dir: &Path) -> Report {
    check(Arc::new(RealDisk), dir).unwrap()
}

/// Segments with deletes, key files, log entries after them; the server is gone.
async fn prepare(dir: &Path) {
    let store = open(dir);
    create(&store).await;
    index_names(&store).await;
    for start in [0, 10_000] {
        let mut tx = begin(&store);
        tx.insert(TABLE, &many(start..start + 1500)).unwrap();
        tx.commit(true).await.unwrap();
        store.flush().await.unwrap();
    }
    let mut tx = begin(&store);
    delete(&mut tx, &[5, 700, 10_010]).unwrap();
    tx.commit(true).await.unwrap();
    store.flush().await.unwrap();
    store.counter_reserve(3, 32).await.unwrap();
    for i in 0..60 {
        insert(&store, &[(-1 - i, "in the log")]).await.unwrap();
    }
    let mut tx = begin(&store);
    delete(&mut tx, &[6, -7]).unwrap();
    tx.commit(true).await.unwrap();
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, out);
        } else if path.file_name().unwrap() != "lock" {
            out.push(path);
        }
    }
    out.sort();
}

#[tokio::test]
async fn every_flipped_bit_is_found() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    let whole = report(dir.path());
    assert!(whole.damage.is_empty() && whole.notes.is_empty(), "{whole}");
    assert_eq!((whole.segments, whole.rows, whole.key_files, whole.deletion_vectors), (2, 3000, 4, 2));
    assert!(whole.log_entries >= 62 && whole.log_files > 1, "{whole}");
    let mut all = Vec::new();
    files(dir.path(), &mut all);
    let mut seed = 88_172_645_463_325_252_u64;
    let mut chance = |below: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % below
    };
    // Some in each file, then anywhere, by size.
    let sizes: Vec<u64> = all.iter().map(|path| path.metadata().unwrap().len()).collect();
    for flip in 0..FLIPS {
        let mut byte = chance(sizes.iter().sum());
        let mut file = usize::try_from(flip).unwrap();
        if file < all.len() {
            byte = chance(sizes[file]);
        } else {
            file = 0;
            while byte >= sizes[file] {
                byte -= sizes[file];
                file += 1;
            }
        }
        let original = std::fs::read(&all[file]).unwrap();
        let mut damaged = original.clone();
        damaged[byte as usize] ^= 1 << chance(8);
        std::fs::write(&all[file], &damaged).unwrap();
        let found = report(dir.path());
        assert!(!found.damage.is_empty(), "byte {byte} of {}", all[file].display());
        std::fs::write(&all[file], &original).unwrap();
    }
    assert!(report(dir.path()).damage.is_empty());
    assert_eq!(read(&open(dir.path())).len(), 3000 - 4 + 59);
}

#[tokio::test]
async fn lost_and_left_over_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    let store = open(dir.path());
    assert!(matches!(check(Arc::new(RealDisk), dir.path()), Err(Error::Locked { .. })));
    drop(store);
    std::fs::write(dir.path().join("segments/99-1.parquet"), "left over").unwrap();
    let found = report(dir.path());
    assert!(found.damage.is_empty() && found.notes[0].contains("99-1.parquet"), "{found}");
    let mut all = Vec::new();
    files(&dir.path().join("segments"), &mut all);
    let segment =
        all.iter().find(|p| p.to_string_lossy().ends_with("20000-0.parquet") || p.extension().unwrap() == "parquet");
    std::fs::remove_file(segment.unwrap()).unwrap();
    let found = report(dir.path());
    assert!(!found.damage.is_empty(), "{found}");
    assert!(found.to_string().contains(segment.unwrap().to_str().unwrap()), "{found}");
    assert!(check(Arc::new(RealDisk), &dir.path().join("nowhere")).is_err());
}

#[tokio::test]
async fn a_read_never_returns_what_was_changed_in_a_segment() {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path()).await;
    let expected = read(&open(dir.path()));
    let mut all = Vec::new();
    files(dir.path(), &mut all);
    all.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
    assert_eq!(all.len(), 2);
    let mut found = 0;
    for path in &all {
        let whole = std::fs::read(path).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 12) {
            let mut changed = whole.clone();
            changed[at] ^= 1 << (at % 8);
            std::fs::write(path, &changed).unwrap();
            // Replaying the log reads some of it already.
            let config = Config { compaction_background: false, ..Config::new(dir.path()) };
            let rows =
                Store::open(config).and_then(|store| begin(&store).scan(TABLE).and_then(|scan| scan.read(None, true)));
            match rows {
                Ok(_) => panic!("nobody noticed byte {at}"),
                Err(Error::Corrupt(message)) => {
                    assert!(message.contains("restore"), "{message}");
                    found += 1;
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        std::fs::write(path, &whole).unwrap();
    }
    assert!(found >= 24);
    assert_eq!(read(&open(dir.path())), expected);
}
