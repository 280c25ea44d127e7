//! `array_to_string`.

use std::sync::Arc;

use aegis_catalog::types::TextEncoder;
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};

use super::ArrayColumn;
use super::contain::element_type;
use crate::functions::Call;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("array_to_string(anyarray, text)", columns(to_string)),
        f("array_to_string(anyarray, text, text)", columns(to_string)),
    ]
}

/// Elements in storage order; nulls are left out unless there is a text for them.
fn to_string(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let [array, separators, rest @ ..] = args else { return Err(Error::internal("two arguments")) };
    let column = ArrayColumn::open(array)?;
    let encoder = TextEncoder::new(element_type(call, 0)?, column.elements(), &call.context.format)?;
    let separators = separators.as_string_view();
    let null_texts = rest.first().map(|texts| texts.as_string_view());
    let mut result = StringViewBuilder::with_capacity(call.rows);
    let mut text = Vec::new();
    for row in 0..call.rows {
        if column.is_null(row) || separators.is_null(row) {
            result.append_null();
            continue;
        }
        let null_text = null_texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row));
        text.clear();
        let mut first = true;
        for at in column.range(row) {
            let is_null = encoder.is_null(at);
            if is_null && null_text.is_none() {
                continue;
            }
            if !first {
                text.extend_from_slice(separators.value(row).as_bytes());
            }
            first = false;
            match null_text.filter(|_| is_null) {
                Some(null_text) => text.extend_from_slice(null_text.as_bytes()),
                None => encoder.encode(at, &mut text),
            }
        }
        result.append_value(std::str::from_utf8(&text).map_err(|_| Error::internal("text output is not UTF-8"))?);
    }
    Ok(Arc::new(result.finish()))
}
