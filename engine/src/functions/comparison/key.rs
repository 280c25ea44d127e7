//! Comparison keys: for each type, Arrow values whose own equality and order are PostgreSQL's.
//!
//! Where Arrow already compares as PostgreSQL does, a value is its own key. Elsewhere a key function makes comparable values, so that every
//! comparison, join, grouping and sort runs on DataFusion's native operators.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use aegis_catalog::types::json;
use aegis_catalog::types::numeric::{self, Numeric};
use aegis_catalog::types::range::{self, Subtype};
use aegis_catalog::types::{element_of, oid, text_search, type_of_field};
use aegis_catalog::{Result, Type};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryViewBuilder, Decimal128Array, PrimitiveArray, StringViewBuilder,
    StructArray,
};
use arrow::compute::SortOptions;
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, IntervalMonthDayNanoType, TimestampMicrosecondType,
};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::execute::error::{from_arrow, to_datafusion};
use crate::functions::array::ArrayColumn;
use crate::functions::value::{Read, TimeTz, downcast};
use crate::session::context::StatementContext;

const DAY_MICROS: i128 = 86_400_000_000;

/// How a type's key differs from the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// One zero and one NaN, which is the greatest value.
    Float4,
    Float8,
    /// The encoding without its display scale.
    Numeric,
    /// Without trailing blanks.
    Bpchar,
    /// In lower case.
    Citext,
    /// In microseconds, a month being 30 days.
    Interval,
    /// UTC time, then zone.
    TimeTz,
    /// A date as a timestamp.
    DateTimestamp,
    Jsonb,
    /// Without prefix marks and weights.
    TsQuery,
    /// Without the display scales of the bounds.
    NumericRange,
    Array(Type),
    Record,
}

/// The key of a type; None if values are their own keys.
pub fn key_of(ty: Type) -> Option<Key> {
    Some(match ty.oid {
        oid::FLOAT4 => Key::Float4,
        oid::FLOAT8 => Key::Float8,
        oid::NUMERIC => Key::Numeric,
        oid::BPCHAR => Key::Bpchar,
        oid::CITEXT => Key::Citext,
        oid::INTERVAL => Key::Interval,
        oid::TIMETZ => Key::TimeTz,
        oid::JSONB => Key::Jsonb,
        oid::TSQUERY => Key::TsQuery,
        oid::RECORD => Key::Record,
        oid::NUMRANGE | oid::NUMMULTIRANGE => Key::NumericRange,
        other => Key::Array(Type::of(element_of(other)?)),
    })
}

/// What stands for `expr` of type `ty` wherever it is compared, grouped, joined or sorted.
pub fn comparison_key(ty: Type, expr: Expr) -> Expr {
    match key_of(ty) {
        Some(key) => key.of(expr),
        None => expr,
    }
}

/// The representation of a type's keys.
pub fn comparison_type(ty: Type, context: &StatementContext) -> DataType {
    key_of(ty).map_or_else(|| context.catalog.arrow_type(ty), Key::data_type)
}

/// The key column of a column of type `ty`.
pub fn key_array(ty: Type, array: &ArrayRef) -> Result<ArrayRef> {
    match key_of(ty) {
        Some(key) => key.evaluate(array),
        None => Ok(array.clone()),
    }
}

impl Key {
    pub fn of(self, expr: Expr) -> Expr {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::new_from_impl(KeyFunction { key: self, signature }).call(vec![expr])
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Float4 => DataType::Float32,
            Self::Float8 => DataType::Float64,
            Self::Bpchar | Self::Citext => DataType::Utf8View,
            Self::Interval => DataType::Decimal128(38, 0),
            Self::DateTimestamp => DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None),
            Self::Numeric
            | Self::NumericRange
            | Self::TimeTz
            | Self::Jsonb
            | Self::TsQuery
            | Self::Array(_)
            | Self::Record => DataType::BinaryView,
        }
    }

    pub fn evaluate(self, array: &ArrayRef) -> Result<ArrayRef> {
        Ok(match self {
            Self::Float4 => Arc::new(map::<Float32Type, Float32Type>(array, |value| match value {
                value if value.is_nan() => f32::NAN,
                value => value + 0.0,
            })?),
            Self::Float8 => Arc::new(map::<Float64Type, Float64Type>(array, |value| match value {
                value if value.is_nan() => f64::NAN,
                value => value + 0.0,
            })?),
            Self::Interval => {
                let micros: Decimal128Array = map::<IntervalMonthDayNanoType, Decimal128Type>(array, |value| {
                    (i128::from(value.months) * 30 + i128::from(value.days)) * DAY_MICROS
                        + i128::from(value.nanoseconds / 1000)
                })?;
                Arc::new(micros.with_precision_and_scale(38, 0).map_err(from_arrow)?)
            }
            Self::DateTimestamp => {
                Arc::new(map::<arrow::datatypes::Date32Type, TimestampMicrosecondType>(array, date_micros)?)
            }
            Self::Numeric => numeric_keys(array)?,
            Self::NumericRange => {
                let values = downcast::<arrow::array::BinaryViewArray>(array)?;
                bytes(array, |row, key| {
                    range::comparison_key(Subtype::Numeric, values.value(row), key);
                    Ok(())
                })?
            }
            Self::Bpchar => {
                let values = downcast::<arrow::array::StringViewArray>(array)?;
                let mut keys = StringViewBuilder::with_capacity(values.len());
                values.iter().for_each(|value| keys.append_option(value.map(|value| value.trim_end_matches(' '))));
                Arc::new(keys.finish())
            }
            Self::Citext => {
                let values = downcast::<arrow::array::StringViewArray>(array)?;
                let mut keys = StringViewBuilder::with_capacity(values.len());
                values.iter().for_each(|value| keys.append_option(value.map(str::to_lowercase)));
                Arc::new(keys.finish())
            }
            Self::TimeTz => {
                let values = <TimeTz as Read>::open(array)?;
                bytes(array, |row, key| {
                    let value = <TimeTz as Read>::get(&values, row);
                    let utc = value.micros + i64::from(value.west) * 1_000_000;
                    key.extend_from_slice(&(utc.wrapping_sub(i64::MIN) as u64).to_be_bytes());
                    key.extend_from_slice(&(value.west.wrapping_sub(i32::MIN) as u32).to_be_bytes());
                    Ok(())
                })?
            }
            Self::Jsonb => {
                let values = downcast::<arrow::array::StringViewArray>(array)?;
                bytes(array, |row, key| {
                    *key = json::comparison_key(&json::parse(values.value(row))?)?;
                    Ok(())
                })?
            }
            Self::TsQuery => {
                let values = downcast::<arrow::array::BinaryViewArray>(array)?;
                let mut keys = BinaryViewBuilder::with_capacity(values.len());
                values.iter().for_each(|value| keys.append_option(value.map(text_search::query::comparison_key)));
                Arc::new(keys.finish())
            }
            Self::Array(element) => array_keys(element, array)?,
            Self::Record => record_keys(array)?,
        })
    }
}

fn date_micros(days: i32) -> i64 {
    match days {
        i32::MAX => i64::MAX,
        i32::MIN => i64::MIN,
        days => i64::from(days).saturating_mul(DAY_MICROS as i64),
    }
}

fn map<A: ArrowPrimitiveType, B: ArrowPrimitiveType>(
    array: &ArrayRef,
    value: impl Fn(A::Native) -> B::Native,
) -> Result<PrimitiveArray<B>> {
    Ok(downcast::<PrimitiveArray<A>>(array)?.unary(value))
}

/// One key of bytes per row that is not null.
fn bytes(array: &ArrayRef, mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<()>) -> Result<ArrayRef> {
    let mut keys = BinaryViewBuilder::with_capacity(array.len());
    let mut key = Vec::new();
    for row in 0..array.len() {
        if array.is_null(row) {
            keys.append_null();
            continue;
        }
        key.clear();
        write(row, &mut key)?;
        keys.append_value(&key);
    }
    Ok(Arc::new(keys.finish()))
}

fn numeric_keys(array: &ArrayRef) -> Result<ArrayRef> {
    if let Some(encoded) = array.as_any().downcast_ref::<arrow::array::BinaryViewArray>() {
        let mut keys = BinaryViewBuilder::with_capacity(encoded.len());
        encoded.iter().for_each(|value| keys.append_option(value.map(numeric::key)));
        return Ok(Arc::new(keys.finish()));
    }
    let values = <Numeric as Read>::open(array)?;
    bytes(array, |row, key| {
        <Numeric as Read>::get(&values, row).write_bytes(key);
        key.truncate(numeric::key(key).len());
        Ok(())
    })
}

/// Order-preserving rows of a column, nulls last.
fn ordered_rows(ty: Type, array: &ArrayRef) -> Result<Rows> {
    let keys = key_array(ty, array)?;
    let options = SortOptions { descending: false, nulls_first: false };
    let converter = RowConverter::new(vec![SortField::new_with_options(keys.data_type().clone(), options)]);
    converter.and_then(|converter| converter.convert_columns(&[keys])).map_err(from_arrow)
}

/// Elements in order, then number of dimensions, then each one's length and lower bound (`array_cmp`).
fn array_keys(element: Type, array: &ArrayRef) -> Result<ArrayRef> {
    let column = ArrayColumn::open(array)?;
    let rows = ordered_rows(element, column.elements())?;
    bytes(array, |row, key| {
        for position in column.range(row) {
            key.push(1);
            key.extend_from_slice(rows.row(position).as_ref());
        }
        key.push(0);
        let dimensions = column.dimensions(row);
        key.push(dimensions.len() as u8);
        for part in dimensions.iter().map(|d| d.length).chain(dimensions.iter().map(|d| d.lower)) {
            key.extend_from_slice(&(part.wrapping_sub(i32::MIN) as u32).to_be_bytes());
        }
        Ok(())
    })
}

fn record_keys(array: &ArrayRef) -> Result<ArrayRef> {
    let record = downcast::<StructArray>(array)?;
    let columns = record
        .fields()
        .iter()
        .zip(record.columns())
        .map(|(field, column)| ordered_rows(type_of_field(field), column))
        .collect::<Result<Vec<_>>>()?;
    bytes(array, |row, key| {
        columns.iter().for_each(|rows| key.extend_from_slice(rows.row(row).as_ref()));
        Ok(())
    })
}

/// A key as a function that DataFusion can call.
#[derive(Debug)]
struct KeyFunction {
    key: Key,
    signature: Signature,
}

impl PartialEq for KeyFunction {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for KeyFunction {}

impl Hash for KeyFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl ScalarUDFImpl for KeyFunction {
    fn name(&self) -> &str {
        "comparison_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> datafusion::error::Result<DataType> {
        Ok(self.key.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> datafusion::error::Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [array] = &arrays[..] else { return datafusion::common::internal_err!("a key has one argument") };
        let keys = self.key.evaluate(array).map_err(to_datafusion)?;
        Ok(match &args.args[..] {
            [ColumnarValue::Scalar(_)] => {
                ColumnarValue::Scalar(datafusion::scalar::ScalarValue::try_from_array(&keys, 0)?)
            }
            _ => ColumnarValue::Array(keys),
        })
    }
}
