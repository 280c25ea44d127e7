//! Sorts that the planner left out, because it forgot what had made them needless.
//!
//! A column that is one constant in each input of a UNION needs no sort there. A join above loses that knowledge, after the sort was
//! pushed through it and dropped (DataFusion's `EquivalenceClass::try_with_offset` keeps constants only if they are literals). The plan
//! is then right but cannot be shown to be, and the last check refuses it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::physical_expr::LexOrdering;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

/// DataFusion's last check of a plan; one that fails gets the sorts that it lacks and another check.
#[derive(Debug)]
pub struct CheckWithMissingSorts;

impl PhysicalOptimizerRule for CheckWithMissingSorts {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let check = SanityCheckPlan::new();
        if let Ok(plan) = check.optimize(Arc::clone(&plan), config) {
            return Ok(plan);
        }
        check.optimize(plan.transform_up(|plan| sort_inputs(plan).map(Transformed::yes)).data()?, config)
    }

    fn name(&self) -> &str {
        "check_with_missing_sorts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn sort_inputs(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let inputs = plan.children().into_iter().zip(plan.required_input_ordering());
    let sorted = inputs.map(|(input, required)| {
        let Some(required) = required.map(|required| required.into_single()) else { return Ok(Arc::clone(input)) };
        if input.equivalence_properties().ordering_satisfy_requirement(required.clone())? {
            return Ok(Arc::clone(input));
        }
        let sort = SortExec::new(LexOrdering::from(required), Arc::clone(input));
        let each_partition = input.output_partitioning().partition_count() > 1;
        Ok(Arc::new(sort.with_preserve_partitioning(each_partition)) as Arc<dyn ExecutionPlan>)
    });
    let sorted = sorted.collect::<Result<Vec<_>>>()?;
    replace_children_if_necessary(plan, sorted)
}
