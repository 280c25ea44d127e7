//! CREATE SCHEMA (PostgreSQL manual).

use aegis_catalog::object::Schema;
use aegis_catalog::{Error, Result, sqlstate};

use super::Outcome;
use crate::parse::ast::{Ident, ParsedStatement};
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn create(
    session: &mut Session,
    name: Option<&Ident>,
    owner: Option<&Ident>,
    if_not_exists: bool,
    elements: &[ParsedStatement],
    context: &StatementContext,
) -> Result<Outcome> {
    if !elements.is_empty() {
        return Err(Error::unsupported("CREATE SCHEMA with schema elements"));
    }
    let owner_oid = match owner {
        Some(owner) => super::role::existing(&owner.name, context)?.oid,
        None => context.user_oid,
    };
    let name = name.or(owner).map(|ident| ident.name.clone()).unwrap_or_default();
    let open = session.writable("CREATE SCHEMA")?;
    if open.catalog.catalog().schema_by_name(&name).is_some() && if_not_exists {
        session.skip_notice_as(sqlstate::DUPLICATE_SCHEMA, &format!("schema \"{name}\" already exists, skipping"));
        return Outcome::tag("CREATE SCHEMA");
    }
    open.catalog.create_schema(open.tables.permanent(), Schema { oid: 0, name, owner: owner_oid })?;
    Outcome::tag("CREATE SCHEMA")
}
