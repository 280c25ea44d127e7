//! Operators that choose among values of one type: COALESCE, GREATEST, LEAST; and the change of a type's name.

use std::sync::Arc;

use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, UInt32Array};
use arrow::compute::kernels::zip::zip;
use arrow::compute::{is_not_null, is_null, or, prep_null_mask_filter};
use arrow::datatypes::{DataType, Int32Type, UInt32Type};
use datafusion::logical_expr::ColumnarValue;

use super::error::from_arrow;
use super::lambda::Lambda;
use super::operator::{ScalarOperator, arrays};

/// COALESCE that computes all its arguments.
pub fn coalesce(data_type: DataType) -> ScalarOperator {
    ScalarOperator::new("coalesce", "", data_type, |args, rows| {
        fold(args, rows, |chosen, next| {
            let present = is_not_null(chosen).map_err(from_arrow)?;
            zip(&present, chosen, next).map_err(from_arrow)
        })
    })
}

/// GREATEST and LEAST: nulls are left out.
pub fn extreme(greatest: bool, less: Lambda, data_type: DataType) -> ScalarOperator {
    let name = if greatest { "greatest" } else { "least" };
    ScalarOperator::new(name, data_type.to_string(), data_type, move |args, rows| {
        fold(args, rows, |chosen, next| {
            let (smaller, larger) = if greatest { (chosen, next) } else { (next, chosen) };
            let better = less.evaluate(vec![smaller.clone(), larger.clone()], rows)?;
            let better = better.as_boolean_opt().ok_or_else(|| Error::internal("a comparison is not boolean"))?;
            let better = or(&definite(better), &is_null(chosen).map_err(from_arrow)?).map_err(from_arrow)?;
            zip(&better, next, chosen).map_err(from_arrow)
        })
    })
}

/// Null is false.
fn definite(condition: &BooleanArray) -> BooleanArray {
    if condition.null_count() > 0 { prep_null_mask_filter(condition) } else { condition.clone() }
}

fn fold(
    args: &[ColumnarValue],
    rows: usize,
    choose: impl Fn(&ArrayRef, &ArrayRef) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let arrays = arrays(args, rows)?;
    let (first, others) = arrays.split_first().ok_or_else(|| Error::internal("nothing to choose from"))?;
    let chosen = others.iter().try_fold(first.clone(), |chosen, next| choose(&chosen, next))?;
    Ok(ColumnarValue::Array(chosen))
}

/// The same bits as another type of the same width.
pub fn reinterpret(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    match (array.data_type(), target) {
        (DataType::Int32, DataType::UInt32) => {
            let values: UInt32Array = array.as_primitive::<Int32Type>().unary(|value| value as u32);
            Ok(Arc::new(values))
        }
        (DataType::UInt32, DataType::Int32) => {
            let values: Int32Array = array.as_primitive::<UInt32Type>().unary(|value| value as i32);
            Ok(Arc::new(values))
        }
        _ => arrow::compute::cast(array, target).map_err(from_arrow),
    }
}
