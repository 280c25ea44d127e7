//! Names as they can be read back.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use super::Printer;
use crate::facts::tsv;
use crate::fixed_oid::PG_CATALOG_SCHEMA;
use crate::object::{Descriptor, Relation};
use crate::types::oid::Oid;

/// Words that can't stand as a name everywhere.
static RESERVED: LazyLock<HashSet<Cow<'static, str>>> = LazyLock::new(|| {
    let words = tsv::rows(include_str!("../../data/keywords.tsv"));
    words
        .map(|mut fields| (fields.text(), fields.text()))
        .filter(|(_, code)| code != "U")
        .map(|(word, _)| word)
        .collect()
});

/// The name, in double quotes if it needs them (`quote_ident`).
pub fn quote_identifier(name: &str) -> Cow<'_, str> {
    let is_start = |c: char| c.is_ascii_lowercase() || c == '_';
    let is_plain = name.starts_with(is_start) && name.chars().all(|c| is_start(c) || c.is_ascii_digit());
    if is_plain && !RESERVED.contains(name) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"")))
}

/// `schema.name`.
pub fn qualified_name(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// The relation's name, with its schema if the path would not find it.
pub fn relation_name(printer: Printer<'_>, relation: &Relation) -> String {
    match printer.catalog.relation_is_visible(relation, printer.search_path) {
        true => quote_identifier(&relation.name).into_owned(),
        false => in_schema(printer, relation.schema, &relation.name),
    }
}

/// The collation's name, with its schema if the path would not find it (`pg_catalog` always is).
pub fn collation_name(printer: Printer<'_>, oid: Oid) -> Option<String> {
    let (schema, name) = printer.catalog.collation(oid)?;
    let hidden = schema != PG_CATALOG_SCHEMA && !printer.search_path.schemas().contains(&schema);
    Some(if hidden { in_schema(printer, schema, name) } else { quote_identifier(name).into_owned() })
}

/// A text search object's name, with its schema unless the path finds it by the name alone.
pub fn text_search_name(printer: Printer<'_>, object: &Descriptor) -> String {
    let mut path = printer.search_path.schemas().iter();
    let found = path.find_map(|schema| printer.catalog.descriptor_by_name(object.class(), *schema, &object.name));
    match found {
        Some(found) if found.oid == object.oid => quote_identifier(&object.name).into_owned(),
        _ => in_schema(printer, object.schema, &object.name),
    }
}

/// The name with its schema.
pub(super) fn in_schema(printer: Printer<'_>, schema: Oid, name: &str) -> String {
    match printer.catalog.schema(schema) {
        Some(schema) if printer.search_path.temporary_schema() == Some(schema.oid) => qualified_name("pg_temp", name),
        Some(schema) => qualified_name(&schema.name, name),
        None => quote_identifier(name).into_owned(),
    }
}

/// Column names, comma separated; `???` for one that does not exist.
pub(super) fn column_names(relation: Option<&Relation>, attnums: &[i16]) -> String {
    let name = |attnum: &i16| match relation.and_then(|relation| relation.column(*attnum)) {
        Some(column) => quote_identifier(&column.name).into_owned(),
        None => "???".to_owned(),
    };
    attnums.iter().map(name).collect::<Vec<_>>().join(", ")
}
