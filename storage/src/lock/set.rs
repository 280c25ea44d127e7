//! The locks of one transaction or session, in the order in which they were taken.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::manager::{LockManager, Owner, SHARD_COUNT, SHARD_LIMIT, shard_of_key, shard_of_rows};
use super::mode::RowClaim;
use super::shard::{Shard, Waiter};
use super::waiting::Waiting;
use super::{Object, Want};
use crate::memtable::RowId;
use crate::schema::{IndexId, TableId};
use crate::two_phase::{decode_rows, encode_rows};
use crate::{Error, Result};

/// Gives everything back when dropped.
#[derive(Debug)]
pub struct LockSet {
    pub(super) owner: Arc<Owner>,
    held: Mutex<Vec<Held>>,
    /// Its rows and keys are those of a transaction, which has a number while it holds any.
    numbered: bool,
}

#[derive(Debug)]
enum Held {
    One(Want),
    /// Rows of one commit.
    Rows {
        group: (TableId, u64),
        bits: u8,
        rows: RoaringBitmap,
    },
    Keys {
        table: TableId,
        index: IndexId,
        hashes: Vec<u64>,
    },
}

impl Held {
    fn wants(&self) -> Vec<Want> {
        match self {
            Held::One(want) => vec![*want],
            Held::Rows { group, bits, rows } => {
                let row = |ordinal| RowId { ts: group.1, ordinal };
                rows.iter().map(|ordinal| Want::Row(group.0, row(ordinal), RowClaim::from_bits(*bits))).collect()
            }
            Held::Keys { table, index, hashes } => hashes.iter().map(|hash| Want::Key(*table, *index, *hash)).collect(),
        }
    }
}

/// Locks on disk.
#[derive(Serialize, Deserialize)]
enum Stored {
    One(Want),
    Rows(TableId, u64, u8, Vec<u8>),
    Keys(TableId, IndexId, Vec<u64>),
}

impl Stored {
    fn new(held: &Held) -> Self {
        match held {
            Held::One(want) => Stored::One(*want),
            Held::Rows { group, bits, rows } => Stored::Rows(group.0, group.1, *bits, encode_rows(rows)),
            Held::Keys { table, index, hashes } => Stored::Keys(*table, *index, hashes.clone()),
        }
    }

    fn held(self) -> Result<Held> {
        Ok(match self {
            Stored::One(want) => Held::One(want),
            Stored::Rows(table, ts, bits, rows) => Held::Rows { group: (table, ts), bits, rows: decode_rows(&rows)? },
            Stored::Keys(table, index, hashes) => Held::Keys { table, index, hashes },
        })
    }
}

/// A point in a set to give locks back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

impl Mark {
    /// Before everything.
    pub const START: Mark = Mark(0);
}

impl LockSet {
    /// Locks of a transaction.
    pub fn of_transaction(owner: &Arc<Owner>) -> Arc<Self> {
        Arc::new(Self { owner: owner.clone(), held: Mutex::default(), numbered: true })
    }

    /// Locks that a session holds beside its transactions.
    pub fn of_session(owner: &Arc<Owner>) -> Arc<Self> {
        Arc::new(Self { owner: owner.clone(), held: Mutex::default(), numbered: false })
    }

    pub fn owner(&self) -> &Arc<Owner> {
        &self.owner
    }

    pub(super) fn manager(&self) -> &Arc<LockManager> {
        self.owner.manager()
    }

    pub fn is_empty(&self) -> bool {
        self.held.lock().is_empty()
    }

    pub fn mark(&self) -> Mark {
        Mark(self.held.lock().len())
    }

    /// None if the lock is held now.
    pub fn request(self: &Arc<Self>, want: Want) -> Result<Option<Waiting>> {
        let mut shard = self.manager().shard(&want);
        if self.take_in(&mut shard, &want)? {
            return Ok(None);
        }
        let place = shard.place(self.owner.id, &want);
        let urgent = place < shard.queue.len();
        let (granted, receiver) = oneshot::channel();
        let (number, since) = (self.manager().next_request(), now());
        shard.queue.insert(place, Waiter { number, owner: self.owner.id, want, since, granted });
        Ok(Some(Waiting::new(self.clone(), want, number, receiver, urgent)))
    }

    /// Is the lock, or enough of it, held already? Advisory locks nest, so they never are.
    pub fn has(&self, want: &Want) -> bool {
        self.manager().shard(want).has(self.owner.id, want)
    }

    /// True if the lock is held now; never waits.
    pub fn attempt(&self, want: Want) -> Result<bool> {
        let mut shard = self.manager().shard(&want);
        self.take_in(&mut shard, &want)
    }

    fn take_in(&self, shard: &mut Shard, want: &Want) -> Result<bool> {
        let owner = self.owner.id;
        if shard.has(owner, want) {
            return Ok(true);
        }
        if !shard.is_free(owner, want, shard.place(owner, want)) {
            return Ok(false);
        }
        check_limit(shard)?;
        shard.take(owner, want);
        self.note(*want);
        Ok(true)
    }

    /// Remembers a lock that the table has as ours.
    pub(super) fn note(&self, want: Want) {
        if !matches!(want, Want::Object(object, _) if !object.is_data()) {
            self.number();
        }
        self.held.lock().push(Held::One(want));
    }

    fn number(&self) {
        if self.numbered {
            self.owner.assign_transaction();
        }
    }

    /// Takes the rows one after another until one must be waited for. Call it again after the wait.
    pub fn rows(self: &Arc<Self>, table: TableId, rows: &[RowId], claim: RowClaim) -> Result<Option<Waiting>> {
        for of_commit in rows.chunk_by(|a, b| a.ts == b.ts) {
            let [first, _, ..] = of_commit else {
                match of_commit.first().map(|row| self.request(Want::Row(table, *row, claim))) {
                    Some(Ok(None)) | None => continue,
                    Some(outcome) => return outcome,
                }
            };
            if self.take_group((table, first.ts), of_commit, claim)? {
                continue;
            }
            for row in of_commit {
                if let Some(waiting) = self.request(Want::Row(table, *row, claim))? {
                    return Ok(Some(waiting));
                }
            }
        }
        Ok(None)
    }

    fn take_group(&self, group: (TableId, u64), rows: &[RowId], claim: RowClaim) -> Result<bool> {
        let rows: RoaringBitmap = rows.iter().map(|row| row.ordinal).collect();
        let mut shard = self.manager().shard_at(shard_of_rows(group.0, group.1));
        let Some(rows) = shard.free_rows(self.owner.id, group, claim, &rows) else { return Ok(false) };
        if !rows.is_empty() {
            check_limit(&shard)?;
            shard.take_rows(self.owner.id, group, claim.bits(), &rows);
            self.number();
            self.held.lock().push(Held::Rows { group, bits: claim.bits(), rows });
        }
        Ok(true)
    }

    /// Takes keys, given by their hashes, until one must be waited for. Call it again after the wait.
    pub fn keys(self: &Arc<Self>, table: TableId, index: IndexId, hashes: &[u64]) -> Result<Option<Waiting>> {
        if let [hash] = hashes {
            return self.request(Want::Key(table, index, *hash));
        }
        let mut taken = Vec::with_capacity(hashes.len());
        let outcome = self.take_keys(table, index, hashes, &mut taken);
        if !taken.is_empty() {
            self.number();
            self.held.lock().push(Held::Keys { table, index, hashes: taken });
        }
        match outcome? {
            Some(hash) => match self.request(Want::Key(table, index, hash))? {
                None => self.keys(table, index, hashes),
                waiting => Ok(waiting),
            },
            None => Ok(None),
        }
    }

    /// Some for a key that is not free.
    fn take_keys(&self, table: TableId, index: IndexId, hashes: &[u64], taken: &mut Vec<u64>) -> Result<Option<u64>> {
        let owner = self.owner.id;
        for (number, hashes) in by_shard(hashes).iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()) {
            let mut shard = self.manager().shard_at(number);
            for hash in hashes {
                let want = Want::Key(table, index, *hash);
                if shard.has(owner, &want) {
                    continue;
                }
                if !shard.is_free(owner, &want, 0) {
                    return Ok(Some(*hash));
                }
                check_limit(&shard)?;
                shard.take(owner, &want);
                taken.push(*hash);
            }
        }
        Ok(None)
    }

    /// Gives back what was taken since the mark.
    pub fn release_to(&self, mark: Mark) {
        let gone = {
            let mut held = self.held.lock();
            let from = mark.0.min(held.len());
            held.split_off(from)
        };
        for held in gone.into_iter().rev() {
            self.release_held(&held);
        }
    }

    /// Gives everything back: the transaction is over.
    pub fn release_all(&self) {
        self.release_to(Mark::START);
        if self.numbered {
            self.owner.end_transaction();
        }
    }

    /// Gives back the newest hold on an object; false if there is none.
    pub fn release(&self, want: Want) -> bool {
        let found = {
            let mut held = self.held.lock();
            let at = held.iter().rposition(|held| matches!(held, Held::One(other) if *other == want));
            at.map(|at| held.remove(at))
        };
        found.inspect(|held| self.release_held(held)).is_some()
    }

    pub(super) fn release_unnoted(&self, want: &Want) {
        let mut shard = self.manager().shard(want);
        shard.release(self.owner.id, want);
        shard.promote();
    }

    fn release_held(&self, held: &Held) {
        let owner = self.owner.id;
        match held {
            Held::One(want) => self.release_unnoted(want),
            Held::Rows { group, bits, rows } => {
                let mut shard = self.manager().shard_at(shard_of_rows(group.0, group.1));
                shard.release_rows(owner, *group, *bits, rows);
                shard.promote();
            }
            Held::Keys { table, index, hashes } => {
                for (number, hashes) in by_shard(hashes).iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()) {
                    let mut shard = self.manager().shard_at(number);
                    hashes.iter().for_each(|hash| shard.release(owner, &Want::Key(*table, *index, *hash)));
                    shard.promote();
                }
            }
        }
    }

    /// Hands everything to another owner, at no moment free for a third.
    pub fn transfer(&self, to: &Arc<Owner>) -> Arc<Self> {
        let held = std::mem::take(&mut *self.held.lock());
        let (from, new) = (self.owner.id, Self::of_transaction(to));
        for held in &held {
            for want in held.wants() {
                let mut shard = self.manager().shard(&want);
                shard.release(from, &want);
                shard.take(to.id, &want);
            }
        }
        new.number();
        *new.held.lock() = held;
        self.release_all();
        new
    }

    /// What is held, for `restore`.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let held = self.held.lock();
        let stored: Vec<Stored> = held.iter().map(Stored::new).collect();
        serde_json::to_vec(&stored).map_err(|e| Error::Internal(e.to_string()))
    }

    /// Takes again what a prepared transaction held before a restart, when nobody else holds anything.
    pub fn restore(owner: &Arc<Owner>, bytes: &[u8]) -> Result<Arc<Self>> {
        let stored: Vec<Stored> = serde_json::from_slice(bytes).map_err(|e| Error::Corrupt(e.to_string()))?;
        let set = Self::of_transaction(owner);
        let held = stored.into_iter().map(Stored::held).collect::<Result<Vec<_>>>()?;
        for want in held.iter().flat_map(Held::wants) {
            if let Want::Object(Object::Reference { table, .. }, _) = want {
                set.follow(table);
            }
            set.manager().shard(&want).take(owner.id, &want);
        }
        set.number();
        *set.held.lock() = held;
        Ok(set)
    }

    /// From now on who takes a key of the table away asks for the key's [`Object::Reference`] too: somebody counts on keys, and
    /// not only on versions of rows.
    pub fn follow(&self, table: TableId) {
        self.manager().follow(table);
    }

    /// Does somebody count on keys of the table?
    pub fn is_followed(&self, table: TableId) -> bool {
        self.manager().is_followed(table)
    }

    /// Objects held, oldest first.
    pub fn objects(&self) -> Vec<(Object, super::TableMode)> {
        let held = self.held.lock();
        let object = |held: &Held| match held {
            Held::One(Want::Object(object, mode)) => Some((*object, *mode)),
            _ => None,
        };
        held.iter().filter_map(object).collect()
    }
}

impl Drop for LockSet {
    fn drop(&mut self) {
        self.release_all();
    }
}

fn by_shard(hashes: &[u64]) -> Vec<Vec<u64>> {
    let mut shards = vec![Vec::new(); SHARD_COUNT];
    for hash in hashes {
        shards[shard_of_key(*hash)].push(*hash);
    }
    shards
}

fn check_limit(shard: &Shard) -> Result<()> {
    match shard.len() < SHARD_LIMIT {
        true => Ok(()),
        false => Err(Error::OutOfMemory("too many locks are held".into())),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
