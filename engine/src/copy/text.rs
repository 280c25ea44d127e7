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

/// Where a byte stands in a line. Fields are short: comparing eight bytes at once and stepping through the hits costs less than
/// one call of a search per field.
pub struct Positions<'a> {
    words: std::slice::Iter<'a, [u8; 8]>,
    /// The end of the line, filled up with another byte.
    tail: Option<[u8; 8]>,
    pattern: u64,
    /// Where the word after the present one starts.
    next: usize,
    /// The high bit of each byte of the present word that equals.
    hits: u64,
}

/// Each byte is this.
const ONES: u64 = 0x0101_0101_0101_0101;
const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;

impl<'a> Positions<'a> {
    pub fn new(line: &'a [u8], byte: u8) -> Self {
        let (words, rest) = line.as_chunks();
        let mut tail = [!byte; 8];
        tail.iter_mut().zip(rest).for_each(|(slot, &byte)| *slot = byte);
        let tail = (!rest.is_empty()).then_some(tail);
        Self { words: words.iter(), tail, pattern: ONES * u64::from(byte), next: 0, hits: 0 }
    }
}

impl Iterator for Positions<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        while self.hits == 0 {
            let word = self.words.next().copied().or_else(|| self.tail.take())?;
            let differences = u64::from_le_bytes(word) ^ self.pattern;
            self.hits = !(((differences & LOW_BITS) + LOW_BITS) | differences | LOW_BITS);
            self.next += 8;
        }
        let position = self.next - 8 + self.hits.trailing_zeros() as usize / 8;
        self.hits &= self.hits - 1;
        Some(position)
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
    fn positions() {
        let line = b"a\tbc\t\tdefghijklmnop\t\xc3\xa4\t\x89\x08";
        for end in 0..=line.len() {
            let line = &line[..end];
            let expected: Vec<usize> = (0..end).filter(|&i| line[i] == b'\t').collect();
            assert_eq!(Positions::new(line, b'\t').collect::<Vec<_>>(), expected);
        }
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
