//! Arrow types as Parquet can hold them. Only `Interval(MonthDayNano)` needs another form: its 16 bytes, little endian
//! (months i32, days i32, nanoseconds i64), as FixedSizeBinary(16). The mapping reaches into structs and lists.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, StructArray, make_array};
use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit};

use crate::Result;

const INTERVAL_BYTES: i32 = 16;

/// The type that a column of this type has in a segment.
pub fn stored_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Interval(IntervalUnit::MonthDayNano) => DataType::FixedSizeBinary(INTERVAL_BYTES),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(stored_field).collect()),
        DataType::List(item) => DataType::List(stored_field(item)),
        DataType::LargeList(item) => DataType::LargeList(stored_field(item)),
        other => other.clone(),
    }
}

fn stored_field(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), stored_type(field.data_type()), field.is_nullable()))
}

/// A column's values as a segment holds them.
pub fn to_stored(array: &ArrayRef) -> Result<ArrayRef> {
    convert(array, &stored_type(array.data_type()))
}

/// Values read from a segment as the column's type has them.
pub fn from_stored(array: &ArrayRef, data_type: &DataType) -> Result<ArrayRef> {
    convert(array, data_type)
}

fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    if array.data_type() == to {
        return Ok(array.clone());
    }
    match (array.data_type(), to) {
        (DataType::Interval(IntervalUnit::MonthDayNano), DataType::FixedSizeBinary(INTERVAL_BYTES))
        | (DataType::FixedSizeBinary(INTERVAL_BYTES), DataType::Interval(IntervalUnit::MonthDayNano)) => {
            relabel(array, to)
        }
        (DataType::Struct(_), DataType::Struct(fields)) if array.as_struct().num_columns() == fields.len() => {
            let from = array.as_struct();
            let columns = from.columns().iter().zip(fields).map(|(c, f)| convert(c, f.data_type()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let nulls = from.nulls().cloned();
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, from.len())?))
        }
        (DataType::List(_), DataType::List(item)) => convert_list(array.as_list::<i32>(), item),
        (DataType::LargeList(_), DataType::LargeList(item)) => convert_list(array.as_list::<i64>(), item),
        _ => Ok(arrow::compute::cast(array, to)?),
    }
}

fn convert_list<O: OffsetSizeTrait>(list: &GenericListArray<O>, item: &FieldRef) -> Result<ArrayRef> {
    let values = convert(list.values(), item.data_type())?;
    Ok(Arc::new(GenericListArray::<O>::try_new(item.clone(), list.offsets().clone(), values, list.nulls().cloned())?))
}

/// The same bytes under another type of the same width.
fn relabel(array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let data = array.to_data();
    let width = INTERVAL_BYTES as usize;
    let bytes = data.buffers()[0].slice_with_length(data.offset() * width, data.len() * width);
    let relabelled = ArrayData::builder(to.clone())
        .len(data.len())
        .add_buffer(bytes)
        .nulls(data.nulls().cloned())
        .align_buffers(true)
        .build()?;
    Ok(make_array(relabelled))
}

#[cfg(test)]
mod tests {
    use arrow::array::IntervalMonthDayNanoArray;
    use arrow::buffer::OffsetBuffer;
    use arrow::datatypes::{Fields, IntervalMonthDayNanoType};

    use super::*;

    #[test]
    fn intervals_survive_at_any_depth() {
        let interval = |m, d, n| IntervalMonthDayNanoType::make_value(m, d, n);
        let values = vec![Some(interval(1, -2, 3000)), None, Some(interval(i32::MIN, i32::MAX, i64::MIN))];
        let flat: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(values));
        let item = Arc::new(Field::new("item", flat.data_type().clone(), true));
        let list: ArrayRef = Arc::new(GenericListArray::<i32>::new(
            item.clone(),
            OffsetBuffer::from_lengths([2, 1]),
            flat.clone(),
            None,
        ));
        let field = Field::new("elements", list.data_type().clone(), true);
        let nested: ArrayRef = Arc::new(StructArray::new(Fields::from(vec![field]), vec![list.clone()], None));
        for array in [flat.clone(), flat.slice(1, 2), list, nested] {
            let stored = to_stored(&array).unwrap();
            assert!(!format!("{}", stored.data_type()).contains("Interval"));
            assert_eq!(&from_stored(&stored, array.data_type()).unwrap(), &array);
        }
    }
}
