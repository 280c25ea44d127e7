//! Columns to PostgreSQL's text and binary formats: results on the wire, COPY, casts to text.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray,
    Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, IntervalMonthDayNanoArray, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt32Type, UInt64Type,
};

use super::datetime::time::TimeTz;
use super::datetime::{date, format, timestamp};
use super::interval::{self, Interval};
use super::names::Names;
use super::oid::Oid;
use super::representation::is_reg_type;
use super::type_name::format_type;
use super::{FormatSettings, IntervalStyle, Type, bytea, float, numeric, object_id, oid, text, uuid};
use crate::error::{Error, Result};

/// Writes the rows of one column in text format. Made once per column: the array is downcast here, so that
/// [`encode`](Self::encode) only formats.
pub struct TextEncoder {
    nulls: Option<NullBuffer>,
    column: TextColumn,
}

enum TextColumn {
    Null,
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    UInt4(UInt32Array),
    UInt8(UInt64Array),
    Float4(Float32Array, i32),
    Float8(Float64Array, i32),
    Text(StringViewArray),
    ByteaHex(BinaryViewArray),
    ByteaEscape(BinaryViewArray),
    Numeric(BinaryViewArray),
    Decimal(Decimal128Array, u32),
    Uuid(FixedSizeBinaryArray),
    Lsn(Int64Array),
    Tid(UInt64Array),
    Reg(UInt32Array, Oid, Names),
    Date(Date32Array, FormatSettings),
    Time(Time64MicrosecondArray),
    TimeTz(FixedSizeBinaryArray),
    Timestamp(TimestampMicrosecondArray, FormatSettings),
    TimestampTz(TimestampMicrosecondArray, FormatSettings),
    Interval(IntervalMonthDayNanoArray, IntervalStyle),
}

impl TextEncoder {
    pub fn new(ty: Type, array: &ArrayRef, settings: &FormatSettings) -> Result<Self> {
        let nulls = array.logical_nulls();
        if *array.data_type() == DataType::Null {
            return Ok(Self { nulls, column: TextColumn::Null });
        }
        let digits = settings.extra_float_digits;
        let column = match ty.oid {
            oid::BOOL => array.as_boolean_opt().cloned().map(TextColumn::Bool),
            oid::INT2 => array.as_primitive_opt::<Int16Type>().cloned().map(TextColumn::Int2),
            oid::INT4 => array.as_primitive_opt::<Int32Type>().cloned().map(TextColumn::Int4),
            oid::INT8 => array.as_primitive_opt::<Int64Type>().cloned().map(TextColumn::Int8),
            oid::PG_LSN => array.as_primitive_opt::<Int64Type>().cloned().map(TextColumn::Lsn),
            oid::FLOAT4 => {
                array.as_primitive_opt::<Float32Type>().cloned().map(|array| TextColumn::Float4(array, digits))
            }
            oid::FLOAT8 => {
                array.as_primitive_opt::<Float64Type>().cloned().map(|array| TextColumn::Float8(array, digits))
            }
            oid::OID | oid::XID | oid::CID => array.as_primitive_opt::<UInt32Type>().cloned().map(TextColumn::UInt4),
            reg_type if is_reg_type(reg_type) => array
                .as_primitive_opt::<UInt32Type>()
                .cloned()
                .map(|array| TextColumn::Reg(array, reg_type, settings.names.clone())),
            oid::XID8 => array.as_primitive_opt::<UInt64Type>().cloned().map(TextColumn::UInt8),
            oid::TID => array.as_primitive_opt::<UInt64Type>().cloned().map(TextColumn::Tid),
            oid::BYTEA if settings.bytea_hex => array.as_binary_view_opt().cloned().map(TextColumn::ByteaHex),
            oid::BYTEA => array.as_binary_view_opt().cloned().map(TextColumn::ByteaEscape),
            oid::NUMERIC => match array.data_type() {
                DataType::Decimal128(_, scale) => {
                    let scale = u32::try_from(*scale).map_err(|_| wrong_representation(ty, array))?;
                    array.as_primitive_opt::<Decimal128Type>().cloned().map(|array| TextColumn::Decimal(array, scale))
                }
                _ => array.as_binary_view_opt().cloned().map(TextColumn::Numeric),
            },
            oid::UUID => array.as_fixed_size_binary_opt().cloned().map(TextColumn::Uuid),
            oid::DATE => {
                array.as_primitive_opt::<Date32Type>().cloned().map(|array| TextColumn::Date(array, settings.clone()))
            }
            oid::TIME => array.as_primitive_opt::<Time64MicrosecondType>().cloned().map(TextColumn::Time),
            oid::TIMETZ => array.as_fixed_size_binary_opt().cloned().map(TextColumn::TimeTz),
            oid::TIMESTAMP => array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .cloned()
                .map(|array| TextColumn::Timestamp(array, settings.clone())),
            oid::TIMESTAMPTZ => array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .cloned()
                .map(|array| TextColumn::TimestampTz(array, settings.clone())),
            oid::INTERVAL => array
                .as_primitive_opt::<IntervalMonthDayNanoType>()
                .cloned()
                .map(|array| TextColumn::Interval(array, settings.interval_style)),
            _ => array.as_string_view_opt().cloned().map(TextColumn::Text),
        };
        let column = column.ok_or_else(|| wrong_representation(ty, array))?;
        Ok(Self { nulls, column })
    }

    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.column, TextColumn::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the text of a row that is not null.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) {
        match &self.column {
            TextColumn::Null => {}
            TextColumn::Bool(array) => out.push(if array.value(row) { b't' } else { b'f' }),
            TextColumn::Int2(array) => write_integer(array.value(row), out),
            TextColumn::Int4(array) => write_integer(array.value(row), out),
            TextColumn::Int8(array) => write_integer(array.value(row), out),
            TextColumn::UInt4(array) => write_integer(array.value(row), out),
            TextColumn::UInt8(array) => write_integer(array.value(row), out),
            TextColumn::Float4(array, digits) => float::write_float4(array.value(row), *digits, out),
            TextColumn::Float8(array, digits) => float::write_float8(array.value(row), *digits, out),
            TextColumn::Text(array) => out.extend_from_slice(array.value(row).as_bytes()),
            TextColumn::ByteaHex(array) => bytea::write_hex(array.value(row), out),
            TextColumn::ByteaEscape(array) => bytea::write_escape(array.value(row), out),
            TextColumn::Numeric(array) => numeric::encoding::write_text(array.value(row), out),
            TextColumn::Decimal(array, scale) => numeric::write_decimal(array.value(row), *scale, out),
            TextColumn::Uuid(array) => uuid::write(array.value(row), out),
            TextColumn::Lsn(array) => object_id::write_lsn(array.value(row), out),
            TextColumn::Tid(array) => object_id::write_tid(array.value(row), out),
            TextColumn::Date(array, settings) => format::write_date(array.value(row), settings, out),
            TextColumn::Time(array) => format::write_time(array.value(row), out),
            TextColumn::TimeTz(array) => {
                if let Some(value) = TimeTz::from_bytes(array.value(row)) {
                    format::write_timetz(value, out);
                }
            }
            TextColumn::Timestamp(array, settings) => format::write_timestamp(array.value(row), settings, out),
            TextColumn::TimestampTz(array, settings) => format::write_timestamptz(array.value(row), settings, out),
            TextColumn::Interval(array, style) => interval::write(Interval::from_arrow(array.value(row)), *style, out),
            TextColumn::Reg(array, reg_type, names) => object_id::write_reg(*reg_type, array.value(row), names, out),
        }
    }
}

fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn wrong_representation(ty: Type, array: &ArrayRef) -> Error {
    Error::internal(format!("a column of type {} has Arrow type {}", format_type(ty), array.data_type()))
}

/// Writes the rows of one column in binary format.
pub struct BinaryEncoder {
    nulls: Option<NullBuffer>,
    column: BinaryColumn,
}

enum BinaryColumn {
    Null,
    Bool(BooleanArray),
    Int2(Int16Array),
    Int4(Int32Array),
    Int8(Int64Array),
    UInt4(UInt32Array),
    UInt8(UInt64Array),
    Float4(Float32Array),
    Float8(Float64Array),
    Text(StringViewArray),
    Char(StringViewArray),
    Bytes(BinaryViewArray),
    Numeric(BinaryViewArray),
    Decimal(Decimal128Array, u32),
    Fixed(FixedSizeBinaryArray),
    Tid(UInt64Array),
    Date(Date32Array),
    Time(Time64MicrosecondArray),
    Timestamp(TimestampMicrosecondArray),
    Interval(IntervalMonthDayNanoArray),
}

impl BinaryEncoder {
    pub fn new(ty: Type, array: &ArrayRef) -> Result<Self> {
        let nulls = array.logical_nulls();
        if *array.data_type() == DataType::Null {
            return Ok(Self { nulls, column: BinaryColumn::Null });
        }
        let column = match ty.oid {
            oid::BOOL => array.as_boolean_opt().cloned().map(BinaryColumn::Bool),
            oid::INT2 => array.as_primitive_opt::<Int16Type>().cloned().map(BinaryColumn::Int2),
            oid::INT4 => array.as_primitive_opt::<Int32Type>().cloned().map(BinaryColumn::Int4),
            oid::INT8 | oid::PG_LSN => array.as_primitive_opt::<Int64Type>().cloned().map(BinaryColumn::Int8),
            oid::FLOAT4 => array.as_primitive_opt::<Float32Type>().cloned().map(BinaryColumn::Float4),
            oid::FLOAT8 => array.as_primitive_opt::<Float64Type>().cloned().map(BinaryColumn::Float8),
            oid::OID | oid::XID | oid::CID => array.as_primitive_opt::<UInt32Type>().cloned().map(BinaryColumn::UInt4),
            reg_type if is_reg_type(reg_type) => {
                array.as_primitive_opt::<UInt32Type>().cloned().map(BinaryColumn::UInt4)
            }
            oid::XID8 => array.as_primitive_opt::<UInt64Type>().cloned().map(BinaryColumn::UInt8),
            oid::TID => array.as_primitive_opt::<UInt64Type>().cloned().map(BinaryColumn::Tid),
            oid::BYTEA => array.as_binary_view_opt().cloned().map(BinaryColumn::Bytes),
            oid::NUMERIC => match array.data_type() {
                DataType::Decimal128(_, scale) => {
                    let scale = u32::try_from(*scale).map_err(|_| wrong_representation(ty, array))?;
                    array.as_primitive_opt::<Decimal128Type>().cloned().map(|array| BinaryColumn::Decimal(array, scale))
                }
                _ => array.as_binary_view_opt().cloned().map(BinaryColumn::Numeric),
            },
            oid::UUID | oid::TIMETZ => array.as_fixed_size_binary_opt().cloned().map(BinaryColumn::Fixed),
            oid::DATE => array.as_primitive_opt::<Date32Type>().cloned().map(BinaryColumn::Date),
            oid::TIME => array.as_primitive_opt::<Time64MicrosecondType>().cloned().map(BinaryColumn::Time),
            oid::TIMESTAMP | oid::TIMESTAMPTZ => {
                array.as_primitive_opt::<TimestampMicrosecondType>().cloned().map(BinaryColumn::Timestamp)
            }
            oid::INTERVAL => array.as_primitive_opt::<IntervalMonthDayNanoType>().cloned().map(BinaryColumn::Interval),
            oid::CHAR => array.as_string_view_opt().cloned().map(BinaryColumn::Char),
            _ => array.as_string_view_opt().cloned().map(BinaryColumn::Text),
        };
        let column = column.ok_or_else(|| wrong_representation(ty, array))?;
        Ok(Self { nulls, column })
    }

    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.column, BinaryColumn::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the binary form of a row that is not null (without a length word).
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) {
        match &self.column {
            BinaryColumn::Null => {}
            BinaryColumn::Bool(array) => out.push(u8::from(array.value(row))),
            BinaryColumn::Int2(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::Int4(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::Int8(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::UInt4(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::UInt8(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::Float4(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::Float8(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::Text(array) => out.extend_from_slice(array.value(row).as_bytes()),
            BinaryColumn::Char(array) => out.push(text::char_to_byte(array.value(row))),
            BinaryColumn::Bytes(array) => out.extend_from_slice(array.value(row)),
            BinaryColumn::Numeric(array) => numeric::encoding::write_binary(array.value(row), out),
            BinaryColumn::Decimal(array, scale) => {
                numeric::encoding::write_binary_decimal(array.value(row), *scale, out)
            }
            BinaryColumn::Fixed(array) => out.extend_from_slice(array.value(row)),
            BinaryColumn::Date(array) => out.extend_from_slice(&date::to_binary(array.value(row)).to_be_bytes()),
            BinaryColumn::Time(array) => out.extend_from_slice(&array.value(row).to_be_bytes()),
            BinaryColumn::Timestamp(array) => {
                out.extend_from_slice(&timestamp::to_binary(array.value(row)).to_be_bytes());
            }
            BinaryColumn::Interval(array) => Interval::from_arrow(array.value(row)).write_binary(out),
            BinaryColumn::Tid(array) => {
                let tid = array.value(row);
                out.extend_from_slice(&((tid >> 16) as u32).to_be_bytes());
                out.extend_from_slice(&(tid as u16).to_be_bytes());
            }
        }
    }
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
