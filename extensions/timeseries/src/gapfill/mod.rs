//! `time_bucket_gapfill`, which makes a row for each bucket between two times, and `locf` and `interpolate`, which fill the columns of those
//! that it has made up.

mod axis;
mod fill;
mod interpolate;
mod locf;

use aegis_engine::extension::transform::{Argument, Bound, Comparison, Computed, Definition, Part, Transform, part};
use aegis_engine::extension::{
    Body, Call, Date, Error, Inputs, Read, Result, Symbols, Timestamp, TimestampTz, Value, Write, batch, sqlstate,
};
use arrow::array::{ArrayRef, make_array};

use crate::bucket::{Integer, start_of_integer};
use crate::time_bucket::{Arguments, starts};
use axis::Axis;
use fill::{Fill, Range};

pub fn symbols() -> Symbols {
    vec![
        ("ts_gapfill_int16_bucket", key(integer_starts::<i16>)),
        ("ts_gapfill_int32_bucket", key(integer_starts::<i32>)),
        ("ts_gapfill_int64_bucket", key(integer_starts::<i64>)),
        ("ts_gapfill_date_bucket", key(|call, inputs| starts::<Date>(call, inputs, Arguments::NONE))),
        ("ts_gapfill_timestamp_bucket", key(|call, inputs| starts::<Timestamp>(call, inputs, Arguments::NONE))),
        ("ts_gapfill_timestamptz_bucket", key(|call, inputs| starts::<TimestampTz>(call, inputs, Arguments::NONE))),
        (
            "ts_gapfill_timestamptz_timezone_bucket",
            part(
                Part::Key { argument: 1, open: open_zoned },
                batch(|call, inputs| starts::<TimestampTz>(call, inputs, ZONE)),
            ),
        ),
        ("ts_gapfill_locf", part(Part::Value("locf"), batch(first_argument))),
        ("ts_gapfill_interpolate", part(Part::Value("interpolate"), batch(first_argument))),
    ]
}

const ZONE: Arguments = Arguments { zone: Some(2), ..Arguments::NONE };

fn integer_starts<T>(call: &Call<'_>, inputs: &Inputs) -> Result<ArrayRef>
where
    T: Integer + Default + for<'a> Read<'a> + Write,
{
    let (widths, values) = (inputs.reader::<Option<T>>(0)?, inputs.reader::<Option<T>>(1)?);
    let mut starts = T::builder(call.rows);
    for row in 0..call.rows {
        match (widths.get(row), values.get(row)) {
            (Some(width), Some(value)) => start_of_integer(width, value, T::default())?.append(&mut starts),
            _ => T::append_null(&mut starts),
        }
    }
    Ok(T::finish(starts))
}

/// Without a gap-filling key the functions hand through what they are given.
fn first_argument(_: &Call<'_>, inputs: &Inputs) -> Result<ArrayRef> {
    let value = inputs.array(0).ok_or_else(|| Error::internal("a function without an argument"))?;
    Ok(make_array(value.to_data()))
}

fn key(starts: fn(&Call<'_>, &Inputs) -> Result<ArrayRef>) -> Body {
    part(Part::Key { argument: 1, open }, batch(starts))
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

fn open(definition: &Definition) -> Result<Box<dyn Transform>> {
    start(definition, None, [2, 3])
}

fn open_zoned(definition: &Definition) -> Result<Box<dyn Transform>> {
    start(definition, Some(2), [3, 4])
}

/// `zone`, `start` and `finish` are the places of the arguments.
fn start(definition: &Definition, zone: Option<usize>, [start, finish]: [usize; 2]) -> Result<Box<dyn Transform>> {
    let constant = |place: usize, name: &str| match definition.arguments.get(place) {
        Some(Some(value)) => Ok(value),
        _ => Err(invalid(format!("invalid time_bucket_gapfill argument: {name} must be a simple expression"))),
    };
    let width = constant(0, "bucket_width")?;
    if width.is_null() {
        return Err(invalid("invalid time_bucket_gapfill argument: bucket_width cannot be NULL"));
    }
    let zone = zone.map(|place| constant(place, "timezone")).transpose()?;
    let axis = Axis::new(definition, width, zone)?;
    let given = |value: &Value| match value.is_null() {
        true => Ok(None),
        false => axis.value(value, &definition.context).map(Some),
    };
    let start = match given(constant(start, "start")?)? {
        Some(start) => start,
        None => first(&axis, definition)?.ok_or_else(|| missing("start"))?,
    };
    let finish = match given(constant(finish, "finish")?)? {
        Some(finish) => finish,
        None => end(&axis, definition)?.ok_or_else(|| missing("finish"))?,
    };
    let fillers = definition.values.iter().map(|value| filler(value, &axis)).collect::<Result<_>>()?;
    let range = Range::new(&axis, start, finish)?;
    Ok(Box::new(Fill::new(axis, range, fillers, definition.has_series)))
}

fn missing(bound: &str) -> Error {
    invalid(format!("missing time_bucket_gapfill argument: could not infer {bound} from WHERE clause"))
        .with_hint("Specify start and finish as arguments or in the WHERE clause.")
}

/// The latest of the times before which there is nothing.
fn first(axis: &Axis, definition: &Definition) -> Result<Option<i64>> {
    extreme(axis, definition, |comparison| match comparison {
        Comparison::Equal | Comparison::GreaterOrEqual => Some(0),
        Comparison::Greater => Some(1),
        Comparison::Less | Comparison::LessOrEqual => None,
    })
    .map(|bounds| bounds.into_iter().max())
}

/// The earliest of the times from which on there is nothing.
fn end(axis: &Axis, definition: &Definition) -> Result<Option<i64>> {
    extreme(axis, definition, |comparison| match comparison {
        Comparison::Less => Some(0),
        Comparison::Equal | Comparison::LessOrEqual => Some(1),
        Comparison::Greater | Comparison::GreaterOrEqual => None,
    })
    .map(|bounds| bounds.into_iter().min())
}

/// The bounds for which there is a step from the value that is compared with.
fn extreme(axis: &Axis, definition: &Definition, step: fn(Comparison) -> Option<i64>) -> Result<Vec<i64>> {
    let bound = |Bound { comparison, value }: &Bound| {
        let step = step(*comparison).filter(|_| !value.is_null())?;
        Some(axis.value(value, &definition.context).map(|value| value.saturating_add(step * axis.unit())))
    };
    definition.bounds.iter().filter_map(bound).collect()
}

/// How a column of the rows that are made up is filled.
trait Filler: Send {
    /// A series begins; one of its groups, if there are any.
    fn begin(&mut self, row: Option<usize>);
    /// A group.
    fn group(&mut self, columns: &[ArrayRef], row: usize, time: Option<i64>) -> Result<()>;
    /// A row that is made up, and the group after it in its series.
    fn gap(&mut self, columns: &[ArrayRef], time: i64, next: Option<(usize, i64)>) -> Result<()>;
    /// The values of the rows since the last call.
    fn finish(&mut self, columns: &[ArrayRef]) -> Result<ArrayRef>;
    /// No more is wanted of these groups.
    fn leave(&mut self, columns: &[ArrayRef]);
}

fn filler(value: &Computed, axis: &Axis) -> Result<Box<dyn Filler>> {
    match value.name {
        "locf" => Ok(Box::new(locf::Locf::new(value)?)),
        _ => Ok(Box::new(interpolate::Interpolate::new(value, axis.data_type())?)),
    }
}

/// An argument's values: a column of the groups, or one value.
enum Source {
    Column(usize),
    Constant(ArrayRef),
}

impl Source {
    fn of(value: &Computed, place: usize) -> Option<Self> {
        Some(match value.arguments.get(place)? {
            Argument::Column(column) => Self::Column(*column),
            Argument::Constant(value) => Self::Constant(value.array().clone()),
        })
    }

    /// Where the value of a row is: an array, and a place in it.
    fn at<'a>(&'a self, columns: &'a [ArrayRef], row: Option<usize>) -> Option<(&'a ArrayRef, usize)> {
        match self {
            Self::Column(column) => Some((columns.get(*column)?, row?)),
            Self::Constant(value) => Some((value, 0)),
        }
    }
}
