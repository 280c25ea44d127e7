//! The rows of the last round of a recursive query, which its step may read in several places. DataFusion's own work table gives them
//! to the first reader only.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::TableProvider;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use datafusion::physical_plan::work_table::WorkTableExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{FutureExt, TryFutureExt};
use parking_lot::Mutex;

use super::node::one_stream;
use super::shared::{RowsFuture, SharedExec, keep, projected};

/// The rows of the last round as a table, under the name of the recursive query.
pub struct RoundTable {
    schema: SchemaRef,
    round: Arc<Round>,
}

/// What all readers share.
pub(super) struct Round {
    name: String,
    /// DataFusion's reader. It finds the rows once after each round.
    work: Mutex<Arc<dyn ExecutionPlan>>,
    /// The rows that were read last, and the number of their round.
    rows: Mutex<(u64, Option<RowsFuture>)>,
}

impl RoundTable {
    pub fn new(name: &str, schema: SchemaRef) -> Result<Self> {
        let work: Arc<dyn ExecutionPlan> = Arc::new(WorkTableExec::new(name.to_owned(), schema.clone(), None)?);
        let round = Round { name: name.to_owned(), work: Mutex::new(work), rows: Mutex::new((0, None)) };
        Ok(Self { schema, round: Arc::new(round) })
    }

    pub fn name(&self) -> &str {
        &self.round.name
    }
}

impl Round {
    /// The rows of a round that nobody has read yet, else those that were read last; and the number of the round.
    pub(super) fn rows(&self, context: &Arc<TaskContext>) -> Result<(u64, RowsFuture)> {
        let mut read = self.rows.lock();
        let work = self.work.lock().clone();
        match (work.execute(0, context.clone()), &mut *read) {
            (Ok(stream), (number, rows)) => {
                let kept = keep(stream, context.clone()).map_ok(Arc::new).map_err(Arc::new).boxed().shared();
                *number += 1;
                Ok((*number, rows.insert(kept).clone()))
            }
            (Err(_), (number, Some(rows))) => Ok((*number, rows.clone())),
            (Err(error), (_, None)) => Err(error),
        }
    }

    /// Takes over the work table that a recursive query offers to its step.
    pub(super) fn attach(&self, state: Arc<dyn Any + Send + Sync>) {
        let mut work = self.work.lock();
        if let Some(attached) = work.with_new_state(state) {
            *work = attached;
        }
    }
}

/// The rounds that a plan reads, of recursions around it.
pub(super) fn rounds_of(plan: &Arc<dyn ExecutionPlan>) -> Result<Vec<Arc<Round>>> {
    let (mut found, mut inner): (Vec<Arc<Round>>, Vec<String>) = (Vec::new(), Vec::new());
    plan.apply(|node| {
        let node = node.as_ref() as &dyn Any;
        if let Some(query) = node.downcast_ref::<RecursiveQueryExec>() {
            inner.push(query.name().to_owned());
        } else if let Some(reader) = node.downcast_ref::<RoundExec>() {
            found.push(reader.round.clone());
        } else if let Some(shared) = node.downcast_ref::<SharedExec>() {
            found.extend(shared.rounds().iter().cloned());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    found.retain(|round| !inner.contains(&round.name));
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| Arc::ptr_eq(a, b));
    Ok(found)
}

impl fmt::Debug for RoundTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoundTable {}", self.name())
    }
}

#[async_trait]
impl TableProvider for RoundTable {
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
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or(all);
        let schema = Arc::new(self.schema.project(&projection)?);
        Ok(Arc::new(RoundExec { round: self.round.clone(), projection, properties: one_stream(schema) }))
    }
}

struct RoundExec {
    round: Arc<Round>,
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for RoundExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoundExec")
    }
}

impl DisplayAs for RoundExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoundExec")
    }
}

impl ExecutionPlan for RoundExec {
    fn name(&self) -> &str {
        "RoundExec"
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

    /// The recursive query hands its work table to its step's readers, and allows for one only. Here all readers have the same one,
    /// so none of them is told to be replaced.
    fn with_new_state(&self, state: Arc<dyn Any + Send + Sync>) -> Option<Arc<dyn ExecutionPlan>> {
        self.round.attach(state);
        None
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.eq_properties.schema().clone();
        Ok(projected(self.round.rows(&context)?.1, self.projection.clone(), schema))
    }
}
