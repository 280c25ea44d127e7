//! `pg_class`: everything with columns or rows.

use super::rows::{Cell, Rows, row};
use super::{SystemContext, access_method};
use crate::Result;
use crate::fixed_oid::{GLOBAL_TABLESPACE, HEAP_ACCESS_METHOD, PG_CLASS};
use crate::object::{ConstraintKind, Index, Relation, RelationKind, Table};
use crate::types::oid::Oid;

/// Bytes of a PostgreSQL page, the unit of `relpages`.
const PAGE: u64 = 8192;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let names = context.texts("relname");
    let sized = rows.wants("relpages") || rows.wants("reltuples");
    for relation in context.relations("oid").filter(|relation| names.is_none_or(|n| n.contains(&relation.name))) {
        push(context, relation, sized, rows);
    }
    Ok(())
}

fn push(context: &SystemContext<'_>, relation: &Relation, sized: bool, rows: &mut Rows<'_>) {
    let catalog = context.catalog;
    let is_view = relation.query().is_some();
    let is_shared = super::is_shared(relation.oid);
    let bound = relation.partition_bound().map(crate::definition::partition_bound);
    let has_children = catalog.has_children(relation.oid);
    let (pages, tuples) = if sized { size(context, relation) } else { (0, -1.0) };
    let is_check = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Check { .. });
    let is_foreign_key = |kind: &ConstraintKind| matches!(kind, ConstraintKind::ForeignKey { .. });
    let constraints = relation.constraints();
    let has_triggers = constraints.iter().any(|constraint| is_foreign_key(&constraint.kind))
        || catalog.referencing(relation.oid).next().is_some();
    rows.push(row![
        relation.oid,
        &relation.name,
        relation.schema,
        relation.row_type,
        relation.table().map_or(0, |table| table.of_type),
        relation.owner,
        access_method_of(relation),
        file_node(relation),
        if is_shared { GLOBAL_TABLESPACE } else { 0 },
        pages,
        tuples,
        0,
        0,
        catalog.indexes_of(relation.oid).next().is_some(),
        is_shared,
        relation.persistence.code(),
        relation.kind_code(),
        column_count(relation),
        i16::try_from(constraints.iter().filter(|c| is_check(&c.kind)).count()).unwrap_or(i16::MAX),
        is_view,
        has_triggers,
        has_children,
        false,
        false,
        relation.materialized().is_none_or(|materialized| materialized.populated),
        if relation.table().is_some() { 'd' } else { 'n' },
        relation.is_partition(),
        0,
        0,
        0,
        catalog.shown_acl(PG_CLASS, relation.oid),
        options(relation),
        bound.map_or(Cell::Null, Cell::from),
    ]);
}

fn access_method_of(relation: &Relation) -> Oid {
    match &relation.kind {
        RelationKind::Table(Table { partitioning: Some(_), .. }) => 0,
        RelationKind::Table(_) | RelationKind::System => HEAP_ACCESS_METHOD,
        RelationKind::Index(index) => access_method(&index.method).unwrap_or_default(),
        RelationKind::View(_) | RelationKind::Sequence(_) | RelationKind::Composite => 0,
    }
}

/// The store's table, cut to an OID; a view has none.
fn file_node(relation: &Relation) -> Oid {
    match &relation.kind {
        RelationKind::Index(Index { partitioned: true, .. }) => 0,
        RelationKind::Table(table) => Oid::try_from(table.storage).unwrap_or(relation.oid),
        RelationKind::View(_) | RelationKind::Composite => 0,
        RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::System => relation.oid,
    }
}

/// `relpages` and `reltuples`; -1 means not known.
fn size(context: &SystemContext<'_>, relation: &Relation) -> (i32, f32) {
    match relation.kind {
        RelationKind::Table(Table { partitioning: Some(_), .. }) => (0, -1.0),
        RelationKind::Index(Index { partitioned: true, .. }) => (0, 0.0),
        RelationKind::Table(_) => {
            let pages = context.server().bytes(relation).div_ceil(PAGE);
            let rows = context.server().row_count(relation);
            (i32::try_from(pages).unwrap_or(i32::MAX), rows.map_or(-1.0, |rows| rows as f32))
        }
        RelationKind::Index(_) => {
            let pages = context.server().bytes(relation).div_ceil(PAGE);
            (i32::try_from(pages).unwrap_or(i32::MAX), 0.0)
        }
        RelationKind::Sequence(_) => (1, 1.0),
        RelationKind::View(_) | RelationKind::Composite | RelationKind::System => (0, -1.0),
    }
}

fn column_count(relation: &Relation) -> i16 {
    let count = match &relation.kind {
        RelationKind::Index(index) => index.keys.len() + index.include.len(),
        RelationKind::Sequence(_) => 3,
        RelationKind::Table(_) | RelationKind::View(_) | RelationKind::Composite | RelationKind::System => {
            relation.columns.len()
        }
    };
    i16::try_from(count).unwrap_or(i16::MAX)
}

fn options(relation: &Relation) -> Option<Vec<String>> {
    let options = match &relation.kind {
        RelationKind::Table(table) => table.options.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        RelationKind::Index(index) => index.options.iter().map(|(name, value)| format!("{name}={value}")).collect(),
        RelationKind::View(view) => {
            // What extensions note of their views is no parameter that another server would take.
            let own = view.options.iter().filter(|(name, _)| !name.contains('.'));
            let options = own.map(|(name, value)| format!("{name}={value}"));
            options.chain(view.check_option.iter().map(|option| format!("check_option={option}"))).collect()
        }
        _ => Vec::new(),
    };
    (!options.is_empty()).then_some(options)
}
