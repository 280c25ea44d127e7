//! Conditions on single columns, and whether a container of rows may hold one that meets them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float32Array, Float64Array, Scalar, UInt64Array};
use arrow::compute::kernels::cmp;
use arrow::datatypes::{DataType, Float32Type, Float64Type};
use arrow::error::ArrowError;

use crate::schema::ColumnId;

/// Values of a list above which only the least and the greatest count.
const LISTED: usize = 64;

/// A condition that every wanted row meets. Values compare as Arrow compares the column's type.
#[derive(Debug, Clone)]
pub struct Predicate {
    pub(crate) column: ColumnId,
    pub(crate) test: Test,
}

#[derive(Debug, Clone)]
pub enum Test {
    /// Not null and within the bounds.
    Range {
        low: Option<Bound>,
        high: Option<Bound>,
    },
    /// Equal to one of these values, none of which is null.
    OneOf(ArrayRef),
    Null,
    NotNull,
}

/// One value of the column's type, not null.
#[derive(Debug, Clone)]
pub struct Bound {
    pub value: ArrayRef,
    pub inclusive: bool,
}

/// What is known of some containers of rows (segments, row groups, pages): null where it is unknown. The bounds may be
/// wider than the values.
#[derive(Debug)]
pub struct Summary {
    pub least: ArrayRef,
    pub greatest: ArrayRef,
    pub nulls: UInt64Array,
    pub rows: UInt64Array,
}

impl Predicate {
    /// None if statistics cannot decide the condition.
    pub fn new(column: ColumnId, test: Test) -> Option<Self> {
        let test = match test {
            Test::Range { low, high } => {
                let is_float =
                    |bound: &Option<Bound>| bound.as_ref().is_some_and(|b| b.value.data_type().is_floating());
                if is_float(&low) || is_float(&high) { float_range(low, high)? } else { Test::Range { low, high } }
            }
            Test::OneOf(values) if values.is_empty() || values.null_count() > 0 => return None,
            Test::OneOf(values) if values.data_type().is_floating() => {
                let bound = (values.len() == 1).then_some(Bound { value: values, inclusive: true })?;
                float_range(Some(bound.clone()), Some(bound))?
            }
            Test::OneOf(values) if values.len() > LISTED => {
                let sorted = arrow::compute::sort(&values, None).ok()?;
                let bound = |at| Some(Bound { value: sorted.slice(at, 1), inclusive: true });
                Test::Range { low: bound(0), high: bound(sorted.len() - 1) }
            }
            other => other,
        };
        Some(Self { column, test })
    }
}

/// Parquet's statistics leave NaN out, which is greater than all else, so that a lower bound alone decides nothing. Both
/// zeros are equal, but have an order in Arrow.
fn float_range(low: Option<Bound>, high: Option<Bound>) -> Option<Test> {
    let high = widen_zero(high?, 0.0)?;
    let low = match low {
        Some(low) => Some(widen_zero(low, -0.0)?),
        None => None,
    };
    Some(Test::Range { low, high: Some(high) })
}

fn widen_zero(bound: Bound, zero: f64) -> Option<Bound> {
    let value = match bound.value.data_type() {
        DataType::Float32 => f64::from(bound.value.as_primitive::<Float32Type>().value(0)),
        DataType::Float64 => bound.value.as_primitive::<Float64Type>().value(0),
        _ => return None,
    };
    if value.is_nan() {
        return None;
    }
    if value != 0.0 {
        return Some(bound);
    }
    let value: ArrayRef = match bound.value.data_type() {
        DataType::Float32 => Arc::new(Float32Array::from(vec![zero as f32])),
        _ => Arc::new(Float64Array::from(vec![zero])),
    };
    Some(Bound { value, inclusive: true })
}

impl Test {
    /// For each container whether it may hold a row that meets the condition.
    pub(crate) fn may_match(&self, of: &Summary) -> Vec<bool> {
        let nulls = |i: usize| of.nulls.is_valid(i).then(|| of.nulls.value(i));
        let rows = |i: usize| of.rows.is_valid(i).then(|| of.rows.value(i));
        let has_values = |i: usize| nulls(i).is_none() || nulls(i) != rows(i);
        let count = of.rows.len();
        match self {
            Test::Null => (0..count).map(|i| nulls(i) != Some(0)).collect(),
            Test::NotNull => (0..count).map(has_values).collect(),
            Test::Range { low, high } => {
                let mut keep: Vec<bool> = (0..count).map(has_values).collect();
                if let Some(Bound { value, inclusive }) = low {
                    retain(&mut keep, compare(&of.greatest, value, if *inclusive { cmp::gt_eq } else { cmp::gt }));
                }
                if let Some(Bound { value, inclusive }) = high {
                    retain(&mut keep, compare(&of.least, value, if *inclusive { cmp::lt_eq } else { cmp::lt }));
                }
                keep
            }
            Test::OneOf(values) => {
                let mut any = vec![false; count];
                for at in 0..values.len() {
                    let bound = Some(Bound { value: values.slice(at, 1), inclusive: true });
                    let keep = Test::Range { low: bound.clone(), high: bound }.may_match(of);
                    any.iter_mut().zip(keep).for_each(|(any, keep)| *any |= keep);
                }
                any
            }
        }
    }
}

type Comparison = fn(&dyn arrow::array::Datum, &dyn arrow::array::Datum) -> Result<BooleanArray, ArrowError>;

/// None if such values cannot be compared.
fn compare(bounds: &ArrayRef, value: &ArrayRef, with: Comparison) -> Option<BooleanArray> {
    if bounds.data_type() != value.data_type() || value.len() != 1 {
        return None;
    }
    with(bounds, &Scalar::new(value)).ok()
}

/// Keeps what is true or unknown.
fn retain(keep: &mut [bool], outcome: Option<BooleanArray>) {
    let Some(outcome) = outcome else { return };
    for (keep, passed) in keep.iter_mut().zip(&outcome) {
        *keep &= passed != Some(false);
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int32Array;

    use super::*;

    fn ints(values: &[i32]) -> ArrayRef {
        Arc::new(Int32Array::from(values.to_vec()))
    }

    fn bound(value: ArrayRef, inclusive: bool) -> Option<Bound> {
        Some(Bound { value, inclusive })
    }

    /// Containers: 1..=5, 6..=9 with a null, unknown, only nulls.
    fn summary() -> Summary {
        Summary {
            least: Arc::new(Int32Array::from(vec![Some(1), Some(6), None, None])),
            greatest: Arc::new(Int32Array::from(vec![Some(5), Some(9), None, None])),
            nulls: UInt64Array::from(vec![Some(0), Some(1), None, Some(3)]),
            rows: UInt64Array::from(vec![3; 4]),
        }
    }

    #[test]
    fn containers_are_left_out_only_if_no_row_can_match() {
        let check = |test: Test, expected: [bool; 4]| {
            let predicate = Predicate::new(1, test.clone()).unwrap();
            assert_eq!(predicate.test.may_match(&summary()), expected, "{test:?}");
        };
        check(Test::Null, [false, true, true, true]);
        check(Test::NotNull, [true, true, true, false]);
        check(Test::Range { low: bound(ints(&[5]), true), high: None }, [true, true, true, false]);
        check(Test::Range { low: bound(ints(&[5]), false), high: None }, [false, true, true, false]);
        check(Test::Range { low: None, high: bound(ints(&[6]), true) }, [true, true, true, false]);
        check(Test::Range { low: None, high: bound(ints(&[6]), false) }, [true, false, true, false]);
        check(
            Test::Range { low: bound(ints(&[10]), true), high: bound(ints(&[20]), true) },
            [false, false, true, false],
        );
        check(Test::OneOf(ints(&[0, 7])), [false, true, true, false]);
        check(Test::OneOf(ints(&(100..200).collect::<Vec<_>>())), [false, false, true, false]);
        check(Test::OneOf(ints(&(3..200).collect::<Vec<_>>())), [true, true, true, false]);
    }

    #[test]
    fn other_types_decide_nothing() {
        let text: ArrayRef = Arc::new(arrow::array::StringViewArray::from(vec!["x"]));
        let test = Test::Range { low: bound(text, true), high: None };
        assert_eq!(test.may_match(&summary()), [true, true, true, false]);
    }

    #[test]
    fn floats_know_nan_and_zero() {
        let floats = |values: &[f64]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
        let range = |low: Option<f64>, high: Option<f64>| {
            let bound = |v: Option<f64>| v.map(|v| Bound { value: floats(&[v]), inclusive: false });
            Predicate::new(1, Test::Range { low: bound(low), high: bound(high) })
        };
        assert!(range(Some(1.0), None).is_none(), "a NaN would be greater");
        assert!(range(None, Some(f64::NAN)).is_none());
        let of = Summary {
            least: floats(&[-0.0, 1.0]),
            greatest: floats(&[-0.0, 2.0]),
            nulls: UInt64Array::from(vec![0, 0]),
            rows: UInt64Array::from(vec![1, 1]),
        };
        let zero = Predicate::new(1, Test::OneOf(floats(&[0.0]))).unwrap();
        assert_eq!(zero.test.may_match(&of), [true, false]);
        assert_eq!(range(None, Some(1.0)).unwrap().test.may_match(&of), [true, false]);
    }
}
