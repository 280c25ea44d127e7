//! `format_type`.

use super::Printer;
use super::identifier::{in_schema, quote_identifier};
use crate::extension_facts::is_permanent;
use crate::types::oid::{self, Oid};
use crate::types::{self, Type};

/// The type's SQL name with its modifier; `???` if there is no such type.
pub fn format_type(printer: Printer<'_>, ty: Type) -> String {
    if types::type_info(ty.oid).is_some() && is_permanent(ty.oid) {
        return types::format_type(ty);
    }
    let Some(entry) = printer.catalog.type_entry(ty.oid) else { return "???".to_owned() };
    if entry.is_array() {
        return format!("{}[]", format_type(printer, Type::of(entry.element)));
    }
    let found = printer.catalog.type_by_name(None, &entry.name, printer.search_path);
    match found {
        Some(found) if found.oid == entry.oid => quote_identifier(&entry.name).into_owned(),
        _ => in_schema(printer, entry.schema, &entry.name),
    }
}

/// The type's SQL name when there is no word about a modifier (`format_type(oid, NULL)`, `regtype`): here `character` and
/// `bit` are themselves, where with the modifier -1 they would mean one character or bit.
pub fn type_name(printer: Printer<'_>, ty: Oid) -> String {
    match ty {
        oid::BPCHAR => "character".to_owned(),
        oid::BPCHAR_ARRAY => "character[]".to_owned(),
        oid::BIT => "bit".to_owned(),
        oid::BIT_ARRAY => "bit[]".to_owned(),
        ty => format_type(printer, Type::of(ty)),
    }
}
