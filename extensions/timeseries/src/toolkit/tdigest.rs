//! t-digests (Dunning and Ertl, "Computing Extremely Accurate Quantiles Using t-Digests", 2019): few weighted means that are close together
//! towards both ends, for percentiles.

use aegis_engine::extension::{
    Aggregate, AggregateTypes, Body, Error, Fold, List, Persist, Read, Result, Symbols, Write, columns, fold, sqlstate,
};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

use super::composite::{Composite, composite, of};
use super::rollup::{Merge, rollup};

/// Centroids of `percentile_agg`.
const DEFAULT_SIZE: i32 = 200;
const MAX_SIZE: i32 = 100_000;
/// Values that wait to be taken in, per centroid.
const WAITING: usize = 5;

composite!(
    /// `tdigest`.
    TDigest {
        buckets: i32,
        count: i64,
        sum: f64,
        min: f64,
        max: f64,
        /// Means and weights, eight bytes each, in order.
        centroids: Vec<u8>,
    }
);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Centroid {
    mean: f64,
    weight: f64,
}

/// A digest that grows.
#[derive(Default, Clone)]
struct Growing {
    size: i32,
    count: i64,
    sum: f64,
    min: f64,
    max: f64,
    centroids: Vec<Centroid>,
    waiting: Vec<Centroid>,
}

impl Growing {
    fn new(size: i32) -> Self {
        Self { size, min: f64::INFINITY, max: f64::NEG_INFINITY, ..Self::default() }
    }

    fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.waiting.push(Centroid { mean: value, weight: 1.0 });
        if self.waiting.len() >= self.size as usize * WAITING {
            self.compress();
        }
    }

    fn merge(&mut self, other: Self) {
        if self.size == 0 {
            *self = other;
            return;
        }
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.waiting.extend(other.centroids);
        self.waiting.extend(other.waiting);
        if self.waiting.len() >= self.size as usize * WAITING {
            self.compress();
        }
    }

    /// Joins neighbours as far as the scale function k1 allows: a centroid covers at most one unit of k.
    fn compress(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        self.waiting.append(&mut self.centroids);
        self.waiting.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        let total: f64 = self.waiting.iter().map(|centroid| centroid.weight).sum();
        let scale = f64::from(self.size) / (2.0 * std::f64::consts::PI);
        let limit_after = |weight: f64| {
            let k = scale * (2.0 * (weight / total).min(1.0) - 1.0).asin() + 1.0;
            total * ((k / scale).min(std::f64::consts::FRAC_PI_2).sin() + 1.0) / 2.0
        };
        let (mut done, mut limit) = (0.0, limit_after(0.0));
        for centroid in self.waiting.drain(..) {
            match self.centroids.last_mut() {
                Some(last) if done + centroid.weight <= limit => {
                    last.weight += centroid.weight;
                    last.mean += (centroid.mean - last.mean) * centroid.weight / last.weight;
                }
                _ => {
                    limit = limit_after(done);
                    self.centroids.push(centroid);
                }
            }
            done += centroid.weight;
        }
    }

    fn digest(&self) -> Option<TDigest> {
        if self.count == 0 {
            return None;
        }
        let mut whole = self.clone();
        whole.compress();
        let mut centroids = Vec::with_capacity(whole.centroids.len() * 16);
        for Centroid { mean, weight } in whole.centroids {
            mean.save(&mut centroids);
            weight.save(&mut centroids);
        }
        let Self { size, count, sum, min, max, .. } = *self;
        Some(TDigest { buckets: size, count, sum, min, max, centroids })
    }
}

impl TDigest {
    fn growing(&self) -> Result<Growing> {
        Ok(Growing {
            size: self.buckets.clamp(1, MAX_SIZE),
            count: self.count,
            sum: self.sum,
            min: self.min,
            max: self.max,
            centroids: self.centroids()?,
            waiting: Vec::new(),
        })
    }

    /// 22P03 for bytes that are no centroids.
    fn centroids(&self) -> Result<Vec<Centroid>> {
        let mut bytes = self.centroids.as_slice();
        let mut centroids = Vec::with_capacity(bytes.len() / 16);
        while !bytes.is_empty() {
            let centroid = f64::load(&mut bytes).and_then(|mean| Ok(Centroid { mean, weight: f64::load(&mut bytes)? }));
            let damaged = |_| Error::new(sqlstate::INVALID_BINARY_REPRESENTATION, "a tdigest is damaged");
            centroids.push(centroid.map_err(damaged)?);
        }
        Ok(centroids)
    }

    /// The value below which a fraction of all lie.
    fn quantile(&self, fraction: f64) -> Result<Option<f64>> {
        let centroids = self.centroids()?;
        let total: f64 = centroids.iter().map(|centroid| centroid.weight).sum();
        let target = fraction.clamp(0.0, 1.0) * total;
        // A centroid's mean stands in the middle of its weight; the ends are known.
        let (mut before, mut place) = (self.min, 0.0);
        let mut done = 0.0;
        for Centroid { mean, weight } in centroids {
            let middle = done + weight / 2.0;
            if target <= middle {
                return Ok(Some(between(target, (place, before), (middle, mean))));
            }
            (before, place) = (mean, middle);
            done += weight;
        }
        Ok((self.count > 0).then(|| between(target, (place, before), (total, self.max))))
    }

    /// The fraction of values that are below one.
    fn rank(&self, value: f64) -> Result<Option<f64>> {
        let centroids = self.centroids()?;
        let total: f64 = centroids.iter().map(|centroid| centroid.weight).sum();
        if total == 0.0 {
            return Ok(None);
        }
        if value < self.min {
            return Ok(Some(0.0));
        }
        if value >= self.max {
            return Ok(Some(1.0));
        }
        let (mut before, mut place) = (self.min, 0.0);
        let mut done = 0.0;
        for Centroid { mean, weight } in centroids {
            let middle = done + weight / 2.0;
            if value < mean {
                return Ok(Some(between(value, (before, place), (mean, middle)) / total));
            }
            (before, place) = (mean, middle);
            done += weight;
        }
        Ok(Some(between(value, (before, place), (self.max, total)) / total))
    }
}

/// On the line through two points.
fn between(x: f64, (x0, y0): (f64, f64), (x1, y1): (f64, f64)) -> f64 {
    if x1 <= x0 { y1 } else { y0 + (y1 - y0) * ((x - x0) / (x1 - x0)) }
}

impl Merge for TDigest {
    fn merge(&mut self, other: Self) -> Result<()> {
        let mut growing = self.growing()?;
        growing.merge(other.growing()?);
        if let Some(digest) = growing.digest() {
            *self = digest;
        }
        Ok(())
    }

    fn heap_size(&self) -> usize {
        self.centroids.capacity()
    }
}

impl Persist for Growing {
    fn save(&self, out: &mut Vec<u8>) {
        self.digest().save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Option::<TDigest>::load(bytes)?.map_or(Ok(Self::default()), |digest| digest.growing())
    }
}

pub fn symbols() -> Symbols {
    vec![
        ("tdigest", Body::Aggregate(|types| digest("tdigest", types, true))),
        ("percentile_agg", Body::Aggregate(|types| digest("percentile_agg", types, false))),
        ("tdigest_rollup", Body::Aggregate(rollup::<TDigest>)),
        ("tdigest_quantile", number_of(|digest, fraction| digest.quantile(fraction))),
        ("tdigest_quantiles", columns(|_, args| quantiles(args))),
        ("tdigest_rank", number_of(|digest, value| digest.rank(value))),
        ("tdigest_mean", of(|of: TDigest| (of.count > 0).then(|| of.sum / of.count as f64))),
        ("tdigest_num_vals", of(|of: TDigest| Some(of.count))),
        ("tdigest_min", of(|of: TDigest| Some(of.min))),
        ("tdigest_max", of(|of: TDigest| Some(of.max))),
    ]
}

/// A function of a number and a digest.
fn number_of(function: fn(&TDigest, f64) -> Result<Option<f64>>) -> Body {
    columns(move |_, args| {
        let [numbers, digests] = args else { return Err(Error::internal("the function has two arguments")) };
        let numbers = <f64 as Read>::open(numbers)?;
        let mut results = f64::builder(digests.len());
        for row in 0..digests.len() {
            let digest = TDigest::read(digests, row)?;
            match digest.map(|digest| function(&digest, <f64 as Read>::get(&numbers, row))).transpose()?.flatten() {
                Some(result) => result.append(&mut results),
                None => f64::append_null(&mut results),
            }
        }
        Ok(f64::finish(results))
    })
}

fn quantiles(args: &[ArrayRef]) -> Result<ArrayRef> {
    let [fractions, digests] = args else { return Err(Error::internal("the function has two arguments")) };
    let fractions = <List<f64> as Read>::open(fractions)?;
    let mut results = <List<f64> as Write>::builder(digests.len());
    for row in 0..digests.len() {
        let List(wanted) = <List<f64> as Read>::get(&fractions, row);
        let Some(digest) = TDigest::read(digests, row)? else {
            <List<f64> as Write>::append_null(&mut results);
            continue;
        };
        let found = wanted.into_iter().map(|fraction| fraction.map_or(Ok(None), |fraction| digest.quantile(fraction)));
        List(found.collect::<Result<Vec<_>>>()?).append(&mut results);
    }
    Ok(<List<f64> as Write>::finish(results))
}

fn digest(name: &'static str, types: &AggregateTypes<'_>, sized: bool) -> Result<Aggregate> {
    fold(name, types, Digest { data_type: types.result_type(), sized })
}

struct Digest {
    data_type: DataType,
    /// The number of centroids is the first argument.
    sized: bool,
}

impl Fold for Digest {
    type State = Growing;
    type Columns<'a> = (Option<<i32 as Read<'a>>::Column>, <f64 as Read<'a>>::Column);

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        match (args, self.sized) {
            ([sizes, values], true) => Ok((Some(<i32 as Read>::open(sizes)?), <f64 as Read>::open(values)?)),
            ([values], false) => Ok((None, <f64 as Read>::open(values)?)),
            _ => Err(Error::internal("a digest has other arguments")),
        }
    }

    fn add(&self, state: &mut Growing, (sizes, values): &Self::Columns<'_>, row: usize) -> Result<()> {
        if state.size == 0 {
            let size = sizes.as_ref().map_or(DEFAULT_SIZE, |sizes| <i32 as Read>::get(sizes, row));
            if !(1..=MAX_SIZE).contains(&size) {
                let message = format!("a tdigest has between 1 and {MAX_SIZE} buckets");
                return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
            }
            *state = Growing::new(size);
        }
        let value = <f64 as Read>::get(values, row);
        // What is no number has no place among them.
        if !value.is_nan() {
            state.add(value);
        }
        Ok(())
    }

    fn merge(&self, state: &mut Growing, other: Growing) -> Result<()> {
        if other.size != 0 {
            state.merge(other);
        }
        Ok(())
    }

    fn finish(&self, states: &[Growing]) -> Result<ArrayRef> {
        TDigest::write(&states.iter().map(Growing::digest).collect::<Vec<_>>(), &self.data_type)
    }

    fn heap_size(&self, state: &Growing) -> usize {
        (state.centroids.capacity() + state.waiting.capacity()) * size_of::<Centroid>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A permutation of 0..n.
    fn values(n: u64) -> impl Iterator<Item = f64> {
        (0..n).map(move |i| ((i * 7919) % n) as f64)
    }

    #[test]
    fn quantiles_are_close_also_of_parts_that_were_merged() {
        let n = 100_003;
        let mut whole = Growing::new(DEFAULT_SIZE);
        values(n).for_each(|value| whole.add(value));
        let mut parts: Vec<Growing> = (0..7).map(|_| Growing::new(DEFAULT_SIZE)).collect();
        values(n).enumerate().for_each(|(i, value)| parts[i % 7].add(value));
        let mut merged = Growing::default();
        for part in parts {
            let mut bytes = Vec::new();
            part.save(&mut bytes);
            merged.merge(Growing::load(&mut bytes.as_slice()).unwrap());
        }
        for growing in [whole, merged] {
            let digest = growing.digest().unwrap();
            assert!(digest.centroids().unwrap().len() <= 2 * DEFAULT_SIZE as usize);
            for (fraction, error) in [(0.5, 0.01), (0.9, 0.005), (0.99, 0.001), (0.999, 0.0003), (0.01, 0.001)] {
                let found = digest.quantile(fraction).unwrap().unwrap();
                assert!((found / n as f64 - fraction).abs() < error, "{fraction}: {found}");
                assert!((digest.rank(found).unwrap().unwrap() - fraction).abs() < 0.001);
            }
            assert_eq!(digest.quantile(0.0).unwrap(), Some(0.0));
            assert_eq!(digest.quantile(1.0).unwrap(), Some((n - 1) as f64));
        }
    }
}
