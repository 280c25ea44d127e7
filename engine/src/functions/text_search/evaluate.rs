//! Does a document match a query: `@@` (manual 12.1.2), by PostgreSQL's rules for phrases and for lexemes without positions.

use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::types::text_search::{Entries, Entry, Node, Operand, Position, TsQuery};

use super::configuration::Configurations;
use super::document::vector;
use super::value::Memo;
use crate::functions::Body;
use crate::functions::kernel::{Inputs, kernel};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("ts_match_vq(tsvector, tsquery)", matches(0)),
        f("ts_match_qv(tsquery, tsvector)", matches(1)),
        f(
            "ts_match_tq(text, tsquery)",
            kernel!(|call; text: &str, query: TsQuery| {
                let config = Configurations::new(call.context).get(None)?;
                let vector = vector(&config, call.context, text)?.to_bytes();
                aegis_catalog::Result::Ok(Evaluator::new(query).matches(&vector))
            }),
        ),
        f(
            "ts_match_tt(text, text)",
            kernel!(|call; text: &str, question: &str| {
                let config = Configurations::new(call.context).get(None)?;
                let vector = vector(&config, call.context, text)?.to_bytes();
                let query = super::query::plain_query(&config, call.context, question)?;
                aegis_catalog::Result::Ok(Evaluator::new(query).matches(&vector))
            }),
        ),
    ]
}

/// `vector @@ query`, with the vector as argument number `vector`.
fn matches(vector: usize) -> Body {
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let vectors = inputs.reader::<&[u8]>(vector)?;
        let queries = inputs.reader::<&[u8]>(1 - vector)?;
        let mut evaluator = Memo::new();
        inputs.run(
            call.rows,
            false,
            |row| vectors.skips(row) || queries.skips(row),
            |row| {
                let evaluator = evaluator.get(queries.get(row), |query| Evaluator::new(TsQuery::from_bytes(query)));
                evaluator.matches(vectors.get(row))
            },
        )
    }))
}

/// What is known of a node. `Maybe`: the document does not tell its positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    No,
    Maybe,
    Yes,
}

/// Where a node matches: at these places, or everywhere but there.
#[derive(Debug, Clone, Default)]
struct Matches {
    places: Vec<i32>,
    negated: bool,
    /// How many places before the last one a match begins.
    width: i32,
}

/// A document that can be asked for words. Numbers are those of the query's nodes.
pub trait Document {
    fn has(&self, number: usize, operand: &Operand) -> Truth;
    /// Places in order. `Yes` if there are any.
    fn places(&self, number: usize, operand: &Operand) -> (Truth, Vec<i32>);
}

/// A query that is ready for documents.
pub struct Evaluator {
    query: TsQuery,
    /// Nodes below a phrase, of which places are wanted.
    placed: Vec<bool>,
}

impl Evaluator {
    pub fn new(query: TsQuery) -> Self {
        let mut placed = vec![false; query.nodes().len()];
        for (number, node) in query.nodes().iter().enumerate().rev() {
            let below = matches!(node, Node::Phrase(..)) || placed.get(number).copied().unwrap_or_default();
            let operands = match node {
                Node::Value(_) => [None, None],
                Node::Not(inner) => [Some(*inner), None],
                Node::And(left, right) | Node::Or(left, right) | Node::Phrase(left, right, _) => {
                    [Some(*left), Some(*right)]
                }
            };
            for operand in operands.into_iter().flatten() {
                if let Some(placed) = placed.get_mut(operand) {
                    *placed = below;
                }
            }
        }
        Self { query, placed }
    }

    pub fn query(&self) -> &TsQuery {
        &self.query
    }

    pub fn matches(&self, vector: &[u8]) -> bool {
        !self.query.is_empty() && self.holds(&Vector { entries: Entries::new(vector).collect() })
    }

    /// Evaluates operands before operators, so that no query nests too deeply.
    pub fn holds(&self, document: &impl Document) -> bool {
        let mut truths: Vec<Truth> = Vec::with_capacity(self.query.nodes().len());
        let mut places: Vec<Matches> = Vec::new();
        places.resize_with(if self.placed.contains(&true) { self.query.nodes().len() } else { 0 }, Matches::default);
        for (number, node) in self.query.nodes().iter().enumerate() {
            let is_placed = self.placed.get(number).copied().unwrap_or_default();
            let truth_of = |number: &usize| truths.get(*number).copied().unwrap_or(Truth::No);
            let mut taken = |number: &usize| places.get_mut(*number).map(std::mem::take).unwrap_or_default();
            let (truth, matches) = match node {
                Node::Value(operand) if is_placed => {
                    let (truth, places) = document.places(number, operand);
                    (truth, Matches { places, negated: false, width: 0 })
                }
                Node::Value(operand) => (document.has(number, operand), Matches::default()),
                Node::Not(inner) if is_placed => not(truth_of(inner), taken(inner)),
                Node::Not(inner) => (inverse(truth_of(inner)), Matches::default()),
                Node::And(left, right) if is_placed => {
                    both((truth_of(left), taken(left)), (truth_of(right), taken(right)), None)
                }
                Node::Or(left, right) if is_placed => {
                    either((truth_of(left), taken(left)), (truth_of(right), taken(right)))
                }
                Node::And(left, right) => (truth_of(left).min(truth_of(right)), Matches::default()),
                Node::Or(left, right) => (truth_of(left).max(truth_of(right)), Matches::default()),
                Node::Phrase(left, right, distance) => {
                    let left = (truth_of(left), taken(left));
                    let right = (truth_of(right), taken(right));
                    let (truth, matches) = both(left, right, Some(i32::from(*distance)));
                    // A phrase that nobody can place is taken not to be there.
                    let truth = if truth == Truth::Maybe && !is_placed { Truth::No } else { truth };
                    (truth, matches)
                }
            };
            truths.push(truth);
            if let Some(place) = places.get_mut(number) {
                *place = matches;
            }
        }
        truths.last().is_some_and(|&truth| truth != Truth::No)
    }
}

fn inverse(truth: Truth) -> Truth {
    match truth {
        Truth::No => Truth::Yes,
        Truth::Maybe => Truth::Maybe,
        Truth::Yes => Truth::No,
    }
}

fn not(truth: Truth, matches: Matches) -> (Truth, Matches) {
    match truth {
        Truth::No => (Truth::Yes, Matches { places: Vec::new(), negated: true, width: matches.width }),
        Truth::Maybe => (Truth::Maybe, matches),
        Truth::Yes if matches.places.is_empty() => (Truth::No, Matches { negated: false, ..matches }),
        Truth::Yes => (Truth::Yes, Matches { negated: !matches.negated, ..matches }),
    }
}

/// Which places of two lists are wanted.
#[derive(Clone, Copy)]
struct Emit {
    left_only: bool,
    both: bool,
    right_only: bool,
}

const LEFT_ONLY: Emit = Emit { left_only: true, both: false, right_only: false };
const RIGHT_ONLY: Emit = Emit { left_only: false, both: false, right_only: true };
const COMMON: Emit = Emit { left_only: false, both: true, right_only: false };
const ALL: Emit = Emit { left_only: true, both: true, right_only: true };

/// Merges places that are moved by these offsets.
fn merged(left: &Matches, right: &Matches, emit: Emit, left_offset: i32, right_offset: i32) -> Vec<i32> {
    let mut out = Vec::new();
    let (mut lefts, mut rights) = (left.places.iter().peekable(), right.places.iter().peekable());
    loop {
        let l = lefts.peek().map_or(i32::MAX, |place| **place + left_offset);
        let r = rights.peek().map_or(i32::MAX, |place| **place + right_offset);
        let (place, wanted) = match l.cmp(&r) {
            std::cmp::Ordering::Less => {
                lefts.next();
                (l, emit.left_only)
            }
            std::cmp::Ordering::Greater => {
                rights.next();
                (r, emit.right_only)
            }
            std::cmp::Ordering::Equal if l == i32::MAX => return out,
            std::cmp::Ordering::Equal => {
                lefts.next();
                rights.next();
                (r, emit.both)
            }
        };
        if wanted && place > 0 {
            out.push(place);
        }
    }
}

fn at(places: Vec<i32>, width: i32) -> (Truth, Matches) {
    let truth = if places.is_empty() { Truth::No } else { Truth::Yes };
    (truth, Matches { places, negated: false, width })
}

fn except(places: Vec<i32>, width: i32) -> (Truth, Matches) {
    (Truth::Yes, Matches { places, negated: true, width })
}

/// AND, or a phrase of that distance.
fn both(left: (Truth, Matches), right: (Truth, Matches), distance: Option<i32>) -> (Truth, Matches) {
    match left.0.min(right.0) {
        Truth::Yes => {}
        truth => return (truth, Matches::default()),
    }
    let (left, right) = (left.1, right.1);
    let (left_offset, right_offset, width) = match distance {
        Some(distance) => (distance + right.width, 0, distance + left.width + right.width),
        None => aligned(&left, &right),
    };
    let merge = |emit| merged(&left, &right, emit, left_offset, right_offset);
    match (left.negated, right.negated) {
        (true, true) => except(merge(ALL), width),
        (true, false) => at(merge(RIGHT_ONLY), width),
        (false, true) => at(merge(LEFT_ONLY), width),
        (false, false) => at(merge(COMMON), width),
    }
}

/// The narrower one's matches end where the wider one's do.
fn aligned(left: &Matches, right: &Matches) -> (i32, i32, i32) {
    let width = left.width.max(right.width);
    (width - left.width, width - right.width, width)
}

fn either(left: (Truth, Matches), right: (Truth, Matches)) -> (Truth, Matches) {
    match (left.0, right.0) {
        (Truth::No, Truth::No) => return (Truth::No, Matches::default()),
        (Truth::Maybe, _) | (_, Truth::Maybe) => return (Truth::Maybe, Matches::default()),
        _ => {}
    }
    let known = |(truth, matches): (Truth, Matches)| if truth == Truth::No { Matches::default() } else { matches };
    let (left, right) = (known(left), known(right));
    let (left_offset, right_offset, width) = aligned(&left, &right);
    let merge = |emit| merged(&left, &right, emit, left_offset, right_offset);
    match (left.negated, right.negated) {
        (true, true) => except(merge(COMMON), width),
        (true, false) => except(merge(LEFT_ONLY), width),
        (false, true) => except(merge(RIGHT_ONLY), width),
        (false, false) => at(merge(ALL), width),
    }
}

/// A represented vector as a document.
pub struct Vector<'a> {
    pub entries: Vec<Entry<'a>>,
}

impl<'a> Vector<'a> {
    /// The lexemes that an operand means.
    pub fn found(&self, operand: &Operand) -> &[Entry<'a>] {
        self.entries.get(self.range(operand)).unwrap_or_default()
    }

    /// Their numbers.
    pub fn range(&self, operand: &Operand) -> Range<usize> {
        let word = operand.word.as_bytes();
        let start = self.entries.partition_point(|entry| entry.word < word);
        let rest = self.entries.get(start..).unwrap_or_default();
        let length = match operand.prefix {
            true => rest.partition_point(|entry| entry.word.starts_with(word)),
            false => usize::from(rest.first().is_some_and(|entry| entry.word == word)),
        };
        start..start + length
    }
}

pub fn weighs(operand: &Operand, position: Position) -> bool {
    operand.weights == 0 || operand.weights >> position.weight().number() & 1 != 0
}

impl Document for Vector<'_> {
    fn has(&self, _: usize, operand: &Operand) -> Truth {
        let matches = |entry: &Entry<'_>| {
            operand.weights == 0
                || !entry.has_positions()
                || entry.positions().any(|position| weighs(operand, position))
        };
        if self.found(operand).iter().any(matches) { Truth::Yes } else { Truth::No }
    }

    fn places(&self, _: usize, operand: &Operand) -> (Truth, Vec<i32>) {
        let found = self.found(operand);
        let mut places: Vec<i32> = found
            .iter()
            .flat_map(|entry| entry.positions())
            .filter(|position| weighs(operand, *position))
            .map(|position| i32::from(position.place()))
            .collect();
        if found.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        let truth = match places.is_empty() {
            false => Truth::Yes,
            true if found.iter().any(|entry| !entry.has_positions()) => Truth::Maybe,
            true => Truth::No,
        };
        (truth, places)
    }
}
