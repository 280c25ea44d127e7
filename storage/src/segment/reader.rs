//! Reads rows of a segment.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema, UInt32Type, UInt64Type};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
    RowSelector,
};
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::PageIndexPolicy;

use super::hot::FEW_ROWS;
use super::stored::from_stored;
use super::{ROW_COLUMN, Segment, TS_COLUMN, column_name};
use crate::file::ParquetSource;
use crate::memtable::{RowId, options};
use crate::schema::{ColumnId, ColumnSchema};
use crate::{Error, Result};

/// Rows per batch of a whole read.
pub const BATCH_ROWS: usize = 8192;

impl Segment {
    fn source(&self) -> ParquetSource {
        ParquetSource(self.file.clone())
    }

    pub fn damaged(&self, what: impl std::fmt::Display) -> Error {
        damaged(&self.path, what)
    }

    /// The footer with the page index.
    pub fn footer(&self) -> Result<ArrowReaderMetadata> {
        let key = (self.table, self.unit);
        if let Some(footer) = self.footers.get(key) {
            return Ok(footer);
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = ArrowReaderMetadata::load(&self.source(), options).map_err(|e| self.damaged(e))?;
        let rows = footer.metadata().file_metadata().num_rows();
        if rows != i64::from(self.meta.rows) {
            return Err(self.damaged(format!("it has {rows} rows instead of {}", self.meta.rows)));
        }
        self.footers.insert(key, footer.clone());
        Ok(footer)
    }

    fn builder(&self, footer: ArrowReaderMetadata, names: &[String]) -> ParquetRecordBatchReaderBuilder<ParquetSource> {
        let mask = ProjectionMask::columns(footer.parquet_schema(), names.iter().map(String::as_str));
        ParquetRecordBatchReaderBuilder::new_with_metadata(self.source(), footer)
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
    }

    /// Batches of the named file columns (absent ones are left out), of the selected rows or all.
    fn batches(&self, names: &[String], selection: Option<RowSelection>) -> Result<ParquetRecordBatchReader> {
        let mut builder = self.builder(self.footer()?, names);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build().map_err(|e| self.damaged(e))
    }

    /// As [`Segment::batches`], of one row group, which has the rows `all` of the file, those in `ranges`.
    pub fn read_group(
        &self,
        group: usize,
        all: &Range<u32>,
        ranges: &[Range<u32>],
        names: &[String],
    ) -> Result<ParquetRecordBatchReader> {
        let mut builder = self.builder(self.footer()?, names).with_row_groups(vec![group]);
        if ranges != std::slice::from_ref(all) {
            let within = ranges.iter().map(|r| (r.start - all.start) as usize..(r.end - all.start) as usize);
            builder = builder.with_row_selection(RowSelection::from_consecutive_ranges(within, all.len()));
        }
        builder.build().map_err(|e| self.damaged(e))
    }

    /// Is a column encoded as numbers of the values in a dictionary, which means that it takes few values? By the first and the last row group.
    pub fn has_dictionary(&self, column: ColumnId) -> Result<bool> {
        let (footer, name) = (self.footer()?, column_name(column));
        let groups = footer.metadata().row_groups();
        let ends = groups.first().into_iter().chain(groups.last());
        let mut chunks = ends.flat_map(|group| group.columns()).filter(|chunk| chunk.column_path().string() == name);
        Ok(chunks.all(|chunk| {
            let plain = chunk.column_type() == PhysicalType::BOOLEAN;
            plain || chunk.page_encoding_stats_mask().is_some_and(|mask| mask.is_only(Encoding::RLE_DICTIONARY))
        }))
    }

    /// The Bloom filter of a column of a row group, if it has one.
    pub fn bloom_filter(&self, footer: &ArrowReaderMetadata, group: usize, leaf: usize) -> Result<Option<Sbbf>> {
        if footer.metadata().row_group(group).column(leaf).bloom_filter_offset().is_none() {
            return Ok(None);
        }
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(self.source(), footer.clone());
        reader.get_row_group_column_bloom_filter(group, leaf).map_err(|e| self.damaged(e))
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

    /// As [`Segment::read`], the columns of all the rows. Of few rows they may be slices of what is in the cache.
    pub fn read_rows(&self, rows: &[u32], columns: &[&ColumnSchema]) -> Result<Vec<ArrayRef>> {
        if rows.len() <= FEW_ROWS && !rows.is_empty() && !columns.is_empty() {
            return self.read_few(rows, columns);
        }
        let batches = self.read(Some(rows), columns)?;
        match batches.as_slice() {
            [one] => Ok(one.columns().to_vec()),
            [] => Err(self.damaged("rows are missing")),
            [first, ..] => Ok(concat_batches(&first.schema(), &batches)?.columns().to_vec()),
        }
    }

    /// Reads every column of every row, to see that it can be.
    pub fn decode_all(&self) -> Result<()> {
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.source(), self.footer()?);
        for batch in builder.with_batch_size(BATCH_ROWS).build().map_err(|e| self.damaged(e))? {
            batch.map_err(|e| self.damaged(e))?;
        }
        Ok(())
    }

    /// All rows with their identities, a batch at a time.
    pub fn rows(&self, columns: &[&ColumnSchema]) -> Result<SegmentRows> {
        let mut names: Vec<String> =
            columns.iter().filter(|c| self.meta.columns.contains(&c.id)).map(|c| column_name(c.id)).collect();
        names.extend([TS_COLUMN.to_owned(), ROW_COLUMN.to_owned()]);
        let reader = self.batches(&names, None)?;
        Ok(SegmentRows {
            reader,
            path: self.path.clone(),
            columns: columns.iter().map(|c| (*c).clone()).collect(),
            commit: self.is_staged().then_some(self.meta.max_ts),
        })
    }

    /// Identities of rows (ascending, distinct; None means all).
    pub fn row_ids(&self, rows: Option<&[u32]>) -> Result<Vec<RowId>> {
        let mut ids = match rows {
            Some(few) if few.len() <= FEW_ROWS && !few.is_empty() => self.few_row_ids(few)?,
            rows => self.read_row_ids(rows)?,
        };
        if self.is_staged() {
            ids.iter_mut().for_each(|id| id.ts = self.meta.max_ts);
        }
        Ok(ids)
    }

    pub(super) fn read_row_ids(&self, rows: Option<&[u32]>) -> Result<Vec<RowId>> {
        let mut ids = Vec::with_capacity(rows.map_or(self.meta.rows as usize, <[u32]>::len));
        for batch in self.batches(&[TS_COLUMN.into(), ROW_COLUMN.into()], rows.map(selection))? {
            let batch = batch.map_err(|e| self.damaged(e))?;
            ids.extend(row_ids_of(&batch).map_err(|what| self.damaged(what))?);
        }
        Ok(ids)
    }
}

fn row_ids_of(batch: &RecordBatch) -> Result<Vec<RowId>, &'static str> {
    let ts = batch.column_by_name(TS_COLUMN).and_then(|c| c.as_primitive_opt::<UInt64Type>());
    let ordinals = batch.column_by_name(ROW_COLUMN).and_then(|c| c.as_primitive_opt::<UInt32Type>());
    let (Some(ts), Some(ordinals)) = (ts, ordinals) else { return Err("its identity columns are missing") };
    let pairs = ts.values().iter().zip(ordinals.values());
    Ok(pairs.map(|(ts, ordinal)| RowId { ts: *ts, ordinal: *ordinal }).collect())
}

/// Reads a segment from its first row to its last.
pub struct SegmentRows {
    reader: ParquetRecordBatchReader,
    path: std::path::PathBuf,
    columns: Vec<ColumnSchema>,
    /// The commit of all rows, if the file does not know.
    commit: Option<u64>,
}

impl SegmentRows {
    pub fn next_batch(&mut self) -> Result<Option<(RecordBatch, Vec<RowId>)>> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|e| damaged(&self.path, e))?;
        let mut ids = row_ids_of(&batch).map_err(|what| damaged(&self.path, what))?;
        if let Some(ts) = self.commit {
            ids.iter_mut().for_each(|id| id.ts = ts);
        }
        let arrays = self.columns.iter().map(|c| match batch.column_by_name(&column_name(c.id)) {
            Some(stored) => from_stored(stored, &c.data_type),
            None => c.missing_array(batch.num_rows()),
        });
        let arrays = arrays.collect::<Result<Vec<ArrayRef>>>()?;
        let fields = self.columns.iter().map(|c| Field::new(&c.name, c.data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Some((RecordBatch::try_new_with_options(schema, arrays, &options(ids.len()))?, ids)))
    }
}

fn damaged(path: &std::path::Path, what: impl std::fmt::Display) -> Error {
    Error::Corrupt(format!("segment \"{}\" is damaged ({what}); restore it from a backup or a replica", path.display()))
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
