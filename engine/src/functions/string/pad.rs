//! `trim`, `lpad`, `rpad`.

use aegis_catalog::Result;

use super::case::too_large;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("btrim(text)", kernel!(|a: &str| a.trim_matches(' '))),
        f("ltrim(text)", kernel!(|a: &str| a.trim_start_matches(' '))),
        f("rtrim(text)", kernel!(|a: &str| a.trim_end_matches(' '))),
        f("btrim(text, text)", kernel!(|a: &str, set: &str| a.trim_matches(|c| set.contains(c)))),
        f("ltrim(text, text)", kernel!(|a: &str, set: &str| a.trim_start_matches(|c| set.contains(c)))),
        f("rtrim(text, text)", kernel!(|a: &str, set: &str| a.trim_end_matches(|c| set.contains(c)))),
        f("lpad(text, int4)", kernel!(|a: &str, length: i32| pad(a, length, " ", true))),
        f("rpad(text, int4)", kernel!(|a: &str, length: i32| pad(a, length, " ", false))),
        f("lpad(text, int4, text)", kernel!(|a: &str, length: i32, fill: &str| pad(a, length, fill, true))),
        f("rpad(text, int4, text)", kernel!(|a: &str, length: i32, fill: &str| pad(a, length, fill, false))),
    ]
}

fn pad(text: &str, length: i32, fill: &str, left: bool) -> Result<String> {
    let length = length.max(0) as usize;
    if length > 0x0FFF_FFFF {
        return Err(too_large());
    }
    let have = text.chars().count();
    if have >= length || fill.is_empty() {
        return Ok(text.chars().take(length).collect());
    }
    let filling = fill.chars().cycle().take(length - have);
    let mut padded = String::with_capacity(text.len() + length - have);
    if left {
        padded.extend(filling);
        padded.push_str(text);
    } else {
        padded.push_str(text);
        padded.extend(filling);
    }
    Ok(padded)
}
