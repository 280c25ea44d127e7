//! `nth_value` and `ntile`: which number they go by is computed, and may be null.

use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::{Error, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::scalar::ScalarValue;

use crate::execute::error::to_datafusion;

/// The result has the type of the first argument.
pub fn field_of_value(args: &WindowUDFFieldArgs) -> Result<FieldRef> {
    let input = args.input_fields().first();
    let input = input.ok_or_else(|| DataFusionError::Internal("a window function without its value".into()))?;
    Ok(Arc::new(input.as_ref().clone().with_name(args.name()).with_nullable(true)))
}

fn numbers(values: &[ArrayRef], at: usize) -> Result<&Int32Array> {
    let numbers = values.get(at).and_then(|values| values.as_primitive_opt::<Int32Type>());
    numbers.ok_or_else(|| DataFusionError::Internal("a number that is no integer".into()))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NthValue {
    signature: Signature,
}

pub fn nth_value() -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(NthValue { signature: Signature::any(2, Volatility::Immutable) }))
}

impl WindowUDFImpl for NthValue {
    fn name(&self) -> &str {
        "nth_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Nth { row: 0 }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        field_of_value(&args)
    }
}

/// Called for each row of a partition, in order, with its frame.
#[derive(Debug)]
struct Nth {
    row: usize,
}

impl PartitionEvaluator for Nth {
    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let (row, numbers) = (self.row, numbers(values, 1)?);
        self.row += 1;
        let Some(value) = values.first() else {
            return Err(DataFusionError::Internal("nth_value without its value".into()));
        };
        if numbers.is_null(row) {
            return ScalarValue::try_from(value.data_type());
        }
        let number = usize::try_from(numbers.value(row)).ok().filter(|number| *number > 0);
        let number = number.ok_or_else(|| {
            let message = "argument of nth_value must be greater than zero";
            to_datafusion(Error::new(sqlstate::INVALID_ARGUMENT_FOR_NTH_VALUE, message))
        })?;
        match number <= range.len() {
            true => ScalarValue::try_from_array(value, range.start + number - 1),
            false => ScalarValue::try_from(value.data_type()),
        }
    }

    fn uses_window_frame(&self) -> bool {
        true
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Ntile {
    signature: Signature,
}

pub fn ntile() -> Arc<WindowUDF> {
    Arc::new(WindowUDF::from(Ntile { signature: Signature::any(1, Volatility::Immutable) }))
}

impl WindowUDFImpl for Ntile {
    fn name(&self) -> &str {
        "ntile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Buckets))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(args.name(), DataType::Int32, true)))
    }
}

#[derive(Debug)]
struct Buckets;

impl PartitionEvaluator for Buckets {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let numbers = numbers(values, 0)?;
        // The first row of the partition says how many.
        if rows == 0 || numbers.is_null(0) {
            return Ok(arrow::array::new_null_array(&DataType::Int32, rows));
        }
        let buckets = usize::try_from(numbers.value(0)).ok().filter(|buckets| *buckets > 0);
        let buckets = buckets.ok_or_else(|| {
            let message = "argument of ntile must be greater than zero";
            to_datafusion(Error::new(sqlstate::INVALID_ARGUMENT_FOR_NTILE, message))
        })?;
        // The first `larger` buckets have a row more.
        let (size, larger) = (rows / buckets, rows % buckets);
        let in_larger = larger * (size + 1);
        let bucket = |row: usize| match row < in_larger {
            true => row / (size + 1),
            false => larger + (row - in_larger) / size.max(1),
        };
        Ok(Arc::new((0..rows).map(|row| i32::try_from(bucket(row) + 1).ok()).collect::<Int32Array>()))
    }
}
