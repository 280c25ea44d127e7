//! `count`, `sum` and `avg`.

use std::marker::PhantomData;

use aegis_catalog::types::interval::Interval;
use aegis_catalog::types::numeric::{Numeric, NumericSum};
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{Int16Type, Int32Type, Int64Type};

use super::fold::Fold;
use super::persist::Persist;
use super::step::{Step, write_all};
use super::udaf::fold;
use crate::functions::Body;
use crate::functions::comparison::key::key_of;
use crate::functions::math::out_of_range;
use crate::functions::signature::{Row, f};
use crate::functions::value::{NumericColumn, Read, Write};

pub fn functions() -> Vec<Row> {
    [counts(), sums(), averages()].into_iter().flatten().collect()
}

fn counts() -> Vec<Row> {
    let count = || {
        Body::Aggregate(|types| match types.args {
            // DataFusion's own knows statistics and has a fast DISTINCT, which is right if the value is its own key.
            [] => Ok(datafusion::functions_aggregate::count::count_udaf()),
            [ty] if key_of(*ty).is_none() => Ok(datafusion::functions_aggregate::count::count_udaf()),
            _ => fold("count", types, Count),
        })
    };
    vec![f("count()", count()), f("count(any)", count())]
}

/// Rows whose argument is not null.
struct Count;

impl Fold for Count {
    type State = i64;
    type Columns<'a> = ();

    fn open(&self, _args: &[ArrayRef]) -> Result<()> {
        Ok(())
    }
    fn add(&self, state: &mut i64, _columns: &(), _row: usize) -> Result<()> {
        *state += 1;
        Ok(())
    }
    fn merge(&self, state: &mut i64, other: i64) -> Result<()> {
        *state += other;
        Ok(())
    }
    fn finish(&self, states: &[i64]) -> Result<ArrayRef> {
        write_all(states.iter().map(|count| Ok(Some(*count))))
    }
    fn removes(&self) -> bool {
        true
    }
    fn remove(&self, state: &mut i64, _columns: &(), _row: usize) -> Result<()> {
        *state -= 1;
        Ok(())
    }
}

/// Count and sum.
type Sum<T> = (i64, T);

/// What integers are added up in: as narrow as will do, since there is one for each group.
trait Total: Copy + Default + Persist + Into<i128> + Send + Sync + 'static {
    fn of(values: impl Iterator<Item = i64>) -> Self;
    /// None if the sum is out of range.
    fn plus(self, other: Self) -> Option<Self>;
    fn minus(self, other: Self) -> Option<Self>;
}

/// Of integers of 32 bits: it takes as many rows as they have values to get out of range.
impl Total for i64 {
    fn of(values: impl Iterator<Item = i64>) -> Self {
        values.sum()
    }
    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }
    fn minus(self, other: Self) -> Option<Self> {
        self.checked_sub(other)
    }
}

impl Total for i128 {
    fn of(values: impl Iterator<Item = i64>) -> Self {
        values.map(i128::from).sum()
    }
    fn plus(self, other: Self) -> Option<Self> {
        self.checked_add(other)
    }
    fn minus(self, other: Self) -> Option<Self> {
        self.checked_sub(other)
    }
}

trait Summed: ArrowPrimitiveType<Native: Into<i64>> {
    type Total: Total;
}

impl Summed for Int16Type {
    type Total = i64;
}

impl Summed for Int32Type {
    type Total = i64;
}

impl Summed for Int64Type {
    type Total = i128;
}

/// Exact `sum` and `avg` of integers.
struct IntegerTotal<T, O> {
    finish: fn(&Sum<i128>) -> Result<Option<O>>,
    integer: PhantomData<fn() -> T>,
}

/// The total of a row.
fn one<T: Summed>(values: &PrimitiveArray<T>, row: usize) -> T::Total {
    T::Total::of(std::iter::once(values.value(row).into()))
}

fn in_range<T>(total: Option<T>) -> Result<T> {
    total.ok_or_else(|| out_of_range("bigint"))
}

impl<T: Summed, O: Write + 'static> Fold for IntegerTotal<T, O> {
    type State = Sum<T::Total>;
    type Columns<'a> = &'a PrimitiveArray<T>;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<&'a PrimitiveArray<T>> {
        let values = args.first().and_then(|array| array.as_primitive_opt());
        values.ok_or_else(|| Error::internal("a sum of integers has an argument of another type"))
    }

    fn add(&self, state: &mut Self::State, values: &&PrimitiveArray<T>, row: usize) -> Result<()> {
        *state = (state.0 + 1, in_range(state.1.plus(one(values, row)))?);
        Ok(())
    }

    fn add_all(&self, state: &mut Self::State, values: &&PrimitiveArray<T>) -> bool {
        if u32::try_from(values.len()).is_err() {
            return false;
        }
        // No batch of them is out of range, and processors add many at once.
        let sum = T::Total::of(values.values().iter().map(|value| (*value).into()));
        let Some(total) = state.1.plus(sum) else { return false };
        *state = (state.0 + values.len() as i64, total);
        true
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        *state = (state.0 + other.0, in_range(state.1.plus(other.1))?);
        Ok(())
    }

    fn finish(&self, states: &[Self::State]) -> Result<ArrayRef> {
        write_all(states.iter().map(|(count, total)| (self.finish)(&(*count, (*total).into()))))
    }

    fn removes(&self) -> bool {
        true
    }

    fn remove(&self, state: &mut Self::State, values: &&PrimitiveArray<T>, row: usize) -> Result<()> {
        *state = (state.0 - 1, in_range(state.1.minus(one(values, row)))?);
        Ok(())
    }
}

fn integers<T, O>(finish: fn(&Sum<i128>) -> Result<Option<O>>) -> IntegerTotal<T, O> {
    IntegerTotal { finish, integer: PhantomData }
}

fn small_sum(state: &Sum<i128>) -> Result<Option<i64>> {
    match state {
        (0, _) => Ok(None),
        (_, sum) => i64::try_from(*sum).map(Some).map_err(|_| out_of_range("bigint")),
    }
}

fn big_sum(state: &Sum<i128>) -> Result<Option<Numeric>> {
    Ok((state.0 > 0).then(|| Numeric::from(state.1)))
}

fn integer_average(state: &Sum<i128>) -> Result<Option<Numeric>> {
    match state {
        (0, _) => Ok(None),
        (count, sum) => Numeric::from(*sum).div(&Numeric::from(*count)).map(Some),
    }
}

/// `sum` and `avg` of numeric: digits are added as they are stored. With a second argument, of the products of both: that of two
/// Decimal128 needs no encoding, however many digits its type would have to allow for.
struct NumericTotal {
    average: bool,
}

/// Most rows whose values are added without a check of each.
const MAX_ROWS: usize = 1 << 16;

/// Bits that as many values may have for their sum to be an i128.
const VALUE_BITS: u32 = 126 - 16;

/// Bits of the largest value, apart from the sign.
fn bits(values: &[i128]) -> u32 {
    i128::BITS - values.iter().fold(0, |all, value| all | (value ^ (value >> 127))).leading_zeros()
}

struct Factors<'a> {
    first: NumericColumn<'a>,
    second: Option<NumericColumn<'a>>,
}

impl Factors<'_> {
    /// Mantissa and scale of a row's value, if they are at hand.
    fn decimal(&self, row: usize) -> Option<(i128, u32)> {
        let digits = |column: &NumericColumn<'_>| match column {
            NumericColumn::Decimal(values) => Some((values.value(row), u32::try_from(values.scale()).ok()?)),
            NumericColumn::Encoded(_) => None,
        };
        let (mantissa, scale) = digits(&self.first)?;
        match &self.second {
            None => Some((mantissa, scale)),
            Some(second) => {
                let (factor, more) = digits(second)?;
                Some((mantissa.checked_mul(factor)?, scale + more))
            }
        }
    }

    /// Count and sum of each group's values, and the scale of the sums, if all values are so small that the sums fit for sure.
    fn sums(&self, groups: &[usize], total: usize) -> Option<(Vec<Sum<i128>>, u32)> {
        if groups.len() > MAX_ROWS || total > groups.len() {
            return None;
        }
        let mut sums = vec![(0, 0); total];
        let mut add = |group: usize, value: i128| {
            let sum: &mut Sum<i128> = &mut sums[group];
            *sum = (sum.0 + 1, sum.1.wrapping_add(value));
        };
        let NumericColumn::Decimal(first) = &self.first else { return None };
        let scale = u32::try_from(first.scale()).ok()?;
        match &self.second {
            None if bits(first.values()) <= VALUE_BITS => {
                groups.iter().zip(first.values()).for_each(|(group, value)| add(*group, *value));
                Some((sums, scale))
            }
            Some(NumericColumn::Decimal(second)) if bits(first.values()) + bits(second.values()) <= VALUE_BITS => {
                let products = first.values().iter().zip(second.values()).map(|(a, b)| a.wrapping_mul(*b));
                groups.iter().zip(products).for_each(|(group, value)| add(*group, value));
                Some((sums, scale + u32::try_from(second.scale()).ok()?))
            }
            _ => None,
        }
    }

    fn value(&self, row: usize) -> Result<Numeric> {
        let first = <Numeric as Read>::get(&self.first, row);
        match &self.second {
            None => Ok(first),
            Some(second) => first.mul(&<Numeric as Read>::get(second, row)),
        }
    }
}

impl Fold for NumericTotal {
    type State = NumericSum;
    type Columns<'a> = Factors<'a>;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Factors<'a>> {
        let first = args.first().ok_or_else(|| Error::internal("an aggregate has an argument"))?;
        let second = args.get(1).map(<Numeric as Read<'a>>::open).transpose()?;
        Ok(Factors { first: <Numeric as Read<'a>>::open(first)?, second })
    }

    fn add(&self, state: &mut NumericSum, columns: &Factors<'_>, row: usize) -> Result<()> {
        match (columns.decimal(row), columns) {
            (Some((mantissa, scale)), _) => state.add_decimal(mantissa, scale),
            (None, Factors { first: NumericColumn::Encoded(values), second: None }) => {
                state.add_bytes(values.value(row))
            }
            (None, _) => state.add(&columns.value(row)?),
        }
    }

    fn add_grouped(&self, states: &mut [NumericSum], columns: &Factors<'_>, groups: &[usize]) -> Result<bool> {
        let Some((sums, scale)) = columns.sums(groups, states.len()) else { return Ok(false) };
        for (state, (count, sum)) in states.iter_mut().zip(sums).filter(|(_, (count, _))| *count > 0) {
            state.add_several(sum, scale, count)?;
        }
        Ok(true)
    }

    fn merge(&self, state: &mut NumericSum, other: NumericSum) -> Result<()> {
        merge_numeric(state, other)
    }

    fn finish(&self, states: &[NumericSum]) -> Result<ArrayRef> {
        write_all(states.iter().map(|state| match (state.count(), self.average) {
            (0, _) => Ok(None),
            (_, true) => state.average(),
            (_, false) => state.sum().map(Some),
        }))
    }

    fn removes(&self) -> bool {
        true
    }

    fn moving_state(&self) -> NumericSum {
        NumericSum::moving()
    }

    fn remove(&self, state: &mut NumericSum, columns: &Factors<'_>, row: usize) -> Result<()> {
        state.remove(&columns.value(row)?)
    }

    fn heap_size(&self, state: &NumericSum) -> usize {
        state.heap_size()
    }
}

fn merge_numeric(state: &mut NumericSum, other: NumericSum) -> Result<()> {
    if other.count() == 0 {
        return Ok(());
    }
    state.merge(&other.sum()?, other.count())
}

fn add_interval(state: &mut Sum<Interval>, value: Interval) -> Result<()> {
    *state = (state.0 + 1, state.1.add(value)?);
    Ok(())
}

fn remove_interval(state: &mut Sum<Interval>, value: Interval) -> Result<()> {
    *state = (state.0 - 1, state.1.sub(value)?);
    Ok(())
}

fn merge_interval(state: &mut Sum<Interval>, other: Sum<Interval>) -> Result<()> {
    *state = (state.0 + other.0, state.1.add(other.1)?);
    Ok(())
}

/// Adds floats in their own precision, which overflows where PostgreSQL's does. No removal: subtraction would leave rounding errors.
macro_rules! float {
    ($ty:ty) => {
        Step {
            add: |state: &mut Sum<$ty>, value: $ty| {
                let sum = state.1 + value;
                if sum.is_infinite() && state.1.is_finite() && value.is_finite() {
                    return Err(overflow());
                }
                *state = (state.0 + 1, sum);
                Ok(())
            },
            remove: None,
            merge: |state, other: Sum<$ty>| {
                *state = (state.0 + other.0, state.1 + other.1);
                Ok(())
            },
            finish: |state| Ok((state.0 > 0).then_some(state.1)),
        }
    };
}

fn overflow() -> Error {
    Error::new(aegis_catalog::sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "value out of range: overflow")
}

fn sums() -> Vec<Row> {
    vec![
        f("sum(int2)", Body::Aggregate(|types| fold("sum", types, integers::<Int16Type, _>(small_sum)))),
        f("sum(int4)", Body::Aggregate(|types| fold("sum", types, integers::<Int32Type, _>(small_sum)))),
        f("sum(int8)", Body::Aggregate(|types| fold("sum", types, integers::<Int64Type, _>(big_sum)))),
        f("sum(float4)", Body::Aggregate(|types| fold("sum", types, float!(f32)))),
        f("sum(float8)", Body::Aggregate(|types| fold("sum", types, float!(f64)))),
        f("sum(numeric)", Body::Aggregate(|types| fold("sum", types, NumericTotal { average: false }))),
        f(
            "sum(interval)",
            Body::Aggregate(|types| {
                fold(
                    "sum",
                    types,
                    Step {
                        add: add_interval,
                        remove: Some(remove_interval),
                        merge: merge_interval,
                        finish: |state| Ok((state.0 > 0).then_some(state.1)),
                    },
                )
            }),
        ),
    ]
}

fn averages() -> Vec<Row> {
    macro_rules! float_average {
        ($ty:ty) => {
            Step {
                add: |state: &mut Sum<f64>, value: $ty| {
                    let value = f64::from(value);
                    let sum = state.1 + value;
                    if sum.is_infinite() && state.1.is_finite() && value.is_finite() {
                        return Err(overflow());
                    }
                    *state = (state.0 + 1, sum);
                    Ok(())
                },
                remove: None,
                merge: |state, other: Sum<f64>| {
                    *state = (state.0 + other.0, state.1 + other.1);
                    Ok(())
                },
                finish: |state| Ok((state.0 > 0).then(|| state.1 / state.0 as f64)),
            }
        };
    }
    vec![
        f("avg(int2)", Body::Aggregate(|types| fold("avg", types, integers::<Int16Type, _>(integer_average)))),
        f("avg(int4)", Body::Aggregate(|types| fold("avg", types, integers::<Int32Type, _>(integer_average)))),
        f("avg(int8)", Body::Aggregate(|types| fold("avg", types, integers::<Int64Type, _>(integer_average)))),
        f("avg(float4)", Body::Aggregate(|types| fold("avg", types, float_average!(f32)))),
        f("avg(float8)", Body::Aggregate(|types| fold("avg", types, float_average!(f64)))),
        f("avg(numeric)", Body::Aggregate(|types| fold("avg", types, NumericTotal { average: true }))),
        f(
            "avg(interval)",
            Body::Aggregate(|types| {
                fold(
                    "avg",
                    types,
                    Step {
                        add: add_interval,
                        remove: Some(remove_interval),
                        merge: merge_interval,
                        finish: |state| if state.0 == 0 { Ok(None) } else { state.1.div(state.0 as f64).map(Some) },
                    },
                )
            }),
        ),
    ]
}
