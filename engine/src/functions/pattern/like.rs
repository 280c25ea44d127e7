//! LIKE and ILIKE. A pattern is compiled once for a run of equal patterns.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use memchr::memmem::Finder;

use crate::functions::Body;
use crate::functions::kernel::{Inputs, kernel};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("~~(text, text)", like(false, false)),
        f("!~~(text, text)", like(false, true)),
        f("~~*(text, text)", like(true, false)),
        f("!~~*(text, text)", like(true, true)),
        f("~~(name, text)", like(false, false)),
        f("!~~(name, text)", like(false, true)),
        f("~~*(name, text)", like(true, false)),
        f("!~~*(name, text)", like(true, true)),
        f("~~(bpchar, text)", like(false, false)),
        f("!~~(bpchar, text)", like(false, true)),
        f("~~*(bpchar, text)", like(true, false)),
        f("!~~*(bpchar, text)", like(true, true)),
        f("like(text, text)", like(false, false)),
        f("notlike(text, text)", like(false, true)),
        f("like(name, text)", like(false, false)),
        f("notlike(name, text)", like(false, true)),
        f("~~(bytea, bytea)", kernel!(|a: &[u8], pattern: &[u8]| bytes_match(a, pattern))),
        f("!~~(bytea, bytea)", kernel!(|a: &[u8], pattern: &[u8]| bytes_match(a, pattern).map(|matched| !matched))),
        f("like(bytea, bytea)", kernel!(|a: &[u8], pattern: &[u8]| bytes_match(a, pattern))),
        f("notlike(bytea, bytea)", kernel!(|a: &[u8], pattern: &[u8]| bytes_match(a, pattern).map(|matched| !matched))),
        f("like_escape(text, text)", kernel!(|pattern: &str, escape: &str| like_escape(pattern, escape))),
    ]
}

/// A LIKE pattern, by the cheapest way to test it.
enum Pattern {
    Equals(String),
    /// Texts with `%` between them, found one after the other. Start and end are None where a `%` is: to compare nothing, at an empty
    /// string's address, takes a processor with masked loads longer than to search a line.
    Segments {
        start: Option<String>,
        middle: Vec<Finder<'static>>,
        end: Option<String>,
    },
    General(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// `%`
    Any,
    /// `_`
    One,
    Text(char),
    /// An escape character at the end: an error where a character of the text meets it.
    Dangling,
}

fn ends_with_escape() -> Error {
    Error::new(sqlstate::INVALID_ESCAPE_SEQUENCE, "LIKE pattern must not end with escape character")
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        tokens.push(match character {
            '%' if tokens.last() == Some(&Token::Any) => continue,
            '%' => Token::Any,
            '_' => Token::One,
            '\\' => rest.next().map_or(Token::Dangling, Token::Text),
            other => Token::Text(other),
        });
    }
    tokens
}

impl Pattern {
    fn compile(pattern: &str) -> Self {
        let tokens = tokens(pattern);
        let literal = |tokens: &[Token]| -> Option<String> {
            tokens
                .iter()
                .map(|token| if let Token::Text(character) = token { Some(*character) } else { None })
                .collect()
        };
        let segments: Option<Vec<String>> = tokens.split(|token| *token == Token::Any).map(literal).collect();
        match segments.as_deref() {
            None => Self::General(tokens),
            Some([]) => Self::Equals(String::new()),
            Some([text]) => Self::Equals(text.clone()),
            Some([start, middle @ .., end]) => Self::Segments {
                start: Some(start.clone()).filter(|text| !text.is_empty()),
                middle: middle.iter().map(|text| Finder::new(text).into_owned()).collect(),
                end: Some(end.clone()).filter(|text| !text.is_empty()),
            },
        }
    }

    /// 22025 if the text reaches an escape character that ends the pattern.
    fn matches(&self, text: &str) -> Result<bool> {
        Ok(match self {
            Self::Equals(pattern) => text == pattern,
            Self::Segments { start, middle, end } => {
                let after = match start {
                    Some(start) => text.as_bytes().strip_prefix(start.as_bytes()),
                    None => Some(text.as_bytes()),
                };
                let Some(mut rest) = after else { return Ok(false) };
                for finder in middle {
                    let after = finder.find(rest).and_then(|at| rest.get(at + finder.needle().len()..));
                    let Some(after) = after else { return Ok(false) };
                    rest = after;
                }
                end.as_ref().is_none_or(|end| rest.ends_with(end.as_bytes()))
            }
            Self::General(tokens) => return general(tokens, text),
        })
    }
}

/// Greedy matching with one point to come back to: the last `%`.
fn general(tokens: &[Token], text: &str) -> Result<bool> {
    let (mut token, mut rest) = (0, text);
    let mut back: Option<(usize, &str)> = None;
    loop {
        let mut characters = rest.chars();
        let advanced = match tokens.get(token) {
            None if rest.is_empty() => return Ok(true),
            Some(Token::Any) => {
                back = Some((token + 1, rest));
                token += 1;
                continue;
            }
            Some(Token::One) => characters.next().is_some(),
            Some(Token::Text(wanted)) => characters.next() == Some(*wanted),
            Some(Token::Dangling) if rest.is_empty() => false,
            Some(Token::Dangling) => return Err(ends_with_escape()),
            None => false,
        };
        if advanced {
            token += 1;
            rest = characters.as_str();
            continue;
        }
        match back {
            Some((after, start)) if !start.is_empty() => {
                let mut characters = start.chars();
                characters.next();
                back = Some((after, characters.as_str()));
                (token, rest) = (after, characters.as_str());
            }
            _ => return Ok(false),
        }
    }
}

fn like(ignore_case: bool, negated: bool) -> Body {
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let text = inputs.reader::<&str>(0)?;
        let patterns = inputs.reader::<&str>(1)?;
        let mut compiled: Option<(String, Pattern)> = None;
        inputs.run(
            call.rows,
            false,
            |row| text.skips(row) || patterns.skips(row),
            |row| {
                let pattern = patterns.get(row);
                if compiled.as_ref().is_none_or(|(source, _)| source != pattern) {
                    let folded = if ignore_case { pattern.to_lowercase() } else { pattern.to_owned() };
                    compiled = Some((pattern.to_owned(), Pattern::compile(&folded)));
                }
                let matched = match &compiled {
                    None => false,
                    Some((_, compiled)) if ignore_case => compiled.matches(&text.get(row).to_lowercase())?,
                    Some((_, compiled)) => compiled.matches(text.get(row))?,
                };
                Ok::<_, Error>(matched != negated)
            },
        )
    }))
}

fn bytes_match(text: &[u8], pattern: &[u8]) -> Result<bool> {
    // Bytes as characters of the same number.
    let text: String = text.iter().map(|&byte| char::from(byte)).collect();
    let pattern: String = pattern.iter().map(|&byte| char::from(byte)).collect();
    Pattern::compile(&pattern).matches(&text)
}

/// Rewrites a pattern from another escape character to backslash.
fn like_escape(pattern: &str, escape: &str) -> Result<String> {
    let mut escapes = escape.chars();
    let escape = match (escapes.next(), escapes.next()) {
        (None, _) => return Ok(pattern.replace('\\', "\\\\")),
        (Some(escape), None) => escape,
        _ => {
            return Err(Error::new(sqlstate::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
                .with_hint("Escape string must be empty or one character."));
        }
    };
    let mut result = String::with_capacity(pattern.len());
    let mut after_escape = false;
    for character in pattern.chars() {
        if character == escape && !after_escape {
            result.push('\\');
            after_escape = true;
            continue;
        }
        if character == '\\' && !after_escape && escape != '\\' {
            result.push('\\');
        }
        result.push(character);
        after_escape = false;
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_postgresql() {
        for (text, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "_b_", true),
            ("abc", "c", false),
            ("a%c", "a\\%c", true),
            ("abbbc", "a%b_", true),
            ("", "%", true),
            ("aéz", "a_z", true),
            ("xaxbx", "%a%b%", true),
            ("ababa", "aba%aba", false),
            ("abaaba", "aba%aba", true),
            ("special request", "%special%requests%", false),
            ("one, two, three", "one%two%three", true),
        ] {
            assert_eq!(Pattern::compile(pattern).matches(text).unwrap(), expected, "{text} LIKE {pattern}");
        }
        // The escape character counts where a character of the text meets it.
        assert!(Pattern::compile("a\\").matches("a\\").is_err());
        assert!(!Pattern::compile("a\\").matches("a").unwrap());
        assert!(!Pattern::compile("b\\").matches("a").unwrap());
        assert_eq!(like_escape("a#%b\\", "#").unwrap(), "a\\%b\\\\");
    }
}
