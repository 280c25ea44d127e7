//! Reading: `->`, `->>`, `#>`, `#>>`, `@>`, `?`, types and lengths.

use std::sync::Arc;

use aegis_catalog::types::is_array;
use aegis_catalog::types::json::{JsonValue, parse};
use aegis_catalog::types::numeric::Numeric;
use aegis_catalog::{Error, Result, sqlstate};

use super::raw::{self, Kind};
use crate::functions::Body;
use crate::functions::array::List;
use crate::functions::kernel::{Inputs, kernel};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for ty in ["json", "jsonb"] {
        rows.push(f(format!("->({ty}, text)"), kernel!(|a: &str, name: &str| raw::member(a, name).map(str::to_owned))));
        rows.push(f(
            format!("->({ty}, int4)"),
            kernel!(|a: &str, index: i32| raw::element(a, index).map(str::to_owned)),
        ));
        rows.push(f(
            format!("->>({ty}, text)"),
            kernel!(|a: &str, name: &str| raw::member(a, name).and_then(raw::as_text)),
        ));
        rows.push(f(
            format!("->>({ty}, int4)"),
            kernel!(|a: &str, index: i32| raw::element(a, index).and_then(raw::as_text)),
        ));
        rows.push(f(format!("{ty}_extract_path({ty}, text[])"), extract_path(|part| Some(part.to_owned()))));
        rows.push(f(format!("{ty}_extract_path_text({ty}, text[])"), extract_path(raw::as_text)));
        rows.push(f(format!("{ty}_typeof({ty})"), kernel!(|a: &str| Kind::of(a).name())));
        rows.push(f(format!("{ty}_array_length({ty})"), kernel!(|a: &str| array_length(a))));
    }
    rows.extend([
        f("@>(jsonb, jsonb)", kernel!(|a: &str, b: &str| Ok::<_, Error>(contains(&parse(a)?, &parse(b)?)))),
        f("<@(jsonb, jsonb)", kernel!(|a: &str, b: &str| Ok::<_, Error>(contains(&parse(b)?, &parse(a)?)))),
        f("?(jsonb, text)", kernel!(|a: &str, key: &str| exists(a, key))),
        f("?|(jsonb, text[])", kernel!(|a: &str, keys: List<&str>| keys.0.iter().flatten().any(|key| exists(a, key)))),
        f("?&(jsonb, text[])", kernel!(|a: &str, keys: List<&str>| keys.0.iter().flatten().all(|key| exists(a, key)))),
    ]);
    rows.extend(casts());
    rows
}

/// The path is one array, or the rest of the arguments.
fn extract_path(part: fn(&str) -> Option<String>) -> Body {
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let texts = inputs.reader::<&str>(0)?;
        if call.arg_types.get(1).is_some_and(|ty| is_array(ty.oid)) {
            let paths = inputs.reader::<List<&str>>(1)?;
            return inputs.run(
                call.rows,
                false,
                |row| inputs.any_null(row),
                |row| raw::at_path(texts.get(row), &paths.get(row).0).and_then(part),
            );
        }
        let steps = (1..inputs.len()).map(|position| inputs.reader::<&str>(position)).collect::<Result<Vec<_>>>()?;
        inputs.run(
            call.rows,
            false,
            |row| inputs.any_null(row),
            |row| {
                let path: Vec<_> = steps.iter().map(|step| Some(step.get(row))).collect();
                raw::at_path(texts.get(row), &path).and_then(part)
            },
        )
    }))
}

fn array_length(text: &str) -> Result<i32> {
    match Kind::of(text) {
        Kind::Array => Ok(raw::elements(text).len() as i32),
        Kind::Object => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "cannot get array length of a non-array")),
        _ => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "cannot get array length of a scalar")),
    }
}

/// A key of an object, or a string element of an array, or the string itself.
fn exists(text: &str, key: &str) -> bool {
    let is_key = |item: &str| Kind::of(item) == Kind::String && raw::decoded(item) == key;
    match Kind::of(text) {
        Kind::Object => raw::member(text, key).is_some(),
        Kind::Array => raw::elements(text).into_iter().any(is_key),
        Kind::String => is_key(text),
        _ => false,
    }
}

fn equal(a: &JsonValue, b: &JsonValue) -> bool {
    match (a, b) {
        (JsonValue::Number(x), JsonValue::Number(y)) => {
            x == y || matches!((Numeric::parse(x), Numeric::parse(y)), (Ok(x), Ok(y)) if x.compare(&y).is_eq())
        }
        _ => a == b,
    }
}

/// Structure and data of `b` are found in `a`. An array may also contain a bare scalar. Depth is bounded by the parser.
fn contains(a: &JsonValue, b: &JsonValue) -> bool {
    if let (
        JsonValue::Array(items),
        JsonValue::Null | JsonValue::Bool(_) | JsonValue::Number(_) | JsonValue::String(_),
    ) = (a, b)
    {
        return items.iter().any(|item| equal(item, b));
    }
    contained(a, b)
}

fn contained(a: &JsonValue, b: &JsonValue) -> bool {
    match (a, b) {
        (JsonValue::Object(_), JsonValue::Object(members)) => {
            members.iter().all(|(name, value)| a.get(name).is_some_and(|own| contained(own, value)))
        }
        (JsonValue::Array(own), JsonValue::Array(items)) => {
            items.iter().all(|item| own.iter().any(|candidate| contained(candidate, item)))
        }
        _ => equal(a, b),
    }
}

fn casts() -> Vec<Row> {
    macro_rules! number {
        ($name:literal, $sql:literal, $convert:expr) => {
            f(concat!($name, "(jsonb)"), kernel!(|a: &str| number(a, $sql).and_then($convert)))
        };
    }
    vec![
        number!("numeric", "numeric", Ok::<Numeric, Error>),
        number!("int2", "smallint", |value: Numeric| value.to_i16()),
        number!("int4", "integer", |value: Numeric| value.to_i32()),
        number!("int8", "bigint", |value: Numeric| value.to_i64()),
        number!("float4", "real", |value: Numeric| value.to_float4()),
        number!("float8", "double precision", |value: Numeric| value.to_float8()),
        f(
            "bool(jsonb)",
            kernel!(|a: &str| match Kind::of(a) {
                Kind::Boolean => Ok(a == "true"),
                kind => Err(cannot_cast(kind, "boolean")),
            }),
        ),
    ]
}

fn cannot_cast(kind: Kind, ty: &str) -> Error {
    let kind = match kind {
        Kind::Number => "numeric",
        kind => kind.name(),
    };
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("cannot cast jsonb {kind} to type {ty}"))
}

fn number(text: &str, ty: &str) -> Result<Numeric> {
    match Kind::of(text) {
        Kind::Number => Numeric::parse(text),
        kind => Err(cannot_cast(kind, ty)),
    }
}
