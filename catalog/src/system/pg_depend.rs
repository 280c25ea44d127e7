//! `pg_depend`: what can't live without what. System objects are in no row, but for members of extensions.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::extension_facts::CITEXT_OPS;
use crate::fixed_oid::{
    PG_ATTRDEF, PG_CAST, PG_CLASS, PG_COLLATION, PG_CONSTRAINT, PG_EXTENSION, PG_NAMESPACE, PG_OPCLASS, PG_OPERATOR,
    PG_PROC, PG_REWRITE, PG_STATISTIC_EXT, PG_TS_CONFIG, PG_TS_DICT, PG_TYPE,
};
use crate::object::{Dependency, DependencyKind, ObjectAddress};
use crate::types::oid::{self, Oid};
use crate::{Result, built_in_extension, extension_facts};

/// The classes of what depends and is depended on.
const CLASSES: &[Oid] = &[
    PG_CLASS,
    PG_TYPE,
    PG_CONSTRAINT,
    PG_ATTRDEF,
    PG_REWRITE,
    PG_NAMESPACE,
    PG_PROC,
    PG_COLLATION,
    PG_EXTENSION,
    PG_STATISTIC_EXT,
    PG_TS_CONFIG,
    PG_TS_DICT,
];

pub(super) fn rows(context: &SystemContext<'_>, rows: &mut Rows<'_>) -> Result<()> {
    let catalog = context.catalog;
    let asked = |column: &str, oid: Oid| context.oids(column).is_none_or(|oids| oids.contains(&oid));
    built_in_extension::members()
        .chain(members(context))
        .filter(|edge| asked("objid", edge.dependent.object) && asked("refobjid", edge.referenced.object))
        .for_each(|edge| push(edge, rows));
    let addresses = |oids: &[Oid]| -> Vec<ObjectAddress> {
        oids.iter().flat_map(|&oid| CLASSES.iter().map(move |&class| ObjectAddress::new(class, oid))).collect()
    };
    if let Some(oids) = context.oids("objid") {
        let edges = addresses(oids).into_iter().flat_map(|address| catalog.dependencies_of(address));
        edges.for_each(|edge| push(edge, rows));
    } else if let Some(oids) = context.oids("refobjid") {
        let edges = addresses(oids).into_iter().flat_map(|address| catalog.dependents_of(address));
        edges.for_each(|edge| push(edge, rows));
    } else {
        catalog.dependencies().for_each(|edge| push(edge, rows));
    }
    Ok(())
}

fn push(edge: Dependency, rows: &mut Rows<'_>) {
    let (from, to) = (edge.dependent, edge.referenced);
    rows.push(row![from.class, from.object, from.sub, to.class, to.object, to.sub, edge.kind.code()]);
}

/// Operators, casts and operator classes of extensions' types: they belong to the extension that the type belongs to.
fn members<'c>(context: &'c SystemContext<'_>) -> impl Iterator<Item = Dependency> + 'c {
    let operators = extension_facts::operators().iter().map(|of| (PG_OPERATOR, of.row.oid, of.owner));
    let casts = extension_facts::casts().iter().map(|of| (PG_CAST, of.row.oid, of.owner));
    let classes = [(PG_OPCLASS, CITEXT_OPS, oid::CITEXT)];
    operators.chain(casts).chain(classes).filter_map(|(class, object, owner)| {
        let ty = context.catalog.user_type(owner)?;
        let edges = context.catalog.dependencies_of(ty.address());
        let member = edges.into_iter().find(|edge| edge.kind == DependencyKind::Extension)?;
        Some(Dependency { dependent: ObjectAddress::new(class, object), ..member })
    })
}
