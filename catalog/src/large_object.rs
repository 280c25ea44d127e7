//! Where large objects are kept: two tables of the store for each database, whose rows are logged and recovered as those of any other table
//! (PostgreSQL's pg_largeobject and pg_largeobject_metadata).

use aegis_storage::{ColumnSchema, IndexId, IndexSchema, TableId, TableSchema, Transaction};
use arrow::datatypes::DataType;

use crate::Result;
use crate::fixed_oid::{PG_LARGEOBJECT, PG_LARGEOBJECT_METADATA};
use crate::types::oid::Oid;

/// The pages of an object by its OID and their number.
pub const PAGES_KEY: IndexId = 1;
/// The pages of an object by its OID.
pub const PAGES_OBJECT: IndexId = 2;
/// An object by its OID.
pub const METADATA_KEY: IndexId = 1;

/// `loid`, `pageno`, `data`.
pub fn pages(database: Oid) -> TableId {
    table(database, PG_LARGEOBJECT)
}

/// `oid`, `lomowner`, `size` in bytes.
pub fn metadata(database: Oid) -> TableId {
    table(database, PG_LARGEOBJECT_METADATA)
}

/// The numbers of tables that users make have no more than 32 bits.
fn table(database: Oid, relation: Oid) -> TableId {
    u64::from(database) << 32 | u64::from(relation)
}

/// Makes the tables of a database, unless they are there.
pub(crate) fn create(transaction: &mut Transaction, database: Oid) -> Result<bool> {
    if transaction.table_schema(pages(database)).is_ok() {
        return Ok(false);
    }
    let page_columns = [("loid", DataType::UInt32), ("pageno", DataType::Int32), ("data", DataType::BinaryView)];
    let page_keys = vec![index(PAGES_KEY, &[1, 2], true), index(PAGES_OBJECT, &[1], false)];
    transaction.create_table(pages(database), schema(&page_columns, page_keys))?;
    let object_columns = [("oid", DataType::UInt32), ("lomowner", DataType::UInt32), ("size", DataType::Int64)];
    let object_keys = vec![index(METADATA_KEY, &[1], true)];
    transaction.create_table(metadata(database), schema(&object_columns, object_keys))?;
    Ok(true)
}

/// Drops them with their database.
pub fn drop(transaction: &mut Transaction, database: Oid) -> Result<()> {
    transaction.drop_table(pages(database))?;
    transaction.drop_table(metadata(database))?;
    Ok(())
}

fn schema(columns: &[(&str, DataType)], indexes: Vec<IndexSchema>) -> TableSchema {
    let columns = columns.iter().zip(1..).map(|((name, data_type), id)| ColumnSchema {
        id,
        name: (*name).to_owned(),
        data_type: data_type.clone(),
        missing: None,
    });
    TableSchema { columns: columns.collect(), indexes, windows: None }
}

fn index(id: IndexId, columns: &[u32], unique: bool) -> IndexSchema {
    IndexSchema {
        id,
        name: format!("large_object_{id}"),
        columns: columns.to_vec(),
        unique,
        primary: unique,
        nulls_not_distinct: false,
        ignored_suffix: Vec::new(),
        deferrable: false,
    }
}
