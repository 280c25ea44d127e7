//! Text input and output of arrays.

use super::{Dimension, MAX_DIMENSIONS, element_count, too_many_dimensions};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::text::is_space;

/// A parsed array literal: element texts in row-major order, `None` for NULL.
#[derive(Debug, PartialEq)]
pub(crate) struct Literal {
    pub elements: Vec<Option<String>>,
    pub dimensions: Vec<Dimension>,
}

fn malformed(text: &str, detail: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\""))
        .with_detail(detail)
}

/// Parses `{1,2}`, `{{a,"b c"},{d,NULL}}`, `[0:1]={1,2}`.
pub(crate) fn literal(text: &str, delimiter: u8) -> Result<Literal> {
    let (declared, start) = declared_dimensions(text)?;
    let mut contents = Contents::new(text, delimiter);
    contents.scan(start)?;
    let found = contents.dimensions();
    if declared.is_empty() {
        element_count(&found)?;
        return Ok(Literal { elements: contents.elements, dimensions: found });
    }
    let lengths = |dimensions: &[Dimension]| dimensions.iter().map(|dimension| dimension.length).collect::<Vec<_>>();
    if lengths(&declared) != lengths(&found) {
        return Err(malformed(text, "Specified array dimensions do not match array contents."));
    }
    element_count(&declared)?;
    Ok(Literal { elements: contents.elements, dimensions: declared })
}

/// `[1:2][3]=` in front of the braces, and where those begin.
fn declared_dimensions(text: &str) -> Result<(Vec<Dimension>, usize)> {
    let bytes = text.as_bytes();
    let mut position = skip_spaces(bytes, 0);
    let mut dimensions = Vec::new();
    while bytes.get(position) == Some(&b'[') {
        position += 1;
        if dimensions.len() >= MAX_DIMENSIONS {
            return Err(too_many_dimensions(dimensions.len() + 1));
        }
        let (first, end) = bound(bytes, position);
        let mut upper =
            first.ok_or_else(|| malformed(text, "\"[\" must introduce explicitly-specified array dimensions."))?;
        let mut lower = 1;
        position = end;
        if bytes.get(position) == Some(&b':') {
            lower = upper;
            let (second, end) = bound(bytes, position + 1);
            upper = second.ok_or_else(|| malformed(text, "Missing array dimension value."))?;
            position = end;
        }
        if bytes.get(position) != Some(&b']') {
            return Err(malformed(text, "Missing \"]\" after array dimensions."));
        }
        if upper < lower {
            return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "upper bound cannot be less than lower bound"));
        }
        let length = upper.checked_sub(lower).and_then(|length| length.checked_add(1)).ok_or_else(|| {
            Error::new(sqlstate::PROGRAM_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (134217727)")
        })?;
        dimensions.push(Dimension { length, lower });
        position = skip_spaces(bytes, position + 1);
    }
    if dimensions.is_empty() {
        if bytes.get(position) != Some(&b'{') {
            return Err(malformed(text, "Array value must start with \"{\" or dimension information."));
        }
        return Ok((dimensions, position));
    }
    if bytes.get(position) != Some(&b'=') {
        return Err(malformed(text, "Missing \"=\" after array dimensions."));
    }
    position = skip_spaces(bytes, position + 1);
    if bytes.get(position) != Some(&b'{') {
        return Err(malformed(text, "Array contents must start with \"{\"."));
    }
    Ok((dimensions, position))
}

fn skip_spaces(bytes: &[u8], mut position: usize) -> usize {
    while bytes.get(position).copied().is_some_and(is_space) {
        position += 1;
    }
    position
}

/// A signed number, cut to what `atoi` would make of it.
fn bound(bytes: &[u8], start: usize) -> (Option<i32>, usize) {
    let mut end = start;
    if matches!(bytes.get(end), Some(b'-' | b'+')) {
        end += 1;
    }
    while bytes.get(end).is_some_and(u8::is_ascii_digit) {
        end += 1;
    }
    if end == start {
        return (None, end);
    }
    let digits = std::str::from_utf8(&bytes[start..end]).unwrap_or_default();
    let value = digits.parse::<i64>().unwrap_or(if digits.len() > 1 { i64::MAX } else { 0 });
    (Some(value.clamp(i32::MIN.into(), i32::MAX.into()) as i32), end)
}

/// Where the scan of the braces stands.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    NoLevel,
    LevelStarted,
    ElementStarted,
    QuotedStarted,
    QuotedCompleted,
    ElementDelimited,
    LevelCompleted,
    LevelDelimited,
}

struct Contents<'a> {
    text: &'a str,
    delimiter: u8,
    state: State,
    depth: usize,
    max_depth: usize,
    /// Items seen so far in the open brace of each depth, and the number the last closed one had.
    counts: [usize; MAX_DIMENSIONS],
    last_counts: [Option<usize>; MAX_DIMENSIONS],
    current: Vec<u8>,
    /// Length of `current` up to the last character that is not unquoted white space.
    significant: usize,
    /// Whether the element has a quote or backslash, so that it is not the word NULL.
    literal: bool,
    elements: Vec<Option<String>>,
}

impl<'a> Contents<'a> {
    fn new(text: &'a str, delimiter: u8) -> Self {
        Self {
            text,
            delimiter,
            state: State::NoLevel,
            depth: 0,
            max_depth: 0,
            counts: [0; MAX_DIMENSIONS],
            last_counts: [None; MAX_DIMENSIONS],
            current: Vec::new(),
            significant: 0,
            literal: false,
            elements: Vec::new(),
        }
    }

    fn unexpected(&self, byte: u8) -> Error {
        malformed(self.text, format!("Unexpected \"{}\" character.", char::from(byte)))
    }

    fn scan(&mut self, start: usize) -> Result<()> {
        let bytes = self.text.as_bytes();
        let mut position = start;
        let mut in_quotes = false;
        loop {
            let Some(&byte) = bytes.get(position) else {
                return Err(malformed(self.text, "Unexpected end of input."));
            };
            position += 1;
            match byte {
                b'\\' => {
                    if !matches!(
                        self.state,
                        State::LevelStarted | State::ElementStarted | State::QuotedStarted | State::ElementDelimited
                    ) {
                        return Err(self.unexpected(byte));
                    }
                    if self.state != State::QuotedStarted {
                        self.state = State::ElementStarted;
                    }
                    let Some(&escaped) = bytes.get(position) else {
                        return Err(malformed(self.text, "Unexpected end of input."));
                    };
                    position += 1;
                    self.literal = true;
                    self.push(escaped, true);
                }
                b'"' => {
                    if !matches!(self.state, State::LevelStarted | State::QuotedStarted | State::ElementDelimited) {
                        return Err(malformed(self.text, "Unexpected array element."));
                    }
                    in_quotes = !in_quotes;
                    self.state = if in_quotes { State::QuotedStarted } else { State::QuotedCompleted };
                    self.literal = true;
                    self.significant = self.current.len();
                }
                _ if in_quotes => self.push(byte, true),
                b'{' => self.open()?,
                b'}' => {
                    self.close()?;
                    if self.depth == 0 {
                        break;
                    }
                }
                byte if byte == self.delimiter => self.delimit()?,
                byte if is_space(byte) => {
                    if matches!(self.state, State::ElementStarted) {
                        self.push(byte, false);
                    }
                }
                _ => {
                    if !matches!(self.state, State::LevelStarted | State::ElementStarted | State::ElementDelimited) {
                        return Err(malformed(self.text, "Unexpected array element."));
                    }
                    self.state = State::ElementStarted;
                    self.push(byte, true);
                }
            }
        }
        if skip_spaces(bytes, position) < bytes.len() {
            return Err(malformed(self.text, "Junk after closing right brace."));
        }
        Ok(())
    }

    fn push(&mut self, byte: u8, significant: bool) {
        self.current.push(byte);
        if significant {
            self.significant = self.current.len();
        }
    }

    fn open(&mut self) -> Result<()> {
        if !matches!(self.state, State::NoLevel | State::LevelStarted | State::LevelDelimited) {
            return Err(self.unexpected(b'{'));
        }
        self.state = State::LevelStarted;
        if self.depth >= MAX_DIMENSIONS {
            return Err(too_many_dimensions(self.depth + 1));
        }
        self.counts[self.depth] = 0;
        self.depth += 1;
        self.max_depth = self.max_depth.max(self.depth);
        Ok(())
    }

    fn close(&mut self) -> Result<()> {
        match self.state {
            State::ElementStarted | State::QuotedCompleted => self.element(),
            State::LevelCompleted => {}
            State::LevelStarted if self.depth == 1 => {}
            _ => return Err(self.unexpected(b'}')),
        }
        self.state = State::LevelCompleted;
        self.depth -= 1;
        let count = self.counts[self.depth];
        if self.last_counts[self.depth].is_some_and(|last| last != count) {
            return Err(malformed(self.text, "Multidimensional arrays must have sub-arrays with matching dimensions."));
        }
        self.last_counts[self.depth] = Some(count);
        if let Some(outer) = self.depth.checked_sub(1) {
            self.counts[outer] += 1;
        }
        Ok(())
    }

    fn delimit(&mut self) -> Result<()> {
        match self.state {
            State::ElementStarted | State::QuotedCompleted => {
                self.element();
                self.state = State::ElementDelimited;
            }
            State::LevelCompleted => self.state = State::LevelDelimited,
            _ => return Err(self.unexpected(self.delimiter)),
        }
        Ok(())
    }

    fn element(&mut self) {
        self.current.truncate(self.significant);
        let bytes = std::mem::take(&mut self.current);
        self.significant = 0;
        let is_null = !std::mem::take(&mut self.literal) && bytes.eq_ignore_ascii_case(b"null");
        // Whole characters of a valid text, so valid again.
        let text = String::from_utf8(bytes).unwrap_or_default();
        self.elements.push((!is_null).then_some(text));
        if let Some(innermost) = self.depth.checked_sub(1) {
            self.counts[innermost] += 1;
        }
    }

    fn dimensions(&self) -> Vec<Dimension> {
        if self.elements.is_empty() {
            return Vec::new();
        }
        let counts = self.last_counts[..self.max_depth].iter().flatten();
        counts.map(|&count| Dimension { length: i32::try_from(count).unwrap_or(i32::MAX), lower: 1 }).collect()
    }
}

/// The numbers of an `int2vector` or `oidvector`, separated by white space, each with the text from it on.
pub(crate) fn vector_literal(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let space = |c: char| c.is_ascii() && is_space(c as u8);
        rest = rest.trim_start_matches(space);
        let (number, tail) = rest.split_at(rest.find(space).unwrap_or(rest.len()));
        let from_here = std::mem::replace(&mut rest, tail);
        (!number.is_empty()).then_some((number, from_here))
    })
}

/// `[l:u][l:u]=` if any lower bound is not 1.
pub(crate) fn write_dimensions(shape: &[i32], out: &mut Vec<u8>) {
    let (pairs, _) = shape.as_chunks::<2>();
    if pairs.iter().all(|&[_, lower]| lower == 1) {
        return;
    }
    let mut buffer = itoa::Buffer::new();
    for &[length, lower] in pairs {
        out.push(b'[');
        out.extend_from_slice(buffer.format(lower).as_bytes());
        out.push(b':');
        out.extend_from_slice(buffer.format(i64::from(lower) + i64::from(length) - 1).as_bytes());
        out.push(b']');
    }
    out.push(b'=');
}

/// Whether an element's text must be quoted in array output.
pub(crate) fn needs_quotes(text: &[u8], delimiter: u8) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case(b"null")
        || text.iter().any(|&byte| matches!(byte, b'"' | b'\\' | b'{' | b'}') || byte == delimiter || is_space(byte))
}

/// Puts what was written since `start` in quotes, a backslash or a doubled quote before what needs it.
pub(crate) fn write_quoted(start: usize, double: bool, out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\');
    let extra = out[start..].iter().filter(|byte| special(byte)).count() + 2;
    let mut from = out.len();
    out.resize(from + extra, b'"');
    let mut to = out.len() - 1;
    // From the back, so that nothing is overwritten before it moved.
    while from > start {
        from -= 1;
        let byte = out[from];
        to -= 1;
        out[to] = byte;
        if special(&byte) {
            to -= 1;
            out[to] = if double { byte } else { b'\\' };
        }
    }
    out[start] = b'"';
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Vec<Option<String>>, Vec<(i32, i32)>) {
        let literal = literal(text, b',').unwrap();
        (literal.elements, literal.dimensions.iter().map(|d| (d.length, d.lower)).collect())
    }

    #[test]
    fn literals() {
        let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(parsed("{1, 2 ,3}"), (some(&["1", "2", "3"]), vec![(3, 1)]));
        assert_eq!(parsed("{{a b,\"c\\\"\"},{d,\\e}}"), (some(&["a b", "c\"", "d", "e"]), vec![(2, 1), (2, 1)]));
        assert_eq!(parsed("[0:1]={1,2}"), (some(&["1", "2"]), vec![(2, 0)]));
        assert_eq!(parsed("{NULL,\"NULL\"}"), (vec![None, Some("NULL".into())], vec![(2, 1)]));
        assert_eq!(parsed(" { } "), (vec![], vec![]));
    }

    #[test]
    fn malformed_literals() {
        for (text, detail) in [
            ("x", "Array value must start with \"{\" or dimension information."),
            ("{1,2", "Unexpected end of input."),
            ("{1}}", "Junk after closing right brace."),
            ("{1,}", "Unexpected \"}\" character."),
            ("{,1}", "Unexpected \",\" character."),
            ("{{1},{2,3}}", "Multidimensional arrays must have sub-arrays with matching dimensions."),
            ("{{1},2}", "Unexpected array element."),
            ("{1,{2}}", "Unexpected \"{\" character."),
            ("[1:3]={1,2}", "Specified array dimensions do not match array contents."),
            ("[1:2]{1,2}", "Missing \"=\" after array dimensions."),
        ] {
            let error = literal(text, b',').unwrap_err();
            assert_eq!(error.message(), format!("malformed array literal: \"{text}\""));
            assert_eq!(error.fields().detail.as_deref(), Some(detail), "{text}");
        }
    }

    #[test]
    fn quoting() {
        let mut out = b"x,a\"b\\c".to_vec();
        write_quoted(2, false, &mut out);
        assert_eq!(out, b"x,\"a\\\"b\\\\c\"");
        assert!(needs_quotes(b"null", b',') && needs_quotes(b"", b',') && !needs_quotes(b"a.b", b','));
    }
}
