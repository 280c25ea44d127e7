//! MERGE (PostgreSQL's parse_merge.c).

use aegis_catalog::{Error, Result, sqlstate};

use super::scope::{Clause, Level};
use super::tree::{Expr, From, Merge, MergeAction, MergeKind, RelId};
use super::updatable::{Change, TargetTable};
use super::{Binder, RelSource};
use crate::parse::ast;

impl Binder<'_> {
    pub(super) fn merge(&mut self, merge: &ast::Merge) -> Result<Merge> {
        self.levels.push(Level::new(Clause::From));
        let result = self.merge_here(merge);
        self.levels.pop();
        result
    }

    fn merge_here(&mut self, merge: &ast::Merge) -> Result<Merge> {
        check_reachable(merge)?;
        let ctes = match &merge.with {
            Some(with) if with.recursive => {
                let message = "WITH RECURSIVE is not supported for MERGE statement";
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
            }
            Some(with) => self.with_clause(with)?,
            None => Vec::new(),
        };
        let target = self.merged_table(&merge.table)?;
        let row = self.target_row(&target, merge.alias.as_ref(), Change::Update)?;
        let (table, rel) = (target.table.clone(), row.rel);
        let source = std::slice::from_ref(&merge.source);
        let source = self.changed_table(row.item, source)?;
        let mut source: From = source.ok_or_else(|| Error::internal("MERGE without a source"))?;
        let condition = self.in_clause(Clause::JoinOn, |binder| {
            let condition = binder.expr(&merge.condition)?;
            binder.coerce_to_boolean(condition, "JOIN/ON")
        })?;
        let mut actions = Vec::with_capacity(merge.actions.len());
        for when in &merge.actions {
            self.show_target(rel, when.matched);
            let action = self.merge_action(when, &target, rel)?;
            actions.push(action);
        }
        self.show_target(rel, true);
        let new_rel = self.new_rel(RelSource::Table(table.clone()));
        let row_rules = self.row_rules(&table, new_rel)?;
        let action_rel = self.new_rel(RelSource::Internal);
        self.keep_asked_presence(&mut source);
        let ctes = self.finish_ctes(ctes);
        Ok(Merge { ctes, table, rel, source, condition, actions, new_rel, row_rules, action_rel })
    }

    /// The table that MERGE changes: PostgreSQL 15 does not merge into views.
    fn merged_table(&mut self, name: &ast::Name) -> Result<TargetTable> {
        let relation = self.relation_named(name)?;
        if relation.view().is_none() {
            return self.target_table(name, Change::Update);
        }
        let message = format!("cannot execute MERGE on relation \"{}\"", relation.name);
        let detail = "This operation is not supported for views.";
        Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).with_detail(detail).at(name.span.start))
    }

    /// Rows that are not matched have no row of the target.
    fn show_target(&mut self, rel: RelId, shown: bool) {
        for item in &mut self.level().items {
            if item.table.as_ref().is_some_and(|(other, _)| *other == rel) {
                item.lateral_only = !shown;
                item.lateral_ok = shown;
            }
        }
    }

    fn merge_action(&mut self, when: &ast::MergeWhen, table: &TargetTable, rel: RelId) -> Result<MergeAction> {
        let condition: Option<Expr> = match &when.condition {
            Some(condition) => Some(self.in_clause(Clause::MergeWhen, |binder| {
                let condition = binder.expr(condition)?;
                binder.coerce_to_boolean(condition, "WHEN")
            })?),
            None => None,
        };
        let kind = match &when.action {
            ast::MergeAction::Update(set) => {
                MergeKind::Update(self.in_clause(Clause::UpdateSource, |binder| binder.assignments(set, table, rel))?)
            }
            ast::MergeAction::Insert(insert) => MergeKind::Insert(self.merge_values(insert, &table.table)?),
            ast::MergeAction::Delete => MergeKind::Delete,
            ast::MergeAction::Nothing => MergeKind::Nothing,
        };
        Ok(MergeAction { matched: when.matched, condition, kind })
    }
}

/// Nothing may follow an action without a condition.
fn check_reachable(merge: &ast::Merge) -> Result<()> {
    for matched in [true, false] {
        let mut actions = merge.actions.iter().filter(|when| when.matched == matched);
        if actions.any(|when| when.condition.is_none()) && actions.next().is_some() {
            let message = "unreachable WHEN clause specified after unconditional WHEN clause";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
        }
    }
    Ok(())
}
