//! Inputs of hash joins that start when their first row is asked for.
//!
//! Operators that gather partitions read ahead from the moment they are set up, and a plan is set up as a whole. In a chain of joins every
//! build side would then be read at the same time, and none would profit from what the joins above it have found out: the keys of a build
//! side that is done are a filter of all scans on the other side. A join asks for its other side when its build side is done, so inputs
//! that wait to be asked meet filters that are there.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};

use super::pass_through::{Beside, Input, PassThroughExec};

#[derive(Debug)]
pub struct LateStart;

impl PhysicalOptimizerRule for LateStart {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            if !plan.is::<HashJoinExec>() || !plan.children().into_iter().any(reads_ahead) {
                return Ok(Transformed::no(plan));
            }
            let late = |input: &Arc<dyn ExecutionPlan>| match reads_ahead(input) {
                true => PassThroughExec::over(input.clone(), Late),
                false => input.clone(),
            };
            let inputs = plan.children().into_iter().map(late).collect();
            Ok(Transformed::yes(replace_children_if_necessary(plan, inputs)?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "late_start"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether something is read as soon as the plan is set up.
fn reads_ahead(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if plan.is::<PassThroughExec<Late>>() {
        return false;
    }
    plan.is::<CoalescePartitionsExec>()
        || plan.is::<SortPreservingMergeExec>()
        || plan.children().into_iter().any(reads_ahead)
}

/// Sets its input up when it is asked for a row.
#[derive(Debug)]
struct Late;

impl Beside for Late {
    const NAME: &'static str = "LateExec";

    fn for_another_input(&self) -> Self {
        Self
    }

    fn rows(&self, input: &Input, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (input, schema) = (input.clone(), input.schema());
        let rows = stream::once(async move { input.execute(partition, context) }).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array, RecordBatch};
    use datafusion::catalog::memory::MemorySourceConfig;
    use datafusion::common::{JoinType, NullEquality};
    use datafusion::physical_expr::PhysicalExpr;
    use datafusion::physical_expr::expressions::Column;
    use datafusion::physical_plan::joins::PartitionMode;

    use super::*;

    fn rows(partitions: usize) -> Arc<dyn ExecutionPlan> {
        let rows: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("n", rows)]).unwrap();
        let schema = batch.schema();
        MemorySourceConfig::try_new_exec(&vec![vec![batch]; partitions], schema, None).unwrap()
    }

    fn join(left: Arc<dyn ExecutionPlan>, right: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let column = || Arc::new(Column::new("n", 0)) as Arc<dyn PhysicalExpr>;
        let on = vec![(column(), column())];
        let (mode, nulls) = (PartitionMode::CollectLeft, NullEquality::NullEqualsNothing);
        let kept = Some(vec![0]);
        Arc::new(HashJoinExec::try_new(left, right, on, None, &JoinType::Inner, kept, mode, nulls, false).unwrap())
    }

    #[test]
    fn build_sides_that_would_read_ahead_wait() {
        let gathered = || Arc::new(CoalescePartitionsExec::new(rows(2))) as Arc<dyn ExecutionPlan>;
        let plan = join(rows(1), join(gathered(), rows(2)));
        let plan = LateStart.optimize(plan, &ConfigOptions::default()).unwrap();
        let [outer, inner] = plan.children()[..] else { panic!() };
        assert!(!outer.is::<PassThroughExec<Late>>(), "a single partition is read when it is asked for");
        assert!(!inner.is::<PassThroughExec<Late>>(), "what reads ahead below is late already");
        assert!(inner.children()[0].is::<PassThroughExec<Late>>());
        assert!(!reads_ahead(&plan));
    }
}
