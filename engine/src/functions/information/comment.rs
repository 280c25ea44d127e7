//! Comments on objects.

use aegis_catalog::fixed_oid;
use aegis_catalog::object::ObjectAddress;
use aegis_catalog::{Oid, system};

use crate::functions::Call;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "obj_description(oid, name)",
            kernel!(|call; object: u32, class: &str| class_named(class).and_then(|class| comment(call, class, object, 0))),
        ),
        f(
            "shobj_description(oid, name)",
            kernel!(|call; object: u32, class: &str| class_named(class).and_then(|class| comment(call, class, object, 0))),
        ),
        f(
            "col_description(oid, int4)",
            kernel!(|call; table: u32, column: i32| comment(call, fixed_oid::PG_CLASS, table, column)),
        ),
        f(
            "obj_description(oid)",
            kernel!(|call; object: u32| {
                const CLASSES: [Oid; 6] = [
                    fixed_oid::PG_CLASS,
                    fixed_oid::PG_TYPE,
                    fixed_oid::PG_PROC,
                    fixed_oid::PG_NAMESPACE,
                    fixed_oid::PG_OPERATOR,
                    fixed_oid::PG_CONSTRAINT,
                ];
                CLASSES.iter().find_map(|class| comment(call, *class, object, 0))
            }),
        ),
    ]
}

fn class_named(name: &str) -> Option<Oid> {
    system::relation_by_name(fixed_oid::PG_CATALOG_SCHEMA, name).map(|relation| relation.oid)
}

fn comment(call: &Call<'_>, class: Oid, object: Oid, sub: i32) -> Option<String> {
    let address = ObjectAddress { class, object, sub };
    call.context.catalog.comment(address).or_else(|| system::builtin_comment(address)).map(str::to_owned)
}
