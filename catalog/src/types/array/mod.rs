//! Arrays (manual 8.15): a Struct of `elements` (a List) and `shape` (a List of Int32).
//!
//! `shape` is null for an empty array and for the common one-dimensional array with lower bound 1, else
//! `[dim1, lower1, dim2, lower2, …]`. Elements are in row-major order. `int2vector` and `oidvector` count
//! from 0 and therefore always carry their shape.

mod text;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field};

pub(super) use text::{literal, needs_quotes, vector_literal, write_dimensions, write_quoted};

use super::representation::array_fields;
use crate::error::{Error, Result};
use crate::sqlstate;

/// Most dimensions of an array (`MAXDIM`).
pub const MAX_DIMENSIONS: usize = 6;

/// Length and lower bound of one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimension {
    pub length: i32,
    pub lower: i32,
}

impl Dimension {
    pub const fn upper(self) -> i32 {
        self.lower.saturating_add(self.length - 1)
    }
}

/// One array value.
#[derive(Debug, Clone)]
pub struct PgArray {
    /// In row-major order.
    pub elements: ArrayRef,
    /// Outermost first; none for an empty array.
    pub dimensions: Vec<Dimension>,
}

impl PgArray {
    /// A one-dimensional array with lower bound 1; empty if there are no elements.
    pub fn vector(elements: ArrayRef) -> Self {
        let dimensions = usual_dimensions(elements.len());
        Self { elements, dimensions }
    }

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Position of the element with these subscripts; `None` outside the bounds or with another number of
    /// subscripts than dimensions.
    pub fn position(&self, subscripts: &[i32]) -> Option<usize> {
        if subscripts.len() != self.dimensions.len() || subscripts.is_empty() {
            return None;
        }
        let mut position = 0usize;
        for (&subscript, dimension) in subscripts.iter().zip(&self.dimensions) {
            let offset =
                subscript.checked_sub(dimension.lower).filter(|&offset| (0..dimension.length).contains(&offset))?;
            position = position.checked_mul(dimension.length as usize)?.checked_add(offset as usize)?;
        }
        Some(position)
    }
}

fn usual_dimensions(length: usize) -> Vec<Dimension> {
    if length == 0 { Vec::new() } else { vec![Dimension { length: length as i32, lower: 1 }] }
}

/// A column of arrays.
#[derive(Debug, Clone)]
pub struct ArrayColumn {
    nulls: Option<NullBuffer>,
    elements: ListArray,
    shape: ListArray,
    shape_values: Int32Array,
}

impl ArrayColumn {
    /// Takes a column in the representation of arrays apart; `None` if it is none.
    pub fn new(array: &dyn Array) -> Option<Self> {
        let array = array.as_struct_opt()?;
        let [elements, shape] = array.columns() else { return None };
        let elements = elements.as_list_opt::<i32>()?.clone();
        let shape = shape.as_list_opt::<i32>()?.clone();
        let shape_values = shape.values().as_primitive_opt()?.clone();
        Some(Self { nulls: array.nulls().cloned(), elements, shape, shape_values })
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// The elements of all rows; a row's are those in [`range`](Self::range).
    pub fn all_elements(&self) -> &ArrayRef {
        self.elements.values()
    }

    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.elements.value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }

    /// The explicit shape of a row as `[dim1, lower1, …]`; `None` for the usual one.
    pub fn shape(&self, row: usize) -> Option<&[i32]> {
        if self.shape.is_null(row) {
            return None;
        }
        let offsets = self.shape.value_offsets();
        Some(&self.shape_values.values()[offsets[row] as usize..offsets[row + 1] as usize])
    }

    /// The dimensions of a row; none for an empty array.
    pub fn dimensions(&self, row: usize) -> Vec<Dimension> {
        match self.shape(row) {
            Some(shape) => {
                shape.as_chunks::<2>().0.iter().map(|&[length, lower]| Dimension { length, lower }).collect()
            }
            None => usual_dimensions(self.range(row).len()),
        }
    }

    /// The array of a row that is not null.
    pub fn value(&self, row: usize) -> PgArray {
        let range = self.range(row);
        let elements = self.all_elements().slice(range.start, range.len());
        PgArray { elements, dimensions: self.dimensions(row) }
    }
}

/// Collects the bounds of arrays whose elements are collected elsewhere, and puts both together.
#[derive(Debug, Default)]
pub struct Layout {
    lengths: Vec<usize>,
    valid: Vec<bool>,
    shapes: Vec<i32>,
    shape_lengths: Vec<usize>,
    shape_valid: Vec<bool>,
}

impl Layout {
    pub fn len(&self) -> usize {
        self.lengths.len()
    }

    pub fn append_null(&mut self) {
        self.push(0, false, &[]);
    }

    pub fn append(&mut self, length: usize, dimensions: &[Dimension]) {
        let usual = match dimensions {
            [] => length == 0,
            [only] => only.lower == 1,
            _ => false,
        };
        self.push(length, true, if usual { &[] } else { dimensions });
    }

    fn push(&mut self, length: usize, valid: bool, dimensions: &[Dimension]) {
        self.lengths.push(length);
        self.valid.push(valid);
        for dimension in dimensions {
            self.shapes.extend_from_slice(&[dimension.length, dimension.lower]);
        }
        self.shape_lengths.push(2 * dimensions.len());
        self.shape_valid.push(!dimensions.is_empty());
    }

    /// The column over all elements of the rows appended; the layout is empty afterwards.
    pub fn finish(&mut self, elements: ArrayRef) -> Result<ArrayRef> {
        let layout = std::mem::take(self);
        let item = |data_type: &DataType| Arc::new(Field::new("item", data_type.clone(), true));
        let internal = |error: arrow::error::ArrowError| Error::internal(error.to_string());
        let fields = array_fields(elements.data_type().clone());
        let list =
            ListArray::try_new(item(elements.data_type()), OffsetBuffer::from_lengths(layout.lengths), elements, None);
        let shape = ListArray::try_new(
            item(&DataType::Int32),
            OffsetBuffer::from_lengths(layout.shape_lengths),
            Arc::new(Int32Array::new(ScalarBuffer::from(layout.shapes), None)),
            Some(NullBuffer::from(layout.shape_valid)),
        );
        let columns: Vec<ArrayRef> = vec![Arc::new(list.map_err(internal)?), Arc::new(shape.map_err(internal)?)];
        let nulls = Some(NullBuffer::from(layout.valid)).filter(|nulls| nulls.null_count() > 0);
        Ok(Arc::new(StructArray::try_new(fields, columns, nulls).map_err(internal)?))
    }
}

/// Builds a column of arrays from values.
#[derive(Debug)]
pub struct ArraysBuilder {
    element_type: DataType,
    elements: Vec<ArrayRef>,
    layout: Layout,
}

impl ArraysBuilder {
    /// `element_type` is the elements' Arrow type.
    pub fn new(element_type: DataType) -> Self {
        Self { element_type, elements: Vec::new(), layout: Layout::default() }
    }

    pub fn append_null(&mut self) {
        self.layout.append_null();
    }

    pub fn append(&mut self, array: &PgArray) {
        self.layout.append(array.len(), &array.dimensions);
        if !array.is_empty() {
            self.elements.push(array.elements.clone());
        }
    }

    pub fn finish(mut self) -> Result<ArrayRef> {
        let elements = if self.elements.is_empty() {
            arrow::array::new_empty_array(&self.element_type)
        } else {
            let parts: Vec<&dyn Array> = self.elements.iter().map(AsRef::as_ref).collect();
            concat(&parts).map_err(|error| Error::internal(error.to_string()))?
        };
        self.layout.finish(elements)
    }
}

/// `54000 number of array dimensions (n) exceeds the maximum allowed (6)`.
pub fn too_many_dimensions(count: usize) -> Error {
    Error::new(
        sqlstate::PROGRAM_LIMIT_EXCEEDED,
        format!("number of array dimensions ({count}) exceeds the maximum allowed ({MAX_DIMENSIONS})"),
    )
}

/// Number of elements that the dimensions hold; fails as PostgreSQL does where that is too large.
pub(super) fn element_count(dimensions: &[Dimension]) -> Result<usize> {
    const MAX_ELEMENTS: i64 = 134_217_727;
    let too_large = || {
        Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, format!("array size exceeds the maximum allowed ({MAX_ELEMENTS})"))
    };
    let mut count = i64::from(!dimensions.is_empty());
    for dimension in dimensions {
        if dimension.length < 0 {
            return Err(too_large());
        }
        count =
            count.checked_mul(dimension.length.into()).filter(|&count| count <= MAX_ELEMENTS).ok_or_else(too_large)?;
        if dimension.lower.checked_add(dimension.length).is_none() {
            return Err(Error::new(
                sqlstate::PROGRAM_LIMIT_EXCEEDED,
                format!("array lower bound is too large: {}", dimension.lower),
            ));
        }
    }
    Ok(count as usize)
}
