//! Puts the bodies of functions in SQL in the place of their calls (PostgreSQL's inline_function and inline_set_returning_function;
//! docs/decisions/0010-sql-functions.md). What is left are calls of bodies that must run statement by statement.

use std::sync::Arc;

use aegis_catalog::object::Routine;
use aegis_catalog::types::oid;
use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;

use super::coerce::null_of;
use super::expr::boolean;
use super::routine::{self, Numbers, Returns};
use super::tree::{
    Cte, CteBody, Expr, ExprKind, From, JoinForm, OutputColumn, Query, RelId, Select, SetCall, SetExpr, Statement,
    Subquery, SubqueryKind,
};
use super::walk;
use crate::functions::{self, Body, Function, Volatility};
use crate::parse::ast::{JoinKind, Span};
use crate::session::context::StatementContext;

/// Bodies inside bodies.
const MAX_NESTED: usize = 100;

/// `nextval(regclass)`.
const NEXTVAL: Oid = 1574;

/// `unnest(anyarray)`.
const UNNEST: Oid = 2331;

/// Inlines the calls of a statement. True if some are left.
pub fn statement(statement: &mut Statement, context: &StatementContext) -> Result<bool> {
    let mut inliner = Inliner::new(context);
    inliner.statement(statement)?;
    Ok(inliner.left)
}

/// As [`statement`], for an expression.
pub fn expression(expr: &mut Expr, context: &StatementContext) -> Result<bool> {
    let mut inliner = Inliner::new(context);
    inliner.expr(expr)?;
    Ok(inliner.left)
}

/// The function made by a user that a function is.
pub fn routine_of(function: &Function) -> Option<&Arc<Routine>> {
    if let Body::Sql(routine) = &function.body { Some(routine) } else { None }
}

/// Does it run in the caller's session if it can't be inlined?
pub fn runs_in_session(function: &Function) -> bool {
    matches!(function.body, Body::Sql(_) | Body::Session(_) | Body::Language(_))
}

/// The arguments as the body's parameters: those of a variadic parameter as their array.
pub fn parameters_of(function: &Function, args: Vec<Expr>, variadic: bool, catalog: &Catalog) -> Vec<Expr> {
    let mut args = args;
    let fixed = function.args.len().saturating_sub(1);
    if function.variadic && !variadic && args.len() >= fixed {
        let elements = args.split_off(fixed);
        let element = elements.first().map_or(Type::of(oid::TEXT), |element| element.ty);
        let array = catalog.type_entry(element.oid).map_or(oid::ANYARRAY, |entry| entry.array);
        let kind = ExprKind::Array { elements, nested: false };
        args.push(Expr { kind, ty: Type::of(array), span: Span::default() });
    }
    args
}

struct Inliner<'a> {
    context: &'a StatementContext,
    numbers: Numbers,
    /// The routines whose bodies are being inlined, outermost first.
    within: Vec<Oid>,
    /// Some call could not be inlined.
    left: bool,
}

impl<'a> Inliner<'a> {
    fn new(context: &'a StatementContext) -> Self {
        Self { context, numbers: Numbers::INLINED, within: Vec::new(), left: false }
    }

    fn new_rel(&mut self) -> RelId {
        self.numbers.rel += 1;
        RelId(self.numbers.rel - 1)
    }

    fn statement(&mut self, statement: &mut Statement) -> Result<()> {
        match statement {
            Statement::Query(query) => return self.query(query),
            Statement::Insert(insert) => {
                self.ctes(&mut insert.ctes)?;
                self.query(&mut insert.source)?;
                if let Some(update) = insert.on_conflict.as_mut().and_then(|conflict| conflict.update.as_mut()) {
                    for expr in update.set.iter_mut().map(|(_, expr)| expr).chain(&mut update.filter) {
                        self.expr(expr)?;
                    }
                }
            }
            Statement::Update(update) => {
                self.ctes(&mut update.ctes)?;
                update.from.iter_mut().try_for_each(|from| self.from(from))?;
            }
            Statement::Merge(merge) => {
                self.ctes(&mut merge.ctes)?;
                self.from(&mut merge.source)?;
            }
            Statement::Delete(delete) => {
                self.ctes(&mut delete.ctes)?;
                delete.using.iter_mut().try_for_each(|from| self.from(from))?;
            }
        }
        // The queries among them are done: what they hold has no calls any more.
        let mut failed = Ok(());
        walk::statement(statement, &mut |expr| {
            if failed.is_ok() {
                failed = self.expr(expr);
            }
        });
        failed
    }

    fn ctes(&mut self, ctes: &mut [Cte]) -> Result<()> {
        for cte in ctes {
            match &mut cte.body {
                CteBody::Query(query) => self.query(query)?,
                CteBody::Recursive { seed, step, .. } => {
                    self.query(seed)?;
                    self.query(step)?;
                }
                CteBody::Change(change) => self.statement(change)?,
                CteBody::Given => {}
            }
        }
        Ok(())
    }

    fn query(&mut self, query: &mut Query) -> Result<()> {
        self.ctes(&mut query.ctes)?;
        match &mut query.body {
            SetExpr::Select(select) => self.select(select)?,
            SetExpr::Values(rows) => rows.iter_mut().flatten().try_for_each(|expr| self.expr(expr))?,
            SetExpr::Operation { legs, .. } => legs.iter_mut().try_for_each(|leg| self.query(leg))?,
        }
        query.limit.iter_mut().chain(&mut query.offset).try_for_each(|expr| self.expr(expr))
    }

    fn select(&mut self, select: &mut Select) -> Result<()> {
        select.from.iter_mut().try_for_each(|from| self.from(from))?;
        select.filter.iter_mut().try_for_each(|expr| self.expr(expr))?;
        let mut failed = Ok(());
        let mut visit = |inliner: &mut Self, expr: &mut Expr| {
            if failed.is_ok() {
                failed = inliner.expr(expr);
            }
        };
        if let Some(grouping) = &mut select.grouping {
            grouping.keys.iter_mut().for_each(|key| visit(self, key));
            for aggregate in &mut grouping.aggregates {
                walk::aggregate(aggregate, &mut |expr| visit(self, expr));
            }
        }
        for call in select.windows.iter_mut().flat_map(|windows| &mut windows.calls) {
            walk::window(call, &mut |expr| visit(self, expr));
        }
        failed?;
        select.having.iter_mut().try_for_each(|expr| self.expr(expr))?;
        self.set_as_item(select)?;
        for (_, call) in select.set_functions.iter_mut().flat_map(|sets| &mut sets.calls) {
            self.set_call(call)?;
        }
        self.left |= draws_twice(&select.targets);
        select.targets.iter_mut().try_for_each(|expr| self.expr(expr))
    }

    fn from(&mut self, from: &mut From) -> Result<()> {
        match from {
            From::Table { sample, .. } => {
                sample.iter_mut().flat_map(|sample| sample.exprs_mut()).try_for_each(|expr| self.expr(expr))
            }
            From::Cte { .. } => Ok(()),
            From::Subquery { query, .. } => self.query(query),
            From::Join { left, right, condition, .. } => {
                self.from(left)?;
                self.from(right)?;
                condition.iter_mut().try_for_each(|expr| self.expr(expr))
            }
            From::Function { rel, calls, ordinality, alias, .. } => {
                if let ([call], false) = (calls.as_mut_slice(), *ordinality) {
                    call.args.iter_mut().try_for_each(|expr| self.expr(expr))?;
                    if let Some(query) = self.rows_of(call)? {
                        let alias = Some(alias.clone());
                        let query = Box::new(query);
                        *from = From::Subquery { rel: *rel, query, lateral: true, view: None, alias };
                    }
                    return Ok(());
                }
                calls.iter_mut().try_for_each(|call| self.set_call(call))
            }
        }
    }

    fn expr(&mut self, expr: &mut Expr) -> Result<()> {
        if let ExprKind::Subquery(subquery) = &mut expr.kind {
            if let SubqueryKind::Any { condition, .. } | SubqueryKind::All { condition, .. } = &mut subquery.kind {
                self.expr(condition)?;
            }
            return self.query(&mut subquery.query);
        }
        let mut failed = Ok(());
        walk::children(expr, &mut |child| {
            if failed.is_ok() {
                failed = crate::stack::with_room(|| self.expr(child));
            }
        });
        failed?;
        let ExprKind::Call { function, args, variadic, .. } = &mut expr.kind else { return Ok(()) };
        self.left |= matches!(function.body, Body::Session(_) | Body::Language(_));
        if let Some(routine) = routine_of(function).cloned() {
            let args = parameters_of(function, args.clone(), *variadic, &self.context.catalog);
            if let Some(value) = self.value_of(function, &routine, args, expr.span)? {
                expr.kind = value.kind;
            }
        }
        Ok(())
    }

    /// The only set-returning call of a target list as an item of FROM.
    fn set_as_item(&mut self, select: &mut Select) -> Result<()> {
        let plain = select.grouping.is_none() && select.windows.is_none() && select.having.is_none();
        let Some(sets) = select.set_functions.as_mut().filter(|_| plain) else { return Ok(()) };
        let [(_, call)] = sets.calls.as_mut_slice() else { return Ok(()) };
        if routine_of(&call.function).is_none() {
            return Ok(());
        }
        call.args.iter_mut().try_for_each(|expr| self.expr(expr))?;
        let column = call.columns.first().map(|column| column.ty);
        let Some(rows) = self.rows(call, false)? else { return Ok(()) };
        let same = call.columns.len() == 1 && rows.columns.first().map(|output| output.ty) == column;
        let rows = match (same && rows.columns.len() == 1, column) {
            (true, _) => rows,
            (false, Some(ty)) if call.columns.len() == 1 => self.rows_as_records(rows, ty).0,
            _ => self.rows_as_records(rows, Type::of(oid::RECORD)).0,
        };
        let item = subquery(sets.rel, rows);
        select.set_functions = None;
        select.from = Some(match select.from.take() {
            Some(from) => join(JoinKind::Cross, from, item),
            None => item,
        });
        Ok(())
    }

    /// A call that stands beside others: as `unnest` of the array of its rows.
    fn set_call(&mut self, call: &mut SetCall) -> Result<()> {
        call.args.iter_mut().try_for_each(|expr| self.expr(expr))?;
        self.left |= matches!(call.function.body, Body::Session(_) | Body::Language(_));
        if routine_of(&call.function).is_none() {
            return Ok(());
        }
        let columns = call.columns.clone();
        let Some(rows) = self.rows(call, false)? else { return Ok(()) };
        let (query, element) = match columns.as_slice() {
            [only] if rows.columns.len() == 1 && rows.columns.first().map(|c| c.ty) == Some(only.ty) => (rows, only.ty),
            [only] => self.rows_as_records(rows, only.ty),
            _ => self.rows_as_records(rows, Type::of(oid::RECORD)),
        };
        let array = self
            .context
            .catalog
            .type_entry(element.oid)
            .map(|entry| entry.array)
            .filter(|&array| array != 0)
            .ok_or_else(|| Error::unsupported("this function beside other set-returning functions"))?;
        let function = functions::registry().by_oid(UNNEST).cloned();
        call.function = function.ok_or_else(|| Error::unsupported("unnest"))?;
        let kind = ExprKind::Subquery(Box::new(Subquery { kind: SubqueryKind::Array, query }));
        call.args = vec![Expr { kind, ty: Type::of(array), span: Span::default() }];
        call.variadic = false;
        Ok(())
    }

    fn rows_as_records(&mut self, rows: Query, record: Type) -> (Query, Type) {
        let rel = self.new_rel();
        let names: Arc<[String]> = rows.columns.iter().map(|column| column.name.clone()).collect();
        let fields = columns_of(rel, &rows.columns);
        let kind = match record.oid {
            oid::RECORD => ExprKind::NamedRow { names, fields },
            _ => ExprKind::Row(fields),
        };
        let row = Expr { kind, ty: record, span: Span::default() };
        let columns = vec![OutputColumn { name: "row".into(), ty: record, origin: None }];
        (Query::select(subquery(rel, rows), vec![row], columns), record)
    }

    /// The body as a query of one statement, over the parameters; None if it must run by itself.
    fn body(
        &mut self,
        function: &Function,
        routine: &Routine,
        args: &[Expr],
        defined: Option<&[OutputColumn]>,
    ) -> Result<Option<(Query, Returns)>> {
        let as_owner = routine.row.security_definer && routine.row.owner != self.context.user_oid;
        if self.within.contains(&routine.row.oid) || !routine.settings.is_empty() || as_owner {
            return Ok(None);
        }
        if self.within.len() >= MAX_NESTED {
            return Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let types: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let (sql, statements) = routine::statements_of(routine)?;
        let [parsed] = statements.as_slice() else { return Ok(None) };
        let crate::parse::ast::Statement::Query(_) = &parsed.statement else { return Ok(None) };
        let mut returns = routine::returns_of(function, Some(&types), self.context)?;
        if let Some(columns) = defined.filter(|_| returns.columns.is_empty()) {
            // Only the call says what its records consist of.
            returns.columns = columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        }
        if returns.is_void() || returns.columns.is_empty() && !returns.is_row {
            return Ok(None);
        }
        let mut bound =
            routine::bind_body_statement(&parsed.statement, &sql, routine, &types, self.context, &mut self.numbers)
                .map_err(Error::without_position)?;
        routine::as_declared(Some(&mut bound), &returns, self.context, &mut self.numbers)?;
        let Statement::Query(mut query) = bound.statement else { return Ok(None) };
        if query.ctes.iter().any(|cte| matches!(cte.body, CteBody::Change(_))) || !query.locking.is_empty() {
            return Ok(None);
        }
        let left = std::mem::replace(&mut self.left, false);
        self.within.push(routine.row.oid);
        let inlined = self.query(&mut query);
        self.within.pop();
        let failed = std::mem::replace(&mut self.left, left);
        inlined?;
        Ok((!failed).then_some((query, returns)))
    }

    /// A call's value; None if it can't be inlined.
    fn value_of(
        &mut self,
        function: &Function,
        routine: &Routine,
        args: Vec<Expr>,
        span: Span,
    ) -> Result<Option<Expr>> {
        let Some((mut query, returns)) = self.body(function, routine, &args, None)? else {
            self.left = true;
            return Ok(None);
        };
        let (bindings, source) = self.bind_arguments(args, &query, function.strict);
        replace_parameters(&mut query, &bindings);
        let value = match single_row(&query) {
            Some(targets) => row_or_field(targets, &returns),
            None => {
                limit_to_one(&mut query);
                self.first_row(query, &returns)
            }
        };
        let value = if function.strict { null_if_any_null(value, &bindings, &self.context.catalog)? } else { value };
        let ty = value.ty;
        let value = match source {
            None => value,
            Some(from) => {
                let columns = vec![OutputColumn { name: function.name.clone(), ty, origin: None }];
                scalar(Query::select(from, vec![value], columns), ty)
            }
        };
        Ok(Some(Expr { span, ..value }))
    }

    /// The first row of a query as a value.
    fn first_row(&mut self, query: Query, returns: &Returns) -> Expr {
        if !returns.is_row {
            let ty = returns.ty;
            return scalar(query, ty);
        }
        let rel = self.new_rel();
        let row = row_or_field(columns_of(rel, &query.columns), returns);
        let columns = vec![OutputColumn { name: "row".into(), ty: row.ty, origin: None }];
        let ty = row.ty;
        scalar(Query::select(subquery(rel, query), vec![row], columns), ty)
    }

    /// The rows of a call in FROM; None if it can't be inlined.
    fn rows_of(&mut self, call: &SetCall) -> Result<Option<Query>> {
        self.rows(call, true)
    }

    /// As [`Self::rows_of`]; `defined` says that the call's columns are those of its rows.
    fn rows(&mut self, call: &SetCall, defined: bool) -> Result<Option<Query>> {
        self.left |= matches!(call.function.body, Body::Session(_) | Body::Language(_));
        let Some(routine) = routine_of(&call.function).cloned() else { return Ok(None) };
        let function = call.function.clone();
        let args = parameters_of(&function, call.args.clone(), call.variadic, &self.context.catalog);
        let Some((mut query, _)) = self.body(&function, &routine, &args, defined.then_some(&call.columns))? else {
            self.left = true;
            return Ok(None);
        };
        if defined && query.columns.len() == call.columns.len() {
            query.columns.clone_from(&call.columns);
        }
        let columns = query.columns.clone();
        let (bindings, source) = self.bind_arguments(args, &query, function.strict);
        replace_parameters(&mut query, &bindings);
        let query = if function.returns_set { query } else { self.always_one(query) };
        let none_null = if function.strict && function.returns_set { none_null(&bindings) } else { None };
        if source.is_none() && none_null.is_none() {
            return Ok(Some(query));
        }
        let rel = self.new_rel();
        let rows = subquery(rel, query);
        let from = match source {
            Some(source) => join(JoinKind::Cross, source, rows),
            None => rows,
        };
        let mut outer = Query::select(from, columns_of(rel, &columns), columns);
        if let SetExpr::Select(select) = &mut outer.body {
            select.filter = none_null;
        }
        Ok(Some(outer))
    }

    /// A function that returns no set has one row, of nulls if its query has none.
    fn always_one(&mut self, mut query: Query) -> Query {
        if single_row(&query).is_some() {
            return query;
        }
        limit_to_one(&mut query);
        let (one, rel) = (self.new_rel(), self.new_rel());
        let columns = query.columns.clone();
        let dummy = OutputColumn { name: "one".into(), ty: Type::of(oid::BOOL), origin: None };
        let constant = boolean(ExprKind::Constant(ScalarValue::Boolean(Some(true))), Span::default());
        let left = subquery(one, Query::one_row(vec![constant], vec![dummy]));
        let from = join(JoinKind::Left, left, subquery(rel, query));
        Query::select(from, columns_of(rel, &columns), columns)
    }

    /// What stands for each parameter, and the row of those arguments that must not be computed more than once.
    fn bind_arguments(&mut self, args: Vec<Expr>, query: &Query, strict: bool) -> (Vec<Expr>, Option<From>) {
        let uses = parameter_uses(query, args.len());
        let once = |position: usize, arg: &Expr| {
            is_cheap(arg) || !strict && uses.get(position) == Some(&1) && !has_relations(query) || is_harmless(arg)
        };
        if args.iter().enumerate().all(|(position, arg)| once(position, arg)) {
            return (args, None);
        }
        let rel = self.new_rel();
        let columns: Vec<OutputColumn> = args
            .iter()
            .enumerate()
            .map(|(position, arg)| OutputColumn { name: format!("a{}", position + 1), ty: arg.ty, origin: None })
            .collect();
        let bindings = columns_of(rel, &columns);
        (bindings, Some(subquery(rel, Query::one_row(args, columns))))
    }
}

/// Do targets draw more than once from a sequence? Then they are computed row by row, not column by column.
pub fn draws_twice(targets: &[Expr]) -> bool {
    fn visit(expr: &mut Expr, found: &mut Vec<Vec<Expr>>) {
        if let ExprKind::Call { function, args, .. } = &expr.kind
            && function.oid == NEXTVAL
        {
            found.push(args.clone());
        }
        walk::children(expr, &mut |child| visit(child, found));
    }
    let mut found = Vec::new();
    targets.iter().for_each(|target| visit(&mut target.clone(), &mut found));
    found.iter().enumerate().any(|(at, args)| found.iter().take(at).any(|earlier| earlier == args))
}

fn columns_of(rel: RelId, columns: &[OutputColumn]) -> Vec<Expr> {
    let columns = columns.iter().enumerate();
    columns
        .map(|(column, output)| Expr { kind: ExprKind::Column { rel, column }, ty: output.ty, span: Span::default() })
        .collect()
}

fn subquery(rel: RelId, query: Query) -> From {
    From::Subquery { rel, query: Box::new(query), lateral: true, view: None, alias: None }
}

fn join(kind: JoinKind, left: From, right: From) -> From {
    let condition = (kind == JoinKind::Left)
        .then(|| boolean(ExprKind::Constant(ScalarValue::Boolean(Some(true))), Span::default()));
    From::Join { kind, left: Box::new(left), right: Box::new(right), condition, form: Box::new(JoinForm::default()) }
}

fn scalar(query: Query, ty: Type) -> Expr {
    let kind = ExprKind::Subquery(Box::new(Subquery { kind: SubqueryKind::Scalar, query }));
    Expr { kind, ty, span: Span::default() }
}

/// The targets of a query that has exactly one row by its form: SELECT without anything else.
fn single_row(query: &Query) -> Option<Vec<Expr>> {
    let select = query.plain_select().filter(|select| select.from.is_none() && select.filter.is_none())?;
    Some(select.targets.clone())
}

/// The columns of a row as what the function returns.
fn row_or_field(mut fields: Vec<Expr>, returns: &Returns) -> Expr {
    if !returns.is_row
        && let (1, Some(only)) = (fields.len(), fields.pop())
    {
        return only;
    }
    let span = Span::default();
    if returns.ty.oid == oid::RECORD {
        let names: Arc<[String]> = match returns.columns.len() == fields.len() {
            true => returns.columns.iter().map(|(name, _)| name.clone()).collect(),
            false => (1..=fields.len()).map(|number| format!("f{number}")).collect(),
        };
        return Expr { kind: ExprKind::NamedRow { names, fields }, ty: returns.ty, span };
    }
    Expr { kind: ExprKind::Row(fields), ty: returns.ty, span }
}

/// Of a function that returns no set, only the first row counts.
fn limit_to_one(query: &mut Query) {
    let aggregated = matches!(&query.body, SetExpr::Select(select)
        if select.grouping.as_ref().is_some_and(|grouping| grouping.keys.is_empty() && grouping.sets.is_none()));
    if aggregated || query.limit.is_some() {
        return;
    }
    let ty = Type::of(oid::INT8);
    query.limit = Some(Expr { kind: ExprKind::Constant(ScalarValue::Int64(Some(1))), ty, span: Span::default() });
    query.with_ties = false;
}

fn is_null(arg: &Expr, negated: bool) -> Option<Expr> {
    let known = matches!(&arg.kind, ExprKind::Constant(value) if !value.is_null());
    let kind = ExprKind::IsNull { arg: Box::new(arg.clone()), negated };
    (!known).then(|| boolean(kind, Span::default()))
}

fn null_if_any_null(value: Expr, args: &[Expr], catalog: &Catalog) -> Result<Expr> {
    let mut conditions: Vec<Expr> = args.iter().filter_map(|arg| is_null(arg, false)).collect();
    let condition = match conditions.len() {
        0 => return Ok(value),
        1 => conditions.swap_remove(0),
        _ => boolean(ExprKind::Or(conditions), Span::default()),
    };
    let ty = value.ty;
    let null = null_of(ty, Span::default(), catalog)?;
    let kind = ExprKind::Case { operand: None, branches: vec![(condition, null)], otherwise: Some(Box::new(value)) };
    Ok(Expr { kind, ty, span: Span::default() })
}

fn none_null(args: &[Expr]) -> Option<Expr> {
    let mut conditions: Vec<Expr> = args.iter().filter_map(|arg| is_null(arg, true)).collect();
    match conditions.len() {
        0 => None,
        1 => Some(conditions.swap_remove(0)),
        _ => Some(boolean(ExprKind::And(conditions), Span::default())),
    }
}

fn is_cheap(arg: &Expr) -> bool {
    match &arg.kind {
        ExprKind::Constant(_) | ExprKind::Parameter(_) | ExprKind::Column { .. } => true,
        ExprKind::Cast { arg, .. } | ExprKind::Field { arg, .. } => is_cheap(arg),
        _ => false,
    }
}

/// It may be computed as often as one likes.
fn is_harmless(arg: &Expr) -> bool {
    fn visit(expr: &mut Expr, harmless: &mut bool) {
        match &expr.kind {
            ExprKind::Call { function, .. } => *harmless &= function.volatility != Volatility::Volatile,
            ExprKind::Subquery(_) => *harmless = false,
            _ => {}
        }
        walk::children(expr, &mut |child| visit(child, harmless));
    }
    let mut harmless = true;
    visit(&mut arg.clone(), &mut harmless);
    harmless
}

fn has_relations(query: &Query) -> bool {
    !matches!(&query.body, SetExpr::Select(select) if select.from.is_none() && query.ctes.is_empty())
}

fn parameter_uses(query: &Query, count: usize) -> Vec<usize> {
    fn visit(expr: &mut Expr, uses: &mut [usize]) {
        if let ExprKind::Parameter(number) = expr.kind
            && let Some(count) = (number as usize).checked_sub(1).and_then(|position| uses.get_mut(position))
        {
            *count += 1;
        }
        walk::children(expr, &mut |child| visit(child, uses));
    }
    let mut uses = vec![0; count];
    walk::query(&mut query.clone(), &mut |expr| visit(expr, &mut uses));
    uses
}

/// Puts what stands for them in the place of the parameters.
pub fn replace_parameters(query: &mut Query, bindings: &[Expr]) {
    fn visit(expr: &mut Expr, bindings: &[Expr]) {
        if let ExprKind::Parameter(number) = expr.kind {
            if let Some(binding) = (number as usize).checked_sub(1).and_then(|position| bindings.get(position)) {
                *expr = binding.clone();
            }
            return;
        }
        walk::children(expr, &mut |child| visit(child, bindings));
    }
    walk::query(query, &mut |expr| visit(expr, bindings));
}
