//! One change of the catalog, as a transaction remembers it to apply it again to a newer image, and to the committed one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::Result;
use crate::image::Catalog;
use crate::object::{Dependency, Object, ObjectAddress};
use crate::store::CatalogStore;
use crate::types::oid::Oid;

#[derive(Debug, Clone)]
pub(crate) enum Change {
    Put(Object),
    Remove { class: Oid, oid: Oid },
    Comment { on: ObjectAddress, text: Option<String> },
    PutDependency(Dependency),
    RemoveDependency { dependent: ObjectAddress, referenced: ObjectAddress },
}

/// Where a change belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// In every database.
    Shared,
    Database(Oid),
    /// In the session alone.
    Temporary,
}

impl Change {
    pub(crate) fn apply(&self, catalog: &mut Catalog) {
        match self {
            Self::Put(object) => catalog.put(object),
            Self::Remove { class, oid } => catalog.remove(*class, *oid),
            Self::Comment { on, text } => catalog.set_comment(*on, text.as_deref()),
            Self::PutDependency(edge) => catalog.put_dependency(*edge),
            Self::RemoveDependency { dependent, referenced } => catalog.remove_dependency(*dependent, *referenced),
        }
    }
}

/// The temporary objects of one session, between its transactions.
#[derive(Debug, Clone, Default)]
pub struct TemporaryObjects {
    objects: BTreeMap<(Oid, Oid), Object>,
    comments: BTreeMap<ObjectAddress, String>,
    dependencies: BTreeSet<Dependency>,
    /// The image that `over` made last, and the version of the committed one below it.
    image: Arc<Mutex<Option<(u64, Arc<Catalog>)>>>,
}

impl TemporaryObjects {
    /// The committed image of a database with these objects on top.
    pub fn over(&self, store: &CatalogStore, database: Oid) -> Result<Arc<Catalog>> {
        let committed = store.current(database)?;
        if self.is_empty() {
            return Ok(committed);
        }
        let mut kept = self.image.lock();
        match &*kept {
            Some((base, image)) if *base == committed.version() => Ok(Arc::clone(image)),
            _ => {
                let mut image = Catalog::clone(&committed);
                self.apply(&mut image);
                image.set_version(store.next_version());
                let image = Arc::new(image);
                *kept = Some((committed.version(), Arc::clone(&image)));
                Ok(image)
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// The session's temporary schema, once it has one.
    pub fn schema(&self) -> Option<Oid> {
        self.objects.values().find_map(|object| match object {
            Object::Schema(schema) => Some(schema.oid),
            _ => None,
        })
    }

    pub(crate) fn absorb(&mut self, change: Change) {
        // Not the one that a transaction may still share.
        self.image = Arc::default();
        match change {
            Change::Put(object) => drop(self.objects.insert((object.class(), object.oid()), object)),
            Change::Remove { class, oid } => {
                let is_part = |address: &ObjectAddress| address.class == class && address.object == oid;
                self.objects.remove(&(class, oid));
                self.comments.retain(|address, _| !is_part(address));
                self.dependencies.retain(|edge| !is_part(&edge.dependent) && !is_part(&edge.referenced));
            }
            Change::Comment { on, text: Some(text) } => drop(self.comments.insert(on, text)),
            Change::Comment { on, text: None } => drop(self.comments.remove(&on)),
            Change::PutDependency(edge) => drop(self.dependencies.insert(edge)),
            Change::RemoveDependency { dependent, referenced } => {
                self.dependencies.retain(|edge| edge.dependent != dependent || edge.referenced != referenced);
            }
        }
    }

    pub(crate) fn apply(&self, catalog: &mut Catalog) {
        self.objects.values().for_each(|object| catalog.put(object));
        self.comments.iter().for_each(|(address, text)| catalog.set_comment(*address, Some(text)));
        self.dependencies.iter().for_each(|edge| catalog.put_dependency(*edge));
    }
}
