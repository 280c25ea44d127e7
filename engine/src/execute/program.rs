//! A plain plan (constants or rows found by key, filtered and projected) as a list of steps over columns: compiled once, run without a
//! planner as often as its parameters get values.
//!
//! Every column that a step may use has a number. Projections that only hand columns on leave no step behind, and what nobody uses is
//! not computed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_empty_array};
use arrow::compute::{concat, filter};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, exec_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_expr::{PhysicalExpr, create_physical_expr};
use datafusion::scalar::ScalarValue;

/// A compiled plan.
#[derive(Debug)]
pub struct Program {
    leaf: Leaf,
    /// Of the leaf's columns those that are used.
    pub used: Vec<usize>,
    /// Parameters that steps use, from 0.
    parameters: Vec<usize>,
    steps: Vec<Step>,
    /// Places of the result's columns among the columns at the end.
    outputs: Vec<usize>,
    schema: SchemaRef,
}

#[derive(Debug)]
enum Leaf {
    /// So many rows without columns.
    Rows(usize),
    Values(Values),
    /// Rows that whoever runs the program hands in.
    Given,
}

/// Rows of VALUES, of which most cells are only handed on, whatever their number.
#[derive(Debug)]
struct Values {
    rows: usize,
    /// The used columns.
    columns: Vec<Vec<Cell>>,
    /// Parameters that computed cells read, from 0, and their columns.
    parameters: Vec<usize>,
    schema: SchemaRef,
}

#[derive(Debug)]
enum Cell {
    Parameter(usize),
    Constant(ScalarValue),
    Computed(Arc<dyn PhysicalExpr>),
}

#[derive(Debug)]
struct Step {
    /// The columns that are there before it.
    schema: SchemaRef,
    action: Action,
}

#[derive(Debug)]
enum Action {
    /// Appends columns.
    Compute(Vec<Arc<dyn PhysicalExpr>>),
    Filter(Arc<dyn PhysicalExpr>),
}

impl Program {
    /// Compiles a plan whose parameters have these types.
    pub fn compile(plan: &LogicalPlan, parameters: &[DataType]) -> Result<Self> {
        let mut compiler = Compiler::default();
        for (number, data_type) in parameters.iter().enumerate() {
            compiler.column(Origin::Parameter(number), data_type);
        }
        let outputs = compiler.plan(plan)?;
        compiler.finish(&outputs, Arc::clone(plan.schema().inner()))
    }

    /// Does it read rows that must be handed in?
    pub fn reads(&self) -> bool {
        matches!(self.leaf, Leaf::Given)
    }

    /// Runs it. `given` are the used columns of the rows that it reads, and the number of those rows.
    pub fn run(&self, parameters: &[ScalarValue], given: (Vec<ArrayRef>, usize)) -> Result<RecordBatch> {
        let (leaf, mut rows) = match &self.leaf {
            Leaf::Rows(rows) => (Vec::new(), *rows),
            Leaf::Values(values) => (values.arrays(parameters)?, values.rows),
            Leaf::Given => given,
        };
        let mut columns = arrays(&self.parameters, parameters, rows)?;
        columns.extend(leaf);
        for step in &self.steps {
            if rows == 0 {
                return Ok(RecordBatch::new_empty(Arc::clone(&self.schema)));
            }
            let input = batch(&step.schema, std::mem::take(&mut columns), rows)?;
            let computed = match &step.action {
                Action::Compute(exprs) => {
                    exprs.iter().map(|expr| expr.evaluate(&input)?.into_array(rows)).collect::<Result<Vec<_>>>()?
                }
                Action::Filter(_) => Vec::new(),
            };
            let kept = match &step.action {
                Action::Filter(condition) => Some(condition.evaluate(&input)?.into_array(rows)?),
                Action::Compute(_) => None,
            };
            columns = input.columns().to_vec();
            columns.extend(computed);
            if let Some(kept) = kept {
                rows = keep(&mut columns, kept.as_boolean(), rows)?;
            }
        }
        let outputs = self.outputs.iter().map(|place| match columns.get(*place) {
            Some(column) => Ok(Arc::clone(column)),
            None => internal_err!("a program lacks column {place}"),
        });
        batch(&self.schema, outputs.collect::<Result<_>>()?, rows)
    }
}

impl Values {
    fn arrays(&self, parameters: &[ScalarValue]) -> Result<Vec<ArrayRef>> {
        let one = batch(&self.schema, arrays(&self.parameters, parameters, 1)?, 1)?;
        let column = |cells: &Vec<Cell>| {
            if !cells.iter().any(|cell| matches!(cell, Cell::Computed(_))) {
                let values = cells.iter().map(|cell| cell.handed_on(parameters)).collect::<Result<Vec<_>>>()?;
                return ScalarValue::iter_to_array(values.into_iter().cloned());
            }
            let cells = cells.iter().map(|cell| cell.array(parameters, &one)).collect::<Result<Vec<_>>>()?;
            match cells.as_slice() {
                [cell] => Ok(Arc::clone(cell)),
                cells => concat(&cells.iter().map(|cell| cell.as_ref()).collect::<Vec<_>>()).map_err(Into::into),
            }
        };
        self.columns.iter().map(column).collect()
    }
}

impl Cell {
    fn array(&self, parameters: &[ScalarValue], one: &RecordBatch) -> Result<ArrayRef> {
        match self {
            Self::Computed(expr) => expr.evaluate(one)?.into_array(1),
            _ => self.handed_on(parameters)?.to_array(),
        }
    }

    /// The value of a cell that is not computed.
    fn handed_on<'v>(&'v self, parameters: &'v [ScalarValue]) -> Result<&'v ScalarValue> {
        match self {
            Self::Parameter(number) => parameter(parameters, *number),
            Self::Constant(value) => Ok(value),
            Self::Computed(_) => internal_err!("a cell is computed"),
        }
    }
}

fn parameter(parameters: &[ScalarValue], number: usize) -> Result<&ScalarValue> {
    match parameters.get(number) {
        Some(value) => Ok(value),
        None => exec_err!("there is no parameter ${}", number + 1),
    }
}

/// Columns of parameters, the same in each row.
fn arrays(numbers: &[usize], parameters: &[ScalarValue], rows: usize) -> Result<Vec<ArrayRef>> {
    numbers.iter().map(|number| parameter(parameters, *number)?.to_array_of_size(rows)).collect()
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let mut schema = Arc::clone(schema);
    let exact = schema.fields().iter().zip(&columns).all(|(field, column)| field.data_type() == column.data_type());
    if !exact {
        // Nested types may differ in what their fields are called.
        let fields = schema.fields().iter().zip(&columns);
        let fields = fields.map(|(field, column)| field.as_ref().clone().with_data_type(column.data_type().clone()));
        schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    }
    Ok(RecordBatch::try_new_with_options(schema, columns, &options)?)
}

/// Leaves the rows for which a condition holds; returns their number.
fn keep(columns: &mut [ArrayRef], condition: &BooleanArray, rows: usize) -> Result<usize> {
    let kept = condition.true_count();
    if kept < rows {
        for column in columns {
            *column = match kept {
                0 => new_empty_array(column.data_type()),
                _ => filter(column, condition)?,
            };
        }
    }
    Ok(kept)
}

/// Where a column comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Origin {
    Parameter(usize),
    Leaf(usize),
    Computed,
}

/// A step over numbered columns.
enum Planned {
    Compute(usize, Expr),
    Filter(Expr),
}

#[derive(Default)]
struct Compiler {
    columns: Vec<(Origin, DataType)>,
    leaf: Option<PlannedLeaf>,
    steps: Vec<Planned>,
}

enum PlannedLeaf {
    Rows(usize),
    Values(Vec<Vec<Expr>>),
    Given,
}

/// The name of a numbered column in expressions.
fn name(number: usize) -> String {
    format!("c{number}")
}

fn number(column: &Column) -> Option<usize> {
    column.name.strip_prefix('c')?.parse().ok()
}

impl Compiler {
    fn column(&mut self, origin: Origin, data_type: &DataType) -> usize {
        self.columns.push((origin, data_type.clone()));
        self.columns.len() - 1
    }

    /// The numbers of a plan's columns.
    fn plan(&mut self, plan: &LogicalPlan) -> Result<Vec<usize>> {
        match plan {
            LogicalPlan::EmptyRelation(relation) => {
                Ok(self.leaf(PlannedLeaf::Rows(usize::from(relation.produce_one_row)), &relation.schema))
            }
            LogicalPlan::Values(values) => {
                let rows = values.values.iter().map(|row| {
                    let nothing = DFSchema::empty();
                    row.iter().map(|expr| self.numbered(expr, &nothing, &[])).collect::<Result<Vec<_>>>()
                });
                let rows = rows.collect::<Result<Vec<_>>>()?;
                Ok(self.leaf(PlannedLeaf::Values(rows), &values.schema))
            }
            LogicalPlan::TableScan(scan) => Ok(self.leaf(PlannedLeaf::Given, &scan.projected_schema)),
            LogicalPlan::Filter(filter) => {
                let columns = self.plan(&filter.input)?;
                let condition = self.numbered(&filter.predicate, filter.input.schema(), &columns)?;
                self.steps.push(Planned::Filter(condition));
                Ok(columns)
            }
            LogicalPlan::Projection(projection) => {
                let columns = self.plan(&projection.input)?;
                let output = |(expr, field): (&Expr, &Arc<Field>)| {
                    let expr = self.numbered(expr, projection.input.schema(), &columns)?;
                    let expr = expr.unalias_nested().data;
                    Ok(match &expr {
                        Expr::Column(column) if number(column).is_some() => number(column).unwrap_or_default(),
                        _ => {
                            let column = self.column(Origin::Computed, field.data_type());
                            self.steps.push(Planned::Compute(column, expr));
                            column
                        }
                    })
                };
                projection.expr.iter().zip(projection.schema.fields()).map(output).collect()
            }
            other => internal_err!("{} is not evaluated in place", other.display()),
        }
    }

    fn leaf(&mut self, leaf: PlannedLeaf, schema: &DFSchema) -> Vec<usize> {
        self.leaf = Some(leaf);
        let fields = schema.fields().iter().enumerate();
        fields.map(|(place, field)| self.column(Origin::Leaf(place), field.data_type())).collect()
    }

    /// The expression over numbered columns; `columns` are the numbers of the columns of `schema`.
    fn numbered(&self, expr: &Expr, schema: &DFSchema, columns: &[usize]) -> Result<Expr> {
        let renamed = expr.clone().transform_down(|expr| {
            let number = match &expr {
                Expr::Column(column) => columns.get(schema.index_of_column(column)?).copied(),
                Expr::Placeholder(placeholder) => {
                    let parameter = placeholder.id.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
                    parameter.and_then(|number| number.checked_sub(1))
                }
                _ => return Ok(Transformed::no(expr)),
            };
            match number {
                // What replaces it is not looked at again.
                Some(number) => {
                    let column = Expr::Column(Column::new_unqualified(name(number)));
                    Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
                }
                None => internal_err!("{expr} is not there"),
            }
        })?;
        Ok(renamed.data)
    }

    /// The numbers of the columns that the result depends on. Filters count, and so does whatever has effects.
    fn live(&self, outputs: &[usize]) -> BTreeSet<usize> {
        let mut live: BTreeSet<usize> = outputs.iter().copied().collect();
        for step in self.steps.iter().rev() {
            match step {
                Planned::Compute(column, expr) if !live.contains(column) && !expr.is_volatile() => {}
                Planned::Compute(column, expr) => {
                    live.insert(*column);
                    live.extend(mentioned(expr));
                }
                Planned::Filter(expr) => live.extend(mentioned(expr)),
            }
        }
        live
    }

    fn finish(self, outputs: &[usize], schema: SchemaRef) -> Result<Program> {
        let live = self.live(outputs);
        let mut layout = Layout::default();
        let (mut parameters, mut used) = (Vec::new(), Vec::new());
        for (column, (origin, data_type)) in self.columns.iter().enumerate().filter(|(column, _)| live.contains(column))
        {
            match origin {
                Origin::Parameter(number) => parameters.push(*number),
                Origin::Leaf(place) => used.push(*place),
                Origin::Computed => continue,
            }
            layout.push(column, data_type);
        }
        let leaf = match self.leaf {
            Some(PlannedLeaf::Rows(rows)) => Leaf::Rows(rows),
            Some(PlannedLeaf::Given) => Leaf::Given,
            Some(PlannedLeaf::Values(rows)) => Leaf::Values(values(&rows, &used, &self.columns)?),
            None => return internal_err!("a plan without a leaf"),
        };
        let mut steps: Vec<Step> = Vec::new();
        let mut open: Vec<(usize, DataType, Expr)> = Vec::new();
        for step in &self.steps {
            match step {
                Planned::Compute(column, _) if !live.contains(column) => {}
                Planned::Compute(column, expr) => {
                    let needs = mentioned(expr);
                    if open.iter().any(|(computed, _, _)| needs.contains(computed)) {
                        layout.compute(&mut open, &mut steps)?;
                    }
                    let data_type =
                        self.columns.get(*column).map_or(DataType::Null, |(_, data_type)| data_type.clone());
                    open.push((*column, data_type, expr.clone()));
                }
                Planned::Filter(expr) => {
                    layout.compute(&mut open, &mut steps)?;
                    let before = layout.schema()?;
                    let condition = physical(expr, &before)?;
                    steps.push(Step { schema: Arc::clone(before.inner()), action: Action::Filter(condition) });
                }
            }
        }
        layout.compute(&mut open, &mut steps)?;
        let places = outputs.iter().map(|column| match layout.places.get(column) {
            Some(place) => Ok(*place),
            None => internal_err!("a program does not compute column {column}"),
        });
        let outputs = places.collect::<Result<_>>()?;
        // A value may be null where the plan's schema promises none only if a row was promised and not found.
        let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Program { leaf, used, parameters, steps, outputs, schema })
    }
}

/// The columns `used` of VALUES; `columns` are all that have numbers, parameters first.
fn values(rows: &[Vec<Expr>], used: &[usize], columns: &[(Origin, DataType)]) -> Result<Values> {
    let data_type = |number: usize| columns.get(number).map(|(_, data_type)| data_type);
    let leaf = |place: usize| {
        let found = columns.iter().find(|(origin, _)| *origin == Origin::Leaf(place));
        found.map_or(DataType::Null, |(_, data_type)| data_type.clone())
    };
    let cell = |place: usize, row: &Vec<Expr>| row.get(place).cloned().map(|expr| expr.unalias_nested().data);
    let handed_on = |expr: &Expr, wanted: &DataType| match expr {
        Expr::Column(column) => number(column).filter(|at| data_type(*at) == Some(wanted)).map(Cell::Parameter),
        Expr::Literal(value, _) if value.data_type() == *wanted => Some(Cell::Constant(value.clone())),
        _ => None,
    };
    // What has to be computed is compiled when it is known what all of it reads.
    let mut planned: Vec<Vec<Result<Cell, Expr>>> = Vec::with_capacity(used.len());
    for place in used {
        let wanted = leaf(*place);
        let cells = rows.iter().map(|row| match cell(*place, row) {
            Some(expr) => Ok(handed_on(&expr, &wanted).ok_or(expr)),
            None => internal_err!("rows of VALUES of different width"),
        });
        planned.push(cells.collect::<Result<_>>()?);
    }
    let computed = planned.iter().flatten().filter_map(|cell| cell.as_ref().err());
    let read: BTreeSet<usize> = computed.flat_map(mentioned).collect();
    let (mut parameters, mut over) = (Vec::new(), Layout::default());
    for number in read {
        if let Some((Origin::Parameter(parameter), data_type)) = columns.get(number) {
            parameters.push(*parameter);
            over.push(number, data_type);
        }
    }
    let schema = over.schema()?;
    let compiled = |cells: Vec<Result<Cell, Expr>>| {
        let cell = |cell| match cell {
            Ok(cell) => Ok(cell),
            Err(expr) => Ok(Cell::Computed(physical(&expr, &schema)?)),
        };
        cells.into_iter().map(cell).collect::<Result<Vec<_>>>()
    };
    let columns = planned.into_iter().map(compiled).collect::<Result<_>>()?;
    Ok(Values { rows: rows.len(), columns, parameters, schema: Arc::clone(schema.inner()) })
}

/// The columns that are there at some point of a program.
#[derive(Default)]
struct Layout {
    fields: Vec<Field>,
    /// By number.
    places: HashMap<usize, usize>,
}

impl Layout {
    fn push(&mut self, column: usize, data_type: &DataType) {
        self.places.insert(column, self.fields.len());
        self.fields.push(Field::new(name(column), data_type.clone(), true));
    }

    fn schema(&self) -> Result<DFSchema> {
        DFSchema::try_from(Schema::new(self.fields.clone()))
    }

    /// One step for computations that do not need each other.
    fn compute(&mut self, open: &mut Vec<(usize, DataType, Expr)>, steps: &mut Vec<Step>) -> Result<()> {
        if open.is_empty() {
            return Ok(());
        }
        let before = self.schema()?;
        let exprs = open.iter().map(|(_, _, expr)| physical(expr, &before)).collect::<Result<_>>()?;
        for (column, data_type, _) in open.drain(..) {
            self.push(column, &data_type);
        }
        steps.push(Step { schema: Arc::clone(before.inner()), action: Action::Compute(exprs) });
        Ok(())
    }
}

fn physical(expr: &Expr, schema: &DFSchema) -> Result<Arc<dyn PhysicalExpr>> {
    create_physical_expr(expr, schema, &ExecutionProps::new(), &PhysicalPlanningContext::default())
}

/// The numbered columns that an expression reads.
fn mentioned(expr: &Expr) -> BTreeSet<usize> {
    expr.column_refs().into_iter().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;
    use arrow::datatypes::Int32Type;
    use datafusion::logical_expr::{LogicalPlanBuilder, col, lit, placeholder};

    use super::*;

    fn parameter(number: u32) -> Expr {
        crate::lower::placeholder(number, &DataType::Int32)
    }

    fn values(batch: &RecordBatch, column: usize) -> Vec<i32> {
        batch.column(column).as_primitive::<Int32Type>().values().to_vec()
    }

    #[test]
    fn what_is_only_handed_on_is_no_step() {
        let plan = LogicalPlanBuilder::empty(true)
            .project(vec![parameter(1).alias("a"), (parameter(2) + lit(1)).alias("b"), lit(7).alias("unused")])
            .and_then(|plan| plan.project(vec![col("b").alias("x"), col("a")]))
            .and_then(|plan| plan.project(vec![col("x"), (col("x") * lit(2)).alias("y"), col("a")]))
            .and_then(|plan| plan.build())
            .unwrap();
        let program = Program::compile(&plan, &[DataType::Int32, DataType::Int32]).unwrap();
        assert_eq!((program.steps.len(), program.reads()), (2, false));
        for (a, b) in [(1, 2), (5, -3)] {
            let parameters = [ScalarValue::Int32(Some(a)), ScalarValue::Int32(Some(b))];
            let rows = program.run(&parameters, (Vec::new(), 0)).unwrap();
            assert_eq!(
                (values(&rows, 0), values(&rows, 1), values(&rows, 2)),
                (vec![b + 1], vec![(b + 1) * 2], vec![a])
            );
        }
    }

    #[test]
    fn rows_are_filtered_and_values_joined() {
        let rows = vec![vec![parameter(1)], vec![lit(10)], vec![lit(20)]];
        let plan = LogicalPlanBuilder::values(rows)
            .and_then(|plan| plan.filter(col("column1").gt(parameter(2))))
            .and_then(|plan| plan.project(vec![(col("column1") + parameter(2)).alias("sum")]))
            .and_then(|plan| plan.build())
            .unwrap();
        let program = Program::compile(&plan, &[DataType::Int32, DataType::Int32]).unwrap();
        let run = |a, b| {
            let parameters = [ScalarValue::Int32(Some(a)), ScalarValue::Int32(Some(b))];
            values(&program.run(&parameters, (Vec::new(), 0)).unwrap(), 0)
        };
        assert_eq!(run(5, 7), vec![17, 27]);
        assert_eq!(run(30, 25), vec![55]);
        assert_eq!(run(1, 100), Vec::<i32>::new());
    }

    #[test]
    fn only_used_columns_are_asked_for() {
        let schema =
            Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true), Field::new("b", DataType::Int32, true)]));
        let table = datafusion::datasource::MemTable::try_new(Arc::clone(&schema), vec![vec![]]).unwrap();
        let source = datafusion::datasource::provider_as_source(Arc::new(table));
        let plan = LogicalPlanBuilder::scan("t", source, None)
            .and_then(|plan| plan.project(vec![(col("b") - lit(1)).alias("less")]))
            .and_then(|plan| plan.build())
            .unwrap();
        let program = Program::compile(&plan, &[]).unwrap();
        assert_eq!((program.reads(), program.used.as_slice()), (true, [1].as_slice()));
        let rows = program.run(&[], (vec![Arc::new(Int32Array::from(vec![3, 4]))], 2)).unwrap();
        assert_eq!(values(&rows, 0), vec![2, 3]);
    }

    #[test]
    fn an_untyped_placeholder_is_refused() {
        let plan = LogicalPlanBuilder::empty(true).project(vec![placeholder("$x")]).and_then(|plan| plan.build());
        assert!(plan.and_then(|plan| Program::compile(&plan, &[])).is_err());
    }
}
