//! Queries from text: `'fat' & (rat | !cat:*AB) <-> dog`.

use super::word::{WordReader, is_space};
use super::{MAX_POSITION, MAX_WORD, Node, Operand, TsQuery, too_large};
use crate::error::{Error, Result};
use crate::sqlstate;
use crate::types::text_search::query::syntax_error;

/// An operator of a query, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Phrase(u16),
    Not,
}

impl Operator {
    fn strength(self) -> u8 {
        match self {
            Self::Or => 1,
            Self::And => 2,
            Self::Phrase(_) => 3,
            Self::Not => 4,
        }
    }
}

/// Brings operands and operators, as they are written, into postfix order.
#[derive(Debug, Default)]
pub struct Postfix {
    query: TsQuery,
    operands: Vec<usize>,
    /// None for an open parenthesis.
    operators: Vec<Option<Operator>>,
}

impl Postfix {
    /// A word, or a whole query that stands for one.
    pub fn operand(&mut self, operand: TsQuery) {
        let offset = self.query.nodes().len();
        for node in operand.nodes() {
            self.query.push(node.clone().moved(offset));
        }
        self.operands.extend(self.query.root());
    }

    pub fn operator(&mut self, operator: Operator) -> Result<()> {
        while let Some(Some(last)) = self.operators.last().copied()
            && operator != Operator::Not
            && last.strength() >= operator.strength()
        {
            self.apply(last)?;
        }
        self.operators.push(Some(operator));
        Ok(())
    }

    pub fn open(&mut self) {
        self.operators.push(None);
    }

    pub fn close(&mut self) -> Result<()> {
        while let Some(last) = self.operators.last().copied() {
            match last {
                Some(operator) => self.apply(operator)?,
                None => {
                    self.operators.pop();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    pub fn finish(mut self) -> Result<TsQuery> {
        while let Some(last) = self.operators.last().copied() {
            match last {
                Some(operator) => self.apply(operator)?,
                None => {
                    self.operators.pop();
                }
            }
        }
        self.query.check_size()?;
        Ok(self.query)
    }

    fn apply(&mut self, operator: Operator) -> Result<()> {
        self.operators.pop();
        let missing = || Error::internal("malformed tsquery: operand not found");
        let last = self.operands.pop().ok_or_else(missing)?;
        let node = match operator {
            Operator::Not => Node::Not(last),
            Operator::And => Node::And(self.operands.pop().ok_or_else(missing)?, last),
            Operator::Or => Node::Or(self.operands.pop().ok_or_else(missing)?, last),
            Operator::Phrase(distance) => Node::Phrase(self.operands.pop().ok_or_else(missing)?, last, distance),
        };
        self.operands.push(self.query.push(node));
        Ok(())
    }
}

impl TsQuery {
    /// Text input, each word as it is.
    pub fn parse(input: &str) -> Result<Self> {
        Self::parse_with(input, |operand| {
            let length = operand.word.len();
            if length >= MAX_WORD {
                return Err(too_large(format!("word is too long in tsquery: \"{}\"", operand.word)));
            }
            let mut query = Self::default();
            query.push(Node::Value(operand));
            Ok(query)
        })
    }

    /// Text input where `value` makes a query of each word.
    pub fn parse_with(input: &str, mut value: impl FnMut(Operand) -> Result<Self>) -> Result<Self> {
        let mut reader = QueryReader { input, at: 0 };
        let mut postfix = Postfix::default();
        let mut depth = 0_usize;
        let mut first = true;
        loop {
            // An operand is due.
            reader.skip_space();
            match reader.peek() {
                Some('!') => {
                    reader.at += 1;
                    postfix.operator(Operator::Not)?;
                    first = false;
                    continue;
                }
                Some('(') => {
                    reader.at += 1;
                    depth += 1;
                    postfix.open();
                    first = false;
                    continue;
                }
                Some(':') => return Err(syntax_error(input)),
                None if first => break,
                None => {
                    let message = format!("no operand in tsquery: \"{input}\"");
                    return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
                }
                Some(_) => postfix.operand(value(reader.operand()?)?),
            }
            first = false;
            // Now an operator, or the end.
            let operator = loop {
                reader.skip_space();
                match reader.peek() {
                    Some(')') => {
                        reader.at += 1;
                        depth = depth.checked_sub(1).ok_or_else(|| syntax_error(input))?;
                        postfix.close()?;
                    }
                    Some(_) => break Some(reader.operator()?),
                    None if depth == 0 => break None,
                    None => return Err(syntax_error(input)),
                }
            };
            match operator {
                Some(operator) => postfix.operator(operator)?,
                None => break,
            }
        }
        postfix.finish()
    }
}

struct QueryReader<'a> {
    input: &'a str,
    at: usize,
}

impl QueryReader<'_> {
    fn rest(&self) -> &str {
        self.input.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches(is_space).len();
    }

    /// A word with what stands behind its colon.
    fn operand(&mut self) -> Result<Operand> {
        let mut reader = WordReader::of_query(self.input, self.at, false);
        let word = reader.word()?.unwrap_or_default().text;
        self.at = reader.position();
        let (mut weights, mut prefix) = (0, false);
        if self.peek() == Some(':') {
            self.at += 1;
            while let Some(mark) = self.peek() {
                match super::Weight::from_letter(mark) {
                    Some(weight) => weights |= 1 << weight.number(),
                    None if mark == '*' => prefix = true,
                    None => break,
                }
                self.at += 1;
            }
        }
        Ok(Operand { word, weights, prefix })
    }

    fn operator(&mut self) -> Result<Operator> {
        let operator = match self.peek() {
            Some('&') => Operator::And,
            Some('|') => Operator::Or,
            _ => return self.phrase(),
        };
        self.at += 1;
        Ok(operator)
    }

    /// `<->` or `<distance>`.
    fn phrase(&mut self) -> Result<Operator> {
        let inner = self.rest().strip_prefix('<').ok_or_else(|| syntax_error(self.input))?;
        if inner.starts_with("->") {
            self.at += 3;
            return Ok(Operator::Phrase(1));
        }
        let digits = inner.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, after) = inner.split_at(digits);
        if digits.is_empty() {
            return Err(syntax_error(self.input));
        }
        let limit = MAX_POSITION + 1;
        let distance = digits.parse().ok().filter(|&distance| distance <= limit).ok_or_else(|| {
            let message =
                format!("distance in phrase operator must be an integer value between zero and {limit} inclusive");
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
        })?;
        if !after.starts_with('>') {
            return Err(syntax_error(self.input));
        }
        self.at += digits.len() + 2;
        Ok(Operator::Phrase(distance))
    }
}
