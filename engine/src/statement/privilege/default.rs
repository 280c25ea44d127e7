//! ALTER DEFAULT PRIVILEGES, and what new objects get by them.

use aegis_catalog::acl::{self, AclKind};
use aegis_catalog::object::{DefaultPrivileges, Privileges};
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::grant::{grantees, merge};
use crate::parse::utility::DefaultGrant;
use crate::privilege::Owned;
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::{Outcome, namespace, role};

/// The kinds of objects, with the letters of `pg_default_acl`.
fn kind_of(word: &str) -> Result<(char, AclKind)> {
    Ok(match word {
        "tables" => ('r', AclKind::Table),
        "sequences" => ('S', AclKind::Sequence),
        "functions" | "routines" => ('f', AclKind::Function),
        "types" => ('T', AclKind::Type),
        "schemas" => ('n', AclKind::Schema),
        other => return Err(Error::unsupported(format!("default privileges on {other}"))),
    })
}

pub fn alter_default(session: &mut Session, alter: &DefaultGrant, context: &StatementContext) -> Result<Outcome> {
    const TAG: &str = "ALTER DEFAULT PRIVILEGES";
    session.writable(TAG)?;
    let (letter, kind) = kind_of(&alter.objects)?;
    let grantees = grantees(&alter.grant.grantees, context)?;
    if alter.grant.grant_option && !alter.grant.revoke && grantees.contains(&0) {
        let message = "grant options can only be granted to roles";
        return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
    }
    let mut rights = if alter.grant.privileges.is_empty() { kind.all() } else { 0 };
    for (name, columns) in &alter.grant.privileges {
        if !columns.is_empty() {
            let message = "default privileges cannot be set for columns";
            return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
        }
        let right = match name.as_str() {
            "all" | "all privileges" => kind.all(),
            name => acl::right(&name.to_ascii_uppercase()).unwrap_or(0),
        };
        if right == 0 || right & !kind.all() != 0 {
            let (name, place) = (name.to_ascii_uppercase(), place_of(kind));
            let message = format!("invalid privilege type {name} for {place}");
            return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
        }
        rights |= right;
    }
    let roles: Vec<Oid> = match alter.roles.is_empty() {
        true => vec![context.user_oid],
        false => alter
            .roles
            .iter()
            .map(|name| role::existing(&name.name, context).map(|role| role.oid))
            .collect::<Result<_>>()?,
    };
    if letter == 'n' && !alter.schemas.is_empty() {
        let message = "cannot use IN SCHEMA clause when using GRANT/REVOKE ON SCHEMAS";
        return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
    }
    for role in roles {
        if !acl::is_member_of(&context.catalog, context.user_oid, role) {
            let name = context.catalog.role(role).map(|role| role.name.clone()).unwrap_or_default();
            let message = format!("must be member of role \"{name}\"");
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message));
        }
        let schemas: Vec<Oid> = match alter.schemas.is_empty() {
            true => vec![0],
            false => {
                alter.schemas.iter().map(|name| namespace::schema_oid(&name.name, context)).collect::<Result<_>>()?
            }
        };
        for schema in schemas {
            let known = context
                .catalog
                .default_privileges()
                .find(|other| (other.role, other.schema, other.kind) == (role, schema, letter));
            // Those of a schema are added to those of all schemas.
            let initial = || if schema == 0 { kind.default_acl(role) } else { Vec::new() };
            let mut acl = known.map_or_else(initial, |known| known.acl.clone());
            merge(&mut acl, &alter.grant, &grantees, role, rights, role)?;
            let oid = known.map_or(0, |known| known.oid);
            let same = acl == if schema == 0 { kind.default_acl(role) } else { Vec::new() };
            let open = session.writable(TAG)?;
            match (same, known) {
                (true, Some(known)) => {
                    let address =
                        aegis_catalog::object::ObjectAddress::new(aegis_catalog::fixed_oid::PG_DEFAULT_ACL, known.oid);
                    open.catalog.drop_object(open.tables.permanent(), address)?;
                }
                (true, None) => {}
                (false, _) => {
                    let default = DefaultPrivileges { oid, role, schema, kind: letter, acl };
                    open.catalog.set_default_privileges(open.tables.permanent(), default)?;
                }
            }
        }
    }
    Outcome::tag(TAG)
}

fn place_of(kind: AclKind) -> &'static str {
    match kind {
        AclKind::Table => "relation",
        AclKind::Sequence => "sequence",
        AclKind::Function => "function",
        AclKind::Type => "type",
        _ => "schema",
    }
}

/// Gives a new object what its owner's default privileges say (`get_user_default_acl`).
pub fn apply_default(session: &mut Session, made: &Owned, schema: Oid) -> Result<()> {
    let context = session.context()?;
    let catalog = &context.catalog;
    if catalog.default_privileges().next().is_none() {
        return Ok(());
    }
    let letter = match made.kind {
        AclKind::Table => 'r',
        AclKind::Sequence => 'S',
        AclKind::Function => 'f',
        AclKind::Type => 'T',
        AclKind::Schema => 'n',
        _ => return Ok(()),
    };
    let of = |schema: Oid| {
        let mut all = catalog.default_privileges();
        all.find(|other| (other.role, other.schema, other.kind) == (made.owner, schema, letter))
    };
    let default = made.kind.default_acl(made.owner);
    let mut acl = of(0).map_or_else(|| default.clone(), |global| global.acl.clone());
    if let Some(of_schema) = of(schema).filter(|_| schema != 0) {
        of_schema.acl.iter().for_each(|item| acl::grant(&mut acl, *item));
    }
    if acl == default {
        return Ok(());
    }
    let privileges = Privileges { acl: Some(acl), ..Privileges::new(made.address) };
    let open = session.writable("GRANT")?;
    open.catalog.set_privileges(open.tables.permanent(), privileges)
}
