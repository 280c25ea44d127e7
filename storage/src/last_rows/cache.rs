//! Last rows of segments, as many as fit in a limit.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{LastRows, Series};
use crate::schema::TableId;

/// Bytes of a usual entry, from which the number of entries is guessed.
const TYPICAL: usize = 64 << 10;

/// The segment, and the series.
type Key = (TableId, u32, Series);

#[derive(Debug, Clone)]
struct Bytes;

/// What is known of a segment.
#[derive(Debug, Clone)]
pub enum Known {
    Rows(Arc<LastRows>),
    /// It has more series than are worth keeping.
    TooMany,
}

impl Weighter<Key, Known> for Bytes {
    fn weight(&self, (_, _, series): &Key, known: &Known) -> u64 {
        let rows = match known {
            Known::Rows(rows) => rows.bytes(),
            Known::TooMany => 0,
        };
        (rows + size_of::<Key>() + size_of_val(series.keys.as_slice())) as u64
    }
}

#[derive(Debug)]
pub struct LastRowsCache(Cache<Key, Known, Bytes>);

impl LastRowsCache {
    /// Holds about `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Cache::with_weighter(limit / TYPICAL, limit as u64, Bytes))
    }

    pub(super) fn get(&self, table: TableId, unit: u32, series: &Series) -> Option<Known> {
        self.0.get(&(table, unit, series.clone()))
    }

    pub(super) fn insert(&self, table: TableId, unit: u32, series: &Series, known: Known) {
        self.0.insert((table, unit, series.clone()), known);
    }

    /// Lets go of what is known of a segment that no version of the store has any longer.
    pub fn forget(&self, table: TableId, unit: u32) {
        self.0.retain(|key, _| key.0 != table || key.1 != unit);
    }
}
