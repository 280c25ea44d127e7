//! Aggregates that users make of functions (PostgreSQL's pg_aggregate.c and parse_agg.c): which functions fit, and their calls over the
//! state and the arguments of one row.

use std::sync::Arc;

use aegis_catalog::object::Routine;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;

use super::coerce::{Context, Path};
use super::parameter::Parameters;
use super::tree::{CallForm, Expr, ExprKind, RelId};
use super::{Binder, inline};
use crate::functions::{Body, Function};
use crate::parse::ast::{Name, Span};
use crate::session::context::StatementContext;

/// The columns that the steps read: the state, then the arguments.
pub const STEP: RelId = RelId(1 << 30);

/// A function that an aggregate may be made of.
#[derive(Debug, Clone)]
pub struct Support {
    pub oid: Oid,
    /// As it follows from the arguments, which may be polymorphic.
    pub returns: Oid,
    pub strict: bool,
}

/// One way of computing an aggregate.
#[derive(Debug)]
pub struct Steps {
    pub state: Type,
    pub initial: Option<Expr>,
    /// Over the state and the arguments.
    pub transition: Expr,
    pub strict: bool,
    /// Takes back what the transition did; and whether it is strict.
    pub inverse: Option<(Expr, bool)>,
    /// Over the state.
    pub finish: Option<Expr>,
}

/// Finds the function of that name for arguments of these types (`lookup_agg_function`).
pub fn support(name: &Name, types: &[Oid], variadic: bool, context: &StatementContext) -> Result<Support> {
    let binder = Binder::new("", context, Parameters::none());
    let (found, declared) = binder.overload_for(name, types, variadic)?;
    let row = context.catalog.proc(found).or_else(|| aegis_catalog::facts::proc(found));
    let row = row.ok_or_else(|| Error::internal("a function that is not there"))?;
    let shown = || binder.signature_shown(name, types);
    if row.returns_set {
        return Err(Error::new(sqlstate::DATATYPE_MISMATCH, format!("function {} returns a set", shown())));
    }
    let mut concrete = declared;
    let returns = binder.resolve_declared(types, &mut concrete, row.return_type)?;
    let coercible = types.iter().zip(&concrete).all(|(&from, &to)| binder.is_binary_coercible(from, to));
    if !coercible {
        let message = format!("function {} requires run-time type coercion", shown());
        return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
    }
    Ok(Support { oid: row.oid, returns, strict: row.strict })
}

/// Can a value of one type stand for the other as it is?
pub fn binary_coercible(from: Oid, to: Oid, context: &StatementContext) -> bool {
    Binder::new("", context, Parameters::none()).is_binary_coercible(from, to)
}

/// How an aggregate is computed over arguments of these types; the second for moving frames, if it has one.
pub fn steps(routine: &Routine, args: &[Type], context: &StatementContext) -> Result<(Steps, Option<Steps>)> {
    let definition = routine.aggregate.as_ref().ok_or_else(|| Error::internal("a function that is no aggregate"))?;
    let mut binder = Binder::new("", context, Parameters::none());
    let plain = Parts {
        state: definition.transition_type,
        initial: definition.initial.as_deref(),
        transition: definition.transition,
        inverse: 0,
        finish: definition.finish,
        extra: definition.finish_extra,
    };
    let moving = Parts {
        state: definition.moving_transition_type,
        initial: definition.moving_initial.as_deref(),
        transition: definition.moving_transition,
        inverse: definition.moving_inverse,
        finish: definition.moving_finish,
        extra: definition.moving_finish_extra,
    };
    let has_moving = moving.inverse != 0;
    let plain = binder.steps(routine, &plain, args)?;
    Ok((plain, if has_moving { Some(binder.steps(routine, &moving, args)?) } else { None }))
}

struct Parts<'a> {
    state: Oid,
    initial: Option<&'a str>,
    transition: Oid,
    inverse: Oid,
    finish: Oid,
    extra: bool,
}

fn column(position: usize, ty: Type) -> Expr {
    Expr { kind: ExprKind::Column { rel: STEP, column: position }, ty, span: Span::default() }
}

impl Binder<'_> {
    pub(super) fn is_binary_coercible(&self, from: Oid, to: Oid) -> bool {
        let array = matches!(to, oid::ANYARRAY | oid::ANYCOMPATIBLEARRAY) && self.element_of(from).is_some();
        from == to
            || matches!(to, oid::ANY | oid::ANYELEMENT | oid::ANYCOMPATIBLE)
            || array
            || self.coercion_path(to, from, Context::Implicit) == Some(Path::Relabel)
    }

    fn steps(&mut self, routine: &Routine, parts: &Parts<'_>, args: &[Type]) -> Result<Steps> {
        let actual: Vec<Oid> = args.iter().map(|arg| arg.oid).collect();
        let mut declared = routine.row.arg_types.clone();
        let state = self.resolve_generic(&actual, &mut declared, parts.state, Span::default())?;
        let state = Type::of(state);
        let initial = match parts.initial {
            Some(text) => {
                let kind = ExprKind::Constant(ScalarValue::Utf8View(Some(text.to_owned())));
                let literal = Expr { kind, ty: Type::of(oid::UNKNOWN), span: Span::default() };
                Some(self.coerce(literal, state, Context::Explicit, true)?)
            }
            None => None,
        };
        let columns: Vec<Expr> = (1..).zip(args).map(|(position, arg)| column(position, *arg)).collect();
        let row: Vec<Expr> = std::iter::once(column(0, state)).chain(columns.iter().cloned()).collect();
        let variadic = routine.row.variadic != 0;
        let (transition, strict) = self.step(parts.transition, row.clone(), variadic)?;
        let inverse = match parts.inverse {
            0 => None,
            inverse => Some(self.step(inverse, row.clone(), variadic)?),
        };
        let finish = match parts.finish {
            0 => None,
            finish => {
                let mut over = vec![column(0, state)];
                if parts.extra {
                    for arg in args {
                        over.push(super::coerce::null_of(*arg, Span::default(), &self.catalog)?);
                    }
                }
                Some(self.step(finish, over, false)?.0)
            }
        };
        Ok(Steps { state, initial, transition, strict, inverse, finish })
    }

    /// The call of a function, and whether it is strict.
    fn step(&mut self, function: Oid, args: Vec<Expr>, variadic: bool) -> Result<(Expr, bool)> {
        let function: Arc<Function> = self.function(function)?;
        let name = function.name.clone();
        if !matches!(function.body, Body::Scalar(_) | Body::Expression(_) | Body::Sql(_)) {
            return Err(Error::unsupported(format!("an aggregate over function {name}")));
        }
        let strict = function.strict;
        let actual: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let mut declared: Vec<Oid> = match self.catalog.proc(function.oid) {
            Some(row) => row.arg_types.clone(),
            None => function.args.clone(),
        };
        let result = self.resolve_generic(&actual, &mut declared, function.returns, Span::default())?;
        let args = args
            .into_iter()
            .zip(&declared)
            .map(|(arg, &declared)| self.coerce(arg, Type::of(declared), Context::Implicit, true));
        let args = args.collect::<Result<Vec<_>>>()?;
        let kind = ExprKind::Call { function, args, form: CallForm::Function, variadic };
        let mut expr = Expr { kind, ty: Type::of(result), span: Span::default() };
        if inline::expression(&mut expr, self.context)? {
            return Err(Error::unsupported(format!(
                "an aggregate over function {name}, which is no single expression"
            )));
        }
        Ok((expr, strict))
    }
}
