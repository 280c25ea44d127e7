//! SELECT, VALUES, TABLE, set operations and WITH (manual 7).

use aegis_catalog::{Error, Result, sqlstate};
use squawk_parser::SyntaxKind as K;

use super::Lower;
use super::expr::is_expr;
use super::operand::is_query;
use crate::parse::ast::*;
use crate::parse::guard;
use crate::parse::tree::Node;

const TAIL: [K; 5] = [K::ORDER_BY_CLAUSE, K::LIMIT_CLAUSE, K::OFFSET_CLAUSE, K::FETCH_CLAUSE, K::LOCKING_CLAUSE];

/// Set operators by precedence: INTERSECT binds tighter than UNION and EXCEPT.
enum SetItem<'t> {
    Operand(Node<'t>),
    Operator(Node<'t>),
}

type SetItems<'t> = std::iter::Peekable<std::vec::IntoIter<SetItem<'t>>>;

/// The first operand of a set operation, which holds the WITH clause of the whole.
fn first_operand(node: Node<'_>) -> Node<'_> {
    let mut node = node;
    while node.is(K::COMPOUND_SELECT)
        && let Some(first) = node.nodes().next()
    {
        node = first;
    }
    node
}

impl Lower<'_> {
    /// Any of the query nodes with its WITH clause and its tail.
    pub fn query(&self, node: Node<'_>) -> Result<Query> {
        if node.is(K::PAREN_EXPR) {
            return match self.query_in_parentheses(node)? {
                Some(query) => Ok(query),
                None => Err(self.syntax_error(node.start())),
            };
        }
        if node.is(K::SELECT_INTO) {
            let into = self.need(node.child(K::INTO_CLAUSE), node)?;
            let message = "SELECT ... INTO is not allowed here";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(self.position(into)));
        }
        self.into_query(node)
    }

    /// As [`Self::query`], but SELECT may have an INTO clause, which the caller sees to.
    pub fn into_query(&self, node: Node<'_>) -> Result<Query> {
        let span = self.span(node);
        let with = first_operand(node).child(K::WITH_CLAUSE).map(|with| self.with(with)).transpose()?;
        let body = self.set_expr(node)?;
        let mut query =
            Query { with, body, order_by: Vec::new(), limit: None, offset: None, locking: Vec::new(), span };
        self.tail(node, &mut query)?;
        // Parentheses alone make no query of their own.
        if query.with.is_none() && is_bare(&query) {
            match query.body {
                SetExpr::Query(inner) => return Ok(*inner),
                body => query.body = body,
            }
        }
        Ok(query)
    }

    /// The part between WITH and ORDER BY.
    fn set_expr(&self, node: Node<'_>) -> Result<SetExpr> {
        match node.kind() {
            K::SELECT | K::SELECT_INTO => Ok(SetExpr::Select(Box::new(self.select(node)?))),
            K::VALUES => {
                let list = self.need(node.child(K::ROW_LIST), node)?;
                let rows = list.children_of(K::ROW).map(|row| self.exprs_in(row)).collect::<Result<Vec<_>>>()?;
                if rows.is_empty() {
                    return Err(self.missing_in(node));
                }
                Ok(SetExpr::Values(rows))
            }
            K::TABLE => {
                let name = self.need(node.child(K::RELATION_NAME), node)?;
                Ok(SetExpr::Table(self.object(name)?))
            }
            K::PAREN_SELECT | K::PAREN_EXPR => {
                let inner = node.nodes().find(|inner| is_query(inner.kind()) || inner.is(K::PAREN_EXPR));
                Ok(SetExpr::Query(Box::new(self.query(self.need(inner, node)?)?)))
            }
            K::COMPOUND_SELECT => self.set_operations(node),
            _ => Err(self.syntax_error(node.start())),
        }
    }

    /// Takes operands and operators in the order of the text and groups them by PostgreSQL's precedence.
    fn set_operations(&self, node: Node<'_>) -> Result<SetExpr> {
        let mut items = Vec::new();
        let mut open = vec![(node, node.children())];
        while let Some((parent, children)) = open.last_mut() {
            let parent = *parent;
            match children.next() {
                Some(child) if child.is(K::COMPOUND_SELECT) => {
                    self.refuse_tail(child)?;
                    open.push((child, child.children()));
                }
                Some(child) if matches!(child.kind(), K::UNION | K::INTERSECT | K::EXCEPT) => {
                    items.push(SetItem::Operator(child));
                }
                Some(child) if is_query(child.kind()) || child.is(K::PAREN_EXPR) => {
                    items.push(SetItem::Operand(child));
                }
                Some(_) => {}
                None => {
                    debug_assert!(parent.is(K::COMPOUND_SELECT));
                    open.pop();
                }
            }
        }
        let mut items = items.into_iter().peekable();
        let expr = self.set_operation(&mut items, false, node)?;
        match items.next() {
            None => Ok(expr),
            Some(SetItem::Operand(rest) | SetItem::Operator(rest)) => Err(self.syntax_error(rest.start())),
        }
    }

    fn set_operation<'t>(&self, items: &mut SetItems<'t>, only_intersect: bool, parent: Node<'t>) -> Result<SetExpr> {
        let operand = |items: &mut SetItems<'t>| match items.next() {
            Some(SetItem::Operand(node)) => {
                if node.start() != parent.start() {
                    // The library attaches the WITH of the whole operation to its first operand.
                    node.child(K::WITH_CLAUSE).map_or(Ok(()), |with| Err(self.syntax_error(with.start())))?;
                }
                self.refuse_tail(node)?;
                Ok((self.set_operand(node)?, self.span(node)))
            }
            Some(SetItem::Operator(node)) => Err(self.syntax_error(node.start())),
            None => Err(self.missing_in(parent)),
        };
        let (mut left, start) = if only_intersect {
            operand(items)?
        } else {
            let start = match items.peek() {
                Some(SetItem::Operand(node) | SetItem::Operator(node)) => self.span(*node),
                None => self.span(parent),
            };
            (self.set_operation(items, true, parent)?, start)
        };
        let mut chain = 0;
        while let Some(SetItem::Operator(node)) = items.peek() {
            let node = *node;
            let op = match node.kind() {
                K::UNION => SetOperator::Union,
                K::INTERSECT => SetOperator::Intersect,
                _ => SetOperator::Except,
            };
            if (op == SetOperator::Intersect) != only_intersect {
                break;
            }
            chain += 1;
            if chain > guard::MAX_CHAIN_DEPTH {
                return Err(guard::too_deep());
            }
            items.next();
            let right = if only_intersect { operand(items)?.0 } else { self.set_operation(items, true, parent)? };
            let span = start.to(self.span(node));
            let all = node.has(K::ALL);
            left = SetExpr::Operation { op, all, left: Box::new(left), right: Box::new(right), span };
        }
        Ok(left)
    }

    /// An operand of a set operation: parentheses are kept only around clauses of their own.
    fn set_operand(&self, node: Node<'_>) -> Result<SetExpr> {
        match self.set_expr(node)? {
            SetExpr::Query(inner) if !is_tail(node) && inner.with.is_none() && is_bare(&inner) => Ok(inner.body),
            other => Ok(other),
        }
    }

    /// `SELECT 1 ORDER BY 1 UNION …` needs parentheses.
    fn refuse_tail(&self, node: Node<'_>) -> Result<()> {
        match node.children().filter(|child| TAIL.contains(&child.kind())).last() {
            Some(tail) => Err(self.syntax_error(tail.end())),
            None => Ok(()),
        }
    }

    /// ORDER BY, LIMIT, OFFSET, FETCH, FOR UPDATE: each at most once, in any order of the last ones.
    fn tail(&self, node: Node<'_>, query: &mut Query) -> Result<()> {
        let mut seen: Vec<K> = Vec::new();
        for clause in node.children().filter(|child| TAIL.contains(&child.kind())) {
            let kind = if clause.is(K::FETCH_CLAUSE) { K::LIMIT_CLAUSE } else { clause.kind() };
            if seen.contains(&kind) && kind != K::LOCKING_CLAUSE || kind == K::ORDER_BY_CLAUSE && !seen.is_empty() {
                let message = match kind {
                    K::LIMIT_CLAUSE => "multiple LIMIT clauses not allowed",
                    K::OFFSET_CLAUSE => "multiple OFFSET clauses not allowed",
                    _ => return Err(self.syntax_error(clause.start())),
                };
                return Err(Error::new(sqlstate::SYNTAX_ERROR, message).at(self.position(clause)));
            }
            seen.push(kind);
            match clause.kind() {
                K::ORDER_BY_CLAUSE => query.order_by = self.order_by(clause)?,
                K::LIMIT_CLAUSE => query.limit = Some(self.limit(clause)?),
                K::FETCH_CLAUSE => query.limit = Some(self.fetch(clause)?),
                K::OFFSET_CLAUSE => query.offset = Some(self.expr_in(clause)?),
                _ => query.locking.push(self.locking(clause)?),
            }
        }
        if matches!(query.limit, Some(Limit::WithTies(_))) && query.order_by.is_empty() {
            let message = "WITH TIES cannot be specified without ORDER BY clause";
            return Err(Error::new(sqlstate::SYNTAX_ERROR, message));
        }
        Ok(())
    }

    fn limit(&self, clause: Node<'_>) -> Result<Limit> {
        match clause.has(K::ALL) {
            true => Ok(Limit::All),
            false => Ok(Limit::Rows(self.expr_in(clause)?)),
        }
    }

    fn fetch(&self, clause: Node<'_>) -> Result<Limit> {
        let count = match clause.nodes().find(|child| is_expr(child.kind())) {
            Some(count) => self.expr(count)?,
            None => super::literal::integer(1, self.span(clause)),
        };
        Ok(if clause.has(K::WITH_TIES) { Limit::WithTies(count) } else { Limit::Rows(count) })
    }

    fn locking(&self, clause: Node<'_>) -> Result<Locking> {
        let strength = match clause.child_in(&[K::FOR_UPDATE, K::FOR_NO_KEY_UPDATE, K::FOR_SHARE, K::FOR_KEY_SHARE]) {
            Some(strength) => match strength.kind() {
                K::FOR_UPDATE => LockStrength::Update,
                K::FOR_NO_KEY_UPDATE => LockStrength::NoKeyUpdate,
                K::FOR_SHARE => LockStrength::Share,
                _ => LockStrength::KeyShare,
            },
            None => return Err(self.missing_in(clause)),
        };
        let mut of = Vec::new();
        if let Some(list) = clause.child(K::LOCKING_OF) {
            for expr in self.exprs_in(list)? {
                match expr.kind {
                    ExprKind::Column(name) => of.push(name),
                    _ => return Err(self.syntax_error(self.base() + expr.span.start)),
                }
            }
        }
        let wait = match clause.child_in(&[K::NOWAIT, K::SKIP_LOCKED]) {
            Some(wait) if wait.is(K::NOWAIT) => LockWait::NoWait,
            Some(_) => LockWait::SkipLocked,
            None => LockWait::Block,
        };
        Ok(Locking { strength, of, wait })
    }

    pub fn select(&self, node: Node<'_>) -> Result<Select> {
        let clause = self.need(node.child(K::SELECT_CLAUSE), node)?;
        if let Some(from) = node.child(K::FROM_CLAUSE).filter(|from| from.start() < clause.start()) {
            return Err(self.syntax_error(from.start()));
        }
        let distinct = match clause.child(K::DISTINCT_CLAUSE) {
            None => Distinct::None,
            Some(distinct) => match distinct.child(K::DISTINCT_ON) {
                Some(on) => Distinct::On(self.exprs_in(on)?),
                None => Distinct::Distinct,
            },
        };
        let targets = match clause.child(K::TARGET_LIST) {
            Some(list) => self.targets(list)?,
            None => Vec::new(),
        };
        if targets.is_empty() && distinct != Distinct::None {
            return Err(self.syntax_error(clause.end()));
        }
        let group = node.child(K::GROUP_BY_CLAUSE);
        let windows = match node.child(K::WINDOW_CLAUSE) {
            Some(clause) => {
                clause.children_of(K::WINDOW_DEF).map(|window| self.window(window)).collect::<Result<_>>()?
            }
            None => Vec::new(),
        };
        Ok(Select {
            distinct,
            targets,
            from: match node.child(K::FROM_CLAUSE) {
                Some(from) => self.from_list(from)?,
                None => Vec::new(),
            },
            filter: self.opt_expr_in(node.child(K::WHERE_CLAUSE))?,
            group_by: match group {
                Some(group) => self.grouping(self.need(group.child(K::GROUP_BY_LIST), group)?)?,
                None => Vec::new(),
            },
            group_distinct: group.is_some_and(|group| group.has(K::DISTINCT)),
            having: self.opt_expr_in(node.child(K::HAVING_CLAUSE))?,
            windows,
            span: self.span(node),
        })
    }

    pub fn targets(&self, list: Node<'_>) -> Result<Vec<Target>> {
        list.children_of(K::TARGET).map(|target| self.target(target)).collect()
    }

    fn target(&self, target: Node<'_>) -> Result<Target> {
        let alias = match target.child(K::AS_NAME) {
            Some(alias) => Some(self.ident(self.need(alias.child(K::COLUMN_NAME), alias)?)?),
            None => None,
        };
        if let Some(star) = target.child(K::STAR) {
            let expr = Expr { kind: ExprKind::Star(None), span: self.span(star) };
            return match alias {
                None => Ok(Target { expr, alias }),
                Some(_) => Err(self.syntax_error(star.end())),
            };
        }
        Ok(Target { expr: self.expr_in(target)?, alias })
    }

    fn grouping(&self, list: Node<'_>) -> Result<Vec<GroupingElement>> {
        let elements = list.nodes().map(|element| self.grouping_element(element)).collect::<Result<Vec<_>>>()?;
        if elements.is_empty() { Err(self.missing_in(list)) } else { Ok(elements) }
    }

    fn grouping_element(&self, node: Node<'_>) -> Result<GroupingElement> {
        Ok(match node.kind() {
            K::GROUPING_ROLLUP => GroupingElement::Rollup(self.exprs_in(node)?),
            K::GROUPING_CUBE => GroupingElement::Cube(self.exprs_in(node)?),
            K::GROUPING_SETS => GroupingElement::Sets(self.grouping(node)?),
            K::GROUPING_EXPR => {
                let inner = self.need(node.nodes().next(), node)?;
                if inner.is(K::TUPLE_EXPR) && !inner.has(K::ROW_KW) && inner.nodes().next().is_none() {
                    return Ok(GroupingElement::Empty);
                }
                GroupingElement::Expr(self.expr(inner)?)
            }
            _ => return Err(self.syntax_error(node.start())),
        })
    }

    pub fn with(&self, clause: Node<'_>) -> Result<With> {
        let ctes = clause.children_of(K::WITH_TABLE).map(|cte| self.cte(cte)).collect::<Result<Vec<_>>>()?;
        if ctes.is_empty() {
            return Err(self.missing_in(clause));
        }
        Ok(With { recursive: clause.has(K::RECURSIVE_KW), ctes })
    }

    fn cte(&self, node: Node<'_>) -> Result<Cte> {
        let query = node.nodes().find(|child| {
            is_query(child.kind()) || matches!(child.kind(), K::INSERT | K::UPDATE | K::DELETE | K::MERGE)
        });
        let query = self.need(query, node)?;
        Ok(Cte {
            name: self.column_id(self.need(node.child(K::CTE_NAME), node)?)?,
            columns: self.column_list(node.child(K::COLUMN_LIST))?,
            materialized: node.child_in(&[K::MATERIALIZED, K::NOT_MATERIALIZED]).map(|hint| hint.is(K::MATERIALIZED)),
            statement: Box::new(match self.statement(query)? {
                Some(statement) => statement,
                None => return Err(self.missing_in(node)),
            }),
            search: node.child(K::SEARCH_CLAUSE).map(|clause| self.search_clause(clause)).transpose()?,
            cycle: node.child(K::CYCLE_CLAUSE).map(|clause| self.cycle_clause(clause)).transpose()?,
        })
    }

    fn search_clause(&self, node: Node<'_>) -> Result<SearchClause> {
        let set = self.need(node.child(K::SEARCH_SET_COLUMN), node)?;
        Ok(SearchClause {
            breadth_first: node.has(K::BREADTH_FIRST),
            columns: self.column_list(node.child(K::SEARCH_COLUMNS))?,
            sequence: self.column_id(self.need(set.child(K::COLUMN_NAME_REF), set)?)?,
        })
    }

    fn cycle_clause(&self, node: Node<'_>) -> Result<CycleClause> {
        let set = self.need(node.child(K::CYCLE_SET_COLUMN), node)?;
        let path = self.need(node.child(K::CYCLE_PATH), node)?;
        let boolean = |value| Expr { kind: ExprKind::Literal(Literal::Bool(value)), span: self.span(set) };
        let (value, default) = match set.child(K::CYCLE_COLUMN_TO) {
            None => (boolean(true), boolean(false)),
            Some(to) => (self.expr_in(to)?, self.expr_in(self.need(to.child(K::CYCLE_DEFAULT), to)?)?),
        };
        Ok(CycleClause {
            columns: self.column_list(node.child(K::CYCLE_COLUMNS))?,
            mark: self.column_id(self.need(set.child(K::COLUMN_NAME_REF), set)?)?,
            value,
            default,
            path: self.column_id(self.need(path.child(K::COLUMN_NAME_REF), path)?)?,
        })
    }
}

fn is_tail(node: Node<'_>) -> bool {
    node.children().any(|child| TAIL.contains(&child.kind()))
}

fn is_bare(query: &Query) -> bool {
    query.order_by.is_empty() && query.limit.is_none() && query.offset.is_none() && query.locking.is_empty()
}
