//! Variables of procedural languages in SQL: names that stand for values which a statement is given (PostgreSQL's parser hooks).

use aegis_catalog::object::Column;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::coerce::Context;
use super::parameter::Parameters;
use super::routine::{bound_query, plain_targets};
use super::scope::{Clause, Level};
use super::tree::{BoundStatement, Expr, ExprKind, OutputColumn, Query, Statement};
use super::{Binder, assign};
use crate::parse::ast::{self, Name, Span};
use crate::session::context::StatementContext;

/// What a name means.
pub enum Variable {
    Value {
        slot: u64,
        ty: Type,
    },
    /// An anonymous record by its fields.
    Record(Vec<(String, Type, u64)>),
}

/// The variables that a statement may name.
pub trait Variables: Send + Sync {
    /// What the parts of a name mean; `$1` is the only part of a numbered one. With `strict`, nothing else has the name: then a record that
    /// lacks the field is an error.
    fn named(&self, parts: &[&str], strict: bool) -> Result<Option<Variable>>;
}

/// A statement over variables, whose parameters are the values of these slots.
pub struct WithVariables {
    pub bound: BoundStatement,
    pub slots: Vec<u64>,
}

/// The variables in sight, and the slots of those that were named.
pub(super) struct Named<'a> {
    variables: &'a dyn Variables,
    slots: Vec<u64>,
}

/// Binds a statement that may name variables. With a target, its only column becomes that type.
pub fn bind_with_variables(
    statement: &ast::Statement,
    sql: &str,
    variables: &dyn Variables,
    target: Option<Type>,
    context: &StatementContext,
) -> Result<WithVariables> {
    let mut binder = Binder::new(sql, context, Parameters::inferred(&[]));
    binder.variables = Some(Named { variables, slots: Vec::new() });
    let (mut statement, mut columns) = binder.statement(statement)?;
    if let (Some(target), Statement::Query(query), Some([column])) = (target, &mut statement, columns.as_deref_mut())
        && column.ty != target
    {
        match plain_targets(query) {
            Some(targets) => {
                let converted: Result<Vec<Expr>> =
                    std::mem::take(targets).into_iter().map(|expr| binder.convert(expr, target)).collect();
                *targets = converted?;
                column.ty = target;
                query.columns.clone_from(&vec![column.clone()]);
            }
            None => {
                let inner = std::mem::replace(query, Query::empty());
                *query = binder.converted_rows(inner, target)?;
                column.ty = target;
            }
        }
    }
    let parameters = binder.parameters.finish()?;
    let slots = binder.variables.take().map(|named| named.slots).unwrap_or_default();
    Ok(WithVariables { bound: binder.finish(statement, columns, parameters)?, slots })
}

/// Binds CALL whose arguments may name variables.
pub fn bind_call_with_variables(
    call: &ast::Call,
    span: Span,
    variables: &dyn Variables,
    context: &StatementContext,
) -> Result<(super::BoundCall, Vec<u64>)> {
    let mut binder = Binder::new("", context, Parameters::inferred(&[]));
    binder.variables = Some(Named { variables, slots: Vec::new() });
    binder.levels.push(Level::new(Clause::Call));
    let bound = binder.procedure_call(call, span)?;
    let slots = binder.variables.take().map(|named| named.slots).unwrap_or_default();
    Ok((bound, slots))
}

/// Binds `variable[…].… := value`, as the new value of the whole variable.
pub fn bind_store(
    (slot, ty): (u64, Type),
    written: &ast::AssignTarget,
    value: &ast::Expr,
    variables: &dyn Variables,
    context: &StatementContext,
) -> Result<WithVariables> {
    let mut binder = Binder::new("", context, Parameters::inferred(&[]));
    binder.variables = Some(Named { variables, slots: Vec::new() });
    binder.levels.push(Level::new(Clause::Target));
    let column = Column::new(&written.column.name, 1, ty);
    let target = binder.target_in(&column, written)?;
    let old = assign::unverified(binder.slot(slot, ty, Span::default()));
    let value = binder.expr(value)?;
    let value = binder.assign_to(value, &target)?;
    let stored = binder.stored_in(old, &target, value)?;
    let stored = binder.convert(stored, ty)?;
    let columns = vec![OutputColumn { name: written.column.name.clone(), ty, origin: None }];
    let mut bound = bound_query(Query::one_row(vec![stored], columns));
    bound.parameters = binder.parameters.finish()?;
    let slots = binder.variables.take().map(|named| named.slots).unwrap_or_default();
    Ok(WithVariables { bound, slots })
}

impl Binder<'_> {
    /// The parameter that a variable's slot is.
    fn slot(&mut self, slot: u64, ty: Type, span: Span) -> Expr {
        let mut number = 0;
        if let Some(named) = &mut self.variables {
            number = named.slots.iter().position(|known| *known == slot).unwrap_or_else(|| {
                named.slots.push(slot);
                named.slots.len() - 1
            });
        }
        self.parameters.declare(number, ty.oid);
        Expr { kind: ExprKind::Parameter(number as u32 + 1), ty, span }
    }

    /// A variable by its name, where no column has it.
    pub(super) fn variable_named(&mut self, name: &Name) -> Result<Option<Expr>> {
        self.variable(name, true)
    }

    fn variable(&mut self, name: &Name, strict: bool) -> Result<Option<Expr>> {
        let Some(named) = &self.variables else { return Ok(None) };
        let parts: Vec<&str> = name.parts.iter().map(|part| part.name.as_str()).collect();
        let found = named.variables.named(&parts, strict).map_err(|error| error.at(name.span.start))?;
        Ok(found.map(|variable| self.variable_value(variable, name.span)))
    }

    fn variable_value(&mut self, variable: Variable, span: Span) -> Expr {
        match variable {
            Variable::Value { slot, ty } => self.slot(slot, ty, span),
            Variable::Record(fields) => {
                let names = fields.iter().map(|(name, _, _)| name.clone()).collect();
                let fields = fields.into_iter().map(|(_, ty, slot)| self.slot(slot, ty, span)).collect();
                let ty = Type::of(aegis_catalog::types::oid::RECORD);
                Expr { kind: ExprKind::NamedRow { names, fields }, ty, span }
            }
        }
    }

    /// `$n` in a statement that may name variables; None if there are none at all.
    pub(super) fn numbered_variable(&mut self, number: u32, span: Span) -> Result<Option<Expr>> {
        let Some(named) = &self.variables else { return Ok(None) };
        match named.variables.named(&[&format!("${number}")], true)? {
            Some(variable) => Ok(Some(self.variable_value(variable, span))),
            None => {
                let message = format!("there is no parameter ${number}");
                Err(Error::new(sqlstate::UNDEFINED_PARAMETER, message).at(span.start))
            }
        }
    }

    /// 42702 for a column that has the name of a variable.
    pub(super) fn refuse_ambiguous(&self, name: &Name) -> Result<()> {
        let Some(named) = &self.variables else { return Ok(()) };
        let parts: Vec<&str> = name.parts.iter().map(|part| part.name.as_str()).collect();
        if named.variables.named(&parts, false)?.is_none() {
            return Ok(());
        }
        let message = format!("column reference \"{}\" is ambiguous", parts.join("."));
        Err(Error::new(sqlstate::AMBIGUOUS_COLUMN, message)
            .with_detail("It could refer to either a PL/pgSQL variable or a table column.")
            .at(name.span.start))
    }

    /// As an assignment converts; by way of text if there is no such cast.
    fn convert(&mut self, expr: Expr, target: Type) -> Result<Expr> {
        if expr.ty == target {
            return Ok(expr);
        }
        let record = target.oid == aegis_catalog::types::oid::RECORD;
        if record || self.can_coerce(&[expr.ty.oid], &[target.oid], Context::Assignment) {
            let (from, to) = (self.oid_name(expr.ty.oid), self.oid_name(target.oid));
            let converted = self.coerce_to_target(expr, target, Context::Assignment, true)?;
            return converted
                .ok_or_else(|| Error::new(sqlstate::CANNOT_COERCE, format!("cannot cast type {from} to {to}")));
        }
        let text = self.explicit_cast(expr, Type::of(aegis_catalog::types::oid::TEXT), Span::default())?;
        self.explicit_cast(text, target, Span::default())
    }

    fn converted_rows(&mut self, inner: super::tree::Query, target: Type) -> Result<super::tree::Query> {
        let rel = self.new_rel(super::RelSource::Internal);
        let column = inner.columns.first().cloned().ok_or_else(|| Error::internal("a query without columns"))?;
        let value = Expr { kind: ExprKind::Column { rel, column: 0 }, ty: column.ty, span: Span::default() };
        let value = self.convert(value, target)?;
        let from = super::tree::From::Subquery { rel, query: Box::new(inner), lateral: false, view: None, alias: None };
        Ok(super::tree::Query::select(from, vec![value], vec![OutputColumn { ty: target, ..column }]))
    }
}
