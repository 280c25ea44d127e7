//! The last row of each series: of the rows with equal keys the one with the latest time.
//!
//! A segment's last rows are found once and kept ([`LastRowsCache`]), so that the next search reads nothing of it. They hold for every
//! version in which the rows that were left out as dead still are dead: a later one only has to look whether the rows that were found live on.

mod cache;
mod search;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::row::{RowConverter, Rows, SortField};
use hashbrown::HashTable;
use roaring::RoaringBitmap;

use crate::index::key::hash64;
use crate::schema::{ColumnId, TableSchema};
use crate::{Error, Result};

pub use cache::LastRowsCache;
pub use search::{LastPoints, LastSearch, Progress};

/// What makes rows a series, and which of them is the last.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Series {
    pub keys: Vec<ColumnId>,
    pub time: ColumnId,
}

impl Series {
    /// Positions of the keys, then of the time.
    fn positions(&self, schema: &TableSchema) -> Result<Vec<usize>> {
        let missing = |id: &ColumnId| Error::Internal(format!("a series names absent column {id}"));
        let columns = self.keys.iter().chain(std::iter::once(&self.time));
        columns.map(|id| schema.position(*id).ok_or_else(|| missing(id))).collect()
    }
}

/// Types whose values are keys by their bytes.
pub fn is_key(data_type: &DataType) -> bool {
    use DataType::{
        Boolean, Date32, FixedSizeBinary, Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64, Utf8View,
    };
    let whole = matches!(data_type, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64);
    whole || is_time(data_type) || matches!(data_type, Boolean | Date32 | FixedSizeBinary(_) | Utf8View)
}

/// Types of times: those that are ordered as the integers they are stored as.
pub fn is_time(data_type: &DataType) -> bool {
    use DataType::{Date32, Int16, Int32, Int64, Timestamp};
    matches!(data_type, Timestamp(TimeUnit::Microsecond, _) | Date32 | Int16 | Int32 | Int64)
}

/// A column of times as integers.
pub(crate) fn instants(times: &ArrayRef) -> Result<ArrayRef> {
    let whole = match times.data_type() {
        DataType::Date32 => &cast(times, &DataType::Int32)?,
        _ => times,
    };
    Ok(cast(whole, &DataType::Int64)?)
}

/// And back.
fn times(instants: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    match data_type {
        DataType::Date32 => Ok(cast(&cast(instants, &DataType::Int32)?, data_type)?),
        _ => Ok(cast(instants, data_type)?),
    }
}

/// The last rows of some rows: of a segment, or of a piece of a chunk.
#[derive(Debug, Clone)]
pub struct LastRows {
    places: Arc<Places>,
    /// Values of columns at all of them, as far as somebody has asked for them.
    columns: BTreeMap<ColumnId, ArrayRef>,
}

/// One for each series, ascending by row.
#[derive(Debug)]
struct Places {
    converter: RowConverter,
    keys: Rows,
    hashes: Vec<u64>,
    times: Vec<i64>,
    rows: Vec<u32>,
    /// Rows that were dead.
    left_out: RoaringBitmap,
}

impl LastRows {
    fn len(&self) -> usize {
        self.places.rows.len()
    }

    fn key(&self, place: usize) -> &[u8] {
        self.places.keys.row(place).data()
    }

    /// The key columns of some of the series.
    fn key_columns(&self, places: &[u32]) -> Result<Vec<ArrayRef>> {
        let rows = places.iter().map(|place| self.places.keys.row(*place as usize));
        Ok(self.places.converter.convert_rows(rows)?)
    }

    /// Does it hold where these rows are dead?
    fn holds(&self, is_dead: impl Fn(u32) -> bool) -> bool {
        self.places.left_out.iter().all(is_dead)
    }

    fn bytes(&self) -> usize {
        let places = self.len() * (size_of::<u64>() * 2 + size_of::<u32>()) + self.places.left_out.serialized_size();
        let columns: usize = self.columns.values().map(|column| column.get_array_memory_size()).sum();
        places + self.places.keys.size() + columns
    }
}

/// Finds the last rows, whatever order the rows come in.
#[derive(Debug)]
struct Finder {
    converter: RowConverter,
    /// Keys of the rows at hand.
    encoded: Rows,
    keys: Rows,
    hashes: Vec<u64>,
    times: Vec<i64>,
    rows: Vec<u32>,
    index: HashTable<u32>,
}

impl Finder {
    fn new(schema: &TableSchema, positions: &[usize]) -> Result<Self> {
        let keys = positions.split_last().map(|(_, keys)| keys).unwrap_or_default();
        let fields = keys.iter().filter_map(|at| schema.columns.get(*at));
        let fields = fields.map(|column| SortField::new(column.data_type.clone())).collect();
        let converter = RowConverter::new(fields)?;
        let (encoded, keys) = (converter.empty_rows(0, 0), converter.empty_rows(0, 0));
        let (hashes, times, rows) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { converter, encoded, keys, hashes, times, rows, index: HashTable::new() })
    }

    /// Looks at rows: their key columns and then their times, and where they are. Those without a time, or not before `until`, do not count.
    fn add(&mut self, columns: &[ArrayRef], rows: impl Iterator<Item = u32>, until: Option<i64>) -> Result<()> {
        let Some((time, keys)) = columns.split_last() else { return Ok(()) };
        let time = instants(time)?;
        let time = time.as_primitive::<Int64Type>();
        self.encoded.clear();
        self.converter.append(&mut self.encoded, keys)?;
        let mut present: Option<usize> = None;
        for (at, row) in rows.enumerate() {
            let instant = time.value(at);
            if time.is_null(at) || until.is_some_and(|until| instant >= until) {
                continue;
            }
            let key = self.encoded.row(at);
            // Rows of one series often follow one another.
            let place = match present.filter(|place| self.keys.row(*place) == key) {
                Some(place) => place,
                None => {
                    let hash = hash64(key.data());
                    let found = self.index.find(hash, |place| self.keys.row(*place as usize) == key);
                    match found {
                        Some(place) => *place as usize,
                        None => {
                            let place = self.rows.len();
                            let hashes = &self.hashes;
                            self.index.insert_unique(hash, place as u32, |at| hashes[*at as usize]);
                            self.keys.push(key);
                            self.hashes.push(hash);
                            self.times.push(instant);
                            self.rows.push(row);
                            present = Some(place);
                            continue;
                        }
                    }
                }
            };
            present = Some(place);
            if instant >= self.times[place] {
                self.times[place] = instant;
                self.rows[place] = row;
            }
        }
        Ok(())
    }

    fn finish(self, left_out: RoaringBitmap) -> LastRows {
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_unstable_by_key(|place| self.rows[*place]);
        let mut keys = self.converter.empty_rows(order.len(), 0);
        order.iter().for_each(|place| keys.push(self.keys.row(*place)));
        let places = Places {
            keys,
            hashes: order.iter().map(|place| self.hashes[*place]).collect(),
            times: order.iter().map(|place| self.times[*place]).collect(),
            rows: order.iter().map(|place| self.rows[*place]).collect(),
            converter: self.converter,
            left_out,
        };
        LastRows { places: Arc::new(places), columns: BTreeMap::new() }
    }
}
