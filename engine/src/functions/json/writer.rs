//! SQL values as JSON text (`datum_to_json`).

use aegis_catalog::types::json::write_json_string;
use aegis_catalog::types::structure::{element, erased};
use aegis_catalog::types::{DateStyle, FormatSettings, Structure, TextEncoder, TypeLookup, oid, type_of_field};
use aegis_catalog::{Error, Result, Type};
use arrow::array::{Array, ArrayRef, AsArray, StructArray};

use crate::functions::array::{ArrayColumn, Dimension};
use crate::functions::value::downcast;

/// Writes the values of one column as JSON.
pub struct JsonWriter<'a> {
    array: &'a ArrayRef,
    form: Form<'a>,
}

enum Form<'a> {
    Bool,
    /// Bare if it looks like a JSON number.
    Number(TextEncoder),
    /// JSON already.
    Json,
    Text(TextEncoder),
    /// ISO 8601 with a `T`.
    Time(TextEncoder),
    Array(ArrayColumn<'a>, Box<JsonWriter<'a>>),
    Record(Vec<(String, JsonWriter<'a>)>),
}

impl<'a> JsonWriter<'a> {
    pub fn new(ty: Type, array: &'a ArrayRef, settings: &FormatSettings) -> Result<Self> {
        let ty = erased(ty, &settings.names);
        let encoder = || TextEncoder::new(ty, array, settings);
        let form = match ty.oid {
            oid::BOOL => Form::Bool,
            oid::INT2 | oid::INT4 | oid::INT8 | oid::FLOAT4 | oid::FLOAT8 | oid::NUMERIC => Form::Number(encoder()?),
            oid::JSON | oid::JSONB => Form::Json,
            oid::DATE | oid::TIMESTAMP | oid::TIMESTAMPTZ => {
                let iso = FormatSettings { date_style: DateStyle::Iso, ..settings.clone() };
                Form::Time(TextEncoder::new(ty, array, &iso)?)
            }
            other => match (element(other, &settings.names), array.as_any().downcast_ref::<StructArray>()) {
                (Some(element), _) => {
                    let column = ArrayColumn::open(array)?;
                    Form::Array(column, Box::new(JsonWriter::new(Type::of(element), column.elements(), settings)?))
                }
                (None, Some(record)) => {
                    // An attribute may have another name by now than when the row was stored.
                    let named = match settings.names.structure(other) {
                        Some(Structure::Composite(fields)) => fields,
                        _ => Vec::new(),
                    };
                    let fields = record.fields().iter().zip(record.columns()).enumerate();
                    let field = |(index, (field, column)): (usize, (&arrow::datatypes::FieldRef, &'a ArrayRef))| {
                        let name = named.get(index).map_or(field.name(), |(name, _)| name).clone();
                        Ok((name, JsonWriter::new(type_of_field(field), column, settings)?))
                    };
                    Form::Record(fields.map(field).collect::<Result<_>>()?)
                }
                _ => Form::Text(encoder()?),
            },
        };
        Ok(Self { array, form })
    }

    /// Whether values are composite, which some functions write on lines of their own.
    pub fn is_composite(&self) -> bool {
        matches!(self.form, Form::Record(_) | Form::Array(..))
    }

    pub fn is_null(&self, row: usize) -> bool {
        self.array.is_null(row)
    }

    pub fn write(&self, row: usize, pretty: bool, out: &mut String) -> Result<()> {
        if self.array.is_null(row) {
            out.push_str("null");
            return Ok(());
        }
        match &self.form {
            Form::Bool => out.push_str(if self.array.as_boolean().value(row) { "true" } else { "false" }),
            Form::Json => out.push_str(downcast::<arrow::array::StringViewArray>(self.array)?.value(row)),
            Form::Number(encoder) => {
                let text = encoded(encoder, row)?;
                // NaN and the infinities are strings.
                if text.ends_with(|last: char| last.is_ascii_digit()) {
                    out.push_str(&text)
                } else {
                    write_json_string(&text, out)
                }
            }
            Form::Text(encoder) => write_json_string(&encoded(encoder, row)?, out),
            Form::Time(encoder) => write_json_string(&iso(&encoded(encoder, row)?), out),
            Form::Array(column, elements) => {
                let dimensions = column.dimensions(row);
                write_array(elements, &dimensions, column.range(row).start, pretty, out)?;
            }
            Form::Record(fields) => {
                out.push('{');
                for (position, (name, writer)) in fields.iter().enumerate() {
                    if position > 0 {
                        out.push_str(if pretty { ",\n " } else { "," });
                    }
                    write_json_string(name, out);
                    out.push(':');
                    writer.write(row, false, out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// The value as the name of a member.
    pub fn name(&self, row: usize) -> Result<String> {
        Ok(match &self.form {
            Form::Bool => if self.array.as_boolean().value(row) { "true" } else { "false" }.to_owned(),
            Form::Number(encoder) | Form::Text(encoder) => encoded(encoder, row)?,
            Form::Time(encoder) => iso(&encoded(encoder, row)?),
            Form::Json | Form::Array(..) | Form::Record(_) => {
                return Err(Error::new(
                    aegis_catalog::sqlstate::INVALID_PARAMETER_VALUE,
                    "key value must be scalar, not array, composite, or json",
                ));
            }
        })
    }
}

fn encoded(encoder: &TextEncoder, row: usize) -> Result<String> {
    let mut text = Vec::new();
    encoder.encode(row, &mut text);
    String::from_utf8(text).map_err(|_| Error::internal("text output is not UTF-8"))
}

/// `2024-01-01 10:00:00+02` as `2024-01-01T10:00:00+02:00`.
fn iso(text: &str) -> String {
    let Some((date, time)) = text.split_once(' ') else { return text.to_owned() };
    let mut result = format!("{date}T{time}");
    if let Some(sign) = time.rfind(['+', '-'])
        && !time[sign..].contains(':')
    {
        result.push_str(":00");
    }
    result
}

/// Nested brackets for the dimensions; at most six of them. Returns the position after the last element.
fn write_array(
    elements: &JsonWriter<'_>,
    dimensions: &[Dimension],
    start: usize,
    pretty: bool,
    out: &mut String,
) -> Result<usize> {
    out.push('[');
    let mut position = start;
    if let Some((outer, inner)) = dimensions.split_first() {
        for index in 0..outer.length {
            if index > 0 {
                out.push_str(if pretty { ",\n " } else { "," });
            }
            if inner.is_empty() {
                elements.write(position, false, out)?;
                position += 1;
            } else {
                position = write_array(elements, inner, position, false, out)?;
            }
        }
    }
    out.push(']');
    Ok(position)
}
