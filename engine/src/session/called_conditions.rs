//! Conditions of joins and HAVING with calls that run statement by statement: they become a part of WHERE, where rows are found for their calls.

use super::routine::has_calls;
use crate::bind::tree::{Expr, ExprKind, From, OutputColumn, Query, Select, SetExpr};
use crate::parse::ast::{JoinKind, Span};

/// Moves what can be moved: the conditions of an outer join stay, and HAVING over grouping sets.
pub(super) fn into_where(select: &mut Select, has_ctes: bool) {
    having_into_where(select, has_ctes);
    let mut lifted = Vec::new();
    if let Some(from) = &mut select.from {
        lift(from, &mut lifted);
    }
    if !lifted.is_empty() {
        lifted.extend(select.filter.take());
        select.filter = super::row_calls::and(lifted);
    }
}

/// Takes the called parts of conditions out of those joins that no outer join may leave out.
fn lift(from: &mut From, lifted: &mut Vec<Expr>) {
    let From::Join { kind, left, right, condition, form } = from else { return };
    let kept = match kind {
        JoinKind::Inner | JoinKind::Cross => [true, true],
        JoinKind::Left => [true, false],
        JoinKind::Right => [false, true],
        JoinKind::Full => [false, false],
    };
    for (side, kept) in [left, right].into_iter().zip(kept) {
        if kept {
            lift(side, lifted);
        }
    }
    if kept == [true, true] && form.as_of.is_none() && condition.as_ref().is_some_and(has_calls) {
        let parts = condition.take().into_iter().flat_map(super::row_calls::conjuncts);
        let (called, plain): (Vec<_>, Vec<_>) = parts.partition(has_calls);
        lifted.extend(called);
        *condition = super::row_calls::and(plain);
    }
}

/// `SELECT … GROUP BY … HAVING c` as a SELECT over the groups with the condition in its WHERE. The groups' columns keep their names.
fn having_into_where(select: &mut Select, has_ctes: bool) {
    if !select.having.as_ref().is_some_and(has_calls) {
        return;
    }
    // The calls of the inner WHERE would look for CTEs that the outer query has.
    let inner_calls = has_ctes && select.filter.as_ref().is_some_and(has_calls);
    let Some(grouping) = select.grouping.take_if(|grouping| grouping.sets.is_none() && !inner_calls) else { return };
    let rel = grouping.rel;
    let types = grouping.keys.iter().map(|key| key.ty).chain(grouping.aggregates.iter().map(|call| call.ty));
    let types: Vec<_> = types.collect();
    let column = |(column, &ty)| Expr { kind: ExprKind::Column { rel, column }, ty, span: Span::default() };
    let output = |(at, &ty): (usize, _)| OutputColumn { name: format!("g{at}"), ty, origin: None };
    let targets: Vec<Expr> = types.iter().enumerate().map(column).collect();
    let groups =
        Select { filter: select.filter.take(), grouping: Some(grouping), ..Select::new(select.from.take(), targets) };
    let query = Query::bare(SetExpr::Select(Box::new(groups)), types.iter().enumerate().map(output).collect());
    select.from = Some(From::Subquery { rel, query: Box::new(query), lateral: false, view: None, alias: None });
    select.filter = select.having.take();
}
