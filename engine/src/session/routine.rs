//! Functions and procedures whose bodies can't be put in the place of their calls: they run statement by statement, in the caller's
//! transaction (docs/decisions/0010-sql-functions.md).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aegis_catalog::fixed_oid::BOOTSTRAP_SUPERUSER;
use aegis_catalog::object::Routine;
use aegis_catalog::types::{self, oid};
use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};
use aegis_storage::Isolation;
use arrow::array::{ArrayRef, RecordBatch, StructArray};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use super::Session;
use super::context::StatementContext;
use super::prepared::Plan;
use super::row_calls::as_column;
use crate::bind::inline::{draws_twice, parameters_of, runs_in_session};
use crate::bind::routine::{self as bodies, Numbers, Returns};
use crate::bind::tree::{
    CteBody, Distinct, Expr, ExprKind, From, Insert, OutputColumn, Query, RelId, Select, SetCall, SetExpr, Statement,
};
use crate::bind::walk;
use crate::execute::error::from_datafusion;
use crate::extension::add_context;
use crate::extension::{Caller, Extensions, Invocation, Language, Row, SessionCode};
use crate::functions::{Body, Function, Volatility, set_returning};
use crate::lower::free::has_free_columns;
use crate::parse::ast::Statement as Parsed;
use crate::parse::utility::Utility;
use crate::statement::{self, Outcome};

/// How far a statement of a body has come.
enum Stage {
    Startup,
    Run,
}

/// An error of a body, as whoever calls it sees it: its place is one in the body's text.
fn in_body(mut error: Error, sql: &str, line: &str) -> Error {
    let fields = error.fields_mut();
    if let Some(position) = fields.position.take() {
        fields.internal = Some((position, sql.to_owned()));
    }
    add_context(&mut error, line);
    error
}

/// Routines that call routines.
const MAX_CALLS: usize = 400;

/// Rows that a call hands back at most: they are kept in memory.
pub(super) const MAX_ROWS: usize = 10_000_000;

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl Session {
    /// Runs a body with these arguments; the rows of its last statement, as they are declared.
    pub(crate) fn run_routine<'a>(
        &'a mut self,
        function: &'a Function,
        args: Vec<(ScalarValue, Type)>,
        returns: &'a Returns,
    ) -> Boxed<'a, Vec<Vec<ScalarValue>>> {
        crate::stack::roomy(async move {
            self.require_depth()?;
            if function.strict && args.iter().any(|(value, _)| value.is_null()) {
                return Ok(if returns.set { Vec::new() } else { vec![nulls(returns, &*self.catalog()?)?] });
            }
            self.calls += 1;
            let result = self.run_body(function, args, returns).await;
            self.calls -= 1;
            result
        })
    }

    /// 54001 for routines that call routines too deep.
    fn require_depth(&self) -> Result<()> {
        if self.calls < MAX_CALLS {
            return Ok(());
        }
        Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded")
            .with_hint("A function calls itself, or others that call it, too deep."))
    }

    async fn run_body(
        &mut self,
        function: &Function,
        args: Vec<(ScalarValue, Type)>,
        returns: &Returns,
    ) -> Result<Vec<Vec<ScalarValue>>> {
        let routine = match &function.body {
            Body::Sql(routine) | Body::Language(routine) => routine.clone(),
            // One of our own, which belongs to whoever set the server up.
            Body::Session(code) if self.catalog()?.routine(function.oid).is_none() => {
                let volatile = function.volatility == Volatility::Volatile;
                return self.run_code(*code, volatile, BOOTSTRAP_SUPERUSER, args, returns).await;
            }
            _ => {
                let routine = self.catalog()?.routine(function.oid).cloned();
                routine.ok_or_else(|| Error::internal("a function without a routine"))?
            }
        };
        let mark = {
            let mut settings = self.backend.settings.lock();
            let owner = self.catalog()?.role(routine.row.owner).map(|owner| owner.name.clone());
            let owner = owner.filter(|_| routine.row.security_definer);
            let mark = (!routine.settings.is_empty() || owner.is_some()).then(|| settings.mark());
            if let Some(owner) = owner {
                settings.set("role", Some(&[owner]), true, true)?;
            }
            for (name, value) in &routine.settings {
                let values: Vec<String> = value.split(", ").map(str::to_owned).collect();
                settings.set(name, Some(&values), true, self.superuser)?;
            }
            mark
        };
        self.refresh_identity()?;
        // Only a procedure may end the transaction that it runs in.
        let transactional = self.transactional;
        self.transactional &= routine.row.kind == 'p' && mark.is_none();
        let result = match function.body {
            Body::Language(_) => self.run_language(&routine, args, returns).await,
            Body::Session(code) => {
                self.run_code(code, routine.row.volatility == 'v', routine.row.owner, args, returns).await
            }
            _ => self.run_statements(&routine, args, returns).await,
        };
        self.transactional = transactional;
        if let Some(mark) = mark {
            self.backend.settings.lock().rollback_to(mark);
            self.refresh_identity()?;
        }
        result
    }

    /// Runs a body in a procedural language.
    async fn run_language(
        &mut self,
        routine: &Arc<Routine>,
        args: Vec<(ScalarValue, Type)>,
        returns: &Returns,
    ) -> Result<Vec<Vec<ScalarValue>>> {
        let language = language_of(routine, &self.shared.extensions)?;
        let arguments = Row::of_scalars(&args)?;
        let call = Invocation { routine: Arc::clone(routine), arguments, returns: returns.clone() };
        let volatile = routine.row.volatility == 'v';
        let rows = (language.call)(Caller::new(self, volatile, routine.row.owner), call).await?;
        if returns.is_void() {
            return Ok(Vec::new());
        }
        if returns.columns.is_empty() {
            // Only its value tells what a record consists of.
            return rows.iter().map(Row::to_scalars).collect();
        }
        let catalog = self.catalog()?;
        rows.into_iter().map(|row| row.into_scalars(&returns.columns, &catalog)).collect()
    }

    /// Runs the text of DO.
    pub(crate) async fn run_inline(&mut self, language: &Language, text: Arc<str>) -> Result<()> {
        self.require_depth()?;
        self.calls += 1;
        let owner = self.context()?.user_oid;
        let result = crate::stack::roomy((language.inline)(Caller::new(self, true, owner), text)).await;
        self.calls -= 1;
        result
    }

    async fn run_code(
        &mut self,
        code: SessionCode,
        volatile: bool,
        owner: Oid,
        args: Vec<(ScalarValue, Type)>,
        returns: &Returns,
    ) -> Result<Vec<Vec<ScalarValue>>> {
        let arguments = Row::of_scalars(&args)?;
        let rows = code(Caller::new(self, volatile, owner), arguments).await?;
        if returns.is_void() {
            return Ok(Vec::new());
        }
        let catalog = self.catalog()?;
        rows.into_iter().map(|row| row.into_scalars(&returns.columns, &catalog)).collect()
    }

    async fn run_statements(
        &mut self,
        routine: &Routine,
        args: Vec<(ScalarValue, Type)>,
        returns: &Returns,
    ) -> Result<Vec<Vec<ScalarValue>>> {
        let (sql, statements) = bodies::statements_of(routine)?;
        let (values, types): (Vec<_>, Vec<_>) = args.into_iter().map(|(value, ty)| (value, ty.oid)).unzip();
        let mut rows = Vec::new();
        let count = statements.len();
        for (position, parsed) in statements.into_iter().enumerate() {
            let last = (position + 1 == count).then_some(returns);
            let arguments = (types.as_slice(), values.as_slice());
            let found = self.run_statement_of(routine, &sql, &parsed.statement, arguments, last).await;
            let found = found.map_err(|(error, stage)| {
                let stage = match stage {
                    Stage::Startup => "during startup".to_owned(),
                    Stage::Run => format!("statement {}", position + 1),
                };
                in_body(error, &sql, &format!("SQL function \"{}\" {stage}", routine.row.name))
            })?;
            if last.is_some() {
                rows = found;
            }
        }
        if returns.is_void() {
            rows.clear();
        }
        if !returns.set {
            rows.truncate(1);
        }
        Ok(rows)
    }

    /// Runs a statement of a body. The last one knows what the body returns.
    async fn run_statement_of(
        &mut self,
        routine: &Routine,
        sql: &Arc<str>,
        statement: &Parsed,
        (types, values): (&[Oid], &[ScalarValue]),
        last: Option<&Returns>,
    ) -> std::result::Result<Vec<Vec<ScalarValue>>, (Error, Stage)> {
        let startup = |error: Error| (error, Stage::Startup);
        let run = |error: Error| (error, Stage::Run);
        self.see_own_changes(routine.row.volatility == 'v').map_err(run)?;
        let context = self.context().map_err(run)?;
        refuse_changes(statement, routine.row.volatility).map_err(startup)?;
        let outcome = match statement {
            Parsed::Utility(utility) => {
                statement::routine::refuse_in_body(utility).map_err(startup)?;
                if let Some(returns) = last {
                    bodies::as_declared(None, returns, &context, &mut Numbers::FIRST.clone()).map_err(startup)?;
                }
                match &**utility {
                    Utility::Call(call) => {
                        let arguments = (types, values);
                        statement::routine::call_within(self, call, routine, arguments, &context).await.map_err(run)?
                    }
                    utility => statement::run(self, utility, sql, &context).await.map_err(run)?,
                }
            }
            query => {
                let mut numbers = Numbers::FIRST;
                let bound = bodies::bind_body_statement(query, sql, routine, types, &context, &mut numbers);
                let mut bound = bound.map_err(startup)?;
                if let Some(returns) = last {
                    bodies::as_declared(Some(&mut bound), returns, &context, &mut numbers).map_err(startup)?;
                }
                let plan = Plan::new(bound, &context).map_err(startup)?;
                self.run_plan(&plan, values.to_vec(), &context).await.map_err(run)?
            }
        };
        drain(outcome).await.map_err(run)
    }

    /// Each statement of a volatile body sees what was committed until then.
    pub(crate) fn see_own_changes(&mut self, volatile: bool) -> Result<()> {
        if let Some(open) = &mut self.transaction
            && volatile
            && !self.keeps_snapshot
            && open.isolation == Isolation::ReadCommitted
        {
            open.catalog.refresh()?;
            open.tables.refresh()?;
        }
        Ok(())
    }

    /// Runs the calls that are left in a statement, and puts their results in their place.
    pub(crate) fn settle<'a>(
        &'a mut self,
        statement: &'a mut Statement,
        parameters: &'a [ScalarValue],
        context: &'a StatementContext,
    ) -> Boxed<'a, ()> {
        Box::pin(async move {
            match statement {
                Statement::Query(query) => self.settle_query(query, parameters, context).await,
                Statement::Insert(insert) => {
                    called_defaults_into_source(insert);
                    self.settle_query(&mut insert.source, parameters, context).await?;
                    for (_, value) in &mut insert.values {
                        self.settle_expression(value, parameters, context).await?;
                    }
                    Ok(())
                }
                Statement::Update(update) => self.call_in_update(update, parameters, context).await,
                Statement::Merge(merge) => {
                    let actions = merge.actions.iter_mut().flat_map(crate::bind::tree::MergeAction::exprs_mut);
                    for expr in std::iter::once(&mut merge.condition).chain(actions) {
                        self.settle_expression(expr, parameters, context).await?;
                    }
                    Ok(())
                }
                Statement::Delete(delete) => self.call_in_delete(delete, parameters, context).await,
            }
        })
    }

    fn settle_query<'a>(
        &'a mut self,
        query: &'a mut Query,
        parameters: &'a [ScalarValue],
        context: &'a StatementContext,
    ) -> Boxed<'a, ()> {
        Box::pin(async move {
            for cte in &mut query.ctes {
                match &mut cte.body {
                    CteBody::Query(query) => self.settle_query(query, parameters, context).await?,
                    CteBody::Change(change) => self.settle(change, parameters, context).await?,
                    CteBody::Recursive { .. } | CteBody::Given => {}
                }
            }
            match &mut query.body {
                SetExpr::Select(select) => {
                    super::called_conditions::into_where(select, !query.ctes.is_empty());
                    self.call_in_from(select, &query.ctes, parameters, context).await?;
                    self.settle_select(select, parameters, context).await?;
                    self.call_in_clauses(select, &query.ctes, parameters, context).await?;
                    if select.targets.iter().any(has_calls) || select.from.is_some() && draws_twice(&select.targets) {
                        // Of rows that nobody sees there are no calls.
                        let first = query.order_by.is_empty() && query.offset.is_none() && !query.with_ties;
                        let limit = query.limit.clone().filter(|_| first && select.distinct == Distinct::None);
                        self.call_in_targets(select, &query.ctes, limit, parameters, context).await?;
                    }
                }
                SetExpr::Values(rows) => {
                    for expr in rows.iter_mut().flatten() {
                        self.settle_expression(expr, parameters, context).await?;
                    }
                }
                SetExpr::Operation { legs, .. } => {
                    for leg in legs {
                        self.settle_query(leg, parameters, context).await?;
                    }
                }
            }
            Ok(())
        })
    }

    /// What is the same for all rows. Calls of volatile functions wait for the rows.
    async fn settle_select(
        &mut self,
        select: &mut Select,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        if let Some(from) = &mut select.from {
            self.settle_from(from, parameters, context).await?;
        }
        let by_row = select.from.is_some() || select.filter.is_some() || select.set_functions.is_some();
        let waits = |expr: &Expr| by_row && calls_by_row(expr);
        for expr in select.filter.iter_mut().filter(|expr| !waits(expr)).chain(&mut select.having) {
            self.settle_expression(expr, parameters, context).await?;
        }
        if let Some(sets) = &mut select.set_functions {
            for (_, call) in &mut sets.calls {
                self.settle_set(call, parameters, context).await?;
            }
        }
        for expr in select.targets.iter_mut().filter(|expr| !waits(expr)) {
            self.settle_expression(expr, parameters, context).await?;
        }
        Ok(())
    }

    pub(super) fn settle_from<'a>(
        &'a mut self,
        from: &'a mut From,
        parameters: &'a [ScalarValue],
        context: &'a StatementContext,
    ) -> Boxed<'a, ()> {
        Box::pin(async move {
            match from {
                From::Table { .. } | From::Cte { .. } => Ok(()),
                From::Subquery { query, .. } => self.settle_query(query, parameters, context).await,
                From::Join { left, right, .. } => {
                    self.settle_from(left, parameters, context).await?;
                    self.settle_from(right, parameters, context).await
                }
                From::Function { rel, calls, ordinality, alias, .. } => {
                    if !calls.iter().any(|call| runs_in_session(&call.function)) {
                        for arg in calls.iter_mut().flat_map(|call| &mut call.args) {
                            self.settle_expression(arg, parameters, context).await?;
                        }
                        return Ok(());
                    }
                    let [call] = calls.as_mut_slice() else {
                        return Err(Error::unsupported("a function of several statements in ROWS FROM"));
                    };
                    let mut rows = self.run_set(call, parameters, context).await?;
                    let mut columns = call.columns.clone();
                    if *ordinality {
                        for (row, number) in rows.iter_mut().zip(1..) {
                            row.push(ScalarValue::Int64(Some(number)));
                        }
                        columns.push(OutputColumn { name: "ordinality".into(), ty: Type::of(oid::INT8), origin: None });
                    }
                    let types: Vec<Type> = columns.iter().map(|column| column.ty).collect();
                    let query = Box::new(values(rows, &types, columns, &context.catalog));
                    let alias = Some(alias.clone());
                    *from = From::Subquery { rel: *rel, query, lateral: false, view: None, alias };
                    Ok(())
                }
            }
        })
    }

    pub(super) async fn run_set(
        &mut self,
        call: &mut SetCall,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<Vec<Vec<ScalarValue>>> {
        let args = std::mem::take(&mut call.args);
        let mut values = Vec::new();
        for mut arg in parameters_of(&call.function, args, call.variadic, &context.catalog) {
            self.settle_expression(&mut arg, parameters, context).await?;
            if has_free_columns(&arg) {
                return Err(Error::unsupported(format!(
                    "function {} of several statements over columns of FROM",
                    call.function.name
                )));
            }
            values.push((self.value_of(&arg, parameters, context).await?, arg.ty));
        }
        let types: Vec<_> = values.iter().map(|(_, ty)| ty.oid).collect();
        let mut returns = bodies::returns_of(&call.function, Some(&types), context)?;
        if returns.columns.is_empty() && !returns.is_void() {
            returns.columns = call.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
        }
        let function = Arc::clone(&call.function);
        let mut rows = self.run_routine(&function, values, &returns).await?;
        if rows.is_empty() && !returns.set {
            rows.push(match returns.is_void() {
                true => vec![null_of(returns.ty, &context.catalog)?],
                false => nulls(&returns, &context.catalog)?,
            });
        }
        Ok(rows)
    }

    /// A set-returning call in a target list, over constants: its rows take its place.
    async fn settle_set(
        &mut self,
        call: &mut SetCall,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<()> {
        if !runs_in_session(&call.function) {
            for arg in &mut call.args {
                self.settle_expression(arg, parameters, context).await?;
            }
            return Ok(());
        }
        let rows = self.run_set(call, parameters, context).await?;
        let rows: Vec<_> = rows.into_iter().map(|row| as_column(row, call, context)).collect::<Result<_>>()?;
        let columns = call.columns.iter().enumerate().map(|(position, column)| {
            let values = rows.iter().filter_map(|row| row.get(position).cloned());
            let values = if rows.is_empty() {
                arrow::array::new_empty_array(&context.catalog.arrow_type(column.ty))
            } else {
                ScalarValue::iter_to_array(values).map_err(from_datafusion)?
            };
            Ok(values)
        });
        let mut columns = columns.collect::<Result<Vec<_>>>()?;
        let items = match columns.len() {
            1 => columns.remove(0),
            _ => {
                let types: Vec<_> = call.columns.iter().map(|column| (column.name.clone(), column.ty)).collect();
                let fields = types::structure::struct_fields(&types, &*context.catalog);
                let made = StructArray::try_new_with_length(fields, columns, None, rows.len());
                Arc::new(made.map_err(|error| Error::internal(error.to_string()))?)
            }
        };
        call.function = Arc::new(call.function.with_body(set_returning::given(items)));
        call.variadic = false;
        Ok(())
    }

    /// Runs the calls of an expression whose arguments hold no columns, as far as it needs them.
    pub(crate) fn settle_expression<'a>(
        &'a mut self,
        expr: &'a mut Expr,
        parameters: &'a [ScalarValue],
        context: &'a StatementContext,
    ) -> Boxed<'a, ()> {
        Box::pin(async move {
            if !has_calls(expr) {
                return Ok(());
            }
            if let ExprKind::Case { operand: None, branches, otherwise } = &mut expr.kind
                && !branches.iter().any(|(condition, _)| has_free_columns(condition))
            {
                // Only the branch that counts runs.
                let mut chosen = None;
                for (condition, result) in branches.drain(..) {
                    let mut condition = condition;
                    self.settle_expression(&mut condition, parameters, context).await?;
                    let holds = self.value_of(&condition, parameters, context).await?;
                    if holds == ScalarValue::Boolean(Some(true)) {
                        chosen = Some(result);
                        break;
                    }
                }
                let chosen = chosen.or_else(|| otherwise.take().map(|otherwise| *otherwise));
                *expr = match chosen {
                    Some(chosen) => chosen,
                    None => constant(null_of(expr.ty, &context.catalog)?, expr.ty),
                };
                return self.settle_expression(expr, parameters, context).await;
            }
            if let ExprKind::Coalesce(args) = &mut expr.kind
                && !args.iter().any(has_free_columns)
            {
                let mut value = None;
                for mut arg in args.drain(..) {
                    self.settle_expression(&mut arg, parameters, context).await?;
                    let found = self.value_of(&arg, parameters, context).await?;
                    if !found.is_null() {
                        value = Some(constant(found, arg.ty));
                        break;
                    }
                }
                let ty = expr.ty;
                *expr = match value {
                    Some(value) => value,
                    None => constant(null_of(ty, &context.catalog)?, ty),
                };
                return Ok(());
            }
            if let ExprKind::Subquery(subquery) = &mut expr.kind {
                return self.settle_query(&mut subquery.query, parameters, context).await;
            }
            for mut part in take_parts(expr) {
                self.settle_expression(&mut part, parameters, context).await?;
                put_part(expr, part);
            }
            if let ExprKind::Call { function, args, variadic, .. } = &mut expr.kind
                && runs_in_session(function)
                && !args.iter().any(has_free_columns)
            {
                let function = Arc::clone(function);
                let args = parameters_of(&function, std::mem::take(args), *variadic, &context.catalog);
                let mut values = Vec::new();
                for arg in args {
                    values.push((self.value_of(&arg, parameters, context).await?, arg.ty));
                }
                let types: Vec<_> = values.iter().map(|(_, ty)| ty.oid).collect();
                let returns = bodies::returns_of(&function, Some(&types), context)?;
                let rows = self.run_routine(&function, values, &returns).await?;
                *expr = match (&function.body, returns.is_void()) {
                    // Void of code is a value; of statements it is null.
                    (Body::Session(_) | Body::Language(_), true) => constant(ScalarValue::Boolean(Some(true)), expr.ty),
                    _ => result_of(rows, &returns, expr.ty, &context.catalog)?,
                };
            }
            Ok(())
        })
    }

    pub(crate) async fn value_of(
        &mut self,
        expr: &Expr,
        parameters: &[ScalarValue],
        context: &StatementContext,
    ) -> Result<ScalarValue> {
        if let ExprKind::Constant(value) = &expr.kind {
            return Ok(value.clone());
        }
        let bindings: Vec<Expr> = match parameters.is_empty() {
            true => Vec::new(),
            false => parameters.iter().map(|value| constant(value.clone(), Type::of(0))).collect(),
        };
        let mut expr = expr.clone();
        with_parameters(&mut expr, &bindings);
        let context = Arc::new(context.clone());
        self.evaluate(&expr, &context).await
    }
}

/// Who runs the bodies of a routine's language.
pub(crate) fn language_of<'e>(routine: &Routine, extensions: &'e Extensions) -> Result<&'e Language> {
    let name = aegis_catalog::facts::language_name(routine.row.language);
    let language = name.and_then(|name| extensions.language(name));
    language.ok_or_else(|| Error::unsupported(format!("LANGUAGE {}", name.unwrap_or("of that number"))))
}

/// 0A000 for a statement that changes something in a body that is not volatile.
fn refuse_changes(statement: &Parsed, volatility: char) -> Result<()> {
    let command = match statement {
        _ if volatility == 'v' => return Ok(()),
        Parsed::Query(_) => return Ok(()),
        Parsed::Insert(_) => "INSERT",
        Parsed::Update(_) => "UPDATE",
        Parsed::Delete(_) => "DELETE",
        Parsed::Merge(_) => "MERGE",
        Parsed::Utility(_) => "this command",
    };
    let message = format!("{command} is not allowed in a non-volatile function");
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
}

/// All rows of an outcome.
pub(crate) async fn drain(outcome: Outcome) -> Result<Vec<Vec<ScalarValue>>> {
    let Outcome::Rows { mut rows, .. } = outcome else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        if all.len() + batch.num_rows() > MAX_ROWS {
            return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "a function returns too many rows"));
        }
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| computed(column, row));
            all.push(values.collect::<Result<_>>()?);
        }
    }
    Ok(all)
}

/// A value as constants have it: numeric by its digits.
pub(crate) fn computed(column: &ArrayRef, row: usize) -> Result<ScalarValue> {
    let value = ScalarValue::try_from_array(column, row).map_err(from_datafusion)?;
    let ScalarValue::Decimal128(..) = value else { return Ok(value) };
    let numeric = Type::of(oid::NUMERIC);
    if value.is_null() {
        return Ok(ScalarValue::BinaryView(None));
    }
    let text =
        arrow::util::display::array_value_to_string(column, row).map_err(|error| Error::internal(error.to_string()))?;
    let array = types::parse_scalar(numeric, &text, &Default::default())?;
    ScalarValue::try_from_array(&array, 0).map_err(from_datafusion)
}

pub(super) fn null_of(ty: Type, catalog: &Catalog) -> Result<ScalarValue> {
    ScalarValue::try_from(&catalog.arrow_type(ty)).map_err(from_datafusion)
}

pub fn nulls(returns: &Returns, catalog: &Catalog) -> Result<Vec<ScalarValue>> {
    returns.columns.iter().map(|(_, ty)| null_of(*ty, catalog)).collect()
}

pub(super) fn constant(value: ScalarValue, ty: Type) -> Expr {
    Expr { kind: ExprKind::Constant(value), ty, span: Default::default() }
}

pub(super) fn constants(rows: Vec<Vec<ScalarValue>>, types: &[Type]) -> Vec<Vec<Expr>> {
    let row = |row: Vec<ScalarValue>| row.into_iter().zip(types).map(|(value, ty)| constant(value, *ty)).collect();
    rows.into_iter().map(row).collect()
}

pub(super) fn values(
    rows: Vec<Vec<ScalarValue>>,
    types: &[Type],
    columns: Vec<OutputColumn>,
    catalog: &Catalog,
) -> Query {
    let nothing = rows.is_empty();
    let mut query = Query::bare(SetExpr::Values(constants(rows, types)), columns);
    if nothing {
        // No rows, but their types.
        let nulls =
            types.iter().filter_map(|ty| null_of(*ty, catalog).ok().map(|value| constant(value, *ty))).collect();
        query.body = SetExpr::Values(vec![nulls]);
        query.limit = Some(constant(ScalarValue::Int64(Some(0)), Type::of(oid::INT8)));
    }
    query
}

/// The value that a call of a function without a set has.
fn result_of(rows: Vec<Vec<ScalarValue>>, returns: &Returns, ty: Type, catalog: &Catalog) -> Result<Expr> {
    let Some(row) = rows.into_iter().next().filter(|_| !returns.is_void()) else {
        return Ok(constant(null_of(ty, catalog)?, ty));
    };
    if !returns.is_row || returns.columns.is_empty() {
        let value = row.into_iter().next().ok_or_else(|| Error::internal("a row without a column"))?;
        return Ok(constant(value, ty));
    }
    let types: Vec<Type> = returns.columns.iter().map(|(_, ty)| *ty).collect();
    let fields = constants(vec![row], &types).into_iter().flatten().collect();
    let kind = match ty.oid {
        oid::RECORD => {
            let names = returns.columns.iter().map(|(name, _)| name.clone()).collect();
            ExprKind::NamedRow { names, fields }
        }
        _ => ExprKind::Row(fields),
    };
    Ok(Expr { kind, ty, span: Default::default() })
}

/// The rows as a batch for the client.
pub fn batch_of(columns: &[Type], rows: Vec<Vec<ScalarValue>>, catalog: &Catalog) -> Result<RecordBatch> {
    let mut arrays: Vec<(String, ArrayRef, bool)> = Vec::with_capacity(columns.len());
    for (position, ty) in columns.iter().enumerate() {
        let values: Vec<ScalarValue> = rows.iter().filter_map(|row| row.get(position).cloned()).collect();
        let array = match values.is_empty() {
            true => arrow::array::new_empty_array(&catalog.arrow_type(*ty)),
            false => ScalarValue::iter_to_array(values).map_err(from_datafusion)?,
        };
        arrays.push((format!("c{position}"), array, true));
    }
    RecordBatch::try_from_iter_with_nullable(arrays).map_err(|error| Error::internal(error.to_string()))
}

/// Is there a call of a body that runs here?
pub(super) fn has_calls(expr: &Expr) -> bool {
    fn visit(expr: &mut Expr, found: &mut bool) {
        if let ExprKind::Call { function, .. } = &expr.kind {
            *found |= runs_in_session(function);
        }
        walk::children(expr, &mut |child| visit(child, found));
    }
    let mut found = false;
    visit(&mut expr.clone(), &mut found);
    found
}

/// Is there a call that may give another value for each row, whatever its arguments are? A sub-query runs once.
pub(super) fn calls_by_row(expr: &Expr) -> bool {
    fn visit(expr: &mut Expr, found: &mut bool) {
        match &expr.kind {
            ExprKind::Subquery(_) => return,
            ExprKind::Call { function, .. } => {
                *found |= runs_in_session(function) && function.volatility == Volatility::Volatile;
            }
            _ => {}
        }
        walk::children(expr, &mut |child| visit(child, found));
    }
    let mut found = false;
    visit(&mut expr.clone(), &mut found);
    found
}

/// Defaults that call volatile functions become columns of the rows to insert, so that each row has a value of its own.
fn called_defaults_into_source(insert: &mut Insert) {
    let one_row = matches!(&insert.source.body, SetExpr::Values(rows) if rows.len() == 1);
    if one_row || !insert.values.iter().any(|(_, value)| calls_by_row(value)) {
        return;
    }
    let rel = insert.source_rel;
    let column = |column, ty| Expr { kind: ExprKind::Column { rel, column }, ty, span: Default::default() };
    let mut columns = insert.source.columns.clone();
    let mut targets: Vec<Expr> = columns.iter().enumerate().map(|(at, output)| column(at, output.ty)).collect();
    for (_, value) in insert.values.iter_mut().filter(|(_, value)| calls_by_row(value)) {
        let made = column(columns.len(), value.ty);
        columns.push(OutputColumn { name: "default".into(), ty: value.ty, origin: None });
        targets.push(std::mem::replace(value, made));
    }
    let query = Box::new(std::mem::replace(&mut insert.source, Query::empty()));
    let from = From::Subquery { rel, query, lateral: false, view: None, alias: None };
    insert.source = Query::select(from, targets, columns);
}

fn take_parts(expr: &mut Expr) -> std::collections::VecDeque<Expr> {
    let mut parts = std::collections::VecDeque::new();
    walk::children(expr, &mut |child| {
        let hole = Expr { kind: ExprKind::Default, ty: child.ty, span: child.span };
        parts.push_back(std::mem::replace(child, hole));
    });
    parts
}

/// Puts a part back where the first hole is.
fn put_part(expr: &mut Expr, part: Expr) {
    let mut part = Some(part);
    walk::children(expr, &mut |child| {
        if matches!(child.kind, ExprKind::Default)
            && let Some(part) = part.take()
        {
            *child = part;
        }
    });
}

fn with_parameters(expr: &mut Expr, bindings: &[Expr]) {
    if let ExprKind::Parameter(number) = expr.kind {
        let ty = expr.ty;
        if let Some(binding) = (number as usize).checked_sub(1).and_then(|position| bindings.get(position)) {
            *expr = Expr { ty, ..binding.clone() };
        }
        return;
    }
    walk::children(expr, &mut |child| with_parameters(child, bindings));
}

pub(super) fn collect_columns(expr: &mut Expr, found: &mut Vec<(RelId, usize, Type)>) {
    if let ExprKind::Column { rel, column } = expr.kind
        && !found.iter().any(|(other, position, _)| (*other, *position) == (rel, column))
    {
        found.push((rel, column, expr.ty));
    }
    walk::children(expr, &mut |child| collect_columns(child, found));
}

pub(super) fn with_columns(expr: &mut Expr, columns: &[(RelId, usize, Type)], row: &[ScalarValue]) {
    if let ExprKind::Column { rel, column } = expr.kind {
        let position = columns.iter().position(|(other, place, _)| (*other, *place) == (rel, column));
        if let Some(value) = position.and_then(|position| row.get(position)) {
            expr.kind = ExprKind::Constant(value.clone());
        }
        return;
    }
    walk::children(expr, &mut |child| with_columns(child, columns, row));
}
