//! Parts of JSON text as they were written. The text is known to be valid.

/// What a JSON text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Object,
    Array,
    String,
    Number,
    Boolean,
    Null,
}

impl Kind {
    pub fn of(text: &str) -> Self {
        match text.trim_start().as_bytes().first() {
            Some(b'{') => Self::Object,
            Some(b'[') => Self::Array,
            Some(b'"') => Self::String,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'n') => Self::Null,
            _ => Self::Number,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
        }
    }
}

/// Reads a container's items from left to right.
struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    fn skip_blanks(&mut self) {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_blanks();
        self.text.as_bytes().get(self.at).copied()
    }

    /// One whole value.
    fn value(&mut self) -> &'a str {
        self.skip_blanks();
        let bytes = self.text.as_bytes();
        let start = self.at;
        let (mut depth, mut in_string) = (0usize, false);
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b'\\' if in_string => self.at += 1,
                b'"' => {
                    in_string = !in_string;
                    if !in_string && depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                _ if in_string => {}
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => break,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        self.text.get(start..self.at.min(self.text.len())).unwrap_or_default()
    }
}

/// The elements of an array; none of anything else.
pub fn elements(text: &str) -> Vec<&str> {
    let mut scanner = Scanner { text, at: 0 };
    let mut items = Vec::new();
    if scanner.peek() != Some(b'[') {
        return items;
    }
    scanner.at += 1;
    while !matches!(scanner.peek(), Some(b']') | None) {
        items.push(scanner.value());
        if scanner.peek() == Some(b',') {
            scanner.at += 1;
        }
    }
    items
}

/// The members of an object, names decoded; none of anything else.
pub fn members(text: &str) -> Vec<(String, &str)> {
    let mut scanner = Scanner { text, at: 0 };
    let mut items = Vec::new();
    if scanner.peek() != Some(b'{') {
        return items;
    }
    scanner.at += 1;
    while !matches!(scanner.peek(), Some(b'}') | None) {
        let name = scanner.value();
        if scanner.peek() == Some(b':') {
            scanner.at += 1;
        }
        items.push((decoded(name), scanner.value()));
        if scanner.peek() == Some(b',') {
            scanner.at += 1;
        }
    }
    items
}

/// The last member of that name.
pub fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    members(text).into_iter().rev().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// An element by its position; a negative one counts from the end.
pub fn element(text: &str, index: i32) -> Option<&str> {
    let items = elements(text);
    let position = if index < 0 { items.len().checked_sub(index.unsigned_abs() as usize)? } else { index as usize };
    items.get(position).copied()
}

/// The characters of a JSON string.
pub fn decoded(text: &str) -> String {
    let inner = text.trim().trim_start_matches('"');
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    if !inner.contains('\\') {
        return inner.to_owned();
    }
    match aegis_catalog::types::json::parse(text) {
        Ok(aegis_catalog::types::json::JsonValue::String(decoded)) => decoded,
        _ => inner.to_owned(),
    }
}

/// The value as SQL text: strings without quotes, null as null.
pub fn as_text(text: &str) -> Option<String> {
    match Kind::of(text) {
        Kind::Null => None,
        Kind::String => Some(decoded(text)),
        _ => Some(text.trim().to_owned()),
    }
}

/// Follows a path of names and positions.
pub fn at_path<'a>(text: &'a str, path: &[Option<&str>]) -> Option<&'a str> {
    let mut current = text.trim();
    for step in path {
        let step = (*step)?;
        current = match Kind::of(current) {
            Kind::Object => member(current, step)?,
            Kind::Array => element(current, step.trim().parse().ok()?)?,
            _ => return None,
        };
    }
    Some(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_as_written() {
        let text = r#" { "a" : [1, {"b":"x,]}"}, null], "c\"d": "e" , "a2":{}} "#;
        assert_eq!(member(text, "a"), Some(r#"[1, {"b":"x,]}"}, null]"#));
        assert_eq!(member(text, "c\"d"), Some("\"e\""));
        assert_eq!(elements(member(text, "a").unwrap()), ["1", r#"{"b":"x,]}"}"#, "null"]);
        assert_eq!(at_path(text, &[Some("a"), Some("-2"), Some("b")]).and_then(as_text).as_deref(), Some("x,]}"));
        assert_eq!(elements("[]"), [""; 0]);
        assert_eq!(as_text("null"), None);
    }
}
