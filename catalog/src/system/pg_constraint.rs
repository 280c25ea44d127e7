//! `pg_constraint`: primary keys, unique, check and foreign key constraints of tables, checks of domains.

use super::SystemContext;
use super::rows::{Cell, Rows, row};
use crate::Result;
use crate::facts;
use crate::object::{Constraint, ConstraintKind, Relation};
use crate::types::oid::Oid;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for relation in context.user_relations("conrelid") {
        for constraint in relation.constraints() {
            push(context, (relation.schema, relation.oid, 0), Some(relation), constraint, rows);
        }
    }
    let of_tables = context.oids("conrelid").is_some_and(|tables| !tables.contains(&0));
    let wanted = context.oids("contypid");
    let is_wanted = |ty: &Oid| !of_tables && wanted.is_none_or(|wanted| wanted.contains(ty));
    for ty in context.catalog.user_types().filter(|ty| is_wanted(&ty.oid)) {
        for constraint in ty.constraints() {
            push(context, (ty.schema, 0, ty.oid), None, constraint, rows);
        }
    }
    Ok(())
}

/// `place` is the schema, and the table or the domain.
fn push(
    context: &SystemContext<'_>,
    place: (Oid, Oid, Oid),
    table: Option<&Relation>,
    constraint: &Constraint,
    rows: &mut Rows<'_>,
) {
    let (schema, table_oid, domain) = place;
    let is_check = matches!(constraint.kind, ConstraintKind::Check { .. });
    let foreign_key = ForeignKey::of(context, table, constraint);
    let expression = match &constraint.kind {
        ConstraintKind::Check { expression, .. } => Some(expression),
        _ => None,
    };
    // Those of partitioned tables are there for partitions too.
    let partitioned = constraint.parent != 0 || table.is_some_and(|table| table.partitioning().is_some());
    let columns = constraint.columns();
    rows.push(row![
        constraint.oid,
        &constraint.name,
        schema,
        constraint.kind_code(),
        constraint.deferrable,
        constraint.initially_deferred,
        constraint.validated,
        table_oid,
        domain,
        constraint.index(),
        constraint.parent,
        foreign_key.referenced,
        foreign_key.on_update,
        foreign_key.on_delete,
        foreign_key.match_type,
        constraint.inheritance.local,
        constraint.inheritance.parents,
        constraint.no_inherit || (!is_check && !partitioned && table.is_some()),
        (!columns.is_empty()).then_some(columns),
        foreign_key.columns.as_deref(),
        foreign_key.equals_across.as_deref(),
        foreign_key.equals_referenced.as_deref(),
        foreign_key.equals_referencing.as_deref(),
        foreign_key.delete_columns.as_deref(),
        Cell::Null,
        expression,
    ]);
}

/// The columns that only foreign keys have.
struct ForeignKey {
    referenced: Oid,
    on_update: char,
    on_delete: char,
    match_type: char,
    columns: Option<Vec<i16>>,
    equals_across: Option<Vec<Oid>>,
    equals_referenced: Option<Vec<Oid>>,
    equals_referencing: Option<Vec<Oid>>,
    delete_columns: Option<Vec<i16>>,
}

impl ForeignKey {
    fn of(context: &SystemContext<'_>, table: Option<&Relation>, constraint: &Constraint) -> Self {
        let ConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            on_update,
            on_delete,
            match_full,
            delete_columns,
            ..
        } = &constraint.kind
        else {
            return Self {
                referenced: 0,
                on_update: ' ',
                on_delete: ' ',
                match_type: ' ',
                columns: None,
                equals_across: None,
                equals_referenced: None,
                equals_referencing: None,
                delete_columns: None,
            };
        };
        let target = context.catalog.relation(*referenced);
        let referencing_type =
            |attnum: &i16| table.and_then(|table| table.column(*attnum)).map_or(0, |column| column.ty.oid);
        let referenced_type =
            |attnum: &i16| target.and_then(|target| target.column(*attnum)).map_or(0, |column| column.ty.oid);
        let pairs = || referenced_columns.iter().zip(columns);
        Self {
            referenced: *referenced,
            on_update: on_update.code(),
            on_delete: on_delete.code(),
            match_type: if *match_full { 'f' } else { 's' },
            columns: Some(referenced_columns.clone()),
            delete_columns: (!delete_columns.is_empty()).then(|| delete_columns.clone()),
            equals_across: Some(
                pairs().map(|(to, from)| equality(referenced_type(to), referencing_type(from))).collect(),
            ),
            equals_referenced: Some(
                pairs().map(|(to, _)| equality(referenced_type(to), referenced_type(to))).collect(),
            ),
            equals_referencing: Some(
                pairs().map(|(_, from)| equality(referencing_type(from), referencing_type(from))).collect(),
            ),
        }
    }
}

/// The operator that compares the two types: their own `=`, or that of text which varchar shares.
fn equality(left: Oid, right: Oid) -> Oid {
    let exact = facts::operator_exact("=", left, right);
    let as_text = |ty| if ty == crate::types::oid::VARCHAR { crate::types::oid::TEXT } else { ty };
    exact.or_else(|| facts::operator_exact("=", as_text(left), as_text(right))).map_or(0, |operator| operator.oid)
}
