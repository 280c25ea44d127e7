//! The dependencies that follow from what a relation is, so that nobody needs to record them: a constraint falls with
//! its table, an index with its columns. They are those that PostgreSQL writes to `pg_depend`.

use super::{ConstraintKind, Dependency, DependencyKind, ObjectAddress, Relation, RelationKind};
use crate::extension_facts::is_made;
use crate::fixed_oid::{FIRST_NORMAL, PG_ATTRDEF, PG_COLLATION, PG_CONSTRAINT, PG_NAMESPACE, PG_REWRITE, PG_TYPE};
use crate::types::oid::Oid;

impl Relation {
    /// Its constraints, defaults and rule, which have OIDs of their own.
    pub fn parts(&self) -> Vec<ObjectAddress> {
        let defaults = self.columns.iter().map(|column| ObjectAddress::new(PG_ATTRDEF, column.default_oid));
        let constraints = self.constraints().iter().map(|constraint| ObjectAddress::new(PG_CONSTRAINT, constraint.oid));
        let rule = self.query().map(|view| ObjectAddress::new(PG_REWRITE, view.rule));
        defaults.chain(constraints).chain(rule).filter(|part| part.object != 0).collect()
    }

    /// What it and its parts rest on by their structure.
    pub fn structural_dependencies(&self) -> Vec<Dependency> {
        let mut edges = Edges(Vec::new());
        let relation = self.address();
        let is_composite = matches!(self.kind, RelationKind::Composite);
        if self.index().is_none() {
            let whole = if is_composite { ObjectAddress::new(PG_TYPE, self.row_type) } else { relation };
            edges.add(whole, ObjectAddress::new(PG_NAMESPACE, self.schema), DependencyKind::Normal);
        }
        let of_table = |column: &&super::Column| self.index().is_none() && is_made(column.ty.oid);
        for column in self.live_columns().filter(of_table) {
            let ty = ObjectAddress::new(PG_TYPE, column.ty.oid);
            // A view goes as a whole.
            let dependent = match &self.kind {
                RelationKind::View(view) => ObjectAddress::new(PG_REWRITE, view.rule),
                _ => ObjectAddress::column(self.oid, column.attnum),
            };
            edges.add(dependent, ty, DependencyKind::Normal);
        }
        for column in self.live_columns().filter(|column| column.collation >= FIRST_NORMAL) {
            let dependent = match &self.kind {
                RelationKind::View(view) => ObjectAddress::new(PG_REWRITE, view.rule),
                RelationKind::Index(_) => relation,
                _ => ObjectAddress::column(self.oid, column.attnum),
            };
            edges.add(dependent, ObjectAddress::new(PG_COLLATION, column.collation), DependencyKind::Normal);
        }
        if self.row_type != 0 {
            let row_type = ObjectAddress::new(PG_TYPE, self.row_type);
            match is_composite {
                true => edges.add(relation, row_type, DependencyKind::Internal),
                false => edges.add(row_type, relation, DependencyKind::Internal),
            }
            edges.add(ObjectAddress::new(PG_TYPE, self.row_array_type), row_type, DependencyKind::Internal);
        }
        for column in self.columns.iter().filter(|column| column.default_oid != 0) {
            let default = ObjectAddress::new(PG_ATTRDEF, column.default_oid);
            let kind = if column.generated { DependencyKind::Internal } else { DependencyKind::Auto };
            edges.add(default, ObjectAddress::column(self.oid, column.attnum), kind);
        }
        match &self.kind {
            RelationKind::Table(table) => {
                self.constraint_dependencies(&mut edges);
                if let Some(materialized) = &table.materialized {
                    let rule = ObjectAddress::new(PG_REWRITE, materialized.view.rule);
                    edges.add(rule, relation, DependencyKind::Internal);
                }
                for parent in &table.parents {
                    let parent = ObjectAddress::new(crate::fixed_oid::PG_CLASS, *parent);
                    let kind = if table.bound.is_some() { DependencyKind::Auto } else { DependencyKind::Normal };
                    edges.add(relation, parent, kind);
                }
                if table.of_type != 0 {
                    edges.add(relation, ObjectAddress::new(PG_TYPE, table.of_type), DependencyKind::Normal);
                }
            }
            RelationKind::View(view) => {
                edges.add(ObjectAddress::new(PG_REWRITE, view.rule), relation, DependencyKind::Internal);
                if let Some(window) = &view.window {
                    let table = ObjectAddress::new(crate::fixed_oid::PG_CLASS, window.table);
                    edges.add(relation, table, DependencyKind::Auto);
                }
            }
            RelationKind::Index(index) => {
                let attnums = index.keys.iter().map(|key| key.attnum).chain(index.include.iter().copied());
                edges.columns(relation, index.table, attnums, DependencyKind::Auto);
                if index.parent != 0 {
                    let (parent, table) = (index.parent, index.table);
                    let address = |oid| ObjectAddress::new(crate::fixed_oid::PG_CLASS, oid);
                    edges.add(relation, address(parent), DependencyKind::PartitionPrimary);
                    edges.add(relation, address(table), DependencyKind::PartitionSecondary);
                }
            }
            RelationKind::Sequence(sequence) => {
                if let Some((table, attnum)) = sequence.owned_by {
                    let kind = if sequence.identity { DependencyKind::Internal } else { DependencyKind::Auto };
                    edges.add(relation, ObjectAddress::column(table, attnum), kind);
                }
            }
            RelationKind::Composite | RelationKind::System => {}
        }
        edges.0
    }

    fn constraint_dependencies(&self, edges: &mut Edges) {
        for constraint in self.constraints() {
            let address = ObjectAddress::new(PG_CONSTRAINT, constraint.oid);
            edges.columns(address, self.oid, constraint.columns().iter().copied(), DependencyKind::Auto);
            if constraint.parent != 0 {
                let parent = ObjectAddress::new(PG_CONSTRAINT, constraint.parent);
                edges.add(address, parent, DependencyKind::PartitionPrimary);
                edges.add(address, self.address(), DependencyKind::PartitionSecondary);
            }
            match &constraint.kind {
                ConstraintKind::PrimaryKey { index, .. } | ConstraintKind::Unique { index, .. } if *index != 0 => {
                    let index = ObjectAddress::new(crate::fixed_oid::PG_CLASS, *index);
                    edges.add(index, address, DependencyKind::Internal);
                }
                ConstraintKind::ForeignKey { referenced, referenced_columns, referenced_index, .. } => {
                    let columns = referenced_columns.iter().copied();
                    edges.columns(address, *referenced, columns, DependencyKind::Normal);
                    if *referenced_index != 0 {
                        let index = ObjectAddress::new(crate::fixed_oid::PG_CLASS, *referenced_index);
                        edges.add(address, index, DependencyKind::Normal);
                    }
                }
                _ => {}
            }
        }
    }
}

struct Edges(Vec<Dependency>);

impl Edges {
    fn add(&mut self, dependent: ObjectAddress, referenced: ObjectAddress, kind: DependencyKind) {
        self.0.push(Dependency { dependent, referenced, kind });
    }

    /// On each of the columns, or on the whole table if there is none.
    fn columns(
        &mut self,
        dependent: ObjectAddress,
        table: Oid,
        attnums: impl Iterator<Item = i16>,
        kind: DependencyKind,
    ) {
        let before = self.0.len();
        for attnum in attnums.filter(|&attnum| attnum != 0) {
            self.add(dependent, ObjectAddress::column(table, attnum), kind);
        }
        if self.0.len() == before {
            self.add(dependent, ObjectAddress::column(table, 0), kind);
        }
    }
}
