//! Summaries as values of composite types, whose fields the script of the extension lists in the same order.

use std::sync::Arc;

use aegis_engine::extension::{Body, Error, Read, Result, TimestampTz, Write, columns, downcast};
use arrow::array::{Array, ArrayRef, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;

/// A field of a composite type.
pub trait Part: Sized {
    fn column(values: impl ExactSizeIterator<Item = Option<Self>>) -> ArrayRef;
    fn at(column: &ArrayRef, row: usize) -> Result<Self>;
}

fn write<T: Write>(values: impl ExactSizeIterator<Item = Option<T>>) -> ArrayRef {
    let mut builder = T::builder(values.len());
    for value in values {
        match value {
            Some(value) => value.append(&mut builder),
            None => T::append_null(&mut builder),
        }
    }
    T::finish(builder)
}

macro_rules! part {
    ($($ty:ty),*) => {$(
        impl Part for $ty {
            fn column(values: impl ExactSizeIterator<Item = Option<Self>>) -> ArrayRef {
                write(values)
            }
            fn at(column: &ArrayRef, row: usize) -> Result<Self> {
                Ok(<Self as Read>::get(&<Self as Read>::open(column)?, row))
            }
        }
    )*};
}

part!(f64, i64, i32, TimestampTz);

impl Part for Vec<u8> {
    fn column(values: impl ExactSizeIterator<Item = Option<Self>>) -> ArrayRef {
        write(values)
    }
    fn at(column: &ArrayRef, row: usize) -> Result<Self> {
        Ok(<&[u8] as Read>::get(&<&[u8] as Read>::open(column)?, row).to_vec())
    }
}

/// A Rust type for a composite type of SQL.
pub trait Composite: Sized + Clone {
    fn write(rows: &[Option<Self>], data_type: &DataType) -> Result<ArrayRef>;
    /// None for nulls, and for what has a null field.
    fn read(column: &ArrayRef, row: usize) -> Result<Option<Self>>;
}

/// Declares a [`Composite`] and how it is saved between phases of an aggregation.
macro_rules! composite {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $ty:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $ty,)*
        }

        impl $crate::toolkit::composite::Composite for $name {
            fn write(
                rows: &[Option<Self>],
                data_type: &arrow::datatypes::DataType,
            ) -> aegis_engine::extension::Result<arrow::array::ArrayRef> {
                use $crate::toolkit::composite::Part;
                let columns = vec![
                    $(<$ty as Part>::column(rows.iter().map(|row| row.as_ref().map(|row| row.$field.clone()))),)*
                ];
                let valid = rows.iter().map(Option::is_some).collect();
                $crate::toolkit::composite::structure(data_type, columns, valid)
            }

            fn read(
                column: &arrow::array::ArrayRef,
                row: usize,
            ) -> aegis_engine::extension::Result<Option<Self>> {
                use $crate::toolkit::composite::Part;
                let Some(fields) = $crate::toolkit::composite::fields(column, row)? else { return Ok(None) };
                let mut fields = fields.iter();
                $(let $field = {
                    let field = fields.next().ok_or_else(|| {
                        aegis_engine::extension::Error::internal("a summary has fewer fields")
                    })?;
                    <$ty as Part>::at(field, row)?
                };)*
                Ok(Some(Self { $($field,)* }))
            }
        }

        impl aegis_engine::extension::Persist for $name {
            fn save(&self, out: &mut Vec<u8>) {
                $(aegis_engine::extension::Persist::save(&self.$field, out);)*
            }
            fn load(bytes: &mut &[u8]) -> aegis_engine::extension::Result<Self> {
                Ok(Self { $($field: aegis_engine::extension::Persist::load(bytes)?,)* })
            }
        }
    };
}

pub(crate) use composite;

pub fn structure(data_type: &DataType, columns: Vec<ArrayRef>, valid: Vec<bool>) -> Result<ArrayRef> {
    let DataType::Struct(fields) = data_type else { return Err(Error::internal("a summary of no composite type")) };
    let structure = StructArray::try_new(fields.clone(), columns, Some(NullBuffer::from(valid)));
    structure.map(|structure| Arc::new(structure) as ArrayRef).map_err(|error| Error::internal(error.to_string()))
}

pub fn fields(column: &ArrayRef, row: usize) -> Result<Option<&[ArrayRef]>> {
    let structure = downcast::<StructArray>(column)?;
    let fields = structure.columns();
    Ok((structure.is_valid(row) && fields.iter().all(|field| field.is_valid(row))).then_some(fields))
}

/// A function of a summary.
pub fn of<S: Composite, T: Write>(function: impl Fn(S) -> Option<T> + Send + Sync + 'static) -> Body {
    columns(move |_, args| {
        let [summaries] = args else { return Err(Error::internal("a function of a summary has one argument")) };
        let mut results = T::builder(summaries.len());
        for row in 0..summaries.len() {
            match S::read(summaries, row)?.and_then(&function) {
                Some(result) => result.append(&mut results),
                None => T::append_null(&mut results),
            }
        }
        Ok(T::finish(results))
    })
}

/// A function of a summary and a text that chooses how.
pub fn with_method<S: Composite, T: Write>(
    function: impl Fn(S, &str) -> Result<Option<T>> + Send + Sync + 'static,
) -> Body {
    columns(move |_, args| {
        let [summaries, methods] = args else { return Err(Error::internal("the function has two arguments")) };
        let methods = <&str as Read>::open(methods)?;
        let mut results = T::builder(summaries.len());
        for row in 0..summaries.len() {
            let summary = S::read(summaries, row)?;
            let result = summary.map(|summary| function(summary, <&str as Read>::get(&methods, row))).transpose()?;
            match result.flatten() {
                Some(result) => result.append(&mut results),
                None => T::append_null(&mut results),
            }
        }
        Ok(T::finish(results))
    })
}
