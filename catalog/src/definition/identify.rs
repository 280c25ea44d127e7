//! What names an object whatever the search path is (`pg_identify_object`, `pg_identify_object_as_address`; PostgreSQL manual 9.26.5).

use super::identifier::{qualified_name, quote_identifier};
use super::{Printer, type_name};
use crate::facts;
use crate::fixed_oid::{
    PG_ATTRDEF, PG_AUTHID, PG_CLASS, PG_CONSTRAINT, PG_DATABASE, PG_EXTENSION, PG_LANGUAGE, PG_NAMESPACE, PG_PROC,
    PG_REWRITE, PG_TYPE,
};
use crate::image::Catalog;
use crate::name::SearchPath;
use crate::object::{DescriptorKind, ObjectAddress, Relation};
use crate::types::oid::{self, Oid};

/// An object's kind, its schema and its name where these two tell it apart, and its whole identity, as SQL writes them; and the names and
/// arguments that `pg_get_object_address` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    pub kind: String,
    pub schema: Option<String>,
    pub name: Option<String>,
    pub identity: String,
    pub names: Vec<String>,
    pub arguments: Vec<String>,
}

/// None for what is not there.
pub fn identify(catalog: &Catalog, address: ObjectAddress) -> Option<Identity> {
    match address.class {
        PG_CLASS => relation(catalog, address),
        PG_CONSTRAINT => constraint(catalog, address),
        PG_ATTRDEF => default(catalog, address),
        PG_REWRITE => {
            let view = catalog.relation(catalog.owner_of_part(address).object)?;
            part(catalog, "rule", view, "_RETURN", "\"_RETURN\"")
        }
        PG_TYPE => {
            let entry = catalog.type_entry(address.object)?;
            let named = type_identity(catalog, address.object);
            let found = in_schema(catalog, "type", entry.schema, &entry.name)?;
            Some(Identity { identity: named.clone(), names: vec![named], ..found })
        }
        PG_PROC => function(catalog, address.object),
        PG_NAMESPACE => Some(global("schema", &catalog.schema(address.object)?.name)),
        PG_DATABASE => Some(global("database", &catalog.database_by_oid(address.object)?.name)),
        PG_LANGUAGE => Some(global("language", facts::language_name(address.object)?)),
        PG_AUTHID => Some(global("role", &catalog.role(address.object)?.name)),
        class => {
            let word = DescriptorKind::word(class)?;
            let descriptor = catalog.descriptor(address.object)?;
            match class {
                PG_EXTENSION => Some(global(word, &descriptor.name)),
                _ => in_schema(catalog, word, descriptor.schema, &descriptor.name),
            }
        }
    }
}

/// An object that is in no schema.
fn global(kind: &str, name: &str) -> Identity {
    let quoted = quote_identifier(name).into_owned();
    Identity {
        kind: kind.to_owned(),
        name: Some(quoted.clone()),
        identity: quoted,
        names: vec![name.to_owned()],
        ..Identity::default()
    }
}

fn in_schema(catalog: &Catalog, kind: &str, schema: Oid, name: &str) -> Option<Identity> {
    let schema = &catalog.schema(schema)?.name;
    Some(Identity {
        schema: Some(quote_identifier(schema).into_owned()),
        identity: qualified_name(schema, name),
        names: vec![schema.clone(), name.to_owned()],
        ..global(kind, name)
    })
}

/// A part of a relation that has a name there.
fn part(catalog: &Catalog, kind: &str, of: &Relation, name: &str, quoted: &str) -> Option<Identity> {
    let whole = in_schema(catalog, kind, of.schema, &of.name)?;
    let names = whole.names.into_iter().chain([name.to_owned()]).collect();
    let identity = format!("{quoted} on {}", whole.identity);
    Some(Identity { kind: whole.kind, identity, names, ..Identity::default() })
}

fn relation(catalog: &Catalog, address: ObjectAddress) -> Option<Identity> {
    let relation = catalog.relation(address.object)?;
    let whole = in_schema(catalog, relation.kind_name(), relation.schema, &relation.name)?;
    if address.sub == 0 {
        return Some(whole);
    }
    let column = i16::try_from(address.sub).ok().and_then(|attnum| relation.column(attnum))?;
    Some(Identity {
        kind: format!("{} column", whole.kind),
        identity: format!("{}.{}", whole.identity, quote_identifier(&column.name)),
        names: whole.names.iter().cloned().chain([column.name.clone()]).collect(),
        ..whole
    })
}

fn constraint(catalog: &Catalog, address: ObjectAddress) -> Option<Identity> {
    if let Some((domain, constraint)) = catalog.domain_constraint(address.object) {
        let named = type_identity(catalog, domain.oid);
        let schema = &catalog.schema(domain.schema)?.name;
        return Some(Identity {
            kind: "domain constraint".to_owned(),
            schema: Some(quote_identifier(schema).into_owned()),
            name: None,
            identity: format!("{} on {named}", quote_identifier(&constraint.name)),
            names: vec![named],
            arguments: vec![constraint.name.clone()],
        });
    }
    let (table, constraint) = catalog.constraint(address.object)?;
    let found = part(catalog, "table constraint", table, &constraint.name, &quote_identifier(&constraint.name))?;
    let schema = &catalog.schema(table.schema)?.name;
    Some(Identity { schema: Some(quote_identifier(schema).into_owned()), ..found })
}

fn default(catalog: &Catalog, address: ObjectAddress) -> Option<Identity> {
    let table = catalog.relation(catalog.owner_of_part(address).object)?;
    let column = table.columns.iter().find(|column| column.default_oid == address.object)?;
    let column = relation(catalog, ObjectAddress::column(table.oid, column.attnum))?;
    Some(Identity {
        kind: "default value".to_owned(),
        identity: format!("for {}", column.identity),
        names: column.names,
        ..Identity::default()
    })
}

fn function(catalog: &Catalog, oid: Oid) -> Option<Identity> {
    let function = catalog.proc(oid)?;
    let kind = match function.kind {
        'p' => "procedure",
        'a' => "aggregate",
        _ => "function",
    };
    let arguments: Vec<_> = function.arg_types.iter().map(|&ty| type_identity(catalog, ty)).collect();
    let found = in_schema(catalog, kind, function.schema, &function.name)?;
    Some(Identity { name: None, identity: format!("{}({})", found.identity, arguments.join(",")), arguments, ..found })
}

/// A type's name with its schema, but for those that SQL has words for.
fn type_identity(catalog: &Catalog, ty: Oid) -> String {
    if let Some(element) = catalog.element_of(ty) {
        return format!("{}[]", type_identity(catalog, element));
    }
    let path = SearchPath::default();
    let shown = type_name(Printer { catalog, search_path: &path }, ty);
    let is_word = [oid::BIT, oid::NUMERIC, oid::INTERVAL].contains(&ty);
    match facts::type_row(ty).filter(|row| !is_word && row.name == shown) {
        Some(_) => qualified_name("pg_catalog", &shown),
        None => shown,
    }
}
