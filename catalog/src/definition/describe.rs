//! What messages call an object (`pg_describe_object`).

use super::identifier::{collation_name, quote_identifier, relation_name};
use super::{Printer, type_name};
use crate::facts;
use crate::fixed_oid::{
    DEFAULT_TABLESPACE, GLOBAL_TABLESPACE, PG_AM, PG_ATTRDEF, PG_AUTHID, PG_CAST, PG_CLASS, PG_COLLATION,
    PG_CONSTRAINT, PG_DATABASE, PG_EXTENSION, PG_LANGUAGE, PG_NAMESPACE, PG_OPERATOR, PG_PROC, PG_REWRITE,
    PG_TABLESPACE, PG_TYPE,
};
use crate::object::{DescriptorKind, ObjectAddress};
use crate::system::access_method_name;
use crate::types::oid::Oid;

/// `table t`, `column c of table t`, `constraint k on table t` and so on.
pub fn describe(printer: Printer<'_>, address: ObjectAddress) -> String {
    let known = describe_existing(printer, address);
    known.unwrap_or_else(|| format!("object {} of catalog {}", address.object, address.class))
}

/// None for what is not there.
pub fn describe_existing(printer: Printer<'_>, address: ObjectAddress) -> Option<String> {
    match address.class {
        PG_CLASS => relation(printer, address),
        PG_CONSTRAINT => constraint(printer, address),
        PG_ATTRDEF => default(printer, address),
        PG_REWRITE => Some(format!("rule _RETURN on {}", relation_of(printer, printer.catalog.owner_of_part(address)))),
        PG_TYPE => Some(format!("type {}", type_name(printer, address.object))),
        PG_NAMESPACE => printer.catalog.schema(address.object).map(|schema| format!("schema {}", schema.name)),
        PG_DATABASE => {
            printer.catalog.database_by_oid(address.object).map(|database| format!("database {}", database.name))
        }
        PG_LANGUAGE => facts::language_name(address.object).map(|name| format!("language {name}")),
        PG_AUTHID => printer.catalog.role(address.object).map(|role| format!("role {}", role.name)),
        PG_PROC => printer.catalog.proc(address.object).map(|function| {
            let arguments: Vec<_> = function.arg_types.iter().map(|&ty| type_name(printer, ty)).collect();
            let kind = if function.kind == 'p' { "procedure" } else { "function" };
            let schema = printer.catalog.schema(function.schema).map_or("", |schema| schema.name.as_str());
            let hidden = !printer.search_path.function_schemas().any(|schema| schema == function.schema);
            let prefix = if hidden { format!("{}.", quote_identifier(schema)) } else { String::new() };
            format!("{kind} {prefix}{}({})", quote_identifier(&function.name), arguments.join(","))
        }),
        PG_OPERATOR if facts::operator(address.object).is_some() => operator(printer, address.object),
        PG_CAST => cast(printer, address.object),
        PG_AM => access_method_name(address.object).map(|name| format!("access method {name}")),
        PG_TABLESPACE => tablespace(address.object),
        PG_COLLATION => collation_name(printer, address.object).map(|name| format!("collation {name}")),
        class => DescriptorKind::word(class).and_then(|word| {
            let descriptor = printer.catalog.descriptor(address.object)?;
            let schema = printer.catalog.schema(descriptor.schema).map_or("", |schema| schema.name.as_str());
            let shown = class == PG_EXTENSION || printer.search_path.schemas().contains(&descriptor.schema);
            let prefix = if shown { String::new() } else { format!("{}.", quote_identifier(schema)) };
            Some(format!("{word} {prefix}{}", quote_identifier(&descriptor.name)))
        }),
    }
}

fn operator(printer: Printer<'_>, oid: Oid) -> Option<String> {
    let operator = facts::operator(oid)?;
    let operand = |ty: Oid| if ty == 0 { "NONE".to_owned() } else { type_name(printer, ty) };
    Some(format!("operator {}({},{})", operator.name, operand(operator.left), operand(operator.right)))
}

fn cast(printer: Printer<'_>, oid: Oid) -> Option<String> {
    let cast = facts::casts().iter().find(|cast| cast.oid == oid)?;
    Some(format!("cast from {} to {}", type_name(printer, cast.source), type_name(printer, cast.target)))
}

fn tablespace(oid: Oid) -> Option<String> {
    let name = match oid {
        DEFAULT_TABLESPACE => "pg_default",
        GLOBAL_TABLESPACE => "pg_global",
        _ => return None,
    };
    Some(format!("tablespace {name}"))
}

fn constraint(printer: Printer<'_>, address: ObjectAddress) -> Option<String> {
    if let Some((_, constraint)) = printer.catalog.domain_constraint(address.object) {
        return Some(format!("constraint {}", constraint.name));
    }
    let (table, constraint) = printer.catalog.constraint(address.object)?;
    Some(format!("constraint {} on {}", constraint.name, relation_of(printer, table.address())))
}

fn relation(printer: Printer<'_>, address: ObjectAddress) -> Option<String> {
    let relation = printer.catalog.relation(address.object)?;
    let whole = format!("{} {}", relation.kind_name(), relation_name(printer, relation));
    if address.sub == 0 {
        return Some(whole);
    }
    let column = i16::try_from(address.sub).ok().and_then(|attnum| relation.column(attnum))?;
    Some(format!("column {} of {whole}", column.name))
}

fn relation_of(printer: Printer<'_>, address: ObjectAddress) -> String {
    relation(printer, address).unwrap_or_else(|| format!("relation {}", address.object))
}

fn default(printer: Printer<'_>, address: ObjectAddress) -> Option<String> {
    let owner = printer.catalog.relation(printer.catalog.owner_of_part(address).object)?;
    let column = owner.columns.iter().find(|column| column.default_oid == address.object)?;
    let column = relation(printer, ObjectAddress::column(owner.oid, column.attnum))?;
    Some(format!("default value for {column}"))
}
