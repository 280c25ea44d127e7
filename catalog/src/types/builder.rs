//! Building a column from text or binary values: literals, parameters, COPY.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder, Float32Builder, Float64Builder,
    Int16Builder, Int32Builder, Int64Builder, IntervalMonthDayNanoBuilder, StringViewBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder, UInt32Builder, UInt64Builder,
};

use super::binary::Reader;
use super::datetime::{date, time, timestamp};
use super::enums::EnumValues;
use super::geometry::is_geometric;
use super::hstore::Hstore;
use super::interval::{self, Interval};
use super::nested::{ArrayValues, RecordValues};
use super::network::Network;
use super::numeric::Numeric;
use super::oid::Oid;
use super::representation::{built_in, is_reg_type};
use super::structure::{Structure, TypeLookup, element, erased};
use super::text_search::{TsQuery, TsVector};
use super::type_name::{format_type, numeric_precision_scale};
use super::{
    FormatSettings, Names, Type, bit, boolean, bytea, float, geometry, int, json, money, network, object_id, oid,
    range, text, uuid,
};
use crate::error::{Error, Result};
use crate::sqlstate;

/// First byte of the binary format of `jsonb`.
pub(super) const JSONB_VERSION: u8 = 1;

/// Collects values of one type and yields their computed Arrow representation. Input obeys the type modifier
/// as PostgreSQL's input functions do. A failed append leaves the column as it was.
pub struct ColumnBuilder {
    ty: Type,
    values: Values,
    scratch: Vec<u8>,
}

/// One variant per physical kind.
enum Values {
    Bool(BooleanBuilder),
    Int2(Int16Builder),
    Int4(Int32Builder),
    Int8(Int64Builder),
    UInt4(UInt32Builder),
    UInt8(UInt64Builder),
    Float4(Float32Builder),
    Float8(Float64Builder),
    Text(StringViewBuilder),
    Bytes(BinaryViewBuilder),
    Numeric(BinaryViewBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    TimeTz(FixedSizeBinaryBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Interval(IntervalMonthDayNanoBuilder),
    Range(range::RangeType, BinaryViewBuilder),
    Array(Box<ArrayValues>),
    Record(Box<RecordValues>),
    Enum(EnumValues),
}

impl ColumnBuilder {
    /// `names` knows the types that users create. Values of a domain are values of its base type here: whether they
    /// meet the domain's constraints is the caller's to check.
    pub fn new(ty: Type, capacity: usize, names: &Names) -> Result<Self> {
        let ty = erased(ty, names);
        if let Some(element) = element(ty.oid, names) {
            let values = Values::Array(Box::new(ArrayValues::new(ty, element, capacity, names)?));
            return Ok(Self { ty, values, scratch: Vec::new() });
        }
        match names.structure(ty.oid) {
            Some(Structure::Composite(fields)) => return Self::composite(ty, &fields, capacity, names),
            Some(Structure::Enum(labels)) => {
                let values = Values::Enum(EnumValues::new(labels, names.clone(), capacity));
                return Ok(Self { ty, values, scratch: Vec::new() });
            }
            Some(Structure::Array(_) | Structure::Domain(_) | Structure::Range(_)) | None => {}
        }
        if let Some(range) = range::any_range_type(ty.oid, names) {
            let values = Values::Range(range, BinaryViewBuilder::with_capacity(capacity));
            return Ok(Self { ty, values, scratch: Vec::new() });
        }
        let values = match ty.oid {
            oid::BOOL | oid::VOID => Values::Bool(BooleanBuilder::with_capacity(capacity)),
            oid::INT2 => Values::Int2(Int16Builder::with_capacity(capacity)),
            oid::INT4 => Values::Int4(Int32Builder::with_capacity(capacity)),
            oid::INT8 | oid::PG_LSN | oid::MONEY => Values::Int8(Int64Builder::with_capacity(capacity)),
            oid::FLOAT4 => Values::Float4(Float32Builder::with_capacity(capacity)),
            oid::FLOAT8 => Values::Float8(Float64Builder::with_capacity(capacity)),
            oid::OID | oid::XID | oid::CID => Values::UInt4(UInt32Builder::with_capacity(capacity)),
            other if is_reg_type(other) => Values::UInt4(UInt32Builder::with_capacity(capacity)),
            oid::XID8 | oid::TID => Values::UInt8(UInt64Builder::with_capacity(capacity)),
            oid::TEXT
            | oid::VARCHAR
            | oid::BPCHAR
            | oid::NAME
            | oid::CHAR
            | oid::UNKNOWN
            | oid::CSTRING
            | oid::REFCURSOR
            | oid::ACLITEM
            | oid::PG_NODE_TREE
            | oid::JSON
            | oid::JSONB
            | oid::BIT
            | oid::VARBIT
            | oid::CITEXT
            | oid::HSTORE => Values::Text(StringViewBuilder::with_capacity(capacity)),
            oid::BYTEA | oid::INET | oid::CIDR | oid::MACADDR | oid::MACADDR8 | oid::TSVECTOR | oid::TSQUERY => {
                Values::Bytes(BinaryViewBuilder::with_capacity(capacity))
            }
            other if is_geometric(other) => Values::Bytes(BinaryViewBuilder::with_capacity(capacity)),
            oid::NUMERIC => Values::Numeric(BinaryViewBuilder::with_capacity(capacity)),
            oid::UUID => Values::Uuid(FixedSizeBinaryBuilder::with_capacity(capacity, 16)),
            oid::DATE => Values::Date(Date32Builder::with_capacity(capacity)),
            oid::TIME => Values::Time(Time64MicrosecondBuilder::with_capacity(capacity)),
            oid::TIMETZ => Values::TimeTz(FixedSizeBinaryBuilder::with_capacity(capacity, 12)),
            oid::TIMESTAMP | oid::TIMESTAMPTZ => {
                Values::Timestamp(TimestampMicrosecondBuilder::with_capacity(capacity).with_data_type(built_in(ty)))
            }
            oid::INTERVAL => Values::Interval(IntervalMonthDayNanoBuilder::with_capacity(capacity)),
            oid::RECORD => {
                return Err(Error::new(
                    sqlstate::FEATURE_NOT_SUPPORTED,
                    "input of anonymous composite types is not implemented",
                ));
            }
            _ => return Err(Error::unsupported(format!("type {}", format_type(ty)))),
        };
        Ok(Self { ty, values, scratch: Vec::new() })
    }

    /// A builder of row values with these fields.
    pub fn composite(ty: Type, fields: &[(String, Type)], capacity: usize, names: &Names) -> Result<Self> {
        let values = Values::Record(Box::new(RecordValues::new(fields, capacity, names)?));
        Ok(Self { ty, values, scratch: Vec::new() })
    }

    pub fn append_null(&mut self) {
        match &mut self.values {
            Values::Bool(values) => values.append_null(),
            Values::Int2(values) => values.append_null(),
            Values::Int4(values) => values.append_null(),
            Values::Int8(values) => values.append_null(),
            Values::UInt4(values) => values.append_null(),
            Values::UInt8(values) => values.append_null(),
            Values::Float4(values) => values.append_null(),
            Values::Float8(values) => values.append_null(),
            Values::Text(values) => values.append_null(),
            Values::Bytes(values) | Values::Numeric(values) | Values::Range(_, values) => values.append_null(),
            Values::Uuid(values) | Values::TimeTz(values) => values.append_null(),
            Values::Date(values) => values.append_null(),
            Values::Time(values) => values.append_null(),
            Values::Timestamp(values) => values.append_null(),
            Values::Interval(values) => values.append_null(),
            Values::Array(values) => values.append_null(),
            Values::Record(values) => values.append_null(),
            Values::Enum(values) => values.append_null(),
        }
    }

    /// Appends a value in the type's text format.
    pub fn append_text(&mut self, input: &str, settings: &FormatSettings) -> Result<()> {
        let ty = self.ty;
        match &mut self.values {
            Values::Bool(values) if ty.oid == oid::VOID => values.append_value(true),
            Values::Bool(values) => values.append_value(boolean::parse(input)?),
            Values::Int2(values) => values.append_value(int::parse_int2(input)?),
            Values::Int4(values) => values.append_value(int::parse_int4(input)?),
            Values::Int8(values) => values.append_value(match ty.oid {
                oid::PG_LSN => object_id::parse_lsn(input)?,
                oid::MONEY => money::parse(input)?,
                _ => int::parse_int8(input)?,
            }),
            Values::UInt4(values) => values.append_value(match ty.oid {
                oid::OID => object_id::parse_oid(input)?,
                oid::XID | oid::CID => object_id::parse_xid(input),
                reg_type => object_id::parse_reg(reg_type, input, &settings.names)?,
            }),
            Values::UInt8(values) => values.append_value(match ty.oid {
                oid::TID => object_id::parse_tid(input)?,
                _ => object_id::parse_xid8(input),
            }),
            Values::Float4(values) => values.append_value(float::parse_float4(input)?),
            Values::Float8(values) => values.append_value(float::parse_float8(input)?),
            Values::Text(values) => append_string(values, ty, input)?,
            Values::Range(range, values) => values.append_value(parse_range(range, ty.oid, input, settings)?),
            Values::Bytes(values) => match ty.oid {
                oid::INET | oid::CIDR => values.append_value(Network::parse(input, ty.oid)?.to_bytes()),
                oid::MACADDR => values.append_value(network::parse_mac(input)?),
                oid::MACADDR8 => values.append_value(network::parse_mac8(input)?),
                oid::TSVECTOR => values.append_value(TsVector::parse(input)?.to_bytes()),
                oid::TSQUERY => values.append_value(TsQuery::parse(input)?.to_bytes()),
                other if is_geometric(other) => values.append_value(geometry::parse(other, input)?),
                _ => {
                    self.scratch.clear();
                    bytea::parse(input, &mut self.scratch)?;
                    values.append_value(&self.scratch);
                }
            },
            Values::Numeric(values) => append_numeric(values, ty, Numeric::parse(input)?, &mut self.scratch)?,
            Values::Uuid(values) => append_fixed(values, &uuid::parse(input)?)?,
            Values::Date(values) => values.append_value(date::parse(input, settings)?),
            Values::Time(values) => values.append_value(time::parse(input, ty.typmod, settings)?),
            Values::TimeTz(values) => {
                append_fixed(values, &time::parse_tz(input, ty.typmod, settings)?.to_bytes())?;
            }
            Values::Timestamp(values) => values.append_value(match ty.oid {
                oid::TIMESTAMP => timestamp::parse(input, ty.typmod, settings)?,
                _ => timestamp::parse_tz(input, ty.typmod, settings)?,
            }),
            Values::Interval(values) => {
                values.append_value(interval::parse(input, ty.typmod, settings)?.to_arrow()?);
            }
            Values::Array(values) => values.append_text(input, settings)?,
            Values::Record(values) => values.append_text(input, settings)?,
            Values::Enum(values) => values.append(input)?,
        }
        Ok(())
    }

    /// Appends a value in the type's binary format.
    pub fn append_binary(&mut self, bytes: &[u8]) -> Result<()> {
        let ty = self.ty;
        let mut reader = Reader::new(bytes);
        match &mut self.values {
            Values::Bool(values) if ty.oid == oid::VOID => values.append_value(true),
            Values::Bool(values) => {
                let value = reader.u8()? != 0;
                reader.finish()?;
                values.append_value(value);
            }
            Values::Int2(values) => values.append_value(whole(reader, Reader::i16)?),
            Values::Int4(values) => values.append_value(whole(reader, Reader::i32)?),
            Values::Int8(values) => values.append_value(whole(reader, Reader::i64)?),
            Values::UInt4(values) => values.append_value(whole(reader, Reader::u32)?),
            Values::UInt8(values) => values.append_value(match ty.oid {
                oid::TID => whole(reader, |reader| Ok((u64::from(reader.u32()?) << 16) | u64::from(reader.u16()?)))?,
                _ => whole(reader, Reader::u64)?,
            }),
            Values::Float4(values) => values.append_value(whole(reader, Reader::u32).map(f32::from_bits)?),
            Values::Float8(values) => values.append_value(whole(reader, Reader::u64).map(f64::from_bits)?),
            Values::Text(values) if ty.oid == oid::CHAR => {
                values.append_value(text::char_from_byte(whole(reader, Reader::u8)?));
            }
            Values::Text(values) if matches!(ty.oid, oid::BIT | oid::VARBIT) => {
                values.append_value(bit::from_binary(bytes, ty)?);
            }
            Values::Text(values) if ty.oid == oid::HSTORE => {
                values.append_value(Hstore::from_binary(bytes)?.to_string());
            }
            Values::Text(values) if ty.oid == oid::JSONB => {
                let version = reader.u8()?;
                if version != JSONB_VERSION {
                    return Err(Error::internal(format!("unsupported jsonb version number {version}")));
                }
                append_string(values, ty, text::from_bytes(reader.remainder())?)?;
            }
            Values::Text(values) => append_string(values, ty, text::from_bytes(bytes)?)?,
            Values::Range(range, values) => values.append_value(receive_range(range, ty.oid, bytes)?),
            Values::Bytes(values) => match ty.oid {
                oid::INET | oid::CIDR => values.append_value(Network::from_binary(bytes, ty.oid)?.to_bytes()),
                oid::MACADDR => values.append_value(whole(reader, |reader| reader.take(6))?),
                oid::MACADDR8 if bytes.len() == 6 => {
                    let (maker, device) = bytes.split_at(3);
                    values.append_value([maker, &[0xff, 0xfe], device].concat());
                }
                oid::MACADDR8 => values.append_value(whole(reader, |reader| reader.take(8))?),
                oid::TSVECTOR => values.append_value(TsVector::from_binary(bytes)?.to_bytes()),
                oid::TSQUERY => values.append_value(TsQuery::from_binary(bytes)?.to_bytes()),
                other if is_geometric(other) => values.append_value(geometry::from_binary(other, bytes)?),
                _ => values.append_value(bytes),
            },
            Values::Numeric(values) => append_numeric(values, ty, Numeric::from_binary(bytes)?, &mut self.scratch)?,
            Values::Uuid(values) => append_fixed(values, &whole(reader, Reader::bytes16)?)?,
            Values::Date(values) => values.append_value(date::from_binary(whole(reader, Reader::i32)?)?),
            Values::Time(values) => values.append_value(time::from_binary(whole(reader, Reader::i64)?, ty.typmod)?),
            Values::TimeTz(values) => {
                let value = whole(reader, |reader| time::tz_from_binary(reader, ty.typmod))?;
                append_fixed(values, &value.to_bytes())?;
            }
            Values::Timestamp(values) => {
                values.append_value(timestamp::from_binary(whole(reader, Reader::i64)?, ty.typmod)?);
            }
            Values::Interval(values) => {
                let value = whole(reader, |reader| Interval::from_binary(reader, ty.typmod))?;
                values.append_value(value.to_arrow()?);
            }
            Values::Array(values) => values.append_binary(bytes)?,
            Values::Record(values) => values.append_binary(bytes)?,
            Values::Enum(values) => values.append(text::from_bytes(bytes)?)?,
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        use arrow::array::ArrayBuilder;
        match &self.values {
            Values::Bool(values) => values.len(),
            Values::Int2(values) => values.len(),
            Values::Int4(values) => values.len(),
            Values::Int8(values) => values.len(),
            Values::UInt4(values) => values.len(),
            Values::UInt8(values) => values.len(),
            Values::Float4(values) => values.len(),
            Values::Float8(values) => values.len(),
            Values::Text(values) => values.len(),
            Values::Bytes(values) | Values::Numeric(values) | Values::Range(_, values) => values.len(),
            Values::Uuid(values) | Values::TimeTz(values) => values.len(),
            Values::Date(values) => values.len(),
            Values::Time(values) => values.len(),
            Values::Timestamp(values) => values.len(),
            Values::Interval(values) => values.len(),
            Values::Array(values) => values.len(),
            Values::Record(values) => values.len(),
            Values::Enum(values) => values.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column so far; the builder is empty afterwards.
    pub fn finish(&mut self) -> ArrayRef {
        // Children are built together with their parents, so that their lengths agree.
        self.try_finish().unwrap_or_else(|error| panic!("inconsistent column: {error}"))
    }

    pub(super) fn try_finish(&mut self) -> Result<ArrayRef> {
        Ok(match &mut self.values {
            Values::Bool(values) => Arc::new(values.finish()),
            Values::Int2(values) => Arc::new(values.finish()),
            Values::Int4(values) => Arc::new(values.finish()),
            Values::Int8(values) => Arc::new(values.finish()),
            Values::UInt4(values) => Arc::new(values.finish()),
            Values::UInt8(values) => Arc::new(values.finish()),
            Values::Float4(values) => Arc::new(values.finish()),
            Values::Float8(values) => Arc::new(values.finish()),
            Values::Text(values) => Arc::new(values.finish()),
            Values::Bytes(values) | Values::Numeric(values) | Values::Range(_, values) => Arc::new(values.finish()),
            Values::Uuid(values) | Values::TimeTz(values) => Arc::new(values.finish()),
            Values::Date(values) => Arc::new(values.finish()),
            Values::Time(values) => Arc::new(values.finish()),
            Values::Timestamp(values) => Arc::new(values.finish()),
            Values::Interval(values) => Arc::new(values.finish()),
            Values::Array(values) => values.finish()?,
            Values::Record(values) => values.finish()?,
            Values::Enum(values) => values.finish(),
        })
    }
}

/// A range, or a multirange over it.
fn parse_range(range: &range::RangeType, ty: Oid, input: &str, settings: &FormatSettings) -> Result<Vec<u8>> {
    match range.range == ty {
        true => range::parse(range, input, settings),
        false => range::parse_multirange(range, input, settings),
    }
}

fn receive_range(range: &range::RangeType, ty: Oid, bytes: &[u8]) -> Result<Vec<u8>> {
    match range.range == ty {
        true => range::from_binary(range, bytes),
        false => range::multirange_from_binary(range, bytes),
    }
}

/// Reads one value and insists that nothing follows it.
fn whole<'a, T>(mut reader: Reader<'a>, read: impl FnOnce(&mut Reader<'a>) -> Result<T>) -> Result<T> {
    let value = read(&mut reader)?;
    reader.finish()?;
    Ok(value)
}

fn append_fixed(values: &mut FixedSizeBinaryBuilder, bytes: &[u8]) -> Result<()> {
    values.append_value(bytes).map_err(|error| Error::internal(error.to_string()))
}

fn append_numeric(values: &mut BinaryViewBuilder, ty: Type, value: Numeric, scratch: &mut Vec<u8>) -> Result<()> {
    scratch.clear();
    match numeric_precision_scale(ty.typmod) {
        Some((precision, scale)) => value.apply_typmod(precision, scale)?.write_bytes(scratch),
        None => value.write_bytes(scratch),
    }
    values.append_value(scratch);
    Ok(())
}

fn append_string(values: &mut StringViewBuilder, ty: Type, input: &str) -> Result<()> {
    match ty.oid {
        oid::VARCHAR => values.append_value(text::varchar(input, ty.typmod)?),
        oid::BPCHAR => values.append_value(text::bpchar(input, ty.typmod)?),
        oid::NAME => values.append_value(text::name(input)),
        oid::CHAR => values.append_value(text::char(input)),
        oid::JSON => {
            json::validate(input)?;
            values.append_value(input);
        }
        oid::JSONB => values.append_value(json::canonical(input)?),
        oid::PG_NODE_TREE => {
            let message = "cannot accept a value of type pg_node_tree";
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
        }
        oid::BIT | oid::VARBIT => values.append_value(bit::parse(input, ty)?),
        oid::HSTORE => values.append_value(Hstore::parse(input)?.to_string()),
        _ => values.append_value(input),
    }
    Ok(())
}

/// One value in text format as a column of one row.
pub fn parse_scalar(ty: Type, input: &str, settings: &FormatSettings) -> Result<ArrayRef> {
    let mut builder = ColumnBuilder::new(ty, 1, &settings.names)?;
    builder.append_text(input, settings)?;
    Ok(builder.finish())
}
