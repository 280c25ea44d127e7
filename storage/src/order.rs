//! The order of rows in segments: that of the primary key; of a table of windows its own, window after window.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, Rows, SortField};
use serde::{Deserialize, Serialize};

use crate::last_rows::{instants, is_time};
use crate::schema::{ColumnId, TableSchema};
use crate::{Error, Result};

/// What rows are in the order of; no columns for no order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SortOrder {
    pub columns: Vec<ColumnId>,
    /// A column and the length of ranges of it, by which the rows come first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<(ColumnId, i64)>,
}

impl TableSchema {
    /// The order of its segments.
    pub fn sort_order(&self) -> SortOrder {
        let primary = || self.primary().map(|key| key.columns.clone()).unwrap_or_default();
        let Some(windows) = &self.windows else { return SortOrder { columns: primary(), within: None } };
        let sortable = |id: &ColumnId| {
            let column = self.columns.iter().find(|column| column.id == *id);
            column.is_some_and(|c| !c.data_type.is_nested() && !c.data_type.is_null())
        };
        let series: Vec<ColumnId> = windows.order.iter().copied().filter(sortable).collect();
        let time = self.columns.iter().find(|column| column.id == windows.column);
        let is_time = time.is_some_and(|time| is_time(&time.data_type));
        match (series.is_empty(), self.primary()) {
            (true, Some(_)) => SortOrder { columns: primary(), within: None },
            (true, None) if is_time => SortOrder { columns: vec![windows.column], within: None },
            (false, _) if is_time && windows.grain > 0 => SortOrder {
                columns: series.into_iter().chain([windows.column]).collect(),
                within: Some((windows.column, windows.grain)),
            },
            _ => SortOrder { columns: primary(), within: None },
        }
    }
}

/// Makes rows that compare as the order says.
#[derive(Debug)]
pub struct Sorter {
    converter: RowConverter,
    positions: Vec<usize>,
    within: Option<(usize, i64)>,
}

impl Sorter {
    /// None without an order.
    pub fn of(schema: &TableSchema) -> Result<Option<Self>> {
        let SortOrder { columns, within } = schema.sort_order();
        if columns.is_empty() {
            return Ok(None);
        }
        let position = |id: ColumnId| {
            schema.position(id).ok_or_else(|| Error::Internal(format!("the order of rows names absent column {id}")))
        };
        let positions = columns.iter().map(|id| position(*id)).collect::<Result<Vec<_>>>()?;
        let within = within.map(|(id, length)| Ok::<_, Error>((position(id)?, length))).transpose()?;
        let window = within.map(|_| SortField::new(arrow::datatypes::DataType::Int64));
        let columns = positions.iter().filter_map(|at| schema.columns.get(*at));
        let fields = window.into_iter().chain(columns.map(|column| SortField::new(column.data_type.clone())));
        Ok(Some(Self { converter: RowConverter::new(fields.collect())?, positions, within }))
    }

    pub fn rows(&self, batch: &RecordBatch) -> Result<Rows> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.positions.len() + 1);
        if let Some((position, length)) = self.within {
            let times = instants(batch.column(position))?;
            let windows: Int64Array = times.as_primitive::<Int64Type>().unary(|time| time.div_euclid(length));
            columns.push(Arc::new(windows));
        }
        columns.extend(self.positions.iter().map(|at| batch.column(*at).clone()));
        Ok(self.converter.convert_columns(&columns)?)
    }
}
