//! Prepared statements, cursors, EXPLAIN, and asynchronous notification.

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use super::operand::is_query;
use crate::parse::ast::*;
use crate::parse::tree::Node;
use crate::parse::utility::*;

impl Lower<'_> {
    pub fn cursor_statement(&self, node: Node<'_>) -> Result<Option<Utility>> {
        Ok(Some(match node.kind() {
            K::PREPARE => self.prepare(node)?,
            K::EXECUTE => {
                let name = self.ident(self.need(node.child(K::PREPARED_STATEMENT_REF), node)?)?;
                let args = match node.child(K::ARG_LIST) {
                    Some(list) if list.nodes().next().is_none() => return Err(self.missing_in(list)),
                    Some(list) => list.children_of(K::ARG).map(|arg| self.expr_in(arg)).collect::<Result<_>>()?,
                    None => Vec::new(),
                };
                Utility::Execute { name, args }
            }
            K::DEALLOCATE => match node.child(K::PREPARED_STATEMENT_REF) {
                Some(name) => Utility::Deallocate(Some(self.ident(name)?)),
                None if node.has(K::ALL_KW) => Utility::Deallocate(None),
                None => return Err(self.missing_in(node)),
            },
            K::DECLARE => self.declare(node)?,
            K::FETCH | K::MOVE => self.fetch_cursor(node)?,
            K::CLOSE => match node.child(K::CURSOR_REF) {
                Some(name) => Utility::Close(Some(self.ident(name)?)),
                None if node.has(K::ALL_KW) => Utility::Close(None),
                None => return Err(self.missing_in(node)),
            },
            K::EXPLAIN => self.explain(node)?,
            K::LISTEN => Utility::Listen(self.ident(self.need(node.child(K::CHANNEL), node)?)?),
            K::UNLISTEN => match node.child(K::CHANNEL_REF) {
                Some(channel) => Utility::Unlisten(Some(self.ident(channel)?)),
                None if node.has(K::STAR) => Utility::Unlisten(None),
                None => return Err(self.missing_in(node)),
            },
            K::NOTIFY => Utility::Notify {
                channel: self.ident(self.need(node.child(K::CHANNEL_REF), node)?)?,
                payload: self.opt_string(node.child(K::LITERAL))?,
            },
            _ => return Ok(None),
        }))
    }

    /// The statement inside PREPARE, EXPLAIN and the like.
    fn inner_statement(&self, node: Node<'_>) -> Result<ParsedStatement> {
        let inner = node.nodes().find(|part| {
            is_query(part.kind())
                || matches!(
                    part.kind(),
                    K::INSERT
                        | K::UPDATE
                        | K::DELETE
                        | K::MERGE
                        | K::EXECUTE
                        | K::DECLARE
                        | K::CREATE_TABLE_AS
                        | K::CREATE_MATERIALIZED_VIEW
                )
        });
        match self.parsed_statement(self.need(inner, node)?)? {
            Some(statement) => Ok(statement),
            None => Err(self.missing_in(node)),
        }
    }

    fn prepare(&self, node: Node<'_>) -> Result<Utility> {
        Ok(Utility::Prepare {
            name: self.ident(self.need(node.child(K::PREPARED_STATEMENT), node)?)?,
            types: match node.child(K::PARAM_LIST) {
                Some(list) if list.nodes().next().is_none() => return Err(self.missing_in(list)),
                Some(list) => self.parameter_types(list)?,
                None => Vec::new(),
            },
            statement: Box::new(self.inner_statement(node)?),
        })
    }

    fn declare(&self, node: Node<'_>) -> Result<Utility> {
        let query = node.nodes().find(|part| is_query(part.kind()));
        let query = self.need(query, node)?;
        Ok(Utility::Declare {
            name: self.ident(self.need(node.child(K::CURSOR), node)?)?,
            binary: node.has(K::BINARY_KW),
            scroll: node.child_in(&[K::SCROLL, K::NO_SCROLL]).map(|scroll| scroll.is(K::SCROLL)),
            hold: node.has(K::WITH_HOLD),
            query: Box::new(self.query(query)?),
            query_span: self.span(query),
        })
    }

    fn fetch_cursor(&self, node: Node<'_>) -> Result<Utility> {
        use FetchDirection::{Absolute, Backward, Forward, Relative};
        let cursor = self.need(node.child(K::CURSOR_REF), node)?;
        let action = node.nodes().find(|part| part.start() < cursor.start());
        let count = |action: Node<'_>| -> Result<FetchCount> {
            if action.has(K::ALL_KW) || action.has(K::ALL) {
                return Ok(FetchCount::All);
            }
            match action.nodes().find(|part| is_expr(part.kind())) {
                Some(count) => Ok(FetchCount::Rows(self.signed_integer(count)?)),
                None => Ok(FetchCount::Rows(1)),
            }
        };
        let (direction, count) = match action.map(|action| (action, action.kind())) {
            None | Some((_, K::NEXT)) => (Forward, FetchCount::Rows(1)),
            Some((_, K::PRIOR)) => (Backward, FetchCount::Rows(1)),
            Some((_, K::FIRST)) => (Absolute, FetchCount::Rows(1)),
            Some((_, K::LAST)) => (Absolute, FetchCount::Rows(-1)),
            Some((_, K::ALL)) => (Forward, FetchCount::All),
            Some((action, K::FORWARD)) => (Forward, count(action)?),
            Some((action, K::BACKWARD)) => (Backward, count(action)?),
            Some((action, kind @ (K::ABSOLUTE | K::RELATIVE))) => {
                let rows = action.nodes().find(|part| is_expr(part.kind()));
                let rows = FetchCount::Rows(self.signed_integer(self.need(rows, action)?)?);
                (if kind == K::ABSOLUTE { Absolute } else { Relative }, rows)
            }
            Some((action, _)) => (Forward, FetchCount::Rows(self.signed_integer(action)?)),
        };
        Ok(Utility::Fetch { cursor: self.ident(cursor)?, direction, count, move_only: node.is(K::MOVE) })
    }

    fn explain(&self, node: Node<'_>) -> Result<Utility> {
        let mut options = Vec::new();
        match node.child_in(&[K::EXPLAIN_OPTION_LIST, K::EXPLAIN_ANALYZE, K::EXPLAIN_VERBOSE]) {
            Some(list) if list.is(K::EXPLAIN_OPTION_LIST) => {
                for option in list.children_of(K::EXPLAIN_OPTION) {
                    options.push(self.explain_option(option)?);
                }
            }
            Some(mode) => {
                if mode.is(K::EXPLAIN_ANALYZE) {
                    options.push(("analyze".to_owned(), None));
                }
                if mode.is(K::EXPLAIN_VERBOSE) || mode.has(K::EXPLAIN_VERBOSE) {
                    options.push(("verbose".to_owned(), None));
                }
            }
            None => {}
        }
        Ok(Utility::Explain { options, statement: Box::new(self.inner_statement(node)?) })
    }

    fn explain_option(&self, option: Node<'_>) -> Result<(String, Option<String>)> {
        let name = self.ident(self.need(option.child(K::EXPLAIN_OPTION_NAME), option)?)?.name;
        let name = if name == "analyse" { "analyze".to_owned() } else { name };
        let value = match option.child(K::EXPLAIN_OPTION_VALUE) {
            None => None,
            Some(value) => Some(match value.nodes().next() {
                Some(constant) => self.setting_value(constant)?,
                None => self.ident(value)?.name,
            }),
        };
        Ok((name, value))
    }
}
