//! Decoded pieces of columns, as many as fit in a limit: the next scan of a hot column, and the next look-up nearby, decode nothing.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, GenericByteViewArray, MAX_INLINE_VIEW_LEN, RecordBatch, UInt32Array};
use arrow::compute::{concat, concat_batches, take};
use arrow::datatypes::{ByteViewType, DataType, UInt32Type, UInt64Type};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::{ROW_COLUMN, Segment, TS_COLUMN};
use crate::memtable::RowId;
use crate::schema::{ColumnId, ColumnSchema, IndexId, TableId};
use crate::{Error, Result};

/// Rows of a piece that single rows are looked up in: a page of a table with a primary key, a quarter of one without. (Scans have
/// pieces of their own, as large as a batch.)
const PIECE_ROWS: u32 = 2048;

/// Most rows that are read by way of the cache; more would push out what single look-ups need.
pub const FEW_ROWS: usize = 256;

/// Average bytes of a piece, from which the number of entries is guessed.
const TYPICAL_PIECE: usize = 16 << 10;

/// The hidden columns of a row's identity; ids of a table's columns are far below.
const TS_ID: ColumnId = ColumnId::MAX;
const ROW_ID: ColumnId = ColumnId::MAX - 1;

/// The rows of a key that stands for a bucket of a key file.
const BUCKET: u32 = u32::MAX;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    table: TableId,
    unit: u32,
    /// For a bucket, the index.
    column: ColumnId,
    /// Rows of the file. For a bucket, its number and [`BUCKET`].
    first: u32,
    rows: u32,
}

#[derive(Debug, Clone)]
struct Bytes;

impl Weighter<Key, ArrayRef> for Bytes {
    fn weight(&self, _: &Key, array: &ArrayRef) -> u64 {
        (bytes_of(array) + size_of::<Key>()) as u64
    }
}

/// Memory that an array keeps. Views into the buffers of a page or a dictionary, which many pieces share, count for what they show.
fn bytes_of(array: &ArrayRef) -> usize {
    fn shown<T: ByteViewType>(array: &GenericByteViewArray<T>) -> usize {
        let long = array.lengths().filter(|length| *length > MAX_INLINE_VIEW_LEN).map(|length| length as usize);
        let views = size_of::<u128>() * array.len();
        array.get_array_memory_size().min(long.sum::<usize>() + views)
    }
    match array.data_type() {
        DataType::Utf8View => shown(array.as_string_view()),
        DataType::BinaryView => shown(array.as_binary_view()),
        _ => array.get_array_memory_size(),
    }
}

#[derive(Debug)]
pub struct PieceCache(Cache<Key, ArrayRef, Bytes>);

impl PieceCache {
    /// Holds about `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self(Cache::with_weighter(limit / TYPICAL_PIECE, limit as u64, Bytes))
    }

    /// Lets go of the pieces of a segment that no version of the store has any longer: nobody asks for them again, and they would
    /// stay until the limit is reached.
    pub fn forget(&self, table: TableId, unit: u32) {
        self.0.retain(|key, _| key.table != table || key.unit != unit);
    }
}

impl Segment {
    /// A column of a scan's piece, if it is kept or the file has no such column.
    pub fn cached(&self, column: &ColumnSchema, rows: &Range<u32>) -> Option<ArrayRef> {
        if !self.meta.columns.contains(&column.id) {
            return column.missing_array(rows.len()).ok();
        }
        self.pieces.0.get(&self.key(column.id, rows)).filter(|array| *array.data_type() == column.data_type)
    }

    pub fn keep(&self, column: &ColumnSchema, rows: &Range<u32>, array: &ArrayRef) {
        self.pieces.0.insert(self.key(column.id, rows), Arc::clone(array));
    }

    /// The entries of a bucket of the index's key file, which were checked when they were read.
    pub(super) fn kept_bucket(&self, index: IndexId, bucket: u32) -> Option<ArrayRef> {
        self.pieces.0.get(&self.bucket_key(index, bucket))
    }

    pub(super) fn keep_bucket(&self, index: IndexId, bucket: u32, entries: ArrayRef) {
        self.pieces.0.insert(self.bucket_key(index, bucket), entries);
    }

    fn bucket_key(&self, index: IndexId, bucket: u32) -> Key {
        Key { table: self.table, unit: self.unit, column: index, first: bucket, rows: BUCKET }
    }

    fn key(&self, column: ColumnId, rows: &Range<u32>) -> Key {
        Key { table: self.table, unit: self.unit, column, first: rows.start, rows: rows.len() as u32 }
    }

    /// As [`Segment::read_rows`], of few rows; only the columns.
    pub(super) fn read_few(&self, rows: &[u32], columns: &[&ColumnSchema]) -> Result<Vec<ArrayRef>> {
        let (stored, absent): (Vec<&ColumnSchema>, Vec<&ColumnSchema>) =
            columns.iter().partition(|c| self.meta.columns.contains(&c.id));
        let ids: Vec<ColumnId> = stored.iter().map(|c| c.id).collect();
        let fits =
            |place: usize, array: &ArrayRef| stored.get(place).is_some_and(|c| c.data_type == *array.data_type());
        let mut found = self.pieces_of(rows, &ids, fits, |piece, places| {
            let columns: Vec<&ColumnSchema> = places.iter().filter_map(|p| stored.get(*p).copied()).collect();
            let batches = self.read(Some(piece), &columns)?;
            let schema = batches.first().map(RecordBatch::schema).ok_or_else(|| self.damaged("rows are missing"))?;
            Ok(concat_batches(&schema, &batches)?.columns().to_vec())
        })?;
        found.reverse();
        let arrays = columns.iter().map(|column| match absent.iter().any(|c| c.id == column.id) {
            true => column.missing_array(rows.len()),
            false => found.pop().ok_or_else(|| self.damaged("a column is missing")),
        });
        arrays.collect()
    }

    /// As [`Segment::row_ids`], of few rows.
    pub(super) fn few_row_ids(&self, rows: &[u32]) -> Result<Vec<RowId>> {
        let arrays = self.pieces_of(
            rows,
            &[TS_ID, ROW_ID],
            |_, _| true,
            |piece, places| {
                let ids = self.read_row_ids(Some(piece))?;
                let (ts, ordinals): (Vec<u64>, Vec<u32>) = ids.iter().map(|id| (id.ts, id.ordinal)).unzip();
                let both: [ArrayRef; 2] =
                    [Arc::new(arrow::array::UInt64Array::from(ts)), Arc::new(UInt32Array::from(ordinals))];
                Ok(places.iter().filter_map(|place| both.get(*place).cloned()).collect())
            },
        )?;
        let columns = (
            arrays.first().and_then(|a| a.as_primitive_opt::<UInt64Type>()),
            arrays.get(1).and_then(|a| a.as_primitive_opt::<UInt32Type>()),
        );
        let (Some(ts), Some(ordinals)) = columns else {
            return Err(Error::Internal(format!("{TS_COLUMN} and {ROW_COLUMN} have other types")));
        };
        Ok(ts
            .values()
            .iter()
            .zip(ordinals.values())
            .map(|(ts, ordinal)| RowId { ts: *ts, ordinal: *ordinal })
            .collect())
    }

    /// Values of `columns` at `rows` (ascending, distinct), from pieces in the cache or else from `read`, which gets the rows of a
    /// piece and the places of the columns that are missed.
    fn pieces_of(
        &self,
        rows: &[u32],
        columns: &[ColumnId],
        fits: impl Fn(usize, &ArrayRef) -> bool,
        read: impl Fn(&[u32], &[usize]) -> Result<Vec<ArrayRef>>,
    ) -> Result<Vec<ArrayRef>> {
        let mut parts: Vec<Vec<ArrayRef>> = vec![Vec::new(); columns.len()];
        for run in rows.chunk_by(|a, b| a / PIECE_ROWS == b / PIECE_ROWS) {
            let first = run[0] / PIECE_ROWS * PIECE_ROWS;
            let piece = first..self.meta.rows.min(first + PIECE_ROWS);
            let key = |column: ColumnId| self.key(column, &piece);
            let known =
                columns.iter().enumerate().map(|(place, c)| self.pieces.0.get(&key(*c)).filter(|a| fits(place, a)));
            let mut known: Vec<Option<ArrayRef>> = known.collect();
            let missed: Vec<usize> = (0..columns.len()).filter(|place| known[*place].is_none()).collect();
            if !missed.is_empty() {
                let all: Vec<u32> = piece.clone().collect();
                for (place, array) in missed.iter().zip(read(&all, &missed)?) {
                    self.pieces.0.insert(key(columns[*place]), Arc::clone(&array));
                    known[*place] = Some(array);
                }
            }
            let places = UInt32Array::from_iter_values(run.iter().map(|row| row - first));
            for (part, array) in parts.iter_mut().zip(known) {
                let array = array.ok_or_else(|| self.damaged("a column is missing"))?;
                part.push(match run {
                    [row] => array.slice((row - first) as usize, 1),
                    _ => take(&array, &places, None)?,
                });
            }
        }
        let join = |part: &Vec<ArrayRef>| match part.as_slice() {
            [one] => Ok(Arc::clone(one)),
            many => Ok(concat(&many.iter().map(|a| a as &dyn Array).collect::<Vec<_>>())?),
        };
        parts.iter().map(join).collect()
    }
}
