//! `pg_extension`, `pg_statistic_ext`, and the collations that users made.

use super::SystemContext;
use super::rows::{Cell, Rows, row};
use crate::{Result, built_in_extension};

pub(super) fn made_collations(context: &SystemContext<'_>, rows: &mut Rows<'_>) {
    for descriptor in context.catalog.descriptors() {
        let Some(collation) = descriptor.collation() else { continue };
        rows.push(row![
            descriptor.oid,
            descriptor.name.clone(),
            descriptor.schema,
            descriptor.owner,
            collation.provider,
            collation.deterministic,
            super::UTF8,
            Some(collation.collate.clone()),
            Some(collation.ctype.clone()),
            Cell::Null,
            Cell::Null,
        ]);
    }
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
