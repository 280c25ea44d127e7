//! Which partitions a condition leaves: a pure function of bounds and of what the condition says of the key.

use aegis_catalog::object::Strategy;
use aegis_catalog::{Result, Type};
use arrow::array::ArrayRef;

use super::bound::{ABOVE_ALL, Bounds, Interval, Key};
use super::{hash, key};

/// What a condition says of one column of the key, with a value that is not null.
#[derive(Debug, Clone)]
pub struct Said {
    /// Position in the key.
    pub key: usize,
    pub comparison: Comparison,
    /// One value, of the key's type.
    pub value: ArrayRef,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Comparison {
    /// The same with its sides exchanged.
    pub fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Equal => Self::Equal,
            Self::GreaterOrEqual => Self::LessOrEqual,
            Self::Greater => Self::Less,
        }
    }
}

/// The partitions that rows may be in for which all of these are true, by place, in no order.
pub fn partitions(strategy: Strategy, types: &[Type], bounds: &Bounds, said: &[Said]) -> Result<Option<Vec<usize>>> {
    if strategy == Strategy::Hash {
        let value = |key: usize| {
            let equal = said.iter().find(|said| said.key == key && said.comparison == Comparison::Equal);
            equal.map(|said| said.value.clone())
        };
        let Some(values) = (0..types.len()).map(value).collect::<Option<Vec<_>>>() else { return Ok(None) };
        let hashes = hash::row_hashes(types, &values, 1)?;
        return Ok(hashes.first().map(|hash| bounds.locate(Key::Hash(*hash)).into_iter().collect()));
    }
    let mut interval = Interval::default();
    let mut prefix: Vec<u8> = Vec::new();
    for (position, ty) in types.iter().enumerate() {
        let own: Vec<&Said> = said.iter().filter(|said| said.key == position).collect();
        if own.is_empty() {
            break;
        }
        let mut equal = None;
        for said in own {
            let mut at = prefix.clone();
            at.extend(key::encode_one(*ty, &said.value)?);
            let mut above = at.clone();
            above.push(ABOVE_ALL);
            match said.comparison {
                Comparison::Less => lower_end(&mut interval, at),
                Comparison::LessOrEqual => lower_end(&mut interval, above),
                Comparison::GreaterOrEqual => raise_start(&mut interval, at),
                Comparison::Greater => raise_start(&mut interval, above),
                Comparison::Equal => {
                    raise_start(&mut interval, at.clone());
                    lower_end(&mut interval, above);
                    equal = Some(at);
                }
            }
        }
        match equal {
            Some(equal) => prefix = equal,
            None => break,
        }
    }
    if interval == Interval::default() {
        return Ok(None);
    }
    if interval.to.as_ref().is_some_and(|to| *to <= interval.from) {
        return Ok(Some(Vec::new()));
    }
    // A key that is known altogether is in one place.
    let complete =
        (0..types.len()).all(|key| said.iter().any(|said| said.key == key && said.comparison == Comparison::Equal));
    if complete {
        return Ok(Some(bounds.locate(Key::Bytes(&prefix)).into_iter().collect()));
    }
    Ok(Some(bounds.within(&interval)))
}

fn lower_end(interval: &mut Interval, to: Vec<u8>) {
    if interval.to.as_ref().is_none_or(|old| to < *old) {
        interval.to = Some(to);
    }
}

fn raise_start(interval: &mut Interval, from: Vec<u8>) {
    if from > interval.from {
        interval.from = from;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aegis_catalog::types::oid;
    use arrow::array::Int32Array;

    use super::*;
    use crate::partition::bound::Bound;

    fn int(value: i32) -> ArrayRef {
        Arc::new(Int32Array::from(vec![value]))
    }

    fn bytes(value: i32) -> Vec<u8> {
        key::encode_one(Type::of(oid::INT4), &int(value)).unwrap()
    }

    fn kept(said: &[(Comparison, i32)]) -> Vec<usize> {
        let range = |from: i32, to: i32| Bound::Range { from: bytes(from), to: bytes(to) };
        let bounds = Bounds::new(vec![range(0, 10), range(10, 20), range(20, 30)]);
        let said: Vec<Said> = said
            .iter()
            .map(|(comparison, value)| Said { key: 0, comparison: *comparison, value: int(*value) })
            .collect();
        let mut kept = partitions(Strategy::Range, &[Type::of(oid::INT4)], &bounds, &said).unwrap().unwrap();
        kept.sort_unstable();
        kept
    }

    #[test]
    fn ranges_are_left_that_meet_the_condition() {
        assert_eq!(kept(&[(Comparison::Equal, 10)]), [1]);
        assert_eq!(kept(&[(Comparison::Less, 10)]), [0]);
        assert_eq!(kept(&[(Comparison::LessOrEqual, 10)]), [0, 1]);
        assert_eq!(kept(&[(Comparison::Greater, 5), (Comparison::Less, 15)]), [0, 1]);
        assert_eq!(kept(&[(Comparison::Greater, 15), (Comparison::Less, 5)]), [0usize; 0]);
        assert_eq!(kept(&[(Comparison::Equal, 99)]), [0usize; 0]);
    }
}
