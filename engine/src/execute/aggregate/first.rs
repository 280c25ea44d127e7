//! The first value of each group: any of equal values, or the only one that may be there.

use std::sync::Arc;

use aegis_catalog::{Error, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, TypeSignature, Volatility};
use datafusion::scalar::ScalarValue;

use crate::execute::error::to_datafusion;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct First {
    /// 21000 on a second row.
    single: bool,
    data_type: DataType,
    signature: Signature,
}

/// One of the values of a group.
pub fn any_value(data_type: DataType) -> AggregateUDF {
    first(false, data_type)
}

/// The value of a group's only row; null without a row; 21000 with several.
pub fn single_value(data_type: DataType) -> AggregateUDF {
    first(true, data_type)
}

fn first(single: bool, data_type: DataType) -> AggregateUDF {
    let signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
    AggregateUDF::new_from_impl(First { single, data_type, signature })
}

impl AggregateUDFImpl for First {
    fn name(&self) -> &str {
        if self.single { "single_value" } else { "any_value" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.data_type.clone())
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        Ok(args.to_vec())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(&self.data_type)?;
        Ok(Box::new(FirstAccumulator { single: self.single, value, count: 0 }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(format!("{}[value]", args.name), self.data_type.clone(), true)),
            Arc::new(Field::new(format!("{}[count]", args.name), DataType::Int64, true)),
        ])
    }
}

#[derive(Debug)]
struct FirstAccumulator {
    single: bool,
    value: ScalarValue,
    count: i64,
}

impl FirstAccumulator {
    fn take(&mut self, values: &ArrayRef, row: usize, count: i64) -> Result<()> {
        if self.count == 0 {
            self.value = ScalarValue::try_from_array(values, row)?;
            self.value.compact();
        }
        self.count += count;
        if self.single && self.count > 1 {
            let message = "more than one row returned by a subquery used as an expression";
            return Err(to_datafusion(Error::new(sqlstate::CARDINALITY_VIOLATION, message)));
        }
        Ok(())
    }
}

impl Accumulator for FirstAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match values.first() {
            Some(values) if !values.is_empty() => self.take(values, 0, values.len() as i64),
            _ => Ok(()),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() - size_of::<ScalarValue>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Int64(Some(self.count))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [values, counts] = states else { return Ok(()) };
        let counts = counts.as_primitive::<Int64Type>();
        for row in 0..counts.len() {
            if counts.is_valid(row) && counts.value(row) > 0 {
                self.take(values, row, counts.value(row))?;
            }
        }
        Ok(())
    }
}
