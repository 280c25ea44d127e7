//! What goes when an object goes: `DROP … RESTRICT` and `CASCADE` (PostgreSQL manual, "Dependency Tracking").

use std::collections::BTreeSet;

use crate::definition::{Printer, describe};
use crate::fixed_oid::{PG_ATTRDEF, PG_CLASS, PG_CONSTRAINT, PG_EXTENSION, PG_PROC, PG_REWRITE, PG_TYPE};
use crate::object::{DependencyKind, ObjectAddress, Relation, RelationKind};
use crate::{Error, Result, sqlstate};

/// How many dependents an error or notice lists, as PostgreSQL's.
const MAX_LISTED: usize = 100;

/// What a drop takes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DropPlan {
    /// Whole objects to drop, those that depend on others first. Constraints and defaults of relations that are in the list
    /// themselves are not listed.
    pub objects: Vec<ObjectAddress>,
    /// Columns, constraints and defaults to remove from relations that stay.
    pub parts: Vec<ObjectAddress>,
    /// What goes only because of CASCADE, as NOTICE names it.
    pub cascades: Vec<String>,
}

/// Plans the drop of `roots` (objects, or columns and constraints of tables). Without `cascade` it fails with 2BP01 when
/// something else that users made rests on them; in any case when another object can't do without one of them.
pub fn plan_drop(printer: Printer<'_>, roots: &[ObjectAddress], cascade: bool) -> Result<DropPlan> {
    let mut search = Search {
        printer,
        found: Vec::new(),
        seen: roots.iter().copied().collect(),
        automatic: BTreeSet::new(),
        lines: Vec::new(),
    };
    for &root in roots {
        search.reject_required(root)?;
        search.visit(root);
    }
    let Search { lines, automatic, .. } = &mut search;
    // A column of a table that is to go anyway needs no CASCADE either.
    lines.retain(|(dependent, _)| {
        !automatic.contains(dependent) && !roots.contains(&ObjectAddress { sub: 0, ..*dependent })
    });
    if !cascade && !search.lines.is_empty() {
        return Err(search.restrict_error(roots));
    }
    Ok(search.plan())
}

/// Can the dependent go only with what it rests on?
fn requires(kind: DependencyKind) -> bool {
    matches!(kind, DependencyKind::Internal | DependencyKind::PartitionPrimary | DependencyKind::Extension)
}

struct Search<'a> {
    printer: Printer<'a>,
    /// Dependents before what they rest on.
    found: Vec<ObjectAddress>,
    seen: BTreeSet<ObjectAddress>,
    /// Goes with something that goes anyway, and so needs no CASCADE.
    automatic: BTreeSet<ObjectAddress>,
    /// Dependent and what it rests on, in the order found.
    lines: Vec<(ObjectAddress, ObjectAddress)>,
}

impl Search<'_> {
    /// The index of a constraint and the sequence of an identity column go only with those.
    fn reject_required(&self, root: ObjectAddress) -> Result<()> {
        let edges = self.printer.catalog.dependencies_of(root);
        let mut owners = edges.iter().filter(|edge| requires(edge.kind)).map(|edge| edge.referenced);
        match owners.find(|owner| !self.seen.contains(owner)) {
            Some(owner) if matches!(root.class, PG_CLASS | PG_TYPE | PG_PROC) || owner.class == PG_EXTENSION => {
                let (object, owner) = (describe(self.printer, root), describe(self.printer, owner));
                let message = format!("cannot drop {object} because {owner} requires it");
                Err(Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message)
                    .with_hint(format!("You can drop {owner} instead.")))
            }
            _ => Ok(()),
        }
    }

    /// Walks with a stack of its own, since views may rest on views to any depth.
    fn visit(&mut self, root: ObjectAddress) {
        enum Step {
            Enter(ObjectAddress),
            Leave(ObjectAddress),
        }
        let mut steps = vec![Step::Enter(root)];
        while let Some(step) = steps.pop() {
            let address = match step {
                Step::Leave(address) => {
                    self.found.push(address);
                    continue;
                }
                Step::Enter(address) => address,
            };
            steps.push(Step::Leave(address));
            for (dependent, needs_cascade) in self.dependents(address) {
                if !needs_cascade {
                    self.automatic.insert(dependent);
                }
                if self.seen.insert(dependent) {
                    self.lines.push((dependent, address));
                    steps.push(Step::Enter(dependent));
                }
            }
        }
    }

    /// What rests on an object, oldest first, and whether only CASCADE may take it.
    fn dependents(&self, address: ObjectAddress) -> Vec<(ObjectAddress, bool)> {
        let catalog = self.printer.catalog;
        let mut dependents: Vec<_> = catalog
            .dependents_of(address)
            .into_iter()
            .map(|edge| {
                // A view's rule stands for the view.
                let dependent = match edge.dependent.class {
                    PG_REWRITE => catalog.owner_of_part(edge.dependent),
                    // The index of a constraint goes with it alone: an included column takes both.
                    PG_CLASS => {
                        self.constraint_of(edge.dependent).filter(|of| *of != address).unwrap_or(edge.dependent)
                    }
                    _ => edge.dependent,
                };
                let dependent = self.whole_if_key(dependent);
                let is_own_part = address.sub == 0 && catalog.owner_of_part(dependent) == address;
                (dependent, edge.kind == DependencyKind::Normal && !is_own_part)
            })
            .filter(|(dependent, _)| *dependent != address)
            .collect();
        dependents.extend(self.referring_above(address).into_iter().map(|key| (key, true)));
        dependents.sort_by_key(|(dependent, _)| (dependent.object, dependent.sub));
        dependents
    }

    /// A partitioned table goes with a column of its key.
    fn whole_if_key(&self, part: ObjectAddress) -> ObjectAddress {
        let table = self.printer.catalog.relation(part.object).filter(|_| part.class == PG_CLASS && part.sub != 0);
        let keys = table.and_then(|table| table.partitioning()).map(|partitioning| partitioning.keys.as_slice());
        match keys.unwrap_or_default().iter().any(|key| i32::from(key.attnum) == part.sub) {
            true => ObjectAddress { sub: 0, ..part },
            false => part,
        }
    }

    /// Foreign keys of other trees that rest on the rows of a partition, since they refer to a table above it.
    fn referring_above(&self, address: ObjectAddress) -> Vec<ObjectAddress> {
        let catalog = self.printer.catalog;
        let table = catalog.relation(address.object).filter(|_| address.class == PG_CLASS && address.sub == 0);
        let Some(table) = table.filter(|table| table.partition_bound().is_some()) else { return Vec::new() };
        let above = catalog.partition_ancestors(table);
        let root = above.last().map_or(table.oid, |root| root.oid);
        let outside = |referring: &Relation| {
            let own = catalog.partition_ancestors(referring).last().map_or(referring.oid, |own| own.oid);
            own != root
        };
        let keys = above.iter().flat_map(|above| catalog.referencing(above.oid));
        let keys = keys.filter(|(referring, constraint)| constraint.parent == 0 && outside(referring));
        keys.map(|(_, constraint)| ObjectAddress::new(PG_CONSTRAINT, constraint.oid)).collect()
    }

    /// The constraint that an index belongs to.
    fn constraint_of(&self, index: ObjectAddress) -> Option<ObjectAddress> {
        self.printer.catalog.relation(index.object)?.index()?;
        let edges = self.printer.catalog.dependencies_of(index);
        let owner =
            edges.iter().find(|edge| edge.kind == DependencyKind::Internal && edge.referenced.class == PG_CONSTRAINT);
        owner.map(|edge| edge.referenced)
    }

    fn describe_all(&self) -> Vec<String> {
        self.lines.iter().map(|(dependent, _)| describe(self.printer, *dependent)).collect()
    }

    fn restrict_error(&self, roots: &[ObjectAddress]) -> Error {
        let message = match roots {
            [only] => {
                let object = describe(self.printer, *only);
                format!("cannot drop {object} because other objects depend on it")
            }
            _ => "cannot drop desired object(s) because other objects depend on them".to_owned(),
        };
        let line = |(dependent, on): &(ObjectAddress, ObjectAddress)| {
            format!("{} depends on {}", describe(self.printer, *dependent), describe(self.printer, *on))
        };
        let mut lines: Vec<_> = self.lines.iter().take(MAX_LISTED).map(line).collect();
        if self.lines.len() > MAX_LISTED {
            let more = self.lines.len() - MAX_LISTED;
            lines
                .push(format!("and {more} other object{} (see server log for list)", if more == 1 { "" } else { "s" }));
        }
        Error::new(sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message)
            .with_detail(lines.join("\n"))
            .with_hint("Use DROP ... CASCADE to drop the dependent objects too.")
    }

    fn plan(&self) -> DropPlan {
        let catalog = self.printer.catalog;
        let is_part = |address: &ObjectAddress| address.sub != 0 || matches!(address.class, PG_CONSTRAINT | PG_ATTRDEF);
        // Row types go with their relations, array types with their elements' types.
        let is_own_type = |address: &ObjectAddress| catalog.user_type(address.object).is_some();
        let is_whole =
            |address: &&ObjectAddress| !is_part(address) && (address.class != PG_TYPE || is_own_type(address));
        let whole: BTreeSet<_> = self.found.iter().filter(is_whole).copied().collect();
        let objects = self.found.iter().filter(|address| whole.contains(address)).copied().collect();
        let stays = |address: &&ObjectAddress| is_part(address) && !whole.contains(&catalog.owner_of_part(**address));
        let parts = self.found.iter().filter(stays).copied().collect();
        DropPlan { objects, parts, cascades: self.describe_all() }
    }
}

impl DropPlan {
    /// What the NOTICE about CASCADE says, with its detail; None if nothing else goes.
    pub fn notice(&self) -> Option<(String, Option<String>)> {
        match self.cascades.as_slice() {
            [] => None,
            [only] => Some((format!("drop cascades to {only}"), None)),
            many => {
                let mut lines: Vec<_> =
                    many.iter().take(MAX_LISTED).map(|object| format!("drop cascades to {object}")).collect();
                if many.len() > MAX_LISTED {
                    let more = many.len() - MAX_LISTED;
                    let plural = if more == 1 { "" } else { "s" };
                    lines.push(format!("and {more} other object{plural} (see server log for list)"));
                }
                Some((format!("drop cascades to {} other objects", many.len()), Some(lines.join("\n"))))
            }
        }
    }

    /// The tables, indexes and sequences among the objects, whose storage goes too.
    pub fn relations<'a>(&'a self, printer: Printer<'a>) -> impl Iterator<Item = &'a crate::object::Relation> + 'a {
        let relations = self.objects.iter().filter(|address| address.class == PG_CLASS);
        relations
            .filter_map(move |address| printer.catalog.relation(address.object))
            .map(|relation| &**relation)
            .filter(|relation| !matches!(relation.kind, RelationKind::View(_) | RelationKind::Composite))
    }
}

#[cfg(test)]
mod tests;
