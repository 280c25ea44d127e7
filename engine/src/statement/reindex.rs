//! REINDEX (PostgreSQL manual). The keys of a table's indexes are kept with its segments, so they are made anew by writing the table
//! anew. Indexes that are only facts, and those of the system's own relations, which are computed, hold nothing to be made.

use std::collections::BTreeSet;
use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, namespace, rewrite};
use crate::parse::ast::{Ident, Name};
use crate::parse::utility::ReindexTarget;
use crate::session::Session;
use crate::session::context::StatementContext;

/// The tables whose indexes are made anew.
pub fn tables(target: &ReindexTarget, context: &StatementContext) -> Vec<Arc<Relation>> {
    found(target, context).unwrap_or_default()
}

pub async fn run(
    session: &mut Session,
    target: &ReindexTarget,
    concurrently: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    if concurrently {
        session.require_no_block("REINDEX CONCURRENTLY")?;
    }
    match target {
        ReindexTarget::Schema(_) => session.require_no_block("REINDEX SCHEMA")?,
        ReindexTarget::Database(_) => session.require_no_block("REINDEX DATABASE")?,
        ReindexTarget::System(_) => {
            session.require_no_block("REINDEX SYSTEM")?;
            if concurrently {
                let message = "cannot reindex system catalogs concurrently";
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
            }
        }
        ReindexTarget::Index(_) | ReindexTarget::Table(_) => {}
    }
    let single = matches!(target, ReindexTarget::Table(_));
    for table in found(target, context)? {
        let mut indexes = context.catalog.indexes_of(table.oid).peekable();
        if single && indexes.peek().is_none() {
            let indexed = if concurrently { " that can be reindexed concurrently" } else { " to reindex" };
            session.skip_notice(&format!("table \"{}\" has no indexes{indexed}", table.name));
        }
        if indexes.any(|index| index.index().is_some_and(|index| index.storage.is_some())) {
            rewrite::run(session, &table, &table, Vec::new()).await?;
        }
    }
    Outcome::tag("REINDEX")
}

fn found(target: &ReindexTarget, context: &StatementContext) -> Result<Vec<Arc<Relation>>> {
    match target {
        ReindexTarget::Index(name) => index_table(name, context),
        ReindexTarget::Table(name) => {
            let table = namespace::existing_anywhere(name, context)?;
            if table.table().is_none() {
                let message = format!("\"{}\" is not a table or materialized view", table.name);
                return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
            }
            crate::privilege::require_owner(&table, context)?;
            Ok(if is_partitioned(&table) { context.catalog.inheritors(&table) } else { vec![table] })
        }
        ReindexTarget::Schema(schema) => {
            let schema = namespace::schema_oid(&schema.name, context)?;
            Ok(own(context, |table| table.schema == schema))
        }
        ReindexTarget::Database(name) => {
            check_database(name.as_ref(), context)?;
            Ok(own(context, |_| true))
        }
        ReindexTarget::System(name) => {
            check_database(name.as_ref(), context)?;
            Ok(Vec::new())
        }
    }
}

fn is_partitioned(table: &Relation) -> bool {
    table.partitioning().is_some()
}

/// The table of an index, or the tables of a partitioned one's parts.
fn index_table(name: &Name, context: &StatementContext) -> Result<Vec<Arc<Relation>>> {
    let relation = namespace::existing_anywhere(name, context)?;
    let Some(index) = relation.index() else {
        let message = format!("\"{}\" is not an index", relation.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    };
    crate::privilege::require_owner(&relation, context)?;
    let Some(table) = context.catalog.relation(index.table) else { return Ok(Vec::new()) };
    match is_partitioned(table) {
        true => Ok(context.catalog.inheritors(table)),
        false => Ok(vec![table.clone()]),
    }
}

/// Tables of the user, each once.
fn own(context: &StatementContext, wanted: impl Fn(&Relation) -> bool) -> Vec<Arc<Relation>> {
    let indexed: BTreeSet<Oid> =
        context.catalog.user_relations().filter_map(|index| index.index().map(|index| index.table)).collect();
    let tables = indexed.into_iter().filter_map(|table| context.catalog.relation(table));
    let owned = tables.filter(|table| wanted(table) && crate::privilege::require_owner(table, context).is_ok());
    owned.cloned().collect()
}

fn check_database(name: Option<&Ident>, context: &StatementContext) -> Result<()> {
    match name {
        Some(name) if name.name != context.database => {
            let message = "can only reindex the currently open database";
            Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
        }
        _ => Ok(()),
    }
}
