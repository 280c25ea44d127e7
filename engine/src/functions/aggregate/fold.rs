//! Aggregates that fold rows into a small state, one state per group.

use std::fmt;
use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BinaryBuilder, BooleanArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use datafusion::scalar::ScalarValue;

use super::persist::Persist;
use crate::execute::error::to_datafusion;

type DataFusionResult<T> = std::result::Result<T, DataFusionError>;

/// How one aggregate folds. A row with a null argument is skipped unless `SEES_NULLS`.
pub trait Fold: Send + Sync + 'static {
    type State: Default + Persist + Send + Sync + 'static;
    type Columns<'a>;
    const SEES_NULLS: bool = false;

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>>;
    fn add(&self, state: &mut Self::State, columns: &Self::Columns<'_>, row: usize) -> Result<()>;
    /// Adds all rows at once, none of which is null, if there is a quick way; false if not.
    fn add_all(&self, _state: &mut Self::State, _columns: &Self::Columns<'_>) -> bool {
        false
    }
    /// Adds all rows to their groups' states, none of which is left out, if there is a quick way; false if not.
    fn add_grouped(
        &self,
        _states: &mut [Self::State],
        _columns: &Self::Columns<'_>,
        _groups: &[usize],
    ) -> Result<bool> {
        Ok(false)
    }
    fn merge(&self, state: &mut Self::State, other: Self::State) -> Result<()>;
    /// One result per state.
    fn finish(&self, states: &[Self::State]) -> Result<ArrayRef>;

    /// The state that rows are taken back from.
    fn moving_state(&self) -> Self::State {
        Self::State::default()
    }

    /// Whether [`Fold::remove`] can take back a row (moving window frames).
    fn removes(&self) -> bool {
        false
    }
    fn remove(&self, _state: &mut Self::State, _columns: &Self::Columns<'_>, _row: usize) -> Result<()> {
        Err(aegis_catalog::Error::internal("aggregate cannot remove a row"))
    }
    fn heap_size(&self, _state: &Self::State) -> usize {
        0
    }
}

/// A fold whose types are forgotten.
pub trait AnyFold: Send + Sync {
    fn accumulator(&self) -> Box<dyn Accumulator>;
    fn moving(&self) -> Box<dyn Accumulator>;
    fn groups(&self) -> Box<dyn GroupsAccumulator>;
    fn removes(&self) -> bool;
}

/// See [`AnyFold`].
pub struct Folded<F>(pub Arc<F>);

impl<F: Fold> AnyFold for Folded<F> {
    fn accumulator(&self) -> Box<dyn Accumulator> {
        Box::new(OneGroup { fold: self.0.clone(), state: F::State::default() })
    }
    fn moving(&self) -> Box<dyn Accumulator> {
        Box::new(OneGroup { fold: self.0.clone(), state: self.0.moving_state() })
    }
    fn groups(&self) -> Box<dyn GroupsAccumulator> {
        Box::new(ManyGroups { fold: self.0.clone(), states: Vec::new() })
    }
    fn removes(&self) -> bool {
        self.0.removes()
    }
}

/// Type of the column that carries states between the phases of an aggregation.
pub const STATE_TYPE: DataType = DataType::Binary;

/// Rows of the batch that take part.
fn selected<F: Fold>(args: &[ArrayRef]) -> Option<NullBuffer> {
    if F::SEES_NULLS {
        return None;
    }
    args.iter().fold(None, |nulls, arg| NullBuffer::union(nulls.as_ref(), arg.logical_nulls().as_ref()))
}

fn rows(args: &[ArrayRef]) -> usize {
    args.first().map_or(0, |arg| arg.len())
}

struct OneGroup<F: Fold> {
    fold: Arc<F>,
    state: F::State,
}

impl<F: Fold> fmt::Debug for OneGroup<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneGroup")
    }
}

impl<F: Fold> OneGroup<F> {
    /// Applies `whole` to all rows at once if none is left out, `step` to each row if `whole` does not do that.
    fn change(
        &mut self,
        args: &[ArrayRef],
        whole: impl Fn(&F, &mut F::State, &F::Columns<'_>) -> bool,
        step: impl Fn(&F, &mut F::State, &F::Columns<'_>, usize) -> Result<()>,
    ) -> Result<()> {
        let nulls = selected::<F>(args);
        let columns = self.fold.open(args)?;
        if nulls.is_none() && whole(&self.fold, &mut self.state, &columns) {
            return Ok(());
        }
        for row in 0..rows(args) {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                step(&self.fold, &mut self.state, &columns, row)?;
            }
        }
        Ok(())
    }
}

impl<F: Fold> Accumulator for OneGroup<F> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.change(values, F::add_all, F::add).map_err(to_datafusion)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.change(values, |_, _, _| false, F::remove).map_err(to_datafusion)
    }

    fn supports_retract_batch(&self) -> bool {
        self.fold.removes()
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        let result = self.fold.finish(std::slice::from_ref(&self.state)).map_err(to_datafusion)?;
        ScalarValue::try_from_array(&result, 0)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.state.to_bytes()))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for other in decode::<F>(states)? {
            self.fold.merge(&mut self.state, other?).map_err(to_datafusion)?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.fold.heap_size(&self.state)
    }
}

/// States in the binary column that carries them.
fn decode<F: Fold>(states: &[ArrayRef]) -> DataFusionResult<impl Iterator<Item = DataFusionResult<F::State>>> {
    let Some(column) = states.first() else { return datafusion::common::internal_err!("aggregate state is missing") };
    let column: &BinaryArray = column.as_binary();
    Ok(column.iter().map(|bytes| F::State::load(&mut bytes.unwrap_or_default()).map_err(to_datafusion)))
}

struct ManyGroups<F: Fold> {
    fold: Arc<F>,
    states: Vec<F::State>,
}

impl<F: Fold> ManyGroups<F> {
    fn grow(&mut self, groups: usize) {
        if self.states.len() < groups {
            self.states.resize_with(groups, F::State::default);
        }
    }
}

fn save<F: Fold>(states: &[F::State]) -> Vec<ArrayRef> {
    let mut column = BinaryBuilder::with_capacity(states.len(), states.len() * 16);
    let mut bytes = Vec::new();
    for state in states {
        bytes.clear();
        state.save(&mut bytes);
        column.append_value(&bytes);
    }
    vec![Arc::new(column.finish())]
}

fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

impl<F: Fold> GroupsAccumulator for ManyGroups<F> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> DataFusionResult<()> {
        self.grow(total);
        let nulls = selected::<F>(values);
        let columns = self.fold.open(values).map_err(to_datafusion)?;
        let whole = nulls.is_none() && filter.is_none();
        if whole && self.fold.add_grouped(&mut self.states, &columns, groups).map_err(to_datafusion)? {
            return Ok(());
        }
        if whole {
            let mut rows = groups.iter().enumerate();
            return rows
                .try_for_each(|(row, &group)| self.fold.add(&mut self.states[group], &columns, row))
                .map_err(to_datafusion);
        }
        for (row, &group) in groups.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) && passes(filter, row) {
                self.fold.add(&mut self.states[group], &columns, row).map_err(to_datafusion)?;
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> DataFusionResult<ArrayRef> {
        let states = emit_to.take_needed(&mut self.states);
        self.fold.finish(&states).map_err(to_datafusion)
    }

    fn state(&mut self, emit_to: EmitTo) -> DataFusionResult<Vec<ArrayRef>> {
        Ok(save::<F>(&emit_to.take_needed(&mut self.states)))
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> DataFusionResult<()> {
        self.grow(total);
        for (other, &group) in decode::<F>(values)?.zip(groups) {
            self.fold.merge(&mut self.states[group], other?).map_err(to_datafusion)?;
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> DataFusionResult<Vec<ArrayRef>> {
        let rows = rows(values);
        let mut single = Self { fold: self.fold.clone(), states: Vec::new() };
        let groups: Vec<usize> = (0..rows).collect();
        single.update_batch(values, &groups, filter, rows)?;
        Ok(save::<F>(&single.states))
    }

    fn size(&self) -> usize {
        let heap: usize = self.states.iter().map(|state| self.fold.heap_size(state)).sum();
        self.states.capacity() * size_of::<F::State>() + heap
    }
}
