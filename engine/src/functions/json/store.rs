//! Assignment to a part of a jsonb value, `value['key'][index] = new` (PostgreSQL manual 8.14.5).

use aegis_catalog::types::json::{JsonValue, parse};
use aegis_catalog::{Error, Result, sqlstate};

/// Elements that an assignment may add to an array.
const MAX_ELEMENTS: usize = 1 << 24;

/// The value with `new` at the end of the path; what is missing on the way is made. `into_array` tells what a null is taken for.
pub fn store(value: Option<&str>, path: &[&str], new: Option<&str>, into_array: bool) -> Result<String> {
    let mut root = match value {
        Some(text) => parse(text)?,
        None if into_array => JsonValue::Array(Vec::new()),
        None => JsonValue::object(Vec::new()),
    };
    let new = match new {
        Some(text) => parse(text)?,
        None => JsonValue::Null,
    };
    put(&mut root, path, 0, new)?;
    Ok(root.to_string())
}

fn put(value: &mut JsonValue, path: &[&str], depth: usize, new: JsonValue) -> Result<()> {
    let Some((step, rest)) = path.split_first() else {
        *value = new;
        return Ok(());
    };
    match value {
        JsonValue::Object(members) => match members.iter_mut().find(|(name, _)| name == step) {
            Some((_, member)) => put(member, rest, depth + 1, new),
            None => {
                let mut all = std::mem::take(members);
                all.push(((*step).to_owned(), made(rest, new)?));
                *value = JsonValue::object(all);
                Ok(())
            }
        },
        JsonValue::Array(items) => {
            let index: i64 = step.parse().map_err(|_| {
                let message = format!("path element at position {} is not an integer: \"{step}\"", depth + 1);
                Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message)
            })?;
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let place = if index < 0 { index.saturating_add(length) } else { index };
            let place = usize::try_from(place).map_err(|_| {
                let message = format!("path element at position {} is out of range: {index}", depth + 1);
                Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
            })?;
            match items.get_mut(place) {
                Some(item) => put(item, rest, depth + 1, new),
                None => {
                    pad(items, place)?;
                    items.push(made(rest, new)?);
                    Ok(())
                }
            }
        }
        _ => {
            let detail = "The path assumes key is a composite object, but it is a scalar value.";
            Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "cannot replace existing key").with_detail(detail))
        }
    }
}

/// Nulls up to a position.
fn pad(items: &mut Vec<JsonValue>, place: usize) -> Result<()> {
    if place > MAX_ELEMENTS {
        let message = format!("number of jsonb array elements exceeds the maximum allowed ({MAX_ELEMENTS})");
        return Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, message));
    }
    items.resize_with(place, || JsonValue::Null);
    Ok(())
}

/// A value that holds `new` at the end of a path: numbers make arrays, other steps objects.
fn made(path: &[&str], new: JsonValue) -> Result<JsonValue> {
    let mut value = new;
    for step in path.iter().rev() {
        value = match step.parse::<u32>() {
            Ok(index) => {
                let mut items = Vec::new();
                pad(&mut items, index as usize)?;
                items.push(value);
                JsonValue::Array(items)
            }
            Err(_) => JsonValue::object(vec![((*step).to_owned(), value)]),
        };
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_made() {
        let put = |value, path: &[&str], new| store(value, path, new, false).unwrap();
        assert_eq!(put(Some(r#"{"a": 1}"#), &["b", "c"], Some("2")), r#"{"a": 1, "b": {"c": 2}}"#);
        assert_eq!(put(Some("[0]"), &["3"], Some("7")), "[0, null, null, 7]");
        assert_eq!(put(Some("[0, 1]"), &["-1",], None), "[0, null]");
        assert_eq!(put(None, &["a", "1", "b"], Some("true")), r#"{"a": [null, {"b": true}]}"#);
        assert_eq!(store(None, &["1"], Some("5"), true).unwrap(), "[null, 5]");
        assert_eq!(store(Some("1"), &["a"], None, false).unwrap_err().message(), "cannot replace existing key");
        assert!(store(Some("[1]"), &["-3"], None, false).is_err());
    }
}
