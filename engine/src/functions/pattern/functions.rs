//! Regular-expression operators and functions.

use aegis_catalog::{Error, Result, sqlstate};

use super::matcher::{Found, Matcher};
use super::regex::{Flags, with_regex};
use crate::functions::array::List;
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    [operators(), matching(), replacing(), counting(), splitting()].into_iter().flatten().collect()
}

fn is_match(text: &str, pattern: &str, flags: Flags) -> Result<bool> {
    with_regex(pattern, flags, |matcher| matcher.is_match(text))
}

fn operators() -> Vec<Row> {
    let mut rows = Vec::new();
    for ty in ["text", "name", "bpchar"] {
        rows.push(f(format!("~({ty}, text)"), kernel!(|a: &str, p: &str| is_match(a, p, Flags::default()))));
        rows.push(f(
            format!("!~({ty}, text)"),
            kernel!(|a: &str, p: &str| is_match(a, p, Flags::default()).map(|found| !found)),
        ));
        rows.push(f(format!("~*({ty}, text)"), kernel!(|a: &str, p: &str| is_match(a, p, Flags::IGNORE_CASE))));
        rows.push(f(
            format!("!~*({ty}, text)"),
            kernel!(|a: &str, p: &str| is_match(a, p, Flags::IGNORE_CASE).map(|found| !found)),
        ));
    }
    rows.push(f("regexp_like(text, text)", kernel!(|a: &str, p: &str| is_match(a, p, Flags::default()))));
    rows.push(f(
        "regexp_like(text, text, text)",
        kernel!(|a: &str, p: &str, flags: &str| is_match(a, p, local_flags(flags, "regexp_like()")?)),
    ));
    rows
}

/// Flags of a function that has no use for `g`.
fn local_flags(text: &str, function: &str) -> Result<Flags> {
    let flags = Flags::parse(text)?;
    if flags.global {
        let error =
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("{function} does not support the \"global\" option"));
        return Err(if function == "regexp_match()" {
            error.with_hint("Use the regexp_matches function instead.")
        } else {
            error
        });
    }
    Ok(flags)
}

/// The groups of a match, or the whole match if the expression has none.
fn groups(matcher: &Matcher, found: &Found<'_>) -> List<String> {
    let group = |index| found.get(index).map(str::to_owned);
    List(match matcher.group_count() {
        0 => vec![group(0)],
        count => (1..=count).map(group).collect(),
    })
}

/// All matches, or the first: the rows of `regexp_matches`.
pub fn matches(text: &str, pattern: &str, flags: &str) -> Result<Vec<List<String>>> {
    let flags = Flags::parse(flags)?;
    let limit = if flags.global { usize::MAX } else { 1 };
    with_regex(pattern, flags, |matcher| {
        matcher.find_all(text, 0).take(limit).map(|found| Ok(groups(matcher, &found?))).collect()
    })
}

fn first_match(text: &str, pattern: &str, flags: Flags) -> Result<Option<List<String>>> {
    with_regex(pattern, flags, |matcher| Ok(matcher.find_at(text, 0)?.map(|found| groups(matcher, &found))))
}

/// `substring(text from pattern)`: the first group, or the whole match.
pub(super) fn substring(text: &str, pattern: &str) -> Result<Option<String>> {
    with_regex(pattern, Flags::default(), |matcher| {
        let group = usize::from(matcher.group_count() > 0);
        Ok(matcher.find_at(text, 0)?.and_then(|found| found.get(group).map(str::to_owned)))
    })
}

fn matching() -> Vec<Row> {
    vec![
        f("regexp_match(text, text)", kernel!(|a: &str, p: &str| first_match(a, p, Flags::default()))),
        f(
            "regexp_match(text, text, text)",
            kernel!(|a: &str, p: &str, flags: &str| first_match(a, p, local_flags(flags, "regexp_match()")?)),
        ),
        f("substring(text, text)", kernel!(|a: &str, p: &str| substring(a, p))),
    ]
}

/// `\1`, `\&` and `\\` of a replacement text.
fn expand(replacement: &str, found: &Found<'_>, out: &mut String) {
    let mut rest = replacement.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.next() {
            Some(digit @ '1'..='9') => {
                let index = digit as usize - '0' as usize;
                out.push_str(found.get(index).unwrap_or_default());
            }
            Some('&') => out.push_str(found.get(0).unwrap_or_default()),
            Some('\\') => out.push('\\'),
            Some(other) => {
                out.push('\\');
                out.push(other);
            }
            None => out.push('\\'),
        }
    }
}

/// Replaces the `n`th match from character `start` on, or all of them if `n` is 0.
fn replace(text: &str, pattern: &str, replacement: &str, start: usize, n: usize, flags: Flags) -> Result<String> {
    with_regex(pattern, flags, |matcher| {
        let offset = text.char_indices().nth(start).map_or(text.len(), |(offset, _)| offset);
        let mut result = String::with_capacity(text.len());
        let mut copied = 0;
        for (index, found) in matcher.find_all(text, offset).enumerate() {
            let found = found?;
            if n != 0 && index + 1 != n {
                continue;
            }
            let (start, end) = found.whole();
            result.push_str(&text[copied..start]);
            expand(replacement, &found, &mut result);
            copied = end;
            if n != 0 {
                break;
            }
        }
        result.push_str(&text[copied..]);
        Ok(result)
    })
}

fn positive(value: i32, name: &str) -> Result<usize> {
    usize::try_from(value - 1).map_err(|_| invalid_parameter(name, value))
}

fn invalid_parameter(name: &str, value: i32) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid value for parameter \"{name}\": {value}"))
}

fn replacing() -> Vec<Row> {
    vec![
        f(
            "regexp_replace(text, text, text)",
            kernel!(|a: &str, p: &str, r: &str| replace(a, p, r, 0, 1, Flags::default())),
        ),
        f(
            "regexp_replace(text, text, text, text)",
            kernel!(|a: &str, p: &str, r: &str, flags: &str| {
                if let Some(digit) = flags.chars().next().filter(char::is_ascii_digit) {
                    return Err(Error::new(
                        sqlstate::INVALID_PARAMETER_VALUE,
                        format!("invalid regular expression option: \"{digit}\""),
                    )
                    .with_hint("If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly."));
                }
                let flags = Flags::parse(flags)?;
                replace(a, p, r, 0, usize::from(!flags.global), flags)
            }),
        ),
        f(
            "regexp_replace(text, text, text, int4)",
            kernel!(|a: &str, p: &str, r: &str, start: i32| replace(
                a,
                p,
                r,
                positive(start, "start")?,
                1,
                Flags::default()
            )),
        ),
        f(
            "regexp_replace(text, text, text, int4, int4)",
            kernel!(|a: &str, p: &str, r: &str, start: i32, n: i32| {
                let n = usize::try_from(n).map_err(|_| invalid_parameter("n", n))?;
                replace(a, p, r, positive(start, "start")?, n, Flags::default())
            }),
        ),
        f(
            "regexp_replace(text, text, text, int4, int4, text)",
            kernel!(|a: &str, p: &str, r: &str, start: i32, n: i32, flags: &str| {
                let n = usize::try_from(n).map_err(|_| invalid_parameter("n", n))?;
                replace(a, p, r, positive(start, "start")?, n, Flags::parse(flags)?)
            }),
        ),
    ]
}

/// The matches from character `start` on, as (start, end) of the whole or of a group, in bytes.
fn spans(text: &str, pattern: &str, start: i32, flags: Flags, group: usize) -> Result<Vec<Option<(usize, usize)>>> {
    let start = positive(start, "start")?;
    with_regex(pattern, flags, |matcher| {
        let offset = text.char_indices().nth(start).map_or(text.len(), |(offset, _)| offset);
        matcher.find_all(text, offset).map(|found| Ok(found?.span(group))).collect()
    })
}

fn count(text: &str, pattern: &str, start: i32, flags: &str) -> Result<i32> {
    Ok(spans(text, pattern, start, local_flags(flags, "regexp_count()")?, 0)?.len() as i32)
}

/// A `regexp_instr` call's arguments after the pattern.
struct Instr<'a> {
    start: i32,
    n: i32,
    end: i32,
    flags: &'a str,
    group: i32,
}

fn nth_span(text: &str, pattern: &str, instr: &Instr<'_>, function: &str) -> Result<Option<(usize, usize)>> {
    let n = positive(instr.n, "n")?;
    let group = usize::try_from(instr.group).map_err(|_| invalid_parameter("subexpr", instr.group))?;
    let flags = local_flags(instr.flags, function)?;
    Ok(spans(text, pattern, instr.start, flags, group)?.get(n).copied().flatten())
}

fn instr(text: &str, pattern: &str, instr: &Instr<'_>) -> Result<i32> {
    if !matches!(instr.end, 0 | 1) {
        return Err(invalid_parameter("endoption", instr.end));
    }
    let span = nth_span(text, pattern, instr, "regexp_instr()")?;
    Ok(span.map_or(0, |(start, end)| {
        let at = if instr.end == 1 { end } else { start };
        text[..at].chars().count() as i32 + 1
    }))
}

fn substr(text: &str, pattern: &str, instr: &Instr<'_>) -> Result<Option<String>> {
    Ok(nth_span(text, pattern, instr, "regexp_substr()")?.map(|(start, end)| text[start..end].to_owned()))
}

const FIRST: Instr<'static> = Instr { start: 1, n: 1, end: 0, flags: "", group: 0 };

fn counting() -> Vec<Row> {
    vec![
        f("regexp_count(text, text)", kernel!(|a: &str, p: &str| count(a, p, 1, ""))),
        f("regexp_count(text, text, int4)", kernel!(|a: &str, p: &str, start: i32| count(a, p, start, ""))),
        f(
            "regexp_count(text, text, int4, text)",
            kernel!(|a: &str, p: &str, start: i32, flags: &str| count(a, p, start, flags)),
        ),
        f("regexp_instr(text, text)", kernel!(|a: &str, p: &str| instr(a, p, &FIRST))),
        f(
            "regexp_instr(text, text, int4)",
            kernel!(|a: &str, p: &str, start: i32| instr(a, p, &Instr { start, ..FIRST })),
        ),
        f(
            "regexp_instr(text, text, int4, int4)",
            kernel!(|a: &str, p: &str, start: i32, n: i32| instr(a, p, &Instr { start, n, ..FIRST })),
        ),
        f(
            "regexp_instr(text, text, int4, int4, int4)",
            kernel!(|a: &str, p: &str, start: i32, n: i32, end: i32| instr(a, p, &Instr { start, n, end, ..FIRST })),
        ),
        f(
            "regexp_instr(text, text, int4, int4, int4, text)",
            kernel!(|a: &str, p: &str, start: i32, n: i32, end: i32, flags: &str| instr(
                a,
                p,
                &Instr { start, n, end, flags, group: 0 }
            )),
        ),
        f(
            "regexp_instr(text, text, int4, int4, int4, text, int4)",
            kernel!(|a: &str, p: &str, start: i32, n: i32, end: i32, flags: &str, group: i32| {
                instr(a, p, &Instr { start, n, end, flags, group })
            }),
        ),
        f("regexp_substr(text, text)", kernel!(|a: &str, p: &str| substr(a, p, &FIRST))),
        f(
            "regexp_substr(text, text, int4)",
            kernel!(|a: &str, p: &str, start: i32| substr(a, p, &Instr { start, ..FIRST })),
        ),
        f(
            "regexp_substr(text, text, int4, int4)",
            kernel!(|a: &str, p: &str, start: i32, n: i32| substr(a, p, &Instr { start, n, ..FIRST })),
        ),
        f(
            "regexp_substr(text, text, int4, int4, text)",
            kernel!(|a: &str, p: &str, start: i32, n: i32, flags: &str| substr(
                a,
                p,
                &Instr { start, n, flags, ..FIRST }
            )),
        ),
        f(
            "regexp_substr(text, text, int4, int4, text, int4)",
            kernel!(|a: &str, p: &str, start: i32, n: i32, flags: &str, group: i32| {
                substr(a, p, &Instr { start, n, end: 0, flags, group })
            }),
        ),
    ]
}

/// The text between the matches; an empty match at the ends or right after another one does not split.
pub fn split(text: &str, pattern: &str, flags: &str, function: &str) -> Result<Vec<String>> {
    let flags = local_flags(flags, function)?;
    with_regex(pattern, flags, |matcher| {
        let mut parts = Vec::new();
        let mut from = 0;
        for found in matcher.find_all(text, 0) {
            let (start, end) = found?.whole();
            if start == end && (start == text.len() || start == from) {
                continue;
            }
            parts.push(text[from..start].to_owned());
            from = end;
        }
        parts.push(text[from..].to_owned());
        Ok(parts)
    })
}

fn splitting() -> Vec<Row> {
    vec![
        f(
            "regexp_split_to_array(text, text)",
            kernel!(|a: &str, p: &str| split(a, p, "", "regexp_split_to_array()").map(List::from_iter)),
        ),
        f(
            "regexp_split_to_array(text, text, text)",
            kernel!(|a: &str, p: &str, flags: &str| split(a, p, flags, "regexp_split_to_array()").map(List::from_iter)),
        ),
    ]
}
