//! REASSIGN OWNED and DROP OWNED.

use aegis_catalog::acl;
use aegis_catalog::definition::Printer;
use aegis_catalog::dependency::plan_drop;
use aegis_catalog::fixed_oid::PG_EXTENSION;
use aegis_catalog::object::{ObjectAddress, Privileges, Relation, RelationKind, Routine, Schema};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use crate::extension::Caller;
use crate::parse::ast::Ident;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, drop, large_object, role};

fn roles(names: &[Ident], what: &str, context: &StatementContext) -> Result<Vec<Oid>> {
    let mut roles = Vec::with_capacity(names.len());
    for name in names {
        let role = role::existing(&name.name, context)?;
        if !acl::has_privileges_of(&context.catalog, context.user_oid, role.oid) {
            let message = format!("permission denied to {what} objects");
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
        }
        roles.push(role.oid);
    }
    Ok(roles)
}

pub async fn reassign(
    session: &mut Session,
    from: &[Ident],
    to: &Ident,
    context: &StatementContext,
) -> Result<Outcome> {
    const TAG: &str = "REASSIGN OWNED";
    session.writable(TAG)?;
    let from = roles(from, "reassign", context)?;
    let owner = roles(std::slice::from_ref(to), "reassign", context)?.into_iter().next().unwrap_or_default();
    let catalog = context.catalog.clone();
    let open = session.writable(TAG)?;
    for relation in catalog.user_relations().filter(|relation| from.contains(&relation.owner)) {
        let changed = Relation { owner, ..Relation::clone(relation) };
        open.catalog.replace_relation(open.tables.permanent(), changed)?;
    }
    for schema in catalog.user_schemas().filter(|schema| from.contains(&schema.owner)) {
        open.catalog.replace_schema(open.tables.permanent(), Schema { owner, ..Schema::clone(schema) })?;
    }
    for routine in catalog.routines().filter(|routine| from.contains(&routine.row.owner)) {
        let mut changed = Routine::clone(routine);
        changed.row.owner = owner;
        open.catalog.replace_routine(open.tables.permanent(), changed)?;
    }
    large_object::reassign(session, &from, owner, context)?;
    reassign_work(session, &from, owner, context).await?;
    Outcome::tag(TAG)
}

/// What extensions do in the background for these roles is done for the new owner.
async fn reassign_work(session: &mut Session, from: &[Oid], to: Oid, context: &StatementContext) -> Result<()> {
    let name = |role: Oid| context.catalog.role(role).map(|role| role.name.clone()).unwrap_or_default();
    for extension in context.extensions.all() {
        let installed = context.catalog.descriptor_by_name(PG_EXTENSION, 0, extension.name);
        let (Some(background), Some(installed)) = (extension.background, installed) else { continue };
        for role in from {
            let roles = crate::row![name(*role).as_str(), name(to).as_str()];
            Caller::new(session, true, installed.owner).query_as_owner(background.reassign, roles).await?;
        }
    }
    Ok(())
}

pub fn drop_owned(
    session: &mut Session,
    names: &[Ident],
    cascade: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    const TAG: &str = "DROP OWNED";
    session.writable(TAG)?;
    let owners = roles(names, "drop", context)?;
    let catalog = context.catalog.clone();
    let whole = |relation: &&std::sync::Arc<Relation>| match &relation.kind {
        RelationKind::Index(_) => false,
        RelationKind::Sequence(sequence) => sequence.owned_by.is_none(),
        _ => true,
    };
    let relations = catalog.user_relations().filter(|relation| owners.contains(&relation.owner)).filter(whole);
    let mut roots: Vec<ObjectAddress> = relations.map(|relation| relation.address()).collect();
    let routines = catalog.routines().filter(|routine| owners.contains(&routine.row.owner));
    roots.extend(routines.map(|routine| routine.address()));
    let schemas = catalog.user_schemas().filter(|schema| owners.contains(&schema.owner));
    roots.extend(schemas.map(|schema| ObjectAddress::new(aegis_catalog::fixed_oid::PG_NAMESPACE, schema.oid)));
    if !roots.is_empty() {
        let printer = Printer { catalog: &catalog, search_path: &context.search_path };
        let plan = plan_drop(printer, &roots, cascade)?;
        drop::announce(session, &plan);
        drop::apply(session, &plan)?;
    }
    large_object::drop_owned(session, &owners, context)?;
    let catalog = session.context()?.catalog.clone();
    let defaults: Vec<_> =
        catalog.default_privileges().filter(|default| owners.contains(&default.role)).cloned().collect();
    let lists: Vec<_> = catalog.all_privileges().cloned().collect();
    let open = session.writable(TAG)?;
    for default in defaults {
        let address = ObjectAddress::new(aegis_catalog::fixed_oid::PG_DEFAULT_ACL, default.oid);
        open.catalog.drop_object(open.tables.permanent(), address)?;
    }
    for privileges in lists {
        let mut changed = Privileges::clone(&privileges);
        let keep = |item: &acl::AclItem| !owners.contains(&item.grantee);
        changed.acl.iter_mut().for_each(|acl| acl.retain(keep));
        changed.columns.iter_mut().for_each(|(_, acl)| acl.retain(keep));
        changed.columns.retain(|(_, acl)| !acl.is_empty());
        if changed != *privileges {
            open.catalog.set_privileges(open.tables.permanent(), changed)?;
        }
    }
    Outcome::tag(TAG)
}
