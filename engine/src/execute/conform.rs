//! The same values in another representation of their type: rows whose fields have other names, numbers as bytes or decimals.

use std::sync::Arc;

use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, ListArray, StructArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type};

use super::error::from_arrow;
use crate::functions::value::NumericBuilder;

/// The array as `target`. Rows and arrays are converted part by part.
pub fn conform(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    convert(array, target, false)
}

/// The same for values of a named row type, or arrays of them, which may have lost or got attributes: those go by their names.
pub fn conform_named(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    convert(array, target, true)
}

fn convert(array: &ArrayRef, target: &DataType, named: bool) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(array.clone());
    }
    match (array.data_type(), target) {
        (DataType::Struct(_), DataType::Struct(fields)) => {
            let record = array.as_struct();
            let same_width = record.num_columns() == fields.len();
            if !same_width && !named {
                return Err(Error::internal(format!("{} fields for {}", record.num_columns(), fields.len())));
            }
            let columns = fields.iter().enumerate().map(|(index, field)| {
                let found = match same_width {
                    true => record.columns().get(index),
                    false => record.column_by_name(field.name()),
                };
                match found {
                    Some(column) => convert(column, field.data_type(), named),
                    None => Ok(new_null_array(field.data_type(), record.len())),
                }
            });
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let nulls = record.nulls().cloned();
            let record = StructArray::try_new_with_length(fields.clone(), columns, nulls, record.len());
            Ok(Arc::new(record.map_err(from_arrow)?))
        }
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = convert(list.values(), item.data_type(), named)?;
            let list = ListArray::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned());
            Ok(Arc::new(list.map_err(from_arrow)?))
        }
        (DataType::Decimal128(_, scale), DataType::BinaryView) => {
            let values = array.as_primitive::<Decimal128Type>();
            let mut builder = NumericBuilder::with_capacity(values.len());
            for value in values {
                builder.append_option(value.map(|value| Numeric::from_decimal128(value, *scale)));
            }
            Ok(builder.finish())
        }
        (DataType::BinaryView, DataType::Decimal128(precision, scale)) => {
            let values = array.as_binary_view();
            let mut builder = Decimal128Builder::with_capacity(values.len()).with_data_type(target.clone());
            for value in values {
                let value = value.map(|bytes| {
                    let fits = Numeric::from_bytes(bytes)?.to_decimal128(*precision, *scale);
                    fits.ok_or_else(|| Error::internal("a numeric does not fit its column"))
                });
                builder.append_option(value.transpose()?);
            }
            Ok(Arc::new(builder.finish()))
        }
        _ => cast(array, target).map_err(from_arrow),
    }
}
