//! Queries: WITH, a body, ORDER BY, LIMIT, locking.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;

use super::Binder;
use super::scope::Clause;
use super::tree::{Expr, ExprKind, OutputColumn, Query, SetExpr};
use crate::parse::ast::{self, Span};

/// What follows a query's body.
#[derive(Clone, Copy)]
pub(super) struct Tail<'q> {
    pub(super) order_by: &'q [ast::OrderBy],
    pub(super) limit: Option<&'q ast::Limit>,
    pub(super) offset: Option<&'q ast::Expr>,
    pub(super) locking: &'q [ast::Locking],
}

impl Tail<'_> {
    pub(super) const NONE: Tail<'static> = Tail { order_by: &[], limit: None, offset: None, locking: &[] };

    fn is_empty(&self) -> bool {
        self.order_by.is_empty() && self.limit.is_none() && self.offset.is_none() && self.locking.is_empty()
    }
}

impl Binder<'_> {
    /// Binds a query in a level of its own. Without `resolve`, literals in its output keep their unknown type, for whoever knows what
    /// they should become (set operations, INSERT).
    pub(super) fn query(&mut self, query: &ast::Query, resolve: bool) -> Result<Query> {
        self.in_level(|binder| binder.query_here(query, resolve))
    }

    /// Binds a query in the current level.
    pub(super) fn query_here(&mut self, query: &ast::Query, resolve: bool) -> Result<Query> {
        let ctes = match &query.with {
            Some(with) => self.with_clause(with)?,
            None => Vec::new(),
        };
        let tail = Tail {
            order_by: &query.order_by,
            limit: query.limit.as_ref(),
            offset: query.offset.as_ref(),
            locking: &query.locking,
        };
        let mut bound = self.query_body(&query.body, tail, resolve)?;
        let inner = std::mem::replace(&mut bound.ctes, self.finish_ctes(ctes));
        bound.ctes.extend(inner);
        Ok(bound)
    }

    pub(super) fn query_body(&mut self, body: &ast::SetExpr, tail: Tail<'_>, resolve: bool) -> Result<Query> {
        match body {
            ast::SetExpr::Select(select) => {
                let (mut bound, targets, order_by) = self.select(select, tail.order_by, resolve)?;
                let columns = targets.columns();
                bound.targets = targets.into_exprs();
                super::locking::check_written(select, &bound, tail.locking)?;
                let mut query = Query::bare(SetExpr::Select(Box::new(bound)), columns);
                query.order_by = order_by;
                self.finish_query(query, tail)
            }
            ast::SetExpr::Values(rows) if tail.order_by.is_empty() => {
                self.prepare_level();
                let query = self.values(rows, resolve)?;
                self.finish_query(query, tail)
            }
            ast::SetExpr::Values(_) => self.sorted_values(body, tail, resolve),
            ast::SetExpr::Table(name) => {
                let select =
                    select_star(ast::TableExpr::Table { name: name.clone(), only: false, alias: None, sample: None });
                self.query_body(&select, tail, resolve)
            }
            ast::SetExpr::Query(inner) => self.parenthesised(inner, tail, resolve),
            ast::SetExpr::Operation { op, all, left, right, .. } => {
                self.prepare_level();
                let query = self.set_operation(*op, *all, left, right, resolve)?;
                self.finish_operation(query, tail)
            }
        }
    }

    /// `(query) ORDER BY … LIMIT …`: the outer clauses join the inner query's.
    fn parenthesised(&mut self, inner: &ast::Query, tail: Tail<'_>, resolve: bool) -> Result<Query> {
        if tail.is_empty() {
            return self.nested(|binder| binder.query_here(inner, resolve));
        }
        let twice = |clause: &str, span: Span| {
            let message = format!("multiple {clause} clauses not allowed");
            Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(span.start))
        };
        if let (Some(key), false) = (tail.order_by.first(), inner.order_by.is_empty()) {
            return twice("ORDER BY", key.expr.span);
        }
        if let (Some(limit), Some(_)) = (tail.limit, &inner.limit) {
            return twice("LIMIT", limit_span(limit));
        }
        if let (Some(offset), Some(_)) = (tail.offset, &inner.offset) {
            return twice("OFFSET", offset.span);
        }
        let mut merged = inner.clone();
        merged.order_by.extend(tail.order_by.iter().cloned());
        merged.limit = merged.limit.or_else(|| tail.limit.cloned());
        merged.offset = merged.offset.or_else(|| tail.offset.cloned());
        merged.locking.extend(tail.locking.iter().cloned());
        self.nested(|binder| binder.query_here(&merged, resolve))
    }

    /// `VALUES … ORDER BY …`: as a sub-query, so that sort keys may be expressions.
    fn sorted_values(&mut self, body: &ast::SetExpr, tail: Tail<'_>, resolve: bool) -> Result<Query> {
        let query = ast::Query {
            with: None,
            body: body.clone(),
            order_by: Vec::new(),
            limit: None,
            offset: None,
            locking: Vec::new(),
            span: Span::default(),
        };
        let name = ast::Ident { name: "*VALUES*".into(), span: Span::default() };
        let select = select_star(ast::TableExpr::Subquery {
            query: Box::new(query),
            lateral: false,
            alias: Some(ast::TableAlias { name, columns: Vec::new() }),
            span: Span::default(),
        });
        self.query_body(&select, tail, resolve)
    }

    /// Rows of VALUES, their columns brought to common types.
    fn values(&mut self, rows: &[Vec<ast::Expr>], resolve: bool) -> Result<Query> {
        let bound = self.in_clause(Clause::Values, |binder| binder.value_rows(rows))?;
        let width = bound.first().map_or(0, Vec::len);
        let mut columns: Vec<Vec<Expr>> = (0..width).map(|_| Vec::with_capacity(bound.len())).collect();
        for row in bound {
            for (column, expr) in columns.iter_mut().zip(row) {
                column.push(expr);
            }
        }
        let mut outputs = Vec::with_capacity(width);
        let mut unified = Vec::with_capacity(width);
        for (position, column) in columns.into_iter().enumerate() {
            let unknown = column.iter().all(|expr| expr.ty.oid == oid::UNKNOWN);
            let (column, ty) =
                if unknown && !resolve { (column, Type::of(oid::UNKNOWN)) } else { self.unify(column, "VALUES")? };
            outputs.push(OutputColumn { name: format!("column{}", position + 1), ty, origin: None });
            unified.push(column.into_iter());
        }
        let rows = (0..rows.len()).map(|_| unified.iter_mut().filter_map(Iterator::next).collect()).collect();
        Ok(Query::bare(SetExpr::Values(rows), outputs))
    }

    fn value_rows(&mut self, rows: &[Vec<ast::Expr>]) -> Result<Vec<Vec<Expr>>> {
        let mut bound: Vec<Vec<Expr>> = Vec::with_capacity(rows.len());
        for row in rows {
            let row = self.starred(row)?;
            let values = row.iter().map(|expr| self.expr(expr)).collect::<Result<Vec<_>>>()?;
            same_width(&row, bound.first().map_or(row.len(), Vec::len))?;
            bound.push(values);
        }
        Ok(bound)
    }

    pub(super) fn finish_query(&mut self, mut query: Query, tail: Tail<'_>) -> Result<Query> {
        match tail.limit {
            None | Some(ast::Limit::All) => {}
            Some(ast::Limit::Rows(limit)) => query.limit = Some(self.limit(limit, Clause::Limit)?),
            Some(ast::Limit::WithTies(limit)) => {
                if query.order_by.is_empty() {
                    let message = "WITH TIES cannot be specified without ORDER BY clause";
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
                }
                if matches!(limit.kind, ast::ExprKind::Literal(ast::Literal::Null)) {
                    let message = "row count cannot be null in FETCH FIRST ... WITH TIES clause";
                    return Err(Error::new(sqlstate::INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, message));
                }
                if tail.locking.iter().any(|locking| locking.wait == ast::LockWait::SkipLocked) {
                    let message = "SKIP LOCKED and WITH TIES options cannot be used together";
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
                }
                query.limit = Some(self.limit(limit, Clause::Limit)?);
                query.with_ties = true;
            }
        }
        query.offset = match tail.offset {
            Some(offset) => Some(self.limit(offset, Clause::Offset)?),
            None => None,
        };
        query.locking = self.locking(tail.locking, &query.body)?;
        Ok(query)
    }

    fn limit(&mut self, expr: &ast::Expr, clause: Clause) -> Result<Expr> {
        self.in_clause(clause, |binder| {
            let bound = binder.expr(expr)?;
            if let ExprKind::Constant(ScalarValue::Int32(value)) = &bound.kind {
                let value = ScalarValue::Int64(value.map(i64::from));
                return Ok(Expr { kind: ExprKind::Constant(value), ty: Type::of(oid::INT8), span: expr.span });
            }
            let bound = binder.coerce_to_specific(bound, oid::INT8, clause.place())?;
            binder.refuse_own_columns(&bound, clause.place())?;
            Ok(bound)
        })
    }

    /// Coerces one output column of a query, at its source if that is possible.
    pub(super) fn coerce_output(
        &mut self,
        query: &mut Query,
        position: usize,
        target: Type,
        place: &str,
    ) -> Result<()> {
        let Some(column) = query.columns.get(position) else { return Ok(()) };
        if column.ty.oid == target.oid {
            return Ok(());
        }
        match &mut query.body {
            SetExpr::Select(select) => {
                if let Some(expr) = select.targets.get_mut(position) {
                    *expr = self.coerce_to_common(expr.clone(), target.oid, place)?;
                }
            }
            SetExpr::Values(rows) => {
                for expr in rows.iter_mut().filter_map(|row| row.get_mut(position)) {
                    *expr = self.coerce_to_common(expr.clone(), target.oid, place)?;
                }
            }
            SetExpr::Operation { .. } => {
                let from = self.oid_name(column.ty.oid);
                return Err(Error::internal(format!("set operation with output of type {from} was not wrapped")));
            }
        }
        if let Some(column) = query.columns.get_mut(position) {
            column.ty = Type::of(target.oid);
        }
        Ok(())
    }
}

/// 42601 for a row of VALUES that is shorter or longer than the first.
pub(super) fn same_width(row: &[ast::Expr], width: usize) -> Result<()> {
    if row.len() == width {
        return Ok(());
    }
    let at = row.first().map_or(0, |expr| expr.span.start);
    Err(Error::new(sqlstate::SYNTAX_ERROR, "VALUES lists must all be the same length").at(at))
}

fn select_star(from: ast::TableExpr) -> ast::SetExpr {
    let star = ast::Expr { kind: ast::ExprKind::Star(None), span: Span::default() };
    ast::SetExpr::Select(Box::new(ast::Select {
        distinct: ast::Distinct::None,
        targets: vec![ast::Target { expr: star, alias: None }],
        from: vec![from],
        filter: None,
        group_by: Vec::new(),
        group_distinct: false,
        having: None,
        windows: Vec::new(),
        span: Span::default(),
    }))
}

fn limit_span(limit: &ast::Limit) -> Span {
    match limit {
        ast::Limit::Rows(expr) | ast::Limit::WithTies(expr) => expr.span,
        ast::Limit::All => Span::default(),
    }
}
