//! How far away the nearest row of an ASOF join may be, written with both sides in one term: `l.time - r.time < tolerance` and
//! `l.time < r.time + tolerance` are a bound of one side alone, as `r.time > l.time - tolerance` is.

use std::sync::Arc;

use aegis_catalog::types::{self, oid};
use aegis_catalog::{Oid, Type};
use arrow::array::types::IntervalMonthDayNano;
use datafusion::logical_expr::Operator;
use datafusion::scalar::ScalarValue;

use crate::bind::tree::{CallForm, Expr, ExprKind, RelId};
use crate::bind::walk;
use crate::functions;

/// A comparison with one side of the join on each of its own.
pub struct Apart {
    pub left: Expr,
    pub op: Operator,
    pub right: Expr,
}

/// Which side of the join an expression is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Left,
    Right,
    Neither,
    Both,
}

/// The comparison with its tolerance on the left side; None if it is of another form.
pub fn apart(condition: &Expr, side_of: &dyn Fn(&Expr) -> Side) -> Option<Apart> {
    let (op, [one, other]) = operation(condition)? else { return None };
    let op = comparison(op)?;
    apart_from(one, op, other, side_of).or_else(|| apart_from(other, op.swap()?, one, side_of))
}

fn apart_from(term: &Expr, op: Operator, limit: &Expr, side_of: &dyn Fn(&Expr) -> Side) -> Option<Apart> {
    let (sign, [a, b]) = operation(term)? else { return None };
    match (side_of(a), side_of(b), side_of(limit)) {
        // l - r op tolerance: l - tolerance op r.
        (Side::Left, Side::Right, Side::Neither) if sign == "-" => {
            let left = moved(a, "-", &exact(limit)?)?;
            Some(Apart { left, op, right: b.clone() })
        }
        // r - l op tolerance: r op l + tolerance.
        (Side::Right, Side::Left, Side::Neither) if sign == "-" => {
            let left = moved(b, "+", &exact(limit)?)?;
            Some(Apart { left, op: op.swap()?, right: a.clone() })
        }
        // r + tolerance op l: l - tolerance swapped op r.
        (Side::Right, Side::Neither, Side::Left) if matches!(sign, "+" | "-") => {
            let back = if sign == "-" { "+" } else { "-" };
            let left = moved(limit, back, &reversible(b, limit.ty)?)?;
            Some(Apart { left, op: op.swap()?, right: a.clone() })
        }
        _ => None,
    }
}

fn operation(expr: &Expr) -> Option<(&str, &[Expr])> {
    match &expr.kind {
        ExprKind::Call { form: CallForm::Operator(name), args, .. } => Some((name.as_str(), args.as_slice())),
        _ => None,
    }
}

fn comparison(name: &str) -> Option<Operator> {
    Some(match name {
        "<" => Operator::Lt,
        "<=" => Operator::LtEq,
        ">" => Operator::Gt,
        ">=" => Operator::GtEq,
        _ => return None,
    })
}

/// What is added to or taken from a value: microseconds, or a whole number.
enum Tolerance {
    Micros(i64),
    Number(Expr),
}

const DAY: i64 = 86_400_000_000;

/// A constant that a difference is compared with. Intervals compare by their length, a month being 30 days of 24 hours.
fn exact(limit: &Expr) -> Option<Tolerance> {
    if matches!(limit.ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        return Some(Tolerance::Number(limit.clone()));
    }
    let span = interval(limit)?;
    let days = i64::from(span.months) * 30 + i64::from(span.days);
    Some(Tolerance::Micros(days.checked_mul(DAY)?.checked_add(span.nanoseconds / 1000)?))
}

/// A constant that can be taken off again after it was added to a value of the type: no months, and no days where they differ in length.
fn reversible(added: &Expr, to: Type) -> Option<Tolerance> {
    if matches!(added.ty.oid, oid::INT2 | oid::INT4 | oid::INT8) {
        return Some(Tolerance::Number(added.clone()));
    }
    let span = interval(added)?;
    let varies = span.months != 0 || span.days != 0 && to.oid == oid::TIMESTAMPTZ;
    (!varies).then(|| exact(added))?
}

fn interval(expr: &Expr) -> Option<IntervalMonthDayNano> {
    if expr.ty.oid != oid::INTERVAL {
        return None;
    }
    match &expr.kind {
        ExprKind::Constant(ScalarValue::IntervalMonthDayNano(span)) => *span,
        ExprKind::Cast { arg, .. } => {
            let ExprKind::Constant(text) = &arg.kind else { return None };
            let text = text.try_as_str().flatten()?;
            let read = types::parse_scalar(expr.ty, text, &Default::default()).ok()?;
            match ScalarValue::try_from_array(&read, 0).ok()? {
                ScalarValue::IntervalMonthDayNano(span) => span,
                _ => None,
            }
        }
        _ => None,
    }
}

/// `value + tolerance` or `value - tolerance`, of the value's own type.
fn moved(value: &Expr, sign: &str, by: &Tolerance) -> Option<Expr> {
    let by = match by {
        Tolerance::Number(number) => number.clone(),
        Tolerance::Micros(micros) => {
            let span = IntervalMonthDayNano { months: 0, days: 0, nanoseconds: micros.checked_mul(1000)? };
            let kind = ExprKind::Constant(ScalarValue::IntervalMonthDayNano(Some(span)));
            Expr { kind, ty: Type::of(oid::INTERVAL), span: Default::default() }
        }
    };
    let function = functions::registry().by_oid(function(value.ty.oid, by.ty.oid, sign)?)?;
    let kind = ExprKind::Call {
        function: Arc::clone(function),
        args: vec![value.clone(), by],
        form: CallForm::Operator(sign.to_owned()),
        variadic: false,
    };
    Some(Expr { kind, ty: value.ty, span: value.span })
}

/// OIDs of the functions behind `+` and `-` (pg_proc.dat).
fn function(value: Oid, by: Oid, sign: &str) -> Option<Oid> {
    let (plus, minus) = match (value, by) {
        (oid::TIMESTAMPTZ, oid::INTERVAL) => (1189, 1190),
        (oid::TIMESTAMP, oid::INTERVAL) => (2032, 2033),
        (oid::DATE, oid::INT4) => (1141, 1142),
        (oid::INT2, oid::INT2) => (176, 180),
        (oid::INT4, oid::INT4) => (177, 181),
        (oid::INT8, oid::INT8) => (463, 464),
        (oid::INT8, oid::INT4) => (1274, 1275),
        _ => return None,
    };
    Some(if sign == "+" { plus } else { minus })
}

/// The side of an expression, by the relations that each side has.
pub fn side(expr: &Expr, is_left: &dyn Fn(RelId) -> bool, is_right: &dyn Fn(RelId) -> bool) -> Side {
    let (mut left, mut right, mut other) = (false, false, false);
    walk::columns(&mut expr.clone(), &mut |rel, _| {
        left |= is_left(rel);
        right |= is_right(rel);
        other |= !is_left(rel) && !is_right(rel);
    });
    match (left, right, other) {
        (true, false, false) => Side::Left,
        (false, true, false) => Side::Right,
        (false, false, false) => Side::Neither,
        _ => Side::Both,
    }
}
