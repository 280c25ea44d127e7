//! Search paths: which schemas an unqualified name is looked for in (PostgreSQL manual, "The Schema Search Path").

use crate::fixed_oid::PG_CATALOG_SCHEMA;
use crate::image::Catalog;
use crate::types::oid::Oid;

/// The setting `search_path` resolved against one catalog image for one user: the schemas that exist, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SearchPath {
    schemas: Vec<Oid>,
    /// How many of `schemas` were put in front without being listed.
    implicit: usize,
    creation: Option<Oid>,
    temporary: Option<Oid>,
}

impl SearchPath {
    /// `setting` is the list of names, `$user` included; `temporary` the session's temporary schema, if it has one.
    pub fn resolve(catalog: &Catalog, setting: &[String], user: &str, temporary: Option<Oid>) -> Self {
        let mut explicit = Vec::new();
        for name in setting {
            let schema = match name.as_str() {
                "$user" => catalog.schema_by_name(user).map(|schema| schema.oid),
                "pg_temp" => temporary,
                name => catalog.schema_by_name(name).map(|schema| schema.oid),
            };
            if let Some(oid) = schema.filter(|oid| !explicit.contains(oid)) {
                explicit.push(oid);
            }
        }
        let creation = explicit.first().copied();
        let mut schemas = Vec::with_capacity(explicit.len() + 2);
        schemas.extend(temporary.filter(|oid| !explicit.contains(oid)));
        if !explicit.contains(&PG_CATALOG_SCHEMA) {
            schemas.push(PG_CATALOG_SCHEMA);
        }
        let implicit = schemas.len();
        schemas.append(&mut explicit);
        Self { schemas, implicit, creation, temporary }
    }

    /// All schemas in the order they are searched for relations and types, implicit ones included (`current_schemas(true)`).
    pub fn schemas(&self) -> &[Oid] {
        &self.schemas
    }

    /// Only the schemas that were listed (`current_schemas(false)`).
    pub fn explicit(&self) -> &[Oid] {
        self.schemas.get(self.implicit..).unwrap_or_default()
    }

    /// Schemas searched for functions and operators: never the temporary one.
    pub fn function_schemas(&self) -> impl Iterator<Item = Oid> + '_ {
        self.schemas.iter().copied().filter(|&oid| Some(oid) != self.temporary)
    }

    /// Where `CREATE` without a schema puts things (`current_schema()`); None if no listed schema exists.
    pub fn creation_schema(&self) -> Option<Oid> {
        self.creation
    }

    /// What `pg_temp` means.
    pub fn temporary_schema(&self) -> Option<Oid> {
        self.temporary
    }
}
