//! Variance, standard deviation, correlation and linear regression.

use aegis_catalog::types::numeric::{Numeric, NumericMoments};
use aegis_catalog::{Error, Result, sqlstate};

use super::step::{Pairs, Step};
use super::udaf::fold;
use crate::functions::signature::{Row, f};
use crate::functions::{AggregateTypes, Body};

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    macro_rules! family {
        ($name:literal, $sample:literal, $root:literal) => {
            rows.push(f(
                concat!($name, "(int2)"),
                exact!($name, i16, |value| Numeric::from(i32::from(value)), $sample, $root),
            ));
            rows.push(f(concat!($name, "(int4)"), exact!($name, i32, Numeric::from, $sample, $root)));
            rows.push(f(concat!($name, "(int8)"), exact!($name, i64, Numeric::from, $sample, $root)));
            rows.push(f(concat!($name, "(numeric)"), exact!($name, Numeric, |value| value, $sample, $root)));
            rows.push(f(concat!($name, "(float4)"), float!($name, f32, $sample, $root)));
            rows.push(f(concat!($name, "(float8)"), float!($name, f64, $sample, $root)));
        };
    }
    family!("var_pop", false, false);
    family!("var_samp", true, false);
    family!("variance", true, false);
    family!("stddev_pop", false, true);
    family!("stddev_samp", true, true);
    family!("stddev", true, true);
    rows.extend(regressions());
    rows
}

macro_rules! exact {
    ($name:literal, $ty:ty, $convert:expr, $sample:literal, $root:literal) => {
        Body::Aggregate(|types| {
            fold(
                $name,
                types,
                Step {
                    add: |state: &mut NumericMoments, value: $ty| state.add(&$convert(value)),
                    remove: Some(|state: &mut NumericMoments, value: $ty| state.remove(&$convert(value))),
                    merge: merge_moments,
                    finish: |state| state.variance($sample, $root),
                },
            )
        })
    };
}

macro_rules! float {
    ($name:literal, $ty:ty, $sample:literal, $root:literal) => {
        Body::Aggregate(|types| {
            fold(
                $name,
                types,
                Step {
                    add: |state: &mut [f64; 3], value: $ty| add_float(state, f64::from(value)),
                    remove: None,
                    merge: |state, other| {
                        *state = merged(*state, other)?;
                        Ok(())
                    },
                    finish: |state| Ok(variance(state, $sample).map(|value| if $root { value.sqrt() } else { value })),
                },
            )
        })
    };
}

use {exact, float};

fn merge_moments(state: &mut NumericMoments, other: NumericMoments) -> Result<()> {
    if other.sum.count() == 0 {
        return Ok(());
    }
    state.sum.merge(&other.sum.sum()?, other.sum.count())?;
    state.squares.merge(&other.squares.sum()?, other.squares.count())
}

fn overflow() -> Error {
    Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

/// Youngs and Cramer's recurrence over (n, Σx, Σ(x - x̄)²), as PostgreSQL's `float8_accum`.
fn add_float([n, sx, sxx]: &mut [f64; 3], value: f64) -> Result<()> {
    let (old_n, old_sx) = (*n, *sx);
    *n += 1.0;
    *sx += value;
    if old_n > 0.0 {
        let tmp = value * *n - *sx;
        *sxx += tmp * tmp / (*n * old_n);
        if sx.is_infinite() || sxx.is_infinite() {
            if old_sx.is_finite() && value.is_finite() {
                return Err(overflow());
            }
            *sxx = f64::NAN;
        }
    } else if !value.is_finite() {
        *sxx = f64::NAN;
    }
    Ok(())
}

fn merged(a: [f64; 3], b: [f64; 3]) -> Result<[f64; 3]> {
    if a[0] == 0.0 {
        return Ok(b);
    }
    if b[0] == 0.0 {
        return Ok(a);
    }
    let n = a[0] + b[0];
    let sx = a[1] + b[1];
    let difference = a[1] / a[0] - b[1] / b[0];
    let sxx = a[2] + b[2] + a[0] * b[0] * difference * difference / n;
    if sxx.is_infinite() && a[2].is_finite() && b[2].is_finite() {
        return Err(overflow());
    }
    Ok([n, sx, sxx])
}

fn variance([n, _, sxx]: &[f64; 3], sample: bool) -> Option<f64> {
    if sample { (*n > 1.0).then(|| sxx / (n - 1.0)) } else { (*n > 0.0).then(|| sxx / n) }
}

/// n, Σx, Sxx, Σy, Syy, Sxy: `float8_regr_accum`.
type Sums = [f64; 6];

fn add_pair(state: &mut Sums, y: f64, x: f64) -> Result<()> {
    let [n, sx, sxx, sy, syy, sxy] = state;
    let old_n = *n;
    *n += 1.0;
    *sx += x;
    *sy += y;
    if old_n > 0.0 {
        let (tmp_x, tmp_y) = (x * *n - *sx, y * *n - *sy);
        let scale = 1.0 / (*n * old_n);
        *sxx += tmp_x * tmp_x * scale;
        *syy += tmp_y * tmp_y * scale;
        *sxy += tmp_x * tmp_y * scale;
        let bad = [*sx, *sxx, *sy, *syy, *sxy].iter().any(|value| value.is_infinite());
        if bad && x.is_finite() && y.is_finite() {
            return Err(overflow());
        }
    }
    if !x.is_finite() {
        (*sxx, *sxy) = (f64::NAN, f64::NAN);
    }
    if !y.is_finite() {
        (*syy, *sxy) = (f64::NAN, f64::NAN);
    }
    Ok(())
}

fn merge_pairs(state: &mut Sums, other: Sums) -> Result<()> {
    let [n1, sx1, sxx1, sy1, syy1, sxy1] = *state;
    let [n2, sx2, sxx2, sy2, syy2, sxy2] = other;
    if n1 == 0.0 {
        *state = other;
        return Ok(());
    }
    if n2 == 0.0 {
        return Ok(());
    }
    let n = n1 + n2;
    let (dx, dy) = (sx1 / n1 - sx2 / n2, sy1 / n1 - sy2 / n2);
    let weight = n1 * n2 / n;
    *state = [
        n,
        sx1 + sx2,
        sxx1 + sxx2 + weight * dx * dx,
        sy1 + sy2,
        syy1 + syy2 + weight * dy * dy,
        sxy1 + sxy2 + weight * dx * dy,
    ];
    Ok(())
}

fn pairs<O: crate::functions::value::Write + 'static>(finish: fn(&Sums) -> Option<O>) -> Pairs<O, 6> {
    Pairs { add: add_pair, merge: merge_pairs, finish }
}

fn regressions() -> Vec<Row> {
    macro_rules! regression {
        ($name:literal, $finish:expr) => {
            f(
                concat!($name, "(float8, float8)"),
                Body::Aggregate(|types: &AggregateTypes<'_>| fold($name, types, pairs($finish))),
            )
        };
    }
    vec![
        regression!("regr_count", |s| Some(s[0] as i64)),
        regression!("regr_sxx", |s| some(s).then(|| s[2])),
        regression!("regr_syy", |s| some(s).then(|| s[4])),
        regression!("regr_sxy", |s| some(s).then(|| s[5])),
        regression!("regr_avgx", |s| some(s).then(|| s[1] / s[0])),
        regression!("regr_avgy", |s| some(s).then(|| s[3] / s[0])),
        regression!("covar_pop", |s| some(s).then(|| s[5] / s[0])),
        regression!("covar_samp", |s| (s[0] > 1.0).then(|| s[5] / (s[0] - 1.0))),
        regression!("corr", |s| (some(s) && s[2] != 0.0 && s[4] != 0.0).then(|| s[5] / (s[2] * s[4]).sqrt())),
        regression!("regr_r2", |s| {
            (some(s) && s[2] != 0.0).then(|| if s[4] == 0.0 { 1.0 } else { s[5] * s[5] / (s[2] * s[4]) })
        }),
        regression!("regr_slope", |s| (some(s) && s[2] != 0.0).then(|| s[5] / s[2])),
        regression!("regr_intercept", |s| (some(s) && s[2] != 0.0).then(|| (s[3] - s[1] * s[5] / s[2]) / s[0])),
    ]
}

fn some(sums: &Sums) -> bool {
    sums[0] > 0.0
}
