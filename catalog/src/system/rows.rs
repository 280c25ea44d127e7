//! Collects the rows of a system relation and makes Arrow columns of them.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, ListArray, StringViewArray,
    StructArray, TimestampMicrosecondArray, UInt32Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};

use super::shown::Columns;
use crate::facts::tsv;
use crate::object::Column;
use crate::types::{built_in, oid};
use crate::{Error, Result};

/// One value, before its column's type decides on its width.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    /// Integers of all widths, OIDs, microseconds of a timestamp.
    Int(i64),
    Float(f64),
    Text(Cow<'static, str>),
    /// One-dimensional arrays.
    Ints(Vec<i64>),
    Texts(Vec<String>),
}

macro_rules! from_integer {
    ($($integer:ty),*) => {$(
        impl From<$integer> for Cell {
            fn from(value: $integer) -> Self {
                Self::Int(i64::from(value))
            }
        }
    )*};
}
from_integer!(i16, i32, i64, u32);

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f32> for Cell {
    fn from(value: f32) -> Self {
        Self::Float(f64::from(value))
    }
}

/// A "char": NUL is the empty one.
impl From<char> for Cell {
    fn from(value: char) -> Self {
        Self::Text(if value == '\0' { "".into() } else { value.to_string().into() })
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned().into())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value.into())
    }
}

impl From<&String> for Cell {
    fn from(value: &String) -> Self {
        Self::Text(value.clone().into())
    }
}

impl From<Cow<'static, str>> for Cell {
    fn from(value: Cow<'static, str>) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<i64> + Copy> From<&[T]> for Cell {
    fn from(values: &[T]) -> Self {
        Self::Ints(values.iter().map(|&value| value.into()).collect())
    }
}

impl From<Vec<String>> for Cell {
    fn from(values: Vec<String>) -> Self {
        Self::Texts(values)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row: `row![a, b, c]`, each value turned into a [`Cell`].
macro_rules! row {
    ($($value:expr),* $(,)?) => { [$($crate::system::rows::Cell::from($value)),*] };
}
pub(super) use row;

/// The rows of one relation, column by column; only the columns that are wanted.
#[derive(Debug)]
pub struct Rows<'a> {
    columns: &'a [Column],
    cells: Vec<Option<Vec<Cell>>>,
    count: usize,
}

impl<'a> Rows<'a> {
    /// `wanted` are positions of columns.
    pub fn new(columns: &'a [Column], wanted: &[usize]) -> Self {
        let cells = (0..columns.len()).map(|position| wanted.contains(&position).then(Vec::new)).collect();
        Self { columns, cells, count: 0 }
    }

    /// Whether a column is, for values that take time.
    pub fn wants(&self, column: &str) -> bool {
        self.columns.iter().zip(&self.cells).any(|(found, cells)| found.name == column && cells.is_some())
    }

    /// Adds a row, with a value for every column.
    pub fn push<const N: usize>(&mut self, row: [Cell; N]) {
        assert_eq!(N, self.columns.len(), "a row of {} columns", self.columns.len());
        self.count += 1;
        let wanted = self.cells.iter_mut().zip(row).filter_map(|(cells, cell)| Some((cells.as_mut()?, cell)));
        wanted.for_each(|(cells, cell)| cells.push(cell));
    }

    /// Adds a row of COPY text; array columns must be null.
    pub fn push_text(&mut self, row: tsv::Fields) {
        let fields = row.remaining();
        assert_eq!(fields.len(), self.columns.len(), "a row of {} columns", self.columns.len());
        self.count += 1;
        for ((cells, field), column) in self.cells.iter_mut().zip(fields).zip(self.columns) {
            let Some(cells) = cells else { continue };
            cells.push(field.map_or(Cell::Null, |text| parse(&built_in(column.ty), text)));
        }
    }

    pub(super) fn finish(self) -> Result<Columns> {
        let wanted = self.columns.iter().zip(&self.cells).enumerate();
        let wanted = wanted.filter_map(|(position, (column, cells))| Some((position, column, cells.as_ref()?)));
        let arrays = wanted.map(|(position, column, cells)| {
            let is_vector = matches!(column.ty.oid, oid::INT2VECTOR | oid::OIDVECTOR);
            let array = array(&built_in(column.ty), cells, is_vector)
                .ok_or_else(|| Error::internal(format!("a value of column {} has another type", column.name)))?;
            Ok((position, array))
        });
        Ok(Columns { count: self.count, arrays: arrays.collect::<Result<_>>()? })
    }
}

fn parse(data_type: &DataType, text: Cow<'static, str>) -> Cell {
    match data_type {
        DataType::Boolean => Cell::Bool(text == "t"),
        DataType::Utf8View => Cell::Text(text),
        DataType::Float32 | DataType::Float64 => Cell::Float(text.parse().expect("a number in a file of facts")),
        _ => Cell::Int(text.parse().expect("an integer in a file of facts")),
    }
}

impl Cell {
    fn int<T: TryFrom<i64>>(&self) -> Option<Option<T>> {
        match self {
            Self::Null => Some(None),
            Self::Int(value) => T::try_from(*value).ok().map(Some),
            _ => None,
        }
    }

    fn float(&self) -> Option<Option<f64>> {
        match self {
            Self::Null => Some(None),
            Self::Float(value) => Some(Some(*value)),
            _ => None,
        }
    }

    fn boolean(&self) -> Option<Option<bool>> {
        match self {
            Self::Null => Some(None),
            Self::Bool(value) => Some(Some(*value)),
            _ => None,
        }
    }

    fn text(&self) -> Option<Option<&str>> {
        match self {
            Self::Null => Some(None),
            Self::Text(value) => Some(Some(value)),
            _ => None,
        }
    }
}

/// The cells as one array of that type; None if one does not fit.
fn array(data_type: &DataType, cells: &[Cell], is_vector: bool) -> Option<ArrayRef> {
    Some(match data_type {
        DataType::Boolean => Arc::new(cells.iter().map(Cell::boolean).collect::<Option<BooleanArray>>()?),
        DataType::Int16 => Arc::new(cells.iter().map(Cell::int::<i16>).collect::<Option<Int16Array>>()?),
        DataType::Int32 => Arc::new(cells.iter().map(Cell::int::<i32>).collect::<Option<Int32Array>>()?),
        DataType::Int64 => Arc::new(cells.iter().map(Cell::int::<i64>).collect::<Option<Int64Array>>()?),
        DataType::UInt32 => Arc::new(cells.iter().map(Cell::int::<u32>).collect::<Option<UInt32Array>>()?),
        DataType::Float64 => Arc::new(cells.iter().map(Cell::float).collect::<Option<Float64Array>>()?),
        DataType::Float32 => {
            let narrow = cells.iter().map(|cell| cell.float().map(|value| value.map(|value| value as f32)));
            Arc::new(narrow.collect::<Option<Float32Array>>()?)
        }
        DataType::Utf8View => Arc::new(cells.iter().map(Cell::text).collect::<Option<StringViewArray>>()?),
        DataType::Timestamp(_, zone) => {
            let values = cells.iter().map(Cell::int::<i64>).collect::<Option<TimestampMicrosecondArray>>()?;
            Arc::new(values.with_timezone_opt(zone.clone()))
        }
        list @ DataType::Struct(fields) if cells.iter().any(|cell| *cell != Cell::Null) => {
            let DataType::List(item) = fields.first()?.data_type() else { return None };
            lists(list, item, cells, is_vector)?
        }
        other if cells.iter().all(|cell| *cell == Cell::Null) => new_null_array(other, cells.len()),
        _ => return None,
    })
}

/// One-dimensional arrays; `int2vector` and `oidvector` count from 0, which their shape says.
fn lists(data_type: &DataType, item: &Arc<Field>, cells: &[Cell], is_vector: bool) -> Option<ArrayRef> {
    let DataType::Struct(fields) = data_type else { return None };
    let (mut elements, mut shapes) = (Vec::new(), Vec::new());
    let (mut lengths, mut shape_lengths) = (Vec::new(), Vec::new());
    for cell in cells {
        let length = match cell {
            Cell::Null => 0,
            Cell::Ints(values) => {
                elements.extend(values.iter().map(|&value| Cell::Int(value)));
                values.len()
            }
            Cell::Texts(values) => {
                elements.extend(values.iter().map(Cell::from));
                values.len()
            }
            _ => return None,
        };
        lengths.push(length);
        let shaped = is_vector && length > 0;
        if shaped {
            shapes.extend([i32::try_from(length).ok()?, 0]);
        }
        shape_lengths.push(if shaped { 2 } else { 0 });
    }
    let nulls = NullBuffer::from_iter(cells.iter().map(|cell| *cell != Cell::Null));
    let values = array(item.data_type(), &elements, false)?;
    let elements = ListArray::new(item.clone(), OffsetBuffer::from_lengths(lengths), values, Some(nulls.clone()));
    let DataType::List(shape_item) = fields.get(1)?.data_type() else { return None };
    let shaped = NullBuffer::from_iter(shape_lengths.iter().map(|&length| length > 0));
    let shapes = ListArray::new(
        shape_item.clone(),
        OffsetBuffer::from_lengths(shape_lengths),
        Arc::new(Int32Array::from(shapes)),
        Some(shaped),
    );
    Some(Arc::new(StructArray::new(fields.clone(), vec![Arc::new(elements), Arc::new(shapes)], Some(nulls))))
}
