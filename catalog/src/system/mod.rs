//! The relations of `pg_catalog` and `information_schema`, the same in every database.
//!
//! Base relations are computed from the catalog's image ([`RELATIONS`]), views are SQL text over them
//! ([`crate::pg_catalog`], [`crate::information_schema`]). Names, columns and OIDs are PostgreSQL's (`data/relations.tsv`,
//! `data/columns.tsv`).

mod definition;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, INFORMATION_SCHEMA, PG_CATALOG_SCHEMA, PG_TOAST_SCHEMA};
use crate::object::{Relation, Schema};
use crate::types::oid::Oid;

static SCHEMAS: LazyLock<Vec<Arc<Schema>>> = LazyLock::new(|| {
    let schemas =
        [(PG_CATALOG_SCHEMA, "pg_catalog"), (PG_TOAST_SCHEMA, "pg_toast"), (INFORMATION_SCHEMA, "information_schema")];
    schemas.map(|(oid, name)| Arc::new(Schema { oid, name: name.to_owned(), owner: BOOTSTRAP_SUPERUSER })).to_vec()
});

static SYSTEM: LazyLock<System> = LazyLock::new(System::load);

/// All relations of the system schemas, indexed.
struct System {
    relations: Vec<Arc<Relation>>,
    by_oid: HashMap<Oid, usize>,
    by_name: HashMap<(Oid, String), usize>,
    by_type: HashMap<Oid, usize>,
}

impl System {
    fn load() -> Self {
        let relations = definition::load();
        let mut system =
            Self { relations: Vec::new(), by_oid: HashMap::new(), by_name: HashMap::new(), by_type: HashMap::new() };
        for (position, relation) in relations.iter().enumerate() {
            system.by_oid.insert(relation.oid, position);
            system.by_name.insert((relation.schema, relation.name.clone()), position);
            system.by_type.insert(relation.row_type, position);
            system.by_type.insert(relation.row_array_type, position);
        }
        system.relations = relations;
        system
    }
}

/// Schemas that exist in every database and are no rows of the store.
pub fn schemas() -> &'static [Arc<Schema>] {
    &SCHEMAS
}

/// All system relations, by OID.
pub fn relations() -> &'static [Arc<Relation>] {
    &SYSTEM.relations
}

pub fn relation(oid: Oid) -> Option<&'static Arc<Relation>> {
    SYSTEM.by_oid.get(&oid).and_then(|&position| SYSTEM.relations.get(position))
}

pub fn relation_by_name(schema: Oid, name: &str) -> Option<&'static Arc<Relation>> {
    if schema != PG_CATALOG_SCHEMA && schema != INFORMATION_SCHEMA {
        return None;
    }
    SYSTEM.by_name.get(&(schema, name.to_owned())).and_then(|&position| SYSTEM.relations.get(position))
}

/// The relation whose row type, or array of it, this is.
pub fn relation_of_type(ty: Oid) -> Option<&'static Arc<Relation>> {
    SYSTEM.by_type.get(&ty).and_then(|&position| SYSTEM.relations.get(position))
}
