//! Operators that hand on the rows of their input as they are, and do something beside it.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};

pub type Input = Arc<dyn ExecutionPlan>;

/// What such an operator does.
pub trait Beside: fmt::Debug + Send + Sync + Sized + 'static {
    /// The operator's name in plans.
    const NAME: &'static str;

    /// What EXPLAIN shows behind the name.
    fn details(&self) -> Option<String> {
        None
    }

    /// What it computes of the rows.
    fn expression(&self) -> Option<&Arc<dyn PhysicalExpr>> {
        None
    }

    /// For an input that takes the place of the one it has.
    fn for_another_input(&self) -> Self;

    /// For a plan that is executed again.
    fn for_another_execution(&self) -> Self {
        self.for_another_input()
    }

    /// The rows of a partition of `input`.
    fn rows(&self, input: &Input, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream>;
}

#[derive(Debug)]
pub struct PassThroughExec<B> {
    input: Input,
    beside: B,
}

impl<B: Beside> PassThroughExec<B> {
    pub fn over(input: Input, beside: B) -> Arc<dyn ExecutionPlan> {
        Arc::new(Self { input, beside })
    }
}

impl<B: Beside> DisplayAs for PassThroughExec<B> {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.beside.details() {
            Some(details) => write!(f, "{}: {details}", B::NAME),
            None => f.write_str(B::NAME),
        }
    }
}

impl<B: Beside> ExecutionPlan for PassThroughExec<B> {
    fn name(&self) -> &str {
        B::NAME
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

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.beside.expression().map_or(Ok(TreeNodeRecursion::Continue), f)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| self.input.clone());
        Ok(Self::over(input, self.beside.for_another_input()))
    }

    fn reset_state(self: Arc<Self>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Self::over(self.input.clone(), self.beside.for_another_execution()))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.beside.rows(&self.input, partition, context)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        match inputs {
            [input] => Ok(input.clone()),
            _ => internal_err!("an operator has other inputs than its own"),
        }
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}
