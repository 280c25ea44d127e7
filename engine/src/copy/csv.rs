//! Fields of one CSV record, and a value in it.

use aegis_catalog::Result;
use memchr::{memchr2, memchr3};

use super::line::bad;

/// The characters that mean something in CSV.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    pub delimiter: u8,
    pub quote: u8,
    pub escape: u8,
}

/// One field.
#[derive(Debug, PartialEq, Eq)]
pub enum Field<'a> {
    /// A piece of the line.
    Plain(&'a [u8]),
    /// It had quotes; the value was appended to the buffer.
    Quoted,
}

/// Reads the field at the start of `rest` and moves `rest` behind its delimiter; `rest` is None after the last field.
pub fn next_field<'a>(
    rest: &mut Option<&'a [u8]>,
    dialect: Dialect,
    unquoted: &mut Vec<u8>,
) -> Result<Option<Field<'a>>> {
    let Some(line) = *rest else { return Ok(None) };
    match memchr2(dialect.delimiter, dialect.quote, line) {
        None => {
            *rest = None;
            Ok(Some(Field::Plain(line)))
        }
        Some(end) if line.get(end) == Some(&dialect.delimiter) => {
            *rest = line.get(end + 1..);
            Ok(line.get(..end).map(Field::Plain))
        }
        Some(_) => {
            *rest = unquote(line, dialect, unquoted)?;
            Ok(Some(Field::Quoted))
        }
    }
}

/// A field with quotes somewhere in it; returns what follows its delimiter.
fn unquote<'a>(line: &'a [u8], dialect: Dialect, out: &mut Vec<u8>) -> Result<Option<&'a [u8]>> {
    let Dialect { delimiter, quote, escape } = dialect;
    let mut rest = line;
    loop {
        // Outside quotes.
        let Some(end) = memchr2(delimiter, quote, rest) else {
            out.extend_from_slice(rest);
            return Ok(None);
        };
        let (plain, found) = rest.split_at(end);
        out.extend_from_slice(plain);
        rest = found.get(1..).unwrap_or_default();
        if found.first() == Some(&delimiter) {
            return Ok(Some(rest));
        }
        // Inside quotes.
        loop {
            let Some(end) = memchr3(quote, escape, escape, rest) else {
                return Err(bad("unterminated CSV quoted field"));
            };
            let (plain, found) = rest.split_at(end);
            out.extend_from_slice(plain);
            match found {
                [first, second, after @ ..] if *first == escape && (*second == escape || *second == quote) => {
                    out.push(*second);
                    rest = after;
                }
                [first, after @ ..] => {
                    rest = after;
                    if *first == quote {
                        break;
                    }
                    out.push(*first);
                }
                [] => break,
            }
        }
    }
}

/// Quotes the text that starts at `start` in `out` if it needs it, or if `force` is set.
pub fn quote(out: &mut Vec<u8>, start: usize, dialect: Dialect, force: bool, scratch: &mut Vec<u8>) {
    let Dialect { delimiter, quote, escape } = dialect;
    let special = |byte: u8| byte == delimiter || byte == quote || byte == b'\n' || byte == b'\r';
    if !force && !out.get(start..).unwrap_or_default().iter().any(|&byte| special(byte)) {
        return;
    }
    scratch.clear();
    scratch.extend_from_slice(out.get(start..).unwrap_or_default());
    out.truncate(start);
    out.push(quote);
    for &byte in scratch.iter() {
        if byte == quote || byte == escape {
            out.push(escape);
        }
        out.push(byte);
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(line: &[u8], escape: u8) -> Result<Vec<(String, bool)>> {
        let dialect = Dialect { delimiter: b',', quote: b'"', escape };
        let (mut rest, mut fields) = (Some(line), Vec::new());
        let mut unquoted = Vec::new();
        while let Some(field) = next_field(&mut rest, dialect, &mut unquoted)? {
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            fields.push(match field {
                Field::Plain(bytes) => (text(bytes), false),
                Field::Quoted => (text(&std::mem::take(&mut unquoted)), true),
            });
        }
        Ok(fields)
    }

    #[test]
    fn quoting() {
        let plain = |text: &str| (text.to_owned(), false);
        let quoted = |text: &str| (text.to_owned(), true);
        assert_eq!(fields(b"a,,\"\"", b'"').unwrap(), [plain("a"), plain(""), quoted("")]);
        assert_eq!(fields(b"x\"a,\"\"b\"y,z", b'"').unwrap(), [quoted("xa,\"by"), plain("z")]);
        assert_eq!(fields(b"\"a\\\"b\\c\\\\\"", b'\\').unwrap(), [quoted("a\"b\\c\\")]);
        assert_eq!(fields(b"", b'"').unwrap(), [plain("")]);
        assert_eq!(fields(b"a,", b'"').unwrap(), [plain("a"), plain("")]);
        assert_eq!(fields(b"\"a", b'"').unwrap_err().message(), "unterminated CSV quoted field");
        assert_eq!(fields(b"\"a\"\"", b'"').unwrap_err().message(), "unterminated CSV quoted field");
    }

    #[test]
    fn output() {
        let dialect = Dialect { delimiter: b',', quote: b'"', escape: b'"' };
        let quoted = |text: &str, force| {
            let mut out = text.as_bytes().to_vec();
            quote(&mut out, 0, dialect, force, &mut Vec::new());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(quoted("a b", false), "a b");
        assert_eq!(quoted("a,b", false), "\"a,b\"");
        assert_eq!(quoted("a\"b", false), "\"a\"\"b\"");
        assert_eq!(quoted("a", true), "\"a\"");
    }
}
