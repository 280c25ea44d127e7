//! The scalars within a JSON text, in the order in which they are written. The text is known to be valid.

use std::ops::Range;

use aegis_catalog::types::json::write_json_string;

use super::raw::{Kind, decoded};

/// Which scalars are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted {
    pub strings: bool,
    pub numbers: bool,
    pub booleans: bool,
    pub keys: bool,
}

/// Calls with the text of each scalar that is wanted.
pub fn visit(json: &str, wanted: Wanted, each: &mut impl FnMut(&str)) {
    for (range, is_key) in (Scalars { json, at: 0 }) {
        let text = json.get(range).unwrap_or_default();
        match Kind::of(text) {
            Kind::String if is_key && wanted.keys || !is_key && wanted.strings => each(&decoded(text)),
            Kind::Number if wanted.numbers => each(text),
            Kind::Boolean if wanted.booleans => each(text),
            _ => {}
        }
    }
}

/// The text without blanks, and with other strings; names of members stay.
pub fn map_strings<E>(json: &str, mut map: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
    let mut out = String::with_capacity(json.len());
    let mut last = 0;
    let between = |out: &mut String, range: Range<usize>| {
        out.extend(json.get(range).unwrap_or_default().chars().filter(|c| !c.is_ascii_whitespace()));
    };
    for (range, is_key) in (Scalars { json, at: 0 }) {
        between(&mut out, last..range.start);
        last = range.end;
        let text = json.get(range).unwrap_or_default();
        if Kind::of(text) == Kind::String {
            let text = if is_key { decoded(text) } else { map(&decoded(text))? };
            write_json_string(&text, &mut out);
        } else {
            out.push_str(text);
        }
    }
    between(&mut out, last..json.len());
    Ok(out)
}

/// Places of the scalars, and whether they are names of members.
struct Scalars<'a> {
    json: &'a str,
    at: usize,
}

impl Iterator for Scalars<'_> {
    type Item = (Range<usize>, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.json.as_bytes();
        let is_between =
            |byte: &u8| matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':') || byte.is_ascii_whitespace();
        let start = self.at + bytes.get(self.at..)?.iter().position(|byte| !is_between(byte))?;
        let mut end = start + 1;
        if bytes.get(start) == Some(&b'"') {
            while let Some(&byte) = bytes.get(end) {
                end += if byte == b'\\' { 2 } else { 1 };
                if byte == b'"' {
                    break;
                }
            }
        } else {
            end = bytes.iter().skip(start).position(is_between).map_or(bytes.len(), |length| start + length);
        }
        let end = end.min(bytes.len());
        self.at = end;
        let after = bytes.get(end..).unwrap_or_default().iter().find(|byte| !byte.is_ascii_whitespace());
        Some((start..end, after == Some(&b':')))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_found_and_replaced() {
        let json = r#" {"a": "x, \"y", "b": [1.5, true, null, {"c": "z"}]} "#;
        let mut found = Vec::new();
        let all = Wanted { strings: true, numbers: true, booleans: true, keys: true };
        visit(json, all, &mut |text: &str| found.push(text.to_owned()));
        assert_eq!(found, ["a", "x, \"y", "b", "1.5", "true", "c", "z"]);
        let mapped = map_strings::<()>(json, |text| Ok(text.to_uppercase())).unwrap();
        assert_eq!(mapped, r#"{"a":"X, \"Y","b":[1.5,true,null,{"c":"Z"}]}"#);
        assert_eq!(map_strings::<()>("\"a\"", |text| Ok(text.repeat(2))).unwrap(), "\"aa\"");
    }
}
