//! `op ANY (SELECT …)`, `IN`, `op ALL (SELECT …)` and `NOT IN`, with PostgreSQL's three-valued result.
//!
//! ANY is true if a row compares true, else null if one compares null, else false; ALL is false if a row compares false, else null if one
//! compares null, else true.

use aegis_catalog::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::common::JoinType;
use datafusion::functions_aggregate::bool_and_or::bool_or_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::scalar::ScalarValue;

use super::build::{aggregate, all, binary, boolean, cross, integer, join, join_not_distinct, literal};
use super::expr::when;
use super::relation::Relation;
use super::subquery::{JoinSide, both_sides};
use super::value::Value;
use super::{Lowerer, compare};
use crate::bind::tree::{self, RelId, Subquery, SubqueryKind};

/// The parts of an ANY or ALL.
struct Quantified<'q> {
    all: bool,
    output: RelId,
    condition: &'q tree::Expr,
}

impl<'q> Quantified<'q> {
    fn new(subquery: &'q Subquery) -> Result<Self> {
        match &subquery.kind {
            SubqueryKind::Any { output, condition } => Ok(Self { all: false, output: *output, condition }),
            SubqueryKind::All { output, condition } => Ok(Self { all: true, output: *output, condition }),
            _ => Err(Error::internal("a sub-query that is neither ANY nor ALL")),
        }
    }

    /// The comparison decides the result: true for ANY, false for ALL.
    fn decides(&self, compared: Expr) -> Expr {
        if !self.all {
            return compared;
        }
        // `x <> ALL` is decided by `x = y`, which joins can hash.
        match compare::inequality(&compared) {
            Some((left, right)) => binary(left.clone(), Operator::Eq, right.clone()),
            None => Expr::Not(Box::new(compared)),
        }
    }
}

impl Lowerer<'_> {
    /// ANY or ALL as a value.
    pub(super) fn quantified(&mut self, subquery: &Subquery, input: &mut Relation) -> Result<Value> {
        let quantified = Quantified::new(subquery)?;
        if let Some(side) = self.join_side(&subquery.query, Some(quantified.output), input)?
            && !super::free::has_subquery(quantified.condition)
        {
            return self.quantified_by_marks(&quantified, side, input);
        }
        let free = self.free_in_subquery(subquery);
        let (base, domain, pairs) = {
            let taken = std::mem::replace(input, Relation::new(LogicalPlan::default()));
            self.domain(taken, &free)?
        };
        *input = base;
        let mut right = self.query(&subquery.query, Some(&domain))?.into_relation(quantified.output);
        let compared = self.condition(quantified.condition, &mut right)?;
        let decided = self.binding("decided", DataType::Boolean);
        let unknown = self.binding("unknown", DataType::Boolean);
        let any = |expr: Expr| bool_or_udaf().call(vec![expr]);
        let aggregates = vec![
            any(quantified.decides(compared.clone())).alias(&decided.column.name),
            any(Expr::IsNull(Box::new(compared))).alias(&unknown.column.name),
        ];
        let keys = right.domain.iter().map(|column| column.binding.expr()).collect();
        let plan = aggregate(right.plan, keys, aggregates)?;
        let pairs = pairs.into_iter().map(|(outer, inner)| (inner, outer)).collect();
        input.plan = join_not_distinct(plan, std::mem::take(&mut input.plan), JoinType::Right, pairs, None)?;
        let is = |expr: Expr| Expr::IsTrue(Box::new(expr));
        Ok(three_valued(quantified.all, is(decided.expr()), Some(is(unknown.expr()))))
    }

    fn quantified_by_marks(
        &mut self,
        quantified: &Quantified<'_>,
        side: JoinSide,
        input: &mut Relation,
    ) -> Result<Value> {
        let mut both = both_sides(input, &side.right);
        let compared = self.condition(quantified.condition, &mut both)?;
        let decisive = quantified.decides(compared.clone());
        let nullable = nullable(&compared, input, &side.right);
        let on = |condition: Expr, side: &JoinSide| all(side.conditions.iter().cloned().chain([condition]));
        if let (true, true, Some((left, right))) = (nullable, side.uncorrelated, compare::equality(&decisive)) {
            let (left, right) = sides_in_order(left, right, input);
            let (left, right) = (left.clone(), right.clone());
            let side = self.reusable(side)?;
            let counts = self.count_nulls(input, &side.right, &right)?;
            let condition = on(decisive, &side);
            let mark = self.mark(input, side.right, condition)?;
            let unknown = counts.unknown(left);
            return Ok(three_valued(quantified.all, mark.expr(), Some(unknown)));
        }
        let mut unknown = None;
        let mut side = side;
        if nullable {
            side = self.reusable(side)?;
            let condition = on(Expr::IsNull(Box::new(compared)), &side);
            unknown = Some(self.mark(input, side.right.clone(), condition)?.expr());
        }
        let condition = on(decisive, &side);
        let mark = self.mark(input, side.right, condition)?;
        Ok(three_valued(quantified.all, mark.expr(), unknown))
    }

    /// ANY or ALL (or its negation) as a condition of WHERE, where null counts as false.
    pub(super) fn filter_by_quantified(
        &mut self,
        subquery: &Subquery,
        negated: bool,
        input: &mut Relation,
    ) -> Result<bool> {
        let quantified = Quantified::new(subquery)?;
        if super::free::has_subquery(quantified.condition) {
            return Ok(false);
        }
        let Some(side) = self.join_side(&subquery.query, Some(quantified.output), input)? else { return Ok(false) };
        let mut both = both_sides(input, &side.right);
        let compared = self.condition(quantified.condition, &mut both)?;
        let decisive = quantified.decides(compared.clone());
        if quantified.all == negated {
            // Some row decides: x = ANY (…), NOT (x <> ALL (…)).
            let condition = all(side.conditions.into_iter().chain([decisive]));
            let left = std::mem::take(&mut input.plan);
            input.plan = join(left, side.right.plan, JoinType::LeftSemi, condition)?;
            return Ok(true);
        }
        // No row decides and none is unknown: x <> ALL (…), NOT (x = ANY (…)).
        let nullable = nullable(&compared, input, &side.right);
        let left = match (nullable, side.uncorrelated, compare::equality(&decisive)) {
            (false, ..) => decisive,
            (true, true, Some((left, right))) => {
                let (left, right) = sides_in_order(left, right, input);
                let (left, right) = (left.clone(), right.clone());
                let side = self.reusable(side)?;
                let counts = self.count_nulls(input, &side.right, &right)?;
                let plan = std::mem::take(&mut input.plan);
                input.plan = join(plan, side.right.plan, JoinType::LeftAnti, Some(decisive))?;
                let unknown = counts.unknown(left);
                self.keep(input, Expr::Not(Box::new(unknown)))?;
                return Ok(true);
            }
            (true, ..) => match quantified.all {
                true => Expr::IsNotTrue(Box::new(compared)),
                false => Expr::IsNotFalse(Box::new(compared)),
            },
        };
        let condition = all(side.conditions.into_iter().chain([left]));
        let plan = std::mem::take(&mut input.plan);
        input.plan = join(plan, side.right.plan, JoinType::LeftAnti, condition)?;
        Ok(true)
    }

    /// The side with a plan that may be used twice.
    fn reusable(&mut self, mut side: JoinSide) -> Result<JoinSide> {
        side.right.plan = self.shareable(side.right.plan)?;
        Ok(side)
    }

    /// Adds the number of rows on the right, and of those where `value` is not null, to every row of the input.
    fn count_nulls(&mut self, input: &mut Relation, right: &Relation, value: &Expr) -> Result<Counts> {
        let total = self.binding("count", DataType::Int64);
        let present = self.binding("count", DataType::Int64);
        let aggregates = vec![
            count_udaf().call(vec![integer(1)]).alias(&total.column.name),
            count_udaf().call(vec![value.clone()]).alias(&present.column.name),
        ];
        let counts = aggregate(right.plan.clone(), Vec::new(), aggregates)?;
        input.plan = cross(counts, std::mem::take(&mut input.plan))?;
        Ok(Counts { total: total.expr(), present: present.expr() })
    }
}

/// Rows on the right side of `x = ANY (…)`.
struct Counts {
    total: Expr,
    present: Expr,
}

impl Counts {
    /// The result is null unless a row decides: there are rows, and `left` or one of them is null.
    fn unknown(&self, left: Expr) -> Expr {
        let some = binary(self.total.clone(), Operator::Gt, integer(0));
        let null_right = binary(self.total.clone(), Operator::Gt, self.present.clone());
        let null = binary(Expr::IsNull(Box::new(left)), Operator::Or, null_right);
        binary(some, Operator::And, null)
    }
}

/// The side of an equality that belongs to the input first.
fn sides_in_order<'e>(left: &'e Expr, right: &'e Expr, input: &Relation) -> (&'e Expr, &'e Expr) {
    let of_input = |expr: &Expr| expr.column_refs().iter().any(|column| input.plan.schema().has_column(column));
    if of_input(right) { (right, left) } else { (left, right) }
}

fn nullable(compared: &Expr, left: &Relation, right: &Relation) -> bool {
    let Ok(schema) = left.plan.schema().join(right.plan.schema()) else { return true };
    compared.nullable(&schema).unwrap_or(true)
}

fn three_valued(all: bool, decided: Expr, unknown: Option<Expr>) -> Value {
    let mut branches = vec![(decided, boolean(!all))];
    if let Some(unknown) = unknown {
        branches.push((unknown, literal(ScalarValue::Boolean(None))));
    }
    Value::boolean(when(branches, boolean(all)))
}
