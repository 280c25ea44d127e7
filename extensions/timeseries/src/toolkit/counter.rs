//! Counters, which only grow but for resets to zero, and gauges, which go up and down: `counter_agg`, `gauge_agg` and their accessors; `rate`,
//! `increase`, `delta` and `irate` at once.

use aegis_engine::extension::{
    Aggregate, AggregateTypes, Body, Error, Result, Symbols, TimestampTz, fold, sqlstate, write_all,
};

use super::composite::{Composite, composite, of};
use super::moments::Pairs;
use super::points::{OverPoints, Places, Point};
use super::rollup::{Merge, rollup};
use super::stats::Stats2D;

/// 2000-01-01, from which on regressions count seconds.
const EPOCH: i64 = 946_684_800_000_000;
const SECOND: f64 = 1_000_000.0;

macro_rules! summary {
    ($(#[$doc:meta])* $name:ident) => {
        composite!(
            $(#[$doc])*
            $name {
                first_time: TimestampTz,
                first_value: f64,
                second_time: TimestampTz,
                second_value: f64,
                penultimate_time: TimestampTz,
                penultimate_value: f64,
                last_time: TimestampTz,
                last_value: f64,
                /// What resets took away.
                reset_sum: f64,
                num_resets: i64,
                num_changes: i64,
                num_elements: i64,
                /// Of the values without resets over the seconds since 2000: means and sums of squares and products around them.
                mean_x: f64,
                x2: f64,
                mean_y: f64,
                y2: f64,
                xy: f64,
            }
        );
    };
}

summary!(
    /// `countersummary`.
    Counter
);
summary!(
    /// `gaugesummary`.
    Gauge
);

/// What both kinds have.
#[derive(Debug, Clone)]
struct Summary {
    first: Point,
    second: Point,
    penultimate: Point,
    last: Point,
    reset_sum: f64,
    num_resets: i64,
    num_changes: i64,
    num_elements: i64,
    line: Pairs,
}

macro_rules! convert {
    ($name:ident) => {
        impl $name {
            fn from_summary(of: &Summary) -> Self {
                let Stats2D { mean_x, x2, mean_y, y2, xy, .. } = Stats2D::from_pairs(&of.line);
                Self {
                    first_time: TimestampTz(of.first.time),
                    first_value: of.first.value,
                    second_time: TimestampTz(of.second.time),
                    second_value: of.second.value,
                    penultimate_time: TimestampTz(of.penultimate.time),
                    penultimate_value: of.penultimate.value,
                    last_time: TimestampTz(of.last.time),
                    last_value: of.last.value,
                    reset_sum: of.reset_sum,
                    num_resets: of.num_resets,
                    num_changes: of.num_changes,
                    num_elements: of.num_elements,
                    mean_x,
                    x2,
                    mean_y,
                    y2,
                    xy,
                }
            }

            fn summary(&self) -> Summary {
                let point = |time: TimestampTz, value| Point { time: time.0, value };
                let mut line = Pairs::of(self.mean_x, self.mean_y);
                line.x.n = self.num_elements as f64;
                line.y.n = line.x.n;
                (line.x.m2, line.y.m2, line.xy) = (self.x2, self.y2, self.xy);
                Summary {
                    first: point(self.first_time, self.first_value),
                    second: point(self.second_time, self.second_value),
                    penultimate: point(self.penultimate_time, self.penultimate_value),
                    last: point(self.last_time, self.last_value),
                    reset_sum: self.reset_sum,
                    num_resets: self.num_resets,
                    num_changes: self.num_changes,
                    num_elements: self.num_elements,
                    line,
                }
            }
        }

        impl Merge for $name {
            fn start(&self) -> Option<i64> {
                Some(self.first_time.0)
            }

            fn merge(&mut self, other: Self) -> Result<()> {
                let (mut one, mut other) = (self.summary(), other.summary());
                if other.first.time < one.first.time {
                    std::mem::swap(&mut one, &mut other);
                }
                one.append(&other, $name::RESETS)?;
                *self = Self::from_summary(&one);
                Ok(())
            }
        }
    };
}

convert!(Counter);
convert!(Gauge);

/// Whether a smaller value is a reset.
trait Resets {
    const RESETS: bool;
}

impl Resets for Counter {
    const RESETS: bool = true;
}

impl Resets for Gauge {
    const RESETS: bool = false;
}

impl Summary {
    fn of(point: Point) -> Self {
        let seconds = (point.time - EPOCH) as f64 / SECOND;
        Self {
            first: point,
            second: point,
            penultimate: point,
            last: point,
            reset_sum: 0.0,
            num_resets: 0,
            num_changes: 0,
            num_elements: 1,
            line: Pairs::of(seconds, point.value),
        }
    }

    fn of_points(points: &[Point], resets: bool) -> Option<Self> {
        let (first, rest) = points.split_first()?;
        let mut summary = Self::of(*first);
        for point in rest {
            // Of points of one time the first stays.
            if point.time > summary.last.time {
                summary.append(&Self::of(*point), resets).ok()?;
            }
        }
        Some(summary)
    }

    /// Goes on with what comes later.
    fn append(&mut self, later: &Self, resets: bool) -> Result<()> {
        if later.first.time <= self.last.time {
            let message = "summaries of overlapping times cannot be rolled up";
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
        let mut line = later.line;
        if resets && later.first.value < self.last.value {
            self.reset_sum += self.last.value;
            self.num_resets += 1;
        }
        line.y.mean += self.reset_sum;
        self.line.merge(&line);
        self.num_changes += i64::from(later.first.value != self.last.value) + later.num_changes;
        if self.num_elements == 1 {
            self.second = later.first;
        }
        self.penultimate = if later.num_elements == 1 { self.last } else { later.penultimate };
        self.last = later.last;
        self.reset_sum += later.reset_sum;
        self.num_resets += later.num_resets;
        self.num_elements += later.num_elements;
        Ok(())
    }

    fn delta(&self) -> f64 {
        self.last.value + self.reset_sum - self.first.value
    }

    fn seconds(&self) -> f64 {
        (self.last.time - self.first.time) as f64 / SECOND
    }

    fn rate(&self) -> Option<f64> {
        (self.num_elements > 1).then(|| self.delta() / self.seconds())
    }
}

/// From one point to the next.
fn step(from: Point, to: Point, resets: bool) -> f64 {
    if resets && to.value < from.value { to.value } else { to.value - from.value }
}

fn step_rate(from: Point, to: Point, resets: bool) -> Option<f64> {
    (to.time > from.time).then(|| step(from, to, resets) / ((to.time - from.time) as f64 / SECOND))
}

macro_rules! accessors {
    ($symbols:ident, $name:ident, $prefix:literal) => {
        accessors!($symbols, $name, $prefix,
            "delta" => |of: Summary| Some(of.delta()),
            "rate" => |of: Summary| of.rate(),
            "time_delta" => |of: Summary| Some(of.seconds()),
            "idelta_left" => |of: Summary| Some(step(of.first, of.second, $name::RESETS)),
            "idelta_right" => |of: Summary| Some(step(of.penultimate, of.last, $name::RESETS)),
            "irate_left" => |of: Summary| step_rate(of.first, of.second, $name::RESETS),
            "irate_right" => |of: Summary| step_rate(of.penultimate, of.last, $name::RESETS),
            "num_elements" => |of: Summary| Some(of.num_elements),
            "num_changes" => |of: Summary| Some(of.num_changes),
            "num_resets" => |of: Summary| Some(of.num_resets),
            "slope" => |of: Summary| of.line.slope(),
            "intercept" => |of: Summary| of.line.intercept(),
            "corr" => |of: Summary| of.line.correlation(),
            "zero_time" => |of: Summary| {
                of.line.x_intercept().map(|seconds| TimestampTz((seconds * SECOND) as i64 + EPOCH))
            },
            "first_val" => |of: Summary| Some(of.first.value),
            "last_val" => |of: Summary| Some(of.last.value),
            "first_time" => |of: Summary| Some(TimestampTz(of.first.time)),
            "last_time" => |of: Summary| Some(TimestampTz(of.last.time)),
        );
    };
    ($symbols:ident, $name:ident, $prefix:literal, $($accessor:literal => $function:expr),* $(,)?) => {
        $($symbols.push((
            concat!($prefix, "_", $accessor),
            of(|of: $name| {
                let function = $function;
                function(of.summary())
            }),
        ));)*
    };
}

pub fn symbols() -> Symbols {
    let mut symbols: Symbols = vec![
        ("counter", Body::Aggregate(|types| summary("counter_agg", types, Counter::RESETS, Counter::from_summary))),
        ("gauge", Body::Aggregate(|types| summary("gauge_agg", types, Gauge::RESETS, Gauge::from_summary))),
        ("counter_rollup", Body::Aggregate(rollup::<Counter>)),
        ("gauge_rollup", Body::Aggregate(rollup::<Gauge>)),
        (
            "points_rate",
            Body::Aggregate(|types| number("rate", types, |points| Summary::of_points(points, true)?.rate())),
        ),
        (
            "points_increase",
            Body::Aggregate(|types| {
                number("increase", types, |points| Some(Summary::of_points(points, true)?.delta()))
            }),
        ),
        (
            "points_delta",
            Body::Aggregate(|types| number("delta", types, |points| Some(Summary::of_points(points, false)?.delta()))),
        ),
        (
            "points_irate",
            Body::Aggregate(|types| {
                number("irate", types, |points| {
                    let of = Summary::of_points(points, true)?;
                    step_rate(of.penultimate, of.last, true)
                })
            }),
        ),
    ];
    accessors!(symbols, Counter, "counter");
    accessors!(symbols, Gauge, "gauge");
    symbols
}

const TIME_FIRST: Places = Places { time: 0, value: 1, parameter: None };
const VALUE_FIRST: Places = Places { time: 1, value: 0, parameter: None };

fn summary<S: Composite + 'static>(
    name: &'static str,
    types: &AggregateTypes<'_>,
    resets: bool,
    make: fn(&Summary) -> S,
) -> Result<Aggregate> {
    let data_type = types.result_type();
    let finish = move |groups: &[Option<(Vec<Point>, _)>]| {
        let summary = |points: &Vec<Point>| Summary::of_points(points, resets).as_ref().map(make);
        let rows: Vec<Option<S>> =
            groups.iter().map(|group| group.as_ref().and_then(|(points, _)| summary(points))).collect();
        S::write(&rows, &data_type)
    };
    fold(name, types, OverPoints { places: TIME_FIRST, finish })
}

fn number(name: &'static str, types: &AggregateTypes<'_>, of: fn(&[Point]) -> Option<f64>) -> Result<Aggregate> {
    let finish = move |groups: &[Option<(Vec<Point>, _)>]| {
        write_all(groups.iter().map(|group| Ok(group.as_ref().and_then(|(points, _)| of(points)))))
    };
    fold(name, types, OverPoints { places: VALUE_FIRST, finish })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points() -> Vec<Point> {
        let values = [10.0, 15.0, 15.0, 3.0, 8.0, 2.0, 2.0, 9.0, 30.0];
        (0..).zip(values).map(|(i, value)| Point { time: EPOCH + i * i * 1_000_000, value }).collect()
    }

    #[test]
    fn parts_roll_up_to_the_whole() {
        for resets in [true, false] {
            let points = points();
            let whole = Summary::of_points(&points, resets).unwrap();
            for cut in 1..points.len() {
                let mut merged = Summary::of_points(&points[..cut], resets).unwrap();
                merged.append(&Summary::of_points(&points[cut..], resets).unwrap(), resets).unwrap();
                assert_eq!(merged.delta(), whole.delta(), "{cut}");
                assert_eq!((merged.num_resets, merged.num_changes), (whole.num_resets, whole.num_changes));
                assert_eq!((merged.second, merged.penultimate), (whole.second, whole.penultimate));
                assert!((merged.line.slope().unwrap() - whole.line.slope().unwrap()).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn resets_count() {
        let summary = Summary::of_points(&points(), true).unwrap();
        // 10 → 15, 0 → 3 → 8, 0 → 2 → 30.
        assert_eq!((summary.delta(), summary.num_resets, summary.num_changes), (43.0, 2, 6));
    }
}
