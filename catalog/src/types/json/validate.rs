//! Input of `json`: the text is checked and kept.

use super::MAX_DEPTH;
use super::lexer::{Expected, Lexer, Token};
use crate::error::Result;

/// Receives what the text consists of, in order.
pub(super) trait Events {
    fn object_start(&mut self);
    fn object_end(&mut self);
    fn array_start(&mut self);
    fn array_end(&mut self);
    fn key(&mut self, text: &str);
    fn scalar(&mut self, token: Token, lexer: &Lexer<'_>) -> Result<()>;
}

struct Ignore;

impl Events for Ignore {
    fn object_start(&mut self) {}
    fn object_end(&mut self) {}
    fn array_start(&mut self) {}
    fn array_end(&mut self) {}
    fn key(&mut self, _: &str) {}
    fn scalar(&mut self, _: Token, _: &Lexer<'_>) -> Result<()> {
        Ok(())
    }
}

/// Fails unless the text is JSON.
pub fn validate(text: &str) -> Result<()> {
    run(text, false, &mut Ignore)
}

#[derive(Clone, Copy, PartialEq)]
enum Container {
    Object,
    Array,
}

/// Parses the whole text.
pub(super) fn run(text: &str, decode: bool, events: &mut impl Events) -> Result<()> {
    let mut lexer = Lexer::new(text, decode);
    let mut open: Vec<Container> = Vec::new();
    let mut token = lexer.next()?;
    loop {
        // A value begins at `token`.
        let complete = match token {
            Token::ObjectStart | Token::ArrayStart if open.len() >= MAX_DEPTH => return Err(lexer.too_deep()),
            Token::ObjectStart => {
                events.object_start();
                token = lexer.next()?;
                if token == Token::ObjectEnd {
                    events.object_end();
                    true
                } else {
                    open.push(Container::Object);
                    member(&mut lexer, token, Expected::StringOrObjectEnd, events)?;
                    false
                }
            }
            Token::ArrayStart => {
                events.array_start();
                token = lexer.next()?;
                if token == Token::ArrayEnd {
                    events.array_end();
                    true
                } else {
                    open.push(Container::Array);
                    continue;
                }
            }
            Token::String | Token::Number | Token::True | Token::False | Token::Null => {
                events.scalar(token, &lexer)?;
                true
            }
            _ => return Err(lexer.unexpected(token, Expected::Value)),
        };
        if !complete {
            token = lexer.next()?;
            continue;
        }
        // A value has ended: close what ends with it.
        loop {
            token = lexer.next()?;
            match (open.last(), token) {
                (None, Token::End) => return Ok(()),
                (None, _) => return Err(lexer.unexpected(token, Expected::End)),
                (Some(Container::Array), Token::ArrayEnd) => events.array_end(),
                (Some(Container::Object), Token::ObjectEnd) => events.object_end(),
                (Some(_), Token::Comma) => break,
                (Some(Container::Array), _) => return Err(lexer.unexpected(token, Expected::CommaOrArrayEnd)),
                (Some(Container::Object), _) => return Err(lexer.unexpected(token, Expected::CommaOrObjectEnd)),
            }
            open.pop();
        }
        token = lexer.next()?;
        if open.last() == Some(&Container::Object) {
            member(&mut lexer, token, Expected::String, events)?;
            token = lexer.next()?;
        }
    }
}

/// `"key":`, whose string is the current token.
fn member(lexer: &mut Lexer<'_>, token: Token, expected: Expected, events: &mut impl Events) -> Result<()> {
    if token != Token::String {
        return Err(lexer.unexpected(token, expected));
    }
    events.key(&lexer.string);
    match lexer.next()? {
        Token::Colon => Ok(()),
        other => Err(lexer.unexpected(other, Expected::Colon)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid() {
        for text in
            ["1", " {\"a\" : [1, -2.5e+3, true, null, \"x\\u00e4\\n\"], \"b\":{}} ", "[]", "\"\\ud800\"", "[[[]]]"]
        {
            validate(text).unwrap();
        }
    }

    #[test]
    fn invalid() {
        for (text, detail, context) in [
            ("", "The input string ended unexpectedly.", "JSON data, line 1: "),
            ("{", "The input string ended unexpectedly.", "JSON data, line 1: {"),
            ("{a}", "Token \"a\" is invalid.", "JSON data, line 1: {a..."),
            ("[1,]", "Expected JSON value, but found \"]\".", "JSON data, line 1: [1,]"),
            ("[1 2]", "Expected \",\" or \"]\", but found \"2\".", "JSON data, line 1: [1 2..."),
            ("{\"a\" 1}", "Expected \":\", but found \"1\".", "JSON data, line 1: {\"a\" 1..."),
            ("{\"a\":1,}", "Expected string, but found \"}\".", "JSON data, line 1: {\"a\":1,}"),
            ("{1:2}", "Expected string or \"}\", but found \"1\".", "JSON data, line 1: {1..."),
            ("1 2", "Expected end of input, but found \"2\".", "JSON data, line 1: 1 2"),
            ("01", "Token \"01\" is invalid.", "JSON data, line 1: 01"),
            ("1.", "Token \"1.\" is invalid.", "JSON data, line 1: 1."),
            ("\"\\x\"", "Escape sequence \"\\x\" is invalid.", "JSON data, line 1: \"\\x..."),
            ("\"a", "Token \"\"a\" is invalid.", "JSON data, line 1: \"a"),
        ] {
            let error = validate(text).unwrap_err();
            assert_eq!(error.message(), "invalid input syntax for type json");
            assert_eq!(error.fields().detail.as_deref(), Some(detail), "{text}");
            assert_eq!(error.fields().context.as_deref(), Some(context), "{text}");
        }
        let deep = "[".repeat(MAX_DEPTH + 1);
        assert_eq!(validate(&deep).unwrap_err().code(), crate::sqlstate::STATEMENT_TOO_COMPLEX);
    }
}
