//! CREATE TABLE (PostgreSQL manual, "CREATE TABLE"): columns first, then keys, then what refers to columns.

pub mod merge;

use std::collections::BTreeSet;
use std::sync::Arc;

use aegis_catalog::object::{
    Column, Constraint, Identity, Inheritance, Materialized, PartitionBound, Partitioning, Persistence, Relation,
    RelationKind, Table,
};
use aegis_catalog::types::oid;
use aegis_catalog::{Catalog, Error, Oid, Result, Type, sqlstate};

use super::constraint::{self, Declared};
use super::namespace::{self, Place};
use super::storage_options::{self, Holder};
use super::{
    Outcome, composite_type, inherit, partition, privilege, sequence, storage_parameter, table_storage, user_type,
};
use crate::bind::{self, Purpose};
use crate::parse::ast::{Expr, Ident, Name, TypeName};
use crate::parse::utility::{
    ColumnConstraint, ColumnConstraintKind, ColumnDefinition, CreateTable, OnCommit, SequenceOption, TableElement,
};
use crate::privilege::Owned;
use crate::session::Session;
use crate::session::context::StatementContext;

/// PostgreSQL's MaxHeapAttributeNumber.
const MAX_COLUMNS: usize = 1600;

pub async fn run(session: &mut Session, create: &CreateTable, context: &StatementContext) -> Result<Outcome> {
    let mut place = namespace::place(session, &create.name, create.temporary, context)?;
    if create.unlogged {
        place.persistence = Persistence::Unlogged;
    }
    if context.catalog.relation_by_name(place.schema, &place.name).is_some() && create.if_not_exists {
        session.skip_notice_as(
            sqlstate::DUPLICATE_TABLE,
            &format!("relation \"{}\" already exists, skipping", place.name),
        );
        return Outcome::tag("CREATE TABLE");
    }
    session.writable("CREATE TABLE")?;
    let mut plan = Plan::default();
    if let Some(of_type) = &create.of_type {
        plan.of_type(of_type, context)?;
    }
    plan.table.clone_from(&place.name);
    let temporary = place.persistence == Persistence::Temporary;
    let parent = match &create.partition_of {
        Some((name, _)) => Some(partition::parent(name, temporary, context)?),
        None => None,
    };
    plan.partition = parent.is_some();
    let inherited = create.inherits.iter().map(|name| namespace::existing_anywhere(name, context));
    for parent in inherited.chain(parent.iter().cloned().map(Ok)) {
        plan.inherit(session, &parent?, temporary, context)?;
    }
    for element in &create.elements {
        plan.element(session, element, context)?;
    }
    plan.check_defaults()?;
    if plan.columns.len() > MAX_COLUMNS {
        return Err(Error::new(sqlstate::TOO_MANY_COLUMNS, format!("tables can have at most {MAX_COLUMNS} columns")));
    }
    if let (Some(parent), Some((_, spec))) = (&parent, &create.partition_of) {
        let bound = partition::bound::evaluate(session, spec, parent, context).await?;
        partition::bound::check(&place.name, &bound, parent, context)?;
        plan.bound = Some(bound);
    }
    if let Some(by) = &create.partition_by {
        if !create.inherits.is_empty() {
            let message = "cannot create partitioned table as inheritance child";
            return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
        }
        plan.partition_by(by, &place, context)?;
    }
    let (options, foreign) = storage_parameter::split(&create.options, context)?;
    let table = create_relation(session, place, plan, options)?;
    if let Some(parent) = &parent {
        partition::validate::default_partition(session, parent)?;
    }
    if create.on_commit != OnCommit::Preserve {
        if !table.is_temporary() {
            let message = "ON COMMIT can only be used on temporary tables";
            return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
        }
        session.on_commit(table.oid, create.on_commit);
    }
    if let Some(foreign) = foreign {
        foreign.apply(session, table.oid, true).await?;
    }
    Outcome::tag("CREATE TABLE")
}

/// The table as its elements describe it, before anything exists.
#[derive(Default)]
pub struct Plan {
    pub columns: Vec<Column>,
    pub constraints: Vec<Declared>,
    /// Expressions to check once the columns are known.
    pub expressions: Vec<(String, Expr, Purpose)>,
    pub sequences: Vec<OwnedSequence>,
    /// The composite type that the columns are from; 0 for none.
    pub of_type: Oid,
    /// Name of the table, for messages.
    pub table: String,
    /// Of a materialized view.
    pub materialized: Option<Materialized>,
    /// Columns of it that have options.
    pub optioned: BTreeSet<String>,
    /// Tables that it inherits from, or whose partition it is.
    pub parents: Vec<Oid>,
    pub partition: bool,
    pub bound: Option<PartitionBound>,
    pub partitioning: Option<Partitioning>,
    /// CHECK constraints of the parents.
    pub inherited_checks: Vec<Constraint>,
    /// Columns whose parents have different defaults.
    pub conflicting_defaults: BTreeSet<String>,
}

/// A sequence that a serial or identity column brings along.
pub struct OwnedSequence {
    column: String,
    ty: Oid,
    options: Vec<SequenceOption>,
    identity: bool,
}

impl Plan {
    fn element(&mut self, session: &Session, element: &TableElement, context: &StatementContext) -> Result<()> {
        match element {
            TableElement::Column(definition) if self.inherits(&definition.name.name) => {
                self.merge_column(session, definition, context)
            }
            TableElement::Column(definition) => self.column(definition, context),
            TableElement::ColumnOptions { name, constraints } => self.column_options(name, constraints),
            TableElement::Constraint(constraint) => {
                self.constraints.push(Declared::of_table(constraint)?);
                Ok(())
            }
            TableElement::Like { table, including, excluding } => {
                let source = namespace::existing(table, context)?;
                let wants = |what: &str| {
                    let named = |list: &[String]| list.iter().any(|word| word == what);
                    (named(including) || named_all(including)) && !named(excluding) && !named_all(excluding)
                };
                self.like(&source, &wants, &context.catalog)
            }
        }
    }

    /// The columns of a composite type.
    fn of_type(&mut self, name: &Name, context: &StatementContext) -> Result<()> {
        let entry = user_type::existing(name, context).map_err(|error| error.at(name.span.start))?;
        let relation = composite_type::of_entry(&entry, context)?;
        self.of_type = entry.oid;
        for (attnum, attribute) in (1..).zip(relation.live_columns()) {
            self.columns.push(Column { attnum, ..attribute.clone() });
        }
        Ok(())
    }

    /// Constraints and defaults of a column that comes from a type.
    fn column_options(&mut self, name: &Ident, constraints: &[ColumnConstraint]) -> Result<()> {
        let Some(place) = self.columns.iter().position(|column| column.name == name.name) else {
            let message = format!("column \"{}\" does not exist", name.name);
            return Err(Error::new(sqlstate::UNDEFINED_COLUMN, message));
        };
        if !self.optioned.insert(name.name.clone()) {
            let message = format!("column \"{}\" specified more than once", name.name);
            return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message).at(name.span.start));
        }
        let mut column = self.columns.remove(place);
        let of = if self.partition { "partitions" } else { "typed tables" };
        for constraint in constraints {
            let what = match constraint.kind {
                ColumnConstraintKind::Identity { .. } => "identity",
                ColumnConstraintKind::GeneratedStored(..) => "generated",
                _ => continue,
            };
            let message = format!("{what} columns are not supported on {of}");
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        self.override_default(&mut column, constraints)?;
        self.column_constraints(&mut column, name, constraints, false)?;
        self.columns.insert(place, column);
        Ok(())
    }

    /// Adds a column with its constraints.
    pub fn column(&mut self, definition: &ColumnDefinition, context: &StatementContext) -> Result<()> {
        let name = &definition.name;
        if self.columns.iter().any(|column| column.name == name.name) {
            let message = format!("column \"{}\" specified more than once", name.name);
            return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message).at(name.span.start));
        }
        reject_system_column(name)?;
        let serial = serial_type(&definition.ty);
        let ty = match serial {
            Some(ty) => Type::of(ty),
            None => column_type(&definition.ty, context)?,
        };
        let attnum = self.columns.last().map_or(0, |column| column.attnum) + 1;
        let mut column = Column::new(&name.name, attnum, ty);
        column.collation = context.catalog.type_entry(ty.oid).map_or(column.collation, |entry| entry.collation);
        if let Some(collation) = &definition.collation {
            column.collation = bind::resolve_collation(collation, ty, context)?;
        }
        if let Some(ty) = serial {
            column.not_null = true;
            self.sequences.push(OwnedSequence { column: name.name.clone(), ty, options: Vec::new(), identity: false });
        }
        let says = |wanted: fn(&ColumnConstraintKind) -> bool| definition.constraints.iter().any(|c| wanted(&c.kind));
        let null = says(|kind| matches!(kind, ColumnConstraintKind::Null));
        if null && says(|kind| matches!(kind, ColumnConstraintKind::Identity { .. })) {
            return Err(conflicting(&name.name, "NULL/NOT NULL"));
        }
        self.column_constraints(&mut column, name, &definition.constraints, serial.is_some())?;
        self.columns.push(column);
        Ok(())
    }

    /// What a column's definition says of it, and the table's constraints that this makes.
    fn column_constraints(
        &mut self,
        column: &mut Column,
        name: &Ident,
        constraints: &[ColumnConstraint],
        serial: bool,
    ) -> Result<()> {
        for constraint in constraints {
            let declared_name = constraint.name.as_ref().map(|n| n.name.clone());
            self.column_constraint(column, name, &constraint.kind, serial)?;
            let declared = Declared::of_column(declared_name, &name.name, &constraint.kind, &constraint.timing)?;
            self.constraints.extend(declared);
        }
        Ok(())
    }

    fn column_constraint(
        &mut self,
        column: &mut Column,
        written: &Ident,
        kind: &ColumnConstraintKind,
        serial: bool,
    ) -> Result<()> {
        let name = &written.name;
        let expression = |expr: &Expr, purpose| (name.clone(), expr.clone(), purpose);
        match kind {
            ColumnConstraintKind::NotNull | ColumnConstraintKind::PrimaryKey { .. } => column.not_null = true,
            ColumnConstraintKind::Null if column.not_null => {
                return Err(conflicting(name, "NULL/NOT NULL"));
            }
            ColumnConstraintKind::Default(..) | ColumnConstraintKind::GeneratedStored(..)
                if column.default.is_some() || serial || column.identity.is_some() =>
            {
                let message = format!("multiple default values specified for column \"{name}\"");
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(written.span.start));
            }
            ColumnConstraintKind::Default(expr, text) => {
                column.default = Some(text.clone());
                self.expressions.push(expression(expr, Purpose::Default));
            }
            ColumnConstraintKind::GeneratedStored(expr, text) => {
                column.default = Some(text.clone());
                column.generated = true;
                self.expressions.push(expression(expr, Purpose::Generated));
            }
            ColumnConstraintKind::Identity { .. } if column.identity.is_some() => {
                let table = &self.table;
                let message = format!("multiple identity specifications for column \"{name}\" of table \"{table}\"");
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(written.span.start));
            }
            ColumnConstraintKind::Identity { .. } if column.default.is_some() || serial => {
                let table = &self.table;
                let message = format!("both default and identity specified for column \"{name}\" of table \"{table}\"");
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(written.span.start));
            }
            ColumnConstraintKind::Identity { always, options } => {
                if !matches!(column.ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
                    let message = "identity column type must be smallint, integer, or bigint";
                    return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
                }
                column.identity = Some(if *always { Identity::Always } else { Identity::ByDefault });
                column.not_null = true;
                let options = options.clone();
                self.sequences.push(OwnedSequence { column: name.clone(), ty: column.ty.oid, options, identity: true });
            }
            _ => {}
        }
        Ok(())
    }

    /// `LIKE other`: its columns, and what INCLUDING names.
    fn like(&mut self, source: &Relation, wants: &dyn Fn(&str) -> bool, catalog: &Catalog) -> Result<()> {
        for original in source.live_columns() {
            if self.columns.iter().any(|column| column.name == original.name) {
                let message = format!("column \"{}\" specified more than once", original.name);
                return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
            }
            let attnum = self.columns.last().map_or(0, |column| column.attnum) + 1;
            let mut column = Column { default: None, generated: false, ..inherit::inherited_column(original, attnum) };
            column.inheritance = Inheritance::default();
            if (original.generated && wants("generated")) || (!original.generated && wants("defaults")) {
                column.default.clone_from(&original.default);
                column.generated = original.generated;
            }
            if let Some(identity) = original.identity.filter(|_| wants("identity")) {
                column.identity = Some(identity);
                self.sequences.push(OwnedSequence {
                    column: column.name.clone(),
                    ty: column.ty.oid,
                    options: Vec::new(),
                    identity: true,
                });
            }
            self.columns.push(column);
        }
        self.constraints.extend(constraint::copied(source, wants("constraints"), wants("indexes"), catalog)?);
        Ok(())
    }
}

fn named_all(list: &[String]) -> bool {
    list.iter().any(|word| word == "all")
}

fn conflicting(column: &str, what: &str) -> Error {
    Error::new(sqlstate::SYNTAX_ERROR, format!("conflicting {what} declarations for column \"{column}\""))
}

/// 42701 for the names of system columns.
fn reject_system_column(name: &Ident) -> Result<()> {
    if crate::bind::tree::SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name.name) {
        let message = format!("column name \"{}\" conflicts with a system column name", name.name);
        return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message).at(name.span.start));
    }
    Ok(())
}

/// The integer type behind `serial` and its relatives.
fn serial_type(ty: &TypeName) -> Option<Oid> {
    let [name] = ty.name.parts.as_slice() else { return None };
    if ty.array_dimensions > 0 {
        return None;
    }
    match name.name.as_str() {
        "smallserial" | "serial2" => Some(oid::INT2),
        "serial" | "serial4" => Some(oid::INT4),
        "bigserial" | "serial8" => Some(oid::INT8),
        _ => None,
    }
}

/// A type that a column may have. 42P16 for pseudo-types.
pub fn column_type(name: &TypeName, context: &StatementContext) -> Result<Type> {
    let ty = bind::resolve_type(name, context)?;
    let pseudo = aegis_catalog::types::type_info(ty.oid).is_some_and(|info| info.kind == 'p');
    if pseudo || name.setof {
        let shown = aegis_catalog::types::format_type(ty);
        let message = format!("column has pseudo-type {shown}");
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message).at(name.span.start));
    }
    composite_type::check_nesting(ty, context)?;
    Ok(ty)
}

/// Creates sequences, table, keys and storage from a plan. Also used by CREATE TABLE AS.
pub fn create_relation(
    session: &mut Session,
    place: Place,
    mut plan: Plan,
    mut options: Vec<(String, String)>,
) -> Result<Arc<Relation>> {
    let holder = if plan.partitioning.is_some() { Holder::Partitioned } else { Holder::Table };
    storage_options::check(holder, &options)?;
    options.retain(|(name, _)| storage_options::is_kept(name));
    let owner = session.context()?.user_oid;
    let sequences = create_sequences(session, "CREATE TABLE", &place, &mut plan, owner)?;
    constraint::mark_not_null(&place.name, &mut plan.columns, &plan.constraints)?;
    let open = session.writable("CREATE TABLE")?;
    // A partitioned table has no rows of its own.
    let storage = if plan.partitioning.is_some() { 0 } else { u64::from(open.catalog.allocate_oid()?) };
    let partition_of = plan.parents.first().copied().filter(|_| plan.bound.is_some());
    let kind = RelationKind::Table(Table {
        constraints: std::mem::take(&mut plan.inherited_checks),
        options,
        of_type: plan.of_type,
        materialized: plan.materialized.take(),
        partitioning: plan.partitioning.take(),
        parents: std::mem::take(&mut plan.parents),
        bound: plan.bound.take(),
        ..Table::new(storage)
    });
    let relation = place.relation(owner, plan.columns, kind);
    let table = open.catalog.create_relation(open.tables.permanent(), relation)?;
    privilege::apply_default(session, &Owned::relation(&table), table.schema)?;
    own_sequences(session, &table, &sequences)?;
    let table = store_expressions(session, table, &plan.expressions)?;
    constraint::record_defaults(session, &table)?;
    partition::key::record_dependencies(session, &table)?;
    let mut table = constraint::add_all(session, table, plan.constraints, false)?;
    if let Some(parent) = partition_of {
        partition::index::on_new_partition(session, parent, table.oid)?;
        let catalog = session.context()?.catalog.clone();
        table = catalog.relation(table.oid).cloned().ok_or_else(|| Error::internal("the new table is gone"))?;
    }
    let open = session.writable("CREATE TABLE")?;
    if storage != 0 {
        let schema = table_storage::schema_of(&table, &open.catalog.catalog())?;
        open.tables.of_mut(&table).create_table(storage, schema)?;
    }
    Ok(table)
}

/// Sequences of serial and identity columns; serial columns get their default. Returns (column, sequence, identity).
pub fn create_sequences(
    session: &mut Session,
    command: &str,
    place: &Place,
    plan: &mut Plan,
    owner: Oid,
) -> Result<Vec<(String, Arc<Relation>)>> {
    let mut created = Vec::new();
    for wanted in std::mem::take(&mut plan.sequences) {
        let context = session.context()?;
        let mut definition = sequence::definition(wanted.ty, &wanted.options, &context)?;
        definition.identity = wanted.identity;
        let names = (place.schema, place.name.as_str(), wanted.column.as_str());
        let (schema, name) = sequence::place_of_column(session, names, &wanted.options, &context)?;
        session.debug(&format!(
            "{command} will create implicit sequence \"{name}\" for serial column \"{}.{}\"",
            place.name, wanted.column
        ));
        let relation = sequence::relation(schema, &name, place.persistence, owner, definition);
        let open = session.writable("CREATE TABLE")?;
        let relation = open.catalog.create_relation(open.tables.permanent(), relation)?;
        privilege::apply_default(session, &Owned::relation(&relation), relation.schema)?;
        let open = session.writable("CREATE TABLE")?;
        if !wanted.identity {
            let catalog = open.catalog.catalog();
            let schema = catalog.schema(place.schema).map(|schema| schema.name.clone());
            let default =
                format!("nextval('{}'::regclass)", namespace::quoted(schema.as_deref(), &name).replace('\'', "''"));
            if let Some(column) = plan.columns.iter_mut().find(|column| column.name == wanted.column) {
                column.default = Some(default);
            }
        }
        created.push((wanted.column, relation));
    }
    Ok(created)
}

/// Now that the table has an OID, its sequences belong to their columns.
pub fn own_sequences(session: &mut Session, table: &Relation, sequences: &[(String, Arc<Relation>)]) -> Result<()> {
    let open = session.writable("CREATE TABLE")?;
    for (column, relation) in sequences {
        let (Some(column), Some(definition)) = (table.column_by_name(column), relation.sequence()) else { continue };
        let mut definition = definition.clone();
        definition.owned_by = Some((table.oid, column.attnum));
        let relation = Relation { kind: RelationKind::Sequence(definition), ..Relation::clone(relation) };
        open.catalog.replace_relation(open.tables.permanent(), relation)?;
    }
    Ok(())
}

/// Defaults and generation expressions must bind, and defaults must be assignable to their column. Keeps their text.
pub fn store_expressions(
    session: &mut Session,
    table: Arc<Relation>,
    all: &[(String, Expr, Purpose)],
) -> Result<Arc<Relation>> {
    if all.is_empty() {
        return Ok(table);
    }
    let context = session.context()?;
    let mut changed = Relation::clone(&table);
    for (name, expr, purpose) in all {
        let Some(column) = changed.columns.iter_mut().find(|column| !column.dropped && column.name == *name) else {
            continue;
        };
        let (_, text) = constraint::stored_expression(&table, expr, *purpose, Some(column.ty), &context)?;
        column.default = Some(text);
    }
    let open = session.writable("CREATE TABLE")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)
}
