//! Expressions (PostgreSQL's parse_expr.c): one arm per kind of syntax, each with its own file behind it.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};

use super::operator::operator;
use super::tree::{CallForm, Expr, ExprKind};
use super::{Binder, Purpose};
use crate::parse::ast::{self, Span};

impl Binder<'_> {
    pub(super) fn expr(&mut self, expr: &ast::Expr) -> Result<Expr> {
        self.nested(|binder| binder.expr_kind(expr))
    }

    fn exprs(&mut self, list: &[ast::Expr]) -> Result<Vec<Expr>> {
        list.iter().map(|expr| self.expr(expr)).collect()
    }

    fn expr_kind(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::ExprKind as K;
        let span = expr.span;
        match &expr.kind {
            K::Literal(literal) => self.literal(literal, false, span),
            K::Parameter(number) => self.parameter(*number, span),
            K::Column(name) => self.column_ref(name),
            K::Unary { op, arg } => self.unary(op, arg, span),
            K::Binary { op, left, right } => self.binary_expr(op, left, right, span),
            K::And(list) => self.logical(list, "AND", span),
            K::Or(list) => self.logical(list, "OR", span),
            K::Not(arg) => {
                let arg = self.expr(arg)?;
                let arg = self.coerce_to_boolean(arg, "NOT")?;
                Ok(boolean(ExprKind::Not(Box::new(arg)), span))
            }
            K::IsNull { .. }
            | K::BooleanTest { .. }
            | K::IsDistinctFrom { .. }
            | K::IsOf { .. }
            | K::Between { .. }
            | K::InList { .. }
            | K::Like { .. } => self.predicate(expr),
            K::InQuery { .. } | K::QuantifiedQuery { .. } | K::Exists(_) | K::ScalarQuery(_) | K::ArrayQuery(_) => {
                self.subquery_expr(expr)
            }
            K::QuantifiedArray { left, op, array, all } => self.quantified_array(left, op, array, *all, span),
            K::Array(elements) => self.array(elements, None, span),
            K::Row { fields, .. } => self.row(fields, span),
            K::Cast { arg, ty } => self.cast_expr(arg, ty, span),
            K::TypedLiteral { ty, value } => self.typed_literal(ty, value, span),
            K::Collate { arg, collation } => self.collate(arg, collation),
            K::Case { operand, branches, otherwise } => {
                self.case(operand.as_deref(), branches, otherwise.as_deref(), span)
            }
            K::Coalesce(args) => self.coalesce(args, span),
            K::Greatest(args) => self.extreme(args, true, span),
            K::Least(args) => self.extreme(args, false, span),
            K::NullIf(left, right) => self.null_if(left, right, span),
            K::Call(call) => self.call(call, span),
            K::SqlValue { name, precision } => self.sql_value(name, *precision, span),
            K::AtTimeZone { arg, zone } => {
                let arg = self.expr(arg)?;
                let zone = self.expr(zone)?;
                self.call_as("timezone", vec![zone, arg], CallForm::Syntax, span)
            }
            K::Field { arg, field } => self.field_expr(arg, field, span),
            K::Subscript { arg, subscripts } => self.subscript(arg, subscripts, span),
            K::Grouping(args) => self.grouping_call(args, span),
            K::Star(Some(name)) => {
                let item = self.star_item(name)?;
                let row = self.whole_row(&item, span);
                row.ok_or_else(|| Error::internal("a FROM item without a row"))
            }
            K::Star(None) | K::FieldStar(_) => {
                let message = "row expansion via \"*\" is not supported here";
                Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(span.start))
            }
            K::Default => {
                let message = "DEFAULT is not allowed in this context";
                Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start))
            }
            K::CurrentOf(_) => Err(Error::unsupported("WHERE CURRENT OF").at(span.start)),
        }
    }

    fn unary(&mut self, op: &ast::Operator, arg: &ast::Expr, span: Span) -> Result<Expr> {
        // The grammar makes signed numbers of signs before numbers.
        if is_minus(op)
            && let Some((literal, negative)) = signed_number(arg)
        {
            return self.literal(literal, !negative, span);
        }
        let arg = self.expr(arg)?;
        self.prefix(op, arg, span)
    }

    fn binary_expr(&mut self, op: &ast::Operator, left: &ast::Expr, right: &ast::Expr, span: Span) -> Result<Expr> {
        use ast::ExprKind::{Row, ScalarQuery};
        match (&left.kind, &right.kind) {
            (Row { fields: left, .. }, Row { fields: right, .. }) => {
                let left = self.exprs(left)?;
                let right = self.exprs(right)?;
                self.compare_rows(op, left, right, span)
            }
            (Row { fields, .. }, ScalarQuery(query)) => {
                let left = self.exprs(fields)?;
                self.compare_row_with_query(op, left, query, span)
            }
            _ => {
                let left = self.expr(left)?;
                let right = self.expr(right)?;
                self.binary(op, left, right, span)
            }
        }
    }

    fn logical(&mut self, list: &[ast::Expr], name: &str, span: Span) -> Result<Expr> {
        let mut args = Vec::with_capacity(list.len());
        for arg in list {
            let arg = self.expr(arg)?;
            args.push(self.coerce_to_boolean(arg, name)?);
        }
        Ok(boolean(if name == "AND" { ExprKind::And(args) } else { ExprKind::Or(args) }, span))
    }

    fn case(
        &mut self,
        operand: Option<&ast::Expr>,
        branches: &[(ast::Expr, ast::Expr)],
        otherwise: Option<&ast::Expr>,
        span: Span,
    ) -> Result<Expr> {
        let first = operand;
        let operand = match operand {
            Some(operand) => {
                let operand = self.expr(operand)?;
                Some(self.resolve_unknown(operand)?)
            }
            None => None,
        };
        self.conditional("CASE", |binder| {
            let mut conditions = Vec::with_capacity(branches.len());
            // The default counts first when the result's type is chosen.
            let mut results = Vec::with_capacity(branches.len() + 1);
            let mut before = first;
            for (condition, result) in branches {
                let condition_span = condition.span;
                let at = before.map_or(condition_span, |before| binder.after(before));
                before = Some(result);
                let mut condition = binder.expr(condition)?;
                if let Some(operand) = &operand {
                    let left = Expr { kind: ExprKind::CaseOperand, ty: operand.ty, span: operand.span };
                    condition = binder.binary(&operator("=", at), left, condition, condition_span)?;
                }
                conditions.push(binder.coerce_to_boolean(condition, "CASE/WHEN")?);
                results.push(binder.expr(result)?);
            }
            let default = match otherwise {
                Some(otherwise) => binder.expr(otherwise)?,
                None => binder.literal(&ast::Literal::Null, false, span)?,
            };
            results.insert(0, default);
            let (results, ty) = binder.unify(results, "CASE")?;
            let mut results = results.into_iter();
            let default = results.next().map(Box::new);
            let branches = conditions.into_iter().zip(results).collect();
            let otherwise = if otherwise.is_some() { default } else { None };
            let kind = ExprKind::Case { operand: operand.map(Box::new), branches, otherwise };
            Ok(Expr { kind, ty, span })
        })
    }

    fn coalesce(&mut self, args: &[ast::Expr], span: Span) -> Result<Expr> {
        let args = self.conditional("COALESCE", |binder| binder.exprs(args))?;
        let (args, ty) = self.unify(args, "COALESCE")?;
        Ok(Expr { kind: ExprKind::Coalesce(args), ty, span })
    }

    fn extreme(&mut self, args: &[ast::Expr], greatest: bool, span: Span) -> Result<Expr> {
        let args = self.exprs(args)?;
        let (args, ty) = self.unify(args, if greatest { "GREATEST" } else { "LEAST" })?;
        let less = self.ordering(ty.oid, span)?;
        Ok(Expr { kind: ExprKind::Extreme { args, greatest, less }, ty, span })
    }

    fn null_if(&mut self, left: &ast::Expr, right: &ast::Expr, span: Span) -> Result<Expr> {
        let left = self.expr(left)?;
        let right = self.expr(right)?;
        let applied = self.apply_binary(&operator("=", span), left, right)?;
        if applied.result != oid::BOOL {
            let message = "NULLIF requires = operator to yield boolean";
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(span.start));
        }
        let ty = applied.left.ty;
        let (left, right) = (Box::new(applied.left), Box::new(applied.right));
        Ok(Expr { kind: ExprKind::NullIf { equal: applied.function, left, right }, ty, span })
    }

    /// Runs `work` where set-returning functions are refused.
    fn conditional<T>(&mut self, construct: &'static str, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = self.level().conditional.replace(construct);
        let result = work(self);
        self.level().conditional = outer;
        result
    }

    fn cast_expr(&mut self, arg: &ast::Expr, ty: &ast::TypeName, span: Span) -> Result<Expr> {
        let target = self.type_of_name(ty)?;
        // ARRAY[…]::t[] gives the elements their type.
        if let (ast::ExprKind::Array(elements), Some(_)) = (&arg.kind, self.element_of(target.oid)) {
            let array = self.array(elements, Some(self.base_type(target)), arg.span)?;
            return self.explicit_cast(array, target, span);
        }
        let after = self.after(arg);
        let infix = self.sql.get(after.start as usize..).is_some_and(|rest| rest.starts_with("::"));
        let arg = self.expr(arg)?;
        let ty = arg.ty.oid;
        self.explicit_cast(arg, target, span).map_err(|mut error| {
            // A cast that does not exist points at its own sign, bad input at the value.
            if infix && ty != oid::UNKNOWN && error.code() == sqlstate::CANNOT_COERCE {
                error.fields_mut().position = Some(after.start);
            }
            error
        })
    }

    fn typed_literal(&mut self, ty: &ast::TypeName, value: &str, span: Span) -> Result<Expr> {
        let target = self.type_of_name(ty)?;
        let at = self.quote_after(ty.span.end, span);
        let literal = self.literal(&ast::Literal::String(value.to_owned()), false, at)?;
        self.explicit_cast(literal, target, span)
    }

    fn field_expr(&mut self, arg: &ast::Expr, field: &ast::Ident, span: Span) -> Result<Expr> {
        let arg = self.expr(arg)?;
        if let Some(found) = self.field_named(arg.clone(), &field.name, span) {
            return Ok(found);
        }
        let composite = arg.ty.oid == oid::RECORD || self.is_composite(arg.ty.oid);
        if let Some(call) = self.attribute_call(&field.name, arg.clone(), span)? {
            return Ok(call);
        }
        let name = &field.name;
        let (code, message) = if arg.ty.oid == oid::RECORD {
            let known = self.fields_of(&arg).is_some();
            let message = if known {
                format!("could not identify column \"{name}\" in record data type")
            } else {
                format!("record type has not been registered; column \"{name}\" is unknown")
            };
            (sqlstate::UNDEFINED_COLUMN, message)
        } else if composite {
            let ty = self.oid_name(arg.ty.oid);
            (sqlstate::UNDEFINED_COLUMN, format!("column \"{name}\" not found in data type {ty}"))
        } else {
            let ty = self.oid_name(arg.ty.oid);
            let message = format!("column notation .{name} applied to type {ty}, which is not a composite type");
            (sqlstate::WRONG_OBJECT_TYPE, message)
        };
        Err(Error::new(code, message).at(arg.span.start))
    }

    /// What follows from it is decided when all is bound: see [`super::collation`].
    fn collate(&mut self, arg: &ast::Expr, collation: &ast::Name) -> Result<Expr> {
        let at = self.after(arg);
        let arg = self.expr(arg)?;
        let ty: Oid = arg.ty.oid;
        let collatable = ty == oid::UNKNOWN || self.is_collatable(ty);
        if !collatable {
            let message = format!("collations are not supported by type {}", self.oid_name(ty));
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(at.start));
        }
        let collation = self.collation_named(collation).map_err(|error| error.at(at.start))?;
        self.collated = true;
        let arg = self.resolve_unknown(arg)?;
        let (ty, span) = (arg.ty, arg.span);
        Ok(Expr { kind: ExprKind::Collate { arg: Box::new(arg), collation }, ty, span })
    }

    /// An expression over one table's columns, outside any query.
    pub(super) fn expression_over(
        &mut self,
        relation: &std::sync::Arc<aegis_catalog::object::Relation>,
        rel: super::tree::RelId,
        expr: &ast::Expr,
        purpose: Purpose,
        target: Option<Type>,
    ) -> Result<Expr> {
        use super::scope::{Clause, Level};
        let clause = match purpose {
            Purpose::Default => Clause::Default,
            Purpose::Check => Clause::Check,
            Purpose::Generated => Clause::Generated,
            Purpose::IndexExpression => Clause::IndexExpression,
            Purpose::PartitionKey => Clause::PartitionKey,
            Purpose::IndexPredicate => Clause::IndexPredicate,
            Purpose::AlterType => Clause::AlterType,
            Purpose::CopyWhere => Clause::CopyWhere,
        };
        self.levels.push(Level::new(clause));
        let depth = self.levels.len();
        let source = super::RelSource::Table(relation.clone());
        self.rels.insert(rel, super::RelInfo { depth, source });
        let item = self.table_item(rel, relation, None)?;
        self.level().items.push(item);
        let bound = self.expr(expr)?;
        let bound = match purpose {
            Purpose::Check => self.coerce_to_boolean(bound, "CHECK"),
            Purpose::IndexPredicate | Purpose::CopyWhere => self.coerce_to_boolean(bound, "WHERE"),
            _ => self.resolve_target(bound, target, purpose),
        };
        self.levels.pop();
        bound
    }

    fn resolve_target(&mut self, bound: Expr, target: Option<Type>, purpose: Purpose) -> Result<Expr> {
        let Some(target) = target else { return self.resolve_unknown(bound) };
        let (from, span) = (bound.ty, bound.span);
        match self.coerce_to_target(bound, target, super::coerce::Context::Assignment, true)? {
            Some(expr) => Ok(expr),
            None => {
                let (from, to) = (self.type_name(from), self.type_name(target));
                let what = if purpose == Purpose::Generated { "generation" } else { "default" };
                let message = format!("{what} expression is of type {from} but column is of type {to}");
                Err(Error::new(sqlstate::DATATYPE_MISMATCH, message)
                    .with_hint("You will need to rewrite or cast the expression.")
                    .at(span.start))
            }
        }
    }
}

fn is_minus(op: &ast::Operator) -> bool {
    op.name == "-" && op.schema.is_none()
}

/// A number with the signs before it; true if they make it negative.
fn signed_number(expr: &ast::Expr) -> Option<(&ast::Literal, bool)> {
    let (mut expr, mut negative) = (expr, false);
    loop {
        match &expr.kind {
            ast::ExprKind::Literal(literal @ (ast::Literal::Integer(_) | ast::Literal::Decimal(_))) => {
                return Some((literal, negative));
            }
            ast::ExprKind::Unary { op, arg } if is_minus(op) => (expr, negative) = (arg, !negative),
            _ => return None,
        }
    }
}

pub(super) fn boolean(kind: ExprKind, span: Span) -> Expr {
    Expr { kind, ty: Type::of(oid::BOOL), span }
}
