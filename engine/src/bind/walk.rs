//! Visiting every expression of a tree.

use super::tree::*;

macro_rules! visit_all {
    ($parts:expr, $visit:ident) => {
        $parts.into_iter().for_each(|part| $visit(part))
    };
}

macro_rules! visit_subscripts {
    ($subscripts:expr, $visit:ident) => {
        for subscript in $subscripts {
            match subscript {
                Subscript::Index(index) => $visit(index),
                Subscript::Slice { lower, upper } => {
                    visit_all!(lower, $visit);
                    visit_all!(upper, $visit);
                }
            }
        }
    };
}

/// Visits the direct parts of an expression of this kind, be it borrowed to be read or to be changed. Of a sub-query it does what the last
/// argument says.
macro_rules! visit_parts {
    ($kind:expr, $visit:ident, $subquery:pat => $of_subquery:expr) => {
        match $kind {
            ExprKind::Constant(_)
            | ExprKind::Parameter(_)
            | ExprKind::Column { .. }
            | ExprKind::CaseOperand
            | ExprKind::DomainValue
            | ExprKind::Grouping { .. }
            | ExprKind::Default => {}
            ExprKind::Call { args: parts, .. }
            | ExprKind::And(parts)
            | ExprKind::Or(parts)
            | ExprKind::Coalesce(parts)
            | ExprKind::Extreme { args: parts, .. }
            | ExprKind::Row(parts)
            | ExprKind::NamedRow { fields: parts, .. }
            | ExprKind::Array { elements: parts, .. } => visit_all!(parts, $visit),
            ExprKind::Cast { arg, .. }
            | ExprKind::Collate { arg, .. }
            | ExprKind::Collated { arg, .. }
            | ExprKind::Not(arg)
            | ExprKind::IsNull { arg, .. }
            | ExprKind::IsBoolean { arg, .. }
            | ExprKind::Field { arg, .. } => $visit(arg),
            ExprKind::NullExtended { row: first, present: second }
            | ExprKind::IsDistinct { left: first, right: second, .. }
            | ExprKind::NullIf { left: first, right: second, .. }
            | ExprKind::FieldStore { arg: first, value: second, .. }
            | ExprKind::QuantifiedArray { left: first, array: second, .. } => {
                $visit(first);
                $visit(second);
            }
            ExprKind::Case { operand, branches, otherwise } => {
                visit_all!(operand, $visit);
                for (condition, result) in branches {
                    $visit(condition);
                    $visit(result);
                }
                visit_all!(otherwise, $visit);
            }
            ExprKind::RowCompare { left, right, .. } => {
                visit_all!(left, $visit);
                visit_all!(right, $visit);
            }
            ExprKind::InList { left, list, .. } => {
                $visit(left);
                visit_all!(list, $visit);
            }
            ExprKind::Subscript { arg, subscripts } => {
                $visit(arg);
                visit_subscripts!(subscripts, $visit);
            }
            ExprKind::SubscriptStore { arg, subscripts, value } => {
                $visit(arg);
                $visit(value);
                visit_subscripts!(subscripts, $visit);
            }
            ExprKind::Subquery($subquery) => $of_subquery,
        }
    };
}

/// Calls `visit` on each direct part of an expression but its sub-query.
pub(crate) fn parts(expr: &Expr, visit: &mut dyn FnMut(&Expr)) {
    visit_parts!(&expr.kind, visit, _ => {});
}

/// Calls `visit` on each direct part of an expression; sub-queries' expressions included.
pub(crate) fn children(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    visit_parts!(&mut expr.kind, visit, subquery => {
        if let SubqueryKind::Any { condition, .. } | SubqueryKind::All { condition, .. } = &mut subquery.kind {
            visit(condition);
        }
        query(&mut subquery.query, visit);
    });
}

/// Calls `visit` on the top expressions of a query, its CTEs, FROM items and legs.
pub(crate) fn query(query: &mut Query, visit: &mut dyn FnMut(&mut Expr)) {
    query.ctes.iter_mut().for_each(|cte| self::cte(cte, visit));
    match &mut query.body {
        SetExpr::Select(select) => self::select(select, visit),
        SetExpr::Values(rows) => rows.iter_mut().flatten().for_each(&mut *visit),
        SetExpr::Operation { legs, .. } => legs.iter_mut().for_each(|leg| self::query(leg, visit)),
    }
    query.limit.iter_mut().chain(&mut query.offset).for_each(visit);
}

/// Calls `visit` on the top expressions of a statement.
pub(crate) fn statement(statement: &mut Statement, visit: &mut dyn FnMut(&mut Expr)) {
    let rules = |rules: &mut RowRules, visit: &mut dyn FnMut(&mut Expr)| {
        rules.generated.iter_mut().for_each(|(_, expr)| visit(expr));
        rules.checks.iter_mut().for_each(|(_, expr)| visit(expr));
    };
    let returning = |returning: &mut Option<Returning>, visit: &mut dyn FnMut(&mut Expr)| {
        returning.iter_mut().flat_map(|returning| &mut returning.targets).for_each(visit);
    };
    match statement {
        Statement::Query(query) => self::query(query, visit),
        Statement::Insert(insert) => {
            insert.ctes.iter_mut().for_each(|cte| self::cte(cte, visit));
            query(&mut insert.source, visit);
            insert.values.iter_mut().for_each(|(_, value)| visit(value));
            rules(&mut insert.row_rules, visit);
            returning(&mut insert.returning, visit);
        }
        Statement::Update(update) => {
            update.ctes.iter_mut().for_each(|cte| self::cte(cte, visit));
            update.from.iter_mut().for_each(|from| self::from(from, visit));
            update.filter.iter_mut().for_each(&mut *visit);
            update.set.iter_mut().for_each(|(_, value)| visit(value));
            rules(&mut update.row_rules, visit);
            returning(&mut update.returning, visit);
        }
        Statement::Merge(merge) => {
            merge.ctes.iter_mut().for_each(|cte| self::cte(cte, visit));
            from(&mut merge.source, visit);
            visit(&mut merge.condition);
            merge.actions.iter_mut().flat_map(MergeAction::exprs_mut).for_each(&mut *visit);
            rules(&mut merge.row_rules, visit);
        }
        Statement::Delete(delete) => {
            delete.ctes.iter_mut().for_each(|cte| self::cte(cte, visit));
            delete.using.iter_mut().for_each(|from| self::from(from, visit));
            delete.filter.iter_mut().for_each(&mut *visit);
            returning(&mut delete.returning, visit);
        }
    }
}

fn cte(cte: &mut Cte, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut cte.body {
        CteBody::Query(query) => self::query(query, visit),
        CteBody::Recursive { seed, step, .. } => {
            self::query(seed, visit);
            self::query(step, visit);
        }
        // Changing statements see nothing of the query around them.
        CteBody::Change(_) | CteBody::Given => {}
    }
}

/// Calls `visit` on the top expressions of a SELECT and its FROM items.
pub(crate) fn select(select: &mut Select, visit: &mut dyn FnMut(&mut Expr)) {
    select.from.iter_mut().for_each(|from| self::from(from, visit));
    select.filter.iter_mut().for_each(&mut *visit);
    if let Some(grouping) = &mut select.grouping {
        grouping.keys.iter_mut().for_each(&mut *visit);
        grouping.aggregates.iter_mut().for_each(|aggregate| self::aggregate(aggregate, visit));
    }
    select.having.iter_mut().for_each(&mut *visit);
    if let Some(windows) = &mut select.windows {
        windows.calls.iter_mut().for_each(|call| window(call, visit));
    }
    if let Some(sets) = &mut select.set_functions {
        sets.calls.iter_mut().flat_map(|(_, call)| &mut call.args).for_each(&mut *visit);
    }
    select.targets.iter_mut().for_each(visit);
}

pub(crate) fn aggregate(call: &mut AggregateCall, visit: &mut dyn FnMut(&mut Expr)) {
    call.args.iter_mut().for_each(&mut *visit);
    call.order_by.iter_mut().for_each(|key| visit(&mut key.expr));
    call.filter.iter_mut().for_each(visit);
}

pub(crate) fn window(call: &mut WindowCall, visit: &mut dyn FnMut(&mut Expr)) {
    call.args.iter_mut().for_each(&mut *visit);
    call.filter.iter_mut().for_each(&mut *visit);
    call.partition_by.iter_mut().for_each(&mut *visit);
    call.order_by.iter_mut().for_each(|key| visit(&mut key.expr));
    for bound in [&mut call.frame.start, &mut call.frame.end] {
        if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
            visit(offset);
        }
    }
}

pub(crate) fn from(from: &mut From, visit: &mut dyn FnMut(&mut Expr)) {
    match from {
        From::Table { sample, .. } => sample.iter_mut().flat_map(|sample| sample.exprs_mut()).for_each(visit),
        From::Cte { .. } => {}
        From::Subquery { query, .. } => self::query(query, visit),
        From::Function { calls, .. } => calls.iter_mut().flat_map(|call| &mut call.args).for_each(visit),
        From::Join { left, right, condition, .. } => {
            self::from(left, visit);
            self::from(right, visit);
            condition.iter_mut().for_each(visit);
        }
    }
}

/// Calls `visit` on every column reference in an expression, sub-queries included.
pub(crate) fn columns(expr: &mut Expr, visit: &mut dyn FnMut(RelId, usize)) {
    if let ExprKind::Column { rel, column } = &expr.kind {
        visit(*rel, *column);
    }
    children(expr, &mut |child| columns(child, visit));
}

/// Where a column of `wanted` is first mentioned.
pub(crate) fn place_of(expr: &mut Expr, wanted: RelId) -> Option<crate::parse::ast::Span> {
    if matches!(expr.kind, ExprKind::Column { rel, .. } if rel == wanted) {
        return Some(expr.span);
    }
    let mut found = None;
    children(expr, &mut |child| found = found.or_else(|| place_of(child, wanted)));
    found
}

/// Whether any column is mentioned.
pub fn has_columns(expr: &Expr) -> bool {
    let mut found = false;
    columns(&mut expr.clone(), &mut |_, _| found = true);
    found
}

/// Whether a column of `wanted` is mentioned.
pub(crate) fn mentions(expr: &Expr, wanted: RelId) -> bool {
    let mut found = false;
    columns(&mut expr.clone(), &mut |rel, _| found |= rel == wanted);
    found
}
