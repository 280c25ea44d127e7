//! The transaction a session is in, and its savepoints.

use std::sync::Arc;

use aegis_catalog::transaction::{CatalogSavepoint, CatalogTransaction};
use aegis_catalog::{Error, Result, sqlstate};
use aegis_storage::{Isolation, Store, lock};

use super::Session;
use super::portal::{Portal, PortalState};
use super::snapshot::Exportable;
use super::tables::{Mark, Tables};
use crate::execute::deferred::Deferred;
use crate::large_object::Descriptors;
use crate::settings;
use crate::time_window::Touched;

/// How a transaction block was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// By a statement outside any block; ends at Sync or the end of the query string.
    Implicit,
    /// By BEGIN; ends with COMMIT or ROLLBACK.
    Explicit,
}

/// An open transaction.
pub struct OpenTransaction {
    pub tables: Tables,
    pub catalog: CatalogTransaction,
    pub block: Block,
    /// A statement failed: only ROLLBACK [TO] is taken.
    pub failed: bool,
    pub isolation: Isolation,
    pub read_only: bool,
    /// µs since 1970-01-01 UTC: what `now()` says throughout.
    pub started: i64,
    /// True once a statement took a snapshot: the isolation level cannot change any more.
    pub used: bool,
    pub savepoints: Vec<SavepointEntry>,
    /// Those that it has open.
    pub large_objects: Descriptors,
}

pub struct SavepointEntry {
    pub name: String,
    tables: Mark,
    catalog: CatalogSavepoint,
    settings: settings::Mark,
    locks: lock::Mark,
    deferred: Deferred,
    touched: Touched,
    read_only: bool,
}

impl OpenTransaction {
    pub fn savepoint(&mut self, name: &str, settings: settings::Mark) {
        self.savepoints.push(SavepointEntry {
            name: name.to_owned(),
            tables: self.tables.mark(),
            catalog: self.catalog.savepoint(),
            settings,
            locks: self.tables.locks().mark(),
            deferred: self.tables.deferred.clone(),
            touched: self.tables.touched.clone(),
            read_only: self.read_only,
        });
    }

    /// Position of the newest savepoint of that name. 3B001 if there is none.
    fn find(&self, name: &str) -> Result<usize> {
        self.savepoints.iter().rposition(|s| s.name == name).ok_or_else(|| {
            Error::new(sqlstate::S_E_INVALID_SPECIFICATION, format!("savepoint \"{name}\" does not exist"))
        })
    }

    /// Forgets the savepoint and those after it, keeping their changes. READ ONLY was only for them.
    pub fn release(&mut self, name: &str) -> Result<()> {
        let position = self.find(name)?;
        self.read_only = self.savepoints[position].read_only;
        self.savepoints.truncate(position);
        self.large_objects.release(position);
        Ok(())
    }

    /// Undoes everything since the savepoint, which stays. Returns the depth portals must not exceed, and the settings to go back to.
    pub fn rollback_to(&mut self, name: &str) -> Result<(usize, settings::Mark)> {
        let position = self.find(name)?;
        self.savepoints.truncate(position + 1);
        let entry = &self.savepoints[position];
        self.tables.rollback_to(entry.tables)?;
        self.catalog.rollback_to(entry.catalog);
        self.tables.locks().release_to(entry.locks);
        self.tables.deferred = entry.deferred.clone();
        self.tables.touched = entry.touched.clone();
        self.read_only = entry.read_only;
        self.large_objects.rollback_to(position);
        self.failed = false;
        Ok((position, entry.settings))
    }

    /// The same transaction at another isolation level. Only before it was used, since its snapshot is taken anew.
    pub fn with_isolation(mut self, isolation: Isolation, temporary: Option<&Arc<Store>>) -> Self {
        if isolation != self.isolation {
            self.tables = self.tables.at_isolation(temporary, isolation);
            self.isolation = isolation;
        }
        self
    }

    /// A statement failed: what it held since the innermost savepoint is free for others at once.
    pub fn fail(&mut self) {
        self.failed = true;
        let mark = self.savepoints.last().map_or(lock::Mark::START, |savepoint| savepoint.locks);
        self.tables.locks().release_to(mark);
    }

    /// What `pg_export_snapshot` may hand out.
    pub fn exportable(&self) -> Exportable {
        Exportable {
            exports: Arc::clone(self.tables.exports()),
            snapshot: self.tables.permanent_ref().reads(),
            catalog: Arc::clone(self.catalog.committed()),
            subtransaction: !self.savepoints.is_empty(),
        }
    }

    /// 25006 if the transaction is read-only.
    pub fn require_writable(&self, command: &str) -> Result<()> {
        if self.read_only {
            return Err(Error::new(
                sqlstate::READ_ONLY_SQL_TRANSACTION,
                format!("cannot execute {command} in a read-only transaction"),
            ));
        }
        Ok(())
    }
}

impl Session {
    /// After [`OpenTransaction::rollback_to`], which returned where to: undoes the same of the session.
    pub(crate) fn follow_rollback(&mut self, (depth, settings): (usize, settings::Mark)) {
        self.backend.settings.lock().rollback_to(settings);
        self.show_read_only();
        self.pending_notifications.lock().rollback_to(depth);
        // Cursors opened inside the savepoint close with it; the portal of this very statement stays.
        let runs = |portal: &Portal| portal.cursor.is_some() || matches!(portal.state, PortalState::Running(_));
        self.portals.retain(|name, portal| portal.depth <= depth || !runs(portal) || name.is_empty());
    }

    /// `transaction_read_only` is what the transaction is.
    pub(crate) fn show_read_only(&self) {
        if let Some(open) = &self.transaction {
            self.backend.settings.lock().set_fact("transaction_read_only", if open.read_only { "on" } else { "off" });
        }
    }
}

/// The storage isolation for a level as SQL names it.
pub fn isolation(level: &str) -> Result<Isolation> {
    match level {
        // PostgreSQL treats READ UNCOMMITTED as READ COMMITTED too.
        "read uncommitted" | "read committed" => Ok(Isolation::ReadCommitted),
        "repeatable read" => Ok(Isolation::RepeatableRead),
        "serializable" => Ok(Isolation::Serializable),
        other => Err(Error::new(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"transaction_isolation\": \"{other}\""),
        )),
    }
}
