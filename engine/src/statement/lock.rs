//! Table locks: which relations a statement locks in which mode (PostgreSQL manual, "Table-Level Locks"), and LOCK TABLE.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use aegis_catalog::acl::rights;
use aegis_catalog::object::{ConstraintKind, PartitionBound, Persistence, ReferentialAction, Relation, RelationKind};
use aegis_catalog::{Catalog, Error, Oid, Result, sqlstate};
use aegis_storage::lock::TableMode;

use super::{Outcome, cluster, composite_type, namespace, reindex, user_type};
use crate::bind::tree::{self, BoundStatement, Cte, CteBody};
use crate::parse::ast::{ExprKind, Name, Statement, TypeName};
use crate::parse::utility::{
    AlterTable, AlterTableAction, ColumnConstraint, ColumnConstraintKind, ColumnDefinition, CopyTarget, CreateTable,
    Drop, IndexElement, ObjectKind, ObjectName, TableConstraintKind, TableElement, TypeDefinition, Utility,
};
use crate::privilege::Owned;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::session::transaction::Block;

/// The relations that a statement locks, in order of their OIDs; the strongest mode of each.
#[derive(Debug, Clone, Default)]
pub struct Needs(BTreeMap<Oid, TableMode>);

/// First OID that users' objects get; the system's own relations do not change.
const FIRST_USER_OID: Oid = 16_384;

impl Needs {
    pub fn iter(&self) -> impl Iterator<Item = (Oid, TableMode)> + '_ {
        self.0.iter().map(|(relation, mode)| (*relation, *mode))
    }

    fn add(&mut self, relation: &Relation, mode: TableMode) {
        if relation.oid >= FIRST_USER_OID && relation.persistence != Persistence::Temporary {
            let held = self.0.entry(relation.oid).or_insert(mode);
            *held = mode.max(*held);
        }
    }

    fn add_oid(&mut self, relation: Oid, mode: TableMode, catalog: &Catalog) {
        if let Some(relation) = catalog.relation(relation) {
            self.add(relation, mode);
        }
    }

    /// A table with all that inherits from it.
    fn add_family(&mut self, relation: Oid, mode: TableMode, catalog: &Catalog) {
        let Some(relation) = catalog.relation(relation) else { return };
        for member in catalog.inheritors(relation) {
            self.add(&member, mode);
        }
    }

    /// The type of that OID, if a user made it: an enum or domain by its own OID, a composite type as the relation that it is.
    fn add_type(&mut self, ty: Oid, mode: TableMode, catalog: &Catalog) {
        let key = match (catalog.user_type_or_array(ty), catalog.relation_of_type(ty)) {
            (Some(user_type), _) => user_type.oid,
            (None, Some(relation)) if composite_type::is_composite(relation) => relation.oid,
            _ => return,
        };
        let held = self.0.entry(key).or_insert(mode);
        *held = mode.max(*held);
    }

    fn type_name(&mut self, name: &TypeName, context: &StatementContext) {
        if let Ok(ty) = crate::bind::resolve_type(name, context) {
            self.add_type(ty.oid, TableMode::AccessShare, &context.catalog);
        }
    }

    /// A type that changes or goes, with the tables that hold its values.
    fn altered_type(&mut self, name: &Name, tables: Option<TableMode>, context: &StatementContext) {
        let Ok(entry) = user_type::existing(name, context) else { return };
        self.add_type(entry.oid, TableMode::AccessExclusive, &context.catalog);
        if let Some(mode) = tables {
            composite_type::holders(entry.oid, &context.catalog).for_each(|table| self.add(table, mode));
        }
    }

    /// What a query, INSERT, UPDATE or DELETE locks.
    pub fn of_tree(tree: &BoundStatement, catalog: &Catalog) -> Self {
        let mut needs = Self::default();
        let mut mode = TableMode::AccessShare;
        if let tree::Statement::Query(query) = &tree.statement
            && !query.locking.is_empty()
        {
            mode = TableMode::RowShare;
        }
        for relation in tree.read.iter().filter(|oid| **oid >= FIRST_USER_OID) {
            needs.add_family(*relation, mode, catalog);
        }
        needs.change(&tree.statement, catalog);
        needs
    }

    fn change(&mut self, statement: &tree::Statement, catalog: &Catalog) {
        let (ctes, target, removes): (&[Cte], _, _) = match statement {
            tree::Statement::Query(query) => (&query.ctes, None, false),
            tree::Statement::Insert(insert) => {
                let updates = insert.on_conflict.as_ref().is_some_and(|conflict| conflict.update.is_some());
                (&insert.ctes, Some(&insert.table), updates)
            }
            tree::Statement::Update(update) => (&update.ctes, Some(&update.table), true),
            tree::Statement::Merge(merge) => (&merge.ctes, Some(&merge.table), true),
            tree::Statement::Delete(delete) => (&delete.ctes, Some(&delete.table), true),
        };
        for cte in ctes {
            if let CteBody::Change(change) = &cte.body {
                self.change(change, catalog);
            }
        }
        if let Some(target) = target {
            self.target(target, removes, catalog, &mut HashSet::new());
        }
    }

    /// A table whose rows change, with those on the other side of its foreign keys.
    /// Foreign keys may lead back: `seen` are the tables that rows go from already.
    fn target(&mut self, table: &Relation, removes: bool, catalog: &Catalog, seen: &mut HashSet<Oid>) {
        self.add_family(table.oid, TableMode::RowExclusive, catalog);
        for constraint in table.constraints() {
            if let ConstraintKind::ForeignKey { referenced, .. } = &constraint.kind {
                self.add_family(*referenced, TableMode::RowShare, catalog);
            }
        }
        if !removes || !seen.insert(table.oid) {
            return;
        }
        let above = catalog.partition_ancestors(table);
        let family = catalog.relation(table.oid).map(|table| catalog.inheritors(table)).unwrap_or_default();
        let referred = family.iter().chain(&above).flat_map(|table| catalog.referencing(table.oid));
        for (referring, constraint) in referred {
            let ConstraintKind::ForeignKey { on_update, on_delete, .. } = &constraint.kind else { continue };
            let passive = |action| matches!(action, &ReferentialAction::NoAction | &ReferentialAction::Restrict);
            match passive(on_update) && passive(on_delete) {
                true => self.add(referring, TableMode::RowShare),
                false => self.target(referring, true, catalog, seen),
            }
        }
    }

    /// What a statement locks before it runs. Names that mean nothing are left for the statement to complain of.
    pub fn of_utility(utility: &Utility, sql: &str, session: &Session, context: &StatementContext) -> Self {
        let mut needs = Self::default();
        let catalog = &context.catalog;
        match utility {
            Utility::AlterTable(alter) => needs.alter_table(alter, context),
            Utility::CreateTable(create) => needs.create_table(create, context),
            Utility::CreateIndex(create) => {
                let computed = |element: &IndexElement| !matches!(element.expr.kind, ExprKind::Column(_));
                let rewrites = create.predicate.is_some() || create.keys.iter().any(computed);
                let mode = match (create.concurrently, create.unique && rewrites) {
                    // The rows are written anew, with their keys.
                    (_, true) => TableMode::AccessExclusive,
                    (true, _) => TableMode::ShareUpdateExclusive,
                    // PostgreSQL takes Share, which two may hold. Here the table's schema changes, once at a time (pg_restore -j).
                    (false, _) => TableMode::ShareRowExclusive,
                };
                if let Some(table) = find(&create.table, context) {
                    needs.add_family(table.oid, mode, catalog);
                }
            }
            Utility::AlterDomain { name, .. } => needs.altered_type(name, Some(TableMode::Share), context),
            Utility::AlterType { name, .. } => {
                let is_enum = user_type::existing(name, context).is_ok_and(|entry| entry.kind == 'e');
                // New labels change no values.
                needs.altered_type(name, (!is_enum).then_some(TableMode::AccessExclusive), context);
            }
            Utility::CreateDomain(create) => needs.type_name(&create.ty, context),
            Utility::CreateType { definition: TypeDefinition::Composite(attributes), .. } => {
                attributes.iter().for_each(|attribute| needs.type_name(&attribute.ty, context));
            }
            Utility::AlterSequence { name, .. } => needs.name(name, TableMode::ShareRowExclusive, context),
            Utility::Drop(drop) => needs.drop(drop, context),
            Utility::Truncate { tables, cascade, .. } => {
                for (name, only) in tables {
                    let Some(table) = find(name, context) else { continue };
                    // Who may not empty it must not keep others waiting either.
                    if Owned::relation(&table).require(rights("D"), context).is_err() {
                        continue;
                    }
                    match only {
                        true => needs.add(&table, TableMode::AccessExclusive),
                        false => needs.add_family(table.oid, TableMode::AccessExclusive, catalog),
                    }
                    if *cascade {
                        needs.referring(&table, catalog);
                    }
                }
            }
            Utility::Rename { object, .. } | Utility::SetSchema { object, .. } | Utility::SetOwner { object, .. } => {
                needs.object(object, TableMode::AccessExclusive, context);
            }
            Utility::Comment { object, .. } | Utility::SecurityLabel { object, .. } => {
                needs.object(object, TableMode::ShareUpdateExclusive, context)
            }
            Utility::Maintenance { tables, .. } => {
                tables.iter().for_each(|(name, _)| needs.name(name, TableMode::ShareUpdateExclusive, context));
            }
            Utility::Cluster { table, .. } => {
                let tables = cluster::tables(table.as_ref(), context);
                tables.iter().for_each(|table| needs.add(table, TableMode::AccessExclusive));
            }
            Utility::Reindex { target, .. } => {
                let tables = reindex::tables(target, context);
                tables.iter().for_each(|table| needs.add(table, TableMode::AccessExclusive));
            }
            Utility::Copy(copy) => match &copy.target {
                CopyTarget::Table { name, .. } if copy.from => {
                    if let Some(table) = find(name, context) {
                        needs.target(&table, false, catalog, &mut HashSet::new());
                    }
                }
                CopyTarget::Table { name, .. } => needs.name(name, TableMode::AccessShare, context),
                CopyTarget::Statement(statement) => needs.statement(statement, sql, context),
            },
            Utility::CreateTableAs(create) => needs.statement(&create.source, sql, context),
            Utility::CreateView(create) => {
                needs.statement(&Statement::Query(create.query.clone()), sql, context);
                if create.or_replace {
                    needs.name(&create.name, TableMode::AccessExclusive, context);
                }
            }
            Utility::Declare { query, .. } => needs.statement(&Statement::Query(query.clone()), sql, context),
            Utility::Execute { name, .. } => {
                let prepared = session.prepared.lock().get(&name.name).cloned();
                if let Some(plan) = prepared.and_then(|prepared| prepared.plan(context).ok()) {
                    needs = plan.needs.clone();
                }
            }
            _ => {}
        }
        needs
    }

    fn statement(&mut self, statement: &Statement, sql: &str, context: &StatementContext) {
        if !matches!(statement, Statement::Utility(_))
            && let Ok(tree) = crate::bind::bind(statement, sql, &[], context)
        {
            let found = Self::of_tree(&tree, &context.catalog);
            found.iter().for_each(|(relation, mode)| self.add_oid(relation, mode, &context.catalog));
        }
    }

    fn name(&mut self, name: &Name, mode: TableMode, context: &StatementContext) {
        if let Some(relation) = find(name, context) {
            self.add(&relation, mode);
        }
    }

    fn object(&mut self, object: &ObjectName, mode: TableMode, context: &StatementContext) {
        match (object.kind, &object.on) {
            (_, Some(table)) => self.name(table, mode, context),
            (ObjectKind::Column, None) => {
                let mut name = object.name.clone();
                name.parts.pop();
                self.name(&name, mode, context);
            }
            (
                ObjectKind::Table
                | ObjectKind::View
                | ObjectKind::Index
                | ObjectKind::Sequence
                | ObjectKind::MaterializedView,
                None,
            ) => self.name(&object.name, mode, context),
            (ObjectKind::Type | ObjectKind::Domain, None) => {
                if let Ok(entry) = user_type::existing(&object.name, context) {
                    self.add_type(entry.oid, mode, &context.catalog);
                }
            }
            _ => {}
        }
    }

    fn create_table(&mut self, create: &CreateTable, context: &StatementContext) {
        if let Some(Ok(entry)) = create.of_type.as_ref().map(|name| user_type::existing(name, context)) {
            self.add_type(entry.oid, TableMode::AccessShare, &context.catalog);
        }
        if let Some(parent) = create.partition_of.as_ref().and_then(|(name, _)| find(name, context)) {
            self.partition_joins(&parent, &context.catalog);
        }
        for parent in &create.inherits {
            self.name(parent, TableMode::ShareUpdateExclusive, context);
        }
        for element in &create.elements {
            match element {
                TableElement::Column(column) => self.column(column, context),
                TableElement::Constraint(constraint) => {
                    if let TableConstraintKind::ForeignKey { references, .. } = &constraint.kind {
                        self.name(&references.table, TableMode::ShareRowExclusive, context);
                    }
                }
                TableElement::ColumnOptions { constraints, .. } => {
                    self.column_constraints(constraints, context);
                }
                TableElement::Like { table, .. } => self.name(table, TableMode::AccessShare, context),
            }
        }
    }

    /// A partition joins others: its rows may be in the default one.
    fn partition_joins(&mut self, parent: &Relation, catalog: &Catalog) {
        self.add(parent, TableMode::ShareUpdateExclusive);
        let is_default = |child: &&Arc<Relation>| child.partition_bound() == Some(&PartitionBound::Default);
        if let Some(default) = catalog.children_of(parent.oid).find(is_default) {
            self.add_family(default.oid, TableMode::AccessExclusive, catalog);
        }
    }

    fn column(&mut self, column: &ColumnDefinition, context: &StatementContext) {
        self.type_name(&column.ty, context);
        self.column_constraints(&column.constraints, context);
    }

    fn column_constraints(&mut self, constraints: &[ColumnConstraint], context: &StatementContext) {
        for constraint in constraints {
            if let ColumnConstraintKind::References(references) = &constraint.kind {
                self.name(&references.table, TableMode::ShareRowExclusive, context);
            }
        }
    }

    fn alter_table(&mut self, alter: &AlterTable, context: &StatementContext) {
        let Some(table) = find(&alter.name, context) else { return };
        for action in &alter.actions {
            let mode = match action {
                AlterTableAction::AddConstraint(constraint) => match &constraint.kind {
                    TableConstraintKind::ForeignKey { references, .. } => {
                        self.name(&references.table, TableMode::ShareRowExclusive, context);
                        TableMode::ShareRowExclusive
                    }
                    _ => TableMode::AccessExclusive,
                },
                AlterTableAction::AddColumn { column, .. } => {
                    self.column(column, context);
                    TableMode::AccessExclusive
                }
                AlterTableAction::DropConstraint { name, .. } => {
                    let gone = table.constraints().iter().find(|constraint| constraint.name == name.name);
                    if let Some(ConstraintKind::ForeignKey { referenced, .. }) = gone.map(|gone| &gone.kind) {
                        self.add_oid(*referenced, TableMode::AccessExclusive, &context.catalog);
                    }
                    TableMode::AccessExclusive
                }
                AlterTableAction::ValidateConstraint(_)
                | AlterTableAction::ColumnHint { .. }
                | AlterTableAction::SetOptions(_)
                | AlterTableAction::ResetOptions(_) => TableMode::ShareUpdateExclusive,
                AlterTableAction::AttachPartition { partition, .. } => {
                    if let Some(partition) = find(partition, context) {
                        self.add_family(partition.oid, TableMode::AccessExclusive, &context.catalog);
                    }
                    self.partition_joins(&table, &context.catalog);
                    TableMode::ShareUpdateExclusive
                }
                AlterTableAction::DetachPartition { partition, .. } | AlterTableAction::Inherit(partition, _) => {
                    self.name(partition, TableMode::AccessExclusive, context);
                    TableMode::AccessExclusive
                }
                _ => TableMode::AccessExclusive,
            };
            let recurses = !matches!(action, AlterTableAction::AttachPartition { .. });
            match recurses && !alter.only {
                true => self.add_family(table.oid, mode, &context.catalog),
                false => self.add(&table, mode),
            }
        }
    }

    fn drop(&mut self, drop: &Drop, context: &StatementContext) {
        let catalog = &context.catalog;
        for name in &drop.names {
            if drop.kind == ObjectKind::Schema {
                let schema = namespace::schema_oid(&namespace::written(name), context).unwrap_or(0);
                for relation in catalog.user_relations().filter(|relation| relation.schema == schema) {
                    self.add(relation, TableMode::AccessExclusive);
                }
                continue;
            }
            if matches!(drop.kind, ObjectKind::Type | ObjectKind::Domain) {
                self.altered_type(name, drop.cascade.then_some(TableMode::AccessExclusive), context);
                continue;
            }
            let Some(relation) = find(name, context) else { continue };
            self.add_family(relation.oid, TableMode::AccessExclusive, catalog);
            for parent in catalog.partition_ancestors(&relation) {
                self.add(&parent, TableMode::AccessExclusive);
            }
            if let RelationKind::Index(index) = &relation.kind {
                self.add_oid(index.table, TableMode::AccessExclusive, catalog);
            }
            for constraint in relation.constraints() {
                if let ConstraintKind::ForeignKey { referenced, .. } = &constraint.kind {
                    self.add_oid(*referenced, TableMode::AccessExclusive, catalog);
                }
            }
            if drop.cascade {
                self.referring(&relation, catalog);
            }
        }
    }

    /// The tables whose foreign keys refer to `table`, and those that refer to them.
    fn referring(&mut self, table: &Relation, catalog: &Catalog) {
        for (referring, _) in catalog.referencing(table.oid) {
            let held = self.0.get(&referring.oid);
            if held.is_none_or(|mode| *mode != TableMode::AccessExclusive) {
                self.add(referring, TableMode::AccessExclusive);
                self.referring(referring, catalog);
            }
        }
    }
}

fn find(name: &Name, context: &StatementContext) -> Option<std::sync::Arc<Relation>> {
    namespace::find(name, context).ok().flatten()
}

/// LOCK TABLE (PostgreSQL manual, "LOCK"). A view is locked with what it reads.
pub async fn run(
    session: &mut Session,
    tables: &[Name],
    mode: &str,
    nowait: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    if session.transaction.as_ref().is_none_or(|open| open.block != Block::Explicit) {
        let message = "LOCK TABLE can only be used in transaction blocks";
        return Err(Error::new(sqlstate::NO_ACTIVE_SQL_TRANSACTION, message));
    }
    let mode = mode_of(mode)?;
    let mut fresh: Option<Arc<StatementContext>> = None;
    loop {
        let context = fresh.as_deref().unwrap_or(context);
        let mut needs = Vec::new();
        for name in tables {
            let relation = namespace::existing_anywhere(name, context)?;
            let wanted = if mode == TableMode::AccessShare {
                "rawdD"
            } else if mode <= TableMode::RowExclusive {
                "awdD"
            } else {
                "wdD"
            };
            crate::privilege::Owned::relation(&relation).require(aegis_catalog::acl::rights(wanted), context)?;
            match &relation.kind {
                RelationKind::Table(_) | RelationKind::System => {
                    needs.extend(context.catalog.inheritors(&relation).into_iter().map(|table| (table.oid, mode)));
                }
                RelationKind::View(_) => {
                    needs.push((relation.oid, mode));
                    needs.extend(read_by_view(&relation, context).into_iter().map(|oid| (oid, mode)));
                }
                _ => {
                    let message = format!("\"{}\" is not a table or view", relation.name);
                    return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
                }
            }
        }
        if !session.lock_relations(needs.into_iter(), nowait, context).await? {
            return Outcome::tag("LOCK TABLE");
        }
        fresh = Some(session.context()?);
    }
}

fn read_by_view(view: &Relation, context: &StatementContext) -> Vec<Oid> {
    let schema = context.catalog.schema(view.schema).map_or("", |schema| schema.name.as_str());
    let sql = format!("SELECT FROM {}", namespace::quoted(Some(schema), &view.name));
    let query = crate::parse::parse_query(&sql);
    let bound = query.and_then(|query| crate::bind::bind(&Statement::Query(Box::new(query)), &sql, &[], context));
    bound.map(|tree| tree.read.into_iter().filter(|oid| *oid != view.oid).collect()).unwrap_or_default()
}

fn mode_of(words: &str) -> Result<TableMode> {
    Ok(match words.to_ascii_lowercase().as_str() {
        "access share" => TableMode::AccessShare,
        "row share" => TableMode::RowShare,
        "row exclusive" => TableMode::RowExclusive,
        "share update exclusive" => TableMode::ShareUpdateExclusive,
        "share" => TableMode::Share,
        "share row exclusive" => TableMode::ShareRowExclusive,
        "exclusive" => TableMode::Exclusive,
        "access exclusive" => TableMode::AccessExclusive,
        other => return Err(Error::internal(format!("LOCK TABLE IN {other} MODE"))),
    })
}
