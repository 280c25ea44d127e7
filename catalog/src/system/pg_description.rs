//! `pg_description` and `pg_shdescription`: comments, PostgreSQL's own on built-in objects among them.

use std::sync::LazyLock;

use super::rows::{Rows, row};
use super::{SystemContext, pg_operator};
use crate::Result;
use crate::facts::{self, tsv};
use crate::fixed_oid::{PG_AUTHID, PG_CAST, PG_DATABASE, PG_OPERATOR, PG_PROC, PG_TABLESPACE};
use crate::object::ObjectAddress;
use crate::types::oid::Oid;

static BUILTIN: LazyLock<Vec<(ObjectAddress, String)>> = LazyLock::new(|| {
    let rows = tsv::rows(include_str!("../../data/pg_description.tsv"));
    rows.map(|mut fields| {
        let (object, class, sub) = (fields.oid(), fields.oid(), fields.parse());
        (ObjectAddress { class, object, sub }, fields.text().into_owned())
    })
    .collect()
});

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let wanted = context.oids("objoid");
    let is_wanted = |address: &ObjectAddress| wanted.is_none_or(|oids| oids.contains(&address.object));
    let shown = |address: ObjectAddress| exists(context, address) && context.catalog.comment(address).is_none();
    for (address, text) in BUILTIN.iter().filter(|(address, _)| is_wanted(address) && shown(*address)) {
        rows.push(row![address.object, address.class, address.sub, text]);
    }
    for (address, text) in context.catalog.comments().filter(|(address, _)| is_wanted(address)) {
        if !is_shared_class(address.class) {
            rows.push(row![address.object, address.class, address.sub, text]);
        }
    }
    Ok(())
}

pub(super) fn shared_rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for (address, text) in context.catalog.comments().filter(|(address, _)| is_shared_class(address.class)) {
        rows.push(row![address.object, address.class, text]);
    }
    Ok(())
}

/// PostgreSQL's comment on a built-in object that exists here.
pub fn builtin_comment(address: ObjectAddress) -> Option<&'static str> {
    let key = |address: &ObjectAddress| (address.class, address.object, address.sub);
    let position = BUILTIN.binary_search_by_key(&key(&address), |(address, _)| key(address)).ok()?;
    BUILTIN.get(position).map(|(_, text)| text.as_str())
}

fn is_shared_class(class: Oid) -> bool {
    matches!(class, PG_DATABASE | PG_AUTHID | PG_TABLESPACE)
}

fn exists(context: &SystemContext<'_>, address: ObjectAddress) -> bool {
    match address.class {
        PG_PROC => context.catalog.proc(address.object).is_some(),
        PG_OPERATOR => pg_operator::existing(context, address.object) != 0,
        PG_CAST => facts::casts().iter().any(|cast| cast.oid == address.object),
        _ => true,
    }
}
