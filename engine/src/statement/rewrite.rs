//! New storage for a table whose rows change with its definition: what PostgreSQL calls a table rewrite.

use std::sync::Arc;

use aegis_catalog::object::{Column, Relation, RelationKind, Table};
use aegis_catalog::{Error, Result};
use arrow::array::RecordBatch;
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use super::{Outcome, table_storage};
use crate::bind;
use crate::bind::tree::{
    BoundStatement, Expr, ExprKind, From, OrderKey, OutputColumn, Query, RelId, RowRules, SetExpr, SortKey, Statement,
};
use crate::parse::ast::Span;
use crate::session::Session;
use crate::session::context::StatementContext;

/// The old table in the query that reads it: apart from what the binder numbers itself.
pub const OLD_ROWS: RelId = RelId(1 << 24);

/// Fills new storage of a table with its rows. `old` is the table as the store has it, `new` as the catalog has it by now. Columns of
/// `values` get those expressions over [`OLD_ROWS`], other columns of the old table are copied, new columns get their default.
/// Returns the table with its new storage. Constraints are the caller's to check afterwards.
pub async fn run(
    session: &mut Session,
    old: &Arc<Relation>,
    new: &Arc<Relation>,
    values: Vec<(i16, Expr)>,
) -> Result<Arc<Relation>> {
    sorted(session, old, new, values, Vec::new()).await
}

/// As [`run`], with the rows in an order, whose keys are over [`OLD_ROWS`].
pub async fn sorted(
    session: &mut Session,
    old: &Arc<Relation>,
    new: &Arc<Relation>,
    values: Vec<(i16, Expr)>,
    order: Vec<OrderKey>,
) -> Result<Arc<Relation>> {
    let open = session.writable("ALTER TABLE")?;
    let RelationKind::Table(table) = &new.kind else { return Err(Error::internal("only tables are rewritten")) };
    if table.rows().is_none() {
        return Ok(new.clone());
    }
    let (old_storage, storage) = (table.storage, u64::from(open.catalog.allocate_oid()?));
    let kind = RelationKind::Table(Table { storage, ..table.clone() });
    let new = open.catalog.replace_relation(open.tables.permanent(), Relation { kind, ..Relation::clone(new) })?;
    let schema = table_storage::schema_of(&new, &open.catalog.catalog())?;
    open.tables.of_mut(&new).create_table(storage, schema)?;
    copy_rows(session, old, &new, values, order).await?;
    session.writable("ALTER TABLE")?.tables.of_mut(&new).drop_table(old_storage)?;
    Ok(new)
}

async fn copy_rows(
    session: &mut Session,
    old: &Arc<Relation>,
    new: &Arc<Relation>,
    mut values: Vec<(i16, Expr)>,
    order: Vec<OrderKey>,
) -> Result<()> {
    let context = session.context()?;
    let (mut names, mut targets) = (Vec::new(), Vec::new());
    for column in new.live_columns().filter(|column| !column.generated) {
        let value = match values.iter().position(|(attnum, _)| *attnum == column.attnum) {
            Some(place) => values.swap_remove(place).1,
            None => match old.columns.iter().position(|old| old.attnum == column.attnum) {
                Some(place) => column_value(place, column),
                None => continue,
            },
        };
        names.push(column.name.as_str());
        targets.push(value);
    }
    if names.is_empty() {
        return Err(Error::unsupported("a table rewrite that keeps no column"));
    }
    let mut insert = bind::bind_copy(new, &names, &context)?;
    insert.ctes.clear();
    insert.source = query(old, targets, std::mem::take(&mut insert.source.columns));
    sort(&mut insert.source, order);
    // Rows that break a rule are found and named as such afterwards.
    insert.row_rules = RowRules { checks: Vec::new(), ..insert.row_rules };
    insert.table = Arc::new(without_rules(new));
    let bound = BoundStatement {
        statement: Statement::Insert(insert),
        parameters: Vec::new(),
        columns: None,
        relations: Vec::new(),
        read: Vec::new(),
        routines: Vec::new(),
        collations: Vec::new(),
    };
    session.run_bound(bound, Vec::new(), &context).await.map(drop)
}

fn column_value(column: usize, of: &Column) -> Expr {
    Expr { kind: ExprKind::Column { rel: OLD_ROWS, column }, ty: of.ty, span: Span::default() }
}

/// `SELECT targets FROM old`.
fn query(old: &Arc<Relation>, targets: Vec<Expr>, columns: Vec<OutputColumn>) -> Query {
    let from = From::Table { rel: OLD_ROWS, relation: Arc::clone(old), only: true, alias: None, sample: None };
    Query::select(from, targets, columns)
}

/// Adds ORDER BY; the keys are hidden targets.
fn sort(query: &mut Query, order: Vec<OrderKey>) {
    let SetExpr::Select(select) = &mut query.body else { return };
    for OrderKey { expr, descending, nulls_first } in order {
        query.order_by.push(SortKey { position: select.targets.len(), collation: None, descending, nulls_first });
        select.targets.push(expr);
    }
}

/// The table that takes any row.
fn without_rules(table: &Relation) -> Relation {
    let mut table = table.clone();
    table.columns.iter_mut().for_each(|column| column.not_null = false);
    if let RelationKind::Table(table) = &mut table.kind {
        table.constraints.clear();
    }
    table
}

/// True if a row of the table has a null in the column, whatever the catalog says by now: its NOT NULL is what is in question.
pub async fn any_null(session: &mut Session, table: &Relation, attnum: i16) -> Result<bool> {
    let context = session.context()?;
    let free = Arc::new(without_rules(table));
    let Some(place) = free.columns.iter().position(|column| column.attnum == attnum) else { return Ok(false) };
    let value = column_value(place, &free.columns[place]);
    let is_null = boolean(ExprKind::IsNull { arg: Box::new(value.clone()), negated: false });
    any_where(session, &free, value, is_null, &context).await
}

/// True if the table has a row.
pub async fn any_row(session: &mut Session, table: &Arc<Relation>) -> Result<bool> {
    let context = session.context()?;
    let truth = boolean(ExprKind::Constant(ScalarValue::Boolean(Some(true))));
    any_where(session, table, truth.clone(), truth, &context).await
}

/// True if a value of the column breaks a check of a domain.
pub async fn any_violation(session: &mut Session, table: &Relation, attnum: i16, check: Expr) -> Result<bool> {
    let context = session.context()?;
    let free = Arc::new(without_rules(table));
    let Some(place) = free.columns.iter().position(|column| column.attnum == attnum) else { return Ok(false) };
    let value = column_value(place, &free.columns[place]);
    let mut check = check;
    bind::replace_domain_value(&mut check, &value);
    any_where(session, &free, value, boolean(ExprKind::Not(Box::new(check))), &context).await
}

fn boolean(kind: ExprKind) -> Expr {
    Expr { kind, ty: aegis_catalog::Type::of(aegis_catalog::types::oid::BOOL), span: Span::default() }
}

async fn any_where(
    session: &mut Session,
    table: &Arc<Relation>,
    value: Expr,
    condition: Expr,
    context: &StatementContext,
) -> Result<bool> {
    let columns = vec![OutputColumn { name: "value".to_owned(), ty: value.ty, origin: None }];
    let mut query = query(table, vec![value], columns.clone());
    if let SetExpr::Select(select) = &mut query.body {
        select.filter = Some(condition);
    }
    let statement = Statement::Query(query);
    let bound = BoundStatement {
        statement,
        parameters: Vec::new(),
        columns: Some(columns),
        relations: Vec::new(),
        read: Vec::new(),
        routines: Vec::new(),
        collations: Vec::new(),
    };
    let Outcome::Rows { mut rows, .. } = session.run_bound(bound, Vec::new(), context).await? else {
        return Err(Error::internal("a query returned no rows"));
    };
    while let Some(batch) = rows.next().await {
        if batch?.num_rows() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The rows of a query of our own, written as SQL with qualified names.
pub async fn select(session: &mut Session, sql: &str, context: &StatementContext) -> Result<Vec<RecordBatch>> {
    let query = crate::parse::parse_query(sql)?;
    let bound = bind::bind(&crate::parse::ast::Statement::Query(Box::new(query)), sql, &[], context)?;
    let Outcome::Rows { mut rows, .. } = session.run_bound(bound, Vec::<ScalarValue>::new(), context).await? else {
        return Err(Error::internal("a query returned no rows"));
    };
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch?);
    }
    Ok(batches)
}

/// True if the query has a row.
pub async fn any(session: &mut Session, sql: &str, context: &StatementContext) -> Result<bool> {
    Ok(select(session, sql, context).await?.iter().any(|batch| batch.num_rows() > 0))
}
