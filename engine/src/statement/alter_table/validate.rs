//! Do the rows that are there hold what ALTER TABLE newly demands?

use std::sync::Arc;

use aegis_catalog::definition::{qualified_name, quote_identifier};
use aegis_catalog::object::{Column, Constraint, ConstraintKind, Relation};
use aegis_catalog::{Error, Result, sqlstate};

use crate::execute::error::from_arrow;
use crate::execute::{Execution, foreign_key};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::rewrite;

/// `schema.table`, as a query can name it.
pub fn name_of(table: &Relation, context: &StatementContext) -> String {
    let schema = context.catalog.schema(table.schema).map(|schema| schema.name.as_str()).unwrap_or_default();
    qualified_name(schema, &table.name)
}

fn schema_name(table: &Relation, context: &StatementContext) -> String {
    context.catalog.schema(table.schema).map(|schema| schema.name.clone()).unwrap_or_default()
}

/// 23502 if the column has nulls.
pub async fn not_null(session: &mut Session, table: &Relation, column: &Column) -> Result<()> {
    let context = session.context()?;
    if rewrite::any_null(session, table, column.attnum).await? {
        let message = format!("column \"{}\" of relation \"{}\" contains null values", column.name, table.name);
        return Err(Error::new(sqlstate::NOT_NULL_VIOLATION, message)
            .with_table(schema_name(table, &context), table.name.clone())
            .with_column(column.name.clone()));
    }
    Ok(())
}

/// 23514 or 23503 if a row breaks the constraint. Keys are the store's to check.
pub async fn constraint(session: &mut Session, table: &Arc<Relation>, constraint: &Constraint) -> Result<()> {
    match &constraint.kind {
        ConstraintKind::Check { expression, .. } => check(session, table, constraint, expression).await,
        ConstraintKind::ForeignKey { .. } => references(session, table, constraint).await,
        ConstraintKind::PrimaryKey { columns, .. } => {
            for column in columns.iter().filter_map(|&attnum| table.column(attnum)) {
                not_null(session, table, column).await?;
            }
            Ok(())
        }
        ConstraintKind::Unique { .. } => Ok(()),
    }
}

async fn check(session: &mut Session, table: &Relation, constraint: &Constraint, expression: &str) -> Result<()> {
    let context = session.context()?;
    let sql = format!("SELECT 1 FROM ONLY {} WHERE NOT ({expression}) LIMIT 1", name_of(table, &context));
    if rewrite::any(session, &sql, &context).await? {
        let message =
            format!("check constraint \"{}\" of relation \"{}\" is violated by some row", constraint.name, table.name);
        return Err(Error::new(sqlstate::CHECK_VIOLATION, message)
            .with_table(schema_name(table, &context), table.name.clone())
            .with_constraint(constraint.name.clone()));
    }
    Ok(())
}

/// Every row must find what it refers to.
async fn references(session: &mut Session, table: &Arc<Relation>, constraint: &Constraint) -> Result<()> {
    // Those of partitions are constraints of theirs.
    for leaf in super::column::children(session, table.oid)? {
        let own = leaf.constraints().iter().find(|own| own.parent == constraint.oid && own.oid != 0).cloned();
        if let Some(own) = own {
            Box::pin(references(session, &leaf, &own)).await?;
        }
    }
    let context = session.context()?;
    let names: Vec<_> = table.live_columns().map(|column| quote_identifier(&column.name)).collect();
    let sql = format!("SELECT {} FROM ONLY {}", names.join(", "), name_of(table, &context));
    let batches = rewrite::select(session, &sql, &context).await?;
    let runtime = Arc::clone(&session.shared.executor);
    let open = session.writable("ALTER TABLE")?;
    let mut execution = Execution::new(&runtime, context, &mut open.tables, &[]);
    for batch in &batches {
        let key = batch.project(&foreign_key::places(table, constraint.columns())).map_err(from_arrow)?;
        foreign_key::check_new(table, constraint, &key, false, &mut execution).await?;
    }
    Ok(())
}
