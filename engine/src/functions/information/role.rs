//! Roles and membership.

use aegis_catalog::image::Catalog;
use aegis_catalog::{Error, Oid, Result, acl, sqlstate};

use crate::functions::Call;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "pg_get_userbyid(oid)",
            kernel!(|call; role: u32| match call.context.catalog.role(role) {
                Some(role) => role.name.clone(),
                None => format!("unknown (OID={role})"),
            }),
        ),
        f(
            "pg_has_role(name, name, text)",
            kernel!(|call; user: &str, role: &str, p: &str| has_role(call, named(call, user)?, named(call, role)?, p)),
        ),
        f(
            "pg_has_role(name, oid, text)",
            kernel!(|call; user: &str, role: u32, p: &str| has_role(call, named(call, user)?, role, p)),
        ),
        f(
            "pg_has_role(oid, name, text)",
            kernel!(|call; user: u32, role: &str, p: &str| has_role(call, user, named(call, role)?, p)),
        ),
        f("pg_has_role(oid, oid, text)", kernel!(|call; user: u32, role: u32, p: &str| has_role(call, user, role, p))),
        f(
            "pg_has_role(name, text)",
            kernel!(|call; role: &str, p: &str| has_role(call, call.context.user_oid, named(call, role)?, p)),
        ),
        f("pg_has_role(oid, text)", kernel!(|call; role: u32, p: &str| has_role(call, call.context.user_oid, role, p))),
    ]
}

pub fn named(call: &Call<'_>, name: &str) -> Result<Oid> {
    match call.context.catalog.role_by_name(name) {
        Some(role) => Ok(role.oid),
        None => Err(Error::new(sqlstate::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))),
    }
}

fn has_role(call: &Call<'_>, user: Oid, role: Oid, privileges: &str) -> Result<bool> {
    let catalog = &call.context.catalog;
    let mut has = false;
    for privilege in privileges.split(',') {
        let upper = privilege.trim().to_ascii_uppercase();
        has |= match upper.as_str() {
            "USAGE" => acl::has_privileges_of(catalog, user, role),
            "MEMBER" => acl::is_member_of(catalog, user, role),
            "USAGE WITH GRANT OPTION"
            | "USAGE WITH ADMIN OPTION"
            | "MEMBER WITH GRANT OPTION"
            | "MEMBER WITH ADMIN OPTION" => {
                let admin = |of: &Oid| catalog.role(*of).is_some_and(|of| of.admin_of.contains(&role));
                is_superuser(catalog, user) || acl::roles_of(catalog, user, false).iter().any(admin)
            }
            _ => {
                let message = format!("unrecognized privilege type: \"{}\"", privilege.trim());
                return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
            }
        };
    }
    Ok(has)
}

pub fn is_superuser(catalog: &Catalog, user: Oid) -> bool {
    catalog.role(user).is_some_and(|role| role.superuser)
}

/// Direct or through other roles; each role is a member of itself.
pub fn is_member(catalog: &Catalog, user: Oid, role: Oid) -> bool {
    acl::has_privileges_of(catalog, user, role)
}
