//! Columns and checks that a new table has from its parents, merged with what it declares itself (PostgreSQL's MergeAttributes).

use std::sync::Arc;

use aegis_catalog::object::{Column, ConstraintKind, Relation, RelationKind, Table};
use aegis_catalog::types::format_type;
use aegis_catalog::{Error, Result, Type, sqlstate};

use super::{Plan, column_type};
use crate::bind;
use crate::parse::utility::{ColumnConstraint, ColumnConstraintKind, ColumnDefinition, PartitionBy};
use crate::session::Session;
use crate::session::context::StatementContext;
use crate::statement::namespace::Place;
use crate::statement::{inherit, partition};

impl Plan {
    /// Has it this column from a parent?
    pub fn inherits(&self, column: &str) -> bool {
        self.columns.iter().any(|own| own.name == column && own.inheritance.parents > 0 && !own.inheritance.local)
    }

    /// Takes over what a parent has.
    pub fn inherit(
        &mut self,
        session: &Session,
        parent: &Arc<Relation>,
        temporary: bool,
        context: &StatementContext,
    ) -> Result<()> {
        if !self.partition {
            inherit::check_parent(parent, temporary, context)?;
        }
        if self.parents.contains(&parent.oid) {
            let message = format!("relation \"{}\" would be inherited from more than once", parent.name);
            return Err(Error::new(sqlstate::DUPLICATE_TABLE, message));
        }
        self.parents.push(parent.oid);
        for column in parent.live_columns() {
            self.inherit_column(session, column)?;
        }
        for check in inherit::checks(parent) {
            let own = inherit::inherited_check(check, parent, &self.columns);
            match self.inherited_checks.iter_mut().find(|known| known.name == own.name) {
                None => self.inherited_checks.push(own),
                Some(known) if inherit::same_check(known, &own) => known.inheritance.parents += 1,
                Some(_) => {
                    let message = format!(
                        "check constraint name \"{}\" appears multiple times but with different expressions",
                        own.name
                    );
                    return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message));
                }
            }
        }
        Ok(())
    }

    fn inherit_column(&mut self, session: &Session, column: &Column) -> Result<()> {
        let name = &column.name;
        let attnum = self.columns.last().map_or(0, |last| last.attnum) + 1;
        let Some(known) = self.columns.iter_mut().find(|known| known.name == *name) else {
            self.columns.push(inherit::inherited_column(column, attnum));
            return Ok(());
        };
        session.skip_notice(&format!("merging multiple inherited definitions of column \"{name}\""));
        same_type("inherited column", name, known.ty, column.ty)?;
        if known.collation != column.collation {
            let message = format!("inherited column \"{name}\" has a collation conflict");
            return Err(Error::new(sqlstate::COLLATION_MISMATCH, message));
        }
        if known.generated != column.generated {
            let message = format!("inherited column \"{name}\" has a generation conflict");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        }
        known.inheritance.parents += 1;
        known.not_null |= column.not_null;
        match (&known.default, &column.default) {
            (None, Some(default)) => known.default = Some(default.clone()),
            (Some(one), Some(other)) if one != other => drop(self.conflicting_defaults.insert(name.clone())),
            _ => {}
        }
        Ok(())
    }

    /// A column that is declared and inherited.
    pub fn merge_column(
        &mut self,
        session: &Session,
        definition: &ColumnDefinition,
        context: &StatementContext,
    ) -> Result<()> {
        let name = &definition.name;
        session.skip_notice(&format!("merging column \"{}\" with inherited definition", name.name));
        let Some(place) = self.columns.iter().position(|column| column.name == name.name) else {
            return Err(Error::internal("a column that is not inherited"));
        };
        let ty = column_type(&definition.ty, context)?;
        let mut column = self.columns.remove(place);
        same_type("column", &name.name, column.ty, ty)?;
        if let Some(collation) = &definition.collation {
            let own = bind::resolve_collation(collation, ty, context)?;
            if own != column.collation {
                let message = format!("column \"{}\" has a collation conflict", name.name);
                return Err(Error::new(sqlstate::COLLATION_MISMATCH, message));
            }
        }
        column.inheritance.local = true;
        self.override_default(&mut column, &definition.constraints)?;
        self.column_constraints(&mut column, name, &definition.constraints, false)?;
        self.columns.insert(place, column);
        Ok(())
    }

    /// A default of its own takes the place of the inherited one.
    pub fn override_default(&mut self, column: &mut Column, constraints: &[ColumnConstraint]) -> Result<()> {
        if column.inheritance.parents == 0 {
            return Ok(());
        }
        let name = &column.name;
        let refuse = |message: String| Err(Error::new(sqlstate::INVALID_COLUMN_DEFINITION, message));
        for constraint in constraints {
            match &constraint.kind {
                ColumnConstraintKind::Default(..) if column.generated => {
                    return refuse(format!("column \"{name}\" inherits from generated column but specifies default"));
                }
                ColumnConstraintKind::Identity { .. } if column.generated => {
                    return refuse(format!("column \"{name}\" inherits from generated column but specifies identity"));
                }
                ColumnConstraintKind::GeneratedStored(..) if !column.generated => {
                    return refuse(format!("child column \"{name}\" specifies generation expression")).map_err(
                        |error: Error| {
                            error.with_hint("A child table column cannot be generated unless its parent column is.")
                        },
                    );
                }
                ColumnConstraintKind::Default(..) | ColumnConstraintKind::GeneratedStored(..) => {
                    self.conflicting_defaults.remove(name);
                    column.default = None;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// 42611 for a column whose parents do not agree.
    pub fn check_defaults(&self) -> Result<()> {
        let Some(name) = self.conflicting_defaults.first() else { return Ok(()) };
        let message = format!("column \"{name}\" inherits conflicting default values");
        Err(Error::new(sqlstate::INVALID_COLUMN_DEFINITION, message)
            .with_hint("To resolve the conflict, specify a default explicitly."))
    }

    /// The key of the new table.
    pub fn partition_by(&mut self, by: &PartitionBy, place: &Place, context: &StatementContext) -> Result<()> {
        let (schema, name, persistence) = (place.schema, place.name.clone(), place.persistence);
        let kind = RelationKind::Table(Table::new(0));
        let table = Place { schema, name, persistence }.relation(context.user_oid, self.columns.clone(), kind);
        let partitioning = partition::key::partitioning(by, &Arc::new(table), context)?;
        self.partitioning = Some(partitioning);
        Ok(())
    }
}

fn same_type(what: &str, name: &str, one: Type, other: Type) -> Result<()> {
    if one == other {
        return Ok(());
    }
    let message = format!("{what} \"{name}\" has a type conflict");
    Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).with_detail(format!(
        "{} versus {}",
        format_type(one),
        format_type(other)
    )))
}

/// The table with a declared check that it inherits too, if it does: the two become one.
pub fn merged_check(table: &Relation, name: &str, expression: &str) -> Option<Relation> {
    let mut changed = table.clone();
    let RelationKind::Table(own) = &mut changed.kind else { return None };
    let is_partition = own.bound.is_some();
    let known = own.constraints.iter_mut().find(|known| known.name == name && known.inheritance.parents > 0)?;
    let ConstraintKind::Check { expression: inherited, .. } = &known.kind else { return None };
    if inherited != expression {
        return None;
    }
    // What a partition has from its parent is not its own.
    known.inheritance.local = !is_partition;
    Some(changed)
}
