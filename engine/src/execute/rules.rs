//! The rules that make a logical plan better, and how they are run: as a single rule of DataFusion's optimizer.
//!
//! DataFusion's own driver offers each node to each rule in each pass. If a rule may fail it also keeps the plan as it was before the
//! rule, so that every rule copies all nodes that it is offered. Here a rule is offered the nodes that it can change, is not run again
//! over a plan that it has left as it was, and works on the only copy; if one fails, all start anew and what fails is left out.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, Result};
use datafusion::execution::SessionState;
use datafusion::logical_expr::logical_plan::{InvariantLevel, assert_expected_schema};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use datafusion::physical_plan::ExecutionPlan;

/// Times that all rules are run over a plan that does not stay as it is.
pub const PASSES: usize = 3;

/// Kinds of nodes, one bit each.
type Kinds = u16;

const ANY: Kinds = Kinds::MAX;
const FILTER: Kinds = 1 << 0;
const JOIN: Kinds = 1 << 1;
const OUTER_JOIN: Kinds = 1 << 2;
const AGGREGATE: Kinds = 1 << 3;
const SORT: Kinds = 1 << 4;
const LIMIT: Kinds = 1 << 5;
const UNION: Kinds = 1 << 6;
const DISTINCT: Kinds = 1 << 7;
const EMPTY: Kinds = 1 << 8;
const OTHER: Kinds = 1 << 9;

/// What a rule works on.
#[derive(Debug, Clone, Copy)]
struct Scope {
    name: &'static str,
    /// Without one of these it changes nothing in a plan.
    within: Kinds,
    /// The nodes that it looks at, one at a time.
    at: Kinds,
    /// Without a node of which this is true it changes nothing either.
    needs: fn(&LogicalPlan) -> bool,
    /// It says that it has changed the plan whenever it was run.
    always_claims: bool,
}

const fn scope(name: &'static str, within: Kinds, at: Kinds) -> Scope {
    Scope { name, within, at, needs: |_| true, always_claims: false }
}

/// DataFusion's rules that do not look at all nodes, as their code has it.
const SCOPES: [Scope; 14] = [
    Scope { always_claims: true, ..scope("optimize_unions", UNION, UNION | DISTINCT) },
    scope("replace_distinct_aggregate", DISTINCT, DISTINCT),
    scope("eliminate_join", JOIN, ANY),
    scope("extract_equijoin_predicate", JOIN, JOIN),
    scope("eliminate_duplicated_expr", SORT | AGGREGATE, SORT | AGGREGATE),
    scope("eliminate_filter", FILTER, FILTER),
    Scope { needs: is_loose, always_claims: true, ..scope("eliminate_cross_join", JOIN, ANY) },
    scope("eliminate_limit", LIMIT, LIMIT),
    scope("propagate_empty_relation", EMPTY, ANY),
    scope("eliminate_outer_join", OUTER_JOIN, FILTER),
    scope("push_down_limit", LIMIT, LIMIT),
    scope("push_down_filter", FILTER | JOIN, FILTER | JOIN),
    scope("single_distinct_aggregation_to_group_by", AGGREGATE, AGGREGATE),
    scope("eliminate_group_by_constant", AGGREGATE, AGGREGATE),
];

const SIMPLIFY: &str = "simplify_expressions";

fn kind(plan: &LogicalPlan) -> Kinds {
    match plan {
        LogicalPlan::Filter(_) => FILTER,
        LogicalPlan::Join(join) if join.join_type.is_outer() => JOIN | OUTER_JOIN,
        LogicalPlan::Join(_) => JOIN,
        LogicalPlan::Aggregate(_) => AGGREGATE,
        LogicalPlan::Sort(_) => SORT,
        LogicalPlan::Limit(_) => LIMIT,
        LogicalPlan::Union(_) => UNION,
        LogicalPlan::Distinct(_) => DISTINCT,
        LogicalPlan::EmptyRelation(_) => EMPTY,
        _ => OTHER,
    }
}

/// All kinds of nodes that a plan has.
fn kinds(plan: &LogicalPlan) -> Kinds {
    let mut found = 0;
    // The walk itself cannot fail; if it could, all rules would run.
    let walked = plan.apply(|node| {
        found |= kind(node);
        Ok(TreeNodeRecursion::Continue)
    });
    walked.map_or(ANY, |_| found)
}

fn is_inner_join(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Join(join) if join.join_type == JoinType::Inner)
}

/// Whether inner joins may be put in another order or get further keys here.
fn is_loose(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => is_inner_join(&filter.input),
        LogicalPlan::Join(join) if join.join_type == JoinType::Inner => {
            join.on.is_empty() || join.filter.is_some() || is_inner_join(&join.left) || is_inner_join(&join.right)
        }
        _ => false,
    }
}

/// Whether there is something to simplify in a node: more than columns and constants under names.
fn computes(plan: &LogicalPlan) -> bool {
    fn is_plain(expr: &Expr) -> bool {
        match expr {
            Expr::Column(_) | Expr::Literal(..) => true,
            Expr::Alias(alias) => is_plain(&alias.expr),
            _ => false,
        }
    }
    let stop = plan.apply_expressions(|expr| {
        Ok(if is_plain(expr) { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    // An aggregate's calls may be changed as a whole.
    matches!(plan, LogicalPlan::Aggregate(_)) || !matches!(stop, Ok(TreeNodeRecursion::Continue))
}

#[derive(Debug)]
struct Step {
    rule: Arc<dyn OptimizerRule + Send + Sync>,
    scope: Scope,
}

impl Step {
    fn new(rule: Arc<dyn OptimizerRule + Send + Sync>) -> Self {
        let known = SCOPES.iter().find(|scope| scope.name == rule.name());
        let scope = known.copied().unwrap_or(scope("", ANY, ANY));
        Self { rule, scope }
    }

    /// Whether it may change something in a plan with nodes of these kinds.
    fn concerns(&self, plan: &LogicalPlan, kinds: Kinds) -> bool {
        // The walk cannot fail; if it could, the rule would run.
        self.scope.within & kinds != 0 && plan.exists(|node| Ok((self.scope.needs)(node))).unwrap_or(true)
    }

    fn looks_at(&self, plan: &LogicalPlan) -> bool {
        self.scope.at & kind(plan) != 0 && (self.rule.name() != SIMPLIFY || computes(plan))
    }

    /// True if the plan has changed. After an error it is lost. `sure` asks for the truth of rules that claim more.
    fn run(&self, plan: &mut LogicalPlan, config: &dyn OptimizerConfig, sure: bool) -> Result<bool> {
        let before = (sure && self.scope.always_claims).then(|| plan.clone());
        let claims = match self.rule.apply_order() {
            Some(order) => self.offer(plan, order, config)?,
            None => replace(plan, |plan| self.rule.rewrite(plan, config))?.0,
        };
        Ok(claims && before.is_none_or(|before| before != *plan))
    }

    /// Offers the nodes of a plan to the rule.
    fn offer(&self, plan: &mut LogicalPlan, order: ApplyOrder, config: &dyn OptimizerConfig) -> Result<bool> {
        crate::stack::with_room(|| {
            let mut changed = false;
            if order == ApplyOrder::TopDown && self.looks_at(plan) {
                let (here, recursion) = replace(plan, |plan| self.rule.rewrite(plan, config))?;
                changed = here;
                if recursion == TreeNodeRecursion::Stop {
                    return Ok(changed);
                }
            }
            let mut columns_changed = false;
            changed |= for_inputs(plan, &mut |input| {
                let schema = Arc::clone(input.schema());
                let changed = self.offer(input, order, config)?;
                columns_changed |= changed && schema != *input.schema();
                Ok(changed)
            })?;
            if columns_changed {
                *plan = std::mem::take(plan).recompute_schema()?;
            }
            if order == ApplyOrder::BottomUp && self.looks_at(plan) {
                changed |= replace(plan, |plan| self.rule.rewrite(plan, config))?.0;
            }
            Ok(changed)
        })
    }
}

/// Changes a plan by a function that takes it; whether it has changed, and how to go on.
fn replace(
    plan: &mut LogicalPlan,
    change: impl FnOnce(LogicalPlan) -> Result<Transformed<LogicalPlan>>,
) -> Result<(bool, TreeNodeRecursion)> {
    let result = change(std::mem::take(plan))?;
    *plan = result.data;
    Ok((result.transformed, result.tnr))
}

/// Changes the inputs of a node in place, those that nobody else has without copying them. True if one has changed.
fn for_inputs(plan: &mut LogicalPlan, change: &mut dyn FnMut(&mut LogicalPlan) -> Result<bool>) -> Result<bool> {
    match plan {
        LogicalPlan::Projection(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::Filter(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::Window(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::Aggregate(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::Sort(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::Limit(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::SubqueryAlias(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::Unnest(node) => change(Arc::make_mut(&mut node.input)),
        LogicalPlan::Join(node) => {
            let left = change(Arc::make_mut(&mut node.left))?;
            Ok(change(Arc::make_mut(&mut node.right))? || left)
        }
        LogicalPlan::Union(node) => {
            let mut changed = false;
            for input in &mut node.inputs {
                changed |= change(Arc::make_mut(input))?;
            }
            Ok(changed)
        }
        LogicalPlan::TableScan(_) | LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => Ok(false),
        other => {
            let by_value =
                |mut input: LogicalPlan| change(&mut input).map(|changed| Transformed::new_transformed(input, changed));
            Ok(replace(other, |plan| plan.map_children(by_value))?.0)
        }
    }
}

/// Rules, run one after the other until none has anything to change.
#[derive(Debug)]
pub struct Rules {
    steps: Vec<Step>,
    passes: usize,
}

impl Rules {
    pub fn new(rules: impl IntoIterator<Item = Arc<dyn OptimizerRule + Send + Sync>>, passes: usize) -> Self {
        Self { steps: rules.into_iter().map(Step::new).collect(), passes }
    }

    /// With `lenient`, rules that fail are left out.
    fn run(&self, mut plan: LogicalPlan, config: &dyn OptimizerConfig, lenient: bool) -> Result<LogicalPlan> {
        let schema = Arc::clone(plan.schema());
        let mut version = 0;
        let mut found = (version, kinds(&plan));
        // The version of the plan that each rule has seen last, if it has left it as it was.
        let mut settled = vec![None; self.steps.len()];
        for pass in 0..self.passes {
            let before = version;
            for (step, settled) in self.steps.iter().zip(&mut settled) {
                if found.0 != version {
                    found = (version, kinds(&plan));
                }
                if *settled == Some(version) || !step.concerns(&plan, found.1) {
                    continue;
                }
                let changed = match lenient {
                    false => step.run(&mut plan, config, pass > 0)?,
                    true => {
                        let kept = plan.clone();
                        let outcome = step.run(&mut plan, config, pass > 0);
                        let outcome =
                            outcome.and_then(|changed| assert_expected_schema(&schema, &plan).map(|()| changed));
                        outcome.unwrap_or_else(|error| {
                            tracing::debug!("{} is left out: {error}", step.rule.name());
                            plan = kept;
                            false
                        })
                    }
                };
                match changed {
                    true => version += 1,
                    false => *settled = Some(version),
                }
            }
            if version == before {
                break;
            }
        }
        assert_expected_schema(&schema, &plan)?;
        Ok(plan)
    }
}

impl OptimizerRule for Rules {
    fn name(&self) -> &str {
        "rules"
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let kept = plan.clone();
        let better = match self.run(plan, config, false) {
            Ok(better) => better,
            Err(_) => self.run(kept, config, true)?,
        };
        Ok(Transformed::yes(better))
    }
}

/// A plan as the rules of a state make it. What DataFusion checks around its rules is checked in tests alone.
pub fn optimize(plan: &LogicalPlan, state: &SessionState) -> Result<LogicalPlan> {
    let run = |plan: LogicalPlan, rule: &Arc<dyn OptimizerRule + Send + Sync>| {
        rule.rewrite(plan, state).map(|result| result.data)
    };
    let better = state.optimizer().rules.iter().try_fold(plan.clone(), run)?;
    if cfg!(debug_assertions) {
        better.check_invariants(InvariantLevel::Executable)?;
    }
    Ok(better)
}

/// How a plan is executed.
pub async fn physical_plan(plan: &LogicalPlan, state: &SessionState) -> Result<Arc<dyn ExecutionPlan>> {
    let better = optimize(plan, state)?;
    state.query_planner().create_physical_plan(&better, state).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::plan_err;
    use datafusion::functions_aggregate::expr_fn::sum;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit, table_scan};
    use datafusion::optimizer::{Optimizer, OptimizerContext};

    use super::*;

    fn table(name: &str) -> LogicalPlanBuilder {
        let column = |column: &str| Field::new(format!("{name}_{column}"), DataType::Int64, true);
        let schema = Schema::new(vec![column("id"), column("other"), column("amount"), column("unused")]);
        table_scan(Some(name), &schema, None).unwrap()
    }

    fn plans() -> Vec<LogicalPlan> {
        let joined = |kind| {
            let join = table("a").cross_join(table("b").build().unwrap()).unwrap();
            join.join_on(table("c").build().unwrap(), kind, [col("c_id").eq(col("a_other"))]).unwrap()
        };
        let condition = || {
            let keys = col("a_id").eq(col("b_other")).and(col("a_amount").gt(lit(1_i64) + lit(2_i64)));
            keys.and(col("b_amount").is_not_null()).and(lit(true))
        };
        let grouped = |kind| {
            let rows = joined(kind).filter(condition()).unwrap();
            rows.aggregate([col("a_id"), col("b_id")], [sum(col("c_amount")), sum(col("c_amount") + lit(0_i64))])
                .unwrap()
        };
        let of_both = table("a").union(table("b").build().unwrap()).unwrap();
        [
            grouped(JoinType::Inner).sort([col("a_id").sort(true, false)]).unwrap().limit(1, Some(10)).unwrap(),
            grouped(JoinType::Left).filter(col("a_id").gt(lit(7_i64))).unwrap(),
            joined(JoinType::Left).filter(condition().and(col("c_amount").gt(lit(0_i64)))).unwrap(),
            joined(JoinType::LeftAnti).filter(condition()).unwrap().project([col("b_unused")]).unwrap(),
            table("a").filter(lit(false)).unwrap().cross_join(table("b").build().unwrap()).unwrap(),
            of_both.clone().filter(col("a_id").lt(lit(3_i64))).unwrap().limit(0, Some(5)).unwrap(),
            of_both.union(table("c").build().unwrap()).unwrap().distinct().unwrap(),
        ]
        .into_iter()
        .map(|plan| plan.build().unwrap())
        .collect()
    }

    #[test]
    fn plans_are_those_of_datafusions_own_driver() {
        let config = OptimizerContext::new();
        let rules = Rules::new(Optimizer::new().rules, PASSES);
        for plan in plans() {
            let theirs = Optimizer::new().optimize(plan.clone(), &config, |_, _| {}).unwrap();
            let ours = rules.rewrite(plan, &config).unwrap().data;
            assert_eq!(ours.display_indent_schema().to_string(), theirs.display_indent_schema().to_string());
        }
    }

    #[derive(Debug, Clone, Default)]
    struct Probe {
        runs: Arc<AtomicUsize>,
        fails: bool,
    }

    impl OptimizerRule for Probe {
        fn name(&self) -> &str {
            "probe"
        }

        fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
            self.runs.fetch_add(1, Ordering::Relaxed);
            if self.fails { plan_err!("on purpose") } else { Ok(Transformed::no(plan)) }
        }
    }

    #[test]
    fn a_rule_that_fails_is_left_out() {
        let mut rules = Optimizer::new().rules;
        rules.push(Arc::new(Probe { fails: true, ..Probe::default() }));
        let (rules, config) = (Rules::new(rules, PASSES), OptimizerContext::new());
        for plan in plans() {
            let theirs = Optimizer::new().optimize(plan.clone(), &config, |_, _| {}).unwrap();
            let ours = rules.rewrite(plan, &config).unwrap().data;
            assert_eq!(ours.display_indent().to_string(), theirs.display_indent().to_string());
        }
    }

    #[test]
    fn a_rule_sees_a_plan_that_it_has_left_as_it_was_only_once() {
        let probe = Probe::default();
        let rule: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(probe.clone());
        let scan = table("a").build().unwrap();
        Rules::new([rule], PASSES).rewrite(scan, &OptimizerContext::new()).unwrap();
        assert_eq!(probe.runs.load(Ordering::Relaxed), 1);
    }
}
