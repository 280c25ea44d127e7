//! `(SELECT agg(…) FROM … WHERE inner = outer …)`: groups the inner rows by what they are compared with and joins, without a domain.

use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::logical_expr::{Expr, Operator};

use super::aggregate::GroupKey;
use super::build::{all, binary, boolean, join, literal};
use super::expr::when;
use super::free::has_subquery;
use super::relation::{Binding, Relation};
use super::subquery::both_sides;
use super::value::Value;
use super::{ColumnRef, Lowerer, compare};
use crate::bind::tree::{self, Distinct, Grouping, Query, Select, SetExpr};
use crate::execute::error::from_datafusion;

impl Lowerer<'_> {
    /// The sub-query's value, or None if it is not of this form.
    pub(super) fn grouped_scalar(&mut self, query: &Query, ty: Type, input: &mut Relation) -> Result<Option<Value>> {
        let Some((select, grouping)) = grouped(query) else { return Ok(None) };
        let Some(from) = &select.from else { return Ok(None) };
        let [target] = select.targets.as_slice() else { return Ok(None) };
        let mentions = |free: Vec<ColumnRef>| free.iter().any(|(rel, position)| input.find(*rel, *position).is_some());
        let mut conjuncts = Vec::new();
        if let Some(filter) = &select.filter {
            super::select::flatten(filter, &mut conjuncts);
        }
        let (outer, own): (Vec<_>, Vec<_>) =
            conjuncts.into_iter().partition(|conjunct| mentions(self.free_in_expr(conjunct)));
        let calls = grouping.aggregates.iter();
        let mut parts = calls
            .flat_map(|call| call.args.iter().chain(&call.filter).chain(call.order_by.iter().map(|key| &key.expr)));
        if outer.is_empty()
            || mentions(self.free_in_from(from))
            || outer.iter().any(|conjunct| has_subquery(conjunct))
            || has_subquery(target)
            || mentions(self.free_in_expr(target))
            || parts.any(|part| has_subquery(part) || mentions(self.free_in_expr(part)))
        {
            return Ok(None);
        }
        let mut right = self.from(from, None)?;
        for conjunct in own {
            self.filter_by(conjunct, &mut right)?;
        }
        let Some(pairs) = self.equal_pairs(&outer, input, &right)? else { return Ok(None) };
        let keys: Vec<Binding> = pairs.iter().map(|(_, _, data_type)| self.binding("key", data_type.clone())).collect();
        right.extend(pairs.iter().map(|(inner, _, _)| inner.clone()).zip(&keys).collect())?;
        let aggregates =
            grouping.aggregates.iter().map(|call| self.aggregate_call(call, &mut right)).collect::<Result<Vec<_>>>()?;
        let (plan, columns) = self.group(right.plan, &keys, &aggregates)?;
        let found = self.binding("found", DataType::Boolean);
        let plan = super::build::extend(plan, vec![(boolean(true), &found)])?;
        let condition =
            all(keys.iter().zip(&pairs).map(|(key, (_, outer, _))| binary(key.expr(), Operator::Eq, outer.clone())));
        input.plan = join(plan, std::mem::take(&mut input.plan), JoinType::Right, condition)?;
        // Outer rows without inner rows have what the aggregates yield over nothing.
        let mut results = Vec::new();
        for (column, aggregated) in columns.iter().zip(&aggregates) {
            let value = match aggregated.empty.is_null() {
                true => column.expr(),
                false => {
                    let empty = literal(aggregated.empty.cast_to(&column.data_type).map_err(from_datafusion)?);
                    when(vec![(Expr::IsNull(Box::new(found.expr())), empty)], column.expr())
                }
            };
            results.push((value, self.binding("aggregate", column.data_type.clone())));
        }
        input.extend(results.iter().map(|(expr, binding)| (expr.clone(), binding)).collect())?;
        let bindings = results.into_iter().map(|(_, binding)| binding).collect();
        input.rels.insert(grouping.rel, bindings);
        let value = self.expr(target, input)?;
        Ok(Some(Value { ty, ..value }))
    }

    /// The conditions as pairs of an inner and an outer expression that are equal, and their representation.
    fn equal_pairs(
        &mut self,
        conditions: &[&tree::Expr],
        input: &Relation,
        right: &Relation,
    ) -> Result<Option<Vec<(Expr, Expr, DataType)>>> {
        use datafusion::logical_expr::ExprSchemable;
        let mut both = both_sides(input, right);
        let (left_schema, right_schema) = (input.plan.schema(), right.plan.schema());
        let within = |expr: &Expr, schema: &datafusion::common::DFSchema| {
            let columns = expr.column_refs();
            !columns.is_empty() && columns.iter().all(|column| schema.has_column(column))
        };
        let mut pairs = Vec::new();
        for condition in conditions {
            let lowered = self.condition(condition, &mut both)?;
            let Some((one, other)) = compare::equality(&lowered) else { return Ok(None) };
            let (inner, outer) = if within(one, right_schema) && within(other, left_schema) {
                (one, other)
            } else if within(other, right_schema) && within(one, left_schema) {
                (other, one)
            } else {
                return Ok(None);
            };
            let data_type = inner.get_type(right_schema).map_err(from_datafusion)?;
            pairs.push((inner.clone(), outer.clone(), data_type));
        }
        Ok(Some(pairs))
    }

    /// Groups by plain columns. Columns of the result: the aggregates.
    fn group(
        &mut self,
        plan: datafusion::logical_expr::LogicalPlan,
        keys: &[Binding],
        aggregates: &[super::aggregate::Aggregated],
    ) -> Result<(datafusion::logical_expr::LogicalPlan, Vec<Binding>)> {
        // The keys are keys already (of numerics and the like).
        let keys: Vec<_> = keys.iter().map(GroupKey::alike).collect();
        let (plan, columns) = self.group_rows(plan, &[], &keys, aggregates)?;
        let results = columns.get(keys.len()..).ok_or_else(|| Error::internal("a grouping without columns"))?.to_vec();
        Ok((plan, results))
    }
}

/// A SELECT with aggregates and without GROUP BY, and nothing else.
fn grouped(query: &Query) -> Option<(&Select, &Grouping)> {
    let SetExpr::Select(select) = &query.body else { return None };
    let grouping = select.grouping.as_ref()?;
    let plain = query.ctes.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && grouping.keys.is_empty()
        && grouping.sets.is_none()
        && select.having.is_none()
        && select.windows.is_none()
        && select.set_functions.is_none()
        && matches!(select.distinct, Distinct::None);
    plain.then_some((select, grouping))
}
