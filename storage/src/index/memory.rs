//! The key index over rows in memory: hash of the key → addresses.
//!
//! One index is shared by all versions that contain the same memtable. It holds at least the rows of every version:
//! rows committed later, rows dead in some versions, and leftovers of commits that failed. Who reads it checks each
//! candidate against the version and the key columns at hand, so that nothing here needs a timestamp.

use hashbrown::HashTable;
use parking_lot::RwLock;

use crate::transaction::RowAddress;

const SHARDS: usize = 16;
/// Addresses of one hash above which dead ones are looked for.
const PRUNE_AT: usize = 8;

#[derive(Debug, Default)]
pub struct KeyIndex {
    shards: [RwLock<HashTable<Entry>>; SHARDS],
}

#[derive(Debug)]
struct Entry {
    hash: u64,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    One(RowAddress),
    /// Oldest first; `prune_at` doubles when pruning found nothing to drop.
    Many {
        rows: Vec<RowAddress>,
        prune_at: usize,
    },
}

impl KeyIndex {
    fn shard(&self, hash: u64) -> &RwLock<HashTable<Entry>> {
        &self.shards[(hash >> 60) as usize % SHARDS]
    }

    /// Adds a row. `gone` tells rows that no reader can see any more; they are dropped when a key has many rows.
    pub fn insert(&self, hash: u64, row: RowAddress, gone: &dyn Fn(RowAddress) -> bool) {
        let mut table = self.shard(hash).write();
        match table.find_mut(hash, |e| e.hash == hash) {
            Some(entry) => entry.rows.push(row, gone),
            None => {
                table.insert_unique(hash, Entry { hash, rows: Rows::One(row) }, |e| e.hash);
            }
        }
    }

    /// Appends the addresses whose keys have this hash, newest first.
    pub fn candidates(&self, hash: u64, out: &mut Vec<RowAddress>) {
        match self.shard(hash).read().find(hash, |e| e.hash == hash).map(|e| &e.rows) {
            None => {}
            Some(Rows::One(row)) => out.push(*row),
            Some(Rows::Many { rows, .. }) => out.extend(rows.iter().rev()),
        }
    }
}

impl Rows {
    fn push(&mut self, row: RowAddress, gone: &dyn Fn(RowAddress) -> bool) {
        match self {
            Rows::One(first) => *self = Rows::Many { rows: vec![*first, row], prune_at: PRUNE_AT },
            Rows::Many { rows, prune_at } => {
                if rows.len() >= *prune_at {
                    rows.retain(|r| !gone(*r));
                    *prune_at = PRUNE_AT.max(rows.len() * 2);
                }
                rows.push(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_first_and_the_dead_are_pruned() {
        let index = KeyIndex::default();
        for row in 0..1000 {
            index.insert(7, row, &|r| r < row.saturating_sub(2));
        }
        let mut found = Vec::new();
        index.candidates(7, &mut found);
        assert_eq!(found[..2], [999, 998]);
        assert!(found.len() <= PRUNE_AT + 1, "{}", found.len());
        found.clear();
        index.candidates(8, &mut found);
        assert!(found.is_empty());
    }
}
