//! Quoting of identifiers and literals, and `parse_ident`.

use aegis_catalog::types::text_of;
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{Array, ArrayRef, StringViewBuilder};
use std::sync::Arc;

use crate::functions::Call;
use crate::functions::array::List;
use crate::functions::kernel::{columns, kernel};
use crate::functions::signature::{Row, f};

pub fn functions() -> Vec<Row> {
    vec![
        f("quote_ident(text)", kernel!(|a: &str| identifier(a))),
        f("quote_literal(text)", kernel!(|a: &str| literal(a))),
        f("quote_literal(anyelement)", columns(|call, args| any_literal(call, args, false))),
        f("quote_nullable(text)", kernel!(|a: Option<&str>| a.map_or_else(|| "NULL".to_owned(), literal))),
        f("quote_nullable(anyelement)", columns(|call, args| any_literal(call, args, true))),
        f("parse_ident(text, bool)", kernel!(|a: &str, strict: bool| parse_identifier(a, strict))),
    ]
}

/// `quote_ident`: quoted only where it must be.
pub fn identifier(name: &str) -> String {
    aegis_catalog::definition::quote_identifier(name).into_owned()
}

/// `quote_literal`: with backslashes it becomes an escape string.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

fn any_literal(call: &Call<'_>, args: &[ArrayRef], nullable: bool) -> Result<ArrayRef> {
    let ([values], [ty]) = (args, call.arg_types) else { return Err(Error::internal("one argument")) };
    let mut quoted = StringViewBuilder::with_capacity(values.len());
    for row in 0..values.len() {
        match values.is_null(row) {
            true if nullable => quoted.append_value("NULL"),
            true => quoted.append_null(),
            false => quoted.append_value(literal(&text_of(*ty, values, row, &call.context.format)?)),
        }
    }
    Ok(Arc::new(quoted.finish()))
}

/// Splits a qualified name into its parts, folded as in SQL.
pub fn parse_identifier(text: &str, strict: bool) -> Result<List<String>> {
    let invalid = |detail: &str| {
        let error =
            Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("string is not a valid identifier: \"{text}\""));
        if detail.is_empty() { error } else { error.with_detail(detail) }
    };
    let mut parts = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let (part, after) = quoted_part(quoted).ok_or_else(|| invalid("String has unclosed double quotes."))?;
            if part.is_empty() {
                return Err(invalid("Quoted identifier must not be empty."));
            }
            parts.push(part);
            rest = after;
        } else {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()))
                .unwrap_or(rest.len());
            let starts = rest.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_' || !c.is_ascii());
            if end == 0 || !starts {
                return Err(invalid(match rest.chars().next() {
                    Some('.') => "No valid identifier before \".\".",
                    None if !parts.is_empty() => "No valid identifier after \".\".",
                    _ => "",
                }));
            }
            parts.push(rest[..end].to_lowercase());
            rest = &rest[end..];
        }
        rest = rest.trim_start();
        match rest.strip_prefix('.') {
            Some(after) => rest = after.trim_start(),
            None if rest.is_empty() || !strict => break,
            None => return Err(invalid("")),
        }
    }
    Ok(parts.into_iter().collect())
}

fn quoted_part(text: &str) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                part.push('"');
                rest = after;
            }
            None => return Some((part, rest)),
        }
    }
}
