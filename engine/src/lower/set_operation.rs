//! UNION, INTERSECT and EXCEPT.

use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type};
use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::functions_aggregate::min_max::min_udaf;
use datafusion::logical_expr::{Expr, Limit, LogicalPlan};

use super::Lowerer;
use super::build::{aggregate, join_not_distinct, project};
use super::key::{is_keyed, key_of_column};
use super::relation::{Binding, DomainColumn, Output, Relation};
use super::value::Value;
use super::values::union_all;
use crate::bind::tree::Query;
use crate::parse::ast::SetOperator;

impl Lowerer<'_> {
    pub fn set_operation(
        &mut self,
        op: SetOperator,
        all: bool,
        legs: &[Query],
        types: &[Type],
        base: Option<&Relation>,
    ) -> Result<Output> {
        let legs = legs.iter().map(|leg| self.query(leg, base)).collect::<Result<Vec<_>>>()?;
        let Some(first) = legs.first() else { return Err(Error::internal("a set operation without sides")) };
        let columns: Vec<Binding> = first
            .columns
            .iter()
            .zip(types)
            .enumerate()
            .map(|(at, (column, ty))| {
                let same =
                    legs.iter().all(|leg| leg.columns.get(at).is_some_and(|of| of.data_type == column.data_type));
                self.binding("column", if same { column.data_type.clone() } else { self.representation(*ty) })
            })
            .collect();
        let domain: Vec<DomainColumn> = first.domain.clone();
        if op == SetOperator::Union {
            let legs = legs.into_iter().map(|leg| renamed(leg, &columns, types, &domain).map(Arc::new));
            let plan = union_all(legs.collect::<Result<_>>()?)?;
            let output = Output { plan, columns, domain };
            return if all { Ok(output) } else { self.distinct_rows(output, types) };
        }
        let [left, right] = <[Output; 2]>::try_from(legs).map_err(|_| Error::internal("an operation of two sides"))?;
        let left = renamed(left, &columns, types, &domain)?;
        let other: Vec<Binding> =
            columns.iter().map(|column| self.binding("other", column.data_type.clone())).collect();
        let other_domain: Vec<DomainColumn> = domain
            .iter()
            .map(|column| DomainColumn {
                binding: self.binding("outer", column.binding.data_type.clone()),
                ..column.clone()
            })
            .collect();
        let right = renamed(right, &other, types, &other_domain)?;
        let left = Output { plan: left, columns, domain };
        let right = Output { plan: right, columns: other, domain: other_domain };
        self.intersect_or_except(op, all, left, right, types)
    }

    fn intersect_or_except(
        &mut self,
        op: SetOperator,
        all: bool,
        mut left: Output,
        mut right: Output,
        types: &[Type],
    ) -> Result<Output> {
        let mut pairs: Vec<(Expr, Expr)> = left
            .domain
            .iter()
            .zip(&right.domain)
            .map(|(left, right)| (left.binding.expr(), right.binding.expr()))
            .collect();
        for ((left, right), ty) in left.columns.iter().zip(&right.columns).zip(types) {
            pairs.push((key_of_column(left, *ty)?, key_of_column(right, *ty)?));
        }
        let kind = if op == SetOperator::Intersect { JoinType::LeftSemi } else { JoinType::LeftAnti };
        if all {
            // The n-th occurrence of a row on the left meets the n-th on the right.
            let (left_keys, right_keys) = pairs.iter().cloned().unzip();
            let (plan, left_number) = self.number_rows(left.plan, left_keys, Vec::new(), false)?;
            left.plan = plan;
            let (plan, right_number) = self.number_rows(right.plan, right_keys, Vec::new(), false)?;
            right.plan = plan;
            pairs.push((left_number.expr(), right_number.expr()));
        }
        left.plan = join_not_distinct(left.plan, right.plan, kind, pairs, None)?;
        if all { Ok(left) } else { self.distinct_rows(left, types) }
    }

    /// DISTINCT over all columns: groups by keys and keeps one of the equal values.
    pub fn distinct_rows(&mut self, mut output: Output, types: &[Type]) -> Result<Output> {
        if output.columns.is_empty() && output.domain.is_empty() {
            // Rows without columns are all equal.
            let fetch = Some(Box::new(super::build::integer(1)));
            output.plan = LogicalPlan::Limit(Limit { skip: None, fetch, input: Arc::new(output.plan) });
            return Ok(output);
        }
        let count = types.len().min(output.columns.len());
        let compared = output.columns.iter().take(count).zip(types);
        if !compared.clone().any(|(column, ty)| is_keyed(*ty, &column.data_type)) {
            let keys = output.domain.iter().map(|column| column.binding.expr());
            let keys = keys.chain(output.columns.iter().map(Binding::expr)).collect();
            output.plan = aggregate(output.plan, keys, Vec::new())?;
            return Ok(output);
        }
        let mut keys: Vec<Expr> = output.domain.iter().map(|column| column.binding.expr()).collect();
        let mut kept = Vec::new();
        let mut columns = Vec::new();
        for (column, ty) in output.columns.iter().zip(types) {
            if is_keyed(*ty, &column.data_type) {
                let result = self.binding("kept", column.data_type.clone());
                keys.push(key_of_column(column, *ty)?);
                kept.push(representative(column.expr(), *ty, &column.data_type)?.alias(&result.column.name));
                columns.push(result);
            } else {
                keys.push(column.expr());
                columns.push(column.clone());
            }
        }
        output.plan = aggregate(output.plan, keys, kept)?;
        output.columns = columns;
        Ok(output)
    }
}

/// One of the values of a group whose keys are equal: the first, or the least where that is quicker and looks the same.
pub fn representative(value: Expr, ty: Type, data_type: &DataType) -> Result<Expr> {
    Ok(match data_type {
        DataType::Struct(_) | DataType::List(_) | DataType::FixedSizeBinary(_) | DataType::Interval(_) => {
            crate::execute::aggregate::any_value(data_type.clone()).call(vec![value])
        }
        _ if matches!(ty.oid, oid::JSONB | oid::CITEXT) => {
            crate::execute::aggregate::any_value(data_type.clone()).call(vec![value])
        }
        _ => min_udaf().call(vec![value]),
    })
}

/// The query's columns under other names and in the given representation, after the domain's.
fn renamed(
    output: Output,
    columns: &[Binding],
    types: &[Type],
    domain: &[DomainColumn],
) -> Result<datafusion::logical_expr::LogicalPlan> {
    let carried = output.domain.iter().zip(domain).map(|(from, to)| (from.binding.expr(), &to.binding));
    let mut exprs: Vec<(Expr, &Binding)> = carried.collect();
    for ((from, to), ty) in output.columns.iter().zip(columns).zip(types) {
        let value = Value::new(from.expr(), *ty, from.data_type.clone());
        exprs.push((value.into_representation(&to.data_type)?.expr, to));
    }
    project(output.plan, exprs)
}
