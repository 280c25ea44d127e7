//! Reads a part of a segment: batch after batch, live rows only.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use super::SegmentScan;
use crate::Result;
use crate::memtable::options;
use crate::schema::{ColumnSchema, IndexId, TableSchema};
use crate::segment::column_name;
use crate::segment::reader::BATCH_ROWS;
use crate::segment::stored::from_stored;
use crate::transaction::RowAddress;

/// Rows of one row group that a scan reads.
#[derive(Debug, Clone)]
pub struct SegmentPart {
    pub segment: SegmentScan,
    pub(super) group: usize,
    /// The rows of the file that the row group holds.
    pub(super) all: Range<u32>,
    /// Those that may be wanted, ascending.
    pub(super) ranges: Vec<Range<u32>>,
    /// By which they were found.
    pub index: Option<IndexId>,
}

/// Live rows of a part.
#[derive(Debug)]
pub struct PartBatch {
    /// The columns asked for.
    pub rows: RecordBatch,
    /// Each row's address, if asked for.
    pub addresses: Vec<RowAddress>,
}

impl SegmentPart {
    /// Rows that will be decoded.
    pub fn rows(&self) -> usize {
        self.ranges.iter().map(Range::len).sum()
    }

    /// The part in two, the first with at least `rows` rows.
    pub fn split(mut self, rows: usize) -> (Self, Option<Self>) {
        let (mut left, mut first) = (rows, Vec::new());
        let mut rest = self.ranges.clone().into_iter();
        for range in rest.by_ref() {
            if range.len() > left {
                let middle = range.start + left as u32;
                if middle > range.start {
                    first.push(range.start..middle);
                }
                let second = std::iter::once(middle..range.end).chain(rest).collect();
                let second = Self { ranges: second, ..self.clone() };
                if first.is_empty() {
                    return (second, None);
                }
                self.ranges = first;
                return (self, Some(second));
            }
            left -= range.len();
            first.push(range);
        }
        (self, None)
    }

    /// Live rows, projected to `columns` (positions in the schema).
    pub fn read(&self, schema: &TableSchema, columns: &[usize], with_addresses: bool) -> Result<PartReader> {
        let columns: Vec<ColumnSchema> = columns.iter().filter_map(|c| schema.columns.get(*c)).cloned().collect();
        let fields: Vec<Field> = columns.iter().map(|c| Field::new(&c.name, c.data_type.clone(), true)).collect();
        let known = &self.segment.segment.meta.columns;
        let present: Vec<String> =
            columns.iter().filter(|c| known.contains(&c.id)).map(|c| column_name(c.id)).collect();
        let reader = match present.is_empty() {
            true => None,
            false => Some(self.segment.segment.read_group(self.group, &self.all, &self.ranges, &present)?),
        };
        Ok(PartReader {
            part: self.clone(),
            reader,
            names: columns.iter().map(|c| column_name(c.id)).collect(),
            columns,
            schema: Arc::new(Schema::new(fields)),
            with_addresses,
            range: 0,
            taken: 0,
        })
    }
}

/// Yields batches of live rows.
#[derive(Debug)]
pub struct PartReader {
    part: SegmentPart,
    /// None if no column of the file is wanted.
    reader: Option<ParquetRecordBatchReader>,
    columns: Vec<ColumnSchema>,
    names: Vec<String>,
    schema: SchemaRef,
    with_addresses: bool,
    /// The range that the next row is in, and how much of it was read.
    range: usize,
    taken: u32,
}

impl PartReader {
    /// The next rows of the file, as ranges.
    fn take(&mut self, rows: usize) -> Vec<Range<u32>> {
        let (mut left, mut out) = (u32::try_from(rows).unwrap_or(u32::MAX), Vec::new());
        while let Some(range) = self.part.ranges.get(self.range).filter(|_| left > 0) {
            let start = range.start + self.taken;
            let end = range.end.min(start.saturating_add(left));
            left -= end - start;
            out.push(start..end);
            if end == range.end {
                (self.range, self.taken) = (self.range + 1, 0);
            } else {
                self.taken += end - start;
            }
        }
        out
    }

    fn decode(&mut self) -> Option<Result<RecordBatch>> {
        let Some(reader) = &mut self.reader else {
            let left: usize = self.part.ranges.iter().skip(self.range).map(Range::len).sum();
            let rows = left.saturating_sub(self.taken as usize).min(BATCH_ROWS);
            return (rows > 0).then(|| self.assemble(rows, |_| None));
        };
        match reader.next()? {
            Ok(batch) => Some(self.assemble(batch.num_rows(), |name| batch.column_by_name(name))),
            Err(error) => Some(Err(self.part.segment.segment.damaged(error))),
        }
    }

    fn assemble<'b>(&self, rows: usize, stored: impl Fn(&str) -> Option<&'b ArrayRef>) -> Result<RecordBatch> {
        let arrays = self.columns.iter().zip(&self.names).map(|(column, name)| match stored(name) {
            Some(stored) => from_stored(stored, &column.data_type),
            None => column.missing_array(rows),
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options(rows))?)
    }

    fn live(&mut self, batch: RecordBatch) -> Result<PartBatch> {
        let ranges = self.take(batch.num_rows());
        let first = self.part.segment.first_address;
        let deleted = self.part.segment.deleted.clone();
        let dead = deleted.filter(|dead| ranges.iter().any(|r| dead.range_cardinality(r.clone()) > 0));
        let mut live = BooleanBufferBuilder::new(batch.num_rows());
        live.append_n(batch.num_rows(), true);
        if let Some(dead) = &dead {
            let mut start = 0;
            for range in &ranges {
                dead.range(range.clone()).for_each(|row| live.set_bit(start + (row - range.start) as usize, false));
                start += range.len();
            }
        }
        let live = live.finish();
        let addresses = match self.with_addresses {
            true => {
                let rows = ranges.iter().cloned().flatten().zip(&live);
                rows.filter(|(_, live)| *live).map(|(row, _)| first + u64::from(row)).collect()
            }
            false => Vec::new(),
        };
        let rows = match dead {
            None => batch,
            Some(_) => filter_record_batch(&batch, &BooleanArray::new(live, None))?,
        };
        Ok(PartBatch { rows, addresses })
    }
}

impl Iterator for PartReader {
    type Item = Result<PartBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let batch = match self.decode()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(error)),
            };
            match self.live(batch) {
                Ok(batch) if batch.rows.num_rows() == 0 => {}
                other => return Some(other),
            }
        }
    }
}
