//! Sorts whose memory is what they say it is.
//!
//! A view column points into pages of its source. A merge of sorted runs takes views from all of them, so each
//! batch it yields keeps every page of every run alive, and a sort would hold, and claim, many times its rows.
//! Below a sort of all rows strings and numerics therefore become columns that own their bytes. Top-k sorts keep
//! few rows and stay as they are.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_expr::{LexOrdering, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

#[derive(Debug)]
pub struct SortCopies;

impl PhysicalOptimizerRule for SortCopies {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| match plan.downcast_ref::<SortExec>() {
            Some(sort) if sort.fetch().is_none() && has_views(sort) => Ok(Transformed::yes(over_copies(sort)?)),
            _ => Ok(Transformed::no(plan)),
        })
        .data()
    }

    fn name(&self) -> &str {
        "sort_copies"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The type whose arrays own the bytes that `data_type` points to.
fn owned(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8View => Some(DataType::LargeUtf8),
        DataType::BinaryView => Some(DataType::LargeBinary),
        _ => None,
    }
}

fn has_views(sort: &SortExec) -> bool {
    sort.input().schema().fields().iter().any(|field| owned(field.data_type()).is_some())
}

/// `sort` between a projection that copies and one that points to the copies.
fn over_copies(sort: &SortExec) -> Result<Arc<dyn ExecutionPlan>> {
    let copied = cast_columns(sort.input().clone(), |_, data_type| owned(data_type))?;
    let given = sort.input().schema();
    let keys = sort.expr().iter().map(|key| Ok(PhysicalSortExpr::new(over_owned(&key.expr, &given)?, key.options)));
    let Some(keys) = LexOrdering::new(keys.collect::<Result<Vec<_>>>()?) else {
        return datafusion::common::internal_err!("a sort has no keys");
    };
    let sorted = SortExec::new(keys, copied).with_preserve_partitioning(sort.preserve_partitioning());
    let restored = cast_columns(Arc::new(sorted), |i, _| {
        let data_type = given.field(i).data_type();
        owned(data_type).map(|_| data_type.clone())
    })?;
    Ok(Arc::new(SortedExec { input: restored, properties: sort.properties().clone() }))
}

/// Says what is true of the rows of a sort, which a projection of casts forgets: windows and merges above rely on their order.
#[derive(Debug)]
struct SortedExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl DisplayAs for SortedExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SortedExec")
    }
}

impl ExecutionPlan for SortedExec {
    fn name(&self) -> &str {
        "SortedExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| self.input.clone());
        Ok(Arc::new(Self { input, properties: self.properties.clone() }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}

/// All columns of `input`, those with a `target` cast to it.
fn cast_columns(
    input: Arc<dyn ExecutionPlan>,
    target: impl Fn(usize, &DataType) -> Option<DataType>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = input.schema();
    let columns = schema.fields().iter().enumerate().map(|(i, field)| {
        let column: Arc<dyn PhysicalExpr> = Arc::new(Column::new(field.name(), i));
        let column = match target(i, field.data_type()) {
            Some(target) => Arc::new(CastExpr::new(column, target, None)) as _,
            None => column,
        };
        (column, field.name().clone())
    });
    Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Vec<_>>(), input)?))
}

/// A sort key over the copies: a plain column as it is, in an expression as the type that the expression knows.
fn over_owned(key: &Arc<dyn PhysicalExpr>, given: &arrow::datatypes::Schema) -> Result<Arc<dyn PhysicalExpr>> {
    if key.downcast_ref::<Column>().is_some() {
        return Ok(key.clone());
    }
    key.clone()
        .transform_up(|expr| {
            let Some(column) = expr.downcast_ref::<Column>() else { return Ok(Transformed::no(expr)) };
            let data_type = given.field(column.index()).data_type();
            match owned(data_type) {
                Some(_) => Ok(Transformed::yes(Arc::new(CastExpr::new(expr, data_type.clone(), None)) as _)),
                None => Ok(Transformed::no(expr)),
            }
        })
        .data()
}
