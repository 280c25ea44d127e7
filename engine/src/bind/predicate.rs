//! Predicates with syntax of their own: IS …, BETWEEN, IN lists, LIKE and its relatives.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::Binder;
use super::expr::boolean;
use super::operator::operator;
use super::tree::{CallForm, Expr, ExprKind};
use super::walk;
use crate::functions;
use crate::parse::ast::{self, BooleanTest, LikeKind, Span};

/// `record_eq(record, record)`.
const RECORD_EQ: Oid = 2981;

impl Binder<'_> {
    pub(super) fn predicate(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::ExprKind as K;
        let span = expr.span;
        match &expr.kind {
            K::IsNull { arg, negated } => {
                let arg = self.expr(arg)?;
                let arg = Box::new(self.resolve_literal(arg)?);
                Ok(boolean(ExprKind::IsNull { arg, negated: *negated }, span))
            }
            K::BooleanTest { arg, test, negated } => self.boolean_test(arg, *test, *negated, span),
            K::IsDistinctFrom { left, right, negated } => self.is_distinct(left, right, *negated, span),
            K::IsOf { arg, what, negated } => self.is_of(arg, what, *negated, span),
            K::Between { arg, low, high, symmetric, negated } => {
                let bounds = (low.as_ref(), high.as_ref());
                self.between(arg, bounds, *symmetric, *negated, span)
            }
            K::InList { arg, list, negated } => self.in_list(arg, list, *negated, span),
            K::Like { kind, arg, pattern, escape, negated } => {
                self.like(*kind, arg, pattern, escape.as_deref(), *negated, span)
            }
            _ => Err(Error::internal("not a predicate")),
        }
    }

    fn boolean_test(&mut self, arg: &ast::Expr, test: BooleanTest, negated: bool, span: Span) -> Result<Expr> {
        let (value, name) = match test {
            BooleanTest::True => (Some(true), "TRUE"),
            BooleanTest::False => (Some(false), "FALSE"),
            BooleanTest::Unknown => (None, "UNKNOWN"),
        };
        let place = format!("IS {}{name}", if negated { "NOT " } else { "" });
        let arg = self.expr(arg)?;
        let arg = Box::new(self.coerce_to_boolean(arg, &place)?);
        Ok(boolean(ExprKind::IsBoolean { arg, value, negated }, span))
    }

    fn is_distinct(&mut self, left: &ast::Expr, right: &ast::Expr, negated: bool, span: Span) -> Result<Expr> {
        use ast::ExprKind::Row;
        if let (Row { fields: l, .. }, Row { fields: r, .. }) = (&left.kind, &right.kind) {
            if l.len() != r.len() {
                let message = "unequal number of entries in row expressions";
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start));
            }
            let mut parts = Vec::with_capacity(l.len());
            for (l, r) in l.iter().zip(r) {
                parts.push(self.is_distinct(l, r, negated, span)?);
            }
            let kind = if negated { ExprKind::And(parts) } else { ExprKind::Or(parts) };
            return Ok(boolean(kind, span));
        }
        let is_null = |expr: &ast::Expr| matches!(expr.kind, ast::ExprKind::Literal(ast::Literal::Null));
        let tested = if is_null(right) {
            Some(left)
        } else if is_null(left) {
            Some(right)
        } else {
            None
        };
        if let Some(tested) = tested {
            let arg = self.expr(tested)?;
            let arg = Box::new(self.resolve_literal(arg)?);
            // A row is null here only as a whole, whatever its fields are.
            if arg.ty.oid == oid::RECORD || self.is_composite(arg.ty.oid) {
                let equal = functions::registry().by_oid(RECORD_EQ).cloned();
                let equal = equal.ok_or_else(|| Error::internal("records have no equality"))?;
                let right = Box::new(super::coerce::null_of(arg.ty, span, &self.catalog)?);
                return Ok(boolean(ExprKind::IsDistinct { equal, left: arg, right, negated }, span));
            }
            return Ok(boolean(ExprKind::IsNull { arg, negated: !negated }, span));
        }
        let at = self.after(left);
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        let applied = self.apply_binary(&operator("=", at), left, right)?;
        if applied.result != oid::BOOL {
            let message = "IS DISTINCT FROM requires = operator to yield boolean";
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(span.start));
        }
        let (left, right) = (Box::new(applied.left), Box::new(applied.right));
        Ok(boolean(ExprKind::IsDistinct { equal: applied.function, left, right, negated }, span))
    }

    /// `IS [form] NORMALIZED` is a call; `IS JSON` and the like are not there.
    fn is_of(&mut self, arg: &ast::Expr, what: &str, negated: bool, span: Span) -> Result<Expr> {
        let upper = what.to_ascii_uppercase();
        let Some(form) = upper.strip_suffix("NORMALIZED") else {
            return Err(Error::unsupported(format!("IS {upper}")).at(span.start));
        };
        let form = if form.trim().is_empty() { "NFC" } else { form.trim() };
        let arg = self.expr(arg)?;
        let form = self.literal(&ast::Literal::String(form.to_owned()), false, span)?;
        let call = self.call_as("is_normalized", vec![arg, form], CallForm::Syntax, span)?;
        Ok(if negated { boolean(ExprKind::Not(Box::new(call)), span) } else { call })
    }

    fn between(
        &mut self,
        arg: &ast::Expr,
        (low, high): (&ast::Expr, &ast::Expr),
        symmetric: bool,
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let at = self.after(arg);
        let mut within = |low: &ast::Expr, high: &ast::Expr| -> Result<Expr> {
            let (above, below) = if negated { ("<", ">") } else { (">=", "<=") };
            let subject = self.expr(arg)?;
            let low = self.expr(low)?;
            let above = self.binary(&operator(above, at), subject, low, span)?;
            let subject = self.expr(arg)?;
            let high = self.expr(high)?;
            let below = self.binary(&operator(below, at), subject, high, span)?;
            let parts = vec![above, below];
            Ok(boolean(if negated { ExprKind::Or(parts) } else { ExprKind::And(parts) }, span))
        };
        let straight = within(low, high)?;
        if !symmetric {
            return Ok(straight);
        }
        let parts = vec![straight, within(high, low)?];
        Ok(boolean(if negated { ExprKind::And(parts) } else { ExprKind::Or(parts) }, span))
    }

    fn in_list(&mut self, arg: &ast::Expr, list: &[ast::Expr], negated: bool, span: Span) -> Result<Expr> {
        let at = self.after(arg);
        let op = operator(if negated { "<>" } else { "=" }, at);
        let is_row = |expr: &ast::Expr| matches!(expr.kind, ast::ExprKind::Row { .. });
        if !is_row(arg) && list.len() > 1 && !list.iter().any(is_row) {
            let left = self.expr(arg)?;
            let bound = list.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>>>()?;
            // What names no column is one list, the rest is compared one by one.
            let (named, listed): (Vec<_>, Vec<_>) = bound.iter().cloned().partition(walk::has_columns);
            let types: Vec<_> = std::iter::once(&left).chain(&listed).map(|e| (e.ty.oid, e.span)).collect();
            let common = self.try_common_type(&types).ok().filter(|&common| {
                listed.len() > 1
                    && common != oid::RECORD
                    && !listed.iter().any(|item| item.ty.oid == oid::RECORD)
                    && types.iter().all(|&(ty, _)| self.can_coerce(&[ty], &[common], super::coerce::Context::Implicit))
            });
            let mut parts = Vec::new();
            let rest: Vec<_> = match common {
                Some(common) => {
                    parts.push(self.in_common(&operator("=", at), left.clone(), listed, common, negated, span)?);
                    named
                }
                None => bound,
            };
            for item in rest {
                parts.push(self.binary(&op, left.clone(), item, span)?);
            }
            return self.in_each(parts, |_, part| Ok(part), negated, span);
        }
        let each = |binder: &mut Self, item: &ast::Expr| {
            let (left, right) = (Box::new(arg.clone()), Box::new(item.clone()));
            let pair = ast::ExprKind::Binary { op: op.clone(), left, right };
            binder.expr(&ast::Expr { kind: pair, span })
        };
        self.in_each(list, each, negated, span)
    }

    /// All elements have one type: a single test against the list.
    fn in_common(
        &mut self,
        op: &ast::Operator,
        left: Expr,
        list: Vec<Expr>,
        common: aegis_catalog::Oid,
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let mut items = Vec::with_capacity(list.len());
        for item in list {
            items.push(self.coerce_to_common(item, common, "IN")?);
        }
        // The operator may want other types on both sides (varchar is compared as text).
        let sample = items.first().cloned().ok_or_else(|| Error::internal("IN without a list"))?;
        let applied = self.apply_binary(op, left, sample)?;
        if applied.result != oid::BOOL {
            let message = "op ANY/ALL (array) requires operator to yield boolean";
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start));
        }
        let target = applied.right.ty;
        let list = items
            .into_iter()
            .map(|item| {
                let ty = aegis_catalog::Type::of(target.oid);
                self.coerce(item, ty, super::coerce::Context::Implicit, true)
            })
            .collect::<Result<_>>()?;
        let kind = ExprKind::InList { equal: applied.function, left: Box::new(applied.left), list, negated };
        Ok(boolean(kind, span))
    }

    /// `a = x OR a = y …`, or `a <> x AND …`.
    fn in_each<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut compare: impl FnMut(&mut Self, T) -> Result<Expr>,
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let mut parts = Vec::new();
        for item in items {
            let compared = compare(self, item)?;
            parts.push(self.coerce_to_boolean(compared, "IN")?);
        }
        Ok(match parts.len() {
            1 => parts.swap_remove(0),
            _ if negated => boolean(ExprKind::And(parts), span),
            _ => boolean(ExprKind::Or(parts), span),
        })
    }

    fn like(
        &mut self,
        kind: LikeKind,
        arg: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        negated: bool,
        span: Span,
    ) -> Result<Expr> {
        let name = match (kind, negated) {
            (LikeKind::Like, false) => "~~",
            (LikeKind::Like, true) => "!~~",
            (LikeKind::ILike, false) => "~~*",
            (LikeKind::ILike, true) => "!~~*",
            (LikeKind::SimilarTo, false) => "~",
            (LikeKind::SimilarTo, true) => "!~",
        };
        let op = operator(name, self.after(arg));
        let arg = self.expr(arg)?;
        let mut pattern = self.expr(pattern)?;
        let escape = escape.map(|escape| self.expr(escape)).transpose()?;
        let at = pattern.span;
        match (kind, escape) {
            (LikeKind::SimilarTo, None) => {
                pattern = self.call_named("similar_to_escape", vec![pattern], at)?;
            }
            (LikeKind::SimilarTo, Some(escape)) => {
                pattern = self.call_named("similar_to_escape", vec![pattern, escape], at)?;
            }
            (_, Some(escape)) => pattern = self.call_named("like_escape", vec![pattern, escape], at)?,
            (_, None) => {}
        }
        self.binary(&op, arg, pattern, span)
    }
}
