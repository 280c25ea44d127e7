//! Lists of stop words (`stop/README.md`).

use std::collections::HashSet;
use std::sync::LazyLock;

pub type StopWords = HashSet<&'static str>;

macro_rules! lists {
    ($($language:literal),*) => {
        /// The list of that name.
        pub fn words(name: &str) -> Option<&'static StopWords> {
            match name {
                $($language => {
                    static WORDS: LazyLock<StopWords> =
                        LazyLock::new(|| split(include_str!(concat!("stop/", $language, ".stop"))));
                    Some(&WORDS)
                })*
                _ => None,
            }
        }
    };
}

lists!(
    "danish",
    "dutch",
    "english",
    "finnish",
    "french",
    "german",
    "hungarian",
    "italian",
    "nepali",
    "norwegian",
    "portuguese",
    "russian",
    "spanish",
    "swedish",
    "turkish"
);

fn split(text: &'static str) -> StopWords {
    text.lines().filter_map(|line| line.split_whitespace().next()).collect()
}
