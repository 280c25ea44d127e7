//! PostgreSQL's advanced regular expressions on the `regex` crate.
//!
//! Both are close dialects. Translated are: options (`i`, `n`, `x` …), embedded ones (`(?i)`, `***=`), the constraint escapes `\m \M \y \Y \A \Z`,
//! character-class escapes, brackets. Back references and look-around are no work for an automaton: `fancy-regex` backtracks for them.

use aegis_catalog::{Error, Result, sqlstate};

use super::matcher::Matcher;

/// What a flags argument of the regexp functions says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flags {
    pub ignore_case: bool,
    pub global: bool,
    literal: bool,
    expanded: bool,
    /// `.` and negated classes stop at a newline (`n`, `p`).
    newline_stops: bool,
    /// `^` and `$` match at newlines (`n`, `w`).
    newline_anchors: bool,
}

impl Flags {
    pub const IGNORE_CASE: Self = Self {
        ignore_case: true,
        global: false,
        literal: false,
        expanded: false,
        newline_stops: false,
        newline_anchors: false,
    };

    pub fn parse(text: &str) -> Result<Self> {
        let mut flags = Self::default();
        for option in text.chars() {
            if option == 'g' {
                flags.global = true;
            } else {
                flags.set(option).map_err(|()| {
                    Error::new(
                        sqlstate::INVALID_PARAMETER_VALUE,
                        format!("invalid regular expression option: \"{option}\""),
                    )
                })?;
            }
        }
        Ok(flags)
    }

    fn set(&mut self, option: char) -> std::result::Result<(), ()> {
        match option {
            'i' => self.ignore_case = true,
            'c' => self.ignore_case = false,
            'x' => self.expanded = true,
            't' => self.expanded = false,
            'n' | 'm' => (self.newline_stops, self.newline_anchors) = (true, true),
            's' => (self.newline_stops, self.newline_anchors) = (false, false),
            'p' => (self.newline_stops, self.newline_anchors) = (true, false),
            'w' => (self.newline_stops, self.newline_anchors) = (false, true),
            'q' => self.literal = true,
            'b' | 'e' => {}
            _ => return Err(()),
        }
        Ok(())
    }
}

fn invalid(reason: &str) -> Error {
    Error::new(sqlstate::INVALID_REGULAR_EXPRESSION, format!("invalid regular expression: {reason}"))
}

/// Compiles a PostgreSQL regular expression.
pub fn compile(pattern: &str, mut flags: Flags) -> Result<Matcher> {
    let mut pattern = pattern;
    if let Some(rest) = pattern.strip_prefix("***=") {
        flags.literal = true;
        pattern = rest;
    } else if let Some(rest) = pattern.strip_prefix("***:") {
        pattern = rest;
    }
    if let Some(rest) = pattern.strip_prefix("(?")
        && let Some((options, rest)) = rest.split_once(')')
        && !options.is_empty()
        && options.chars().all(|option| option.is_ascii_alphabetic())
    {
        for option in options.chars() {
            flags.set(option).map_err(|()| invalid("invalid embedded option"))?;
        }
        pattern = rest;
    }
    let Translation { text, backtracks } = match flags.literal {
        true => Translation { text: regex::escape(pattern), backtracks: false },
        false => translate(pattern, flags)?,
    };
    if backtracks {
        return fancy_regex::RegexBuilder::new(&text)
            .case_insensitive(flags.ignore_case)
            .dot_matches_new_line(!flags.newline_stops)
            .multi_line(flags.newline_anchors)
            .ignore_whitespace(flags.expanded)
            .delegate_size_limit(SIZE_LIMIT)
            .build()
            .map(Matcher::Backtracking)
            .map_err(|error| translate_error(&error.to_string()));
    }
    regex::RegexBuilder::new(&text)
        .case_insensitive(flags.ignore_case)
        .dot_matches_new_line(!flags.newline_stops)
        .multi_line(flags.newline_anchors)
        .ignore_whitespace(flags.expanded)
        .size_limit(SIZE_LIMIT)
        .build()
        .map(Matcher::Automaton)
        .map_err(|error| translate_error(&error.to_string()))
}

/// Bytes that a compiled expression may take.
const SIZE_LIMIT: usize = 32 << 20;

fn translate_error(text: &str) -> Error {
    invalid(match text {
        text if text.contains("unclosed group") || text.contains("unopened group") => "parentheses () not balanced",
        text if text.contains("unclosed character class") => "brackets [] not balanced",
        text if text.contains("repetition operator missing") => "quantifier operand invalid",
        text if text.contains("repetition quantifier") || text.contains("counted repetition") => {
            "invalid repetition count(s)"
        }
        text if text.contains("invalid character class range") => "invalid character range",
        text if text.contains("exceeds size limit") => "regular expression is too complex",
        text if text.contains("back reference") => "invalid backreference number",
        _ => "invalid escape \\ sequence",
    })
}

/// An expression in the crates' dialect.
struct Translation {
    text: String,
    /// Whether it has a back reference or looks around.
    backtracks: bool,
}

struct Translator<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    out: String,
    flags: Flags,
    backtracks: bool,
}

fn translate(pattern: &str, flags: Flags) -> Result<Translation> {
    let mut translator = Translator {
        rest: pattern.chars().peekable(),
        out: String::with_capacity(pattern.len() + 8),
        flags,
        backtracks: false,
    };
    translator.run()?;
    Ok(Translation { text: translator.out, backtracks: translator.backtracks })
}

impl Translator<'_> {
    fn run(&mut self) -> Result<()> {
        // `*` at the start of an expression or group is not special in PostgreSQL's AREs either: it is an error in both.
        while let Some(character) = self.rest.next() {
            match character {
                '\\' => self.escape()?,
                '[' => self.bracket()?,
                '(' => self.group()?,
                '{' => self.brace(),
                // `$` is the very end; this crate's too unless lines matter.
                character => self.out.push(character),
            }
        }
        Ok(())
    }

    /// A brace that no digit follows is an ordinary character.
    fn brace(&mut self) {
        match self.rest.peek() {
            Some(next) if next.is_ascii_digit() => self.out.push('{'),
            _ => self.out.push_str("\\{"),
        }
    }

    fn group(&mut self) -> Result<()> {
        self.out.push('(');
        if self.rest.peek() != Some(&'?') {
            return Ok(());
        }
        self.rest.next();
        match self.rest.next() {
            Some(':') => self.out.push_str("?:"),
            Some(ahead @ ('=' | '!')) => {
                self.backtracks = true;
                self.out.extend(['?', ahead]);
            }
            Some('<') => match self.rest.next() {
                Some(behind @ ('=' | '!')) => {
                    self.backtracks = true;
                    self.out.extend(['?', '<', behind]);
                }
                _ => return Err(invalid("invalid embedded option")),
            },
            _ => return Err(invalid("invalid embedded option")),
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<()> {
        let Some(character) = self.rest.next() else { return Err(invalid("invalid escape \\ sequence")) };
        match character {
            'A' => self.out.push_str("\\A"),
            'Z' => self.out.push_str("\\z"),
            'm' => self.out.push_str("\\b{start}"),
            'M' => self.out.push_str("\\b{end}"),
            'y' => self.out.push_str("\\b"),
            'Y' => self.out.push_str("\\B"),
            '1'..='9' => {
                self.backtracks = true;
                // In a group of its own: a digit that follows is a character.
                self.out.push_str(&format!("(?:\\{character})"));
            }
            'd' | 'D' | 's' | 'S' | 'w' | 'W' | 'n' | 'r' | 't' | 'f' | 'v' | 'a' => {
                self.out.push('\\');
                self.out.push(character);
            }
            other => {
                let literal = self.character_escape(other)?;
                self.literal(literal);
            }
        }
        Ok(())
    }

    /// `\e`, `\xhh`, `\uhhhh`, `\0`, `\cX`, or the character itself.
    fn character_escape(&mut self, character: char) -> Result<char> {
        let digits = |translator: &mut Self, least: usize, most: usize, radix: u32| {
            let mut value = 0;
            for position in 0..most {
                match translator.rest.peek().and_then(|c| c.to_digit(radix)) {
                    Some(digit) => value = value * radix + digit,
                    None if position >= least => break,
                    None => return Err(invalid("invalid escape \\ sequence")),
                }
                translator.rest.next();
            }
            char::from_u32(value).ok_or_else(|| invalid("invalid escape \\ sequence"))
        };
        match character {
            'e' => Ok('\u{1B}'),
            'b' => Ok('\u{8}'),
            'B' => Ok('\\'),
            '0' => digits(self, 0, 2, 8),
            'x' => digits(self, 1, 6, 16),
            'u' => digits(self, 4, 4, 16),
            'U' => digits(self, 8, 8, 16),
            'c' => {
                let control = self.rest.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
                Ok(char::from(control as u8 & 31))
            }
            other if other.is_ascii_alphanumeric() => Err(invalid("invalid escape \\ sequence")),
            other => Ok(other),
        }
    }

    fn literal(&mut self, character: char) {
        self.out.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
        if self.flags.expanded && (character.is_whitespace() || character == '#') {
            // Escaped above only if special to the crate.
            let plain = character.to_string();
            if self.out.ends_with(&plain) && !self.out.ends_with(&format!("\\{plain}")) {
                self.out.truncate(self.out.len() - plain.len());
                self.out.push_str(&format!("\\x{{{:X}}}", u32::from(character)));
            }
        }
    }

    fn bracket(&mut self) -> Result<()> {
        let rest: String = self.rest.clone().take(6).collect();
        for (constraint, translated) in [("[:<:]]", "\\b{start}"), ("[:>:]]", "\\b{end}")] {
            if rest == constraint {
                self.rest.nth(5);
                self.out.push_str(translated);
                return Ok(());
            }
        }
        self.out.push('[');
        if self.rest.peek() == Some(&'^') {
            self.rest.next();
            self.out.push('^');
            if self.flags.newline_stops {
                self.out.push_str("\\n");
            }
        }
        let mut first = true;
        loop {
            let Some(character) = self.rest.next() else { return Err(invalid("brackets [] not balanced")) };
            match character {
                ']' if !first => break,
                '[' if matches!(self.rest.peek(), Some(':' | '.' | '=')) => self.named_class()?,
                '\\' => match self.rest.next() {
                    Some(class @ ('d' | 's' | 'w' | 'n' | 'r' | 't' | 'f' | 'v' | 'a')) => {
                        self.out.push('\\');
                        self.out.push(class);
                    }
                    Some(other) => {
                        let literal = self.character_escape(other)?;
                        self.in_bracket(literal);
                    }
                    None => return Err(invalid("brackets [] not balanced")),
                },
                '-' => self.out.push('-'),
                other => self.in_bracket(other),
            }
            first = false;
        }
        self.out.push(']');
        Ok(())
    }

    /// Characters that mean something to the crate inside brackets, but nothing to PostgreSQL.
    fn in_bracket(&mut self, character: char) {
        if matches!(character, '[' | ']' | '&' | '~' | '^' | '-' | '\\' | '#') || character.is_whitespace() {
            self.out.push_str(&format!("\\x{{{:X}}}", u32::from(character)));
        } else {
            self.out.push(character);
        }
    }

    /// `[:alpha:]`, `[.a.]`, `[=a=]`.
    fn named_class(&mut self) -> Result<()> {
        let kind = self.rest.next().unwrap_or(':');
        let mut name = String::new();
        loop {
            match self.rest.next() {
                Some(character) if character == kind && self.rest.peek() == Some(&']') => break,
                Some(character) => name.push(character),
                None => return Err(invalid("brackets [] not balanced")),
            }
        }
        self.rest.next();
        if kind != ':' {
            let mut characters = name.chars();
            return match (characters.next(), characters.next()) {
                (Some(only), None) => {
                    self.in_bracket(only);
                    Ok(())
                }
                _ => Err(invalid("invalid collating element")),
            };
        }
        let class = match name.as_str() {
            "alpha" => "\\p{Alphabetic}",
            "digit" => "\\d",
            "alnum" => "\\p{Alphabetic}\\d",
            "upper" => "\\p{Uppercase}",
            "lower" => "\\p{Lowercase}",
            "space" => "\\s",
            "blank" => " \\t",
            "punct" => "!-/:-@\\[-`{-~",
            "xdigit" => "0-9A-Fa-f",
            "cntrl" => "\\p{Cc}",
            "print" => "\\P{Cc}",
            "graph" => "!-~\\p{Alphabetic}",
            "word" => "\\w",
            "ascii" => "\\x00-\\x7F",
            _ => return Err(invalid("invalid character class")),
        };
        self.out.push_str(class);
        Ok(())
    }
}

/// Compiles a pattern once for a run of equal ones.
#[derive(Default)]
pub struct Cache(Option<(String, Flags, Matcher)>);

impl Cache {
    pub fn get(&mut self, pattern: &str, flags: Flags) -> Result<&Matcher> {
        let hit = self.0.as_ref().is_some_and(|(source, with, _)| source == pattern && *with == flags);
        if !hit {
            self.0 = Some((pattern.to_owned(), flags, compile(pattern, flags)?));
        }
        match &self.0 {
            Some((_, _, regex)) => Ok(regex),
            None => Err(Error::internal("the pattern was just compiled")),
        }
    }
}

thread_local! {
    /// Kernels run row by row without state of their own; most calls of a batch have the same pattern.
    static LAST: std::cell::RefCell<Cache> = std::cell::RefCell::default();
}

/// Runs `with` on the compiled pattern.
pub fn with_regex<T>(pattern: &str, flags: Flags, with: impl FnOnce(&Matcher) -> Result<T>) -> Result<T> {
    LAST.with_borrow_mut(|cache| cache.get(pattern, flags).and_then(with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dialect_is_translated() {
        for (pattern, text, expected) in [
            ("^a.*z$", "abcz", true),
            (r"\mfoo\M", "a foo b", true),
            (r"\yfoo", "xfoo", false),
            ("[[:alpha:]]+[[:digit:]]", "ab1", true),
            ("^[^]]$", "]", false),
            ("(?i)ABC", "abc", true),
            ("***=a.c", "abc", false),
            ("a{2}", "aa", true),
            ("x{", "x{", true),
            ("a.b", "a\nb", true),
            (r"^\d+$", "123", true),
            (r"^(a+)b\1$", "aabaa", true),
            (r"^(a+)b\1$", "aaba", false),
            (r"foo(?!bar)", "foobar", false),
            (r"(?<=\$)\d+", "costs $5", true),
        ] {
            let matcher = compile(pattern, Flags::default()).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(matcher.is_match(text).unwrap(), expected, "{text} ~ {pattern}");
        }
        assert_eq!(compile("(", Flags::default()).err().unwrap().code(), sqlstate::INVALID_REGULAR_EXPRESSION);
    }

    #[test]
    fn endless_backtracking_ends_with_an_error() {
        let matcher = compile(r"^(a+)+(a+)+(a|aa)+\1b$", Flags::default()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(matcher.is_match(&"a".repeat(300)).unwrap_err().code(), sqlstate::INVALID_REGULAR_EXPRESSION);
    }
}
