//! The rows of a segment that are dead in one version.

use std::ops::Range;
use std::sync::Arc;

use roaring::RoaringBitmap;

/// As many rows may be recent.
const MAX_RECENT: u64 = 512;

/// A set of rows whose copies share nearly all of it: a commit that adds a row copies only the recent ones, which are few.
#[derive(Debug, Clone, Default)]
pub struct DeadRows {
    settled: Arc<RoaringBitmap>,
    /// None of them is settled.
    recent: Arc<RoaringBitmap>,
}

impl From<RoaringBitmap> for DeadRows {
    fn from(rows: RoaringBitmap) -> Self {
        Self { settled: Arc::new(rows), recent: Arc::default() }
    }
}

impl DeadRows {
    pub fn contains(&self, row: u32) -> bool {
        self.recent.contains(row) || self.settled.contains(row)
    }

    pub fn len(&self) -> u64 {
        self.settled.len() + self.recent.len()
    }

    pub fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.settled.is_empty()
    }

    /// Adds rows that are not in it.
    pub fn add(&mut self, rows: &RoaringBitmap) {
        let recent = Arc::make_mut(&mut self.recent);
        *recent |= rows;
        if recent.len() > MAX_RECENT {
            *Arc::make_mut(&mut self.settled) |= std::mem::take(recent);
        }
    }

    /// Is none of these rows among them?
    pub fn has_none_of(&self, rows: &RoaringBitmap) -> bool {
        self.recent.is_disjoint(rows) && self.settled.is_disjoint(rows)
    }

    /// Is one of these rows among them?
    pub fn touch(&self, rows: Range<u32>) -> bool {
        self.settled.range_cardinality(rows.clone()) + self.recent.range_cardinality(rows) > 0
    }

    /// All of them as one set.
    pub fn all(&self) -> Arc<RoaringBitmap> {
        match self.recent.is_empty() {
            true => self.settled.clone(),
            false => Arc::new(self.settled.as_ref() | self.recent.as_ref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_keep_what_they_had() {
        let mut rows = DeadRows::from(RoaringBitmap::from([7]));
        let mut before = Vec::new();
        for row in 100..100 + 3 * MAX_RECENT as u32 {
            before.push((rows.clone(), row));
            rows.add(&RoaringBitmap::from([row]));
        }
        for (copy, row) in before {
            assert!(copy.contains(7) && !copy.contains(row) && (row == 100 || copy.contains(row - 1)));
            assert_eq!(copy.len(), u64::from(row - 100) + 1);
            assert_eq!(copy.all().len(), copy.len());
        }
    }
}
