//! Statements and expressions of procedural languages: bound once with the variables that they name, run as often as their values change
//! (PostgreSQL's prepared plans of the Server Programming Interface).

use std::sync::Arc;

use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;
use parking_lot::Mutex;

use super::caller::{Caller, Row, Value};
use crate::bind::tree::BoundStatement;
use crate::bind::variables::{self, WithVariables};
pub use crate::bind::variables::{Variable, Variables};
use crate::parse::ast::{self, ParsedStatement, Statement};
use crate::parse::utility::Utility;
use crate::session::context::StatementContext;
use crate::session::portal::{RowStream, Tag};
use crate::session::prepared::Plan;
use crate::session::routine::computed;
use crate::statement::lock::Needs;
use crate::statement::{self, Outcome};

/// Put in front of an expression it is a statement.
const SELECT: &str = "SELECT ";

/// How a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Statement,
    /// What may follow SELECT.
    Expression,
    /// `variable := expression`; the expression begins at this offset.
    Assignment(usize),
}

/// A statement with the variables that it names.
pub struct Fragment {
    text: Arc<str>,
    form: Form,
    work: Work,
    /// What to hand in as values, in this order.
    pub slots: Vec<u64>,
    /// None for what has no rows.
    pub columns: Option<Vec<(String, Type)>>,
}

enum Work {
    Plan(Arc<Plan>),
    Utility(Arc<ParsedStatement>),
}

/// What a fragment has done.
pub enum Ran {
    Rows(RowsOf),
    /// Its command tag, and the rows that it counts.
    Done(String, u64),
}

/// Rows as they come.
pub struct RowsOf {
    pub columns: Arc<Vec<(String, Type)>>,
    /// The first word of the command tag.
    pub command: &'static str,
    /// Locked by nobody: whoever reads has it alone. It only makes the rows of a kind that may be looked at by several threads.
    pub(super) stream: Mutex<RowStream>,
}

impl RowsOf {
    /// Some more; None at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<Row>>> {
        loop {
            let Some(batch) = self.stream.get_mut().next().await else { return Ok(None) };
            let batch = batch?;
            if batch.num_rows() == 0 {
                continue;
            }
            let row = |row: usize| {
                let values = batch.columns().iter().zip(self.columns.iter());
                values.map(|(column, (_, ty))| Value::scalar(*ty, &computed(column, row)?)).collect::<Result<_>>()
            };
            return (0..batch.num_rows()).map(|number| row(number).map(Row)).collect::<Result<_>>().map(Some);
        }
    }

    /// All that are left, at most so many.
    pub async fn all(mut self, limit: usize) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        while rows.len() < limit
            && let Some(more) = self.next().await?
        {
            rows.extend(more);
        }
        Ok(rows)
    }
}

/// One statement as it is written.
pub fn parse_fragment(text: &str, form: Form) -> Result<Arc<ParsedStatement>> {
    let parsed = crate::parse::parse(&form.statement(text));
    let mut statements = parsed.map_err(|error| shifted(error, form))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(Arc::new(statement)),
        (None, _) => Err(Error::new(sqlstate::SYNTAX_ERROR, "syntax error at end of input")),
        _ => Err(Error::new(sqlstate::SYNTAX_ERROR, format!("query \"{text}\" is not one statement"))),
    }
}

fn shifted(mut error: Error, form: Form) -> Error {
    let before = match form {
        Form::Statement => return error,
        Form::Expression => 0,
        Form::Assignment(offset) => offset as u32,
    };
    if let Some(position) = &mut error.fields_mut().position {
        *position = position.saturating_sub(SELECT.len() as u32) + before;
    }
    error
}

impl Form {
    /// The text as a statement of SQL.
    fn statement(self, text: &str) -> String {
        match self {
            Self::Statement => text.to_owned(),
            Self::Expression => format!("{SELECT}{text}"),
            Self::Assignment(offset) => format!("{SELECT}{}", text.get(offset..).unwrap_or_default()),
        }
    }
}

impl Fragment {
    /// An error in the text points into it; else a line of the context names it.
    fn explain(&self, error: Error) -> Error {
        explain(error, &self.text, self.form, true)
    }

    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Only changes and queries can be SELECT … INTO.
    pub fn is_utility(&self) -> bool {
        matches!(self.work, Work::Utility(_))
    }
}

/// Where in which text an error is.
fn explain(error: Error, text: &str, form: Form, shift: bool) -> Error {
    let mut error = if shift { shifted(error, form) } else { error };
    let fields = error.fields_mut();
    if let Some(position) = fields.position.take() {
        fields.internal.get_or_insert((position, text.to_owned()));
        return error;
    }
    if fields.internal.is_some() && fields.context.is_none() {
        return error;
    }
    let what = match form {
        Form::Statement => "SQL statement",
        Form::Expression => "SQL expression",
        Form::Assignment(_) => "PL/pgSQL assignment",
    };
    add_context(&mut error, &format!("{what} \"{text}\""));
    error
}

/// A further line of the context.
pub fn add_context(error: &mut Error, line: &str) {
    let context = &mut error.fields_mut().context;
    match context {
        Some(context) => {
            context.push('\n');
            context.push_str(line);
        }
        None => *context = Some(line.to_owned()),
    }
}

impl Caller<'_> {
    /// Binds a text. With a target, its only column becomes that type, as an assignment converts.
    pub fn fragment(
        &mut self,
        text: &Arc<str>,
        form: Form,
        variables: &dyn Variables,
        target: Option<Type>,
    ) -> Result<Fragment> {
        let context = self.context()?;
        let sql = form.statement(text);
        let parsed = parse_fragment(text, form).map_err(|error| explain(error, text, form, false))?;
        let wrong = |error| explain(error, text, form, true);
        if let Statement::Utility(_) = &parsed.statement {
            let columns = None;
            let work = Work::Utility(parsed);
            return Ok(Fragment { text: Arc::clone(text), form, work, slots: Vec::new(), columns });
        }
        let bound = variables::bind_with_variables(&parsed.statement, &sql, variables, target, &context);
        self.planned(bound.map_err(wrong)?, text, form, &context)
    }

    fn planned(
        &self,
        bound: WithVariables,
        text: &Arc<str>,
        form: Form,
        context: &Arc<StatementContext>,
    ) -> Result<Fragment> {
        let WithVariables { bound, slots } = bound;
        let columns = columns_of(&bound);
        let plan = Plan::new(bound, context).map_err(|error| explain(error, text, form, true))?;
        Ok(Fragment { text: Arc::clone(text), form, work: Work::Plan(Arc::new(plan)), slots, columns })
    }

    /// Binds `variable[…].… := value`, whose result is the variable's new value.
    pub fn store_fragment(
        &mut self,
        variable: (u64, Type),
        (path, value): (&str, &str),
        variables: &dyn Variables,
    ) -> Result<Fragment> {
        let context = self.context()?;
        let shown: Arc<str> = value.into();
        let text = format!("UPDATE t SET v{path} = (SELECT {value})");
        let wrong = |error: Error| explain(error.without_position(), &shown, Form::Expression, false);
        let mut parsed = crate::parse::parse(&text).map_err(wrong)?;
        let Some(Statement::Update(update)) = parsed.pop().map(|parsed| parsed.statement) else {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "syntax error in an assignment"));
        };
        let [ast::Assignment::One { target, value }] = update.set.as_slice() else {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "syntax error in an assignment"));
        };
        let value = bare_value(value);
        let bound = variables::bind_store(variable, target, value, variables, &context).map_err(wrong)?;
        self.planned(bound, &shown, Form::Expression, &context)
    }

    /// Is it what binding it anew would give?
    pub fn holds(&self, fragment: &Fragment) -> Result<bool> {
        Ok(match &fragment.work {
            Work::Plan(plan) => plan.holds(&*self.context()?),
            Work::Utility(_) => true,
        })
    }

    /// The only value of an expression that is computed without reading anything; None if it must be [`run`](Self::run).
    pub fn evaluate(&mut self, fragment: &Fragment, values: &[Value]) -> Result<Option<Value>> {
        let (Work::Plan(plan), Some([(_, ty)])) = (&fragment.work, fragment.columns.as_deref()) else {
            return Ok(None);
        };
        let context = self.context()?;
        let values = values.iter().map(Value::to_scalar).collect::<Result<Vec<_>>>()?;
        let session = self.session();
        let computed = session.compute(plan, &values, &context);
        // What holds no variables, PostgreSQL computes while it plans.
        let computed =
            computed.map_err(|error| if fragment.slots.is_empty() { fragment.explain(error) } else { error });
        let Some(value) = computed? else { return Ok(None) };
        Value::scalar(*ty, &value).map(Some)
    }

    /// Runs it with these values.
    pub async fn run(&mut self, fragment: &Fragment, values: &[Value]) -> Result<Ran> {
        let volatile = self.is_volatile();
        self.session().see_own_changes(volatile)?;
        let context = self.context()?;
        let outcome = match &fragment.work {
            Work::Utility(parsed) => self.run_utility(parsed, &fragment.text, &context).await,
            Work::Plan(plan) => {
                if !volatile {
                    refuse_change(&plan.tree)?;
                }
                let values = values.iter().map(Value::to_scalar).collect::<Result<Vec<_>>>()?;
                Box::pin(self.session().run_plan(plan, values, &context)).await
            }
        };
        self.ran(outcome.map_err(|error| fragment.explain(error))?, fragment.columns.clone())
    }

    async fn run_utility(
        &mut self,
        parsed: &ParsedStatement,
        sql: &str,
        context: &Arc<StatementContext>,
    ) -> Result<Outcome> {
        let Statement::Utility(utility) = &parsed.statement else {
            return Err(Error::internal("a statement that is planned"));
        };
        refuse_transaction_control(utility)?;
        if !self.is_volatile() {
            let message = "this command is not allowed in a non-volatile function";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        let session = self.session();
        let mut context = Arc::clone(context);
        loop {
            let needs = Needs::of_utility(utility, sql, session, &context);
            if !session.lock_relations(needs.iter(), false, &context).await? {
                break;
            }
            context = session.context()?;
        }
        Box::pin(statement::run(session, utility, sql, &context)).await
    }

    fn ran(&self, outcome: Outcome, columns: Option<Vec<(String, Type)>>) -> Result<Ran> {
        match outcome {
            Outcome::Tag(tag) => {
                let count = tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or(0);
                Ok(Ran::Done(tag, count))
            }
            Outcome::Rows { rows, tag } => {
                let command = match tag {
                    Tag::Counted(command) => command.split(' ').next().unwrap_or_default(),
                    Tag::Fixed(_) => "",
                };
                let columns = Arc::new(columns.unwrap_or_default());
                Ok(Ran::Rows(RowsOf { columns, command, stream: Mutex::new(rows) }))
            }
            Outcome::CopyIn { .. } | Outcome::CopyOut { .. } => {
                Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "cannot COPY to/from client in PL/pgSQL"))
            }
        }
    }

    /// Binds and runs a text that was made while it ran, with these values as `$1`, `$2` …
    pub async fn execute(&mut self, text: &Arc<str>, values: &[Value]) -> Result<Ran> {
        let types: Vec<Oid> = values.iter().map(|value| value.ty().oid).collect();
        let parsed =
            parse_fragment(text, Form::Statement).map_err(|error| explain(error, text, Form::Statement, false))?;
        let volatile = self.is_volatile();
        self.session().see_own_changes(volatile)?;
        let context = self.context()?;
        let planned = |bound: Result<BoundStatement>| {
            let bound = bound.map_err(|error| explain(error, text, Form::Statement, false))?;
            let columns = columns_of(&bound);
            Ok::<_, Error>((Plan::new(bound, &context)?, columns))
        };
        let (outcome, columns) = match &parsed.statement {
            Statement::Utility(_) => (self.run_utility(&parsed, text, &context).await, None),
            statement => {
                let (plan, columns) = planned(crate::bind::bind(statement, text, &types, &context))?;
                if !volatile {
                    refuse_change(&plan.tree)?;
                }
                let values = values.iter().map(Value::to_scalar).collect::<Result<Vec<ScalarValue>>>()?;
                (Box::pin(self.session().run_plan(&plan, values, &context)).await, columns)
            }
        };
        self.ran(outcome.map_err(|error| explain(error, text, Form::Statement, false))?, columns)
    }

    /// The value as another type, as an assignment converts it.
    pub async fn convert(&mut self, value: Value, target: Type) -> Result<Value> {
        if value.ty() == target || value.ty().oid == target.oid && target.typmod < 0 {
            return Ok(Value::new(target, Arc::clone(value.array())));
        }
        struct One(Type);
        impl Variables for One {
            fn named(&self, parts: &[&str], _: bool) -> Result<Option<Variable>> {
                Ok((parts == ["$1"]).then_some(Variable::Value { slot: 0, ty: self.0 }))
            }
        }
        let fragment = self.fragment(&Arc::from("$1"), Form::Expression, &One(value.ty()), Some(target))?;
        let values = [value];
        if let Some(value) = self.evaluate(&fragment, &values)? {
            return Ok(value);
        }
        self.only_value(&fragment, &values).await
    }

    /// The value of an expression: 21000 if it has more than one row, null if none.
    pub async fn only_value(&mut self, fragment: &Fragment, values: &[Value]) -> Result<Value> {
        let Some([(_, ty)]) = fragment.columns.as_deref() else {
            let count = fragment.columns.as_ref().map_or(0, Vec::len);
            let message = format!("query returned {count} column{}", if count == 1 { "" } else { "s" });
            return Err(fragment.explain(Error::new(sqlstate::SYNTAX_ERROR, message)));
        };
        let ty = *ty;
        let Ran::Rows(rows) = self.run(fragment, values).await? else {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "query did not return data"));
        };
        let mut rows = rows.all(2).await.map_err(|error| fragment.explain(error))?;
        if rows.len() > 1 {
            let error = Error::new(sqlstate::CARDINALITY_VIOLATION, "query returned more than one row");
            return Err(fragment.explain(error));
        }
        match rows.pop().and_then(|mut row| row.0.pop()) {
            Some(value) => Ok(value),
            None => self.null(ty),
        }
    }

    /// NULL of a type.
    pub fn null(&self, ty: Type) -> Result<Value> {
        let catalog = self.catalog()?;
        Ok(Value::new(ty, arrow::array::new_null_array(&catalog.arrow_type(ty), 1)))
    }
}

/// `(SELECT value)` as it was written for the parser, without what was put around it if it is a plain expression.
fn bare_value(written: &ast::Expr) -> &ast::Expr {
    let ast::ExprKind::ScalarQuery(query) = &written.kind else { return written };
    let ast::SetExpr::Select(select) = &query.body else { return written };
    let plain = query.with.is_none()
        && query.order_by.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && select.from.is_empty()
        && select.filter.is_none()
        && select.group_by.is_empty();
    match select.targets.as_slice() {
        [target] if plain && target.alias.is_none() => &target.expr,
        _ => written,
    }
}

fn columns_of(bound: &BoundStatement) -> Option<Vec<(String, Type)>> {
    let columns = bound.columns.as_ref()?;
    Some(columns.iter().map(|column| (column.name.clone(), column.ty)).collect())
}

fn refuse_change(bound: &BoundStatement) -> Result<()> {
    use crate::bind::tree::Statement;
    let command = match bound.statement {
        Statement::Query(_) => return Ok(()),
        Statement::Insert(_) => "INSERT",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        Statement::Merge(_) => "MERGE",
    };
    let message = format!("{command} is not allowed in a non-volatile function");
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
}

fn refuse_transaction_control(utility: &Utility) -> Result<()> {
    if statement::routine::refuse_in_body(utility).is_ok() {
        return Ok(());
    }
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "unsupported transaction command in PL/pgSQL"))
}
