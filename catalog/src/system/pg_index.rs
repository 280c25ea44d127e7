//! `pg_index`: what `pg_class` does not say of an index.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;
use crate::definition::default_operator_class;
use crate::object::{Index, IndexKey, Relation};
use crate::types::oid::Oid;

// Bits of `indoption`.
const DESCENDING: i16 = 1;
const NULLS_FIRST: i16 = 2;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    match context.oids("indrelid") {
        Some(tables) => {
            let indexes = tables.iter().flat_map(|&table| context.catalog.indexes_of(table));
            indexes.for_each(|index| push(context, index, rows));
        }
        None => context.user_relations("indexrelid").for_each(|index| push(context, index, rows)),
    }
    Ok(())
}

fn push(context: &SystemContext<'_>, relation: &Relation, rows: &mut Rows<'_>) {
    let Some(index) = relation.index() else { return };
    let constraints = context.catalog.constraints_of(index.table);
    let constraint =
        constraints.iter().find(|constraint| constraint.index() == relation.oid && is_key(constraint.kind_code()));
    let attnums: Vec<i16> = index.keys.iter().map(|key| key.attnum).chain(index.include.iter().copied()).collect();
    let expressions: Vec<&str> = index.keys.iter().filter_map(|key| key.expression.as_deref()).collect();
    let (classes, collations) = classes_and_collations(context, relation, index);
    let options: Vec<i16> = index
        .keys
        .iter()
        .map(|key| (if key.descending { DESCENDING } else { 0 }) | (if key.nulls_first { NULLS_FIRST } else { 0 }))
        .collect();
    rows.push(row![
        relation.oid,
        index.table,
        i16::try_from(attnums.len()).unwrap_or(i16::MAX),
        i16::try_from(index.keys.len()).unwrap_or(i16::MAX),
        index.unique,
        index.nulls_not_distinct,
        index.primary,
        false,
        constraint.is_none_or(|constraint| !constraint.deferrable),
        index.clustered,
        !index.invalid,
        false,
        true,
        true,
        false,
        attnums.as_slice(),
        collations.as_slice(),
        classes.as_slice(),
        options.as_slice(),
        (!expressions.is_empty()).then(|| expressions.join(", ")),
        index.predicate.as_ref(),
    ]);
}

fn is_key(kind: char) -> bool {
    matches!(kind, 'p' | 'u')
}

/// Operator class and collation of each key.
fn classes_and_collations(context: &SystemContext<'_>, relation: &Relation, index: &Index) -> (Vec<Oid>, Vec<Oid>) {
    let table = context.catalog.relation(index.table);
    let key_column = |(position, key): (usize, &IndexKey)| {
        let own = relation.columns.get(position);
        // The columns of a hash index hold hashes.
        let source = table.and_then(|table| table.column(key.attnum)).or(own);
        let ty = source.map_or(0, |column| column.ty.oid);
        let class = match key.operator_class {
            0 => default_operator_class(&index.method, ty).unwrap_or_default(),
            class => class,
        };
        let collated = own.filter(|column| column.collation != 0).or(source);
        (class, collated.map_or(0, |column| column.collation))
    };
    index.keys.iter().enumerate().map(key_column).unzip()
}
