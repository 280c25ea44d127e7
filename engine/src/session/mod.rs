//! One client's state: settings, transaction, prepared statements, portals.
//!
//! The calls mirror the messages of the protocol (PostgreSQL manual, "Message Flow"). Both protocols use the same transaction rule: a
//! statement outside a block starts an implicit transaction that `sync` commits. An `Err` from any call has already put the session into
//! its failed state; the wire sends the error, skips to Sync (extended) or ends the query string (simple), and calls `sync`.

pub mod context;
pub mod protocol;

use std::sync::Arc;

use aegis_catalog::types::FormatSettings;
use aegis_catalog::{Oid, Result};
use bytes::Bytes;

use crate::parse::ast::ParsedStatement;
use protocol::*;

/// A connected client. Owned by its connection; never shared.
pub struct Session {}

/// Cancels what a session is doing; may be used from any thread.
#[derive(Clone)]
pub struct CancelHandle {}

impl CancelHandle {
    /// The running statement, if any, ends with 57014 `canceling statement due to user request`.
    pub fn cancel(&self) {
        todo!("session")
    }
}

impl Session {
    /// Process id and secret of BackendKeyData.
    pub fn backend_key(&self) -> (i32, i32) {
        todo!("session")
    }

    pub fn cancel_handle(&self) -> CancelHandle {
        todo!("session")
    }

    /// Every setting that is reported at startup, with its value.
    pub fn reported_settings(&self) -> Vec<(String, String)> {
        todo!("session")
    }

    /// Reported settings that changed since the last call. Ask before each ReadyForQuery.
    pub fn take_setting_changes(&mut self) -> Vec<(String, String)> {
        todo!("session")
    }

    /// Notices since the last call, to be sent before the next message of the statement that raised them.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        todo!("session")
    }

    pub fn transaction_status(&self) -> TransactionStatus {
        todo!("session")
    }

    /// What the wire's text encoders obey, as of now.
    pub fn format_settings(&self) -> FormatSettings {
        todo!("session")
    }

    /// A time after which an idle session is ended: 57P05 `idle_session_timeout`, or 25P03 in a transaction. None is never.
    pub fn idle_timeout(&self) -> Option<(std::time::Duration, aegis_catalog::Error)> {
        todo!("session")
    }

    // ------------------------------------------------------------------------------------------ simple protocol

    /// Splits and parses a query string. A syntax error anywhere runs nothing.
    pub fn parse(&mut self, _sql: &str) -> Result<Vec<Arc<ParsedStatement>>> {
        todo!("session")
    }

    /// Runs one statement of a query string of `count` statements. Rows are pulled from portal "".
    /// After the last statement the wire calls `sync` before it sends that statement's CommandComplete.
    pub async fn start(&mut self, _sql: &str, _statement: Arc<ParsedStatement>, _count: usize) -> Result<Response> {
        todo!("session")
    }

    // ------------------------------------------------------------------------------------------ extended protocol

    /// Parse. `parameter_types` holds 0 where the client leaves the type open.
    pub async fn prepare(&mut self, _name: &str, _sql: &str, _parameter_types: &[Oid]) -> Result<()> {
        todo!("session")
    }

    pub fn describe_statement(&mut self, _name: &str) -> Result<StatementDescription> {
        todo!("session")
    }

    /// Bind. Format lists have zero, one or as many entries as there are values (08P01 otherwise).
    pub async fn bind(
        &mut self,
        _portal: &str,
        _statement: &str,
        _parameters: &[Option<Bytes>],
        _parameter_formats: &[Format],
        _result_formats: &[Format],
    ) -> Result<()> {
        todo!("session")
    }

    pub fn describe_portal(&mut self, _portal: &str) -> Result<PortalDescription> {
        todo!("session")
    }

    /// Execute: starts the portal, or goes on with a suspended one. `Rows` is followed by `fetch`.
    pub async fn execute(&mut self, _portal: &str) -> Result<Response> {
        todo!("session")
    }

    pub fn close_statement(&mut self, _name: &str) -> Result<()> {
        todo!("session")
    }

    pub fn close_portal(&mut self, _name: &str) -> Result<()> {
        todo!("session")
    }

    /// Sync, or the end of a query string: commits or rolls back an implicit transaction and drops its portals.
    pub async fn sync(&mut self) -> Result<()> {
        todo!("session")
    }

    // ------------------------------------------------------------------------------------------ rows and COPY

    /// Next rows of a portal, at most `max_rows` in one batch (None is no limit). The wire counts down.
    pub async fn fetch(&mut self, _portal: &str, _max_rows: Option<usize>) -> Result<Fetched> {
        todo!("session")
    }

    pub async fn copy_data(&mut self, _data: Bytes) -> Result<()> {
        todo!("session")
    }

    /// The command tag.
    pub async fn copy_done(&mut self) -> Result<String> {
        todo!("session")
    }

    /// CopyFail: 57014 `COPY from stdin failed: …`.
    pub async fn copy_fail(&mut self, _message: &str) -> aegis_catalog::Error {
        todo!("session")
    }

    /// Next rows of COPY TO.
    pub async fn copy_next(&mut self) -> Result<Option<CopyChunk>> {
        todo!("session")
    }

    pub fn copy_tag(&mut self) -> String {
        todo!("session")
    }

    /// An error found by the wire itself (bad message, bad UTF-8) while a statement or transaction was open.
    pub fn fail(&mut self) {
        todo!("session")
    }

    /// The client left or is told to: rolls back, releases locks, drops temporary objects.
    pub async fn close(self) {
        todo!("session")
    }
}
