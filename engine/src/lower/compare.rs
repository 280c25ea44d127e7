//! Comparisons as DataFusion's own operators, so that they become hash keys, sort keys and scan filters.

use aegis_catalog::types::{format_type, oid, type_of_field};
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::datatypes::DataType;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::build::binary;
use super::key::{is_keyed, key};
use super::numeric;
use super::value::Value;
use crate::functions::Function;

/// Families of comparison functions over types whose equality is that of their key.
const FAMILIES: [&str; 6] = ["numeric_", "interval_", "timetz_", "array_", "record_", "bpchar"];

/// The comparison a function stands for, if it is one over types with keys.
pub fn operator(function: &Function) -> Option<Operator> {
    let suffix = FAMILIES.iter().find_map(|family| function.name.strip_prefix(family))?;
    match suffix {
        "eq" => Some(Operator::Eq),
        "ne" => Some(Operator::NotEq),
        "lt" => Some(Operator::Lt),
        "le" => Some(Operator::LtEq),
        "gt" => Some(Operator::Gt),
        "ge" => Some(Operator::GtEq),
        _ => None,
    }
}

/// The comparison of two values by their keys; None if the function is no such comparison.
pub fn compare(function: &Function, args: &[Value]) -> Result<Option<Value>> {
    let (Some(op), [left, right]) = (operator(function), args) else { return Ok(None) };
    if let Some(value) = numeric::compare(op, left, right) {
        return Ok(Some(value));
    }
    let (left, right) = (left.clone().into_computed()?, right.clone().into_computed()?);
    if function.name.starts_with("record_") {
        comparable_rows(&left.data_type, &right.data_type)?;
    }
    let keyed = |value: &Value| is_keyed(value.ty, &value.data_type) || value.ty.oid == oid::BPCHAR;
    if !keyed(&left) || !keyed(&right) {
        return Ok(None);
    }
    Ok(Some(Value::boolean(binary(key(&left)?, op, key(&right)?))))
}

/// 42804 for rows of other types or widths (`record_cmp`).
pub fn comparable_rows(left: &DataType, right: &DataType) -> Result<()> {
    let (DataType::Struct(left), DataType::Struct(right)) = (left, right) else { return Ok(()) };
    for (position, (left, right)) in left.iter().zip(right).enumerate() {
        let (from, to) = (type_of_field(left), type_of_field(right));
        if from.oid != to.oid && *left.data_type() != DataType::Null && *right.data_type() != DataType::Null {
            let (from, to) = (format_type(Type::of(from.oid)), format_type(Type::of(to.oid)));
            let message =
                format!("cannot compare dissimilar column types {from} and {to} at record column {}", position + 1);
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
        }
    }
    if left.len() != right.len() {
        let message = "cannot compare record types with different numbers of columns";
        return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message));
    }
    Ok(())
}

/// The sides of an expression that is an equality, as two expressions that DataFusion can hash.
pub fn equality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    sides(expr, Operator::Eq)
}

/// The sides of an expression that is `<>`.
pub fn inequality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    sides(expr, Operator::NotEq)
}

fn sides(expr: &Expr, op: Operator) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: found, right }) if *found == op => Some((left, right)),
        _ => None,
    }
}
