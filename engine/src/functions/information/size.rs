//! Sizes of objects.

use std::sync::Arc;

use aegis_catalog::object::ConstraintKind;
use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::types::{BinaryEncoder, type_info};
use aegis_catalog::{Error, Oid, Result, fixed_oid, sqlstate};
use arrow::array::{Array, ArrayRef, Int32Array};

use crate::functions::Call;
use crate::functions::kernel::{columns, kernel};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("pg_size_pretty(int8)", kernel!(|bytes: i64| pretty(bytes))),
        f("pg_size_pretty(numeric)", kernel!(|bytes: Numeric| Ok::<_, Error>(pretty(bytes.round(0)?.to_i64()?)))),
        f("pg_size_bytes(text)", kernel!(|text: &str| size_bytes(text))),
        f("pg_table_size(regclass)", kernel!(|call; table: u32| table_size(call, table))),
        f("pg_relation_size(regclass)", kernel!(|call; table: u32| table_size(call, table))),
        f("pg_relation_size(regclass, text)", kernel!(|call; table: u32, fork: &str| fork_size(call, table, fork))),
        f(
            "pg_total_relation_size(regclass)",
            kernel!(|call; table: u32| table_size(call, table).map(|own| own + indexes_size(call, table))),
        ),
        f(
            "pg_indexes_size(regclass)",
            kernel!(|call; table: u32| table_size(call, table).map(|_| indexes_size(call, table))),
        ),
        f("pg_database_size(oid)", kernel!(|call; _database: u32| database_size(call))),
        f("pg_database_size(name)", kernel!(|call; _database: &str| database_size(call))),
        f("pg_tablespace_size(oid)", kernel!(|call; tablespace: u32| tablespace_size(call, tablespace))),
        f(
            "pg_tablespace_size(name)",
            kernel!(|call; tablespace: &str| {
                let oid = match tablespace {
                    "pg_default" => fixed_oid::DEFAULT_TABLESPACE,
                    "pg_global" => fixed_oid::GLOBAL_TABLESPACE,
                    other => {
                        let message = format!("tablespace \"{other}\" does not exist");
                        return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message));
                    }
                };
                Ok(tablespace_size(call, oid))
            }),
        ),
        f("pg_column_size(any)", columns(column_size)),
        f("pg_tablespace_location(oid)", kernel!(|_tablespace: u32| "")),
        f(
            "pg_relation_filenode(regclass)",
            kernel!(|call; table: u32| call.context.catalog.relation(table)?.table().map(|table| table.storage as u32)),
        ),
        f(
            "pg_get_replica_identity_index(regclass)",
            kernel!(|call; table: u32| {
                let table = call.context.catalog.relation(table)?;
                table.constraints().iter().find_map(|constraint| match &constraint.kind {
                    ConstraintKind::PrimaryKey { index, .. } => Some(*index),
                    _ => None,
                })
            }),
        ),
    ]
}

fn table_size(call: &Call<'_>, table: Oid) -> Option<i64> {
    call.context.catalog.relation(table)?;
    Some(call.context.services.table_bytes(table) as i64)
}

fn indexes_size(call: &Call<'_>, table: Oid) -> i64 {
    let indexes = call.context.catalog.indexes_of(table);
    indexes.map(|index| call.context.services.table_bytes(index.oid) as i64).sum()
}

fn fork_size(call: &Call<'_>, table: Oid, fork: &str) -> Result<Option<i64>> {
    match fork {
        "main" => Ok(table_size(call, table)),
        "fsm" | "vm" | "init" => Ok(table_size(call, table).map(|_| 0)),
        _ => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "invalid fork name")
            .with_hint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".")),
    }
}

fn database_size(call: &Call<'_>) -> i64 {
    let tables = call.context.catalog.user_relations().filter(|relation| relation.table().is_some());
    tables.map(|table| call.context.services.table_bytes(table.oid) as i64).sum()
}

/// Everything lies in `pg_default`; null for a tablespace that does not exist.
fn tablespace_size(call: &Call<'_>, tablespace: Oid) -> Option<i64> {
    match tablespace {
        fixed_oid::DEFAULT_TABLESPACE => Some(database_size(call)),
        fixed_oid::GLOBAL_TABLESPACE => Some(0),
        _ => None,
    }
}

/// Bytes that a value takes when nothing compresses it: its binary form, and a length word if the type's length varies.
fn column_size(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    const LENGTH_WORD: i32 = 4;
    let ([array], Some(ty)) = (args, call.arg_types.first()) else {
        return Err(Error::internal("pg_column_size has one argument"));
    };
    let fixed = type_info(ty.oid).map(|info| i32::from(info.len)).filter(|&length| length > 0);
    let encoder = BinaryEncoder::new(*ty, array, &call.context.format.names)?;
    let mut bytes = Vec::new();
    let sizes = (0..array.len()).map(|row| {
        if encoder.is_null(row) {
            return None;
        }
        Some(fixed.unwrap_or_else(|| {
            bytes.clear();
            encoder.encode(row, &mut bytes);
            i32::try_from(bytes.len()).unwrap_or(i32::MAX).saturating_add(LENGTH_WORD)
        }))
    });
    Ok(Arc::new(sizes.collect::<Int32Array>()))
}

/// Halves are rounded away from zero; a unit is left when ten thousand of it, less half, are reached.
fn pretty(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    const LIMIT: i64 = 10 * 1024;
    if bytes.unsigned_abs() < LIMIT as u64 {
        return format!("{bytes} bytes");
    }
    // One extra bit until the end, for rounding.
    let mut size = bytes >> 9;
    if bytes < 0 {
        size = -(((bytes.unsigned_abs()) >> 9) as i64);
    }
    for unit in &UNITS[1..] {
        let is_last = *unit == "PB";
        if size.abs() < 2 * LIMIT - 1 || is_last {
            let rounded = if size >= 0 { (size + 1) / 2 } else { (size - 1) / 2 };
            return format!("{rounded} {unit}");
        }
        size /= 1024;
    }
    format!("{bytes} bytes")
}

fn size_bytes(text: &str) -> Result<i64> {
    let invalid = || Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid size: \"{text}\""));
    let trimmed = text.trim();
    let end = trimmed.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(end);
    let number = Numeric::parse(number).map_err(|_| invalid())?;
    let factor: i64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "bytes" | "b" => 1,
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        "tb" => 1 << 40,
        "pb" => 1 << 50,
        other => {
            return Err(invalid()
                .with_detail(format!("Invalid size unit: \"{other}\"."))
                .with_hint("Valid units are \"bytes\", \"B\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\"."));
        }
    };
    number.mul(&Numeric::from(factor))?.to_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_postgresql_prints_them() {
        for (bytes, expected) in [
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (1_000_000, "977 kB"),
            (-1_000_000, "-977 kB"),
            (1_000_000_000, "954 MB"),
            (1_000_000_000_000_000, "909 TB"),
        ] {
            assert_eq!(pretty(bytes), expected);
        }
    }
}
