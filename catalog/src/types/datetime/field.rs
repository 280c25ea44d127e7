//! Splitting date, time and interval input into fields by its characters alone (PostgreSQL manual, appendix B.1).

use super::token::token;

/// What a field looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Digits, maybe with one decimal point.
    Number,
    /// Digits with date separators, or a word with punctuation.
    Date,
    /// Digits with a colon.
    Time,
    /// A sign and digits.
    Displacement,
    /// A word.
    Word,
    /// A sign and a word.
    SignedWord,
}

/// One field: its kind and its text in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub kind: Kind,
    pub text: String,
}

const MAX_FIELDS: usize = 25;
/// Longest input, in characters that fields keep (`MAXDATELEN`).
const MAX_LENGTH: usize = 128;

/// Walks over the input and collects one field at a time.
struct Scanner<'a> {
    rest: &'a [u8],
    text: String,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn push(&mut self) {
        if let Some((&byte, rest)) = self.rest.split_first() {
            self.text.push(char::from(byte.to_ascii_lowercase()));
            self.rest = rest;
        }
    }

    fn push_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.peek().is_some_and(&accept) {
            self.push();
        }
    }

    fn digits(&mut self) {
        self.push_while(|byte| byte.is_ascii_digit());
    }

    fn letters(&mut self) {
        self.push_while(|byte| byte.is_ascii_alphabetic());
    }

    fn number_or_date_or_time(&mut self) -> Kind {
        self.digits();
        match self.peek() {
            Some(b':') => {
                self.push_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'));
                Kind::Time
            }
            Some(separator @ (b'-' | b'/' | b'.')) => {
                self.push();
                if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                    self.push_while(|byte| byte.is_ascii_alphanumeric() || byte == separator);
                    return Kind::Date;
                }
                self.digits();
                if self.peek() == Some(separator) {
                    self.push_while(|byte| byte.is_ascii_digit() || byte == separator);
                    return Kind::Date;
                }
                if separator == b'.' { Kind::Number } else { Kind::Date }
            }
            _ => Kind::Number,
        }
    }

    /// A word may go on as a date (`jan-08-1999`) or a zone name (`america/new_york`).
    fn word(&mut self) -> Kind {
        self.letters();
        let continues = match self.peek() {
            Some(b'-' | b'/' | b'.') => true,
            Some(byte) if byte == b'+' || byte.is_ascii_digit() => token(&self.text).is_none(),
            _ => false,
        };
        if !continues {
            return Kind::Word;
        }
        self.push_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'/' | b'_' | b'.' | b':'));
        Kind::Date
    }

    fn signed(&mut self) -> Option<Kind> {
        self.push();
        while let Some((byte, rest)) = self.rest.split_first()
            && crate::types::text::is_space(*byte)
        {
            self.rest = rest;
        }
        match self.peek() {
            Some(byte) if byte.is_ascii_digit() => {
                self.push_while(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-'));
                Some(Kind::Displacement)
            }
            Some(byte) if byte.is_ascii_alphabetic() => {
                self.letters();
                Some(Kind::SignedWord)
            }
            _ => None,
        }
    }
}

/// Splits the input; `None` if it cannot be date, time or interval input.
pub(crate) fn split(input: &str) -> Option<Vec<Field>> {
    let mut scanner = Scanner { rest: input.as_bytes(), text: String::new() };
    let mut fields = Vec::new();
    let mut length = 0;
    while let Some(byte) = scanner.peek() {
        if crate::types::text::is_space(byte) {
            scanner.rest = &scanner.rest[1..];
            continue;
        }
        let kind = match byte {
            b'0'..=b'9' => scanner.number_or_date_or_time(),
            b'.' => {
                scanner.push();
                scanner.digits();
                Kind::Number
            }
            b'a'..=b'z' | b'A'..=b'Z' => scanner.word(),
            b'+' | b'-' => scanner.signed()?,
            _ if byte.is_ascii_punctuation() => {
                scanner.rest = &scanner.rest[1..];
                continue;
            }
            _ => return None,
        };
        let text = std::mem::take(&mut scanner.text);
        length += text.len();
        if fields.len() >= MAX_FIELDS || length > MAX_LENGTH {
            return None;
        }
        fields.push(Field { kind, text });
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(input: &str) -> Vec<(Kind, String)> {
        split(input).unwrap().into_iter().map(|field| (field.kind, field.text)).collect()
    }

    #[test]
    fn fields() {
        assert_eq!(
            kinds("1999-01-08 04:05:06.789-08"),
            [
                (Kind::Date, "1999-01-08".into()),
                (Kind::Time, "04:05:06.789".into()),
                (Kind::Displacement, "-08".into())
            ]
        );
        assert_eq!(
            kinds("J2451187 12.5"),
            [(Kind::Word, "j".into()), (Kind::Number, "2451187".into()), (Kind::Number, "12.5".into())]
        );
        assert_eq!(kinds("America/New_York"), [(Kind::Date, "america/new_york".into())]);
        assert_eq!(kinds("08-Jan-99"), [(Kind::Date, "08-jan-99".into())]);
        assert_eq!(kinds("- infinity"), [(Kind::SignedWord, "-infinity".into())]);
        assert_eq!(split("+"), None);
        assert_eq!(split("1999\u{e4}"), None);
    }
}
