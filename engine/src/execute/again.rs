//! Inputs that may be executed twice. A nested loop join that runs out of memory reads its left side from the start again, but
//! operators such as a repartitioning can be executed only once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{replace_children_if_necessary, reset_plan_states};
use datafusion::physical_plan::joins::NestedLoopJoinExec;

use super::pass_through::{Beside, Input, PassThroughExec};

#[derive(Debug)]
pub struct ReadAgain;

impl PhysicalOptimizerRule for ReadAgain {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() else { return Ok(Transformed::no(plan)) };
            let left = PassThroughExec::over(join.left().clone(), Again::default());
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
#[derive(Debug, Default)]
struct Again {
    executed: AtomicBool,
}

impl Beside for Again {
    const NAME: &'static str = "AgainExec";

    fn for_another_input(&self) -> Self {
        Self::default()
    }

    fn rows(&self, input: &Input, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let input = match self.executed.swap(true, Ordering::Relaxed) {
            false => input.clone(),
            true => reset_plan_states(input.clone())?,
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
        let plan = PassThroughExec::over(Arc::new(CoalescePartitionsExec::new(Arc::new(spread))), Again::default());
        for _ in 0..2 {
            let stream = plan.execute(0, Arc::new(TaskContext::default())).unwrap();
            let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
            assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
        }
    }
}
