//! The library's tree to PostgreSQL's syntax tree, by concern. The library lets required parts be missing and accepts some texts
//! that PostgreSQL's grammar refuses; both become syntax errors here.

mod alter;
mod call;
mod copy;
mod cursor;
mod ddl;
mod definition;
mod descriptor;
mod dml;
mod expr;
mod from;
mod literal;
mod merge;
mod names;
mod object;
mod operand;
mod query;
mod role;
mod routine;
mod sequence;
mod settings;
mod table;
mod transaction;
mod types;
mod unsupported;
mod user_type;
mod window;

use aegis_catalog::{Error, Result};
use squawk_parser::SyntaxKind as K;

use super::as_of::AsOfWords;
use super::ast::*;
use super::scan::{Token, TokenKind, error_near};
use super::tree::{Failure, Node};
use super::utility::Utility;

pub(super) struct Lower<'a> {
    text: &'a str,
    tokens: &'a [Token],
    base: u32,
    failure: Option<Failure>,
    as_of: AsOfWords,
}

impl<'a> Lower<'a> {
    /// `base` is where the user's part of `text` starts; spans and positions count from there. After `failure` the tree is of
    /// no use.
    pub fn new(
        text: &'a str,
        tokens: &'a [Token],
        base: u32,
        failure: Option<Failure>,
        as_of: Option<AsOfWords>,
    ) -> Self {
        Self { text, tokens, base, failure, as_of: as_of.unwrap_or_default() }
    }

    /// Is `error` before the place where the library failed?
    pub fn precedes_failure(&self, error: &Error) -> bool {
        match self.failure {
            Some(failure) => error.fields().position < self.syntax_error(failure.offset).fields().position,
            None => true,
        }
    }

    fn base(&self) -> u32 {
        self.base
    }

    fn position(&self, node: Node<'_>) -> u32 {
        node.start().saturating_sub(self.base)
    }

    fn span(&self, node: Node<'_>) -> Span {
        Span { start: node.start().saturating_sub(self.base), end: node.end().saturating_sub(self.base) }
    }

    /// `syntax error at or near` the first token from `offset` of the whole text.
    pub fn syntax_error(&self, offset: u32) -> Error {
        let next = self.tokens.partition_point(|token| token.end <= offset);
        let (start, end) = match self.tokens.get(next) {
            Some(token) => (token.start, token.end),
            None => (self.text.len() as u32, self.text.len() as u32),
        };
        let mut error = error_near("syntax error", self.text, start as usize, end as usize);
        error.fields_mut().position = Some(start.saturating_sub(self.base));
        error
    }

    /// The error where the library could not go on.
    pub fn failure(&self) -> Option<Error> {
        let failure = self.failure?;
        let index = self.tokens.partition_point(|token| token.end <= failure.offset);
        let token = |index: usize| self.tokens.get(index).map(|token| (token, self.token_text(token)));
        let start = |index: usize| token(index).map_or(self.text.len() as u32, |(token, _)| token.start);
        let (_, before) = index.checked_sub(1).and_then(token).unzip();
        let (_, word) = token(index).unzip();
        // The library gives up on the verb of an unknown object, PostgreSQL on the object.
        let verbs = ["create", "alter", "drop"];
        let verb = word.is_some_and(|word| verbs.iter().any(|verb| word.eq_ignore_ascii_case(verb)));
        let lone_verb = verb && before.is_none_or(|before| before == ";");
        // A list goes on after its comma; what follows is wrong.
        let comma =
            failure.comma && word == Some(",") && !before.is_none_or(|before| matches!(before, "," | "(" | "["));
        Some(self.syntax_error(if lone_verb || comma { start(index + 1) } else { failure.offset }))
    }

    fn token_text(&self, token: &Token) -> &str {
        self.text.get(token.start as usize..token.end as usize).unwrap_or_default()
    }

    /// Does a token of PostgreSQL's start at `offset`?
    fn token_starts_at(&self, offset: u32) -> bool {
        self.tokens.binary_search_by_key(&offset, |token| token.start).is_ok()
    }

    /// End of `node` without the semicolon that the library puts in statements.
    fn end_of(&self, node: Node<'_>) -> u32 {
        node.children().filter(|child| !child.is(K::SEMICOLON)).last().map_or(node.start(), |last| last.end())
    }

    /// The error for a required part of `parent` that is missing.
    fn missing_in(&self, parent: Node<'_>) -> Error {
        let end = match parent.children().filter(|child| !child.is(K::SEMICOLON)).last() {
            Some(last) if matches!(last.kind(), K::R_PAREN | K::R_BRACK) => last.start(),
            _ => self.end_of(parent),
        };
        self.syntax_error(end)
    }

    /// A required part of `parent`.
    fn need<'t>(&self, part: Option<Node<'t>>, parent: Node<'t>) -> Result<Node<'t>> {
        match part {
            Some(part) if part.is_empty() => Err(self.syntax_error(part.end())),
            Some(part) => Ok(part),
            None => Err(self.missing_in(parent)),
        }
    }

    fn source_text(&self, node: Node<'_>) -> String {
        node.text().to_owned()
    }

    /// The statements of the query string.
    pub fn statements(&self, root: Node<'_>) -> Result<Vec<ParsedStatement>> {
        self.check_lists(root)?;
        let mut statements = Vec::new();
        let mut separated = true;
        for node in root.children() {
            let empty = node.is_token() || node.is(K::EMPTY_STMT);
            if !empty {
                if !separated {
                    return Err(self.syntax_error(node.start()));
                }
                if let Some(parsed) = self.parsed_statement(node)? {
                    statements.push(parsed);
                }
            }
            separated = node.is(K::SEMICOLON) || node.children().any(|child| child.is(K::SEMICOLON));
        }
        Ok(statements)
    }

    fn parsed_statement(&self, node: Node<'_>) -> Result<Option<ParsedStatement>> {
        let Some(statement) = self.statement(node)? else { return Ok(None) };
        let range = node.start()..self.end_of(node);
        let span = Span { start: range.start.saturating_sub(self.base), end: range.end.saturating_sub(self.base) };
        Ok(Some(ParsedStatement { statement, span, parameter_count: self.parameter_count(range) }))
    }

    fn parameter_count(&self, range: std::ops::Range<u32>) -> u32 {
        let first = self.tokens.partition_point(|token| token.start < range.start);
        self.tokens
            .iter()
            .skip(first)
            .take_while(|token| token.start < range.end)
            .filter(|token| token.kind == TokenKind::Parameter)
            .filter_map(|token| self.text.get(token.start as usize + 1..token.end as usize)?.parse().ok())
            .max()
            .unwrap_or(0)
    }

    /// Commas that separate nothing and strings side by side, which the library lets pass.
    fn check_lists(&self, root: Node<'_>) -> Result<()> {
        let failed = self.failure.map_or(u32::MAX, |failure| failure.offset);
        for node in root.descendants().filter(|node| !node.is_token() && node.end() <= failed) {
            if node.is(K::LITERAL) {
                let strings = node.children().take_while(|token| !token.is(K::UESCAPE_KW));
                let mut strings = strings.filter(|token| literal::is_quoted(token.kind())).skip(1);
                if let Some(second) = strings.find(|token| self.token_starts_at(token.start())) {
                    return Err(self.syntax_error(second.start()));
                }
            }
            let mut after_comma = false;
            for child in node.children() {
                let comma = child.is(K::COMMA);
                let closes = matches!(child.kind(), K::R_PAREN | K::R_BRACK | K::SEMICOLON);
                if after_comma && (comma || closes || child.is_empty()) {
                    return Err(self.syntax_error(child.start()));
                }
                if child.is(K::ERROR) {
                    return Err(self.syntax_error(child.start()));
                }
                after_comma = comma;
            }
            if after_comma {
                return Err(self.syntax_error(node.end()));
            }
        }
        Ok(())
    }

    /// One statement; None for an empty one.
    pub fn statement(&self, node: Node<'_>) -> Result<Option<Statement>> {
        Ok(Some(match node.kind() {
            K::EMPTY_STMT => return Ok(None),
            K::SELECT_INTO => Statement::Utility(Box::new(self.select_into(node)?)),
            K::SELECT | K::PAREN_SELECT | K::TABLE | K::VALUES | K::COMPOUND_SELECT => {
                Statement::Query(Box::new(self.query(node)?))
            }
            K::INSERT => Statement::Insert(Box::new(self.insert(node)?)),
            K::UPDATE => positioned(Statement::Update(Box::new(self.update(node)?))),
            K::DELETE => positioned(Statement::Delete(Box::new(self.delete(node)?))),
            K::MERGE => Statement::Merge(Box::new(self.merge(node)?)),
            _ => Statement::Utility(Box::new(self.utility(node)?)),
        }))
    }

    fn utility(&self, node: Node<'_>) -> Result<Utility> {
        let families = [
            Self::transaction_statement,
            Self::settings_statement,
            Self::cursor_statement,
            Self::copy_statement,
            Self::table_statement,
            Self::routine_statement,
            Self::object_statement,
            Self::type_statement,
            Self::alter_statement,
            Self::ddl_statement,
            Self::role_statement,
        ];
        for lower in families {
            if let Some(utility) = lower(self, node)? {
                return Ok(utility);
            }
        }
        self.unsupported(node)
    }
}

/// A change of the row that a cursor stands on is run by the session, which knows the cursor.
fn positioned(statement: Statement) -> Statement {
    let filter = match &statement {
        Statement::Update(update) => update.filter.as_ref(),
        Statement::Delete(delete) => delete.filter.as_ref(),
        _ => None,
    };
    let Some(Expr { kind: ExprKind::CurrentOf(cursor), .. }) = filter else { return statement };
    let cursor = cursor.clone();
    Statement::Utility(Box::new(Utility::ChangeCurrent { statement: Box::new(statement), cursor }))
}
