//! Plans of one or few rows that need no planner: constants and rows found by key, filtered and projected, evaluated in place.
//!
//! DataFusion takes most of a millisecond to make and start a physical plan; these take microseconds. What remains for the query runtime
//! is everything with a join, a sort, an aggregate, a scan or a sub-query.

use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Volatility};

use super::error::from_datafusion;
use super::program::Program;
use super::provider::KeyedTable;

/// Only constants and rows found by key, filtered and projected.
pub fn is_plain(plan: &LogicalPlan) -> bool {
    let here = match plan {
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::Values(_) => true,
        LogicalPlan::EmptyRelation(empty) => empty.produce_one_row,
        LogicalPlan::TableScan(scan) => keyed(scan).is_some(),
        _ => false,
    };
    here && all_expressions(plan, |expr| !has_subquery(expr)) && plan.inputs().into_iter().all(is_plain)
}

/// Whether all expressions of a node (not of those below it) pass; looks at them in place.
fn all_expressions(plan: &LogicalPlan, mut passes: impl FnMut(&Expr) -> bool) -> bool {
    let walked = plan
        .apply_expressions(|expr| Ok(if passes(expr) { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop }));
    walked.is_ok_and(|last| last != TreeNodeRecursion::Stop)
}

fn keyed(scan: &datafusion::logical_expr::TableScan) -> Option<RecordBatch> {
    let provider = source_as_provider(&scan.source).ok()?;
    (provider.as_ref() as &dyn std::any::Any).downcast_ref::<KeyedTable>().map(|table| table.rows().clone())
}

fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|expr| {
        Ok(matches!(
            expr,
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::OuterReferenceColumn(..)
        ))
    })
    .unwrap_or(true)
}

/// Whether a plain plan surely takes no more than microseconds, so that the thread that serves connections may run it: every value is
/// of fixed width, or only copied, and no function has effects (or sleeps, or waits for a lock).
pub fn is_quick(plan: &LogicalPlan) -> bool {
    if let LogicalPlan::Values(values) = plan
        && values.values.len() > QUICK_ROWS
        && !values.values.iter().flatten().all(is_handed_on)
    {
        return false;
    }
    if let LogicalPlan::TableScan(scan) = plan
        && keyed(scan).is_some_and(|rows| rows.num_rows() > 10 * QUICK_ROWS)
    {
        return false;
    }
    let input = plan.inputs().first().map(|input| input.schema().clone());
    let schema = input.unwrap_or_else(|| Arc::new(DFSchema::empty()));
    all_expressions(plan, |expr| is_quick_expr(expr, &schema)) && plan.inputs().into_iter().all(is_quick)
}

/// Functions that take no longer than it took to receive what they are applied to: coercions to a column's type, and sums.
const LINEAR: [&str; 9] =
    ["varchar", "bpchar", "numeric", "decimal", "numeric_add", "numeric_sub", "textcat", "lower", "upper"];

/// Rows of VALUES with something to compute that count as few.
const QUICK_ROWS: usize = 100;

/// Whether a cell of VALUES is only put into its column: that takes no longer than it took to receive it.
fn is_handed_on(cell: &Expr) -> bool {
    match cell {
        Expr::Literal(..) | Expr::Placeholder(_) => true,
        Expr::Alias(alias) => is_handed_on(&alias.expr),
        _ => false,
    }
}

fn is_quick_expr(expr: &Expr, schema: &DFSchema) -> bool {
    let mut quick = true;
    let walked = expr.apply(|expr| {
        quick &= match expr {
            // What is only handed on may be long.
            Expr::Column(_) | Expr::Literal(..) | Expr::Alias(_) | Expr::Placeholder(_) => true,
            Expr::ScalarFunction(call) => {
                let fixed = || is_fixed(expr, schema) && call.args.iter().all(|arg| is_fixed(arg, schema));
                call.func.signature().volatility != Volatility::Volatile
                    && (LINEAR.contains(&call.func.name()) || fixed())
            }
            // Comparing long values is linear in their length at worst.
            Expr::BinaryExpr(_) | Expr::Not(_) | Expr::IsNull(_) | Expr::IsNotNull(_) => true,
            Expr::IsTrue(_) | Expr::IsFalse(_) | Expr::IsNotTrue(_) | Expr::IsNotFalse(_) | Expr::Case(_) => true,
            Expr::IsUnknown(_) | Expr::IsNotUnknown(_) | Expr::InList(_) | Expr::Between(_) => true,
            other => is_fixed(other, schema),
        };
        Ok(if quick { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && quick
}

fn is_fixed(expr: &Expr, schema: &DFSchema) -> bool {
    expr.get_type(schema).is_ok_and(|ty| ty.is_null() || ty.primitive_width().is_some() || ty == DataType::Boolean)
}

/// The rows of a plain plan.
pub fn evaluate(plan: &LogicalPlan) -> Result<RecordBatch> {
    let rows = || {
        let program = Program::compile(plan, &[])?;
        let given = if program.reads() { given_rows(plan)? } else { None };
        let columns = program.used.iter().filter_map(|place| given.as_ref()?.columns().get(*place).cloned());
        program.run(&[], (columns.collect(), given.as_ref().map_or(0, RecordBatch::num_rows)))
    };
    rows().map_err(from_datafusion)
}

/// The rows found by key that a plan reads.
fn given_rows(plan: &LogicalPlan) -> PlanResult<Option<RecordBatch>> {
    match plan {
        LogicalPlan::TableScan(scan) => match (keyed(scan), &scan.projection) {
            (Some(rows), Some(columns)) => Ok(Some(rows.project(columns)?)),
            (rows, _) => Ok(rows),
        },
        plan => plan.inputs().first().map_or(Ok(None), |input| given_rows(input)),
    }
}
