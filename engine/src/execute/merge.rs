//! MERGE: makes the changes that its plan has chosen.

use std::collections::HashSet;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{AsArray, RecordBatch, UInt64Array};
use arrow::compute::{concat_batches, take, take_record_batch};
use arrow::datatypes::{Int64Type, UInt64Type};

use super::change::{ChangeRows, delete_rows, insert_rows, update_rows};
use super::error::from_arrow;
use super::foreign_key;
use super::statement::{ChangeResult, Execution};
use crate::bind::tree::{Merge, MergeKind};

/// Rows of one action: their addresses, and what becomes of them.
struct Chosen {
    addresses: UInt64Array,
    rows: RecordBatch,
}

pub async fn merge(merge: &Merge, changed: ChangeRows, execution: &mut Execution<'_>) -> Result<ChangeResult> {
    let changes = changed.collect(&merge.table, execution).await?;
    let Some(first) = changes.first() else { return Ok(ChangeResult::default()) };
    let schema = first.rows.schema();
    let rows = concat_batches(&schema, changes.iter().map(|change| &change.rows)).map_err(from_arrow)?;
    let missing = || Error::internal("MERGE without addresses or actions");
    let (mut addresses, mut actions) = (Vec::new(), Vec::new());
    for change in &changes {
        addresses.extend(change.addresses.as_ref().ok_or_else(missing)?.iter());
        let numbers = change.returning.columns().first().and_then(|column| column.as_primitive_opt::<Int64Type>());
        actions.extend(numbers.ok_or_else(missing)?.iter().map(|number| number.and_then(|n| usize::try_from(n).ok())));
    }
    let kind_of = |row: usize| actions.get(row).copied().flatten().and_then(|action| merge.actions.get(action));
    let chosen = |wanted: fn(&MergeKind) -> bool| -> Result<Chosen> {
        let places: UInt64Array = (0..actions.len())
            .filter(|&row| kind_of(row).is_some_and(|action| wanted(&action.kind)))
            .map(|row| row as u64)
            .collect::<Vec<_>>()
            .into();
        let taken = take(&UInt64Array::from(addresses.clone()), &places, None).map_err(from_arrow)?;
        Ok(Chosen {
            addresses: taken.as_primitive::<UInt64Type>().clone(),
            rows: take_record_batch(&rows, &places).map_err(from_arrow)?,
        })
    };
    let deleted = chosen(|kind| matches!(kind, MergeKind::Delete))?;
    let updated = chosen(|kind| matches!(kind, MergeKind::Update(_)))?;
    let inserted = chosen(|kind| matches!(kind, MergeKind::Insert(_)))?;
    once(&deleted.addresses, &updated.addresses)?;
    if !deleted.addresses.is_empty() {
        delete_rows(&merge.table, &deleted.addresses, execution).await?;
    }
    if !updated.addresses.is_empty() {
        update_rows(&merge.table, &updated.addresses, &updated.rows, None, execution).await?;
    }
    if inserted.rows.num_rows() > 0 {
        insert_rows(&merge.table, &inserted.rows, execution).await?;
        foreign_key::check_later(&merge.table, &inserted.rows, None, execution)?;
    }
    Ok(ChangeResult { count: rows.num_rows() as u64, returning: Vec::new() })
}

/// 21000 if a row of the target would change twice.
fn once(deleted: &UInt64Array, updated: &UInt64Array) -> Result<()> {
    let mut seen = HashSet::new();
    if deleted.iter().chain(updated.iter()).flatten().all(|address| seen.insert(address)) {
        return Ok(());
    }
    let message = "MERGE command cannot affect row a second time";
    Err(Error::new(sqlstate::CARDINALITY_VIOLATION, message)
        .with_hint("Ensure that not more than one source row matches any one target row."))
}
