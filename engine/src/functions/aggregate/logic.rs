//! `bool_and`, `bool_or`, `every`, and the bitwise aggregates.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::StringViewArray;
use datafusion::logical_expr::AggregateUDF;

use super::collection::one;
use super::step::Step;
use super::udaf::{fold, whole};
use crate::functions::signature::{Row, f};
use crate::functions::value::downcast;
use crate::functions::{AggregateTypes, Body};

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
                    remove: Some(|state: &mut (i64, i64), value: bool| {
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
        f("bit_and(bit)", Body::Aggregate(|types| bits("bit_and", types, "AND", |a, b| a & b))),
        f("bit_or(bit)", Body::Aggregate(|types| bits("bit_or", types, "OR", |a, b| a | b))),
        f("bit_xor(bit)", Body::Aggregate(|types| bits("bit_xor", types, "XOR", |a, b| b'0' | (a ^ b)))),
    ]
}

/// Over bit strings of one length: zeros and ones as characters.
fn bits(
    name: &'static str,
    types: &AggregateTypes<'_>,
    verb: &'static str,
    operation: fn(u8, u8) -> u8,
) -> Result<Arc<AggregateUDF>> {
    whole(name, types, None, move |args| {
        let values = args.first().ok_or_else(|| Error::internal("an aggregate has an argument"))?;
        let mut result: Option<Vec<u8>> = None;
        for value in downcast::<StringViewArray>(values)?.iter().flatten() {
            let Some(bits) = &mut result else {
                result = Some(value.as_bytes().to_vec());
                continue;
            };
            if bits.len() != value.len() {
                let message = format!("cannot {verb} bit strings of different sizes");
                return Err(Error::new(sqlstate::STRING_DATA_LENGTH_MISMATCH, message));
            }
            bits.iter_mut().zip(value.bytes()).for_each(|(bit, other)| *bit = operation(*bit, other));
        }
        one(result.map(|bits| String::from_utf8_lossy(&bits).into_owned()))
    })
}
