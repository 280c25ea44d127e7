//! Fewer points that look like all of them: `lttb` picks those that matter to the eye (Steinarsson, "Downsampling Time Series for Visual
//! Representation", 2013), `asap_smooth` averages noise away (Rong and Bailis, "ASAP: Prioritizing Attention via Time Series Smoothing", 2017).

use aegis_engine::extension::{
    Aggregate, AggregateTypes, Body, Error, List, Result, Symbols, TimestampTz, Write, fold, sqlstate,
};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::composite::structure;
use super::points::{Kind, OverPoints, Parameter, Places, Point};

pub fn symbols() -> Symbols {
    vec![
        ("lttb", Body::Aggregate(|types| vector("lttb", types, lttb))),
        ("asap_smooth", Body::Aggregate(|types| vector("asap_smooth", types, asap))),
    ]
}

const PLACES: Places = Places { time: 0, value: 1, parameter: Some(Kind::Count(2)) };

/// An aggregate of points whose result is a `timevector`: times and values.
fn vector(
    name: &'static str,
    types: &AggregateTypes<'_>,
    of: fn(Vec<Point>, usize) -> Vec<Point>,
) -> Result<Aggregate> {
    let data_type = types.result_type();
    let finish = move |groups: &[Option<(Vec<Point>, Option<Parameter>)>]| {
        let smaller = groups.iter().map(|group| match group {
            None => Ok(None),
            Some((points, Some(Parameter::Count(count)))) => {
                let count = usize::try_from(*count).ok().filter(|count| *count > 0).ok_or_else(|| {
                    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("{name} needs a resolution above 0"))
                })?;
                Ok(Some(of(points.clone(), count)))
            }
            Some(_) => Err(Error::internal("a resolution is missing")),
        });
        write(&smaller.collect::<Result<Vec<_>>>()?, &data_type)
    };
    fold(name, types, OverPoints { places: PLACES, finish })
}

fn write(vectors: &[Option<Vec<Point>>], data_type: &DataType) -> Result<ArrayRef> {
    let mut times = <List<TimestampTz> as Write>::builder(vectors.len());
    let mut values = <List<f64> as Write>::builder(vectors.len());
    for vector in vectors {
        match vector {
            Some(points) => {
                points.iter().map(|point| TimestampTz(point.time)).collect::<List<_>>().append(&mut times);
                points.iter().map(|point| point.value).collect::<List<_>>().append(&mut values);
            }
            None => {
                <List<TimestampTz> as Write>::append_null(&mut times);
                <List<f64> as Write>::append_null(&mut values);
            }
        }
    }
    let columns = vec![<List<TimestampTz> as Write>::finish(times), <List<f64> as Write>::finish(values)];
    structure(data_type, columns, vectors.iter().map(Option::is_some).collect())
}

/// The first and the last point, and of each part between them the one that makes the largest triangle with the point before and the mean of the
/// part after.
fn lttb(points: Vec<Point>, count: usize) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) else { return points };
    if points.len() <= count || count < 3 {
        return if points.len() <= count { points } else { [first, last].into_iter().take(count).collect() };
    }
    let inner = points.len() - 2;
    let bound = |part: usize| 1 + part * inner / (count - 2);
    let mut chosen = Vec::with_capacity(count);
    let mut before = first;
    chosen.push(first);
    for part in 0..count - 2 {
        let own = points.get(bound(part)..bound(part + 1)).unwrap_or_default();
        let after = points.get(bound(part + 1)..bound(part + 2).min(points.len())).unwrap_or_default();
        let after = mean(after).unwrap_or((last.time as f64, last.value));
        let area = |point: &Point| {
            let (x, y) = ((point.time - before.time) as f64, point.value - before.value);
            let (ax, ay) = (after.0 - before.time as f64, after.1 - before.value);
            (x * ay - ax * y).abs()
        };
        let best = own.iter().copied().reduce(|best, point| if area(&point) > area(&best) { point } else { best });
        if let Some(best) = best {
            chosen.push(best);
            before = best;
        }
    }
    chosen.push(last);
    chosen
}

fn mean(points: &[Point]) -> Option<(f64, f64)> {
    let n = points.len() as f64;
    let sum = points.iter().fold((0.0, 0.0), |sum, point| (sum.0 + point.time as f64, sum.1 + point.value));
    (!points.is_empty()).then(|| (sum.0 / n, sum.1 / n))
}

/// Moving averages over the window that makes the line smoothest without losing its outliers.
fn asap(points: Vec<Point>, count: usize) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return points };
    let step = ((last.time - first.time) as f64 / count as f64).max(1.0);
    let even = evenly(&points, first.time, step, count);
    let values: Vec<f64> = even.iter().map(|point| point.value).collect();
    let window = best_window(&values);
    let smooth = averages(&values, window);
    // An average stands in the middle of its window.
    let shift = step * (window - 1) as f64 / 2.0;
    let time = |place: usize| even.get(place).map_or(0, |point| point.time) + shift as i64;
    smooth.into_iter().enumerate().map(|(place, value)| Point { time: time(place), value }).collect()
}

/// Means of equally long parts of the time; a part without points lies on the line between its neighbours.
fn evenly(points: &[Point], start: i64, step: f64, count: usize) -> Vec<Point> {
    let mut sums = vec![(0.0, 0.0); count];
    for point in points {
        let place = (((point.time - start) as f64 / step) as usize).min(count - 1);
        if let Some((sum, n)) = sums.get_mut(place) {
            *sum += point.value;
            *n += 1.0;
        }
    }
    let known: Vec<(usize, f64)> =
        sums.iter().enumerate().filter(|(_, (_, n))| *n > 0.0).map(|(place, (sum, n))| (place, sum / n)).collect();
    let value = |place: usize| {
        let next = known.partition_point(|(known, _)| *known < place);
        match (next.checked_sub(1).and_then(|before| known.get(before)), known.get(next)) {
            (_, Some((at, value))) if *at == place => *value,
            (Some((a, x)), Some((b, y))) => x + (y - x) * (place - a) as f64 / (b - a) as f64,
            (Some((_, value)), None) | (None, Some((_, value))) => *value,
            (None, None) => 0.0,
        }
    };
    (0..count).map(|place| Point { time: start + (place as f64 * step) as i64, value: value(place) }).collect()
}

fn averages(values: &[f64], window: usize) -> Vec<f64> {
    values.windows(window.max(1)).map(|part| part.iter().sum::<f64>() / part.len() as f64).collect()
}

/// Of windows up to a tenth of all values: the least rough one whose kurtosis is not below that of the values.
fn best_window(values: &[f64]) -> usize {
    let kept = kurtosis(values);
    let mut best = (1, roughness(values));
    for window in 2..=(values.len() / 10).max(1) {
        let smooth = averages(values, window);
        let rough = roughness(&smooth);
        if rough < best.1 && kurtosis(&smooth) >= kept {
            best = (window, rough);
        }
    }
    best.0
}

/// Standard deviation of the steps.
fn roughness(values: &[f64]) -> f64 {
    let steps: Vec<f64> = values.windows(2).filter_map(|pair| Some(pair.get(1)? - pair.first()?)).collect();
    power(&steps, 2).sqrt()
}

fn kurtosis(values: &[f64]) -> f64 {
    let variance = power(values, 2);
    if variance == 0.0 { 0.0 } else { power(values, 4) / (variance * variance) }
}

/// Mean power of the distance from the mean.
fn power(values: &[f64], exponent: i32) -> f64 {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    values.iter().map(|value| (value - mean).powi(exponent)).sum::<f64>() / n
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(n: usize) -> Vec<Point> {
        let value = |i: usize| (i as f64 / 20.0).sin() * 10.0 + if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        (0..n).map(|i| Point { time: i as i64 * 1_000_000, value: value(i) }).collect()
    }

    #[test]
    fn fewer_points_in_order() {
        for count in [1, 2, 3, 10, 99, 100, 200] {
            let points = lttb(wave(100), count);
            assert_eq!(points.len(), count.min(100));
            assert!(points.is_sorted_by_key(|point| point.time));
        }
        assert_eq!(lttb(wave(100), 10)[0], wave(100)[0]);
    }

    #[test]
    fn noise_is_averaged_away() {
        let points = asap(wave(1000), 500);
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        let noisy: Vec<f64> = wave(1000).iter().map(|point| point.value).collect();
        assert!(roughness(&values) < roughness(&noisy) / 2.0);
        assert!(points.is_sorted_by_key(|point| point.time));
    }
}
