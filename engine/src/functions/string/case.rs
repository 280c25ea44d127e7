//! Case, length, order of characters, single characters.

use aegis_catalog::{Error, Result, sqlstate};

use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("upper(text)", kernel!(|a: &str| a.to_uppercase())),
        f("lower(text)", kernel!(|a: &str| a.to_lowercase())),
        f("initcap(text)", kernel!(|a: &str| initcap(a))),
        f("length(text)", kernel!(|a: &str| characters(a))),
        f("length(bpchar)", kernel!(|a: &str| characters(a.trim_end_matches(' ')))),
        f("char_length(text)", kernel!(|a: &str| characters(a))),
        f("char_length(bpchar)", kernel!(|a: &str| characters(a.trim_end_matches(' ')))),
        f("character_length(text)", kernel!(|a: &str| characters(a))),
        f("character_length(bpchar)", kernel!(|a: &str| characters(a.trim_end_matches(' ')))),
        f("textlen(text)", kernel!(|a: &str| characters(a))),
        f("octet_length(text)", kernel!(|a: &str| a.len() as i32)),
        f("octet_length(bpchar)", kernel!(|a: &str| a.len() as i32)),
        f("bit_length(text)", kernel!(|a: &str| a.len() as i32 * 8)),
        f("reverse(text)", kernel!(|a: &str| a.chars().rev().collect::<String>())),
        f("ascii(text)", kernel!(|a: &str| a.chars().next().map_or(0, |first| first as i32))),
        f("chr(int4)", kernel!(|code: i32| chr(code))),
        f("repeat(text, int4)", kernel!(|a: &str, times: i32| repeat(a, times))),
        f("text_larger(text, text)", kernel!(|a: &str, b: &str| a.max(b).to_owned())),
        f("text_smaller(text, text)", kernel!(|a: &str, b: &str| a.min(b).to_owned())),
    ]
}

fn characters(text: &str) -> i32 {
    if text.is_ascii() { text.len() as i32 } else { text.chars().count() as i32 }
}

fn initcap(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut in_word = false;
    for character in text.chars() {
        if in_word {
            result.extend(character.to_lowercase());
        } else {
            result.extend(character.to_uppercase());
        }
        in_word = character.is_alphanumeric();
    }
    result
}

fn chr(code: i32) -> Result<String> {
    match code {
        0 => Err(Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "null character not permitted")),
        code if code < 0 => Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "character number must be positive")),
        code => char::from_u32(code as u32).map(String::from).ok_or_else(|| {
            Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, format!("requested character not valid for encoding: {code}"))
        }),
    }
}

/// Largest value of one field (1 GB less a header).
const MAX_BYTES: usize = 0x3FFF_FFFF - 4;

pub fn too_large() -> Error {
    Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "requested length too large")
}

fn repeat(text: &str, times: i32) -> Result<String> {
    let times = times.max(0) as usize;
    if text.len().saturating_mul(times) > MAX_BYTES {
        return Err(too_large());
    }
    Ok(text.repeat(times))
}
