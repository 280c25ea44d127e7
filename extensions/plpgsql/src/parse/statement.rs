//! Statements, but for loops, RAISE and cursors.

use aegis_engine::extension::{Error, Form, Result, sqlstate};

use super::lexer::Token;
use super::{MAX_DEPTH, Parser, Shape};
use crate::ast::*;

impl Parser<'_> {
    pub(super) fn statements(&mut self, ends: &[&str]) -> Result<Vec<Statement>> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let mut statements = Vec::new();
        while !ends.iter().any(|end| self.at_word(end)) {
            let line = self.line();
            let kind = self.statement()?;
            statements.push(Statement { line, kind });
        }
        self.depth -= 1;
        Ok(statements)
    }

    fn statement(&mut self) -> Result<Kind> {
        if self.at_symbol("<<") {
            let label = self.label()?;
            return self.labelled(label);
        }
        let Token::Word { name, quoted } = self.peek() else { return Err(self.syntax_error()) };
        let (name, quoted) = (name.clone(), *quoted);
        if self.is_assignment() {
            return self.assignment();
        }
        if quoted {
            return self.sql_statement();
        }
        match name.as_str() {
            "declare" | "begin" | "loop" | "while" | "for" | "foreach" => self.labelled(None),
            "if" => self.if_statement(),
            "case" => self.case_statement(),
            "exit" | "continue" => self.exit(),
            "return" => self.return_statement(),
            "raise" => self.raise(),
            "assert" => self.assert(),
            "perform" => self.perform(),
            "execute" => self.execute(),
            "get" => self.get_diagnostics(),
            "open" => self.open(),
            "fetch" | "move" => self.fetch(),
            "close" => self.close(),
            "commit" | "rollback" => self.transaction(),
            "call" => self.call(),
            "null" => {
                self.bump();
                self.end_statement()?;
                Ok(Kind::Null)
            }
            "all" | "by" | "else" | "end" | "from" | "in" | "into" | "not" | "or" | "strict" | "then" | "to"
            | "using" | "when" | "exception" | "elsif" => Err(self.syntax_error()),
            _ => self.sql_statement(),
        }
    }

    fn labelled(&mut self, label: Option<String>) -> Result<Kind> {
        if self.at_word("declare") || self.at_word("begin") {
            let block = self.block(label)?;
            self.end_statement()?;
            return Ok(Kind::Block(block));
        }
        match self.peek() {
            Token::Word { name, quoted: false } => match name.as_str() {
                "loop" => self.plain_loop(label),
                "while" => self.while_loop(label),
                "for" => self.for_loop(label),
                "foreach" => self.foreach_loop(label),
                _ => Err(self.syntax_error()),
            },
            _ => Err(self.syntax_error()),
        }
    }

    /// `name :=`, `name =`, `name[`, `name.field :=`
    fn is_assignment(&self) -> bool {
        let mut ahead = 1;
        while *self.nth(ahead) == Token::Symbol(".") && matches!(self.nth(ahead + 1), Token::Word { .. }) {
            ahead += 2;
        }
        matches!(self.nth(ahead), Token::Symbol(":=" | "=" | "["))
    }

    fn assignment(&mut self) -> Result<Kind> {
        let first = self.at;
        let place = self.place()?;
        if !self.eat_symbol(":=") {
            self.expect_symbol("=")?;
        }
        let from = self.at;
        self.skip_to(&[";"], Form::Expression)?;
        let (text, start) = self.between(first, self.at);
        let value = self.sql(text, start, Form::Assignment(self.between(from, self.at).1 - start))?;
        self.end_statement()?;
        Ok(Kind::Assign { place, value })
    }

    fn if_statement(&mut self) -> Result<Kind> {
        self.bump();
        let mut branches = Vec::new();
        let mut otherwise = None;
        loop {
            let condition = self.expression("then")?;
            self.expect("then")?;
            branches.push((condition, self.statements(&["elsif", "elseif", "else", "end"])?));
            if self.eat("elsif") || self.eat("elseif") {
                continue;
            }
            if self.eat("else") {
                otherwise = Some(self.statements(&["end"])?);
            }
            break;
        }
        self.expect("end")?;
        self.expect("if")?;
        self.end_statement()?;
        Ok(Kind::If { branches, otherwise })
    }

    fn case_statement(&mut self) -> Result<Kind> {
        let line = self.line();
        self.bump();
        let operand = match self.at_word("when") {
            true => None,
            false => {
                let operand = self.expression("when")?;
                let name = format!("__Case__Variable_{}__", self.datums.len());
                let outer = self.scope.clone();
                let datum = self.declare(super::plain(&name, TypeName::Any, line), false);
                let inner = std::mem::replace(&mut self.scope, outer);
                Some((operand, name, datum, inner))
            }
        };
        let mut branches = Vec::new();
        while self.eat("when") {
            let condition = self.expression("then")?;
            let condition = match &operand {
                None => condition,
                Some((_, name, _, inner)) => {
                    let text = format!("\"{name}\" IN ({})", condition.text);
                    Expr { scope: inner.clone(), ..self.made(text, Form::Expression) }
                }
            };
            self.expect("then")?;
            branches.push((condition, self.statements(&["when", "else", "end"])?));
        }
        let otherwise = match self.eat("else") {
            true => Some(self.statements(&["end"])?),
            false => None,
        };
        self.expect("end")?;
        self.expect("case")?;
        self.end_statement()?;
        let operand = operand.map(|(operand, _, datum, _)| (operand, datum));
        Ok(Kind::Case { operand, branches, otherwise })
    }

    fn return_statement(&mut self) -> Result<Kind> {
        self.bump();
        if self.eat("next") {
            if !self.is_set() {
                return Err(self.wrong("cannot use RETURN NEXT in a non-SETOF function", self.at - 1));
            }
            if self.shape == Shape::SetOfOutputs {
                if !self.at_symbol(";") {
                    let message = "RETURN NEXT cannot have a parameter in function with OUT parameters";
                    return Err(self.wrong(message, self.at));
                }
                self.bump();
                return Ok(Kind::ReturnNext(None));
            }
            let value = self.expression(";")?;
            self.end_statement()?;
            return Ok(Kind::ReturnNext(Some(value)));
        }
        if self.eat("query") {
            if !self.is_set() {
                return Err(self.wrong("cannot use RETURN QUERY in a non-SETOF function", self.at - 1));
            }
            let rows = self.rows_to_end()?;
            self.end_statement()?;
            return Ok(Kind::ReturnQuery(rows));
        }
        let refused = match self.shape {
            Shape::Set | Shape::SetOfOutputs => Some("RETURN cannot have a parameter in function returning set"),
            Shape::Void => Some("RETURN cannot have a parameter in function returning void"),
            Shape::Outputs => Some("RETURN cannot have a parameter in function with OUT parameters"),
            Shape::Procedure => Some("RETURN cannot have a parameter in a procedure"),
            Shape::Value | Shape::Trigger => None,
        };
        if let Some(message) = refused {
            if !self.at_symbol(";") {
                let error = self.wrong(message, self.at);
                return Err(match self.shape {
                    Shape::Set | Shape::SetOfOutputs => error.with_hint("Use RETURN NEXT or RETURN QUERY."),
                    _ => error,
                });
            }
            self.bump();
            return Ok(Kind::Return(None));
        }
        let value = self.expression(";")?;
        self.end_statement()?;
        Ok(Kind::Return(Some(value)))
    }

    fn wrong(&self, message: &str, token: usize) -> Error {
        let start = self.tokens.get(token).map_or(0, |placed| placed.start);
        Error::new(sqlstate::DATATYPE_MISMATCH, message).at(start as u32)
    }

    /// The rows of OPEN and RETURN QUERY: EXECUTE, or a query as far as the statement goes.
    pub(super) fn rows_to_end(&mut self) -> Result<Rows> {
        if self.eat("execute") {
            return self.dynamic_rows();
        }
        let from = self.at;
        self.skip_to(&[";"], Form::Statement)?;
        let (text, start) = self.between(from, self.at);
        Ok(Rows::Query(self.sql(text, start, Form::Statement)?))
    }

    pub(super) fn dynamic_rows(&mut self) -> Result<Rows> {
        let (text, end) = self.expression_to(&[";", "using"])?;
        let using = match end {
            1 => {
                self.bump();
                self.using()?
            }
            _ => Vec::new(),
        };
        Ok(Rows::Execute { text, using })
    }

    fn perform(&mut self) -> Result<Kind> {
        self.bump();
        let from = self.at;
        self.skip_to(&[";"], Form::Statement)?;
        let (text, start) = self.between(from, self.at);
        // Positions are those of the text behind PERFORM.
        self.sql(text, start, Form::Expression)?;
        self.end_statement()?;
        Ok(Kind::Perform(self.made(format!("SELECT {text}"), Form::Statement)))
    }

    fn execute(&mut self) -> Result<Kind> {
        self.bump();
        let (text, mut end) = self.expression_to(&["into", "using", ";"])?;
        let (mut into, mut using) = (None, Vec::new());
        loop {
            match end {
                0 if into.is_none() => {
                    self.bump();
                    into = Some(self.into()?);
                }
                1 if using.is_empty() => {
                    self.bump();
                    using = self.using()?;
                }
                2 => break,
                _ => return Err(self.syntax_error()),
            }
            let ends = ["into", "using"];
            end = ends.iter().position(|word| self.at_word(word)).unwrap_or(2);
        }
        self.end_statement()?;
        Ok(Kind::Execute { text, using, into })
    }

    fn into(&mut self) -> Result<IntoTarget> {
        let strict = self.eat("strict");
        Ok(IntoTarget { target: self.target()?, strict })
    }

    fn call(&mut self) -> Result<Kind> {
        let from = self.at;
        self.skip_to(&[";"], Form::Statement)?;
        let (text, start) = self.between(from, self.at);
        let statement = self.sql(text, start, Form::Statement)?;
        self.end_statement()?;
        Ok(Kind::Call { statement })
    }

    fn transaction(&mut self) -> Result<Kind> {
        let commit = self.at_word("commit");
        self.bump();
        let no = self.at_words(&["and", "no", "chain"]);
        let chain = self.at_words(&["and", "chain"]);
        self.at += if no { 3 } else { 2 * usize::from(chain) };
        self.end_statement()?;
        Ok(Kind::Transaction { commit, chain })
    }

    fn assert(&mut self) -> Result<Kind> {
        self.bump();
        let (condition, end) = self.expression_to(&[",", ";"])?;
        let message = match end {
            0 => {
                self.bump();
                Some(self.expression(";")?)
            }
            _ => None,
        };
        self.end_statement()?;
        Ok(Kind::Assert { condition, message })
    }

    /// A statement of SQL, without INTO if it has one.
    fn sql_statement(&mut self) -> Result<Kind> {
        let from = self.at;
        let (mut into, mut cut) = (None, (0, 0));
        let import = self.at_word("import");
        let mut depth = 0i32;
        loop {
            match self.peek() {
                Token::Symbol(";") if depth <= 0 => break,
                Token::End => return Err(self.syntax_error()),
                Token::Symbol("(" | "[") => depth += 1,
                Token::Symbol(")" | "]") => depth -= 1,
                Token::Word { name, quoted: false } if name == "into" && !import && depth == 0 => {
                    let after = self.at.checked_sub(1).map(|before| &self.tokens[before].token);
                    let is_insert = matches!(after, Some(Token::Word { name, quoted: false })
                        if (name == "insert" || name == "merge") && self.at > from);
                    if !is_insert {
                        if into.is_some() {
                            return Err(self.error_near(self.at, "INTO specified more than once"));
                        }
                        let start = self.start();
                        self.bump();
                        into = Some(self.into()?);
                        cut = (start, self.tokens[self.at - 1].end);
                        continue;
                    }
                }
                _ => {}
            }
            self.bump();
        }
        let (text, start) = self.between(from, self.at);
        let mut text = text.to_owned();
        if into.is_some() {
            // As many spaces, so that positions stay.
            let range = cut.0 - start..(cut.1 - start).min(text.len());
            let spaces = " ".repeat(range.len());
            text.replace_range(range, &spaces);
        }
        let statement = self.sql(text.trim_end(), start, Form::Statement)?;
        self.end_statement()?;
        Ok(Kind::Sql { statement, into })
    }
}
