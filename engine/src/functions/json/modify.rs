//! Changing jsonb: `||`, `-`, `#-`, `jsonb_set`, `jsonb_insert`, `strip_nulls`, `pretty`.

use aegis_catalog::types::json::{JsonValue, parse, write_json_string};
use aegis_catalog::{Error, Result, sqlstate};

use super::raw::{self, Kind};
use crate::functions::array::List;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("||(jsonb, jsonb)", kernel!(|a: &str, b: &str| concatenate(parse(a)?, parse(b)?))),
        f("-(jsonb, text)", kernel!(|a: &str, key: &str| delete(parse(a)?, &[Some(key)]))),
        f("-(jsonb, text[])", kernel!(|a: &str, keys: List<&str>| delete(parse(a)?, &keys.0))),
        f("-(jsonb, int4)", kernel!(|a: &str, index: i32| delete_index(parse(a)?, index))),
        f("#-(jsonb, text[])", kernel!(|a: &str, path: List<&str>| change(a, &path.0, &Change::Delete))),
        f(
            "jsonb_set(jsonb, text[], jsonb, bool)",
            kernel!(|a: &str, path: List<&str>, new: &str, create: bool| change(
                a,
                &path.0,
                &Change::Set { value: parse(new)?, create }
            )),
        ),
        f(
            "jsonb_insert(jsonb, text[], jsonb, bool)",
            kernel!(|a: &str, path: List<&str>, new: &str, after: bool| change(
                a,
                &path.0,
                &Change::Insert { value: parse(new)?, after }
            )),
        ),
        f("json_strip_nulls(json)", kernel!(|a: &str| stripped(a))),
        f("jsonb_strip_nulls(jsonb)", kernel!(|a: &str| aegis_catalog::types::json::canonical(&stripped(a)))),
        f("jsonb_pretty(jsonb)", kernel!(|a: &str| parse(a).map(|value| pretty(&value)))),
    ]
}

fn invalid(message: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

fn text(value: JsonValue) -> Result<String> {
    Ok(value.to_string())
}

/// Objects are merged; anything else is joined as arrays.
fn concatenate(a: JsonValue, b: JsonValue) -> Result<String> {
    text(match (a, b) {
        (JsonValue::Object(mut members), JsonValue::Object(other)) => {
            for (name, value) in other {
                match members.iter_mut().find(|(own, _)| *own == name) {
                    Some(member) => member.1 = value,
                    None => members.push((name, value)),
                }
            }
            JsonValue::object(members)
        }
        (a, b) => {
            let items = |value| match value {
                JsonValue::Array(items) => items,
                other => vec![other],
            };
            let mut joined = items(a);
            joined.extend(items(b));
            JsonValue::Array(joined)
        }
    })
}

fn delete(value: JsonValue, keys: &[Option<&str>]) -> Result<String> {
    let wanted = |name: &str| keys.contains(&Some(name));
    text(match value {
        JsonValue::Object(mut members) => {
            members.retain(|(name, _)| !wanted(name));
            JsonValue::Object(members)
        }
        JsonValue::Array(mut items) => {
            items.retain(|item| !matches!(item, JsonValue::String(text) if wanted(text)));
            JsonValue::Array(items)
        }
        _ => return Err(invalid("cannot delete from scalar")),
    })
}

fn position(length: usize, index: i32) -> Option<usize> {
    let position = if index < 0 { length.checked_sub(index.unsigned_abs() as usize)? } else { index as usize };
    (position < length).then_some(position)
}

fn delete_index(value: JsonValue, index: i32) -> Result<String> {
    match value {
        JsonValue::Array(mut items) => {
            if let Some(position) = position(items.len(), index) {
                items.remove(position);
            }
            text(JsonValue::Array(items))
        }
        JsonValue::Object(_) => Err(invalid("cannot delete from object using integer index")),
        _ => Err(invalid("cannot delete from scalar")),
    }
}

/// What happens at the end of a path.
enum Change {
    Delete,
    Set { value: JsonValue, create: bool },
    Insert { value: JsonValue, after: bool },
}

fn change(text_value: &str, path: &[Option<&str>], change: &Change) -> Result<String> {
    let mut value = parse(text_value)?;
    if !matches!(value, JsonValue::Array(_) | JsonValue::Object(_)) {
        return Err(invalid(if matches!(change, Change::Delete) {
            "cannot delete path in scalar"
        } else {
            "cannot set path in scalar"
        }));
    }
    if let Some((last, parents)) = path.split_last() {
        let mut current = Some(&mut value);
        for (depth, step) in parents.iter().enumerate() {
            let name = step_name(*step, depth)?;
            current = match current {
                Some(JsonValue::Object(members)) => {
                    members.iter_mut().find(|(own, _)| own == name).map(|(_, value)| value)
                }
                Some(JsonValue::Array(items)) => {
                    let index = step_index(name, depth)?;
                    position(items.len(), index).and_then(|at| items.get_mut(at))
                }
                _ => None,
            };
        }
        if let Some(parent) = current {
            apply(parent, step_name(*last, parents.len())?, parents.len(), change)?;
        }
    }
    text(value)
}

fn step_name(step: Option<&str>, depth: usize) -> Result<&str> {
    step.ok_or_else(|| {
        Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, format!("path element at position {} is null", depth + 1))
    })
}

fn step_index(name: &str, depth: usize) -> Result<i32> {
    name.trim().parse().map_err(|_| {
        Error::new(
            sqlstate::INVALID_TEXT_REPRESENTATION,
            format!("path element at position {} is not an integer: \"{name}\"", depth + 1),
        )
    })
}

fn apply(parent: &mut JsonValue, name: &str, depth: usize, change: &Change) -> Result<()> {
    match parent {
        JsonValue::Object(members) => {
            let found = members.iter().position(|(own, _)| own == name);
            match (change, found) {
                (Change::Delete, Some(at)) => drop(members.remove(at)),
                (Change::Set { value, .. }, Some(at)) => members[at].1 = value.clone(),
                (Change::Insert { .. }, Some(_)) => {
                    return Err(invalid("cannot replace existing key")
                        .with_hint("Try using the function jsonb_set to replace key value."));
                }
                (Change::Set { value, create: true } | Change::Insert { value, .. }, None) => {
                    let mut all = std::mem::take(members);
                    all.push((name.to_owned(), value.clone()));
                    *parent = JsonValue::object(all);
                }
                _ => {}
            }
        }
        JsonValue::Array(items) => {
            let index = step_index(name, depth)?;
            let end = if index < 0 { 0 } else { items.len() };
            match (change, position(items.len(), index)) {
                (Change::Delete, Some(at)) => drop(items.remove(at)),
                (Change::Set { value, .. }, Some(at)) => items[at] = value.clone(),
                (Change::Insert { value, after }, Some(at)) => items.insert(at + usize::from(*after), value.clone()),
                (Change::Set { value, create: true } | Change::Insert { value, .. }, None) => {
                    items.insert(end, value.clone())
                }
                _ => {}
            }
        }
        _ => {}
    }
    Ok(())
}

/// Without members that are null, at any depth; written without blanks.
fn stripped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    strip(text, &mut out);
    out
}

/// Nesting is bounded by what the parser lets in.
fn strip(text: &str, out: &mut String) {
    match Kind::of(text) {
        Kind::Object => {
            out.push('{');
            let members = raw::members(text).into_iter().filter(|(_, value)| Kind::of(value) != Kind::Null);
            for (position, (name, value)) in members.enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write_json_string(&name, out);
                out.push(':');
                strip(value, out);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for (position, value) in raw::elements(text).into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                strip(value, out);
            }
            out.push(']');
        }
        _ => out.push_str(text.trim()),
    }
}

fn pretty(value: &JsonValue) -> String {
    let mut out = String::new();
    indent(value, 0, &mut out);
    out
}

fn indent(value: &JsonValue, depth: usize, out: &mut String) {
    let line = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth * 4));
    };
    match value {
        JsonValue::Object(members) => {
            out.push('{');
            for (position, (name, value)) in members.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                write_json_string(name, out);
                out.push_str(": ");
                indent(value, depth + 1, out);
            }
            line(depth, out);
            out.push('}');
        }
        JsonValue::Array(items) => {
            out.push('[');
            for (position, value) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                line(depth + 1, out);
                indent(value, depth + 1, out);
            }
            line(depth, out);
            out.push(']');
        }
        scalar => scalar.write(out),
    }
}
