//! The rows of series: those that are there, and those of the buckets in between.

use aegis_engine::extension::transform::{Groups, Transform, Transformed};
use aegis_engine::extension::{Error, Result, sqlstate};
use arrow::array::{ArrayRef, UInt32Array};

use super::Filler;
use super::axis::Axis;

/// Rows that are made up for a query at most.
const MAX_MADE_UP: i64 = 100_000_000;

fn too_many() -> Error {
    let message = format!("time_bucket_gapfill would make more than {MAX_MADE_UP} rows");
    Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message)
        .with_hint("Use a wider bucket, or a shorter range between start and finish.")
}

/// Where buckets are filled: from the start of one to a time that is outside.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    start: i64,
    finish: i64,
}

impl Range {
    /// 54000 for too many of them. An infinite start has none.
    pub fn new(axis: &Axis, start: i64, finish: i64) -> Result<Self> {
        if !axis.is_finite(start) {
            return Ok(Self { start: i64::MAX, finish: i64::MIN });
        }
        let start = axis.floor(start)?;
        if axis.count(start, finish) > MAX_MADE_UP {
            return Err(too_many());
        }
        Ok(Self { start, finish })
    }
}

pub struct Fill {
    axis: Axis,
    range: Range,
    fillers: Vec<Box<dyn Filler>>,
    has_series: bool,
    made_up: i64,
    /// The bucket that comes next in the present series; None before its first row.
    next: Option<i64>,
    /// Any series has begun.
    begun: bool,
    place: Option<Place>,
}

/// How far the present groups have been used.
struct Place {
    keys: Vec<Option<i64>>,
    series: usize,
    row: usize,
}

/// Rows that are being made.
#[derive(Default)]
struct Made {
    rows: Vec<Option<u32>>,
    series: Vec<Option<u32>>,
    keys: Vec<Option<i64>>,
}

impl Made {
    fn add(&mut self, row: Option<usize>, series: Option<usize>, key: Option<i64>) {
        self.rows.push(row.map(|row| row as u32));
        self.series.push(series.map(|row| row as u32));
        self.keys.push(key);
    }
}

impl Fill {
    pub fn new(axis: Axis, range: Range, fillers: Vec<Box<dyn Filler>>, has_series: bool) -> Self {
        Self { axis, range, fillers, has_series, made_up: 0, next: None, begun: false, place: None }
    }

    fn begin(&mut self, row: Option<usize>) {
        self.begun = true;
        self.next = Some(self.range.start);
        self.fillers.iter_mut().for_each(|filler| filler.begin(row));
    }

    /// The bucket to make up before `until`, if there is one; then comes the one after it.
    fn gap(&mut self, until: i64) -> Result<Option<i64>> {
        let Some(start) = self.next.filter(|start| *start < until.min(self.range.finish)) else { return Ok(None) };
        self.made_up += 1;
        if self.made_up > MAX_MADE_UP {
            return Err(too_many());
        }
        self.next = Some(self.axis.next(start));
        Ok(Some(start))
    }

    /// Makes up the rows before `until`, or before the end; false if there was no room for all of them.
    fn gaps(
        &mut self,
        groups: &Groups<'_>,
        shown: Option<usize>,
        until: Option<(usize, i64)>,
        made: &mut Made,
        limit: usize,
    ) -> Result<bool> {
        while made.keys.len() < limit {
            let Some(start) = self.gap(until.map_or(i64::MAX, |(_, time)| time))? else { return Ok(true) };
            made.add(None, shown, Some(start));
            for filler in &mut self.fillers {
                filler.gap(groups.columns, start, until)?;
            }
        }
        Ok(false)
    }

    fn fill(&mut self, groups: &Groups<'_>, place: &mut Place, limit: usize, made: &mut Made) -> Result<()> {
        while let Some(range) = groups.series.get(place.series) {
            while place.row < range.end {
                let row = place.row;
                let time = place.keys.get(row).copied().flatten();
                if self.next.is_none() {
                    self.begin(Some(row));
                }
                let until = time.map(|time| (row, time));
                if !self.gaps(groups, Some(row), until, made, limit)? {
                    return Ok(());
                }
                made.add(Some(row), Some(row), time);
                for filler in &mut self.fillers {
                    filler.group(groups.columns, row, time)?;
                }
                if let Some(time) = time.filter(|time| self.next.is_some_and(|next| next <= *time)) {
                    self.next = Some(self.axis.next(time));
                }
                place.row += 1;
            }
            // Whether there is more of the last series only the next groups tell.
            let ended = groups.last || place.series + 1 < groups.series.len();
            if !ended || !self.gaps(groups, range.end.checked_sub(1), None, made, limit)? {
                return Ok(());
            }
            self.next = None;
            place.series += 1;
        }
        if groups.last && !self.has_series {
            if !self.begun {
                self.begin(None);
            }
            self.gaps(groups, None, None, made, limit)?;
        }
        Ok(())
    }

    fn transformed(&mut self, columns: &[ArrayRef], made: Made) -> Result<Transformed> {
        let values = self.fillers.iter_mut().map(|filler| filler.finish(columns)).collect::<Result<_>>()?;
        Ok(Transformed {
            rows: UInt32Array::from(made.rows),
            series: UInt32Array::from(made.series),
            key: self.axis.write(made.keys)?,
            values,
        })
    }
}

impl Transform for Fill {
    fn next(&mut self, groups: &Groups<'_>, limit: usize) -> Result<Option<Transformed>> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => Place { keys: self.axis.read(groups.key)?, series: 0, row: groups.seen },
        };
        let mut made = Made::default();
        self.fill(groups, &mut place, limit, &mut made)?;
        if made.keys.is_empty() {
            self.fillers.iter_mut().for_each(|filler| filler.leave(groups.columns));
            return Ok(None);
        }
        self.place = Some(place);
        self.transformed(groups.columns, made).map(Some)
    }
}
