//! Physical scan of a stored table: chunks in memory and row groups of segments, read one after the other in each partition.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aegis_storage::TableSchema;
use aegis_storage::transaction::{ChunkScan, SegmentScan, TableScan};
use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array, new_null_array,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs,
};
use futures::{StreamExt, stream};

use super::error::to_datafusion;

/// Rows per batch from memory.
const BATCH_ROWS: usize = 8192;

/// What a column of the scan is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Position in the store's schema.
    Stored(usize),
    /// A constant `tableoid`.
    TableOid(u32),
    /// A tuple id made from the row's address.
    TupleId,
    /// A transaction or command id, which the store does not keep: always the frozen one.
    Constant(u64),
    Address,
}

/// A piece of the table that is read at once.
#[derive(Debug, Clone)]
enum Unit {
    Chunk(ChunkScan),
    RowGroup { segment: SegmentScan, rows: Range<u32> },
}

impl Unit {
    fn rows(&self) -> usize {
        match self {
            Unit::Chunk(chunk) => chunk.batch.num_rows(),
            Unit::RowGroup { rows, .. } => rows.len(),
        }
    }
}

/// The leaf of plans over stored tables.
#[derive(Debug)]
pub struct TableScanExec {
    name: String,
    table: Arc<TableSchema>,
    sources: Vec<Source>,
    partitions: Vec<Vec<Unit>>,
    limit: Option<usize>,
    row_count: Precision<usize>,
    properties: Arc<PlanProperties>,
    /// Keeps files alive.
    _scan: TableScan,
}

impl TableScanExec {
    pub fn new(
        name: &str,
        scan: &TableScan,
        schema: SchemaRef,
        sources: Vec<Source>,
        limit: Option<usize>,
        target_partitions: usize,
        filtered: bool,
    ) -> Result<Self> {
        let units = units(scan)?;
        let partitions = distribute(units, target_partitions);
        let partitioning = Partitioning::UnknownPartitioning(partitions.len());
        let equivalences = EquivalenceProperties::new(schema);
        let properties =
            PlanProperties::new(equivalences, partitioning, EmissionType::Incremental, Boundedness::Bounded);
        let row_count = match (scan.row_count, filtered) {
            (Some(rows), false) => Precision::Exact(rows),
            (Some(rows), true) => Precision::Inexact(rows),
            (None, _) => Precision::Absent,
        };
        Ok(Self {
            name: name.to_owned(),
            table: scan.table_schema.clone(),
            sources,
            partitions,
            limit,
            row_count,
            properties: Arc::new(properties),
            _scan: scan.clone(),
        })
    }
}

/// The parts of a scan, segments by row group.
fn units(scan: &TableScan) -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    for segment in &scan.segments {
        let footer = segment.segment.footer().map_err(storage)?;
        let mut start = 0_u32;
        for group in footer.metadata().row_groups() {
            let end = start + u32::try_from(group.num_rows()).unwrap_or(0);
            units.push(Unit::RowGroup { segment: segment.clone(), rows: start..end });
            start = end;
        }
    }
    units.extend(scan.chunks.iter().cloned().map(Unit::Chunk));
    Ok(units)
}

fn storage(error: aegis_storage::Error) -> DataFusionError {
    to_datafusion(aegis_catalog::Error::from(error))
}

/// Spreads units over partitions so that each has about the same number of rows. Order within the table stays in a single partition.
fn distribute(units: Vec<Unit>, target: usize) -> Vec<Vec<Unit>> {
    let total: usize = units.iter().map(Unit::rows).sum();
    let count = target.min(units.len()).min(total / BATCH_ROWS + 1).max(1);
    let share = total / count + 1;
    let mut partitions: Vec<Vec<Unit>> = (0..count).map(|_| Vec::new()).collect();
    let mut seen = 0;
    for unit in units {
        let place = (seen / share).min(count - 1);
        seen += unit.rows();
        if let Some(partition) = partitions.get_mut(place) {
            partition.push(unit);
        }
    }
    partitions
}

/// The rows of one chunk, all at once.
pub fn read_chunk(
    chunk: &ChunkScan,
    table: Arc<TableSchema>,
    sources: Vec<Source>,
    schema: SchemaRef,
) -> Result<RecordBatch> {
    let reader = Reader { table, sources, schema: schema.clone() };
    let batches = reader.chunk(chunk)?;
    Ok(concat_batches(&schema, &batches)?)
}

/// How the columns of batches come from units.
#[derive(Clone)]
struct Reader {
    table: Arc<TableSchema>,
    sources: Vec<Source>,
    schema: SchemaRef,
}

impl Reader {
    fn read(&self, unit: &Unit) -> Result<Vec<RecordBatch>> {
        match unit {
            Unit::Chunk(chunk) => self.chunk(chunk),
            Unit::RowGroup { segment, rows } => self.row_group(segment, rows.clone()),
        }
    }

    fn chunk(&self, chunk: &ChunkScan) -> Result<Vec<RecordBatch>> {
        let rows = chunk.batch.num_rows();
        let mut batches = Vec::with_capacity(rows / BATCH_ROWS + 1);
        let mut start = 0;
        while start < rows {
            let count = BATCH_ROWS.min(rows - start);
            let visible = chunk.visible.as_ref().map(|visible| BooleanArray::new(visible.slice(start, count), None));
            let live = visible.as_ref().map_or(count, BooleanArray::true_count);
            // Dead rows go first: they may hold nulls from before their column was NOT NULL.
            let stored = |position: usize| match chunk.batch.columns().get(position) {
                Some(column) => match &visible {
                    None => Ok(column.slice(start, count)),
                    Some(visible) => Ok(arrow::compute::filter(&column.slice(start, count), visible)?),
                },
                None => internal_err!("a chunk has too few columns"),
            };
            let addresses = || {
                let is_live = |row: &usize| visible.as_ref().is_none_or(|visible| visible.value(*row));
                (0..count).filter(is_live).map(|row| chunk.first_address + (start + row) as u64).collect()
            };
            if live > 0 {
                batches.push(self.batch(live, stored, addresses)?);
            }
            start += count;
        }
        Ok(batches)
    }

    fn row_group(&self, segment: &SegmentScan, rows: Range<u32>) -> Result<Vec<RecordBatch>> {
        let live: Vec<u32> = match &segment.deleted {
            None => rows.collect(),
            Some(deleted) => rows.filter(|row| !deleted.contains(*row)).collect(),
        };
        if live.is_empty() {
            return Ok(Vec::new());
        }
        let mut wanted: Vec<usize> = Vec::new();
        for source in &self.sources {
            if let Source::Stored(position) = source
                && !wanted.contains(position)
            {
                wanted.push(*position);
            }
        }
        let columns: Vec<_> = wanted.iter().filter_map(|position| self.table.columns.get(*position)).collect();
        let read = match columns.is_empty() {
            true => Vec::new(),
            false => segment.segment.read(Some(&live), &columns).map_err(storage)?,
        };
        let address = |row: &u32| segment.first_address + u64::from(*row);
        if read.is_empty() {
            let addresses = || live.iter().map(address).collect();
            return Ok(vec![self.batch(live.len(), |_| internal_err!("no columns were read"), addresses)?]);
        }
        let mut batches = Vec::with_capacity(read.len());
        let mut start = 0;
        for batch in read {
            let count = batch.num_rows();
            let stored = |position: usize| {
                let place = wanted.iter().position(|wanted| *wanted == position);
                match place.and_then(|place| batch.columns().get(place)) {
                    Some(column) => Ok(column.clone()),
                    None => internal_err!("a segment has too few columns"),
                }
            };
            let addresses = || live.iter().skip(start).take(count).map(address).collect();
            batches.push(self.batch(count, stored, addresses)?);
            start += count;
        }
        Ok(batches)
    }

    fn batch(
        &self,
        rows: usize,
        stored: impl Fn(usize) -> Result<ArrayRef>,
        addresses: impl Fn() -> Vec<u64>,
    ) -> Result<RecordBatch> {
        let columns = self
            .sources
            .iter()
            .zip(self.schema.fields())
            .map(|(source, field)| {
                Ok(match source {
                    Source::Stored(position) => stored(*position)?,
                    Source::TableOid(oid) => Arc::new(UInt32Array::from_value(*oid, rows)),
                    Source::Address => Arc::new(UInt64Array::from(addresses())),
                    Source::TupleId => Arc::new(UInt64Array::from_iter_values(addresses().into_iter().map(tuple_id))),
                    Source::Constant(value) => constant(field.data_type(), *value, rows),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?)
    }
}

/// A tuple id (block << 16 | offset, offsets from 1) that tells rows apart as their addresses do.
fn tuple_id(address: u64) -> u64 {
    const PER_BLOCK: u64 = 0xFFFE;
    ((address / PER_BLOCK) << 16) | (address % PER_BLOCK + 1)
}

fn constant(data_type: &DataType, value: u64, rows: usize) -> ArrayRef {
    match data_type {
        DataType::UInt32 => Arc::new(UInt32Array::from_value(value as u32, rows)),
        DataType::UInt64 => Arc::new(UInt64Array::from_value(value, rows)),
        other => new_null_array(other, rows),
    }
}

impl DisplayAs for TableScanExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> =
            self.properties.eq_properties.schema().fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "TableScanExec: {}, columns=[{}]", self.name, columns.join(", "))?;
        if let Some(limit) = self.limit {
            write!(f, ", limit={limit}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for TableScanExec {
    fn name(&self) -> &str {
        "TableScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(units) = self.partitions.get(partition).cloned() else {
            return internal_err!("no partition {partition}");
        };
        let schema = self.properties.eq_properties.schema().clone();
        let reader = Reader { table: self.table.clone(), sources: self.sources.clone(), schema: schema.clone() };
        let mut left = self.limit.unwrap_or(usize::MAX);
        let batches = stream::iter(units)
            .map(move |unit| match reader.read(&unit) {
                Ok(batches) => stream::iter(batches.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => stream::iter(vec![Err(error)]),
            })
            .flatten()
            .take_while(move |batch: &Result<RecordBatch>| {
                let open = left > 0;
                left = left.saturating_sub(batch.as_ref().map_or(0, RecordBatch::num_rows));
                futures::future::ready(open)
            });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(self.properties.eq_properties.schema());
        statistics.num_rows = match args.partition() {
            None => self.row_count,
            Some(partition) => {
                let units = self.partitions.get(partition).map(Vec::as_slice).unwrap_or_default();
                Precision::Inexact(units.iter().map(Unit::rows).sum())
            }
        };
        Ok(Arc::new(statistics))
    }
}
