//! Arrays of PostgreSQL: Struct { elements: List, shape: List<Int32> } (`aegis_catalog::types`), and records.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, Int32Array, Int32Builder, ListArray, ListBuilder,
    StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{concat, interleave, take};
use arrow::datatypes::{DataType, Field, Fields, Int32Type};
use datafusion::scalar::ScalarValue;

use super::error::{from_arrow, from_datafusion};
use super::lambda::Lambda;

/// A column of arrays, taken apart.
pub struct Arrays<'a> {
    pub nulls: Option<NullBuffer>,
    pub elements: &'a ListArray,
    pub shapes: &'a ListArray,
}

impl<'a> Arrays<'a> {
    pub fn new(array: &'a ArrayRef) -> Result<Self> {
        let wrong = || Error::internal(format!("{} is no array", array.data_type()));
        let parts = array.as_struct_opt().ok_or_else(wrong)?;
        match parts.columns() {
            [elements, shapes] => Ok(Self {
                nulls: array.logical_nulls(),
                elements: elements.as_list_opt().ok_or_else(wrong)?,
                shapes: shapes.as_list_opt().ok_or_else(wrong)?,
            }),
            _ => Err(wrong()),
        }
    }

    pub fn len(&self) -> usize {
        self.elements.len()
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) || self.elements.is_null(row)
    }

    /// Position of the row's elements in `elements.values()`.
    pub fn range(&self, row: usize) -> std::ops::Range<usize> {
        let offsets = self.elements.value_offsets();
        let at = |index: usize| offsets.get(index).copied().unwrap_or(0) as usize;
        at(row)..at(row + 1)
    }

    /// (length, lower bound) of each dimension; none for an empty array.
    pub fn dimensions(&self, row: usize) -> Vec<(i32, i32)> {
        let count = self.range(row).len();
        if self.shapes.is_null(row) {
            return if count == 0 { Vec::new() } else { vec![(count as i32, 1)] };
        }
        let shape = self.shapes.value(row);
        match shape.as_primitive_opt::<Int32Type>() {
            Some(shape) => {
                shape.values().chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.get(1)?))).collect()
            }
            None => Vec::new(),
        }
    }
}

/// Puts arrays together; `shapes` of None means one dimension from 1.
pub fn assemble(elements: ListArray, shapes: Option<ListArray>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let rows = elements.len();
    let shapes = match shapes {
        Some(shapes) => Arc::new(shapes) as ArrayRef,
        None => new_null_array(&shape_type(), rows),
    };
    let fields = Fields::from(vec![
        Field::new("elements", elements.data_type().clone(), true),
        Field::new("shape", shape_type(), true),
    ]);
    let array = StructArray::try_new(fields, vec![Arc::new(elements), shapes], nulls).map_err(from_arrow)?;
    Ok(Arc::new(array))
}

fn shape_type() -> DataType {
    DataType::List(Field::new("item", DataType::Int32, true).into())
}

pub fn list_of(
    item: &DataType,
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
) -> Result<ListArray> {
    let field = Arc::new(Field::new("item", item.clone(), true));
    ListArray::try_new(field, offsets, values, nulls).map_err(from_arrow)
}

/// `ARRAY[e1, e2, …]` of values.
pub fn construct(elements: &[ArrayRef], item: &DataType, rows: usize) -> Result<ArrayRef> {
    let width = elements.len();
    let values = match width {
        0 => new_null_array(item, 0),
        _ => {
            let sources: Vec<&dyn Array> = elements.iter().map(|array| array.as_ref()).collect();
            let positions: Vec<_> = (0..rows).flat_map(|row| (0..width).map(move |column| (column, row))).collect();
            interleave(&sources, &positions).map_err(from_arrow)?
        }
    };
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(width, rows));
    assemble(list_of(item, offsets, values, None)?, None, None)
}

/// `ARRAY[a1, a2, …]` of arrays: one dimension more. All must have the same dimensions; nulls and empty ones make an empty array if all are.
pub fn nest(elements: &[ArrayRef], result: &DataType, rows: usize) -> Result<ArrayRef> {
    let parts = elements.iter().map(Arrays::new).collect::<Result<Vec<_>>>()?;
    let item = match result {
        DataType::Struct(fields) => match fields.first().map(|field| field.data_type()) {
            Some(DataType::List(item)) => item.data_type().clone(),
            _ => return Err(Error::internal("an array without elements")),
        },
        _ => return Err(Error::internal("an array that is no Struct")),
    };
    let mut lengths = Vec::with_capacity(rows);
    let mut positions = Vec::new();
    let mut shapes = ListBuilder::new(Int32Builder::new());
    for row in 0..rows {
        let inner: Vec<Vec<(i32, i32)>> =
            parts.iter().map(|part| if part.is_null(row) { Vec::new() } else { part.dimensions(row) }).collect();
        let first = inner.first().cloned().unwrap_or_default();
        if inner.iter().any(|dimensions| dimensions.iter().map(|d| d.0).ne(first.iter().map(|d| d.0))) {
            let message = "multidimensional arrays must have array expressions with matching dimensions";
            return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, message));
        }
        let mut length = 0;
        for (column, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_null(row)) {
            let range = part.range(row);
            length += range.len();
            positions.extend(range.map(|position| (column, position)));
        }
        lengths.push(length);
        if first.is_empty() {
            shapes.append_null();
        } else {
            shapes.values().append_slice(&[parts.len() as i32, 1]);
            for (size, lower) in first {
                shapes.values().append_slice(&[size, lower]);
            }
            shapes.append(true);
        }
    }
    let sources: Vec<&dyn Array> = parts.iter().map(|part| part.elements.values().as_ref()).collect();
    let values = match sources.is_empty() {
        true => new_null_array(&item, 0),
        false => interleave(&sources, &positions).map_err(from_arrow)?,
    };
    let elements = list_of(&item, OffsetBuffer::from_lengths(lengths), values, None)?;
    assemble(elements, Some(shapes.finish()), None)
}

/// Applies a function of one argument to every element.
pub fn map_elements(array: &ArrayRef, lambda: &Lambda) -> Result<ArrayRef> {
    let arrays = Arrays::new(array)?;
    let offsets = arrays.elements.value_offsets();
    let (start, end) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    let count = (end - start) as usize;
    let values = arrays.elements.values().slice(start as usize, count);
    let values = lambda.evaluate(vec![values], count)?;
    let lengths = (0..arrays.len()).map(|row| arrays.range(row).len());
    let offsets = OffsetBuffer::from_lengths(lengths);
    let elements = list_of(&lambda.result, offsets, values, arrays.elements.nulls().cloned())?;
    assemble(elements, Some(arrays.shapes.clone()), arrays.nulls)
}

/// `left op ANY/ALL (array)`, row by row.
pub fn quantified(lambda: &Lambda, left: &ArrayRef, array: &ArrayRef, all: bool) -> Result<BooleanArray> {
    let arrays = Arrays::new(array)?;
    let rows = arrays.len();
    let mut left_rows = Vec::new();
    let mut element_positions = Vec::new();
    for row in (0..rows).filter(|row| !arrays.is_null(*row)) {
        for position in arrays.range(row) {
            left_rows.push(row as u32);
            element_positions.push(position as u32);
        }
    }
    let count = left_rows.len();
    let left = take(left, &UInt32Array::from(left_rows), None).map_err(from_arrow)?;
    let elements = take(arrays.elements.values(), &UInt32Array::from(element_positions), None).map_err(from_arrow)?;
    let matches = lambda.evaluate(vec![left, elements], count)?;
    let matches = matches.as_boolean_opt().ok_or_else(|| Error::internal("a comparison is not boolean"))?;
    let mut builder = BooleanBuilder::with_capacity(rows);
    let mut next = 0;
    for row in 0..rows {
        if arrays.is_null(row) {
            builder.append_null();
            continue;
        }
        let end = next + arrays.range(row).len();
        let mut unknown = false;
        let mut decided = false;
        for position in next..end {
            match matches.is_null(position) {
                true => unknown = true,
                false => decided |= matches.value(position) != all,
            }
        }
        next = end;
        match (decided, unknown) {
            (true, _) => builder.append_value(!all),
            (false, true) => builder.append_null(),
            (false, false) => builder.append_value(all),
        }
    }
    Ok(builder.finish())
}

/// The elements of a constant array that is not null.
pub fn constant_elements(value: &ScalarValue) -> Option<Vec<ScalarValue>> {
    let array = value.to_array().ok()?;
    let arrays = Arrays::new(&array).ok()?;
    if arrays.is_null(0) {
        return None;
    }
    let values = arrays.elements.values();
    arrays.range(0).map(|position| ScalarValue::try_from_array(values, position).ok()).collect()
}

/// A field of a record; null where the record is.
pub fn field(record: &StructArray, index: usize) -> Result<ArrayRef> {
    let column = record.columns().get(index).ok_or_else(|| Error::internal("a record has too few fields"))?;
    let Some(nulls) = record.nulls().filter(|nulls| nulls.null_count() > 0) else {
        return Ok(column.clone());
    };
    let positions: UInt32Array = (0..record.len()).map(|row| nulls.is_valid(row).then_some(row as u32)).collect();
    take(column, &positions, None).map_err(from_arrow)
}

/// `record IS NULL` (all fields null), or `IS NOT NULL` (no field null).
pub fn record_is_null(record: &StructArray, negated: bool) -> BooleanArray {
    let nulls: Vec<Option<NullBuffer>> = record.columns().iter().map(|column| column.logical_nulls()).collect();
    let null_at = |nulls: &Option<NullBuffer>, row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    (0..record.len())
        .map(|row| {
            let whole = record.is_null(row);
            Some(match negated {
                false => whole || nulls.iter().all(|nulls| null_at(nulls, row)),
                true => !whole && !nulls.iter().any(|nulls| null_at(nulls, row)),
            })
        })
        .collect()
}

/// `array[i, …]`: null outside the bounds, or if the number of subscripts is not that of the dimensions.
pub fn index(array: &ArrayRef, subscripts: &[ArrayRef]) -> Result<ArrayRef> {
    let arrays = Arrays::new(array)?;
    let subscripts = integers(subscripts)?;
    let positions: UInt32Array = (0..arrays.len())
        .map(|row| {
            if arrays.is_null(row) || subscripts.iter().any(|values| values.is_null(row)) {
                return None;
            }
            let dimensions = arrays.dimensions(row);
            if dimensions.len() != subscripts.len() {
                return None;
            }
            let mut offset = 0_usize;
            for ((size, lower), values) in dimensions.iter().zip(&subscripts) {
                let place = values.value(row).checked_sub(*lower).filter(|place| (0..*size).contains(place))?;
                offset = offset * (*size as usize) + place as usize;
            }
            Some((arrays.range(row).start + offset) as u32)
        })
        .collect();
    take(arrays.elements.values(), &positions, None).map_err(from_arrow)
}

fn integers(arrays: &[ArrayRef]) -> Result<Vec<&Int32Array>> {
    arrays
        .iter()
        .map(|array| array.as_primitive_opt::<Int32Type>().ok_or_else(|| Error::internal("a subscript is no integer")))
        .collect()
}

/// `array[lower:upper, …]`. A missing bound is None. The result counts from 1.
pub fn slice(array: &ArrayRef, bounds: &[(Option<ArrayRef>, Option<ArrayRef>)]) -> Result<ArrayRef> {
    let arrays = Arrays::new(array)?;
    let bound = |bound: &Option<ArrayRef>, row: usize, default: i32| -> Result<Option<i32>> {
        let Some(array) = bound else { return Ok(Some(default)) };
        let values = integers(std::slice::from_ref(array))?;
        Ok(values.first().filter(|values| values.is_valid(row)).map(|values| values.value(row)))
    };
    let mut lengths = Vec::new();
    let mut positions: Vec<u32> = Vec::new();
    let mut nulls = Vec::new();
    let mut shapes = ListBuilder::new(Int32Builder::new());
    for row in 0..arrays.len() {
        let before = positions.len();
        let dimensions = if arrays.is_null(row) { Vec::new() } else { arrays.dimensions(row) };
        let mut null = arrays.is_null(row);
        let mut ranges = Vec::new();
        for (axis, (lower, upper)) in bounds.iter().enumerate() {
            let (size, first) = dimensions.get(axis).copied().unwrap_or((0, 1));
            match (bound(lower, row, first)?, bound(upper, row, first + size - 1)?) {
                (Some(low), Some(high)) => ranges.push((low.max(first), high.min(first + size - 1), first, size)),
                _ => null = true,
            }
        }
        // Dimensions that the subscripts leave out are taken whole.
        ranges.extend(
            dimensions.iter().skip(bounds.len()).map(|(size, first)| (*first, first + size - 1, *first, *size)),
        );
        let empty = dimensions.len() < bounds.len() || ranges.iter().any(|(low, high, ..)| low > high);
        if !null && !empty && !dimensions.is_empty() {
            push_slice(&ranges, arrays.range(row).start, &mut positions);
        }
        lengths.push(positions.len() - before);
        nulls.push(!null);
        if ranges.len() > 1 && positions.len() > before {
            for (low, high, ..) in &ranges {
                shapes.values().append_slice(&[high - low + 1, 1]);
            }
            shapes.append(true);
        } else {
            shapes.append_null();
        }
    }
    let values = take(arrays.elements.values(), &UInt32Array::from(positions), None).map_err(from_arrow)?;
    let item = values.data_type().clone();
    let elements = list_of(&item, OffsetBuffer::from_lengths(lengths), values, None)?;
    assemble(elements, Some(shapes.finish()), Some(NullBuffer::from(nulls)))
}

/// Positions of a box of an array in row-major order: (low, high, first, size) per dimension.
fn push_slice(ranges: &[(i32, i32, i32, i32)], start: usize, positions: &mut Vec<u32>) {
    let mut offsets = vec![0_usize];
    for (low, high, first, size) in ranges {
        let next = offsets
            .iter()
            .flat_map(|offset| (*low..=*high).map(move |place| offset * (*size as usize) + (place - first) as usize))
            .collect();
        offsets = next;
    }
    positions.extend(offsets.into_iter().map(|offset| (start + offset) as u32));
}

/// Rows collected by ARRAY(SELECT …) as one array; arrays among them give one dimension more.
pub fn from_rows(chunks: &[ArrayRef], item: &DataType) -> Result<ArrayRef> {
    let values = match chunks {
        [] => new_null_array(item, 0),
        _ => {
            let chunks: Vec<&dyn Array> = chunks.iter().map(|chunk| chunk.as_ref()).collect();
            concat(&chunks).map_err(from_arrow)?
        }
    };
    let elements = list_of(item, OffsetBuffer::from_lengths([values.len()]), values, None)?;
    assemble(elements, None, None)
}

/// A row of a column as a constant.
pub fn scalar(array: &ArrayRef, row: usize) -> Result<ScalarValue> {
    ScalarValue::try_from_array(array, row).map_err(from_datafusion)
}

/// An empty array of this representation.
pub fn empty(data_type: &DataType) -> Result<ScalarValue> {
    match data_type {
        DataType::Struct(fields) => match fields.first().map(|field| field.data_type()) {
            Some(DataType::List(item)) => scalar(&from_rows(&[], item.data_type())?, 0),
            _ => Err(Error::internal("an array without elements")),
        },
        _ => Err(Error::internal("an array that is no Struct")),
    }
}

/// Lists 1, 2, 3, … as long as the longest list of each row.
pub fn count_up(lists: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    let lists = lists.iter().filter_map(|list| list.as_list_opt::<i32>()).collect::<Vec<_>>();
    let mut lengths = Vec::with_capacity(rows);
    let mut values = Vec::new();
    for row in 0..rows {
        let lengths_here = lists.iter().map(|list| if list.is_null(row) { 0 } else { list.value_length(row) as usize });
        let length = lengths_here.max().unwrap_or(0);
        lengths.push(length);
        values.extend(1..=length as i64);
    }
    let values = Arc::new(arrow::array::Int64Array::from(values));
    list_of(&DataType::Int64, OffsetBuffer::from_lengths(lengths), values, None).map(|list| Arc::new(list) as ArrayRef)
}
