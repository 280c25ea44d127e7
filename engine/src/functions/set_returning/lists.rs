//! Adaptors to the lists that a set-returning function makes: one per input row.

use std::sync::Arc;

use aegis_catalog::Result;
use arrow::array::{ArrayRef, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::concat;
use arrow::datatypes::Field;
use datafusion::logical_expr::ColumnarValue;

use crate::execute::error::from_arrow;
use crate::functions::value::Write;
use crate::functions::{Body, Kernel};

/// Makes a [`Body::Set`] of one column: the body yields the values of one call. A null in an argument that is not an `Option` yields none.
#[macro_export]
macro_rules! set {
    (|$call:ident; $($arg:ident : $ty:ty),* $(,)?| $body:expr) => {
        $crate::functions::Body::Set {
            lists: std::sync::Arc::new(
                |$call: &$crate::functions::Call<'_>, args: &[$crate::functions::kernel::ColumnarValue]| {
                    let _inputs = $crate::functions::kernel::Inputs::new(args)?;
                    let mut _position = 0..;
                    $(let $arg = _inputs.reader::<$ty>(_position.next().unwrap_or_default())?;)*
                    $crate::functions::set_returning::set_of($call.rows, |_row| {
                        if false $(|| $arg.skips(_row))* {
                            return Ok(Vec::new());
                        }
                        $(let $arg: $ty = $arg.get(_row);)*
                        $body
                    })
                },
            ),
            stream: None,
        }
    };
    (|$($arg:ident : $ty:ty),* $(,)?| $body:expr) => {
        $crate::set!(|_call; $($arg: $ty),*| $body)
    };
}

pub use set;

/// One list per row of the values that `values` yields.
pub fn set_of<T: Write>(rows: usize, mut values: impl FnMut(usize) -> Result<Vec<Option<T>>>) -> Result<ColumnarValue> {
    let mut builder = T::builder(rows);
    let mut lengths = Vec::with_capacity(rows);
    for row in 0..rows {
        let values = values(row)?;
        lengths.push(values.len());
        for value in values {
            match value {
                Some(value) => value.append(&mut builder),
                None => T::append_null(&mut builder),
            }
        }
    }
    list(lengths, T::finish(builder)).map(ColumnarValue::Array)
}

/// A set that is known: each call has these items.
pub fn given(items: ArrayRef) -> Body {
    body(Arc::new(move |call, _| {
        let copies = vec![items.as_ref(); call.rows];
        let all = if copies.is_empty() { items.slice(0, 0) } else { concat(&copies).map_err(from_arrow)? };
        list(vec![items.len(); call.rows], all).map(ColumnarValue::Array)
    }))
}

/// A column of lists from their lengths and all their items.
pub fn list(lengths: Vec<usize>, items: ArrayRef) -> Result<ArrayRef> {
    let item = Field::new("item", items.data_type().clone(), true);
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item.into(), offsets, items, None).map_err(from_arrow)?))
}

pub fn body(lists: Kernel) -> Body {
    Body::Set { lists, stream: None }
}
