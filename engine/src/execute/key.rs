//! Keys: what equality, grouping and order look at when that is not the value's own representation.
//!
//! | type | key |
//! |---|---|
//! | numeric (bytes) | the bytes without the display scale |
//! | real, double precision | one zero, one NaN (grouping and joins see to it themselves) |
//! | numrange, nummultirange | the bytes without the display scales |
//! | interval | total µs with months of 30 days, as Decimal128(38, 0) |
//! | bpchar | the text without trailing blanks |
//! | citext | the text in lower case |
//! | jsonb | bytes that sort like PostgreSQL |
//! | timetz | UTC time and zone, in bytes that sort like PostgreSQL |
//! | arrays, records | Arrow's row format over the elements' keys |

use std::sync::Arc;

use aegis_catalog::types::numeric::encoding;
use aegis_catalog::types::representation::is_array_type;
use aegis_catalog::types::{element_of, oid, type_of_field};
use aegis_catalog::{Error, Result, Type};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewBuilder, Decimal128Array, FixedSizeBinaryBuilder, ListArray,
    StringViewArray, StructArray,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{DataType, Field, Fields, Float32Type, Float64Type, IntervalMonthDayNanoType};
use arrow::row::{RowConverter, SortField};

use super::error::from_arrow;
use crate::functions::comparison::key::key_array;

/// Representation of the key of values of this type; None if they are their own key.
pub fn key_type(ty: Type, data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::BinaryView if ty.oid == oid::NUMERIC => Some(DataType::BinaryView),
        DataType::BinaryView if is_numeric_range(ty) => Some(DataType::BinaryView),
        DataType::Utf8View if matches!(ty.oid, oid::BPCHAR | oid::CITEXT) => Some(DataType::Utf8View),
        DataType::Utf8View if ty.oid == oid::JSONB => Some(DataType::BinaryView),
        DataType::Interval(_) => Some(DataType::Decimal128(38, 0)),
        DataType::FixedSizeBinary(12) => Some(DataType::FixedSizeBinary(12)),
        DataType::Struct(_) | DataType::List(_) => Some(DataType::Binary),
        _ => None,
    }
}

/// The keys of a column.
pub fn keys(ty: Type, array: &ArrayRef) -> Result<ArrayRef> {
    let wrong = || Error::internal(format!("no key for {}", array.data_type()));
    match array.data_type() {
        DataType::BinaryView if ty.oid == oid::NUMERIC => {
            let values = array.as_binary_view_opt().ok_or_else(wrong)?;
            let mut builder = BinaryViewBuilder::with_capacity(values.len());
            values.iter().for_each(|value| builder.append_option(value.map(encoding::key)));
            Ok(Arc::new(builder.finish()))
        }
        DataType::Utf8View if ty.oid == oid::BPCHAR => {
            let values = array.as_string_view_opt().ok_or_else(wrong)?;
            let trimmed: StringViewArray =
                values.iter().map(|value| value.map(|text| text.trim_end_matches(' '))).collect();
            Ok(Arc::new(trimmed))
        }
        DataType::Utf8View if matches!(ty.oid, oid::JSONB | oid::CITEXT) => key_array(ty, array),
        DataType::BinaryView if is_numeric_range(ty) => key_array(ty, array),
        DataType::Float32 => {
            let values = array.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?;
            Ok(Arc::new(values.unary::<_, Float32Type>(|value| if value.is_nan() { f32::NAN } else { value + 0.0 })))
        }
        DataType::Float64 => {
            let values = array.as_primitive_opt::<Float64Type>().ok_or_else(wrong)?;
            Ok(Arc::new(values.unary::<_, Float64Type>(|value| if value.is_nan() { f64::NAN } else { value + 0.0 })))
        }
        DataType::Interval(_) => interval_keys(array).ok_or_else(wrong),
        DataType::FixedSizeBinary(12) => timetz_keys(array),
        DataType::Struct(_) | DataType::List(_) => row_keys(ty, array),
        _ => Ok(array.clone()),
    }
}

fn is_numeric_range(ty: Type) -> bool {
    matches!(ty.oid, oid::NUMRANGE | oid::NUMMULTIRANGE)
}

fn interval_keys(array: &ArrayRef) -> Option<ArrayRef> {
    const DAY: i128 = 86_400_000_000;
    let values = array.as_primitive_opt::<IntervalMonthDayNanoType>()?;
    let keys: Decimal128Array = values
        .iter()
        .map(|value| {
            value.map(|value| {
                let days = i128::from(value.months) * 30 + i128::from(value.days);
                days * DAY + i128::from(value.nanoseconds / 1000)
            })
        })
        .collect();
    keys.with_precision_and_scale(38, 0).ok().map(|keys| Arc::new(keys) as ArrayRef)
}

/// UTC time of day first, then the zone (`timetz_cmp`).
fn timetz_keys(array: &ArrayRef) -> Result<ArrayRef> {
    let mut builder = FixedSizeBinaryBuilder::with_capacity(array.len(), 12);
    let values = array.as_fixed_size_binary_opt().ok_or_else(|| Error::internal("timetz is no FixedSizeBinary"))?;
    for value in values.iter() {
        let parts = value.and_then(|bytes| Some((bytes.first_chunk::<8>()?, bytes.last_chunk::<4>()?)));
        match parts {
            None => builder.append_null(),
            Some((micros, west)) => {
                let (micros, west) = (i64::from_be_bytes(*micros), i32::from_be_bytes(*west));
                let utc = micros + i64::from(west) * 1_000_000;
                let mut key = [0; 12];
                key[..8].copy_from_slice(&((utc as u64) ^ (1 << 63)).to_be_bytes());
                key[8..].copy_from_slice(&((west as u32) ^ (1 << 31)).to_be_bytes());
                builder.append_value(key).map_err(from_arrow)?;
            }
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn row_keys(ty: Type, array: &ArrayRef) -> Result<ArrayRef> {
    let nested = nested_keys(ty, array)?;
    let nulls = array.logical_nulls();
    // A null sorts behind all values; the usual shape of an array, which is null, before all others.
    let parts = match nested.as_struct_opt() {
        Some(array) if is_array_type(nested.data_type()) => array.columns().to_vec(),
        _ => vec![nested],
    };
    let field = |(index, part): (usize, &ArrayRef)| {
        let options = SortOptions { descending: false, nulls_first: index > 0 };
        SortField::new_with_options(part.data_type().clone(), options)
    };
    let converter = RowConverter::new(parts.iter().enumerate().map(field).collect()).map_err(from_arrow)?;
    let rows = converter.convert_columns(&parts).map_err(from_arrow)?;
    let keys: BinaryArray = rows
        .iter()
        .enumerate()
        .map(|(row, key)| {
            let null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
            (!null).then(|| key.data().to_vec())
        })
        .collect();
    Ok(Arc::new(keys))
}

/// The same nesting with every leaf replaced by its key. Lists are in one of Arrow's forms that the row format knows.
fn nested_keys(ty: Type, array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Struct(fields) => {
            let values = array.as_struct_opt().ok_or_else(|| Error::internal("a record is no Struct"))?;
            let element = element_of(ty.oid);
            let columns = fields
                .iter()
                .zip(values.columns())
                .map(|(field, column)| {
                    let ty = match element {
                        Some(element) if field.name() == "elements" => Type::of(element),
                        _ => type_of_field(field),
                    };
                    nested_keys(ty, column)
                })
                .collect::<Result<Vec<_>>>()?;
            let fields: Fields = fields
                .iter()
                .zip(&columns)
                .map(|(field, column)| Field::new(field.name(), column.data_type().clone(), true))
                .collect();
            let keyed = StructArray::try_new_with_length(fields, columns, values.nulls().cloned(), values.len());
            Ok(Arc::new(keyed.map_err(from_arrow)?))
        }
        DataType::List(_) => {
            let list = array.as_list_opt::<i32>().ok_or_else(|| Error::internal("a list is no List"))?;
            let values = nested_keys(ty, list.values())?;
            let item = Arc::new(Field::new("item", values.data_type().clone(), true));
            let keyed = ListArray::try_new(item, list.offsets().clone(), values, list.nulls().cloned());
            Ok(Arc::new(keyed.map_err(from_arrow)?))
        }
        _ => keys(ty, array),
    }
}

#[cfg(test)]
mod tests {
    use aegis_catalog::types::numeric::Numeric;
    use arrow::array::{BinaryViewArray, IntervalMonthDayNanoArray};
    use arrow::datatypes::IntervalMonthDayNano;

    use super::*;

    #[test]
    fn numeric_keys_ignore_the_display_scale() {
        let values = ["1.0", "1.00", "2"].map(|text| Numeric::parse(text).unwrap().to_bytes());
        let array: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(values.iter()));
        let keys = keys(Type::of(oid::NUMERIC), &array).unwrap();
        let keys = keys.as_binary_view();
        assert_eq!(keys.value(0), keys.value(1));
        assert!(keys.value(1) < keys.value(2));
    }

    #[test]
    fn a_month_is_thirty_days() {
        let values = [IntervalMonthDayNano::new(1, 0, 0), IntervalMonthDayNano::new(0, 30, 0)];
        let array: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from_iter_values(values));
        let keys = keys(Type::of(oid::INTERVAL), &array).unwrap();
        let keys = keys.as_primitive::<arrow::datatypes::Decimal128Type>();
        assert_eq!(keys.value(0), keys.value(1));
    }
}
