//! Types that ranges are over: how their values are encoded.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, Date32Array, Decimal128Array, Int32Array, Int64Array,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Date32Type, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::datetime::{date, timestamp};
use crate::types::numeric::{self, Numeric};
use crate::types::oid::{self, Oid};
use crate::types::{FormatSettings, int};

/// The type of a range's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subtype {
    Int4,
    Int8,
    Numeric,
    Date,
    Timestamp,
    TimestampTz,
}

impl Subtype {
    pub fn oid(self) -> Oid {
        match self {
            Self::Int4 => oid::INT4,
            Self::Int8 => oid::INT8,
            Self::Numeric => oid::NUMERIC,
            Self::Date => oid::DATE,
            Self::Timestamp => oid::TIMESTAMP,
            Self::TimestampTz => oid::TIMESTAMPTZ,
        }
    }

    /// Whether every value has a next one.
    pub fn is_discrete(self) -> bool {
        matches!(self, Self::Int4 | Self::Int8 | Self::Date)
    }

    /// Bytes of the value that these begin with.
    pub(super) fn length(self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Int4 | Self::Date => Some(4),
            Self::Int8 | Self::Timestamp | Self::TimestampTz => Some(8),
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
            Self::Int4 => encode_i32(int::parse_int4(text)?),
            Self::Int8 => encode_i64(int::parse_int8(text)?),
            Self::Numeric => Numeric::parse(text)?.to_bytes(),
            Self::Date => encode_i32(date::parse(text, settings)?),
            Self::Timestamp => encode_i64(timestamp::parse(text, -1, settings)?),
            Self::TimestampTz => encode_i64(timestamp::parse_tz(text, -1, settings)?),
        })
    }

    /// Binary input of a bound.
    pub fn receive(self, bytes: &[u8]) -> Result<Vec<u8>> {
        let mut reader = crate::types::binary::Reader::new(bytes);
        let value = match self {
            Self::Int4 => encode_i32(reader.i32()?),
            Self::Int8 => encode_i64(reader.i64()?),
            Self::Numeric => return Ok(Numeric::from_binary(bytes)?.to_bytes()),
            Self::Date => encode_i32(date::from_binary(reader.i32()?)?),
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
            Self::Int4 => Arc::new(values.map(|value| value.map(decode_i32)).collect::<Int32Array>()),
            Self::Int8 => Arc::new(values.map(|value| value.map(decode_i64)).collect::<Int64Array>()),
            Self::Numeric => {
                let mut builder = BinaryViewBuilder::new();
                values.for_each(|value| builder.append_option(value));
                Arc::new(builder.finish())
            }
            Self::Date => Arc::new(values.map(|value| value.map(decode_i32)).collect::<Date32Array>()),
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
        let wrong = || Error::internal(format!("bounds of type {} in Arrow type {}", self.oid(), array.data_type()));
        let values = match self {
            Self::Int4 => array.as_primitive_opt::<Int32Type>().cloned().map(Values::Int4),
            Self::Int8 => array.as_primitive_opt::<Int64Type>().cloned().map(Values::Int8),
            Self::Numeric => match array.as_primitive_opt::<Decimal128Type>() {
                Some(decimals) => Some(Values::Decimal(decimals.clone())),
                None => array.as_binary_view_opt().cloned().map(Values::Numeric),
            },
            Self::Date => array.as_primitive_opt::<Date32Type>().cloned().map(Values::Date),
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
            Values::Int4(values) => encode_i32(values.value(row)),
            Values::Int8(values) => encode_i64(values.value(row)),
            Values::Decimal(values) => Numeric::from_decimal128(values.value(row), values.scale()).to_bytes(),
            Values::Numeric(values) => values.value(row).to_vec(),
            Values::Date(values) => encode_i32(values.value(row)),
            Values::Timestamp(values) => encode_i64(values.value(row)),
        })
    }
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
