//! The tables of the store that hold the catalog: objects, comments, dependencies. Every DDL statement writes rows here
//! through its own transaction, so it commits, rolls back and travels in the log like any other change.

use std::sync::Arc;

use aegis_storage::{ColumnSchema, IndexId, IndexSchema, TableId, TableSchema, Transaction};
use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringViewArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, UInt32Type};

use crate::object::{Dependency, DependencyKind, Object, ObjectAddress};
use crate::types::oid::Oid;
use crate::{Error, Result, sqlstate};

/// `database`, `class`, `oid`, `schema`, `name`, `body` (JSON); `database` is 0 for what all share.
pub const OBJECTS: TableId = 1;
/// `database`, `class`, `oid`, `sub`, `text`.
pub const COMMENTS: TableId = 2;
/// `database`, dependent (`class`, `oid`, `sub`), referenced (`ref_class`, `ref_oid`, `ref_sub`), `kind`.
pub const DEPENDENCIES: TableId = 3;

pub const OBJECTS_KEY: IndexId = 1;
/// Names are unique per class in a schema.
pub const OBJECTS_NAME: IndexId = 2;
const COMMENTS_KEY: IndexId = 3;
const DEPENDENCIES_KEY: IndexId = 4;

pub const ALL: [TableId; 3] = [OBJECTS, COMMENTS, DEPENDENCIES];

/// Creates the tables in a new data directory. False if they are there already.
pub(crate) fn create(transaction: &mut Transaction) -> Result<bool> {
    match transaction.table_schema(OBJECTS) {
        Ok(_) => return Ok(false),
        Err(aegis_storage::Error::NoTable(_)) => {}
        Err(error) => return Err(error.into()),
    }
    for table in ALL {
        transaction.create_table(table, table_schema(table))?;
    }
    Ok(true)
}

fn table_schema(table: TableId) -> TableSchema {
    let columns = columns_of(table)
        .iter()
        .zip(1..)
        .map(|((name, data_type), id)| ColumnSchema {
            id,
            name: (*name).to_owned(),
            data_type: data_type.clone(),
            missing: None,
        })
        .collect();
    let index = |id, name: &str, columns: &[u32], primary| IndexSchema {
        id,
        name: name.to_owned(),
        columns: columns.to_vec(),
        unique: true,
        primary,
        nulls_not_distinct: false,
        ignored_suffix: Vec::new(),
        deferrable: false,
    };
    let indexes = match table {
        OBJECTS => vec![
            index(OBJECTS_KEY, "objects_key", &[1, 2, 3], true),
            index(OBJECTS_NAME, "objects_name", &[1, 2, 4, 5], false),
        ],
        COMMENTS => vec![index(COMMENTS_KEY, "comments_key", &[1, 2, 3, 4], true)],
        _ => vec![index(DEPENDENCIES_KEY, "dependencies_key", &[1, 2, 3, 4, 5, 6, 7], true)],
    };
    TableSchema { columns, indexes, windows: None }
}

fn columns_of(table: TableId) -> &'static [(&'static str, DataType)] {
    const ID: DataType = DataType::UInt32;
    const SUB: DataType = DataType::Int32;
    const TEXT: DataType = DataType::Utf8View;
    match table {
        OBJECTS => &[("database", ID), ("class", ID), ("oid", ID), ("schema", ID), ("name", TEXT), ("body", TEXT)],
        COMMENTS => &[("database", ID), ("class", ID), ("oid", ID), ("sub", SUB), ("text", TEXT)],
        _ => &[
            ("database", ID),
            ("class", ID),
            ("oid", ID),
            ("sub", SUB),
            ("ref_class", ID),
            ("ref_oid", ID),
            ("ref_sub", SUB),
            ("kind", TEXT),
        ],
    }
}

/// One row, or the leading columns of one as a key.
fn row(table: TableId, values: Vec<ArrayRef>) -> Result<RecordBatch> {
    let fields: Vec<_> = columns_of(table)
        .iter()
        .zip(&values)
        .map(|((name, data_type), _)| Field::new(*name, data_type.clone(), true))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), values)
        .map_err(|error| Error::internal(format!("catalog row: {error}")))
}

fn id(value: Oid) -> ArrayRef {
    Arc::new(UInt32Array::from(vec![value]))
}

fn sub(value: i32) -> ArrayRef {
    Arc::new(Int32Array::from(vec![value]))
}

fn text(value: &str) -> ArrayRef {
    Arc::new(StringViewArray::from(vec![value]))
}

fn object_row(database: Oid, object: &Object) -> Result<RecordBatch> {
    let body = object.to_body()?;
    row(
        OBJECTS,
        vec![
            id(database),
            id(object.class()),
            id(object.oid()),
            id(object.schema()),
            text(&object.unique_name()),
            text(&body),
        ],
    )
}

/// Where the row with that key is in this transaction's view.
fn address(
    transaction: &Transaction,
    table: TableId,
    index: IndexId,
    key: Vec<ArrayRef>,
) -> Result<Option<UInt64Array>> {
    let key = row(table, key)?;
    let found = transaction.lookup(table, index, &key)?;
    Ok(found.first().copied().flatten().map(|address| UInt64Array::from(vec![address])))
}

pub(crate) fn insert_object(transaction: &mut Transaction, database: Oid, object: &Object) -> Result<()> {
    transaction.insert(OBJECTS, &object_row(database, object)?).map_err(|error| name_conflict(error, object))
}

pub(crate) fn update_object(transaction: &mut Transaction, database: Oid, object: &Object) -> Result<()> {
    let key = vec![id(database), id(object.class()), id(object.oid())];
    let address = address(transaction, OBJECTS, OBJECTS_KEY, key)?.ok_or_else(concurrent_update)?;
    let row = object_row(database, object)?;
    transaction.update(OBJECTS, &address, &row).map_err(|error| name_conflict(error, object))
}

pub(crate) fn delete_object(transaction: &mut Transaction, database: Oid, class: Oid, oid: Oid) -> Result<()> {
    let key = vec![id(database), id(class), id(oid)];
    let address = address(transaction, OBJECTS, OBJECTS_KEY, key)?.ok_or_else(concurrent_update)?;
    transaction.delete(OBJECTS, &address)?;
    Ok(())
}

pub(crate) fn write_comment(
    transaction: &mut Transaction,
    database: Oid,
    on: ObjectAddress,
    comment: Option<&str>,
) -> Result<()> {
    let key = vec![id(database), id(on.class), id(on.object), sub(on.sub)];
    let old = address(transaction, COMMENTS, COMMENTS_KEY, key.clone())?;
    let new = comment.map(|comment| row(COMMENTS, key.into_iter().chain([text(comment)]).collect())).transpose()?;
    match (old, new) {
        (Some(old), Some(new)) => transaction.update(COMMENTS, &old, &new)?,
        (None, Some(new)) => transaction.insert(COMMENTS, &new)?,
        (Some(old), None) => drop(transaction.delete(COMMENTS, &old)?),
        (None, None) => {}
    }
    Ok(())
}

fn edge_key(database: Oid, dependent: ObjectAddress, referenced: ObjectAddress) -> Vec<ArrayRef> {
    let mut key = vec![id(database)];
    for end in [dependent, referenced] {
        key.extend([id(end.class), id(end.object), sub(end.sub)]);
    }
    key
}

pub(crate) fn insert_dependency(transaction: &mut Transaction, database: Oid, edge: Dependency) -> Result<()> {
    let mut values = edge_key(database, edge.dependent, edge.referenced);
    values.push(text(edge.kind.code().encode_utf8(&mut [0; 4])));
    transaction.insert(DEPENDENCIES, &row(DEPENDENCIES, values)?)?;
    Ok(())
}

pub(crate) fn delete_dependency(
    transaction: &mut Transaction,
    database: Oid,
    dependent: ObjectAddress,
    referenced: ObjectAddress,
) -> Result<()> {
    let key = edge_key(database, dependent, referenced);
    if let Some(address) = address(transaction, DEPENDENCIES, DEPENDENCIES_KEY, key)? {
        transaction.delete(DEPENDENCIES, &address)?;
    }
    Ok(())
}

fn concurrent_update() -> Error {
    Error::new(sqlstate::T_R_SERIALIZATION_FAILURE, "could not serialize access due to concurrent update")
}

/// Another transaction took the name first: what PostgreSQL's unique indexes on its catalogs say.
fn name_conflict(error: aegis_storage::Error, object: &Object) -> Error {
    if !matches!(error, aegis_storage::Error::DuplicateKey { .. }) {
        return error.into();
    }
    let (constraint, key, value) = match object {
        Object::Database(_) => ("pg_database_datname_index", "datname", object.name().to_owned()),
        Object::Role(_) => ("pg_authid_rolname_index", "rolname", object.name().to_owned()),
        Object::Schema(_) => ("pg_namespace_nspname_index", "nspname", object.name().to_owned()),
        Object::Privileges(_) | Object::DefaultPrivileges(_) | Object::Descriptor(_) => return concurrent_update(),
        Object::Routine(routine) => (
            "pg_proc_proname_args_nsp_index",
            "proname, proargtypes, pronamespace",
            format!(
                "{}, {}, {}",
                routine.row.name,
                routine.row.arg_types.iter().map(u32::to_string).collect::<Vec<_>>().join(" "),
                routine.row.schema
            ),
        ),
        Object::Relation(relation) => {
            ("pg_class_relname_nsp_index", "relname, relnamespace", format!("{}, {}", relation.name, relation.schema))
        }
        Object::Type(ty) => {
            ("pg_type_typname_nsp_index", "typname, typnamespace", format!("{}, {}", ty.name, ty.schema))
        }
    };
    Error::new(sqlstate::UNIQUE_VIOLATION, format!("duplicate key value violates unique constraint \"{constraint}\""))
        .with_detail(format!("Key ({key})=({value}) already exists."))
        .with_constraint(constraint)
}

/// All rows of the three tables, as the loader takes them.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub objects: Vec<(Oid, Object)>,
    pub comments: Vec<(Oid, ObjectAddress, String)>,
    pub dependencies: Vec<(Oid, Dependency)>,
}

pub(crate) fn load(transaction: &Transaction) -> Result<Rows> {
    let mut rows = Rows::default();
    for batch in batches(transaction, OBJECTS)? {
        let (database, class, body) = (ids(&batch, 0)?, ids(&batch, 1)?, texts(&batch, 5)?);
        for row in 0..batch.num_rows() {
            rows.objects.push((database.value(row), Object::from_body(class.value(row), body.value(row))?));
        }
    }
    for batch in batches(transaction, COMMENTS)? {
        let (database, text) = (ids(&batch, 0)?, texts(&batch, 4)?);
        let addresses = Addresses::of(&batch, 1)?;
        for row in 0..batch.num_rows() {
            rows.comments.push((database.value(row), addresses.value(row), text.value(row).to_owned()));
        }
    }
    for batch in batches(transaction, DEPENDENCIES)? {
        let (database, kind) = (ids(&batch, 0)?, texts(&batch, 7)?);
        let (dependent, referenced) = (Addresses::of(&batch, 1)?, Addresses::of(&batch, 4)?);
        for row in 0..batch.num_rows() {
            let kind = DependencyKind::from_code(kind.value(row))
                .ok_or_else(|| Error::internal(format!("unknown kind of dependency {:?}", kind.value(row))))?;
            let (dependent, referenced) = (dependent.value(row), referenced.value(row));
            rows.dependencies.push((database.value(row), Dependency { dependent, referenced, kind }));
        }
    }
    Ok(rows)
}

/// The live rows of a table, all columns.
fn batches(transaction: &Transaction, table: TableId) -> Result<Vec<RecordBatch>> {
    let columns: Vec<usize> = (0..columns_of(table).len()).collect();
    let scan = transaction.scan(table)?;
    let mut addresses = Vec::new();
    for chunk in &scan.chunks {
        let visible = |row: usize| chunk.visible.as_ref().is_none_or(|visible| visible.value(row));
        let live = (0..chunk.batch.num_rows()).filter(|&row| visible(row));
        addresses.extend(live.map(|row| chunk.first_address + row as u64));
    }
    for segment in &scan.segments {
        let deleted = |row: u64| {
            let row = u32::try_from(row).unwrap_or(u32::MAX);
            segment.deleted.as_ref().is_some_and(|deleted| deleted.contains(row))
        };
        addresses.extend((0..segment.rows).filter(|&row| !deleted(row)).map(|row| segment.first_address + row));
    }
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![transaction.fetch(table, &addresses, &columns)?])
}

struct Addresses {
    class: UInt32Array,
    object: UInt32Array,
    sub: Int32Array,
}

impl Addresses {
    fn of(batch: &RecordBatch, first: usize) -> Result<Self> {
        let sub = batch.column(first + 2).as_primitive_opt::<Int32Type>().ok_or_else(damaged)?.clone();
        Ok(Self { class: ids(batch, first)?, object: ids(batch, first + 1)?, sub })
    }

    fn value(&self, row: usize) -> ObjectAddress {
        ObjectAddress { class: self.class.value(row), object: self.object.value(row), sub: self.sub.value(row) }
    }
}

fn ids(batch: &RecordBatch, column: usize) -> Result<UInt32Array> {
    batch.column(column).as_primitive_opt::<UInt32Type>().cloned().ok_or_else(damaged)
}

fn texts(batch: &RecordBatch, column: usize) -> Result<StringViewArray> {
    batch.column(column).as_string_view_opt().cloned().ok_or_else(damaged)
}

fn damaged() -> Error {
    Error::new(sqlstate::DATA_CORRUPTED, "a system table of the catalog has columns of another type")
}
