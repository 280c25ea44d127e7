//! Fields of one line in COPY's text format, and a value in it.

use memchr::{memchr, memchr2};

/// The fields of a line, escapes still in them.
pub struct Fields<'a> {
    line: &'a [u8],
    delimiter: u8,
    /// Where the next field starts; None after the last.
    next: Option<usize>,
}

impl<'a> Fields<'a> {
    pub fn new(line: &'a [u8], delimiter: u8) -> Self {
        Self { line, delimiter, next: Some(0) }
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let start = self.next?;
        let mut position = start;
        let end = loop {
            let rest = self.line.get(position..).unwrap_or_default();
            match memchr2(self.delimiter, b'\\', rest) {
                None => {
                    self.next = None;
                    break self.line.len();
                }
                Some(offset) if rest.get(offset) == Some(&b'\\') => position += offset + 2,
                Some(offset) => {
                    self.next = Some(position + offset + 1);
                    break position + offset;
                }
            }
        };
        self.line.get(start..end)
    }
}

/// Appends a field's value without its escapes, which may name any byte.
pub fn unescape(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field;
    loop {
        let plain = memchr(b'\\', rest).unwrap_or(rest.len());
        out.extend_from_slice(rest.get(..plain).unwrap_or_default());
        let escaped = rest.get(plain + 1..).unwrap_or_default();
        if escaped.is_empty() {
            return;
        }
        rest = unescape_one(escaped, out);
    }
}

/// Appends the character behind a backslash; returns what follows it.
fn unescape_one<'a>(escaped: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let digits = |radix: u32, from: usize, most: usize| {
        let digits = escaped.iter().skip(from).take(most);
        digits.map_while(|&byte| char::from(byte).to_digit(radix)).collect::<Vec<_>>()
    };
    let number = |digits: &[u32], radix: u32| digits.iter().fold(0, |value, digit| value * radix + digit) as u8;
    let (byte, length) = match escaped.first() {
        Some(b'0'..=b'7') => {
            let octal = digits(8, 0, 3);
            (number(&octal, 8), octal.len())
        }
        Some(b'x') if escaped.get(1).is_some_and(u8::is_ascii_hexdigit) => {
            let hex = digits(16, 1, 2);
            (number(&hex, 16), 1 + hex.len())
        }
        Some(b'b') => (0x08, 1),
        Some(b'f') => (0x0C, 1),
        Some(b'n') => (b'\n', 1),
        Some(b'r') => (b'\r', 1),
        Some(b't') => (b'\t', 1),
        Some(b'v') => (0x0B, 1),
        Some(&other) => (other, 1),
        None => return escaped,
    };
    out.push(byte);
    escaped.get(length..).unwrap_or_default()
}

/// Escapes the text that starts at `start` in `out`, if it needs it.
pub fn escape(out: &mut Vec<u8>, start: usize, delimiter: u8, scratch: &mut Vec<u8>) {
    let special = |byte: u8| byte < 0x20 || byte == b'\\' || byte == delimiter;
    let Some(first) = out.get(start..).and_then(|text| text.iter().position(|&byte| special(byte))) else { return };
    scratch.clear();
    scratch.extend_from_slice(out.get(start + first..).unwrap_or_default());
    out.truncate(start + first);
    for &byte in scratch.iter() {
        match byte {
            0x08 => out.extend_from_slice(b"\\b"),
            0x0C => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x0B => out.extend_from_slice(b"\\v"),
            _ if byte == b'\\' || byte == delimiter => out.extend_from_slice(&[b'\\', byte]),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields() {
        let fields = |line: &'static [u8]| Fields::new(line, b'\t').collect::<Vec<_>>();
        assert_eq!(fields(b"a\t\\\tb\t\t\\\\\tc"), [b"a".as_slice(), b"\\\tb", b"", b"\\\\", b"c"]);
        assert_eq!(fields(b""), [b""]);
        assert_eq!(fields(b"a\\"), [b"a\\"]);
    }

    #[test]
    fn escapes() {
        let mut out = Vec::new();
        unescape(b"a\\tb\\101\\x4a\\x\\q\\\\\\", &mut out);
        assert_eq!(out, b"a\tbAJxq\\");
        out.clear();
        unescape(b"\\303\\244", &mut out);
        assert_eq!(out, "ä".as_bytes());
        let mut scratch = Vec::new();
        let mut out = b"--a\tb\\c\x01|".to_vec();
        escape(&mut out, 2, b'|', &mut scratch);
        assert_eq!(out, b"--a\\tb\\\\c\x01\\|");
    }
}
