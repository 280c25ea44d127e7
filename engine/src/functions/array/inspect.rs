//! Dimensions and lengths.

use aegis_catalog::{Error, Result};
use arrow::array::ArrayRef;

use super::{ArrayColumn, Dimension};
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::value::Read;

/// The shape of one array; empty if it has no elements.
pub struct Shape {
    pub dimensions: Vec<Dimension>,
    pub elements: i32,
}

impl<'a> Read<'a> for Shape {
    type Column = ArrayColumn<'a>;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        ArrayColumn::open(array)
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        Self { dimensions: column.dimensions(row), elements: column.range(row).len() as i32 }
    }
}

impl Shape {
    fn dimension(&self, number: i32) -> Option<Dimension> {
        self.dimensions.get(usize::try_from(number).ok()?.checked_sub(1)?).copied()
    }
}

pub fn functions() -> Vec<Row> {
    vec![
        f("array_ndims(anyarray)", kernel!(|a: Shape| (!a.dimensions.is_empty()).then_some(a.dimensions.len() as i32))),
        f("array_length(anyarray, int4)", kernel!(|a: Shape, n: i32| a.dimension(n).map(|dimension| dimension.length))),
        f("array_lower(anyarray, int4)", kernel!(|a: Shape, n: i32| a.dimension(n).map(|dimension| dimension.lower))),
        f(
            "array_upper(anyarray, int4)",
            kernel!(|a: Shape, n: i32| a
                .dimension(n)
                .map(|dimension| dimension.lower.wrapping_add(dimension.length - 1))),
        ),
        f("cardinality(anyarray)", kernel!(|a: Shape| a.elements)),
        f(
            "array_dims(anyarray)",
            kernel!(|a: Shape| {
                let text: String = a
                    .dimensions
                    .iter()
                    .map(|d| format!("[{}:{}]", d.lower, i64::from(d.lower) + i64::from(d.length) - 1))
                    .collect();
                Ok::<_, Error>((!text.is_empty()).then_some(text))
            }),
        ),
    ]
}
