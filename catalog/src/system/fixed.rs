//! Relations whose rows are PostgreSQL's own and never change: access methods, operator classes, ranges.
//! What rests on something that is not here is left out.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::rows::{Rows, row};
use super::{SystemContext, pg_operator};
use crate::Result;
use crate::extension_facts::CITEXT_OPS;
use crate::facts::tsv;
use crate::fixed_oid::BTREE_ACCESS_METHOD;
use crate::object::UserTypeKind;
use crate::types::oid::{self, Oid};

/// Access methods that tables and indexes can have.
const ACCESS_METHODS: &[&str] = &["heap", "btree", "hash", "gist", "gin", "spgist", "brin"];
/// `pg_am.oid` of the index methods among them.
const INDEX_METHODS: &[u32] = &[403, 405, 783, 2742, 4000, 3580];

pub(super) fn pg_am(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for mut fields in tsv::rows(include_str!("../../data/pg_am.tsv")) {
        let (oid, name, handler, kind) = (fields.oid(), fields.text(), fields.oid(), fields.character());
        if ACCESS_METHODS.contains(&&*name) {
            rows.push(row![oid, name, context.existing_function(handler), kind]);
        }
    }
    Ok(())
}

pub(super) fn pg_opclass(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    if let Some(ty) = context.catalog.user_type(oid::CITEXT) {
        let class = "citext_ops".to_owned();
        rows.push(row![CITEXT_OPS, BTREE_ACCESS_METHOD, class, ty.schema, ty.owner, TEXT_FAMILY, ty.oid, true, 0_u32]);
    }
    of_methods(include_str!("../../data/pg_opclass.tsv"), 1, rows)
}

/// `text_ops` of btree, for want of a family of its own.
const TEXT_FAMILY: Oid = 1994;

pub(super) fn pg_opfamily(_: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    of_methods(include_str!("../../data/pg_opfamily.tsv"), 1, rows)
}

pub(super) fn pg_amop(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for fields in tsv::rows(include_str!("../../data/pg_amop.tsv")) {
        let mut key = fields.clone();
        let columns: Vec<String> = (0..8).map(|_| key.text().into_owned()).collect();
        let number = |position: usize| columns.get(position).and_then(|text: &String| text.parse().ok()).unwrap_or(0);
        if INDEX_METHODS.contains(&number(7)) && pg_operator::existing(context, number(6)) != 0 {
            rows.push_text(fields);
        }
    }
    Ok(())
}

pub(super) fn pg_amproc(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for fields in tsv::rows(include_str!("../../data/pg_amproc.tsv")) {
        let mut key = fields.clone();
        let (_, family, _, _) = (key.oid(), key.oid(), key.oid(), key.oid());
        let (_, function) = (key.oid(), key.oid());
        if FAMILIES.contains(&family) && context.existing_function(function) != 0 {
            rows.push_text(fields);
        }
    }
    Ok(())
}

/// Operator families of the index methods that exist.
static FAMILIES: LazyLock<HashSet<Oid>> = LazyLock::new(|| {
    let families = tsv::rows(include_str!("../../data/pg_opfamily.tsv")).map(|mut fields| (fields.oid(), fields.oid()));
    families.filter(|(_, method)| INDEX_METHODS.contains(method)).map(|(family, _)| family).collect()
});

/// The languages functions are written in: Rust (`internal`; `c` in extensions) and SQL.
pub(super) fn pg_language(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for mut fields in tsv::rows(include_str!("../../data/pg_language.tsv")) {
        let (oid, name, owner) = (fields.oid(), fields.text(), fields.oid());
        let (is_procedural, trusted) = (fields.boolean(), fields.boolean());
        let functions = [fields.oid(), fields.oid(), fields.oid()].map(|oid| context.existing_function(oid));
        let [call, inline, validator] = functions;
        rows.push(row![oid, name, owner, is_procedural, trusted, call, inline, validator, super::rows::Cell::Null]);
    }
    Ok(())
}

pub(super) fn pg_range(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    for mut fields in tsv::rows(include_str!("../../data/pg_range.tsv")) {
        let columns = [fields.oid(), fields.oid(), fields.oid(), fields.oid(), fields.oid()];
        let functions = [fields.oid(), fields.oid()].map(|oid| context.existing_function(oid));
        let [range, subtype, multirange, collation, class] = columns;
        let [canonical, difference] = functions;
        rows.push(row![range, subtype, multirange, collation, class, canonical, difference]);
    }
    let made = context.catalog.user_types().filter_map(|ty| match &ty.kind {
        UserTypeKind::Range(range) => Some(range),
        _ => None,
    });
    for made in made {
        let (collation, class, difference) = (made.collation, made.class, made.difference);
        rows.push(row![made.range, made.element, made.multirange, collation, class, 0_u32, difference]);
    }
    Ok(())
}

pub(super) fn pg_tablespace(_: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    all(include_str!("../../data/pg_tablespace.tsv"), rows)
}

/// PostgreSQL's own claims about the standard would be wrong here.
pub(super) fn sql_features(_: &SystemContext<'_>, _: &mut Rows<'_>) -> Result<()> {
    Err(crate::Error::unsupported("information_schema.sql_features"))
}

pub(super) fn sql_implementation_info(_: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    all(include_str!("../../data/sql_implementation_info.tsv"), rows)
}

pub(super) fn sql_parts(_: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    all(include_str!("../../data/sql_parts.tsv"), rows)
}

pub(super) fn sql_sizing(_: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    all(include_str!("../../data/sql_sizing.tsv"), rows)
}

fn all(text: &'static str, rows: &mut Rows<'_>) -> Result<()> {
    tsv::rows(text).for_each(|fields| rows.push_text(fields));
    Ok(())
}

/// The rows whose field number `method` is an access method that exists.
fn of_methods(text: &'static str, method: usize, rows: &mut Rows<'_>) -> Result<()> {
    for fields in tsv::rows(text) {
        let mut key = fields.clone();
        let found = (0..=method).map(|_| key.text()).last().and_then(|text| text.parse().ok());
        if found.is_some_and(|method| INDEX_METHODS.contains(&method)) {
            rows.push_text(fields);
        }
    }
    Ok(())
}
