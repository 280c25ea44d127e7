//! Filters of a scan as conditions on single columns, by which the store leaves out segments, row groups and pages.
//! What has no such form is left to the plan, which filters every row anyway.

use aegis_storage::TableSchema;
use aegis_storage::transaction::{Bound, Predicate, Test};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{Between, BinaryExpr, Cast, Expr, Operator};
use datafusion::scalar::ScalarValue;

use super::Source;
use crate::functions::datetime::extract::length_of_unit;

const DAY_MICROS: i64 = 86_400_000_000;
/// The function that makes comparison keys.
const COMPARISON_KEY: &str = "comparison_key";

/// The columns of a scan.
pub struct Columns<'a> {
    pub schema: &'a SchemaRef,
    pub sources: &'a [Source],
    pub table: &'a TableSchema,
}

/// How far from its bucket's start a value may be, earlier and later, in µs.
struct Reach {
    before: i64,
    behind: Option<i64>,
}

/// What the filters, all of which must hold, say of single columns.
pub fn predicates(filters: &[Expr], columns: &Columns<'_>) -> Vec<Predicate> {
    let mut out = Vec::new();
    filters.iter().for_each(|filter| columns.conjuncts(filter, &mut out));
    out
}

impl Columns<'_> {
    fn conjuncts(&self, filter: &Expr, out: &mut Vec<Predicate>) {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                self.conjuncts(left, out);
                self.conjuncts(right, out);
            }
            Expr::Between(Between { expr, negated: false, low, high }) => {
                out.extend(self.comparison(expr, Operator::GtEq, low));
                out.extend(self.comparison(expr, Operator::LtEq, high));
            }
            other => {
                if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = other {
                    self.through_bucket(left, *op, right, out);
                    op.swap().into_iter().for_each(|op| self.through_bucket(right, op, left, out));
                }
                out.extend(self.predicate(other));
            }
        }
    }

    /// What a comparison with the start of a column's bucket (`time_bucket`, `date_trunc`) says of the column: the start is no later, and
    /// no more than a bucket earlier.
    fn through_bucket(&self, left: &Expr, op: Operator, right: &Expr, out: &mut Vec<Predicate>) {
        let Some((column, reach)) = self.bucketed(left) else { return };
        let Some(ScalarValue::TimestampMicrosecond(Some(start), zone)) = self.value(column, right) else { return };
        let bound = |micros: Option<i64>| {
            let value = ScalarValue::TimestampMicrosecond(Some(micros?), zone.clone()).to_array().ok()?;
            Some(Bound { value, inclusive: true })
        };
        let low = matches!(op, Operator::Gt | Operator::GtEq | Operator::Eq)
            .then(|| bound(start.checked_sub(reach.before)))
            .flatten();
        let high = matches!(op, Operator::Lt | Operator::LtEq | Operator::Eq)
            .then(|| bound(start.checked_add(reach.behind?)))
            .flatten();
        if low.is_some() || high.is_some() {
            out.extend(Predicate::new(column, Test::Range { low, high }));
        }
    }

    /// The column whose bucket an expression is.
    fn bucketed(&self, expr: &Expr) -> Option<(u32, Reach)> {
        let Expr::ScalarFunction(function) = expr else { return None };
        let [width, time] = function.args.as_slice() else { return None };
        let column = self.column(time)?;
        let Expr::Literal(width, _) = width else { return None };
        let reach = match (function.func.name(), width) {
            ("time_bucket", ScalarValue::IntervalMonthDayNano(Some(width))) => {
                let days = i64::from(width.months).checked_mul(31)?.checked_add(i64::from(width.days))?;
                let behind = days.checked_mul(DAY_MICROS)?.checked_add(width.nanoseconds / 1000);
                Reach { before: 0, behind }
            }
            // Where clocks are set back, a local time may stand for a later instant; no unit that is asked for by name is longer than a year here.
            ("date_trunc", ScalarValue::Utf8View(Some(unit))) => {
                let behind = match length_of_unit(unit) {
                    Some(length) => Some(length),
                    None => matches!(unit.as_str(), "month" | "quarter" | "year").then_some(366 * DAY_MICROS),
                };
                Reach { before: DAY_MICROS, behind: behind.and_then(|behind| behind.checked_add(DAY_MICROS)) }
            }
            _ => return None,
        };
        Some((column, reach))
    }

    fn predicate(&self, filter: &Expr) -> Option<Predicate> {
        match filter {
            Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => {
                let mut values = Vec::new();
                let column = self.alternatives(filter, &mut values)?;
                self.one_of(column, values)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                self.comparison(left, *op, right).or_else(|| self.comparison(right, op.swap()?, left))
            }
            Expr::InList(InList { expr, list, negated: false }) => {
                let column = self.column(expr)?;
                let values = list.iter().map(|value| self.value(column, value)).collect::<Option<_>>()?;
                self.one_of(column, values)
            }
            Expr::IsNull(expr) => Predicate::new(self.column(expr)?, Test::Null),
            Expr::IsNotNull(expr) => Predicate::new(self.column(expr)?, Test::NotNull),
            Expr::Column(_) => self.truth(filter, true),
            Expr::IsTrue(expr) => self.truth(expr, true),
            Expr::Not(expr) | Expr::IsFalse(expr) => self.truth(expr, false),
            _ => None,
        }
    }

    fn truth(&self, column: &Expr, value: bool) -> Option<Predicate> {
        self.one_of(self.column(column)?, vec![ScalarValue::Boolean(Some(value))])
    }

    /// The values of `column = a OR column = b OR …`.
    fn alternatives(&self, filter: &Expr, values: &mut Vec<ScalarValue>) -> Option<u32> {
        match filter {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                let column = self.alternatives(left, values)?;
                (self.alternatives(right, values)? == column).then_some(column)
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                let (column, value) = match self.column(left) {
                    Some(column) => (column, right),
                    None => (self.column(right)?, left),
                };
                values.push(self.value(column, value)?);
                Some(column)
            }
            _ => None,
        }
    }

    fn one_of(&self, column: u32, values: Vec<ScalarValue>) -> Option<Predicate> {
        let data_type = self.data_type(column)?;
        if values.is_empty() || values.iter().any(|value| value.data_type() != *data_type) {
            return None;
        }
        Predicate::new(column, Test::OneOf(ScalarValue::iter_to_array(values).ok()?))
    }

    fn comparison(&self, left: &Expr, op: Operator, right: &Expr) -> Option<Predicate> {
        let (column, value, op) = match self.column(left) {
            Some(column) => (column, self.value(column, right)?, op),
            None => self.through_key(left, op, right)?,
        };
        let bound = |inclusive| Some(Some(Bound { value: value.to_array().ok()?, inclusive }));
        let (low, high) = match op {
            Operator::Eq => return self.one_of(column, vec![value]),
            Operator::Lt => (None, bound(false)?),
            Operator::LtEq => (None, bound(true)?),
            Operator::Gt => (bound(false)?, None),
            Operator::GtEq => (bound(true)?, None),
            _ => return None,
        };
        Predicate::new(column, Test::Range { low, high })
    }

    /// A column behind a cast or its comparison key: a date compared as a timestamp, whose day is not left out; and floats,
    /// whose keys have the order of their values.
    fn through_key(&self, left: &Expr, op: Operator, right: &Expr) -> Option<(u32, ScalarValue, Operator)> {
        let inner = match left {
            Expr::Cast(Cast { expr, .. }) => expr.as_ref(),
            Expr::ScalarFunction(function) if function.func.name() == COMPARISON_KEY => function.args.first()?,
            _ => return None,
        };
        let column = self.column(inner)?;
        match (self.data_type(column)?, right) {
            (DataType::Date32, Expr::Literal(ScalarValue::TimestampMicrosecond(Some(micros), None), _)) => {
                let day = i32::try_from(micros.div_euclid(DAY_MICROS)).ok()?;
                let op = match op {
                    Operator::Lt | Operator::LtEq => Operator::LtEq,
                    Operator::Gt | Operator::GtEq => Operator::GtEq,
                    Operator::Eq => Operator::Eq,
                    _ => return None,
                };
                Some((column, ScalarValue::Date32(Some(day)), op))
            }
            (DataType::Float32 | DataType::Float64, Expr::Literal(..)) if !matches!(left, Expr::Cast(_)) => {
                Some((column, self.value(column, right)?, op))
            }
            _ => None,
        }
    }

    /// The store's id of a column.
    fn column(&self, expr: &Expr) -> Option<u32> {
        let Expr::Column(column) = expr else { return None };
        let at = self.schema.fields().iter().position(|field| *field.name() == column.name)?;
        match self.sources.get(at)? {
            Source::Stored(position) => Some(self.table.columns.get(*position)?.id),
            _ => None,
        }
    }

    fn data_type(&self, column: u32) -> Option<&DataType> {
        self.table.columns.iter().find(|c| c.id == column).map(|c| &c.data_type)
    }

    /// A constant of the column's type.
    fn value(&self, column: u32, expr: &Expr) -> Option<ScalarValue> {
        let Expr::Literal(value, _) = expr else { return None };
        (!value.is_null() && value.data_type() == *self.data_type(column)?).then(|| value.clone())
    }
}
