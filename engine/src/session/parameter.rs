//! Values of a Bind message.

use std::str::FromStr;

use aegis_catalog::types::text::from_bytes;
use aegis_catalog::types::{ColumnBuilder, FormatSettings, oid};
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use bytes::Bytes;
use datafusion::scalar::ScalarValue;

use super::protocol::Format;

/// Decodes parameters by their types and formats. 08P01 if the format list has a wrong length, 22P02/22P03 for bad values.
pub(super) fn decode(
    portal: &str,
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
    let portal = if portal.is_empty() { "unnamed portal".to_owned() } else { format!("portal \"{portal}\"") };
    types
        .iter()
        .zip(values)
        .enumerate()
        .map(|(i, (&ty, value))| {
            one(ty, value.as_deref(), format(i), settings, i + 1).map_err(|error| match error.code() {
                sqlstate::CHARACTER_NOT_IN_REPERTOIRE => error,
                // Values stay out of error messages, as with log_parameter_max_length_on_error = 0.
                _ if format(i) == Format::Text => error.with_context(format!("{portal} parameter ${} = '...'", i + 1)),
                _ => error.with_context(format!("{portal} parameter ${}", i + 1)),
            })
        })
        .collect()
}

/// The value of a constant that stands in for a parameter.
pub(super) fn from_text(ty: Oid, text: &str, settings: &FormatSettings) -> Result<ScalarValue> {
    one(ty, Some(text.as_bytes()), Format::Text, settings, 0)
}

fn one(ty: Oid, value: Option<&[u8]>, format: Format, settings: &FormatSettings, number: usize) -> Result<ScalarValue> {
    if let Some(bytes) = value
        && let Some(value) = plain(ty, bytes, format)
    {
        return Ok(value);
    }
    let mut builder = ColumnBuilder::new(Type::of(ty), 1, &settings.names)?;
    match (value, format) {
        (None, _) => builder.append_null(),
        (Some(bytes), Format::Binary) => builder.append_binary(bytes).map_err(|error| unread(error, number))?,
        (Some(bytes), Format::Text) => builder.append_text(from_bytes(bytes)?, settings)?,
    }
    ScalarValue::try_from_array(&builder.finish(), 0).map_err(|e| Error::internal(e.to_string()))
}

/// The value of a number or text in its usual form, which is what most parameters are; None for any other.
fn plain(ty: Oid, bytes: &[u8], format: Format) -> Option<ScalarValue> {
    fn integer<T: FromStr>(bytes: &[u8]) -> Option<T> {
        let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
        let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        std::str::from_utf8(bytes).ok().filter(|_| plain)?.parse().ok()
    }
    Some(match (ty, format) {
        (oid::INT2, Format::Text) => ScalarValue::Int16(Some(integer(bytes)?)),
        (oid::INT4, Format::Text) => ScalarValue::Int32(Some(integer(bytes)?)),
        (oid::INT8, Format::Text) => ScalarValue::Int64(Some(integer(bytes)?)),
        (oid::INT2, Format::Binary) => ScalarValue::Int16(Some(i16::from_be_bytes(bytes.try_into().ok()?))),
        (oid::INT4, Format::Binary) => ScalarValue::Int32(Some(i32::from_be_bytes(bytes.try_into().ok()?))),
        (oid::INT8, Format::Binary) => ScalarValue::Int64(Some(i64::from_be_bytes(bytes.try_into().ok()?))),
        (oid::FLOAT4, Format::Binary) => ScalarValue::Float32(Some(f32::from_be_bytes(bytes.try_into().ok()?))),
        (oid::FLOAT8, Format::Binary) => ScalarValue::Float64(Some(f64::from_be_bytes(bytes.try_into().ok()?))),
        (oid::TEXT, _) => ScalarValue::Utf8View(Some(from_bytes(bytes).ok()?.to_owned())),
        _ => return None,
    })
}

/// A binary value with something left over says whose it is.
fn unread(mut error: Error, number: usize) -> Error {
    if error.message() == "incorrect binary data format" {
        error.fields_mut().message = format!("incorrect binary data format in bind parameter {number}");
    }
    error
}
