//! `pg_attribute`: the columns of all relations. The system columns (`ctid`, `tableoid` and so on) are not listed.

use super::SystemContext;
use super::rows::{Cell, Rows, row};
use crate::Result;
use crate::object::{Column, Identity, Index, Relation, RelationKind};
use crate::types::{Structure, Type, TypeLookup, oid};

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for relation in context.relations("attrelid") {
        match &relation.kind {
            RelationKind::Index(index) if relation.columns.is_empty() => {
                index_columns(context, index).iter().for_each(|column| push(context, relation, column, rows));
            }
            RelationKind::Sequence(_) if relation.columns.is_empty() => {
                sequence_columns().iter().for_each(|column| push(context, relation, column, rows));
            }
            _ => relation.columns.iter().for_each(|column| push(context, relation, column, rows)),
        }
    }
    Ok(())
}

fn push(context: &SystemContext<'_>, relation: &Relation, column: &Column, rows: &mut Rows<'_>) {
    let physical = Physical::of(context, column.ty.oid);
    let name = match column.dropped {
        true => format!("........pg.dropped.{}........", column.attnum),
        false => column.name.clone(),
    };
    let identity = match column.identity {
        Some(Identity::Always) => 'a',
        Some(Identity::ByDefault) => 'd',
        None => '\0',
    };
    let privileges = context.catalog.privileges(relation.address());
    let privileges = privileges.and_then(|privileges| privileges.column(column.attnum));
    let options: Vec<String> = column.hints.options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let privileges = privileges.map(|acl| crate::acl::show_all(acl, context.catalog));
    rows.push(row![
        relation.oid,
        name,
        if column.dropped { 0 } else { column.ty.oid },
        if column.dropped { 0 } else { column.hints.statistics.unwrap_or(-1) },
        physical.len,
        column.attnum,
        i32::from(physical.is_array),
        -1,
        column.ty.typmod,
        physical.by_value,
        physical.align,
        column.hints.storage.unwrap_or(physical.storage),
        column.hints.compression.unwrap_or('\0'),
        column.not_null && !column.dropped,
        column.default.is_some() && !column.dropped,
        false,
        identity,
        if column.generated { 's' } else { '\0' },
        column.dropped,
        column.inheritance.local,
        i32::from(column.inheritance.parents),
        column.collation,
        privileges,
        (!options.is_empty()).then_some(options),
        Cell::Null,
        Cell::Null,
    ]);
}

/// How PostgreSQL would lay the type out.
struct Physical {
    len: i16,
    by_value: bool,
    align: char,
    storage: char,
    is_array: bool,
}

impl Physical {
    fn of(context: &SystemContext<'_>, ty: oid::Oid) -> Self {
        match crate::facts::type_row(ty) {
            Some(row) => Self {
                len: row.len,
                by_value: row.by_value,
                align: row.align,
                storage: row.storage,
                is_array: row.category == 'A',
            },
            None => {
                let is_array = context.catalog.element_of(ty).is_some();
                match context.catalog.structure(ty) {
                    Some(Structure::Domain(base)) => Self::of(context, base.oid),
                    Some(Structure::Range(_)) => Self { len: -1, by_value: false, align: 'd', storage: 'x', is_array },
                    Some(Structure::Enum(_)) => Self { len: 4, by_value: true, align: 'i', storage: 'p', is_array },
                    _ => Self { len: -1, by_value: false, align: 'd', storage: 'x', is_array },
                }
            }
        }
    }
}

/// Columns of an index by those of its table; an expression's type is known only to whoever bound it.
fn index_columns(context: &SystemContext<'_>, index: &Index) -> Vec<Column> {
    let table = context.catalog.relation(index.table);
    let attnums = index.keys.iter().map(|key| key.attnum).chain(index.include.iter().copied());
    let mut expressions = 0;
    let columns = attnums.zip(1..).map(|(attnum, position)| match table.and_then(|table| table.column(attnum)) {
        Some(column) => Column { collation: column.collation, ..Column::new(column.name.clone(), position, column.ty) },
        None => {
            let name = if expressions == 0 { "expr".to_owned() } else { format!("expr{expressions}") };
            expressions += 1;
            Column::new(name, position, Type::of(oid::UNKNOWN))
        }
    });
    columns.collect()
}

fn sequence_columns() -> Vec<Column> {
    let columns = [("last_value", oid::INT8), ("log_cnt", oid::INT8), ("is_called", oid::BOOL)];
    let column = |((name, ty), attnum)| Column { not_null: true, ..Column::new(name, attnum, Type::of(ty)) };
    columns.into_iter().zip(1..).map(column).collect()
}
