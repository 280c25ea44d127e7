//! Whether an object is found by its unqualified name.

use aegis_catalog::fixed_oid::PG_CATALOG_SCHEMA;

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
    // Objects of these kinds exist in pg_catalog only, which is on every search path.
    for kind in ["collation", "opclass", "opfamily", "conversion"] {
        rows.push(f(format!("pg_{kind}_is_visible(oid)"), kernel!(|_object: u32| true)));
    }
    for kind in ["statistics_obj", "ts_config", "ts_dict", "ts_parser", "ts_template"] {
        rows.push(f(format!("pg_{kind}_is_visible(oid)"), kernel!(|_object: u32| true)));
    }
    rows
}
