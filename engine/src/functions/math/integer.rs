//! Integer arithmetic and bits.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{ArrayRef, Datum, Scalar};
use arrow::compute::{cast, kernels::numeric};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use crate::functions::Body;
use crate::functions::kernel::{kernel, scalar_to_array};
use crate::functions::signature::{Row, f};

type Operation = fn(&dyn Datum, &dyn Datum) -> Result<ArrayRef, ArrowError>;

/// `22003` of an integer type.
pub fn out_of_range(type_name: &str) -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{type_name} out of range"))
}

pub fn division_by_zero() -> Error {
    Error::new(sqlstate::DIVISION_BY_ZERO, "division by zero")
}

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    let operations: [(&str, Operation); 4] =
        [("+", numeric::add), ("-", numeric::sub), ("*", numeric::mul), ("/", numeric::div)];
    for (symbol, operation) in operations {
        for left in ["int2", "int4", "int8"] {
            for right in ["int2", "int4", "int8"] {
                rows.push(f(format!("{symbol}({left}, {right})"), arithmetic(operation, left.max(right))));
            }
        }
    }
    rows.extend(remainders());
    rows.extend(signs());
    rows.extend(bits());
    rows.extend(divisors());
    rows
}

/// A checked operation over whole columns, in the wider type of the two.
fn arithmetic(operation: Operation, type_name: &str) -> Body {
    let (wide, name) = match type_name {
        "int2" => (DataType::Int16, "smallint"),
        "int4" => (DataType::Int32, "integer"),
        _ => (DataType::Int64, "bigint"),
    };
    Body::Scalar(Arc::new(move |_call, args| {
        let [left, right] = args else { return Err(Error::internal("an operator has two arguments")) };
        let (left, left_scalar) = widened(left, &wide)?;
        let (right, right_scalar) = widened(right, &wide)?;
        let result = match (left_scalar, right_scalar) {
            (true, false) => operation(&Scalar::new(left), &right),
            (false, true) => operation(&left, &Scalar::new(right)),
            _ => operation(&left, &right),
        };
        let result = result.map_err(|error| match error {
            ArrowError::DivideByZero => division_by_zero(),
            ArrowError::ArithmeticOverflow(_) => out_of_range(name),
            other => Error::internal(other.to_string()),
        })?;
        if left_scalar && right_scalar {
            let value = ScalarValue::try_from_array(&result, 0).map_err(|error| Error::internal(error.to_string()))?;
            return Ok(ColumnarValue::Scalar(value));
        }
        Ok(ColumnarValue::Array(result))
    }))
}

fn widened(arg: &ColumnarValue, wide: &DataType) -> Result<(ArrayRef, bool)> {
    let (array, scalar) = match arg {
        ColumnarValue::Array(array) => (array.clone(), false),
        ColumnarValue::Scalar(value) => (scalar_to_array(value, 1)?, true),
    };
    if array.data_type() == wide {
        return Ok((array, scalar));
    }
    Ok((cast(&array, wide).map_err(|error| Error::internal(error.to_string()))?, scalar))
}

fn remainders() -> Vec<Row> {
    macro_rules! remainder {
        ($ty:ty) => {
            kernel!(|a: $ty, b: $ty| if b == 0 { Err(division_by_zero()) } else { Ok(a.wrapping_rem(b)) })
        };
    }
    vec![
        f("%(int2, int2)", remainder!(i16)),
        f("%(int4, int4)", remainder!(i32)),
        f("%(int8, int8)", remainder!(i64)),
        f("mod(int2, int2)", remainder!(i16)),
        f("mod(int4, int4)", remainder!(i32)),
        f("mod(int8, int8)", remainder!(i64)),
    ]
}

fn signs() -> Vec<Row> {
    macro_rules! negate {
        ($ty:ty, $name:literal) => {
            kernel!(|a: $ty| a.checked_neg().ok_or_else(|| out_of_range($name)))
        };
    }
    macro_rules! absolute {
        ($ty:ty, $name:literal) => {
            kernel!(|a: $ty| a.checked_abs().ok_or_else(|| out_of_range($name)))
        };
    }
    vec![
        f("-(int2)", negate!(i16, "smallint")),
        f("-(int4)", negate!(i32, "integer")),
        f("-(int8)", negate!(i64, "bigint")),
        f("+(int2)", kernel!(|a: i16| a)),
        f("+(int4)", kernel!(|a: i32| a)),
        f("+(int8)", kernel!(|a: i64| a)),
        f("@(int2)", absolute!(i16, "smallint")),
        f("@(int4)", absolute!(i32, "integer")),
        f("@(int8)", absolute!(i64, "bigint")),
        f("abs(int2)", absolute!(i16, "smallint")),
        f("abs(int4)", absolute!(i32, "integer")),
        f("abs(int8)", absolute!(i64, "bigint")),
    ]
}

fn bits() -> Vec<Row> {
    macro_rules! bits_of {
        ($name:literal, $ty:ty) => {
            vec![
                f(concat!("&(", $name, ", ", $name, ")"), kernel!(|a: $ty, b: $ty| a & b)),
                f(concat!("|(", $name, ", ", $name, ")"), kernel!(|a: $ty, b: $ty| a | b)),
                f(concat!("#(", $name, ", ", $name, ")"), kernel!(|a: $ty, b: $ty| a ^ b)),
                f(concat!("~(", $name, ")"), kernel!(|a: $ty| !a)),
            ]
        };
    }
    let mut rows =
        Vec::from_iter([bits_of!("int2", i16), bits_of!("int4", i32), bits_of!("int8", i64)].into_iter().flatten());
    // int2 is shifted as the int4 that C promotes it to; the distance is taken modulo the width.
    rows.push(f("<<(int2, int4)", kernel!(|a: i16, n: i32| (i32::from(a).wrapping_shl(n as u32)) as i16)));
    rows.push(f(">>(int2, int4)", kernel!(|a: i16, n: i32| (i32::from(a).wrapping_shr(n as u32)) as i16)));
    rows.push(f("<<(int4, int4)", kernel!(|a: i32, n: i32| a.wrapping_shl(n as u32))));
    rows.push(f(">>(int4, int4)", kernel!(|a: i32, n: i32| a.wrapping_shr(n as u32))));
    rows.push(f("<<(int8, int4)", kernel!(|a: i64, n: i32| a.wrapping_shl(n as u32))));
    rows.push(f(">>(int8, int4)", kernel!(|a: i64, n: i32| a.wrapping_shr(n as u32))));
    rows
}

fn divisors() -> Vec<Row> {
    vec![
        f("gcd(int4, int4)", kernel!(|a: i32, b: i32| narrow(gcd(a.into(), b.into())))),
        f("gcd(int8, int8)", kernel!(|a: i64, b: i64| wide(gcd(a, b)))),
        f("lcm(int4, int4)", kernel!(|a: i32, b: i32| narrow(lcm(a.into(), b.into())?))),
        f("lcm(int8, int8)", kernel!(|a: i64, b: i64| wide(lcm(a, b)?))),
    ]
}

fn gcd(a: i64, b: i64) -> u64 {
    let (mut a, mut b) = (a.unsigned_abs(), b.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

fn lcm(a: i64, b: i64) -> Result<u64> {
    if a == 0 || b == 0 {
        return Ok(0);
    }
    (a.unsigned_abs() / gcd(a, b)).checked_mul(b.unsigned_abs()).ok_or_else(|| out_of_range("bigint"))
}

fn narrow(value: u64) -> Result<i32> {
    i32::try_from(value).map_err(|_| out_of_range("integer"))
}

fn wide(value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| out_of_range("bigint"))
}
