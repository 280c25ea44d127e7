//! `pg_namespace`: the schemas.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::Result;
use crate::fixed_oid::{INFORMATION_SCHEMA, PG_CATALOG_SCHEMA, PG_NAMESPACE, PUBLIC_SCHEMA};
use crate::types::oid::Oid;

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for schema in context.catalog.schemas() {
        let given = context.catalog.shown_acl(PG_NAMESPACE, schema.oid);
        rows.push(row![schema.oid, &schema.name, schema.owner, given.or_else(|| initial_privileges(schema.oid))]);
    }
    Ok(())
}

/// What initdb grants on the schemas that it makes.
fn initial_privileges(schema: Oid) -> Option<Vec<String>> {
    let owner = match schema {
        PG_CATALOG_SCHEMA | INFORMATION_SCHEMA => "postgres",
        PUBLIC_SCHEMA => "pg_database_owner",
        _ => return None,
    };
    Some(vec![format!("{owner}=UC/{owner}"), format!("=U/{owner}")])
}

/// `pg_init_privs`: the same, for those that are not granted by SQL.
pub(super) fn initial_rows(_: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for schema in [PG_CATALOG_SCHEMA, PUBLIC_SCHEMA] {
        rows.push(row![schema, PG_NAMESPACE, 0, 'i', initial_privileges(schema)]);
    }
    Ok(())
}
