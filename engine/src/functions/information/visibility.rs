//! Whether an object is found by its unqualified name.

use aegis_catalog::fixed_oid::PG_CATALOG_SCHEMA;
use aegis_catalog::{Error, sqlstate};

use crate::functions::Call;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    let mut rows = vec![
        f(
            "pg_table_is_visible(oid)",
            kernel!(|call; table: u32| {
                let relation = call.context.catalog.relation(table)?;
                Some(call.context.catalog.relation_is_visible(relation, &call.context.search_path))
            }),
        ),
        f(
            "pg_type_is_visible(oid)",
            kernel!(|call; ty: u32| {
                let entry = call.context.catalog.type_entry(ty)?;
                let found = call.context.catalog.type_by_name(None, &entry.name, &call.context.search_path);
                Some(found.is_some_and(|found| found.oid == ty))
            }),
        ),
        f(
            "pg_function_is_visible(oid)",
            kernel!(|call; function: u32| {
                let schema = call.context.catalog.proc(function).map(|proc| proc.schema).or_else(|| {
                    aegis_catalog::facts::proc(function).map(|proc| proc.schema)
                })?;
                Some(call.context.search_path.schemas().contains(&schema))
            }),
        ),
        f(
            "pg_operator_is_visible(oid)",
            kernel!(|operator: u32| aegis_catalog::facts::operator(operator)
                .map(|operator| operator.schema == PG_CATALOG_SCHEMA)),
        ),
    ];
    rows.push(f(
        "pg_collation_actual_version(oid)",
        kernel!(|call; collation: u32| match call.context.catalog.collation_facts(collation) {
            Some(facts) => Ok(facts.actual_version()),
            None => {
                let message = format!("collation with OID {collation} does not exist");
                Err(Error::new(sqlstate::UNDEFINED_OBJECT, message))
            }
        }),
    ));
    for kind in ["collation", "statistics_obj"] {
        rows.push(f(format!("pg_{kind}_is_visible(oid)"), kernel!(|call; object: u32| is_visible(call, object))));
    }
    // Objects of these kinds exist in pg_catalog only, which is on every search path.
    for kind in ["opclass", "opfamily", "conversion"] {
        rows.push(f(format!("pg_{kind}_is_visible(oid)"), kernel!(|_object: u32| true)));
    }
    for kind in ["ts_config", "ts_dict", "ts_parser", "ts_template"] {
        rows.push(f(format!("pg_{kind}_is_visible(oid)"), kernel!(|_object: u32| true)));
    }
    rows
}

/// A collation or statistics object: none before it on the path has its name.
fn is_visible(call: &Call<'_>, object: u32) -> Option<bool> {
    let catalog = &call.context.catalog;
    let Some(descriptor) = catalog.descriptor(object) else {
        return catalog.collation(object).map(|_| true);
    };
    let path = call.context.search_path.schemas();
    let first = path.iter().find_map(|schema| {
        catalog.descriptor_by_name(descriptor.class(), *schema, &descriptor.name).map(|found| found.oid)
    });
    Some(first == Some(object))
}
