//! `generate_series`, `generate_subscripts`.

use std::sync::Arc;

use aegis_catalog::types::TimeZone;
use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::ArrayRef;

use super::lists::set_of;
use crate::functions::array::{ArrayColumn, Dimension};
use crate::functions::datetime::arithmetic::{add_interval, add_interval_in};
use crate::functions::kernel::Inputs;
use crate::functions::signature::{Row, f};
use crate::functions::value::{Interval, Read, Timestamp, TimestampTz, Write};
use crate::functions::{Body, Call, SetStream};

const BATCH_ROWS: usize = 8192;

pub fn functions() -> Vec<Row> {
    vec![
        f("generate_series(int4, int4)", series::<i32>(stream::<i32>)),
        f("generate_series(int4, int4, int4)", series::<i32>(stream::<i32>)),
        f("generate_series(int8, int8)", series::<i64>(stream::<i64>)),
        f("generate_series(int8, int8, int8)", series::<i64>(stream::<i64>)),
        f("generate_series(numeric, numeric)", series::<Numeric>(stream::<Numeric>)),
        f("generate_series(numeric, numeric, numeric)", series::<Numeric>(stream::<Numeric>)),
        f("generate_series(timestamp, timestamp, interval)", series::<Timestamp>(stream::<Timestamp>)),
        f("generate_series(timestamptz, timestamptz, interval)", series::<TimestampTz>(stream::<TimestampTz>)),
        f("generate_subscripts(anyarray, int4)", subscripts()),
        f("generate_subscripts(anyarray, int4, bool)", subscripts()),
    ]
}

/// A type that series are made of.
trait Series: for<'a> Read<'a> + Write + Clone + Send + 'static {
    type Step: for<'a> Read<'a> + Clone + Send + 'static;
    fn default_step() -> Option<Self::Step>;
    /// Sign of a step; fails for one that a series cannot have.
    fn sign(step: &Self::Step) -> Result<i32>;
    fn check(&self) -> Result<()> {
        Ok(())
    }
    fn check_stop(&self) -> Result<()> {
        Ok(())
    }
    fn not_beyond(&self, stop: &Self, sign: i32) -> bool;
    /// None at the end of the type's range.
    fn next(&self, step: &Self::Step, zone: &TimeZone) -> Result<Option<Self>>;
}

fn zero_step() -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, "step size cannot equal zero")
}

macro_rules! integer {
    ($ty:ty) => {
        impl Series for $ty {
            type Step = $ty;
            fn default_step() -> Option<$ty> {
                Some(1)
            }
            fn sign(step: &$ty) -> Result<i32> {
                if *step == 0 { Err(zero_step()) } else { Ok(step.signum() as i32) }
            }
            fn not_beyond(&self, stop: &Self, sign: i32) -> bool {
                if sign > 0 { self <= stop } else { self >= stop }
            }
            fn next(&self, step: &$ty, _zone: &TimeZone) -> Result<Option<Self>> {
                Ok(self.checked_add(*step))
            }
        }
    };
}

integer!(i32);
integer!(i64);

impl Series for Numeric {
    type Step = Numeric;
    fn default_step() -> Option<Numeric> {
        Some(Numeric::ONE)
    }
    fn sign(step: &Numeric) -> Result<i32> {
        match step {
            Numeric::NaN => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "step size cannot be NaN")),
            Numeric::Infinity | Numeric::NegInfinity => {
                Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "step size cannot be infinity"))
            }
            step if step.is_zero() => Err(zero_step()),
            step => Ok(step.signum()),
        }
    }
    fn check(&self) -> Result<()> {
        finite(self, "start")
    }
    fn check_stop(&self) -> Result<()> {
        finite(self, "stop")
    }
    fn not_beyond(&self, stop: &Self, sign: i32) -> bool {
        let order = self.compare(stop);
        if sign > 0 { order.is_le() } else { order.is_ge() }
    }
    fn next(&self, step: &Numeric, _zone: &TimeZone) -> Result<Option<Self>> {
        self.add(step).map(Some)
    }
}

fn finite(value: &Numeric, what: &str) -> Result<()> {
    let refuse =
        |kind: &str| Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("{what} value cannot be {kind}")));
    match value {
        Numeric::NaN => refuse("NaN"),
        Numeric::Infinity | Numeric::NegInfinity => refuse("infinity"),
        _ => Ok(()),
    }
}

fn interval_sign(step: &Interval) -> Result<i32> {
    match step.comparison_key().signum() {
        0 => Err(zero_step()),
        sign => Ok(sign as i32),
    }
}

impl Series for Timestamp {
    type Step = Interval;
    fn default_step() -> Option<Interval> {
        None
    }
    fn sign(step: &Interval) -> Result<i32> {
        interval_sign(step)
    }
    fn not_beyond(&self, stop: &Self, sign: i32) -> bool {
        if sign > 0 { self <= stop } else { self >= stop }
    }
    fn next(&self, step: &Interval, _zone: &TimeZone) -> Result<Option<Self>> {
        if self.is_finite() { add_interval(*self, *step).map(Some) } else { Err(infinite()) }
    }
}

impl Series for TimestampTz {
    type Step = Interval;
    fn default_step() -> Option<Interval> {
        None
    }
    fn sign(step: &Interval) -> Result<i32> {
        interval_sign(step)
    }
    fn not_beyond(&self, stop: &Self, sign: i32) -> bool {
        if sign > 0 { self <= stop } else { self >= stop }
    }
    fn next(&self, step: &Interval, zone: &TimeZone) -> Result<Option<Self>> {
        if Timestamp(self.0).is_finite() { add_interval_in(zone, *self, *step).map(Some) } else { Err(infinite()) }
    }
}

/// PostgreSQL would yield the same infinity for ever.
fn infinite() -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, "start value cannot be infinity")
}

/// The values of one call, lazily.
struct Values<T: Series> {
    next: Option<T>,
    stop: T,
    step: T::Step,
    sign: i32,
    zone: TimeZone,
}

impl<T: Series> Values<T> {
    fn new(start: T, stop: T, step: T::Step, zone: TimeZone) -> Result<Self> {
        start.check()?;
        stop.check_stop()?;
        let sign = T::sign(&step)?;
        Ok(Self { next: Some(start), stop, step, sign, zone })
    }
}

impl<T: Series> Iterator for Values<T> {
    type Item = Result<T>;
    fn next(&mut self) -> Option<Result<T>> {
        let value = self.next.take()?;
        if !value.not_beyond(&self.stop, self.sign) {
            return None;
        }
        match value.next(&self.step, &self.zone) {
            Ok(next) => self.next = next,
            // A step beyond the type's range matters only if the next value is asked for, and it would be past `stop`.
            Err(_) => self.next = None,
        }
        Some(Ok(value))
    }
}

/// Start, stop and step of a call's row.
struct Arguments<'a, T: Series> {
    inputs: &'a Inputs,
    start: crate::functions::kernel::Reader<'a, T>,
    stop: crate::functions::kernel::Reader<'a, T>,
    step: Option<crate::functions::kernel::Reader<'a, T::Step>>,
}

impl<'a, T: Series> Arguments<'a, T> {
    fn new(inputs: &'a Inputs) -> Result<Self> {
        let step = if inputs.len() > 2 { Some(inputs.reader::<T::Step>(2)?) } else { None };
        Ok(Self { inputs, start: inputs.reader(0)?, stop: inputs.reader(1)?, step })
    }

    fn values(&self, row: usize, zone: &TimeZone) -> Result<Option<Values<T>>> {
        if self.inputs.any_null(row) {
            return Ok(None);
        }
        let step = match &self.step {
            Some(step) => step.get(row),
            None => T::default_step().ok_or_else(|| Error::internal("a series has a step"))?,
        };
        Values::new(self.start.get(row), self.stop.get(row), step, zone.clone()).map(Some)
    }
}

fn series<T: Series>(stream: SetStream) -> Body {
    Body::Set {
        lists: Arc::new(|call, args| {
            let inputs = Inputs::new(args)?;
            let arguments = Arguments::<T>::new(&inputs)?;
            set_of(call.rows, |row| match arguments.values(row, &call.context.format.time_zone)? {
                Some(values) => {
                    let mut rows = Vec::new();
                    for value in values {
                        if rows.len() % BATCH_ROWS == 0 {
                            call.context.check_cancelled()?;
                        }
                        rows.push(Some(value?));
                    }
                    Ok(rows)
                }
                None => Ok(Vec::new()),
            })
        }),
        stream: Some(stream),
    }
}

type Batches = Box<dyn Iterator<Item = Result<Vec<ArrayRef>>> + Send>;

fn stream<T: Series>(call: &Call<'_>, args: &[ArrayRef]) -> Result<Batches> {
    let inputs = Inputs::of_arrays(args);
    let values = Arguments::<T>::new(&inputs)?.values(0, &call.context.format.time_zone)?;
    let Some(mut values) = values else { return Ok(Box::new(std::iter::empty())) };
    Ok(Box::new(std::iter::from_fn(move || {
        let mut builder = T::builder(BATCH_ROWS);
        let mut rows = 0;
        for value in values.by_ref().take(BATCH_ROWS) {
            match value {
                Ok(value) => value.append(&mut builder),
                Err(error) => return Some(Err(error)),
            }
            rows += 1;
        }
        (rows > 0).then(|| Ok(vec![T::finish(builder)]))
    })))
}

/// The subscripts of one dimension of an array.
fn subscripts() -> Body {
    super::lists::body(Arc::new(|call, args| {
        let inputs = Inputs::new(args)?;
        let shapes = inputs.reader::<Subscripts>(0)?;
        let numbers = inputs.reader::<i32>(1)?;
        let reverse = if inputs.len() > 2 { Some(inputs.reader::<bool>(2)?) } else { None };
        set_of(call.rows, |row| {
            if inputs.any_null(row) {
                return Ok(Vec::new());
            }
            let number = usize::try_from(numbers.get(row)).ok().and_then(|number| number.checked_sub(1));
            let shape = shapes.get(row).0;
            let Some(dimension) = number.and_then(|number| shape.get(number)) else { return Ok(Vec::new()) };
            let range = dimension.lower..dimension.lower.saturating_add(dimension.length);
            Ok(if reverse.as_ref().is_some_and(|reverse| reverse.get(row)) {
                range.rev().map(Some).collect()
            } else {
                range.map(Some).collect()
            })
        })
    }))
}

struct Subscripts(Vec<Dimension>);

impl<'a> Read<'a> for Subscripts {
    type Column = ArrayColumn<'a>;
    fn open(array: &'a ArrayRef) -> Result<Self::Column> {
        ArrayColumn::open(array)
    }
    fn get(column: &Self::Column, row: usize) -> Self {
        Self(column.dimensions(row))
    }
}
