//! Aggregates over points in time, which may come in any order: they are kept until the end, and then sorted.

use aegis_engine::extension::{Error, Fold, Persist, Read, Result, TimestampTz};
use arrow::array::ArrayRef;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// µs since 1970.
    pub time: i64,
    pub value: f64,
}

/// What has come so far, and the argument that says how, which is the same in all rows.
#[derive(Default)]
pub struct Points {
    points: Vec<Point>,
    parameter: Option<Parameter>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Parameter {
    Text(String),
    Count(i32),
}

/// The places of the arguments.
#[derive(Debug, Clone, Copy)]
pub struct Places {
    pub time: usize,
    pub value: usize,
    pub parameter: Option<Kind>,
}

#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text(usize),
    Count(usize),
}

/// Makes results of the points of each group, which are in order.
pub struct OverPoints<F> {
    pub places: Places,
    pub finish: F,
}

pub enum Parameters<'a> {
    None,
    Text(<&'a str as Read<'a>>::Column),
    Count(<i32 as Read<'a>>::Column),
}

impl Persist for Points {
    fn save(&self, out: &mut Vec<u8>) {
        match &self.parameter {
            None => 0_u8.save(out),
            Some(Parameter::Text(text)) => {
                1_u8.save(out);
                text.save(out);
            }
            Some(Parameter::Count(count)) => {
                2_u8.save(out);
                count.save(out);
            }
        }
        (self.points.len() as u64).save(out);
        for point in &self.points {
            point.time.save(out);
            point.value.save(out);
        }
    }

    fn load(bytes: &mut &[u8]) -> Result<Self> {
        let parameter = match u8::load(bytes)? {
            0 => None,
            1 => Some(Parameter::Text(String::load(bytes)?)),
            _ => Some(Parameter::Count(i32::load(bytes)?)),
        };
        let length = u64::load(bytes)?;
        let point = |_| Ok(Point { time: i64::load(bytes)?, value: f64::load(bytes)? });
        Ok(Self { points: (0..length).map(point).collect::<Result<_>>()?, parameter })
    }
}

impl<F> Fold for OverPoints<F>
where
    F: Fn(&[Option<(Vec<Point>, Option<Parameter>)>]) -> Result<ArrayRef> + Send + Sync + 'static,
{
    type State = Points;
    type Columns<'a> = (<TimestampTz as Read<'a>>::Column, <f64 as Read<'a>>::Column, Parameters<'a>);

    fn open<'a>(&self, args: &'a [ArrayRef]) -> Result<Self::Columns<'a>> {
        let arg = |place: usize| args.get(place).ok_or_else(|| Error::internal("an aggregate has more arguments"));
        let parameters = match self.places.parameter {
            None => Parameters::None,
            Some(Kind::Text(place)) => Parameters::Text(<&str as Read>::open(arg(place)?)?),
            Some(Kind::Count(place)) => Parameters::Count(<i32 as Read>::open(arg(place)?)?),
        };
        let times = <TimestampTz as Read>::open(arg(self.places.time)?)?;
        Ok((times, <f64 as Read>::open(arg(self.places.value)?)?, parameters))
    }

    fn add(&self, state: &mut Points, (times, values, parameters): &Self::Columns<'_>, row: usize) -> Result<()> {
        if state.parameter.is_none() {
            state.parameter = match parameters {
                Parameters::None => None,
                Parameters::Text(texts) => Some(Parameter::Text(<&str as Read>::get(texts, row).to_owned())),
                Parameters::Count(counts) => Some(Parameter::Count(<i32 as Read>::get(counts, row))),
            };
        }
        let time = <TimestampTz as Read>::get(times, row).0;
        state.points.push(Point { time, value: <f64 as Read>::get(values, row) });
        Ok(())
    }

    fn merge(&self, state: &mut Points, other: Points) -> Result<()> {
        state.points.extend(other.points);
        state.parameter = state.parameter.take().or(other.parameter);
        Ok(())
    }

    fn finish(&self, states: &[Points]) -> Result<ArrayRef> {
        let sorted = states.iter().map(|state| {
            let mut points = state.points.clone();
            if !points.is_sorted_by_key(|point| point.time) {
                points.sort_by_key(|point| point.time);
            }
            (!points.is_empty()).then(|| (points, state.parameter.clone()))
        });
        (self.finish)(&sorted.collect::<Vec<_>>())
    }

    fn heap_size(&self, state: &Points) -> usize {
        state.points.capacity() * size_of::<Point>()
    }
}
