//! Running portals inside transactions: opening one for a statement, committing, failing.

use std::sync::Arc;
use std::time::Instant;

use aegis_catalog::object::Relation;
use aegis_catalog::transaction::CatalogTransaction;
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::Isolation;
use aegis_storage::lock::{Object, TableMode, Want};
use datafusion::scalar::ScalarValue;
use futures::StreamExt;

use super::Session;
use super::clock;
use super::context::StatementContext;
use super::notify::Pending;
use super::portal::{Keep, PortalState, Rows, Tag};
use super::prepared::{Plan, Prepared};
use super::protocol::{Fetched, Response};
use super::tables::Tables;
use super::transaction::{Block, OpenTransaction, isolation};
use crate::bind::tree;
use crate::execute;
use crate::execute::Change;
use crate::parse::ast::Statement;
use crate::parse::utility::{OnCommit, Utility};
use crate::statement::lock::Needs;
use crate::statement::{self, Outcome};

impl Session {
    // ------------------------------------------------------------------------------------------ transactions

    /// 25P02 in a failed block, for all but what ends or repairs it.
    pub(super) fn refuse_if_failed(&self, statement: &Statement) -> Result<()> {
        let failed = self.transaction.as_ref().is_some_and(|open| open.failed);
        if failed && !statement::allowed_in_failed_transaction(statement) {
            return Err(Error::new(
                sqlstate::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// Makes sure that a transaction is open, and at READ COMMITTED that it sees what was committed until now.
    pub(super) fn open_transaction(&mut self, statement: &Statement) -> Result<()> {
        let fresh = self.transaction.is_none();
        if fresh {
            self.transaction = Some(self.begin(Block::Implicit)?);
        }
        let obeyed = self.obeyed();
        let Some(open) = &mut self.transaction else { return Ok(()) };
        if open.failed {
            return Ok(());
        }
        open.tables.patience = obeyed.patience;
        self.refresh_identity()?;
        let Some(open) = &mut self.transaction else { return Ok(()) };
        if statement::needs_no_snapshot(statement) {
            return Ok(());
        }
        // The catalog first: rows must never be older than the catalog that describes them.
        match (open.isolation, open.used) {
            _ if fresh => {}
            (Isolation::ReadCommitted, _) => {
                open.catalog.refresh()?;
                open.tables.refresh()?;
            }
            // The snapshot is the first statement's, not BEGIN's.
            (_, false) => {
                open.catalog.refresh()?;
                open.tables.renew();
            }
            (_, true) => {}
        }
        open.used = true;
        Ok(())
    }

    /// A new transaction with the session's default characteristics.
    pub(crate) fn begin(&self, block: Block) -> Result<OpenTransaction> {
        let obeyed = self.obeyed();
        let (level, read_only) = match obeyed.isolation {
            Some(level) if obeyed.as_shown => (level, obeyed.read_only),
            _ => self.show_characteristics()?,
        };
        let catalog =
            CatalogTransaction::begin(&self.shared.catalog, self.backend.database_oid, &self.temporary_objects)?;
        let tables = Tables::begin(
            &self.shared.store,
            self.temporary_store.as_ref(),
            level,
            &self.owner,
            &self.shared.snapshots,
        );
        Ok(OpenTransaction {
            tables,
            catalog,
            block,
            failed: false,
            isolation: level,
            read_only,
            started: clock::now(),
            used: false,
            savepoints: Vec::new(),
            large_objects: Default::default(),
        })
    }

    /// Makes the session's default characteristics those of the present transaction.
    fn show_characteristics(&self) -> Result<(Isolation, bool)> {
        let mut settings = self.backend.settings.lock();
        let level = settings.text("default_transaction_isolation").to_owned();
        let read_only = settings.bool("default_transaction_read_only");
        settings.set_fact("transaction_isolation", &level);
        settings.set_fact("transaction_read_only", if read_only { "on" } else { "off" });
        let deferrable = settings.bool("default_transaction_deferrable");
        settings.set_fact("transaction_deferrable", if deferrable { "on" } else { "off" });
        Ok((isolation(&level)?, read_only))
    }

    /// COMMIT or ROLLBACK: the transaction is over whatever the result. Portals go, held cursors stay.
    pub(crate) async fn end_transaction(&mut self, commit: bool) -> Result<()> {
        let ready = if commit { self.prepare_to_end().await } else { Ok(()) };
        let Some(open) = self.transaction.take() else { return Ok(()) };
        // The portal of a statement that goes on afterwards stays.
        let goes_on = self.calls > 0;
        self.portals.retain(|_, portal| portal.is_held() || goes_on && matches!(portal.state, PortalState::Ready));
        let pending = std::mem::take(&mut *self.pending_notifications.lock());
        let result = match ready {
            Ok(()) if commit => self.commit(open, pending).await,
            ready => ready,
        };
        let counters = self.shared.counters.database(self.backend.database_oid);
        if commit && result.is_ok() { &counters.commits } else { &counters.rollbacks }.add(1);
        let mut settings = self.backend.settings.lock();
        if commit && result.is_ok() {
            settings.commit();
        } else {
            settings.rollback();
        }
        result
    }

    /// After the end of one, within a statement that goes on.
    pub(crate) fn continue_in_new_transaction(&mut self) -> Result<()> {
        let mut open = self.begin(Block::Implicit)?;
        open.tables.patience = self.obeyed().patience;
        open.used = true;
        self.transaction = Some(open);
        self.refresh_identity()
    }

    /// What a commit does while it may still fail.
    pub(super) async fn prepare_to_end(&mut self) -> Result<()> {
        self.run_deferred(true).await?;
        self.hold_cursors().await?;
        self.run_on_commit().await?;
        self.settle_windows().await
    }

    /// Makes the checks that were deferred: all, or those of constraints that are immediate by now.
    pub(crate) async fn run_deferred(&mut self, all: bool) -> Result<()> {
        if self.transaction.as_ref().is_none_or(|open| open.tables.deferred.is_empty()) {
            return Ok(());
        }
        let context = self.context()?;
        let runtime = Arc::clone(&self.shared.executor);
        let Some(open) = &mut self.transaction else { return Ok(()) };
        execute::Execution::new(&runtime, context, &mut open.tables, &[]).run_deferred(all).await
    }

    async fn commit(&mut self, open: OpenTransaction, pending: Pending) -> Result<()> {
        let database = self.backend.database_oid;
        self.shared.channels.admit(database, &pending)?;
        let synchronous = self.obeyed().synchronous;
        let OpenTransaction { tables, catalog, .. } = open;
        let locks = tables.commit(synchronous).await?;
        catalog.publish(&mut self.temporary_objects);
        drop(locks);
        if !pending.is_empty() {
            self.shared.channels.publish(database, &self.backend.inbox, pending);
        }
        Ok(())
    }

    /// Cursors WITH HOLD read their rows before the transaction that they depend on ends.
    async fn hold_cursors(&mut self) -> Result<()> {
        for portal in self.portals.values_mut() {
            if portal.cursor.as_ref().is_some_and(|cursor| cursor.hold)
                && let PortalState::Running(rows) = &mut portal.state
            {
                rows.materialize().await?;
            }
        }
        Ok(())
    }

    /// ON COMMIT DELETE ROWS and DROP of temporary tables.
    async fn run_on_commit(&mut self) -> Result<()> {
        let Some(open) = &self.transaction else { return Ok(()) };
        if self.on_commit.is_empty() {
            return Ok(());
        }
        let catalog = open.catalog.catalog();
        // Tables that are gone, or whose transaction rolled back, are forgotten.
        self.on_commit.retain(|(table, _)| catalog.relation(*table).is_some());
        for (table, action) in self.on_commit.clone() {
            let Some(table) = catalog.relation(table) else { continue };
            match action {
                OnCommit::Preserve => {}
                OnCommit::DeleteRows => statement::truncate::empty_at_commit(self, table)?,
                OnCommit::Drop => statement::drop::drop_at_commit(self, table)?,
            }
        }
        Ok(())
    }

    /// A statement failed: an implicit transaction is gone, a block waits for ROLLBACK.
    pub(super) fn fail_transaction(&mut self) {
        self.copy = None;
        match &mut self.transaction {
            Some(open) if open.block == Block::Explicit => open.fail(),
            Some(_) => {
                self.transaction = None;
                *self.pending_notifications.lock() = Pending::default();
                self.portals.retain(|_, portal| portal.is_held());
                self.backend.settings.lock().rollback();
                self.shared.counters.database(self.backend.database_oid).rollbacks.add(1);
            }
            None => {}
        }
    }

    // ------------------------------------------------------------------------------------------ portals

    /// Starts the portal's statement.
    pub(crate) async fn run_portal(&mut self, name: &str, context: &Arc<StatementContext>) -> Result<Response> {
        let Some(entry) = self.counted(name, context) else { return self.start_portal(name, context).await };
        let since = Instant::now();
        let response = self.start_portal(name, context).await?;
        self.count(name, entry, since, &response);
        Ok(response)
    }

    async fn start_portal(&mut self, name: &str, context: &Arc<StatementContext>) -> Result<Response> {
        let portal = self.find_portal(name)?;
        let prepared = Arc::clone(&portal.prepared);
        let parameters = std::mem::take(&mut portal.parameters);
        let Some(parsed) = &prepared.statement else { return Ok(Response::Empty) };
        let fresh = self.lock_for(&prepared, context).await?;
        let context = fresh.as_ref().unwrap_or(context);
        let outcome = match &parsed.statement {
            Statement::Utility(utility) => match &**utility {
                Utility::Call(call) => {
                    let parameters = (prepared.parameters.as_slice(), parameters.as_slice());
                    statement::routine::call(self, call, parameters, context).await?
                }
                utility => {
                    self.utility_parameters = (prepared.parameters.clone(), parameters);
                    let outcome = statement::run(self, utility, &prepared.sql, context).await;
                    self.utility_parameters = Default::default();
                    outcome?
                }
            },
            _ => {
                let plan = prepared.plan(context)?;
                self.run_plan(&plan, parameters, context).await?
            }
        };
        self.answer(name, outcome)
    }

    /// Locks the relations of a statement. Some if the catalog has changed while it waited: what it then may know.
    async fn lock_for(
        &mut self,
        prepared: &Prepared,
        context: &Arc<StatementContext>,
    ) -> Result<Option<Arc<StatementContext>>> {
        let mut fresh: Option<Arc<StatementContext>> = None;
        loop {
            let context = fresh.as_ref().unwrap_or(context);
            let needs = self.needs(prepared, context)?;
            if !self.lock_relations(needs.iter(), false, context).await? {
                return Ok(fresh);
            }
            fresh = Some(self.context()?);
        }
    }

    /// The relations that a statement locks.
    pub(super) fn needs(&self, prepared: &Prepared, context: &StatementContext) -> Result<Needs> {
        Ok(match prepared.statement.as_ref().map(|parsed| &parsed.statement) {
            None => Needs::default(),
            Some(Statement::Utility(utility)) => Needs::of_utility(utility, &prepared.sql, self, context),
            Some(_) => prepared.plan(context)?.needs.clone(),
        })
    }

    /// Locks relations. True if others have changed the catalog before the locks were ours, so that names must be looked up
    /// again. 55P03 without waiting if `nowait`.
    pub(crate) async fn lock_relations(
        &mut self,
        needs: impl Iterator<Item = (Oid, TableMode)>,
        nowait: bool,
        context: &StatementContext,
    ) -> Result<bool> {
        let Some(open) = self.transaction.as_mut().filter(|open| !open.failed) else { return Ok(false) };
        let locks = Arc::clone(open.tables.locks());
        let mark = locks.mark();
        for (relation, mode) in needs {
            let want = Want::Object(Object::Table { database: context.database_oid, relation }, mode);
            if nowait && !locks.attempt(want)? {
                let name = context.catalog.relation(relation).map(|relation| relation.name.clone()).unwrap_or_default();
                let message = format!("could not obtain lock on relation \"{name}\"");
                return Err(Error::new(sqlstate::LOCK_NOT_AVAILABLE, message));
            }
            if let Some(waiting) = locks.request(want)? {
                execute::lock::wait(waiting, open.tables.patience, &context.cancel).await?;
            }
        }
        if locks.mark() == mark || open.catalog.is_current() {
            return Ok(false);
        }
        if open.isolation.keeps_snapshot() && open.used {
            // The snapshot stays; a table that was altered is a conflict for who writes to it.
            return Ok(false);
        }
        open.catalog.refresh()?;
        if open.used {
            open.tables.refresh()?;
        }
        Ok(true)
    }

    /// Runs a SELECT, INSERT, UPDATE or DELETE once.
    pub(crate) async fn run_bound(
        &mut self,
        tree: tree::BoundStatement,
        parameters: Vec<ScalarValue>,
        context: &StatementContext,
    ) -> Result<Outcome> {
        let context = &Arc::new(context.clone());
        self.run_plan(&Plan::new(tree, context)?, parameters, context).await
    }

    /// Runs a SELECT, INSERT, UPDATE or DELETE.
    pub(crate) async fn run_plan(
        &mut self,
        plan: &Plan,
        parameters: Vec<ScalarValue>,
        context: &Arc<StatementContext>,
    ) -> Result<Outcome> {
        if !self.superuser {
            plan.check_privileges(context)?;
        }
        self.lock_relations(plan.needs.iter(), false, context).await?;
        if plan.calls {
            let mut tree = plan.tree.clone();
            self.settle(&mut tree.statement, &parameters, context).await?;
            return self.run_settled(&Plan::settled(tree, context), parameters, context).await;
        }
        self.run_settled(plan, parameters, context).await
    }

    pub(super) async fn run_settled(
        &mut self,
        plan: &Plan,
        parameters: Vec<ScalarValue>,
        context: &Arc<StatementContext>,
    ) -> Result<Outcome> {
        let runtime = Arc::clone(&self.shared.executor);
        let Some(open) = &mut self.transaction else {
            return Err(Error::internal("a statement runs outside a transaction"));
        };
        let tree = &plan.tree;
        if let Some(command) = changing_command(&tree.statement) {
            open.require_writable(command)?;
        }
        let generic = plan.generic(context, &open.tables);
        let mut execution = execute::Execution::new(&runtime, Arc::clone(context), &mut open.tables, &parameters);
        let change = match &tree.statement {
            tree::Statement::Query(query) => {
                let rows = execute::run_query(query, generic, &mut execution).await?;
                return Ok(Outcome::Rows { rows: into_stream(rows), tag: Tag::Counted("SELECT") });
            }
            tree::Statement::Insert(insert) => Change::Insert(insert),
            tree::Statement::Update(update) => Change::Update(update),
            tree::Statement::Delete(delete) => Change::Delete(delete),
            tree::Statement::Merge(merge) => Change::Merge(merge),
        };
        let result = execute::run_change(change, generic, &mut execution).await?;
        self.make_own_windows().await?;
        if tree.columns.is_none() {
            return Ok(Outcome::Tag(format!("{} {}", change.tag(), result.count)));
        }
        let rows = futures::stream::iter(result.returning.into_iter().map(Ok)).boxed();
        Ok(Outcome::Rows { rows, tag: Tag::Counted(change.tag()) })
    }

    /// The value of a query that is an expression, computed in place; None if it must run as a query.
    pub(crate) fn compute(
        &mut self,
        plan: &Plan,
        values: &[ScalarValue],
        context: &Arc<StatementContext>,
    ) -> Result<Option<ScalarValue>> {
        if !self.superuser {
            plan.check_privileges(context)?;
        }
        let runtime = Arc::clone(&self.shared.executor);
        let Some(open) = &mut self.transaction else { return Ok(None) };
        let Some(expression) = plan.expression(context, &open.tables) else { return Ok(None) };
        let execution = execute::Execution::new(&runtime, Arc::clone(context), &mut open.tables, values);
        let threads = tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor());
        let rows = match threads {
            // Others' work on this thread must not wait for it.
            Ok(tokio::runtime::RuntimeFlavor::MultiThread) if !expression.quick => {
                tokio::task::block_in_place(|| expression.rows(&execution))
            }
            _ => expression.rows(&execution),
        };
        let Some(rows) = rows? else { return Ok(None) };
        match rows.columns().first().filter(|_| rows.num_rows() == 1) {
            Some(column) => super::routine::computed(column, 0).map(Some),
            None => Ok(None),
        }
    }

    /// The value of an expression without columns.
    pub(crate) async fn evaluate(&mut self, expr: &tree::Expr, context: &Arc<StatementContext>) -> Result<ScalarValue> {
        let Some(open) = &self.transaction else {
            return Err(Error::internal("an expression is evaluated outside a transaction"));
        };
        execute::evaluate(expr, &self.shared.executor, context, &open.tables).await
    }

    /// Puts a statement's outcome into its portal and says what the client gets.
    fn answer(&mut self, name: &str, outcome: Outcome) -> Result<Response> {
        let Ok(portal) = self.find_portal(name) else {
            // The statement itself closed the portal (DISCARD ALL, COMMIT): only a tag can be left to say.
            return match outcome {
                Outcome::Tag(tag) => Ok(Response::Complete(tag)),
                _ => Err(Error::internal("the portal is gone")),
            };
        };
        Ok(match outcome {
            Outcome::Tag(tag) => {
                portal.state = PortalState::Done;
                Response::Complete(tag)
            }
            Outcome::Rows { rows, tag } => {
                let scroll = portal.cursor.as_ref().is_some_and(|cursor| cursor.scroll);
                let keep = if scroll { Keep::All } else { Keep::Nothing };
                portal.state = PortalState::Running(Rows::new(rows, tag, keep));
                let columns = portal.columns.clone().unwrap_or_default();
                Response::Rows { columns, formats: portal.formats.clone() }
            }
            Outcome::CopyIn { format, columns } => {
                portal.state = PortalState::Done;
                Response::CopyIn { format, columns }
            }
            Outcome::CopyOut { format, columns } => {
                portal.state = PortalState::Done;
                Response::CopyOut { format, columns }
            }
        })
    }

    pub(super) async fn fetch_rows(&mut self, name: &str, max_rows: Option<usize>) -> Result<Fetched> {
        let portal = self.find_portal(name)?;
        let PortalState::Running(rows) = &mut portal.state else {
            return Err(Error::new(
                sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("portal \"{name}\" cannot be run"),
            ));
        };
        let since = portal.counting.is_some().then(Instant::now);
        let fetched = rows.fetch(max_rows).await;
        if let (Some(execution), Some(since)) = (&mut portal.counting, since) {
            match &fetched {
                Ok(Fetched::Batch(batch)) => execution.add(since, batch.num_rows() as u64),
                Ok(_) => execution.add(since, 0),
                Err(_) => execution.fail(),
            }
            if let Ok(Fetched::Complete(tag)) = &fetched
                && let Some(execution) = portal.counting.take()
            {
                execution.end(tag);
            }
        }
        let fetched = fetched.inspect_err(|_| portal.state = PortalState::Done)?;
        let position = portal.cursor.as_mut().and_then(|cursor| cursor.position.as_mut());
        Ok(match (fetched, position) {
            (Fetched::Batch(batch), Some(position)) => match position.shown(vec![batch])?.pop() {
                Some(batch) => Fetched::Batch(batch),
                None => return Err(Error::internal("a batch is gone")),
            },
            (fetched, _) => fetched,
        })
    }
}

/// The command that a read-only transaction refuses; None for what only reads, or changes a temporary table.
fn changing_command(statement: &tree::Statement) -> Option<&'static str> {
    let permanent = |table: &Relation, command| (!table.is_temporary()).then_some(command);
    match statement {
        tree::Statement::Query(query) => query.ctes.iter().find_map(|cte| match &cte.body {
            tree::CteBody::Change(change) => changing_command(change),
            _ => None,
        }),
        tree::Statement::Insert(insert) => permanent(&insert.table, "INSERT"),
        tree::Statement::Update(update) => permanent(&update.table, "UPDATE"),
        tree::Statement::Delete(delete) => permanent(&delete.table, "DELETE"),
        tree::Statement::Merge(merge) => permanent(&merge.table, "MERGE"),
    }
}

fn into_stream(rows: execute::RowStream) -> super::portal::RowStream {
    futures::stream::unfold(rows, |mut rows| async move { rows.next().await.map(|batch| (batch, rows)) }).boxed()
}
