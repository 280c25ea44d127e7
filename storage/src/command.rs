//! What the log carries: evaluated row changes, never SQL. Applying a command is deterministic.
//!
//! ```text
//! command     = kind u8, body
//! kind 1      transaction: change*
//! kind 2      counter: id u64, present u8, value i64
//! change      = tag u8, table u64, length u64, body
//! tag 1, 2    create, alter: table schema (see `encode_schema`)
//! tag 3       drop: empty
//! tag 4       insert: column count u32, column id u32 *, Arrow IPC stream
//! tag 5       delete: (commit timestamp u64, ordinal u32) *
//! tag 7       insert of few rows: column count u32, column id u32 *, rows (see [`crate::few_rows`])
//! tag 8       delete of a range: column u32, from i64, until i64, newest commit timestamp u64, number of rows u64
//! tag 6       attach: unit u32, ordinal of the first row u32, length u32, the segment as the manifest has it, dead rows as a Roaring bitmap
//! ```
//!
//! All integers little endian. A row is named by its identity ([`RowId`]), not its address, because addresses differ
//! between replicas and change with a flush.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use roaring::RoaringBitmap;
use serde::{Deserialize, Serialize};

use crate::compaction::range::ColumnRange;
use crate::few_rows;
use crate::manifest::{SegmentRecord, decode_segment, encode_segment};
use crate::memtable::RowId;
use crate::schema::{ColumnId, ColumnSchema, IndexSchema, TableId, TableSchema, Windows};
use crate::segment::SegmentMeta;
use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    Transaction(Vec<Change>),
    Counter { id: u64, value: Option<i64> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub table: TableId,
    pub kind: ChangeKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum ChangeKind {
    Create(TableSchema),
    Alter(TableSchema),
    Drop,
    Insert { columns: Vec<ColumnId>, rows: Vec<RecordBatch> },
    Delete(Vec<RowId>),
    DeleteRange(RangeDelete),
    Attach(Attach),
}

/// Deletes the rows of a range that commits up to `ts` have written, those that live then and that the changes of the same transaction before
/// this one leave: `rows` of them. A few bytes, whatever their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RangeDelete {
    pub range: ColumnRange,
    pub ts: u64,
    pub rows: u64,
}

/// A segment that the transaction wrote before it committed (see [`crate::staged`]); its file was synced before this was logged.
#[derive(Debug, Clone, PartialEq)]
pub struct Attach {
    pub unit: u32,
    /// The ordinal of its first row.
    pub first: u32,
    pub meta: Arc<SegmentMeta>,
    pub deleted: RoaringBitmap,
}

const TRANSACTION: u8 = 1;
const COUNTER: u8 = 2;

const CREATE: u8 = 1;
const ALTER: u8 = 2;
const DROP: u8 = 3;
const INSERT: u8 = 4;
const DELETE: u8 = 5;
const ATTACH: u8 = 6;
const INSERT_FEW: u8 = 7;
const DELETE_RANGE: u8 = 8;

impl Command {
    pub fn encode(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        match self {
            Command::Transaction(changes) => {
                out.push(TRANSACTION);
                for change in changes {
                    change.encode(&mut out)?;
                }
            }
            Command::Counter { id, value } => {
                out.push(COUNTER);
                out.extend(id.to_le_bytes());
                out.push(u8::from(value.is_some()));
                out.extend(value.unwrap_or(0).to_le_bytes());
            }
        }
        Ok(out)
    }

    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut input = Input(bytes);
        match input.u8()? {
            TRANSACTION => {
                let mut changes = Vec::new();
                while !input.0.is_empty() {
                    changes.push(Change::decode(&mut input)?);
                }
                Ok(Command::Transaction(changes))
            }
            COUNTER => {
                let (id, present, value) = (input.u64()?, input.u8()? == 1, input.u64()?.cast_signed());
                Ok(Command::Counter { id, value: present.then_some(value) })
            }
            kind => Err(Error::Corrupt(format!("the log holds a command of unknown kind {kind}"))),
        }
    }
}

impl Change {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let tag = match &self.kind {
            ChangeKind::Create(_) => CREATE,
            ChangeKind::Alter(_) => ALTER,
            ChangeKind::Drop => DROP,
            ChangeKind::Insert { rows, .. } => match rows.as_slice() {
                [rows] if few_rows::fits(rows) => INSERT_FEW,
                _ => INSERT,
            },
            ChangeKind::Delete(_) => DELETE,
            ChangeKind::DeleteRange(_) => DELETE_RANGE,
            ChangeKind::Attach(_) => ATTACH,
        };
        out.push(tag);
        out.extend(self.table.to_le_bytes());
        let length_at = out.len();
        out.extend([0; 8]);
        match &self.kind {
            ChangeKind::Create(schema) | ChangeKind::Alter(schema) => out.extend(encode_schema(schema)?),
            ChangeKind::Drop => {}
            ChangeKind::Insert { columns, rows } => encode_rows(columns, rows, tag == INSERT_FEW, out)?,
            ChangeKind::Delete(rows) => {
                out.reserve(rows.len() * 12);
                for row in rows {
                    out.extend(row.ts.to_le_bytes());
                    out.extend(row.ordinal.to_le_bytes());
                }
            }
            ChangeKind::DeleteRange(delete) => delete.encode(out),
            ChangeKind::Attach(attach) => attach.encode(out)?,
        }
        let length = (out.len() - length_at - 8) as u64;
        out[length_at..length_at + 8].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    fn decode(input: &mut Input<'_>) -> Result<Self> {
        let (tag, table, length) = (input.u8()?, input.u64()?, input.u64()?);
        let body = input.bytes(usize::try_from(length).map_err(|_| damaged())?)?;
        let kind = match tag {
            CREATE => ChangeKind::Create(decode_schema(body)?),
            ALTER => ChangeKind::Alter(decode_schema(body)?),
            DROP => ChangeKind::Drop,
            INSERT | INSERT_FEW => decode_rows(body, tag == INSERT_FEW)?,
            DELETE => {
                let (ids, rest) = body.as_chunks::<12>();
                if !rest.is_empty() {
                    return Err(damaged());
                }
                ChangeKind::Delete(ids.iter().map(decode_row_id).collect())
            }
            DELETE_RANGE => ChangeKind::DeleteRange(RangeDelete::decode(body)?),
            ATTACH => ChangeKind::Attach(Attach::decode(body)?),
            tag => return Err(Error::Corrupt(format!("the log holds a change of unknown tag {tag}"))),
        };
        Ok(Self { table, kind })
    }
}

impl RangeDelete {
    fn encode(&self, out: &mut Vec<u8>) {
        let ColumnRange { column, from, until } = self.range;
        out.extend(column.to_le_bytes());
        for number in [from.cast_unsigned(), until.cast_unsigned(), self.ts, self.rows] {
            out.extend(number.to_le_bytes());
        }
    }

    fn decode(body: &[u8]) -> Result<Self> {
        let mut input = Input(body);
        let (column, from, until) = (input.u32()?, input.u64()?.cast_signed(), input.u64()?.cast_signed());
        Ok(Self { range: ColumnRange { column, from, until }, ts: input.u64()?, rows: input.u64()? })
    }
}

impl Attach {
    fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        let record = encode_segment(&SegmentRecord { meta: self.meta.clone(), deletes: None })?;
        for number in [self.unit, self.first, record.len() as u32] {
            out.extend(number.to_le_bytes());
        }
        out.extend(record);
        Ok(self.deleted.serialize_into(out)?)
    }

    fn decode(body: &[u8]) -> Result<Self> {
        let mut input = Input(body);
        let (unit, first, length) = (input.u32()?, input.u32()?, input.u32()?);
        let record = decode_segment(input.bytes(length as usize)?).ok_or_else(damaged)?;
        let deleted = RoaringBitmap::deserialize_from(input.0).map_err(|_| damaged())?;
        Ok(Self { unit, first, meta: record.meta, deleted })
    }
}

fn decode_row_id(bytes: &[u8; 12]) -> RowId {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *bytes;
    RowId { ts: u64::from_le_bytes([a, b, c, d, e, f, g, h]), ordinal: u32::from_le_bytes([i, j, k, l]) }
}

const ID_KEY: &str = "id";

/// What is written of a schema with windows behind its columns.
#[derive(Serialize, Deserialize)]
struct Windowed {
    indexes: Vec<IndexSchema>,
    windows: Windows,
}

/// A schema: length u32 and Arrow IPC stream without batches (column ids in the fields' metadata), then for each
/// column the length u32 (`u32::MAX` for none) and the bytes of its missing value, then the indexes (and windows) as JSON.
pub fn encode_schema(schema: &TableSchema) -> Result<Vec<u8>> {
    let field = |c: &ColumnSchema| {
        let id = HashMap::from([(ID_KEY.to_owned(), c.id.to_string())]);
        Field::new(&c.name, c.data_type.clone(), true).with_metadata(id)
    };
    let arrow = Schema::new(schema.columns.iter().map(field).collect::<Vec<_>>());
    let mut writer = StreamWriter::try_new(Vec::new(), &arrow)?;
    writer.finish()?;
    let ipc = writer.into_inner()?;
    let mut out = (ipc.len() as u32).to_le_bytes().to_vec();
    out.extend(ipc);
    for column in &schema.columns {
        let missing = column.missing.as_deref();
        out.extend(missing.map_or(u32::MAX, |m| m.len() as u32).to_le_bytes());
        out.extend(missing.unwrap_or_default());
    }
    let indexes = match &schema.windows {
        None => serde_json::to_vec(&schema.indexes),
        Some(windows) => serde_json::to_vec(&Windowed { indexes: schema.indexes.clone(), windows: windows.clone() }),
    };
    out.extend(indexes.map_err(|e| Error::Internal(format!("indexes cannot be stored: {e}")))?);
    Ok(out)
}

pub fn decode_schema(bytes: &[u8]) -> Result<TableSchema> {
    let bad = || Error::Corrupt("a stored table schema is damaged".into());
    let mut input = Input(bytes);
    let length = input.u32()?;
    let arrow = StreamReader::try_new(input.bytes(length as usize)?, None)?.schema();
    let mut columns = Vec::with_capacity(arrow.fields().len());
    for field in arrow.fields() {
        let id = field.metadata().get(ID_KEY).and_then(|id| id.parse().ok()).ok_or_else(bad)?;
        let missing = match input.u32()? {
            u32::MAX => None,
            length => Some(input.bytes(length as usize)?.to_vec()),
        };
        let (name, data_type) = (field.name().clone(), field.data_type().clone());
        columns.push(ColumnSchema { id, name, data_type, missing });
    }
    // An array of indexes is what tables without windows have.
    let (indexes, windows) = match input.0.first() {
        Some(b'{') => {
            let Windowed { indexes, windows } = serde_json::from_slice(input.0).map_err(|_| bad())?;
            (indexes, Some(windows))
        }
        _ => (serde_json::from_slice(input.0).map_err(|_| bad())?, None),
    };
    Ok(TableSchema { columns, indexes, windows })
}

fn encode_rows(columns: &[ColumnId], rows: &[RecordBatch], few: bool, out: &mut Vec<u8>) -> Result<()> {
    out.extend((columns.len() as u32).to_le_bytes());
    for column in columns {
        out.extend(column.to_le_bytes());
    }
    if few {
        return rows.iter().try_for_each(|batch| few_rows::encode(batch, out));
    }
    if let Some(first) = rows.first() {
        let mut writer = StreamWriter::try_new(out, first.schema_ref())?;
        for batch in rows {
            writer.write(batch)?;
        }
        writer.finish()?;
    }
    Ok(())
}

fn decode_rows(body: &[u8], few: bool) -> Result<ChangeKind> {
    let mut input = Input(body);
    let count = input.u32()?;
    let columns = (0..count).map(|_| input.u32()).collect::<Result<Vec<_>>>()?;
    if few {
        let rows = few_rows::decode(&columns, input.0).ok_or_else(damaged)?;
        return Ok(ChangeKind::Insert { columns, rows: vec![rows] });
    }
    let mut rows = Vec::new();
    if !input.0.is_empty() {
        for batch in StreamReader::try_new(input.0, None)? {
            rows.push(batch?);
        }
    }
    Ok(ChangeKind::Insert { columns, rows })
}

fn damaged() -> Error {
    Error::Corrupt("the log holds a command that ends too early".into())
}

/// Reads integers off the front of a slice.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, n: usize) -> Result<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(n).ok_or_else(damaged)?;
        self.0 = rest;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, StringViewArray};
    use arrow::datatypes::DataType;

    use super::*;

    #[test]
    fn commands_survive_the_log() {
        let column = |id, name: &str, data_type| ColumnSchema { id, name: name.into(), data_type, missing: None };
        let schema = TableSchema {
            columns: vec![column(1, "a", DataType::Int32), column(2, "b", DataType::Utf8View)],
            indexes: vec![IndexSchema {
                id: 5,
                name: "pk".into(),
                columns: vec![1],
                unique: true,
                primary: true,
                nulls_not_distinct: false,
                ignored_suffix: vec![],
                deferrable: false,
            }],
            windows: Some(Windows { owner: 20_000, column: 1, grain: 10, order: vec![2] }),
        };
        let arrow = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Int32, true),
            Field::new("b", DataType::Utf8View, true),
        ]));
        let text = StringViewArray::from(vec![Some("x"), None, Some("a text that is longer than twelve bytes")]);
        let columns: Vec<arrow::array::ArrayRef> = vec![Arc::new(Int32Array::from(vec![1, 2, 3])), Arc::new(text)];
        let rows = RecordBatch::try_new(arrow, columns).unwrap();
        let change = |kind| Change { table: 20_000, kind };
        let command = Command::Transaction(vec![
            change(ChangeKind::Create(schema.clone())),
            change(ChangeKind::Alter(schema)),
            change(ChangeKind::Drop),
            change(ChangeKind::Insert { columns: vec![1, 2], rows: vec![rows.slice(0, 2), rows.slice(2, 1)] }),
            change(ChangeKind::Delete(vec![RowId { ts: 7, ordinal: 3 }, RowId { ts: u64::MAX, ordinal: 0 }])),
            change(ChangeKind::DeleteRange(RangeDelete {
                range: ColumnRange { column: 3, from: i64::MIN, until: -1 },
                ts: 5,
                rows: u64::MAX,
            })),
            change(ChangeKind::Attach(Attach {
                unit: 1 << 30,
                first: 9,
                meta: Arc::new(SegmentMeta {
                    rows: 3,
                    bytes: 4,
                    crc: 5,
                    blocks: vec![1, u32::MAX],
                    sorted_by: vec![1],
                    sorted_within: None,
                    columns: vec![1, 2],
                    nulls: vec![0, 1],
                    min_ts: 0,
                    max_ts: 0,
                    ranges: Some(vec![1, 2, 3]),
                }),
                deleted: RoaringBitmap::from([1]),
            })),
        ]);
        let bytes = command.encode().unwrap();
        assert_eq!(Command::decode(&bytes).unwrap(), command);
        for value in [None, Some(i64::MIN)] {
            let counter = Command::Counter { id: 9, value };
            assert_eq!(Command::decode(&counter.encode().unwrap()).unwrap(), counter);
        }
        for cut in 0..bytes.len() {
            let _ = Command::decode(&bytes[..cut]);
        }
    }
}
