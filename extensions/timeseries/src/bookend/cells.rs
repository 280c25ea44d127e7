//! Values kept one by one: as machine words where they fit, else as bytes that sort as they do.

use std::cmp::Ordering;

use aegis_engine::extension::{Error, Persist, Result};
use arrow::array::{Array, ArrayData, ArrayRef, make_array, new_null_array};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};

/// How values of a column are kept and compared.
pub trait Cells: Send + Sync + 'static {
    type Cell: Persist + Ord + Send + Sync + 'static;
    type Column;

    fn open(&self, array: &ArrayRef) -> Result<Self::Column>;
    /// None for a null.
    fn cell(column: &Self::Column, row: usize) -> Option<Self::Cell>;
    /// How a row compares to a cell; None for a null. Without a cell, equal.
    fn compare(column: &Self::Column, row: usize, cell: Option<&Self::Cell>) -> Option<Ordering>;
    fn array<'a>(&self, cells: impl ExactSizeIterator<Item = Option<&'a Self::Cell>>) -> Result<ArrayRef>;
    fn heap_size(_cell: &Self::Cell) -> usize {
        0
    }
}

fn failed(error: ArrowError) -> Error {
    Error::internal(error.to_string())
}

/// Integers, times, and floats in an order that is that of integers.
pub struct Words {
    data_type: DataType,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Eight,
    Four,
    Float,
}

/// The words of a column, and which of its rows are null.
pub struct WordColumn {
    words: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
}

impl Words {
    /// None if the values are no words.
    pub fn of(data_type: &DataType) -> Option<Self> {
        let form = match data_type {
            DataType::Int64 | DataType::Timestamp(..) | DataType::Time64(_) => Form::Eight,
            DataType::Int32 | DataType::Date32 => Form::Four,
            DataType::Float64 => Form::Float,
            _ => return None,
        };
        Some(Self { data_type: data_type.clone(), form })
    }
}

/// The bits of a float as an integer, so that order is kept; and back.
fn turned(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

impl Cells for Words {
    type Cell = i64;
    type Column = WordColumn;

    fn open(&self, array: &ArrayRef) -> Result<WordColumn> {
        let data = array.to_data();
        let Some(buffer) = data.buffers().first().cloned().filter(|_| *array.data_type() == self.data_type) else {
            return Err(Error::internal(format!("{} instead of {}", array.data_type(), self.data_type)));
        };
        let words = match self.form {
            Form::Eight => ScalarBuffer::new(buffer, data.offset(), data.len()),
            Form::Four => {
                let words: ScalarBuffer<i32> = ScalarBuffer::new(buffer, data.offset(), data.len());
                words.iter().map(|word| i64::from(*word)).collect()
            }
            Form::Float => {
                let bits: ScalarBuffer<i64> = ScalarBuffer::new(buffer, data.offset(), data.len());
                bits.iter().map(|bits| turned(*bits)).collect()
            }
        };
        Ok(WordColumn { words, nulls: array.nulls().filter(|nulls| nulls.null_count() > 0).cloned() })
    }

    #[inline]
    fn cell(column: &WordColumn, row: usize) -> Option<i64> {
        let valid = column.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        valid.then(|| column.words[row])
    }

    #[inline]
    fn compare(column: &WordColumn, row: usize, cell: Option<&i64>) -> Option<Ordering> {
        let word = Self::cell(column, row)?;
        Some(cell.map_or(Ordering::Equal, |cell| word.cmp(cell)))
    }

    fn array<'a>(&self, cells: impl ExactSizeIterator<Item = Option<&'a i64>>) -> Result<ArrayRef> {
        let length = cells.len();
        let mut valid = Vec::with_capacity(length);
        let words: Vec<i64> = cells
            .map(|cell| {
                valid.push(cell.is_some());
                cell.copied().unwrap_or_default()
            })
            .collect();
        let buffer = match self.form {
            Form::Eight => Buffer::from_vec(words),
            Form::Float => Buffer::from_vec(words.into_iter().map(turned).collect()),
            // They came from words of four bytes.
            Form::Four => Buffer::from_vec(words.into_iter().map(|word| word as i32).collect()),
        };
        let data = ArrayData::builder(self.data_type.clone())
            .len(length)
            .add_buffer(buffer)
            .nulls(Some(NullBuffer::from(valid)))
            .build();
        data.map(make_array).map_err(failed)
    }
}

/// Any values, in Arrow's row format.
pub struct Rows {
    converter: RowConverter,
    /// The row of a null.
    null: Vec<u8>,
}

pub struct RowColumn {
    rows: arrow::row::Rows,
    nulls: Option<NullBuffer>,
}

impl Rows {
    pub fn of(data_type: DataType) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())]).map_err(failed)?;
        let rows = converter.convert_columns(&[new_null_array(&data_type, 1)]).map_err(failed)?;
        Ok(Self { null: rows.row(0).as_ref().to_vec(), converter })
    }
}

impl Cells for Rows {
    type Cell = Vec<u8>;
    type Column = RowColumn;

    fn open(&self, array: &ArrayRef) -> Result<RowColumn> {
        let rows = self.converter.convert_columns(std::slice::from_ref(array)).map_err(failed)?;
        Ok(RowColumn { rows, nulls: array.logical_nulls() })
    }

    fn cell(column: &RowColumn, row: usize) -> Option<Vec<u8>> {
        let valid = column.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        valid.then(|| column.rows.row(row).as_ref().to_vec())
    }

    fn compare(column: &RowColumn, row: usize, cell: Option<&Vec<u8>>) -> Option<Ordering> {
        let valid = column.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row));
        valid.then(|| cell.map_or(Ordering::Equal, |cell| column.rows.row(row).as_ref().cmp(cell)))
    }

    fn array<'a>(&self, cells: impl ExactSizeIterator<Item = Option<&'a Vec<u8>>>) -> Result<ArrayRef> {
        let parser = self.converter.parser();
        let rows = cells.map(|cell| parser.parse(cell.unwrap_or(&self.null)));
        let columns = self.converter.convert_rows(rows).map_err(failed)?;
        columns.into_iter().next().ok_or_else(|| Error::internal("rows without a column"))
    }

    fn heap_size(cell: &Vec<u8>) -> usize {
        cell.capacity()
    }
}
