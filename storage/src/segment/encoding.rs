//! Which encoding a column is written in: the one that makes its first rows smallest.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::Result;

/// Rows that are written in each way to see which is smallest.
const SAMPLE_ROWS: usize = 16_384;
/// With fewer rows than this an encoding does not gain what the look at it costs: in a merge, and in a flush, for which writers may wait.
pub const WORTHWHILE_ROWS: u64 = 16_384;
pub const WORTHWHILE_FLUSHED_ROWS: u64 = 131_072;
/// A dictionary is quick to read and to compare with: another encoding must save a tenth, and this many bytes for a thousand rows.
const DICTIONARY_ADVANTAGE: f64 = 0.9;
const WORTHWHILE_BYTES: u64 = 125;
const WORTHWHILE_TEXT_BYTES: u64 = 500;

/// Texts without a dictionary are most of a file, and are written nearly as fast and read as fast at a level that makes them a
/// fifteenth smaller.
const ZSTD_LEVEL: i32 = 1;
const TEXT_ZSTD_LEVEL: i32 = 3;

/// How a column is compressed.
pub fn compression(stored: &DataType, choice: Option<Choice>) -> Result<Compression> {
    let text = matches!(stored, DataType::Utf8View | DataType::BinaryView | DataType::Utf8 | DataType::Binary);
    let level = match choice {
        Some(Choice { dictionary: false, .. }) if text => TEXT_ZSTD_LEVEL,
        _ => ZSTD_LEVEL,
    };
    Ok(Compression::ZSTD(ZstdLevel::try_new(level)?))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub dictionary: bool,
    /// Without a dictionary, or behind its end.
    pub encoding: Encoding,
}

/// None for types that have one encoding only, and for those that nobody looks into.
pub fn choose(column: &ArrayRef, dictionary_bytes: usize) -> Result<Option<Choice>> {
    let candidates = candidates(column.data_type());
    let sample = column.slice(0, column.len().min(SAMPLE_ROWS));
    if candidates.is_empty() || sample.null_count() == sample.len() {
        return Ok(None);
    }
    let mut best: Option<(u64, Encoding)> = None;
    for encoding in candidates {
        let bytes = written(&sample, Choice { dictionary: false, encoding: *encoding }, dictionary_bytes)?;
        if best.is_none_or(|(least, _)| bytes < least) {
            best = Some((bytes, *encoding));
        }
    }
    let Some((bytes, encoding)) = best else { return Ok(None) };
    let with_dictionary = written(&sample, Choice { dictionary: true, encoding }, dictionary_bytes)?;
    let worthwhile = if column.data_type().is_primitive() { WORTHWHILE_BYTES } else { WORTHWHILE_TEXT_BYTES };
    let saved = with_dictionary.saturating_sub(bytes);
    let dictionary = bytes as f64 >= with_dictionary as f64 * DICTIONARY_ADVANTAGE
        || saved * 1000 < worthwhile * sample.len() as u64;
    Ok(Some(Choice { dictionary, encoding }))
}

/// Encodings beside a dictionary that values of a type may have.
fn candidates(stored: &DataType) -> &'static [Encoding] {
    use Encoding::*;
    match stored {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => {
            &[DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT]
        }
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64 => {
            &[DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT]
        }
        DataType::Date32 | DataType::Time32(_) | DataType::Time64(_) | DataType::Timestamp(..) => {
            &[DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT]
        }
        // Kept as an integer.
        DataType::Decimal128(precision, _) if *precision <= 18 => &[DELTA_BINARY_PACKED, BYTE_STREAM_SPLIT],
        DataType::Decimal128(..) | DataType::FixedSizeBinary(_) => &[PLAIN, BYTE_STREAM_SPLIT],
        DataType::Float32 | DataType::Float64 => &[PLAIN, BYTE_STREAM_SPLIT],
        DataType::Utf8View | DataType::BinaryView | DataType::Utf8 | DataType::Binary => {
            &[PLAIN, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY]
        }
        _ => &[],
    }
}

/// Bytes of a file of this column alone, without its footer.
fn written(column: &ArrayRef, choice: Choice, dictionary_bytes: usize) -> Result<u64> {
    let schema = Arc::new(Schema::new(vec![Field::new("c", column.data_type().clone(), true)]));
    let properties = WriterProperties::builder()
        .set_compression(compression(column.data_type(), Some(choice))?)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .set_dictionary_enabled(choice.dictionary)
        .set_dictionary_page_size_limit(dictionary_bytes)
        .set_encoding(choice.encoding);
    let mut writer = ArrowWriter::try_new(std::io::sink(), schema.clone(), Some(properties.build()))?;
    writer.write(&RecordBatch::try_new(schema, vec![column.clone()])?)?;
    let written = writer.finish()?;
    let bytes = written.row_groups().iter().map(|group| group.compressed_size()).sum::<i64>();
    Ok(u64::try_from(bytes).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array, StringViewArray};

    use super::*;

    fn of(column: ArrayRef) -> Choice {
        choose(&column, 128 << 10).unwrap().unwrap()
    }

    #[test]
    fn only_texts_without_a_dictionary_are_compressed_harder() {
        let level = |stored, dictionary| {
            let choice = Choice { dictionary, encoding: Encoding::DELTA_LENGTH_BYTE_ARRAY };
            compression(&stored, Some(choice)).unwrap()
        };
        assert_eq!(level(DataType::Utf8View, false), Compression::ZSTD(ZstdLevel::try_new(3).unwrap()));
        assert_eq!(level(DataType::Utf8View, true), Compression::ZSTD(ZstdLevel::try_new(1).unwrap()));
        assert_eq!(level(DataType::Int64, false), Compression::ZSTD(ZstdLevel::try_new(1).unwrap()));
    }

    #[test]
    fn each_column_gets_what_makes_it_smallest() {
        let rows = 20_000;
        let times: ArrayRef =
            Arc::new(Int64Array::from_iter_values((0..rows).map(|i| 1_700_000_000_000_000 + i * 10_000_000)));
        assert_eq!(of(times), Choice { dictionary: false, encoding: Encoding::DELTA_BINARY_PACKED });
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state >> 33
        };
        let few: ArrayRef = Arc::new(Float64Array::from_iter_values((0..rows).map(|_| (random() % 101) as f64)));
        assert!(of(few).dictionary);
        // A smooth curve: bytes of one significance are alike.
        let curve: ArrayRef =
            Arc::new(Float64Array::from_iter_values((0..rows).map(|i| 20.0 + (i as f64 / 500.0).sin())));
        assert_eq!(of(curve), Choice { dictionary: false, encoding: Encoding::BYTE_STREAM_SPLIT });
        let hosts: ArrayRef =
            Arc::new(StringViewArray::from_iter_values((0..rows).map(|i| format!("host_{}", i % 10))));
        assert!(of(hosts).dictionary);
        let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None; 20]));
        assert_eq!(choose(&nulls, 1).unwrap(), None);
    }
}
