//! Columns to PostgreSQL's text and binary formats: results on the wire, COPY, casts to text.

mod binary;
mod range;
mod text;

use arrow::array::ArrayRef;

pub use binary::BinaryEncoder;
pub use text::TextEncoder;

use super::type_name::format_type;
use super::{FormatSettings, Type};
use crate::error::{Error, Result};

fn wrong_representation(ty: Type, array: &ArrayRef) -> Error {
    Error::internal(format!("a column of type {} has Arrow type {}", format_type(ty), array.data_type()))
}

/// The text of one value; empty for null.
pub fn text_of(ty: Type, array: &ArrayRef, row: usize, settings: &FormatSettings) -> Result<String> {
    let encoder = TextEncoder::new(ty, array, settings)?;
    let mut out = Vec::new();
    if !encoder.is_null(row) {
        encoder.encode(row, &mut out);
    }
    String::from_utf8(out).map_err(|_| Error::internal("text output is not UTF-8"))
}
