//! Aggregates that gather their input: `array_agg`, `string_agg`. (JSON ones: `json/aggregate.rs`.)

use aegis_catalog::types::representation::array_type;
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::datatypes::DataType;

use super::udaf::whole;
use crate::execute::error::from_arrow;
use crate::functions::Body;
use crate::functions::array::{ArrayColumn, Dimension, Frame};
use crate::functions::signature::{Row, f};
use crate::functions::value::{Read, Write};

pub fn functions() -> Vec<Row> {
    vec![
        f("array_agg(anynonarray)", Body::Aggregate(|types| whole("array_agg", types, Some(array_over), array_agg))),
        f(
            "array_agg(anyarray)",
            Body::Aggregate(|types| whole("array_agg", types, Some(super::extreme::same_type), array_of_arrays)),
        ),
        f("string_agg(text, text)", Body::Aggregate(|types| whole("string_agg", types, None, string_agg))),
        f("string_agg(bytea, bytea)", Body::Aggregate(|types| whole("string_agg", types, None, bytes_agg))),
    ]
}

fn array_over(args: &[DataType]) -> DataType {
    array_type(super::extreme::same_type(args))
}

fn only(args: &[ArrayRef]) -> Result<&ArrayRef> {
    args.first().ok_or_else(|| Error::internal("an aggregate has an argument"))
}

fn array_agg(args: &[ArrayRef]) -> Result<ArrayRef> {
    let values = only(args)?;
    let mut frame = Frame::default();
    if values.is_empty() {
        frame.end_null(0);
    } else {
        frame.end(values.len(), None);
    }
    frame.finish(values.clone())
}

/// Arrays of equal shape become one with one dimension more.
fn array_of_arrays(args: &[ArrayRef]) -> Result<ArrayRef> {
    let values = only(args)?;
    let column = ArrayColumn::open(values)?;
    if column.len() == 0 {
        return Ok(new_null_array(values.data_type(), 1));
    }
    let refuse = |message| Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, message));
    let null = || Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "cannot accumulate null arrays"));
    if column.is_null(0) {
        return null();
    }
    let inner = column.dimensions(0);
    if inner.is_empty() {
        return refuse("cannot accumulate empty arrays");
    }
    for row in 1..column.len() {
        if column.is_null(row) {
            return null();
        }
        if column.dimensions(row) != inner {
            return refuse("cannot accumulate arrays of different dimensionality");
        }
    }
    let mut dimensions = vec![Dimension { length: column.len() as i32, lower: 1 }];
    dimensions.extend(inner);
    let slices: Vec<ArrayRef> = (0..column.len()).map(|row| column.slice(row)).collect();
    let slices: Vec<&dyn Array> = slices.iter().map(|slice| &**slice).collect();
    let elements = arrow::compute::concat(&slices).map_err(from_arrow)?;
    let mut frame = Frame::default();
    frame.end(elements.len(), Some(&dimensions));
    frame.finish(elements)
}

/// The delimiter of a row stands before its value; the first one is not used.
fn joined<'a, T: Read<'a>, O>(args: &'a [ArrayRef], mut push: impl FnMut(&mut O, T)) -> Result<Option<O>>
where
    O: Default,
{
    let [values, delimiters] = args else { return Err(Error::internal("string_agg has two arguments")) };
    let (value_column, delimiter_column) = (T::open(values)?, T::open(delimiters)?);
    let mut result: Option<O> = None;
    for row in (0..values.len()).filter(|&row| values.is_valid(row)) {
        let first = result.is_none();
        let text = result.get_or_insert_default();
        if !first && delimiters.is_valid(row) {
            push(text, T::get(&delimiter_column, row));
        }
        push(text, T::get(&value_column, row));
    }
    Ok(result)
}

fn string_agg(args: &[ArrayRef]) -> Result<ArrayRef> {
    one(joined::<&str, String>(args, |text, part| text.push_str(part))?)
}

fn bytes_agg(args: &[ArrayRef]) -> Result<ArrayRef> {
    one(joined::<&[u8], Vec<u8>>(args, |bytes, part| bytes.extend_from_slice(part))?)
}

/// A column of one row.
pub fn one<T: Write>(value: Option<T>) -> Result<ArrayRef> {
    let mut builder = T::builder(1);
    match value {
        Some(value) => value.append(&mut builder),
        None => T::append_null(&mut builder),
    }
    Ok(T::finish(builder))
}
