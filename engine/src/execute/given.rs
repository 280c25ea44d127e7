//! Statements around the bound tree: INSERT of rows handed in, constants.

use std::sync::Arc;

use aegis_catalog::{Error, Result};
use arrow::array::RecordBatch;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlan;
use datafusion::scalar::ScalarValue;

use super::error::from_datafusion;
use super::provider::SnapshotTables;
use super::runtime::QueryRuntime;
use super::shared::LateTable;
use super::statement::{Change, ChangeResult, Execution, Step, StepRows};
use super::stream::RowStream;
use crate::bind::GIVEN_ROWS;
use crate::bind::tree::{Expr, Insert};
use crate::lower::{self, LowerContext};
use crate::session::context::StatementContext;
use crate::session::tables::Tables;

/// Inserts a batch into the table of an INSERT made by [`crate::bind::bind_copy`].
pub async fn insert_given(insert: &Insert, batch: RecordBatch, execution: &mut Execution<'_>) -> Result<ChangeResult> {
    let fields = batch.schema();
    // The names of a query's columns may be those that the insertion's plan gives to others.
    let columns = fields.fields().iter().enumerate();
    let rows =
        LateTable::new(columns.map(|(position, field)| (format!("column_{position}"), field.data_type().clone())));
    rows.fill(vec![batch]).map_err(from_datafusion)?;
    let lowered = {
        let tables = execution.tables();
        let mut context = LowerContext::new(execution.context.clone(), &tables);
        context.changes.insert(GIVEN_ROWS, provider_as_source(Arc::new(rows)));
        lower::lower_insert(insert, execution.parameters, &context)?
    };
    let step = Step::Change(Change::Insert(insert), StepRows::Planned(lowered));
    execution.atomically(Vec::new(), step).await
}

/// The value of an expression without columns.
pub async fn evaluate(
    expr: &Expr,
    runtime: &QueryRuntime,
    context: &Arc<StatementContext>,
    tables: &Tables,
) -> Result<ScalarValue> {
    let plan = {
        let tables = SnapshotTables { transaction: tables, context: context.clone() };
        lower::lower_constants(std::slice::from_ref(expr), &[], &LowerContext::new(context.clone(), &tables))?
    };
    value(runtime, plan, context).await
}

/// As [`evaluate`], with the parameters of a statement.
pub async fn evaluate_with(expr: &Expr, execution: &Execution<'_>) -> Result<ScalarValue> {
    let plan = {
        let tables = execution.tables();
        let context = LowerContext::new(execution.context.clone(), &tables);
        lower::lower_constants(std::slice::from_ref(expr), execution.parameters, &context)?
    };
    value(execution.runtime, plan, &execution.context).await
}

async fn value(runtime: &QueryRuntime, plan: LogicalPlan, context: &Arc<StatementContext>) -> Result<ScalarValue> {
    let rows = RowStream::start(runtime, plan, runtime.default_options(), context.cancel.clone())?;
    let batches = rows.collect().await?;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0);
    let batch = batch.ok_or_else(|| Error::internal("an expression without a value"))?;
    ScalarValue::try_from_array(batch.column(0), 0).map_err(from_datafusion)
}
