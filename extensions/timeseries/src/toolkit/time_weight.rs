//! `time_weight(method, time, value)`: averages that count a value for as long as it held, or along the lines between values.

use aegis_engine::extension::{
    Aggregate, AggregateTypes, Body, Error, Read, Result, Symbols, TimestampTz, columns, fold, sqlstate,
};

use super::composite::{Composite, composite, of, with_method};
use super::points::{Kind, OverPoints, Parameter, Places, Point};
use super::rollup::{Merge, rollup};

composite!(
    /// `timeweightsummary`.
    TimeWeight {
        /// 0 linear, 1 last observation carried forward.
        method: i32,
        first_time: TimestampTz,
        first_value: f64,
        last_time: TimestampTz,
        last_value: f64,
        /// Value times µs.
        weighted_sum: f64,
    }
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Linear,
    Locf,
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

impl Method {
    fn named(name: &str) -> Result<Self> {
        match name.trim().to_ascii_lowercase().as_str() {
            "linear" | "trapezoidal" => Ok(Self::Linear),
            "locf" => Ok(Self::Locf),
            _ => Err(invalid(format!("unknown interpolation method \"{name}\", expected 'Linear' or 'LOCF'"))),
        }
    }

    fn numbered(number: i32) -> Self {
        if number == 0 { Self::Linear } else { Self::Locf }
    }

    /// The value at a time between two points.
    fn between(self, from: Point, to: Point, time: i64) -> f64 {
        match self {
            Self::Linear if to.time > from.time => {
                let share = (time - from.time) as f64 / (to.time - from.time) as f64;
                from.value + (to.value - from.value) * share
            }
            _ => from.value,
        }
    }

    /// Value times µs between two points.
    fn area(self, from: Point, to: Point) -> f64 {
        let length = (to.time - from.time) as f64;
        match self {
            Self::Linear => (from.value + to.value) / 2.0 * length,
            Self::Locf => from.value * length,
        }
    }
}

impl TimeWeight {
    fn of_points(points: &[Point], method: Method) -> Option<Self> {
        let first = *points.first()?;
        let (mut last, mut sum) = (first, 0.0);
        for point in points {
            if point.time > last.time {
                sum += method.area(last, *point);
                last = *point;
            }
        }
        Some(Self {
            method: i32::from(method == Method::Locf),
            first_time: TimestampTz(first.time),
            first_value: first.value,
            last_time: TimestampTz(last.time),
            last_value: last.value,
            weighted_sum: sum,
        })
    }

    fn first(&self) -> Point {
        Point { time: self.first_time.0, value: self.first_value }
    }

    fn last(&self) -> Point {
        Point { time: self.last_time.0, value: self.last_value }
    }

    /// The same for a whole span of time: from its start on the way from the last value before it, to its end on the way to the next one, or, of
    /// values that hold until the next, with the last one.
    fn within(mut self, start: i64, end: i64, before: Option<&Self>, next: Option<&Self>) -> Result<Self> {
        let method = Method::numbered(self.method);
        if self.first_time.0 < start || self.last_time.0 > end {
            return Err(invalid("the summary reaches beyond the span that it is interpolated in"));
        }
        if let Some(before) = before.map(Self::last).filter(|_| start < self.first_time.0) {
            if before.time > start {
                return Err(invalid("the summary before reaches into the span that is interpolated"));
            }
            let value = method.between(before, self.first(), start);
            self.weighted_sum += method.area(Point { time: start, value }, self.first());
            (self.first_time, self.first_value) = (TimestampTz(start), value);
        }
        let next = next.map(Self::first);
        if next.is_some_and(|next| next.time < end) {
            return Err(invalid("the summary behind reaches into the span that is interpolated"));
        }
        let value = match next {
            Some(next) => Some(method.between(self.last(), next, end)),
            None => (method == Method::Locf).then_some(self.last_value),
        };
        if let Some(value) = value.filter(|_| end > self.last_time.0) {
            let last = Point { time: end, value };
            self.weighted_sum += method.area(self.last(), last);
            (self.last_time, self.last_value) = (TimestampTz(end), value);
        }
        Ok(self)
    }

    fn average(&self) -> Option<f64> {
        let length = self.last_time.0 - self.first_time.0;
        (length > 0).then(|| self.weighted_sum / length as f64)
    }
}

impl Merge for TimeWeight {
    fn start(&self) -> Option<i64> {
        Some(self.first_time.0)
    }

    fn merge(&mut self, other: Self) -> Result<()> {
        let (one, two) = match self.first_time <= other.first_time {
            true => (self.clone(), other),
            false => (other, self.clone()),
        };
        if one.method != two.method {
            return Err(invalid("summaries of different interpolation methods cannot be rolled up"));
        }
        if two.first_time <= one.last_time {
            return Err(invalid("summaries of overlapping times cannot be rolled up"));
        }
        let (from, to) = (one.last(), two.first());
        *self = Self {
            last_time: two.last_time,
            last_value: two.last_value,
            weighted_sum: one.weighted_sum + Method::numbered(one.method).area(from, to) + two.weighted_sum,
            ..one
        };
        Ok(())
    }
}

/// µs of a unit.
fn unit(name: &str) -> Result<f64> {
    Ok(match name.trim().to_ascii_lowercase().trim_end_matches('s') {
        "microsecond" | "u" => 1.0,
        "millisecond" | "m" => 1e3,
        "second" | "" => 1e6,
        "minute" => 6e7,
        "hour" => 3.6e9,
        "day" => 8.64e10,
        _ => return Err(invalid(format!("unrecognized duration unit \"{name}\""))),
    })
}

pub fn symbols() -> Symbols {
    vec![
        ("time_weight", Body::Aggregate(time_weight)),
        ("time_weight_rollup", Body::Aggregate(rollup::<TimeWeight>)),
        ("time_weight_within", within()),
        ("time_weight_average", of(|of: TimeWeight| of.average())),
        ("time_weight_integral", with_method(|of: TimeWeight, name| Ok(Some(of.weighted_sum / unit(name)?)))),
        ("time_weight_first_val", of(|of: TimeWeight| Some(of.first_value))),
        ("time_weight_last_val", of(|of: TimeWeight| Some(of.last_value))),
        ("time_weight_first_time", of(|of: TimeWeight| Some(of.first_time))),
        ("time_weight_last_time", of(|of: TimeWeight| Some(of.last_time))),
    ]
}

/// `time_weight_within(summary, start, end, before, next)`
fn within() -> Body {
    columns(|call, args| {
        let [summaries, starts, ends, before, next] = args else {
            return Err(Error::internal("time_weight_within has five arguments"));
        };
        let (starts, ends) = (<Option<TimestampTz>>::open(starts)?, <Option<TimestampTz>>::open(ends)?);
        let rows = (0..summaries.len()).map(|row| {
            let (start, end) = (<Option<TimestampTz>>::get(&starts, row), <Option<TimestampTz>>::get(&ends, row));
            let (Some(summary), Some(start), Some(end)) = (TimeWeight::read(summaries, row)?, start, end) else {
                return Ok(None);
            };
            let (before, next) = (TimeWeight::read(before, row)?, TimeWeight::read(next, row)?);
            summary.within(start.0, end.0, before.as_ref(), next.as_ref()).map(Some)
        });
        let data_type = call.result_type();
        TimeWeight::write(&rows.collect::<Result<Vec<_>>>()?, &data_type)
    })
}

const PLACES: Places = Places { time: 1, value: 2, parameter: Some(Kind::Text(0)) };

fn time_weight(types: &AggregateTypes<'_>) -> Result<Aggregate> {
    let data_type = types.result_type();
    let finish = move |groups: &[Option<(Vec<Point>, Option<Parameter>)>]| {
        let summary = |(points, method): &(Vec<Point>, Option<Parameter>)| {
            let Some(Parameter::Text(name)) = method else { return Err(Error::internal("a method is missing")) };
            Ok(TimeWeight::of_points(points, Method::named(name)?))
        };
        let rows = groups.iter().map(|group| Ok(group.as_ref().map(summary).transpose()?.flatten()));
        TimeWeight::write(&rows.collect::<Result<Vec<_>>>()?, &data_type)
    };
    fold("time_weight", types, OverPoints { places: PLACES, finish })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_roll_up_to_the_whole() {
        let values = [1.0, 5.0, 2.0, 2.0, 8.0, -3.0];
        let points: Vec<Point> = (1..).zip(values).map(|(i, value)| Point { time: i * i * i * 100, value }).collect();
        for method in [Method::Linear, Method::Locf] {
            let whole = TimeWeight::of_points(&points, method).unwrap();
            for cut in 1..points.len() {
                let mut merged = TimeWeight::of_points(&points[cut..], method).unwrap();
                merged.merge(TimeWeight::of_points(&points[..cut], method).unwrap()).unwrap();
                assert_eq!(merged, whole);
            }
        }
    }
}
