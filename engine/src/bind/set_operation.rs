//! UNION, INTERSECT, EXCEPT (PostgreSQL's transformSetOperationTree).

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::query::Tail;
use super::scope::Clause;
use super::tree::{Distinct, Expr, ExprKind, From, OutputColumn, Query, SetExpr, SortKey};
use super::{Binder, RelSource};
use crate::parse::ast::{self, SetOperator, Span};

impl Binder<'_> {
    pub(super) fn set_operation(
        &mut self,
        op: SetOperator,
        all: bool,
        left: &ast::SetExpr,
        right: &ast::SetExpr,
        resolve: bool,
    ) -> Result<Query> {
        // Operators of one precedence group to the left, so that a long chain of them is deep there.
        let (mut first, mut chain) = (left, vec![(op, all, right)]);
        while let ast::SetExpr::Operation { op, all, left, right, .. } = first {
            chain.push((*op, *all, right));
            first = left;
        }
        let mut combined = self.leg(first, resolve)?;
        for (op, all, right) in chain.into_iter().rev() {
            let right_query = self.leg(right, resolve)?;
            combined = self.combine(op, all, combined, right_query, first_span(right))?;
        }
        Ok(combined)
    }

    /// One side, as a query of its own whose literals are still unknown.
    pub(super) fn leg(&mut self, leg: &ast::SetExpr, resolve: bool) -> Result<Query> {
        self.in_level(|binder| match leg {
            ast::SetExpr::Operation { op, all, left, right, .. } => {
                binder.set_operation(*op, *all, left, right, resolve)
            }
            leg => binder.query_body(leg, Tail::NONE, false),
        })
    }

    /// Joins two bound sides, their columns brought to common types.
    pub(super) fn combine(
        &mut self,
        op: SetOperator,
        all: bool,
        left: Query,
        right: Query,
        right_span: Span,
    ) -> Result<Query> {
        let place = operator_name(op);
        if left.columns.len() != right.columns.len() {
            let message = format!("each {place} query must have the same number of columns");
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(right_span.start));
        }
        let mut types = Vec::with_capacity(left.columns.len());
        for (position, (l, r)) in left.columns.iter().zip(&right.columns).enumerate() {
            let pair = [(l.ty.oid, Span::default()), (r.ty.oid, output_span(&right, position, right_span))];
            let common = self.common_type(&pair, place)?;
            let typmod = if l.ty == r.ty { l.ty.typmod } else { -1 };
            if !all {
                self.equality(common, right_span)?;
            }
            types.push(Type::new(common, typmod));
        }
        let columns = left.columns.iter().zip(&types);
        let columns =
            columns.map(|(column, &ty)| OutputColumn { name: column.name.clone(), ty, origin: None }).collect();
        let left = self.coerce_leg(left, &types, place)?;
        let right = self.coerce_leg(right, &types, place)?;
        let continued = op == SetOperator::Union && all && is_bare_union_all(&left);
        let legs = match left.body {
            SetExpr::Operation { mut legs, .. } if continued => {
                legs.push(right);
                legs
            }
            _ => vec![left, right],
        };
        Ok(Query::bare(SetExpr::Operation { op, all, legs }, columns))
    }

    /// A side with the operation's column types: literals and plain selects change in place, others are wrapped.
    fn coerce_leg(&mut self, mut leg: Query, types: &[Type], place: &str) -> Result<Query> {
        let simple = leg.order_by.is_empty()
            && match &leg.body {
                SetExpr::Select(select) => select.distinct == Distinct::None,
                SetExpr::Values(_) => true,
                SetExpr::Operation { .. } => false,
            };
        let in_place = |column: &OutputColumn| simple || column.ty.oid == oid::UNKNOWN;
        let mut wrap = false;
        for (position, ty) in types.iter().enumerate() {
            match leg.columns.get(position) {
                Some(column) if column.ty.oid == ty.oid => {}
                Some(column) if in_place(column) => self.coerce_output(&mut leg, position, *ty, place)?,
                _ => wrap = true,
            }
        }
        if wrap { self.wrap_with_casts(leg, types, place) } else { Ok(leg) }
    }

    /// `SELECT cast(c1), … FROM (query)`.
    fn wrap_with_casts(&mut self, query: Query, types: &[Type], place: &str) -> Result<Query> {
        let columns = query.columns.clone();
        let rel = self.new_rel(RelSource::Output(columns.clone()));
        let mut targets = Vec::with_capacity(columns.len());
        let mut outputs = Vec::with_capacity(columns.len());
        for (position, (column, ty)) in columns.into_iter().zip(types).enumerate() {
            let kind = ExprKind::Column { rel, column: position };
            let expr = Expr { kind, ty: column.ty, span: Span::default() };
            let expr = self.coerce_to_common(expr, ty.oid, place)?;
            outputs.push(OutputColumn { name: column.name, ty: expr.ty, origin: None });
            targets.push(expr);
        }
        let from = From::Subquery { rel, query: Box::new(query), lateral: false, view: None, alias: None };
        Ok(Query::select(from, targets, outputs))
    }

    /// ORDER BY of a set operation knows only its output columns.
    pub(super) fn finish_operation(&mut self, mut query: Query, tail: Tail<'_>) -> Result<Query> {
        let mut sorted: Vec<SortKey> = Vec::with_capacity(tail.order_by.len());
        for key in tail.order_by {
            let (descending, nulls_first) = super::aggregate::direction(key)?;
            let position = self.operation_column(&key.expr, &query.columns)?;
            if let Some(column) = query.columns.get(position) {
                self.ordering(column.ty.oid, key.expr.span)?;
            }
            if !sorted.iter().any(|other| other.position == position) {
                sorted.push(SortKey { position, collation: None, descending, nulls_first });
            }
        }
        query.order_by = sorted;
        if !tail.locking.is_empty() {
            let message = "FOR UPDATE is not allowed with UNION/INTERSECT/EXCEPT";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        self.finish_query(query, tail)
    }

    fn operation_column(&mut self, expr: &ast::Expr, columns: &[OutputColumn]) -> Result<usize> {
        let place = Clause::OrderBy.place();
        match &expr.kind {
            ast::ExprKind::Column(name) if name.parts.len() == 1 => {
                let name = &name.parts[0].name;
                if let Some(position) = columns.iter().position(|column| column.name == *name) {
                    return Ok(position);
                }
                return Err(self.no_such_column(None, name, expr.span));
            }
            ast::ExprKind::Literal(ast::Literal::Integer(digits)) => {
                let position = digits.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
                return position.filter(|&position| position < columns.len()).ok_or_else(|| {
                    let message = format!("{place} position {digits} is not in select list");
                    Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message).at(expr.span.start)
                });
            }
            ast::ExprKind::Literal(_) => {
                let message = format!("non-integer constant in {place}");
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(expr.span.start));
            }
            _ => {}
        }
        Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
            .with_detail("Only result column names can be used, not expressions or functions.")
            .with_hint("Add the expression/function to every SELECT, or move the UNION into a FROM clause.")
            .at(expr.span.start))
    }
}

/// Is the query nothing but a UNION ALL, so that another side may follow?
fn is_bare_union_all(query: &Query) -> bool {
    let tail =
        !query.order_by.is_empty() || query.limit.is_some() || query.offset.is_some() || !query.locking.is_empty();
    let union = matches!(query.body, SetExpr::Operation { op: SetOperator::Union, all: true, .. });
    union && query.ctes.is_empty() && !tail
}

fn operator_name(op: SetOperator) -> &'static str {
    match op {
        SetOperator::Union => "UNION",
        SetOperator::Intersect => "INTERSECT",
        SetOperator::Except => "EXCEPT",
    }
}

/// Where the first output of a side stands.
pub(super) fn first_span(leg: &ast::SetExpr) -> Span {
    match leg {
        ast::SetExpr::Select(select) => select.targets.first().map_or(select.span, |target| target.expr.span),
        ast::SetExpr::Values(rows) => {
            rows.first().and_then(|row| row.first()).map_or_else(Span::default, |expr| expr.span)
        }
        ast::SetExpr::Query(query) => first_span(&query.body),
        ast::SetExpr::Operation { left, .. } => first_span(left),
        ast::SetExpr::Table(name) => name.span,
    }
}

fn output_span(query: &Query, position: usize, otherwise: Span) -> Span {
    let expr = match &query.body {
        SetExpr::Select(select) => select.targets.get(position),
        SetExpr::Values(rows) => rows.first().and_then(|row| row.get(position)),
        SetExpr::Operation { .. } => None,
    };
    expr.map_or(otherwise, |expr| expr.span)
}
