//! What statements do to collations, extensions and statistics alike: finding, renaming, moving, giving away (PostgreSQL's alter.c).

use std::sync::Arc;

use aegis_catalog::fixed_oid::{FIRST_NORMAL, PG_COLLATION, PG_EXTENSION, PG_STATISTIC_EXT, PG_TS_CONFIG, PG_TS_DICT};
use aegis_catalog::object::{Descriptor, DescriptorKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{namespace, role};
use crate::parse::ast::{Ident, Name};
use crate::parse::utility::ObjectKind;
use crate::session::Session;
use crate::session::context::StatementContext;

/// The class of the descriptors that the statements of a kind speak of, and what their tags call it.
pub fn class_of(kind: ObjectKind) -> Option<(Oid, &'static str)> {
    match kind {
        ObjectKind::Other("COLLATION") => Some((PG_COLLATION, "COLLATION")),
        ObjectKind::Other("STATISTICS") => Some((PG_STATISTIC_EXT, "STATISTICS")),
        ObjectKind::Other("TEXT SEARCH CONFIGURATION") => Some((PG_TS_CONFIG, "TEXT SEARCH CONFIGURATION")),
        ObjectKind::Other("TEXT SEARCH DICTIONARY") => Some((PG_TS_DICT, "TEXT SEARCH DICTIONARY")),
        ObjectKind::Extension => Some((PG_EXTENSION, "EXTENSION")),
        _ => None,
    }
}

/// The one of that name, in its schema or along the path. 3F000, 42704 if there is none.
pub fn existing(class: Oid, name: &Name, context: &StatementContext) -> Result<Arc<Descriptor>> {
    let (schema, bare) = namespace::split(name, context)?;
    let found = match schema {
        Some(schema) => context.catalog.descriptor_by_name(class, namespace::schema_oid(schema, context)?, bare),
        None => {
            let mut path = context.search_path.schemas().iter();
            path.find_map(|schema| context.catalog.descriptor_by_name(class, *schema, bare))
                .or_else(|| context.catalog.descriptor_by_name(class, 0, bare))
        }
    };
    found.cloned().ok_or_else(|| {
        let written = namespace::written(name);
        let word = DescriptorKind::word(class).unwrap_or("object");
        let message = match class {
            PG_COLLATION => format!("collation \"{written}\" for encoding \"UTF8\" does not exist"),
            _ => format!("{word} \"{written}\" does not exist"),
        };
        Error::new(sqlstate::UNDEFINED_OBJECT, message)
    })
}

/// The same, for who owns it.
pub fn owned(class: Oid, name: &Name, context: &StatementContext) -> Result<Arc<Descriptor>> {
    let found = existing(class, name, context)?;
    if !crate::privilege::owns(&context.catalog, context.user_oid, found.owner) {
        let word = DescriptorKind::word(class).unwrap_or("object");
        let message = format!("must be owner of {word} {}", found.name);
        return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
    }
    Ok(found)
}

pub fn rename(session: &mut Session, class: Oid, name: &Name, to: &str, context: &StatementContext) -> Result<()> {
    let found = owned(class, name, context)?;
    if class == PG_EXTENSION {
        return Err(Error::new(sqlstate::SYNTAX_ERROR, "extensions have no other names"));
    }
    taken(class, found.schema, to, context)?;
    replace(session, Descriptor { name: to.to_owned(), ..Descriptor::clone(&found) })
}

pub fn set_schema(
    session: &mut Session,
    class: Oid,
    name: &Name,
    schema: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let found = owned(class, name, context)?;
    let target = namespace::schema_oid(&schema.name, context)?;
    if found.schema == target {
        return Ok(());
    }
    if class == PG_EXTENSION {
        return Err(Error::unsupported("ALTER EXTENSION SET SCHEMA"));
    }
    taken(class, target, &found.name, context)?;
    replace(session, Descriptor { schema: target, ..Descriptor::clone(&found) })
}

pub fn set_owner(
    session: &mut Session,
    class: Oid,
    name: &Name,
    owner: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let found = owned(class, name, context)?;
    let owner = role::existing(&owner.name, context)?.oid;
    role::require_member(owner, context)?;
    replace(session, Descriptor { owner, ..Descriptor::clone(&found) })
}

/// 42710 if the name is taken in the schema.
fn taken(class: Oid, schema: Oid, name: &str, context: &StatementContext) -> Result<()> {
    if context.catalog.descriptor_by_name(class, schema, name).is_none() {
        return Ok(());
    }
    let shown = context.catalog.schema(schema).map_or("", |schema| schema.name.as_str());
    let message = match class {
        PG_COLLATION => format!("collation \"{name}\" for encoding \"UTF8\" already exists in schema \"{shown}\""),
        _ => {
            let word = DescriptorKind::word(class).unwrap_or("object");
            format!("{word} \"{name}\" already exists in schema \"{shown}\"")
        }
    };
    Err(Error::new(sqlstate::DUPLICATE_OBJECT, message))
}

pub fn replace(session: &mut Session, changed: Descriptor) -> Result<()> {
    if changed.oid < FIRST_NORMAL {
        let word = DescriptorKind::word(changed.class()).unwrap_or("object");
        return Err(Error::unsupported(format!("changing a {word} of PostgreSQL's own")));
    }
    let open = session.writable("ALTER")?;
    open.catalog.replace_descriptor(open.tables.permanent(), changed)
}
