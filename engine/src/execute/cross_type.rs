//! Values of a foreign key in the type of the column that it refers to, such that equal means equal.

use std::sync::Arc;

use aegis_catalog::fixed_oid::FIRST_NORMAL;
use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::types::structure::stored_arrow_type;
use aegis_catalog::types::{BuiltIn, oid};
use aegis_catalog::{Error, Result, Type};
use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder, Float64Array, StringViewBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Int64Type};

use super::error::from_arrow;
use crate::functions::value::NumericBuilder;

/// The values in the representation of a stored column of type `to`; null for a value that equals none of that type.
pub fn referring(array: &ArrayRef, from: Type, to: Type) -> Result<ArrayRef> {
    // A key of a type that a user created refers only to the same type.
    if from == to && to.oid >= FIRST_NORMAL {
        return Ok(array.clone());
    }
    let target = stored_arrow_type(to, &BuiltIn);
    if to.oid == oid::BPCHAR || (from.oid == oid::BPCHAR && target == DataType::Utf8View) {
        return characters(array, to);
    }
    if *array.data_type() == target {
        return Ok(array.clone());
    }
    if to.oid == oid::NUMERIC {
        return numerics(array, &target);
    }
    if from.oid == oid::NUMERIC && target.is_floating() {
        let floats = numbers(array)?.into_iter().map(|number| number.map(|number| number.to_f64()));
        let floats: ArrayRef = Arc::new(floats.collect::<Float64Array>());
        return cast(&floats, &target).map_err(from_arrow);
    }
    // What does not fit becomes null.
    let converted = cast(array, &target).map_err(from_arrow)?;
    if !array.data_type().is_temporal() {
        return Ok(converted);
    }
    let back = cast(&converted, array.data_type()).map_err(from_arrow)?;
    let same = arrow::compute::kernels::cmp::not_distinct(&back, array).map_err(from_arrow)?;
    let inexact = arrow::compute::not(&same).map_err(from_arrow)?;
    arrow::compute::nullif(&converted, &inexact).map_err(from_arrow)
}

/// Blanks at the end of a `char` do not count; a stored one has them up to its length.
fn characters(array: &ArrayRef, to: Type) -> Result<ArrayRef> {
    let values = array.as_string_view_opt().ok_or_else(|| Error::internal("characters that are no text"))?;
    // A modifier is the length and four.
    let length = usize::try_from(to.typmod).ok().and_then(|typmod| typmod.checked_sub(4));
    let length = length.filter(|_| to.oid == oid::BPCHAR).unwrap_or(0);
    let mut builder = StringViewBuilder::with_capacity(values.len());
    for value in values {
        builder.append_option(value.map(|value| {
            let trimmed = value.trim_end_matches(' ');
            format!("{trimmed:<length$}")
        }));
    }
    Ok(Arc::new(builder.finish()))
}

fn numbers(array: &ArrayRef) -> Result<Vec<Option<Numeric>>> {
    Ok(match array.data_type() {
        DataType::Decimal128(_, scale) => {
            let values = array.as_primitive::<Decimal128Type>();
            values.iter().map(|value| value.map(|value| Numeric::from_decimal128(value, *scale))).collect()
        }
        DataType::BinaryView => {
            let values = array.as_binary_view().iter();
            values.map(|value| value.map(Numeric::from_bytes).transpose()).collect::<Result<_>>()?
        }
        _ => {
            let integers = cast(array, &DataType::Int64).map_err(from_arrow)?;
            integers.as_primitive::<Int64Type>().iter().map(|value| value.map(Numeric::from)).collect()
        }
    })
}

fn numerics(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    let numbers = numbers(array)?;
    if let DataType::Decimal128(precision, scale) = target {
        let mut builder = Decimal128Builder::with_capacity(numbers.len());
        for number in numbers {
            let value = number.and_then(|number| {
                let value = number.to_decimal128(*precision, *scale)?;
                Numeric::from_decimal128(value, *scale).compare(&number).is_eq().then_some(value)
            });
            builder.append_option(value);
        }
        let values = builder.finish().with_precision_and_scale(*precision, *scale).map_err(from_arrow)?;
        return Ok(Arc::new(values));
    }
    let mut builder = NumericBuilder::with_capacity(numbers.len());
    numbers.into_iter().for_each(|number| builder.append_option(number));
    Ok(builder.finish())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Int32Array, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn an_integer_refers_to_a_numeric() {
        let array: ArrayRef = Arc::new(Int32Array::from(vec![1, 20]));
        let to = Type::of(oid::NUMERIC);
        let found = referring(&array, Type::of(oid::INT4), to).unwrap();
        assert_eq!(found.as_binary_view().value(1), Numeric::parse("20").unwrap().to_bytes());
    }

    #[test]
    fn a_time_of_day_refers_to_no_date() {
        let noon: i64 = 12 * 3_600_000_000;
        let array: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![0, noon]));
        let found = referring(&array, Type::of(oid::TIMESTAMP), Type::of(oid::DATE)).unwrap();
        let expected: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), None]));
        assert_eq!(&found, &expected);
    }
}
