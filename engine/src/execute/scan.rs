//! Physical scan of a stored table: chunks in memory and row groups of segments, read one after the other in each partition.

use std::fmt;
use std::sync::{Arc, OnceLock};

use aegis_storage::TableSchema;
use aegis_storage::transaction::{ChunkScan, Part, PartBatch, Predicate, TableScan};
use arrow::array::{
    Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array, new_null_array,
};
use arrow::compute::{SortOptions, concat_batches};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Result, Statistics, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs,
};
use datafusion::scalar::ScalarValue;
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

/// The leaf of plans over stored tables.
#[derive(Debug)]
pub struct TableScanExec {
    name: String,
    /// By which rows were found.
    index: Option<String>,
    table: Arc<TableSchema>,
    sources: Vec<Source>,
    partitions: Vec<Vec<Part>>,
    limit: Option<usize>,
    row_count: Precision<usize>,
    columns: OnceLock<Vec<ColumnStatistics>>,
    properties: Arc<PlanProperties>,
    /// Keeps files alive.
    scan: TableScan,
}

/// How a scan is to be made.
pub struct ScanRequest<'a> {
    pub name: &'a str,
    pub scan: &'a TableScan,
    /// Of the batches, with what each column is made from.
    pub schema: SchemaRef,
    pub sources: Vec<Source>,
    /// What all wanted rows meet; `filtered` if that is not all that the plan asks of them.
    pub predicates: Vec<Predicate>,
    pub filtered: bool,
    pub limit: Option<usize>,
    pub target_partitions: usize,
}

impl TableScanExec {
    pub fn new(request: ScanRequest<'_>) -> Result<Self> {
        let ScanRequest { name, scan, schema, sources, predicates, filtered, limit, target_partitions } = request;
        let parts = scan.parts(&predicates).map_err(storage)?;
        let read = parts.iter().map(rows_of).sum();
        let index = index_of(&parts, &scan.table_schema);
        let partitions = distribute(parts, target_partitions);
        let partitioning = Partitioning::UnknownPartitioning(partitions.len());
        let equivalences = match ordering(scan, &schema, &sources)? {
            Some(ordering) => EquivalenceProperties::new_with_orderings(schema, [ordering]),
            None => EquivalenceProperties::new(schema),
        };
        let properties =
            PlanProperties::new(equivalences, partitioning, EmissionType::Incremental, Boundedness::Bounded);
        let row_count = match (scan.row_count, filtered) {
            (Some(rows), false) => Precision::Exact(rows),
            (Some(rows), true) => Precision::Inexact(rows.min(read)),
            (None, _) => Precision::Absent,
        };
        Ok(Self {
            name: name.to_owned(),
            index,
            table: scan.table_schema.clone(),
            sources,
            partitions,
            limit,
            row_count,
            columns: OnceLock::new(),
            properties: Arc::new(properties),
            scan: scan.clone(),
        })
    }

    /// What the store knows of each column's values: estimates, good for choosing plans.
    fn column_statistics(&self) -> Result<&[ColumnStatistics]> {
        if let Some(known) = self.columns.get() {
            return Ok(known);
        }
        let of = |source: &Source| {
            let mut column = ColumnStatistics::new_unknown();
            if let Source::Stored(position) = source {
                let known = self.scan.column_statistics(*position).map_err(storage)?;
                let inexact = |count: Option<usize>| count.map_or(Precision::Absent, Precision::Inexact);
                (column.null_count, column.distinct_count) = (inexact(known.nulls), inexact(known.distinct));
                if let Some((least, greatest)) = known.range {
                    column.min_value = Precision::Inexact(ScalarValue::try_from_array(&least, 0)?);
                    column.max_value = Precision::Inexact(ScalarValue::try_from_array(&greatest, 0)?);
                }
            }
            Ok(column)
        };
        let columns = self.sources.iter().map(of).collect::<Result<Vec<_>>>()?;
        Ok(self.columns.get_or_init(|| columns))
    }
}

fn storage(error: aegis_storage::Error) -> DataFusionError {
    to_datafusion(aegis_catalog::Error::from(error))
}

/// The order of rows in each partition, as far as its columns are read.
fn ordering(scan: &TableScan, schema: &SchemaRef, sources: &[Source]) -> Result<Option<LexOrdering>> {
    let options = SortOptions { descending: false, nulls_first: false };
    let mut columns = Vec::new();
    for position in scan.sorted_by().map_err(storage)? {
        let Some(at) = sources.iter().position(|source| *source == Source::Stored(position)) else { break };
        let column = Arc::new(Column::new(schema.field(at).name(), at));
        columns.push(PhysicalSortExpr::new(column, options));
    }
    Ok(LexOrdering::new(columns))
}

/// The name of the index by which parts were found.
fn index_of(parts: &[Part], table: &TableSchema) -> Option<String> {
    let mut indexes = parts.iter().filter_map(|part| match part {
        Part::Rows(part) => table.index(part.index?),
        Part::Chunk(_) => None,
    });
    indexes.next().map(|index| index.name.clone())
}

fn rows_of(part: &Part) -> usize {
    match part {
        Part::Chunk(chunk) => chunk.batch.num_rows(),
        Part::Rows(part) => part.rows(),
    }
}

/// Spreads a table over partitions of about as many rows each, in storage order.
fn distribute(parts: Vec<Part>, target: usize) -> Vec<Vec<Part>> {
    let total: usize = parts.iter().map(rows_of).sum();
    let count = target.min(total / BATCH_ROWS + 1).max(1);
    let share = total.div_ceil(count).max(1);
    let mut partitions: Vec<Vec<Part>> = vec![Vec::new()];
    let mut room = share;
    for part in parts {
        let mut rest = Some(part);
        while let Some(part) = rest.take() {
            if room < BATCH_ROWS && partitions.len() < count {
                partitions.push(Vec::new());
                room += share;
            }
            let (part, more) = match part {
                Part::Rows(rows) if partitions.len() < count => {
                    let (first, more) = rows.split(room.next_multiple_of(BATCH_ROWS));
                    (Part::Rows(first), more.map(Part::Rows))
                }
                whole => (whole, None),
            };
            room = room.saturating_sub(rows_of(&part));
            rest = more;
            if let Some(last) = partitions.last_mut() {
                last.push(part);
            }
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

type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// How the columns of batches come from parts.
#[derive(Clone)]
struct Reader {
    table: Arc<TableSchema>,
    sources: Vec<Source>,
    schema: SchemaRef,
}

impl Reader {
    /// The batches of a part, each decoded when it is asked for.
    fn read(&self, part: Part) -> Result<Batches> {
        match part {
            Part::Chunk(chunk) => Ok(Box::new(self.chunk(&chunk)?.into_iter().map(Ok))),
            Part::Rows(part) => {
                let mut wanted: Vec<usize> = Vec::new();
                for source in &self.sources {
                    if let Source::Stored(position) = source
                        && !wanted.contains(position)
                    {
                        wanted.push(*position);
                    }
                }
                let with_addresses = self.sources.iter().any(|s| matches!(s, Source::Address | Source::TupleId));
                let read = part.read(&self.table, &wanted, with_addresses).map_err(storage)?;
                let reader = self.clone();
                Ok(Box::new(read.map(move |batch| reader.rows(&batch.map_err(storage)?, &wanted))))
            }
        }
    }

    fn rows(&self, part: &PartBatch, wanted: &[usize]) -> Result<RecordBatch> {
        let stored = |position: usize| {
            let place = wanted.iter().position(|wanted| *wanted == position);
            match place.and_then(|place| part.rows.columns().get(place)) {
                Some(column) => Ok(column.clone()),
                None => internal_err!("a segment has too few columns"),
            }
        };
        self.batch(part.rows.num_rows(), stored, || part.addresses.clone())
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
        if let Some(index) = &self.index {
            write!(f, ", index={index}")?;
        }
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
        let Some(parts) = self.partitions.get(partition).cloned() else {
            return internal_err!("no partition {partition}");
        };
        let schema = self.properties.eq_properties.schema().clone();
        let reader = Reader { table: self.table.clone(), sources: self.sources.clone(), schema: schema.clone() };
        let mut left = self.limit.unwrap_or(usize::MAX);
        let batches = stream::iter(parts)
            .map(move |part| match reader.read(part) {
                Ok(batches) => stream::iter(batches),
                Err(error) => stream::iter(Box::new(std::iter::once(Err(error))) as Batches),
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
                let parts = self.partitions.get(partition).map(Vec::as_slice).unwrap_or_default();
                Precision::Inexact(parts.iter().map(rows_of).sum())
            }
        };
        statistics.column_statistics = self.column_statistics()?.to_vec();
        Ok(Arc::new(statistics))
    }
}
