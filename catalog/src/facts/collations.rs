//! PostgreSQL's own collations: those that order by bytes, and one for each locale of ICU.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::LazyLock;

use super::tsv;
use crate::object::Collation;
use crate::types::oid::Oid;

/// A row of `pg_collation`.
#[derive(Debug)]
pub struct CollationRow {
    pub oid: Oid,
    pub name: Cow<'static, str>,
    /// `collencoding`: -1 for any.
    pub encoding: i32,
    pub collation: Collation,
}

struct Collations {
    rows: Vec<CollationRow>,
    by_oid: HashMap<Oid, usize>,
    by_name: HashMap<Cow<'static, str>, usize>,
}

static COLLATIONS: LazyLock<Collations> = LazyLock::new(|| {
    let rows: Vec<CollationRow> = tsv::rows(include_str!("../../data/pg_collation.tsv")).map(row).collect();
    let by_oid = rows.iter().enumerate().map(|(at, row)| (row.oid, at)).collect();
    let by_name = rows.iter().enumerate().map(|(at, row)| (row.name.clone(), at)).collect();
    Collations { rows, by_oid, by_name }
});

fn row(mut fields: tsv::Fields) -> CollationRow {
    let (oid, name, _schema, _owner) = (fields.oid(), fields.text(), fields.oid(), fields.oid());
    let (provider, deterministic, encoding) = (fields.character(), fields.boolean(), fields.parse());
    let [collate, ctype] = [fields.optional(), fields.optional()].map(|field| field.unwrap_or_default().into_owned());
    let locale = fields.optional().map(Cow::into_owned);
    let version = None;
    CollationRow {
        oid,
        name,
        encoding,
        collation: Collation { provider, deterministic, collate, ctype, locale, version },
    }
}

pub fn collations() -> &'static [CollationRow] {
    &COLLATIONS.rows
}

pub fn collation(oid: Oid) -> Option<&'static CollationRow> {
    COLLATIONS.rows.get(*COLLATIONS.by_oid.get(&oid)?)
}

pub fn collation_named(name: &str) -> Option<&'static CollationRow> {
    COLLATIONS.rows.get(*COLLATIONS.by_name.get(name)?)
}
