//! ATTACH PARTITION and DETACH PARTITION.

use std::sync::Arc;

use aegis_catalog::object::{ConstraintKind, Inheritance, PartitionBound, Relation, RelationKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{bound, check_persistence, index, validate};
use crate::parse::ast::{Name, Span};
use crate::parse::utility::{ConstraintTiming, DetachMode, PartitionBoundSpec, TableConstraint, TableConstraintKind};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::constraint::{self, Declared};
use crate::statement::{inherit, namespace};

pub async fn attach(
    session: &mut Session,
    parent: &Arc<Relation>,
    partition: &Name,
    spec: &PartitionBoundSpec,
    context: &StatementContext,
) -> Result<()> {
    require_partitioned(parent, "ATTACH PARTITION")?;
    let child = namespace::existing(partition, context)?;
    if child.table().is_none() || child.materialized().is_some() {
        let message = format!("\"{}\" is not a table or foreign table", child.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    crate::privilege::require_owner(&child, context)?;
    check_attachable(parent, &child, context)?;
    inherit::check_extra(parent, &child)?;
    let bound = bound::evaluate(session, spec, parent, context).await?;
    bound::check(&child.name, &bound, parent, context)?;
    inherit::check_columns(parent, &child, true)?;
    let changed = inherit::joined(parent, &child);
    let child = set_bound(session, changed, bound)?;
    index::on_new_partition(session, parent.oid, child.oid)?;
    index::compute_missing(session, child.oid).await?;
    let context = session.context()?;
    let Some(child) = context.catalog.relation(child.oid).cloned() else { return Ok(()) };
    validate::rows_within(session, &child)?;
    validate::default_partition(session, parent)?;
    inherit::validate_foreign_keys(session, &child).await
}

fn require_partitioned(table: &Relation, action: &str) -> Result<()> {
    if table.partitioning().is_some() {
        return Ok(());
    }
    let message = match action {
        "ATTACH PARTITION" | "DETACH PARTITION" if table.table().is_some() => {
            format!("table \"{}\" is not partitioned", table.name)
        }
        _ => format!("ALTER action {action} cannot be performed on relation \"{}\"", table.name),
    };
    Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message))
}

fn set_bound(session: &mut Session, mut child: Relation, bound: PartitionBound) -> Result<Arc<Relation>> {
    if let RelationKind::Table(table) = &mut child.kind {
        table.bound = Some(bound);
    }
    let open = session.writable("ALTER TABLE")?;
    open.catalog.replace_relation(open.tables.permanent(), child)
}

/// 42809 for tables that cannot become partitions of another.
fn check_attachable(parent: &Relation, child: &Arc<Relation>, context: &StatementContext) -> Result<()> {
    let wrong = |message: String| Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    if child.partition_bound().is_some() {
        return wrong(format!("\"{}\" is already a partition", child.name));
    }
    if child.table().is_some_and(|table| table.of_type != 0) {
        return wrong("cannot attach a typed table as partition".to_owned());
    }
    if !child.parents().is_empty() {
        return wrong("cannot attach inheritance child as partition".to_owned());
    }
    if child.partitioning().is_none() && context.catalog.has_children(child.oid) {
        return wrong("cannot attach inheritance parent as partition".to_owned());
    }
    let refers = |constraint: &&aegis_catalog::object::Constraint| match constraint.kind {
        ConstraintKind::ForeignKey { referenced, .. } => referenced == child.oid,
        _ => false,
    };
    if let Some(constraint) = parent.constraints().iter().find(refers) {
        let message = format!(
            "cannot attach table \"{}\" as a partition because it is referenced by foreign key \"{}\"",
            child.name, constraint.name
        );
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    if context.catalog.inheritors(child).iter().any(|below| below.oid == parent.oid) {
        let (above, below) = (&child.name, &parent.name);
        return Err(Error::new(sqlstate::DUPLICATE_TABLE, "circular inheritance not allowed")
            .with_detail(format!("\"{below}\" is already a child of \"{above}\".")));
    }
    check_persistence(parent, child.is_temporary())
}

pub async fn detach(
    session: &mut Session,
    parent: &Arc<Relation>,
    partition: &Name,
    mode: DetachMode,
    context: &StatementContext,
) -> Result<()> {
    require_partitioned(parent, "DETACH PARTITION")?;
    let child = namespace::existing(partition, context)?;
    if child.partition_bound().is_none() || !child.parents().contains(&parent.oid) {
        let message = format!("relation \"{}\" is not a partition of relation \"{}\"", child.name, parent.name);
        return Err(Error::new(sqlstate::UNDEFINED_TABLE, message));
    }
    match mode {
        DetachMode::AtOnce => {}
        DetachMode::Concurrently => {
            session.require_no_block("ALTER TABLE ... DETACH CONCURRENTLY")?;
            let is_default = |child: &Arc<Relation>| child.partition_bound() == Some(&PartitionBound::Default);
            if context.catalog.children_of(parent.oid).any(is_default) {
                let message = "cannot detach partitions concurrently when a default partition exists";
                return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
            }
        }
        // DETACH CONCURRENTLY never stops half-way here.
        DetachMode::Finalize => {
            let message = format!("partition \"{}\" not marked as pending detach", child.name);
            return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                .with_hint("Use ALTER TABLE ... DETACH PARTITION first."));
        }
    }
    refuse_referenced(session, parent, &child, context).await?;
    let condition = child.partition_bound().filter(|_| mode == DetachMode::Concurrently).and_then(|bound| {
        let is_hash = matches!(bound, PartitionBound::Hash { .. });
        if is_hash { None } else { aegis_catalog::definition::bound_condition(&context.catalog, parent, bound) }
    });
    let mut changed = inherit::left(parent, &child);
    if let RelationKind::Table(table) = &mut changed.kind {
        table.bound = None;
        for constraint in table.constraints.iter_mut().filter(|constraint| constraint.parent != 0) {
            constraint.parent = 0;
            constraint.inheritance = Inheritance::default();
        }
    }
    let open = session.writable("ALTER TABLE")?;
    let table = open.catalog.replace_relation(open.tables.permanent(), changed)?;
    if let Some(condition) = condition {
        keep_condition(session, table, condition)?;
    }
    let of_parent: Vec<Oid> = context.catalog.indexes_of(parent.oid).map(|index| index.oid).collect();
    for own in context.catalog.indexes_of(child.oid) {
        let mut changed = Relation::clone(own);
        if let RelationKind::Index(index) = &mut changed.kind
            && of_parent.contains(&index.parent)
        {
            index.parent = 0;
            let open = session.writable("ALTER TABLE")?;
            open.catalog.replace_relation(open.tables.permanent(), changed)?;
        }
    }
    Ok(())
}

/// Who detaches a partition concurrently gets its bound as a check of its own.
fn keep_condition(session: &mut Session, table: Arc<Relation>, condition: String) -> Result<()> {
    let expr = crate::parse::parse_expression(&condition)?;
    let declared = Declared::of_table(&TableConstraint {
        name: None,
        kind: TableConstraintKind::Check(expr, condition),
        timing: ConstraintTiming::default(),
        span: Span::default(),
    })?;
    constraint::add_all(session, table, vec![declared], false).map(drop)
}

/// 23503 if a row that goes with the partition is referred to through the table that stays.
async fn refuse_referenced(
    session: &mut Session,
    parent: &Arc<Relation>,
    child: &Arc<Relation>,
    context: &StatementContext,
) -> Result<()> {
    let above = std::iter::once(parent.clone()).chain(context.catalog.partition_ancestors(parent));
    let above: Vec<Arc<Relation>> = above.collect();
    for (referring, constraint) in above.iter().flat_map(|table| context.catalog.referencing(table.oid)) {
        if inherit::refers_into(session, referring, constraint, child).await? {
            let message = format!(
                "removing partition \"{}\" violates foreign key constraint \"{}\"",
                child.name, constraint.name
            );
            return Err(Error::new(sqlstate::FOREIGN_KEY_VIOLATION, message));
        }
    }
    Ok(())
}
