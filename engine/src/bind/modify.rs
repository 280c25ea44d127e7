//! UPDATE and DELETE (PostgreSQL's transformUpdateStmt and transformDeleteStmt).

use aegis_catalog::object::{Column, Identity, Relation};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::Binder;
use super::assign::Target;
use super::insert::is_default;
use super::scope::{Clause, Item, Level};
use super::tree::{Delete, Expr, ExprKind, From, RelId, Subquery, SubqueryKind, Through, Update};
use super::updatable::{Change, TargetTable, check_changeable};
use crate::parse::ast::{self, Assignment, TableExpr, TargetStep};

impl Binder<'_> {
    pub(super) fn update(&mut self, update: &ast::Update) -> Result<Update> {
        self.levels.push(Level::new(Clause::From));
        let result = self.update_here(update);
        self.levels.pop();
        result
    }

    fn update_here(&mut self, update: &ast::Update) -> Result<Update> {
        let ctes = match &update.with {
            Some(with) => self.with_clause(with)?,
            None => Vec::new(),
        };
        let target = self.target_table(&update.table, Change::Update)?;
        let old = self.target_row(&target, update.alias.as_ref(), Change::Update)?;
        let rel = old.rel;
        let mut from = self.changed_table(old.item, &update.from)?;
        let set = self.in_clause(Clause::UpdateSource, |binder| binder.assignments(&update.set, &target, rel))?;
        let filter = self.where_clause(update.filter.as_ref())?;
        let filter = shown(old.conditions, filter, old.through.as_deref());
        let new = self.target_row(&target, update.alias.as_ref(), Change::Update)?;
        let (table, new_rel, through) = (target.table, new.rel, old.through);
        let mut row_rules = self.row_rules(&table, new_rel)?;
        row_rules.checks.extend(new.checks);
        if let Some(item) = self.level().items.first_mut() {
            *item = new.item;
        }
        let returning = self.returning(&update.returning)?;
        from.iter_mut().for_each(|from| self.keep_asked_presence(from));
        let (ctes, only) = (self.finish_ctes(ctes), update.only || old.only);
        Ok(Update { ctes, table, only, rel, from, filter, set, new_rel, row_rules, returning, through })
    }

    pub(super) fn delete(&mut self, delete: &ast::Delete) -> Result<Delete> {
        self.levels.push(Level::new(Clause::From));
        let result = self.delete_here(delete);
        self.levels.pop();
        result
    }

    fn delete_here(&mut self, delete: &ast::Delete) -> Result<Delete> {
        let ctes = match &delete.with {
            Some(with) => self.with_clause(with)?,
            None => Vec::new(),
        };
        let target = self.target_table(&delete.table, Change::Delete)?;
        let row = self.target_row(&target, delete.alias.as_ref(), Change::Delete)?;
        let (table, rel) = (target.table, row.rel);
        let mut using = self.changed_table(row.item, &delete.using)?;
        let filter = self.where_clause(delete.filter.as_ref())?;
        let filter = shown(row.conditions, filter, row.through.as_deref());
        let returning = self.returning(&delete.returning)?;
        using.iter_mut().for_each(|using| self.keep_asked_presence(using));
        let (ctes, only, through) = (self.finish_ctes(ctes), delete.only || row.only, row.through);
        Ok(Delete { ctes, table, only, rel, using, filter, returning, through })
    }

    /// Puts the changed table and the tables joined to it in sight; the latter's sub-queries do not see the former.
    pub(super) fn changed_table(&mut self, mut item: Item, others: &[TableExpr]) -> Result<Option<From>> {
        item.lateral_only = true;
        item.lateral_ok = false;
        self.level().items.push(item);
        let from = self.from_list(others)?;
        for item in &mut self.level().items {
            item.lateral_only = false;
            item.lateral_ok = true;
        }
        Ok(from)
    }

    /// SET lists of UPDATE and ON CONFLICT DO UPDATE; `rel` is the row that is changed.
    pub(super) fn assignments(
        &mut self,
        list: &[Assignment],
        target_table: &TargetTable,
        rel: RelId,
    ) -> Result<Vec<(i16, Expr)>> {
        let table = &target_table.table;
        let mut set: Vec<(i16, Expr)> = Vec::with_capacity(list.len());
        for assignment in list {
            match assignment {
                Assignment::One { target, value } => {
                    let target = self.target(&target_table.names, target)?;
                    let value = self.assigned_value(target_table, &target, value)?;
                    self.add_assignment(&mut set, &target, value, table, rel)?;
                }
                Assignment::Row { targets, value } => self.assign_row(&mut set, targets, value, target_table, rel)?,
            }
        }
        Ok(set)
    }

    fn assigned_value(&mut self, table: &TargetTable, target: &Target, value: &ast::Expr) -> Result<Expr> {
        check_changeable(&table.names, &target.column, Change::Update)?;
        if is_default(value) {
            reject_default(target)?;
            return self.default_of(&table.table, &target.column);
        }
        check_updatable(&target.column)?;
        let value = self.expr(value)?;
        self.assign_to(value, target)
    }

    /// Assignments to parts of one column build on each other.
    fn add_assignment(
        &mut self,
        set: &mut Vec<(i16, Expr)>,
        target: &Target,
        value: Expr,
        table: &Relation,
        rel: RelId,
    ) -> Result<()> {
        let column = &target.column;
        let before = set.iter().position(|(attnum, _)| *attnum == column.attnum);
        let is_part = |expr: &Expr| match &expr.kind {
            ExprKind::Cast { arg, .. } => is_store(arg),
            _ => is_store(expr),
        };
        if before.and_then(|before| set.get(before)).is_some_and(|(_, old)| target.path.is_empty() || !is_part(old)) {
            let message = format!("multiple assignments to same column \"{}\"", column.name);
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
        }
        if column.generated {
            return Ok(());
        }
        let old = match before {
            Some(before) => super::assign::unverified(set.remove(before).1),
            None => super::column_of(table, rel, column.attnum).ok_or_else(|| Error::internal("no such column"))?,
        };
        let value = self.stored_in(old, target, value)?;
        set.push((column.attnum, value));
        Ok(())
    }

    fn assign_row(
        &mut self,
        set: &mut Vec<(i16, Expr)>,
        targets: &[ast::AssignTarget],
        value: &ast::Expr,
        target_table: &TargetTable,
        rel: RelId,
    ) -> Result<()> {
        let (table, names) = (&target_table.table, &target_table.names);
        let mismatch = |at: u32| {
            let message = "number of columns does not match number of values";
            Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(at))
        };
        match &value.kind {
            // `(v.*)` is no row of its own.
            ast::ExprKind::Row { fields, explicit } if *explicit || fields.len() > 1 || targets.len() == 1 => {
                let fields = self.starred(fields)?;
                if fields.len() != targets.len() {
                    return mismatch(value.span.start);
                }
                for (target, field) in targets.iter().zip(&fields) {
                    let target = self.target(names, target)?;
                    let value = self.assigned_value(target_table, &target, field)?;
                    self.add_assignment(set, &target, value, table, rel)?;
                }
                Ok(())
            }
            ast::ExprKind::ScalarQuery(query) => {
                let query = self.query(query, true)?;
                if query.columns.len() != targets.len() {
                    return mismatch(value.span.start);
                }
                let types: Vec<_> = query.columns.iter().map(|column| column.ty).collect();
                let kind = ExprKind::Subquery(Box::new(Subquery { kind: SubqueryKind::Row, query }));
                let row = Expr { kind, ty: Type::of(oid::RECORD), span: value.span };
                for ((target, ty), index) in targets.iter().zip(types).zip(0..) {
                    let target = self.target(names, target)?;
                    check_changeable(names, &target.column, Change::Update)?;
                    check_updatable(&target.column)?;
                    let kind = ExprKind::Field { arg: Box::new(row.clone()), index };
                    let value = self.assign_to(Expr { kind, ty, span: value.span }, &target)?;
                    self.add_assignment(set, &target, value, table, rel)?;
                }
                Ok(())
            }
            _ if targets.len() == 1 => {
                let (Some(target), []) = (targets.first(), targets.get(1..).unwrap_or_default()) else {
                    return Err(Error::internal("no target"));
                };
                let target = self.target(names, target)?;
                let value = self.assigned_value(target_table, &target, value)?;
                self.add_assignment(set, &target, value, table, rel)
            }
            _ => {
                let message = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(value.span.start))
            }
        }
    }
}

/// The rows that the views show and the statement's condition chooses. Behind a security barrier the latter is asked only for those.
fn shown(mut conditions: Vec<Expr>, filter: Option<Expr>, through: Option<&Through>) -> Option<Expr> {
    let boolean = |kind: ExprKind| Expr { kind, ty: Type::of(oid::BOOL), span: ast::Span::default() };
    if conditions.is_empty() {
        return filter;
    }
    let Some(filter) = filter else { return Some(boolean(ExprKind::And(conditions))) };
    if !through.is_some_and(|through| through.barrier) {
        conditions.push(filter);
        return Some(boolean(ExprKind::And(conditions)));
    }
    let visible = boolean(ExprKind::And(conditions));
    let no = boolean(ExprKind::Constant(datafusion::scalar::ScalarValue::Boolean(Some(false))));
    let kind = ExprKind::Case { operand: None, branches: vec![(visible, filter)], otherwise: Some(Box::new(no)) };
    Some(boolean(kind))
}

/// A part of a value has no default.
pub(super) fn reject_default(target: &Target) -> Result<()> {
    let what = match target.path.last() {
        None => return Ok(()),
        Some(TargetStep::Field(_)) => "a subfield",
        Some(TargetStep::Subscripts(_)) => "an array element",
    };
    let message = format!("cannot set {what} to DEFAULT");
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(target.span.start))
}

fn is_store(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::FieldStore { .. } | ExprKind::SubscriptStore { .. })
}

fn check_updatable(column: &Column) -> Result<()> {
    let name = &column.name;
    let detail = if column.generated {
        format!("Column \"{name}\" is a generated column.")
    } else if column.identity == Some(Identity::Always) {
        format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS.")
    } else {
        return Ok(());
    };
    let message = format!("column \"{name}\" can only be updated to DEFAULT");
    Err(Error::new(sqlstate::GENERATED_ALWAYS, message).with_detail(detail))
}
