//! `array_position`, `array_remove`, `array_replace`, `width_bucket`.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array};
use arrow::datatypes::Int32Type;
use arrow::row::Rows;

use super::contain::{comparable, element_type};
use super::{ArrayColumn, ArrayWriter, List};
use crate::functions::Call;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};
use crate::functions::value::Write;

pub fn functions() -> Vec<Row> {
    vec![
        f("array_position(anycompatiblearray, anycompatible)", columns(position)),
        f("array_position(anycompatiblearray, anycompatible, int4)", columns(position)),
        f("array_positions(anycompatiblearray, anycompatible)", columns(positions)),
        f("array_remove(anycompatiblearray, anycompatible)", columns(remove)),
        f("array_replace(anycompatiblearray, anycompatible, anycompatible)", columns(replace)),
        f("width_bucket(anycompatible, anycompatiblearray)", columns(width_bucket)),
    ]
}

/// An array argument and a value that its elements are compared with; two nulls are the same here.
struct Search<'a> {
    array: ArrayColumn<'a>,
    value: &'a ArrayRef,
    elements: Rows,
    values: Rows,
}

impl<'a> Search<'a> {
    fn new(call: &Call<'_>, args: &'a [ArrayRef], array: usize, value: usize) -> Result<Self> {
        let missing = || Error::internal("an argument is missing");
        let column = ArrayColumn::open(args.get(array).ok_or_else(missing)?)?;
        let value = args.get(value).ok_or_else(missing)?;
        let rows = comparable(element_type(call, array)?, &[column.elements(), value])?;
        let [elements, values] = <[Rows; 2]>::try_from(rows).map_err(|_| missing())?;
        Ok(Self { array: column, value, elements, values })
    }

    fn found(&self, row: usize, at: usize) -> bool {
        match (self.array.elements().is_valid(at), self.value.is_valid(row)) {
            (true, true) => self.elements.row(at) == self.values.row(row),
            (false, false) => true,
            _ => false,
        }
    }

    fn one_dimensional(&self, row: usize, message: &str) -> Result<()> {
        if self.array.dimensions(row).len() > 1 {
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        Ok(())
    }
}

const SEARCHING: &str = "searching for elements in multidimensional arrays is not supported";

fn position(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let search = Search::new(call, args, 0, 1)?;
    let starts = args.get(2).map(|starts| starts.as_primitive::<Int32Type>());
    let mut result = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if search.array.is_null(row) {
            result.push(None);
            continue;
        }
        search.one_dimensional(row, SEARCHING)?;
        let lower = search.array.dimensions(row).first().map_or(1, |dimension| dimension.lower);
        let start = match starts {
            Some(starts) if starts.is_null(row) => {
                return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "initial position must not be null"));
            }
            Some(starts) => i64::from(starts.value(row)),
            None => i64::from(lower),
        };
        let mut numbered = search.array.range(row).zip(i64::from(lower)..);
        result.push(
            numbered.find(|(at, number)| *number >= start && search.found(row, *at)).map(|(_, number)| number as i32),
        );
    }
    Ok(Arc::new(Int32Array::from(result)))
}

fn positions(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let search = Search::new(call, args, 0, 1)?;
    let mut builder = <List<i32> as Write>::builder(call.rows);
    for row in 0..call.rows {
        if search.array.is_null(row) {
            <List<i32> as Write>::append_null(&mut builder);
            continue;
        }
        search.one_dimensional(row, SEARCHING)?;
        let lower = search.array.dimensions(row).first().map_or(1, |dimension| dimension.lower);
        let numbers =
            search.array.range(row).zip(lower..).filter(|(at, _)| search.found(row, *at)).map(|(_, number)| number);
        List::from_iter(numbers).append(&mut builder);
    }
    Ok(<List<i32> as Write>::finish(builder))
}

fn remove(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let search = Search::new(call, args, 0, 1)?;
    let elements = search.array.elements();
    let mut writer = ArrayWriter::new(vec![elements.clone()], elements.data_type());
    for row in 0..call.rows {
        if search.array.is_null(row) {
            writer.end_null();
            continue;
        }
        search.one_dimensional(row, "removing elements from multidimensional arrays is not supported")?;
        let mut dimensions = search.array.dimensions(row);
        let mut kept = 0;
        for at in search.array.range(row).filter(|at| !search.found(row, *at)) {
            writer.pick(0, at);
            kept += 1;
        }
        if let Some(first) = dimensions.first_mut() {
            first.length = kept;
        }
        writer.end_with(if kept == 0 { &[] } else { &dimensions });
    }
    writer.finish()
}

fn replace(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let search = Search::new(call, args, 0, 1)?;
    let replacement = args.get(2).ok_or_else(|| Error::internal("an argument is missing"))?;
    let elements = search.array.elements();
    let mut writer = ArrayWriter::new(vec![elements.clone(), replacement.clone()], elements.data_type());
    for row in 0..call.rows {
        if search.array.is_null(row) {
            writer.end_null();
            continue;
        }
        for at in search.array.range(row) {
            if search.found(row, at) { writer.pick(1, row) } else { writer.pick(0, at) }
        }
        writer.end_with(&search.array.dimensions(row));
    }
    writer.finish()
}

/// How many of the sorted thresholds are not greater than the operand.
fn width_bucket(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let search = Search::new(call, args, 1, 0)?;
    let mut result = Vec::with_capacity(call.rows);
    for row in 0..call.rows {
        if search.array.is_null(row) || search.value.is_null(row) {
            result.push(None);
            continue;
        }
        search.one_dimensional(row, "thresholds must be one-dimensional array")?;
        if search.array.range(row).any(|at| search.array.elements().is_null(at)) {
            return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "thresholds array must not contain NULLs"));
        }
        let below = search.array.range(row).filter(|&at| search.elements.row(at) <= search.values.row(row)).count();
        result.push(Some(below as i32));
    }
    Ok(Arc::new(Int32Array::from(result)))
}
