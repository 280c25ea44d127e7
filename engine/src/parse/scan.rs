//! PostgreSQL's lexical structure (manual 4.1; `scan.l`): where each token begins and ends, and the errors that PostgreSQL
//! reports for text that is no token. The parser library has its own lexer; this one gives error messages their wording and
//! measures nesting before anything recurses.

use aegis_catalog::{Error, Result, sqlstate};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenKind {
    Word,
    QuotedIdentifier,
    String,
    Number,
    Parameter,
    Operator,
    /// `( ) [ ] , ; . :` and anything else of one character.
    Other(u8),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: TokenKind,
    pub start: u32,
    pub end: u32,
}

/// All tokens of `text` without white space and comments, up to the first error if there is one. PostgreSQL scans while it
/// parses: an error of the grammar before that place comes first.
pub(super) fn scan(text: &str) -> (Vec<Token>, Option<Error>) {
    let mut scanner = Scanner { text, bytes: text.as_bytes(), position: 0 };
    let mut tokens = Vec::with_capacity(text.len() / 5);
    loop {
        match scanner.token() {
            Ok(Some(token)) => tokens.push(token),
            Ok(None) => return (tokens, None),
            Err(error) => return (tokens, Some(error)),
        }
    }
}

/// `message at or near "text"`, as PostgreSQL's scanner_yyerror words it.
pub(super) fn error_near(message: &str, text: &str, start: usize, end: usize) -> Error {
    let near = text.get(start..end).unwrap_or_default();
    let message =
        if near.is_empty() { format!("{message} at end of input") } else { format!("{message} at or near \"{near}\"") };
    Error::new(sqlstate::SYNTAX_ERROR, message).at(start as u32)
}

struct Scanner<'a> {
    text: &'a str,
    bytes: &'a [u8],
    position: usize,
}

fn is_identifier_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&byte)
}

impl Scanner<'_> {
    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.position + ahead).copied().unwrap_or(0)
    }

    fn fail<T>(&self, message: &str, start: usize, end: usize) -> Result<T> {
        Err(error_near(message, self.text, start, end))
    }

    fn token(&mut self) -> Result<Option<Token>> {
        self.skip_space()?;
        let start = self.position;
        let Some(&first) = self.bytes.get(start) else { return Ok(None) };
        let second = self.peek(1);
        let third = self.peek(2);
        let kind = match first {
            b'\'' => self.quoted(1, false, "unterminated quoted string")?,
            b'e' | b'E' if second == b'\'' => self.quoted(2, true, "unterminated quoted string")?,
            b'n' | b'N' if second == b'\'' => self.quoted(2, false, "unterminated quoted string")?,
            b'b' | b'B' if second == b'\'' => self.quoted(2, false, "unterminated bit string literal")?,
            b'x' | b'X' if second == b'\'' => self.quoted(2, false, "unterminated hexadecimal string literal")?,
            b'u' | b'U' if second == b'&' && third == b'\'' => self.quoted(3, false, "unterminated quoted string")?,
            b'u' | b'U' if second == b'&' && third == b'"' => self.quoted_identifier(3)?,
            b'"' => self.quoted_identifier(1)?,
            b'$' if second.is_ascii_digit() => self.parameter()?,
            b'$' if second == b'$' || is_identifier_start(second) => self.dollar_quoted()?,
            _ if is_identifier_start(first) => {
                self.take_while(is_identifier_part);
                TokenKind::Word
            }
            _ if first.is_ascii_digit() || first == b'.' && second.is_ascii_digit() => self.number()?,
            _ if is_operator(first) => self.operator(),
            b':' if second == b':' || second == b'=' => {
                self.position += 2;
                TokenKind::Operator
            }
            _ => {
                self.position += 1;
                TokenKind::Other(first)
            }
        };
        Ok(Some(Token { kind, start: start as u32, end: self.position as u32 }))
    }

    fn take_while(&mut self, accept: impl Fn(u8) -> bool) {
        while self.bytes.get(self.position).is_some_and(|&byte| accept(byte)) {
            self.position += 1;
        }
    }

    fn skip_space(&mut self) -> Result<()> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c, _) => self.position += 1,
                (b'-', b'-') => self.take_while(|byte| byte != b'\n' && byte != b'\r'),
                (b'/', b'*') => self.block_comment()?,
                _ => return Ok(()),
            }
        }
    }

    /// Comments nest.
    fn block_comment(&mut self) -> Result<()> {
        let start = self.position;
        let mut depth = 0usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.position += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.position += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ if self.position >= self.bytes.len() => {
                    return self.fail("unterminated /* comment", start, self.bytes.len());
                }
                _ => self.position += 1,
            }
        }
    }

    /// A string in single quotes, with its continuation lines.
    fn quoted(&mut self, prefix: usize, escapes: bool, unterminated: &str) -> Result<TokenKind> {
        let start = self.position;
        self.position += prefix;
        loop {
            match self.bytes.get(self.position) {
                None => return self.fail(unterminated, start, self.bytes.len()),
                Some(b'\\') if escapes => self.position += 2,
                Some(b'\'') if self.peek(1) == b'\'' => self.position += 2,
                Some(b'\'') => {
                    self.position += 1;
                    if !self.continuation() {
                        return Ok(TokenKind::String);
                    }
                }
                Some(_) => self.position += 1,
            }
        }
    }

    /// After a closing quote: white space with a new line in it and another quote continue the string.
    fn continuation(&mut self) -> bool {
        let mut position = self.position;
        let mut new_line = false;
        while let Some(&byte) = self.bytes.get(position) {
            match byte {
                b'\n' | b'\r' => new_line = true,
                b' ' | b'\t' | 0x0b | 0x0c => {}
                b'-' if new_line && self.bytes.get(position + 1) == Some(&b'-') => {
                    while self.bytes.get(position + 1).is_some_and(|&byte| byte != b'\n' && byte != b'\r') {
                        position += 1;
                    }
                }
                b'\'' if new_line => {
                    self.position = position + 1;
                    return true;
                }
                _ => return false,
            }
            position += 1;
        }
        false
    }

    fn quoted_identifier(&mut self, prefix: usize) -> Result<TokenKind> {
        let start = self.position;
        self.position += prefix;
        let body = self.position;
        loop {
            match self.bytes.get(self.position) {
                None => return self.fail("unterminated quoted identifier", start, self.bytes.len()),
                Some(b'"') if self.peek(1) == b'"' => self.position += 2,
                Some(b'"') => {
                    self.position += 1;
                    if self.position == body + 1 {
                        return self.fail("zero-length delimited identifier", start, self.position);
                    }
                    return Ok(TokenKind::QuotedIdentifier);
                }
                Some(_) => self.position += 1,
            }
        }
    }

    fn dollar_quoted(&mut self) -> Result<TokenKind> {
        let start = self.position;
        self.position += 1;
        self.take_while(|byte| is_identifier_part(byte) && byte != b'$');
        if self.peek(0) != b'$' {
            // `$tag` without a second dollar is no token of PostgreSQL's.
            return self.fail("syntax error", start, start + 1);
        }
        self.position += 1;
        let delimiter = &self.bytes[start..self.position];
        match memchr::memmem::find(&self.bytes[self.position..], delimiter) {
            Some(found) => {
                self.position += found + delimiter.len();
                Ok(TokenKind::String)
            }
            None => self.fail("unterminated dollar-quoted string", start, self.bytes.len()),
        }
    }

    fn parameter(&mut self) -> Result<TokenKind> {
        let start = self.position;
        self.position += 1;
        self.take_while(|byte| byte.is_ascii_digit());
        if is_identifier_start(self.peek(0)) {
            self.take_while(is_identifier_part);
            return self.fail("trailing junk after parameter", start, self.position);
        }
        Ok(TokenKind::Parameter)
    }

    fn number(&mut self) -> Result<TokenKind> {
        let start = self.position;
        let radix = match (self.peek(0), self.peek(1)) {
            (b'0', b'x' | b'X') => Some(16),
            (b'0', b'o' | b'O') => Some(8),
            (b'0', b'b' | b'B') => Some(2),
            _ => None,
        };
        if let Some(radix) = radix {
            self.position += 2;
            let digits = self.position;
            self.digits(radix);
            if self.position == digits {
                let name = ["binary", "octal", "hexadecimal"][usize::from(radix > 2) + usize::from(radix > 8)];
                return self.fail(&format!("invalid {name} integer"), start, self.position);
            }
        } else {
            self.digits(10);
            // `1..10` is a range of PL/pgSQL, not `1.` and `.10`.
            if self.peek(0) == b'.' && self.peek(1) != b'.' {
                self.position += 1;
                self.digits(10);
            }
            self.exponent();
        }
        if is_identifier_start(self.peek(0)) {
            match (self.peek(0), self.peek(1)) {
                (b'e' | b'E', b'+' | b'-') => self.position += 2,
                _ => self.take_while(is_identifier_part),
            }
            return self.fail("trailing junk after numeric literal", start, self.position);
        }
        Ok(TokenKind::Number)
    }

    /// Digits with single underscores between or before them.
    fn digits(&mut self, radix: u32) {
        let is_digit = |byte: u8| (byte as char).is_digit(radix);
        while is_digit(self.peek(0)) || self.peek(0) == b'_' && is_digit(self.peek(1)) {
            self.position += 1;
        }
    }

    fn exponent(&mut self) {
        if !matches!(self.peek(0), b'e' | b'E') {
            return;
        }
        let sign = usize::from(matches!(self.peek(1), b'+' | b'-'));
        if self.peek(1 + sign).is_ascii_digit() {
            self.position += 1 + sign;
            self.digits(10);
        }
    }

    /// The longest run of operator characters, cut where a comment starts; trailing `+` and `-` belong to it only if it has
    /// one of `~!@#%^&|?` and the backquote.
    fn operator(&mut self) -> TokenKind {
        let start = self.position;
        self.take_while(is_operator);
        let run = &self.bytes[start..self.position];
        let comment = run.windows(2).position(|pair| pair == b"--" || pair == b"/*").unwrap_or(run.len());
        let run = &run[..comment.max(1)];
        let mut length = run.len();
        if !run.iter().any(|byte| b"~!@#%^&|?`".contains(byte)) {
            while length > 1 && matches!(run[length - 1], b'+' | b'-') {
                length -= 1;
            }
        }
        self.position = start + length;
        TokenKind::Operator
    }
}
