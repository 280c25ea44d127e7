//! What every database has from its start: PL/pgSQL (PostgreSQL manual, chapter 43, "installed by default"), with the OIDs of a new PostgreSQL 15.

use std::sync::{Arc, LazyLock};

use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, PG_CATALOG_SCHEMA, PG_EXTENSION, PG_LANGUAGE, PG_PROC};
use crate::object::{Dependency, DependencyKind, Descriptor, DescriptorKind, Extension, ObjectAddress};
use crate::types::oid::Oid;

const PLPGSQL: Oid = 13_559;

/// Handler of calls, handler of DO, validator; the language.
const PLPGSQL_MEMBERS: [(Oid, Oid); 4] =
    [(PG_PROC, 13_560), (PG_PROC, 13_561), (PG_PROC, 13_562), (PG_LANGUAGE, 13_563)];

static PLPGSQL_EXTENSION: LazyLock<Arc<Descriptor>> = LazyLock::new(|| {
    let kind = DescriptorKind::Extension(Extension { version: "1.0".to_owned(), relocatable: false });
    let name = "plpgsql".to_owned();
    Arc::new(Descriptor { oid: PLPGSQL, schema: PG_CATALOG_SCHEMA, name, owner: BOOTSTRAP_SUPERUSER, kind })
});

/// The extensions that are there without CREATE EXTENSION.
pub fn built_in() -> [&'static Arc<Descriptor>; 1] {
    [&PLPGSQL_EXTENSION]
}

pub fn built_in_by_oid(oid: Oid) -> Option<&'static Arc<Descriptor>> {
    built_in().into_iter().find(|extension| extension.oid == oid)
}

/// What they are made of.
pub(crate) fn members() -> impl Iterator<Item = Dependency> {
    let referenced = ObjectAddress::new(PG_EXTENSION, PLPGSQL);
    PLPGSQL_MEMBERS.into_iter().map(move |(class, object)| Dependency {
        dependent: ObjectAddress::new(class, object),
        referenced,
        kind: DependencyKind::Extension,
    })
}
