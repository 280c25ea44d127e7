//! Queries that look at nothing but the last row of each series of a table: DISTINCT ON, `last(value, time)` and `max(time)` by group, and
//! ORDER BY … DESC LIMIT 1 for each row of an outer query. What they compute stays as it is; the table gives them those rows alone.
//!
//! The columns that tell series apart are those that the rows are grouped by, and all others that WHERE looks at: it keeps or leaves out
//! whole series then. Bounds of the time itself are told to the table.

use std::sync::Arc;

use aegis_catalog::Result;
use aegis_catalog::object::{Relation as CatalogRelation, RelationKind};
use aegis_storage::last_rows::{is_key, is_time};
use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::scalar::ScalarValue;

use super::build::one_row;
use super::free::{calls_volatile, has_subquery};
use super::inherit::is_spread;
use super::relation::Relation;
use super::select::{comparison_of, flatten, plain_column};
use super::{ColumnRef, Lowerer};
use crate::bind::tree::{self, AggregateCall, Distinct, ExprKind, From, Query, RelId, Select};
use crate::execute::key::key_type;
use crate::functions::Body;
use crate::partition::prune::Comparison;

/// The rows of a table that are enough: the last one of each series.
#[derive(Debug, Clone, PartialEq)]
pub struct LastRows {
    /// Numbers of the columns.
    pub keys: Vec<i16>,
    pub time: i16,
    /// Only rows of `from <= time < until` matter, in the units of the column.
    pub from: Option<i64>,
    pub until: Option<i64>,
}

/// A table whose rows are read, and what is known so far.
struct Reduced<'t> {
    rel: RelId,
    table: &'t Arc<CatalogRelation>,
    /// Positions of columns.
    keys: Vec<usize>,
    time: usize,
    from: Option<i64>,
    until: Option<i64>,
}

impl Lowerer<'_> {
    /// Notes that a SELECT needs the last rows of its table only, if so. `domain`: it is run for each row of an outer query.
    pub(super) fn reduce_to_last_rows(&mut self, query: &Query, select: &Select, domain: bool) -> Result<()> {
        let Some(From::Table { rel, relation, only, sample: None, .. }) = &select.from else { return Ok(()) };
        let stored = matches!(relation.kind, RelationKind::Table(_)) && (*only || !is_spread(relation, self.catalog()));
        if !stored || relation.partitioning().is_some() || self.context.deferred {
            return Ok(());
        }
        let found = match (&select.distinct, &select.grouping) {
            (_, Some(_)) => last_of_groups(select, *rel),
            (Distinct::On(positions), None) => last_of_distinct(query, select, positions, *rel),
            (Distinct::None, None) if domain => last_of_order(query, select, *rel),
            _ => None,
        };
        let Some((keys, time)) = found else { return Ok(()) };
        let mut reduced = Reduced { rel: *rel, table: relation, keys, time, from: None, until: None };
        if let Some(condition) = &select.filter
            && !self.takes_conditions(condition, &mut reduced)?
        {
            return Ok(());
        }
        if let Some(last) = self.last_rows_of(reduced) {
            self.reduced.insert(*rel, last);
        }
        Ok(())
    }

    /// Do all conditions keep or leave out whole series, or bound the time?
    fn takes_conditions(&mut self, condition: &tree::Expr, reduced: &mut Reduced<'_>) -> Result<bool> {
        let mut conjuncts = Vec::new();
        flatten(condition, &mut conjuncts);
        for conjunct in conjuncts {
            if calls_volatile(conjunct) {
                return Ok(false);
            }
            let free = self.free_in_expr(conjunct);
            let own: Vec<usize> =
                free.iter().filter(|(rel, _)| *rel == reduced.rel).map(|(_, column)| *column).collect();
            if !own.contains(&reduced.time) {
                reduced.keys.extend(own);
            } else if !self.takes_bound(conjunct, reduced)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A comparison of the time with a constant.
    fn takes_bound(&mut self, conjunct: &tree::Expr, reduced: &mut Reduced<'_>) -> Result<bool> {
        let ExprKind::Call { form: tree::CallForm::Operator(operator), args, .. } = &conjunct.kind else {
            return Ok(false);
        };
        let ([left, right], Some(comparison)) = (args.as_slice(), comparison_of(operator)) else { return Ok(false) };
        let is_time = |expr: &tree::Expr| plain_column(expr) == Some((reduced.rel, reduced.time));
        let (value, comparison) = match (is_time(left), is_time(right)) {
            (true, false) => (right, comparison),
            (false, true) => (left, comparison.turned()),
            _ => return Ok(false),
        };
        if has_subquery(value) || !self.free_in_expr(value).is_empty() {
            return Ok(false);
        }
        let value = self.expr(value, &mut Relation::new(one_row()))?;
        let Some(column) = reduced.table.columns.get(reduced.time) else { return Ok(false) };
        let stored = self.catalog().stored_arrow_type(column.ty);
        let Some(instant) = value.constant().and_then(|value| instant(value, &stored)) else { return Ok(false) };
        let behind = instant.checked_add(1);
        match comparison {
            Comparison::Less => lower(&mut reduced.until, instant),
            Comparison::LessOrEqual => behind.into_iter().for_each(|behind| lower(&mut reduced.until, behind)),
            Comparison::Greater | Comparison::GreaterOrEqual => raise(&mut reduced.from, instant),
            Comparison::Equal => {
                raise(&mut reduced.from, instant);
                behind.into_iter().for_each(|behind| lower(&mut reduced.until, behind));
            }
        }
        Ok(true)
    }

    /// None if the columns are not of types that series have.
    fn last_rows_of(&self, reduced: Reduced<'_>) -> Option<LastRows> {
        let catalog = self.catalog();
        let time = reduced.table.columns.get(reduced.time).filter(|column| column.not_null)?;
        if !is_time(&catalog.stored_arrow_type(time.ty)) {
            return None;
        }
        let mut keys = Vec::new();
        for position in &reduced.keys {
            // System columns are none.
            let column = reduced.table.columns.get(*position)?;
            let stored = catalog.stored_arrow_type(column.ty);
            if !is_key(&stored) || key_type(catalog.erased(column.ty), &stored).is_some() {
                return None;
            }
            if !keys.contains(&column.attnum) {
                keys.push(column.attnum);
            }
        }
        let (from, until) = (reduced.from, reduced.until);
        (!keys.is_empty()).then_some(LastRows { keys, time: time.attnum, from, until })
    }
}

fn raise(bound: &mut Option<i64>, to: i64) {
    *bound = Some(bound.map_or(to, |bound| bound.max(to)));
}

fn lower(bound: &mut Option<i64>, to: i64) {
    *bound = Some(bound.map_or(to, |bound| bound.min(to)));
}

/// A time of that type as an integer.
fn instant(value: &ScalarValue, stored: &DataType) -> Option<i64> {
    if value.is_null() || value.data_type() != *stored {
        return None;
    }
    let mut array = value.to_array().ok()?;
    if *stored == DataType::Date32 {
        array = cast(&array, &DataType::Int32).ok()?;
    }
    Some(cast(&array, &DataType::Int64).ok()?.as_primitive::<Int64Type>().value(0))
}

/// A column of the table.
fn column_of(expr: &tree::Expr, rel: RelId) -> Option<usize> {
    plain_column(expr).filter(|(of, _): &ColumnRef| *of == rel).map(|(_, column)| column)
}

/// `SELECT DISTINCT ON (keys) … ORDER BY keys, time DESC`: keys and time.
fn last_of_distinct(query: &Query, select: &Select, positions: &[usize], rel: RelId) -> Option<(Vec<usize>, usize)> {
    if select.windows.is_some() || select.set_functions.is_some() {
        return None;
    }
    let target = |position: usize| column_of(select.targets.get(position)?, rel);
    let keys = positions.iter().map(|position| target(*position)).collect::<Option<Vec<_>>>()?;
    let mut order = query.order_by.iter().skip_while(|key| positions.contains(&key.position));
    let (Some(last), None) = (order.next(), order.next()) else { return None };
    (last.descending && last.collation.is_none()).then_some((keys, target(last.position)?))
}

/// `SELECT keys, last(value, time), max(time) … GROUP BY keys`.
fn last_of_groups(select: &Select, rel: RelId) -> Option<(Vec<usize>, usize)> {
    let grouping = select.grouping.as_ref().filter(|grouping| grouping.sets.is_none())?;
    let keys = grouping.keys.iter().map(|key| column_of(key, rel)).collect::<Option<Vec<_>>>()?;
    let time = |call: &AggregateCall| {
        let plain = !call.distinct && call.order_by.is_empty() && call.filter.is_none() && !call.within_group;
        if !plain || !matches!(call.function.body, Body::Aggregate(_)) || call.args.iter().any(calls_volatile) {
            return None;
        }
        match (call.function.name.as_str(), call.args.as_slice()) {
            ("last", [value, time]) if !has_subquery(value) => column_of(time, rel),
            ("max", [time]) => column_of(time, rel),
            _ => None,
        }
    };
    let mut times = grouping.aggregates.iter().map(time);
    let first = times.next()??;
    times.all(|time| time == Some(first)).then_some((keys, first))
}

/// `SELECT … WHERE keys = … ORDER BY time DESC LIMIT 1`: the keys are what WHERE looks at.
fn last_of_order(query: &Query, select: &Select, rel: RelId) -> Option<(Vec<usize>, usize)> {
    let one = |limit: &tree::Expr| matches!(&limit.kind, ExprKind::Constant(ScalarValue::Int64(Some(1))));
    let plain = select.windows.is_none() && select.set_functions.is_none() && query.offset.is_none();
    if !plain || query.with_ties || !query.limit.as_ref().is_some_and(one) {
        return None;
    }
    let [key] = query.order_by.as_slice() else { return None };
    let time = column_of(select.targets.get(key.position)?, rel)?;
    (key.descending && key.collation.is_none()).then_some((Vec::new(), time))
}
