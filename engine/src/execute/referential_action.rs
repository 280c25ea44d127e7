//! What foreign keys do to the rows that refer to a key that goes or changes (PostgreSQL manual, "CREATE TABLE", ON DELETE and ON UPDATE).

use std::sync::Arc;

use aegis_catalog::object::{ConstraintKind, ReferentialAction, Relation};
use aegis_catalog::{Error, Result};
use arrow::array::{ArrayRef, RecordBatch, UInt32Array, UInt64Array, new_null_array};
use arrow::compute::take;
use arrow::datatypes::Schema;

use super::change::{ChangedRows, delete_rows, update_rows};
use super::error::from_arrow;
use super::foreign_key::{OldKey, Orphans, declared, places};
use super::over_row::{self, ROW};
use super::row_rules;
use super::spread;
use super::statement::Execution;
use crate::bind;
use crate::lower::Form;
use crate::lower::inherit::routed_from;

/// Runs CASCADE, SET NULL or SET DEFAULT for rows of the table that refers. `new_rows` are those of the changed table, if it still has them.
pub async fn run(
    table: &Arc<Relation>,
    key: &OldKey,
    action: ReferentialAction,
    orphans: Orphans,
    new_rows: Option<&RecordBatch>,
    execution: &mut Execution<'_>,
) -> Result<()> {
    let ConstraintKind::ForeignKey { columns, referenced_columns, delete_columns, .. } = &key.constraint.kind else {
        return Ok(());
    };
    let addresses = UInt64Array::from(orphans.addresses);
    let set: &[i16] = match new_rows {
        None if !delete_columns.is_empty() => delete_columns,
        _ => columns,
    };
    let values = match (action, new_rows) {
        (ReferentialAction::Cascade, None) => {
            return delete_rows(&key.referring, &addresses, execution).await.map(drop);
        }
        (ReferentialAction::Cascade, Some(new_rows)) => {
            let values = cascaded(table, referenced_columns, &key.referring, columns, new_rows, execution)?;
            let chosen = UInt32Array::from(orphans.old);
            values.iter().map(|value| take(value, &chosen, None).map_err(from_arrow)).collect::<Result<_>>()?
        }
        (ReferentialAction::SetDefault, _) => defaults(key, set, &orphans.rows, execution)?,
        _ => {
            let rows = orphans.rows.num_rows();
            let old = places(&key.referring, set).into_iter().filter_map(|place| orphans.rows.columns().get(place));
            old.map(|column| new_null_array(column.data_type(), rows)).collect()
        }
    };
    replace(&key.referring, set, values, orphans.rows, &addresses, execution).await
}

/// The new values of the columns that are referred to, as the columns that refer take them.
fn cascaded(
    table: &Arc<Relation>,
    referenced_columns: &[i16],
    referring: &Relation,
    columns: &[i16],
    new_rows: &RecordBatch,
    execution: &Execution<'_>,
) -> Result<Vec<ArrayRef>> {
    let exprs = referenced_columns.iter().zip(columns).map(|(from, to)| {
        let missing = || Error::internal("a foreign key over a column that is not there");
        let value = bind::column_of(table, ROW, *from).ok_or_else(missing)?;
        bind::assigned(value, referring.column(*to).ok_or_else(missing)?, &execution.context)
    });
    let exprs = exprs.collect::<Result<Vec<_>>>()?;
    over_row::values(table, &exprs, new_rows, Form::Stored, &execution.context)
}

/// The defaults of the table that the foreign key is declared for, which may be above the partition.
fn defaults(key: &OldKey, columns: &[i16], rows: &RecordBatch, execution: &Execution<'_>) -> Result<Vec<ArrayRef>> {
    let table = &key.referring;
    let (declared, _) = declared(table, &key.constraint, &execution.context.catalog);
    let columns = columns.iter().filter_map(|attnum| declared.column_by_name(&table.column(*attnum)?.name));
    let exprs =
        columns.map(|column| bind::default_of(declared, column, &execution.context)).collect::<Result<Vec<_>>>()?;
    over_row::values(table, &exprs, rows, Form::Stored, &execution.context)
}

/// Updates rows with new values of the columns.
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
            *slot = value;
        }
    }
    let rows = RecordBatch::try_new(rows.schema(), arrays).map_err(from_arrow)?;
    let rows = row_rules::derive(table, rows, &execution.context)?;
    // Columns that are generated from the changed ones change too.
    let generated = table.live_columns().filter(|column| column.generated).map(|column| column.attnum);
    let changed: Vec<i16> = columns.iter().copied().chain(generated).collect();
    let targets = spread::targets(table, &rows, &changed, execution)?;
    if targets.is_some() {
        let returning = RecordBatch::new_empty(Arc::new(Schema::empty()));
        let changes = ChangedRows { addresses: Some(addresses.clone()), sources: None, targets, rows, returning };
        let root = routed_from(table, &execution.context.catalog);
        return spread::update_from(root.as_ref().unwrap_or(table), table, &changes, Some(&changed), execution).await;
    }
    update_rows(table, addresses, &rows, Some(&changed), execution).await
}
