//! Comparison functions and operators (PostgreSQL manual 9.2): the six operators of every type.

mod hash;
mod image;
pub mod key;

use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type};
use arrow::array::{ArrayRef, BooleanArray, Int32Array};
use arrow::compute::kernels::cmp;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::logical_expr::{Expr, Operator, binary_expr, cast};

use super::kernel::columns;
use super::signature::{Row, f};
use super::{Body, Call};
use crate::execute::error::from_arrow;
use crate::functions::datetime::zone;
use key::{Key, key_array, key_of};

pub use key::comparison_key;

const OPERATORS: [(&str, Operator, Compare); 6] = [
    ("=", Operator::Eq, cmp::eq),
    ("<>", Operator::NotEq, cmp::neq),
    ("<", Operator::Lt, cmp::lt),
    ("<=", Operator::LtEq, cmp::lt_eq),
    (">", Operator::Gt, cmp::gt),
    (">=", Operator::GtEq, cmp::gt_eq),
];

type Compare = fn(&dyn arrow::array::Datum, &dyn arrow::array::Datum) -> Result<BooleanArray, ArrowError>;

/// Types whose values, or their keys, compare natively.
const TYPES: &[&str] = &[
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "text",
    "bpchar",
    "name",
    "char",
    "bytea",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "oid",
    "pg_lsn",
    "xid8",
    "tid",
    "jsonb",
    "inet",
    "macaddr",
    "macaddr8",
    "bit",
    "varbit",
    "money",
    "tsvector",
    "tsquery",
];

/// Pairs of different types with the type both are cast to first.
const MIXED: &[(&str, &str, DataType)] = &[
    ("int2", "int4", DataType::Int32),
    ("int4", "int2", DataType::Int32),
    ("int2", "int8", DataType::Int64),
    ("int8", "int2", DataType::Int64),
    ("int4", "int8", DataType::Int64),
    ("int8", "int4", DataType::Int64),
    ("name", "text", DataType::Utf8View),
    ("text", "name", DataType::Utf8View),
];

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for (symbol, operator, compare) in OPERATORS {
        for ty in TYPES {
            let key = aegis_catalog::facts::type_named(ty).and_then(|row| key_of(Type::of(row.oid)));
            rows.push(f(format!("{symbol}({ty}, {ty})"), same(operator, key)));
        }
        rows.push(f(format!("{symbol}(anyenum, anyenum)"), same(operator, None)));
        for (left, right, wide) in MIXED {
            rows.push(f(format!("{symbol}({left}, {right})"), widened(operator, wide.clone())));
        }
        rows.push(f(format!("{symbol}(float4, float8)"), float(operator)));
        rows.push(f(format!("{symbol}(float8, float4)"), float(operator)));
        rows.push(f(format!("{symbol}(date, timestamp)"), dates(operator, true)));
        rows.push(f(format!("{symbol}(timestamp, date)"), dates(operator, false)));
        for (left, right) in [
            ("date", "timestamptz"),
            ("timestamptz", "date"),
            ("timestamp", "timestamptz"),
            ("timestamptz", "timestamp"),
        ] {
            rows.push(f(format!("{symbol}({left}, {right})"), zoned(compare)));
        }
        for ty in ["anyarray", "record", "oidvector", "anyrange", "anymultirange"] {
            rows.push(f(format!("{symbol}({ty}, {ty})"), by_key(compare)));
        }
    }
    for (symbol, operator, _) in &OPERATORS[..2] {
        rows.push(f(format!("{symbol}(xid, xid)"), same(*operator, None)));
    }
    // Strings compare by bytes anyway.
    for (symbol, operator) in
        [("~<~", Operator::Lt), ("~<=~", Operator::LtEq), ("~>~", Operator::Gt), ("~>=~", Operator::GtEq)]
    {
        for ty in ["text", "bpchar"] {
            let key = aegis_catalog::facts::type_named(ty).and_then(|row| key_of(Type::of(row.oid)));
            rows.push(f(format!("{symbol}({ty}, {ty})"), same(operator, key)));
        }
    }
    rows.push(f("=(cid, cid)", same(Operator::Eq, None)));
    rows.push(f("=(xid, int4)", widened(Operator::Eq, DataType::Int64)));
    rows.push(f("<>(xid, int4)", widened(Operator::NotEq, DataType::Int64)));
    rows.extend(image::functions());
    rows.extend(hash::functions());
    rows.extend(SUPPORT.iter().map(|signature| f(*signature, columns(three_way))));
    rows
}

/// Support functions of B-tree operator classes: negative, zero or positive.
const SUPPORT: &[&str] = &[
    "btboolcmp(bool, bool)",
    "btint2cmp(int2, int2)",
    "btint4cmp(int4, int4)",
    "btint8cmp(int8, int8)",
    "btfloat4cmp(float4, float4)",
    "btfloat8cmp(float8, float8)",
    "numeric_cmp(numeric, numeric)",
    "bttextcmp(text, text)",
    "bttext_pattern_cmp(text, text)",
    "btbpchar_pattern_cmp(bpchar, bpchar)",
    "bpcharcmp(bpchar, bpchar)",
    "btnamecmp(name, name)",
    "byteacmp(bytea, bytea)",
    "date_cmp(date, date)",
    "time_cmp(time, time)",
    "timetz_cmp(timetz, timetz)",
    "timestamp_cmp(timestamp, timestamp)",
    "timestamptz_cmp(timestamptz, timestamptz)",
    "interval_cmp(interval, interval)",
    "uuid_cmp(uuid, uuid)",
    "btoidcmp(oid, oid)",
    "jsonb_cmp(jsonb, jsonb)",
    "network_cmp(inet, inet)",
    "macaddr_cmp(macaddr, macaddr)",
    "macaddr8_cmp(macaddr8, macaddr8)",
    "bitcmp(bit, bit)",
    "varbitcmp(varbit, varbit)",
    "cash_cmp(money, money)",
    "pg_lsn_cmp(pg_lsn, pg_lsn)",
    "xid8cmp(xid8, xid8)",
    "bttidcmp(tid, tid)",
    "btarraycmp(anyarray, anyarray)",
    "btrecordcmp(record, record)",
    "enum_cmp(anyenum, anyenum)",
    "range_cmp(anyrange, anyrange)",
    "multirange_cmp(anymultirange, anymultirange)",
    "tsvector_cmp(tsvector, tsvector)",
    "tsquery_cmp(tsquery, tsquery)",
];

fn pair(args: Vec<Expr>) -> (Expr, Expr) {
    let mut args = args.into_iter();
    let null = || datafusion::logical_expr::lit(datafusion::scalar::ScalarValue::Null);
    (args.next().unwrap_or_else(null), args.next().unwrap_or_else(null))
}

/// The comparison of a type whose values, or their keys, compare natively, by its symbol; None if there is no such operator.
pub fn comparison(symbol: &str, ty: aegis_catalog::Oid) -> Option<Body> {
    let (_, operator, _) = OPERATORS.iter().find(|(known, ..)| *known == symbol)?;
    Some(same(*operator, key_of(Type::of(ty))))
}

/// Negative, zero or positive.
pub fn three_way_comparison() -> Body {
    columns(three_way)
}

fn same(operator: Operator, key: Option<Key>) -> Body {
    Body::Expression(Arc::new(move |args| {
        let (left, right) = pair(args);
        match key {
            Some(key) => binary_expr(key.of(left), operator, key.of(right)),
            None => binary_expr(left, operator, right),
        }
    }))
}

fn widened(operator: Operator, wide: DataType) -> Body {
    Body::Expression(Arc::new(move |args| {
        let (left, right) = pair(args);
        binary_expr(cast(left, wide.clone()), operator, cast(right, wide.clone()))
    }))
}

fn float(operator: Operator) -> Body {
    Body::Expression(Arc::new(move |args| {
        let (left, right) = pair(args);
        let key = |side| Key::Float8.of(cast(side, DataType::Float64));
        binary_expr(key(left), operator, key(right))
    }))
}

fn dates(operator: Operator, date_left: bool) -> Body {
    Body::Expression(Arc::new(move |args| {
        let (left, right) = pair(args);
        if date_left {
            binary_expr(Key::DateTimestamp.of(left), operator, right)
        } else {
            binary_expr(left, operator, Key::DateTimestamp.of(right))
        }
    }))
}

/// Instants against local times: the local side is moved into UTC by the session's zone.
fn zoned(compare: Compare) -> Body {
    columns(move |call, args| {
        let [left, right] = args else { return Err(Error::internal("a comparison has two arguments")) };
        let left = zone::instants(call, call.arg_types.first(), left)?;
        let right = zone::instants(call, call.arg_types.get(1), right)?;
        Ok(Arc::new(compare(&left, &right).map_err(from_arrow)?))
    })
}

/// Polymorphic types: the key depends on the concrete type.
fn by_key(compare: Compare) -> Body {
    columns(move |call, args| {
        let (left, right) = keys(call, args)?;
        Ok(Arc::new(compare(&left, &right).map_err(from_arrow)?))
    })
}

fn keys(call: &Call<'_>, args: &[ArrayRef]) -> Result<(ArrayRef, ArrayRef)> {
    let ([left, right], [left_type, right_type]) = (args, call.arg_types) else {
        return Err(Error::internal("a comparison has two arguments"));
    };
    if left_type.oid == oid::RECORD && left.data_type() != right.data_type() {
        check_records(left, right)?;
    }
    Ok((key_array(*left_type, left)?, key_array(*right_type, right)?))
}

fn check_records(left: &ArrayRef, right: &ArrayRef) -> Result<()> {
    if let (DataType::Struct(left), DataType::Struct(right)) = (left.data_type(), right.data_type())
        && left.len() != right.len()
    {
        return Err(Error::new(
            aegis_catalog::sqlstate::DATATYPE_MISMATCH,
            "cannot compare record types with different numbers of columns",
        ));
    }
    Ok(())
}

fn three_way(call: &Call<'_>, args: &[ArrayRef]) -> Result<ArrayRef> {
    let (left, right) = keys(call, args)?;
    let less = cmp::lt(&left, &right).map_err(from_arrow)?;
    let greater = cmp::gt(&left, &right).map_err(from_arrow)?;
    let order = less.iter().zip(greater.iter()).map(|(less, greater)| Some(i32::from(greater?) - i32::from(less?)));
    Ok(Arc::new(order.collect::<Int32Array>()))
}
