//! Reads rows of a segment.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{UInt32Type, UInt64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelector,
};
use parquet::file::metadata::PageIndexPolicy;

use super::stored::from_stored;
use super::{ROW_COLUMN, Segment, TS_COLUMN, column_name};
use crate::file::ParquetSource;
use crate::memtable::{RowId, options};
use crate::schema::ColumnSchema;
use crate::{Error, Result};

/// Rows per batch of a whole read.
const BATCH_ROWS: usize = 8192;

impl Segment {
    fn source(&self) -> ParquetSource {
        ParquetSource { file: self.file.clone(), len: self.meta.bytes }
    }

    fn damaged(&self, what: impl std::fmt::Display) -> Error {
        Error::Corrupt(format!(
            "segment \"{}\" is damaged ({what}); restore it from a backup or a replica",
            self.path.display()
        ))
    }

    /// The footer with the page index, read once.
    pub fn footer(&self) -> Result<&ArrowReaderMetadata> {
        if let Some(footer) = self.footer.get() {
            return Ok(footer);
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = ArrowReaderMetadata::load(&self.source(), options).map_err(|e| self.damaged(e))?;
        let rows = footer.metadata().file_metadata().num_rows();
        if rows != i64::from(self.meta.rows) {
            return Err(self.damaged(format!("it has {rows} rows instead of {}", self.meta.rows)));
        }
        Ok(self.footer.get_or_init(|| footer))
    }

    /// Batches of the named file columns (absent ones are left out), of the selected rows or all.
    fn batches(&self, names: &[String], selection: Option<RowSelection>) -> Result<ParquetRecordBatchReader> {
        let footer = self.footer()?;
        let mask = ProjectionMask::columns(footer.parquet_schema(), names.iter().map(String::as_str));
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.source(), footer.clone())
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build().map_err(|e| self.damaged(e))
    }

    /// Rows `rows` (ascending, distinct; None means all) of `columns`, one batch per 8192 rows. Columns that the
    /// file lacks are filled with their missing value.
    pub fn read(&self, rows: Option<&[u32]>, columns: &[&ColumnSchema]) -> Result<Vec<RecordBatch>> {
        let names: Vec<String> = columns.iter().map(|c| column_name(c.id)).collect();
        let schema = Arc::new(arrow::datatypes::Schema::new(
            columns
                .iter()
                .map(|c| arrow::datatypes::Field::new(&c.name, c.data_type.clone(), true))
                .collect::<Vec<_>>(),
        ));
        let present: Vec<String> =
            columns.iter().filter(|c| self.meta.columns.contains(&c.id)).map(|c| column_name(c.id)).collect();
        if present.is_empty() {
            let count = rows.map_or(self.meta.rows as usize, <[u32]>::len);
            let columns = columns.iter().map(|c| c.missing_array(count)).collect::<Result<_>>()?;
            return Ok(vec![RecordBatch::try_new_with_options(schema, columns, &options(count))?]);
        }
        let mut out = Vec::new();
        for batch in self.batches(&present, rows.map(selection))? {
            let batch = batch.map_err(|e| self.damaged(e))?;
            let arrays = columns.iter().zip(&names).map(|(c, name)| match batch.column_by_name(name) {
                Some(stored) => from_stored(stored, &c.data_type),
                None => c.missing_array(batch.num_rows()),
            });
            let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
            out.push(RecordBatch::try_new_with_options(schema.clone(), arrays, &options(batch.num_rows()))?);
        }
        Ok(out)
    }

    /// As [`Segment::read`], as one batch.
    pub fn read_rows(&self, rows: &[u32], columns: &[&ColumnSchema]) -> Result<RecordBatch> {
        let batches = self.read(Some(rows), columns)?;
        match batches.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(self.damaged("rows are missing")),
            [first, ..] => Ok(concat_batches(&first.schema(), &batches)?),
        }
    }

    /// Identities of rows (ascending, distinct; None means all).
    pub fn row_ids(&self, rows: Option<&[u32]>) -> Result<Vec<RowId>> {
        let mut ids = Vec::with_capacity(rows.map_or(self.meta.rows as usize, <[u32]>::len));
        for batch in self.batches(&[TS_COLUMN.into(), ROW_COLUMN.into()], rows.map(selection))? {
            let batch = batch.map_err(|e| self.damaged(e))?;
            let (Some(ts), Some(ordinal)) = (batch.column_by_name(TS_COLUMN), batch.column_by_name(ROW_COLUMN)) else {
                return Err(self.damaged("its identity columns are missing"));
            };
            let (Some(ts), Some(ordinal)) =
                (ts.as_primitive_opt::<UInt64Type>(), ordinal.as_primitive_opt::<UInt32Type>())
            else {
                return Err(self.damaged("its identity columns have another type"));
            };
            let pairs = ts.values().iter().zip(ordinal.values());
            ids.extend(pairs.map(|(ts, ordinal)| RowId { ts: *ts, ordinal: *ordinal }));
        }
        Ok(ids)
    }
}

/// Ascending row numbers as runs to read and skip.
fn selection(rows: &[u32]) -> RowSelection {
    let mut selectors = Vec::new();
    let mut next = 0usize;
    for run in rows.chunk_by(|a, b| a + 1 == *b) {
        let start = run[0] as usize;
        if start > next {
            selectors.push(RowSelector::skip(start - next));
        }
        selectors.push(RowSelector::select(run.len()));
        next = start + run.len();
    }
    RowSelection::from(selectors)
}
