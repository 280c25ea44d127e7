//! The node of a transform of groups (`extension::transform`): takes the groups in order, and makes rows of what the transform says.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::Type;
use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array, new_null_array};
use arrow::compute::{SortOptions, concat_batches, partition, take};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column as Name, DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Distribution, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::error::to_datafusion;
use super::node::{Operator, one_stream, places};
use crate::extension::Value;
use crate::extension::transform::{
    Argument, Bound, Comparison, Computed, Definition, Groups, Open, Transform, Transformed,
};
use crate::session::context::StatementContext;

/// What a column of the groups is for the rows that are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The same in all rows of a series.
    Series,
    Key,
    /// Null.
    Group,
}

/// Where an argument comes from.
#[derive(Debug, Clone)]
pub enum Place<C> {
    /// A column of the definition's row.
    Definition(usize),
    /// A column of the groups.
    Groups(C),
}

#[derive(Clone)]
pub struct Call<C> {
    pub name: &'static str,
    pub arguments: Vec<(Place<C>, Type)>,
    pub data_type: DataType,
}

/// A transform over one row of constants, and the groups; `C` is how it names columns of these.
pub struct Plan<C> {
    pub name: String,
    pub context: Arc<StatementContext>,
    pub open: Open,
    pub key: Type,
    /// Columns that are the same in all rows of a series.
    pub series: Vec<C>,
    /// Columns by which the groups are sorted and told apart, the key being the last.
    pub order: Vec<C>,
    pub has_series: bool,
    pub arguments: Vec<Option<(usize, Type)>>,
    pub bounds: Vec<(Comparison, usize, Type)>,
    pub calls: Vec<Call<C>>,
    /// Columns of the calls' results.
    pub results: Vec<Name>,
}

impl Plan<Name> {
    fn columns(&self) -> impl Iterator<Item = &Name> {
        let arguments = self.calls.iter().flat_map(|call| &call.arguments).filter_map(|(place, _)| match place {
            Place::Groups(column) => Some(column),
            Place::Definition(_) => None,
        });
        self.order.iter().chain(arguments)
    }

    fn over(&self, groups: &DFSchema) -> Result<Plan<usize>> {
        let calls = self.calls.iter().map(|call| {
            let arguments = call.arguments.iter().map(|(place, ty)| {
                let place = match place {
                    Place::Definition(column) => Place::Definition(*column),
                    Place::Groups(column) => Place::Groups(groups.index_of_column(column)?),
                };
                Ok((place, *ty))
            });
            let (name, data_type) = (call.name, call.data_type.clone());
            Ok(Call { name, arguments: arguments.collect::<Result<_>>()?, data_type })
        });
        Ok(Plan {
            name: self.name.clone(),
            context: self.context.clone(),
            open: self.open,
            key: self.key,
            // Some may not be wanted.
            series: self.series.iter().filter_map(|column| groups.maybe_index_of_column(column)).collect(),
            has_series: self.has_series,
            order: places(&self.order, groups)?,
            arguments: self.arguments.clone(),
            bounds: self.bounds.clone(),
            calls: calls.collect::<Result<_>>()?,
            results: self.results.clone(),
        })
    }
}

impl<C> fmt::Debug for Plan<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[derive(Debug)]
pub struct TransformNode(pub Plan<Name>);

impl Operator for TransformNode {
    fn name(&self) -> &str {
        &self.0.name
    }

    /// The columns of the groups, any of which may be null, and the results.
    fn schema(&self, inputs: &[&DFSchemaRef]) -> Result<DFSchema> {
        let [_, groups] = inputs else { return internal_err!("a transform has two inputs") };
        let groups = groups
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))));
        let results = self.0.results.iter().zip(&self.0.calls).map(|(name, call)| {
            (name.relation.clone(), Arc::new(Field::new(&name.name, call.data_type.clone(), true)))
        });
        DFSchema::new_with_metadata(groups.chain(results).collect(), Default::default())
    }

    fn needed(&self, output: &[usize], inputs: &[&DFSchemaRef]) -> Result<Vec<Vec<usize>>> {
        let [definition, groups] = inputs else { return internal_err!("a transform has two inputs") };
        let mut needed = places(self.0.columns(), groups)?;
        needed.extend(output.iter().filter(|&&place| place < groups.fields().len()));
        Ok(vec![(0..definition.fields().len()).collect(), needed])
    }

    fn operator(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schemas: &[&DFSchemaRef],
        output: SchemaRef,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ([definition, groups], [_, schema]) = (inputs, schemas) else {
            return internal_err!("a transform has two inputs");
        };
        let plan = Arc::new(self.0.over(schema)?);
        Ok(Arc::new(TransformExec::new(plan, definition.clone(), groups.clone(), output)))
    }
}

#[derive(Debug)]
struct TransformExec {
    plan: Arc<Plan<usize>>,
    definition: Arc<dyn ExecutionPlan>,
    groups: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl TransformExec {
    fn new(
        plan: Arc<Plan<usize>>,
        definition: Arc<dyn ExecutionPlan>,
        groups: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
    ) -> Self {
        Self { plan, definition, groups, properties: one_stream(schema) }
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

impl Plan<usize> {
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
            has_series: self.has_series,
        })
    }

    fn role(&self, column: usize) -> Role {
        match column {
            column if column == self.key_column() => Role::Key,
            column if self.series.contains(&column) => Role::Series,
            _ => Role::Group,
        }
    }

    fn key_column(&self) -> usize {
        self.order.last().copied().unwrap_or_default()
    }
}

struct Running {
    plan: Arc<Plan<usize>>,
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
        for (place, column) in groups.columns().iter().enumerate() {
            columns.push(match self.plan.role(place) {
                Role::Series => picked(column, &made.series)?,
                Role::Group => picked(column, &made.rows)?,
                Role::Key => made.key.clone(),
            });
        }
        columns.extend(made.values);
        Ok(RecordBatch::try_new(self.target.clone(), columns)?)
    }
}
