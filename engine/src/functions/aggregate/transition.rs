//! Transition functions of aggregates that can be called by themselves (`pg_aggregate.aggtransfn`, `aggcombinefn`).

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, sqlstate};

use crate::functions::array::List;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    let mut rows = counts_and_sums();
    rows.extend(of_floats());
    rows
}

/// Counts, sums of integers, and averages over `{count, sum}`.
fn counts_and_sums() -> Vec<Row> {
    vec![
        f("int8inc(int8)", kernel!(|n: i64| counted(n, 1))),
        f("int8dec(int8)", kernel!(|n: i64| counted(n, -1))),
        f("int8inc_any(int8, any)", kernel!(|n: i64| counted(n, 1))),
        f("int8dec_any(int8, any)", kernel!(|n: i64| counted(n, -1))),
        f("int2_sum(int8, int2)", kernel!(|sum: Option<i64>, x: Option<i16>| summed(sum, x.map(i64::from)))),
        f("int4_sum(int8, int4)", kernel!(|sum: Option<i64>, x: Option<i32>| summed(sum, x.map(i64::from)))),
        f("int2_avg_accum(int8[], int2)", kernel!(|state: List<i64>, x: i16| averaged(state, 1, i64::from(x)))),
        f("int4_avg_accum(int8[], int4)", kernel!(|state: List<i64>, x: i32| averaged(state, 1, i64::from(x)))),
        f("int2_avg_accum_inv(int8[], int2)", kernel!(|state: List<i64>, x: i16| averaged(state, -1, -i64::from(x)))),
        f("int4_avg_accum_inv(int8[], int4)", kernel!(|state: List<i64>, x: i32| averaged(state, -1, -i64::from(x)))),
        f(
            "int8_avg(int8[])",
            kernel!(|state: List<i64>| {
                let [count, sum] = count_and_sum(state)?;
                match count {
                    0 => Ok(None),
                    count => Numeric::from(sum).div(&Numeric::from(count)).map(Some),
                }
            }),
        ),
    ]
}

fn overflow() -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range")
}

fn counted(count: i64, change: i64) -> Result<i64> {
    count.checked_add(change).ok_or_else(overflow)
}

fn summed(sum: Option<i64>, value: Option<i64>) -> Result<Option<i64>> {
    match (sum, value) {
        (Some(sum), Some(value)) => counted(sum, value).map(Some),
        (sum, value) => Ok(sum.or(value)),
    }
}

fn count_and_sum(state: List<i64>) -> Result<[i64; 2]> {
    let values: Option<Vec<i64>> = state.0.into_iter().collect();
    let state = values.and_then(|values| values.try_into().ok());
    state.ok_or_else(|| Error::new(sqlstate::INTERNAL_ERROR, "expected 2-element int8 array"))
}

fn averaged(state: List<i64>, count: i64, value: i64) -> Result<List<i64>> {
    let [n, sum] = count_and_sum(state)?;
    Ok(List::from_iter([counted(n, count)?, counted(sum, value)?]))
}

/// A final function over `{count, sum, sum of squared differences}`.
macro_rules! finish {
    ($name:literal, |$n:ident, $sx:ident, $sxx:ident| $value:expr) => {
        kernel!(|state: List<f64>| {
            let [$n, $sx, $sxx] = parts($name, state)?;
            Ok::<Option<f64>, Error>($value)
        })
    };
}

fn of_floats() -> Vec<Row> {
    vec![
        f("booland_statefunc(bool, bool)", kernel!(|a: bool, b: bool| a && b)),
        f("boolor_statefunc(bool, bool)", kernel!(|a: bool, b: bool| a || b)),
        f(
            "float4_accum(float8[], float4)",
            kernel!(|state: List<f64>, x: f32| {
                let [n, sx, sxx] = parts("float4_accum", state)?;
                let [n, sx, sxx, ..] = accumulate([n, sx, sxx, 0.0, 0.0, 0.0], f64::from(x), 0.0)?;
                Ok(List::from_iter([n, sx, sxx]))
            }),
        ),
        f("float8_avg(float8[])", finish!("float8_avg", |n, sx, _sxx| (n > 0.0).then(|| sx / n))),
        f("float8_var_pop(float8[])", finish!("float8_var_pop", |n, _sx, sxx| (n > 0.0).then(|| sxx / n))),
        f("float8_var_samp(float8[])", finish!("float8_var_samp", |n, _sx, sxx| (n > 1.0).then(|| sxx / (n - 1.0)))),
        f(
            "float8_stddev_pop(float8[])",
            finish!("float8_stddev_pop", |n, _sx, sxx| (n > 0.0).then(|| (sxx / n).sqrt())),
        ),
        f(
            "float8_stddev_samp(float8[])",
            finish!("float8_stddev_samp", |n, _sx, sxx| (n > 1.0).then(|| (sxx / (n - 1.0)).sqrt())),
        ),
        f(
            "float8_accum(float8[], float8)",
            kernel!(|state: List<f64>, x: f64| {
                let [n, sx, sxx] = parts("float8_accum", state)?;
                let [n, sx, sxx, ..] = accumulate([n, sx, sxx, 0.0, 0.0, 0.0], x, 0.0)?;
                Ok(List::from_iter([n, sx, sxx]))
            }),
        ),
        f(
            "float8_regr_accum(float8[], float8, float8)",
            kernel!(|state: List<f64>, y: f64, x: f64| {
                Ok(List::from_iter(accumulate(parts("float8_regr_accum", state)?, x, y)?))
            }),
        ),
        f(
            "float8_combine(float8[], float8[])",
            kernel!(|a: List<f64>, b: List<f64>| {
                let [n, sx, sxx] = parts("float8_combine", a)?;
                let [n2, sx2, sxx2] = parts("float8_combine", b)?;
                let combined = combine([n, sx, sxx, 0.0, 0.0, 0.0], [n2, sx2, sxx2, 0.0, 0.0, 0.0]);
                Ok(List::from_iter(combined.into_iter().take(3)))
            }),
        ),
        f(
            "float8_regr_combine(float8[], float8[])",
            kernel!(|a: List<f64>, b: List<f64>| {
                let (a, b) = (parts("float8_regr_combine", a)?, parts("float8_regr_combine", b)?);
                Ok(List::from_iter(combine(a, b)))
            }),
        ),
    ]
}

fn parts<const N: usize>(function: &str, state: List<f64>) -> Result<[f64; N]> {
    let values: Option<Vec<f64>> = state.0.into_iter().collect();
    values
        .and_then(|values| values.try_into().ok())
        .ok_or_else(|| Error::new(sqlstate::INTERNAL_ERROR, format!("{function}: expected {N}-element float8 array")))
}

/// Count, sum and sum of squared differences of x, the same of y, and the sum of products, with one pair more (Youngs and Cramer).
fn accumulate([n, sx, sxx, sy, syy, sxy]: [f64; 6], x: f64, y: f64) -> Result<[f64; 6]> {
    let count = n + 1.0;
    let (sum_x, sum_y) = (sx + x, sy + y);
    if n == 0.0 {
        let of = |value: f64| if value.is_finite() { 0.0 } else { f64::NAN };
        return Ok([count, sum_x, of(x), sum_y, of(y), if x.is_finite() && y.is_finite() { 0.0 } else { f64::NAN }]);
    }
    let (dx, dy) = (x * count - sum_x, y * count - sum_y);
    let scale = 1.0 / (count * n);
    let state = [count, sum_x, sxx + dx * dx * scale, sum_y, syy + dy * dy * scale, sxy + dx * dy * scale];
    let before = [sx, sxx, sy, syy, sxy, x, y];
    if state.iter().any(|value| value.is_infinite()) && before.iter().all(|value| value.is_finite()) {
        return Err(Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow"));
    }
    Ok(state)
}

fn combine(a: [f64; 6], b: [f64; 6]) -> [f64; 6] {
    let ([n1, sx1, sxx1, sy1, syy1, sxy1], [n2, sx2, sxx2, sy2, syy2, sxy2]) = (a, b);
    if n1 == 0.0 {
        return b;
    }
    if n2 == 0.0 {
        return a;
    }
    let n = n1 + n2;
    let (dx, dy) = (sx1 / n1 - sx2 / n2, sy1 / n1 - sy2 / n2);
    let weight = n1 * n2 / n;
    [
        n,
        sx1 + sx2,
        sxx1 + sxx2 + weight * dx * dx,
        sy1 + sy2,
        syy1 + syy2 + weight * dy * dy,
        sxy1 + sxy2 + weight * dx * dy,
    ]
}
