//! Collations that order by a locale instead of by bytes (PostgreSQL manual 24.2, "Collation Support"): the only module that knows ICU4X.
//!
//! A comparison under such a collation is one of keys: bytes that compare as the texts do. How rows are stored and indexed knows nothing of it.

use std::sync::Arc;

use aegis_catalog::image::Catalog;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate, types::oid};
use arrow::array::{ArrayRef, BinaryViewArray, StringViewArray};
use arrow::datatypes::DataType;
use icu_casemap::{CaseMapper, TitlecaseMapper};
use icu_collator::options::{AlternateHandling, CaseLevel, CollatorOptions, MaxVariable, Strength};
use icu_collator::{CollatorBorrowed, CollatorPreferences};
use icu_locale_core::extensions::unicode::Key;
use icu_locale_core::{Locale, locale};

use crate::functions::value::downcast;

/// A collation by a locale of ICU.
pub struct Collation {
    pub oid: Oid,
    /// Texts that are not the same bytes are never equal: what the locale has as equal is in the order of bytes.
    pub deterministic: bool,
    /// As `pg_collation` has it.
    locale: String,
    parsed: Locale,
    collator: CollatorBorrowed<'static>,
}

/// What is computed of a text under a collation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Bytes that compare as the texts do.
    Key,
    /// A key from which the text can be had back; never equal for different texts.
    ReversibleKey,
    /// The text of a reversible key.
    Text,
    /// The same, where the text stands for a group of texts that are equal.
    Representative,
    Upper,
    Lower,
    Capitals,
}

impl Collation {
    /// The collation of that number, if it orders by a locale; none if by bytes.
    pub fn of(oid: Oid, catalog: &Catalog) -> Result<Option<Arc<Self>>> {
        let Some(facts) = catalog.collation_facts(oid) else { return Ok(None) };
        let Some(locale) = facts.icu_locale() else { return Ok(None) };
        Self::new(oid, locale, facts.deterministic).map(|made| Some(Arc::new(made)))
    }

    /// 0A000 for what the library can't tailor.
    pub fn new(oid: Oid, written: &str, deterministic: bool) -> Result<Self> {
        let parsed = parse(written)?;
        let options = options(&parsed)?;
        let collator = CollatorBorrowed::try_new(CollatorPreferences::from(&parsed), options).map_err(|error| {
            let message = format!("could not open collator for locale \"{written}\": {error}");
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
        })?;
        Ok(Self { oid, deterministic, locale: written.to_owned(), parsed, collator })
    }

    fn weights(&self, text: &str) -> Vec<u8> {
        let mut key = Vec::with_capacity(text.len() * 2 + 8);
        let Ok(()) = self.collator.write_sort_key_to(text, &mut key);
        key
    }

    /// Weights have no zero, so that the text behind one decides only between equal weights.
    fn reversible_key(&self, text: &str, compared: &str) -> Vec<u8> {
        let mut key = self.weights(compared);
        key.push(0);
        key.extend_from_slice(text.as_bytes());
        key
    }

    fn key(&self, text: &str) -> Vec<u8> {
        if self.deterministic { self.reversible_key(text, text) } else { self.weights(text) }
    }

    fn capitals(&self, text: &str) -> String {
        let mapper = TitlecaseMapper::new();
        let mut result = String::with_capacity(text.len());
        for word in words(text) {
            result.push_str(&mapper.titlecase_segment_to_string(word, &self.parsed.id, Default::default()));
        }
        result
    }

    /// Computes one column; `bpchar` says that blanks at the end of texts do not count.
    pub fn compute(&self, operation: Operation, column: &ArrayRef, bpchar: bool) -> Result<ArrayRef> {
        if matches!(operation, Operation::Text | Operation::Representative) {
            let keys: &BinaryViewArray = downcast(column)?;
            let texts = keys.iter().map(|key| key.map(text_of).transpose());
            return Ok(Arc::new(texts.collect::<Result<StringViewArray>>()?));
        }
        let texts: &StringViewArray = downcast(column)?;
        let texts = texts.iter();
        let compared = |text| if bpchar { str::trim_end_matches(text, ' ') } else { text };
        let case = CaseMapper::new();
        let language = &self.parsed.id;
        Ok(match operation {
            Operation::Key => {
                Arc::new(texts.map(|text| text.map(|text| self.key(compared(text)))).collect::<BinaryViewArray>())
            }
            Operation::ReversibleKey => Arc::new(
                texts
                    .map(|text| text.map(|text| self.reversible_key(text, compared(text))))
                    .collect::<BinaryViewArray>(),
            ),
            Operation::Upper => Arc::new(
                texts
                    .map(|text| text.map(|text| case.uppercase_to_string(text, language)))
                    .collect::<StringViewArray>(),
            ),
            Operation::Lower => Arc::new(
                texts
                    .map(|text| text.map(|text| case.lowercase_to_string(text, language)))
                    .collect::<StringViewArray>(),
            ),
            Operation::Capitals | Operation::Text | Operation::Representative => {
                Arc::new(texts.map(|text| text.map(|text| self.capitals(text))).collect::<StringViewArray>())
            }
        })
    }
}

impl Operation {
    /// As EXPLAIN shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Key => "collation_key",
            Self::ReversibleKey => "reversible_collation_key",
            Self::Text | Self::Representative => "collated_text",
            Self::Upper => "upper",
            Self::Lower => "lower",
            Self::Capitals => "initcap",
        }
    }

    pub fn result(self) -> Type {
        Type::of(match self {
            Self::Key | Self::ReversibleKey => oid::BYTEA,
            Self::Text | Self::Representative | Self::Upper | Self::Lower | Self::Capitals => oid::TEXT,
        })
    }

    pub fn representation(self) -> DataType {
        match self {
            Self::Key | Self::ReversibleKey => DataType::BinaryView,
            Self::Text | Self::Representative | Self::Upper | Self::Lower | Self::Capitals => DataType::Utf8View,
        }
    }
}

impl PartialEq for Collation {
    fn eq(&self, other: &Self) -> bool {
        self.oid == other.oid && self.locale == other.locale && self.deterministic == other.deterministic
    }
}

/// All that decides what it computes.
impl std::fmt::Debug for Collation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.locale, if self.deterministic { "" } else { " nondeterministic" })
    }
}

fn text_of(key: &[u8]) -> Result<&str> {
    let text = memchr::memchr(0, key).and_then(|zero| key.get(zero + 1..));
    text.and_then(|text| std::str::from_utf8(text).ok()).ok_or_else(|| Error::internal("a key that has no text"))
}

/// Words with what follows each. An apostrophe or a full stop between letters is a part of the word (Unicode Standard Annex 29, WB6).
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let mut within = false;
        let mut characters = rest.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let joins = matches!(character, '\'' | '\u{2019}' | '.' | '\u{b7}')
                && characters.peek().is_some_and(|(_, next)| next.is_alphabetic());
            let letter = character.is_alphanumeric() || character == '_' || (within && joins);
            let ended = rest.get(..at).is_some_and(|before| before.chars().next_back().is_some_and(|c| !is_word(c)));
            if letter && !within && at > 0 && ended {
                let (word, after) = rest.split_at(at);
                rest = after;
                return Some(word);
            }
            within = letter;
        }
        (!rest.is_empty()).then(|| std::mem::take(&mut rest))
    })
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// A locale as a language tag (`de-u-co-phonebk`), or as ICU wrote them before (`de_DE@collation=phonebook`). What is neither is the root, as in
/// ICU.
fn parse(written: &str) -> Result<Locale> {
    let (language, keywords) = written.split_once('@').unwrap_or((written, ""));
    let mut tag = language.replace('_', "-");
    let mut extension = String::new();
    for (name, value) in keywords.split(';').filter_map(|keyword| keyword.split_once('=')) {
        let (key, value) = legacy_keyword(name, value)?;
        extension.push_str(&format!("-{key}-{value}"));
    }
    if !extension.is_empty() {
        let language = if tag.is_empty() { "und" } else { &tag };
        tag = format!("{language}-u{extension}");
    }
    if matches!(tag.as_str(), "" | "root" | "C" | "POSIX") {
        return Ok(locale!("und"));
    }
    Ok(Locale::try_from_str(&tag).unwrap_or(locale!("und")))
}

/// A keyword as the language tag has it (Unicode Technical Standard 35, "Collation Settings").
fn legacy_keyword(name: &str, value: &str) -> Result<(&'static str, String)> {
    let value = value.to_ascii_lowercase();
    let on = || match value.as_str() {
        "yes" | "true" | "on" => "true",
        _ => "false",
    };
    Ok(match name.to_ascii_lowercase().as_str() {
        "collation" => {
            let known = match value.as_str() {
                "phonebook" => "phonebk",
                "traditional" => "trad",
                "dictionary" => "dict",
                "gb2312han" => "gb2312",
                "standard" => "standard",
                other => other,
            };
            ("co", known.to_owned())
        }
        "colstrength" => {
            let known = match value.as_str() {
                "primary" | "1" => "level1",
                "secondary" | "2" => "level2",
                "tertiary" | "3" => "level3",
                "quaternary" | "4" => "level4",
                "identical" => "identic",
                other => other,
            };
            ("ks", known.to_owned())
        }
        "colalternate" => ("ka", if value == "shifted" { "shifted" } else { "noignore" }.to_owned()),
        "colcaselevel" => ("kc", on().to_owned()),
        "colcasefirst" => ("kf", if value == "no" { "false".to_owned() } else { value }),
        "colnumeric" => ("kn", on().to_owned()),
        "colnormalization" => ("kk", on().to_owned()),
        "colbackwards" => ("kb", on().to_owned()),
        _ => return Err(Error::unsupported(format!("the attribute {name} of an ICU locale"))),
    })
}

/// The settings that are no preferences in the library's eyes: `ks`, `ka`, `kc`, `kv`. 0A000 for those that it has not got.
fn options(locale: &Locale) -> Result<CollatorOptions> {
    let mut options = CollatorOptions::default();
    for (key, value) in locale.extensions.unicode.keywords.iter() {
        let value = value.to_string();
        let unknown =
            |key: &Key| Error::unsupported(format!("the ICU locale's attribute {key} with the value {value}"));
        match key.as_str() {
            "ks" => {
                options.strength = Some(match value.as_str() {
                    "level1" => Strength::Primary,
                    "level2" => Strength::Secondary,
                    "level3" => Strength::Tertiary,
                    "level4" => Strength::Quaternary,
                    "identic" => Strength::Identical,
                    _ => return Err(unknown(key)),
                });
            }
            "ka" => {
                options.alternate_handling = Some(match value.as_str() {
                    "noignore" => AlternateHandling::NonIgnorable,
                    "shifted" => AlternateHandling::Shifted,
                    _ => return Err(unknown(key)),
                });
            }
            "kc" => options.case_level = Some(if value == "false" { CaseLevel::Off } else { CaseLevel::On }),
            "kv" => {
                options.max_variable = Some(match value.as_str() {
                    "space" => MaxVariable::Space,
                    "punct" => MaxVariable::Punctuation,
                    "symbol" => MaxVariable::Symbol,
                    "currency" => MaxVariable::Currency,
                    _ => return Err(unknown(key)),
                });
            }
            // Backwards accents are on for Canadian French alone, and cannot be turned.
            "kb" if value != "false" => return Err(unknown(key)),
            "kr" | "kh" | "vt" => return Err(unknown(key)),
            // POSIX's order is a tailoring that the library has not got.
            "va" => return Err(unknown(key)),
            _ => {}
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collation(locale: &str, deterministic: bool) -> Collation {
        Collation::new(0, locale, deterministic).unwrap()
    }

    fn sorted(locale: &str, mut texts: Vec<&'static str>) -> Vec<&'static str> {
        let collation = collation(locale, true);
        texts.sort_by_key(|text| collation.key(text));
        texts
    }

    #[test]
    fn each_locale_has_its_order() {
        assert_eq!(sorted("de", vec!["z", "ö", "o", "a", "A"]), ["a", "A", "o", "ö", "z"]);
        assert_eq!(sorted("sv", vec!["z", "ö", "o", "a", "A"]), ["a", "A", "o", "z", "ö"]);
        assert_eq!(sorted("de-u-co-phonebk", vec!["of", "ö", "od"]), ["od", "ö", "of"]);
        assert_eq!(sorted("de@collation=phonebook", vec!["of", "ö", "od"]), ["od", "ö", "of"]);
        assert_eq!(sorted("und-u-kn", vec!["a10", "a2"]), ["a2", "a10"]);
        assert_eq!(sorted("und-u-kf-upper", vec!["a", "A"]), ["A", "a"]);
    }

    #[test]
    fn weights_have_no_zero_and_a_text_comes_back_from_its_key() {
        for locale in ["und", "ja", "und-u-ks-identic", "und-u-ka-shifted-ks-level4", "da"] {
            let collation = collation(locale, true);
            for character in (1..0x3000).chain((0x3000..0x11_0000).step_by(89)).filter_map(char::from_u32) {
                let text = format!("a{character}");
                assert!(!collation.weights(&text).contains(&0), "{locale} {character:?}");
            }
            let key = collation.reversible_key("Ärger \u{1}", "Ärger");
            assert_eq!(text_of(&key).unwrap(), "Ärger \u{1}");
        }
    }

    #[test]
    fn deterministic_collations_tell_texts_apart() {
        assert_eq!(collation("und-u-ks-level2", false).key("a"), collation("und-u-ks-level2", false).key("A"));
        assert_ne!(collation("und-u-ks-level2", true).key("a"), collation("und-u-ks-level2", true).key("A"));
    }

    #[test]
    fn words_begin_with_capitals() {
        assert_eq!(collation("en", true).capitals("o'neil foo-bar ǆa x1y"), "O'neil Foo-Bar ǅa X1y");
        assert_eq!(collation("nl", true).capitals("ijs"), "IJs");
    }

    #[test]
    fn all_locales_that_are_listed_are_served() {
        for row in aegis_catalog::facts::collations() {
            if let Some(locale) = row.collation.icu_locale() {
                assert!(Collation::new(row.oid, locale, true).is_ok(), "{}", row.name);
            }
        }
    }
}
