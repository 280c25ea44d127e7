//! CREATE COLLATION and ALTER COLLATION … REFRESH VERSION (PostgreSQL manual): locales of ICU, and of libc those that order by bytes.

use aegis_catalog::fixed_oid::PG_COLLATION;
use aegis_catalog::image::Catalog;
use aegis_catalog::object::{Collation, Descriptor, DescriptorKind, Relation};
use aegis_catalog::{Error, Result, sqlstate};

use super::{Outcome, descriptor, namespace};
use crate::collation;
use crate::parse::ast::Name;
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
    if context.catalog.descriptor_by_name(PG_COLLATION, place.schema, &place.name).is_some() {
        let of = if collation.icu_locale().is_some() { "" } else { " for encoding \"UTF8\"" };
        let message = format!("collation \"{}\"{of} already exists", place.name);
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

fn copied(name: &Name, context: &StatementContext) -> Result<Collation> {
    let oid = crate::bind::resolve_collation_name(name, context)?;
    let facts = context.catalog.collation_facts(oid).ok_or_else(|| Error::internal("a collation without facts"))?;
    if facts.provider == 'd' {
        let message = "collation \"default\" cannot be copied";
        return Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message));
    }
    Ok(facts.clone())
}

/// The options that are written, each at most once.
#[derive(Default)]
struct Options<'a> {
    locale: Option<&'a str>,
    collate: Option<&'a str>,
    ctype: Option<&'a str>,
    provider: Option<&'a str>,
    deterministic: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a> Options<'a> {
    fn read(options: &'a [(String, String)]) -> Result<Self> {
        let mut read = Self::default();
        for (name, value) in options {
            let slot = match name.to_ascii_lowercase().as_str() {
                "locale" => &mut read.locale,
                "lc_collate" => &mut read.collate,
                "lc_ctype" => &mut read.ctype,
                "provider" => &mut read.provider,
                "deterministic" => &mut read.deterministic,
                "version" => &mut read.version,
                _ => {
                    let message = format!("collation attribute \"{name}\" not recognized");
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
                }
            };
            if slot.replace(value.as_str()).is_some() {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, "conflicting or redundant options"));
            }
        }
        if read.locale.is_some() && (read.collate.is_some() || read.ctype.is_some()) {
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "conflicting or redundant options")
                .with_detail("LOCALE cannot be specified together with LC_COLLATE or LC_CTYPE."));
        }
        Ok(read)
    }

    fn deterministic(&self) -> bool {
        self.deterministic.is_none_or(|value| crate::settings::parse_bool(value) != Some(false))
    }
}

fn described(options: &[(String, String)]) -> Result<Collation> {
    let options = Options::read(options)?;
    match options.provider.map(str::to_ascii_lowercase).as_deref() {
        None | Some("libc") => by_bytes(&options),
        Some("icu") => by_locale(&options),
        Some(other) => {
            let message = format!("unrecognized collation provider: {other}");
            Err(Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message))
        }
    }
}

fn missing(what: &str) -> Error {
    let message = format!("parameter \"{what}\" must be specified");
    Error::new(sqlstate::INVALID_OBJECT_DEFINITION, message)
}

/// `(locale = …)`, or `(lc_collate = …, lc_ctype = …)`.
fn by_bytes(options: &Options<'_>) -> Result<Collation> {
    if !options.deterministic() {
        let message = "nondeterministic collations not supported with this provider";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    let collate = options.collate.or(options.locale).ok_or_else(|| missing("lc_collate"))?;
    let ctype = options.ctype.or(options.locale).ok_or_else(|| missing("lc_ctype"))?;
    for named in [collate, ctype] {
        // C.utf8 orders by code points, which in UTF-8 is by bytes.
        if !matches!(named, "C" | "POSIX" | "C.utf8" | "C.UTF-8") {
            return Err(Error::unsupported(format!("the locale \"{named}\"")));
        }
    }
    let (collate, ctype) = (collate.to_owned(), ctype.to_owned());
    Ok(Collation { provider: 'c', deterministic: true, collate, ctype, locale: None, version: None })
}

fn by_locale(options: &Options<'_>) -> Result<Collation> {
    let locale = options.locale.ok_or_else(|| missing("locale"))?;
    let deterministic = options.deterministic();
    collation::Collation::new(0, locale, deterministic)?;
    Ok(Collation {
        provider: 'i',
        deterministic,
        collate: String::new(),
        ctype: String::new(),
        locale: Some(locale.to_owned()),
        version: options.version.filter(|version| *version != Collation::ICU_VERSION).map(str::to_owned),
    })
}

pub fn refresh_version(session: &mut Session, name: &Name, context: &StatementContext) -> Result<Outcome> {
    const TAG: &str = "ALTER COLLATION";
    let found = descriptor::owned(PG_COLLATION, name, context)?;
    let Some(collation) = found.collation() else { return Err(Error::internal("a collation that is none")) };
    session.writable(TAG)?;
    match (&collation.version, collation.actual_version()) {
        (Some(old), Some(actual)) => {
            session.skip_notice(&format!("changing version from {old} to {actual}"));
            let kind = DescriptorKind::Collation(Collation { version: None, ..collation.clone() });
            descriptor::replace(session, Descriptor { kind, ..Descriptor::clone(&found) })?;
        }
        _ => session.skip_notice("version has not changed"),
    }
    Outcome::tag(TAG)
}

/// Unique indexes find rows by bytes: 0A000 where other bytes may be the same text.
pub fn check_index(index: &Relation, catalog: &Catalog) -> Result<()> {
    let Some(definition) = index.index().filter(|definition| definition.unique) else { return Ok(()) };
    for column in index.columns.iter().take(definition.keys.len()) {
        if catalog.collation_facts(column.collation).is_some_and(|facts| !facts.deterministic) {
            return Err(Error::unsupported("a unique index under a nondeterministic collation"));
        }
    }
    Ok(())
}
