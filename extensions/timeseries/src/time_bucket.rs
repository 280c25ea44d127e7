//! `time_bucket`, as SQL calls it.

use std::ops::Range;
use std::sync::Arc;

use aegis_engine::extension::{
    Body, Call, Date, Inputs, Interval, Read, Reader, Result, Symbols, Timestamp, TimestampTz, Uuid, Write, batch,
};
use arrow::array::{Array, ArrayRef, TimestampMicrosecondArray};

use crate::bucket::{Bucket, Buckets, Width, Zone, start_of_integer};
use crate::uuid::time_of;

pub fn symbols() -> Symbols {
    vec![
        ("ts_int16_bucket", integers::<i16>()),
        ("ts_int32_bucket", integers::<i32>()),
        ("ts_int64_bucket", integers::<i64>()),
        ("ts_timestamp_bucket", times::<Timestamp>(Arguments::ORIGIN)),
        ("ts_timestamp_offset_bucket", times::<Timestamp>(Arguments::OFFSET)),
        ("ts_timestamptz_bucket", times::<TimestampTz>(Arguments::ORIGIN)),
        ("ts_timestamptz_offset_bucket", times::<TimestampTz>(Arguments::OFFSET)),
        ("ts_timestamptz_timezone_bucket", times::<TimestampTz>(Arguments::ZONE)),
        ("ts_date_bucket", times::<Date>(Arguments::ORIGIN)),
        ("ts_date_offset_bucket", times::<Date>(Arguments::OFFSET)),
        ("ts_uuid_bucket", times::<Uuid>(Arguments::ORIGIN)),
        ("ts_uuid_offset_bucket", times::<Uuid>(Arguments::OFFSET)),
        ("ts_uuid_timezone_bucket", times::<Uuid>(Arguments::ZONE)),
    ]
}

fn integers<T: crate::bucket::Integer + for<'a> Read<'a> + Write + Default + Send + Sync + 'static>() -> Body {
    batch(|call, inputs| {
        let (widths, values) = (inputs.reader::<T>(0)?, inputs.reader::<T>(1)?);
        let offsets = if inputs.len() > 2 { Some(inputs.reader::<T>(2)?) } else { None };
        let mut starts = T::builder(call.rows);
        for row in 0..call.rows {
            let offset = offsets.as_ref().map_or(T::default(), |offsets| offsets.get(row));
            start_of_integer(widths.get(row), values.get(row), offset)?.append(&mut starts);
        }
        Ok(T::finish(starts))
    })
}

/// A type of times, as µs since 1970; infinite ones are the greatest and the least integer.
pub trait Time: for<'a> Read<'a> + 'static {
    type Start: Write;
    fn micros(self) -> Result<i64>;
    fn start(micros: i64) -> Result<Self::Start>;
    fn width(interval: Interval) -> Result<Width> {
        Width::new(interval)
    }
    /// The column, if its values and those of the starts are the same numbers.
    fn instants(_: &ArrayRef) -> Option<&TimestampMicrosecondArray> {
        None
    }
}

impl Time for Timestamp {
    type Start = Self;
    fn instants(column: &ArrayRef) -> Option<&TimestampMicrosecondArray> {
        column.as_any().downcast_ref()
    }
    fn micros(self) -> Result<i64> {
        Ok(self.0)
    }
    fn start(micros: i64) -> Result<Self> {
        Ok(Self(micros))
    }
}

impl Time for TimestampTz {
    type Start = Self;
    fn instants(column: &ArrayRef) -> Option<&TimestampMicrosecondArray> {
        column.as_any().downcast_ref()
    }
    fn micros(self) -> Result<i64> {
        Ok(self.0)
    }
    fn start(micros: i64) -> Result<Self> {
        Ok(Self(micros))
    }
}

impl Time for Date {
    type Start = Self;
    fn micros(self) -> Result<i64> {
        self.midnight().map(|midnight| midnight.0)
    }
    fn start(micros: i64) -> Result<Self> {
        Timestamp(micros).date()
    }
    fn width(interval: Interval) -> Result<Width> {
        Width::of_days(interval)
    }
}

impl Time for Uuid {
    type Start = TimestampTz;
    fn micros(self) -> Result<i64> {
        time_of(self).map(|time| time.0)
    }
    fn start(micros: i64) -> Result<TimestampTz> {
        Ok(TimestampTz(micros))
    }
}

/// The places of a call's arguments after width and time; there may be fewer of them.
#[derive(Debug, Clone, Copy)]
pub struct Arguments {
    pub zone: Option<usize>,
    pub origin: Option<usize>,
    pub offset: Option<usize>,
}

impl Arguments {
    pub const NONE: Self = Self { zone: None, origin: None, offset: None };
    pub const ORIGIN: Self = Self { zone: None, origin: Some(2), offset: None };
    pub const OFFSET: Self = Self { zone: None, origin: None, offset: Some(2) };
    pub const ZONE: Self = Self { zone: Some(2), origin: Some(3), offset: Some(4) };
}

/// What a call's buckets follow from, readable by row.
struct Definition<'a> {
    widths: Reader<'a, Option<Interval>>,
    zones: Option<Reader<'a, Option<&'a str>>>,
    origins: Option<Origins<'a>>,
    offsets: Option<Reader<'a, Option<Interval>>>,
    width: fn(Interval) -> Result<Width>,
    /// All of them are the same in each row.
    constant: bool,
}

type Origins<'a> = Box<dyn Fn(usize) -> Result<Option<i64>> + 'a>;

impl<'a> Definition<'a> {
    fn open<T: Time>(inputs: &'a Inputs, arguments: Arguments) -> Result<Self> {
        let given = |place: Option<usize>| place.filter(|&place| place < inputs.len());
        let places = [Some(0), arguments.zone, arguments.origin, arguments.offset];
        let origins = match given(arguments.origin) {
            None => None,
            Some(place) => Some(origins::<T>(inputs, place)?),
        };
        Ok(Self {
            widths: inputs.reader(0)?,
            zones: given(arguments.zone).map(|place| inputs.reader(place)).transpose()?,
            origins,
            offsets: given(arguments.offset).map(|place| inputs.reader(place)).transpose()?,
            width: T::width,
            constant: places.into_iter().filter_map(given).all(|place| inputs.is_constant(place)),
        })
    }

    /// The buckets of a row; None if the width or the zone is null.
    fn buckets(&self, row: usize) -> Result<Option<Buckets>> {
        let Some(width) = self.widths.get(row) else { return Ok(None) };
        let mut buckets = Buckets::new((self.width)(width)?);
        let zone = match &self.zones {
            None => None,
            Some(zones) => match zones.get(row) {
                None => return Ok(None),
                Some(name) => Some(Zone::named(name)?),
            },
        };
        if let Some(origin) = self.origins.as_ref().map_or(Ok(None), |origins| origins(row))? {
            let finite = Timestamp(origin).is_finite();
            let local = zone.as_ref().filter(|_| finite).map_or(Ok(origin), |zone| zone.local(origin))?;
            buckets = buckets.with_origin(local);
        }
        if let Some(offset) = self.offsets.as_ref().and_then(|offsets| offsets.get(row)) {
            buckets = buckets.with_offset(offset);
        }
        Ok(Some(match zone {
            Some(zone) => buckets.in_zone(zone),
            None => buckets,
        }))
    }
}

/// Origins are of the type of the times; with UUIDs they are instants.
fn origins<'a, T: Time>(inputs: &'a Inputs, place: usize) -> Result<Origins<'a>> {
    if std::any::TypeId::of::<T>() == std::any::TypeId::of::<Uuid>() {
        let reader = inputs.reader::<Option<TimestampTz>>(place)?;
        return Ok(Box::new(move |row| Ok(reader.get(row).map(|origin| origin.0))));
    }
    let reader = inputs.reader::<Option<T>>(place)?;
    Ok(Box::new(move |row| reader.get(row).map(T::micros).transpose()))
}

fn times<T: Time>(arguments: Arguments) -> Body {
    batch(move |call, inputs| starts::<T>(call, inputs, arguments))
}

/// The starts of the buckets of times.
pub fn starts<T: Time>(call: &Call<'_>, inputs: &Inputs, arguments: Arguments) -> Result<ArrayRef> {
    let definition = Definition::open::<T>(inputs, arguments)?;
    if definition.constant
        && let Some(times) = inputs.array(1).filter(|_| !inputs.is_constant(1)).and_then(T::instants)
        && let Some(buckets) = definition.buckets(0)?
    {
        return starts_of(times, &buckets);
    }
    let times = inputs.reader::<Option<T>>(1)?;
    let mut starts = <T::Start as Write>::builder(call.rows);
    let mut buckets = None;
    let mut last = Last::default();
    for row in 0..call.rows {
        if row == 0 || !definition.constant {
            buckets = definition.buckets(row)?;
            last = Last::default();
        }
        match (&buckets, times.get(row)) {
            (Some(buckets), Some(time)) => T::start(last.start(time.micros()?, buckets)?)?.append(&mut starts),
            _ => <T::Start as Write>::append_null(&mut starts),
        }
    }
    Ok(<T::Start as Write>::finish(starts))
}

/// As [`starts`], of a column of times and the same buckets for all of them.
fn starts_of(times: &TimestampMicrosecondArray, buckets: &Buckets) -> Result<ArrayRef> {
    let mut last = Last::default();
    let starts = times.values().iter().enumerate().map(|(row, time)| match times.is_valid(row) {
        true => last.start(*time, buckets),
        false => Ok(0),
    });
    let starts = starts.collect::<Result<Vec<i64>>>()?;
    let starts = TimestampMicrosecondArray::new(starts.into(), times.nulls().cloned());
    Ok(Arc::new(starts.with_timezone_opt(times.timezone())))
}

/// The last bucket: times of one bucket mostly follow each other, and only the first of them is computed.
#[derive(Default)]
struct Last {
    range: Range<i64>,
}

impl Last {
    #[inline]
    fn start(&mut self, time: i64, buckets: &Buckets) -> Result<i64> {
        if self.range.contains(&time) {
            return Ok(self.range.start);
        }
        if !Timestamp(time).is_finite() {
            return Ok(time);
        }
        let Bucket { start, end } = buckets.of(time)?;
        self.range = start..end.unwrap_or(start);
        Ok(start)
    }
}
