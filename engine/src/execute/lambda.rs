//! An expression over a few columns of its own, for operators that apply a function to the elements of their arguments.

use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};

use super::error::{from_arrow, from_datafusion};

/// A compiled expression and the columns it reads.
#[derive(Debug, Clone)]
pub struct Lambda {
    schema: SchemaRef,
    body: Arc<dyn PhysicalExpr>,
    pub result: DataType,
}

impl Lambda {
    /// `parameters` are the names and representations of the columns that `body` reads.
    pub fn new(parameters: Vec<(String, DataType)>, body: &Expr) -> Result<Self> {
        let fields: Vec<_> =
            parameters.into_iter().map(|(name, data_type)| Field::new(name, data_type, true)).collect();
        let schema = Arc::new(Schema::new(fields));
        let df_schema = DFSchema::try_from(schema.clone()).map_err(from_datafusion)?;
        let context = PhysicalPlanningContext::default();
        let body = create_physical_expr(body, &df_schema, &ExecutionProps::new(), &context).map_err(from_datafusion)?;
        let result = body.data_type(&schema).map_err(from_datafusion)?;
        Ok(Self { schema, body, result })
    }

    /// The expression's value for each of `rows` rows.
    pub fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<ArrayRef> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(from_arrow)?;
        self.body.evaluate(&batch).and_then(|value| value.into_array(rows)).map_err(from_datafusion)
    }
}
