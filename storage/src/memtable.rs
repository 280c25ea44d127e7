//! Recent rows of a table: chunks of record batches whose rows keep their addresses.

use std::cmp::Ordering;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt32Array, make_comparator};
use arrow::buffer::{BooleanBuffer, MutableBuffer};
use arrow::compute::{SortOptions, concat_batches, take};
use arrow::datatypes::DataType;

use crate::schema::ColumnId;
use crate::version::Shape;
use crate::{Error, Result};

/// Rows that a batch needs to become a chunk of its own, without copying.
pub const BULK_ROWS: usize = 4096;
/// Rows at which a chunk of small commits is closed.
pub const OPEN_CHUNK_ROWS: usize = 4096;
/// Batches of one size class (powers of this) that are merged into one.
const FANOUT: usize = 8;

/// A row version's identity, the same on every replica and across flushes: the commit that wrote it and its place
/// among the rows which that commit wrote to the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct RowId {
    pub ts: u64,
    pub ordinal: u32,
}

/// Rows `start..` (until the next run) were written by commit `first.ts`, beginning with `first.ordinal`.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    pub start: u32,
    pub first: RowId,
}

/// Least and greatest value of a column, one row each, in Arrow's order.
pub type ValueRange = (ArrayRef, ArrayRef);

/// Rows at `start..start + batch.num_rows()` of the chunk.
#[derive(Debug)]
pub struct Piece {
    pub start: u32,
    pub batch: RecordBatch,
    /// By column, once somebody has asked: every plan does, and rows may stay here for long.
    ranges: Vec<OnceLock<Option<ValueRange>>>,
}

impl Piece {
    pub fn new(start: u32, batch: RecordBatch) -> Self {
        let ranges = batch.columns().iter().map(|_| OnceLock::new()).collect();
        Self { start, batch, ranges }
    }

    /// The range of a column's values, dead rows and all; None if all are null or have no order.
    pub fn range(&self, column: usize) -> Result<Option<ValueRange>> {
        let (Some(known), Some(values)) = (self.ranges.get(column), self.batch.columns().get(column)) else {
            return Ok(None);
        };
        if let Some(range) = known.get() {
            return Ok(range.clone());
        }
        let range = range(values)?;
        Ok(known.get_or_init(|| range).clone())
    }
}

/// The range of a column's values; None if all are null or have no order.
pub fn range(values: &ArrayRef) -> Result<Option<ValueRange>> {
    if values.data_type().is_nested() || values.data_type().is_null() {
        return Ok(None);
    }
    let compare = make_comparator(values, values, SortOptions::default())?;
    let mut valid = (0..values.len()).filter(|row| values.is_valid(*row));
    let Some(first) = valid.next() else { return Ok(None) };
    let (mut least, mut greatest) = (first, first);
    for row in valid {
        if compare(row, least).is_lt() {
            least = row;
        } else if compare(row, greatest).is_gt() {
            greatest = row;
        }
    }
    Ok(Some((values.slice(least, 1), values.slice(greatest, 1))))
}

/// A piece of a memtable. Immutable once in a published version; appending makes a copy that shares the batches.
#[derive(Debug, Clone)]
pub struct Chunk {
    pub unit: u32,
    /// Ids of the batches' columns.
    pub columns: Arc<[ColumnId]>,
    pub rows: u32,
    /// Takes no more rows.
    pub sealed: bool,
    pub bytes: usize,
    pub pieces: Vec<Arc<Piece>>,
    /// Up to one per row, and copied at each commit.
    pub runs: imbl::Vector<Run>,
    /// One bit per row (at least), unset for dead rows; None while all live.
    pub live: Option<BooleanBuffer>,
    pub dead: u32,
}

impl Chunk {
    pub fn new(unit: u32, columns: Arc<[ColumnId]>) -> Self {
        Self {
            unit,
            columns,
            rows: 0,
            sealed: false,
            bytes: 0,
            pieces: Vec::new(),
            runs: imbl::Vector::new(),
            live: None,
            dead: 0,
        }
    }

    /// True if `rows` more rows belong here rather than in a new chunk.
    pub fn accepts(&self, rows: usize, columns: &[ColumnId]) -> bool {
        !self.sealed && rows < BULK_ROWS && self.rows as usize + rows <= OPEN_CHUNK_ROWS && *self.columns == *columns
    }

    /// True if `rows` more rows of a transaction's own belong here.
    pub fn takes(&self, rows: usize, columns: &[ColumnId]) -> bool {
        let fits = u32::try_from(rows).ok().and_then(|rows| self.rows.checked_add(rows)).is_some();
        !self.sealed && fits && *self.columns == *columns
    }

    /// Appends rows; returns the position of the first.
    pub fn append(&mut self, batch: RecordBatch, first: RowId) -> Result<u32> {
        let too_big = || Error::OutOfMemory("a batch of rows is too large".into());
        let rows = u32::try_from(batch.num_rows()).map_err(|_| too_big())?;
        let start = self.rows;
        let end = start.checked_add(rows).ok_or_else(too_big)?;
        let continues = self
            .runs
            .back()
            .is_some_and(|r| r.first.ts == first.ts && r.first.ordinal.wrapping_add(start - r.start) == first.ordinal);
        if !continues {
            self.runs.push_back(Run { start, first });
        }
        if let Some(live) = self.live.take() {
            self.live = Some(with_length(&live, end as usize));
        }
        self.bytes += batch_bytes(&batch);
        self.pieces.push(Arc::new(Piece::new(start, batch)));
        self.rows = end;
        self.merge_pieces().map(|()| start)
    }

    /// Keeps the number of batches logarithmic in the number of rows.
    fn merge_pieces(&mut self) -> Result<()> {
        let class = |rows: usize| rows.max(1).ilog(FANOUT);
        while let Some(last) = self.pieces.last() {
            let size = class(last.batch.num_rows());
            if last.batch.num_rows() >= BULK_ROWS {
                break;
            }
            let same = self.pieces.iter().rev().take_while(|p| class(p.batch.num_rows()) <= size).count();
            if same < FANOUT {
                break;
            }
            self.merge_last(same)?;
        }
        Ok(())
    }

    fn merge_last(&mut self, count: usize) -> Result<()> {
        let from = self.pieces.len() - count;
        let schema = self.pieces[from].batch.schema();
        let merged = concat_batches(&schema, self.pieces[from..].iter().map(|p| &p.batch))?;
        let start = self.pieces[from].start;
        self.pieces.truncate(from);
        self.pieces.push(Arc::new(Piece::new(start, compact(&merged)?)));
        Ok(())
    }

    /// Closes the chunk and makes its rows one batch.
    pub fn seal(&mut self) -> Result<()> {
        if self.pieces.len() > 1 {
            self.merge_last(self.pieces.len())?;
        }
        self.sealed = true;
        Ok(())
    }

    /// Drops the rows from `rows` on.
    pub fn truncate(&mut self, rows: u32) {
        self.pieces.retain(|p| p.start < rows);
        if let Some(last) = self.pieces.last_mut() {
            let keep = ((rows - last.start) as usize).min(last.batch.num_rows());
            *last = Arc::new(Piece::new(last.start, last.batch.slice(0, keep)));
        }
        self.runs.truncate(self.runs_while(|r| r.start < rows));
        self.rows = self.rows.min(rows);
        self.bytes = self.pieces.iter().map(|p| batch_bytes(&p.batch)).sum();
    }

    pub fn is_live(&self, row: u32) -> bool {
        row < self.rows && self.live.as_ref().is_none_or(|l| l.value(row as usize))
    }

    /// Marks rows dead; all are live before.
    pub fn kill(&mut self, rows: impl IntoIterator<Item = u32>) {
        let live = self.live.take().unwrap_or_else(|| BooleanBuffer::new_set(self.rows as usize));
        let mut bits = MutableBuffer::from_len_zeroed(live.len().div_ceil(8));
        copy_bits(&live, bits.as_slice_mut());
        for row in rows {
            debug_assert!(row < self.rows);
            arrow::util::bit_util::unset_bit(bits.as_slice_mut(), row as usize);
            self.dead += 1;
        }
        self.live = Some(BooleanBuffer::new(bits.into(), 0, live.len()));
    }

    /// The batch that holds a row, and the row's place in it.
    pub fn locate(&self, row: u32) -> Option<(&Piece, usize)> {
        let at = self.pieces.partition_point(|p| p.start <= row).checked_sub(1)?;
        let piece = &self.pieces[at];
        let offset = (row - piece.start) as usize;
        (offset < piece.batch.num_rows()).then_some((piece, offset))
    }

    /// How many runs come before the first for which this does not hold.
    fn runs_while(&self, holds: impl Fn(&Run) -> bool) -> usize {
        let found = self.runs.binary_search_by(|run| if holds(run) { Ordering::Less } else { Ordering::Greater });
        found.unwrap_or_else(|end| end)
    }

    pub fn row_id(&self, row: u32) -> Option<RowId> {
        let run = self.runs.get(self.runs_while(|r| r.start <= row).checked_sub(1)?)?;
        (row < self.rows).then(|| RowId { ts: run.first.ts, ordinal: run.first.ordinal + (row - run.start) })
    }

    pub fn first_row_id(&self) -> Option<RowId> {
        self.runs.front().map(|r| r.first)
    }

    /// The place of a row by its identity.
    pub fn find(&self, id: RowId) -> Option<u32> {
        let at = self.runs_while(|r| r.first <= id).checked_sub(1)?;
        let (run, end) = (self.runs.get(at)?, self.runs.get(at + 1).map_or(self.rows, |r| r.start));
        let row = run.start.checked_add(id.ordinal.checked_sub(run.first.ordinal)?)?;
        (run.first.ts == id.ts && row < end).then_some(row)
    }

    /// Live rows of a piece; None means all.
    pub fn piece_live(&self, piece: &Piece) -> Option<BooleanBuffer> {
        self.live.as_ref().map(|l| l.slice(piece.start as usize, piece.batch.num_rows()))
    }
}

fn with_length(bits: &BooleanBuffer, len: usize) -> BooleanBuffer {
    let mut longer = MutableBuffer::from_len_zeroed(len.div_ceil(8));
    copy_bits(bits, longer.as_slice_mut());
    for i in bits.len()..len {
        arrow::util::bit_util::set_bit(longer.as_slice_mut(), i);
    }
    BooleanBuffer::new(longer.into(), 0, len)
}

fn copy_bits(from: &BooleanBuffer, to: &mut [u8]) {
    let packed = from.sliced();
    let bytes = packed.as_slice();
    let n = bytes.len().min(to.len());
    to[..n].copy_from_slice(&bytes[..n]);
}

/// Bytes that a batch's rows take, counting shared buffers by the part in use.
pub fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

fn array_bytes(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8View => array.len() * 16 + array.as_string_view().total_buffer_bytes_used(),
        DataType::BinaryView => array.len() * 16 + array.as_binary_view().total_buffer_bytes_used(),
        DataType::Struct(_) => array.as_struct().columns().iter().map(array_bytes).sum::<usize>() + array.len() / 8,
        other => match other.primitive_width() {
            Some(width) => array.len() * width + array.nulls().map_or(0, |nulls| nulls.len() / 8),
            None => array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size()),
        },
    }
}

/// Lets go of buffers that are mostly unused, which slices and merged small batches leave behind.
pub fn compact(batch: &RecordBatch) -> Result<RecordBatch> {
    // Columns of many rows may share the one buffer that they were read into.
    let small = batch.num_rows() < BULK_ROWS;
    let sliced = |c: &ArrayRef| small && c.get_buffer_memory_size() > 2 * array_bytes(c) + SLACK_BYTES;
    let columns = batch.columns().iter().map(|c| match c.data_type() {
        DataType::Utf8View => {
            let a = c.as_string_view();
            let waste = wasteful(a.data_buffers(), a.total_buffer_bytes_used()) || sliced(c);
            Ok(if waste { Arc::new(a.gc()) } else { c.clone() })
        }
        DataType::BinaryView => {
            let a = c.as_binary_view();
            let waste = wasteful(a.data_buffers(), a.total_buffer_bytes_used()) || sliced(c);
            Ok(if waste { Arc::new(a.gc()) } else { c.clone() })
        }
        _ if sliced(c) => Ok(take(c, &UInt32Array::from_iter_values(0..c.len() as u32), None)?),
        _ => Ok(c.clone()),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new_with_options(batch.schema(), columns, &options(batch.num_rows()))?)
}

/// Unused bytes of a column that are not worth a copy.
const SLACK_BYTES: usize = 1024;

fn wasteful(buffers: &[arrow::buffer::Buffer], used: usize) -> bool {
    buffers.len() > 8 || buffers.iter().map(|b| b.len()).sum::<usize>() > used * 2 + SLACK_BYTES
}

/// For batches that may have no columns.
pub fn options(rows: usize) -> arrow::array::RecordBatchOptions {
    arrow::array::RecordBatchOptions::new().with_row_count(Some(rows))
}

/// A batch with columns `ids` as the table's schema has it now: columns in order, absent ones filled in.
pub fn adapt(batch: &RecordBatch, ids: &[ColumnId], shape: &Shape) -> Result<RecordBatch> {
    let Shape { schema, arrow, .. } = shape;
    let same = ids.len() == schema.columns.len() && ids.iter().zip(&schema.columns).all(|(id, c)| *id == c.id);
    if same && batch.schema_ref() == arrow {
        return Ok(batch.clone());
    }
    let columns = schema.columns.iter().map(|c| match ids.iter().position(|id| *id == c.id) {
        Some(at) => Ok(batch.column(at).clone()),
        None => c.missing_array(batch.num_rows()),
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    Ok(RecordBatch::try_new_with_options(arrow.clone(), columns, &options(batch.num_rows()))?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringViewArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn row(i: i32) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![
            Field::new("i", DataType::Int32, true),
            Field::new("s", DataType::Utf8View, true),
        ]));
        let text = StringViewArray::from(vec![format!("a text that is not inlined {i}")]);
        RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from(vec![i])), Arc::new(text)]).unwrap()
    }

    #[test]
    fn many_single_rows_stay_few_batches_at_stable_places() {
        let mut chunk = Chunk::new(3, Arc::from([1, 2]));
        for i in 0..5000 {
            assert_eq!(chunk.append(row(i), RowId { ts: i as u64 + 10, ordinal: 0 }).unwrap(), i as u32);
        }
        assert!(chunk.pieces.len() <= 40, "{}", chunk.pieces.len());
        assert!(!chunk.accepts(1, &[1, 2]));
        for i in [0, 1, 63, 64, 4095, 4999] {
            let (piece, at) = chunk.locate(i).unwrap();
            assert_eq!(piece.batch.column(0).as_primitive::<arrow::datatypes::Int32Type>().value(at), i as i32);
            assert!(piece.batch.column(1).as_string_view().data_buffers().len() <= 8);
            let id = RowId { ts: u64::from(i) + 10, ordinal: 0 };
            assert_eq!((chunk.row_id(i), chunk.find(id)), (Some(id), Some(i)));
        }
        assert_eq!((chunk.locate(5000).map(|x| x.1), chunk.row_id(5000)), (None, None));
        chunk.seal().unwrap();
        assert_eq!((chunk.pieces.len(), chunk.locate(4999).unwrap().1), (1, 4999));
    }

    #[test]
    fn dead_rows_stay_dead_while_the_chunk_grows() {
        let mut chunk = Chunk::new(0, Arc::from([1, 2]));
        for i in 0..20 {
            chunk.append(row(i), RowId { ts: 5, ordinal: i as u32 }).unwrap();
        }
        assert_eq!(chunk.runs.len(), 1);
        chunk.kill([3, 19]);
        chunk.append(row(20), RowId { ts: 6, ordinal: 0 }).unwrap();
        let live: Vec<u32> = (0..chunk.rows).filter(|r| chunk.is_live(*r)).collect();
        assert_eq!((live.len(), chunk.dead), (19, 2));
        assert!(!live.contains(&3) && !live.contains(&19) && live.contains(&20));
        assert_eq!(chunk.find(RowId { ts: 5, ordinal: 20 }), None);
        assert_eq!(chunk.find(RowId { ts: 6, ordinal: 0 }), Some(20));
    }
}
