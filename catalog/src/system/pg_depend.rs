//! `pg_depend`: what can't live without what. System objects are in no row, but for members of extensions.

use super::SystemContext;
use super::rows::{Rows, row};
use crate::fixed_oid::{
    PG_ATTRDEF, PG_CLASS, PG_COLLATION, PG_CONSTRAINT, PG_EXTENSION, PG_NAMESPACE, PG_PROC, PG_REWRITE,
    PG_STATISTIC_EXT, PG_TS_CONFIG, PG_TS_DICT, PG_TYPE,
};
use crate::object::{Dependency, ObjectAddress};
use crate::types::oid::Oid;
use crate::{Result, built_in_extension};

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
    let members = built_in_extension::members();
    members
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
