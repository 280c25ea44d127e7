//! Parts of strings: `substring`, `left`, `position`, `split_part`, `overlay`, `replace`.

use aegis_catalog::{Error, Result, sqlstate};

use crate::functions::array::List;
use crate::functions::kernel::kernel;
use crate::functions::math::out_of_range;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("substring(text, int4)", kernel!(|a: &str, start: i32| substring(a, start, None))),
        f("substring(text, int4, int4)", kernel!(|a: &str, start: i32, count: i32| substring(a, start, Some(count)))),
        f("substr(text, int4)", kernel!(|a: &str, start: i32| substring(a, start, None))),
        f("substr(text, int4, int4)", kernel!(|a: &str, start: i32, count: i32| substring(a, start, Some(count)))),
        f("left(text, int4)", kernel!(|a: &str, count: i32| left(a, count))),
        f("right(text, int4)", kernel!(|a: &str, count: i32| right(a, count))),
        f("strpos(text, text)", kernel!(|a: &str, part: &str| position(a, part))),
        f("position(text, text)", kernel!(|a: &str, part: &str| position(a, part))),
        f("starts_with(text, text)", kernel!(|a: &str, part: &str| a.starts_with(part))),
        f("split_part(text, text, int4)", kernel!(|a: &str, by: &str, n: i32| split_part(a, by, n))),
        f(
            "replace(text, text, text)",
            kernel!(|a: &str, from: &str, to: &str| if from.is_empty() { a.to_owned() } else { a.replace(from, to) }),
        ),
        f("translate(text, text, text)", kernel!(|a: &str, from: &str, to: &str| translate(a, from, to))),
        f(
            "overlay(text, text, int4)",
            kernel!(|a: &str, new: &str, start: i32| overlay(a, new, start, new.chars().count() as i32)),
        ),
        f(
            "overlay(text, text, int4, int4)",
            kernel!(|a: &str, new: &str, start: i32, count: i32| overlay(a, new, start, count)),
        ),
        f("string_to_array(text, text)", kernel!(|a: &str, by: Option<&str>| split(a, by, None))),
        f(
            "string_to_array(text, text, text)",
            kernel!(|a: &str, by: Option<&str>, null: Option<&str>| split(a, by, null)),
        ),
    ]
}

/// Byte offset of a character position, at most the length.
fn offset(text: &str, characters: usize) -> usize {
    if text.is_ascii() {
        return characters.min(text.len());
    }
    text.char_indices().nth(characters).map_or(text.len(), |(offset, _)| offset)
}

/// Part of a sequence of `len` items, as SQL's `substring` counts: from 1, the start may lie before it.
pub fn bounds(start: i32, count: Option<i32>) -> Result<(usize, Option<usize>)> {
    let first = i64::from(start).max(1) - 1;
    let Some(count) = count else { return Ok((first as usize, None)) };
    if count < 0 {
        return Err(Error::new(sqlstate::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let end = (i64::from(start) + i64::from(count) - 1).max(first);
    Ok((first as usize, Some(end as usize)))
}

pub fn substring(text: &str, start: i32, count: Option<i32>) -> Result<&str> {
    let (first, end) = bounds(start, count)?;
    let text = &text[offset(text, first)..];
    Ok(match end {
        Some(end) => &text[..offset(text, end - first)],
        None => text,
    })
}

/// A negative count leaves out so many at the other end.
fn keep(text: &str, count: i32) -> usize {
    match usize::try_from(count) {
        Ok(count) => count,
        Err(_) => text.chars().count().saturating_sub(count.unsigned_abs() as usize),
    }
}

fn left(text: &str, count: i32) -> &str {
    &text[..offset(text, keep(text, count))]
}

fn right(text: &str, count: i32) -> &str {
    let total = text.chars().count();
    &text[offset(text, total.saturating_sub(keep(text, count)))..]
}

fn position(text: &str, part: &str) -> i32 {
    text.find(part).map_or(0, |offset| text[..offset].chars().count() as i32 + 1)
}

fn split_part<'a>(text: &'a str, by: &str, n: i32) -> Result<&'a str> {
    if n == 0 {
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "field position must not be zero"));
    }
    let index = n.unsigned_abs() as usize - 1;
    if by.is_empty() {
        return Ok(if index == 0 { text } else { "" });
    }
    let found = if n > 0 {
        text.split(by).nth(index)
    } else {
        // Fields are those found from the left, also when counted from the right.
        let fields: Vec<&str> = text.split(by).collect();
        fields.len().checked_sub(index + 1).and_then(|index| fields.get(index).copied())
    };
    Ok(found.unwrap_or(""))
}

fn translate(text: &str, from: &str, to: &str) -> String {
    text.chars()
        .filter_map(|character| match from.chars().position(|other| other == character) {
            Some(position) => to.chars().nth(position),
            None => Some(character),
        })
        .collect()
}

fn overlay(text: &str, new: &str, start: i32, count: i32) -> Result<String> {
    if start <= 0 {
        return Err(Error::new(sqlstate::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start.checked_add(count).ok_or_else(|| out_of_range("integer"))?;
    Ok([substring(text, 1, Some(start - 1))?, new, substring(text, after, None)?].concat())
}

/// `string_to_array`: no delimiter splits into characters, the empty one not at all.
pub fn split(text: &str, by: Option<&str>, null: Option<&str>) -> List<String> {
    let field = |field: &str| (Some(field) != null).then(|| field.to_owned());
    List(match by {
        _ if text.is_empty() => Vec::new(),
        None => text.chars().map(|character| field(character.encode_utf8(&mut [0; 4]))).collect(),
        Some("") => vec![field(text)],
        Some(by) => text.split(by).map(field).collect(),
    })
}
