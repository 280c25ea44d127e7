//! Functions and operators over vectors (manual 12.4.1).

use aegis_catalog::types::text_search::{Entries, MAX_POSITION, Position, TsVector, Weight};
use aegis_catalog::{Error, Result, sqlstate};

use crate::functions::array::List;
use crate::functions::kernel::kernel;
use crate::functions::set_returning::records;
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("length(tsvector)", kernel!(|a: &[u8]| Entries::new(a).len() as i32)),
        f("strip(tsvector)", kernel!(|a: TsVector| strip(a))),
        f("tsvector_concat(tsvector, tsvector)", kernel!(|a: TsVector, b: TsVector| concatenate(&a, &b))),
        f("setweight(tsvector, char)", kernel!(|a: TsVector, weight: &str| set_weight(&a, weight, None))),
        f(
            "setweight(tsvector, char, text[])",
            kernel!(|a: TsVector, weight: &str, words: List<&str>| set_weight(&a, weight, Some(&words))),
        ),
        f("ts_delete(tsvector, text)", kernel!(|a: TsVector, word: &str| delete(&a, &[Some(word)]))),
        f("ts_delete(tsvector, text[])", kernel!(|a: TsVector, words: List<&str>| delete(&a, &words.0))),
        f("ts_filter(tsvector, char[])", kernel!(|a: TsVector, weights: List<&str>| filter(&a, &weights))),
        f(
            "tsvector_to_array(tsvector)",
            kernel!(|a: TsVector| a.entries().iter().map(|(word, _)| word.clone()).collect::<List<String>>()),
        ),
        f("array_to_tsvector(text[])", kernel!(|words: List<&str>| of_array(&words))),
        records("unnest(tsvector)", |_, inputs, row| {
            let vector = inputs.reader::<TsVector>(0)?.get(row);
            Ok(vector.entries().iter().map(|(word, positions)| unnested(word, positions)).collect())
        }),
    ]
}

type Word = (String, Vec<Position>);

fn strip(vector: TsVector) -> Result<TsVector> {
    TsVector::new(vector.entries().iter().map(|(word, _)| (word.clone(), Vec::new())).collect())
}

/// Positions of the second vector are moved behind those of the first.
fn concatenate(a: &TsVector, b: &TsVector) -> Result<TsVector> {
    let positions = a.entries().iter().flat_map(|(_, positions)| positions);
    let last = positions.map(|position| position.place()).max().unwrap_or(0);
    let moved =
        |position: &Position| Position::new(position.place().saturating_add(last).min(MAX_POSITION), position.weight());
    let behind = |(word, positions): &Word| (word.clone(), positions.iter().map(moved).collect());
    TsVector::new(a.entries().iter().cloned().chain(b.entries().iter().map(behind)).collect())
}

fn set_weight(vector: &TsVector, weight: &str, words: Option<&List<&str>>) -> Result<TsVector> {
    let letter = weight.chars().next().unwrap_or('\0');
    let weight = Weight::from_letter(letter)
        .ok_or_else(|| Error::new(sqlstate::INTERNAL_ERROR, format!("unrecognized weight: {}", u32::from(letter))))?;
    let is_meant = |word: &str| words.is_none_or(|words| words.0.contains(&Some(word)));
    let weighted = |(word, positions): &Word| {
        let position = |position: &Position| Position::new(position.place(), weight);
        let positions = if is_meant(word) { positions.iter().map(position).collect() } else { positions.clone() };
        (word.clone(), positions)
    };
    TsVector::new(vector.entries().iter().map(weighted).collect())
}

/// Null words mean nothing.
fn delete(vector: &TsVector, words: &[Option<&str>]) -> Result<TsVector> {
    let kept = vector.entries().iter().filter(|(word, _)| !words.contains(&Some(word.as_str())));
    TsVector::new(kept.cloned().collect())
}

fn filter(vector: &TsVector, weights: &List<&str>) -> Result<TsVector> {
    let mut wanted = Vec::new();
    for weight in &weights.0 {
        let Some(weight) = weight else {
            return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "weight array may not contain nulls"));
        };
        let letter = weight.chars().next().unwrap_or('\0');
        wanted.push(Weight::from_letter(letter).ok_or_else(|| {
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unrecognized weight: \"{letter}\""))
        })?);
    }
    let of_weight = |(word, positions): &Word| {
        let positions: Vec<_> =
            positions.iter().filter(|position| wanted.contains(&position.weight())).copied().collect();
        (!positions.is_empty()).then(|| (word.clone(), positions))
    };
    TsVector::new(vector.entries().iter().filter_map(of_weight).collect())
}

fn of_array(words: &List<&str>) -> Result<TsVector> {
    let word = |word: &Option<&str>| match word {
        None => Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, "lexeme array may not contain nulls")),
        Some("") => {
            Err(Error::new(sqlstate::ZERO_LENGTH_CHARACTER_STRING, "lexeme array may not contain empty strings"))
        }
        Some(word) => Ok(((*word).to_owned(), Vec::new())),
    };
    TsVector::new(words.0.iter().map(word).collect::<Result<_>>()?)
}

fn unnested(word: &str, positions: &[Position]) -> Vec<Option<String>> {
    let list = |item: fn(&Position) -> String| {
        let items: Vec<String> = positions.iter().map(item).collect();
        (!items.is_empty()).then(|| format!("{{{}}}", items.join(",")))
    };
    vec![
        Some(word.to_owned()),
        list(|position| position.place().to_string()),
        list(|position| position.weight().letter().to_string()),
    ]
}
