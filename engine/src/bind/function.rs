//! Function calls (PostgreSQL's parse_func.c; manual chapter 10, "Functions").

use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::Binder;
use super::argument::{CallShape, Overload};
use super::coerce::{Context, Path};
use super::tree::{CallForm, Expr, ExprKind, OutputColumn, SetCall};
use super::types::STRING;
use crate::functions::{Body, Function};
use crate::parse::ast::{self, Name, Span};

/// `pg_proc.oid`.
const PG_TYPEOF: Oid = 1619;

/// A call whose function is chosen and whose arguments are converted and complete.
pub(super) struct Resolved {
    pub(super) function: Arc<Function>,
    pub(super) args: Vec<Expr>,
    pub(super) variadic: bool,
    pub(super) ty: Type,
    /// Columns of a row if the function returns several.
    pub(super) columns: Vec<(String, Type)>,
    pub(super) kind: char,
    /// How the arguments are written, if not all in order.
    pub(super) written: Option<Vec<(usize, Option<String>)>>,
}

enum Choice {
    Function(Overload),
    /// `int4('1')`: a cast in function's clothes.
    Cast(Oid),
}

impl Binder<'_> {
    /// Any call in an expression: plain, aggregate, window or set-returning.
    pub(super) fn call(&mut self, call: &ast::Call, span: Span) -> Result<Expr> {
        if call.ignore_nulls {
            return Err(Error::unsupported("IGNORE NULLS").at(span.start));
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            self.call_argument(&arg.value, &mut args)?;
        }
        // Parameters of type void stand for what a function gives back (pgjdbc's escape for calls), and are no arguments.
        args.retain(|arg| !(arg.ty.oid == oid::VOID && matches!(arg.kind, ExprKind::Parameter { .. })));
        if call.within_group.is_some() {
            return self.ordered_set_call(call, args, span);
        }
        let is_plain = is_plain(call);
        match self.choose_function(call, &args, span) {
            Ok(Choice::Cast(target)) => {
                let arg = args.pop().ok_or_else(|| Error::internal("cast without an argument"))?;
                self.refuse_decorations(call, span)?;
                self.explicit_cast(arg, Type::of(target), span)
            }
            Ok(Choice::Function(overload)) => {
                let resolved = self.resolve_overload(overload, args, call.variadic, span)?;
                match (&resolved.kind, &call.over) {
                    ('a', None) => self.aggregate_call(call, resolved, span),
                    ('a' | 'w', Some(_)) => self.window_call(call, resolved, span),
                    ('w', None) => {
                        let message = format!("window function {} requires an OVER clause", shown_name(&call.name));
                        Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start))
                    }
                    _ => {
                        self.refuse_decorations(call, span)?;
                        let form = if call.special { CallForm::Syntax } else { CallForm::Function };
                        self.finish_call(resolved, form, span)
                    }
                }
            }
            Err(error) => {
                // f(x) may also mean x.f.
                if is_plain
                    && let ([field], [arg]) = (call.name.parts.as_slice(), args.as_slice())
                    && let Some(field) = self.field_named(arg.clone(), &field.name, span)
                {
                    return Ok(field);
                }
                Err(error)
            }
        }
    }

    fn call_argument(&mut self, value: &ast::Expr, args: &mut Vec<Expr>) -> Result<()> {
        match &value.kind {
            ast::ExprKind::Star(Some(name)) => {
                // f(t.*) passes the whole row.
                let item = self.star_item(name)?;
                args.extend(self.whole_row(&item, value.span));
            }
            _ => args.push(self.expr(value)?),
        }
        Ok(())
    }

    /// A call of a function that the binder itself names.
    pub(super) fn call_named(&mut self, name: &str, args: Vec<Expr>, span: Span) -> Result<Expr> {
        self.call_as(name, args, CallForm::Function, span)
    }

    /// As [`call_named`](Self::call_named), where something else than the call is written.
    pub(super) fn call_as(&mut self, name: &str, args: Vec<Expr>, form: CallForm, span: Span) -> Result<Expr> {
        let part = ast::Ident { name: name.into(), span };
        let name = Name { parts: vec![part], span };
        let Choice::Function(overload) = self.choose(&name, &args, &[], false, span)? else {
            return Err(Error::internal("a cast where a function was meant"));
        };
        let resolved = self.resolve_overload(overload, args, false, span)?;
        self.finish_call(resolved, form, span)
    }

    /// `row.name` as the call `name(row)`, if there is such a function.
    pub(super) fn attribute_call(&mut self, name: &str, row: Expr, span: Span) -> Result<Option<Expr>> {
        let part = ast::Ident { name: name.into(), span };
        let name = Name { parts: vec![part], span };
        match self.choose(&name, std::slice::from_ref(&row), &[], false, span) {
            Ok(Choice::Function(overload)) if overload.signature.kind == 'f' => {
                let resolved = self.resolve_overload(overload, vec![row], false, span)?;
                self.finish_call(resolved, CallForm::Function, span).map(Some)
            }
            Ok(Choice::Cast(target)) => self.explicit_cast(row, Type::of(target), span).map(Some),
            _ => Ok(None),
        }
    }

    /// A scalar or set-returning call as an expression.
    fn finish_call(&mut self, resolved: Resolved, form: CallForm, span: Span) -> Result<Expr> {
        if resolved.function.returns_set {
            return self.set_call(resolved, span);
        }
        let Resolved { function, args, variadic, ty, written, .. } = resolved;
        self.collated |= function.name == "pg_collation_for";
        let form = match (written, form) {
            (Some(written), CallForm::Function) => CallForm::Arguments(written),
            (_, form) => form,
        };
        Ok(Expr { kind: ExprKind::Call { function, args, form, variadic }, ty, span })
    }

    fn choose_function(&mut self, call: &ast::Call, args: &[Expr], span: Span) -> Result<Choice> {
        let mut names = Vec::new();
        for arg in &call.args {
            match &arg.name {
                Some(name) if names.contains(&name.name.as_str()) => {
                    let message = format!("argument name \"{}\" used more than once", name.name);
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(name.span.start));
                }
                Some(name) => names.push(name.name.as_str()),
                None if !names.is_empty() => {
                    let message = "positional argument cannot follow named argument";
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(arg.value.span.start));
                }
                None => {}
            }
        }
        self.choose(&call.name, args, &names, call.variadic, span).map_err(|error| {
            let misplaced = error.code() == sqlstate::UNDEFINED_FUNCTION && !call.order_by.is_empty();
            if !misplaced {
                return error;
            }
            error.with_hint(
                "No aggregate function matches the given name and argument types. Perhaps you misplaced ORDER BY; ORDER BY must appear after all regular arguments of the aggregate.",
            )
        })
    }

    /// `func_get_detail`.
    fn choose(&self, name: &Name, args: &[Expr], names: &[&str], variadic: bool, span: Span) -> Result<Choice> {
        let (schema, function) = self.function_name(name)?;
        let actual: Vec<Oid> = args.iter().map(|arg| arg.ty.oid).collect();
        let shape = CallShape { names, count: args.len(), variadic, procedure: self.in_call };
        let mut overloads = self.overloads(schema, function, &shape);
        let ambiguous = || {
            let message = format!("function {} is not unique", self.call_signature(name, &actual, names));
            Error::new(sqlstate::AMBIGUOUS_FUNCTION, message)
                .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.")
                .at(span.start)
        };
        if let Some(exact) = overloads.iter().position(|overload| overload.args == actual) {
            let exact = overloads.swap_remove(exact);
            if exact.ambiguous {
                return Err(ambiguous());
            }
            self.check_kind(&exact, name, &actual, names, span)?;
            return Ok(Choice::Function(exact));
        }
        if let ([actual], [], false) = (actual.as_slice(), names, variadic)
            && let Some(target) = self.cast_named(name, *actual)?
        {
            return Ok(Choice::Cast(target));
        }
        let mut fitting = self.matching(&actual, overloads);
        let failed = match fitting.len() {
            0 => Error::new(
                sqlstate::UNDEFINED_FUNCTION,
                format!("function {} does not exist", self.call_signature(name, &actual, names)),
            )
            .with_hint(
                "No function matches the given name and argument types. You might need to add explicit type casts.",
            ),
            1 => {
                let only = fitting.pop().ok_or_else(|| Error::internal("no function"))?;
                if only.ambiguous {
                    return Err(ambiguous());
                }
                self.check_kind(&only, name, &actual, names, span)?;
                return Ok(Choice::Function(only));
            }
            _ => match self.best_candidate(&actual, fitting) {
                Some(best) if best.ambiguous => ambiguous(),
                Some(best) => {
                    self.check_kind(&best, name, &actual, names, span)?;
                    return Ok(Choice::Function(best));
                }
                None => ambiguous(),
            },
        };
        Err(failed.at(span.start))
    }

    /// The function of a name that arguments of these types mean (`func_get_detail` with types alone), and what it declares for each.
    pub(super) fn overload_for(&self, name: &Name, types: &[Oid], variadic: bool) -> Result<(Oid, Vec<Oid>)> {
        let arg = |&ty: &Oid| Expr { kind: ExprKind::Default, ty: Type::of(ty), span: Span::default() };
        let args: Vec<Expr> = types.iter().map(arg).collect();
        let chosen = self.choose(name, &args, &[], variadic, name.span);
        // Where a name stands is told only in expressions.
        match chosen.map_err(Error::without_position)? {
            Choice::Function(overload) if matches!(overload.signature.kind, 'f') => {
                Ok((overload.signature.oid, overload.args))
            }
            _ => {
                let message = format!("function {} does not exist", self.signature_shown(name, types));
                Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message))
            }
        }
    }

    /// `name(type, type)`.
    pub(super) fn signature_shown(&self, name: &Name, types: &[Oid]) -> String {
        self.call_signature(name, types, &[])
    }

    fn function_name<'n>(&self, name: &'n Name) -> Result<(Option<&'n str>, &'n str)> {
        let Some((schema, function)) = self.relation_parts(&name.parts)? else {
            let message = format!("improper qualified name (too many dotted names): {}", shown_name(name));
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(name.span.start));
        };
        if let Some(schema) = schema
            && self.catalog.resolve_schema(schema, &self.search_path).is_none()
        {
            let message = format!("schema \"{schema}\" does not exist");
            return Err(Error::new(sqlstate::UNDEFINED_SCHEMA, message).at(name.span.start));
        }
        Ok((schema, &function.name))
    }

    /// The type if `name(arg)` is a cast that needs no function: `text(1)` has one, `int8('7')` not.
    fn cast_named(&self, name: &Name, source: Oid) -> Result<Option<Oid>> {
        let Some(target) = self.type_by_parts(name)?.filter(|&ty| !self.is_composite(ty)) else { return Ok(None) };
        let is_cast = source == oid::UNKNOWN
            || match self.coercion_path(target, source, Context::Explicit) {
                Some(Path::Relabel) => true,
                Some(Path::InputOutput) => {
                    let row = source == oid::RECORD || self.is_composite(source);
                    !(row && self.category(target).0 == STRING)
                }
                _ => false,
            };
        Ok(is_cast.then_some(target))
    }

    /// Converts and completes the arguments of the chosen overload and decides the result's type.
    pub(super) fn resolve_overload(
        &mut self,
        overload: Overload,
        args: Vec<Expr>,
        variadic: bool,
        span: Span,
    ) -> Result<Resolved> {
        let signature = &overload.signature;
        let function = self.function(signature.oid)?;
        let defaults = self.defaults_of(&overload, &function)?;
        let actual: Vec<Oid> =
            args.iter().chain(defaults.iter().map(|(_, default)| default)).map(|arg| arg.ty.oid).collect();
        let all: Vec<Oid> = overload
            .args
            .iter()
            .copied()
            .chain(defaults.iter().map(|(position, _)| self.parameter_type(&overload, *position)))
            .collect();
        let mut declared = all.clone();
        let result = self.resolve_generic(&actual, &mut declared, signature.returns, span)?;
        if variadic
            && let (Some(&oid::ANY), Some(last)) = (overload.args.last(), args.last())
            && self.element_of(last.ty.oid).is_none()
        {
            let message = "VARIADIC argument must be an array";
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(last.span.start));
        }
        if self.catalog.routine(signature.oid).is_some() || matches!(function.body, Body::Session(_)) {
            self.routines.insert(signature.oid);
        }
        let mut converted = Vec::with_capacity(args.len());
        let mut completed = Vec::with_capacity(defaults.len());
        let given = declared.len() - defaults.len();
        for ((position, default), &declared) in defaults.into_iter().zip(declared.iter().skip(given)) {
            completed.push((position, self.coerce(default, Type::of(declared), Context::Implicit, true)?));
        }
        for (arg, &declared) in args.into_iter().zip(&declared) {
            let arg = self.coerce(arg, Type::of(declared), Context::Implicit, true)?;
            // VARIADIC "any" and friends see literals as text.
            // pg_typeof alone tells that a literal has no type yet.
            let resolved = declared == oid::ANY && signature.oid != PG_TYPEOF;
            converted.push(if resolved { self.resolve_literal(arg)? } else { arg });
        }
        let written = overload.written();
        let args = self.arrange(&overload, converted, completed)?;
        let mut columns = Vec::with_capacity(function.out_columns.len());
        for (position, (name, ty)) in function.out_columns.iter().enumerate() {
            let mut declared = all.clone();
            let ty = self.resolve_generic(&actual, &mut declared, *ty, span)?;
            let name = if name.is_empty() { format!("column{}", position + 1) } else { name.clone() };
            columns.push((name, Type::of(ty)));
        }
        let kind = overload.signature.kind;
        let variadic = variadic && !overload.is_expanded();
        Ok(Resolved { function, args, variadic, ty: Type::of(result), columns, kind, written })
    }

    /// A set-returning call in a target list: it runs beside the others, and here is its output column.
    fn set_call(&mut self, resolved: Resolved, span: Span) -> Result<Expr> {
        let clause = self.clause();
        if !clause.allows_sets() {
            let message = format!("set-returning functions are not allowed in {}", clause.place());
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(span.start));
        }
        if let Some(construct) = self.level().conditional {
            let message = format!("set-returning functions are not allowed in {construct}");
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
                .with_hint("You might be able to move the set-returning function into a LATERAL FROM item.")
                .at(span.start));
        }
        let rel = self.level().sets_rel;
        let mut level = 0;
        for arg in &resolved.args {
            super::walk::columns(&mut arg.clone(), &mut |other, column| {
                if other == rel
                    && let Some((inner, _)) = self.level().sets.get(column)
                {
                    level = level.max(inner + 1);
                }
            });
        }
        let ty = resolved.ty;
        let column = self.level().sets.len();
        if !resolved.columns.is_empty() {
            self.shapes.insert((rel, column), resolved.columns.clone().into());
        }
        let call = set_call_of(resolved);
        self.level().sets.push((level, call));
        Ok(Expr { kind: ExprKind::Column { rel, column }, ty, span })
    }

    fn refuse_decorations(&self, call: &ast::Call, span: Span) -> Result<()> {
        let name = shown_name(&call.name);
        let message = if call.star {
            format!("{name}(*) specified, but {name} is not an aggregate function")
        } else if call.distinct {
            format!("DISTINCT specified, but {name} is not an aggregate function")
        } else if !call.order_by.is_empty() {
            format!("ORDER BY specified, but {name} is not an aggregate function")
        } else if call.filter.is_some() {
            format!("FILTER specified, but {name} is not an aggregate function")
        } else if call.over.is_some() {
            format!("OVER specified, but {name} is not a window function nor an aggregate function")
        } else {
            return Ok(());
        };
        Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start))
    }

    /// `name(type, arg => type)` for messages.
    fn call_signature(&self, name: &Name, actual: &[Oid], names: &[&str]) -> String {
        let positional = actual.len() - names.len().min(actual.len());
        let args: Vec<_> = actual
            .iter()
            .enumerate()
            .map(|(i, &ty)| match i.checked_sub(positional).and_then(|i| names.get(i)) {
                Some(name) => format!("{name} => {}", self.oid_name(ty)),
                None => self.oid_name(ty),
            })
            .collect();
        format!("{}({})", shown_name(name), args.join(", "))
    }

    /// CALL: the procedure with its input arguments.
    pub(super) fn procedure_call(&mut self, call: &ast::Call, span: Span) -> Result<super::BoundCall> {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            self.call_argument(&arg.value, &mut args)?;
        }
        self.in_call = true;
        let chosen = self.choose_function(call, &args, span);
        self.in_call = false;
        let chosen = chosen.map_err(|error| match error.code() {
            sqlstate::UNDEFINED_FUNCTION => {
                let message = error.message().replacen("function ", "procedure ", 1);
                Error::new(error.code(), message)
                    .with_hint("No procedure matches the given name and argument types. You might need to add explicit type casts.")
                    .at(span.start)
            }
            sqlstate::AMBIGUOUS_FUNCTION => {
                let message = error.message().replacen("function ", "procedure ", 1);
                Error::new(error.code(), message)
                    .with_hint("Could not choose a best candidate procedure. You might need to add explicit type casts.")
                    .at(span.start)
            }
            _ => error,
        })?;
        let Choice::Function(overload) = chosen else {
            let message = format!("{} is not a procedure", shown_name(&call.name));
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start));
        };
        let resolved = self.resolve_overload(overload, args, call.variadic, span)?;
        let Some(routine) = self.catalog.routine(resolved.function.oid).cloned() else {
            return Err(Error::unsupported("CALL of this procedure"));
        };
        let is_input = |position: usize| {
            let mode = routine.row.arg_modes.as_ref().and_then(|modes| modes.get(position));
            mode.is_none_or(|mode| matches!(mode, 'i' | 'b' | 'v'))
        };
        // The elements of a variadic argument are all inputs.
        let args = resolved.args.into_iter().enumerate();
        let inputs = args.filter(|(position, _)| is_input(*position)).map(|(_, arg)| arg).collect();
        Ok(super::BoundCall { function: resolved.function, inputs, variadic: resolved.variadic })
    }

    /// 42809 for a procedure in an expression, or anything else in CALL.
    fn check_kind(&self, overload: &Overload, name: &Name, actual: &[Oid], names: &[&str], span: Span) -> Result<()> {
        let procedure = overload.signature.kind == 'p';
        if procedure == self.in_call {
            return Ok(());
        }
        let shown = self.call_signature(name, actual, names);
        let (what, hint) = match procedure {
            true => ("is a procedure", "To call a procedure, use CALL."),
            false => ("is not a procedure", "To call a function, use SELECT."),
        };
        Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("{shown} {what}")).with_hint(hint).at(span.start))
    }

    /// The function for WITHIN GROUP: direct and ordered arguments are matched together.
    pub(super) fn choose_ordered_set(&mut self, call: &ast::Call, args: Vec<Expr>, span: Span) -> Result<Resolved> {
        match self.choose(&call.name, &args, &[], call.variadic, span)? {
            Choice::Function(overload) => self.resolve_overload(overload, args, call.variadic, span),
            Choice::Cast(_) => {
                let name = shown_name(&call.name);
                let message = format!("WITHIN GROUP specified, but {name} is not an aggregate function");
                Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start))
            }
        }
    }

    /// A call in FROM: its function may return rows; aggregates and window functions are refused.
    pub(super) fn from_call(&mut self, call: &ast::Call, span: Span) -> Result<Option<Resolved>> {
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            self.call_argument(&arg.value, &mut args)?;
        }
        let Choice::Function(overload) = self.choose_function(call, &args, span)? else { return Ok(None) };
        if matches!(overload.signature.kind, 'a' | 'w') || call.over.is_some() {
            let what = if overload.signature.kind == 'a' && call.over.is_none() { "aggregate" } else { "window" };
            let message = format!("{what} functions are not allowed in functions in FROM");
            let code = if what == "aggregate" { sqlstate::GROUPING_ERROR } else { sqlstate::WINDOWING_ERROR };
            return Err(Error::new(code, message).at(span.start));
        }
        self.refuse_decorations(call, span)?;
        self.resolve_overload(overload, args, call.variadic, span).map(Some)
    }
}

/// The call as FROM and SELECT run it.
pub(super) fn set_call_of(resolved: Resolved) -> SetCall {
    let columns = if resolved.columns.is_empty() {
        vec![OutputColumn { name: resolved.function.name.clone(), ty: resolved.ty, origin: None }]
    } else {
        let columns = resolved.columns.into_iter();
        columns.map(|(name, ty)| OutputColumn { name, ty, origin: None }).collect()
    };
    SetCall { function: resolved.function, args: resolved.args, variadic: resolved.variadic, columns }
}

fn is_plain(call: &ast::Call) -> bool {
    !call.star
        && !call.distinct
        && !call.variadic
        && call.order_by.is_empty()
        && call.filter.is_none()
        && call.over.is_none()
}

pub(super) fn shown_name(name: &Name) -> String {
    let parts: Vec<_> = name.parts.iter().map(|part| part.name.as_str()).collect();
    parts.join(".")
}
