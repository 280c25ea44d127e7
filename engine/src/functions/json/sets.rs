//! JSON taken apart into rows.

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::raw::{self, Kind};
use crate::functions::Body;
use crate::functions::set_returning::{record, set};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "json_array_elements(json)",
            set!(|a: &str| elements(a, "json_array_elements", |item| Some(item.to_owned()))),
        ),
        f(
            "jsonb_array_elements(jsonb)",
            set!(|a: &str| elements(a, "jsonb_array_elements", |item| Some(item.to_owned()))),
        ),
        f("json_array_elements_text(json)", set!(|a: &str| elements(a, "json_array_elements_text", raw::as_text))),
        f("jsonb_array_elements_text(jsonb)", set!(|a: &str| elements(a, "jsonb_array_elements_text", raw::as_text))),
        f("json_object_keys(json)", set!(|a: &str| keys(a, "json_object_keys"))),
        f("jsonb_object_keys(jsonb)", set!(|a: &str| keys(a, "jsonb_object_keys"))),
        f(
            "json_each(json)",
            each(&[("key", oid::TEXT), ("value", oid::JSON)], "json_each", |item| Some(item.to_owned())),
        ),
        f(
            "jsonb_each(jsonb)",
            each(&[("key", oid::TEXT), ("value", oid::JSONB)], "jsonb_each", |item| Some(item.to_owned())),
        ),
        f("json_each_text(json)", each(&[("key", oid::TEXT), ("value", oid::TEXT)], "json_each_text", raw::as_text)),
        f("jsonb_each_text(jsonb)", each(&[("key", oid::TEXT), ("value", oid::TEXT)], "jsonb_each_text", raw::as_text)),
    ]
}

fn elements(text: &str, function: &str, item: fn(&str) -> Option<String>) -> Result<Vec<Option<String>>> {
    let refuse = |what: &str| Error::new(sqlstate::INVALID_PARAMETER_VALUE, what);
    match Kind::of(text) {
        Kind::Array => Ok(raw::elements(text).into_iter().map(item).collect()),
        Kind::Object if function.starts_with("jsonb") => Err(refuse("cannot extract elements from an object")),
        Kind::Object => Err(refuse(&format!("cannot call {function} on a non-array"))),
        _ if function.starts_with("jsonb") => Err(refuse("cannot extract elements from a scalar")),
        _ => Err(refuse(&format!("cannot call {function} on a scalar"))),
    }
}

fn check_object(text: &str, function: &str) -> Result<()> {
    let what = match Kind::of(text) {
        Kind::Object => return Ok(()),
        Kind::Array if function.contains("keys") => "an array",
        Kind::Array => "a non-object",
        _ if function.contains("keys") => "a scalar",
        _ => "a non-object",
    };
    Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("cannot call {function} on {what}")))
}

fn keys(text: &str, function: &str) -> Result<Vec<Option<String>>> {
    check_object(text, function)?;
    Ok(raw::members(text).into_iter().map(|(name, _)| Some(name)).collect())
}

fn each(columns: &'static [(&'static str, u32)], function: &'static str, item: fn(&str) -> Option<String>) -> Body {
    record(columns, move |_, inputs, row| {
        let text = inputs.reader::<&str>(0)?.get(row);
        check_object(text, function)?;
        Ok(raw::members(text).into_iter().map(|(name, value)| vec![Some(name), item(value)]).collect())
    })
}
