//! What a table's scan consists of, which parts of it may hold the rows wanted, and how they are read.

mod by_key;
pub mod part;
mod statistics;

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use roaring::RoaringBitmap;

use crate::Result;
use crate::memtable::{self, ValueRange, options};
pub use crate::predicate::{Bound, Predicate, Summary, Test};
use crate::schema::{ColumnId, ColumnSchema, IndexId, TableSchema};
use crate::segment::Segment;
use crate::segment::prune::Left;
use crate::transaction::{ADDRESS_COLUMN, RowAddress};
use crate::version::{RowKeys, Shape, Version, address};
pub use part::{Columns, Part, PartBatch, Piece, SegmentPart};
pub use statistics::ColumnStatistics;

/// A table's rows at one snapshot with the transaction's own changes applied. Each live row is in exactly one part.
/// Keeps what it names (files, batches) alive.
#[derive(Debug, Clone)]
pub struct TableScan {
    /// All columns of the table in schema order (no address column).
    pub schema: SchemaRef,
    pub table_schema: Arc<TableSchema>,
    /// Rows in memory.
    pub chunks: Vec<ChunkScan>,
    /// Parquet files.
    pub segments: Vec<SegmentScan>,
    /// Live rows, if known without reading.
    pub row_count: Option<usize>,
    pub(crate) _pin: Arc<Version>,
}

#[derive(Debug, Clone)]
pub struct ChunkScan {
    pub batch: RecordBatch,
    /// Rows of `batch` that are visible; None means all.
    pub visible: Option<BooleanBuffer>,
    /// Address of row i is `first_address + i`.
    pub first_address: RowAddress,
    /// What the batch is made of, and the columns of that.
    held: Option<(Arc<memtable::Piece>, Arc<[ColumnId]>)>,
}

impl ChunkScan {
    /// Rows of no table, all of which are visible.
    pub fn new(batch: RecordBatch, first_address: RowAddress) -> Self {
        Self { batch, visible: None, first_address, held: None }
    }

    pub(crate) fn of(
        piece: &Arc<memtable::Piece>,
        chunk: &memtable::Chunk,
        visible: Option<BooleanBuffer>,
        shape: &Shape,
    ) -> Result<Self> {
        Ok(Self {
            batch: memtable::adapt(&piece.batch, &chunk.columns, shape)?,
            visible,
            first_address: address(chunk.unit, piece.start),
            held: Some((piece.clone(), chunk.columns.clone())),
        })
    }

    /// The range of a column's values; None if it is not known, or all are null.
    fn range(&self, column: &ColumnSchema) -> Result<Option<ValueRange>> {
        let Some((piece, columns)) = &self.held else { return Ok(None) };
        match columns.iter().position(|id| *id == column.id) {
            Some(at) => piece.range(at),
            None => {
                let value = column.missing_value()?;
                Ok((value.null_count() == 0).then(|| (value.clone(), value)))
            }
        }
    }

    /// What is known of a column, which is at `position`; None if that does not decide comparisons.
    fn summary(&self, column: &ColumnSchema, position: usize) -> Result<Option<Summary>> {
        let range = if column.data_type.is_floating() { None } else { self.range(column)? };
        let range = range.filter(|(least, _)| *least.data_type() == column.data_type);
        Ok(range.zip(self.batch.columns().get(position)).map(|((least, greatest), values)| Summary {
            least,
            greatest,
            nulls: UInt64Array::from(vec![values.null_count() as u64]),
            rows: UInt64Array::from(vec![values.len() as u64]),
        }))
    }
}

#[derive(Debug, Clone)]
pub struct SegmentScan {
    pub path: PathBuf,
    pub bytes: u64,
    pub rows: u64,
    /// Rows that must not be seen; None means none. Row i of the file has address `first_address + i`.
    pub deleted: Option<Arc<RoaringBitmap>>,
    pub first_address: RowAddress,
    /// Columns of the table that this file has. The others (added later) are filled from `ColumnSchema::missing`.
    /// Column `c` is stored in the file under the name `c<id>`, its type being
    /// [`stored_type`](crate::segment::stored::stored_type) of the column's.
    pub column_ids: Vec<ColumnId>,
    /// The file's footer and statistics, and reads by row.
    pub segment: Arc<Segment>,
}

impl TableScan {
    /// All live rows, projected to `columns` (positions in the schema; None means all), the hidden address column
    /// last if asked for. Rows come in storage order. Meant for small tables: large ones are read by [`TableScan::parts`].
    pub fn read(&self, columns: Option<&[usize]>, with_address: bool) -> Result<Vec<RecordBatch>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let columns = columns.unwrap_or(&all);
        let mut out = Vec::new();
        for part in self.parts(&[])? {
            for batch in part.read(&self.table_schema, columns) {
                let PartBatch { rows, addresses } = batch?;
                out.push(if with_address { with_addresses(&rows, addresses)? } else { rows });
            }
        }
        Ok(out)
    }

    /// The parts that may hold a row that meets all of `predicates`, in storage order: first segments, then memory.
    pub fn parts(&self, predicates: &[Predicate]) -> Result<Vec<Part>> {
        let keys = by_key::keys(&self.table_schema, predicates)?;
        let mut rows = Vec::new();
        for segment in &self.segments {
            segment.parts(&self.table_schema, predicates, &keys, &mut rows)?;
        }
        Ok(rows.into_iter().map(Part::Rows).chain(self.chunks.iter().cloned().map(Part::Chunk)).collect())
    }
}

impl SegmentScan {
    /// Appends the row groups that may hold a row that meets all conditions, with the rows of their pages that may.
    pub(crate) fn parts(
        &self,
        schema: &TableSchema,
        predicates: &[Predicate],
        keys: &[RowKeys],
        out: &mut Vec<SegmentPart>,
    ) -> Result<()> {
        if !self.segment.may_match(schema, predicates)? {
            return Ok(());
        }
        let by_key = self.rows_by_key(schema, keys)?;
        let (index, rows) =
            (by_key.as_ref().map(|(index, _)| *index), by_key.as_ref().map(|(_, rows)| rows.as_slice()));
        let left = self.segment.prune(schema, predicates, rows)?;
        out.extend(
            left.into_iter()
                .map(|Left { group, all, ranges }| SegmentPart::new(self.clone(), group, all, &ranges, index)),
        );
        Ok(())
    }

    /// The fewest rows that an index leaves, ascending, and which index.
    fn rows_by_key(&self, schema: &TableSchema, keys: &[RowKeys]) -> Result<Option<(IndexId, Vec<u32>)>> {
        let mut fewest: Option<(IndexId, Vec<u32>)> = None;
        for keys in keys {
            let Some(index) = schema.index(keys.index) else { continue };
            let Some(rows) = self.segment.rows_by_key(schema, index, keys)? else { continue };
            if fewest.as_ref().is_none_or(|(_, other)| rows.len() < other.len()) {
                fewest = Some((index.id, rows));
            }
        }
        Ok(fewest)
    }
}

fn with_addresses(batch: &RecordBatch, addresses: Vec<RowAddress>) -> Result<RecordBatch> {
    let addresses = UInt64Array::from(addresses);
    let mut fields = batch.schema_ref().fields().to_vec();
    fields.push(Arc::new(Field::new(ADDRESS_COLUMN, DataType::UInt64, false)));
    let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
    columns.push(Arc::new(addresses));
    let rows = columns.last().map_or(0, |c| c.len());
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options(rows))?)
}
