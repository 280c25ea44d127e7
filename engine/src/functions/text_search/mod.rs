//! Full text search (PostgreSQL manual 9.13, chapter 12): documents become vectors of lexemes, questions become queries, and `@@` brings them
//! together.

mod configuration;
mod debug;
mod dictionary;
mod document;
mod evaluate;
mod headline;
mod parser;
mod query;
mod rank;
mod rewrite;
mod statistics;
mod stem;
mod stop;
mod value;
mod vector;

pub(crate) use dictionary::check_options;
pub(crate) use parser::TOKEN_TYPES;

use super::signature::Row;

pub fn functions() -> Vec<Row> {
    [
        document::functions(),
        query::functions(),
        vector::functions(),
        evaluate::functions(),
        rewrite::functions(),
        rank::functions(),
        headline::functions(),
        debug::functions(),
        statistics::functions(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
