//! A compiled regular expression: an automaton where that is possible, else a backtracking matcher with a limit on its steps.

use aegis_catalog::{Error, Result, sqlstate};

/// Linear in the text, or (for back references and look-around only) backtracking.
pub enum Matcher {
    Automaton(regex::Regex),
    Backtracking(fancy_regex::Regex),
}

/// One match: the spans of the whole and of each group, in bytes.
pub struct Found<'t> {
    text: &'t str,
    spans: Vec<Option<(usize, usize)>>,
}

impl<'t> Found<'t> {
    /// Start and end of a group; 0 is the whole match.
    pub fn span(&self, group: usize) -> Option<(usize, usize)> {
        self.spans.get(group).copied().flatten()
    }

    pub fn whole(&self) -> (usize, usize) {
        self.span(0).unwrap_or_default()
    }

    pub fn get(&self, group: usize) -> Option<&'t str> {
        self.span(group).and_then(|(start, end)| self.text.get(start..end))
    }
}

impl Matcher {
    /// Groups of the expression, the whole match not counted.
    pub fn group_count(&self) -> usize {
        match self {
            Self::Automaton(regex) => regex.captures_len() - 1,
            Self::Backtracking(regex) => regex.captures_len() - 1,
        }
    }

    pub fn is_match(&self, text: &str) -> Result<bool> {
        match self {
            Self::Automaton(regex) => Ok(regex.is_match(text)),
            Self::Backtracking(regex) => regex.is_match(text).map_err(|error| gave_up(&error)),
        }
    }

    /// The first match that begins at `offset` or later.
    pub fn find_at<'t>(&self, text: &'t str, offset: usize) -> Result<Option<Found<'t>>> {
        let spans = match self {
            Self::Automaton(regex) => regex
                .captures_at(text, offset)
                .map(|found| found.iter().map(|part| part.map(|part| (part.start(), part.end()))).collect()),
            Self::Backtracking(regex) => regex
                .captures_from_pos(text, offset)
                .map_err(|error| gave_up(&error))?
                .map(|found| found.iter().map(|part| part.map(|part| (part.start(), part.end()))).collect()),
        };
        Ok(spans.map(|spans| Found { text, spans }))
    }

    /// The matches from `offset` on, one after the other; an empty one right after another does not count.
    pub fn find_all<'t>(&self, text: &'t str, offset: usize) -> impl Iterator<Item = Result<Found<'t>>> + use<'_, 't> {
        let mut at = offset;
        let mut last_end = None;
        std::iter::from_fn(move || {
            while at <= text.len() {
                let found = match self.find_at(text, at) {
                    Ok(found) => found?,
                    Err(error) => {
                        at = text.len() + 1;
                        return Some(Err(error));
                    }
                };
                let (start, end) = found.whole();
                at = if start == end { next_boundary(text, end) } else { end };
                if start == end && last_end == Some(end) {
                    continue;
                }
                last_end = Some(end);
                return Some(Ok(found));
            }
            None
        })
    }
}

fn next_boundary(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.chars().next()).map_or(text.len() + 1, |character| at + character.len_utf8())
}

fn gave_up(error: &fancy_regex::Error) -> Error {
    Error::new(sqlstate::INVALID_REGULAR_EXPRESSION, format!("regular expression failed: {error}"))
}
