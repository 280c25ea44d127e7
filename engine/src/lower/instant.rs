//! Instants compared with constants of other kinds of time: the constant becomes an instant too (in the session's zone, as PostgreSQL's
//! `timestamptz_cmp_date` and its kin have it), so that the comparison is one that scans know.

use aegis_catalog::Type;
use aegis_catalog::types::{TimeZone, built_in, oid};
use datafusion::logical_expr::Operator;
use datafusion::scalar::ScalarValue;

use super::build::{binary, literal};
use super::value::Value;
use crate::functions::datetime::zone::to_instant;
use crate::functions::value::{Date, Timestamp};

/// The comparison that a function such as `timestamptz_ge_date` stands for; None if it is none with a constant that has an instant.
pub fn compare(function: &str, args: &[Value], zone: &TimeZone) -> Option<Value> {
    let [left, right] = args else { return None };
    let (op, left, right) = match function.strip_prefix("timestamptz_") {
        Some(rest) => {
            let (op, _) = rest.split_once('_').filter(|(_, other)| matches!(*other, "date" | "timestamp"))?;
            (op, left.clone(), instant(right, zone)?)
        }
        None => {
            let rest = function.strip_prefix("date_").or_else(|| function.strip_prefix("timestamp_"))?;
            (rest.strip_suffix("_timestamptz")?, instant(left, zone)?, right.clone())
        }
    };
    let op = match op {
        "eq" => Operator::Eq,
        "ne" => Operator::NotEq,
        "lt" => Operator::Lt,
        "le" => Operator::LtEq,
        "gt" => Operator::Gt,
        "ge" => Operator::GtEq,
        _ => return None,
    };
    Some(Value::boolean(binary(left.expr, op, right.expr)))
}

fn instant(value: &Value, zone: &TimeZone) -> Option<Value> {
    let local = match value.constant()? {
        ScalarValue::Date32(Some(days)) => Date(*days).midnight().ok()?,
        ScalarValue::TimestampMicrosecond(Some(micros), None) => Timestamp(*micros),
        _ => return None,
    };
    let micros = to_instant(zone, local).ok()?.0;
    let ty = Type::of(oid::TIMESTAMPTZ);
    let instant = ScalarValue::TimestampMicrosecond(Some(micros), None).cast_to(&built_in(ty)).ok()?;
    Some(Value::computed(literal(instant), ty))
}
