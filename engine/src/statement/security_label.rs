//! SECURITY LABEL (PostgreSQL manual): what an extension that provides labels takes from one.

use aegis_catalog::fixed_oid::PG_EXTENSION;
use aegis_catalog::object::ObjectAddress;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::{Outcome, comment};
use crate::extension::{Caller, Labels};
use crate::parse::utility::ObjectName;
use crate::session::Session;
use crate::session::context::StatementContext;

pub async fn run(
    session: &mut Session,
    provider: Option<&str>,
    object: &ObjectName,
    label: Option<&str>,
    context: &StatementContext,
) -> Result<Outcome> {
    let (labels, owner) = of_provider(provider, context)?;
    let address = comment::address(object, context)?;
    let whole = ObjectAddress { sub: 0, ..context.catalog.owner_of_part(address) };
    if let Some(owned) = crate::privilege::Owned::of(whole, &context.catalog) {
        owned.require_owner(context)?;
    }
    session.writable("SECURITY LABEL")?;
    (labels.apply)(Caller::new(session, true, owner), address, label.map(str::to_owned)).await?;
    Outcome::tag("SECURITY LABEL")
}

/// The provider of that name, or the only one that the database has, and whose the extension is.
fn of_provider(name: Option<&str>, context: &StatementContext) -> Result<(Labels, Oid)> {
    let installed = context.extensions.all().filter_map(|extension| {
        let made = context.catalog.descriptor_by_name(PG_EXTENSION, 0, extension.name)?;
        Some((extension.name, extension.labels?, made.owner))
    });
    let mut fitting = installed.filter(|(provider, ..)| name.is_none_or(|name| name == *provider));
    let error = |message: String| Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    match (fitting.next(), fitting.next(), name) {
        (Some((_, labels, owner)), None, _) => Ok((labels, owner)),
        (None, _, Some(name)) => error(format!("security label provider \"{name}\" is not loaded")),
        (None, _, None) => error("no security label providers have been loaded".to_owned()),
        (Some(_), Some(_), _) => {
            error("must specify provider when multiple security label providers have been loaded".to_owned())
        }
    }
}
