//! Operator expressions. The library's binding powers differ from PostgreSQL's in places, so the operators and operands are
//! taken from its tree in the order of the text and grouped anew by the precedences of PostgreSQL's `gram.y` (manual 4.1.6).

use aegis_catalog::Result;
use squawk_parser::SyntaxKind as K;

use super::Lower;
use crate::parse::ast::*;
use crate::parse::guard;
use crate::parse::tree::Node;

/// From loosest to tightest, with the associativity that PostgreSQL's grammar declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Lowest,
    Or,
    And,
    Not,
    Is,
    Comparison,
    Like,
    /// Any operator without a level of its own.
    Operator,
    Additive,
    Multiplicative,
    Exponent,
    At,
    Collate,
    Sign,
    Cast,
}

impl Level {
    fn is_nonassociative(self) -> bool {
        matches!(self, Level::Is | Level::Comparison | Level::Like)
    }
}

/// The part of the grammar that an expression stands in: `b_expr` leaves out what would make its context ambiguous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grammar {
    A,
    B,
}

pub fn is_expr(kind: K) -> bool {
    matches!(
        kind,
        K::CALL_EXPR
            | K::CAST_EXPR
            | K::COLLATE
            | K::ARRAY_EXPR
            | K::LITERAL
            | K::NAME_REF
            | K::BIN_EXPR
            | K::CASE_EXPR
            | K::FIELD_EXPR
            | K::INDEX_EXPR
            | K::SLICE_EXPR
            | K::BETWEEN_EXPR
            | K::PAREN_EXPR
            | K::TUPLE_EXPR
            | K::PREFIX_EXPR
            | K::POSTFIX_EXPR
            | K::NON_STANDARD_PARAM
    )
}

/// Nodes that group operators and operands.
pub fn is_operation(node: Node<'_>) -> bool {
    match node.kind() {
        K::BIN_EXPR | K::PREFIX_EXPR | K::POSTFIX_EXPR | K::BETWEEN_EXPR | K::COLLATE => true,
        K::CAST_EXPR => node.has(K::COLON_COLON),
        _ => false,
    }
}

/// Operators and operands below `node` in the order of the text. Without recursion, since chains of operators are long.
fn in_order(node: Node<'_>) -> Vec<Node<'_>> {
    let mut items = Vec::new();
    let mut open = vec![node.children()];
    while let Some(children) = open.last_mut() {
        match children.next() {
            Some(child) if is_operation(child) => open.push(child.children()),
            Some(child) => items.push(child),
            None => {
                open.pop();
            }
        }
    }
    items
}

pub fn boxed(expr: Expr) -> Box<Expr> {
    Box::new(expr)
}

impl<'a> Lower<'a> {
    pub fn expr(&self, node: Node<'_>) -> Result<Expr> {
        self.expr_of(node, Grammar::A)
    }

    /// PostgreSQL's `b_expr`: no AND, OR, NOT, IN, LIKE, BETWEEN or IS NULL outside brackets.
    pub fn restricted_expr(&self, node: Node<'_>) -> Result<Expr> {
        self.expr_of(node, Grammar::B)
    }

    fn expr_of(&self, node: Node<'_>, grammar: Grammar) -> Result<Expr> {
        if !is_operation(node) {
            if grammar == Grammar::B && node.is(K::LITERAL) && node.has(K::DEFAULT_KW) {
                return Err(self.syntax_error(node.start()));
            }
            return self.operand(node);
        }
        let mut operations = Operations { lower: self, items: in_order(node), next: 0, end: node.end() };
        let expr = operations.expr(Level::Lowest, grammar)?;
        match operations.peek() {
            Some(rest) => Err(self.syntax_error(rest.start())),
            None => Ok(expr),
        }
    }

    /// The first expression among the children of `parent`.
    pub fn expr_in(&self, parent: Node<'_>) -> Result<Expr> {
        let node = parent.nodes().find(|node| is_expr(node.kind()));
        self.expr(self.need(node, parent)?)
    }

    pub fn opt_expr_in(&self, parent: Option<Node<'_>>) -> Result<Option<Expr>> {
        parent.map(|parent| self.expr_in(parent)).transpose()
    }

    /// All expressions among the children of `parent`; at least one.
    pub fn exprs_in(&self, parent: Node<'_>) -> Result<Vec<Expr>> {
        let exprs = self.maybe_exprs_in(parent)?;
        if exprs.is_empty() { Err(self.missing_in(parent)) } else { Ok(exprs) }
    }

    pub fn maybe_exprs_in(&self, parent: Node<'_>) -> Result<Vec<Expr>> {
        parent.nodes().filter(|node| is_expr(node.kind())).map(|node| self.expr(node)).collect()
    }

    /// An operator from its token, CUSTOM_OP, OP or OPERATOR_CALL node.
    pub fn operator(&self, node: Node<'_>) -> Result<Operator> {
        let span = self.span(node);
        let inner = match node.kind() {
            K::OPERATOR_CALL => self.need(node.child(K::OP), node)?,
            _ => node,
        };
        if let Some(call) = inner.child(K::OPERATOR_CALL) {
            return self.operator(call);
        }
        let schema = match inner.child(K::PATH_REF) {
            Some(path) => path
                .descendants()
                .filter(|part| part.is(K::PATH_SEGMENT_REF) && !part.is_empty())
                .last()
                .map(|part| self.ident(part))
                .transpose()?
                .map(|ident| ident.name),
            None => None,
        };
        let name = match schema {
            Some(_) => inner
                .children()
                .filter(|part| !matches!(part.kind(), K::PATH_REF | K::DOT))
                .map(|part| part.text())
                .collect::<String>(),
            None => inner.text().to_owned(),
        };
        if name.is_empty() {
            return Err(self.syntax_error(inner.end()));
        }
        if !name.bytes().all(|byte| b"~!@#^&|`?+-*/%<>=".contains(&byte)) {
            return Err(self.syntax_error(inner.start()));
        }
        let name = if name == "!=" { "<>".to_owned() } else { name };
        Ok(Operator { schema, name, span })
    }
}

/// Precedence climbing over the operators and operands of one expression.
struct Operations<'p, 'a, 't> {
    lower: &'p Lower<'a>,
    items: Vec<Node<'t>>,
    next: usize,
    end: u32,
}

impl<'t> Operations<'_, '_, 't> {
    fn peek(&self) -> Option<Node<'t>> {
        self.items.get(self.next).copied()
    }

    fn peek_kind(&self, ahead: usize) -> Option<K> {
        self.items.get(self.next + ahead).map(|item| item.kind())
    }

    fn eat(&mut self, kind: K) -> bool {
        let found = self.peek_kind(0) == Some(kind);
        self.next += usize::from(found);
        found
    }

    fn unexpected<T>(&self) -> Result<T> {
        Err(self.lower.syntax_error(self.peek().map_or(self.end, |item| item.start())))
    }

    fn take(&mut self) -> Result<Node<'t>> {
        match self.peek() {
            Some(item) => {
                self.next += 1;
                Ok(item)
            }
            None => self.unexpected(),
        }
    }

    /// An expression whose operators bind tighter than `context`.
    fn expr(&mut self, context: Level, grammar: Grammar) -> Result<Expr> {
        let mut left = self.prefix(grammar)?;
        let mut chain = 0;
        while let Some(item) = self.peek() {
            let Some(level) = self.infix_level(item, grammar) else { break };
            if level < context || level == context && !level.is_nonassociative() {
                break;
            }
            if level == context {
                return self.unexpected();
            }
            chain += 1;
            if chain > guard::MAX_CHAIN_DEPTH && level > Level::And {
                return Err(guard::too_deep());
            }
            left = self.infix(left, level, grammar)?;
        }
        Ok(left)
    }

    fn prefix(&mut self, grammar: Grammar) -> Result<Expr> {
        let Some(item) = self.peek() else { return self.unexpected() };
        let level = match item.kind() {
            K::NOT_KW if grammar == Grammar::A => Level::Not,
            K::PLUS | K::MINUS => Level::Sign,
            K::OPERATOR_CALL => Level::Operator,
            // Operators that have a token of their own are no prefixes.
            K::CUSTOM_OP if !has_own_token(item.text()) => Level::Operator,
            K::LITERAL if grammar == Grammar::B && item.has(K::DEFAULT_KW) => return self.unexpected(),
            kind if is_expr(kind) => {
                self.next += 1;
                return self.lower.operand(item);
            }
            _ => return self.unexpected(),
        };
        self.next += 1;
        let arg = self.expr(level, grammar)?;
        let span = self.lower.span(item).to(arg.span);
        let kind = match level {
            Level::Not => ExprKind::Not(boxed(arg)),
            _ => ExprKind::Unary { op: self.lower.operator(item)?, arg: boxed(arg) },
        };
        Ok(Expr { kind, span })
    }

    /// The level of the operator at `item`, None if the expression ends before it.
    fn infix_level(&self, item: Node<'t>, grammar: Grammar) -> Option<Level> {
        let level = match item.kind() {
            K::OR_KW => Level::Or,
            K::AND_KW => Level::And,
            K::IS_DISTINCT_FROM | K::IS_NOT_DISTINCT_FROM => return Some(Level::Is),
            K::IS_KW | K::IS_NOT | K::ISNULL_KW | K::NOTNULL_KW => Level::Is,
            K::IS_NORMALIZED | K::IS_NOT_NORMALIZED => Level::Is,
            K::IS_JSON | K::IS_JSON_ARRAY | K::IS_JSON_OBJECT | K::IS_JSON_SCALAR | K::IS_JSON_VALUE => Level::Is,
            K::IS_NOT_JSON
            | K::IS_NOT_JSON_ARRAY
            | K::IS_NOT_JSON_OBJECT
            | K::IS_NOT_JSON_SCALAR
            | K::IS_NOT_JSON_VALUE => Level::Is,
            K::IN_KW | K::NOT_IN | K::BETWEEN_KW | K::NOT_KW => Level::Like,
            K::LIKE_KW | K::NOT_LIKE | K::ILIKE_KW | K::NOT_ILIKE | K::SIMILAR_TO | K::NOT_SIMILAR_TO => Level::Like,
            K::AT_TIME_ZONE | K::AT_LOCAL => Level::At,
            K::COLLATE_KW => Level::Collate,
            K::COLON_COLON => return Some(Level::Cast),
            K::OVERLAPS_KW => Level::Cast,
            K::OPERATOR_CALL => return Some(Level::Operator),
            kind if is_expr(kind) => return None,
            _ => {
                return Some(match item.text() {
                    "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" => Level::Comparison,
                    "+" | "-" => Level::Additive,
                    "*" | "/" | "%" => Level::Multiplicative,
                    "^" => Level::Exponent,
                    "=>" | ":=" => return None,
                    operator if operator.bytes().all(|byte| b"~!@#^&|`?+-*/%<>=".contains(&byte)) => Level::Operator,
                    _ => return None,
                });
            }
        };
        (grammar == Grammar::A).then_some(level)
    }

    fn infix(&mut self, left: Expr, level: Level, grammar: Grammar) -> Result<Expr> {
        match level {
            Level::Or | Level::And => self.conjunction(left, level),
            Level::Is => self.is(left, grammar),
            Level::Like => self.like_family(left),
            Level::At => self.at(left),
            Level::Collate => self.collate(left),
            Level::Cast if self.peek_kind(0) == Some(K::OVERLAPS_KW) => self.overlaps(left),
            Level::Cast => self.cast(left),
            _ => self.binary(left, level, grammar),
        }
    }

    fn conjunction(&mut self, left: Expr, level: Level) -> Result<Expr> {
        self.take()?;
        let right = self.expr(level, Grammar::A)?;
        let span = left.span.to(right.span);
        let kind = match (level, left.kind) {
            (Level::And, ExprKind::And(mut terms)) => {
                terms.push(right);
                ExprKind::And(terms)
            }
            (Level::Or, ExprKind::Or(mut terms)) => {
                terms.push(right);
                ExprKind::Or(terms)
            }
            (Level::And, kind) => ExprKind::And(vec![Expr { kind, span: left.span }, right]),
            (_, kind) => ExprKind::Or(vec![Expr { kind, span: left.span }, right]),
        };
        Ok(Expr { kind, span })
    }

    fn binary(&mut self, left: Expr, level: Level, grammar: Grammar) -> Result<Expr> {
        let item = self.take()?;
        let op = self.lower.operator(item)?;
        if let Some(operand) = self.peek()
            && quantifier(operand).is_some()
        {
            self.next += 1;
            return self.lower.quantified(left, op, operand);
        }
        let right = self.expr(level, grammar)?;
        let span = left.span.to(right.span);
        Ok(Expr { kind: ExprKind::Binary { op, left: boxed(left), right: boxed(right) }, span })
    }

    fn is(&mut self, arg: Expr, grammar: Grammar) -> Result<Expr> {
        let item = self.take()?;
        let mut span = arg.span.to(self.lower.span(item));
        let kind = match item.kind() {
            K::ISNULL_KW | K::NOTNULL_KW => ExprKind::IsNull { arg: boxed(arg), negated: item.is(K::NOTNULL_KW) },
            K::IS_DISTINCT_FROM | K::IS_NOT_DISTINCT_FROM => {
                let right = self.expr(Level::Is, grammar)?;
                span = span.to(right.span);
                let negated = item.is(K::IS_NOT_DISTINCT_FROM);
                ExprKind::IsDistinctFrom { left: boxed(arg), right: boxed(right), negated }
            }
            K::IS_KW | K::IS_NOT => {
                let negated = item.is(K::IS_NOT);
                let Some(what) = self.peek() else { return self.unexpected() };
                let test = |test| (test, negated);
                let word = if what.is(K::LITERAL) || what.is(K::NAME_REF) { what.text() } else { "" };
                span = span.to(self.lower.span(what));
                let kind = match word.to_ascii_lowercase().as_str() {
                    "null" => ExprKind::IsNull { arg: boxed(arg), negated },
                    "document" => ExprKind::IsOf { arg: boxed(arg), what: "DOCUMENT".into(), negated },
                    word => {
                        let (test, negated) = match word {
                            "true" => test(BooleanTest::True),
                            "false" => test(BooleanTest::False),
                            "unknown" => test(BooleanTest::Unknown),
                            _ => return self.unexpected(),
                        };
                        ExprKind::BooleanTest { arg: boxed(arg), test, negated }
                    }
                };
                self.next += 1;
                kind
            }
            _ => {
                // IS [NOT] [form] NORMALIZED, IS [NOT] JSON …
                let words = item.descendants().filter(|part| part.is_token()).skip(1);
                let words = words.map(|word| word.text().to_ascii_uppercase()).collect::<Vec<_>>();
                let negated = words.iter().any(|word| word == "NOT");
                let what = words.into_iter().filter(|word| word != "NOT").collect::<Vec<_>>().join(" ");
                ExprKind::IsOf { arg: boxed(arg), what, negated }
            }
        };
        Ok(Expr { kind, span })
    }

    fn like_family(&mut self, arg: Expr) -> Result<Expr> {
        let item = self.take()?;
        let negated = matches!(item.kind(), K::NOT_KW | K::NOT_IN | K::NOT_LIKE | K::NOT_ILIKE | K::NOT_SIMILAR_TO);
        let kind = match item.kind() {
            K::IN_KW | K::NOT_IN => return self.within(arg, negated),
            K::BETWEEN_KW => return self.between(arg, negated),
            K::NOT_KW if self.eat(K::BETWEEN_KW) => return self.between(arg, negated),
            K::LIKE_KW | K::NOT_LIKE => LikeKind::Like,
            K::ILIKE_KW | K::NOT_ILIKE => LikeKind::ILike,
            K::SIMILAR_TO | K::NOT_SIMILAR_TO => LikeKind::SimilarTo,
            _ => return self.unexpected(),
        };
        if let Some(operand) = self.peek()
            && kind != LikeKind::SimilarTo
            && quantifier(operand).is_some()
        {
            self.next += 1;
            let name = match (kind, negated) {
                (LikeKind::Like, false) => "~~",
                (LikeKind::Like, true) => "!~~",
                (_, false) => "~~*",
                (_, true) => "!~~*",
            };
            let op = Operator { schema: None, name: name.into(), span: self.lower.span(item) };
            return self.lower.quantified(arg, op, operand);
        }
        let pattern = self.expr(Level::Like, Grammar::A)?;
        let mut span = arg.span.to(pattern.span);
        let mut escape = None;
        if self.eat(K::ESCAPE_KW) {
            let character = self.expr(Level::Like, Grammar::A)?;
            span = span.to(character.span);
            escape = Some(boxed(character));
        }
        let kind = ExprKind::Like { kind, arg: boxed(arg), pattern: boxed(pattern), escape, negated };
        Ok(Expr { kind, span })
    }

    fn within(&mut self, arg: Expr, negated: bool) -> Result<Expr> {
        let item = self.take()?;
        let span = arg.span.to(self.lower.span(item));
        let arg = boxed(arg);
        if let Some(query) = self.lower.query_in_parentheses(item)? {
            return Ok(Expr { kind: ExprKind::InQuery { arg, query: Box::new(query), negated }, span });
        }
        let list = match item.kind() {
            K::PAREN_EXPR => self.lower.exprs_in(item)?,
            K::TUPLE_EXPR if !item.has(K::ROW_KW) => self.lower.exprs_in(item)?,
            _ => return Err(self.lower.syntax_error(item.start())),
        };
        Ok(Expr { kind: ExprKind::InList { arg, list, negated }, span })
    }

    fn between(&mut self, arg: Expr, negated: bool) -> Result<Expr> {
        let symmetric = self.eat(K::SYMMETRIC);
        if !symmetric {
            self.eat(K::ASYMMETRIC);
        }
        let low = self.expr(Level::Lowest, Grammar::B)?;
        if !self.eat(K::AND_KW) {
            // `IS` could still have been IS DISTINCT FROM; PostgreSQL stumbles over what follows it.
            return match self.peek() {
                Some(item) if matches!(item.kind(), K::IS_KW | K::IS_NOT) => Err(self.lower.syntax_error(item.end())),
                _ => self.unexpected(),
            };
        }
        let high = self.expr(Level::Like, Grammar::A)?;
        let span = arg.span.to(high.span);
        let kind = ExprKind::Between { arg: boxed(arg), low: boxed(low), high: boxed(high), symmetric, negated };
        Ok(Expr { kind, span })
    }

    fn at(&mut self, arg: Expr) -> Result<Expr> {
        let item = self.take()?;
        if item.is(K::AT_LOCAL) {
            let span = arg.span.to(self.lower.span(item));
            return Ok(Expr { kind: super::call::special("timezone", vec![arg], span), span });
        }
        let zone = self.expr(Level::At, Grammar::A)?;
        let span = arg.span.to(zone.span);
        Ok(Expr { kind: ExprKind::AtTimeZone { arg: boxed(arg), zone: boxed(zone) }, span })
    }

    fn collate(&mut self, arg: Expr) -> Result<Expr> {
        self.take()?;
        let name = self.take()?;
        let span = arg.span.to(self.lower.span(name));
        let collation = self.lower.object(name)?;
        Ok(Expr { kind: ExprKind::Collate { arg: boxed(arg), collation }, span })
    }

    fn cast(&mut self, arg: Expr) -> Result<Expr> {
        self.take()?;
        let name = self.take()?;
        let ty = self.lower.type_name(name)?;
        let span = arg.span.to(ty.span);
        Ok(Expr { kind: ExprKind::Cast { arg: boxed(arg), ty }, span })
    }

    /// `(a, b) OVERLAPS (c, d)` is a function of four arguments.
    fn overlaps(&mut self, left: Expr) -> Result<Expr> {
        let item = self.take()?;
        let right = self.prefix(Grammar::B)?;
        let span = left.span.to(right.span);
        let position = self.lower.position(item);
        match (left.kind, right.kind) {
            (ExprKind::Row { fields: mut args, .. }, ExprKind::Row { fields, .. }) => {
                for (side, count) in [("left", args.len()), ("right", fields.len())] {
                    if count != 2 {
                        let message = format!("wrong number of parameters on {side} side of OVERLAPS expression");
                        let code = aegis_catalog::sqlstate::SYNTAX_ERROR;
                        return Err(aegis_catalog::Error::new(code, message).at(position));
                    }
                }
                args.extend(fields);
                Ok(Expr { kind: super::call::special("overlaps", args, span), span })
            }
            _ => Err(self.lower.syntax_error(item.start())),
        }
    }
}

/// Operators that the grammar names by themselves; all others are alike to it.
fn has_own_token(operator: &str) -> bool {
    matches!(operator, "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=" | "*" | "/" | "%" | "^" | "=>" | ":=")
}

/// The ANY, SOME or ALL node of `= ANY (…)`.
pub fn quantifier(operand: Node<'_>) -> Option<Node<'_>> {
    operand.child_in(&[K::ANY_FN, K::SOME_FN, K::ALL_FN]).filter(|_| operand.is(K::CALL_EXPR))
}
