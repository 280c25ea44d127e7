//! Aggregates made of functions by users (PostgreSQL's nodeAgg.c and nodeWindowAgg.c): a state that goes from row to row.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aegis_catalog::{Error, Oid, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use crate::execute::error::{from_datafusion, to_datafusion};
use crate::execute::lambda::Lambda;

type DataFusionResult<T> = std::result::Result<T, DataFusionError>;

/// One way of computing an aggregate.
#[derive(Debug)]
pub struct Steps {
    /// One row: the state over no rows; null if it begins with the first row's argument.
    pub initial: ArrayRef,
    /// Over the state and the arguments.
    pub transition: Lambda,
    pub strict: bool,
    /// Takes back what the transition did for a row; and whether it is strict.
    pub inverse: Option<(Lambda, bool)>,
    /// Over the state.
    pub finish: Option<Lambda>,
}

/// An aggregate for concrete types.
#[derive(Debug)]
pub struct UserAggregate {
    pub oid: Oid,
    pub name: String,
    /// Representations of the arguments; there is a column even if there are none.
    pub args: Vec<DataType>,
    /// Its number of arguments.
    pub arity: usize,
    pub result: DataType,
    pub plain: Arc<Steps>,
    pub moving: Option<Arc<Steps>>,
    signature: Signature,
}

impl UserAggregate {
    pub fn udaf(
        oid: Oid,
        name: &str,
        args: Vec<DataType>,
        result: DataType,
        (plain, moving): (Steps, Option<Steps>),
    ) -> AggregateUDF {
        let signature = Signature::user_defined(Volatility::Volatile);
        let arity = args.len();
        let (plain, moving) = (Arc::new(plain), moving.map(Arc::new));
        let name = name.to_owned();
        AggregateUDF::new_from_impl(Self { oid, name, args, arity, result, plain, moving, signature })
    }
}

impl PartialEq for UserAggregate {
    fn eq(&self, other: &Self) -> bool {
        (self.oid, &self.args) == (other.oid, &other.args)
    }
}

impl Eq for UserAggregate {}

impl Hash for UserAggregate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.oid, &self.args).hash(state);
    }
}

fn item(data_type: &DataType) -> Arc<Field> {
    Arc::new(Field::new("item", data_type.clone(), true))
}

impl AggregateUDFImpl for UserAggregate {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, args: &[DataType]) -> DataFusionResult<Vec<DataType>> {
        Ok(args.to_vec())
    }

    fn return_type(&self, _args: &[DataType]) -> DataFusionResult<DataType> {
        Ok(self.result.clone())
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        let columns = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Box::new(Folding { columns, pending: Vec::new(), state: State::new(self.plain.clone(), self.arity) }))
    }

    fn create_sliding_accumulator(&self, _args: AccumulatorArgs<'_>) -> DataFusionResult<Box<dyn Accumulator>> {
        let steps = self.moving.as_ref().unwrap_or(&self.plain).clone();
        let state = State::new(steps, self.arity);
        Ok(Box::new(Moving { rows: VecDeque::new(), folded: 0, leaving: 0, state }))
    }

    /// Without a use of combining functions, what travels between phases is the rows themselves.
    fn state_fields(&self, args: StateFieldsArgs<'_>) -> DataFusionResult<Vec<FieldRef>> {
        let field = |(index, field): (usize, &FieldRef)| {
            let data_type = DataType::List(item(field.data_type()));
            Arc::new(Field::new(format!("{}[{index}]", args.name), data_type, true))
        };
        Ok(args.input_fields.iter().enumerate().map(field).collect())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::SoftRequirement
    }
}

/// A state on its way from row to row.
struct State {
    steps: Arc<Steps>,
    arity: usize,
    value: ArrayRef,
    /// It waits for the first row, whose argument it begins with.
    fresh: bool,
    /// Rows that the transition was called for.
    count: usize,
}

impl State {
    fn new(steps: Arc<Steps>, arity: usize) -> Self {
        let value = steps.initial.clone();
        let fresh = value.is_null(0);
        Self { steps, arity, value, fresh, count: 0 }
    }

    fn reset(&mut self) {
        *self = Self::new(self.steps.clone(), self.arity);
    }

    fn columns(&self, row: &[ArrayRef]) -> Vec<ArrayRef> {
        std::iter::once(&self.value).chain(row.iter().take(self.arity)).cloned().collect()
    }

    /// Takes in one row. The arguments are columns of one row.
    fn add(&mut self, row: &[ArrayRef]) -> Result<()> {
        if self.steps.strict {
            if row.iter().take(self.arity).any(|arg| arg.is_null(0)) {
                return Ok(());
            }
            if self.fresh {
                let first = row.first().ok_or_else(|| Error::internal("an aggregate without its first argument"))?;
                self.value = first.clone();
                self.fresh = false;
                self.count = 1;
                return Ok(());
            }
            if self.value.is_null(0) {
                return Ok(());
            }
        }
        self.value = self.steps.transition.evaluate(self.columns(row), 1)?;
        self.fresh = false;
        self.count += 1;
        if self.steps.inverse.is_some() && self.value.is_null(0) {
            let message = "moving-aggregate transition function must not return null";
            return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, message));
        }
        Ok(())
    }

    /// Takes back the oldest row. False if it can't be done: all must be computed again.
    fn remove(&mut self, row: &[ArrayRef]) -> Result<bool> {
        let Some((inverse, strict)) = &self.steps.inverse else { return Ok(false) };
        if *strict && row.iter().take(self.arity).any(|arg| arg.is_null(0)) {
            return Ok(true);
        }
        if self.value.is_null(0) {
            return Err(Error::internal("aggregate transition value is NULL before inverse transition"));
        }
        if self.count <= 1 {
            // The state over no rows may be null, which an inverse never gives.
            self.reset();
            return Ok(true);
        }
        let value = inverse.evaluate(self.columns(row), 1)?;
        if value.is_null(0) {
            return Ok(false);
        }
        self.value = value;
        self.count -= 1;
        Ok(true)
    }

    fn finish(&self) -> Result<ScalarValue> {
        let value = match &self.steps.finish {
            Some(finish) => finish.evaluate(vec![self.value.clone()], 1)?,
            None => self.value.clone(),
        };
        ScalarValue::try_from_array(&value, 0).map_err(from_datafusion)
    }
}

fn row_of(columns: &[ArrayRef], row: usize) -> Vec<ArrayRef> {
    columns.iter().map(|column| column.slice(row, 1)).collect()
}

fn rows_in(columns: &[ArrayRef]) -> usize {
    columns.first().map_or(0, |column| column.len())
}

/// Rows are only added.
struct Folding {
    columns: Vec<DataType>,
    /// Batches that the state does not know yet.
    pending: Vec<Vec<ArrayRef>>,
    state: State,
}

impl fmt::Debug for Folding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Folding")
    }
}

impl Accumulator for Folding {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if rows_in(values) > 0 {
            self.pending.push(values.to_vec());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        for columns in std::mem::take(&mut self.pending) {
            for row in 0..rows_in(&columns) {
                self.state.add(&row_of(&columns, row)).map_err(to_datafusion)?;
            }
        }
        self.state.finish().map_err(to_datafusion)
    }

    fn size(&self) -> usize {
        let pending = self.pending.iter().flatten().map(|column| column.get_array_memory_size()).sum::<usize>();
        size_of_val(self) + pending + self.state.value.get_array_memory_size()
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        let column = |(index, data_type): (usize, &DataType)| {
            let parts: Vec<&dyn Array> =
                self.pending.iter().filter_map(|batch| batch.get(index)).map(|part| &**part).collect();
            let column = if parts.is_empty() { new_empty_array(data_type) } else { concat(&parts)? };
            let offsets = OffsetBuffer::from_lengths([column.len()]);
            Ok(ScalarValue::List(Arc::new(ListArray::try_new(item(data_type), offsets, column, None)?)))
        };
        self.columns.iter().enumerate().map(column).collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        for row in 0..rows_in(states) {
            let columns: Vec<ArrayRef> = states.iter().map(|state| state.as_list::<i32>().value(row)).collect();
            self.update_batch(&columns)?;
        }
        Ok(())
    }
}

/// Rows of a moving frame: they come at its end and leave at its start.
struct Moving {
    /// The rows of the frame, and before them those that are leaving.
    rows: VecDeque<Vec<ArrayRef>>,
    /// How many of them the state knows.
    folded: usize,
    leaving: usize,
    state: State,
}

impl fmt::Debug for Moving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Moving")
    }
}

impl Moving {
    /// Rows leave before others come. Where the inverse can't follow, the frame is computed again.
    fn follow(&mut self) -> Result<()> {
        let leaving = std::mem::take(&mut self.leaving);
        let mut again = leaving > 0 && (self.state.steps.inverse.is_none() || leaving > self.folded);
        for _ in 0..leaving {
            let Some(row) = self.rows.pop_front() else { break };
            if !again {
                again = !self.state.remove(&row)?;
            }
            self.folded = self.folded.saturating_sub(1);
        }
        if again {
            self.state.reset();
            self.folded = 0;
        }
        for row in self.rows.iter().skip(self.folded) {
            self.state.add(row)?;
        }
        self.folded = self.rows.len();
        Ok(())
    }
}

impl Accumulator for Moving {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.rows.extend((0..rows_in(values)).map(|row| row_of(values, row)));
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.leaving += rows_in(values);
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        self.follow().and_then(|()| self.state.finish()).map_err(to_datafusion)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.rows.iter().flatten().map(|column| column.get_array_memory_size()).sum::<usize>()
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        Err(to_datafusion(Error::internal("a moving aggregate has no phases")))
    }

    fn merge_batch(&mut self, _states: &[ArrayRef]) -> DataFusionResult<()> {
        Err(to_datafusion(Error::internal("a moving aggregate has no phases")))
    }
}

/// The value over no columns, as a column of one row.
pub fn constant(lambda: &Lambda) -> Result<ArrayRef> {
    lambda.evaluate(Vec::new(), 1)
}

/// A null as a column of one row.
pub fn null(data_type: &DataType) -> Result<ArrayRef> {
    let value = ScalarValue::try_from(data_type).map_err(from_datafusion)?;
    value.to_array().map_err(from_datafusion)
}
