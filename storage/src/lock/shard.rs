//! A part of the lock table: what is held, and who waits for it, in the order in which they came.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hashbrown::HashTable;
use roaring::RoaringBitmap;
use tokio::sync::oneshot;

use super::graph::{Edge, OwnerId};
use super::mode::{Modes, RowClaim, TableMode};
use super::{Object, Want};
use crate::schema::{IndexId, TableId};

#[derive(Debug, Default)]
pub struct Shard {
    objects: HashMap<Object, Vec<ObjectHold>>,
    /// Rows by table and the commit that wrote them, so that rows loaded together take little.
    rows: HashMap<(TableId, u64), Vec<RowHold>>,
    keys: HashTable<KeyHold>,
    pub queue: Vec<Waiter>,
}

#[derive(Debug)]
struct ObjectHold {
    owner: OwnerId,
    /// How often each mode is held.
    counts: [u32; 8],
}

#[derive(Debug)]
struct RowHold {
    owner: OwnerId,
    bits: u8,
    /// By ordinal.
    rows: RoaringBitmap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KeyHold {
    hash: u64,
    table: TableId,
    index: IndexId,
    owner: OwnerId,
}

/// A request in the queue.
#[derive(Debug)]
pub struct Waiter {
    pub number: u64,
    pub owner: OwnerId,
    pub want: Want,
    /// Microseconds since 1970.
    pub since: i64,
    pub granted: oneshot::Sender<()>,
}

/// One thing that is held, as `pg_locks` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectHeld {
    pub object: Object,
    pub owner: OwnerId,
    pub modes: Modes,
}

impl ObjectHold {
    fn modes(&self) -> Modes {
        self.counts.iter().enumerate().filter(|(_, n)| **n > 0).fold(0, |bits, (mode, _)| bits | 1 << mode)
    }
}

impl Shard {
    /// Locks in this part of the table, about.
    pub fn len(&self) -> usize {
        self.objects.len() + self.rows.len() + self.keys.len()
    }

    /// True if `owner` needs nothing more for this.
    pub fn has(&self, owner: OwnerId, want: &Want) -> bool {
        match want {
            // These nest: each hold is given back by itself.
            Want::Object(Object::Advisory { .. }, _) => false,
            Want::Object(object, mode) => self.modes(object, owner) & mode.bit() != 0,
            Want::Row(table, row, claim) => {
                let holds = self.rows.get(&(*table, row.ts)).map(Vec::as_slice).unwrap_or_default();
                let own = holds.iter().filter(|hold| hold.owner == owner && hold.rows.contains(row.ordinal));
                claim.bits() & !own.fold(0, |bits, hold| bits | hold.bits) == 0
            }
            Want::Key(..) => self.holders(want).any(|holder| holder == owner),
        }
    }

    fn modes(&self, object: &Object, owner: OwnerId) -> Modes {
        let holds = self.objects.get(object).map(Vec::as_slice).unwrap_or_default();
        holds.iter().find(|hold| hold.owner == owner).map_or(0, ObjectHold::modes)
    }

    /// Those whose hold excludes the request, whoever asks.
    fn holders(&self, want: &Want) -> impl Iterator<Item = OwnerId> + '_ {
        let (mut objects, mut rows, mut key) = (None, None, None);
        match *want {
            Want::Object(object, mode) => {
                let holds = self.objects.get(&object).map(Vec::as_slice).unwrap_or_default();
                objects = Some(holds.iter().filter(move |hold| hold.modes() & mode.conflicts() != 0));
            }
            Want::Row(table, row, claim) => {
                let holds = self.rows.get(&(table, row.ts)).map(Vec::as_slice).unwrap_or_default();
                let excludes = move |hold: &&RowHold| hold.bits & claim.conflicts() != 0;
                rows = Some(holds.iter().filter(excludes).filter(move |hold| hold.rows.contains(row.ordinal)));
            }
            Want::Key(table, index, hash) => {
                let is_same = |k: &KeyHold| (k.hash, k.table, k.index) == (hash, table, index);
                key = self.keys.find(hash, is_same).map(|hold| hold.owner);
            }
        }
        let objects = objects.into_iter().flatten().map(|hold| hold.owner);
        objects.chain(rows.into_iter().flatten().map(|hold| hold.owner)).chain(key)
    }

    /// Place in the queue that a new request gets: the end, except that who holds something which others wait for
    /// stands before them (they could only wait for each other).
    pub fn place(&self, owner: OwnerId, want: &Want) -> usize {
        let Want::Object(object, _) = want else { return self.queue.len() };
        let held = self.modes(object, owner);
        let stopped_by_us = |waiter: &Waiter| match &waiter.want {
            Want::Object(other, mode) => other == object && mode.conflicts() & held != 0,
            _ => false,
        };
        self.queue.iter().position(stopped_by_us).unwrap_or(self.queue.len())
    }

    /// Whom a request at `place` of the queue waits for; true for those who only stand before it.
    pub fn blockers(&self, owner: OwnerId, want: &Want, place: usize) -> impl Iterator<Item = (OwnerId, bool)> + '_ {
        let hard = self.holders(want).filter(move |holder| *holder != owner).map(|holder| (holder, false));
        let want = *want;
        let before = self.queue.iter().take(place).filter(move |waiter| {
            let Want::Object(object, mode) = want else { return false };
            let Want::Object(other, wanted) = waiter.want else { return false };
            waiter.owner != owner && other == object && mode.conflicts() & wanted.bit() != 0
        });
        hard.chain(before.map(|waiter| (waiter.owner, true)))
    }

    pub fn is_free(&self, owner: OwnerId, want: &Want, place: usize) -> bool {
        self.blockers(owner, want, place).next().is_none()
    }

    pub fn take(&mut self, owner: OwnerId, want: &Want) {
        match *want {
            Want::Object(object, mode) => {
                let holds = self.objects.entry(object).or_default();
                let at = match holds.iter().position(|hold| hold.owner == owner) {
                    Some(at) => at,
                    None => {
                        holds.push(ObjectHold { owner, counts: [0; 8] });
                        holds.len() - 1
                    }
                };
                holds[at].counts[mode as usize] += 1;
            }
            Want::Row(table, row, claim) => {
                let mut one = RoaringBitmap::new();
                one.insert(row.ordinal);
                self.take_rows(owner, (table, row.ts), claim.bits(), &one);
            }
            Want::Key(table, index, hash) => {
                self.keys.insert_unique(hash, KeyHold { hash, table, index, owner }, |hold| hold.hash);
            }
        }
    }

    pub fn take_rows(&mut self, owner: OwnerId, group: (TableId, u64), bits: u8, rows: &RoaringBitmap) {
        let holds = self.rows.entry(group).or_default();
        match holds.iter_mut().find(|hold| hold.owner == owner && hold.bits == bits) {
            Some(hold) => hold.rows |= rows,
            None => holds.push(RowHold { owner, bits, rows: rows.clone() }),
        }
    }

    /// Of `rows`, those that `owner` must yet take; None if somebody else's hold excludes one.
    pub fn free_rows(
        &self,
        owner: OwnerId,
        group: (TableId, u64),
        claim: RowClaim,
        rows: &RoaringBitmap,
    ) -> Option<RoaringBitmap> {
        let holds = self.rows.get(&group).map(Vec::as_slice).unwrap_or_default();
        let mut wanted = rows.clone();
        for hold in holds {
            if hold.owner == owner {
                if claim.bits() & !hold.bits == 0 {
                    wanted -= &hold.rows;
                }
            } else if hold.bits & claim.conflicts() != 0 && !hold.rows.is_disjoint(rows) {
                return None;
            }
        }
        Some(wanted)
    }

    pub fn release(&mut self, owner: OwnerId, want: &Want) {
        match *want {
            Want::Object(object, mode) => self.release_object(owner, object, mode),
            Want::Row(table, row, claim) => {
                let mut one = RoaringBitmap::new();
                one.insert(row.ordinal);
                self.release_rows(owner, (table, row.ts), claim.bits(), &one);
            }
            Want::Key(table, index, hash) => {
                let gone = KeyHold { hash, table, index, owner };
                if let Ok(found) = self.keys.find_entry(hash, |hold| *hold == gone) {
                    found.remove();
                }
            }
        }
    }

    fn release_object(&mut self, owner: OwnerId, object: Object, mode: TableMode) {
        let Entry::Occupied(mut entry) = self.objects.entry(object) else { return };
        let holds = entry.get_mut();
        if let Some(at) = holds.iter().position(|hold| hold.owner == owner) {
            let count = &mut holds[at].counts[mode as usize];
            *count = count.saturating_sub(1);
            if holds[at].modes() == 0 {
                holds.swap_remove(at);
            }
        }
        if holds.is_empty() {
            entry.remove();
        }
    }

    pub fn release_rows(&mut self, owner: OwnerId, group: (TableId, u64), bits: u8, rows: &RoaringBitmap) {
        let Entry::Occupied(mut entry) = self.rows.entry(group) else { return };
        let holds = entry.get_mut();
        if let Some(at) = holds.iter().position(|hold| hold.owner == owner && hold.bits == bits) {
            holds[at].rows -= rows;
            if holds[at].rows.is_empty() {
                holds.swap_remove(at);
            }
        }
        if holds.is_empty() {
            entry.remove();
        }
    }

    /// Grants what has become free, first come, first served.
    pub fn promote(&mut self) {
        let mut place = 0;
        while place < self.queue.len() {
            let (owner, want) = (self.queue[place].owner, self.queue[place].want);
            match self.is_free(owner, &want, place) {
                true => self.grant(place),
                false => place += 1,
            }
        }
    }

    /// Gives the waiter at `place` what it waits for.
    pub fn grant(&mut self, place: usize) {
        let waiter = self.queue.remove(place);
        self.take(waiter.owner, &waiter.want);
        // Who has left is in `Waiting::drop`, and gives the lock back there.
        let _ = waiter.granted.send(());
    }

    pub fn edges(&self, out: &mut Vec<Edge>) {
        for (place, waiter) in self.queue.iter().enumerate() {
            let (from, request) = (waiter.owner, waiter.number);
            let blockers = self.blockers(from, &waiter.want, place);
            out.extend(blockers.map(|(to, soft)| Edge { from, to, request, soft }));
        }
    }

    pub fn objects(&self) -> impl Iterator<Item = ObjectHeld> + '_ {
        let each = |(object, holds): (&Object, &_)| -> Vec<ObjectHeld> {
            let holds: &Vec<ObjectHold> = holds;
            let held = |hold: &ObjectHold| ObjectHeld { object: *object, owner: hold.owner, modes: hold.modes() };
            holds.iter().map(held).collect()
        };
        self.objects.iter().flat_map(each)
    }
}
