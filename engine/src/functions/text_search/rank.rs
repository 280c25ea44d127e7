//! How well a document matches: `ts_rank` and `ts_rank_cd` (manual 12.3.3). The sums are PostgreSQL's, in its order and precision, so that
//! they end in the same digits.

use std::sync::Arc;

use aegis_catalog::types::text_search::{Entries, Entry, MAX_POSITION, Node, Operand, Position, TsQuery, Weight};
use aegis_catalog::{Error, Result, sqlstate};

use super::evaluate::{Document, Evaluator, Truth, Vector, weighs};
use super::value::Memo;
use crate::functions::Body;
use crate::functions::array::{ArrayColumn, List};
use crate::functions::kernel::{Inputs, scalar_to_array};
use crate::functions::signature::{Row, f};
use datafusion::logical_expr::ColumnarValue;

/// What a position of each weight counts, D to A.
type Weights = [f32; 4];

const WEIGHTS: Weights = [0.1, 0.2, 0.4, 1.0];

/// Bits of the last argument.
mod normalization {
    pub const LOG_LENGTH: i32 = 1;
    pub const LENGTH: i32 = 2;
    pub const EXTENT_DISTANCE: i32 = 4;
    pub const UNIQUE: i32 = 8;
    pub const LOG_UNIQUE: i32 = 16;
    pub const FRACTION: i32 = 32;
}

type Rank = fn(&Weights, &Vector<'_>, &Evaluator, i32) -> f32;

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    let kinds: [(&str, Rank); 2] = [("ts_rank", rank), ("ts_rank_cd", cover_density)];
    for (name, kind) in kinds {
        rows.push(f(format!("{name}(tsvector, tsquery)"), body(kind, false, false)));
        rows.push(f(format!("{name}(tsvector, tsquery, int4)"), body(kind, false, true)));
        rows.push(f(format!("{name}(float4[], tsvector, tsquery)"), body(kind, true, false)));
        rows.push(f(format!("{name}(float4[], tsvector, tsquery, int4)"), body(kind, true, true)));
    }
    rows
}

fn body(kind: Rank, weighted: bool, normalized: bool) -> Body {
    Body::Scalar(Arc::new(move |call, args| {
        if weighted {
            check_dimensions(args.first())?;
        }
        let inputs = Inputs::new(args)?;
        let first = usize::from(weighted);
        let weights = if weighted { Some(inputs.reader::<List<f32>>(0)?) } else { None };
        let vectors = inputs.reader::<&[u8]>(first)?;
        let queries = inputs.reader::<&[u8]>(first + 1)?;
        let methods = if normalized { Some(inputs.reader::<i32>(first + 2)?) } else { None };
        let mut evaluator = Memo::new();
        inputs.run(
            call.rows,
            false,
            |row| inputs.any_null(row),
            |row| {
                let weights = weights.as_ref().map_or(Ok(WEIGHTS), |weights| self::weights(&weights.get(row)))?;
                let vector = Vector { entries: Entries::new(vectors.get(row)).collect() };
                let evaluator = evaluator.get(queries.get(row), |query| Evaluator::new(TsQuery::from_bytes(query)));
                Ok::<_, Error>(kind(
                    &weights,
                    &vector,
                    evaluator,
                    methods.as_ref().map_or(0, |methods| methods.get(row)),
                ))
            },
        )
    }))
}

fn check_dimensions(weights: Option<&ColumnarValue>) -> Result<()> {
    let array = match weights {
        Some(ColumnarValue::Array(array)) => array.clone(),
        Some(ColumnarValue::Scalar(value)) => scalar_to_array(value, 1)?,
        None => return Ok(()),
    };
    let column = ArrayColumn::open(&array)?;
    if (0..column.len()).any(|row| !column.is_null(row) && column.dimensions(row).len() != 1) {
        return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "array of weight must be one-dimensional"));
    }
    Ok(())
}

fn weights(given: &List<f32>) -> Result<Weights> {
    if given.0.len() < WEIGHTS.len() {
        return Err(Error::new(sqlstate::ARRAY_SUBSCRIPT_ERROR, "array of weight is too short"));
    }
    let mut weights = WEIGHTS;
    if given.0.iter().any(Option::is_none) {
        return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "array of weight must not contain nulls"));
    }
    for (weight, given) in weights.iter_mut().zip(given.0.iter().flatten()) {
        if *given >= 0.0 {
            *weight = *given;
        }
        if *weight > 1.0 {
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, "weight out of range"));
        }
    }
    Ok(weights)
}

fn weight_of(weights: &Weights, position: Position) -> f32 {
    weights.get(usize::from(position.weight().number())).copied().unwrap_or_default()
}

/// Positions of all lexemes; a lexeme without any counts as one.
fn length(vector: &Vector<'_>) -> usize {
    vector.entries.iter().map(|entry| entry.positions().len().max(1)).sum()
}

/// The words of a query, each once, in order. Of equal ones the last that is written counts, with its prefix mark.
fn words(query: &TsQuery) -> Vec<&Operand> {
    let mut words: Vec<&Operand> = query.operands().collect();
    words.reverse();
    words.sort_by(|a, b| a.word.cmp(&b.word));
    words.dedup_by(|a, b| a.word == b.word);
    words
}

fn rank(weights: &Weights, vector: &Vector<'_>, evaluator: &Evaluator, method: i32) -> f32 {
    let query = evaluator.query();
    let (Some(root), false) = (query.nodes().last(), vector.entries.is_empty()) else { return 0.0 };
    let mut rank = match root {
        Node::And(..) | Node::Phrase(..) => rank_and(weights, vector, query),
        _ => rank_or(weights, vector, query),
    };
    if rank < 0.0 {
        rank = 1e-20;
    }
    let unique = vector.entries.len();
    let set = |bit: i32| method & bit != 0;
    if set(normalization::LOG_LENGTH) {
        rank = (f64::from(rank) / (((length(vector) + 1) as f64).ln() / 2f64.ln())) as f32;
    }
    if set(normalization::LENGTH) {
        rank /= length(vector) as f32;
    }
    if set(normalization::UNIQUE) {
        rank /= unique as f32;
    }
    if set(normalization::LOG_UNIQUE) {
        rank = (f64::from(rank) / (((unique + 1) as f64).ln() / 2f64.ln())) as f32;
    }
    if set(normalization::FRACTION) {
        rank /= rank + 1.0;
    }
    rank
}

/// Less for words that are farther from each other.
fn nearness(distance: i32) -> f32 {
    if distance > 100 {
        return 1e-30;
    }
    (1.0 / (1.005 + 0.05 * (f64::from(distance as f32) / 1.5 - 2.0).exp())) as f32
}

/// Positions of a lexeme; one that is like no other if it has none.
fn places(entry: &Entry<'_>, none: Position) -> (Vec<Position>, bool) {
    if entry.has_positions() { (entry.positions().collect(), true) } else { (vec![none], false) }
}

fn rank_and(weights: &Weights, vector: &Vector<'_>, query: &TsQuery) -> f32 {
    let words = words(query);
    if words.len() < 2 {
        return rank_or(weights, vector, query);
    }
    let none = Position::new(MAX_POSITION, Weight::D);
    let mut result = -1.0_f32;
    let mut known: Vec<Option<(Vec<Position>, bool)>> = vec![None; words.len()];
    for (number, word) in words.iter().enumerate() {
        for entry in vector.found(word) {
            let (here, has_positions) = places(entry, none);
            for (others, other_has) in known.iter().take(number).flatten() {
                for position in &here {
                    for other in others {
                        let distance = (i32::from(position.place()) - i32::from(other.place())).abs();
                        if distance == 0 && has_positions && *other_has {
                            continue;
                        }
                        let distance = if distance == 0 { i32::from(MAX_POSITION) + 1 } else { distance };
                        let product = weight_of(weights, *position) * weight_of(weights, *other) * nearness(distance);
                        let current = f64::from(product).sqrt() as f32;
                        result = if result < 0.0 {
                            current
                        } else {
                            (1.0 - (1.0 - f64::from(result)) * (1.0 - f64::from(current))) as f32
                        };
                    }
                }
            }
            if let Some(place) = known.get_mut(number) {
                *place = Some((here, has_positions));
            }
        }
    }
    result
}

fn rank_or(weights: &Weights, vector: &Vector<'_>, query: &TsQuery) -> f32 {
    let words = words(query);
    let none = Position::new(0, Weight::D);
    let mut result = 0.0_f32;
    for word in &words {
        for entry in vector.found(word) {
            let (mut sum, mut greatest, mut at) = (0.0_f32, -1.0_f32, 0_usize);
            for (number, position) in places(entry, none).0.iter().enumerate() {
                let weight = weight_of(weights, *position);
                sum += weight / ((number + 1) * (number + 1)) as f32;
                if weight > greatest {
                    (greatest, at) = (weight, number);
                }
            }
            let part = greatest + sum - greatest / ((at + 1) * (at + 1)) as f32;
            // The sum of all 1/n² is the most that one word can reach.
            result = (f64::from(result) + f64::from(part) / 1.644_934_066_85) as f32;
        }
    }
    if words.is_empty() { result } else { result / words.len() as f32 }
}

// ------------------------------------------------------------------------------------------------ cover density

/// One place of a document where words of the query stand.
struct Spot {
    position: Position,
    /// Numbers of the operands in the query.
    operands: Vec<usize>,
}

/// What of the query stands between two spots.
struct Window {
    places: Vec<Option<Vec<i32>>>,
}

impl Document for Window {
    fn has(&self, number: usize, _: &Operand) -> Truth {
        if self.places.get(number).is_some_and(Option::is_some) { Truth::Yes } else { Truth::No }
    }

    fn places(&self, number: usize, _: &Operand) -> (Truth, Vec<i32>) {
        match self.places.get(number) {
            Some(Some(places)) => {
                let mut places = places.clone();
                places.sort_unstable();
                (Truth::Yes, places)
            }
            _ => (Truth::No, Vec::new()),
        }
    }
}

impl Window {
    fn new(query: &TsQuery) -> Self {
        Self { places: vec![None; query.nodes().len()] }
    }

    fn add(&mut self, spot: &Spot) {
        let place = i32::from(spot.position.place());
        for operand in &spot.operands {
            if let Some(places) = self.places.get_mut(*operand) {
                let places = places.get_or_insert_default();
                if places.last() != Some(&place) {
                    places.push(place);
                }
            }
        }
    }
}

/// The spots of a document in order.
fn spots(vector: &Vector<'_>, query: &TsQuery) -> Vec<Spot> {
    let mut found: Vec<(u16, u8, usize, usize)> = Vec::new();
    for (number, node) in query.nodes().iter().enumerate().rev() {
        let Node::Value(operand) = node else { continue };
        for index in vector.range(operand) {
            let Some(entry) = vector.entries.get(index) else { continue };
            let positions = entry.positions().filter(|position| weighs(operand, *position));
            found.extend(positions.map(|position| (position.place(), position.weight().number(), index, number)));
        }
    }
    found.sort_by_key(|(place, weight, entry, _)| (*place, *weight, *entry));
    let mut spots: Vec<(usize, Spot)> = Vec::new();
    for (place, weight, entry, operand) in found {
        let position = Position::new(place, Weight::from_number(weight));
        match spots.last_mut() {
            Some((last, spot)) if *last == entry && spot.position == position => spot.operands.push(operand),
            _ => spots.push((entry, Spot { position, operands: vec![operand] })),
        }
    }
    spots.into_iter().map(|(_, spot)| spot).collect()
}

/// A shortest part of the document in which the query holds: numbers of its first and last spot.
struct Cover {
    first: usize,
    last: usize,
}

/// The next cover from a spot on, and where to look for the one after it.
fn next_cover(spots: &[Spot], evaluator: &Evaluator, mut from: usize) -> Option<(Cover, usize)> {
    loop {
        let mut window = Window::new(evaluator.query());
        let last = spots.iter().enumerate().skip(from).find_map(|(number, spot)| {
            window.add(spot);
            evaluator.holds(&window).then_some(number)
        })?;
        let mut window = Window::new(evaluator.query());
        let first = (from..=last).rev().find(|&number| {
            spots.get(number).is_some_and(|spot| {
                window.add(spot);
                evaluator.holds(&window)
            })
        });
        match first {
            Some(first) => return Some((Cover { first, last }, first + 1)),
            None => from += 1,
        }
    }
}

fn cover_density(weights: &Weights, vector: &Vector<'_>, evaluator: &Evaluator, method: i32) -> f32 {
    let spots = spots(vector, evaluator.query());
    let inverse = weights.map(|weight| 1.0 / f64::from(weight));
    let place = |number: usize| spots.get(number).map_or(0, |spot| i32::from(spot.position.place()));
    let (mut rank, mut distances, mut covers) = (0.0_f64, 0.0_f64, 0_u32);
    let (mut from, mut last_middle) = (0, 0.0_f64);
    while let Some((cover, next)) = next_cover(&spots, evaluator, from) {
        from = next;
        let within = spots.get(cover.first..=cover.last).unwrap_or_default();
        let inverse_sum: f64 = within
            .iter()
            .map(|spot| inverse.get(usize::from(spot.position.weight().number())).copied().unwrap_or_default())
            .sum();
        let count = (cover.last - cover.first) as i32;
        let (start, end) = (place(cover.first), place(cover.last));
        let mut noise = end - start - count;
        if noise < 0 {
            noise = count / 2;
        }
        rank += (f64::from(count + 1) / inverse_sum) / f64::from(1 + noise);
        let middle = f64::from(end + start) / 2.0;
        if covers > 0 && middle > last_middle {
            distances += 1.0 / (middle - last_middle);
        }
        last_middle = middle;
        covers += 1;
    }
    let unique = vector.entries.len();
    let set = |bit: i32| method & bit != 0;
    if unique > 0 {
        if set(normalization::LOG_LENGTH) {
            rank /= ((length(vector) + 1) as f64).ln();
        }
        if set(normalization::LENGTH) {
            rank /= length(vector) as f64;
        }
        if set(normalization::EXTENT_DISTANCE) && covers > 0 && distances > 0.0 {
            rank /= f64::from(covers) / distances;
        }
        if set(normalization::UNIQUE) {
            rank /= unique as f64;
        }
        if set(normalization::LOG_UNIQUE) {
            rank /= ((unique + 1) as f64).ln() / 2f64.ln();
        }
    }
    if set(normalization::FRACTION) {
        rank /= rank + 1.0;
    }
    rank as f32
}
