//! Projections below aggregates are taken over by scans and joins before the rules that take long for each node.
//!
//! DataFusion has projections taken over after it has settled distribution and order, which takes the longest. Where rows must be in an
//! order it stays so: a sort passes a join that projects by itself, and would sort rows that the join then leaves out.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::projection_pushdown::ProjectionPushdown;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::sorts::sort::SortExec;

#[derive(Debug)]
pub struct EarlyProjections;

impl PhysicalOptimizerRule for EarlyProjections {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_down(|plan| {
            let Some(aggregate) = plan.downcast_ref::<AggregateExec>().filter(|_| !asks_for_order(&plan)) else {
                return Ok(Transformed::no(plan));
            };
            let input = ProjectionPushdown::new().optimize(Arc::clone(aggregate.input()), config)?;
            let plan = replace_children_if_necessary(plan, vec![input])?;
            Ok(Transformed::new(plan, true, TreeNodeRecursion::Jump))
        })
        .data()
    }

    fn name(&self) -> &str {
        "early_projections"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether an operator of the plan takes or makes rows in an order.
fn asks_for_order(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<SortExec>()
        || plan.required_input_ordering().iter().any(Option::is_some)
        || plan.children().into_iter().any(asks_for_order)
}
