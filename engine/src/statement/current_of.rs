//! UPDATE and DELETE … WHERE CURRENT OF (PostgreSQL manual, "DECLARE"; execCurrent.c).
//!
//! A cursor over one table carries that table's columns beside its own. The row it stands on is found by what it consists of: rows that
//! are the same in every column can't be told apart anyway.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::types::text_of;
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, RecordBatch};
use futures::StreamExt;

use super::{Outcome, namespace};
use crate::bind;
use crate::bind::tree::{self, Distinct, Expr, ExprKind, From, OutputColumn, SetExpr};
use crate::parse::ast::{self, Statement};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::portal::{PortalState, Tag};

/// Where a cursor over one table stands.
#[derive(Debug, Clone)]
pub struct Position {
    pub table: Arc<Relation>,
    /// Columns of the cursor; those of the table follow.
    pub visible: usize,
    pub current: Current,
}

#[derive(Debug, Clone)]
pub enum Current {
    /// Before the first row or after the last.
    Nowhere,
    /// The live columns of the table.
    Row(Vec<ArrayRef>),
    /// It was deleted.
    Gone,
}

impl Position {
    /// The columns that a client sees of fetched rows; the last of these is where the cursor stands now.
    pub fn shown(&mut self, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>> {
        let last = batches.iter().rev().find(|batch| batch.num_rows() > 0);
        self.current = match last {
            Some(batch) => {
                let columns = batch.columns().iter().skip(self.visible);
                Current::Row(columns.map(|column| column.slice(batch.num_rows() - 1, 1)).collect())
            }
            None => Current::Nowhere,
        };
        let visible: Vec<usize> = (0..self.visible).collect();
        let project = |batch: RecordBatch| batch.project(&visible).map_err(|error| Error::internal(error.to_string()));
        batches.into_iter().map(project).collect()
    }
}

/// The query of a cursor with the columns of its one table, if rows of that can be told from its own.
pub fn positioned(bound: &tree::BoundStatement) -> Option<(tree::BoundStatement, Position)> {
    let tree::Statement::Query(query) = &bound.statement else { return None };
    let SetExpr::Select(select) = &query.body else { return None };
    let plain = select.grouping.is_none()
        && select.windows.is_none()
        && select.set_functions.is_none()
        && select.distinct == Distinct::None
        && query.ctes.is_empty()
        && (query.order_by.is_empty() || !query.locking.is_empty());
    let Some(From::Table { rel, relation, sample: None, .. }) = select.from.as_ref().filter(|_| plain) else {
        return None;
    };
    relation.table()?;
    let visible = query.columns.len();
    let added: Vec<Expr> =
        relation.live_columns().filter_map(|column| bind::column_of(relation, *rel, column.attnum)).collect();
    let position = Position { table: relation.clone(), visible, current: Current::Nowhere };
    let mut bound = bound.clone();
    let tree::Statement::Query(query) = &mut bound.statement else { return None };
    let SetExpr::Select(select) = &mut query.body else { return None };
    for key in query.order_by.iter_mut().filter(|key| key.position >= visible) {
        key.position += added.len();
    }
    query.columns.extend(outputs(&added));
    select.targets.splice(visible..visible, added);
    Some((bound, position))
}

fn outputs(columns: &[Expr]) -> impl Iterator<Item = OutputColumn> + '_ {
    columns.iter().enumerate().map(|(place, column)| OutputColumn {
        name: format!("current_{place}"),
        ty: column.ty,
        origin: None,
    })
}

/// Runs the statement for the row that the cursor stands on.
pub async fn run(
    session: &mut Session,
    statement: &Statement,
    cursor: &str,
    sql: &str,
    context: &StatementContext,
) -> Result<Outcome> {
    let name = match statement {
        Statement::Update(update) => &update.table,
        Statement::Delete(delete) => &delete.table,
        _ => return Err(Error::internal("WHERE CURRENT OF of another statement")),
    };
    let table = namespace::existing(name, context)?;
    if table.view().is_some() {
        let message = "WHERE CURRENT OF on a view is not implemented";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let row = row_of(session, cursor, &table)?;
    let condition = match &row {
        Some(row) => condition(statement, &table, row, context)?,
        None => "false".to_owned(),
    };
    let statement = filtered(statement, Some(crate::parse::parse_expression(&condition)?));
    let mut bound = bind::bind(&statement, sql, &[], context)?;
    if !bound.parameters.is_empty() {
        return Err(Error::unsupported("parameters beside WHERE CURRENT OF"));
    }
    let visible = bound.columns.as_ref().map_or(0, Vec::len);
    let is_update = add_new_row(&mut bound);
    let tag = if is_update { "UPDATE" } else { "DELETE" };
    match session.run_bound(bound, Vec::new(), context).await? {
        Outcome::Rows { mut rows, .. } => {
            let mut batches = Vec::new();
            while let Some(batch) = rows.next().await {
                batches.push(batch?);
            }
            let count: usize = batches.iter().map(RecordBatch::num_rows).sum();
            let mut moved = Position { table, visible, current: Current::Nowhere };
            let shown = if is_update { moved.shown(batches)? } else { batches };
            if count > 0 {
                move_to(session, cursor, if is_update { moved.current } else { Current::Gone });
            }
            if visible == 0 {
                return Outcome::tag(format!("{tag} {count}"));
            }
            let rows = futures::stream::iter(shown.into_iter().map(Ok)).boxed();
            Ok(Outcome::Rows { rows, tag: Tag::Counted(tag) })
        }
        outcome => {
            if row.is_some() {
                move_to(session, cursor, Current::Gone);
            }
            Ok(outcome)
        }
    }
}

/// The columns of RETURNING, which depend on no row.
pub fn output_columns(
    statement: &Statement,
    sql: &str,
    context: &StatementContext,
) -> Option<Vec<crate::session::protocol::OutputColumn>> {
    bind::bind(&filtered(statement, None), sql, &[], context).ok()?.columns
}

/// The row that the cursor stands on; None if it was deleted.
fn row_of(session: &Session, cursor: &str, table: &Relation) -> Result<Option<Vec<ArrayRef>>> {
    let undefined = || Error::new(sqlstate::UNDEFINED_CURSOR, format!("cursor \"{cursor}\" does not exist"));
    let portal = session.portals.get(cursor).ok_or_else(undefined)?;
    let refuse = |what: String| Err(Error::new(sqlstate::INVALID_CURSOR_STATE, format!("cursor \"{cursor}\" {what}")));
    if portal.is_held() {
        return refuse("is held from a previous transaction".into());
    }
    let position = portal.cursor.as_ref().and_then(|cursor| cursor.position.as_ref());
    let Some(position) = position.filter(|position| position.table.oid == table.oid) else {
        return refuse(format!("is not a simply updatable scan of table \"{}\"", table.name));
    };
    match (&position.current, &portal.state) {
        (Current::Row(row), PortalState::Running(_)) => Ok(Some(row.clone())),
        (Current::Gone, _) => Ok(None),
        _ => refuse("is not positioned on a row".into()),
    }
}

fn move_to(session: &mut Session, cursor: &str, current: Current) {
    let portal = session.portals.get_mut(cursor);
    if let Some(position) = portal.and_then(|portal| portal.cursor.as_mut()?.position.as_mut()) {
        position.current = current;
    }
}

/// The condition that chooses one row which consists of these values.
fn condition(statement: &Statement, table: &Relation, row: &[ArrayRef], context: &StatementContext) -> Result<String> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let alias = match statement {
        Statement::Update(update) => update.alias.as_ref(),
        Statement::Delete(delete) => delete.alias.as_ref(),
        _ => None,
    };
    let alias = alias.map_or(&table.name, |alias| &alias.name.name);
    let mut same = Vec::new();
    for (column, value) in table.live_columns().zip(row) {
        let name = quoted(&column.name);
        if value.is_null(0) {
            same.push(format!("{name} IS NOT DISTINCT FROM NULL"));
            continue;
        }
        let text = text_of(column.ty, value, 0, &context.format)?;
        let text = text.replace('\\', "\\\\").replace('\'', "''");
        same.push(format!("({name})::pg_catalog.text = E'{text}'"));
    }
    let schema = context.catalog.schema(table.schema).map(|schema| quoted(&schema.name));
    let same = if same.is_empty() { "true".to_owned() } else { same.join(" AND ") };
    Ok(format!(
        "{}.ctid = (SELECT ctid FROM {}.{} WHERE {same} LIMIT 1)",
        quoted(alias),
        schema.unwrap_or_default(),
        quoted(&table.name)
    ))
}

fn filtered(statement: &Statement, filter: Option<ast::Expr>) -> Statement {
    match statement {
        Statement::Update(update) => Statement::Update(Box::new(ast::Update { filter, ..ast::Update::clone(update) })),
        Statement::Delete(delete) => Statement::Delete(Box::new(ast::Delete { filter, ..ast::Delete::clone(delete) })),
        other => other.clone(),
    }
}

/// RETURNING with the whole new row at its end, so that the cursor can follow it. False for what is no UPDATE.
fn add_new_row(bound: &mut tree::BoundStatement) -> bool {
    let tree::Statement::Update(update) = &mut bound.statement else { return false };
    let columns = update.table.live_columns();
    let added: Vec<Expr> = columns
        .filter_map(|column| bind::column_of(&update.table, update.new_rel, column.attnum))
        .filter(|expr| matches!(expr.kind, ExprKind::Column { .. }))
        .collect();
    let returning =
        update.returning.get_or_insert_with(|| tree::Returning { targets: Vec::new(), columns: Vec::new() });
    returning.columns.extend(outputs(&added));
    returning.targets.extend(added);
    bound.columns = Some(returning.columns.clone());
    true
}
