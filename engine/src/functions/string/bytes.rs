//! Functions of `bytea`.

use aegis_catalog::{Error, Result, sqlstate};

use super::slice::bounds;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("||(bytea, bytea)", kernel!(|a: &[u8], b: &[u8]| [a, b].concat())),
        f("length(bytea)", kernel!(|a: &[u8]| a.len() as i32)),
        f("octet_length(bytea)", kernel!(|a: &[u8]| a.len() as i32)),
        f("bit_length(bytea)", kernel!(|a: &[u8]| a.len() as i32 * 8)),
        f("bit_count(bytea)", kernel!(|a: &[u8]| a.iter().map(|byte| i64::from(byte.count_ones())).sum::<i64>())),
        f("substring(bytea, int4)", kernel!(|a: &[u8], start: i32| part(a, start, None))),
        f("substring(bytea, int4, int4)", kernel!(|a: &[u8], start: i32, count: i32| part(a, start, Some(count)))),
        f("substr(bytea, int4)", kernel!(|a: &[u8], start: i32| part(a, start, None))),
        f("substr(bytea, int4, int4)", kernel!(|a: &[u8], start: i32, count: i32| part(a, start, Some(count)))),
        f(
            "position(bytea, bytea)",
            kernel!(|a: &[u8], part: &[u8]| memchr::memmem::find(a, part).map_or(0, |at| at as i32 + 1)),
        ),
        f(
            "overlay(bytea, bytea, int4)",
            kernel!(|a: &[u8], new: &[u8], start: i32| overlay(a, new, start, new.len() as i32)),
        ),
        f(
            "overlay(bytea, bytea, int4, int4)",
            kernel!(|a: &[u8], new: &[u8], start: i32, count: i32| overlay(a, new, start, count)),
        ),
        f("btrim(bytea, bytea)", kernel!(|a: &[u8], set: &[u8]| trimmed(a, set, true, true))),
        f("ltrim(bytea, bytea)", kernel!(|a: &[u8], set: &[u8]| trimmed(a, set, true, false))),
        f("rtrim(bytea, bytea)", kernel!(|a: &[u8], set: &[u8]| trimmed(a, set, false, true))),
        f("get_byte(bytea, int4)", kernel!(|a: &[u8], n: i32| Ok::<_, Error>(i32::from(a[index(n.into(), a.len())?])))),
        f("set_byte(bytea, int4, int4)", kernel!(|a: &[u8], n: i32, value: i32| set_byte(a, n, value))),
        f("get_bit(bytea, int8)", kernel!(|a: &[u8], n: i64| get_bit(a, n))),
        f("set_bit(bytea, int8, int4)", kernel!(|a: &[u8], n: i64, value: i32| set_bit(a, n, value))),
    ]
}

fn part(bytes: &[u8], start: i32, count: Option<i32>) -> Result<&[u8]> {
    let (first, end) = bounds(start, count)?;
    let first = first.min(bytes.len());
    Ok(&bytes[first..end.map_or(bytes.len(), |end| end.clamp(first, bytes.len()))])
}

fn overlay(bytes: &[u8], new: &[u8], start: i32, count: i32) -> Result<Vec<u8>> {
    if start <= 0 {
        return Err(Error::new(sqlstate::SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start.checked_add(count).ok_or_else(|| crate::functions::math::out_of_range("integer"))?;
    Ok([part(bytes, 1, Some(start - 1))?, new, part(bytes, after, None)?].concat())
}

fn trimmed<'a>(bytes: &'a [u8], set: &[u8], left: bool, right: bool) -> &'a [u8] {
    let outside = |byte: &u8| !set.contains(byte);
    let start = if left { bytes.iter().position(outside).unwrap_or(bytes.len()) } else { 0 };
    let end = if right { bytes.iter().rposition(outside).map_or(start, |last| last + 1) } else { bytes.len() };
    &bytes[start..end.max(start)]
}

fn index(n: i64, length: usize) -> Result<usize> {
    usize::try_from(n).ok().filter(|&n| n < length).ok_or_else(|| {
        let last = length as i64 - 1;
        Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, format!("index {n} out of valid range, 0..{last}"))
    })
}

fn set_byte(bytes: &[u8], n: i32, value: i32) -> Result<Vec<u8>> {
    let at = index(n.into(), bytes.len())?;
    let mut bytes = bytes.to_vec();
    bytes[at] = value as u8;
    Ok(bytes)
}

fn get_bit(bytes: &[u8], n: i64) -> Result<i32> {
    let at = index(n, bytes.len() * 8)?;
    Ok(i32::from(bytes[at / 8] >> (at % 8) & 1))
}

fn set_bit(bytes: &[u8], n: i64, value: i32) -> Result<Vec<u8>> {
    let at = index(n, bytes.len() * 8)?;
    if !matches!(value, 0 | 1) {
        return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "new bit must be 0 or 1"));
    }
    let mut bytes = bytes.to_vec();
    bytes[at / 8] = bytes[at / 8] & !(1 << (at % 8)) | (value as u8) << (at % 8);
    Ok(bytes)
}
