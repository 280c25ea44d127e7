//! CREATE COLLATION (PostgreSQL manual). Texts are ordered by bytes, as under the locale C: other locales are refused.

use aegis_catalog::object::{Collation, Descriptor, DescriptorKind};
use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, namespace};
use crate::parse::utility::{CollationSource, CreateCollation};
use crate::session::Session;
use crate::session::context::StatementContext;

pub fn create(session: &mut Session, create: &CreateCollation, context: &StatementContext) -> Result<Outcome> {
    const TAG: &str = "CREATE COLLATION";
    let place = namespace::place(session, &create.name, false, context)?;
    let collation = match &create.source {
        CollationSource::From(name) => copied(name, context)?,
        CollationSource::Options(options) => described(options)?,
    };
    let class = aegis_catalog::fixed_oid::PG_COLLATION;
    if context.catalog.descriptor_by_name(class, place.schema, &place.name).is_some() {
        let message = format!("collation \"{}\" for encoding \"UTF8\" already exists", place.name);
        if create.if_not_exists {
            session.skip_notice_as(sqlstate::DUPLICATE_OBJECT, &format!("{message}, skipping"));
            return Outcome::tag(TAG);
        }
        return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
    }
    let open = session.writable(TAG)?;
    let kind = DescriptorKind::Collation(collation);
    let descriptor = Descriptor { oid: 0, schema: place.schema, name: place.name, owner: context.user_oid, kind };
    open.catalog.create_descriptor(open.tables.permanent(), descriptor)?;
    Outcome::tag(TAG)
}

fn copied(name: &crate::parse::ast::Name, context: &StatementContext) -> Result<Collation> {
    let oid = crate::bind::resolve_collation_name(name, context)?;
    if let Some(made) = context.catalog.descriptor(oid).and_then(|descriptor| descriptor.collation()) {
        return Ok(made.clone());
    }
    match context.catalog.collation(oid) {
        Some((_, "default")) => {
            let message = "collation \"default\" cannot be copied";
            Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message))
        }
        Some((_, name)) => Ok(by_bytes(if name == "POSIX" { "POSIX" } else { "C" })),
        None => Err(Error::internal("a collation without a name")),
    }
}

fn by_bytes(locale: &str) -> Collation {
    Collation { provider: 'c', deterministic: true, collate: locale.to_owned(), ctype: locale.to_owned() }
}

/// `(locale = …)`, or `(lc_collate = …, lc_ctype = …)`.
fn described(options: &[(String, String)]) -> Result<Collation> {
    let (mut locale, mut collate, mut ctype, mut provider, mut deterministic) = (None, None, None, None, None);
    for (name, value) in options {
        let slot = match name.to_ascii_lowercase().as_str() {
            "locale" => &mut locale,
            "lc_collate" => &mut collate,
            "lc_ctype" => &mut ctype,
            "provider" => &mut provider,
            "deterministic" => &mut deterministic,
            "version" => continue,
            _ => {
                let message = format!("collation attribute \"{name}\" not recognized");
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
            }
        };
        if slot.replace(value.as_str()).is_some() {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "conflicting or redundant options"));
        }
    }
    if locale.is_some() && (collate.is_some() || ctype.is_some()) {
        return Err(Error::new(sqlstate::SYNTAX_ERROR, "conflicting or redundant options")
            .with_detail("LOCALE cannot be specified together with LC_COLLATE or LC_CTYPE."));
    }
    match provider.map(str::to_ascii_lowercase).as_deref() {
        None | Some("libc") => {}
        Some("icu") => return Err(Error::unsupported("collation provider icu")),
        Some(other) => {
            let message = format!("unrecognized collation provider: {other}");
            return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
        }
    }
    if deterministic.is_some_and(|value| crate::settings::parse_bool(value) == Some(false)) {
        let message = "nondeterministic collations not supported with this provider";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let missing = |what: &str| {
        let message = format!("parameter \"{what}\" must be specified");
        Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message)
    };
    let collate = collate.or(locale).ok_or_else(|| missing("lc_collate"))?;
    let ctype = ctype.or(locale).ok_or_else(|| missing("lc_ctype"))?;
    for named in [collate, ctype] {
        // C.utf8 orders by code points, which in UTF-8 is by bytes.
        if !matches!(named, "C" | "POSIX" | "C.utf8" | "C.UTF-8") {
            return Err(Error::unsupported(format!("the locale \"{named}\"")));
        }
    }
    Ok(Collation { ctype: ctype.to_owned(), ..by_bytes(collate) })
}
