//! CLUSTER (PostgreSQL manual): the rows of a table are written anew in the order of an index. Scans then find neighbouring keys in
//! the same row groups, and leave out the others by their statistics.

use std::sync::Arc;

use aegis_catalog::object::{Index, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, namespace, rewrite};
use crate::bind;
use crate::bind::tree::OrderKey;
use crate::parse::ast::{Ident, Name};
use crate::session::Session;
use crate::session::context::StatementContext;

/// The tables that the statement writes anew.
pub fn tables(table: Option<&Name>, context: &StatementContext) -> Vec<Arc<Relation>> {
    match table {
        Some(name) => namespace::find(name, context).ok().flatten().into_iter().collect(),
        None => clustered(context).map(|(table, _)| table.clone()).collect(),
    }
}

/// Tables of the user that were clustered before, with their indexes.
fn clustered(context: &StatementContext) -> impl Iterator<Item = (&Arc<Relation>, &Arc<Relation>)> {
    context.catalog.user_relations().filter_map(|index| {
        let table = context.catalog.relation(index.index().filter(|index| index.clustered)?.table)?;
        crate::privilege::require_owner(table, context).is_ok().then_some((table, index))
    })
}

pub async fn run(
    session: &mut Session,
    table: Option<&Name>,
    index: Option<&Ident>,
    context: &StatementContext,
) -> Result<Outcome> {
    let Some(name) = table else {
        session.require_no_block("CLUSTER")?;
        let found: Vec<_> = clustered(context).map(|(table, index)| (table.clone(), index.clone())).collect();
        for (table, index) in &found {
            sort(session, table, index).await?;
        }
        return Outcome::tag("CLUSTER");
    };
    let table = namespace::existing_anywhere(name, context)?;
    if table.table().is_none() {
        let message = format!("\"{}\" is not a table", table.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    namespace::reject_system(&table)?;
    crate::privilege::require_owner(&table, context)?;
    let index = match index {
        Some(index) => existing(&table, index, context)?,
        None => context.catalog.indexes_of(table.oid).find(|index| is_clustered(index)).cloned().ok_or_else(|| {
            let message = format!("there is no previously clustered index for table \"{}\"", table.name);
            Error::new(sqlstate::UNDEFINED_OBJECT, message)
        })?,
    };
    check(&index)?;
    if table.partitioning().is_some() {
        session.require_no_block("CLUSTER")?;
        return Err(Error::unsupported("CLUSTER of a partitioned table"));
    }
    mark_index(session, &table, Some(index.oid), context)?;
    sort(session, &table, &index).await?;
    Outcome::tag("CLUSTER")
}

/// ALTER TABLE … CLUSTER ON, SET WITHOUT CLUSTER: by which index CLUSTER shall sort the table from now on.
pub fn mark(
    session: &mut Session,
    table: &Arc<Relation>,
    index: Option<&Ident>,
    context: &StatementContext,
) -> Result<()> {
    let index = index.map(|index| existing(table, index, context)).transpose()?;
    if let Some(index) = &index {
        check(index)?;
    }
    if table.partitioning().is_some() {
        let message = "cannot mark index clustered in partitioned table";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    mark_index(session, table, index.map(|index| index.oid), context)
}

fn is_clustered(index: &Relation) -> bool {
    index.index().is_some_and(|index| index.clustered)
}

fn existing(table: &Relation, name: &Ident, context: &StatementContext) -> Result<Arc<Relation>> {
    let Some(index) = context.catalog.relation_by_name(table.schema, &name.name) else {
        let message = format!("index \"{}\" for table \"{}\" does not exist", name.name, table.name);
        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
    };
    if index.index().is_none_or(|index| index.table != table.oid) {
        let message = format!("\"{}\" is not an index for table \"{}\"", name.name, table.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    Ok(index.clone())
}

/// 0A000 for an index that has no order of all rows.
fn check(relation: &Relation) -> Result<()> {
    let Some(index) = relation.index() else { return Err(Error::internal("an index that is none")) };
    let name = &relation.name;
    let message = if !matches!(index.method.as_str(), "btree" | "gist") {
        format!("cannot cluster on index \"{name}\" because access method does not support clustering")
    } else if index.predicate.is_some() {
        format!("cannot cluster on partial index \"{name}\"")
    } else if index.method == "gist" {
        return Err(Error::unsupported("CLUSTER by an index of gist"));
    } else {
        return Ok(());
    };
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message))
}

fn mark_index(session: &mut Session, table: &Relation, marked: Option<Oid>, context: &StatementContext) -> Result<()> {
    for index in context.catalog.indexes_of(table.oid) {
        let clustered = Some(index.oid) == marked;
        if let RelationKind::Index(definition) = &index.kind
            && definition.clustered != clustered
        {
            let kind = RelationKind::Index(Index { clustered, ..definition.clone() });
            let open = session.writable("CLUSTER")?;
            open.catalog.replace_relation(open.tables.permanent(), Relation { kind, ..Relation::clone(index) })?;
        }
    }
    Ok(())
}

async fn sort(session: &mut Session, table: &Arc<Relation>, index: &Relation) -> Result<()> {
    let context = session.context()?;
    let Some(definition) = index.index() else { return Err(Error::internal("an index that is none")) };
    let mut order = Vec::with_capacity(definition.keys.len());
    for key in &definition.keys {
        let expr = match &key.expression {
            Some(text) => bind::bind_stored(table, rewrite::OLD_ROWS, text, &context)?,
            None => bind::column_of(table, rewrite::OLD_ROWS, key.attnum)
                .ok_or_else(|| Error::internal("an index over a column that is not there"))?,
        };
        order.push(OrderKey { expr, descending: key.descending, nulls_first: key.nulls_first });
    }
    rewrite::sorted(session, table, table, Vec::new(), order).await.map(drop)
}
