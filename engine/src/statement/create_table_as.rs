//! CREATE TABLE AS and SELECT INTO (PostgreSQL manual).

use std::sync::Arc;

use aegis_catalog::object::{Column, Persistence};
use aegis_catalog::types::{format_type, oid};
use aegis_catalog::{Error, Result, Type, sqlstate};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use super::{Outcome, create_table, materialized_view, namespace, prepare, storage_parameter, view};
use crate::bind;
use crate::bind::tree::BoundStatement;
use crate::parse::ast::Statement;
use crate::parse::utility::{CreateTableAs, OnCommit, Utility};
use crate::session::Session;
use crate::session::context::StatementContext;

pub async fn run(
    session: &mut Session,
    create: &CreateTableAs,
    sql: &str,
    context: &StatementContext,
) -> Result<Outcome> {
    let tag = if create.materialized_view { "CREATE MATERIALIZED VIEW" } else { "CREATE TABLE AS" };
    let place = namespace::place(session, &create.name, create.temporary, context)?;
    if create.on_commit != OnCommit::Preserve && place.persistence != Persistence::Temporary {
        let message = "ON COMMIT can only be used on temporary tables";
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    if create.if_not_exists && context.catalog.relation_by_name(place.schema, &place.name).is_some() {
        let message = format!("relation \"{}\" already exists, skipping", place.name);
        session.skip_notice_as(sqlstate::DUPLICATE_TABLE, &message);
        return Outcome::tag(tag);
    }
    let (options, foreign) = storage_parameter::split(&create.options, context)?;
    if let Some(foreign) = foreign.filter(|_| create.materialized_view) {
        let schema = context.catalog.schema(place.schema).map(|schema| schema.name.as_str());
        let view = storage_parameter::NewView {
            name: namespace::quoted(schema, &place.name),
            columns: create.columns.iter().map(|column| column.name.clone()).collect(),
            query: create.text.clone(),
            with_data: create.with_data,
        };
        foreign.create_view(session, view).await?;
        return Outcome::tag(tag);
    }
    let (bound, parameters) = source(session, create, sql, context).await?;
    let output = bound.columns.clone().unwrap_or_default();
    if create.columns.len() > output.len() {
        return Err(Error::new(sqlstate::SYNTAX_ERROR, "too many column names were specified"));
    }
    let mut plan = create_table::Plan::default();
    for (i, (source, attnum)) in output.iter().zip(1..).enumerate() {
        let name = create.columns.get(i).map_or(&source.name, |ident| &ident.name);
        if plan.columns.iter().any(|column| column.name == *name) {
            let message = format!("column \"{name}\" specified more than once");
            return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
        }
        // A column needs a type that can be stored.
        let ty = if source.ty.oid == oid::UNKNOWN { Type::of(oid::TEXT) } else { source.ty };
        let mut column = Column::new(name, attnum, ty);
        column.collation = bind::collation_of(&bound, i, source, context, || {
            let ty = format_type(ty);
            format!("no collation was derived for column \"{name}\" with collatable type {ty}")
        })?;
        plan.columns.push(column);
    }
    if create.materialized_view {
        plan.materialized = Some(materialized_view::definition(&plan, &bound, create.with_data, context)?);
    }
    let reads = create.materialized_view.then(|| bound.clone());
    let names: Vec<String> = plan.columns.iter().map(|column| column.name.clone()).collect();
    // The query first: it must not see the table that it fills.
    let rows = if create.with_data {
        let Outcome::Rows { rows, .. } = session.run_bound(bound, parameters, context).await? else {
            return Err(Error::internal("the query of CREATE TABLE AS returned no rows"));
        };
        Some(rows)
    } else {
        None
    };
    let table = create_table::create_relation(session, place, plan, options)?;
    if create.on_commit != OnCommit::Preserve {
        session.on_commit(table.oid, create.on_commit);
    }
    if let Some(reads) = &reads {
        view::record_reads(session, "CREATE MATERIALIZED VIEW", &table, reads)?;
    }
    let Some(mut rows) = rows else {
        let executes = matches!(&*create.source, Statement::Utility(_));
        return Outcome::tag(if executes { "SELECT 0" } else { tag });
    };
    let context = Arc::new(session.context()?);
    let columns: Vec<&str> = names.iter().map(String::as_str).collect();
    let insert = bind::bind_copy(&table, &columns, &context)?;
    let mut count = 0;
    while let Some(batch) = rows.next().await {
        count += session.insert_given(&insert, batch?, &context).await?;
    }
    Outcome::tag(format!("SELECT {count}"))
}

/// The query, or the prepared one that EXECUTE names, with the values of its parameters.
async fn source(
    session: &mut Session,
    create: &CreateTableAs,
    sql: &str,
    context: &StatementContext,
) -> Result<(BoundStatement, Vec<ScalarValue>)> {
    if let Statement::Utility(utility) = &*create.source
        && let Utility::Execute { name, args } = utility.as_ref()
    {
        let (plan, values) = prepare::called(session, &name.name, args, context).await?;
        if plan.tree.columns.is_none() {
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, "prepared statement is not a SELECT"));
        }
        return Ok((plan.tree.clone(), values));
    }
    let (types, values) = std::mem::take(&mut session.utility_parameters);
    Ok((bind::bind(&create.source, sql, &types, context)?, values))
}
