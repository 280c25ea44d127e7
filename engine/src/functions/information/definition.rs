//! Definitions of catalog objects as SQL text.

use aegis_catalog::definition::{
    Identity, Printer, Subject, constraint_definition, describe_existing, format_type, identify,
    index_column_definition, index_definition, partition_constraint, partition_key, quote_identifier, type_name,
};
use aegis_catalog::facts::FunctionRow;
use aegis_catalog::object::{ObjectAddress, Relation};
use aegis_catalog::types::oid;
use aegis_catalog::{Oid, Result, Type};

use super::expression;
use crate::bind::updatable::updatable;
use crate::deparse::Layout;
use crate::functions::Call;
use crate::functions::kernel::{Inputs, kernel};
use crate::functions::set_returning::one_record_of;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    [relations(), partitions(), views(), routines(), others()].into_iter().flatten().collect()
}

fn printer<'a>(call: &'a Call<'_>) -> Printer<'a> {
    Printer { catalog: &call.context.catalog, search_path: &call.context.search_path }
}

fn relations() -> Vec<Row> {
    vec![
        f(
            "pg_get_indexdef(oid)",
            kernel!(|call; index: u32| {
                let layout = Layout { indent: false, ..Layout::PLAIN };
                index_definition(printer(call), &|subject, text| expression::show(call, subject, text, layout), index, false)
            }),
        ),
        f(
            "pg_get_indexdef(oid, int4, bool)",
            kernel!(|call; index: u32, column: i32, pretty: bool| {
                let layout = Layout::of(pretty);
                let show = |subject: Subject<'_>, text: &str| expression::show(call, subject, text, layout);
                match i16::try_from(column) {
                    Ok(0) => index_definition(printer(call), &show, index, pretty),
                    Ok(column) if call.context.catalog.relation(index).is_some() => {
                        Some(index_column_definition(printer(call), &show, index, column).unwrap_or_default())
                    }
                    _ => None,
                }
            }),
        ),
        f(
            "pg_get_constraintdef(oid)",
            kernel!(|call; constraint: u32| {
                let show = |subject: Subject<'_>, text: &str| expression::show(call, subject, text, Layout::PLAIN);
                constraint_definition(printer(call), &show, constraint)
            }),
        ),
        f(
            "pg_get_constraintdef(oid, bool)",
            kernel!(|call; constraint: u32, pretty: bool| {
                let layout = Layout::of(pretty);
                let show = |subject: Subject<'_>, text: &str| expression::show(call, subject, text, layout);
                constraint_definition(printer(call), &show, constraint)
            }),
        ),
        f(
            "pg_get_expr(pg_node_tree, oid)",
            kernel!(|call; text: &str, relation: u32| expression::show_of(call, text, relation, Layout::PLAIN)),
        ),
        f(
            "pg_get_expr(pg_node_tree, oid, bool)",
            kernel!(|call; text: &str, relation: u32, pretty: bool| {
                expression::show_of(call, text, relation, Layout::of(pretty))
            }),
        ),
        f(
            "pg_get_serial_sequence(text, text)",
            kernel!(|call; table: &str, column: &str| serial_sequence(call, table, column)),
        ),
        f("pg_get_triggerdef(oid)", kernel!(|_trigger: u32| None::<String>)),
        f("pg_get_triggerdef(oid, bool)", kernel!(|_trigger: u32, _pretty: bool| None::<String>)),
        f("pg_get_statisticsobjdef(oid)", kernel!(|call; object: u32| statistics_definition(call, object, true))),
        f(
            "pg_get_statisticsobjdef_columns(oid)",
            kernel!(|call; object: u32| statistics_definition(call, object, false)),
        ),
        f(
            "pg_relation_is_publishable(regclass)",
            kernel!(|call; table: u32| {
                call.context.catalog.relation(table).map(|relation| relation.table().is_some())
            }),
        ),
        f(
            "pg_relation_is_updatable(regclass, bool)",
            kernel!(|call; table: u32, _triggers: bool| changes_taken(call, table)),
        ),
        f(
            "pg_column_is_updatable(regclass, int2, bool)",
            kernel!(|call; table: u32, column: i16, _triggers: bool| column_is_updatable(call, table, column)),
        ),
    ]
}

/// INSERT, UPDATE and DELETE of a relation: bits 3, 2 and 4.
fn changes_taken(call: &Call<'_>, relation: u32) -> i32 {
    match call.context.catalog.relation(relation) {
        Some(table) if table.table().is_some() && table.materialized().is_none() => 28,
        Some(view) if view.view().is_some() => updatable(view, call.context).map_or(0, |(bits, _)| bits),
        _ => 0,
    }
}

fn column_is_updatable(call: &Call<'_>, relation: u32, column: i16) -> bool {
    let relation = call.context.catalog.relation(relation).filter(|_| column > 0);
    relation.is_some_and(|relation| match relation.view() {
        Some(_) => updatable(relation, call.context).is_some_and(|(_, columns)| columns.contains(&column)),
        None => relation.table().is_some(),
    })
}

/// CREATE STATISTICS, or only its columns.
fn statistics_definition(call: &Call<'_>, object: u32, whole: bool) -> Option<String> {
    let show = |subject: Subject<'_>, text: &str| expression::show(call, subject, text, Layout::of(true));
    let definition = aegis_catalog::definition::statistics_definition(printer(call), &show, object)?;
    Some(if whole { definition.whole } else { definition.columns })
}

fn partitions() -> Vec<Row> {
    vec![
        f(
            "pg_get_partkeydef(oid)",
            kernel!(|call; table: u32| {
                let show = |subject: Subject<'_>, text: &str| expression::show(call, subject, text, Layout::PLAIN);
                partition_key(printer(call), &show, table)
            }),
        ),
        f(
            "pg_get_partition_constraintdef(oid)",
            kernel!(|call; table: u32| {
                let catalog = &call.context.catalog;
                let text = partition_constraint(catalog, table)?;
                let table = catalog.relation(table)?;
                Some(expression::show(call, Subject::Table(table), &text, Layout::PLAIN))
            }),
        ),
    ]
}

fn serial_sequence(call: &Call<'_>, table: &str, column: &str) -> Result<Option<String>> {
    let table = aegis_catalog::types::object_id::parse_reg(oid::REGCLASS, table, &call.context.format.names)?;
    let catalog = &call.context.catalog;
    let Some(relation) = catalog.relation(table) else { return Ok(None) };
    let Some(attribute) = relation.column_by_name(column) else {
        return Err(aegis_catalog::Error::new(
            aegis_catalog::sqlstate::UNDEFINED_COLUMN,
            format!("column \"{column}\" of relation \"{}\" does not exist", relation.name),
        ));
    };
    let owned = |candidate: &&std::sync::Arc<Relation>| {
        candidate.sequence().is_some_and(|sequence| sequence.owned_by == Some((table, attribute.attnum)))
    };
    Ok(catalog.user_relations().find(owned).map(|sequence| {
        let schema = catalog.schema(sequence.schema).map_or("", |schema| schema.name.as_str());
        format!("{}.{}", quote_identifier(schema), quote_identifier(&sequence.name))
    }))
}

fn views() -> Vec<Row> {
    vec![
        f("pg_get_viewdef(oid)", kernel!(|call; view: u32| expression::show_view(call, view, Layout::PLAIN))),
        f(
            "pg_get_viewdef(oid, bool)",
            kernel!(|call; view: u32, pretty: bool| expression::show_view(call, view, Layout::of(pretty))),
        ),
        f(
            "pg_get_viewdef(oid, int4)",
            kernel!(|call; view: u32, width: i32| {
                let width = usize::try_from(width).unwrap_or(usize::MAX);
                expression::show_view(call, view, Layout { width, ..Layout::PRETTY })
            }),
        ),
        f("pg_get_viewdef(text)", kernel!(|call; name: &str| view_named(call, name, Layout::PLAIN))),
        f(
            "pg_get_viewdef(text, bool)",
            kernel!(|call; name: &str, pretty: bool| view_named(call, name, Layout::of(pretty))),
        ),
        f("pg_get_ruledef(oid)", kernel!(|_rule: u32| None::<String>)),
        f("pg_get_ruledef(oid, bool)", kernel!(|_rule: u32, _pretty: bool| None::<String>)),
    ]
}

fn view_named(call: &Call<'_>, name: &str, layout: Layout) -> Result<Option<String>> {
    let view = aegis_catalog::types::object_id::parse_reg(oid::REGCLASS, name, &call.context.format.names)?;
    Ok(expression::show_view(call, view, layout))
}

fn routines() -> Vec<Row> {
    vec![
        f(
            "pg_get_function_arguments(oid)",
            kernel!(|call; function: u32| with_proc(call, function, |proc| arguments(call, proc, true))),
        ),
        f(
            "pg_get_function_identity_arguments(oid)",
            kernel!(|call; function: u32| with_proc(call, function, |proc| arguments(call, proc, false))),
        ),
        f(
            "pg_get_function_result(oid)",
            kernel!(|call; function: u32| {
                with_proc(call, function, |proc| (proc.kind != 'p').then(|| result(call, proc))).flatten()
            }),
        ),
        f(
            "pg_get_function_arg_default(oid, int4)",
            kernel!(|call; function: u32, number: i32| {
                let proc = call.context.catalog.proc(function)?;
                let first = proc.arg_types.len() as i32 - i32::from(proc.default_count);
                let defaults = super::super::signature::split_defaults(proc.arg_defaults.as_deref()?);
                defaults.get(usize::try_from(number - 1 - first).ok()?).cloned()
            }),
        ),
        f(
            "pg_get_function_sqlbody(oid)",
            kernel!(|call; function: u32| {
                call.context.catalog.routine(function).and_then(|routine| expression::show_body(call, routine))
            }),
        ),
        f(
            "pg_get_functiondef(oid)",
            kernel!(|call; function: u32| with_proc(call, function, |proc| function_definition(call, proc)).transpose()),
        ),
    ]
}

fn with_proc<T>(call: &Call<'_>, function: Oid, print: impl Fn(&FunctionRow) -> T) -> Option<T> {
    let proc = call.context.catalog.proc(function).or_else(|| aegis_catalog::facts::proc(function))?;
    Some(print(proc))
}

fn arguments(call: &Call<'_>, proc: &FunctionRow, defaults: bool) -> String {
    let types = proc.all_arg_types.as_ref().unwrap_or(&proc.arg_types);
    let default_texts = proc.arg_defaults.as_deref().map(super::super::signature::split_defaults).unwrap_or_default();
    let first_default = proc.arg_types.len().saturating_sub(proc.default_count.max(0) as usize);
    let mut parts = Vec::new();
    let mut input = 0usize;
    for (position, ty) in types.iter().enumerate() {
        let mode = proc.arg_modes.as_ref().and_then(|modes| modes.get(position).copied()).unwrap_or('i');
        let prefix = match mode {
            't' => continue,
            'o' if !defaults => continue,
            'o' => "OUT ",
            'b' => "INOUT ",
            'v' => "VARIADIC ",
            _ if proc.kind == 'p' => "IN ",
            _ => "",
        };
        let name = proc.arg_names.as_ref().and_then(|names| names.get(position)).filter(|name| !name.is_empty());
        let mut part = prefix.to_owned();
        if let Some(name) = name {
            part.push_str(&quote_identifier(name));
            part.push(' ');
        }
        part.push_str(&type_name(printer(call), *ty));
        if mode != 'o' {
            if defaults
                && let Some(default) = input.checked_sub(first_default).and_then(|index| default_texts.get(index))
            {
                part.push_str(" DEFAULT ");
                part.push_str(default);
            }
            input += 1;
        }
        parts.push(part);
    }
    parts.join(", ")
}

fn result(call: &Call<'_>, proc: &FunctionRow) -> String {
    if let (Some(types), Some(modes)) = (&proc.all_arg_types, &proc.arg_modes)
        && modes.contains(&'t')
    {
        let columns: Vec<String> = (0..types.len())
            .filter(|&position| modes.get(position) == Some(&'t'))
            .map(|position| {
                let name = proc.arg_names.as_ref().and_then(|names| names.get(position)).map_or("", String::as_str);
                format!("{} {}", quote_identifier(name), type_name(printer(call), types[position]))
            })
            .collect();
        return format!("TABLE({})", columns.join(", "));
    }
    let ty = type_name(printer(call), proc.return_type);
    if proc.returns_set { format!("SETOF {ty}") } else { ty }
}

fn function_definition(call: &Call<'_>, proc: &FunctionRow) -> Result<String> {
    if proc.kind == 'a' {
        let message = format!("\"{}\" is an aggregate function", proc.name);
        return Err(aegis_catalog::Error::new(aegis_catalog::sqlstate::WRONG_OBJECT_TYPE, message));
    }
    let catalog = &call.context.catalog;
    let schema = catalog.schema(proc.schema).map_or("pg_catalog", |schema| schema.name.as_str());
    let procedure = proc.kind == 'p';
    let word = if procedure { "PROCEDURE" } else { "FUNCTION" };
    let (schema, name) = (quote_identifier(schema), quote_identifier(&proc.name));
    let mut text = format!("CREATE OR REPLACE {word} {schema}.{name}({})\n", arguments(call, proc, true));
    if !procedure {
        text.push_str(&format!(" RETURNS {}\n", result(call, proc)));
    }
    let routine = catalog.routine(proc.oid);
    let language = match &routine {
        Some(routine) if routine.library.is_some() => "c",
        Some(_) => aegis_catalog::facts::language_name(proc.language).unwrap_or("sql"),
        None => "internal",
    };
    text.push_str(&format!(" LANGUAGE {language}\n"));
    let options = attributes(proc, !matches!(language, "c" | "internal"));
    if !options.is_empty() {
        text.push_str(&format!(" {}\n", options.join(" ")));
    }
    for (name, value) in routine.iter().flat_map(|routine| &routine.settings) {
        let listed = matches!(name.as_str(), "search_path" | "temp_tablespaces" | "session_preload_libraries");
        let value = match listed {
            true => value.split(", ").map(crate::functions::string::quote::literal).collect::<Vec<_>>().join(", "),
            false => crate::functions::string::quote::literal(value),
        };
        text.push_str(&format!(" SET {} TO {value}\n", quote_identifier(name)));
    }
    if let Some(body) = routine.and_then(|routine| expression::show_body(call, routine)) {
        text.push_str(&format!("{body}\n"));
        return Ok(text);
    }
    // A quote that the body does not hold.
    let mut tag = if procedure { "$procedure".to_owned() } else { "$function".to_owned() };
    while proc.source.contains(&tag) {
        tag.push('x');
    }
    let library = routine.and_then(|routine| routine.library.as_deref()).map(crate::functions::string::quote::literal);
    let library = library.map(|library| format!("{library}, ")).unwrap_or_default();
    text.push_str(&format!("AS {library}{tag}${}{tag}$\n", proc.source));
    Ok(text)
}

/// The attributes that differ from what is the default.
fn attributes(proc: &FunctionRow, in_sql: bool) -> Vec<String> {
    let mut options: Vec<String> = Vec::new();
    let mut add = |holds: bool, option: &str| {
        if holds {
            options.push(option.to_owned());
        }
    };
    add(proc.kind == 'w', "WINDOW");
    add(proc.volatility == 'i', "IMMUTABLE");
    add(proc.volatility == 's', "STABLE");
    add(proc.parallel == 's', "PARALLEL SAFE");
    add(proc.parallel == 'r', "PARALLEL RESTRICTED");
    add(proc.strict, "STRICT");
    add(proc.security_definer, "SECURITY DEFINER");
    add(proc.leakproof, "LEAKPROOF");
    let usual = if in_sql { 100.0 } else { 1.0 };
    if proc.cost != usual {
        options.push(format!("COST {}", proc.cost));
    }
    if proc.rows > 0.0 && proc.rows != 1000.0 {
        options.push(format!("ROWS {}", proc.rows));
    }
    options
}

fn identified(call: &Call<'_>, inputs: &Inputs, row: usize) -> Result<Option<Identity>> {
    let class = inputs.reader::<u32>(0)?.get(row);
    let object = inputs.reader::<u32>(1)?.get(row);
    let sub = inputs.reader::<i32>(2)?.get(row);
    Ok(identify(&call.context.catalog, ObjectAddress { class, object, sub }))
}

/// The text of an array.
fn array(texts: &[String]) -> String {
    let quoted = texts.iter().map(|text| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

fn others() -> Vec<Row> {
    vec![
        f(
            "format_type(oid, int4)",
            kernel!(|call; ty: Option<u32>, typmod: Option<i32>| {
                let ty = ty?;
                Some(match typmod {
                    _ if ty == 0 => "-".to_owned(),
                    Some(typmod) => format_type(printer(call), Type::new(ty, typmod)),
                    None => type_name(printer(call), ty),
                })
            }),
        ),
        f(
            "pg_describe_object(oid, oid, int4)",
            kernel!(|call; class: u32, object: u32, sub: i32| describe_existing(printer(call), ObjectAddress { class, object, sub })),
        ),
        one_record_of("pg_identify_object(oid, oid, int4)", |call, inputs, row| {
            let Some(found) = identified(call, inputs, row)? else { return Ok(Vec::new()) };
            Ok(vec![Some(found.kind), found.schema, found.name, Some(found.identity)])
        }),
        one_record_of("pg_identify_object_as_address(oid, oid, int4)", |call, inputs, row| {
            let Some(found) = identified(call, inputs, row)? else { return Ok(Vec::new()) };
            Ok(vec![Some(found.kind), Some(array(&found.names)), Some(array(&found.arguments))])
        }),
        f(
            "oidvectortypes(oidvector)",
            kernel!(|call; types: crate::functions::array::List<u32>| {
                let names: Vec<String> = types.0.into_iter().flatten().map(|ty| type_name(printer(call), ty)).collect();
                names.join(", ")
            }),
        ),
    ]
}
