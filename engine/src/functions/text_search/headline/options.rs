//! Options of `ts_headline`: `StartSel = <b>, MaxWords = 20`.

use aegis_catalog::{Error, Result, sqlstate};

pub struct Options {
    pub start: String,
    pub stop: String,
    pub max_words: i32,
    pub min_words: i32,
    /// Words of so many bytes are no good ends.
    pub short_word: i32,
    pub all: bool,
    pub max_fragments: i32,
    pub fragment_delimiter: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            start: "<b>".to_owned(),
            stop: "</b>".to_owned(),
            max_words: 35,
            min_words: 15,
            short_word: 3,
            all: false,
            max_fragments: 0,
            fragment_delimiter: " ... ".to_owned(),
        }
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

impl Options {
    pub fn parse(text: &str) -> Result<Self> {
        let mut options = Self::default();
        for (name, value) in pairs(text)? {
            match name.to_ascii_lowercase().as_str() {
                "maxwords" => options.max_words = number(&value)?,
                "minwords" => options.min_words = number(&value)?,
                "shortword" => options.short_word = number(&value)?,
                "maxfragments" => options.max_fragments = number(&value)?,
                "startsel" => options.start = short("StartSel", value)?,
                "stopsel" => options.stop = short("StopSel", value)?,
                "fragmentdelimiter" => options.fragment_delimiter = short("FragmentDelimiter", value)?,
                "highlightall" => {
                    options.all = ["1", "on", "true", "t", "y", "yes"].contains(&value.to_ascii_lowercase().as_str());
                }
                _ => return Err(invalid(format!("unrecognized headline parameter: \"{name}\""))),
            }
        }
        Ok(options)
    }

    pub fn check(&self) -> Result<()> {
        if self.all {
            return Ok(());
        }
        if self.min_words >= self.max_words {
            return Err(invalid("MinWords should be less than MaxWords"));
        }
        if self.min_words <= 0 {
            return Err(invalid("MinWords should be positive"));
        }
        if self.short_word < 0 {
            return Err(invalid("ShortWord should be >= 0"));
        }
        if self.max_fragments < 0 {
            return Err(invalid("MaxFragments should be >= 0"));
        }
        Ok(())
    }
}

fn short(name: &str, value: String) -> Result<String> {
    if value.len() > i16::MAX as usize {
        return Err(invalid(format!("value for \"{name}\" is too long")));
    }
    Ok(value)
}

fn number(text: &str) -> Result<i32> {
    aegis_catalog::types::int::parse_int4(text)
}

/// `name = value, …`: values are bare, or in quotes with the quote doubled or any character behind a backslash.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>> {
    let malformed = || invalid(format!("invalid parameter list format: \"{text}\""));
    let mut rest = text.chars().peekable();
    let mut found = Vec::new();
    let skip = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
    };
    loop {
        skip(&mut rest);
        while rest.next_if_eq(&',').is_some() {
            skip(&mut rest);
        }
        if rest.peek().is_none() {
            return Ok(found);
        }
        let mut name = String::new();
        if rest.next_if_eq(&'"').is_some() {
            quoted(&mut rest, '"', &mut name).ok_or_else(malformed)?;
        } else {
            while let Some(c) = rest.next_if(|c| c.is_alphanumeric() || *c == '_') {
                name.push(c);
            }
        }
        skip(&mut rest);
        if name.is_empty() || rest.next_if_eq(&'=').is_none() {
            return Err(malformed());
        }
        skip(&mut rest);
        let mut value = String::new();
        match rest.peek() {
            Some(&quote @ ('\'' | '"')) => {
                rest.next();
                quoted(&mut rest, quote, &mut value).ok_or_else(malformed)?;
            }
            _ => {
                while let Some(c) = rest.next_if(|c| !c.is_whitespace() && *c != ',') {
                    value.push(c);
                }
            }
        }
        skip(&mut rest);
        if !matches!(rest.peek(), None | Some(',')) {
            return Err(malformed());
        }
        found.push((name, value));
    }
}

fn quoted(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char, out: &mut String) -> Option<()> {
    loop {
        match rest.next()? {
            '\\' => out.push(rest.next()?),
            c if c == quote => {
                if rest.next_if_eq(&quote).is_none() {
                    return Some(());
                }
                out.push(quote);
            }
            c => out.push(c),
        }
    }
}
