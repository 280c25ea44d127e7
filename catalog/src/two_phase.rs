//! Prepared transactions as rows of a system table: what PREPARE TRANSACTION leaves for COMMIT PREPARED, across restarts.

use std::sync::Arc;

use aegis_storage::{ColumnSchema, IndexId, IndexSchema, Isolation, Store, TableId, TableSchema, Transaction};
use arrow::array::{
    ArrayRef, AsArray, BinaryViewArray, Int64Array, RecordBatch, StringViewArray, UInt32Array, UInt64Array,
};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt32Type, UInt64Type};

use crate::types::oid::Oid;
use crate::{Error, Result, sqlstate};

/// `gid`, `database`, `owner`, `prepared`, `number`, `changes`, `locks`, `reads`.
pub const PREPARED: TableId = 4;
const PREPARED_KEY: IndexId = 5;

const COLUMNS: [(&str, DataType); 8] = [
    ("gid", DataType::Utf8View),
    ("database", DataType::UInt32),
    ("owner", DataType::UInt32),
    ("prepared", DataType::Int64),
    ("number", DataType::UInt64),
    ("changes", DataType::BinaryView),
    ("locks", DataType::BinaryView),
    ("reads", DataType::BinaryView),
];

/// One prepared transaction.
#[derive(Debug, Clone)]
pub struct PreparedRow {
    pub gid: String,
    pub database: Oid,
    pub owner: Oid,
    /// µs since 1970-01-01 UTC.
    pub prepared: i64,
    /// What `pg_prepared_xacts` calls it.
    pub number: u64,
    /// As [`Transaction::encode_changes`] has them.
    pub changes: Vec<u8>,
    /// As [`aegis_storage::lock::LockSet::encode`] has them.
    pub locks: Vec<u8>,
    /// What a serializable transaction has read.
    pub reads: Vec<TableId>,
}

fn encode_tables(tables: &[TableId]) -> Vec<u8> {
    tables.iter().flat_map(|table| table.to_le_bytes()).collect()
}

fn decode_tables(bytes: &[u8]) -> Vec<TableId> {
    bytes.as_chunks().0.iter().map(|table| TableId::from_le_bytes(*table)).collect()
}

/// Creates the table in a data directory that lacks it, and reads what it holds.
pub async fn open(store: &Arc<Store>) -> Result<Vec<PreparedRow>> {
    let mut transaction = store.begin(Isolation::ReadCommitted);
    match transaction.table_schema(PREPARED) {
        Ok(_) => {}
        Err(aegis_storage::Error::NoTable(_)) => {
            transaction.create_table(PREPARED, schema())?;
            transaction.commit(true).await?;
            return Ok(Vec::new());
        }
        Err(error) => return Err(error.into()),
    }
    let mut rows = Vec::new();
    for batch in transaction.scan(PREPARED)?.read(None, false)? {
        for row in 0..batch.num_rows() {
            rows.push(PreparedRow::read(&batch, row).ok_or_else(damaged)?);
        }
    }
    Ok(rows)
}

/// Notes a prepared transaction. 42710 if the identifier is taken.
pub fn insert(transaction: &mut Transaction, row: &PreparedRow) -> Result<()> {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringViewArray::from(vec![row.gid.as_str()])),
        Arc::new(UInt32Array::from(vec![row.database])),
        Arc::new(UInt32Array::from(vec![row.owner])),
        Arc::new(Int64Array::from(vec![row.prepared])),
        Arc::new(UInt64Array::from(vec![row.number])),
        Arc::new(BinaryViewArray::from(vec![row.changes.as_slice()])),
        Arc::new(BinaryViewArray::from(vec![row.locks.as_slice()])),
        Arc::new(BinaryViewArray::from(vec![encode_tables(&row.reads).as_slice()])),
    ];
    transaction.insert(PREPARED, &batch(columns)?).map_err(|error| match error {
        aegis_storage::Error::DuplicateKey { .. } => in_use(&row.gid),
        error => error.into(),
    })
}

pub fn in_use(gid: &str) -> Error {
    Error::new(sqlstate::DUPLICATE_OBJECT, format!("transaction identifier \"{gid}\" is already in use"))
}

/// Takes the row away and returns it; None if there is none.
pub fn remove(transaction: &mut Transaction, gid: &str) -> Result<Option<PreparedRow>> {
    let key = batch(vec![Arc::new(StringViewArray::from(vec![gid]))])?;
    let found = transaction.lookup(PREPARED, PREPARED_KEY, &key)?;
    let Some(address) = found.first().copied().flatten() else { return Ok(None) };
    let all: Vec<usize> = (0..COLUMNS.len()).collect();
    let row = transaction.fetch(PREPARED, &[address], &all)?;
    transaction.delete(PREPARED, &UInt64Array::from(vec![address]))?;
    PreparedRow::read(&row, 0).map(Some).ok_or_else(damaged)
}

fn schema() -> TableSchema {
    let columns = COLUMNS.iter().zip(1..).map(|((name, data_type), id)| ColumnSchema {
        id,
        name: (*name).to_owned(),
        data_type: data_type.clone(),
        missing: None,
    });
    let key = IndexSchema {
        id: PREPARED_KEY,
        name: "prepared_key".into(),
        columns: vec![1],
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        ignored_suffix: Vec::new(),
        deferrable: false,
    };
    TableSchema { columns: columns.collect(), indexes: vec![key], windows: None }
}

/// The leading columns of one row.
fn batch(values: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fields: Vec<_> =
        COLUMNS.iter().take(values.len()).map(|(name, ty)| Field::new(*name, ty.clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), values).map_err(|error| Error::internal(error.to_string()))
}

impl PreparedRow {
    fn read(batch: &RecordBatch, row: usize) -> Option<Self> {
        let text = batch.column(0).as_string_view_opt()?.value(row);
        let bytes = |column: usize| Some(batch.column(column).as_binary_view_opt()?.value(row).to_vec());
        let oid = |column: usize| Some(batch.column(column).as_primitive_opt::<UInt32Type>()?.value(row));
        Some(Self {
            gid: text.to_owned(),
            database: oid(1)?,
            owner: oid(2)?,
            prepared: batch.column(3).as_primitive_opt::<Int64Type>()?.value(row),
            number: batch.column(4).as_primitive_opt::<UInt64Type>()?.value(row),
            changes: bytes(5)?,
            locks: bytes(6)?,
            reads: decode_tables(&bytes(7)?),
        })
    }
}

fn damaged() -> Error {
    Error::new(sqlstate::DATA_CORRUPTED, "the table of prepared transactions has columns of another type")
}
