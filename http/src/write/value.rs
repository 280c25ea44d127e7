//! What a tag or a field is in a column, and COPY's binary form of it (PostgreSQL manual, "COPY", Binary Format).

use aegis_engine::catalog::types::oid;
use aegis_engine::catalog::{Error, Oid, sqlstate};

use crate::line_protocol::Value;

type Result<T> = std::result::Result<T, Error>;

/// Types of columns that take tags and fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Text,
    Double,
    BigInt,
    Integer,
    SmallInt,
    Boolean,
    /// With time zone or without (then UTC).
    Timestamp,
    /// Takes none.
    Other,
}

impl ColumnType {
    pub fn of(ty: Oid) -> Self {
        match ty {
            oid::TEXT | oid::VARCHAR => Self::Text,
            oid::FLOAT8 => Self::Double,
            oid::INT8 => Self::BigInt,
            oid::INT4 => Self::Integer,
            oid::INT2 => Self::SmallInt,
            oid::BOOL => Self::Boolean,
            oid::TIMESTAMPTZ | oid::TIMESTAMP => Self::Timestamp,
            _ => Self::Other,
        }
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Double => "double precision",
            Self::BigInt => "bigint",
            Self::Integer => "integer",
            Self::SmallInt => "smallint",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp with time zone",
            Self::Other => "of another kind",
        }
    }
}

/// A tag's or a field's value.
#[derive(Debug, Clone, Copy)]
pub enum Content<'a> {
    Tag(&'a str),
    Field(&'a Value<'a>),
}

impl Content<'_> {
    /// The type of a column that is made for it.
    pub fn natural_type(&self) -> ColumnType {
        match self {
            Content::Tag(_) | Content::Field(Value::Text(_)) => ColumnType::Text,
            Content::Field(Value::Float(_)) => ColumnType::Double,
            Content::Field(Value::Integer(_) | Value::Unsigned(_)) => ColumnType::BigInt,
            Content::Field(Value::Boolean(_)) => ColumnType::Boolean,
        }
    }

    fn describe(&self) -> &'static str {
        match self {
            Content::Tag(_) => "a tag",
            Content::Field(Value::Text(_)) => "a string",
            Content::Field(Value::Float(_)) => "a float",
            Content::Field(Value::Integer(_)) => "an integer",
            Content::Field(Value::Unsigned(_)) => "an unsigned integer",
            Content::Field(Value::Boolean(_)) => "a boolean",
        }
    }
}

/// A value in a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'a> {
    Text(&'a str),
    Double(f64),
    /// Times too: microseconds since 2000.
    Int8(i64),
    Int4(i32),
    Int2(i16),
    Bool(bool),
}

/// The value in a column of that type: as it is, or an integer as a number of the column's type that is equal to it.
pub fn cell<'a>(content: &Content<'a>, ty: ColumnType) -> Result<Cell<'a>> {
    let integer: i128 = match (content, ty) {
        (Content::Tag(text), ColumnType::Text) => return Ok(Cell::Text(text)),
        (Content::Field(Value::Text(text)), ColumnType::Text) => return Ok(Cell::Text(text)),
        (Content::Field(Value::Float(value)), ColumnType::Double) => return Ok(Cell::Double(*value)),
        (Content::Field(Value::Boolean(value)), ColumnType::Boolean) => return Ok(Cell::Bool(*value)),
        (Content::Field(Value::Integer(value)), _) => i128::from(*value),
        (Content::Field(Value::Unsigned(value)), _) => i128::from(*value),
        _ => return Err(mismatch(content, ty)),
    };
    let cell = match ty {
        ColumnType::BigInt => i64::try_from(integer).ok().map(Cell::Int8),
        ColumnType::Integer => i32::try_from(integer).ok().map(Cell::Int4),
        ColumnType::SmallInt => i16::try_from(integer).ok().map(Cell::Int2),
        // Rounded where a double has too few digits, which the way back shows.
        ColumnType::Double => Some(integer as f64).filter(|value| *value as i128 == integer).map(Cell::Double),
        _ => return Err(mismatch(content, ty)),
    };
    cell.ok_or_else(|| {
        Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{integer} does not fit type {}", ty.name()))
    })
}

fn mismatch(content: &Content<'_>, ty: ColumnType) -> Error {
    let message = format!("field type conflict: the line has {}, the column is {}", content.describe(), ty.name());
    Error::new(sqlstate::DATATYPE_MISMATCH, message)
}

/// Signature, no flags, no header extension.
pub const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// A field count of -1.
pub const TRAILER: &[u8] = &[0xFF, 0xFF];

/// Appends a row.
pub fn encode(cells: &[Option<Cell<'_>>], out: &mut Vec<u8>) -> Result<()> {
    let too_long = |_| Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "a row is too long for COPY");
    out.extend(i16::try_from(cells.len()).map_err(too_long)?.to_be_bytes());
    for cell in cells {
        match cell {
            None => out.extend((-1_i32).to_be_bytes()),
            Some(Cell::Text(text)) => field(out, text.as_bytes()).map_err(too_long)?,
            Some(Cell::Double(value)) => field(out, &value.to_be_bytes()).map_err(too_long)?,
            Some(Cell::Int8(value)) => field(out, &value.to_be_bytes()).map_err(too_long)?,
            Some(Cell::Int4(value)) => field(out, &value.to_be_bytes()).map_err(too_long)?,
            Some(Cell::Int2(value)) => field(out, &value.to_be_bytes()).map_err(too_long)?,
            Some(Cell::Bool(value)) => field(out, &[u8::from(*value)]).map_err(too_long)?,
        }
    }
    Ok(())
}

fn field(out: &mut Vec<u8>, value: &[u8]) -> std::result::Result<(), std::num::TryFromIntError> {
    out.extend(i32::try_from(value.len())?.to_be_bytes());
    out.extend_from_slice(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: Value<'_>, ty: ColumnType) -> std::result::Result<String, String> {
        let found = cell(&Content::Field(&value), ty).map(|cell| format!("{cell:?}"));
        found.map_err(|error| error.code().as_str().to_owned())
    }

    #[test]
    fn integers_are_widened_without_loss() {
        assert_eq!(of(Value::Integer(7), ColumnType::Double), Ok("Double(7.0)".to_owned()));
        assert_eq!(of(Value::Integer((1 << 53) + 1), ColumnType::Double), Err("22003".to_owned()));
        assert_eq!(of(Value::Integer(i64::MIN), ColumnType::Double), Ok("Double(-9.223372036854776e18)".to_owned()));
        assert_eq!(of(Value::Unsigned(u64::MAX), ColumnType::BigInt), Err("22003".to_owned()));
        assert_eq!(of(Value::Integer(40_000), ColumnType::SmallInt), Err("22003".to_owned()));
        assert_eq!(of(Value::Integer(-4), ColumnType::Integer), Ok("Int4(-4)".to_owned()));
    }

    #[test]
    fn other_types_conflict() {
        assert_eq!(of(Value::Float(1.0), ColumnType::BigInt), Err("42804".to_owned()));
        assert_eq!(of(Value::Float(1.0), ColumnType::Text), Err("42804".to_owned()));
        assert_eq!(of(Value::Text("1".into()), ColumnType::Double), Err("42804".to_owned()));
        assert_eq!(of(Value::Boolean(true), ColumnType::Other), Err("42804".to_owned()));
        assert!(cell(&Content::Tag("1"), ColumnType::BigInt).is_err());
    }

    #[test]
    fn rows_have_the_binary_form_of_copy() {
        let mut out = Vec::new();
        encode(&[Some(Cell::Int2(1)), None, Some(Cell::Text("ab"))], &mut out).unwrap();
        assert_eq!(out, [0, 3, 0, 0, 0, 2, 0, 1, 255, 255, 255, 255, 0, 0, 0, 2, b'a', b'b']);
    }
}
