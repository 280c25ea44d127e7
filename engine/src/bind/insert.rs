//! INSERT (PostgreSQL's transformInsertStmt and rewriteTargetListIU).

use std::sync::Arc;

use aegis_catalog::object::{Column, Identity, Relation};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::assign::Target;
use super::from::column_expr;
use super::query::same_width;
use super::scope::{Clause, Level};
use super::tree::{Expr, Insert, OutputColumn, Query, RelId, SetExpr};
use super::updatable::{Change, TargetTable, check_changeable};
use super::{Binder, RelSource};
use crate::parse::ast::{self, InsertSource, Overriding, Span, TableAlias};

/// The rows to insert: a query and, per named column, the value over it.
struct Source {
    query: Query,
    rel: RelId,
    values: Vec<(Target, Expr)>,
}

impl Binder<'_> {
    pub(super) fn insert(&mut self, insert: &ast::Insert) -> Result<Insert> {
        self.levels.push(Level::new(Clause::Insert));
        let result = self.insert_here(insert);
        self.levels.pop();
        result
    }

    fn insert_here(&mut self, insert: &ast::Insert) -> Result<Insert> {
        let ctes = match &insert.with {
            Some(with) => self.with_clause(with)?,
            None => Vec::new(),
        };
        let target = self.target_table(&insert.table, Change::Insert)?;
        let columns = self.insert_columns(&target.names, &insert.columns)?;
        let source = self.insert_source(insert, &target, &columns)?;
        let mut values = self.combined(source.values)?;
        let computed = target.names.live_columns().find(|column| column.attnum == 0 && column.default.is_some());
        if let Some(column) = computed {
            check_changeable(&target.names, column, Change::Insert)?;
        }
        // What a view computes is not stored.
        values.retain(|(attnum, _)| *attnum != 0);
        let table = target.table.clone();
        for column in table.live_columns() {
            let given = values.iter().any(|(attnum, _)| *attnum == column.attnum);
            if !given && !column.generated {
                values.push((column.attnum, self.default_of(&table, target.named(column))?));
            }
        }
        values.sort_by_key(|(attnum, _)| *attnum);
        let alias = insert.alias.as_ref().map(|name| TableAlias { name: name.clone(), columns: Vec::new() });
        let row = self.target_row(&target, alias.as_ref(), Change::Insert)?;
        let rel = row.rel;
        let mut row_rules = self.row_rules(&table, rel)?;
        row_rules.checks.extend(row.checks);
        let on_conflict = match &insert.on_conflict {
            Some(conflict) => Some(self.on_conflict(conflict, &target, alias.as_ref())?),
            None => None,
        };
        self.level().items = vec![row.item];
        let returning = self.returning(&insert.returning)?;
        Ok(Insert {
            ctes: self.finish_ctes(ctes),
            table,
            rel,
            source: source.query,
            source_rel: source.rel,
            values,
            row_rules,
            on_conflict,
            returning,
            through: row.through,
        })
    }

    /// The named columns with where they are named, or all.
    fn insert_columns(&self, table: &Relation, targets: &[ast::AssignTarget]) -> Result<Vec<Target>> {
        if targets.is_empty() {
            let all = table.live_columns().map(|column| Target {
                column: column.clone(),
                path: Vec::new(),
                span: Span::default(),
                ty: column.ty,
            });
            return Ok(all.collect());
        }
        let mut columns: Vec<Target> = Vec::with_capacity(targets.len());
        for target in targets {
            let target = self.target(table, target)?;
            let is_same = |other: &Target| {
                other.column.attnum == target.column.attnum && (other.path.is_empty() || target.path.is_empty())
            };
            if columns.iter().any(is_same) {
                let message = format!("column \"{}\" specified more than once", target.column.name);
                return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message).at(target.span.start));
            }
            columns.push(target);
        }
        Ok(columns)
    }

    /// One value per column; parts of a column are put into it one after the other.
    fn combined(&mut self, parts: Vec<(Target, Expr)>) -> Result<Vec<(i16, Expr)>> {
        let mut values: Vec<(i16, Expr)> = Vec::with_capacity(parts.len());
        for (target, value) in parts {
            let attnum = target.column.attnum;
            let old = match values.iter().position(|(other, _)| *other == attnum) {
                // Two columns of a view may be one of its table.
                Some(_) if target.path.is_empty() && attnum != 0 => {
                    let message = format!("multiple assignments to same column \"{}\"", target.column.name);
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
                }
                Some(place) => super::assign::unverified(values.remove(place).1),
                None if target.path.is_empty() => {
                    values.push((attnum, value));
                    continue;
                }
                None => self.nothing(&target.column)?,
            };
            let value = self.stored_in(old, &target, value)?;
            values.push((attnum, value));
        }
        Ok(values)
    }

    fn insert_source(&mut self, insert: &ast::Insert, table: &TargetTable, columns: &[Target]) -> Result<Source> {
        match &insert.source {
            InsertSource::DefaultValues => {
                let query = Query::bare(SetExpr::Values(vec![Vec::new()]), Vec::new());
                let rel = self.new_rel(RelSource::Output(Vec::new()));
                Ok(Source { query, rel, values: Vec::new() })
            }
            InsertSource::Query(query) => match &query.body {
                ast::SetExpr::Values(rows) if is_plain_values(query) => {
                    self.insert_values(insert, table, columns, rows)
                }
                _ => self.insert_query(insert, query, table, columns),
            },
        }
    }

    /// The row that MERGE inserts, over its source: one value per live column.
    pub(super) fn merge_values(
        &mut self,
        insert: &ast::MergeInsert,
        table: &Arc<Relation>,
    ) -> Result<Vec<(i16, Expr)>> {
        let columns = self.insert_columns(table, &insert.columns)?;
        let given = insert.values.as_deref().unwrap_or_default();
        let spans: Vec<Span> = given.iter().map(|value| value.span).collect();
        if insert.values.is_some() {
            check_width(!insert.columns.is_empty(), &columns, &spans)?;
        }
        let mut parts = Vec::with_capacity(given.len());
        for (expr, target) in given.iter().zip(&columns) {
            let column = &target.column;
            let overridden = column.identity.is_some() && insert.overriding == Some(Overriding::User);
            if is_default(expr) || overridden {
                super::modify::reject_default(target)?;
                if !column.generated {
                    parts.push((target.clone(), self.default_of(table, column)?));
                }
                continue;
            }
            check_insertable(table, column, insert.overriding)?;
            let value = self.in_clause(Clause::Values, |binder| binder.expr(expr))?;
            parts.push((target.clone(), self.assign_to(value, target)?));
        }
        let mut values = self.combined(parts)?;
        for column in table.live_columns() {
            let given = values.iter().any(|(attnum, _)| *attnum == column.attnum);
            if !given && !column.generated {
                values.push((column.attnum, self.default_of(table, column)?));
            }
        }
        Ok(values)
    }

    /// VALUES lists: each expression is assigned to its column, DEFAULT becomes the column's default.
    fn insert_values(
        &mut self,
        insert: &ast::Insert,
        table: &TargetTable,
        columns: &[Target],
        rows: &[Vec<ast::Expr>],
    ) -> Result<Source> {
        let rows = &rows.iter().map(|row| self.starred(row)).collect::<Result<Vec<_>>>()?;
        let width = rows.first().map_or(0, Vec::len);
        let spans: Vec<Span> = rows.first().map(|row| row.iter().map(|e| e.span).collect()).unwrap_or_default();
        check_insert_width(insert, columns, &spans)?;
        let columns = columns.get(..width).unwrap_or(columns);
        let defaults_only: Vec<bool> =
            (0..width).map(|i| rows.iter().all(|row| row.get(i).is_some_and(is_default))).collect();
        let mut bound = Vec::with_capacity(rows.len());
        for row in rows {
            same_width(row, width)?;
            let mut values = Vec::with_capacity(width);
            for (expr, target) in row.iter().zip(columns) {
                let column = &target.column;
                let overridden = column.identity.is_some() && insert.overriding == Some(Overriding::User);
                if is_default(expr) || overridden {
                    super::modify::reject_default(target)?;
                    values.push(self.default_of(&table.table, column)?);
                    continue;
                }
                check_insertable(&table.names, column, insert.overriding)?;
                let value = self.in_clause(Clause::Values, |binder| binder.expr(expr))?;
                values.push(self.assign_to(value, target)?);
            }
            bound.push(values);
        }
        let outputs: Vec<_> = columns
            .iter()
            .map(|target| OutputColumn { name: target.column.name.clone(), ty: target.ty, origin: None })
            .collect();
        let rel = self.new_rel(RelSource::Output(outputs.clone()));
        let values = columns.iter().enumerate().filter(|(i, target)| {
            // Generated columns are computed from the whole row, later.
            !(target.column.generated && defaults_only.get(*i) == Some(&true))
        });
        let values = values.map(|(i, target)| (target.clone(), column_expr(rel, i, target.ty))).collect();
        Ok(Source { query: Query::bare(SetExpr::Values(bound), outputs), rel, values })
    }

    /// A row with the columns that `name.*` stands for.
    pub(super) fn starred(&mut self, row: &[ast::Expr]) -> Result<Vec<ast::Expr>> {
        let mut values = Vec::with_capacity(row.len());
        for value in row {
            let ast::ExprKind::Star(Some(name)) = &value.kind else {
                values.push(value.clone());
                continue;
            };
            for column in self.star_item(name)?.columns {
                let mut name = name.clone();
                name.parts.push(ast::Ident { name: column.name, span: value.span });
                values.push(ast::Expr { kind: ast::ExprKind::Column(name), span: value.span });
            }
        }
        Ok(values)
    }

    fn insert_query(
        &mut self,
        insert: &ast::Insert,
        query: &ast::Query,
        table: &TargetTable,
        columns: &[Target],
    ) -> Result<Source> {
        let mut bound = self.query(query, false)?;
        let spans = target_spans(query, bound.columns.len());
        check_insert_width(insert, columns, &spans)?;
        let assigned: Vec<_> = columns.iter().take(bound.columns.len()).collect();
        for (position, target) in assigned.iter().enumerate() {
            if bound.columns[position].ty.oid == oid::UNKNOWN {
                self.coerce_output(&mut bound, position, Type::of(target.ty.oid), "INSERT")?;
            }
        }
        let rel = self.new_rel(RelSource::Output(bound.columns.clone()));
        let mut values = Vec::with_capacity(assigned.len());
        for (position, target) in assigned.into_iter().enumerate() {
            let column = &target.column;
            if column.identity.is_some() && insert.overriding == Some(Overriding::User) {
                values.push((target.clone(), self.default_of(&table.table, column)?));
                continue;
            }
            check_insertable(&table.names, column, insert.overriding)?;
            let span = spans.get(position).copied().unwrap_or_default();
            let value = Expr { span, ..column_expr(rel, position, bound.columns[position].ty) };
            values.push((target.clone(), self.assign_to(value, target)?));
        }
        Ok(Source { query: bound, rel, values })
    }
}

fn is_plain_values(query: &ast::Query) -> bool {
    query.with.is_none() && query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none()
}

pub(super) fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr.kind, ast::ExprKind::Default)
}

fn check_insert_width(insert: &ast::Insert, columns: &[Target], values: &[Span]) -> Result<()> {
    check_width(!insert.columns.is_empty(), columns, values)
}

fn check_width(named: bool, columns: &[Target], values: &[Span]) -> Result<()> {
    if let Some(extra) = values.get(columns.len()) {
        let message = "INSERT has more expressions than target columns";
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(extra.start));
    }
    if named && let Some(Target { span: missing, .. }) = columns.get(values.len()) {
        let message = "INSERT has more target columns than expressions";
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(missing.start));
    }
    Ok(())
}

fn check_insertable(names: &Relation, column: &Column, overriding: Option<Overriding>) -> Result<()> {
    check_changeable(names, column, Change::Insert)?;
    let message = format!("cannot insert a non-DEFAULT value into column \"{}\"", column.name);
    if column.generated {
        let detail = format!("Column \"{}\" is a generated column.", column.name);
        return Err(Error::new(sqlstate::GENERATED_ALWAYS, message).with_detail(detail));
    }
    if column.identity == Some(Identity::Always) && overriding != Some(Overriding::System) {
        let detail = format!("Column \"{}\" is an identity column defined as GENERATED ALWAYS.", column.name);
        return Err(Error::new(sqlstate::GENERATED_ALWAYS, message)
            .with_detail(detail)
            .with_hint("Use OVERRIDING SYSTEM VALUE to override."));
    }
    Ok(())
}

/// Where the query's outputs stand, as far as the syntax tells.
fn target_spans(query: &ast::Query, width: usize) -> Vec<Span> {
    let mut body = &query.body;
    loop {
        match body {
            ast::SetExpr::Select(select) if select.targets.len() == width => {
                return select.targets.iter().map(|target| target.expr.span).collect();
            }
            ast::SetExpr::Query(query) => body = &query.body,
            ast::SetExpr::Operation { left, .. } => body = left,
            other => return vec![super::set_operation::first_span(other); width],
        }
    }
}
