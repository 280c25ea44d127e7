//! How often lexemes occur in documents: `ts_stat` (manual 12.4.4).

use std::collections::BTreeMap;

use aegis_catalog::types::oid;
use aegis_catalog::types::text_search::{Entries, Weight};
use aegis_catalog::{Error, Result, sqlstate};

use crate::extension::{Caller, Row as Values};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![f("ts_stat(text)", crate::session!(statistics)), f("ts_stat(text, text)", crate::session!(statistics))]
}

/// Number of documents and of occurrences for each lexeme of the vectors that a statement yields.
async fn statistics(mut caller: Caller<'_>, arguments: Values) -> Result<Vec<Values>> {
    let statement = arguments.get::<&str>(0)?.to_owned();
    let weights = if arguments.0.len() > 1 { weights(arguments.get(1)?) } else { Vec::new() };
    let mut words: BTreeMap<String, (i32, i32)> = BTreeMap::new();
    for row in caller.query(&statement, Values(Vec::new())).await? {
        let [vector] = &row.0[..] else { return Err(not_one_vector()) };
        if vector.ty().oid != oid::TSVECTOR {
            return Err(not_one_vector());
        }
        for entry in vector.get::<Option<&[u8]>>()?.map(Entries::new).into_iter().flatten() {
            let count = match weights.as_slice() {
                [] => entry.positions().len().max(1),
                weights => entry.positions().filter(|position| weights.contains(&position.weight())).count(),
            };
            if count > 0 {
                let (documents, occurrences) = words.entry(entry.text().to_owned()).or_default();
                *documents = documents.saturating_add(1);
                *occurrences = occurrences.saturating_add(count as i32);
            }
        }
    }
    Ok(words.into_iter().map(|(word, (documents, occurrences))| crate::row![word, documents, occurrences]).collect())
}

fn not_one_vector() -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, "ts_stat query must return one tsvector column")
}

/// Letters of weights; others mean nothing.
fn weights(letters: &str) -> Vec<Weight> {
    letters.chars().filter_map(Weight::from_letter).collect()
}
