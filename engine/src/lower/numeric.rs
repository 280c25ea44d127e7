//! `numeric` kept as Decimal128 where that is exact.
//!
//! A Decimal128(p, s) shows s digits after the point, as PostgreSQL shows the value of a column `numeric(p, s)`; sums, differences and
//! products have the scale that PostgreSQL gives them as long as the precision suffices.

use std::sync::Arc;

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Decimal128Builder};
use arrow::compute::binary as binary_op;
use arrow::datatypes::DataType;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::scalar::ScalarValue;

use super::build::{binary, literal};
use super::value::{Value, apply, cast};
use crate::execute::error::from_arrow;
use crate::execute::operator::{ScalarOperator, arrays};

const MAX_PRECISION: u8 = 38;

/// Digits of a value as Decimal128(precision, scale), if it is one or is a constant that can be one exactly.
pub fn as_decimal(value: &Value) -> Option<(Value, u8, u8)> {
    match value.data_type {
        DataType::Decimal128(precision, scale) => Some((value.clone(), precision, u8::try_from(scale).ok()?)),
        DataType::BinaryView => {
            let ScalarValue::BinaryView(Some(bytes)) = value.constant()? else { return None };
            let number = Numeric::from_bytes(bytes).ok()?;
            let scale = u8::try_from(number.scale()?).ok()?;
            let mantissa = number.to_decimal128(MAX_PRECISION, i8::try_from(scale).ok()?)?;
            let digits = mantissa.unsigned_abs().checked_ilog10().map_or(1, |digits| digits + 1);
            let precision = u8::try_from(digits).ok()?.max(scale).max(1);
            if precision > MAX_PRECISION {
                return None;
            }
            let data_type = DataType::Decimal128(precision, scale as i8);
            let constant = ScalarValue::Decimal128(Some(mantissa), precision, scale as i8);
            Some((Value::new(literal(constant), value.ty, data_type), precision, scale))
        }
        _ => None,
    }
}

/// At least one side is a column's Decimal128 and the other can be one too.
fn decimals(left: &Value, right: &Value) -> Option<((Value, u8, u8), (Value, u8, u8))> {
    let native = |value: &Value| matches!(value.data_type, DataType::Decimal128(..));
    if !native(left) && !native(right) {
        return None;
    }
    Some((as_decimal(left)?, as_decimal(right)?))
}

/// A comparison of two numerics as Decimal128, if exact.
pub fn compare(op: Operator, left: &Value, right: &Value) -> Option<Value> {
    let ((left, p1, s1), (right, p2, s2)) = decimals(left, right)?;
    let scale = s1.max(s2);
    let precision = (p1 - s1.min(p1)).max(p2 - s2.min(p2)) + scale;
    if precision > MAX_PRECISION {
        return None;
    }
    let common = DataType::Decimal128(precision, scale as i8);
    Some(Value::boolean(binary(widen(left, &common), op, widen(right, &common))))
}

fn widen(value: Value, target: &DataType) -> datafusion::logical_expr::Expr {
    match (value.constant(), target) {
        (Some(ScalarValue::Decimal128(Some(mantissa), _, from)), DataType::Decimal128(precision, to)) => {
            let factor = 10_i128.checked_pow(u32::from((*to - *from).unsigned_abs()));
            match factor.and_then(|factor| mantissa.checked_mul(factor)) {
                Some(mantissa) => literal(ScalarValue::Decimal128(Some(mantissa), *precision, *to)),
                None => cast(value.expr, target),
            }
        }
        _ if value.data_type == *target => value.expr,
        _ => cast(value.expr, target),
    }
}

/// `+`, `-` and `*` as Decimal128, if the result fits without loss.
pub fn arithmetic(name: &str, left: &Value, right: &Value, ty: Type) -> Option<Value> {
    let op = match name {
        "numeric_add" => Operator::Plus,
        "numeric_sub" => Operator::Minus,
        "numeric_mul" => Operator::Multiply,
        _ => return None,
    };
    let ((left, p1, s1), (right, p2, s2)) = decimals(left, right)?;
    let (precision, scale) = match op {
        Operator::Multiply => (p1 + p2 + 1, s1 + s2),
        _ => (p1.saturating_sub(s1).max(p2.saturating_sub(s2)) + s1.max(s2) + 1, s1.max(s2)),
    };
    if precision > MAX_PRECISION || scale > MAX_PRECISION {
        return None;
    }
    let factor = |digits: u8| 10_i128.pow(u32::from(scale - digits));
    let exact = match op {
        Operator::Multiply => Exact::Multiply,
        Operator::Minus => Exact::Subtract(factor(s1), factor(s2)),
        _ => Exact::Add(factor(s1), factor(s2)),
    };
    let data_type = DataType::Decimal128(precision, scale as i8);
    let expr = apply(exact.operator(data_type.clone()), vec![left.expr, right.expr]).ok()?;
    Some(Value::new(expr, ty, data_type))
}

/// Arithmetic whose result has room for all the digits that it may need, so that nothing has to be checked row by row. Sums and
/// differences bring each side to the result's scale first.
#[derive(Debug, Clone, Copy)]
enum Exact {
    Multiply,
    Add(i128, i128),
    Subtract(i128, i128),
}

impl Exact {
    fn operator(self, data_type: DataType) -> ScalarOperator {
        let result = data_type.clone();
        ScalarOperator::new("decimal_arithmetic", format!("{self:?}"), data_type, move |args, rows| {
            // Each operation gets loops of its own.
            let values = match self {
                Self::Multiply => each(args, rows, i128::wrapping_mul),
                Self::Add(1, 1) => each(args, rows, i128::wrapping_add),
                Self::Subtract(1, 1) => each(args, rows, i128::wrapping_sub),
                Self::Add(l, r) => each(args, rows, |a, b| a.wrapping_mul(l).wrapping_add(b.wrapping_mul(r))),
                Self::Subtract(l, r) => each(args, rows, |a, b| a.wrapping_mul(l).wrapping_sub(b.wrapping_mul(r))),
            };
            Ok(ColumnarValue::Array(Arc::new(values?.with_data_type(result.clone()))))
        })
    }
}

fn each(args: &[ColumnarValue], rows: usize, compute: impl Fn(i128, i128) -> i128) -> Result<Decimal128Array> {
    let column = |array: &ArrayRef| -> Result<Decimal128Array> {
        array.as_primitive_opt().cloned().ok_or_else(|| Error::internal("an operand is no decimal"))
    };
    Ok(match args {
        [ColumnarValue::Array(left), ColumnarValue::Scalar(ScalarValue::Decimal128(Some(right), ..))] => {
            column(left)?.unary(|left| compute(left, *right))
        }
        [ColumnarValue::Scalar(ScalarValue::Decimal128(Some(left), ..)), ColumnarValue::Array(right)] => {
            column(right)?.unary(|right| compute(*left, right))
        }
        _ => match arrays(args, rows)?.as_slice() {
            [left, right] => binary_op(&column(left)?, &column(right)?, compute).map_err(from_arrow)?,
            _ => return Err(Error::internal("arithmetic has two operands")),
        },
    })
}

/// An integer as a Decimal128 of scale 0.
pub fn from_integer(value: &Value, ty: Type) -> Option<Value> {
    let precision = match value.data_type {
        DataType::Int16 => 5,
        DataType::Int32 => 10,
        DataType::Int64 => 19,
        _ => return None,
    };
    let data_type = DataType::Decimal128(precision, 0);
    Some(Value::new(cast(value.expr.clone(), &data_type), ty, data_type))
}

/// A numeric as Decimal128(precision, scale): rounds, and fails with 22003 if there are too many digits.
pub fn to_decimal(value: Value, precision: u8, scale: i8) -> Result<Value> {
    let data_type = DataType::Decimal128(precision, scale);
    let operator = ScalarOperator::new("decimal", "", data_type.clone(), move |args, rows| {
        let arrays = arrays(args, rows)?;
        let mut builder =
            Decimal128Builder::with_capacity(rows).with_precision_and_scale(precision, scale).map_err(from_arrow)?;
        if let Some(values) = arrays.first().and_then(|array| array.as_binary_view_opt()) {
            for row in 0..values.len() {
                if values.is_null(row) {
                    builder.append_null();
                } else {
                    builder.append_value(decimal_of(values.value(row), precision, scale)?);
                }
            }
        }
        let values: Decimal128Array = builder.finish();
        Ok(ColumnarValue::Array(Arc::new(values)))
    });
    let expr = apply(operator, vec![value.expr])?;
    Ok(Value { expr, ty: value.ty, data_type })
}

fn decimal_of(bytes: &[u8], precision: u8, scale: i8) -> Result<i128> {
    let number = Numeric::from_bytes(bytes)?;
    number.to_decimal128(precision, scale).ok_or_else(|| {
        let bound = i32::from(precision) - i32::from(scale);
        let error = Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow");
        error.with_detail(if number.is_finite() {
            let detail = "must round to an absolute value less than";
            format!("A field with precision {precision}, scale {scale} {detail} 10^{bound}.")
        } else {
            format!("A field with precision {precision}, scale {scale} cannot hold an infinite value.")
        })
    })
}
