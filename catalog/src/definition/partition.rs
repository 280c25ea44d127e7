//! `pg_get_partkeydef`, `pg_get_partition_constraintdef`, and the bounds of partitions as `pg_get_expr` prints them.

use std::sync::Arc;

use super::identifier::quote_identifier;
use super::index::{is_call, operator_class_name};
use super::{Printer, ShowExpression, Subject};
use crate::facts;
use crate::image::Catalog;
use crate::object::{Limit, PartitionBound, PartitionKey, Partitioning, Relation};
use crate::types::oid::Oid;

/// `RANGE (a, lower(b))`; None if the table is not partitioned.
pub fn partition_key(printer: Printer<'_>, show: ShowExpression<'_>, table: Oid) -> Option<String> {
    let table = printer.catalog.relation(table)?;
    let partitioning = table.partitioning()?;
    let key = |key: &PartitionKey| {
        let mut text = key_text(table, show, key);
        let own = table.column(key.attnum).map_or(key.collation, |column| column.collation);
        let usual = if key.attnum == 0 { facts::type_row(key.ty.oid).map_or(0, |row| row.collation) } else { own };
        if let Some(name) = Some(key.collation).filter(|&own| own != 0 && own != usual).and_then(facts::collation) {
            text.push_str(&format!(" COLLATE {}", quote_identifier(&name.name)));
        }
        if let Some(name) = operator_class_name(key.operator_class) {
            text.push_str(&format!(" {}", quote_identifier(&name)));
        }
        text
    };
    let keys: Vec<String> = partitioning.keys.iter().map(key).collect();
    Some(format!("{} ({})", partitioning.strategy.name().to_uppercase(), keys.join(", ")))
}

/// A key as it stands in a list of keys.
fn key_text(table: &Arc<Relation>, show: ShowExpression<'_>, key: &PartitionKey) -> String {
    match (&key.expression, table.column(key.attnum)) {
        (Some(expression), _) => match show(Subject::Table(table), expression) {
            shown if is_call(&shown) => shown,
            shown => format!("({shown})"),
        },
        (None, Some(column)) => quote_identifier(&column.name).into_owned(),
        (None, None) => "???".to_owned(),
    }
}

/// `FOR VALUES …` or `DEFAULT`.
pub fn partition_bound(bound: &PartitionBound) -> String {
    match bound {
        PartitionBound::Default => "DEFAULT".to_owned(),
        PartitionBound::List(values) => {
            let values: Vec<String> =
                values.iter().map(|value| value.clone().unwrap_or_else(|| "NULL".to_owned())).collect();
            format!("FOR VALUES IN ({})", values.join(", "))
        }
        PartitionBound::Range { from, to } => format!("FOR VALUES FROM ({}) TO ({})", limits(from), limits(to)),
        PartitionBound::Hash { modulus, remainder } => {
            format!("FOR VALUES WITH (modulus {modulus}, remainder {remainder})")
        }
    }
}

fn limits(limits: &[Limit]) -> String {
    let limit = |limit: &Limit| match limit {
        Limit::Minimum => "MINVALUE".to_owned(),
        Limit::Maximum => "MAXVALUE".to_owned(),
        Limit::Value(value) => value.clone(),
    };
    limits.iter().map(limit).collect::<Vec<_>>().join(", ")
}

/// The condition that a partition's bound and those of the partitioned tables above it put on its rows, as an expression over its columns to
/// be shown; None if there is none.
pub fn partition_constraint(catalog: &Catalog, table: Oid) -> Option<String> {
    let mut at = catalog.relation(table)?.clone();
    let mut conditions = Vec::new();
    while let Some(bound) = at.partition_bound() {
        let parent = catalog.parents_of(&at).next()?.clone();
        conditions.extend(bound_condition(catalog, &parent, bound));
        at = parent;
    }
    conditions.reverse();
    (!conditions.is_empty()).then(|| conditions.join(" AND "))
}

/// What a bound means; None if it is true of every row.
pub fn bound_condition(catalog: &Catalog, parent: &Relation, bound: &PartitionBound) -> Option<String> {
    let partitioning = parent.partitioning()?;
    let keys: Vec<String> = partitioning.keys.iter().map(|key| plain_key(parent, key)).collect();
    match bound {
        PartitionBound::Default => {
            let others = catalog.children_of(parent.oid).filter_map(|child| child.partition_bound());
            let others: Vec<&PartitionBound> = others.filter(|bound| **bound != PartitionBound::Default).collect();
            default_condition(partitioning, &keys, &others).map(|any| format!("NOT ({any})"))
        }
        PartitionBound::List(values) => Some(list_condition(keys.first()?, values.iter())),
        PartitionBound::Range { from, to } => {
            let not_null = keys.iter().map(|key| format!("{key} IS NOT NULL"));
            Some(not_null.chain(range_conditions(&keys, from, to)).collect::<Vec<_>>().join(" AND "))
        }
        PartitionBound::Hash { modulus, remainder } => Some(format!(
            "satisfies_hash_partition('{}'::oid, {modulus}, {remainder}, {})",
            parent.oid,
            keys.join(", ")
        )),
    }
}

/// True of the rows that some other partition holds.
fn default_condition(partitioning: &Partitioning, keys: &[String], others: &[&PartitionBound]) -> Option<String> {
    let mut values = Vec::new();
    let mut ranges = Vec::new();
    for other in others {
        match other {
            PartitionBound::List(listed) => values.extend(listed),
            PartitionBound::Range { from, to } => {
                let conditions: Vec<String> = range_conditions(keys, from, to).collect();
                ranges.push(match conditions.as_slice() {
                    [] => "true".to_owned(),
                    [only] => only.clone(),
                    _ => format!("({})", conditions.join(" AND ")),
                });
            }
            PartitionBound::Default | PartitionBound::Hash { .. } => {}
        }
    }
    if partitioning.strategy == crate::object::Strategy::List {
        return keys.first().filter(|_| !values.is_empty()).map(|key| list_condition(key, values.into_iter()));
    }
    if ranges.is_empty() {
        return None;
    }
    let not_null = keys.iter().map(|key| format!("{key} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    Some(format!("{not_null} AND ({})", ranges.join(" OR ")))
}

fn list_condition<'v>(key: &str, values: impl Iterator<Item = &'v Option<String>>) -> String {
    let values: Vec<&Option<String>> = values.collect();
    let given: Vec<&str> = values.iter().filter_map(|value| value.as_deref()).collect();
    let any = match given.as_slice() {
        [] => String::new(),
        [only] => format!("{key} = {only}"),
        many => format!("{key} = ANY (ARRAY[{}])", many.join(", ")),
    };
    match (values.iter().any(|value| value.is_none()), any.is_empty()) {
        (true, true) => format!("{key} IS NULL"),
        (true, false) => format!("({key} IS NULL OR {any})"),
        (false, _) => format!("{key} IS NOT NULL AND {any}"),
    }
}

/// Conditions that are all true of the keys between the two ends, as PostgreSQL words them (`get_qual_for_range`).
fn range_conditions<'k>(keys: &'k [String], from: &'k [Limit], to: &'k [Limit]) -> impl Iterator<Item = String> + 'k {
    let same = from.iter().zip(to).take_while(|(from, to)| from == to && matches!(from, Limit::Value(_))).count();
    // Where all but the last are the same, so is the last but its end.
    let same = same.min(keys.len().saturating_sub(1));
    let equal = from.iter().zip(keys).take(same).filter_map(|(limit, key)| match limit {
        Limit::Value(value) => Some(format!("{key} = {value}")),
        _ => None,
    });
    let lower = end_condition(keys.get(same..).unwrap_or_default(), from.get(same..).unwrap_or_default(), true);
    let upper = end_condition(keys.get(same..).unwrap_or_default(), to.get(same..).unwrap_or_default(), false);
    equal.chain(lower).chain(upper)
}

/// `(a > 1 OR (a = 1 AND b >= 2))`.
fn end_condition(keys: &[String], limits: &[Limit], lower: bool) -> Option<String> {
    let mut branches = Vec::new();
    for (position, (key, limit)) in keys.iter().zip(limits).enumerate() {
        let equal = limits.iter().zip(keys).take(position).filter_map(|(limit, key)| match limit {
            Limit::Value(value) => Some(format!("{key} = {value}")),
            _ => None,
        });
        let mut parts: Vec<String> = equal.collect();
        let is_last = position + 1 == keys.len();
        let next = limits.get(position + 1);
        match limit {
            Limit::Value(value) => {
                // What follows decides if the value itself is within.
                let includes = match (lower, is_last) {
                    (true, true) => true,
                    (true, false) => next == Some(&Limit::Minimum),
                    (false, true) => false,
                    (false, false) => next == Some(&Limit::Maximum),
                };
                let operator = match (lower, includes) {
                    (true, true) => ">=",
                    (true, false) => ">",
                    (false, true) => "<=",
                    (false, false) => "<",
                };
                parts.push(format!("{key} {operator} {value}"));
                branches.push(parts);
                if next.is_some_and(|next| !matches!(next, Limit::Value(_))) {
                    break;
                }
            }
            // Open to this side.
            Limit::Minimum | Limit::Maximum => break,
        }
    }
    let branches: Vec<String> = branches
        .into_iter()
        .map(|parts| if parts.len() == 1 { parts.concat() } else { format!("({})", parts.join(" AND ")) })
        .collect();
    match branches.as_slice() {
        [] => None,
        [only] => Some(only.clone()),
        many => Some(format!("({})", many.join(" OR "))),
    }
}

fn plain_key(table: &Relation, key: &PartitionKey) -> String {
    match (&key.expression, table.column(key.attnum)) {
        (Some(expression), _) => format!("({expression})"),
        (None, Some(column)) => quote_identifier(&column.name).into_owned(),
        (None, None) => "NULL".to_owned(),
    }
}
