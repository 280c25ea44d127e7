//! Support functions of hash operator classes (hashfunc.c, hashfn.c), which give PostgreSQL's own numbers: applications take `hashtext` for
//! the keys of advisory locks.

use std::sync::Arc;

use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array};
use arrow::datatypes::Int64Type;

use super::super::Call;
use super::super::kernel::columns;
use super::super::signature::{Row, f};
use crate::partition::hash::hashes;

/// Name and argument; those with a seed have a name of their own.
const FUNCTIONS: &[(&str, &str, &str)] = &[
    ("hashint2", "hashint2extended", "int2"),
    ("hashint4", "hashint4extended", "int4"),
    ("hashint8", "hashint8extended", "int8"),
    ("hashoid", "hashoidextended", "oid"),
    ("hashfloat4", "hashfloat4extended", "float4"),
    ("hashfloat8", "hashfloat8extended", "float8"),
    ("hash_numeric", "hash_numeric_extended", "numeric"),
    ("hashtext", "hashtextextended", "text"),
    ("hashname", "hashnameextended", "name"),
    ("hashbpchar", "hashbpcharextended", "bpchar"),
    ("uuid_hash", "uuid_hash_extended", "uuid"),
    ("time_hash", "time_hash_extended", "time"),
    ("timestamp_hash", "timestamp_hash_extended", "timestamp"),
    ("interval_hash", "interval_hash_extended", "interval"),
];

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for (plain, seeded, argument) in FUNCTIONS {
        rows.push(f(format!("{plain}({argument})"), columns(hash)));
        rows.push(f(format!("{seeded}({argument}, int8)"), columns(hash_with_seed)));
    }
    rows
}

fn hash(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let ([column], [ty, ..]) = (args, call.arg_types) else { return Err(unexpected()) };
    let hashes = hashes(*ty, column, |_| Some(0))?;
    Ok(Arc::new(hashes.into_iter().map(|hash| hash.map(|hash| hash as u32 as i32)).collect::<Int32Array>()))
}

fn hash_with_seed(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let ([column, seeds], [ty, ..]) = (args, call.arg_types) else { return Err(unexpected()) };
    let seeds = seeds.as_primitive_opt::<Int64Type>().ok_or_else(unexpected)?;
    let hashes = hashes(*ty, column, |row| seeds.is_valid(row).then(|| seeds.value(row)))?;
    Ok(Arc::new(hashes.into_iter().map(|hash| hash.map(|hash| hash as i64)).collect::<Int64Array>()))
}

fn unexpected() -> Error {
    Error::internal("a hash of other arguments than declared")
}
