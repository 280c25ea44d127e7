//! Partitions put together one after the other, so that rows come in the order in which they are stored (or a UNION ALL names them). They
//! are computed at the same time, each a few batches ahead.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::common::runtime::SpawnedTask;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};
use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::node::one_stream;

/// Batches that a partition may be ahead.
const AHEAD_BATCHES: usize = 4;

/// The plan as one partition in order. Parts whose partitions share a source stay as they are: one of them can't wait for another.
pub fn in_order(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let plan = plan
        .transform_up(|node| {
            let any: &dyn Any = node.as_ref();
            let Some(coalesce) = any.downcast_ref::<CoalescePartitionsExec>() else { return Ok(Transformed::no(node)) };
            if shares_a_source(coalesce.input()) {
                return Ok(Transformed::no(node));
            }
            let input = coalesce.input().clone();
            Ok(Transformed::yes(Arc::new(InOrderExec::new(input, coalesce.fetch())) as Arc<dyn ExecutionPlan>))
        })
        .data()?;
    if plan.output_partitioning().partition_count() <= 1 || shares_a_source(&plan) {
        return Ok(plan);
    }
    Ok(Arc::new(InOrderExec::new(plan, None)))
}

fn shares_a_source(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let any: &dyn Any = plan.as_ref();
    any.is::<RepartitionExec>() || plan.children().into_iter().any(shares_a_source)
}

#[derive(Debug)]
struct InOrderExec {
    input: Arc<dyn ExecutionPlan>,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
}

impl InOrderExec {
    fn new(input: Arc<dyn ExecutionPlan>, fetch: Option<usize>) -> Self {
        Self { properties: one_stream(input.schema()), input, fetch }
    }
}

impl DisplayAs for InOrderExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fetch {
            Some(fetch) => write!(f, "InOrderExec: fetch={fetch}"),
            None => write!(f, "InOrderExec"),
        }
    }
}

impl ExecutionPlan for InOrderExec {
    fn name(&self) -> &str {
        "InOrderExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| self.input.clone());
        Ok(Arc::new(Self::new(input, self.fetch)))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let mut parts = Vec::new();
        for partition in 0..self.input.output_partitioning().partition_count() {
            let mut rows = self.input.execute(partition, context.clone())?;
            let (sender, receiver) = mpsc::channel::<Result<RecordBatch>>(AHEAD_BATCHES);
            let task = SpawnedTask::spawn(async move {
                while let Some(batch) = rows.next().await {
                    if sender.send(batch).await.is_err() {
                        return;
                    }
                }
            });
            parts.push((receiver, task));
        }
        let batches = stream::iter(parts)
            .map(|(receiver, task)| {
                stream::unfold((receiver, Some(task)), |(mut receiver, mut task)| async move {
                    match receiver.recv().await {
                        Some(batch) => Some((batch, (receiver, task))),
                        // The partition is at its end, or its task died.
                        None => match task.take()?.join().await {
                            Ok(()) => None,
                            Err(error) => {
                                let error = datafusion::error::DataFusionError::ExecutionJoin(Box::new(error));
                                Some((Err(error), (receiver, None)))
                            }
                        },
                    }
                })
                .boxed()
            })
            .flatten();
        let mut left = self.fetch.unwrap_or(usize::MAX);
        let limited = batches.scan((), move |(), batch| {
            let batch = match batch {
                _ if left == 0 => None,
                Ok(batch) => {
                    let taken = batch.slice(0, left.min(batch.num_rows()));
                    left -= taken.num_rows();
                    Some(Ok(taken))
                }
                Err(error) => Some(Err(error)),
            };
            futures::future::ready(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.input.schema(), limited)))
    }
}
