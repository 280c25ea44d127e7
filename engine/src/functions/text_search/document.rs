//! Texts and JSON as vectors: `to_tsvector` (manual 12.3.1).

use std::sync::Arc;

use aegis_catalog::types::text_search::{MAX_POSITION, MAX_WORD, Position, TsVector, Weight};
use aegis_catalog::{Error, Result, sqlstate};

use super::configuration::{Configuration, Configurations};
use super::parser::tokens;
use crate::functions::Body;
use crate::functions::json::raw::{self, Kind};
use crate::functions::json::scalars::{Wanted, visit};
use crate::functions::kernel::Inputs;
use crate::functions::signature::{Row, f};
use crate::functions::value::Outcome;
use crate::session::context::StatementContext;

pub fn functions() -> Vec<Row> {
    vec![
        f("to_tsvector(text)", of_text(false, vector)),
        f("to_tsvector(regconfig, text)", of_text(true, vector)),
        f("to_tsvector(json)", of_text(false, |config, context, text| json_vector(config, context, text, STRINGS))),
        f("to_tsvector(jsonb)", of_text(false, |config, context, text| json_vector(config, context, text, STRINGS))),
        f(
            "to_tsvector(regconfig, json)",
            of_text(true, |config, context, text| json_vector(config, context, text, STRINGS)),
        ),
        f(
            "to_tsvector(regconfig, jsonb)",
            of_text(true, |config, context, text| json_vector(config, context, text, STRINGS)),
        ),
        f("json_to_tsvector(json, jsonb)", of_json(false)),
        f("json_to_tsvector(regconfig, json, jsonb)", of_json(true)),
        f("jsonb_to_tsvector(jsonb, jsonb)", of_json(false)),
        f("jsonb_to_tsvector(regconfig, jsonb, jsonb)", of_json(true)),
    ]
}

/// A function of a text, perhaps with a configuration before it.
pub fn of_text<R: Outcome + 'static>(
    configured: bool,
    function: impl Fn(&Configuration, &StatementContext, &str) -> R + Send + Sync + 'static,
) -> Body
where
    Result<R>: Outcome<Value = R::Value>,
{
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let configs = if configured { Some(inputs.reader::<u32>(0)?) } else { None };
        let texts = inputs.reader::<&str>(usize::from(configured))?;
        let mut configurations = Configurations::new(call.context);
        inputs.run(
            call.rows,
            false,
            |row| texts.skips(row) || configs.as_ref().is_some_and(|configs| configs.skips(row)),
            |row| {
                let config = configurations.get(configs.as_ref().map(|configs| configs.get(row)))?;
                Ok(function(&config, call.context, texts.get(row)))
            },
        )
    }))
}

fn of_json(configured: bool) -> Body {
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let configs = if configured { Some(inputs.reader::<u32>(0)?) } else { None };
        let texts = inputs.reader::<&str>(usize::from(configured))?;
        let flags = inputs.reader::<&str>(usize::from(configured) + 1)?;
        let mut configurations = Configurations::new(call.context);
        inputs.run(
            call.rows,
            false,
            |row| texts.skips(row) || flags.skips(row) || configs.as_ref().is_some_and(|configs| configs.skips(row)),
            |row| {
                let config = configurations.get(configs.as_ref().map(|configs| configs.get(row)))?;
                json_vector(&config, call.context, texts.get(row), wanted(flags.get(row))?)
            },
        )
    }))
}

const TOKENS_BETWEEN_CHECKS: usize = 256;

/// One lexeme of a text.
pub struct Lexeme {
    pub text: String,
    /// From 1 on, counting stop words.
    pub place: usize,
}

/// The lexemes of a text, appended to those before; `place` counts on.
pub fn lexemes(
    config: &Configuration,
    context: &StatementContext,
    text: &str,
    place: &mut usize,
    found: &mut Vec<Lexeme>,
) -> Result<()> {
    for (number, token) in tokens(text).enumerate() {
        if number % TOKENS_BETWEEN_CHECKS == 0 {
            context.check_cancelled()?;
        }
        if token.text.len() >= MAX_WORD {
            too_long(context);
            continue;
        }
        if let Some(lexemes) = config.lexize(token.kind, token.text) {
            *place += 1;
            found.extend(lexemes.into_iter().map(|text| Lexeme { text, place: *place }));
        }
    }
    Ok(())
}

pub fn too_long(context: &StatementContext) {
    context.services.notice("NOTICE", "word is too long to be indexed");
}

pub fn vector(config: &Configuration, context: &StatementContext, text: &str) -> Result<TsVector> {
    let (mut place, mut found) = (0, Vec::new());
    lexemes(config, context, text, &mut place, &mut found)?;
    of_lexemes(found)
}

fn of_lexemes(lexemes: Vec<Lexeme>) -> Result<TsVector> {
    let position = |place: usize| Position::new(place.min(MAX_POSITION.into()) as u16, Weight::D);
    TsVector::new(lexemes.into_iter().map(|lexeme| (lexeme.text, vec![position(lexeme.place)])).collect())
}

// ---------------------------------------------------------------------------------------------- JSON

const STRINGS: Wanted = Wanted { strings: true, numbers: false, booleans: false, keys: false };
const ALL: Wanted = Wanted { strings: true, numbers: true, booleans: true, keys: true };

fn json_vector(config: &Configuration, context: &StatementContext, json: &str, wanted: Wanted) -> Result<TsVector> {
    let (mut place, mut found) = (0, Vec::new());
    let mut failed = Ok(());
    visit(json, wanted, &mut |text: &str| {
        let before = found.len();
        if failed.is_ok() {
            failed = lexemes(config, context, text, &mut place, &mut found);
        }
        // Words of different values are no neighbours.
        place += usize::from(found.len() > before);
    });
    failed?;
    of_lexemes(found)
}

/// What `json_to_tsvector`'s last argument asks for: `"all"`, or `["string", "numeric", "boolean", "key"]`.
fn wanted(flags: &str) -> Result<Wanted> {
    let invalid = |message: String| Error::new(sqlstate::INVALID_PARAMETER_VALUE, message);
    let hint = "Possible values are: \"string\", \"numeric\", \"boolean\", \"key\", and \"all\".";
    let each = match Kind::of(flags) {
        Kind::Object => return Err(invalid("wrong flag type, only arrays and scalars are allowed".to_owned())),
        Kind::Array => raw::elements(flags),
        _ => vec![flags],
    };
    let mut wanted = Wanted::default();
    for flag in each {
        if Kind::of(flag) != Kind::String {
            return Err(invalid("flag array element is not a string".to_owned()).with_hint(hint));
        }
        let text = raw::decoded(flag);
        match text.to_ascii_lowercase().as_str() {
            "all" => wanted = ALL,
            "key" => wanted.keys = true,
            "string" => wanted.strings = true,
            "numeric" => wanted.numbers = true,
            "boolean" => wanted.booleans = true,
            _ => return Err(invalid(format!("wrong flag in flag array: \"{text}\"")).with_hint(hint)),
        }
    }
    Ok(wanted)
}
