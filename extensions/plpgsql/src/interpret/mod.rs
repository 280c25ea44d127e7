//! Runs a body statement by statement.

mod assign;
mod block;
mod control;
mod cursor;
mod diagnostics;
mod raise;
mod returning;
mod sql;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use aegis_engine::extension::{
    Caller, Error, Invocation, Result, Returns, Row, Type, Value, add_context, oid, sqlstate,
};
use parking_lot::Mutex;

use crate::ast::*;
use crate::compile::Function;
use crate::fragment::{Ready, View, value_of};
use crate::parse::Shape;
use crate::value::Slot;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

/// Where control goes after a statement.
#[derive(Debug, Clone, PartialEq)]
enum Flow {
    Next,
    Exit(Option<String>),
    Continue(Option<String>),
    Return,
}

/// A running body.
struct Run<'c> {
    caller: Caller<'c>,
    function: Arc<Function>,
    slots: Vec<Slot>,
    /// The rows of RETURN NEXT and RETURN QUERY.
    rows: Vec<Row>,
    /// The value of RETURN.
    returned: Option<Value>,
    has_returned: bool,
    returns: Option<Returns>,
    row_count: u64,
    /// Errors whose handlers are running, innermost last.
    caught: Vec<Error>,
    /// The context of the present error says where in this body it was.
    located: bool,
    /// Statements since others were let run.
    steps: u32,
}

/// Statements between looks at whether the statement was cancelled.
const STEPS: u32 = 64;

/// Number of the datum that FOUND is, which comes behind the parameters.
fn found_of(function: &Function) -> DatumId {
    function.body.datums.iter().position(|datum| datum.name == "found" && datum.line == 0).unwrap_or(0)
}

pub async fn inline(caller: Caller<'_>, function: Arc<Function>) -> Result<()> {
    let mut run = Run::new(caller, function, None)?;
    run.body().await.map_err(Error::without_position)
}

pub async fn call(caller: Caller<'_>, function: Arc<Function>, call: Invocation) -> Result<Vec<Row>> {
    let mut run = Run::new(caller, Arc::clone(&function), Some(call.returns.clone()))?;
    for (datum, value) in function.inputs.iter().zip(call.arguments.0) {
        let place = Place { datum: *datum, field: None, rest: String::new() };
        let stored = run.store(&place, value).await;
        stored.map_err(|error| run.during(error, "during function entry"))?;
    }
    run.body().await?;
    run.result(&call.returns).await
}

impl<'c> Run<'c> {
    fn new(caller: Caller<'c>, function: Arc<Function>, returns: Option<Returns>) -> Result<Self> {
        let slots = function.types.iter().map(|ty| Slot::null(*ty, &caller)).collect::<Result<_>>()?;
        let mut run = Self {
            caller,
            function,
            slots,
            rows: Vec::new(),
            returned: None,
            has_returned: false,
            returns,
            row_count: 0,
            caught: Vec::new(),
            located: false,
            steps: 0,
        };
        run.set_found(false);
        Ok(run)
    }

    async fn body(&mut self) -> Result<()> {
        let function = Arc::clone(&self.function);
        let flow = self.block(&function.body.block).await?;
        match (flow, function.shape) {
            (Flow::Next, Shape::Value | Shape::Trigger) => {
                let message = "control reached end of function without RETURN";
                let error = Error::new(sqlstate::S_R_E_FUNCTION_EXECUTED_NO_RETURN_STATEMENT, message);
                let mut error = error;
                add_context(&mut error, &format!("PL/pgSQL function {}", self.function.name));
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn set_found(&mut self, found: bool) {
        let datum = found_of(&self.function);
        if let Some(slot) = self.slots.get_mut(datum) {
            *slot = Slot::Scalar(Value::from(found));
        }
    }

    /// Where an error was, unless that was said already.
    fn located(&mut self, error: Error, line: u32, what: &str) -> Error {
        if std::mem::replace(&mut self.located, true) {
            return error;
        }
        let mut error = error;
        add_context(&mut error, &format!("PL/pgSQL function {} line {line} {what}", self.function.name));
        error
    }

    fn during(&mut self, error: Error, what: &str) -> Error {
        if std::mem::replace(&mut self.located, true) {
            return error;
        }
        let mut error = error;
        add_context(&mut error, &format!("PL/pgSQL function {} {what}", self.function.name));
        error
    }

    fn statements<'a>(&'a mut self, statements: &'a [Statement]) -> Boxed<'a, Flow> {
        Box::pin(async move {
            for statement in statements {
                let flow = match self.statement(&statement.kind, statement.line).await {
                    Ok(flow) => flow,
                    Err(error) => {
                        let what = format!("at {}", statement.kind.name());
                        return Err(self.located(error, statement.line, &what));
                    }
                };
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
            Ok(Flow::Next)
        })
    }

    async fn statement(&mut self, kind: &Kind, line: u32) -> Result<Flow> {
        self.steps += 1;
        if self.steps >= STEPS {
            self.steps = 0;
            self.caller.breathe().await?;
        }
        match kind {
            Kind::Block(block) => return self.block(block).await,
            Kind::Assign { place, value } => self.assign(place, value).await?,
            Kind::If { branches, otherwise } => return self.if_statement(branches, otherwise.as_deref()).await,
            Kind::Case { operand, branches, otherwise } => {
                return self.case(operand.as_ref(), branches, otherwise.as_deref()).await;
            }
            Kind::Loop { label, body } => return self.plain_loop(label.as_deref(), None, body).await,
            Kind::While { label, condition, body } => {
                return self.plain_loop(label.as_deref(), Some(condition), body).await;
            }
            Kind::ForInteger(of) => return self.integer_loop(of).await,
            Kind::ForRows { label, target, rows, body } => {
                return self.row_loop(label.as_deref(), target, rows, body).await;
            }
            Kind::ForEach { label, target, slice, array, body } => {
                return self.array_loop(label.as_deref(), target, *slice, array, body).await;
            }
            Kind::Exit { leave, label, when } => {
                if let Some(when) = when
                    && !self.holds(when).await?
                {
                    return Ok(Flow::Next);
                }
                return Ok(if *leave { Flow::Exit(label.clone()) } else { Flow::Continue(label.clone()) });
            }
            Kind::Return(value) => return self.return_value(value.as_ref()).await,
            Kind::ReturnNext(value) => self.return_next(value.as_ref()).await?,
            Kind::ReturnQuery(rows) => self.return_query(rows).await?,
            Kind::Raise(raise) => self.raise(raise, line).await?,
            Kind::Assert { condition, message } => self.assert(condition, message.as_ref()).await?,
            Kind::Sql { statement, into } => self.sql(statement, into.as_ref()).await?,
            Kind::Perform(query) => self.perform(query).await?,
            Kind::Call { statement } => self.call_procedure(statement).await?,
            Kind::Execute { text, using, into } => self.execute(text, using, into.as_ref()).await?,
            Kind::GetDiagnostics { stacked, items } => self.diagnostics(*stacked, items, line).await?,
            Kind::Open { cursor, rows, scroll } => self.open(cursor, rows, *scroll).await?,
            Kind::Fetch { cursor, into, move_only, direction } => {
                self.fetch(*cursor, into.as_ref(), *move_only, direction).await?;
            }
            Kind::Close { cursor } => self.close(*cursor).await?,
            Kind::Transaction { commit, chain } => {
                if *chain {
                    return Err(Error::unsupported("AND CHAIN in PL/pgSQL"));
                }
                self.caller.end_transaction(*commit).await?;
            }
            Kind::Null => {}
        }
        Ok(Flow::Next)
    }

    // ------------------------------------------------------------------------------------------ expressions

    /// The fragment of an expression, bound to the variables as they are.
    fn ready(&mut self, expr: &Expr, target: Option<Type>) -> Result<Arc<Ready>> {
        let kept = expr.kept.lock().0.clone();
        if let Some(kept) = kept
            && kept.fits(target, &self.slots)
            && self.caller.holds(&kept.fragment)?
        {
            return Ok(kept);
        }
        let function = &self.function;
        let names =
            |datum: DatumId| function.body.datums.get(datum).map(|datum| datum.name.clone()).unwrap_or_default();
        let (used, typed) = (Mutex::default(), Mutex::default());
        let view = View { scope: &expr.scope, slots: &self.slots, names: &names, used, typed };
        let fragment = self.caller.fragment(&expr.text, expr.form, &view, target)?;
        let (shapes, types) = (view.used.into_inner(), view.typed.into_inner());
        let ready = Arc::new(Ready { fragment, target, shapes, types });
        expr.kept.lock().0 = Some(Arc::clone(&ready));
        Ok(ready)
    }

    fn values(&self, slots: &[u64]) -> Result<Vec<Value>> {
        slots.iter().map(|slot| value_of(*slot, &self.slots)).collect()
    }

    /// The value of an expression, as `target` if one is given.
    async fn value(&mut self, expr: &Expr, target: Option<Type>) -> Result<Value> {
        let ready = self.ready(expr, target)?;
        let values = self.values(&ready.fragment.slots)?;
        if let Some(value) = self.caller.evaluate(&ready.fragment, &values)? {
            return Ok(value);
        }
        self.caller.only_value(&ready.fragment, &values).await
    }

    /// Is a condition true?
    async fn holds(&mut self, condition: &Expr) -> Result<bool> {
        let value = self.value(condition, Some(Type::of(oid::BOOL))).await?;
        Ok(value.get::<Option<bool>>()?.unwrap_or(false))
    }

    async fn integer(&mut self, expr: &Expr, what: &str) -> Result<i64> {
        let value = self.value(expr, Some(Type::of(oid::INT4))).await?;
        let value = value.get::<Option<i32>>()?;
        value
            .map(i64::from)
            .ok_or_else(|| Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, format!("{what} cannot be null")))
    }

    /// As text; None for null.
    async fn text(&mut self, expr: &Expr) -> Result<Option<String>> {
        let value = self.value(expr, None).await?;
        self.caller.text_of(&value)
    }

    fn name_of(&self, datum: DatumId) -> &str {
        self.function.body.datums.get(datum).map_or("", |datum| &datum.name)
    }
}

impl Kind {
    /// As the context of errors calls it (`plpgsql_stmt_typename`).
    fn name(&self) -> &'static str {
        match self {
            Self::Block(_) => "statement block",
            Self::Assign { .. } => "assignment",
            Self::If { .. } => "IF",
            Self::Case { .. } => "CASE",
            Self::Loop { .. } => "LOOP",
            Self::While { .. } => "WHILE",
            Self::ForInteger(_) => "FOR with integer loop variable",
            Self::ForRows { rows: Rows::Query(_), .. } => "FOR over SELECT rows",
            Self::ForRows { rows: Rows::Execute { .. }, .. } => "FOR over EXECUTE statement",
            Self::ForRows { rows: Rows::Cursor { .. }, .. } => "FOR over cursor",
            Self::ForEach { .. } => "FOREACH over array",
            Self::Exit { leave: true, .. } => "EXIT",
            Self::Exit { .. } => "CONTINUE",
            Self::Return(_) => "RETURN",
            Self::ReturnNext(_) => "RETURN NEXT",
            Self::ReturnQuery(_) => "RETURN QUERY",
            Self::Raise(_) => "RAISE",
            Self::Assert { .. } => "ASSERT",
            Self::Sql { .. } => "SQL statement",
            Self::Perform(_) => "PERFORM",
            Self::Call { .. } => "CALL",
            Self::Execute { .. } => "EXECUTE",
            Self::GetDiagnostics { stacked: true, .. } => "GET STACKED DIAGNOSTICS",
            Self::GetDiagnostics { .. } => "GET DIAGNOSTICS",
            Self::Open { .. } => "OPEN",
            Self::Fetch { move_only: true, .. } => "MOVE",
            Self::Fetch { .. } => "FETCH",
            Self::Close { .. } => "CLOSE",
            Self::Transaction { commit: true, .. } => "COMMIT",
            Self::Transaction { .. } => "ROLLBACK",
            Self::Null => "NULL",
        }
    }
}
