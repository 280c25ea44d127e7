//! Assignment to elements and slices of arrays (PostgreSQL's array_set_element and array_set_slice).

use std::sync::Arc;

use aegis_catalog::types::array::{Dimension, Layout, MAX_DIMENSIONS};
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, new_null_array};
use arrow::compute::interleave;
use arrow::datatypes::Int32Type;

use super::array::Arrays;
use super::error::from_arrow;

/// A subscript as columns: an index is an upper bound alone.
pub struct Bounds {
    pub lower: Option<ArrayRef>,
    pub upper: Option<ArrayRef>,
}

/// Elements of PostgreSQL's largest array.
const MAX_ELEMENTS: i64 = 134_217_727;

/// Where an element of the result comes from.
#[derive(Clone, Copy)]
enum Source {
    Old(usize),
    New(usize),
    Null,
}

/// The arrays with `value` (elements, or arrays if `is_slice`) put into them.
pub fn store(array: &ArrayRef, bounds: &[Bounds], value: &ArrayRef, is_slice: bool) -> Result<ArrayRef> {
    let old = Arrays::new(array)?;
    let slices = if is_slice { Some(Arrays::new(value)?) } else { None };
    let new_values = slices.as_ref().map_or(value, |slices| slices.elements.values());
    let mut layout = Layout::default();
    let mut sources: Vec<(usize, usize)> = Vec::new();
    for row in 0..old.len() {
        let present = !old.is_null(row);
        let mut result = Content {
            dimensions: if present { dimensions(&old, row) } else { Vec::new() },
            sources: if present { old.range(row).map(Source::Old).collect() } else { Vec::new() },
        };
        match &slices {
            None => {
                let index =
                    bounds.iter().map(|bound| required(bound.upper.as_ref(), row)).collect::<Result<Vec<_>>>()?;
                result.set_element(&index, row)?;
            }
            // A null is no array to take elements from.
            Some(slices) if slices.is_null(row) => {
                if !present {
                    layout.append_null();
                    continue;
                }
            }
            Some(slices) => {
                let bounds = bounds
                    .iter()
                    .map(|bound| Ok((given(bound.lower.as_ref(), row)?, given(bound.upper.as_ref(), row)?)))
                    .collect::<Result<Vec<_>>>()?;
                result.set_slice(&bounds, slices.range(row))?;
            }
        }
        layout.append(result.sources.len(), &result.dimensions);
        sources.extend(result.sources.iter().map(|source| match source {
            Source::Old(at) => (0, *at),
            Source::New(at) => (1, *at),
            Source::Null => (2, 0),
        }));
    }
    let item = old.elements.values().data_type();
    let null = new_null_array(item, 1);
    let new_values = super::conform::conform(new_values, item)?;
    let elements = interleave(&[old.elements.values(), &new_values, &null], &sources).map_err(from_arrow)?;
    layout.finish(elements)
}

fn dimensions(arrays: &Arrays<'_>, row: usize) -> Vec<Dimension> {
    arrays.dimensions(row).into_iter().map(|(length, lower)| Dimension { length, lower }).collect()
}

fn given(bound: Option<&ArrayRef>, row: usize) -> Result<Option<i32>> {
    bound.map(|bound| required(Some(bound), row)).transpose()
}

fn required(bound: Option<&ArrayRef>, row: usize) -> Result<i32> {
    let values: &Int32Array = bound
        .and_then(|bound| bound.as_primitive_opt::<Int32Type>())
        .ok_or_else(|| Error::internal("a subscript that is no integer"))?;
    if values.is_null(row) {
        let message = "array subscript in assignment must not be null";
        return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, message));
    }
    Ok(values.value(row))
}

/// An array while it is changed.
struct Content {
    dimensions: Vec<Dimension>,
    sources: Vec<Source>,
}

fn subscript_error(message: &str) -> Error {
    Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, message)
}

fn too_large() -> Error {
    let message = format!("array size exceeds the maximum allowed ({MAX_ELEMENTS})");
    Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message)
}

/// Elements from one bound to another, both included.
fn span(lower: i32, upper: i32) -> Result<usize> {
    let length = i64::from(upper) - i64::from(lower) + 1;
    if length > MAX_ELEMENTS {
        return Err(too_large());
    }
    Ok(usize::try_from(length).unwrap_or(0))
}

impl Content {
    fn set_element(&mut self, index: &[i32], row: usize) -> Result<()> {
        if index.len() > MAX_DIMENSIONS {
            return Err(aegis_catalog::types::array::too_many_dimensions(index.len()));
        }
        if self.dimensions.is_empty() {
            self.dimensions = index.iter().map(|&lower| Dimension { length: 1, lower }).collect();
            self.sources = vec![Source::New(row)];
            return Ok(());
        }
        if self.dimensions.len() != index.len() {
            return Err(subscript_error("wrong number of array subscripts"));
        }
        let place = match index {
            [only] => {
                self.extend(*only, *only)?;
                self.offset(&[*only])?
            }
            _ => self.offset(index)?,
        };
        match self.sources.get_mut(place) {
            Some(slot) => *slot = Source::New(row),
            None => return Err(subscript_error("array subscript out of range")),
        }
        Ok(())
    }

    /// Makes room in a one-dimensional array; what lies between is null.
    fn extend(&mut self, lower: i32, upper: i32) -> Result<()> {
        let Some(only) = self.dimensions.first_mut() else { return Ok(()) };
        if lower < only.lower {
            let added = span(lower, only.lower - 1)?;
            if self.sources.len() + added > MAX_ELEMENTS as usize {
                return Err(too_large());
            }
            self.sources.splice(0..0, std::iter::repeat_n(Source::Null, added));
            only.lower = lower;
        }
        let end = i64::from(only.lower) + self.sources.len() as i64;
        if i64::from(upper) >= end {
            let added = i64::from(upper) - end + 1;
            if self.sources.len() as i64 + added > MAX_ELEMENTS || i64::from(upper) >= i64::from(i32::MAX) {
                return Err(too_large());
            }
            self.sources.extend(std::iter::repeat_n(Source::Null, usize::try_from(added).unwrap_or(0)));
        }
        only.length = i32::try_from(self.sources.len()).map_err(|_| too_large())?;
        Ok(())
    }

    /// Position of an element, if the subscripts are within bounds.
    fn offset(&self, index: &[i32]) -> Result<usize> {
        let mut offset = 0_usize;
        for (dimension, &at) in self.dimensions.iter().zip(index) {
            let within = i64::from(at) - i64::from(dimension.lower);
            if within < 0 || within >= i64::from(dimension.length) {
                return Err(subscript_error("array subscript out of range"));
            }
            offset = offset * usize::try_from(dimension.length).unwrap_or(0) + usize::try_from(within).unwrap_or(0);
        }
        Ok(offset)
    }

    fn set_slice(&mut self, bounds: &[(Option<i32>, Option<i32>)], new: std::ops::Range<usize>) -> Result<()> {
        let too_small = || Err(subscript_error("source array too small"));
        if self.dimensions.is_empty() {
            let dimensions = bounds.iter().map(|&bound| whole_bound(bound)).collect::<Result<Vec<_>>>()?;
            let needed = dimensions.iter().try_fold(1_usize, |all, dimension| {
                all.checked_mul(usize::try_from(dimension.length).unwrap_or(0))
                    .filter(|all| *all as i64 <= MAX_ELEMENTS)
            });
            let needed = needed.ok_or_else(too_large)?;
            if new.len() < needed {
                return too_small();
            }
            if needed > 0 {
                self.dimensions = dimensions;
                self.sources = new.take(needed).map(Source::New).collect();
            }
            return Ok(());
        }
        if self.dimensions.len() < bounds.len() {
            return Err(subscript_error("wrong number of array subscripts"));
        }
        let mut ranges = Vec::with_capacity(self.dimensions.len());
        for (position, dimension) in self.dimensions.iter().enumerate() {
            let last = dimension.lower + dimension.length - 1;
            let (lower, upper) = bounds.get(position).copied().unwrap_or_default();
            let (lower, upper) = (lower.unwrap_or(dimension.lower), upper.unwrap_or(last));
            if lower > upper {
                return Err(subscript_error("upper bound cannot be less than lower bound"));
            }
            if self.dimensions.len() > 1 && (lower < dimension.lower || upper > last) {
                return Err(subscript_error("array subscript out of range"));
            }
            ranges.push((lower, upper));
        }
        if let [(lower, upper)] = ranges.as_slice() {
            span(*lower, *upper)?;
            self.extend(*lower, *upper)?;
        }
        let needed = ranges
            .iter()
            .try_fold(1_usize, |all, (lower, upper)| Ok::<_, Error>(all.saturating_mul(span(*lower, *upper)?)))?;
        if new.len() < needed {
            return too_small();
        }
        let mut index: Vec<i32> = ranges.iter().map(|(lower, _)| *lower).collect();
        for source in new.take(needed) {
            let place = self.offset(&index)?;
            if let Some(slot) = self.sources.get_mut(place) {
                *slot = Source::New(source);
            }
            // The last dimension runs fastest.
            for (at, (lower, upper)) in index.iter_mut().zip(&ranges).rev() {
                if *at < *upper {
                    *at += 1;
                    break;
                }
                *at = *lower;
            }
        }
        Ok(())
    }
}

/// The dimension that a slice makes of an empty array.
fn whole_bound(bound: (Option<i32>, Option<i32>)) -> Result<Dimension> {
    let (Some(lower), Some(upper)) = bound else {
        let message = "array slice subscript must provide both boundaries";
        let detail = "When assigning to a slice of an empty array value, slice boundaries must be fully specified.";
        return Err(subscript_error(message).with_detail(detail));
    };
    if upper < lower {
        return Err(subscript_error("upper bound cannot be less than lower bound"));
    }
    let length = i32::try_from(span(lower, upper)?).map_err(|_| too_large())?;
    Ok(Dimension { length, lower })
}

/// The rows with another value in one field.
pub fn store_field(record: &ArrayRef, index: usize, value: &ArrayRef) -> Result<ArrayRef> {
    let record = record.as_struct_opt().ok_or_else(|| Error::internal("a field of something that is no row"))?;
    let mut columns =
        (0..record.num_columns()).map(|position| super::array::field(record, position)).collect::<Result<Vec<_>>>()?;
    let slot = columns.get_mut(index).ok_or_else(|| Error::internal("a row has too few fields"))?;
    *slot = super::conform::conform(value, slot.data_type())?;
    let rows = arrow::array::StructArray::try_new_with_length(record.fields().clone(), columns, None, record.len());
    Ok(Arc::new(rows.map_err(from_arrow)?))
}
