//! FOR UPDATE and its kin (PostgreSQL's transformLockingClause): what a clause locks, and where it may stand.

use aegis_catalog::{Error, Result, sqlstate};

use super::Binder;
use super::scope::Item;
use super::tree::{Distinct, ExprKind, From, Locking, Query, RelId, Select, SetExpr};
use crate::parse::ast::{self, JoinKind, LockStrength};

impl Binder<'_> {
    pub(super) fn locking(&mut self, clauses: &[ast::Locking], body: &SetExpr) -> Result<Vec<Locking>> {
        let from = match body {
            SetExpr::Select(select) => select.from.as_ref(),
            _ => None,
        };
        let mut bound = Vec::with_capacity(clauses.len());
        for clause in clauses {
            let strength = strength_name(clause.strength);
            let items: Vec<Item> = self.level().items.clone();
            let mut rels: Vec<RelId> = Vec::new();
            if clause.of.is_empty() {
                let all = items.iter().filter_map(rel_of);
                rels.extend(all.filter(|rel| from.is_some_and(|from| lockable(from, *rel).is_ok())));
            }
            for name in &clause.of {
                let [table] = name.parts.as_slice() else {
                    let message = format!("{strength} must specify unqualified relation names");
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(name.span.start));
                };
                let Some(item) = items.iter().find(|item| item.name.as_deref() == Some(&table.name)) else {
                    let message = format!("relation \"{}\" in {strength} clause not found in FROM clause", table.name);
                    return Err(Error::new(sqlstate::UNDEFINED_TABLE, message).at(name.span.start));
                };
                let rel = rel_of(item);
                match from.zip(rel).map_or(Err("a join"), |(from, rel)| lockable(from, rel)) {
                    Ok(()) => rels.extend(rel),
                    Err(kind) => {
                        let message = format!("{strength} cannot be applied to {kind}");
                        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(name.span.start));
                    }
                }
            }
            if let Some(from) = from {
                check(from, &|rel| rels.contains(&rel), false, strength)?;
            }
            bound.push(Locking { rels, strength: clause.strength, wait: clause.wait });
        }
        Ok(bound)
    }
}

/// The relation that an item of FROM is.
fn rel_of(item: &Item) -> Option<RelId> {
    let table = item.table.as_ref().map(|(rel, _)| *rel);
    table.or_else(|| match item.columns.first()?.expr.kind {
        ExprKind::Column { rel, .. } => Some(rel),
        _ => None,
    })
}

/// Can the relation be locked? If not, what it is.
fn lockable(from: &From, wanted: RelId) -> Result<(), &'static str> {
    match from {
        From::Table { rel, .. } if *rel == wanted => Ok(()),
        From::Subquery { rel, query, .. } if *rel == wanted => match query.body {
            SetExpr::Values(_) => Err("VALUES"),
            _ => Ok(()),
        },
        From::Function { rel, .. } if *rel == wanted => Err("a function"),
        From::Cte { rel, .. } if *rel == wanted => Err("a WITH query"),
        From::Join { left, right, .. } => lockable(left, wanted).or_else(|kind| match lockable(right, wanted) {
            Err("a join") => Err(kind),
            found => found,
        }),
        _ => Err("a join"),
    }
}

/// 0A000 for rows that an outer join may leave out, and for sub-queries whose rows are not those of tables.
fn check(from: &From, locked: &dyn Fn(RelId) -> bool, nullable: bool, strength: &str) -> Result<()> {
    match from {
        From::Table { rel, .. } | From::Subquery { rel, .. } if nullable && locked(*rel) => {
            let message = format!("{strength} cannot be applied to the nullable side of an outer join");
            Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
        }
        From::Subquery { rel, query, .. } if locked(*rel) => check_subquery(query, strength),
        From::Join { kind, left, right, .. } => {
            let (left_nullable, right_nullable) = match kind {
                JoinKind::Left => (false, true),
                JoinKind::Right => (true, false),
                JoinKind::Full => (true, true),
                _ => (false, false),
            };
            check(left, locked, nullable || left_nullable, strength)?;
            check(right, locked, nullable || right_nullable, strength)
        }
        _ => Ok(()),
    }
}

fn check_subquery(query: &Query, strength: &str) -> Result<()> {
    match &query.body {
        SetExpr::Operation { .. } => refuse(strength, "UNION/INTERSECT/EXCEPT"),
        SetExpr::Values(_) => Ok(()),
        SetExpr::Select(select) => {
            if select.distinct != Distinct::None {
                return refuse(strength, "DISTINCT clause");
            }
            check_rows(select, strength)?;
            match &select.from {
                Some(from) => check(from, &|_| true, false, strength),
                None => Ok(()),
            }
        }
    }
}

fn check_rows(select: &Select, strength: &str) -> Result<()> {
    if let Some(grouping) = &select.grouping {
        let written = !grouping.keys.is_empty() || grouping.sets.is_some();
        return refuse(strength, if written { "GROUP BY clause" } else { "aggregate functions" });
    }
    if select.having.is_some() {
        return refuse(strength, "HAVING clause");
    }
    if select.windows.is_some() {
        return refuse(strength, "window functions");
    }
    if select.set_functions.is_some() {
        return refuse(strength, "set-returning functions in the target list");
    }
    Ok(())
}

fn refuse<T>(strength: &str, with: &str) -> Result<T> {
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("{strength} is not allowed with {with}")))
}

/// 0A000 for a clause of a query whose rows are not those of tables.
pub(super) fn check_written(select: &ast::Select, bound: &Select, locking: &[ast::Locking]) -> Result<()> {
    let Some(lock) = locking.first() else { return Ok(()) };
    let strength = strength_name(lock.strength);
    if select.distinct != ast::Distinct::None {
        return refuse(strength, "DISTINCT clause");
    }
    if !select.group_by.is_empty() {
        return refuse(strength, "GROUP BY clause");
    }
    if select.having.is_some() {
        return refuse(strength, "HAVING clause");
    }
    check_rows(bound, strength)
}

fn strength_name(strength: LockStrength) -> &'static str {
    match strength {
        LockStrength::Update => "FOR UPDATE",
        LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
        LockStrength::Share => "FOR SHARE",
        LockStrength::KeyShare => "FOR KEY SHARE",
    }
}
