//! Plans of one or few rows that need no planner: constants and rows found by key, filtered and projected, evaluated in place.
//!
//! DataFusion takes most of a millisecond to make and start a physical plan; these take microseconds. What remains for the query runtime
//! is everything with a join, a sort, an aggregate, a scan or a sub-query.

use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::{AsArray, RecordBatch, RecordBatchOptions};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::source_as_provider;
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Volatility};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::error::from_datafusion;
use super::provider::KeyedTable;

/// Only constants and rows found by key, filtered and projected.
pub fn is_plain(plan: &LogicalPlan) -> bool {
    let here = match plan {
        LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::EmptyRelation(_) => true,
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
/// of fixed width and no function has effects (or sleeps, or waits for a lock).
pub fn is_quick(plan: &LogicalPlan) -> bool {
    if let LogicalPlan::Values(values) = plan
        && values.values.len() > QUICK_ROWS
    {
        return false;
    }
    let input = plan.inputs().first().map(|input| input.schema().clone());
    let schema = input.unwrap_or_else(|| Arc::new(DFSchema::empty()));
    all_expressions(plan, |expr| is_quick_expr(expr, &schema)) && plan.inputs().into_iter().all(is_quick)
}

/// Rows of VALUES that count as few.
const QUICK_ROWS: usize = 100;

fn is_quick_expr(expr: &Expr, schema: &DFSchema) -> bool {
    let mut quick = true;
    let walked = expr.apply(|expr| {
        quick &= match expr {
            // What is only handed on may be long.
            Expr::Column(_) | Expr::Literal(..) | Expr::Alias(_) => true,
            Expr::ScalarFunction(call) => {
                call.func.signature().volatility != Volatility::Volatile
                    && is_fixed(expr, schema)
                    && call.args.iter().all(|arg| is_fixed(arg, schema))
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
    rows(plan).map_err(from_datafusion)
}

fn rows(plan: &LogicalPlan) -> PlanResult<RecordBatch> {
    match plan {
        LogicalPlan::EmptyRelation(relation) => {
            let schema: SchemaRef = Arc::clone(relation.schema.inner());
            match relation.produce_one_row {
                true => Ok(RecordBatch::try_new_with_options(schema, Vec::new(), &row_count(1))?),
                false => Ok(RecordBatch::new_empty(schema)),
            }
        }
        LogicalPlan::Values(values) => {
            let one = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), Vec::new(), &row_count(1))?;
            let schema = values.schema.inner();
            let rows: Vec<RecordBatch> = values
                .values
                .iter()
                .map(|row| project(row, &one, &DFSchema::empty(), schema))
                .collect::<PlanResult<_>>()?;
            Ok(concat_batches(schema, &rows)?)
        }
        LogicalPlan::Projection(projection) => {
            let input = rows(&projection.input)?;
            project(&projection.expr, &input, projection.input.schema(), projection.schema.inner())
        }
        LogicalPlan::Filter(filter) => {
            let input = rows(&filter.input)?;
            let condition = compile(&filter.predicate, filter.input.schema())?;
            let kept = condition.evaluate(&input)?.into_array(input.num_rows())?;
            Ok(filter_record_batch(&input, kept.as_boolean())?)
        }
        LogicalPlan::TableScan(scan) => {
            let rows = keyed(scan).ok_or_else(|| unexpected(plan))?;
            let rows = match &scan.projection {
                Some(columns) => rows.project(columns)?,
                None => rows,
            };
            Ok(rows.with_schema(scan.projected_schema.inner().clone())?)
        }
        other => Err(unexpected(other)),
    }
}

fn unexpected(plan: &LogicalPlan) -> datafusion::error::DataFusionError {
    datafusion::error::DataFusionError::Internal(format!("{} is not evaluated in place", plan.display()))
}

fn row_count(rows: usize) -> RecordBatchOptions {
    RecordBatchOptions::new().with_row_count(Some(rows))
}

fn compile(expr: &Expr, schema: &DFSchema) -> PlanResult<Arc<dyn PhysicalExpr>> {
    create_physical_expr(expr, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
}

fn project(
    exprs: &[Expr],
    input: &RecordBatch,
    input_schema: &DFSchema,
    output: &SchemaRef,
) -> PlanResult<RecordBatch> {
    let rows = input.num_rows();
    let columns = exprs
        .iter()
        .map(|expr| compile(expr, input_schema)?.evaluate(input)?.into_array(rows))
        .collect::<PlanResult<Vec<_>>>()?;
    // A value may be null where the plan's schema promises none only if a row was promised and not found; keep what came.
    let fields = output.fields().iter().zip(&columns);
    let exact = fields.clone().all(|(field, column)| {
        field.data_type() == column.data_type() && (field.is_nullable() || column.null_count() == 0)
    });
    let schema = match exact {
        true => Arc::clone(output),
        false => Arc::new(Schema::new(
            fields
                .map(|(field, column)| {
                    field.as_ref().clone().with_data_type(column.data_type().clone()).with_nullable(true)
                })
                .collect::<Vec<_>>(),
        )),
    };
    Ok(RecordBatch::try_new_with_options(schema, columns, &row_count(rows))?)
}
