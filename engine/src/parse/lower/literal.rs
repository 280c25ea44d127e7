//! Constants (manual 4.1.2): strings of every form, bit strings, numbers.

use aegis_catalog::{Error, Result, sqlstate};
use num_bigint::BigUint;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use crate::parse::ast::{ExprKind, Ident, Literal, Name, Span, TypeName};
use crate::parse::tree::Node;

impl Lower<'_> {
    /// A LITERAL node as an expression.
    pub fn literal(&self, node: Node<'_>) -> Result<ExprKind> {
        let token = self.need(node.children().next(), node)?;
        let literal = match token.kind() {
            K::NULL_KW => Literal::Null,
            K::TRUE_KW => Literal::Bool(true),
            K::FALSE_KW => Literal::Bool(false),
            K::DEFAULT_KW => return Ok(ExprKind::Default),
            K::POSITIONAL_PARAM => return self.parameter(token),
            K::INT_NUMBER | K::NUMERIC_NUMBER => number(token.text()),
            K::BIT_STRING => Literal::Bits(self.bits(node, 1)?),
            K::BYTE_STRING => Literal::Bits(self.bits(node, 4)?),
            K::NATIONAL_STRING => {
                let span = self.span(token);
                let part = |name: &str| Ident { name: name.into(), span };
                let name = Name { parts: vec![part("pg_catalog"), part("bpchar")], span };
                let ty = TypeName {
                    name,
                    modifiers: Vec::new(),
                    interval_fields: None,
                    array_dimensions: 0,
                    setof: false,
                    span,
                };
                return Ok(ExprKind::TypedLiteral { ty, value: self.string(node)? });
            }
            kind if is_string(kind) => Literal::String(self.string(node)?),
            _ => return Err(self.syntax_error(token.start())),
        };
        Ok(ExprKind::Literal(literal))
    }

    fn parameter(&self, token: Node<'_>) -> Result<ExprKind> {
        let digits = token.text().trim_start_matches('$');
        match digits.parse::<u32>() {
            Ok(number) if number > 0 => Ok(ExprKind::Parameter(number)),
            _ => {
                let message = format!("there is no parameter ${digits}");
                Err(Error::new(sqlstate::UNDEFINED_PARAMETER, message).at(self.position(token)))
            }
        }
    }

    /// The value of a string constant, continuation lines included.
    pub fn string(&self, node: Node<'_>) -> Result<String> {
        let mut value = Vec::new();
        let mut form = K::STRING;
        let escape = self.uescape(node)?;
        for (index, token) in node.children().take_while(|token| !token.is(K::UESCAPE_KW)).enumerate() {
            if index == 0 {
                form = token.kind();
            } else if self.token_starts_at(token.start()) {
                // Two strings on one line are no continuation.
                return Err(self.syntax_error(token.start()));
            }
            let body = body_of(token.text()).ok_or_else(|| self.syntax_error(token.start()))?;
            let decoded = match form {
                K::ESC_STRING => decode_escapes(body).map_err(|error| error.at(self.position(token)))?,
                K::DOLLAR_QUOTED_STRING => body.as_bytes().to_vec(),
                _ => body.replace("''", "'").into_bytes(),
            };
            value.extend(decoded);
        }
        if !is_string(form) {
            return Err(self.syntax_error(node.start()));
        }
        let invalid = |value: &[u8]| {
            let bytes = value.iter().take(4).map(|byte| format!("0x{byte:02x}")).collect::<Vec<_>>().join(" ");
            let message = format!("invalid byte sequence for encoding \"UTF8\": {bytes}");
            Error::new(sqlstate::CHARACTER_NOT_IN_REPERTOIRE, message)
        };
        if value.contains(&0) {
            return Err(invalid(&[0]));
        }
        let value = String::from_utf8(value).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            invalid(error.as_bytes().get(valid..).unwrap_or_default())
        })?;
        match form {
            K::UNICODE_ESC_STRING => decode_unicode(&value, escape).map_err(|error| error.at(self.position(node))),
            _ => Ok(value),
        }
    }

    /// The value of a string constant if `node` is one.
    pub fn opt_string(&self, node: Option<Node<'_>>) -> Result<Option<String>> {
        node.map(|node| self.string(node)).transpose()
    }

    fn bits(&self, node: Node<'_>, width: u32) -> Result<String> {
        let mut bits = String::new();
        for token in node.children() {
            let body = body_of(token.text()).ok_or_else(|| self.syntax_error(token.start()))?;
            for character in body.chars() {
                let Some(digit) = character.to_digit(1 << width) else {
                    let kind = if width == 1 { "binary" } else { "hexadecimal" };
                    let message = format!("\"{character}\" is not a valid {kind} digit");
                    return Err(Error::new(sqlstate::INVALID_TEXT_REPRESENTATION, message).at(self.position(token)));
                };
                bits.push_str(&format!("{digit:0width$b}", width = width as usize));
            }
        }
        Ok(bits)
    }

    /// An integer constant with an optional sign, as utility statements take them.
    pub fn signed_integer(&self, node: Node<'_>) -> Result<i64> {
        let text = node.descendants().filter(|part| part.is_token()).map(|part| part.text()).collect::<String>();
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text.strip_prefix('+').unwrap_or(&text)),
        };
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(self.syntax_error(node.start()));
        }
        let Literal::Integer(digits) = number(digits) else {
            return Err(self.syntax_error(node.start()));
        };
        let sign = if negative { "-" } else { "" };
        format!("{sign}{digits}").parse().map_err(|_| {
            let message = format!("value \"{sign}{digits}\" is out of range for type bigint");
            Error::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message).at(self.position(node))
        })
    }
}

pub fn is_string(kind: K) -> bool {
    matches!(kind, K::STRING | K::ESC_STRING | K::DOLLAR_QUOTED_STRING | K::UNICODE_ESC_STRING | K::NATIONAL_STRING)
}

pub fn is_quoted(kind: K) -> bool {
    is_string(kind) || matches!(kind, K::BIT_STRING | K::BYTE_STRING)
}

/// What is between the quotes, whatever their form.
fn body_of(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('$') {
        let tag = rest.find('$')? + 2;
        return text.get(tag..text.len().checked_sub(tag)?);
    }
    let open = text.find('\'')?;
    text.get(open + 1..)?.strip_suffix('\'')
}

/// A number as PostgreSQL would print it in decimal.
fn number(text: &str) -> Literal {
    let text = text.replace('_', "");
    let lower = text.to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(value) =
            lower.strip_prefix(prefix).and_then(|digits| BigUint::parse_bytes(digits.as_bytes(), radix))
        {
            return Literal::Integer(value.to_string());
        }
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) { Literal::Integer(text) } else { Literal::Decimal(text) }
}

/// E'…': C-style escapes. The result may be bytes of any kind, to be checked as a whole.
fn decode_escapes(body: &str) -> Result<Vec<u8>> {
    let mut value = Vec::with_capacity(body.len());
    let mut high = None;
    let mut characters = body.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\'' {
            characters.next_if_eq(&'\'');
        }
        let escaped = if character == '\\' { characters.next() } else { None };
        if high.is_some() && !matches!(escaped, Some('u' | 'U')) {
            return Err(surrogate());
        }
        let mut take = |radix: u32, most: usize| {
            let mut digits = String::new();
            while digits.len() < most {
                match characters.next_if(|next| next.is_digit(radix)) {
                    Some(digit) => digits.push(digit),
                    None => break,
                }
            }
            digits
        };
        let byte = match escaped {
            None => {
                value.extend(character.encode_utf8(&mut [0; 4]).bytes());
                continue;
            }
            Some('b') => 0x08,
            Some('f') => 0x0c,
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('v') => 0x0b,
            Some('x') => {
                let digits = take(16, 2);
                u8::from_str_radix(&digits, 16).unwrap_or(b'x')
            }
            Some(first @ '0'..='7') => {
                let digits = format!("{first}{}", take(8, 2));
                // \777 wraps, as in PostgreSQL.
                u32::from_str_radix(&digits, 8).map_or(0, |value| (value & 0xff) as u8)
            }
            Some(form @ ('u' | 'U')) => {
                let length = if form == 'u' { 4 } else { 8 };
                let digits = take(16, length);
                if digits.len() < length {
                    let hint = "Unicode escapes must be \\uXXXX or \\UXXXXXXXX.";
                    let code = sqlstate::INVALID_ESCAPE_SEQUENCE;
                    return Err(Error::new(code, "invalid Unicode escape").with_hint(hint));
                }
                if let Some(character) = code_point(&digits, &mut high)? {
                    value.extend(character.encode_utf8(&mut [0; 4]).bytes());
                }
                continue;
            }
            Some(other) => {
                value.extend(other.encode_utf8(&mut [0; 4]).bytes());
                continue;
            }
        };
        value.push(byte);
    }
    if high.is_some() {
        return Err(surrogate());
    }
    Ok(value)
}

/// U&'…' and U&"…" once their quotes are undone.
pub fn decode_unicode(body: &str, escape: char) -> Result<String> {
    let mut value = String::with_capacity(body.len());
    let mut high = None;
    let mut characters = body.chars().peekable();
    while let Some(character) = characters.next() {
        if character != escape {
            if high.is_some() {
                return Err(surrogate());
            }
            value.push(character);
            continue;
        }
        if characters.next_if_eq(&escape).is_some() {
            value.push(escape);
            continue;
        }
        let length = if characters.next_if_eq(&'+').is_some() { 6 } else { 4 };
        let digits = characters.by_ref().take(length).collect::<String>();
        if digits.len() != length || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let hint = "Unicode escapes must be \\XXXX or \\+XXXXXX.";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, "invalid Unicode escape").with_hint(hint));
        }
        if let Some(character) = code_point(&digits, &mut high)? {
            value.push(character);
        }
    }
    if high.is_some() { Err(surrogate()) } else { Ok(value) }
}

/// The character of a hexadecimal code, None after the first half of a surrogate pair, which `high` keeps.
fn code_point(digits: &str, high: &mut Option<u32>) -> Result<Option<char>> {
    let code = u32::from_str_radix(digits, 16).unwrap_or(u32::MAX);
    match (high.take(), code) {
        (None, 0xd800..=0xdbff) => {
            *high = Some(code);
            Ok(None)
        }
        (Some(high), 0xdc00..=0xdfff) => Ok(char::from_u32(0x10000 + ((high - 0xd800) << 10) + (code - 0xdc00))),
        (Some(_), _) | (None, 0xdc00..=0xdfff) => Err(surrogate()),
        (None, _) => match char::from_u32(code) {
            Some(character) if code != 0 => Ok(Some(character)),
            _ => Err(Error::new(sqlstate::SYNTAX_ERROR, "invalid Unicode escape value")),
        },
    }
}

fn surrogate() -> Error {
    Error::new(sqlstate::SYNTAX_ERROR, "invalid Unicode surrogate pair")
}

/// A constant that PostgreSQL's grammar puts in itself.
pub fn integer(value: impl ToString, span: Span) -> crate::parse::ast::Expr {
    crate::parse::ast::Expr { kind: ExprKind::Literal(Literal::Integer(value.to_string())), span }
}
