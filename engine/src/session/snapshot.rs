//! Exported snapshots (PostgreSQL manual, "Snapshot Synchronization Functions"): one transaction lets others read what it reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::Store;
use aegis_storage::transaction::{KeptSnapshot, Snapshot};
use parking_lot::Mutex;

/// All that are exported now, by identifier.
#[derive(Default)]
pub struct ExportedSnapshots {
    all: Mutex<HashMap<String, Exported>>,
    next: AtomicU64,
}

#[derive(Clone)]
pub struct Exported {
    pub snapshot: Arc<KeptSnapshot>,
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

/// Those of one transaction; they end with it.
pub struct Exports {
    shared: Arc<ExportedSnapshots>,
    own: Mutex<Vec<String>>,
}

impl Exports {
    pub fn new(shared: &Arc<ExportedSnapshots>) -> Arc<Self> {
        Arc::new(Self { shared: Arc::clone(shared), own: Mutex::default() })
    }

    /// Returns the identifier.
    pub fn export(&self, store: &Store, snapshot: &Snapshot, pid: i32, database: Oid) -> String {
        let number = self.shared.next.fetch_add(1, Ordering::Relaxed) + 1;
        let id = format!("{pid:08X}-{number:08X}-1");
        let exported = Exported { snapshot: Arc::new(store.keep(snapshot)), database };
        self.shared.all.lock().insert(id.clone(), exported);
        self.own.lock().push(id.clone());
        id
    }

    /// The transaction is over.
    pub fn end(&self) {
        let own = std::mem::take(&mut *self.own.lock());
        if !own.is_empty() {
            let mut all = self.shared.all.lock();
            own.iter().for_each(|id| drop(all.remove(id)));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.own.lock().is_empty()
    }
}
