//! Row values: `(1,"a b",)` (manual 8.16).

use super::array::write_quoted;
use super::text::is_space;
use crate::error::{Error, Result};
use crate::sqlstate;

/// Parses the text of a row value: field texts, `None` for null.
pub fn literal(text: &str, columns: usize) -> Result<Vec<Option<String>>> {
    let malformed = |detail: &str| {
        Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("malformed record literal: \"{text}\""))
            .with_detail(detail)
    };
    let bytes = text.as_bytes();
    let mut position = bytes.iter().take_while(|&&byte| is_space(byte)).count();
    if bytes.get(position) != Some(&b'(') {
        return Err(malformed("Missing left parenthesis."));
    }
    position += 1;
    let mut fields = Vec::with_capacity(columns);
    for column in 0..columns {
        if column > 0 {
            if bytes.get(position) != Some(&b',') {
                return Err(malformed("Too few columns."));
            }
            position += 1;
        }
        if matches!(bytes.get(position), Some(b',' | b')')) {
            fields.push(None);
            continue;
        }
        let (field, end) = field(bytes, position).ok_or_else(|| malformed("Unexpected end of input."))?;
        // Whole characters of a valid text, so valid again.
        fields.push(Some(String::from_utf8(field).unwrap_or_default()));
        position = end;
    }
    match bytes.get(position) {
        Some(b')') => position += 1,
        Some(b',') => return Err(malformed("Too many columns.")),
        // A field ends at nothing else, but a row type without columns has none.
        _ => return Err(malformed("Too many columns.")),
    }
    if !bytes[position..].iter().copied().all(is_space) {
        return Err(malformed("Junk after right parenthesis."));
    }
    Ok(fields)
}

/// One field up to its comma or parenthesis; quotes may open and close within it.
fn field(bytes: &[u8], mut position: usize) -> Option<(Vec<u8>, usize)> {
    let mut field = Vec::new();
    let mut in_quotes = false;
    loop {
        let &byte = bytes.get(position)?;
        match byte {
            b',' | b')' if !in_quotes => return Some((field, position)),
            b'\\' => {
                position += 1;
                field.push(*bytes.get(position)?);
            }
            b'"' if in_quotes && bytes.get(position + 1) == Some(&b'"') => {
                position += 1;
                field.push(b'"');
            }
            b'"' => in_quotes = !in_quotes,
            _ => field.push(byte),
        }
        position += 1;
    }
}

/// Quotes the field written since `start` if it needs it.
pub fn quote_field(start: usize, out: &mut Vec<u8>) {
    let text = &out[start..];
    let needed =
        text.is_empty() || text.iter().any(|&byte| matches!(byte, b'"' | b'\\' | b'(' | b')' | b',') || is_space(byte));
    if needed {
        write_quoted(start, true, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(literal(" (1,\"a \"\"b\\\"\", c,) ", 4).unwrap(), [some("1"), some("a \"b\""), some(" c"), None]);
        for (text, detail) in [
            ("1", "Missing left parenthesis."),
            ("(1", "Unexpected end of input."),
            ("(1)", "Too few columns."),
            ("(1,2,3)", "Too many columns."),
            ("(1,2) x", "Junk after right parenthesis."),
        ] {
            assert_eq!(literal(text, 2).unwrap_err().fields().detail.as_deref(), Some(detail), "{text}");
        }
    }
}
