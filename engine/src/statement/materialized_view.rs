//! CREATE and REFRESH MATERIALIZED VIEW (PostgreSQL manual): a table with a query.

use std::sync::Arc;

use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::{Error, Result, sqlstate};
use futures::StreamExt;

use super::{Outcome, create_table, namespace, stored_text, truncate};
use crate::bind::{self, tree};
use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;

/// What turns the plan of a table into that of a materialized view.
pub fn definition(
    plan: &create_table::Plan,
    bound: &tree::BoundStatement,
    populated: bool,
    context: &StatementContext,
) -> Result<aegis_catalog::object::Materialized> {
    let tree::Statement::Query(query) = &bound.statement else {
        return Err(Error::unsupported("materialized views of anything but a query"));
    };
    if !bound.parameters.is_empty() {
        return Err(Error::new(sqlstate::UNDEFINED_PARAMETER, "there is no parameter $1"));
    }
    let temporary = bound.relations.iter().filter_map(|&oid| context.catalog.relation(oid));
    if temporary.into_iter().any(|relation| relation.is_temporary()) {
        let message = "materialized views must not use temporary tables or views";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let query = stored_text::query(query, &plan.columns, context)?;
    let view = aegis_catalog::object::View {
        query,
        search_path: Vec::new(),
        check_option: None,
        rule: 0,
        options: Vec::new(),
        window: None,
    };
    Ok(aegis_catalog::object::Materialized { view, populated })
}

pub async fn refresh(
    session: &mut Session,
    name: &Name,
    concurrently: bool,
    with_data: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    const TAG: &str = "REFRESH MATERIALIZED VIEW";
    if concurrently && !with_data {
        let message = "REFRESH options CONCURRENTLY and WITH NO DATA cannot be used together";
        return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
    }
    session.writable(TAG)?;
    let relation = namespace::existing_anywhere(name, context)?;
    let Some(materialized) = relation.materialized() else {
        let message = format!("\"{}\" is not a materialized view", relation.name);
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    };
    crate::privilege::require_owner(&relation, context)?;
    if concurrently {
        check_concurrent(&relation, materialized.populated, context)?;
    }
    let query = bind::bind_view(&materialized.view, context)?;
    let rows = match with_data {
        true => {
            let bound = bind::routine::bound_query(query);
            let Outcome::Rows { rows, .. } = session.run_bound(bound, Vec::new(), context).await? else {
                return Err(Error::internal("the query of a materialized view returned no rows"));
            };
            Some(rows)
        }
        false => None,
    };
    truncate::empty(session, &relation)?;
    let emptied = session.catalog()?.relation(relation.oid).cloned();
    let emptied = emptied.ok_or_else(|| Error::internal("the view went while it was refreshed"))?;
    let filled = set_populated(session, &emptied, with_data)?;
    if let Some(mut rows) = rows {
        let context = session.context()?;
        let columns: Vec<&str> = filled.live_columns().map(|column| column.name.as_str()).collect();
        let insert = bind::bind_copy(&filled, &columns, &context)?;
        while let Some(batch) = rows.next().await {
            session.insert_given(&insert, batch?, &context).await?;
        }
    }
    Outcome::tag(TAG)
}

/// CONCURRENTLY compares rows by a unique index over all of them.
fn check_concurrent(relation: &Relation, populated: bool, context: &StatementContext) -> Result<()> {
    if !populated {
        let message = "CONCURRENTLY cannot be used when the materialized view is not populated";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let mut indexes = context.catalog.indexes_of(relation.oid).filter_map(|index| index.index());
    let plain = |index: &aegis_catalog::object::Index| {
        index.unique && index.predicate.is_none() && index.keys.iter().all(|key| key.expression.is_none())
    };
    if indexes.any(plain) {
        return Ok(());
    }
    let schema = context.catalog.schema(relation.schema).map(|schema| schema.name.clone()).unwrap_or_default();
    let name = aegis_catalog::definition::qualified_name(&schema, &relation.name);
    let message = format!("cannot refresh materialized view \"{name}\" concurrently");
    Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
        .with_hint("Create a unique index with no WHERE clause on one or more columns of the materialized view."))
}

fn set_populated(session: &mut Session, relation: &Relation, populated: bool) -> Result<Arc<Relation>> {
    let mut changed = relation.clone();
    if let RelationKind::Table(table) = &mut changed.kind
        && let Some(materialized) = &mut table.materialized
    {
        materialized.populated = populated;
    }
    let open = session.writable("REFRESH MATERIALIZED VIEW")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)
}
