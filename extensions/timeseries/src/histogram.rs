//! `histogram(value, min, max, buckets)`: how many values lie below `min`, in each of so many parts between it and `max`, and above.

use aegis_engine::extension::{
    Body, Error, Fold, List, Persist, Read, Result, SqlState, Symbols, fold, sqlstate, write_all,
};
use arrow::array::ArrayRef;

/// Buckets at most.
const MAX_BUCKETS: i32 = 10_000_000;

pub fn symbols() -> Symbols {
    vec![("ts_hist_sfunc", Body::Aggregate(|types| fold("histogram", types, Histogram)))]
}

struct Histogram;

/// Counts: none before the first row.
#[derive(Default)]
struct Counts(Vec<i32>);

impl Persist for Counts {
    fn save(&self, out: &mut Vec<u8>) {
        (self.0.len() as u64).save(out);
        self.0.iter().for_each(|count| count.save(out));
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let length = u64::load(bytes)?;
        (0..length).map(|_| i32::load(bytes)).collect::<Result<_>>().map(Self)
    }
}

fn error(code: SqlState, message: &str) -> Error {
    Error::new(code, message)
}

fn changed() -> Error {
    error(sqlstate::INVALID_PARAMETER_VALUE, "number of buckets must not change between calls")
}

/// The place of a value, as `width_bucket` tells it.
fn place(value: f64, min: f64, max: f64, buckets: i32) -> Result<usize> {
    let invalid = |message| Err(error(sqlstate::INVALID_ARGUMENT_FOR_WIDTH_BUCKET_FUNCTION, message));
    if min > max {
        return Err(error(sqlstate::INVALID_PARAMETER_VALUE, "lower bound cannot exceed upper bound"));
    }
    if buckets <= 0 {
        return invalid("count must be greater than zero");
    }
    if buckets > MAX_BUCKETS {
        return Err(error(sqlstate::PROGRAM_LIMIT_EXCEEDED, "a histogram has too many buckets"));
    }
    if value.is_nan() || min.is_nan() || max.is_nan() {
        return invalid("operand, lower bound, and upper bound cannot be NaN");
    }
    if min.is_infinite() || max.is_infinite() {
        return invalid("lower and upper bounds must be finite");
    }
    if min == max {
        return invalid("lower bound cannot equal upper bound");
    }
    if value < min {
        return Ok(0);
    }
    let count = buckets as usize;
    if value >= max {
        return Ok(count + 1);
    }
    // Halves, since a difference of finite numbers may be infinite.
    let part = (value / 2.0 - min / 2.0) / (max / 2.0 - min / 2.0);
    Ok(((part * f64::from(buckets)) as usize).min(count - 1) + 1)
}

impl Fold for Histogram {
    type State = Counts;
    type Columns<'a> = ([<Option<f64> as Read<'a>>::Column; 3], <Option<i32> as Read<'a>>::Column);
    /// As in TimescaleDB a null is taken for 0.
    const SEES_NULLS: bool = true;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        let [value, min, max, buckets] = args else { return Err(Error::internal("histogram has four arguments")) };
        let open = <Option<f64> as Read>::open;
        Ok(([open(value)?, open(min)?, open(max)?], <Option<i32> as Read>::open(buckets)?))
    }

    fn add(&self, state: &mut Counts, (numbers, buckets): &Self::Columns<'_>, row: usize) -> Result<()> {
        let [value, min, max] = numbers.each_ref().map(|column| <Option<f64> as Read>::get(column, row).unwrap_or(0.0));
        let buckets = <Option<i32> as Read>::get(buckets, row).unwrap_or(0);
        let place = place(value, min, max, buckets)?;
        let counts = &mut state.0;
        if counts.is_empty() {
            counts.resize(buckets as usize + 2, 0);
        }
        if counts.len() != buckets as usize + 2 {
            return Err(changed());
        }
        if let Some(count) = counts.get_mut(place) {
            let more = count.checked_add(1);
            *count = more.ok_or_else(|| error(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
        }
        Ok(())
    }

    fn merge(&self, state: &mut Counts, other: Counts) -> Result<()> {
        if state.0.is_empty() {
            *state = other;
        } else if !other.0.is_empty() {
            if state.0.len() != other.0.len() {
                return Err(changed());
            }
            for (count, more) in state.0.iter_mut().zip(other.0) {
                let sum = count.checked_add(more);
                *count = sum.ok_or_else(|| error(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
            }
        }
        Ok(())
    }

    fn finish(&self, states: &[Counts]) -> Result<ArrayRef> {
        write_all(states.iter().map(|state| {
            let counts = state.0.iter().copied().collect::<List<i32>>();
            Ok((!state.0.is_empty()).then_some(counts))
        }))
    }

    fn heap_size(&self, state: &Counts) -> usize {
        state.0.capacity() * size_of::<i32>()
    }
}
