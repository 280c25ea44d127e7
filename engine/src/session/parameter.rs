//! Values of a Bind message.

use aegis_catalog::types::{ColumnBuilder, FormatSettings};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use bytes::Bytes;
use datafusion::scalar::ScalarValue;

use super::protocol::Format;

/// Decodes parameters by their types and formats. 08P01 if the format list has a wrong length, 22P02/22P03 for bad values.
pub(super) fn decode(
    types: &[Oid],
    values: &[Option<Bytes>],
    formats: &[Format],
    settings: &FormatSettings,
) -> Result<Vec<ScalarValue>> {
    if formats.len() > 1 && formats.len() != values.len() {
        return Err(Error::new(
            sqlstate::PROTOCOL_VIOLATION,
            format!("bind message has {} parameter formats but {} parameters", formats.len(), values.len()),
        ));
    }
    let format = |i: usize| formats.get(i).or(formats.first()).copied().unwrap_or(Format::Text);
    types
        .iter()
        .zip(values)
        .enumerate()
        .map(|(i, (&ty, value))| one(ty, value.as_deref(), format(i), settings))
        .collect()
}

fn one(ty: Oid, value: Option<&[u8]>, format: Format, settings: &FormatSettings) -> Result<ScalarValue> {
    let mut builder = ColumnBuilder::new(Type::of(ty), 1)?;
    match (value, format) {
        (None, _) => builder.append_null(),
        (Some(bytes), Format::Binary) => builder.append_binary(bytes)?,
        (Some(bytes), Format::Text) => {
            let text = std::str::from_utf8(bytes).map_err(|_| {
                Error::new(sqlstate::CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\"")
            })?;
            builder.append_text(text, settings)?;
        }
    }
    ScalarValue::try_from_array(&builder.finish(), 0).map_err(|e| Error::internal(e.to_string()))
}
