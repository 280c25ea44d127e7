//! COPY TO: batches to bytes, row by row.

use aegis_catalog::types::{BinaryEncoder, FormatSettings, TextEncoder};
use aegis_catalog::{Error, Result};
use arrow::array::RecordBatch;

use super::csv::{self, Dialect};
use super::options::{CopyFormat, CopyOptions, Header};
use super::{CopyColumn, Encoding, binary, text};
use crate::session::protocol::CopyChunk;

/// Turns batches into the data of COPY TO: [`write`](Self::write) each, then [`finish`](Self::finish).
pub struct CopyWriter {
    columns: Vec<CopyColumn>,
    force_quote: Vec<bool>,
    options: CopyOptions,
    encoding: Encoding,
    settings: FormatSettings,
    header_pending: bool,
    scratch: Vec<u8>,
}

impl CopyWriter {
    pub fn new(columns: Vec<CopyColumn>, options: CopyOptions, settings: FormatSettings) -> Result<CopyWriter> {
        options.check_columns(&columns)?;
        Ok(CopyWriter {
            force_quote: options.force_quote.flags(&columns),
            encoding: options.encoding.unwrap_or(Encoding::Utf8),
            header_pending: options.format == CopyFormat::Binary || options.header != Header::No,
            columns,
            options,
            settings,
            scratch: Vec::new(),
        })
    }

    /// The rows of a batch, whose columns are this writer's.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<CopyChunk> {
        let mut chunk = CopyChunk::default();
        if batch.num_columns() < self.columns.len() {
            return Err(Error::internal("COPY got a batch with too few columns"));
        }
        if self.options.format == CopyFormat::Binary {
            self.write_binary(batch, &mut chunk)?;
        } else {
            self.write_header_line(&mut chunk)?;
            self.write_lines(batch, &mut chunk)?;
        }
        Ok(chunk)
    }

    /// What comes after the last row.
    pub fn finish(&mut self) -> Result<CopyChunk> {
        let mut chunk = CopyChunk::default();
        if self.options.format == CopyFormat::Binary {
            self.write_binary_header(&mut chunk);
            chunk.data.extend_from_slice(&binary::TRAILER);
            chunk.ends.push(chunk.data.len());
        } else {
            self.write_header_line(&mut chunk)?;
        }
        Ok(chunk)
    }

    fn dialect(&self) -> Dialect {
        Dialect { delimiter: self.options.delimiter, quote: self.options.quote, escape: self.options.escape }
    }

    // ------------------------------------------------------------------------------------------ text and CSV

    fn write_header_line(&mut self, chunk: &mut CopyChunk) -> Result<()> {
        if !std::mem::take(&mut self.header_pending) {
            return Ok(());
        }
        let start = chunk.data.len();
        let alone = self.columns.len() == 1;
        for index in 0..self.columns.len() {
            if index > 0 {
                chunk.data.push(self.options.delimiter);
            }
            let field = chunk.data.len();
            let name = self.columns.get(index).map(|column| column.name.as_bytes()).unwrap_or_default();
            chunk.data.extend_from_slice(name);
            self.protect(&mut chunk.data, field, false, alone);
        }
        self.end_line(chunk, start)
    }

    fn write_lines(&mut self, batch: &RecordBatch, chunk: &mut CopyChunk) -> Result<()> {
        let encoders = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| TextEncoder::new(column.ty, array, &self.settings))
            .collect::<Result<Vec<_>>>()?;
        let alone = encoders.len() == 1;
        for row in 0..batch.num_rows() {
            let start = chunk.data.len();
            for (index, encoder) in encoders.iter().enumerate() {
                if index > 0 {
                    chunk.data.push(self.options.delimiter);
                }
                if encoder.is_null(row) {
                    chunk.data.extend_from_slice(self.options.null.as_bytes());
                    continue;
                }
                let field = chunk.data.len();
                encoder.encode(row, &mut chunk.data);
                let force = self.force_quote.get(index) == Some(&true);
                self.protect(&mut chunk.data, field, force, alone);
            }
            self.end_line(chunk, start)?;
        }
        Ok(())
    }

    /// Escapes or quotes the value that starts at `start`.
    fn protect(&mut self, out: &mut Vec<u8>, start: usize, force: bool, alone: bool) {
        if self.options.format == CopyFormat::Text {
            return text::escape(out, start, self.options.delimiter, &mut self.scratch);
        }
        let value = out.get(start..).unwrap_or_default();
        // What looks like a null or like the end of data is none if quoted.
        let force = force || value == self.options.null.as_bytes() || (alone && value == b"\\.");
        csv::quote(out, start, self.dialect(), force, &mut self.scratch);
    }

    fn end_line(&mut self, chunk: &mut CopyChunk, start: usize) -> Result<()> {
        chunk.data.push(b'\n');
        self.encoding.encode(&mut chunk.data, start)?;
        chunk.ends.push(chunk.data.len());
        Ok(())
    }

    // ------------------------------------------------------------------------------------------ binary

    /// As in PostgreSQL, the header is part of the first row's message.
    fn write_binary_header(&mut self, chunk: &mut CopyChunk) {
        if std::mem::take(&mut self.header_pending) {
            chunk.data.extend_from_slice(binary::HEADER);
        }
    }

    fn write_binary(&mut self, batch: &RecordBatch, chunk: &mut CopyChunk) -> Result<()> {
        let encoders = self
            .columns
            .iter()
            .zip(batch.columns())
            .map(|(column, array)| BinaryEncoder::new(column.ty, array, &self.settings.names))
            .collect::<Result<Vec<_>>>()?;
        let count = i16::try_from(encoders.len()).map_err(|_| Error::internal("too many columns for COPY"))?;
        for row in 0..batch.num_rows() {
            self.write_binary_header(chunk);
            chunk.data.extend_from_slice(&count.to_be_bytes());
            for encoder in &encoders {
                let start = chunk.data.len();
                chunk.data.extend_from_slice(&(-1i32).to_be_bytes());
                if encoder.is_null(row) {
                    continue;
                }
                encoder.encode(row, &mut chunk.data);
                let length = i32::try_from(chunk.data.len() - start - 4)
                    .map_err(|_| Error::internal("a value is too long for COPY"))?;
                if let Some(word) = chunk.data.get_mut(start..start + 4) {
                    word.copy_from_slice(&length.to_be_bytes());
                }
            }
            chunk.ends.push(chunk.data.len());
        }
        Ok(())
    }
}
