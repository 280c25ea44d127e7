//! Roles and their passwords (PostgreSQL manual, "CREATE ROLE").

use std::sync::Arc;

use aegis_catalog::fixed_oid::PG_AUTHID;
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
        "current_user" | "current_role" | "session_user" => &context.user,
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
    require_superuser(session, "create role")?;
    let mut role = Role {
        oid: 0,
        name: name.to_owned(),
        superuser: false,
        login,
        create_db: false,
        create_role: false,
        inherit: true,
        replication: false,
        bypass_rls: false,
        connection_limit: -1,
        password: None,
        valid_until: None,
        member_of: Vec::new(),
        settings: Vec::new(),
    };
    apply(&mut role, options, context)?;
    let open = session.writable("CREATE ROLE")?;
    open.catalog.create_role(open.tables.permanent(), role)?;
    Outcome::tag("CREATE ROLE")
}

pub fn alter(session: &mut Session, name: &str, action: &AlterRole, context: &StatementContext) -> Result<Outcome> {
    let found = existing(name, context)?;
    if found.oid != context.user_oid {
        require_superuser(session, "alter role")?;
    }
    let mut role = Role::clone(&found);
    match action {
        AlterRole::Options(options) => {
            if !session.superuser && options.iter().any(|option| !matches!(option, RoleOption::Password(_))) {
                require_superuser(session, "alter role")?;
            }
            apply(&mut role, options, context)?;
        }
        AlterRole::Set { database: Some(_), .. } | AlterRole::Reset { database: Some(_), .. } => {
            return Err(Error::unsupported("ALTER ROLE … IN DATABASE"));
        }
        AlterRole::Set { name, value, .. } => super::database::set_stored(&mut role.settings, name, Some(value))?,
        AlterRole::Reset { name: Some(name), .. } => super::database::set_stored(&mut role.settings, name, None)?,
        AlterRole::Reset { name: None, .. } => role.settings.clear(),
    }
    let open = session.writable("ALTER ROLE")?;
    open.catalog.replace_role(open.tables.permanent(), role)?;
    Outcome::tag("ALTER ROLE")
}

pub fn drop(session: &mut Session, names: &[Ident], if_exists: bool, context: &StatementContext) -> Result<Outcome> {
    require_superuser(session, "drop role")?;
    for name in names {
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
        let owns = context.catalog.user_relations().any(|relation| relation.owner == role.oid)
            || context.catalog.schemas().any(|schema| schema.owner == role.oid)
            || context.catalog.databases().any(|database| database.owner == role.oid);
        if owns {
            let message = format!("role \"{}\" cannot be dropped because some objects depend on it", role.name);
            return Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message));
        }
        let open = session.writable("DROP ROLE")?;
        open.catalog.drop_object(open.tables.permanent(), ObjectAddress::new(PG_AUTHID, role.oid))?;
    }
    Outcome::tag("DROP ROLE")
}

/// GRANT and REVOKE of roles: membership. 0LP01 for a circle.
pub fn grant(session: &mut Session, grant: &Grant, context: &StatementContext) -> Result<Outcome> {
    let tag = if grant.revoke { "REVOKE" } else { "GRANT" };
    if grant.objects.is_some() {
        return Err(Error::unsupported(format!("{tag} of privileges")));
    }
    if grant.grant_option {
        return Err(Error::unsupported("ADMIN OPTION"));
    }
    require_superuser(session, "grant roles")?;
    for group in &grant.roles {
        let group = existing(&group.name, context)?;
        for member in &grant.grantees {
            let member = existing(&member.name, &*session.context()?)?;
            set_member(session, &group, &member, grant.revoke)?;
        }
    }
    Outcome::tag(if grant.revoke { "REVOKE ROLE" } else { "GRANT ROLE" })
}

fn set_member(session: &mut Session, group: &Role, member: &Arc<Role>, revoke: bool) -> Result<()> {
    let context = session.context()?;
    let is_member = member.member_of.contains(&group.oid);
    if is_member != revoke {
        let already = if revoke { "is not" } else { "is already" };
        session.skip_notice(&format!("role \"{}\" {already} a member of role \"{}\"", member.name, group.name));
        return Ok(());
    }
    if !revoke && (group.oid == member.oid || belongs(group, member.oid, &context)) {
        let message = format!("role \"{}\" is a member of role \"{}\"", group.name, member.name);
        return Err(Error::new(sqlstate::INVALID_GRANT_OPERATION, message));
    }
    let mut changed = Role::clone(member);
    if revoke {
        changed.member_of.retain(|&oid| oid != group.oid);
    } else {
        changed.member_of.push(group.oid);
    }
    let open = session.writable("GRANT")?;
    open.catalog.replace_role(open.tables.permanent(), changed)?;
    Ok(())
}

/// Is the role a member of the other, directly or not?
fn belongs(role: &Role, other: aegis_catalog::Oid, context: &StatementContext) -> bool {
    let (mut waiting, mut seen) = (role.member_of.clone(), Vec::new());
    while let Some(group) = waiting.pop() {
        if group == other {
            return true;
        }
        if !seen.contains(&group) {
            seen.push(group);
            waiting.extend(context.catalog.role(group).into_iter().flat_map(|group| group.member_of.clone()));
        }
    }
    false
}

fn require_superuser(session: &Session, what: &str) -> Result<()> {
    if session.superuser {
        return Ok(());
    }
    Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, format!("permission denied to {what}")))
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
            RoleOption::Members(_) | RoleOption::AdminMembers(_) => {
                return Err(Error::unsupported("CREATE ROLE with members"));
            }
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
