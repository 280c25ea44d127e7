//! `rollup(summary)`: one summary of several.

use aegis_engine::extension::{Aggregate, AggregateTypes, Error, Fold, Persist, Result, fold};
use arrow::array::ArrayRef;
use arrow::datatypes::DataType;

use super::composite::Composite;

/// A summary that takes in others.
pub trait Merge: Composite + Persist + Send + Sync + 'static {
    fn merge(&mut self, other: Self) -> Result<()>;
    /// Where it stands among others that it must be merged with in order.
    fn start(&self) -> Option<i64> {
        None
    }
    fn heap_size(&self) -> usize {
        0
    }
}

pub fn rollup<S: Merge>(types: &AggregateTypes<'_>) -> Result<Aggregate> {
    fold("rollup", types, Rollup::<S> { data_type: types.result_type(), of: std::marker::PhantomData })
}

struct Rollup<S> {
    data_type: DataType,
    of: std::marker::PhantomData<fn() -> S>,
}

/// What has come so far: one summary, or all of those whose order counts.
struct Kept<S>(Vec<S>);

impl<S> Default for Kept<S> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<S: Merge> Kept<S> {
    fn add(&mut self, summary: S) -> Result<()> {
        match self.0.last_mut().filter(|summary| summary.start().is_none()) {
            Some(one) => one.merge(summary),
            None => {
                self.0.push(summary);
                Ok(())
            }
        }
    }

    fn whole(&self) -> Result<Option<S>> {
        let mut kept: Vec<&S> = self.0.iter().collect();
        kept.sort_by_key(|summary| summary.start());
        let mut kept = kept.into_iter().cloned();
        let Some(mut whole) = kept.next() else { return Ok(None) };
        kept.try_for_each(|summary| whole.merge(summary))?;
        Ok(Some(whole))
    }
}

impl<S: Merge> Persist for Kept<S> {
    fn save(&self, out: &mut Vec<u8>) {
        (self.0.len() as u64).save(out);
        self.0.iter().for_each(|summary| summary.save(out));
    }
    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let length = u64::load(bytes)?;
        (0..length).map(|_| S::load(bytes)).collect::<Result<_>>().map(Self)
    }
}

impl<S: Merge> Fold for Rollup<S> {
    type State = Kept<S>;
    type Columns<'a> = &'a ArrayRef;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<&'a ArrayRef> {
        args.first().ok_or_else(|| Error::internal("rollup has an argument"))
    }

    fn add(&self, state: &mut Kept<S>, column: &&ArrayRef, row: usize) -> Result<()> {
        S::read(column, row)?.map_or(Ok(()), |summary| state.add(summary))
    }

    fn merge(&self, state: &mut Kept<S>, other: Kept<S>) -> Result<()> {
        other.0.into_iter().try_for_each(|summary| state.add(summary))
    }

    fn finish(&self, states: &[Kept<S>]) -> Result<ArrayRef> {
        S::write(&states.iter().map(Kept::whole).collect::<Result<Vec<_>>>()?, &self.data_type)
    }

    fn heap_size(&self, state: &Kept<S>) -> usize {
        state.0.capacity() * size_of::<S>() + state.0.iter().map(Merge::heap_size).sum::<usize>()
    }
}
