//! MERGE: makes the changes that its plan has chosen.

use std::collections::HashSet;
use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{AsArray, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::{Int64Type, Schema, UInt32Type, UInt64Type};

use super::change::{ChangeRows, ChangedRows, update_rows};
use super::error::from_arrow;
use super::spread;
use super::statement::{ChangeResult, Execution};
use crate::bind::tree::{Merge, MergeKind};

pub async fn merge(merge: &Merge, changed: ChangeRows, execution: &mut Execution<'_>) -> Result<ChangeResult> {
    let changes = changed.collect(&merge.table, execution).await?;
    let Some(first) = changes.first() else { return Ok(ChangeResult::default()) };
    let schema = first.rows.schema();
    let rows = concat_batches(&schema, changes.iter().map(|change| &change.rows)).map_err(from_arrow)?;
    let missing = || Error::internal("MERGE without addresses or actions");
    let (mut addresses, mut actions) = (Vec::new(), Vec::new());
    let (mut sources, mut targets) = (Vec::new(), Vec::new());
    for change in &changes {
        addresses.extend(change.addresses.as_ref().ok_or_else(missing)?.iter());
        sources.extend(change.sources.iter().flatten());
        targets.extend(change.targets.iter().flatten());
        let numbers = change.returning.columns().first().and_then(|column| column.as_primitive_opt::<Int64Type>());
        actions.extend(numbers.ok_or_else(missing)?.iter().map(|number| number.and_then(|n| usize::try_from(n).ok())));
    }
    let kind_of = |row: usize| actions.get(row).copied().flatten().and_then(|action| merge.actions.get(action));
    let chosen = |wanted: fn(&MergeKind) -> bool| -> Result<ChangedRows> {
        let places: UInt64Array = (0..actions.len())
            .filter(|&row| kind_of(row).is_some_and(|action| wanted(&action.kind)))
            .map(|row| row as u64)
            .collect::<Vec<_>>()
            .into();
        let taken = take(&UInt64Array::from(addresses.clone()), &places, None).map_err(from_arrow)?;
        let tables = |column: &[Option<u32>]| -> Result<Option<UInt32Array>> {
            if column.is_empty() {
                return Ok(None);
            }
            let taken = take(&UInt32Array::from(column.to_vec()), &places, None).map_err(from_arrow)?;
            Ok(taken.as_primitive_opt::<UInt32Type>().cloned())
        };
        Ok(ChangedRows {
            addresses: taken.as_primitive_opt::<UInt64Type>().cloned(),
            sources: tables(&sources)?,
            targets: tables(&targets)?,
            rows: take_record_batch(&rows, &places).map_err(from_arrow)?,
            returning: RecordBatch::new_empty(Arc::new(Schema::empty())),
        })
    };
    let deleted = chosen(|kind| matches!(kind, MergeKind::Delete))?;
    let updated = chosen(|kind| matches!(kind, MergeKind::Update(_)))?;
    let inserted = chosen(|kind| matches!(kind, MergeKind::Insert(_)))?;
    once(&deleted, &updated)?;
    if let Some(gone) = deleted.addresses.as_ref().filter(|addresses| !addresses.is_empty()) {
        spread::delete(&merge.table, gone, deleted.sources.as_ref(), execution).await?;
    }
    if let Some(old) = updated.addresses.as_ref().filter(|addresses| !addresses.is_empty()) {
        match updated.sources.is_some() || updated.targets.is_some() {
            true => spread::update(&merge.table, &updated, None, execution).await?,
            false => update_rows(&merge.table, old, &updated.rows, None, execution).await?,
        }
    }
    if inserted.rows.num_rows() > 0 {
        spread::insert_new(&merge.table, &inserted.rows, inserted.targets.as_ref(), execution).await?;
    }
    Ok(ChangeResult { count: rows.num_rows() as u64, returning: Vec::new() })
}

/// 21000 if a row of the target would change twice.
fn once(deleted: &ChangedRows, updated: &ChangedRows) -> Result<()> {
    let mut seen = HashSet::new();
    let mut all = [deleted, updated].into_iter().flat_map(|rows| {
        let addresses = rows.addresses.iter().flat_map(|addresses| addresses.iter());
        addresses.enumerate().map(|(row, address)| (rows.sources.as_ref().map(|sources| sources.value(row)), address))
    });
    if all.all(|row| seen.insert(row)) {
        return Ok(());
    }
    let message = "MERGE command cannot affect row a second time";
    Err(Error::new(sqlstate::CARDINALITY_VIOLATION, message)
        .with_hint("Ensure that not more than one source row matches any one target row."))
}
