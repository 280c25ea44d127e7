//! The lock table, and who is in it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::graph::{Edge, OwnerId};
use super::mode::TableMode;
use super::shard::Shard;
use super::{Object, Want};
use crate::schema::TableId;

const SHARDS: usize = 64;
/// Locks in all (a group of rows written by one commit counts once). More is [`crate::Error::OutOfMemory`].
pub const MAX_LOCKS: usize = 32 << 20;

/// All locks of a store.
#[derive(Debug)]
pub struct LockManager {
    shards: Box<[Mutex<Shard>]>,
    owners: Mutex<HashMap<OwnerId, Weak<Owner>>>,
    next_owner: AtomicU64,
    next_request: AtomicU64,
    next_transaction: AtomicU64,
    /// Tables whose rows somebody has locked by their keys.
    followed: RwLock<HashSet<TableId>>,
}

/// A session, or a prepared transaction. Its own locks never stand in its way.
#[derive(Debug)]
pub struct Owner {
    pub(super) id: OwnerId,
    /// 0 for a prepared transaction.
    pid: AtomicI32,
    /// Number of the transaction that holds rows or keys; 0 for none.
    transaction: AtomicU64,
    manager: Arc<LockManager>,
}

/// One line of `pg_locks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockStatus {
    pub object: LockedObject,
    /// 0 for a prepared transaction.
    pub pid: i32,
    pub owner: u64,
    pub mode: TableMode,
    pub granted: bool,
    /// Microseconds since 1970, for those who wait.
    pub since: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockedObject {
    Object(Object),
    /// A transaction: rows and keys are waited for until their holder ends, as in PostgreSQL.
    Transaction(u64),
    /// The row version itself, by commit and ordinal.
    Row(TableId, u64, u32),
}

impl LockManager {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            owners: Mutex::default(),
            next_owner: AtomicU64::new(1),
            next_request: AtomicU64::new(1),
            next_transaction: AtomicU64::new(FIRST_TRANSACTION),
            followed: RwLock::default(),
        })
    }

    pub(super) fn follow(&self, table: TableId) {
        if !self.is_followed(table) {
            self.followed.write().insert(table);
        }
    }

    pub(super) fn is_followed(&self, table: TableId) -> bool {
        self.followed.read().contains(&table)
    }

    /// Registers a session by its process id, or a prepared transaction (0).
    pub fn owner(self: &Arc<Self>, pid: i32) -> Arc<Owner> {
        let id = self.next_owner.fetch_add(1, Ordering::Relaxed);
        let owner =
            Arc::new(Owner { id, pid: AtomicI32::new(pid), transaction: AtomicU64::new(0), manager: self.clone() });
        self.owners.lock().insert(id, Arc::downgrade(&owner));
        owner
    }

    pub(super) fn shard(&self, want: &Want) -> MutexGuard<'_, Shard> {
        self.shards[shard_of(want)].lock()
    }

    pub(super) fn shard_at(&self, number: usize) -> MutexGuard<'_, Shard> {
        self.shards[number].lock()
    }

    /// The whole table at one moment. Only for who has waited long already.
    pub(super) fn all_shards(&self) -> Vec<MutexGuard<'_, Shard>> {
        self.shards.iter().map(|shard| shard.lock()).collect()
    }

    pub(super) fn next_request(&self) -> u64 {
        self.next_request.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn find_owner(&self, id: OwnerId) -> Option<Arc<Owner>> {
        self.owners.lock().get(&id).and_then(Weak::upgrade)
    }

    pub(super) fn pid_of(&self, id: OwnerId) -> i32 {
        self.find_owner(id).map_or(0, |owner| owner.pid())
    }

    pub(super) fn transaction_of(&self, id: OwnerId) -> u64 {
        self.find_owner(id).map_or(0, |owner| owner.transaction())
    }

    /// Process ids that keep session `pid` waiting, holders first; 0 stands for a prepared transaction.
    pub fn blocking(&self, pid: i32) -> Vec<i32> {
        let mut edges: Vec<Edge> = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            if !shard.queue.is_empty() {
                shard.edges(&mut edges);
            }
        }
        edges.sort_by_key(|edge| edge.soft);
        let mut found = Vec::new();
        for edge in edges.iter().filter(|edge| self.pid_of(edge.from) == pid) {
            let blocker = self.pid_of(edge.to);
            if !found.contains(&blocker) {
                found.push(blocker);
            }
        }
        found
    }

    /// What is held and waited for. Each part of the table is looked at by itself.
    pub fn status(&self) -> Vec<LockStatus> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock();
            for held in shard.objects().filter(|held| !held.object.is_data()) {
                for mode in TableMode::ALL.into_iter().filter(|mode| held.modes & mode.bit() != 0) {
                    let object = LockedObject::Object(held.object);
                    found.push(LockStatus { object, pid: 0, owner: held.owner, mode, granted: true, since: None });
                }
            }
            for (place, waiter) in shard.queue.iter().enumerate() {
                let (object, mode) = match waiter.want {
                    Want::Object(object, mode) if !object.is_data() => (LockedObject::Object(object), mode),
                    Want::Object(..) | Want::Row(..) | Want::Key(..) => {
                        let holder = shard.blockers(waiter.owner, &waiter.want, place).next();
                        let transaction = holder.map_or(0, |(holder, _)| self.transaction_of(holder));
                        (LockedObject::Transaction(transaction), TableMode::Share)
                    }
                };
                let (owner, since) = (waiter.owner, Some(waiter.since));
                found.push(LockStatus { object, pid: 0, owner, mode, granted: false, since });
                if let Want::Row(table, row, claim) = waiter.want {
                    let object = LockedObject::Row(table, row.ts, row.ordinal);
                    let mode = claim.waits_as();
                    found.push(LockStatus { object, pid: 0, owner, mode, granted: true, since: None });
                }
            }
        }
        let owners: Vec<Arc<Owner>> = self.owners.lock().values().filter_map(Weak::upgrade).collect();
        for owner in &owners {
            let (object, mode) = (LockedObject::Transaction(owner.transaction()), TableMode::Exclusive);
            if owner.transaction() != 0 {
                found.push(LockStatus { object, pid: 0, owner: owner.id, mode, granted: true, since: None });
            }
        }
        let pids: HashMap<OwnerId, i32> = owners.iter().map(|owner| (owner.id, owner.pid())).collect();
        for status in &mut found {
            status.pid = pids.get(&status.owner).copied().unwrap_or(0);
        }
        found
    }
}

/// `FirstNormalTransactionId`.
const FIRST_TRANSACTION: u64 = 3;

impl Owner {
    pub fn pid(&self) -> i32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// 0 until the transaction has changed or locked rows.
    pub fn transaction(&self) -> u64 {
        self.transaction.load(Ordering::Relaxed)
    }

    /// The number of the transaction, given now if it has none.
    pub fn assign_transaction(&self) -> u64 {
        match self.transaction() {
            0 => {
                let next = self.manager.next_transaction.fetch_add(1, Ordering::Relaxed);
                self.transaction.store(next, Ordering::Relaxed);
                next
            }
            number => number,
        }
    }

    pub fn end_transaction(&self) {
        self.transaction.store(0, Ordering::Relaxed);
    }

    /// The session has left its transaction behind, prepared.
    pub fn detach(&self) {
        self.pid.store(0, Ordering::Relaxed);
    }

    pub fn manager(&self) -> &Arc<LockManager> {
        &self.manager
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.manager.owners.lock().remove(&self.id);
    }
}

/// The part of the table that a lock is in.
pub(super) fn shard_of(want: &Want) -> usize {
    let number = match *want {
        Want::Object(Object::Table { database, relation }, _) => u64::from(database) << 32 | u64::from(relation),
        Want::Object(Object::Advisory { database, key, .. }, _) => key ^ (u64::from(database) << 32),
        Want::Object(Object::Reference { hash, .. }, _) => return shard_of_key(hash),
        Want::Row(table, row, _) => return shard_of_rows(table, row.ts),
        Want::Key(_, _, hash) => return shard_of_key(hash),
    };
    spread(number)
}

pub(super) fn shard_of_rows(table: TableId, ts: u64) -> usize {
    spread(table.rotate_left(32) ^ ts)
}

/// Not the bits by which the tables within the parts are ordered.
pub(super) fn shard_of_key(hash: u64) -> usize {
    (hash >> 32) as usize % SHARDS
}

/// Fibonacci hashing.
fn spread(number: u64) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % SHARDS
}

pub(super) const SHARD_COUNT: usize = SHARDS;
pub(super) const SHARD_LIMIT: usize = MAX_LOCKS / SHARDS;
