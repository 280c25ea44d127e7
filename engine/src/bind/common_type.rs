//! One type for several expressions: CASE, UNION, VALUES, ARRAY, IN … (manual, "UNION, CASE, and Related Constructs").

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::Binder;
use super::coerce::Context;
use super::tree::Expr;
use crate::parse::ast::Span;

impl Binder<'_> {
    /// `select_common_type`; 42804 with `place` in its text if the types do not go together.
    pub(super) fn common_type(&self, types: &[(Oid, Span)], place: &str) -> Result<Oid> {
        self.try_common_type(types).map_err(|(left, right, span)| {
            let (left, right) = (self.oid_name(left), self.oid_name(right));
            let message = format!("{place} types {left} and {right} cannot be matched");
            Error::new(sqlstate::DATATYPE_MISMATCH, message).at(span.start)
        })
    }

    /// The common type, or the two that clash and where the second stands.
    pub(super) fn try_common_type(&self, types: &[(Oid, Span)]) -> Result<Oid, (Oid, Oid, Span)> {
        let Some(&(first, _)) = types.first() else { return Ok(oid::TEXT) };
        // A domain counts as its base type, unless all are of it.
        if first != oid::UNKNOWN && types.iter().all(|&(ty, _)| ty == first) {
            return Ok(first);
        }
        let first = self.base(first);
        let mut chosen = first;
        let (mut category, mut preferred) = self.category(first);
        for &(next, span) in types.iter().skip(1) {
            let next = self.base(next);
            if next == oid::UNKNOWN || next == chosen {
                continue;
            }
            let (next_category, next_preferred) = self.category(next);
            if chosen == oid::UNKNOWN {
                (chosen, category, preferred) = (next, next_category, next_preferred);
            } else if next_category != category {
                return Err((chosen, next, span));
            } else if !preferred
                && self.can_coerce(&[chosen], &[next], Context::Implicit)
                && !self.can_coerce(&[next], &[chosen], Context::Implicit)
            {
                (chosen, category, preferred) = (next, next_category, next_preferred);
            }
        }
        Ok(if chosen == oid::UNKNOWN { oid::TEXT } else { chosen })
    }

    pub(super) fn common_type_of(&self, exprs: &[Expr], place: &str) -> Result<Oid> {
        let types: Vec<_> = exprs.iter().map(|expr| (expr.ty.oid, expr.span)).collect();
        self.common_type(&types, place)
    }

    pub(super) fn coerce_to_common(&mut self, expr: Expr, target: Oid, place: &str) -> Result<Expr> {
        if expr.ty.oid == target {
            return Ok(expr);
        }
        if !self.can_coerce(&[expr.ty.oid], &[target], Context::Implicit) {
            let (from, to) = (self.oid_name(expr.ty.oid), self.oid_name(target));
            let message = format!("{place} could not convert type {from} to {to}");
            return Err(Error::new(sqlstate::CANNOT_COERCE, message).at(expr.span.start));
        }
        self.coerce(expr, Type::of(target), Context::Implicit, true)
    }

    /// All of one type, and that type with the modifier they share.
    pub(super) fn unify(&mut self, exprs: Vec<Expr>, place: &str) -> Result<(Vec<Expr>, Type)> {
        let target = self.common_type_of(&exprs, place)?;
        let exprs =
            exprs.into_iter().map(|expr| self.coerce_to_common(expr, target, place)).collect::<Result<Vec<_>>>()?;
        let ty = Type::new(target, common_typmod(&exprs));
        Ok((exprs, ty))
    }
}

/// The modifier if all expressions have the same one.
pub(super) fn common_typmod(exprs: &[Expr]) -> i32 {
    let mut typmods = exprs.iter().map(|expr| expr.ty.typmod);
    match typmods.next() {
        Some(first) if typmods.all(|typmod| typmod == first) => first,
        _ => -1,
    }
}
