//! Blocks and their declarations.

use std::sync::Arc;

use aegis_engine::extension::{Error, Form, Result, sqlstate};

use super::lexer::Token;
use super::{MAX_DEPTH, Parser, Shape, plain};
use crate::ast::*;
use crate::conditions;

impl Parser<'_> {
    /// `#option dump`, `#variable_conflict error`
    pub(super) fn option(&mut self) -> Result<()> {
        let word = self.any_name()?;
        match word.as_str() {
            "option" => self.expect("dump"),
            "print_strict_params" => self.any_name().map(drop),
            "variable_conflict" => match self.any_name()?.as_str() {
                "error" => Ok(()),
                other => Err(Error::unsupported(format!("#variable_conflict {other}"))),
            },
            _ => Err(self.error_near(self.at - 1, "syntax error")),
        }
    }

    pub(super) fn outer_block(&mut self) -> Result<Block> {
        let label = self.label()?;
        if !self.at_word("declare") && !self.at_word("begin") {
            return Err(self.syntax_error());
        }
        let block = self.block(label)?;
        self.eat_symbol(";");
        match self.peek() {
            Token::End => Ok(block),
            _ => Err(self.syntax_error()),
        }
    }

    /// `<<label>>`
    pub(super) fn label(&mut self) -> Result<Option<String>> {
        if !self.eat_symbol("<<") {
            return Ok(None);
        }
        let name = self.any_name()?;
        self.expect_symbol(">>")?;
        Ok(Some(name))
    }

    pub(super) fn block(&mut self, label: Option<String>) -> Result<Block> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let outer = self.scope.clone();
        self.scope = self.scope.with(Meaning::Label { name: label.clone(), is_loop: false });
        let mut declared = Vec::new();
        while self.eat("declare") {
            while !self.at_word("begin") {
                if self.at_word("declare") {
                    self.bump();
                    continue;
                }
                if self.at_symbol("<<") {
                    return Err(self.error_at(self.start(), "block label must be placed before DECLARE, not after"));
                }
                self.declaration(&mut declared)?;
            }
        }
        self.expect("begin")?;
        let body = self.statements(&["end", "exception"])?;
        let exceptions = match self.at_word("exception") {
            true => Some(self.exceptions()?),
            false => None,
        };
        self.expect("end")?;
        self.end_label(label.as_deref())?;
        self.scope = outer;
        self.depth -= 1;
        Ok(Block { label, declared, body, exceptions })
    }

    /// The label behind END.
    pub(super) fn end_label(&mut self, label: Option<&str>) -> Result<()> {
        if !matches!(self.peek(), Token::Word { .. }) {
            return Ok(());
        }
        let start = self.start();
        let name = self.any_name()?;
        match label {
            None => Err(self.error_at(start, format!("end label \"{name}\" specified for unlabeled block"))),
            Some(label) if label != name => {
                let message = format!("end label \"{name}\" differs from block's label \"{label}\"");
                Err(self.error_at(start, message))
            }
            Some(_) => Ok(()),
        }
    }

    fn declaration(&mut self, declared: &mut Vec<DatumId>) -> Result<()> {
        let (start, line) = (self.start(), self.line());
        let name = self.name()?;
        if self.scope.declares(&name) {
            self.at -= 1;
            return Err(self.error_near(self.at, "duplicate declaration"));
        }
        if self.eat("alias") {
            self.expect("for")?;
            return self.alias(name);
        }
        if self.at_word("cursor") || self.at_words(&["no", "scroll"]) || self.at_word("scroll") {
            return self.cursor_declaration(name, line, declared);
        }
        let constant = self.eat("constant");
        let (ty, is_record) = self.declared_type()?;
        if self.eat("collate") {
            self.qualified()?;
        }
        let not_null_at = self.start();
        let not_null = self.at_words(&["not", "null"]);
        if not_null {
            self.at += 2;
        }
        let has_default = self.eat("default") || self.eat_symbol(":=") || self.eat_symbol("=");
        let default = match has_default {
            true => Some(self.expression(";")?),
            false => None,
        };
        self.end_statement()?;
        if not_null && default.is_none() {
            let message = format!("variable \"{name}\" must have a default value, since it's declared NOT NULL");
            return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, message).at(not_null_at as u32));
        }
        let _ = start;
        let datum = Datum { constant, not_null, default, ..plain(&name, ty, line) };
        declared.push(self.declare(datum, is_record));
        Ok(())
    }

    fn alias(&mut self, name: String) -> Result<()> {
        let start = self.start();
        let wanted = match self.peek() {
            Token::Other => {
                let written = self.between(self.at, self.at + 1).0.to_owned();
                self.bump();
                vec![written]
            }
            _ => self.qualified()?,
        };
        self.end_statement()?;
        let parts: Vec<&str> = wanted.iter().map(String::as_str).collect();
        match self.scope.lookup(&parts) {
            Some((datum, used)) if used == parts.len() => {
                let is_record = self.is_record(datum);
                self.scope = self.scope.with(Meaning::Variable { name, datum, is_record });
                Ok(())
            }
            _ => {
                let message = format!("variable \"{}\" does not exist", wanted.join("."));
                Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).at(start as u32))
            }
        }
    }

    /// The type of a declaration, and whether it may have fields.
    pub(super) fn declared_type(&mut self) -> Result<(TypeName, bool)> {
        let (from, start) = (self.at, self.start());
        if let Token::Word { name, quoted: false } = self.peek()
            && name == "record"
            && !matches!(self.nth(1), Token::Symbol("." | "["))
        {
            self.bump();
            return Ok((TypeName::Record, true));
        }
        if matches!(self.peek(), Token::Word { .. }) {
            let parts = self.qualified();
            if let Ok(parts) = parts
                && self.eat_symbol("%")
            {
                return self.type_of(parts, start);
            }
            self.at = from;
        }
        let mut depth = 0;
        loop {
            match self.peek() {
                Token::Symbol("(" | "[") => depth += 1,
                Token::Symbol(")" | "]") => depth -= 1,
                Token::Symbol(";" | ":=" | "=" | ",") | Token::End if depth <= 0 => break,
                Token::End => return Err(self.error_near(self.at, "mismatched parentheses")),
                Token::Word { name, quoted: false } if depth == 0 => {
                    if matches!(name.as_str(), "collate" | "default" | "not") {
                        break;
                    }
                }
                _ => {}
            }
            if depth < 0 {
                break;
            }
            self.bump();
        }
        if self.at == from {
            return Err(self.error_near(self.at, "missing data type declaration"));
        }
        let (text, start) = self.between(from, self.at);
        Ok((TypeName::Sql(text.to_owned(), start as u32), true))
    }

    fn type_of(&mut self, parts: Vec<String>, start: usize) -> Result<(TypeName, bool)> {
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        if self.eat("rowtype") {
            return Ok((TypeName::RowOf(parts, start as u32), true));
        }
        self.expect("type")?;
        match self.scope.lookup(&names) {
            Some((datum, used)) if used == names.len() => Ok((TypeName::OfVariable(datum), self.is_record(datum))),
            _ => Ok((TypeName::OfColumn(parts, start as u32), true)),
        }
    }

    fn cursor_declaration(&mut self, name: String, line: u32, declared: &mut Vec<DatumId>) -> Result<()> {
        let scroll = self.scroll();
        self.expect("cursor")?;
        let outer = self.scope.clone();
        self.scope = self.scope.with(Meaning::Label { name: None, is_loop: false });
        let mut arguments = Vec::new();
        if self.eat_symbol("(") {
            loop {
                let line = self.line();
                let name = self.name()?;
                let (ty, is_record) = self.declared_type()?;
                let datum = self.declare(plain(&name, ty, line), is_record);
                arguments.push((name, datum));
                if !self.eat_symbol(",") {
                    break;
                }
            }
            self.expect_symbol(")")?;
        }
        if !self.eat("is") {
            self.expect("for")?;
        }
        let from = self.at;
        self.skip_to(&[";"], Form::Statement)?;
        let (text, start) = self.between(from, self.at);
        let query = self.sql(text, start, Form::Statement)?;
        self.scope = outer;
        self.end_statement()?;
        let cursor = Some(Arc::new(Cursor { scroll, arguments, query }));
        declared.push(self.declare(Datum { cursor, ..plain(&name, TypeName::Refcursor, line) }, false));
        Ok(())
    }

    /// SCROLL or NO SCROLL.
    pub(super) fn scroll(&mut self) -> Option<bool> {
        if self.at_words(&["no", "scroll"]) {
            self.at += 2;
            return Some(false);
        }
        self.eat("scroll").then_some(true)
    }

    fn exceptions(&mut self) -> Result<Exceptions> {
        let line = self.line();
        self.expect("exception")?;
        let outer = self.scope.clone();
        let variable = |name: &str| Datum { constant: true, ..plain(name, TypeName::Text, line) };
        let sqlstate = self.declare(variable("sqlstate"), false);
        let sqlerrm = self.declare(variable("sqlerrm"), false);
        let mut handlers = Vec::new();
        while self.eat("when") {
            let mut conditions = Vec::new();
            loop {
                self.condition(&mut conditions)?;
                if !self.eat("or") {
                    break;
                }
            }
            self.expect("then")?;
            let body = self.statements(&["when", "end"])?;
            handlers.push(Handler { conditions, body });
        }
        if handlers.is_empty() {
            return Err(self.syntax_error());
        }
        self.scope = outer;
        Ok(Exceptions { sqlstate, sqlerrm, handlers })
    }

    fn condition(&mut self, conditions: &mut Vec<Condition>) -> Result<()> {
        let start = self.start();
        let name = self.any_name()?;
        if name == "sqlstate" {
            let code = self.state()?;
            conditions.push(Condition::State(code));
            return Ok(());
        }
        if name == "others" {
            conditions.push(Condition::Others);
            return Ok(());
        }
        let found = conditions::named(&name);
        if found.is_empty() {
            let message = format!("unrecognized exception condition \"{name}\"");
            return Err(Error::new(sqlstate::UNDEFINED_OBJECT, message).at(start as u32));
        }
        conditions.extend(found.into_iter().map(Condition::State));
        Ok(())
    }

    /// The constant behind SQLSTATE.
    pub(super) fn state(&mut self) -> Result<[u8; 5]> {
        let Token::Text(code) = self.peek() else { return Err(self.syntax_error()) };
        let valid = code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
        let state = <[u8; 5]>::try_from(code.as_bytes()).ok().filter(|_| valid);
        let state = state.ok_or_else(|| self.error_near(self.at, "invalid SQLSTATE code"))?;
        self.bump();
        Ok(state)
    }

    pub(super) fn is_set(&self) -> bool {
        matches!(self.shape, Shape::Set | Shape::SetOfOutputs)
    }
}
