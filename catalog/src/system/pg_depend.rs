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
use crate::{Catalog, Result, built_in_extension, extension_facts};

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
        .chain(windows(context))
        .filter(|edge| asked("objid", edge.dependent.object) && asked("refobjid", edge.referenced.object))
        .for_each(|edge| push(edge, rows));
    let addresses = |oids: &[Oid]| -> Vec<ObjectAddress> {
        oids.iter().flat_map(|&oid| CLASSES.iter().map(move |&class| ObjectAddress::new(class, oid))).collect()
    };
    if let Some(oids) = context.oids("objid") {
        let (dependencies, dependents) = (
            addresses(oids).into_iter().flat_map(|address| catalog.dependencies_of(address)),
            addresses(oids).into_iter().flat_map(|address| catalog.dependents_of(address)),
        );
        let turned = dependents.filter(|edge| is_part_of_view(edge, catalog));
        dependencies.filter(|edge| !is_part_of_view(edge, catalog)).for_each(|edge| push(edge, rows));
        turned.for_each(|edge| push(turn(edge), rows));
    } else if let Some(oids) = context.oids("refobjid") {
        let (dependencies, dependents) = (
            addresses(oids).into_iter().flat_map(|address| catalog.dependencies_of(address)),
            addresses(oids).into_iter().flat_map(|address| catalog.dependents_of(address)),
        );
        let turned = dependencies.filter(|edge| is_part_of_view(edge, catalog));
        dependents.filter(|edge| !is_part_of_view(edge, catalog)).for_each(|edge| push(edge, rows));
        turned.for_each(|edge| push(turn(edge), rows));
    } else {
        for edge in catalog.dependencies() {
            push(if is_part_of_view(&edge, catalog) { turn(edge) } else { edge }, rows);
        }
    }
    Ok(())
}

/// A table or view that goes with a view: what an extension keeps the view's rows in. Who makes all of them again, as `pg_dump` does, has to make
/// the parts first, so the row says that the view needs them.
fn is_part_of_view(edge: &Dependency, catalog: &Catalog) -> bool {
    let (from, to) = (edge.dependent, edge.referenced);
    edge.kind == DependencyKind::Auto
        && (from.class, to.class) == (PG_CLASS, PG_CLASS)
        && catalog.relation(to.object).is_some_and(|relation| relation.view().is_some())
}

fn turn(edge: Dependency) -> Dependency {
    Dependency { dependent: edge.referenced, referenced: edge.dependent, kind: DependencyKind::Normal }
}

/// Views of windows belong to the extension that their schema belongs to: they are made with the rows, not by who reads a dump back.
fn windows<'c>(context: &'c SystemContext<'_>) -> impl Iterator<Item = Dependency> + 'c {
    let catalog = context.catalog;
    let views = catalog.user_relations().filter(|relation| relation.window().is_some());
    views.filter_map(move |view| {
        let edges = catalog.dependencies_of(ObjectAddress::new(PG_NAMESPACE, view.schema));
        let member = edges.into_iter().find(|edge| edge.kind == DependencyKind::Extension)?;
        Some(Dependency { dependent: view.address(), ..member })
    })
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
