//! What children have from their parents, partitions included: columns, CHECK constraints and NOT NULL (PostgreSQL manual,
//! "Inheritance").

use std::sync::Arc;

use aegis_catalog::object::{Column, Constraint, ConstraintKind, Inheritance, Relation, RelationKind};
use aegis_catalog::{Error, Result, sqlstate};

use super::alter_table;
use crate::session::Session;
use crate::session::context::StatementContext;

/// A column of a child as it comes from its parent: identities stay behind.
pub fn inherited_column(column: &Column, attnum: i16) -> Column {
    let inheritance = Inheritance::INHERITED;
    Column { attnum, identity: None, default_oid: 0, inheritance, ..column.clone() }
}

/// The CHECK constraints that children of a table have.
pub fn checks(parent: &Relation) -> impl Iterator<Item = &Constraint> {
    let is_check = |constraint: &&Constraint| matches!(constraint.kind, ConstraintKind::Check { .. });
    parent.constraints().iter().filter(is_check).filter(|constraint| !constraint.no_inherit)
}

/// A CHECK of a parent as a child has it.
pub fn inherited_check(constraint: &Constraint, parent: &Relation, columns: &[Column]) -> Constraint {
    let mut kind = constraint.kind.clone();
    if let ConstraintKind::Check { columns: of, .. } = &mut kind {
        let named = of.iter().filter_map(|attnum| parent.column(*attnum)).map(|column| column.name.clone());
        let own = |name: String| columns.iter().find(|column| !column.dropped && column.name == name);
        *of = named.filter_map(own).map(|column| column.attnum).collect();
    }
    Constraint { oid: 0, kind, inheritance: Inheritance::INHERITED, parent: 0, ..constraint.clone() }
}

/// 42804 if a table has columns that its parent as a partition lacks.
pub fn check_extra(parent: &Relation, child: &Relation) -> Result<()> {
    let Some(extra) = child.live_columns().find(|own| parent.column_by_name(&own.name).is_none()) else {
        return Ok(());
    };
    let (child, extra, parent) = (&child.name, &extra.name, &parent.name);
    let message = format!("table \"{child}\" contains column \"{extra}\" not found in parent \"{parent}\"");
    Err(Error::new(sqlstate::DATATYPE_MISMATCH, message)
        .with_detail("The new partition may contain only the columns present in parent."))
}

/// 42804 unless a table has what a child of `parent` must have.
pub fn check_columns(parent: &Relation, child: &Relation, partition: bool) -> Result<()> {
    let mismatch = |message: String| Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
    for column in parent.live_columns() {
        let name = &column.name;
        let Some(own) = child.column_by_name(name) else {
            return mismatch(format!("child table is missing column \"{name}\""));
        };
        if own.ty != column.ty {
            return mismatch(format!("child table \"{}\" has different type for column \"{name}\"", child.name));
        }
        if own.collation != column.collation {
            let message = format!("child table \"{}\" has different collation for column \"{name}\"", child.name);
            return Err(Error::new(sqlstate::COLLATION_MISMATCH, message));
        }
        if column.not_null && !own.not_null {
            return mismatch(format!("column \"{name}\" in child table must be marked NOT NULL"));
        }
        if column.generated && !own.generated {
            return mismatch(format!("column \"{name}\" in child table must be a generated column"));
        }
        if partition && own.generated && !column.generated {
            return mismatch(format!("column \"{name}\" in child table must not be a generated column"));
        }
    }
    check_checks(parent, child)
}

fn check_checks(parent: &Relation, child: &Relation) -> Result<()> {
    let mismatch = |message: String| Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
    let conflict = |message: String| Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
    for wanted in checks(parent) {
        let name = &wanted.name;
        let is_check = |own: &&Constraint| own.name == *name && matches!(own.kind, ConstraintKind::Check { .. });
        let Some(own) = child.constraints().iter().find(is_check) else {
            return mismatch(format!("child table is missing constraint \"{name}\""));
        };
        if !same_check(own, wanted) {
            return mismatch(format!(
                "child table \"{}\" has different definition for check constraint \"{name}\"",
                child.name
            ));
        }
        if own.no_inherit {
            let table = &child.name;
            return conflict(format!(
                "constraint \"{name}\" conflicts with non-inherited constraint on child table \"{table}\""
            ));
        }
        if !own.validated {
            let table = &child.name;
            return conflict(format!(
                "constraint \"{name}\" conflicts with NOT VALID constraint on child table \"{table}\""
            ));
        }
    }
    Ok(())
}

/// Do two checks say the same? Their columns have the same names.
pub fn same_check(own: &Constraint, other: &Constraint) -> bool {
    match (&own.kind, &other.kind) {
        (ConstraintKind::Check { expression, .. }, ConstraintKind::Check { expression: other, .. }) => {
            expression == other
        }
        _ => false,
    }
}

/// The table as a child of one more parent.
pub fn joined(parent: &Relation, child: &Relation) -> Relation {
    let partition = parent.partitioning().is_some();
    let mut changed = child.clone();
    let one_more = |inheritance: &mut Inheritance| {
        inheritance.parents = inheritance.parents.saturating_add(1);
        inheritance.local &= !partition;
    };
    for column in changed.columns.iter_mut().filter(|column| !column.dropped) {
        if parent.column_by_name(&column.name).is_some() {
            one_more(&mut column.inheritance);
        }
    }
    if let RelationKind::Table(table) = &mut changed.kind {
        table.parents.push(parent.oid);
        for wanted in checks(parent) {
            let same = table.constraints.iter_mut().filter(|own| own.name == wanted.name && same_check(own, wanted));
            same.for_each(|own| one_more(&mut own.inheritance));
        }
    }
    changed
}

/// The table as a child of one parent less: what it has stays its own.
pub fn left(parent: &Relation, child: &Relation) -> Relation {
    let mut changed = child.clone();
    for column in changed.columns.iter_mut().filter(|column| !column.dropped) {
        if parent.column_by_name(&column.name).is_some() {
            one_less(&mut column.inheritance);
        }
    }
    if let RelationKind::Table(table) = &mut changed.kind {
        table.parents.retain(|oid| *oid != parent.oid);
        for wanted in checks(parent) {
            let own = table.constraints.iter_mut().filter(|own| own.name == wanted.name);
            own.for_each(|own| one_less(&mut own.inheritance));
        }
    }
    changed
}

pub fn one_less(inheritance: &mut Inheritance) {
    inheritance.parents = inheritance.parents.saturating_sub(1).max(0);
    inheritance.local |= inheritance.parents == 0;
}

/// 42809 for what no table can inherit from.
pub fn check_parent(parent: &Relation, child_temporary: bool, context: &StatementContext) -> Result<()> {
    let wrong = |message: String| Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    let name = &parent.name;
    if parent.table().is_none() || parent.materialized().is_some() {
        return wrong(format!("inherited relation \"{name}\" is not a table or foreign table"));
    }
    if parent.partitioning().is_some() {
        return wrong(format!("cannot inherit from partitioned table \"{name}\""));
    }
    if parent.partition_bound().is_some() {
        return wrong(format!("cannot inherit from partition \"{name}\""));
    }
    if parent.is_temporary() && !child_temporary {
        return wrong(format!("cannot inherit from temporary relation \"{name}\""));
    }
    crate::privilege::require_owner(parent, context)
}

/// Rows of a table must find what the foreign keys that it has from its parent refer to.
pub async fn validate_foreign_keys(session: &mut Session, table: &Arc<Relation>) -> Result<()> {
    let of_parent = table.constraints().iter().filter(|constraint| constraint.parent != 0);
    for constraint in of_parent.filter(|constraint| matches!(constraint.kind, ConstraintKind::ForeignKey { .. })) {
        alter_table::validate::constraint(session, table, constraint).await?;
    }
    Ok(())
}

/// Does a row of the table that a foreign key is of refer to a row of `child`, a partition of the table that it refers to?
pub async fn refers_into(
    session: &mut Session,
    referring: &Arc<Relation>,
    constraint: &Constraint,
    child: &Relation,
) -> Result<bool> {
    let context = session.context()?;
    let ConstraintKind::ForeignKey { columns, referenced, referenced_columns, .. } = &constraint.kind else {
        return Ok(false);
    };
    let Some(referenced) = context.catalog.relation(*referenced) else { return Ok(false) };
    let quoted = |name: &str| aegis_catalog::definition::quote_identifier(name).into_owned();
    let pairs = columns.iter().zip(referenced_columns).filter_map(|(own, other)| {
        let (own, other) = (referring.column(*own)?, referenced.column(*other)?);
        Some(format!("fk.{} = pk.{}", quoted(&own.name), quoted(&other.name)))
    });
    let pairs: Vec<String> = pairs.collect();
    let name = |table: &Relation| alter_table::validate::name_of(table, &context);
    let sql = format!("SELECT 1 FROM {} fk, {} pk WHERE {} LIMIT 1", name(referring), name(child), pairs.join(" AND "));
    super::rewrite::any(session, &sql, &context).await
}
