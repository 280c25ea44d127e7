//! Types that ranges are over: how their values are encoded.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, StringViewArray, Time64MicrosecondArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType,
};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::datetime::{date, time, timestamp};
use crate::types::numeric::{self, Numeric};
use crate::types::oid::{self, Oid};
use crate::types::{FormatSettings, float, int, money};

/// The type of a range's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subtype {
    Int4,
    Int8,
    Numeric,
    Date,
    Timestamp,
    TimestampTz,
    // Those of ranges that users make: none of them is discrete.
    Int2,
    Int4Dense,
    Int8Dense,
    DateDense,
    Float4,
    Float8,
    Text,
    Time,
    Money,
}

impl Subtype {
    /// How users' ranges over a type that is no domain keep their bounds; None if there is no way.
    pub fn of_user_range(element: Oid) -> Option<Self> {
        Some(match element {
            oid::INT2 => Self::Int2,
            oid::INT4 => Self::Int4Dense,
            oid::INT8 => Self::Int8Dense,
            oid::DATE => Self::DateDense,
            oid::TIMESTAMP => Self::Timestamp,
            oid::TIMESTAMPTZ => Self::TimestampTz,
            oid::FLOAT4 => Self::Float4,
            oid::FLOAT8 => Self::Float8,
            oid::TEXT | oid::VARCHAR | oid::NAME => Self::Text,
            oid::TIME => Self::Time,
            oid::MONEY => Self::Money,
            _ => return None,
        })
    }

    /// Whether every value has a next one.
    pub fn is_discrete(self) -> bool {
        matches!(self, Self::Int4 | Self::Int8 | Self::Date)
    }

    /// Bytes of the value that these begin with.
    pub(super) fn length(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Int2 => Some(2),
            Self::Int4 | Self::Date | Self::Int4Dense | Self::DateDense | Self::Float4 => Some(4),
            Self::Int8 | Self::Timestamp | Self::TimestampTz => Some(8),
            Self::Int8Dense | Self::Float8 | Self::Time | Self::Money => Some(8),
            // No text holds a zero byte: one ends it.
            Self::Text => bytes.iter().position(|&byte| byte == 0).map(|end| end + 1),
            Self::Numeric => numeric::encoding::encoded_length(bytes),
        }
    }

    /// The part of an encoded value that comparisons use.
    pub(super) fn key(self, value: &[u8]) -> &[u8] {
        match self {
            Self::Numeric => numeric::key(value),
            _ => value,
        }
    }

    /// Text input of a bound.
    pub fn parse(self, text: &str, settings: &FormatSettings) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Int2 => encode_i16(int::parse_int2(text)?),
            Self::Int4 | Self::Int4Dense => encode_i32(int::parse_int4(text)?),
            Self::Int8 | Self::Int8Dense => encode_i64(int::parse_int8(text)?),
            Self::Float4 => encode_f32(float::parse_float4(text)?),
            Self::Float8 => encode_f64(float::parse_float8(text)?),
            Self::Text => encode_text(text),
            Self::Time => encode_i64(time::parse(text, -1, settings)?),
            Self::Money => encode_i64(money::parse(text)?),
            Self::Numeric => Numeric::parse(text)?.to_bytes(),
            Self::Date | Self::DateDense => encode_i32(date::parse(text, settings)?),
            Self::Timestamp => encode_i64(timestamp::parse(text, -1, settings)?),
            Self::TimestampTz => encode_i64(timestamp::parse_tz(text, -1, settings)?),
        })
    }

    /// Binary input of a bound.
    pub fn receive(self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut reader = crate::types::binary::Reader::new(bytes);
        let value = match self {
            Self::Int2 => encode_i16(reader.i16()?),
            Self::Int4 | Self::Int4Dense => encode_i32(reader.i32()?),
            Self::Int8 | Self::Int8Dense | Self::Money => encode_i64(reader.i64()?),
            Self::Float4 => encode_f32(f32::from_bits(reader.i32()? as u32)),
            Self::Float8 => encode_f64(f64::from_bits(reader.i64()? as u64)),
            Self::Text => return Ok(encode_text(crate::types::text::from_bytes(bytes)?)),
            Self::Time => encode_i64(time::from_binary(reader.i64()?, -1)?),
            Self::Numeric => return Ok(Numeric::from_binary(bytes)?.to_bytes()),
            Self::Date | Self::DateDense => encode_i32(date::from_binary(reader.i32()?)?),
            Self::Timestamp | Self::TimestampTz => encode_i64(timestamp::from_binary(reader.i64()?, -1)?),
        };
        reader.finish()?;
        Ok(value)
    }

    /// The value after this one; itself if it is infinite.
    pub(super) fn next(self, value: &[u8]) -> Result<Vec<u8>> {
        let overflow = |name: &str| Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range"));
        match self {
            Self::Int4 => decode_i32(value).checked_add(1).map(encode_i32).ok_or_else(|| overflow("integer")),
            Self::Int8 => decode_i64(value).checked_add(1).map(encode_i64).ok_or_else(|| overflow("bigint")),
            Self::Date => match decode_i32(value) {
                i32::MIN | i32::MAX => Ok(value.to_vec()),
                days => date::checked(i64::from(days) + 1)
                    .map(encode_i32)
                    .ok_or_else(|| Error::new(sqlstate::DATETIME_VALUE_OUT_OF_RANGE, "date out of range")),
            },
            _ => Ok(value.to_vec()),
        }
    }

    /// Encoded values as a column of the subtype; None is null.
    pub fn column<'v>(self, values: impl Iterator<Item = Option<&'v [u8]>>) -> ArrayRef {
        match self {
            Self::Int2 => Arc::new(values.map(|value| value.map(decode_i16)).collect::<Int16Array>()),
            Self::Int4 | Self::Int4Dense => Arc::new(values.map(|value| value.map(decode_i32)).collect::<Int32Array>()),
            Self::Int8 | Self::Int8Dense | Self::Money => {
                Arc::new(values.map(|value| value.map(decode_i64)).collect::<Int64Array>())
            }
            Self::Float4 => Arc::new(values.map(|value| value.map(decode_f32)).collect::<Float32Array>()),
            Self::Float8 => Arc::new(values.map(|value| value.map(decode_f64)).collect::<Float64Array>()),
            Self::Text => Arc::new(values.map(|value| value.map(decode_text)).collect::<StringViewArray>()),
            Self::Time => Arc::new(values.map(|value| value.map(decode_i64)).collect::<Time64MicrosecondArray>()),
            Self::Numeric => {
                let mut builder = BinaryViewBuilder::new();
                values.for_each(|value| builder.append_option(value));
                Arc::new(builder.finish())
            }
            Self::Date | Self::DateDense => {
                Arc::new(values.map(|value| value.map(decode_i32)).collect::<Date32Array>())
            }
            Self::Timestamp => {
                Arc::new(values.map(|value| value.map(decode_i64)).collect::<TimestampMicrosecondArray>())
            }
            Self::TimestampTz => {
                let column: TimestampMicrosecondArray = values.map(|value| value.map(decode_i64)).collect();
                Arc::new(column.with_timezone("UTC"))
            }
        }
    }

    /// A column of the subtype, to read encoded values from.
    pub fn elements(self, array: &ArrayRef) -> Result<Elements> {
        let wrong = || Error::internal(format!("bounds of type {self:?} in Arrow type {}", array.data_type()));
        let values = match self {
            Self::Int2 => array.as_primitive_opt::<Int16Type>().cloned().map(Values::Int2),
            Self::Float4 => array.as_primitive_opt::<Float32Type>().cloned().map(Values::Float4),
            Self::Float8 => array.as_primitive_opt::<Float64Type>().cloned().map(Values::Float8),
            Self::Text => array.as_string_view_opt().cloned().map(Values::Text),
            Self::Time => array.as_primitive_opt::<Time64MicrosecondType>().cloned().map(Values::Time),
            Self::Int4 | Self::Int4Dense => array.as_primitive_opt::<Int32Type>().cloned().map(Values::Int4),
            Self::Int8 | Self::Int8Dense | Self::Money => {
                array.as_primitive_opt::<Int64Type>().cloned().map(Values::Int8)
            }
            Self::Numeric => match array.as_primitive_opt::<Decimal128Type>() {
                Some(decimals) => Some(Values::Decimal(decimals.clone())),
                None => array.as_binary_view_opt().cloned().map(Values::Numeric),
            },
            Self::Date | Self::DateDense => array.as_primitive_opt::<Date32Type>().cloned().map(Values::Date),
            Self::Timestamp | Self::TimestampTz => {
                array.as_primitive_opt::<TimestampMicrosecondType>().cloned().map(Values::Timestamp)
            }
        };
        Ok(Elements { nulls: array.logical_nulls(), values: values.ok_or_else(wrong)? })
    }
}

/// A column of bounds.
pub struct Elements {
    nulls: Option<arrow::buffer::NullBuffer>,
    values: Values,
}

enum Values {
    Int2(Int16Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Text(StringViewArray),
    Time(Time64MicrosecondArray),
    Int4(Int32Array),
    Int8(Int64Array),
    Decimal(Decimal128Array),
    Numeric(BinaryViewArray),
    Date(Date32Array),
    Timestamp(TimestampMicrosecondArray),
}

impl Elements {
    /// The encoded value of a row; None if it is null.
    pub fn get(&self, row: usize) -> Option<Vec<u8>> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(match &self.values {
            Values::Int2(values) => encode_i16(values.value(row)),
            Values::Float4(values) => encode_f32(values.value(row)),
            Values::Float8(values) => encode_f64(values.value(row)),
            Values::Text(values) => encode_text(values.value(row)),
            Values::Time(values) => encode_i64(values.value(row)),
            Values::Int4(values) => encode_i32(values.value(row)),
            Values::Int8(values) => encode_i64(values.value(row)),
            Values::Decimal(values) => Numeric::from_decimal128(values.value(row), values.scale()).to_bytes(),
            Values::Numeric(values) => values.value(row).to_vec(),
            Values::Date(values) => encode_i32(values.value(row)),
            Values::Timestamp(values) => encode_i64(values.value(row)),
        })
    }
}

fn encode_i16(value: i16) -> Vec<u8> {
    (value.wrapping_sub(i16::MIN) as u16).to_be_bytes().to_vec()
}

fn decode_i16(bytes: &[u8]) -> i16 {
    let bytes = bytes.first_chunk().copied().unwrap_or_default();
    (u16::from_be_bytes(bytes) as i16).wrapping_add(i16::MIN)
}

/// Not-a-number is the greatest, and there is one zero.
fn encode_f64(value: f64) -> Vec<u8> {
    let bits = if value.is_nan() { f64::NAN.to_bits() & !(1 << 63) } else { (value + 0.0).to_bits() };
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    ordered.to_be_bytes().to_vec()
}

fn decode_f64(bytes: &[u8]) -> f64 {
    let ordered = u64::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default());
    f64::from_bits(if ordered >> 63 == 1 { ordered & !(1 << 63) } else { !ordered })
}

fn encode_f32(value: f32) -> Vec<u8> {
    let bits = if value.is_nan() { f32::NAN.to_bits() & !(1 << 31) } else { (value + 0.0).to_bits() };
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    ordered.to_be_bytes().to_vec()
}

fn decode_f32(bytes: &[u8]) -> f32 {
    let ordered = u32::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default());
    f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
}

fn encode_text(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(0);
    bytes
}

fn decode_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned()
}

fn encode_i32(value: i32) -> Vec<u8> {
    (value.wrapping_sub(i32::MIN) as u32).to_be_bytes().to_vec()
}

fn encode_i64(value: i64) -> Vec<u8> {
    (value.wrapping_sub(i64::MIN) as u64).to_be_bytes().to_vec()
}

fn decode_i32(bytes: &[u8]) -> i32 {
    let bytes = bytes.first_chunk().copied().unwrap_or_default();
    (u32::from_be_bytes(bytes) as i32).wrapping_add(i32::MIN)
}

fn decode_i64(bytes: &[u8]) -> i64 {
    let bytes = bytes.first_chunk().copied().unwrap_or_default();
    (u64::from_be_bytes(bytes) as i64).wrapping_add(i64::MIN)
}
