//! Utility statements: one file per verb or family. This file only dispatches.

mod alter_index;
mod alter_object;
mod alter_table;
mod cluster;
mod collation;
mod comment;
mod composite_type;
mod constraint;
pub mod copy;
mod create_table;
mod create_table_as;
pub mod current_of;
mod cursor;
mod database;
mod descriptor;
mod discard;
mod domain;
pub mod drop;
mod drop_absent;
mod explain;
mod explain_format;
pub mod extension;
mod index;
mod inherit;
pub mod large_object;
pub mod lock;
mod maintenance;
mod materialized_view;
pub mod namespace;
mod notify;
mod partition;
mod prepare;
pub mod privilege;
mod range_type;
mod readers;
mod reindex;
mod rewrite;
pub mod role;
pub mod routine;
mod schema;
mod security_label;
mod sequence;
mod set;
mod set_constraints;
mod statistics;
mod storage_options;
pub mod storage_parameter;
pub mod stored_text;
pub mod table_storage;
mod text_search;
mod transaction;
pub mod truncate;
mod user_type;
mod view;

use std::borrow::Cow;
use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type};

use crate::parse::ast::{ParsedStatement, Statement};
use crate::parse::utility::Utility;
pub use cursor::fetch as cursor_fetch;

use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::portal::{RowStream, Tag};
use crate::session::protocol::{Format, OutputColumn};

/// What a statement leaves to be sent.
pub enum Outcome {
    /// Nothing but its command tag.
    Tag(String),
    Rows {
        rows: RowStream,
        tag: Tag,
    },
    /// The client shall send CopyData.
    CopyIn {
        format: Format,
        columns: usize,
    },
    CopyOut {
        format: Format,
        columns: usize,
    },
}

impl Outcome {
    pub fn tag(tag: impl Into<String>) -> Result<Self> {
        Ok(Self::Tag(tag.into()))
    }
}

/// Runs one utility statement. `sql` is the query string its spans point into.
pub async fn run(session: &mut Session, utility: &Utility, sql: &str, context: &StatementContext) -> Result<Outcome> {
    match utility {
        Utility::Begin { start, isolation, read_only, deferrable } => {
            let tag = if *start { "START TRANSACTION" } else { "BEGIN" };
            transaction::begin(session, tag, isolation.as_deref(), *read_only, *deferrable)
        }
        Utility::Commit { chain } => transaction::commit(session, *chain).await,
        Utility::Rollback { chain } => transaction::rollback(session, *chain).await,
        Utility::PrepareTransaction(gid) => transaction::prepare(session, gid).await,
        Utility::FinishPrepared { gid, commit } => transaction::finish_prepared(session, gid, *commit).await,
        Utility::Savepoint(name) => transaction::savepoint(session, &name.name),
        Utility::ReleaseSavepoint(name) => transaction::release(session, &name.name),
        Utility::RollbackTo(name) => transaction::rollback_to(session, &name.name),
        Utility::SetTransaction { session: of_session, isolation, read_only, deferrable, snapshot } => {
            transaction::defer(session, *of_session, *deferrable)?;
            transaction::characteristics(session, *of_session, isolation.as_deref(), *read_only, snapshot.as_deref())
        }
        Utility::Set { scope, name, value } => set::set(session, *scope, name, value),
        Utility::Show(name) => set::show(session, name),
        Utility::ShowAll => set::show_all(session),
        Utility::Reset(name) => set::reset(session, name.as_deref()),
        Utility::Discard(target) => discard::run(session, *target),
        Utility::Prepare { name, types, statement } => {
            prepare::prepare(session, &name.name, types, statement, sql, context)
        }
        Utility::Execute { name, args } => prepare::execute(session, &name.name, args, context).await,
        Utility::Deallocate(name) => prepare::deallocate(session, name.as_ref().map(|n| n.name.as_str())),
        Utility::Declare { name, binary, scroll, hold, query, .. } => {
            let options = cursor::Options { binary: *binary, scroll: *scroll, hold: *hold };
            cursor::declare(session, &name.name, options, query, sql, context).await
        }
        Utility::Fetch { cursor, direction, count, move_only } => {
            cursor::fetch(session, &cursor.name, *direction, *count, *move_only).await
        }
        Utility::Close(name) => cursor::close(session, name.as_ref().map(|n| n.name.as_str())),
        Utility::ChangeCurrent { statement, cursor } => current_of::run(session, statement, cursor, sql, context).await,
        Utility::Explain { options, statement } => explain::run(session, options, statement, sql, context).await,
        Utility::Copy(copy) => copy::run(session, copy, sql, context).await,
        Utility::CreateTable(create) => create_table::run(session, create, context).await,
        Utility::AlterTable(alter) => alter_table::run(session, alter, context).await,
        Utility::CreateSequence { name, temporary, if_not_exists, options } => {
            sequence::create(session, name, *temporary, *if_not_exists, options, context)
        }
        Utility::AlterSequence { name, if_exists, options } => {
            sequence::alter(session, name, *if_exists, options, context)
        }
        Utility::CreateType { name, definition } => user_type::create(session, name, definition, context),
        Utility::AlterType { name, actions } => user_type::alter(session, name, actions, context).await,
        Utility::CreateDomain(create) => domain::create(session, create, context),
        Utility::AlterDomain { name, action } => domain::alter(session, name, action, context).await,
        Utility::CreateTableAs(create) => create_table_as::run(session, create, sql, context).await,
        Utility::CreateView(create) => view::create(session, create, sql, context),
        Utility::CreateIndex(create) => index::create(session, create, context).await,
        Utility::AttachIndex { index, partition } => {
            partition::index::attach_partition(session, index, partition, context)
        }
        Utility::AlterIndex { name, if_exists, actions } => {
            alter_index::run(session, name, *if_exists, actions, context)
        }
        Utility::CreateSchema { name, owner, if_not_exists, elements } => {
            schema::create(session, name.as_ref(), owner.as_ref(), *if_not_exists, (elements, sql), context).await
        }
        Utility::Drop(drop) => drop::run(session, drop, context),
        Utility::Truncate { tables, restart_identity, cascade } => {
            truncate::run(session, tables, *restart_identity, *cascade, context)
        }
        Utility::Comment { object, text } => comment::run(session, object, text.as_deref(), context),
        Utility::CreateDatabase { name, options } => database::create(session, &name.name, options, context),
        Utility::AlterDatabase { name, action } => database::alter(session, &name.name, action, context),
        Utility::DropDatabase { name, if_exists, force } => {
            database::drop(session, &name.name, *if_exists, *force, context).await
        }
        Utility::Listen(channel) => notify::listen(session, &channel.name),
        Utility::Unlisten(channel) => notify::unlisten(session, channel.as_ref().map(|channel| channel.name.as_str())),
        Utility::Notify { channel, payload } => notify::notify(session, &channel.name, payload.as_deref()),
        Utility::Rename { object, column, constraint, to, if_exists } => {
            let part = match (column, constraint) {
                (Some(column), _) => alter_object::Part::Column(column),
                (_, Some(constraint)) => alter_object::Part::Constraint(constraint),
                _ => alter_object::Part::Whole,
            };
            alter_object::rename(session, object, part, to, *if_exists, context)
        }
        Utility::SetSchema { object, schema, if_exists } => {
            alter_object::set_schema(session, object, schema, *if_exists, context)
        }
        Utility::SetOwner { object, owner, if_exists } => {
            alter_object::set_owner(session, object, owner, *if_exists, context)
        }
        Utility::Lock { tables, mode, nowait } => lock::run(session, tables, mode, *nowait, context).await,
        Utility::SetConstraints { names, deferred } => set_constraints::run(session, names, *deferred, context).await,
        Utility::Maintenance { verb, tables } => maintenance::run(session, verb, tables, context).await,
        Utility::Cluster { table, index } => cluster::run(session, table.as_ref(), index.as_ref(), context).await,
        Utility::Reindex { target, concurrently } => reindex::run(session, target, *concurrently, context).await,
        Utility::Do(block) => routine::run_inline(session, block, sql).await,
        Utility::Unsupported(feature) => Err(Error::unsupported(feature)),
        utility => run_of_users(session, utility, context).await,
    }
}

/// Roles, privileges, and what else users make besides relations.
async fn run_of_users(session: &mut Session, utility: &Utility, context: &StatementContext) -> Result<Outcome> {
    match utility {
        Utility::CreateRole { name, options, is_user, .. } => {
            role::create(session, &name.name, options, *is_user, context)
        }
        Utility::AlterRole { name, action } => role::alter(session, &name.name, action, context),
        Utility::DropRole { names, if_exists } => role::drop(session, names, *if_exists, context),
        Utility::Grant(grant) if grant.objects.is_some() => privilege::grant(session, grant, context),
        Utility::Grant(grant) => role::grant(session, grant, context),
        Utility::AlterDefaultPrivileges(alter) => privilege::alter_default(session, alter, context),
        Utility::ReassignOwned { from, to } => privilege::reassign(session, from, to, context).await,
        Utility::DropOwned { roles, cascade } => privilege::drop_owned(session, roles, *cascade, context),
        Utility::RefreshMaterializedView { name, concurrently, with_data } => {
            materialized_view::refresh(session, name, *concurrently, *with_data, context).await
        }
        Utility::CreateExtension(create) => extension::create(session, create, context).await,
        Utility::AlterExtension(alter) => extension::alter(session, alter, context).await,
        Utility::SecurityLabel { provider, object, label } => {
            security_label::run(session, provider.as_deref(), object, label.as_deref(), context).await
        }
        Utility::CreateCollation(create) => collation::create(session, create, context),
        Utility::RefreshCollationVersion(name) => collation::refresh_version(session, name, context),
        Utility::CreateTextSearch(create) => text_search::create(session, create, context),
        Utility::AlterTextSearchDictionary(alter) => text_search::alter_dictionary(session, alter, context),
        Utility::AlterTextSearchConfiguration(alter) => text_search::alter_configuration(session, alter, context),
        Utility::CreateStatistics(create) => statistics::create(session, create, context),
        Utility::SetStatisticsTarget { name, if_exists, target } => {
            statistics::set_target(session, name, *if_exists, *target, context)
        }
        Utility::DropAbsent(drop) => drop_absent::run(session, drop, context),
        Utility::CreateRoutine(create) => routine::create(session, create, context),
        Utility::CreateAggregate(create) => routine::create_aggregate(session, create, context),
        Utility::AlterRoutine(alter) => routine::alter(session, alter, context),
        Utility::DropRoutine(drop) => routine::drop(session, drop, context),
        Utility::Call(call) => routine::call(session, call, (&[], &[]), context).await,
        _ => Err(Error::internal("a statement that nobody runs")),
    }
}

/// The statement in a utility statement, whose parameters are its own.
pub fn inner(utility: &Utility) -> Option<Cow<'_, Statement>> {
    match utility {
        Utility::Declare { query, .. } => Some(Cow::Owned(Statement::Query(query.clone()))),
        Utility::Explain { statement, .. } => Some(Cow::Borrowed(&statement.statement)),
        Utility::CreateTableAs(create) => Some(Cow::Borrowed(&*create.source)),
        _ => None,
    }
    .filter(|inner| !matches!(**inner, Statement::Utility(_)))
}

/// True for what a failed transaction block still takes.
pub fn allowed_in_failed_transaction(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Utility(utility)
            if matches!(**utility, Utility::Commit { .. } | Utility::Rollback { .. } | Utility::RollbackTo(_) | Utility::PrepareTransaction(_))
    )
}

/// True for statements that leave the transaction's snapshot untaken, so that its isolation may still be set.
pub fn needs_no_snapshot(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Utility(utility) if matches!(
            **utility,
            Utility::PrepareTransaction(_) | Utility::FinishPrepared { .. } |
            Utility::Begin { .. } | Utility::Commit { .. } | Utility::Rollback { .. } | Utility::Savepoint(_)
                | Utility::ReleaseSavepoint(_) | Utility::RollbackTo(_) | Utility::SetTransaction { .. }
                | Utility::Set { .. } | Utility::Show(_) | Utility::ShowAll | Utility::Reset(_) | Utility::Lock { .. }
        )
    )
}

/// Result columns of statements that always return the same ones.
pub fn output_columns(utility: &Utility) -> Option<Vec<OutputColumn>> {
    match utility {
        Utility::Show(name) => Some(set::show_columns(name)),
        Utility::ShowAll => Some(set::show_all_columns()),
        Utility::Explain { options, .. } => Some(explain::columns(options)),
        _ => None,
    }
}

/// Result columns of statements that return what another one does: EXECUTE and FETCH.
pub fn referenced_columns(session: &Session, statement: &ParsedStatement) -> Option<Arc<Vec<OutputColumn>>> {
    match &statement.statement {
        Statement::Utility(utility) => match &**utility {
            Utility::Execute { name, .. } => session.prepared.lock().get(&name.name)?.columns().cloned(),
            Utility::ChangeCurrent { statement, .. } => {
                let context = session.context().ok()?;
                current_of::output_columns(statement, "", &context).map(Arc::new)
            }
            Utility::Fetch { cursor, move_only: false, .. } => session.portals.get(&cursor.name)?.columns.clone(),
            _ => None,
        },
        _ => None,
    }
}

/// A result column of type text.
pub(crate) fn text_column(name: &str) -> OutputColumn {
    OutputColumn { name: name.to_owned(), ty: Type::of(oid::TEXT), origin: None }
}

/// The one batch of a small result whose columns are all text.
pub(crate) fn text_rows(columns: Vec<Vec<Option<String>>>) -> Result<RowStream> {
    use arrow::array::{ArrayRef, RecordBatch, StringViewArray};
    use futures::StreamExt;
    let arrays: Vec<(String, ArrayRef)> = columns
        .into_iter()
        .enumerate()
        .map(|(i, values)| (format!("c{i}"), std::sync::Arc::new(StringViewArray::from_iter(values)) as ArrayRef))
        .collect();
    let fields: Vec<(String, ArrayRef, bool)> = arrays.into_iter().map(|(name, array)| (name, array, true)).collect();
    let batch = RecordBatch::try_from_iter_with_nullable(fields).map_err(|e| Error::internal(e.to_string()))?;
    Ok(futures::stream::iter([Ok(batch)]).boxed())
}
