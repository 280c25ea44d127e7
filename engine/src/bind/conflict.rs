//! ON CONFLICT (PostgreSQL's transformOnConflictClause and infer_arbiter_indexes).

use std::sync::Arc;

use aegis_catalog::definition::Printer;
use aegis_catalog::object::{ConstraintKind, Index, Relation};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::Binder;
use super::scope::Clause;
use super::tree::{ConflictUpdate, Expr, ExprKind, OnConflict, RelId};
use super::updatable::{Change, TargetRow, TargetTable};
use crate::deparse::{self, Layout, Target};
use crate::parse::ast::{self, ConflictTarget, Ident, Span, TableAlias};

impl Binder<'_> {
    pub(super) fn on_conflict(
        &mut self,
        conflict: &ast::OnConflict,
        target: &TargetTable,
        alias: Option<&TableAlias>,
    ) -> Result<OnConflict> {
        let table = &target.table;
        let row = self.target_row(target, alias, Change::Insert)?;
        let existing = row.rel;
        let arbiters = match &conflict.target {
            ConflictTarget::Any => {
                if conflict.update.is_some() {
                    let message = "ON CONFLICT DO UPDATE requires inference specification or constraint name";
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message)
                        .with_hint("For example, ON CONFLICT (column_name)."));
                }
                Vec::new()
            }
            ConflictTarget::Constraint(name) => vec![constraint_index(table, name)?],
            ConflictTarget::Columns { keys, predicate } => {
                self.level().items = vec![row.item.clone()];
                self.infer_arbiters(table, existing, keys, predicate.as_ref())?
            }
        };
        let update = match &conflict.update {
            Some(update) => Some(self.conflict_update(update, target, row)?),
            None => None,
        };
        Ok(OnConflict { arbiters, update })
    }

    fn conflict_update(
        &mut self,
        update: &ast::ConflictUpdate,
        target: &TargetTable,
        row: TargetRow,
    ) -> Result<ConflictUpdate> {
        let name = Ident { name: "excluded".into(), span: Span::default() };
        let excluded_alias = TableAlias { name, columns: Vec::new() };
        let proposed = self.target_row(target, Some(&excluded_alias), Change::Insert)?;
        let (existing, excluded) = (row.rel, proposed.rel);
        self.level().items = vec![row.item, proposed.item];
        let set = self.in_clause(Clause::UpdateSource, |binder| binder.assignments(&update.set, target, existing))?;
        let filter = self.where_clause(update.filter.as_ref())?;
        Ok(ConflictUpdate { existing, excluded, set, filter })
    }

    /// Unique indexes whose keys are exactly the given ones.
    fn infer_arbiters(
        &mut self,
        table: &Arc<Relation>,
        rel: RelId,
        keys: &[ast::Expr],
        predicate: Option<&ast::Expr>,
    ) -> Result<Vec<Oid>> {
        let bound = self.in_clause(Clause::IndexExpression, |binder| {
            keys.iter().map(|key| binder.expr(key)).collect::<Result<Vec<_>>>()
        })?;
        let predicate = match predicate {
            Some(predicate) => Some(self.in_clause(Clause::IndexPredicate, |binder| binder.expr(predicate))?),
            None => None,
        };
        let mut wanted: Vec<Expr> = Vec::new();
        for key in bound {
            if !wanted.contains(&key) {
                wanted.push(key);
            }
        }
        let candidates: Vec<Arc<Relation>> = self.catalog.indexes_of(table.oid).cloned().collect();
        let mut arbiters = Vec::new();
        for candidate in &candidates {
            let Some(index) = candidate.index().filter(|index| index.unique) else { continue };
            if self.index_arbitrates(table, rel, index, &wanted, predicate.as_ref())? {
                arbiters.push(candidate.oid);
            }
        }
        if arbiters.is_empty() {
            let message = "there is no unique or exclusion constraint matching the ON CONFLICT specification";
            return Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message));
        }
        Ok(arbiters)
    }

    fn index_arbitrates(
        &mut self,
        table: &Arc<Relation>,
        rel: RelId,
        index: &Index,
        wanted: &[Expr],
        predicate: Option<&Expr>,
    ) -> Result<bool> {
        let mut keys = Vec::with_capacity(index.keys.len());
        for key in &index.keys {
            keys.push(match &key.expression {
                Some(text) => self.over_row(table, rel, text, Clause::IndexExpression)?,
                None => {
                    let position = table.columns.iter().position(|column| column.attnum == key.attnum);
                    let Some(position) = position else { return Ok(false) };
                    let ty = table.columns[position].ty;
                    Expr { kind: ExprKind::Column { rel, column: position }, ty, span: Span::default() }
                }
            });
        }
        let same_keys = wanted.iter().all(|key| keys.contains(key)) && keys.iter().all(|key| wanted.contains(key));
        if !same_keys {
            return Ok(false);
        }
        // A partial index arbitrates if the one given implies its predicate.
        let Some(own) = &index.predicate else { return Ok(true) };
        let Some(given) = predicate else { return Ok(false) };
        let own = self.over_row(table, rel, own, Clause::IndexPredicate)?;
        let (own, given) = (self.conjuncts(&own, rel, table)?, self.conjuncts(given, rel, table)?);
        Ok(own.iter().all(|condition| given.contains(condition)))
    }

    /// The conditions that AND joins, as text: in stored text casts are written that a statement leaves out.
    fn conjuncts(&self, predicate: &Expr, rel: RelId, table: &Relation) -> Result<Vec<String>> {
        let parts = match &predicate.kind {
            ExprKind::And(parts) => parts.as_slice(),
            _ => std::slice::from_ref(predicate),
        };
        let printer = Printer { catalog: &self.catalog, search_path: &self.context.search_path };
        let target = Target { printer, format: &self.context.format, layout: Layout::STORED };
        parts.iter().map(|part| deparse::expression(part, rel, table, target)).collect()
    }
}

fn constraint_index(table: &Relation, name: &Ident) -> Result<Oid> {
    let found = table.constraints().iter().find(|constraint| constraint.name == name.name);
    match found.map(|constraint| &constraint.kind) {
        Some(ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. }) => Ok(*index),
        Some(_) => {
            let message = "constraint in ON CONFLICT clause has no associated index";
            Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(name.span.start))
        }
        None => {
            let message = format!("constraint \"{}\" for table \"{}\" does not exist", name.name, table.name);
            Err(Error::new(sqlstate::UNDEFINED_OBJECT, message))
        }
    }
}
