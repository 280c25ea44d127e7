//! Plan nodes with columns known by name.

use std::sync::Arc;

use aegis_catalog::Result;
use arrow::datatypes::{DataType, Field};
use datafusion::common::NullHandling;
use datafusion::common::{Column, DFSchema, JoinConstraint, JoinType, NullEquality, UnnestOptions};
use datafusion::logical_expr::expr::{Placeholder, Sort as SortExpr};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, EmptyRelation, Expr, Filter, Join, LogicalPlan, Operator, Projection, Sort, Unnest,
};
use datafusion::scalar::ScalarValue;

use super::relation::{Binding, Relation};
use crate::execute::error::from_datafusion;

pub fn literal(value: ScalarValue) -> Expr {
    Expr::Literal(value, None)
}

/// Parameter `$number`, to be given later.
pub fn placeholder(number: u32, data_type: &DataType) -> Expr {
    let id = format!("${number}");
    let field = Field::new(&id, data_type.clone(), true);
    Expr::Placeholder(Placeholder::new_with_field(id, Some(Arc::new(field))))
}

pub fn boolean(value: bool) -> Expr {
    literal(ScalarValue::Boolean(Some(value)))
}

pub fn integer(value: i64) -> Expr {
    literal(ScalarValue::Int64(Some(value)))
}

pub fn null(data_type: &DataType) -> Result<Expr> {
    ScalarValue::try_from(data_type).map(literal).map_err(from_datafusion)
}

pub fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// The conjunction; None if there is nothing to check.
pub fn all(conditions: impl IntoIterator<Item = Expr>) -> Option<Expr> {
    chain(conditions, Operator::And)
}

/// Operands joined by an associative operator, in order; None if there are none. The tree is balanced, since DataFusion's passes take
/// time in the square of its depth.
pub fn chain(operands: impl IntoIterator<Item = Expr>, op: Operator) -> Option<Expr> {
    let mut operands: Vec<Expr> = operands.into_iter().collect();
    while operands.len() > 1 {
        let mut pairs = operands.into_iter();
        let mut joined = Vec::with_capacity(pairs.len().div_ceil(2));
        while let Some(left) = pairs.next() {
            joined.push(match pairs.next() {
                Some(right) => binary(left, op, right),
                None => left,
            });
        }
        operands = joined;
    }
    operands.pop()
}

/// One row without columns.
pub fn one_row() -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, schema: Arc::new(DFSchema::empty()) })
}

/// Exactly these columns, computed from the plan's.
pub fn project(plan: LogicalPlan, columns: Vec<(Expr, &Binding)>) -> Result<LogicalPlan> {
    let exprs = columns
        .into_iter()
        .map(|(expr, binding)| match &expr {
            Expr::Column(column) if *column == binding.column => expr,
            _ => expr.alias_qualified(binding.column.relation.clone(), binding.column.name.clone()),
        })
        .collect();
    Projection::try_new(exprs, Arc::new(plan)).map(LogicalPlan::Projection).map_err(from_datafusion)
}

/// Exactly these of the plan's columns.
pub fn select_columns(plan: LogicalPlan, columns: &[Binding]) -> Result<LogicalPlan> {
    let exprs = columns.iter().map(|binding| (binding.expr(), binding)).collect();
    // A column twice in one projection needs a second name.
    let mut seen = std::collections::HashSet::new();
    if columns.iter().all(|binding| seen.insert(&binding.column)) {
        return project(plan, exprs);
    }
    let exprs = columns
        .iter()
        .enumerate()
        .map(|(position, binding)| binding.expr().alias(format!("column_{position}")))
        .collect();
    Projection::try_new(exprs, Arc::new(plan)).map(LogicalPlan::Projection).map_err(from_datafusion)
}

/// All of the plan's columns and some new ones.
pub fn extend(plan: LogicalPlan, columns: Vec<(Expr, &Binding)>) -> Result<LogicalPlan> {
    if columns.is_empty() {
        return Ok(plan);
    }
    let kept = plan.schema().columns().into_iter().map(Expr::Column);
    let added = columns.into_iter().map(|(expr, binding)| expr.alias(binding.column.name.clone()));
    let exprs = kept.chain(added).collect();
    Projection::try_new(exprs, Arc::new(plan)).map(LogicalPlan::Projection).map_err(from_datafusion)
}

pub fn filter(plan: LogicalPlan, condition: Option<Expr>) -> Result<LogicalPlan> {
    match condition {
        None => Ok(plan),
        Some(condition) => Filter::try_new(condition, Arc::new(plan)).map(LogicalPlan::Filter).map_err(from_datafusion),
    }
}

/// A join whose whole condition is an expression; the optimizer finds the hash keys in it.
pub fn join(left: LogicalPlan, right: LogicalPlan, kind: JoinType, condition: Option<Expr>) -> Result<LogicalPlan> {
    let condition = condition.filter(|condition| *condition != boolean(true));
    let join = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        Vec::new(),
        condition,
        kind,
        JoinConstraint::On,
        NullEquality::NullEqualsNothing,
        false,
    );
    join.map(LogicalPlan::Join).map_err(from_datafusion)
}

/// A join on pairs of columns where null equals null, and a condition.
pub fn join_not_distinct(
    left: LogicalPlan,
    right: LogicalPlan,
    kind: JoinType,
    pairs: Vec<(Expr, Expr)>,
    condition: Option<Expr>,
) -> Result<LogicalPlan> {
    if pairs.is_empty() {
        return join(left, right, kind, condition);
    }
    let (left, right) = (Arc::new(left), Arc::new(right));
    let constraint = JoinConstraint::On;
    let join = Join::try_new(left, right, pairs, condition, kind, constraint, NullEquality::NullEqualsNull, false);
    join.map(LogicalPlan::Join).map_err(from_datafusion)
}

pub fn cross(left: LogicalPlan, right: LogicalPlan) -> Result<LogicalPlan> {
    join(left, right, JoinType::Inner, None)
}

/// Groups by columns; the output columns have the names of the group columns and of the aliases of `aggregates`.
pub fn aggregate(plan: LogicalPlan, keys: Vec<Expr>, aggregates: Vec<Expr>) -> Result<LogicalPlan> {
    Aggregate::try_new(Arc::new(plan), keys, aggregates).map(LogicalPlan::Aggregate).map_err(from_datafusion)
}

/// The plan's distinct rows over `columns`, which become its only columns.
pub fn distinct(plan: LogicalPlan, columns: &[Binding]) -> Result<LogicalPlan> {
    aggregate(plan, columns.iter().map(Binding::expr).collect(), Vec::new())
}

pub fn sort(plan: LogicalPlan, keys: Vec<SortExpr>) -> LogicalPlan {
    if keys.is_empty() {
        return plan;
    }
    LogicalPlan::Sort(Sort { expr: keys, input: Arc::new(plan), fetch: None })
}

/// Replaces list columns by their elements, in lock step; shorter lists are padded with nulls. Rows whose lists are all empty stay (with
/// nulls) if `keep_empty`. The columns keep their names, without qualifier.
pub fn unnest(plan: LogicalPlan, columns: Vec<Column>, keep_empty: bool) -> Result<LogicalPlan> {
    let null_handling = if keep_empty { NullHandling::PreserveAndExpandEmpty } else { NullHandling::Drop };
    let options = UnnestOptions { null_handling, recursions: Vec::new() };
    Unnest::try_new(Arc::new(plan), columns, options).map(LogicalPlan::Unnest).map_err(from_datafusion)
}

impl Relation {
    /// Adds computed columns.
    pub fn extend(&mut self, columns: Vec<(Expr, &Binding)>) -> Result<()> {
        let plan = std::mem::take(&mut self.plan);
        self.plan = extend(plan, columns)?;
        Ok(())
    }

    pub fn filter(&mut self, condition: Option<Expr>) -> Result<()> {
        let plan = std::mem::take(&mut self.plan);
        self.plan = filter(plan, condition)?;
        Ok(())
    }
}
