//! Plan nodes of the engine's own, which DataFusion takes for what they say they are: some inputs, a schema, an operator.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{ExecutionPlan, PlanProperties};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

/// What a node does. It names the columns that it needs: those of its inputs come and go with what the plan above wants.
pub trait Operator: fmt::Debug + Send + Sync {
    fn name(&self) -> &str;
    /// The columns of the output over inputs with these.
    fn schema(&self, inputs: &[&DFSchemaRef]) -> Result<DFSchema>;
    /// Places of the columns of each input that are needed, if these of the output are wanted.
    fn needed(&self, output: &[usize], inputs: &[&DFSchemaRef]) -> Result<Vec<Vec<usize>>>;
    fn operator(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schemas: &[&DFSchemaRef],
        output: SchemaRef,
    ) -> Result<Arc<dyn ExecutionPlan>>;
}

/// The places of columns; an error of ours if one is not there.
pub fn places<'c>(columns: impl IntoIterator<Item = &'c Column>, schema: &DFSchema) -> Result<Vec<usize>> {
    columns.into_iter().map(|column| schema.index_of_column(column)).collect()
}

/// What is true of an operator that gives rows of this schema in one stream, in no order, as they come.
pub fn one_stream(schema: SchemaRef) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(1),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

#[derive(Debug, Clone)]
struct Node {
    operator: Arc<dyn Operator>,
    inputs: Vec<LogicalPlan>,
    schema: DFSchemaRef,
}

pub fn node(operator: Arc<dyn Operator>, inputs: Vec<LogicalPlan>) -> Result<LogicalPlan> {
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(Node::new(operator, inputs)?) }))
}

impl Node {
    fn new(operator: Arc<dyn Operator>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let schemas: Vec<&DFSchemaRef> = inputs.iter().map(LogicalPlan::schema).collect();
        let schema = Arc::new(operator.schema(&schemas)?);
        Ok(Self { operator, inputs, schema })
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.operator, &other.operator) && self.inputs == other.inputs
    }
}

impl Eq for Node {}

impl PartialOrd for Node {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl Hash for Node {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.operator).hash(state);
        self.inputs.hash(state);
    }
}

impl UserDefinedLogicalNodeCore for Node {
    fn name(&self) -> &str {
        self.operator.name()
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.operator.name())
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Self::new(self.operator.clone(), inputs)
    }

    fn necessary_children_exprs(&self, output: &[usize]) -> Option<Vec<Vec<usize>>> {
        let schemas: Vec<&DFSchemaRef> = self.inputs.iter().map(LogicalPlan::schema).collect();
        let mut needed = self.operator.needed(output, &schemas).ok()?;
        for places in &mut needed {
            places.sort_unstable();
            places.dedup();
        }
        Some(needed)
    }
}

/// DataFusion's planner, which knows these nodes too.
pub struct Planner(DefaultPhysicalPlanner);

impl Default for Planner {
    fn default() -> Self {
        Self(DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(Nodes)]))
    }
}

impl fmt::Debug for Planner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Planner")
    }
}

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        self.0.create_physical_plan(plan, session).await
    }
}

struct Nodes;

#[async_trait]
impl ExtensionPlanner for Nodes {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _planning: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<Node>() else { return Ok(None) };
        let schemas: Vec<&DFSchemaRef> = logical.iter().map(|plan| plan.schema()).collect();
        node.operator.operator(inputs, &schemas, Arc::clone(node.schema.inner())).map(Some)
    }
}
