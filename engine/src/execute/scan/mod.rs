//! Physical scan of a stored table: chunks in memory and row groups of segments, read one after the other in each partition, and
//! filtered there: by what the statement says and by what sorts and joins above find out while it runs.

pub(super) mod filter;
pub mod predicate;
mod promise;
mod read;

use std::fmt;
use std::sync::{Arc, OnceLock};

use aegis_storage::transaction::{ChunkScan, Part, Predicate, TableScan};
use aegis_storage::{IndexId, IndexSchema, TableSchema};
use arrow::array::RecordBatch;
use arrow::compute::SortOptions;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Result, Statistics, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column};
use datafusion::physical_expr::projection::ProjectionMapping;
use datafusion::physical_expr::{EquivalenceProperties, LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, CardinalityEffect, EmissionType};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SortOrderPushdownResult, StatisticsArgs,
};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use self::filter::{Conjunct, arrange, with_columns};
use self::read::Reader;
use super::error::to_datafusion;
use super::join_keys::JoinKeys;
use super::runtime::BATCH_ROWS;
use crate::counters::RelationCounters;

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
#[derive(Debug, Clone)]
pub struct TableScanExec {
    name: String,
    /// By which rows were found.
    index: Option<String>,
    reader: Reader,
    partitions: Arc<Vec<Vec<Part>>>,
    row_count: Precision<usize>,
    /// Of the columns of the scan.
    columns: OnceLock<Vec<ColumnStatistics>>,
    /// Of the output of all partitions: planning asks many times.
    statistics: OnceLock<Arc<Statistics>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
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
    /// Where is counted what is read: of an index, or of the table.
    pub counters: &'a dyn Fn(Option<IndexId>) -> Arc<RelationCounters>,
}

/// Counts what a scan reads.
#[derive(Debug, Clone)]
struct Counted {
    relation: Arc<RelationCounters>,
    by_index: bool,
}

impl Counted {
    fn read(&self, rows: u64) {
        self.relation.scanned(rows);
        if self.by_index {
            self.relation.found(rows);
        }
    }
}

impl TableScanExec {
    pub fn new(request: ScanRequest<'_>) -> Result<Self> {
        let ScanRequest { name, scan, schema, sources, predicates, filtered, limit, target_partitions, .. } = request;
        let parts = scan.parts(&predicates).map_err(storage)?;
        let read = parts.iter().map(Part::rows).sum();
        let index = index_of(&parts, &scan.table_schema);
        let counted = Counted { relation: (request.counters)(index.map(|index| index.id)), by_index: index.is_some() };
        let index = index.map(|index| index.name.clone());
        let partitions = distribute(parts, target_partitions);
        let partitioning = Partitioning::UnknownPartitioning(partitions.len());
        let equivalences = match ordering(scan, &schema, &sources)? {
            Some(ordering) => EquivalenceProperties::new_with_orderings(schema.clone(), [ordering]),
            None => EquivalenceProperties::new(schema.clone()),
        };
        let properties =
            PlanProperties::new(equivalences, partitioning, EmissionType::Incremental, Boundedness::Bounded);
        let row_count = match (scan.row_count, filtered) {
            (Some(rows), false) => Precision::Exact(rows),
            (Some(rows), true) => Precision::Inexact(rows.min(read)),
            (None, _) => Precision::Absent,
        };
        let reader = Reader {
            table: scan.table_schema.clone(),
            layout: schema.clone(),
            output: (0..sources.len()).collect(),
            sources,
            conjuncts: Vec::new(),
            schema,
            limit,
            counted: Some(counted),
        };
        Ok(Self {
            name: name.to_owned(),
            index,
            reader,
            partitions: Arc::new(partitions),
            row_count,
            columns: OnceLock::new(),
            statistics: OnceLock::new(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
            scan: scan.clone(),
        })
    }

    /// The same scan, which leaves out rows that do not meet all of `filters` (over its output).
    fn filtered(&self, filters: Vec<Arc<dyn PhysicalExpr>>) -> Result<Self> {
        let mut scan = self.clone();
        let mut equal = Vec::new();
        for filter in filters {
            if let Some(equality) = filter.downcast_ref::<BinaryExpr>().filter(|binary| *binary.op() == Operator::Eq) {
                equal.push((equality.left().clone(), equality.right().clone()));
            }
            let whole = with_columns(&filter, |at| self.reader.output.get(at).copied())?;
            scan.reader.conjuncts.push(Conjunct::new(whole, &self.reader.layout)?);
        }
        arrange(&mut scan.reader.conjuncts);
        scan.row_count = self.row_count.to_inexact();
        scan.statistics = OnceLock::new();
        // Operators above keep theirs as long as these are the same.
        if !equal.is_empty() {
            let mut equivalences = self.properties.eq_properties.clone();
            for (left, right) in equal {
                equivalences.add_equal_conditions(left, right)?;
            }
            scan.properties = Arc::new((*self.properties).clone().with_eq_properties(equivalences));
        }
        Ok(scan)
    }

    /// The same scan, whose filter of that id looks rows up in a join's keys; None if it has no such filter.
    pub(super) fn with_keys(&self, filter: u64, keys: &Arc<JoinKeys>) -> Option<Self> {
        let mut scan = self.clone();
        let asked = scan.reader.conjuncts.iter_mut().map(|conjunct| conjunct.ask(filter, keys));
        asked.fold(false, |any, asks| any | asks).then_some(scan)
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
        let columns = self.reader.sources.iter().map(of).collect::<Result<Vec<_>>>()?;
        Ok(self.columns.get_or_init(|| columns))
    }
}

pub(super) fn storage(error: aegis_storage::Error) -> DataFusionError {
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

/// The index by which parts were found.
fn index_of<'t>(parts: &[Part], table: &'t TableSchema) -> Option<&'t IndexSchema> {
    let mut indexes = parts.iter().filter_map(|part| match part {
        Part::Rows(part) => table.index(part.index?),
        Part::Chunk(_) => None,
    });
    indexes.next()
}

/// Spreads a table over partitions of about as many rows each, in storage order.
fn distribute(parts: Vec<Part>, target: usize) -> Vec<Vec<Part>> {
    let total: usize = parts.iter().map(Part::rows).sum();
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
            let (part, more) = match partitions.len() < count {
                true => part.split(room.next_multiple_of(BATCH_ROWS)),
                false => (part, None),
            };
            room = room.saturating_sub(part.rows());
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
    chunk: ChunkScan,
    table: Arc<TableSchema>,
    sources: Vec<Source>,
    schema: SchemaRef,
) -> Result<RecordBatch> {
    let output = (0..sources.len()).collect();
    let reader = Reader {
        table,
        layout: schema.clone(),
        sources,
        conjuncts: Vec::new(),
        output,
        schema: schema.clone(),
        limit: None,
        counted: None,
    };
    reader.read_whole(Part::Chunk(chunk))
}

impl DisplayAs for TableScanExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<_> =
            self.properties.eq_properties.schema().fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "TableScanExec: {}, columns=[{}]", self.name, columns.join(", "))?;
        if let Some(index) = &self.index {
            write!(f, ", index={index}")?;
        }
        for (at, conjunct) in self.reader.conjuncts.iter().enumerate() {
            write!(f, "{}{}", if at == 0 { ", filter=" } else { " AND " }, conjunct.whole())?;
        }
        if let Some(limit) = self.reader.limit {
            write!(f, ", limit={limit}")?;
        }
        let stored: u64 = self.scan.segments.iter().map(|segment| segment.rows).sum();
        let read: usize =
            self.partitions.iter().flatten().filter(|part| matches!(part, Part::Rows(_))).map(Part::rows).sum();
        if (read as u64) < stored && self.index.is_none() {
            write!(f, ", reads={read} of {stored} stored rows")?;
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
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for conjunct in &self.reader.conjuncts {
            if f(conjunct.whole())? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    /// What joins found out in an earlier execution may not hold in the next.
    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        let mut scan = self.as_ref().clone();
        scan.reader.conjuncts.retain(|conjunct| !conjunct.is_dynamic());
        scan.metrics = ExecutionPlanMetricsSet::new();
        Ok(Arc::new(scan))
    }

    fn execute(&self, partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(parts) = self.partitions.get(partition).cloned() else {
            return internal_err!("no partition {partition}");
        };
        if let Some(counted) = self.reader.counted.as_ref().filter(|_| partition == 0) {
            counted.relation.scans.add(1);
        }
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let rows = self.reader.clone().stream(parts).inspect(move |batch| {
            metrics.record_output(batch.as_ref().map_or(0, RecordBatch::num_rows));
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.reader.schema.clone(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        let mut scan = self.clone();
        scan.reader.limit = limit;
        Some(Arc::new(scan))
    }

    fn fetch(&self) -> Option<usize> {
        self.reader.limit
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::LowerEqual
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let filters: Vec<_> = child_pushdown_result.parent_filters.into_iter().map(|parent| parent.filter).collect();
        if filters.is_empty() || self.reader.limit.is_some() {
            let refused = vec![PushedDown::No; filters.len()];
            return Ok(FilterPushdownPropagation::with_parent_pushdown_result(refused));
        }
        let taken = FilterPushdownPropagation::with_parent_pushdown_result(vec![PushedDown::Yes; filters.len()]);
        Ok(taken.with_updated_node(Arc::new(self.filtered(filters)?)))
    }

    fn try_swapping_with_projection(&self, projection: &ProjectionExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let kept = projection.expr().iter().map(|expr| {
            let column = expr.expr.downcast_ref::<Column>().filter(|column| column.name() == expr.alias)?;
            Some(column.index())
        });
        let Some(kept) = kept.collect::<Option<Vec<usize>>>() else { return Ok(None) };
        let mut scan = self.clone();
        let Some(output) = kept.iter().map(|at| self.reader.output.get(*at).copied()).collect() else {
            return internal_err!("a projection has a column that its scan has not");
        };
        scan.reader.output = output;
        scan.statistics = OnceLock::new();
        scan.reader.schema = Arc::new(Schema::project(&self.reader.schema, &kept)?);
        let mapping = ProjectionMapping::from_indices(&kept, &self.reader.schema)?;
        let equivalences = self.properties.eq_properties.project(&mapping, scan.reader.schema.clone());
        scan.properties = Arc::new((*self.properties).clone().with_eq_properties(equivalences));
        Ok(Some(Arc::new(scan)))
    }

    /// For a sort by one of its columns first: parts that may have the first rows are read first, so that a sort of few rows soon knows what
    /// the others would need to have.
    fn try_pushdown_sort(&self, order: &[PhysicalSortExpr]) -> Result<SortOrderPushdownResult<Arc<dyn ExecutionPlan>>> {
        let unsupported = Ok(SortOrderPushdownResult::Unsupported);
        let parts: Vec<Part> = self.partitions.iter().flatten().cloned().collect();
        let Some(first) = order.first().filter(|_| parts.len() > 1) else { return unsupported };
        let place = first.expr.downcast_ref::<Column>().and_then(|column| self.reader.output.get(column.index()));
        let source = place.and_then(|at| self.reader.sources.get(*at));
        let Some(Source::Stored(position)) = source else { return unsupported };
        let Some(parts) = promise::arrange(parts, &self.reader.table, *position, first.options)? else {
            return unsupported;
        };
        let mut scan = self.clone();
        scan.partitions = Arc::new(promise::deal(parts, self.partitions.len()));
        let mut equivalences = self.properties.eq_properties.clone();
        equivalences.clear_orderings();
        scan.properties = Arc::new((*self.properties).clone().with_eq_properties(equivalences));
        Ok(SortOrderPushdownResult::Inexact { inner: Arc::new(scan) })
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        if let Some(known) = self.statistics.get().filter(|_| args.partition().is_none()) {
            return Ok(known.clone());
        }
        let mut statistics = Statistics::new_unknown(self.properties.eq_properties.schema());
        statistics.num_rows = match args.partition() {
            None => self.row_count,
            Some(partition) => {
                let parts = self.partitions.get(partition).map(Vec::as_slice).unwrap_or_default();
                Precision::Inexact(parts.iter().map(Part::rows).sum())
            }
        };
        let columns = self.column_statistics()?;
        statistics.column_statistics = self.reader.output.iter().filter_map(|at| columns.get(*at).cloned()).collect();
        let statistics = Arc::new(statistics);
        Ok(match args.partition() {
            None => self.statistics.get_or_init(|| statistics).clone(),
            Some(_) => statistics,
        })
    }
}
