//! Questions as queries: `to_tsquery` and its kin (manual 12.3.2); operators and functions over queries.

use aegis_catalog::types::text_search::{
    MAX_POSITION, Node, Operand, Operator, Postfix, TsQuery, WordReader, is_space,
};
use aegis_catalog::{Error, Result, sqlstate};

use super::configuration::Configuration;
use super::document::{lexemes, of_text};
use crate::functions::kernel::kernel;
use crate::functions::signature::{Row, f};
use crate::session::context::StatementContext;

type FromText = fn(&Configuration, &StatementContext, &str) -> Result<TsQuery>;

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    let forms: [(&str, FromText); 4] = [
        ("to_tsquery", to_query),
        ("plainto_tsquery", |config, context, text| plain(config, context, text, Operator::And)),
        ("phraseto_tsquery", |config, context, text| plain(config, context, text, Operator::Phrase(1))),
        ("websearch_to_tsquery", web_search),
    ];
    for (name, function) in forms {
        rows.push(f(format!("{name}(text)"), of_text(false, function)));
        rows.push(f(format!("{name}(regconfig, text)"), of_text(true, function)));
    }
    rows.extend(operators());
    rows
}

fn operators() -> Vec<Row> {
    vec![
        f("tsquery_and(tsquery, tsquery)", kernel!(|a: TsQuery, b: TsQuery| checked(a.combine(b, Node::And)))),
        f("tsquery_or(tsquery, tsquery)", kernel!(|a: TsQuery, b: TsQuery| checked(a.combine(b, Node::Or)))),
        f("tsquery_not(tsquery)", kernel!(|a: TsQuery| checked(a.negated()))),
        f("tsquery_phrase(tsquery, tsquery)", kernel!(|a: TsQuery, b: TsQuery| phrase(a, b, 1))),
        f(
            "tsquery_phrase(tsquery, tsquery, int4)",
            kernel!(|a: TsQuery, b: TsQuery, distance: i32| phrase(a, b, distance)),
        ),
        f("numnode(tsquery)", kernel!(|a: TsQuery| a.nodes().len() as i32)),
        f("querytree(tsquery)", kernel!(|a: TsQuery| query_tree(&a))),
        f("tsq_mcontains(tsquery, tsquery)", kernel!(|a: TsQuery, b: TsQuery| contains(&a, &b))),
        f("tsq_mcontained(tsquery, tsquery)", kernel!(|a: TsQuery, b: TsQuery| contains(&b, &a))),
    ]
}

fn checked(query: TsQuery) -> Result<TsQuery> {
    query.check_size()?;
    Ok(query)
}

fn phrase(a: TsQuery, b: TsQuery, distance: i32) -> Result<TsQuery> {
    let limit = MAX_POSITION + 1;
    let distance = u16::try_from(distance).ok().filter(|&distance| distance <= limit).ok_or_else(|| {
        let message =
            format!("distance in phrase operator must be an integer value between zero and {limit} inclusive");
        Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
    })?;
    checked(a.combine(b, |left, right| Node::Phrase(left, right, distance)))
}

/// All words of `b` are words of `a`, whatever the operators are.
fn contains(a: &TsQuery, b: &TsQuery) -> bool {
    let words: std::collections::HashSet<&str> = a.operands().map(|operand| operand.word.as_str()).collect();
    b.operands().all(|operand| words.contains(operand.word.as_str()))
}

// ------------------------------------------------------------------------------------------------ from text

/// A lexeme of a word that is asked for, in place of which any of its forms may stand.
fn to_query(config: &Configuration, context: &StatementContext, text: &str) -> Result<TsQuery> {
    let query = TsQuery::parse_with(text, |operand| of_word(config, context, &operand, Operator::Phrase(1)))?;
    finish(context, text, query)
}

/// All of the text is one operand.
fn plain(config: &Configuration, context: &StatementContext, text: &str, joined: Operator) -> Result<TsQuery> {
    let mut postfix = Postfix::default();
    if !text.is_empty() {
        let operand = Operand { word: text.to_owned(), weights: 0, prefix: false };
        postfix.operand(of_word(config, context, &operand, joined)?);
    }
    finish(context, text, postfix.finish()?)
}

/// The query of the lexemes of one operand; a stop word (an operand without a word) if it has none.
fn of_word(config: &Configuration, context: &StatementContext, operand: &Operand, joined: Operator) -> Result<TsQuery> {
    let (mut place, mut found) = (0, Vec::new());
    lexemes(config, context, &operand.word, &mut place, &mut found)?;
    let mut query = TsQuery::default();
    let mut last: Option<usize> = None;
    let join = |query: TsQuery, word: Operand| {
        let mut next = TsQuery::default();
        next.push(Node::Value(word));
        query.combine(next, |left, right| match joined {
            Operator::Phrase(distance) => Node::Phrase(left, right, distance),
            _ => Node::And(left, right),
        })
    };
    for lexeme in found {
        // Stop words between keep their places.
        if let Some(last) = last {
            for _ in last + 1..lexeme.place {
                query = join(query, Operand::default());
            }
        }
        last = Some(lexeme.place);
        query = join(query, Operand { word: lexeme.text, weights: operand.weights, prefix: operand.prefix });
    }
    if query.is_empty() {
        query.push(Node::Value(Operand::default()));
    }
    Ok(query)
}

/// The words of a text joined by AND.
pub fn plain_query(config: &Configuration, context: &StatementContext, text: &str) -> Result<TsQuery> {
    plain(config, context, text, Operator::And)
}

/// Takes stop words out, with a notice if nothing is left.
fn finish(context: &StatementContext, text: &str, query: TsQuery) -> Result<TsQuery> {
    if query.is_empty() {
        let message = format!("text-search query doesn't contain lexemes: \"{text}\"");
        context.services.notice("NOTICE", &message);
        return Ok(query);
    }
    let query = without_stop_words(&query);
    if query.is_empty() {
        let message = "text-search query contains only stop words or doesn't contain lexemes, ignored";
        context.services.notice("NOTICE", message);
    }
    checked(query)
}

/// What remains of a node: its number in the new query, and by how much the distances to what stands left and right of it have grown.
#[derive(Clone, Copy, Default)]
struct Kept {
    node: Option<usize>,
    left: u32,
    right: u32,
}

/// The query without its stop words. Distances of phrases grow by the places of the words that go.
fn without_stop_words(query: &TsQuery) -> TsQuery {
    let mut kept: Vec<Kept> = Vec::with_capacity(query.nodes().len());
    let mut out = TsQuery::default();
    for node in query.nodes() {
        let of = |number: &usize| kept.get(*number).copied().unwrap_or_default();
        let mut binary = |left: &usize, right: &usize, distance: Option<u16>| {
            let (left, right) = (of(left), of(right));
            let own = distance.map_or(0, u32::from);
            match (left.node, right.node) {
                (None, None) if distance.is_some() => {
                    let all = left.left + own + right.left;
                    Kept { node: None, left: all, right: all }
                }
                (None, None) => {
                    let most = left.left.max(right.left);
                    Kept { node: None, left: most, right: most }
                }
                (None, Some(_)) if distance.is_some() => Kept { left: left.left + own + right.left, ..right },
                (None, Some(_)) => right,
                (Some(_), None) if distance.is_some() => Kept { right: left.right + own + right.right, ..left },
                (Some(_), None) => left,
                (Some(a), Some(b)) => {
                    let new = match (node, distance) {
                        (Node::Or(..), _) => Node::Or(a, b),
                        (_, None) => Node::And(a, b),
                        (_, Some(_)) => {
                            let grown = own + left.right + right.left;
                            Node::Phrase(a, b, u16::try_from(grown).unwrap_or(u16::MAX))
                        }
                    };
                    let node = Some(out.push(new));
                    if distance.is_some() {
                        Kept { node, left: left.left, right: right.right }
                    } else {
                        Kept { node, left: 0, right: 0 }
                    }
                }
            }
        };
        let result = match node {
            Node::Value(operand) if operand.word.is_empty() => Kept::default(),
            Node::Value(operand) => Kept { node: Some(out.push(Node::Value(operand.clone()))), left: 0, right: 0 },
            Node::Not(inner) => {
                let inner = of(inner);
                Kept { node: inner.node.map(|inner| out.push(Node::Not(inner))), ..inner }
            }
            Node::And(left, right) | Node::Or(left, right) => binary(left, right, None),
            Node::Phrase(left, right, distance) => binary(left, right, Some(*distance)),
        };
        kept.push(result);
    }
    reordered(&out, kept.last().and_then(|kept| kept.node))
}

/// The nodes that a root needs, in postfix order.
pub fn reordered(query: &TsQuery, root: Option<usize>) -> TsQuery {
    let mut out = TsQuery::default();
    let mut numbers = vec![0; query.nodes().len()];
    // Nodes to be written; true once their operands are.
    let mut rest: Vec<(usize, bool)> = root.map(|root| (root, false)).into_iter().collect();
    while let Some((number, operands_written)) = rest.pop() {
        let Some(node) = query.nodes().get(number) else { continue };
        let (left, right) = match node {
            Node::Value(_) => (None, None),
            Node::Not(inner) => (Some(*inner), None),
            Node::And(left, right) | Node::Or(left, right) | Node::Phrase(left, right, _) => {
                (Some(*left), Some(*right))
            }
        };
        if !operands_written {
            rest.push((number, true));
            rest.extend(right.map(|right| (right, false)));
            rest.extend(left.map(|left| (left, false)));
            continue;
        }
        let new = |old: usize| numbers.get(old).copied().unwrap_or_default();
        let node = match node {
            Node::Value(operand) => Node::Value(operand.clone()),
            Node::Not(inner) => Node::Not(new(*inner)),
            Node::And(left, right) => Node::And(new(*left), new(*right)),
            Node::Or(left, right) => Node::Or(new(*left), new(*right)),
            Node::Phrase(left, right, distance) => Node::Phrase(new(*left), new(*right), *distance),
        };
        let written = out.push(node);
        if let Some(place) = numbers.get_mut(number) {
            *place = written;
        }
    }
    out
}

/// The part of a query that an index could look for, as text: nothing negated. `T` for all documents.
fn query_tree(query: &TsQuery) -> String {
    if query.is_empty() {
        return String::new();
    }
    let mut kept: Vec<Option<usize>> = Vec::with_capacity(query.nodes().len());
    let mut out = TsQuery::default();
    for node in query.nodes() {
        let of = |number: &usize| kept.get(*number).copied().flatten();
        let result = match node {
            Node::Value(operand) => Some(out.push(Node::Value(operand.clone()))),
            Node::Not(_) => None,
            Node::Or(left, right) => of(left).zip(of(right)).map(|(left, right)| out.push(Node::Or(left, right))),
            Node::And(left, right) => match (of(left), of(right)) {
                (Some(left), Some(right)) => Some(out.push(Node::And(left, right))),
                (left, right) => left.or(right),
            },
            Node::Phrase(left, right, distance) => match (of(left), of(right)) {
                (Some(left), Some(right)) => Some(out.push(Node::Phrase(left, right, *distance))),
                (left, right) => left.or(right),
            },
        };
        kept.push(result);
    }
    let Some(root) = kept.last().copied().flatten() else { return "T".to_owned() };
    let mut text = Vec::new();
    reordered(&out, Some(root)).write(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

// ------------------------------------------------------------------------------------------------ web search

/// As people write for search engines: words are joined by AND, `or` and `-` are operators, quotes make phrases. Nothing is an error.
fn web_search(config: &Configuration, context: &StatementContext, text: &str) -> Result<TsQuery> {
    let mut postfix = Postfix::default();
    let push = |postfix: &mut Postfix, word: &str| {
        let operand = Operand { word: word.to_owned(), weights: 0, prefix: false };
        postfix.operand(of_word(config, context, &operand, Operator::Phrase(1))?);
        Ok::<_, Error>(())
    };
    let (mut at, mut first) = (0, true);
    let rest = |at: usize| text.get(at..).unwrap_or_default();
    'operands: loop {
        // An operand is due.
        let Some(next) = rest(at).chars().next() else {
            if !first {
                postfix.operand(stop_word());
            }
            break;
        };
        match next {
            '-' => {
                at += 1;
                postfix.operator(Operator::Not)?;
                first = false;
                continue;
            }
            '"' => {
                let inner = rest(at + 1);
                let length = inner.find('"').unwrap_or(inner.len());
                push(&mut postfix, inner.get(..length).unwrap_or_default())?;
                at = (at + length + 2).min(text.len());
            }
            other if is_space(other) || is_operator(other) => {
                at += other.len_utf8();
                first &= !is_operator(other);
                continue;
            }
            _ => {
                let mut reader = WordReader::of_query(text, at, true);
                let word = reader.word()?.unwrap_or_default();
                at = reader.position();
                push(&mut postfix, &word.text)?;
            }
        }
        first = false;
        // Now an operator, or the end.
        loop {
            let Some(next) = rest(at).chars().next() else { break 'operands };
            if is_space(next) || is_operator(next) {
                at += next.len_utf8();
            } else if is_or(rest(at)) {
                at += 2;
                postfix.operator(Operator::Or)?;
                break;
            } else {
                postfix.operator(Operator::And)?;
                break;
            }
        }
    }
    finish(context, text, postfix.finish()?)
}

fn stop_word() -> TsQuery {
    let mut query = TsQuery::default();
    query.push(Node::Value(Operand::default()));
    query
}

fn is_operator(c: char) -> bool {
    matches!(c, '!' | '&' | '|' | '(' | ')' | '<')
}

/// The word `or` with something behind it.
fn is_or(text: &str) -> bool {
    let Some((word, after)) = text.split_at_checked(2) else { return false };
    let Some(next) = after.chars().next() else { return false };
    word.eq_ignore_ascii_case("or")
        && !matches!(next, '-' | '_')
        && !next.is_alphanumeric()
        && after.chars().skip(1).any(|c| !is_space(c))
}
