//! `first(value, time)` and `last(value, time)`: the value of the row that comes first or last by another column. Of rows that are level the one
//! that was read first stays.

mod cells;

use std::cmp::Ordering;

use aegis_engine::extension::{
    Aggregate, AggregateTypes, Body, Error, Fold, Result, Symbols, Type, comparison_key, comparison_type, fold,
    is_ordered, sqlstate,
};
use arrow::array::ArrayRef;

use cells::{Cells, Rows, Words};

pub fn symbols() -> Symbols {
    vec![
        ("ts_first_sfunc", Body::Aggregate(|types| bookend("first", types, Ordering::Less))),
        ("ts_last_sfunc", Body::Aggregate(|types| bookend("last", types, Ordering::Greater))),
    ]
}

/// The aggregate for values and keys of these types: as words where they fit.
fn bookend(name: &'static str, types: &AggregateTypes<'_>, wanted: Ordering) -> Result<Aggregate> {
    let ([_, key], [value, _]) = (types.args, types.data_types) else {
        return Err(Error::internal("a bookend has two arguments"));
    };
    if !is_ordered(*key, types.context) {
        let message = format!("could not find a < operator for type {}", types.context.format.names.type_name(key.oid));
        return Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message));
    }
    let key = *key;
    let value = value.clone();
    let keys = comparison_type(key, types.context);
    match (Words::of(&keys), Words::of(&value)) {
        (Some(keys), Some(values)) => fold(name, types, Bookend { key, keys, values, wanted }),
        (Some(keys), None) => fold(name, types, Bookend { key, keys, values: Rows::of(value)?, wanted }),
        (None, Some(values)) => fold(name, types, Bookend { key, keys: Rows::of(keys)?, values, wanted }),
        (None, None) => fold(name, types, Bookend { key, keys: Rows::of(keys)?, values: Rows::of(value)?, wanted }),
    }
}

struct Bookend<K, V> {
    /// The type that rows are compared by.
    key: Type,
    keys: K,
    values: V,
    /// How a key compares to the one that it takes the place of.
    wanted: Ordering,
}

/// Key and value of the row that stands.
type State<K, V> = Option<(<K as Cells>::Cell, Option<<V as Cells>::Cell>)>;

impl<K: Cells, V: Cells> Fold for Bookend<K, V> {
    type State = State<K, V>;
    type Columns<'a> = (K::Column, V::Column);
    /// A null value counts if its key is no null.
    const SEES_NULLS: bool = true;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        let [values, keys] = args else { return Err(Error::internal("a bookend has two arguments")) };
        Ok((self.keys.open(&comparison_key(self.key, keys)?)?, self.values.open(values)?))
    }

    fn add(&self, state: &mut Self::State, (keys, values): &Self::Columns<'_>, row: usize) -> Result<()> {
        let stands = match (&state, K::compare(keys, row, state.as_ref().map(|(key, _)| key))) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(_), Some(order)) => order != self.wanted,
        };
        if !stands && let Some(key) = K::cell(keys, row) {
            *state = Some((key, V::cell(values, row)));
        }
        Ok(())
    }

    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()> {
        let better = match (&state, &other) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some((stands, _)), Some((key, _))) => key.cmp(stands) == self.wanted,
        };
        if better {
            *state = other;
        }
        Ok(())
    }

    fn finish(&self, states: &[Self::State]) -> Result<ArrayRef> {
        self.values.array(states.iter().map(|state| state.as_ref().and_then(|(_, value)| value.as_ref())))
    }

    fn heap_size(&self, state: &Self::State) -> usize {
        state.as_ref().map_or(0, |(key, value)| K::heap_size(key) + value.as_ref().map_or(0, V::heap_size))
    }
}
