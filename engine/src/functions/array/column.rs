//! PostgreSQL arrays in their Arrow form: `Struct { elements: List<item>, shape: List<Int32> }`.

use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::types::representation::array_type;
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray, new_null_array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{DataType, Field, Int32Type};

use crate::execute::error::from_arrow;
use crate::functions::value::{Read, Write, downcast};

/// `MAXDIM` of PostgreSQL.
pub const MAX_DIMENSIONS: usize = 6;

/// Length and lower bound of one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dimension {
    pub length: i32,
    pub lower: i32,
}

/// A column of arrays.
#[derive(Clone, Copy)]
pub struct ArrayColumn<'a> {
    whole: &'a StructArray,
    elements: &'a ListArray,
    shape: &'a ListArray,
}

impl<'a> ArrayColumn<'a> {
    pub fn open(array: &'a ArrayRef) -> Result<Self> {
        let whole = downcast::<StructArray>(array)?;
        match whole.columns() {
            [elements, shape] => Ok(Self { whole, elements: downcast(elements)?, shape: downcast(shape)? }),
            _ => Err(Error::internal("an array column has two fields")),
        }
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.whole.is_null(row)
    }

    pub fn len(&self) -> usize {
        self.whole.len()
    }

    /// The elements of all rows; [`Self::range`] says which are a row's.
    pub fn elements(&self) -> &'a ArrayRef {
        self.elements.values()
    }

    pub fn range(&self, row: usize) -> Range<usize> {
        let offsets = self.elements.value_offsets();
        offsets[row] as usize..offsets[row + 1] as usize
    }

    /// Empty for an empty array.
    pub fn dimensions(&self, row: usize) -> Vec<Dimension> {
        let length = self.range(row).len() as i32;
        if self.shape.is_valid(row) {
            let shape = self.shape.value(row);
            let shape = shape.as_primitive::<Int32Type>().values().to_vec();
            if !shape.is_empty() {
                return shape.chunks_exact(2).map(|pair| Dimension { length: pair[0], lower: pair[1] }).collect();
            }
        }
        if length == 0 { Vec::new() } else { vec![Dimension { length, lower: 1 }] }
    }

    /// The elements of one row as an array of their own.
    pub fn slice(&self, row: usize) -> ArrayRef {
        let range = self.range(row);
        self.elements().slice(range.start, range.len())
    }
}

/// Builds a column of arrays whose elements are taken from other columns.
pub struct ArrayWriter {
    sources: Vec<ArrayRef>,
    picks: Vec<(usize, usize)>,
    frame: Frame,
}

/// Everything of a column of arrays but the elements.
#[derive(Default)]
pub struct Frame {
    ends: Vec<i32>,
    shapes: Vec<Option<Vec<i32>>>,
    valid: Vec<bool>,
}

impl ArrayWriter {
    /// `element` is the Arrow type of elements; the last source holds one null.
    pub fn new(mut sources: Vec<ArrayRef>, element: &DataType) -> Self {
        sources.push(new_null_array(element, 1));
        Self { sources, picks: Vec::new(), frame: Frame::default() }
    }

    /// Adds an element to the array that is being written.
    pub fn pick(&mut self, source: usize, position: usize) {
        self.picks.push((source, position));
    }

    /// Ends the array: one dimension, lower bound 1.
    pub fn end(&mut self) {
        self.frame.end(self.picks.len(), None);
    }

    pub fn end_with(&mut self, dimensions: &[Dimension]) {
        self.frame.end(self.picks.len(), Some(dimensions));
    }

    pub fn end_null(&mut self) {
        self.frame.end_null(self.picks.len());
    }

    pub fn finish(self) -> Result<ArrayRef> {
        let sources: Vec<&dyn Array> = self.sources.iter().map(|source| &**source).collect();
        let elements = interleave(&sources, &self.picks).map_err(from_arrow)?;
        self.frame.finish(elements)
    }
}

impl Frame {
    /// Ends an array of which `elements` is the number of all elements so far.
    pub fn end(&mut self, elements: usize, dimensions: Option<&[Dimension]>) {
        self.ends.push(elements as i32);
        self.valid.push(true);
        self.shapes.push(match dimensions {
            None | Some([] | [Dimension { lower: 1, .. }]) => None,
            Some(dimensions) => {
                Some(dimensions.iter().flat_map(|dimension| [dimension.length, dimension.lower]).collect())
            }
        });
    }

    pub fn end_null(&mut self, elements: usize) {
        self.ends.push(elements as i32);
        self.valid.push(false);
        self.shapes.push(None);
    }

    pub fn finish(self, elements: ArrayRef) -> Result<ArrayRef> {
        let data_type = array_type(elements.data_type().clone());
        let DataType::Struct(fields) = data_type else { return Err(Error::internal("an array is a struct")) };
        let offsets = OffsetBuffer::new(std::iter::once(0).chain(self.ends).collect());
        let item = Field::new("item", elements.data_type().clone(), true);
        let lists = ListArray::try_new(item.into(), offsets, elements, None).map_err(from_arrow)?;
        let shapes = shape_lists(&self.shapes)?;
        let nulls = NullBuffer::from(self.valid);
        let nulls = (nulls.null_count() > 0).then_some(nulls);
        Ok(Arc::new(StructArray::try_new(fields, vec![Arc::new(lists), Arc::new(shapes)], nulls).map_err(from_arrow)?))
    }
}

fn shape_lists(shapes: &[Option<Vec<i32>>]) -> Result<ListArray> {
    let lengths = shapes.iter().map(|shape| shape.as_ref().map_or(0, Vec::len));
    let offsets = OffsetBuffer::from_lengths(lengths);
    let values: Int32Array = shapes.iter().flatten().flatten().copied().collect::<Vec<_>>().into();
    let nulls: NullBuffer = shapes.iter().map(Option::is_some).collect::<Vec<_>>().into();
    let item = Field::new("item", DataType::Int32, true);
    ListArray::try_new(item.into(), offsets, Arc::new(values), Some(nulls)).map_err(from_arrow)
}

/// A one-dimensional array as a Rust value. Reading flattens several dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T>(pub Vec<Option<T>>);

impl<T> FromIterator<T> for List<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().map(Some).collect())
    }
}

impl<'a, T: Read<'a>> Read<'a> for List<T> {
    type Column = (ArrayColumn<'a>, T::Column);
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        let column = ArrayColumn::open(array)?;
        Ok((column, T::open(column.elements())?))
    }
    fn get((column, elements): &Self::Column, row: usize) -> Self {
        let nulls = column.elements();
        Self(column.range(row).map(|at| nulls.is_valid(at).then(|| T::get(elements, at))).collect())
    }
}

impl<T: Write> Write for List<T> {
    type Builder = (T::Builder, usize, Frame);
    fn builder(rows: usize) -> Self::Builder {
        (T::builder(rows), 0, Frame::default())
    }
    fn append(self, (elements, count, frame): &mut Self::Builder) {
        *count += self.0.len();
        for element in self.0 {
            match element {
                Some(element) => element.append(elements),
                None => T::append_null(elements),
            }
        }
        frame.end(*count, None);
    }
    fn append_null((_, count, frame): &mut Self::Builder) {
        frame.end_null(*count);
    }
    fn finish((elements, _, frame): Self::Builder) -> ArrayRef {
        frame.finish(T::finish(elements)).expect("elements and offsets were built together")
    }
}

/// 54000 unless so many elements or dimensions may be in one array.
pub fn check_size(elements: i64) -> Result<()> {
    const MAX: i64 = 134_217_727;
    if elements > MAX {
        return Err(Error::new(
            sqlstate::PROGRAM_LIMIT_EXCEEDED,
            format!("array size exceeds the maximum allowed ({MAX})"),
        ));
    }
    Ok(())
}
