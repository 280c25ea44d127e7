//! What a serializable transaction has read, and the check that makes it serializable: as if it had run alone at the moment of its
//! commit. Its snapshot is older than that moment, so nothing that it has read may have changed in between. A transaction that has
//! written nothing needs no check, since its snapshot is such a moment. (H. T. Kung, J. T. Robinson, "On Optimistic Methods for
//! Concurrency Control", 1981: backward validation.)
//!
//! Rows that were looked up by a unique key count one by one, everything else by the table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use parking_lot::Mutex;

use crate::schema::{IndexId, TableId};
use crate::store::Store;
use crate::transaction::RowAddress;
use crate::version::{OWN_UNITS, Table, Version, unit_of};
use crate::view::{TableView, lookup_keys};
use crate::{Error, Result};

/// A table of which more keys were looked up counts as read whole.
const MAX_KEYS: usize = 4096;

/// Grows while the transaction reads, from whichever thread.
#[derive(Debug, Default)]
pub(crate) struct ReadSet(Mutex<BTreeMap<TableId, Reads>>);

#[derive(Debug)]
enum Reads {
    Whole,
    Keys { lookups: Vec<Lookup>, keys: usize },
}

/// Keys of one index, and the committed rows that had them.
#[derive(Debug)]
struct Lookup {
    index: IndexId,
    keys: RecordBatch,
    found: Vec<RowAddress>,
}

impl ReadSet {
    pub fn whole(&self, table: TableId) {
        self.0.lock().insert(table, Reads::Whole);
    }

    pub fn keys(&self, table: TableId, index: IndexId, keys: &RecordBatch, found: &[Option<RowAddress>]) {
        let mut tables = self.0.lock();
        let reads = tables.entry(table).or_insert_with(|| Reads::Keys { lookups: Vec::new(), keys: 0 });
        if let Reads::Keys { lookups, keys: count } = reads {
            *count += keys.num_rows();
            if *count > MAX_KEYS {
                *reads = Reads::Whole;
                return;
            }
            let found = found.iter().flatten().copied().filter(|row| unit_of(*row) < OWN_UNITS).collect();
            lookups.push(Lookup { index, keys: keys.clone(), found });
        }
    }

    pub fn tables(&self) -> Vec<TableId> {
        self.0.lock().keys().copied().collect()
    }

    /// [`Error::ReadConflict`] if something that was read in `base` is different in `head`.
    pub fn validate(&self, base: &Version, head: &Version) -> Result<()> {
        for (id, reads) in self.0.lock().iter() {
            // Tables of its own have no other writers.
            let Some(before) = base.tables.get(id) else { continue };
            let now = head.tables.get(id).filter(|now| now.schema_ts == before.schema_ts);
            let now = now.ok_or(Error::ReadConflict { table: *id })?;
            if now.rows_ts == before.rows_ts {
                continue;
            }
            let same = match reads {
                Reads::Whole => false,
                Reads::Keys { lookups, .. } => {
                    lookups.iter().try_fold(true, |same, lookup| Ok::<_, Error>(same && lookup.holds(now, base.ts)?))?
                }
            };
            if !same {
                return Err(Error::ReadConflict { table: *id });
            }
        }
        Ok(())
    }
}

impl Lookup {
    /// Would it find the same rows? `since` is the commit timestamp of the version it looked at.
    fn holds(&self, table: &Table, since: u64) -> Result<bool> {
        let lives = |row: &RowAddress| table.translate(*row).is_some_and(|row| table.is_live(row));
        if !self.found.iter().all(lives) {
            return Ok(false);
        }
        let view = TableView { shape: &table.shape, base: Some(table), own: None };
        let Some(index) = table.shape.schema.index(self.index) else { return Ok(false) };
        let newer = view.lookup(index, &lookup_keys(&view, index, &self.keys)?, Some(since))?;
        Ok(newer.iter().all(Option::is_none))
    }
}

/// Tables that a prepared serializable transaction has read. Until it is finished no other serializable transaction may change them.
#[derive(Debug)]
pub struct HeldReads {
    store: Arc<Store>,
    number: u64,
    tables: Vec<TableId>,
}

impl HeldReads {
    pub(crate) fn new(store: Arc<Store>, number: u64, tables: Vec<TableId>) -> Self {
        Self { store, number, tables }
    }

    pub fn tables(&self) -> &[TableId] {
        &self.tables
    }
}

impl Drop for HeldReads {
    fn drop(&mut self) {
        self.store.release_reads(self.number);
    }
}
