//! Exported snapshots (PostgreSQL manual, "Snapshot Synchronization Functions"): one transaction lets others read what it reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aegis_catalog::{Catalog, Error, Oid, Result, sqlstate};
use aegis_storage::Store;
use aegis_storage::transaction::{KeptSnapshot, Snapshot};
use parking_lot::Mutex;

/// All that are exported now, by identifier.
#[derive(Debug, Default)]
pub struct ExportedSnapshots {
    all: Mutex<HashMap<String, Exported>>,
    next: AtomicU64,
}

#[derive(Debug, Clone)]
pub struct Exported {
    pub snapshot: Arc<KeptSnapshot>,
    pub catalog: Arc<Catalog>,
    pub database: Oid,
}

impl ExportedSnapshots {
    /// 22023 if no transaction that is open has exported it.
    pub fn get(&self, id: &str) -> Result<Exported> {
        let found = self.all.lock().get(id).cloned();
        let unknown =
            || Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid snapshot identifier: \"{id}\""));
        found.ok_or_else(unknown)
    }
}

/// What a transaction has to export.
#[derive(Debug)]
pub struct Exportable {
    pub exports: Arc<Exports>,
    pub snapshot: Snapshot,
    pub catalog: Arc<Catalog>,
    /// Is a savepoint open?
    pub subtransaction: bool,
}

/// Those of one transaction; they end with it.
#[derive(Debug)]
pub struct Exports {
    shared: Arc<ExportedSnapshots>,
    own: Mutex<Vec<String>>,
}

impl Exports {
    pub fn new(shared: &Arc<ExportedSnapshots>) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(shared), own: Mutex::default() })
    }

    /// The transaction is over.
    pub fn end(&self) {
        let own = std::mem::take(&mut *self.own.lock());
        if !own.is_empty() {
            let mut all = self.shared.all.lock();
            own.iter().for_each(|id| drop(all.remove(id)));
        }
    }

    fn add(&self, exported: Exported, pid: i32) -> String {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{pid:08X}-{number:08X}-1");
        self.shared.all.lock().insert(id.clone(), exported);
        self.own.lock().push(id.clone());
        id
    }

    pub fn is_empty(&self) -> bool {
        self.own.lock().is_empty()
    }
}

impl Exportable {
    /// Returns the identifier.
    pub fn export(&self, store: &Store, pid: i32, database: Oid) -> Result<String> {
        if self.subtransaction {
            let message = "cannot export a snapshot from a subtransaction";
            return Err(Error::new(sqlstate::ACTIVE_SQL_TRANSACTION, message));
        }
        let snapshot = Arc::new(store.keep(&self.snapshot));
        Ok(self.exports.add(Exported { snapshot, catalog: Arc::clone(&self.catalog), database }, pid))
    }
}
