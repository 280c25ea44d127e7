//! Frames: which rows of a partition each row sees (manual 4.2.8; `nodeWindowAgg.c` of PostgreSQL).

use std::ops::Range;

use aegis_catalog::types::TimeZone;
use aegis_catalog::{Error, Oid, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, SortField};

use super::in_range::{Point, check_offset, in_range, points};
use crate::execute::error::from_arrow;
use crate::parse::ast::{FrameExclude, FrameUnit};

/// One end of a frame. An offset is a column whose first row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bound {
    Unbounded,
    CurrentRow,
    Preceding,
    Following,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Frame {
    pub unit: FrameUnit,
    pub start: Bound,
    pub end: Bound,
    pub exclude: FrameExclude,
    pub descending: bool,
    pub nulls_first: bool,
    /// Types of the sort key and of the two offsets, for RANGE with an offset.
    pub key: Oid,
    pub offsets: [Oid; 2],
}

/// What a frame goes by, over the rows of one partition.
pub struct Partition<'a> {
    pub rows: usize,
    /// Comparison keys of ORDER BY.
    pub peers: &'a [ArrayRef],
    /// The sort key, for RANGE with an offset.
    pub key: Option<&'a ArrayRef>,
    pub start: Option<&'a ArrayRef>,
    pub end: Option<&'a ArrayRef>,
    pub zone: &'a TimeZone,
}

/// The frames of all rows of a partition.
pub struct Frames {
    bounds: Vec<Range<usize>>,
    /// The rows that are equal in ORDER BY: for each row the number of its group, for each group its rows.
    group_of: Vec<usize>,
    groups: Vec<Range<usize>>,
    exclude: FrameExclude,
}

impl Frames {
    /// The frame of a row as at most three ranges of rows, in order.
    pub fn parts(&self, row: usize) -> [Range<usize>; 3] {
        let frame = self.bounds.get(row).cloned().unwrap_or_default();
        let group = || self.group_of.get(row).and_then(|&group| self.groups.get(group)).cloned().unwrap_or_default();
        let (out, kept) = match self.exclude {
            FrameExclude::NoOthers => return [frame, 0..0, 0..0],
            FrameExclude::CurrentRow => (row..row + 1, 0..0),
            FrameExclude::Group => (group(), 0..0),
            FrameExclude::Ties => (group(), row..row + 1),
        };
        let within = |part: Range<usize>| {
            let part = part.start.max(frame.start)..part.end.min(frame.end);
            if part.start < part.end { part } else { 0..0 }
        };
        [within(frame.start..out.start), within(kept), within(out.end..frame.end)]
    }

    pub fn excludes(&self) -> bool {
        self.exclude != FrameExclude::NoOthers
    }
}

impl Frame {
    pub fn over(&self, partition: &Partition<'_>) -> Result<Frames> {
        let (group_of, groups) = groups(partition)?;
        let starts = self.ends(partition, &group_of, &groups, true)?;
        let ends = self.ends(partition, &group_of, &groups, false)?;
        let bounds = starts.into_iter().zip(ends).map(|(start, end)| if start < end { start..end } else { 0..0 });
        Ok(Frames { bounds: bounds.collect(), group_of, groups, exclude: self.exclude })
    }

    /// For each row where its frame starts, or where it ends (exclusive).
    fn ends(
        &self,
        partition: &Partition<'_>,
        group_of: &[usize],
        groups: &[Range<usize>],
        start: bool,
    ) -> Result<Vec<usize>> {
        let rows = partition.rows;
        let (bound, column) = if start { (self.start, partition.start) } else { (self.end, partition.end) };
        let of_group = |group: usize| {
            let group = groups.get(group).cloned().unwrap_or(rows..rows);
            if start { group.start } else { group.end }
        };
        let preceding = bound == Bound::Preceding;
        match bound {
            Bound::Unbounded => Ok(vec![if start { 0 } else { rows }; rows]),
            Bound::CurrentRow if self.unit == FrameUnit::Rows => {
                Ok((0..rows).map(|row| if start { row } else { row + 1 }).collect())
            }
            Bound::CurrentRow => Ok(group_of.iter().map(|&group| of_group(group)).collect()),
            _ if rows == 0 => Ok(Vec::new()),
            _ if self.unit == FrameUnit::Range => self.range_ends(partition, start),
            _ => {
                let offset = count(column, start)?;
                let moved = |place: usize| match preceding {
                    true => place.checked_sub(offset),
                    false => Some(place.saturating_add(offset)),
                };
                Ok(match self.unit {
                    FrameUnit::Rows => (0..rows)
                        .map(|row| match moved(row) {
                            Some(place) if start => place.min(rows),
                            Some(place) => place.saturating_add(1).min(rows),
                            None => 0,
                        })
                        .collect(),
                    _ => group_of
                        .iter()
                        .map(|&group| match moved(group) {
                            Some(group) => of_group(group),
                            None => 0,
                        })
                        .collect(),
                })
            }
        }
    }

    /// `update_frameheadpos` and `update_frametailpos` in RANGE mode: the ends only move forward from row to row.
    fn range_ends(&self, partition: &Partition<'_>, start: bool) -> Result<Vec<usize>> {
        let missing = || Error::internal("RANGE with an offset needs a sort key and an offset");
        let (bound, column, ty) = match start {
            true => (self.start, partition.start, self.offsets[0]),
            false => (self.end, partition.end, self.offsets[1]),
        };
        let keys = points(self.key, partition.key.ok_or_else(missing)?)?;
        let offset = points(ty, &column.ok_or_else(missing)?.slice(0, 1))?;
        let offset = offset.into_iter().next().flatten().ok_or_else(|| null_offset(start))?;
        let minus = (bound == Bound::Preceding) != self.descending;
        let less = start == self.descending;
        let zone = partition.zone;
        let mut checked = false;
        let mut place = 0;
        let mut ends = Vec::with_capacity(partition.rows);
        for current in &keys {
            while let Some(candidate) = keys.get(place) {
                let stop = match (candidate, current) {
                    (Some(candidate), Some(current)) => {
                        if !checked {
                            check_offset(&offset, current)?;
                            checked = true;
                        }
                        in_range(candidate, current, &offset, minus, less, zone)? == start
                    }
                    _ => self.null_stops(candidate.as_ref(), current.as_ref(), start),
                };
                if stop {
                    break;
                }
                place += 1;
            }
            ends.push(place);
        }
        Ok(ends)
    }

    /// Where a null is involved, order decides.
    fn null_stops(&self, candidate: Option<&Point>, current: Option<&Point>, start: bool) -> bool {
        match (start, self.nulls_first) {
            (true, true) => candidate.is_some() || current.is_none(),
            (true, false) => candidate.is_none() || current.is_some(),
            (false, true) => candidate.is_some() && current.is_none(),
            (false, false) => candidate.is_none() && current.is_some(),
        }
    }
}

fn null_offset(start: bool) -> Error {
    let side = if start { "starting" } else { "ending" };
    Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, format!("frame {side} offset must not be null"))
}

/// The offset of ROWS and GROUPS.
fn count(column: Option<&ArrayRef>, start: bool) -> Result<usize> {
    let column = column.and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column.ok_or_else(|| Error::internal("a frame offset is no integer"))?;
    if column.is_null(0) {
        return Err(null_offset(start));
    }
    usize::try_from(column.value(0)).map_err(|_| {
        let side = if start { "starting" } else { "ending" };
        let message = format!("frame {side} offset must not be negative");
        Error::new(sqlstate::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message)
    })
}

fn groups(partition: &Partition<'_>) -> Result<(Vec<usize>, Vec<Range<usize>>)> {
    let rows = partition.rows;
    if partition.peers.is_empty() || rows == 0 {
        return Ok((vec![0; rows], std::iter::once(0..rows).collect()));
    }
    let fields = partition.peers.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(from_arrow)?;
    let keys = converter.convert_columns(partition.peers).map_err(from_arrow)?;
    let (mut group_of, mut groups) = (Vec::with_capacity(rows), Vec::new());
    let mut first = 0;
    for row in 0..rows {
        if row > 0 && keys.row(row) != keys.row(row - 1) {
            groups.push(first..row);
            first = row;
        }
        group_of.push(groups.len());
    }
    groups.push(first..rows);
    Ok((group_of, groups))
}
