//! COPY's options and the rules between them, as PostgreSQL's `ProcessCopyOptions` has them.

use aegis_catalog::{Error, Result, sqlstate};

use super::{ColumnSet, CopyColumn, Encoding};
use crate::parse::utility::CopyOptionValue;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CopyFormat {
    #[default]
    Text,
    Csv,
    Binary,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Header {
    #[default]
    No,
    Yes,
    /// COPY FROM: the first line must name the columns.
    Match,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyOptions {
    pub format: CopyFormat,
    pub freeze: bool,
    pub delimiter: u8,
    pub null: String,
    pub header: Header,
    /// CSV only.
    pub quote: u8,
    pub escape: u8,
    pub force_quote: ColumnSet,
    pub force_not_null: ColumnSet,
    pub force_null: ColumnSet,
    /// None is the client's encoding.
    pub encoding: Option<Encoding>,
}

/// The options as written, before defaults.
#[derive(Default)]
struct Given {
    format: Option<CopyFormat>,
    freeze: Option<bool>,
    delimiter: Option<String>,
    null: Option<String>,
    header: Option<Header>,
    quote: Option<String>,
    escape: Option<String>,
    force_quote: Option<ColumnSet>,
    force_not_null: Option<ColumnSet>,
    force_null: Option<ColumnSet>,
    encoding: Option<Encoding>,
}

impl CopyOptions {
    /// Checks options by name and value. `from` is true for COPY FROM.
    pub fn new(options: &[(String, CopyOptionValue)], from: bool) -> Result<CopyOptions> {
        let mut given = Given::default();
        for (name, value) in options {
            given.set(name, value, from)?;
        }
        given.check(from)
    }

    /// The columns that options name must be among those that are copied.
    pub fn check_columns(&self, columns: &[CopyColumn]) -> Result<()> {
        let named = [
            ("FORCE_QUOTE", &self.force_quote),
            ("FORCE_NOT_NULL", &self.force_not_null),
            ("FORCE_NULL", &self.force_null),
        ];
        for (option, set) in named {
            let ColumnSet::Named(names) = set else { continue };
            if let Some(name) = names.iter().find(|name| columns.iter().all(|column| column.name != **name)) {
                return Err(Error::new(
                    sqlstate::INVALID_COLUMN_REFERENCE,
                    format!("{option} column \"{name}\" not referenced by COPY"),
                ));
            }
        }
        Ok(())
    }
}

impl ColumnSet {
    /// Whether each column is in the set.
    pub(super) fn flags(&self, columns: &[CopyColumn]) -> Vec<bool> {
        columns
            .iter()
            .map(|column| match self {
                ColumnSet::None => false,
                ColumnSet::All => true,
                ColumnSet::Named(names) => names.contains(&column.name),
            })
            .collect()
    }

    fn is_some(&self) -> bool {
        *self != ColumnSet::None
    }
}

impl Given {
    fn set(&mut self, name: &str, value: &CopyOptionValue, from: bool) -> Result<()> {
        match name {
            "format" => once(&mut self.format, format(value)?),
            "freeze" => once(&mut self.freeze, boolean(name, value)?),
            "delimiter" => once(&mut self.delimiter, text(name, value)?),
            "null" => once(&mut self.null, text(name, value)?),
            "header" => once(&mut self.header, header(value, from)?),
            "quote" => once(&mut self.quote, text(name, value)?),
            "escape" => once(&mut self.escape, text(name, value)?),
            "force_quote" => once(&mut self.force_quote, columns(name, value, true)?),
            "force_not_null" => once(&mut self.force_not_null, columns(name, value, false)?),
            "force_null" => once(&mut self.force_null, columns(name, value, false)?),
            "encoding" => once(&mut self.encoding, encoding(name, value)?),
            _ => Err(Error::new(sqlstate::SYNTAX_ERROR, format!("option \"{name}\" not recognized"))),
        }
    }

    fn check(self, from: bool) -> Result<CopyOptions> {
        let format = self.format.unwrap_or_default();
        let csv = format == CopyFormat::Csv;
        if format == CopyFormat::Binary {
            if self.delimiter.is_some() {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, "cannot specify DELIMITER in BINARY mode"));
            }
            if self.null.is_some() {
                return Err(Error::new(sqlstate::SYNTAX_ERROR, "cannot specify NULL in BINARY mode"));
            }
        }
        let null = self.null.unwrap_or_else(|| if csv { "" } else { "\\N" }.to_owned());
        let delimiter = delimiter(self.delimiter.as_deref(), csv)?;
        if null.contains(['\r', '\n']) {
            return Err(invalid("COPY null representation cannot use newline or carriage return"));
        }
        if !csv && b"\\.abcdefghijklmnopqrstuvwxyz0123456789".contains(&delimiter) {
            return Err(invalid(format!("COPY delimiter cannot be \"{}\"", char::from(delimiter))));
        }
        let header = self.header.unwrap_or_default();
        if format == CopyFormat::Binary && header != Header::No {
            return Err(unsupported("cannot specify HEADER in BINARY mode"));
        }
        let quote = csv_character("quote", self.quote.as_deref(), csv)?.unwrap_or(b'"');
        if csv && delimiter == quote {
            return Err(invalid("COPY delimiter and quote must be different"));
        }
        let escape = csv_character("escape", self.escape.as_deref(), csv)?.unwrap_or(quote);
        let force_quote = self.force_quote.unwrap_or_default();
        force("quote", &force_quote, csv, !from, "TO")?;
        let force_not_null = self.force_not_null.unwrap_or_default();
        force("not null", &force_not_null, csv, from, "FROM")?;
        let force_null = self.force_null.unwrap_or_default();
        force("null", &force_null, csv, from, "FROM")?;
        if null.as_bytes().contains(&delimiter) {
            return Err(unsupported("COPY delimiter must not appear in the NULL specification"));
        }
        if csv && null.as_bytes().contains(&quote) {
            return Err(unsupported("CSV quote character must not appear in the NULL specification"));
        }
        let freeze = self.freeze.unwrap_or(false);
        let encoding = self.encoding;
        Ok(CopyOptions {
            format,
            freeze,
            delimiter,
            null,
            header,
            quote,
            escape,
            force_quote,
            force_not_null,
            force_null,
            encoding,
        })
    }
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(sqlstate::SYNTAX_ERROR, "conflicting or redundant options")),
    }
}

fn delimiter(given: Option<&str>, csv: bool) -> Result<u8> {
    let Some(text) = given else { return Ok(if csv { b',' } else { b'\t' }) };
    match *text.as_bytes() {
        [b'\r' | b'\n'] => Err(invalid("COPY delimiter cannot be newline or carriage return")),
        [delimiter] => Ok(delimiter),
        _ => Err(unsupported("COPY delimiter must be a single one-byte character")),
    }
}

fn csv_character(option: &str, given: Option<&str>, csv: bool) -> Result<Option<u8>> {
    let Some(text) = given else { return Ok(None) };
    if !csv {
        return Err(unsupported(format!("COPY {option} available only in CSV mode")));
    }
    match *text.as_bytes() {
        [character] => Ok(Some(character)),
        _ => Err(unsupported(format!("COPY {option} must be a single one-byte character"))),
    }
}

fn force(option: &str, set: &ColumnSet, csv: bool, right_direction: bool, direction: &str) -> Result<()> {
    if set.is_some() && !csv {
        return Err(unsupported(format!("COPY force {option} available only in CSV mode")));
    }
    if set.is_some() && !right_direction {
        return Err(unsupported(format!("COPY force {option} only available using COPY {direction}")));
    }
    Ok(())
}

fn format(value: &CopyOptionValue) -> Result<CopyFormat> {
    let name = text("format", value)?;
    match name.as_str() {
        "text" => Ok(CopyFormat::Text),
        "csv" => Ok(CopyFormat::Csv),
        "binary" => Ok(CopyFormat::Binary),
        _ => Err(invalid(format!("COPY format \"{name}\" not recognized"))),
    }
}

fn text(option: &str, value: &CopyOptionValue) -> Result<String> {
    match value {
        CopyOptionValue::Text(text) => Ok(text.clone()),
        CopyOptionValue::Star => Ok("*".to_owned()),
        CopyOptionValue::Columns(items) => Ok(items.join(", ")),
        CopyOptionValue::None => Err(Error::new(sqlstate::SYNTAX_ERROR, format!("{option} requires a parameter"))),
    }
}

fn boolean(option: &str, value: &CopyOptionValue) -> Result<bool> {
    switch(value).ok_or_else(|| Error::new(sqlstate::SYNTAX_ERROR, format!("{option} requires a Boolean value")))
}

fn switch(value: &CopyOptionValue) -> Option<bool> {
    match value {
        CopyOptionValue::None => Some(true),
        CopyOptionValue::Text(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "on" => Some(true),
            "0" | "false" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn header(value: &CopyOptionValue, from: bool) -> Result<Header> {
    match (switch(value), value) {
        (Some(true), _) => Ok(Header::Yes),
        (Some(false), _) => Ok(Header::No),
        (None, CopyOptionValue::Text(text)) if text.eq_ignore_ascii_case("match") => {
            if from {
                Ok(Header::Match)
            } else {
                Err(unsupported("cannot use \"match\" with HEADER in COPY TO"))
            }
        }
        _ => Err(Error::new(sqlstate::SYNTAX_ERROR, "header requires a Boolean value or \"match\"")),
    }
}

fn columns(option: &str, value: &CopyOptionValue, star: bool) -> Result<ColumnSet> {
    match value {
        CopyOptionValue::Columns(names) => Ok(ColumnSet::Named(names.clone())),
        CopyOptionValue::Star if star => Ok(ColumnSet::All),
        _ => Err(invalid(format!("argument to option \"{option}\" must be a list of column names"))),
    }
}

fn encoding(option: &str, value: &CopyOptionValue) -> Result<Encoding> {
    let name = text(option, value)?;
    match Encoding::by_name(&name) {
        Some(encoding) => Ok(encoding),
        None if Encoding::is_known(&name) => Err(Error::unsupported(format!("encoding \"{name}\""))),
        None => Err(invalid(format!("argument to option \"{option}\" must be a valid encoding name"))),
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

fn unsupported(message: impl Into<String>) -> Error {
    Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> CopyOptionValue {
        CopyOptionValue::Text(value.to_owned())
    }

    fn refused(options: &[(&str, CopyOptionValue)], from: bool) -> String {
        let options: Vec<_> = options.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let error = CopyOptions::new(&options, from).unwrap_err();
        format!("{} {}", error.code(), error.message())
    }

    /// Each expectation is PostgreSQL 15's answer.
    #[test]
    fn refusals() {
        let csv = ("format", text("csv"));
        let names = CopyOptionValue::Columns(vec!["a".to_owned()]);
        assert_eq!(refused(&[("format", text("xml"))], true), "22023 COPY format \"xml\" not recognized");
        assert_eq!(refused(&[("nope", text("1"))], true), "42601 option \"nope\" not recognized");
        assert_eq!(refused(&[csv.clone(), csv.clone()], true), "42601 conflicting or redundant options");
        assert_eq!(
            refused(&[("delimiter", text("ab"))], true),
            "0A000 COPY delimiter must be a single one-byte character"
        );
        assert_eq!(refused(&[("delimiter", text("a"))], true), "22023 COPY delimiter cannot be \"a\"");
        assert_eq!(
            refused(&[("delimiter", text("\n"))], true),
            "22023 COPY delimiter cannot be newline or carriage return"
        );
        assert_eq!(
            refused(&[("format", text("binary")), ("delimiter", text(","))], true),
            "42601 cannot specify DELIMITER in BINARY mode"
        );
        assert_eq!(
            refused(&[("format", text("binary")), ("header", CopyOptionValue::None)], true),
            "0A000 cannot specify HEADER in BINARY mode"
        );
        assert_eq!(refused(&[("quote", text("'"))], true), "0A000 COPY quote available only in CSV mode");
        assert_eq!(
            refused(&[csv.clone(), ("force_null", names.clone())], false),
            "0A000 COPY force null only available using COPY FROM"
        );
        assert_eq!(
            refused(&[csv.clone(), ("force_quote", names)], true),
            "0A000 COPY force quote only available using COPY TO"
        );
        assert_eq!(
            refused(&[csv.clone(), ("null", text("a\"b"))], true),
            "0A000 CSV quote character must not appear in the NULL specification"
        );
        assert_eq!(refused(&[("header", text("match"))], false), "0A000 cannot use \"match\" with HEADER in COPY TO");
        assert_eq!(refused(&[("header", text("2"))], true), "42601 header requires a Boolean value or \"match\"");
        assert_eq!(
            refused(&[("encoding", text("nope"))], true),
            "22023 argument to option \"encoding\" must be a valid encoding name"
        );
        assert_eq!(
            refused(&[csv, ("force_null", text("a"))], true),
            "22023 argument to option \"force_null\" must be a list of column names"
        );
    }

    #[test]
    fn defaults() {
        let options = CopyOptions::new(&[("format".to_owned(), text("csv"))], true).unwrap();
        assert_eq!((options.delimiter, options.quote, options.escape, options.null.as_str()), (b',', b'"', b'"', ""));
        let options = CopyOptions::new(&[], true).unwrap();
        assert_eq!((options.delimiter, options.null.as_str(), options.header), (b'\t', "\\N", Header::No));
    }
}
