//! Building columns of arrays and of rows: columns made of columns.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StructArray, new_empty_array};
use arrow::buffer::NullBuffer;
use arrow::compute::concat;
use arrow::datatypes::{DataType, Fields};

use super::array::{Dimension, Layout, MAX_DIMENSIONS, element_count, literal, too_many_dimensions, vector_literal};
use super::binary::{Reader, invalid_binary};
use super::builder::ColumnBuilder;
use super::oid::{self, Oid};
use super::structure::struct_fields;
use super::text::invalid_input;
use super::type_name::format_type;
use super::{FormatSettings, Names, Type, record};
use crate::error::{Error, Result};
use crate::sqlstate;

/// Rows of a child column that a failed append left behind; they are dropped in the end.
#[derive(Default)]
struct Leftovers(Vec<Range<usize>>);

impl Leftovers {
    fn note(&mut self, range: Range<usize>) {
        if !range.is_empty() {
            self.0.push(range);
        }
    }

    fn remove(&mut self, array: ArrayRef) -> Result<ArrayRef> {
        let leftovers = std::mem::take(&mut self.0);
        if leftovers.is_empty() {
            return Ok(array);
        }
        let mut kept = Vec::with_capacity(leftovers.len() + 1);
        let mut start = 0;
        for range in leftovers {
            kept.push(array.slice(start, range.start - start));
            start = range.end;
        }
        kept.push(array.slice(start, array.len() - start));
        let parts: Vec<&dyn Array> = kept.iter().map(AsRef::as_ref).collect();
        concat(&parts).map_err(|error| Error::internal(error.to_string()))
    }
}

/// Values of an array type.
pub(super) struct ArrayValues {
    ty: Type,
    element: Oid,
    delimiter: u8,
    elements: ColumnBuilder,
    layout: Layout,
    leftovers: Leftovers,
}

/// `int2vector` and `oidvector` count from zero.
fn is_vector(type_oid: Oid) -> bool {
    matches!(type_oid, oid::INT2VECTOR | oid::OIDVECTOR)
}

/// What separates elements in text: `typdelim`.
pub(super) fn delimiter(element: Oid) -> u8 {
    if element == oid::BOX { b';' } else { b',' }
}

impl ArrayValues {
    pub fn new(ty: Type, element: Oid, capacity: usize, names: &Names) -> Result<Self> {
        Ok(Self {
            ty,
            element,
            delimiter: delimiter(element),
            elements: ColumnBuilder::new(Type::new(element, ty.typmod), capacity, names)?,
            layout: Layout::default(),
            leftovers: Leftovers::default(),
        })
    }

    pub fn len(&self) -> usize {
        self.layout.len()
    }

    pub fn append_null(&mut self) {
        self.layout.append_null();
    }

    pub fn append_text(&mut self, text: &str, settings: &FormatSettings) -> Result<()> {
        let start = self.elements.len();
        let result = if is_vector(self.ty.oid) {
            self.append_vector(text, settings)
        } else {
            self.append_literal(text, settings)
        };
        self.complete(start, result)
    }

    /// Notes the array that was appended, or what it left behind.
    fn complete(&mut self, start: usize, result: Result<Vec<Dimension>>) -> Result<()> {
        let end = self.elements.len();
        match result {
            Ok(dimensions) => {
                self.layout.append(end - start, &dimensions);
                Ok(())
            }
            Err(error) => {
                self.leftovers.note(start..end);
                Err(error)
            }
        }
    }

    fn append_vector(&mut self, text: &str, settings: &FormatSettings) -> Result<Vec<Dimension>> {
        let mut length = 0;
        for (number, rest) in vector_literal(text) {
            let result = self.elements.append_text(number, settings);
            result.map_err(|error| match error.code() {
                // The message shows all that is left.
                sqlstate::INVALID_TEXT_REPRESENTATION => {
                    invalid_input(if self.element == oid::OID { "oid" } else { "smallint" }, rest)
                }
                _ => error,
            })?;
            length += 1;
        }
        Ok(vector_dimensions(length))
    }

    fn append_literal(&mut self, text: &str, settings: &FormatSettings) -> Result<Vec<Dimension>> {
        let literal = literal(text, self.delimiter)?;
        for element in &literal.elements {
            match element {
                Some(text) => self.elements.append_text(text, settings)?,
                None => self.elements.append_null(),
            }
        }
        Ok(literal.dimensions)
    }

    pub fn append_binary(&mut self, bytes: &[u8]) -> Result<()> {
        let start = self.elements.len();
        let result = self.read_binary(bytes);
        self.complete(start, result)
    }

    fn read_binary(&mut self, bytes: &[u8]) -> Result<Vec<Dimension>> {
        let mut reader = Reader::new(bytes);
        let count = reader.i32()?;
        if count < 0 {
            return Err(invalid_binary(format!("invalid number of dimensions: {count}")));
        }
        if count as usize > MAX_DIMENSIONS {
            return Err(too_many_dimensions(count as usize));
        }
        if !matches!(reader.i32()?, 0 | 1) {
            return Err(invalid_binary("invalid array flags"));
        }
        let element = reader.u32()?;
        if element != self.element {
            let name = |type_oid| format_type(Type::of(type_oid));
            return Err(Error::new(
                sqlstate::DATATYPE_MISMATCH,
                format!(
                    "binary data has array element type {element} ({}) instead of expected {} ({})",
                    name(element),
                    self.element,
                    name(self.element)
                ),
            ));
        }
        let mut dimensions = Vec::with_capacity(count as usize);
        for _ in 0..count {
            dimensions.push(Dimension { length: reader.i32()?, lower: reader.i32()? });
        }
        let length = element_count(&dimensions)?;
        for _ in 0..length {
            match reader.i32()? {
                -1 => self.elements.append_null(),
                size => {
                    let size =
                        usize::try_from(size).map_err(|_| invalid_binary("insufficient data left in message"))?;
                    self.elements.append_binary(reader.take(size)?)?;
                }
            }
        }
        reader.finish()?;
        if is_vector(self.ty.oid) {
            return Ok(vector_dimensions(length as i32));
        }
        Ok(if length == 0 { Vec::new() } else { dimensions })
    }

    pub fn finish(&mut self) -> Result<ArrayRef> {
        let elements = self.elements.try_finish()?;
        self.layout.finish(self.leftovers.remove(elements)?)
    }
}

fn vector_dimensions(length: i32) -> Vec<Dimension> {
    if length == 0 { Vec::new() } else { vec![Dimension { length, lower: 0 }] }
}

/// Values of a row type.
pub(super) struct RecordValues {
    fields: Fields,
    columns: Vec<ColumnBuilder>,
    types: Vec<Type>,
    valid: Vec<bool>,
    /// Rows in the columns, those left behind included.
    rows: usize,
    leftovers: Vec<Range<usize>>,
}

impl RecordValues {
    pub fn new(fields: &[(String, Type)], capacity: usize, names: &Names) -> Result<Self> {
        let columns = fields.iter().map(|(_, ty)| ColumnBuilder::new(*ty, capacity, names)).collect::<Result<_>>()?;
        Ok(Self {
            fields: struct_fields(fields, names),
            columns,
            types: fields.iter().map(|(_, ty)| *ty).collect(),
            valid: Vec::new(),
            rows: 0,
            leftovers: Vec::new(),
        })
    }

    pub fn len(&self) -> usize {
        self.valid.len()
    }

    pub fn append_null(&mut self) {
        for column in &mut self.columns {
            column.append_null();
        }
        self.valid.push(false);
        self.rows += 1;
    }

    pub fn append_text(&mut self, text: &str, settings: &FormatSettings) -> Result<()> {
        let texts = record::literal(text, self.columns.len())?;
        let mut result = Ok(());
        for (column, text) in self.columns.iter_mut().zip(texts) {
            match text {
                Some(text) if result.is_ok() => {
                    result = column.append_text(&text, settings);
                    if result.is_err() {
                        column.append_null();
                    }
                }
                _ => column.append_null(),
            }
        }
        self.complete(result)
    }

    pub fn append_binary(&mut self, bytes: &[u8]) -> Result<()> {
        let mut reader = Reader::new(bytes);
        let count = reader.i32()?;
        if usize::try_from(count) != Ok(self.columns.len()) {
            return Err(Error::new(
                sqlstate::DATATYPE_MISMATCH,
                format!("wrong number of columns: {count}, expected {}", self.columns.len()),
            ));
        }
        let mut result = Ok(());
        for (index, column) in self.columns.iter_mut().enumerate() {
            let rows = column.len();
            if result.is_ok() {
                result = read_field(&mut reader, index, self.types[index], column);
            }
            if column.len() == rows {
                column.append_null();
            }
        }
        let result = result.and_then(|()| reader.finish());
        self.complete(result)
    }

    fn complete(&mut self, result: Result<()>) -> Result<()> {
        match &result {
            Ok(()) => self.valid.push(true),
            Err(_) => self.leftovers.push(self.rows..self.rows + 1),
        }
        self.rows += 1;
        result
    }

    pub fn finish(&mut self) -> Result<ArrayRef> {
        let valid = std::mem::take(&mut self.valid);
        let rows = valid.len();
        self.rows = 0;
        let leftovers = std::mem::take(&mut self.leftovers);
        let mut columns = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            columns.push(Leftovers(leftovers.clone()).remove(column.try_finish()?)?);
        }
        let nulls = Some(NullBuffer::from(valid)).filter(|nulls| nulls.null_count() > 0);
        if columns.is_empty() {
            return Ok(Arc::new(StructArray::new_empty_fields(rows, nulls)));
        }
        if rows == 0 {
            return Ok(new_empty_array(&DataType::Struct(self.fields.clone())));
        }
        let array = StructArray::try_new(self.fields.clone(), columns, nulls);
        Ok(Arc::new(array.map_err(|error| Error::internal(error.to_string()))?))
    }
}

fn read_field(reader: &mut Reader<'_>, index: usize, ty: Type, column: &mut ColumnBuilder) -> Result<()> {
    let found = reader.u32()?;
    if found != ty.oid {
        let name = |type_oid| format_type(Type::of(type_oid));
        return Err(Error::new(
            sqlstate::DATATYPE_MISMATCH,
            format!(
                "binary data has type {found} ({}) instead of expected {} ({}) in record column {}",
                name(found),
                ty.oid,
                name(ty.oid),
                index + 1
            ),
        ));
    }
    match reader.i32()? {
        -1 => {
            column.append_null();
            Ok(())
        }
        size => {
            let size = usize::try_from(size).map_err(|_| invalid_binary("insufficient data left in message"))?;
            column.append_binary(reader.take(size)?)
        }
    }
}
