//! WITH (PostgreSQL's parse_cte.c).

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::Binder;
use super::query::Tail;
use super::scope::CteEntry;
use super::set_operation::first_span;
use super::tree::{Cte, CteBody, CteId, From, OutputColumn, Query, SetExpr};
use crate::parse::ast::{self, Ident, JoinKind, SetOperator, With};

impl Binder<'_> {
    /// Binds the CTEs of a WITH clause and puts them in sight of the current level.
    pub(super) fn with_clause(&mut self, with: &With) -> Result<Vec<Cte>> {
        let mut bound = Vec::with_capacity(with.ctes.len());
        for (position, cte) in with.ctes.iter().enumerate() {
            if with.ctes.iter().take(position).any(|other| other.name.name == cte.name.name) {
                let message = format!("WITH query name \"{}\" specified more than once", cte.name.name);
                return Err(Error::new(sqlstate::DUPLICATE_ALIAS, message).at(cte.name.span.start));
            }
            if cte.search.is_some() || cte.cycle.is_some() {
                let written = self.without_clauses(cte, with.recursive)?;
                bound.push(self.cte(&written, with.recursive)?);
                continue;
            }
            bound.push(self.cte(cte, with.recursive)?);
        }
        Ok(bound)
    }

    /// Fills in how often each CTE was referred to, once everything that may refer to it is bound.
    pub(super) fn finish_ctes(&self, mut ctes: Vec<Cte>) -> Vec<Cte> {
        for cte in &mut ctes {
            cte.references = self.references_of(cte.id);
        }
        ctes
    }

    fn cte(&mut self, cte: &ast::Cte, recursive: bool) -> Result<Cte> {
        let id = self.new_cte();
        let (body, columns) = match &*cte.statement {
            ast::Statement::Query(query) if recursive => self.recursive_cte(cte, id, query)?,
            ast::Statement::Query(query) => {
                let query = self.query(query, true)?;
                let columns = rename(query.columns.clone(), cte)?;
                (CteBody::Query(query), columns)
            }
            ast::Statement::Utility(_) => return Err(Error::internal("utility statement in WITH")),
            statement => {
                if self.levels.len() > 1 {
                    let message = "WITH clause containing a data-modifying statement must be at the top level";
                    return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(cte.name.span.start));
                }
                let (statement, columns) = self.statement(statement)?;
                let columns = match columns {
                    Some(columns) => rename(columns, cte)?,
                    None => Vec::new(),
                };
                (CteBody::Change(Box::new(statement)), columns)
            }
        };
        let name = cte.name.name.clone();
        let entry = CteEntry { id, name: name.clone(), columns: Some(columns.clone()) };
        self.level().ctes.push(entry);
        let renamed = !cte.columns.is_empty();
        Ok(Cte { id, name, columns, renamed, body, references: 0, materialized: cte.materialized })
    }

    /// A query of WITH RECURSIVE, which may refer to itself in the second part of a UNION.
    fn recursive_cte(&mut self, cte: &ast::Cte, id: CteId, query: &ast::Query) -> Result<(CteBody, Vec<OutputColumn>)> {
        let name = cte.name.name.clone();
        self.level().ctes.push(CteEntry { id, name, columns: None });
        let position = self.level().ctes.len() - 1;
        let result = self.in_level(|binder| match &query.body {
            ast::SetExpr::Operation { op: SetOperator::Union, all, left, right, .. } => {
                binder.union_of_cte(cte, id, query, *all, left, right)
            }
            _ => binder.plain_recursive(cte, query),
        });
        self.level().ctes.truncate(position);
        result
    }

    fn plain_recursive(&mut self, cte: &ast::Cte, query: &ast::Query) -> Result<(CteBody, Vec<OutputColumn>)> {
        let query = self.query_here(query, true).map_err(|error| {
            if error.code() != sqlstate::INVALID_RECURSION {
                return error;
            }
            let message = format!(
                "recursive query \"{}\" does not have the form non-recursive-term UNION [ALL] recursive-term",
                cte.name.name
            );
            Error::new(sqlstate::INVALID_RECURSION, message).at(cte.name.span.start)
        })?;
        let columns = rename(query.columns.clone(), cte)?;
        Ok((CteBody::Query(query), columns))
    }

    fn union_of_cte(
        &mut self,
        cte: &ast::Cte,
        id: CteId,
        query: &ast::Query,
        all: bool,
        left: &ast::SetExpr,
        right: &ast::SetExpr,
    ) -> Result<(CteBody, Vec<OutputColumn>)> {
        let inner = match &query.with {
            Some(with) => self.with_clause(with)?,
            None => Vec::new(),
        };
        let mut seed = self.leg(left, false)?;
        for position in 0..seed.columns.len() {
            if seed.columns[position].ty.oid == oid::UNKNOWN {
                self.coerce_output(&mut seed, position, aegis_catalog::Type::of(oid::TEXT), "UNION")?;
            }
        }
        let columns = rename(seed.columns.clone(), cte)?;
        self.set_cte_columns(id, columns.clone());
        let before = self.references_of(id);
        let step = self.leg(right, false)?;
        let references = self.references_of(id) - before;
        let recursive = references > 0;
        // Its own step is not what it is made for: whoever else refers to it counts.
        self.set_references(id, before);
        if recursive {
            refuse_tail(query)?;
            check_recursion(&cte.name, id, &step, references)?;
        }
        let seed_types: Vec<_> = seed.columns.iter().map(|column| column.ty).collect();
        let mut combined = self.combine(SetOperator::Union, all, seed, step, first_span(right))?;
        if !recursive {
            let tail = Tail {
                order_by: &query.order_by,
                limit: query.limit.as_ref(),
                offset: query.offset.as_ref(),
                locking: &query.locking,
            };
            let mut bound = self.finish_operation(combined, tail)?;
            bound.ctes = self.finish_ctes(inner);
            let columns = rename(bound.columns.clone(), cte)?;
            return Ok((CteBody::Query(bound), columns));
        }
        for (position, (column, seed)) in combined.columns.iter().zip(&seed_types).enumerate() {
            if column.ty.oid != seed.oid || (seed.typmod >= 0 && column.ty.typmod != seed.typmod) {
                let message = format!(
                    "recursive query \"{}\" column {} has type {} in non-recursive term but type {} overall",
                    cte.name.name,
                    position + 1,
                    self.type_name(*seed),
                    self.type_name(column.ty)
                );
                return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message)
                    .with_hint("Cast the output of the non-recursive term to the correct type.")
                    .at(first_span(left).start));
            }
        }
        let super::tree::SetExpr::Operation { mut legs, .. } = combined.body else {
            return Err(Error::internal("a recursive query that is no union"));
        };
        let (Some(step), Some(first)) = (legs.pop(), legs.first()) else {
            return Err(Error::internal("a union without sides"));
        };
        let names = first.columns.clone();
        let mut seed = match legs.len() {
            1 => legs.swap_remove(0),
            _ => Query::bare(super::tree::SetExpr::Operation { op: SetOperator::Union, all: true, legs }, names),
        };
        combined.ctes = self.finish_ctes(inner);
        seed.ctes.splice(0..0, combined.ctes);
        Ok((CteBody::Recursive { seed, step, all }, columns))
    }

    fn set_cte_columns(&mut self, id: CteId, columns: Vec<OutputColumn>) {
        let entries = self.levels.iter_mut().flat_map(|level| &mut level.ctes);
        for entry in entries.filter(|entry| entry.id == id) {
            entry.columns = Some(columns.clone());
        }
    }
}

fn refuse_tail(query: &ast::Query) -> Result<()> {
    let what = if !query.order_by.is_empty() {
        "ORDER BY"
    } else if query.offset.is_some() {
        "OFFSET"
    } else if query.limit.is_some() {
        "LIMIT"
    } else if !query.locking.is_empty() {
        "FOR UPDATE/SHARE"
    } else {
        return Ok(());
    };
    let message = format!("{what} in a recursive query is not implemented");
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
}

/// The columns under the names that the WITH clause gives them.
fn rename(mut columns: Vec<OutputColumn>, cte: &ast::Cte) -> Result<Vec<OutputColumn>> {
    if cte.columns.len() > columns.len() {
        let message = format!(
            "WITH query \"{}\" has {} columns available but {} columns specified",
            cte.name.name,
            columns.len(),
            cte.columns.len()
        );
        return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message).at(cte.name.span.start));
    }
    for (column, Ident { name, .. }) in columns.iter_mut().zip(&cte.columns) {
        column.name.clone_from(name);
    }
    Ok(columns)
}

/// Where a query must not refer to itself (`checkWellFormedRecursion`).
fn check_recursion(name: &Ident, id: CteId, step: &Query, references: usize) -> Result<()> {
    let refuse = |message: String| Err(Error::new(sqlstate::INVALID_RECURSION, message).at(name.span.start));
    let name = &name.name;
    if references > 1 {
        return refuse(format!("recursive reference to query \"{name}\" must not appear more than once"));
    }
    let SetExpr::Select(select) = &step.body else { return Ok(()) };
    let own = select.from.as_ref().is_some_and(|from| mentions(from, id));
    if own && select.grouping.as_ref().is_some_and(|grouping| !grouping.aggregates.is_empty()) {
        return refuse("aggregate functions are not allowed in a recursive query's recursive term".into());
    }
    match &select.from {
        Some(from) if is_nullable(from, id) => {
            refuse(format!("recursive reference to query \"{name}\" must not appear within an outer join"))
        }
        _ => Ok(()),
    }
}

fn mentions(from: &From, id: CteId) -> bool {
    match from {
        From::Cte { cte, .. } => *cte == id,
        From::Join { left, right, .. } => mentions(left, id) || mentions(right, id),
        From::Table { .. } | From::Subquery { .. } | From::Function { .. } => false,
    }
}

/// Whether the CTE stands on a side of an outer join that may be missing.
fn is_nullable(from: &From, id: CteId) -> bool {
    let From::Join { kind, left, right, .. } = from else { return false };
    let here = match kind {
        JoinKind::Left => mentions(right, id),
        JoinKind::Right => mentions(left, id),
        JoinKind::Full => mentions(left, id) || mentions(right, id),
        JoinKind::Inner | JoinKind::Cross => false,
    };
    here || is_nullable(left, id) || is_nullable(right, id)
}
