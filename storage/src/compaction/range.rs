//! Which segments of a table to merge because somebody asks for a range of one of its columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use roaring::RoaringBitmap;

use super::policy::{MOST_INPUTS, Merge, Reason, Settings};
use super::{is_unordered, noted_deletes, put_in_order};
use crate::flush::Files;
use crate::overlay::RowSet;
use crate::schema::{ColumnId, TableId};
use crate::segment::Segment;
use crate::transaction::{RowAddress, TableScan};
use crate::version::{Table, Version, row_of, unit_of};
use crate::view::TableView;
use crate::{Error, Result};

/// Values of a timestamp, date or integer from `from` up to `until`, which are in units of the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnRange {
    pub column: ColumnId,
    pub from: i64,
    /// `i64::MAX` for no bound.
    pub until: i64,
}

/// Where a segment's values lie beside a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Inside,
    Outside,
    /// Or it is not known.
    Across,
}

impl ColumnRange {
    pub fn holds(&self, value: i64) -> bool {
        self.from <= value && (value < self.until || self.until == i64::MAX)
    }

    /// The live rows of the range.
    pub fn live_rows(&self, scan: &TableScan) -> Result<RowSet> {
        let missing = || Error::Internal(format!("there is no column {}", self.column));
        let position = scan.table_schema.position(self.column).ok_or_else(missing)?;
        let column = scan.table_schema.columns.get(position).ok_or_else(missing)?;
        let mut found = RowSet::new();
        let mut add = |first: RowAddress, rows: RoaringBitmap| {
            if !rows.is_empty() {
                *found.entry(unit_of(first)).or_default() |= rows;
            }
        };
        for segment in &scan.segments {
            let mut rows = RoaringBitmap::new();
            match self.place(&segment.segment)? {
                Place::Outside => continue,
                Place::Inside => {
                    rows.insert_range(0..segment.segment.meta.rows);
                }
                Place::Across => {
                    let mut first = 0;
                    for batch in segment.segment.read(None, &[column])? {
                        rows.extend(self.places(batch.column(0), first)?);
                        first += batch.num_rows() as u32;
                    }
                }
            }
            if let Some(deleted) = &segment.deleted {
                rows -= deleted.as_ref();
            }
            add(segment.first_address, rows);
        }
        for chunk in &scan.chunks {
            let first = row_of(chunk.first_address);
            let visible = |row: &u32| chunk.visible.as_ref().is_none_or(|rows| rows.value((row - first) as usize));
            let rows = self.places(chunk.batch.column(position), first)?.into_iter().filter(visible);
            add(chunk.first_address, rows.collect());
        }
        Ok(found)
    }

    /// The live rows of the range that commits up to `ts` have written.
    pub fn live_rows_until(&self, version: &Arc<Version>, table: &Table, ts: u64) -> Result<RowSet> {
        let view = TableView { shape: &table.shape, base: Some(table), own: None };
        let mut found = self.live_rows(&view.scan(version.clone())?)?;
        let all_older = |unit| table.segment(unit).is_some_and(|view| view.segment.meta.max_ts <= ts);
        for (unit, rows) in found.iter_mut().filter(|(unit, _)| !all_older(**unit)) {
            let mut ids = Vec::new();
            view.row_ids(*unit, rows, &mut ids)?;
            *rows = rows.iter().zip(ids).filter(|(_, id)| id.ts <= ts).map(|(row, _)| row).collect();
        }
        found.retain(|_, rows| !rows.is_empty());
        Ok(found)
    }

    /// Which values are in the range, counted from `first`.
    fn places(&self, values: &ArrayRef, first: u32) -> Result<Vec<u32>> {
        let values = cast(values, &DataType::Int64)?;
        let numbered = values.as_primitive::<Int64Type>().iter().zip(first..);
        Ok(numbered.filter(|(value, _)| value.is_some_and(|value| self.holds(value))).map(|(_, row)| row).collect())
    }

    pub fn place(&self, segment: &Segment) -> Result<Place> {
        let Some((least, greatest)) = extremes(segment, self.column)? else { return Ok(Place::Across) };
        Ok(match (self.holds(least), self.holds(greatest)) {
            (true, true) => Place::Inside,
            (false, false) if greatest < self.from || least >= self.until => Place::Outside,
            _ => Place::Across,
        })
    }
}

/// Least and greatest value of a column of whole numbers, if they are known.
pub fn extremes(segment: &Segment, column: ColumnId) -> Result<Option<(i64, i64)>> {
    let Some((least, greatest)) = segment.range(column)? else { return Ok(None) };
    Ok(whole(&least)?.zip(whole(&greatest)?))
}

/// The first value as a number.
fn whole(values: &ArrayRef) -> Result<Option<i64>> {
    let values = cast(values, &DataType::Int64)?;
    Ok(values.as_primitive::<Int64Type>().iter().next().flatten())
}

/// The smallest segments with values of the range, as many as may become one; or one that has dead rows. None if there is nothing to gain.
pub fn choose(files: &Files, table: TableId, range: ColumnRange, settings: &Settings) -> Result<Option<Merge>> {
    let Some(record) = files.state.tables.get(&table) else { return Ok(None) };
    let mut found = Vec::new();
    for (unit, noted) in &record.segments {
        let Some(segment) = files.segments.get(&(table, *unit)).filter(|_| !files.busy.contains(&(table, *unit)))
        else {
            continue;
        };
        if range.place(segment)? != Place::Outside {
            let dead = noted_deletes(files, table, *unit)?.map_or(0, |rows| rows.len());
            found.push((noted.meta.bytes, u64::from(noted.meta.rows), dead, *unit));
        }
    }
    found.sort_unstable();
    let (mut bytes, mut rows) = (0u64, 0u64);
    let fits = |(of, all, dead, _): &&(u64, u64, u64, u32)| {
        bytes = bytes.saturating_add(*of);
        rows = rows.saturating_add(all.saturating_sub(*dead));
        bytes <= settings.max_bytes && rows <= settings.max_rows
    };
    let fitting = found.iter().take(MOST_INPUTS).take_while(fits).count();
    let mut units: Vec<u32> = match fitting {
        2.. => found.iter().take(fitting).map(|(.., unit)| *unit).collect(),
        _ => found.iter().filter(|(_, _, dead, _)| *dead > 0).take(1).map(|(.., unit)| *unit).collect(),
    };
    if units.is_empty() {
        units.extend(found.iter().map(|(.., unit)| *unit).find(|unit| is_unordered(record, *unit, settings)));
    }
    units.sort_unstable();
    let merge = (!units.is_empty()).then_some(Merge { units, reason: Reason::Asked });
    Ok(merge.map(|merge| put_in_order(record, &merge, settings).unwrap_or(merge)))
}
