//! hstore (PostgreSQL manual F.18): sets of pairs of texts. Records, subscripts and indexes are not there.

use aegis_catalog::types::hstore::Hstore;
use aegis_catalog::types::json::{canonical, write_json_string};
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::{Extension, List, Symbols};
use crate::functions::comparison::comparison;
use crate::functions::kernel::kernel;
use crate::functions::set_returning::record;
use crate::set;

pub const EXTENSION: Extension = Extension {
    name: "hstore",
    version: "1.8",
    comment: "data type for storing sets of (key, value) pairs",
    trusted: true,
    relocatable: true,
    script: include_str!("hstore.sql"),
    types: &[oid::HSTORE],
    symbols,
    ..Extension::EMPTY
};

type Pair = (String, Option<String>);

fn symbols() -> Symbols {
    let mut symbols = look_ups();
    symbols.extend(changes());
    symbols.extend(conversions());
    symbols
}

fn look_ups() -> Symbols {
    vec![
        ("hstore_fetchval", kernel!(|a: &str, key: &str| Hstore::of_text(a).get(key).cloned().flatten())),
        (
            "hstore_slice_to_array",
            kernel!(|a: &str, keys: List<&str>| {
                let value = Hstore::of_text(a);
                List(keys.0.into_iter().map(|key| value.get(key?).cloned().flatten()).collect())
            }),
        ),
        ("hstore_exists", kernel!(|a: &str, key: &str| Hstore::of_text(a).get(key).is_some())),
        (
            "hstore_exists_any",
            kernel!(|a: &str, keys: List<&str>| {
                let value = Hstore::of_text(a);
                keys.0.into_iter().flatten().any(|key| value.get(key).is_some())
            }),
        ),
        (
            "hstore_exists_all",
            kernel!(|a: &str, keys: List<&str>| {
                let value = Hstore::of_text(a);
                keys.0.into_iter().flatten().all(|key| value.get(key).is_some())
            }),
        ),
        ("hstore_defined", kernel!(|a: &str, key: &str| Hstore::of_text(a).get(key).is_some_and(Option::is_some))),
        ("hstore_contains", kernel!(|a: &str, b: &str| contains(a, b))),
        ("hstore_contained", kernel!(|a: &str, b: &str| contains(b, a))),
    ]
    .into_iter()
    .chain(comparison("=", oid::HSTORE).map(|body| ("hstore_eq", body)))
    .chain(comparison("<>", oid::HSTORE).map(|body| ("hstore_ne", body)))
    .collect()
}

fn changes() -> Symbols {
    vec![
        (
            "hstore_slice_to_hstore",
            kernel!(|a: &str, keys: List<&str>| {
                keep(a, |(key, _)| keys.0.iter().flatten().any(|wanted| wanted == key))
            }),
        ),
        ("hstore_delete", kernel!(|a: &str, gone: &str| keep(a, |(key, _)| key != gone))),
        (
            "hstore_delete_array",
            kernel!(|a: &str, gone: List<&str>| keep(a, |(key, _)| !gone.0.iter().flatten().any(|gone| gone == key))),
        ),
        (
            "hstore_delete_hstore",
            kernel!(|a: &str, gone: &str| {
                let gone = Hstore::of_text(gone);
                keep(a, |(key, value)| gone.get(key) != Some(value))
            }),
        ),
        (
            "hstore_concat",
            kernel!(|a: &str, b: &str| {
                let mut pairs = Hstore::of_text(b).into_pairs();
                pairs.extend(Hstore::of_text(a).into_pairs());
                text_of(pairs)
            }),
        ),
    ]
}

fn conversions() -> Symbols {
    vec![
        (
            "hstore_from_text",
            kernel!(|key: Option<&str>, value: Option<&str>| {
                key.map(|key| text_of(vec![(key.to_owned(), value.map(str::to_owned))])).transpose()
            }),
        ),
        (
            "hstore_from_arrays",
            kernel!(|keys: Option<List<&str>>, values: Option<List<&str>>| {
                keys.map(|keys| of_arrays(keys, values)).transpose()
            }),
        ),
        ("hstore_from_array", kernel!(|pairs: List<&str>| of_array(&pairs))),
        (
            "hstore_to_array",
            kernel!(|a: &str| {
                let pairs = Hstore::of_text(a).into_pairs().into_iter();
                List(pairs.flat_map(|(key, value)| [Some(key), value]).collect())
            }),
        ),
        ("hstore_akeys", kernel!(|a: &str| List(keys(a)))),
        ("hstore_avals", kernel!(|a: &str| List(values(a)))),
        ("hstore_skeys", set!(|a: &str| Ok(keys(a)))),
        ("hstore_svals", set!(|a: &str| Ok(values(a)))),
        (
            "hstore_each",
            record(&[("key", oid::TEXT), ("value", oid::TEXT)], |_, inputs, row| {
                let pairs = Hstore::of_text(inputs.reader::<&str>(0)?.get(row)).into_pairs();
                Ok(pairs.into_iter().map(|(key, value)| vec![Some(key), value]).collect())
            }),
        ),
        ("hstore_to_json", kernel!(|a: &str| json(a, false))),
        ("hstore_to_json_loose", kernel!(|a: &str| json(a, true))),
        ("hstore_to_jsonb", kernel!(|a: &str| canonical(&json(a, false)))),
        ("hstore_to_jsonb_loose", kernel!(|a: &str| canonical(&json(a, true)))),
    ]
}

fn text_of(pairs: Vec<Pair>) -> Result<String> {
    Hstore::new(pairs).map(|value| value.to_string())
}

/// The pairs that stay.
fn keep(text: &str, stays: impl Fn(&Pair) -> bool) -> Result<String> {
    text_of(Hstore::of_text(text).into_pairs().into_iter().filter(stays).collect())
}

fn contains(whole: &str, part: &str) -> bool {
    let whole = Hstore::of_text(whole);
    Hstore::of_text(part).pairs().iter().all(|(key, value)| whole.get(key) == Some(value))
}

fn keys(text: &str) -> Vec<Option<String>> {
    Hstore::of_text(text).into_pairs().into_iter().map(|(key, _)| Some(key)).collect()
}

fn values(text: &str) -> Vec<Option<String>> {
    Hstore::of_text(text).into_pairs().into_iter().map(|(_, value)| value).collect()
}

fn key_of(key: Option<&str>) -> Result<String> {
    let null = || Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "null value not allowed for hstore key");
    key.map(str::to_owned).ok_or_else(null)
}

/// Without values all are null.
fn of_arrays(keys: List<&str>, values: Option<List<&str>>) -> Result<String> {
    let values = values.map_or_else(|| vec![None; keys.0.len()], |values| values.0);
    if values.len() != keys.0.len() {
        return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "arrays must have same bounds"));
    }
    let pairs = keys.0.into_iter().zip(values).map(|(key, value)| Ok((key_of(key)?, value.map(str::to_owned))));
    text_of(pairs.collect::<Result<_>>()?)
}

/// Keys and values in turn.
fn of_array(items: &List<&str>) -> Result<String> {
    let (pairs, rest) = items.0.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "array must have even number of elements"));
    }
    let pairs = pairs.iter().map(|[key, value]| Ok((key_of(*key)?, value.map(str::to_owned))));
    text_of(pairs.collect::<Result<_>>()?)
}

/// `loose`: what looks like a number or truth value is one.
fn json(text: &str, loose: bool) -> String {
    let mut out = String::from("{");
    for (position, (key, value)) in Hstore::of_text(text).pairs().iter().enumerate() {
        if position > 0 {
            out.push_str(", ");
        }
        write_json_string(key, &mut out);
        out.push_str(": ");
        match value.as_deref() {
            None => out.push_str("null"),
            Some("t") if loose => out.push_str("true"),
            Some("f") if loose => out.push_str("false"),
            Some(number) if loose && is_json_number(number) => out.push_str(number),
            Some(text) => write_json_string(text, &mut out),
        }
    }
    out.push('}');
    out
}

/// RFC 8259, section 6.
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(w, f)| (w, Some(f)));
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loose_json() {
        let value = Hstore::parse("a=>1, b=>t, c=>NULL, d=>01, e=>-2.5e+3, f=>x").unwrap().to_string();
        assert_eq!(json(&value, true), r#"{"a": 1, "b": true, "c": null, "d": "01", "e": -2.5e+3, "f": "x"}"#);
        assert_eq!(json(&value, false), r#"{"a": "1", "b": "t", "c": null, "d": "01", "e": "-2.5e+3", "f": "x"}"#);
    }
}
