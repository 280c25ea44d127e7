//! A few rows in the log: what most transactions of an application write. Arrow's own format describes the columns anew in each entry, which
//! takes more room and time than the rows themselves.
//!
//! ```text
//! rows    = row count u8, column *
//! column  = type u8 (and precision, scale for decimals), value *
//! value   = 0 for null, else 1 and its bytes: as many as the type has, or length u32 and so many
//! ```
//!
//! Little endian. The types' numbers are those of [`TYPES`], and never change.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewBuilder, BooleanArray, BooleanBufferBuilder, RecordBatch, StringViewBuilder,
    make_array,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::{DataType, Field, IntervalUnit, Schema, TimeUnit};

use crate::memtable::options;
use crate::schema::ColumnId;
use crate::{Error, Result};

/// Most rows that are written like this; Arrow's format is the smaller one for many.
const MAX_ROWS: usize = 16;

const DECIMAL: u8 = 255;

/// Types by number, with the bytes of a value; None for a length of its own.
static TYPES: [(u8, DataType, Option<usize>); 15] = [
    (1, DataType::Boolean, Some(1)),
    (2, DataType::Int16, Some(2)),
    (3, DataType::Int32, Some(4)),
    (4, DataType::Int64, Some(8)),
    (5, DataType::UInt32, Some(4)),
    (6, DataType::UInt64, Some(8)),
    (7, DataType::Float32, Some(4)),
    (8, DataType::Float64, Some(8)),
    (9, DataType::Date32, Some(4)),
    (10, DataType::Time64(TimeUnit::Microsecond), Some(8)),
    (11, DataType::Timestamp(TimeUnit::Microsecond, None), Some(8)),
    (12, DataType::Interval(IntervalUnit::MonthDayNano), Some(16)),
    (13, DataType::FixedSizeBinary(16), Some(16)),
    (14, DataType::Utf8View, None),
    (15, DataType::BinaryView, None),
];

/// A timestamp with time zone; its type cannot be written as a constant.
const INSTANT: u8 = 16;

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

fn number_of(data_type: &DataType) -> Option<(u8, Option<usize>)> {
    match data_type {
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if **zone == *"UTC" => Some((INSTANT, Some(8))),
        DataType::Decimal128(..) => Some((DECIMAL, Some(16))),
        other => TYPES.iter().find(|(_, known, _)| known == other).map(|(number, _, width)| (*number, *width)),
    }
}

/// Can this batch be written like this?
pub fn fits(batch: &RecordBatch) -> bool {
    let known = |column: &ArrayRef| number_of(column.data_type()).is_some();
    (1..=MAX_ROWS).contains(&batch.num_rows()) && batch.columns().iter().all(known)
}

/// Writes a batch that fits.
pub fn encode(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    out.push(batch.num_rows() as u8);
    for column in batch.columns() {
        let Some((number, width)) = number_of(column.data_type()) else {
            return Err(Error::Internal(format!("{} has no number in the log", column.data_type())));
        };
        out.push(number);
        if let DataType::Decimal128(precision, scale) = column.data_type() {
            out.extend([*precision, scale.cast_unsigned()]);
        }
        let fixed = match (column.data_type(), width) {
            (DataType::Boolean, _) | (_, None) => None,
            (_, Some(width)) => Some((column.to_data(), width)),
        };
        for row in 0..column.len() {
            if column.is_null(row) {
                out.push(0);
                continue;
            }
            out.push(1);
            match (&fixed, column.data_type()) {
                (Some((data, width)), _) => {
                    let start = (data.offset() + row) * width;
                    out.extend(&data.buffers()[0].as_slice()[start..start + width]);
                }
                (None, DataType::Boolean) => out.push(u8::from(column.as_boolean().value(row))),
                (None, DataType::Utf8View) => text(column.as_string_view().value(row).as_bytes(), out),
                (None, _) => text(column.as_binary_view().value(row), out),
            }
        }
    }
    Ok(())
}

fn text(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend((bytes.len() as u32).to_le_bytes());
    out.extend(bytes);
}

/// The rows, in columns that are named by their ids. None if the bytes end too early or say something impossible.
pub fn decode(columns: &[ColumnId], mut input: &[u8]) -> Option<RecordBatch> {
    let rows = usize::from(take::<1>(&mut input)?[0]);
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays = Vec::with_capacity(columns.len());
    for column in columns {
        let [number] = take(&mut input)?;
        let (data_type, width) = match number {
            DECIMAL => {
                let [precision, scale] = take(&mut input)?;
                (DataType::Decimal128(precision, scale.cast_signed()), Some(16))
            }
            INSTANT => (instant(), Some(8)),
            number => TYPES.iter().find(|(known, ..)| *known == number).map(|(_, ty, width)| (ty.clone(), *width))?,
        };
        let values = (0..rows).map(|_| value(&mut input, width)).collect::<Option<Vec<_>>>()?;
        arrays.push(array(&data_type, width, &values)?);
        fields.push(Field::new(column.to_string(), data_type, true));
    }
    if !input.is_empty() {
        return None;
    }
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options(rows)).ok()
}

/// One value; Some(None) is null.
fn value<'a>(input: &mut &'a [u8], width: Option<usize>) -> Option<Option<&'a [u8]>> {
    match take(input)? {
        [0] => return Some(None),
        [1] => {}
        _ => return None,
    }
    let length = match width {
        Some(width) => width,
        None => u32::from_le_bytes(take(input)?) as usize,
    };
    let (value, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(Some(value))
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

fn array(data_type: &DataType, width: Option<usize>, values: &[Option<&[u8]>]) -> Option<ArrayRef> {
    Some(match (data_type, width) {
        (DataType::Boolean, _) => {
            let bits = values.iter().map(|value| value.map(|byte| byte == [1]));
            Arc::new(bits.collect::<BooleanArray>())
        }
        (DataType::Utf8View, _) => {
            let mut builder = StringViewBuilder::with_capacity(values.len());
            for value in values {
                builder.append_option(value.map(std::str::from_utf8).transpose().ok()?);
            }
            Arc::new(builder.finish())
        }
        (_, None) => {
            let mut builder = BinaryViewBuilder::with_capacity(values.len());
            values.iter().for_each(|value| builder.append_option(*value));
            Arc::new(builder.finish())
        }
        (_, Some(width)) => {
            let mut bytes = Vec::with_capacity(values.len() * width);
            let mut present = BooleanBufferBuilder::new(values.len());
            for value in values {
                present.append(value.is_some());
                bytes.extend_from_slice(value.unwrap_or(&[0; 16][..width]));
            }
            let nulls = NullBuffer::new(present.finish());
            let data = arrow::array::ArrayData::builder(data_type.clone())
                .len(values.len())
                .add_buffer(Buffer::from(bytes))
                .nulls((nulls.null_count() > 0).then_some(nulls))
                .align_buffers(true);
            make_array(data.build().ok()?)
        }
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, new_null_array};

    use super::*;

    /// Three rows of every type, one of them null.
    fn every_type() -> RecordBatch {
        let bytes = |width: usize| (0..3 * width).map(|byte| (byte as u8).wrapping_mul(7)).collect::<Vec<u8>>();
        let mut types: Vec<(DataType, Option<usize>)> =
            TYPES.iter().map(|(_, ty, width)| (ty.clone(), *width)).collect();
        types.extend([(instant(), Some(8)), (DataType::Decimal128(20, -3), Some(16))]);
        let (mut fields, mut arrays) = (Vec::new(), Vec::new());
        for (number, (data_type, width)) in types.into_iter().enumerate() {
            let long = bytes(width.unwrap_or(20));
            let mut values: Vec<Option<&[u8]>> = long.chunks(long.len() / 3).map(Some).collect();
            values[1] = None;
            if matches!(data_type, DataType::Decimal128(..)) {
                values = vec![Some(&[0; 16]), None, Some(&[255; 16])];
            }
            if data_type == DataType::Utf8View {
                values = vec![Some(b""), None, Some("länger als zwölf Bytes".as_bytes())];
            }
            if data_type == DataType::Boolean {
                values = vec![Some(&[1]), None, Some(&[0])];
            }
            let array = array(&data_type, width, &values).unwrap();
            fields.push(Field::new(number.to_string(), data_type, true));
            arrays.push(array);
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
    }

    #[test]
    fn rows_survive_and_damage_is_noticed() {
        let batch = every_type();
        let ids: Vec<ColumnId> = (0..batch.num_columns() as ColumnId).collect();
        for batch in [batch.clone(), batch.slice(1, 2), batch.slice(2, 1)] {
            assert!(fits(&batch));
            let mut bytes = Vec::new();
            encode(&batch, &mut bytes).unwrap();
            assert_eq!(decode(&ids, &bytes).unwrap(), batch);
            for cut in 0..bytes.len() {
                assert!(decode(&ids, &bytes[..cut]).is_none());
            }
            bytes.push(0);
            assert!(decode(&ids, &bytes).is_none());
        }
    }

    #[test]
    fn many_rows_and_other_types_do_not_fit() {
        let batch = |array: ArrayRef| {
            let field = Field::new("1", array.data_type().clone(), true);
            RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![array]).unwrap()
        };
        assert!(fits(&batch(Arc::new(Int32Array::from(vec![1; MAX_ROWS])))));
        assert!(!fits(&batch(Arc::new(Int32Array::from(vec![1; MAX_ROWS + 1])))));
        let list = DataType::new_list(DataType::Int32, true);
        assert!(!fits(&batch(new_null_array(&list, 1))));
    }
}
