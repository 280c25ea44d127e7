//! Templates: patterns with their modifiers, and the text between them.

/// One element of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Pattern(Pattern),
    /// A single character that stands for itself.
    Text(char),
    Space,
    Separator(char),
}

/// A template pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    /// As written: the case of the letters decides the case of the output.
    pub name: &'static str,
    /// `FM`: no padding.
    pub fill: bool,
    /// `TM`: names in the session's language, and so not padded either.
    pub translate: bool,
    /// `TH` or `th` after the pattern: an ordinal suffix in upper or lower case.
    pub ordinal: Option<bool>,
}

/// Date and time patterns; where one begins another, the longer comes first. All exist in lower case too.
const DATE_PATTERNS: &[&str] = &[
    "A.D.", "A.M.", "AD", "AM", "B.C.", "BC", "CC", "DAY", "DDD", "DD", "DY", "D", "FF1", "FF2", "FF3", "FF4", "FF5",
    "FF6", "FX", "HH24", "HH12", "HH", "IDDD", "ID", "IW", "IYYY", "IYY", "IY", "I", "J", "MI", "MM", "MONTH", "MON",
    "MS", "OF", "P.M.", "PM", "Q", "RM", "SSSSS", "SSSS", "SS", "TZH", "TZM", "TZ", "US", "WW", "W", "Y,YYY", "YYYY",
    "YYY", "YY", "Y", "a.d.", "a.m.", "ad", "am", "b.c.", "bc", "cc", "day", "ddd", "dd", "dy", "d", "ff1", "ff2",
    "ff3", "ff4", "ff5", "ff6", "fx", "hh24", "hh12", "hh", "iddd", "id", "iw", "iyyy", "iyy", "iy", "i", "j", "mi",
    "mm", "month", "mon", "ms", "of", "p.m.", "pm", "q", "rm", "sssss", "ssss", "ss", "tzh", "tzm", "tz", "us", "ww",
    "w", "y,yyy", "yyyy", "yyy", "yy", "y",
];
/// Patterns with a capital first letter.
const CAPITALIZED: &[&str] = &["Day", "Dy", "Month", "Mon"];

const NUMBER_PATTERNS: &[&str] = &[
    ",", ".", "0", "9", "B", "D", "EEEE", "FM", "G", "L", "MI", "PL", "PR", "RN", "SG", "SP", "S", "TH", "V", "b", "d",
    "eeee", "fm", "g", "l", "mi", "pl", "pr", "rn", "sg", "sp", "s", "th", "v",
];

pub(super) fn dates(template: &str) -> Vec<Node> {
    parse(template, true)
}

pub(super) fn numbers(template: &str) -> Vec<Node> {
    parse(template, false)
}

fn is_separator(c: char) -> bool {
    c.is_ascii() && !c.is_ascii_alphanumeric() && c > ' ' && c < '\u{7f}'
}

fn parse(template: &str, dates: bool) -> Vec<Node> {
    let mut nodes = Vec::new();
    let mut rest = template;
    while !rest.is_empty() {
        let mut fill = false;
        let mut translate = false;
        if dates && let Some(tail) = ["FM", "fm", "TM", "tm"].iter().find_map(|prefix| rest.strip_prefix(prefix)) {
            fill = rest.starts_with(['F', 'f']);
            translate = !fill;
            rest = tail;
        }
        let mut names = if dates { CAPITALIZED.iter().chain(DATE_PATTERNS) } else { [].iter().chain(NUMBER_PATTERNS) };
        if let Some(name) = names.find(|name| rest.starts_with(**name)) {
            rest = &rest[name.len()..];
            let mut ordinal = None;
            if dates {
                for (suffix, upper) in [("TH", Some(true)), ("th", Some(false)), ("SP", None)] {
                    if let Some(tail) = rest.strip_prefix(suffix) {
                        ordinal = upper;
                        rest = tail;
                        break;
                    }
                }
            }
            nodes.push(Node::Pattern(Pattern { name, fill, translate, ordinal }));
            continue;
        }
        rest = literal(rest, &mut nodes);
    }
    nodes
}

/// Text in quotes, or one character.
fn literal<'a>(rest: &'a str, nodes: &mut Vec<Node>) -> &'a str {
    let mut characters = rest.chars();
    let Some(first) = characters.next() else { return "" };
    if first == '"' {
        loop {
            match characters.next() {
                None | Some('"') => return characters.as_str(),
                Some('\\') => nodes.extend(characters.next().map(Node::Text)),
                Some(c) => nodes.push(Node::Text(c)),
            }
        }
    }
    if first == '\\' && characters.as_str().starts_with('"') {
        characters.next();
        nodes.push(Node::Text('"'));
        return characters.as_str();
    }
    nodes.push(match first {
        ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => Node::Space,
        c if is_separator(c) => Node::Separator(c),
        c => Node::Text(c),
    });
    // A space is written as it is.
    if first != ' ' && nodes.last() == Some(&Node::Space) {
        nodes.pop();
        nodes.push(Node::Text(first));
    }
    characters.as_str()
}

impl Pattern {
    /// The pattern's name in upper case: what it means.
    pub fn kind(&self) -> String {
        self.name.to_ascii_uppercase()
    }

    /// Whether its input begins with a digit.
    pub fn reads_digits(&self) -> bool {
        !matches!(
            self.kind().as_str(),
            "A.D."
                | "A.M."
                | "AD"
                | "AM"
                | "B.C."
                | "BC"
                | "DAY"
                | "DY"
                | "FX"
                | "MONTH"
                | "MON"
                | "OF"
                | "P.M."
                | "PM"
                | "RM"
                | "TZH"
                | "TZ"
        )
    }
}
