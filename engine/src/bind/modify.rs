//! UPDATE and DELETE (PostgreSQL's transformUpdateStmt and transformDeleteStmt).

use std::sync::Arc;

use aegis_catalog::object::{Column, Identity, Relation};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::insert::is_default;
use super::scope::{Clause, Level};
use super::tree::{Delete, Expr, ExprKind, From, RelId, Subquery, SubqueryKind, Update};
use super::{Binder, RelSource};
use crate::parse::ast::{self, Assignment, TableAlias, TableExpr};

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
        let table = self.target_table(&update.table, "UPDATE")?;
        let (rel, from) = self.changed_table(&table, update.alias.as_ref(), &update.from)?;
        let set = self.in_clause(Clause::UpdateSource, |binder| binder.assignments(&update.set, &table))?;
        let filter = self.where_clause(update.filter.as_ref())?;
        let new_rel = self.new_rel(RelSource::Table(table.clone()));
        let row_rules = self.row_rules(&table, new_rel)?;
        self.rename_target(rel, new_rel, &table, update.alias.as_ref())?;
        let returning = self.returning(&update.returning)?;
        Ok(Update { ctes: self.finish_ctes(ctes), table, rel, from, filter, set, new_rel, row_rules, returning })
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
        let table = self.target_table(&delete.table, "DELETE")?;
        let (rel, using) = self.changed_table(&table, delete.alias.as_ref(), &delete.using)?;
        let filter = self.where_clause(delete.filter.as_ref())?;
        let returning = self.returning(&delete.returning)?;
        Ok(Delete { ctes: self.finish_ctes(ctes), table, rel, using, filter, returning })
    }

    /// Puts the changed table and the tables joined to it in sight; the latter's sub-queries do not see the former.
    fn changed_table(
        &mut self,
        table: &Arc<Relation>,
        alias: Option<&TableAlias>,
        others: &[TableExpr],
    ) -> Result<(RelId, Option<From>)> {
        let rel = self.new_rel(RelSource::Table(table.clone()));
        let mut item = self.table_item(rel, table, alias)?;
        item.lateral_only = true;
        item.lateral_ok = false;
        self.level().items.push(item);
        let from = self.from_list(others)?;
        for item in &mut self.level().items {
            item.lateral_only = false;
            item.lateral_ok = true;
        }
        Ok((rel, from))
    }

    /// RETURNING sees the new row under the table's name.
    fn rename_target(
        &mut self,
        rel: RelId,
        new_rel: RelId,
        table: &Arc<Relation>,
        alias: Option<&TableAlias>,
    ) -> Result<()> {
        let new_item = self.table_item(new_rel, table, alias)?;
        for item in &mut self.level().items {
            if item.table.as_ref().is_some_and(|(other, _)| *other == rel) {
                *item = new_item.clone();
            }
        }
        Ok(())
    }

    /// SET lists of UPDATE and ON CONFLICT DO UPDATE.
    pub(super) fn assignments(&mut self, list: &[Assignment], table: &Arc<Relation>) -> Result<Vec<(i16, Expr)>> {
        let mut set: Vec<(i16, Expr)> = Vec::with_capacity(list.len());
        for assignment in list {
            match assignment {
                Assignment::One { target, value } => {
                    let column = self.target_column(table, target)?.clone();
                    let value = self.assigned_value(table, &column, value)?;
                    add_assignment(&mut set, &column, value)?;
                }
                Assignment::Row { targets, value } => self.assign_row(&mut set, targets, value, table)?,
            }
        }
        Ok(set)
    }

    fn assigned_value(&mut self, table: &Arc<Relation>, column: &Column, value: &ast::Expr) -> Result<Expr> {
        if is_default(value) {
            return self.default_of(table, column);
        }
        check_updatable(column)?;
        let value = self.expr(value)?;
        self.assign(value, column)
    }

    fn assign_row(
        &mut self,
        set: &mut Vec<(i16, Expr)>,
        targets: &[ast::AssignTarget],
        value: &ast::Expr,
        table: &Arc<Relation>,
    ) -> Result<()> {
        let mismatch = |at: u32| {
            let message = "number of columns does not match number of values";
            Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(at))
        };
        match &value.kind {
            ast::ExprKind::Row { fields, .. } => {
                if fields.len() != targets.len() {
                    return mismatch(value.span.start);
                }
                for (target, field) in targets.iter().zip(fields) {
                    let column = self.target_column(table, target)?.clone();
                    let value = self.assigned_value(table, &column, field)?;
                    add_assignment(set, &column, value)?;
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
                    let column = self.target_column(table, target)?.clone();
                    check_updatable(&column)?;
                    let kind = ExprKind::Field { arg: Box::new(row.clone()), index };
                    let value = self.assign(Expr { kind, ty, span: value.span }, &column)?;
                    add_assignment(set, &column, value)?;
                }
                Ok(())
            }
            _ if targets.len() == 1 => {
                let (Some(target), []) = (targets.first(), targets.get(1..).unwrap_or_default()) else {
                    return Err(Error::internal("no target"));
                };
                let column = self.target_column(table, target)?.clone();
                let value = self.assigned_value(table, &column, value)?;
                add_assignment(set, &column, value)
            }
            _ => {
                let message = "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression";
                Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(value.span.start))
            }
        }
    }
}

fn add_assignment(set: &mut Vec<(i16, Expr)>, column: &Column, value: Expr) -> Result<()> {
    if set.iter().any(|(attnum, _)| *attnum == column.attnum) {
        let message = format!("multiple assignments to same column \"{}\"", column.name);
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
    }
    if !column.generated {
        set.push((column.attnum, value));
    }
    Ok(())
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
