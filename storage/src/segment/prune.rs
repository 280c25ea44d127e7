//! Which rows of a segment may meet conditions: first by the manifest's ranges, then by the statistics of row groups, their
//! Bloom filters, and the statistics of pages.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, UInt64Array, new_null_array};
use arrow::datatypes::{
    DataType, Date32Type, Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::RowGroupMetaData;

use super::{Segment, column_name};
use crate::Result;
use crate::predicate::{Predicate, Summary, Test};
use crate::schema::{ColumnSchema, TableSchema};

/// Values up to which an equality asks Bloom filters.
const BLOOM_VALUES: usize = 16;

/// A condition with its column.
type On<'a> = (&'a Predicate, &'a ColumnSchema);

/// Rows of one row group that may meet conditions.
#[derive(Debug)]
pub struct Left {
    pub group: usize,
    /// The rows of the group, of the file.
    pub all: Range<u32>,
    /// Those left, ascending and not empty.
    pub ranges: Vec<Range<u32>>,
}

impl Segment {
    /// By what the manifest knows of the segment.
    pub fn may_match(&self, schema: &TableSchema, predicates: &[Predicate]) -> Result<bool> {
        for on in conditions(schema, predicates) {
            if !self.may_meet(on)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The rows that may meet all conditions by what the file knows of itself; with `among` (ascending), those of them.
    pub fn prune(&self, schema: &TableSchema, predicates: &[Predicate], among: Option<&[u32]>) -> Result<Vec<Left>> {
        let footer = self.footer()?;
        let stored: Vec<On<'_>> = conditions(schema, predicates)
            .filter(|(_, c)| self.meta.columns.contains(&c.id) && !c.data_type.is_nested())
            .collect();
        let groups = footer.metadata().row_groups();
        let mut kept = vec![true; groups.len()];
        for (predicate, column) in &stored {
            if let Some(of) = summary_of_groups(&footer, groups, column) {
                kept.iter_mut().zip(predicate.test.may_match(&of)).for_each(|(kept, may)| *kept &= may);
            }
        }
        let (mut start, mut out) = (0u32, Vec::new());
        for (group, kept) in kept.into_iter().enumerate() {
            let rows = u32::try_from(groups[group].num_rows()).unwrap_or(0);
            let all = start..start + rows;
            start += rows;
            let listed = among.map(|rows| listed(rows, &all));
            if !kept || listed.as_ref().is_some_and(Vec::is_empty) || !self.blooms_may_match(&footer, group, &stored)? {
                continue;
            }
            let mut ranges = vec![all.clone()];
            for (predicate, column) in &stored {
                ranges = intersect(&ranges, &pages(&footer, group, all.start, predicate, column));
            }
            if let Some(listed) = &listed {
                ranges = intersect(&ranges, listed);
            }
            if !ranges.is_empty() {
                out.push(Left { group, all, ranges });
            }
        }
        Ok(out)
    }

    /// What the statistics of a row group say of a column; None if they do not decide comparisons.
    pub fn summary(&self, group: usize, column: &ColumnSchema) -> Result<Option<Summary>> {
        // Parquet's statistics leave NaN out, which is greater than all else.
        let decides = !column.data_type.is_nested() && !column.data_type.is_floating();
        let footer = self.footer()?;
        let group = footer.metadata().row_groups().get(group..=group);
        let known = group.filter(|_| decides && self.meta.columns.contains(&column.id));
        let of = known.and_then(|group| summary_of_groups(&footer, group, column));
        Ok(of.filter(|of| *of.least.data_type() == column.data_type))
    }

    fn may_meet(&self, (predicate, column): On<'_>) -> Result<bool> {
        let rows = u64::from(self.meta.rows);
        let unknown = || new_null_array(&column.data_type, 1);
        let (least, greatest, nulls) = match self.meta.columns.iter().position(|id| *id == column.id) {
            Some(at) => {
                let (least, greatest) = self.range(column.id)?.unwrap_or_else(|| (unknown(), unknown()));
                (least, greatest, self.meta.nulls.get(at).copied())
            }
            // The column was added later: all rows have the same value.
            None => {
                let value = column.missing_value()?;
                let nulls = if value.is_null(0) { rows } else { 0 };
                (value.clone(), value, Some(nulls))
            }
        };
        let nulls = UInt64Array::from(vec![nulls]);
        let of = Summary { least, greatest, nulls, rows: UInt64Array::from(vec![rows]) };
        Ok(predicate.test.may_match(&of).iter().all(|may| *may))
    }

    fn blooms_may_match(&self, footer: &ArrowReaderMetadata, group: usize, conditions: &[On<'_>]) -> Result<bool> {
        for (predicate, column) in conditions {
            let Test::OneOf(values) = &predicate.test else { continue };
            if values.len() > BLOOM_VALUES || values.data_type() != &column.data_type {
                continue;
            }
            let name = column_name(column.id);
            let leaf =
                footer.metadata().row_group(group).columns().iter().position(|c| c.column_path().string() == name);
            let Some(leaf) = leaf else { continue };
            let Some(filter) = self.bloom_filter(footer, group, leaf)? else { continue };
            if !(0..values.len()).any(|at| may_contain(&filter, values, at)) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn conditions<'a>(schema: &'a TableSchema, predicates: &'a [Predicate]) -> impl Iterator<Item = On<'a>> {
    let column = |p: &Predicate| schema.columns.iter().find(|c| c.id == p.column);
    predicates.iter().filter_map(move |p| Some((p, column(p)?)))
}

fn summary_of_groups(
    footer: &ArrowReaderMetadata,
    groups: &[RowGroupMetaData],
    column: &ColumnSchema,
) -> Option<Summary> {
    let name = column_name(column.id);
    let converter = StatisticsConverter::try_new(&name, footer.schema(), footer.parquet_schema()).ok()?;
    let converter = converter.with_missing_null_counts_as_zero(false);
    Some(Summary {
        least: converter.row_group_mins(groups).ok()?,
        greatest: converter.row_group_maxes(groups).ok()?,
        nulls: converter.row_group_null_counts(groups).ok()?,
        rows: groups.iter().map(|g| u64::try_from(g.num_rows()).ok()).collect(),
    })
}

/// Rows (of the file) of the pages of a row group that may hold a match; all if that is not known.
fn pages(
    footer: &ArrowReaderMetadata,
    group: usize,
    start: u32,
    predicate: &Predicate,
    column: &ColumnSchema,
) -> Vec<Range<u32>> {
    let metadata = footer.metadata();
    let rows = u32::try_from(metadata.row_group(group).num_rows()).unwrap_or(0);
    let known = || {
        let name = column_name(column.id);
        let converter = StatisticsConverter::try_new(&name, footer.schema(), footer.parquet_schema()).ok()?;
        let (columns, offsets) = (metadata.column_index()?, metadata.offset_index()?);
        let counts = converter.data_page_row_counts(offsets, metadata.row_groups(), [&group]).ok()??;
        let of = Summary {
            least: converter.data_page_mins(columns, offsets, [&group]).ok()?,
            greatest: converter.data_page_maxes(columns, offsets, [&group]).ok()?,
            nulls: converter.data_page_null_counts(columns, offsets, [&group]).ok()?,
            rows: counts.clone(),
        };
        (of.least.len() == counts.len() && of.nulls.len() == counts.len()).then_some((of, counts))
    };
    let Some((of, counts)) = known() else { return std::iter::once(start..start + rows).collect() };
    let mut ranges: Vec<Range<u32>> = Vec::new();
    let mut from = start;
    for (may, count) in predicate.test.may_match(&of).into_iter().zip(counts.values()) {
        let until = from + u32::try_from(*count).unwrap_or(0);
        match ranges.last_mut() {
            _ if !may => {}
            Some(last) if last.end == from => last.end = until,
            _ => ranges.push(from..until),
        }
        from = until;
    }
    ranges
}

/// The rows within `all`, as ranges.
fn listed(rows: &[u32], all: &Range<u32>) -> Vec<Range<u32>> {
    let (from, until) = (rows.partition_point(|row| *row < all.start), rows.partition_point(|row| *row < all.end));
    let runs = rows.get(from..until).unwrap_or_default().chunk_by(|a, b| a + 1 == *b);
    runs.filter_map(|run| Some(*run.first()?..*run.last()? + 1)).collect()
}

/// What is in both lists of ascending ranges.
fn intersect(left: &[Range<u32>], right: &[Range<u32>]) -> Vec<Range<u32>> {
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while let (Some(a), Some(b)) = (left.get(i), right.get(j)) {
        let (start, end) = (a.start.max(b.start), a.end.min(b.end));
        if start < end {
            out.push(start..end);
        }
        if a.end < b.end { i += 1 } else { j += 1 }
    }
    out
}

/// Bloom filters hold the bytes of Parquet's physical values.
fn may_contain(filter: &Sbbf, values: &ArrayRef, at: usize) -> bool {
    match values.data_type() {
        DataType::Int16 => filter.check(&i32::from(values.as_primitive::<Int16Type>().value(at))),
        DataType::Int32 => filter.check(&values.as_primitive::<Int32Type>().value(at)),
        DataType::Int64 => filter.check(&values.as_primitive::<Int64Type>().value(at)),
        DataType::UInt32 => filter.check(&values.as_primitive::<UInt32Type>().value(at).cast_signed()),
        DataType::UInt64 => filter.check(&values.as_primitive::<UInt64Type>().value(at).cast_signed()),
        DataType::Date32 => filter.check(&values.as_primitive::<Date32Type>().value(at)),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            filter.check(&values.as_primitive::<TimestampMicrosecondType>().value(at))
        }
        DataType::Utf8View => filter.check(values.as_string_view().value(at)),
        DataType::BinaryView => filter.check(values.as_binary_view().value(at)),
        DataType::FixedSizeBinary(_) => filter.check(values.as_fixed_size_binary().value(at)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_intersect() {
        assert_eq!(intersect(&[0..10, 20..30], &[5..22, 25..26, 29..40]), [5..10, 20..22, 25..26, 29..30]);
        assert_eq!(intersect(&[0..10, 30..40], &[10..20, 50..60]), []);
    }
}
