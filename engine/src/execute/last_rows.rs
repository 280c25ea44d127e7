//! The last row of each series of a table, without a look at all of them (`aegis_storage::last_rows`). If there are too many series for that, all rows.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use aegis_storage::last_rows::{LastPoints, LastSearch, Progress, Series};
use aegis_storage::transaction::TableScan;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, internal_err};
use datafusion::datasource::TableProvider;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr::{PhysicalExpr, conjunction};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::node::one_stream;
use super::provider::StoredTable;
use super::runtime::BATCH_ROWS;
use super::scan::filter::Conjunct;
use super::scan::{Source, storage};
use crate::lower::LastRows;

/// Series up to which they are looked for.
const MOST_SERIES: usize = 1 << 18;

/// A stored table of which the last rows of series are enough.
#[derive(Debug)]
pub struct LastRowsTable {
    table: StoredTable,
    series: Series,
    bounds: (Option<i64>, Option<i64>),
}

impl LastRowsTable {
    pub fn new(table: StoredTable, wanted: &LastRows) -> Self {
        let id = |attnum: &i16| u32::try_from(*attnum).unwrap_or(0);
        let series = Series { keys: wanted.keys.iter().map(id).collect(), time: id(&wanted.time) };
        Self { table, series, bounds: (wanted.from, wanted.until) }
    }
}

#[async_trait]
impl TableProvider for LastRowsTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all_rows = self.table.scan(state, projection, filters, None).await?;
        let search = self.table.scan.last_rows(self.series.clone(), self.bounds, MOST_SERIES).map_err(storage)?;
        if search.is_none() {
            return Ok(all_rows);
        }
        let sources = match projection {
            Some(places) => places.iter().filter_map(|at| self.table.sources.get(*at).copied()).collect(),
            None => self.table.sources.clone(),
        };
        Ok(Arc::new(LastRowsExec {
            name: self.table.name.clone(),
            search: Arc::new(Search {
                scan: self.table.scan.clone(),
                series: self.series.clone(),
                bounds: self.bounds,
            }),
            sources,
            filters: Vec::new(),
            properties: one_stream(all_rows.schema()),
            all_rows,
            metrics: ExecutionPlanMetricsSet::new(),
        }))
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// What is looked for, and where.
#[derive(Debug)]
struct Search {
    scan: TableScan,
    series: Series,
    bounds: (Option<i64>, Option<i64>),
}

impl Search {
    fn begin(&self) -> Result<Option<LastSearch>> {
        self.scan.last_rows(self.series.clone(), self.bounds, MOST_SERIES).map_err(storage)
    }

    /// Is it a column by which rows are found, and so known before they are read?
    fn knows(&self, source: Source) -> bool {
        let Source::Stored(position) = source else { return false };
        let id = self.scan.table_schema.columns.get(position).map(|column| column.id);
        id.is_some_and(|id| id == self.series.time || self.series.keys.contains(&id))
    }
}

#[derive(Debug, Clone)]
struct LastRowsExec {
    name: String,
    search: Arc<Search>,
    /// What each column of the output is made from.
    sources: Vec<Source>,
    /// Conditions on keys and time.
    filters: Vec<Arc<dyn PhysicalExpr>>,
    /// What takes its place if there are too many series.
    all_rows: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl LastRowsExec {
    fn schema(&self) -> &SchemaRef {
        self.properties.eq_properties.schema()
    }

    /// Finds the rows.
    async fn find(&self) -> Result<Option<LastPoints>> {
        let Some(mut search) = self.search.begin()? else { return Ok(None) };
        loop {
            match search.step().map_err(storage)? {
                Progress::Searching => tokio::task::yield_now().await,
                Progress::Found => return search.finish().map(Some).map_err(storage),
                Progress::TooMany => return Ok(None),
            }
        }
    }

    /// The rows that meet the conditions.
    fn read(&self, mut found: LastPoints) -> Result<VecDeque<RecordBatch>> {
        let mut live = None;
        for filter in &self.filters {
            let conjunct = Conjunct::new(filter.clone(), self.schema())?;
            let columns = self.columns(&found, &conjunct.columns)?;
            live = conjunct.narrow(columns, found.len(), live.as_ref())?;
        }
        if let Some(live) = live {
            found.retain(&live);
        }
        let all: Vec<usize> = (0..self.sources.len()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(found.len()));
        let rows = RecordBatch::try_new_with_options(self.schema().clone(), self.columns(&found, &all)?, &options)?;
        let starts = (0..rows.num_rows()).step_by(BATCH_ROWS);
        Ok(starts.map(|start| rows.slice(start, BATCH_ROWS.min(rows.num_rows() - start))).collect())
    }

    /// Columns of the output by their places.
    fn columns(&self, found: &LastPoints, places: &[usize]) -> Result<Vec<ArrayRef>> {
        let sources: Vec<(usize, Source)> =
            places.iter().filter_map(|at| self.sources.get(*at).map(|source| (*at, *source))).collect();
        let stored: Vec<usize> = sources.iter().filter_map(|(_, source)| stored_at(*source)).collect();
        let mut stored = found.columns(&stored).map_err(storage)?.into_iter();
        let addresses = found.addresses().map_err(storage)?;
        let column = |(at, source): (usize, Source)| {
            let data_type: &DataType = self.schema().field(at).data_type();
            match source {
                Source::Stored(_) => stored.next(),
                other => other.computed(data_type, addresses.iter().copied()),
            }
        };
        let columns = sources.into_iter().map(column).collect::<Option<Vec<_>>>();
        columns.map_or_else(|| internal_err!("rows were found with too few columns"), Ok)
    }

    fn everything(&self, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(self.all_rows.clone()));
        match self.filters.is_empty() {
            true => rows.execute(0, context),
            false => FilterExec::try_new(conjunction(self.filters.clone()), rows)?.execute(0, context),
        }
    }
}

fn stored_at(source: Source) -> Option<usize> {
    match source {
        Source::Stored(position) => Some(position),
        _ => None,
    }
}

impl DisplayAs for LastRowsExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let table = &self.search.scan.table_schema;
        let name = |id: &u32| table.columns.iter().find(|c| c.id == *id).map_or("", |c| c.name.as_str());
        let keys: Vec<&str> = self.search.series.keys.iter().map(name).collect();
        let columns: Vec<_> = self.schema().fields().iter().map(|field| field.name().as_str()).collect();
        write!(
            f,
            "LastRowsExec: {}, series=[{}], time={}",
            self.name,
            keys.join(", "),
            name(&self.search.series.time)
        )?;
        write!(f, ", columns=[{}]", columns.join(", "))?;
        for (at, filter) in self.filters.iter().enumerate() {
            write!(f, "{}{filter}", if at == 0 { ", filter=" } else { " AND " })?;
        }
        Ok(())
    }
}

impl ExecutionPlan for LastRowsExec {
    fn name(&self) -> &str {
        "LastRowsExec"
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
        for filter in &self.filters {
            if f(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let exec = self.clone();
        let rows = stream::once(async move {
            let rows: SendableRecordBatchStream = match exec.find().await? {
                Some(found) => {
                    let batches = exec.read(found)?;
                    let rows = stream::iter(batches.into_iter().map(Ok));
                    Box::pin(RecordBatchStreamAdapter::new(exec.schema().clone(), rows))
                }
                None => exec.everything(context)?,
            };
            Ok::<_, datafusion::error::DataFusionError>(rows)
        });
        let rows = rows.try_flatten().inspect(move |batch| {
            metrics.record_output(batch.as_ref().map_or(0, RecordBatch::num_rows));
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema().clone(), rows)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    /// Conditions on what is known before rows are read.
    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        child_pushdown_result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        let known = |filter: &Arc<dyn PhysicalExpr>| {
            let columns = collect_columns(filter);
            let mut sources = columns.iter().map(|column| self.sources.get(column.index()));
            sources.all(|source| source.is_some_and(|source| self.search.knows(*source)))
        };
        let mut taken = self.clone();
        let mut outcome = Vec::new();
        for parent in child_pushdown_result.parent_filters {
            outcome.push(match known(&parent.filter) {
                true => {
                    taken.filters.push(parent.filter);
                    PushedDown::Yes
                }
                false => PushedDown::No,
            });
        }
        let changed = taken.filters.len() > self.filters.len();
        let outcome = FilterPushdownPropagation::with_parent_pushdown_result(outcome);
        Ok(if changed { outcome.with_updated_node(Arc::new(taken)) } else { outcome })
    }
}
