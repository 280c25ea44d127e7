//! Conversions between types (PostgreSQL's parse_coerce.c; manual chapter 10 and `CREATE CAST`).

use aegis_catalog::extension_facts;
use aegis_catalog::facts::{self, CastContext, CastMethod as FactMethod};
use aegis_catalog::image::Catalog;
use aegis_catalog::types::{self, oid};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;

use super::Binder;
use super::tree::{CastMethod, Expr, ExprKind};
use super::types::{STRING, is_polymorphic};
use crate::parse::ast::Span;

/// What a place allows to convert without being asked; each one includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Context {
    Implicit,
    Assignment,
    Explicit,
}

/// How one type becomes another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    Relabel,
    Function(Oid),
    InputOutput,
    Array,
}

impl Context {
    fn allows(self, cast: CastContext) -> bool {
        match cast {
            CastContext::Implicit => true,
            CastContext::Assignment => self >= Self::Assignment,
            CastContext::Explicit => self == Self::Explicit,
        }
    }
}

impl Binder<'_> {
    pub(super) fn can_coerce(&self, from: &[Oid], to: &[Oid], context: Context) -> bool {
        let mut generic = false;
        for (&source, &target) in from.iter().zip(to) {
            if source == target || target == oid::ANY {
                continue;
            }
            if is_polymorphic(target) {
                generic = true;
                continue;
            }
            let possible = source == oid::UNKNOWN
                || self.coercion_path(target, source, context).is_some()
                || (source == oid::RECORD && self.is_composite(target))
                || (target == oid::RECORD && self.is_composite(source));
            if !possible {
                return false;
            }
        }
        !generic || self.generic_types_consistent(from, to)
    }

    pub(super) fn coercion_path(&self, target: Oid, source: Oid, context: Context) -> Option<Path> {
        let (target, source) = (self.base(target), self.base(source));
        if source == target {
            return Some(Path::Relabel);
        }
        if let Some(cast) = facts::casts_from_to(source, target) {
            if !context.allows(cast.context) {
                return None;
            }
            return Some(match cast.method {
                FactMethod::Function => Path::Function(cast.function),
                FactMethod::InOut => Path::InputOutput,
                FactMethod::Binary => Path::Relabel,
            });
        }
        if let Some(cast) = extension_facts::cast(source, target) {
            if !context.allows(cast.row.context) {
                return None;
            }
            return match cast.function {
                None => Some(Path::Relabel),
                Some(name) => self.catalog.extension_function(cast.owner, name, &[source]).map(Path::Function),
            };
        }
        if context == Context::Explicit
            && let Some(range) = types::range::multirange_type(target, &*self.catalog)
            && range.range == source
        {
            return self.multirange_constructor(&range).map(Path::Function);
        }
        if target != oid::OIDVECTOR
            && target != oid::INT2VECTOR
            && let (Some(target), Some(source)) = (self.element_of(target), self.element_of(source))
            && self.coercion_path(target, source, context).is_some()
        {
            return Some(Path::Array);
        }
        let to_string = context >= Context::Assignment && self.category(target).0 == STRING;
        let from_string = context >= Context::Explicit && self.category(source).0 == STRING;
        (to_string || from_string).then_some(Path::InputOutput)
    }

    /// The function that makes a user's multirange of one range: the cast between the two.
    fn multirange_constructor(&self, range: &types::range::RangeType) -> Option<Oid> {
        let fits = |row: &facts::FunctionRow| row.return_type == range.multirange && row.arg_types == [range.range];
        let mut made = self.catalog.routines().filter(|routine| routine.is_range_constructor());
        made.find(|routine| fits(&routine.row)).map(|routine| routine.row.oid)
    }

    /// `coerce_type`: the expression as `target`, which [`can_coerce`](Self::can_coerce) has allowed. The modifier only guides input of
    /// literals and conversions that need it; lengths are enforced by [`coerce_to_target`](Self::coerce_to_target).
    pub(super) fn coerce(&mut self, expr: Expr, target: Type, context: Context, implicit: bool) -> Result<Expr> {
        let source = expr.ty.oid;
        if source == target.oid
            || matches!(
                target.oid,
                oid::ANY | oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY
            )
            || (is_polymorphic(target.oid) && source != oid::UNKNOWN)
        {
            return Ok(expr);
        }
        if self.is_domain(target.oid) {
            return self.coerce_to_domain(expr, target, context, implicit);
        }
        let (expr, source) = match self.is_domain(source) {
            true => {
                let (base, span) = (self.base_type(expr.ty), expr.span);
                (cast(expr, base, CastMethod::Relabel, true, span), base.oid)
            }
            false => (expr, source),
        };
        if source == target.oid {
            return Ok(expr);
        }
        if source == oid::UNKNOWN {
            match expr.kind {
                ExprKind::Constant(value) => {
                    let literal = self.literal_as(&value, target, expr.span)?;
                    return Ok(self.verified(literal, target));
                }
                ExprKind::Parameter(number) => {
                    let parameter = self.decide_parameter(number, target.oid, expr.span)?;
                    return Ok(self.verified(parameter, target));
                }
                _ => {}
            }
            // An expression of type unknown that is no literal holds text.
            let span = expr.span;
            let method = if target.oid == oid::TEXT { CastMethod::Relabel } else { CastMethod::InputOutput };
            let cast = cast(expr, Type::of(target.oid), method, implicit, span);
            return Ok(self.verified(cast, target));
        }
        if let Some(array) = self.array_over_base(target)
            && array.oid != source
            && self.coercion_path(target.oid, source, context) == Some(Path::Array)
            && let Some(array) = self.coerce_to_target(expr.clone(), array, context, implicit)?
        {
            let span = array.span;
            return Ok(cast(array, target, CastMethod::Verify(target), implicit, span));
        }
        if let Some(path) = self.coercion_path(target.oid, source, context) {
            return self.apply_path(expr, target, path, context, implicit);
        }
        if source == oid::RECORD && self.is_composite(target.oid) {
            return self.record_to_composite(expr, target, context, implicit);
        }
        if target.oid == oid::RECORD && self.is_composite(source) {
            let span = expr.span;
            return Ok(cast(expr, target, CastMethod::Relabel, implicit, span));
        }
        let (from, to) = (self.oid_name(source), self.oid_name(target.oid));
        Err(Error::internal(format!("failed to find conversion function from {from} to {to}")).at(expr.span.start))
    }

    fn apply_path(&mut self, expr: Expr, target: Type, path: Path, context: Context, implicit: bool) -> Result<Expr> {
        let span = expr.span;
        let source = expr.ty.oid;
        let method = self.cast_method(target.oid, source, path, context)?;
        let typmod = match &method {
            CastMethod::Function(function) if function.args.len() > 1 => target.typmod,
            _ => -1,
        };
        let is_relabel = method == CastMethod::Relabel;
        let cast = cast(expr, Type::new(target.oid, typmod), method, implicit, span);
        Ok(if is_relabel { cast } else { self.verified(cast, target) })
    }

    /// `coerce_to_domain`: a value of the base type, which must meet the domain's constraints.
    fn coerce_to_domain(&mut self, expr: Expr, target: Type, context: Context, implicit: bool) -> Result<Expr> {
        let base = self.base_type(target);
        let span = expr.span;
        let arg = match expr.kind {
            ExprKind::Parameter(number) if expr.ty.oid == oid::UNKNOWN => {
                self.decide_parameter(number, target.oid, span)?
            }
            _ => {
                let (from, to) = (self.oid_name(expr.ty.oid), self.oid_name(target.oid));
                // A written cast cuts what is too long; only then does the step to the base type show.
                let implicit = base.typmod < 0 || context != Context::Explicit;
                let converted = self.coerce_to_target(expr, base, context, implicit)?;
                converted.ok_or_else(|| Error::internal(format!("no way from {from} to {to}")).at(span.start))?
            }
        };
        Ok(cast(arg, Type::of(target.oid), CastMethod::Verify(Type::of(target.oid)), implicit, span))
    }

    /// For an array over a domain: the array over its base type, with the modifier of that.
    fn array_over_base(&self, array: Type) -> Option<Type> {
        let element = self.element_of(array.oid).filter(|&element| self.is_domain(element))?;
        let base = self.base_type(Type::of(element));
        self.array_of(base.oid).map(|array| Type::new(array, base.typmod))
    }

    /// A value of a type that has domains as parts: they are verified.
    pub(super) fn verified(&self, expr: Expr, target: Type) -> Expr {
        if !self.has_domains(target.oid) {
            return expr;
        }
        let (ty, span) = (expr.ty, expr.span);
        cast(expr, ty, CastMethod::Verify(Type::of(target.oid)), true, span)
    }

    fn cast_method(&self, target: Oid, source: Oid, path: Path, context: Context) -> Result<CastMethod> {
        Ok(match path {
            Path::Relabel => CastMethod::Relabel,
            Path::InputOutput => CastMethod::InputOutput,
            Path::Function(function) => CastMethod::Function(self.function(function)?),
            Path::Array => {
                let (Some(target), Some(source)) = (self.element_of(target), self.element_of(source)) else {
                    return Err(Error::internal("array coercion of something that is no array"));
                };
                let path = self.coercion_path(target, source, context);
                let path = path.ok_or_else(|| Error::internal("no coercion path for array elements"))?;
                CastMethod::Array(Box::new(self.cast_method(target, source, path, context)?))
            }
        })
    }

    /// `coerce_type_typmod`: enforces a length or precision.
    pub(super) fn apply_typmod(&mut self, expr: Expr, target: Type, implicit: bool) -> Result<Expr> {
        if target.typmod == expr.ty.typmod {
            return Ok(expr);
        }
        let span = expr.span;
        if target.typmod < 0 {
            return Ok(cast(expr, target, CastMethod::Relabel, implicit, span));
        }
        let element = self.element_of(target.oid).filter(|_| types::is_array(target.oid));
        if self.is_domain(target.oid) {
            return Ok(expr);
        }
        let base = element.unwrap_or(target.oid);
        let method = match facts::casts_from_to(base, base) {
            Some(row) if row.function != 0 => CastMethod::Function(self.function(row.function)?),
            _ => CastMethod::Relabel,
        };
        let method = match (element, method) {
            (Some(_), method @ CastMethod::Function(_)) => CastMethod::Array(Box::new(method)),
            (_, method) => method,
        };
        Ok(cast(expr, target, method, implicit, span))
    }

    /// `coerce_to_target_type`: type and modifier, or None if there is no way in this context.
    pub(super) fn coerce_to_target(
        &mut self,
        expr: Expr,
        target: Type,
        context: Context,
        implicit: bool,
    ) -> Result<Option<Expr>> {
        if !self.can_coerce(&[expr.ty.oid], &[target.oid], context) {
            return Ok(None);
        }
        let converts = expr.ty.oid != target.oid;
        let mut expr = self.coerce(expr, target, context, implicit)?;
        // Of the two steps of one written cast, only the last one shows.
        if converts
            && target.typmod != expr.ty.typmod
            && let ExprKind::Cast { implicit, .. } = &mut expr.kind
        {
            *implicit = true;
        }
        self.apply_typmod(expr, target, implicit).map(Some)
    }

    /// A literal of unknown type as a value of `target`, by that type's input function.
    fn literal_as(&mut self, value: &ScalarValue, target: Type, span: Span) -> Result<Expr> {
        // Only interval's input needs its modifier; the others check lengths afterwards, as an explicit cast cuts and an implicit fails.
        let input = if target.oid == oid::INTERVAL { target } else { Type::of(target.oid) };
        let text = match value {
            ScalarValue::Utf8View(Some(text)) => text,
            _ => return null_of(input, span, &self.catalog),
        };
        let parsed = types::parse_scalar(input, text, &self.context.format)
            .and_then(|array| {
                ScalarValue::try_from_array(&array, 0).map_err(|error| Error::internal(error.to_string()))
            })
            .map_err(|error| error.at(span.start))?;
        if let (oid::REGCLASS, ScalarValue::UInt32(Some(relation))) = (target.oid, &parsed)
            && *relation != 0
        {
            self.named.insert(*relation);
        }
        Ok(Expr { kind: ExprKind::Constant(parsed), ty: input, span })
    }

    fn record_to_composite(&mut self, expr: Expr, target: Type, context: Context, implicit: bool) -> Result<Expr> {
        let span = expr.span;
        let to = self.oid_name(target.oid);
        let refuse = |detail: String| {
            let message = format!("cannot cast type record to {to}");
            Error::new(sqlstate::CANNOT_COERCE, message).with_detail(detail).at(span.start)
        };
        let relation = self.relation_of_type(target.oid).ok_or_else(|| Error::internal("no composite type"))?;
        if let ExprKind::NullExtended { row, present } = expr.kind {
            let row = Box::new(self.record_to_composite(*row, target, context, implicit)?);
            return Ok(Expr { kind: ExprKind::NullExtended { row, present }, ty: target, span });
        }
        let (ExprKind::Row(fields) | ExprKind::NamedRow { fields, .. }) = expr.kind else {
            return Err(Error::new(sqlstate::CANNOT_COERCE, format!("cannot cast type record to {to}")).at(span.start));
        };
        let columns: Vec<_> = relation.live_columns().collect();
        if fields.len() < columns.len() {
            return Err(refuse("Input has too few columns.".into()));
        }
        if fields.len() > columns.len() {
            return Err(refuse("Input has too many columns.".into()));
        }
        let mut converted = Vec::with_capacity(fields.len());
        for (position, (field, column)) in fields.into_iter().zip(columns).enumerate() {
            let from = field.ty;
            match self.coerce_to_target(field, column.ty, context, implicit)? {
                Some(field) => converted.push(field),
                None => {
                    let (from, to) = (self.type_name(from), self.type_name(column.ty));
                    let detail = format!("Cannot cast type {from} to {to} in column {}.", position + 1);
                    return Err(refuse(detail));
                }
            }
        }
        Ok(Expr { kind: ExprKind::Row(converted), ty: target, span })
    }

    /// `coerce_to_boolean`: what WHERE, AND, CASE WHEN … need. `place` is the construct's name in messages.
    pub(super) fn coerce_to_boolean(&mut self, expr: Expr, place: &str) -> Result<Expr> {
        self.coerce_to_specific(expr, oid::BOOL, place)
    }

    pub(super) fn coerce_to_specific(&mut self, expr: Expr, target: Oid, place: &str) -> Result<Expr> {
        let (ty, span) = (expr.ty, expr.span);
        if ty.oid == target {
            return Ok(expr);
        }
        let (from, to) = (self.type_name(Type::of(ty.oid)), self.oid_name(target));
        let expr = self.coerce_to_target(expr, Type::of(target), Context::Assignment, true)?;
        expr.ok_or_else(|| {
            let message = format!("argument of {place} must be type {to}, not type {from}");
            Error::new(sqlstate::DATATYPE_MISMATCH, message).at(span.start)
        })
    }

    /// A literal or parameter that nothing gave a type is text.
    pub(super) fn resolve_unknown(&mut self, expr: Expr) -> Result<Expr> {
        if expr.ty.oid == oid::UNKNOWN {
            return self.coerce(expr, Type::of(oid::TEXT), Context::Implicit, true);
        }
        Ok(expr)
    }

    /// An explicit cast, `CAST(x AS t)`.
    pub(super) fn explicit_cast(&mut self, expr: Expr, target: Type, span: Span) -> Result<Expr> {
        let (from, at) = (expr.ty, expr.span);
        match self.coerce_to_target(expr, target, Context::Explicit, false)? {
            Some(mut expr) => {
                if !matches!(expr.kind, ExprKind::Constant(_)) {
                    expr.span = span;
                }
                Ok(expr)
            }
            None => {
                let (from, to) = (self.oid_name(from.oid), self.oid_name(target.oid));
                let message = format!("cannot cast type {from} to {to}");
                Err(Error::new(sqlstate::CANNOT_COERCE, message).at(if span.end > 0 { span.start } else { at.start }))
            }
        }
    }
}

/// NULL of a type.
pub(super) fn null_of(ty: Type, span: Span, catalog: &Catalog) -> Result<Expr> {
    let value = ScalarValue::try_from(&catalog.arrow_type(ty)).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Expr { kind: ExprKind::Constant(value), ty, span })
}

pub(super) fn cast(arg: Expr, ty: Type, method: CastMethod, implicit: bool, span: Span) -> Expr {
    Expr { kind: ExprKind::Cast { arg: Box::new(arg), method, implicit }, ty, span }
}
