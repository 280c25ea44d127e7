//! `locf`: the last observation carried forward.

use aegis_engine::extension::transform::{Argument, Computed};
use aegis_engine::extension::{Error, Result};
use arrow::array::{Array, ArrayRef, new_null_array};
use arrow::compute::interleave;

use super::{Filler, Source};

pub struct Locf {
    value: Source,
    before: Option<Source>,
    /// A null is as no value.
    over_null: bool,
    last: Last,
    /// A group of the series.
    shown: Option<usize>,
    /// The arrays that values are taken from: a null, what was carried from the groups before, then others.
    carried: ArrayRef,
    rows: Vec<(usize, usize)>,
}

/// The observation that is carried.
#[derive(Debug, Clone, Copy)]
enum Last {
    /// There was none.
    None,
    /// The value of a group.
    Row(usize),
    /// From groups that are gone.
    Carried,
}

const NULL: usize = 0;
const CARRIED: usize = 1;
const VALUE: usize = 2;
const BEFORE: usize = 3;

impl Locf {
    pub fn new(call: &Computed) -> Result<Self> {
        let value = Source::of(call, 0).ok_or_else(|| Error::internal("locf without a value"))?;
        let over_null = match call.arguments.get(2) {
            Some(Argument::Constant(flag)) => flag.get::<Option<bool>>()?.unwrap_or(false),
            Some(Argument::Column(_)) => {
                return Err(super::invalid("invalid locf argument: treat_null_as_missing must be a BOOL literal"));
            }
            None => false,
        };
        let carried = new_null_array(&call.data_type, 1);
        Ok(Self {
            value,
            before: Source::of(call, 1),
            over_null,
            last: Last::None,
            shown: None,
            carried,
            rows: Vec::new(),
        })
    }

    /// What is carried to a row without a value.
    fn carry(&self) -> (usize, usize) {
        match self.last {
            Last::Row(row) => (VALUE, if matches!(self.value, Source::Constant(_)) { 0 } else { row }),
            Last::Carried => (CARRIED, 0),
            Last::None => match (&self.before, self.shown) {
                (Some(Source::Constant(_)), _) => (BEFORE, 0),
                (Some(Source::Column(_)), Some(row)) => (BEFORE, row),
                _ => (NULL, 0),
            },
        }
    }
}

impl Filler for Locf {
    fn begin(&mut self, row: Option<usize>) {
        self.last = Last::None;
        self.shown = row;
    }

    fn group(&mut self, columns: &[ArrayRef], row: usize, _: Option<i64>) -> Result<()> {
        let null = self.value.at(columns, Some(row)).is_none_or(|(values, at)| values.is_null(at));
        if !null || !self.over_null {
            self.last = Last::Row(row);
        }
        self.rows.push(self.carry());
        Ok(())
    }

    fn gap(&mut self, _: &[ArrayRef], _: i64, _: Option<(usize, i64)>) -> Result<()> {
        self.rows.push(self.carry());
        Ok(())
    }

    fn finish(&mut self, columns: &[ArrayRef]) -> Result<ArrayRef> {
        let null = new_null_array(self.carried.data_type(), 1);
        let array = |source: Option<&Source>| match source {
            Some(Source::Column(column)) => columns.get(*column).unwrap_or(&null).clone(),
            Some(Source::Constant(value)) => value.clone(),
            None => null.clone(),
        };
        let (value, before) = (array(Some(&self.value)), array(self.before.as_ref()));
        let sources: [&dyn Array; 4] = [&null, &self.carried, &value, &before];
        let values = interleave(&sources, &std::mem::take(&mut self.rows));
        values.map_err(|error| Error::internal(error.to_string()))
    }

    fn leave(&mut self, columns: &[ArrayRef]) {
        let (from, row) = match (self.last, self.carry()) {
            // A series goes on without a value: what comes before it is the same in all of its groups, of which the last one stays.
            (Last::None, _) => {
                self.shown = self.shown.map(|_| 0);
                return;
            }
            (_, (VALUE, row)) => (self.value.at(columns, Some(row)), row),
            _ => return,
        };
        if let Some((values, _)) = from {
            self.carried = values.slice(row, 1);
            self.last = Last::Carried;
        }
    }
}
