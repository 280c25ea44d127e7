//! What is known of a column's values without reading them, for choosing plans.

use std::cmp::Ordering;

use arrow::array::{Array, ArrayRef};
use arrow::compute::concat;
use arrow::row::{RowConverter, SortField};

use super::TableScan;
use crate::memtable::{ValueRange, range};
use crate::schema::ColumnSchema;
use crate::{Error, Result};

/// Rows in memory up to which they are looked at.
const LOOKED_AT: usize = 100_000;

/// Dead rows and, if there are many, rows in memory are not told apart, so the figures are estimates.
#[derive(Debug, Clone, Default)]
pub struct ColumnStatistics {
    pub nulls: Option<usize>,
    pub range: Option<ValueRange>,
    pub distinct: Option<usize>,
}

impl TableScan {
    /// What is known of a column (by position).
    pub fn column_statistics(&self, column: usize) -> Result<ColumnStatistics> {
        let Some(schema) = self.table_schema.columns.get(column) else { return Ok(ColumnStatistics::default()) };
        let in_memory: usize = self.chunks.iter().map(|c| c.batch.num_rows()).sum();
        let (nulls, range) = match in_memory <= LOOKED_AT {
            true => (self.nulls(schema, column), self.range(schema)?),
            false => (None, None),
        };
        let unique = self.table_schema.unique_indexes().any(|i| i.columns == [schema.id]);
        let distinct = self.row_count.filter(|_| unique).map(|rows| rows - nulls.unwrap_or(0).min(rows));
        Ok(ColumnStatistics { nulls, range, distinct })
    }

    fn nulls(&self, schema: &ColumnSchema, column: usize) -> Option<usize> {
        let mut nulls: usize = self.chunks.iter().map(|c| c.batch.column(column).null_count()).sum();
        for segment in &self.segments {
            let at = segment.column_ids.iter().position(|id| *id == schema.id);
            nulls += match at {
                Some(at) => usize::try_from(*segment.segment.meta.nulls.get(at)?).ok()?,
                None if schema.missing.is_none() => usize::try_from(segment.rows).ok()?,
                None => 0,
            };
        }
        Some(nulls)
    }

    fn range(&self, schema: &ColumnSchema) -> Result<Option<ValueRange>> {
        if schema.data_type.is_nested() || schema.data_type.is_null() {
            return Ok(None);
        }
        let mut values: Vec<ArrayRef> = Vec::new();
        for segment in &self.segments {
            if !segment.column_ids.contains(&schema.id) {
                values.push(schema.missing_value()?);
                continue;
            }
            match segment.segment.range(schema.id)? {
                Some((least, greatest)) => values.extend([least, greatest]),
                None => return Ok(None),
            }
        }
        for chunk in &self.chunks {
            values.extend(chunk.range(schema)?.into_iter().flat_map(|(least, greatest)| [least, greatest]));
        }
        values.retain(|value| value.null_count() == 0);
        if values.is_empty() {
            return Ok(None);
        }
        range(&concat(&values.iter().map(|value| value.as_ref()).collect::<Vec<_>>())?)
    }

    /// Columns (positions) that each part's rows, and the parts one after the other, are sorted by: ascending, no nulls.
    /// Empty if that is not so.
    pub fn sorted_by(&self) -> Result<Vec<usize>> {
        let order = self.table_schema.sort_order();
        if order.columns.is_empty() || order.within.is_some() || !self.chunks.is_empty() {
            return Ok(Vec::new());
        }
        let missing = |id: &u32| Error::Internal(format!("the order of rows names absent column {id}"));
        let position = |id: &u32| self.table_schema.position(*id).ok_or_else(|| missing(id));
        let columns = order.columns.iter().map(position).collect::<Result<Vec<_>>>()?;
        let sorted = self.segments.iter().all(|s| {
            let no_nulls =
                |id| s.column_ids.iter().position(|c| c == id).and_then(|at| s.segment.meta.nulls.get(at)) == Some(&0);
            s.segment.meta.order() == order && order.columns.iter().all(no_nulls)
        });
        if !sorted || !self.in_key_order(order.columns.first().copied().unwrap_or(0))? {
            return Ok(Vec::new());
        }
        Ok(columns)
    }

    /// Is each segment's first key column beyond that of the segment before?
    fn in_key_order(&self, column: u32) -> Result<bool> {
        for pair in self.segments.windows(2) {
            let [left, right] = pair else { continue };
            let (Some((_, before)), Some((after, _))) = (left.segment.range(column)?, right.segment.range(column)?)
            else {
                return Ok(false);
            };
            if before.data_type() != after.data_type() || order(&before, &after)? != Ordering::Less {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The order of two single values.
pub(crate) fn order(left: &ArrayRef, right: &ArrayRef) -> Result<Ordering> {
    let converter = RowConverter::new(vec![SortField::new(left.data_type().clone())])?;
    let rows = |value: &ArrayRef| converter.convert_columns(std::slice::from_ref(value));
    let (left, right) = (rows(left)?, rows(right)?);
    Ok(left.row(0).cmp(&right.row(0)))
}
