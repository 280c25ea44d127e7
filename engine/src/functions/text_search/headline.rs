//! Pieces of a text with the words of a query marked: `ts_headline` (manual 12.3.4).

mod choose;
mod options;

use std::sync::Arc;

use aegis_catalog::Result;
use aegis_catalog::types::text_search::{MAX_WORD, Node, Operand, TsQuery};

use self::options::Options;
use super::configuration::{Configuration, Configurations};
use super::document::too_long;
use super::evaluate::{Document, Evaluator, Truth};
use super::parser::{TokenType, tokens};
use crate::functions::Body;
use crate::functions::json::scalars;
use crate::functions::kernel::Inputs;
use crate::functions::signature::{Row, f};
use crate::session::context::StatementContext;

pub fn functions() -> Vec<Row> {
    let mut rows = Vec::new();
    for (ty, form) in [("text", Form::Text), ("json", Form::Json), ("jsonb", Form::Jsonb)] {
        for (config, options, signature) in [
            (false, false, format!("ts_headline({ty}, tsquery)")),
            (false, true, format!("ts_headline({ty}, tsquery, text)")),
            (true, false, format!("ts_headline(regconfig, {ty}, tsquery)")),
            (true, true, format!("ts_headline(regconfig, {ty}, tsquery, text)")),
        ] {
            rows.push(f(signature, body(form, config, options)));
        }
    }
    rows
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Jsonb,
}

fn body(form: Form, configured: bool, optioned: bool) -> Body {
    Body::Scalar(Arc::new(move |call, args| {
        let inputs = Inputs::new(args)?;
        let first = usize::from(configured);
        let configs = if configured { Some(inputs.reader::<u32>(0)?) } else { None };
        let texts = inputs.reader::<&str>(first)?;
        let queries = inputs.reader::<TsQuery>(first + 1)?;
        let options = if optioned { Some(inputs.reader::<&str>(first + 2)?) } else { None };
        let mut configurations = Configurations::new(call.context);
        inputs.run(
            call.rows,
            false,
            |row| inputs.any_null(row),
            |row| {
                let config = configurations.get(configs.as_ref().map(|configs| configs.get(row)))?;
                let options = Options::parse(options.as_ref().map_or("", |options| options.get(row)))?;
                let evaluator = Evaluator::new(queries.get(row));
                let make = |text: &str| headline(&config, call.context, text, &evaluator, &options);
                match form {
                    Form::Text => make(texts.get(row)),
                    Form::Json => scalars::map_strings(texts.get(row), make),
                    Form::Jsonb => {
                        let json = scalars::map_strings(texts.get(row), make)?;
                        Ok(aegis_catalog::types::json::canonical(&json)?)
                    }
                }
            },
        )
    }))
}

/// A token of the text, or one more operand that it matches.
#[derive(Debug, Clone)]
struct Word<'a> {
    text: &'a str,
    kind: TokenType,
    /// Among the words; 0 for what is none, and for stop words.
    place: i32,
    /// The operand of the query that it matches, by its node.
    operand: Option<usize>,
    /// Not a token of its own: the one before matches this operand, too.
    repeated: bool,
    mark: Mark,
}

/// What becomes of a token.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    shown: bool,
    selected: bool,
    /// Stands for a blank.
    replaced: bool,
    /// Stands for its parts, which follow.
    skipped: bool,
}

impl Word<'_> {
    /// A word of the query.
    fn counts(&self) -> bool {
        self.operand.is_some() && !self.repeated
    }

    /// Neither blank, nor a tag, nor a token with parts.
    fn is_word(&self) -> bool {
        !matches!(self.kind, TokenType::Blank | TokenType::Tag) && !self.has_parts()
    }

    fn has_parts(&self) -> bool {
        use TokenType::{AsciiHyphenWord, HyphenWord, NumHyphenWord, Url};
        matches!(self.kind, Url | NumHyphenWord | AsciiHyphenWord | HyphenWord)
    }

    /// No good word to begin or end with.
    fn is_bad_end(&self, short: usize) -> bool {
        use TokenType::{Entity, Float, Int, Protocol, Scientific, UInt, Version};
        !self.is_word()
            || matches!(self.kind, Scientific | Version | Float | Int | UInt | Protocol | Entity)
            || self.text.len() <= short
    }
}

/// Words from one to another as a document.
struct Piece<'a> {
    words: &'a [Word<'a>],
}

impl Document for Piece<'_> {
    fn has(&self, number: usize, _: &Operand) -> Truth {
        let found = self.words.iter().any(|word| word.operand == Some(number));
        if found { Truth::Yes } else { Truth::No }
    }

    fn places(&self, number: usize, _: &Operand) -> (Truth, Vec<i32>) {
        let mut places: Vec<i32> = Vec::new();
        for word in self.words.iter().filter(|word| word.operand == Some(number)) {
            if places.last().is_none_or(|&last| last < word.place) {
                places.push(word.place);
            }
        }
        (if places.is_empty() { Truth::No } else { Truth::Yes }, places)
    }
}

fn headline(
    config: &Configuration,
    context: &StatementContext,
    text: &str,
    evaluator: &Evaluator,
    options: &Options,
) -> Result<String> {
    let mut words = words(config, context, text, evaluator.query());
    options.check()?;
    choose::choose(&mut words, evaluator, options);
    Ok(shown(&words, options))
}

fn words<'a>(config: &Configuration, context: &StatementContext, text: &'a str, query: &TsQuery) -> Vec<Word<'a>> {
    // The first node that PostgreSQL meets is the last one here.
    let operands: Vec<(usize, &Operand)> = query
        .nodes()
        .iter()
        .enumerate()
        .rev()
        .filter_map(|(number, node)| if let Node::Value(operand) = node { Some((number, operand)) } else { None })
        .collect();
    let (mut words, mut place): (Vec<Word<'a>>, i32) = (Vec::new(), 0);
    for token in tokens(text) {
        if token.text.len() >= MAX_WORD {
            too_long(context);
            continue;
        }
        let mut word = Word {
            text: token.text,
            kind: token.kind,
            place: 0,
            operand: None,
            repeated: false,
            mark: Mark::default(),
        };
        let lexemes = config.lexize(token.kind, token.text);
        place += i32::from(lexemes.is_some());
        let mut matched = Vec::new();
        for lexeme in lexemes.unwrap_or_default() {
            word.place = place.min(i32::from(aegis_catalog::types::text_search::MAX_POSITION));
            matched.extend(operands.iter().filter(|(_, operand)| match operand.prefix {
                true => lexeme.starts_with(&operand.word),
                false => lexeme == operand.word,
            }));
        }
        let mut matched = matched.into_iter().map(|(number, _)| number);
        word.operand = matched.next();
        words.push(word.clone());
        words.extend(matched.map(|number| Word { operand: Some(number), repeated: true, ..word.clone() }));
    }
    words
}

/// The words that are marked, in pieces.
fn shown(words: &[Word<'_>], options: &Options) -> String {
    let mut out = String::new();
    let (mut pieces, mut within) = (0, false);
    for (number, word) in words.iter().enumerate() {
        if word.repeated {
            continue;
        }
        if !word.mark.shown {
            within = false;
            continue;
        }
        if !within {
            within = true;
            pieces += 1;
            if pieces > 1 {
                out.push_str(&options.fragment_delimiter);
            }
        }
        if word.mark.replaced {
            out.push(' ');
            continue;
        }
        if word.mark.skipped {
            continue;
        }
        let selected =
            |number: Option<usize>| number.and_then(|number| words.get(number)).is_some_and(|word| word.mark.selected);
        if word.mark.selected && !selected(number.checked_sub(1)) {
            out.push_str(&options.start);
        }
        out.push_str(word.text);
        if word.mark.selected && !selected(Some(number + 1)) {
            out.push_str(&options.stop);
        }
    }
    out
}
