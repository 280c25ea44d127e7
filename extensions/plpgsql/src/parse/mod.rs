//! Text of a body to its tree (PostgreSQL's pl_gram.y). Names of variables are resolved on the way, as what a text means depends on them.

mod cursor;
mod declare;
mod lexer;
mod loops;
mod raise;
mod statement;

use std::sync::Arc;

use aegis_engine::extension::{Error, Form, Result, parse_fragment, sqlstate};
use parking_lot::Mutex;

use crate::ast::*;
use crate::fragment::Kept;
use lexer::{Placed, Token};

/// Statements inside statements.
const MAX_DEPTH: usize = 200;

/// A parameter of a routine, or a variable that its language gives it.
pub struct Given {
    pub names: Vec<String>,
    pub ty: TypeName,
    pub is_record: bool,
    pub constant: bool,
}

pub struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed>,
    at: usize,
    scope: Scope,
    datums: Vec<Datum>,
    depth: usize,
    /// Is SQL looked at, or only cut out?
    check: bool,
    shape: Shape,
    /// Starts of lines.
    lines: Vec<usize>,
}

/// What RETURN may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Value,
    Void,
    /// Parameters go out.
    Outputs,
    Set,
    SetOfOutputs,
    Procedure,
    Trigger,
}

/// Parses a body whose outermost label is `name`.
pub fn parse(text: &str, name: &str, given: Vec<Given>, shape: Shape, check: bool) -> Result<Body> {
    let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let tokens = lexer::tokens(text)?;
    let scope = Scope::default().with(Meaning::Label { name: Some(name.to_owned()), is_loop: false });
    let mut parser = Parser { text, tokens, at: 0, scope, datums: Vec::new(), depth: 0, check, shape, lines };
    for given in given {
        let name = given.names.last().cloned().unwrap_or_default();
        let datum = parser.datum(Datum { constant: given.constant, ..plain(&name, given.ty, 0) });
        for name in given.names {
            let meaning = Meaning::Variable { name, datum, is_record: given.is_record };
            parser.scope = parser.scope.with(meaning);
        }
    }
    let found = plain("found", TypeName::Boolean, 0);
    parser.declare(found, false);
    while parser.eat_symbol("#") {
        parser.option()?;
    }
    let block = parser.outer_block()?;
    Ok(Body { block, datums: parser.datums })
}

/// A variable without a default.
pub fn plain(name: &str, ty: TypeName, line: u32) -> Datum {
    let name = name.to_owned();
    Datum { name, line, ty, constant: false, not_null: false, default: None, cursor: None }
}

/// Words that are no names of variables where a statement may begin.
const RESERVED: [&str; 24] = [
    "all", "begin", "by", "case", "declare", "else", "end", "execute", "for", "foreach", "from", "if", "in", "into",
    "loop", "not", "null", "or", "strict", "then", "to", "using", "when", "while",
];

impl<'a> Parser<'a> {
    // ------------------------------------------------------------------------------------------ tokens

    fn peek(&self) -> &Token {
        self.nth(0)
    }

    fn nth(&self, ahead: usize) -> &Token {
        self.tokens.get(self.at + ahead).map_or(&Token::End, |placed| &placed.token)
    }

    fn start(&self) -> usize {
        self.tokens.get(self.at).map_or(self.text.len(), |placed| placed.start)
    }

    fn bump(&mut self) {
        self.at += 1;
    }

    fn line(&self) -> u32 {
        let start = self.start();
        self.lines.partition_point(|line| *line <= start) as u32
    }

    fn at_symbol(&self, symbol: &str) -> bool {
        *self.peek() == Token::Symbol(symbol_of(symbol))
    }

    fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.at_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &str) -> Result<()> {
        if self.eat_symbol(symbol) { Ok(()) } else { Err(self.syntax_error()) }
    }

    fn is_word(&self, ahead: usize, word: &str) -> bool {
        matches!(self.nth(ahead), Token::Word { name, quoted: false } if name == word)
    }

    fn at_word(&self, word: &str) -> bool {
        self.is_word(0, word)
    }

    fn at_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(ahead, word)| self.is_word(ahead, word))
    }

    fn eat(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Result<()> {
        if self.eat(word) { Ok(()) } else { Err(self.syntax_error()) }
    }

    fn end_statement(&mut self) -> Result<()> {
        self.expect_symbol(";")
    }

    fn name(&mut self) -> Result<String> {
        match self.peek() {
            Token::Word { name, quoted } if *quoted || !RESERVED.contains(&name.as_str()) => {
                let name = name.clone();
                self.bump();
                Ok(name)
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// Any word, also a reserved one.
    fn any_name(&mut self) -> Result<String> {
        match self.peek() {
            Token::Word { name, .. } => {
                let name = name.clone();
                self.bump();
                Ok(name)
            }
            _ => Err(self.syntax_error()),
        }
    }

    /// `a.b.c`
    fn qualified(&mut self) -> Result<Vec<String>> {
        let mut parts = vec![self.name()?];
        while self.at_symbol(".") && matches!(self.nth(1), Token::Word { .. }) {
            self.bump();
            parts.push(self.any_name()?);
        }
        Ok(parts)
    }

    // ------------------------------------------------------------------------------------------ errors

    fn syntax_error(&self) -> Error {
        self.error_near(self.at, "syntax error")
    }

    fn error_near(&self, token: usize, message: &str) -> Error {
        let placed = self.tokens.get(token).or(self.tokens.last());
        let (start, end) = placed.map_or((0, 0), |placed| (placed.start, placed.end));
        let shown = match &self.text[start..end] {
            "" => format!("{message} at end of input"),
            text => format!("{message} at or near \"{text}\""),
        };
        self.error_at(start, shown)
    }

    fn error_at(&self, start: usize, message: impl Into<String>) -> Error {
        Error::new(sqlstate::SYNTAX_ERROR, message).at(start as u32)
    }

    // ------------------------------------------------------------------------------------------ names

    fn datum(&mut self, datum: Datum) -> DatumId {
        self.datums.push(datum);
        self.datums.len() - 1
    }

    /// A new variable in the innermost block.
    fn declare(&mut self, datum: Datum, is_record: bool) -> DatumId {
        let name = datum.name.clone();
        let datum = self.datum(datum);
        self.scope = self.scope.with(Meaning::Variable { name, datum, is_record });
        datum
    }

    fn is_record(&self, datum: DatumId) -> bool {
        match self.datums.get(datum).map(|datum| &datum.ty) {
            Some(TypeName::Record | TypeName::RowOf(..)) => true,
            Some(TypeName::OfVariable(other)) => *other != datum && self.is_record(*other),
            Some(TypeName::Sql(..) | TypeName::OfColumn(..) | TypeName::Parameter(_)) => {
                // Only its type tells; a field may be named.
                true
            }
            _ => false,
        }
    }

    /// The place that a name means; None if it is no variable.
    fn place_of(&self, parts: &[String]) -> Option<Place> {
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (datum, used) = self.scope.lookup(&names)?;
        let mut rest = parts.get(used..).unwrap_or_default().iter();
        let field = rest.next().cloned();
        let rest = rest.map(|part| format!(".{}", aegis_engine::extension::quote_identifier(part))).collect();
        Some(Place { datum, field, rest })
    }

    /// A variable, a field of one, or an element: what a value may be assigned to.
    fn place(&mut self) -> Result<Place> {
        let (first, start) = (self.at, self.start());
        let parts = self.qualified()?;
        let Some(mut place) = self.place_of(&parts) else {
            self.at = first;
            return Err(self.error_at(start, format!("\"{}\" is not a known variable", parts.join("."))));
        };
        self.require_variable(place.datum, start)?;
        while self.at_symbol("[") || self.at_symbol(".") && !place.rest.is_empty() {
            if self.eat_symbol(".") {
                let name = self.any_name()?;
                place.rest.push_str(&format!(".{}", aegis_engine::extension::quote_identifier(&name)));
                continue;
            }
            let from = self.start();
            let (mut depth, mut end) = (0usize, from);
            loop {
                match self.peek() {
                    Token::Symbol("[") => depth += 1,
                    Token::Symbol("]") => depth -= 1,
                    Token::End | Token::Symbol(";") => return Err(self.syntax_error()),
                    _ => {}
                }
                if let Some(placed) = self.tokens.get(self.at) {
                    end = placed.end;
                }
                self.bump();
                if depth == 0 {
                    break;
                }
            }
            place.rest.push_str(&self.text[from..end]);
        }
        Ok(place)
    }

    fn require_variable(&self, datum: DatumId, start: usize) -> Result<()> {
        match self.datums.get(datum).filter(|datum| datum.constant) {
            Some(datum) => {
                let message = format!("variable \"{}\" is declared CONSTANT", datum.name);
                Err(Error::new(sqlstate::ERROR_IN_ASSIGNMENT, message).at(start as u32))
            }
            None => Ok(()),
        }
    }

    /// Where the rows of INTO and FOR go: a record, or a list of places.
    fn target(&mut self) -> Result<Target> {
        let first = self.place_in_list()?;
        if first.field.is_none() && first.rest.is_empty() && self.is_row(first.datum) {
            if self.at_symbol(",") {
                let message = "record variable cannot be part of multiple-item INTO list";
                return Err(self.error_at(self.start(), message));
            }
            return Ok(Target::Record(first.datum));
        }
        let mut places = vec![first];
        while self.eat_symbol(",") {
            places.push(self.place_in_list()?);
        }
        Ok(Target::List(places))
    }

    fn place_in_list(&mut self) -> Result<Place> {
        match self.peek() {
            Token::Word { .. } => self.place().map_err(|error| match error.code() {
                sqlstate::ERROR_IN_ASSIGNMENT => error,
                _ if error.message().ends_with("is not a known variable") => error,
                _ => self.syntax_error(),
            }),
            _ => Err(self.syntax_error()),
        }
    }

    /// Surely a row; what is declared with a type's name may turn out to be one.
    fn is_row(&self, datum: DatumId) -> bool {
        match self.datums.get(datum).map(|datum| &datum.ty) {
            Some(TypeName::Record | TypeName::RowOf(..)) => true,
            Some(TypeName::OfVariable(other)) => *other != datum && self.is_row(*other),
            _ => false,
        }
    }

    // ------------------------------------------------------------------------------------------ SQL

    /// The tokens up to one of the words or symbols, outside of brackets; the index of what ended them.
    fn skip_to(&mut self, ends: &[&str], form: Form) -> Result<usize> {
        let (from, mut depth) = (self.at, 0i32);
        loop {
            let token = self.peek();
            let ended = |end: &&str| match token {
                Token::Word { name, quoted: false } => name == end,
                Token::Symbol(symbol) => symbol == end,
                _ => false,
            };
            if depth == 0
                && let Some(found) = ends.iter().position(ended)
            {
                if self.at == from {
                    let what = if form == Form::Expression { "missing expression" } else { "missing SQL statement" };
                    return Err(self.error_near(self.at, what));
                }
                return Ok(found);
            }
            match token {
                Token::Symbol("(" | "[") => depth += 1,
                Token::Symbol(")" | "]") => depth -= 1,
                _ => {}
            }
            if depth < 0 {
                return Err(self.error_near(self.at, "mismatched parentheses"));
            }
            if matches!(token, Token::End | Token::Symbol(";")) {
                if depth > 0 {
                    return Err(self.error_near(self.at, "mismatched parentheses"));
                }
                let expected = ends.first().copied().unwrap_or(";");
                let expected =
                    if expected.starts_with(char::is_alphabetic) { expected.to_uppercase() } else { expected.into() };
                let what = if form == Form::Expression { "SQL expression" } else { "SQL statement" };
                let message = format!("missing \"{expected}\" at end of {what}");
                return Err(self.error_near(self.at, &message));
            }
            self.bump();
        }
    }

    /// The text between two tokens, the second one not included.
    fn between(&self, from: usize, to: usize) -> (&'a str, usize) {
        let start = self.tokens.get(from).map_or(self.text.len(), |placed| placed.start);
        let end = to.checked_sub(1).and_then(|last| self.tokens.get(last)).map_or(start, |placed| placed.end);
        (self.text.get(start..end).unwrap_or_default(), start)
    }

    fn expression(&mut self, end: &str) -> Result<Expr> {
        self.expression_to(&[end]).map(|(expr, _)| expr)
    }

    /// An expression, and which of the ends stopped it; that one is left to be read.
    fn expression_to(&mut self, ends: &[&str]) -> Result<(Expr, usize)> {
        let from = self.at;
        let end = self.skip_to(ends, Form::Expression)?;
        let (text, start) = self.between(from, self.at);
        Ok((self.sql(text, start, Form::Expression)?, end))
    }

    fn sql(&self, text: &str, start: usize, form: Form) -> Result<Expr> {
        if self.check {
            parse_fragment(text, form).map_err(|error| {
                let position = error.fields().position.unwrap_or(0);
                error.without_position().at(start as u32 + position)
            })?;
        }
        let kept = Mutex::new(Kept::default());
        Ok(Expr { text: text.into(), form, scope: self.scope.clone(), kept })
    }

    /// A text that was made from what is written.
    fn made(&self, text: impl Into<Arc<str>>, form: Form) -> Expr {
        Expr { text: text.into(), form, scope: self.scope.clone(), kept: Mutex::new(Kept::default()) }
    }

    /// Expressions after USING.
    fn using(&mut self) -> Result<Vec<Expr>> {
        let mut expressions = Vec::new();
        loop {
            let (expr, end) = self.expression_to(&[",", ";", "into", "loop"])?;
            expressions.push(expr);
            if end != 0 {
                return Ok(expressions);
            }
            self.bump();
        }
    }
}

fn symbol_of(symbol: &str) -> &'static str {
    lexer::symbol(symbol)
}
