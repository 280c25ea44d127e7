//! Dictionaries: what makes lexemes of tokens (manual 12.6).

use aegis_catalog::object::TextSearchDictionary;
use aegis_catalog::text_search::{SIMPLE_TEMPLATE, SNOWBALL_TEMPLATE, template_name};
use aegis_catalog::{Error, Result, sqlstate};

use super::stem::Stemmer;
use super::stop::{self, StopWords};

/// Longer words are not stemmed.
const LONGEST_STEMMED: usize = 1000;

/// A dictionary that is ready for words.
#[derive(Clone)]
pub enum Dictionary {
    /// Words in lower case.
    Simple {
        stop: Option<&'static StopWords>,
        /// Without it other words are left to the next dictionary.
        accept: bool,
    },
    Snowball {
        stop: Option<&'static StopWords>,
        stemmer: Stemmer,
    },
}

impl Dictionary {
    pub fn new(described: &TextSearchDictionary) -> Result<Self> {
        let mut stop = None;
        let mut language = None;
        let mut accept = true;
        for (name, value) in &described.options {
            match (described.template, name.as_str()) {
                (SIMPLE_TEMPLATE | SNOWBALL_TEMPLATE, "stopwords") if stop.is_some() => {
                    return Err(invalid("multiple StopWords parameters".to_owned()));
                }
                (SIMPLE_TEMPLATE | SNOWBALL_TEMPLATE, "stopwords") => stop = Some(stop_words(value)?),
                (SIMPLE_TEMPLATE, "accept") => accept = boolean(value)?,
                (SNOWBALL_TEMPLATE, "language") if language.is_some() => {
                    return Err(invalid("multiple Language parameters".to_owned()));
                }
                (SNOWBALL_TEMPLATE, "language") => language = Some(value),
                (SIMPLE_TEMPLATE, other) => {
                    return Err(invalid(format!("unrecognized simple dictionary parameter: \"{other}\"")));
                }
                (SNOWBALL_TEMPLATE, other) => {
                    return Err(invalid(format!("unrecognized Snowball parameter: \"{other}\"")));
                }
                _ => {}
            }
        }
        match described.template {
            SIMPLE_TEMPLATE => Ok(Self::Simple { stop, accept }),
            SNOWBALL_TEMPLATE => {
                let language = language.ok_or_else(|| invalid("missing Language parameter".to_owned()))?;
                let stemmer = Stemmer::of(&language.to_lowercase()).ok_or_else(|| {
                    let message =
                        format!("no Snowball stemmer available for language \"{language}\" and encoding \"UTF8\"");
                    Error::new(sqlstate::UNDEFINED_OBJECT, message)
                })?;
                Ok(Self::Snowball { stop, stemmer })
            }
            other => {
                let template = template_name(other).unwrap_or("unknown");
                Err(Error::unsupported(format!("text search template {template}")))
            }
        }
    }

    /// The lexemes of a token: none for a stop word, None if the dictionary does not know it.
    pub fn lexize(&self, token: &str) -> Option<Vec<String>> {
        let word = lower(token);
        match self {
            Self::Simple { stop, .. } if is_in(*stop, &word) => Some(Vec::new()),
            Self::Simple { accept, .. } => accept.then(|| vec![word]),
            Self::Snowball { stop, .. } if word.is_empty() || is_in(*stop, &word) => Some(Vec::new()),
            Self::Snowball { .. } if word.len() > LONGEST_STEMMED => Some(vec![word]),
            Self::Snowball { stemmer, .. } => Some(vec![stemmer.stem(&word).into_owned()]),
        }
    }
}

/// Whether a dictionary may be made so.
pub fn check_options(described: &TextSearchDictionary) -> Result<()> {
    Dictionary::new(described).map(|_| ())
}

fn is_in(words: Option<&'static StopWords>, word: &str) -> bool {
    words.is_some_and(|words| words.contains(word))
}

fn stop_words(name: &str) -> Result<&'static StopWords> {
    stop::words(name).ok_or_else(|| {
        let message = format!("could not open stop-word file \"{name}.stop\": No such file or directory");
        Error::new(sqlstate::CONFIG_FILE_ERROR, message)
    })
}

fn boolean(value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => Err(Error::new(sqlstate::SYNTAX_ERROR, "accept requires a Boolean value")),
    }
}

fn invalid(message: String) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// Lower case character by character, as C's `towlower`.
pub fn lower(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let one = |c: char| {
        let mut lower = c.to_lowercase();
        match (lower.next(), lower.next()) {
            (Some(lower), None) => lower,
            (Some(first), Some(_)) if c == '\u{130}' => first,
            _ => c,
        }
    };
    text.chars().map(one).collect()
}
