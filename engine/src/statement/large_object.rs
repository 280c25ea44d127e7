//! ALTER LARGE OBJECT, and the objects that COMMENT, GRANT and REVOKE name by number (PostgreSQL manual).

use aegis_catalog::acl::{AclItem, grant, has_privileges_of};
use aegis_catalog::object::Privileges;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::role;
use crate::large_object::LargeObject;
use crate::parse::ast::Ident;
use crate::parse::utility::{ObjectKind, ObjectName};
use crate::session::Session;
use crate::session::context::StatementContext;

pub const KIND: ObjectKind = ObjectKind::Other("LARGE OBJECT");

/// 42704 if there is none of that number.
pub fn existing(session: &mut Session, object: &ObjectName) -> Result<LargeObject> {
    let written = super::namespace::written(&object.name);
    let oid = written.parse().map_err(|_| {
        let message = format!("invalid input syntax for type oid: \"{written}\"");
        Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message).at(object.name.span.start)
    })?;
    session.large_objects()?.existing(oid)
}

pub fn set_owner(session: &mut Session, object: &ObjectName, owner: &Ident, context: &StatementContext) -> Result<()> {
    let object = existing(session, object)?;
    object.owned().require_owner(context)?;
    let owner = role::existing(&owner.name, context)?;
    if !has_privileges_of(&context.catalog, context.user_oid, owner.oid) {
        let message = format!("must be member of role \"{}\"", owner.name);
        return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
    }
    hand_over(session, &object, owner.oid, context)
}

/// The old owner's privileges become the new one's.
fn hand_over(session: &mut Session, object: &LargeObject, owner: Oid, context: &StatementContext) -> Result<()> {
    session.large_objects()?.set_owner(object, owner)?;
    let Some(privileges) = context.catalog.privileges(object.owned().address) else { return Ok(()) };
    let mut privileges = Privileges::clone(privileges);
    let renamed = |role: Oid| if role == object.owner { owner } else { role };
    if let Some(old) = privileges.acl.take() {
        let mut acl = Vec::with_capacity(old.len());
        for item in old {
            grant(&mut acl, AclItem { grantee: renamed(item.grantee), grantor: renamed(item.grantor), ..item });
        }
        privileges.acl = Some(acl);
    }
    let open = session.writable("ALTER LARGE OBJECT")?;
    open.catalog.set_privileges(open.tables.permanent(), privileges)
}

/// The objects of these roles.
pub fn owned_by(session: &mut Session, owners: &[Oid]) -> Result<Vec<Oid>> {
    let all = session.large_objects()?.owners()?;
    Ok(all.into_iter().filter(|(_, owner)| owners.contains(owner)).map(|(oid, _)| oid).collect())
}

/// REASSIGN OWNED.
pub fn reassign(session: &mut Session, from: &[Oid], owner: Oid, context: &StatementContext) -> Result<()> {
    for oid in owned_by(session, from)? {
        let object = session.large_objects()?.existing(oid)?;
        hand_over(session, &object, owner, context)?;
    }
    Ok(())
}

/// DROP OWNED.
pub fn drop_owned(session: &mut Session, owners: &[Oid], context: &StatementContext) -> Result<()> {
    for oid in owned_by(session, owners)? {
        unlink(session, oid, context)?;
    }
    Ok(())
}

/// Removes an object and what the catalog says of it.
pub fn unlink(session: &mut Session, oid: Oid, context: &StatementContext) -> Result<()> {
    let object = session.large_objects()?.existing(oid)?;
    session.large_objects()?.unlink(&object)?;
    let address = object.owned().address;
    let open = session.transaction.as_mut().ok_or_else(|| Error::internal("large objects outside a transaction"))?;
    open.large_objects.forget(oid);
    if context.catalog.comment(address).is_some() {
        open.catalog.set_comment(open.tables.permanent(), address, None)?;
    }
    open.catalog.set_privileges(open.tables.permanent(), Privileges::new(address))
}
