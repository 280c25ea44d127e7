//! `pg_inherits`: children and their parents, partitions included; `pg_partitioned_table`: how parents deal their rows out.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;
use crate::definition::default_operator_class;
use crate::object::{PartitionBound, PartitionKey, Relation};

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let mut push = |relation: &Relation| {
        for (parent, number) in relation.inherited_from().zip(1i32..) {
            rows.push(row![relation.oid, parent, number, false]);
        }
    };
    match context.oids("inhparent") {
        Some(parents) => {
            parents.iter().flat_map(|&parent| context.catalog.children_of(parent)).for_each(|child| push(child));
        }
        None => context.user_relations("inhrelid").for_each(push),
    }
    Ok(())
}

pub(super) fn partitioned_rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for relation in context.user_relations("partrelid") {
        let Some(partitioning) = relation.partitioning() else { continue };
        let keys = &partitioning.keys;
        let class = |key: &PartitionKey| match key.operator_class {
            0 => default_operator_class(partitioning.strategy.access_method(), key.ty.oid).unwrap_or_default(),
            class => class,
        };
        let is_default = |child: &&std::sync::Arc<Relation>| child.partition_bound() == Some(&PartitionBound::Default);
        let default = context.catalog.children_of(relation.oid).find(is_default).map_or(0, |child| child.oid);
        let attnums: Vec<i16> = keys.iter().map(|key| key.attnum).collect();
        let classes: Vec<_> = keys.iter().map(class).collect();
        let collations: Vec<_> = keys.iter().map(|key| key.collation).collect();
        let expressions: Vec<&str> = keys.iter().filter_map(|key| key.expression.as_deref()).collect();
        rows.push(row![
            relation.oid,
            partitioning.strategy.code(),
            i16::try_from(keys.len()).unwrap_or(i16::MAX),
            default,
            attnums.as_slice(),
            classes.as_slice(),
            collations.as_slice(),
            (!expressions.is_empty()).then(|| expressions.join(", ")),
        ]);
    }
    Ok(())
}
