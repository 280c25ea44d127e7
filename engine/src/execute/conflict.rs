//! INSERT … ON CONFLICT.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::IndexSchema;
use aegis_storage::lock::RowClaim;
use aegis_storage::transaction::RowAddress;
use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::row::{RowConverter, SortField};
use datafusion::datasource::{MemTable, provider_as_source};

use super::change::{ChangeRows, ChangedRows, explain, insert_rows, key_columns, storage_of, update_rows};
use super::error::{from_arrow, from_datafusion};
use super::key::keys;
use super::statement::{ChangeResult, Execution};
use super::{foreign_key, index_key, row_rules, spread};
use crate::bind::tree::{ConflictUpdate, Insert};
use crate::lower::{LowerContext, lower_conflict_update};

/// What becomes of a row proposed for insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Insert,
    /// It conflicts with a row of the table.
    Existing(RowAddress),
    /// It conflicts with a row proposed before it.
    Earlier,
}

pub async fn insert(insert: &Insert, changes: Vec<ChangedRows>, execution: &mut Execution<'_>) -> Result<ChangeResult> {
    let Some(first) = changes.first() else { return Ok(ChangeResult::default()) };
    let rows = concat(&first.rows, changes.iter().map(|change| &change.rows))?;
    let returning = concat(&first.returning, changes.iter().map(|change| &change.returning))?;
    let targets: Vec<UInt32Array> = changes.iter().filter_map(|change| change.targets.clone()).collect();
    if targets.is_empty() {
        return insert_into(insert, &insert.table, rows, returning, execution).await;
    }
    let targets: Vec<&dyn Array> = targets.iter().map(|part| part as &dyn Array).collect();
    let targets = arrow::compute::concat(&targets).map_err(from_arrow)?;
    let targets = targets.as_any().downcast_ref::<UInt32Array>().ok_or_else(|| Error::internal("no partitions"))?;
    spread::check_targets(&insert.table, &rows, targets, execution)?;
    let mut result = ChangeResult::default();
    for share in spread::shares(targets, execution)? {
        let rows = spread::take_rows(&rows, &share.places)?;
        let rows = spread::arranged(&rows, &insert.table, &share.table)?;
        let rows = row_rules::derive(&share.table, rows, &execution.context)?;
        let returning = spread::take_rows(&returning, &share.places)?;
        let part = insert_into(insert, &share.table, rows, returning, execution).await?;
        result.count += part.count;
        result.returning.extend(part.returning);
    }
    Ok(result)
}

/// Rows (as columns of `table`) into the statement's table, or into one of its partitions.
async fn insert_into(
    insert: &Insert,
    table: &Arc<Relation>,
    rows: RecordBatch,
    returning: RecordBatch,
    execution: &mut Execution<'_>,
) -> Result<ChangeResult> {
    let mut result = ChangeResult::default();
    let Some(on_conflict) = &insert.on_conflict else { return Err(Error::internal("no ON CONFLICT")) };
    let indexes = arbiters(table, &on_conflict.arbiters, execution)?;
    let fates = fates(table, &indexes, &rows, execution)?;
    settle(table, &indexes, &rows, &fates, on_conflict.update.is_none(), execution).await?;
    let inserted: BooleanArray = fates.iter().map(|fate| Some(*fate == Fate::Insert)).collect();
    let new_rows = filter_record_batch(&rows, &inserted).map_err(from_arrow)?;
    let mut places: Vec<usize> =
        fates.iter().enumerate().filter(|(_, fate)| **fate == Fate::Insert).map(|(place, _)| place).collect();
    if let Some(update) = &on_conflict.update {
        if fates.contains(&Fate::Earlier) {
            return Err(second_time());
        }
        let mut targets = HashSet::new();
        let mut addresses = Vec::new();
        let mut proposed = Vec::new();
        for (row, fate) in fates.iter().enumerate() {
            if let Fate::Existing(address) = fate {
                if !targets.insert(*address) {
                    return Err(second_time());
                }
                addresses.push(*address);
                proposed.push(row as u32);
            }
        }
        let excluded = take_record_batch(&rows, &UInt32Array::from(proposed)).map_err(from_arrow)?;
        // The rows to update are planned before anything changes.
        let updates = plan_updates(insert, table, update, &addresses, excluded, execution).await?;
        apply_inserts(table, &new_rows, execution).await?;
        let changed: Vec<i16> = update.set.iter().map(|(attnum, _)| *attnum).collect();
        let changed = spread::attnums(&changed, &insert.table, table);
        for update in updates {
            let Some(addresses) = &update.addresses else { continue };
            result.count += addresses.len() as u64;
            refuse_moves(table, &update)?;
            let mut rows = spread::arranged(&update.rows, &insert.table, table)?;
            if update.targets.is_some() {
                rows = row_rules::derive(table, rows, &execution.context)?;
            }
            update_rows(table, addresses, &rows, Some(&changed), execution).await?;
            for address in addresses.iter().flatten() {
                places.extend(fates.iter().position(|fate| *fate == Fate::Existing(address)));
            }
            result.returning.push(update.returning);
        }
    } else {
        apply_inserts(table, &new_rows, execution).await?;
    }
    result.count += new_rows.num_rows() as u64;
    result.returning.insert(0, filter_record_batch(&returning, &inserted).map_err(from_arrow)?);
    if insert.returning.is_none() {
        result.returning.clear();
        return Ok(result);
    }
    // Rows are returned in the order in which they were proposed.
    let mut order: Vec<u32> = (0..places.len() as u32).collect();
    order.sort_by_key(|position| places.get(*position as usize));
    let returned = concat(&returning, result.returning.iter())?;
    let returned = take_record_batch(&returned, &UInt32Array::from(order)).map_err(from_arrow)?;
    result.returning = vec![returned];
    Ok(result)
}

/// Makes sure that what was found in the snapshot still holds: nobody else inserts the new keys, and the rows that have the
/// others stay (DO NOTHING; DO UPDATE locks them).
async fn settle(
    table: &Arc<Relation>,
    indexes: &[u32],
    rows: &RecordBatch,
    fates: &[Fate],
    nothing: bool,
    execution: &mut Execution<'_>,
) -> Result<()> {
    if execution.is_temporary(table) {
        return Ok(());
    }
    let storage = storage_of(table)?;
    let inserted: BooleanArray = fates.iter().map(|fate| Some(*fate == Fate::Insert)).collect();
    let new_rows = filter_record_batch(rows, &inserted).map_err(from_arrow)?;
    if new_rows.num_rows() > 0 {
        let stored = super::change::to_storage_order(table, &new_rows, execution)?;
        let prepared = execution.transaction.prepare_insert(storage, &stored);
        let prepared = prepared.map_err(|error| explain(error, table, &new_rows, execution))?;
        let keys: Vec<_> = prepared.key_hashes().filter(|(index, _)| indexes.contains(index)).collect();
        execution.lock_keys(storage, &keys).await?;
        let latest = execution.transaction.permanent_ref().at_latest();
        let appeared = match &latest {
            Some(latest) => latest.taken(&prepared, Some(indexes)).map_err(Error::from)?,
            None => None,
        };
        if appeared.is_some() {
            return Err(execution.overtaken(table, &UInt64Array::from(Vec::<u64>::new())));
        }
    }
    let existing = fates.iter().filter_map(|fate| match fate {
        Fate::Existing(address) => Some(*address),
        _ => None,
    });
    if nothing {
        for address in existing {
            let waited = execution.wait_for_change(table, address).await?;
            let address = UInt64Array::from(vec![address]);
            if waited && execution.transaction.permanent_ref().is_outdated(storage, &address) {
                return Err(execution.overtaken(table, &address));
            }
        }
    }
    Ok(())
}

async fn apply_inserts(table: &Arc<Relation>, rows: &RecordBatch, execution: &mut Execution<'_>) -> Result<()> {
    if rows.num_rows() > 0 {
        insert_rows(table, rows, execution).await?;
        foreign_key::check_later(table, rows, None, execution)?;
    }
    Ok(())
}

/// 0A000: a row stays in its partition.
fn refuse_moves(table: &Relation, update: &ChangedRows) -> Result<()> {
    let leaves = |targets: &UInt32Array| targets.iter().any(|target| target != Some(table.oid));
    if !update.targets.as_ref().is_some_and(leaves) {
        return Ok(());
    }
    Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "invalid ON UPDATE specification")
        .with_detail("The result tuple would appear in a different partition than the original tuple."))
}

fn second_time() -> Error {
    let message = "ON CONFLICT DO UPDATE command cannot affect row a second time";
    let hint = "Ensure that no rows proposed for insertion within the same command have duplicate constrained values.";
    Error::new(sqlstate::CARDINALITY_VIOLATION, message).with_hint(hint)
}

fn concat<'b>(first: &RecordBatch, batches: impl Iterator<Item = &'b RecordBatch>) -> Result<RecordBatch> {
    concat_batches(&first.schema(), batches).map_err(from_arrow)
}

/// The unique indexes that decide: those named, or all of the table.
fn arbiters(table: &Relation, named: &[Oid], execution: &Execution<'_>) -> Result<Vec<u32>> {
    let schema = execution.transaction.table_schema(storage_of(table)?).map_err(Error::from)?;
    let catalog = &execution.context.catalog;
    // An index of a partitioned table stands for those of its partitions.
    let is_named = |id: Oid| {
        let above = catalog.relation(id).map(|index| catalog.partition_ancestors(index)).unwrap_or_default();
        named.contains(&id) || above.iter().any(|above| named.contains(&above.oid))
    };
    let unique = schema.unique_indexes().filter(|index| named.is_empty() || is_named(index.id));
    let unique: Vec<&IndexSchema> = unique.collect();
    if let Some(index) = unique.iter().find(|index| index.deferrable) {
        let message = "ON CONFLICT does not support deferrable unique constraints/exclusion constraints as arbiters";
        let error = Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
        return Err(error.with_constraint(index.name.clone()));
    }
    Ok(unique.iter().map(|index| index.id).collect())
}

/// For each row whether it can be inserted, looking at the table and at the rows before it.
fn fates(table: &Arc<Relation>, indexes: &[u32], rows: &RecordBatch, execution: &Execution<'_>) -> Result<Vec<Fate>> {
    let mut fates = vec![Fate::Insert; rows.num_rows()];
    let mut proposed: Vec<(Vec<Option<Vec<u8>>>, HashMap<Vec<u8>, usize>)> = Vec::new();
    for index in indexes {
        let mut columns = key_columns(table, *index, execution);
        let schema = execution.transaction.table_schema(storage_of(table)?).map_err(Error::from)?;
        let key_batch = match index_key::key_of(table, &schema, *index, rows, &execution.context)? {
            Some(key) => {
                // No column's type says how to compare it.
                columns = vec![0];
                key
            }
            None => {
                let places: Vec<usize> = columns
                    .iter()
                    .filter_map(|attnum| table.live_columns().position(|column| column.attnum == *attnum))
                    .collect();
                rows.project(&places).map_err(from_arrow)?
            }
        };
        let nulls_not_distinct = schema.index(*index).is_some_and(|index| index.nulls_not_distinct);
        let found = execution.transaction.lookup(storage_of(table)?, *index, &key_batch).map_err(Error::from)?;
        for (fate, address) in fates.iter_mut().zip(found) {
            if let (Fate::Insert, Some(address)) = (*fate, address) {
                *fate = Fate::Existing(address);
            }
        }
        proposed.push((key_bytes(table, &columns, &key_batch, nulls_not_distinct)?, HashMap::new()));
    }
    for (row, fate) in fates.iter_mut().enumerate() {
        if *fate != Fate::Insert {
            continue;
        }
        let mut earlier = false;
        for (keys, seen) in &proposed {
            earlier |= keys.get(row).and_then(Option::as_ref).is_some_and(|key| seen.contains_key(key));
        }
        if earlier {
            *fate = Fate::Earlier;
            continue;
        }
        for (keys, seen) in &mut proposed {
            if let Some(Some(key)) = keys.get(row) {
                seen.insert(key.clone(), row);
            }
        }
    }
    Ok(fates)
}

/// The keys as bytes that are equal if the keys are; None for a key with a null, which conflicts with nothing unless nulls are not distinct.
fn key_bytes(
    table: &Relation,
    columns: &[i16],
    batch: &RecordBatch,
    nulls_not_distinct: bool,
) -> Result<Vec<Option<Vec<u8>>>> {
    let arrays = columns
        .iter()
        .zip(batch.columns())
        .map(|(attnum, array)| match table.column(*attnum) {
            Some(column) => keys(column.ty, array),
            None => Ok(array.clone()),
        })
        .collect::<Result<Vec<ArrayRef>>>()?;
    let fields = arrays.iter().map(|array| SortField::new(array.data_type().clone())).collect();
    let converter = RowConverter::new(fields).map_err(from_arrow)?;
    let rows = converter.convert_columns(&arrays).map_err(from_arrow)?;
    Ok((0..batch.num_rows())
        .map(|row| {
            let null = !nulls_not_distinct && arrays.iter().any(|array| array.is_null(row));
            (!null).then(|| rows.row(row).data().to_vec())
        })
        .collect())
}

/// Runs DO UPDATE's expressions over the pairs of existing and proposed rows.
async fn plan_updates(
    insert: &Insert,
    holder: &Arc<Relation>,
    update: &ConflictUpdate,
    addresses: &[RowAddress],
    excluded: RecordBatch,
    execution: &mut Execution<'_>,
) -> Result<Vec<ChangedRows>> {
    if addresses.is_empty() {
        return Ok(Vec::new());
    }
    let storage = storage_of(holder)?;
    let schema = execution.transaction.table_schema(storage).map_err(Error::from)?;
    let places = holder
        .live_columns()
        .map(|column| {
            let position = schema.position(u32::try_from(column.attnum).unwrap_or(0));
            position.ok_or_else(|| Error::internal("the store lacks a column"))
        })
        .collect::<Result<Vec<_>>>()?;
    let locked = UInt64Array::from(addresses.to_vec());
    execution.lock_rows(holder, &locked, RowClaim::NO_KEY_UPDATE).await?;
    let existing = execution.transaction.fetch(storage, addresses, &places).map_err(Error::from)?;
    let existing = spread::arranged(&existing, holder, &insert.table)?;
    let excluded = spread::arranged(&excluded, holder, &insert.table)?;
    let address: ArrayRef = Arc::new(UInt64Array::from(addresses.to_vec()));
    let columns: Vec<ArrayRef> = std::iter::once(address)
        .chain(existing.columns().iter().cloned())
        .chain(excluded.columns().iter().cloned())
        .collect();
    let fields: Vec<Field> = columns
        .iter()
        .enumerate()
        .map(|(index, column): (usize, &ArrayRef)| {
            let data_type: DataType = column.data_type().clone();
            Field::new(format!("column_{index}"), data_type, true)
        })
        .collect();
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), columns).map_err(from_arrow)?;
    let table = MemTable::try_new(schema, vec![vec![batch]]).map_err(from_datafusion)?;
    let source = provider_as_source(Arc::new(table));
    let lowered = {
        let tables = execution.tables();
        let mut context = LowerContext::new(execution.context.clone(), &tables);
        context.outer_ctes.clone_from(&execution.surroundings.ctes);
        context.changes.clone_from(&execution.surroundings.changes);
        lower_conflict_update(insert, update, source, execution.parameters, &context)?
    };
    ChangeRows::start(lowered, execution)?.collect(&insert.table, execution).await
}
