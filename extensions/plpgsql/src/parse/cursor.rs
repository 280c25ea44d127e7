//! OPEN, FETCH, MOVE and CLOSE.

use aegis_engine::extension::{Error, Form, Result, sqlstate};

use super::Parser;
use super::lexer::Token;
use crate::ast::*;

impl Parser<'_> {
    fn cursor_variable(&mut self) -> Result<DatumId> {
        let start = self.start();
        let place = self.place()?;
        let ty = self.datums.get(place.datum).map(|datum| &datum.ty);
        let is_refcursor = match ty {
            Some(TypeName::Refcursor) => true,
            Some(TypeName::Sql(text, _)) => text.eq_ignore_ascii_case("refcursor"),
            Some(TypeName::Parameter(_) | TypeName::OfVariable(_)) => true,
            _ => false,
        };
        if !is_refcursor {
            let name = self.datums.get(place.datum).map_or("", |datum| &datum.name);
            let message = format!("variable \"{name}\" must be of type cursor or refcursor");
            return Err(Error::new(sqlstate::DATATYPE_MISMATCH, message).at(start as u32));
        }
        Ok(place.datum)
    }

    pub(super) fn open(&mut self) -> Result<Kind> {
        self.bump();
        let datum = self.cursor_variable()?;
        let cursor = Place { datum, field: None, rest: String::new() };
        let bound = self.datums.get(datum).and_then(|datum| datum.cursor.clone());
        if let Some(bound) = bound {
            let arguments = self.cursor_arguments(&bound, datum)?;
            self.end_statement()?;
            return Ok(Kind::Open { cursor, rows: Opened::Bound(arguments), scroll: bound.scroll });
        }
        let scroll = self.scroll();
        self.expect("for")?;
        let rows = self.rows_to_end()?;
        self.end_statement()?;
        Ok(Kind::Open { cursor, rows: Opened::Rows(rows), scroll })
    }

    /// The arguments of a bound cursor as one row, in the order in which it declares them.
    pub(super) fn cursor_arguments(&mut self, cursor: &Cursor, datum: DatumId) -> Result<Option<Expr>> {
        let name = self.datums.get(datum).map(|datum| datum.name.clone()).unwrap_or_default();
        if !self.at_symbol("(") {
            if cursor.arguments.is_empty() {
                return Ok(None);
            }
            return Err(self.error_near(self.at, &format!("cursor \"{name}\" has arguments")));
        }
        if cursor.arguments.is_empty() {
            return Err(self.error_near(self.at, &format!("cursor \"{name}\" has no arguments")));
        }
        self.bump();
        let mut values: Vec<Option<Expr>> = cursor.arguments.iter().map(|_| None).collect();
        let mut position = 0;
        loop {
            let mut place = position;
            if let Token::Word { name: argument, .. } = self.peek()
                && matches!(self.nth(1), Token::Symbol(":=" | "=>"))
            {
                let found = cursor.arguments.iter().position(|(name, _)| name == argument);
                let message = format!("cursor \"{name}\" has no argument named \"{argument}\"");
                place = found.ok_or_else(|| self.error_near(self.at, &message))?;
                self.at += 2;
            }
            let (value, end) = self.expression_to(&[",", ")"])?;
            match values.get_mut(place) {
                Some(slot @ None) => *slot = Some(value),
                Some(Some(_)) => {
                    let argument = cursor.arguments.get(place).map_or("", |(name, _)| name);
                    let message =
                        format!("value for parameter \"{argument}\" of cursor \"{name}\" specified more than once");
                    return Err(self.error_near(self.at, &message));
                }
                None => return Err(self.error_near(self.at, &format!("too many arguments for cursor \"{name}\""))),
            }
            self.bump();
            position += 1;
            if end == 1 {
                break;
            }
        }
        let texts: Option<Vec<String>> = values.iter().map(|value| Some(value.as_ref()?.text.to_string())).collect();
        let texts =
            texts.ok_or_else(|| self.error_near(self.at, &format!("not enough arguments for cursor \"{name}\"")))?;
        Ok(Some(self.made(texts.join(", "), Form::Expression)))
    }

    pub(super) fn fetch(&mut self) -> Result<Kind> {
        let move_only = self.at_word("move");
        self.bump();
        let direction = self.direction()?;
        let cursor = self.cursor_variable()?;
        let into = match move_only {
            true => None,
            false => {
                self.expect("into")?;
                Some(self.target()?)
            }
        };
        self.end_statement()?;
        if !move_only && (direction.fixed.is_none() && direction.count.is_none()) {
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "FETCH statement cannot return multiple rows"));
        }
        Ok(Kind::Fetch { cursor, into, move_only, direction })
    }

    fn direction(&mut self) -> Result<Direction> {
        let fixed = |toward, count| Ok(Direction { toward, count: None, fixed: Some(count) });
        let Token::Word { name, quoted: false } = self.peek() else { return fixed(Toward::Forward, 1) };
        // A cursor may have the name of a direction.
        if matches!(self.nth(1), Token::Symbol(";") | Token::Word { .. } if self.is_word(1, "into") || *self.nth(1) == Token::Symbol(";"))
        {
            return fixed(Toward::Forward, 1);
        }
        let word = name.clone();
        let (toward, count) = match word.as_str() {
            "next" => (Toward::Forward, Some(1)),
            "prior" => (Toward::Backward, Some(1)),
            "first" => (Toward::Absolute, Some(1)),
            "last" => (Toward::Absolute, Some(-1)),
            "absolute" => (Toward::Absolute, None),
            "relative" => (Toward::Relative, None),
            "forward" => (Toward::Forward, None),
            "backward" => (Toward::Backward, None),
            "all" => (Toward::Forward, None),
            "from" | "in" => {
                self.bump();
                return fixed(Toward::Forward, 1);
            }
            _ => return fixed(Toward::Forward, 1),
        };
        self.bump();
        let direction = match count {
            Some(count) => Direction { toward, count: None, fixed: Some(count) },
            None if word == "all" || self.eat("all") => Direction { toward, count: None, fixed: None },
            None if self.at_word("from") || self.at_word("in") => Direction { toward, count: None, fixed: Some(1) },
            None if matches!(self.peek(), Token::Word { .. }) && !matches!(self.nth(1), Token::Word { .. }) => {
                return fixed(toward, 1);
            }
            None => {
                let (count, _) = self.expression_to(&["from", "in"])?;
                Direction { toward, count: Some(count), fixed: None }
            }
        };
        if !self.eat("from") {
            self.eat("in");
        }
        Ok(direction)
    }

    pub(super) fn close(&mut self) -> Result<Kind> {
        self.bump();
        let cursor = self.cursor_variable()?;
        self.end_statement()?;
        Ok(Kind::Close { cursor })
    }
}
