//! RENAME, SET SCHEMA and OWNER TO, for objects of every kind.
//!
//! Constraints, keys and dependencies go by number and follow by themselves. Expressions and the queries of views are written anew with
//! the new names.

use std::sync::Arc;

use aegis_catalog::object::{ConstraintKind, Database, Relation, RelationKind, Role, Schema, View};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, composite_type, descriptor, domain, large_object, namespace, role, stored_text, user_type};
use crate::parse::ast::Ident;
use crate::parse::utility::{ObjectKind, ObjectName};
use crate::session::Session;
use crate::session::context::StatementContext;

/// What of the named object gets the new name.
pub enum Part<'a> {
    Whole,
    Column(&'a Ident),
    Constraint(&'a Ident),
}

pub fn rename(
    session: &mut Session,
    object: &ObjectName,
    part: Part<'_>,
    to: &Ident,
    if_exists: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    let tag = tag(object.kind)?;
    session.writable(tag)?;
    if let Some((class, _)) = descriptor::class_of(object.kind) {
        descriptor::rename(session, class, &object.name, &to.name, context)?;
        return Outcome::tag(tag);
    }
    match object.kind {
        ObjectKind::Schema => rename_schema(session, &namespace::written(&object.name), &to.name, context)?,
        ObjectKind::Database => rename_database(session, &namespace::written(&object.name), &to.name, context)?,
        ObjectKind::Role => rename_role(session, &namespace::written(&object.name), &to.name, context)?,
        kind @ (ObjectKind::Type | ObjectKind::Domain) => match part {
            Part::Whole => user_type::rename(session, &object.name, kind, to, context)?,
            Part::Column(attribute) => {
                composite_type::rename_attribute(session, &object.name, attribute, to, context)?;
            }
            Part::Constraint(constraint) => {
                domain::rename_constraint(session, &object.name, &constraint.name, &to.name, context)?;
            }
        },
        _ => {
            let Some(relation) = relation(session, object, if_exists, context)? else { return Outcome::tag(tag) };
            match part {
                Part::Whole => rename_relation(session, &relation, &to.name, context)?,
                Part::Column(column) => rename_column(session, &relation, column, to, context)?,
                Part::Constraint(constraint) => rename_constraint(session, &relation, constraint, &to.name)?,
            }
        }
    }
    Outcome::tag(tag)
}

pub fn set_schema(
    session: &mut Session,
    object: &ObjectName,
    schema: &Ident,
    if_exists: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    let tag = tag(object.kind)?;
    session.writable(tag)?;
    if matches!(object.kind, ObjectKind::Type | ObjectKind::Domain) {
        user_type::set_schema(session, &object.name, object.kind, schema, context)?;
        return Outcome::tag(tag);
    }
    if let Some((class, _)) = descriptor::class_of(object.kind) {
        descriptor::set_schema(session, class, &object.name, schema, context)?;
        return Outcome::tag(tag);
    }
    let Some(relation) = relation(session, object, if_exists, context)? else { return Outcome::tag(tag) };
    let target = namespace::schema_oid(&schema.name, context)?;
    if relation.is_temporary() || context.catalog.schema(target).is_some_and(|s| s.name.starts_with("pg_temp")) {
        let message = "cannot move objects into or out of temporary schemas";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    if relation.schema == target {
        return Outcome::tag(tag);
    }
    if context.catalog.relation_by_name(target, &relation.name).is_some() {
        let message = format!("relation \"{}\" already exists in schema \"{}\"", relation.name, schema.name);
        return Err(Error::new(sqlstate::DUPLICATE_TABLE, message));
    }
    if let Some((table, _)) = relation.sequence().and_then(|sequence| sequence.owned_by) {
        let table = context.catalog.relation(table).map(|table| table.name.clone()).unwrap_or_default();
        let message = "cannot move an owned sequence into another schema";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
            .with_detail(format!("Sequence \"{}\" is linked to table \"{table}\".", relation.name)));
    }
    for moved in with_belongings(&relation, context) {
        move_to(session, &moved, &moved.name, target)?;
    }
    stored_text::follow_names(session, context)?;
    Outcome::tag(tag)
}

pub fn set_owner(
    session: &mut Session,
    object: &ObjectName,
    owner: &Ident,
    if_exists: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    let tag = tag(object.kind)?;
    session.writable(tag)?;
    let written = namespace::written(&object.name);
    if let Some((class, _)) = descriptor::class_of(object.kind) {
        descriptor::set_owner(session, class, &object.name, owner, context)?;
        return Outcome::tag(tag);
    }
    match object.kind {
        ObjectKind::Schema => {
            let owner = new_owner(owner, context)?;
            let schema = existing_schema(&written, context)?;
            let open = session.writable(tag)?;
            open.catalog.replace_schema(open.tables.permanent(), Schema { owner, ..Schema::clone(&schema) })?;
        }
        ObjectKind::Database => {
            let owner = new_owner(owner, context)?;
            let database = existing_database(&written, context)?;
            let open = session.writable(tag)?;
            let changed = Database { owner, ..Database::clone(&database) };
            open.catalog.replace_database(open.tables.permanent(), changed)?;
        }
        large_object::KIND => large_object::set_owner(session, object, owner, context)?,
        kind @ (ObjectKind::Type | ObjectKind::Domain) => {
            user_type::set_owner(session, &object.name, kind, owner, context)?;
        }
        _ => {
            let Some(relation) = relation(session, object, if_exists, context)? else { return Outcome::tag(tag) };
            set_relation_owner(session, &relation, owner, context)?;
        }
    }
    Outcome::tag(tag)
}

/// A table's indexes and sequences change hands with it.
pub fn set_relation_owner(
    session: &mut Session,
    relation: &Arc<Relation>,
    owner: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let owner = new_owner(owner, context)?;
    for changed in with_belongings(relation, context) {
        let open = session.writable("ALTER TABLE")?;
        open.catalog.replace_relation(open.tables.permanent(), Relation { owner, ..Relation::clone(&changed) })?;
    }
    Ok(())
}

fn new_owner(owner: &Ident, context: &StatementContext) -> Result<Oid> {
    let owner = role::existing(&owner.name, context)?.oid;
    role::require_member(owner, context)?;
    Ok(owner)
}

fn tag(kind: ObjectKind) -> Result<&'static str> {
    Ok(match kind {
        ObjectKind::Table | ObjectKind::Column | ObjectKind::Constraint => "ALTER TABLE",
        ObjectKind::View => "ALTER VIEW",
        ObjectKind::MaterializedView => "ALTER MATERIALIZED VIEW",
        ObjectKind::Index => "ALTER INDEX",
        ObjectKind::Sequence => "ALTER SEQUENCE",
        ObjectKind::Schema => "ALTER SCHEMA",
        ObjectKind::Database => "ALTER DATABASE",
        ObjectKind::Role => "ALTER ROLE",
        ObjectKind::Type => "ALTER TYPE",
        ObjectKind::Domain => "ALTER DOMAIN",
        ObjectKind::Function | ObjectKind::Procedure => return Err(Error::unsupported("ALTER FUNCTION")),
        ObjectKind::Extension => "ALTER EXTENSION",
        ObjectKind::Other("COLLATION") => "ALTER COLLATION",
        large_object::KIND => "ALTER LARGE OBJECT",
        ObjectKind::Other("STATISTICS") => "ALTER STATISTICS",
        ObjectKind::Other("TEXT SEARCH CONFIGURATION") => "ALTER TEXT SEARCH CONFIGURATION",
        ObjectKind::Other("TEXT SEARCH DICTIONARY") => "ALTER TEXT SEARCH DICTIONARY",
        _ => return Err(Error::unsupported("ALTER of this kind of object")),
    })
}

/// The relation that is meant; None if there is none and `if_exists` says that this is fine.
fn relation(
    session: &Session,
    object: &ObjectName,
    if_exists: bool,
    context: &StatementContext,
) -> Result<Option<Arc<Relation>>> {
    let Some(found) = namespace::find(&object.name, context)? else {
        let missing = namespace::existing_anywhere(&object.name, context).err();
        let missing = missing.unwrap_or_else(|| Error::internal("name resolution changed"));
        if if_exists {
            session.skip_notice(&format!("{}, skipping", missing.message()));
            return Ok(None);
        }
        return Err(missing);
    };
    namespace::reject_system(&found)?;
    let what = match (object.kind, &found.kind) {
        (ObjectKind::MaterializedView, _)
            if found.materialized().is_none() && !found.view().is_some_and(View::is_of_extension) =>
        {
            "a materialized view"
        }
        (ObjectKind::View, kind) if !matches!(kind, RelationKind::View(_)) => "a view",
        // ALTER INDEX takes tables too.
        (ObjectKind::Index, kind) if !matches!(kind, RelationKind::Index(_) | RelationKind::Table(_)) => "an index",
        (ObjectKind::Sequence, kind) if !matches!(kind, RelationKind::Sequence(_)) => "a sequence",
        // ALTER TABLE takes all of them.
        _ => {
            crate::privilege::require_owner(&found, context)?;
            return Ok(Some(found));
        }
    };
    Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not {what}", found.name)))
}

/// A relation with its indexes and the sequences that it owns.
pub fn with_belongings(relation: &Arc<Relation>, context: &StatementContext) -> Vec<Arc<Relation>> {
    let owned = |other: &&Arc<Relation>| match &other.kind {
        RelationKind::Index(index) => index.table == relation.oid,
        RelationKind::Sequence(sequence) => sequence.owned_by.is_some_and(|(table, _)| table == relation.oid),
        _ => false,
    };
    std::iter::once(relation).chain(context.catalog.user_relations().filter(owned)).cloned().collect()
}

/// Renames or moves one relation.
fn move_to(session: &mut Session, old: &Relation, name: &str, schema: Oid) -> Result<()> {
    let open = session.writable("ALTER TABLE")?;
    // What was changed by now counts, not what the statement started with.
    let current = open.catalog.catalog().relation(old.oid).cloned();
    let current = current.ok_or_else(|| Error::internal("a relation went while it was renamed"))?;
    let moved = Relation { name: name.to_owned(), schema, ..Relation::clone(&current) };
    open.catalog.replace_relation(open.tables.permanent(), moved).map(drop)
}

fn rename_relation(session: &mut Session, old: &Relation, to: &str, context: &StatementContext) -> Result<()> {
    move_to(session, old, to, old.schema)?;
    // The index of a key has the key's name.
    if let Some(index) = old.index() {
        rename_constraint_of(session, index.table, old.oid, to)?;
    }
    stored_text::follow_names(session, context)
}

fn rename_constraint_of(session: &mut Session, table: Oid, index: Oid, to: &str) -> Result<()> {
    let open = session.writable("ALTER TABLE")?;
    let Some(table) = open.catalog.catalog().relation(table).cloned() else { return Ok(()) };
    let mut changed = Relation::clone(&table);
    if let RelationKind::Table(table) = &mut changed.kind {
        for constraint in &mut table.constraints {
            let backs = !matches!(constraint.kind, ConstraintKind::ForeignKey { .. }) && constraint.index() == index;
            if backs {
                to.clone_into(&mut constraint.name);
            }
        }
    }
    open.catalog.replace_relation(open.tables.permanent(), changed).map(|_| ())
}

/// A check is renamed for what inherits it too.
fn rename_constraint(session: &mut Session, table: &Arc<Relation>, name: &Ident, to: &str) -> Result<()> {
    let context = session.context()?;
    let own = table.constraints().iter().find(|own| own.name == name.name);
    if own.is_some_and(|own| own.inheritance.parents > 0) {
        let message = format!("cannot rename inherited constraint \"{}\"", name.name);
        return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
    }
    rename_own_constraint(session, table, name, to)?;
    if own.is_some_and(|own| matches!(own.kind, ConstraintKind::Check { .. }) && !own.no_inherit) {
        for child in context.catalog.inheritors(table).into_iter().skip(1) {
            rename_own_constraint(session, &child, name, to)?;
        }
    }
    Ok(())
}

fn rename_own_constraint(session: &mut Session, table: &Relation, name: &Ident, to: &str) -> Result<()> {
    let Some(found) = table.constraints().iter().find(|constraint| constraint.name == name.name) else {
        let message = format!("constraint \"{}\" for table \"{}\" does not exist", name.name, table.name);
        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
    };
    if table.constraints().iter().any(|constraint| constraint.name == to) {
        let message = format!("constraint \"{to}\" for relation \"{}\" already exists", table.name);
        return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
    }
    let mut changed = table.clone();
    if let RelationKind::Table(table) = &mut changed.kind {
        for constraint in table.constraints.iter_mut().filter(|constraint| constraint.oid == found.oid) {
            to.clone_into(&mut constraint.name);
        }
    }
    let open = session.writable("ALTER TABLE")?;
    open.catalog.replace_relation(open.tables.permanent(), changed)?;
    if let ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } = found.kind
        && let Some(index) = open.catalog.catalog().relation(index)
    {
        let renamed = Relation { name: to.to_owned(), ..Relation::clone(index) };
        open.catalog.replace_relation(open.tables.permanent(), renamed)?;
    }
    Ok(())
}

/// For the table and all that inherits from it.
fn rename_column(
    session: &mut Session,
    relation: &Arc<Relation>,
    column: &Ident,
    to: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let family = context.catalog.inheritors(relation);
    for member in family.iter().filter(|_| relation.table().is_some()) {
        let Some(own) = member.column_by_name(&column.name) else { continue };
        let from = |parent: &&Arc<Relation>| parent.column_by_name(&column.name).is_some();
        let mut parents = context.catalog.parents_of(member).filter(from);
        // From a parent that keeps the name.
        if parents.any(|parent| !family.iter().any(|member| member.oid == parent.oid)) {
            let message = format!("cannot rename inherited column \"{}\"", own.name);
            return Err(Error::new(sqlstate::INVALID_TABLE_DEFINITION, message));
        }
    }
    for member in family {
        rename_own_column(session, &member, column, to)?;
    }
    stored_text::follow_names(session, context)
}

fn rename_own_column(session: &mut Session, relation: &Relation, column: &Ident, to: &Ident) -> Result<()> {
    if !matches!(relation.kind, RelationKind::Table(_) | RelationKind::View(_)) {
        let message = format!("cannot rename columns of relation \"{}\"", relation.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_detail(format!("This operation is not supported for {}s.", relation.kind_name())));
    }
    composite_type::refuse_typed_table(relation, "cannot rename column of typed table")?;
    let is_system = |name: &str| crate::bind::tree::SYSTEM_COLUMNS.iter().any(|(system, _)| *system == name);
    if is_system(&column.name) {
        let message = format!("cannot rename system column \"{}\"", column.name);
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let found = relation
        .column_by_name(&column.name)
        .ok_or_else(|| Error::new(sqlstate::UNDEFINED_COLUMN, format!("column \"{}\" does not exist", column.name)))?;
    if is_system(&to.name) {
        let message = format!("column name \"{}\" conflicts with a system column name", to.name);
        return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
    }
    if relation.column_by_name(&to.name).is_some() {
        let message = format!("column \"{}\" of relation \"{}\" already exists", to.name, relation.name);
        return Err(Error::new(sqlstate::DUPLICATE_COLUMN, message));
    }
    let mut changed = relation.clone();
    for own in changed.columns.iter_mut().filter(|own| own.attnum == found.attnum) {
        to.name.clone_into(&mut own.name);
    }
    let open = session.writable("ALTER TABLE")?;
    let changed = open.catalog.replace_relation(open.tables.permanent(), changed)?;
    if changed.table().is_some() {
        let format = session.format_settings();
        super::table_storage::update(session.writable("ALTER TABLE")?, &changed, None, &format)?;
    }
    Ok(())
}

fn existing_schema(name: &str, context: &StatementContext) -> Result<Arc<Schema>> {
    let oid = namespace::schema_oid(name, context)?;
    context.catalog.schema(oid).cloned().ok_or_else(|| Error::internal("a schema without entry"))
}

fn rename_schema(session: &mut Session, name: &str, to: &str, context: &StatementContext) -> Result<()> {
    let schema = existing_schema(name, context)?;
    let open = session.writable("ALTER SCHEMA")?;
    let renamed = Schema { name: to.to_owned(), ..Schema::clone(&schema) };
    open.catalog.replace_schema(open.tables.permanent(), renamed)?;
    stored_text::follow_names(session, context)
}

fn existing_database(name: &str, context: &StatementContext) -> Result<Arc<Database>> {
    context
        .catalog
        .database_by_name(name)
        .cloned()
        .ok_or_else(|| Error::new(sqlstate::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist")))
}

fn rename_database(session: &mut Session, name: &str, to: &str, context: &StatementContext) -> Result<()> {
    session.require_no_block("ALTER DATABASE ... RENAME")?;
    let database = existing_database(name, context)?;
    if database.oid == context.database_oid {
        let message = "current database cannot be renamed";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let open = session.writable("ALTER DATABASE")?;
    let renamed = Database { name: to.to_owned(), ..Database::clone(&database) };
    open.catalog.replace_database(open.tables.permanent(), renamed)
}

fn rename_role(session: &mut Session, name: &str, to: &str, context: &StatementContext) -> Result<()> {
    let role = role::existing(name, context)?;
    if role.oid == context.user_oid {
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "session user cannot be renamed"));
    }
    let open = session.writable("ALTER ROLE")?;
    open.catalog.replace_role(open.tables.permanent(), Role { name: to.to_owned(), ..Role::clone(&role) })
}
