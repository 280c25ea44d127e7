//! CREATE and ALTER EXTENSION (PostgreSQL manual): runs the extension's script, and makes what it has made members of it.

use std::collections::BTreeSet;

use aegis_catalog::acl::rights;
use aegis_catalog::definition::quote_identifier;
use aegis_catalog::fixed_oid::{BOOTSTRAP_SUPERUSER, PG_DATABASE, PG_EXTENSION, PG_NAMESPACE, PG_TYPE};
use aegis_catalog::object::{
    Dependency, DependencyKind, Descriptor, DescriptorKind, Extension, ObjectAddress, RelationKind, UserType,
    UserTypeKind,
};
use aegis_catalog::types::type_info;
use aegis_catalog::{Catalog, Error, Result, sqlstate};

use super::{Outcome, descriptor, namespace};
use crate::parse::utility::{AlterExtension, CreateExtension};
use crate::privilege::Owned;
use crate::session::Session;
use crate::session::context::StatementContext;

pub async fn create(session: &mut Session, create: &CreateExtension, context: &StatementContext) -> Result<Outcome> {
    const TAG: &str = "CREATE EXTENSION";
    let name = &create.name.name;
    session.writable(TAG)?;
    if context.catalog.descriptor_by_name(PG_EXTENSION, 0, name).is_some() {
        let message = format!("extension \"{name}\" already exists");
        if create.if_not_exists {
            session.skip_notice_as(sqlstate::DUPLICATE_OBJECT, &format!("{message}, skipping"));
            return Outcome::tag(TAG);
        }
        return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
    }
    let Some(found) = context.extensions.named(name) else {
        return Err(Error::unsupported(format!("extension \"{name}\"")));
    };
    require_right(found, session.superuser, context)?;
    let version = create.version.as_deref().unwrap_or(found.newest());
    let Some(updates) = found.path(found.version, version) else {
        let message =
            format!("extension \"{name}\" has no installation script nor update path for version \"{version}\"");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    };
    let schema = match &create.schema {
        Some(schema) => namespace::schema_oid(&schema.name, context)?,
        None => context
            .search_path
            .creation_schema()
            .ok_or_else(|| Error::new(sqlstate::UNDEFINED_SCHEMA, "no schema has been selected to create in"))?,
    };
    let kind = DescriptorKind::Extension(Extension { version: version.to_owned(), relocatable: found.relocatable });
    let made = Descriptor { oid: 0, schema, name: name.clone(), owner: context.user_oid, kind };
    let open = session.writable(TAG)?;
    let made = open.catalog.create_descriptor(open.tables.permanent(), made)?;
    let before = objects(&*session.catalog()?);
    for oid in found.types {
        let Some(info) = type_info(*oid) else { continue };
        let (name, owner) = (info.name.to_owned(), context.user_oid);
        let ty = UserType { oid: *oid, array_type: info.array, schema, name, owner, kind: UserTypeKind::Base };
        let open = session.writable(TAG)?;
        open.catalog.create_type(open.tables.permanent(), ty)?;
    }
    let schema = context.catalog.schema(schema).map_or("", |schema| schema.name.as_str());
    for script in std::iter::once(found.script).chain(updates.iter().map(|update| update.script)) {
        run_script(session, script, schema).await?;
    }
    add_members(session, made.address(), &before)?;
    let open = session.writable(TAG)?;
    open.catalog.set_comment(open.tables.permanent(), made.address(), Some(found.comment))?;
    Outcome::tag(TAG)
}

/// What scripts have made is the extension's.
fn add_members(session: &mut Session, extension: ObjectAddress, before: &BTreeSet<ObjectAddress>) -> Result<()> {
    for member in objects(&*session.catalog()?).difference(before) {
        let edge = Dependency { dependent: *member, referenced: extension, kind: DependencyKind::Extension };
        let open = session.writable("CREATE EXTENSION")?;
        open.catalog.add_dependency(open.tables.permanent(), edge)?;
    }
    Ok(())
}

fn require_right(extension: &crate::extension::Extension, superuser: bool, context: &StatementContext) -> Result<()> {
    let database = ObjectAddress::new(PG_DATABASE, context.database_oid);
    let database = Owned::of(database, &context.catalog);
    let may_create = database.is_some_and(|database| database.require(rights("C"), context).is_ok());
    if superuser || extension.trusted && may_create {
        return Ok(());
    }
    let hint = match extension.trusted {
        true => "Must have CREATE privilege on current database to create this extension.",
        false => "Must be superuser to create this extension.",
    };
    let message = format!("permission denied to create extension \"{}\"", extension.name);
    Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message).with_hint(hint))
}

/// What a script may have made.
fn objects(catalog: &Catalog) -> BTreeSet<ObjectAddress> {
    let relations = catalog.user_relations().filter(|relation| !matches!(relation.kind, RelationKind::Index(_)));
    let relations = relations.map(|relation| match relation.kind {
        RelationKind::Composite => ObjectAddress::new(PG_TYPE, relation.row_type),
        _ => relation.address(),
    });
    let routines = catalog.routines().map(|routine| routine.address());
    let schemas = catalog.user_schemas().map(|schema| ObjectAddress::new(PG_NAMESPACE, schema.oid));
    let types = catalog.user_types().map(|of| of.address());
    let descriptors = catalog.descriptors().map(|descriptor| descriptor.address());
    relations.chain(routines).chain(schemas).chain(types).chain(descriptors).collect()
}

/// Runs the script with the extension's schema first on the path, and in the place of `@extschema@`. What a trusted one makes belongs to the
/// superuser.
async fn run_script(session: &mut Session, script: &str, schema: &str) -> Result<()> {
    let mark = session.backend.settings.lock().mark();
    super::schema::put_first(session, schema)?;
    if !session.superuser {
        let superuser = session.catalog()?.role(BOOTSTRAP_SUPERUSER).map(|role| role.name.clone());
        let superuser = superuser.ok_or_else(|| Error::internal("the superuser is gone"))?;
        session.backend.settings.lock().set("role", Some(&[superuser]), true, true)?;
        session.refresh_identity()?;
    }
    let ran = session.run_sql(&script.replace("@extschema@", &quote_identifier(schema)), &[], false).await;
    session.backend.settings.lock().rollback_to(mark);
    session.refresh_identity()?;
    ran.map(|_| ())
}

/// ALTER EXTENSION … UPDATE: runs the scripts between the version that there is and the one that is wanted.
pub async fn alter(session: &mut Session, alter: &AlterExtension, context: &StatementContext) -> Result<Outcome> {
    const TAG: &str = "ALTER EXTENSION";
    let AlterExtension { name, update_to } = alter;
    let written = crate::parse::ast::Name { span: name.span, parts: vec![name.clone()] };
    let made = descriptor::owned(PG_EXTENSION, &written, context)?;
    let name = &made.name;
    let version = made.extension().map_or("", |extension| extension.version.as_str());
    let found = context.extensions.named(name);
    let wanted = update_to.as_deref().or(found.map(|found| found.newest())).unwrap_or(version);
    if wanted == version {
        session.skip_notice(&format!("version \"{version}\" of extension \"{name}\" is already installed"));
        return Outcome::tag(TAG);
    }
    let Some((found, updates)) = found.and_then(|found| Some((found, found.path(version, wanted)?))) else {
        let message =
            format!("extension \"{name}\" has no update path from version \"{version}\" to version \"{wanted}\"");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    };
    require_right(found, session.superuser, context)?;
    let before = objects(&context.catalog);
    let schema = context.catalog.schema(made.schema).map_or("", |schema| schema.name.as_str());
    for update in updates {
        run_script(session, update.script, schema).await?;
    }
    add_members(session, made.address(), &before)?;
    let kind = DescriptorKind::Extension(Extension { version: wanted.to_owned(), relocatable: found.relocatable });
    let changed = Descriptor { kind, ..Descriptor::clone(&made) };
    let open = session.writable(TAG)?;
    open.catalog.replace_descriptor(open.tables.permanent(), changed)?;
    Outcome::tag(TAG)
}
