use std::sync::Arc;
use std::time::Duration;

use super::*;

fn table(relation: u32) -> Object {
    Object::Table { database: 1, relation }
}

fn row(ordinal: u32) -> RowId {
    RowId { ts: 7, ordinal }
}

fn sets(count: i32) -> (Arc<LockManager>, Vec<Arc<LockSet>>) {
    let manager = LockManager::new();
    let sets = (1..=count).map(|pid| LockSet::of_transaction(&manager.owner(pid))).collect();
    (manager, sets)
}

fn is_granted(waiting: &mut Waiting) -> bool {
    use futures::FutureExt;
    waiting.granted().now_or_never().is_some()
}

#[test]
fn first_come_first_served_and_a_weak_lock_does_not_pass_a_strong_one() {
    let (manager, sets) = sets(4);
    let lock = |n: usize, mode| sets[n].request(Want::Object(table(5), mode)).unwrap();
    assert!(lock(0, TableMode::AccessShare).is_none());
    let mut strong = lock(1, TableMode::AccessExclusive).unwrap();
    let mut weak = lock(2, TableMode::AccessShare).unwrap();
    // Who holds the table already passes who waits for it.
    assert!(lock(0, TableMode::RowExclusive).is_none());
    assert_eq!((manager.blocking(2), manager.blocking(3)), (vec![1], vec![2]));
    sets[0].release_to(Mark::START);
    assert!(is_granted(&mut strong) && !is_granted(&mut weak));
    drop(strong);
    sets[1].release_to(Mark::START);
    assert!(is_granted(&mut weak));
    let mut late = lock(3, TableMode::Exclusive);
    assert!(late.is_none());
    sets[3].release_to(Mark::START);
    late = lock(3, TableMode::AccessExclusive);
    sets[2].release_to(Mark::START);
    assert!(is_granted(late.as_mut().unwrap()));
    assert_eq!(manager.status().len(), 1);
}

#[test]
fn who_leaves_the_queue_lets_the_next_pass() {
    let (_, sets) = sets(3);
    let lock = |n: usize, mode| sets[n].request(Want::Object(table(5), mode)).unwrap();
    lock(0, TableMode::AccessShare);
    let strong = lock(1, TableMode::AccessExclusive).unwrap();
    let mut weak = lock(2, TableMode::AccessShare).unwrap();
    drop(strong);
    assert!(is_granted(&mut weak));
    // Granted and then left without a look: it is free again.
    let waiting = lock(1, TableMode::AccessExclusive).unwrap();
    sets[0].release_to(Mark::START);
    sets[2].release_to(Mark::START);
    drop(waiting);
    assert!(sets[0].attempt(Want::Object(table(5), TableMode::AccessExclusive)).unwrap());
}

#[test]
fn rows_are_locked_in_bulk_and_given_back_exactly() {
    let (_, sets) = sets(2);
    let all: Vec<RowId> = (0..10_000).map(row).collect();
    assert!(sets[0].rows(9, &all[..100], RowClaim::KEY_SHARE).unwrap().is_none());
    let mark = sets[0].mark();
    assert!(sets[0].rows(9, &all, RowClaim::REPLACE).unwrap().is_none());
    let mut waiting = sets[1].rows(9, &all[50..60], RowClaim::KEY_SHARE).unwrap().unwrap();
    assert_eq!(waiting.want(), Want::Row(9, row(50), RowClaim::KEY_SHARE));
    assert!(!sets[1].attempt(Want::Row(9, row(9_999), RowClaim::LOOK)).unwrap());
    assert!(sets[1].attempt(Want::Row(8, row(50), RowClaim::UPDATE)).unwrap());
    sets[0].release_to(mark);
    assert!(is_granted(&mut waiting));
    assert!(sets[1].rows(9, &all[50..60], RowClaim::KEY_SHARE).unwrap().is_none());
    // The weak claim from before the mark is still there.
    assert!(!sets[1].attempt(Want::Row(9, row(99), RowClaim::UPDATE)).unwrap());
    assert!(sets[1].attempt(Want::Row(9, row(100), RowClaim::UPDATE)).unwrap());
    assert!(sets[1].attempt(Want::Row(9, row(99), RowClaim::CHANGE)).unwrap());
}

#[test]
fn keys_are_held_by_one_and_wait_for_the_end_of_the_holder() {
    let (manager, mut sets) = sets(2);
    let hashes: Vec<u64> = (0..1000u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
    assert!(sets[0].keys(9, 1, &hashes).unwrap().is_none());
    assert!(sets[0].keys(9, 1, &hashes[..10]).unwrap().is_none());
    assert!(sets[1].keys(9, 2, &hashes).unwrap().is_none());
    let mut waiting = sets[1].keys(9, 1, &hashes[7..9]).unwrap().unwrap();
    assert!(!is_granted(&mut waiting));
    let waits = manager.status().into_iter().find(|status| !status.granted).unwrap();
    assert_eq!((waits.pid, waits.mode), (2, TableMode::Share));
    drop(sets.remove(0));
    assert!(is_granted(&mut waiting));
    assert!(sets[0].keys(9, 1, &hashes).unwrap().is_none());
}

#[test]
fn advisory_locks_nest() {
    let (_, sets) = sets(2);
    let want = Want::Object(Object::Advisory { database: 1, key: 3, parts: 1 }, TableMode::Exclusive);
    assert!(sets[0].attempt(want).unwrap() && sets[0].attempt(want).unwrap());
    assert!(sets[0].release(want) && !sets[1].attempt(want).unwrap());
    assert!(sets[0].release(want) && !sets[0].release(want));
    assert!(sets[1].attempt(want).unwrap());
}

#[test]
fn a_circle_is_found_by_all_who_are_in_it() {
    let (_, sets) = sets(3);
    let lock = |n: usize, at| sets[n].request(Want::Row(9, row(at), RowClaim::UPDATE)).unwrap();
    (0..3).for_each(|n| assert!(lock(n, n as u32).is_none()));
    let first = lock(0, 1).unwrap();
    let second = lock(1, 2).unwrap();
    assert_eq!(first.deadlock(), None);
    let third = lock(2, 0).unwrap();
    let found = third.deadlock().unwrap();
    assert_eq!(found.steps.iter().map(|s| (s.pid, s.blocked_by)).collect::<Vec<_>>(), [(3, 1), (1, 2), (2, 3)]);
    assert!(first.deadlock().is_some() && second.deadlock().is_some());
    drop(third);
    assert_eq!(first.deadlock(), None);
}

/// As PostgreSQL's `deadlock-soft`: who only stands in the queue is let pass.
#[test]
fn a_circle_through_the_queue_is_opened() {
    let (_, sets) = sets(4);
    let lock = |n: usize, at, mode| sets[n].request(Want::Object(table(at), mode)).unwrap();
    lock(0, 1, TableMode::AccessShare);
    lock(1, 2, TableMode::AccessShare);
    // 3 waits for 1 on table 1; 4 waits for 2 on table 2; then each of 1 and 2 wants the other's, behind the queue.
    let _third = lock(2, 1, TableMode::AccessExclusive).unwrap();
    let _fourth = lock(3, 2, TableMode::AccessExclusive).unwrap();
    let mut first = lock(0, 2, TableMode::AccessShare).unwrap();
    let mut second = lock(1, 1, TableMode::AccessShare).unwrap();
    assert_eq!(first.deadlock(), None);
    assert!(is_granted(&mut first) || is_granted(&mut second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_count_without_losing_any() {
    let (manager, sets) = sets(8);
    let counter = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let tasks = sets.into_iter().map(|set| {
        let counter = counter.clone();
        tokio::spawn(async move {
            for _ in 0..200 {
                if let Some(mut waiting) = set.request(Want::Row(9, row(0), RowClaim::CHANGE)).unwrap() {
                    tokio::time::timeout(Duration::from_secs(20), waiting.granted()).await.unwrap();
                }
                let seen = counter.load(std::sync::atomic::Ordering::Relaxed);
                tokio::task::yield_now().await;
                counter.store(seen + 1, std::sync::atomic::Ordering::Relaxed);
                set.release_to(Mark::START);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(counter.load(std::sync::atomic::Ordering::Relaxed), 1600);
    assert!(manager.status().iter().all(|status| matches!(status.object, manager::LockedObject::Transaction(_))));
}

#[test]
fn a_set_changes_hands_and_comes_back_from_bytes() {
    let (manager, sets) = sets(2);
    let rows: Vec<RowId> = (0..100).map(row).collect();
    sets[0].rows(9, &rows, RowClaim::REPLACE).unwrap();
    sets[0].keys(9, 1, &[3, 4]).unwrap();
    sets[0].request(Want::Object(table(5), TableMode::RowExclusive)).unwrap();
    let bytes = sets[0].encode().unwrap();
    let mut waiting = sets[1].keys(9, 1, &[4]).unwrap().unwrap();
    let moved = sets[0].transfer(&manager.owner(0));
    assert!(sets[0].is_empty() && !is_granted(&mut waiting));
    assert_eq!(manager.blocking(2), [0]);
    let excluded = |set: &Arc<LockSet>| {
        !set.attempt(Want::Row(9, row(99), RowClaim::KEY_SHARE)).unwrap()
            && !set.attempt(Want::Object(table(5), TableMode::Share)).unwrap()
    };
    assert!(excluded(&sets[0]) && excluded(&sets[1]));
    drop(moved);
    assert!(is_granted(&mut waiting));

    let manager = LockManager::new();
    let restored = LockSet::restore(&manager.owner(0), &bytes).unwrap();
    let other = LockSet::of_transaction(&manager.owner(1));
    assert!(excluded(&other) && !other.attempt(Want::Key(9, 1, 3)).unwrap());
    drop(restored);
    assert!(!excluded(&other) && other.attempt(Want::Key(9, 1, 3)).unwrap());
}
