//! ORDER BY and DISTINCT (PostgreSQL's parse_clause.c): ordinals, output names, expressions.

use aegis_catalog::{Error, Result, sqlstate};

use super::Binder;
use super::aggregate::direction;
use super::scope::Clause;
use super::target_list::Targets;
use super::tree::{Distinct, Expr, SortKey};
use crate::parse::ast;

/// What an item of ORDER BY, GROUP BY or DISTINCT ON means.
pub(super) enum Found {
    /// A target, by position.
    Target(usize),
    New(Expr),
}

impl Binder<'_> {
    /// Resolves an item by SQL-92's rule first (output name or ordinal), then as an expression.
    pub(super) fn clause_expr(&mut self, expr: &ast::Expr, targets: &Targets, clause: Clause) -> Result<Found> {
        let place = clause.place();
        match &expr.kind {
            ast::ExprKind::Column(name) if name.parts.len() == 1 => {
                let name = &name.parts[0].name;
                // GROUP BY prefers input columns, as the standard says.
                let input = clause == Clause::GroupBy && self.is_own_column(name);
                if !input && let Some(position) = targets.named(name, place, expr.span)? {
                    return Ok(Found::Target(position));
                }
            }
            ast::ExprKind::Literal(literal) => return ordinal(literal, false, targets, place, expr),
            ast::ExprKind::Unary { op, arg } if op.name == "-" => {
                if let ast::ExprKind::Literal(literal) = &arg.kind {
                    return ordinal(literal, true, targets, place, expr);
                }
            }
            _ => {}
        }
        let bound = self.expr(expr)?;
        Ok(match targets.position_of(&bound) {
            Some(position) => Found::Target(position),
            None => Found::New(bound),
        })
    }

    fn is_own_column(&mut self, name: &str) -> bool {
        let level = self.level();
        let visible = level.items.iter().filter(|item| item.columns_visible);
        visible.flat_map(|item| &item.columns).any(|column| column.name == name)
    }

    /// Binds ORDER BY; expressions that are no target become hidden ones.
    pub(super) fn order_by(&mut self, keys: &[ast::OrderBy], targets: &mut Targets) -> Result<Vec<SortKey>> {
        self.in_clause(Clause::OrderBy, |binder| {
            let mut sorted: Vec<SortKey> = Vec::with_capacity(keys.len());
            for key in keys {
                let (descending, nulls_first) = direction(key)?;
                let position = binder.sort_target(&key.expr, targets, Clause::OrderBy)?;
                let expr = &targets.entry(position)?.expr;
                binder.ordering(expr.ty.oid, key.expr.span)?;
                if !sorted.iter().any(|other| other.position == position) {
                    sorted.push(SortKey { position, collation: None, descending, nulls_first });
                }
            }
            Ok(sorted)
        })
    }

    fn sort_target(&mut self, expr: &ast::Expr, targets: &mut Targets, clause: Clause) -> Result<usize> {
        Ok(match self.clause_expr(expr, targets, clause)? {
            Found::Target(position) => {
                let resolved = self.resolve_unknown(targets.entry(position)?.expr.clone())?;
                targets.entry_mut(position)?.expr = resolved;
                position
            }
            Found::New(expr) => {
                let expr = self.resolve_unknown(expr)?;
                targets.add_hidden(expr)
            }
        })
    }

    pub(super) fn distinct(
        &mut self,
        distinct: &ast::Distinct,
        targets: &mut Targets,
        sorted: &[SortKey],
    ) -> Result<Distinct> {
        match distinct {
            ast::Distinct::None => Ok(Distinct::None),
            ast::Distinct::Distinct => {
                if let Some(key) = sorted.iter().find(|key| key.position >= targets.visible()) {
                    let message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
                    let at = targets.entry(key.position)?.expr.span.start;
                    return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message).at(at));
                }
                for entry in targets.visible_entries() {
                    if entry.expr.ty.oid != aegis_catalog::types::oid::UNKNOWN {
                        self.equality(entry.expr.ty.oid, entry.expr.span)?;
                    }
                }
                Ok(Distinct::All)
            }
            ast::Distinct::On(exprs) => self.distinct_on(exprs, targets, sorted),
        }
    }

    fn distinct_on(&mut self, exprs: &[ast::Expr], targets: &mut Targets, sorted: &[SortKey]) -> Result<Distinct> {
        let positions = self.in_clause(Clause::DistinctOn, |binder| {
            let mut positions = Vec::with_capacity(exprs.len());
            for expr in exprs {
                let position = binder.sort_target(expr, targets, Clause::DistinctOn)?;
                let expr = &targets.entry(position)?.expr;
                binder.equality(expr.ty.oid, expr.span)?;
                if !positions.contains(&position) {
                    positions.push(position);
                }
            }
            Ok(positions)
        })?;
        let leading = sorted.iter().take_while(|key| positions.contains(&key.position)).count();
        let all_lead = leading == sorted.len() || leading == positions.len();
        if !all_lead {
            let message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
            let at = exprs.first().map_or(0, |expr| expr.span.start);
            return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message).at(at));
        }
        Ok(Distinct::On(positions))
    }
}

fn ordinal(literal: &ast::Literal, negative: bool, targets: &Targets, place: &str, expr: &ast::Expr) -> Result<Found> {
    let ast::Literal::Integer(digits) = literal else {
        let message = format!("non-integer constant in {place}");
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(expr.span.start));
    };
    let position = if negative { None } else { digits.parse::<usize>().ok().and_then(|n| n.checked_sub(1)) };
    match position.filter(|&position| position < targets.visible()) {
        Some(position) => Ok(Found::Target(position)),
        None => {
            let sign = if negative { "-" } else { "" };
            let message = format!("{place} position {sign}{digits} is not in select list");
            Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message).at(expr.span.start))
        }
    }
}
