//! Roles and membership.

use aegis_catalog::image::Catalog;
use aegis_catalog::{Error, Oid, Result, sqlstate};

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
            kernel!(|call; user: &str, role: &str, _p: &str| has_role(call, named(call, user)?, named(call, role)?)),
        ),
        f(
            "pg_has_role(name, oid, text)",
            kernel!(|call; user: &str, role: u32, _p: &str| has_role(call, named(call, user)?, role)),
        ),
        f(
            "pg_has_role(oid, name, text)",
            kernel!(|call; user: u32, role: &str, _p: &str| has_role(call, user, named(call, role)?)),
        ),
        f("pg_has_role(oid, oid, text)", kernel!(|call; user: u32, role: u32, _p: &str| has_role(call, user, role))),
        f(
            "pg_has_role(name, text)",
            kernel!(|call; role: &str, _p: &str| has_role(call, call.context.user_oid, named(call, role)?)),
        ),
        f("pg_has_role(oid, text)", kernel!(|call; role: u32, _p: &str| has_role(call, call.context.user_oid, role))),
    ]
}

pub fn named(call: &Call<'_>, name: &str) -> Result<Oid> {
    match call.context.catalog.role_by_name(name) {
        Some(role) => Ok(role.oid),
        None => Err(Error::new(sqlstate::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist"))),
    }
}

fn has_role(call: &Call<'_>, user: Oid, role: Oid) -> Result<bool> {
    Ok(is_superuser(&call.context.catalog, user) || is_member(&call.context.catalog, user, role))
}

pub fn is_superuser(catalog: &Catalog, user: Oid) -> bool {
    catalog.role(user).is_some_and(|role| role.superuser)
}

/// Direct or through other roles; each role is a member of itself.
pub fn is_member(catalog: &Catalog, user: Oid, role: Oid) -> bool {
    let mut seen = vec![user];
    let mut next = 0;
    while let Some(&current) = seen.get(next) {
        if current == role {
            return true;
        }
        next += 1;
        for parent in catalog.role(current).map(|role| role.member_of.as_slice()).unwrap_or_default() {
            if !seen.contains(parent) {
                seen.push(*parent);
            }
        }
    }
    false
}
