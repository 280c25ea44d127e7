//! What parsers and dictionaries make of a text (manual 12.8), and statistics of documents.

use std::sync::Arc;

use aegis_catalog::text_search::DEFAULT_PARSER;
use aegis_catalog::{Error, Oid, Result, sqlstate};

use super::configuration::{Configurations, current, dictionary};
use super::parser::{TOKEN_TYPES, tokens};
use super::value::Memo;
use crate::functions::array::List;
use crate::functions::kernel::{Inputs, kernel};
use crate::functions::set_returning::{Record, records};
use crate::functions::signature::{Row, f};
use crate::functions::{Body, Call};

pub fn functions() -> Vec<Row> {
    [
        f("get_current_ts_config()", kernel!(|call;| current(call.context))),
        f("ts_lexize(regdictionary, text)", lexize()),
        records("ts_token_type(text)", |_, inputs, row| {
            parser_named(inputs.reader::<&str>(0)?.get(row))?;
            Ok(token_types())
        }),
        records("ts_token_type(oid)", |_, inputs, row| {
            parser(inputs.reader::<u32>(0)?.get(row))?;
            Ok(token_types())
        }),
        records("ts_parse(text, text)", |_, inputs, row| {
            parser_named(inputs.reader::<&str>(0)?.get(row))?;
            Ok(parsed(inputs.reader::<&str>(1)?.get(row)))
        }),
        records("ts_parse(oid, text)", |_, inputs, row| {
            parser(inputs.reader::<u32>(0)?.get(row))?;
            Ok(parsed(inputs.reader::<&str>(1)?.get(row)))
        }),
        records("ts_debug(text)", |call, inputs, row| debugged(call, None, inputs.reader::<&str>(0)?.get(row))),
        records("ts_debug(regconfig, text)", |call, inputs, row| {
            let config = inputs.reader::<u32>(0)?.get(row);
            debugged(call, Some(config), inputs.reader::<&str>(1)?.get(row))
        }),
    ]
    .into_iter()
    .chain(support())
    .collect()
}

/// What the catalogs say that parsers and templates consist of. Nobody can call them: they take what SQL has no values of.
fn support() -> impl Iterator<Item = Row> {
    const FUNCTIONS: [&str; 15] = [
        "prsd_start(internal, int4)",
        "prsd_nexttoken(internal, internal, internal)",
        "prsd_end(internal)",
        "prsd_headline(internal, internal, tsquery)",
        "prsd_lextype(internal)",
        "dsimple_init(internal)",
        "dsimple_lexize(internal, internal, internal, internal)",
        "dsnowball_init(internal)",
        "dsnowball_lexize(internal, internal, internal, internal)",
        "dsynonym_init(internal)",
        "dsynonym_lexize(internal, internal, internal, internal)",
        "dispell_init(internal)",
        "dispell_lexize(internal, internal, internal, internal)",
        "thesaurus_init(internal)",
        "thesaurus_lexize(internal, internal, internal, internal)",
    ];
    FUNCTIONS.into_iter().map(|signature| f(signature, kernel!(|| Err::<i32, _>(Error::unsupported("calls of it")))))
}

fn lexize() -> Body {
    Body::Scalar(Arc::new(|call, args| {
        let inputs = Inputs::new(args)?;
        let (dictionaries, words) = (inputs.reader::<u32>(0)?, inputs.reader::<&str>(1)?);
        let mut loaded = Memo::new();
        inputs.run(
            call.rows,
            false,
            |row| inputs.any_null(row),
            |row| {
                let oid = dictionaries.get(row);
                let dictionary = loaded.get(&oid.to_be_bytes(), |_| dictionary(call.context, oid));
                let dictionary = dictionary.as_ref().map_err(Clone::clone)?;
                Ok::<_, Error>(
                    dictionary.lexize(words.get(row)).map(|lexemes| lexemes.into_iter().collect::<List<String>>()),
                )
            },
        )
    }))
}

fn parser_named(name: &str) -> Result<()> {
    if matches!(name, "default" | "pg_catalog.default" | "\"default\"" | "pg_catalog.\"default\"") {
        return Ok(());
    }
    let message = format!("text search parser \"{name}\" does not exist");
    Err(Error::new(sqlstate::UNDEFINED_OBJECT, message))
}

fn parser(oid: Oid) -> Result<()> {
    if oid == DEFAULT_PARSER {
        return Ok(());
    }
    Err(Error::internal(format!("cache lookup failed for text search parser {oid}")))
}

fn token_types() -> Vec<Record> {
    let record = |(kind, alias, description): &(super::parser::TokenType, &str, &str)| {
        vec![Some((*kind as u8).to_string()), Some((*alias).to_owned()), Some((*description).to_owned())]
    };
    TOKEN_TYPES.iter().map(record).collect()
}

fn parsed(text: &str) -> Vec<Record> {
    tokens(text).map(|token| vec![Some((token.kind as u8).to_string()), Some(token.text.to_owned())]).collect()
}

fn debugged(call: &Call<'_>, config: Option<Oid>, text: &str) -> Result<Vec<Record>> {
    let config = Configurations::new(call.context).get(config)?;
    let rows = tokens(text).map(|token| {
        let dictionaries = config.dictionaries(token.kind);
        let all: Vec<String> = dictionaries.iter().map(|(oid, _)| oid.to_string()).collect();
        let found = dictionaries.iter().find_map(|(oid, dictionary)| Some((*oid, dictionary.lexize(token.text)?)));
        let (used, lexemes) = found.unzip();
        let (alias, description) =
            TOKEN_TYPES.get(token.kind as usize - 1).map_or(("", ""), |(_, alias, description)| (alias, description));
        vec![
            Some(alias.to_owned()),
            Some(description.to_owned()),
            Some(token.text.to_owned()),
            Some(format!("{{{}}}", all.join(","))),
            used.map(|oid: Oid| oid.to_string()),
            lexemes.as_deref().map(array_text),
        ]
    });
    Ok(rows.collect())
}

/// Texts as the text form of an array.
fn array_text(texts: &[String]) -> String {
    let quoted = |text: &String| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", texts.iter().map(quoted).collect::<Vec<_>>().join(","))
}
