//! `jsonb`: parsed values, canonical text, comparison.

use super::lexer::{Lexer, Token};
use super::validate::{Events, run};
use crate::error::Result;
use crate::types::numeric::{Numeric, key};

/// A JSON value as `jsonb` holds it: keys sorted by length, then bytes; each once.
#[derive(Debug, Clone, PartialEq)]
pub enum JsonValue {
    Null,
    Bool(bool),
    /// In `numeric`'s text form.
    Number(String),
    String(String),
    Array(Vec<JsonValue>),
    Object(Vec<(String, JsonValue)>),
}

/// Parses JSON text as input of `jsonb`.
pub fn parse(text: &str) -> Result<JsonValue> {
    let mut builder = Builder { open: Vec::new(), keys: Vec::new(), result: JsonValue::Null };
    run(text, true, &mut builder)?;
    Ok(builder.result)
}

/// The canonical text of JSON text: what `jsonb` stores and prints.
pub fn canonical(text: &str) -> Result<String> {
    let mut out = String::with_capacity(text.len());
    parse(text)?.write(&mut out);
    Ok(out)
}

/// Containers under construction, outermost first, and the key each object waits to pair.
struct Builder {
    open: Vec<JsonValue>,
    keys: Vec<String>,
    result: JsonValue,
}

impl Builder {
    fn add(&mut self, value: JsonValue) {
        match self.open.last_mut() {
            None => self.result = value,
            Some(JsonValue::Object(members)) => members.push((self.keys.pop().unwrap_or_default(), value)),
            Some(JsonValue::Array(elements)) => elements.push(value),
            Some(_) => {}
        }
    }

    fn close(&mut self) {
        if let Some(mut value) = self.open.pop() {
            if let JsonValue::Object(members) = &mut value {
                sort_members(members);
            }
            self.add(value);
        }
    }
}

impl Events for Builder {
    fn object_start(&mut self) {
        self.open.push(JsonValue::Object(Vec::new()));
    }

    fn object_end(&mut self) {
        self.close();
    }

    fn array_start(&mut self) {
        self.open.push(JsonValue::Array(Vec::new()));
    }

    fn array_end(&mut self) {
        self.close();
    }

    fn key(&mut self, text: &str) {
        self.keys.push(text.to_owned());
    }

    fn scalar(&mut self, token: Token, lexer: &Lexer<'_>) -> Result<()> {
        let value = match token {
            Token::String => JsonValue::String(lexer.string.clone()),
            Token::Number => JsonValue::Number(canonical_number(lexer.token_text())?),
            Token::True => JsonValue::Bool(true),
            Token::False => JsonValue::Bool(false),
            _ => JsonValue::Null,
        };
        self.add(value);
        Ok(())
    }
}

/// Most numbers are in `numeric`'s form already.
fn canonical_number(text: &str) -> Result<String> {
    let plain = text.len() < 1000 && !text.starts_with("-0") && !text.contains(['e', 'E']);
    if plain { Ok(text.to_owned()) } else { Ok(Numeric::parse(text)?.to_string()) }
}

fn key_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// Sorts members into `jsonb`'s order and keeps the last of equal keys.
fn sort_members(members: &mut Vec<(String, JsonValue)>) {
    members.sort_by(|a, b| key_order(&a.0, &b.0));
    members.dedup_by(|later, earlier| {
        let same = later.0 == earlier.0;
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
}

/// What is left to write: values, and the text between them.
enum Pending<'a> {
    Value(&'a JsonValue),
    Key(&'a str),
    Text(&'static str),
}

impl JsonValue {
    /// An object with its members in order.
    pub fn object(mut members: Vec<(String, JsonValue)>) -> Self {
        sort_members(&mut members);
        Self::Object(members)
    }

    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        let index = members.binary_search_by(|member| key_order(&member.0, name)).ok()?;
        Some(&members[index].1)
    }

    /// Appends the canonical text.
    pub fn write(&self, out: &mut String) {
        let mut stack = vec![Pending::Value(self)];
        while let Some(pending) = stack.pop() {
            match pending {
                Pending::Text(text) => out.push_str(text),
                Pending::Key(key) => write_json_string(key, out),
                Pending::Value(Self::Null) => out.push_str("null"),
                Pending::Value(Self::Bool(value)) => out.push_str(if *value { "true" } else { "false" }),
                Pending::Value(Self::Number(number)) => out.push_str(number),
                Pending::Value(Self::String(text)) => write_json_string(text, out),
                Pending::Value(Self::Array(elements)) => {
                    out.push('[');
                    stack.push(Pending::Text("]"));
                    for (index, element) in elements.iter().enumerate().rev() {
                        stack.push(Pending::Value(element));
                        if index > 0 {
                            stack.push(Pending::Text(", "));
                        }
                    }
                }
                Pending::Value(Self::Object(members)) => {
                    out.push('{');
                    stack.push(Pending::Text("}"));
                    for (index, (key, value)) in members.iter().enumerate().rev() {
                        stack.push(Pending::Value(value));
                        stack.push(Pending::Text(": "));
                        stack.push(Pending::Key(key));
                        if index > 0 {
                            stack.push(Pending::Text(", "));
                        }
                    }
                }
            }
        }
    }
}

impl std::fmt::Display for JsonValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

/// A string with quotes and escapes as PostgreSQL writes them.
pub fn write_json_string(text: &str, out: &mut String) {
    out.push('"');
    let mut plain = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x0C => "\\f",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x00..=0x1F => "",
            _ => continue,
        };
        out.push_str(&text[plain..index]);
        plain = index + 1;
        if escape.is_empty() {
            out.push_str(&format!("\\u{byte:04x}"));
        } else {
            out.push_str(escape);
        }
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

/// Type tags of the comparison key, in `jsonb`'s order.
mod tag {
    pub const NULL: u8 = 0x10;
    pub const STRING: u8 = 0x20;
    pub const NUMBER: u8 = 0x30;
    pub const BOOL: u8 = 0x40;
    pub const ARRAY: u8 = 0x50;
    pub const OBJECT: u8 = 0x60;
}

/// Bytes whose order is `jsonb`'s: Object > Array > Boolean > Number > String > null, then by size, then by
/// contents. A scalar by itself counts as an array of one, so that the empty array comes first.
pub fn comparison_key(value: &JsonValue) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    if !matches!(value, JsonValue::Array(_) | JsonValue::Object(_)) {
        out.push(tag::ARRAY);
        out.extend_from_slice(&1u32.to_be_bytes());
        out.push(0);
    }
    let mut stack = vec![Pending::Value(value)];
    while let Some(pending) = stack.pop() {
        match pending {
            Pending::Text(_) => {}
            Pending::Key(key) => push_string(key, &mut out),
            Pending::Value(JsonValue::Null) => out.push(tag::NULL),
            Pending::Value(JsonValue::Bool(value)) => out.extend_from_slice(&[tag::BOOL, u8::from(*value)]),
            Pending::Value(JsonValue::String(text)) => push_string(text, &mut out),
            Pending::Value(JsonValue::Number(number)) => {
                out.push(tag::NUMBER);
                // A zero byte ends the number: smaller than any byte that a longer one goes on with.
                out.extend_from_slice(key(&Numeric::parse(number)?.to_bytes()));
                out.push(0);
            }
            Pending::Value(JsonValue::Array(elements)) => {
                out.push(tag::ARRAY);
                out.extend_from_slice(&(elements.len() as u32).to_be_bytes());
                out.push(1);
                stack.extend(elements.iter().rev().map(Pending::Value));
            }
            Pending::Value(JsonValue::Object(members)) => {
                out.push(tag::OBJECT);
                out.extend_from_slice(&(members.len() as u32).to_be_bytes());
                for (key, value) in members.iter().rev() {
                    stack.push(Pending::Value(value));
                    stack.push(Pending::Key(key));
                }
            }
        }
    }
    Ok(out)
}

/// Strings hold no zero byte, so that one ends them.
fn push_string(text: &str, out: &mut Vec<u8>) {
    out.push(tag::STRING);
    out.extend_from_slice(text.as_bytes());
    out.push(0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text() {
        for (text, expected) in [
            (" {\"bb\":1,\"a\":[1,2 ,{}],\"bb\" : 2}", "{\"a\": [1, 2, {}], \"bb\": 2}"),
            ("[1e2,1.50,-0,-0.00,1.10E1]", "[100, 1.50, 0, 0.00, 11.0]"),
            ("\"\\u00e4\\/\\u0001\\t\\ud83d\\ude00\"", "\"ä/\\u0001\\t😀\""),
            ("{\"b\":1,\"aa\":2,\"c\":3,\"\":4}", "{\"\": 4, \"b\": 1, \"c\": 3, \"aa\": 2}"),
        ] {
            assert_eq!(canonical(text).unwrap(), expected);
        }
        let error = canonical("\"\\u0000\"").unwrap_err();
        assert_eq!(error.message(), "unsupported Unicode escape sequence");
        let error = canonical("\"\\ud800x\"").unwrap_err();
        assert_eq!(error.fields().detail.as_deref(), Some("Unicode low surrogate must follow a high surrogate."));
    }

    #[test]
    fn order() {
        let ordered = [
            "[]",
            "null",
            "\"\"",
            "\"a\"",
            "\"b\"",
            "-1",
            "0",
            "1",
            "1.5",
            "10",
            "false",
            "true",
            "[null]",
            "[\"a\"]",
            "[1]",
            "[[]]",
            "[1, 2]",
            "[1, 3]",
            "{}",
            "{\"a\": 1}",
            "{\"a\": 2}",
            "{\"b\": 1}",
            "{\"a\": 1, \"b\": 1}",
        ];
        let keys: Vec<_> = ordered.iter().map(|text| comparison_key(&parse(text).unwrap()).unwrap()).collect();
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]));
        let same = |a: &str, b: &str| {
            assert_eq!(comparison_key(&parse(a).unwrap()).unwrap(), comparison_key(&parse(b).unwrap()).unwrap());
        };
        same("1.0", "1");
        same("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}");
    }
}
