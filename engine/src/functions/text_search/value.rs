//! Vectors and queries as arguments and results of kernels.

use std::sync::Arc;

use aegis_catalog::Result;
use aegis_catalog::types::text_search::{TsQuery, TsVector};
use arrow::array::{ArrayRef, BinaryViewArray, BinaryViewBuilder};

use crate::functions::value::{Read, Write, downcast};

macro_rules! bytes {
    ($($rust:ty),*) => {$(
        impl<'a> Read<'a> for $rust {
            type Column = &'a BinaryViewArray;
            fn open(array: &'a ArrayRef) -> Result<Self::Column> {
                downcast(array)
            }
            fn get(column: &Self::Column, row: usize) -> Self {
                Self::from_bytes(column.value(row))
            }
        }
        impl Write for $rust {
            type Builder = BinaryViewBuilder;
            fn builder(rows: usize) -> Self::Builder {
                BinaryViewBuilder::with_capacity(rows)
            }
            fn append(self, builder: &mut Self::Builder) {
                builder.append_value(self.to_bytes());
            }
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }
            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

bytes!(TsVector, TsQuery);

/// Something made of a value's bytes, kept as long as the next row has the same ones: constants are read once.
pub struct Memo<T> {
    last: Option<(Vec<u8>, T)>,
}

impl<T> Memo<T> {
    pub fn new() -> Self {
        Self { last: None }
    }

    pub fn get(&mut self, bytes: &[u8], make: impl FnOnce(&[u8]) -> T) -> &mut T {
        let found = match self.last.take() {
            Some((known, made)) if known == bytes => (known, made),
            _ => (bytes.to_vec(), make(bytes)),
        };
        &mut self.last.insert(found).1
    }
}
