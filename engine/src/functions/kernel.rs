//! Adaptors from a Rust expression over one row to a [`Kernel`](super::Kernel) over a batch.
//!
//! ```ignore
//! f("lpad(text, int4, text)", kernel!(|text: &str, length: i32, fill: &str| lpad(text, length, fill)))
//! ```
//!
//! An argument of type `T` makes the call strict in it; `Option<T>` sees the nulls. The body yields a value, an `Option` or a `Result` of
//! either. Scalar arguments are not expanded, and a call with nothing but scalars is computed once, unless it is `volatile!`.

use std::sync::Arc;

use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef};
use arrow::buffer::NullBuffer;
#[doc(hidden)]
pub use datafusion::logical_expr::ColumnarValue;
use datafusion::scalar::ScalarValue;

use super::value::{Outcome, Read, Write};
use super::{Body, Call};

/// Makes a [`Body::Scalar`](super::Body::Scalar); `|call; a: T| …` also gets the [`Call`](super::Call).
#[macro_export]
macro_rules! kernel {
    (|| $body:expr) => {
        $crate::row_wise!(false, |_call;| $body)
    };
    (|$call:ident; $($arg:ident : $ty:ty),* $(,)?| $body:expr) => {
        $crate::row_wise!(false, |$call; $($arg: $ty),*| $body)
    };
    (|$($arg:ident : $ty:ty),* $(,)?| $body:expr) => {
        $crate::row_wise!(false, |_call; $($arg: $ty),*| $body)
    };
}

/// As `kernel!`, evaluated for every row even if all arguments are constant.
#[macro_export]
macro_rules! volatile {
    (|| $body:expr) => {
        $crate::row_wise!(true, |_call;| $body)
    };
    (|$call:ident; $($arg:ident : $ty:ty),* $(,)?| $body:expr) => {
        $crate::row_wise!(true, |$call; $($arg: $ty),*| $body)
    };
    (|$($arg:ident : $ty:ty),* $(,)?| $body:expr) => {
        $crate::row_wise!(true, |_call; $($arg: $ty),*| $body)
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! row_wise {
    ($every_row:expr, |$call:ident; $($arg:ident : $ty:ty),*| $body:expr) => {
        $crate::functions::Body::Scalar(std::sync::Arc::new(
            |$call: &$crate::functions::Call<'_>, args: &[$crate::functions::kernel::ColumnarValue]| {
                let inputs = $crate::functions::kernel::Inputs::new(args)?;
                let mut _position = 0..;
                $(let $arg = inputs.reader::<$ty>(_position.next().unwrap_or_default())?;)*
                inputs.run(
                    $call.rows,
                    $every_row,
                    |_row| false $(|| $arg.skips(_row))*,
                    |_row| {
                        $(let $arg: $ty = $arg.get(_row);)*
                        $body
                    },
                )
            },
        ))
    };
}

pub use {kernel, volatile};

/// The arguments of one call of a kernel.
pub struct Inputs {
    arrays: Vec<(ArrayRef, bool)>,
}

/// One argument, readable by row.
pub struct Reader<'a, T: Read<'a>> {
    column: T::Column,
    nulls: Option<NullBuffer>,
    scalar: bool,
}

impl Inputs {
    pub fn new(args: &[ColumnarValue]) -> Result<Self> {
        let arrays = args
            .iter()
            .map(|arg| match arg {
                ColumnarValue::Array(array) => Ok((array.clone(), false)),
                ColumnarValue::Scalar(value) => Ok((scalar_to_array(value, 1)?, true)),
            })
            .collect::<Result<_>>()?;
        Ok(Self { arrays })
    }

    pub fn reader<'a, T: Read<'a>>(&'a self, position: usize) -> Result<Reader<'a, T>> {
        let (array, scalar) =
            self.arrays.get(position).ok_or_else(|| Error::internal("a kernel has too few arguments"))?;
        Ok(Reader { column: T::open(array)?, nulls: array.logical_nulls(), scalar: *scalar })
    }

    /// Columns as they are.
    pub fn of_arrays(args: &[ArrayRef]) -> Self {
        Self { arrays: args.iter().map(|array| (array.clone(), false)).collect() }
    }

    pub fn len(&self) -> usize {
        self.arrays.len()
    }

    /// An argument's values: one if it is a constant.
    pub fn array(&self, position: usize) -> Option<&ArrayRef> {
        self.arrays.get(position).map(|(array, _)| array)
    }

    /// The argument has the same value in all rows.
    pub fn is_constant(&self, position: usize) -> bool {
        self.arrays.get(position).is_some_and(|(_, scalar)| *scalar)
    }

    pub fn any_null(&self, row: usize) -> bool {
        self.arrays.iter().any(|(array, scalar)| array.is_null(if *scalar { 0 } else { row }))
    }

    fn all_scalar(&self) -> bool {
        self.arrays.iter().all(|(_, scalar)| *scalar)
    }

    /// Evaluates `value` for every row that `skip` does not make null.
    pub fn run<R: Outcome>(
        &self,
        rows: usize,
        every_row: bool,
        skip: impl Fn(usize) -> bool,
        mut value: impl FnMut(usize) -> R,
    ) -> Result<ColumnarValue> {
        let once = !every_row && self.all_scalar();
        let rows = if once { 1 } else { rows };
        let mut builder = <R::Value as Write>::builder(rows);
        for row in 0..rows {
            let result = if skip(row) { None } else { value(row).outcome()? };
            match result {
                Some(value) => value.append(&mut builder),
                None => <R::Value as Write>::append_null(&mut builder),
            }
        }
        finish(<R::Value as Write>::finish(builder), once)
    }
}

impl<'a, T: Read<'a>> Reader<'a, T> {
    /// The argument is null there and makes the result null.
    #[inline]
    pub fn skips(&self, row: usize) -> bool {
        match &self.nulls {
            Some(nulls) if !T::SEES_NULL => nulls.is_null(if self.scalar { 0 } else { row }),
            _ => false,
        }
    }

    #[inline]
    pub fn get(&self, row: usize) -> T {
        T::get(&self.column, if self.scalar { 0 } else { row })
    }
}

/// A function over whole columns. They are one row long if all arguments are scalars, else scalars are expanded.
pub fn columns(function: impl Fn(&Call<'_>, &[ArrayRef]) -> Result<ArrayRef> + Send + Sync + 'static) -> Body {
    Body::Scalar(Arc::new(move |call, args| over_columns(call, args, &function)))
}

/// A function over the arguments of a batch as they come, columns or constants.
pub fn batch(function: impl Fn(&Call<'_>, &Inputs) -> Result<ArrayRef> + Send + Sync + 'static) -> Body {
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let once = inputs.all_scalar();
        finish(function(&Call { rows: if once { 1 } else { call.rows }, ..*call }, &inputs)?, once)
    }))
}

fn over_columns(
    call: &Call<'_>,
    args: &[ColumnarValue],
    function: impl Fn(&Call<'_>, &[ArrayRef]) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let once = !args.is_empty() && args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if once { 1 } else { call.rows };
    let arrays = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Array(array) => Ok(array.clone()),
            ColumnarValue::Scalar(value) => scalar_to_array(value, rows),
        })
        .collect::<Result<Vec<_>>>()?;
    finish(function(&Call { rows, ..*call }, &arrays)?, once)
}

fn finish(array: ArrayRef, once: bool) -> Result<ColumnarValue> {
    if !once {
        return Ok(ColumnarValue::Array(array));
    }
    let value = ScalarValue::try_from_array(&array, 0).map_err(|error| Error::internal(error.to_string()))?;
    Ok(ColumnarValue::Scalar(value))
}

pub fn scalar_to_array(value: &ScalarValue, rows: usize) -> Result<ArrayRef> {
    value.to_array_of_size(rows).map_err(|error| Error::internal(error.to_string()))
}
