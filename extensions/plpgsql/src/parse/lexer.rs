//! Tokens of a body. Fragments of SQL are cut out as text, so operators need no names here.

use aegis_engine::extension::{Error, Result, sqlstate};

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    /// Folded to lower case; a keyword if it is not `quoted`.
    Word {
        name: String,
        quoted: bool,
    },
    Number,
    /// A string constant's value.
    Text(String),
    /// `:=`, `..`, `<<`, `>>`, or one character.
    Symbol(&'static str),
    Other,
    End,
}

#[derive(Debug, Clone)]
pub struct Placed {
    pub token: Token,
    pub start: usize,
    pub end: usize,
}

const SYMBOLS: [&str; 18] =
    [":=", "..", "<<", ">>", "=>", "::", ";", ",", "(", ")", "[", "]", ".", "=", "%", "#", ":", "*"];

/// The same, from the list.
pub fn symbol(text: &str) -> &'static str {
    SYMBOLS.into_iter().find(|symbol| *symbol == text).unwrap_or("")
}

pub fn tokens(text: &str) -> Result<Vec<Placed>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let rest = &text[at..];
        if rest.starts_with("--") {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        }
        if rest.starts_with("/*") {
            at += comment(rest).ok_or_else(|| unterminated("/* comment", text, at))?;
            continue;
        }
        let (token, length) = token(rest).ok_or_else(|| unterminated(kind(first), text, at))?;
        found.push(Placed { token, start: at, end: at + length });
        at += length;
    }
    found.push(Placed { token: Token::End, start: text.len(), end: text.len() });
    Ok(found)
}

fn kind(first: char) -> &'static str {
    match first {
        '"' => "quoted identifier",
        '$' => "dollar-quoted string",
        _ => "quoted string",
    }
}

fn unterminated(what: &str, text: &str, at: usize) -> Error {
    let message = format!("unterminated {what} at or near \"{}\"", &text[at..]);
    Error::new(sqlstate::SYNTAX_ERROR, message).at(at as u32)
}

fn comment(text: &str) -> Option<usize> {
    let (mut depth, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'/', Some(b'*')) => {
                depth += 1;
                at += 2;
            }
            (b'*', Some(b'/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

fn is_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || !c.is_ascii()
}

fn is_part(c: char) -> bool {
    is_start(c) || c.is_ascii_digit() || c == '$'
}

/// The token at the start of a text, and its length. None if it has no end.
fn token(text: &str) -> Option<(Token, usize)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    let second = chars.next();
    match first {
        '\'' => string(text, 0, false),
        'e' | 'E' if second == Some('\'') => string(text, 1, true),
        'b' | 'B' | 'x' | 'X' | 'n' | 'N' if second == Some('\'') => string(text, 1, false),
        '"' => quoted(text),
        '$' if second.is_some_and(|c| c.is_ascii_digit()) => Some((Token::Other, 1 + digits(&text[1..]))),
        '$' => dollar(text),
        c if is_start(c) => {
            let length = text.find(|c| !is_part(c)).unwrap_or(text.len());
            Some((Token::Word { name: text[..length].to_lowercase(), quoted: false }, length))
        }
        c if c.is_ascii_digit() || c == '.' && second.is_some_and(|c| c.is_ascii_digit()) => {
            Some((Token::Number, number(text)))
        }
        c => match SYMBOLS.iter().find(|symbol| text.starts_with(**symbol)) {
            Some(symbol) => Some((Token::Symbol(symbol), symbol.len())),
            None => Some((Token::Other, c.len_utf8())),
        },
    }
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

/// `1..2` are two numbers.
fn number(text: &str) -> usize {
    let mut length = digits(text);
    if text[length..].starts_with('.') && !text[length..].starts_with("..") {
        length += 1;
        length += digits(&text[length..]);
    }
    let exponent = text[length..].strip_prefix(['e', 'E']);
    if let Some(exponent) = exponent {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let count = digits(&exponent[sign..]);
        if count > 0 {
            length += 1 + sign + count;
        }
    }
    length
}

fn string(text: &str, prefix: usize, escapes: bool) -> Option<(Token, usize)> {
    let mut value = String::new();
    let mut at = prefix + 1;
    loop {
        let mut chars = text[at..].chars();
        match chars.next()? {
            '\'' if text[at + 1..].starts_with('\'') => {
                value.push('\'');
                at += 2;
            }
            '\'' => return Some((Token::Text(value), at + 1)),
            '\\' if escapes => {
                let escaped = chars.next()?;
                value.push(match escaped {
                    'n' => '\n',
                    't' => '\t',
                    'r' => '\r',
                    'b' => '\u{8}',
                    'f' => '\u{c}',
                    other => other,
                });
                at += 1 + escaped.len_utf8();
            }
            other => {
                value.push(other);
                at += other.len_utf8();
            }
        }
    }
}

fn quoted(text: &str) -> Option<(Token, usize)> {
    let mut name = String::new();
    let mut at = 1;
    loop {
        match text[at..].chars().next()? {
            '"' if text[at + 1..].starts_with('"') => {
                name.push('"');
                at += 2;
            }
            '"' => return Some((Token::Word { name, quoted: true }, at + 1)),
            other => {
                name.push(other);
                at += other.len_utf8();
            }
        }
    }
}

fn dollar(text: &str) -> Option<(Token, usize)> {
    let tag = text[1..].find('$').map(|end| &text[..end + 2]);
    let tag = tag.filter(|tag| tag[1..tag.len() - 1].chars().all(is_part));
    let Some(tag) = tag else { return Some((Token::Other, 1)) };
    let end = text[tag.len()..].find(tag)?;
    let value = text[tag.len()..tag.len() + end].to_owned();
    Some((Token::Text(value), tag.len() * 2 + end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Token> {
        tokens(text).unwrap().into_iter().map(|placed| placed.token).collect()
    }

    fn word(name: &str) -> Token {
        Token::Word { name: name.to_owned(), quoted: false }
    }

    #[test]
    fn ranges_are_not_fractions() {
        assert_eq!(kinds("1..10"), [Token::Number, Token::Symbol(".."), Token::Number, Token::End]);
        assert_eq!(kinds("1.5 .5 2e3"), [Token::Number, Token::Number, Token::Number, Token::End]);
    }

    #[test]
    fn quotes_and_comments() {
        let text = "Abc \"De\"\"f\" 'it''s' E'a\\nb' $x$ $y$ $x$ -- no\n /* a /* b */ c */ :=";
        let quoted = Token::Word { name: "De\"f".into(), quoted: true };
        let strings = ["it's", "a\nb", " $y$ "].map(|text| Token::Text(text.into()));
        let [a, b, c] = strings;
        assert_eq!(kinds(text), [word("abc"), quoted, a, b, c, Token::Symbol(":="), Token::End]);
        assert!(tokens("'open").is_err());
    }
}
