//! SIMILAR TO: its patterns as regular expressions.

use aegis_catalog::{Error, Result, sqlstate};

use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("similar_to_escape(text)", kernel!(|pattern: &str| to_regex(pattern, Some("\\")))),
        f("similar_to_escape(text, text)", kernel!(|pattern: &str, escape: &str| to_regex(pattern, Some(escape)))),
        f(
            "similar_escape(text, text)",
            kernel!(|pattern: Option<&str>, escape: Option<&str>| {
                pattern.map(|pattern| to_regex(pattern, Some(escape.unwrap_or("\\")))).transpose()
            }),
        ),
        f(
            "substring(text, text, text)",
            kernel!(|text: &str, pattern: &str, escape: &str| {
                super::functions::substring(text, &to_regex(pattern, Some(escape))?)
            }),
        ),
    ]
}

/// PostgreSQL's `similar_escape_internal`, with its result as pgsql users see it.
fn to_regex(pattern: &str, escape: Option<&str>) -> Result<String> {
    let escape = match escape.map(|escape| escape.chars().collect::<Vec<_>>()).as_deref() {
        None | Some([]) => None,
        Some([only]) => Some(*only),
        Some(_) => {
            return Err(Error::new(sqlstate::INVALID_ESCAPE_SEQUENCE, "invalid escape string")
                .with_hint("Escape string must be empty or one character."));
        }
    };
    let mut regex = String::from("^(?:");
    let (mut in_bracket, mut separators) = (false, 0);
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        if Some(character) == escape && !(in_bracket && character == ']') {
            match rest.next() {
                // `escape "` parts the pattern around the substring wanted.
                Some('"') if !in_bracket => {
                    regex.push_str(if separators == 0 { "){1,1}?(" } else { "){1,1}(?:" });
                    separators += 1;
                }
                Some(literal) => {
                    regex.push('\\');
                    regex.push(literal);
                }
                None => {}
            }
            continue;
        }
        match character {
            _ if in_bracket => {
                if character == '\\' {
                    regex.push('\\');
                }
                regex.push(character);
                in_bracket = character != ']';
            }
            '[' => {
                regex.push('[');
                in_bracket = true;
            }
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '(' => regex.push_str("(?:"),
            '\\' | '.' | '^' | '$' => {
                regex.push('\\');
                regex.push(character);
            }
            other => regex.push(other),
        }
    }
    if separators == 1 {
        return Err(Error::new(
            sqlstate::INVALID_USE_OF_ESCAPE_CHARACTER,
            "SQL regular expression may not contain more than two escape-double-quote separators",
        ));
    }
    regex.push_str(")$");
    Ok(regex)
}
