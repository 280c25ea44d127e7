//! Sub-queries in expressions.
//!
//! A correlated sub-query is computed once for all distinct values of what it refers to (its *domain*), and joined back. Nothing runs per row.

use std::sync::Arc;

use aegis_catalog::{Error, Result, Type};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::{Expr, LogicalPlan, Operator};

use super::build::{
    aggregate, all, binary, boolean, cross, distinct, filter, integer, join, join_not_distinct, project,
};
use super::free::has_subquery;
use super::relation::{Binding, DomainColumn, Output, Relation};
use super::value::Value;
use super::{ColumnRef, Lowerer};
use crate::bind::tree::{self, Distinct, ExprKind, Query, Select, SetExpr, Subquery, SubqueryKind};
use crate::execute::aggregate::{Inner, Ordered, single_value};

/// A sub-query as the right side of a semi join: its rows, and the conditions that mention the left side.
pub(super) struct JoinSide {
    pub right: Relation,
    pub conditions: Vec<Expr>,
    /// It mentions nothing of the left side.
    pub uncorrelated: bool,
}

/// `array_agg(anyarray)`.
const ARRAY_AGG_OF_ARRAYS: aegis_catalog::Oid = 4053;

impl Lowerer<'_> {
    pub fn subquery(&mut self, subquery: &Subquery, ty: Type, input: &mut Relation) -> Result<Value> {
        match &subquery.kind {
            SubqueryKind::Scalar => self.scalar(&subquery.query, ty, input, false),
            SubqueryKind::Row => self.scalar(&subquery.query, ty, input, true),
            SubqueryKind::Exists => self.exists(&subquery.query, input),
            SubqueryKind::Array => self.array_of_rows(&subquery.query, ty, input),
            SubqueryKind::Any { .. } | SubqueryKind::All { .. } => self.quantified(subquery, input),
        }
    }

    /// Splits a relation into itself and the distinct values of those of `free` that are its columns. The pairs join the two.
    pub fn domain(
        &mut self,
        mut base: Relation,
        free: &[ColumnRef],
    ) -> Result<(Relation, Relation, Vec<(Expr, Expr)>)> {
        let referred: Vec<(ColumnRef, Binding)> = free
            .iter()
            .filter_map(|&(rel, position)| Some(((rel, position), base.find(rel, position)?.clone())))
            .collect();
        base.plan = self.shareable(base.plan)?;
        let mut columns = Vec::new();
        let mut pairs = Vec::new();
        for ((rel, position), outer) in &referred {
            let binding = self.binding("outer", outer.data_type.clone());
            pairs.push((outer.expr(), binding.expr()));
            columns.push(DomainColumn { rel: *rel, position: *position, binding });
        }
        let exprs = referred.iter().zip(&columns).map(|((_, outer), column)| (outer.expr(), &column.binding)).collect();
        let plan = project(base.plan.clone(), exprs)?;
        let bindings: Vec<Binding> = columns.iter().map(|column| column.binding.clone()).collect();
        let plan = if bindings.is_empty() { plan } else { distinct(plan, &bindings)? };
        let mut domain = Relation::new(plan);
        domain.domain = columns;
        Ok((base, domain, pairs))
    }

    /// A plan that may be used in several places: itself if it is cheap and always yields the same rows, else a shared result.
    pub(super) fn shareable(&mut self, plan: LogicalPlan) -> Result<LogicalPlan> {
        if is_repeatable(&plan) {
            return Ok(plan);
        }
        let old: Vec<Binding> = plan
            .schema()
            .iter()
            .map(|(qualifier, field)| Binding {
                column: datafusion::common::Column::new(qualifier.cloned(), field.name()),
                data_type: field.data_type().clone(),
            })
            .collect();
        let plain: Vec<Binding> = old.iter().map(|column| self.binding("shared", column.data_type.clone())).collect();
        let plan = project(plan, old.iter().map(Binding::expr).zip(&plain).collect())?;
        let source = self.context.tables.shared(plan)?;
        let (scan, columns) = self.scan("shared", source)?;
        project(scan, columns.iter().map(Binding::expr).zip(&old).collect())
    }

    /// Computes something for each row of `input`: `lower` makes rows for a domain (or a single row without one), `results` are its
    /// columns; they are null where it makes no row.
    fn attach(
        &mut self,
        input: &mut Relation,
        free: &[ColumnRef],
        lower: impl FnOnce(&mut Self, Option<&Relation>) -> Result<LogicalPlan>,
    ) -> Result<()> {
        if !free.iter().any(|(rel, position)| input.find(*rel, *position).is_some()) {
            let plan = lower(self, None)?;
            // The single row is on the left, which joins keep in memory.
            input.plan = cross(plan, std::mem::take(&mut input.plan))?;
            return Ok(());
        }
        let taken = std::mem::replace(input, Relation::new(LogicalPlan::default()));
        let (base, domain, pairs) = self.domain(taken, free)?;
        *input = base;
        let plan = lower(self, Some(&domain))?;
        let pairs = pairs.into_iter().map(|(outer, inner)| (inner, outer)).collect();
        input.plan = join_not_distinct(plan, std::mem::take(&mut input.plan), JoinType::Right, pairs, None)?;
        Ok(())
    }

    /// `(SELECT …)` as a value, or as a row.
    fn scalar(&mut self, query: &Query, ty: Type, input: &mut Relation, as_row: bool) -> Result<Value> {
        if !as_row && let Some(value) = self.grouped_scalar(query, ty, input)? {
            return Ok(value);
        }
        let free = self.free_in_query(query);
        let mut result: Option<Value> = None;
        let slot = &mut result;
        self.attach(input, &free, |lowerer, base| {
            let mut output = lowerer.query(query, base)?;
            let value = if as_row {
                lowerer.row_of(&mut output, query, ty)?
            } else {
                let column = output.columns.first().ok_or_else(|| Error::internal("a sub-query without columns"))?;
                Value::new(column.expr(), ty, column.data_type.clone())
            };
            let rows = row_bound(query);
            if rows == RowBound::One || (rows == RowBound::AtMostOne && base.is_some()) {
                *slot = Some(value);
                return Ok(output.plan);
            }
            let binding = lowerer.binding("value", value.data_type.clone());
            let single = single_value(value.data_type.clone()).call(vec![value.expr]).alias(&binding.column.name);
            let keys = output.domain.iter().map(|column| column.binding.expr()).collect();
            *slot = Some(Value::new(binding.expr(), ty, value.data_type));
            aggregate(output.plan, keys, vec![single])
        })?;
        result.ok_or_else(|| Error::internal("a sub-query without result"))
    }

    /// Adds the output's visible columns as one row value.
    fn row_of(&mut self, output: &mut Output, query: &Query, ty: Type) -> Result<Value> {
        let fields = output
            .columns
            .iter()
            .zip(&query.columns)
            .map(|(binding, column)| Value::new(binding.expr(), column.ty, binding.data_type.clone()))
            .collect();
        let row = self.row(fields, ty)?;
        let binding = self.binding("row", row.data_type.clone());
        output.plan = super::build::extend(std::mem::take(&mut output.plan), vec![(row.expr, &binding)])?;
        Ok(Value::new(binding.expr(), ty, binding.data_type.clone()))
    }

    /// EXISTS as a value.
    fn exists(&mut self, query: &Query, input: &mut Relation) -> Result<Value> {
        if let Some(side) = self.join_side(query, None, input)?
            && !side.uncorrelated
        {
            let mark = self.mark(input, side.right, all(side.conditions))?;
            return Ok(Value::boolean(mark.expr()));
        }
        let free = self.free_in_query(query);
        let found = self.binding("found", DataType::Boolean);
        let counted = self.binding("count", DataType::Int64);
        self.attach(input, &free, |lowerer, base| {
            let output = lowerer.query(query, base)?;
            if base.is_none() {
                let first = LogicalPlan::Limit(datafusion::logical_expr::Limit {
                    skip: None,
                    fetch: Some(Box::new(integer(1))),
                    input: Arc::new(output.plan),
                });
                let count = count_udaf().call(vec![integer(1)]).alias(&counted.column.name);
                let plan = aggregate(first, Vec::new(), vec![count])?;
                return project(plan, vec![(binary(counted.expr(), Operator::Gt, integer(0)), &found)]);
            }
            let keys: Vec<Binding> = output.domain.iter().map(|column| column.binding.clone()).collect();
            let plan = distinct(output.plan, &keys)?;
            let exprs = keys.iter().map(|key| (key.expr(), key)).chain([(boolean(true), &found)]).collect();
            project(plan, exprs)
        })?;
        Ok(Value::boolean(Expr::IsTrue(Box::new(found.expr()))))
    }

    /// Adds a column that says whether the right side has a row that meets the condition.
    pub(super) fn mark(&mut self, input: &mut Relation, right: Relation, condition: Option<Expr>) -> Result<Binding> {
        let left = std::mem::take(&mut input.plan);
        let columns = left.schema().columns();
        let plan = join(left, right.plan, JoinType::LeftMark, condition.or_else(|| Some(boolean(true))))?;
        let mark = self.binding("mark", DataType::Boolean);
        let marked = plan.schema().columns().into_iter().next_back();
        let marked = marked.ok_or_else(|| Error::internal("a mark join without mark"))?;
        let exprs = columns.into_iter().map(Expr::Column);
        let exprs = exprs.chain([Expr::Column(marked).alias(&mark.column.name)]).collect();
        let projection = datafusion::logical_expr::Projection::try_new(exprs, Arc::new(plan));
        input.plan = LogicalPlan::Projection(projection.map_err(crate::execute::error::from_datafusion)?);
        Ok(mark)
    }

    /// The sub-query as the right side of a semi join: possible if it does not mention the left side at all, or only in conditions of its WHERE.
    /// `output` names its columns for the comparison of ANY and ALL.
    pub(super) fn join_side(
        &mut self,
        query: &Query,
        output: Option<tree::RelId>,
        left: &Relation,
    ) -> Result<Option<JoinSide>> {
        let mentions = |free: Vec<ColumnRef>| free.iter().any(|(rel, position)| left.find(*rel, *position).is_some());
        if !mentions(self.free_in_query(query)) {
            let lowered = self.query(query, None)?;
            let right = match output {
                Some(rel) => lowered.into_relation(rel),
                None => Relation::new(lowered.plan),
            };
            return Ok(Some(JoinSide { right, conditions: Vec::new(), uncorrelated: true }));
        }
        let Some(select) = plain_select(query) else { return Ok(None) };
        let Some(from) = &select.from else { return Ok(None) };
        let mut conjuncts = Vec::new();
        if let Some(filter) = &select.filter {
            super::select::flatten(filter, &mut conjuncts);
        }
        let (outer, own): (Vec<_>, Vec<_>) =
            conjuncts.into_iter().partition(|conjunct| mentions(self.free_in_expr(conjunct)));
        let targets = output.map_or(&[][..], |_| &select.targets);
        if mentions(self.free_in_from(from))
            || outer.iter().any(|conjunct| has_subquery(conjunct))
            || targets.iter().any(|target| has_subquery(target) || mentions(self.free_in_expr(target)))
        {
            return Ok(None);
        }
        let mut right = self.from(from, None)?;
        for conjunct in own {
            self.filter_by(conjunct, &mut right)?;
        }
        if let Some(rel) = output {
            let values = self.exprs(targets, &mut right)?;
            let columns: Vec<Binding> =
                values.iter().map(|value| self.binding("column", value.data_type.clone())).collect();
            right.extend(values.into_iter().map(|value| value.expr).zip(&columns).collect())?;
            right.rels.insert(rel, columns);
        }
        let mut both = both_sides(left, &right);
        let conditions =
            outer.into_iter().map(|conjunct| self.condition(conjunct, &mut both)).collect::<Result<_>>()?;
        Ok(Some(JoinSide { right, conditions, uncorrelated: false }))
    }

    /// A conjunct of WHERE that is a sub-query's EXISTS, ANY or ALL (or their negation) filters by a semi or anti join.
    /// False if it is something else.
    pub fn filter_by_subquery(&mut self, conjunct: &tree::Expr, input: &mut Relation) -> Result<bool> {
        let (subquery, negated) = match &conjunct.kind {
            ExprKind::Subquery(subquery) => (subquery, false),
            ExprKind::Not(inner) => match &inner.kind {
                ExprKind::Subquery(subquery) => (subquery, true),
                _ => return Ok(false),
            },
            _ => return Ok(false),
        };
        match &subquery.kind {
            SubqueryKind::Exists => {
                let Some(side) = self.join_side(&subquery.query, None, input)? else { return Ok(false) };
                if side.uncorrelated {
                    return Ok(false);
                }
                let kind = if negated { JoinType::LeftAnti } else { JoinType::LeftSemi };
                input.plan = join(std::mem::take(&mut input.plan), side.right.plan, kind, all(side.conditions))?;
                Ok(true)
            }
            SubqueryKind::Any { .. } | SubqueryKind::All { .. } => self.filter_by_quantified(subquery, negated, input),
            SubqueryKind::Scalar | SubqueryKind::Row | SubqueryKind::Array => Ok(false),
        }
    }

    /// `ARRAY(SELECT …)`: the rows in the query's order.
    fn array_of_rows(&mut self, query: &Query, ty: Type, input: &mut Relation) -> Result<Value> {
        let free = self.free_in_query(query);
        let mut result: Option<Value> = None;
        let slot = &mut result;
        self.attach(input, &free, |lowerer, base| {
            let output = lowerer.query(query, base)?;
            let types: Vec<Type> = super::query::output_types(query);
            let value = output.columns.first().ok_or_else(|| Error::internal("a sub-query without columns"))?.clone();
            let element = query.columns.first().map_or(ty, |column| column.ty);
            let value = Value::new(value.expr(), element, value.data_type.clone()).into_computed()?;
            let mut sorts = lowerer.sort_keys(&query.order_by, &output.columns, &types)?;
            let mut plan = output.plan;
            if sorts.is_empty() {
                let (numbered, number) = lowerer.number_rows(plan, Vec::new(), Vec::new(), false)?;
                plan = numbered;
                sorts.push(datafusion::logical_expr::expr::Sort::new(number.expr(), true, false));
            }
            let options =
                sorts.iter().map(|sort| SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first }).collect();
            // Arrays become one of a dimension more.
            let (inner, data_type) = match element.oid == ty.oid {
                true => {
                    let function = crate::functions::registry().by_oid(ARRAY_AGG_OF_ARRAYS);
                    let function =
                        function.ok_or_else(|| Error::unsupported("ARRAY of a sub-query of arrays"))?.clone();
                    let (udaf, _) = lowerer.aggregate_function(&function, vec![value.clone()], ty, &[])?;
                    (Inner::Aggregate(udaf), value.data_type.clone())
                }
                false => (Inner::Array, aegis_catalog::types::representation::array_type(value.data_type.clone())),
            };
            let binding = lowerer.binding("array", data_type.clone());
            let collect = Ordered::udaf(inner, 1, options, 0, data_type.clone());
            let args = std::iter::once(value.expr).chain(sorts.into_iter().map(|sort| sort.expr)).collect();
            let keys = output.domain.iter().map(|column| column.binding.expr()).collect();
            *slot = Some(Value::new(binding.expr(), ty, data_type));
            aggregate(plan, keys, vec![collect.call(args).alias(&binding.column.name)])
        })?;
        let value = result.ok_or_else(|| Error::internal("a sub-query without result"))?;
        // No row of the sub-query is an empty array, not null.
        let empty = crate::execute::array::empty(&value.data_type)?;
        let missing = Expr::IsNull(Box::new(value.expr.clone()));
        let expr = super::expr::when(vec![(missing, super::build::literal(empty))], value.expr);
        Ok(Value { expr, ..value })
    }

    /// `condition` holds on the input from now on.
    pub(super) fn keep(&mut self, input: &mut Relation, condition: Expr) -> Result<()> {
        input.plan = filter(std::mem::take(&mut input.plan), Some(condition))?;
        Ok(())
    }
}

/// A scope with the columns of both sides and no plan.
pub(super) fn both_sides(left: &Relation, right: &Relation) -> Relation {
    let mut both = Relation { plan: LogicalPlan::default(), rels: left.rels.clone(), domain: left.domain.clone() };
    both.rels.extend(right.rels.clone());
    both
}

/// A query that is FROM, WHERE and targets only.
fn plain_select(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &query.body else { return None };
    let plain = query.ctes.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && select.is_row_by_row()
        && !matches!(select.distinct, Distinct::On(_));
    plain.then_some(select)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RowBound {
    One,
    AtMostOne,
    Many,
}

/// How many rows a query can have, as far as its form tells.
fn row_bound(query: &Query) -> RowBound {
    let form = match &query.body {
        SetExpr::Select(select) if select.set_functions.is_none() => {
            let grouped =
                select.grouping.as_ref().is_some_and(|grouping| grouping.keys.is_empty() && grouping.sets.is_none());
            let one_row = select.grouping.is_none() && select.from.is_none();
            let filtered = select.having.is_some() || (one_row && select.filter.is_some());
            match (grouped || one_row, filtered) {
                (true, false) => RowBound::One,
                (true, true) => RowBound::AtMostOne,
                (false, _) => RowBound::Many,
            }
        }
        SetExpr::Values(rows) if rows.len() == 1 => RowBound::One,
        _ => RowBound::Many,
    };
    let one = |limit: &tree::Expr| {
        matches!(limit.kind, ExprKind::Constant(datafusion::scalar::ScalarValue::Int64(Some(0..=1))))
    };
    match (form, &query.limit, &query.offset) {
        (form, None, None) => form,
        (RowBound::One | RowBound::AtMostOne, ..) => RowBound::AtMostOne,
        (RowBound::Many, Some(limit), _) if one(limit) && !query.with_ties => RowBound::AtMostOne,
        _ => RowBound::Many,
    }
}

/// Cheap enough to run twice, with the same rows each time.
fn is_repeatable(plan: &LogicalPlan) -> bool {
    let here = match plan {
        LogicalPlan::TableScan(_) | LogicalPlan::EmptyRelation(_) | LogicalPlan::Values(_) => true,
        LogicalPlan::Projection(projection) => !projection.expr.iter().any(Expr::is_volatile),
        LogicalPlan::Filter(filter) => !filter.predicate.is_volatile(),
        LogicalPlan::Join(_) => true,
        _ => false,
    };
    here && plan.inputs().into_iter().all(is_repeatable)
}
