//! Changes of tables whose rows are in several: rows go to, or are found in, partitions and children, each in columns of its own order.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::types::text_of;
use aegis_catalog::{Error, Oid, Result, sqlstate};
use aegis_storage::lock::RowClaim;
use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array};
use arrow::compute::{take, take_record_batch};
use arrow::datatypes::{Field, Schema, UInt64Type};
use std::collections::HashMap;

use super::change::{ChangedRows, delete_rows, insert_rows, storage_of, update_rows};
use super::error::from_arrow;
use super::foreign_key;
use super::over_row::{self, ROW};
use super::row_rules::{self, with_row};
use super::statement::Execution;
use crate::bind;
use crate::deparse::{self, Layout};
use crate::lower::Form;
use crate::lower::inherit::{may_move, routed_from};
use crate::partition::router::{Found, Router};

/// The rows of one of the tables, by their places in a batch.
pub struct Share {
    pub table: Arc<Relation>,
    pub places: UInt32Array,
}

/// Rows by the tables that a column names, in the order in which it does.
pub fn shares(column: &UInt32Array, execution: &Execution<'_>) -> Result<Vec<Share>> {
    let mut found: Vec<(Oid, Vec<u32>)> = Vec::new();
    let mut known: HashMap<Oid, usize> = HashMap::new();
    for (row, oid) in (0u32..).zip(column.values().iter().copied()) {
        let at = *known.entry(oid).or_insert_with(|| {
            found.push((oid, Vec::new()));
            found.len() - 1
        });
        if let Some((_, rows)) = found.get_mut(at) {
            rows.push(row);
        }
    }
    let share = |(oid, rows): (Oid, Vec<u32>)| {
        let table = execution.context.catalog.relation(oid).cloned();
        let table = table.ok_or_else(|| Error::internal("rows of a table that is gone"))?;
        Ok(Share { table, places: rows.into() })
    };
    found.into_iter().map(share).collect()
}

/// The rows at these places, also where they have no columns.
pub fn take_rows(rows: &RecordBatch, places: &UInt32Array) -> Result<RecordBatch> {
    if rows.num_columns() > 0 {
        return take_record_batch(rows, places).map_err(from_arrow);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(places.len()));
    RecordBatch::try_new_with_options(rows.schema(), Vec::new(), &options).map_err(from_arrow)
}

/// Rows of one table (live columns) in the order of another's columns of the same names.
pub fn arranged(rows: &RecordBatch, from: &Relation, to: &Relation) -> Result<RecordBatch> {
    if from.oid == to.oid {
        return Ok(rows.clone());
    }
    let place = |name: &String| {
        let place = from.live_columns().position(|column| column.name == *name);
        place.ok_or_else(|| Error::internal(format!("\"{}\" has no column \"{name}\"", from.name)))
    };
    let places = to.live_columns().map(|column| place(&column.name)).collect::<Result<Vec<_>>>()?;
    let schema = rows.schema();
    let fields: Vec<_> = places.iter().filter_map(|place| schema.fields().get(*place).cloned()).collect();
    let columns: Vec<ArrayRef> = places.iter().filter_map(|place| rows.columns().get(*place).cloned()).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options).map_err(from_arrow)
}

/// New rows of a parent as those of a child, which keep what only the child has.
fn completed(
    rows: &RecordBatch,
    parent: &Relation,
    child: &Arc<Relation>,
    addresses: &UInt64Array,
    execution: &Execution<'_>,
) -> Result<RecordBatch> {
    if child.live_columns().all(|column| parent.column_by_name(&column.name).is_some()) {
        return arranged(rows, parent, child);
    }
    let storage = storage_of(child)?;
    let schema = execution.transaction.table_schema(storage).map_err(Error::from)?;
    let addresses: Vec<u64> = addresses.iter().flatten().collect();
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for column in child.live_columns() {
        let place = parent.live_columns().position(|own| own.name == column.name);
        let values = match place.and_then(|place| rows.columns().get(place)) {
            Some(values) => values.clone(),
            None => {
                let stored = schema.position(u32::try_from(column.attnum).unwrap_or(0));
                let stored = stored.ok_or_else(|| Error::internal("the store lacks a column"))?;
                let old = execution.transaction.fetch(storage, &addresses, &[stored]).map_err(Error::from)?;
                old.columns().first().cloned().ok_or_else(|| Error::internal("the store lacks a column"))?
            }
        };
        fields.push(Field::new(&column.name, values.data_type().clone(), true));
        columns.push(values);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(from_arrow)
}

/// Columns of one table as those of the same names of another.
pub fn attnums(columns: &[i16], from: &Relation, to: &Relation) -> Vec<i16> {
    let named = columns.iter().filter_map(|attnum| from.column(*attnum));
    named.filter_map(|column| to.column_by_name(&column.name)).map(|column| column.attnum).collect()
}

/// Inserts new rows of a table: into their partitions, if they have been looked for.
pub async fn insert_new(
    table: &Arc<Relation>,
    rows: &RecordBatch,
    targets: Option<&UInt32Array>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let Some(targets) = targets else {
        insert_rows(table, rows, execution).await?;
        return foreign_key::check_later(table, rows, None, execution);
    };
    check_targets(table, rows, targets, execution)?;
    for Share { table: leaf, places } in shares(targets, execution)? {
        let rows = take_rows(rows, &places)?;
        let whole = |error: Error| match error.fields().row.filter(|row| *row < places.len()) {
            Some(row) => error.with_row(places.value(row) as usize),
            None => error,
        };
        let rows = row_rules::derive(&leaf, arranged(&rows, table, &leaf)?, &execution.context).map_err(whole)?;
        insert_rows(&leaf, &rows, execution).await.map_err(whole)?;
        foreign_key::check_later(&leaf, &rows, None, execution)?;
    }
    Ok(())
}

/// 23514 for rows that no partition is for, or that do not belong to `table`, which is a partition itself.
pub fn check_targets(
    table: &Arc<Relation>,
    rows: &RecordBatch,
    targets: &UInt32Array,
    execution: &Execution<'_>,
) -> Result<()> {
    let catalog = &execution.context.catalog;
    let mut last = None;
    for row in 0..targets.len() {
        let target = targets.is_valid(row).then(|| targets.value(row));
        let Some(oid) = target else { return Err(no_partition(table, rows, row, execution)) };
        if last == Some(oid) {
            continue;
        }
        let leaf = catalog.relation(oid).ok_or_else(|| Error::internal("a partition that is gone"))?;
        if oid != table.oid && !catalog.partition_ancestors(leaf).iter().any(|above| above.oid == table.oid) {
            return Err(violates_bound(table, rows, row, execution));
        }
        last = Some(oid);
    }
    Ok(())
}

fn violates_bound(table: &Relation, rows: &RecordBatch, row: usize, execution: &Execution<'_>) -> Error {
    let message = format!("new row for relation \"{}\" violates partition constraint", table.name);
    with_row(Error::new(sqlstate::CHECK_VIOLATION, message), table, rows, row, &execution.context)
}

/// The error about a row that has no partition.
fn no_partition(table: &Arc<Relation>, rows: &RecordBatch, row: usize, execution: &Execution<'_>) -> Error {
    match lost(table, rows, row, execution) {
        Ok(error) | Err(error) => error,
    }
}

fn lost(table: &Arc<Relation>, rows: &RecordBatch, row: usize, execution: &Execution<'_>) -> Result<Error> {
    let context = &execution.context;
    let root = routed_from(table, &context.catalog).ok_or_else(|| Error::internal("a row of no partitioned table"))?;
    let router = Router::new(&root, context)?;
    let one = rows.slice(row, 1);
    let keys = keys(table, &router, &one, execution)?;
    let at = match router.search(&keys, 1)?.first() {
        Some(Found::Nothing(level)) => router.level(*level),
        _ => None,
    };
    let level = at.ok_or_else(|| Error::internal("a row that has a partition after all"))?.table.clone();
    let below = level.oid == table.oid
        || context.catalog.partition_ancestors(&level).iter().any(|above| above.oid == table.oid);
    if !below {
        return Ok(violates_bound(table, rows, row, execution));
    }
    let message = format!("no partition of relation \"{}\" found for row", level.name);
    let error = Error::new(sqlstate::CHECK_VIOLATION, message);
    let (mut names, mut texts) = (Vec::new(), Vec::new());
    let printer = aegis_catalog::definition::Printer { catalog: &context.catalog, search_path: &context.search_path };
    for ((of, key), value) in router.keys().zip(&keys).filter(|((of, _), _)| of.oid == level.oid) {
        let expr = bind::partition_key(of, ROW, of, key, context)?;
        let target = deparse::Target { printer, format: &context.format, layout: Layout::PRETTY };
        let name = deparse::expression(&expr, ROW, of, target)?;
        let is_plain = key.attnum != 0 || aegis_catalog::definition::is_call(&name);
        names.push(if is_plain { name } else { format!("({name})") });
        texts.push(match value.is_null(0) {
            true => "null".to_owned(),
            false => text_of(key.ty, value, 0, &context.format)?,
        });
    }
    let mut error = error.with_detail(format!(
        "Partition key of the failing row contains ({}) = ({}).",
        names.join(", "),
        texts.join(", ")
    ));
    error.fields_mut().schema = context.catalog.schema(level.schema).map(|schema| schema.name.clone());
    error.fields_mut().table = Some(level.name.clone());
    Ok(error)
}

/// The values of a router's keys for rows of a table.
fn keys(
    table: &Arc<Relation>,
    router: &Router,
    rows: &RecordBatch,
    execution: &Execution<'_>,
) -> Result<Vec<ArrayRef>> {
    let context = &execution.context;
    let exprs = router.keys().map(|(level, key)| bind::partition_key(table, ROW, level, key, context));
    over_row::values(table, &exprs.collect::<Result<Vec<_>>>()?, rows, Form::Computed, context)
}

/// The partitions for rows that were not made by a plan, if a change of these columns may move them.
pub fn targets(
    table: &Arc<Relation>,
    rows: &RecordBatch,
    changed: &[i16],
    execution: &Execution<'_>,
) -> Result<Option<UInt32Array>> {
    let catalog = &execution.context.catalog;
    let names: Vec<String> =
        changed.iter().filter_map(|attnum| table.column(*attnum)).map(|c| c.name.clone()).collect();
    if !may_move(table, &names, catalog) {
        return Ok(None);
    }
    let Some(root) = routed_from(table, catalog) else { return Ok(None) };
    let router = Router::new(&root, &execution.context)?;
    router.route(&keys(table, &router, rows, execution)?, rows.num_rows()).map(Some)
}

/// Updates rows of a table that are in others, or that leave it. `columns` are those that may differ (None: any).
pub async fn update(
    table: &Arc<Relation>,
    changed: &ChangedRows,
    columns: Option<&[i16]>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    update_from(table, table, changed, columns, execution).await
}

/// The same for rows as columns of `table`, which may go to any partition of `within`.
pub async fn update_from(
    within: &Arc<Relation>,
    table: &Arc<Relation>,
    changed: &ChangedRows,
    columns: Option<&[i16]>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let addresses = changed.addresses.as_ref().ok_or_else(|| Error::internal("an update without addresses"))?;
    if let Some(targets) = &changed.targets {
        let rows = arranged(&changed.rows, table, within)?;
        check_targets(within, &rows, targets, execution)?;
    }
    let own = || UInt32Array::from(vec![table.oid; addresses.len()]);
    let sources = changed.sources.clone().unwrap_or_else(own);
    for Share { table: source, places } in shares(&sources, execution)? {
        let from = take_addresses(addresses, &places)?;
        let rows = take_rows(&changed.rows, &places)?;
        let columns = columns.map(|columns| attnums(columns, table, &source));
        let Some(targets) = &changed.targets else {
            let rows = completed(&rows, table, &source, &from, execution)?;
            let rows = row_rules::derive(&source, rows, &execution.context)?;
            update_rows(&source, &from, &rows, columns.as_deref(), execution).await?;
            continue;
        };
        let targets = take(targets, &places, None).map_err(from_arrow)?;
        let targets = targets.as_any().downcast_ref::<UInt32Array>().cloned();
        let targets = targets.ok_or_else(|| Error::internal("partitions are OIDs"))?;
        for Share { table: target, places } in shares(&targets, execution)? {
            let from = take_addresses(&from, &places)?;
            let rows = take_rows(&rows, &places)?;
            let rows = row_rules::derive(&target, arranged(&rows, table, &target)?, &execution.context)?;
            match target.oid == source.oid {
                true => update_rows(&source, &from, &rows, columns.as_deref(), execution).await?,
                false => move_rows(within, (&source, &target), &from, &rows, execution).await?,
            }
        }
    }
    Ok(())
}

pub fn take_addresses(addresses: &UInt64Array, places: &UInt32Array) -> Result<UInt64Array> {
    let taken = take(addresses, places, None).map_err(from_arrow)?;
    Ok(arrow::array::AsArray::as_primitive::<UInt64Type>(&taken).clone())
}

/// Rows go from one partition to another: for who refers to them they are updated.
async fn move_rows(
    within: &Relation,
    (source, target): (&Arc<Relation>, &Arc<Relation>),
    addresses: &UInt64Array,
    rows: &RecordBatch,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let catalog = execution.context.catalog.clone();
    let roots = catalog.partition_ancestors(source);
    for directly in roots.iter().take_while(|table| table.oid != within.oid) {
        if catalog.referencing(directly.oid).next().is_some() {
            let message = "cannot move tuple across partitions when a non-root ancestor of the source partition is directly referenced in a foreign key";
            let root = &within.name;
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
                .with_detail(format!(
                    "A foreign key points to ancestor \"{}\" but not the root ancestor \"{root}\".",
                    directly.name
                ))
                .with_hint(format!("Consider defining the foreign key on table \"{root}\".")));
        }
    }
    execution.lock_rows(source, addresses, RowClaim::REPLACE).await?;
    let old = foreign_key::old_keys(source, addresses, None, execution).await?;
    execution.transaction.delete(storage_of(source)?, addresses)?;
    execution.context.services.counters(source.oid).rows_deleted(addresses.len() as u64);
    insert_rows(target, rows, execution).await?;
    foreign_key::check_later(target, rows, None, execution)?;
    // For who refers to the partition itself the rows are gone.
    let (own, others) = old.of(source.oid);
    foreign_key::referenced_changed(source, own, None, execution).await?;
    foreign_key::referenced_changed(target, others, Some(rows), execution).await
}

/// Deletes rows of a table that may be in others. Returns how many.
pub async fn delete(
    table: &Arc<Relation>,
    addresses: &UInt64Array,
    sources: Option<&UInt32Array>,
    execution: &mut Execution<'_>,
) -> Result<u64> {
    let Some(sources) = sources else { return delete_rows(table, addresses, execution).await };
    let mut count = 0;
    for Share { table, places } in shares(sources, execution)? {
        count += delete_rows(&table, &take_addresses(addresses, &places)?, execution).await?;
    }
    Ok(count)
}
