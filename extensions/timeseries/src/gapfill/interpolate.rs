//! `interpolate`: values on the line between the observations before and after.

use std::sync::Arc;

use aegis_engine::extension::transform::Computed;
use aegis_engine::extension::{Error, Result, downcast};
use arrow::array::{
    Array, ArrayRef, Date32Array, Float32Array, Float64Array, Int16Array, Int32Array, Int64Array, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::DataType;

use super::{Filler, Source, invalid};

/// An observation; its value may be null.
#[derive(Debug, Clone, Copy)]
struct Point {
    time: i64,
    value: Option<Number>,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    Integer(i64),
    Float(f64),
}

pub struct Interpolate {
    value: Source,
    /// Records of a time and a value outside of the range.
    before: Option<Source>,
    after: Option<Source>,
    time_type: DataType,
    data_type: DataType,
    last: Option<Point>,
    /// A group of the series.
    shown: Option<usize>,
    made: Vec<Option<Number>>,
}

impl Interpolate {
    pub fn new(call: &Computed, time_type: DataType) -> Result<Self> {
        let value = Source::of(call, 0).ok_or_else(|| Error::internal("interpolate without a value"))?;
        Ok(Self {
            value,
            before: Source::of(call, 1),
            after: Source::of(call, 2),
            time_type,
            data_type: call.data_type.clone(),
            last: None,
            shown: None,
            made: Vec::new(),
        })
    }

    fn observed(&self, columns: &[ArrayRef], row: usize, time: i64) -> Result<Point> {
        let value = self.value.at(columns, Some(row)).map(|(values, at)| number(values, at)).transpose()?;
        Ok(Point { time, value: value.flatten() })
    }

    /// The neighbour that a record names.
    fn neighbour(&self, record: Option<&Source>, columns: &[ArrayRef]) -> Result<Option<Point>> {
        let Some((records, at)) = record.and_then(|record| record.at(columns, self.shown)) else { return Ok(None) };
        if records.is_null(at) {
            return Ok(None);
        }
        let fields = downcast::<StructArray>(records)?.columns();
        let [times, values] = fields else {
            return Err(invalid("interpolate RECORD arguments must have 2 elements"));
        };
        if *times.data_type() != self.time_type {
            return Err(invalid("first argument of interpolate returned record must match used timestamp datatype"));
        }
        if *values.data_type() != self.data_type {
            return Err(invalid("second argument of interpolate returned record must match used interpolate datatype"));
        }
        let Some(time) = time(times, at)? else { return Ok(None) };
        Ok(Some(Point { time, value: number(values, at)? }))
    }
}

/// On the line between two points, with integers rounded half away from zero.
fn between(from: Point, to: Point, time: i64) -> Option<Number> {
    let (left, right) = (i128::from(to.time) - i128::from(time), i128::from(time) - i128::from(from.time));
    let whole = i128::from(to.time) - i128::from(from.time);
    match (from.value?, to.value?) {
        _ if whole == 0 => from.value,
        (Number::Integer(a), Number::Integer(b)) => {
            let sum = i128::from(a).checked_mul(left)?.checked_add(i128::from(b).checked_mul(right)?)?;
            let half = whole.abs() / 2;
            let rounded = if (sum < 0) == (whole < 0) { sum.abs() + half } else { -(sum.abs() + half) };
            i64::try_from(rounded / whole.abs()).ok().map(Number::Integer)
        }
        (Number::Float(a), Number::Float(b)) => {
            Some(Number::Float((a * left as f64 + b * right as f64) / whole as f64))
        }
        _ => None,
    }
}

impl Filler for Interpolate {
    fn begin(&mut self, row: Option<usize>) {
        self.last = None;
        self.shown = row;
    }

    fn group(&mut self, columns: &[ArrayRef], row: usize, time: Option<i64>) -> Result<()> {
        let point = self.observed(columns, row, time.unwrap_or_default())?;
        self.made.push(point.value);
        if time.is_some() {
            self.last = Some(point);
        }
        Ok(())
    }

    fn gap(&mut self, columns: &[ArrayRef], time: i64, next: Option<(usize, i64)>) -> Result<()> {
        let from = match self.last {
            Some(last) => Some(last),
            None => self.neighbour(self.before.as_ref(), columns)?,
        };
        let to = match next {
            Some((row, time)) => Some(self.observed(columns, row, time)?),
            None => self.neighbour(self.after.as_ref(), columns)?,
        };
        self.made.push(from.zip(to).and_then(|(from, to)| between(from, to, time)));
        Ok(())
    }

    fn finish(&mut self, _: &[ArrayRef]) -> Result<ArrayRef> {
        let made = std::mem::take(&mut self.made).into_iter();
        let integers = made.clone().map(|value| match value {
            Some(Number::Integer(value)) => Some(value),
            _ => None,
        });
        let floats = made.map(|value| match value {
            Some(Number::Float(value)) => Some(value),
            _ => None,
        });
        Ok(match self.data_type {
            DataType::Int16 => {
                Arc::new(integers.map(|value| value.and_then(|value| value.try_into().ok())).collect::<Int16Array>())
            }
            DataType::Int32 => {
                Arc::new(integers.map(|value| value.and_then(|value| value.try_into().ok())).collect::<Int32Array>())
            }
            DataType::Int64 => Arc::new(integers.collect::<Int64Array>()),
            DataType::Float32 => {
                Arc::new(floats.map(|value| value.map(|value| value as f32)).collect::<Float32Array>())
            }
            _ => Arc::new(floats.collect::<Float64Array>()),
        })
    }

    fn leave(&mut self, _: &[ArrayRef]) {
        self.shown = self.shown.map(|_| 0);
    }
}

fn number(values: &ArrayRef, row: usize) -> Result<Option<Number>> {
    if values.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match values.data_type() {
        DataType::Int16 => Number::Integer(downcast::<Int16Array>(values)?.value(row).into()),
        DataType::Int32 => Number::Integer(downcast::<Int32Array>(values)?.value(row).into()),
        DataType::Int64 => Number::Integer(downcast::<Int64Array>(values)?.value(row)),
        DataType::Float32 => Number::Float(downcast::<Float32Array>(values)?.value(row).into()),
        _ => Number::Float(downcast::<Float64Array>(values)?.value(row)),
    }))
}

/// A time of the key's type, as the keys are.
fn time(times: &ArrayRef, row: usize) -> Result<Option<i64>> {
    if times.is_null(row) {
        return Ok(None);
    }
    Ok(Some(match times.data_type() {
        DataType::Int16 => downcast::<Int16Array>(times)?.value(row).into(),
        DataType::Int32 => downcast::<Int32Array>(times)?.value(row).into(),
        DataType::Int64 => downcast::<Int64Array>(times)?.value(row),
        DataType::Date32 => aegis_engine::extension::Date(downcast::<Date32Array>(times)?.value(row)).midnight()?.0,
        _ => downcast::<TimestampMicrosecondArray>(times)?.value(row),
    }))
}
