//! COPY FROM: bytes to batches of typed columns.

use std::borrow::Cow;
use std::sync::Arc;

use aegis_catalog::types::structure::arrow_type;
use aegis_catalog::types::text::from_bytes;
use aegis_catalog::types::{ColumnBuilder, FormatSettings};
use aegis_catalog::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::csv::{self, Dialect};
use super::line::{Found, LineScanner, bad};
use super::options::{CopyFormat, CopyOptions, Header};
use super::{CopyColumn, Encoding, binary, text};

/// Most rows in a batch.
const BATCH_ROWS: usize = 64 << 10;

/// A batch is handed out when it was made from so many bytes of input.
const BATCH_BYTES: usize = 4 << 20;

/// How much of a line or value an error's context shows (`MAX_COPY_DATA_DISPLAY`).
const SHOWN_BYTES: usize = 100;

/// Turns the data of COPY FROM into batches: [`push`](Self::push) each piece, then take batches until there is none; after the last
/// piece call [`end`](Self::end) and take the rest. An error ends it.
pub struct CopyReader {
    table: String,
    options: CopyOptions,
    encoding: Encoding,
    schema: SchemaRef,
    rows: Rows,
    source: Source,
    /// Data not yet consumed, from `start` on.
    buffer: Vec<u8>,
    start: usize,
    /// Number of the current line (row, in binary format), from one.
    line: u64,
    /// No more data will come.
    last: bool,
    /// The end mark was read: what follows is ignored.
    ended: bool,
    /// Where each row of the next batch comes from.
    batch_lines: Vec<u64>,
    batch_bytes: usize,
}

/// Rows as they were sent.
pub struct CopiedRows {
    pub rows: RecordBatch,
    /// The number of each row's line, for an error that the row raises later, such as a violated constraint.
    pub lines: Vec<u64>,
}

enum Source {
    Lines { scanner: LineScanner, header_pending: bool },
    Binary { header_pending: bool },
}

/// What is needed to append one row; apart from the buffer that the row is read from.
struct Rows {
    columns: Vec<CopyColumn>,
    builders: Vec<ColumnBuilder>,
    settings: FormatSettings,
    null: String,
    force_not_null: Vec<bool>,
    force_null: Vec<bool>,
    fields: Vec<Span>,
    /// Values of fields that had escapes or quotes.
    unescaped: Vec<u8>,
}

/// Where a field's value is.
#[derive(Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    /// In `Rows::unescaped` rather than in the line.
    unescaped: bool,
    null: bool,
}

/// What an error is about.
enum Place<'a> {
    /// The line could not be read as one.
    Unread,
    Line(&'a str),
    Value {
        column: &'a str,
        value: &'a str,
    },
    Column(&'a str),
}

impl CopyReader {
    /// `table` is for error contexts. Values obey `settings`.
    pub fn new(
        table: &str,
        columns: Vec<CopyColumn>,
        options: CopyOptions,
        settings: FormatSettings,
    ) -> Result<CopyReader> {
        options.check_columns(&columns)?;
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, arrow_type(column.ty, &settings.names), true))
            .collect();
        let builders =
            columns.iter().map(|column| ColumnBuilder::new(column.ty, 1024, &settings.names)).collect::<Result<_>>()?;
        let header_pending = options.header != Header::No;
        let source = match options.format {
            CopyFormat::Binary => Source::Binary { header_pending: true },
            _ => Source::Lines { scanner: LineScanner::new(&options), header_pending },
        };
        Ok(CopyReader {
            table: table.to_owned(),
            encoding: options.encoding.unwrap_or(Encoding::Utf8),
            schema: Arc::new(Schema::new(fields)),
            rows: Rows {
                force_not_null: options.force_not_null.flags(&columns),
                force_null: options.force_null.flags(&columns),
                null: options.null.clone(),
                columns,
                builders,
                settings,
                fields: Vec::new(),
                unescaped: Vec::new(),
            },
            options,
            source,
            buffer: Vec::new(),
            start: 0,
            line: 0,
            last: false,
            ended: false,
            batch_lines: Vec::new(),
            batch_bytes: 0,
        })
    }

    /// The schema of the batches: the columns by name, in the computed representation of their types.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// Takes the next piece of the data, cut anywhere.
    pub fn push(&mut self, data: &[u8]) {
        if self.ended && !matches!(self.source, Source::Binary { .. }) {
            return;
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        match self.options.format {
            CopyFormat::Binary => self.buffer.extend_from_slice(data),
            _ => self.buffer.extend_from_slice(&self.encoding.decode(data)),
        }
    }

    /// Says that all data was pushed.
    pub fn end(&mut self) {
        self.last = true;
    }

    /// A batch, if enough rows have come together, or at the end if there are any.
    pub fn next_batch(&mut self) -> Result<Option<CopiedRows>> {
        while self.batch_lines.len() < BATCH_ROWS && self.batch_bytes < BATCH_BYTES {
            if !self.next_row()? {
                let rest = self.last && !self.batch_lines.is_empty();
                return if rest { self.take_batch().map(Some) } else { Ok(None) };
            }
        }
        self.take_batch().map(Some)
    }

    /// Context for an error that comes between lines.
    pub fn next_context(&self) -> String {
        format!("COPY {}, line {}", self.table, self.line + 1)
    }

    fn take_batch(&mut self) -> Result<CopiedRows> {
        let lines = std::mem::take(&mut self.batch_lines);
        self.batch_bytes = 0;
        let columns = self.rows.take_columns(lines.len())?;
        let options = RecordBatchOptions::new().with_row_count(Some(lines.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        Ok(CopiedRows { rows: rows.map_err(|error| Error::internal(error.to_string()))?, lines })
    }

    /// False if there is no whole row left in the buffer.
    fn next_row(&mut self) -> Result<bool> {
        match self.source {
            Source::Lines { .. } => self.next_line(),
            Source::Binary { header_pending } => self.next_tuple(header_pending),
        }
    }

    // ------------------------------------------------------------------------------------------ text and CSV

    fn next_line(&mut self) -> Result<bool> {
        let Source::Lines { scanner, header_pending } = &mut self.source else { return Ok(false) };
        loop {
            if self.ended {
                return Ok(false);
            }
            let data = self.buffer.get(self.start..).unwrap_or_default();
            let found = scanner.scan(data, self.last);
            self.line += scanner.take_quoted_line_ends();
            let number = self.line + 1;
            let (length, next) = match found {
                Ok(Found::Incomplete) => return Ok(false),
                Ok(Found::Line { length, next }) => (length, next),
                Ok(Found::End { length }) => {
                    self.ended = true;
                    if length == 0 {
                        return Ok(false);
                    }
                    (length, data.len())
                }
                Err(error) => return Err(placed(error, &self.table, number, Place::Unread)),
            };
            self.line = number;
            let bytes = data.get(..length).unwrap_or_default();
            let line = from_bytes(bytes).map_err(|error| placed(error, &self.table, number, Place::Unread))?;
            if std::mem::take(header_pending) {
                if self.options.header == Header::Match {
                    self.rows.check_header(line, &self.options, &self.table, number)?;
                }
                self.start += next;
                continue;
            }
            self.rows.append_line(line, &self.options, &self.table, number)?;
            self.start += next;
            self.batch_lines.push(number);
            self.batch_bytes += next;
            return Ok(true);
        }
    }

    // ------------------------------------------------------------------------------------------ binary

    fn next_tuple(&mut self, header_pending: bool) -> Result<bool> {
        let data = self.buffer.get(self.start..).unwrap_or_default();
        if header_pending {
            match binary::header(data, self.last) {
                Ok(Some(length)) => self.start += length,
                Ok(None) => return Ok(false),
                Err(error) => return Err(placed(error, &self.table, self.line + 1, Place::Unread)),
            }
            self.source = Source::Binary { header_pending: false };
            return self.next_tuple(false);
        }
        let number = self.line + 1;
        if self.ended {
            let trailing = !data.is_empty();
            let error = bad("received copy data after EOF marker");
            return if trailing { Err(placed(error, &self.table, self.line, Place::Unread)) } else { Ok(false) };
        }
        let columns = self.rows.columns.len();
        match binary::tuple(data, columns, self.last)
            .map_err(|error| placed(error, &self.table, number, Place::Unread))?
        {
            binary::Tuple::Incomplete => Ok(false),
            binary::Tuple::Trailer => {
                self.line = number;
                self.ended = true;
                self.start += 2;
                self.next_tuple(false)
            }
            binary::Tuple::Row { length } => {
                self.line = number;
                let tuple = data.get(2..length).unwrap_or_default();
                self.rows.append_tuple(tuple, &self.table, number)?;
                self.start += length;
                self.batch_lines.push(number);
                self.batch_bytes += length;
                Ok(true)
            }
        }
    }
}

impl Rows {
    /// The columns so far. The next batch will be about as long.
    fn take_columns(&mut self, rows: usize) -> Result<Vec<ArrayRef>> {
        let taken = self.columns.iter().zip(&mut self.builders).map(|(column, builder)| {
            let mut full = std::mem::replace(builder, ColumnBuilder::new(column.ty, rows, &self.settings.names)?);
            Ok(full.finish())
        });
        taken.collect()
    }

    fn append_line(&mut self, line: &str, options: &CopyOptions, table: &str, number: u64) -> Result<()> {
        let at_line = |error| placed(error, table, number, Place::Line(line));
        self.split(line, options).map_err(at_line)?;
        if self.fields.len() > self.columns.len() && !(self.columns.is_empty() && line.is_empty()) {
            return Err(at_line(bad("extra data after last expected column")));
        }
        for (index, (column, builder)) in self.columns.iter().zip(&mut self.builders).enumerate() {
            let Some(span) = self.fields.get(index) else {
                let missing = bad(format!("missing data for column \"{}\"", column.name));
                return Err(at_line(missing));
            };
            let value = if span.null {
                let keep = self.force_not_null.get(index) == Some(&true);
                keep.then_some(Cow::Borrowed(self.null.as_str()))
            } else {
                let value = value_of(span, line, &self.unescaped);
                let drop = self.force_null.get(index) == Some(&true) && value == self.null;
                (!drop).then_some(value)
            };
            match value {
                None => builder.append_null(),
                Some(value) => builder.append_text(&value, &self.settings).map_err(|error| {
                    placed(error, table, number, Place::Value { column: &column.name, value: &value })
                })?,
            }
        }
        Ok(())
    }

    /// Fills `fields` from a line.
    fn split(&mut self, line: &str, options: &CopyOptions) -> Result<()> {
        self.fields.clear();
        self.unescaped.clear();
        match options.format {
            CopyFormat::Csv => self.split_csv(line.as_bytes(), options),
            _ => self.split_text(line.as_bytes(), options),
        }
    }

    fn split_text(&mut self, line: &[u8], options: &CopyOptions) -> Result<()> {
        if memchr::memchr(b'\\', line).is_none() {
            self.split_plain(line, options.delimiter);
            return Ok(());
        }
        let mut start = 0;
        for field in text::Fields::new(line, options.delimiter) {
            let end = start + field.len();
            let null = field == self.null.as_bytes();
            let span = if !null && memchr::memchr(b'\\', field).is_some() {
                let start = self.unescaped.len();
                text::unescape(field, &mut self.unescaped);
                from_bytes(self.unescaped.get(start..).unwrap_or_default())?;
                Span { start, end: self.unescaped.len(), unescaped: true, null }
            } else {
                Span { start, end, unescaped: false, null }
            };
            self.fields.push(span);
            start = end + 1;
        }
        Ok(())
    }

    /// A line without escapes.
    fn split_plain(&mut self, line: &[u8], delimiter: u8) {
        let null = self.null.as_bytes();
        // The usual mark has a backslash itself.
        let has_null = !null.contains(&b'\\');
        let mut start = 0;
        for end in text::Positions::new(line, delimiter).chain(std::iter::once(line.len())) {
            let null = has_null && line.get(start..end) == Some(null);
            self.fields.push(Span { start, end, unescaped: false, null });
            start = end + 1;
        }
    }

    fn split_csv(&mut self, line: &[u8], options: &CopyOptions) -> Result<()> {
        let dialect = Dialect { delimiter: options.delimiter, quote: options.quote, escape: options.escape };
        let mut rest = Some(line);
        loop {
            let start = line.len() - rest.map_or(0, <[u8]>::len);
            let unescaped = self.unescaped.len();
            let Some(field) = csv::next_field(&mut rest, dialect, &mut self.unescaped)? else { return Ok(()) };
            self.fields.push(match field {
                csv::Field::Plain(bytes) => {
                    let null = bytes == self.null.as_bytes();
                    Span { start, end: start + bytes.len(), unescaped: false, null }
                }
                csv::Field::Quoted => {
                    Span { start: unescaped, end: self.unescaped.len(), unescaped: true, null: false }
                }
            });
        }
    }

    /// HEADER MATCH.
    fn check_header(&mut self, line: &str, options: &CopyOptions, table: &str, number: u64) -> Result<()> {
        let placed = |error| placed(error, table, number, Place::Line(line));
        self.split(line, options).map_err(placed)?;
        if self.fields.len() != self.columns.len() {
            return Err(placed(bad(format!(
                "wrong number of fields in header line: got {}, expected {}",
                self.fields.len(),
                self.columns.len()
            ))));
        }
        for (index, (span, column)) in self.fields.iter().zip(&self.columns).enumerate() {
            let field = index + 1;
            let expected = &column.name;
            if span.null {
                let null = &self.null;
                return Err(placed(bad(format!(
                    "column name mismatch in header line field {field}: got null value (\"{null}\"), expected \"{expected}\""
                ))));
            }
            let got = value_of(span, line, &self.unescaped);
            if got != *expected {
                return Err(placed(bad(format!(
                    "column name mismatch in header line field {field}: got \"{got}\", expected \"{expected}\""
                ))));
            }
        }
        Ok(())
    }

    /// The fields of a tuple whose lengths were checked.
    fn append_tuple(&mut self, mut tuple: &[u8], table: &str, number: u64) -> Result<()> {
        for (column, builder) in self.columns.iter().zip(&mut self.builders) {
            match binary::field(&mut tuple) {
                None => builder.append_null(),
                Some(value) => builder
                    .append_binary(value)
                    .map_err(|error| placed(error, table, number, Place::Column(&column.name)))?,
            }
        }
        Ok(())
    }
}

fn value_of<'a>(span: &Span, line: &'a str, unescaped: &'a [u8]) -> Cow<'a, str> {
    if span.unescaped {
        String::from_utf8_lossy(unescaped.get(span.start..span.end).unwrap_or_default())
    } else {
        Cow::Borrowed(line.get(span.start..span.end).unwrap_or_default())
    }
}

/// Adds the context that PostgreSQL adds: `COPY t, line 3, column a: "x"`.
fn placed(error: Error, table: &str, line: u64, place: Place<'_>) -> Error {
    let place = match place {
        Place::Unread => String::new(),
        Place::Line(text) => format!(": \"{}\"", shown(text)),
        Place::Value { column, value } => format!(", column {column}: \"{}\"", shown(value)),
        Place::Column(column) => format!(", column {column}"),
    };
    error.with_context(format!("COPY {table}, line {line}{place}"))
}

fn shown(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN_BYTES {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(SHOWN_BYTES);
    Cow::Owned(format!("{}...", text.get(..end).unwrap_or_default()))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
