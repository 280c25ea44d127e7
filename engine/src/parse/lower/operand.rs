//! Operands: constants, columns, brackets, CASE, arrays, casts, subscripts and fields.

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::expr::{boxed, is_expr, is_operation, quantifier};
use super::{Lower, types};
use crate::parse::ast::*;
use crate::parse::guard;
use crate::parse::tree::Node;

/// Keywords that are values without parentheses.
const SQL_VALUES: [&str; 12] = [
    "current_catalog",
    "current_date",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "localtime",
    "localtimestamp",
    "session_user",
    "system_user",
    "user",
];

impl Lower<'_> {
    pub fn operand(&self, node: Node<'_>) -> Result<Expr> {
        let span = self.span(node);
        let kind = match node.kind() {
            K::LITERAL => self.literal(node)?,
            K::NAME_REF => match sql_value(node) {
                Some(name) => ExprKind::SqlValue { name, precision: None },
                None => {
                    let ident = self.column_id(node)?;
                    ExprKind::Column(Name { span: ident.span, parts: vec![ident] })
                }
            },
            K::FIELD_EXPR => self.field(node)?,
            K::INDEX_EXPR | K::SLICE_EXPR => self.subscript(node)?,
            K::PAREN_EXPR => return self.parentheses(node),
            K::TUPLE_EXPR => {
                let explicit = node.has(K::ROW_KW);
                let fields = if explicit { self.maybe_exprs_in(node)? } else { self.exprs_in(node)? };
                ExprKind::Row { fields, explicit }
            }
            K::CASE_EXPR => self.case(node)?,
            K::ARRAY_EXPR if node.has(K::ARRAY_KW) => self.array(node)?,
            K::CALL_EXPR => self.call(node)?,
            K::CAST_EXPR => self.cast_syntax(node)?,
            _ if is_operation(node) => return self.expr(node),
            kind if is_query(kind) => ExprKind::ScalarQuery(Box::new(self.query(node)?)),
            _ => return Err(self.syntax_error(node.start())),
        };
        Ok(Expr { kind, span })
    }

    /// `(expr)` is the expression itself, `(SELECT …)` a scalar query.
    fn parentheses(&self, node: Node<'_>) -> Result<Expr> {
        if let Some(query) = self.query_in_parentheses(node)? {
            return Ok(Expr { kind: ExprKind::ScalarQuery(Box::new(query)), span: self.span(node) });
        }
        self.expr_in(node)
    }

    /// The query of `(SELECT …)`, `((SELECT …))`; None if the parentheses hold anything else.
    pub fn query_in_parentheses(&self, node: Node<'_>) -> Result<Option<Query>> {
        let mut node = node;
        loop {
            if !node.is(K::PAREN_EXPR) {
                return Ok(None);
            }
            match node.nodes().next() {
                Some(inner) if is_query(inner.kind()) => return self.query(inner).map(Some),
                Some(inner) => node = inner,
                None => return Ok(None),
            }
        }
    }

    /// `a.b`, `a.b.*`, `(row).field`, `a[1].field`.
    fn field(&self, node: Node<'_>) -> Result<ExprKind> {
        let mut parts = Vec::new();
        let mut star = false;
        let mut base = node;
        while base.is(K::FIELD_EXPR) {
            let mut children = base.children().filter(|child| !child.is(K::DOT));
            let (Some(inner), Some(field)) = (children.next(), children.next()) else {
                return Err(self.missing_in(base));
            };
            match field.kind() {
                K::STAR if base.end() == node.end() => star = true,
                K::STAR => return Err(self.syntax_error(field.end())),
                _ => parts.push(self.ident(field)?),
            }
            base = inner;
        }
        parts.reverse();
        if base.is(K::NAME_REF) && sql_value(base).is_none() {
            parts.insert(0, self.column_id(base)?);
            let last = parts.last().map_or(self.span(base), |part| part.span);
            let name = Name { parts, span: self.span(base).to(last) };
            return Ok(if star { ExprKind::Star(Some(name)) } else { ExprKind::Column(name) });
        }
        if parts.len() > guard::MAX_CHAIN_DEPTH {
            return Err(guard::too_deep());
        }
        let mut expr = self.indirection_base(base)?;
        for field in parts {
            let span = expr.span.to(field.span);
            expr = Expr { kind: ExprKind::Field { arg: boxed(expr), field }, span };
        }
        Ok(if star { ExprKind::FieldStar(boxed(expr)) } else { expr.kind })
    }

    /// What may stand before `.field` and `[subscript]`: a column, a parameter, parentheses, or such with subscripts.
    fn indirection_base(&self, node: Node<'_>) -> Result<Expr> {
        match node.kind() {
            K::NAME_REF if sql_value(node).is_some() => {}
            K::NAME_REF | K::FIELD_EXPR | K::INDEX_EXPR | K::SLICE_EXPR | K::PAREN_EXPR => return self.operand(node),
            K::LITERAL if node.has(K::POSITIONAL_PARAM) => return self.operand(node),
            _ => {}
        }
        Err(self.syntax_error(node.end()))
    }

    fn subscript(&self, node: Node<'_>) -> Result<ExprKind> {
        let mut subscripts = Vec::new();
        let mut base = node;
        while matches!(base.kind(), K::INDEX_EXPR | K::SLICE_EXPR) {
            let inner = base.nodes().next().ok_or_else(|| self.missing_in(base))?;
            subscripts.push(self.subscript_of(base, Some(inner))?);
            base = inner;
        }
        subscripts.reverse();
        Ok(ExprKind::Subscript { arg: boxed(self.indirection_base(base)?), subscripts })
    }

    /// `[index]` or `[lower:upper]` among the children of `node` after `base`.
    pub fn subscript_of(&self, node: Node<'_>, base: Option<Node<'_>>) -> Result<Subscript> {
        let mut bounds = [None, None];
        let mut side = 0;
        let after = base.map_or(node.start(), |base| base.end());
        for child in node.children().filter(|child| child.start() >= after) {
            match child.kind() {
                K::COLON => side = 1,
                kind if is_expr(kind) => bounds[side] = Some(self.expr(child)?),
                _ => {}
            }
        }
        match (side, bounds) {
            (1, [lower, upper]) => Ok(Subscript::Slice { lower, upper }),
            (_, [Some(index), _]) => Ok(Subscript::Index(index)),
            _ => Err(self.missing_in(node)),
        }
    }

    fn case(&self, node: Node<'_>) -> Result<ExprKind> {
        let operand = node.nodes().next().filter(|first| is_expr(first.kind()));
        let list = self.need(node.child(K::WHEN_CLAUSE_LIST), node)?;
        let branches = list
            .children_of(K::WHEN_CLAUSE)
            .map(|when| match self.exprs_in(when)?.as_slice() {
                [condition, result] => Ok((condition.clone(), result.clone())),
                _ => Err(self.missing_in(when)),
            })
            .collect::<Result<Vec<_>>>()?;
        if branches.is_empty() || !node.has(K::END_KW) {
            return Err(self.missing_in(node));
        }
        Ok(ExprKind::Case {
            operand: operand.map(|operand| self.expr(operand)).transpose()?.map(boxed),
            branches,
            otherwise: self.opt_expr_in(node.child(K::ELSE_CLAUSE))?.map(boxed),
        })
    }

    fn array(&self, node: Node<'_>) -> Result<ExprKind> {
        if let Some(query) = node.nodes().find(|child| is_query(child.kind())) {
            return Ok(ExprKind::ArrayQuery(Box::new(self.query(query)?)));
        }
        if node.has(K::L_PAREN) {
            // `ARRAY((SELECT …))`
            let inner = self.need(node.nodes().next(), node)?;
            return match self.query_in_parentheses(inner)? {
                Some(query) => Ok(ExprKind::ArrayQuery(Box::new(query))),
                None => Err(self.syntax_error(inner.start())),
            };
        }
        Ok(ExprKind::Array(self.array_items(node)?))
    }

    /// The items between the brackets: expressions, or rows of a further dimension in brackets of their own.
    fn array_items(&self, node: Node<'_>) -> Result<Vec<Expr>> {
        let is_row = |item: Node<'_>| item.is(K::ARRAY_EXPR) && !item.has(K::ARRAY_KW);
        let rows = node.nodes().next().is_some_and(is_row);
        node.nodes()
            .map(|item| match is_row(item) {
                true if rows => Ok(Expr { kind: ExprKind::Array(self.array_items(item)?), span: self.span(item) }),
                false if !rows && is_expr(item.kind()) => self.expr(item),
                _ => Err(self.syntax_error(item.start())),
            })
            .collect()
    }

    /// `CAST(a AS type)`, `type 'literal'`, `interval '1' day`.
    fn cast_syntax(&self, node: Node<'_>) -> Result<ExprKind> {
        if node.has(K::TREAT_KW) {
            return Err(aegis_catalog::Error::unsupported("TREAT").at(self.position(node)));
        }
        if node.has(K::CAST_KW) {
            return Ok(ExprKind::Cast { arg: boxed(self.expr_in(node)?), ty: self.type_in(node)? });
        }
        let literal = self.need(node.child(K::LITERAL), node)?;
        let value = self.string(literal)?;
        let mut ty = self.type_in(node)?;
        if ty.array_dimensions > 0 || ty.setof {
            return Err(self.syntax_error(literal.start()));
        }
        if let Some(qualifier) = node.nodes().find(|part| types::is_interval_qualifier(part.kind())) {
            self.restrict_interval(&mut ty, qualifier)?;
        }
        Ok(ExprKind::TypedLiteral { ty, value })
    }

    /// `left op ANY (…)`, `left op ALL (…)`.
    pub fn quantified(&self, left: Expr, op: Operator, operand: Node<'_>) -> Result<Expr> {
        let call = self.need(quantifier(operand), operand)?;
        let span = left.span.to(self.span(operand));
        let all = call.is(K::ALL_FN);
        let inner = self.need(call.nodes().next(), call)?;
        let query = match is_query(inner.kind()) {
            true => Some(self.query(inner)?),
            false => None,
        };
        let left = boxed(left);
        let kind = match query {
            Some(query) => ExprKind::QuantifiedQuery { left, op, query: Box::new(query), all },
            None => ExprKind::QuantifiedArray { left, op, array: boxed(self.expr(inner)?), all },
        };
        Ok(Expr { kind, span })
    }
}

/// The keyword of a NAME_REF such as CURRENT_DATE, None for identifiers.
pub fn sql_value(node: Node<'_>) -> Option<String> {
    value_keyword(node.children().next()?)
}

pub fn value_keyword(token: Node<'_>) -> Option<String> {
    if token.is(K::IDENT) {
        return None;
    }
    let word = token.text().to_ascii_lowercase();
    SQL_VALUES.contains(&word.as_str()).then_some(word)
}

pub fn is_query(kind: K) -> bool {
    matches!(kind, K::SELECT | K::SELECT_INTO | K::PAREN_SELECT | K::TABLE | K::VALUES | K::COMPOUND_SELECT)
}
