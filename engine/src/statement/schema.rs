//! CREATE SCHEMA (PostgreSQL manual).

use aegis_catalog::fixed_oid::{PG_DATABASE, PG_NAMESPACE};
use aegis_catalog::object::{ObjectAddress, Schema};
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
    let database = ObjectAddress::new(PG_DATABASE, context.database_oid);
    if let Some(database) = crate::privilege::Owned::of(database, &context.catalog) {
        database.require(aegis_catalog::acl::rights("C"), context)?;
    }
    super::role::require_member(owner_oid, context)?;
    let name = name.or(owner).map(|ident| ident.name.clone()).unwrap_or_default();
    let open = session.writable("CREATE SCHEMA")?;
    if open.catalog.catalog().schema_by_name(&name).is_some() && if_not_exists {
        session.skip_notice_as(sqlstate::DUPLICATE_SCHEMA, &format!("schema \"{name}\" already exists, skipping"));
        return Outcome::tag("CREATE SCHEMA");
    }
    let schema = Schema { oid: 0, name, owner: owner_oid };
    let oid = open.catalog.create_schema(open.tables.permanent(), schema)?;
    let made = ObjectAddress::new(PG_NAMESPACE, oid);
    if let Some(owned) = crate::privilege::Owned::of(made, &*session.catalog()?) {
        super::privilege::apply_default(session, &owned, 0)?;
    }
    Outcome::tag("CREATE SCHEMA")
}
