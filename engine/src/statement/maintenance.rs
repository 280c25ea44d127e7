//! VACUUM, ANALYZE and CHECKPOINT, as far as they have a meaning here.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Result, sqlstate};
use aegis_storage::Store;

use super::{Outcome, namespace};
use crate::parse::ast::{Ident, Name};
use crate::session::context::StatementContext;
use crate::session::{Session, clock};

pub async fn run(
    session: &mut Session,
    verb: &str,
    tables: &[(Name, Vec<Ident>)],
    context: &StatementContext,
) -> Result<Outcome> {
    let verb = verb.to_uppercase();
    let mut chosen = Vec::with_capacity(tables.len());
    let mut named = Vec::with_capacity(tables.len());
    for (name, columns) in tables {
        let relation = namespace::existing_anywhere(name, context)?;
        if relation.table().is_none() {
            let message = format!("skipping \"{}\" --- cannot {} non-tables", relation.name, verb.to_lowercase());
            session.warn(sqlstate::WRONG_OBJECT_TYPE, &message);
        }
        check_columns(&relation, columns)?;
        chosen.extend(relation.table().and_then(|table| table.rows()));
        named.push(relation);
    }
    match verb.as_str() {
        // What is committed but only in memory and the log goes to segments.
        "CHECKPOINT" => session.shared.store.flush().await?,
        "VACUUM" => {
            session.require_no_block("VACUUM")?;
            vacuum(Arc::clone(&session.shared.store), chosen, context).await?;
            let now = clock::now();
            let all = context.catalog.user_relations().filter(|_| tables.is_empty());
            let vacuumed = named.iter().chain(all).filter(|relation| relation.table().is_some());
            vacuumed.for_each(|relation| context.services.counters(relation.oid).vacuumed(now));
        }
        "ANALYZE" => session.skip_notice("ANALYZE collects nothing: the store knows the statistics of its segments"),
        _ => return Err(Error::unsupported(verb)),
    }
    Outcome::tag(verb)
}

/// 42703 for a column that the table has not, 42701 for one that is named twice.
fn check_columns(relation: &Relation, columns: &[Ident]) -> Result<()> {
    for (position, column) in columns.iter().enumerate() {
        let shown = format!("column \"{}\" of relation \"{}\"", column.name, relation.name);
        if relation.column_by_name(&column.name).is_none() {
            return Err(Error::new(sqlstate::UNDEFINED_COLUMN, format!("{shown} does not exist")));
        }
        if columns.iter().take(position).any(|earlier| earlier.name == column.name) {
            return Err(Error::new(sqlstate::DUPLICATE_COLUMN, format!("{shown} appears more than once")));
        }
    }
    Ok(())
}

/// Rewrites segments with dead rows and merges small ones, of the tables named or of all.
async fn vacuum(store: Arc<Store>, tables: Vec<u64>, context: &StatementContext) -> Result<()> {
    let cancel = context.cancel.clone();
    let run = move || store.vacuum((!tables.is_empty()).then_some(&tables), &|| cancel.is_cancelled());
    let done = tokio::task::spawn_blocking(run).await.map_err(|e| Error::internal(e.to_string()))?;
    done.map_err(Error::from)
}
