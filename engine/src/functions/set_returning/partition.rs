//! Trees of partitions (PostgreSQL manual, "System Information Functions", partitioning).

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::types::oid;
use aegis_catalog::{Catalog, Oid};

use super::{Record, record};
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "pg_partition_tree(regclass)",
            record(
                &[
                    ("relid", oid::REGCLASS),
                    ("parentrelid", oid::REGCLASS),
                    ("isleaf", oid::BOOL),
                    ("level", oid::INT4),
                ],
                |call, inputs, row| Ok(tree(&call.context.catalog, inputs.reader::<u32>(0)?.get(row))),
            ),
        ),
        f(
            "pg_partition_ancestors(regclass)",
            super::set!(|call; table: u32| {
                let catalog = &call.context.catalog;
                let found = catalog.relation(table).filter(|relation| is_part(relation));
                let above = found.map(|relation| catalog.partition_ancestors(relation)).unwrap_or_default();
                let own = found.map(|relation| relation.oid).into_iter();
                Ok(own.chain(above.iter().map(|relation| relation.oid)).map(Some).collect::<Vec<Option<u32>>>())
            }),
        ),
        f(
            "pg_partition_root(regclass)",
            kernel!(|call; table: u32| {
                let catalog = &call.context.catalog;
                let relation = catalog.relation(table).filter(|relation| is_part(relation))?;
                Some(catalog.partition_ancestors(relation).last().map_or(table, |root| root.oid))
            }),
        ),
    ]
}

/// Is it part of a tree of partitions?
fn is_part(relation: &Relation) -> bool {
    is_parted(relation) || relation.is_partition()
}

fn is_parted(relation: &Relation) -> bool {
    matches!(relation.kind_code(), 'p' | 'I')
}

/// A table or index with what is below it, level by level.
fn tree(catalog: &Catalog, root: Oid) -> Vec<Record> {
    let Some(root) = catalog.relation(root).filter(|relation| is_part(relation)) else { return Vec::new() };
    let row = |relation: &Arc<Relation>, level: usize| {
        let parent = relation.is_partition().then(|| catalog.parents_of(relation).next()).flatten();
        let leaf = if is_parted(relation) { "f" } else { "t" };
        vec![
            Some(relation.oid.to_string()),
            parent.map(|parent| parent.oid.to_string()),
            Some(leaf.to_owned()),
            Some(level.to_string()),
        ]
    };
    let mut rows = Vec::new();
    let mut here = vec![root.clone()];
    let mut level = 0;
    while !here.is_empty() {
        rows.extend(here.iter().map(|relation| row(relation, level)));
        let parted = here.iter().filter(|relation| is_parted(relation));
        here = parted.flat_map(|relation| catalog.children_of(relation.oid).cloned()).collect();
        level += 1;
    }
    rows
}
