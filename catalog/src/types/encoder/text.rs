//! Text format of columns.

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

use super::super::array::{ArrayColumn, MAX_DIMENSIONS, needs_quotes, write_dimensions, write_quoted};
use super::super::datetime::format;
use super::super::datetime::time::TimeTz;
use super::super::enums::EnumColumn;
use super::super::geometry::{self, is_geometric};
use super::super::interval::{self, Interval};
use super::super::names::Names;
use super::super::nested::delimiter;
use super::super::network::{self, Network};
use super::super::oid::Oid;
use super::super::range::any_range_type;
use super::super::representation::{is_reg_type, type_of_field};
use super::super::structure::{element, erased};
use super::super::{
    FormatSettings, IntervalStyle, Type, bytea, float, money, numeric, object_id, oid, record, text_search, uuid,
};
use super::range::RangeColumn;
use super::wrong_representation;
use crate::error::Result;

/// Writes the rows of one column in text format. Made once per column: the array is downcast here, so that
/// [`encode`](Self::encode) only formats.
pub struct TextEncoder {
    nulls: Option<NullBuffer>,
    column: TextColumn,
}

enum TextColumn {
    Null,
    /// `void`: an empty value that is not null.
    Void,
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
    Date(Date32Array, Box<FormatSettings>),
    Time(Time64MicrosecondArray),
    TimeTz(FixedSizeBinaryArray),
    Timestamp(TimestampMicrosecondArray, Box<FormatSettings>),
    TimestampTz(TimestampMicrosecondArray, Box<FormatSettings>),
    Interval(IntervalMonthDayNanoArray, IntervalStyle),
    Money(Int64Array),
    Network(BinaryViewArray, Oid),
    Geometric(BinaryViewArray, Oid, i32),
    Mac(BinaryViewArray),
    TsVector(BinaryViewArray),
    TsQuery(BinaryViewArray),
    Range(Box<RangeColumn<TextEncoder>>),
    Array(Box<ArrayText>),
    Vector(Box<ArrayColumn>, Box<TextEncoder>),
    Record(Vec<TextEncoder>),
    Enum(EnumColumn),
}

impl TextEncoder {
    pub fn new(ty: Type, array: &ArrayRef, settings: &FormatSettings) -> Result<Self> {
        let nulls = array.logical_nulls();
        let ty = erased(ty, &settings.names);
        if ty.oid == oid::VOID {
            return Ok(Self { nulls, column: TextColumn::Void });
        }
        if *array.data_type() == DataType::Null {
            return Ok(Self { nulls, column: TextColumn::Null });
        }
        if let Some(element) = element(ty.oid, &settings.names) {
            let column = Self::array_column(ty, element, array, settings)?;
            return Ok(Self { nulls, column });
        }
        if let Some(record) = array.as_struct_opt() {
            let fields = record.fields().iter().zip(record.columns());
            let columns = fields.map(|(field, column)| Self::new(type_of_field(field), column, settings));
            return Ok(Self { nulls, column: TextColumn::Record(columns.collect::<Result<_>>()?) });
        }
        let digits = settings.extra_float_digits;
        let column = match ty.oid {
            oid::BOOL => array.as_boolean_opt().cloned().map(TextColumn::Bool),
            oid::INT2 => array.as_primitive_opt::<Int16Type>().cloned().map(TextColumn::Int2),
            oid::INT4 => array.as_primitive_opt::<Int32Type>().cloned().map(TextColumn::Int4),
            oid::INT8 => array.as_primitive_opt::<Int64Type>().cloned().map(TextColumn::Int8),
            oid::MONEY => array.as_primitive_opt::<Int64Type>().cloned().map(TextColumn::Money),
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
            oid::INET | oid::CIDR => {
                array.as_binary_view_opt().cloned().map(|array| TextColumn::Network(array, ty.oid))
            }
            other if is_geometric(other) => {
                array.as_binary_view_opt().cloned().map(|array| TextColumn::Geometric(array, other, digits))
            }
            oid::MACADDR | oid::MACADDR8 => array.as_binary_view_opt().cloned().map(TextColumn::Mac),
            oid::TSVECTOR => array.as_binary_view_opt().cloned().map(TextColumn::TsVector),
            oid::TSQUERY => array.as_binary_view_opt().cloned().map(TextColumn::TsQuery),
            other if any_range_type(other, &settings.names).is_some() => {
                let (Some(range), Some(values)) = (any_range_type(other, &settings.names), array.as_binary_view_opt())
                else {
                    return Err(wrong_representation(ty, array));
                };
                Some(TextColumn::Range(Box::new(RangeColumn::text(&range, ty, values, settings)?)))
            }
            oid::NUMERIC => match array.data_type() {
                DataType::Decimal128(_, scale) => {
                    let scale = u32::try_from(*scale).map_err(|_| wrong_representation(ty, array))?;
                    array.as_primitive_opt::<Decimal128Type>().cloned().map(|array| TextColumn::Decimal(array, scale))
                }
                _ => array.as_binary_view_opt().cloned().map(TextColumn::Numeric),
            },
            oid::UUID => array.as_fixed_size_binary_opt().cloned().map(TextColumn::Uuid),
            oid::DATE => array
                .as_primitive_opt::<Date32Type>()
                .cloned()
                .map(|array| TextColumn::Date(array, Box::new(settings.clone()))),
            oid::TIME => array.as_primitive_opt::<Time64MicrosecondType>().cloned().map(TextColumn::Time),
            oid::TIMETZ => array.as_fixed_size_binary_opt().cloned().map(TextColumn::TimeTz),
            oid::TIMESTAMP => array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .cloned()
                .map(|array| TextColumn::Timestamp(array, Box::new(settings.clone()))),
            oid::TIMESTAMPTZ => array
                .as_primitive_opt::<TimestampMicrosecondType>()
                .cloned()
                .map(|array| TextColumn::TimestampTz(array, Box::new(settings.clone()))),
            oid::INTERVAL => array
                .as_primitive_opt::<IntervalMonthDayNanoType>()
                .cloned()
                .map(|array| TextColumn::Interval(array, settings.interval_style)),
            _ => match EnumColumn::new(ty.oid, array, &settings.names) {
                Some(column) => Some(TextColumn::Enum(column)),
                None => array.as_string_view_opt().cloned().map(TextColumn::Text),
            },
        };
        let column = column.ok_or_else(|| wrong_representation(ty, array))?;
        Ok(Self { nulls, column })
    }

    fn array_column(ty: Type, element: Oid, array: &ArrayRef, settings: &FormatSettings) -> Result<TextColumn> {
        let column = ArrayColumn::new(array).ok_or_else(|| wrong_representation(ty, array))?;
        let elements = Self::new(Type::new(element, ty.typmod), column.all_elements(), settings)?;
        if matches!(ty.oid, oid::INT2VECTOR | oid::OIDVECTOR) {
            return Ok(TextColumn::Vector(Box::new(column), Box::new(elements)));
        }
        Ok(TextColumn::Array(Box::new(ArrayText { column, elements, delimiter: delimiter(element) })))
    }

    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.column, TextColumn::Null) || self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends the text of a row that is not null.
    pub fn encode(&self, row: usize, out: &mut Vec<u8>) {
        match &self.column {
            TextColumn::Null | TextColumn::Void => {}
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
            TextColumn::Network(array, ty) => {
                if let Some(network) = Network::from_bytes(array.value(row)) {
                    network.write(*ty, out);
                }
            }
            TextColumn::Geometric(array, ty, digits) => geometry::write(*ty, array.value(row), *digits, out),
            TextColumn::Mac(array) => network::write_mac(array.value(row), out),
            TextColumn::TsVector(array) => text_search::vector::write_text(array.value(row), out),
            TextColumn::TsQuery(array) => text_search::TsQuery::from_bytes(array.value(row)).write(out),
            TextColumn::Range(ranges) => ranges.write(row, out),
            TextColumn::Money(array) => money::write(array.value(row), out),
            TextColumn::Array(array) => array.encode(row, out),
            TextColumn::Vector(array, elements) => {
                for (index, element) in array.range(row).enumerate() {
                    if index > 0 {
                        out.push(b' ');
                    }
                    elements.encode(element, out);
                }
            }
            TextColumn::Record(columns) => write_record(columns, row, out),
            TextColumn::Enum(column) => column.write(row, out),
            TextColumn::Reg(array, reg_type, names) => object_id::write_reg(*reg_type, array.value(row), names, out),
        }
    }
}

fn write_integer(value: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// A column of arrays and the encoder of all their elements.
struct ArrayText {
    column: ArrayColumn,
    elements: TextEncoder,
    delimiter: u8,
}

impl ArrayText {
    fn encode(&self, row: usize, out: &mut Vec<u8>) {
        let range = self.column.range(row);
        if range.is_empty() {
            out.extend_from_slice(b"{}");
            return;
        }
        let shape = self.column.shape(row).unwrap_or_default();
        write_dimensions(shape, out);
        let (dimensions, _) = shape.as_chunks::<2>();
        // Elements that one closing brace of each depth spans, innermost first.
        let mut spans = [usize::MAX; MAX_DIMENSIONS];
        let mut depth = 0;
        let mut span = 1usize;
        for &[length, _] in dimensions.iter().rev().take(MAX_DIMENSIONS) {
            span = span.saturating_mul(length.max(1) as usize);
            spans[depth] = span;
            depth += 1;
        }
        if depth == 0 {
            spans[0] = range.len();
            depth = 1;
        }
        for (index, element) in range.enumerate() {
            if index > 0 {
                let ended = spans[..depth].iter().filter(|&&span| index.is_multiple_of(span)).count();
                out.extend(std::iter::repeat_n(b'}', ended));
                out.push(self.delimiter);
                out.extend(std::iter::repeat_n(b'{', ended));
            } else {
                out.extend(std::iter::repeat_n(b'{', depth));
            }
            self.encode_element(element, out);
        }
        out.extend(std::iter::repeat_n(b'}', depth));
    }

    fn encode_element(&self, element: usize, out: &mut Vec<u8>) {
        if self.elements.is_null(element) {
            out.extend_from_slice(b"NULL");
            return;
        }
        let start = out.len();
        self.elements.encode(element, out);
        if needs_quotes(&out[start..], self.delimiter) {
            write_quoted(start, false, out);
        }
    }
}

fn write_record(columns: &[TextEncoder], row: usize, out: &mut Vec<u8>) {
    out.push(b'(');
    for (index, column) in columns.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        if !column.is_null(row) {
            let start = out.len();
            column.encode(row, out);
            record::quote_field(start, out);
        }
    }
    out.push(b')');
}
