//! Parts of queries replaced by others: `ts_rewrite` (manual 12.4.2.1). The order of operands in the result is PostgreSQL's: they are
//! sorted.

use std::cmp::Ordering;

use aegis_catalog::types::oid;
use aegis_catalog::types::text_search::{Node, Operand, TsQuery, query};
use aegis_catalog::{Error, Result, Type, sqlstate};
use arrow::array::ArrayRef;

use super::query::reordered;
use crate::extension::{Caller, Row as Values, Value};
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::functions::value::Write;
use crate::stack::with_room;

/// Deeper queries are not rewritten.
const MAX_DEPTH: usize = 2000;

pub fn functions() -> Vec<Row> {
    vec![
        f(
            "ts_rewrite(tsquery, tsquery, tsquery)",
            kernel!(|a: TsQuery, target: TsQuery, substitute: TsQuery| rewrite(a, &target, &substitute)),
        ),
        f("ts_rewrite(tsquery, text)", crate::session!(rewrite_by_statement)),
    ]
}

/// Replaces the first column of each row of a statement by the second.
async fn rewrite_by_statement(mut caller: Caller<'_>, arguments: Values) -> Result<Vec<Values>> {
    let statement = arguments.get::<&str>(1)?.to_owned();
    // Without a target it is brought into order all the same.
    let mut query = rewritten(&arguments.get::<TsQuery>(0)?, None)?;
    for row in caller.query(&statement, Values(Vec::new())).await? {
        let [target, substitute] = &row.0[..] else { return Err(not_two_queries()) };
        if target.ty().oid != oid::TSQUERY || substitute.ty().oid != oid::TSQUERY {
            return Err(not_two_queries());
        }
        if let (Some(target), Some(substitute)) =
            (target.get::<Option<TsQuery>>()?, substitute.get::<Option<TsQuery>>()?)
        {
            query = rewrite(query, &target, &substitute)?;
        }
    }
    Ok(vec![Values(vec![Value::new(Type::of(oid::TSQUERY), column(query))])])
}

fn column(query: TsQuery) -> ArrayRef {
    let mut builder = TsQuery::builder(1);
    query.append(&mut builder);
    TsQuery::finish(builder)
}

fn not_two_queries() -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, "ts_rewrite query must return two tsquery columns")
}

fn rewrite(whole: TsQuery, target: &TsQuery, substitute: &TsQuery) -> Result<TsQuery> {
    match Tree::sorted(target)? {
        Some(target) => rewritten(&whole, Some((&target, Tree::plain(substitute)?.as_ref()))),
        None => Ok(whole),
    }
}

/// The query with its operands in order, and a target replaced if one is given.
fn rewritten(whole: &TsQuery, replace: Option<(&Tree, Option<&Tree>)>) -> Result<TsQuery> {
    let tree = Tree::sorted(whole)?;
    let tree = match replace {
        Some((target, substitute)) => tree.and_then(|tree| tree.replaced(target, substitute)),
        None => tree,
    };
    let mut out = TsQuery::default();
    let root = tree.map(|tree| tree.write(&mut out));
    Ok(reordered(&out, root))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Not,
    And,
    Or,
    Phrase(u16),
}

/// A query in which an AND or OR has all its operands at once, last one first.
#[derive(Debug, Clone)]
enum Tree {
    Word(Operand),
    Under {
        operator: Operator,
        operands: Vec<Tree>,
        /// A substitute is not looked into.
        fixed: bool,
    },
    /// A word that is a substitute.
    FixedWord(Operand),
}

impl Tree {
    fn plain(query: &TsQuery) -> Result<Option<Self>> {
        Self::of(query, false)
    }

    /// With chains of one operator joined and operands in order.
    fn sorted(query: &TsQuery) -> Result<Option<Self>> {
        Self::of(query, true)
    }

    fn of(query: &TsQuery, sorted: bool) -> Result<Option<Self>> {
        let mut built: Vec<(Option<Self>, usize)> = Vec::with_capacity(query.nodes().len());
        for node in query.nodes() {
            let (operator, numbers) = match node {
                Node::Value(operand) => {
                    built.push((Some(Self::Word(operand.clone())), 1));
                    continue;
                }
                Node::Not(inner) => (Operator::Not, vec![*inner]),
                Node::And(left, right) => (Operator::And, vec![*right, *left]),
                Node::Or(left, right) => (Operator::Or, vec![*right, *left]),
                Node::Phrase(left, right, distance) => (Operator::Phrase(*distance), vec![*right, *left]),
            };
            let joins = sorted && matches!(operator, Operator::And | Operator::Or);
            let (mut operands, mut depth) = (Vec::new(), 0);
            for number in numbers {
                let Some((Some(operand), deep)) = built.get_mut(number).map(std::mem::take) else { continue };
                match operand {
                    Self::Under { operator: inner, operands: inners, .. } if joins && inner == operator => {
                        operands.extend(inners);
                        depth = depth.max(deep - 1);
                    }
                    other => {
                        operands.push(other);
                        depth = depth.max(deep);
                    }
                }
            }
            if depth > MAX_DEPTH {
                return Err(Error::new(sqlstate::STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
            }
            built.push((Some(Self::Under { operator, operands, fixed: false }), depth + 1));
        }
        let mut tree = built.pop().and_then(|(tree, _)| tree);
        if let Some(tree) = tree.as_mut().filter(|_| sorted) {
            tree.sort();
        }
        Ok(tree)
    }

    fn sort(&mut self) {
        if let Self::Under { operator, operands, .. } = self {
            operands.iter_mut().for_each(|operand| with_room(|| operand.sort()));
            if !matches!(operator, Operator::Phrase(_)) {
                operands.sort_by(Self::compare);
            }
        }
    }

    /// Operators before words; the rest is PostgreSQL's.
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Under { operator, operands, .. }, Self::Under { operator: other, operands: others, .. }) => {
                let each = || {
                    let pairs = operands.iter().zip(others).map(|(a, b)| with_room(|| a.compare(b)));
                    pairs.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
                };
                let distance =
                    |operator: &Operator| if let Operator::Phrase(distance) = operator { *distance } else { 0 };
                (other.rank().cmp(&operator.rank()))
                    .then(others.len().cmp(&operands.len()))
                    .then_with(each)
                    .then(distance(other).cmp(&distance(operator)))
            }
            (Self::Under { .. }, _) => Ordering::Less,
            (_, Self::Under { .. }) => Ordering::Greater,
            (Self::Word(a) | Self::FixedWord(a), Self::Word(b) | Self::FixedWord(b)) => {
                let sum = |operand: &Operand| query::checksum(operand.word.as_bytes()) as i32;
                sum(b).cmp(&sum(a)).then_with(|| a.word.cmp(&b.word))
            }
        }
    }

    fn fixed(self) -> Self {
        match self {
            Self::Word(operand) | Self::FixedWord(operand) => Self::FixedWord(operand),
            Self::Under { operator, operands, .. } => Self::Under { operator, operands, fixed: true },
        }
    }

    /// The tree with each occurrence of the target replaced, or left out if there is no substitute; None if nothing is left.
    fn replaced(self, target: &Self, substitute: Option<&Self>) -> Option<Self> {
        let (operator, operands) = match self.replaced_here(target, substitute)? {
            Self::Under { operator, operands, fixed: false } => (operator, operands),
            other => return Some(other),
        };
        let mut operands: Vec<Self> =
            operands.into_iter().filter_map(|operand| with_room(|| operand.replaced(target, substitute))).collect();
        match operands.len() {
            0 => None,
            1 if operator != Operator::Not => operands.pop(),
            _ => Some(Self::Under { operator, operands, fixed: false }),
        }
    }

    fn replaced_here(self, target: &Self, substitute: Option<&Self>) -> Option<Self> {
        let replacement = || substitute.cloned().map(Self::fixed);
        match (self, target) {
            (Self::Word(word), Self::Word(_)) => {
                let tree = Self::Word(word);
                if tree.compare(target).is_eq() { replacement() } else { Some(tree) }
            }
            (
                Self::Under { operator, operands, fixed: false },
                Self::Under { operator: wanted, operands: wanted_operands, .. },
            ) if operator.rank() == wanted.rank() => {
                let tree = Self::Under { operator, operands, fixed: false };
                if tree.compare(target).is_eq() {
                    return replacement();
                }
                let Self::Under { operator, operands, .. } = tree else { return None };
                Some(Self::Under { operator, operands: without(operands, wanted_operands, substitute), fixed: false })
            }
            (tree, _) => Some(tree),
        }
    }

    /// As operators of two operands, the last one first.
    fn write(self, out: &mut TsQuery) -> usize {
        match self {
            Self::Word(operand) | Self::FixedWord(operand) => out.push(Node::Value(operand)),
            Self::Under { operator, operands, .. } => {
                let mut operands = operands.into_iter();
                let join = |left: usize, right: usize, out: &mut TsQuery| {
                    out.push(match operator {
                        Operator::And => Node::And(left, right),
                        Operator::Or | Operator::Not => Node::Or(left, right),
                        Operator::Phrase(distance) => Node::Phrase(left, right, distance),
                    })
                };
                let Some(first) = operands.next() else { return out.push(Node::Value(Operand::default())) };
                if operator == Operator::Not {
                    let inner = with_room(|| first.write(out));
                    return out.push(Node::Not(inner));
                }
                let mut numbers = vec![with_room(|| first.write(out))];
                numbers.extend(operands.map(|operand| with_room(|| operand.write(out))));
                // Pairs are made at the front, and the last one takes the free place: the order in which PostgreSQL shows them.
                loop {
                    match numbers[..] {
                        [] => return 0,
                        [only] => return only,
                        [right, left, ..] => {
                            let pair = join(left, right, out);
                            numbers.swap_remove(1);
                            numbers.splice(..1, [pair]);
                        }
                    }
                }
            }
        }
    }
}

impl Operator {
    fn rank(self) -> u8 {
        match self {
            Self::Not => 1,
            Self::And => 2,
            Self::Or => 3,
            Self::Phrase(_) => 4,
        }
    }
}

/// Operands of an AND or OR with the wanted ones, if all are there, replaced by one substitute. Both are in order.
fn without(operands: Vec<Tree>, wanted: &[Tree], substitute: Option<&Tree>) -> Vec<Tree> {
    if operands.len() <= wanted.len() {
        return operands;
    }
    let mut matched = vec![false; operands.len()];
    let mut next = wanted.iter().peekable();
    for (operand, matched) in operands.iter().zip(&mut matched) {
        let Some(wanted) = next.peek() else { break };
        match operand.compare(wanted) {
            Ordering::Equal => {
                *matched = true;
                next.next();
            }
            Ordering::Less => {}
            Ordering::Greater => break,
        }
    }
    if next.peek().is_some() {
        return operands;
    }
    let mut kept: Vec<Tree> =
        operands.into_iter().zip(matched).filter(|(_, matched)| !matched).map(|(operand, _)| operand).collect();
    kept.extend(substitute.cloned().map(Tree::fixed));
    kept.iter_mut().for_each(Tree::sort);
    kept.sort_by(Tree::compare);
    kept
}
