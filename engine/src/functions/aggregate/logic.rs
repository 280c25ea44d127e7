//! `bool_and`, `bool_or`, `every`, and the bitwise aggregates.

use aegis_catalog::Result;

use super::step::Step;
use super::udaf::fold;
use crate::functions::Body;
use crate::functions::signature::{Row, f};

/// A fold by an operation that has no neutral element but null.
macro_rules! reduce {
    ($name:literal, $ty:ty, $operation:expr) => {
        Body::Aggregate(|types| {
            fold(
                $name,
                types,
                Step {
                    add: |state: &mut Option<$ty>, value: $ty| combine(state, Some(value), $operation),
                    remove: None,
                    merge: |state, other| combine(state, other, $operation),
                    finish: |state| Ok(*state),
                },
            )
        })
    };
}

fn combine<T: Copy>(state: &mut Option<T>, value: Option<T>, operation: fn(T, T) -> T) -> Result<()> {
    *state = match (*state, value) {
        (Some(a), Some(b)) => Some(operation(a, b)),
        (a, b) => a.or(b),
    };
    Ok(())
}

/// Rows, and how many of them were true: unlike a reduction it can take rows back.
macro_rules! truths {
    ($name:literal, $finish:expr) => {
        Body::Aggregate(|types| {
            fold(
                $name,
                types,
                Step {
                    add: |state: &mut (i64, i64), value: bool| {
                        *state = (state.0 + 1, state.1 + i64::from(value));
                        Ok(())
                    },
                    remove: Some(|state, value| {
                        *state = (state.0 - 1, state.1 - i64::from(value));
                        Ok(())
                    }),
                    merge: |state, other| {
                        *state = (state.0 + other.0, state.1 + other.1);
                        Ok(())
                    },
                    finish: $finish,
                },
            )
        })
    };
}

pub fn functions() -> Vec<Row> {
    vec![
        f("bool_and(bool)", truths!("bool_and", |state| Ok((state.0 > 0).then_some(state.0 == state.1)))),
        f("every(bool)", truths!("every", |state| Ok((state.0 > 0).then_some(state.0 == state.1)))),
        f("bool_or(bool)", truths!("bool_or", |state| Ok((state.0 > 0).then_some(state.1 > 0)))),
        f("bit_and(int2)", reduce!("bit_and", i16, |a, b| a & b)),
        f("bit_and(int4)", reduce!("bit_and", i32, |a, b| a & b)),
        f("bit_and(int8)", reduce!("bit_and", i64, |a, b| a & b)),
        f("bit_or(int2)", reduce!("bit_or", i16, |a, b| a | b)),
        f("bit_or(int4)", reduce!("bit_or", i32, |a, b| a | b)),
        f("bit_or(int8)", reduce!("bit_or", i64, |a, b| a | b)),
        f("bit_xor(int2)", reduce!("bit_xor", i16, |a, b| a ^ b)),
        f("bit_xor(int4)", reduce!("bit_xor", i32, |a, b| a ^ b)),
        f("bit_xor(int8)", reduce!("bit_xor", i64, |a, b| a ^ b)),
    ]
}
