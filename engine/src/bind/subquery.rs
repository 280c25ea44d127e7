//! Sub-queries in expressions (PostgreSQL's transformSubLink).

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::expr::boolean;
use super::operator::operator;
use super::tree::{Expr, ExprKind, Query, RelId, Subquery, SubqueryKind};
use super::{Binder, RelSource};
use crate::parse::ast::{self, Span};

impl Binder<'_> {
    pub(super) fn subquery_expr(&mut self, expr: &ast::Expr) -> Result<Expr> {
        use ast::ExprKind as K;
        let span = expr.span;
        if let Some(place) = self.clause().forbids_subquery() {
            let message = format!("cannot use subquery in {place}");
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(span.start));
        }
        match &expr.kind {
            K::Exists(query) => {
                let query = self.query(query, true)?;
                Ok(boolean(subquery(SubqueryKind::Exists, query), span))
            }
            K::ScalarQuery(query) => {
                let query = self.one_column(query, span)?;
                let ty = query.columns.first().map_or(Type::of(oid::TEXT), |column| column.ty);
                Ok(Expr { kind: subquery(SubqueryKind::Scalar, query), ty, span })
            }
            K::ArrayQuery(query) => {
                let query = self.one_column(query, span)?;
                let element = query.columns.first().map_or(Type::of(oid::TEXT), |column| column.ty);
                // An array of arrays has one dimension more and the same type.
                let array = if self.element_of(element.oid).is_some()
                    && element.oid != oid::INT2VECTOR
                    && element.oid != oid::OIDVECTOR
                {
                    Some(element.oid)
                } else {
                    self.array_of(element.oid)
                };
                let array = array.ok_or_else(|| {
                    let message = format!("could not find array type for data type {}", self.oid_name(element.oid));
                    Error::new(sqlstate::UNDEFINED_OBJECT, message).at(span.start)
                })?;
                Ok(Expr { kind: subquery(SubqueryKind::Array, query), ty: Type::new(array, element.typmod), span })
            }
            K::InQuery { arg, query, negated } => {
                let op = operator("=", self.after(arg));
                let any = self.quantified_query(arg, &op, query, false, span)?;
                Ok(if *negated { boolean(ExprKind::Not(Box::new(any)), span) } else { any })
            }
            K::QuantifiedQuery { left, op, query, all } => self.quantified_query(left, op, query, *all, span),
            _ => Err(Error::internal("not a sub-query")),
        }
    }

    fn one_column(&mut self, query: &ast::Query, span: Span) -> Result<Query> {
        let bound = self.query(query, true)?;
        if bound.columns.len() != 1 {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "subquery must return only one column").at(span.start));
        }
        Ok(bound)
    }

    fn quantified_query(
        &mut self,
        left: &ast::Expr,
        op: &ast::Operator,
        query: &ast::Query,
        all: bool,
        span: Span,
    ) -> Result<Expr> {
        let lefts = match &left.kind {
            ast::ExprKind::Row { fields, .. } => {
                fields.iter().map(|field| self.expr(field)).collect::<Result<Vec<_>>>()?
            }
            _ => vec![self.expr(left)?],
        };
        let query = self.query(query, true)?;
        check_width(lefts.len(), query.columns.len(), op.span)?;
        let (output, rights) = self.outputs(&query, span);
        let is_row = matches!(left.kind, ast::ExprKind::Row { .. });
        let condition = match (lefts.len(), is_row) {
            (1, false) => {
                let (left, right) = (lefts.into_iter().next(), rights.into_iter().next());
                let (Some(left), Some(right)) = (left, right) else {
                    return Err(Error::internal("a sub-query without a column"));
                };
                self.binary(op, left, right, span)?
            }
            _ => self.compare_rows(op, lefts, rights, span)?,
        };
        if condition.ty.oid != oid::BOOL {
            let message =
                format!("operator {} must return type boolean, not type {}", op.name, self.type_name(condition.ty));
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(op.span.start));
        }
        let condition = Box::new(condition);
        let kind = if all { SubqueryKind::All { output, condition } } else { SubqueryKind::Any { output, condition } };
        Ok(boolean(subquery(kind, query), span))
    }

    /// `(a, b) op (SELECT c, d)`.
    pub(super) fn compare_row_with_query(
        &mut self,
        op: &ast::Operator,
        left: Vec<Expr>,
        query: &ast::Query,
        span: Span,
    ) -> Result<Expr> {
        let query = self.query(query, true)?;
        check_width(left.len(), query.columns.len(), op.span)?;
        let fields: Vec<_> = query.columns.iter().map(|column| column.ty).collect();
        let row = Expr { kind: subquery(SubqueryKind::Row, query), ty: Type::of(oid::RECORD), span };
        let right = fields.into_iter().enumerate().map(|(index, ty)| {
            let arg = Box::new(row.clone());
            Expr { kind: ExprKind::Field { arg, index }, ty, span }
        });
        self.compare_rows(op, left, right.collect(), span)
    }

    /// Names for a sub-query's columns, inside the condition that compares with them.
    fn outputs(&mut self, query: &Query, span: Span) -> (RelId, Vec<Expr>) {
        let rel = self.new_rel(RelSource::Internal);
        // They belong to no level: grouping must not look for them among the keys.
        if let Some(info) = self.rels.get_mut(&rel) {
            info.depth = usize::MAX;
        }
        let columns = query.columns.iter().enumerate();
        let columns =
            columns.map(|(column, output)| Expr { kind: ExprKind::Column { rel, column }, ty: output.ty, span });
        (rel, columns.collect())
    }
}

fn subquery(kind: SubqueryKind, query: Query) -> ExprKind {
    ExprKind::Subquery(Box::new(Subquery { kind, query }))
}

fn check_width(left: usize, right: usize, span: Span) -> Result<()> {
    let message = match left.cmp(&right) {
        std::cmp::Ordering::Equal => return Ok(()),
        std::cmp::Ordering::Less => "subquery has too many columns",
        std::cmp::Ordering::Greater => "subquery has too few columns",
    };
    Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start))
}
