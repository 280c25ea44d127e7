//! SQL values as Rust types: how a kernel reads an argument and writes a result, one pair of trait implementations per type.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::sync::Arc;

pub use aegis_catalog::types::interval::Interval;
pub use aegis_catalog::types::network::Network;
use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result};
use arrow::array::builder::NullBufferBuilder;
use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BinaryViewBuilder, BooleanArray, BooleanBuilder, Date32Array, Decimal128Array,
    FixedSizeBinaryArray, FixedSizeBinaryBuilder, IntervalMonthDayNanoArray, NullArray, PrimitiveArray,
    PrimitiveBuilder, StringViewArray, StringViewBuilder, Time64MicrosecondArray, TimestampMicrosecondArray, make_view,
};
use arrow::buffer::Buffer;
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, Time64MicrosecondType, TimestampMicrosecondType, UInt32Type, UInt64Type,
};

/// An argument type: read from a column by row. Implemented for `Option<T>` too, for kernels that see nulls.
pub trait Read<'a>: Sized {
    type Column: 'a;
    /// The kernel handles nulls of this argument itself.
    const SEES_NULL: bool = false;
    fn open(array: &'a ArrayRef) -> Result<Self::Column>;
    /// The row is not null, unless `SEES_NULL`.
    fn get(column: &Self::Column, row: usize) -> Self;
}

/// A result type: appended to a column.
pub trait Write: Sized {
    type Builder;
    fn builder(rows: usize) -> Self::Builder;
    fn append(self, builder: &mut Self::Builder);
    fn append_null(builder: &mut Self::Builder);
    fn finish(builder: Self::Builder) -> ArrayRef;
}

/// What a kernel's body may yield: a value, perhaps null, perhaps an error.
pub trait Outcome {
    type Value: Write;
    fn outcome(self) -> Result<Option<Self::Value>>;
}

impl<T: Write> Outcome for T {
    type Value = T;
    fn outcome(self) -> Result<Option<T>> {
        Ok(Some(self))
    }
}

impl<T: Write> Outcome for Option<T> {
    type Value = T;
    fn outcome(self) -> Result<Option<T>> {
        Ok(self)
    }
}

impl<T: Outcome> Outcome for Result<T> {
    type Value = T::Value;
    fn outcome(self) -> Result<Option<T::Value>> {
        self?.outcome()
    }
}

/// A column as the array type its SQL type promises.
pub fn downcast<T: Array + 'static>(array: &dyn Array) -> Result<&T> {
    array.as_any().downcast_ref::<T>().ok_or_else(|| {
        Error::internal(format!("argument is {}, expected {}", array.data_type(), std::any::type_name::<T>()))
    })
}

impl<'a, T: Read<'a>> Read<'a> for Option<T> {
    type Column = (&'a ArrayRef, Option<T::Column>);
    const SEES_NULL: bool = true;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        let untyped = array.as_any().is::<NullArray>();
        Ok((array, if untyped { None } else { Some(T::open(array)?) }))
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        let (array, values) = column;
        values.as_ref().filter(|_| array.is_valid(row)).map(|values| T::get(values, row))
    }
}

// ---------------------------------------------------------------------------------------------- plain numbers

macro_rules! primitive {
    ($($rust:ty = $arrow:ty),*) => {$(
        impl<'a> Read<'a> for $rust {
            type Column = &'a PrimitiveArray<$arrow>;
            fn open(array: &'a ArrayRef) -> Result<Self::Column> {
                downcast(array)
            }
            #[inline]
            fn get(column: &Self::Column, row: usize) -> Self {
                column.value(row)
            }
        }
        impl Write for $rust {
            type Builder = PrimitiveBuilder<$arrow>;
            fn builder(rows: usize) -> Self::Builder {
                PrimitiveBuilder::with_capacity(rows)
            }
            #[inline]
            fn append(self, builder: &mut Self::Builder) {
                builder.append_value(self);
            }
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }
            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

primitive!(
    i16 = Int16Type,
    i32 = Int32Type,
    i64 = Int64Type,
    u32 = UInt32Type,
    u64 = UInt64Type,
    f32 = Float32Type,
    f64 = Float64Type
);

impl<'a> Read<'a> for bool {
    type Column = &'a BooleanArray;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        downcast(array)
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        column.value(row)
    }
}

impl Write for bool {
    type Builder = BooleanBuilder;
    fn builder(rows: usize) -> Self::Builder {
        BooleanBuilder::with_capacity(rows)
    }
    fn append(self, builder: &mut Self::Builder) {
        builder.append_value(self);
    }
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
    fn finish(mut builder: Self::Builder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

// ---------------------------------------------------------------------------------------------- text and bytes

impl<'a> Read<'a> for &'a str {
    type Column = &'a StringViewArray;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        downcast(array)
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        column.value(row)
    }
}

impl<'a> Read<'a> for &'a [u8] {
    type Column = &'a BinaryViewArray;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        downcast(array)
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        column.value(row)
    }
}

macro_rules! view {
    ($builder:ty: $($rust:ty),*) => {$(
        impl Write for $rust {
            type Builder = $builder;
            fn builder(rows: usize) -> Self::Builder {
                <$builder>::with_capacity(rows)
            }
            fn append(self, builder: &mut Self::Builder) {
                builder.append_value(self);
            }
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }
            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

view!(StringViewBuilder: &str, String, Cow<'_, str>);
view!(BinaryViewBuilder: &[u8], Vec<u8>);

// ---------------------------------------------------------------------------------------------- numeric

/// `numeric` arrives as its encoding, or as the Decimal128 of a stored column.
pub enum NumericColumn<'a> {
    Encoded(&'a BinaryViewArray),
    Decimal(&'a Decimal128Array),
}

impl<'a> Read<'a> for Numeric {
    type Column = NumericColumn<'a>;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        match array.as_any().downcast_ref::<Decimal128Array>() {
            Some(decimals) => Ok(NumericColumn::Decimal(decimals)),
            None => Ok(NumericColumn::Encoded(downcast(array)?)),
        }
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        match column {
            NumericColumn::Encoded(values) => Numeric::from_bytes(values.value(row)).unwrap_or(Numeric::NaN),
            NumericColumn::Decimal(values) => Numeric::from_decimal128(values.value(row), values.scale()),
        }
    }
}

/// Encoded numbers, one after the other. Most fit their views.
pub struct NumericBuilder {
    views: Vec<u128>,
    nulls: NullBufferBuilder,
    /// What does not fit a view.
    long: Vec<u8>,
    /// The number being encoded.
    bytes: Vec<u8>,
    /// The views of small whole numbers, which come again and again; 0 for those that have not come yet.
    small: Vec<u128>,
}

impl NumericBuilder {
    const SMALL: usize = 4096;
    const INLINE_BYTES: usize = 12;

    pub fn with_capacity(rows: usize) -> Self {
        Self {
            views: Vec::with_capacity(rows),
            nulls: NullBufferBuilder::new(rows),
            long: Vec::new(),
            bytes: Vec::new(),
            small: Vec::new(),
        }
    }

    pub fn append_option(&mut self, value: Option<Numeric>) {
        let Some(value) = value else {
            self.nulls.append_null();
            self.views.push(0);
            return;
        };
        self.nulls.append_non_null();
        let view = match value {
            Numeric::Small { mantissa: small @ 0..4096, scale: 0 } => self.small(small as usize),
            _ => self.view(&value),
        };
        self.views.push(view);
    }

    fn small(&mut self, number: usize) -> u128 {
        if let Some(known) = self.small.get(number).filter(|view| **view != 0) {
            return *known;
        }
        self.small.resize(Self::SMALL, 0);
        let view = self.view(&Numeric::from(number as i64));
        if let Some(place) = self.small.get_mut(number) {
            *place = view;
        }
        view
    }

    fn view(&mut self, value: &Numeric) -> u128 {
        self.bytes.clear();
        value.write_bytes(&mut self.bytes);
        if self.bytes.len() <= Self::INLINE_BYTES {
            return make_view(&self.bytes, 0, 0);
        }
        let view = make_view(&self.bytes, 0, self.long.len() as u32);
        self.long.extend_from_slice(&self.bytes);
        view
    }

    pub fn finish(mut self) -> ArrayRef {
        let buffers = if self.long.is_empty() { Vec::new() } else { vec![Buffer::from_vec(self.long)] };
        Arc::new(BinaryViewArray::new(self.views.into(), buffers, self.nulls.finish()))
    }
}

impl Write for Numeric {
    type Builder = NumericBuilder;
    fn builder(rows: usize) -> Self::Builder {
        NumericBuilder::with_capacity(rows)
    }
    fn append(self, builder: &mut Self::Builder) {
        builder.append_option(Some(self));
    }
    fn append_null(builder: &mut Self::Builder) {
        builder.append_option(None);
    }
    fn finish(builder: Self::Builder) -> ArrayRef {
        builder.finish()
    }
}

// ---------------------------------------------------------------------------------------------- date and time

/// Days since 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub i32);

/// Microseconds since midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub i64);

/// Microseconds since midnight, and the zone in seconds west of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeTz {
    pub micros: i64,
    pub west: i32,
}

/// Microseconds since 1970-01-01 00:00 of some zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// Microseconds since 1970-01-01 00:00 UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimestampTz(pub i64);

macro_rules! wrapped {
    ($rust:ident, $arrow:ty, $array:ty, $new:expr) => {
        impl<'a> Read<'a> for $rust {
            type Column = &'a $array;
            fn open(array: &'a ArrayRef) -> Result<Self::Column> {
                downcast(array)
            }
            fn get(column: &Self::Column, row: usize) -> Self {
                Self(column.value(row))
            }
        }
        impl Write for $rust {
            type Builder = PrimitiveBuilder<$arrow>;
            fn builder(rows: usize) -> Self::Builder {
                $new(PrimitiveBuilder::with_capacity(rows))
            }
            fn append(self, builder: &mut Self::Builder) {
                builder.append_value(self.0);
            }
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }
            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    };
}

wrapped!(Date, Date32Type, Date32Array, |builder| builder);
wrapped!(Time, Time64MicrosecondType, Time64MicrosecondArray, |builder| builder);
wrapped!(Timestamp, TimestampMicrosecondType, TimestampMicrosecondArray, |builder| builder);
wrapped!(TimestampTz, TimestampMicrosecondType, TimestampMicrosecondArray, in_utc);

fn in_utc(builder: PrimitiveBuilder<TimestampMicrosecondType>) -> PrimitiveBuilder<TimestampMicrosecondType> {
    builder.with_timezone("UTC")
}

impl<'a> Read<'a> for Interval {
    type Column = &'a IntervalMonthDayNanoArray;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        downcast(array)
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        Self::from_arrow(column.value(row))
    }
}

impl Write for Interval {
    type Builder = PrimitiveBuilder<IntervalMonthDayNanoType>;
    fn builder(rows: usize) -> Self::Builder {
        PrimitiveBuilder::with_capacity(rows)
    }
    fn append(self, builder: &mut Self::Builder) {
        builder.append_value(IntervalMonthDayNano::new(self.months, self.days, self.micros.saturating_mul(1000)));
    }
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
    fn finish(mut builder: Self::Builder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

// ---------------------------------------------------------------------------------------------- fixed-size bytes

/// The bytes of a `uuid`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Uuid(pub [u8; 16]);

macro_rules! fixed_size {
    ($rust:ty, $size:literal, $decode:expr, $encode:expr) => {
        impl<'a> Read<'a> for $rust {
            type Column = &'a FixedSizeBinaryArray;
            fn open(array: &'a ArrayRef) -> Result<Self::Column> {
                let column = downcast::<FixedSizeBinaryArray>(array)?;
                if column.value_length() != $size {
                    return Err(Error::internal("fixed-size argument has another size"));
                }
                Ok(column)
            }
            fn get(column: &Self::Column, row: usize) -> Self {
                let mut bytes = [0; $size];
                bytes.copy_from_slice(column.value(row));
                $decode(bytes)
            }
        }
        impl Write for $rust {
            type Builder = FixedSizeBinaryBuilder;
            fn builder(rows: usize) -> Self::Builder {
                FixedSizeBinaryBuilder::with_capacity(rows, $size)
            }
            fn append(self, builder: &mut Self::Builder) {
                let bytes: [u8; $size] = $encode(self);
                builder.append_value(bytes).expect("the builder has this size");
            }
            fn append_null(builder: &mut Self::Builder) {
                builder.append_null();
            }
            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    };
}

fixed_size!(Uuid, 16, Uuid, |uuid: Uuid| uuid.0);
fixed_size!(TimeTz, 12, TimeTz::from_bytes, TimeTz::to_bytes);

impl TimeTz {
    fn from_bytes(bytes: [u8; 12]) -> Self {
        let [a, b, c, d, e, f, g, h, west @ ..] = bytes;
        Self { micros: i64::from_be_bytes([a, b, c, d, e, f, g, h]), west: i32::from_be_bytes(west) }
    }

    fn to_bytes(self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.micros.to_be_bytes());
        bytes[8..].copy_from_slice(&self.west.to_be_bytes());
        bytes
    }
}

impl<'a> Read<'a> for Network {
    type Column = &'a BinaryViewArray;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        downcast(array)
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        // Only built by our own encoders.
        Self::from_bytes(column.value(row)).unwrap_or(Self { address: Ipv4Addr::UNSPECIFIED.into(), prefix: 0 })
    }
}

impl Write for Network {
    type Builder = BinaryViewBuilder;
    fn builder(rows: usize) -> Self::Builder {
        BinaryViewBuilder::with_capacity(rows)
    }
    fn append(self, builder: &mut Self::Builder) {
        builder.append_value(self.to_bytes());
    }
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
    fn finish(mut builder: Self::Builder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

/// `void`: a function called for its effect.
#[derive(Debug, Clone, Copy)]
pub struct Void;

impl Write for Void {
    type Builder = BooleanBuilder;
    fn builder(rows: usize) -> Self::Builder {
        BooleanBuilder::with_capacity(rows)
    }
    fn append(self, builder: &mut Self::Builder) {
        builder.append_value(true);
    }
    fn append_null(builder: &mut Self::Builder) {
        builder.append_null();
    }
    fn finish(mut builder: Self::Builder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_encoded_whatever_their_length() {
        let numbers = ["0", "7", "7.0", "-7", "4095", "4096", "7", "123456789012345678901234567890.5", "NaN"];
        let mut builder = NumericBuilder::with_capacity(0);
        for number in numbers {
            builder.append_option(Some(Numeric::parse(number).unwrap()));
        }
        builder.append_option(None);
        let values = builder.finish();
        let values: &BinaryViewArray = downcast(&values).unwrap();
        assert_eq!(values.null_count(), 1);
        for (number, bytes) in numbers.iter().zip(values) {
            assert_eq!(Numeric::from_bytes(bytes.unwrap()).unwrap().to_string(), *number);
        }
    }
}
