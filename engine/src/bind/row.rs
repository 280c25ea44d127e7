//! Row values and their comparison (PostgreSQL's make_row_comparison_op; manual, "Row Constructor Comparison").

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::Binder;
use super::expr::boolean;
use super::operator::operator;
use super::tree::{Expr, ExprKind, RowOperator};
use crate::parse::ast::{self, Span};

impl Binder<'_> {
    /// `ROW(…)`; `t.*` inside is expanded.
    pub(super) fn row(&mut self, fields: &[ast::Expr], span: Span) -> Result<Expr> {
        let mut bound = Vec::with_capacity(fields.len());
        for field in fields {
            match &field.kind {
                ast::ExprKind::Star(Some(name)) => {
                    let item = self.star_item(name)?;
                    bound.extend(item.columns.into_iter().map(|column| column.expr));
                }
                ast::ExprKind::FieldStar(arg) => {
                    bound.extend(self.expand_record(arg, field.span)?.into_iter().map(|(_, expr)| expr));
                }
                _ => {
                    let field = self.expr(field)?;
                    // A literal waits for a cast of the row to give it a type.
                    let is_literal = matches!(field.kind, ExprKind::Constant(_));
                    bound.push(if is_literal { field } else { self.resolve_unknown(field)? });
                }
            }
        }
        Ok(Expr { kind: ExprKind::Row(bound), ty: Type::of(oid::RECORD), span })
    }

    pub(super) fn compare_rows(
        &mut self,
        op: &ast::Operator,
        left: Vec<Expr>,
        right: Vec<Expr>,
        span: Span,
    ) -> Result<Expr> {
        if left.len() != right.len() {
            let message = "unequal number of entries in row expressions";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(op.span.start));
        }
        if left.is_empty() {
            let message = "cannot compare rows of zero length";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(op.span.start));
        }
        let row_operator = match op.name.as_str() {
            "=" => RowOperator::Equal,
            "<>" | "!=" => RowOperator::NotEqual,
            "<" | "~<~" => RowOperator::Less,
            "<=" | "~<=~" => RowOperator::LessEqual,
            ">" | "~>~" => RowOperator::Greater,
            ">=" | "~>=~" => RowOperator::GreaterEqual,
            _ => {
                let message = format!("could not determine interpretation of row comparison operator {}", op.name);
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
                    .with_hint("Row comparison operators must be associated with btree operator families.")
                    .at(op.span.start));
            }
        };
        // Plain equality is a conjunction, inequality a disjunction of the columns' own operators.
        if matches!(row_operator, RowOperator::Equal | RowOperator::NotEqual) || left.len() == 1 {
            let mut parts = Vec::with_capacity(left.len());
            for (left, right) in left.into_iter().zip(right) {
                let part = self.binary(op, left, right, span)?;
                parts.push(self.coerce_to_boolean(part, "row comparison operator")?);
            }
            return Ok(match (parts.len(), row_operator) {
                (1, _) => parts.swap_remove(0),
                (_, RowOperator::NotEqual) => boolean(ExprKind::Or(parts), span),
                _ => boolean(ExprKind::And(parts), span),
            });
        }
        let (mut equal, mut less) = (Vec::new(), Vec::new());
        let (mut lefts, mut rights) = (Vec::new(), Vec::new());
        let ascending = matches!(row_operator, RowOperator::Less | RowOperator::LessEqual);
        // Those of the pattern operator classes are named `~<~` and so on.
        let strict = match (op.name.starts_with('~'), ascending) {
            (true, true) => "~<~",
            (true, false) => "~>~",
            (false, true) => "<",
            (false, false) => ">",
        };
        let strict = operator(strict, op.span);
        for (left, right) in left.into_iter().zip(right) {
            let applied = self.apply_binary(&strict, left, right)?;
            equal.push(self.equality(applied.left.ty.oid, span)?);
            less.push(applied.function);
            lefts.push(applied.left);
            rights.push(applied.right);
        }
        let kind = ExprKind::RowCompare { op: row_operator, equal, less, left: lefts, right: rights };
        Ok(boolean(kind, span))
    }
}
