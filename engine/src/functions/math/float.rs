//! Floating-point arithmetic and functions, with PostgreSQL's range checks.

use aegis_catalog::{Error, Result, sqlstate};

use super::integer::division_by_zero;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    [arithmetic(), signs(), roots(), trigonometry(), degrees(), hyperbolic()].into_iter().flatten().collect()
}

fn overflow() -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn underflow() -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: underflow")
}

fn out_of_range() -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "input is out of range")
}

macro_rules! operators {
    ($ty:ty, $module:ident) => {
        pub mod $module {
            use super::*;
            pub fn add(a: $ty, b: $ty) -> Result<$ty> {
                finite(a + b, a, b)
            }
            pub fn sub(a: $ty, b: $ty) -> Result<$ty> {
                finite(a - b, a, b)
            }
            pub fn mul(a: $ty, b: $ty) -> Result<$ty> {
                let product = a * b;
                if product == 0.0 && a != 0.0 && b != 0.0 { Err(underflow()) } else { finite(product, a, b) }
            }
            pub fn div(a: $ty, b: $ty) -> Result<$ty> {
                if b == 0.0 && !a.is_nan() {
                    return Err(division_by_zero());
                }
                let quotient = a / b;
                match quotient {
                    0.0 if a != 0.0 && b.is_finite() => Err(underflow()),
                    _ if quotient.is_infinite() && a.is_finite() => Err(overflow()),
                    _ => Ok(quotient),
                }
            }
            fn finite(result: $ty, a: $ty, b: $ty) -> Result<$ty> {
                if result.is_infinite() && a.is_finite() && b.is_finite() { Err(overflow()) } else { Ok(result) }
            }
        }
    };
}

operators!(f32, float4);
operators!(f64, float8);

fn arithmetic() -> Vec<Row> {
    macro_rules! each {
        ($symbol:literal, $name:ident) => {
            [
                f(concat!($symbol, "(float4, float4)"), kernel!(|a: f32, b: f32| float4::$name(a, b))),
                f(concat!($symbol, "(float8, float8)"), kernel!(|a: f64, b: f64| float8::$name(a, b))),
                f(concat!($symbol, "(float4, float8)"), kernel!(|a: f32, b: f64| float8::$name(a.into(), b))),
                f(concat!($symbol, "(float8, float4)"), kernel!(|a: f64, b: f32| float8::$name(a, b.into()))),
            ]
        };
    }
    [each!("+", add), each!("-", sub), each!("*", mul), each!("/", div)].into_iter().flatten().collect()
}

fn signs() -> Vec<Row> {
    vec![
        f("-(float4)", kernel!(|a: f32| -a)),
        f("-(float8)", kernel!(|a: f64| -a)),
        f("+(float4)", kernel!(|a: f32| a)),
        f("+(float8)", kernel!(|a: f64| a)),
        f("@(float4)", kernel!(|a: f32| a.abs())),
        f("@(float8)", kernel!(|a: f64| a.abs())),
        f("abs(float4)", kernel!(|a: f32| a.abs())),
        f("abs(float8)", kernel!(|a: f64| a.abs())),
        f(
            "sign(float8)",
            kernel!(|a: f64| if a > 0.0 {
                1.0
            } else if a < 0.0 {
                -1.0
            } else {
                0.0
            }),
        ),
        f("ceil(float8)", kernel!(|a: f64| a.ceil())),
        f("ceiling(float8)", kernel!(|a: f64| a.ceil())),
        f("floor(float8)", kernel!(|a: f64| a.floor())),
        f("round(float8)", kernel!(|a: f64| a.round_ties_even())),
        f("dround(float8)", kernel!(|a: f64| a.round_ties_even())),
        f("trunc(float8)", kernel!(|a: f64| a.trunc())),
        f("dtrunc(float8)", kernel!(|a: f64| a.trunc())),
        f("pi()", kernel!(|| std::f64::consts::PI)),
        f(
            "width_bucket(float8, float8, float8, int4)",
            kernel!(|x: f64, low: f64, high: f64, n: i32| width_bucket(x, low, high, n)),
        ),
    ]
}

fn roots() -> Vec<Row> {
    vec![
        f("sqrt(float8)", kernel!(|a: f64| sqrt(a))),
        f("|/(float8)", kernel!(|a: f64| sqrt(a))),
        f("cbrt(float8)", kernel!(|a: f64| a.cbrt())),
        f("||/(float8)", kernel!(|a: f64| a.cbrt())),
        f("exp(float8)", kernel!(|a: f64| exp(a))),
        f("dexp(float8)", kernel!(|a: f64| exp(a))),
        f("ln(float8)", kernel!(|a: f64| logarithm(a, f64::ln))),
        f("dlog1(float8)", kernel!(|a: f64| logarithm(a, f64::ln))),
        f("log(float8)", kernel!(|a: f64| logarithm(a, f64::log10))),
        f("log10(float8)", kernel!(|a: f64| logarithm(a, f64::log10))),
        f("dlog10(float8)", kernel!(|a: f64| logarithm(a, f64::log10))),
        f("power(float8, float8)", kernel!(|a: f64, b: f64| power(a, b))),
        f("pow(float8, float8)", kernel!(|a: f64, b: f64| power(a, b))),
        f("^(float8, float8)", kernel!(|a: f64, b: f64| power(a, b))),
    ]
}

fn sqrt(a: f64) -> Result<f64> {
    if a < 0.0 {
        return Err(Error::new(
            sqlstate::INVALID_ARGUMENT_FOR_POWER_FUNCTION,
            "cannot take square root of a negative number",
        ));
    }
    Ok(a.sqrt())
}

fn exp(a: f64) -> Result<f64> {
    let result = a.exp();
    if result.is_infinite() && a.is_finite() {
        return Err(overflow());
    }
    if result == 0.0 && a.is_finite() {
        return Err(underflow());
    }
    Ok(result)
}

fn logarithm(a: f64, log: fn(f64) -> f64) -> Result<f64> {
    let refuse = |what| Err(Error::new(sqlstate::INVALID_ARGUMENT_FOR_LOG, format!("cannot take logarithm of {what}")));
    if a == 0.0 {
        return refuse("zero");
    }
    if a < 0.0 {
        return refuse("a negative number");
    }
    Ok(log(a))
}

fn power(a: f64, b: f64) -> Result<f64> {
    let refuse = |message| Err(Error::new(sqlstate::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message));
    if a.is_nan() || b.is_nan() {
        return Ok(if a == 1.0 || b == 0.0 { 1.0 } else { f64::NAN });
    }
    if a == 0.0 && b < 0.0 {
        return refuse("zero raised to a negative power is undefined");
    }
    if a < 0.0 && b.floor() != b {
        return refuse("a negative number raised to a non-integer power yields a complex result");
    }
    let result = a.powf(b);
    if result.is_infinite() && a.is_finite() && b.is_finite() {
        return Err(overflow());
    }
    if result == 0.0 && a != 0.0 && a.is_finite() && b.is_finite() {
        return Err(underflow());
    }
    Ok(result)
}

/// Applies a function that is not defined for infinities.
fn of_finite(a: f64, function: fn(f64) -> f64) -> Result<f64> {
    if a.is_infinite() { Err(out_of_range()) } else { Ok(function(a)) }
}

fn within(a: f64, low: f64, high: f64, function: fn(f64) -> f64) -> Result<f64> {
    if a < low || a > high { Err(out_of_range()) } else { Ok(function(a)) }
}

fn trigonometry() -> Vec<Row> {
    vec![
        f("sin(float8)", kernel!(|a: f64| of_finite(a, f64::sin))),
        f("cos(float8)", kernel!(|a: f64| of_finite(a, f64::cos))),
        f("tan(float8)", kernel!(|a: f64| of_finite(a, f64::tan))),
        f("cot(float8)", kernel!(|a: f64| of_finite(a, |a| 1.0 / a.tan()))),
        f("asin(float8)", kernel!(|a: f64| within(a, -1.0, 1.0, f64::asin))),
        f("acos(float8)", kernel!(|a: f64| within(a, -1.0, 1.0, f64::acos))),
        f("atan(float8)", kernel!(|a: f64| a.atan())),
        f("atan2(float8, float8)", kernel!(|a: f64, b: f64| a.atan2(b))),
        f("degrees(float8)", kernel!(|a: f64| float8::div(a, std::f64::consts::PI / 180.0))),
        f("radians(float8)", kernel!(|a: f64| a * (std::f64::consts::PI / 180.0))),
    ]
}

fn degrees() -> Vec<Row> {
    vec![
        f("sind(float8)", kernel!(|a: f64| of_finite(a, sind))),
        f("cosd(float8)", kernel!(|a: f64| of_finite(a, cosd))),
        f("tand(float8)", kernel!(|a: f64| of_finite(a, tand))),
        f("cotd(float8)", kernel!(|a: f64| of_finite(a, |a| 1.0 / tand(a)))),
        f("asind(float8)", kernel!(|a: f64| within(a, -1.0, 1.0, |a| exact(a.asin().to_degrees())))),
        f("acosd(float8)", kernel!(|a: f64| within(a, -1.0, 1.0, |a| exact(a.acos().to_degrees())))),
        f("atand(float8)", kernel!(|a: f64| exact(a.atan().to_degrees()))),
        f("atan2d(float8, float8)", kernel!(|a: f64, b: f64| exact(a.atan2(b).to_degrees()))),
    ]
}

/// Rounding noise off angles that are whole degrees.
fn exact(degrees: f64) -> f64 {
    let whole = degrees.round();
    if (degrees - whole).abs() < 1e-12 { whole } else { degrees }
}

/// Exact at multiples of 30 degrees.
fn sind(degrees: f64) -> f64 {
    let (angle, sign) = match degrees % 360.0 {
        angle if angle < 0.0 => (-angle, -1.0),
        angle => (angle, 1.0),
    };
    let (angle, sign) = if angle > 180.0 { (360.0 - angle, -sign) } else { (angle, sign) };
    let angle = if angle > 90.0 { 180.0 - angle } else { angle };
    sign * match angle {
        30.0 => 0.5,
        90.0 => 1.0,
        angle => angle.to_radians().sin(),
    }
}

fn cosd(degrees: f64) -> f64 {
    let angle = (degrees % 360.0).abs();
    let angle = if angle > 180.0 { 360.0 - angle } else { angle };
    let (angle, sign) = if angle > 90.0 { (180.0 - angle, -1.0) } else { (angle, 1.0) };
    sign * match angle {
        60.0 => 0.5,
        90.0 => 0.0,
        angle => angle.to_radians().cos(),
    }
}

fn tand(degrees: f64) -> f64 {
    match degrees % 180.0 {
        45.0 | -135.0 => 1.0,
        135.0 | -45.0 => -1.0,
        _ => sind(degrees) / cosd(degrees),
    }
}

fn hyperbolic() -> Vec<Row> {
    vec![
        f("sinh(float8)", kernel!(|a: f64| a.sinh())),
        f("cosh(float8)", kernel!(|a: f64| a.cosh())),
        f("tanh(float8)", kernel!(|a: f64| a.tanh())),
        f("asinh(float8)", kernel!(|a: f64| a.asinh())),
        f("acosh(float8)", kernel!(|a: f64| within(a, 1.0, f64::INFINITY, f64::acosh))),
        f("atanh(float8)", kernel!(|a: f64| within(a, -1.0, 1.0, f64::atanh))),
    ]
}

fn width_bucket(operand: f64, low: f64, high: f64, count: i32) -> Result<i32> {
    let refuse = |message| Err(Error::new(sqlstate::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message));
    if count <= 0 {
        return refuse("count must be greater than zero");
    }
    if operand.is_nan() || low.is_nan() || high.is_nan() {
        return refuse("operand, lower bound, and upper bound cannot be NaN");
    }
    if low.is_infinite() || high.is_infinite() {
        return refuse("lower and upper bounds must be finite");
    }
    let above = || count.checked_add(1).ok_or_else(|| super::out_of_range("integer"));
    let bucket = |from_low: f64, width: f64| (f64::from(count) * (from_low / width)).floor() as i32 + 1;
    if low < high {
        if operand < low {
            Ok(0)
        } else if operand >= high {
            above()
        } else {
            Ok(bucket(operand - low, high - low).min(count))
        }
    } else if low > high {
        if operand > low {
            Ok(0)
        } else if operand <= high {
            above()
        } else {
            Ok(bucket(low - operand, low - high).min(count))
        }
    } else {
        refuse("lower bound cannot equal upper bound")
    }
}
