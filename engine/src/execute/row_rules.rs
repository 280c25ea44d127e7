//! What every new row must pass: NOT NULL and CHECK; and how rows and keys are shown in errors.

use aegis_catalog::object::Relation;
use aegis_catalog::types::{FormatSettings, text_of};
use aegis_catalog::{Error, Oid, Result, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use std::sync::Arc;

use super::error::from_arrow;
use super::over_row::{self, ROW};
use crate::bind;
use crate::bind::tree::RowCheck;
use crate::lower::Form;
use crate::session::context::StatementContext;

/// Longest text of a value in "Failing row contains" (bytes).
const MAX_VALUE_LENGTH: usize = 64;

/// Checks rows (live columns in order of `attnum`) against NOT NULL, then against the CHECK results.
pub fn check_rows(
    table: &Relation,
    rows: &RecordBatch,
    whose: &[RowCheck],
    checks: &[ArrayRef],
    context: &StatementContext,
) -> Result<()> {
    for (column, values) in table.live_columns().zip(rows.columns()).filter(|(column, _)| column.not_null) {
        let Some(row) = first_null(values) else { continue };
        let (column, relation) = (&column.name, &table.name);
        let message =
            format!("null value in column \"{column}\" of relation \"{relation}\" violates not-null constraint");
        let error = Error::new(sqlstate::NOT_NULL_VIOLATION, message).with_column(column.clone());
        return Err(with_row(error, table, rows, row, context));
    }
    check_conditions(table, rows, whose, checks, context)
}

/// Checks rows against the CHECK results alone.
pub fn check_conditions(
    table: &Relation,
    rows: &RecordBatch,
    whose: &[RowCheck],
    checks: &[ArrayRef],
    context: &StatementContext,
) -> Result<()> {
    for (whose, results) in whose.iter().zip(checks) {
        let Some(results) = results.as_boolean_opt() else { continue };
        let null_passes = matches!(whose, RowCheck::Constraint(_));
        let passes = |row: usize| if results.is_valid(row) { results.value(row) } else { null_passes };
        let Some(row) = (0..results.len()).find(|row| !passes(*row)) else { continue };
        let error = match whose {
            RowCheck::Constraint(name) => {
                let relation = &table.name;
                let message = format!("new row for relation \"{relation}\" violates check constraint \"{name}\"");
                Error::new(sqlstate::CHECK_VIOLATION, message).with_constraint(name.clone())
            }
            RowCheck::View(name) => {
                let message = format!("new row violates check option for view \"{name}\"");
                let error = Error::new(sqlstate::WITH_CHECK_OPTION_VIOLATION, message);
                let mut shown = with_row(error, table, rows, row, context);
                (shown.fields_mut().schema, shown.fields_mut().table) = (None, None);
                return Err(shown);
            }
        };
        return Err(with_row(error, table, rows, row, context));
    }
    Ok(())
}

/// New rows that were not made by a plan: with their generated columns, and checked.
pub fn derive(table: &Arc<Relation>, rows: RecordBatch, context: &Arc<StatementContext>) -> Result<RecordBatch> {
    let rules = bind::rules_of(table, ROW, context)?;
    let mut arrays = rows.columns().to_vec();
    let (attnums, exprs): (Vec<i16>, Vec<_>) = rules.generated.into_iter().unzip();
    let values = over_row::values(table, &exprs, &rows, Form::Stored, context)?;
    for (attnum, value) in attnums.into_iter().zip(values) {
        let place = table.live_columns().position(|column| column.attnum == attnum);
        if let Some(slot) = place.and_then(|place| arrays.get_mut(place)) {
            *slot = value;
        }
    }
    let rows = RecordBatch::try_new(rows.schema(), arrays).map_err(from_arrow)?;
    let (names, exprs): (Vec<RowCheck>, Vec<_>) = rules.checks.into_iter().unzip();
    let checks = over_row::values(table, &exprs, &rows, Form::Computed, context)?;
    check_rows(table, &rows, &names, &checks, context)?;
    Ok(rows)
}

/// 23505 of an index; `key` is the key as errors show it.
pub fn duplicate_key(table: &Relation, index: Oid, key: Option<String>, context: &StatementContext) -> Error {
    let name = context.catalog.relation(index).map(|index| index.name.clone()).unwrap_or_default();
    let message = format!("duplicate key value violates unique constraint \"{name}\"");
    let schema = context.catalog.schema(table.schema).map(|schema| schema.name.clone());
    let error = Error::new(sqlstate::UNIQUE_VIOLATION, message)
        .with_constraint(name)
        .with_table(schema.unwrap_or_default(), table.name.clone());
    match key {
        Some(key) => error.with_detail(format!("Key {key} already exists.")),
        None => error,
    }
}

fn first_null(values: &ArrayRef) -> Option<usize> {
    let nulls = values.logical_nulls().filter(|nulls| nulls.null_count() > 0)?;
    (0..values.len()).find(|row| nulls.is_null(*row))
}

pub fn with_row(error: Error, table: &Relation, rows: &RecordBatch, row: usize, context: &StatementContext) -> Error {
    let mut error = error.with_row(row);
    error.fields_mut().schema = context.catalog.schema(table.schema).map(|schema| schema.name.clone());
    error.fields_mut().table = Some(table.name.clone());
    match row_text(table, rows, row, &context.format) {
        Ok(text) => error.with_detail(format!("Failing row contains ({text}).")),
        Err(_) => error,
    }
}

/// A row as PostgreSQL shows it: values separated by commas, long ones cut.
fn row_text(table: &Relation, rows: &RecordBatch, row: usize, settings: &FormatSettings) -> Result<String> {
    let values = table
        .live_columns()
        .zip(rows.columns())
        .map(|(column, values)| {
            if values.is_null(row) {
                return Ok("null".to_owned());
            }
            let mut text = text_of(column.ty, values, row, settings)?;
            if text.len() > MAX_VALUE_LENGTH {
                let end = (0..=MAX_VALUE_LENGTH).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
                text.truncate(end);
                text.push_str("...");
            }
            Ok(text)
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(values.join(", "))
}

/// `(a, b)=(1, 2)` for the key in row `row` of `keys`, whose columns are the table's `columns`.
pub fn key_text(
    table: &Relation,
    columns: &[i16],
    keys: &RecordBatch,
    row: usize,
    settings: &FormatSettings,
) -> Result<String> {
    let mut names = Vec::new();
    let mut values = Vec::new();
    for (attnum, array) in columns.iter().zip(keys.columns()) {
        let column = table.column(*attnum).ok_or_else(|| Error::internal("a key of no column"))?;
        names.push(column.name.clone());
        values.push(match array.is_null(row) {
            true => "null".to_owned(),
            false => text_of(column.ty, array, row, settings)?,
        });
    }
    Ok(format!("({})=({})", names.join(", "), values.join(", ")))
}
