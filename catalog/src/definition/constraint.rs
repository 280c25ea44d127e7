//! `pg_get_constraintdef`.

use std::sync::Arc;

use super::identifier::{column_names, relation_name};
use super::{Printer, ShowExpression, Subject};
use crate::object::{Constraint, ConstraintKind, ReferentialAction, Relation};
use crate::types::oid::Oid;

/// The clause that makes the constraint, as in `ALTER TABLE … ADD`; None if there is no such constraint.
pub fn constraint_definition(printer: Printer<'_>, show: ShowExpression<'_>, oid: Oid) -> Option<String> {
    if let Some((domain, constraint)) = printer.catalog.domain_constraint(oid) {
        let ConstraintKind::Check { expression, .. } = &constraint.kind else { return None };
        let valid = if constraint.validated { "" } else { " NOT VALID" };
        return Some(format!("CHECK ({}){valid}", show(Subject::Domain(domain), expression)));
    }
    let (table, constraint) = printer.catalog.constraint(oid)?;
    let mut text = body(printer, show, table, constraint);
    if constraint.deferrable {
        text.push_str(" DEFERRABLE");
    }
    if constraint.initially_deferred {
        text.push_str(" INITIALLY DEFERRED");
    }
    if !constraint.validated {
        text.push_str(" NOT VALID");
    }
    Some(text)
}

fn body(printer: Printer<'_>, show: ShowExpression<'_>, table: &Arc<Relation>, constraint: &Constraint) -> String {
    match &constraint.kind {
        ConstraintKind::PrimaryKey { columns, index } => {
            format!("PRIMARY KEY ({}){}", column_names(Some(table), columns), include(printer, table, *index))
        }
        ConstraintKind::Unique { columns, index, nulls_not_distinct } => {
            let nulls = if *nulls_not_distinct { "NULLS NOT DISTINCT " } else { "" };
            format!("UNIQUE {nulls}({}){}", column_names(Some(table), columns), include(printer, table, *index))
        }
        ConstraintKind::Check { expression, .. } => {
            let own = if constraint.no_inherit { " NO INHERIT" } else { "" };
            format!("CHECK ({}){own}", show(Subject::Table(table), expression))
        }
        ConstraintKind::ForeignKey {
            columns,
            referenced,
            referenced_columns,
            on_update,
            on_delete,
            match_full,
            delete_columns,
            ..
        } => {
            let target = printer.catalog.relation(*referenced).map(|target| &**target);
            let only = match delete_columns.is_empty() {
                true => String::new(),
                false => format!(" ({})", column_names(Some(table), delete_columns)),
            };
            format!(
                "FOREIGN KEY ({}) REFERENCES {}({}){}{}{}{only}",
                column_names(Some(table), columns),
                target.map(|target| relation_name(printer, target)).unwrap_or_else(|| "???".to_owned()),
                column_names(target, referenced_columns),
                if *match_full { " MATCH FULL" } else { "" },
                action(" ON UPDATE ", *on_update),
                action(" ON DELETE ", *on_delete),
            )
        }
    }
}

fn include(printer: Printer<'_>, table: &Relation, index: Oid) -> String {
    match printer.catalog.relation(index).and_then(|relation| relation.index()) {
        Some(index) if !index.include.is_empty() => {
            format!(" INCLUDE ({})", column_names(Some(table), &index.include))
        }
        _ => String::new(),
    }
}

fn action(event: &str, action: ReferentialAction) -> String {
    let action = match action {
        ReferentialAction::NoAction => return String::new(),
        ReferentialAction::Restrict => "RESTRICT",
        ReferentialAction::Cascade => "CASCADE",
        ReferentialAction::SetNull => "SET NULL",
        ReferentialAction::SetDefault => "SET DEFAULT",
    };
    format!("{event}{action}")
}
