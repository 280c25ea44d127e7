//! Partitioned tables and inheritance: which tables hold a table's rows, and which partition a row belongs to (PostgreSQL manual, "Table
//! Partitioning").
//!
//! [`bound`] is the one place that knows what bounds mean: routing, pruning, the search for overlaps and the check of rows that come with a
//! table are all asked of it. It compares keys as bytes ([`key`]) and hashes ([`hash`]).

pub mod bound;
pub mod hash;
pub mod key;
pub mod prune;
pub mod router;

use std::sync::Arc;

use aegis_catalog::Catalog;
use aegis_catalog::Result;
use aegis_catalog::object::{PartitionBound, Relation};
use aegis_catalog::types::FormatSettings;

use self::bound::Bounds;

/// Deepest nesting of partitioned tables; the catalog refuses deeper ones.
pub const MAX_LEVELS: usize = 100;

/// The tables whose rows are those of `table`: itself, unless it has none of its own, and what inherits from it. Partitions come in the
/// order of their bounds, children by OID.
pub fn holders(table: &Arc<Relation>, catalog: &Catalog, format: &FormatSettings) -> Result<Vec<Arc<Relation>>> {
    if table.partitioning().is_none() {
        return Ok(catalog.inheritors(table).into_iter().filter(|table| table.partitioning().is_none()).collect());
    }
    let mut leaves = Vec::new();
    let mut waiting = vec![table.clone()];
    while let Some(table) = waiting.pop() {
        if table.partitioning().is_none() {
            leaves.push(table);
            continue;
        }
        let (children, bounds) = partitions(&table, catalog, format)?;
        let ordered = bounds.order().into_iter().filter_map(|place| children.get(place).cloned());
        waiting.extend(ordered.rev());
    }
    Ok(leaves)
}

/// The partitions of a table with their bounds, in the same order.
pub fn partitions(
    table: &Relation,
    catalog: &Catalog,
    format: &FormatSettings,
) -> Result<(Vec<Arc<Relation>>, Bounds)> {
    let children: Vec<Arc<Relation>> = catalog.children_of(table.oid).cloned().collect();
    let Some(partitioning) = table.partitioning() else { return Ok((children, Bounds::default())) };
    let compile = |child: &Arc<Relation>| {
        key::compile(partitioning, child.partition_bound().unwrap_or(&PartitionBound::Default), format)
    };
    let bounds = children.iter().map(compile).collect::<Result<Vec<_>>>()?;
    Ok((children, Bounds::new(bounds)))
}
