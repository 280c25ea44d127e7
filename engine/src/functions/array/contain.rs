//! `@>`, `<@`, `&&`: containment and overlap of arrays as sets.

use std::collections::HashSet;
use std::sync::Arc;

use aegis_catalog::{Error, Result, Type};
use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::row::{RowConverter, Rows, SortField};

use super::ArrayColumn;
use crate::execute::error::from_arrow;
use crate::functions::Call;
use crate::functions::comparison::key::key_array;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("@>(anyarray, anyarray)", columns(|call, args| compare(call, args, |a, b| b.is_subset(a)))),
        f("<@(anyarray, anyarray)", columns(|call, args| compare(call, args, |a, b| a.is_subset(b)))),
        f("&&(anyarray, anyarray)", columns(|call, args| compare(call, args, |a, b| !a.is_disjoint(b)))),
    ]
}

/// Element type of an argument.
pub fn element_type(call: &Call<'_>, position: usize) -> Result<Type> {
    let ty = call.arg_types.get(position).ok_or_else(|| Error::internal("an argument has no type"))?;
    call.context.catalog.element_of(ty.oid).map(Type::of).ok_or_else(|| Error::internal("an argument is no array"))
}

/// Comparable rows of several columns of one type.
pub fn comparable(ty: Type, columns: &[&ArrayRef]) -> Result<Vec<Rows>> {
    let keys = columns.iter().map(|column| key_array(ty, column)).collect::<Result<Vec<_>>>()?;
    let Some(first) = keys.first() else { return Ok(Vec::new()) };
    let converter = RowConverter::new(vec![SortField::new(first.data_type().clone())]).map_err(from_arrow)?;
    keys.iter().map(|key| converter.convert_columns(std::slice::from_ref(key)).map_err(from_arrow)).collect()
}

type Set<'a> = HashSet<&'a [u8]>;

/// A null element equals nothing: no array contains it.
const NULL: &[u8] = b"\xFFnull";

fn compare(call: &Call<'_>, args: &[ArrayRef], test: fn(&Set<'_>, &Set<'_>) -> bool) -> Result<ArrayRef> {
    let [left, right] = args else { return Err(Error::internal("two arguments")) };
    let (a, b) = (ArrayColumn::open(left)?, ArrayColumn::open(right)?);
    let rows = comparable(element_type(call, 0)?, &[a.elements(), b.elements()])?;
    let [a_rows, b_rows] = &rows[..] else { return Err(Error::internal("two columns")) };
    let result = (0..call.rows).map(|row| {
        (!a.is_null(row) && !b.is_null(row)).then(|| {
            let set = |column: &ArrayColumn<'_>, rows: &'_ Rows, null: &'static [u8]| -> Vec<Vec<u8>> {
                let nulls = column.elements();
                column
                    .range(row)
                    .map(|at| if nulls.is_valid(at) { rows.row(at).as_ref().to_vec() } else { null.to_vec() })
                    .collect()
            };
            let (x, y) = (set(&a, a_rows, NULL), set(&b, b_rows, b"\xFFother null"));
            test(&x.iter().map(Vec::as_slice).collect(), &y.iter().map(Vec::as_slice).collect())
        })
    });
    Ok(Arc::new(result.collect::<BooleanArray>()))
}
