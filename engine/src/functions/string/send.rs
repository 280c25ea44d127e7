//! Send functions: a value in its binary form.

use std::sync::Arc;

use aegis_catalog::types::BinaryEncoder;
use aegis_catalog::{Error, Result};
use arrow::array::{Array, ArrayRef, BinaryViewBuilder};

use crate::functions::Call;
use crate::functions::kernel::columns;
use crate::functions::signature::{Row, f};

const SEND: &[&str] = &[
    "boolsend(bool)",
    "int2send(int2)",
    "int4send(int4)",
    "int8send(int8)",
    "float4send(float4)",
    "float8send(float8)",
    "numeric_send(numeric)",
    "textsend(text)",
    "varcharsend(varchar)",
    "bpcharsend(bpchar)",
    "namesend(name)",
    "charsend(char)",
    "byteasend(bytea)",
    "date_send(date)",
    "time_send(time)",
    "timetz_send(timetz)",
    "timestamp_send(timestamp)",
    "timestamptz_send(timestamptz)",
    "interval_send(interval)",
    "uuid_send(uuid)",
    "oidsend(oid)",
    "json_send(json)",
    "jsonb_send(jsonb)",
    "inet_send(inet)",
    "cidr_send(cidr)",
    "macaddr_send(macaddr)",
    "macaddr8_send(macaddr8)",
    "bit_send(bit)",
    "varbit_send(varbit)",
    "tsvectorsend(tsvector)",
    "tsquerysend(tsquery)",
    "array_send(anyarray)",
];

pub fn functions() -> Vec<Row> {
    SEND.iter().map(|signature| f(*signature, columns(send))).collect()
}

fn send(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let ([array], Some(ty)) = (args, call.arg_types.first()) else {
        return Err(Error::internal("a send function has one argument"));
    };
    let encoder = BinaryEncoder::new(*ty, array, &call.context.format.names)?;
    let mut result = BinaryViewBuilder::with_capacity(array.len());
    let mut bytes = Vec::new();
    for row in 0..array.len() {
        if encoder.is_null(row) {
            result.append_null();
            continue;
        }
        bytes.clear();
        encoder.encode(row, &mut bytes);
        result.append_value(&bytes);
    }
    Ok(Arc::new(result.finish()))
}
