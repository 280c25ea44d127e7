//! `stats_agg` and its accessors, over one and over two variables.

use aegis_engine::extension::{Aggregate, AggregateTypes, Body, Error, Fold, Read, Result, Symbols, fold, sqlstate};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::composite::{composite, of, with_method};
use super::moments::{Moments, Pairs};
use super::rollup::{Merge, rollup};

composite!(
    /// `statssummary1d`.
    Stats1D { n: i64, mean: f64, m2: f64, m3: f64, m4: f64 }
);

composite!(
    /// `statssummary2d`.
    Stats2D {
        n: i64,
        mean_x: f64,
        x2: f64,
        x3: f64,
        x4: f64,
        mean_y: f64,
        y2: f64,
        y3: f64,
        y4: f64,
        xy: f64,
    }
);

impl Stats1D {
    fn moments(&self) -> Moments {
        Moments { n: self.n as f64, mean: self.mean, m2: self.m2, m3: self.m3, m4: self.m4 }
    }

    fn from_moments(of: &Moments) -> Self {
        Self { n: of.n as i64, mean: of.mean, m2: of.m2, m3: of.m3, m4: of.m4 }
    }
}

impl Stats2D {
    pub fn pairs(&self) -> Pairs {
        let n = self.n as f64;
        let x = Moments { n, mean: self.mean_x, m2: self.x2, m3: self.x3, m4: self.x4 };
        let y = Moments { n, mean: self.mean_y, m2: self.y2, m3: self.y3, m4: self.y4 };
        Pairs { x, y, xy: self.xy }
    }

    pub fn from_pairs(of: &Pairs) -> Self {
        let Pairs { x, y, xy } = of;
        Self {
            n: x.n as i64,
            mean_x: x.mean,
            x2: x.m2,
            x3: x.m3,
            x4: x.m4,
            mean_y: y.mean,
            y2: y.m2,
            y3: y.m3,
            y4: y.m4,
            xy: *xy,
        }
    }
}

impl Merge for Stats1D {
    fn merge(&mut self, other: Self) -> Result<()> {
        let mut moments = self.moments();
        moments.merge(&other.moments());
        *self = Self::from_moments(&moments);
        Ok(())
    }
}

impl Merge for Stats2D {
    fn merge(&mut self, other: Self) -> Result<()> {
        let mut pairs = self.pairs();
        pairs.merge(&other.pairs());
        *self = Self::from_pairs(&pairs);
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Population,
    Sample,
}

impl Method {
    fn named(name: &str) -> Result<Self> {
        match name.to_ascii_lowercase().as_str() {
            "population" | "pop" => Ok(Self::Population),
            "sample" | "samp" => Ok(Self::Sample),
            _ => Err(Error::new(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("unknown analysis method \"{name}\", expected 'population' or 'sample'"),
            )),
        }
    }

    /// What sums of powers are divided by; None if there are too few values.
    fn divisor(self, n: f64) -> Option<f64> {
        let divisor = if self == Self::Sample { n - 1.0 } else { n };
        (divisor > 0.0).then_some(divisor)
    }

    fn variance(self, of: &Moments) -> Option<f64> {
        self.divisor(of.n).map(|divisor| of.m2 / divisor)
    }

    /// The standardized moment of a sum of powers.
    fn standardized(self, of: &Moments, sum: f64, power: i32) -> Option<f64> {
        let deviation = self.variance(of)?.sqrt();
        Some(sum / self.divisor(of.n)? / deviation.powi(power))
    }
}

/// `name(statssummary1d)`, `name(statssummary1d, method)` and, for both variables, `name_x` and `name_y` of `statssummary2d`.
macro_rules! of_method {
    ($symbols:ident, $name:literal, $function:expr) => {
        $symbols.push((
            concat!($name, "_1d"),
            with_method(move |of: Stats1D, method| Ok($function(Method::named(method)?, &of.moments()))),
        ));
        $symbols.push((
            concat!($name, "_x"),
            with_method(move |of: Stats2D, method| Ok($function(Method::named(method)?, &of.pairs().x))),
        ));
        $symbols.push((
            concat!($name, "_y"),
            with_method(move |of: Stats2D, method| Ok($function(Method::named(method)?, &of.pairs().y))),
        ));
    };
}

pub fn symbols() -> Symbols {
    let deviation = |method: Method, of: &Moments| method.variance(of).map(f64::sqrt);
    let variance = |method: Method, of: &Moments| method.variance(of);
    let skewness = |method: Method, of: &Moments| method.standardized(of, of.m3, 3);
    let kurtosis = |method: Method, of: &Moments| method.standardized(of, of.m4, 4);
    let mut symbols: Symbols = vec![
        ("stats1d", Body::Aggregate(stats::<Stats1D>)),
        ("stats2d", Body::Aggregate(stats::<Stats2D>)),
        ("stats1d_rollup", Body::Aggregate(rollup::<Stats1D>)),
        ("stats2d_rollup", Body::Aggregate(rollup::<Stats2D>)),
        ("stats1d_average", of(|of: Stats1D| Some(of.mean))),
        ("stats1d_sum", of(|of: Stats1D| Some(of.mean * of.n as f64))),
        ("stats1d_num_vals", of(|of: Stats1D| Some(of.n))),
        ("stats2d_num_vals", of(|of: Stats2D| Some(of.n))),
        ("stats2d_average_x", of(|of: Stats2D| Some(of.mean_x))),
        ("stats2d_average_y", of(|of: Stats2D| Some(of.mean_y))),
        ("stats2d_sum_x", of(|of: Stats2D| Some(of.mean_x * of.n as f64))),
        ("stats2d_sum_y", of(|of: Stats2D| Some(of.mean_y * of.n as f64))),
        ("stats2d_slope", of(|of: Stats2D| of.pairs().slope())),
        ("stats2d_intercept", of(|of: Stats2D| of.pairs().intercept())),
        ("stats2d_x_intercept", of(|of: Stats2D| of.pairs().x_intercept())),
        ("stats2d_corr", of(|of: Stats2D| of.pairs().correlation())),
        ("stats2d_determination_coeff", of(|of: Stats2D| of.pairs().correlation().map(|r| r * r))),
        (
            "stats2d_covariance",
            with_method(|of: Stats2D, method| Ok(Method::named(method)?.divisor(of.n as f64).map(|n| of.xy / n))),
        ),
    ];
    of_method!(symbols, "stddev", deviation);
    of_method!(symbols, "variance", variance);
    of_method!(symbols, "skewness", skewness);
    of_method!(symbols, "kurtosis", kurtosis);
    symbols
}

/// A summary of rows of numbers.
trait OfRows: Merge {
    const ARGUMENTS: usize;
    fn of(row: &[f64]) -> Self;
}

impl OfRows for Stats1D {
    const ARGUMENTS: usize = 1;
    fn of(row: &[f64]) -> Self {
        Self::from_moments(&Moments::of(row.first().copied().unwrap_or_default()))
    }
}

impl OfRows for Stats2D {
    const ARGUMENTS: usize = 2;
    /// `stats_agg(y, x)`.
    fn of(row: &[f64]) -> Self {
        let at = |place: usize| row.get(place).copied().unwrap_or_default();
        Self::from_pairs(&Pairs::of(at(1), at(0)))
    }
}

fn stats<S: OfRows>(types: &AggregateTypes<'_>) -> Result<Aggregate> {
    fold("stats_agg", types, Stats::<S> { data_type: types.result_type(), of: std::marker::PhantomData })
}

struct Stats<S> {
    data_type: DataType,
    of: std::marker::PhantomData<fn() -> S>,
}

impl<S: OfRows> Fold for Stats<S> {
    type State = Option<S>;
    type Columns<'a> = Vec<<f64 as Read<'a>>::Column>;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        args.iter().take(S::ARGUMENTS).map(<f64 as Read>::open).collect()
    }

    fn add(&self, state: &mut Option<S>, columns: &Self::Columns<'_>, row: usize) -> Result<()> {
        let mut values = [0.0; 2];
        for (value, column) in values.iter_mut().zip(columns) {
            *value = <f64 as Read>::get(column, row);
        }
        self.merge(state, Some(S::of(&values)))
    }

    fn merge(&self, state: &mut Option<S>, other: Option<S>) -> Result<()> {
        match (state.as_mut(), other) {
            (_, None) => Ok(()),
            (None, other) => {
                *state = other;
                Ok(())
            }
            (Some(state), Some(other)) => state.merge(other),
        }
    }

    fn finish(&self, states: &[Option<S>]) -> Result<ArrayRef> {
        S::write(states, &self.data_type)
    }
}
