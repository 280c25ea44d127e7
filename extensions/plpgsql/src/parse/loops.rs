//! Loops and what leaves them.

use aegis_engine::extension::{Error, Form, Result, sqlstate};

use super::lexer::Token;
use super::{Parser, plain};
use crate::ast::*;

impl Parser<'_> {
    /// The body of a loop, from LOOP to the semicolon.
    fn loop_body(&mut self, label: Option<&str>) -> Result<Vec<Statement>> {
        self.expect("loop")?;
        let body = self.statements(&["end"])?;
        self.expect("end")?;
        self.expect("loop")?;
        self.end_label(label)?;
        self.end_statement()?;
        Ok(body)
    }

    /// Runs `work` with the names of a loop.
    fn in_loop<T>(&mut self, label: Option<&str>, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = self.scope.clone();
        self.scope = self.scope.with(Meaning::Label { name: label.map(str::to_owned), is_loop: true });
        let result = work(self);
        self.scope = outer;
        result
    }

    pub(super) fn plain_loop(&mut self, label: Option<String>) -> Result<Kind> {
        let body = self.in_loop(label.as_deref(), |parser| parser.loop_body(label.as_deref()))?;
        Ok(Kind::Loop { label, body })
    }

    pub(super) fn while_loop(&mut self, label: Option<String>) -> Result<Kind> {
        self.expect("while")?;
        self.in_loop(label.clone().as_deref(), |parser| {
            let condition = parser.expression("loop")?;
            let body = parser.loop_body(label.as_deref())?;
            Ok(Kind::While { label, condition, body })
        })
    }

    pub(super) fn for_loop(&mut self, label: Option<String>) -> Result<Kind> {
        self.expect("for")?;
        let (first, line) = (self.at, self.line());
        // What the loop's variables are depends on what is behind IN.
        let mut parts = self.qualified()?;
        let lone = self.at_word("in") && parts.len() == 1;
        while !self.at_word("in") {
            if matches!(self.peek(), Token::End | Token::Symbol(";")) {
                return Err(self.syntax_error());
            }
            self.bump();
        }
        self.expect("in")?;
        if self.at_word("execute") {
            let after = self.at;
            self.at = first;
            let target = self.loop_target()?;
            self.at = after;
            self.bump();
            return self.in_loop(label.clone().as_deref(), |parser| {
                let (text, end) = parser.expression_to(&["loop", "using"])?;
                let using = match end {
                    1 => {
                        parser.bump();
                        parser.using()?
                    }
                    _ => Vec::new(),
                };
                let body = parser.loop_body(label.as_deref())?;
                Ok(Kind::ForRows { label, target, rows: Rows::Execute { text, using }, body })
            });
        }
        if let Some(datum) = self.cursor_in_for() {
            if !lone {
                return Err(self.error_at(self.start(), "cursor FOR loop must have only one target variable"));
            }
            return self.cursor_loop(label, parts.remove(0), line, datum);
        }
        let reverse = self.eat("reverse");
        let from = self.at;
        let end = self.skip_to(&["loop", ".."], Form::Statement)?;
        if end == 1 {
            return self.integer_loop(label, (parts, lone, line), reverse, from);
        }
        if reverse {
            return Err(self.error_at(self.start(), "cannot specify REVERSE in query FOR loop"));
        }
        let (text, start) = self.between(from, self.at);
        let query = self.sql(text, start, Form::Statement)?;
        let after = self.at;
        self.at = first;
        let target = self.loop_target()?;
        self.at = after;
        self.in_loop(label.clone().as_deref(), |parser| {
            let body = parser.loop_body(label.as_deref())?;
            Ok(Kind::ForRows { label, target, rows: Rows::Query(query), body })
        })
    }

    fn loop_target(&mut self) -> Result<Target> {
        let start = self.start();
        self.target().map_err(|error| match error.code() {
            sqlstate::ERROR_IN_ASSIGNMENT => error,
            _ => self.error_at(
                start,
                "loop variable of loop over rows must be a record variable or list of scalar variables",
            ),
        })
    }

    fn integer_loop(
        &mut self,
        label: Option<String>,
        (mut parts, lone, line): (Vec<String>, bool, u32),
        reverse: bool,
        from: usize,
    ) -> Result<Kind> {
        if !lone {
            return Err(self.error_at(self.start(), "integer FOR loop must have only one target variable"));
        }
        let (text, start) = self.between(from, self.at);
        let lower = self.sql(text, start, Form::Expression)?;
        self.bump();
        let (upper, end) = self.expression_to(&["loop", "by"])?;
        let by = match end {
            1 => {
                self.bump();
                Some(self.expression("loop")?)
            }
            _ => None,
        };
        self.in_loop(label.clone().as_deref(), |parser| {
            let name = parts.pop().unwrap_or_default();
            let variable = parser.declare(plain(&name, TypeName::Integer, line), false);
            let body = parser.loop_body(label.as_deref())?;
            Ok(Kind::ForInteger(Box::new(ForInteger { label, variable, reverse, from: lower, to: upper, by, body })))
        })
    }

    /// The bound cursor that FOR … IN names.
    fn cursor_in_for(&self) -> Option<DatumId> {
        let Token::Word { name, .. } = self.peek() else { return None };
        if !matches!(self.nth(1), Token::Symbol("(") | Token::Word { .. }) {
            return None;
        }
        if matches!(self.nth(1), Token::Word { name, .. } if name != "loop") {
            return None;
        }
        let (datum, _) = self.scope.lookup(&[name])?;
        let datum_of = self.datums.get(datum)?;
        (datum_of.ty == TypeName::Refcursor).then_some(datum)
    }

    fn cursor_loop(&mut self, label: Option<String>, name: String, line: u32, datum: DatumId) -> Result<Kind> {
        let start = self.start();
        self.bump();
        let Some(cursor) = self.datums.get(datum).and_then(|datum| datum.cursor.clone()) else {
            return Err(self.error_at(start, "cursor FOR loop must use a bound cursor variable"));
        };
        let arguments = self.cursor_arguments(&cursor, datum)?;
        self.in_loop(label.clone().as_deref(), |parser| {
            let row = parser.declare(plain(&name, TypeName::Record, line), true);
            let body = parser.loop_body(label.as_deref())?;
            Ok(Kind::ForRows { label, target: Target::Record(row), rows: Rows::Cursor { datum, arguments }, body })
        })
    }

    pub(super) fn foreach_loop(&mut self, label: Option<String>) -> Result<Kind> {
        self.expect("foreach")?;
        let target = self.target()?;
        let slice = match self.eat("slice") {
            true => {
                let written = self.between(self.at, self.at + 1).0;
                let slice = written.parse().map_err(|_| self.syntax_error())?;
                self.bump();
                slice
            }
            false => 0,
        };
        self.expect("in")?;
        self.expect("array")?;
        self.in_loop(label.clone().as_deref(), |parser| {
            let array = parser.expression("loop")?;
            let body = parser.loop_body(label.as_deref())?;
            Ok(Kind::ForEach { label, target, slice, array, body })
        })
    }

    /// EXIT and CONTINUE.
    pub(super) fn exit(&mut self) -> Result<Kind> {
        let leave = self.at_word("exit");
        let verb_at = self.start();
        self.bump();
        let mut label = None;
        if !self.at_word("when") && !self.at_symbol(";") {
            let start = self.start();
            let name = self.any_name()?;
            match self.scope.label(&name) {
                None => {
                    let message =
                        format!("there is no label \"{name}\" attached to any block or loop enclosing this statement");
                    return Err(self.error_at(start, message));
                }
                Some(false) if !leave => {
                    let message = format!("block label \"{name}\" cannot be used in CONTINUE");
                    return Err(self.error_at(start, message));
                }
                Some(_) => label = Some(name),
            }
        } else if !self.scope.in_loop() {
            let message = match leave {
                true => "EXIT cannot be used outside a loop, unless it has a label",
                false => "CONTINUE cannot be used outside a loop",
            };
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(verb_at as u32));
        }
        let when = match self.eat("when") {
            true => Some(self.expression(";")?),
            false => None,
        };
        self.end_statement()?;
        Ok(Kind::Exit { leave, label, when })
    }
}
