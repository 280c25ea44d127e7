//! What `ALTER COLUMN` says about statistics and storage (PostgreSQL manual, "ALTER TABLE"). All of it is kept and shown, and has no
//! effect: rows are stored in columns, and the store has statistics of its own.

use aegis_catalog::object::{Column, ColumnHints, Relation};
use aegis_catalog::types::{Structure, TypeLookup};
use aegis_catalog::{Error, Result, sqlstate};

use crate::parse::ast::Ident;
use crate::parse::utility::ColumnHint;
use crate::session::Session;
use crate::session::context::StatementContext;

/// `MAX_STATISTICS_TARGET`.
const MAX_STATISTICS: i32 = 10_000;

pub fn set(
    session: &mut Session,
    table: &Relation,
    column: &Ident,
    hint: &ColumnHint,
    context: &StatementContext,
) -> Result<()> {
    let found = super::existing_column(table, column)?;
    let mut hints = found.hints.clone();
    match hint {
        ColumnHint::Statistics(target) => hints.statistics = statistics(*target)?,
        ColumnHint::Storage(name) => hints.storage = Some(storage(name, found, context)?),
        ColumnHint::Compression(name) => hints.compression = compression(name, found, context)?,
        ColumnHint::SetOptions(set) => {
            check_options(set)?;
            hints.options.retain(|(name, _)| !set.iter().any(|(new, _)| new == name));
            hints.options.extend_from_slice(set);
        }
        ColumnHint::ResetOptions(names) => hints.options.retain(|(name, _)| !names.contains(name)),
    }
    super::replace(session, super::with_column(table, found.attnum, |column| column.hints = hints)).map(drop)
}

/// SET STATISTICS of an expression in an index.
pub fn set_statistics(column: Option<&mut Column>, target: i32) -> Result<()> {
    let target = statistics(target)?;
    if let Some(column) = column {
        column.hints.statistics = target;
    }
    Ok(())
}

/// None for -1, the default.
fn statistics(target: i32) -> Result<Option<i32>> {
    if target < -1 {
        let message = format!("statistics target {target} is too low");
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
    }
    Ok((target >= 0).then_some(target.min(MAX_STATISTICS)))
}

fn storage(name: &str, column: &Column, context: &StatementContext) -> Result<char> {
    let code = match name.to_ascii_lowercase().as_str() {
        "plain" => 'p',
        "external" => 'e',
        "extended" => 'x',
        "main" => 'm',
        _ => {
            let message = format!("invalid storage type \"{name}\"");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
    };
    if code != 'p' && !has_variable_length(column, context) {
        let ty = context.format.names.type_name(column.ty.oid);
        let message = format!("column data type {ty} can only have storage PLAIN");
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(code)
}

fn compression(name: &str, column: &Column, context: &StatementContext) -> Result<Option<char>> {
    let code = match name.to_ascii_lowercase().as_str() {
        "default" => None,
        "pglz" => Some('p'),
        "lz4" => Some('l'),
        _ => {
            let message = format!("invalid compression method \"{name}\"");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
    };
    if !has_variable_length(column, context) {
        let ty = context.format.names.type_name(column.ty.oid);
        let message = format!("column data type {ty} does not support compression");
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
    }
    Ok(code)
}

/// Would PostgreSQL keep long values of it aside?
fn has_variable_length(column: &Column, context: &StatementContext) -> bool {
    let base = context.catalog.base_type(column.ty);
    aegis_catalog::facts::type_row(base.oid).is_none_or(|row| row.len == -1 && row.storage != 'p')
        && !matches!(context.catalog.structure(base.oid), Some(Structure::Enum(_)))
}

fn check_options(set: &[(String, String)]) -> Result<()> {
    match set.iter().find(|(name, _)| !ColumnHints::OPTIONS.contains(&name.as_str())) {
        Some((name, _)) => {
            let message = format!("unrecognized parameter \"{name}\"");
            Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message))
        }
        None => Ok(()),
    }
}
