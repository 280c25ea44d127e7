//! Rows of a set-returning function with constant arguments, made as they are read.

use std::fmt;
use std::sync::Arc;

use aegis_catalog::Type;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Fields, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::TableProvider;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::scalar::ScalarValue;
use futures::stream;

use super::error::to_datafusion;
use super::node::one_stream;
use crate::functions::{Call, SetStream};
use crate::session::context::StatementContext;

/// A call with everything known.
#[derive(Clone)]
struct Series {
    context: Arc<StatementContext>,
    stream: SetStream,
    args: Vec<ScalarValue>,
    types: Vec<Type>,
    result: Type,
}

impl Series {
    fn batches(&self) -> Result<Box<dyn Iterator<Item = aegis_catalog::Result<Vec<ArrayRef>>> + Send>> {
        let args = self.args.iter().map(|arg| arg.to_array()).collect::<Result<Vec<_>>>()?;
        let call = Call {
            context: &self.context,
            rows: 1,
            arg_types: &self.types,
            result: self.result,
            variadic: false,
            columns: &[],
        };
        (self.stream)(&call, &args).map_err(to_datafusion)
    }
}

pub struct SetStreamTable {
    series: Series,
    schema: SchemaRef,
}

impl SetStreamTable {
    pub fn new(
        context: Arc<StatementContext>,
        stream: SetStream,
        args: Vec<ScalarValue>,
        types: Vec<Type>,
        result: Type,
        columns: Fields,
    ) -> Self {
        Self { series: Series { context, stream, args, types, result }, schema: Arc::new(Schema::new(columns)) }
    }
}

impl fmt::Debug for SetStreamTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SetStreamTable({:?})", self.series.args)
    }
}

#[async_trait]
impl TableProvider for SetStreamTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let projection = projection.cloned().unwrap_or(all);
        let schema = Arc::new(self.schema.project(&projection)?);
        Ok(Arc::new(SeriesExec { series: self.series.clone(), projection, properties: one_stream(schema) }))
    }
}

struct SeriesExec {
    series: Series,
    projection: Vec<usize>,
    properties: Arc<PlanProperties>,
}

impl fmt::Debug for SeriesExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesExec({:?})", self.series.args)
    }
}

impl DisplayAs for SeriesExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SeriesExec: {:?}", self.series.args)
    }
}

impl ExecutionPlan for SeriesExec {
    fn name(&self) -> &str {
        "SeriesExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _partition: usize, _context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let schema = self.properties.eq_properties.schema().clone();
        let (target, projection) = (schema.clone(), self.projection.clone());
        let batches = self.series.batches()?.map(move |columns| {
            let columns = columns.map_err(to_datafusion)?;
            let rows = columns.first().map_or(0, |column| column.len());
            let columns = projection.iter().filter_map(|position| columns.get(*position).cloned()).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            Ok(RecordBatch::try_new_with_options(target.clone(), columns, &options)?)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter(batches))))
    }
}
