//! Aggregates over all rows of a group at once: those that need them all (`array_agg`, `percentile_cont`), and every other one when it is
//! used with DISTINCT or ORDER BY, or over a moving window frame that it cannot follow.

use std::fmt;
use std::sync::Arc;

use aegis_catalog::{Error, Result, Type};
use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, UInt64Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortColumn, SortOptions, concat, lexsort_to_indices, take};
use arrow::datatypes::{DataType, Field};
use arrow::row::{RowConverter, SortField};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::Accumulator;
use datafusion::scalar::ScalarValue;

use super::owned::owned;
use crate::execute::error::{from_arrow, to_datafusion};
use crate::functions::comparison::key::key_array;

type DataFusionResult<T> = std::result::Result<T, DataFusionError>;

/// Computes the result of a group from its rows, as a column of one row.
pub type Whole = Arc<dyn Fn(&[ArrayRef]) -> Result<ArrayRef> + Send + Sync>;

/// Collects the argument columns of a group, and the sort keys after them.
pub struct Collected {
    pub evaluate: Whole,
    /// PostgreSQL types of the arguments, for equality.
    pub args: Vec<Type>,
    /// Arrow types of arguments and sort keys.
    pub columns: Vec<DataType>,
    pub order: Vec<SortOptions>,
    pub distinct: bool,
    pub batches: Vec<Vec<ArrayRef>>,
    /// Rows at the start of the first batch that have been retracted.
    pub retracted: usize,
}

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

impl Collected {
    /// All rows so far, column by column.
    fn rows(&mut self) -> Result<Vec<ArrayRef>> {
        if self.batches.len() > 1 {
            let columns = (0..self.columns.len())
                .map(|column| {
                    let parts: Vec<&dyn Array> =
                        self.batches.iter().filter_map(|batch| batch.get(column)).map(|part| &**part).collect();
                    concat(&parts).map_err(from_arrow)
                })
                .collect::<Result<Vec<_>>>()?;
            self.batches = vec![columns];
        }
        let columns = match self.batches.first() {
            Some(columns) => {
                columns.iter().map(|column| column.slice(self.retracted, column.len() - self.retracted)).collect()
            }
            None => self.columns.iter().map(new_empty_array).collect(),
        };
        Ok(columns)
    }

    fn result(&mut self) -> Result<ArrayRef> {
        let mut columns = self.rows()?;
        if !self.order.is_empty() || self.distinct {
            let order = self.sorted(&columns)?;
            columns =
                columns.iter().map(|column| take(column, &order, None).map_err(from_arrow)).collect::<Result<_>>()?;
        }
        columns.truncate(self.args.len());
        (self.evaluate)(&columns)
    }

    /// Positions of the rows to use, in order. DISTINCT sorts by the arguments after the given keys.
    fn sorted(&self, columns: &[ArrayRef]) -> Result<UInt32Array> {
        let (args, keys) =
            columns.split_at_checked(self.args.len()).ok_or_else(|| Error::internal("aggregate columns"))?;
        let mut sort: Vec<SortColumn> = keys
            .iter()
            .zip(&self.order)
            .map(|(key, options)| SortColumn { values: key.clone(), options: Some(*options) })
            .collect();
        let rows = args.first().map_or(0, |arg| arg.len());
        let arg_keys = if self.distinct { self.arg_keys(args)? } else { Vec::new() };
        let last = SortOptions { descending: false, nulls_first: false };
        sort.extend(arg_keys.iter().map(|key| SortColumn { values: key.clone(), options: Some(last) }));
        let position: ArrayRef = Arc::new(UInt64Array::from_iter_values(0..rows as u64));
        sort.push(SortColumn { values: position, options: None });
        let order = lexsort_to_indices(&sort, None).map_err(from_arrow)?;
        if !self.distinct || arg_keys.is_empty() {
            return Ok(order);
        }
        let fields = arg_keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
        let converted =
            RowConverter::new(fields).and_then(|converter| converter.convert_columns(&arg_keys)).map_err(from_arrow)?;
        let mut kept: Vec<u32> = Vec::new();
        for &position in order.values() {
            if kept.last().is_none_or(|&last| converted.row(last as usize) != converted.row(position as usize)) {
                kept.push(position);
            }
        }
        Ok(kept.into())
    }

    fn arg_keys(&self, args: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
        args.iter().zip(&self.args).map(|(arg, ty)| key_array(*ty, arg)).collect()
    }
}

/// The type of a state column for a collected column.
pub fn state_type(column: &DataType) -> DataType {
    DataType::List(item(column).into())
}

fn item(column: &DataType) -> Field {
    Field::new("item", column.clone(), true)
}

impl Accumulator for Collected {
    fn update_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        if values.first().is_some_and(|value| !value.is_empty()) {
            self.batches.push(values.iter().map(owned).collect());
        }
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> DataFusionResult<()> {
        self.retracted += values.first().map_or(0, |value| value.len());
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> DataFusionResult<ScalarValue> {
        let result = self.result().map_err(to_datafusion)?;
        ScalarValue::try_from_array(&result, 0)
    }

    fn state(&mut self) -> DataFusionResult<Vec<ScalarValue>> {
        let columns = self.rows().map_err(to_datafusion)?;
        columns
            .into_iter()
            .map(|column| {
                let offsets = OffsetBuffer::from_lengths([column.len()]);
                let list = ListArray::try_new(item(column.data_type()).into(), offsets, column, None)?;
                Ok(ScalarValue::List(Arc::new(list)))
            })
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> DataFusionResult<()> {
        let rows = states.first().map_or(0, |state| state.len());
        for row in 0..rows {
            let columns: Vec<ArrayRef> = states.iter().map(|state| state.as_list::<i32>().value(row)).collect();
            self.update_batch(&columns)?;
        }
        Ok(())
    }

    fn size(&self) -> usize {
        self.batches.iter().flatten().map(|column| column.get_array_memory_size()).sum::<usize>() + size_of_val(self)
    }
}
