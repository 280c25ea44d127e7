//! Folds over one argument, written as a few functions.

use aegis_catalog::{Error, Result};
use arrow::array::ArrayRef;

use super::fold::Fold;
use super::persist::Persist;
use crate::functions::value::{Read, Write};

/// A fold of values `T` into a state `S` with result `O`. What adds a row has a type of its own, so that loops over rows contain it.
pub struct Step<T, S, O, A> {
    pub add: A,
    pub remove: Option<fn(&mut S, T) -> Result<()>>,
    pub merge: fn(&mut S, S) -> Result<()>,
    pub finish: fn(&S) -> Result<Option<O>>,
}

impl<T, S, O, A> Fold for Step<T, S, O, A>
where
    T: for<'a> Read<'a> + 'static,
    S: Default + Persist + Send + Sync + 'static,
    O: Write + 'static,
    A: Fn(&mut S, T) -> Result<()> + Send + Sync + 'static,
{
    type State = S;
    type Columns<'a> = <T as Read<'a>>::Column;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        <T as Read<'a>>::open(args.first().ok_or_else(|| Error::internal("an aggregate has an argument"))?)
    }

    fn add(&self, state: &mut S, columns: &Self::Columns<'_>, row: usize) -> Result<()> {
        (self.add)(state, T::get(columns, row))
    }

    fn merge(&self, state: &mut S, other: S) -> Result<()> {
        (self.merge)(state, other)
    }

    fn finish(&self, states: &[S]) -> Result<ArrayRef> {
        write_all(states.iter().map(|state| (self.finish)(state)))
    }

    fn removes(&self) -> bool {
        self.remove.is_some()
    }

    fn remove(&self, state: &mut S, columns: &Self::Columns<'_>, row: usize) -> Result<()> {
        match self.remove {
            Some(remove) => remove(state, T::get(columns, row)),
            None => Err(Error::internal("aggregate cannot remove a row")),
        }
    }
}

/// A fold of pairs of floats into `N` sums.
pub struct Pairs<O, const N: usize> {
    pub add: fn(&mut [f64; N], f64, f64) -> Result<()>,
    pub merge: fn(&mut [f64; N], [f64; N]) -> Result<()>,
    pub finish: fn(&[f64; N]) -> Option<O>,
}

impl<O: Write + 'static, const N: usize> Fold for Pairs<O, N>
where
    [f64; N]: Default,
{
    type State = [f64; N];
    type Columns<'a> = (<f64 as Read<'a>>::Column, <f64 as Read<'a>>::Column);

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        match args {
            [y, x, ..] => Ok((<f64 as Read>::open(y)?, <f64 as Read>::open(x)?)),
            _ => Err(Error::internal("an aggregate has two arguments")),
        }
    }

    fn add(&self, state: &mut [f64; N], (y, x): &Self::Columns<'_>, row: usize) -> Result<()> {
        (self.add)(state, <f64 as Read>::get(y, row), <f64 as Read>::get(x, row))
    }

    fn merge(&self, state: &mut [f64; N], other: [f64; N]) -> Result<()> {
        (self.merge)(state, other)
    }

    fn finish(&self, states: &[[f64; N]]) -> Result<ArrayRef> {
        write_all(states.iter().map(|state| Ok((self.finish)(state))))
    }
}

pub fn write_all<O: Write>(results: impl ExactSizeIterator<Item = Result<Option<O>>>) -> Result<ArrayRef> {
    let mut builder = O::builder(results.len());
    for result in results {
        match result? {
            Some(value) => value.append(&mut builder),
            None => O::append_null(&mut builder),
        }
    }
    Ok(O::finish(builder))
}
