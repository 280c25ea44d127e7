//! Foreign keys: rows that refer must find their row; rows that are referred to take those that refer along, or stay.

use std::sync::Arc;

use aegis_catalog::object::{Constraint, ConstraintKind, ReferentialAction, Relation};
use aegis_catalog::{Error, Result, sqlstate};
use aegis_storage::lock::{Object, RowClaim, TableMode, Want};
use aegis_storage::transaction::{RowAddress, RowId, Transaction};
use aegis_storage::{Isolation, TableId};
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, UInt64Array, new_null_array};
use arrow::compute::{concat_batches, filter_record_batch, take};
use arrow::row::{RowConverter, Rows, SortField};
use std::collections::{HashMap, HashSet};
use std::pin::Pin;

use super::change::{delete_rows, storage_of, update_rows};
use super::error::from_arrow;
use super::key::keys;
use super::row_rules::key_text;
use super::statement::Execution;

/// Does the table refer to others?
pub fn references(table: &Relation) -> bool {
    table.constraints().iter().any(|constraint| matches!(constraint.kind, ConstraintKind::ForeignKey { .. }))
}

/// 23503 unless every new row finds what it refers to. `changed` limits the check to keys with a changed column.
pub async fn check_references(
    table: &Arc<Relation>,
    batches: &[RecordBatch],
    changed: Option<&[i16]>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    for constraint in table.constraints() {
        let ConstraintKind::ForeignKey {
            columns, referenced, referenced_columns, referenced_index, match_full, ..
        } = &constraint.kind
        else {
            continue;
        };
        if changed.is_some_and(|changed| !columns.iter().any(|column| changed.contains(column))) {
            continue;
        }
        let catalog = execution.context.catalog.clone();
        let target = catalog.relation(*referenced).ok_or_else(|| Error::internal("a foreign key to nothing"))?;
        for batch in batches {
            let key = batch.project(&places(table, columns)).map_err(from_arrow)?;
            let nulls = |row: usize| key.columns().iter().filter(|column| column.is_null(row)).count();
            let complete: BooleanArray = (0..key.num_rows()).map(|row| Some(nulls(row) == 0)).collect();
            let mixed = (0..key.num_rows()).find(|row| nulls(*row) > 0 && nulls(*row) < columns.len());
            if let (true, Some(_)) = (match_full, mixed) {
                let detail = "MATCH FULL does not allow mixing of null and nonnull key values.";
                return Err(violation(table, constraint, true).with_detail(detail));
            }
            let key = filter_record_batch(&key, &complete).map_err(from_arrow)?;
            if key.num_rows() == 0 {
                continue;
            }
            let ordered = index_order(target, *referenced_index, referenced_columns, &key, execution)?;
            let found = lock_referenced(target, *referenced_index, &ordered, execution).await?;
            if let Some(row) = found.iter().position(|found| !found) {
                let text = key_text(table, columns, &key, row, &execution.context.format)?;
                let detail = format!("Key {text} is not present in table \"{}\".", target.name);
                return Err(violation(table, constraint, true).with_detail(detail));
            }
        }
    }
    Ok(())
}

/// Which keys have a row in the table that is referred to; nobody takes these keys away before this transaction ends. Looks
/// at what is committed by now, as PostgreSQL's triggers do at READ COMMITTED.
async fn lock_referenced(
    target: &Relation,
    index: u32,
    keys: &RecordBatch,
    execution: &mut Execution<'_>,
) -> Result<Vec<bool>> {
    let storage = storage_of(target)?;
    let seen = execution.transaction.lookup(storage, index, keys).map_err(Error::from)?;
    if execution.is_temporary(target) {
        return Ok(seen.iter().map(Option::is_some).collect());
    }
    let hashes = execution.transaction.permanent_ref().key_hashes(storage, index, keys).map_err(Error::from)?;
    let hashes: HashSet<u64> = hashes.into_iter().flatten().collect();
    let fixed = execution.transaction.isolation() == Isolation::RepeatableRead;
    loop {
        let (found, rows) = at_latest(storage, index, keys, execution)?;
        if fixed && seen.iter().zip(&found).any(|(seen, found)| seen.is_some() && !found) {
            let gone = seen.iter().flatten().copied();
            return Err(execution.overtaken(target, &UInt64Array::from_iter_values(gone)));
        }
        // Who locks a row waits for those who have locked its key; so the row first. A key that is ours is there to stay.
        let ours = hashes.iter().all(|hash| execution.locks().has(&reference(storage, index, *hash, false)));
        while let (false, Some(waiting)) = (ours, execution.locks().rows(storage, &rows, RowClaim::KEY_SHARE)?) {
            execution.wait(waiting).await?;
        }
        for hash in &hashes {
            if let Some(waiting) = execution.locks().request(reference(storage, index, *hash, false))? {
                execution.wait(waiting).await?;
            }
        }
        let (now, _) = at_latest(storage, index, keys, execution)?;
        if now == found {
            // What was committed after the snapshot does not count where the snapshot stays.
            return Ok(found.iter().zip(&seen).map(|(found, seen)| *found && (!fixed || seen.is_some())).collect());
        }
    }
}

/// The lock on a key that is referred to.
fn reference(table: TableId, index: u32, hash: u64, exclusive: bool) -> Want {
    let mode = if exclusive { TableMode::AccessExclusive } else { TableMode::AccessShare };
    Want::Object(Object::Reference { table, index, hash }, mode)
}

/// Which keys have a row by now, and these rows.
fn at_latest(
    table: TableId,
    index: u32,
    keys: &RecordBatch,
    execution: &Execution<'_>,
) -> Result<(Vec<bool>, Vec<RowId>)> {
    let own = execution.transaction.permanent_ref();
    let latest = own.at_latest();
    let view = latest.as_ref().unwrap_or(own);
    let found = view.lookup(table, index, keys)?;
    let addresses = UInt64Array::from_iter_values(found.iter().flatten().copied());
    let rows = view.row_ids(table, &addresses)?.unwrap_or_default();
    Ok((found.iter().map(Option::is_some).collect(), rows))
}

/// Key columns in the order of the index, in its columns' representation.
fn index_order(
    target: &Relation,
    index: u32,
    referenced_columns: &[i16],
    key: &RecordBatch,
    execution: &Execution<'_>,
) -> Result<RecordBatch> {
    let schema = execution.transaction.table_schema(storage_of(target)?).map_err(Error::from)?;
    let index = schema.index(index).ok_or_else(|| Error::internal("a foreign key without its index"))?;
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for id in &index.columns {
        let place = referenced_columns.iter().position(|attnum| i64::from(*attnum) == i64::from(*id));
        let column = place.and_then(|place| key.columns().get(place));
        let column = column.ok_or_else(|| Error::internal("a foreign key does not match its index"))?;
        let stored = schema.columns.iter().find(|column| column.id == *id);
        let data_type = stored.map_or(column.data_type(), |column| &column.data_type);
        let column = match column.data_type() == data_type {
            true => column.clone(),
            false => arrow::compute::cast(column, data_type).map_err(from_arrow)?,
        };
        fields.push(arrow::datatypes::Field::new(format!("c{id}"), data_type.clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), columns).map_err(from_arrow)
}

fn places(table: &Relation, columns: &[i16]) -> Vec<usize> {
    columns.iter().filter_map(|attnum| table.live_columns().position(|column| column.attnum == *attnum)).collect()
}

fn violation(table: &Relation, constraint: &Constraint, referring: bool) -> Error {
    let (table, name) = (&table.name, &constraint.name);
    let message = match referring {
        true => format!("insert or update on table \"{table}\" violates foreign key constraint \"{name}\""),
        false => format!("update or delete on table \"{table}\" violates foreign key constraint \"{name}\""),
    };
    let mut error = Error::new(sqlstate::FOREIGN_KEY_VIOLATION, message).with_constraint(name.clone());
    error.fields_mut().table = Some(table.clone());
    error
}

/// The rows that are about to change, for each foreign key that refers to them.
pub struct OldKeys {
    keys: Vec<OldKey>,
}

struct OldKey {
    referring: Arc<Relation>,
    constraint: Constraint,
    /// Referenced columns of the rows as they were.
    rows: RecordBatch,
}

/// Remembers the keys of rows before they change. `changed` limits it to foreign keys over a changed column.
pub async fn old_keys(
    table: &Arc<Relation>,
    addresses: &UInt64Array,
    changed: Option<&[i16]>,
    execution: &Execution<'_>,
) -> Result<OldKeys> {
    let mut old = Vec::new();
    let catalog = &execution.context.catalog;
    for (referring, constraint) in catalog.referencing(table.oid) {
        let ConstraintKind::ForeignKey { referenced_columns, referenced_index, .. } = &constraint.kind else {
            continue;
        };
        if changed.is_some_and(|changed| !referenced_columns.iter().any(|column| changed.contains(column))) {
            continue;
        }
        let storage = storage_of(table)?;
        let schema = execution.transaction.table_schema(storage).map_err(Error::from)?;
        let columns: Vec<usize> = referenced_columns
            .iter()
            .filter_map(|attnum| schema.position(u32::try_from(*attnum).unwrap_or(0)))
            .collect();
        let addresses: Vec<RowAddress> = addresses.iter().flatten().collect();
        let rows = execution.transaction.fetch(storage, &addresses, &columns).map_err(Error::from)?;
        if !execution.is_temporary(table) {
            let ordered = index_order(table, *referenced_index, referenced_columns, &rows, execution)?;
            let hashes = execution.transaction.permanent_ref().key_hashes(storage, *referenced_index, &ordered)?;
            for hash in hashes.into_iter().flatten() {
                if let Some(waiting) = execution.locks().request(reference(storage, *referenced_index, hash, true))? {
                    execution.wait(waiting).await?;
                }
            }
        }
        old.push(OldKey { referring: referring.clone(), constraint: constraint.clone(), rows });
    }
    Ok(OldKeys { keys: old })
}

type Boxed<'f> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'f>>;

/// Does what each foreign key demands after rows of `table` changed (`new_rows`) or went.
pub fn referenced_changed<'f>(
    table: &'f Arc<Relation>,
    old: OldKeys,
    new_rows: Option<&'f RecordBatch>,
    execution: &'f mut Execution<'_>,
) -> Boxed<'f> {
    Box::pin(async move {
        if !old.keys.is_empty() && execution.transaction.isolation() == Isolation::ReadCommitted {
            // Who refers to the rows may have committed since the statement began.
            execution.transaction.refresh()?;
        }
        for key in old.keys {
            let gone = gone(table, &key, execution)?;
            if gone.contains(&true) {
                follow(table, &key, &gone, new_rows, execution).await?;
                refuse_unseen(&key, &gone, execution)?;
            }
        }
        Ok(())
    })
}

/// Rows that refer to keys that are gone, and for each the old row it refers to.
struct Orphans {
    addresses: Vec<RowAddress>,
    rows: RecordBatch,
    old: Vec<u32>,
}

/// Which of the old keys no row has any more.
fn gone(table: &Relation, key: &OldKey, execution: &Execution<'_>) -> Result<Vec<bool>> {
    let ConstraintKind::ForeignKey { referenced_columns, referenced_index, .. } = &key.constraint.kind else {
        return Ok(Vec::new());
    };
    let ordered = index_order(table, *referenced_index, referenced_columns, &key.rows, execution)?;
    let still = execution.transaction.lookup(storage_of(table)?, *referenced_index, &ordered).map_err(Error::from)?;
    let complete = |row: usize| !key.rows.columns().iter().any(|column| column.is_null(row));
    Ok(still.iter().enumerate().map(|(row, found)| found.is_none() && complete(row)).collect())
}

/// REPEATABLE READ: rows that refer to a key that is gone, but which the snapshot does not show, cannot be taken along. 40001.
fn refuse_unseen(key: &OldKey, gone: &[bool], execution: &mut Execution<'_>) -> Result<()> {
    let fixed = execution.transaction.isolation() == Isolation::RepeatableRead;
    let ConstraintKind::ForeignKey { columns, .. } = &key.constraint.kind else { return Ok(()) };
    let Some(latest) = execution.transaction.of(&key.referring).at_latest().filter(|_| fixed) else { return Ok(()) };
    match orphans(&key.referring, columns, &key.rows, gone, &latest)? {
        Some(_) => Err(execution.overtaken(&key.referring, &UInt64Array::from(Vec::<u64>::new()))),
        None => Ok(()),
    }
}

async fn follow(
    table: &Arc<Relation>,
    key: &OldKey,
    gone: &[bool],
    new_rows: Option<&RecordBatch>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let ConstraintKind::ForeignKey { columns, referenced_columns, on_update, on_delete, .. } = &key.constraint.kind
    else {
        return Ok(());
    };
    let found = orphans(&key.referring, columns, &key.rows, gone, execution.transaction.of(&key.referring))?;
    let Some(orphans) = found else { return Ok(()) };
    let action = if new_rows.is_some() { *on_update } else { *on_delete };
    let addresses = UInt64Array::from(orphans.addresses.clone());
    match (action, new_rows) {
        (ReferentialAction::NoAction | ReferentialAction::Restrict, _) => {
            let row = orphans.old.first().copied().unwrap_or(0) as usize;
            let text = key_text(table, referenced_columns, &key.rows, row, &execution.context.format)?;
            let detail = format!("Key {text} is still referenced from table \"{}\".", key.referring.name);
            let (table, name, referring) = (&table.name, &key.constraint.name, &key.referring.name);
            let message = format!(
                "update or delete on table \"{table}\" violates foreign key constraint \"{name}\" on table \"{referring}\""
            );
            let mut error = violation(&key.referring, &key.constraint, false).with_detail(detail);
            error.fields_mut().message = message;
            Err(error)
        }
        (ReferentialAction::Cascade, None) => delete_rows(&key.referring, &addresses, execution).await.map(|_| ()),
        (ReferentialAction::Cascade, Some(new_rows)) => {
            let values = new_rows.project(&places(table, referenced_columns)).map_err(from_arrow)?;
            let chosen = UInt32Array::from(orphans.old.clone());
            let values = values.columns().iter().map(|column| take(column, &chosen, None).map_err(from_arrow));
            let values = values.collect::<Result<Vec<_>>>()?;
            replace(&key.referring, columns, values, orphans.rows, &addresses, execution).await
        }
        (ReferentialAction::SetNull, _) => {
            let rows = orphans.rows.num_rows();
            let nulls = places(&key.referring, columns)
                .iter()
                .filter_map(|place| orphans.rows.columns().get(*place))
                .map(|column| new_null_array(column.data_type(), rows))
                .collect();
            replace(&key.referring, columns, nulls, orphans.rows, &addresses, execution).await
        }
        (ReferentialAction::SetDefault, _) => Err(Error::unsupported("the referential action SET DEFAULT")),
    }
}

/// Updates rows with new values of the referring columns.
async fn replace(
    table: &Arc<Relation>,
    columns: &[i16],
    values: Vec<ArrayRef>,
    rows: RecordBatch,
    addresses: &UInt64Array,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let mut arrays = rows.columns().to_vec();
    for (place, value) in places(table, columns).into_iter().zip(values) {
        if let Some(slot) = arrays.get_mut(place) {
            *slot = match slot.data_type() == value.data_type() {
                true => value,
                false => arrow::compute::cast(&value, slot.data_type()).map_err(from_arrow)?,
            };
        }
    }
    let rows = RecordBatch::try_new(rows.schema(), arrays).map_err(from_arrow)?;
    super::row_rules::check_rows(table, &rows, &[], &[], &execution.context)?;
    update_rows(table, addresses, &rows, Some(columns), execution).await
}

/// The rows of `referring` whose key is one of the keys that are gone.
fn orphans(
    referring: &Arc<Relation>,
    columns: &[i16],
    old: &RecordBatch,
    gone: &[bool],
    view: &Transaction,
) -> Result<Option<Orphans>> {
    let storage = storage_of(referring)?;
    let scan = view.scan(storage).map_err(Error::from)?;
    let schema = &scan.table_schema;
    let places = |attnums: &mut dyn Iterator<Item = i16>| -> Vec<usize> {
        attnums.filter_map(|attnum| schema.position(u32::try_from(attnum).unwrap_or(0))).collect()
    };
    let key_places = places(&mut columns.iter().copied());
    let live_places = places(&mut referring.live_columns().map(|column| column.attnum));
    let old_types = columns.iter().map(|attnum| referring.column(*attnum).map(|column| column.ty));
    let old_types: Vec<_> = old_types.collect();
    let key_arrays = |arrays: &[ArrayRef]| -> Result<Vec<ArrayRef>> {
        arrays
            .iter()
            .zip(&old_types)
            .map(|(array, ty)| match ty {
                Some(ty) => keys(*ty, array),
                None => Ok(array.clone()),
            })
            .collect()
    };
    let mut wanted: HashMap<Vec<u8>, u32> = HashMap::new();
    let mut converter: Option<RowConverter> = None;
    let mut addresses = Vec::new();
    let mut sources = Vec::new();
    for batch in scan.read(Some(&key_places), true).map_err(Error::from)? {
        let (keys_here, address) = batch.columns().split_at(key_places.len());
        let keys_here = key_arrays(keys_here)?;
        let converter = match &mut converter {
            Some(converter) => converter,
            None => {
                let fields = keys_here.iter().map(|array| SortField::new(array.data_type().clone())).collect();
                let mut made = RowConverter::new(fields).map_err(from_arrow)?;
                wanted = gone_keys(&mut made, &keys_here, &key_arrays(old.columns())?, gone)?;
                converter.insert(made)
            }
        };
        let rows = converter.convert_columns(&keys_here).map_err(from_arrow)?;
        let address = address.first().and_then(|column| column.as_any().downcast_ref::<UInt64Array>());
        let Some(address) = address else { return Err(Error::internal("a scan without addresses")) };
        for row in 0..batch.num_rows() {
            if keys_here.iter().any(|array| array.is_null(row)) {
                continue;
            }
            if let Some(source) = wanted.get(rows.row(row).data()) {
                addresses.push(address.value(row));
                sources.push(*source);
            }
        }
    }
    if addresses.is_empty() {
        return Ok(None);
    }
    let rows = view.fetch(storage, &addresses, &live_places).map_err(Error::from)?;
    let rows = concat_batches(&rows.schema(), [&rows]).map_err(from_arrow)?;
    Ok(Some(Orphans { addresses, rows, old: sources }))
}

/// The keys that are gone, as the row format has them, and the row each stood in.
fn gone_keys(
    converter: &mut RowConverter,
    like: &[ArrayRef],
    old: &[ArrayRef],
    gone: &[bool],
) -> Result<HashMap<Vec<u8>, u32>> {
    let arrays = old
        .iter()
        .zip(like)
        .map(|(array, like)| match array.data_type() == like.data_type() {
            true => Ok(array.clone()),
            false => arrow::compute::cast(array, like.data_type()).map_err(from_arrow),
        })
        .collect::<Result<Vec<_>>>()?;
    let rows: Rows = converter.convert_columns(&arrays).map_err(from_arrow)?;
    let lost = gone.iter().enumerate().filter(|(_, gone)| **gone);
    Ok(lost.map(|(row, _)| (rows.row(row).data().to_vec(), row as u32)).collect())
}
