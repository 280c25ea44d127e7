//! HyperLogLog: how many different values there are, about. Estimated as in Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
//! (2017), without tables of corrections. Few values are kept as they hash, so that their count is nearly exact.

use std::collections::BTreeSet;

use aegis_engine::extension::{
    Aggregate, AggregateTypes, Body, Error, Fold, Persist, Read, Result, Symbols, Type, comparison_key,
    comparison_type, fold, sqlstate,
};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, Rows, SortField};

use super::composite::{Composite, composite, of};
use super::rollup::{Merge, rollup};

/// Registers of `approx_count_distinct`, as a power of two: an error of 0.6 %.
const DEFAULT_PRECISION: i32 = 15;
const PRECISIONS: std::ops::RangeInclusive<i32> = 4..=18;
/// Hashes that are kept, as a part of the registers.
const SPARSE_PART: usize = 16;

composite!(
    /// `hyperloglog`.
    HyperLogLog {
        /// Registers as a power of two.
        precision: i32,
        /// Hashes of eight bytes each if there are few, else a byte per register.
        registers: Vec<u8>,
    }
);

#[derive(Clone, Debug, PartialEq)]
enum Sketch {
    Few(BTreeSet<u64>),
    Registers(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq)]
struct Counting {
    precision: i32,
    sketch: Sketch,
}

impl Counting {
    fn new(precision: i32) -> Self {
        Self { precision, sketch: Sketch::Few(BTreeSet::new()) }
    }

    fn size(&self) -> usize {
        1 << self.precision
    }

    fn add(&mut self, hash: u64) {
        let limit = self.size() / SPARSE_PART;
        match &mut self.sketch {
            Sketch::Few(hashes) => {
                hashes.insert(hash);
                if hashes.len() > limit {
                    self.densify();
                }
            }
            Sketch::Registers(registers) => note(registers, self.precision, hash),
        }
    }

    fn densify(&mut self) {
        if let Sketch::Few(hashes) = &self.sketch {
            let mut registers = vec![0; self.size()];
            hashes.iter().for_each(|hash| note(&mut registers, self.precision, *hash));
            self.sketch = Sketch::Registers(registers);
        }
    }

    fn merge(&mut self, mut other: Self) -> Result<()> {
        if self.precision != other.precision {
            let message = "hyperloglogs of different sizes cannot be rolled up";
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
        if let Sketch::Few(hashes) = &other.sketch {
            hashes.iter().for_each(|hash| self.add(*hash));
            return Ok(());
        }
        self.densify();
        other.densify();
        if let (Sketch::Registers(own), Sketch::Registers(others)) = (&mut self.sketch, other.sketch) {
            own.iter_mut().zip(others).for_each(|(own, other)| *own = (*own).max(other));
        }
        Ok(())
    }

    fn estimate(&self) -> i64 {
        let registers = match &self.sketch {
            Sketch::Few(hashes) => return hashes.len() as i64,
            Sketch::Registers(registers) => registers,
        };
        let highest = 64 - self.precision as usize;
        let mut counts = vec![0.0; highest + 2];
        for register in registers {
            if let Some(count) = counts.get_mut(*register as usize) {
                *count += 1.0;
            }
        }
        let m = self.size() as f64;
        let count = |rank: usize| counts.get(rank).copied().unwrap_or(0.0);
        let mut z = m * tau(1.0 - count(highest + 1) / m);
        for rank in (1..=highest).rev() {
            z = 0.5 * (z + count(rank));
        }
        z += m * sigma(count(0) / m);
        (m * m / (2.0 * std::f64::consts::LN_2) / z).round() as i64
    }

    fn stored(&self) -> HyperLogLog {
        let registers = match &self.sketch {
            Sketch::Few(hashes) => hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect(),
            Sketch::Registers(registers) => registers.clone(),
        };
        HyperLogLog { precision: self.precision, registers }
    }
}

fn note(registers: &mut [u8], precision: i32, hash: u64) {
    let index = (hash >> (64 - precision)) as usize;
    let rank = ((hash << precision) | 1 << (precision - 1)).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank);
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

/// MurmurHash64A, with the last steps of MurmurHash3, which spread short values better. It is part of what is stored: it must never change.
fn hash(bytes: &[u8]) -> u64 {
    const M: u64 = 0xc6a4_a793_5bd1_e995;
    let mut h = 0x005b_d1e9_955b_d1e9 ^ (bytes.len() as u64).wrapping_mul(M);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut k = chunk.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)).wrapping_mul(M);
        k ^= k >> 47;
        h = (h ^ k.wrapping_mul(M)).wrapping_mul(M);
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        h ^= rest.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte));
        h = h.wrapping_mul(M);
    }
    h ^= h >> 33;
    h = h.wrapping_mul(0xff51_afd7_ed55_8ccd);
    h ^= h >> 33;
    h = h.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    h ^ h >> 33
}

impl HyperLogLog {
    fn counting(&self) -> Result<Counting> {
        let damaged = || Error::new(sqlstate::INVALID_BINARY_REPRESENTATION, "a hyperloglog is damaged");
        if !PRECISIONS.contains(&self.precision) {
            return Err(damaged());
        }
        let size = 1_usize << self.precision;
        let sketch = match self.registers.len() {
            length if length == size => Sketch::Registers(self.registers.clone()),
            length if length % 8 == 0 && length / 8 <= size / SPARSE_PART => {
                let hashes = self.registers.chunks_exact(8);
                Sketch::Few(
                    hashes.map(|hash| hash.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))).collect(),
                )
            }
            _ => return Err(damaged()),
        };
        Ok(Counting { precision: self.precision, sketch })
    }
}

impl Merge for HyperLogLog {
    fn merge(&mut self, other: Self) -> Result<()> {
        let mut counting = self.counting()?;
        counting.merge(other.counting()?)?;
        *self = counting.stored();
        Ok(())
    }

    fn heap_size(&self) -> usize {
        self.registers.capacity()
    }
}

/// None before the first value.
#[derive(Default)]
struct State(Option<Counting>);

impl Persist for State {
    fn save(&self, out: &mut Vec<u8>) {
        self.0.as_ref().map(Counting::stored).save(out);
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        Option::<HyperLogLog>::load(bytes)?.map(|stored| stored.counting()).transpose().map(Self)
    }
}

pub fn symbols() -> Symbols {
    vec![
        ("hyperloglog", Body::Aggregate(|types| hyperloglog("hyperloglog", types, true))),
        ("approx_count_distinct", Body::Aggregate(|types| hyperloglog("approx_count_distinct", types, false))),
        ("hyperloglog_rollup", Body::Aggregate(rollup::<HyperLogLog>)),
        ("hyperloglog_count", of(|of: HyperLogLog| of.counting().ok().map(|counting| counting.estimate()))),
        ("hyperloglog_error", of(|of: HyperLogLog| Some(1.04 / f64::from(1 << of.precision.clamp(4, 18)).sqrt()))),
    ]
}

fn hyperloglog(name: &'static str, types: &AggregateTypes<'_>, sized: bool) -> Result<Aggregate> {
    let Some(ty) = types.args.last().copied() else { return Err(Error::internal("an aggregate has an argument")) };
    let keys = SortField::new(comparison_type(ty, types.context));
    let converter = RowConverter::new(vec![keys]).map_err(|error| Error::internal(error.to_string()))?;
    fold(name, types, Distinct { ty, converter, data_type: types.result_type(), sized })
}

struct Distinct {
    ty: Type,
    converter: RowConverter,
    data_type: DataType,
    /// The number of registers is the first argument.
    sized: bool,
}

/// The precision for a number of registers.
fn precision(registers: i32) -> Result<i32> {
    let precision = u32::try_from(registers).ok().and_then(u32::checked_next_power_of_two).map(u32::ilog2);
    let precision = precision.and_then(|precision| i32::try_from(precision).ok());
    precision.filter(|precision| PRECISIONS.contains(precision)).ok_or_else(|| {
        let message = format!("invalid number of buckets {registers}, it must be between 16 and 262144");
        Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
    })
}

impl Fold for Distinct {
    type State = State;
    type Columns<'a> = (Option<<i32 as Read<'a>>::Column>, Rows);

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        let (sizes, values) = match (args, self.sized) {
            ([sizes, values], true) => (Some(<i32 as Read>::open(sizes)?), values),
            ([values], false) => (None, values),
            _ => return Err(Error::internal("a hyperloglog has other arguments")),
        };
        let rows = self.converter.convert_columns(&[comparison_key(self.ty, values)?]);
        Ok((sizes, rows.map_err(|error| Error::internal(error.to_string()))?))
    }

    fn add(&self, state: &mut State, (sizes, rows): &Self::Columns<'_>, row: usize) -> Result<()> {
        let counting = match &mut state.0 {
            Some(counting) => counting,
            empty => {
                let given = sizes.as_ref().map(|sizes| precision(<i32 as Read>::get(sizes, row))).transpose()?;
                empty.insert(Counting::new(given.unwrap_or(DEFAULT_PRECISION)))
            }
        };
        counting.add(hash(rows.row(row).as_ref()));
        Ok(())
    }

    fn merge(&self, state: &mut State, other: State) -> Result<()> {
        match (&mut state.0, other.0) {
            (_, None) => Ok(()),
            (Some(own), Some(other)) => own.merge(other),
            (own, other) => {
                *own = other;
                Ok(())
            }
        }
    }

    fn finish(&self, states: &[State]) -> Result<ArrayRef> {
        let rows: Vec<_> = states.iter().map(|state| state.0.as_ref().map(Counting::stored)).collect();
        HyperLogLog::write(&rows, &self.data_type)
    }

    fn heap_size(&self, state: &State) -> usize {
        match state.0.as_ref().map(|counting| &counting.sketch) {
            Some(Sketch::Few(hashes)) => hashes.len() * 2 * size_of::<u64>(),
            Some(Sketch::Registers(registers)) => registers.capacity(),
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl Iterator<Item = u64>) -> Counting {
        let mut counting = Counting::new(12);
        values.for_each(|value| counting.add(hash(&value.to_be_bytes())));
        counting
    }

    #[test]
    fn estimates_are_close() {
        for n in [0, 1, 200, 300, 5_000, 12_000, 100_000, 1_000_000] {
            let mut short = Counting::new(12);
            (0..n).for_each(|value| short.add(hash(&[&[1], &(value as u32).to_be_bytes()[..]].concat())));
            for counting in [of(0..n), short] {
                let error = (counting.estimate() - n as i64).abs() as f64 / (n.max(1) as f64);
                assert!(error < 0.05, "{n}: {error}");
            }
        }
    }

    #[test]
    fn parts_merge_to_the_whole() {
        for (n, cut) in [(100, 40), (400, 200), (50_000, 100), (50_000, 30_000)] {
            let mut merged = of(0..cut + cut / 2);
            let later = of(cut..n).stored().counting().unwrap();
            merged.merge(later).unwrap();
            assert_eq!(merged.estimate(), of(0..n).estimate());
        }
    }
}
