//! Properties of access methods and indexes (PostgreSQL manual, table "Access Method Properties"). The only method is btree.

use aegis_catalog::fixed_oid::BTREE_ACCESS_METHOD;

use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        // Nothing reports the phases of its building.
        f("pg_indexam_progress_phasename(oid, int8)", kernel!(|_method: u32, _phase: i64| None::<&str>)),
        f(
            "pg_indexam_has_property(oid, text)",
            kernel!(|method: u32, property: &str| match property {
                "can_order" | "can_unique" | "can_multi_col" | "can_include" =>
                    (method == BTREE_ACCESS_METHOD).then_some(true),
                "can_exclude" => (method == BTREE_ACCESS_METHOD).then_some(false),
                _ => None,
            }),
        ),
        f(
            "pg_index_column_has_property(regclass, int4, text)",
            kernel!(|call; index: u32, column: i32, property: &str| {
                let relation = call.context.catalog.relation(index)?;
                let keys = &relation.index()?.keys;
                let key = keys.get(usize::try_from(column).ok()?.checked_sub(1)?)?;
                match property {
                    "asc" => Some(!key.descending),
                    "desc" => Some(key.descending),
                    "nulls_first" => Some(key.nulls_first),
                    "nulls_last" => Some(!key.nulls_first),
                    "orderable" => Some(true),
                    "distance_orderable" => Some(false),
                    _ => None,
                }
            }),
        ),
        f("row_security_active(oid)", kernel!(|call; table: u32| call.context.catalog.relation(table).map(|_| false))),
    ]
}
