//! ASOF joins: to each row on the left the nearest one on the right.
//!
//! Equal columns decide which rows belong together, the first `<`, `<=`, `>` or `>=` between the sides what is near. Conditions on one side alone
//! filter it; further comparisons of the same column of the right side bound how far away the nearest may be.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};

use super::Lowerer;
use super::as_of_tolerance::{self, Apart};
use super::build::all;
use super::free::has_subquery;
use super::relation::{Binding, Relation};
use super::select::flatten;
use crate::bind::tree::{self, From, Presence};
use crate::execute::as_of::{AsOfNode, Plan};
use crate::execute::error::from_datafusion;
use crate::execute::node::node;
use crate::parse::ast::JoinKind;

/// A comparison of something on the left with something on the right.
struct Between {
    left: Expr,
    op: Operator,
    right: Expr,
}

/// The condition, taken apart.
#[derive(Default)]
struct Parts {
    equal: Vec<Between>,
    nearest: Option<Between>,
    /// Further comparisons of the right side of `nearest`.
    bounds: Vec<Between>,
    /// Of a left join, what a row must be to have a match.
    left: Vec<Expr>,
}

impl Lowerer<'_> {
    pub(super) fn as_of_join(
        &mut self,
        (kind, present): (JoinKind, Presence),
        mut left: Relation,
        right: &From,
        condition: Option<&tree::Expr>,
    ) -> Result<Relation> {
        if self.refers_to(right, &left) {
            return Err(Error::unsupported("a lateral item on the right of an ASOF join"));
        }
        let mut right = self.item(right)?;
        self.mark_present(present.left, &mut left)?;
        self.mark_present(present.right, &mut right)?;
        let parts = self.as_of_parts(kind, condition, &mut left, &mut right)?;
        let Some(nearest) = parts.nearest else {
            let message = "an ASOF join needs a condition with <, <=, > or >= between its sides";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
        };
        let op = nearest.op;
        let mut sides = (Vec::new(), Vec::new());
        for Between { left: l, right: r, .. } in parts.equal.into_iter().chain([nearest]) {
            sides.0.push(l);
            sides.1.push(r);
        }
        let left_keys = self.columns_of(sides.0, &mut left)?;
        let right_keys = self.columns_of(sides.1, &mut right)?;
        let (bounds, ops): (Vec<Expr>, Vec<Operator>) =
            parts.bounds.into_iter().map(|bound| (bound.left, bound.op)).unzip();
        let bounds = self.columns_of(bounds, &mut left)?;
        let condition = match all(parts.left) {
            Some(condition) => self.columns_of(vec![condition], &mut left)?.pop(),
            None => None,
        };
        let known = right_keys.iter().map(|key| Expr::IsNotNull(Box::new(key.expr())));
        right.filter(all(known))?;
        let plan = Plan {
            left: left_keys.into_iter().map(|key| key.column).collect(),
            right: right_keys.into_iter().map(|key| key.column).collect(),
            op,
            bounds: ops.into_iter().zip(bounds).map(|(op, bound)| (op, bound.column)).collect(),
            condition: condition.map(|condition| condition.column),
            keep_left: kind == JoinKind::Left,
        };
        let inputs = vec![std::mem::take(&mut left.plan), std::mem::take(&mut right.plan)];
        left.plan = node(Arc::new(AsOfNode(plan)), inputs).map_err(from_datafusion)?;
        left.rels.extend(right.rels);
        Ok(left)
    }

    fn as_of_parts(
        &mut self,
        kind: JoinKind,
        condition: Option<&tree::Expr>,
        left: &mut Relation,
        right: &mut Relation,
    ) -> Result<Parts> {
        let mut conjuncts = Vec::new();
        condition.into_iter().for_each(|condition| flatten(condition, &mut conjuncts));
        let mut parts = Parts::default();
        let mut tolerances = Vec::new();
        let mut scope = Relation { plan: LogicalPlan::default(), rels: left.rels.clone(), domain: left.domain.clone() };
        scope.rels.extend(right.rels.clone());
        for conjunct in conjuncts {
            if has_subquery(conjunct) {
                return Err(Error::unsupported("a sub-query in the condition of an ASOF join"));
            }
            let lowered = self.condition(conjunct, &mut scope)?;
            if !lowered.column_refs().is_empty() && within(&lowered, right) {
                right.filter(Some(lowered))?;
            } else if within(&lowered, left) {
                match kind {
                    JoinKind::Left => parts.left.push(lowered),
                    _ => left.filter(Some(lowered))?,
                }
            } else {
                let side = |expr: &tree::Expr| {
                    as_of_tolerance::side(expr, &|rel| left.rels.contains_key(&rel), &|rel| {
                        right.rels.contains_key(&rel)
                    })
                };
                match (between(lowered, left, right), as_of_tolerance::apart(conjunct, &side)) {
                    (Ok(comparison), _) if parts.takes(&comparison) => parts.add(comparison),
                    (_, Some(tolerance)) => tolerances.push(tolerance),
                    (other, None) => return Err(other.err().unwrap_or_else(other_condition)),
                }
            }
        }
        for Apart { left: l, op, right: r } in tolerances {
            let comparison =
                Between { left: self.expr(&l, &mut scope)?.expr, op, right: self.expr(&r, &mut scope)?.expr };
            check_types(&comparison, left, right)?;
            if parts.nearest.is_none() || !parts.takes(&comparison) {
                return Err(other_condition());
            }
            parts.add(comparison);
        }
        Ok(parts)
    }

    /// The expressions as columns of a relation.
    fn columns_of(&mut self, exprs: Vec<Expr>, relation: &mut Relation) -> Result<Vec<Binding>> {
        let mut columns = Vec::with_capacity(exprs.len());
        for expr in &exprs {
            let data_type = expr.get_type(relation.plan.schema()).map_err(from_datafusion)?;
            columns.push(self.binding("as_of", data_type));
        }
        relation.extend(exprs.into_iter().zip(&columns).collect())?;
        Ok(columns)
    }
}

impl Parts {
    /// Is it an equality, the first comparison, or one more with what is nearest?
    fn takes(&self, comparison: &Between) -> bool {
        comparison.op == Operator::Eq || self.nearest.as_ref().is_none_or(|nearest| nearest.right == comparison.right)
    }

    fn add(&mut self, comparison: Between) {
        match &self.nearest {
            _ if comparison.op == Operator::Eq => self.equal.push(comparison),
            None => self.nearest = Some(comparison),
            Some(_) => self.bounds.push(comparison),
        }
    }
}

fn other_condition() -> Error {
    Error::unsupported(
        "an ASOF join with a condition that is neither an equality nor a comparison with what is nearest",
    )
}

fn within(expr: &Expr, side: &Relation) -> bool {
    expr.column_refs().iter().all(|column| side.plan.schema().has_column(column))
}

/// A comparison of the sides, the left one first.
fn between(condition: Expr, left: &Relation, right: &Relation) -> Result<Between> {
    let Expr::BinaryExpr(BinaryExpr { left: one, op, right: other }) = condition else { return Err(other_condition()) };
    if !matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq | Operator::Gt | Operator::GtEq) {
        return Err(other_condition());
    }
    let comparison = match (within(&one, left) && within(&other, right), within(&one, right) && within(&other, left)) {
        (true, _) => Between { left: *one, op, right: *other },
        (_, true) => Between { left: *other, op: op.swap().ok_or_else(other_condition)?, right: *one },
        _ => return Err(other_condition()),
    };
    check_types(&comparison, left, right)?;
    Ok(comparison)
}

fn check_types(comparison: &Between, left: &Relation, right: &Relation) -> Result<()> {
    let type_of = |expr: &Expr, side: &Relation| expr.get_type(side.plan.schema()).map_err(from_datafusion);
    match type_of(&comparison.left, left)? == type_of(&comparison.right, right)? {
        true => Ok(()),
        false => Err(Error::unsupported("an ASOF join that compares values of different types")),
    }
}
