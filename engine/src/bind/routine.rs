//! Bodies of functions and procedures in SQL (PostgreSQL's functions.c; manual, "Query Language (SQL) Functions"): their statements
//! with the arguments as parameters, and their last statement as the result that was declared.

use std::sync::Arc;

use aegis_catalog::object::Routine;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::coerce::Context;
use super::parameter::Parameters;
use super::tree::{BoundStatement, Distinct, Expr, ExprKind, From, OutputColumn, Query, RelId, SetExpr, Statement};
use super::types::is_polymorphic;
use super::{Binder, target_list};
use crate::functions::Function;
use crate::parse::ast::{self, Name, Span};
use crate::session::context::StatementContext;

/// The names by which a body knows its arguments.
pub(super) struct ArgumentNames {
    routine: String,
    names: Vec<String>,
}

impl ArgumentNames {
    pub(super) fn of(routine: &Routine) -> Self {
        Self { routine: routine.row.name.to_string(), names: crate::functions::input_names(&routine.row) }
    }
}

/// Numbers of relations and CTEs that nothing else in the statement has.
#[derive(Debug, Clone, Copy)]
pub struct Numbers {
    pub rel: u32,
    pub cte: u32,
}

impl Numbers {
    /// Those of a statement of its own.
    pub const FIRST: Self = Self { rel: 0, cte: 0 };
    /// Those of bodies inside another statement, far above its own.
    pub const INLINED: Self = Self { rel: 1 << 20, cte: 1 << 20 };
}

/// What a routine is declared to return, with concrete types.
#[derive(Debug, Clone, PartialEq)]
pub struct Returns {
    pub ty: Type,
    /// Name and type of each column of its rows; one for a scalar. Empty if only the statement itself can tell.
    pub columns: Vec<(String, Type)>,
    /// Its value is a row.
    pub is_row: bool,
    pub set: bool,
}

impl Returns {
    pub fn is_void(&self) -> bool {
        self.ty.oid == oid::VOID
    }
}

/// The statements of a body, and the text that they point into.
pub fn statements_of(routine: &Routine) -> Result<(Arc<str>, Vec<ast::ParsedStatement>)> {
    let text = match routine.sql_body.as_deref() {
        None => routine.row.source.to_string(),
        Some(body) => match body.strip_prefix("RETURN ") {
            Some(expr) => format!("SELECT {expr}"),
            None => {
                let inner = body.trim().strip_prefix("BEGIN ATOMIC").and_then(|rest| rest.strip_suffix("END"));
                inner.unwrap_or(body).to_owned()
            }
        },
    };
    let parsed = crate::parse::parse(&text)?;
    Ok((text.into(), parsed))
}

/// The result types of a call with arguments of these types; `None` leaves polymorphic ones as they are declared.
pub fn returns_of(function: &Function, actual: Option<&[Oid]>, context: &StatementContext) -> Result<Returns> {
    let binder = Binder::new("", context, Parameters::none());
    let concrete = |declared: Oid| -> Result<Type> {
        let Some(actual) = actual.filter(|_| is_polymorphic(declared)) else { return Ok(Type::of(declared)) };
        let mut args = declared_args(function, &binder);
        binder.resolve_generic(actual, &mut args, declared, Span::default()).map(Type::of)
    };
    let ty = concrete(function.returns)?;
    let mut columns = Vec::new();
    for (position, (name, declared)) in function.out_columns.iter().enumerate() {
        let name = if name.is_empty() { format!("column{}", position + 1) } else { name.clone() };
        columns.push((name, concrete(*declared)?));
    }
    let is_row = columns.len() > 1 || ty.oid == oid::RECORD || binder.is_composite(ty.oid);
    if columns.is_empty() {
        match binder.relation_of_type(ty.oid) {
            Some(relation) => {
                columns = relation.live_columns().map(|column| (column.name.clone(), column.ty)).collect();
            }
            None if ty.oid == oid::RECORD || ty.oid == oid::VOID => {}
            None => columns.push((function.name.clone(), ty)),
        }
    }
    Ok(Returns { ty, columns, is_row, set: function.returns_set })
}

/// The declared types of the input parameters, the variadic one as its array.
fn declared_args(function: &Function, binder: &Binder<'_>) -> Vec<Oid> {
    let mut args = function.args.clone();
    if let Some(last) = args.last_mut().filter(|_| function.variadic) {
        *last = match *last {
            oid::ANYELEMENT => oid::ANYARRAY,
            oid::ANYCOMPATIBLE => oid::ANYCOMPATIBLEARRAY,
            element => binder.array_of(element).unwrap_or(element),
        };
    }
    args
}

/// Binds one statement of a body whose arguments have these types.
pub fn bind_body_statement(
    statement: &ast::Statement,
    sql: &str,
    routine: &Routine,
    arguments: &[Oid],
    context: &StatementContext,
    numbers: &mut Numbers,
) -> Result<BoundStatement> {
    let mut binder = Binder::new(sql, context, Parameters::fixed(arguments));
    binder.arguments = Some(Arc::new(ArgumentNames::of(routine)));
    binder.next_rel = numbers.rel;
    binder.cte_base = numbers.cte;
    let (statement, columns) = binder.statement(statement)?;
    *numbers = Numbers { rel: binder.next_rel, cte: binder.cte_base + binder.cte_references.len() as u32 };
    binder.finish(statement, columns, arguments.to_vec())
}

/// Makes the rows of a body's last statement those that are declared. 42P13 if they can't be.
pub fn as_declared(
    last: Option<&mut BoundStatement>,
    returns: &Returns,
    context: &StatementContext,
    numbers: &mut Numbers,
) -> Result<()> {
    if returns.is_void() {
        return Ok(());
    }
    let mut binder = Binder::new("", context, Parameters::none());
    let declared = binder.type_name(returns.ty);
    let mismatch = |detail: String| {
        let message = format!("return type mismatch in function declared to return {declared}");
        Error::new(sqlstate::INVALID_FUNCTION_DEFINITION, message).with_detail(detail)
    };
    let Some((bound, output)) = last.and_then(|bound| bound.columns.clone().map(|columns| (bound, columns))) else {
        let detail = "Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING.";
        return Err(mismatch(detail.to_owned()));
    };
    if returns.columns.is_empty() {
        return Ok(());
    }
    if !returns.is_row {
        let ([actual], [(_, target)]) = (output.as_slice(), returns.columns.as_slice()) else {
            return Err(mismatch("Final statement must return exactly one column.".to_owned()));
        };
        if !binder.can_coerce(&[actual.ty.oid], &[target.oid], Context::Assignment) {
            return Err(mismatch(format!("Actual return type is {}.", binder.type_name(Type::of(actual.ty.oid)))));
        }
    } else if !is_whole_row(&output, returns) {
        for (position, (_, target)) in returns.columns.iter().enumerate() {
            let Some(actual) = output.get(position) else {
                return Err(mismatch("Final statement returns too few columns.".to_owned()));
            };
            if !binder.can_coerce(&[actual.ty.oid], &[target.oid], Context::Assignment) {
                let (from, to) = (binder.type_name(Type::of(actual.ty.oid)), binder.type_name(*target));
                let detail = format!("Final statement returns {from} instead of {to} at column {}.", position + 1);
                return Err(mismatch(detail));
            }
        }
        if output.len() > returns.columns.len() {
            return Err(mismatch("Final statement returns too many columns.".to_owned()));
        }
    }
    binder.next_rel = numbers.rel;
    binder.convert_rows(bound, &output, returns)?;
    numbers.rel = binder.next_rel;
    Ok(())
}

/// Is the output the declared row as one value?
fn is_whole_row(output: &[OutputColumn], returns: &Returns) -> bool {
    let [only] = output else { return false };
    let first = returns.columns.first().map_or(0, |(_, ty)| ty.oid);
    returns.is_row && (only.ty.oid == returns.ty.oid || only.ty.oid == oid::RECORD) && only.ty.oid != first
}

impl Binder<'_> {
    /// The output as the declared columns.
    fn convert_rows(&mut self, bound: &mut BoundStatement, output: &[OutputColumn], returns: &Returns) -> Result<()> {
        let columns: Vec<OutputColumn> = returns
            .columns
            .iter()
            .map(|(name, ty)| OutputColumn { name: name.clone(), ty: *ty, origin: None })
            .collect();
        let whole = is_whole_row(output, returns);
        let same = !whole
            && output.iter().zip(&columns).all(|(actual, column)| {
                actual.ty.oid == column.ty.oid && (column.ty.typmod == -1 || actual.ty.typmod == column.ty.typmod)
            });
        match &mut bound.statement {
            Statement::Query(query) if same => query.columns.clone_from(&columns),
            Statement::Query(query) => {
                if let Some(targets) = plain_targets(query).filter(|targets| whole && row_fields(targets).is_some()) {
                    let fields = row_fields(targets).unwrap_or_default();
                    check_fields(self, &fields, &columns)?;
                    *targets = self.fields_as(fields, &columns)?;
                    query.columns.clone_from(&columns);
                } else if let Some(targets) = plain_targets(query).filter(|_| !whole) {
                    let fields = std::mem::take(targets);
                    *targets = self.fields_as(fields, &columns)?;
                    query.columns.clone_from(&columns);
                } else {
                    let inner = std::mem::replace(query, Query::empty());
                    *query = self.over(inner, whole, &columns)?;
                }
            }
            Statement::Insert(insert) => self.convert_returning(insert.returning.as_mut(), &columns)?,
            Statement::Update(update) => self.convert_returning(update.returning.as_mut(), &columns)?,
            Statement::Merge(_) => {}
            Statement::Delete(delete) => self.convert_returning(delete.returning.as_mut(), &columns)?,
        }
        bound.columns = Some(columns);
        Ok(())
    }

    fn convert_returning(
        &mut self,
        returning: Option<&mut super::tree::Returning>,
        columns: &[OutputColumn],
    ) -> Result<()> {
        let Some(returning) = returning else { return Ok(()) };
        let fields = std::mem::take(&mut returning.targets);
        returning.targets = self.fields_as(fields, columns)?;
        returning.columns = columns.to_vec();
        Ok(())
    }

    fn fields_as(&mut self, fields: Vec<Expr>, columns: &[OutputColumn]) -> Result<Vec<Expr>> {
        fields.into_iter().zip(columns).map(|(field, column)| self.field_as(field, column.ty)).collect()
    }

    fn field_as(&mut self, field: Expr, target: Type) -> Result<Expr> {
        let span = field.span;
        let converted = self.coerce_to_target(field, target, Context::Assignment, true)?;
        converted.ok_or_else(|| Error::internal("a result that can't be converted").at(span.start))
    }

    /// `SELECT columns FROM inner`, with the fields of its only column if `whole`.
    fn over(&mut self, inner: Query, whole: bool, columns: &[OutputColumn]) -> Result<Query> {
        let rel = RelId(self.next_rel);
        self.next_rel += 1;
        let span = Span::default();
        let output = inner.columns.clone();
        let column = |position: usize, ty: Type| Expr { kind: ExprKind::Column { rel, column: position }, ty, span };
        let fields = if whole {
            let row = column(0, output.first().map_or(Type::of(oid::RECORD), |column| column.ty));
            let fields = columns.iter().enumerate();
            fields.map(|(index, column)| target_list::field(&row, index, column.ty, span)).collect()
        } else {
            let fields = output.iter().enumerate().map(|(position, output)| column(position, output.ty)).collect();
            self.fields_as(fields, columns)?
        };
        let from = From::Subquery { rel, query: Box::new(inner), lateral: true, view: None, alias: None };
        Ok(Query::select(from, fields, columns.to_vec()))
    }

    /// An argument by its name, as PostgreSQL's sql_fn_post_column_ref finds it where no column has the name.
    pub(super) fn argument_named(&mut self, name: &Name) -> Result<Option<Expr>> {
        if self.variables.is_some() {
            return self.variable_named(name);
        }
        let Some(arguments) = self.arguments.clone() else { return Ok(None) };
        let position = |name: &str| arguments.names.iter().position(|other| other == name && !name.is_empty());
        let (position, field) = match name.parts.as_slice() {
            [only] => (position(&only.name), None),
            [routine, argument] if routine.name == arguments.routine && position(&argument.name).is_some() => {
                (position(&argument.name), None)
            }
            [argument, field] => (position(&argument.name), Some(field)),
            [routine, argument, field] if routine.name == arguments.routine => (position(&argument.name), Some(field)),
            _ => (None, None),
        };
        let Some(position) = position else { return Ok(None) };
        let parameter = self.parameter(position as u32 + 1, name.span)?;
        match field {
            None => Ok(Some(parameter)),
            Some(field) => match self.field_named(parameter.clone(), &field.name, name.span) {
                Some(found) => Ok(Some(found)),
                None => self.attribute_call(&field.name, parameter, name.span),
            },
        }
    }
}

/// The fields of the one row value that a SELECT returns, if it is written as such.
fn row_fields(targets: &[Expr]) -> Option<Vec<Expr>> {
    match targets {
        [Expr { kind: ExprKind::Row(fields) | ExprKind::NamedRow { fields, .. }, .. }] => Some(fields.clone()),
        _ => None,
    }
}

/// 42804 for a row of other columns than those that are declared.
fn check_fields(binder: &Binder<'_>, fields: &[Expr], columns: &[OutputColumn]) -> Result<()> {
    let mismatch = |detail: String| {
        let message = "function return row and query-specified return row do not match";
        Error::new(sqlstate::DATATYPE_MISMATCH, message).with_detail(detail)
    };
    if fields.len() != columns.len() {
        let (count, wanted) = (fields.len(), columns.len());
        let plural = if count == 1 { "" } else { "s" };
        return Err(mismatch(format!("Returned row contains {count} attribute{plural}, but query expects {wanted}.")));
    }
    for (position, (field, column)) in fields.iter().zip(columns).enumerate() {
        if field.ty.oid != column.ty.oid {
            let (from, to) = (binder.oid_name(field.ty.oid), binder.oid_name(column.ty.oid));
            let place = position + 1;
            return Err(mismatch(format!("Returned type {from} at ordinal position {place}, but query expects {to}.")));
        }
    }
    Ok(())
}

/// The targets of a SELECT whose output is nothing but them: they may be replaced.
pub(super) fn plain_targets(query: &mut Query) -> Option<&mut Vec<Expr>> {
    let plain = query.order_by.is_empty();
    match &mut query.body {
        SetExpr::Select(select) if plain && select.distinct == Distinct::None => Some(&mut select.targets),
        _ => None,
    }
}

/// A query as a statement of its own.
pub fn bound_query(query: Query) -> BoundStatement {
    let columns = Some(query.columns.clone());
    let statement = Statement::Query(query);
    let (parameters, relations, read, routines, collations) = Default::default();
    BoundStatement { statement, parameters, columns, relations, read, routines, collations }
}

/// True if a body can be bound before a call tells the types of its arguments.
pub fn has_concrete_arguments(routine: &Routine) -> bool {
    let row = &routine.row;
    !row.arg_types.iter().chain(row.all_arg_types.iter().flatten()).any(|&ty| is_polymorphic(ty))
}
