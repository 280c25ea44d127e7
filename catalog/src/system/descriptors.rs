//! `pg_collation`, `pg_extension`, `pg_statistic_ext`.

use super::SystemContext;
use super::rows::{Cell, Rows, row};
use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, PG_CATALOG_SCHEMA};
use crate::object::Collation;
use crate::types::oid::Oid;
use crate::{Result, built_in_extension, facts};

pub(super) fn pg_collation(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for own in facts::collations() {
        let place = (PG_CATALOG_SCHEMA, BOOTSTRAP_SUPERUSER);
        collation((own.oid, &own.name), place, own.encoding, &own.collation, rows);
    }
    for descriptor in context.catalog.descriptors() {
        if let Some(made) = descriptor.collation() {
            let encoding = if made.icu_locale().is_some() { -1 } else { super::UTF8 };
            let place = (descriptor.schema, descriptor.owner);
            collation((descriptor.oid, &descriptor.name), place, encoding, made, rows);
        }
    }
    Ok(())
}

fn collation(
    (oid, name): (Oid, &str),
    (schema, owner): (Oid, Oid),
    encoding: i32,
    of: &Collation,
    rows: &mut Rows<'_>,
) {
    let by_libc = |locale: &str| (of.provider == 'c').then(|| locale.to_owned());
    let version = of.version.clone().or_else(|| of.actual_version().map(str::to_owned));
    rows.push(row![
        oid,
        name,
        schema,
        owner,
        of.provider,
        of.deterministic,
        encoding,
        by_libc(&of.collate),
        by_libc(&of.ctype),
        of.locale.clone(),
        version,
    ]);
}

pub(super) fn pg_extension(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let made = |name: &str| context.catalog.descriptors().any(|of| of.extension().is_some() && of.name == name);
    // A data directory of an older version may have the same extension as one that was made.
    let built_in = built_in_extension::built_in().into_iter().filter(|extension| !made(&extension.name));
    for descriptor in built_in.chain(context.catalog.descriptors()) {
        let Some(extension) = descriptor.extension() else { continue };
        rows.push(row![
            descriptor.oid,
            descriptor.name.clone(),
            descriptor.owner,
            descriptor.schema,
            extension.relocatable,
            extension.version.clone(),
            Cell::Null,
            Cell::Null,
        ]);
    }
    Ok(())
}

pub(super) fn pg_statistic_ext(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for descriptor in context.catalog.descriptors() {
        let Some(statistics) = descriptor.statistics() else { continue };
        let kinds: Vec<String> = statistics.kinds.iter().map(char::to_string).collect();
        let expressions = (!statistics.expressions.is_empty()).then(|| statistics.expressions.join(", "));
        rows.push(row![
            descriptor.oid,
            statistics.table,
            descriptor.name.clone(),
            descriptor.schema,
            descriptor.owner,
            statistics.target.unwrap_or(-1),
            statistics.columns.as_slice(),
            kinds,
            expressions,
        ]);
    }
    Ok(())
}
