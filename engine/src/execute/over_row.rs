//! Expressions computed from the rows of one table that are at hand, without a plan that reads any: keys of indexes, generated columns,
//! checks, and what referential actions put into columns.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::scalar::ScalarValue;

use super::direct;
use super::provider::KeyedTable;
use crate::bind::tree::{Expr, RelId};
use crate::lower::{self, Form, LowerContext, Tables};
use crate::session::context::StatementContext;

/// The row that the expressions are about.
pub const ROW: RelId = RelId(0);

/// The values of expressions over [`ROW`] for each of the rows (live columns of the table in order of `attnum`, as stored).
pub fn values(
    table: &Relation,
    exprs: &[Expr],
    rows: &RecordBatch,
    form: Form,
    context: &Arc<StatementContext>,
) -> Result<Vec<ArrayRef>> {
    if exprs.is_empty() {
        return Ok(Vec::new());
    }
    let source = provider_as_source(Arc::new(KeyedTable::new(rows.clone())));
    let lowering = LowerContext::new(context.clone(), &NoTables);
    let plan = lower::lower_over_row(table, ROW, exprs, form, source, &lowering)?;
    if !direct::is_plain(&plan) {
        return Err(Error::internal("an expression that is not computed from one row"));
    }
    Ok(direct::evaluate(&plan)?.columns().to_vec())
}

/// What is computed from one row reads no tables.
struct NoTables;

impl Tables for NoTables {
    fn source(&self, relation: &Arc<Relation>) -> Result<Arc<dyn TableSource>> {
        Err(Error::internal(format!("an expression over one row reads \"{}\"", relation.name)))
    }

    fn keyed(&self, _: &Arc<Relation>, _: &[(i16, ScalarValue)]) -> Result<Option<Arc<dyn TableSource>>> {
        Ok(None)
    }

    fn shared(&self, _: LogicalPlan) -> Result<Arc<dyn TableSource>> {
        Err(Error::internal("an expression over one row reads a query"))
    }
}
