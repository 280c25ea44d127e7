//! CREATE TYPE, ALTER TYPE on enums, and what types of all kinds have in common (PostgreSQL manual, "CREATE TYPE", "ALTER TYPE").

use std::sync::Arc;

use aegis_catalog::fixed_oid::{FIRST_NORMAL, PG_TYPE};
use aegis_catalog::image::TypeEntry;
use aegis_catalog::object::{Enum, LabelPlace, ObjectAddress, Relation, UserType, UserTypeKind};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, composite_type, namespace, range_type, role, stored_text};
use crate::parse::ast::{Ident, Name};
use crate::parse::utility::{AlterTypeAction, ObjectKind, TypeDefinition};
use crate::session::Session;
use crate::session::context::StatementContext;

/// Bytes of a label, as of any name.
const MAX_LABEL: usize = 63;

pub fn create(
    session: &mut Session,
    name: &Name,
    definition: &TypeDefinition,
    context: &StatementContext,
) -> Result<Outcome> {
    session.writable("CREATE TYPE")?;
    let place = namespace::place(session, name, false, context)?;
    let labels = match definition {
        TypeDefinition::Enum(labels) => labels,
        TypeDefinition::Composite(attributes) => {
            composite_type::create(session, place, attributes, context)?;
            return Outcome::tag("CREATE TYPE");
        }
        TypeDefinition::Range(items) => {
            range_type::create(session, place, items, context)?;
            return Outcome::tag("CREATE TYPE");
        }
    };
    labels.iter().try_for_each(|label| check_label(label))?;
    let owner = session.context()?.user_oid;
    let open = session.writable("CREATE TYPE")?;
    open.catalog.reject_type_name(place.schema, &place.name)?;
    if let Some(repeated) = repeated(labels) {
        let (index, key) = ("pg_enum_typid_label_index", "enumtypid, enumlabel");
        let oid = open.catalog.allocate_oid()?;
        let message = format!("duplicate key value violates unique constraint \"{index}\"");
        return Err(Error::new(sqlstate::UNIQUE_VIOLATION, message)
            .with_detail(format!("Key ({key})=({oid}, {repeated}) already exists."))
            .with_table("pg_catalog", "pg_enum")
            .with_constraint(index));
    }
    let kind = UserTypeKind::Enum(Enum::new(labels.iter().cloned()));
    let ty = UserType { oid: 0, array_type: 0, schema: place.schema, name: place.name, owner, kind };
    open.catalog.create_type(open.tables.permanent(), ty)?;
    Outcome::tag("CREATE TYPE")
}

fn repeated(labels: &[String]) -> Option<&String> {
    labels
        .iter()
        .enumerate()
        .find(|(position, label)| labels.iter().take(*position).any(|other| other == *label))
        .map(|(_, label)| label)
}

fn check_label(label: &str) -> Result<()> {
    if label.len() <= MAX_LABEL {
        return Ok(());
    }
    Err(Error::new(sqlstate::INVALID_NAME, format!("invalid enum label \"{label}\""))
        .with_detail(format!("Labels must be {MAX_LABEL} bytes or less.")))
}

/// ALTER TYPE with actions on values or attributes.
pub async fn alter(
    session: &mut Session,
    name: &Name,
    actions: &[AlterTypeAction],
    context: &StatementContext,
) -> Result<Outcome> {
    session.writable("ALTER TYPE")?;
    for action in actions {
        match action {
            AlterTypeAction::AddValue { value, if_not_exists, neighbor } => {
                let ty = existing_enum(name, context)?;
                add_value(session, &ty, value, *if_not_exists, neighbor.as_ref())?;
            }
            AlterTypeAction::RenameValue { from, to } => {
                let ty = existing_enum(name, context)?;
                rename_value(session, &ty, from, to)?;
                stored_text::follow_names(session, context)?;
            }
            action => composite_type::alter(session, name, action).await?,
        }
    }
    Outcome::tag("ALTER TYPE")
}

fn existing_enum(name: &Name, context: &StatementContext) -> Result<Arc<UserType>> {
    let entry = existing(name, context)?;
    match context.catalog.user_type(entry.oid) {
        Some(ty) if ty.as_enum().is_some() => Ok(ty.clone()),
        _ => {
            let message = format!("{} is not an enum", context.format.names.type_name(entry.oid));
            Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message))
        }
    }
}

fn label_exists(label: &str) -> Error {
    Error::new(sqlstate::DUPLICATE_OBJECT, format!("enum label \"{label}\" already exists"))
}

fn add_value(
    session: &mut Session,
    ty: &UserType,
    value: &str,
    if_not_exists: bool,
    neighbor: Option<&(bool, String)>,
) -> Result<()> {
    check_label(value)?;
    let mut changed = ty.clone();
    let UserTypeKind::Enum(labels) = &mut changed.kind else { return Ok(()) };
    if labels.by_name(value).is_some() {
        if !if_not_exists {
            return Err(label_exists(value));
        }
        let message = format!("enum label \"{value}\" already exists, skipping");
        session.skip_notice_as(sqlstate::DUPLICATE_OBJECT, &message);
        return Ok(());
    }
    let place = match neighbor {
        None => LabelPlace::Last,
        Some((true, label)) => LabelPlace::Before(label),
        Some((false, label)) => LabelPlace::After(label),
    };
    labels.add(value.to_owned(), place)?;
    let open = session.writable("ALTER TYPE")?;
    open.catalog.replace_type(open.tables.permanent(), changed).map(drop)
}

fn rename_value(session: &mut Session, ty: &UserType, from: &str, to: &str) -> Result<()> {
    check_label(to)?;
    let mut changed = ty.clone();
    let UserTypeKind::Enum(labels) = &mut changed.kind else { return Ok(()) };
    let taken = labels.by_name(to).is_some();
    let Some(label) = labels.labels.iter_mut().find(|label| label.name == from) else {
        let message = format!("\"{from}\" is not an existing enum label");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    };
    if taken {
        return Err(label_exists(to));
    }
    to.clone_into(&mut label.name);
    let open = session.writable("ALTER TYPE")?;
    open.catalog.replace_type(open.tables.permanent(), changed).map(drop)
}

/// The type that a name means. 3F000 or 42704 if there is none.
pub fn existing(name: &Name, context: &StatementContext) -> Result<TypeEntry> {
    let (schema, bare) = namespace::split(name, context)?;
    if let Some(schema) = schema {
        namespace::schema_oid(schema, context)?;
    }
    context.catalog.type_by_name(schema, bare, &context.search_path).ok_or_else(|| {
        let message = format!("type \"{}\" does not exist", namespace::written(name));
        Error::new(sqlstate::UNDEFINED_OBJECT, message)
    })
}

/// What is to be dropped by that name.
pub fn to_drop(name: &Name, kind: ObjectKind, context: &StatementContext) -> Result<ObjectAddress> {
    let address = to_comment(name, kind, context)?;
    if address.object < FIRST_NORMAL {
        let shown = context.format.names.type_name(address.object);
        let message = format!("cannot drop type {shown} because it is required by the database system");
        return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message));
    }
    Ok(address)
}

/// What COMMENT ON TYPE and DOMAIN mean.
pub fn to_comment(name: &Name, kind: ObjectKind, context: &StatementContext) -> Result<ObjectAddress> {
    let entry = existing(name, context)?;
    if kind == ObjectKind::Domain && entry.kind != 'd' {
        let message = format!("\"{}\" is not a domain", namespace::written(name));
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    }
    Ok(ObjectAddress::new(PG_TYPE, entry.oid))
}

/// The object behind a type that may be altered as a whole.
pub enum Whole {
    Type(Arc<UserType>),
    Composite(Arc<Relation>),
}

/// The type to rename, move or give away. 42809 for what is altered in another way.
pub fn to_alter(name: &Name, kind: ObjectKind, context: &StatementContext) -> Result<Whole> {
    let entry = existing(name, context)?;
    let wrong = |message: String| Error::new(sqlstate::WRONG_OBJECT_TYPE, message);
    let shown = context.format.names.type_name(entry.oid);
    if kind == ObjectKind::Domain && entry.kind != 'd' {
        return Err(wrong(format!("{shown} is not a domain")));
    }
    if entry.is_array() {
        let element = context.format.names.type_name(entry.element);
        return Err(wrong(format!("cannot alter array type {shown}"))
            .with_hint(format!("You can alter type {element}, which will alter the array type as well.")));
    }
    if let Some(ty) = context.catalog.user_type(entry.oid) {
        return Ok(Whole::Type(ty.clone()));
    }
    match context.catalog.relation(entry.relation) {
        Some(relation) if composite_type::is_composite(relation) => Ok(Whole::Composite(relation.clone())),
        Some(_) => Err(wrong(format!("{shown} is a table's row type")).with_hint("Use ALTER TABLE instead.")),
        None => {
            let message = format!("must be owner of type {shown}");
            Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message))
        }
    }
}

impl Whole {
    pub fn schema(&self) -> Oid {
        match self {
            Self::Type(ty) => ty.schema,
            Self::Composite(relation) => relation.schema,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Self::Type(ty) => &ty.name,
            Self::Composite(relation) => &relation.name,
        }
    }

    /// Gives it another name, schema and owner.
    pub fn replace(&self, session: &mut Session, name: &str, schema: Oid, owner: Option<Oid>) -> Result<()> {
        let open = session.writable("ALTER TYPE")?;
        if name != self.name() || schema != self.schema() {
            open.catalog.reject_type_name(schema, name)?;
        }
        let name = name.to_owned();
        match self {
            Self::Type(ty) => {
                let owner = owner.unwrap_or(ty.owner);
                let changed = UserType { name, schema, owner, ..UserType::clone(ty) };
                open.catalog.replace_type(open.tables.permanent(), changed).map(drop)
            }
            Self::Composite(relation) => {
                let owner = owner.unwrap_or(relation.owner);
                let changed = Relation { name, schema, owner, ..Relation::clone(relation) };
                open.catalog.replace_relation(open.tables.permanent(), changed).map(drop)
            }
        }
    }
}

pub fn rename(
    session: &mut Session,
    name: &Name,
    kind: ObjectKind,
    to: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let whole = to_alter(name, kind, context)?;
    whole.replace(session, &to.name, whole.schema(), None)?;
    stored_text::follow_names(session, context)
}

pub fn set_schema(
    session: &mut Session,
    name: &Name,
    kind: ObjectKind,
    schema: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let whole = to_alter(name, kind, context)?;
    let target = namespace::schema_oid(&schema.name, context)?;
    if whole.schema() == target {
        return Ok(());
    }
    if context.catalog.type_in_schema(target, whole.name()).is_some() {
        let message = format!("type \"{}\" already exists in schema \"{}\"", whole.name(), schema.name);
        return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
    }
    whole.replace(session, whole.name(), target, None)?;
    stored_text::follow_names(session, context)
}

pub fn set_owner(
    session: &mut Session,
    name: &Name,
    kind: ObjectKind,
    owner: &Ident,
    context: &StatementContext,
) -> Result<()> {
    let whole = to_alter(name, kind, context)?;
    let owner = role::existing(&owner.name, context)?.oid;
    whole.replace(session, whole.name(), whole.schema(), Some(owner))
}
