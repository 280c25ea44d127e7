//! `lag` and `lead` with an offset, which each row has of its own.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, FieldRef, Int32Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};

/// The rows before (`lag`) or after.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shift {
    name: &'static str,
    back: bool,
    signature: Signature,
}

pub fn lag() -> Arc<WindowUDF> {
    make("lag", true)
}

pub fn lead() -> Arc<WindowUDF> {
    make("lead", false)
}

fn make(name: &'static str, back: bool) -> Arc<WindowUDF> {
    let signature = Signature::variadic_any(Volatility::Immutable);
    Arc::new(WindowUDF::from(Shift { name, back, signature }))
}

impl WindowUDFImpl for Shift {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn partition_evaluator(&self, _: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Shifted { back: self.back }))
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        super::place::field_of_value(&args)
    }
}

#[derive(Debug)]
struct Shifted {
    back: bool,
}

impl PartitionEvaluator for Shifted {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let (Some(value), Some(offsets)) = (values.first(), values.get(1)) else {
            return Err(DataFusionError::Internal("lag needs a value and an offset".into()));
        };
        let offsets = offsets.as_primitive_opt::<Int32Type>();
        let offsets = offsets.ok_or_else(|| DataFusionError::Internal("an offset that is no integer".into()))?;
        let nothing = arrow::array::new_null_array(value.data_type(), 1);
        let default = values.get(2).filter(|default| *default.data_type() != DataType::Null);
        let default = match default {
            Some(default) if default.data_type() != value.data_type() => {
                Some(arrow::compute::cast(default, value.data_type())?)
            }
            default => default.cloned(),
        };
        // A place is (array, row): the value, no value, the default.
        let place = |row: usize| {
            if offsets.is_null(row) {
                return (1, 0);
            }
            let offset = i64::from(offsets.value(row));
            let target = i64::try_from(row).unwrap_or(i64::MAX) + if self.back { -offset } else { offset };
            match usize::try_from(target).ok().filter(|target| *target < rows) {
                Some(target) => (0, target),
                None if default.is_some() => (2, row),
                None => (1, 0),
            }
        };
        let places: Vec<(usize, usize)> = (0..rows).map(place).collect();
        let mut arrays: Vec<&dyn Array> = vec![value, &nothing];
        arrays.extend(default.iter().map(|default| default as &dyn Array));
        Ok(interleave(&arrays, &places)?)
    }
}
