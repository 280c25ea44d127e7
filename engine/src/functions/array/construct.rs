//! Arrays from elements and from other arrays: `||`, `array_append`, `array_fill`, `trim_array`.

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef};

use super::{ArrayColumn, ArrayWriter, Dimension, List, check_size};
use crate::execute::error::from_arrow;
use crate::functions::Call;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};
use crate::functions::value::Read;

pub fn functions() -> Vec<Row> {
    vec![
        f("array_append(anycompatiblearray, anycompatible)", columns(|call, args| push(call, args, false))),
        f("array_prepend(anycompatible, anycompatiblearray)", columns(|call, args| push(call, args, true))),
        f("array_cat(anycompatiblearray, anycompatiblearray)", columns(concatenate)),
        f("array_fill(anyelement, int4[])", columns(fill)),
        f("array_fill(anyelement, int4[], int4[])", columns(fill)),
        f("trim_array(anyarray, int4)", columns(trim)),
        f("array_larger(anyarray, anyarray)", columns(|call, args| extreme(call, args, true))),
        f("array_smaller(anyarray, anyarray)", columns(|call, args| extreme(call, args, false))),
    ]
}

fn two(args: &[ArrayRef]) -> Result<(&ArrayRef, &ArrayRef)> {
    match args {
        [a, b, ..] => Ok((a, b)),
        _ => Err(Error::internal("two arguments")),
    }
}

/// `array || element`: a null array counts as empty.
fn push(call: &Call<'_>, args: &[ArrayRef], front: bool) -> Result<ArrayRef> {
    let (first, second) = two(args)?;
    let (array, element) = if front { (second, first) } else { (first, second) };
    let column = ArrayColumn::open(array)?;
    let mut writer = ArrayWriter::new(vec![column.elements().clone(), element.clone()], element.data_type());
    for row in 0..call.rows {
        let dimensions = if column.is_null(row) { Vec::new() } else { column.dimensions(row) };
        if dimensions.len() > 1 {
            return Err(Error::new(sqlstate::DATA_EXCEPTION, "argument must be empty or one-dimensional array"));
        }
        let range = if column.is_null(row) { 0..0 } else { column.range(row) };
        let length = range.len() as i32 + 1;
        if front {
            writer.pick(1, row);
        }
        range.for_each(|position| writer.pick(0, position));
        if !front {
            writer.pick(1, row);
        }
        let lower = dimensions.first().map_or(1, |dimension| dimension.lower);
        writer.end_with(&[Dimension { length, lower }]);
    }
    writer.finish()
}

fn incompatible(detail: String) -> Error {
    Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "cannot concatenate incompatible arrays").with_detail(detail)
}

/// The shape of `a || b`: equal inner dimensions, or one has one dimension more.
fn joined(a: &[Dimension], b: &[Dimension]) -> Result<Vec<Dimension>> {
    let same_inner = |x: &[Dimension], y: &[Dimension]| x.iter().zip(y).all(|(x, y)| x.length == y.length);
    let lengths =
        || incompatible("Arrays with differing element dimensions are not compatible for concatenation.".to_owned());
    let mut shape = match a.len().cmp(&b.len()) {
        std::cmp::Ordering::Equal => {
            if !same_inner(a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default()) {
                return Err(lengths());
            }
            a.to_vec()
        }
        std::cmp::Ordering::Greater if a.len() == b.len() + 1 => {
            if !same_inner(&a[1..], b) {
                return Err(incompatible(
                    "Arrays with differing dimensions are not compatible for concatenation.".to_owned(),
                ));
            }
            let mut shape = a.to_vec();
            shape[0].length += 1;
            return Ok(shape);
        }
        std::cmp::Ordering::Less if b.len() == a.len() + 1 => {
            if !same_inner(a, &b[1..]) {
                return Err(incompatible(
                    "Arrays with differing dimensions are not compatible for concatenation.".to_owned(),
                ));
            }
            let mut shape = b.to_vec();
            shape[0].length += 1;
            return Ok(shape);
        }
        _ => {
            return Err(incompatible(format!(
                "Arrays of {} and {} dimensions are not compatible for concatenation.",
                a.len(),
                b.len()
            )));
        }
    };
    if let (Some(first), Some(other)) = (shape.first_mut(), b.first()) {
        first.length += other.length;
    }
    Ok(shape)
}

fn concatenate(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let (first, second) = two(args)?;
    let (a, b) = (ArrayColumn::open(first)?, ArrayColumn::open(second)?);
    let mut writer = ArrayWriter::new(vec![a.elements().clone(), b.elements().clone()], a.elements().data_type());
    for row in 0..call.rows {
        match (a.is_null(row), b.is_null(row)) {
            (true, true) => {
                writer.end_null();
                continue;
            }
            (false, true) => {
                a.range(row).for_each(|position| writer.pick(0, position));
                writer.end_with(&a.dimensions(row));
            }
            (true, false) => {
                b.range(row).for_each(|position| writer.pick(1, position));
                writer.end_with(&b.dimensions(row));
            }
            (false, false) => {
                let (x, y) = (a.dimensions(row), b.dimensions(row));
                let shape = match (x.is_empty(), y.is_empty()) {
                    (true, _) => y,
                    (_, true) => x,
                    _ => joined(&x, &y)?,
                };
                a.range(row).for_each(|position| writer.pick(0, position));
                b.range(row).for_each(|position| writer.pick(1, position));
                writer.end_with(&shape);
            }
        }
    }
    writer.finish()
}

fn fill(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let (value, lengths) = two(args)?;
    let lowers = args.get(2);
    let length_column = <List<i32> as Read>::open(lengths)?;
    let lower_column = lowers.map(<List<i32> as Read>::open).transpose()?;
    let mut writer = ArrayWriter::new(vec![value.clone()], value.data_type());
    let null = || Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "dimension values cannot be null");
    let missing = || Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "dimension array or low bound array cannot be null");
    for row in 0..call.rows {
        if lengths.is_null(row) || lowers.is_some_and(|lowers| lowers.is_null(row)) {
            return Err(missing());
        }
        let lengths: Vec<i32> = <List<i32> as Read>::get(&length_column, row)
            .0
            .into_iter()
            .map(|length| length.ok_or_else(null))
            .collect::<Result<_>>()?;
        let lowers = match &lower_column {
            Some(column) => <List<i32> as Read>::get(column, row)
                .0
                .into_iter()
                .map(|lower| lower.ok_or_else(null))
                .collect::<Result<_>>()?,
            None => vec![1; lengths.len()],
        };
        if lowers.len() != lengths.len() {
            return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "wrong number of array subscripts")
                .with_detail("Low bound array has different size than dimensions array."));
        }
        if lengths.len() > super::column::MAX_DIMENSIONS {
            return Err(Error::new(
                sqlstate::PROGRAM_LIMIT_EXCEEDED,
                format!("number of array dimensions ({}) exceeds the maximum allowed (6)", lengths.len()),
            ));
        }
        let total =
            lengths.iter().try_fold(1i64, |total, &length| total.checked_mul(length.max(0).into())).unwrap_or(i64::MAX);
        check_size(total)?;
        if lengths.is_empty() || total == 0 {
            writer.end();
            continue;
        }
        (0..total).for_each(|_| writer.pick(0, row));
        let shape: Vec<Dimension> =
            lengths.iter().zip(&lowers).map(|(&length, &lower)| Dimension { length, lower }).collect();
        writer.end_with(&shape);
    }
    writer.finish()
}

/// Cuts elements of the first dimension off the end.
fn trim(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let (array, counts) = two(args)?;
    let column = ArrayColumn::open(array)?;
    let count_column = <i32 as Read>::open(counts)?;
    let mut writer = ArrayWriter::new(vec![column.elements().clone()], column.elements().data_type());
    for row in 0..call.rows {
        if column.is_null(row) || counts.is_null(row) {
            writer.end_null();
            continue;
        }
        let count = <i32 as Read>::get(&count_column, row);
        let mut shape = column.dimensions(row);
        let length = shape.first().map_or(0, |dimension| dimension.length);
        if count < 0 || count > length {
            return Err(Error::new(
                sqlstate::ARRAY_ELEMENT_ERROR,
                format!("number of elements to trim must be between 0 and {length}"),
            ));
        }
        let range = column.range(row);
        let kept = if length == 0 { 0 } else { range.len() / length as usize * (length - count) as usize };
        range.take(kept).for_each(|position| writer.pick(0, position));
        if let Some(first) = shape.first_mut() {
            *first = Dimension { length: length - count, lower: 1 };
        }
        writer.end_with(if kept == 0 { &[] } else { &shape });
    }
    writer.finish()
}

fn extreme(call: &Call<'_>, args: &[ArrayRef], larger: bool) -> Result<ArrayRef> {
    use crate::functions::comparison::key::key_array;
    use arrow::compute::kernels::{cmp, zip::zip};
    let (a, b) = two(args)?;
    let ty = call.arg_types.first().copied().unwrap_or(call.result);
    let (x, y) = (key_array(ty, a)?, key_array(ty, b)?);
    let pick_first = if larger { cmp::gt_eq(&x, &y) } else { cmp::lt_eq(&x, &y) };
    let pick_first = pick_first.map_err(from_arrow)?;
    zip(&pick_first, a, b).map_err(from_arrow)
}
