//! Windows whose memory is claimed.
//!
//! DataFusion's windows claim nothing. One whose frames reach to the end of a partition keeps all of its input; one that runs along with its
//! input joins what it keeps of it with each new batch, and views that are joined keep all buffers of all batches alive. So whoever hands them
//! rows claims what they keep until they are done: a query that needs too much fails with 53200, and the server lives on.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Result, internal_err};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use futures::StreamExt;

use super::pass_through::{Beside, Input, PassThroughExec};

#[derive(Debug)]
pub struct ClaimWindows;

impl PhysicalOptimizerRule for ClaimWindows {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some(keeps) = kept_by(&plan) else { return Ok(Transformed::no(plan)) };
            let Some(input) = plan.children().first().map(|input| Arc::clone(input)) else {
                return internal_err!("a window has no input");
            };
            let claimed = PassThroughExec::over(input, keeps);
            Ok(Transformed::yes(replace_children_if_necessary(plan, vec![claimed])?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "claim_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What an operator keeps of the rows that it has been given.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Keeps {
    All,
    /// What views point to.
    Buffers,
}

impl Keeps {
    /// Bytes that it keeps of a batch.
    fn of(self, batch: &RecordBatch) -> usize {
        match self {
            Self::All => batch.columns().iter().map(|column| column.get_array_memory_size()).sum(),
            Self::Buffers => batch.columns().iter().map(|column| viewed(column.as_ref())).sum(),
        }
    }
}

fn kept_by(plan: &Arc<dyn ExecutionPlan>) -> Option<Keeps> {
    if plan.downcast_ref::<WindowAggExec>().is_some() {
        return Some(Keeps::All);
    }
    let window = plan.downcast_ref::<BoundedWindowAggExec>()?;
    let is_view = |data_type: &DataType| matches!(data_type, DataType::Utf8View | DataType::BinaryView);
    let schema = window.input().schema();
    schema.fields().iter().any(|field| is_view(field.data_type())).then_some(Keeps::Buffers)
}

/// Bytes outside of the views themselves.
fn viewed(array: &dyn Array) -> usize {
    fn long(lengths: impl Iterator<Item = u32>) -> usize {
        lengths.filter(|length| *length > arrow::array::MAX_INLINE_VIEW_LEN).map(|length| length as usize).sum()
    }
    match array.data_type() {
        DataType::Utf8View => long(array.as_string_view().lengths()),
        DataType::BinaryView => long(array.as_binary_view().lengths()),
        _ => 0,
    }
}

/// Claims what the operator above keeps of the rows, until that lets go of the stream.
impl Beside for Keeps {
    const NAME: &'static str = "ClaimExec";

    fn details(&self) -> Option<String> {
        Some(format!("keeps={self:?}"))
    }

    fn for_another_input(&self) -> Self {
        *self
    }

    fn rows(&self, input: &Input, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let claim = MemoryConsumer::new("window").register(context.memory_pool());
        let keeps = *self;
        let rows = input.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            claim.try_grow(keeps.of(&batch))?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(input.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int32Array, StringViewArray};
    use datafusion::common::DataFusionError;
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::collect;

    use super::*;

    /// Ten batches of 100 numbers and texts of 100 bytes, handed to an operator that keeps some of it.
    async fn run(keeps: Keeps, memory: usize) -> Result<usize> {
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(0..100));
        let texts: ArrayRef = Arc::new(StringViewArray::from_iter_values((0..100).map(|n| format!("{n:0100}"))));
        let batch = RecordBatch::try_from_iter([("n", numbers), ("t", texts)])?;
        let input = MemorySourceConfig::try_new_exec(&[vec![batch.clone(); 10]], batch.schema(), None)?;
        let pool = Arc::new(GreedyMemoryPool::new(memory));
        let environment = RuntimeEnvBuilder::new().with_memory_pool(pool.clone()).build_arc()?;
        let context = Arc::new(TaskContext::default().with_runtime(environment));
        let found = collect(PassThroughExec::over(input, keeps), context).await;
        assert_eq!(datafusion::execution::memory_pool::MemoryPool::reserved(pool.as_ref()), 0);
        found.map(|batches| batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[tokio::test]
    async fn what_is_kept_is_claimed_and_given_back() {
        assert_eq!(run(Keeps::Buffers, 100_000).await.unwrap(), 1000);
        let refused = run(Keeps::Buffers, 99_999).await;
        assert!(matches!(refused, Err(DataFusionError::ResourcesExhausted(_))), "{refused:?}");
        assert_eq!(run(Keeps::All, 200_000).await.unwrap(), 1000);
        assert!(run(Keeps::All, 100_000).await.is_err());
    }
}
