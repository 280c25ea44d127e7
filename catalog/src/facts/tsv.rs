//! PostgreSQL's COPY text format, as far as the files of `data/` use it. They are part of the program: a row that does not
//! parse is a fault of the build, so it panics with the file's row.

use std::borrow::Cow;
use std::str::FromStr;

use crate::types::oid::Oid;

/// The rows of one file.
pub fn rows(text: &'static str) -> impl Iterator<Item = Fields> {
    text.lines().map(|line| Fields { line, rest: Some(line) })
}

/// The fields of one row, taken from left to right.
#[derive(Debug, Clone)]
pub struct Fields {
    line: &'static str,
    rest: Option<&'static str>,
}

impl Fields {
    /// The next field without its escapes; `None` for null.
    pub fn optional(&mut self) -> Option<Cow<'static, str>> {
        let rest = self.rest.unwrap_or_else(|| panic!("a field is missing in: {}", self.line));
        let (field, rest) = match rest.split_once('\t') {
            Some((field, rest)) => (field, Some(rest)),
            None => (rest, None),
        };
        self.rest = rest;
        (field != "\\N").then(|| unescape(field))
    }

    pub fn text(&mut self) -> Cow<'static, str> {
        self.optional().unwrap_or_else(|| panic!("unexpected null in: {}", self.line))
    }

    pub fn parse<T: FromStr>(&mut self) -> T {
        let field = self.text();
        field.parse().unwrap_or_else(|_| panic!("cannot read {field:?} in: {}", self.line))
    }

    pub fn oid(&mut self) -> Oid {
        self.parse()
    }

    pub fn boolean(&mut self) -> bool {
        self.text() == "t"
    }

    /// A "char".
    pub fn character(&mut self) -> char {
        self.text().chars().next().unwrap_or('\0')
    }

    /// An `oidvector`: numbers with blanks between.
    pub fn oid_vector(&mut self) -> Vec<Oid> {
        let field = self.text();
        field.split_ascii_whitespace().map(|oid| oid.parse().expect("an OID")).collect()
    }

    /// An array value, such as `{a,"b c"}`.
    pub fn array(&mut self) -> Option<Vec<String>> {
        self.optional().map(|field| array_elements(&field))
    }

    pub fn oid_array(&mut self) -> Option<Vec<Oid>> {
        self.array().map(|items| items.iter().map(|oid| oid.parse().expect("an OID")).collect())
    }

    /// All that is left, field by field.
    pub fn remaining(mut self) -> Vec<Option<Cow<'static, str>>> {
        let mut fields = Vec::new();
        while self.rest.is_some() {
            fields.push(self.optional());
        }
        fields
    }
}

fn unescape(field: &'static str) -> Cow<'static, str> {
    if !field.contains('\\') {
        return Cow::Borrowed(field);
    }
    let mut text = String::with_capacity(field.len());
    let mut characters = field.chars();
    while let Some(c) = characters.next() {
        match (c, if c == '\\' { characters.next() } else { None }) {
            ('\\', Some('n')) => text.push('\n'),
            ('\\', Some('t')) => text.push('\t'),
            ('\\', Some('r')) => text.push('\r'),
            ('\\', Some(other)) => text.push(other),
            (c, _) => text.push(c),
        }
    }
    Cow::Owned(text)
}

fn array_elements(literal: &str) -> Vec<String> {
    let inner = literal.strip_prefix('{').and_then(|l| l.strip_suffix('}')).expect("an array in braces");
    let mut elements = Vec::new();
    let (mut element, mut quoted, mut any) = (String::new(), false, false);
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        any = true;
        match c {
            '\\' => element.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => elements.push(std::mem::take(&mut element)),
            c => element.push(c),
        }
    }
    if any {
        elements.push(element);
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_copy_text() {
        let mut fields = rows("a\\tb\t\\N\t1 2\t{x,\"y,z\",\"\"}\tf\n").next().unwrap();
        assert_eq!(fields.text(), "a\tb");
        assert_eq!(fields.optional(), None);
        assert_eq!(fields.oid_vector(), [1, 2]);
        assert_eq!(fields.array().unwrap(), ["x", "y,z", ""]);
        assert!(!fields.boolean());
    }
}
