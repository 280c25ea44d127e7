//! ORDER BY, OFFSET, LIMIT and WITH TIES.

use std::sync::Arc;

use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::datatypes::DataType;
use datafusion::functions_window::rank::rank_udwf;
use datafusion::functions_window::row_number::row_number_udwf;
use datafusion::logical_expr::expr::{Sort as SortExpr, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{Expr, Limit, LogicalPlan, Operator, Window, WindowFrame, WindowFunctionDefinition};
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::build::{all, binary, filter, integer, sort};
use super::relation::{Binding, Output, Relation};
use super::value::cast;
use crate::bind::tree::{self, Query};
use crate::execute::error::from_datafusion;

impl Lowerer<'_> {
    pub fn order_and_limit(&mut self, query: &Query, mut output: Output, types: &[Type]) -> Result<Output> {
        let keys = self.sort_keys(&query.order_by, &output.columns, types)?;
        if query.limit.is_none() && query.offset.is_none() {
            // Without a limit the order of rows inside a correlated sub-query does not matter.
            if output.domain.is_empty() {
                output.plan = sort(output.plan, keys);
            }
            return Ok(output);
        }
        let mut scope = Relation { plan: output.plan, rels: Default::default(), domain: output.domain };
        let limit = query.limit.as_ref().map(|limit| self.row_count(limit, &mut scope)).transpose()?;
        let offset = query.offset.as_ref().map(|offset| self.row_count(offset, &mut scope)).transpose()?;
        (output.plan, output.domain) = (scope.plan, scope.domain);
        let constant = |expr: &Option<Expr>| expr.as_ref().is_none_or(|expr| matches!(expr, Expr::Literal(..)));
        if !output.domain.is_empty() || query.with_ties || !constant(&limit) || !constant(&offset) {
            return self.limit_by_number(query.with_ties, output, keys, limit, offset);
        }
        let fetch = limit.as_ref().map(|limit| constant_count(limit, true)).transpose()?.flatten();
        let skip = offset.as_ref().map(|offset| constant_count(offset, false)).transpose()?.flatten();
        output.plan = LogicalPlan::Limit(Limit {
            skip: skip.filter(|skip| *skip > 0).map(|skip| Box::new(integer(skip))),
            fetch: fetch.map(|fetch| Box::new(integer(fetch))),
            input: Arc::new(sort(output.plan, keys)),
        });
        Ok(output)
    }

    fn row_count(&mut self, expr: &tree::Expr, scope: &mut Relation) -> Result<Expr> {
        let value = self.expr(expr, scope)?;
        Ok(value.into_representation(&DataType::Int64)?.expr)
    }

    /// LIMIT for each value of the domain, with ties, or with a computed count: numbers the rows and filters.
    fn limit_by_number(
        &mut self,
        with_ties: bool,
        mut output: Output,
        keys: Vec<SortExpr>,
        limit: Option<Expr>,
        offset: Option<Expr>,
    ) -> Result<Output> {
        let partition: Vec<Expr> = output.domain.iter().map(|column| column.binding.expr()).collect();
        let (plan, number) = self.number_rows(output.plan, partition.clone(), keys.clone(), false)?;
        output.plan = plan;
        let mut conditions = Vec::new();
        let skipped =
            offset.map(|offset| super::expr::when(vec![(Expr::IsNull(Box::new(offset.clone())), integer(0))], offset));
        if let Some(limit) = limit {
            let last = match &skipped {
                Some(skipped) => binary(limit.clone(), Operator::Plus, skipped.clone()),
                None => limit.clone(),
            };
            let place = if with_ties {
                let (plan, rank) = self.number_rows(output.plan, partition, keys.clone(), true)?;
                output.plan = plan;
                rank
            } else {
                number.clone()
            };
            let within = binary(place.expr(), Operator::LtEq, last);
            conditions.push(binary(Expr::IsNull(Box::new(limit)), Operator::Or, within));
        }
        if let Some(skipped) = skipped {
            conditions.push(binary(number.expr(), Operator::Gt, skipped));
        }
        output.plan = filter(output.plan, all(conditions))?;
        if output.domain.is_empty() {
            output.plan = sort(output.plan, keys);
        }
        Ok(output)
    }

    /// Adds the row's number (or rank) within its partition as an int8 column.
    pub fn number_rows(
        &mut self,
        plan: LogicalPlan,
        partition_by: Vec<Expr>,
        order_by: Vec<SortExpr>,
        rank: bool,
    ) -> Result<(LogicalPlan, Binding)> {
        let function = if rank { rank_udwf() } else { row_number_udwf() };
        let window = Expr::WindowFunction(Box::new(WindowFunction {
            fun: WindowFunctionDefinition::WindowUDF(function),
            params: WindowFunctionParams {
                args: Vec::new(),
                partition_by,
                window_frame: WindowFrame::new(if order_by.is_empty() { None } else { Some(false) }),
                order_by,
                filter: None,
                null_treatment: None,
                distinct: false,
            },
        }));
        let raw = Binding::named(self.name("number"), DataType::UInt64);
        let window = Window::try_new(vec![window.alias(&raw.column.name)], Arc::new(plan)).map_err(from_datafusion)?;
        let number = Binding::named(self.name("number"), DataType::Int64);
        let number_expr = cast(raw.expr(), &DataType::Int64);
        let plan = super::build::extend(LogicalPlan::Window(window), vec![(number_expr, &number)])?;
        Ok((plan, number))
    }
}

/// The constant of a LIMIT or OFFSET; None for null.
fn constant_count(expr: &Expr, limit: bool) -> Result<Option<i64>> {
    match expr {
        Expr::Literal(ScalarValue::Int64(Some(count)), _) if *count < 0 => Err(match limit {
            true => Error::new(sqlstate::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative"),
            false => Error::new(sqlstate::INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET must not be negative"),
        }),
        Expr::Literal(ScalarValue::Int64(count), _) => Ok(*count),
        _ => Ok(None),
    }
}
