//! Search paths: which schemas an unqualified name is looked for in (PostgreSQL manual, "The Schema Search Path").

use crate::fixed_oid::PG_CATALOG_SCHEMA;
use crate::image::Catalog;
use crate::types::oid::Oid;
use crate::{Error, Result, sqlstate};

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

/// Takes a dotted name apart as `regclass` input does: parts in double quotes are kept, others folded to lower case.
pub fn split_qualified(text: &str) -> Result<Vec<String>> {
    let invalid = || Error::new(sqlstate::INVALID_NAME, "invalid name syntax");
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_part(quoted).ok_or_else(invalid)?,
            None => {
                let end = rest.find(|c: char| c == '.' || c.is_whitespace()).unwrap_or(rest.len());
                let (part, after) = rest.split_at(end);
                (part.to_lowercase(), after)
            }
        };
        if part.is_empty() || part.contains('"') && !rest.starts_with('"') {
            return Err(invalid());
        }
        parts.push(part);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(next) => rest = next.trim_start(),
            None if after.is_empty() => return Ok(parts),
            None => return Err(invalid()),
        }
    }
}

/// The text up to the closing quote, with doubled quotes made single, and what follows.
fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if c != '"' {
            part.push(c);
        } else if characters.next_if(|&(_, next)| next == '"').is_some() {
            part.push('"');
        } else {
            return Some((part, text.get(at + 1..)?));
        }
    }
    None
}
