//! Calls of bodies that run statement by statement, with arguments from the rows of a FROM: the rows are found first, the calls are made for
//! each of them, and the results stand as VALUES in the place of both.

use std::sync::Arc;

use aegis_catalog::types::{self, oid};
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::scalar::ScalarValue;

use super::Session;
use super::context::StatementContext;
use super::prepared::Plan;
use super::routine::{MAX_ROWS, collect_columns, drain, has_calls, null_of, values, with_columns};
use crate::bind::inline::runs_in_session;
use crate::bind::routine as bodies;
use crate::bind::tree::{
    Alias, Cte, Distinct, Expr, ExprKind, From, Insert, JoinForm, OutputColumn, Query, RelId, Select, SetCall, SetExpr,
};
use crate::bind::{GIVEN_ROWS, walk};
use crate::execute::error::from_datafusion;
use crate::lower::free::has_free_columns;
use crate::parse::ast::JoinKind;

/// A column of a relation, with its type.
pub(super) type Column = (RelId, usize, Type);
type Rows = Vec<Vec<ScalarValue>>;

impl Session {
    /// Calls in FROM over what stands left of them (`t, f(t.a)`), and sets in the target list over columns, which are the same.
    pub(super) async fn call_in_from(
        &mut self,
        select: &mut Select,
        ctes: &[Cte],
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        let record = set_into_from(select);
        while select.from.as_ref().is_some_and(holds_lateral_call) {
            let Some(mut from) = select.from.take() else { return Ok(()) };
            let mentioned = columns_of(select, &mut from);
            let filter = select.filter.clone();
            let renamed = match lateral_call(&mut from) {
                None => return Ok(()),
                Some(join) => self.call_lateral(join, mentioned, filter, record, ctes, parameters, context).await?,
            };
            rename_from(&mut from, &renamed);
            select.from = Some(from);
            walk::select(select, &mut |expr| rename(expr, &renamed));
        }
        Ok(())
    }

    /// Puts VALUES in the place of a join with a call on its right: the call's columns, then those of `mentioned` that come from the left.
    #[allow(clippy::too_many_arguments)]
    async fn call_lateral(
        &mut self,
        join: &mut From,
        mentioned: Vec<Column>,
        filter: Option<Expr>,
        record: Option<(RelId, Type)>,
        ctes: &[Cte],
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<Renamed> {
        let From::Join { kind, left, right, condition, .. } = join else { return Ok(Renamed::default()) };
        let From::Function { rel, calls, ordinality, alias, .. } = &mut **right else { return Ok(Renamed::default()) };
        let ([call], false) = (calls.as_mut_slice(), *ordinality) else {
            return Err(Error::unsupported("a function of several statements in ROWS FROM"));
        };
        let plain = |condition: &Expr| matches!(&condition.kind, ExprKind::Constant(ScalarValue::Boolean(Some(true))));
        if !condition.as_ref().is_none_or(plain) {
            return Err(Error::unsupported("a join condition with a function of several statements"));
        }
        self.settle_from(left, parameters, context).await?;
        let (rel, alias, keep) = (*rel, alias.clone(), *kind == JoinKind::Left);
        let rels = rels_of(left);
        let needed: Vec<Column> = mentioned.into_iter().filter(|(of, ..)| rels.contains(of)).collect();
        let within = |part: &Expr| !has_calls(part) && reads_only(part, &rels);
        let filter = and(filter.into_iter().flat_map(conjuncts).filter(within).collect());
        let left = std::mem::replace(&mut **left, nothing(rel));
        let found = self.rows_for(Some(left), filter, &needed, ctes, parameters, context).await?;
        let record = record.filter(|(of, _)| *of == rel).map(|(_, ty)| ty);
        let mut columns = match record {
            Some(ty) if call.columns.len() != 1 => {
                vec![OutputColumn { name: alias.name.clone(), ty, origin: None }]
            }
            _ => call.columns.clone(),
        };
        let own = columns.len();
        let mut all: Rows = Vec::new();
        for row in found {
            let mut call = call.clone();
            call.args.iter_mut().for_each(|arg| with_columns(arg, &needed, &row));
            let mut results = self.run_set(&mut call, parameters, context).await?;
            if results.is_empty() && keep {
                let nulls = call.columns.iter().map(|column| null_of(column.ty, &context.catalog));
                results.push(nulls.collect::<Result<_>>()?);
            }
            check_number(all.len() + results.len())?;
            for result in results {
                let result = as_column(result, &call, context)?;
                let result = if own == result.len() { result } else { vec![record_of(result, &call, context)?] };
                all.push(result.into_iter().chain(row.iter().cloned()).collect());
            }
        }
        columns.extend(named(&needed));
        let types: Vec<Type> = columns.iter().map(|column| column.ty).collect();
        let query = Box::new(values(all, &types, columns, &context.catalog));
        *join = From::Subquery { rel, query, lateral: false, view: None, alias: Some(alias) };
        Ok(Renamed { rel: Some(rel), first: own, columns: needed })
    }

    /// Calls in WHERE, GROUP BY, aggregates and windows.
    pub(super) async fn call_in_clauses(
        &mut self,
        select: &mut Select,
        ctes: &[Cte],
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        let mut calls = Vec::new();
        over_rows(select, &mut |expr| calls.extend(has_calls(expr).then(|| expr.clone())));
        if calls.is_empty() && !select.filter.as_ref().is_some_and(has_calls) {
            return Ok(());
        }
        let mut from = select.from.take();
        let rels = from.as_ref().map(rels_of).unwrap_or_default();
        let rel = rels.first().copied().unwrap_or(NOWHERE);
        let mentioned = match &mut from {
            Some(from) => columns_of(select, from),
            None => Vec::new(),
        };
        let needed: Vec<Column> = mentioned.into_iter().filter(|(of, ..)| rels.contains(of)).collect();
        let (of_calls, plain): (Vec<Expr>, Vec<Expr>) =
            select.filter.take().into_iter().flat_map(conjuncts).partition(has_calls);
        let found = self.rows_for(from, and(plain), &needed, ctes, parameters, context).await?;
        let kept = needed.len();
        let all = self.results_of(found, &needed, &of_calls, &calls, kept, parameters, context).await?;
        let query = Box::new(with_results(all, &needed, &calls, context));
        over_rows(select, &mut |expr| {
            if has_calls(expr) {
                expr.kind = ExprKind::Default;
            }
        });
        let renamed = Renamed { rel: Some(rel), first: 0, columns: needed };
        walk::select(select, &mut |expr| rename(expr, &renamed));
        let mut next = renamed.columns.len();
        over_rows(select, &mut |expr| {
            if matches!(expr.kind, ExprKind::Default) {
                expr.kind = ExprKind::Column { rel, column: next };
                next += 1;
            }
        });
        select.from = Some(From::Subquery { rel, query, lateral: false, view: None, alias: None });
        Ok(())
    }

    /// The targets of a SELECT for each of its rows, where calls need columns.
    pub(super) async fn call_in_targets(
        &mut self,
        select: &mut Select,
        ctes: &[Cte],
        limit: Option<Expr>,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        let mut sets = select.set_functions.iter().flat_map(|sets| &sets.calls);
        if sets.any(|(_, call)| is_call_over_columns(call)) || select.having.as_ref().is_some_and(has_calls) {
            return Err(Error::unsupported("a function of several statements beside sets or in HAVING"));
        }
        let mut needed: Vec<Column> = Vec::new();
        select.targets.iter_mut().for_each(|target| collect_columns(target, &mut needed));
        let given = rels_given(select);
        needed.retain(|(of, ..)| given.contains(of));
        let rel = select.from.as_ref().and_then(|from| rels_of(from).first().copied()).unwrap_or(NOWHERE);
        let (targets, distinct) = (select.targets.clone(), select.distinct.clone());
        let body = Select { targets: columns(&needed), distinct: Distinct::None, ..select.clone() };
        let inner = Query::bare(SetExpr::Select(Box::new(body)), named(&needed));
        let inner = Query { ctes: ctes.to_vec(), limit, ..inner };
        let mut all: Rows = Vec::new();
        for row in self.rows_of_query(inner, parameters, context).await? {
            let mut results = Vec::with_capacity(targets.len());
            for target in &targets {
                results.push(self.value_in(target, &needed, &row, parameters, context).await?);
            }
            all.push(results);
        }
        let results: Vec<Column> = targets.iter().enumerate().map(|(at, target)| (rel, at, target.ty)).collect();
        let types: Vec<Type> = targets.iter().map(|target| target.ty).collect();
        let query = Box::new(values(all, &types, named(&results), &context.catalog));
        let from = From::Subquery { rel, query, lateral: false, view: None, alias: None };
        *select = Select { distinct, ..Select::new(Some(from), columns(&results)) };
        Ok(())
    }

    /// Defaults that call functions as further columns of rows handed in, and the INSERT of those; None if there are no such defaults.
    pub(crate) async fn call_defaults(
        &mut self,
        insert: &Insert,
        batch: &RecordBatch,
        context: &StatementContext,
    ) -> Result<Option<(Insert, RecordBatch)>> {
        if !insert.values.iter().any(|(_, value)| has_calls(value)) {
            return Ok(None);
        }
        let mut insert = insert.clone();
        let mut fields = batch.schema().fields().to_vec();
        let mut arrays = batch.columns().to_vec();
        for (_, value) in insert.values.iter_mut().filter(|(_, value)| has_calls(value)) {
            let mut values = Vec::with_capacity(batch.num_rows());
            for _ in 0..batch.num_rows() {
                values.push(self.value_in(value, &[], &[], &[], context).await?);
            }
            let array = match values.is_empty() {
                true => arrow::array::new_empty_array(&context.catalog.arrow_type(value.ty)),
                false => ScalarValue::iter_to_array(values).map_err(from_datafusion)?,
            };
            let output = OutputColumn { name: "default".to_owned(), ty: value.ty, origin: None };
            let column = insert.source.columns.len();
            value.kind = ExprKind::Column { rel: insert.source_rel, column };
            let given = insert.ctes.iter_mut().find(|cte| cte.id == GIVEN_ROWS);
            if let (Some(given), SetExpr::Select(select)) = (given, &mut insert.source.body)
                && let Some(From::Cte { rel, columns, .. }) = &mut select.from
            {
                let kind = ExprKind::Column { rel: *rel, column };
                select.targets.push(Expr { kind, ty: value.ty, span: Default::default() });
                columns.push(output.clone());
                given.columns.push(output.clone());
            }
            insert.source.columns.push(output);
            fields.push(Arc::new(Field::new(format!("default_{column}"), array.data_type().clone(), true)));
            arrays.push(array);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema, arrays).map_err(|error| Error::internal(error.to_string()))?;
        Ok(Some((insert, batch)))
    }

    /// Of the rows for which the conditions hold, the first columns and the results.
    #[allow(clippy::too_many_arguments)]
    pub(super) async fn results_of(
        &mut self,
        found: Rows,
        needed: &[Column],
        conditions: &[Expr],
        calls: &[Expr],
        kept: usize,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<Rows> {
        let mut all = Vec::new();
        'rows: for mut row in found {
            for condition in conditions {
                let value = self.value_in(condition, needed, &row, parameters, context).await?;
                if value != ScalarValue::Boolean(Some(true)) {
                    continue 'rows;
                }
            }
            let mut results = Vec::with_capacity(calls.len());
            for call in calls {
                results.push(self.value_in(call, needed, &row, parameters, context).await?);
            }
            row.truncate(kept);
            row.append(&mut results);
            all.push(row);
        }
        Ok(all)
    }

    /// An expression over the values of one row.
    pub(super) async fn value_in(
        &mut self,
        expr: &Expr,
        columns: &[Column],
        row: &[ScalarValue],
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<ScalarValue> {
        let mut expr = expr.clone();
        with_columns(&mut expr, columns, row);
        self.settle_expression(&mut expr, parameters, context).await?;
        self.value_of(&expr, parameters, context).await
    }

    /// These columns of a FROM's rows.
    pub(super) async fn rows_for(
        &mut self,
        from: Option<From>,
        filter: Option<Expr>,
        needed: &[Column],
        ctes: &[Cte],
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<Rows> {
        let body = Select { filter, ..Select::new(from, columns(needed)) };
        let inner = Query::bare(SetExpr::Select(Box::new(body)), named(needed));
        self.rows_of_query(Query { ctes: ctes.to_vec(), ..inner }, parameters, context).await
    }

    async fn rows_of_query(
        &mut self,
        query: Query,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<Rows> {
        // Rights were checked and relations locked for the whole statement, a part of which this is.
        let mut tree = bodies::bound_query(query);
        self.settle(&mut tree.statement, parameters, context).await?;
        let plan = Plan::settled(tree, context);
        let shared = Arc::new(context.clone());
        drain(self.run_settled(&plan, parameters.to_vec(), &shared).await?).await
    }
}

/// The rows of a SELECT without FROM.
const NOWHERE: RelId = RelId(u32::MAX);

/// Columns that are to be found as those of another relation, from its column `first` on.
#[derive(Default)]
pub(super) struct Renamed {
    pub rel: Option<RelId>,
    pub first: usize,
    pub columns: Vec<Column>,
}

pub(super) fn rename(expr: &mut Expr, renamed: &Renamed) {
    if let (ExprKind::Column { rel, column }, Some(to)) = (&mut expr.kind, renamed.rel) {
        if let Some(at) = renamed.columns.iter().position(|(of, at, _)| (of, at) == (rel, column)) {
            (*rel, *column) = (to, renamed.first + at);
        }
        return;
    }
    walk::children(expr, &mut |child| rename(child, renamed));
}

fn rename_from(from: &mut From, renamed: &Renamed) {
    walk::from(from, &mut |expr| rename(expr, renamed));
}

/// A set in the target list over columns becomes an item of FROM; its relation and type, if it gives records.
fn set_into_from(select: &mut Select) -> Option<(RelId, Type)> {
    let Select { from, grouping: None, windows: None, set_functions: Some(sets), .. } = select else { return None };
    let ([(_, call)], Some(_)) = (sets.calls.as_slice(), &from) else { return None };
    if !is_call_over_columns(call) {
        return None;
    }
    let (rel, call) = (sets.rel, call.clone());
    let left = Box::new(from.take()?);
    select.set_functions = None;
    let alias = Alias { name: call.function.name.to_string(), columns: Vec::new() };
    let right = Box::new(From::Function { rel, calls: vec![call], ordinality: false, lateral: true, alias });
    let form = Box::new(JoinForm::default());
    select.from = Some(From::Join { kind: JoinKind::Cross, left, right, condition: None, form });
    let mut found = None;
    for target in &mut select.targets {
        record_type(target, rel, &mut found);
    }
    found.map(|ty| (rel, ty))
}

fn record_type(expr: &mut Expr, wanted: RelId, found: &mut Option<Type>) {
    if matches!(expr.kind, ExprKind::Column { rel, .. } if rel == wanted) {
        *found = Some(expr.ty);
    }
    walk::children(expr, &mut |child| record_type(child, wanted, found));
}

/// The row of a call whose only column is of a composite type, as a value of that.
pub(super) fn as_column(row: Vec<ScalarValue>, call: &SetCall, context: &StatementContext) -> Result<Vec<ScalarValue>> {
    let [only] = call.columns.as_slice() else { return Ok(row) };
    let declared = context.catalog.arrow_type(only.ty);
    let is_value = matches!(row.as_slice(), [value] if value.data_type() == declared);
    let DataType::Struct(fields) = &declared else { return Ok(row) };
    if is_value || fields.len() != row.len() {
        return Ok(row);
    }
    let arrays = row.iter().zip(fields.iter()).map(|(value, field)| {
        let array = value.to_array_of_size(1).map_err(from_datafusion)?;
        arrow::compute::cast(&array, field.data_type()).map_err(|error| Error::internal(error.to_string()))
    });
    let made = StructArray::try_new(fields.clone(), arrays.collect::<Result<_>>()?, None);
    let made = made.map_err(|error| Error::internal(error.to_string()))?;
    Ok(vec![ScalarValue::try_from_array(&made, 0).map_err(from_datafusion)?])
}

/// The values of a call as one record.
fn record_of(values: Vec<ScalarValue>, call: &SetCall, context: &StatementContext) -> Result<ScalarValue> {
    let types: Vec<_> = call.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
    let fields = types::structure::struct_fields(&types, &*context.catalog);
    let arrays = values.iter().map(|value| value.to_array_of_size(1).map_err(from_datafusion));
    let made = StructArray::try_new(fields, arrays.collect::<Result<_>>()?, None);
    let made = made.map_err(|error| Error::internal(error.to_string()))?;
    ScalarValue::try_from_array(&made, 0).map_err(from_datafusion)
}

fn check_number(rows: usize) -> Result<()> {
    match rows > MAX_ROWS {
        true => Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "a function returns too many rows")),
        false => Ok(()),
    }
}

/// Stands for a FROM that was taken.
fn nothing(rel: RelId) -> From {
    let query = Box::new(Query::one_row(Vec::new(), Vec::new()));
    From::Subquery { rel, query, lateral: false, view: None, alias: None }
}

fn is_call_over_columns(call: &SetCall) -> bool {
    runs_in_session(&call.function) && call.args.iter().any(has_free_columns)
}

fn is_lateral_call(from: &From) -> bool {
    matches!(from, From::Function { calls, .. } if calls.iter().any(is_call_over_columns))
}

fn holds_lateral_call(from: &From) -> bool {
    match from {
        From::Join { kind: JoinKind::Cross | JoinKind::Inner | JoinKind::Left, left, right, .. } => {
            is_lateral_call(right) || holds_lateral_call(left)
        }
        _ => false,
    }
}

/// The innermost join whose right side is a call over columns of its left.
fn lateral_call(from: &mut From) -> Option<&mut From> {
    if matches!(from, From::Join { left, .. } if holds_lateral_call(left)) {
        let From::Join { left, .. } = from else { return None };
        return lateral_call(left);
    }
    matches!(from, From::Join { right, .. } if is_lateral_call(right)).then_some(from)
}

/// Every column that a SELECT and its FROM, which was taken out of it, mention.
fn columns_of(select: &mut Select, from: &mut From) -> Vec<Column> {
    let mut found = Vec::new();
    walk::select(select, &mut |expr| collect_columns(expr, &mut found));
    walk::from(from, &mut |expr| collect_columns(expr, &mut found));
    found
}

/// Expressions that are computed over the rows of FROM: of grouping, or else of windows.
fn over_rows(select: &mut Select, visit: &mut dyn FnMut(&mut Expr)) {
    match (&mut select.grouping, &mut select.windows) {
        (Some(grouping), _) => {
            grouping.keys.iter_mut().for_each(&mut *visit);
            grouping.aggregates.iter_mut().for_each(|aggregate| walk::aggregate(aggregate, visit));
        }
        (None, Some(windows)) => windows.calls.iter_mut().for_each(|call| walk::window(call, visit)),
        (None, None) => {}
    }
}

pub(super) fn rels_of(from: &From) -> Vec<RelId> {
    match from {
        From::Table { rel, .. } | From::Subquery { rel, .. } | From::Function { rel, .. } | From::Cte { rel, .. } => {
            vec![*rel]
        }
        From::Join { left, right, .. } => rels_of(left).into_iter().chain(rels_of(right)).collect(),
    }
}

/// Whose columns the targets of a SELECT may read; those of their sub-queries are others.
fn rels_given(select: &Select) -> Vec<RelId> {
    let mut rels = select.from.as_ref().map(rels_of).unwrap_or_default();
    rels.extend(select.grouping.iter().map(|grouping| grouping.rel));
    rels.extend(select.windows.iter().map(|windows| windows.rel));
    rels.extend(select.set_functions.iter().map(|sets| sets.rel));
    rels
}

fn reads_only(expr: &Expr, rels: &[RelId]) -> bool {
    let mut only = true;
    walk::columns(&mut expr.clone(), &mut |rel, _| only &= rels.contains(&rel));
    only
}

pub(super) fn conjuncts(expr: Expr) -> Vec<Expr> {
    match expr.kind {
        ExprKind::And(parts) => parts.into_iter().flat_map(conjuncts).collect(),
        _ => vec![expr],
    }
}

pub(super) fn and(mut parts: Vec<Expr>) -> Option<Expr> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(Expr { kind: ExprKind::And(parts), ty: Type::of(oid::BOOL), span: Default::default() }),
    }
}

/// VALUES of rows that hold the columns `kept`, and after them the results of `calls`.
pub(super) fn with_results(rows: Rows, kept: &[Column], calls: &[Expr], context: &StatementContext) -> Query {
    let result = |(at, call): (usize, &Expr)| OutputColumn { name: format!("r{at}"), ty: call.ty, origin: None };
    let columns: Vec<OutputColumn> = named(kept).into_iter().chain(calls.iter().enumerate().map(result)).collect();
    let types: Vec<Type> = columns.iter().map(|column| column.ty).collect();
    values(rows, &types, columns, &context.catalog)
}

fn columns(of: &[Column]) -> Vec<Expr> {
    let column = |(rel, column, ty): &Column| Expr {
        kind: ExprKind::Column { rel: *rel, column: *column },
        ty: *ty,
        span: Default::default(),
    };
    of.iter().map(column).collect()
}

fn named(of: &[Column]) -> Vec<OutputColumn> {
    let column = |(at, (.., ty)): (usize, &Column)| OutputColumn { name: format!("c{at}"), ty: *ty, origin: None };
    of.iter().enumerate().map(column).collect()
}
