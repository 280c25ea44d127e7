//! The owner of the committed catalog: loads it from the store, hands out images, takes in what transactions commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aegis_storage::{Isolation, Store, Transaction};
use parking_lot::RwLock;

use crate::builtins::Builtins;
use crate::change::{Change, Scope};
use crate::image::Catalog;
use crate::object::Object;
use crate::oid_allocator::OidAllocator;
use crate::types::oid::Oid;
use crate::{Error, Result, bootstrap, large_object, sqlstate, system_tables};

/// The committed catalog of all databases of one server.
pub struct CatalogStore {
    builtins: Arc<Builtins>,
    images: RwLock<HashMap<Oid, Arc<Catalog>>>,
    versions: AtomicU64,
    oids: OidAllocator,
}

impl CatalogStore {
    /// Loads the catalog; writes the first objects if the data directory is new.
    pub async fn open(store: Arc<Store>, builtins: Builtins) -> Result<Arc<Self>> {
        let mut transaction = store.begin(Isolation::ReadCommitted);
        if system_tables::create(&mut transaction)? {
            bootstrap::write(&mut transaction)?;
            transaction.commit(true).await?;
            transaction = store.begin(Isolation::ReadCommitted);
        }
        let rows = system_tables::load(&transaction)?;
        let catalogs = Self {
            builtins: Arc::new(builtins),
            images: RwLock::new(HashMap::new()),
            versions: AtomicU64::new(1),
            oids: OidAllocator::new(store),
        };
        let images = catalogs.images_of(&rows);
        let mut made = false;
        for database in images.keys() {
            made |= large_object::create(&mut transaction, *database)?;
        }
        *catalogs.images.write() = images;
        if made {
            transaction.commit(true).await?;
        }
        Ok(Arc::new(catalogs))
    }

    /// Reads the committed catalog anew: a transaction that was prepared before has changed it.
    pub fn reload(&self, store: &Arc<Store>) -> Result<()> {
        let mut images = self.images.write();
        // Whoever publishes now has committed before, or does so after what is read here; doing it twice changes nothing.
        let rows = system_tables::load(&store.begin(Isolation::ReadCommitted))?;
        *images = self.images_of(&rows);
        Ok(())
    }

    /// Has the transaction written to the tables of the catalog?
    pub fn is_changed_by(transaction: &Transaction) -> bool {
        system_tables::ALL.iter().any(|table| transaction.has_changed(*table))
    }

    fn images_of(&self, rows: &system_tables::Rows) -> HashMap<Oid, Arc<Catalog>> {
        let version = self.next_version();
        let mut shared = Catalog::empty(0, self.builtins.clone());
        rows.objects.iter().filter(|(_, object)| object.is_shared()).for_each(|(_, object)| shared.put(object));
        let mut images: HashMap<Oid, Catalog> =
            shared.databases().map(|database| (database.oid, shared.for_database(database.oid))).collect();
        let mut each = |database: Oid, apply: &dyn Fn(&mut Catalog)| match database {
            0 => images.values_mut().for_each(apply),
            database => images.get_mut(&database).into_iter().for_each(apply),
        };
        for (database, object) in rows.objects.iter().filter(|(_, object)| !object.is_shared()) {
            each(*database, &|image| image.put(object));
        }
        for (database, on, text) in &rows.comments {
            each(*database, &|image| image.set_comment(*on, Some(text)));
        }
        for (database, edge) in &rows.dependencies {
            each(*database, &|image| image.put_dependency(*edge));
        }
        images.values_mut().for_each(|image| image.set_version(version));
        images.into_iter().map(|(database, image)| (database, Arc::new(image))).collect()
    }

    /// The committed image of a database.
    pub fn current(&self, database: Oid) -> Result<Arc<Catalog>> {
        self.images.read().get(&database).cloned().ok_or_else(|| {
            Error::new(sqlstate::UNDEFINED_DATABASE, format!("database {database} does not exist"))
                .with_detail("It seems to have just been dropped or renamed.")
        })
    }

    /// The committed image of the database of that name, as a new session needs it.
    pub fn database(&self, name: &str) -> Result<Arc<Catalog>> {
        let images = self.images.read();
        let found = images.values().find(|image| image.database().is_some_and(|database| database.name == name));
        found
            .cloned()
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")))
    }

    pub fn builtins(&self) -> &Arc<Builtins> {
        &self.builtins
    }

    /// An OID that was never used before, also for a table or index of the store. Never handed out again, even when the
    /// transaction that asked for it rolls back or the server stops.
    pub fn allocate_oid(&self) -> Result<Oid> {
        self.oids.allocate()
    }

    /// Reserves OIDs when few are left, so that [`CatalogStore::allocate_oid`] need not wait for the log. To be called
    /// before a statement that creates something.
    pub async fn reserve_oids(&self) -> Result<()> {
        self.oids.reserve_ahead().await
    }

    /// Grows with every change of any database.
    pub fn newest_version(&self) -> u64 {
        self.versions.load(Ordering::Relaxed)
    }

    /// Is this so in any database?
    pub fn any(&self, holds: impl Fn(&Catalog) -> bool) -> bool {
        self.images.read().values().any(|image| holds(image))
    }

    pub(crate) fn next_version(&self) -> u64 {
        self.versions.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes committed changes visible to all. Transactions that changed the same object have met in the store, which let
    /// only one commit; changes of different objects may come in any order.
    pub(crate) fn publish<'a>(&self, changes: impl IntoIterator<Item = (Scope, &'a Change)>) {
        let mut images = self.images.write();
        let mut changed: HashMap<Oid, Catalog> = HashMap::new();
        for (scope, change) in changes {
            match (scope, change) {
                (Scope::Shared, Change::Put(Object::Database(database))) if !images.contains_key(&database.oid) => {
                    let any = changed.values().next().or_else(|| images.values().next().map(|image| &**image));
                    if let Some(image) = any.map(|any| any.for_database(database.oid)) {
                        images.insert(database.oid, Arc::new(image));
                    }
                }
                (Scope::Shared, Change::Remove { class: crate::fixed_oid::PG_DATABASE, oid }) => {
                    images.remove(oid);
                    changed.remove(oid);
                }
                _ => {}
            }
            let concerned: Vec<Oid> = match scope {
                Scope::Shared => images.keys().copied().collect(),
                Scope::Database(database) => images.keys().copied().filter(|&oid| oid == database).collect(),
                Scope::Temporary => Vec::new(),
            };
            for database in concerned {
                if let Some(image) = images.get(&database) {
                    change.apply(changed.entry(database).or_insert_with(|| Catalog::clone(image)));
                }
            }
        }
        for (database, mut image) in changed {
            image.set_version(self.next_version());
            images.insert(database, Arc::new(image));
        }
    }
}

impl std::fmt::Debug for CatalogStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CatalogStore").field("databases", &self.images.read().len()).finish_non_exhaustive()
    }
}
