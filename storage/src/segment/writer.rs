//! Writes a segment.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowNumericType, AsArray, PrimitiveArray, RecordBatch, StringViewArray, UInt32Array, UInt64Array,
    downcast_primitive_array, new_null_array,
};
use arrow::compute::{concat, max, max_string_view, min, min_string_view};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use arrow::row::{OwnedRow, RowConverter, SortField};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::encoding::{self, Choice};
use super::stored::{stored_type, to_stored};
use super::{ROW_COLUMN, SegmentMeta, TS_COLUMN, column_name};
use crate::file::{Disk, File, FileWriter};
use crate::memtable::{RowId, options};
use crate::order::SortOrder;
use crate::schema::{ColumnId, TableSchema};
use crate::version::Shape;
use crate::{Error, Result};

/// Most rows of a data page: what a read of one row has to decode.
pub const PAGE_ROWS: usize = 8192;
const KEYED_PAGE_ROWS: usize = 2048;
/// A dictionary is decoded whole for any row, so it stays small.
const DICTIONARY_BYTES: usize = 128 << 10;
const BLOOM_FALSE_POSITIVES: f64 = 0.01;
/// Values longer than this have no place in the manifest.
const RANGE_VALUE_BYTES: usize = 256;

/// Takes rows in their final order and makes a segment file of them.
pub struct SegmentWriter<'a> {
    path: PathBuf,
    shape: &'a Shape,
    file: Arc<dyn File>,
    stored: SchemaRef,
    /// Made with the first rows, which may say how columns are encoded.
    writer: Option<ArrowWriter<FileWriter>>,
    expected_rows: u64,
    row_group_rows: usize,
    measured: bool,
    ranges: Vec<Option<Range>>,
    nulls: Vec<u64>,
    rows: u32,
    min_ts: u64,
    max_ts: u64,
    order: SortOrder,
}

/// Smallest and largest value of one column so far.
struct Range {
    converter: RowConverter,
    min: Option<(OwnedRow, ArrayRef)>,
    max: Option<(OwnedRow, ArrayRef)>,
}

impl<'a> SegmentWriter<'a> {
    pub fn new(
        disk: &dyn Disk,
        path: PathBuf,
        shape: &'a Shape,
        expected_rows: u64,
        row_group_rows: usize,
    ) -> Result<Self> {
        let mut fields: Vec<Field> = (shape.schema.columns.iter())
            .map(|c| Field::new(column_name(c.id), stored_type(&c.data_type), true))
            .collect();
        fields.push(Field::new(TS_COLUMN, DataType::UInt64, false));
        fields.push(Field::new(ROW_COLUMN, DataType::UInt32, false));
        let stored = Arc::new(Schema::new(fields));
        let file = disk.create(&path).map_err(Error::at(&path))?;
        let ranges = shape.schema.columns.iter().map(|c| Range::new(&c.data_type)).collect::<Result<_>>()?;
        let nulls = vec![0; shape.schema.columns.len()];
        let order = shape.schema.sort_order();
        let (min_ts, max_ts) = (u64::MAX, 0);
        Ok(Self {
            path,
            shape,
            file,
            stored,
            writer: None,
            expected_rows,
            row_group_rows,
            measured: false,
            ranges,
            nulls,
            rows: 0,
            min_ts,
            max_ts,
            order,
        })
    }

    /// Encodings are chosen by what they make of the first rows, which takes a while.
    pub fn measure_encodings(&mut self) {
        self.measured = true;
    }

    /// The writer of the file, whose first columns these are.
    fn writer(&mut self, first: &[ArrayRef]) -> Result<&mut ArrowWriter<FileWriter>> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let mut choices = vec![None; self.shape.schema.columns.len()];
                if self.measured {
                    for (choice, column) in choices.iter_mut().zip(first) {
                        *choice = encoding::choose(column, DICTIONARY_BYTES)?;
                    }
                }
                let properties = properties(self.shape, &choices, self.expected_rows, self.row_group_rows)?;
                ArrowWriter::try_new(FileWriter::new(self.file.clone()), self.stored.clone(), Some(properties))?
            }
        };
        Ok(self.writer.insert(writer))
    }

    /// The rows do not come in the order of the table.
    pub fn not_sorted(&mut self) {
        self.order = SortOrder::default();
    }

    pub fn write(&mut self, rows: &RecordBatch, ids: &[RowId]) -> Result<()> {
        let too_many = || Error::Internal("a segment cannot hold so many rows".into());
        let count = u32::try_from(rows.num_rows()).map_err(|_| too_many())?;
        self.rows = self.rows.checked_add(count).ok_or_else(too_many)?;
        let mut columns = Vec::with_capacity(self.stored.fields().len());
        for (i, column) in rows.columns().iter().enumerate() {
            self.nulls[i] += column.logical_null_count() as u64;
            if let Some(range) = &mut self.ranges[i] {
                range.add(column)?;
            }
            columns.push(to_stored(column)?);
        }
        columns.push(Arc::new(UInt64Array::from_iter_values(ids.iter().map(|id| id.ts))));
        columns.push(Arc::new(UInt32Array::from_iter_values(ids.iter().map(|id| id.ordinal))));
        for id in ids {
            self.min_ts = self.min_ts.min(id.ts);
            self.max_ts = self.max_ts.max(id.ts);
        }
        let batch = RecordBatch::try_new_with_options(self.stored.clone(), columns, &options(rows.num_rows()))?;
        let written = self.writer(batch.columns())?.write(&batch);
        written.map_err(|e| self.failed(e))
    }

    /// A full disk below the Parquet writer arrives as text; its cause is asked for again.
    fn failed(&self, error: parquet::errors::ParquetError) -> Error {
        use std::error::Error as _;
        let io = error.source().and_then(|e| e.downcast_ref::<std::io::Error>()).map(|e| e.kind());
        match io {
            Some(kind) => Error::at(&self.path)(std::io::Error::from(kind)),
            None => error.into(),
        }
    }

    /// Completes and syncs the file; the caller syncs the directory.
    pub fn finish(mut self) -> Result<SegmentMeta> {
        let finished = self.writer(&[])?.finish();
        finished.map_err(|e| self.failed(e))?;
        let flushed = std::io::Write::flush(self.writer(&[])?.inner_mut());
        flushed.map_err(Error::at(&self.path))?;
        self.file.sync_data().map_err(Error::at(&self.path))?;
        let (crc, blocks) = self.writer(&[])?.inner_mut().sums();
        Ok(SegmentMeta {
            rows: self.rows,
            bytes: self.file.len().map_err(Error::at(&self.path))?,
            crc,
            blocks,
            sorted_by: self.order.columns,
            sorted_within: self.order.within,
            columns: self.shape.columns.to_vec(),
            nulls: self.nulls,
            min_ts: self.min_ts,
            max_ts: self.max_ts,
            ranges: encode_ranges(self.shape, self.ranges)?,
        })
    }
}

/// Rows of a data page. Tables with a primary key are read by row.
pub fn page_rows(schema: &TableSchema) -> usize {
    if schema.primary().is_some() { KEYED_PAGE_ROWS } else { PAGE_ROWS }
}

fn properties(shape: &Shape, choices: &[Option<Choice>], rows: u64, row_group_rows: usize) -> Result<WriterProperties> {
    let mut builder = WriterProperties::builder()
        .set_created_by(concat!("aegis ", env!("CARGO_PKG_VERSION")).into())
        .set_compression(encoding::compression(&DataType::Null, None)?)
        .set_max_row_group_row_count(Some(row_group_rows))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        .set_data_page_row_count_limit(page_rows(&shape.schema));
    for name in [TS_COLUMN, ROW_COLUMN] {
        let path = ColumnPath::from(name);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    for (column, choice) in shape.schema.columns.iter().zip(choices) {
        if let Some(Choice { dictionary, encoding }) = choice {
            let path = ColumnPath::from(column_name(column.id));
            builder = builder
                .set_column_compression(path.clone(), encoding::compression(&column.data_type, *choice)?)
                .set_column_dictionary_enabled(path.clone(), *dictionary)
                .set_column_encoding(path, *encoding);
        }
    }
    for column in shape.schema.columns.iter().filter(|c| is_whole_key(shape, c.id)) {
        // Each value occurs once: a dictionary would only be in the way.
        let path = ColumnPath::from(column_name(column.id));
        builder = builder.set_column_dictionary_enabled(path.clone(), false);
        if matches!(column.data_type, DataType::Int32 | DataType::Int64 | DataType::UInt32 | DataType::UInt64) {
            builder = builder.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    for id in shape.schema.primary().iter().flat_map(|key| &key.columns) {
        let column = shape.schema.columns.iter().find(|c| c.id == *id);
        if column.is_some_and(|c| !c.data_type.is_nested() && c.data_type != DataType::Boolean) {
            let path = ColumnPath::from(column_name(*id));
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_POSITIVES)
                .set_column_bloom_filter_max_ndv(path, rows.min(row_group_rows as u64).max(1));
        }
    }
    Ok(builder.build())
}

/// The column alone is a unique key.
fn is_whole_key(shape: &Shape, column: ColumnId) -> bool {
    shape.schema.unique_indexes().any(|i| i.columns == [column])
}

impl Range {
    fn new(data_type: &DataType) -> Result<Option<Self>> {
        if data_type.is_nested() || matches!(data_type, DataType::Null | DataType::Interval(_)) {
            return Ok(None);
        }
        let converter = RowConverter::new(vec![SortField::new(data_type.clone())])?;
        Ok(Some(Self { converter, min: None, max: None }))
    }

    fn add(&mut self, column: &ArrayRef) -> Result<()> {
        let extremes = match quick_extremes(column) {
            Some(extremes) => extremes,
            None => self.extremes(column)?,
        };
        let Some((least, most)) = extremes else { return Ok(()) };
        let rows = self.converter.convert_columns(&[concat(&[&least, &most])?])?;
        if self.min.as_ref().is_none_or(|(min, _)| rows.row(0) < min.row()) {
            self.min = Some((rows.row(0).owned(), least));
        }
        if self.max.as_ref().is_none_or(|(max, _)| rows.row(1) > max.row()) {
            self.max = Some((rows.row(1).owned(), most));
        }
        Ok(())
    }

    /// The least and the greatest value, if there is one.
    fn extremes(&self, column: &ArrayRef) -> Result<Option<(ArrayRef, ArrayRef)>> {
        let rows = self.converter.convert_columns(std::slice::from_ref(column))?;
        let valid = || (0..column.len()).filter(|i| column.is_valid(*i));
        let least = valid().min_by_key(|i| rows.row(*i));
        let most = valid().max_by_key(|i| rows.row(*i));
        Ok(least.zip(most).map(|(least, most)| (column.slice(least, 1), column.slice(most, 1))))
    }
}

/// As [`Range::extremes`], where there are kernels for it; their order is that of rows.
fn quick_extremes(column: &ArrayRef) -> Option<Option<(ArrayRef, ArrayRef)>> {
    fn of<T: ArrowNumericType>(values: &PrimitiveArray<T>) -> Option<(ArrayRef, ArrayRef)> {
        let one = |value| -> ArrayRef {
            Arc::new(PrimitiveArray::<T>::from_value(value, 1).with_data_type(values.data_type().clone()))
        };
        Some((one(min(values)?), one(max(values)?)))
    }
    let text = |value: &str| -> ArrayRef { Arc::new(StringViewArray::from(vec![value])) };
    let array = column.as_ref();
    downcast_primitive_array!(
        array => Some(of(array)),
        DataType::Utf8View => {
            let values = column.as_string_view();
            Some(min_string_view(values).map(text).zip(max_string_view(values).map(text)))
        }
        _ => None
    )
}

fn encode_ranges(shape: &Shape, ranges: Vec<Option<Range>>) -> Result<Option<Vec<u8>>> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for (column, range) in shape.schema.columns.iter().zip(ranges) {
        let known = range.and_then(|r| r.min.zip(r.max));
        let known = known
            .filter(|((min, _), (max, _))| min.row().as_ref().len().max(max.row().as_ref().len()) <= RANGE_VALUE_BYTES);
        let values = match known {
            Some(((_, min), (_, max))) => concat(&[&min, &max])?,
            None => new_null_array(&column.data_type, 2),
        };
        if !column.data_type.is_nested() {
            fields.push(Field::new(column_name(column.id), column.data_type.clone(), true));
            columns.push(values);
        }
    }
    if fields.is_empty() {
        return Ok(None);
    }
    let batch = crate::memtable::compact(&RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?)?;
    let mut writer = StreamWriter::try_new(Vec::new(), batch.schema_ref())?;
    writer.write(&batch)?;
    Ok(Some(writer.into_inner()?))
}
