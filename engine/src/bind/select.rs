//! One SELECT: FROM, WHERE, targets, grouping, windows, set-returning functions, DISTINCT.

use aegis_catalog::{Error, Result, sqlstate};

use super::scope::Clause;
use super::target_list::Targets;
use super::tree::{Expr, From, Select, SetFunctions, SortKey, Windows};
use super::{Binder, RelSource};
use crate::parse::ast;

impl Binder<'_> {
    /// Gives the current level what a SELECT needs.
    pub(super) fn prepare_level(&mut self) {
        let (grouping, windows, sets) =
            (self.new_rel(RelSource::Internal), self.new_rel(RelSource::Internal), self.new_rel(RelSource::Internal));
        let level = self.level();
        level.grouping_rel = grouping;
        level.windows_rel = windows;
        level.sets_rel = sets;
    }

    /// Binds a SELECT in the current level. With `resolve`, outputs of unknown type become text.
    pub(super) fn select(
        &mut self,
        select: &ast::Select,
        order_by: &[ast::OrderBy],
        resolve: bool,
    ) -> Result<(Select, Targets, Vec<SortKey>)> {
        self.prepare_level();
        let from = self.from_list(&select.from)?;
        for (position, (name, _)) in select.windows.iter().enumerate() {
            if select.windows.iter().take(position).any(|(other, _)| other.name == name.name) {
                let message = format!("window \"{}\" is already defined", name.name);
                return Err(Error::new(sqlstate::WINDOWING_ERROR, message).at(name.span.start));
            }
        }
        self.level().named_windows = select.windows.clone();
        let targets = self.in_clause(Clause::Target, |binder| binder.target_list(&select.targets))?;
        let filter = self.where_clause(select.filter.as_ref())?;
        let having = match &select.having {
            Some(having) => self.in_clause(Clause::Having, |binder| {
                let having = binder.expr(having)?;
                binder.coerce_to_boolean(having, "HAVING").map(Some)
            })?,
            None => None,
        };
        self.finish_select(select, from, filter, having, targets, order_by, resolve)
    }

    fn finish_select(
        &mut self,
        select: &ast::Select,
        mut from: Option<From>,
        filter: Option<Expr>,
        mut having: Option<Expr>,
        mut targets: Targets,
        order_by: &[ast::OrderBy],
        resolve: bool,
    ) -> Result<(Select, Targets, Vec<SortKey>)> {
        let order_by = self.order_by(order_by, &mut targets)?;
        let mut keys = self.group_by(select, &mut targets)?;
        let distinct = self.distinct(&select.distinct, &mut targets, &order_by)?;
        if resolve {
            self.resolve_targets(&mut targets)?;
        }
        from.iter_mut().for_each(|from| self.keep_asked_presence(from));
        if self.groups_by_sets(&keys) {
            from = Some(self.sets_into_from(&mut keys, &mut targets, &mut having, from)?);
        }
        let grouping = match self.is_grouped(select) {
            true => Some(self.apply_grouping(keys, &mut targets, &mut having)?),
            false => None,
        };
        let windows = self.take_windows();
        let set_functions = self.take_set_functions();
        let bound = Select { from, filter, grouping, having, windows, set_functions, targets: Vec::new(), distinct };
        Ok((bound, targets, order_by))
    }

    pub(super) fn where_clause(&mut self, filter: Option<&ast::Expr>) -> Result<Option<Expr>> {
        let Some(filter) = filter else { return Ok(None) };
        self.in_clause(Clause::Where, |binder| {
            let filter = binder.expr(filter)?;
            binder.coerce_to_boolean(filter, "WHERE").map(Some)
        })
    }

    pub(super) fn resolve_targets(&mut self, targets: &mut Targets) -> Result<()> {
        for entry in targets.entries_mut() {
            if entry.expr.ty.oid == aegis_catalog::types::oid::UNKNOWN {
                entry.expr = self.resolve_unknown(entry.expr.clone())?;
            }
        }
        Ok(())
    }

    fn take_windows(&mut self) -> Option<Windows> {
        let level = self.level();
        let mut calls = std::mem::take(&mut level.windows);
        // A window is only named where some call shows what it is, without another name.
        let plain = calls.iter().filter(|call| call.base.is_none()).filter_map(|call| call.window.clone());
        let plain: Vec<String> = plain.collect();
        for call in &mut calls {
            call.base = call.base.take().filter(|(base, _)| plain.contains(base));
        }
        (!calls.is_empty()).then_some(Windows { rel: level.windows_rel, calls })
    }

    pub(super) fn take_set_functions(&mut self) -> Option<SetFunctions> {
        let level = self.level();
        let calls = std::mem::take(&mut level.sets);
        (!calls.is_empty()).then_some(SetFunctions { rel: level.sets_rel, calls })
    }
}
