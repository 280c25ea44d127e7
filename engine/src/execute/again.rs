//! Inputs that may be executed twice. A nested loop join that runs out of memory reads its left side from the start again, but
//! operators such as a repartitioning can be executed only once.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{replace_children_if_necessary, reset_plan_states};
use datafusion::physical_plan::joins::NestedLoopJoinExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

#[derive(Debug)]
pub struct ReadAgain;

impl PhysicalOptimizerRule for ReadAgain {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() else { return Ok(Transformed::no(plan)) };
            let left: Arc<dyn ExecutionPlan> = Arc::new(AgainExec::new(join.left().clone()));
            let right = join.right().clone();
            Ok(Transformed::yes(replace_children_if_necessary(plan, vec![left, right])?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "read_again"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Starts its input afresh from the second execution on.
struct AgainExec {
    input: Arc<dyn ExecutionPlan>,
    executed: AtomicBool,
}

impl AgainExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        Self { input, executed: AtomicBool::new(false) }
    }
}

impl fmt::Debug for AgainExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgainExec")
    }
}

impl DisplayAs for AgainExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgainExec")
    }
}

impl ExecutionPlan for AgainExec {
    fn name(&self) -> &str {
        "AgainExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| self.input.clone());
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = match self.executed.swap(true, Ordering::Relaxed) {
            false => self.input.clone(),
            true => reset_plan_states(self.input.clone())?,
        };
        input.execute(partition, context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, RecordBatch};
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::physical_expr::Partitioning;
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
    use datafusion::physical_plan::repartition::RepartitionExec;
    use futures::TryStreamExt;

    #[tokio::test]
    async fn the_second_reader_finds_all_rows() {
        let rows: arrow::array::ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("n", rows)]).unwrap();
        let schema = batch.schema();
        let source = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None).unwrap();
        let spread = RepartitionExec::try_new(source, Partitioning::RoundRobinBatch(2)).unwrap();
        let plan = AgainExec::new(Arc::new(CoalescePartitionsExec::new(Arc::new(spread))));
        for _ in 0..2 {
            let stream = plan.execute(0, Arc::new(TaskContext::default())).unwrap();
            let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
        }
    }
}
