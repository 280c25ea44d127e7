//! Integer arithmetic and bits.

use std::ops::{BitAnd, BitOr, BitXor};
use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, Datum, Scalar};
use arrow::compute::{cast, kernels::numeric};
use arrow::datatypes::{DataType, Int16Type, Int32Type, Int64Type};
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
    let operations: [(&str, Operation); 4] = [("+", add), ("-", sub), ("*", numeric::mul), ("/", numeric::div)];
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

fn add(left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
    let sum = numeric::add_wrapping(left, right)?;
    if wraps::<false>(left.get().0, right.get().0, &sum) { numeric::add(left, right) } else { Ok(sum) }
}

fn sub(left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef, ArrowError> {
    let difference = numeric::sub_wrapping(left, right)?;
    if wraps::<true>(left.get().0, right.get().0, &difference) { numeric::sub(left, right) } else { Ok(difference) }
}

/// Whether a sum or difference may have wrapped around in some row. No row is looked at by itself, so that several are done at a time;
/// what that leaves open (of which row it was, and whether it is null) the checked operation finds out.
fn wraps<const DIFFERENCE: bool>(left: &dyn Array, right: &dyn Array, result: &dyn Array) -> bool {
    fn any<T: ArrowPrimitiveType<Native: Bits>, const DIFFERENCE: bool>(
        left: &dyn Array,
        right: &dyn Array,
        result: &dyn Array,
    ) -> bool {
        let values = |array| AsArray::as_primitive_opt::<T>(array).map(|array| array.values().as_ref());
        let (Some(left), Some(right), Some(result)) = (values(left), values(right), values(result)) else {
            return true;
        };
        // Negative if it has: a sum then has neither summand's sign, a difference not the first's although the second's is another.
        let sign = |a: T::Native, b: T::Native, r: T::Native| {
            if DIFFERENCE { (a ^ b) & (a ^ r) } else { (a ^ r) & (b ^ r) }
        };
        let none = T::Native::default();
        let signs = match (left, right) {
            ([a], right) => right.iter().zip(result).fold(none, |all, (b, r)| all | sign(*a, *b, *r)),
            (left, [b]) => left.iter().zip(result).fold(none, |all, (a, r)| all | sign(*a, *b, *r)),
            _ => left.iter().zip(right).zip(result).fold(none, |all, ((a, b), r)| all | sign(*a, *b, *r)),
        };
        signs < none
    }
    match result.data_type() {
        DataType::Int16 => any::<Int16Type, DIFFERENCE>(left, right, result),
        DataType::Int32 => any::<Int32Type, DIFFERENCE>(left, right, result),
        DataType::Int64 => any::<Int64Type, DIFFERENCE>(left, right, result),
        _ => true,
    }
}

/// Integers as patterns of bits with a sign.
trait Bits: Copy + Default + PartialOrd + BitAnd<Output = Self> + BitOr<Output = Self> + BitXor<Output = Self> {}

impl<T: Copy + Default + PartialOrd + BitAnd<Output = T> + BitOr<Output = T> + BitXor<Output = T>> Bits for T {}

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

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;

    use super::*;

    #[test]
    fn sums_and_differences_that_wrap_around_are_errors_unless_null() {
        let column = |values: &[i32]| -> ArrayRef { Arc::new(Int32Array::from(values.to_vec())) };
        let one = Scalar::new(column(&[1]));
        let extremes = column(&[i32::MAX - 1, -1, i32::MIN]);
        assert_eq!(&add(&extremes, &one).unwrap(), &column(&[i32::MAX, 0, i32::MIN + 1]));
        assert!(sub(&extremes, &one).is_err());
        assert!(sub(&one, &extremes).is_err());
        assert!(add(&extremes, &extremes).is_err());
        assert_eq!(&sub(&extremes, &extremes).unwrap(), &column(&[0, 0, 0]));
        let null_there = Int32Array::new(vec![i32::MAX, 3].into(), Some(vec![false, true].into()));
        assert_eq!(
            add(&null_there, &one).unwrap().as_primitive::<Int32Type>().iter().collect::<Vec<_>>(),
            [None, Some(4)]
        );
    }
}
