//! What reads a table by name or by text: views, and the expressions of its own columns, constraints and indexes. They are kept as text,
//! so a change of names must not turn them into something else.

use std::sync::Arc;

use aegis_catalog::fixed_oid::PG_REWRITE;
use aegis_catalog::object::{Column, ConstraintKind, ObjectAddress, Relation};
use aegis_catalog::{Oid, Result};

use crate::bind::tree::RelId;
use crate::bind::{self, Purpose};
use crate::session::context::StatementContext;

/// The row of a table that its expressions are about.
const ROW: RelId = RelId(0);

/// Views whose query names the column.
pub fn views_of_column(table: &Relation, attnum: i16, context: &StatementContext) -> Vec<Arc<Relation>> {
    views_on(ObjectAddress::column(table.oid, attnum), context)
}

fn views_on(address: ObjectAddress, context: &StatementContext) -> Vec<Arc<Relation>> {
    let catalog = &context.catalog;
    let rules = catalog.dependents_of(address).into_iter().map(|edge| edge.dependent);
    let rules = rules.filter(|dependent| dependent.class == PG_REWRITE);
    let mut oids: Vec<Oid> = rules.map(|rule| catalog.owner_of_part(rule).object).collect();
    oids.sort_unstable();
    oids.dedup();
    oids.into_iter().filter_map(|oid| catalog.relation(oid).cloned()).filter(|view| view.query().is_some()).collect()
}

/// Generated columns that are computed from the column.
pub fn generated_from<'t>(table: &'t Relation, column: &Column, context: &StatementContext) -> Result<Vec<&'t Column>> {
    let shared = Arc::new(table.clone());
    let mut found = Vec::new();
    for generated in table.live_columns().filter(|other| other.generated && other.attnum != column.attnum) {
        let Some(text) = &generated.default else { continue };
        if mentions(&shared, text, Purpose::Generated, column, context)? {
            found.push(generated);
        }
    }
    Ok(found)
}

/// Indexes with an expression or a predicate over the column.
pub fn indexes_mentioning(table: &Relation, column: &Column, context: &StatementContext) -> Vec<ObjectAddress> {
    let shared = Arc::new(table.clone());
    let over = |text: &String, purpose| mentions(&shared, text, purpose, column, context).unwrap_or(true);
    let mentioning = |index: &&Arc<Relation>| {
        index.index().is_some_and(|index| {
            let mut expressions = index.keys.iter().filter_map(|key| key.expression.as_ref());
            expressions.any(|text| over(text, Purpose::IndexExpression))
                || index.predicate.as_ref().is_some_and(|text| over(text, Purpose::IndexPredicate))
        })
    };
    context.catalog.indexes_of(table.oid).filter(mentioning).map(|index| index.address()).collect()
}

/// Does an expression over the table's columns read this one?
pub fn reads(table: &Arc<Relation>, text: &str, column: &Column, context: &StatementContext) -> Result<bool> {
    mentions(table, text, Purpose::IndexExpression, column, context)
}

/// Does the expression read the column?
fn mentions(
    table: &Arc<Relation>,
    text: &str,
    purpose: Purpose,
    column: &Column,
    context: &StatementContext,
) -> Result<bool> {
    let expr = crate::parse::parse_expression(text)?;
    let bound = bind::bind_expression_over(table, ROW, &expr, purpose, None, context)?;
    let place = table.columns.iter().position(|other| other.attnum == column.attnum);
    Ok(place.is_some_and(|place| crate::lower::free::reads_column(&bound, (ROW, place))))
}

/// Every expression that belongs to the table must bind.
pub fn check_own_expressions(table: &Arc<Relation>, context: &StatementContext) -> Result<()> {
    let check = |text: &str, purpose, target| -> Result<()> {
        let expr = crate::parse::parse_expression(text)?;
        bind::bind_expression_over(table, ROW, &expr, purpose, target, context).map(drop)
    };
    for column in table.live_columns() {
        let Some(text) = &column.default else { continue };
        let purpose = if column.generated { Purpose::Generated } else { Purpose::Default };
        check(text, purpose, Some(column.ty))?;
    }
    for constraint in table.constraints() {
        if let ConstraintKind::Check { expression, .. } = &constraint.kind {
            check(expression, Purpose::Check, None)?;
        }
    }
    for index in context.catalog.indexes_of(table.oid).filter_map(|index| index.index()) {
        for text in index.keys.iter().filter_map(|key| key.expression.as_ref()) {
            check(text, Purpose::IndexExpression, None)?;
        }
        if let Some(text) = &index.predicate {
            check(text, Purpose::IndexPredicate, None)?;
        }
    }
    Ok(())
}
