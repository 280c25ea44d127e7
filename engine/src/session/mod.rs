//! One client's state: settings, transaction, prepared statements, portals.
//!
//! The calls mirror the messages of the protocol (PostgreSQL manual, "Message Flow"). Both protocols use the same transaction rule: a
//! statement outside a block starts an implicit transaction that `sync` commits. An `Err` from any call has already put the session into
//! its failed state; the wire sends the error, skips to Sync (extended) or ends the query string (simple), and calls `sync`.

pub mod advisory;
pub mod backend;
mod called_conditions;
pub mod clock;
pub mod context;
mod counting;
mod derived;
mod execution;
mod function_call;
pub mod notify;
mod parameter;
pub mod portal;
pub mod prepared;
pub mod protocol;
mod repeated;
pub(crate) mod routine;
mod row_calls;
mod row_changes;
pub mod sequence;
mod services;
pub mod snapshot;
pub mod tables;
pub mod transaction;
pub mod two_phase;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use aegis_catalog::TemporaryObjects;
use aegis_catalog::{Catalog, Error, Oid, Result, sqlstate};
use aegis_storage::Store;
use aegis_storage::lock::{LockSet, Owner};
use bytes::Bytes;
use parking_lot::Mutex;

use crate::engine::Shared;
use crate::parse::ast::ParsedStatement;
use crate::parse::utility::OnCommit;
use crate::statement::copy::CopyState;
use crate::statement_statistics::Execution;
use backend::{Backend, TimeoutGuard};
use context::StatementContext;
use notify::Notification;
use portal::{Portal, PortalName, PortalState};
use prepared::Prepared;
use protocol::*;
use repeated::Coming;
use services::{Services, UsedSequences};
use transaction::{Block, OpenTransaction};

/// Most prepared statements and portals a session may hold (each).
const MAX_NAMED_OBJECTS: usize = 10_000;

/// A connected client. Owned by its connection; never shared.
pub struct Session {
    pub(crate) shared: Arc<Shared>,
    pub(crate) backend: Arc<Backend>,
    pub(crate) superuser: bool,
    /// Bodies of functions that are running, one inside the other.
    pub(crate) calls: usize,
    /// What runs may commit: a procedure, or DO, outside of a transaction block.
    pub(crate) transactional: bool,
    /// Bodies run for rows whose places hold only as long as the snapshot does: it does not move forward meanwhile.
    keeps_snapshot: bool,
    /// What procedural languages keep between statements.
    pub(crate) language_state: HashMap<&'static str, Box<dyn std::any::Any + Send + Sync>>,
    /// Who it is in the lock table.
    pub(crate) owner: Arc<Owner>,
    /// The present statement is one of several of a query string, which are one transaction.
    among_others: bool,
    /// Advisory locks beyond transactions.
    pub(crate) session_locks: Arc<LockSet>,
    pub(crate) transaction: Option<OpenTransaction>,
    /// Shared with the running statement, which may list them.
    pub(crate) prepared: Arc<Mutex<HashMap<String, Arc<Prepared>>>>,
    pub(crate) portals: HashMap<String, Portal>,
    /// Those of the utility statement that runs, for the statement in it to take.
    pub(crate) utility_parameters: (Vec<Oid>, Vec<datafusion::scalar::ScalarValue>),
    /// The named ones among `portals`, for the running statement to list.
    pub(crate) named_portals: Arc<Mutex<Vec<Weak<PortalName>>>>,
    /// LISTEN and NOTIFY of the open transaction.
    pub(crate) pending_notifications: Arc<Mutex<notify::Pending>>,
    pub(crate) copy: Option<CopyState>,
    /// The COPY that is counted, and since when it waits for the client.
    counting_copy: Option<(Execution, Instant)>,
    pub(crate) used_sequences: Arc<Mutex<UsedSequences>>,
    /// Rows of temporary tables, made with the first of them.
    pub(crate) temporary_store: Option<Arc<Store>>,
    pub(crate) temporary_objects: TemporaryObjects,
    /// Temporary tables to empty or drop at each commit.
    pub(crate) on_commit: Vec<(Oid, OnCommit)>,
    pub(crate) repeated: repeated::Repeated,
    derived: Mutex<Option<Arc<derived::Derived>>>,
    obeyed: Mutex<Option<derived::Obeyed>>,
    /// statement_timeout of what runs now.
    timeout: Option<TimeoutGuard>,
}

/// Cancels what a session is doing; may be used from any thread.
#[derive(Clone)]
pub struct CancelHandle {
    backend: Arc<Backend>,
}

impl CancelHandle {
    /// The running statement, if any, ends with 57014 `canceling statement due to user request`.
    pub fn cancel(&self) {
        self.backend.cancel_by_user();
    }

    /// Resolves when the session has been told to end (57P01): for connections that wait for their client.
    pub async fn terminated(&self) {
        self.backend.terminated().await;
    }

    /// Resolves when a notification arrives.
    pub async fn notified(&self) {
        self.backend.inbox.arrived().await;
    }
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>, backend: Arc<Backend>, superuser: bool) -> Self {
        let owner = shared.store.locks().owner(backend.pid);
        Self {
            session_locks: LockSet::of_session(&owner),
            owner,
            among_others: false,
            shared,
            backend,
            superuser,
            calls: 0,
            transactional: false,
            keeps_snapshot: false,
            language_state: HashMap::new(),
            transaction: None,
            prepared: Arc::default(),
            portals: HashMap::new(),
            utility_parameters: Default::default(),
            named_portals: Arc::default(),
            pending_notifications: Arc::default(),
            copy: None,
            counting_copy: None,
            used_sequences: Arc::default(),
            temporary_store: None,
            temporary_objects: TemporaryObjects::default(),
            on_commit: Vec::new(),
            repeated: repeated::Repeated::default(),
            derived: Mutex::default(),
            obeyed: Mutex::default(),
            timeout: None,
        }
    }

    /// Process id and secret of BackendKeyData.
    pub fn backend_key(&self) -> (i32, i32) {
        (self.backend.pid, self.backend.secret)
    }

    pub fn cancel_handle(&self) -> CancelHandle {
        CancelHandle { backend: Arc::clone(&self.backend) }
    }

    /// Every setting that is reported at startup, with its value.
    pub fn reported_settings(&self) -> Vec<(String, String)> {
        self.backend.settings.lock().reported()
    }

    /// Reported settings that changed since the last call. Ask before each ReadyForQuery.
    pub fn take_setting_changes(&mut self) -> Vec<(String, String)> {
        self.backend.settings.lock().take_changes()
    }

    /// Notices since the last call, to be sent before the next message of the statement that raised them.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        let all = self.backend.take_notices();
        if all.is_empty() {
            return all;
        }
        let floor = notice_rank(self.backend.settings.lock().text("client_min_messages"));
        all.into_iter().filter(|n| n.severity == "INFO" || notice_rank(n.severity) >= floor).collect()
    }

    /// Notifications that have arrived. None leave within a transaction.
    pub fn take_notifications(&mut self) -> VecDeque<Arc<Notification>> {
        match self.transaction_status() {
            TransactionStatus::Idle => self.backend.inbox.take(),
            _ => VecDeque::new(),
        }
    }

    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.transaction {
            Some(open) if open.block == Block::Explicit && open.failed => TransactionStatus::Failed,
            Some(open) if open.block == Block::Explicit => TransactionStatus::Active,
            _ => TransactionStatus::Idle,
        }
    }

    /// A time after which an idle session is ended: 57P05 `idle_session_timeout`, or 25P03 in a transaction. None is never.
    pub fn idle_timeout(&self) -> Option<(Duration, Error)> {
        let in_transaction = self.transaction_status() != TransactionStatus::Idle;
        let obeyed = self.obeyed();
        let (limit, code, what) = if in_transaction {
            (
                obeyed.idle_in_transaction_timeout,
                sqlstate::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
                "terminating connection due to idle-in-transaction timeout",
            )
        } else {
            (obeyed.idle_timeout, sqlstate::IDLE_SESSION_TIMEOUT, "terminating connection due to idle-session timeout")
        };
        (!limit.is_zero()).then(|| (limit, Error::new(code, what)))
    }

    fn transaction_start(&self) -> i64 {
        self.transaction.as_ref().map_or_else(clock::now, |open| open.started)
    }

    // ------------------------------------------------------------------------------------------ simple protocol

    /// Splits and parses a query string. A syntax error anywhere runs nothing.
    pub fn parse(&mut self, sql: &str) -> Result<Vec<Arc<ParsedStatement>>> {
        self.observe(Arc::from(sql));
        // As in PostgreSQL, a simple query takes the place of the unnamed statement.
        self.prepared.lock().remove("");
        self.repeated.coming = None;
        if let Some(shape) = crate::parse::constants::shape(sql) {
            let settings = self.format_settings();
            if let Some(statement) = self.repeated.recall(shape, &settings) {
                return Ok(vec![statement]);
            }
        }
        let parsed = crate::parse::parse(sql).map(|all| all.into_iter().map(Arc::new).collect());
        self.conclude(sql, parsed)
    }

    /// Runs one statement of a query string of `count` statements. Rows are pulled from portal "".
    /// After the last statement the wire calls `sync` before it sends that statement's CommandComplete.
    pub async fn start(&mut self, sql: &str, statement: Arc<ParsedStatement>, count: usize) -> Result<Response> {
        let coming = self.repeated.coming.take().filter(|_| count == 1);
        self.among_others = count > 1;
        let result = self.start_statement(sql, statement, coming).await;
        self.conclude(sql, result)
    }

    async fn start_statement(
        &mut self,
        sql: &str,
        statement: Arc<ParsedStatement>,
        coming: Option<Coming>,
    ) -> Result<Response> {
        self.refuse_if_failed(&statement.statement)?;
        let text: Arc<str> = Arc::from(sql);
        self.open_transaction(&statement.statement)?;
        let mut context = self.context()?;
        let (prepared, values) = loop {
            let (prepared, values) = self.bound(&text, &statement, coming.as_ref(), &context)?;
            let needs = self.needs(&prepared, &context)?;
            if !self.lock_relations(needs.iter(), false, &context).await? {
                break (prepared, values);
            }
            // What the names mean may have changed while we waited.
            context = self.context()?;
        };
        if values.is_empty() && !prepared.parameters.is_empty() {
            return Err(Error::new(sqlstate::UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        if let Some(Coming::Learn(shape)) = coming {
            self.repeated.learn(shape, &prepared, &context);
        }
        self.portals.remove("");
        let portal = self.new_portal(prepared, values, Vec::new());
        self.portals.insert(String::new(), portal);
        self.run_portal("", &context).await
    }

    // ------------------------------------------------------------------------------------------ extended protocol

    /// Parse. `parameter_types` holds 0 where the client leaves the type open.
    pub async fn prepare(&mut self, name: &str, sql: &str, parameter_types: &[Oid]) -> Result<()> {
        self.observe(Arc::from(sql));
        let result = self.prepare_statement(name, sql, parameter_types);
        self.conclude(sql, result)
    }

    fn prepare_statement(&mut self, name: &str, sql: &str, parameter_types: &[Oid]) -> Result<()> {
        if name.is_empty()
            && self.transaction_status() != TransactionStatus::Failed
            && let Some(prepared) = self.repeat_unnamed(sql, parameter_types)?
        {
            self.prepared.lock().insert(String::new(), prepared);
            return Ok(());
        }
        let mut statements = crate::parse::parse(sql)?;
        if statements.len() > 1 {
            return Err(Error::new(
                sqlstate::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            ));
        }
        let statement = statements.pop().map(Arc::new);
        if let Some(statement) = &statement {
            self.refuse_if_failed(&statement.statement)?;
        }
        if name.is_empty() {
            self.prepared.lock().remove("");
        } else {
            self.require_new_statement(name)?;
        }
        let context = self.context()?;
        let unknown = |ty: &&Oid| **ty != 0 && context.catalog.type_entry(**ty).is_none();
        if let Some(ty) = parameter_types.iter().find(unknown) {
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, format!("type with OID {ty} does not exist")));
        }
        let prepared = Arc::new(Prepared::new(name, &Arc::from(sql), statement, parameter_types, &context)?);
        if name.is_empty() {
            self.repeated.keep_unnamed(parameter_types, &prepared);
        }
        self.prepared.lock().insert(name.to_owned(), prepared);
        Ok(())
    }

    /// 42P05 if there is a prepared statement of that name.
    pub(crate) fn require_new_statement(&self, name: &str) -> Result<()> {
        let prepared = self.prepared.lock();
        if prepared.contains_key(name) {
            return Err(Error::new(
                sqlstate::DUPLICATE_PSTATEMENT,
                format!("prepared statement \"{name}\" already exists"),
            ));
        }
        if prepared.len() >= MAX_NAMED_OBJECTS {
            return Err(Error::new(sqlstate::CONFIGURATION_LIMIT_EXCEEDED, "too many prepared statements"));
        }
        Ok(())
    }

    pub(crate) fn find_prepared(&self, name: &str) -> Result<Arc<Prepared>> {
        self.prepared.lock().get(name).cloned().ok_or_else(|| {
            let message = if name.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{name}\" does not exist")
            };
            Error::new(sqlstate::UNDEFINED_PSTATEMENT, message)
        })
    }

    pub fn describe_statement(&mut self, name: &str) -> Result<StatementDescription> {
        let found = self.find_prepared(name).map(|prepared| StatementDescription {
            parameters: prepared.parameters.clone(),
            columns: self.result_columns(&prepared),
        });
        self.conclude("", found)
    }

    /// Result columns; those of EXECUTE and FETCH depend on what they name.
    fn result_columns(&self, prepared: &Prepared) -> Option<Arc<Vec<OutputColumn>>> {
        match prepared.columns() {
            Some(columns) => Some(columns.clone()),
            None => crate::statement::referenced_columns(self, prepared.statement.as_deref()?),
        }
    }

    /// Bind. Format lists have zero, one or as many entries as there are values (08P01 otherwise).
    pub async fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        parameters: &[Option<Bytes>],
        parameter_formats: &[Format],
        result_formats: &[Format],
    ) -> Result<()> {
        let bound = self.bind_portal(portal, statement, parameters, parameter_formats, result_formats);
        self.conclude("", bound)
    }

    fn bind_portal(
        &mut self,
        name: &str,
        statement: &str,
        parameters: &[Option<Bytes>],
        parameter_formats: &[Format],
        result_formats: &[Format],
    ) -> Result<()> {
        let prepared = self.find_prepared(statement)?;
        if let Some(statement) = &prepared.statement {
            self.refuse_if_failed(&statement.statement)?;
        }
        if parameters.len() != prepared.parameters.len() {
            return Err(Error::new(
                sqlstate::PROTOCOL_VIOLATION,
                format!(
                    "bind message supplies {} parameters, but prepared statement \"{statement}\" requires {}",
                    parameters.len(),
                    prepared.parameters.len()
                ),
            ));
        }
        if !prepared.is_current(self.catalog()?.version()) {
            prepared.plan(&*self.context()?)?;
        }
        let values = if parameters.is_empty() {
            Vec::new()
        } else {
            let settings = self.format_settings();
            parameter::decode(name, &prepared.parameters, parameters, parameter_formats, &settings)?
        };
        if name.is_empty() {
            self.portals.remove("");
        } else {
            self.require_new_portal(name)?;
        }
        let formats = result_formats.to_vec();
        let portal = self.new_portal(prepared, values, formats);
        let columns = portal.columns.as_ref().map_or(0, |columns| columns.len());
        if result_formats.len() > 1 && result_formats.len() != columns {
            return Err(Error::new(
                sqlstate::PROTOCOL_VIOLATION,
                format!("bind message has {} result formats but query has {columns} columns", result_formats.len()),
            ));
        }
        if name.is_empty() {
            self.portals.insert(String::new(), portal);
        } else {
            self.insert_portal(name, portal);
        }
        Ok(())
    }

    /// 42P03 if there is a portal of that name.
    pub(crate) fn require_new_portal(&self, name: &str) -> Result<()> {
        if self.portals.contains_key(name) {
            return Err(Error::new(sqlstate::DUPLICATE_CURSOR, format!("cursor \"{name}\" already exists")));
        }
        if self.portals.len() >= MAX_NAMED_OBJECTS {
            return Err(Error::new(sqlstate::CONFIGURATION_LIMIT_EXCEEDED, "too many open cursors"));
        }
        Ok(())
    }

    pub(crate) fn new_portal(
        &self,
        prepared: Arc<Prepared>,
        parameters: Vec<datafusion::scalar::ScalarValue>,
        formats: Vec<Format>,
    ) -> Portal {
        Portal {
            columns: self.result_columns(&prepared),
            prepared,
            parameters,
            formats,
            state: PortalState::Ready,
            cursor: None,
            counting: None,
            depth: self.transaction.as_ref().map_or(0, |open| open.savepoints.len()),
            listed: None,
        }
    }

    /// Adds a portal that has a name.
    pub(crate) fn insert_portal(&mut self, name: &str, mut portal: Portal) {
        let cursor = portal.cursor.as_ref();
        let listed = Arc::new(PortalName {
            name: name.to_owned(),
            statement: cursor.map_or_else(|| portal.prepared.sql.to_string(), |cursor| cursor.sql.clone()),
            hold: cursor.is_some_and(|cursor| cursor.hold),
            binary: cursor.is_some_and(|cursor| cursor.binary),
            scroll: cursor.is_some_and(|cursor| cursor.scroll),
            created: clock::now(),
        });
        let mut named = self.named_portals.lock();
        named.retain(|portal| portal.strong_count() > 0);
        named.push(Arc::downgrade(&listed));
        drop(named);
        portal.listed = Some(listed);
        self.portals.insert(name.to_owned(), portal);
    }

    pub(crate) fn find_portal(&mut self, name: &str) -> Result<&mut Portal> {
        self.portals
            .get_mut(name)
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_CURSOR, format!("portal \"{name}\" does not exist")))
    }

    pub fn describe_portal(&mut self, name: &str) -> Result<PortalDescription> {
        let found = self
            .find_portal(name)
            .map(|portal| PortalDescription { columns: portal.columns.clone(), formats: portal.formats.clone() });
        self.conclude("", found)
    }

    /// Execute: starts the portal, or goes on with a suspended one. `Rows` is followed by `fetch`.
    pub async fn execute(&mut self, name: &str) -> Result<Response> {
        let sql = self.portals.get(name).map(|portal| Arc::clone(&portal.prepared.sql)).unwrap_or_default();
        self.observe(Arc::clone(&sql));
        let result = self.execute_portal(name).await;
        self.conclude(&sql, result)
    }

    async fn execute_portal(&mut self, name: &str) -> Result<Response> {
        let portal = self.find_portal(name)?;
        let Some(statement) = portal.prepared.statement.clone() else { return Ok(Response::Empty) };
        self.refuse_if_failed(&statement.statement)?;
        let portal = self.find_portal(name)?;
        match &mut portal.state {
            PortalState::Ready => {}
            PortalState::Running(rows) => {
                rows.resume();
                let columns = portal.columns.clone().unwrap_or_default();
                return Ok(Response::Rows { columns, formats: portal.formats.clone() });
            }
            PortalState::Done => {
                return Err(Error::new(
                    sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
                    format!("portal \"{name}\" cannot be run"),
                ));
            }
        }
        self.open_transaction(&statement.statement)?;
        let context = self.context()?;
        self.run_portal(name, &context).await
    }

    pub fn close_statement(&mut self, name: &str) -> Result<()> {
        self.prepared.lock().remove(name);
        Ok(())
    }

    pub fn close_portal(&mut self, name: &str) -> Result<()> {
        self.portals.remove(name);
        Ok(())
    }

    /// Sync, or the end of a query string: commits or rolls back an implicit transaction and drops its portals.
    pub async fn sync(&mut self) -> Result<()> {
        self.stop_clock();
        self.among_others = false;
        let result = match &self.transaction {
            Some(open) if open.block == Block::Implicit => self.end_transaction(!open.failed).await,
            Some(_) => Ok(()),
            // Portals that were bound and not run belong to the transaction that would have been.
            None => {
                self.portals.retain(|_, portal| portal.is_held());
                Ok(())
            }
        };
        self.note_activity(|activity| activity.query_start = None);
        self.conclude("", result)
    }

    // ------------------------------------------------------------------------------------------ rows and COPY

    /// Next rows of a portal, at most `max_rows` in one batch (None is no limit). The wire counts down.
    pub async fn fetch(&mut self, name: &str, max_rows: Option<usize>) -> Result<Fetched> {
        let fetched = self.fetch_rows(name, max_rows).await;
        let sql = match &fetched {
            Err(_) => self.portals.get(name).map(|portal| Arc::clone(&portal.prepared.sql)).unwrap_or_default(),
            Ok(_) => Arc::default(),
        };
        self.conclude(&sql, fetched)
    }

    pub async fn copy_data(&mut self, data: Bytes) -> Result<()> {
        let result = self.copy_receive(data).await;
        self.conclude("", result)
    }

    /// The command tag.
    pub async fn copy_done(&mut self) -> Result<String> {
        let result = self.copy_finish().await;
        self.count_copy(result.as_deref().ok());
        self.conclude("", result)
    }

    /// CopyFail: 57014 `COPY from stdin failed: …`.
    pub async fn copy_fail(&mut self, message: &str) -> Error {
        let mut error = Error::new(sqlstate::QUERY_CANCELED, format!("COPY from stdin failed: {message}"));
        if let Some(mut copy) = self.copy.take() {
            error.fields_mut().context = copy.context().await;
        }
        match self.conclude::<()>("", Err(error.clone())) {
            Err(error) => error,
            Ok(()) => error,
        }
    }

    /// Next rows of COPY TO.
    pub async fn copy_next(&mut self) -> Result<Option<CopyChunk>> {
        let result = self.copy_send().await;
        self.conclude("", result)
    }

    pub fn copy_tag(&mut self) -> String {
        let tag = self.copy.take().map_or_else(|| "COPY 0".to_owned(), |copy| copy.tag());
        self.count_copy(Some(&tag));
        tag
    }

    /// An error found by the wire itself (bad message, bad UTF-8) while a statement or transaction was open.
    pub fn fail(&mut self) {
        self.fail_transaction();
    }

    /// The client left or is told to: rolls back, releases locks, drops temporary objects.
    pub async fn close(mut self) {
        self.stop_clock();
        self.portals.clear();
        self.transaction = None;
    }

    // ------------------------------------------------------------------------------------------ context

    /// What the next statement may know.
    pub(crate) fn context(&self) -> Result<Arc<StatementContext>> {
        let catalog = self.catalog()?;
        let services = Services {
            shared: Arc::clone(&self.shared),
            backend: Arc::clone(&self.backend),
            catalog: Arc::clone(&catalog),
            sequences: Arc::clone(&self.used_sequences),
            prepared: Arc::downgrade(&self.prepared),
            portals: Arc::clone(&self.named_portals),
            pending_notifications: Arc::clone(&self.pending_notifications),
            superuser: self.superuser,
            session_locks: Arc::clone(&self.session_locks),
            exportable: self.transaction.as_ref().map(transaction::OpenTransaction::exportable),
            transaction_locks: self.transaction.as_ref().map(|open| Arc::clone(open.tables.locks())),
            owner: Arc::clone(&self.owner),
        };
        let identity = self.identity_now(&catalog);
        let transaction_start = self.transaction_start();
        let query_start = self.backend.activity.lock().query_start.unwrap_or(transaction_start);
        Ok(Arc::new(StatementContext {
            search_path: self.search_path(&catalog),
            extensions: Arc::clone(&self.shared.extensions),
            catalog,
            format: self.format_settings(),
            database: self.backend.database.clone(),
            database_oid: self.backend.database_oid,
            user: identity.user,
            user_oid: identity.user_oid,
            session_user: identity.session_user,
            transaction_start,
            // An implicit transaction starts with its statement.
            statement_start: query_start.max(transaction_start),
            services: Arc::new(services),
            cancel: self.backend.running_token(),
        }))
    }

    // ------------------------------------------------------------------------------------------ bookkeeping

    /// Name and OID of the user that SET SESSION AUTHORIZATION chose, or of the one who logged in.
    pub(crate) fn session_user(&self, catalog: &Arc<Catalog>) -> (String, Oid) {
        let name = self.identity_now(catalog).session_user;
        let oid = catalog.role_by_name(&name).map_or(self.backend.user_oid, |role| role.oid);
        (name, oid)
    }

    /// Follows the role that is set now.
    pub(crate) fn refresh_identity(&mut self) -> Result<()> {
        let catalog = self.catalog()?;
        let superuser = self.identity_now(&catalog).superuser;
        if superuser != self.superuser {
            self.superuser = superuser;
            let value = if superuser { "on" } else { "off" };
            self.backend.settings.lock().set_fact("is_superuser", value);
        }
        Ok(())
    }

    /// A WARNING for the client.
    pub(crate) fn warn(&self, code: sqlstate::SqlState, message: &str) {
        self.backend.notice("WARNING", Error::new(code, message));
    }

    /// What only those want to know who set `client_min_messages` for it.
    pub(crate) fn debug(&self, message: &str) {
        self.backend.notice("DEBUG", Error::new(sqlstate::SUCCESSFUL_COMPLETION, message));
    }

    /// A NOTICE that something was there already, or was not.
    pub(crate) fn skip_notice(&self, message: &str) {
        self.skip_notice_as(sqlstate::SUCCESSFUL_COMPLETION, message);
    }

    pub(crate) fn skip_notice_as(&self, code: sqlstate::SqlState, message: &str) {
        self.backend.notice("NOTICE", Error::new(code, message));
    }

    /// The open transaction, for a command that changes things. 25006 if it is read-only.
    pub(crate) fn writable(&mut self, command: &str) -> Result<&mut OpenTransaction> {
        let open =
            self.transaction.as_mut().ok_or_else(|| Error::internal(format!("{command} outside a transaction")))?;
        open.require_writable(command)?;
        Ok(open)
    }

    /// The session's temporary schema and store, made at first use.
    pub(crate) fn temporary_schema(&mut self) -> Result<Oid> {
        let store = self.temporary_store.get_or_insert_with(Store::open_in_memory).clone();
        let owner = self.context()?.user_oid;
        let session = self.backend.pid.unsigned_abs();
        let open = self.writable("CREATE TABLE")?;
        let isolation = open.isolation;
        open.tables.join_temporary(&store, isolation);
        open.catalog.temporary_schema(session, owner)
    }

    /// ON COMMIT DELETE ROWS or DROP of a temporary table.
    pub(crate) fn on_commit(&mut self, table: Oid, action: OnCommit) {
        self.on_commit.push((table, action));
    }

    /// Is what starts now the client's own statement, outside of a transaction block?
    pub(crate) fn may_commit(&self) -> bool {
        self.calls == 0 && self.require_no_block("").is_ok()
    }

    /// 25001 if a transaction block is open.
    pub(crate) fn require_no_block(&self, command: &str) -> Result<()> {
        let explicit = self.transaction.as_ref().is_some_and(|open| open.block == Block::Explicit);
        if explicit || self.among_others {
            return Err(Error::new(
                sqlstate::ACTIVE_SQL_TRANSACTION,
                format!("{command} cannot run inside a transaction block"),
            ));
        }
        Ok(())
    }

    /// DISCARD TEMP: the temporary schema's objects and rows.
    pub(crate) fn drop_temporary_objects(&mut self) -> Result<()> {
        self.on_commit.clear();
        crate::statement::drop::drop_temporary(self)
    }

    /// A message with SQL arrived: starts the statement's clock.
    fn observe(&mut self, sql: Arc<str>) {
        let now = clock::now();
        self.backend.begin_statement();
        self.timeout = self.backend.start_timeout(self.obeyed().statement_timeout);
        self.note_activity(|activity| {
            activity.query = sql;
            activity.query_start = Some(now);
        });
    }

    fn note_activity(&self, change: impl FnOnce(&mut backend::Activity)) {
        let mut activity = self.backend.activity.lock();
        change(&mut activity);
        activity.transaction_start = self.transaction.as_ref().map(|open| open.started);
        activity.state_change = clock::now();
        activity.state = match (activity.query_start, self.transaction_status()) {
            (Some(_), _) => "active",
            (None, TransactionStatus::Idle) => "idle",
            (None, TransactionStatus::Active) => "idle in transaction",
            (None, TransactionStatus::Failed) => "idle in transaction (aborted)",
        };
    }

    fn stop_clock(&mut self) {
        self.timeout = None;
        self.backend.end_statement();
    }

    /// The end of every call: an error fails the transaction, and gets the position and the reason that the client shall see.
    fn conclude<T>(&mut self, sql: &str, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            let mut error = self.backend.explain(error);
            if let Some(offset) = error.fields().position {
                error.fields_mut().position = Some(character_position(sql, offset));
            }
            self.stop_clock();
            self.fail_transaction();
            if error.code() == sqlstate::T_R_DEADLOCK_DETECTED {
                self.shared.counters.database(self.backend.database_oid).deadlocks.add(1);
            }
            error
        })
    }
}

impl std::ops::Drop for Session {
    fn drop(&mut self) {
        self.session_locks.release_all();
        self.shared.channels.forget(&self.backend.inbox);
        self.shared.backends.remove(self.backend.pid);
    }
}

/// PostgreSQL counts error positions in characters from 1.
fn character_position(sql: &str, byte_offset: u32) -> u32 {
    let before = sql.get(..byte_offset as usize).unwrap_or(sql);
    u32::try_from(before.chars().count()).unwrap_or(u32::MAX - 1) + 1
}

/// Order of message levels for `client_min_messages`.
fn notice_rank(level: &str) -> u8 {
    match level.to_ascii_lowercase().as_str() {
        l if l.starts_with("debug") => 0,
        "log" => 1,
        "notice" => 2,
        "warning" => 3,
        _ => 4,
    }
}
