//! TRUNCATE (PostgreSQL manual): a table gets new, empty storage, so that it is quick and rolls back.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_catalog::object::{Relation, RelationKind, Table};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, namespace, table_storage};
use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::transaction::OpenTransaction;

pub fn run(
    session: &mut Session,
    names: &[(Name, bool)],
    restart_identity: bool,
    cascade: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    let mut tables: BTreeMap<Oid, Arc<Relation>> = BTreeMap::new();
    let mut whole = Vec::new();
    for (name, only) in names {
        let only = *only;
        let relation = namespace::existing_anywhere(name, context)?;
        if relation.table().is_none() || relation.materialized().is_some() {
            let message = format!("\"{}\" is not a table", relation.name);
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
        }
        match only {
            true if relation.partitioning().is_some() => {
                let message = "cannot truncate only a partitioned table";
                return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                    .with_hint("Do not specify the ONLY keyword, or use TRUNCATE ONLY on the partitions directly."));
            }
            true => {}
            false => whole.push(relation.clone()),
        }
        tables.insert(relation.oid, relation);
    }
    // What inherits is emptied too; privileges on the table that is named are enough.
    let named: Vec<Oid> = tables.keys().copied().collect();
    for table in whole {
        let below = context.catalog.inheritors(&table).into_iter().skip(1);
        tables.extend(below.map(|below| (below.oid, below)));
    }
    add_referencing(session, &mut tables, cascade, context)?;
    for table in tables.values() {
        if !is_below(table, &named, context) {
            crate::privilege::Owned::relation(table).require(aegis_catalog::acl::rights("D"), context)?;
        }
        session.writable("TRUNCATE TABLE")?.tables.deferred.refuse(table, "TRUNCATE")?;
        empty(session, table)?;
        if let Some(windows) = table.windows() {
            session.writable("TRUNCATE TABLE")?.tables.touched.note_emptied(table.oid, windows.grain);
        }
        session.drop_windows(context.catalog.windows_of(table.oid).map(|view| view.oid))?;
    }
    if restart_identity {
        restart_sequences(session, &tables, context)?;
    }
    Outcome::tag("TRUNCATE TABLE")
}

/// Is it emptied as a part of one that is named?
fn is_below(table: &Relation, named: &[Oid], context: &StatementContext) -> bool {
    !named.contains(&table.oid)
        && context.catalog.parents_of(table).any(|above| named.contains(&above.oid) || is_below(above, named, context))
}

/// Tables with foreign keys to those that are emptied must be emptied too. 0A000 without CASCADE, as in PostgreSQL.
fn add_referencing(
    session: &Session,
    tables: &mut BTreeMap<Oid, Arc<Relation>>,
    cascade: bool,
    context: &StatementContext,
) -> Result<()> {
    let mut waiting: Vec<Arc<Relation>> = tables.values().cloned().collect();
    while let Some(table) = waiting.pop() {
        let above = context.catalog.partition_ancestors(&table);
        let referencing = above.iter().map(|above| above.oid).chain([table.oid]);
        let referencing: Vec<_> = referencing.flat_map(|table| context.catalog.referencing(table)).collect();
        for (referencing, constraint) in referencing {
            if tables.contains_key(&referencing.oid) {
                continue;
            }
            if !cascade {
                let message = "cannot truncate a table referenced in a foreign key constraint";
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
                    .with_detail(format!("Table \"{}\" references \"{}\".", referencing.name, table.name))
                    .with_hint(format!(
                        "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                        referencing.name
                    ))
                    .with_constraint(&constraint.name));
            }
            session.skip_notice(&format!("truncate cascades to table \"{}\"", referencing.name));
            for table in context.catalog.inheritors(referencing) {
                tables.insert(table.oid, table.clone());
                waiting.push(table);
            }
        }
    }
    Ok(())
}

/// New storage in place of the old.
pub fn empty(session: &mut Session, relation: &Arc<Relation>) -> Result<()> {
    empty_in(session.writable("TRUNCATE TABLE")?, relation)
}

/// ON COMMIT DELETE ROWS, which a read-only transaction does too.
pub fn empty_at_commit(session: &mut Session, relation: &Arc<Relation>) -> Result<()> {
    let table = relation.table().filter(|table| table.rows().is_some());
    let (Some(open), Some(table)) = (&mut session.transaction, table) else { return Ok(()) };
    let rows = open.tables.scan(table.storage)?.read(Some(&[]), true)?;
    let any = rows.iter().any(|batch| batch.num_rows() > 0);
    if any { empty_in(open, relation) } else { Ok(()) }
}

fn empty_in(open: &mut OpenTransaction, relation: &Arc<Relation>) -> Result<()> {
    let Some(table) = relation.table().filter(|table| table.rows().is_some()) else { return Ok(()) };
    let storage = u64::from(open.catalog.allocate_oid()?);
    let schema = table_storage::schema_of(relation, &open.catalog.catalog())?;
    let rows = open.tables.of_mut(relation);
    rows.drop_table(table.storage)?;
    rows.create_table(storage, schema)?;
    let kind = RelationKind::Table(Table { storage, ..table.clone() });
    open.catalog.replace_relation(open.tables.permanent(), Relation { kind, ..Relation::clone(relation) })?;
    Ok(())
}

fn restart_sequences(
    session: &Session,
    tables: &BTreeMap<Oid, Arc<Relation>>,
    context: &StatementContext,
) -> Result<()> {
    for relation in context.catalog.user_relations() {
        if let Some(sequence) = relation.sequence()
            && sequence.owned_by.is_some_and(|(table, _)| tables.contains_key(&table))
        {
            session.shared.sequences.set(relation, sequence.start, false)?;
        }
    }
    Ok(())
}
