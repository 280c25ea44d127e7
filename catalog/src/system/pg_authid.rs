//! `pg_authid`, `pg_auth_members` and `pg_db_role_setting`: roles, who belongs to which, and their settings.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;
use crate::fixed_oid::BOOTSTRAP_SUPERUSER;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for role in context.catalog.roles() {
        rows.push(row![
            role.oid,
            &role.name,
            role.superuser,
            role.inherit,
            role.create_role,
            role.create_db,
            role.login,
            role.replication,
            role.bypass_rls,
            role.connection_limit,
            role.password.as_ref(),
            role.valid_until,
        ]);
    }
    Ok(())
}

pub(super) fn member_rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for role in context.catalog.roles() {
        for &group in &role.member_of {
            let grantor = role.granted_by.iter().find(|(granted, _)| *granted == group);
            let grantor = grantor.map_or(BOOTSTRAP_SUPERUSER, |(_, grantor)| *grantor);
            rows.push(row![group, role.oid, grantor, role.admin_of.contains(&group)]);
        }
    }
    Ok(())
}

/// `pg_default_acl`.
pub(super) fn default_acl_rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for default in context.catalog.default_privileges() {
        let acl = crate::acl::show_all(&default.acl, context.catalog);
        rows.push(row![default.oid, default.role, default.schema, default.kind, acl]);
    }
    Ok(())
}

pub(super) fn setting_rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let texts = |settings: &[(String, String)]| -> Option<Vec<String>> {
        let texts: Vec<_> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!texts.is_empty()).then_some(texts)
    };
    for database in context.catalog.databases() {
        if let Some(settings) = texts(&database.settings) {
            rows.push(row![database.oid, 0, settings]);
        }
    }
    for role in context.catalog.roles() {
        if let Some(settings) = texts(&role.settings) {
            rows.push(row![0, role.oid, settings]);
        }
        for database in context.catalog.databases() {
            let own = role.database_settings.iter().filter(|(of, ..)| *of == database.oid);
            let own: Vec<_> = own.map(|(_, name, value)| (name.clone(), value.clone())).collect();
            if let Some(settings) = texts(&own) {
                rows.push(row![database.oid, role.oid, settings]);
            }
        }
    }
    Ok(())
}
