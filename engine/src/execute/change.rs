//! INSERT, UPDATE and DELETE: runs the plan that computes the change, checks the rows, then changes the store.

use std::collections::HashSet;

use aegis_catalog::object::{ConstraintKind, Relation};
use aegis_catalog::{Error, Result, sqlstate};
use aegis_storage::IndexSchema;
use aegis_storage::lock::RowClaim;
use aegis_storage::transaction::RowAddress;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Field, Schema, SchemaRef, UInt32Type, UInt64Type};
use std::sync::Arc;

use super::error::from_arrow;
use super::row_rules::{check_conditions, check_rows, duplicate_key, key_text};
use super::statement::{ChangeResult, Execution};
use super::stream::RowStream;
use super::{conflict, deferred, foreign_key, index_key, spread};
use crate::bind::tree::{Delete, Insert, Update};
use crate::lower::{ChangeColumns, LoweredChange};

/// The parts of a batch of a change.
pub struct ChangedRows {
    pub addresses: Option<UInt64Array>,
    /// The tables that the rows are in, where there are several.
    pub sources: Option<UInt32Array>,
    /// The partitions for the new rows.
    pub targets: Option<UInt32Array>,
    /// The new rows, columns as the store has them.
    pub rows: RecordBatch,
    pub returning: RecordBatch,
}

/// The rows of a change as they are computed.
pub struct ChangeRows {
    pub columns: ChangeColumns,
    pub rows: RowStream,
}

impl ChangeRows {
    pub fn start(lowered: LoweredChange, execution: &Execution<'_>) -> Result<Self> {
        let cancel = execution.context.cancel.clone();
        let rows = RowStream::start(execution.runtime, lowered.plan, execution.options, cancel)?;
        Ok(Self { columns: lowered.columns, rows })
    }

    /// All of them, taken apart and checked, before any change is made.
    pub async fn collect(self, table: &Arc<Relation>, execution: &Execution<'_>) -> Result<Vec<ChangedRows>> {
        let batches = self.rows.collect().await?;
        batches.into_iter().map(|batch| split(table, &self.columns, batch, execution)).collect()
    }
}

pub async fn insert(insert: &Insert, mut new: ChangeRows, execution: &mut Execution<'_>) -> Result<ChangeResult> {
    let mut result = ChangeResult::default();
    if insert.on_conflict.is_some() {
        let changes = new.collect(&insert.table, execution).await?;
        return conflict::insert(insert, changes, execution).await;
    }
    while let Some(batch) = new.rows.next().await {
        let before = result.count as usize;
        let later = |error: Error| match error.fields().row {
            Some(row) => error.with_row(before + row),
            None => error,
        };
        let changed = split(&insert.table, &new.columns, batch?, execution).map_err(later)?;
        let inserted = spread::insert_new(&insert.table, &changed.rows, changed.targets.as_ref(), execution).await;
        inserted.map_err(later)?;
        result.count += changed.rows.num_rows() as u64;
        if insert.returning.is_some() {
            result.returning.push(changed.returning);
        }
    }
    Ok(result)
}

pub async fn update(update: &Update, changed: ChangeRows, execution: &mut Execution<'_>) -> Result<ChangeResult> {
    let changes = changed.collect(&update.table, execution).await?;
    let Some(changed) = once_per_row(changes, true)? else { return Ok(ChangeResult::default()) };
    let addresses = changed.addresses.clone().ok_or_else(|| Error::internal("an update without addresses"))?;
    let generated = update.table.live_columns().filter(|column| column.generated).map(|column| column.attnum);
    let changed_columns: Vec<i16> = update.set.iter().map(|(attnum, _)| *attnum).chain(generated).collect();
    match changed.sources.is_some() || changed.targets.is_some() {
        true => spread::update(&update.table, &changed, Some(&changed_columns), execution).await?,
        false => update_rows(&update.table, &addresses, &changed.rows, Some(&changed_columns), execution).await?,
    }
    let returning = if update.returning.is_some() { vec![changed.returning] } else { Vec::new() };
    Ok(ChangeResult { count: addresses.len() as u64, returning })
}

/// Replaces rows, with what foreign keys demand. `columns` are those that may differ (None: any).
pub async fn update_rows(
    table: &Arc<Relation>,
    addresses: &UInt64Array,
    rows: &RecordBatch,
    columns: Option<&[i16]>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let storage = storage_of(table)?;
    let (keys, referable) = changed_indexes(table, columns, execution)?;
    let keeps = referable.is_empty() || keeps_keys(table, &referable, addresses, rows, execution)?;
    execution.lock_rows(table, addresses, if keeps { RowClaim::CHANGE } else { RowClaim::REPLACE }).await?;
    let old = match keeps {
        // Only these keys can be referred to.
        true => foreign_key::OldKeys::default(),
        false => foreign_key::old_keys(table, addresses, columns, execution).await?,
    };
    let stored = to_storage_order(table, rows, execution)?;
    // Keys are checked only after all rows are gone, so that they may be exchanged.
    execution.transaction.delete(storage, addresses)?;
    let new = execution.transaction.prepare_insert(storage, &stored);
    let new = new.map_err(|error| explain(error, table, rows, execution))?;
    execution.claim_keys(table, &new, Some(&keys), rows).await?;
    execution.transaction.insert_new(new)?;
    execution.context.services.counters(table.oid).rows_updated(rows.num_rows() as u64);
    deferred::check_keys_later(table, &stored, columns, execution)?;
    execution.transaction.make_room().await?;
    foreign_key::check_later(table, rows, columns, execution)?;
    foreign_key::referenced_changed(table, old, Some(rows), execution).await
}

/// The unique indexes over columns that may differ, and those among them that a foreign key can refer to: only changes of these count as
/// changes of a key to who locks the row. What a generated column or an expression is made from is not looked at.
fn changed_indexes(
    table: &Relation,
    columns: Option<&[i16]>,
    execution: &Execution<'_>,
) -> Result<(Vec<u32>, Vec<u32>)> {
    let schema = execution.transaction.table_schema(storage_of(table)?).map_err(Error::from)?;
    let generated = |attnum: i16| table.column(attnum).is_some_and(|column| column.generated);
    let differs = |id: &u32| {
        let attnum = i16::try_from(*id).unwrap_or(0);
        columns.is_none_or(|columns| columns.contains(&attnum)) || generated(attnum)
    };
    let changed = |index: &&IndexSchema| index_key::has_column(index) || index.columns.iter().any(differs);
    let changed: Vec<&IndexSchema> = schema.unique_indexes().filter(changed).collect();
    let over_columns = |index: &IndexSchema| {
        let definition = execution.context.catalog.relation(index.id).and_then(|relation| relation.index());
        definition.is_some_and(index_key::is_over_columns)
    };
    let can_be_referred_to = |index: &IndexSchema| !index_key::has_column(index) || over_columns(index);
    let referable = changed.iter().filter(|index| can_be_referred_to(index) && !index.deferrable);
    Ok((changed.iter().map(|index| index.id).collect(), referable.map(|index| index.id).collect()))
}

/// Do the rows keep the keys of these indexes, though their columns are given?
fn keeps_keys(
    table: &Relation,
    indexes: &[u32],
    addresses: &UInt64Array,
    rows: &RecordBatch,
    execution: &Execution<'_>,
) -> Result<bool> {
    let storage = storage_of(table)?;
    let schema = execution.transaction.table_schema(storage).map_err(Error::from)?;
    let addresses: Vec<RowAddress> = addresses.iter().flatten().collect();
    let columns = indexes.iter().filter_map(|index| schema.index(*index)).flat_map(|index| index.columns.clone());
    for id in columns {
        let place = table.live_columns().position(|column| i64::from(column.attnum) == i64::from(id));
        let (Some(place), Some(stored)) = (place, schema.position(id)) else { return Ok(false) };
        // A row that cannot be read has changed: that comes to light when it is locked.
        let Ok(old) = execution.transaction.fetch(storage, &addresses, &[stored]) else { return Ok(false) };
        if old.columns().first() != rows.columns().get(place) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub async fn delete(delete: &Delete, changed: ChangeRows, execution: &mut Execution<'_>) -> Result<ChangeResult> {
    let changes = changed.collect(&delete.table, execution).await?;
    let Some(changed) = once_per_row(changes, true)? else { return Ok(ChangeResult::default()) };
    let addresses = changed.addresses.ok_or_else(|| Error::internal("a delete without addresses"))?;
    let count = spread::delete(&delete.table, &addresses, changed.sources.as_ref(), execution).await?;
    let returning = if delete.returning.is_some() { vec![changed.returning] } else { Vec::new() };
    Ok(ChangeResult { count, returning })
}

/// Deletes rows, with what foreign keys demand.
pub async fn delete_rows(table: &Arc<Relation>, addresses: &UInt64Array, execution: &mut Execution<'_>) -> Result<u64> {
    execution.lock_rows(table, addresses, RowClaim::REPLACE).await?;
    let old = foreign_key::old_keys(table, addresses, None, execution).await?;
    let count = execution.transaction.delete(storage_of(table)?, addresses)? as u64;
    execution.context.services.counters(table.oid).rows_deleted(count);
    foreign_key::referenced_changed(table, old, None, execution).await?;
    Ok(count)
}

pub async fn insert_rows(table: &Arc<Relation>, rows: &RecordBatch, execution: &mut Execution<'_>) -> Result<()> {
    let storage = storage_of(table)?;
    let stored = to_storage_order(table, rows, execution)?;
    let new = execution.transaction.prepare_insert(storage, &stored);
    let new = new.map_err(|error| explain(error, table, rows, execution))?;
    execution.claim_keys(table, &new, None, rows).await?;
    execution.transaction.insert_new(new)?;
    execution.context.services.counters(table.oid).rows_inserted(rows.num_rows() as u64);
    deferred::check_keys_later(table, &stored, None, execution)?;
    execution.transaction.make_room().await
}

pub fn storage_of(table: &Relation) -> Result<u64> {
    let stored = table
        .table()
        .ok_or_else(|| Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("cannot change relation \"{}\"", table.name)))?;
    Ok(stored.storage)
}

/// Takes a batch of a change apart and checks its rows.
fn split(
    table: &Arc<Relation>,
    parts: &ChangeColumns,
    batch: RecordBatch,
    execution: &Execution<'_>,
) -> Result<ChangedRows> {
    let mut columns = batch.columns().iter().cloned();
    let addresses = parts.address.then(|| columns.next()).flatten();
    let addresses = addresses.and_then(|column| column.as_primitive_opt::<UInt64Type>().cloned());
    let sources = parts.source.then(|| columns.next()).flatten();
    let sources = sources.and_then(|column| column.as_primitive_opt::<UInt32Type>().cloned());
    let row: Vec<ArrayRef> = columns.by_ref().take(parts.row).collect();
    let targets = parts.target.then(|| columns.next()).flatten();
    let targets = targets.and_then(|column| column.as_primitive_opt::<UInt32Type>().cloned());
    let checks: Vec<ArrayRef> = columns.by_ref().take(parts.checks.len()).collect();
    let returning: Vec<ArrayRef> = columns.collect();
    let count = batch.num_rows();
    let names = table.live_columns().map(|column| column.name.clone());
    let rows = batch_of(names, row, count)?;
    // Rows of partitions and children are checked as theirs.
    match parts.source || parts.target {
        _ if parts.row == 0 => {}
        true => check_conditions(table, &rows, &parts.checks, &checks, &execution.context)?,
        false => check_rows(table, &rows, &parts.checks, &checks, &execution.context)?,
    }
    let names = (0..returning.len()).map(|index| format!("column_{index}"));
    let returning = batch_of(names, returning, count)?;
    Ok(ChangedRows { addresses, sources, targets, rows, returning })
}

fn batch_of(names: impl Iterator<Item = String>, columns: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let fields: Vec<Field> =
        names.zip(&columns).map(|(name, column)| Field::new(name, column.data_type().clone(), true)).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(from_arrow)
}

/// All rows in one batch; of several for one address the first, since a row changes once in a statement.
fn once_per_row(mut changes: Vec<ChangedRows>, addressed: bool) -> Result<Option<ChangedRows>> {
    let single = |change: &ChangedRows| change.addresses.as_ref().is_some_and(|a| a.len() == 1 && a.null_count() == 0);
    if addressed && changes.len() == 1 && changes.first().is_some_and(single) {
        return Ok(changes.pop());
    }
    let Some(first) = changes.first() else { return Ok(None) };
    let (row_schema, returning_schema) = (first.rows.schema(), first.returning.schema());
    let mut seen = HashSet::new();
    let mut addresses: Vec<RowAddress> = Vec::new();
    let (mut sources, mut targets): (Vec<ArrayRef>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    let mut rows = Vec::new();
    let mut returning = Vec::new();
    for change in changes {
        let Some(found) = &change.addresses else { continue };
        let keep: BooleanArray = (0..)
            .zip(found.iter())
            .map(|(row, address)| Some(address.is_some_and(|address| seen.insert((source(&change, row), address)))))
            .collect();
        for (kept, column) in [(&mut sources, &change.sources), (&mut targets, &change.targets)] {
            if let Some(column) = column {
                kept.push(arrow::compute::filter(column, &keep).map_err(from_arrow)?);
            }
        }
        addresses.extend(
            found.iter().flatten().zip(keep.iter()).filter(|(_, keep)| *keep == Some(true)).map(|(address, _)| address),
        );
        rows.push(filter_record_batch(&change.rows, &keep).map_err(from_arrow)?);
        returning.push(filter_record_batch(&change.returning, &keep).map_err(from_arrow)?);
    }
    let join = |schema: &SchemaRef, batches: &[RecordBatch]| concat_batches(schema, batches).map_err(from_arrow);
    Ok(Some(ChangedRows {
        addresses: addressed.then(|| UInt64Array::from(addresses)),
        sources: joined(&sources)?,
        targets: joined(&targets)?,
        rows: join(&row_schema, &rows)?,
        returning: join(&returning_schema, &returning)?,
    }))
}

/// The table that a row is in; 0 if there is only one.
fn source(change: &ChangedRows, row: usize) -> u32 {
    change.sources.as_ref().map_or(0, |sources| sources.value(row))
}

fn joined(parts: &[ArrayRef]) -> Result<Option<UInt32Array>> {
    if parts.is_empty() {
        return Ok(None);
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    let joined = arrow::compute::concat(&parts).map_err(from_arrow)?;
    Ok(joined.as_primitive_opt::<UInt32Type>().cloned())
}

/// The rows with columns in the store's order.
pub fn to_storage_order(table: &Arc<Relation>, rows: &RecordBatch, execution: &Execution<'_>) -> Result<RecordBatch> {
    let storage = storage_of(table)?;
    let schema = execution.transaction.table_schema(storage).map_err(Error::from)?;
    let mut columns = Vec::with_capacity(schema.columns.len());
    for stored in &schema.columns {
        let place = table.live_columns().position(|column| i64::from(column.attnum) == i64::from(stored.id));
        let column = match place.and_then(|place| rows.columns().get(place)) {
            Some(column) if *column.data_type() == stored.data_type => column.clone(),
            Some(column) => arrow::compute::cast(column, &stored.data_type).map_err(from_arrow)?,
            None => match index_key::stored_keys(table, stored.id, rows, &execution.context)? {
                Some(keys) => keys,
                None => arrow::array::new_null_array(&stored.data_type, rows.num_rows()),
            },
        };
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    let schema = execution.transaction.arrow_schema(storage).map_err(Error::from)?;
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(from_arrow)
}

/// The store's error in PostgreSQL's terms: a duplicate key names its constraint and values.
pub fn explain(
    error: aegis_storage::Error,
    table: &Arc<Relation>,
    rows: &RecordBatch,
    execution: &Execution<'_>,
) -> Error {
    let aegis_storage::Error::DuplicateKey { index, row, key, .. } = &error else { return Error::from(error) };
    let columns = key_columns(table, *index, execution);
    let settings = &execution.context.format;
    let computed = row.and_then(|row| index_key::shown(table, *index, rows, row, &execution.context).ok().flatten());
    let text = match (row, key) {
        _ if computed.is_some() => computed,
        (Some(row), _) => {
            let places: Vec<usize> = columns
                .iter()
                .filter_map(|attnum| table.live_columns().position(|column| column.attnum == *attnum))
                .collect();
            rows.project(&places).ok().and_then(|keys| key_text(table, &columns, &keys, *row, settings).ok())
        }
        (None, Some(key)) => key_text(table, &columns, key, 0, settings).ok(),
        (None, None) => None,
    };
    let error = duplicate_key(table, *index, text, &execution.context);
    match row {
        Some(row) => error.with_row(*row),
        None => error,
    }
}

/// Columns of a unique index, by number.
pub fn key_columns(table: &Relation, index: u32, execution: &Execution<'_>) -> Vec<i16> {
    let constraint = table.constraints().iter().find_map(|constraint| match &constraint.kind {
        ConstraintKind::PrimaryKey { index: found, columns } | ConstraintKind::Unique { index: found, columns, .. }
            if *found == index =>
        {
            Some(columns.clone())
        }
        _ => None,
    });
    constraint.unwrap_or_else(|| {
        let relation = execution.context.catalog.relation(index);
        let index = relation.and_then(|relation| relation.index());
        index.map(|index| index.keys.iter().map(|key| key.attnum).collect()).unwrap_or_default()
    })
}
