//! What the rows of a system relation are computed from.

use std::cell::Cell;

use crate::Result;
use crate::image::Catalog;
use crate::object::Relation;
use crate::types::oid::Oid;

/// The image, facts that only the running server knows, and hints about which rows are wanted.
pub struct SystemContext<'a> {
    pub catalog: &'a Catalog,
    server: &'a dyn ServerFacts,
    filters: &'a [Filter],
    /// Something besides the image was asked for: the rows are right for this reader at this moment.
    particular: Cell<bool>,
}

/// What is not in the catalog but shown by it.
pub trait ServerFacts: Send + Sync {
    /// Live rows of a table, if that is known without counting them.
    fn row_count(&self, table: &Relation) -> Option<u64>;

    /// Bytes that a table or index takes.
    fn bytes(&self, relation: &Relation) -> u64;

    /// Large objects and their owners.
    fn large_objects(&self) -> Result<Vec<(Oid, Oid)>> {
        Ok(Vec::new())
    }
}

/// `column = ANY (values)`.
#[derive(Debug, Clone)]
pub struct Filter {
    column: String,
    values: FilterValues,
}

/// Sorted, each value once.
#[derive(Debug, Clone)]
enum FilterValues {
    Oids(Vec<Oid>),
    Texts(Vec<String>),
}

impl Filter {
    pub fn oids(column: impl Into<String>, mut oids: Vec<Oid>) -> Self {
        oids.sort_unstable();
        oids.dedup();
        Self { column: column.into(), values: FilterValues::Oids(oids) }
    }

    pub fn texts(column: impl Into<String>, mut texts: Vec<String>) -> Self {
        texts.sort_unstable();
        texts.dedup();
        Self { column: column.into(), values: FilterValues::Texts(texts) }
    }
}

impl<'a> SystemContext<'a> {
    /// The reader wants only rows that meet all of `filters`; other rows may be left out, and need not.
    pub fn new(catalog: &'a Catalog, server: &'a dyn ServerFacts, filters: &'a [Filter]) -> Self {
        Self { catalog, server, filters, particular: Cell::new(false) }
    }

    /// Whether rows computed so far are those of the image, the same for every reader.
    pub(super) fn is_of_image(&self) -> bool {
        !self.particular.get()
    }

    pub(super) fn server(&self) -> &'a dyn ServerFacts {
        self.particular.set(true);
        self.server
    }

    fn filter<T>(&self, column: &str, values: impl Fn(&'a FilterValues) -> Option<T>) -> Option<T> {
        let found = self.filters.iter().filter(|filter| filter.column == column).find_map(|f| values(&f.values));
        self.particular.set(self.particular.get() || found.is_some());
        found
    }

    /// The OIDs that a column is restricted to, if it is.
    pub fn oids(&self, column: &str) -> Option<&'a [Oid]> {
        self.filter(column, |values| match values {
            FilterValues::Oids(oids) => Some(oids.as_slice()),
            FilterValues::Texts(_) => None,
        })
    }

    /// The texts that a column is restricted to, if it is.
    pub fn texts(&self, column: &str) -> Option<&'a [String]> {
        self.filter(column, |values| match values {
            FilterValues::Texts(texts) => Some(texts.as_slice()),
            FilterValues::Oids(_) => None,
        })
    }

    /// The relations that the reader may want, where `column` is their OID.
    pub fn relations(&self, column: &str) -> Box<dyn Iterator<Item = &'a Relation> + 'a> {
        let catalog = self.catalog;
        match self.oids(column) {
            Some(oids) => {
                Box::new(oids.iter().filter_map(move |&oid| catalog.relation(oid)).map(|relation| &**relation))
            }
            None => Box::new(catalog.relations().map(|relation| &**relation)),
        }
    }

    /// As [`SystemContext::relations`], of those that users made.
    pub fn user_relations(&self, column: &str) -> Box<dyn Iterator<Item = &'a Relation> + 'a> {
        let is_system = |relation: &&Relation| crate::system::relation(relation.oid).is_some();
        match self.oids(column) {
            Some(_) => Box::new(self.relations(column).filter(move |relation| !is_system(relation))),
            None => Box::new(self.catalog.user_relations().map(|relation| &**relation)),
        }
    }

    /// The function if it exists, else 0 (shown as `-`).
    pub fn existing_function(&self, oid: Oid) -> Oid {
        if self.catalog.proc(oid).is_some() { oid } else { 0 }
    }
}
