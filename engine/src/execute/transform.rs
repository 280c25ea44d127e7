//! The node of a transform of groups (`extension::transform`): takes the groups in order, and makes rows of what the transform says.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::Type;
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{SortOptions, concat_batches, partition, take};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{
    Distribution, EquivalenceProperties, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr,
};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::error::to_datafusion;
use super::node::Operator;
use crate::extension::Value;
use crate::extension::transform::{
    Argument, Bound, Comparison, Computed, Definition, Groups, Open, Transform, Transformed,
};
use crate::session::context::StatementContext;

/// What a column of the groups is for the rows that are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The same in all rows of a series.
    Series,
    Key,
    /// Null.
    Group,
}

/// Where an argument comes from.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// A column of the definition's row.
    Definition(usize),
    /// A column of the groups.
    Groups(usize),
}

pub struct Call {
    pub name: &'static str,
    pub arguments: Vec<(Place, Type)>,
    pub data_type: DataType,
}

/// A transform as it is planned: over one row of constants, and the groups.
pub struct Plan {
    pub name: String,
    pub context: Arc<StatementContext>,
    pub open: Open,
    pub key: Type,
    /// What each column of the groups is.
    pub roles: Vec<Role>,
    /// Columns by which the groups are sorted and told apart, the key being the last.
    pub order: Vec<usize>,
    pub arguments: Vec<Option<(usize, Type)>>,
    pub bounds: Vec<(Comparison, usize, Type)>,
    pub calls: Vec<Call>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Debug)]
pub struct TransformNode(pub Arc<Plan>);

impl Operator for TransformNode {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn operator(&self, inputs: &[Arc<dyn ExecutionPlan>], schema: &DFSchemaRef) -> Result<Arc<dyn ExecutionPlan>> {
        let [definition, groups] = inputs else { return internal_err!("a transform has two inputs") };
        let schema = Arc::clone(schema.inner());
        Ok(Arc::new(TransformExec::new(self.0.clone(), definition.clone(), groups.clone(), schema)))
    }
}

#[derive(Debug)]
struct TransformExec {
    plan: Arc<Plan>,
    definition: Arc<dyn ExecutionPlan>,
    groups: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl TransformExec {
    fn new(
        plan: Arc<Plan>,
        definition: Arc<dyn ExecutionPlan>,
        groups: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { plan, definition, groups, properties: Arc::new(properties) }
    }

    fn ordering(&self) -> Option<LexOrdering> {
        let schema = self.groups.schema();
        let key = |&column: &usize| {
            let expr = Arc::new(Column::new(schema.field(column).name(), column)) as Arc<dyn PhysicalExpr>;
            PhysicalSortExpr::new(expr, SortOptions { descending: false, nulls_first: false })
        };
        LexOrdering::new(self.plan.order.iter().map(key))
    }
}

impl DisplayAs for TransformExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransformExec: {}", self.plan.name)
    }
}

impl ExecutionPlan for TransformExec {
    fn name(&self) -> &str {
        "TransformExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.definition, &self.groups]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; 2]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![None, self.ordering().map(OrderingRequirements::from)]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.properties.eq_properties.schema().clone();
        let [definition, groups] = children.as_slice() else { return internal_err!("a transform has two inputs") };
        Ok(Arc::new(Self::new(self.plan.clone(), definition.clone(), groups.clone(), schema)))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let limit = context.session_config().batch_size();
        let definition = self.definition.execute(0, context.clone())?;
        let groups = self.groups.execute(0, context)?;
        let (plan, schema) = (self.plan.clone(), self.properties.eq_properties.schema().clone());
        let input = groups.schema();
        let target = schema.clone();
        let rows = stream::once(async move {
            let constants: Vec<RecordBatch> = definition.try_collect().await?;
            let Some(constants) = constants.iter().find(|batch| batch.num_rows() > 0) else {
                return internal_err!("a transform without a definition");
            };
            let definition = plan.definition(constants).map_err(to_datafusion)?;
            let transform = (plan.open)(&definition).map_err(to_datafusion)?;
            let state = Running { plan, target, transform, groups, input, limit, batch: None };
            Ok(stream::try_unfold(
                state,
                |mut state| async move { Ok(state.next().await?.map(|batch| (batch, state))) },
            ))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.try_flatten().boxed())))
    }
}

impl Plan {
    /// With the values of the one row of constants.
    fn definition(&self, row: &RecordBatch) -> aegis_catalog::Result<Definition> {
        let value = |column: usize, ty: Type| Value::new(ty, row.column(column).slice(0, 1));
        let calls = self.calls.iter().map(|call| Computed {
            name: call.name,
            data_type: call.data_type.clone(),
            arguments: call
                .arguments
                .iter()
                .map(|(place, ty)| match place {
                    Place::Definition(column) => Argument::Constant(value(*column, *ty)),
                    Place::Groups(column) => Argument::Column(*column),
                })
                .collect(),
        });
        let bounds = self.bounds.iter();
        Ok(Definition {
            context: self.context.clone(),
            key: self.key,
            arguments: self.arguments.iter().map(|place| place.map(|(column, ty)| value(column, ty))).collect(),
            bounds: bounds
                .map(|(comparison, column, ty)| Bound { comparison: *comparison, value: value(*column, *ty) })
                .collect(),
            values: calls.collect(),
            has_series: self.roles.contains(&Role::Series),
        })
    }

    fn key_column(&self) -> usize {
        self.order.last().copied().unwrap_or_default()
    }
}

struct Running {
    plan: Arc<Plan>,
    target: SchemaRef,
    transform: Box<dyn Transform>,
    groups: SendableRecordBatchStream,
    input: SchemaRef,
    limit: usize,
    /// The groups that rows are made of now: rows that were seen before, and whether they are the last ones.
    batch: Option<(RecordBatch, Vec<Range<usize>>, usize, bool)>,
}

impl Running {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if let Some((batch, series, seen, last)) = &self.batch {
                let groups = Groups {
                    key: batch.column(self.plan.key_column()),
                    columns: batch.columns(),
                    series,
                    seen: *seen,
                    last: *last,
                };
                if let Some(made) = self.transform.next(&groups, self.limit).map_err(to_datafusion)? {
                    return self.rows(batch, made).map(Some);
                }
                if *last {
                    return Ok(None);
                }
            }
            self.read().await?;
        }
    }

    /// The next groups, after the last one of those before.
    async fn read(&mut self) -> Result<()> {
        let before = self.batch.take().map(|(batch, ..)| batch).filter(|batch| batch.num_rows() > 0);
        let before = before.map(|batch| batch.slice(batch.num_rows() - 1, 1));
        let next = self.groups.try_next().await?;
        let last = next.is_none();
        let seen = usize::from(before.is_some());
        let batch = concat_batches(&self.input, before.iter().chain(&next))?;
        let told_apart = self.plan.order.iter().take(self.plan.order.len().saturating_sub(1));
        let columns: Vec<ArrayRef> = told_apart.map(|&column| batch.column(column).clone()).collect();
        let series = match (columns.is_empty(), batch.num_rows()) {
            (_, 0) => Vec::new(),
            (true, rows) => std::iter::once(0..rows).collect(),
            (false, _) => partition(&columns)?.ranges(),
        };
        self.batch = Some((batch, series, seen, last));
        Ok(())
    }

    fn rows(&self, groups: &RecordBatch, made: Transformed) -> Result<RecordBatch> {
        let mut columns = Vec::with_capacity(self.target.fields().len());
        let picked = |column: &ArrayRef, rows: &UInt32Array| match column.is_empty() {
            true => Ok(new_null_array(column.data_type(), rows.len())),
            false => take(column, rows, None),
        };
        for (column, role) in groups.columns().iter().zip(&self.plan.roles) {
            columns.push(match role {
                Role::Series => picked(column, &made.series)?,
                Role::Group => picked(column, &made.rows)?,
                Role::Key => made.key.clone(),
            });
        }
        columns.extend(made.values);
        Ok(RecordBatch::try_new(self.target.clone(), columns)?)
    }
}
