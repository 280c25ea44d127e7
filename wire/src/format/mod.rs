//! Result rows as DataRow messages.
//!
//! A column's encoder is chosen once per batch; then rows × columns are written into one buffer of complete messages, so that nothing is
//! allocated or dispatched on a type name per value. Value formats themselves belong to `catalog::types`.

use aegis_engine::catalog::types::{BinaryEncoder, FormatSettings, TextEncoder};
use aegis_engine::catalog::{Error, Result, sqlstate};
use aegis_engine::session::protocol::{Format, OutputColumn};
use arrow::array::RecordBatch;

use crate::reply::format_of;

/// Longest DataRow, as for any field of PostgreSQL (`MaxAllocSize`).
const LONGEST_ROW: usize = 0x3FFF_FFFF;

/// The length word of a null.
const NULL: [u8; 4] = (-1i32).to_be_bytes();

enum ColumnEncoder {
    Text(TextEncoder),
    Binary(BinaryEncoder),
}

impl ColumnEncoder {
    /// Appends length word and value.
    fn encode(&self, row: usize, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&NULL);
        match self {
            ColumnEncoder::Text(encoder) if !encoder.is_null(row) => encoder.encode(row, out),
            ColumnEncoder::Binary(encoder) if !encoder.is_null(row) => encoder.encode(row, out),
            _ => return,
        }
        patch_length(out, start, start + 4);
    }
}

/// Encodes the rows of one batch.
pub struct RowEncoder {
    columns: Vec<ColumnEncoder>,
    rows: usize,
    next: usize,
}

impl RowEncoder {
    /// The batch may have hidden columns after the announced ones.
    pub fn new(
        batch: &RecordBatch,
        columns: &[OutputColumn],
        formats: &[Format],
        settings: &FormatSettings,
    ) -> Result<Self> {
        if batch.num_columns() < columns.len() {
            return Err(Error::internal(format!(
                "a batch of {} columns for a result of {}",
                batch.num_columns(),
                columns.len()
            )));
        }
        let encoders = columns.iter().zip(batch.columns()).enumerate().map(|(index, (column, array))| {
            Ok(match format_of(formats, index) {
                Format::Text => ColumnEncoder::Text(TextEncoder::new(column.ty, array, settings)?),
                Format::Binary => ColumnEncoder::Binary(BinaryEncoder::new(column.ty, array, &settings.names)?),
            })
        });
        Ok(Self { columns: encoders.collect::<Result<_>>()?, rows: batch.num_rows(), next: 0 })
    }

    /// Appends rows until `out` holds `full` bytes or more; false when none is left.
    pub fn encode(&mut self, out: &mut Vec<u8>, full: usize) -> Result<bool> {
        let count = u16::try_from(self.columns.len()).unwrap_or(u16::MAX).to_be_bytes();
        while self.next < self.rows {
            if out.len() >= full {
                return Ok(true);
            }
            let start = out.len();
            out.extend_from_slice(&[b'D', 0, 0, 0, 0]);
            out.extend_from_slice(&count);
            for column in &self.columns {
                column.encode(self.next, out);
            }
            if out.len() - start > LONGEST_ROW {
                out.truncate(start);
                return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "row is too long for a message"));
            }
            patch_length(out, start + 1, start + 1);
            self.next += 1;
        }
        Ok(false)
    }
}

/// Writes the number of bytes from `from` to the end into the word at `word`.
fn patch_length(out: &mut [u8], word: usize, from: usize) {
    let length = u32::try_from(out.len() - from).unwrap_or(u32::MAX);
    if let Some(bytes) = out.get_mut(word..word + 4) {
        bytes.copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use aegis_engine::catalog::types::{Type, oid};
    use arrow::array::{ArrayRef, Int32Array, StringViewArray};

    use super::*;

    fn encoder(formats: &[Format]) -> RowEncoder {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(258), None]));
        let words: ArrayRef = Arc::new(StringViewArray::from(vec![Some("x"), Some("")]));
        let batch = RecordBatch::try_from_iter_with_nullable([("a", numbers, true), ("b", words, true)]).unwrap();
        let columns = [
            OutputColumn { name: "a".into(), ty: Type::of(oid::INT4), origin: None },
            OutputColumn { name: "b".into(), ty: Type::of(oid::TEXT), origin: None },
        ];
        RowEncoder::new(&batch, &columns, formats, &FormatSettings::default()).unwrap()
    }

    #[test]
    fn text_and_binary_rows() {
        let mut out = Vec::new();
        assert!(!encoder(&[]).encode(&mut out, usize::MAX).unwrap());
        assert_eq!(out, b"D\0\0\0\x12\0\x02\0\0\0\x03258\0\0\0\x01xD\0\0\0\x0e\0\x02\xff\xff\xff\xff\0\0\0\0");
        out.clear();
        encoder(&[Format::Binary]).encode(&mut out, usize::MAX).unwrap();
        assert_eq!(out, b"D\0\0\0\x13\0\x02\0\0\0\x04\0\0\x01\x02\0\0\0\x01xD\0\0\0\x0e\0\x02\xff\xff\xff\xff\0\0\0\0");
    }

    #[test]
    fn stops_when_the_buffer_is_full() {
        let mut encoder = encoder(&[]);
        let mut out = Vec::new();
        assert!(encoder.encode(&mut out, 1).unwrap());
        assert_eq!(out.len(), 19);
        out.clear();
        assert!(!encoder.encode(&mut out, 1).unwrap());
        assert_eq!(out.len(), 15);
    }
}
