//! Text input and output.

use super::{RangeType, decode, encode_multirange, encode_range, make_range, normalize};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::FormatSettings;

const EMPTY: &str = "empty";

fn malformed(kind: &str, input: &str, detail: &str) -> Error {
    Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("malformed {kind} literal: \"{input}\""))
        .with_detail(detail)
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Text input of a range: its representation.
pub fn parse(ty: &RangeType, input: &str, settings: &FormatSettings) -> Result<Vec<u8>> {
    let literal = split(input)?;
    let Some(Literal { lower, upper, lower_inclusive, upper_inclusive }) = literal else {
        return Ok(encode_range(None));
    };
    let value = |text: Option<String>| text.map(|text| ty.subtype.parse(&text, settings)).transpose();
    let (lower, upper) = (value(lower)?, value(upper)?);
    make_range(ty.subtype, lower.as_deref(), upper.as_deref(), lower_inclusive, upper_inclusive)
}

/// The parts of a literal that is not `empty`.
struct Literal {
    lower: Option<String>,
    upper: Option<String>,
    lower_inclusive: bool,
    upper_inclusive: bool,
}

fn split(input: &str) -> Result<Option<Literal>> {
    let bytes = input.as_bytes();
    let fail = |detail: &str| malformed("range", input, detail);
    let skip = |mut at: usize| {
        while bytes.get(at).is_some_and(|&byte| is_space(byte)) {
            at += 1;
        }
        at
    };
    let mut at = skip(0);
    if bytes.get(at..at + EMPTY.len()).is_some_and(|word| word.eq_ignore_ascii_case(EMPTY.as_bytes())) {
        return match bytes.get(skip(at + EMPTY.len())) {
            None => Ok(None),
            Some(_) => Err(fail("Junk after \"empty\" key word.")),
        };
    }
    let lower_inclusive = match bytes.get(at) {
        Some(b'[') => true,
        Some(b'(') => false,
        _ => return Err(fail("Missing left parenthesis or bracket.")),
    };
    at += 1;
    let lower = bound(input, &mut at)?;
    if bytes.get(at) != Some(&b',') {
        return Err(fail("Missing comma after lower bound."));
    }
    at += 1;
    let upper = bound(input, &mut at)?;
    let upper_inclusive = match bytes.get(at) {
        Some(b']') => true,
        Some(b')') => false,
        _ => return Err(fail("Too many commas.")),
    };
    if skip(at + 1) < bytes.len() {
        return Err(fail("Junk after right parenthesis or bracket."));
    }
    Ok(Some(Literal { lower, upper, lower_inclusive, upper_inclusive }))
}

/// Text up to the end of a bound, without its quotes; None if there is none.
fn bound(input: &str, at: &mut usize) -> Result<Option<String>> {
    let bytes = input.as_bytes();
    let ends = |byte: Option<&u8>| matches!(byte, Some(b',' | b')' | b']'));
    if ends(bytes.get(*at)) {
        return Ok(None);
    }
    let (mut text, mut quoted) = (Vec::new(), false);
    while quoted || !ends(bytes.get(*at)) {
        let unfinished = || malformed("range", input, "Unexpected end of input.");
        let byte = *bytes.get(*at).ok_or_else(unfinished)?;
        *at += 1;
        match byte {
            b'\\' => {
                text.push(*bytes.get(*at).ok_or_else(unfinished)?);
                *at += 1;
            }
            b'"' if !quoted => quoted = true,
            b'"' if bytes.get(*at) == Some(&b'"') => {
                text.push(b'"');
                *at += 1;
            }
            b'"' => quoted = false,
            byte => text.push(byte),
        }
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Text input of a multirange: its representation.
pub fn parse_multirange(ty: &RangeType, input: &str, settings: &FormatSettings) -> Result<Vec<u8>> {
    let parts = split_multirange(input)?;
    let ranges = parts.into_iter().map(|part| parse(ty, part, settings)).collect::<Result<Vec<_>>>()?;
    let ranges = ranges.iter().flat_map(|range| decode(ty.subtype, range)).collect();
    Ok(encode_multirange(&normalize(ranges)))
}

enum State {
    BeforeRange,
    InRange,
    Quoted,
    AfterRange,
}

/// The texts of the ranges.
fn split_multirange(input: &str) -> Result<Vec<&str>> {
    let bytes = input.as_bytes();
    let fail = |detail: &str| malformed("multirange", input, detail);
    let mut at = bytes.iter().take_while(|&&byte| is_space(byte)).count();
    if bytes.get(at) != Some(&b'{') {
        return Err(fail("Missing left brace."));
    }
    at += 1;
    let (mut parts, mut seen, mut start) = (Vec::new(), 0, at);
    let mut state = State::BeforeRange;
    loop {
        let byte = *bytes.get(at).ok_or_else(|| fail("Unexpected end of input."))?;
        if is_space(byte) {
            at += 1;
            continue;
        }
        let is_empty =
            || bytes[at..].get(..EMPTY.len()).is_some_and(|word| word.eq_ignore_ascii_case(EMPTY.as_bytes()));
        match (&state, byte) {
            (State::BeforeRange, b'[' | b'(') => (start, state) = (at, State::InRange),
            (State::BeforeRange, b'}') if seen == 0 => break,
            (State::BeforeRange, _) if is_empty() => {
                seen += 1;
                at += EMPTY.len() - 1;
                state = State::AfterRange;
            }
            (State::BeforeRange, _) => return Err(fail("Expected range start.")),
            (State::InRange, b']' | b')') => {
                parts.push(input.get(start..=at).unwrap_or_default());
                seen += 1;
                state = State::AfterRange;
            }
            (State::InRange, b'"') => state = State::Quoted,
            (State::Quoted, b'"') if bytes.get(at + 1) == Some(&b'"') => at += 1,
            (State::Quoted, b'"') => state = State::InRange,
            (State::InRange | State::Quoted, b'\\') => at += 1,
            (State::InRange | State::Quoted, _) => {}
            (State::AfterRange, b',') => state = State::BeforeRange,
            (State::AfterRange, b'}') => break,
            (State::AfterRange, _) => return Err(fail("Expected comma or end of multirange.")),
        }
        at += 1;
    }
    if bytes[at + 1..].iter().any(|&byte| !is_space(byte)) {
        return Err(fail("Junk after closing right brace."));
    }
    Ok(parts)
}

/// Text of a bound, in quotes if it needs them.
pub fn write_quoted(text: &[u8], out: &mut Vec<u8>) {
    let special = |byte: &u8| is_space(*byte) || b"\"\\()[],".contains(byte);
    if !text.is_empty() && !text.iter().any(special) {
        out.extend_from_slice(text);
        return;
    }
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'"');
}
