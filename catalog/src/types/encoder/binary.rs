//! Binary format of columns.

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

use super::super::array::ArrayColumn;
use super::super::builder::JSONB_VERSION;
use super::super::datetime::{date, timestamp};
use super::super::enums::EnumColumn;
use super::super::geometry::is_geometric;
use super::super::hstore::Hstore;
use super::super::interval::Interval;
use super::super::network::Network;
use super::super::oid::Oid;
use super::super::range::any_range_type;
use super::super::representation::{is_reg_type, type_of_field};
use super::super::structure::{Structure, TypeLookup, element, erased};
use super::super::{Names, Type, bit, numeric, oid, text, text_search};
use super::range::RangeColumn;
use super::wrong_representation;
use crate::error::Result;

/// Writes the rows of one column in binary format.
pub struct BinaryEncoder {
    nulls: Option<NullBuffer>,
    column: BinaryColumn,
}

enum BinaryColumn {
    Null,
    /// `void`: an empty value that is not null.
    Void,
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
    Network(BinaryViewArray, Oid),
    Range(Box<RangeColumn<BinaryEncoder>>),
    Jsonb(StringViewArray),
    Bits(StringViewArray),
    Hstore(StringViewArray),
    TsVector(BinaryViewArray),
    TsQuery(BinaryViewArray),
    Array(Box<ArrayBinary>),
    Record(Vec<(Oid, BinaryEncoder)>),
    Enum(EnumColumn),
}

impl BinaryEncoder {
    pub fn new(ty: Type, array: &ArrayRef, names: &Names) -> Result<Self> {
        let nulls = array.logical_nulls();
        let ty = erased(ty, names);
        if ty.oid == oid::VOID {
            return Ok(Self { nulls, column: BinaryColumn::Void });
        }
        if *array.data_type() == DataType::Null {
            return Ok(Self { nulls, column: BinaryColumn::Null });
        }
        if let Some(element) = element(ty.oid, names) {
            let column = ArrayColumn::new(array).ok_or_else(|| wrong_representation(ty, array))?;
            let elements = Self::new(Type::new(element, ty.typmod), column.all_elements(), names)?;
            return Ok(Self {
                nulls,
                column: BinaryColumn::Array(Box::new(ArrayBinary { column, element, elements })),
            });
        }
        if let Some(record) = array.as_struct_opt() {
            // A field of a domain is of the domain, though its value is of the base type.
            let declared = match names.structure(ty.oid) {
                Some(Structure::Composite(fields)) if fields.len() == record.num_columns() => fields,
                _ => Vec::new(),
            };
            let fields = record.fields().iter().zip(record.columns()).enumerate();
            let columns = fields.map(|(position, (field, column))| {
                let ty = type_of_field(field);
                let shown = declared.get(position).map_or(ty.oid, |(_, declared)| declared.oid);
                Ok((shown, Self::new(ty, column, names)?))
            });
            return Ok(Self { nulls, column: BinaryColumn::Record(columns.collect::<Result<_>>()?) });
        }
        let column = match ty.oid {
            oid::BOOL => array.as_boolean_opt().cloned().map(BinaryColumn::Bool),
            oid::INT2 => array.as_primitive_opt::<Int16Type>().cloned().map(BinaryColumn::Int2),
            oid::INT4 => array.as_primitive_opt::<Int32Type>().cloned().map(BinaryColumn::Int4),
            oid::INT8 | oid::PG_LSN | oid::MONEY => {
                array.as_primitive_opt::<Int64Type>().cloned().map(BinaryColumn::Int8)
            }
            oid::FLOAT4 => array.as_primitive_opt::<Float32Type>().cloned().map(BinaryColumn::Float4),
            oid::FLOAT8 => array.as_primitive_opt::<Float64Type>().cloned().map(BinaryColumn::Float8),
            oid::OID | oid::XID | oid::CID => array.as_primitive_opt::<UInt32Type>().cloned().map(BinaryColumn::UInt4),
            reg_type if is_reg_type(reg_type) => {
                array.as_primitive_opt::<UInt32Type>().cloned().map(BinaryColumn::UInt4)
            }
            oid::XID8 => array.as_primitive_opt::<UInt64Type>().cloned().map(BinaryColumn::UInt8),
            oid::TID => array.as_primitive_opt::<UInt64Type>().cloned().map(BinaryColumn::Tid),
            oid::BYTEA => array.as_binary_view_opt().cloned().map(BinaryColumn::Bytes),
            other if is_geometric(other) => array.as_binary_view_opt().cloned().map(BinaryColumn::Bytes),
            oid::MACADDR | oid::MACADDR8 => array.as_binary_view_opt().cloned().map(BinaryColumn::Bytes),
            oid::TSVECTOR => array.as_binary_view_opt().cloned().map(BinaryColumn::TsVector),
            oid::TSQUERY => array.as_binary_view_opt().cloned().map(BinaryColumn::TsQuery),
            oid::INET | oid::CIDR => {
                array.as_binary_view_opt().cloned().map(|array| BinaryColumn::Network(array, ty.oid))
            }
            other if any_range_type(other, names).is_some() => {
                let (Some(range), Some(values)) = (any_range_type(other, names), array.as_binary_view_opt()) else {
                    return Err(wrong_representation(ty, array));
                };
                Some(BinaryColumn::Range(Box::new(RangeColumn::binary(&range, ty, values, names)?)))
            }
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
            oid::JSONB => array.as_string_view_opt().cloned().map(BinaryColumn::Jsonb),
            oid::BIT | oid::VARBIT => array.as_string_view_opt().cloned().map(BinaryColumn::Bits),
            oid::HSTORE => array.as_string_view_opt().cloned().map(BinaryColumn::Hstore),
            oid::CHAR => array.as_string_view_opt().cloned().map(BinaryColumn::Char),
            _ => match EnumColumn::new(ty.oid, array, names) {
                Some(column) => Some(BinaryColumn::Enum(column)),
                None => array.as_string_view_opt().cloned().map(BinaryColumn::Text),
            },
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
            BinaryColumn::Null | BinaryColumn::Void => {}
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
            BinaryColumn::Network(array, ty) => {
                if let Some(network) = Network::from_bytes(array.value(row)) {
                    network.write_binary(*ty, out);
                }
            }
            BinaryColumn::Interval(array) => Interval::from_arrow(array.value(row)).write_binary(out),
            BinaryColumn::Jsonb(array) => {
                out.push(JSONB_VERSION);
                out.extend_from_slice(array.value(row).as_bytes());
            }
            BinaryColumn::Hstore(array) => Hstore::of_text(array.value(row)).write_binary(out),
            BinaryColumn::Bits(array) => bit::write_binary(array.value(row), out),
            BinaryColumn::TsVector(array) => text_search::vector::write_binary(array.value(row), out),
            BinaryColumn::TsQuery(array) => text_search::TsQuery::from_bytes(array.value(row)).write_binary(out),
            BinaryColumn::Range(ranges) => ranges.write(row, out),
            BinaryColumn::Array(array) => array.encode(row, out),
            BinaryColumn::Enum(column) => column.write(row, out),
            BinaryColumn::Record(columns) => {
                out.extend_from_slice(&(columns.len() as i32).to_be_bytes());
                for (type_oid, column) in columns {
                    out.extend_from_slice(&type_oid.to_be_bytes());
                    column.encode_sized(row, out);
                }
            }
            BinaryColumn::Tid(array) => {
                let tid = array.value(row);
                out.extend_from_slice(&((tid >> 16) as u32).to_be_bytes());
                out.extend_from_slice(&(tid as u16).to_be_bytes());
            }
        }
    }

    /// Appends a length word (-1 for null) and the value.
    pub(super) fn encode_sized(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.extend_from_slice(&(-1i32).to_be_bytes());
            return;
        }
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        self.encode(row, out);
        let length = (out.len() - start - 4) as i32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

/// A column of arrays and the encoder of all their elements.
struct ArrayBinary {
    column: ArrayColumn,
    element: Oid,
    elements: BinaryEncoder,
}

impl ArrayBinary {
    fn encode(&self, row: usize, out: &mut Vec<u8>) {
        let range = self.column.range(row);
        let length = range.len() as i32;
        let usual = [length, 1];
        let shape = match self.column.shape(row) {
            Some(shape) => shape,
            None if length == 0 => &[],
            None => &usual,
        };
        let has_nulls = range.clone().any(|element| self.elements.is_null(element));
        out.extend_from_slice(&(shape.len() as i32 / 2).to_be_bytes());
        out.extend_from_slice(&i32::from(has_nulls).to_be_bytes());
        out.extend_from_slice(&self.element.to_be_bytes());
        for bound in shape {
            out.extend_from_slice(&bound.to_be_bytes());
        }
        for element in range {
            self.elements.encode_sized(element, out);
        }
    }
}
