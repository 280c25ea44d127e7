//! Where new objects go and what existing names mean to utility statements.

use std::sync::Arc;

use aegis_catalog::definition::{qualified_name, quote_identifier};
use aegis_catalog::fixed_oid::PG_CATALOG_SCHEMA;
use aegis_catalog::object::{Column, Persistence, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::parse::ast::Name;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::transaction::OpenTransaction;

/// Schema, bare name and persistence of an object to be created.
pub struct Place {
    pub schema: Oid,
    pub name: String,
    pub persistence: Persistence,
}

impl Place {
    /// The relation to be created here; the catalog gives it and its row type their OIDs.
    pub fn relation(self, owner: Oid, columns: Vec<Column>, kind: RelationKind) -> Relation {
        let Self { schema, name, persistence } = self;
        Relation { oid: 0, schema, name, owner, persistence, row_type: 0, row_array_type: 0, columns, kind }
    }
}

/// Decides where `CREATE … name` goes. 3F000 if there is no schema, 42P16 for a temporary object in a permanent schema.
pub fn place(session: &mut Session, name: &Name, temporary: bool, context: &StatementContext) -> Result<Place> {
    let (schema, bare) = split(name, context)?;
    let temporary = temporary || schema == Some("pg_temp");
    if temporary {
        if schema.is_some_and(|schema| schema != "pg_temp") {
            return Err(Error::new(
                sqlstate::INVALID_TABLE_DEFINITION,
                "cannot create temporary relation in non-temporary schema",
            )
            .at(name.span.start));
        }
        let schema = session.temporary_schema()?;
        return Ok(Place { schema, name: bare.to_owned(), persistence: Persistence::Temporary });
    }
    let schema = match schema {
        Some(schema) => schema_oid(schema, context).map_err(|e| e.at(name.span.start))?,
        None => context.search_path.creation_schema().ok_or_else(|| {
            Error::new(sqlstate::UNDEFINED_SCHEMA, "no schema has been selected to create in").at(name.span.start)
        })?,
    };
    crate::privilege::require_create(schema, context).map_err(|error| error.at(name.span.start))?;
    Ok(Place { schema, name: bare.to_owned(), persistence: Persistence::Permanent })
}

/// Schema part and bare name. A database part must be the own one.
pub fn split<'a>(name: &'a Name, context: &StatementContext) -> Result<(Option<&'a str>, &'a str)> {
    match name.parts.as_slice() {
        [bare] => Ok((None, &bare.name)),
        [schema, bare] => Ok((Some(&schema.name), &bare.name)),
        [database, schema, bare] if database.name == context.database => Ok((Some(&schema.name), &bare.name)),
        parts => {
            let written: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
            let message = format!("cross-database references are not implemented: \"{}\"", written.join("."));
            Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(name.span.start))
        }
    }
}

/// 3F000 if there is no schema of that name.
pub fn schema_oid(name: &str, context: &StatementContext) -> Result<Oid> {
    let missing = || Error::new(sqlstate::INVALID_SCHEMA_NAME, format!("schema \"{name}\" does not exist"));
    context.catalog.resolve_schema(name, &context.search_path).ok_or_else(missing)
}

/// The relation a name means; None if there is none.
pub fn find(name: &Name, context: &StatementContext) -> Result<Option<Arc<Relation>>> {
    let (schema, bare) = split(name, context)?;
    context.catalog.resolve_relation(schema, bare, &context.search_path)
}

/// The relation a name means. 42P01 if there is none.
pub fn existing(name: &Name, context: &StatementContext) -> Result<Arc<Relation>> {
    find(name, context)?.ok_or_else(|| {
        Error::new(sqlstate::UNDEFINED_TABLE, format!("relation \"{}\" does not exist", written(name)))
            .at(name.span.start)
    })
}

/// As [`existing`], for the statements whose errors do not say where the name stands.
pub fn existing_anywhere(name: &Name, context: &StatementContext) -> Result<Arc<Relation>> {
    existing(name, context).map_err(Error::without_position)
}

/// A name as messages print it.
pub fn written(name: &Name) -> String {
    name.parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>().join(".")
}

/// 42501 for changes to the system's own relations.
pub fn reject_system(relation: &Relation) -> Result<()> {
    if relation.schema == PG_CATALOG_SCHEMA || relation.oid < FIRST_USER_OID {
        let message = format!("permission denied: \"{}\" is a system catalog", relation.name);
        return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
    }
    Ok(())
}

/// First OID that users' objects get.
const FIRST_USER_OID: Oid = 16_384;

/// A name quoted if it must be, `schema.name` if the schema is given: as `regclass` prints it.
pub fn quoted(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => qualified_name(schema, name),
        None => quote_identifier(name).into_owned(),
    }
}

/// `table_column_suffix`, cut to 63 bytes as PostgreSQL's makeObjectName does, and made unique in the schema by a number.
pub fn generated_name(open: &OpenTransaction, schema: Oid, parts: &[&str], suffix: &str) -> String {
    const LONGEST: usize = 63;
    let catalog = open.catalog.catalog();
    let taken = |name: &str| {
        catalog.relation_by_name(schema, name).is_some()
            || catalog.user_relations().any(|r| r.schema == schema && r.constraints().iter().any(|c| c.name == name))
    };
    for number in 0u32.. {
        let suffix = if number == 0 { suffix.to_owned() } else { format!("{suffix}{number}") };
        let mut parts: Vec<String> = parts.iter().map(|&part| part.to_owned()).collect();
        while parts.iter().map(|part| part.len() + 1).sum::<usize>() + suffix.len() > LONGEST {
            let Some(longest) = parts.iter_mut().max_by_key(|part| part.len()) else { break };
            longest.pop();
        }
        let name = format!("{}_{suffix}", parts.join("_"));
        if !taken(&name) {
            return name;
        }
    }
    unreachable!("some number is free")
}
