//! CREATE SCHEMA (PostgreSQL manual).

use aegis_catalog::fixed_oid::{PG_DATABASE, PG_NAMESPACE};
use aegis_catalog::object::{ObjectAddress, Schema};
use aegis_catalog::{Error, Result, sqlstate};

use super::Outcome;
use crate::parse::ast::{Ident, ParsedStatement, Statement};
use crate::parse::utility::Utility;
use crate::session::Session;
use crate::session::context::StatementContext;

/// `elements` are statements that make objects in the schema, and the query string that they point into.
pub async fn create(
    session: &mut Session,
    name: Option<&Ident>,
    owner: Option<&Ident>,
    if_not_exists: bool,
    (elements, sql): (&[ParsedStatement], &str),
    context: &StatementContext,
) -> Result<Outcome> {
    let owner_oid = match owner {
        Some(owner) => super::role::existing(&owner.name, context)?.oid,
        None => context.user_oid,
    };
    let database = ObjectAddress::new(PG_DATABASE, context.database_oid);
    if let Some(database) = crate::privilege::Owned::of(database, &context.catalog) {
        database.require(aegis_catalog::acl::rights("C"), context)?;
    }
    super::role::require_member(owner_oid, context)?;
    let name = match name {
        Some(name) => name.name.clone(),
        // The owner's name, also where it is written CURRENT_USER.
        None => context.catalog.role(owner_oid).map(|role| role.name.clone()).unwrap_or_default(),
    };
    let open = session.writable("CREATE SCHEMA")?;
    if open.catalog.catalog().schema_by_name(&name).is_some() && if_not_exists {
        session.skip_notice_as(sqlstate::DUPLICATE_SCHEMA, &format!("schema \"{name}\" already exists, skipping"));
        return Outcome::tag("CREATE SCHEMA");
    }
    let elements = in_order(elements, &name)?;
    let schema = Schema { oid: 0, name: name.clone(), owner: owner_oid };
    let oid = open.catalog.create_schema(open.tables.permanent(), schema)?;
    let made = ObjectAddress::new(PG_NAMESPACE, oid);
    if let Some(owned) = crate::privilege::Owned::of(made, &*session.catalog()?) {
        super::privilege::apply_default(session, &owned, 0)?;
    }
    if !elements.is_empty() {
        let mark = session.backend.settings.lock().mark();
        put_first(session, &name)?;
        let made = make(session, &elements, sql).await;
        session.backend.settings.lock().rollback_to(mark);
        made?;
    }
    Outcome::tag("CREATE SCHEMA")
}

/// The order in which PostgreSQL makes them, whatever the order in which they are written: what others may refer to comes first. 42P15 for
/// an object of another schema.
fn in_order<'a>(elements: &'a [ParsedStatement], schema: &str) -> Result<Vec<&'a Utility>> {
    let mut ordered = Vec::with_capacity(elements.len());
    for element in elements {
        let Statement::Utility(utility) = &element.statement else {
            return Err(Error::internal("a schema element that is a query"));
        };
        let (rank, name) = match &**utility {
            Utility::CreateSequence { name, .. } => (0, Some(name)),
            Utility::CreateTable(create) => (1, Some(&create.name)),
            Utility::CreateView(create) => (2, Some(&create.name)),
            Utility::CreateIndex(create) => (3, Some(&create.table)),
            Utility::Grant(_) => (5, None),
            _ => (4, None),
        };
        if let Some([.., other, _]) = name.map(|name| name.parts.as_slice())
            && other.name != schema
        {
            let message =
                format!("CREATE specifies a schema ({}) different from the one being created ({schema})", other.name);
            return Err(Error::new(sqlstate::INVALID_SCHEMA_DEFINITION, message));
        }
        ordered.push((rank, &**utility));
    }
    ordered.sort_by_key(|(rank, _)| *rank);
    Ok(ordered.into_iter().map(|(_, utility)| utility).collect())
}

/// Names without a schema mean the new one while its elements are made.
pub fn put_first(session: &mut Session, schema: &str) -> Result<()> {
    let mut settings = session.backend.settings.lock();
    let rest = crate::settings::split_list(settings.text("search_path")).unwrap_or_default();
    let path: Vec<String> = std::iter::once(schema.to_owned()).chain(rest).collect();
    settings.set("search_path", Some(&path), true, session.superuser)
}

async fn make(session: &mut Session, elements: &[&Utility], sql: &str) -> Result<()> {
    for element in elements {
        let context = session.context()?;
        Box::pin(super::run(session, element, sql, &context)).await?;
    }
    Ok(())
}
