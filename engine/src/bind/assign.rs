//! Assignment to a column, or to fields and elements of its value (PostgreSQL's transformAssignmentIndirection).

use aegis_catalog::object::{Column, Relation};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::Binder;
use super::coerce::{Context, null_of};
use super::tree::{CastMethod, Expr, ExprKind, Subscript};
use crate::parse::ast::{self, Span, TargetStep};

/// A column, or a part of it, that INSERT or UPDATE names.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) column: Column,
    pub(super) path: Vec<TargetStep>,
    pub(super) span: Span,
    /// The type of what is assigned to: of the column, field or element.
    pub(super) ty: Type,
}

impl Binder<'_> {
    /// What an assignment's left side means.
    pub(super) fn target(&self, table: &Relation, written: &ast::AssignTarget) -> Result<Target> {
        let column = self.target_column(table, written)?.clone();
        self.target_in(&column, written)
    }

    /// As [`Self::target`], of a column that is known.
    pub(super) fn target_in(&self, column: &Column, written: &ast::AssignTarget) -> Result<Target> {
        let span = written.column.span;
        let mut ty = column.ty;
        for step in &written.path {
            ty = self.step_type(column, ty, step, span)?;
        }
        Ok(Target { column: column.clone(), path: written.path.clone(), span, ty })
    }

    fn step_type(&self, column: &Column, ty: Type, step: &TargetStep, span: Span) -> Result<Type> {
        match step {
            TargetStep::Field(field) => self.target_field(column, ty, field).map(|(_, ty)| ty),
            TargetStep::Subscripts(subscripts) => {
                let base = self.base_type(ty);
                if base.oid == oid::JSONB {
                    return Ok(base);
                }
                let element = self.element_of(base.oid).ok_or_else(|| {
                    let name = self.oid_name(ty.oid);
                    let message = format!("cannot subscript type {name} because it does not support subscripting");
                    Error::new(sqlstate::DATATYPE_MISMATCH, message).at(span.start)
                })?;
                let is_slice = subscripts.iter().any(|subscript| matches!(subscript, ast::Subscript::Slice { .. }));
                Ok(if is_slice { base } else { Type::new(element, base.typmod) })
            }
        }
    }

    /// Position among the fields, and type.
    fn target_field(&self, column: &Column, ty: Type, field: &ast::Ident) -> Result<(usize, Type)> {
        let (name, shown) = (&field.name, self.oid_name(ty.oid));
        let assign = format!("cannot assign to field \"{name}\" of column \"{}\" because", column.name);
        let Some(relation) = self.relation_of_type(ty.oid) else {
            let message = format!("{assign} its type {shown} is not a composite type");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(field.span.start));
        };
        let mut fields = relation.live_columns().enumerate();
        let found = fields.find(|(_, field)| field.name == *name).map(|(index, field)| (index, field.ty));
        found.ok_or_else(|| {
            let message = format!("{assign} there is no such column in data type {shown}");
            Error::new(sqlstate::UNDEFINED_COLUMN, message).at(field.span.start)
        })
    }

    /// A value converted to what the target takes.
    pub(super) fn assign_to(&mut self, value: Expr, target: &Target) -> Result<Expr> {
        let Some(last) = target.path.last() else { return self.assign(value, &target.column) };
        let (from, span) = (value.ty, value.span);
        let converted = self.coerce_to_target(value, target.ty, Context::Assignment, true)?;
        converted.ok_or_else(|| {
            let (to, from) = (self.oid_name(target.ty.oid), self.oid_name(from.oid));
            let message = match last {
                TargetStep::Field(field) => {
                    format!("subfield \"{}\" is of type {to} but expression is of type {from}", field.name)
                }
                TargetStep::Subscripts(_) => format!(
                    "subscripted assignment to \"{}\" requires type {to} but expression is of type {from}",
                    target.column.name
                ),
            };
            Error::new(sqlstate::DATATYPE_MISMATCH, message)
                .with_hint("You will need to rewrite or cast the expression.")
                .at(span.start)
        })
    }

    /// The column's new value: `value`, which the target takes, or `old` with that in its place.
    pub(super) fn stored_in(&mut self, old: Expr, target: &Target, value: Expr) -> Result<Expr> {
        self.store(old, &target.column, &target.path, value)
    }

    /// What a column that has no value yet is changed from.
    pub(super) fn nothing(&self, column: &Column) -> Result<Expr> {
        let null = null_of(self.base_type(column.ty), Span::default(), &self.catalog)?;
        Ok(Expr { ty: column.ty, ..null })
    }

    fn store(&mut self, old: Expr, column: &Column, path: &[TargetStep], value: Expr) -> Result<Expr> {
        let Some((step, rest)) = path.split_first() else { return Ok(value) };
        let (ty, span) = (old.ty, value.span);
        let base = self.base_type(ty);
        let arg = Box::new(Expr { ty: base, ..old });
        let kind = match step {
            TargetStep::Field(field) => {
                let (index, field_type) = self.target_field(column, ty, field)?;
                let kind = ExprKind::Field { arg: arg.clone(), index };
                let value = self.store(Expr { kind, ty: field_type, span }, column, rest, value)?;
                ExprKind::FieldStore { arg, index, value: Box::new(value) }
            }
            TargetStep::Subscripts(subscripts) if base.oid == oid::JSONB => {
                let subscripts = self.json_path(subscripts, span)?;
                ExprKind::SubscriptStore { arg, subscripts, value: Box::new(value) }
            }
            TargetStep::Subscripts(subscripts) => {
                let bound: Vec<Subscript> =
                    subscripts.iter().map(|subscript| self.bound_subscript(subscript)).collect::<Result<_>>()?;
                let part_type = self.step_type(column, ty, step, span)?;
                let kind = ExprKind::Subscript { arg: arg.clone(), subscripts: bound.clone() };
                let value = self.store(Expr { kind, ty: part_type, span }, column, rest, value)?;
                ExprKind::SubscriptStore { arg, subscripts: bound, value: Box::new(value) }
            }
        };
        let stored = Expr { kind, ty: base, span };
        if base == ty { Ok(stored) } else { self.coerce(stored, ty, Context::Assignment, true) }
    }

    /// Subscripts of a jsonb value: positions are integers, all others text.
    fn json_path(&mut self, subscripts: &[ast::Subscript], span: Span) -> Result<Vec<Subscript>> {
        let mut path = Vec::with_capacity(subscripts.len());
        for subscript in subscripts {
            let ast::Subscript::Index(step) = subscript else {
                let message = "jsonb subscript does not support slices";
                return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(span.start));
            };
            let step = self.expr(step)?;
            let is_position =
                step.ty.oid != oid::UNKNOWN && self.can_coerce(&[step.ty.oid], &[oid::INT4], Context::Implicit);
            let target = Type::of(if is_position { oid::INT4 } else { oid::TEXT });
            let (from, at) = (step.ty.oid, step.span);
            let step = self.coerce_to_target(step, target, Context::Implicit, true)?.ok_or_else(|| {
                let message = format!("subscript type {} is not supported", self.oid_name(from));
                Error::new(sqlstate::DATATYPE_MISMATCH, message)
                    .with_hint("jsonb subscript must be coercible to either integer or text.")
                    .at(at.start)
            })?;
            path.push(Subscript::Index(step));
        }
        Ok(path)
    }
}

/// A value of a domain to which more is assigned: it is checked when all parts are there.
pub(super) fn unverified(value: Expr) -> Expr {
    match value.kind {
        ExprKind::Cast { arg, method: CastMethod::Verify(_), .. } => Expr { ty: value.ty, ..*arg },
        _ => value,
    }
}
