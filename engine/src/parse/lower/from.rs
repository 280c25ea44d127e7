//! FROM: tables, functions, sub-queries and joins (manual 7.2.1).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use super::operand::{self, is_query};
use crate::parse::ast::*;
use crate::parse::guard;
use crate::parse::tree::Node;

/// Joins in the order of the text.
type Items<'t> = std::iter::Peekable<std::vec::IntoIter<Node<'t>>>;

impl Lower<'_> {
    /// The items of FROM or USING.
    pub fn from_list(&self, clause: Node<'_>) -> Result<Vec<TableExpr>> {
        let items = clause.nodes().map(|item| self.table_expr(item)).collect::<Result<Vec<_>>>()?;
        if items.is_empty() { Err(self.missing_in(clause)) } else { Ok(items) }
    }

    pub fn table_expr(&self, node: Node<'_>) -> Result<TableExpr> {
        match node.kind() {
            K::JOIN_EXPR => self.joins(node),
            K::RELATION_FROM_ITEM => self.relation(node),
            K::PAREN_FROM_ITEM => self.parenthesized_item(node),
            K::FUNCTION_FROM_ITEM | K::EXPR_FROM_ITEM => self.function_item(node),
            K::ROWS_FROM_ITEM => self.rows_from(node),
            K::JSON_TABLE_FROM_ITEM => Err(Error::unsupported("JSON_TABLE").at(self.position(node))),
            K::XML_TABLE_FROM_ITEM => Err(Error::unsupported("XMLTABLE").at(self.position(node))),
            K::GRAPH_TABLE_FROM_ITEM => Err(Error::unsupported("GRAPH_TABLE").at(self.position(node))),
            _ => Err(self.syntax_error(node.start())),
        }
    }

    /// Groups a chain of joins as PostgreSQL does: to the left, but `a JOIN b JOIN c ON … ON …` to the right.
    fn joins(&self, node: Node<'_>) -> Result<TableExpr> {
        let mut items = Vec::new();
        let mut open = vec![node.children()];
        while let Some(children) = open.last_mut() {
            match children.next() {
                Some(child) if matches!(child.kind(), K::JOIN_EXPR | K::JOIN) => open.push(child.children()),
                Some(child) => items.push(child),
                None => {
                    open.pop();
                }
            }
        }
        let mut items = items.into_iter().peekable();
        let joined = self.join_chain(&mut items, node)?;
        match items.next() {
            Some(rest) => Err(self.syntax_error(rest.start())),
            None => Ok(joined),
        }
    }

    fn join_chain<'t>(&self, items: &mut Items<'t>, parent: Node<'t>) -> Result<TableExpr> {
        let first = self.need(items.next(), parent)?;
        let start = self.span(first);
        let mut left = self.table_expr(first)?;
        let mut chain = 0;
        while items.peek().is_some_and(|item| is_join_word(item.kind())) {
            chain += 1;
            if chain > guard::MAX_CHAIN_DEPTH {
                return Err(guard::too_deep());
            }
            left = self.join(left, start, items, parent)?;
        }
        Ok(left)
    }

    fn join<'t>(&self, left: TableExpr, start: Span, items: &mut Items<'t>, parent: Node<'t>) -> Result<TableExpr> {
        let natural = items.next_if(|item| item.is(K::NATURAL_KW)).is_some();
        let word = self.need(items.next(), parent)?;
        let kind = match word.kind() {
            K::JOIN_INNER => JoinKind::Inner,
            K::JOIN_LEFT => JoinKind::Left,
            K::JOIN_RIGHT => JoinKind::Right,
            K::JOIN_FULL => JoinKind::Full,
            K::JOIN_CROSS => JoinKind::Cross,
            _ => return Err(self.syntax_error(word.start())),
        };
        let as_of = self.as_of.at(word.start());
        let as_of = as_of.map(|matching| matching.map(|range| self.matching(range)).transpose()).transpose()?;
        if as_of.is_some() && natural {
            return Err(self.syntax_error(word.start()));
        }
        let bare = natural || kind == JoinKind::Cross;
        let right = if bare {
            self.table_expr(self.need(items.next(), parent)?)?
        } else {
            let first = self.need(items.next(), parent)?;
            let begin = self.span(first);
            let mut right = self.table_expr(first)?;
            while items.peek().is_some_and(|item| is_join_word(item.kind())) {
                right = self.join(right, begin, items, parent)?;
            }
            right
        };
        let mut end = items.peek().map_or(self.end_of(parent), |next| next.start());
        let condition = match (natural, bare) {
            (true, _) => JoinCondition::Natural,
            (_, true) => JoinCondition::None,
            _ => match items.next() {
                Some(condition) => {
                    end = condition.end();
                    self.join_condition(condition)?
                }
                None => return Err(self.syntax_error(end)),
            },
        };
        let span = Span { start: start.start, end: end.saturating_sub(self.base()) };
        Ok(TableExpr::Join(Box::new(Join { kind, as_of, left, right, condition, alias: None, span })))
    }

    /// The expression of MATCH_CONDITION.
    fn matching(&self, (start, end): (u32, u32)) -> Result<Expr> {
        // Blanks before it keep its places.
        let within = self.text.get(start as usize..end as usize).unwrap_or_default();
        let blanks = " ".repeat(start.saturating_sub(self.base()) as usize);
        crate::parse::parse_expression(&(blanks + within))
    }

    fn join_condition(&self, node: Node<'_>) -> Result<JoinCondition> {
        match node.kind() {
            K::ON_CLAUSE => Ok(JoinCondition::On(self.expr_in(node)?)),
            K::JOIN_USING_CLAUSE => {
                let list = self.need(node.child(K::COLUMN_REF_LIST), node)?;
                let alias = node.child(K::REQUIRED_AS_ALIAS).and_then(|alias| alias.child(K::TABLE_ALIAS));
                Ok(JoinCondition::Using { columns: self.column_list(Some(list))?, alias: self.opt_ident(alias)? })
            }
            _ => Err(self.syntax_error(node.start())),
        }
    }

    fn relation(&self, node: Node<'_>) -> Result<TableExpr> {
        if let Some(lateral) = node.child(K::LATERAL_KW) {
            return Err(self.syntax_error(lateral.end()));
        }
        let relation = self.need(node.child(K::RELATION_NAME_REF), node)?;
        if let Some(call) = self.value_relation(relation) {
            let (alias, column_definitions) = self.table_alias(node)?;
            return Ok(TableExpr::Function(Box::new(TableFunction {
                functions: vec![TableFunctionCall { call, column_definitions }],
                rows_from: false,
                lateral: false,
                ordinality: false,
                alias,
                span: self.span(node),
            })));
        }
        let name = self.object(relation)?;
        let (alias, definitions) = self.table_alias(node)?;
        if let Some((column, _)) = definitions.first() {
            let message = "a column definition list is only allowed for functions returning \"record\"";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(column.span.start));
        }
        let sample = node.child(K::TABLESAMPLE_CLAUSE).map(|sample| self.table_sample(sample)).transpose()?;
        Ok(TableExpr::Table { name, only: node.has(K::ONLY_KW), alias, sample })
    }

    /// `FROM current_date`: a keyword that is a value, where the library sees a table.
    fn value_relation(&self, relation: Node<'_>) -> Option<Expr> {
        let mut tokens = relation.descendants().filter(|part| part.is_token());
        let (token, None) = (tokens.next()?, tokens.next()) else { return None };
        let name = operand::value_keyword(token)?;
        Some(Expr { kind: ExprKind::SqlValue { name, precision: None }, span: self.span(relation) })
    }

    fn table_sample(&self, node: Node<'_>) -> Result<TableSample> {
        match self.operand(self.need(node.child(K::CALL_EXPR), node)?)?.kind {
            ExprKind::Call(call) => Ok(TableSample {
                method: call.name,
                args: call.args.into_iter().map(|arg| arg.value).collect(),
                repeatable: self.opt_expr_in(node.child(K::REPEATABLE_CLAUSE))?,
            }),
            _ => Err(self.syntax_error(node.end())),
        }
    }

    /// `[AS] name [(columns)]`, `AS name (definitions)`, `AS (definitions)`.
    fn table_alias(&self, node: Node<'_>) -> Result<(Option<TableAlias>, Vec<(Ident, TypeName)>)> {
        let Some(alias) = node.child(K::FROM_ALIAS) else { return Ok((None, Vec::new())) };
        let definitions = match alias.child(K::COLUMN_DEF_LIST) {
            Some(list) => self.column_definitions(list)?,
            None => Vec::new(),
        };
        let columns = self.column_list(alias.child(K::COLUMN_LIST))?;
        match alias.child(K::TABLE_ALIAS).map(|name| self.column_id(name)).transpose()? {
            Some(name) => Ok((Some(TableAlias { name, columns }), definitions)),
            None if definitions.is_empty() => Err(self.syntax_error(alias.start())),
            None => Ok((None, definitions)),
        }
    }

    fn column_definitions(&self, list: Node<'_>) -> Result<Vec<(Ident, TypeName)>> {
        list.children_of(K::COLUMN_DEF)
            .map(|column| Ok((self.ident(self.need(column.child(K::COLUMN_NAME), column)?)?, self.type_in(column)?)))
            .collect()
    }

    /// `(SELECT …) alias` or `(a JOIN b …) alias`.
    fn parenthesized_item(&self, node: Node<'_>) -> Result<TableExpr> {
        let inner = node.child_in(&[K::PAREN_SELECT, K::PAREN_EXPR]);
        let inner = self.need(inner, node)?;
        let only = node.has(K::ONLY_KW);
        let lateral = node.has(K::LATERAL_KW);
        let (alias, definitions) = self.table_alias(node)?;
        if let Some((column, _)) = definitions.first() {
            return Err(self.syntax_error(self.base() + column.span.end));
        }
        if inner.is(K::PAREN_SELECT) || self.holds_query(inner) {
            let query = Box::new(self.query(inner)?);
            return Ok(TableExpr::Subquery { query, lateral, alias, span: self.span(node) });
        }
        let item = self.need(inner.nodes().next(), inner)?;
        match self.table_expr(item)? {
            TableExpr::Join(join) if !only && !lateral => Ok(TableExpr::Join(Box::new(Join { alias, ..*join }))),
            // `ONLY (t)`
            TableExpr::Table { name, only: false, alias: None, sample: None } if only && !lateral => {
                let sample = node.child(K::TABLESAMPLE_CLAUSE).map(|sample| self.table_sample(sample)).transpose()?;
                Ok(TableExpr::Table { name, only, alias, sample })
            }
            TableExpr::Subquery { query, alias: None, .. } if alias.is_some() && inner.nodes().count() == 1 => {
                // `((SELECT …)) alias`
                Ok(TableExpr::Subquery { query, lateral, alias, span: self.span(node) })
            }
            _ => Err(self.syntax_error(inner.end().saturating_sub(1))),
        }
    }

    fn holds_query(&self, node: Node<'_>) -> bool {
        let mut node = node;
        while node.is(K::PAREN_EXPR) {
            match node.nodes().next() {
                Some(inner) if is_query(inner.kind()) => return true,
                Some(inner) => node = inner,
                None => return false,
            }
        }
        false
    }

    fn function_item(&self, node: Node<'_>) -> Result<TableExpr> {
        let call = node.nodes().find(|child| is_expr(child.kind()));
        let call = self.operand(self.need(call, node)?)?;
        self.check_table_function(&call)?;
        let (alias, column_definitions) = self.table_alias(node)?;
        Ok(TableExpr::Function(Box::new(TableFunction {
            functions: vec![TableFunctionCall { call, column_definitions }],
            rows_from: false,
            lateral: node.has(K::LATERAL_KW),
            ordinality: node.has(K::WITH_ORDINALITY),
            alias,
            span: self.span(node),
        })))
    }

    fn rows_from(&self, node: Node<'_>) -> Result<TableExpr> {
        let functions = node
            .children_of(K::ROWS_FROM_ARG)
            .map(|arg| {
                let call = arg.nodes().find(|child| is_expr(child.kind()));
                let call = self.operand(self.need(call, arg)?)?;
                self.check_table_function(&call)?;
                let column_definitions = match arg.child(K::COLUMN_DEF_LIST) {
                    Some(list) => self.column_definitions(list)?,
                    None => Vec::new(),
                };
                Ok(TableFunctionCall { call, column_definitions })
            })
            .collect::<Result<Vec<_>>>()?;
        if functions.is_empty() {
            return Err(self.missing_in(node));
        }
        let (alias, _) = self.table_alias(node)?;
        Ok(TableExpr::Function(Box::new(TableFunction {
            functions,
            rows_from: true,
            lateral: node.has(K::LATERAL_KW),
            ordinality: node.has(K::WITH_ORDINALITY),
            alias,
            span: self.span(node),
        })))
    }

    /// PostgreSQL's func_expr_windowless: calls, COALESCE and the like, CAST and CURRENT_DATE; no window or aggregate clauses.
    fn check_table_function(&self, call: &Expr) -> Result<()> {
        match &call.kind {
            ExprKind::Call(call) if call.over.is_none() && call.filter.is_none() && call.within_group.is_none() => {
                Ok(())
            }
            ExprKind::Call(_) => Err(self.syntax_error(self.base() + call.span.end)),
            ExprKind::SqlValue { .. } | ExprKind::Cast { .. } | ExprKind::NullIf(..) => Ok(()),
            ExprKind::Coalesce(_) | ExprKind::Greatest(_) | ExprKind::Least(_) => Ok(()),
            _ => Err(self.syntax_error(self.base() + call.span.start)),
        }
    }
}

fn is_join_word(kind: K) -> bool {
    matches!(kind, K::NATURAL_KW | K::JOIN_INNER | K::JOIN_LEFT | K::JOIN_RIGHT | K::JOIN_FULL | K::JOIN_CROSS)
}
