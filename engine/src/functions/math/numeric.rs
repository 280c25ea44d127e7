//! Arithmetic and functions of `numeric`.

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, sqlstate};

use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    [operators(), rounding(), powers()].into_iter().flatten().collect()
}

fn operators() -> Vec<Row> {
    vec![
        f("+(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.add(&b))),
        f("-(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.sub(&b))),
        f("*(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.mul(&b))),
        f("/(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.div(&b))),
        f("%(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.rem(&b))),
        f("mod(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.rem(&b))),
        f("div(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.div_trunc(&b))),
        f("-(numeric)", kernel!(|a: Numeric| a.neg())),
        f("+(numeric)", kernel!(|a: Numeric| a)),
        f("@(numeric)", kernel!(|a: Numeric| a.abs())),
        f("abs(numeric)", kernel!(|a: Numeric| a.abs())),
        f("sign(numeric)", kernel!(|a: Numeric| a.sign())),
        f("gcd(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.gcd(&b))),
        f("lcm(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.lcm(&b))),
        f("factorial(int8)", kernel!(|n: i64| Numeric::factorial(n))),
        f("numeric_inc(numeric)", kernel!(|a: Numeric| a.add(&Numeric::ONE))),
    ]
}

fn rounding() -> Vec<Row> {
    vec![
        f("round(numeric)", kernel!(|a: Numeric| a.round(0))),
        f("round(numeric, int4)", kernel!(|a: Numeric, digits: i32| a.round(digits))),
        f("trunc(numeric)", kernel!(|a: Numeric| a.trunc(0))),
        f("trunc(numeric, int4)", kernel!(|a: Numeric, digits: i32| a.trunc(digits))),
        f("ceil(numeric)", kernel!(|a: Numeric| a.ceil())),
        f("ceiling(numeric)", kernel!(|a: Numeric| a.ceil())),
        f("floor(numeric)", kernel!(|a: Numeric| a.floor())),
        f("scale(numeric)", kernel!(|a: Numeric| a.scale().map(|scale| scale as i32))),
        f("min_scale(numeric)", kernel!(|a: Numeric| a.min_scale().map(|scale| scale as i32))),
        f("trim_scale(numeric)", kernel!(|a: Numeric| a.trim_scale())),
        f(
            "width_bucket(numeric, numeric, numeric, int4)",
            kernel!(|a: Numeric, low: Numeric, high: Numeric, count: i32| width_bucket(&a, &low, &high, count)),
        ),
    ]
}

fn powers() -> Vec<Row> {
    vec![
        f("sqrt(numeric)", kernel!(|a: Numeric| a.sqrt())),
        f("exp(numeric)", kernel!(|a: Numeric| a.exp())),
        f("ln(numeric)", kernel!(|a: Numeric| a.ln())),
        f("log(numeric)", kernel!(|a: Numeric| a.log10())),
        f("log10(numeric)", kernel!(|a: Numeric| a.log10())),
        f("log(numeric, numeric)", kernel!(|base: Numeric, a: Numeric| base.log(&a))),
        f("power(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.power(&b))),
        f("pow(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.power(&b))),
        f("^(numeric, numeric)", kernel!(|a: Numeric, b: Numeric| a.power(&b))),
    ]
}

fn width_bucket(operand: &Numeric, low: &Numeric, high: &Numeric, count: i32) -> Result<i32> {
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
    let (from_low, width) = match low.compare(high) {
        std::cmp::Ordering::Equal => return refuse("lower bound cannot equal upper bound"),
        std::cmp::Ordering::Less => (operand.sub(low)?, high.sub(low)?),
        std::cmp::Ordering::Greater => (low.sub(operand)?, low.sub(high)?),
    };
    if from_low.is_negative() {
        return Ok(0);
    }
    if from_low.compare(&width).is_ge() {
        return count.checked_add(1).ok_or_else(|| super::out_of_range("integer"));
    }
    from_low.mul(&Numeric::from(count))?.div_trunc(&width)?.add(&Numeric::ONE)?.to_i32()
}
