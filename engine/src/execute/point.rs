//! Look-ups by key: `SELECT columns FROM table WHERE key = value` goes straight to the key's index, without lowering, plan or filter.
//!
//! Everything else, and a value that does not fit the column's type exactly, takes the general way and gets the same answer.

use std::sync::Arc;

use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Oid, Result};
use datafusion::scalar::ScalarValue;

use super::provider::key_batch;
use super::statement::Execution;
use super::stream::RowStream;
use crate::bind::tree::{CallForm, CastMethod, Expr, ExprKind, From, Query, RelId, Select};
use crate::lower::inherit::is_spread;

/// Types whose values are equal exactly if their representations are.
const PLAIN: [Oid; 14] = [
    oid::BOOL,
    oid::INT2,
    oid::INT4,
    oid::INT8,
    oid::OID,
    oid::TEXT,
    oid::VARCHAR,
    oid::NAME,
    oid::BYTEA,
    oid::UUID,
    oid::DATE,
    oid::TIME,
    oid::TIMESTAMP,
    oid::TIMESTAMPTZ,
];

const INTEGERS: [Oid; 3] = [oid::INT2, oid::INT4, oid::INT8];

/// The row with the key that the query asks for; None if it is not such a query.
pub fn read(query: &Query, execution: &Execution<'_>) -> Result<Option<RowStream>> {
    let Some((relation, select)) = one_table(query) else { return Ok(None) };
    if is_spread(relation, &execution.context.catalog) {
        return Ok(None);
    }
    let (RelationKind::Table(table), Some(From::Table { rel, .. })) = (&relation.kind, &select.from) else {
        return Ok(None);
    };
    let Some(filter) = &select.filter else { return Ok(None) };
    let value = |equality: Option<(i16, Given)>| {
        let (column, given) = equality?;
        Some((column, given.value(execution.parameters)?.clone()))
    };
    let Some(values) = equalities(filter, *rel, relation).map(value).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let schema = execution.transaction.table_schema(table.storage).map_err(Error::from)?;
    let mut columns = Vec::with_capacity(select.targets.len());
    for target in &select.targets {
        let position =
            column_of(target, *rel, relation).and_then(|attnum| schema.position(u32::try_from(attnum).ok()?));
        let Some(position) = position else { return Ok(None) };
        columns.push(position);
    }
    let immediate = schema.indexes.iter().filter(|index| index.is_immediate());
    for index in immediate.filter(|index| index.columns.len() == values.len()) {
        let Some(key) = key_batch(&schema, index, relation, &values)? else { continue };
        let found = execution.transaction.lookup(table.storage, index.id, &key).map_err(Error::from)?;
        let addresses: Vec<_> = found.into_iter().flatten().collect();
        let row = execution.transaction.fetch(table.storage, &addresses, &columns).map_err(Error::from)?;
        execution.context.services.counters(index.id).looked_up(addresses.len() as u64);
        return Ok(Some(RowStream::ready(vec![row])));
    }
    Ok(None)
}

/// The table of a query that does nothing but filter and project it.
fn one_table(query: &Query) -> Option<(&Arc<Relation>, &Select)> {
    let select = query.plain_select()?;
    let Some(From::Table { relation, .. }) = &select.from else { return None };
    Some((relation, select))
}

/// A constant or a parameter.
#[derive(Debug)]
pub enum Given {
    Constant(ScalarValue),
    /// From 1.
    Parameter(u32),
}

impl Given {
    pub fn value<'v>(&'v self, parameters: &'v [ScalarValue]) -> Option<&'v ScalarValue> {
        match self {
            Self::Constant(value) => Some(value),
            Self::Parameter(number) => parameters.get(usize::try_from(*number).ok()?.checked_sub(1)?),
        }
    }
}

/// For each of a condition's conjuncts the column that it sets equal to something given, if that is what it does.
pub fn equalities<'e>(
    condition: &'e Expr,
    rel: RelId,
    relation: &'e Relation,
) -> impl Iterator<Item = Option<(i16, Given)>> + 'e {
    let conjuncts = match &condition.kind {
        ExprKind::And(conjuncts) => conjuncts.as_slice(),
        _ => std::slice::from_ref(condition),
    };
    conjuncts.iter().map(move |conjunct| equality(conjunct, rel, relation))
}

fn equality(conjunct: &Expr, rel: RelId, relation: &Relation) -> Option<(i16, Given)> {
    let ExprKind::Call { form: CallForm::Operator(operator), args, .. } = &conjunct.kind else { return None };
    let [left, right] = args.as_slice() else { return None };
    let same = left.ty.oid == right.ty.oid || [left, right].iter().all(|side| INTEGERS.contains(&side.ty.oid));
    if operator != "=" || !same || !PLAIN.contains(&left.ty.oid) {
        return None;
    }
    let (column, value) = match column_of(left, rel, relation) {
        Some(column) => (column, right),
        None => (column_of(right, rel, relation)?, left),
    };
    let value = match &relabelled(value).kind {
        ExprKind::Constant(value) => Given::Constant(value.clone()),
        ExprKind::Parameter(number) => Given::Parameter(*number),
        _ => return None,
    };
    Some((column, value))
}

/// The expression below casts that only change the type's name.
fn relabelled(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Cast { arg, method: CastMethod::Relabel, .. } => relabelled(arg),
        _ => expr,
    }
}

/// The number of the table's column that an expression is.
fn column_of(expr: &Expr, rel: RelId, relation: &Relation) -> Option<i16> {
    match &relabelled(expr).kind {
        ExprKind::Column { rel: of, column } if *of == rel => {
            relation.columns.get(*column).filter(|column| !column.dropped).map(|column| column.attnum)
        }
        _ => None,
    }
}
