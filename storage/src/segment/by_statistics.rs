//! Keys that the statistics of pages find: where rows with equal or neighbouring keys lie together (the time of rows that came in its
//! order, the columns that a segment is sorted by), the pages' least and greatest values lead to a key about as well as a key file,
//! which takes 12 bytes a row; and where the rows of one key are in most pages, neither spares reading any.

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, UInt32Array};
use arrow::compute::take;

use super::Segment;
use super::prune::Left;
use super::writer::page_rows;
use crate::Result;
use crate::index::KeyColumns;
use crate::index::key::is_plain;
use crate::predicate::{Predicate, Test};
use crate::schema::{IndexSchema, TableSchema};
use crate::version::RowKeys;

/// Segments of fewer rows always have key files, which are small.
const SMALL_ROWS: u32 = 128 << 10;

/// Rows whose keys are tried before a key file is written.
const SAMPLES: u32 = 32;

/// Pages that statistics may leave on average for each page that has the key.
const LEFT_FOR_EACH: usize = 4;

/// Rows that are read by way of the cache; more would push out what else is in it.
const CACHED_ROWS: usize = 32 << 10;

impl Segment {
    /// Do the statistics of pages lead to the rows of a key about as well as a key file, by a sample of the keys with these hashes?
    pub(super) fn statistics_suffice(
        &self,
        schema: &TableSchema,
        index: &IndexSchema,
        hashes: &[Option<u64>],
    ) -> Result<bool> {
        // Every INSERT asks for keys of unique indexes, mostly ones that are not there.
        if index.unique || self.meta.rows < SMALL_ROWS {
            return Ok(false);
        }
        let step = self.meta.rows / SAMPLES;
        let hash_of = |row: u32| hashes.get(row as usize).copied().flatten();
        let sample: Vec<u32> =
            (0..SAMPLES).map(|at| at * step + step / 2).filter(|row| hash_of(*row).is_some()).collect();
        let page_rows = page_rows(schema);
        let mut holding: HashMap<u64, HashSet<usize>> =
            sample.iter().filter_map(|row| Some((hash_of(*row)?, HashSet::new()))).collect();
        for (row, hash) in hashes.iter().enumerate() {
            if let Some(pages) = hash.and_then(|hash| holding.get_mut(&hash)) {
                pages.insert(row / page_rows);
            }
        }
        let columns = schema.key_columns(index)?;
        let (mut left, mut held) = (0, 0);
        for row in &sample {
            let Some(batch) = self.read(Some(&[*row]), &columns)?.pop() else { continue };
            let rows = self.prune(schema, &predicates(schema, index, batch.columns()), None)?;
            let rows: usize = rows.iter().flat_map(|left| &left.ranges).map(|range| range.len()).sum();
            left += rows.div_ceil(page_rows);
            held += hash_of(*row).and_then(|hash| holding.get(&hash)).map_or(0, HashSet::len);
        }
        Ok(held > 0 && left <= held * LEFT_FOR_EACH)
    }

    /// As [`Segment::candidates`], without a key file.
    pub(super) fn candidates_by_statistics(
        &self,
        schema: &TableSchema,
        index: &IndexSchema,
        keys: &RowKeys,
        wanted: &[(usize, u64)],
    ) -> Result<Vec<(usize, u32)>> {
        let places = UInt32Array::from_iter_values(wanted.iter().map(|(at, _)| *at as u32));
        let values = keys.columns.values().iter().map(|values| take(values, &places, None));
        let values = values.collect::<Result<Vec<_>, _>>()?;
        let mut by_hash: HashMap<u64, Vec<usize>> = HashMap::new();
        wanted.iter().for_each(|(at, hash)| by_hash.entry(*hash).or_default().push(*at));
        let columns = schema.key_columns(index)?;
        let mut out = Vec::new();
        for Left { ranges, .. } in self.prune(schema, &predicates(schema, index, &values), None)? {
            let rows: Vec<u32> = ranges.into_iter().flatten().collect();
            let arrays = if rows.len() <= CACHED_ROWS {
                self.read_few(&rows, &columns)?
            } else {
                self.read_rows(&rows, &columns)?
            };
            for (row, hash) in rows.iter().zip(KeyColumns::new(index, arrays)?.hashes(rows.len())) {
                let keys = hash.and_then(|hash| by_hash.get(&hash)).into_iter().flatten();
                out.extend(keys.map(|at| (*at, *row)));
            }
        }
        Ok(out)
    }
}

/// Conditions that rows with one of some keys meet, which have these values in the index's columns.
fn predicates(schema: &TableSchema, index: &IndexSchema, values: &[ArrayRef]) -> Vec<Predicate> {
    let columns = index.columns.iter().zip(values).enumerate();
    let comparable = columns.filter(|(at, (id, values))| {
        let same_type =
            schema.columns.iter().any(|column| column.id == **id && column.data_type == *values.data_type());
        same_type && is_plain(values.data_type()) && index.ignored_suffix.get(*at).is_none_or(|ignored| *ignored == 0)
    });
    comparable.filter_map(|(_, (id, values))| Predicate::new(*id, Test::OneOf(values.clone()))).collect()
}
