//! A result that several parts of a plan read: run once, kept in memory within the query's limit.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::TableProvider;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, execute_stream};
use futures::future::{BoxFuture, Shared};
use futures::{FutureExt, StreamExt, TryFutureExt, stream};
use parking_lot::Mutex;
use tokio::sync::OnceCell;

use super::node::one_stream;
use super::round::{Round, rounds_of};

/// The rows of a plan as a table.
pub struct SharedTable {
    plan: LogicalPlan,
    schema: SchemaRef,
    run: OnceCell<Arc<Run>>,
}

impl SharedTable {
    pub fn new(plan: LogicalPlan) -> Self {
        let fields: Vec<Field> =
            plan.schema().fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        Self { plan, schema: Arc::new(Schema::new(fields)), run: OnceCell::new() }
    }

    pub fn plan(&self) -> &LogicalPlan {
        &self.plan
    }
}

impl fmt::Debug for SharedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedTable")
    }
}

/// Batches and the memory they are accounted under.
#[derive(Debug)]
pub(super) struct Rows {
    batches: Vec<RecordBatch>,
    _reservation: MemoryReservation,
}

pub(super) type RowsFuture = Shared<BoxFuture<'static, std::result::Result<Arc<Rows>, Arc<DataFusionError>>>>;

/// One execution, whoever asks first; within recursive queries one for each of the rounds that the plan reads.
struct Run {
    plan: Arc<dyn ExecutionPlan>,
    rounds: Vec<Arc<Round>>,
    /// Numbers of the rounds that were read, and the rows.
    rows: Mutex<Option<(Vec<u64>, RowsFuture)>>,
}

impl Run {
    fn rows(&self, context: &Arc<TaskContext>) -> Result<RowsFuture> {
        let mut rows = self.rows.lock();
        let numbers = self.rounds.iter().map(|round| Ok(round.rows(context)?.0)).collect::<Result<Vec<u64>>>()?;
        if let Some((_, rows)) = rows.as_ref().filter(|(read, _)| *read == numbers) {
            return Ok(rows.clone());
        }
        let plan = match *rows {
            Some(_) => reset_plan_states(self.plan.clone())?,
            None => self.plan.clone(),
        };
        // A task of its own, so that no reader waits for another reader to be polled.
        let task = SpawnedTask::spawn(collect(plan, context.clone()));
        let joined = async move {
            match task.join().await {
                Ok(rows) => rows,
                Err(error) => Err(DataFusionError::ExecutionJoin(Box::new(error))),
            }
        };
        let joined = joined.map_ok(Arc::new).map_err(Arc::new).boxed().shared();
        *rows = Some((numbers, joined.clone()));
        Ok(joined)
    }
}

async fn collect(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>) -> Result<Rows> {
    let stream = execute_stream(plan, context.clone())?;
    keep(stream, context).await
}

/// The rows of a stream, in memory.
pub(super) async fn keep(mut stream: SendableRecordBatchStream, context: Arc<TaskContext>) -> Result<Rows> {
    let reservation = MemoryConsumer::new("shared result").register(context.memory_pool());
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        let batch = batch?;
        reservation.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    Ok(Rows { batches, _reservation: reservation })
}

#[async_trait]
impl TableProvider for SharedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let run = self
            .run
            .get_or_try_init(|| async {
                let plan = state.create_physical_plan(&self.plan).await?;
                let rounds = rounds_of(&plan)?;
                Ok::<_, DataFusionError>(Arc::new(Run { plan, rounds, rows: Mutex::new(None) }))
            })
            .await?;
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or(all);
        let schema = Arc::new(self.schema.project(&projection)?);
        Ok(Arc::new(SharedExec { run: run.clone(), projection, properties: one_stream(schema) }))
    }
}

pub(super) struct SharedExec {
    run: Arc<Run>,
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl SharedExec {
    pub(super) fn rounds(&self) -> &[Arc<Round>] {
        &self.run.rounds
    }
}

impl fmt::Debug for SharedExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedExec")
    }
}

impl DisplayAs for SharedExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = datafusion::physical_plan::displayable(self.run.plan.as_ref());
        match format {
            DisplayFormatType::Verbose => write!(f, "SharedExec: [{}]", inner.one_line()),
            _ => write!(f, "SharedExec: {}", self.run.plan.name()),
        }
    }
}

impl ExecutionPlan for SharedExec {
    fn name(&self) -> &str {
        "SharedExec"
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

    /// Recursive queries do not see the plan behind.
    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn ExecutionPlan>> {
        self.run.rounds.iter().for_each(|round| round.attach(state.clone()));
        None
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.eq_properties.schema().clone();
        Ok(projected(self.run.rows(&context)?, self.projection.clone(), schema))
    }
}

/// Columns of rows that may still be computed.
pub(super) fn projected(rows: RowsFuture, projection: Vec<usize>, schema: SchemaRef) -> SendableRecordBatchStream {
    let target = schema.clone();
    let batches = stream::once(rows)
        .map(move |rows| match rows {
            Err(error) => stream::iter(vec![Err(DataFusionError::Shared(error))]),
            Ok(rows) => {
                let project = |batch: &RecordBatch| {
                    let projected = batch.project(&projection)?;
                    Ok(projected.with_schema(target.clone())?)
                };
                stream::iter(rows.batches.iter().map(project).collect::<Vec<Result<RecordBatch>>>())
            }
        })
        .flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, batches))
}

/// Rows that are there when the plan runs, not yet when it is made: what a data-modifying CTE returns.
#[derive(Debug)]
pub struct LateTable {
    schema: SchemaRef,
    batches: Arc<Mutex<Vec<RecordBatch>>>,
}

impl LateTable {
    pub fn new(columns: impl Iterator<Item = (String, DataType)>) -> Self {
        let fields: Vec<Field> = columns.map(|(name, data_type)| Field::new(name, data_type, true)).collect();
        Self { schema: Arc::new(Schema::new(fields)), batches: Arc::default() }
    }

    /// Sets the rows; their columns are this table's in another name at most.
    pub fn fill(&self, batches: Vec<RecordBatch>) -> Result<()> {
        let renamed = |batch: RecordBatch| Ok(RecordBatch::try_new(self.schema.clone(), batch.columns().to_vec())?);
        let batches = batches.into_iter().map(renamed).collect::<Result<Vec<_>>>()?;
        *self.batches.lock() = batches;
        Ok(())
    }
}

#[async_trait]
impl TableProvider for LateTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let batches = self.batches.lock().clone();
        let source = datafusion::catalog::memory::MemorySourceConfig::try_new_exec(
            &[batches],
            self.schema.clone(),
            projection.cloned(),
        )?;
        Ok(source)
    }
}
