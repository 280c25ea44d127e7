//! TABLESAMPLE: a condition over the addresses of rows (BERNOULLI), or of the blocks that they are in (SYSTEM).

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, AsArray, BooleanArray};
use arrow::datatypes::{DataType, Float32Type, Float64Type, UInt64Type};
use datafusion::logical_expr::ColumnarValue;
use std::sync::Arc;

use super::Lowerer;
use super::relation::Relation;
use crate::bind::tree::{RelId, Sample, SampleMethod};
use crate::execute::operator::{ScalarOperator, arrays};

/// Rows of neighbouring addresses that SYSTEM takes or leaves together: 2 to this power.
const BLOCK_BITS: u32 = 7;

impl Lowerer<'_> {
    /// Leaves only the sample of the rows of `rel` in a relation.
    pub(super) fn sample(&mut self, rel: RelId, sample: &Sample, input: &mut Relation) -> Result<()> {
        let address = input.rels.get(&rel).and_then(|columns| columns.last());
        let address = address.ok_or_else(|| Error::internal("a sample of no table"))?.expr();
        let percentage = self.expr(&sample.percentage, input)?.into_representation(&DataType::Float32)?;
        let mut args = vec![address, percentage.expr];
        if let Some(seed) = &sample.seed {
            args.push(self.expr(seed, input)?.into_representation(&DataType::Float64)?.expr);
        }
        let by_chance: u64 = rand::random();
        let method = sample.method;
        let operator =
            ScalarOperator::new("tablesample", by_chance.to_string(), DataType::Boolean, move |args, rows| {
                let args = arrays(args, rows)?;
                let wrong = || Error::internal("a sample of no addresses");
                let [addresses, percentages, seeds @ ..] = args.as_slice() else { return Err(wrong()) };
                let addresses = addresses.as_primitive_opt::<UInt64Type>().ok_or_else(wrong)?;
                let percentages = percentages.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
                let seeds = seeds.first().and_then(|seeds| seeds.as_primitive_opt::<Float64Type>());
                let mut kept = Vec::with_capacity(rows);
                for row in 0..rows {
                    let percentage = percentages.is_valid(row).then(|| percentages.value(row));
                    let share = share(percentage)?;
                    let seed = match seeds {
                        Some(seeds) if seeds.is_null(row) => {
                            let message = "TABLESAMPLE REPEATABLE parameter cannot be null";
                            return Err(Error::new(sqlstate::INVALID_TABLESAMPLE_REPEAT, message));
                        }
                        Some(seeds) => (seeds.value(row) + 0.0).to_bits(),
                        None => by_chance,
                    };
                    let place = match method {
                        SampleMethod::Bernoulli => addresses.value(row),
                        SampleMethod::System => addresses.value(row) >> BLOCK_BITS,
                    };
                    kept.push(fraction(place, seed) < share);
                }
                Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(kept))))
            });
        input.filter(Some(operator.pinned().call(args)))
    }
}

/// The share of the rows, from 0 to 1.
fn share(percentage: Option<f32>) -> Result<f64> {
    match percentage {
        Some(percentage) if (0.0..=100.0).contains(&percentage) => Ok(f64::from(percentage) / 100.0),
        Some(_) => {
            let message = "sample percentage must be between 0 and 100";
            Err(Error::new(sqlstate::INVALID_TABLESAMPLE_ARGUMENT, message))
        }
        None => {
            let message = "TABLESAMPLE parameter cannot be null";
            Err(Error::new(sqlstate::INVALID_TABLESAMPLE_ARGUMENT, message))
        }
    }
}

/// A number from 0 up to 1 that depends on nothing but the place and the seed (SplitMix64).
fn fraction(place: u64, seed: u64) -> f64 {
    let mix = |value: u64| {
        let value = (value ^ value >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ value >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ value >> 31
    };
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mixed = mix(mix(seed.wrapping_add(STEP)) ^ mix(place.wrapping_add(STEP)));
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_even_and_repeat() {
        let sample = |seed| (0..10_000).filter(|&place| fraction(place, seed) < 0.25).collect::<Vec<u64>>();
        assert_eq!(sample(1), sample(1));
        assert_ne!(sample(1), sample(2));
        assert!((2_300..2_700).contains(&sample(7).len()));
    }

    #[test]
    fn shares_are_percentages() {
        assert_eq!(share(Some(100.0)).unwrap(), 1.0);
        assert_eq!(share(Some(-1.0)).unwrap_err().code(), sqlstate::INVALID_TABLESAMPLE_ARGUMENT);
        assert_eq!(share(None).unwrap_err().code(), sqlstate::INVALID_TABLESAMPLE_ARGUMENT);
    }
}
