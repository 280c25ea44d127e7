//! Roles and their passwords (PostgreSQL manual, "CREATE ROLE").

use std::sync::Arc;

use aegis_catalog::definition::{Printer, describe};
use aegis_catalog::fixed_oid::{PG_AUTHID, PG_DATABASE, PG_NAMESPACE};
use aegis_catalog::object::{ObjectAddress, Role};
use aegis_catalog::{CatalogTransaction, Error, Result, TemporaryObjects, sqlstate};
use aegis_storage::Isolation;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use sha2::{Digest, Sha256};

use super::Outcome;
use crate::engine::Shared;
use crate::parse::ast::Ident;
use crate::parse::utility::{AlterRole, Grant, RoleOption};
use crate::session::Session;
use crate::session::context::StatementContext;

/// PBKDF2 rounds of new passwords, as PostgreSQL's.
const SCRAM_ITERATIONS: u32 = 4096;
const SALT_BYTES: usize = 16;

/// Sets a role's password in a transaction of its own (server start).
pub async fn set_password(shared: &Shared, name: &str, password: &str) -> Result<()> {
    let database = shared.catalog.database(name)?.database_oid();
    let mut transaction = shared.store.begin(Isolation::ReadCommitted);
    let mut catalog = CatalogTransaction::begin(&shared.catalog, database, &TemporaryObjects::default())?;
    let role = catalog
        .catalog()
        .role_by_name(name)
        .cloned()
        .ok_or_else(|| Error::new(sqlstate::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))?;
    let role = Role { password: Some(password_verifier(password)), ..Role::clone(&role) };
    catalog.replace_role(&mut transaction, role)?;
    transaction.commit(true).await?;
    catalog.publish(&mut TemporaryObjects::default());
    Ok(())
}

/// The role of that name. 42704 if there is none.
pub fn existing(name: &str, context: &StatementContext) -> Result<Arc<Role>> {
    let name = match name {
        "current_user" | "current_role" => &context.user,
        "session_user" => &context.session_user,
        name => name,
    };
    context
        .catalog
        .role_by_name(name)
        .cloned()
        .ok_or_else(|| Error::new(sqlstate::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")))
}

pub fn create(
    session: &mut Session,
    name: &str,
    options: &[RoleOption],
    login: bool,
    context: &StatementContext,
) -> Result<Outcome> {
    let on = |wanted: &str| {
        options.iter().any(|option| matches!(option, RoleOption::Flag { name, on: true } if name == wanted))
    };
    for (flag, what) in
        [("superuser", "superusers"), ("replication", "replication users"), ("bypassrls", "bypassrls users")]
    {
        if on(flag) && !session.superuser {
            return Err(denied(format!("must be superuser to create {what}")));
        }
    }
    require_create_role(session, context, "permission denied to create role")?;
    reject_conflicts(options)?;
    for group in options
        .iter()
        .filter_map(|option| match option {
            RoleOption::InRole(groups) => Some(groups),
            _ => None,
        })
        .flatten()
    {
        check_admin(session, &*existing(&group.name, context)?, context)?;
    }
    let mut role = Role { login, ..Role::new(0, name) };
    apply(&mut role, options, context)?;
    let open = session.writable("CREATE ROLE")?;
    let oid = open.catalog.create_role(open.tables.permanent(), role)?;
    for option in options {
        let (members, admin) = match option {
            RoleOption::Members(members) => (members, false),
            RoleOption::AdminMembers(members) => (members, true),
            _ => continue,
        };
        for member in members {
            let context = session.context()?;
            let made = context.catalog.role(oid).cloned().ok_or_else(|| Error::internal("a role went"))?;
            let member = existing(&member.name, &context)?;
            set_member(session, &made, &member, Membership { revoke: false, admin })?;
        }
    }
    Outcome::tag("CREATE ROLE")
}

fn denied(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message)
}

/// 42601 for options that are said twice.
fn reject_conflicts(options: &[RoleOption]) -> Result<()> {
    let key = |option: &RoleOption| match option {
        RoleOption::Flag { name, .. } => name.clone(),
        other => format!("{:?}", std::mem::discriminant(other)),
    };
    let mut seen = Vec::new();
    for option in options {
        if seen.contains(&key(option)) {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "conflicting or redundant options"));
        }
        seen.push(key(option));
    }
    Ok(())
}

pub fn alter(session: &mut Session, name: &str, action: &AlterRole, context: &StatementContext) -> Result<Outcome> {
    if name == "all" && matches!(action, AlterRole::Set { .. } | AlterRole::Reset { .. }) {
        return Err(Error::unsupported("ALTER ROLE ALL"));
    }
    let found = existing(name, context)?;
    check_alter(session, &found, action, context)?;
    let mut role = Role::clone(&found);
    match action {
        AlterRole::Options(options) => {
            reject_conflicts(options)?;
            apply(&mut role, options, context)?;
        }
        AlterRole::Set { database: Some(database), name, value } => {
            let mut own = take_settings(&mut role, database, context)?;
            super::database::set_stored(&mut own.1, name, Some(value))?;
            put_settings(&mut role, own);
        }
        AlterRole::Reset { database: Some(database), name } => {
            let mut own = take_settings(&mut role, database, context)?;
            match name {
                Some(name) => super::database::set_stored(&mut own.1, name, None)?,
                None => own.1.clear(),
            }
            put_settings(&mut role, own);
        }
        AlterRole::Set { name, value, .. } => super::database::set_stored(&mut role.settings, name, Some(value))?,
        AlterRole::Reset { name: Some(name), .. } => super::database::set_stored(&mut role.settings, name, None)?,
        AlterRole::Reset { name: None, .. } => role.settings.clear(),
    }
    let open = session.writable("ALTER ROLE")?;
    open.catalog.replace_role(open.tables.permanent(), role)?;
    Outcome::tag("ALTER ROLE")
}

type DatabaseSettings = (aegis_catalog::Oid, Vec<(String, String)>);

/// The role's settings in one database, taken out.
fn take_settings(role: &mut Role, database: &Ident, context: &StatementContext) -> Result<DatabaseSettings> {
    let found = context.catalog.database_by_name(&database.name).map(|database| database.oid);
    let oid = found.ok_or_else(|| {
        Error::new(sqlstate::UNDEFINED_DATABASE, format!("database \"{}\" does not exist", database.name))
    })?;
    let (own, others) = std::mem::take(&mut role.database_settings).into_iter().partition(|(of, ..)| *of == oid);
    role.database_settings = others;
    let own: Vec<_> = own;
    Ok((oid, own.into_iter().map(|(_, name, value): (aegis_catalog::Oid, String, String)| (name, value)).collect()))
}

fn put_settings(role: &mut Role, (database, settings): DatabaseSettings) {
    role.database_settings.extend(settings.into_iter().map(|(name, value)| (database, name, value)));
}

/// Who may alter which role.
fn check_alter(session: &Session, found: &Role, action: &AlterRole, context: &StatementContext) -> Result<()> {
    if session.superuser {
        return Ok(());
    }
    let own = found.oid == context.user_oid;
    let creates = context.catalog.role(context.user_oid).is_some_and(|role| role.create_role);
    match action {
        AlterRole::Options(options) => {
            let names = |wanted: &str| {
                options.iter().any(|option| matches!(option, RoleOption::Flag { name, .. } if name == wanted))
            };
            let changes_own_password = own && options.iter().all(|option| matches!(option, RoleOption::Password(_)));
            let message = if names("superuser") || found.superuser {
                "must be superuser to alter superuser roles or change superuser attribute"
            } else if names("replication") || found.replication {
                "must be superuser to alter replication roles or change replication attribute"
            } else if names("bypassrls") {
                "must be superuser to change bypassrls attribute"
            } else if !creates && !changes_own_password {
                "permission denied"
            } else {
                return Ok(());
            };
            Err(denied(message))
        }
        _ if found.superuser => Err(denied("must be superuser to alter superusers")),
        _ if own || creates => Ok(()),
        _ => Err(denied("permission denied")),
    }
}

pub fn drop(session: &mut Session, names: &[Ident], if_exists: bool, context: &StatementContext) -> Result<Outcome> {
    require_create_role(session, context, "permission denied to drop role")?;
    let session_user = session.backend.user_oid;
    let mut dropped = Vec::new();
    for name in names {
        if matches!(name.name.as_str(), "public" | "current_user" | "current_role" | "session_user") {
            let message = "cannot use special role specifier in DROP ROLE";
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
        let role = match existing(&name.name, context) {
            Ok(role) => role,
            Err(error) if if_exists => {
                session.skip_notice(&format!("{}, skipping", error.message()));
                continue;
            }
            Err(error) => return Err(error),
        };
        if role.oid == context.user_oid {
            return Err(Error::new(sqlstate::OBJECT_IN_USE, "current user cannot be dropped"));
        }
        if role.oid == session_user {
            return Err(Error::new(sqlstate::OBJECT_IN_USE, "session user cannot be dropped"));
        }
        if role.superuser && !session.superuser {
            return Err(denied("must be superuser to drop superusers"));
        }
        dropped.push(role);
    }
    for role in dropped {
        let mut dependents = dependents(&role, context);
        let objects = super::large_object::owned_by(session, &[role.oid])?;
        dependents.extend(objects.iter().map(|oid| format!("owner of large object {oid}")));
        if !dependents.is_empty() {
            let message = format!("role \"{}\" cannot be dropped because some objects depend on it", role.name);
            return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message).with_detail(dependents.join("\n")));
        }
        let catalog = session.context()?.catalog.clone();
        let open = session.writable("DROP ROLE")?;
        for member in catalog.roles().filter(|member| member.member_of.contains(&role.oid)) {
            let mut member = Role::clone(member);
            leave(&mut member, role.oid);
            open.catalog.replace_role(open.tables.permanent(), member)?;
        }
        open.catalog.drop_object(open.tables.permanent(), ObjectAddress::new(PG_AUTHID, role.oid))?;
    }
    Outcome::tag("DROP ROLE")
}

fn leave(member: &mut Role, group: aegis_catalog::Oid) {
    member.member_of.retain(|&oid| oid != group);
    member.admin_of.retain(|&oid| oid != group);
    member.granted_by.retain(|(oid, _)| *oid != group);
}

/// What keeps a role from being dropped, as the detail of the error lists it.
fn dependents(role: &Role, context: &StatementContext) -> Vec<String> {
    let catalog = &context.catalog;
    let printer = Printer { catalog, search_path: &context.search_path };
    let class = |class| move |oid| ObjectAddress::new(class, oid);
    let relations =
        catalog.user_relations().filter(|relation| relation.owner == role.oid && relation.index().is_none());
    let owned = catalog
        .databases()
        .filter(|database| database.owner == role.oid)
        .map(|database| class(PG_DATABASE)(database.oid))
        .chain(
            catalog
                .user_schemas()
                .filter(|schema| schema.owner == role.oid)
                .map(|schema| class(PG_NAMESPACE)(schema.oid)),
        )
        .chain(relations.map(|relation| relation.address()))
        .chain(catalog.routines().filter(|routine| routine.row.owner == role.oid).map(|routine| routine.address()));
    let mut lines: Vec<String> = owned.map(|address| format!("owner of {}", describe(printer, address))).collect();
    for privileges in catalog.all_privileges() {
        let concerned = |acl: &[aegis_catalog::acl::AclItem]| {
            acl.iter().any(|item| item.grantee == role.oid || item.grantor == role.oid)
        };
        let address = ObjectAddress::new(privileges.class, privileges.object);
        let owner = crate::privilege::Owned::of(address, catalog).map_or(0, |owned| owned.owner);
        if owner != role.oid && privileges.acl.as_deref().is_some_and(concerned) {
            lines.push(format!("privileges for {}", describe(printer, address)));
        }
        for (attnum, acl) in &privileges.columns {
            if owner != role.oid && concerned(acl) {
                let column = ObjectAddress::column(privileges.object, *attnum);
                lines.push(format!("privileges for {}", describe(printer, column)));
            }
        }
    }
    for default in catalog.default_privileges() {
        let word = match default.kind {
            'r' => "relations",
            'S' => "sequences",
            'f' => "functions",
            'T' => "types",
            _ => "schemas",
        };
        let place = match catalog.schema(default.schema) {
            Some(schema) => format!(" in schema {}", schema.name),
            None => String::new(),
        };
        let owner = catalog.role(default.role).map(|role| role.name.clone()).unwrap_or_default();
        let line = format!("default privileges on new {word} belonging to role {owner}{place}");
        if default.role == role.oid {
            lines.push(format!("owner of {line}"));
        } else if default.acl.iter().any(|item| item.grantee == role.oid) {
            lines.push(format!("privileges for {line}"));
        }
    }
    lines
}

/// GRANT and REVOKE of roles: membership. 0LP01 for a circle.
pub fn grant(session: &mut Session, grant: &Grant, context: &StatementContext) -> Result<Outcome> {
    for group in &grant.roles {
        let group = existing(&group.name, context)?;
        check_admin(session, &group, context)?;
        for member in &grant.grantees {
            let context = session.context()?;
            if member.name == "public" {
                return Err(Error::new(sqlstate::UNDEFINED_OBJECT, "role \"public\" does not exist"));
            }
            let member = existing(&member.name, &context)?;
            set_member(session, &group, &member, Membership { revoke: grant.revoke, admin: grant.grant_option })?;
        }
    }
    if grant.alters_group {
        return Outcome::tag("ALTER ROLE");
    }
    Outcome::tag(if grant.revoke { "REVOKE ROLE" } else { "GRANT ROLE" })
}

/// 42501 unless the user may say who belongs to the role.
fn check_admin(session: &Session, group: &Role, context: &StatementContext) -> Result<()> {
    if group.oid == aegis_catalog::fixed_oid::PG_DATABASE_OWNER {
        let message = format!("role \"{}\" cannot have explicit members", group.name);
        return Err(Error::new(sqlstate::INTERNAL_ERROR, message));
    }
    if session.superuser {
        return Ok(());
    }
    if group.superuser {
        return Err(denied("must be superuser to alter superusers"));
    }
    let catalog = &context.catalog;
    let creates = catalog.role(context.user_oid).is_some_and(|role| role.create_role);
    let mut roles = aegis_catalog::acl::roles_of(catalog, context.user_oid, false).into_iter();
    let admin = roles.any(|role| catalog.role(role).is_some_and(|role| role.admin_of.contains(&group.oid)));
    if creates || admin {
        return Ok(());
    }
    Err(denied(format!("must have admin option on role \"{}\"", group.name)))
}

/// What happens to a membership: made or ended, with or only the right to grant it.
#[derive(Clone, Copy)]
struct Membership {
    revoke: bool,
    admin: bool,
}

fn set_member(session: &mut Session, group: &Role, member: &Arc<Role>, change: Membership) -> Result<()> {
    let context = session.context()?;
    let (is_member, is_admin) = (member.member_of.contains(&group.oid), member.admin_of.contains(&group.oid));
    let mut changed = Role::clone(member);
    if change.revoke {
        if !is_member {
            let message = format!("role \"{}\" is not a member of role \"{}\"", member.name, group.name);
            session.warn(sqlstate::WARNING, &message);
            return Ok(());
        }
        if change.admin {
            changed.admin_of.retain(|&oid| oid != group.oid);
        } else {
            leave(&mut changed, group.oid);
        }
    } else {
        if group.oid == member.oid || belongs(group, member.oid, &context) {
            let message = format!("role \"{}\" is a member of role \"{}\"", group.name, member.name);
            return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
        }
        if is_member && (is_admin || !change.admin) {
            let message = format!("role \"{}\" is already a member of role \"{}\"", member.name, group.name);
            session.skip_notice(&message);
            return Ok(());
        }
        if !is_member {
            changed.member_of.push(group.oid);
            changed.granted_by.push((group.oid, context.user_oid));
        }
        if change.admin {
            changed.admin_of.push(group.oid);
        }
    }
    let open = session.writable("GRANT")?;
    open.catalog.replace_role(open.tables.permanent(), changed)?;
    Ok(())
}

/// Is the role a member of the other, directly or not?
fn belongs(role: &Role, other: aegis_catalog::Oid, context: &StatementContext) -> bool {
    aegis_catalog::acl::roles_of(&context.catalog, role.oid, false).contains(&other)
}

/// 42501 unless the user belongs to the role that is to own something.
pub fn require_member(role: aegis_catalog::Oid, context: &StatementContext) -> Result<()> {
    if aegis_catalog::acl::is_member_of(&context.catalog, context.user_oid, role) {
        return Ok(());
    }
    let name = context.catalog.role(role).map(|role| role.name.clone()).unwrap_or_default();
    Err(denied(format!("must be member of role \"{name}\"")))
}

fn require_create_role(session: &Session, context: &StatementContext, message: &str) -> Result<()> {
    let creates = context.catalog.role(context.user_oid).is_some_and(|role| role.create_role);
    if session.superuser || creates { Ok(()) } else { Err(denied(message)) }
}

fn apply(role: &mut Role, options: &[RoleOption], context: &StatementContext) -> Result<()> {
    for option in options {
        match option {
            RoleOption::Flag { name, on } => match name.to_ascii_lowercase().as_str() {
                "superuser" => role.superuser = *on,
                "login" => role.login = *on,
                "createdb" => role.create_db = *on,
                "createrole" => role.create_role = *on,
                "inherit" => role.inherit = *on,
                "replication" => role.replication = *on,
                "bypassrls" => role.bypass_rls = *on,
                other => {
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, format!("unrecognized role option \"{other}\"")));
                }
            },
            RoleOption::Password(password) => {
                role.password = password.as_deref().filter(|text| !text.is_empty()).map(password_verifier);
            }
            RoleOption::ConnectionLimit(limit) => role.connection_limit = *limit,
            RoleOption::ValidUntil(text) => {
                let ty = aegis_catalog::Type::of(aegis_catalog::types::oid::TIMESTAMPTZ);
                let parsed = aegis_catalog::types::parse_scalar(ty, text, &context.format)?;
                let moments = parsed.as_any().downcast_ref::<arrow::array::TimestampMicrosecondArray>();
                role.valid_until = moments.map(|moments| moments.value(0));
            }
            RoleOption::InRole(groups) => {
                for group in groups {
                    let group = existing(&group.name, context)?.oid;
                    if !role.member_of.contains(&group) {
                        role.member_of.push(group);
                    }
                }
            }
            // The role must be there first.
            RoleOption::Members(_) | RoleOption::AdminMembers(_) => {}
        }
    }
    Ok(())
}

/// What is stored for a password: the SCRAM-SHA-256 verifier (RFC 5803), unless it is one already.
pub fn password_verifier(password: &str) -> String {
    if password.starts_with("SCRAM-SHA-256$") {
        return password.to_owned();
    }
    let salt: [u8; SALT_BYTES] = rand::random();
    scram_verifier(password, &salt, SCRAM_ITERATIONS)
}

/// True if the password belongs to the verifier. Compares in constant time.
pub fn password_matches(password: &str, verifier: &str) -> bool {
    let parts = || {
        let (iterations, salt) = verifier.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?.0.split_once(':')?;
        Some((iterations.parse::<u32>().ok()?, BASE64.decode(salt).ok()?))
    };
    let Some((iterations, salt)) = parts() else { return false };
    let own = scram_verifier(password, &salt, iterations);
    own.len() == verifier.len() && own.bytes().zip(verifier.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

fn scram_verifier(password: &str, salt: &[u8], iterations: u32) -> String {
    let salted = salted_password(password.as_bytes(), salt, iterations);
    let stored = Sha256::digest(hmac(&salted, b"Client Key"));
    let server = hmac(&salted, b"Server Key");
    format!("SCRAM-SHA-256${iterations}:{}${}:{}", BASE64.encode(salt), BASE64.encode(stored), BASE64.encode(server))
}

/// `Hi` of RFC 5802: PBKDF2 with HMAC-SHA-256 and one block.
fn salted_password(password: &[u8], salt: &[u8], iterations: u32) -> [u8; 32] {
    let mut block = hmac(password, &[salt, &1u32.to_be_bytes()].concat());
    let mut result = block;
    for _ in 1..iterations {
        block = hmac(password, &block);
        result.iter_mut().zip(block).for_each(|(r, b)| *r ^= b);
    }
    result
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    let mut padded = [0u8; BLOCK];
    if key.len() > BLOCK {
        padded[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        padded[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new().chain_update(padded.map(|b| b ^ 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded.map(|b| b ^ 0x5c)).chain_update(inner).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677 section 3: user "user", password "pencil".
    #[test]
    fn the_verifier_is_that_of_the_rfc() {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let verifier = scram_verifier("pencil", &salt, 4096);
        assert_eq!(
            verifier,
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
        );
    }
}
