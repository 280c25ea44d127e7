//! What rows and columns take on disk and in memory.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type};
use parquet::basic::{Compression, Encoding};

use crate::compaction::range::{ColumnRange, Place, extremes};
use crate::schema::{ColumnId, ColumnSchema, TableId};
use crate::segment::{Segment, column_name};
use crate::store::Store;
use crate::{Error, Result};

/// What the rows of a range take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RangeSize {
    pub segment_bytes: u64,
    pub memory_bytes: u64,
    /// Segments that hold some of them.
    pub segments: u64,
}

impl RangeSize {
    pub fn bytes(&self) -> u64 {
        self.segment_bytes + self.memory_bytes
    }
}

/// How a column is written in one segment.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnEncoding {
    pub unit: u32,
    pub column: ColumnId,
    /// Of its pages, in Parquet's words.
    pub encodings: Vec<String>,
    pub compression: String,
    pub rows: u64,
    /// In the file, and after decompression.
    pub bytes: u64,
    pub encoded_bytes: u64,
    /// Least and greatest value of the column that the table is kept by.
    pub window: Option<(i64, i64)>,
}

impl Store {
    /// Bytes of the rows of a range: of a segment that holds others too, their share of its rows.
    pub fn range_size(&self, table: TableId, range: ColumnRange) -> Result<RangeSize> {
        let version = self.visible();
        let table = version.table(table)?;
        let schema = &table.shape.schema;
        let missing = || Error::Internal(format!("table {} has no column {}", table.id, range.column));
        let position = schema.position(range.column).ok_or_else(missing)?;
        let column = schema.columns.get(position).ok_or_else(missing)?;
        let mut size = RangeSize::default();
        for view in table.segments.iter() {
            let within = match range.place(&view.segment)? {
                Place::Outside => 0,
                Place::Inside => u64::from(view.segment.meta.rows),
                Place::Across => rows_within(&view.segment, column, range)?,
            };
            size.segments += u64::from(within > 0);
            size.segment_bytes += share(view.segment.meta.bytes, within, u64::from(view.segment.meta.rows));
        }
        for chunk in &table.chunks {
            let Some(position) = chunk.columns.iter().position(|id| *id == range.column) else { continue };
            let mut within = 0;
            for piece in &chunk.pieces {
                within += count(piece.batch.column(position), range)?;
            }
            size.memory_bytes += share(chunk.bytes as u64, within, u64::from(chunk.rows));
        }
        Ok(size)
    }

    /// How the columns of a table are written, segment by segment.
    pub fn column_encodings(&self, table: TableId) -> Result<Vec<ColumnEncoding>> {
        let version = self.visible();
        let mut found = Vec::new();
        let table = version.table(table)?;
        for view in table.segments.iter() {
            let window = match &table.shape.schema.windows {
                Some(windows) => extremes(&view.segment, windows.column)?,
                None => None,
            };
            for column in view.segment.meta.columns.iter() {
                found.extend(encoding_of(&view.segment, *column)?.map(|found| ColumnEncoding { window, ..found }));
            }
        }
        Ok(found)
    }
}

fn share(bytes: u64, part: u64, whole: u64) -> u64 {
    let share = u128::from(bytes) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

fn rows_within(segment: &Segment, column: &ColumnSchema, range: ColumnRange) -> Result<u64> {
    let mut rows = 0;
    for batch in segment.read(None, &[column])? {
        rows += count(batch.column(0), range)?;
    }
    Ok(rows)
}

fn count(values: &arrow::array::ArrayRef, range: ColumnRange) -> Result<u64> {
    let values = cast(values, &DataType::Int64)?;
    let values = values.as_primitive::<Int64Type>();
    Ok(values.iter().flatten().filter(|value| range.holds(*value)).count() as u64)
}

/// None if the file has not the column. A column of several leaves (a list, a struct) is their sum.
fn encoding_of(segment: &Segment, column: ColumnId) -> Result<Option<ColumnEncoding>> {
    let footer = segment.footer()?;
    let name = column_name(column);
    let mut found: Option<ColumnEncoding> = None;
    for group in footer.metadata().row_groups() {
        for leaf in group.columns() {
            if leaf.column_path().parts().first() != Some(&name) {
                continue;
            }
            let of = found.get_or_insert_with(|| ColumnEncoding {
                unit: segment.unit,
                column,
                encodings: Vec::new(),
                compression: compression_name(leaf.compression()),
                rows: u64::from(segment.meta.rows),
                bytes: 0,
                encoded_bytes: 0,
                window: None,
            });
            of.bytes += u64::try_from(leaf.compressed_size()).unwrap_or_default();
            of.encoded_bytes += u64::try_from(leaf.uncompressed_size()).unwrap_or_default();
            for encoding in leaf.encodings() {
                // Of the levels, which say what is null: every column has them.
                if encoding == Encoding::RLE && leaf.column_type() != parquet::basic::Type::BOOLEAN {
                    continue;
                }
                let encoding = encoding.to_string();
                if !of.encodings.contains(&encoding) {
                    of.encodings.push(encoding);
                }
            }
        }
    }
    if let Some(found) = &mut found {
        found.encodings.sort_unstable();
        // The page with a dictionary's own values is plain.
        if found.encodings.iter().any(|name| name == "RLE_DICTIONARY") {
            found.encodings.retain(|name| name != "PLAIN");
        }
    }
    Ok(found)
}

fn compression_name(compression: Compression) -> String {
    match compression {
        Compression::UNCOMPRESSED => "none".into(),
        Compression::ZSTD(level) => format!("zstd({})", level.compression_level()),
        other => other.to_string().to_lowercase(),
    }
}
