//! Random histories of concurrent transactions against a model of snapshot isolation, with flushes and restarts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use aegis_storage::store::Written;
use aegis_storage::{ColumnRange, Config, Error, Isolation, Store, Transaction};
use proptest::prelude::*;

use crate::fixture::*;

const SLOTS: usize = 3;
const KEYS: i32 = 12;

#[derive(Debug, Clone)]
enum Step {
    Begin {
        slot: usize,
        read_committed: bool,
    },
    Insert {
        slot: usize,
        key: i32,
        count: i32,
    },
    Delete {
        slot: usize,
        key: i32,
    },
    DeleteRange {
        slot: usize,
        key: i32,
        count: i32,
    },
    Update {
        slot: usize,
        key: i32,
        to: i32,
    },
    Lock {
        slot: usize,
        key: i32,
    },
    Savepoint {
        slot: usize,
    },
    RollbackTo {
        slot: usize,
    },
    Refresh {
        slot: usize,
    },
    Commit {
        slot: usize,
        synchronous: bool,
    },
    Abort {
        slot: usize,
    },
    /// Writes own rows to disk before the commit.
    Stage {
        slot: usize,
    },
    Flush,
    /// Writes a merge of segments, if one is wanted, and leaves it to be finished later.
    BeginCompaction,
    FinishCompaction,
    Compact,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let slot = 0..SLOTS;
    let key = 0..KEYS;
    prop_oneof![
        3 => (slot.clone(), any::<bool>()).prop_map(|(slot, read_committed)| Step::Begin { slot, read_committed }),
        6 => (slot.clone(), key.clone(), 1..4).prop_map(|(slot, key, count)| Step::Insert { slot, key, count }),
        4 => (slot.clone(), key.clone()).prop_map(|(slot, key)| Step::Delete { slot, key }),
        3 => (slot.clone(), key.clone(), 1..KEYS).prop_map(|(slot, key, count)| Step::DeleteRange { slot, key, count }),
        6 => (slot.clone(), key.clone(), key.clone()).prop_map(|(slot, key, to)| Step::Update { slot, key, to }),
        1 => (slot.clone(), key).prop_map(|(slot, key)| Step::Lock { slot, key }),
        2 => slot.clone().prop_map(|slot| Step::Savepoint { slot }),
        2 => slot.clone().prop_map(|slot| Step::RollbackTo { slot }),
        2 => slot.clone().prop_map(|slot| Step::Refresh { slot }),
        6 => (slot.clone(), any::<bool>()).prop_map(|(slot, synchronous)| Step::Commit { slot, synchronous }),
        4 => slot.clone().prop_map(|slot| Step::Stage { slot }),
        1 => slot.prop_map(|slot| Step::Abort { slot }),
        3 => Just(Step::Flush),
        2 => Just(Step::BeginCompaction),
        2 => Just(Step::FinishCompaction),
        1 => Just(Step::Compact),
        1 => Just(Step::Restart),
    ]
}

/// A row version: what makes two rows with equal contents different.
type RowVersion = u64;
type Rows = BTreeMap<i32, (RowVersion, String)>;

/// What a transaction has changed; cheap enough to copy for a savepoint.
#[derive(Debug, Clone, Default)]
struct Changes {
    /// Committed rows that it deletes or locks.
    deleted: BTreeSet<RowVersion>,
    locked: BTreeSet<RowVersion>,
    inserted: Rows,
}

#[derive(Debug)]
struct Open {
    real: Transaction,
    base: Rows,
    changes: Changes,
    savepoints: Vec<(aegis_storage::transaction::Savepoint, Changes)>,
    read_committed: bool,
}

impl Open {
    fn rows(&self) -> Rows {
        let mut rows = self.base.clone();
        rows.retain(|_, (version, _)| !self.changes.deleted.contains(version));
        rows.extend(self.changes.inserted.clone());
        rows
    }

    fn check(&self) {
        let rows: Vec<(i32, String)> = self.rows().into_iter().map(|(k, (_, s))| (k, s)).collect();
        assert_eq!(contents(&self.real), rows);
    }

    /// Takes a row away, whether own or committed.
    fn take(&mut self, key: i32) {
        if self.changes.inserted.remove(&key).is_some() {
            return;
        }
        if let Some((version, _)) = self.base.get(&key) {
            self.changes.deleted.insert(*version);
        }
    }
}

struct World {
    store: Option<Arc<Store>>,
    committed: Rows,
    slots: [Option<Open>; SLOTS],
    versions: RowVersion,
    compaction: Option<Written>,
}

impl World {
    fn store(&self) -> &Arc<Store> {
        self.store.as_ref().unwrap()
    }

    fn row(&mut self, key: i32) -> (RowVersion, String) {
        self.versions += 1;
        (self.versions, format!("version {} of row {key}", self.versions))
    }

    async fn run(&mut self, dir: &Path, step: &Step) {
        match *step {
            Step::Begin { slot, read_committed } => {
                let isolation = if read_committed { Isolation::ReadCommitted } else { Isolation::RepeatableRead };
                let (real, base) = (self.store().begin(isolation), self.committed.clone());
                let (changes, savepoints) = (Changes::default(), vec![]);
                self.slots[slot] = Some(Open { real, base, changes, savepoints, read_committed });
            }
            Step::Flush => self.store().flush().await.unwrap(),
            Step::BeginCompaction => {
                if self.compaction.is_none() {
                    self.compaction = self.store().begin_compaction().unwrap();
                }
            }
            Step::FinishCompaction => {
                if let Some(written) = self.compaction.take() {
                    let store = self.store().clone();
                    tokio::task::spawn_blocking(move || store.finish_compaction(written)).await.unwrap().unwrap();
                }
            }
            Step::Compact => {
                let store = self.store().clone();
                tokio::task::spawn_blocking(move || store.compact()).await.unwrap().unwrap();
            }
            Step::Restart => {
                self.compaction = None;
                self.slots = Default::default();
                self.store = None;
                self.store = Some(open(dir));
            }
            Step::Commit { slot, synchronous } => self.commit(slot, synchronous).await,
            Step::Abort { slot } => self.slots[slot] = None,
            Step::Stage { slot } => {
                if let Some(open) = &mut self.slots[slot] {
                    open.real.make_room().await.unwrap();
                }
            }
            _ => self.change(step),
        }
        let committed: Vec<(i32, String)> = self.committed.iter().map(|(k, (_, s))| (*k, s.clone())).collect();
        assert_eq!(read(self.store()), committed);
        self.slots.iter().flatten().for_each(Open::check);
    }

    fn change(&mut self, step: &Step) {
        match *step {
            Step::Insert { slot, key, count } => {
                let new: Vec<(i32, (RowVersion, String))> = (key..key + count).map(|k| (k, self.row(k))).collect();
                let Some(open) = &mut self.slots[slot] else { return };
                let batch: Vec<(i32, &str)> = new.iter().map(|(k, (_, s))| (*k, s.as_str())).collect();
                let taken = new.iter().any(|(k, _)| open.rows().contains_key(k));
                match open.real.insert(TABLE, &rows(&batch)) {
                    Ok(()) if !taken => open.changes.inserted.extend(new),
                    Err(Error::DuplicateKey { .. }) if taken => {}
                    other => panic!("insert gave {other:?}"),
                }
            }
            Step::Delete { slot, key } => {
                let Some(open) = &mut self.slots[slot] else { return };
                if open.rows().contains_key(&key) {
                    assert_eq!(delete(&mut open.real, &[key]).unwrap(), 1);
                    open.take(key);
                }
            }
            Step::DeleteRange { slot, key, count } => {
                let Some(open) = &mut self.slots[slot] else { return };
                let range = ColumnRange { column: 1, from: i64::from(key), until: i64::from(key + count) };
                let keys: Vec<i32> = open.rows().range(key..key + count).map(|(key, _)| *key).collect();
                assert_eq!(open.real.delete_range(TABLE, range).unwrap(), keys.len() as u64);
                keys.into_iter().for_each(|key| open.take(key));
            }
            Step::Lock { slot, key } => {
                let Some(open) = &mut self.slots[slot] else { return };
                if open.rows().contains_key(&key) {
                    let row = addresses(&open.real, &[key]);
                    open.real.lock(TABLE, &row).unwrap();
                    if let Some((version, _)) =
                        open.base.get(&key).filter(|_| !open.changes.inserted.contains_key(&key))
                    {
                        open.changes.locked.insert(*version);
                    }
                }
            }
            Step::Update { slot, key, to } => {
                let new = self.row(to);
                let Some(open) = &mut self.slots[slot] else { return };
                if !open.rows().contains_key(&key) {
                    return;
                }
                let taken = to != key && open.rows().contains_key(&to);
                match update(&mut open.real, key, (to, &new.1)) {
                    Ok(()) if !taken => {
                        open.take(key);
                        open.changes.inserted.insert(to, new);
                    }
                    Err(Error::DuplicateKey { .. }) if taken => {}
                    other => panic!("update gave {other:?}"),
                }
            }
            Step::Savepoint { slot } => {
                let Some(open) = &mut self.slots[slot] else { return };
                open.savepoints.push((open.real.savepoint(), open.changes.clone()));
            }
            Step::RollbackTo { slot } => {
                let Some(open) = &mut self.slots[slot] else { return };
                if let Some((savepoint, changes)) = open.savepoints.pop() {
                    open.real.rollback_to(savepoint).unwrap();
                    open.changes = changes;
                }
            }
            Step::Refresh { slot } => {
                let Some(open) = &mut self.slots[slot] else { return };
                // Keys that both inserted would show twice; the real error comes at commit.
                let clash =
                    open.changes.inserted.keys().any(|k| {
                        self.committed.get(k).is_some_and(|(version, _)| !open.changes.deleted.contains(version))
                    });
                if open.read_committed && !clash {
                    open.real.refresh().unwrap();
                    open.base = self.committed.clone();
                }
            }
            _ => unreachable!(),
        }
    }

    async fn commit(&mut self, slot: usize, synchronous: bool) {
        let Some(open) = self.slots[slot].take() else { return };
        let changes = open.changes;
        let current: BTreeSet<RowVersion> = self.committed.values().map(|(version, _)| *version).collect();
        let conflict = !changes.deleted.union(&changes.locked).all(|version| current.contains(version));
        let mut after = self.committed.clone();
        after.retain(|_, (version, _)| !changes.deleted.contains(version));
        let duplicate = changes.inserted.keys().any(|k| after.contains_key(k));
        after.extend(changes.inserted);
        match open.real.commit(synchronous).await {
            Ok(_) if !conflict && !duplicate => self.committed = after,
            Err(Error::Conflict { .. }) if conflict => {}
            Err(Error::DuplicateKey { .. }) if duplicate && !conflict => {}
            other => panic!("commit gave {other:?}, conflict {conflict}, duplicate {duplicate}"),
        }
    }
}

fn open(dir: &Path) -> Arc<Store> {
    open_when_free(Config {
        wal_segment_bytes: 16 << 10,
        stage_bytes: 1,
        row_group_rows: 8,
        merge_rows: 3,
        compaction_background: false,
        compaction_fan_in: 2,
        compaction_overlap: 3,
        compaction_max_rows: 8,
        ..Config::new(dir)
    })
}

/// Histories, unless `PROPTEST_CASES` asks for more.
const CASES: u32 = 24;

fn config() -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|number| number.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(CASES), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn histories_match_the_model(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = open(dir.path());
            create(&store).await;
            index_names(&store).await;
            let mut world =
                World { store: Some(store), committed: Rows::new(), slots: Default::default(), versions: 0, compaction: None };
            for step in &steps {
                world.run(dir.path(), step).await;
            }
            world.run(dir.path(), &Step::Restart).await;
        });
    }
}
